import assert from "node:assert/strict";
import { test } from "node:test";
import "./reading.mjs";
import { fromSnapshot, isOver, leads, moved, reduce, sending, unanswered } from "../../../gateway/static/view.js";
import * as words from "../../../gateway/static/words.js";

const LOT = "auction_1";
const ME = {
  admission: "approved", registration: "open", limit: null, reason: "", register: "/register", signIn: "/sign-in", mine: "/me",
  sale: "/sale/seq_1", next: { url: "/lot/auction_2", number: "215" },
};
const banner = (view, link, now, me = ME) => words.banner(view, link, now, me);
const button = (view, link, now, me = ME, armed = null) => words.button(view, link, now, me, armed);
const { connection, price } = words;
const LIVE = { live: true, why: "lost", access: "bidder", heardAt: 0, rtt: 20 };

function snapshot(auction = {}, you = {}, top = {}) {
  return {
    type: "snapshot", auctionId: LOT, lineage: "L", seq: 41, at: 1,
    auction: {
      name: "Vase", lotNumber: "214", format: "english", currency: "EUR", exponent: 2, status: "open", phase: null,
      opening: 2_400_000, price: 4_200_000, askingBid: 4_400_000, paddle: 118, channel: "room", bidCount: 17,
      bidderCount: 6, reserve: "met", opensAt: 0, closesAt: 900_000, extensions: 0, outcome: null, ...auction,
    },
    you: { status: "NOT_BID", paddle: 207, max: null, lastBidAmount: null, bidCount: 0, ...you },
    ...top,
  };
}

function event(type, seq, more = {}) {
  return {
    type, auctionId: LOT, seq, at: seq, price: 4_400_000, askingBid: 4_600_000, paddle: 118, bidCount: 18,
    bidderCount: 6, reserve: "met", status: "open", closesAt: 900_000, ...more,
  };
}

const priceAt = (seq, amount, more = {}) =>
  event("price", seq, { price: amount, askingBid: amount + 200_000, channel: "online", why: "bid", ...more });
const result = (bid, more = {}) => ({
  type: "result", auctionId: LOT, cmdId: bid.cmdId, seq: 42, at: 42, outcome: "accepted", status: "WINNING",
  price: bid.amount, askingBid: bid.amount + 200_000, wouldPass: null, code: null, message: null, ...more,
});
const BID = { cmdId: "c1", amount: 4_400_000, kind: "bid", seen: 41, sentAt: 0 };

const play = (view, ...frames) => frames.reduce((v, frame, i) => reduce(v, frame, 100 + i), view);

test("a view with the events applied equals a fresh snapshot", () => {
  const stale = play(
    fromSnapshot(snapshot()),
    priceAt(42, 4_400_000),
    event("extended", 43, { extensions: 1, closesAt: 960_000 }),
    event("fair_warning", 44, { closesAt: 960_000 }),
    event("paused", 45, { status: "paused", closesAt: null }),
    event("unpaused", 46, { closesAt: 970_000 }),
    event("updated", 47, { closesAt: 970_000, changed: { name: "Large vase" } }),
    event("closed", 48, { status: "closed", closesAt: 970_000, outcome: "sold" }),
    event("settled", 49, { status: "settled", closesAt: 970_000 }),
  );
  const fresh = snapshot({
    name: "Large vase", status: "settled", price: 4_400_000, askingBid: 4_600_000, channel: "online", bidCount: 18,
    closesAt: 970_000, extensions: 1, outcome: "sold",
  });
  assert.deepEqual(stale.auction, fresh.auction);
  assert.equal(stale.seq, 49);
});

test("what was heard before changes nothing", () => {
  const view = play(fromSnapshot(snapshot()), priceAt(42, 4_400_000));
  assert.equal(reduce(view, priceAt(42, 9_900_000)), view);
  assert.equal(reduce(view, priceAt(30, 9_900_000)), view);
});

test("a merged price stands for the numbers before it", () => {
  const view = play(fromSnapshot(snapshot()), priceAt(45, 5_000_000, { merged: 4 }));
  assert.equal(view.seq, 45);
  assert.equal(view.gap, false);
  assert.equal(view.bids[0].merged, 4);
  const overlap = play(view, priceAt(47, 5_400_000, { merged: 4 }));
  assert.equal(overlap.auction.price, 5_400_000);
});

test("after a missing number nothing is believed until the next snapshot", () => {
  const torn = play(fromSnapshot(snapshot()), priceAt(43, 4_600_000));
  assert.equal(torn.gap, true);
  assert.equal(torn.auction.price, 4_200_000);
  assert.equal(play(torn, priceAt(44, 4_800_000)).auction.price, 4_200_000);
  assert.equal(button(torn, LIVE, 0).off, true);
  const whole = play(torn, snapshot({ price: 4_800_000, askingBid: 5_000_000 }, {}, { seq: 44 }));
  assert.equal(whole.gap, false);
  assert.equal(whole.auction.price, 4_800_000);
  assert.equal(whole.bids[0].price, 4_800_000);
});

test("a merged price that begins too late is a missing number too", () => {
  assert.equal(play(fromSnapshot(snapshot()), priceAt(45, 5_000_000, { merged: 3 })).gap, true);
});

test("unknown fields and unknown kinds of event are ignored", () => {
  const view = fromSnapshot(snapshot());
  assert.equal(reduce(view, { type: "weather", auctionId: LOT, seq: 42, rain: true }), view);
  assert.equal(reduce(view, { type: "toString", auctionId: LOT, seq: 42 }), view);
  assert.equal(reduce(view, { type: "constructor", auctionId: LOT }), view);
  const after = play(view, priceAt(42, 4_400_000, { sparkle: 1 }));
  assert.equal(after.auction.price, 4_400_000);
  assert.equal("sparkle" in after.auction, false);
});

test("an unknown public event keeps the numbers unbroken", () => {
  const view = play(fromSnapshot(snapshot()), event("encore", 42), priceAt(43, 4_600_000));
  assert.equal(view.gap, false);
  assert.equal(view.auction.price, 4_600_000);
});

test("frames of other lots are not for this view", () => {
  const view = fromSnapshot(snapshot());
  assert.equal(reduce(view, { ...priceAt(42, 1), auctionId: "auction_2" }), view);
});

test("a bid is nothing but sent until its result", () => {
  const view = sending(fromSnapshot(snapshot()), BID);
  assert.equal(view.auction.price, 4_200_000);
  assert.equal(leads(view), false);
  assert.match(banner(view, LIVE, 0).head, /^Sending your bid of €44,000/);
  assert.match(banner(view, LIVE, 2500).text, /Taking longer than usual/);
});

test("accepted and leading: You lead, before and after the public event", () => {
  const answered = play(sending(fromSnapshot(snapshot()), BID), result(BID));
  assert.equal(answered.pending, null);
  assert.equal(banner(answered, LIVE, 0).head, "You lead");
  assert.equal(button(answered, LIVE, 0).label, "You lead at €44,000");
  const told = play(answered, { type: "winning", auctionId: LOT, seq: 42, at: 1, price: 4_400_000, max: 4_400_000 }, priceAt(42, 4_400_000, { paddle: 207 }));
  assert.equal(banner(told, LIVE, 0).head, "You lead");
  assert.equal(told.seq, 42);
});

test("accepted and passed at once: it says both", () => {
  const view = play(
    sending(fromSnapshot(snapshot()), BID),
    result(BID, { status: "ACTIVE", price: 4_600_000, askingBid: 4_800_000 }),
    { type: "outbid", auctionId: LOT, seq: 42, at: 1, price: 4_600_000, askingBid: 4_800_000, paddle: 118, channel: "online", why: "proxy" },
    priceAt(42, 4_400_000, { paddle: 207 }), priceAt(43, 4_600_000, { why: "proxy" }),
  );
  assert.equal(leads(view), false);
  assert.match(banner(view, LIVE, 0).text, /accepted, and passed at once by an earlier maximum/);
  assert.equal(button(view, LIVE, 1e6).amount, 4_800_000);
});

test("refused: says why, and what would pass", () => {
  const refused = result(BID, { outcome: "refused", status: "NOT_BID", seq: 41, price: 4_400_000, askingBid: 4_600_000, code: "below_asking_bid", wouldPass: 4_600_000 });
  const view = play(sending(fromSnapshot(snapshot()), BID), refused);
  assert.equal(banner(view, LIVE, 0).head, "Your bid of €44,000 was not placed");
  assert.match(banner(view, LIVE, 0).text, /€46,000/);
  assert.equal(view.auction.price, 4_200_000, "an answer moves no public number that it does not lead");
});

test("every refusal code has its words; an unknown one has the saleroom's", () => {
  const codes = ["not_open_yet", "paused", "closed", "canceled", "below_asking_bid", "off_ladder", "not_a_raise", "already_bid", "not_registered",
    "pending_approval", "suspended", "over_limit", "insufficient_funds", "own_lot", "idempotency_mismatch"];
  const said = (code) => banner(play(sending(fromSnapshot(snapshot()), BID), result(BID, { outcome: "refused", status: "NOT_BID", seq: 41, code, message: "Rain." })), LIVE, 0).text;
  for (const code of codes) assert.ok(said(code).length > 10 && !said(code).includes("Rain."), code);
  assert.match(said("no_umbrella"), /Rain\./);
});

test("the first answer, given again late, does not turn the view back", () => {
  const view = play(sending(fromSnapshot(snapshot({ price: 5_000_000, askingBid: 5_200_000 }, { status: "OUTBID" }, { seq: 50 })), BID), result(BID));
  assert.equal(view.you.status, "OUTBID");
  assert.equal(view.auction.price, 5_000_000);
  assert.match(banner(view, LIVE, 0).text, /was accepted, and has been passed since/);
});

test("an answer to another cmdId, and a second answer, change nothing", () => {
  const waiting = sending(fromSnapshot(snapshot()), BID);
  assert.equal(reduce(waiting, result({ ...BID, cmdId: "other" })), waiting);
  const answered = play(waiting, result(BID));
  assert.equal(reduce(answered, result(BID)), answered);
});

test("outbid: the standing, the new asking bid, and by whom", () => {
  const led = fromSnapshot(snapshot({ paddle: 207 }, { status: "WINNING" }));
  const view = play(led, { type: "outbid", auctionId: LOT, seq: 42, at: 1, price: 4_400_000, askingBid: 4_600_000, paddle: 118, channel: "room", why: "bid" });
  assert.equal(banner(view, LIVE, 0).head, "You’ve been outbid");
  assert.equal(banner(view, LIVE, 0).text, "Paddle 118 in the room leads");
  assert.equal(button(view, LIVE, 0).amount, 4_600_000);
});

test("an error that names the bid frees it; one that does not leaves it waiting", () => {
  const waiting = sending(fromSnapshot(snapshot()), BID);
  const named = reduce(waiting, { type: "error", code: "rate_limited", message: "x", cmdId: "c1", retryAfterMs: 2000 }, 500);
  assert.equal(named.pending, null);
  assert.match(banner(named, LIVE, 500).text, /too quickly\. Try again in 2 seconds/);
  assert.equal(button(named, LIVE, 2499).off, true);
  assert.equal(button(named, LIVE, 2500).amount, 4_400_000);
  assert.equal(reduce(waiting, { type: "error", code: "invalid", message: "x" }).pending.cmdId, "c1");
});

test("errors have their words", () => {
  const said = (code) => banner(reduce(sending(fromSnapshot(snapshot()), BID), { type: "error", code, cmdId: "c1", message: "m" }), LIVE, 0).text;
  assert.match(said("overloaded"), /too busy/);
  assert.match(said("invalid"), /could not read/);
  assert.match(said("unauthorized"), /Sign in again/);
});

test("a bid that waits for the auctioneer's hand is not placed until it is taken", () => {
  const view = play(sending(fromSnapshot(snapshot()), BID), result(BID, { outcome: "waiting", bidId: "b1", seq: 41 }));
  assert.match(banner(view, LIVE, 0).head, /The auctioneer has your bid/);
  const taken = play(view, { type: "decided", auctionId: LOT, bidId: "b1", cmdId: "c1", seq: 42, at: 1, outcome: "refused", code: "moved", message: "x" });
  assert.match(banner(taken, LIVE, 0).text, /The price had moved on/);
  const let_in = play(view, { type: "winning", auctionId: LOT, seq: 42, at: 1, price: 4_400_000, max: null }, { type: "decided", auctionId: LOT, bidId: "b1", cmdId: "c1", seq: 42, at: 1, outcome: "accepted", code: null, message: null });
  assert.equal(banner(let_in, LIVE, 0).head, "You lead");
});

test("offline comes before everything, with the age of the price", () => {
  const led = fromSnapshot(snapshot({ paddle: 207 }, { status: "WINNING" }));
  const gone = { ...LIVE, live: false, heardAt: 1000 };
  assert.equal(banner(led, gone, 5000).head, "Connection lost. Bidding is paused for you");
  assert.match(banner(led, gone, 5000).text, /This price is 4 seconds old/);
  assert.deepEqual(button(led, gone, 5000), { label: "Waiting for the saleroom", amount: null, off: true, href: null });
  assert.match(banner(sending(led, BID), gone, 5000).text, /Your bid of €44,000 is not answered/);
  assert.equal(connection(led, gone), "Reconnecting");
});

test("an undo is followed by a fresh snapshot, not by a guess", () => {
  const led = fromSnapshot(snapshot({ paddle: 207 }, { status: "WINNING" }));
  const view = play(led, event("undone", 42, { paddle: null, reason: "misheard", toSeq: 40 }));
  assert.equal(view.gap, true);
  assert.equal(button(view, LIVE, 0).off, true);
  const whole = play(view, snapshot({ paddle: null }, { status: "OUTBID" }, { seq: 42 }));
  assert.equal(banner(whole, LIVE, 0).text, "The auctioneer: misheard");
});

test("an undone bid stays in the list, struck out, and its bidder is told that it is theirs", () => {
  const led = play(fromSnapshot(snapshot()), priceAt(42, 4_400_000, { paddle: 207 }));
  const undone = play(led, event("undone", 43, { price: 4_200_000, askingBid: 4_400_000, paddle: null, reason: "It was not a bid.", toSeq: 41 }));
  assert.deepEqual(undone.bids.map((bid) => [bid.price, bid.undone]), [[4_400_000, true], [4_200_000, false]]);
  const whole = play(undone, snapshot({ paddle: null }, { status: "NOT_BID" }, { seq: 43 }));
  assert.equal(banner(whole, LIVE, 0).head, "Your bid of €44,000 was taken back. You have not bid");
  assert.equal(whole.bids.length, 2);
  assert.equal(play(whole, priceAt(44, 4_400_000)).notice, null, "the bidding has gone on since");
});

test("a lot that is opened again says why, until the bidding goes on", () => {
  const shut = fromSnapshot(snapshot({ status: "closed", outcome: "sold" }));
  const again = play(shut, event("reopened", 42, { price: 4_200_000, askingBid: 4_400_000, reason: "A bid was missed." }), snapshot({}, {}, { seq: 42 }));
  assert.equal(isOver(again), false);
  assert.equal(banner(again, LIVE, 0).text, "The auctioneer: A bid was missed.");
});

test("the auctioneer's words are shown for a while, under nothing more important", () => {
  const spoken = reduce(fromSnapshot(snapshot()), event("message", 42, { price: 4_200_000, askingBid: 4_400_000, text: "Two minutes." }), 1000);
  assert.equal(banner(spoken, LIVE, 2000).text, "Two minutes.");
  assert.equal(banner(spoken, LIVE, 14_000).head, "Paddle 118 in the room leads");
});

test("whoever may not bid is told why, with the way forward", () => {
  const view = fromSnapshot(snapshot());
  const at = (me, link = LIVE) => [banner(view, link, 0, { ...ME, ...me }).head, button(view, link, 0, { ...ME, ...me })];
  const [head, face] = at({ admission: null, registration: "approval" });
  assert.deepEqual([head, face.href], ["You are not registered for this sale", "/register"]);
  assert.equal(at({ admission: "pending" })[1].label, "Awaiting approval");
  assert.equal(at({ admission: "declined", reason: "" })[1].label, "You may watch, not bid");
  assert.equal(at({ limit: 4_300_000 })[1].label, "Ask for a higher limit");
  assert.equal(at({ limit: 4_400_000 })[1].amount, 4_400_000);
});

test("a bid over the limit is told once, and the button then offers the way to a higher one", () => {
  const refused = play(sending(fromSnapshot(snapshot()), BID), result(BID, { outcome: "refused", status: "NOT_BID", seq: 41, code: "over_limit", price: 4_200_000, askingBid: 4_400_000 }));
  assert.match(banner(refused, LIVE, 0).text, /over your limit/);
  assert.equal(button(refused, LIVE, 0).href, "/register");
});

test("a bid can be left before a live lot is opened, and nowhere else before its time", () => {
  const early = (format) => fromSnapshot(snapshot({ status: "scheduled", format, price: null }));
  assert.equal(words.mayLimit(early("live"), LIVE, 0, ME), true);
  assert.equal(words.mayLimit(early("english"), LIVE, 0, ME), false);
  const left = fromSnapshot(snapshot({ status: "scheduled", format: "live", price: null }, { status: "ACTIVE", max: 5_000_000 }));
  assert.equal(banner(left, LIVE, 0).head, "Your bid of €50,000 is left with the auctioneer");
});

test("a confirmation carries its own amount", () => {
  const face = button(fromSnapshot(snapshot()), LIVE, 0, ME, { amount: 4_800_000 });
  assert.deepEqual([face.label, face.amount, face.armed], ["Confirm", 4_800_000, true]);
});

test("every ending has its words", () => {
  const end = (auction, you) => banner(fromSnapshot(snapshot({ status: "closed", ...auction }, you)), LIVE, 0);
  assert.equal(end({ outcome: "sold", paddle: 207 }, { status: "WINNING" }).head, "Sold to you, paddle 207");
  assert.match(end({ outcome: "sold" }, { status: "OUTBID" }).text, /Hammer price €42,000\. You did not win this lot/);
  assert.equal(end({ outcome: "sold" }, {}).head, "Sold to paddle 118");
  assert.equal(end({ outcome: "passed", paddle: null }, {}).head, "Passed");
  assert.equal(end({ outcome: "withdrawn" }, {}).head, "This lot was withdrawn");
  assert.equal(end({ status: "canceled" }, {}).head, "This lot was canceled");
  assert.match(end({ outcome: "sold_subject" }, {}).head, /subject to the owner’s approval/);
  const won = play(fromSnapshot(snapshot({ status: "settled", outcome: "sold", paddle: 207 }, { status: "WINNING" })), { type: "won", auctionId: LOT, seq: 42, at: 1, price: 4_200_000 });
  assert.equal(banner(won, LIVE, 0).head, "Sold to you, paddle 207");
  assert.equal(button(won, LIVE, 0).href, "/me");
  assert.equal(isOver(won), true);
});

test("the button offers an amount only where a press would bid it", () => {
  const face = (auction, link = LIVE) => button(fromSnapshot(snapshot(auction)), link, 0);
  assert.equal(face({}).amount, 4_400_000);
  assert.equal(face({ status: "scheduled" }).label, "Not open yet");
  assert.equal(face({ status: "paused" }).label, "Bidding is paused");
  assert.equal(face({ status: "closed", outcome: "passed" }).href, "/lot/auction_2");
  assert.equal(face({}, { ...LIVE, access: "spectator" }).href, "/sign-in");
  assert.equal(face({}, { ...LIVE, access: "suspended" }).off, true);
  assert.equal(price(fromSnapshot(snapshot({ price: null, askingBid: 2_400_000 }))).label, "Opening bid");
});

test("a new asking bid is remembered as a move, an unchanged one is not", () => {
  const view = fromSnapshot(snapshot());
  assert.equal(reduce(view, priceAt(42, 4_400_000), 777).movedAt, 777);
  assert.equal(reduce(view, event("message", 42, { price: 4_200_000, askingBid: 4_400_000, text: "hello" }), 777).movedAt, -Infinity);
});

test("a press on a moved price, and an old unanswered bid, are said in words", () => {
  assert.equal(banner(moved(fromSnapshot(snapshot())), LIVE, 0).head, "The price moved. You have not bid");
  assert.match(banner(unanswered(fromSnapshot(snapshot()), BID), LIVE, 0).head, /never answered/);
});
