"""Figures that nobody else may learn, looked for wherever somebody could look."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import httpx
import pytest

from engine.core.messages import CloseLot
from gateway.api.routes import CALLS
from gateway.sealing import new_sealing
from tests.integration.live import signed_in
from tests.integration.open_house import House, Json, Person

SETTINGS = {"HTTP_RATE": "0", "KEY_RATE": "0", "BID_RATE": "0"}
LIMIT, SEALED_BID, RESERVE = 6_651_883, 3_129_471, 7_743_197


def figures(amount: int) -> set[str]:
    """The ways in which an amount of cents may be written."""
    return {str(amount), f"{amount / 100:.2f}", f"{amount / 100:,.2f}"}


def walk(house: House, headers: dict[str, str], names: dict[str, str]) -> Iterable[httpx.Response]:
    """Every GET of both APIs, and every page, with these ids in the paths."""
    paths = [call.path for call in CALLS if call.method == "GET"]
    paths += ["/alpha/auction", "/alpha/auction/{auction_id}", "/alpha/auction/{auction_id}/bid"]
    paths += ["/", "/lot/{auction_id}", "/metrics", "/openapi.json", "/readyz", "/healthz"]
    for path in paths:
        yield house.web.get(path.format_map(names), headers=headers, follow_redirects=False)


class Names(dict[str, str]):
    """Ids for paths; one that is not there leads nowhere."""

    def __missing__(self, key: str) -> str:
        return "nobody"


def everybody_else(house: House) -> list[dict[str, str]]:
    """Another bidder, a page, and the house with each of its keys."""
    return [
        house.headers(house.person()),
        house.headers(),
        {"Authorization": f"Bearer {house.keys.secret_key}"},
        {"X-API-Key": house.keys.operator_key},
        {},
    ]


async def look(house: House, auction_id: str) -> str:
    """All that anybody but the bidder can read about the auction, by any route."""
    names = Names(auction_id=auction_id, sequence_id=f"seq_{auction_id.split('_')[1]}")
    said = []
    for headers in everybody_else(house):
        for answer in walk(house, headers, names):
            assert answer.status_code < 500, (answer.request.url, answer.text)
            said += [answer.text, str(dict(answer.headers))]
    for person in (None, house.person()):
        async with signed_in(house, person) as live:
            await live.subscribe(auction_id)
            said += live.raw
    return "\n".join(said)


async def test_a_limit_is_its_bidders_alone(house: House) -> None:
    """Before and after it has won: not another bidder, not the house, on no route."""
    auction_id, ada, bram = await house.lot(reserve=1_000_000), house.person(), house.person()
    async with signed_in(house) as spectator:
        await spectator.subscribe(auction_id)
        answer = house.bid(auction_id, ada, {"amount": LIMIT / 100, "max": True})
        assert answer.json()["lastBidAmount"] == LIMIT / 100
        low = house.bid(auction_id, bram, {"amount": 20_000})
        said = [await look(house, auction_id), low.text]
        await house.wish(CloseLot(auction_id))
        await house.until_status(auction_id, "SETTLED")
        said.append(await look(house, auction_id))
        await spectator.drain()
        said += spectator.raw
    everything = "\n".join(said)
    assert "20000" in everything  # what was to be seen is seen
    assert not [figure for figure in figures(LIMIT) if figure in everything]
    own = house.get(f"/auctions/{auction_id}/bids/history", ada).json()
    assert own[0]["amount"] == LIMIT / 100


@pytest.mark.parametrize("form", ["sealed_first", "sealed_second", "uniform"])
async def test_a_sealed_bid_is_nobodys_before_the_end(house: House, form: str) -> None:
    """Not its amount, nor that there is a best: status, lists, price and pages are silent."""
    now = await house.now()
    auction_id = await house.lot(
        format=form, sealing=new_sealing(house.keys), reserve=RESERVE, settle_at=now + 3_600_000
    )
    ada = house.person()
    async with signed_in(house) as spectator:
        await spectator.subscribe(auction_id)
        answer = house.bid(auction_id, ada, {"amount": SEALED_BID / 100}, Idempotency_Key="k1")
        assert answer.status_code == 200, answer.text
        bid = answer.json()
        assert (bid["status"], bid["currentHighBid"]) == ("ACTIVE", None)
        assert (bid["lastBidAmount"], bid["nextMinimumBid"]) == (SEALED_BID / 100, 100)
        assert len(bid["commitment"]) == 64
        assert bid["salt"]
        again = house.bid(auction_id, ada, {"amount": SEALED_BID / 100}, Idempotency_Key="k1")
        assert again.json() == bid
        other = house.bid(auction_id, ada, {"amount": 200}, Idempotency_Key="k1")
        assert (other.status_code, other.json()["error"]) == (422, "Idempotency key reused")
        said = await look(house, auction_id) + "\n".join(spectator.raw)
    assert not [figure for figure in figures(SEALED_BID) if figure in said]
    assert bid["salt"] not in said
    for text in (f"{RESERVE / 100:.2f}", str(RESERVE)):
        assert text not in house.get(f"/auctions/{auction_id}", ada).text
    await silent(house, auction_id, ada, "OPEN")
    await house.wish(CloseLot(auction_id))
    await asyncio.sleep(0)
    low = house.bid(
        await house.lot(format=form, sealing=new_sealing(house.keys)), ada, {"amount": 1}
    )
    assert (low.status_code, low.json()["error"]) == (400, "Bid must be higher than current bid")
    assert low.json()["nextMinimumBid"] == 100


async def silent(house: House, auction_id: str, ada: Person, status: str) -> None:
    """What the contract says is shown of a sealed auction until it is settled."""
    auction: Json = house.get(f"/auctions/{auction_id}").json()
    assert (auction["status"], auction["currentHighBid"]) == (status, None)
    assert auction["nextMinimumBid"] == 100
    assert auction["reserveMet"] is False
    assert house.get(f"/auctions/{auction_id}/highest-bid", ada).json() == {
        "amount": None,
        "bidderId": None,
    }
    assert house.get(f"/auctions/{auction_id}/bids", ada).json() == []
    standing = house.get(f"/auctions/{auction_id}/status", ada).json()
    assert (standing["status"], standing["bidCount"]) == ("ACTIVE", 1)
    assert standing["lastBidAmount"] is None  # nobody has it any more


async def test_a_sealed_auction_from_the_first_bid_to_the_last_word(house: House) -> None:
    """The later bid of a bidder replaces the earlier; after the end the best has won, and what
    they pay is all that is shown of it."""
    now = await house.now()
    auction_id = await house.lot(
        format="sealed_second", sealing=new_sealing(house.keys), closes_at=now + 2_500
    )
    ada, bram = house.person(), house.person()
    for person, amount in ((ada, 900), (bram, 500), (ada, 700)):
        assert house.bid(auction_id, person, {"amount": amount}).status_code == 200
    await house.until_status(auction_id, "SETTLED")
    assert house.get(f"/auctions/{auction_id}").json()["currentHighBid"] == 500
    assert house.get(f"/auctions/{auction_id}/highest-bid", bram).json()["amount"] == 500
    [shown] = house.get(f"/auctions/{auction_id}/bids", bram).json()
    assert shown["amount"] == 500
    assert shown["consumerId"].startswith("bidder_")
    standing = house.get(f"/auctions/{auction_id}/status", ada).json()
    assert (standing["status"], standing["lastBidAmount"]) == ("WON", 700)
    assert "paymentToken" in standing
    lost = house.get(f"/auctions/{auction_id}/status", bram).json()
    assert (lost["status"], lost["lastBidAmount"]) == ("LOST", 500)
    assert "paymentToken" not in lost
    own = house.get(f"/auctions/{auction_id}/bids/history", ada).json()
    assert [bid["amount"] for bid in own] == [700, None]
    assert "900" not in house.get(f"/auctions/{auction_id}/bids", bram).text


async def test_a_reserve_is_the_houses_alone(house: House) -> None:
    """On no route of bidders, pages or sockets; the house reads it with its secret key, and
    with a key of the scope ``console``."""
    auction_id, ada = await house.lot(reserve=RESERVE), house.person()
    assert house.bid(auction_id, ada, {"amount": 100}).status_code == 200
    names = Names(auction_id=auction_id, sequence_id=f"seq_{auction_id.split('_')[1]}")
    for headers in (house.headers(ada), house.headers(), {}):
        for answer in walk(house, headers, names):
            assert not [f for f in figures(RESERVE) if f in answer.text], answer.request.url
    for headers in everybody_else(house)[2:4]:
        answer = house.web.get(f"/api/v1/auctions/{auction_id}", headers=headers)
        assert answer.json()["reservePrice"] == RESERVE / 100


async def test_nobody_is_named(house: House) -> None:
    """No bidder's id on any route of another bidder's or a page's."""
    auction_id, ada = await house.lot(), house.person()
    assert house.bid(auction_id, ada, {"amount": 300, "max": True}).status_code == 200
    names = Names(auction_id=auction_id, sequence_id=f"seq_{auction_id.split('_')[1]}")
    for headers in (house.headers(house.person()), house.headers(), {}):
        for answer in walk(house, headers, names):
            assert ada.consumer_id not in answer.text, answer.request.url
