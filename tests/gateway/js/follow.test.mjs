import assert from "node:assert/strict";
import { test } from "node:test";
import { SaleClock } from "../../../gateway/static/clock.js";
import { Follower } from "../../../gateway/static/follow.js";

/** A world in which the test is the network and the clock. */
class World {
  constructor() {
    this.time = 0;
    this.timers = [];
    this.sockets = [];
    const world = this;
    this.WebSocket = class {
      constructor() {
        Object.assign(this, { readyState: 0, sent: [] });
        world.sockets.push(this);
      }
      send(text) {
        this.sent.push(JSON.parse(text));
      }
      close() {
        this.readyState = 3;
      }
    };
    this.steady = () => this.time;
    this.setTimeout = (act, delay) => {
      const timer = { act, at: this.time + delay };
      this.timers.push(timer);
      return timer;
    };
    this.clearTimeout = (timer) => (this.timers = this.timers.filter((t) => t !== timer));
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

  hear(frame) {
    this.socket.onmessage({ data: JSON.stringify(frame) });
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const auction = { status: "open", price: null, askingBid: 100, bidCount: 0, bidderCount: 0, paddle: null, reserve: "none", closesAt: null };
const snapshot = (auctionId, seq = 1) => ({ type: "snapshot", auctionId, lineage: "l", seq, at: 0, auction, you: null });
const price = (auctionId, seq, amount) => ({ ...auction, type: "price", auctionId, seq, at: 0, price: amount, askingBid: amount + 10 });

/** A follower whose line is open and let in. */
async function followed(ids, token = async () => null) {
  const world = new World();
  const [seen, links] = [[], []];
  const clock = new SaleClock(world.steady, 0);
  const parts = { url: "ws://x/ws", key: "pk", token, clock, world };
  const follower = new Follower({ ...parts, onView: (view) => seen.push(view), onLink: (live) => links.push(live) });
  follower.follow(ids);
  follower.open();
  await turn();
  letIn(world);
  return { world, follower, seen, links };
}

function letIn(world) {
  world.socket.readyState = 1;
  world.socket.onopen();
  world.hear({ type: "welcome", role: "spectator", now: 0 });
}

const asked = (socket) => socket.sent.filter((frame) => frame.type === "subscribe").map((frame) => frame.auctionId);

test("many lots are asked for at the pace that the saleroom allows", async () => {
  const ids = Array.from({ length: 60 }, (_, n) => `a${n}`);
  const { world } = await followed(ids);
  for (let second = 1; second <= 8; second += 1) {
    const before = world.socket.sent.length;
    world.pass(1000);
    assert.ok(world.socket.sent.length - before <= 10, "ten messages a second");
    for (const frame of world.socket.sent.filter((f) => f.type === "ping")) world.hear({ type: "pong", t: frame.t, now: 0 });
  }
  assert.deepEqual(asked(world.socket), ids);
});

test("a lot is asked for once, also when it is wanted again", async () => {
  const { world, follower } = await followed(["a", "a"]);
  follower.follow(["a", "b"]);
  world.pass(1000);
  assert.deepEqual(asked(world.socket), ["a", "b"]);
});

test("what is told of a lot is its view", async () => {
  const { world, seen } = await followed(["a"]);
  world.hear(price("a", 2, 110)); // before its snapshot: of what, nobody knows
  assert.equal(seen.length, 0);
  world.hear(snapshot("a"));
  world.hear(price("a", 2, 110));
  world.hear(price("a", 2, 110)); // heard before
  assert.deepEqual(seen.map((view) => view.auction.price), [null, 110]);
  world.hear({ type: "error", code: "not_found" });
  world.socket.onmessage({ data: "no frame" });
  assert.equal(seen.length, 2);
});

test("a gap is filled by a fresh snapshot", async () => {
  const { world } = await followed(["a"]);
  world.hear(snapshot("a"));
  world.pass(1000);
  world.hear(price("a", 4, 140));
  world.pass(1000);
  assert.deepEqual(asked(world.socket), ["a", "a"]);
});

test("a line that does not answer is lost, and comes back with everything", async () => {
  const { world, follower, links } = await followed(["a", "b"]);
  world.pass(1000);
  assert.deepEqual(links, [true]);
  world.pass(10_000); // two pings without an answer
  assert.deepEqual(links, [true, false]);
  world.pass(1000);
  await turn();
  letIn(world);
  world.pass(1000);
  assert.equal(links.at(-1), true);
  assert.equal(world.sockets.length, 2);
  assert.deepEqual(asked(world.socket), ["a", "b"]);
  follower.shut();
  const count = world.sockets.length;
  world.pass(60_000);
  assert.equal(world.sockets.length, count, "shut is shut");
});

test("each line says hello with the token of that moment", async () => {
  const tokens = ["first", "second"];
  const { world } = await followed(["a"], async () => tokens.shift() ?? null);
  assert.equal(world.socket.sent[0].token, "first");
  world.socket.onclose({ code: 1012 });
  world.pass(10_000);
  await turn();
  letIn(world);
  assert.equal(world.socket.sent[0].token, "second");
});
