/**
 * A lot in a list: which of its figures is shown, and the word for how it stands.
 *
 * Pure: the `auction` of a snapshot in, keys of words out; the same as `gateway/core/cards.py`,
 * which writes the page, so that nothing flickers when the page comes alive.
 */

const SOLD = ["sold", "sold_subject"];
const ENDINGS = { sold: "sold", sold_subject: "sold-subject", passed: "passed", withdrawn: "withdrawn" };

/** @typedef {{kind: string, label: string, amount: number|null, word: string, at: number|null}} Face */

/** @param {any} auction @returns {Face} */
export function face(auction) {
  const { status, opening, opensAt, closesAt } = auction;
  if (status === "draft" || status === "scheduled") {
    return { kind: "upcoming", label: "opening-bid", amount: opening, word: opensAt === null ? "not-open" : "opens", at: opensAt };
  }
  if (["closed", "settling", "settled", "canceled"].includes(status)) {
    return { kind: "over", ...lastPrice(auction), word: ending(auction), at: null };
  }
  const price = priceOf(auction);
  if (status === "paused") return { kind: "paused", ...price, word: "paused", at: null };
  if (auction.format === "live") return { kind: "live", ...price, word: "on-now", at: null };
  return { kind: "open", ...price, word: closesAt === null ? "open" : "closes", at: closesAt };
}

function priceOf(/** @type {any} */ { format, price, askingBid, opening }) {
  if (format === "dutch" && askingBid !== null) return { label: "price-now", amount: askingBid };
  if (price !== null) return { label: "current-bid", amount: price };
  return { label: "opening-bid", amount: askingBid || opening };
}

function lastPrice(/** @type {any} */ { price, status, outcome }) {
  if (price === null || status === "canceled") return { label: "", amount: null };
  return { label: SOLD.includes(outcome) ? "hammer-price" : "last-bid", amount: price };
}

function ending(/** @type {any} */ { status, outcome }) {
  if (status === "canceled") return "canceled";
  return /** @type {Record<string, string>} */ (ENDINGS)[outcome] ?? "closed";
}
