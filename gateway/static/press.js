/**
 * One press, one bid: what a press on the bid button means.
 *
 * Pure: the state of the press, what the button offers and the time in; the next state and at most
 * one act out.  The promises: a bid is for the amount that was read when the finger came down; not
 * on a price that is younger than a reader needs; not twice for a double click; and where a
 * confirmation is asked for, only from a second press that cannot be part of the first.
 */

export const GUARD_MS = 600; // nobody reads a new price and decides on it in less
export const DEAD_MS = 350; // the second half of a double click confirms nothing
export const ARMED_MS = 5000; // a confirmation left alone is none

/**
 * @typedef {{amount: number, asking: number, at: number, until: number}} Armed
 * @typedef {{offered: number|null|undefined, armed: Armed|null, sentAt: number}} Press
 *   `offered`: what the button offered when the finger came down; undefined when no finger did
 * @typedef {{amount: number|null, asking: number|null, movedAt: number, confirms: boolean}} Offer
 *   `amount` on the button, null where a press bids nothing; `asking` what the saleroom asks
 */

/** @returns {Press} */
export function atRest() {
  return { offered: undefined, armed: null, sentAt: -Infinity };
}

/** The finger is down.
 *  @param {Press} press @param {Offer} offer @returns {Press} */
export function down(press, offer) {
  return { ...press, offered: offer.amount };
}

/** The finger is up, or a key was pressed: what to do now.
 *  @param {Press} press @param {Offer} offer @param {number} now
 *  @returns {{press: Press, act: null|"moved"|"arm"|"bid", amount?: number}} */
export function up(press, offer, now) {
  const before = press.offered;
  const raised = { ...press, offered: undefined };
  const { amount } = offer;
  if (amount === null || before === null) return { press: raised, act: null }; // off when it came down, or now
  if (now - press.sentAt < GUARD_MS) return { press: raised, act: null }; // the second half of a double click
  const underFinger = before !== undefined && before !== amount;
  if (underFinger || now - offer.movedAt < GUARD_MS) return { press: disarmed(raised), act: "moved" };
  if (raised.armed) return confirm(raised, raised.armed, now);
  return offer.confirms ? { press: arm(raised, amount, offer, now), act: "arm" } : { press: raised, act: "bid", amount };
}

/** @param {Press} press @param {Armed} armed @param {number} now */
function confirm(press, armed, now) {
  if (now - armed.at < DEAD_MS) return { press, act: /** @type {null} */ (null) };
  return { press: disarmed(press), act: /** @type {"bid"} */ ("bid"), amount: armed.amount };
}

/** Ask for a second press, for this amount.
 *  @param {Press} press @param {number} amount @param {Offer} offer @param {number} now @returns {Press} */
export function arm(press, amount, offer, now) {
  return { ...press, armed: { amount, asking: /** @type {number} */ (offer.asking), at: now, until: now + ARMED_MS } };
}

/** @param {Press} press @returns {Press} */
export function disarmed(press) {
  return press.armed ? { ...press, armed: null } : press;
}

/** A bid has left.
 *  @param {Press} press @param {number} now @returns {Press} */
export function sent(press, now) {
  return { ...disarmed(press), sentAt: now };
}

/** What time and price do to a confirmation: it runs out, and no price may change under it.
 *  @param {Press} press @param {number|null} asking what could be bid now; null: nothing
 *  @param {number} now
 *  @returns {{press: Press, lost: null|"late"|"moved"|"off"}} */
export function settle(press, asking, now) {
  const { armed } = press;
  if (!armed) return { press, lost: null };
  if (asking === null) return { press: disarmed(press), lost: "off" };
  if (asking !== armed.asking) return { press: disarmed(press), lost: "moved" };
  return now >= armed.until ? { press: disarmed(press), lost: "late" } : { press, lost: null };
}
