"""Who can be erased: nobody whom a bid or a debt still binds."""

from __future__ import annotations

from typing import Any

import httpx

from engine.core.increments import table
from engine.core.messages import (
    AddLot,
    Catalogue,
    CloseLot,
    Command,
    CreateSale,
    FinishSettlement,
    PlaceBid,
    SettleLot,
    Terms,
    Tokens,
)
from gateway.api.auctions import sold_to
from gateway.app import Gateway
from gateway.books import payments
from tests.gateway.api.conftest import NOW, headers_of
from tests.gateway.decisions import decided

LOT = "auction_k3f9_1"
ADA = "cons_ada"
LATER = NOW + 86_400_000  # the day of settlement
TOKENS = Tokens("asset-1", "erc721", "asset-2")


def read(gateway: Gateway, *commands: Command, **terms: Any) -> None:
    """The gateway reads of a sale of one lot on which Ada has bid, and of what came then."""
    agreed = Terms(10_000, table([(0, 1_000)]), opens_at=0, **terms)
    sale = CreateSale("seq_k3f9", "Studio ceramics", "EUR", 2)
    bid = PlaceBid(LOT, ADA, "a1", 10_000, "bid")
    wishes = [sale, AddLot(LOT, "seq_k3f9", agreed, Catalogue("1", "Jar")), bid, *commands]
    for place, event in enumerate(decided(wishes), 1):
        gateway.saleroom.fold(0, place, event)


async def erased(gateway: Gateway, web: httpx.AsyncClient) -> tuple[int, str]:
    """What Ada's wish to be forgotten is answered."""
    answer = await web.delete("/me", headers=headers_of(gateway, ADA))
    return answer.status_code, answer.text


STANDS = (409, '{"error":"A bid or a debt stands"}')
GONE = (204, "")


async def test_while_a_bid_stands(gateway: Gateway, web: httpx.AsyncClient) -> None:
    """The leader of an open lot, also of a token auction, which is paid for when it is settled."""
    read(gateway)
    assert await erased(gateway, web) == STANDS
    read(gateway, format="one_bid", tokens=TOKENS)
    assert await erased(gateway, web) == STANDS


async def test_until_the_lot_is_settled(gateway: Gateway, web: httpx.AsyncClient) -> None:
    """Who has won and waits for the settlement is bound; in a token auction that is all."""
    read(gateway, CloseLot(LOT), settle_at=LATER)
    assert await erased(gateway, web) == STANDS
    token_auction: dict[str, Any] = {
        "format": "one_bid",
        "tokens": TOKENS,
        "settle_by_command": True,
    }
    settling: list[Command] = [CloseLot(LOT), SettleLot(LOT)]
    read(gateway, *settling, **token_auction)
    assert await erased(gateway, web) == STANDS
    read(gateway, *settling, FinishSettlement(LOT), **token_auction)
    assert await erased(gateway, web) == GONE


async def test_until_the_lot_is_paid_for(gateway: Gateway, web: httpx.AsyncClient) -> None:
    """A token that was only issued anew is no payment; one that was used up is."""
    read(gateway, CloseLot(LOT), SettleLot(LOT))
    sold = sold_to(gateway.saleroom.lots[LOT], ADA)
    assert sold is not None
    assert await erased(gateway, web) == STANDS
    token = payments.issue(gateway.books, gateway.keys, sold, [sold], NOW)
    assert isinstance(token, str)
    assert await erased(gateway, web) == STANDS
    paid = payments.complete(
        gateway.books, gateway.keys, "test", token, "order-1", NOW, lambda _: None
    )
    assert isinstance(paid, dict)
    assert await erased(gateway, web) == GONE


async def test_who_is_outbid_is_free(gateway: Gateway, web: httpx.AsyncClient) -> None:
    """Nothing binds them, before the end or after it."""
    read(gateway, PlaceBid(LOT, "cons_bram", "b1", 20_000, "bid"))
    assert await erased(gateway, web) == GONE
