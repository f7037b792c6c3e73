import assert from "node:assert/strict";
import { test } from "node:test";

import { sayer } from "../../../gateway/static/phrases.js";

const WORDS = {
  "lot.leads": "Paddle {paddle} leads at {price}",
  "lot.bids": { one: "{n} bid", other: "{n} bids" },
};

/** What is said in the console while `work` runs. */
function complaints(work) {
  const said = [];
  const before = console.error;
  console.error = (line) => said.push(line);
  try {
    work();
  } finally {
    console.error = before;
  }
  return said;
}

test("places are filled, and a paddle number is no count", () => {
  const t = sayer(WORDS, "en-GB");
  assert.equal(t("lot.leads", { paddle: 1207, price: "€44,000" }), "Paddle 1207 leads at €44,000");
});

test("a count chooses its form and is written as the language writes numbers", () => {
  const t = sayer(WORDS, "en-GB");
  assert.deepEqual([0, 1, 2, 1284].map((n) => t("lot.bids", { n })), ["0 bids", "1 bid", "2 bids", "1,284 bids"]);
  assert.equal(sayer(WORDS, "de-DE")("lot.bids", { n: 1284 }), "1.284 bids");
});

test("what is missing is shown and complained of, and the page goes on", () => {
  const t = sayer(WORDS, "en-GB");
  const said = complaints(() => {
    assert.equal(t("lot.nothing"), "lot.nothing");
    assert.equal(t("toString"), "toString");
    assert.equal(t("lot.leads", { paddle: 1 }), "Paddle 1 leads at {price}");
  });
  assert.equal(said.length, 3);
});
