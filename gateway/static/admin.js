// What the clerk's pages do beyond their forms: count what is ticked, tell who has come, take the
// key A, and let an undo go when its time is over.  Without it every page does the same, by
// more presses.
// @ts-check
import { t } from "./phrases.js";

const ASK_EVERY_MS = 5000;
const KEYS_OFF = "clerk-keys-off"; // remembered in this browser alone

/** The buttons of a table say how many lots they are about: those ticked, else all shown. */
function countTicks() {
  const form = document.querySelector("form.many");
  if (!form) return;
  const ticks = [...form.querySelectorAll("input[name=lot]")].map((tick) => /** @type {HTMLInputElement} */ (tick));
  const buttons = [...form.querySelectorAll("button[data-count]")].map((button) => /** @type {HTMLButtonElement} */ (button));
  const say = () => {
    const ticked = ticks.filter((tick) => tick.checked);
    for (const button of buttons) {
      const able = ticked.filter((tick) => (tick.dataset.can ?? "").split(" ").includes(button.value));
      const n = ticked.length ? able.length : Number(button.dataset.count);
      button.textContent = t(`clerk.many.${button.value}`, { n });
      button.disabled = n === 0;
    }
  };
  form.addEventListener("change", say);
  say(); // a page that is come back to keeps its ticks
}

/** How many have come since the page was written; they are shown when that is pressed. */
function tellNews() {
  const link = /** @type {HTMLAnchorElement | null} */ (document.querySelector("#news"));
  if (!link) return;
  const ask = async () => {
    if (document.visibilityState === "hidden") return;
    try {
      const answer = await fetch(`${link.dataset.from}?after=${link.dataset.after}`);
      if (!answer.ok) return;
      const { count } = await answer.json();
      const text = count ? t("clerk.new", { n: count }) : "";
      if (link.textContent === text) return;
      link.textContent = text;
      link.hidden = !count;
      const polite = document.querySelector("#polite");
      if (polite) polite.textContent = text;
    } catch {
      // The line is down: the next round asks again.
    }
  };
  setInterval(ask, ASK_EVERY_MS);
}

/** A lets in whoever has the focus, else the first who waits; it can be switched off. */
function takeKeys() {
  const choice = /** @type {HTMLInputElement | null} */ (document.querySelector("#keys"));
  if (!choice) return;
  choice.checked = localStorage.getItem(KEYS_OFF) === null;
  choice.addEventListener("change", () => {
    if (choice.checked) localStorage.removeItem(KEYS_OFF);
    else localStorage.setItem(KEYS_OFF, "1");
  });
  document.addEventListener("keydown", (event) => {
    if (!choice.checked || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key.toLowerCase() !== "a" || isTyping(event.target)) return;
    const of = document.activeElement?.closest("[data-waiting]") ?? document.querySelector("[data-waiting]");
    const button = /** @type {HTMLButtonElement | null} */ (of?.querySelector("[data-approve]") ?? null);
    if (!button || button.disabled) return;
    event.preventDefault();
    button.disabled = true; // pressed again before the page is there, it is one decision
    button.form?.submit();
  });
}

/** @param {EventTarget | null} target */
function isTyping(target) {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !["checkbox", "radio"].includes(target.type);
  return ["TEXTAREA", "SELECT"].includes(target.tagName) || target.isContentEditable;
}

/** After its seconds a decision stands, and no button says otherwise. */
function letUndoGo() {
  const form = /** @type {HTMLElement | null} */ (document.querySelector(".undo"));
  if (!form) return;
  setTimeout(() => form.remove(), Number(form.dataset.seconds) * 1000);
}

countTicks();
tellNews();
takeKeys();
letUndoGo();
