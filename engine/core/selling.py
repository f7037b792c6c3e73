"""What a console asks of a lot in the ring, and whether it is done.

One function an act.  Each looks and says which events would do it, or why not; what follows
from those (a left bid that replies, a bid that waited too long, the ring) is brought about by
sale.py.  Before an act's own conditions come those of all acts, in this order: who is in
control, which lot is in the ring, where the lot stands in its life, and the reason that some
acts must give.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from msgspec.structs import replace

from engine.core import calling, editing
from engine.core import lot as lots
from engine.core.calling import Offered, lowest_bid, memory
from engine.core.lot import REFUSED_IN, Lot, asking_over, reserve_shown
from engine.core.messages import (
    MAX_AMOUNT,
    Act,
    ActRefusal,
    Ask,
    AskingSet,
    AutoAccept,
    AutoAcceptSet,
    BidderRegistered,
    CallMade,
    ConsoleTaken,
    Event,
    FairWarning,
    FinalCall,
    FloorBid,
    Hammer,
    Kind,
    LotClosed,
    LotReopened,
    LowerReserve,
    MessageSaid,
    Open,
    Outcome,
    Pass,
    Pause,
    PauseLot,
    Phase,
    PlaceBid,
    Refusal,
    Refuse,
    Reinstate,
    Reopen,
    ReserveLowered,
    RingMoved,
    Say,
    SellSubject,
    Skip,
    State,
    Step,
    Take,
    TakeOver,
    Undo,
    Unpause,
    UnpauseLot,
    Why,
    Win,
    Withdraw,
)
from engine.core.registering import LAST_PADDLE, Sale, can_be_kept
from engine.core.rostrum import HOUSE, PHONE, ROOM, UNNAMED, named
from engine.core.terms import can_be_sold_by

LONGEST_MESSAGE = 280  # characters: it is read at a glance, on the smallest screen


class Admitted(NamedTuple):
    """What the sale says to a bidder on this lot."""

    refusal: Refusal | None
    paddle: int  # theirs, or the one that they would be given
    allowance: int | None  # the most that they may bid; None: no limit


class Floor(NamedTuple):
    """Everything that an act may look at."""

    lot: Lot
    sale: Sale
    act: Act
    at: int
    admit: Callable[[str], Admitted]  # by consumer id
    ringed: Lot | None  # the lot in the ring


class No(NamedTuple):
    """Why an act was not done, with the amount that would have done where there is one."""

    code: ActRefusal
    would_pass: int | None = None


Decided = list[Event] | No

_LIVE = (State.OPEN, State.PAUSED)
_ENDED = (State.CLOSED, State.SETTLING, State.SETTLED)
_ANY = tuple(State)

# In which states an act can be done at all.
_STATES: dict[type, tuple[State, ...]] = {
    Open: (State.SCHEDULED, *_LIVE),
    Ask: (State.OPEN,),
    Step: (State.OPEN,),
    FloorBid: (State.OPEN,),
    Take: (State.OPEN,),
    Refuse: _LIVE,
    AutoAccept: _ANY,
    FairWarning: (State.OPEN,),
    FinalCall: (State.OPEN,),
    Pause: (State.OPEN,),
    Unpause: (State.PAUSED,),
    TakeOver: _ANY,
    Hammer: (State.OPEN,),
    SellSubject: (State.OPEN,),
    Pass: (State.OPEN,),
    Withdraw: (State.SCHEDULED, *_LIVE),
    Skip: _LIVE,
    Undo: _LIVE,
    Reinstate: (State.OPEN,),
    Reopen: (State.CLOSED,),
    LowerReserve: _LIVE,
    Say: (State.SCHEDULED, *_LIVE, State.CLOSED),
}
_ANYWHERE = (Open, AutoAccept, TakeOver, Withdraw, Say)  # also for a lot out of the ring
_WITH_REASON = (Refuse, Withdraw, Undo, Reopen)


def is_readable(act: Act) -> bool:
    """Can it be kept and answered?"""
    texts = [act.auction_id, act.cmd_id, act.by, act.session, act.reason]
    if isinstance(act.deed, Say):
        texts.append(act.deed.text)
    if isinstance(act.deed, Skip):
        texts.append(act.deed.to or "")
    return act.cmd_id != "" and act.session != "" and can_be_kept(*texts)


def decide(floor: Floor) -> Decided:
    """The events that do what the console asks, or why it is not done."""
    lot, sale, act = floor.lot, floor.sale, floor.act
    deed = act.deed
    console = sale.console
    if console is not None and console.session != act.session and not isinstance(deed, TakeOver):
        return No("not_in_control")
    if lot.state in _LIVE and sale.ring != lot.auction_id and not isinstance(deed, _ANYWHERE):
        return No("not_current_lot")
    if not _fits(lot, deed):
        return No("invalid" if lot.state is State.OPEN else REFUSED_IN[lot.state])
    if isinstance(deed, _WITH_REASON) and not act.reason.strip():
        return No("reason_required")
    decided = _DECIDE[type(deed)](floor, deed)
    if isinstance(decided, No) or (console is not None and console.session == act.session):
        return decided
    return [ConsoleTaken(floor.at, lot.sale_id, act.session, act.by), *decided]


def _fits(lot: Lot, deed: Any) -> bool:
    """Can this be done to a lot where it stands in its life?"""
    if lot.outcome == "sold_subject" and isinstance(deed, Hammer | Pass):
        return lot.state is State.CLOSED
    if isinstance(deed, FloorBid) and deed.channel == "left" and deed.paddle is not None:
        return lot.state is State.SCHEDULED or lot.state is State.OPEN
    return lot.state in _STATES[type(deed)]


# ── The ring ─────────────────────────────────────────────────────────────────────────────


def _open(floor: Floor, deed: Open) -> Decided:
    lot, sale, at = floor.lot, floor.sale, floor.at
    if sale.ring is not None and sale.ring != lot.auction_id:
        return No("not_current_lot")
    if lot.state is State.SCHEDULED:
        return _open_for_the_first_time(lot, deed, at)
    if sale.ring == lot.auction_id or deed.opening is not None:
        return No("invalid")
    if lot.state is State.PAUSED:
        return _move(lot, UnpauseLot(lot.auction_id), at)
    return [RingMoved(at, lot.sale_id, lot.auction_id)]


def _open_for_the_first_time(lot: Lot, deed: Open, at: int) -> Decided:
    opened = lots.opened(lot, at)
    if deed.opening is None:
        return [opened]
    if not can_be_sold_by(replace(lot.terms, opening=deed.opening)):
        return No("invalid")
    after = replace(opened.after, asking_bid=deed.opening)
    return [replace(opened, after=after, opening=deed.opening)]


def _move(lot: Lot, move: lots.Move, at: int) -> Decided:
    moved = lots.decide_move(lot, move, at)
    return No("invalid") if moved is None else [moved]


def _pause(floor: Floor, _: Pause) -> Decided:
    return _move(floor.lot, PauseLot(floor.lot.auction_id), floor.at)


def _unpause(floor: Floor, _: Unpause) -> Decided:
    return _move(floor.lot, UnpauseLot(floor.lot.auction_id), floor.at)


def _skip(floor: Floor, _: Skip) -> Decided:
    """Sent back with its bids: ``open`` brings it in again."""
    return _sent_back(floor.lot, floor.at)


def _sent_back(lot: Lot, at: int) -> list[Event]:
    gone: list[Event] = [RingMoved(at, lot.sale_id, None)]
    if lot.state is State.OPEN:
        paused = lots.decide_move(lot, PauseLot(lot.auction_id), at)
        assert paused is not None
        gone.insert(0, paused)
    return gone


def _take_over(floor: Floor, _: TakeOver) -> Decided:
    return []  # control is said by ``decide``


def _auto_accept(floor: Floor, deed: AutoAccept) -> Decided:
    return [AutoAcceptSet(floor.at, floor.lot.sale_id, deed.on)]


def _say(floor: Floor, deed: Say) -> Decided:
    lot = floor.lot
    if not 0 < len(deed.text.strip()) <= len(deed.text) <= LONGEST_MESSAGE:
        return No("invalid")
    return [MessageSaid(floor.at, lot.auction_id, deed.text, lots.after(lot))]


# ── Asking and calling ───────────────────────────────────────────────────────────────────


def _ask(floor: Floor, deed: Ask) -> Decided:
    lot = floor.lot
    if not 0 < deed.amount <= MAX_AMOUNT:
        return No("invalid")
    if deed.amount < lowest_bid(lot):
        return No("below_asking_bid", _possible(lowest_bid(lot)))
    after = replace(lots.after(lot), asking_bid=deed.amount)
    return [AskingSet(floor.at, lot.auction_id, memory(lot).step, after)]


def _step(floor: Floor, deed: Step) -> Decided:
    lot = floor.lot
    if deed.amount is not None and not 0 < deed.amount <= MAX_AMOUNT:
        return No("invalid")
    asking = lot.asking
    if lot.price is not None:
        asking = asking_over(lot.terms, lot.price, deed.amount)
    after = replace(lots.after(lot), asking_bid=asking)
    return [AskingSet(floor.at, lot.auction_id, deed.amount, after)]


def _possible(amount: int) -> int | None:
    return amount if amount <= MAX_AMOUNT else None


def _fair_warning(floor: Floor, _: FairWarning) -> Decided:
    return _called(floor, "fair_warning")


def _final_call(floor: Floor, _: FinalCall) -> Decided:
    return _called(floor, "final_call")


def _called(floor: Floor, phase: Phase) -> Decided:
    after = replace(lots.after(floor.lot), phase=phase)
    return [CallMade(floor.at, floor.lot.auction_id, phase, after)]


def _lower_reserve(floor: Floor, deed: LowerReserve) -> Decided:
    """Lower at any time, higher never (bidding-rules 2.4)."""
    lot, at = floor.lot, floor.at
    if lot.terms.reserve is None or not 0 < deed.amount < lot.terms.reserve:
        return No("invalid")
    terms = replace(lot.terms, reserve=deed.amount)
    if editing.house_would_buy(lot, terms):
        return No("invalid")  # its bid is undone first
    price = editing.price_under(lot, terms)
    after = replace(lots.after(lot), price=price, reserve=reserve_shown(terms, price))
    if price is not None and price != lot.price:
        asking = asking_over(terms, price, memory(lot).step)
        after = replace(after, asking_bid=asking, phase=None)
    return [ReserveLowered(at, lot.auction_id, deed.amount, lot.revision + 1, after)]


# ── Bids ─────────────────────────────────────────────────────────────────────────────────


def _bid(floor: Floor, deed: FloorBid) -> Decided:
    amounts = (deed.amount, deed.amount if deed.max is None else deed.max)
    shown = deed.paddle is None or 0 < deed.paddle <= LAST_PADDLE
    if deed.channel == "online" or not shown or not all(0 < a <= MAX_AMOUNT for a in amounts):
        return No("invalid")
    if deed.house:
        return _house_bid(floor, deed)
    if deed.channel != "left":
        return _floor_bid(floor, deed) if deed.max is None else No("invalid")
    return _left_call(floor, deed) if deed.paddle is None else _left_bid(floor, deed)


def _floor_bid(floor: Floor, deed: FloorBid) -> Decided:
    """Any amount over the price: between the steps, too."""
    if deed.paddle is not None:
        return _placed(floor, _holder(floor.sale, deed.paddle), deed)
    who = PHONE if deed.channel == "phone" else ROOM
    return _offer(floor, who, deed, Admitted(None, 0, None))


def _holder(sale: Sale, paddle: int) -> str:
    """The consumer with this paddle; a paddle that nobody holds makes a bidder of its own."""
    return sale.paddles.get(paddle) or named(paddle)


def _placed(floor: Floor, who: str, deed: FloorBid) -> Decided:
    """A bid of somebody whose paddle is known."""
    admitted = _admitted(floor, who, deed.paddle)
    if admitted.refusal is not None:
        return No(admitted.refusal)
    return _offer(floor, who, deed, admitted)


def _admitted(floor: Floor, who: str, paddle: int | None) -> Admitted:
    if paddle is not None and paddle not in floor.sale.paddles:
        return Admitted(None, paddle, None)
    return floor.admit(who)


def _offer(floor: Floor, who: str, deed: FloorBid, admitted: Admitted) -> Decided:
    lot = floor.lot
    if deed.amount < lowest_bid(lot):
        return No("below_asking_bid", _possible(lowest_bid(lot)))
    if admitted.allowance is not None and deed.amount > admitted.allowance:
        return No("over_limit")
    return _accepted(floor, who, deed.amount, "bid", deed, admitted)


def _accepted(
    floor: Floor, who: str, amount: int, kind: Kind, deed: FloorBid, admitted: Admitted
) -> Decided:
    lot, act = floor.lot, floor.act
    bidder = lot.bidders.get(who)
    if bidder is not None and act.cmd_id in bidder.answers:
        return No("idempotency_mismatch")
    bid = PlaceBid(lot.auction_id, who, act.cmd_id, amount, kind)
    offered = Offered(
        bid, admitted.paddle, deed.channel, admitted.allowance, deed.house, act.by or "rostrum"
    )
    return [calling.accept(lot, offered, floor.at, floor.sale.said.terms.wrong_foot)]


def _house_bid(floor: Floor, deed: FloorBid) -> Decided:
    """For the consignor, below the reserve, as the sale's terms allow (bidding-rules 2.4)."""
    if deed.channel != "room" or deed.paddle is not None or deed.max is not None:
        return No("invalid")
    if not _house_may_bid(floor, deed.amount, floor.act.cmd_id):
        return No("invalid")
    return _offer(floor, HOUSE, deed, Admitted(None, 0, None))


def _house_may_bid(floor: Floor, amount: int, cmd_id: str) -> bool:
    """Do the sale's terms let the house lead at this amount, with its bid of this id?"""
    policy, reserve = floor.sale.said.terms.house_bids, floor.lot.terms.reserve
    if policy == "none" or reserve is None or amount >= reserve:
        return False
    return policy != "announced_once" or not _has_another_bid(floor.lot, cmd_id)


def _has_another_bid(lot: Lot, cmd_id: str) -> bool:
    """Has the house a bid here that stands, beside the one of this id?"""
    marks = memory(lot).marks
    return any(mark.consumer_id == HOUSE and mark.cmd_id != cmd_id for mark in marks)


def _left_bid(floor: Floor, deed: FloorBid) -> Decided:
    """A limit, left for a paddle."""
    assert deed.paddle is not None
    lot, who = floor.lot, _holder(floor.sale, deed.paddle)
    limit = deed.amount if deed.max is None else deed.max
    admitted = _admitted(floor, who, deed.paddle)
    if limit < deed.amount:
        return No("invalid")
    bid = PlaceBid(lot.auction_id, who, floor.act.cmd_id, limit, "max")
    code = admitted.refusal or calling.left_refusal(lot, bid, admitted.allowance)
    if code is not None:
        return No(code, lot.asking if code == "below_asking_bid" else None)
    return _accepted(floor, who, limit, "max", deed, admitted)


def _left_call(floor: Floor, deed: FloorBid) -> Decided:
    """The next standing left bid, at this amount: a step over the price at most, for it is
    carried out as cheaply as it can be, and nobody finds its limit by calling more."""
    lot = floor.lot
    if deed.max is not None:
        return No("invalid")
    if deed.amount < lowest_bid(lot):
        return No("below_asking_bid", _possible(lowest_bid(lot)))
    most = lot.terms.opening if lot.price is None else asking_over(lot.terms, lot.price, None)
    if most is None or deed.amount > most:
        return No("invalid")
    wrong_foot = floor.sale.said.terms.wrong_foot
    called = calling.called(lot, floor.at, deed.amount, wrong_foot)
    return No("invalid") if called is None else [called]


def _take(floor: Floor, deed: Take) -> Decided:
    """Everything is asked again that may have changed while it waited."""
    lot = floor.lot
    waiting = memory(lot).waiting.get(deed.consumer_id)
    if waiting is None or waiting.cmd_id != deed.bid_cmd_id:
        return No("not_found")
    return _taken(floor, deed.consumer_id, deed.bid_cmd_id, waiting.amount)


def _taken(floor: Floor, who: str, cmd_id: str, amount: int, reinstated: bool = False) -> Decided:
    lot, admitted = floor.lot, floor.admit(who)
    if admitted.refusal is not None:
        return No(admitted.refusal)
    if lot.leader == who:  # since it was sent: nobody bids against themselves
        return No("not_a_raise")
    if admitted.allowance is not None and amount > admitted.allowance:
        return No("over_limit")
    if amount < lowest_bid(lot):
        return No("below_asking_bid", _possible(lowest_bid(lot)))
    bid = PlaceBid(lot.auction_id, who, cmd_id, amount, "bid")
    by = floor.act.by or "rostrum"
    offered = Offered(bid, admitted.paddle, "online", admitted.allowance, by=by)
    wrong_foot = floor.sale.said.terms.wrong_foot
    why: Why | None = "reinstated" if reinstated else None
    return [calling.accept(lot, offered, floor.at, wrong_foot, why)]


def _refuse(floor: Floor, deed: Refuse) -> Decided:
    waiting = memory(floor.lot).waiting.get(deed.consumer_id)
    if waiting is None or waiting.cmd_id != deed.bid_cmd_id:
        return No("not_found")
    return [calling.refuse(floor.lot, deed.consumer_id, floor.at)]


# ── Back again ───────────────────────────────────────────────────────────────────────────


def _undo(floor: Floor, deed: Undo) -> Decided:
    lot = floor.lot
    if not 0 <= deed.to_seq <= lot.seq:
        return No("invalid")
    undone = calling.undone(lot, floor.at, deed.to_seq, floor.act.reason)
    return No("invalid") if undone is None else [undone]


def _reinstate(floor: Floor, deed: Reinstate) -> Decided:
    lot = floor.lot
    mark = calling.find(lot, deed.consumer_id, deed.bid_cmd_id)
    if mark is None:
        return No("not_found")
    if mark.order == 0:  # it waited, and was refused
        return _taken(floor, mark.consumer_id, mark.cmd_id, mark.amount, reinstated=True)
    if mark.consumer_id == HOUSE and not _house_may_bid(floor, mark.called, mark.cmd_id):
        return No("invalid")  # the reserve was lowered meanwhile, or it has bid again
    if mark.consumer_id not in UNNAMED:
        admitted = floor.admit(mark.consumer_id)
        if admitted.refusal is not None:
            return No(admitted.refusal)
        if admitted.allowance is not None and mark.amount > admitted.allowance:
            return No("over_limit")
    event = calling.reinstated(lot, floor.at, mark)
    return No("below_asking_bid", _possible(lowest_bid(lot))) if event is None else [event]


def _reopen(floor: Floor, _: Reopen) -> Decided:
    """The lot comes back as it was; whatever is in the ring is sent back for it."""
    lot, at = floor.lot, floor.at
    after = replace(lots.after(lot), state=State.OPEN, asking_bid=lot.asking, closes_at=None)
    events: list[Event] = []
    if floor.ringed is not None:
        events += _sent_back(floor.ringed, at)
    events.append(LotReopened(at, lot.auction_id, floor.act.reason, after))
    return [*events, RingMoved(at, lot.sale_id, lot.auction_id)]


# ── The end ──────────────────────────────────────────────────────────────────────────────


def _hammer(floor: Floor, deed: Hammer) -> Decided:
    lot, act = floor.lot, floor.act
    if lot.state is State.OPEN and _is_held(lot, act.seen):
        return No("held")
    if lot.leader is None or lot.price != deed.price:
        return No("moved")
    if lot.leader == HOUSE:
        return No("below_reserve")
    paddle = lot.bidders[lot.leader].paddle
    if paddle and deed.paddle != paddle:
        return No("moved")
    decided_late = lot.state is State.CLOSED
    below = reserve_shown(lot.terms, lot.price) == "not_met"
    if (below or decided_late) and not act.reason.strip():
        return No("reason_required")
    if paddle:
        return [_sold(floor, lot.leader, paddle)]
    return _sold_to_a_stranger(floor, deed.paddle)


def _is_held(lot: Lot, seen: int | None) -> bool:
    """Has a bid come before the hammer that the auctioneer may not have heard?

    A waiting bid holds it once: who strikes again has seen it, and sells over it.
    """
    rostrum = memory(lot)
    latest = next((mark.seq for mark in reversed(rostrum.marks) if mark.moved), 0)
    if seen is not None and latest > seen:
        return True
    return any(waiting.number > rostrum.held for waiting in rostrum.waiting.values())


def _sold(floor: Floor, winner: str, paddle: int) -> LotClosed:
    lot = floor.lot
    assert lot.leader is not None
    assert lot.price is not None
    leader = lot.bidders[lot.leader]
    assert leader.limit is not None
    win = Win(winner, paddle, lot.price, -leader.limit[0], leader.cmd_id)
    closed = _ended(floor, "sold", [win])
    return replace(closed, after=replace(closed.after, paddle=paddle))


def _sold_to_a_stranger(floor: Floor, paddle: int | None) -> Decided:
    """The leader has not shown a paddle so far: now they do, and must be one who may buy."""
    sale, lot = floor.sale, floor.lot
    if paddle is None or not 0 < paddle <= LAST_PADDLE:
        return No("invalid")
    who = _holder(sale, paddle)
    admitted = _admitted(floor, who, paddle)
    if admitted.refusal is not None:
        return No(admitted.refusal)
    if admitted.allowance is not None and (lot.price or 0) > admitted.allowance:
        return No("over_limit")
    sold = _sold(floor, who, paddle)
    if who in sale.registrations:
        return [sold]
    by = floor.act.by
    return [BidderRegistered(floor.at, lot.sale_id, who, paddle, "approved", by=by), sold]


def _ended(floor: Floor, outcome: Outcome, winners: list[Win]) -> LotClosed:
    closed = lots.closed(floor.lot, floor.at, winners, outcome)
    return replace(closed, reason=floor.act.reason, by=floor.act.by)


def _sell_subject(floor: Floor, _: SellSubject) -> Decided:
    if floor.lot.leader is None:
        return No("moved")
    if floor.lot.leader == HOUSE:
        return No("below_reserve")
    return [_ended(floor, "sold_subject", [])]


def _pass(floor: Floor, _: Pass) -> Decided:
    return [_ended(floor, "passed", [])]


def _withdraw(floor: Floor, _: Withdraw) -> Decided:
    return [_ended(floor, "withdrawn", [])]


_DECIDE: dict[type, Callable[[Floor, Any], Decided]] = {
    Open: _open,
    Ask: _ask,
    Step: _step,
    FloorBid: _bid,
    Take: _take,
    Refuse: _refuse,
    AutoAccept: _auto_accept,
    FairWarning: _fair_warning,
    FinalCall: _final_call,
    Pause: _pause,
    Unpause: _unpause,
    TakeOver: _take_over,
    Hammer: _hammer,
    SellSubject: _sell_subject,
    Pass: _pass,
    Withdraw: _withdraw,
    Skip: _skip,
    Undo: _undo,
    Reinstate: _reinstate,
    Reopen: _reopen,
    LowerReserve: _lower_reserve,
    Say: _say,
}
