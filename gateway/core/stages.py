"""How far a sale has come, told by its lots alone, and what the clerk does next.

A sale has no state of its own: it is a draft while lots that are sold by the clock have no
time yet, and settled when every lot is.  Each stage has one next step, which reaches some of
its lots.  Whether a lot takes the step, the engine says; here it is only counted.

Pure: views in, words for states out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple

from engine.core.messages import State
from gateway.core.view import LotView, SaleView

Stage = Literal["draft", "published", "open", "live", "closed", "settled"]
STAGES: Final[tuple[Stage, ...]] = ("draft", "published", "open", "live", "closed", "settled")
# What the clerk does next; ``console`` is the auctioneer's to do, ``reckon`` is to look at.
Step = Literal["add", "publish", "open", "console", "close", "settle", "reckon"]

_TAKES_BIDS: Final = (State.OPEN, State.PAUSED)
_GONE: Final = (State.CANCELED, State.WITHDRAWN)


class Item(NamedTuple):
    """What of a lot decides how far its sale has come."""

    state: State
    is_live: bool = False  # sold by an auctioneer and not by the clock
    has_time: bool = True  # it is said when it opens

    @property
    def is_draft(self) -> bool:
        """Does it wait for its times?"""
        return self.state is State.SCHEDULED and not (self.is_live or self.has_time)


def item_of(lot: LotView) -> Item:
    """The lot, as far as it matters here."""
    return Item(lot.now.state, lot.format == "live", lot.terms.opens_at is not None)


def stage_of(items: Iterable[Item]) -> Stage:
    """How far a sale with these lots has come.  Lots that were called off do not count, but
    for a sale of nothing else, which is over."""
    everything = list(items)
    items = [item for item in everything if item.state not in _GONE]
    if not items:
        return "settled" if everything else "draft"
    selling = [item for item in items if item.state in _TAKES_BIDS]
    waiting = [item for item in items if item.state is State.SCHEDULED]
    has_begun = len(waiting) < len(items)
    if selling or (waiting and has_begun):
        return "live" if any(item.is_live for item in selling or waiting) else "open"
    if waiting:
        return "draft" if any(item.is_draft for item in waiting) else "published"
    return "settled" if all(item.state is State.SETTLED for item in items) else "closed"


def used_stages(items: Iterable[Item]) -> list[Stage]:
    """The stages that a sale of these lots goes through: without an auctioneer none is live,
    and with nothing else none is merely open."""
    items = [item for item in items if item.state not in _GONE]
    left_out = set()
    if not any(item.is_live for item in items):
        left_out.add("live")
    elif all(item.is_live for item in items):
        left_out.add("open")
    return [stage for stage in STAGES if stage not in left_out]


def step_of(items: Iterable[Item]) -> Step:
    """What is next."""
    items = list(items)
    if not items:
        return "add"
    match stage_of(items):
        case "draft":
            return "publish"
        case "published":
            return "open" if _reached(items, "open") else "console"
        case "open":
            return "close" if _reached(items, "close") else "open"
        case "live":
            return "console"
        case "closed":
            return "settle"
        case "settled":
            return "reckon"


def reach_of(step: Step, lots: Sequence[LotView]) -> list[LotView]:
    """The lots that a step is about."""
    return [lot for lot in lots if _is_reached(item_of(lot), step)]


def _reached(items: Sequence[Item], step: Step) -> bool:
    return any(_is_reached(item, step) for item in items)


def _is_reached(item: Item, step: Step) -> bool:
    match step:
        case "publish":
            return item.is_draft
        case "open":
            return item.state is State.SCHEDULED and not item.is_live
        case "close":
            return item.state in _TAKES_BIDS and not item.is_live
        case "settle":
            return item.state is State.CLOSED
        case _:
            return False


def to_cancel(lots: Sequence[LotView]) -> list[LotView]:
    """The lots that are called off with their sale: whatever has not fallen to anybody."""
    return [lot for lot in lots if lot.now.state in (State.SCHEDULED, *_TAKES_BIDS)]


# ── In numbers ───────────────────────────────────────────────────────────────────────────


class Figures(NamedTuple):
    """A sale in numbers, for whoever is to decide about it.  Amounts are minor units."""

    lots: int
    with_bids: int
    sold: int
    passed: int
    hammer: int
    winners: int  # bidders who have something to pay
    losers: int  # bidders who have bid and won nothing
    admitted: int  # bidders who may bid now


def figures_of(sale: SaleView, lots: Iterable[LotView]) -> Figures:
    """Of these lots, and of who may bid in the sale."""
    lots = list(lots)
    bidders = {who for lot in lots for who, bidder in lot.bidders.items() if bidder.stands}
    winners = {win.consumer_id for lot in lots for win in lot.winners}
    seats = sale.registrations.values()
    return Figures(
        lots=len(lots),
        with_bids=sum(bool(lot.bidders) for lot in lots),
        sold=sum(bool(lot.winners) for lot in lots),
        passed=sum(lot.outcome == "passed" for lot in lots),
        hammer=sum(win.amount for lot in lots for win in lot.winners),
        winners=len(winners),
        losers=len(bidders - winners),
        admitted=sum(seat.admission == "approved" for seat in seats),
    )
