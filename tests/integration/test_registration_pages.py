"""Registering for a sale on its page, as a browser without scripts does it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.integration.desk import Desk
from tests.integration.open_house import House
from tests.integration.test_sessions import an_address, mailed_code

SETTINGS = {"DEMO": "1", "HTTP_RATE": "0", "KEY_RATE": "0", "OTP_RATE": "0", "BID_RATE": "0"}
TERMS = {"conditions": "Bids are binding.\nThe hammer is final.", "conditionsVersion": "2026-11"}


@pytest.fixture
def desk(house: House) -> Desk:
    return Desk.of(house)


@pytest.fixture
def web(house: House) -> Iterator[httpx.Client]:
    """A browser that follows where it is sent."""
    headers = {"Origin": house.url}
    with httpx.Client(
        base_url=house.url, headers=headers, follow_redirects=True, trust_env=False, timeout=30
    ) as client:
        yield client


def come_in(house: House, web: httpx.Client, number: int) -> str:
    """Sign in as one of the demonstration's bidders; their id."""
    assert house.keys.demo is not None
    bidder = house.keys.demo.bidders[number]
    assert web.get(bidder.url).status_code == 200
    return bidder.consumer_id


def form(**more: str) -> dict[str, str]:
    return {"version": "2026-11", "agreed": "1", **more}


def test_who_agrees_is_registered_and_goes_on_to_the_lot(
    house: House, desk: Desk, web: httpx.Client
) -> None:
    """In a sale that is open to all: a paddle, no limit, and the way back."""
    sale = desk.sale(terms=TERMS)
    lot = desk.lot(sale)
    come_in(house, web, 0)
    page = web.get(f"/sale/{sale}/register?next=/lot/{lot}").text
    for words in ("Bids are binding.", "Version 2026-11", "You can bid at once.", "I have read"):
        assert words in page
    answer = web.post(f"/sale/{sale}/register", data=form(next=f"/lot/{lot}"))
    assert answer.url.path == f"/lot/{lot}"
    page = web.get(f"/sale/{sale}/register").text
    for words in (
        "You may bid. Your paddle is 101.",
        "Ada Lindqvist",
        "No limit",
        "Version 2026-11",
    ):
        assert words in page, words
    assert "I have read" not in page
    assert "You may bid. Your paddle is 101." in web.get(f"/sale/{sale}").text


def test_who_has_not_agreed_is_not_registered(house: House, desk: Desk, web: httpx.Client) -> None:
    """Without the tick, or by conditions that have changed meanwhile."""
    sale = desk.sale(terms=TERMS)
    come_in(house, web, 1)
    unticked = web.post(f"/sale/{sale}/register", data={"version": "2026-11"})
    assert (unticked.status_code, "tick the box" in unticked.text) == (400, True)
    desk.put(f"sequences/{sale}", {"terms": {**TERMS, "conditionsVersion": "2026-12"}})
    late = web.post(f"/sale/{sale}/register", data=form())
    assert (late.status_code, "conditions have changed" in late.text) == (400, True)
    assert "Version 2026-12" in late.text
    assert desk.get(f"sequences/{sale}/registrations")["data"] == []
    assert web.post(f"/sale/{sale}/register", data=form(version="2026-12")).status_code == 200
    assert len(desk.get(f"sequences/{sale}/registrations")["data"]) == 1


def test_the_house_decides_where_the_sale_has_it_so(
    house: House, desk: Desk, web: httpx.Client
) -> None:
    """Pending, approved with a limit, suspended with a reason: each is said in words."""
    sale = desk.sale(registration="approval", terms=TERMS)
    whose = come_in(house, web, 2)
    page = web.get(f"/sale/{sale}/register").text
    assert "The house looks at each registration before you can bid." in page
    pending = web.post(f"/sale/{sale}/register", data=form(next="/lot/x")).text
    assert "Your registration is awaiting approval." in pending
    path = f"sequences/{sale}/registrations/{whose}"

    def decide(**said: Any) -> str:
        desk.patch(path, {"reason": "As it was decided.", **said})
        return web.get(f"/sale/{sale}/register").text

    approved = decide(status="approved", limit=5_000, paddle=77)
    assert "You may bid. Your paddle is 77." in approved
    assert "€5,000" in approved
    suspended = decide(status="suspended", reason="An invoice is open.")
    assert "Your bidding in this sale is suspended." in suspended
    assert "An invoice is open." in suspended
    assert "Ask for a higher limit" not in suspended
    declined = decide(status="declined")
    assert "The house has declined your registration." in declined
    again = web.post(f"/sale/{sale}/register", data=form(wish="again"))
    assert (again.status_code, "has declined" in again.text) == (400, True)


def test_a_higher_limit_is_asked_for(house: House, desk: Desk, web: httpx.Client) -> None:
    """It is kept until the house says something; what is no amount above the limit is refused."""
    sale = desk.sale()
    lot = desk.lot(sale)
    whose = come_in(house, web, 3)
    web.post(f"/sale/{sale}/register", data={"version": ""})
    path = f"sequences/{sale}/registrations/{whose}"
    desk.patch(path, {"status": "approved", "limit": 5_000, "reason": "Known here."})
    assert house.keys.demo is not None
    token = house.keys.demo.bidders[3].token
    headers = {**house.headers(), "Authorization": f"Bearer {token}"}
    bid = f"/api/v1/auctions/{lot}/bid"
    assert web.post(bid, json={"amount": 300, "max": True}, headers=headers).status_code == 200
    assert "€300" in web.get(f"/sale/{sale}/register").text  # bound by the maximum
    for typed in ("", "x", "5000", "4.999", "12,34", "0", "9" * 30):
        answer = web.post(f"/sale/{sale}/limit", data={"amount": typed})
        assert answer.status_code == 400, typed
        assert "Please write an amount above €5,000" in answer.text
    asked = web.post(f"/sale/{sale}/limit", data={"amount": " €20,000 "})
    assert asked.status_code == 200
    assert "You have asked for €20,000." in asked.text
    desk.patch(path, {"status": "approved", "limit": 20_000, "reason": "Known here."})
    assert "You have asked for" not in web.get(f"/sale/{sale}/register").text


async def test_a_new_person_says_their_name(house: House, desk: Desk, web: httpx.Client) -> None:
    """Who came with an address alone is asked for it, once."""
    first, second = desk.sale(), desk.sale()
    address = an_address()
    web.post("/sign-in", data={"email": address})
    code = await mailed_code(house, address)
    target = f"/sale/{first}/register"
    page = web.post("/sign-in", data={"email": address, "code": code, "next": target})
    assert page.url.path == target
    assert "First name" in page.text
    nameless = web.post(target, data={"version": "", "first": " ", "last": "Halpern"})
    assert (nameless.status_code, 'value="Halpern"' in nameless.text) == (400, True)
    assert "first and last name" in nameless.text
    done = web.post(target, data={"version": "", "first": "Dov", "last": "Halpern"}).text
    assert "Dov Halpern" in done
    assert "You may bid." in done
    assert "First name" not in web.get(f"/sale/{second}/register").text


def test_who_is_nobody_and_what_is_no_sale(house: House, desk: Desk, web: httpx.Client) -> None:
    """Signing in comes first, and leads back; other sites register nobody."""
    sale = desk.sale()
    page = web.get(f"/sale/{sale}/register?next=/lot/x")
    assert page.url.path == "/sign-in"
    assert page.url.params["next"] == f"/sale/{sale}/register?next=/lot/x"
    come_in(house, web, 4)
    assert web.get("/sale/seq_none/register").status_code == 404
    for path in (f"/sale/{sale}/register", f"/sale/{sale}/limit"):
        answer = web.post(path, data={"version": ""}, headers={"Origin": "http://evil.test"})
        assert answer.status_code == 403
    assert desk.get(f"sequences/{sale}/registrations")["data"] == []
    led = web.post(f"/sale/{sale}/register", data={"version": "", "next": "//evil.test"})
    assert led.url.host == "127.0.0.1"
