"""One lot, from its announcement to its settlement.

``decide_bid``, ``decide_move`` and ``due`` look at a lot and say what happens; ``evolve``
makes it so.  Recovery replays events through ``evolve`` alone, so that a rule changed today
does not rewrite yesterday's sale.

Nothing here reads a clock, a die or a socket: the instant ``at`` is the log's, and the same
log gives the same lot a year later.  Of a lot's memory, what grows is bounded by its bidders
and their accepted bids; of refusals each bidder's last ``REFUSALS_KEPT`` are held.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec.structs import replace

from engine.core.absentee import Book, Limit, enter, price_of
from engine.core.increments import can_be_climbed, rung_from, step_at
from engine.core.messages import (
    LAST_INSTANT,
    MAX_AMOUNT,
    Answer,
    AnswerRepeated,
    BidAccepted,
    BidRefused,
    CancelLot,
    CloseLot,
    LotCanceled,
    LotClosed,
    LotEvent,
    LotExtended,
    LotOpened,
    LotPaused,
    LotSettled,
    LotUnpaused,
    OpenLot,
    Outcome,
    PauseLot,
    PlaceBid,
    PublicState,
    Refusal,
    ReserveShown,
    SettleLot,
    Standing,
    State,
    Terms,
    UnpauseLot,
    Why,
)

REFUSALS_KEPT = 32  # the live protocol promises a refused bidder their next 31 refusals
NEVER = 2**63 - 1  # later than any instant of a log
LONGEST_MS = 366 * 24 * 3_600_000  # of an extension: a year is no extension any more
GRACE_MS = 60_000  # what a hard close is extended by when its end fell into a stop

# The life of a lot, whole.  An event that is missing from its row cannot happen there.
TRANSITIONS: dict[State, dict[type, State]] = {
    State.SCHEDULED: {LotOpened: State.OPEN, LotCanceled: State.CANCELED},
    State.OPEN: {
        BidAccepted: State.OPEN,
        LotExtended: State.OPEN,
        LotPaused: State.PAUSED,
        LotClosed: State.CLOSED,
        LotCanceled: State.CANCELED,
    },
    State.PAUSED: {
        LotUnpaused: State.OPEN,
        LotClosed: State.CLOSED,
        LotCanceled: State.CANCELED,
    },
    State.CLOSED: {LotSettled: State.SETTLED},
    State.SETTLED: {},
    State.CANCELED: {},
}

# Why a lot in this state takes no bid.
REFUSED_IN: dict[State, Refusal] = {
    State.SCHEDULED: "not_open_yet",
    State.PAUSED: "paused",
    State.CLOSED: "closed",
    State.SETTLED: "closed",
    State.CANCELED: "canceled",
}

Move = OpenLot | PauseLot | UnpauseLot | CloseLot | CancelLot | SettleLot
MOVES: dict[type, type] = {
    OpenLot: LotOpened,
    PauseLot: LotPaused,
    UnpauseLot: LotUnpaused,
    CloseLot: LotClosed,
    CancelLot: LotCanceled,
    SettleLot: LotSettled,
}


@dataclass(slots=True)
class Bidder:
    """What one bidder has done on one lot.  ``paddle`` 0: none given yet."""

    paddle: int = 0
    limit: Limit | None = None  # their place in the book
    bid_count: int = 0  # accepted ones
    has_led: bool = False
    answers: dict[str, Answer] = field(default_factory=dict)  # by cmd_id
    refused: list[str] = field(default_factory=list)  # of these the refusals, oldest first


@dataclass(slots=True)
class Lot:
    """The engine's whole knowledge of one lot."""

    auction_id: str
    sale_id: str
    terms: Terms
    state: State = State.SCHEDULED
    closes_at: int | None = None
    left_ms: int | None = None  # while paused: what was left of the time
    settle_at: int | None = None
    due_at: int = NEVER  # when the clock has something to do here
    outcome: Outcome | None = None
    price: int | None = None
    asking: int | None = None  # the lowest bid that a newcomer could make, were it open
    leader: str | None = None
    book: Book = field(default_factory=list)
    bidders: dict[str, Bidder] = field(default_factory=dict)
    order: int = 0  # of the last limit that entered the book
    seq: int = 0  # of the last public event
    bid_count: int = 0
    bidder_count: int = 0
    extensions: int = 0


def announce(auction_id: str, sale_id: str, terms: Terms) -> Lot:
    """A lot as it is when it has just been added to its sale."""
    lot = Lot(auction_id, sale_id, terms, closes_at=terms.closes_at, asking=terms.opening)
    lot.due_at = _next_due(lot)
    return lot


def can_be_sold_by(terms: Terms) -> bool:
    """Are these terms that a lot can be sold by?"""
    amounts = [terms.opening] if terms.reserve is None else [terms.opening, terms.reserve]
    spans = [terms.extension_window_ms, terms.extension_ms, terms.max_extensions or 0]
    opens_at, closes_at = terms.opens_at, terms.closes_at
    instants = [opens_at or 0, closes_at or 0, terms.settle_at or 0]
    return (
        all(0 < amount <= MAX_AMOUNT for amount in amounts)
        and all(0 <= span <= LONGEST_MS for span in spans)
        and all(0 <= instant <= LAST_INSTANT - LONGEST_MS for instant in instants)
        and (opens_at is None or closes_at is None or opens_at < closes_at)
        and can_be_climbed(terms.increments)
    )


# ── What a lot would take ────────────────────────────────────────────────────────────────


def asking_bid(lot: Lot) -> int | None:
    """The lowest bid that a newcomer could make next; None when there is nothing to ask."""
    return lot.asking if lot.state in _BIDDABLE else None


def _asking_at(terms: Terms, price: int) -> int | None:
    asking = price + step_at(terms.increments, price)
    if terms.ladder_only:
        asking = rung_from(terms.increments, terms.opening, asking)
    return asking if asking <= MAX_AMOUNT else None


def _would_pass(lot: Lot, leads: bool) -> int | None:
    """The lowest amount that this bidder could bid now."""
    if lot.state is not State.OPEN:
        return None
    return _next_raise(lot.terms, -lot.book[0][0]) if leads else lot.asking


def _next_raise(terms: Terms, limit: int) -> int | None:
    """The lowest limit above *limit*: what the leader may send."""
    raised = limit + 1
    if terms.ladder_only:
        raised = rung_from(terms.increments, terms.opening, raised)
    return raised if raised <= MAX_AMOUNT else None


def reserve_shown(terms: Terms, price: int | None) -> ReserveShown:
    """All that is ever said of a reserve."""
    if terms.reserve is None:
        return "none"
    return "met" if price is not None and price >= terms.reserve else "not_met"


def public_state(lot: Lot) -> PublicState:
    """The lot as everybody may see it."""
    return _public(lot, lot.state, lot.seq, lot.closes_at)


def _public(lot: Lot, state: State, seq: int, closes_at: int | None) -> PublicState:
    return PublicState(
        seq,
        state,
        lot.price,
        lot.asking if state in _BIDDABLE else None,
        lot.bidders[lot.leader].paddle if lot.leader is not None else None,
        lot.bid_count,
        lot.bidder_count,
        reserve_shown(lot.terms, lot.price),
        closes_at if state is not State.PAUSED else None,
        lot.extensions,
    )


_BIDDABLE = (State.SCHEDULED, State.OPEN, State.PAUSED)  # sooner or later


_NEWCOMER = Bidder()  # whoever has done nothing on this lot yet; never changed


# ── Bids ─────────────────────────────────────────────────────────────────────────────────


def decide_bid(
    lot: Lot, bid: PlaceBid, at: int, admission: Refusal | None, paddle: int
) -> BidAccepted | BidRefused | AnswerRepeated:
    """Does this bid stand?

    *admission* is the sale's objection to the bidder, *paddle* the number they hold or would
    be given.  A refusal is a value, with the number that would pass.  A bid asked about
    twice is answered twice alike, whatever has happened in between.
    """
    bidder = lot.bidders.get(bid.consumer_id)
    if bidder is not None and (known := bidder.answers.get(bid.cmd_id)) is not None:
        return _repeat(lot, bid, bidder, known, at, admission)

    leads = lot.leader == bid.consumer_id
    code = _refusal(lot, bid, admission, leads)
    if code is not None:
        answer = _refused(lot, bid, bidder, at, code, admission)
        return BidRefused(bid.auction_id, bid.consumer_id, bid.cmd_id, answer)

    # From here on the bid stands.
    price, why = _raise(lot, bid.amount) if leads else _compete(lot, bid)
    return _accepted(lot, bid, at, bidder, paddle, price, why)


def _refusal(lot: Lot, bid: PlaceBid, admission: Refusal | None, leads: bool) -> Refusal | None:
    """The first objection, in the order of bidding-rules 2.1."""
    if lot.state is not State.OPEN:
        return REFUSED_IN[lot.state]
    if admission is not None:
        return admission
    if leads:
        if bid.amount <= -lot.book[0][0]:
            return "not_a_raise"
    elif lot.asking is None or bid.amount < lot.asking:
        return "below_asking_bid"
    if lot.terms.ladder_only and bid.amount != rung_from(
        lot.terms.increments, lot.terms.opening, bid.amount
    ):
        return "off_ladder"
    return None


def _refused(
    lot: Lot,
    bid: PlaceBid,
    bidder: Bidder | None,
    at: int,
    code: Refusal,
    admission: Refusal | None,
) -> Answer:
    """A refusal, with the number that would pass where this bidder may bid at all."""
    leads = lot.leader == bid.consumer_id
    return Answer(
        bid.amount,
        bid.kind,
        at,
        lot.seq,
        _standing(bidder, leads),
        lot.price,
        asking_bid(lot),
        _would_pass(lot, leads) if admission is None else None,
        code,
        code == "below_asking_bid" and bid.seen is not None and bid.seen < lot.seq,
        bidder.bid_count if bidder is not None else 0,
    )


def _compete(lot: Lot, bid: PlaceBid) -> tuple[int, Why]:
    """The price that a bid against the book makes, and what made it."""
    best = -lot.book[0][0] if lot.book else None
    if best is not None and bid.amount <= best:
        return price_of(lot.terms, best, bid.amount), "proxy"
    price = price_of(lot.terms, bid.amount, best)
    if bid.kind == "bid":
        price = max(price, bid.amount)
    # The reserve alone made this price when nobody named it.
    by_reserve = price == lot.terms.reserve and bid.amount != price
    return price, "reserve" if by_reserve else "bid"


def _raise(lot: Lot, limit: int) -> tuple[int, Why | None]:
    """The price after the leader's own raise, which competes with nobody (line 11)."""
    terms = lot.terms
    assert lot.price is not None
    price = lot.price
    meets_reserve = terms.reserve is not None and price < terms.reserve <= limit
    if terms.leader_raise == "recompute":
        second = -lot.book[1][0] if len(lot.book) > 1 else None
        price = max(price, price_of(terms, limit, second))
    elif meets_reserve:
        assert terms.reserve is not None
        price = terms.reserve
    if price == lot.price:
        return price, None
    return price, "reserve" if price == terms.reserve else "bid"


def _accepted(
    lot: Lot,
    bid: PlaceBid,
    at: int,
    bidder: Bidder | None,
    paddle: int,
    price: int,
    why: Why | None,
) -> BidAccepted:
    """The event of a bid that stands, with everything as it is after it."""
    if bidder is None:
        bidder = _NEWCOMER
    if bidder.paddle:
        paddle = bidder.paddle
    best = -lot.book[0][0] if lot.book else 0
    leads = bid.amount > best  # also the leader's own raise
    after = _after(lot, price, why is not None, leads, paddle, bidder.bid_count == 0)
    status: Standing = "WINNING"
    would_pass = after.asking_bid
    if leads:
        would_pass = _next_raise(lot.terms, bid.amount)
    else:
        status = "OUTBID" if bidder.has_led else "ACTIVE"
    answer = Answer(
        bid.amount,
        bid.kind,
        at,
        after.seq,
        status,
        price,
        after.asking_bid,
        would_pass,
        None,
        False,
        bidder.bid_count + 1,
    )
    beaten = lot.leader if leads and lot.leader != bid.consumer_id else None
    tied = bid.amount == best
    return BidAccepted(
        bid.auction_id, bid.consumer_id, bid.cmd_id, answer, paddle, beaten, tied, why, after
    )


def _after(
    lot: Lot, price: int, moved: bool, leads: bool, paddle: int, is_new: bool
) -> PublicState:
    """The public state after a bid by *paddle*; *is_new*: their first on this lot."""
    if not leads and lot.leader is not None:
        paddle = lot.bidders[lot.leader].paddle
    return PublicState(
        lot.seq + moved,
        State.OPEN,
        price,
        _asking_at(lot.terms, price) if moved else lot.asking,
        paddle,
        lot.bid_count + moved,
        lot.bidder_count + is_new,
        reserve_shown(lot.terms, price),
        lot.closes_at,
        lot.extensions,
    )


def _repeat(
    lot: Lot, bid: PlaceBid, bidder: Bidder, known: Answer, at: int, admission: Refusal | None
) -> AnswerRepeated:
    """The first answer again; or, for other content under the same id, an objection to it."""
    same = known.amount == bid.amount and known.kind == bid.kind
    mismatch: Refusal = "idempotency_mismatch"
    answer = known if same else _refused(lot, bid, bidder, at, mismatch, admission)
    return AnswerRepeated(bid.auction_id, bid.consumer_id, bid.cmd_id, answer)


def _standing(bidder: Bidder | None, leads: bool) -> Standing:
    if leads:
        return "WINNING"
    if bidder is None or bidder.bid_count == 0:
        return "NOT_BID"
    return "OUTBID" if bidder.has_led else "ACTIVE"


def extension(lot: Lot, at: int) -> LotExtended | None:
    """The soft close, asked right after a competing bid was taken (bidding-rules 2.3)."""
    terms = lot.terms
    if lot.closes_at is None or lot.closes_at - at >= terms.extension_window_ms:
        return None
    if terms.max_extensions is not None and lot.extensions >= terms.max_extensions:
        return None
    closes_at = at + terms.extension_ms
    if closes_at <= lot.closes_at:
        return None
    return _extended(lot, at, closes_at, lot.extensions + 1)


def _extended(lot: Lot, at: int, closes_at: int, extensions: int) -> LotExtended:
    state = _public(lot, State.OPEN, lot.seq + 1, closes_at)
    return LotExtended(at, lot.auction_id, replace(state, extensions=extensions))


# ── Time and the house's own commands ────────────────────────────────────────────────────


def due(lot: Lot, at: int, resumed_at: int) -> LotEvent | None:
    """What time alone brings about on this lot by *at*: one step; ask again after it.

    An end that is not later than *resumed_at* fell into a stop of the house: nobody could
    bid, so the lot stays open for its extension window after trading resumed.
    """
    if at < lot.due_at:
        return None
    if lot.state is State.SCHEDULED:
        return _open(lot, at)
    if lot.state is State.CLOSED:
        return LotSettled(
            at, lot.auction_id, _public(lot, State.SETTLED, lot.seq + 1, lot.closes_at)
        )
    assert lot.state is State.OPEN
    assert lot.closes_at is not None
    if lot.closes_at <= resumed_at:
        window = lot.terms.extension_window_ms or GRACE_MS
        return _extended(lot, at, resumed_at + window, lot.extensions)
    return _close(lot, at)


def decide_move(lot: Lot, move: Move, at: int) -> LotEvent | None:
    """Carry out a command of the house; None where the lot's life has no such step."""
    event = MOVES[type(move)]
    if event not in TRANSITIONS[lot.state]:
        return None
    seq = lot.seq + 1
    if event is LotOpened:
        return _open(lot, at)
    if event is LotClosed:
        return _close(lot, at)
    if event is LotPaused:
        return LotPaused(at, lot.auction_id, _public(lot, State.PAUSED, seq, None))
    if event is LotUnpaused:
        closes_at = None if lot.left_ms is None else at + lot.left_ms
        return LotUnpaused(at, lot.auction_id, _public(lot, State.OPEN, seq, closes_at))
    if event is LotSettled:
        return LotSettled(at, lot.auction_id, _public(lot, State.SETTLED, seq, lot.closes_at))
    return LotCanceled(at, lot.auction_id, _public(lot, State.CANCELED, seq, lot.closes_at))


def _open(lot: Lot, at: int) -> LotOpened:
    return LotOpened(at, lot.auction_id, _public(lot, State.OPEN, lot.seq + 1, lot.closes_at))


def _close(lot: Lot, at: int) -> LotClosed:
    sold = lot.leader is not None and reserve_shown(lot.terms, lot.price) != "not_met"
    closes_at = at if lot.closes_at is None else min(lot.closes_at, at)
    return LotClosed(
        at,
        lot.auction_id,
        "sold" if sold else "passed",
        lot.leader if sold else None,
        max(at, lot.terms.settle_at or at),
        _public(lot, State.CLOSED, lot.seq + 1, closes_at),
    )


# ── Making it so ─────────────────────────────────────────────────────────────────────────


def evolve(lot: Lot, event: LotEvent) -> None:
    """Make a step of the lot's life part of its history.

    An event that cannot happen in the lot's state is a bug here or a damaged log, and going
    on would sell the wrong thing to the wrong person: it stops the engine.
    """
    state = TRANSITIONS[lot.state].get(type(event))
    assert state is not None, f"{type(event).__name__} cannot follow {lot.state}"
    assert event.after.seq == lot.seq + 1, f"seq {event.after.seq} after {lot.seq}"
    if isinstance(event, LotPaused) and lot.closes_at is not None:
        lot.left_ms = lot.closes_at - event.at
    lot.state = state
    lot.seq = event.after.seq
    lot.closes_at = event.after.closes_at
    lot.extensions = event.after.extensions
    if isinstance(event, LotClosed):
        lot.outcome = event.outcome
        lot.settle_at = event.settle_at
    elif isinstance(event, LotCanceled):
        lot.outcome = "canceled"
    lot.due_at = _next_due(lot)


def evolve_accepted(lot: Lot, event: BidAccepted) -> None:
    """Make an accepted bid part of the lot's history."""
    assert lot.state is State.OPEN, f"a bid was accepted while {lot.state}"
    after = event.after
    assert after.seq == lot.seq + (event.why is not None)
    # The price never falls, and it is the price event that says so (bidding-rules 2.1, line 10).
    assert event.why is None or lot.price is None or (after.price or 0) > lot.price
    bidder = lot.bidders.get(event.consumer_id)
    if bidder is None:
        bidder = lot.bidders[event.consumer_id] = Bidder()
    lot.order += 1
    # The leader's raise keeps its place in time (bidding-rules 2.1, line 3).
    held = bidder.limit if lot.leader == event.consumer_id else None
    order = held[1] if held is not None else lot.order
    bidder.limit = enter(lot.book, event.consumer_id, event.answer.amount, order, bidder.limit)
    bidder.paddle = event.paddle
    bidder.bid_count += 1
    bidder.answers[event.cmd_id] = event.answer
    if event.answer.status == "WINNING":
        bidder.has_led = True
        lot.leader = event.consumer_id
    lot.price = after.price
    lot.asking = after.asking_bid
    lot.seq = after.seq
    lot.bid_count = after.bid_count
    lot.bidder_count = after.bidder_count


def evolve_refused(lot: Lot, event: BidRefused) -> None:
    """Remember a refusal for its retry, and nothing else."""
    bidder = lot.bidders.get(event.consumer_id)
    if bidder is None:
        bidder = lot.bidders[event.consumer_id] = Bidder()
    bidder.answers[event.cmd_id] = event.answer
    bidder.refused.append(event.cmd_id)
    if len(bidder.refused) > REFUSALS_KEPT:
        del bidder.answers[bidder.refused.pop(0)]


def _next_due(lot: Lot) -> int:
    due_at: int | None = None
    if lot.state is State.SCHEDULED:
        due_at = lot.terms.opens_at
    elif lot.state is State.OPEN:
        due_at = lot.closes_at
    elif lot.state is State.CLOSED:
        due_at = lot.settle_at
    return NEVER if due_at is None else due_at
