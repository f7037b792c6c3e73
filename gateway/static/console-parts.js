/**
 * The zones of the console as templates: state in, markup out. What is pressed goes to the
 * element (`desk`), which alone sends anything.
 */

import { LitElement, html, nothing, repeat, svg } from "./vendor/lit.js";
import { callLine, mainButton, tiles, warnButton } from "./console-lines.js";
import {
  belowReserve, deskOf, hasLeader, hold, isOffStep, isOver, isSelling, isUnnamed, reopenable, rowOf, shownLot, steps, undoable, waiting,
} from "./console-view.js";
import { printed } from "./keys.js";

const icon = (/** @type {string} */ name) => html`<svg class="ico" aria-hidden="true"><use href=${`#i-${name}`}></use></svg>`;
const LANES = ["room", "phone", "online", "left"];

/** A button that an act stands on: with its key, off where it may not be pressed. It stays in
 *  the order of the tab key when it is off, so that the hand finds it where it was. */
function acts(desk, { name, cls, on, press, body, label = nothing }) {
  const key = desk.keys.on ? desk.keys.keys[name] : null;
  return html`<button type="button" class=${cls} data-act=${name} aria-disabled=${on ? "false" : "true"} aria-label=${label}
    aria-keyshortcuts=${key ? shortcut(key) : nothing} @click=${() => on && press()}>
    ${key ? html`<kbd aria-hidden="true">${printed(key)}</kbd>` : nothing}${body}</button>`;
}

const shortcut = (/** @type {string} */ key) => (key.length === 1 ? key.toUpperCase() : key);
const kbd = (desk, name) => (desk.keys.on ? html`<kbd aria-hidden="true">${printed(desk.keys.keys[name])}</kbd>` : nothing);

// ── head ─────────────────────────────────────────────────────────────────────────────────────

export function head(desk) {
  const { state, t, cash, link } = desk;
  const { totals, sale } = state;
  const here = deskOf(state);
  const paused = shownLot(state).auction.status === "paused";
  return html`<header class="top">
    <p class="house">${t("common.house")}</p>
    <p class="sale"><a href="/console"><b>${sale.name}</b></a> <span>${t("console.lots", { n: totals.lots })}</span></p>
    <dl class="stats">
      <div><dt>${t("console.sold")}</dt><dd id="sold">${t("console.sold.of", { n: totals.sold, of: totals.sold + totals.passed })}</dd></div>
      <div class="w"><dt>${t("console.total")}</dt><dd id="total">${cash(totals.hammerTotal)}</dd></div>
      <div class="sep"><dt>${t("console.online")}</dt><dd id="online">${here ? html`${here.connected} <i>${t("console.can_bid", { n: here.canBid })}</i>` : "–"}</dd></div>
      <div><dt>${t("console.delay")}</dt><dd id="delay">${delayOf(desk, link)}</dd></div>
    </dl>
    ${state.watching ? html`<p class="watch">${t("console.watching")}</p>` : html`<button type="button" class="btn pause" aria-disabled=${canPause(desk) ? "false" : "true"} @click=${() => canPause(desk) && desk.pause()}>
      ${icon(paused ? "play" : "pause")}<span class="full">${t(paused ? "console.unpause" : "console.pause")}</span></button>
      ${acts(desk, { name: "more", cls: "btn more", on: desk.may, press: () => desk.press("more"), label: t("console.act.more"), body: icon("more") })}`}
  </header>`;
}

const canPause = (desk) => desk.may && ["open", "paused"].includes(shownLot(desk.state).auction.status) && desk.state.ring === desk.state.shown;

function delayOf({ t, line }, link) {
  const shape = html`<span class=${link.live ? "pip" : "pip off"} aria-hidden="true"></span>`;
  if (!link.live) return html`${shape}${t("console.not_connected")}`;
  return line.delay === null ? html`${shape}…` : html`${shape}${line.delay} ms <i>p95</i>`;
}

// ── queue ────────────────────────────────────────────────────────────────────────────────────

/** The lots in their order. An element of its own: five hundred rows are not drawn again for
 *  every price. */
export class SaleQueue extends LitElement {
  static properties = { lots: {}, shown: {}, ring: {}, words: {}, plain: {} };

  constructor() {
    super();
    /** @type {any[]} */
    this.lots = [];
    this.shown = this.ring = /** @type {string|null} */ (null);
    this.words = /** @type {any} */ (null);
    this.plain = false;
  }

  createRenderRoot() {
    return this;
  }

  updated(changed) {
    if (changed.has("shown")) this.bringIntoSight();
  }

  /** Scrolls the list alone: on a telephone the page's own place is the price. */
  bringIntoSight() {
    const list = this.querySelector("ol");
    const row = /** @type {any} */ (this.querySelector("[aria-current]"));
    if (!list || !row) return;
    const from = row.offsetTop - list.offsetTop;
    const inSight = from >= list.scrollTop && from + row.offsetHeight <= list.scrollTop + list.clientHeight;
    if (!inSight) list.scrollTop = from - list.clientHeight / 4;
  }

  render() {
    return html`<ol>${repeat(this.lots, (row) => row.auctionId, (row) => this.row(row))}</ol>`;
  }

  row(row) {
    const current = row.auctionId === this.shown;
    const on = row.auctionId === this.ring && !isOver(row.status);
    const done = isOver(row.status);
    return html`<li class=${`${done ? "done" : ""}${done && row.outcome !== "sold" ? " pass" : ""}${current ? " cur" : ""}`} aria-current=${current ? "true" : nothing}>
      <a href=${`#${row.auctionId}`} @click=${(event) => this.pick(event, row)}>${done && !current ? this.past(row) : this.coming(row, on)}</a></li>`;
  }

  past(row) {
    return html`<b>${row.lotNumber}</b><span>${row.name}</span><em>${this.result(row)}</em>`;
  }

  result(row) {
    const { t, cash } = this.words;
    if (row.outcome === "sold") return cash(row.price);
    if (row.outcome === "sold_subject") return t("console.queue.subject");
    return t(row.outcome === "withdrawn" || row.status === "canceled" ? "console.queue.withdrawn" : "console.queue.passed");
  }

  coming(row, on) {
    const { t, range } = this.words;
    const estimate = row.estimate ? html`<small>${range(row.estimate)}</small>` : nothing;
    return html`${row.photo ? html`<img src=${`/static/lots/${row.photo}`} alt="" loading="lazy" width="40" height="49">` : nothing}
      <span><b>${row.lotNumber}</b><span class="n">${row.name}</span>${on ? html`<small class="on-now">${t("console.queue.on")}</small>` : isOver(row.status) ? html`<small>${this.result(row)}</small>` : estimate}${on ? nothing : this.hints(row)}</span>`;
  }

  hints(row) {
    const { t } = this.words;
    if (this.plain || isOver(row.status)) return nothing;
    if (row.check === "open") return html`<small class="int warn">${t("console.queue.check")}</small>`;
    if (row.status === "paused") return html`<small class="int warn">${t("console.queue.sent_back")}</small>`;
    return html`<small class="int">${row.leftBids > 0 ? t("console.queue.left", { n: row.leftBids }) : t("console.queue.none")}</small>`;
  }

  pick(event, row) {
    event.preventDefault();
    this.dispatchEvent(new CustomEvent("pick", { detail: row.auctionId, bubbles: true }));
  }
}
customElements.define("sale-queue", SaleQueue);

export function queue(desk) {
  const { state, t } = desk;
  return html`<nav class="queue" aria-label=${t("console.queue")}>
    <form class="goto" @submit=${(event) => desk.goTo(event)}><label for="g">${t("console.goto")}</label><input id="g" name="lot" autocomplete="off" enterkeyhint="go">${kbd(desk, "goto")}</form>
    <sale-queue .lots=${state.lots} .shown=${state.shown} .ring=${state.ring} .words=${desk.words} @pick=${(event) => desk.look(event.detail)}></sale-queue></nav>`;
}

// ── the lot ──────────────────────────────────────────────────────────────────────────────────

export function lot(desk) {
  const { state, t, cash, range } = desk;
  const row = rowOf(state, state.shown);
  const left = deskOf(state)?.leftBids ?? { count: row.leftBids, next: null };
  const next = left.next ?? null;
  const standing = left.count === 0 ? t("console.left.none") : next === null ? t("console.left.count", { n: left.count }) : t("console.left.next", { n: left.count, amount: cash(next) });
  return html`<section class="lot" aria-labelledby="t">
    ${row.photo ? html`<img src=${`/static/lots/${row.photo}`} alt="">` : html`<p class="mat" aria-hidden="true">${row.lotNumber}</p>`}
    <div><h1 id="t"><span>${row.lotNumber}</span> ${shownLot(state).auction.name}</h1>
      <dl class="facts">
        ${row.estimate ? html`<div><dt>${t("console.estimate")}</dt><dd>${range(row.estimate)}</dd></div>` : nothing}
        <div><dt>${t("console.reserve")}</dt>${reserveOf(desk)}</div>
        <div><dt>${t("console.left")}</dt><dd id="left">${standing}</dd></div></dl></div>
    ${row.check === "open" ? html`<p class="notice">${icon("note")}<span>${t("console.notice.check")}</span></p>` : nothing}
  </section>`;
}

function reserveOf({ state, t, cash }) {
  const { auction } = shownLot(state);
  const reserve = deskOf(state)?.reserve ?? rowOf(state, state.shown).reserveAmount ?? null;
  if (auction.reserve === "none" || (reserve === null && auction.reserve !== "met")) return html`<dd id="reserve">${t("console.reserve.none")}</dd>`;
  const amount = reserve === null ? "" : cash(reserve);
  if (auction.reserve === "met") return html`<dd id="reserve" class="ok">${amount} ${icon("ok")} ${t("console.reserve.met")}</dd>`;
  return html`<dd id="reserve">${amount} ${t("console.reserve.not_met")}</dd>`;
}

// ── who bids, by source and price ────────────────────────────────────────────────────────────

const CHART = { left: 78, from: 111, right: 51, axis: 24 }; // pixels: the lanes' words, and the amounts' below
const LEAST = 88; // lower than this no lane could be told from the next

/** Drawn in the pixels that there are (`desk.chart`), so that its words are as large as others. */
export function lanes(desk) {
  const { state, t, cash } = desk;
  const { width, height } = desk.chart;
  const row = rowOf(state, state.shown);
  const { auction } = shownLot(state);
  const here = deskOf(state);
  const bids = undoable(state).slice().reverse();
  const held = waiting(state);
  const reserve = auction.reserve === "none" ? null : (here?.reserve ?? row.reserveAmount ?? null);
  const [low, high] = row.estimate ?? [null, null];
  const amounts = [auction.opening, reserve, low, high, auction.askingBid, ...bids.map((bid) => bid.amount), ...held.map((bid) => bid.amount)].filter((n) => n !== null && n !== undefined);
  const [first, last] = [Math.min(...amounts), Math.max(...amounts)];
  const x = (/** @type {number} */ amount) => round(CHART.from + ((amount - first) / (last - first || 1)) * (width - CHART.right - CHART.from));
  const lane = (height - CHART.axis) / LANES.length;
  const y = (/** @type {string} */ channel) => round(lane * (Math.max(0, LANES.indexOf(channel)) + 0.5));
  const points = bids.map((bid) => [x(bid.amount), y(bid.channel)]);
  const next = here?.leftBids?.next ?? null;
  const words = t("console.lanes.words", { n: bids.length, price: auction.price === null ? "–" : cash(auction.price), waiting: held.length });
  return html`<figure class="duel"><figcaption class="sr">${t("console.lanes")}</figcaption>
    ${height < LEAST ? nothing : html`<svg viewBox=${`0 0 ${width} ${height}`} role="img" aria-label=${words}>
      ${low === null ? nothing : svg`<rect class="band" x=${x(low)} y="2" width=${Math.max(2, x(high) - x(low))} height=${height - CHART.axis}></rect>`}
      <g class="lanes">${LANES.map((name) => svg`<text x="0" y=${y(name) + 5}>${t(`console.lane.${name}`)}</text><line x1=${CHART.left} x2=${width} y1=${y(name)} y2=${y(name)}></line>`)}</g>
      ${points.length > 1 ? svg`<path class="run" d=${`M${points.map((p) => p.join(" ")).join("L")}`}></path>` : nothing}
      ${held.length > 0 && points.length > 0 ? svg`<path class="waitln" d=${`M${points[points.length - 1].join(" ")}L${x(held[0].amount)} ${y("online")}`}></path>` : nothing}
      <g class="dots">${points.map(([px, py], at) => svg`<circle cx=${px} cy=${py} r=${at === points.length - 1 ? 6 : 4} class=${at === points.length - 1 ? "last" : ""}></circle>`)}</g>
      ${held.map((bid) => svg`<circle class="wait" cx=${x(bid.amount)} cy=${y("online")} r="6"></circle>`)}
      ${next === null ? nothing : svg`<path class="held" d=${`M${x(next) - 7} ${y("left")}l7 -7 7 7-7 7z`}></path>`}
      <g class="axis">${marks({ opening: auction.opening, reserve, low, high }, x, width).map(({ at, amount, kind, end }) => svg`<text x=${at} y=${height - 4} text-anchor=${end ? "end" : "start"}>${kind === "reserve" ? t("console.lanes.reserve", { amount: cash(amount) }) : cash(amount)}</text>`)}
        ${reserve === null ? nothing : svg`<line x1=${x(reserve)} x2=${x(reserve)} y1="2" y2=${height - CHART.axis + 6}></line>`}</g>
    </svg>`}</figure>`;
}

const round = (/** @type {number} */ n) => Math.round(n * 10) / 10;

/** The amounts under the chart, those that would run into each other left out: the reserve is
 *  the one that is always said. */
function marks({ opening, reserve, low, high }, x, width) {
  const found = [];
  const add = (amount, kind, end, wide = 78) => {
    if (amount === null) return;
    const at = x(amount) + (end && kind === "reserve" ? -4 : 0);
    const [from, to] = end ? [at - wide, at] : [at, at + wide];
    if (from < 0 || to > width || found.some((mark) => from < mark.to && to > mark.from)) return;
    found.push({ at, amount, kind, end, from, to });
  };
  add(reserve, "reserve", reserve !== null && x(reserve) > 220, 120);
  add(low, "low", false);
  add(high, "high", high !== null && x(high) > width - 80);
  add(opening, "opening", false);
  return found;
}

// ── the price ────────────────────────────────────────────────────────────────────────────────

export function price(desk) {
  const { state, t, cash } = desk;
  const { auction } = shownLot(state);
  const over = isOver(auction.status);
  const current = auction.price === null ? "–" : cash(auction.price);
  return html`<section class="price" aria-label=${t("console.price")}>
    <dl class="on"><dt>${t(over ? "console.hammer_price" : "console.current")}</dt><dd class="money" id="current">${current}</dd><dd class="who" id="leader">${leader(desk)}</dd></dl>
    <dl class=${over ? "ask gone" : "ask"}><dt><span id="asks">${t("console.asking")}</span> ${isOffStep(state) ? html`<em class="off">${t("console.off_step")}</em>` : nothing} ${kbd(desk, "ask")}</dt><dd class="money">${asking(desk)}</dd></dl>
    ${stepper(desk)}
  </section>`;
}

function leader({ state, t }) {
  const { auction } = shownLot(state);
  if (auction.price === null) return "";
  if (!hasLeader(state)) return t("console.nobody_leads");
  if (isUnnamed(state)) return t(`console.leads.${auction.channel}`);
  return html`<b>${auction.paddle}</b> ${t(`console.in.${auction.channel}`)}`;
}

function asking(desk) {
  const { state, t, cash } = desk;
  const { auction } = shownLot(state);
  const amount = auction.askingBid === null || isOver(auction.status) ? "–" : cash(auction.askingBid);
  if (!desk.typing) {
    const on = desk.may && isSelling(state);
    return html`<button type="button" class="asking" id="asking" data-act="ask" aria-disabled=${on ? "false" : "true"} aria-label=${t("console.asking.label", { amount })}
      aria-keyshortcuts=${desk.keys.on ? shortcut(desk.keys.keys.ask) : nothing} @click=${() => on && desk.typeAsking()}>${amount}</button>`;
  }
  return html`<form class="typed" @submit=${(event) => desk.ask(event)}><input id="ask" name="amount" inputmode="decimal" autocomplete="off" aria-labelledby="asks"
    @keydown=${(event) => event.key === "Escape" && desk.stopTyping()} @blur=${() => desk.stopTyping()}></form>`;
}

function stepper(desk) {
  const { state, t } = desk;
  const { inForce, choices } = steps(state);
  const on = desk.may && isSelling(state);
  const bare = desk.bare;
  return html`<div class="steps" role="group" aria-label=${t("console.increment")}>
    ${sized(desk, on, "down", "−", t("console.lower"))}
    <div class="inc" role="radiogroup" aria-label=${t("console.step")} @keydown=${(event) => desk.turn(event)}>${choices.map(
      (step) => html`<button type="button" role="radio" aria-checked=${step === inForce ? "true" : "false"} aria-disabled=${on ? "false" : "true"} tabindex=${step === inForce ? "0" : "-1"} value=${step} @click=${() => on && desk.step(step)}>${bare(step)}</button>`,
    )}</div>
    ${sized(desk, on, "up", "+", t("console.raise"))}
  </div>`;
}

function sized(desk, on, name, sign, label) {
  return html`<button type="button" class="btn" data-act=${name} aria-label=${label} aria-disabled=${on ? "false" : "true"}
    aria-keyshortcuts=${desk.keys.on ? shortcut(desk.keys.keys[name]) : nothing} @click=${() => on && desk.press(name)}>${sign}</button>`;
}

// ── the call line, the takes, the close ──────────────────────────────────────────────────────

export function call(desk) {
  const { state, t } = desk;
  const said = /** @type {any} */ (callLine(state, desk.link, desk.voice)); // some line always fits
  const words = (/** @type {any} */ part) => (part ? t(part[0], part[1]) : "");
  const other = hold(state) === "other" && desk.link.live;
  return html`<div class="call" role="status" id="call"><p data-k=${said.tone}><b>${words(said.head)}</b> ${words(said.text)} <span>${words(said.more)}</span></p>
    ${other ? html`<button type="button" class="btn" data-act="take_over" @click=${() => desk.takeOver()}>${t("console.take_over")}</button>` : nothing}
    ${desk.phoning ? lines(desk) : nothing}</div>`;
}

/** Which phone line has bid: by its digit, or none in particular. */
function lines(desk) {
  const { t, phones } = desk;
  return html`<div class="lines" role="group" aria-label=${t("console.lines")}>${Object.keys(phones).map(
    (line) => html`<button type="button" class="btn" @click=${() => desk.phone(Number(line))}>${t("console.line", { line, paddle: phones[line] })}</button>`,
  )}<button type="button" class="btn" @click=${() => desk.phone(null)}>${t("console.line.none")}</button></div>`;
}

export function takes(desk) {
  const { state, t } = desk;
  const found = tiles(state, desk.may, desk.voice);
  return html`<div class="takes" role="group" aria-label=${t("console.takes")}>${["room", "phone", "online", "left"].map((name) => {
    const tile = found[name];
    const text = name === "phone" && desk.phoning ? ["console.take.line"] : name === "phone" && tile.on && desk.phoneLines ? ["console.take.lines", { lines: desk.phoneLines }] : tile.text;
    return acts(desk, { name, cls: tile.hot ? "take hot" : "take", on: tile.on, press: () => desk.press(name), body: html`<b>${t(...tile.label)}</b><span>${t(...text)}</span>` });
  })}</div>`;
}

export function close(desk) {
  const { state, t, cash } = desk;
  const { auction } = shownLot(state);
  const warn = warnButton(state, desk.may);
  const main = mainButton(state, desk.may, desk.voice);
  const short = belowReserve(state) > 0 || (auction.reserve === "not_met" && hasLeader(state));
  const [last] = undoable(state);
  const [closed] = reopenable(state);
  const two = (label, small) => html`<b>${t(...label)}</b>${small ? html`<span>${small}</span>` : nothing}`;
  return html`<div class="acts" role="group" aria-label=${t("console.close")}>
    ${acts(desk, { name: "warn", cls: "big warn", on: warn.on, press: () => desk.press("warn"), body: two(warn.label) })}
    ${acts(desk, { name: main.name, cls: `big hammer ${main.kind === "hammer" ? "" : main.kind}`, on: main.on, press: () => desk.press(main.name), body: html`${icon("gavel")}<b>${t(...main.label)}</b><span>${main.text ? t(...main.text) : nothing}</span>` })}
    ${acts(desk, { name: "pass", cls: short ? "big first" : "big", on: canPass(desk), press: () => desk.press("pass"), body: two(["console.act.pass"]) })}
    ${acts(desk, { name: "undo", cls: "big", on: canUndo(desk), press: () => desk.press("undo"), body: two(["console.act.undo"], last ? cash(last.amount) : "") })}
    ${acts(desk, { name: "reopen", cls: "big", on: desk.may && closed !== undefined, press: () => desk.press("reopen"), body: two(["console.act.reopen"], closed ? t("console.act.lot", { lot: closed.lotNumber }) : "") })}
  </div>`;
}

const isUndecided = ({ auction }) => auction.status === "closed" && auction.outcome === "sold_subject";
export const canPass = (desk) => desk.may && (isSelling(desk.state) || isUndecided(shownLot(desk.state)));
export const canUndo = (desk) => desk.may && ["open", "paused"].includes(shownLot(desk.state).auction.status) && undoable(desk.state).length > 0;

// ── the side ─────────────────────────────────────────────────────────────────────────────────

export function side(desk) {
  const { t } = desk;
  return html`<aside class="side" aria-label=${t("console.side")}>${log(desk)}${desk.state.watching ? nothing : html`${say(desk)}${auto(desk)}`}${links(desk)}</aside>`;
}

function log(desk) {
  const { state, t } = desk;
  const row = rowOf(state, state.shown);
  const bids = deskOf(state)?.bids ?? [];
  const held = waiting(state).map((bid) => ({ ...bid, channel: "online", state: "waiting" }));
  const rows = [...held, ...bids.filter((bid) => bid.state !== "waiting")];
  return html`<div class="log"><h2 id="lh">${t("console.bids", { lot: row.lotNumber })}</h2>
    <div class="rows" tabindex="0" role="region" aria-labelledby="lh"><table><thead class="sr"><tr><th scope="col">${t("console.col.amount")}</th><th scope="col">${t("console.col.source")}</th><th scope="col">${t("console.col.paddle")}</th><th scope="col">${t("console.col.time")}</th></tr></thead>
    <tbody id="log">${repeat(rows, (bid) => bid.bidId, (bid) => entry(desk, bid, bid === rows.find((other) => other.state === "standing")))}</tbody></table>
    ${rows.length === 0 ? html`<p class="none">${t("console.bids.none")}</p>` : nothing}</div></div>`;
}

function entry(desk, bid, leads) {
  const { t, cash } = desk;
  const void_ = bid.state === "undone" || bid.state === "refused";
  const cls = bid.state === "waiting" ? "wait" : void_ ? "void" : leads ? "lead" : "";
  return html`<tr class=${cls}><td>${void_ ? html`<s>${cash(bid.amount)}</s>` : cash(bid.amount)}</td><td>${t(bid.house ? "console.lane.house" : `console.lane.${bid.channel}`)}</td><td>${bid.paddle ?? "–"}</td><td>${last(desk, bid)}</td></tr>`;
}

function last(desk, bid) {
  const { t, state } = desk;
  if (bid.state === "waiting") return html`${t("console.state.waiting")}${desk.may ? html`<button type="button" class="row" @click=${() => desk.refuse(bid)}>${t("console.refuse")}</button>` : nothing}`;
  if (bid.state === "undone" || bid.state === "refused") {
    const again = desk.may && shownLot(state).auction.status === "open" && bid.amount >= (shownLot(state).auction.price ?? 0);
    return again ? html`<button type="button" class="row" @click=${() => desk.reinstate(bid)}>${t("console.reinstate")}</button>` : t(`console.state.${bid.state}`);
  }
  return html`<time datetime=${new Date(bid.at).toISOString()}>${desk.time(bid.at)}</time>`;
}

function say(desk) {
  const { t } = desk;
  const on = desk.may && !isOver(shownLot(desk.state).auction.status);
  return html`<section class="msgs" aria-labelledby="mh"><h2 id="mh">${t("console.say")} ${kbd(desk, "say")}</h2>
    <div class="quick">${[1, 2, 3, 4].map((n) => acts(desk, { name: `quick${n}`, cls: "btn", on, press: () => desk.press(`quick${n}`), body: t(`console.quick.${n}`) }))}</div>
    <form class="say" @submit=${(event) => desk.sendMessage(event)}><label class="sr" for="m">${t("console.message")}</label><input id="m" name="text" maxlength="280" autocomplete="off" placeholder=${t("console.message.hint")}><button class="btn" aria-disabled=${on ? "false" : "true"}>${t("console.send")}</button></form></section>`;
}

function auto(desk) {
  const { t, state } = desk;
  return html`<section class="auto"><p><b id="aa">${t("console.auto")}</b><span id="ab">${t(state.autoAccept ? "console.auto.on" : "console.auto.off")}</span></p>
    <button type="button" class="sw" role="switch" aria-checked=${state.autoAccept ? "true" : "false"} aria-labelledby="aa" aria-describedby="ab" aria-disabled=${desk.may ? "false" : "true"} @click=${() => desk.may && desk.act("auto_accept", { on: !state.autoAccept })}><span></span></button></section>`;
}

function links(desk) {
  const { t, state } = desk;
  const held = state.control ? t("console.control.name", { name: state.control.name || state.control.by }) : t("console.control.free");
  return html`<p class="links"><span id="control">${hold(state) === "ours" ? t("console.control.ours") : held}</span><a href=${`/room/${state.sale.id}`} target="_blank" rel="noopener">${t("console.projector")}</a><button type="button" class="keys" data-act="keys" aria-keyshortcuts=${desk.keys.on ? shortcut(desk.keys.keys.keys) : nothing} @click=${() => desk.press("keys")}>${t("console.keys")} ${kbd(desk, "keys")}</button></p>`;
}
