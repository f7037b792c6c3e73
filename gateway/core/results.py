"""What a sale has come to: sold and passed, against its estimates, and by whose bids.

Pure: views in, figures out; amounts are minor units of the sale's currency, and a share is
told in whole percent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from engine.core.messages import State
from gateway.core.view import LotView

_OFFERED: Final = (State.OPEN, State.PAUSED, State.CLOSED, State.SETTLING, State.SETTLED)
SOLD: Final = ("sold", "sold_subject")


class Result(NamedTuple):
    """One lot, as it went."""

    auction_id: str
    lot_number: str
    name: str
    low: int | None
    high: int | None
    outcome: str  # sold, sold_subject, passed, withdrawn, canceled; else still to come: the state
    hammer: int | None  # of all its places; None: not sold
    last_bid: int | None
    paddles: tuple[int | None, ...]
    bids: int
    bidders: int
    source: str  # of the winning bid

    @property
    def is_sold(self) -> bool:
        """Has the hammer fallen to somebody?"""
        return self.outcome in SOLD


class Totals(NamedTuple):
    """A sale's lots together."""

    offered: int  # sold or passed: what has not ended yet counts nowhere
    sold: int
    passed: int
    hammer: int
    low: int  # of what was offered and has an estimate
    high: int
    sold_low: int  # of what was sold
    sold_high: int
    bids: int

    @property
    def percent_sold(self) -> int:
        """By lots, rounded half up."""
        return 0 if not self.offered else (200 * self.sold + self.offered) // (2 * self.offered)


class Source(NamedTuple):
    """What came from one side of the room."""

    name: str
    lots: int
    hammer: int


def result_of(lot: LotView) -> Result:
    """How one lot went, or stands."""
    is_over = lot.now.state in (State.CLOSED, State.SETTLING, State.SETTLED)
    outcome = lot.outcome if lot.outcome is not None and is_over else lot.now.state.value
    return Result(
        lot.auction_id,
        lot.catalogue.lot_number,
        lot.catalogue.name,
        lot.catalogue.estimate_low,
        lot.catalogue.estimate_high,
        outcome,
        sum(win.amount for win in lot.winners) if outcome in SOLD else None,
        lot.now.price,
        tuple(win.paddle for win in lot.winners) if outcome in SOLD else (),
        lot.now.bid_count,
        lot.now.bidder_count,
        lot.now.channel,
    )


def totals_of(results: Iterable[Result]) -> Totals:
    """Of the lots that were offered to the end."""
    ended = [one for one in results if one.is_sold or one.outcome == "passed"]
    sold = [one for one in ended if one.is_sold]
    return Totals(
        offered=len(ended),
        sold=len(sold),
        passed=len(ended) - len(sold),
        hammer=sum(one.hammer or 0 for one in sold),
        low=sum(one.low or 0 for one in ended),
        high=sum(one.high or one.low or 0 for one in ended),
        sold_low=sum(one.low or 0 for one in sold),
        sold_high=sum(one.high or one.low or 0 for one in sold),
        bids=sum(one.bids for one in ended),
    )


def by_source(results: Iterable[Result]) -> list[Source]:
    """What was sold, by where the winning bid came from; the most first."""
    found: dict[str, Source] = {}
    for one in results:
        if one.is_sold:
            before = found.get(one.source, Source(one.source, 0, 0))
            hammer = before.hammer + (one.hammer or 0)
            found[one.source] = Source(one.source, before.lots + 1, hammer)
    return sorted(found.values(), key=lambda source: (-source.hammer, source.name))


# ── How a price rose ─────────────────────────────────────────────────────────────────────

WIDTH: Final = 120  # of the drawing, in its own units
HEIGHT: Final = 28
_MARGIN: Final = 2


class Stroke(NamedTuple):
    """A price as a stair: the path of an SVG, and where it ends."""

    path: str
    x: int
    y: int


def stroke_of(prices: Sequence[tuple[int, int]]) -> Stroke | None:
    """(instant, price), oldest first → a stair from left to right; None: there is nothing to
    draw, with fewer than two prices."""
    if len(prices) < 2:
        return None
    times = [at for at, _ in prices]
    amounts = [price for _, price in prices]
    xs = [_scaled(at, times[0], times[-1], WIDTH) for at in times]
    ys = [HEIGHT - _scaled(price, min(amounts), max(amounts), HEIGHT) for price in amounts]
    steps = "".join(f"H{x}V{y}" for x, y in zip(xs[1:], ys[1:], strict=True))
    return Stroke(f"M{xs[0]} {ys[0]}{steps}", xs[-1], ys[-1])


def _scaled(value: int, low: int, high: int, size: int) -> int:
    room = size - 2 * _MARGIN
    return _MARGIN + (0 if high == low else room * (value - low) // (high - low))
