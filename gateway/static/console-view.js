/**
 * The sale as its auctioneer knows it: the queue, the lots that are followed, the desk, and what
 * was pressed and not answered yet.
 *
 * Pure: frames and presses in, a new state out; no page, no socket, no clock. The promises: a
 * frame heard twice changes nothing; a missing number sets `gap`, after which that lot is not
 * believed until its next snapshot; nothing pressed counts before its result has come; and a
 * hammer that was raised is down again as soon as the price is other than it was.
 */

export const DOUBLE_MS = 250; // a finger that bounces is no second press
export const ARMED_MS = 3000; // a raised hammer does not stay raised
export const FINGER_MS = 10_000; // a finger of which nothing more is heard has gone

const CARRIED = ["price", "askingBid", "paddle", "bidCount", "bidderCount", "reserve", "status", "closesAt", "phase", "channel"];
const OVER = ["closed", "settling", "settled", "canceled"];
const WAITS = ["draft", "scheduled", "paused"]; // for its turn; paused: sent back with its bids
const NICE = [1, 2, 3, 5]; // steps a voice can carry, in every decade

/** A state from what the page was written with. */
export function begin(page) {
  return {
    sale: page.sale,
    tables: page.tables,
    lots: page.lots, // the queue; a new array only when a row has changed
    shown: page.shown,
    views: {}, // auctionId → the lot as followed
    desks: {}, // auctionId → its last desk frame
    ring: page.ring, // the lot that is being sold, or null
    control: null, // who sells: {session, by, name}, or nobody
    autoAccept: true,
    totals: totalsOf(page.lots),
    houseBids: "none",
    watching: page.watching, // a clerk's view: it shows all and presses nothing
    role: null,
    session: null,
    ownSessions: page.ownSessions, // of this screen's earlier connections
    pending: null, // the one act that waits for its answer
    armed: null,
    fingers: {}, // paddle → when last heard of
    said: null, // what the last press came to, where it needs words
  };
}

// ── what is asked of a state ─────────────────────────────────────────────────────────────────

/** The row of the queue for a lot, by its id. */
export const rowOf = (state, auctionId) => state.lots.find((row) => row.auctionId === auctionId) ?? null;

/** The lot on the screen: what is followed of it, else what its row says. */
export function shownLot(state) {
  const view = state.views[state.shown];
  if (view) return view;
  const row = rowOf(state, state.shown);
  return row && { auctionId: row.auctionId, seq: 0, gap: false, phaseAt: null, known: false, auction: { ...row, askingBid: row.opening, phase: null, channel: "online" } };
}

export const deskOf = (state) => state.desks[state.shown] ?? null;
export const isOver = (status) => OVER.includes(status);
export const waiting = (state) => deskOf(state)?.waiting ?? [];

/** Whose desk it is: `ours`, `free`, `former` (an earlier connection of this very screen),
 *  `other`, or `watching`. */
export function hold(state) {
  if (state.watching || (state.role && state.role !== "auctioneer")) return "watching";
  if (!state.control) return "free";
  if (state.control.session === state.session) return "ours";
  return state.ownSessions.includes(state.control.session) ? "former" : "other";
}

/** May anything be pressed here at all? */
export const mayAct = (state, live) => live && ["ours", "free", "former"].includes(hold(state)) && state.pending === null;

/** The lot that comes after the one shown and waits for its turn. */
export function nextLot(state) {
  const at = state.lots.findIndex((row) => row.auctionId === state.shown);
  return state.lots.slice(at + 1).find((row) => WAITS.includes(row.status) && row.auctionId !== state.ring) ?? null;
}

/** The lot that N would open: the shown one where it waits for its turn, else the next. */
export function opensNext(state) {
  const open = rowOf(state, state.ring);
  if (open && !isOver(open.status)) return null;
  const lot = shownLot(state);
  return lot && WAITS.includes(lot.auction.status) ? rowOf(state, state.shown) : nextLot(state);
}

/** Lots that may be reopened: closed, and not settled; the last first. */
export const reopenable = (state) => state.lots.filter((row) => row.status === "closed").reverse();

/** Is the shown lot being sold: open, and in the ring? */
export const isSelling = (state) => shownLot(state)?.auction.status === "open" && (state.ring === state.shown || state.ring === null);

/** Does a bidder lead on the shown lot? After an undo nobody does: then no paddle is named, and
 *  no channel on which a bidder may go without one. */
export function hasLeader(state) {
  const { price, paddle, channel } = shownLot(state).auction;
  return price !== null && (paddle !== null || channel === "room" || channel === "phone");
}

/** Does somebody on the floor lead whose paddle nobody has said? */
export const isUnnamed = (state) => hasLeader(state) && shownLot(state).auction.paddle === null;

/** How far the price is below the reserve; 0: not below, or nobody knows. */
export function belowReserve(state) {
  const { auction } = shownLot(state);
  if (auction.reserve !== "not_met") return 0;
  const reserve = deskOf(state)?.reserve ?? rowOf(state, state.shown)?.reserveAmount ?? null;
  return reserve === null ? 0 : Math.max(0, reserve - (auction.price ?? 0));
}

/** The step in force, and what else a voice might ask: four, the table's own among them. */
export function steps(state) {
  const { auction } = shownLot(state);
  const row = rowOf(state, state.shown);
  const table = tableStep(state.tables[row?.table ?? -1], auction.price ?? auction.opening) ?? Math.max(1, (auction.askingBid ?? 0) - (auction.price ?? 0));
  const inForce = deskOf(state)?.step ?? table;
  return { table, inForce, choices: around(inForce) };
}

function tableStep(table, price) {
  if (!table) return null;
  const band = table.froms.filter((from) => from <= price).length;
  return table.steps[Math.max(0, band - 1)];
}

function around(step) {
  const decade = 10 ** Math.max(0, Math.floor(Math.log10(step)) - 1);
  const nice = [1, 10, 100, 1000].flatMap((tens) => NICE.map((n) => n * tens * decade));
  const sorted = [...new Set([...nice, step])].sort((a, b) => a - b);
  const at = sorted.indexOf(step);
  return sorted.slice(Math.max(0, at - 1), Math.max(0, at - 1) + 4);
}

/** Is what is asked off the step in force? It may be; the screen says so. */
export function isOffStep(state) {
  const { auction } = shownLot(state);
  if (auction.price === null || auction.askingBid === null) return false;
  return auction.askingBid - auction.price !== steps(state).inForce;
}

/** What an undo may take back: the standing bids that made the price, the newest first. */
export const undoable = (state) => (deskOf(state)?.bids ?? []).filter((bid) => bid.state === "standing");

// ── presses ──────────────────────────────────────────────────────────────────────────────────

/** Look at another lot. The hammer is down, and what was said of the other is said no more. */
export function show(state, auctionId) {
  if (auctionId === state.shown || !rowOf(state, auctionId)) return state;
  return { ...state, shown: auctionId, armed: null, said: null, fingers: {} };
}

/** An act leaves for the saleroom. One at a time: what it comes to decides what the next means. */
export function acting(state, act) {
  return { ...state, pending: act, armed: null, said: null };
}

/** The hammer key: `{state, then}`, where `then` is null (raised, or too early), `strike`, or
 *  what must be asked first: `reason` below the reserve, `paddle` where nobody knows the buyer's. */
export function hammer(state, now) {
  const { auctionId, seq, auction } = shownLot(state);
  const raised = state.armed;
  if (!raised || now - raised.at > ARMED_MS) {
    const { price, paddle, channel } = auction;
    return { state: { ...state, said: null, armed: { auctionId, seq, price, paddle, channel, at: now } }, then: null };
  }
  if (now - raised.at < DOUBLE_MS) return { state, then: null };
  if (auction.reserve === "not_met") return { state, then: "reason" };
  return { state, then: isUnnamed(state) ? "paddle" : "strike" };
}

/** Put the hammer down, and forget what was said. */
export const standDown = (state) => (state.armed || state.said ? { ...state, armed: null, said: null } : state);

/** Time has passed: a hammer raised too long is down, fingers unheard of are gone. */
export function tick(state, now) {
  const stale = Object.keys(state.fingers).filter((paddle) => now - state.fingers[paddle] > FINGER_MS);
  const expired = state.armed !== null && now - state.armed.at > ARMED_MS;
  if (!expired && stale.length === 0) return state;
  const fingers = Object.fromEntries(Object.entries(state.fingers).filter(([paddle]) => !stale.includes(paddle)));
  return { ...state, fingers, armed: expired ? null : state.armed };
}

/** Words that no frame brought: a typed amount that cannot be asked, say. */
export const saying = (state, said) => ({ ...state, said });

/** The queue as it was just read anew. A lot that is followed knows itself better. */
export function requeue(state, { lots, ring }) {
  const rows = lots.map((row) => (state.views[row.auctionId] ? withView(row, state.views[row.auctionId]) : row));
  return { ...state, lots: rows, ring: Object.keys(state.desks).length > 0 ? state.ring : ring };
}

// ── frames ───────────────────────────────────────────────────────────────────────────────────

/** The state after one frame from the saleroom, heard at `now` on the steady clock. */
export function reduce(state, frame, now = 0) {
  if (Object.hasOwn(FRAMES, frame.type)) return FRAMES[frame.type](state, frame, now);
  return isPublic(frame) ? onPublic(state, frame) : state;
}

const FRAMES = { welcome: onWelcome, snapshot: onSnapshot, desk: onDesk, finger: onFinger, result: onResult, error: onError };

function isPublic(frame) {
  return typeof frame.auctionId === "string" && Number.isInteger(frame.seq) && typeof frame.status === "string" && "askingBid" in frame;
}

/** A new connection: what the desk was is not known until it says so, and nothing is raised. */
function onWelcome(state, { session, role }) {
  const ownSessions = state.session && state.session !== session ? [...state.ownSessions, state.session].slice(-8) : state.ownSessions;
  return { ...state, session, role, ownSessions, control: null, armed: null, fingers: {} };
}

function onSnapshot(state, frame) {
  const { auctionId, lineage, seq, at, auction } = frame;
  const before = state.views[auctionId];
  const phaseAt = before && before.auction.phase === auction.phase ? before.phaseAt : auction.phase ? at : null;
  const view = { auctionId, lineage, seq, at, auction: { ...auction }, phaseAt, gap: false, known: true };
  const moved = before && movesPrice(before.auction, auction);
  return lower(withLot(state, view), auctionId, moved);
}

function onPublic(state, frame) {
  const view = state.views[frame.auctionId];
  if (!view || view.gap || frame.seq <= view.seq) return state; // not followed, not believed, or heard before
  const first = frame.seq - (Number.isInteger(frame.merged) ? frame.merged : 1) + 1;
  if (first > view.seq + 1) return { ...state, views: { ...state.views, [view.auctionId]: { ...view, gap: true } } };
  const carried = Object.fromEntries(CARRIED.filter((name) => name in frame).map((name) => [name, frame[name]]));
  const auction = { ...view.auction, ...carried, ...(frame.type === "updated" ? frame.changed : {}), ...toldBy(frame) };
  const phaseAt = auction.phase === null ? null : auction.phase === view.auction.phase ? view.phaseAt : frame.at;
  const next = withLot(state, { ...view, auction, phaseAt, seq: frame.seq, at: frame.at });
  return after(lower(next, view.auctionId, movesPrice(view.auction, auction)), frame, state.said);
}

/** What an event says beyond the values that every event carries. */
function toldBy(frame) {
  if (frame.type === "closed") return { outcome: frame.outcome };
  if (frame.type === "opened" || frame.type === "reopened") return { outcome: null };
  return {};
}

/** What was said of the moment before is over when something happens. */
function after(state, { type, auctionId }, before) {
  if (auctionId !== state.shown || state.said !== before) return state;
  return ENDS_WORDS.includes(type) ? { ...state, said: null } : state;
}

const ENDS_WORDS = ["price", "closed", "opened", "undone", "reopened"];
const movesPrice = (before, now) => before.price !== now.price || before.paddle !== now.paddle || before.status !== now.status;

/** A hammer raised over another price is down, and the room is told why. */
function lower(state, auctionId, moved) {
  if (!moved || state.armed?.auctionId !== auctionId) return state;
  const { price, paddle, channel, status } = state.views[auctionId].auction;
  const said = status === "open" ? { kind: "held", price, paddle, channel, was: state.armed } : null;
  return { ...state, armed: null, said };
}

function withLot(state, view) {
  const lots = state.lots.map((row) => (row.auctionId === view.auctionId ? withView(row, view) : row));
  const same = lots.every((row, at) => row === state.lots[at]);
  return { ...state, views: { ...state.views, [view.auctionId]: view }, lots: same ? state.lots : lots };
}

function withView(row, { auction }) {
  const { status, price, paddle, outcome } = auction;
  const same = row.status === status && row.price === price && row.paddle === paddle && row.outcome === outcome;
  return same ? row : { ...row, status, price, paddle, outcome };
}

function onDesk(state, frame) {
  const last = state.desks[frame.auctionId];
  if (last && frame.seq < last.seq && frame.control?.session === last.control?.session) return state; // overtaken
  return {
    ...withLeft(state, frame),
    desks: { ...state.desks, [frame.auctionId]: frame },
    control: frame.control ?? null,
    ring: frame.ring ?? null,
    autoAccept: frame.autoAccept ?? true,
    houseBids: frame.houseBids ?? "none",
    totals: frame.sale ?? state.totals,
  };
}

/** The queue shows how many left bids a lot has, as its desk last said. */
function withLeft(state, { auctionId, leftBids }) {
  const row = rowOf(state, auctionId);
  if (!row || !leftBids || row.leftBids === leftBids.count) return state;
  return { ...state, lots: state.lots.map((other) => (other === row ? { ...row, leftBids: leftBids.count } : other)) };
}

function onFinger(state, { paddle, on, auctionId }, now) {
  if (auctionId !== undefined && auctionId !== state.shown) return state;
  const fingers = { ...state.fingers };
  if (on) fingers[paddle] = now;
  else delete fingers[paddle];
  return { ...state, fingers };
}

function onResult(state, frame) {
  const act = state.pending;
  if (!act || frame.cmdId !== act.cmdId) return state; // answered before, or not of this screen
  const done = { ...state, pending: null };
  if (frame.outcome === "accepted") return act.act === "message" ? { ...done, said: { kind: "sent" } } : done;
  const { code, wouldPass = null, message = null } = frame;
  if (code === "held") return { ...done, armed: null, said: heldBy(state) };
  return { ...done, armed: null, said: { kind: "refused", act: act.act, code, wouldPass, message } };
}

/** Which bid came before the hammer fell: the one that waits, else the one that leads now. */
function heldBy(state) {
  const [bid] = waiting(state);
  const { price, paddle, channel } = shownLot(state).auction;
  return bid ? { kind: "held", price: bid.amount, paddle: bid.paddle, channel: "online", waits: true } : { kind: "held", price, paddle, channel };
}

/** An `error` says that nothing entered the log. With this act's id, it is off. */
function onError(state, frame) {
  const act = state.pending;
  if (!act || frame.cmdId !== act.cmdId) return state;
  return { ...state, pending: null, said: { kind: "refused", act: act.act, code: frame.code, wouldPass: null, message: frame.message ?? null } };
}

function totalsOf(lots) {
  const sold = lots.filter((row) => row.outcome === "sold" || row.outcome === "sold_subject");
  return { lots: lots.length, sold: sold.length, passed: lots.filter((row) => row.outcome === "passed").length, hammerTotal: sold.reduce((sum, row) => sum + (row.price ?? 0), 0) };
}
