"""Who a browser is: cookies that speak for a session, and requests that come from elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from starlette.requests import Request
from starlette.responses import Response

from gateway import browsers, desk
from gateway.app import Gateway, build
from gateway.books import apikeys, people, rights, sessions
from gateway.books.apikeys import KeyWish
from gateway.books.people import read_profile
from gateway.books.sessions import Pair
from gateway.books.store import BooksError, writing
from gateway.keys import sign
from tests.gateway.api.conftest import NOW, gateway

__all__ = ["gateway"]  # the fixture
MONTH_MS = 30 * 24 * 3_600_000
ELSEWHERE = "http://127.0.0.1:1"


@pytest.fixture
async def web(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """The gateway's pages, without a socket."""
    transport = httpx.ASGITransport(build(gateway))
    async with httpx.AsyncClient(transport=transport, base_url="http://house") as client:
        yield client


@pytest.fixture
def pair(gateway: Gateway) -> Pair:
    """The session of Ada, who has just signed in."""
    profile = read_profile(email="ada@example.test", first_name="Ada", last_name="Lindqvist")
    with writing(gateway.books) as connection:
        person, _ = people.enter(connection, gateway.vault, "test", profile, NOW)
        return sessions.begin(connection, gateway.keys, person, NOW)


def cookie_of(gateway: Gateway, pair: Pair) -> str:
    """What her browser was given, name and value."""
    response = Response()
    browsers.admit(gateway, response, pair.session)
    return response.headers["set-cookie"].partition(";")[0]


def request_with(cookie: str, path: str = "/me", method: str = "GET", **headers: str) -> Request:
    """A browser's request."""
    sent = {"cookie": cookie, "host": "house", **headers}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
    }
    return Request(scope)


# ── A bidder's ───────────────────────────────────────────────────────────────────────────


async def test_the_cookie_says_who_it_is(gateway: Gateway, pair: Pair) -> None:
    """Name, address and a token of their session that holds for an hour."""
    bidder = await browsers.bidder_of(gateway, request_with(cookie_of(gateway, pair)))
    assert bidder is not None
    assert (bidder.name, bidder.email) == ("Ada Lindqvist", "ada@example.test")
    identity = gateway.identify(bidder.token)
    assert identity.session_id == pair.session.session_id == bidder.session_id
    assert identity.consumer_id == pair.session.consumer_id == bidder.consumer_id
    assert identity.expires_at == NOW + 3_600_000


def test_no_script_reads_the_cookie(gateway: Gateway, pair: Pair) -> None:
    """It is kept for thirty days, from scripts, and from other sites' forms."""
    response = Response()
    browsers.admit(gateway, response, pair.session)
    said = response.headers["set-cookie"]
    for attribute in ("HttpOnly", "SameSite=lax", "Path=/", "Max-Age=2592000"):
        assert attribute in said
    assert "Secure" not in said  # the house is open at http://127.0.0.1
    assert pair.access_token not in said
    assert pair.refresh_token not in said


async def test_cookies_that_speak_for_nobody(gateway: Gateway, pair: Pair) -> None:
    """None, one that was made up, one that was touched, and ones that were signed for another
    purpose, another session or another mode."""
    cookie = cookie_of(gateway, pair)
    claims = {"sid": pair.session.session_id, "consumer": pair.session.consumer_id}
    times = {"iat": NOW // 1000, "exp": NOW // 1000 + 60}

    def signed(kind: str, **changes: Any) -> str:
        said = {"mode": "test", **claims, **times, **changes}
        return f"{browsers.COOKIE}={sign(gateway.keys, kind, said)}"

    assert await browsers.bidder_of(gateway, request_with(signed("browser+jwt"))) is not None
    for bad in (
        "",
        f"{browsers.COOKIE}=",
        f"{browsers.COOKIE}=made.up.word",
        cookie[:-3] + ("AAA" if not cookie.endswith("AAA") else "BBB"),
        f"{browsers.COOKIE}={pair.access_token}",
        signed("at+jwt"),
        signed("desk+jwt"),
        signed("browser+jwt", sid="ses_nobodys"),
        signed("browser+jwt", mode="live"),
        signed("browser+jwt", exp=NOW // 1000),
    ):
        assert await browsers.bidder_of(gateway, request_with(bad)) is None, bad


async def test_a_session_that_has_ended_is_out(gateway: Gateway, pair: Pair) -> None:
    """Logged out on another gateway: the books say so at once, before this one has read them."""
    request = request_with(cookie_of(gateway, pair))
    sessions.log_out(gateway.books, pair.session.session_id, NOW)
    assert await browsers.bidder_of(gateway, request) is None


async def test_a_session_runs_out(gateway: Gateway, pair: Pair) -> None:
    """After thirty days, by the log's clock."""
    request = request_with(cookie_of(gateway, pair))
    gateway.clock.read(NOW + MONTH_MS - 1_000)
    assert await browsers.bidder_of(gateway, request) is not None
    gateway.clock.read(NOW + MONTH_MS)
    assert await browsers.bidder_of(gateway, request) is None


async def test_who_was_erased_is_out(gateway: Gateway, pair: Pair) -> None:
    """Nothing leads from an old cookie to anybody."""
    request = request_with(cookie_of(gateway, pair))
    rights.erase(gateway.books, gateway.vault, pair.session.consumer_id, NOW)
    with writing(gateway.books) as connection:  # even had the session been left
        connection.execute(update(sessions.sessions).values(revoked_at=None))
    assert await browsers.bidder_of(gateway, request) is None


async def test_shut_books_sign_nobody_out(
    gateway: Gateway, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever bids goes on bidding: the cookie is signed, and what has ended is known."""
    request = request_with(cookie_of(gateway, pair))

    def shut(*_: object) -> None:
        raise BooksError("the database is away")

    monkeypatch.setattr(sessions, "standing", shut)
    bidder = await browsers.bidder_of(gateway, request)
    assert bidder is not None
    assert (bidder.consumer_id, bidder.name) == (pair.session.consumer_id, "")
    gateway.end_session(pair.session.session_id)
    assert await browsers.bidder_of(gateway, request) is None


async def test_dismissal_ends_the_session(gateway: Gateway, pair: Pair) -> None:
    """Its cookie is taken, and is worth nothing where it was copied."""
    request = request_with(cookie_of(gateway, pair), method="POST")
    response = Response()
    await browsers.dismiss(gateway, request, response)
    assert "Max-Age=0" in response.headers["set-cookie"]
    assert await browsers.bidder_of(gateway, request) is None
    gateway.revoked.clear()  # on another gateway, which has only the books
    assert await browsers.bidder_of(gateway, request) is None


# ── What the page's script asks ──────────────────────────────────────────────────────────


async def test_a_page_gets_a_fresh_token(
    gateway: Gateway, pair: Pair, web: httpx.AsyncClient
) -> None:
    """When the first is about to end: a token and a ticket, of the same session."""
    gateway.clock.read(NOW + 3_500_000)
    answer = await web.post("/session/ticket", headers={"Cookie": cookie_of(gateway, pair)})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    found = answer.json()
    assert found["expiresAt"] == NOW + 3_500_000 + 3_600_000
    assert gateway.identify(found["token"]).session_id == pair.session.session_id
    admitted = await gateway.admit_ticket(None, found["ticket"])
    assert admitted.consumer_id == pair.session.consumer_id


async def test_nobody_else_gets_one(gateway: Gateway, pair: Pair, web: httpx.AsyncClient) -> None:
    """Not without a session, not by reading, and not from a page of another site."""
    cookie = {"Cookie": cookie_of(gateway, pair)}
    assert (await web.post("/session/ticket")).status_code == 401
    assert (await web.get("/session/ticket", headers=cookie)).status_code == 405
    for origin in (ELSEWHERE, "null", "http://house.example", "http://house:81"):
        answer = await web.post("/session/ticket", headers={**cookie, "Origin": origin})
        assert answer.status_code == 401, origin
        assert "token" not in answer.json()
    own = await web.post("/session/ticket", headers={**cookie, "Origin": "http://house"})
    assert own.status_code == 200


# ── The desk's ───────────────────────────────────────────────────────────────────────────


def desk_cookie(gateway: Gateway, *scopes: str) -> str:
    """A browser signed in with a new operator key."""
    wish = KeyWish("operator", "Ines at the rostrum", scopes, None)
    key, _ = apikeys.create(gateway.books, "test", wish, NOW)
    gateway.read_books()
    response = Response()
    desk.admit(gateway, response, key)
    return response.headers["set-cookie"].partition(";")[0]


@pytest.mark.parametrize(
    ("scope", "opened"),
    [
        ("console", {"/console", "/admin"}),
        ("auctions:read", {"/console", "/admin"}),  # to watch: a ticket is another matter
        ("auctions:write", {"/console", "/admin"}),
        ("provenance:read", {"/admin/objects"}),
        ("keys:manage", set()),
    ],
)
def test_a_key_opens_what_its_scopes_open(gateway: Gateway, scope: str, opened: set[str]) -> None:
    """The console, the clerk's pages and the objects, each by its own; and never by a likeness."""
    cookie = desk_cookie(gateway, scope)
    pages = {"/console", "/admin", "/admin/objects"}
    for page in pages:
        for path in (page, f"{page}/x"):
            key = desk.key_of(gateway, request_with(cookie, path))
            assert (key is not None) == (page in opened), path
    ticket = desk.key_of(gateway, request_with(cookie, "/console/ticket"))
    assert (ticket is not None) == (scope == "console")
    for path in ("/", "/me", "/consoles", "/administration", "/sale/console", "/verify/x"):
        assert desk.key_of(gateway, request_with(cookie, path)) is None, path


def test_the_desk_acts_for_its_own_pages_only(gateway: Gateway) -> None:
    """A form of another site does nothing in the name of the house."""
    cookie = desk_cookie(gateway, "console")

    def asked(method: str, **headers: str) -> bool:
        return desk.key_of(gateway, request_with(cookie, "/console", method, **headers)) is not None

    assert asked("GET", origin=ELSEWHERE)
    assert asked("POST")
    assert asked("POST", origin="http://house")
    assert not asked("POST", origin=ELSEWHERE)
    assert not asked("POST", origin="null")
