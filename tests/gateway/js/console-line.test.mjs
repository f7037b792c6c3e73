import assert from "node:assert/strict";
import { test } from "node:test";
import { DeskLine, p95 } from "../../../gateway/static/console-line.js";

/** A line in a world of the test's own: what is sent is kept, and time is what the test says. */
function opened({ ticket = async () => ({ key: "pk", ticket: "t" }) } = {}) {
  const world = { time: 0, timers: new Map(), sockets: [], frames: [] };
  class Socket {
    constructor() {
      this.readyState = 1;
      this.sent = [];
      world.sockets.push(this);
    }
    send(text) {
      this.sent.push(JSON.parse(text));
    }
    close() {
      this.readyState = 3;
    }
  }
  const line = new DeskLine({
    url: "ws://house/ws", auctionId: "a1", key: "pk", token: null, ticket, position: () => null, closing: () => false,
    clock: { sample() {}, lastRtt: 5 }, onFrame: (frame) => world.frames.push(frame), onBid() {}, onChange() {},
    world: {
      WebSocket: Socket, storage: null, steady: () => world.time, wall: () => world.time, uuid: () => "c1", random: () => 0,
      setTimeout: (act) => {
        const timer = {};
        world.timers.set(timer, act);
        return timer;
      },
      clearTimeout: (timer) => world.timers.delete(timer),
    },
  });
  line.open();
  return { line, world, last: () => world.sockets[world.sockets.length - 1] };
}

const settle = () => new Promise((done) => setTimeout(done));
const hear = (socket, frame) => socket.onmessage({ data: JSON.stringify(frame) });

async function live(parts) {
  const desk = opened(parts);
  desk.last().onopen({});
  await settle();
  hear(desk.last(), { type: "welcome", session: "s1", role: "auctioneer", now: 0 });
  hear(desk.last(), { type: "snapshot", auctionId: "a1" });
  return desk;
}

const sent = (socket, type) => socket.sent.filter((frame) => frame.type === type);
const ACT = { cmdId: "c1", auctionId: "a1", act: "bid", amount: 1 };

test("a hello carries a ticket, a new one for each connection", async () => {
  let tickets = 0;
  const { line, last } = await live({ ticket: async () => ({ key: "pk", ticket: `t${(tickets += 1)}` }) });
  assert.deepEqual(sent(last(), "hello"), [{ type: "hello", key: "pk", ticket: "t1" }]);
  line.lose("lost");
  line.open();
  last().onopen({});
  await settle();
  assert.equal(sent(last(), "hello")[0].ticket, "t2");
});

test("without a right to a ticket there is no further try", async () => {
  const { line, last, world } = opened({ ticket: async () => null });
  last().onopen({});
  await settle();
  assert.equal(line.access, "ended");
  assert.equal(world.timers.size, 0);
});

test("a house that gives no ticket just now is asked again", async () => {
  const { line, last, world } = opened({
    ticket: async () => {
      throw new Error("503");
    },
  });
  last().onopen({});
  await settle();
  assert.notEqual(line.access, "ended");
  assert.equal(world.timers.size, 1);
});

test("every lot that is followed is asked for whole, after a break too", async () => {
  const { line, last } = await live();
  line.follow("a2");
  line.lose("lost");
  line.open();
  last().onopen({});
  await settle();
  hear(last(), { type: "welcome", session: "s2", role: "auctioneer", now: 0 });
  assert.deepEqual(sent(last(), "subscribe"), [{ type: "subscribe", auctionId: "a1" }, { type: "subscribe", auctionId: "a2" }]);
});

test("an act without an answer is sent again after a break, word for word, and no other is taken", async () => {
  const { line, last } = await live();
  assert.equal(line.act(ACT), true);
  assert.equal(line.act({ ...ACT, cmdId: "c2" }), false);
  line.lose("lost");
  line.open();
  last().onopen({});
  await settle();
  assert.deepEqual(sent(last(), "act"), []);
  hear(last(), { type: "welcome", session: "s2", role: "auctioneer", now: 0 });
  hear(last(), { type: "snapshot", auctionId: "a1" });
  assert.deepEqual(sent(last(), "act"), [{ type: "act", ...ACT }]);
});

test("an answered act is never sent again", async () => {
  const { line, last } = await live();
  line.act(ACT);
  hear(last(), { type: "result", cmdId: "c1", auctionId: "a1" });
  line.lose("lost");
  line.open();
  last().onopen({});
  await settle();
  hear(last(), { type: "welcome", session: "s2", role: "auctioneer", now: 0 });
  hear(last(), { type: "snapshot", auctionId: "a1" });
  assert.deepEqual(sent(last(), "act"), []);
});

test("nothing is sent while the line is down", () => {
  const { line } = opened();
  assert.equal(line.act(ACT), false);
  assert.equal(line.pending, null);
});

test("of a hundred round trips the ninety-fifth", () => {
  assert.equal(p95([]), null);
  assert.equal(p95([7]), 7);
  assert.equal(p95(Array.from({ length: 100 }, (_, n) => n + 1)), 95);
});
