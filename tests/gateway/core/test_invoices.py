"""Who owes what after a sale."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from engine.core.messages import SaleTerms
from gateway.core.bill import Bill
from gateway.core.invoices import Owed, Status, invoices_of, total_of

TERMS = SaleTerms(((0, "25"), (1_000_00, "20")), "19")


def owed(
    lot: str, paddle: int, hammer: int = 200_00, status: Any = "due", offered: bool = False
) -> Owed:
    name = f"cons_{paddle}"
    return Owed(f"auction_{lot}", lot, "Jar", name, paddle, hammer, status, offered)


def test_each_buyer_has_one_invoice_with_premium_and_tax() -> None:
    """By paddle, whatever the order of the lots; the lines add up to the sums."""
    found = invoices_of(TERMS, [owed("1", 207, 2_000_00), owed("2", 101), owed("3", 207)])
    assert [(one.paddle, [line.owed.lot_number for line in one.lines]) for one in found] == [
        (101, ["2"]),
        (207, ["1", "3"]),
    ]
    first, second = (line.bill for line in found[1].lines)
    assert first == Bill(2_000_00, 450_00, 85_50)
    assert second == Bill(200_00, 50_00, 9_50)
    assert found[1].sums == Bill(2_200_00, 500_00, 95_00)
    assert found[1].sums.total == 2_795_00
    assert total_of(found) == Bill(2_400_00, 550_00, 104_50)


LineStatus = Literal["paid", "due", "unpaid", "cashier"]


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["due"], "due"),
        (["due", "due"], "due"),
        (["paid", "paid"], "paid"),
        (["paid", "due"], "part"),
        (["paid", "unpaid"], "overdue"),
        (["due", "unpaid"], "overdue"),
        (["unpaid"], "overdue"),
        (["cashier", "cashier"], "cashier"),
        (["cashier", "due"], "due"),
        (["cashier", "paid"], "part"),
    ],
)
def test_an_invoice_stands_as_its_worst_line(lines: list[LineStatus], status: Status) -> None:
    """One lot that was not paid in time makes it overdue; some paid and some not is a part."""
    everything = [owed(str(n), 101, status=one) for n, one in enumerate(lines)]
    [found] = invoices_of(TERMS, everything)
    assert found.status == status
    paid = sum(one == "paid" for one in lines)
    assert found.paid == paid * found.lines[0].bill.total


def test_what_an_underbidder_has_paid_for_nobody_else_owes() -> None:
    """The winner's line has lapsed and is in no sum; while it is only offered, both stand."""
    winner, offer = owed("1", 101, status="unpaid"), owed("1", 207, 150_00, "due", offered=True)
    first, second = invoices_of(TERMS, [winner, offer])
    assert (first.status, second.status) == ("overdue", "due")
    bought = owed("1", 207, 150_00, "paid", offered=True)
    first, second = invoices_of(TERMS, [winner, bought])
    assert (first.status, first.sums.total, first.paid) == ("lapsed", 0, 0)
    assert [line.status for line in first.lines] == ["lapsed"]
    assert (second.status, second.sums.hammer) == ("paid", 150_00)
    assert total_of([first, second]).hammer == 150_00


def test_of_several_places_those_that_were_paid_stand() -> None:
    """A place that its winner has paid for is theirs, though another's was taken."""
    places = [
        owed("1", 101, status="paid"),
        owed("1", 102, status="unpaid"),
        owed("1", 207, status="paid", offered=True),
    ]
    assert [one.status for one in invoices_of(TERMS, places)] == ["paid", "lapsed", "paid"]
