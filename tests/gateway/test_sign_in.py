"""The pages where people sign in and out, asked as a browser without scripts asks."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from gateway import browsers, desk
from gateway.app import Gateway, build
from gateway.books import apikeys, people, rights
from gateway.books.apikeys import KeyWish
from gateway.core.limits import Buckets
from gateway.keys import code_of, load_or_create
from gateway.settings import Rate
from tests.gateway.api.conftest import NOW, gateway

__all__ = ["gateway"]  # the fixture
ADA = "ada@example.test"
HOUSE = "http://house"
OFF_THE_PREMISES = [
    "//evil.test/",
    "/\\evil.test",
    "https://evil.test/",
    "javascript:alert(1)",
    "/\t/evil.test",
    "\n//evil.test",
    "evil.test",
    "",
]


@pytest.fixture
async def web(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """A browser: it keeps cookies, and says where its forms come from."""
    transport = httpx.ASGITransport(build(gateway))
    headers = {"Origin": HOUSE}
    async with httpx.AsyncClient(transport=transport, base_url=HOUSE, headers=headers) as client:
        yield client


def codes_of(gateway: Gateway, address: str) -> list[str]:
    """The codes that were mailed there, the newest last."""
    found = []
    for file in sorted((gateway.settings.log.data_dir / "mail").glob("*.eml"), key=_written):
        mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        if address in mail["To"]:
            code = re.search(r"\b\d{6}\b", mail.get_content())
            assert code is not None
            found.append(code[0])
    return found


def _written(file: Path) -> int:
    return file.stat().st_mtime_ns


async def ask_code(web: httpx.AsyncClient, address: str = ADA, target: str = "/") -> httpx.Response:
    return await web.post("/sign-in", data={"email": address, "next": target})


async def say_code(web: httpx.AsyncClient, code: str, target: str = "/") -> httpx.Response:
    return await web.post("/sign-in", data={"email": ADA, "code": code, "next": target})


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


# ── With a code ──────────────────────────────────────────────────────────────────────────


async def test_a_code_signs_in_and_leads_back(gateway: Gateway, web: httpx.AsyncClient) -> None:
    """Address, code, and on to the page that one came from."""
    form = (await web.get("/sign-in?next=/lot/auction_1")).text
    assert '<input type="hidden" name="next" value="/lot/auction_1">' in form
    sent = await ask_code(web, target="/lot/auction_1")
    assert sent.status_code == 200
    assert f"A code is on its way to {ADA}." in sent.text
    [code] = codes_of(gateway, ADA)
    answer = await say_code(web, f" {code[:3]} {code[3:]} ", "/lot/auction_1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/lot/auction_1")
    assert f"You are signed in as {ADA}." in (await web.get("/sign-in")).text


async def test_known_and_unknown_addresses_are_answered_alike(
    gateway: Gateway, web: httpx.AsyncClient
) -> None:
    """To the letter, but for the address itself."""
    profile = people.read_profile(email=ADA)
    people.create_or_get_by_email(gateway.books, gateway.vault, "test", profile, NOW)
    known, unknown = await ask_code(web, ADA), await ask_code(web, "eve@example.test")
    assert known.status_code == unknown.status_code == 200
    assert known.text.replace(ADA, "x") == unknown.text.replace("eve@example.test", "x")


@pytest.mark.parametrize("bad", ["", "ada", "a@b@c", "ada lindqvist@example.test", "@x"])
async def test_what_is_no_address(bad: str, gateway: Gateway, web: httpx.AsyncClient) -> None:
    """It is said in words, and what was typed stays in the field."""
    answer = await ask_code(web, bad)
    assert answer.status_code == 400
    assert "This is not an e-mail address." in answer.text
    assert 'aria-invalid="true"' in answer.text
    if bad:
        assert f'value="{bad}"' in answer.text


async def test_a_wrong_code_says_how_many_tries_are_left(
    gateway: Gateway, web: httpx.AsyncClient
) -> None:
    """Five are compared; then the right one is as wrong as any."""
    await ask_code(web)
    [code] = codes_of(gateway, ADA)
    for left in ("4 tries", "3 tries", "2 tries", "1 try"):
        answer = await say_code(web, other_than(code))
        assert answer.status_code == 400
        assert f"This code is not right. You have {left} left." in answer.text
    for typed in (other_than(code), code):
        answer = await say_code(web, typed)
        assert "This code cannot be used any more." in answer.text
        assert browsers.COOKIE not in answer.headers.get("set-cookie", "")


async def test_a_code_expires(gateway: Gateway, web: httpx.AsyncClient) -> None:
    """After five minutes, which is said; and a newer code ends it sooner."""
    await ask_code(web)
    [code] = codes_of(gateway, ADA)
    gateway.clock.read(NOW + 6 * 60_000)
    assert "This code has expired." in (await say_code(web, code)).text
    await ask_code(web)
    newer = codes_of(gateway, ADA)[-1]
    if newer != code:
        assert "This code is not right." in (await say_code(web, code)).text
    assert (await say_code(web, newer)).status_code == 303


async def test_a_code_signs_in_once(gateway: Gateway, web: httpx.AsyncClient) -> None:
    """Sent again, it is worth nothing."""
    await ask_code(web)
    [code] = codes_of(gateway, ADA)
    assert (await say_code(web, code)).status_code == 303
    assert "This code cannot be used any more." in (await say_code(web, code)).text


async def test_asking_too_often(gateway: Gateway, web: httpx.AsyncClient) -> None:
    """It is said in words, and when to come again."""
    gateway.buckets["otp_mail"] = Buckets(Rate(1 / 120, 1))
    assert (await ask_code(web)).status_code == 200
    answer = await ask_code(web)
    assert answer.status_code == 429
    assert "Too many attempts. Please try again in 2 minutes." in answer.text
    assert int(answer.headers["retry-after"]) > 60


@pytest.mark.parametrize("target", OFF_THE_PREMISES)
async def test_nobody_is_led_off_the_premises(
    target: str, gateway: Gateway, web: httpx.AsyncClient
) -> None:
    """Only paths of this house are gone on to, by the form as by the link."""
    await ask_code(web, target=target)
    answer = await say_code(web, codes_of(gateway, ADA)[-1], target)
    assert answer.headers["location"] == "/"
    page = (await web.get("/sign-in", params={"next": target})).text
    assert 'href="/"' in page
    assert "evil" not in page.replace("next=%2F%2Fevil", "").split("<footer")[0]


@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/house", "/sign-out"])
@pytest.mark.parametrize("origin", ["http://evil.test", "null", "http://house:81"])
async def test_forms_of_other_sites_do_nothing(
    path: str, origin: str, gateway: Gateway, web: httpx.AsyncClient
) -> None:
    """Nobody is signed in as somebody else, or out, by a page that they only visit."""
    form = {"email": ADA, "key": gateway.keys.secret_key}
    answer = await web.post(path, data=form, headers={"Origin": origin})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert codes_of(gateway, ADA) == []


async def test_a_form_that_is_too_large(web: httpx.AsyncClient) -> None:
    """Nothing of it is read."""
    assert (await web.post("/sign-in", data={"email": "a" * 9_000})).status_code == 413


# ── With a key ───────────────────────────────────────────────────────────────────────────


async def show(web: httpx.AsyncClient, key: str, target: str = "/") -> httpx.Response:
    return await web.post("/sign-in/house", data={"key": key, "next": target})


def new_key(gateway: Gateway, *scopes: str) -> str:
    wish = KeyWish("operator", "Ines", scopes, None)
    _, text = apikeys.create(gateway.books, "test", wish, NOW)
    gateway.read_books()
    return text


async def test_a_key_opens_the_pages_of_the_house(gateway: Gateway, web: httpx.AsyncClient) -> None:
    """It leads where one came from, where the key opens it, else to the first that it opens."""
    whole = gateway.keys.operator_key
    assert (await show(web, f" {whole} ")).headers["location"] == "/admin"
    assert (await show(web, whole, "/console?sale=1")).headers["location"] == "/console?sale=1"
    assert (await show(web, gateway.keys.secret_key)).headers["location"] == "/admin"
    objects = new_key(gateway, "provenance:read")
    assert (await show(web, objects)).headers["location"] == "/admin/objects"
    assert (await show(web, objects, "/console")).headers["location"] == "/admin/objects"
    page = (await web.get("/sign-in")).text
    assert "You work for the house as Ines." in page
    assert whole not in page


async def test_keys_that_open_nothing(gateway: Gateway, web: httpx.AsyncClient) -> None:
    """Wrong ones, the public one, and one that may only manage keys."""
    for text in ("", "x", gateway.keys.publishable_key, new_key(gateway, "keys:manage")):
        answer = await show(web, text)
        assert answer.status_code == 400
        assert "opens none of the house&#39;s pages" in answer.text
        assert "set-cookie" not in answer.headers
        if text:
            assert f'value="{text}"' not in answer.text


# ── By a link ────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def demonstration(gateway: Gateway) -> Gateway:
    """The same house with a demonstration, whose clerk has not come yet."""
    gateway.keys = load_or_create(replace(gateway.settings, demo=True), NOW)
    return gateway


async def test_a_bidders_link(demonstration: Gateway, web: httpx.AsyncClient) -> None:
    """It opens a session of its own each time: signing out leaves the tokens of keys.json."""
    assert demonstration.keys.demo is not None
    bidder = demonstration.keys.demo.bidders[0]
    link = "/sign-in/" + code_of(bidder.url)
    answer = await web.get(link, params={"next": "/lot/auction_1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/lot/auction_1")
    assert (await web.get(link)).headers["location"] == "/"
    assert "Ada Lindqvist" in (await web.get("/sign-in")).text
    assert (await web.post("/sign-out")).headers["location"] == "/"
    assert "Ada Lindqvist" not in (await web.get("/sign-in")).text
    assert demonstration.identify(bidder.token).consumer_id == bidder.consumer_id
    for target in OFF_THE_PREMISES:
        assert (await web.get(link, params={"next": target})).headers["location"] == "/"


async def test_the_houses_links(demonstration: Gateway, web: httpx.AsyncClient) -> None:
    """One leads to the rostrum and one to the clerk's desk, with the key of keys.json."""
    demo = demonstration.keys.demo
    assert demo is not None
    for url, page in ((demo.console_url, "/console"), (demo.admin_url, "/admin")):
        answer = await web.get("/sign-in/" + code_of(url))
        assert (answer.status_code, answer.headers["location"]) == (303, page)
        assert answer.headers["set-cookie"].startswith(desk.COOKIE + "=")
    later = await web.get("/sign-in/" + code_of(demo.admin_url), params={"next": "/admin/sales"})
    assert later.headers["location"] == "/admin/sales"


async def test_links_that_are_none(demonstration: Gateway, web: httpx.AsyncClient) -> None:
    """Made up, of somebody who was erased, and any of them where there is no demonstration."""
    demo = demonstration.keys.demo
    assert demo is not None
    ada, bram = ("/sign-in/" + code_of(bidder.url) for bidder in demo.bidders[:2])
    assert (await web.get(ada)).status_code == 303
    rights.erase(demonstration.books, demonstration.vault, demo.bidders[0].consumer_id, NOW)
    console = "/sign-in/" + code_of(demo.console_url)
    for path in (ada, "/sign-in/nobody"):
        assert (await web.get(path)).status_code == 404
    demonstration.keys = replace(demonstration.keys, demo=None)
    for path in (bram, console):
        assert (await web.get(path)).status_code == 404


async def test_a_revoked_key_ends_its_links(demonstration: Gateway, web: httpx.AsyncClient) -> None:
    """They open no more than the key itself."""
    gateway = demonstration
    assert gateway.keys.demo is not None
    key = gateway.key_ring.find(gateway.keys.operator_key, NOW)
    assert key is not None
    apikeys.revoke(gateway.books, "test", key.key_id, NOW)
    gateway.read_books()
    answer = await web.get("/sign-in/" + code_of(gateway.keys.demo.console_url))
    assert answer.status_code == 404


# ── In both languages ────────────────────────────────────────────────────────────────────


async def test_the_page_speaks_german(gateway: Gateway, web: httpx.AsyncClient) -> None:
    """As the browser asks for."""
    german = {"Accept-Language": "de-AT,de;q=0.9"}
    page = await web.post("/sign-in", data={"email": "x"}, headers=german)
    assert "Das ist keine E-Mail-Adresse." in page.text
    assert '<html lang="de-DE"' in page.text
