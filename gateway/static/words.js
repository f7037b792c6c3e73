/**
 * What the lot page says: view, connection and viewer in, words out.
 *
 * Pure, and the only place where a state gets its sentence. Every state is a word, an icon and a
 * colour together, never a colour alone. Three truths about a bid and no fourth: it is being sent,
 * it was accepted (and you lead, or not), or it was refused because of something. And while the
 * page is not connected it says so before anything else.
 */

import { format } from "./money.js";
import { knows, t } from "./phrases.js";
import { isOver, leads } from "./view.js";

const SLOW_ANSWER_MS = 2000; // beyond this an answer is late enough to say so
const SLOW_LINE_MS = 400; // beyond this a manual bid often comes too late; a maximum does not
const QUIETLY_MS = 2000; // a page that has only just opened says nothing of its connecting
const MESSAGE_MS = 12_000; // how long the auctioneer's words stay in the banner

/**
 * @typedef {import("./view.js").View} View
 * @typedef {import("./view.js").Notice} Notice
 * @typedef {import("./socket.js").Link} Link
 * @typedef {{admission: string|null, registration: "open"|"approval", limit: number|null, reason: string,
 *   register: string, signIn: string, mine: string, sale: string, next: {url: string, number: string}|null}} Me
 *   the viewer's place in the sale, and where their ways lead
 * @typedef {{kind: "out"|"lead"|"warn"|"info"|"plain", icon: string, head: string, text: string, urgent?: boolean, title?: string}} Banner
 * @typedef {Omit<Banner, "head"|"text">} Mood  a banner without its words
 * @typedef {{label: string, amount: number|null, off: boolean, href: string|null, armed?: boolean}} Face
 */

/** The banner over the price: the most important true thing.
 *  @returns {Banner} */
export function banner(/** @type {View} */ view, /** @type {Link} */ link, /** @type {number} */ now, /** @type {Me} */ me) {
  const found =
    offline(view, link, now) ?? underway(view, now) ?? ended(view) ?? noticed(view) ?? stopped(view) ??
    called(view) ?? said(view, now) ?? stood(view) ?? barred(view, link, me) ?? quiet(view);
  return { title: found.head, ...found };
}

/** The button: the same box in every state, and an amount only where a press would bid it.
 *  @returns {Face} */
export function button(/** @type {View} */ view, /** @type {Link} */ link, /** @type {number} */ now, /** @type {Me} */ me, /** @type {import("./press.js").Armed|null} */ armed = null) {
  if (isOver(view)) return overFace(view, me);
  return standingFace(view, link, me) ?? busyFace(view, link, now) ?? bidFace(view, armed);
}

function off(/** @type {string} */ label) {
  return { label, amount: null, off: true, href: null };
}

function way(/** @type {string} */ label, /** @type {string|null} */ href) {
  return { label, amount: null, off: false, href };
}

/** Where the viewer may not bid: why, and the way forward. */
function standingFace(/** @type {View} */ view, /** @type {Link} */ link, /** @type {Me} */ me) {
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

function busyFace(/** @type {View} */ view, /** @type {Link} */ link, /** @type {number} */ now) {
  const { status, askingBid } = view.auction;
  if (!link.live || view.gap) return off(t("lot.go.waiting"));
  if (view.pending) return off(view.pending.waiting ? t("lot.go.auctioneer") : t("lot.go.sending", { amount: cash(view, view.pending.amount) }));
  if (status === "scheduled" || status === "draft") return off(t("lot.go.not-open"));
  if (status === "paused") return off(t("lot.go.paused"));
  if (leads(view)) return off(t("lot.go.lead", { amount: cash(view, view.auction.price) }));
  if (now < view.blockedUntil) return off(t("lot.go.moment"));
  return status !== "open" || askingBid === null ? off(t("lot.go.nothing")) : null;
}

function bidFace(/** @type {View} */ view, /** @type {import("./press.js").Armed|null} */ armed) {
  if (armed) return { label: t("lot.go.confirm"), amount: armed.amount, off: false, href: null, armed: true };
  return { label: t("lot.go.bid"), amount: view.auction.askingBid, off: false, href: null };
}

function overFace(/** @type {View} */ view, /** @type {Me} */ me) {
  if (won(view)) return way(t(view.auction.outcome === "sold_subject" ? "lot.go.mine" : "lot.go.invoice"), me.mine);
  if (me.next) return way(t("lot.go.next", { number: me.next.number }), me.next.url);
  return way(t("lot.go.sale"), me.sale);
}

/** Whether and why the viewer may not bid on this lot; "may" where they may, as far as is known.
 *  @returns {"may"|"watching"|"suspended"|"unregistered"|"pending"|"declined"|"limit"} */
export function standing(/** @type {View} */ view, /** @type {Link} */ link, /** @type {Me} */ me) {
  if (link.access === "spectator" || link.access === "ended") return "watching";
  if (link.access === "suspended") return "suspended";
  const told = TOLD[view.bar?.code ?? ""] ?? ADMITTED[me.admission ?? ""];
  if (told) return told;
  if (!me.admission && me.registration === "approval") return "unregistered";
  return overLimit(view, me) ? "limit" : "may";
}

/** @type {Record<string, "unregistered"|"pending"|"suspended"|"declined">} */
const TOLD = { not_registered: "unregistered", pending_approval: "pending", suspended: "suspended" };
/** @type {Record<string, "unregistered"|"pending"|"suspended"|"declined">} */
const ADMITTED = { pending: "pending", declined: "declined", suspended: "suspended" };

/** Is what is asked more than this bidder's limit leaves them?  Known from the sale, or from what
 *  the saleroom refused. */
function overLimit(/** @type {View} */ view, /** @type {Me} */ me) {
  const { askingBid } = view.auction;
  if (askingBid === null || leads(view) || view.pending) return false;
  const refused = view.bar?.code === "over_limit" && askingBid >= view.bar.amount;
  return refused || (me.limit !== null && askingBid > me.limit);
}

/** Whether a maximum may be sent now. A leader may raise theirs, and one may be left with the
 *  auctioneer before a live lot is opened. */
export function mayLimit(/** @type {View} */ view, /** @type {Link} */ link, /** @type {number} */ now, /** @type {Me} */ me) {
  const may = link.live && link.access === "bidder" && !view.gap && !view.pending && now >= view.blockedUntil;
  return may && takesLimits(view) && ["may", "limit"].includes(standing(view, link, me));
}

/** Whether a maximum is a thing on this lot, at this time of its life. */
export function takesLimits(/** @type {View} */ view) {
  const { status, format: soldBy } = view.auction;
  if (soldBy === "live" && (status === "scheduled" || status === "draft")) return true;
  return status === "open" && (soldBy === "english" || soldBy === "live");
}

/** The price, with the word that says what it is. */
export function price(/** @type {View} */ view) {
  const { price: stands, opening, askingBid, outcome } = view.auction;
  if (stands === null) return { label: t("lot.price.opening"), text: cash(view, askingBid ?? opening) };
  if (outcome === "sold" || outcome === "sold_subject") return { label: t("lot.price.hammer"), text: cash(view, stands) };
  if (isOver(view)) return { label: t("lot.price.last"), text: cash(view, stands) };
  return { label: t(leads(view) ? "lot.price.yours" : "lot.price.current"), text: cash(view, stands) };
}

/** The connection, in the header: shape and word. */
export function connection(/** @type {View} */ view, /** @type {Link} */ link) {
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

export function reserve(/** @type {View} */ view) {
  const { reserve: shown } = view.auction;
  return ["none", "met", "not_met"].includes(shown) ? t(`lot.reserve.${shown}`) : "";
}

export function counts(/** @type {View} */ view) {
  const { bidCount, bidderCount } = view.auction;
  if (bidCount === 0) return t("lot.counts.none");
  return t("lot.counts", { bids: t("lot.bids", { n: bidCount }), bidders: t("lot.bidders", { n: bidderCount }) });
}

export function extended(/** @type {View} */ view) {
  const n = view.auction.extensions;
  if (!n) return "";
  return n <= 2 ? t(n === 1 ? "lot.extended.once" : "lot.extended.twice") : t("lot.extended.times", { times: n });
}

/** Where the auctioneer has a live lot, in place of a clock. */
export function call(/** @type {View} */ view) {
  const { status, phase } = view.auction;
  if (isOver(view)) return "";
  if (status === "scheduled" || status === "draft") return t("lot.call.soon");
  if (status === "paused") return t("lot.call.paused");
  return t(phase === "final_call" ? "lot.final.head" : phase === "fair_warning" ? "lot.call.warning" : "lot.call.bidding");
}

export function yourMaximum(/** @type {View} */ view) {
  const { you, auction } = view;
  if (!you?.max || isOver(view)) return "";
  const amount = cash(view, you.max);
  if (auction.status === "scheduled" || auction.status === "draft") return t("lot.max.left", { amount });
  return leads(view) && you.max > (auction.price ?? 0) ? t("lot.max.yours", { amount }) : "";
}

/** An amount of this lot's currency. */
export function cash(/** @type {View} */ view, /** @type {number|null|undefined} */ minor) {
  return minor === null || minor === undefined ? "–" : format(minor, view.auction);
}

/** Who a paddle is to this viewer, and where they bid. */
export function bidder(/** @type {View} */ view, /** @type {{paddle?: number|null, channel?: string}} */ { paddle, channel }) {
  const where = knows(`lot.channel.${channel}`) ? t(`lot.channel.${channel}`) : "";
  if (paddle === null || paddle === undefined) return { name: where, you: false, where: "" };
  const you = Number.isInteger(paddle) && paddle === view.you?.paddle;
  return { name: you ? t("lot.you") : String(paddle), you, where };
}

/** What is read out of a state: the urgent at once, the rest when there is time. */
export function aloud(/** @type {Banner} */ { head, text }) {
  return text === "" ? `${head}.` : `${head}. ${text}`;
}

/** How long a time is, in its largest fitting word. */
export function howLong(/** @type {number} */ ms) {
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

/** @returns {Banner|null} */
function offline(/** @type {View} */ view, /** @type {Link} */ link, /** @type {number} */ now) {
  if (link.live) return view.gap ? { kind: "warn", icon: "net", head: t("lot.gap.head"), text: t("lot.gap.text") } : null;
  if (link.why === "connecting") return now - view.heardAt < QUIETLY_MS ? null : { kind: "info", icon: "net", head: t("lot.connecting.head"), text: t("lot.connecting.text"), title: "" };
  const age = howLong(now - link.heardAt);
  const amount = cash(view, view.pending?.amount);
  const text = view.pending ? t("lot.lost.unanswered", { amount, age }) : t("lot.lost.text", { age });
  /** @type {Partial<Record<Link["why"], string>>} */
  const heads = { restarting: "lot.lost.restarting", slow: "lot.lost.slow" };
  return { kind: "warn", icon: "net", head: t(heads[link.why] ?? "lot.lost.head"), text, urgent: true, title: t("lot.lost.title") };
}

/** @returns {Banner|null} */
function underway(/** @type {View} */ view, /** @type {number} */ now) {
  const { pending } = view;
  if (!pending) return null;
  const what = { amount: cash(view, pending.amount) };
  const title = t("lot.sending.title");
  if (pending.waiting) return { kind: "info", icon: "wait", head: t("lot.waiting.head", what), text: t("lot.waiting.text"), title };
  const text = now - pending.sentAt > SLOW_ANSWER_MS ? t("lot.sending.late") : t("lot.sending.text");
  return { kind: "info", icon: "wait", head: t(`lot.sending.${pending.kind}`, what), text, title };
}

/** @returns {Banner|null} */
function ended(/** @type {View} */ view) {
  if (!isOver(view)) return null;
  const { status, outcome } = view.auction;
  /** @type {Mood} */
  const plain = { kind: "plain", icon: "gavel", urgent: false };
  if (status === "canceled" && outcome !== "withdrawn") return { ...plain, head: t("lot.canceled.head"), text: t("lot.canceled.text") };
  if (outcome === "withdrawn") return { ...plain, head: t("lot.withdrawn.head"), text: t("lot.canceled.text") };
  if (outcome === "passed") return { ...plain, head: t("lot.passed.head"), text: t("lot.passed.text") };
  return sold(view, plain);
}

function won(/** @type {View} */ view) {
  return view.you?.status === "WON" || (leads(view) && ["sold", "sold_subject"].includes(view.auction.outcome ?? ""));
}

/** @returns {Banner|null} */
function sold(/** @type {View} */ view, /** @type {Mood} */ plain) {
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

/** @returns {Banner|null} */
function noticed(/** @type {View} */ view) {
  const { notice } = view;
  return notice ? NOTICES[notice.kind](view, notice) : null;
}

/** @type {Mood} */
const WARN = { kind: "warn", icon: "warn", urgent: true };

/** @type {Record<string, (view: View, notice: any) => Banner|null>} */
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
    head: mine === null ? t("lot.undone.head") : t("lot.undone.mine", { amount: cash(view, mine) }),
    text: why ? t("lot.undone.why", { reason: why }) : t("lot.undone.text"),
    title: t("lot.undone.title"),
  }),
  reopened: (_view, { reason: why }) => ({
    ...WARN,
    head: t("lot.reopened.head"),
    text: why ? t("lot.reopened.why", { reason: why }) : t("lot.reopened.text"),
  }),
};

/** @returns {Banner|null} */
function acceptedWords(/** @type {View} */ view, /** @type {any} */ { bid, status }) {
  if (leads(view)) return null; // "You lead" says it, and says more
  if (view.auction.status !== "open") return { kind: "lead", icon: "ok", head: t("lot.left.head", { amount: cash(view, bid.amount) }), text: t("lot.left.text") };
  const beaten = status === "WINNING" || status === null ? "since" : "at-once";
  return { ...passed(view), text: t(`lot.accepted.${bid.kind}.${beaten}`, { amount: cash(view, bid.amount) }) };
}

/** @returns {Banner} */
function passed(/** @type {View} */ view) {
  const led = view.you?.status === "OUTBID";
  return { kind: "out", icon: "up", urgent: true, head: t(led ? "lot.outbid.head" : "lot.accepted.head"), text: leader(view), title: t("lot.outbid.title") };
}

/** @returns {Banner|null} */
function stopped(/** @type {View} */ view) {
  const { status } = view.auction;
  if (status === "paused") return { kind: "warn", icon: "wait", urgent: true, head: t("lot.paused.head"), text: t("lot.paused.text") };
  if (status !== "scheduled" && status !== "draft") return null;
  if (view.you?.max) return { kind: "lead", icon: "ok", head: t("lot.left.head", { amount: cash(view, view.you.max) }), text: t("lot.left.text") };
  return { kind: "plain", icon: "wait", head: t("lot.not-open.head"), text: t(takesLimits(view) ? "lot.not-open.leave" : "lot.not-open.text") };
}

/** @returns {Banner|null} */
function called(/** @type {View} */ view) {
  const { phase, paddle } = view.auction;
  if (!phase) return null;
  const head = t(phase === "final_call" ? "lot.final.head" : "lot.warning.head");
  const yours = leads(view);
  const text = yours ? t("lot.warning.you") : paddle === null ? t("lot.warning.text") : t("lot.warning.paddle", { paddle });
  return { kind: yours ? "lead" : "warn", icon: "gavel", urgent: true, head, text };
}

/** What the auctioneer said, for a while.
 *  @returns {Banner|null} */
function said(/** @type {View} */ view, /** @type {number} */ now) {
  const { message } = view;
  if (!message || now - message.heardAt > MESSAGE_MS) return null;
  return { kind: "info", icon: "gavel", head: t("lot.message.head"), text: message.text, title: "" };
}

/** @returns {Banner|null} */
function stood(/** @type {View} */ view) {
  const { you } = view;
  if (leads(view)) return { kind: "lead", icon: "ok", urgent: true, head: t("lot.lead.head"), text: limitWords(view) };
  if (you?.status === "ACTIVE") return passed(view);
  if (you?.status !== "OUTBID" && you?.status !== "WINNING") return null;
  const byMaximum = you.passedBy === "proxy" || you.passedBy === "tie";
  const head = t(you.hadMax ? "lot.outbid.max" : "lot.outbid.head");
  const text = byMaximum ? t("lot.outbid.earlier", { leader: leader(view) }) : leader(view);
  return { kind: "out", icon: "up", urgent: true, head, text, title: t("lot.outbid.title") };
}

function limitWords(/** @type {View} */ view) {
  const { you, auction } = view;
  if (you?.max && auction.price !== null && you.max > auction.price) return t("lot.lead.max", { amount: cash(view, you.max) });
  return t("lot.lead.text", { amount: cash(view, auction.price) });
}

function leader(/** @type {View} */ view) {
  const { paddle, channel } = view.auction;
  if (paddle === null) return t(channel === "room" || channel === "phone" ? `lot.leads.a-${channel}` : "lot.leads.another");
  return knows(`lot.leads.${channel}`) ? t(`lot.leads.${channel}`, { paddle }) : t("lot.leads", { paddle });
}

/** @returns {Banner|null} */
function barred(/** @type {View} */ view, /** @type {Link} */ link, /** @type {Me} */ me) {
  /** @type {Mood} */
  const info = { kind: "info", icon: "warn", title: "" };
  /** @type {Mood} */
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

/** @returns {Banner} */
function quiet(/** @type {View} */ view) {
  const { price: stands, askingBid, opening } = view.auction;
  if (stands === null) return { kind: "plain", icon: "gavel", head: t("lot.no-bids.head"), text: t("lot.no-bids.text", { amount: cash(view, askingBid ?? opening) }), title: "" };
  return { kind: "plain", icon: "gavel", head: leader(view), text: t("lot.asking", { amount: cash(view, askingBid) }), title: "" };
}

/** Why a bid was refused, and what would have passed. */
function reason(/** @type {View} */ view, /** @type {any} */ { code, message, wouldPass, seq }) {
  const least = seq >= view.seq ? wouldPass : view.auction.askingBid;
  const why = knows(`lot.reason.${code}`) ? t(`lot.reason.${code}`) : message ?? t("lot.reason.unknown");
  const asks = ASKS_MORE.has(code) && least !== null && least !== undefined;
  return asks ? `${why} ${t("lot.reason.least", { amount: cash(view, least) })}` : why;
}

const ASKS_MORE = new Set(["below_asking_bid", "off_ladder", "not_a_raise", "moved"]);

function trouble(/** @type {any} */ { code, message, retryAfterMs }) {
  const again = retryAfterMs > 0 ? t("lot.again-in", { time: t("lot.seconds-in", { n: Math.ceil(retryAfterMs / 1000) }) }) : t("lot.again");
  if (code === "rate_limited" || code === "overloaded") return `${t(`lot.error.${code}`)} ${again}`;
  if (code === "unauthorized" || code === "not_found" || code === "invalid") return t(`lot.error.${code}`);
  return message ?? t("lot.error.other");
}
