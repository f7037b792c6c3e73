/**
 * The screen in the saleroom: the lot that is on, what is bid and what is asked; no controls.
 *
 * It watches like any other member of the public. Between two lots it asks the house which one
 * is on, for no frame of the lot before says so. There are no converted amounts: the house
 * publishes no rates, and a made-up one would be worse than none.
 */

import { LitElement, html, nothing } from "./vendor/lit.js";
import { SaleClock } from "./clock.js";
import { format } from "./money.js";
import { locale, t } from "./phrases.js";
import { Line } from "./socket.js";
import { fromSnapshot, isOver, reduce } from "./view.js";

const ASK_MS = 2000; // how long the room may look at the lot before

class SaleroomScreen extends LitElement {
  static properties = { view: { state: true }, lot: { state: true }, next: { state: true }, live: { state: true } };

  constructor() {
    super();
    this.page = JSON.parse(document.getElementById("state")?.textContent ?? "{}");
    this.lot = this.page.lot;
    this.next = this.page.next;
    /** @type {import("./view.js").View|null} */
    this.view = null;
    this.live = false;
    this.clock = new SaleClock(() => performance.now(), this.page.now);
  }

  createRenderRoot() {
    this.replaceChildren();
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    this.watch();
    setInterval(() => this.ask(), ASK_MS);
    addEventListener("pagehide", () => this.line?.shut());
    addEventListener("pageshow", (event) => event.persisted && this.line?.open());
  }

  /** Follow the lot that is on, on a line of its own. */
  watch() {
    this.line?.shut();
    this.view = null;
    if (!this.lot) return;
    const line = new Line({
      url: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`,
      auctionId: this.lot.auctionId,
      key: this.page.key,
      token: null,
      clock: this.clock,
      position: () => null,
      closing: () => true,
      onFrame: (frame) => this.hear(frame),
      onBid: () => {},
      onChange: () => this.line === line && (this.live = line.live),
      world: {
        WebSocket, storage: sessionStorage, steady: () => performance.now(), wall: () => Date.now(),
        setTimeout: (/** @type {() => void} */ act, /** @type {number} */ delay) => setTimeout(act, delay), clearTimeout: (/** @type {any} */ timer) => clearTimeout(timer), uuid: () => "", random: Math.random,
      },
    });
    this.line = line;
    line.open();
  }

  hear(/** @type {import("./wire.d.ts").Told} */ frame) {
    if (!("auctionId" in frame) || frame.auctionId !== this.lot.auctionId) return;
    if (!this.view) this.view = frame.type === "snapshot" ? fromSnapshot(frame) : null;
    else this.view = reduce(this.view, frame, performance.now());
    if (this.view?.gap) this.line?.refresh();
    if (this.view && isOver(this.view)) this.ask();
  }

  async ask() {
    try {
      const answer = await fetch(`/room/${this.page.sale.id}/now`);
      if (!answer.ok) return;
      const { lot, next } = await answer.json();
      this.next = next;
      if (lot?.auctionId === this.lot?.auctionId) return;
      this.lot = lot;
      this.watch();
    } catch {
      // The house cannot be reached: the line says so too.
    }
  }

  cash = (/** @type {number} */ minor) => format(minor, this.lot, locale);

  render() {
    if (!this.lot) return html`<main class="screen" id="screen" tabindex="-1"><div class="alone"><h1>${this.page.sale.name}</h1><p class="word">${t("console.room.soon")}</p></div>${this.foot()}</main>`;
    const auction = this.view?.auction ?? { ...this.lot, askingBid: null, phase: null };
    return html`<main class="screen" id="screen" tabindex="-1">
      ${this.lot.photo ? html`<img src=${`/static/lots/${this.lot.photo}`} alt=${this.lot.name}>` : html`<p class="mat">${t("console.room.no_photo")}</p>`}
      <div class="says"><div><h1><b>${t("common.lot", { lot: this.lot.lotNumber })}</b> ${auction.name}</h1></div>
        <dl class="sums">${this.sums(auction)}</dl>
        ${this.word(auction)}</div>
      ${this.foot()}</main>`;
  }

  sums(/** @type {any} */ auction) {
    const over = ["closed", "settling", "settled", "canceled"].includes(auction.status);
    const paddle = auction.price !== null && auction.paddle !== null ? html`<span class="who">${auction.paddle} ${t(`console.in.${auction.channel ?? "online"}`)}</span>` : nothing;
    const now = html`<div class="now"><dt>${t(over && auction.outcome === "sold" ? "console.hammer_price" : "console.room.current")}</dt><dd class="money" id="current">${auction.price === null ? "–" : this.cash(auction.price)}${paddle}</dd></div>`;
    if (over) return now;
    const asks = auction.askingBid ?? (auction.price === null ? auction.opening : null);
    return html`${now}<div class="asks"><dt>${t(auction.price === null ? "console.room.opening" : "console.room.asking")}</dt><dd class="money" id="asking">${asks === null ? "–" : this.cash(asks)}</dd></div>`;
  }

  word(/** @type {any} */ auction) {
    const [tone, key] = wordOf(auction, this.live);
    return html`<p class="word" data-k=${tone} role="status">${key ? t(key) : ""}</p>`;
  }

  foot() {
    const coming = this.next ? t("console.room.next", { lot: `${this.next.lotNumber}, ${this.next.name}` }) : "";
    return html`<p class="foot-line"><b>${t("common.house")}</b><span>${this.page.sale.name}</span><span id="next">${coming}</span></p>`;
  }

  updated() {
    for (const sum of this.querySelectorAll(".sums dd")) {
      const text = [...sum.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE); // not the paddle beside it
      const digits = text.map((node) => node.textContent).join("").length;
      /** @type {any} */ (sum).style.setProperty("--digits", String(Math.max(7, digits)));
    }
  }
}

/** The one word under the price: how the lot ended, or which call was given. */
function wordOf(/** @type {any} */ auction, /** @type {boolean} */ live) {
  if (auction.status === "closed" || auction.status === "settled" || auction.status === "settling") {
    if (auction.outcome === "sold" || auction.outcome === "sold_subject") return ["lead", "console.room.sold"];
    return ["plain", auction.outcome === "withdrawn" ? "console.room.withdrawn" : "console.room.passed"];
  }
  if (auction.status === "canceled") return ["plain", "console.room.withdrawn"];
  if (!live) return ["out", "console.room.lost"];
  if (auction.status === "paused") return ["warn", "console.room.paused"];
  if (auction.phase) return ["warn", `console.room.${auction.phase}`];
  return ["plain", null];
}

customElements.define("saleroom-screen", SaleroomScreen);
