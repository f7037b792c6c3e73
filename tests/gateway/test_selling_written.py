"""Live lots as the archive has them: what was undone, who did what, and how they ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine, select

from engine.core.codec import GENESIS
from engine.core.messages import (
    AutoAccept,
    FloorBid,
    Hammer,
    LowerReserve,
    Open,
    Refuse,
    Reopen,
    SettleLot,
    Undo,
    UpdateLot,
)
from gateway import archive
from gateway.archive import Bookmark
from gateway.books import news, outbox
from gateway.books.store import open_books
from gateway.core import consumer
from tests.gateway.core.test_selling import LOT, Rostrum, Saleroom
from tests.gateway.decisions import LINEAGE, passages


def written(room: Saleroom, folder: Path, size: int = 1_000) -> Engine:
    """The archive of an evening, written down *size* events at a time, with what is told of it."""
    engine = archive.open_archive(f"sqlite:///{folder / f'house-{size}.db'}")
    archive.begin(engine, {0: Bookmark(LINEAGE, 0, GENESIS)})

    def intend(connection: Any, found: Any) -> None:
        for passage in found:
            news.intend(connection, passage)
            outbox.intend(connection, passage, b"")

    open_books(f"sqlite:///{folder / f'house-{size}.db'}").dispose()
    for passage in passages(room.log, size):
        archive.record(engine, [passage], b"", [intend])
    return engine


def rows(engine: Engine, name: str) -> list[dict[str, Any]]:
    table = archive.metadata.tables[name]
    with engine.connect() as connection:
        query = select(table).order_by(*table.primary_key)
        return [dict(row) for row in connection.execute(query).mappings()]


@pytest.mark.parametrize("seed", range(3))
def test_whatever_the_rostrum_does_is_written_down(seed: int, tmp_path: Path) -> None:
    """In large steps and in small ones alike; and the public history is that of the view."""
    auctioneer = Rostrum(200 + seed)
    for _ in range(120):
        auctioneer.happens()
    room = auctioneer.room
    large, small = written(room, tmp_path), written(room, tmp_path, 7)
    for name in ("bids", "results", "wins", "auctions", "registrations", "rostrum"):
        assert rows(large, name) == rows(small, name), name
    lot = room.rostrum
    shown = [
        consumer.anonymous_bid(lot, bid.consumer_id, bid.bid_id, bid.price, bid.at, b"")
        for bid in archive.public_bids(large, LOT, 500, is_live=True)
    ]
    assert shown == consumer.public_bids(lot, 500, b"")
    [row] = [row for row in rows(large, "auctions") if row["auction_id"] == LOT]
    assert (row["terms"]["reserve"], row["revision"]) == (lot.terms.reserve, lot.revision)
    assert row["terms"]["opening"] == lot.terms.opening
    for engine in (large, small):
        engine.dispose()


def test_who_did_what_and_why(tmp_path: Path) -> None:
    """Each act once, with its reason and the key behind it, done or not."""
    room = Saleroom()
    room.does(Open(9_000))
    room.act(Hammer(12, 9_000))
    room.does(AutoAccept(False))
    room.bid("cons_ada", 9_000, "a1")
    room.act(Refuse("cons_ada", "a1"), "not heard", cmd_id="r1")
    room.act(Refuse("cons_ada", "a1"), "not heard", cmd_id="r1")
    room.does(FloorBid("phone", 9_500, 12))
    room.does(Undo(1), "misheard")
    engine = written(room, tmp_path)
    acts = sorted(rows(engine, "rostrum"), key=lambda row: row["at"])
    assert [(act["act"], act["code"], act["reason"]) for act in acts] == [
        ("open", None, ""),
        ("hammer", "moved", ""),
        ("auto_accept", None, ""),
        ("refuse", None, "not heard"),
        ("bid", None, ""),
        ("undo", None, "misheard"),
    ]
    assert {act["by"] for act in acts} == {"key_1"}
    assert acts[0]["said"] == {"opening": 9_000}
    bids = rows(engine, "bids")
    told = [(bid["code"], bid["channel"], bid["undone_at"] is not None) for bid in bids]
    assert told == [
        ("waiting", "online", False),
        ("refused", "online", False),
        (None, "phone", True),
    ]
    assert archive.public_bids(engine, LOT, 10) == []
    engine.dispose()


def test_a_call_that_is_undone_leaves_the_limit(tmp_path: Path) -> None:
    """It stands as before it was called, and nothing of it is public."""
    room = Saleroom()
    room.bid("cons_ada", 27_771, "a1", "max")
    room.does(Open())
    room.does(Undo(0), "from the start")
    for size in (1, 1_000):
        engine = written(room, tmp_path, size)
        [bid] = rows(engine, "bids")
        assert (bid["undone_at"], bid["price"], bid["amount"]) == (None, None, 27_771)
        engine.dispose()


def test_terms_said_anew_stand_over_a_reserve_lowered_before(tmp_path: Path) -> None:
    """However much is written down at once."""
    room = Saleroom()
    room.does(Open())
    room.does(LowerReserve(20_000))
    lot = room.rostrum
    room.do(UpdateLot(LOT, lot.revision, replace(lot.terms, reserve=15_000), lot.catalogue))
    for size in (1, 1_000):
        engine = written(room, tmp_path, size)
        [row] = [row for row in rows(engine, "auctions") if row["auction_id"] == LOT]
        assert row["terms"]["reserve"] == room.rostrum.terms.reserve == 15_000
        engine.dispose()


def test_a_lot_that_is_reopened_has_no_result(tmp_path: Path) -> None:
    """Neither that it was sold nor to whom."""
    room = Saleroom()
    room.does(Open())
    room.does(FloorBid("room", 33_000, 12))
    room.does(Hammer(12, 33_000))
    room.does(Reopen(), "a bid was missed")
    for size in (1, 1_000):
        engine = written(room, tmp_path, size)
        assert rows(engine, "results") == rows(engine, "wins") == []
        engine.dispose()


def test_a_lot_that_is_reopened_ends_anew(tmp_path: Path) -> None:
    """One result, the last; and until it is settled no object has changed hands or passed."""
    room = Saleroom()
    room.does(Open())
    room.does(FloorBid("room", 33_000, 12))
    room.does(Hammer(12, 33_000), "agreed")
    room.does(Reopen(), "a bid was missed")
    room.does(LowerReserve(30_000))
    room.does(FloorBid("room", 34_000, 14))
    room.does(Hammer(14, 34_000))
    engine = written(room, tmp_path, 1)
    [result] = rows(engine, "results")
    assert (result["outcome"], result["paddle"], result["hammer_price"]) == ("sold", 14, 34_000)
    assert (result["by"], result["settled_at"]) == ("key_1", None)
    [win] = rows(engine, "wins")
    assert (win["consumer_id"], win["amount"]) == ("floor_14", 34_000)
    engine.dispose()
    room.do(SettleLot(LOT))
    again = written(room, tmp_path)
    [result] = rows(again, "results")
    assert result["settled_at"] == room.at
    again.dispose()
