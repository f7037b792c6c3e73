"""The sales of one shard and their lots.  Takes each command to where it belongs.

``execute`` is the engine's whole decision: (state, command, log time) in, events out, the
state moved on.  Before a command of log time t is decided, whatever is due at t on its lot
is applied, so "bid or close first" is never a race: the log says it.

A command of the house is carried out, or there is an objection to it.  Where it carries a
``cmd_id`` that is said last, remembered, and said again when it comes again, without effect.

An act of the rostrum is done, or it is said why not; its answer is remembered in the same way.
What an act needs that the lot alone does not know, its control, ring and bidders, is here.

One command makes at most ``EVENTS_PER_COMMAND`` events: what was due (opened, extended after a
stop, the price dropped, closed, settling), what it brings about itself with what follows from
that, and its own answer.  The longest is the reopening of a live lot whose whole time went by
while another held the ring, whose own end was due, too: opened, called, extended, closed; the
other extended, closed, its waiting bids lapsed, the ring empty; control taken, reopened, into
the ring, and the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from engine.core import bidding, calling, editing, selling
from engine.core import lot as lots
from engine.core.increments import step_at
from engine.core.lot import Lot
from engine.core.messages import (
    MAX_AMOUNT,
    Act,
    ActDecided,
    AddLot,
    AnswerRepeated,
    AutoAcceptSet,
    BidAccepted,
    BidCalled,
    BidderRegistered,
    BiddingEnded,
    BidRefused,
    BidsLapsed,
    BidWaiting,
    CancelBid,
    CancelLot,
    Catalogue,
    CloseLot,
    Command,
    CommandRefused,
    CommandTaken,
    ConsoleTaken,
    CreateSale,
    EnterSale,
    Event,
    FinishSettlement,
    KeepTime,
    LeaveConsole,
    LeaveSale,
    LimitLowered,
    LotAdded,
    LotClosed,
    LotEvent,
    LotOpened,
    LotReopened,
    LotUnpaused,
    LotUpdated,
    LowerLimit,
    Objection,
    OpenLot,
    PauseLot,
    PlaceBid,
    Refusal,
    RegisterBidder,
    RemoveLot,
    RemoveSale,
    Reopen,
    ResumeTrading,
    RingMoved,
    SaleCreated,
    SaleRemoved,
    SaleUpdated,
    SettleLot,
    State,
    TradingResumed,
    UnpauseLot,
    UpdateLot,
    UpdateSale,
    WrongFoot,
    sale_part,
)
from engine.core.registering import (
    ADMISSION_REFUSALS,
    GUEST,
    Console,
    Registration,
    Sale,
    can_be_kept,
    enter,
    leave,
    register,
    seat,
    take_paddle,
)
from engine.core.terms import can_be_sold_by

EVENTS_PER_COMMAND = 12
MOST_DECIMALS = 4  # of any currency in ISO 4217
COMMANDS_KEPT = 1_000  # answers to the house's commands: a retry comes within minutes


@dataclass(slots=True)
class Shard:
    """Everything that one shard's log has decided so far."""

    sales: dict[str, Sale] = field(default_factory=dict)
    lots: dict[str, Lot] = field(default_factory=dict)
    resumed_at: int = 0  # when trading last resumed after a stop
    answers: dict[str, CommandTaken | CommandRefused | ActDecided] = field(
        default_factory=dict
    )  # the last ones


HouseCommand = (
    CreateSale
    | UpdateSale
    | RemoveSale
    | AddLot
    | UpdateLot
    | RemoveLot
    | RegisterBidder
    | EnterSale
    | LeaveSale
    | CancelBid
    | LowerLimit
    | OpenLot
    | PauseLot
    | UnpauseLot
    | CloseLot
    | CancelLot
    | SettleLot
    | FinishSettlement
)


def execute(shard: Shard, command: Command, at: int) -> list[Event]:
    """Decide one command at log time *at*, and fold what was decided into *shard*."""
    if type(command) is PlaceBid:
        return _bid(shard, command, at)
    if isinstance(command, KeepTime):
        lot = shard.lots.get(command.auction_id)
        return [] if lot is None else _bring_about(shard, lot, at)
    if isinstance(command, ResumeTrading):
        return _done(shard, TradingResumed(at))
    if isinstance(command, Act):
        return _act(shard, command, at)
    if isinstance(command, LeaveConsole):
        return _leave_console(shard, command, at)
    assert not isinstance(command, PlaceBid)
    return _house(shard, command, at)


def _done(shard: Shard, event: Event) -> list[Event]:
    evolve(shard, event)
    return [event]


def _bring_about(shard: Shard, lot: Lot, at: int) -> list[Event]:
    """Apply whatever time alone has brought about on this lot by *at*."""
    events: list[Event] = []
    while (event := lots.due(lot, at, shard.resumed_at)) is not None:
        events += _carry(shard, event, at)
    return events


def _carry(shard: Shard, event: Event, at: int) -> list[Event]:
    """Fold an event in, and what follows from it on a live lot."""
    events = _done(shard, event)
    if isinstance(event, LotEvent | BidAccepted):
        lot = shard.lots[event.auction_id]
        if lot.rostrum is not None:
            events += _follow(shard, lot, event, at)
    return events


def _follow(shard: Shard, lot: Lot, event: LotEvent | BidAccepted, at: int) -> list[Event]:
    """What an event brings with it at the rostrum: left bids are carried out, or reply; bids
    that waited too long lapse; the ring goes to who opens, and from who is done."""
    events: list[Event] = []
    sale = shard.sales[lot.sale_id]
    called = _called(lot, event, at, sale.said.terms.wrong_foot)
    if called is not None:
        events += _done(shard, called)
    lapsed = calling.lapsed(lot, at)
    if lapsed is not None:
        events += _done(shard, lapsed)
    ring = sale.ring
    if ring is None and isinstance(event, LotOpened | LotUnpaused):
        ring = lot.auction_id
    elif ring == lot.auction_id and lot.state is not State.OPEN and lot.state is not State.PAUSED:
        ring = None
    if ring != sale.ring:
        events += _done(shard, RingMoved(at, lot.sale_id, ring))
    return events


def _called(
    lot: Lot, event: LotEvent | BidAccepted, at: int, wrong_foot: WrongFoot
) -> BidCalled | None:
    """The left bid that an event makes lead."""
    if isinstance(event, LotOpened):
        return calling.carried_out(lot, at, wrong_foot)
    if isinstance(event, LotReopened) and calling.is_new(lot):
        return calling.carried_out(lot, at, wrong_foot)
    if isinstance(event, BidCalled | BidAccepted) and event.why == "reinstated":
        return calling.reply(lot, at, wrong_foot)
    return None


# ── Bids ─────────────────────────────────────────────────────────────────────────────────


def _bid(shard: Shard, bid: PlaceBid, at: int) -> list[Event]:
    lot = shard.lots.get(bid.auction_id)
    if lot is None:
        return [CommandRefused(at, bid.auction_id, "PlaceBid", "not_found")]
    # Most lots have one place and limits.  What is quickly said of them is said without a call:
    # a call costs a hundredth of a decision.
    simple = lot.method == "proxy"
    plain = simple and bid.kind != "sealed" and 0 < bid.amount <= MAX_AMOUNT
    if not plain and not bidding.makes_sense(lot, bid):
        return [CommandRefused(at, bid.auction_id, "PlaceBid", "invalid", state=lot.state)]
    events: list[Event] = [] if at < lot.due_at else _bring_about(shard, lot, at)
    sale = shard.sales[lot.sale_id]
    registration = sale.registrations.get(bid.consumer_id)
    allowance = None
    if registration is not None:
        admission = ADMISSION_REFUSALS[registration.admission]
        paddle = registration.paddle
        if registration.limit is not None:
            allowance = _allowance(shard, registration, bid.consumer_id, lot)
    else:
        admission = None if sale.said.registration == "open" else "not_registered"
        paddle = sale.next_paddle
    if not sale.said.supports_guest and bid.consumer_id.startswith(GUEST):
        admission = "not_registered"
    if admission is None and bid.consumer_id == lot.terms.consignor:
        admission = "own_lot"
    who = bid.consumer_id
    held = lot.leader == who if simple else lots.holds_place(lot, who)
    answer: Event
    if lot.rostrum is None:
        answer = bidding.decide_bid(lot, bid, at, admission, paddle, allowance)
    else:
        wrong_foot, by_hand = sale.said.terms.wrong_foot, not sale.auto_accept
        answer = calling.decide_bid(lot, bid, at, admission, paddle, allowance, wrong_foot, by_hand)
    evolve(shard, answer)
    events.append(answer)
    if type(answer) is BidAccepted:
        if (bid.kind == "buy_now" or not simple) and bidding.completes(lot, answer):
            events += _done(shard, lots.close(lot, at))
            events += _bring_about(shard, lot, at)
        elif not held and (simple or bidding.competes(lot, answer)):
            extended = lots.extension(lot, at)
            if extended is not None:
                events += _done(shard, extended)
        if lot.rostrum is not None:
            events += _follow(shard, lot, answer, at)
    return events


def _allowance(shard: Shard, registration: Registration, consumer_id: str, lot: Lot) -> int | None:
    """The most that a bidder may bid on this lot: their limit, less what they have won and
    lead with on others; None: they have no limit."""
    if registration.limit is None:
        return None
    elsewhere = (shard.lots[name] for name in registration.lots if name != lot.auction_id)
    return registration.limit - sum(lots.exposure(other, consumer_id) for other in elsewhere)


# ── Commands of the house ────────────────────────────────────────────────────────────────


def _house(shard: Shard, command: HouseCommand, at: int) -> list[Event]:
    """Carry a command out, or object to it; once, however often it comes."""
    name, subject, by = type(command).__name__, _subject(command), _by(command)
    known = shard.answers.get(_key(subject, by, command.cmd_id)) if command.cmd_id else None
    if known is not None:
        return [known]
    lot = shard.lots.get(subject)
    events = [] if lot is None else _bring_about(shard, lot, at)
    decided = _DECIDE[type(command)](shard, command, at)
    if isinstance(decided, str):
        state = lot.state if lot is not None else None
        refused = CommandRefused(at, subject, name, decided, command.cmd_id, state, by)
        return [*events, *_done(shard, refused)]
    events += _carry(shard, decided, at)
    if lot is not None and not isinstance(decided, LotUpdated):
        # A close is settled in the same breath where its time for settling has come.
        events += _bring_about(shard, lot, at)
    if command.cmd_id:
        events += _done(shard, CommandTaken(at, subject, name, command.cmd_id, by))
    return events


def _subject(command: HouseCommand) -> str:
    """The lot or the sale that a command is about."""
    if isinstance(command, UpdateSale):
        return command.sale.sale_id
    if isinstance(command, CreateSale | RemoveSale | RegisterBidder | EnterSale | LeaveSale):
        return command.sale_id
    return command.auction_id


def _by(command: HouseCommand) -> str:
    """Who gave it: a bidder's own wish comes from the bidder."""
    if isinstance(command, EnterSale | LeaveSale | LowerLimit):
        return command.consumer_id
    return command.by


def _key(subject: str, by: str, cmd_id: str) -> str:
    return f"{subject}\0{by}\0{cmd_id}"


# ── The rostrum ──────────────────────────────────────────────────────────────────────────


def _act(shard: Shard, act: Act, at: int) -> list[Event]:
    """Do what a console asks, or say why not; once, however often it comes."""
    known = shard.answers.get(_act_key(act.auction_id, act.by, act.cmd_id))
    if isinstance(known, ActDecided):
        if (known.deed, known.reason) == (act.deed, act.reason):
            return [known]
        return _done(shard, _decided(shard, act, at, selling.No("idempotency_mismatch")))
    lot = shard.lots.get(act.auction_id)
    if lot is None:
        return _done(shard, _decided(shard, act, at, selling.No("not_found")))
    if lot.rostrum is None or not selling.is_readable(act):
        return _done(shard, _decided(shard, act, at, selling.No("invalid")))
    events = _bring_about(shard, lot, at)
    sale = shard.sales[lot.sale_id]
    ringed = shard.lots[sale.ring] if sale.ring is not None else None
    if isinstance(act.deed, Reopen) and ringed is not None:
        events += _bring_about(shard, ringed, at)  # else its end would be put off
        ringed = shard.lots[sale.ring] if sale.ring is not None else None
    floor = selling.Floor(lot, sale, act, at, lambda who: _admitted(shard, lot, who), ringed)
    seq, decided = lot.seq, selling.decide(floor)
    if isinstance(decided, selling.No):
        return [*events, *_done(shard, _decided(shard, act, at, decided))]
    made = [event for wanted in decided for event in _carry(shard, wanted, at)]
    made += _time_to_reply(shard, lot, made, at)
    seq += lot.seq > seq
    return [*events, *made, *_done(shard, _decided(shard, act, at, seq, _bid_of(made)))]


def _time_to_reply(shard: Shard, lot: Lot, made: list[Event], at: int) -> list[Event]:
    """A bid at the rostrum keeps a lot with an end open as any other does."""
    if not any(isinstance(event, BidAccepted | BidCalled) for event in made):
        return []
    extended = lots.extension(lot, at)
    return [] if extended is None else _done(shard, extended)


def _bid_of(made: list[Event]) -> tuple[str, str] | None:
    """The bid that an act made, took, refused or called."""
    for event in made:
        if isinstance(event, BidAccepted | BidCalled | BidRefused):
            return event.consumer_id, event.cmd_id
    return None


def _decided(
    shard: Shard,
    act: Act,
    at: int,
    outcome: selling.No | int,
    bid: tuple[str, str] | None = None,
) -> ActDecided:
    """What became of an act: why it was not done, or the public seq of what it did."""
    lot = shard.lots.get(act.auction_id)
    seq, code, would_pass = (lot.seq if lot is not None else 0), None, None
    if isinstance(outcome, selling.No):
        code, would_pass = outcome
    else:
        seq = outcome
    return ActDecided(
        at,
        act.auction_id,
        act.deed,
        act.cmd_id,
        act.by,
        act.session,
        act.seen,
        act.reason,
        seq,
        lot.price if lot is not None else None,
        lots.asking_bid(lot) if lot is not None else None,
        would_pass,
        code,
        bid,
    )


def _admitted(shard: Shard, lot: Lot, consumer_id: str) -> selling.Admitted:
    """What ``_bid`` asks of an online bidder, for one whom the rostrum names."""
    sale = shard.sales[lot.sale_id]
    registration = sale.registrations.get(consumer_id)
    refusal: Refusal | None = None
    if consumer_id == lot.terms.consignor:
        refusal = "own_lot"
    if registration is None:
        if sale.said.registration != "open":
            refusal = "not_registered"
        return selling.Admitted(refusal, sale.next_paddle, None)
    refusal = ADMISSION_REFUSALS[registration.admission] or refusal
    allowance = _allowance(shard, registration, consumer_id, lot)
    return selling.Admitted(refusal, registration.paddle, allowance)


def _leave_console(shard: Shard, command: LeaveConsole, at: int) -> list[Event]:
    sale = shard.sales.get(command.sale_id)
    if sale is None or sale.console is None or sale.console.session != command.session:
        return []
    return _done(shard, ConsoleTaken(at, command.sale_id, "", ""))


def _act_key(auction_id: str, by: str, cmd_id: str) -> str:
    """Beside those of the house's commands: a key may have given one of them the same id."""
    return f"{auction_id}\0{by}\0{cmd_id}\0act"


Decided = Event | Objection


def _create(shard: Shard, command: CreateSale, at: int) -> Decided:
    if command.sale_id in shard.sales:
        return "exists"
    return SaleCreated(at, command) if _can_be_held(command) else "invalid"


def _update_sale(shard: Shard, command: UpdateSale, at: int) -> Decided:
    sale = _sale(shard, command.sale.sale_id)
    if sale is None:
        return "not_found"
    if not _can_be_held(command.sale):
        return "invalid"
    said, wanted = sale.said, command.sale
    same = (said.currency, said.exponent, said.mode) == (
        wanted.currency,
        wanted.exponent,
        wanted.mode,
    )
    if not same and _has_lots(shard, wanted.sale_id):
        return "in_use"
    return SaleUpdated(at, wanted)


def _remove_sale(shard: Shard, command: RemoveSale, at: int) -> Decided:
    if _sale(shard, command.sale_id) is None:
        return "not_found"
    if _has_lots(shard, command.sale_id):
        return "in_use"
    return SaleRemoved(at, command.sale_id)


def _sale(shard: Shard, sale_id: str) -> Sale | None:
    """The sale, unless it was removed."""
    sale = shard.sales.get(sale_id)
    return None if sale is None or sale.removed else sale


def _has_lots(shard: Shard, sale_id: str) -> bool:
    return any(
        lot.sale_id == sale_id and lot.state is not State.WITHDRAWN for lot in shard.lots.values()
    )


def _can_be_held(sale: CreateSale) -> bool:
    """Can a sale like this be kept, and its prices be written?"""
    texts = (sale.sale_id, sale.name, sale.currency, sale.time_zone)
    terms = sale.terms
    printed = (terms.tax_percent, terms.conditions, terms.conditions_version or "")
    tiers = [percent for _, percent in terms.buyers_premium]
    starts = [start for start, _ in terms.buyers_premium]
    return (
        sale_part(sale.sale_id) != ""
        and can_be_kept(*texts, *printed, *tiers)
        and all(0 <= start <= MAX_AMOUNT for start in starts)
        and 0 <= sale.exponent <= MOST_DECIMALS
    )


def _add(shard: Shard, command: AddLot, at: int) -> Decided:
    if _sale(shard, command.sale_id) is None:
        return "not_found"
    if command.auction_id in shard.lots:
        return "exists"
    if (
        sale_part(command.auction_id) != sale_part(command.sale_id)
        or not can_be_sold_by(command.terms)
        or not _is_printable(command.auction_id, command.catalogue)
    ):
        return "invalid"
    lot = lots.announce(command.auction_id, command.sale_id, command.terms)
    return LotAdded(
        at,
        command.auction_id,
        command.sale_id,
        command.terms,
        command.catalogue,
        lots.public_state(lot),
        step_at(command.terms.increments, command.terms.opening),
    )


def _is_printable(auction_id: str, catalogue: Catalogue) -> bool:
    """May it be stored and shown wherever a sale is kept?"""
    lines = (*catalogue.photos, *catalogue.provenance, catalogue.serial or "")
    texts = (catalogue.lot_number, catalogue.name, catalogue.description, *lines)
    estimates = (catalogue.estimate_low or 0, catalogue.estimate_high or 0)
    return can_be_kept(auction_id, *texts) and all(0 <= e <= MAX_AMOUNT for e in estimates)


def _update_lot(shard: Shard, command: UpdateLot, at: int) -> Decided:
    lot = shard.lots.get(command.auction_id)
    if lot is None:
        return "not_found"
    decided = editing.decide_update(lot, command, at)
    if isinstance(decided, str):
        return decided
    return decided if _is_printable(command.auction_id, command.catalogue) else "invalid"


def _move(shard: Shard, move: lots.Move, at: int) -> Decided:
    lot = shard.lots.get(move.auction_id)
    if lot is None:
        return "not_found"
    if isinstance(move, CloseLot) and lot.method == "sealed" and lots.can_close(lot):
        return lots.close_sealed(lot, move, at, _allowances(shard, lot)) or "invalid"
    return lots.decide_move(lot, move, at) or "invalid_transition"


def _allowances(shard: Shard, lot: Lot) -> dict[str, int]:
    """The most that each bidder of a sealed lot may have bid; the admitted ones only."""
    sale = shard.sales[lot.sale_id]
    found = {}
    for consumer_id in lot.bidders:
        registration = sale.registrations.get(consumer_id)
        if registration is not None and registration.admission == "approved":
            allowance = _allowance(shard, registration, consumer_id, lot)
            found[consumer_id] = MAX_AMOUNT if allowance is None else allowance
    return found


def _cancel_bid(shard: Shard, command: CancelBid, at: int) -> Decided:
    lot = shard.lots.get(command.auction_id)
    return "not_found" if lot is None else bidding.take_back(lot, command, at)


def _lower_limit(shard: Shard, command: LowerLimit, at: int) -> Decided:
    lot = shard.lots.get(command.auction_id)
    return "not_found" if lot is None else bidding.lower_limit(lot, command, at)


def _register(shard: Shard, command: RegisterBidder, at: int) -> Decided:
    sale = _sale(shard, command.sale_id)
    return "not_found" if sale is None else register(sale, command, at)


def _enter(shard: Shard, command: EnterSale, at: int) -> Decided:
    sale = _sale(shard, command.sale_id)
    return "not_found" if sale is None else enter(sale, command, at)


def _leave(shard: Shard, command: LeaveSale, at: int) -> Decided:
    sale = _sale(shard, command.sale_id)
    if sale is None:
        return "not_found"
    known = sale.registrations.get(command.consumer_id)
    bid_on = known.lots if known is not None else []
    bound = any(lots.binds(shard.lots[name], command.consumer_id) for name in bid_on)
    return leave(sale, command, at, bound)


_DECIDE: dict[type, Callable[[Shard, Any, int], Decided]] = {
    CreateSale: _create,
    UpdateSale: _update_sale,
    RemoveSale: _remove_sale,
    AddLot: _add,
    UpdateLot: _update_lot,
    RegisterBidder: _register,
    EnterSale: _enter,
    LeaveSale: _leave,
    CancelBid: _cancel_bid,
    LowerLimit: _lower_limit,
    OpenLot: _move,
    PauseLot: _move,
    UnpauseLot: _move,
    CloseLot: _move,
    CancelLot: _move,
    SettleLot: _move,
    FinishSettlement: _move,
    RemoveLot: _move,
}


# ── Making it so ─────────────────────────────────────────────────────────────────────────


def evolve(shard: Shard, event: Event) -> None:
    """Fold one event into the shard: the only way that its state ever moves."""
    if isinstance(event, BidAccepted):
        _accepted(shard, event)
    elif isinstance(event, BidRefused):
        lot = shard.lots[event.auction_id]
        (lots if lot.rostrum is None else calling).evolve_refused(lot, event)
    elif isinstance(event, BiddingEnded):
        lots.evolve(shard.lots[event.auction_id], event)
    elif isinstance(event, LotEvent):
        _moved(shard, event)
    elif isinstance(event, LotAdded):
        lot = lots.announce(event.auction_id, event.sale_id, event.terms)
        shard.lots[event.auction_id] = lot
    elif isinstance(event, LimitLowered):
        lot = shard.lots[event.auction_id]
        (lots if lot.rostrum is None else calling).evolve_lowered(lot, event)
    elif isinstance(event, SaleCreated):
        shard.sales[event.sale.sale_id] = Sale(event.sale)
    elif isinstance(event, SaleUpdated):
        shard.sales[event.sale.sale_id].said = event.sale
    elif isinstance(event, SaleRemoved):
        shard.sales[event.sale_id].removed = True
    elif isinstance(event, BidderRegistered):
        seat(shard.sales[event.sale_id], event)
    elif isinstance(event, TradingResumed):
        shard.resumed_at = event.at
    elif isinstance(event, CommandTaken | CommandRefused):
        _remember(shard, _key(event.subject, event.by, event.cmd_id), event)
    else:
        _at_the_rostrum(shard, event)


def _at_the_rostrum(shard: Shard, event: Event) -> None:
    if isinstance(event, BidWaiting):
        _waits(shard, event)
    elif isinstance(event, BidsLapsed):
        calling.evolve_lapsed(shard.lots[event.auction_id], event)
    elif isinstance(event, RingMoved):
        shard.sales[event.sale_id].ring = event.auction_id
    elif isinstance(event, ConsoleTaken):
        console = Console(event.session, event.by) if event.session else None
        shard.sales[event.sale_id].console = console
    elif isinstance(event, AutoAcceptSet):
        shard.sales[event.sale_id].auto_accept = event.on
    elif isinstance(event, ActDecided):
        _act_decided(shard, event)
    else:
        assert isinstance(event, AnswerRepeated), f"unknown event {event}"


def _accepted(shard: Shard, event: BidAccepted) -> None:
    lot = shard.lots[event.auction_id]
    if lot.rostrum is None:
        lots.evolve_accepted(lot, event)
    else:
        calling.evolve_accepted(lot, event)
    if event.answer.bid_count > 1 or not event.paddle:
        return  # they have bid here before: the sale knows them, and that they did; or nobody
    sale = shard.sales[lot.sale_id]
    registration = sale.registrations.get(event.consumer_id)
    if registration is None:
        registration = take_paddle(sale, event.consumer_id, event.paddle)
    if event.auction_id not in registration.lots:  # else they have waited here before
        registration.lots.append(event.auction_id)


def _moved(shard: Shard, event: LotEvent) -> None:
    lot = shard.lots[event.auction_id]
    if lot.rostrum is None:
        lots.evolve(lot, event)
        return
    calling.evolve(lot, event)
    if isinstance(event, LotClosed) and event.winner is not None:
        # Who showed a paddle only at the hammer has bid here now.
        bid_on = shard.sales[lot.sale_id].registrations[event.winner].lots
        if event.auction_id not in bid_on:
            bid_on.append(event.auction_id)


def _waits(shard: Shard, event: BidWaiting) -> None:
    """A bid that waits is shown with its paddle, which is its bidder's from now on."""
    lot = shard.lots[event.auction_id]
    calling.evolve_waiting(lot, event)
    sale = shard.sales[lot.sale_id]
    registration = sale.registrations.get(event.consumer_id)
    if registration is None:
        registration = take_paddle(sale, event.consumer_id, event.paddle)
    if event.auction_id not in registration.lots:
        registration.lots.append(event.auction_id)


def _act_decided(shard: Shard, event: ActDecided) -> None:
    key = _act_key(event.auction_id, event.by, event.cmd_id)
    if key in shard.answers:
        return  # said again, or of an id that has its answer: nothing happens a second time
    if event.code == "held":
        calling.hold(shard.lots[event.auction_id])
    _remember(shard, key, event)


def _remember(shard: Shard, key: str, event: CommandTaken | CommandRefused | ActDecided) -> None:
    """Keep the answer to a command for its retry; a retry's answer is there already."""
    if not event.cmd_id:
        return
    shard.answers[key] = event
    if len(shard.answers) > COMMANDS_KEPT:
        del shard.answers[next(iter(shard.answers))]
