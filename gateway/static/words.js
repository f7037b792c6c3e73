/**
 * What the lot page says: view, connection and viewer in, words out.
 *
 * Pure, and the only place where a state gets its sentence. Every state is a word, an icon and a
 * colour together, never a colour alone. Three truths about a bid and no fourth: it is being sent,
 * it was accepted (and you lead, or not), or it was refused because of something. And while the
 * page is not connected it says so before anything else.
 */

import { format } from "./money.js";
import { t } from "./phrases.js";
import { isOver, leads } from "./view.js";

const SLOW_ANSWER_MS = 2000; // beyond this an answer is late enough to say so
const SLOW_LINE_MS = 400; // beyond this a manual bid often comes too late; a maximum does not
const QUIETLY_MS = 2000; // a page that has only just opened says nothing of its connecting
const MESSAGE_MS = 12_000; // how long the auctioneer's words stay in the banner

/**
 * @typedef {{live: boolean, why: "connecting"|"lost"|"restarting"|"slow", access: "bidder"|"spectator"|"ended"|"suspended"|"unknown",
 *   heardAt: number, rtt: number|null}} Link
 * @typedef {{admission: string|null, registration: "open"|"approval", limit: number|null, reason: string,
 *   register: string, signIn: string, mine: string, sale: string, next: {url: string, number: string}|null}} Me
 *   the viewer's place in the sale, and where their ways lead
 * @typedef {{kind: "out"|"lead"|"warn"|"info"|"plain", icon: string, head: string, text: string, urgent?: boolean, title?: string}} Banner
 * @typedef {{label: string, amount: number|null, off: boolean, href: string|null, armed?: boolean}} Face
 */

/** The banner over the price: the most important true thing.
 *  @returns {Banner} */
export function banner(view, /** @type {Link} */ link, now, /** @type {Me} */ me) {
  const found =
    offline(view, link, now) ?? underway(view, now) ?? ended(view) ?? noticed(view) ?? stopped(view) ??
    called(view) ?? said(view, now) ?? stood(view) ?? barred(view, link, me) ?? quiet(view);
  return { title: found.head, ...found };
}

/** The button: the same box in every state, and an amount only where a press would bid it.
 *  @returns {Face} */
export function button(view, /** @type {Link} */ link, now, /** @type {Me} */ me, armed = null) {
  if (isOver(view)) return overFace(view, me);
  return standingFace(view, link, me) ?? busyFace(view, link, now) ?? bidFace(view, armed);
}

function off(label) {
  return { label, amount: null, off: true, href: null };
}

function way(label, href) {
  return { label, amount: null, off: false, href };
}

/** Where the viewer may not bid: why, and the way forward. */
function standingFace(view, link, me) {
  switch (standing(view, link, me)) {
    case "watching":
      return way(t("lot.go.sign-in"), me.signIn);
    case "unregistered":
      return way(t("lot.go.register"), me.register);
    case "pending":
      return off(t("lot.go.pending"));
    case "declined":
    case "suspended":
      return off(t("lot.go.watch-only"));
    case "limit":
      return way(t("lot.go.limit"), me.register);
    default:
      return null;
  }
}

function busyFace(view, link, now) {
  const { status, askingBid } = view.auction;
  if (!link.live || view.gap) return off(t("lot.go.waiting"));
  if (view.pending) return off(view.pending.waiting ? t("lot.go.auctioneer") : t("lot.go.sending", { amount: cash(view, view.pending.amount) }));
  if (status === "scheduled" || status === "draft") return off(t("lot.go.not-open"));
  if (status === "paused") return off(t("lot.go.paused"));
  if (leads(view)) return off(t("lot.go.lead", { amount: cash(view, view.auction.price) }));
  if (now < view.blockedUntil) return off(t("lot.go.moment"));
  return status !== "open" || askingBid === null ? off(t("lot.go.nothing")) : null;
}

function bidFace(view, armed) {
  if (armed) return { label: t("lot.go.confirm"), amount: armed.amount, off: false, href: null, armed: true };
  return { label: t("lot.go.bid"), amount: view.auction.askingBid, off: false, href: null };
}

function overFace(view, me) {
  if (won(view)) return way(t(view.auction.outcome === "sold_subject" ? "lot.go.mine" : "lot.go.invoice"), me.mine);
  if (me.next) return way(t("lot.go.next", { number: me.next.number }), me.next.url);
  return way(t("lot.go.sale"), me.sale);
}

/** Whether and why the viewer may not bid on this lot; "may" where they may, as far as is known.
 *  @returns {"may"|"watching"|"suspended"|"unregistered"|"pending"|"declined"|"limit"} */
export function standing(view, /** @type {Link} */ link, /** @type {Me} */ me) {
  if (link.access === "spectator" || link.access === "ended") return "watching";
  if (link.access === "suspended") return "suspended";
  const told = TOLD[view.bar?.code] ?? ADMITTED[me.admission ?? ""];
  if (told) return told;
  if (!me.admission && me.registration === "approval") return "unregistered";
  return overLimit(view, me) ? "limit" : "may";
}

const TOLD = { not_registered: "unregistered", pending_approval: "pending", suspended: "suspended" };
const ADMITTED = { pending: "pending", declined: "declined", suspended: "suspended" };

/** Is what is asked more than this bidder's limit leaves them?  Known from the sale, or from what
 *  the saleroom refused. */
function overLimit(view, me) {
  const { askingBid } = view.auction;
  if (askingBid === null || leads(view) || view.pending) return false;
  const refused = view.bar?.code === "over_limit" && askingBid >= view.bar.amount;
  return refused || (me.limit !== null && askingBid > me.limit);
}

/** Whether a maximum may be sent now. A leader may raise theirs, and one may be left with the
 *  auctioneer before a live lot is opened. */
export function mayLimit(view, /** @type {Link} */ link, now, /** @type {Me} */ me) {
  const may = link.live && link.access === "bidder" && !view.gap && !view.pending && now >= view.blockedUntil;
  return may && takesLimits(view) && ["may", "limit"].includes(standing(view, link, me));
}

/** Whether a maximum is a thing on this lot, at this time of its life. */
export function takesLimits(view) {
  const { status, format: soldBy } = view.auction;
  if (soldBy === "live" && (status === "scheduled" || status === "draft")) return true;
  return status === "open" && (soldBy === "english" || soldBy === "live");
}

/** The price, with the word that says what it is. */
export function price(view) {
  const { price: stands, opening, askingBid, outcome } = view.auction;
  if (stands === null) return { label: t("lot.price.opening"), text: cash(view, askingBid ?? opening) };
  if (outcome === "sold" || outcome === "sold_subject") return { label: t("lot.price.hammer"), text: cash(view, stands) };
  if (isOver(view)) return { label: t("lot.price.last"), text: cash(view, stands) };
  return { label: t(leads(view) ? "lot.price.yours" : "lot.price.current"), text: cash(view, stands) };
}

/** The connection, in the header: shape and word. */
export function connection(view, /** @type {Link} */ link) {
  if (!link.live) return t(link.why === "connecting" ? "lot.link.connecting" : "lot.link.reconnecting");
  if (view.gap) return t("lot.link.catching-up");
  if (link.rtt === null) return t("lot.link.live");
  const ms = Math.round(link.rtt);
  return isSlow(link) ? t("lot.link.slow", { ms }) : t("lot.link.live-ms", { ms });
}

/** Whether bids by hand may come too late on this line. */
export function isSlow(/** @type {Link} */ link) {
  return link.live && link.rtt !== null && link.rtt > SLOW_LINE_MS;
}

export function reserve(view) {
  const { reserve: shown } = view.auction;
  return ["none", "met", "not_met"].includes(shown) ? t(`lot.reserve.${shown}`) : "";
}

export function counts(view) {
  const { bidCount, bidderCount } = view.auction;
  if (bidCount === 0) return t("lot.counts.none");
  return t("lot.counts", { bids: t("lot.bids", { n: bidCount }), bidders: t("lot.bidders", { n: bidderCount }) });
}

export function extended(view) {
  const n = view.auction.extensions;
  if (!n) return "";
  return n <= 2 ? t(n === 1 ? "lot.extended.once" : "lot.extended.twice") : t("lot.extended.times", { times: n });
}

/** Where the auctioneer has a live lot, in place of a clock. */
export function call(view) {
  const { status, phase } = view.auction;
  if (isOver(view)) return "";
  if (status === "scheduled" || status === "draft") return t("lot.call.soon");
  if (status === "paused") return t("lot.call.paused");
  return t(phase === "final_call" ? "lot.final.head" : phase === "fair_warning" ? "lot.warning.head" : "lot.call.bidding");
}

export function yourMaximum(view) {
  const { you, auction } = view;
  if (!(you?.max > 0) || isOver(view)) return "";
  const amount = cash(view, you.max);
  if (auction.status === "scheduled" || auction.status === "draft") return t("lot.max.left", { amount });
  return leads(view) && you.max > auction.price ? t("lot.max.yours", { amount }) : "";
}

/** An amount of this lot's currency. */
export function cash(view, minor) {
  return minor === null || minor === undefined ? "–" : format(minor, view.auction);
}

/** Who a paddle is to this viewer, and where they bid. */
export function bidder(view, { paddle, channel }) {
  const where = CHANNELS.has(channel) ? t(`lot.channel.${channel}`) : "";
  if (paddle === null || paddle === undefined) return { name: where, you: false, where: "" };
  const you = Number.isInteger(view.you?.paddle) && paddle === view.you.paddle;
  return { name: you ? t("lot.you") : String(paddle), you, where };
}

const CHANNELS = new Set(["room", "phone", "online", "left"]);

/** What is read out of a state: the urgent at once, the rest when there is time. */
export function aloud(/** @type {Banner} */ { head, text }) {
  return text === "" ? `${head}.` : `${head}. ${text}`;
}

/** How long a time is, in its largest fitting word. */
export function howLong(ms) {
  const seconds = Math.max(1, Math.round(ms / 1000));
  return seconds < 90 ? t("lot.seconds", { n: seconds }) : t("lot.minutes", { n: Math.round(seconds / 60) });
}

/** A countdown as it is shown, and as it is read out.
 *  @param {ReturnType<typeof import("./clock.js").countdown>} left */
export function timeLeft({ text, seconds, days, hours, minutes, rest }) {
  const part = (/** @type {string} */ unit, /** @type {number} */ n) => (n === 0 ? [] : [t(unit, { n })]);
  const largest = days > 0 ? [...part("lot.days", days), ...part("lot.hours", hours)] : hours > 0 ? [...part("lot.hours", hours), ...part("lot.minutes", minutes)] : [...part("lot.minutes", minutes), ...part("lot.seconds", rest)];
  return { text: text ?? t("lot.clock.days", { days, hours }), spoken: seconds === 0 ? t("lot.seconds", { n: 0 }) : largest.join(" ") };
}

// ── the sentences, most important first ──────────────────────────────────────────────────────

function offline(view, link, now) {
  if (link.live) return view.gap ? { kind: "warn", icon: "net", head: t("lot.gap.head"), text: t("lot.gap.text") } : null;
  if (link.why === "connecting") return now - view.heardAt < QUIETLY_MS ? null : { kind: "info", icon: "net", head: t("lot.connecting.head"), text: t("lot.connecting.text"), title: "" };
  const age = howLong(now - link.heardAt);
  const amount = cash(view, view.pending?.amount);
  const text = view.pending ? t("lot.lost.unanswered", { amount, age }) : t("lot.lost.text", { age });
  const heads = { restarting: "lot.lost.restarting", slow: "lot.lost.slow" };
  return { kind: "warn", icon: "net", head: t(heads[link.why] ?? "lot.lost.head"), text, urgent: true, title: t("lot.lost.title") };
}

function underway(view, now) {
  const { pending } = view;
  if (!pending) return null;
  const what = { amount: cash(view, pending.amount) };
  const title = t("lot.sending.title");
  if (pending.waiting) return { kind: "info", icon: "wait", head: t("lot.waiting.head", what), text: t("lot.waiting.text"), title };
  const text = now - pending.sentAt > SLOW_ANSWER_MS ? t("lot.sending.late") : t("lot.sending.text");
  return { kind: "info", icon: "wait", head: t(`lot.sending.${pending.kind}`, what), text, title };
}

function ended(view) {
  if (!isOver(view)) return null;
  const { status, outcome } = view.auction;
  const plain = { kind: "plain", icon: "gavel", urgent: false };
  if (status === "canceled" && outcome !== "withdrawn") return { ...plain, head: t("lot.canceled.head"), text: t("lot.canceled.text") };
  if (outcome === "withdrawn") return { ...plain, head: t("lot.withdrawn.head"), text: t("lot.canceled.text") };
  if (outcome === "passed") return { ...plain, head: t("lot.passed.head"), text: t("lot.passed.text") };
  return sold(view, plain);
}

function won(view) {
  return view.you?.status === "WON" || (leads(view) && ["sold", "sold_subject"].includes(view.auction.outcome));
}

function sold(view, plain) {
  const { paddle, price: hammer, outcome } = view.auction;
  const yours = won(view);
  const text = t("lot.sold.text", { amount: cash(view, hammer) });
  if (outcome === "sold_subject") {
    const head = yours ? t("lot.subject.you") : paddle === null ? t("lot.subject.other") : t("lot.subject.paddle", { paddle });
    return { ...plain, kind: yours ? "info" : "plain", urgent: yours, head, text };
  }
  if (yours) return { ...plain, kind: "lead", urgent: true, head: paddle === null ? t("lot.sold.you") : t("lot.sold.you-paddle", { paddle }), text };
  const took = view.you && view.you.status !== "NOT_BID";
  const head = paddle !== null ? t("lot.sold.paddle", { paddle }) : t(outcome === "sold" ? "lot.sold.other" : "lot.closed.head");
  return { ...plain, urgent: Boolean(took), head, text: took ? t("lot.sold.lost", { amount: cash(view, hammer) }) : text };
}

function noticed(view) {
  const { notice } = view;
  return notice ? NOTICES[notice.kind](view, notice) : null;
}

const WARN = { kind: "warn", icon: "warn", urgent: true };

const NOTICES = {
  moved: (view) => ({
    ...WARN,
    head: t("lot.moved.head"),
    text: leads(view) ? t("lot.moved.lead") : t("lot.moved.text", { amount: cash(view, view.auction.askingBid) }),
    title: t("lot.moved.title"),
  }),
  unanswered: (view, { bid }) => ({
    ...WARN,
    head: t(`lot.unanswered.${bid.kind}`, { amount: cash(view, bid.amount) }),
    text: t("lot.unanswered.text"),
  }),
  accepted: acceptedWords,
  refused: (view, notice) => ({
    ...WARN,
    kind: "out",
    head: t(`lot.refused.${notice.bid.kind}`, { amount: cash(view, notice.bid.amount) }),
    text: `${reason(view, notice)}${leads(view) ? ` ${t("lot.still-lead")}` : ""}`,
    title: t("lot.refused.title"),
  }),
  error: (view, notice) => ({
    ...WARN,
    head: t(`lot.refused.${notice.bid.kind}`, { amount: cash(view, notice.bid.amount) }),
    text: trouble(notice),
    title: t("lot.error.title"),
  }),
  undone: (view, { mine, reason: why }) => ({
    ...WARN,
    icon: "back",
    head: mine === null ? t("lot.undone.head") : t("lot.undone.mine", { amount: cash(view, mine) }),
    text: why ? t("lot.undone.why", { reason: why }) : t("lot.undone.text"),
    title: t("lot.undone.title"),
  }),
  reopened: (_view, { reason: why }) => ({
    ...WARN,
    icon: "back",
    head: t("lot.reopened.head"),
    text: why ? t("lot.reopened.why", { reason: why }) : t("lot.reopened.text"),
  }),
};

function acceptedWords(view, { bid, status }) {
  if (leads(view)) return null; // "You lead" says it, and says more
  if (view.auction.status !== "open") return { kind: "lead", icon: "ok", head: t("lot.left.head", { amount: cash(view, bid.amount) }), text: t("lot.left.text") };
  const beaten = status === "WINNING" || status === null ? "since" : "at-once";
  return { ...passed(view), text: t(`lot.accepted.${bid.kind}.${beaten}`, { amount: cash(view, bid.amount) }) };
}

function passed(view) {
  const led = view.you?.status === "OUTBID";
  return { kind: "out", icon: "up", urgent: true, head: t(led ? "lot.outbid.head" : "lot.accepted.head"), text: leader(view), title: t("lot.outbid.title") };
}

function stopped(view) {
  const { status } = view.auction;
  if (status === "paused") return { kind: "warn", icon: "wait", urgent: true, head: t("lot.paused.head"), text: t("lot.paused.text") };
  if (status !== "scheduled" && status !== "draft") return null;
  if (view.you?.max > 0) return { kind: "lead", icon: "ok", head: t("lot.left.head", { amount: cash(view, view.you.max) }), text: t("lot.left.text") };
  return { kind: "plain", icon: "wait", head: t("lot.not-open.head"), text: t(takesLimits(view) ? "lot.not-open.leave" : "lot.not-open.text") };
}

function called(view) {
  const { phase, paddle } = view.auction;
  if (!phase) return null;
  const head = t(phase === "final_call" ? "lot.final.head" : "lot.warning.head");
  const yours = leads(view);
  const text = yours ? t("lot.warning.you") : paddle === null ? t("lot.warning.text") : t("lot.warning.paddle", { paddle });
  return { kind: yours ? "lead" : "warn", icon: "gavel", urgent: true, head, text };
}

/** What the auctioneer said, for a while. */
function said(view, now) {
  const { message } = view;
  if (!message || now - message.heardAt > MESSAGE_MS) return null;
  return { kind: "info", icon: "gavel", head: t("lot.message.head"), text: message.text, title: "" };
}

function stood(view) {
  const { you } = view;
  if (leads(view)) return { kind: "lead", icon: "ok", urgent: true, head: t("lot.lead.head"), text: limitWords(view) };
  if (you?.status === "ACTIVE") return passed(view);
  if (you?.status !== "OUTBID" && you?.status !== "WINNING") return null;
  const byMaximum = you.passedBy === "proxy" || you.passedBy === "tie";
  const head = t(you.hadMax ? "lot.outbid.max" : "lot.outbid.head");
  const text = byMaximum ? t("lot.outbid.earlier", { leader: leader(view) }) : leader(view);
  return { kind: "out", icon: "up", urgent: true, head, text, title: t("lot.outbid.title") };
}

function limitWords(view) {
  const { you, auction } = view;
  if (you.max && auction.price !== null && you.max > auction.price) return t("lot.lead.max", { amount: cash(view, you.max) });
  return t("lot.lead.text", { amount: cash(view, auction.price) });
}

function leader(view) {
  const { paddle, channel } = view.auction;
  if (paddle === null) return t(channel === "room" || channel === "phone" ? `lot.leads.a-${channel}` : "lot.leads.another");
  return CHANNELS.has(channel) ? t(`lot.leads.${channel}`, { paddle }) : t("lot.leads", { paddle });
}

function barred(view, link, me) {
  const info = { kind: "info", icon: "warn", title: "" };
  const warn = { kind: "warn", icon: "warn", title: "" };
  switch (standing(view, link, me)) {
    case "watching":
      if (link.access === "ended") return { ...warn, head: t("lot.ended.head"), text: t("lot.ended.text") };
      return { ...info, head: t("lot.watching.head"), text: t("lot.watching.text") };
    case "suspended":
      return { ...warn, head: t("lot.suspended.head"), text: t("lot.suspended.text") };
    case "unregistered":
      return { ...info, head: t("lot.unregistered.head"), text: t("lot.unregistered.text") };
    case "pending":
      return { ...info, icon: "wait", head: t("lot.pending.head"), text: t("lot.pending.text") };
    case "declined":
      return { ...warn, head: t("lot.declined.head"), text: me.reason || t("lot.declined.text") };
    case "limit":
      return { ...warn, head: t("lot.limit.head"), text: me.limit === null ? t("lot.limit.text") : t("lot.limit.amount", { amount: cash(view, me.limit) }) };
    default:
      return null;
  }
}

function quiet(view) {
  const { price: stands, askingBid, opening } = view.auction;
  if (stands === null) return { kind: "plain", icon: "gavel", head: t("lot.no-bids.head"), text: t("lot.no-bids.text", { amount: cash(view, askingBid ?? opening) }), title: "" };
  return { kind: "plain", icon: "gavel", head: leader(view), text: t("lot.asking", { amount: cash(view, askingBid) }), title: "" };
}

/** Why a bid was refused, and what would have passed. */
function reason(view, { code, message, wouldPass, seq }) {
  const least = seq >= view.seq ? wouldPass : view.auction.askingBid;
  const why = REASONS.has(code) ? t(`lot.reason.${code}`) : message ?? t("lot.reason.unknown");
  const asks = ASKS_MORE.has(code) && least !== null && least !== undefined;
  return asks ? `${why} ${t("lot.reason.least", { amount: cash(view, least) })}` : why;
}

const ASKS_MORE = new Set(["below_asking_bid", "off_ladder", "not_a_raise", "moved"]);

const REASONS = new Set([
  "not_open_yet", "paused", "closed", "canceled", "below_asking_bid", "off_ladder", "not_a_raise", "already_bid",
  "not_registered", "pending_approval", "suspended", "over_limit", "insufficient_funds", "own_lot",
  "idempotency_mismatch", "refused", "moved", "withdrawn",
]);

function trouble({ code, message, retryAfterMs }) {
  const again = retryAfterMs > 0 ? t("lot.again-in", { time: t("lot.seconds-in", { n: Math.ceil(retryAfterMs / 1000) }) }) : t("lot.again");
  if (code === "rate_limited" || code === "overloaded") return `${t(`lot.error.${code}`)} ${again}`;
  if (code === "unauthorized" || code === "not_found" || code === "invalid") return t(`lot.error.${code}`);
  return message ?? t("lot.error.other");
}
