import assert from "node:assert/strict";
import { test } from "node:test";

import { Keys, printed } from "../../../gateway/static/keys.js";

const USUAL = { hammer: "h", warn: "w", up: "ArrowUp" };

/** A browser's storage, and one that refuses. */
const storage = (kept = new Map()) => ({ getItem: (name) => kept.get(name) ?? null, setItem: (name, text) => kept.set(name, text) });
const refusing = { getItem: () => { throw new Error("no"); }, setItem: () => { throw new Error("no"); } };
const press = (key, more = {}) => ({ key, code: "", repeat: false, isComposing: false, ctrlKey: false, altKey: false, metaKey: false, ...more });
const keys = (kept = storage()) => new Keys(kept, "keys", USUAL, true);

test("a key asks for its act, in either case", () => {
  assert.deepEqual(["h", "H", "ArrowUp", "q", " "].map((key) => keys().actOf(press(key), false)), ["hammer", "hammer", "up", null, null]);
});

test("a field, a modifier, a held key and a word being composed are left alone", () => {
  assert.equal(keys().actOf(press("h"), true), null);
  for (const how of ["ctrlKey", "altKey", "metaKey", "repeat", "isComposing"]) {
    assert.equal(keys().actOf(press("h", { [how]: true }), false), null, how);
  }
});

test("on another alphabet's layout the place of the key counts", () => {
  assert.equal(keys().actOf(press("р", { code: "KeyH" }), false), "hammer");
  assert.equal(keys().actOf(press("h", { code: "KeyW" }), false), "hammer", "a Latin layout is believed");
});

test("off they are silent, but for the way out; and stay so", () => {
  const kept = storage();
  keys(kept).turn(false);
  assert.equal(keys(kept).actOf(press("h"), false), null);
  assert.equal(keys(kept).actOf(press("Escape"), true), "escape");
});

test("until somebody chooses they are as the page says", () => {
  assert.equal(new Keys(storage(), "keys", USUAL).actOf(press("h"), false), null);
});

test("a key can be given away once, and the browser's never", () => {
  const kept = storage();
  const mine = keys(kept);
  assert.equal(mine.remap("hammer", "w"), false);
  for (const key of [" ", "Enter", "Tab", "Escape"]) assert.equal(mine.remap("hammer", key), false, key);
  assert.equal(mine.remap("hammer", "K"), true);
  assert.deepEqual(["h", "k"].map((key) => keys(kept).actOf(press(key), false)), [null, "hammer"]);
  mine.reset();
  assert.equal(keys(kept).actOf(press("h"), false), "hammer");
});

test("a storage that refuses, or holds something else, does no harm", () => {
  const mine = keys(refusing);
  mine.turn(true);
  assert.equal(mine.actOf(press("h"), false), "hammer");
  for (const text of ["{", "7", '{"keys":{"hammer":5,"nothing":"x"}}', '{"on":"yes"}']) {
    assert.equal(keys(storage(new Map([["keys", text]]))).actOf(press("h"), false), "hammer", text);
  }
});

test("arrows are printed as arrows", () => {
  assert.deepEqual(["h", "ArrowUp", "Escape"].map(printed), ["H", "↑", "Esc"]);
});
