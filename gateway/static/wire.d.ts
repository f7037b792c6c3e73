// The live protocol's frames. Made by tools/wire_types.py from the gateway's own forms: change
// those, and make this file anew.

export interface Hello {
  type: "hello";
  key?: string | null;
  token?: string | null;
  ticket?: string | null;
  operatorKey?: string | null;
}

export interface Subscribe {
  type: "subscribe";
  auctionId: string;
  lineage?: string | null;
  seq?: number | null;
}

export interface Unsubscribe {
  type: "unsubscribe";
  auctionId: string;
}

export interface Bid {
  type: "bid";
  cmdId: string;
  auctionId: string;
  amount: number;
  kind?: "bid" | "max";
  seen?: number | null;
}

export interface Ping {
  type: "ping";
  t: number;
}

export interface Finger {
  type: "finger";
  auctionId: string;
  on: boolean;
}

export interface OpenItAct {
  act: "open";
  opening?: number | null;
  type: "act";
  cmdId: string;
  auctionId: string;
  seen?: number | null;
  reason?: string | null;
}

export interface AskAct {
  act: "ask";
  amount: number;
  type: "act";
  cmdId: string;
  auctionId: string;
  seen?: number | null;
  reason?: string | null;
}

export interface StepAct {
  act: "step";
  amount: number | null;
  type: "act";
  cmdId: string;
  auctionId: string;
  seen?: number | null;
  reason?: string | null;
}

export interface CalledAct {
  act: "bid";
  channel: "left" | "phone" | "room";
  amount: number;
  paddle?: number | null;
  max?: number | null;
  house?: boolean;
  type: "act";
  cmdId: string;
  auctionId: string;
  seen?: number | null;
  reason?: string | null;
}

export interface TakeAct {
  act: "take";
  bidId: string;
  type: "act";
  cmdId: string;
  auctionId: string;
  seen?: number | null;
  reason?: string | null;
}

export interface RefuseAct {
  act: "refuse";
  bidId: string;
  type: "act";
  cmdId: string;
  auctionId: string;
  seen?: number | null;
  reason?: string | null;
}

export interface AutoAcceptAct {
  act: "auto_accept";
  on: boolean;
  type: "act";
  cmdId: string;
  auctionId: string;
  seen?: number | null;
  reason?: string | null;
}

export interface FairWarningAct {
  act: "fair_warning";
  type: "act";
  cmdId: string;
  auctionId: string;
  seen?: number | null;
  reason?: string | null;
}

export interface FinalCallAct {
  act: "final_call";
  type: "act";
  cmdId: string;
  auctionId: string;
  seen?: number | null;
  reason?: string | null;
}

export interface PauseAct {
  act: "pause";
  type: "act";
  cmdId: string;
  auctionId: string;
  seen?: number | null;
  reason?: string | null;
}

export interface UnpauseAct {
  act: "unpause";
  type: "act";
  cmdId: string;
  auctionId: string;
  seen?: number | null;
  reason?: string | null;
}

export interface TakeOverAct {
  act: "take_over";
  type: "act";
  cmdId: string;
  auctionId: string;
  seen?: number | null;
  reason?: string | null;
}

export interface HammerAct {
  act: "hammer";
  paddle: number | null;
  price: number;
  type: "act";
  cmdId: string;
  auctionId: string;
  seen?: number | null;
  reason?: string | null;
}

export interface SellSubjectAct {
  act: "sell_subject";
  type: "act";
  cmdId: string;
  auctionId: string;
  seen?: number | null;
  reason?: string | null;
}

export interface PassItAct {
  act: "pass";
  type: "act";
  cmdId: string;
  auctionId: string;
  seen?: number | null;
  reason?: string | null;
}

export interface WithdrawAct {
  act: "withdraw";
  type: "act";
  cmdId: string;
  auctionId: string;
  seen?: number | null;
  reason?: string | null;
}

export interface SkipAct {
  act: "skip";
  to?: string | null;
  type: "act";
  cmdId: string;
  auctionId: string;
  seen?: number | null;
  reason?: string | null;
}

export interface UndoAct {
  act: "undo";
  toSeq: number;
  type: "act";
  cmdId: string;
  auctionId: string;
  seen?: number | null;
  reason?: string | null;
}

export interface ReinstateAct {
  act: "reinstate";
  bidId: string;
  type: "act";
  cmdId: string;
  auctionId: string;
  seen?: number | null;
  reason?: string | null;
}

export interface ReopenAct {
  act: "reopen";
  type: "act";
  cmdId: string;
  auctionId: string;
  seen?: number | null;
  reason?: string | null;
}

export interface LowerReserveAct {
  act: "lower_reserve";
  amount: number;
  type: "act";
  cmdId: string;
  auctionId: string;
  seen?: number | null;
  reason?: string | null;
}

export interface MessageAct {
  act: "message";
  text: string;
  type: "act";
  cmdId: string;
  auctionId: string;
  seen?: number | null;
  reason?: string | null;
}

export interface Welcome {
  type: "welcome";
  session: string;
  role: "auctioneer" | "bidder" | "spectator";
  consumerId: string | null;
  now: number;
  ping: number;
}

export interface Pong {
  type: "pong";
  t: number;
  now: number;
}

export interface Failure {
  type: "error";
  code: string;
  message: string;
  cmdId?: string;
  auctionId?: string;
  retryAfterMs?: number;
}

export interface Result {
  type: "result";
  cmdId: string;
  auctionId: string;
  seq: number;
  at: number;
  outcome: "accepted" | "refused" | "waiting";
  status: "ACTIVE" | "NOT_BID" | "OUTBID" | "WINNING";
  price: number | null;
  askingBid: number | null;
  wouldPass: number | null;
  code: "already_bid" | "below_asking_bid" | "buy_now_unavailable" | "canceled" | "closed" | "expired" | "idempotency_mismatch" | "insufficient_funds" | "not_a_raise" | "not_open_yet" | "not_registered" | "off_ladder" | "over_limit" | "own_lot" | "paused" | "pending_approval" | "refused" | "suspended" | "already_bid" | "below_asking_bid" | "below_reserve" | "buy_now_unavailable" | "canceled" | "closed" | "expired" | "held" | "idempotency_mismatch" | "insufficient_funds" | "invalid" | "moved" | "not_a_raise" | "not_current_lot" | "not_found" | "not_in_control" | "not_open_yet" | "not_registered" | "off_ladder" | "over_limit" | "own_lot" | "paused" | "pending_approval" | "reason_required" | "refused" | "suspended" | null;
  message: string | null;
  bidId?: string;
}

export interface Auction {
  name: string;
  lotNumber: string;
  saleId: string;
  format: "dutch" | "english" | "live" | "one_bid" | "sealed_first" | "sealed_second" | "uniform";
  currency: string;
  exponent: number;
  status: "canceled" | "closed" | "draft" | "open" | "paused" | "scheduled" | "settled" | "settling";
  phase: "fair_warning" | "final_call" | null;
  opening: number;
  price: number | null;
  askingBid: number | null;
  paddle: number | null;
  channel: "left" | "online" | "phone" | "room";
  bidCount: number;
  bidderCount: number;
  reserve: "met" | "none" | "not_met";
  opensAt: number | null;
  closesAt: number | null;
  extensions: number;
  outcome: "passed" | "sold" | "sold_subject" | "withdrawn" | null;
}

export interface You {
  status: "ACTIVE" | "LOST" | "NOT_BID" | "OUTBID" | "WINNING" | "WON";
  paddle: number | null;
  max: number | null;
  lastBidAmount: number | null;
  bidCount: number;
}

export interface Snapshot {
  type: "snapshot";
  auctionId: string;
  lineage: string;
  seq: number;
  at: number;
  auction: Auction;
  you: You | null;
}

export interface Resumed {
  type: "resumed";
  auctionId: string;
  lineage: string;
  seq: number;
  missed: number;
  you?: You;
}

export interface Price {
  type: "price";
  auctionId: string;
  seq: number;
  at: number;
  price: number | null;
  askingBid: number | null;
  paddle: number | null;
  bidCount: number;
  bidderCount: number;
  reserve: "met" | "none" | "not_met";
  status: "canceled" | "closed" | "draft" | "open" | "paused" | "scheduled" | "settled" | "settling";
  closesAt: number | null;
  phase?: "fair_warning" | "final_call" | null;
  channel: "left" | "online" | "phone" | "room";
  why: "bid" | "proxy" | "reinstated" | "reserve";
  merged?: number;
}

export interface Changed {
  name?: string;
  lotNumber?: string;
  format?: "dutch" | "english" | "live" | "one_bid" | "sealed_first" | "sealed_second" | "uniform";
  currency?: string;
  exponent?: number;
  status?: "canceled" | "closed" | "draft" | "open" | "paused" | "scheduled" | "settled" | "settling";
  phase?: "fair_warning" | "final_call" | null;
  opening?: number;
  price?: number | null;
  askingBid?: number | null;
  paddle?: number | null;
  channel?: "left" | "online" | "phone" | "room";
  bidCount?: number;
  bidderCount?: number;
  reserve?: "met" | "none" | "not_met";
  opensAt?: number | null;
  closesAt?: number | null;
  extensions?: number;
}

export interface Opened {
  type: "opened";
  auctionId: string;
  seq: number;
  at: number;
  price: number | null;
  askingBid: number | null;
  paddle: number | null;
  bidCount: number;
  bidderCount: number;
  reserve: "met" | "none" | "not_met";
  status: "canceled" | "closed" | "draft" | "open" | "paused" | "scheduled" | "settled" | "settling";
  closesAt: number | null;
  phase?: "fair_warning" | "final_call" | null;
  channel?: "left" | "online" | "phone" | "room";
  changed?: Changed;
}

export interface Paused {
  type: "paused";
  auctionId: string;
  seq: number;
  at: number;
  price: number | null;
  askingBid: number | null;
  paddle: number | null;
  bidCount: number;
  bidderCount: number;
  reserve: "met" | "none" | "not_met";
  status: "canceled" | "closed" | "draft" | "open" | "paused" | "scheduled" | "settled" | "settling";
  closesAt: number | null;
  phase?: "fair_warning" | "final_call" | null;
  channel?: "left" | "online" | "phone" | "room";
}

export interface Unpaused {
  type: "unpaused";
  auctionId: string;
  seq: number;
  at: number;
  price: number | null;
  askingBid: number | null;
  paddle: number | null;
  bidCount: number;
  bidderCount: number;
  reserve: "met" | "none" | "not_met";
  status: "canceled" | "closed" | "draft" | "open" | "paused" | "scheduled" | "settled" | "settling";
  closesAt: number | null;
  phase?: "fair_warning" | "final_call" | null;
  channel?: "left" | "online" | "phone" | "room";
}

export interface Extended {
  type: "extended";
  auctionId: string;
  seq: number;
  at: number;
  price: number | null;
  askingBid: number | null;
  paddle: number | null;
  bidCount: number;
  bidderCount: number;
  reserve: "met" | "none" | "not_met";
  status: "canceled" | "closed" | "draft" | "open" | "paused" | "scheduled" | "settled" | "settling";
  closesAt: number | null;
  phase?: "fair_warning" | "final_call" | null;
  channel?: "left" | "online" | "phone" | "room";
  extensions: number;
}

export interface Updated {
  type: "updated";
  auctionId: string;
  seq: number;
  at: number;
  price: number | null;
  askingBid: number | null;
  paddle: number | null;
  bidCount: number;
  bidderCount: number;
  reserve: "met" | "none" | "not_met";
  status: "canceled" | "closed" | "draft" | "open" | "paused" | "scheduled" | "settled" | "settling";
  closesAt: number | null;
  phase?: "fair_warning" | "final_call" | null;
  channel?: "left" | "online" | "phone" | "room";
  changed: Changed;
}

export interface FairWarning {
  type: "fair_warning";
  auctionId: string;
  seq: number;
  at: number;
  price: number | null;
  askingBid: number | null;
  paddle: number | null;
  bidCount: number;
  bidderCount: number;
  reserve: "met" | "none" | "not_met";
  status: "canceled" | "closed" | "draft" | "open" | "paused" | "scheduled" | "settled" | "settling";
  closesAt: number | null;
  phase?: "fair_warning" | "final_call" | null;
  channel?: "left" | "online" | "phone" | "room";
}

export interface FinalCall {
  type: "final_call";
  auctionId: string;
  seq: number;
  at: number;
  price: number | null;
  askingBid: number | null;
  paddle: number | null;
  bidCount: number;
  bidderCount: number;
  reserve: "met" | "none" | "not_met";
  status: "canceled" | "closed" | "draft" | "open" | "paused" | "scheduled" | "settled" | "settling";
  closesAt: number | null;
  phase?: "fair_warning" | "final_call" | null;
  channel?: "left" | "online" | "phone" | "room";
}

export interface Said {
  type: "message";
  auctionId: string;
  seq: number;
  at: number;
  price: number | null;
  askingBid: number | null;
  paddle: number | null;
  bidCount: number;
  bidderCount: number;
  reserve: "met" | "none" | "not_met";
  status: "canceled" | "closed" | "draft" | "open" | "paused" | "scheduled" | "settled" | "settling";
  closesAt: number | null;
  phase?: "fair_warning" | "final_call" | null;
  channel?: "left" | "online" | "phone" | "room";
  text: string;
}

export interface Undone {
  type: "undone";
  auctionId: string;
  seq: number;
  at: number;
  price: number | null;
  askingBid: number | null;
  paddle: number | null;
  bidCount: number;
  bidderCount: number;
  reserve: "met" | "none" | "not_met";
  status: "canceled" | "closed" | "draft" | "open" | "paused" | "scheduled" | "settled" | "settling";
  closesAt: number | null;
  phase?: "fair_warning" | "final_call" | null;
  channel?: "left" | "online" | "phone" | "room";
  toSeq: number;
  reason: string;
}

export interface Reopened {
  type: "reopened";
  auctionId: string;
  seq: number;
  at: number;
  price: number | null;
  askingBid: number | null;
  paddle: number | null;
  bidCount: number;
  bidderCount: number;
  reserve: "met" | "none" | "not_met";
  status: "canceled" | "closed" | "draft" | "open" | "paused" | "scheduled" | "settled" | "settling";
  closesAt: number | null;
  phase?: "fair_warning" | "final_call" | null;
  channel?: "left" | "online" | "phone" | "room";
  reason: string;
}

export interface Closed {
  type: "closed";
  auctionId: string;
  seq: number;
  at: number;
  price: number | null;
  askingBid: number | null;
  paddle: number | null;
  bidCount: number;
  bidderCount: number;
  reserve: "met" | "none" | "not_met";
  status: "canceled" | "closed" | "draft" | "open" | "paused" | "scheduled" | "settled" | "settling";
  closesAt: number | null;
  phase?: "fair_warning" | "final_call" | null;
  channel?: "left" | "online" | "phone" | "room";
  outcome: "passed" | "sold" | "sold_subject" | "withdrawn" | "canceled";
}

export interface Settled {
  type: "settled";
  auctionId: string;
  seq: number;
  at: number;
  price: number | null;
  askingBid: number | null;
  paddle: number | null;
  bidCount: number;
  bidderCount: number;
  reserve: "met" | "none" | "not_met";
  status: "canceled" | "closed" | "draft" | "open" | "paused" | "scheduled" | "settled" | "settling";
  closesAt: number | null;
  phase?: "fair_warning" | "final_call" | null;
  channel?: "left" | "online" | "phone" | "room";
}

export interface Winning {
  type: "winning";
  auctionId: string;
  seq: number;
  at: number;
  price: number | null;
  max: number | null;
}

export interface Outbid {
  type: "outbid";
  auctionId: string;
  seq: number;
  at: number;
  price: number | null;
  askingBid: number | null;
  paddle: number | null;
  channel: "left" | "online" | "phone" | "room";
  why: "bid" | "proxy" | "tie";
}

export interface Decided {
  type: "decided";
  bidId: string;
  cmdId: string;
  auctionId: string;
  seq: number;
  at: number;
  outcome: "accepted" | "refused";
  code: "already_bid" | "below_asking_bid" | "buy_now_unavailable" | "canceled" | "closed" | "expired" | "idempotency_mismatch" | "insufficient_funds" | "not_a_raise" | "not_open_yet" | "not_registered" | "off_ladder" | "over_limit" | "own_lot" | "paused" | "pending_approval" | "refused" | "suspended" | null;
  message: string | null;
}

export interface Won {
  type: "won";
  auctionId: string;
  seq: number;
  at: number;
  price: number;
}

export interface Lost {
  type: "lost";
  auctionId: string;
  seq: number;
  at: number;
  price: number | null;
}

export interface FingerOn {
  type: "finger";
  auctionId: string;
  paddle: number;
  on: boolean;
}

export interface WaitingBid {
  bidId: string;
  paddle: number;
  amount: number;
  at: number;
}

export interface InControl {
  session: string;
  by: string;
  name: string;
}

export interface LeftBids {
  count: number;
  next: number | null;
}

export interface DeskBid {
  bidId: string;
  seq: number;
  amount: number;
  channel: "left" | "online" | "phone" | "room";
  paddle: number | null;
  at: number;
  state: "refused" | "standing" | "undone" | "waiting";
  house: boolean;
}

export interface Gone {
  lots: number;
  sold: number;
  passed: number;
  hammerTotal: number;
}

export interface Desk {
  type: "desk";
  auctionId: string;
  seq: number;
  waiting: WaitingBid[];
  connected: number;
  canBid: number;
  heard: number;
  control: InControl | null;
  ring: string | null;
  autoAccept: boolean;
  step: number | null;
  reserve: number | null;
  leftBids: LeftBids;
  houseBids: "announced_once" | "consecutive_below_reserve" | "none";
  bids: DeskBid[];
  sale: Gone;
}

export type Act =
  | OpenItAct
  | AskAct
  | StepAct
  | CalledAct
  | TakeAct
  | RefuseAct
  | AutoAcceptAct
  | FairWarningAct
  | FinalCallAct
  | PauseAct
  | UnpauseAct
  | TakeOverAct
  | HammerAct
  | SellSubjectAct
  | PassItAct
  | WithdrawAct
  | SkipAct
  | UndoAct
  | ReinstateAct
  | ReopenAct
  | LowerReserveAct
  | MessageAct;

export type Asked =
  | Hello
  | Subscribe
  | Unsubscribe
  | Bid
  | Ping
  | Finger
  | Act;

export type PublicEvent =
  | Price
  | Opened
  | Paused
  | Unpaused
  | Extended
  | Updated
  | FairWarning
  | FinalCall
  | Said
  | Undone
  | Reopened
  | Closed
  | Settled;

export type PersonalEvent =
  | Winning
  | Outbid
  | Decided
  | Won
  | Lost;

export type Told =
  | Welcome
  | Pong
  | Failure
  | Result
  | Snapshot
  | Resumed
  | Price
  | Opened
  | Paused
  | Unpaused
  | Extended
  | Updated
  | FairWarning
  | FinalCall
  | Said
  | Undone
  | Reopened
  | Closed
  | Settled
  | Winning
  | Outbid
  | Decided
  | Won
  | Lost
  | FingerOn
  | Desk;
