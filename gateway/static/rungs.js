/**
 * The steps of the sale: what must be added to a price, and which amounts come next.
 *
 * Pure and in whole minor units.  The bands are those that the house wrote the page with; what
 * is asked at any moment is still the saleroom's to say, and is never computed here.
 */

/** @typedef {[from: number, step: number][]} Steps */

/** The least that may be added to a price.
 *  @param {Steps} steps @param {number} price */
export function stepAt(steps, price) {
  const band = steps.findLast(([from]) => from <= price) ?? steps[0];
  return band ? band[1] : 0;
}

/** The next amounts after one: what a jump bid would offer.
 *  @param {Steps} steps @param {number} amount @param {number} count */
export function after(steps, amount, count) {
  const rungs = [];
  for (let rung = amount; rungs.length < count; ) {
    const step = stepAt(steps, rung);
    if (!(step > 0) || !Number.isSafeInteger(rung + step)) break;
    rungs.push((rung += step));
  }
  return rungs;
}
