"""What a sale's events mean to the objects that are sold in it.

The verifier is told that an object was listed by an auction, and then once how that ended:
sold, passed, or not listed any more.  A draft lists nothing; a lot does once it is scheduled
or open, and again under another serial where that was changed.  That a lot passed is final,
and public, when it is closed; that it was sold, when it is settled.  A lot that is sold from a
rostrum may be reopened until then: of it nothing is told before it is settled.

Pure: what was told of a lot so far is handed in, and so is who has won.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal, NamedTuple

from engine.core.messages import (
    Catalogue,
    Event,
    LotAdded,
    LotCanceled,
    LotClosed,
    LotOpened,
    LotSettled,
    LotUpdated,
    LotWithdrawn,
    State,
    Terms,
)

Kind = Literal["listed", "passed", "unlisted", "sold", "paid", "erased"]

TELLING: Final = (
    LotAdded | LotUpdated | LotOpened | LotClosed | LotSettled | LotCanceled | LotWithdrawn
)
_ON_OFFER: Final = (State.OPEN, State.PAUSED)


class News(NamedTuple):
    """One thing that a sale did to an object."""

    kind: Kind
    serial: str
    lot_number: str


@dataclass(slots=True)
class Offered:
    """What is known of a lot before an event."""

    serial: str | None
    lot_number: str
    in_tokens: bool  # it is paid for when it is settled
    listed: str | None  # the serial that its auction has listed, and not let go yet
    live: bool = False  # it may be reopened until it is settled
    withdrawn: bool = False  # in the end, by the rostrum


def news_of(event: Event, lot: Offered, *, is_won: bool) -> list[News]:
    """What is to be told of an event on *lot*, which it is then folded into.

    *is_won*: has the lot a winner?  That is asked only at its settlement.
    """
    told: list[News] = []
    match event:
        case LotAdded():
            told += _said(lot, event.catalogue, _is_scheduled(event.terms))
        case LotUpdated() if event.after.state is State.SCHEDULED:
            told += _said(lot, event.catalogue, _is_scheduled(event.terms))
        case LotUpdated() if event.after.state in _ON_OFFER:
            told += _said(lot, event.catalogue, True)
        case LotOpened():
            told += _listed(lot, lot.serial)
        case LotClosed() if event.outcome == "passed" and not lot.live:
            told += _ended(lot, "passed")
        case LotCanceled() | LotWithdrawn():
            told += _ended(lot, "unlisted")
        case LotSettled() if lot.withdrawn:
            told += _ended(lot, "unlisted")
        case LotSettled() if not is_won:
            told += _ended(lot, "passed")
        case LotSettled() if lot.in_tokens:
            told += _ended(lot, "sold", "paid")
        case LotSettled():
            told += _ended(lot, "sold")
        case _:
            pass
    return told


def _is_scheduled(terms: Terms) -> bool:
    return terms.opens_at is not None


def _said(lot: Offered, catalogue: Catalogue, is_put_up: bool) -> Iterable[News]:
    lot.serial, lot.lot_number = catalogue.serial, catalogue.lot_number
    return _listed(lot, catalogue.serial if is_put_up else None)


def _listed(lot: Offered, serial: str | None) -> Iterable[News]:
    if serial == lot.listed:
        return []
    told = _ended(lot, "unlisted")
    if serial is not None:
        lot.listed = serial
        told.append(News("listed", serial, lot.lot_number))
    return told


def _ended(lot: Offered, *kinds: Kind) -> list[News]:
    serial, lot.listed = lot.listed, None
    return [] if serial is None else [News(kind, serial, lot.lot_number) for kind in kinds]


def origin_of(*words: str | int) -> str:
    """What one piece of news is known by for ever, however often it is written down or told."""
    return sha256("|".join(map(str, words)).encode()).hexdigest()
