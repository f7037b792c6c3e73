import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { plot } from "../../../gateway/static/chart.js";
import { Habit } from "../../../gateway/static/habit.js";
import { after, stepAt } from "../../../gateway/static/rungs.js";
import { houseTime, ownTime } from "../../../gateway/static/times.js";

test("the next amounts climb by the step of the band that each stands in", () => {
  const steps = [[0, 1000], [10_000, 5000]];
  assert.deepEqual(after(steps, 8000, 4), [9000, 10_000, 15_000, 20_000]);
  assert.equal(stepAt(steps, 9999), 1000);
  assert.deepEqual(after([], 8000, 3), []);
});

test("the first bid of a sale is confirmed, whatever was chosen; a choice is kept for the sale", () => {
  const kept = new Map();
  const storage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };
  const habit = new Habit(storage, "seq_1", "207");
  habit.choose(false);
  assert.equal(habit.confirms, true);
  habit.bid();
  assert.equal(new Habit(storage, "seq_1", "207").confirms, false);
  assert.equal(new Habit(storage, "seq_2", "207").confirms, true);
  const shut = { getItem: () => { throw new Error("refused"); }, setItem: () => { throw new Error("refused"); } };
  assert.equal(new Habit(shut, "seq_1", "207").confirms, true);
});

test("times are told by the house's clock, and by the reader's own where it is another", () => {
  const at = Date.UTC(2026, 10, 24, 14, 20);
  assert.equal(houseTime(at, "Europe/London", "en-GB"), "24 Nov 2026, 14:20 London");
  assert.equal(houseTime(at, "Europe/Berlin", "de-DE"), "24. Nov. 2026, 15:20 Berlin");
  assert.equal(ownTime(at, "Europe/London", "en-GB", "Europe/Lisbon"), "");
  assert.match(ownTime(at, "Europe/London", "en-GB", "America/New_York"), /^09:20/);
});

test("the line of prices leaves out what was taken back", () => {
  const bid = (price, at, undone = false) => ({ price, at, undone });
  const drawn = plot([bid(90, 4, true), bid(40, 3), bid(20, 1)], [30, 50]);
  assert.deepEqual([drawn.first, drawn.last], [20, 40]);
  assert.ok(drawn.band.y < drawn.end.y);
  assert.equal(plot([bid(40, 1)], [null, null]), null);
});

test("every phrase of the lot page is said somewhere, and every one that is said is there", () => {
  const root = new URL("../../../gateway/", import.meta.url);
  const read = (name) => readFileSync(new URL(name, root), "utf8");
  const words = Object.keys(JSON.parse(read("words/lot.en.json")));
  const scripts = readdirSync(new URL("static/", root)).filter((name) => name.endsWith(".js")).map((name) => `static/${name}`);
  const said = [...scripts, "templates/lot.html", "templates/lot_bid.html", "lotpage.py"].map(read).join("\n");
  const named = [...said.matchAll(/["'`](lot\.[a-z0-9._-]*[a-z0-9])["'`]/g)].map(([, key]) => key).filter((key) => !/\.(html|js)$/.test(key));
  const made = [...said.matchAll(/["'`](lot\.[a-z._-]+)[${]|["'`](lot\.[a-z.-]+\.)["'`] ~/g)].map(([, js, jinja]) => js ?? jinja);
  assert.deepEqual([...new Set(named)].filter((key) => !words.includes(key)), []);
  assert.deepEqual(words.filter((key) => !named.includes(key) && !made.some((start) => key.startsWith(start))), []);
});
