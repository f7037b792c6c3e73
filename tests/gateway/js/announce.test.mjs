import assert from "node:assert/strict";
import { test } from "node:test";

import { announcer } from "../../../gateway/static/announce.js";

/** Two regions, and a clock that the test moves. */
function room() {
  const regions = { polite: { textContent: "" }, urgent: { textContent: "" } };
  const due = [];
  const say = announcer(regions, (work) => due.push(work));
  return { regions, say, pass: () => due.splice(0).forEach((work) => work()), due };
}

test("of a price that moves five times the last is read, once", () => {
  const { regions, say, pass, due } = room();
  for (const price of [40, 42, 44, 46, 48]) say("polite", `Current bid €${price},000`, "price");
  assert.equal(regions.polite.textContent, "");
  assert.equal(due.length, 1);
  pass();
  assert.equal(regions.polite.textContent, "Current bid €48,000");
});

test("what is said of different things goes together, and nothing is lost", () => {
  const { regions, say, pass } = room();
  say("polite", "Current bid €44,000.", "price");
  say("polite", "Extended once.");
  say("polite", "Current bid €46,000.", "price");
  pass();
  assert.equal(regions.polite.textContent, "Current bid €46,000. Extended once.");
});

test("what is urgent does not wait, and does not hurry the rest", () => {
  const { regions, say, pass } = room();
  say("polite", "Current bid €44,000", "price");
  say("urgent", "You’ve been outbid");
  assert.deepEqual([regions.urgent.textContent, regions.polite.textContent], ["You’ve been outbid", ""]);
  pass();
  assert.equal(regions.polite.textContent, "Current bid €44,000");
});

test("the same words again change the region, or nobody would hear them", () => {
  const { regions, say } = room();
  const heard = ["Refused.", "Refused.", "Refused."].map((words) => (say("urgent", words), regions.urgent.textContent));
  assert.equal(new Set([heard[0], heard[1]]).size, 2);
  assert.notEqual(heard[1], heard[2]);
  assert.ok(heard.every((words) => words.trim() === "Refused."));
});
