"""The gateway's view: folded from events, it says what the events say and no more."""

from __future__ import annotations

from typing import Any

from engine.core.messages import (
    CancelLot,
    CloseLot,
    Command,
    LotEvent,
    PauseLot,
    SettleLot,
    UnpauseLot,
)
from gateway.core import frames
from gateway.core.view import RECENT, LotView, Saleroom
from tests.gateway.decisions import bid, decided, sale_of_lots

LOT = "auction_k3f9_1"
CARRIED = ("price", "askingBid", "paddle", "bidCount", "bidderCount", "reserve", "status",
           "closesAt", "extensions")  # fmt: skip


def view_of(*commands: Command, **terms: Any) -> LotView:
    saleroom = Saleroom()
    for place, event in enumerate(decided([*sale_of_lots(**terms), *commands]), 1):
        saleroom.fold(0, place, event)
    return saleroom.lots[LOT]


def test_a_snapshot_and_its_events_are_a_fresh_snapshot() -> None:
    """From any moment on, folding the public frames gives the later snapshot."""
    commands: list[Command] = [
        bid("cons_ada", 20_000),
        bid("cons_bram", 30_000),
        bid("cons_bram", 35_000),
        bid("cons_ada", 5_000),
        PauseLot(LOT),
        UnpauseLot(LOT),
        bid("cons_ada", 32_000),
        CloseLot(LOT),
        SettleLot(LOT),
    ]
    saleroom = Saleroom()
    view: frames.Json | None = None
    for place, event in enumerate(decided([*sale_of_lots(), *commands]), 1):
        saleroom.fold(0, place, event)
        lot = saleroom.lots.get(LOT)
        if lot is None:
            continue
        public = frames.public(lot, event) if isinstance(event, LotEvent) or place > 3 else None
        fresh = frames.snapshot(lot, "lineage", None)
        if view is not None and public is not None:
            assert public["seq"] == view["seq"] + 1
            auction = {**view["auction"], **{k: public[k] for k in CARRIED if k in public}}
            if public["type"] == "closed":
                auction["outcome"] = public["outcome"]
            view = {**view, "seq": public["seq"], "auction": auction}
        view = view or fresh
        assert {**view, "at": 0} == {**fresh, "at": 0}


def test_where_bidders_stand() -> None:
    """Led and passed: OUTBID; never led: ACTIVE; never bid: NOT_BID."""
    lot = view_of(bid("a", 20_000), bid("b", 40_000, "max"), bid("c", 30_000), bid("d", 5_000))
    assert [lot.status_of(name) for name in "abcde"] == [
        "OUTBID",
        "WINNING",
        "ACTIVE",
        "NOT_BID",
        "NOT_BID",
    ]


def test_how_it_ended_for_bidders() -> None:
    """WON for one where it was sold; LOST for all where it was passed or canceled."""
    both = (bid("a", 20_000), bid("b", 40_000))
    sold = view_of(*both, CloseLot(LOT), SettleLot(LOT))
    assert [sold.status_of(name) for name in "abc"] == ["LOST", "WON", "NOT_BID"]
    passed = view_of(*both, CloseLot(LOT), SettleLot(LOT), reserve=90_000)
    assert [passed.status_of(name) for name in "ab"] == ["LOST", "LOST"]
    canceled = view_of(*both, CancelLot(LOT))
    assert [canceled.status_of(name) for name in "ab"] == ["LOST", "LOST"]


def test_from_a_seq_to_the_next_place() -> None:
    """The places after a seq are those of later public events; a raise without a seq of its
    own goes with the one before."""
    lot = view_of(bid("a", 20_000), bid("a", 30_000), bid("b", 40_000))
    assert list(lot.seqs) == [1, 2, 2, 3]
    assert [lot.place_after(seq) for seq in range(4)] == [0, 1, 3, 4]


def test_the_latest_events_are_remembered() -> None:
    """The last RECENT of those that somebody is told of, from any of them on; not one more."""
    naps: list[Command] = [PauseLot(LOT), UnpauseLot(LOT)] * RECENT
    lot = view_of(bid("a", 20_000), bid("a", 30_000), bid("b", 1), *naps[: RECENT - 3])
    total = RECENT  # opened, two bids of which one is silent, no refusal, and the naps
    assert len(lot.places) == total
    whole = lot.remembered_from(0)
    assert whole is not None
    assert len(whole) == total
    lot = view_of(bid("a", 20_000), bid("a", 30_000), bid("b", 1), *naps[: RECENT + 7])
    assert len(lot.places) == RECENT + 10
    assert [lot.remembered_from(place) for place in (0, 9)] == [None, None]
    for place in (10, 11, RECENT + 9, RECENT + 10):
        found = lot.remembered_from(place)
        assert found is not None
        assert [event.after.seq for event in found if isinstance(event, LotEvent)] == list(
            lot.seqs[place:]
        )


def test_what_is_left_to_the_archive_is_forgotten() -> None:
    """Bids and events; where the lot stands, and where its events are, stay known."""
    lot = view_of(bid("a", 20_000), bid("b", 30_000), CloseLot(LOT), SettleLot(LOT))
    lot.forget()
    assert lot.bids is None
    assert [lot.remembered_from(place) for place in (0, 4)] == [None, None]
    assert (len(lot.places), lot.status_of("b")) == (5, "WON")


def test_the_lists_of_bids() -> None:
    """Accepted ones in order; a silent raise has no public price; refused ones are not there."""
    lot = view_of(bid("a", 20_000), bid("a", 30_000), bid("b", 25_000), bid("c", 1))
    assert lot.bids is not None
    assert [(b.consumer_id, b.amount, b.price) for b in lot.bids] == [
        ("a", 20_000, 20_000),
        ("a", 30_000, None),
        ("b", 25_000, 26_000),
    ]
