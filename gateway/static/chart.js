/**
 * The price during this visit, drawn as steps.
 *
 * A picture beside the list of bids, which says the same in words; it shows nothing that the list
 * does not. The estimate is a band behind the line. Only attributes are written, no markup.
 */

const WIDTH = 262;
const HEIGHT = 132;
const FLOOR = 6; // below the line: room for the base

/** @param {any} figure the svg, in the figure that is hidden while there is nothing to draw
 *  @param {any} view @param {[number|null, number|null]} estimate
 *  @param {(minor: number) => string} cash */
export function drawPrices(figure, view, estimate, cash) {
  const bids = [...view.bids].reverse();
  figure.parentElement.toggleAttribute("hidden", bids.length < 2);
  if (bids.length < 2) return;
  const prices = bids.map((bid) => bid.price);
  const [low, high] = estimate;
  const top = Math.max(...prices, high ?? 0);
  const bottom = Math.min(...prices, low ?? Infinity);
  const y = (/** @type {number} */ price) => round(FLOOR + (1 - (price - bottom) / (top - bottom || 1)) * (HEIGHT - 4 * FLOOR));
  const x = (/** @type {number} */ index) => round((index / bids.length) * (WIDTH - 4));
  const part = (/** @type {string} */ name) => figure.querySelector(`.${name}`);
  const steps = prices.slice(1).map((price, index) => `H${x(index + 1)}V${y(price)}`);
  part("step").setAttribute("d", `M0 ${y(prices[0])}${steps.join("")}H${WIDTH - 4}`);
  const band = low !== null && high !== null;
  part("band").setAttribute("y", String(band ? y(high) : 0));
  part("band").setAttribute("height", String(band ? Math.max(1, y(low) - y(high)) : 0));
  figure.querySelector("desc").textContent =
    `From ${cash(prices[0])} to ${cash(prices[prices.length - 1])} while this page was open. The list below gives every bid.`;
}

function round(/** @type {number} */ n) {
  return Math.round(n * 10) / 10;
}
