/**
 * The page's words in the reader's language, by key: the browser's half of
 * `gateway/core/phrases.py`, which fills the same catalogues by the same rules.
 *
 * The page carries the words of its areas in `<script type="application/json" id="words">` and
 * says in `<html lang>` which locale it is written in. A key that is not there is a fault of the
 * page; here it is said in the console and the key is shown, because a bidder is better served
 * by one odd word than by a page that stops.
 */

/** @typedef {string | Record<string, string>} Phrase  text, or plural category → text */
/** @typedef {Record<string, string | number>} Values */

/**
 * What says phrases of a catalogue in a locale. In a phrase that counts, `n` chooses the form
 * and is written with its thousands set apart; every other value is written as it is.
 *
 * @param {Record<string, Phrase>} catalogue
 * @param {string} locale
 * @returns {(key: string, values?: Values) => string}
 */
export function sayer(catalogue, locale) {
  const plural = new Intl.PluralRules(locale);
  const count = new Intl.NumberFormat(locale);

  return (key, values = {}) => {
    if (!Object.hasOwn(catalogue, key)) return odd(key, key);
    const phrase = catalogue[key];
    const text = typeof phrase === "string" ? phrase : phrase[plural.select(Number(values.n))];
    return text.replace(/\{(\w+)\}/g, (_, place) => {
      const value = values[place];
      if (value === undefined) return odd(`{${place}}`, `${key} ${place}`);
      return place === "n" && typeof value === "number" ? count.format(value) : String(value);
    });
  };
}

/** @param {string} shown @param {string} missing  a key, or a key and the value it was not given */
function odd(shown, missing) {
  console.error("no words", missing);
  return shown;
}

const page = globalThis.document;

/** The locale that the page is written in, for `Intl`. */
export const locale = page?.documentElement.lang || "en-GB";

/** @type {Record<string, Phrase>} */
const catalogue = JSON.parse(page?.getElementById("words")?.textContent ?? "{}");

/** A phrase of this page, by its key. */
export const t = sayer(catalogue, locale);

/** Whether there are words for something that the saleroom names. @param {string} key */
export const knows = (key) => Object.hasOwn(catalogue, key);
