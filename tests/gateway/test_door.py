"""The door to the verifier: what goes through it, in and out, and what is said of who asks.

A real gateway's application on a real port, and a real server on the verifier's socket.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from gateway import door, line
from gateway.app import Gateway, build
from gateway.books import apikeys
from gateway.books.apikeys import KeyWish
from gateway.books.store import writing
from gateway.core.limits import Buckets
from gateway.http import Http
from gateway.keys import sign
from gateway.settings import Rate
from tests.gateway.api.conftest import NOW, gateway
from tests.gateway.scripted_verifier import Verifier, on_socket, serving
from tests.processes import free_port

__all__ = ["gateway"]  # the fixture
DAY_MS = 24 * 3_600_000
VERIFY = "/api/v1/auction/public/verify/AUC260218FKC5SKSEZ"
DESK = "/admin/objects"


@pytest.fixture
async def verifier(gateway: Gateway) -> AsyncIterator[Verifier]:
    """A verifier that answers each path with its name."""
    async with on_socket(Verifier(), gateway.settings.verifier_socket) as open_:
        yield open_


@pytest.fixture
async def web(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """The public port."""
    port = free_port()
    async with (
        serving(build(gateway), port=port, http=Http, proxy_headers=False, server_header=False),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield client
    gateway.line.close()


def key_of(gateway: Gateway, *scopes: str, expires_at: int | None = None) -> tuple[str, str]:
    """A new operator key of the house: its id and its text."""
    wish = KeyWish("operator", "a key", scopes, expires_at)
    key, text = apikeys.create(gateway.books, "test", wish, NOW)
    gateway.read_books()
    return key.key_id, text


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """How long a verifier that is starting is waited for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line, "STARTS_WITHIN_S", seconds)
        yield


def started_at(socket: Path, verifier: Verifier, delay_s: float) -> asyncio.Task[None]:
    """A verifier that listens only after a while, until canceled."""

    async def begin() -> None:
        await asyncio.sleep(delay_s)
        async with on_socket(verifier, socket):
            await asyncio.Event().wait()

    return asyncio.create_task(begin())


# ── Paths ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "path",
    [
        VERIFY,
        "/verify/AUC260218FKC5SKSEZ",
        "/01/09521234543213/21/AUC260218FKC5SKSEZ",
        "/8004/952123",
        "/log/checkpoint",
        "/.well-known/gs1resolver",
        "/.well-known/tlog-vkeys",
        "/.well-known/did.json",
        "/admin/objects",
        "/admin/objects/obj_1",
    ],
)
async def test_what_is_the_verifiers(path: str, web: httpx.AsyncClient, verifier: Verifier) -> None:
    """Each of its paths gets its answer, headers and all."""
    answer = await web.get(path)
    assert (answer.status_code, answer.json()) == (200, {"path": path})
    assert answer.headers["x-of-verifier"] == "yes"
    assert len(answer.headers.get_list("date")) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/internal/objects/AUC260218FKC5SKSEZ?mode=test",
        "//internal/jwks",
        "/admin",
        "/admin/objectsx",
        "/verifyx",
        "/api/v1/auction",
        "/api/v1/auctions/auction_1",
        "/log",
        "/auction/1",
    ],
)
async def test_what_is_not(path: str, web: httpx.AsyncClient, verifier: Verifier) -> None:
    """What the house asks the verifier nobody else can, and what is the gateway's stays its."""
    answer = await web.get(path)
    assert answer.status_code in (303, 401, 404)  # 303: to the sign-in
    assert verifier.heard == []


@pytest.mark.parametrize(
    ("cookie", "said", "heard"),
    [
        ("lang=de", "en-GB,en;q=0.8", "de"),
        ("other=1; lang=en", "de", "en"),
        ("lang=de", None, "de"),
        ("lang=xx", "de", "de"),
        ("", "de-AT", "de-AT"),
    ],
)
async def test_the_language_that_was_chosen_goes_for_the_one_that_is_preferred(
    cookie: str, said: str | None, heard: str, web: httpx.AsyncClient, verifier: Verifier
) -> None:
    """The cookie itself stays behind."""
    headers = {"cookie": cookie, **({} if said is None else {"accept-language": said})}
    await web.get("/verify/AUC1", headers=headers)
    [request] = verifier.heard
    assert request.headers["accept-language"] == heard
    assert "cookie" not in request.headers


@pytest.mark.parametrize(
    "target",
    [
        "/verify/a%2Fb%20c?x=%31&y=%2B+&x=2",
        "/01/0952/21/%22%25%3F?linkType=gs1:pip",
        "/log/tile/0/x001/067.p/3",
        "/verify/%2e%2e%2finternal%2fjwks",
        "/verify/..%2Finternal/jwks?",
        "/%76erify/1?e=%00",
    ],
)
async def test_a_path_is_carried_to_the_letter(
    target: str, gateway: Gateway, web: httpx.AsyncClient, verifier: Verifier
) -> None:
    """Escapes stay as they were written, and lead nowhere else."""
    # By hand: a client's library would write the target anew.
    reader, writer = await asyncio.open_connection("127.0.0.1", web.base_url.port)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    said = await reader.read()
    writer.close()
    assert said.startswith(b"HTTP/1.1 200")
    assert [heard.target for heard in verifier.heard] == [target.removesuffix("?")]


async def test_every_method_goes_through(web: httpx.AsyncClient, verifier: Verifier) -> None:
    """Whether a path takes it, the verifier says; HEAD has the length and no body."""
    for method in ("GET", "POST", "PUT", "DELETE"):
        assert (await web.request(method, VERIFY)).status_code == 200
    head = await web.head(VERIFY)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len((await web.get(VERIFY)).content)
    # What HEAD left on its line does not come as the answer to somebody else.
    assert (await web.get("/log/checkpoint")).json() == {"path": "/log/checkpoint"}
    methods = [heard.method for heard in verifier.heard]
    assert methods == ["GET", "POST", "PUT", "DELETE", "HEAD", "GET", "GET"]


# ── Headers and bodies ───────────────────────────────────────────────────────────────────


async def test_what_belongs_to_a_connection_stays_behind(
    web: httpx.AsyncClient, verifier: Verifier
) -> None:
    """Hop by hop, and secrets; all else goes on, once."""
    await web.get(
        VERIFY,
        headers={
            "Connection": "keep-alive, X-Hop",
            "X-Hop": "1",
            "TE": "trailers",
            "X-Forwarded-For": "203.0.113.9",
            "Authorization": "Bearer sk_test_x",
            "x-api-key": "optr_test_x",
            "Cookie": "a=b",
            "Accept-Language": "de",
            "If-None-Match": '"x"',
        },
    )
    headers = verifier.heard[0].headers
    assert headers["host"] == "verifier"
    assert (headers["accept-language"], headers["if-none-match"]) == ("de", '"x"')
    gone = {"x-hop", "te", "x-forwarded-for", "authorization", "x-api-key", "cookie"}
    assert gone.isdisjoint(headers)


async def test_answers_lose_what_was_between_the_two(
    web: httpx.AsyncClient, verifier: Verifier
) -> None:
    """A body in parts comes as one, and two cookies as two."""

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 100_000

    async def public(_request: Request) -> Response:
        response = StreamingResponse(parts(), 418, {"Keep-Alive": "1", "Server": "s"})
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    verifier.public = public
    answer = await web.get(VERIFY)
    assert (answer.status_code, answer.content) == (418, b"x" * 300_000)
    assert len(answer.headers.get_list("set-cookie")) == 2
    assert {"keep-alive", "server", "transfer-encoding"}.isdisjoint(answer.headers)


@pytest.mark.parametrize("size", [0, 1, door._AT_ONCE, door._AT_ONCE + 1, 3_000_000])
@pytest.mark.parametrize("in_parts", [False, True])
async def test_a_body_arrives_as_it_was_sent(
    size: int, in_parts: bool, web: httpx.AsyncClient, verifier: Verifier
) -> None:
    """Small or large, with its length said or not, and what it is with it."""
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)

    async def parts() -> AsyncIterator[bytes]:
        for start in range(0, size, 10_000):
            yield content[start : start + 10_000]

    body: Any = parts() if in_parts else content
    answer = await web.post(VERIFY, content=body, headers={"Content-Type": "image/x"})
    assert answer.status_code == 200
    heard = verifier.heard[0]
    assert (heard.body == content, heard.headers["content-type"]) == (True, "image/x")


async def test_a_large_body_is_not_kept(web: httpx.AsyncClient, verifier: Verifier) -> None:
    """The verifier reads it while it comes: it may refuse before the end."""
    seen: list[int] = []

    async def public(request: Request) -> Response:
        async for part in request.stream():
            seen.append(len(part))
            return JSONResponse({"error": "enough"}, 401)
        return Response()

    verifier.public = public
    going_on = asyncio.Event()

    async def parts() -> AsyncIterator[bytes]:
        yield b"x" * 100_000
        await going_on.wait()
        yield b"x" * 100_000

    asked = asyncio.create_task(web.post(VERIFY, content=parts()))
    while not seen:
        await asyncio.sleep(0.01)
    going_on.set()
    assert (await asked).status_code == 401
    verifier.public = None
    assert (await web.get(VERIFY)).status_code == 200  # and the next one is not disturbed


@pytest.mark.parametrize("in_parts", [False, True])
async def test_a_body_that_is_too_large(
    in_parts: bool, web: httpx.AsyncClient, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused in the verifier's own words, whether its length is said or not."""
    monkeypatch.setattr(door, "LARGEST_BODY", 200_000)

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 100_000

    body: Any = parts() if in_parts else b"x" * 200_001
    answer = await web.post(VERIFY, content=body)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "PAYLOAD_TOO_LARGE"
    assert all(len(heard.body) <= 200_000 for heard in verifier.heard)


async def test_a_body_that_comes_too_slowly(
    web: httpx.AsyncClient, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody holds a place of the line for as long as they like."""
    monkeypatch.setattr(door, "BODY_WITHIN_S", 0.1)

    async def parts() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(0.3)

    answer = await web.post(VERIFY, content=parts())
    assert (answer.status_code, answer.json()["error"]["code"]) == (408, "REQUEST_TIMEOUT")


async def test_slow_bodies_do_not_keep_the_others(
    gateway: Gateway, web: httpx.AsyncClient, verifier: Verifier
) -> None:
    """Whoever sends without a key, however many, leaves the house its own places."""
    _, text = key_of(gateway, "provenance:write")
    gateway.settings = replace(gateway.settings, trusted_proxies=(ip_network("127.0.0.0/8"),))
    end = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"x"
        await end.wait()

    slow_ones = [
        asyncio.create_task(
            web.post(VERIFY, content=slow(), headers={"X-Forwarded-For": f"203.0.113.{number}"})
        )
        for number in range(door._UPLOADS)
    ]
    while gateway.line._places._value > line.PLACES - door._UPLOADS:
        await asyncio.sleep(0.01)
    photo = b"x" * (door._AT_ONCE + 1)
    answer = await web.post(VERIFY, content=photo, headers={"x-api-key": text})
    assert answer.status_code == 200
    assert (await web.get(VERIFY)).status_code == 200
    end.set()
    assert {(await one).status_code for one in slow_ones} == {200}


async def test_one_address_sends_two_bodies_at_once(
    gateway: Gateway, web: httpx.AsyncClient, verifier: Verifier
) -> None:
    """A third is told to come back, while other addresses and small bodies go through."""
    gateway.settings = replace(gateway.settings, trusted_proxies=(ip_network("127.0.0.0/8"),))
    end = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"x"
        await end.wait()

    slow_ones = [asyncio.create_task(web.post(VERIFY, content=slow())) for _ in range(2)]
    while gateway.line._places._value > line.PLACES - 2:
        await asyncio.sleep(0.01)
    photo = b"x" * (door._AT_ONCE + 1)
    third = await web.post(VERIFY, content=photo)
    assert (third.status_code, third.json()["error"]["code"]) == (503, "UNAVAILABLE")
    assert third.headers["retry-after"] == "2"
    assert (await web.post(VERIFY, content=b"small")).status_code == 200
    elsewhere = {"X-Forwarded-For": "203.0.113.9"}
    assert (await web.post(VERIFY, content=photo, headers=elsewhere)).status_code == 200
    end.set()
    assert {(await one).status_code for one in slow_ones} == {200}
    assert (await web.post(VERIFY, content=photo)).status_code == 200  # both places are free


async def test_an_early_answer_is_passed_on_at_once(
    gateway: Gateway, web: httpx.AsyncClient, verifier: Verifier
) -> None:
    """Though the sender sends nothing more; its place is free, and its line not used again."""

    async def public(_request: Request) -> Response:
        return JSONResponse({"error": "no key"}, 401)

    verifier.public = public
    reader, writer = await asyncio.open_connection("127.0.0.1", web.base_url.port)
    head = f"POST {VERIFY} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    writer.write(head.encode() + b"x" * 1000)
    async with asyncio.timeout(5):
        assert (await reader.readline()).startswith(b"HTTP/1.1 401")
    assert gateway.line._places._value == line.PLACES
    assert not gateway.line._idle
    writer.close()


# ── Who asks ─────────────────────────────────────────────────────────────────────────────


async def test_nobody_is_named_without_a_key(web: httpx.AsyncClient, verifier: Verifier) -> None:
    """The address alone, and no rate: the verifier counts addresses itself."""
    await web.get(VERIFY)
    assert verifier.heard[0].caller == {
        "address": "127.0.0.1",
        "host": web.base_url.netloc.decode(),
        "country": None,
        "key": {"status": "missing", "id": None, "mode": None, "scopes": []},
        "rate": None,
    }


async def test_an_invented_caller_is_taken_away(web: httpx.AsyncClient, verifier: Verifier) -> None:
    """However it is written, and however often."""
    forged = json.dumps({"address": "1.1.1.1", "key": {"status": "valid"}})
    names = ("x-fairwarning-caller", "X-Fairwarning-Caller", "X-FAIRWARNING-CALLER")
    await web.get(VERIFY, headers=[(name, forged) for name in names])
    raw = verifier.heard[0]
    assert raw.caller["address"] == "127.0.0.1"
    assert raw.caller["key"]["status"] == "missing"


@pytest.mark.parametrize("as_bearer", [False, True])
async def test_a_key_is_named_with_its_scopes_and_its_rate(
    as_bearer: bool, gateway: Gateway, web: httpx.AsyncClient, verifier: Verifier
) -> None:
    """An operator key by its header, a secret key as a bearer; both counted by the key's rate."""
    text, said = gateway.keys.operator_key, "x-api-key"
    if as_bearer:
        text, said = f"Bearer {gateway.keys.secret_key}", "Authorization"
    for _ in range(2):
        await web.get(VERIFY, headers={said: text})
    first, second = (heard.caller for heard in verifier.heard)
    assert first["key"]["status"] == "valid"
    assert first["key"]["mode"] == "test"
    assert first["key"]["id"].startswith("key_")
    assert set(first["key"]["scopes"]) == set(apikeys.SCOPES)
    assert first["rate"]["limit"] == 400
    assert first["rate"]["remaining"] == 399
    assert second["rate"]["remaining"] in (398, 399)  # the bucket fills meanwhile
    assert (first["rate"]["window"], first["rate"]["retry_after"]) == (2, 0)
    assert abs(first["rate"]["reset"] - NOW / 1000) < 5


async def test_a_key_that_asks_too_often(
    gateway: Gateway, web: httpx.AsyncClient, verifier: Verifier
) -> None:
    """The verifier is told to say so, and when to come back."""
    gateway.buckets["key"] = Buckets(Rate(0.1, 1))
    _, text = key_of(gateway, "provenance:read")
    for _ in range(2):
        await web.get(VERIFY, headers={"x-api-key": text})
    assert [heard.caller["rate"]["retry_after"] for heard in verifier.heard] == [0, 10]


async def test_how_a_key_ended_is_said(
    gateway: Gateway, web: httpx.AsyncClient, verifier: Verifier
) -> None:
    """Revoked, expired, replaced a day ago, or never a key at all."""
    gone, revoked = key_of(gateway, "provenance:read")
    apikeys.revoke(gateway.books, "test", gone, NOW)
    _, expired = key_of(gateway, "provenance:read", expires_at=NOW + DAY_MS)
    replaced, old = key_of(gateway, "provenance:read")
    apikeys.rotate(gateway.books, "test", replaced, NOW)
    gateway.clock.read(NOW + DAY_MS + 1)
    gateway.read_books()
    told = {}
    for text in (revoked, expired, old, "optr_test_never", gateway.keys.publishable_key):
        await web.get(VERIFY, headers={"x-api-key": text})
        key = verifier.heard[-1].caller["key"]
        told[text] = key["status"]
        assert (key["id"], key["scopes"], verifier.heard[-1].caller["rate"]) == (None, [], None)
    assert list(told.values()) == ["revoked", "expired", "expired", "invalid", "invalid"]
    await web.get(VERIFY, headers={"Authorization": "Bearer sk_test_never"})
    assert verifier.heard[-1].caller["key"]["status"] == "invalid"
    await web.get(VERIFY, headers={"Authorization": "Bearer eyJ.of.consumer"})
    assert verifier.heard[-1].caller["key"]["status"] == "missing"


async def test_guessing_keys_does_not_reach_the_books(
    gateway: Gateway, web: httpx.AsyncClient, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How a key ended is looked up for an address only as often as it may ask."""
    asked: list[str] = []
    monkeypatch.setattr(apikeys, "ended", lambda _books, text, _now: asked.append(text))
    gateway.buckets["http"] = Buckets(Rate(0.001, 3))
    for number in range(6):
        await web.get(VERIFY, headers={"x-api-key": f"optr_test_{number}"})
    assert len(asked) == 3
    assert {heard.caller["key"]["status"] for heard in verifier.heard} == {"invalid"}


async def test_the_country_is_a_proxys_word(
    gateway: Gateway, web: httpx.AsyncClient, verifier: Verifier
) -> None:
    """Nobody says themselves where they are; nor, behind a proxy, who they are."""
    headers = {"CF-IPCountry": "CH", "X-Forwarded-For": "203.0.113.7"}
    await web.get(VERIFY, headers=headers)
    gateway.settings = replace(gateway.settings, trusted_proxies=(ip_network("127.0.0.0/8"),))
    await web.get(VERIFY, headers=headers)
    for nowhere in ("XX", "T1", "ch", "CHE"):
        await web.get(VERIFY, headers={**headers, "CF-IPCountry": nowhere})
    first, second, *others = (heard.caller for heard in verifier.heard)
    assert (first["address"], first["country"]) == ("127.0.0.1", None)
    assert (second["address"], second["country"]) == ("203.0.113.7", "CH")
    assert {other["country"] for other in others} == {None}


async def test_the_verifier_is_told_the_name_that_was_asked(
    gateway: Gateway, web: httpx.AsyncClient, verifier: Verifier
) -> None:
    """The visitor's own, also where a proxy asks by another; a visitor alone is not believed."""
    headers = {"Host": "copied.example", "X-Forwarded-Host": "house.example"}
    await web.get(VERIFY, headers=headers)
    gateway.settings = replace(gateway.settings, trusted_proxies=(ip_network("127.0.0.0/8"),))
    await web.get(VERIFY, headers=headers)
    await web.get(VERIFY, headers={"Host": "copied.example"})
    told = [heard.caller["host"] for heard in verifier.heard]
    assert told == ["copied.example", "house.example", "copied.example"]


async def test_other_origins_read_its_rates(
    gateway: Gateway, web: httpx.AsyncClient, verifier: Verifier
) -> None:
    """Cross-origin rules are the gateway's, for the verifier as for the rest."""
    own = gateway.settings.public_url
    answer = await web.get(VERIFY, headers={"Origin": own})
    assert answer.headers["access-control-allow-origin"] == own
    assert "X-RateLimit-Window" in answer.headers["access-control-expose-headers"]


# ── The desk ─────────────────────────────────────────────────────────────────────────────


async def signed_in(web: httpx.AsyncClient, text: str, **headers: str) -> httpx.Response:
    """What signing in with a key is answered."""
    return await web.post(f"{DESK}/sign-in", data={"key": text}, headers=headers)


@pytest.mark.parametrize("kind", ["secret", "operator"])
async def test_a_key_signs_in_at_the_desk(
    kind: str, gateway: Gateway, web: httpx.AsyncClient, verifier: Verifier
) -> None:
    """Its cookie speaks for the key at the desk's pages, and nowhere else."""
    text = gateway.keys.secret_key if kind == "secret" else gateway.keys.operator_key
    answer = await signed_in(web, f" {text} ")
    assert (answer.status_code, answer.headers["location"]) == (303, DESK)
    said = answer.headers["set-cookie"]
    for attribute in ("HttpOnly", "SameSite=lax", "Path=/;", "Max-Age=28800"):
        assert attribute in said
    assert text not in said
    cookie = {"Cookie": said.partition(";")[0]}
    await web.get(f"{DESK}/obj_1", headers=cookie)
    await web.post(f"{DESK}/obj_1/x", headers=cookie)
    await web.get(VERIFY, headers=cookie)
    one, two, three = (heard.caller["key"] for heard in verifier.heard)
    assert (one["status"], one["mode"]) == ("valid", "test")
    assert two == one
    assert three["status"] == "missing"


async def test_what_does_not_sign_in(
    gateway: Gateway, web: httpx.AsyncClient, verifier: Verifier
) -> None:
    """Wrong keys, public ones, those that may not read, and forms of other sites."""
    _, other = key_of(gateway, "auctions:write")
    for text in ("", "optr_test_x", gateway.keys.publishable_key, other):
        answer = await signed_in(web, text)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{DESK}?error=1")
        assert "set-cookie" not in answer.headers
    elsewhere = await signed_in(web, gateway.keys.secret_key, Origin="http://127.0.0.1:1")
    assert elsewhere.headers["location"] == f"{DESK}?error=1"
    assert verifier.heard == []


async def test_a_cookie_ends_with_its_key_its_day_and_its_page(
    gateway: Gateway, web: httpx.AsyncClient, verifier: Verifier
) -> None:
    """Revoked, eight hours later, made up, of another type, or sent by a page of another site."""
    key_id, text = key_of(gateway, "provenance:read")
    cookie = (await signed_in(web, text)).headers["set-cookie"].partition(";")[0]

    async def status(method: str = "GET", said: str = cookie, **headers: str) -> str:
        await web.request(method, DESK, headers={"Cookie": said, **headers})
        return str(verifier.heard[-1].caller["key"]["status"])

    assert await status() == "valid"
    assert await status("POST", Origin="http://127.0.0.1:1") == "missing"
    assert await status("POST", Origin=gateway.settings.public_url) == "valid"
    now_s = NOW // 1000
    forged = sign(gateway.keys, "at+jwt", {"key_id": key_id, "iat": now_s, "exp": now_s + 60})
    assert await status(said=f"fairwarning_desk={forged}") == "missing"
    assert await status(said=cookie + "x") == "missing"
    gateway.clock.read(NOW + 8 * 3_600_000 + 1)
    assert await status() == "missing"
    gateway.clock.read(NOW)
    apikeys.revoke(gateway.books, "test", key_id, NOW)
    gateway.read_books()
    assert await status() == "missing"


async def test_signing_out_takes_the_cookie_away(
    web: httpx.AsyncClient, verifier: Verifier
) -> None:
    """And leads back to where one signs in."""
    answer = await web.post(f"{DESK}/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, DESK)
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert verifier.heard == []


async def test_signing_in_is_counted(gateway: Gateway, web: httpx.AsyncClient) -> None:
    """An address tries as often as it may ask anything."""
    gateway.buckets["http"] = Buckets(Rate(0.1, 2))
    tried = [(await signed_in(web, "optr_test_x")).status_code for _ in range(3)]
    assert tried == [303, 303, 429]


# ── While it does not answer ─────────────────────────────────────────────────────────────


async def test_a_verifier_that_starts_is_waited_for(
    gateway: Gateway, web: httpx.AsyncClient
) -> None:
    """Whoever asks in the first moments is answered a moment later."""
    late = Verifier()
    task = started_at(gateway.settings.verifier_socket, late, 0.3)
    answers = await asyncio.gather(*(web.get(VERIFY) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_verifier_that_is_away(gateway: Gateway, web: httpx.AsyncClient) -> None:
    """503 in its own form, at once from the second time on, and never a page that looks good."""
    with patience(0.2):
        first = await web.get(VERIFY)
        began = gateway.monotonic()
        second = await web.get(VERIFY)
        page = await web.get("/verify/AUC260218FKC5SKSEZ", headers={"Accept": "text/html"})
        assert gateway.monotonic() - began < 0.2
    for answer in (first, second):
        assert answer.status_code == 503
        body = answer.json()
        assert body["error"]["code"] == "UNAVAILABLE"
        assert set(body["meta"]) == {"requestId", "timestamp"}
        assert answer.headers["retry-after"] == "2"
    assert (page.status_code, page.headers["retry-after"]) == (503, "2")
    assert "Cannot check right now" in page.text
    assert page.headers["cache-control"] == "no-store"
    assert "authentic" not in page.text.lower()


async def test_a_verifier_that_comes_back(gateway: Gateway, web: httpx.AsyncClient) -> None:
    """Its lines of before are dead: nobody notices, but whoever was writing is told."""
    socket = gateway.settings.verifier_socket
    async with on_socket(Verifier(), socket):
        assert (await web.get(VERIFY)).status_code == 200
    async with on_socket(Verifier(), socket):
        assert (await web.get(VERIFY)).status_code == 200


async def test_what_may_have_been_done_is_not_asked_again(
    gateway: Gateway, web: httpx.AsyncClient
) -> None:
    """A verifier that dies over a POST: 503, once.  Over a GET it is asked anew."""
    asked: list[str] = []

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Answers the first request of a connection, and dies over the second.
        for number in range(2):
            head = await reader.readuntil(b"\r\n\r\n")
            asked.append(head.decode().split()[0])
            if number == 0:
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    socket = gateway.settings.verifier_socket
    socket.parent.mkdir(exist_ok=True)
    server = await asyncio.start_unix_server(hang_up, socket)
    assert [(await web.get(VERIFY)).status_code for _ in range(2)] == [200, 200]
    assert asked == ["GET", "GET", "GET"]
    assert (await web.post(VERIFY)).status_code == 503
    assert asked == ["GET", "GET", "GET", "POST"]
    server.close()


@pytest.mark.parametrize(
    "said",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        b"",
    ],
)
async def test_half_an_answer_is_none(
    said: bytes, gateway: Gateway, web: httpx.AsyncClient
) -> None:
    """Nobody is shown what was cut off: it could be the wrong half."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        writer.close()

    socket = gateway.settings.verifier_socket
    socket.parent.mkdir(exist_ok=True)
    server = await asyncio.start_unix_server(talk, socket)
    assert (await web.get(VERIFY)).status_code == 503
    server.close()


async def test_a_verifier_that_does_not_come_to_an_end(
    web: httpx.AsyncClient, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The public is told after a while, and the line is not used again."""
    monkeypatch.setattr(line, "ANSWERS_WITHIN_S", 0.1)

    async def public(_request: Request) -> Response:
        await asyncio.sleep(0.5)
        return JSONResponse({"late": True})

    verifier.public = public
    assert (await web.get(VERIFY)).status_code == 503
    verifier.public = None
    assert (await web.get(VERIFY)).json() == {"path": VERIFY}


def test_the_books_know_how_keys_ended(gateway: Gateway) -> None:
    """One that stands did not end, even where a gateway has not heard of it."""
    key_id, text = key_of(gateway, "provenance:read")
    assert apikeys.ended(gateway.books, text, NOW) is None
    with writing(gateway.books) as connection:
        mine = update(apikeys.api_keys).where(apikeys.api_keys.c.key_id == key_id)
        connection.execute(mine.values(expires_at=NOW))
    assert apikeys.ended(gateway.books, text, NOW) == "expired"
    assert apikeys.ended(gateway.books, text, NOW - 1) is None
