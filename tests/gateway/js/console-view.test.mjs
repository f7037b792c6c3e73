import assert from "node:assert/strict";
import { test } from "node:test";
import { callLine, mainButton, tiles, warnButton } from "../../../gateway/static/console-lines.js";
import {
  acting, begin, belowReserve, hammer, hasLeader, hold, isOffStep, isUnnamed, mayAct, nextLot, opensNext, reduce, reopenable, requeue, shownLot, standDown, steps, tick, undoable, waiting,
} from "../../../gateway/static/console-view.js";

const LOT = "auction_214";
const row = (number, more = {}) => ({
  auctionId: `auction_${number}`, lotNumber: String(number), name: "Vase", photo: null, estimate: null, opening: 2_400_000,
  reserve: "met", reserveAmount: 3_800_000, status: "scheduled", price: null, paddle: null, outcome: null, leftBids: 0,
  check: null, currency: "EUR", exponent: 2, table: 0, ...more,
});
const page = (more = {}) => ({
  sale: { id: "seq_1", name: "Fine Ceramics", currency: "EUR", exponent: 2 },
  tables: [{ froms: [0, 2_000_000, 5_000_000], steps: [100_000, 200_000, 500_000] }],
  lots: [row(213, { status: "closed", outcome: "sold", price: 3_100_000, paddle: 5 }), row(214, { status: "open", price: 4_200_000 }), row(215), row(216)],
  ring: LOT, shown: LOT, watching: false, ownSessions: [], ...more,
});
const snapshot = (auction = {}, top = {}) => ({
  type: "snapshot", auctionId: LOT, lineage: "L", seq: 41, at: 1000,
  auction: {
    name: "Vase", lotNumber: "214", format: "live", currency: "EUR", exponent: 2, status: "open", phase: null, opening: 2_400_000,
    price: 4_200_000, askingBid: 4_400_000, paddle: 118, channel: "room", bidCount: 12, bidderCount: 4, reserve: "met",
    opensAt: null, closesAt: null, extensions: 0, outcome: null, ...auction,
  },
  you: null, ...top,
});
const event = (type, seq, more = {}) => ({
  type, auctionId: LOT, seq, at: 1000 + seq, price: 4_200_000, askingBid: 4_400_000, paddle: 118, bidCount: 12, bidderCount: 4,
  reserve: "met", status: "open", closesAt: null, channel: "room", phase: null, ...more,
});
const called = (type, seq, more = {}) => event(type, seq, { phase: type, ...more });
const priceAt = (seq, price, paddle = 207, more = {}) => event("price", seq, { price, askingBid: price + 200_000, paddle, channel: "online", why: "bid", ...more });
const bid = (seq, amount, more = {}) => ({ bidId: `b${seq}`, seq, amount, channel: "room", paddle: 118, at: 1, state: "standing", house: false, ...more });
const desk = (more = {}) => ({
  type: "desk", auctionId: LOT, seq: 41, waiting: [], connected: 143, canBid: 61, heard: 143, ring: LOT, autoAccept: true, step: null, reserve: 3_800_000,
  control: { session: "s1", by: "key_1", name: "Ana" }, leftBids: { count: 2, next: 4_300_000 }, houseBids: "none",
  bids: [bid(41, 4_200_000), bid(40, 4_000_000, { paddle: 207, channel: "online" }), bid(39, 3_900_000, { state: "undone" })], sale: { lots: 4, sold: 1, passed: 0, hammerTotal: 3_100_000 }, ...more,
});
const welcome = (session = "s1", role = "auctioneer") => ({ type: "welcome", session, role, now: 0 });
const play = (state, ...frames) => frames.reduce((s, frame) => reduce(s, frame, 100), state);
const selling = (...frames) => play(begin(page()), welcome(), snapshot(), desk(), ...frames);
const result = (act, more = {}) => ({ type: "result", auctionId: LOT, cmdId: act.cmdId, seq: 42, outcome: "accepted", code: null, wouldPass: null, message: null, ...more });
const ACT = { cmdId: "c1", auctionId: LOT, act: "bid", channel: "room", amount: 4_400_000 };
const LIVE = { live: true, why: "lost", access: "auctioneer" };
const VOICE = { now: 5000, cash: (n) => `€${n / 100}`, say: (said) => said[0] };
const said = (state, link = LIVE) => callLine(state, link, VOICE).head[0];

test("a lot with its events applied equals a fresh snapshot", () => {
  const stale = selling(priceAt(42, 4_400_000), called("fair_warning", 43, { price: 4_400_000, askingBid: 4_600_000, paddle: 207, channel: "online" }));
  const fresh = play(begin(page()), welcome(), snapshot({ price: 4_400_000, askingBid: 4_600_000, paddle: 207, channel: "online", phase: "fair_warning" }, { seq: 43, at: 1043 }), desk());
  assert.deepEqual(shownLot(stale).auction, shownLot(fresh).auction);
  assert.equal(shownLot(stale).phaseAt, shownLot(fresh).phaseAt);
});

test("a frame that comes twice changes nothing", () => {
  const once = selling(priceAt(42, 4_400_000));
  assert.equal(reduce(once, priceAt(42, 4_400_000)), once);
  assert.equal(reduce(once, priceAt(41, 9_900_000)), once);
  const answered = play(acting(once, ACT), result(ACT));
  assert.equal(reduce(answered, result(ACT)), answered);
});

test("after a missing number nothing is believed until the next snapshot", () => {
  const gapped = selling(priceAt(44, 4_800_000));
  assert.equal(shownLot(gapped).gap, true);
  assert.equal(shownLot(gapped).auction.price, 4_200_000);
  assert.equal(shownLot(reduce(gapped, priceAt(42, 4_400_000))).auction.price, 4_200_000);
  const whole = reduce(gapped, snapshot({ price: 4_800_000 }, { seq: 44 }));
  assert.equal(shownLot(whole).gap, false);
  assert.equal(shownLot(whole).auction.price, 4_800_000);
});

test("a merged price stands for all its numbers", () => {
  assert.equal(shownLot(selling(priceAt(45, 5_000_000, 207, { merged: 4 }))).seq, 45);
  assert.equal(shownLot(selling(priceAt(46, 5_000_000, 207, { merged: 4 }))).gap, true);
});

test("events of a lot that is not followed are passed over, and kinds that are not known counted", () => {
  const state = selling();
  assert.equal(reduce(state, { ...priceAt(42, 1), auctionId: "auction_999" }), state);
  assert.equal(shownLot(reduce(state, event("weather", 42))).seq, 42);
});

test("the first press raises the hammer, the second strikes, a bounce does neither", () => {
  const first = hammer(selling(), 1000);
  assert.equal(first.then, null);
  assert.equal(first.state.armed.price, 4_200_000);
  assert.deepEqual(hammer(first.state, 1200), { state: first.state, then: null });
  assert.equal(hammer(first.state, 1251).then, "strike");
});

test("a hammer raised for three seconds is down again", () => {
  const raised = hammer(selling(), 1000).state;
  assert.equal(tick(raised, 4001).armed, null);
  const again = hammer(raised, 4500);
  assert.deepEqual([again.then, again.state.armed.at], [null, 4500]);
});

test("a bid between two presses holds the hammer, and two presses are needed again", () => {
  const held = reduce(hammer(selling(), 1000).state, priceAt(42, 4_400_000));
  assert.equal(held.armed, null);
  assert.equal(said(held), "console.call.held");
  const once = hammer(held, 1300);
  assert.equal(once.then, null);
  assert.equal(hammer(once.state, 1600).then, "strike");
});

test("the saleroom's own word that it is held names the bid that waits", () => {
  const act = { ...ACT, act: "hammer" };
  const state = acting(selling(desk({ waiting: [{ bidId: "b9", paddle: 207, amount: 4_400_000, at: 1 }] })), act);
  const held = reduce(state, result(act, { outcome: "refused", code: "held" }));
  assert.deepEqual([held.said.kind, held.said.paddle, held.armed], ["held", 207, null]);
  assert.equal(said(held), "console.call.held");
});

test("a call that changes no price leaves the hammer up", () => {
  assert.notEqual(reduce(hammer(selling(), 1000).state, event("message", 42, { text: "Last chance" })).armed, null);
});

test("below the reserve the second press asks for a reason, and with an unnamed leader for a paddle", () => {
  const below = play(begin(page()), welcome(), snapshot({ reserve: "not_met", price: 3_600_000 }), desk());
  assert.equal(belowReserve(below), 200_000);
  assert.equal(hammer(hammer(below, 0).state, 300).then, "reason");
  const unnamed = play(begin(page()), welcome(), snapshot({ paddle: null }), desk());
  assert.equal(isUnnamed(unnamed), true);
  assert.equal(hammer(hammer(unnamed, 0).state, 300).then, "paddle");
});

test("after an undo nobody leads until somebody bids", () => {
  const undone = selling(event("undone", 42, { price: 4_000_000, askingBid: 4_200_000, paddle: null, channel: "online", reason: "wrong bidder", toSeq: 40 }));
  assert.equal(hasLeader(undone), false);
  assert.equal(said(undone), "console.call.nobody");
  assert.equal(mainButton(undone, true, VOICE).on, false);
  assert.equal(hasLeader(reduce(undone, priceAt(43, 4_200_000, null, { channel: "room" }))), true);
});

test("undone rows stay in the log and cannot be undone again", () => {
  assert.deepEqual(undoable(selling()).map((one) => one.seq), [41, 40]);
});

test("one act at a time, and only by whose desk it is", () => {
  const state = selling();
  assert.equal(mayAct(state, true), true);
  assert.equal(mayAct(state, false), false);
  assert.equal(mayAct(acting(state, ACT), true), false);
  const other = reduce(state, desk({ control: { session: "s9", by: "key_2", name: "Bram" } }));
  assert.equal(hold(other), "other");
  assert.equal(mayAct(other, true), false);
  assert.deepEqual(callLine(other, LIVE, VOICE).head, ["console.call.other", { name: "Bram" }]);
  assert.equal(hold(reduce(state, desk({ control: null }))), "free");
  assert.equal(hold(play(begin(page({ watching: true })), welcome(), desk())), "watching");
});

test("a desk that an earlier connection of this screen still holds is known as such", () => {
  assert.equal(hold(play(selling(), welcome("s2"), desk())), "former");
  assert.equal(hold(play(begin(page({ ownSessions: ["s1"] })), welcome("s7"), desk())), "former");
});

test("a refusal is said in words, and the next thing that happens ends it", () => {
  const refused = reduce(acting(selling(), ACT), result(ACT, { outcome: "refused", code: "below_asking_bid", wouldPass: 4_600_000 }));
  const line = callLine(refused, LIVE, VOICE);
  assert.deepEqual(line.text, ["console.refused.below_asking_bid"]);
  assert.deepEqual(line.more, ["console.refused.would", { amount: "€46000" }]);
  assert.equal(reduce(refused, priceAt(42, 4_400_000)).said, null);
  assert.equal(standDown(refused).said, null);
});

test("the answer to another act is no answer to the one that waits", () => {
  const waits = acting(selling(), ACT);
  assert.equal(reduce(waits, result({ ...ACT, cmdId: "c0" })), waits);
});

test("an error names the act it is about; any other is none of this one's business", () => {
  const waits = acting(selling(), ACT);
  assert.equal(reduce(waits, { type: "error", code: "invalid" }), waits);
  assert.equal(reduce(waits, { type: "error", code: "overloaded", cmdId: "c1" }).pending, null);
});

test("the line gone is said before everything else", () => {
  assert.equal(said(selling(), { live: false, why: "lost" }), "console.call.lost");
  assert.equal(said(selling(), { live: false, why: "connecting" }), "console.call.connecting");
});

test("a closed lot leads to the next that waits for its turn", () => {
  const sold = selling(event("closed", 42, { status: "closed", outcome: "sold" }));
  assert.equal(said(sold), "console.call.sold");
  assert.equal(opensNext(sold).lotNumber, "215");
  assert.equal(mainButton(sold, true, VOICE).name, "next");
  assert.deepEqual(reopenable(sold).map((one) => one.lotNumber), ["214", "213"]);
  assert.equal(opensNext(selling()), null);
});

test("a lot sent back waits for its turn like the others", () => {
  const lots = [row(214, { status: "open" }), row(215, { status: "paused", price: 1 }), row(216)];
  assert.equal(nextLot(begin(page({ lots }))).lotNumber, "215");
});

test("the queue read anew does not know a followed lot better than its events", () => {
  const state = requeue(selling(priceAt(42, 4_400_000)), { lots: [row(214, { status: "open", price: 4_200_000 }), row(215, { leftBids: 3 })], ring: LOT });
  assert.equal(state.lots[0].price, 4_400_000);
  assert.equal(state.lots[1].leftBids, 3);
});

test("rows that have not changed are the same rows", () => {
  const before = selling();
  const after = reduce(before, event("message", 42, { text: "Last chance" }));
  assert.equal(after.lots, before.lots);
});

test("the steps offered are round ones around the table's, or the one that was set", () => {
  assert.deepEqual(steps(selling()), { table: 200_000, inForce: 200_000, choices: [100_000, 200_000, 300_000, 500_000] });
  assert.equal(steps(selling(desk({ step: 500_000 }))).inForce, 500_000);
  assert.ok(steps(selling(desk({ step: 250_000 }))).choices.includes(250_000));
  assert.equal(isOffStep(selling()), false);
  assert.equal(isOffStep(selling(event("updated", 42, { askingBid: 4_500_000, changed: { askingBid: 4_500_000 } }))), true);
});

test("the calls come one after the other", () => {
  assert.equal(warnButton(selling(), true).act, "fair_warning");
  assert.equal(warnButton(selling(called("fair_warning", 42)), true).act, "final_call");
  assert.equal(warnButton(selling(called("fair_warning", 42), called("final_call", 43)), true).on, false);
  assert.equal(warnButton(selling(called("fair_warning", 42), priceAt(43, 4_400_000)), true).act, "fair_warning");
});

test("the tiles say what would be taken", () => {
  const quiet = tiles(selling(), true, VOICE);
  assert.deepEqual([quiet.room.on, quiet.online.on, quiet.left.on], [true, false, true]);
  const asked = tiles(selling(desk({ waiting: [{ bidId: "b", paddle: 207, amount: 4_400_000, at: 4400 }] })), true, VOICE);
  assert.deepEqual([asked.online.on, asked.online.hot], [true, true]);
  assert.deepEqual(asked.online.text, ["console.take.online.at", { amount: "€44000", ago: "0.6" }]);
  assert.equal(tiles(selling(desk({ leftBids: { count: 1, next: null } })), true, VOICE).left.on, false);
});

test("a finger is said until it is lifted, or nothing more is heard of it", () => {
  const touched = selling({ type: "finger", paddle: 412, on: true });
  assert.deepEqual(callLine(touched, LIVE, VOICE).more, ["console.call.finger", { paddle: "412", n: 1 }]);
  assert.deepEqual(reduce(touched, { type: "finger", paddle: 412, on: false }).fingers, {});
  assert.deepEqual(tick(touched, 20_000).fingers, {});
});

test("waiting bids are the desk's last word", () => {
  const waits = selling(desk({ waiting: [{ bidId: "b", paddle: 207, amount: 1, at: 1 }] }));
  assert.equal(waiting(waits).length, 1);
  assert.equal(waiting(reduce(waits, desk())).length, 0);
});
