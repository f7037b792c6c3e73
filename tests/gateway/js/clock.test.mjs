import assert from "node:assert/strict";
import { test } from "node:test";
import "./reading.mjs";
import { SaleClock, countdown, milestone } from "../../../gateway/static/clock.js";
import { timeLeft } from "../../../gateway/static/words.js";

function clockAt(start, rendered) {
  const time = { steady: start };
  return { time, clock: new SaleClock(() => time.steady, rendered) };
}

test("the answer with the shortest round trip sets the clock", () => {
  const { time, clock } = clockAt(1000, 0);
  time.steady = 1400;
  clock.sample(1000, 50_000, 1400); // 400 ms there and back: may be off by 200
  time.steady = 2020;
  clock.sample(2000, 51_010, 2020); // 20 ms: off by 10 at most
  time.steady = 3000;
  clock.sample(2300, 59_000, 3000); // slow again, and wrong: not believed
  assert.equal(clock.now(), 51_010 + 10 + 980);
  assert.equal(clock.lastRtt, 700);
});

test("a good answer is forgotten after a minute, so that a drifting clock is followed", () => {
  const { time, clock } = clockAt(0, 0);
  clock.sample(0, 10_000, 10);
  time.steady = 70_000;
  clock.sample(69_900, 90_000, 70_000);
  assert.equal(clock.now(), 90_050);
});

test("until the first answer the page's own time is used", () => {
  const { time, clock } = clockAt(500, 1_000_000);
  time.steady = 1500;
  assert.equal(clock.now(), 1_001_000);
});

test("nonsense answers change nothing", () => {
  const { clock } = clockAt(0, 7000);
  clock.sample(10, 99_999, 5);
  clock.sample(0, NaN, 5);
  assert.equal(clock.now(), 7000);
});

test("the countdown rounds up, and zero is zero", () => {
  assert.equal(countdown(46_001).text, "0:47");
  assert.equal(countdown(60_000).text, "1:00");
  assert.equal(countdown(0).text, "0:00");
  assert.equal(countdown(-5).text, "0:00");
  assert.equal(countdown(3_723_000).text, "1:02:03");
  assert.equal(timeLeft(countdown(2 * 86_400_000 + 3_600_000)).text, "2 d 1 h");
});

test("the countdown is spoken in words", () => {
  const spoken = (ms) => timeLeft(countdown(ms)).spoken;
  assert.equal(spoken(47_000), "47 seconds");
  assert.equal(spoken(61_000), "1 minute 1 second");
  assert.equal(spoken(0), "0 seconds");
});

test("only 60, 30 and 10 seconds are milestones, once each", () => {
  assert.equal(milestone(61, 60), 60);
  assert.equal(milestone(60, 59), null);
  assert.equal(milestone(31, 29), 30);
  assert.equal(milestone(Infinity, 45), null);
  assert.equal(milestone(11, 10), 10);
});
