"""Every call of the APIs with every kind of key and token: who is let in, and who is not.

What is expected follows from the row's ``Access`` alone and is said once, in ``verdict``.  A
new row of the table is tried with every credential from the moment it is there.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Any, Literal

import httpx
import msgspec
import pytest

from engine.core.messages import Mode
from gateway.api.access import READING_SCOPES
from gateway.api.calls import Call
from gateway.api.documents import described
from gateway.api.routes import CALLS, OPERATOR_API
from gateway.books import apikeys
from gateway.books.apikeys import SCOPES
from gateway.books.store import open_books
from gateway.core import openapi, samples
from gateway.keys import KeyKind, mint_access_token, random_name, sign
from tests.integration.open_house import House, Person

Json = dict[str, Any]
SETTINGS = {"HTTP_RATE": "0", "KEY_RATE": "0", "BID_RATE": "0", "OTP_RATE": "0"}

# Let in; 401; 403 Insufficient scope; 400 Consumer ID is required.
Verdict = Literal["in", "unknown", "scope", "nobody"]
# How each dialect says so.  Whatever else is answered, the access was given.
SAID: dict[str, Verdict] = {
    "Authentication required": "unknown",
    "unauthorized": "unknown",
    "Insufficient scope": "scope",
    "insufficient_scope": "scope",
    "Consumer ID is required": "nobody",
    "consumer_required": "nobody",
}
# What each call is sent: the document's own example.
BODIES: dict[str, Json] = {
    operation["operationId"]: operation.get("requestBody", {}).get("content", {})
    for path in openapi.document(list(map(described, CALLS)))["paths"].values()
    for operation in path.values()
}


@dataclass(frozen=True)
class Credential:
    """What comes with a request, and what it is good for."""

    headers: dict[str, str]
    page: bool = False  # a publishable key of the house
    token: Literal["none", "bad", "good"] = "none"  # of a consumer, beside it
    house: bool = False  # a secret or an operator key
    scopes: frozenset[str] | None = None  # None: all


def verdict(call: Call, given: Credential) -> Verdict:
    """What the row's access demands for this credential."""
    kind, scope = call.access.kind, call.access.scope
    if kind == "anyone":
        return "in"
    if kind == "house":
        if not given.house:
            return "unknown"
        wanted = set(READING_SCOPES.get(scope, (scope,)))
        return "in" if given.scopes is None or wanted & given.scopes else "scope"
    if kind == "page":
        return "in" if given.page or given.house else "unknown"
    if not given.page or given.token == "bad":
        return "unknown"
    if given.token == "none":
        return "nobody" if kind == "bidder" else "unknown"
    return "in"


@dataclass(frozen=True)
class World:
    """A house with something of everything in it, and keys to it."""

    house: House
    ids: dict[str, str]
    live: dict[KeyKind, str]  # keys of the other mode
    operators: dict[str, str]  # an operator key for each scope alone
    first: Person  # who has bid; nobody else is told who that is
    logged_out: str  # the token of a session that has ended

    def guest(self) -> str:
        """The token of a new guest: one who logs out does not come back."""
        page = self.house.headers()
        return str(made(self.house.web.post("/api/v1/auth/guest", headers=page))["accessToken"])

    def with_a_lot_of_its_own(self) -> World:
        """The same with another lot that the first has bid on: what ends one spares the rest."""
        return replace(self, ids={**self.ids, **asyncio.run(bid_on(self.house, self.first))})

    def token(self, consumer_id: str, seconds: int = 3600, mode: Mode = "test") -> str:
        now = time.time_ns() // 1_000_000
        return mint_access_token(self.house.keys, consumer_id, seconds, now, mode=mode)


def new_key(
    house: House, kind: KeyKind, mode: Mode = "test", scopes: tuple[str, ...] = ()
) -> tuple[str, str]:
    """A key made in the books: its id and its text."""
    books, now = open_books(house.settings.database_url), time.time_ns() // 1_000_000
    try:
        wish = apikeys.read_wish(kind, f"{kind} of a test", list(scopes) or None, None, now)
        key, text = apikeys.create(books, mode, wish, now)
        return key.key_id, text
    finally:
        books.dispose()


async def until_known(house: House, path: str, headers: dict[str, str]) -> None:
    """Wait until the gateway has read the key."""
    deadline = time.monotonic() + 20
    while house.web.get(path, headers=headers).status_code == 401:
        assert time.monotonic() < deadline, f"{path} never knew the key"
        await asyncio.sleep(0.05)


def made(answer: httpx.Response) -> Json:
    assert answer.status_code in (200, 201), answer.text
    content: Json = answer.json()
    inner: Json = content.get("data", content)
    return inner


@pytest.fixture(scope="module")
def world(house: House) -> World:
    """The module's house, furnished."""
    return asyncio.run(furnished(house))


async def bid_on(house: House, bidder: Person) -> dict[str, str]:
    """A new lot that somebody has bid on."""
    auction_id = await house.lot()
    placed = house.bid(auction_id, bidder, {"amount": 200})
    assert placed.status_code == 200, placed.text
    sale_id = "seq_" + auction_id.split("_")[1]
    return {"auction_id": auction_id, "sequence_id": sale_id, "bid_id": placed.json()["bidId"]}


async def furnished(house: House) -> World:
    bidder = house.person()
    secret = {"Authorization": f"Bearer {house.keys.secret_key}"}
    hook = {"url": "https://hooks.example.com/", "events": ["auction.settled"]}
    webhook = made(house.web.post("/api/v1/webhooks", json=hook, headers=secret))
    asset = {"type": "erc20", "symbol": "GLZ", "name": "Glaze", "decimals": 6}
    token = made(house.web.post("/asset", json=asset, headers=secret))
    email = f"{random_name(8)}@example.com"
    made(house.web.post("/user", json={"email": email}, headers=secret))
    key_id, _ = new_key(house, "operator", "test", ("keys:manage",))
    live: dict[KeyKind, str] = {
        "secret": new_key(house, "secret", "live")[1],
        "publishable": new_key(house, "publishable", "live")[1],
        "operator": new_key(house, "operator", "live", SCOPES)[1],
    }
    operators = {scope: new_key(house, "operator", "test", (scope,))[1] for scope in SCOPES}
    page = house.headers()
    ended = made(house.web.post("/api/v1/auth/guest", headers=page))["accessToken"]
    out = {**page, "Authorization": f"Bearer {ended}"}
    assert house.web.post("/api/v1/auth/logout", headers=out).status_code == 204
    # The keys were made one after the other: when the last is known, all are.
    await until_known(house, "/api/v1/auctions", {"x-api-key": operators[SCOPES[-1]]})
    ids = {
        **samples.IDS,
        **await bid_on(house, bidder),
        "consumer_id": bidder.consumer_id,
        "key_id": key_id,
        "webhook_id": webhook["id"],
        "asset_id": token["id"],
        "email": email,
    }
    return World(house, ids, live, operators, bidder, ended)


def credentials(world: World) -> dict[str, Credential]:
    """Everything that might come with a request; tokens are new ones each time."""
    house, keys = world.house, world.house.keys
    page = {"X-Publishable-Key": keys.publishable_key}
    payment = sign(
        keys, "payment+jwt", {"consumerId": world.first.consumer_id, "exp": 2**33, "iat": 1}
    )

    def bearer(text: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {text}"}

    def signed_in(text: str) -> Credential:
        return Credential({**page, **bearer(text)}, page=True, token="good")

    def badly(text: str) -> Credential:
        return Credential({**page, **bearer(text)}, page=True, token="bad")

    signed, _, mac = house.person().token.rpartition(".")
    found = {
        "nothing": Credential({}),
        "an unknown publishable key": Credential({"X-Publishable-Key": "pk_test_" + "b" * 24}),
        "an unknown secret key": Credential(bearer("sk_test_" + "b" * 40)),
        "an unknown operator key": Credential({"x-api-key": "optr_test_" + "b" * 40}),
        "an empty authorization": Credential({"Authorization": ""}),
        "the publishable key": Credential(page, page=True),
        "the publishable key as a bearer": Credential(bearer(keys.publishable_key)),
        "the secret key": Credential(bearer(keys.secret_key), house=True),
        "the secret key as a publishable one": Credential({"X-Publishable-Key": keys.secret_key}),
        "the secret key as an operator's": Credential({"x-api-key": keys.secret_key}),
        "the operator key": Credential({"x-api-key": keys.operator_key}, house=True),
        "the operator key as a bearer": Credential(bearer(keys.operator_key)),
        "a consumer's token": signed_in(house.person().token),
        "another consumer's token": signed_in(house.person().token),
        "a consumer's token alone": Credential(bearer(house.person().token)),
        "a guest's token": signed_in(world.guest()),
        "an expired token": badly(world.token(world.first.consumer_id, -1)),
        "a token of a session that has ended": badly(world.logged_out),
        "a refresh token": badly("rt_" + "b" * 20 + "_0_" + "0" * 64),
        "a payment token": badly(payment),
        "a token with another signature": badly(f"{signed}.{mac[::-1]}"),
        "a token of the other mode": badly(world.token(world.first.consumer_id, mode="live")),
        "a token that is none": badly("x"),
        "basic authorization": Credential(
            {**page, "Authorization": "Basic eDp5"}, page=True, token="bad"
        ),
    }
    for scope, text in world.operators.items():
        key = Credential({"x-api-key": text}, house=True, scopes=frozenset({scope}))
        found[f"an operator key for {scope}"] = key
    return found


def request(world: World, call: Call, headers: dict[str, str]) -> httpx.Response:
    """The call with real ids, and the least that its body needs."""
    path = call.path.format_map(world.ids)
    body = b""
    for media_type, said in BODIES[described(call).operation_id].items():
        headers = {**headers, "Content-Type": media_type}
        body = msgspec.json.encode(said["example"]) if "example" in said else b"lotNumber\n"
    return world.house.web.request(call.method, path, headers=headers, content=body)


def verdict_of(answer: httpx.Response) -> Verdict:
    """Whether somebody was let in, by what they were answered."""
    if answer.status_code not in (400, 401, 403):
        return "in"
    said = answer.json()["error"]
    return SAID.get(said["code"] if isinstance(said, dict) else said, "in")


def row(call: Call) -> str:
    return f"{call.method} {call.path}"


@pytest.mark.parametrize("call", OPERATOR_API, ids=row)
def test_the_alias_lets_in_nobody_else(world: World, call: Call) -> None:
    """Under /alpha the same keys are asked for."""
    alias = replace(call, path=f"/alpha{call.path}")
    for name, given in credentials(world).items():
        if verdict(call, given) != "in":
            answer = request(world, alias, given.headers)
            assert verdict_of(answer) == verdict(call, given), (name, answer.text)


@pytest.mark.parametrize(
    "call", [call for call in CALLS if call.access.kind in ("consumer", "bidder")], ids=row
)
def test_no_consumer_is_told_who_another_is(world: World, call: Call) -> None:
    """Nothing that somebody else may call names the consumer who has bid."""
    for name in ("another consumer's token", "a guest's token"):
        answer = request(world, call, credentials(world)[name].headers)
        assert world.first.consumer_id not in answer.text, name


@pytest.mark.parametrize("call", CALLS, ids=row)
def test_the_other_mode_sees_nothing(world: World, call: Call) -> None:
    """With a live key whatever is of the test mode is not there: 404 where a path names it,
    and in no list; a token of the one mode is worth nothing beside a key of the other."""
    ways = [{"x-api-key": world.live["operator"]}]
    ways.append({"Authorization": f"Bearer {world.live['secret']}"})
    page = {"X-Publishable-Key": world.live["publishable"]}
    test_token = {**page, "Authorization": f"Bearer {world.token(world.first.consumer_id)}"}
    if call.access.kind in ("consumer", "bidder"):
        assert request(world, call, test_token).status_code == 401
        live_token = world.token("cons_" + random_name(16), mode="live")
        ways = [{**page, "Authorization": f"Bearer {live_token}"}]
    elif call.access.kind == "page":
        ways.append(page)
    for headers in ways:
        answer = request(world, call, headers)
        assert answer.status_code < 500, answer.text
        if "{" in call.path:
            assert answer.status_code == 404, answer.text
        if call.method == "GET":
            for named in ("auction_id", "sequence_id", "key_id", "webhook_id", "asset_id"):
                # What was asked for may be repeated by nobody who says that it is not there.
                assert world.ids[named] not in answer.text, named


@pytest.mark.parametrize("call", CALLS, ids=row)
def test_who_is_let_in(world: World, call: Call) -> None:
    """Each credential meets exactly what the row's access says; nothing makes the house fall
    over, and nobody who was kept out is told anything or has any effect."""
    world = world.with_a_lot_of_its_own()
    lot = f"/api/v1/auctions/{world.ids['auction_id']}"
    page = world.house.headers()
    everybody = credentials(world)
    kept_out = [name for name, given in everybody.items() if verdict(call, given) != "in"]
    before = world.house.web.get(lot, headers=page).json()
    for name in kept_out:
        answer = request(world, call, everybody[name].headers)
        assert verdict_of(answer) == verdict(call, everybody[name]), (name, answer.text)
        assert answer.status_code >= 400, (name, answer.text)
    after = world.house.web.get(lot, headers=page).json()
    assert {**after, "serverTime": ""} == {**before, "serverTime": ""}, "something moved"
    for name in everybody.keys() - set(kept_out):
        answer = request(world, call, everybody[name].headers)
        assert verdict_of(answer) == "in", (name, answer.text)
        assert answer.status_code < 500, (name, answer.text)


def test_what_is_open_to_every_page() -> None:
    """A call that needs neither a token nor a key of the house is one of these."""
    found = {row(call) for call in CALLS if call.access.kind in ("anyone", "page")}
    v1 = "/api/v1"
    assert found == {
        "GET /.well-known/jwks.json",
        f"GET {v1}/auctions",
        f"GET {v1}/auctions/{{auction_id}}",
        f"GET {v1}/auctions/{{auction_id}}/current-price",
        f"GET {v1}/sequences/{{sequence_id}}",
        f"POST {v1}/auth/guest",
        f"POST {v1}/auth/otp/request",
        f"POST {v1}/auth/otp/verify",
        f"POST {v1}/auth/external/exchange",
        f"POST {v1}/auth/refresh",
    }


def test_the_matrix_would_notice() -> None:
    """The rule itself tells the kinds of access apart."""
    house = Credential({}, house=True, scopes=frozenset({"console"}))
    for access_kind, expected in (
        ("anyone", "in"),
        ("page", "in"),
        ("consumer", "unknown"),
        ("bidder", "unknown"),
    ):
        call = next(call for call in CALLS if call.access.kind == access_kind)
        assert verdict(call, house) == expected
    reading = next(call for call in CALLS if call.access.scope == "auctions:read")
    writing = next(call for call in CALLS if call.access.scope == "auctions:write")
    assert (verdict(reading, house), verdict(writing, house)) == ("in", "scope")
