/**
 * Single keys for the lot page, off until they are asked for (WCAG 2.1.4).
 *
 * Pure but for the storage that is handed in. A key does nothing in a field, with a modifier, or
 * held down; Escape, which is no character, always calls a confirmation off.
 */

const STORED = "fairwarning.keys";
const ACTS = /** @type {Record<string, "bid"|"maximum"|"watch">} */ ({ b: "bid", m: "maximum", w: "watch" });

export class Keys {
  /** @param {any} storage */
  constructor(storage) {
    this.storage = storage;
    this.on = this.recall();
  }

  recall() {
    try {
      return this.storage.getItem(STORED) === "on";
    } catch {
      return false; // storage refused: off, as they are for everybody at first
    }
  }

  flip() {
    this.on = !this.on;
    try {
      this.storage.setItem(STORED, this.on ? "on" : "off");
    } catch {
      // Not kept: the choice holds for this page.
    }
  }

  /** What a press of a key asks for, if anything.
   *  @param {KeyboardEvent} event @param {boolean} isField whether it is typed into something
   *  @returns {"bid"|"maximum"|"watch"|"away"|null} */
  actOf(event, isField) {
    if (event.repeat || event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return null;
    if (event.key === "Escape") return "away";
    if (!this.on || isField) return null;
    const key = event.key.toLowerCase();
    return Object.hasOwn(ACTS, key) ? ACTS[key] : null;
  }
}
