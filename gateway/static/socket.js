/**
 * The line to the saleroom: one WebSocket that comes back by itself.
 *
 * It signs in, follows one lot, asks the time, and resumes by (lineage, seq) after every break.
 * It is live only while the saleroom has answered the subscription and the last pings; a socket
 * that merely looks open is not believed. It keeps the one bid that waits for an answer, under
 * its own cmdId and across reloads, and sends that very bid again until it is answered: the
 * saleroom gives the first answer again and the bid has no second effect.
 * It has no opinion on what frames mean: the view has.
 */

export const PING_MS = 5000;
export const CLOSING_PING_MS = 2000; // in the last minute a dead line must be noticed sooner
const MISSED_PONGS = 2;
const ANSWER_MS = 8000; // how long the saleroom may take to let us in before we try elsewhere
const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 8000;
const UNANSWERED_MS = 5000; // no answer means undecided: the same bid is sent again, under its own number
const RESEND_WITHIN_MS = 60_000; // an older bid was meant for another moment; it is not sent unasked

/** @typedef {"connecting"|"lost"|"restarting"|"slow"} Why  a line is not live */
/** @typedef {"unknown"|"spectator"|"bidder"|"ended"|"suspended"} Access */
/** @typedef {{live: boolean, why: Why, access: Access, heardAt: number, rtt: number|null}} Link */
/** @typedef {{cmdId: string, amount: number, kind: "bid"|"max", seen: number, wallAt: number, sentAt: number}} Held */

/** How long to wait before try `n` (from 0): doubling, capped, half of it by chance, so that a
 *  roomful of bidders does not return in one breath. */
export function backoff(/** @type {number} */ n, random = Math.random()) {
  return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** n) * (0.5 + random / 2);
}

/** The wait a close reason asks for: JSON or text with `retryAfterMs`; else null. */
export function retryAfter(/** @type {string|undefined} */ reason) {
  const found = /retryAfterMs\D{0,4}(\d{1,7})/.exec(reason ?? "");
  return found ? Number(found[1]) : null;
}

/** A bid that waits for its answer, kept where a reload finds it. Each tab has its own. */
export class Waiting {
  /** @type {Held|null} */
  held = null;

  constructor(/** @type {any} */ storage, /** @type {string} */ auctionId) {
    this.storage = storage;
    this.auctionId = auctionId;
    this.consumerId = ""; // from the welcome: a bid is only ever sent again for who made it
  }

  get key() {
    return `fairwarning.bid.${this.auctionId}.${this.consumerId}`;
  }

  /** @returns {Held|null} */
  recall() {
    try {
      const bid = JSON.parse(this.storage.getItem(this.key) ?? "null");
      return bid && Number.isSafeInteger(bid.amount) && typeof bid.cmdId === "string" ? bid : null;
    } catch {
      return null; // storage refused or foreign text: then there is nothing to send again
    }
  }

  keep(/** @type {Held} */ bid) {
    try {
      this.storage.setItem(this.key, JSON.stringify(bid));
    } catch {
      // Storage is full or refused. The bid still lives in this page; only a reload would lose it.
    }
    this.held = bid;
  }

  forget() {
    this.held = null;
    try {
      this.storage.removeItem(this.key);
    } catch {
      // As above.
    }
  }

  current() {
    return this.held ?? this.recall();
  }
}

export class Line {
  /**
   * @param {object} parts
   * @param {string} parts.url
   * @param {string} parts.auctionId
   * @param {string} parts.key the publishable key
   * @param {string|null} parts.token who is bidding; null for a spectator
   * @param {() => Promise<string|null>} [parts.renew] another token, where the session still stands
   * @param {import("./clock.js").SaleClock} parts.clock
   * @param {() => {lineage: string, seq: number}|null} parts.position where to resume; null for a snapshot
   * @param {() => boolean} parts.closing whether the lot is in its last minute
   * @param {(frame: import("./wire.d.ts").Told) => void} parts.onFrame
   * @param {(event: "sending"|"unanswered", bid: Held) => void} parts.onBid
   * @param {() => void} parts.onChange the connection is other than it was
   * @param {any} parts.world WebSocket, storage, steady(), wall(), setTimeout, clearTimeout, uuid(), random()
   */
  constructor(parts) {
    this.parts = parts;
    this.world = parts.world;
    this.token = parts.token;
    this.isFresh = false; // the token is the one of a moment ago: no other would do better
    this.waiting = new Waiting(parts.world.storage, parts.auctionId);
    /** @type {any} */
    this.socket = null;
    this.live = false;
    /** @type {Why} */
    this.why = "connecting";
    /** @type {Access} */
    this.access = parts.token ? "unknown" : "spectator";
    this.heardAt = parts.world.steady();
    this.tries = 0;
    /** @type {Map<number, number>} */
    this.asked = new Map(); // ping number → when it left
    this.pings = 0;
    /** @type {Map<string, unknown>} */
    this.timers = new Map();
    this.greetedAt = 0;
  }

  /** @returns {Link} */
  get link() {
    const { live, why, access, heardAt } = this;
    return { live, why, access, heardAt, rtt: live ? this.parts.clock.lastRtt : null };
  }

  open() {
    this.stopTimers();
    const socket = new this.world.WebSocket(this.parts.url, ["fairwarning.v1"]);
    this.socket = socket;
    const mine = (/** @type {(e: any) => void} */ act) => (/** @type {any} */ event) => {
      if (this.socket === socket) act(event); // a socket already given up has nothing more to say
    };
    socket.onopen = mine(() => this.greet());
    socket.onmessage = mine((event) => this.hear(event.data));
    socket.onclose = mine((event) => this.closed(event.code, event.reason));
    this.after("answer", ANSWER_MS, () => this.lose("lost"));
  }

  /** Leave for good, or until `open`: the page is being put away. */
  shut() {
    this.stopTimers();
    this.drop();
    this.setLive(false, this.why);
  }

  /** Send one bid. Only while live, signed in, and with no other bid waiting. */
  bid(/** @type {number} */ amount, /** @type {"bid"|"max"} */ kind, /** @type {number} */ seen) {
    if (!this.live || this.access !== "bidder" || this.waiting.held) return false;
    const bid = { cmdId: this.world.uuid(), amount, kind, seen, wallAt: this.world.wall(), sentAt: this.world.steady() };
    this.waiting.keep(bid);
    this.parts.onBid("sending", bid);
    this.sendBid(bid);
    return true;
  }

  /** Ask for a whole new snapshot: something is missing. */
  refresh() {
    this.send({ type: "subscribe", auctionId: this.parts.auctionId });
  }

  /** The device says that the network is gone, or back. The first is believed at once, and the
   *  second only as a reason to try now. */
  networkGone() {
    if (this.live) this.lose("lost");
  }

  networkBack() {
    if (!this.live && !this.socket) this.open();
  }

  /** Ask the time now, rather than at the next turn. */
  check() {
    if (this.live) this.ping();
  }

  // ── one connection, from hello to the end ──────────────────────────────────────────────────

  greet() {
    this.greetedAt = this.world.steady();
    this.send({ type: "hello", key: this.parts.key, ...(this.token ? { token: this.token } : {}) });
  }

  hear(/** @type {string} */ text) {
    /** @type {import("./wire.d.ts").Told|null} */
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return; // not a frame of this protocol
    }
    if (frame === null || typeof frame.type !== "string") return;
    this.heardAt = this.world.steady();
    if (frame.type === "pong") return this.ponged(frame);
    if (frame.type === "welcome") return this.welcomed(frame);
    if (frame.type === "result" || frame.type === "decided" || frame.type === "error") this.answered(frame);
    this.parts.onFrame(frame);
    const isAnswer = frame.type === "snapshot" || frame.type === "resumed";
    if (isAnswer && frame.auctionId === this.parts.auctionId) this.following();
  }

  welcomed(/** @type {import("./wire.d.ts").Welcome} */ frame) {
    this.parts.clock.sample(this.greetedAt, frame.now, this.heardAt);
    if (this.access !== "ended" && this.access !== "suspended") this.access = frame.role === "spectator" ? "spectator" : "bidder";
    this.waiting.consumerId = frame.consumerId ?? "";
    this.send({ type: "subscribe", auctionId: this.parts.auctionId, ...(this.parts.position() ?? {}) });
  }

  following() {
    if (this.live) return;
    this.clear("answer");
    this.asked.clear();
    this.setLive(true, "lost");
    this.ping();
    this.resend();
  }

  /** Send the waiting bid again, if it is still of this moment. */
  resend() {
    const bid = this.access === "bidder" ? this.waiting.current() : null;
    if (!bid) return;
    const age = this.world.wall() - bid.wallAt;
    if (!(age <= RESEND_WITHIN_MS)) {
      this.waiting.forget();
      return this.parts.onBid("unanswered", bid);
    }
    const again = { ...bid, sentAt: this.world.steady() };
    this.waiting.keep(bid);
    this.parts.onBid("sending", again);
    this.sendBid(bid);
  }

  sendBid(/** @type {Held} */ bid) {
    const { cmdId, amount, kind, seen } = bid;
    this.send({ type: "bid", cmdId, auctionId: this.parts.auctionId, amount, kind, seen });
    this.after("resend", UNANSWERED_MS, () => this.sendBid(bid));
  }

  answered(/** @type {import("./wire.d.ts").Result|import("./wire.d.ts").Decided|import("./wire.d.ts").Failure} */ frame) {
    const bid = this.waiting.held;
    if (bid && frame.cmdId === bid.cmdId) {
      this.clear("resend");
      if (frame.type === "error" || frame.outcome !== "waiting") this.waiting.forget();
    } else if (bid && frame.type === "error" && !frame.cmdId && frame.retryAfterMs !== undefined) {
      // It is not said which message was turned away. If it was the bid, it goes again.
      this.after("resend", frame.retryAfterMs, () => this.sendBid(bid));
    }
  }

  ping() {
    this.clear("ping");
    if (this.asked.size >= MISSED_PONGS) return this.lose("lost");
    this.pings += 1;
    this.asked.set(this.pings, this.world.steady());
    this.send({ type: "ping", t: this.pings });
    this.after("ping", this.parts.closing() ? CLOSING_PING_MS : PING_MS, () => this.ping());
  }

  ponged(/** @type {import("./wire.d.ts").Pong} */ frame) {
    const sentAt = this.asked.get(frame.t);
    if (sentAt === undefined) return;
    for (const t of this.asked.keys()) if (t <= frame.t) this.asked.delete(t);
    this.parts.clock.sample(sentAt, frame.now, this.heardAt);
    this.tries = 0; // only a line that answers is a line; until then the waits keep growing
    this.isFresh = false;
    this.parts.onChange();
  }

  closed(/** @type {number} */ code, /** @type {string} */ reason) {
    if (code === 4401 && this.token && !this.isFresh) return void this.renew();
    if (code === 4401 || code === 4403) {
      this.access = code === 4401 ? "ended" : "suspended";
      this.token = null; // from here on this page only watches
    }
    if (code === 1008) this.tries = Math.max(this.tries, 5); // we were told to slow down
    const why = code === 1012 ? "restarting" : code === 4008 ? "slow" : "lost";
    this.lose(why, code === 1012 ? retryAfter(reason) : null);
  }

  /** The token has run out, perhaps with the session and perhaps without it. */
  async renew() {
    this.stopTimers();
    this.drop();
    this.setLive(false, "lost");
    const token = (await this.parts.renew?.()) ?? null;
    this.isFresh = true;
    if (token === null) this.access = "ended";
    this.token = token;
    this.lose("lost");
  }

  /** The line is gone: say so, and try again after a while. */
  lose(/** @type {Why} */ why, /** @type {number|null} */ wait = null) {
    this.stopTimers();
    this.drop();
    const chance = this.world.random();
    const delay = wait === null ? backoff(this.tries, chance) : wait * (1 + chance / 4);
    this.tries += 1;
    this.setLive(false, this.why === "connecting" && this.tries < 2 ? "connecting" : why);
    this.after("reopen", delay, () => this.open());
  }

  drop() {
    const socket = this.socket;
    this.socket = null;
    this.asked.clear();
    if (socket && socket.readyState < 2) socket.close(1000);
  }

  setLive(/** @type {boolean} */ live, /** @type {Why} */ why) {
    this.live = live;
    this.why = why;
    this.parts.onChange();
  }

  send(/** @type {import("./wire.d.ts").Asked} */ frame) {
    if (this.socket?.readyState === 1) this.socket.send(JSON.stringify(frame));
  }

  after(/** @type {string} */ name, /** @type {number} */ delay, /** @type {() => void} */ act) {
    this.clear(name);
    this.timers.set(name, this.world.setTimeout(act, delay));
  }

  clear(/** @type {string} */ name) {
    this.world.clearTimeout(this.timers.get(name));
    this.timers.delete(name);
  }

  stopTimers() {
    for (const name of [...this.timers.keys()]) this.clear(name);
  }
}
