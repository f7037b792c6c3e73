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
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal, NamedTuple, get_args

from engine.core.messages import (
    BidAccepted,
    BidderRegistered,
    Catalogue,
    CreateSale,
    Event,
    LotAdded,
    LotCanceled,
    LotClosed,
    LotEvent,
    LotOpened,
    LotSettled,
    Outcome,
    PublicState,
    SaleCreated,
    State,
    Terms,
)

BidderStatus = Literal["NOT_BID", "ACTIVE", "OUTBID", "WINNING", "WON", "LOST"]
LOT_EVENTS = frozenset(get_args(LotEvent))
# Events of a lot that are kept for those who resume: a page of a resume, minutes of a busy lot,
# and some 400 KB at most.
RECENT = 500


class TakenBid(NamedTuple):
    """An accepted bid, for the histories."""

    consumer_id: str
    cmd_id: str
    amount: int  # the bidder's own figure: shown to nobody else
    price: int | None  # what the bid made public; None: a silent raise
    at: int


@dataclass(slots=True)
class BidderView:
    """One bidder on one lot."""

    paddle: int
    limit: int = 0
    has_led: bool = False
    bid_count: int = 0
    last_at: int = 0


@dataclass(slots=True)
class SaleView:
    """A sale, with the paddles that were given out."""

    created: CreateSale
    paddles: dict[str, int] = field(default_factory=dict)  # by consumer
    auction_ids: list[str] = field(default_factory=list)


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
    at: int  # of the last event
    opened_at: int | None = None
    outcome: Outcome | None = None
    settle_at: int | None = None
    leader: str | None = None
    bidders: dict[str, BidderView] = field(default_factory=dict)
    bids: list[TakenBid] | None = field(default_factory=list)  # None: only in the archive
    # Where each event that somebody is told of stands in the log, and its public seq.
    places: array[int] = field(default_factory=lambda: array("Q"))
    seqs: array[int] = field(default_factory=lambda: array("Q"))
    recent: deque[BidAccepted | LotEvent] = field(default_factory=lambda: deque(maxlen=RECENT))

    @property
    def opens_at(self) -> int | None:
        """When bidding opens as announced; where it was opened by command, when it was."""
        return self.terms.opens_at if self.terms.opens_at is not None else self.opened_at

    @property
    def ended(self) -> bool:
        """Nothing will ever change here again."""
        return self.now.state in (State.SETTLED, State.CANCELED)

    def status_of(self, consumer_id: str) -> BidderStatus:
        """Where a bidder stands; ``WON`` and ``LOST`` only when all is over."""
        bidder = self.bidders.get(consumer_id)
        if bidder is None:
            return "NOT_BID"
        if self.ended:
            won = self.outcome == "sold" and consumer_id == self.leader
            return "WON" if won else "LOST"
        if consumer_id == self.leader:
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

    def keep(self, place: int, event: BidAccepted | LotEvent) -> None:
        """Somebody is told of this event, which stands at *place* of the log."""
        self.places.append(place)
        self.seqs.append(event.after.seq)
        self.recent.append(event)


@dataclass(slots=True)
class Saleroom:
    """All sales and lots, as of the events folded so far."""

    sales: dict[str, SaleView] = field(default_factory=dict)
    lots: dict[str, LotView] = field(default_factory=dict)

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
        elif isinstance(event, SaleCreated):
            self.sales[event.sale.sale_id] = SaleView(event.sale)
        elif isinstance(event, BidderRegistered):
            sale = self.sales[event.sale_id]
            sale.paddles[event.consumer_id] = event.paddle

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
            event.at,
            settle_at=event.terms.settle_at,
        )

    def _fold_lot(self, place: int, event: LotEvent) -> None:
        lot = self.lots[event.auction_id]
        lot.now = event.after
        lot.at = event.at
        lot.keep(place, event)
        if isinstance(event, LotOpened):
            lot.opened_at = event.at
        elif isinstance(event, LotClosed):
            lot.outcome = event.outcome
            lot.settle_at = event.settle_at
        elif isinstance(event, LotCanceled):
            lot.outcome = "canceled"
        elif isinstance(event, LotSettled):
            lot.settle_at = event.at

    def _fold_bid(self, place: int, event: BidAccepted) -> None:
        lot = self.lots[event.auction_id]
        answer = event.answer
        lot.now = event.after
        lot.at = answer.at
        lot.keep(place, event)
        if event.after.asking_bid is not None and event.after.price is not None:
            lot.increment = event.after.asking_bid - event.after.price
        lot.sale.paddles.setdefault(event.consumer_id, event.paddle)
        bidder = lot.bidders.get(event.consumer_id)
        if bidder is None:
            bidder = lot.bidders[event.consumer_id] = BidderView(event.paddle)
        bidder.limit = answer.amount
        bidder.bid_count += 1
        bidder.last_at = answer.at
        if answer.status == "WINNING":
            bidder.has_led = True
            lot.leader = event.consumer_id
        if lot.bids is not None:
            price = event.after.price if event.why is not None else None
            lot.bids.append(
                TakenBid(event.consumer_id, event.cmd_id, answer.amount, price, answer.at)
            )
