"""The sales of one shard: their lots and paddles.  Takes each command to its lot.

``execute`` is the engine's whole decision: (state, command, log time) in, events out, the
state moved on.  Before a command of log time t is decided, whatever is due at t on its lot
is applied, so "bid or close first" is never a race: the log says it.

One command makes at most ``EVENTS_PER_COMMAND`` events: opened, extended after a stop,
closed, settled, and its own answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.core import lot as lots
from engine.core.increments import step_at
from engine.core.lot import Lot
from engine.core.messages import (
    MAX_AMOUNT,
    AddLot,
    Admission,
    AnswerRepeated,
    BidAccepted,
    BidderRegistered,
    BidRefused,
    Catalogue,
    Command,
    CommandRefused,
    CreateSale,
    Event,
    KeepTime,
    LotAdded,
    LotEvent,
    Objection,
    PlaceBid,
    Refusal,
    RegisterBidder,
    ResumeTrading,
    SaleCreated,
    TradingResumed,
    sale_part,
)

EVENTS_PER_COMMAND = 5
MOST_DECIMALS = 4  # of any currency in ISO 4217
LAST_PADDLE = 999_999  # nobody can hold up a longer one
FIRST_PADDLE = 101  # the first number given out where the house names none


@dataclass(slots=True)
class Registration:
    """A bidder's place in a sale."""

    paddle: int
    admission: Admission


@dataclass(slots=True)
class Sale:
    """A sale, its paddles and who may bid."""

    created: CreateSale
    registrations: dict[str, Registration] = field(default_factory=dict)  # by consumer id
    paddles: dict[int, str] = field(default_factory=dict)
    next_paddle: int = FIRST_PADDLE


@dataclass(slots=True)
class Shard:
    """Everything that one shard's log has decided so far."""

    sales: dict[str, Sale] = field(default_factory=dict)
    lots: dict[str, Lot] = field(default_factory=dict)
    resumed_at: int = 0  # when trading last resumed after a stop


# What the sale objects to in a bidder who is known to it, by their admission.
ADMISSION_REFUSALS: dict[Admission, Refusal | None] = {
    "approved": None,
    "pending": "pending_approval",
    "declined": "not_registered",
    "suspended": "suspended",
}


def execute(shard: Shard, command: Command, at: int) -> list[Event]:
    """Decide one command at log time *at*, and fold what was decided into *shard*."""
    if type(command) is PlaceBid:
        return _bid(shard, command, at)
    if isinstance(command, CreateSale):
        return _done(shard, _create(shard, command, at))
    if isinstance(command, AddLot):
        return _done(shard, _add(shard, command, at))
    if isinstance(command, RegisterBidder):
        return _done(shard, _register(shard, command, at))
    if isinstance(command, ResumeTrading):
        return _done(shard, TradingResumed(at))
    if isinstance(command, KeepTime):
        lot = shard.lots.get(command.auction_id)
        return [] if lot is None else _bring_about(shard, lot, at)
    assert not isinstance(command, PlaceBid)
    return _move(shard, command, at)


def _done(shard: Shard, event: Event) -> list[Event]:
    evolve(shard, event)
    return [event]


def _bid(shard: Shard, bid: PlaceBid, at: int) -> list[Event]:
    lot = shard.lots.get(bid.auction_id)
    if lot is None:
        return [CommandRefused(at, bid.auction_id, "PlaceBid", "not_found")]
    if not 0 < bid.amount <= MAX_AMOUNT:  # no gateway sends it
        return [CommandRefused(at, bid.auction_id, "PlaceBid", "invalid")]
    events: list[Event] = [] if at < lot.due_at else _bring_about(shard, lot, at)
    sale = shard.sales[lot.sale_id]
    registration = sale.registrations.get(bid.consumer_id)
    if registration is not None:
        admission = ADMISSION_REFUSALS[registration.admission]
        paddle = registration.paddle
    else:
        admission = None if sale.created.registration == "open" else "not_registered"
        paddle = sale.next_paddle
    leader = lot.leader
    answer = lots.decide_bid(lot, bid, at, admission, paddle)
    evolve(shard, answer)
    events.append(answer)
    competed = isinstance(answer, BidAccepted) and leader != bid.consumer_id
    if competed and (extended := lots.extension(lot, at)) is not None:
        lots.evolve(lot, extended)
        events.append(extended)
    return events


def _bring_about(shard: Shard, lot: Lot, at: int) -> list[Event]:
    """Apply whatever time alone has brought about on this lot by *at*."""
    events: list[Event] = []
    while (event := lots.due(lot, at, shard.resumed_at)) is not None:
        lots.evolve(lot, event)
        events.append(event)
    return events


def _move(shard: Shard, move: lots.Move, at: int) -> list[Event]:
    name = type(move).__name__
    lot = shard.lots.get(move.auction_id)
    if lot is None:
        return [CommandRefused(at, move.auction_id, name, "not_found")]
    events = _bring_about(shard, lot, at)
    event = lots.decide_move(lot, move, at)
    if event is None:
        return [*events, CommandRefused(at, move.auction_id, name, "invalid_transition")]
    lots.evolve(lot, event)
    # A close is settled in the same breath where its time for settling has come.
    return [*events, event, *_bring_about(shard, lot, at)]


def _create(shard: Shard, command: CreateSale, at: int) -> Event:
    if command.sale_id in shard.sales:
        return CommandRefused(at, command.sale_id, "CreateSale", "exists")
    named = sale_part(command.sale_id) and _can_be_kept(
        command.sale_id, command.name, command.currency, command.time_zone
    )
    if not named or not 0 <= command.exponent <= MOST_DECIMALS:
        return CommandRefused(at, command.sale_id, "CreateSale", "invalid")
    return SaleCreated(at, command)


def _add(shard: Shard, command: AddLot, at: int) -> Event:
    objection: Objection | None = None
    if command.sale_id not in shard.sales:
        objection = "not_found"
    elif command.auction_id in shard.lots:
        objection = "exists"
    elif (
        sale_part(command.auction_id) != sale_part(command.sale_id)
        or not lots.can_be_sold_by(command.terms)
        or not _is_printable(command.auction_id, command.catalogue)
    ):
        objection = "invalid"
    if objection is not None:
        return CommandRefused(at, command.auction_id, "AddLot", objection)
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
    return _can_be_kept(auction_id, *texts) and all(0 <= e <= MAX_AMOUNT for e in estimates)


def _can_be_kept(*texts: str) -> bool:
    """No database takes a NUL character."""
    return not any("\0" in text for text in texts)


def _register(shard: Shard, command: RegisterBidder, at: int) -> Event:
    sale = shard.sales.get(command.sale_id)
    if sale is None:
        return CommandRefused(at, command.sale_id, "RegisterBidder", "not_found")
    fits = command.paddle is None or 0 < command.paddle <= LAST_PADDLE
    if not fits or not _can_be_kept(command.consumer_id):
        return CommandRefused(at, command.sale_id, "RegisterBidder", "invalid")
    known = sale.registrations.get(command.consumer_id)
    paddle = command.paddle or (known.paddle if known is not None else sale.next_paddle)
    holder = sale.paddles.get(paddle)
    if holder is not None and holder != command.consumer_id:
        return CommandRefused(at, command.sale_id, "RegisterBidder", "exists")
    if known is not None and known.paddle != paddle:
        # A paddle has been shown: it stays with its bidder for the whole sale.
        return CommandRefused(at, command.sale_id, "RegisterBidder", "exists")
    return BidderRegistered(at, command.sale_id, command.consumer_id, paddle, command.admission)


def evolve(shard: Shard, event: Event) -> None:
    """Fold one event into the shard: the only way that its state ever moves."""
    if isinstance(event, BidAccepted):
        _accepted(shard, event)
    elif isinstance(event, BidRefused):
        lots.evolve_refused(shard.lots[event.auction_id], event)
    elif isinstance(event, LotEvent):
        lots.evolve(shard.lots[event.auction_id], event)
    elif isinstance(event, LotAdded):
        lot = lots.announce(event.auction_id, event.sale_id, event.terms)
        shard.lots[event.auction_id] = lot
    elif isinstance(event, SaleCreated):
        shard.sales[event.sale.sale_id] = Sale(event.sale)
    elif isinstance(event, BidderRegistered):
        sale = shard.sales[event.sale_id]
        _seat(sale, event.consumer_id, event.paddle, event.admission)
    elif isinstance(event, TradingResumed):
        shard.resumed_at = event.at
    else:
        assert isinstance(event, AnswerRepeated | CommandRefused), f"unknown event {event}"


def _accepted(shard: Shard, event: BidAccepted) -> None:
    lot = shard.lots[event.auction_id]
    lots.evolve_accepted(lot, event)
    sale = shard.sales[lot.sale_id]
    if event.consumer_id not in sale.registrations:
        _seat(sale, event.consumer_id, event.paddle, "approved")


def _seat(sale: Sale, consumer_id: str, paddle: int, admission: Admission) -> None:
    sale.registrations[consumer_id] = Registration(paddle, admission)
    sale.paddles[paddle] = consumer_id
    while sale.next_paddle in sale.paddles:
        sale.next_paddle += 1
