/**
 * One lot as one browser follows it: view, line, press and speech together.
 *
 * It shows nothing: `lot-room.js` draws what is here and hands the presses in. Whatever touches
 * the browser (socket, storage, timers, the two spoken regions) is handed to it as well.
 */

import { SaleClock } from "./clock.js";
import { t } from "./phrases.js";
import * as pressing from "./press.js";
import { Line } from "./socket.js";
import { fromSnapshot, isOver, leads, moved, reduce, sending, unanswered } from "./view.js";
import * as words from "./words.js";

const LAST_MINUTE_MS = 60_000;
const FINGER_MS = 250; // at most four a second

export class Room {
  /** @param {any} state what the page was written with
   *  @param {{habit: import("./habit.js").Habit, world: any, url: string, renew: () => Promise<string|null>, say: import("./announce.js").Say, onChange: () => void}} parts */
  constructor(state, { habit, world, url, renew, say, onChange }) {
    this.state = state;
    this.world = world;
    this.habit = habit;
    this.say = say;
    this.onChange = onChange;
    this.clock = new SaleClock(world.steady, state.now);
    this.view = this.named(fromSnapshot(state.snapshot, world.steady(), state.history));
    this.press = pressing.atRest();
    this.fingers = { on: false, told: false, at: -Infinity, timer: null };
    this.spoken = this.banner;
    this.line = new Line({
      url,
      auctionId: this.view.auctionId,
      key: state.key,
      token: state.token,
      renew,
      clock: this.clock,
      position: () => (this.view.gap ? null : { lineage: this.view.lineage, seq: this.view.seq }),
      closing: () => this.isClosing,
      onFrame: (/** @type {any} */ frame) => this.heard(frame),
      onBid: (/** @type {string} */ event, /** @type {any} */ bid) =>
        this.change(event === "sending" ? sending(this.view, bid) : unanswered(this.view, bid)),
      onChange: () => this.told(),
      world,
    });
    this.wasLive = false;
  }

  get now() {
    return this.world.steady();
  }

  get link() {
    return this.line?.link ?? { live: false, why: "connecting", access: "unknown", heardAt: this.now, rtt: null };
  }

  get banner() {
    return words.banner(this.view, this.link, this.now, this.state.me);
  }

  /** @returns {import("./words.js").Face} */
  get face() {
    return words.button(this.view, this.link, this.now, this.state.me, this.press.armed);
  }

  get isLive() {
    return this.view.auction.format === "live";
  }

  get isClosing() {
    const { closesAt, phase } = this.view.auction;
    return phase !== null || (closesAt !== null && closesAt - this.clock.now() < LAST_MINUTE_MS);
  }

  get mayLimit() {
    return words.mayLimit(this.view, this.link, this.now, this.state.me);
  }

  // ── the saleroom's side ────────────────────────────────────────────────────────────────────

  heard(/** @type {any} */ frame) {
    const missing = this.view.gap;
    this.change(reduce(this.view, frame, this.now));
    if (this.view.gap && !missing) this.line.refresh();
  }

  change(/** @type {any} */ next) {
    if (next === this.view) return;
    const before = this.view;
    this.view = this.named(next);
    if (next.auction.price !== before.auction.price) this.sayPrice();
    if (next.auction.extensions > before.auction.extensions) this.say("polite", words.extended(next), "extended");
    this.told();
  }

  /** The view's own paddle, which a snapshot may leave out. */
  named(/** @type {any} */ view) {
    const { paddle } = this.state;
    return paddle === null || !view.you || Number.isInteger(view.you.paddle) ? view : { ...view, you: { ...view.you, paddle } };
  }

  /** Something is other than it was: what does that do to a confirmation, and what is said? */
  told() {
    if (!this.line) return; // still being made
    this.settle();
    this.speak();
    this.onChange();
  }

  settle() {
    const { press, lost } = pressing.settle(this.press, this.isOffered ? this.view.auction.askingBid : null, this.now);
    this.press = press;
    if (lost === null) return;
    if (lost === "moved") this.view = moved(this.view);
    if (lost === "late") this.say("urgent", t("lot.expired"));
    this.touch(false);
  }

  get isOffered() {
    return words.button(this.view, this.link, this.now, this.state.me).amount !== null;
  }

  speak() {
    const banner = this.banner;
    const { live } = this.link;
    const isBack = live && this.wasLive === false && this.spoken.title === t("lot.lost.title");
    this.wasLive = live;
    if (banner.head === this.spoken.head) return;
    this.spoken = banner;
    if (isBack) return this.sayBack(banner);
    if (banner.urgent) this.say("urgent", words.aloud(banner));
    else if (!this.view.pending) this.say("polite", words.aloud(banner), "state");
  }

  sayBack(/** @type {any} */ banner) {
    const { label, text: amount } = words.price(this.view);
    this.say("polite", `${t("lot.back-again", { label, amount })}. ${banner.urgent ? banner.head : ""}`.trim());
  }

  sayPrice() {
    if (!this.link.live) return;
    const { label, text } = words.price(this.view);
    this.say("polite", `${label} ${text}`, "price");
  }

  // ── the bidder's side ──────────────────────────────────────────────────────────────────────

  /** @returns {import("./press.js").Offer} */
  get offer() {
    return { amount: this.face.amount, asking: this.view.auction.askingBid, movedAt: this.view.movedAt, confirms: this.habit.confirms };
  }

  down() {
    this.press = pressing.down(this.press, this.offer);
    this.touch(true);
  }

  /** The finger left the button without a press. */
  lifted() {
    this.press = { ...this.press, offered: undefined };
    this.touch(false);
  }

  /** A key was pressed for the button: it always asks for a second press. */
  byKey() {
    this.down();
    this.up({ ...this.offer, confirms: true });
  }

  up(offer = this.offer) {
    const { press, act, amount } = pressing.up(this.press, offer, this.now);
    this.press = press;
    if (act === "moved") this.change(moved(this.view));
    if (act === "arm") this.say("urgent", t("lot.armed", { amount: words.cash(this.view, this.face.amount) }));
    if (act === "bid") this.place(/** @type {number} */ (amount), "bid");
    this.touch(this.press.armed !== null);
    this.onChange();
  }

  /** Ask for a confirmation of an amount above the next step. */
  jump(/** @type {number} */ amount) {
    if (!this.isOffered || this.now - this.view.movedAt < pressing.GUARD_MS) return this.change(moved(this.view));
    this.press = pressing.arm(this.press, amount, this.offer, this.now);
    this.say("urgent", t("lot.armed", { amount: words.cash(this.view, amount) }));
    this.touch(true);
    this.onChange();
  }

  disarm() {
    this.press = pressing.disarmed(this.press);
    this.touch(false);
    this.onChange();
  }

  /** @returns {boolean} whether it left */
  place(/** @type {number} */ amount, /** @type {"bid"|"max"} */ kind) {
    const left = this.line.bid(amount, kind, this.view.seq);
    if (!left) return false;
    this.press = pressing.sent(this.press, this.now);
    this.habit.bid();
    return true;
  }

  /** Tell the auctioneer of a live lot that a finger is on the button, or is not any more. */
  touch(/** @type {boolean} */ on) {
    if (!this.isLive || !this.state.fingers || isOver(this.view) || leads(this.view)) on = false;
    const { fingers } = this;
    fingers.on = on;
    if (fingers.timer !== null) return;
    const wait = fingers.at + FINGER_MS - this.now;
    if (wait <= 0) return this.tellFinger();
    fingers.timer = this.world.setTimeout(() => this.tellFinger(), wait);
  }

  tellFinger() {
    const { fingers } = this;
    fingers.timer = null;
    if (fingers.on === fingers.told || !this.link.live || this.link.access !== "bidder") return;
    fingers.told = fingers.on;
    fingers.at = this.now;
    this.line.send({ type: "finger", auctionId: this.view.auctionId, on: fingers.on });
  }
}
