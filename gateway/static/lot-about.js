/**
 * What surrounds the bidding on a lot page: photographs, tabs and the object's record.
 *
 * The server writes all of it; here it is made to answer to a finger and to the keys.
 */

import { t } from "./phrases.js";

const RECORD_MS = 8000; // how long the verifier may take before we say that it cannot be checked

const $ = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));

// ── photographs ──────────────────────────────────────────────────────────────────────────────

const thumbs = [...document.querySelectorAll("#thumbs button")].map((button) => ({
  button,
  src: /** @type {HTMLImageElement} */ (button.querySelector("img")).src,
  alt: button.getAttribute("data-alt") ?? "",
}));
const hero = /** @type {HTMLImageElement|null} */ (document.querySelector("img#hero"));
const photographs = thumbs.length > 0 ? thumbs : hero ? [{ button: null, src: hero.src, alt: hero.alt }] : [];
let shown = 0;

function show(/** @type {number} */ place) {
  shown = (place + photographs.length) % photographs.length;
  const { src, alt } = photographs[shown];
  const count = t("lot.photograph.count", { place: shown + 1, count: photographs.length });
  for (const image of [hero, $("large")]) Object.assign(image, { src, alt });
  for (const { button } of thumbs) button.removeAttribute("aria-current");
  thumbs[shown]?.button.setAttribute("aria-current", "true");
  for (const id of ["shown", "large-shown"]) if ($(id)) $(id).textContent = count;
}

function onLightKey(/** @type {KeyboardEvent} */ event) {
  if (event.key === "ArrowLeft") show(shown - 1);
  if (event.key === "ArrowRight") show(shown + 1);
}

thumbs.forEach(({ button }, place) => button.addEventListener("click", () => show(place)));
if (hero) {
  $("zoom").addEventListener("click", () => (show(shown), $("lightbox").showModal()));
  $("earlier")?.addEventListener("click", () => show(shown - 1));
  $("later")?.addEventListener("click", () => show(shown + 1));
  $("shut").addEventListener("click", () => $("lightbox").close());
  $("lightbox").addEventListener("keydown", onLightKey);
}

// ── tabs, by the ARIA practices ──────────────────────────────────────────────────────────────

const tabs = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[role=tab]")]);

function select(/** @type {HTMLElement} */ chosen) {
  for (const tab of tabs) {
    tab.setAttribute("aria-selected", String(tab === chosen));
    tab.tabIndex = tab === chosen ? 0 : -1;
    $(tab.getAttribute("aria-controls") ?? "").hidden = tab !== chosen;
  }
}

function onTabKey(/** @type {KeyboardEvent} */ event) {
  const at = tabs.indexOf(/** @type {HTMLElement} */ (event.target));
  const goal = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
  if (goal === undefined) return;
  event.preventDefault();
  const tab = tabs[(goal + tabs.length) % tabs.length];
  select(tab);
  tab.focus();
}

for (const tab of tabs) {
  tab.addEventListener("click", () => select(tab));
  tab.addEventListener("keydown", onTabKey);
}

// ── watching ─────────────────────────────────────────────────────────────────────────────────

async function watch(/** @type {SubmitEvent} */ event) {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.target);
  const body = new URLSearchParams(/** @type {any} */ (new FormData(form)));
  const answer = await fetch(form.action, { method: "POST", body, headers: { accept: "application/json" } }).catch(() => null);
  if (!answer?.ok) return form.submit(); // the page that follows says what is wrong
  const { watching } = await answer.json();
  /** @type {HTMLInputElement} */ (form.elements.namedItem("on")).value = watching ? "0" : "1";
  $("watch").setAttribute("aria-pressed", String(watching));
  $("watch").querySelector("span").textContent = t(watching ? "lot.watching" : "lot.watch");
}

$("watching")?.addEventListener("submit", watch);

// ── the object's record ──────────────────────────────────────────────────────────────────────

/** Three states and no fourth: complete and unaltered, it does not match, or it cannot be checked
 *  right now. */
async function checkRecord() {
  const record = $("record");
  if (!record) return;
  const found = await readRecord(record.dataset.serial);
  const state = found === null ? "unknown" : found.chain_valid === true ? "valid" : "broken";
  record.dataset.k = { unknown: "warn", valid: "lead", broken: "out" }[state];
  $("record-head").textContent = t(`lot.record.${state}`);
  $("record-text").textContent = found === null ? "" : t("lot.record.entries", { n: found.events.length });
  $("record-link").textContent = t(`lot.record.link.${state}`);
  record.querySelector("use").setAttribute("href", state === "valid" ? "#i-seal" : "#i-warn");
}

async function readRecord(/** @type {string} */ serial) {
  try {
    const signal = AbortSignal.timeout(RECORD_MS);
    const answer = await fetch(`/api/v1/auction/objects/${encodeURIComponent(serial)}/provenance`, { signal });
    const said = answer.ok ? await answer.json() : null;
    return Array.isArray(said?.events) ? said : null;
  } catch {
    return null; // no answer, or none that can be read: then nothing was checked
  }
}

checkRecord();
