"""What a gateway knows of the sales, folded from the engine's events.

No rule of bidding is in here: every event carries the state after it.  The view also knows
what is private to each bidder (their limit, their answers), because their own connections
are told; what leaves through ``frames`` decides who sees which part.

``fold`` is the only way that a view moves, so two gateways that have read the same events
say the same things.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal, NamedTuple, get_args

from msgspec.structs import replace

from engine.core.messages import (
    ActDecided,
    Admission,
    AskingSet,
    AutoAcceptSet,
    BidAccepted,
    BidCalled,
    BidCanceled,
    BidderRegistered,
    BiddingEnded,
    BidRefused,
    BidsLapsed,
    BidsUndone,
    BidWaiting,
    Catalogue,
    Channel,
    ConsoleTaken,
    CreateSale,
    Event,
    Format,
    LimitLowered,
    LotAdded,
    LotCanceled,
    LotClosed,
    LotEvent,
    LotOpened,
    LotReopened,
    LotSettled,
    LotSettling,
    LotUpdated,
    LotWithdrawn,
    OpenedBid,
    Outcome,
    PriceDropped,
    PublicState,
    Refuse,
    ReserveLowered,
    RingMoved,
    SaleCreated,
    SaleRemoved,
    SaleUpdated,
    State,
    Terms,
    Void,
    Win,
)
from gateway.core.naming import bid_id

BidderStatus = Literal["NOT_BID", "ACTIVE", "OUTBID", "WINNING", "WON", "LOST"]
# Private to a bidder or two, and nothing of it is public.
Silent = LimitLowered | BidsLapsed | ActDecided
Told = BidAccepted | Silent | LotEvent  # what somebody is told of
LOT_EVENTS = frozenset(get_args(LotEvent))
# Told as what they changed.
UPDATES = (
    LotUpdated,
    LotOpened,
    PriceDropped,
    BidCanceled,
    LotSettling,
    AskingSet,
    ReserveLowered,
)
SEALED: frozenset[Format] = frozenset(("sealed_first", "sealed_second", "uniform"))
# Events of a lot that are kept for those who resume: a page of a resume, minutes of a busy lot,
# and some 400 KB at most.
RECENT = 500


class TakenBid(NamedTuple):
    """An accepted bid, for the histories."""

    consumer_id: str
    cmd_id: str
    amount: int  # the bidder's own figure: shown to nobody else; 0: sealed, and not opened
    price: int | None  # what the bid made public; None: a silent raise, or sealed
    at: int
    commitment: str = ""  # of a sealed bid
    void: Void | None = None  # why a sealed bid does not stand, found when it was opened
    canceled_at: int | None = None  # when it was taken back
    undone_at: int | None = None  # when the rostrum took it back
    seq: int = 0  # the public seq that its bidder was answered, or since which it leads
    channel: Channel = "online"
    paddle: int = 0  # 0: whoever bid has none
    is_limit: bool = False
    led: bool = False  # it led when it came
    house: bool = False  # for the consignor: nobody is told before the sale is over
    lowered_to: int | None = None  # by its bidder, since
    called_at: int | None = None  # when a bid that was in already came to lead

    @property
    def reach(self) -> int:
        """What it goes up to now."""
        return self.amount if self.lowered_to is None else self.lowered_to

    @property
    def shown_at(self) -> int:
        """When it made its price: nobody is to learn when a limit was left."""
        return self.at if self.called_at is None else self.called_at

    @property
    def canceled(self) -> bool:
        """Was it taken back, by its bidder or by the rostrum?"""
        return self.canceled_at is not None or self.undone_at is not None


class WaitingBid(NamedTuple):
    """An online bid that the rostrum has not decided, or has refused."""

    consumer_id: str
    cmd_id: str
    paddle: int
    amount: int
    at: int
    seq: int


BidKey = tuple[str, str]  # consumer and cmd_id


class Control(NamedTuple):
    """Which console sells."""

    session: str
    by: str  # the key of the house that opened it


@dataclass(slots=True)
class BidderView:
    """One bidder on one lot."""

    paddle: int
    limit: int = 0  # their own figure, the last that was accepted; 0: sealed, or taken back
    has_led: bool = False
    stands: bool = True  # False: they have taken their bid back
    bid_count: int = 0
    last_at: int = 0


class RegistrationView(NamedTuple):
    """A bidder's place in a sale, as it was last decided."""

    paddle: int
    admission: Admission
    limit: int | None
    reason: str
    conditions_version: str | None
    at: int


@dataclass(slots=True)
class SaleView:
    """A sale, with the bidders who are known to it."""

    created: CreateSale  # as it was last said
    paddles: dict[str, int] = field(default_factory=dict)  # by consumer
    registrations: dict[str, RegistrationView] = field(default_factory=dict)  # by consumer
    auction_ids: list[str] = field(default_factory=list)  # without those that were withdrawn
    ring: str | None = None  # the auction that is being sold live
    control: Control | None = None
    auto_accept: bool = True  # online bids on live lots stand at once


class Before(NamedTuple):
    """A lot as it was just before an event that may change anything."""

    terms: Terms
    catalogue: Catalogue
    now: PublicState
    promoted_limit: int | None = None  # the bid of whom a canceled one has made room for


@dataclass(slots=True)
class LotView:
    """One lot as this gateway has read it."""

    auction_id: str
    sale: SaleView
    shard: int
    terms: Terms
    catalogue: Catalogue
    increment: int  # the step in force
    now: PublicState
    salt: bytes  # the house's secret, which bids' ids are made with
    at: int  # of the last public event: nobody is to learn when a silent one came
    added_at: int = 0
    revision: int = 0
    opened_at: int | None = None
    bidding_ended_at: int | None = None  # a sealed auction's; it closes when it is opened
    outcome: Outcome | None = None
    settle_at: int | None = None
    # Who hold a winning place now; nobody where bids are sealed.
    holders: dict[str, None] = field(default_factory=dict)
    winners: tuple[Win, ...] = ()  # since the close, best first
    opened: tuple[OpenedBid, ...] = ()  # since a sealed auction's close
    bidders: dict[str, BidderView] = field(default_factory=dict)
    bids: list[TakenBid] | None = field(default_factory=list)  # None: only in the archive
    # Where each event that somebody is told of stands in the log, and its public seq.
    places: array[int] = field(default_factory=lambda: array("Q"))
    seqs: array[int] = field(default_factory=lambda: array("Q"))
    recent: deque[Told] = field(default_factory=lambda: deque(maxlen=RECENT))
    # What the event of this public seq has changed can be told only by what was before it.
    before: dict[int, Before] = field(default_factory=dict)
    # As it was when something came about that itself says nothing of the lot.
    silent: dict[Silent, PublicState] = field(default_factory=dict)
    # Sold live: what the rostrum has yet to decide, what it refused, and its own step.
    waiting: dict[BidKey, WaitingBid] = field(default_factory=dict)
    refused: dict[BidKey, WaitingBid] = field(default_factory=dict)
    step: int | None = None
    # Who leads since the bid of this public seq, though it was another's: their limit replied to
    # it, and nobody had led before, for an undo.  With that limit.
    replies: dict[int, tuple[str, int]] = field(default_factory=dict)
    # What the leader since this public seq goes up to, where that is not what they bid then.
    behind: dict[int, int] = field(default_factory=dict)

    @property
    def opens_at(self) -> int | None:
        """When bidding opens as announced; where it was opened by command, when it was."""
        return self.terms.opens_at if self.terms.opens_at is not None else self.opened_at

    @property
    def ended(self) -> bool:
        """Will nothing change here any more that bidders are concerned with?"""
        return self.now.state in _ENDED

    @property
    def format(self) -> Format:
        """What it is sold by."""
        return self.terms.format

    @property
    def is_sealed(self) -> bool:
        """Does nobody see a bid before the close?"""
        return self.terms.format in SEALED

    @property
    def takes_limits(self) -> bool:
        """Can a limit be left with the house, to be bid up to?"""
        return self.terms.format in ("english", "live") and self.terms.winner_count == 1

    @property
    def money(self) -> tuple[str, int]:
        """The currency of its amounts, and how many decimals their minor unit is."""
        return money_of(self.sale, self.terms)

    @property
    def buy_now(self) -> int | None:
        """The printed price, while the offer stands: until a bid meets the reserve, or until
        the first bid where there is none."""
        if self.terms.buy_now is None or self.now.state not in _BEFORE_THE_CLOSE:
            return None
        if self.terms.reserve is None:
            return self.terms.buy_now if self.now.bid_count == 0 else None
        return self.terms.buy_now if self.now.reserve != "met" else None

    def shown_bids(self) -> list[TakenBid]:
        """The bids that made a price, in the order in which they made it."""
        shown = [bid for bid in self.bids or () if bid.price is not None]
        # At the rostrum a bid may lead long after it was made.
        return sorted(shown, key=_as_it_rose) if self.is_live else shown

    @property
    def is_live(self) -> bool:
        """Is it sold from a rostrum?"""
        return self.terms.format == "live"

    def bid_id(self, consumer_id: str, cmd_id: str) -> str:
        """The id that a bid of this lot has outside."""
        return bid_id(self.auction_id, consumer_id, cmd_id, self.salt)

    def bid_named(self, name: str) -> BidKey | None:
        """The bid of this id, taken, waiting or refused; None: there is none."""
        taken = ((bid.consumer_id, bid.cmd_id) for bid in reversed(self.bids or ()))
        for key in (*self.waiting, *self.refused, *taken):
            if self.bid_id(*key) == name:
                return key
        return None

    @property
    def leader(self) -> str | None:
        """Who would win if the hammer fell now; None also where several places are sold."""
        if self.terms.winner_count != 1:
            return None
        return next(iter(self.holders), None)

    def win_of(self, consumer_id: str) -> Win | None:
        """The winning place that a bidder was given at the close; not to be told before all is
        settled."""
        return next((win for win in self.winners if win.consumer_id == consumer_id), None)

    def status_of(self, consumer_id: str) -> BidderStatus:
        """Where a bidder stands; ``WON`` and ``LOST`` only when all is over."""
        bidder = self.bidders.get(consumer_id)
        if bidder is None or not bidder.stands:
            # Who showed a paddle only when the hammer fell has won without a bid of their own.
            named_late = self.now.state is State.SETTLED and self.win_of(consumer_id) is not None
            return "WON" if named_late else "NOT_BID"
        if self.outcome == "withdrawn":
            return "LOST"
        if self.ended:
            settled = self.now.state is State.SETTLED
            return "WON" if settled and self.win_of(consumer_id) is not None else "LOST"
        if consumer_id in self.holders:
            return "WINNING"
        return "OUTBID" if bidder.has_led else "ACTIVE"

    def place_after(self, seq: int) -> int:
        """Which of ``places`` is the first after public *seq*."""
        return bisect_right(self.seqs, seq)

    def remembered_from(self, place: int) -> list[Event] | None:
        """All events from the *place*-th of ``places`` on; None where the log must be asked."""
        first = len(self.places) - len(self.recent)
        return list(islice(self.recent, place - first, None)) if place >= first else None

    def forget(self) -> None:
        """Keep only what every page shows: the rest can be read in the archive and the log."""
        self.bids = None
        self.recent.clear()

    def keep(self, place: int, event: Told) -> None:
        """Somebody is told of this event, which stands at *place* of the log."""
        self.places.append(place)
        self.seqs.append(self.now.seq)
        self.recent.append(event)


def _as_it_rose(bid: TakenBid) -> tuple[int, int]:
    return bid.shown_at, bid.price or 0


def money_of(sale: SaleView, terms: Terms) -> tuple[str, int]:
    """The currency of a lot's terms and its decimals: their own, else the sale's."""
    exponent = terms.exponent if terms.exponent is not None else sale.created.exponent
    return terms.currency or sale.created.currency, exponent


_OfWaiting = BidWaiting | BidRefused | BidsLapsed | ActDecided
_OF_WAITING = frozenset(get_args(_OfWaiting))
_ENDED = (State.SETTLED, State.CANCELED, State.WITHDRAWN)
_BEFORE_THE_CLOSE = (State.SCHEDULED, State.OPEN, State.PAUSED)


@dataclass(slots=True)
class Saleroom:
    """All sales and lots, as of the events folded so far."""

    sales: dict[str, SaleView] = field(default_factory=dict)
    lots: dict[str, LotView] = field(default_factory=dict)  # withdrawn ones too: see ``lot``
    salt: bytes = b""  # the house's secret, which bids' ids are made with

    def lot(self, auction_id: str) -> LotView | None:
        """The lot of this id; None where there is none, or where it was withdrawn."""
        lot = self.lots.get(auction_id)
        return None if lot is None or lot.now.state is State.WITHDRAWN else lot

    def catalogued(self) -> Iterator[LotView]:
        """Every lot that was not withdrawn, in the order in which they were added."""
        return (lot for lot in self.lots.values() if lot.now.state is not State.WITHDRAWN)

    def won(self, sale: SaleView, consumer_id: str) -> int:
        """What a bidder has won in a sale so far, in minor units; of a sealed auction when all
        is settled.  What their leading limits may add is nobody else's business."""
        return sum(_won(self.lots[auction_id], consumer_id) for auction_id in sale.auction_ids)

    # ── Folding ──────────────────────────────────────────────────────────────────────────

    def fold(self, shard: int, place: int, event: Event) -> None:
        """Make the event at *place* of a shard's log part of the view."""
        kind = type(event)
        if kind is BidAccepted:
            assert isinstance(event, BidAccepted)
            self._fold_bid(place, event)
        elif kind in LOT_EVENTS:
            assert isinstance(event, LotEvent)
            self._fold_lot(place, event)
        elif isinstance(event, LotAdded):
            self._add(shard, event)
        elif isinstance(event, LimitLowered):
            self._lower(place, event)
        elif kind in _OF_WAITING:
            assert isinstance(event, _OfWaiting)
            self._fold_waiting(place, event)
        elif isinstance(event, RingMoved):
            self.sales[event.sale_id].ring = event.auction_id
        elif isinstance(event, ConsoleTaken):
            control = Control(event.session, event.by) if event.session else None
            self.sales[event.sale_id].control = control
        elif isinstance(event, AutoAcceptSet):
            self.sales[event.sale_id].auto_accept = event.on
        elif isinstance(event, BiddingEnded):
            self.lots[event.auction_id].bidding_ended_at = event.at
        elif isinstance(event, SaleCreated):
            self.sales[event.sale.sale_id] = SaleView(event.sale)
        elif isinstance(event, SaleUpdated):
            self.sales[event.sale.sale_id].created = event.sale
        elif isinstance(event, SaleRemoved):
            del self.sales[event.sale_id]
        elif isinstance(event, BidderRegistered):
            self._register(event)

    def _add(self, shard: int, event: LotAdded) -> None:
        sale = self.sales[event.sale_id]
        sale.auction_ids.append(event.auction_id)
        self.lots[event.auction_id] = LotView(
            event.auction_id,
            sale,
            shard,
            event.terms,
            event.catalogue,
            event.increment,
            event.after,
            self.salt,
            event.at,
            added_at=event.at,
            settle_at=event.terms.settle_at,
        )

    def _register(self, event: BidderRegistered) -> None:
        sale = self.sales[event.sale_id]
        sale.paddles[event.consumer_id] = event.paddle
        sale.registrations[event.consumer_id] = RegistrationView(
            event.paddle,
            event.admission,
            event.limit,
            event.reason,
            event.conditions_version,
            event.at,
        )

    def _fold_lot(self, place: int, event: LotEvent) -> None:
        lot = self.lots[event.auction_id]
        if isinstance(event, UPDATES):
            lot.before[event.after.seq] = _before(lot, event)
        lot.now = event.after
        lot.at = event.at
        lot.keep(place, event)
        if isinstance(event, LotOpened):
            _open(lot, event)
        elif isinstance(event, LotUpdated):
            _update(lot, event)
        elif isinstance(event, ROSTRUM):
            _sell(lot, event)
        elif isinstance(event, BidCanceled):
            _cancel_bid(lot, event)
        elif isinstance(event, LotClosed):
            _close(lot, event)
        elif isinstance(event, LotCanceled):
            lot.outcome = "canceled"
            lot.winners = ()
        elif isinstance(event, LotWithdrawn):
            lot.sale.auction_ids.remove(event.auction_id)
        elif isinstance(event, LotSettled):
            lot.settle_at = event.at

    def _fold_bid(self, place: int, event: BidAccepted) -> None:
        lot = self.lots[event.auction_id]
        answer = event.answer
        lot.now = event.after
        if event.why is not None:
            lot.at = answer.at
        lot.keep(place, event)
        if event.after.asking_bid is not None and event.after.price is not None:
            # Where a bid need not beat the price there is no step from it to what is asked.
            step = event.after.asking_bid - event.after.price
            lot.increment = step if step > 0 else lot.increment
        _seat(lot.sale, event)
        # Taken after all, where it waited or was refused.
        lot.waiting.pop((event.consumer_id, event.cmd_id), None)
        lot.refused.pop((event.consumer_id, event.cmd_id), None)
        bidder = lot.bidders.get(event.consumer_id)
        if bidder is None:
            bidder = lot.bidders[event.consumer_id] = BidderView(event.paddle)
        # At the rostrum a higher limit of theirs stands behind an exact bid.
        stands = bidder.limit if lot.is_live and bidder.stands else 0
        bidder.limit = max(answer.amount, stands)
        if bidder.limit > answer.amount:
            lot.behind[event.after.seq] = bidder.limit
        bidder.stands = True
        bidder.bid_count = answer.bid_count
        bidder.last_at = answer.at
        if event.beaten is not None:
            lot.holders.pop(event.beaten, None)
        if answer.status == "WINNING":
            bidder.has_led = True
            lot.holders[event.consumer_id] = None
        elif event.why is not None and lot.is_live and not lot.holders:
            _reply(lot, event)
        if lot.bids is not None:
            lot.bids.append(_taken(event))

    def _lower(self, place: int, event: LimitLowered) -> None:
        lot = self.lots[event.auction_id]
        bidder = lot.bidders[event.consumer_id]
        bidder.limit = event.limit
        if lot.bids is not None:
            lot.bids = [_lowered(bid, event) for bid in lot.bids]
        lot.keep(place, event)
        lot.silent[event] = lot.now

    def _fold_waiting(self, place: int, event: _OfWaiting) -> None:
        """Bids that wait for the rostrum, and what becomes of those that it does not take."""
        lot = self.lots.get(event.auction_id)
        if lot is None:
            return  # an act or a bid on a lot that there is not
        if isinstance(event, BidWaiting):
            _seat(lot.sale, event)
            _wait(lot, event)
        elif isinstance(event, BidRefused):
            key = (event.consumer_id, event.cmd_id)
            if event.answer.code == "refused" and key in lot.waiting:
                lot.refused[key] = lot.waiting.pop(key)
        elif isinstance(event, BidsLapsed):
            for key in event.bids:
                lot.waiting.pop(key, None)
            lot.keep(place, event)
            lot.silent[event] = lot.now
        # Said again when it comes again: its bidder was told the first time.
        elif is_refusal(event) and event not in lot.silent:
            lot.keep(place, event)
            lot.silent[event] = lot.now


def is_refusal(event: ActDecided) -> bool:
    """Has the rostrum refused a bid that waited?  The act says why."""
    return isinstance(event.deed, Refuse) and event.code is None


def _taken(event: BidAccepted) -> TakenBid:
    answer = event.answer
    price = event.after.price if event.why is not None else None
    return TakenBid(
        event.consumer_id,
        event.cmd_id,
        answer.amount,
        price,
        answer.at,
        answer.commitment,
        seq=answer.seq,
        channel=event.channel,
        paddle=event.paddle,
        is_limit=answer.kind == "max",
        led=answer.status == "WINNING",
        house=event.house,
    )


def _wait(lot: LotView, event: BidWaiting) -> None:
    answer = event.answer
    key = (event.consumer_id, event.cmd_id)
    lot.refused.pop(key, None)
    lot.waiting[key] = WaitingBid(*key, event.paddle, answer.amount, answer.at, answer.seq)


def _seat(sale: SaleView, event: BidAccepted | BidWaiting) -> None:
    """The first bid in a sale that is open to all registers its bidder.  Who bids in the room
    without a paddle sits nowhere."""
    if event.consumer_id in sale.paddles or not event.paddle:
        return
    sale.paddles[event.consumer_id] = event.paddle
    sale.registrations[event.consumer_id] = RegistrationView(
        event.paddle, "approved", None, "", None, event.answer.at
    )


def _before(lot: LotView, event: LotEvent) -> Before:
    before = Before(lot.terms, lot.catalogue, lot.now)
    if isinstance(event, BidCanceled) and event.promoted is not None:
        return before._replace(promoted_limit=lot.bidders[event.promoted].limit)
    return before


def _open(lot: LotView, event: LotOpened) -> None:
    lot.opened_at = event.at
    if event.opening is not None:
        lot.terms = replace(lot.terms, opening=event.opening)


ROSTRUM = (AskingSet, BidCalled, ReserveLowered, BidsUndone, LotReopened)


def _sell(
    lot: LotView, event: AskingSet | BidCalled | ReserveLowered | BidsUndone | LotReopened
) -> None:
    """What only a rostrum does."""
    if isinstance(event, AskingSet):
        lot.step = event.step
    elif isinstance(event, BidCalled):
        _call(lot, event)
    elif isinstance(event, ReserveLowered):
        lot.terms = replace(lot.terms, reserve=event.reserve)
        lot.revision = event.revision
    elif isinstance(event, BidsUndone):
        _undo(lot, event)
    else:
        lot.outcome = None
        lot.winners = ()
        lot.settle_at = lot.terms.settle_at


def _reply(lot: LotView, event: BidAccepted) -> None:
    """A limit that stood without leading has passed this bid."""
    paddle = event.after.paddle
    leader = next((who for who, seat in lot.sale.paddles.items() if seat == paddle), None)
    if leader is None or leader not in lot.bidders:
        return
    lot.bidders[leader].has_led = True
    lot.holders[leader] = None
    lot.replies[event.after.seq] = (leader, lot.bidders[leader].limit)


def _call(lot: LotView, event: BidCalled) -> None:
    """A bid that was in leads now."""
    key = (event.consumer_id, event.cmd_id)
    if event.beaten is not None:
        lot.holders.pop(event.beaten, None)
    lot.holders[event.consumer_id] = None
    assert lot.bids is not None, "a lot that is being sold is not over"
    for place in range(len(lot.bids) - 1, -1, -1):
        bid = lot.bids[place]
        if _key(bid) == key:
            lot.bids[place] = bid._replace(
                price=event.after.price,
                undone_at=None,
                led=True,
                seq=event.after.seq,
                called_at=event.at,
            )
            break
    _recount(lot, event.consumer_id)
    lot.behind[event.after.seq] = lot.bidders[event.consumer_id].limit


def _undo(lot: LotView, event: BidsUndone) -> None:
    """These bids are void, and nobody leads."""
    void = set(event.undone)
    assert lot.bids is not None, "a lot that is being sold is not over"
    lot.bids = [_undone(bid, event) if _key(bid) in void else bid for bid in lot.bids]
    concerned = {consumer_id for consumer_id, _ in void} | lot.holders.keys()
    lot.holders.clear()
    for consumer_id in sorted(concerned):
        _recount(lot, consumer_id)


def _key(bid: TakenBid) -> BidKey:
    return bid.consumer_id, bid.cmd_id


def _undone(bid: TakenBid, event: BidsUndone) -> TakenBid:
    if _key(bid) not in event.kept:
        return bid._replace(undone_at=event.at)
    # It was made before, and called since: of a limit nothing is public any more.
    return bid._replace(price=None) if bid.is_limit else bid


def _lowered(bid: TakenBid, event: LimitLowered) -> TakenBid:
    # A leader's exact raise is a limit, too: it made no price.
    is_limit = bid.is_limit or bid.price is None
    if bid.consumer_id != event.consumer_id or not is_limit or bid.reach <= event.limit:
        return bid
    return bid._replace(lowered_to=event.limit)


def _recount(lot: LotView, consumer_id: str) -> None:
    """What a bidder has on the lot, by those of their bids that stand."""
    own = [bid for bid in lot.bids or () if bid.consumer_id == consumer_id and not bid.canceled]
    bidder = lot.bidders[consumer_id]
    bidder.stands = bool(own)
    bidder.limit = max((bid.reach for bid in own), default=0)
    bidder.has_led = any(bid.led for bid in own)
    bidder.bid_count = len(own)
    bidder.last_at = own[-1].at if own else bidder.last_at


def _update(lot: LotView, event: LotUpdated) -> None:
    lot.terms = event.terms
    lot.catalogue = event.catalogue
    lot.revision = event.revision
    lot.increment = event.increment
    if lot.outcome is None:
        lot.settle_at = event.terms.settle_at
    elif lot.now.state is State.CLOSED and lot.settle_at and event.terms.settle_at:
        lot.settle_at = max(lot.settle_at, event.terms.settle_at)


def _cancel_bid(lot: LotView, event: BidCanceled) -> None:
    lot.holders.pop(event.consumer_id, None)
    bidder = lot.bidders[event.consumer_id]
    bidder.limit, bidder.stands, bidder.has_led = 0, False, False
    if event.promoted is not None:
        lot.holders[event.promoted] = None
        lot.bidders[event.promoted].has_led = True
    if lot.bids is not None:
        canceled = (event.consumer_id, event.bid_cmd_id)
        lot.bids = [
            bid._replace(canceled_at=event.at) if (bid.consumer_id, bid.cmd_id) == canceled else bid
            for bid in lot.bids
        ]


def _close(lot: LotView, event: LotClosed) -> None:
    lot.outcome = event.outcome
    lot.settle_at = event.settle_at
    lot.winners = event.winners
    if event.winner is not None and not event.winners:  # an event of before several could win
        price, limit = event.after.price or 0, lot.bidders[event.winner].limit
        lot.winners = (Win(event.winner, event.after.paddle or 0, price, limit, ""),)
    if lot.is_live:
        _name_the_buyer(lot, event)
    if not event.opened:
        return
    lot.opened = event.opened
    for opened in event.opened:
        lot.bidders[opened.consumer_id].limit = opened.amount
    if lot.bids is not None:
        lot.bids = _read_out(lot.bids, event)


def _name_the_buyer(lot: LotView, event: LotClosed) -> None:
    """Whoever has bought as an unnamed bidder of the floor leads from now on, if the lot is
    reopened, too."""
    for win in event.winners if lot.terms.winner_count == 1 else ():
        if win.consumer_id in lot.holders:
            continue
        bidder = lot.bidders.setdefault(win.consumer_id, BidderView(win.paddle))
        bidder.limit, bidder.has_led, bidder.stands = win.bid, True, True
        lot.holders = {win.consumer_id: None}


def _read_out(bids: list[TakenBid], event: LotClosed) -> list[TakenBid]:
    """Sealed bids with what was in them; those that were replaced by others stay closed."""
    paid = {(win.consumer_id, win.cmd_id): win.amount for win in event.winners}
    amounts = {(bid.consumer_id, bid.cmd_id): (bid.amount, bid.void) for bid in event.opened}
    read = []
    for bid in bids:
        name = (bid.consumer_id, bid.cmd_id)
        amount, void = amounts.get(name, (0, None))
        # What a winner pays is all that is ever public of a sealed bid.
        read.append(bid._replace(amount=amount, void=void, price=paid.get(name)))
    return read


def _won(lot: LotView, consumer_id: str) -> int:
    if lot.is_sealed and lot.now.state is not State.SETTLED:
        return 0
    return sum(win.amount for win in lot.winners if win.consumer_id == consumer_id)
