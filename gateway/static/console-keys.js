/**
 * The keys of the rostrum: which key does what, as this auctioneer has set it.
 *
 * Pure but for what is handed in. A key does nothing in a field, with a modifier, held down, or
 * when all of them are switched off (WCAG 2.1.4). The space bar is nobody's: it is easy to lean
 * on. Keys are told by what they write, and where that is no Latin letter, by where they lie.
 */

export const DEFAULTS = {
  room: "f", phone: "p", online: "i", left: "c", ask: "a", other: "b", up: "ArrowUp", down: "ArrowDown",
  warn: "w", hammer: "h", escape: "Escape", pass: "x", undo: "u", reopen: "r", next: "n", goto: "g", say: "m",
  quick1: "1", quick2: "2", quick3: "3", quick4: "4", more: "o", keys: "?",
};
const FIXED = ["escape"]; // the way out of everything stays where everybody looks for it
const STORED = "fairwarning.console.keys";

/** The keys as kept in this browser: `{off, keys}`. */
export function recall(storage) {
  try {
    const kept = JSON.parse(storage.getItem(STORED) ?? "null");
    const keys = Object.fromEntries(Object.entries(kept?.keys ?? {}).filter(([name, key]) => name in DEFAULTS && typeof key === "string"));
    return { off: kept?.off === true, keys: { ...DEFAULTS, ...keys } };
  } catch {
    return { off: false, keys: { ...DEFAULTS } }; // storage refused, or foreign text
  }
}

export function keep(storage, settings) {
  try {
    storage.setItem(STORED, JSON.stringify(settings));
  } catch {
    // Storage is full or refused: the keys hold for this visit.
  }
}

/** The settings with another key for one act; null: that key cannot be had. */
export function remap(settings, name, key) {
  const wanted = key.length === 1 ? key.toLowerCase() : key;
  if (FIXED.includes(name) || wanted === " " || wanted === "Escape" || wanted === "Tab" || wanted === "Enter") return null;
  const taken = Object.entries(settings.keys).some(([other, used]) => used === wanted && other !== name);
  return taken ? null : { ...settings, keys: { ...settings.keys, [name]: wanted } };
}

/** What an event of the keyboard asks for: the name of an act, or null. */
export function actOf(event, settings, isField) {
  if (event.repeat || event.isComposing || event.ctrlKey || event.altKey || event.metaKey || isField) return null;
  const name = nameOf(written(event), settings.keys);
  if (name !== null && (FIXED.includes(name) || !settings.off)) return name;
  return null;
}

/** The digit that a key writes; null: none. */
export function digitOf(event) {
  return /^[1-9]$/.test(event.key) && !event.repeat ? Number(event.key) : null;
}

function written({ key, code, shiftKey }) {
  if (key.length > 1) return key;
  const letter = /^Key([A-Z])$/.exec(code ?? "");
  if (/[^\x20-\x7e]/.test(key) && letter) return letter[1].toLowerCase(); // another alphabet's layout
  return shiftKey && /[a-z]/i.test(key) ? null : key.toLowerCase();
}

function nameOf(key, keys) {
  if (key === null || key === " ") return null;
  return Object.keys(keys).find((name) => keys[name] === key) ?? null;
}

/** A key as it is printed on its button. */
export function printed(key) {
  return { ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc" }[key] ?? key.toUpperCase();
}

/** Is this element one that keys write into, or choose in? */
export function isField(element) {
  return element instanceof HTMLElement && (element.isContentEditable || element.matches("input,textarea,select"));
}
