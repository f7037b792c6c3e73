/**
 * Single-key shortcuts: which of them a press asks for, as this person has set them.
 *
 * Pure but for the storage that is handed in. A key does nothing in a field, with a modifier,
 * held down, or while all are switched off (WCAG 2.1.4); Escape, which is no character and the
 * way out of everything, works always. Keys are told by what they write, and where that is no
 * Latin letter, by where they lie. Space, Enter and Tab belong to the browser: the space bar is
 * easy to lean on.
 *
 * @template {string} Act
 */
export class Keys {
  /**
   * @param {any} storage
   * @param {string} name what they are stored under
   * @param {Record<Act, string>} usual act → key
   * @param {boolean} [on] whether they are on until somebody has chosen
   */
  constructor(storage, name, usual, on = false) {
    this.storage = storage;
    this.name = name;
    this.usual = usual;
    const kept = this.recall();
    this.on = typeof kept.on === "boolean" ? kept.on : on;
    /** @type {Record<Act, string>} */
    this.keys = { ...usual, ...known(kept.keys, usual) };
  }

  /** What a press asks for, if anything.
   *  @param {KeyboardEvent} event @param {boolean} isTyped whether it goes into a field
   *  @returns {Act | "escape" | null} */
  actOf(event, isTyped) {
    if (event.repeat || event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return null;
    if (event.key === "Escape") return "escape";
    if (!this.on || isTyped) return null;
    const key = written(event);
    return /** @type {Act[]} */ (Object.keys(this.keys)).find((act) => this.keys[act] === key) ?? null;
  }

  /** Switch all of them on or off. @param {boolean} on */
  turn(on) {
    this.on = on;
    this.store();
  }

  /** Give an act another key. False: that key is taken, or the browser's.
   *  @param {Act} act @param {string} pressed */
  remap(act, pressed) {
    const key = pressed.length === 1 ? pressed.toLowerCase() : pressed;
    const acts = /** @type {Act[]} */ (Object.keys(this.keys));
    const isTaken = acts.some((other) => other !== act && this.keys[other] === key);
    if (isTaken || [" ", "Escape", "Enter", "Tab"].includes(key)) return false;
    this.keys = { ...this.keys, [act]: key };
    this.store();
    return true;
  }

  /** All as they were at first. */
  reset() {
    this.keys = { ...this.usual };
    this.store();
  }

  recall() {
    try {
      return JSON.parse(this.storage.getItem(this.name) ?? "null") ?? {};
    } catch {
      return {}; // storage refused, or foreign text
    }
  }

  store() {
    try {
      this.storage.setItem(this.name, JSON.stringify({ on: this.on, keys: this.keys }));
    } catch {
      // Storage is full or refused: they hold for this visit.
    }
  }
}

/** Is this something that keys write into, or choose in? @param {unknown} element */
export function isField(element) {
  return element instanceof HTMLElement && (element.isContentEditable || element.matches("input,textarea,select"));
}

/** A key as it is printed on its button. @param {string} key */
export function printed(key) {
  return { ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc" }[key] ?? key.toUpperCase();
}

/** @param {KeyboardEvent} event */
function written({ key, code }) {
  const letter = /^Key([A-Z])$/.exec(code ?? "");
  if (key.length === 1 && /[^\x20-\x7e]/.test(key) && letter) return letter[1].toLowerCase(); // another alphabet's layout
  return key.length === 1 ? key.toLowerCase() : key;
}

/** Of what was stored, that which is a key of ours. @param {any} kept @param {object} usual */
function known(kept, usual) {
  return Object.fromEntries(Object.entries(kept ?? {}).filter(([act, key]) => act in usual && typeof key === "string" && key !== ""));
}
