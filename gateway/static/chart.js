/**
 * The price of a lot as a line of steps: where each part of the drawing goes.
 *
 * Pure: bids in, coordinates out, in a box of 262 by 132. A picture beside the list of bids,
 * which says the same in words. The estimate is a band behind the line. Where it is known when
 * every bid was made, the line runs in time; else one step after another.
 */

export const WIDTH = 262;
export const HEIGHT = 132;
const RIGHT = WIDTH - 4; // room for the dot at the end
const TOP = 6;
const BOTTOM = 12; // room for the base under the line

/**
 * @param {{price: number, at: number|null, undone: boolean}[]} bids newest first
 * @param {[number|null, number|null]} estimate
 */
export function plot(bids, estimate) {
  const standing = bids.filter((bid) => !bid.undone).reverse();
  if (standing.length < 2) return null;
  const prices = standing.map((bid) => bid.price);
  const [low, high] = estimate;
  const top = Math.max(...prices, high ?? 0);
  const bottom = Math.min(...prices, low ?? Infinity);
  const y = (/** @type {number} */ price) => round(TOP + (1 - (price - bottom) / (top - bottom || 1)) * (HEIGHT - TOP - BOTTOM));
  const x = across(standing);
  const steps = prices.slice(1).map((price, index) => `H${x(index + 1)}V${y(price)}`);
  const last = prices[prices.length - 1];
  return {
    step: `M0 ${y(prices[0])}${steps.join("")}H${RIGHT}`,
    band: low === null || high === null ? null : { y: y(high), height: Math.max(1, round(y(low) - y(high))) },
    end: { x: RIGHT, y: y(last) },
    first: prices[0],
    last,
    since: standing[0].at,
  };
}

/** @param {{at: number|null}[]} bids oldest first */
function across(bids) {
  const [from, to] = [bids[0].at, bids[bids.length - 1].at];
  const timed = from !== null && to !== null && to > from && bids.every((bid) => bid.at !== null);
  if (!timed) return (/** @type {number} */ index) => round((index / bids.length) * RIGHT);
  // The last bid stands a little before the end, so that the line has come to rest at "now".
  const span = (to - from) * (1 + 1 / bids.length);
  return (/** @type {number} */ index) => round(((Number(bids[index].at) - from) / span) * RIGHT);
}

/** @param {number} n */
function round(n) {
  return Math.round(n * 10) / 10;
}
