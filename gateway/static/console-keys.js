/**
 * The keys of the rostrum, as they are usually; `keys.js` keeps what an auctioneer makes of them.
 * On from the start, for a sale is sold by keys; all of them can be changed or switched off.
 */

import { Keys } from "./keys.js";

export const USUAL = {
  room: "f", phone: "p", online: "i", left: "c", ask: "a", other: "b", up: "ArrowUp", down: "ArrowDown",
  warn: "w", hammer: "h", pass: "x", undo: "u", reopen: "r", next: "n", goto: "g", say: "m",
  quick1: "1", quick2: "2", quick3: "3", quick4: "4", more: "o", keys: "?",
};

export const rostrumKeys = (/** @type {any} */ storage) => new Keys(storage, "fairwarning.console.keys", USUAL, true);

/** The digit that a key writes: a telephone's line; null: none. */
export function digitOf({ key, repeat }) {
  return /^[1-9]$/.test(key) && !repeat ? Number(key) : null;
}
