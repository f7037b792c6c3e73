/**
 * The lot as this viewer may know it: a snapshot, and the events after it.
 *
 * Pure: frames in, a new view out; no page, no socket, no clock. The promises: a view with the
 * events applied equals a fresh snapshot; a frame heard twice changes nothing; a missing number
 * sets `gap`, after which nothing is believed until the next snapshot; and a bid counts for
 * nothing here until its `result` has come.
 */

/** @typedef {{cmdId: string, amount: number, kind: "bid"|"max", seen: number, sentAt: number}} Bid */
/** @typedef {import("./wire.d.ts").Auction} Auction */
/** @typedef {import("./wire.d.ts").You & {hadMax?: boolean, passedBy?: import("./wire.d.ts").Outbid["why"]}} Own */
/** @typedef {{seq: number, at: number|null, price: number, paddle: number|null, channel?: Auction["channel"], merged: number, undone: boolean}} Row */
/** @typedef {{kind: string, seq: number, bid?: Bid, status?: Own["status"]|null, code?: string|null, message?: string|null,
 *    wouldPass?: number|null, retryAfterMs?: number, reason?: string, mine?: number|null}} Notice  what last happened to this viewer */
/**
 * @typedef {object} View
 * @property {string} auctionId
 * @property {string} lineage
 * @property {number} seq
 * @property {number} at
 * @property {Auction} auction
 * @property {Own|null} you
 * @property {Row[]} bids newest first
 * @property {(Bid & {waiting: boolean, bidId?: string})|null} pending the one bid that waits for its answer
 * @property {Notice|null} notice until their standing changes
 * @property {{text: string, heardAt: number}|null} message the auctioneer's last words, and when they were heard
 * @property {{code: string, amount: number}|null} bar what the saleroom last said against this bidder's bids on this lot
 * @property {number} blockedUntil steady time before which the server asked us not to bid
 * @property {number} movedAt steady time at which the asking bid last changed
 * @property {boolean} gap
 * @property {number} heardAt
 */

/** @type {(keyof Auction & keyof import("./wire.d.ts").Paused)[]} */
const CARRIED = ["price", "askingBid", "paddle", "bidCount", "bidderCount", "reserve", "status", "closesAt", "phase", "channel"];
/** @type {Record<string, (view: View, frame: any) => View>} */
const PERSONAL = { winning: onWinning, outbid: onOutbid, won: onSettledForYou, lost: onSettledForYou, decided: onDecided };
const KEPT_BIDS = 60; // rows of the list beside the lot; more would only be scrolled past

/** A view from a `snapshot` frame, with the bids before it where they are known, newest first.
 *  @returns {View} */
export function fromSnapshot(/** @type {import("./wire.d.ts").Snapshot} */ frame, heardAt = 0, /** @type {any[]} */ earlier = []) {
  return {
    auctionId: frame.auctionId,
    lineage: frame.lineage,
    seq: frame.seq,
    at: frame.at,
    auction: { ...frame.auction },
    you: frame.you ? { ...frame.you } : null,
    bids: withMissedRow(earlier.map(rowOf), firstRow(frame)),
    pending: null,
    notice: null,
    message: null,
    bar: null,
    blockedUntil: 0,
    movedAt: -Infinity,
    gap: false,
    heardAt,
  };
}

function firstRow(/** @type {import("./wire.d.ts").Snapshot} */ { seq, auction }) {
  const { price, paddle, channel } = auction;
  return price === null ? null : { seq, at: null, price, paddle, channel, merged: 1, undone: false };
}

/** The view after one frame from the server, heard at `heardAt` on the steady clock.
 *  @returns {View} */
export function reduce(/** @type {View} */ view, /** @type {import("./wire.d.ts").Told} */ frame, heardAt = 0) {
  if (frame.type === "error") return onError(view, frame, heardAt);
  const about = "auctionId" in frame ? frame.auctionId : undefined;
  if (about !== undefined && about !== view.auctionId) return view;
  if (frame.type === "snapshot") return onSnapshot(view, frame, heardAt);
  if (frame.type === "result") return onResult(view, frame, heardAt);
  if (view.gap || about === undefined) return view;
  if (Object.hasOwn(PERSONAL, frame.type)) return noteMove(view, PERSONAL[frame.type](view, frame), heardAt);
  return isPublic(frame) ? noteMove(view, onPublic(view, frame, heardAt), heardAt) : view;
}

/** A bid has left for the saleroom. Nothing else changes: it is not placed until it is answered. */
export function sending(/** @type {View} */ view, /** @type {Bid} */ bid) {
  return { ...view, pending: { ...bid, waiting: false }, notice: null };
}

/** The person pressed, but the price had moved: no bid was sent. */
export function moved(/** @type {View} */ view) {
  return { ...view, notice: { kind: "moved", seq: view.seq } };
}

/** A bid from earlier was never answered and is too old to send again unasked. */
export function unanswered(/** @type {View} */ view, /** @type {Bid} */ bid) {
  return { ...view, pending: null, notice: { kind: "unanswered", bid, seq: view.seq } };
}

/** Whether the bidding on this lot is over, whatever the outcome. */
export function isOver(/** @type {View} */ view) {
  return ["closed", "settling", "settled", "canceled"].includes(view.auction.status);
}

/** Whether this viewer leads: the server said so, and nobody else has been named since. */
export function leads(/** @type {View} */ view) {
  if (view.you?.status !== "WINNING") return false;
  const { paddle } = view.auction;
  return paddle === null || !Number.isInteger(view.you.paddle) || paddle === view.you.paddle;
}

// ── the public story ─────────────────────────────────────────────────────────────────────────

/** Every public event carries the whole public state, so one of a kind not known to this page
 *  still keeps the numbers unbroken.
 *  @returns {frame is import("./wire.d.ts").PublicEvent} */
function isPublic(/** @type {any} */ frame) {
  return Number.isInteger(frame.seq) && typeof frame.status === "string" && "bidCount" in frame && "askingBid" in frame;
}

function onSnapshot(/** @type {View} */ view, /** @type {import("./wire.d.ts").Snapshot} */ frame, /** @type {number} */ heardAt) {
  const fresh = fromSnapshot(frame, heardAt);
  const { pending, message, bar, blockedUntil, movedAt } = view;
  const bids = view.lineage === fresh.lineage ? withMissedRow(view.bids, firstRow(frame)) : fresh.bids;
  const stands = view.you?.status === fresh.you?.status || TAKEN_BACK.has(view.notice?.kind);
  const notice = stands ? view.notice : null;
  return noteMove(view, { ...fresh, pending, notice, message, bar, blockedUntil, movedAt, bids }, heardAt);
}

function onPublic(/** @type {View} */ view, /** @type {import("./wire.d.ts").PublicEvent} */ frame, /** @type {number} */ heardAt) {
  const first = frame.seq - ((frame.type === "price" && frame.merged) || 1) + 1;
  if (frame.seq <= view.seq) return view; // heard before
  if (first > view.seq + 1) return { ...view, gap: true };
  const carried = Object.fromEntries(CARRIED.filter((name) => name in frame).map((name) => [name, frame[name]]));
  const auction = { ...view.auction, ...carried };
  const next = { ...view, auction, seq: frame.seq, at: frame.at ?? view.at };
  const told = Object.hasOwn(PUBLIC, frame.type) ? PUBLIC[frame.type](next, frame, heardAt) : next;
  const stands = auction.status === view.auction.status || TAKEN_BACK.has(told.notice?.kind);
  return stands ? told : { ...told, notice: null };
}

/** @type {Record<string, (view: View, frame: any, heardAt: number) => View>} */
const PUBLIC = {
  price: (view, frame) => ({
    ...view,
    auction: { ...view.auction, channel: frame.channel, phase: null },
    bids: withRow(view.bids, rowOf(frame)),
    notice: TAKEN_BACK.has(view.notice?.kind) ? null : view.notice, // the bidding has gone on since
  }),
  extended: (view, frame) => ({ ...view, auction: { ...view.auction, extensions: frame.extensions } }),
  opened: inPhase(null),
  paused: (view) => view,
  unpaused: (view) => view,
  fair_warning: inPhase("fair_warning"),
  final_call: inPhase("final_call"),
  undone,
  reopened: (view, frame) => takenBack(view, frame, null),
  message: (view, frame, heardAt) => ({ ...view, message: typeof frame.text === "string" ? { text: frame.text, heardAt } : null }),
  updated: (view, frame) => ({ ...view, auction: { ...view.auction, ...frame.changed } }),
  closed: (view, frame) => ({
    ...view,
    auction: { ...view.auction, phase: null, outcome: frame.outcome === "canceled" ? null : frame.outcome },
  }),
  settled: (view) => view,
};

function inPhase(/** @type {Auction["phase"]} */ phase) {
  return (/** @type {View} */ view) => ({ ...view, auction: { ...view.auction, phase } });
}

/** @type {Set<string|undefined>} */
const TAKEN_BACK = new Set(["undone", "reopened"]);

/** The auctioneer took something back, and said why. Where this viewer now stands is not in the
 *  event, so a snapshot is asked for rather than guessed. */
function takenBack(/** @type {View} */ view, /** @type {import("./wire.d.ts").Undone|import("./wire.d.ts").Reopened} */ frame, /** @type {number|null} */ mine) {
  const notice = { kind: frame.type, seq: frame.seq, reason: typeof frame.reason === "string" ? frame.reason : "", mine };
  return { ...view, auction: { ...view.auction, phase: null, outcome: null }, notice, gap: true };
}

/** Every bid above the price that stands again was taken back; it stays in the list, struck out. */
function undone(/** @type {View} */ view, /** @type {import("./wire.d.ts").Undone} */ frame) {
  const { price } = frame;
  const paddle = view.you?.paddle;
  const gone = view.bids.filter((bid) => !bid.undone && (price === null || bid.price > price));
  const own = gone.find((bid) => Number.isInteger(paddle) && bid.paddle === paddle);
  const bids = view.bids.map((bid) => (gone.includes(bid) ? { ...bid, undone: true } : bid));
  return takenBack({ ...view, bids }, frame, own?.price ?? null);
}

function rowOf(/** @type {any} */ frame) {
  const { seq = 0, at = null, price, paddle, channel, merged } = frame;
  return { seq, at, price, paddle, channel, merged: Number.isInteger(merged) ? merged : 1, undone: Boolean(frame.undone) };
}

function withRow(/** @type {Row[]} */ bids, /** @type {Row|null} */ row) {
  if (!row) return bids;
  return [row, ...bids].slice(0, KEPT_BIDS);
}

/** After a snapshot the list goes on with the price it states, unless that is already on top. */
function withMissedRow(/** @type {Row[]} */ bids, /** @type {Row|null} */ row) {
  const top = bids.find((bid) => !bid.undone);
  const known = row && top?.price === row.price && (row.paddle === null || top?.paddle === row.paddle);
  return known ? bids : withRow(bids, row);
}

function noteMove(/** @type {View} */ before, /** @type {View} */ after, /** @type {number} */ heardAt) {
  if (after === before) return before;
  const moved = after.auction.askingBid !== before.auction.askingBid;
  return { ...after, heardAt, movedAt: moved ? heardAt : after.movedAt };
}

// ── this viewer's own story ──────────────────────────────────────────────────────────────────

function withYou(/** @type {View} */ view, /** @type {Partial<Own>} */ changes) {
  const before = view.you ?? { status: "NOT_BID", paddle: null, max: null, lastBidAmount: null, bidCount: 0 };
  return { ...view, you: { ...before, ...changes } };
}

/** A new standing ends what was said about the old one. */
function standing(/** @type {View} */ view, /** @type {Own["status"]} */ status, /** @type {Partial<Own>} */ changes = {}) {
  const same = view.you?.status === status;
  return withYou(same ? view : { ...view, notice: null }, { status, ...changes });
}

/** The result and the personal events come before the public event that they caused; until that
 *  one comes, a few milliseconds later, the price is theirs. */
function ahead(/** @type {View} */ view, /** @type {{seq: number}} */ frame, /** @type {Partial<Auction>} */ changes) {
  if (frame.seq <= view.seq) return view;
  return { ...view, auction: { ...view.auction, ...changes } };
}

function onWinning(/** @type {View} */ view, /** @type {import("./wire.d.ts").Winning} */ frame) {
  if (frame.seq < view.seq) return view;
  const max = frame.max ?? null;
  const told = standing(view, "WINNING", { max, hadMax: (max ?? 0) > (frame.price ?? 0) });
  return ahead(told, frame, { price: frame.price, paddle: told.you.paddle ?? view.auction.paddle });
}

function onOutbid(/** @type {View} */ view, /** @type {import("./wire.d.ts").Outbid} */ frame) {
  if (frame.seq < view.seq) return view;
  const status = frame.why === "bid" || view.you?.status === "WINNING" ? "OUTBID" : passedStatus(view);
  const told = standing(view, status, { passedBy: frame.why });
  const { price, askingBid, paddle, channel } = frame;
  return ahead(told, frame, { price, askingBid, paddle, channel });
}

function passedStatus(/** @type {View} */ view) {
  const status = view.you?.status ?? "NOT_BID";
  return status === "NOT_BID" ? "ACTIVE" : status;
}

function onSettledForYou(/** @type {View} */ view, /** @type {import("./wire.d.ts").Won|import("./wire.d.ts").Lost} */ frame) {
  return standing(view, frame.type === "won" ? "WON" : "LOST");
}

function onResult(/** @type {View} */ view, /** @type {import("./wire.d.ts").Result} */ frame, /** @type {number} */ heardAt) {
  const { pending } = view;
  if (!pending || frame.cmdId !== pending.cmdId) return view; // answered before, or not this page's bid
  if (frame.outcome === "waiting") return { ...view, pending: { ...pending, waiting: true, bidId: frame.bidId } };
  const known = frame.seq >= view.seq ? standingFrom(view, frame, pending) : view;
  const accepted = frame.outcome === "accepted";
  const notice = { kind: accepted ? "accepted" : "refused", bid: pending, ...answer(frame) };
  return noteMove(view, { ...known, pending: null, notice, bar: barOf(view, pending, accepted ? null : frame.code) }, heardAt);
}

const BARS = new Set(["not_registered", "pending_approval", "suspended", "over_limit"]);

/** What a refusal says of this bidder's later bids; a bid that is taken takes it back. */
function barOf(/** @type {View} */ view, /** @type {Bid} */ bid, /** @type {string|null} */ code) {
  if (code === null) return null;
  return BARS.has(code) ? { code, amount: bid.amount } : view.bar;
}

/** What an answer says of now; one given again after a reconnect may be older than the view. */
function standingFrom(/** @type {View} */ view, /** @type {import("./wire.d.ts").Result} */ frame, /** @type {Bid} */ bid) {
  const accepted = frame.outcome === "accepted";
  const own = accepted ? { lastBidAmount: bid.amount, bidCount: (view.you?.bidCount ?? 0) + 1 } : {};
  const max = accepted && bid.kind === "max" ? { max: bid.amount } : {};
  const told = standing(view, frame.status, { ...own, ...max });
  /** @type {Partial<Auction>} */
  const lead = frame.status === "WINNING" && accepted ? { paddle: told.you.paddle ?? view.auction.paddle, channel: "online" } : {};
  return ahead(told, frame, { price: frame.price, askingBid: frame.askingBid, ...lead });
}

function answer(/** @type {any} */ { seq, status, code = null, message = null, wouldPass = null }) {
  return { seq, status, code, message, wouldPass };
}

/** The auctioneer's answer to a bid that waited for a hand. */
function onDecided(/** @type {View} */ view, /** @type {import("./wire.d.ts").Decided} */ frame) {
  const { pending } = view;
  if (!pending || frame.cmdId !== pending.cmdId) return view;
  const kind = frame.outcome === "accepted" ? "accepted" : "refused";
  return { ...view, pending: null, notice: { kind, bid: pending, ...answer(frame), status: null } };
}

/** An `error` says that nothing entered the log. With this bid's id the bid is off; without one
 *  it is about some other message, and the bid still waits. */
function onError(/** @type {View} */ view, /** @type {import("./wire.d.ts").Failure} */ frame, /** @type {number} */ heardAt) {
  const wait = frame.retryAfterMs ?? 0;
  const blocked = { ...view, blockedUntil: Math.max(view.blockedUntil, heardAt + wait) };
  if (!frame.cmdId || frame.cmdId !== view.pending?.cmdId) return wait > 0 ? blocked : view;
  const notice = { kind: "error", bid: view.pending, seq: view.seq, code: frame.code, message: frame.message ?? null, retryAfterMs: wait };
  return { ...blocked, pending: null, notice };
}
