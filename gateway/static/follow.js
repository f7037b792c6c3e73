/**
 * Many lots over one line: what a list needs to stay true.
 *
 * It follows the lots that it is told to, at the pace that the saleroom allows, and keeps a view
 * of each (`view.js`). A line that does not answer is said to be lost, whatever its socket looks
 * like; then it comes back by itself and asks everything anew. It sends no bids, and shows
 * nothing: both are others' work.
 */

import { backoff } from "./socket.js";
import { fromSnapshot, reduce } from "./view.js";

const PACE_MS = 130; // ten messages a second are allowed, and pings are among them
const PING_MS = 5000;
const MISSED_PONGS = 2;
const ANSWER_MS = 8000; // how long the saleroom may take to let us in

/** @typedef {{WebSocket: any, steady: () => number, setTimeout: any, clearTimeout: any, random: () => number}} World */

export class Follower {
  /**
   * @param {object} parts
   * @param {string} parts.url
   * @param {string} parts.key the publishable key
   * @param {() => Promise<string|null>} parts.token whose own standing is told as well; null: nobody's
   * @param {import("./clock.js").SaleClock} parts.clock
   * @param {(view: any, before: any) => void} parts.onView a lot is other than it was
   * @param {(live: boolean) => void} parts.onLink
   * @param {World} parts.world
   */
  constructor(parts) {
    this.parts = parts;
    this.world = parts.world;
    /** @type {Map<string, any>} */
    this.views = new Map();
    /** @type {Set<string>} */
    this.wanted = new Set();
    /** @type {string[]} */
    this.queue = []; // lots that are still to be asked for on this line
    this.socket = null;
    this.live = false;
    this.tries = 0;
    this.pings = 0;
    /** @type {Map<number, number>} */
    this.asked = new Map();
    /** @type {Map<string, any>} */
    this.timers = new Map();
  }

  /** Follow these lots too, the first first. @param {Iterable<string>} ids */
  follow(ids) {
    for (const id of ids) {
      if (this.wanted.has(id)) continue;
      this.wanted.add(id);
      if (this.live) this.queue.push(id);
    }
    this.pump();
  }

  async open() {
    this.stop();
    const token = await this.parts.token();
    const socket = new this.world.WebSocket(this.parts.url, ["fairwarning.v1"]);
    this.socket = socket;
    const mine = (/** @type {(e: any) => void} */ act) => (/** @type {any} */ event) => {
      if (this.socket === socket) act(event);
    };
    socket.onopen = mine(() => {
      this.greetedAt = this.world.steady();
      this.send({ type: "hello", key: this.parts.key, ...(token ? { token } : {}) });
    });
    socket.onmessage = mine((event) => this.hear(event.data));
    socket.onclose = mine(() => this.lose());
    this.after("answer", ANSWER_MS, () => this.lose());
  }

  shut() {
    this.stop();
    this.setLive(false);
  }

  /** @param {string} text */
  hear(text) {
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return; // not a frame of this protocol
    }
    if (frame?.type === "welcome") return this.welcomed(frame);
    if (frame?.type === "pong") return this.ponged(frame);
    if (typeof frame?.auctionId === "string") this.told(frame);
  }

  /** @param {any} frame */
  welcomed(frame) {
    this.parts.clock.sample(/** @type {number} */ (this.greetedAt), frame.now, this.world.steady());
    this.clear("answer");
    this.queue = [...this.wanted];
    this.setLive(true);
    this.ping();
    this.pump();
  }

  /** @param {any} frame */
  told(frame) {
    const before = this.views.get(frame.auctionId) ?? null;
    if (before === null && frame.type !== "snapshot") return;
    const view = before === null ? fromSnapshot(frame, this.world.steady()) : reduce(before, frame, this.world.steady());
    if (view === before) return;
    this.views.set(frame.auctionId, view);
    if (view.gap && !before?.gap) {
      this.queue.push(frame.auctionId); // something is missing: all of it, again
      this.pump();
    }
    this.parts.onView(view, before);
  }

  pump() {
    if (!this.live || this.timers.has("pump")) return;
    const auctionId = this.queue.shift();
    if (auctionId === undefined) return;
    this.send({ type: "subscribe", auctionId });
    this.after("pump", PACE_MS, () => this.pump());
  }

  ping() {
    if (this.asked.size >= MISSED_PONGS) return this.lose();
    this.pings += 1;
    this.asked.set(this.pings, this.world.steady());
    this.send({ type: "ping", t: this.pings });
    this.after("ping", PING_MS, () => this.ping());
  }

  /** @param {any} frame */
  ponged(frame) {
    const sentAt = this.asked.get(frame.t);
    if (sentAt === undefined) return;
    for (const t of this.asked.keys()) if (t <= frame.t) this.asked.delete(t);
    this.parts.clock.sample(sentAt, frame.now, this.world.steady());
    this.tries = 0;
  }

  lose() {
    this.stop();
    this.setLive(false);
    this.after("reopen", backoff(this.tries, this.world.random()), () => this.open());
    this.tries += 1;
  }

  stop() {
    for (const name of [...this.timers.keys()]) this.clear(name);
    const socket = this.socket;
    this.socket = null;
    this.asked.clear();
    this.queue = [];
    if (socket && socket.readyState < 2) socket.close(1000);
  }

  /** @param {boolean} live */
  setLive(live) {
    this.live = live;
    this.parts.onLink(live);
  }

  /** @param {object} frame */
  send(frame) {
    if (this.socket?.readyState === 1) this.socket.send(JSON.stringify(frame));
  }

  /** @param {string} name @param {number} delay @param {() => void} act */
  after(name, delay, act) {
    this.clear(name);
    this.timers.set(
      name,
      this.world.setTimeout(() => {
        this.timers.delete(name);
        act();
      }, delay),
    );
  }

  /** @param {string} name */
  clear(name) {
    this.world.clearTimeout(this.timers.get(name));
    this.timers.delete(name);
  }
}

/** The browser's own, for a page. @returns {World} */
export function world() {
  return {
    WebSocket,
    steady: () => performance.now(),
    setTimeout: (/** @type {any} */ act, /** @type {number} */ delay) => setTimeout(act, delay),
    clearTimeout: (/** @type {any} */ timer) => clearTimeout(timer),
    random: Math.random,
  };
}

/** Where the saleroom's line is. */
export function lineOf(/** @type {Location} */ place) {
  return `${place.protocol === "https:" ? "wss" : "ws"}://${place.host}/ws`;
}

/** Where this browser keeps things; null where it keeps nothing. */
export function storage() {
  try {
    return localStorage;
  } catch {
    return null; // reading the name alone is refused
  }
}
