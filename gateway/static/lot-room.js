/**
 * The lot page, alive: `<lot-room>` is the bidding, `<lot-ledger>` the price and the bids.
 *
 * Both stand in the page as the server wrote them and take their places over when this module
 * has loaded. They draw what `Room` holds and hand it the presses; nothing is decided here. The
 * button is one element in one place in every state in which it is a button.
 */

import { bill } from "./allin.js";
import { say } from "./announce.js";
import { plot, HEIGHT, WIDTH } from "./chart.js";
import { countdown, milestone } from "./clock.js";
import { Habit } from "./habit.js";
import { Keys } from "./keys.js";
import { isSurprising, mark, parse } from "./money.js";
import { locale, t } from "./phrases.js";
import { GUARD_MS } from "./press.js";
import { Room } from "./room.js";
import { after } from "./rungs.js";
import { houseTime, minute, ownTime, second } from "./times.js";
import { LitElement, classMap, html, nothing, svg } from "./vendor/lit.js";
import { isOver, leads } from "./view.js";
import * as words from "./words.js";

const TICK_MS = 200;
const LAST_MINUTE_MS = 60_000;
const NEXT_LOT_MS = 5000;
const JUMPS = 3;
const KEYS = { bid: "b", maximum: "m", watch: "w" }; // off until they are asked for (WCAG 2.1.4)

const state = JSON.parse(document.getElementById("state")?.textContent ?? "null");
const titleEnd = document.title;

/** A number for one bid. `randomUUID` is missing where the page came over plain http from
 *  another machine, as it may on a saleroom's own network. */
function uuid() {
  const bytes = [...crypto.getRandomValues(new Uint8Array(16))];
  return crypto.randomUUID?.() ?? bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Another token for this page, in the name of the session that its cookie names. */
async function renew() {
  try {
    const answer = await fetch("/session/ticket", { method: "POST" });
    return answer.ok ? (await answer.json()).token : null;
  } catch {
    return null; // the next press says that the sign-in has ended, and the way back in
  }
}

const world = {
  WebSocket,
  storage: sessionStorage,
  steady: () => performance.now(),
  wall: () => Date.now(),
  setTimeout: (/** @type {any} */ act, /** @type {number} */ delay) => setTimeout(act, delay),
  clearTimeout: (/** @type {any} */ timer) => clearTimeout(timer),
  uuid,
  random: Math.random,
};

/** An element whose content is in the page itself, where the server wrote it before. */
class Part extends LitElement {
  createRenderRoot() {
    this.replaceChildren();
    return this;
  }
}

class LotRoom extends Part {
  constructor() {
    super();
    this.question = /** @type {{text: string, choices: [string, number][]}|null} */ (null);
    this.typed = "";
    this.hint = "";
    this.isOpen = false; // the sheet of a phone
    this.shownSeconds = Infinity;
    this.leavesAt = /** @type {number|null} */ (null); // when the next lot is gone to
    this.keys = new Keys(localStorage, "fairwarning.keys.lot", KEYS);
    this.wasSlow = false;
    this.wasLink = false;
    this.linkedAt = -Infinity;
    const { saleId } = state.snapshot.auction;
    this.room = new Room(state, {
      habit: new Habit(localStorage, saleId, String(state.paddle ?? "")),
      world,
      url: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`,
      renew,
      say,
      onChange: () => this.requestUpdate(),
    });
    this.wasOver = isOver(this.room.view);
  }

  connectedCallback() {
    super.connectedCallback();
    const { line } = this.room;
    addEventListener("keydown", (event) => this.onKey(event));
    this.offerKeys();
    addEventListener("offline", () => line.networkGone());
    addEventListener("online", () => line.networkBack());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && line.check());
    addEventListener("pagehide", () => line.shut());
    addEventListener("pageshow", (event) => event.persisted && line.open());
    setInterval(() => this.tick(), TICK_MS);
    line.open();
  }

  /** The countdown, the age of a stale price, a confirmation or a wait that ends. */
  tick() {
    this.room.told();
    if (this.leavesAt !== null && this.room.now >= this.leavesAt) location.assign(state.me.next.url);
  }

  // ── drawing ────────────────────────────────────────────────────────────────────────────────

  render() {
    const { room } = this;
    const { view, link } = room;
    const face = room.face;
    const price = words.price(view);
    return html`
      ${drawBanner(room.banner)}
      <div class="now">
        <dl class="price"><dt class="lbl" id="price-label">${price.label}</dt><dd class=${sized(price.text)} id="price">${price.text}</dd></dl>
        ${this.drawClock()}
      </div>
      <div class="bar" aria-hidden="true" ><span></span></div>
      ${this.drawMeta(view, link)}
      <div class="act">${this.drawButton(face)}${this.drawCost(face)}</div>
      ${this.drawMore()}
      <button class="sheet btn" id="sheet" type="button" aria-expanded=${String(this.isOpen)} aria-controls="more" ?hidden=${!this.isBidding}
        @click=${() => this.openSheet(!this.isOpen)}>${t(this.isOpen ? "lot.sheet.close" : "lot.sheet")}</button>`;
  }

  /** How long the clock still runs; null where there is none. */
  get left() {
    const at = this.target.at;
    return at === null ? null : at - this.room.clock.now();
  }

  /** Which instant the clock runs to, and its word. */
  get target() {
    const { view, isLive } = this.room;
    const { status, opensAt, closesAt } = view.auction;
    if (isOver(view)) return { label: isLive ? "" : t("lot.clock.closed"), at: null };
    if (status === "paused") return { label: t("lot.clock.stopped"), at: null };
    if (status === "scheduled" || status === "draft") return { label: t("lot.clock.opens"), at: opensAt ?? null };
    return { label: closesAt === null ? "" : t("lot.clock.closes"), at: closesAt };
  }

  drawClock() {
    const { room } = this;
    const { label } = this.target;
    const left = this.left;
    if (left === null && room.isLive) {
      const call = words.call(room.view);
      return html`<dl class="clock call"><dt class="lbl">${call && t("lot.call.label")}</dt><dd id="call">${call}</dd></dl>`;
    }
    const shown = left === null ? { text: isOver(room.view) ? "" : "–:––", spoken: "" } : words.timeLeft(countdown(left));
    const times = words.extended(room.view);
    return html`<dl class="clock"><dt class="lbl"><span id="clock-label">${left !== null && left <= 0 ? t("lot.clock.any") : label}</span>${times ? html`<b class="ext short"> · ${times}</b>` : nothing}</dt>
      <dd class="money"><span role="timer" aria-live="off"><span id="clock-digits" aria-hidden="true">${shown.text}</span><span class="sr">${shown.spoken}</span></span></dd></dl>`;
  }

  drawMeta(/** @type {any} */ view, /** @type {any} */ link) {
    const met = view.auction.reserve === "met" ? icon("ok") : nothing;
    return html`<p class="meta"><span id="reserve">${met}${words.reserve(view)}</span><span id="counts">${words.counts(view)}</span>
      <span class="note" id="note">${this.drawNote(view, link)}</span>
      <span class="when">${this.drawWhen(view)}</span></p>`;
  }

  drawNote(/** @type {any} */ view, /** @type {any} */ link) {
    if (words.isSlow(link)) return html`<b class="ext">${t("lot.slow")}</b>`;
    if (view.message && !isOver(view)) return t("lot.message.row", { text: view.message.text });
    const times = words.extended(view);
    const rule = isOver(view) ? "" : state.extends || (state.fingers && this.room.isLive ? t("lot.fingers") : "");
    return times ? html`<b class="ext" id="extended">${times}.</b> ${rule}` : rule;
  }

  drawWhen(/** @type {any} */ view) {
    const { status, opensAt, closesAt } = view.auction;
    const waits = status === "scheduled" || status === "draft";
    const at = waits ? opensAt : closesAt;
    if (at === null || at === undefined) return nothing;
    const own = ownTime(at, state.zone, locale);
    const key = waits ? "lot.opens" : isOver(view) ? "lot.closed-at" : "lot.closes";
    const time = houseTime(at, state.zone, locale);
    return html`<time id="ends" datetime=${new Date(at).toISOString()}>${t(key, { time })}</time>${own ? html` · ${t("lot.for-you", { time: own })}` : nothing}`;
  }

  drawButton(/** @type {import("./words.js").Face} */ face) {
    if (face.href !== null) return html`<a class="go btn pri" id="go-on" href=${face.href} @click=${this.onWayOn}>${face.label}</a>`;
    const { room } = this;
    const amount = face.amount === null ? nothing : html` <b>${words.cash(room.view, face.amount)}</b>`;
    return html`<button id="go" type="button" aria-disabled=${String(face.off)} aria-describedby="cost"
      class=${classMap({ go: true, btn: true, pri: !face.off && !face.armed, armed: Boolean(face.armed) })}
      @pointerenter=${() => room.touch(true)} @pointerleave=${() => room.touch(room.press.armed !== null)}
      @pointerdown=${() => room.down()} @pointercancel=${() => room.lifted()}
      @keydown=${this.onGoKey} @click=${() => room.up()}><span>${face.label}</span>${amount}${face.armed ? html`<span class="drain" aria-hidden="true"></span>` : nothing}</button>`;
  }

  /** A way on that has just taken the button's place was not what the finger came down for. */
  onWayOn(/** @type {Event} */ event) {
    if (this.room.now - this.linkedAt < GUARD_MS) event.preventDefault();
  }

  onGoKey(/** @type {KeyboardEvent} */ event) {
    if (event.key !== "Enter" && event.key !== " ") return;
    if (event.repeat) event.preventDefault(); // a key held down is one press
    else this.room.down();
  }

  /** What the amount on the button comes to, before it is pressed. */
  drawCost(/** @type {import("./words.js").Face} */ face) {
    const { view } = this.room;
    if (this.leavesAt !== null) {
      const seconds = Math.max(0, Math.ceil((this.leavesAt - this.room.now) / 1000));
      return html`<p class="cost" id="cost">${t("lot.go.next-in", { seconds })} · <button class="link" id="stay" type="button" @click=${this.stay}>${t("lot.stay")}</button></p>`;
    }
    const { price, askingBid, outcome } = view.auction;
    const amount = face.amount ?? (isOver(view) ? (outcome === "sold" ? price : null) : leads(view) ? price : askingBid);
    return html`<p class="cost" id="cost">${amount === null ? nothing : allIn(view, amount)}</p>`;
  }

  get isBidding() {
    const { view, link } = this.room;
    if (isOver(view)) return false;
    return ["may", "limit"].includes(words.standing(view, link, state.me)) && (words.takesLimits(view) || view.auction.status === "paused");
  }

  drawMore() {
    const { room } = this;
    const hidden = !this.isBidding;
    return html`<div class="more" id="more" data-open=${String(this.isOpen)} ?hidden=${hidden}>
      ${this.drawJumps()}${this.drawMaximum()}
      ${state.buyNow && room.view.auction.status === "open" && room.view.auction.bidCount === 0 ? drawBuyNow() : nothing}
      <p class="opt"><span id="confirm-each">${t("lot.confirm")}</span><button class="sw" type="button" role="switch" aria-checked=${String(room.habit.each)} aria-labelledby="confirm-each"
        @click=${() => (room.habit.choose(!room.habit.each), this.requestUpdate())}><span></span></button></p>
      ${state.fingers && room.isLive ? html`<p class="lbl fingers">${t("lot.fingers")}</p>` : nothing}
    </div>`;
  }

  drawJumps() {
    const { room } = this;
    const { askingBid } = room.view.auction;
    const jumps = askingBid === null || !state.jumps || room.view.auction.status !== "open" ? [] : after(state.steps, askingBid, JUMPS);
    if (jumps.length === 0) return nothing;
    const off = !room.isOffered;
    return html`<div class="jump" role="group" aria-label=${t("lot.jump.group")}><span class="lbl">${t("lot.jump")}</span>${jumps.map(
      (amount) => html`<button class="btn" type="button" aria-disabled=${String(off)} @click=${() => this.jump(amount)}>${words.cash(room.view, amount)}</button>`,
    )}</div>`;
  }

  drawMaximum() {
    const { room } = this;
    const { view } = room;
    const isLeft = view.auction.status === "scheduled" || view.auction.status === "draft";
    const verb = leads(view) && view.you?.max > view.auction.price ? "lot.max.raise" : isLeft ? "lot.max.leave" : "lot.max.set";
    return html`<form id="limit-form" autocomplete="off" novalidate @submit=${this.submitLimit}>
      <label for="limit-amount">${t(isLeft ? "lot.max.leave" : "lot.max")} <span class="lbl">${t("lot.max.private")}</span></label>
      <div class="row" ?hidden=${this.question !== null}><span class="cur" aria-hidden="true">${mark(view.auction.currency)}</span><input id="limit-amount" type="text" inputmode="decimal" aria-describedby="limit-hint" .value=${this.typed} @input=${this.readLimit}><button class="btn" id="set-limit" type="submit" aria-disabled=${String(!room.mayLimit)}>${t(verb)}</button></div>
      ${this.question === null ? nothing : this.drawQuestion(this.question)}
      <p class="lbl" id="limit-hint">${this.hint || words.yourMaximum(view) || t("lot.max.hint")}</p>
    </form>`;
  }

  drawQuestion(/** @type {{text: string, choices: [string, number][]}} */ question) {
    return html`<div class="ask" role="group" aria-labelledby="ask-question"><p id="ask-question">${question.text}</p>
      <div>${question.choices.map(([label, amount]) => html`<button class="btn" type="button" @click=${() => this.limit(amount)}>${label}</button>`)}<button class="btn" type="button" @click=${this.stopAsking}>${t("lot.ask.no")}</button></div></div>`;
  }

  /** The switch of the single keys, which stands below everything else. */
  offerKeys() {
    const button = document.getElementById("keys");
    if (!button) return;
    const show = () => button.setAttribute("aria-checked", String(this.keys.on));
    button.addEventListener("click", () => (this.keys.turn(!this.keys.on), show()));
    show();
  }

  onKey(/** @type {KeyboardEvent} */ event) {
    const field = /** @type {Element|null} */ (event.target)?.closest?.("input,textarea,select,dialog");
    const act = this.keys.actOf(event, Boolean(field));
    if (act === "bid") this.room.byKey();
    if (act === "maximum") this.toMaximum(event);
    if (act === "escape") this.putAway();
    if (act === "watch") document.getElementById("watch")?.click();
  }

  async toMaximum(/** @type {Event} */ event) {
    event.preventDefault(); // the letter is not meant for the field
    await this.openSheet(true);
    this.input?.focus();
  }

  putAway() {
    if (this.room.press.armed) this.room.disarm();
    else if (this.question) this.stopAsking();
    else this.openSheet(false);
  }

  // ── after drawing ──────────────────────────────────────────────────────────────────────────

  willUpdate() {
    this.hadButton = document.activeElement === this.querySelector("#go");
  }

  updated() {
    const { room } = this;
    const { view, link } = room;
    const root = document.documentElement;
    root.dataset.link = link.live ? "live" : link.why === "connecting" ? "connecting" : "offline";
    const { title } = room.banner;
    document.title = title ? `${title} · ${titleEnd}` : titleEnd;
    const net = document.getElementById("link");
    const said = words.connection(view, link);
    if (net && net.textContent !== said) net.textContent = said;
    const left = this.left;
    /** @type {HTMLElement|null} */ (this.querySelector(".bar"))?.style.setProperty("--left", String(left === null ? 0 : Math.max(0, Math.min(1, left / LAST_MINUTE_MS))));
    const isLink = this.querySelector("#go-on") !== null;
    if (isLink && !this.wasLink) this.linkedAt = this.room.now;
    this.wasLink = isLink;
    if (this.hadButton && isLink) /** @type {HTMLElement|null} */ (this.querySelector("#go-on"))?.focus();
    this.sayTime(left);
    this.saySlow(words.isSlow(link));
    this.startLeaving(view);
    const ledger = /** @type {LotLedger|null} */ (document.querySelector("lot-ledger"));
    if (ledger) ledger.view = view;
  }

  sayTime(/** @type {number|null} */ left) {
    const seconds = left === null || this.target.label !== t("lot.clock.closes") ? Infinity : countdown(left).seconds;
    const passed = milestone(this.shownSeconds, seconds);
    if (passed !== null && this.room.link.live) say("polite", t("lot.left", { time: t("lot.seconds", { n: passed }) }));
    this.shownSeconds = seconds;
  }

  saySlow(/** @type {boolean} */ slow) {
    if (slow && !this.wasSlow) say("polite", t("lot.slow"));
    this.wasSlow = slow;
  }

  /** When a live lot ends, the sale goes on, and who follows it goes along, unless they stay. */
  startLeaving(/** @type {any} */ view) {
    const over = isOver(view);
    if (over && !this.wasOver && this.room.isLive && state.me.next) this.leavesAt = this.room.now + NEXT_LOT_MS;
    if (!over) this.leavesAt = null; // reopened
    this.wasOver = over;
  }

  stay() {
    this.leavesAt = null;
    this.requestUpdate();
  }

  // ── your maximum, and jumps ────────────────────────────────────────────────────────────────

  jump(/** @type {number} */ amount) {
    this.openSheet(false);
    this.room.jump(amount);
    /** @type {HTMLElement|null} */ (this.querySelector("#go"))?.focus();
  }

  readLimit(/** @type {InputEvent} */ event) {
    this.typed = /** @type {HTMLInputElement} */ (event.target).value;
    this.hint = this.typed.trim() === "" ? "" : this.reading(parse(this.typed, this.room.view.auction));
    this.requestUpdate();
  }

  /** @param {any} read */
  reading(read) {
    if (read.error) return t(`lot.type.${read.error}`);
    return read.ask ? t("lot.max.will-ask") : t("lot.max.reads", { amount: words.cash(this.room.view, read.minor) });
  }

  submitLimit(/** @type {Event} */ event) {
    event.preventDefault();
    const { room } = this;
    if (!room.mayLimit) return this.tell(t("lot.max.off"));
    const read = /** @type {any} */ (parse(this.typed, room.view.auction));
    if (read.error) return this.refuseTyping(read.error);
    if (read.ask) return this.ask(read.ask);
    const { price, askingBid } = room.view.auction;
    const asked = isSurprising(read.minor, price ?? askingBid, state.estimate[1]) || !room.habit.hasBid;
    return asked ? this.ask([read.minor]) : this.limit(read.minor);
  }

  refuseTyping(/** @type {string} */ code) {
    this.tell(`${t(`lot.type.${code}`)} ${t("lot.max.not-bid")}`);
    this.input?.focus();
  }

  get input() {
    return /** @type {HTMLInputElement|null} */ (this.querySelector("#limit-amount"));
  }

  tell(/** @type {string} */ hint) {
    this.hint = hint;
    say("urgent", hint);
    this.requestUpdate();
  }

  /** "Is €520,000 right?", or which of two. Nothing is sent until one is chosen. */
  async ask(/** @type {number[]} */ amounts) {
    const cash = (/** @type {number} */ amount) => words.cash(this.room.view, amount);
    const one = amounts.length === 1;
    const text = one ? t("lot.ask.right", { amount: cash(amounts[0]) }) : t("lot.ask.which");
    this.question = { text, choices: amounts.map((amount) => /** @type {[string, number]} */ ([one ? t("lot.ask.yes") : cash(amount), amount])) };
    this.hint = t("lot.max.not-bid");
    say("urgent", text);
    this.requestUpdate();
    await this.updateComplete;
    /** @type {HTMLElement|null} */ (this.querySelector(".ask button"))?.focus();
  }

  async stopAsking() {
    this.question = null;
    this.hint = "";
    this.requestUpdate();
    await this.updateComplete;
    this.input?.focus();
  }

  limit(/** @type {number} */ amount) {
    this.question = null;
    if (!this.room.mayLimit || !this.room.place(amount, "max")) return this.tell(t("lot.max.off"));
    this.typed = this.hint = "";
    this.openSheet(false);
  }

  async openSheet(/** @type {boolean} */ open) {
    if (open === this.isOpen) return this.requestUpdate();
    this.isOpen = open;
    this.requestUpdate();
    await this.updateComplete;
    const first = open ? "#more button, #more input" : "#sheet";
    /** @type {HTMLElement|null} */ (this.querySelector(first))?.focus();
  }
}

class LotLedger extends Part {
  static properties = { view: { attribute: false, hasChanged: (/** @type {any} */ now, /** @type {any} */ before) => now?.bids !== before?.bids || now?.you?.paddle !== before?.you?.paddle } };

  constructor() {
    super();
    this.view = /** @type {any} */ (null);
  }

  render() {
    if (!this.view) return nothing;
    return html`${this.drawPrices()}
      <section class="bids" aria-labelledby="bids-name"><h2 id="bids-name">${t("lot.history")}</h2>
        <div class="rows" tabindex="0" role="group" aria-labelledby="bids-name"><table><caption class="sr">${t("lot.history.caption", { number: this.view.auction.lotNumber })}</caption>
          <thead class="sr"><tr>${["amount", "bidder", "time"].map((name) => html`<th scope="col">${t(`lot.history.${name}`)}</th>`)}</tr></thead>
          <tbody id="bids">${this.view.bids.length > 0 ? this.view.bids.map((/** @type {any} */ bid, /** @type {number} */ at) => this.drawRow(bid, at)) : html`<tr><td colspan="3">${t("lot.history.none")}</td></tr>`}</tbody></table></div></section>`;
  }

  drawRow(/** @type {any} */ bid, /** @type {number} */ at) {
    const who = words.bidder(this.view, bid);
    const amount = words.cash(this.view, bid.price);
    const more = [who.where, bid.merged > 1 ? t("lot.history.merged", { bids: t("lot.bids", { n: bid.merged }) }) : "", bid.undone ? t("lot.history.undone") : ""];
    return html`<tr class=${classMap({ top1: at === 0, me: who.you, undone: bid.undone })}><td class="money">${bid.undone ? html`<s>${amount}</s>` : amount}</td>
      <td>${who.you ? html`<b>${who.name}</b>` : who.name} <span class="src">${more.filter(Boolean).join(" · ")}</span></td>
      <td>${bid.at === null ? t("lot.history.earlier") : html`<time datetime=${new Date(bid.at).toISOString()}>${second(bid.at, state.zone, locale)}</time>`}</td></tr>`;
  }

  drawPrices() {
    const drawn = plot(this.view.bids, state.estimate);
    const [low, high] = state.estimate;
    const cash = (/** @type {number|null} */ minor) => words.cash(this.view, minor);
    this.drawn = drawn;
    if (!drawn) return nothing;
    const estimate = drawn.band ? ` ${t("lot.chart.estimate", { low: cash(low), high: cash(high) })}` : "";
    return html`<figure class="chart"><figcaption><h2>${t("lot.chart")}</h2><span class="lbl">${drawn.since === null ? nothing : t("lot.chart.since", { time: minute(drawn.since, state.zone, locale) })}</span></figcaption>
      <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="chart-name" aria-describedby="chart-says" preserveAspectRatio="none"><title id="chart-name">${t("lot.chart.title")}</title><desc id="chart-says">${t("lot.chart.says", { first: cash(drawn.first), last: cash(drawn.last) })}${estimate}</desc>
        ${drawn.band ? svg`<rect class="band" x="0" width="258" y=${drawn.band.y} height=${drawn.band.height}/>` : nothing}
        <path class="step" d=${drawn.step} vector-effect="non-scaling-stroke"/><line class="base" x1="0" x2="258" y1="126" y2="126" vector-effect="non-scaling-stroke"/></svg>
      <p class="ax">${drawn.band ? html`<span class="hi">${cash(high)} <i>${t("lot.chart.high")}</i></span><span class="lo">${cash(low)} <i>${t("lot.chart.low")}</i></span>` : nothing}<span class="dot" aria-hidden="true"></span></p>
    </figure>`;
  }

  updated() {
    const axis = /** @type {HTMLElement|null} */ (this.querySelector(".ax"));
    if (!axis || !this.drawn) return;
    const { band, end } = this.drawn;
    const at = (/** @type {string} */ name, /** @type {number} */ y) => axis.style.setProperty(name, String(y / HEIGHT));
    at("--dot", end.y);
    if (band) at("--hi", band.y);
    if (band) at("--lo", band.y + band.height);
  }
}

function icon(/** @type {string} */ name) {
  return html`<svg class="ico" aria-hidden="true"><use href="#i-${name}"></use></svg> `;
}

function drawBanner(/** @type {import("./words.js").Banner} */ banner) {
  return html`<div class="banner" id="banner" data-k=${banner.kind}><svg class="ico" aria-hidden="true"><use href="#i-${banner.icon}"></use></svg>
    <p><b id="banner-head">${banner.head}</b> <span id="banner-text">${banner.text}</span></p></div>`;
}

/** The price with everything on it, as the invoice would have it. */
function allIn(/** @type {any} */ view, /** @type {number} */ amount) {
  const { premium, tax } = state.terms;
  const found = bill(amount, state.terms);
  if (premium.length === 0 || found === null) return t("lot.binding");
  return t(Number(tax) > 0 ? "lot.allin" : "lot.allin.premium", { amount: words.cash(view, found.total) });
}

/** A long amount is set smaller, so that the clock beside it keeps its place. */
function sized(/** @type {string} */ amount) {
  return `money${amount.length > 13 ? " longer" : amount.length > 9 ? " long" : ""}`;
}

function drawBuyNow() {
  const { url, label, fields } = state.buyNow;
  const hidden = Object.entries(fields).map(([name, value]) => html`<input type="hidden" name=${name} value=${value}>`);
  return html`<form class="buy" method="post" action=${url}>${hidden}<button class="btn">${label}</button></form>`;
}

customElements.define("lot-ledger", LotLedger);
customElements.define("lot-room", LotRoom);
