"""One lot, from its announcement to its settlement.

``due`` and ``decide_move`` look at a lot and say what happens in its life; what becomes of a
bid is said by bidding.py, and of a change of terms by editing.py.  ``evolve`` makes it so.
Recovery replays events through ``evolve`` alone, so that a rule changed today does not
rewrite yesterday's sale.

Nothing here reads a clock, a die or a socket: the instant ``at`` is the log's, and the same
log gives the same lot a year later.  Of a lot's memory, what grows is bounded by its bidders
and their accepted bids; of refusals each bidder's last ``REFUSALS_KEPT`` are held.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from engine.core import dutch, places, sealed
from engine.core.absentee import Book, Limit, enter
from engine.core.increments import rung_from, step_at
from engine.core.messages import (
    MAX_AMOUNT,
    Answer,
    AskingSet,
    BidAccepted,
    BidCalled,
    BidCanceled,
    BiddingEnded,
    BidRefused,
    BidsUndone,
    CallMade,
    CancelLot,
    CloseLot,
    FinishSettlement,
    LimitLowered,
    LotCanceled,
    LotClosed,
    LotEvent,
    LotExtended,
    LotOpened,
    LotPaused,
    LotReopened,
    LotSettled,
    LotSettling,
    LotUnpaused,
    LotUpdated,
    LotWithdrawn,
    MessageSaid,
    OpenedBid,
    OpenLot,
    Outcome,
    PauseLot,
    PriceDropped,
    PublicState,
    Refusal,
    RemoveLot,
    ReserveLowered,
    ReserveShown,
    SettleLot,
    State,
    Terms,
    UnpauseLot,
    Win,
)
from engine.core.rostrum import HOUSE, UNNAMED, Rostrum, rostrum_of
from engine.core.sealed import SealedBid
from engine.core.terms import Method, method_of

REFUSALS_KEPT = 32  # the live protocol promises a refused bidder their next 31 refusals
NEVER = 2**63 - 1  # later than any instant of a log
GRACE_MS = 60_000  # what a hard close is extended by when its end fell into a stop

# The life of a lot, whole.  An event that is missing from its row cannot happen there.
TRANSITIONS: dict[State, dict[type, State]] = {
    State.SCHEDULED: {
        LotUpdated: State.SCHEDULED,
        LotOpened: State.OPEN,
        LotCanceled: State.CANCELED,
        LotWithdrawn: State.WITHDRAWN,
        # Only of a live lot, here as below: what the rostrum does.
        BidAccepted: State.SCHEDULED,  # a left bid
        LotClosed: State.CLOSED,  # withdrawn
        MessageSaid: State.SCHEDULED,
    },
    State.OPEN: {
        BidAccepted: State.OPEN,
        BidCanceled: State.OPEN,
        LotExtended: State.OPEN,
        PriceDropped: State.OPEN,
        BiddingEnded: State.OPEN,
        LotUpdated: State.OPEN,
        LotPaused: State.PAUSED,
        LotClosed: State.CLOSED,
        LotCanceled: State.CANCELED,
        BidCalled: State.OPEN,
        AskingSet: State.OPEN,
        CallMade: State.OPEN,
        MessageSaid: State.OPEN,
        ReserveLowered: State.OPEN,
        BidsUndone: State.OPEN,
    },
    State.PAUSED: {
        BidCanceled: State.PAUSED,
        BiddingEnded: State.PAUSED,
        LotUpdated: State.PAUSED,
        LotUnpaused: State.OPEN,
        LotClosed: State.CLOSED,
        LotCanceled: State.CANCELED,
        AskingSet: State.PAUSED,
        MessageSaid: State.PAUSED,
        ReserveLowered: State.PAUSED,
        BidsUndone: State.PAUSED,
    },
    State.CLOSED: {
        LotUpdated: State.CLOSED,
        LotClosed: State.CLOSED,  # sold subject, and decided now
        LotReopened: State.OPEN,
        MessageSaid: State.CLOSED,
        LotSettling: State.SETTLING,
        LotSettled: State.SETTLED,
    },
    State.SETTLING: {LotUpdated: State.SETTLING, LotSettled: State.SETTLED},
    State.SETTLED: {LotUpdated: State.SETTLED},
    State.CANCELED: {LotUpdated: State.CANCELED, LotWithdrawn: State.WITHDRAWN},
    State.WITHDRAWN: {LotUpdated: State.WITHDRAWN},
}

# Why a lot in this state takes no bid.
REFUSED_IN: dict[State, Refusal] = {
    State.SCHEDULED: "not_open_yet",
    State.PAUSED: "paused",
    State.CLOSED: "closed",
    State.SETTLING: "closed",
    State.SETTLED: "closed",
    State.CANCELED: "canceled",
    State.WITHDRAWN: "closed",
}

Move = (
    OpenLot
    | PauseLot
    | UnpauseLot
    | CloseLot
    | CancelLot
    | SettleLot
    | FinishSettlement
    | RemoveLot
)


@dataclass(slots=True)
class Bidder:
    """What one bidder has done on one lot.  ``paddle`` 0: none given yet."""

    paddle: int = 0
    limit: Limit | None = None  # their place in the book
    cmd_id: str = ""  # of the bid that put them there
    sealed: SealedBid | None = None  # of a sealed auction: the bid that stands
    bid_count: int = 0  # accepted ones
    has_led: bool = False
    won: int = 0  # what they pay
    answers: dict[str, Answer] = field(default_factory=dict)  # by cmd_id
    refused: list[str] = field(default_factory=list)  # of these the refusals, oldest first


@dataclass(slots=True)
class Lot:
    """The engine's whole knowledge of one lot."""

    auction_id: str
    sale_id: str
    terms: Terms
    method: Method = "proxy"  # how bids are taken, by its terms
    state: State = State.SCHEDULED
    revision: int = 0  # of its terms and catalogue
    closes_at: int | None = None
    left_ms: int | None = None  # while paused: what was left of the time
    ends_at: int | None = None  # while paused: the end that stands all the same
    bidding_ended: bool = False  # a sealed auction's time is over, and the key is waited for
    next_drop_at: int | None = None  # while a falling price is open and above its floor
    drop_left_ms: int | None = None  # while it is paused: what was left until the next drop
    settle_at: int | None = None
    due_at: int = NEVER  # when the clock has something to do here
    outcome: Outcome | None = None
    winner: str | None = None  # the first of the winners
    hammer_price: int | None = None  # the highest that a winner pays
    price: int | None = None
    asking: int | None = None  # the lowest bid that a newcomer could make, were it open
    leader: str | None = None  # whose bid made the price
    book: Book = field(default_factory=list)
    bidders: dict[str, Bidder] = field(default_factory=dict)
    order: int = 0  # of the last limit that entered the book
    seq: int = 0  # of the last public event
    bid_count: int = 0
    bidder_count: int = 0
    extensions: int = 0
    rostrum: Rostrum | None = None  # of a live lot of one place


def announce(auction_id: str, sale_id: str, terms: Terms) -> Lot:
    """A lot as it is when it has just been added to its sale."""
    lot = Lot(auction_id, sale_id, terms, method_of(terms))
    lot.rostrum = rostrum_of(terms)
    lot.closes_at, lot.asking = terms.closes_at, terms.opening
    lot.due_at = _next_due(lot)
    return lot


# ── What everybody may know ──────────────────────────────────────────────────────────────


def asking_bid(lot: Lot) -> int | None:
    """The lowest bid that a newcomer could make next; None when there is nothing to ask."""
    return lot.asking if lot.state in _BIDDABLE else None


def asking_at(terms: Terms, price: int) -> int | None:
    """One step above *price*; None where that is more than anybody can bid."""
    asking = price + step_at(terms.increments, price)
    if terms.ladder_only:
        asking = rung_from(terms.increments, terms.opening, asking)
    return asking if asking <= MAX_AMOUNT else None


def asking_over(terms: Terms, price: int, step: int | None) -> int | None:
    """As ``asking_at``, at the rostrum: by its own *step* where it has set one, and from a bid
    that it has taken between two rungs to the upper one."""
    if step is not None:
        return price + step if price + step <= MAX_AMOUNT else None
    upper = rung_from(terms.increments, terms.opening, price)
    if terms.ladder_only and terms.opening < price < upper:
        return upper if upper <= MAX_AMOUNT else None
    return asking_at(terms, price)


def reserve_shown(terms: Terms, price: int | None) -> ReserveShown:
    """All that is ever said of a reserve."""
    if terms.reserve is None:
        return "none"
    return "met" if price is not None and price >= terms.reserve else "not_met"


def public_state(lot: Lot) -> PublicState:
    """The lot as everybody may see it."""
    return _public(lot, lot.state, lot.seq, lot.closes_at)


def after(lot: Lot) -> PublicState:
    """The lot as everybody may see it once the next public event has taken its seq."""
    return _public(lot, lot.state, lot.seq + 1, lot.closes_at)


def _public(lot: Lot, state: State, seq: int, closes_at: int | None) -> PublicState:
    rostrum = lot.rostrum
    return PublicState(
        seq,
        state,
        lot.price,
        lot.asking if state in _BIDDABLE else None,
        (lot.bidders[lot.leader].paddle or None) if lot.leader is not None else None,
        lot.bid_count,
        lot.bidder_count,
        reserve_shown(lot.terms, lot.price),
        closes_at if state is not State.PAUSED else None,
        lot.extensions,
        rostrum.channel if rostrum is not None else "online",
        rostrum.phase if rostrum is not None and state is State.OPEN else None,
    )


_BIDDABLE = (State.SCHEDULED, State.OPEN, State.PAUSED)  # sooner or later


# ── What a bidder stands for ─────────────────────────────────────────────────────────────


def holds_place(lot: Lot, consumer_id: str) -> bool:
    """Would this bidder buy, were the lot closed now and its reserve met?"""
    if lot.method == "proxy":
        return lot.leader == consumer_id
    bidder = lot.bidders.get(consumer_id)
    return bidder is not None and places.holds(lot.book, bidder.limit, lot.terms.winner_count)


def exposure(lot: Lot, consumer_id: str) -> int:
    """What this bidder has bought the lot for, or would pay at most as things stand.

    Nothing is known of a sealed bid before the close.
    """
    bidder = lot.bidders.get(consumer_id)
    if bidder is None:
        return 0
    if lot.state is State.OPEN or lot.state is State.PAUSED:
        return -bidder.limit[0] if bidder.limit and holds_place(lot, consumer_id) else 0
    if lot.outcome == "sold_subject" and lot.leader == consumer_id:
        return lot.price or 0
    return bidder.won


def binds(lot: Lot, consumer_id: str) -> bool:
    """Has this bidder bought here, or might they yet with what they have bid?"""
    bidder = lot.bidders.get(consumer_id)
    if bidder is None:
        return False
    if lot.rostrum is not None and lot.leader is None and lot.state in _BIDDABLE:
        return bidder.limit is not None  # a left bid, to be carried out
    if lot.state is not State.OPEN and lot.state is not State.PAUSED:
        return exposure(lot, consumer_id) > 0
    if lot.method == "once":  # whoever stands behind moves up when another is taken back
        return bidder.limit is not None
    return bidder.sealed is not None or holds_place(lot, consumer_id)


# ── Time ─────────────────────────────────────────────────────────────────────────────────


def due(lot: Lot, at: int, resumed_at: int) -> LotEvent | BiddingEnded | None:
    """What time alone brings about on this lot by *at*: one step; ask again after it.

    An end that is not later than *resumed_at* fell into a stop of the house: nobody could
    bid, so the lot stays open for its extension window after trading resumed.
    """
    if at < lot.due_at:
        return None
    if lot.state is State.SCHEDULED:
        return opened(lot, at)
    if lot.state is State.CLOSED:
        return _settle(lot, at)
    if lot.state is State.PAUSED:  # only an end that stands through a pause is due then
        return _end(lot, at)
    assert lot.state is State.OPEN
    if lot.closes_at is not None and lot.closes_at <= resumed_at:
        window = lot.terms.extension_window_ms or GRACE_MS
        return extended(lot, at, resumed_at + window, lot.extensions)
    return _drop(lot, at) or _end(lot, at)


def _drop(lot: Lot, at: int) -> PriceDropped | None:
    """All the drops that were due before the end, as one event."""
    if lot.next_drop_at is None or lot.asking is None:
        return None
    until = at if lot.closes_at is None else min(at, lot.closes_at - 1)
    if until < lot.next_drop_at:
        return None
    asking = dutch.overdue(lot.terms, lot.asking, lot.next_drop_at, until).asking
    return PriceDropped(at, lot.auction_id, replace(after(lot), asking_bid=asking))


def _end(lot: Lot, at: int) -> LotClosed | BiddingEnded:
    if lot.method == "sealed":
        return BiddingEnded(at, lot.auction_id)
    return close(lot, at)


def extension(lot: Lot, at: int) -> LotExtended | None:
    """The soft close, asked right after a competing bid was taken (bidding-rules 2.3)."""
    terms = lot.terms
    if lot.closes_at is None or lot.closes_at - at >= terms.extension_window_ms:
        return None
    if lot.state is not State.OPEN:  # a left bid, before the opening
        return None
    if terms.max_extensions is not None and lot.extensions >= terms.max_extensions:
        return None
    closes_at = at + terms.extension_ms
    if closes_at <= lot.closes_at:
        return None
    return extended(lot, at, closes_at, lot.extensions + 1)


def extended(lot: Lot, at: int, closes_at: int, extensions: int) -> LotExtended:
    """The lot stays open until *closes_at*."""
    state = _public(lot, State.OPEN, lot.seq + 1, closes_at)
    return LotExtended(at, lot.auction_id, replace(state, extensions=extensions))


# ── The house's own commands ─────────────────────────────────────────────────────────────


def decide_move(lot: Lot, move: Move, at: int) -> LotEvent | None:
    """Carry out a command of the house; None where the lot's life has no such step.

    A sealed lot is closed with its key, by ``close_sealed``.
    """
    match move:
        case OpenLot() if lot.state is State.SCHEDULED:
            return opened(lot, at)
        case PauseLot() if lot.state is State.OPEN and not lot.bidding_ended:
            return LotPaused(at, lot.auction_id, _public(lot, State.PAUSED, lot.seq + 1, None))
        case UnpauseLot() if lot.state is State.PAUSED and not lot.bidding_ended:
            return _unpause(lot, at)
        case CloseLot() if can_close(lot):
            return close(lot, at)
        case CancelLot() if LotCanceled in TRANSITIONS[lot.state]:
            state = _public(lot, State.CANCELED, lot.seq + 1, lot.closes_at)
            return LotCanceled(at, lot.auction_id, state)
        case SettleLot() if lot.state is State.CLOSED and lot.outcome != "sold_subject":
            return _settle(lot, at)
        case FinishSettlement() if lot.state is State.SETTLING:
            return _settled(lot, at)
        case RemoveLot() if _can_be_removed(lot):
            state = _public(lot, State.WITHDRAWN, lot.seq + 1, lot.closes_at)
            return LotWithdrawn(at, lot.auction_id, state)
    return None


def can_close(lot: Lot) -> bool:
    """Has its life this step now?"""
    return lot.state is State.OPEN or lot.state is State.PAUSED


def _can_be_removed(lot: Lot) -> bool:
    """Before it opens; the operator of a token auction may clear away a canceled one, too."""
    if lot.state is State.CANCELED:
        return lot.terms.tokens is not None
    return lot.state is State.SCHEDULED


def opened(lot: Lot, at: int) -> LotOpened:
    """Bids, please."""
    return LotOpened(at, lot.auction_id, _public(lot, State.OPEN, lot.seq + 1, lot.closes_at))


def _unpause(lot: Lot, at: int) -> LotUnpaused:
    closes_at = None if lot.left_ms is None else at + lot.left_ms
    if lot.terms.fixed_end:
        closes_at = lot.ends_at
    return LotUnpaused(at, lot.auction_id, _public(lot, State.OPEN, lot.seq + 1, closes_at))


def close(lot: Lot, at: int) -> LotClosed:
    """The hammer falls: to whom, and for how much."""
    if lot.leader in UNNAMED:
        return _closed_on_the_floor(lot, at)
    return closed(lot, at, _winners(lot))


def _closed_on_the_floor(lot: Lot, at: int) -> LotClosed:
    """Nobody knows the leader's paddle: the rostrum must say who has bought.  The house, who
    bids for the consignor, buys nothing."""
    sold = lot.leader != HOUSE and reserve_shown(lot.terms, lot.price) != "not_met"
    return closed(lot, at, [], "sold_subject" if sold else "passed")


def _winners(lot: Lot) -> list[Win]:
    """Who buys and what each pays, best first."""
    if lot.method == "proxy":
        sold = lot.leader is not None and reserve_shown(lot.terms, lot.price) != "not_met"
        return [_win(lot, lot.book[0], lot.price)] if sold else []
    won = places.winning(lot.book, lot.terms.winner_count, lot.terms.reserve)
    return [_win(lot, entry, -entry[0]) for entry in won]


def _win(lot: Lot, entry: Limit, pays: int | None) -> Win:
    assert pays is not None
    limit, _, consumer_id = entry
    bidder = lot.bidders[consumer_id]
    bid = bidder.answers[bidder.cmd_id].amount if lot.method == "dutch" else -limit
    return Win(consumer_id, bidder.paddle, pays, bid, bidder.cmd_id)


def closed(lot: Lot, at: int, winners: list[Win], outcome: Outcome | None = None) -> LotClosed:
    """The end of the bidding.  A live lot is settled by command, when the sale is over."""
    by_command = lot.terms.settle_by_command or lot.rostrum is not None
    end = lot.ends_at if lot.state is State.PAUSED else lot.closes_at
    return LotClosed(
        at,
        lot.auction_id,
        outcome or ("sold" if winners else "passed"),
        winners[0].consumer_id if winners else None,
        None if by_command else max(at, lot.terms.settle_at or at),
        _public(lot, State.CLOSED, lot.seq + 1, at if end is None else min(end, at)),
        tuple(winners),
    )


def close_sealed(
    lot: Lot, command: CloseLot, at: int, allowances: Mapping[str, int]
) -> LotClosed | None:
    """Open every sealed bid, and say who buys; None where the key is not this lot's.

    *allowances* as in ``sealed.opened``.  Nothing of it is public before the settlement.
    """
    assert lot.terms.sealing is not None
    key = sealed.opening_key(lot.terms.sealing.public_key, command.opening_key)
    if key is None:
        return None
    bids = [bidder.sealed for bidder in lot.bidders.values() if bidder.sealed is not None]
    found = sealed.opened(lot.auction_id, lot.terms, bids, key, allowances)
    winners = [_sealed_win(lot, bid, pays) for bid, pays in sealed.winners(lot.terms, found)]
    end = closed(lot, at, winners)
    return replace(end, opened=found, opening_key=command.opening_key)


def _sealed_win(lot: Lot, bid: OpenedBid, pays: int) -> Win:
    paddle = lot.bidders[bid.consumer_id].paddle
    return Win(bid.consumer_id, paddle, pays, bid.amount, bid.cmd_id)


def _settle(lot: Lot, at: int) -> LotSettling | LotSettled:
    """Where tokens change hands the books come first."""
    if lot.terms.tokens is None:
        return _settled(lot, at)
    state = _public(lot, State.SETTLING, lot.seq + 1, lot.closes_at)
    return LotSettling(at, lot.auction_id, state)


def _settled(lot: Lot, at: int) -> LotSettled:
    state = _public(lot, State.SETTLED, lot.seq + 1, lot.closes_at)
    if lot.method == "sealed" and lot.winner is not None:
        # Only now may anybody know what it was sold for, and to which paddle.
        state = replace(
            state,
            price=lot.hammer_price,
            paddle=lot.bidders[lot.winner].paddle,
            reserve=reserve_shown(lot.terms, lot.hammer_price),
        )
    return LotSettled(at, lot.auction_id, state)


# ── Making it so ─────────────────────────────────────────────────────────────────────────


def evolve(lot: Lot, event: LotEvent | BiddingEnded) -> None:
    """Make a step of the lot's life part of its history.

    An event that cannot happen in the lot's state is a bug here or a damaged log, and going
    on would sell the wrong thing to the wrong person: it stops the engine.
    """
    state = TRANSITIONS[lot.state].get(type(event))
    assert state is not None, f"{type(event).__name__} cannot follow {lot.state}"
    if isinstance(event, BiddingEnded):
        lot.bidding_ended = True
        lot.due_at = NEVER
        return
    assert event.after.seq == lot.seq + 1, f"seq {event.after.seq} after {lot.seq}"
    if (evolve_more := _MORE.get(type(event))) is not None:
        evolve_more(lot, event)
    lot.state = state
    lot.seq = event.after.seq
    lot.closes_at = event.after.closes_at
    lot.extensions = event.after.extensions
    lot.price = event.after.price
    if state in _BIDDABLE:
        lot.asking = event.after.asking_bid
    lot.due_at = _next_due(lot)


def _evolve_opened(lot: Lot, event: LotOpened) -> None:
    if event.opening is not None:
        lot.terms = replace(lot.terms, opening=event.opening)
    if lot.method == "dutch":
        lot.next_drop_at = dutch.first_drop_at(lot.terms, event.at)


def _evolve_dropped(lot: Lot, event: PriceDropped) -> None:
    asking = event.after.asking_bid
    assert lot.next_drop_at is not None
    assert lot.asking is not None
    assert asking is not None
    assert asking < lot.asking, "a falling price rose"
    drops = dutch.drops_between(lot.terms, lot.asking, asking)
    lot.next_drop_at = dutch.after(lot.terms, lot.next_drop_at, drops, asking).next_at


def _evolve_paused(lot: Lot, event: LotPaused) -> None:
    lot.left_ms = None if lot.closes_at is None else lot.closes_at - event.at
    lot.ends_at = lot.closes_at if lot.terms.fixed_end else None
    lot.drop_left_ms = None if lot.next_drop_at is None else lot.next_drop_at - event.at
    lot.next_drop_at = None


def _evolve_unpaused(lot: Lot, event: LotUnpaused) -> None:
    lot.next_drop_at = None if lot.drop_left_ms is None else event.at + lot.drop_left_ms
    lot.left_ms = lot.ends_at = lot.drop_left_ms = None


def _evolve_updated(lot: Lot, event: LotUpdated) -> None:
    """New terms.  While paused they move what was left of the time, and an end that stands."""
    before, now = lot.terms, event.terms
    if lot.state is State.PAUSED and now.closes_at is not None and before.closes_at is not None:
        lot.left_ms = (lot.left_ms or 0) + now.closes_at - before.closes_at
        if before.closes_at != now.closes_at:
            lot.ends_at = now.closes_at if now.fixed_end else None
    if lot.state is State.CLOSED and lot.settle_at is not None and now.settle_at is not None:
        lot.settle_at = max(lot.settle_at, now.settle_at)
    if (now.format, now.winner_count) != (before.format, before.winner_count):
        lot.rostrum = rostrum_of(now)
    lot.terms, lot.method, lot.revision = now, method_of(now), event.revision


def _evolve_canceled_bid(lot: Lot, event: BidCanceled) -> None:
    """The bid is taken back as if it had never been made; its answer stays for the retry."""
    bidder = lot.bidders[event.consumer_id]
    assert bidder.limit is not None, "a bid was taken back that does not stand"
    places.take_out(lot.book, bidder.limit)
    bidder.limit, bidder.cmd_id, bidder.has_led = None, "", False
    if event.promoted is not None:
        lot.bidders[event.promoted].has_led = True
    lot.leader = lot.book[0][2] if lot.book else None
    lot.bid_count = event.after.bid_count
    lot.bidder_count = event.after.bidder_count


def _evolve_closed(lot: Lot, event: LotClosed) -> None:
    lot.outcome, lot.winner, lot.settle_at = event.outcome, event.winner, event.settle_at
    for win in event.winners:
        lot.bidders[win.consumer_id].won = win.amount
    if event.winner is not None and not event.winners:  # from before there were several
        lot.bidders[event.winner].won = event.after.price or 0
    lot.hammer_price = max((win.amount for win in event.winners), default=None)
    lot.bidding_ended = False
    lot.next_drop_at = None


def _evolve_canceled(lot: Lot, event: LotCanceled) -> None:
    lot.outcome = "canceled"
    lot.bidding_ended = False


def _evolve_settled(lot: Lot, event: LotSettled) -> None:
    if lot.method == "sealed":
        lot.leader = lot.winner


# What an event does to a lot beside the public state that it names.
_MORE: dict[type, Callable[[Lot, Any], None]] = {
    LotOpened: _evolve_opened,
    PriceDropped: _evolve_dropped,
    LotPaused: _evolve_paused,
    LotUnpaused: _evolve_unpaused,
    LotUpdated: _evolve_updated,
    BidCanceled: _evolve_canceled_bid,
    LotClosed: _evolve_closed,
    LotCanceled: _evolve_canceled,
    LotSettled: _evolve_settled,
}


def evolve_accepted(lot: Lot, event: BidAccepted) -> None:
    """Make an accepted bid part of the lot's history."""
    assert lot.state is State.OPEN, f"a bid was accepted while {lot.state}"
    after = event.after
    assert after.seq == lot.seq + (event.why is not None)
    bidder = lot.bidders.get(event.consumer_id)
    if bidder is None:
        bidder = lot.bidders[event.consumer_id] = Bidder()
    lot.order += 1
    if lot.method != "proxy":
        _enter_bid(lot, bidder, event)
    else:
        # The price never falls, and it is the price event that says so (bidding-rules 2.1,
        # line 10).
        assert event.why is None or lot.price is None or (after.price or 0) > lot.price
        # The leader's raise keeps its place in time (bidding-rules 2.1, line 3).
        held = bidder.limit if lot.leader == event.consumer_id else None
        order = held[1] if held is not None else lot.order
        bidder.limit = enter(lot.book, event.consumer_id, event.answer.amount, order, bidder.limit)
        if event.answer.status == "WINNING":
            lot.leader = event.consumer_id
    if event.answer.status == "WINNING":
        bidder.has_led = True
    bidder.paddle = event.paddle
    bidder.bid_count += 1
    bidder.answers[event.cmd_id] = event.answer
    bidder.cmd_id = event.cmd_id
    lot.price = after.price
    lot.asking = after.asking_bid
    lot.seq = after.seq
    lot.bid_count = after.bid_count
    lot.bidder_count = after.bidder_count


def _enter_bid(lot: Lot, bidder: Bidder, event: BidAccepted) -> None:
    """A bid that stands at its full amount, or sealed; a falling price is taken at what was
    asked."""
    answer = event.answer
    if lot.method == "sealed":
        bidder.sealed = SealedBid(
            lot.order,
            event.consumer_id,
            event.cmd_id,
            answer.at,
            answer.commitment,
            event.ciphertext,
        )
        return
    amount = event.after.price if lot.method == "dutch" else answer.amount
    assert amount is not None
    bidder.limit = enter(lot.book, event.consumer_id, amount, lot.order, bidder.limit)
    lot.leader = event.consumer_id if lot.method == "dutch" else lot.book[0][2]


def evolve_lowered(lot: Lot, event: LimitLowered) -> None:
    """The leader's limit is another, from now on in time, too (bidding-rules 2.1, line 14)."""
    assert lot.leader == event.consumer_id, "a limit was lowered that does not lead"
    bidder = lot.bidders[event.consumer_id]
    lot.order += 1
    bidder.limit = enter(lot.book, event.consumer_id, event.limit, lot.order, bidder.limit)
    assert lot.book[0] is bidder.limit, "the lead flipped"


def evolve_refused(lot: Lot, event: BidRefused) -> None:
    """Remember a refusal for its retry, and nothing else.

    What came too late counts as not having come: the same bid may be sent again, with time.
    """
    if event.answer.code == "expired":
        return
    bidder = lot.bidders.get(event.consumer_id)
    if bidder is None:
        bidder = lot.bidders[event.consumer_id] = Bidder()
    bidder.answers[event.cmd_id] = event.answer
    bidder.refused.append(event.cmd_id)
    if len(bidder.refused) > REFUSALS_KEPT:
        del bidder.answers[bidder.refused.pop(0)]


def _next_due(lot: Lot) -> int:
    if lot.bidding_ended:
        return NEVER
    due_at: int | None = None
    if lot.state is State.SCHEDULED:
        due_at = lot.terms.opens_at
    elif lot.state is State.OPEN:
        due_at = lot.closes_at
        if lot.next_drop_at is not None:
            due_at = lot.next_drop_at if due_at is None else min(due_at, lot.next_drop_at)
    elif lot.state is State.PAUSED:
        due_at = lot.ends_at
    elif lot.state is State.CLOSED:
        due_at = lot.settle_at
    return NEVER if due_at is None else due_at
