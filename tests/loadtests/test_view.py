"""A client's view: a snapshot with the events applied, merged ones and gaps included."""

from __future__ import annotations

from copy import deepcopy

import pytest

from loadtests.core.view import Message, View, seen, take


def snapshot(seq: int = 41) -> Message:
    """A lot in the middle of its sale."""
    return {
        "type": "snapshot",
        "auctionId": "auction_a_1",
        "lineage": "L1",
        "seq": seq,
        "at": 1000,
        "auction": {
            "name": "A vase",
            "status": "open",
            "phase": None,
            "price": 100,
            "askingBid": 110,
            "paddle": 118,
            "channel": "online",
            "bidCount": 3,
            "bidderCount": 2,
            "reserve": "none",
            "closesAt": None,
            "extensions": 0,
            "outcome": None,
        },
        "you": None,
    }


def price(seq: int, amount: int, **more: object) -> Message:
    """A price event after which the lot stands at *amount*."""
    return {
        "type": "price",
        "auctionId": "auction_a_1",
        "seq": seq,
        "at": 2000,
        "price": amount,
        "askingBid": amount + 10,
        "paddle": 207,
        "channel": "online",
        "why": "bid",
        "bidCount": 4,
        "bidderCount": 2,
        "reserve": "none",
        "status": "open",
        "closesAt": None,
        **more,
    }


def test_the_next_event_moves_the_view() -> None:
    """An event that follows on the snapshot changes what it carries and nothing else."""
    view = seen(snapshot())
    assert take(view, price(42, 110)) == "applied"
    assert (view.seq, view.auction["price"], view.auction["paddle"]) == (42, 110, 207)
    assert view.auction["name"] == "A vase"


@pytest.mark.parametrize("seq", [41, 7])
def test_a_known_event_changes_nothing(seq: int) -> None:
    """An event that came before, or twice, leaves the view as it is."""
    view = seen(snapshot())
    before = deepcopy(view)
    assert take(view, price(seq, 500)) == "known"
    assert view == before


def test_a_missing_event_is_a_gap_and_changes_nothing() -> None:
    """The view never shows what it cannot be sure of."""
    view = seen(snapshot())
    before = deepcopy(view)
    assert take(view, price(43, 500)) == "gap"
    assert view == before


def test_a_merged_event_stands_for_several() -> None:
    """``merged: 3`` at seq 44 follows on 41, and the three count as heard."""
    view = seen(snapshot())
    assert take(view, price(44, 150, merged=3)) == "applied"
    assert (view.seq, view.merged, view.auction["price"]) == (44, 2, 150)


def test_a_merged_event_that_begins_too_late_is_a_gap() -> None:
    """``merged: 2`` at seq 44 stands for 43 and 44: 42 is missing."""
    view = seen(snapshot())
    assert take(view, price(44, 150, merged=2)) == "gap"
    assert view.seq == 41


def test_a_merged_event_may_begin_before_the_snapshot() -> None:
    """A snapshot taken while prices waited is brought up to date by what they became."""
    view = seen(snapshot())
    assert take(view, price(43, 130, merged=4)) == "applied"
    assert (view.seq, view.auction["price"]) == (43, 130)


def test_changes_and_phases_reach_the_view() -> None:
    """``updated`` brings the snapshot's own names, fair warning its phase, a close the end."""
    view: View = seen(snapshot())
    take(view, {**price(42, 100), "type": "updated", "changed": {"name": "Two vases"}})
    take(view, {**price(43, 100), "type": "fair_warning"})
    assert (view.auction["name"], view.auction["phase"]) == ("Two vases", "fair_warning")
    take(view, {**price(44, 100, status="closed", outcome="sold"), "type": "closed"})
    assert (view.auction["phase"], view.auction["outcome"]) == (None, "sold")
