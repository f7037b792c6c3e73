/**
 * The lot page: joins the view, the words and the line to what is on the screen.
 *
 * The only module here that touches the document. It keeps one view, shows its words after every
 * frame, and turns a press into at most one bid: for exactly the amount shown, and only if that
 * amount did not change under the finger or in the moment before.
 */

import { drawPrices } from "./chart.js";
import { SaleClock, countdown, milestone, spoken } from "./clock.js";
import { isSurprising, mark, parse } from "./money.js";
import { Line } from "./socket.js";
import { fromSnapshot, isOver, moved, reduce, sending, unanswered } from "./view.js";
import * as words from "./words.js";

const GUARD_MS = 600; // nobody reads a new price and decides on it in less
const PRICE_PAUSE_MS = 700; // prices are spoken at most this often, the last one wins
const TICK_MS = 200;
const LAST_MINUTE_MS = 60_000;

const $ = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));
const state = JSON.parse($("state").textContent);
const steady = () => performance.now();
const clock = new SaleClock(steady, state.now);
const titleEnd = document.title;

let view = fromSnapshot(state.snapshot, steady());
if (state.paddle !== null && view.you && view.you.paddle == null) view.you.paddle = state.paddle;

const line = new Line({
  url: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`,
  auctionId: view.auctionId,
  key: state.key,
  token: state.token,
  clock,
  position: () => (view.gap ? null : { lineage: view.lineage, seq: view.seq }),
  closing: () => view.auction.closesAt !== null && view.auction.closesAt - clock.now() < LAST_MINUTE_MS,
  onFrame: heard,
  onBid: (event, bid) => change(event === "sending" ? sending(view, bid) : unanswered(view, bid)),
  onChange: show,
  world: {
    WebSocket,
    storage: sessionStorage,
    steady,
    wall: () => Date.now(),
    setTimeout: (/** @type {any} */ act, /** @type {number} */ delay) => setTimeout(act, delay),
    clearTimeout: (/** @type {any} */ timer) => clearTimeout(timer),
    uuid,
    random: Math.random,
  },
});

/** A number for one bid. `randomUUID` is missing where the page came over plain http from
 *  another machine, as it may on a saleroom's own network. */
function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const hex = [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
}

function heard(/** @type {any} */ frame) {
  const missing = view.gap;
  change(reduce(view, frame, steady()));
  if (view.gap && !missing) line.refresh();
}

function change(/** @type {any} */ next) {
  if (next === view) return;
  view = next;
  if (view.you && view.you.paddle == null) view.you.paddle = state.paddle;
  show();
}

// ── showing ──────────────────────────────────────────────────────────────────────────────────

function text(/** @type {string} */ id, /** @type {string} */ value) {
  const element = $(id);
  if (element.textContent !== value) element.textContent = value;
}

function show() {
  const link = line.link;
  document.documentElement.dataset.link = link.live ? "live" : link.why === "connecting" ? "connecting" : "offline";
  // Where nothing can be bid, the words and fields about bidding are put away.
  const watching = isOver(view) || ["spectator", "ended", "suspended"].includes(link.access);
  document.documentElement.dataset.watching = String(watching);
  showBanner(words.banner(view, link, steady()));
  showPrice(words.price(view));
  showButton(words.button(view, link, steady()));
  text("link", words.connection(view, link));
  text("reserve", words.reserve(view));
  text("counts", words.counts(view));
  showMaximum(link);
  showBids();
  showClock();
}

let shownBanner = { head: "", text: "" };

function showBanner(/** @type {any} */ banner) {
  $("banner").dataset.k = banner.kind;
  $("banner-icon").setAttribute("href", `#i-${banner.icon}`);
  text("banner-head", banner.head);
  text("banner-text", banner.text);
  document.title = banner.title ? `${banner.title} · ${titleEnd}` : titleEnd;
  const fresh = banner.head !== shownBanner.head;
  if (fresh && shownBanner.head !== "" && banner.urgent) say("urgent", `${banner.head}. ${banner.text}`);
  else if (fresh && !banner.urgent) say("polite", banner.head);
  shownBanner = banner;
}

function showPrice(/** @type {{label: string, text: string}} */ price) {
  text("price-label", price.label);
  if ($("price").textContent === price.text) return;
  text("price", price.text);
  sayPrice();
}

function showButton(/** @type {any} */ face) {
  const [go, signIn] = [$("go"), $("sign-in")];
  go.hidden = face.link;
  signIn.hidden = !face.link;
  if (face.link) return text("sign-in", face.label);
  go.setAttribute("aria-disabled", String(face.off));
  go.classList.toggle("pri", !face.off);
  text("go-word", face.label);
  text("go-amount", face.amount === null ? "" : words.cash(view, face.amount));
  $("go-amount").hidden = face.amount === null;
}

function showMaximum(/** @type {any} */ link) {
  const may = words.mayLimit(view, link, steady());
  $("limit").disabled = !["bidder", "unknown"].includes(link.access) || isOver(view);
  $("set-limit").setAttribute("aria-disabled", String(!may));
  text("your-limit", words.yourMaximum(view));
}

/** @type {any} */
let shownBids = null;

function showBids() {
  if (view.bids === shownBids) return;
  shownBids = view.bids;
  $("bids").replaceChildren(...view.bids.map(bidRow));
  drawPrices($("chart"), view, state.estimate, (minor) => words.cash(view, minor));
}

function bidRow(/** @type {any} */ bid, /** @type {number} */ index) {
  const who = words.bidder(view, bid);
  const row = document.createElement("tr");
  row.className = `${index === 0 ? "top1" : ""} ${who.you ? "me" : ""}`.trim();
  const name = document.createElement(who.you ? "b" : "span");
  name.textContent = who.name;
  const where = document.createElement("span");
  where.className = "src";
  where.textContent = ` ${who.where}${bid.merged > 1 ? ` · ${bid.merged} bids` : ""}`;
  row.append(cell("money", words.cash(view, bid.price)), cell("", name, where), cell("", timeOf(bid.at)));
  return row;
}

function cell(/** @type {string} */ className, /** @type {(string|Node)[]} */ ...content) {
  const td = document.createElement("td");
  td.className = className;
  td.append(...content);
  return td;
}

const timeOfDay = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const dayAndTime = new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short",
});

function timeOf(/** @type {number|null} */ at) {
  if (at === null || at === undefined) return "earlier";
  const time = document.createElement("time");
  time.dateTime = new Date(at).toISOString();
  time.textContent = timeOfDay.format(at);
  return time;
}

let shownSeconds = Infinity;

/** Which instant the clock runs to, and its word. */
function target() {
  const { status, opensAt, closesAt } = view.auction;
  if (isOver(view)) return { label: "Closed", at: null };
  if (status === "paused") return { label: "Clock stopped", at: null };
  if (status === "scheduled" || status === "draft") return { label: "Opens in", at: opensAt ?? null };
  return closesAt === null ? { label: "", at: null } : { label: "Closes in", at: closesAt };
}

function showClock() {
  const { label, at } = target();
  if (at === null) return showStill(label);
  const left = at - clock.now();
  const { text: digits, seconds } = countdown(left);
  text("clock-label", left <= 0 ? "Any moment now" : label);
  text("clock-digits", digits);
  text("clock-words", spoken(seconds));
  $("bar").style.setProperty("--left", String(Math.max(0, Math.min(1, left / LAST_MINUTE_MS))));
  text("ends", `${label === "Opens in" ? "Opens" : "Closes"} ${dayAndTime.format(at)}`);
  showExtended();
  const passed = label === "Closes in" ? milestone(shownSeconds, seconds) : null;
  if (passed !== null && line.link.live) say("polite", `${passed} seconds left`);
  shownSeconds = seconds;
}

function showStill(/** @type {string} */ label) {
  text("clock-label", label);
  text("clock-digits", label === "Clock stopped" ? "–:––" : "");
  text("clock-words", "");
  $("bar").style.setProperty("--left", "0");
  const { closesAt } = view.auction;
  text("ends", label === "Closed" && closesAt ? `Closed ${dayAndTime.format(closesAt)}` : "");
  showExtended();
  shownSeconds = Infinity;
}

function showExtended() {
  const times = words.extended(view);
  text("extended", times && ` · ${times}`);
  text("extended-short", times && ` · ${times}`); // on a phone, beside the clock
}

// ── speaking ─────────────────────────────────────────────────────────────────────────────────

function say(/** @type {"polite"|"urgent"} */ where, /** @type {string} */ sentence) {
  $(where).textContent = sentence;
}

/** @type {any} */
let priceTimer = null;

function sayPrice() {
  if (priceTimer !== null || !line.link.live) return;
  priceTimer = setTimeout(() => {
    priceTimer = null;
    const { label, text: amount } = words.price(view);
    say("polite", `${label} ${amount}`);
  }, PRICE_PAUSE_MS);
}

// ── bidding ──────────────────────────────────────────────────────────────────────────────────

/** What the button offered when the finger came down: undefined when no finger did. */
let offered = /** @type {number|null|undefined} */ (undefined);
let sentAt = -Infinity;

function fingerDown() {
  offered = words.button(view, line.link, steady()).amount;
}

function press() {
  const before = offered;
  offered = undefined;
  const { amount } = words.button(view, line.link, steady());
  if (amount === null || before === null) return; // the button was off when the finger came down, or is now
  if (steady() - sentAt < GUARD_MS) return; // the second half of a double click
  const underFinger = before !== undefined && before !== amount;
  if (underFinger || steady() - view.movedAt < GUARD_MS) return change(moved(view));
  place(amount, "bid");
}

/** @returns {boolean} whether it left */
function place(/** @type {number} */ amount, /** @type {"bid"|"max"} */ kind) {
  const left = line.bid(amount, kind, view.seq);
  if (left) sentAt = steady();
  return left;
}

function onKey(/** @type {KeyboardEvent} */ event) {
  if (event.key !== "Enter" && event.key !== " ") return;
  if (event.repeat) event.preventDefault(); // a key held down is one press
  else fingerDown();
}

$("go").addEventListener("pointerdown", fingerDown);
$("go").addEventListener("pointercancel", () => (offered = undefined));
$("go").addEventListener("keydown", onKey);
$("go").addEventListener("click", press);

// ── your maximum ─────────────────────────────────────────────────────────────────────────────

const HINT = "We bid for you one step at a time, only as far as needed.";

function hint(/** @type {string} */ sentence) {
  text("limit-hint", sentence);
}

function readLimit() {
  const typed = $("limit-amount").value;
  const read = parse(typed, view.auction);
  if (typed.trim() === "") return hint(HINT);
  hint("minor" in read ? `That is ${words.cash(view, read.minor)}.` : "error" in read ? read.error : "We will ask which amount you mean.");
}

function submitLimit(/** @type {Event} */ event) {
  event.preventDefault();
  if (!words.mayLimit(view, line.link, steady())) return hint("Not sent: bidding is off at the moment. You have not bid.");
  const read = parse($("limit-amount").value, view.auction);
  if ("error" in read) return refuseTyping(read.error);
  if ("ask" in read) return ask(/** @type {number[]} */ (read.ask));
  const { price, askingBid } = view.auction;
  if (isSurprising(read.minor, price ?? askingBid, state.estimate[1])) return ask([read.minor]);
  limit(read.minor);
}

function refuseTyping(/** @type {string} */ why) {
  hint(`${why} You have not bid.`);
  $("limit-amount").focus();
}

/** "Is €520,000 right?", or which of two. Nothing is sent until one is chosen. */
function ask(/** @type {number[]} */ amounts) {
  const [first] = amounts;
  text("ask-question", amounts.length > 1 ? "Which amount do you mean?" : `Is ${words.cash(view, first)} right?`);
  const yes = amounts.map((amount) => choice(amounts.length > 1 ? words.cash(view, amount) : "Yes, that is my maximum", () => limit(amount)));
  $("ask-choices").replaceChildren(...yes, choice("No, change it", stopAsking));
  $("ask").hidden = false;
  $("limit-row").hidden = true;
  hint("You have not bid.");
  say("urgent", $("ask-question").textContent);
  yes[0].focus();
}

function choice(/** @type {string} */ label, /** @type {() => void} */ act) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn";
  button.textContent = label;
  button.addEventListener("click", act);
  return button;
}

function stopAsking() {
  $("ask").hidden = true;
  $("limit-row").hidden = false;
  hint(HINT);
  $("limit-amount").focus();
}

function limit(/** @type {number} */ amount) {
  $("ask").hidden = true;
  $("limit-row").hidden = false;
  const may = words.mayLimit(view, line.link, steady());
  if (!may || !place(amount, "max")) return hint("Not sent: bidding is off at the moment. You have not bid.");
  $("limit-amount").value = "";
  hint(HINT);
  openSheet(false);
}

function openSheet(/** @type {boolean} */ open) {
  $("more").dataset.open = String(open);
  $("sheet").setAttribute("aria-expanded", String(open));
}

$("limit-amount").addEventListener("input", readLimit);
$("limit-form").addEventListener("submit", submitLimit);
$("sheet").addEventListener("click", () => openSheet($("more").dataset.open !== "true"));

// ── photographs ──────────────────────────────────────────────────────────────────────────────

for (const thumb of document.querySelectorAll("#thumbs button")) {
  thumb.addEventListener("click", () => {
    const image = /** @type {HTMLImageElement} */ (thumb.querySelector("img"));
    $("hero").src = image.src;
    $("hero").alt = thumb.getAttribute("data-alt") ?? "";
    for (const other of document.querySelectorAll("#thumbs [aria-current]")) other.removeAttribute("aria-current");
    thumb.setAttribute("aria-current", "true");
  });
}

// ── the page's own life ──────────────────────────────────────────────────────────────────────

text("limit-mark", mark(view.auction.currency));
addEventListener("offline", () => line.networkGone());
addEventListener("online", () => line.networkBack());
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && line.check());
addEventListener("pagehide", () => line.shut());
addEventListener("pageshow", (event) => event.persisted && line.open());
setInterval(show, TICK_MS); // the countdown, the age of a stale price, and a wait that ends
show();
line.open();
