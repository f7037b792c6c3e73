"""Histories of every format: the archive says what the gateway said while it remembered."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from engine.core import sealed
from engine.core.increments import table
from engine.core.messages import (
    AddLot,
    CancelBid,
    Catalogue,
    CloseLot,
    Command,
    CreateSale,
    Event,
    PlaceBid,
    Sealing,
    Terms,
)
from gateway import archive
from gateway.app import Gateway
from tests.gateway.api.conftest import headers_of
from tests.gateway.decisions import decided, passages

LOT = "auction_k3f9_1"
PEOPLE = ("cons_anna", "cons_bert", "cons_cleo", "cons_nobody")
KEY = X25519PrivateKey.from_private_bytes(bytes(range(32)))
SEALING = Sealing(base64.b64encode(KEY.public_key().public_bytes_raw()).decode(), "")
CLOSE = CloseLot(LOT, opening_key=base64.b64encode(KEY.private_bytes_raw()).decode())


def bid(consumer: str, amount: int) -> PlaceBid:
    return PlaceBid(LOT, consumer, f"{consumer}-{amount}", amount, "bid")


def sealed_bid(consumer: str, amount: int) -> PlaceBid:
    named = (LOT, consumer, amount, bytes(32))
    letter = sealed.seal(SEALING.public_key, *named)
    cmd_id, commitment = f"{consumer}-{amount}", sealed.commitment(*named)
    return PlaceBid(
        LOT, consumer, cmd_id, 0, "sealed", commitment=commitment, ciphertext=letter
    )  # fmt: skip


BEATING = [bid("cons_anna", 10_000), bid("cons_bert", 30_000), bid("cons_anna", 40_000)]
BESIDE = [bid("cons_anna", 30_000), bid("cons_bert", 20_000), bid("cons_cleo", 25_000)]
SALES: dict[str, tuple[dict[str, Any], Sequence[Command]]] = {
    "english": ({}, [*BEATING, CloseLot(LOT)]),
    "places": ({"winner_count": 2}, [*BESIDE, CloseLot(LOT)]),
    "one_bid": (
        {"format": "one_bid"},
        [*BESIDE, CancelBid(LOT, "cons_anna", "cons_anna-30000", cmd_id="c1"), CloseLot(LOT)],
    ),
    "sealed_second": (
        {"format": "sealed_second", "sealing": SEALING},
        [
            sealed_bid("cons_anna", 30_000),
            sealed_bid("cons_bert", 20_000),
            sealed_bid("cons_anna", 40_000),
            CLOSE,
        ],
    ),
}


def events_of(name: str) -> list[Event]:
    """A sale of one lot in this format, from its beginning to its end."""
    terms, commands = SALES[name]
    agreed = Terms(10_000, table([(0, 1_000)]), opens_at=0, **terms)
    sale = CreateSale("seq_k3f9", "Studio ceramics", "EUR", 2)
    return decided([sale, AddLot(LOT, "seq_k3f9", agreed, Catalogue("1", "Jar")), *commands])


Ask = Callable[[str, str], Awaitable[httpx.Response]]


@pytest.fixture
def answered(gateway: Gateway, web: httpx.AsyncClient) -> Ask:
    """What a consumer is answered about the lot."""

    async def ask(consumer: str, path: str) -> httpx.Response:
        return await web.get(f"/auctions/{LOT}/{path}", headers=headers_of(gateway, consumer))

    return ask


async def histories(answered: Ask) -> dict[tuple[str, str], Any]:
    """All bids, and each bidder's own, as the API answers them."""
    found = {}
    for consumer in PEOPLE:
        for path in ("bids", "bids?limit=1", "bids/history", "bids/history?limit=1"):
            answer = await answered(consumer, path)
            assert answer.status_code == 200, answer.text
            found[consumer, path] = answer.json()
    return found


@pytest.mark.parametrize("name", SALES)
async def test_what_was_said_is_said_again(gateway: Gateway, answered: Ask, name: str) -> None:
    """Out of memory and out of the archive: the same bids, ids, amounts and instants."""
    events = events_of(name)
    for place, event in enumerate(events, 1):
        gateway.saleroom.fold(0, place, event)
    parts = passages(events, size=3)
    archive.begin(gateway.archive, {0: parts[0].before})
    archive.record(gateway.archive, parts, gateway.salt)
    before = await histories(answered)
    assert before["cons_nobody", "bids"]
    gateway.saleroom.lots[LOT].forget()
    assert await histories(answered) == before


async def test_what_each_format_shows(gateway: Gateway, answered: Ask) -> None:
    """A bid that was taken back is not shown; where bids stand beside each other, each is at
    its full amount; of sealed bids, what the winner pays."""
    shown = {}
    for name in SALES:
        for place, event in enumerate(events_of(name), 1):
            gateway.saleroom.fold(0, place, event)
        answer = await answered("cons_nobody", "bids")
        shown[name] = [one["amount"] for one in answer.json()]
    assert shown == {
        "english": [400, 300, 100],
        "places": [250, 200, 300],
        "one_bid": [250, 200],
        "sealed_second": [200],
    }


async def test_an_archive_that_cannot_be_read(gateway: Gateway, answered: Ask) -> None:
    """503 with its text; whatever memory holds is still answered."""
    for place, event in enumerate(events_of("english"), 1):
        gateway.saleroom.fold(0, place, event)
    gateway.saleroom.lots[LOT].forget()
    with gateway.archive.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE bids RENAME TO lost")
    for path in ("bids", "bids/history"):
        answer = await answered("cons_anna", path)
        assert (answer.status_code, answer.json()["error"]) == (503, "History is unavailable")
        assert answer.headers["x-request-id"]
    assert (await answered("cons_anna", "status")).json()["status"] == "WON"
