/**
 * The catalogue, kept live: the lots that are seen, and the one that is on now.
 *
 * The page is whole without it. It follows each lot from the moment it comes into sight, and
 * writes what has changed into the places that the server wrote; nothing is moved, and reading
 * elsewhere is never disturbed. While the saleroom cannot be reached it says so.
 */

import { face } from "./cards.js";
import { SaleClock } from "./clock.js";
import { Follower, lineOf, storage, world } from "./follow.js";
import { Keys, isField } from "./keys.js";
import { format } from "./money.js";
import { locale, t } from "./phrases.js";
import { houseTime } from "./times.js";

const $ = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const state = JSON.parse($("state").textContent ?? "{}");
const AHEAD = 3; // live lots that are followed: the next one opens while we look

const follower = new Follower({
  url: lineOf(location),
  key: state.key,
  token: async () => null, // what is shown here is for everybody
  clock: new SaleClock(() => performance.now(), state.now),
  onView: show,
  onLink: tellLink,
  world: world(),
});

// ── the lots ─────────────────────────────────────────────────────────────────────────────────

function show(/** @type {any} */ view, /** @type {any} */ before) {
  const { auction, auctionId } = view;
  const card = document.querySelector(`[data-lot="${CSS.escape(auctionId)}"]`);
  if (card) showCard(/** @type {HTMLElement} */ (card), auction, before === null ? auction.price : before.auction.price);
  showOnNow();
}

function showCard(/** @type {HTMLElement} */ card, /** @type {any} */ auction, /** @type {number|null} */ priceBefore) {
  const { kind, label, amount, word, at } = face(auction);
  card.dataset.kind = kind;
  write(card, "label", label ? t(`catalogue.${label}`) : "");
  write(card, "price", amount === null ? "" : format(amount, auction));
  write(card, "bids", auction.bidCount ? t("catalogue.bids", { n: auction.bidCount }) : "");
  write(card, "state", t(`catalogue.state.${word}`));
  const line = /** @type {HTMLElement} */ (card.querySelector(".state"));
  line.dataset.kind = kind;
  part(card, "icon").setAttribute("href", `#i-${kind}`);
  showTime(/** @type {HTMLTimeElement} */ (line.querySelector("time")), at, zoneOf(card));
  if (auction.price !== priceBefore) flash(card);
}

function showTime(/** @type {HTMLTimeElement} */ time, /** @type {number|null} */ at, /** @type {string} */ zone) {
  time.hidden = at === null;
  if (at === null) return;
  const words = houseTime(at, zone, locale);
  if (time.textContent !== words) time.textContent = words;
  time.dateTime = new Date(at).toISOString().replace(/\.\d+/, "");
}

function zoneOf(/** @type {Element} */ card) {
  return /** @type {HTMLElement} */ (card.closest("[data-zone]"))?.dataset.zone ?? "UTC";
}

function part(/** @type {Element} */ card, /** @type {string} */ name) {
  return /** @type {Element} */ (card.querySelector(`[data-part=${name}]`));
}

function write(/** @type {Element} */ card, /** @type {string} */ name, /** @type {string} */ text) {
  const element = part(card, name);
  if (element.textContent !== text) element.textContent = text;
}

function flash(/** @type {HTMLElement} */ card) {
  card.classList.remove("is-new");
  requestAnimationFrame(() => card.classList.add("is-new"));
}

// ── what is on now ───────────────────────────────────────────────────────────────────────────

/** @type {{id: string, number: string, name: string}[]} */
const live = state.live;

function showOnNow() {
  const ended = (/** @type {string} */ id) => {
    const status = follower.views.get(id)?.auction.status;
    return status !== undefined && !["draft", "scheduled", "open", "paused"].includes(status);
  };
  const left = live.filter((lot) => !ended(lot.id));
  follower.follow(left.slice(0, AHEAD).map((lot) => lot.id));
  const seen = live.some((lot) => follower.views.has(lot.id));
  if (!seen) return; // what the server wrote stands until we know better
  const now = left.find((lot) => follower.views.get(lot.id)?.auction.status === "open");
  $("on-now").hidden = !now;
  if (!now) return;
  $("on-now-link").setAttribute("href", `/lot/${encodeURIComponent(now.id)}`);
  $("on-now-head").textContent = t("catalogue.on-now", { lot: now.number });
  $("on-now-name").textContent = now.name;
}

// ── the line ─────────────────────────────────────────────────────────────────────────────────

function tellLink(/** @type {boolean} */ isLive) {
  document.documentElement.dataset.link = isLive ? "live" : "offline";
  /** @type {HTMLElement} */ ($("stale").firstElementChild).hidden = isLive;
}

// ── the star, and the search ─────────────────────────────────────────────────────────────────

async function star(/** @type {SubmitEvent} */ event) {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (!form.matches(".watch")) return;
  event.preventDefault();
  const button = /** @type {HTMLElement} */ (form.querySelector("button"));
  const wanted = button.getAttribute("aria-pressed") !== "true";
  const body = new URLSearchParams({ on: wanted ? "1" : "0" });
  const answer = await fetch(form.action, { method: "POST", body, headers: { accept: "application/json" } }).catch(() => null);
  if (answer?.status === 401) return form.submit(); // it leads to the sign-in, and back
  if (!answer?.ok) return;
  const { watching } = await answer.json();
  button.setAttribute("aria-pressed", String(watching));
  /** @type {HTMLInputElement} */ (form.elements.namedItem("on")).value = watching ? "0" : "1";
}

/** "/" leads to the search; it is switched off on the bidder's own page. */
const keys = new Keys(storage(), "fairwarning.keys.catalogue", { search: "/" }, true);

function key(/** @type {KeyboardEvent} */ event) {
  if (keys.actOf(event, isField(event.target)) !== "search") return;
  event.preventDefault();
  $("q").focus();
}

document.addEventListener("submit", star);
document.addEventListener("keydown", key);

function come(/** @type {IntersectionObserverEntry[]} */ entries) {
  const inSight = entries.filter((entry) => entry.isIntersecting);
  follower.follow(inSight.map((entry) => /** @type {string} */ (/** @type {HTMLElement} */ (entry.target).dataset.lot)));
  for (const { target } of inSight) seen.unobserve(target);
}

// A little before a lot comes into sight, so that its price is right when it does.
const seen = new IntersectionObserver(come, { rootMargin: "200px 0px" });
for (const card of document.querySelectorAll("[data-lot]")) seen.observe(card);

addEventListener("pagehide", () => follower.shut());
addEventListener("pageshow", (event) => {
  if (event.persisted) follower.open();
});
follower.follow(live.slice(0, AHEAD).map((lot) => lot.id));
follower.open();
