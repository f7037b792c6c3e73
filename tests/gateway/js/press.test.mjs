import assert from "node:assert/strict";
import { test } from "node:test";
import { ARMED_MS, DEAD_MS, GUARD_MS, arm, atRest, down, sent, settle, up } from "../../../gateway/static/press.js";

const OFFER = { amount: 4_400_000, asking: 4_400_000, movedAt: -Infinity, confirms: false };
const SURE = { ...OFFER, confirms: true };
const click = (press, offer, now) => up(down(press, offer), offer, now);

test("one press is one bid, for the amount on the button", () => {
  const { act, amount } = click(atRest(), OFFER, 1000);
  assert.deepEqual([act, amount], ["bid", 4_400_000]);
});

test("the second half of a double click is nothing", () => {
  const once = click(atRest(), OFFER, 1000);
  assert.equal(click(sent(once.press, 1000), OFFER, 1000 + GUARD_MS - 1).act, null);
  assert.equal(click(sent(once.press, 1000), OFFER, 1000 + GUARD_MS).act, "bid");
});

test("a price that moved under the finger, or a moment ago, is not bid", () => {
  const next = { ...OFFER, amount: 4_600_000, asking: 4_600_000 };
  assert.equal(up(down(atRest(), OFFER), next, 1000).act, "moved");
  assert.equal(click(atRest(), { ...OFFER, movedAt: 1000 }, 1000 + GUARD_MS - 1).act, "moved");
  assert.equal(click(atRest(), { ...OFFER, movedAt: 1000 }, 1000 + GUARD_MS).act, "bid");
});

test("a button that was off when the finger came down bids nothing when it comes up", () => {
  assert.equal(up(down(atRest(), { ...OFFER, amount: null }), OFFER, 1000).act, null);
  assert.equal(up(down(atRest(), OFFER), { ...OFFER, amount: null }, 1000).act, null);
});

test("a confirmation takes a second press, and not the second half of the first", () => {
  const armed = click(atRest(), SURE, 1000);
  assert.equal(armed.act, "arm");
  assert.equal(click(armed.press, SURE, 1000 + DEAD_MS - 1).act, null);
  const { act, amount } = click(armed.press, SURE, 1000 + DEAD_MS);
  assert.deepEqual([act, amount], ["bid", 4_400_000]);
});

test("a confirmation runs out, and any change of price ends it", () => {
  const { press } = click(atRest(), SURE, 1000);
  assert.equal(settle(press, 4_400_000, 1000 + ARMED_MS - 1).lost, null);
  assert.equal(settle(press, 4_400_000, 1000 + ARMED_MS).lost, "late");
  assert.equal(settle(press, 4_600_000, 1001).lost, "moved");
  assert.equal(settle(press, null, 1001).lost, "off");
  assert.equal(settle(press, 4_600_000, 1001).press.armed, null);
});

test("a jump is confirmed at its own amount, and disarmed by the same changes", () => {
  const press = arm(atRest(), 4_800_000, OFFER, 1000);
  const { act, amount } = click(press, { ...OFFER, amount: 4_800_000 }, 1000 + DEAD_MS);
  assert.deepEqual([act, amount], ["bid", 4_800_000]);
  assert.equal(settle(press, 4_600_000, 1001).lost, "moved");
});
