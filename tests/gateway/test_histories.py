"""Histories that a gateway no longer holds: the archive says what the gateway said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.core.messages import CloseLot, Command
from gateway import app, archive
from gateway.app import Gateway, build
from gateway.books import apikeys
from gateway.books.store import open_books
from gateway.keys import load_or_create, mint_access_token
from gateway.settings import read_gateway_settings
from tests.gateway.decisions import AT, LINEAGE, bid, decided, passages, sale_of_lots
from tests.processes import PATIENCE_S

LOT = "auction_k3f9_1"
NOW = AT + 3_600_000
BIDS = [
    bid("cons_anna", 10_000),
    bid("cons_bert", 50_000, "max"),
    bid("cons_anna", 20_000),  # outbid at once
    bid("cons_bert", 60_000, "max"),  # a silent raise: in bert's own history alone
    bid("cons_anna", 5_000),  # refused: in nobody's
    bid("cons_cleo", 70_000, "max"),
]


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway that has read a sale to the end of its one lot, without a line to a log."""
    settings = read_gateway_settings({"DATA_DIR": str(tmp_path), "DEMO": "0"})
    database = archive.open_archive(settings.database_url)
    books = open_books(settings.database_url)
    keys = load_or_create(settings, NOW)
    apikeys.enter_house_keys(books, keys, NOW)
    nobody: Any = None
    house = Gateway(settings, keys, (nobody, nobody, nobody), database, books)
    house.clock.read(NOW)
    house.read_books()
    wishes: list[Command] = [*sale_of_lots(), *BIDS, CloseLot(LOT)]
    for place, event in enumerate(decided(wishes), 1):
        house.saleroom.fold(0, place, event)
    yield house
    database.dispose()
    books.dispose()


async def history(gateway: Gateway, consumer: str, path: str) -> httpx.Response:
    """What the API answers when it is asked for bids on the lot."""
    token = mint_access_token(gateway.keys, consumer, 60, NOW)
    headers = {
        "X-Publishable-Key": gateway.keys.publishable_key,
        "Authorization": f"Bearer {token}",
    }
    transport = httpx.ASGITransport(build(gateway))
    async with httpx.AsyncClient(transport=transport, base_url="http://house") as client:
        return await client.get(f"/api/v1/auctions/{LOT}/{path}", headers=headers)


async def histories(gateway: Gateway) -> list[Any]:
    """All bids, and each bidder's own, as the API answers them."""
    found = []
    for consumer in ("cons_anna", "cons_bert", "cons_cleo", "cons_nobody"):
        for path in ("bids", "bids?limit=2", "bids/history", "bids/history?limit=1"):
            answer = await history(gateway, consumer, path)
            assert answer.status_code == 200, answer.text
            found.append(answer.json())
    return found


def write_down(gateway: Gateway, events: int | None = None) -> None:
    """What the clerk would have archived: everything, or the first *events* events."""
    wishes: list[Command] = [*sale_of_lots(), *BIDS, CloseLot(LOT)]
    parts = passages(decided(wishes)[:events], size=3)
    archive.begin(gateway.archive, {0: parts[0].before})
    archive.record(gateway.archive, parts, gateway.salt)
    assert parts[0].before.lineage == LINEAGE


async def test_an_archived_history_reads_as_it_did_before(gateway: Gateway) -> None:
    """Nobody can tell whether a gateway remembers a lot's bids or looks them up."""
    write_down(gateway)
    before = await histories(gateway)

    await gateway.forget_archived()

    assert gateway.saleroom.lots[LOT].bids is None
    assert await histories(gateway) == before
    assert len(before[0]) == 4, "the silent raise and the refusal are nobody else's business"


async def test_a_history_is_kept_until_the_archive_has_all_of_it(gateway: Gateway) -> None:
    """The clerk may be behind: what it has not written is still answered from memory."""
    everything = decided([*sale_of_lots(), *BIDS, CloseLot(LOT)])
    write_down(gateway, len(everything) - 1)

    await gateway.forget_archived()

    assert gateway.saleroom.lots[LOT].bids is not None


async def test_an_open_lot_is_never_forgotten(tmp_path: Path) -> None:
    """More may happen on it, and the bidders ask all the time."""
    settings = read_gateway_settings({"DATA_DIR": str(tmp_path), "DEMO": "0"})
    database = archive.open_archive(settings.database_url)
    books = open_books(settings.database_url)
    nobody: Any = None
    keys = load_or_create(settings, NOW)
    house = Gateway(settings, keys, (nobody, nobody, nobody), database, books)
    events = decided([*sale_of_lots(), *BIDS])
    for place, event in enumerate(events, 1):
        house.saleroom.fold(0, place, event)
    parts = passages(events, size=100)
    archive.begin(database, {0: parts[0].before})
    archive.record(database, parts, house.salt)

    await house.forget_archived()

    assert house.saleroom.lots[LOT].bids is not None
    database.dispose()
    books.dispose()


@pytest.mark.parametrize("path", ["bids", "bids/history"])
async def test_an_archive_that_fails_is_no_bare_error(gateway: Gateway, path: str) -> None:
    """The caller learns that it may ask again later, and by which number to report it."""
    write_down(gateway)
    await gateway.forget_archived()
    with gateway.archive.begin() as connection:
        connection.exec_driver_sql("DROP TABLE bids")

    answer = await history(gateway, "cons_anna", path)

    assert answer.status_code == 503
    assert answer.json() == {"error": "History is unavailable"}
    assert answer.headers["X-Request-ID"]


async def test_an_archive_that_fails_does_not_end_the_gateway(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be looked up is kept in memory; the next round looks again."""
    monkeypatch.setattr(app, "EVICT_EVERY_S", 0)
    failures: asyncio.Queue[str] = asyncio.Queue()
    monkeypatch.setattr(app.log, "warning", lambda _, reason: failures.put_nowait(reason))
    with gateway.archive.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE positions RENAME TO mislaid")

    async with asyncio.timeout(PATIENCE_S):
        rounds = asyncio.create_task(gateway._evict())
        for _ in range(2):
            assert "positions" in await failures.get()
        assert gateway.saleroom.lots[LOT].bids is not None

        with gateway.archive.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE mislaid RENAME TO positions")
        write_down(gateway)
        while gateway.saleroom.lots[LOT].bids is not None:
            await asyncio.sleep(0.005)
    assert not rounds.done()
    rounds.cancel()
