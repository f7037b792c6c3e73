/**
 * The auctioneer's console: joins the state, the words and the line to what is on the screen.
 *
 * It keeps one state, draws it after every frame, and turns a press into at most one act: for
 * exactly the amount that was on the screen. What cannot be undone by one key is asked first.
 */

import { LitElement, html } from "./vendor/lit.js";
import { say as speak } from "./announce.js";
import { SaleClock } from "./clock.js";
import { dialog } from "./console-dialogs.js";
import { digitOf, rostrumKeys } from "./console-keys.js";
import { DeskLine } from "./console-line.js";
import * as parts from "./console-parts.js";
import { PRESSES, refuses } from "./console-presses.js";
import {
  acting, begin, hold, isSelling, mayAct, nextLot, reduce, requeue, rowOf, saying, show, shownLot, standDown, steps, tick, waiting,
} from "./console-view.js";
import { isField } from "./keys.js";
import { format, parse } from "./money.js";
import { locale, t } from "./phrases.js";

const TICK_MS = 250;
const REQUEUE_MS = 60_000; // left bids and photographs come in while the sale is on
const WATCH_MS = 3000; // without a desk nothing else says which lot is on
const PHONING_MS = 5000; // how long a line's digit is waited for
const SESSIONS = "fairwarning.console.sessions";
const PHONES = "fairwarning.console.phones."; // and the sale
const FIRST = [".field input[required]", ".reasons .btn", ".items .btn", ".field :is(input,select)"]; // where a question begins

/** A phrase with what stands in it, as the pure modules name it. @param {[string, Record<string, any>?]} said */
const inWords = ([key, values]) => t(key, values);

class LotConsole extends LitElement {
  static properties = { state: { state: true }, link: { state: true }, typing: { state: true }, phoning: { state: true }, question: { state: true }, wrong: { state: true }, chart: { state: true } };

  constructor() {
    super();
    const page = JSON.parse(document.getElementById("state")?.textContent ?? "{}");
    this.page = page;
    this.t = t;
    this.locale = locale;
    this.clock = new SaleClock(() => performance.now(), page.now);
    /** @type {any} */
    this.state = begin({ ...page, ownSessions: recallSessions() });
    this.keys = rostrumKeys(localStorage);
    this.phones = recallPhones(page.sale.id);
    this.typing = false;
    this.phoning = /** @type {number|false} */ (false); // since when a phone's line is asked for
    this.question = this.wrong = null;
    this.chart = { width: 756, height: 164 };
    this.words = { t, cash: this.cash, range: this.range };
    this.line = this.connected();
    this.link = this.line.link;
    this.titleEnd = document.title;
  }

  createRenderRoot() {
    this.replaceChildren();
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    this.line.open();
    this.follow();
    this.timers = [setInterval(() => this.tick(), TICK_MS), setInterval(() => this.readQueue(), this.page.watching ? WATCH_MS : REQUEUE_MS)];
    addEventListener("keydown", (event) => this.key(event));
    addEventListener("offline", () => this.line.networkGone());
    addEventListener("online", () => this.line.networkBack());
    addEventListener("pagehide", () => this.line.shut());
    addEventListener("pageshow", (event) => event.persisted && this.line.open());
    addEventListener("beforeunload", (event) => isSelling(this.state) && this.mine && event.preventDefault());
    document.addEventListener("visibilitychange", () => this.stayAwake());
    this.stayAwake();
  }

  // ── what the templates ask ─────────────────────────────────────────────────────────────────

  get money() {
    const { currency, exponent } = shownLot(this.state).auction;
    return { currency, exponent };
  }

  get may() {
    return mayAct(this.state, this.link.live);
  }

  get mine() {
    return hold(this.state) === "ours";
  }

  get voice() {
    return { now: this.clock.now(), cash: this.cash, say: inWords };
  }

  get say() {
    return inWords;
  }

  get phoneLines() {
    return Object.keys(this.phones).join(", ");
  }

  cash = (/** @type {number} */ minor) => format(minor, this.money, this.locale);

  /** An estimate, with the currency once. */
  range = (/** @type {[number, number]} */ [low, high]) => this.cash(high).replace(this.bare(high), `${this.bare(low)}–${this.bare(high)}`);

  /** An amount without its currency, for a row of steps. */
  bare = (/** @type {number} */ minor) => {
    const { exponent } = this.money;
    const fraction = minor % 10 ** exponent === 0 ? 0 : exponent;
    return new Intl.NumberFormat(this.locale, { minimumFractionDigits: fraction }).format(minor / 10 ** exponent);
  };

  time(at) {
    return new Intl.DateTimeFormat(this.locale, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false, timeZone: this.state.sale.timeZone }).format(at);
  }

  render() {
    return html`${parts.head(this)}<div class="desk">${parts.queue(this)}
      <main class="stage" id="stage" tabindex="-1">${parts.lot(this)}${parts.lanes(this)}${parts.price(this)}${parts.call(this)}${parts.takes(this)}${parts.close(this)}</main>
      ${parts.side(this)}</div>${dialog(this)}`;
  }

  firstUpdated() {
    const figure = /** @type {Element} */ (this.querySelector(".duel"));
    new ResizeObserver(() => {
      const { clientWidth: width, clientHeight: height } = figure;
      this.chart = { width, height };
    }).observe(figure);
  }

  updated(changed) {
    const asks = this.querySelector(".ask .money");
    const digits = (this.querySelector("#asking")?.textContent ?? "").length;
    /** @type {any} */ (asks)?.style.setProperty("--digits", String(Math.max(7, digits)));
    if (changed.has("question")) this.openQuestion();
    if (changed.has("typing") && this.typing) /** @type {any} */ (this.querySelector("#ask"))?.focus();
    if (changed.has("state")) this.entitle();
  }

  entitle() {
    const { auction } = shownLot(this.state);
    const row = rowOf(this.state, this.state.shown);
    const price = auction.askingBid === null ? auction.price : auction.askingBid;
    document.title = `${t("console.title", { lot: row.lotNumber, amount: price === null ? "" : this.cash(price) })} · ${this.titleEnd}`;
  }

  // ── the line ───────────────────────────────────────────────────────────────────────────────

  connected() {
    return new DeskLine({
      url: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`,
      auctionId: this.state.shown,
      key: this.page.key,
      token: null,
      clock: this.clock,
      position: () => null,
      closing: () => isSelling(this.state),
      ticket: () => this.hello(),
      onFrame: (frame) => this.hear(frame),
      onBid: () => {},
      onChange: () => this.changed(),
      world: {
        WebSocket, storage: sessionStorage, steady: () => performance.now(), wall: () => Date.now(),
        setTimeout: (act, delay) => setTimeout(act, delay), clearTimeout: (timer) => clearTimeout(timer), uuid, random: Math.random,
      },
    });
  }

  /** What the socket says first: a ticket for the console, or for a clerk who may not sell the
   *  page's own key, with which one watches. */
  async hello() {
    const answer = await fetch("/console/ticket", { method: "POST" });
    if (answer.ok) return { key: this.page.key, ticket: (await answer.json()).ticket };
    if (![401, 403].includes(answer.status)) throw new Error(`no ticket: ${answer.status}`);
    return this.page.watching ? { key: this.page.key } : null;
  }

  changed() {
    const { live } = this.link ?? {};
    this.link = this.line.link;
    if (!this.link.live && live) {
      this.state = standDown(this.state);
      speak("urgent", t("console.call.lost"));
    }
    if (this.link.live && live === false) this.readQueue();
  }

  hear(frame) {
    const before = this.state;
    const now = reduce(before, frame, performance.now());
    if (now === before) return;
    this.state = now;
    for (const [auctionId, view] of Object.entries(now.views)) if (view.gap && !before.views[auctionId]?.gap) this.line.refresh(auctionId);
    if (now.session !== before.session) keepSessions([...now.ownSessions, now.session]);
    if (now.ring !== before.ring) this.ringMoved(before.ring);
    if (now.ring !== before.ring || frame.type === "closed") this.readQueue();
    if (now.said?.kind === "held" && before.said?.kind !== "held") speak("urgent", t("console.call.held"));
    this.retake();
    this.follow();
  }

  /** The desk is still held by an earlier connection of this very screen: it is ours again. */
  retake() {
    if (this.may && hold(this.state) === "former") this.act("take_over", {});
  }

  /** The lot in the ring is another: whoever was looking at the one before looks at this one. */
  ringMoved(before) {
    const { ring, shown } = this.state;
    if (ring !== null && (shown === before || before === null || this.state.watching)) this.look(ring);
  }

  /** Follow what is shown, what is sold, and what comes next; and nothing else any more. */
  follow() {
    const { shown, ring } = this.state;
    const wanted = [shown, ring, nextLot(this.state)?.auctionId].filter((id) => id && rowOf(this.state, id));
    for (const auctionId of wanted) this.line.follow(auctionId, auctionId === shown);
    for (const auctionId of this.line.followed) if (!wanted.includes(auctionId)) this.line.unfollow(auctionId);
  }

  async readQueue() {
    try {
      const answer = await fetch(`/console/${this.state.sale.id}/lots`);
      if (!answer.ok) return;
      const queue = await answer.json();
      const before = this.state; // of now, not of when it was asked
      this.state = requeue(before, queue);
      if (this.state.ring !== before.ring) this.ringMoved(before.ring);
    } catch {
      // The queue stays as it was; the line says that nothing comes through.
    }
  }

  tick() {
    this.state = tick(this.state, performance.now());
    if (this.phoning && performance.now() - this.phoning > PHONING_MS) this.phoning = false;
    if (waiting(this.state).length > 0 || shownLot(this.state).auction.phase !== null || this.state.armed) this.requestUpdate();
  }

  /** A screen that sleeps while a lot is sold would be the end of the sale. */
  async stayAwake() {
    if (document.visibilityState !== "visible" || !navigator.wakeLock) return;
    try {
      await navigator.wakeLock.request("screen");
    } catch {
      // Refused: on low battery, say. The auctioneer's own setting decides then.
    }
  }

  // ── presses ────────────────────────────────────────────────────────────────────────────────

  /** Send one act for the lot shown. Answers whether it left. */
  act(name, fields, auctionId = this.state.shown, seen = shownLot(this.state).seq) {
    if (!this.may) return false;
    const act = { cmdId: uuid(), auctionId, act: name, seen, ...fields };
    if (!this.line.act(act)) return false;
    this.state = acting(this.state, act);
    return true;
  }

  press(name) {
    this.phoning = name === "phone" ? this.phoning : false;
    PRESSES[name]?.(this);
  }

  look(auctionId) {
    this.stopTyping();
    this.state = show(this.state, auctionId);
    this.follow();
  }

  goTo(event) {
    event.preventDefault();
    const input = event.target.elements.lot;
    const wanted = input.value.trim().toLowerCase();
    const row = this.state.lots.find((lot) => lot.lotNumber.toLowerCase() === wanted);
    if (row) this.look(row.auctionId);
    else this.refuseTyped(["console.goto.none", { lot: input.value }]);
    input.value = "";
    input.blur();
  }

  refuseTyped(text) {
    this.state = saying(this.state, { kind: "typed", text });
  }

  typeAsking() {
    this.typing = true;
  }

  stopTyping() {
    this.typing = false;
  }

  /** A typed asking price: never under what is bid already. */
  ask(event) {
    event.preventDefault();
    const amount = this.amountOf(event.target.elements.amount.value);
    this.stopTyping();
    if (amount === null) return this.refuseTyped(["console.typed.unread"]);
    this.askAt(amount);
  }

  askAt(amount) {
    const { auction } = shownLot(this.state);
    if (auction.price !== null && amount <= auction.price) return this.refuseTyped(["console.typed.below", { amount: this.cash(amount), price: this.cash(auction.price) }]);
    if (amount > 0 && amount !== auction.askingBid) this.act("ask", { amount });
  }

  amountOf(text) {
    const read = parse(String(text), this.money);
    if ("minor" in read) return read.minor;
    return "ask" in read && read.ask.length === 1 ? read.ask[0] : null;
  }

  /** Another step from here on; the table's own is no step of one's own. */
  step(step) {
    this.act("step", { amount: step === steps(this.state).table ? null : step });
  }

  /** The arrows within the row of steps. */
  turn(event) {
    const turns = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    if (!(event.key in turns)) return;
    event.preventDefault();
    event.stopPropagation();
    const radios = [...event.currentTarget.children];
    const to = radios[radios.indexOf(event.target) + turns[event.key]];
    if (!to) return;
    to.focus();
    if (this.may && isSelling(this.state)) this.step(Number(to.value));
  }

  floorBid(channel, fields = {}) {
    const { auction } = shownLot(this.state);
    this.act("bid", { channel, amount: auction.askingBid, ...fields });
  }

  /** A phone's bid: for the paddle on that line, where it is known. */
  phone(line) {
    this.phoning = false;
    const paddle = this.phones[line];
    this.floorBid("phone", paddle ? { paddle } : {});
  }

  keepPhones(phones) {
    this.phones = phones;
    stored(null, () => localStorage.setItem(PHONES + this.state.sale.id, JSON.stringify(phones)));
  }

  pause() {
    this.act(shownLot(this.state).auction.status === "paused" ? "unpause" : "pause", {});
  }

  takeOver() {
    if (!this.link.live || this.state.pending) return;
    const act = { cmdId: uuid(), auctionId: this.state.shown, act: "take_over" };
    if (this.line.act(act)) this.state = acting(this.state, act);
  }

  sendMessage(event) {
    event.preventDefault();
    const input = event.target.elements.text;
    const text = input.value.trim();
    if (text && this.act("message", { text })) {
      input.value = "";
      input.blur();
    }
  }

  strike(fields = {}) {
    const { auction, seq } = shownLot(this.state);
    this.act("hammer", { paddle: auction.paddle, price: auction.price, ...fields }, this.state.shown, seq);
  }

  refuse(bid) {
    refuses(this, bid);
  }

  reinstate(bid) {
    this.act("reinstate", { bidId: bid.bidId });
  }

  /** An act out of a question; words when it could not leave. */
  doing(name, fields, auctionId = this.state.shown, seen = shownLot(this.state).seq) {
    return this.act(name, fields, auctionId, seen) ? null : ["console.not_now"];
  }

  // ── questions ──────────────────────────────────────────────────────────────────────────────

  poses(question) {
    this.wrong = null;
    this.question = question;
  }

  openQuestion() {
    const found = /** @type {any} */ (this.querySelector("#question"));
    if (this.question && !found.open) found.showModal();
    if (!this.question && found.open) found.close();
    if (this.question) FIRST.map((where) => found.querySelector(where)).find(Boolean)?.focus();
  }

  complain(words) {
    this.wrong = words;
  }

  dismiss() {
    this.question = null;
  }

  /** The dialog was closed, by Esc say. A question that came since then stays. */
  answered() {
    if (!(/** @type {any} */ (this.querySelector("#question")).open)) this.question = null;
  }

  /** One question leads to the next, or to an act. */
  replaceBy(press) {
    const before = this.question;
    press();
    if (this.question === before) this.dismiss();
  }

  // ── keys ───────────────────────────────────────────────────────────────────────────────────

  key(event) {
    if (this.question || this.state.watching) return;
    const line = this.phoning && !isField(event.target) ? digitOf(event) : null;
    if (line !== null && this.keys.on) return this.phone(line);
    const name = this.keys.actOf(event, isField(event.target));
    if (name === null || (event.target.closest?.("[role=radiogroup]") && event.key.startsWith("Arrow"))) return;
    event.preventDefault();
    this.press(name);
  }

  setKeys(change) {
    change(this.keys);
    this.requestUpdate();
  }

  rekey(event, name) {
    if (["Tab", "Shift", "Escape"].includes(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const had = this.keys.remap(name, event.key);
    this.wrong = had ? null : ["console.keys.taken", { key: event.key === " " ? t("console.keys.space") : event.key }];
    this.requestUpdate();
  }
}

// ── what this browser keeps ──────────────────────────────────────────────────────────────────

function recallSessions() {
  return stored([], () => JSON.parse(sessionStorage.getItem(SESSIONS) ?? "[]"));
}

function keepSessions(sessions) {
  stored(null, () => sessionStorage.setItem(SESSIONS, JSON.stringify(sessions.filter(Boolean).slice(-8))));
}

function recallPhones(saleId) {
  return stored({}, () => JSON.parse(localStorage.getItem(PHONES + saleId) ?? "{}"));
}

function stored(otherwise, act) {
  try {
    return act();
  } catch {
    return otherwise; // storage is full or refused: what was kept holds for this visit
  }
}

/** A number for one act. `randomUUID` is missing where the page came over plain http. */
function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
}

customElements.define("lot-console", LotConsole);
