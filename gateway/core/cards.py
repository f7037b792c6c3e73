"""A lot in a list: which of its figures is shown, and the word for how it stands.

Everything is read from what the live protocol says of an auction, so that the page as it is
written and the page as ``static/cards.js`` keeps it agree; a test holds the two together.
Words are named by their keys.  Leaves to others: the words themselves, and which lots are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from engine.core.messages import State
from gateway.core.view import LotView

Kind = Literal["upcoming", "open", "live", "paused", "over"]
STATUSES: Final = ("upcoming", "open", "over")  # what a reader may choose to see

_BEFORE: Final = ("draft", "scheduled")
_OVER: Final = ("closed", "settling", "settled", "canceled")
_SOLD: Final = ("sold", "sold_subject")


class Face(NamedTuple):
    """What a list shows of a lot."""

    kind: Kind
    label: str  # what the amount is; "" without an amount
    amount: int | None
    word: str  # how the lot stands
    at: int | None = None  # the instant that the word speaks of


def face(auction: Mapping[str, Any]) -> Face:
    """A lot's face, from the ``auction`` of a snapshot."""
    status = auction["status"]
    if status in _BEFORE:
        opens_at = auction["opensAt"]
        word = "opens" if opens_at is not None else "not-open"
        return Face("upcoming", "opening-bid", auction["opening"], word, opens_at)
    if status in _OVER:
        return Face("over", *_last_price(auction), _ending(auction))
    label, amount = _price(auction)
    if status == "paused":
        return Face("paused", label, amount, "paused")
    if auction["format"] == "live":
        return Face("live", label, amount, "on-now")
    closes_at = auction["closesAt"]
    return Face("open", label, amount, "open" if closes_at is None else "closes", closes_at)


def _price(auction: Mapping[str, Any]) -> tuple[str, int]:
    if auction["format"] == "dutch" and auction["askingBid"] is not None:
        return "price-now", auction["askingBid"]
    if auction["price"] is not None:
        return "current-bid", auction["price"]
    return "opening-bid", auction["askingBid"] or auction["opening"]


def _last_price(auction: Mapping[str, Any]) -> tuple[str, int | None]:
    if auction["price"] is None or auction["status"] == "canceled":
        return "", None
    return "hammer-price" if auction["outcome"] in _SOLD else "last-bid", auction["price"]


def _ending(auction: Mapping[str, Any]) -> str:
    if auction["status"] == "canceled":
        return "canceled"
    return {
        "sold": "sold",
        "sold_subject": "sold-subject",
        "passed": "passed",
        "withdrawn": "withdrawn",
    }.get(auction["outcome"] or "", "closed")


# ── Which lots ───────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Sought:
    """What a reader looks for."""

    text: str = ""
    status: str = ""  # of ``STATUSES``; "": any
    is_watched: bool = False

    @property
    def is_everything(self) -> bool:
        """Is nothing left out?"""
        return not (self.text or self.status or self.is_watched)

    def takes(self, lot: LotView, watched: frozenset[str]) -> bool:
        """Is the lot among what is looked for?"""
        if self.is_watched and lot.auction_id not in watched:
            return False
        if self.status and self.status != status_of(lot):
            return False
        return not self.text or _says(lot, self.text)


def status_of(lot: LotView) -> str:
    """Which of ``STATUSES`` a lot is in; what is paused or on now is open."""
    if lot.now.state is State.SCHEDULED:
        return "upcoming"
    return "open" if lot.now.state in (State.OPEN, State.PAUSED) else "over"


def _says(lot: LotView, text: str) -> bool:
    """Is every word of the text in what is printed of the lot?"""
    printed = lot.catalogue
    page = f"{printed.lot_number} {printed.name} {printed.description}".casefold()
    return all(word in page for word in text.casefold().split())
