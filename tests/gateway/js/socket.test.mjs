import assert from "node:assert/strict";
import { test } from "node:test";
import { SaleClock } from "../../../gateway/static/clock.js";
import { Line, PING_MS, backoff, retryAfter } from "../../../gateway/static/socket.js";

/** A world in which the test is the network, the clock and the storage. */
class World {
  constructor() {
    this.time = 0;
    this.timers = [];
    this.sockets = [];
    this.events = [];
    this.stored = new Map();
    this.ids = 0;
    const world = this;
    this.WebSocket = class {
      constructor(url) {
        Object.assign(this, { url, readyState: 0, sent: [] });
        world.sockets.push(this);
      }
      send(text) {
        this.sent.push(JSON.parse(text));
      }
      close() {
        this.readyState = 3;
      }
    };
    this.storage = {
      getItem: (key) => this.stored.get(key) ?? null,
      setItem: (key, value) => this.stored.set(key, value),
      removeItem: (key) => this.stored.delete(key),
    };
    this.steady = () => this.time;
    this.wall = () => this.time;
    this.setTimeout = (act, delay) => {
      const timer = { act, at: this.time + delay };
      this.timers.push(timer);
      return timer;
    };
    this.clearTimeout = (timer) => (this.timers = this.timers.filter((t) => t !== timer));
    this.uuid = () => `id-${++this.ids}`;
    this.random = () => 1;
  }

  pass(ms) {
    const until = this.time + ms;
    for (;;) {
      const due = this.timers.filter((t) => t.at <= until).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.time = due.at;
      this.clearTimeout(due);
      due.act();
    }
    this.time = until;
  }

  get socket() {
    return this.sockets.at(-1);
  }

  say(frame) {
    this.socket.onmessage({ data: JSON.stringify(frame) });
  }

  line(token = "jwt", renew = async () => null) {
    const line = new Line({
      renew,
      url: "ws://x/ws", auctionId: "a", key: "pk", token, clock: new SaleClock(this.steady, 0),
      position: () => ({ lineage: "L", seq: 41 }), closing: () => false,
      onFrame: (frame) => this.events.push(frame), onBid: (kind, bid) => this.events.push({ type: kind, ...bid }), onChange: () => {}, world: this,
    });
    line.open();
    return line;
  }

  letIn(role = "bidder", consumerId = "cons_1") {
    this.socket.readyState = 1;
    this.socket.onopen();
    this.say({ type: "welcome", role, consumerId, now: 1000 });
    this.say({ type: "resumed", auctionId: "a", lineage: "L", seq: 41, missed: 0 });
  }

  sent(type) {
    return this.sockets.flatMap((s) => s.sent).filter((f) => f.type === type);
  }
}

test("the wait doubles from 250 ms to a cap of 8 s, half of it by chance", () => {
  assert.deepEqual([0, 1, 2, 5, 9].map((n) => backoff(n, 1)), [250, 500, 1000, 8000, 8000]);
  assert.equal(backoff(0, 0), 125);
});

test("the wait of a restart is read from JSON and from text", () => {
  assert.equal(retryAfter('{"retryAfterMs":1200}'), 1200);
  assert.equal(retryAfter("retryAfterMs=700"), 700);
  assert.equal(retryAfter("going down"), null);
});

test("hello, then resume where the page stands; live only when that is answered", () => {
  const world = new World();
  const line = world.line();
  world.socket.readyState = 1;
  world.socket.onopen();
  assert.deepEqual(world.socket.sent, [{ type: "hello", key: "pk", token: "jwt" }]);
  world.say({ type: "welcome", role: "bidder", consumerId: "cons_1", now: 1000 });
  assert.deepEqual(world.socket.sent[1], { type: "subscribe", auctionId: "a", lineage: "L", seq: 41 });
  assert.equal(line.live, false);
  world.say({ type: "resumed", auctionId: "a", lineage: "L", seq: 41, missed: 0 });
  assert.equal(line.live, true);
});

test("a spectator sends no token and no bid", () => {
  const world = new World();
  const line = world.line(null);
  world.letIn("spectator", null);
  assert.deepEqual(world.socket.sent[0], { type: "hello", key: "pk" });
  assert.equal(line.bid(100, "bid", 41), false);
});

test("one bid at a time, and the second is not sent", () => {
  const world = new World();
  const line = world.line();
  world.letIn();
  assert.equal(line.bid(100, "bid", 41), true);
  assert.equal(line.bid(100, "bid", 41), false);
  assert.deepEqual(world.sent("bid"), [{ type: "bid", cmdId: "id-1", auctionId: "a", amount: 100, kind: "bid", seen: 41 }]);
});

test("after a break the waiting bid is sent again under its own id, until it is answered", () => {
  const world = new World();
  const line = world.line();
  world.letIn();
  line.bid(100, "bid", 41);
  world.socket.onclose({ code: 1006, reason: "" });
  assert.equal(line.live, false);
  world.pass(250);
  world.letIn();
  assert.deepEqual(world.sent("bid").map((b) => b.cmdId), ["id-1", "id-1"]);
  world.say({ type: "result", auctionId: "a", cmdId: "id-1", outcome: "accepted" });
  world.socket.onclose({ code: 1006, reason: "" });
  world.pass(250);
  world.letIn();
  assert.equal(world.sent("bid").length, 2);
});

test("a reload sends the waiting bid again, for the same bidder only", () => {
  const world = new World();
  world.line();
  world.letIn();
  const first = world.line();
  world.letIn();
  first.bid(100, "max", 41);
  world.line();
  world.letIn("bidder", "cons_2");
  assert.equal(world.sent("bid").length, 1);
  world.line();
  world.letIn();
  assert.deepEqual(world.sent("bid").map((b) => [b.cmdId, b.kind]), [["id-1", "max"], ["id-1", "max"]]);
});

test("a bid from long ago is not sent unasked", () => {
  const world = new World();
  const line = world.line();
  world.letIn();
  line.bid(100, "bid", 41);
  line.shut();
  world.time += 61_000;
  world.line();
  world.letIn();
  assert.equal(world.sent("bid").length, 1);
  assert.equal(world.events.at(-1).type, "unanswered");
});

test("no answer means undecided: the same bid goes again", () => {
  const world = new World();
  const line = world.line();
  world.letIn();
  line.bid(100, "bid", 41);
  world.say({ type: "pong", t: 1, now: 1 });
  world.pass(5000);
  assert.deepEqual(world.sent("bid").map((b) => b.cmdId), ["id-1", "id-1"]);
});

test("two missed pongs are a lost line, though the socket looks open", () => {
  const world = new World();
  const line = world.line();
  world.letIn();
  world.say({ type: "pong", t: 1, now: 1000 });
  world.pass(PING_MS); // a ping that nobody answers
  world.pass(PING_MS); // and another
  assert.equal(line.live, true);
  world.pass(PING_MS);
  assert.equal(line.live, false);
  world.pass(250);
  world.letIn();
  assert.equal(line.live, true);
});

test("a socket that was given up has nothing more to say", () => {
  const world = new World();
  const line = world.line();
  world.letIn();
  const old = world.socket;
  old.onclose({ code: 1006, reason: "" });
  world.pass(250);
  world.letIn();
  const heard = world.events.length;
  old.onmessage({ data: JSON.stringify({ type: "price", auctionId: "a", seq: 99 }) });
  old.onclose({ code: 1006, reason: "" });
  assert.equal(world.events.length, heard);
  assert.equal(line.live, true);
});

test("a restart names the wait", () => {
  const world = new World();
  const line = world.line();
  world.letIn();
  world.socket.onclose({ code: 1012, reason: '{"retryAfterMs":3000}' });
  assert.equal(line.why, "restarting");
  world.pass(2900);
  assert.equal(world.sockets.length, 1);
  world.pass(900);
  assert.equal(world.sockets.length, 2);
});

const turn = () => new Promise((done) => setImmediate(done));

test("a token that has run out is exchanged for another, once", async () => {
  const world = new World();
  const line = world.line("old", async () => "new");
  world.letIn();
  world.socket.onclose({ code: 4401, reason: "" });
  await turn();
  world.pass(250);
  world.letIn();
  assert.equal(world.socket.sent[0].token, "new");
  assert.equal(line.access, "bidder");
  world.socket.onclose({ code: 4401, reason: "" });
  assert.equal(line.access, "ended");
});

test("signed out or suspended: the page goes on watching without the token", async () => {
  for (const [code, access] of [[4401, "ended"], [4403, "suspended"]]) {
    const world = new World();
    const line = world.line();
    world.letIn();
    world.socket.onclose({ code, reason: "" });
    await turn();
    world.pass(250);
    world.letIn("spectator", null);
    assert.deepEqual(world.socket.sent[0], { type: "hello", key: "pk" });
    assert.equal(line.access, access);
    assert.equal(line.bid(1, "bid", 41), false);
  }
});

test("too slow a reader resumes; too eager a sender waits longer", () => {
  const slow = new World();
  const line = slow.line();
  slow.letIn();
  slow.socket.onclose({ code: 4008, reason: "" });
  assert.equal(line.why, "slow");
  slow.pass(250);
  slow.letIn();
  assert.equal(slow.socket.sent[1].seq, 41);
  const eager = new World();
  eager.line();
  eager.letIn();
  eager.socket.onclose({ code: 1008, reason: "" });
  eager.pass(7900);
  assert.equal(eager.sockets.length, 1);
});

test("an error without an id asks only for patience: the bid goes again after the wait", () => {
  const world = new World();
  const line = world.line();
  world.letIn();
  line.bid(100, "bid", 41);
  world.say({ type: "error", code: "rate_limited", retryAfterMs: 300 });
  world.pass(300);
  assert.equal(world.sent("bid").length, 2);
  world.say({ type: "error", code: "overloaded", cmdId: "id-1" });
  world.pass(4000);
  assert.equal(world.sent("bid").length, 2);
  assert.equal(world.stored.size, 0);
});

test("a saleroom that lets nobody in is tried again, ever more slowly", () => {
  const world = new World();
  world.line();
  for (const wait of [250, 500, 1000]) {
    world.socket.onclose({ code: 1006, reason: "" });
    world.pass(wait);
  }
  assert.equal(world.sockets.length, 4);
  world.socket.readyState = 1;
  world.socket.onopen();
  world.pass(8000 + 2000); // a welcome never comes
  assert.equal(world.sockets.length, 5);
});

test("text that is no frame is passed over", () => {
  const world = new World();
  const line = world.line();
  world.letIn();
  for (const data of ["", "{", "null", "[]", '{"type":5}', "7"]) world.socket.onmessage({ data });
  assert.equal(line.live, true);
});
