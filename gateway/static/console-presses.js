/**
 * What each key of the rostrum and its button do, and what is asked before.
 *
 * Whatever can be mended by the next key is done at once. What cannot (a sale below the reserve,
 * an undo, a lot reopened or withdrawn) is a question first, in which the reason is given.
 */

import { mainButton, tiles, warnButton } from "./console-lines.js";
import { canPass, canUndo } from "./console-parts.js";
import {
  deskOf, hammer, isOver, isSelling, isUnnamed, nextLot, opensNext, reopenable, rowOf, shownLot, standDown, steps, undoable, waiting,
} from "./console-view.js";
import { t } from "./phrases.js";

const UNDO_REASONS = ["console.why.wrong_bidder", "console.why.wrong_amount", "console.why.retracted", "console.why.dispute"];
const REOPEN_REASONS = ["console.why.missed_bid", "console.why.dispute", "console.why.wrong_bidder"];
const BELOW_REASONS = ["console.why.consignor_agrees", "console.why.house_covers"];
const WITHDRAW_REASONS = ["console.why.consignor_withdraws", "console.why.damaged", "console.why.title"];
const REFUSE_REASONS = ["console.why.too_late", "console.why.off_step"];

/** What each key and its button do. */
export const PRESSES = {
  room: (desk) => tiles(desk.state, desk.may, desk.voice).room.on && desk.floorBid("room"),
  phone: (desk) => {
    if (!tiles(desk.state, desk.may, desk.voice).phone.on) return;
    if (desk.phoning) return desk.phone(null);
    desk.phoning = performance.now();
  },
  online: (desk) => tiles(desk.state, desk.may, desk.voice).online.on && desk.act("take", { bidId: waiting(desk.state)[0].bidId }),
  left: (desk) => tiles(desk.state, desk.may, desk.voice).left.on && desk.act("bid", { channel: "left", amount: deskOf(desk.state).leftBids.next }),
  ask: (desk) => desk.may && isSelling(desk.state) && desk.typeAsking(),
  up: (desk) => shift(desk, 1),
  down: (desk) => shift(desk, -1),
  warn: (desk) => {
    const { act, on } = warnButton(desk.state, desk.may);
    if (on) desk.act(act, {});
  },
  hammer: strikes,
  escape: (desk) => {
    desk.stopTyping();
    desk.state = standDown(desk.state);
  },
  pass: passes,
  undo: undoes,
  reopen: reopens,
  next: (desk) => {
    const row = desk.may ? opensNext(desk.state) : null;
    if (!row) return;
    desk.look(row.auctionId);
    desk.act("open", {}, row.auctionId);
  },
  goto: (desk) => desk.querySelector("#g")?.focus(),
  say: (desk) => desk.querySelector("#m")?.focus(),
  quick1: (desk) => quick(desk, 1),
  quick2: (desk) => quick(desk, 2),
  quick3: (desk) => quick(desk, 3),
  quick4: (desk) => quick(desk, 4),
  other: otherBid,
  more: mores,
  keys: (desk) => desk.poses({ title: ["console.keys"], keys: true }),
};

function shift(desk, turns) {
  const { auction } = shownLot(desk.state);
  if (desk.may && isSelling(desk.state) && auction.askingBid !== null) desk.askAt(auction.askingBid + turns * steps(desk.state).inForce);
}

function quick(desk, n) {
  if (!isOver(shownLot(desk.state).auction.status)) desk.act("message", { text: t(`console.quick.${n}`) });
}

/** The hammer: raised by the first press, struck by the second, and what must be known asked. */
function strikes(desk) {
  const { name, on } = mainButton(desk.state, desk.may, desk.voice);
  const undecided = desk.may && shownLot(desk.state).auction.outcome === "sold_subject";
  if (undecided) return sellsAfterAll(desk);
  if (name !== "hammer" || !on) return;
  const { state, then } = hammer(desk.state, performance.now());
  const { auction, seq } = shownLot(state);
  desk.state = state;
  if (then === "strike") return desk.strike();
  if (then === "paddle") return asksPaddle(desk, auction, seq);
  if (then === "reason") return sellsBelow(desk, auction, seq);
}

function asksPaddle(desk, auction, seq) {
  desk.poses({
    title: ["console.ask.paddle", { amount: desk.cash(auction.price) }],
    fields: [{ name: "paddle", label: ["console.paddle"], kind: "number" }],
    confirm: ["console.act.sell"],
    done: ({ paddle }) => (isPaddle(paddle) ? desk.doing("hammer", { paddle: Number(paddle), price: auction.price }, desk.state.shown, seq) : ["console.paddle.wrong"]),
  });
}

function sellsBelow(desk, auction, seq) {
  const unnamed = isUnnamed(desk.state);
  desk.poses({
    title: ["console.ask.below", { amount: desk.cash(auction.price) }],
    text: ["console.ask.below.text"],
    fields: unnamed ? [{ name: "paddle", label: ["console.paddle"], kind: "number" }] : [],
    reasons: BELOW_REASONS,
    confirm: ["console.act.sell"],
    done: ({ paddle, reason }) => (unnamed && !isPaddle(paddle) ? ["console.paddle.wrong"] : desk.doing("hammer", { paddle: unnamed ? Number(paddle) : auction.paddle, price: auction.price, reason }, desk.state.shown, seq)),
  });
}

function sellsAfterAll(desk) {
  const { auction, seq } = shownLot(desk.state);
  desk.poses({ title: ["console.ask.after_all", { amount: desk.cash(auction.price) }], reasons: BELOW_REASONS, confirm: ["console.act.sell"], done: ({ reason }) => desk.doing("hammer", { paddle: auction.paddle, price: auction.price, reason }, desk.state.shown, seq) });
}

const isPaddle = (/** @type {any} */ text) => /^[1-9]\d{0,8}$/.test(String(text).trim());

/** Pass. A bid that could be sold is not passed over by one key. */
function passes(desk) {
  if (!canPass(desk)) return;
  const { auction } = shownLot(desk.state);
  const couldSell = auction.price !== null && auction.paddle !== null && auction.reserve !== "not_met";
  if (!couldSell) return desk.act("pass", {});
  desk.poses({ title: ["console.ask.pass", { amount: desk.cash(auction.price) }], text: ["console.ask.pass.text"], confirm: ["console.act.pass"], done: () => desk.doing("pass", {}) });
}

function undoes(desk) {
  if (!canUndo(desk)) return;
  const bids = undoable(desk.state).slice(0, 10);
  const said = (bid) => t("console.ask.undo.bid", { amount: desk.cash(bid.amount), who: desk.say([`console.lane.${bid.channel}`]), paddle: bid.paddle ?? "–" });
  desk.poses({
    title: ["console.ask.undo", { bid: said(bids[0]) }],
    text: ["console.ask.undo.text"],
    fields: bids.length > 1 ? [{ name: "from", label: ["console.ask.undo.from"], value: String(bids[0].seq), options: bids.map((bid) => ({ value: String(bid.seq), text: said(bid) })) }] : [],
    reasons: UNDO_REASONS,
    confirm: ["console.act.undo"],
    done: ({ from, reason }) => desk.doing("undo", { toSeq: Number(from ?? bids[0].seq) - 1, reason }),
  });
}

function reopens(desk) {
  const rows = desk.may ? reopenable(desk.state) : [];
  if (rows.length === 0) return;
  desk.poses({
    title: ["console.ask.reopen"],
    text: ["console.ask.reopen.text"],
    fields: [{ name: "lot", label: ["console.ask.reopen.lot"], value: rows[0].auctionId, options: rows.map((row) => ({ value: row.auctionId, text: ended(desk, row) })) }],
    reasons: REOPEN_REASONS,
    confirm: ["console.act.reopen"],
    done: ({ lot, reason }) => {
      const seen = desk.state.views[lot]?.seq;
      const wrong = desk.doing("reopen", seen === undefined ? { reason, seen: undefined } : { reason }, String(lot), seen);
      if (!wrong) desk.look(String(lot));
      return wrong;
    },
  });
}

function ended(desk, row) {
  const sold = row.outcome === "sold" || row.outcome === "sold_subject";
  return t(sold ? "console.ask.reopen.sold" : "console.ask.reopen.passed", { lot: row.lotNumber, name: row.name, amount: row.price === null ? "" : desk.cash(row.price) });
}

/** A bid at another amount, for a paddle, or for the seller; a left one for a paddle is a limit. */
function otherBid(desk) {
  if (!desk.may) return;
  const { auction } = shownLot(desk.state);
  const channels = ["room", "phone", "left"];
  const house = desk.state.houseBids !== "none" && auction.reserve === "not_met";
  desk.poses({
    title: ["console.ask.bid"],
    text: ["console.ask.bid.text"],
    fields: [
      { name: "channel", label: ["console.col.source"], value: "room", options: [...channels.map((name) => ({ value: name, text: t(`console.lane.${name}`) })), ...(house ? [{ value: "house", text: t("console.lane.house") }] : [])] },
      { name: "amount", label: ["console.col.amount"], value: desk.bare(auction.askingBid ?? auction.opening), kind: "number" },
      { name: "paddle", label: ["console.paddle.optional"], kind: "number", optional: true },
    ],
    confirm: ["console.act.bid"],
    done: ({ channel, amount, paddle }) => {
      const minor = desk.amountOf(amount);
      if (minor === null) return ["console.typed.unread"];
      if (paddle && !isPaddle(paddle)) return ["console.paddle.wrong"];
      const fields = { channel: channel === "house" ? "room" : channel, amount: minor, ...(paddle ? { paddle: Number(paddle) } : {}), ...(channel === "house" ? { house: true } : {}) };
      return desk.doing("bid", fields);
    },
  });
}

function mores(desk) {
  const { auction } = shownLot(desk.state);
  if (!desk.may) return;
  const open = isSelling(desk.state);
  const next = nextLot(desk.state);
  const leads = auction.price !== null;
  desk.poses({
    title: ["console.more"],
    items: [
      { label: ["console.more.bid"], press: () => otherBid(desk), on: !isOver(auction.status) },
      { label: ["console.more.phones"], press: () => setsPhones(desk) },
      { label: ["console.more.subject"], press: () => sellsSubject(desk), on: open && leads },
      { label: ["console.more.reserve"], press: () => lowersReserve(desk), on: auction.reserve === "not_met" && !isOver(auction.status) },
      { label: ["console.more.skip"], note: next ? ["console.call.next", { lot: next.lotNumber }] : null, press: () => skips(desk, next), on: open },
      { label: ["console.more.withdraw"], press: () => withdraws(desk), on: !isOver(auction.status) },
      { label: ["console.more.opening"], press: () => opensAt(desk), on: opensNext(desk.state) !== null },
    ],
  });
}

function sellsSubject(desk) {
  const { auction } = shownLot(desk.state);
  desk.poses({ title: ["console.ask.subject", { amount: desk.cash(auction.price) }], text: ["console.ask.subject.text"], confirm: ["console.act.sell_subject"], done: () => desk.doing("sell_subject", {}) });
}

function lowersReserve(desk) {
  const { auction } = shownLot(desk.state);
  desk.poses({
    title: ["console.more.reserve"],
    text: ["console.ask.reserve.text"],
    fields: [{ name: "amount", label: ["console.reserve"], value: desk.bare(auction.price ?? auction.opening), kind: "number" }],
    confirm: ["console.act.lower"],
    done: ({ amount }) => {
      const minor = desk.amountOf(amount);
      return minor === null ? ["console.typed.unread"] : desk.doing("lower_reserve", { amount: minor });
    },
  });
}

function skips(desk, next) {
  desk.poses({ title: ["console.ask.skip"], text: ["console.ask.skip.text"], confirm: ["console.more.skip"], done: () => {
    const wrong = desk.doing("skip", next ? { to: next.auctionId } : {});
    if (!wrong && next) desk.look(next.auctionId);
    return wrong;
  } });
}

function withdraws(desk) {
  const row = rowOf(desk.state, desk.state.shown);
  desk.poses({ title: ["console.ask.withdraw", { lot: row.lotNumber }], reasons: WITHDRAW_REASONS, confirm: ["console.more.withdraw"], done: ({ reason }) => desk.doing("withdraw", { reason }) });
}

/** Open the next lot at another amount than the printed one. */
function opensAt(desk) {
  const row = opensNext(desk.state);
  if (!row) return;
  desk.poses({
    title: ["console.act.open", { lot: row.lotNumber }],
    fields: [{ name: "amount", label: ["console.ask.opening"], value: desk.bare(row.opening), kind: "number" }],
    confirm: ["console.act.open", { lot: row.lotNumber }],
    done: ({ amount }) => {
      const opening = desk.amountOf(amount);
      if (opening === null) return ["console.typed.unread"];
      desk.look(row.auctionId);
      return desk.doing("open", { opening }, row.auctionId);
    },
  });
}

/** Which paddle each phone line bids for; kept on this screen for this sale. */
function setsPhones(desk) {
  const text = Object.entries(desk.phones).map(([line, paddle]) => `${line}=${paddle}`).join(" ");
  desk.poses({
    title: ["console.more.phones"],
    text: ["console.ask.phones.text"],
    fields: [{ name: "phones", label: ["console.ask.phones"], value: text, optional: true }],
    confirm: ["console.act.keep"],
    done: ({ phones }) => {
      const pairs = String(phones).split(/[\s,;]+/).filter(Boolean).map((pair) => /^([1-9])=([1-9]\d{0,8})$/.exec(pair));
      if (pairs.some((pair) => pair === null)) return ["console.ask.phones.wrong"];
      desk.keepPhones(Object.fromEntries(pairs.map((pair) => [pair?.[1], Number(pair?.[2])])));
      return null;
    },
  });
}

/** Refuse a bid that waits. */
export function refuses(desk, bid) {
  desk.poses({ title: ["console.ask.refuse", { paddle: bid.paddle, amount: desk.cash(bid.amount) }], reasons: REFUSE_REASONS, confirm: ["console.refuse"], done: ({ reason }) => desk.doing("refuse", { bidId: bid.bidId, reason }) });
}
