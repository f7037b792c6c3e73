"""The demonstration: invented lots and bidders, put into the log like any others.

Two sales, one closed by the clock and one, in the evening, sold from the rostrum.  ``plan`` and
``plan_evening`` say what a house would wish for; ``engine.entering`` wishes it.  All may be done
again at any time: what is there already is refused by the engine and stays as it is, so that
a start that was cut off half-way is made good by the next.
"""

from __future__ import annotations

from importlib.resources import files
from itertools import chain, repeat
from typing import Final

import msgspec
from msgspec import Struct

from engine.core.increments import table
from engine.core.messages import (
    AddLot,
    Catalogue,
    Command,
    CreateSale,
    RegisterBidder,
    SaleTerms,
    Terms,
    sale_part,
)
from gateway.keys import Demo

_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 60 * _MINUTE_MS
_SOON_MS: Final = (6 * _MINUTE_MS, 9 * _MINUTE_MS)  # two lots whose end can be watched at once
_FIRST_MS: Final = 25 * _HOUR_MS  # the others: more than a day after the start of the house
_LAST_MS: Final = 7 * 24 * _HOUR_MS
_EXTENSION_MS: Final = _MINUTE_MS
# The trade's usual steps, between a twentieth and a tenth of the price, in cents.
_INCREMENTS: Final = table(
    [
        (0, 1_000),
        (20_000, 2_000),
        (50_000, 5_000),
        (100_000, 10_000),
        (200_000, 20_000),
        (500_000, 50_000),
        (1_000_000, 100_000),
        (2_000_000, 200_000),
        (5_000_000, 500_000),
        (10_000_000, 1_000_000),
    ]
)


class NotSeeded(Exception):
    """There is no such demonstration to be put into the log; one line says why."""


class DemoSale(Struct, frozen=True):
    """What is said of the sale as a whole."""

    name: str
    currency: str
    exponent: int


class DemoLot(Struct, frozen=True):
    """A lot; amounts in minor units of the sale's currency."""

    lot_number: str
    name: str
    opening: int
    description: str = ""
    estimate_low: int | None = None
    estimate_high: int | None = None
    reserve: int | None = None
    photos: tuple[str, ...] = ()
    provenance: tuple[str, ...] = ()


class DemoEvening(Struct, frozen=True):
    """The sale that is sold from the rostrum, with its lots in their order."""

    name: str
    buyers_premium: str  # percent, of the whole hammer price
    tax_percent: str
    conditions: str
    conditions_version: str
    lots: tuple[DemoLot, ...]


class DemoCatalogue(Struct, frozen=True):
    """``demonstration.json``: the sales and their lots, in their order."""

    sale: DemoSale
    lots: tuple[DemoLot, ...]
    evening: DemoEvening


def read_catalogue() -> DemoCatalogue:
    """The catalogue that is shipped with this package."""
    shipped = files("gateway").joinpath("demonstration.json").read_bytes()
    return msgspec.json.decode(shipped, type=DemoCatalogue)


def plan(demo: Demo, catalogue: DemoCatalogue, now_ms: int) -> list[Command]:
    """Everything that makes the sale, in order; *now_ms* is the instant at which it opens.

    The first two lots close within ten minutes, the others after one to seven days.  Raises
    ``NotSeeded`` where the keys name more lots than the catalogue has.
    """
    sale, lots = catalogue.sale, catalogue.lots
    if len(demo.auction_ids) > len(lots):
        raise NotSeeded(
            f"the demonstration has {len(lots)} lots and keys.json names {len(demo.auction_ids)}"
        )
    ends = _ends(len(demo.auction_ids))
    # The first lots are of objects; the verifier registers them when it starts.
    serials = chain(demo.serials, repeat(None))
    return [
        CreateSale(demo.sale_id, sale.name, sale.currency, sale.exponent, registration="open"),
        *_seats(demo, demo.sale_id),
        *(
            AddLot(
                auction_id, demo.sale_id, _terms(lot, now_ms, now_ms + end), _printed(lot, serial)
            )
            for auction_id, lot, end, serial in zip(
                demo.auction_ids, lots, ends, serials, strict=False
            )
        ),
    ]


def plan_evening(demo: Demo, catalogue: DemoCatalogue) -> list[Command]:
    """Everything that makes the evening sale, in order: its lots open when a console says so."""
    sale, evening, sale_id = catalogue.sale, catalogue.evening, evening_sale_id(demo)
    terms = SaleTerms(
        ((0, evening.buyers_premium),),
        evening.tax_percent,
        evening.conditions,
        evening.conditions_version,
    )
    return [
        CreateSale(sale_id, evening.name, sale.currency, sale.exponent, terms=terms),
        *_seats(demo, sale_id),
        *(
            AddLot(auction_id, sale_id, _sold_live(lot), _printed(lot, None))
            for auction_id, lot in zip(
                evening_auction_ids(demo, catalogue), evening.lots, strict=True
            )
        ),
    ]


def evening_sale_id(demo: Demo) -> str:
    """The evening sale's id: made of the first sale's, which keys.json names."""
    return demo.sale_id + "evening"


def evening_auction_ids(demo: Demo, catalogue: DemoCatalogue) -> list[str]:
    """The ids of the evening's lots, in their order."""
    part = sale_part(evening_sale_id(demo))
    return [f"auction_{part}_{number}" for number in range(1, len(catalogue.evening.lots) + 1)]


def _seats(demo: Demo, sale_id: str) -> list[Command]:
    return [
        RegisterBidder(sale_id, bidder.consumer_id, "approved", bidder.paddle)
        for bidder in demo.bidders
    ]


def _sold_live(lot: DemoLot) -> Terms:
    return Terms(lot.opening, _INCREMENTS, lot.reserve, format="live")


def _ends(lots: int) -> list[int]:
    """How long each lot stays open, in ms."""
    later = max(lots - len(_SOON_MS), 0)
    step = (_LAST_MS - _FIRST_MS) // max(later - 1, 1)
    return [*_SOON_MS, *(_FIRST_MS + number * step for number in range(later))][:lots]


def _terms(lot: DemoLot, opens_at: int, closes_at: int) -> Terms:
    return Terms(
        lot.opening,
        _INCREMENTS,
        lot.reserve,
        opens_at=opens_at,
        closes_at=closes_at,
        extension_window_ms=_EXTENSION_MS,
        extension_ms=_EXTENSION_MS,
    )


def _printed(lot: DemoLot, serial: str | None) -> Catalogue:
    return Catalogue(
        lot.lot_number,
        lot.name,
        lot.description,
        lot.estimate_low,
        lot.estimate_high,
        lot.photos,
        lot.provenance,
        serial,
    )
