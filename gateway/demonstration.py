"""The demonstration sale: invented lots and bidders, put into the log like any others.

``plan`` says what a house would wish for, ``seed`` wishes it.  Both may be done again at any
time: what is there already is refused by the engine and stays as it is, so that a start that
was cut off half-way is made good by the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from importlib.resources import files
from itertools import groupby
from typing import Final, Protocol

import msgspec
from msgspec import Struct

from engine.core.codec import encode_commands
from engine.core.increments import table
from engine.core.messages import (
    AddLot,
    Catalogue,
    Command,
    CreateSale,
    RegisterBidder,
    Terms,
    shard_of_command,
)
from engine.streams import MAX_COMMANDS, Refused
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
_TRY_AGAIN_S: Final = 0.1
_TRIES: Final = 300  # 30 s: an engine that has just started reads its whole log first


class NotSeeded(Exception):
    """The demonstration could not be put into the log; one line says why."""


class CommandLog(Protocol):
    """What seeding needs of a log."""

    async def append(self, entries: Sequence[tuple[int, bytes]]) -> list[str | Refused]: ...


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


class _Shipped(Struct, frozen=True):
    lots: list[DemoLot]


class DemoCatalogue(Struct, frozen=True):
    """``demonstration.json``: the sale and its lots, in their order."""

    sale: DemoSale
    lots: tuple[DemoLot, ...]


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
    return [
        CreateSale(demo.sale_id, sale.name, sale.currency, sale.exponent, registration="open"),
        *(
            RegisterBidder(demo.sale_id, bidder.consumer_id, "approved", bidder.paddle)
            for bidder in demo.bidders
        ),
        *(
            AddLot(auction_id, demo.sale_id, _terms(lot, now_ms, now_ms + end), _printed(lot))
            for auction_id, lot, end in zip(demo.auction_ids, lots, ends, strict=False)
        ),
    ]


async def seed(
    log: CommandLog, commands: Sequence[Command], shards: int, stopping: asyncio.Event
) -> None:
    """Append the commands to their shards, waiting for an engine to lead them.

    Returns early where the house is told to stop.  Raises ``NotSeeded`` where no engine takes
    them, and ``StreamError``.
    """
    # sorted() keeps the order within a shard, and one entry is answered before the next.
    by_shard = sorted(commands, key=lambda command: shard_of_command(command, shards))
    for shard, group in groupby(by_shard, lambda command: shard_of_command(command, shards)):
        wishes = list(group)
        for start in range(0, len(wishes), MAX_COMMANDS):
            payload = encode_commands(wishes[start : start + MAX_COMMANDS])
            await _append(log, shard, payload, stopping)


async def _append(log: CommandLog, shard: int, payload: bytes, stopping: asyncio.Event) -> None:
    answer: str = ""
    for _ in range(_TRIES):
        if stopping.is_set():
            return
        [answer] = await log.append([(shard, payload)])
        if answer not in ("UNLED", "OVERLOADED"):
            break
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), _TRY_AGAIN_S)
    if answer in ("UNLED", "OVERLOADED", "TOO_BIG"):
        raise NotSeeded(f"shard {shard} does not take the demonstration sale: {answer}")


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


def _printed(lot: DemoLot) -> Catalogue:
    return Catalogue(
        lot.lot_number,
        lot.name,
        lot.description,
        lot.estimate_low,
        lot.estimate_high,
        lot.photos,
        lot.provenance,
    )
