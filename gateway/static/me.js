/**
 * A bidder's own page, kept live: every lot of theirs over one line.
 *
 * What changes is written where it stands. A row whose standing changed keeps its place, so that
 * nothing moves under a finger, and "Update order" is offered instead. Being outbid is said aloud.
 */

import { announcer } from "./announce.js";
import { face } from "./cards.js";
import { SaleClock, countdown } from "./clock.js";
import { Follower, lineOf, storage, world } from "./follow.js";
import { Keys } from "./keys.js";
import { format } from "./money.js";
import { group } from "./own.js";
import { locale, t } from "./phrases.js";
import { houseTime } from "./times.js";

const $ = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const state = JSON.parse($("state").textContent ?? "{}");
const TOKEN_MS = 50 * 60_000; // of the hour that a token is good for
const ICONS = { leading: "ok", outbid: "up", sealed: "upcoming", won: "live", lost: "over", watching: "star" };
const OPEN = ["leading", "outbid", "sealed", "watching"];

const clock = new SaleClock(() => performance.now(), state.now);
const say = announcer({ polite: $("polite"), urgent: $("urgent") }, (work, ms) => setTimeout(work, ms));
/** @type {HTMLElement[]} */
const rows = [...document.querySelectorAll("article[data-lot]")].map((row) => /** @type {HTMLElement} */ (row));

// ── who asks ─────────────────────────────────────────────────────────────────────────────────

let token = { text: state.token, until: performance.now() + TOKEN_MS };

/** The token that the page was written with, and a fresh one when that is about to end. */
async function currentToken() {
  if (performance.now() < token.until) return token.text;
  const answer = await fetch("/session/ticket", { method: "POST" }).catch(() => null);
  if (answer?.status === 401) location.reload(); // signed out meanwhile: it leads to the sign-in
  if (answer?.ok) token = { text: (await answer.json()).token, until: performance.now() + TOKEN_MS };
  return token.text;
}

const follower = new Follower({ url: lineOf(location), key: state.key, token: currentToken, clock, onView: show, onLink: tellLink, world: world() });

// ── a row ────────────────────────────────────────────────────────────────────────────────────

function show(/** @type {any} */ view) {
  const row = /** @type {HTMLElement | null} */ (document.querySelector(`article[data-lot="${CSS.escape(view.auctionId)}"]`));
  if (!row) return;
  const { auction, you } = view;
  const { label, amount, word, at } = face(auction);
  write(row, "label", label ? t(`catalogue.${label}`) : "");
  write(row, "price", amount === null ? "" : format(amount, auction));
  write(row, "state", t(`catalogue.state.${word}`));
  showTime(row, at);
  showMaximum(row, you?.max ?? null, auction);
  showStanding(row, group(auction, you) ?? "watching");
  row.dataset.closes = auction.status === "open" && auction.closesAt !== null ? String(auction.closesAt) : "";
}

function showTime(/** @type {HTMLElement} */ row, /** @type {number|null} */ at) {
  const time = /** @type {HTMLTimeElement} */ (row.querySelector("time"));
  time.hidden = at === null;
  if (at === null) return;
  const words = houseTime(at, row.dataset.zone ?? "UTC", locale);
  if (time.textContent !== words) time.textContent = words;
  time.dateTime = new Date(at).toISOString().replace(/\.\d+/, "");
}

function showMaximum(/** @type {HTMLElement} */ row, /** @type {number|null} */ maximum, /** @type {any} */ money) {
  /** @type {HTMLElement} */ (part(row, "mask")).hidden = maximum === null;
  write(row, "max", maximum === null ? "" : format(maximum, money));
}

function showStanding(/** @type {HTMLElement} */ row, /** @type {keyof typeof ICONS} */ now) {
  const before = row.dataset.group;
  if (before === now) return;
  row.dataset.group = now;
  const line = /** @type {HTMLElement} */ (row.querySelector(".state"));
  line.dataset.group = now;
  part(row, "icon").setAttribute("href", `#i-${ICONS[now]}`);
  write(row, "standing", t(`account.standing.${now}`));
  const words = `${t("common.lot", { lot: row.dataset.number ?? "" })}: ${t(`account.standing.${now}`)}`;
  say(now === "outbid" ? "urgent" : "polite", words);
  const section = /** @type {HTMLElement} */ (row.closest("section[data-group]"));
  if (section.dataset.group !== now) $("moved").hidden = false;
}

function part(/** @type {Element} */ row, /** @type {string} */ name) {
  return /** @type {Element} */ (row.querySelector(`[data-part=${name}]`));
}

function write(/** @type {Element} */ row, /** @type {string} */ name, /** @type {string} */ text) {
  const element = part(row, name);
  if (element.textContent !== text) element.textContent = text;
}

// ── the time that is left ────────────────────────────────────────────────────────────────────

function tick() {
  const now = clock.now();
  for (const row of rows) {
    const closes = OPEN.includes(row.dataset.group ?? "") ? Number(row.dataset.closes) : 0;
    write(row, "left", closes > now ? left(closes - now) : "");
  }
}

function left(/** @type {number} */ ms) {
  const { text, days } = countdown(ms);
  return text === null ? t("account.left.days", { n: days }) : t("account.left.time", { time: text });
}

// ── the line, and the keys ───────────────────────────────────────────────────────────────────

function tellLink(/** @type {boolean} */ isLive) {
  document.documentElement.dataset.link = isLive ? "live" : "offline";
  /** @type {HTMLElement} */ ($("stale").firstElementChild).hidden = isLive;
}

/** The catalogue's one key; it is switched on and off here. */
const keys = new Keys(storage(), "fairwarning.keys.catalogue", { search: "/" }, true);
const box = /** @type {HTMLInputElement} */ ($("keys-on"));
box.checked = keys.on;
box.addEventListener("change", () => keys.turn(box.checked));
$("keys").hidden = false;

addEventListener("pagehide", () => follower.shut());
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload(); // it may be somebody else who is signed in by now
});
follower.follow(rows.filter((row) => OPEN.includes(row.dataset.group ?? "")).map((row) => row.dataset.lot ?? ""));
if (rows.length > 0) follower.open();
setInterval(tick, 1000);
