"""What each buyer of a sale owes: their lots, with premium and tax by the sale's terms.

A line is one place of one lot, at its hammer price or, where the lot was offered to an
underbidder, at their own bid.  A line that somebody else has paid for instead has lapsed, and
is in no sum.  Pure: what was sold and what was paid in, invoices out; amounts are minor units.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from engine.core.messages import SaleTerms
from gateway.core.bill import Bill, bill

# ``cashier``: whoever bought it in the room pays there, which nobody here is told of.
LineStatus = Literal["paid", "due", "unpaid", "cashier", "lapsed"]
Status = Literal["paid", "part", "due", "overdue", "cashier", "lapsed"]
STATUSES: Final[tuple[Status, ...]] = ("overdue", "part", "due", "cashier", "paid", "lapsed")


@dataclass(frozen=True, slots=True)
class Owed:
    """One place of a lot, and who is to pay for it."""

    auction_id: str
    lot_number: str
    name: str
    consumer_id: str
    paddle: int
    hammer: int
    status: Literal["paid", "due", "unpaid", "cashier"]
    offered: bool = False  # to an underbidder, for their own bid
    expires_at: int = 0  # until when it can be paid
    order_id: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an invoice."""

    owed: Owed
    bill: Bill
    status: LineStatus


@dataclass(frozen=True, slots=True)
class Invoice:
    """All that one buyer owes."""

    consumer_id: str
    paddle: int
    lines: tuple[Line, ...]

    @property
    def sums(self) -> Bill:
        """Of what has not lapsed."""
        return added_up(line.bill for line in self._counted)

    @property
    def paid(self) -> int:
        """What of the total has been paid."""
        return sum(line.bill.total for line in self.lines if line.status == "paid")

    @property
    def status(self) -> Status:
        """How it stands: overdue with one line that was not paid in time, paid with all."""
        states = {line.status for line in self._counted}
        if not states:
            return "lapsed"
        if "unpaid" in states:
            return "overdue"
        if states == {"cashier"}:
            return "cashier"
        if states == {"paid"}:
            return "paid"
        return "part" if "paid" in states else "due"

    @property
    def _counted(self) -> list[Line]:
        return [line for line in self.lines if line.status != "lapsed"]


def invoices_of(terms: SaleTerms, owed: Iterable[Owed]) -> list[Invoice]:
    """One for each buyer, by paddle; within it the lots as they come."""
    everything = list(owed)
    taken = {one.auction_id for one in everything if one.offered and one.status == "paid"}
    by_buyer: dict[tuple[int, str], list[Line]] = {}
    for one in everything:
        line = Line(one, bill(one.hammer, terms), _status(one, taken))
        by_buyer.setdefault((one.paddle, one.consumer_id), []).append(line)
    return [
        Invoice(consumer_id, paddle, tuple(lines))
        for (paddle, consumer_id), lines in sorted(by_buyer.items())
    ]


def _status(owed: Owed, taken: set[str]) -> LineStatus:
    """Of a lot that an underbidder has paid for, nobody else owes anything."""
    return "lapsed" if owed.auction_id in taken and owed.status != "paid" else owed.status


def added_up(bills: Iterable[Bill]) -> Bill:
    """The sum of several."""
    found = list(bills)
    return Bill(
        sum(one.hammer for one in found),
        sum(one.premium for one in found),
        sum(one.tax for one in found),
    )


def total_of(invoices: Sequence[Invoice]) -> Bill:
    """What all of them come to."""
    return added_up(invoice.sums for invoice in invoices)
