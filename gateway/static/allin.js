/**
 * The all-in price: hammer price, buyer's premium and the tax on it, by the sale's terms.
 *
 * The same figures as `gateway/core/bill.py`, which sets the invoice; a test compares the two.
 * Whole minor units and percentages of ten decimals, in BigInt: no float, nothing rounded twice.
 */

const PLACES = 10;
const WHOLE = 100n * 10n ** BigInt(PLACES);

/** @typedef {{premium: [number, string][], tax: string}} SaleTerms tiers of [from, percent], marginal */

/**
 * What a lot costs that is sold at this price; null beyond the largest whole number that is exact.
 *
 * @param {number} hammer
 * @param {SaleTerms} terms
 */
export function bill(hammer, terms) {
  const premium = rounded(premiumParts(BigInt(hammer), terms.premium));
  const tax = rounded(premium * rate(terms.tax));
  const total = BigInt(hammer) + premium + tax;
  if (total > BigInt(Number.MAX_SAFE_INTEGER)) return null;
  return { hammer, premium: Number(premium), tax: Number(tax), total: Number(total) };
}

/** Each tier's percentage of the part of the price that lies in it.
 * @param {bigint} hammer
 * @param {[number, string][]} tiers */
function premiumParts(hammer, tiers) {
  let parts = 0n;
  tiers.forEach(([from, percent], place) => {
    const start = BigInt(from);
    const next = place + 1 < tiers.length ? BigInt(tiers[place + 1][0]) : hammer;
    const end = next < hammer ? next : hammer;
    if (start < hammer) parts += (end - start) * rate(percent);
  });
  return parts;
}

/** "12.5" in units of ten decimals of a percent.
 * @param {string} percent */
function rate(percent) {
  const [units, decimals = ""] = percent.split(".");
  return BigInt(units + decimals.slice(0, PLACES).padEnd(PLACES, "0"));
}

/** Half up, to the minor unit.
 * @param {bigint} parts */
function rounded(parts) {
  return (2n * parts + WHOLE) / (2n * WHOLE);
}
