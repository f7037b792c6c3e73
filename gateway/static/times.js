/**
 * Instants in words: the house's time first, and the reader's own where it is another.
 *
 * Pure: milliseconds in, words out. A sale happens in a place, so its times are told by the clock
 * on that wall, with the place's name; nobody is left to do the sum.
 */

/** @param {string} zone an IANA name; what people call the place */
function placeOf(zone) {
  return zone.slice(zone.lastIndexOf("/") + 1).replaceAll("_", " ");
}

/** "24 Nov 2026, 14:20 London"
 *  @param {number} at @param {string} zone @param {string} locale */
export function houseTime(at, zone, locale) {
  const day = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric", timeZone: zone });
  return `${day.format(at)}, ${minute(at, zone, locale)} ${placeOf(zone)}`;
}

/** "09:20 GMT-5" where the reader's clock shows another time than the house's; else "".
 *  @param {number} at @param {string} zone @param {string} locale @param {string} own */
export function ownTime(at, zone, locale, own = Intl.DateTimeFormat().resolvedOptions().timeZone) {
  const wall = (/** @type {string} */ timeZone) =>
    new Intl.DateTimeFormat("en-GB", { dateStyle: "short", timeStyle: "short", timeZone }).format(at);
  if (wall(own) === wall(zone)) return "";
  const named = { hour: "2-digit", minute: "2-digit", timeZoneName: "short", timeZone: own };
  return new Intl.DateTimeFormat(locale, /** @type {any} */ (named)).format(at);
}

/** "14:20" @param {number} at @param {string} zone @param {string} locale */
export function minute(at, zone, locale) {
  return new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", timeZone: zone }).format(at);
}

/** "14:20:07" @param {number} at @param {string} zone @param {string} locale */
export function second(at, zone, locale) {
  return new Intl.DateTimeFormat(locale, { timeStyle: "medium", timeZone: zone }).format(at);
}
