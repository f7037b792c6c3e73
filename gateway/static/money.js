/**
 * Money: whole minor units in, words out; and typed text back into whole minor units.
 *
 * No arithmetic on floats. An amount becomes a decimal string by moving the point, and `Intl`
 * writes that string. Cents appear whenever there are any and are never rounded away. Typed
 * maximums are read strictly: what has one plain reading is taken, everything else is asked back.
 */

import { locale as page } from "./phrases.js";

const LARGEST = Number.MAX_SAFE_INTEGER; // also the largest amount of the wire protocol

/** @typedef {{currency: string, exponent: number}} Currency */

/** The decimal text of an amount: (4400050, 2) → "44000.50". */
export function decimal(/** @type {number} */ minor, /** @type {number} */ exponent) {
  const digits = String(minor).padStart(exponent + 1, "0");
  const point = digits.length - exponent;
  return exponent === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** The amount as a person reads it: €44,000, or €44,000.50 when there are cents. */
export function format(/** @type {number} */ minor, /** @type {Currency} */ { currency, exponent }, locale = page) {
  const fraction = minor % 10 ** exponent === 0 ? 0 : exponent;
  const writer = new Intl.NumberFormat(locale, {
    style: "currency",
    currency,
    minimumFractionDigits: fraction,
    maximumFractionDigits: fraction,
  });
  return writer.format(/** @type {any} */ (decimal(minor, exponent)));
}

/** The currency's own mark, for the front of an input field. */
export function mark(/** @type {string} */ currency, locale = page) {
  const parts = new Intl.NumberFormat(locale, { style: "currency", currency }).formatToParts(0);
  return parts.find((part) => part.type === "currency")?.value ?? currency;
}

/**
 * Read a typed amount.
 *
 * `{minor}`: one plain reading: digits, or digits grouped in threes by one kind of mark.
 * `{ask: [minor, …]}`: readable, but not beyond doubt: with cents, or where a mark could be a
 *   group mark or a decimal point. The person chooses.
 * `{error}`: no amount at all, and why: empty, digits, unclear, large or zero.
 *
 * @param {string} text
 * @param {Currency} money
 * @returns {{minor: number} | {ask: number[]} | {error: "empty"|"digits"|"unclear"|"large"|"zero"}}
 */
export function parse(text, { currency, exponent }) {
  const bare = text.replace(mark(currency), "").replace(currency, "").trim();
  if (bare === "") return { error: "empty" };
  if (!/^\d[\d\s.,'’]*$/.test(bare)) return { error: "digits" };
  const readings = [...new Set([whole(bare), broken(bare, exponent)].filter((r) => r !== null))];
  const scaledAll = readings.map((digits) => scaled(/** @type {string} */ (digits), exponent));
  const amounts = scaledAll.filter((amount) => amount !== null);
  if (readings.length === 0) return { error: "unclear" };
  if (amounts.length < readings.length) return { error: "large" };
  if (amounts.some((amount) => amount === 0)) return { error: "zero" };
  const plain = amounts.length === 1 && whole(bare) !== null;
  return plain ? { minor: amounts[0] } : { ask: amounts };
}

/** Digits of a whole amount, plain or grouped in threes by one kind of mark; else null. */
function whole(/** @type {string} */ text) {
  if (/^\d+$/.test(text)) return text;
  const grouped = /^\d{1,3}(?:([\s.,'’])\d{3})(?:\1\d{3})*$/.test(text);
  return grouped ? text.replace(/\D/g, "") : null;
}

/** The reading with a decimal point: "52.000,50", "52.50", and for three decimals "52.000". */
function broken(/** @type {string} */ text, /** @type {number} */ exponent) {
  const found = exponent > 0 && new RegExp(`^(.+)([.,])(\\d{${exponent}})$`).exec(text);
  if (!found) return null;
  const [, front, point, cents] = found;
  const digits = whole(front);
  return digits === null || front.includes(point) ? null : `${digits}.${cents}`;
}

/** "52000" or "52000.50" in minor units, or null beyond the largest amount. */
function scaled(/** @type {string} */ digits, /** @type {number} */ exponent) {
  const [units, cents = ""] = digits.split(".");
  const minor = BigInt(units + cents.padEnd(exponent, "0"));
  return minor > BigInt(LARGEST) ? null : Number(minor);
}

/** Whether a maximum is large enough to ask again before it is sent: over twice what the lot
 *  stands at, or over the high estimate. A slipped zero is the dearest mistake in a saleroom. */
export function isSurprising(/** @type {number} */ minor, /** @type {number|null} */ standsAt, /** @type {number|null} */ highEstimate) {
  if (standsAt !== null && minor > 2 * standsAt) return true;
  return highEstimate !== null && minor > highEstimate;
}
