/**
 * What the page says: view and connection in, words out.
 *
 * Pure, and the only place where a state gets its sentence. Every state is a word, an icon and a
 * colour together, never a colour alone. Three truths about a bid and no fourth: it is being sent,
 * it was accepted (and you lead, or not), or it was refused because of something. And while the
 * page is not connected it says so before anything else.
 */

import { format } from "./money.js";
import { isOver, leads } from "./view.js";

const SLOW_ANSWER_MS = 2000; // beyond this an answer is late enough to say so
const SLOW_LINE_MS = 400; // beyond this a manual bid often comes too late; a maximum does not

/**
 * @typedef {{live: boolean, why: "connecting"|"lost"|"restarting"|"slow", access: "bidder"|"spectator"|"ended"|"suspended"|"unknown",
 *   heardAt: number, rtt: number|null, since: string}} Link
 * @typedef {{kind: "out"|"lead"|"warn"|"info"|"plain", icon: string, head: string, text: string, urgent?: boolean, title?: string}} Banner
 */

/** The banner over the price: the most important true thing. */
export function banner(view, /** @type {Link} */ link, now) {
  const found =
    offline(view, link, now) ?? underway(view, now) ?? ended(view) ?? noticed(view) ?? stopped(view) ??
    called(view) ?? stood(view) ?? barred(link) ?? quiet(view);
  return /** @type {Banner} */ ({ title: found.head, ...found });
}

/** The button: the same box in every state, and an amount only where a press would bid it. */
export function button(view, /** @type {Link} */ link, now) {
  const off = (/** @type {string} */ label) => ({ label, amount: null, off: true, link: false });
  const { status, askingBid } = view.auction;
  if (isOver(view)) return off(overLabel(view));
  if (link.access === "spectator" || link.access === "ended") return { label: "Sign in to bid", amount: null, off: false, link: true };
  if (link.access === "suspended") return off("You may watch, not bid");
  if (!link.live || view.gap) return off("Waiting for the saleroom");
  if (view.pending) return off(view.pending.waiting ? "With the auctioneer" : `Sending ${cash(view, view.pending.amount)}…`);
  if (status === "scheduled" || status === "draft") return off("Not open yet");
  if (status === "paused") return off("Bidding is paused");
  if (leads(view)) return off(`You lead at ${cash(view, view.auction.price)}`);
  if (now < view.blockedUntil) return off("One moment");
  if (status !== "open" || askingBid === null) return off("No bid is asked now");
  return { label: "Bid", amount: askingBid, off: false, link: false };
}

/** Whether a maximum may be sent now. A leader may raise theirs. */
export function mayLimit(view, /** @type {Link} */ link, now) {
  const may = link.live && link.access === "bidder" && !view.gap && !view.pending;
  return may && view.auction.status === "open" && now >= view.blockedUntil;
}

/** The price, with the word that says what it is. */
export function price(view) {
  const { price: stands, opening, askingBid, outcome } = view.auction;
  if (stands === null) return { label: "Opening bid", text: cash(view, askingBid ?? opening) };
  if (outcome === "sold" || outcome === "sold_subject") return { label: "Hammer price", text: cash(view, stands) };
  if (isOver(view)) return { label: "Last bid", text: cash(view, stands) };
  return { label: leads(view) ? "Your bid leads" : "Current bid", text: cash(view, stands) };
}

/** The connection, in the header: shape and word. */
export function connection(view, /** @type {Link} */ link) {
  if (!link.live) return link.why === "connecting" ? "Connecting" : "Reconnecting";
  if (view.gap) return "Catching up";
  if (link.rtt === null) return "Live";
  const ms = Math.round(link.rtt);
  return ms > SLOW_LINE_MS ? `Slow connection, ${ms} ms. A maximum is safer` : `Live · ${ms} ms`;
}

export function reserve(view) {
  return { none: "No reserve", met: "Reserve met", not_met: "Reserve not met" }[view.auction.reserve] ?? "";
}

export function counts(view) {
  const { bidCount, bidderCount } = view.auction;
  if (bidCount === 0) return "No bids yet";
  return `${plural(bidCount, "bid")} from ${plural(bidderCount, "bidder")}`;
}

export function extended(view) {
  const times = view.auction.extensions;
  if (!times) return "";
  return times === 1 ? "extended once" : times === 2 ? "extended twice" : `extended ${times} times`;
}

export function yourMaximum(view) {
  const { you } = view;
  return you?.max > view.auction.price && leads(view) ? `Your maximum is ${cash(view, you.max)}.` : "";
}

/** An amount of this lot's currency. */
export function cash(view, minor) {
  return minor === null || minor === undefined ? "–" : format(minor, view.auction);
}

/** Who a paddle is to this viewer, and where they bid. */
export function bidder(view, { paddle, channel }) {
  if (paddle === null || paddle === undefined) return { name: "", you: false, where: "" };
  const you = Number.isInteger(view.you?.paddle) && paddle === view.you.paddle;
  return { name: you ? "You" : String(paddle), you, where: channel ?? "" };
}

// ── the sentences, most important first ──────────────────────────────────────────────────────

function offline(view, link, now) {
  if (link.live) return view.gap ? { kind: "warn", icon: "net", head: "Catching up with the saleroom", text: "Bidding is off for a moment." } : null;
  const age = `This price is ${howLong(now - link.heardAt)} old.`;
  const text = view.pending ? `Your bid of ${cash(view, view.pending.amount)} is not answered. ${age}` : `Trying again. ${age}`;
  if (link.why === "connecting") return { kind: "info", icon: "net", head: "Connecting to the saleroom", text: "You can bid when it answers." };
  const head = {
    restarting: "The saleroom is restarting",
    slow: "Your connection fell behind",
  }[link.why];
  const said = head ? `${head}. Bidding is paused for you` : "Connection lost. Bidding is paused for you";
  return { kind: "warn", icon: "net", head: said, text, urgent: true, title: "Connection lost" };
}

function howLong(ms) {
  const seconds = Math.max(1, Math.round(ms / 1000));
  return seconds < 90 ? plural(seconds, "second") : plural(Math.round(seconds / 60), "minute");
}

function underway(view, now) {
  const { pending } = view;
  if (!pending) return null;
  const what = `your ${nameOf(pending)} of ${cash(view, pending.amount)}`;
  if (pending.waiting) return { kind: "info", icon: "wait", head: `The auctioneer has ${what}`, text: "Not placed until it is taken" };
  const late = now - pending.sentAt > SLOW_ANSWER_MS ? "Taking longer than usual. " : "";
  return { kind: "info", icon: "wait", head: `Sending ${what}`, text: `${late}Not placed until the room answers`, title: "Sending" };
}

function ended(view) {
  if (!isOver(view)) return null;
  const { status, outcome } = view.auction;
  const plain = { kind: "plain", icon: "gavel", urgent: false };
  if (status === "canceled") return { ...plain, head: "This lot was canceled", text: "No bid on it stands." };
  if (outcome === "withdrawn") return { ...plain, head: "This lot was withdrawn", text: "No bid on it stands." };
  if (outcome === "passed") return { ...plain, head: "Passed", text: "This lot was not sold." };
  return sold(view, plain);
}

function sold(view, plain) {
  const { paddle, price: hammer, status, outcome } = view.auction;
  const yours = view.you?.status === "WON" || leads(view);
  const at = `Hammer price ${cash(view, hammer)}.`;
  if (outcome === "sold_subject") {
    const who = yours ? "you" : `paddle ${paddle}`;
    return { ...plain, kind: yours ? "info" : "plain", urgent: yours, head: `Sold to ${who}, subject to the owner’s approval`, text: at };
  }
  if (yours && status === "settled") return { ...plain, kind: "lead", urgent: true, head: "You won this lot", text: at };
  if (yours) return { ...plain, kind: "lead", urgent: true, head: paddle ? `Sold to you, paddle ${paddle}` : "Sold to you", text: at };
  const bidHere = view.you && view.you.status !== "NOT_BID";
  const lost = bidHere ? " You did not win this lot." : "";
  return { ...plain, urgent: Boolean(bidHere), head: paddle ? `Sold to paddle ${paddle}` : "Closed", text: `${at}${lost}` };
}

function noticed(view) {
  const { notice } = view;
  return notice ? NOTICES[notice.kind](view, notice) : null;
}

const NOTICES = {
  moved: (view) => ({
    kind: "warn",
    icon: "warn",
    urgent: true,
    head: "The price moved. You have not bid",
    text: leads(view) ? "You lead." : `The asking bid is now ${cash(view, view.auction.askingBid)}. Press again to bid it`,
  }),
  unanswered: (view, { bid }) => ({
    kind: "warn",
    icon: "warn",
    urgent: true,
    head: `An earlier ${nameOf(bid)} of ${cash(view, bid.amount)} was never answered`,
    text: "It is not sent again. Below is where this lot stands",
  }),
  accepted: acceptedWords,
  refused: (view, notice) => ({
    kind: "out",
    icon: "warn",
    urgent: true,
    head: `Refused. Your ${nameOf(notice.bid)} of ${cash(view, notice.bid.amount)} was not placed`,
    text: `${reason(view, notice)}${leads(view) ? " You still lead." : ""}`,
    title: "Refused",
  }),
  error: (view, notice) => ({
    kind: "warn",
    icon: "warn",
    urgent: true,
    head: `Your ${nameOf(notice.bid)} of ${cash(view, notice.bid.amount)} was not placed`,
    text: trouble(notice),
    title: "Not placed",
  }),
};

function acceptedWords(view, { bid, status }) {
  const what = `Your ${nameOf(bid)} of ${cash(view, bid.amount)}`;
  if (leads(view)) return null; // "You lead" says it, and says more
  if (status === "WINNING") return { ...passed(view), text: `${what} was accepted, and has been passed since` };
  return { ...passed(view), text: `${what} was accepted, and passed at once by an earlier maximum` };
}

function passed(view) {
  const led = view.you?.status === "OUTBID";
  return { kind: "out", icon: "up", urgent: true, head: led ? "You’ve been outbid" : "Accepted, but you do not lead", text: leader(view), title: "Outbid" };
}

function stopped(view) {
  const { status } = view.auction;
  if (status === "paused") return { kind: "warn", icon: "wait", urgent: true, head: "Bidding is paused", text: "The clock is stopped. No bid is taken until it goes on" };
  if (status === "scheduled" || status === "draft") return { kind: "plain", icon: "wait", head: "Not open yet", text: "Bidding has not begun on this lot" };
  return null;
}

function called(view) {
  const { phase } = view.auction;
  if (!phase) return null;
  const head = phase === "final_call" ? "Final call" : "Fair warning";
  const text = leads(view) ? "The auctioneer is about to sell to you" : `The auctioneer is about to sell${to(view)}`;
  return { kind: leads(view) ? "lead" : "warn", icon: "gavel", urgent: true, head, text };
}

function to(view) {
  return view.auction.paddle === null ? "" : ` to paddle ${view.auction.paddle}`;
}

function stood(view) {
  const { you } = view;
  if (leads(view)) return { kind: "lead", icon: "ok", urgent: true, head: "You lead", text: limitWords(view) };
  if (you?.status === "ACTIVE") return passed(view);
  if (you?.status !== "OUTBID" && you?.status !== "WINNING") return null;
  const how = you.passedBy === "proxy" || you.passedBy === "tie" ? ", by an earlier maximum" : "";
  return { kind: "out", icon: "up", urgent: true, head: "You’ve been outbid", text: `${leader(view)}${how}`, title: "Outbid" };
}

function limitWords(view) {
  const { you, auction } = view;
  if (you.max && auction.price !== null && you.max > auction.price) return `Your maximum bids for you, up to ${cash(view, you.max)}`;
  return `Your bid of ${cash(view, auction.price)} is the highest`;
}

function leader(view) {
  const { paddle, channel } = view.auction;
  if (paddle === null) return "Another bidder leads";
  const where = { room: " in the room", phone: " on the phone", online: " online", left: ", by a bid left before" }[channel] ?? "";
  return `Paddle ${paddle}${where} leads`;
}

function barred(link) {
  if (link.access === "suspended") return { kind: "warn", icon: "warn", head: "Your account is suspended", text: "You may follow this lot, but not bid" };
  if (link.access === "ended") return { kind: "warn", icon: "warn", head: "Your sign-in has ended", text: "You may follow this lot. Sign in again to bid" };
  return null;
}

function quiet(view) {
  const { price: stands, askingBid, opening } = view.auction;
  if (stands === null) return { kind: "plain", icon: "gavel", head: "No bids yet", text: `Opening bid ${cash(view, askingBid ?? opening)}`, title: "" };
  return { kind: "plain", icon: "gavel", head: leader(view), text: `The asking bid is ${cash(view, askingBid)}`, title: "" };
}

function overLabel(view) {
  const { status, outcome, price: hammer } = view.auction;
  if (status === "canceled") return "Canceled";
  if (outcome === "withdrawn") return "Withdrawn";
  if (outcome === "passed") return "Passed";
  return outcome === "sold" || outcome === "sold_subject" ? `Sold for ${cash(view, hammer)}` : "Closed";
}

function nameOf(bid) {
  return bid.kind === "max" ? "maximum" : "bid";
}

/** Why a bid was refused, and what would have passed. */
function reason(view, { code, message, wouldPass, seq }) {
  const least = seq >= view.seq ? wouldPass : view.auction.askingBid;
  const would = least === null ? "" : ` The lowest you can bid now is ${cash(view, least)}.`;
  const why = Object.hasOwn(REASONS, code) ? REASONS[code] : message ?? "The saleroom did not take it.";
  return `${why}${ASKS_MORE.has(code) ? would : ""}`;
}

const ASKS_MORE = new Set(["below_asking_bid", "off_ladder", "not_a_raise"]);

const REASONS = {
  not_open_yet: "Bidding on this lot has not opened.",
  paused: "Bidding is paused.",
  closed: "The lot had closed.",
  canceled: "The lot was canceled.",
  below_asking_bid: "It was below the asking bid.",
  off_ladder: "It is not one of the increments of this sale.",
  not_a_raise: "It does not raise what you have bid.",
  already_bid: "You have already made your one bid on this lot.",
  not_registered: "You are not registered for this sale.",
  pending_approval: "Your registration is not approved yet.",
  suspended: "Your account is suspended.",
  over_limit: "It is over your limit for this sale.",
  insufficient_funds: "Your deposit does not cover it.",
  own_lot: "This is your own lot.",
  idempotency_mismatch: "Another bid was sent under the same number. Press again to bid.",
};

function trouble({ code, message, retryAfterMs }) {
  const wait = retryAfterMs > 0 ? ` Try again in ${plural(Math.ceil(retryAfterMs / 1000), "second")}.` : " Try again.";
  if (code === "rate_limited") return `You are bidding too quickly.${wait}`;
  if (code === "overloaded") return `The saleroom is too busy to take it.${wait}`;
  if (code === "unauthorized") return "Your sign-in has ended. Sign in again to bid.";
  if (code === "not_found") return "The saleroom does not know this lot.";
  if (code === "invalid") return "The saleroom could not read it. Reload the page and try again.";
  return message ?? "The saleroom could not take it.";
}

function plural(n, word) {
  return `${n} ${word}${n === 1 ? "" : "s"}`;
}
