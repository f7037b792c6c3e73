"""Who may bid in a sale, and up to where: entering, being let in, limits, leaving."""

from __future__ import annotations

from typing import Any

import httpx

from engine.core.messages import CloseLot, RegisterBidder, SaleTerms
from tests.integration.open_house import API, House, Json, Person

SETTINGS = {"HTTP_RATE": "0", "BID_RATE": "0"}
ENTERED = {"success", "registration", "paddle", "limit"}


def enter(house: House, auction_id: str, person: Person | None, body: Any = None) -> httpx.Response:
    path = f"{API}/auctions/{auction_id}/enter"
    return house.web.post(path, json=body, headers=house.headers(person))


def leave(house: House, auction_id: str, person: Person | None) -> httpx.Response:
    path = f"{API}/auctions/{auction_id}/leave"
    return house.web.post(path, headers=house.headers(person))


def entered(answer: httpx.Response) -> Json:
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    assert found.keys() == ENTERED
    assert found["success"] is True
    return found


def refused(answer: httpx.Response) -> str:
    """The code of a 409 of the contract's form."""
    assert answer.status_code == 409, answer.text
    assert answer.json().keys() <= {"code", "message", "error"}
    assert isinstance(answer.json()["message"], str)
    code: str = answer.json()["code"]
    return code


def error_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


async def test_a_sale_that_is_open_to_all(house: House) -> None:
    """Entering gives a paddle and no limit; again, it is the same paddle."""
    auction_id, ada, bram = await house.lot(), house.person(), house.person()
    first = entered(enter(house, auction_id, ada))
    assert (first["registration"], first["limit"]) == ("approved", None)
    assert entered(enter(house, auction_id, ada, {})) == first
    assert entered(enter(house, auction_id, bram))["paddle"] != first["paddle"]
    assert house.bid(auction_id, ada, {"amount": 100}).status_code == 200
    celia = house.person()  # the first bid registers
    assert house.bid(auction_id, celia, {"amount": 200}).status_code == 200
    assert entered(enter(house, auction_id, celia))["registration"] == "approved"


async def test_devices_may_count_alike(house: House) -> None:
    """The same Idempotency-Key of two bidders is two wishes; of one bidder, it is one."""
    auction_id, ada, bram = await house.lot(), house.person(), house.person()
    path, paddles = f"{API}/auctions/{auction_id}/enter", []
    for person in (ada, bram, ada):
        headers = house.headers(person, Idempotency_Key="1")
        paddles.append(entered(house.web.post(path, headers=headers))["paddle"])
    assert paddles[0] == paddles[2] != paddles[1]


async def test_a_sale_by_approval(house: House) -> None:
    """Pending until the house decides; then with the limit that it gives."""
    sale_id = await house.sale(registration="approval")
    auction_id, ada = await house.lot(sale_id), house.person()
    answer = house.bid(auction_id, ada, {"amount": 100})
    assert error_of(answer) == (403, "Registration required")
    seat = entered(enter(house, auction_id, ada))
    assert seat["registration"] == "pending"
    answer = house.bid(auction_id, ada, {"amount": 100})
    assert error_of(answer) == (403, "Registration pending")
    await house.wish(RegisterBidder(sale_id, ada.consumer_id, "approved", limit=50_000))
    assert house.bid(auction_id, ada, {"amount": 100}).status_code == 200
    again = entered(enter(house, auction_id, ada))
    assert again == {**seat, "registration": "approved", "limit": 500}


async def test_who_was_turned_away(house: House) -> None:
    """Declined and suspended bidders cannot enter again by themselves."""
    sale_id = await house.sale(registration="approval")
    auction_id = await house.lot(sale_id)
    for admission in ("declined", "suspended"):
        person = house.person()
        await house.wish(RegisterBidder(sale_id, person.consumer_id, admission))
        assert refused(enter(house, auction_id, person)) == admission
        text = "Bidding suspended" if admission == "suspended" else "Registration required"
        assert error_of(house.bid(auction_id, person, {"amount": 100})) == (403, text)


async def test_conditions_are_read_before_bidding(house: House) -> None:
    """Where the sale has conditions, their version in force is what is agreed to."""
    terms = SaleTerms(conditions="As seen.", conditions_version="2026-11")
    auction_id, ada = await house.lot(await house.sale(terms=terms)), house.person()
    assert refused(enter(house, auction_id, ada, {"conditionsVersion": "2025-01"})) == "conditions"
    entered(enter(house, auction_id, ada, {"conditionsVersion": "2026-11"}))
    registration = house.get("/me", ada).json()["registrations"][0]
    assert registration["conditionsVersion"] == "2026-11"


async def test_limits_hold_over_the_whole_sale(house: House) -> None:
    """Won prices and leading limits together; what somebody else took over is free again."""
    sale_id = await house.sale()
    first, second = await house.lot(sale_id), await house.lot(sale_id)
    ada, bram = house.person(), house.person()
    await house.wish(RegisterBidder(sale_id, ada.consumer_id, "approved", limit=50_000))
    assert house.bid(first, ada, {"amount": 300, "max": True}).status_code == 200
    over = house.bid(second, ada, {"amount": 200.01})
    assert error_of(over) == (403, "Bid limit exceeded")
    assert house.bid(second, ada, {"amount": 200}).status_code == 200
    assert error_of(house.bid(second, ada, {"amount": 210})) == (403, "Bid limit exceeded")
    assert house.bid(first, bram, {"amount": 400}).status_code == 200
    assert house.bid(second, ada, {"amount": 500, "max": True}).status_code == 200
    assert house.bid(second, bram, {"amount": 220}).status_code == 200  # price 230: ada leads
    await house.wish(CloseLot(second))
    await house.until_status(second, "SETTLED")
    third = await house.lot(sale_id)
    assert error_of(house.bid(third, ada, {"amount": 270.01})) == (403, "Bid limit exceeded")
    assert house.bid(third, ada, {"amount": 270}).status_code == 200


async def test_nobody_bids_on_their_own_lot(house: House) -> None:
    """Whoever has consigned it is told so; what that is, nobody else is."""
    ada, bram = house.person(), house.person()
    auction_id = await house.lot(consignor=ada.consumer_id)
    assert error_of(house.bid(auction_id, ada, {"amount": 100})) == (403, "Own lot")
    assert house.bid(auction_id, bram, {"amount": 100}).status_code == 200
    assert ada.consumer_id not in house.get(f"/auctions/{auction_id}").text


async def test_leaving(house: House) -> None:
    """Not while one leads; afterwards one is a stranger, and may enter again."""
    auction_id, ada, bram = await house.lot(), house.person(), house.person()
    assert house.bid(auction_id, ada, {"amount": 100}).status_code == 200
    assert refused(leave(house, auction_id, ada)) == "leading"
    assert house.bid(auction_id, bram, {"amount": 200}).status_code == 200
    answer = leave(house, auction_id, ada)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert entered(enter(house, auction_id, ada))["registration"] == "approved"
    stranger = leave(house, auction_id, house.person())
    assert stranger.status_code == 409, stranger.text


async def test_who_may_ask(house: House) -> None:
    """401 without a consumer, 404 without such an auction, 400 for what is not understood."""
    auction_id, ada = await house.lot(), house.person()
    for call in (enter, leave):
        assert error_of(call(house, auction_id, None)) == (401, "Authentication required")
        assert error_of(call(house, "auction_none_1", ada)) == (404, "Auction not found")
    bodies: list[Any] = [{"conditions": "x"}, {"conditionsVersion": 1}, [], "x"]
    for body in bodies:
        assert error_of(enter(house, auction_id, ada, body)) == (400, "Invalid request"), body
