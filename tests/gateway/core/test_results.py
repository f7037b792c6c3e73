"""What a sale has come to."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gateway.core.results import (
    HEIGHT,
    WIDTH,
    Result,
    Source,
    by_source,
    stroke_of,
    totals_of,
)


def result(outcome: str = "sold", hammer: int | None = 500, **more: Any) -> Result:
    said = {
        "auction_id": "auction_1",
        "lot_number": "1",
        "name": "Jar",
        "low": 400,
        "high": 600,
        "outcome": outcome,
        "hammer": hammer if outcome in ("sold", "sold_subject") else None,
        "last_bid": hammer,
        "paddles": (101,),
        "bids": 3,
        "bidders": 2,
        "source": "online",
    }
    return Result(**{**said, **more})


def test_sold_and_passed_against_the_estimates() -> None:
    """What has not ended, was withdrawn or was called off counts nowhere."""
    everything = [
        result(),
        result("sold_subject", 300),
        result("passed"),
        result("open"),
        result("withdrawn"),
        result("canceled"),
    ]
    totals = totals_of(everything)
    assert (totals.offered, totals.sold, totals.passed) == (3, 2, 1)
    assert (totals.hammer, totals.low, totals.high) == (800, 1_200, 1_800)
    assert (totals.sold_low, totals.sold_high, totals.bids) == (800, 1_200, 9)
    assert totals.percent_sold == 67


@pytest.mark.parametrize(
    ("sold", "offered", "percent"), [(0, 0, 0), (0, 3, 0), (1, 3, 33), (1, 2, 50), (1, 8, 13), (3, 3, 100)]
)  # fmt: skip
def test_the_share_that_was_sold_in_whole_percent(sold: int, offered: int, percent: int) -> None:
    """Rounded half up."""
    lots = [result() for _ in range(sold)] + [result("passed") for _ in range(offered - sold)]
    assert totals_of(lots).percent_sold == percent


def test_a_lot_without_an_estimate_adds_to_none() -> None:
    """And one with a low estimate alone is taken to be worth that."""
    totals = totals_of([result(low=None, high=None), result(high=None)])
    assert (totals.low, totals.high) == (400, 400)


def test_by_where_the_winning_bid_came_from() -> None:
    """The side that brought most comes first."""
    everything = [
        result(source="room", hammer=100),
        result(source="online", hammer=700),
        result(source="room", hammer=200),
        result("passed", source="phone"),
    ]
    assert by_source(everything) == [Source("online", 1, 700), Source("room", 2, 300)]


def test_a_price_is_a_stair_from_left_to_right() -> None:
    """It begins low and ends high, and stays within its drawing."""
    stroke = stroke_of([(1_000, 100), (2_000, 100), (5_000, 300), (9_000, 900)])
    assert stroke is not None
    assert stroke.path == "M2 26H16V26H60V20H118V2"
    assert (stroke.x, stroke.y) == (118, 2)
    numbers = [int(number) for number in re.findall(r"\d+", stroke.path)]
    assert all(0 <= number <= max(WIDTH, HEIGHT) for number in numbers)


def test_a_single_bid_draws_nothing_and_bids_of_one_moment_do_no_harm() -> None:
    """There is no room between two bids of the same millisecond, and no height in one price."""
    assert stroke_of([]) is None
    assert stroke_of([(1, 100)]) is None
    assert stroke_of([(1, 100), (1, 100)]) is not None
