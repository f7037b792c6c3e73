/**
 * One bidder's own lots: where each is listed.
 *
 * Pure: what the saleroom tells the bidder in, the name of a group out; the same as
 * `gateway/core/own.py`, which writes the page.
 */

const SEALED = ["sealed_first", "sealed_second", "uniform"];
const SOLD = ["sold", "sold_subject"];

/** @typedef {"leading"|"outbid"|"sealed"|"won"|"lost"} Group */

/** @param {any} auction @param {any} you @returns {Group|null} null: no bid of theirs */
export function group(auction, you) {
  const standing = you?.status ?? "NOT_BID";
  const { status, format, outcome } = auction;
  if (standing === "NOT_BID") return null;
  if (status === "settled") return standing === "WON" ? "won" : "lost";
  if (status === "canceled") return "lost";
  if (SEALED.includes(format)) return "sealed"; // nobody is told before all is settled
  const leads = standing === "WINNING";
  if (status === "closed" || status === "settling") return leads && SOLD.includes(outcome) ? "won" : "lost";
  return leads ? "leading" : "outbid";
}
