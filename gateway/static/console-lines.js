/**
 * What the console says of a state: the call line, and what stands on each tile.
 *
 * Pure: a state in, keys of the catalogue with their parameters out. The order in `callLine` is
 * the order of importance; the first that holds is said.
 */

import {
  belowReserve, deskOf, hasLeader, hold, isOver, isSelling, opensNext, rowOf, shownLot, waiting,
} from "./console-view.js";

/** @typedef {[string, Record<string, any>?]} Said a key of the catalogue, and its parameters */

/** Who a bid came from, in words. */
export function who(paddle, channel) {
  const named = paddle === null || paddle === undefined;
  return [`console.who.${channel ?? "online"}${named ? ".unnamed" : ""}`, { paddle }];
}

/**
 * The call line: `{tone, head, text, more}`; tone is lead, warn, out or plain.
 *
 * @param {any} state
 * @param {{live: boolean, why: string}} link
 * @param {{now: number, cash: (minor: number) => string, say: (said: any) => string}} voice
 *   `now`: the saleroom's time; `say` turns a key into words
 */
export function callLine(state, link, voice) {
  const lot = shownLot(state);
  const found = LINES.map((line) => line(state, { lot, auction: lot.auction, link, ...voice })).find((line) => line !== null);
  const finger = Object.keys(state.fingers);
  const quiet = !link.live || state.armed || isOver(lot.auction.status) || finger.length === 0;
  if (quiet || !found || found.more) return found;
  return { ...found, more: ["console.call.finger", { paddle: finger.join(", "), n: finger.length }] };
}

const line = (/** @type {string} */ tone, /** @type {any} */ head, /** @type {any} */ text = null, /** @type {any} */ more = null) => ({ tone, head, text, more });

const LINES = [
  (_, { link }) => {
    if (link.live) return null;
    if (link.access === "ended") return line("out", ["console.call.ended"], ["console.call.ended.more"]);
    return link.why === "connecting" ? line("plain", ["console.call.connecting"]) : line("out", ["console.call.lost"], ["console.call.lost.more"]);
  },
  (state) => (hold(state) === "other" ? line("out", ["console.call.other", { name: state.control.name || state.control.by }], ["console.call.other.more"]) : null),
  refused,
  held,
  armed,
  (state, { auction }) => (auction.status === "paused" && state.ring === state.shown ? line("warn", ["console.call.paused"], ["console.call.paused.more"]) : null),
  ending,
  notYet,
  elsewhere,
  online,
  warned,
  reserve,
  leading,
];

function refused({ said }, { cash }) {
  if (said?.kind === "typed") return line("out", ["console.call.typed"], said.text);
  if (said?.kind === "sent") return line("plain", ["console.call.sent"]);
  if (said?.kind === "early") return line("out", ["console.call.not_done"], said.text);
  if (said?.kind !== "refused") return null;
  const would = said.wouldPass === null ? "" : cash(said.wouldPass);
  const known = REFUSALS.includes(said.code);
  if (known) return line("out", ["console.call.not_done"], [`console.refused.${said.code}`], would ? ["console.refused.would", { amount: would }] : null);
  return line("out", ["console.call.not_done"], ["console.refused.unknown", { code: said.code, message: said.message ?? "" }]);
}

export const REFUSALS = [
  "moved", "held", "not_in_control", "below_reserve", "not_current_lot", "reason_required", "not_open_yet", "paused",
  "closed", "canceled", "below_asking_bid", "off_ladder", "not_registered", "pending_approval", "suspended",
  "over_limit", "own_lot", "already_bid", "not_a_raise", "idempotency_mismatch", "invalid", "invalid_transition",
  "rate_limited", "overloaded", "not_found",
];

function held(state, { cash, say, auction }) {
  const { said } = state;
  if (said?.kind !== "held") return null;
  const from = say(who(said.paddle, said.channel));
  const waits = said.waits === true;
  const sells = waits ? ["console.call.held.take", { leader: say(who(auction.paddle, auction.channel)) }] : ["console.call.held.again"];
  return line("out", ["console.call.held"], ["console.call.held.by", { who: from, amount: cash(said.price) }], sells);
}

function armed(state, { cash, say }) {
  if (!state.armed) return null;
  const { price, paddle, channel } = state.armed;
  const [bid] = waiting(state);
  const text = bid ? ["console.call.armed.waiting", { paddle: bid.paddle, amount: cash(bid.amount) }] : heard(state);
  return line("warn", ["console.call.armed", { amount: cash(price), who: say(who(paddle, channel)) }], text, ["console.call.armed.esc"]);
}

function heard(state) {
  const desk = deskOf(state);
  if (!desk || desk.canBid === 0) return null;
  const { heard: n, canBid: of } = desk;
  return n >= of ? ["console.call.heard.all", { n: of }] : ["console.call.heard.some", { n, of }];
}

function ending(state, { auction, cash, say }) {
  if (!isOver(auction.status)) return null;
  const next = opensNext(state);
  const more = next ? ["console.call.next", { lot: next.lotNumber }] : null;
  const sold = { amount: auction.price === null ? "" : cash(auction.price), who: say(who(auction.paddle, auction.channel)) };
  if (auction.outcome === "sold") return line("lead", ["console.call.sold", sold], more);
  if (auction.outcome === "sold_subject") return line("warn", ["console.call.sold_subject", sold], ["console.call.sold_subject.more"], more);
  if (auction.outcome === "withdrawn" || auction.status === "canceled") return line("plain", ["console.call.withdrawn"], more);
  return line("plain", ["console.call.passed"], more);
}

function notYet(state, { auction, cash }) {
  const mine = ["draft", "scheduled"].includes(auction.status) || (auction.status === "paused" && state.ring !== state.shown);
  if (!mine) return null;
  const row = rowOf(state, state.shown);
  const left = deskOf(state)?.leftBids?.count ?? row?.leftBids ?? 0;
  const reserve = deskOf(state)?.reserve ?? row?.reserveAmount ?? null;
  const head = auction.price === null ? ["console.call.opens", { amount: cash(auction.opening) }] : ["console.call.sent_back", { amount: cash(auction.price) }];
  const floor = reserve === null ? ["console.call.no_reserve"] : ["console.call.reserve_is", { amount: cash(reserve) }];
  const on = rowOf(state, state.ring);
  const more = on && on.auctionId !== state.shown && !isOver(on.status) ? ["console.call.elsewhere", { lot: on.lotNumber }] : null;
  return line("plain", head, floor, more ?? (left > 0 ? ["console.call.left", { n: left }] : ["console.call.left.none"]));
}

function elsewhere(state) {
  const on = rowOf(state, state.ring);
  return on && on.auctionId !== state.shown ? line("plain", ["console.call.elsewhere", { lot: on.lotNumber }]) : null;
}

function online(state, { cash }) {
  const [bid] = waiting(state);
  return bid ? line("lead", ["console.call.waiting"], ["console.call.waiting.at", { paddle: bid.paddle, amount: cash(bid.amount) }]) : null;
}

function warned(state, { auction, lot, now }) {
  if (auction.phase === null) return null;
  const desk = deskOf(state);
  const ago = Math.max(0, Math.floor((now - (lot.phaseAt ?? now)) / 1000));
  const shown = desk ? ["console.call.shown_to", { n: desk.connected, ago }] : null;
  return line("warn", [`console.call.${auction.phase}`], shown);
}

function reserve(state, { cash }) {
  const short = belowReserve(state);
  if (short === 0 || !hasLeader(state)) return null;
  return line("plain", ["console.call.below", { amount: cash(short) }], ["console.call.below.more"]);
}

function leading(state, { auction, cash, say }) {
  if (auction.price === null) return line("plain", ["console.call.open", { amount: cash(auction.askingBid ?? auction.opening) }], ["console.call.open.more"]);
  if (!hasLeader(state)) return line("warn", ["console.call.nobody"], ["console.call.nobody.more"]);
  return line("plain", ["console.call.leads", { who: say(who(auction.paddle, auction.channel)), amount: cash(auction.price) }]);
}

/** What stands on the four tiles: `{on, hot, label, text}` by their name. */
export function tiles(state, may, { cash, now }) {
  const { auction } = shownLot(state);
  const asks = auction.askingBid === null ? null : cash(auction.askingBid);
  const on = may && isSelling(state) && asks !== null;
  const at = asks === null ? ["console.take.nothing"] : ["console.take.at", { amount: asks }];
  return {
    room: { on, hot: false, label: ["console.take.room"], text: at },
    phone: { on, hot: false, label: ["console.take.phone"], text: at },
    online: onlineTile(state, on, { asks, cash, now }),
    left: leftTile(state, on, cash),
  };
}

function onlineTile(state, on, { asks, cash, now }) {
  const bids = waiting(state);
  if (bids.length === 0) {
    const none = asks === null ? ["console.take.nothing"] : ["console.take.online.none", { amount: asks }];
    return { on: false, hot: false, label: ["console.take.online"], text: state.autoAccept ? ["console.take.online.auto"] : none };
  }
  const [bid] = bids;
  const ago = (Math.max(0, now - bid.at) / 1000).toFixed(1);
  return { on, hot: true, label: ["console.take.online.paddle", { paddle: bid.paddle }], text: ["console.take.online.at", { amount: cash(bid.amount), ago }] };
}

function leftTile(state, on, cash) {
  const left = deskOf(state)?.leftBids;
  if (!left || left.count === 0) return { on: false, hot: false, label: ["console.take.left"], text: ["console.take.left.none"] };
  const next = left.next ?? null;
  const text = next === null ? ["console.take.left.below", { n: left.count }] : ["console.take.left.next", { n: left.count, amount: cash(next) }];
  return { on: on && next !== null, hot: false, label: ["console.take.left"], text };
}

/** The button in the hammer's place: `{name, on, kind, label, text}`. */
export function mainButton(state, may, { cash, say }) {
  const { auction } = shownLot(state);
  const next = opensNext(state);
  if (auction.outcome === "sold_subject" && auction.status === "closed" && !state.armed && !next) return hammerButton(state, may, { cash, say });
  if (!isSelling(state) && next) return { name: "next", on: may, kind: "next", label: ["console.act.open", { lot: next.lotNumber }], text: null };
  return hammerButton(state, may, { cash, say });
}

function hammerButton(state, may, { cash, say }) {
  const { auction } = shownLot(state);
  if (state.armed) {
    const { price, paddle, channel } = state.armed;
    return { name: "hammer", on: may, kind: "armed", label: ["console.act.strike"], text: ["console.act.strike.to", { amount: cash(price), who: paddle ?? say(who(paddle, channel)) }] };
  }
  const on = may && isSelling(state) && hasLeader(state);
  const text = auction.reserve === "not_met" && hasLeader(state) ? ["console.act.hammer.below"] : ["console.act.hammer.twice"];
  return { name: "hammer", on, kind: "hammer", label: ["console.act.hammer"], text };
}

/** What the fair-warning button says next: the two calls come one after the other. */
export function warnButton(state, may) {
  const { auction } = shownLot(state);
  const on = may && isSelling(state) && hasLeader(state);
  if (auction.phase === "fair_warning") return { act: "final_call", on, label: ["console.act.final_call"] };
  if (auction.phase === "final_call") return { act: "final_call", on: false, label: ["console.act.final_call.given"] };
  return { act: "fair_warning", on, label: ["console.act.fair_warning"] };
}
