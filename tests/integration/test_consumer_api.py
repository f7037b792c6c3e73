"""The consumer API as the contract words it: calls, exact texts, exact numbers, privacy."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from os import kill
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt

from engine.core.messages import (
    AddLot,
    CancelBid,
    CancelLot,
    Catalogue,
    CloseLot,
    Command,
    PauseLot,
    PlaceBid,
    RegisterBidder,
    Terms,
    UnpauseLot,
)
from gateway.api import auctions, calls, me, sessions
from gateway.books.people import bar
from gateway.books.store import Vault, open_books
from gateway.core import consumer
from gateway.core.problems import Problem
from tests.integration.live import signed_in
from tests.integration.open_house import API, STEPS, House, Json, Person

SETTINGS = {"DEMO": "1", "HTTP_RATE": "0"}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
JSON_BODY = "application/json"


def error_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and text; every error has a body of the contract's form, and a request id."""
    body = answer.json()
    assert body.keys() <= {"error", "message", "details", "retryAfter", "nextMinimumBid"}
    assert answer.headers["content-type"].startswith(JSON_BODY)
    assert answer.headers["x-request-id"]
    assert isinstance(body["error"], str)
    for detail in body.get("details", []):
        assert detail.keys() == {"field", "message"}
    return answer.status_code, body["error"]


def ok(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-request-id"]
    assert answer.headers["content-type"].startswith(JSON_BODY)
    return answer.json()


def when(text: str) -> float:
    assert INSTANT.fullmatch(text), text
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what the house or its clock is about to do."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


# ── Reading an auction ───────────────────────────────────────────────────────────────────


async def test_an_auction_field_by_field(house: House) -> None:
    """Everything of the table, before the first bid and after it."""
    sale_id, now = await house.sale(), await house.now()
    closes_at, settle_at = now + 3_600_000, now + 7_200_000
    auction_id = await house.lot(
        sale_id, "Moon jar", opening=27_550, reserve=99_900, opens_at=now,
        closes_at=closes_at, settle_at=settle_at,
    )  # fmt: skip
    auction = ok(house.get(f"/auctions/{auction_id}"))
    assert abs(when(auction.pop("serverTime")) - await house.now()) < 2_000
    assert abs(when(auction.pop("openAt")) - now) < 1_000
    assert when(auction.pop("closeAt")) == closes_at
    assert when(auction.pop("settleAt")) == settle_at
    assert auction == {
        "id": auction_id,
        "name": "Moon jar",
        "sequenceId": sale_id,
        "timeZone": "UTC",
        "startingPrice": 275.5,
        "reservePrice": None,
        "minimumBidIncrement": 10,
        "winnerCount": 1,
        "status": "OPEN",
        "currentHighBid": None,
        "currencyCode": "EUR",
        "reserveMet": False,
        "nextMinimumBid": 275.5,
        "bidCount": 0,
        "extensions": 0,
        "format": "english",
        "lotNumber": "214",
        "serial": None,
    }
    ok(house.bid(auction_id, house.person(), {"amount": 300.25}))
    after = ok(house.get(f"/auctions/{auction_id}"))
    assert (after["currentHighBid"], after["nextMinimumBid"], after["bidCount"]) == (
        300.25,
        310.25,
        1,
    )


async def test_the_statuses_of_an_auction(house: House) -> None:
    """PENDING, OPEN also while paused, CLOSED, SETTLED; canceled is CLOSED."""
    now = await house.now()
    pending = await house.lot(opens_at=now + 3_600_000)
    paused, closed, canceled, settled = [await house.lot() for _ in range(4)]
    closed = await house.lot(settle_at=now + 3_600_000)
    for command in (PauseLot(paused), CloseLot(closed), CancelLot(canceled), CloseLot(settled)):
        await house.wish(command)
    await house.until_status(pending, "PENDING")
    await house.until_status(closed, "CLOSED")
    await house.until_status(canceled, "CLOSED")
    await house.until_status(settled, "SETTLED")
    await house.until_status(paused, "OPEN")


async def test_money_is_exact_in_every_currency(house: House) -> None:
    """Decimals on the wire are the very digits, whatever a float would make of them."""
    for currency, exponent, minor, major in (
        ("EUR", 2, 2**53 - 1, "90071992547409.91"),
        ("EUR", 2, 110, "1.10"),
        ("JPY", 0, 5_000, "5000"),
        ("JPY", 0, 2**53 - 1, "9007199254740991"),
        ("BHD", 3, 1_005, "1.005"),
        ("EUR", 2, 1_000_000_000, "10000000.00"),
    ):
        sale_id = await house.sale(currency=currency, exponent=exponent)
        auction_id = await house.lot(sale_id, opening=minor)
        answer = house.get(f"/auctions/{auction_id}")
        shown = re.search(r'"startingPrice":([^,}]+)', answer.text)
        assert shown is not None
        assert shown[1] == major
        ada = house.person()
        answer = house.bid(auction_id, ada, f'{{"amount": {major}}}')
        assert answer.status_code == 200, answer.text
        for name in ("lastBidAmount", "currentHighBid"):
            assert f'"{name}":{major},' in answer.text
        assert f'"amount":{major}' in house.get(f"/auctions/{auction_id}/bids/history", ada).text
        assert f'"amount":{major},' in house.get(f"/auctions/{auction_id}/bids", ada).text
        assert f'"amount":{major},' in house.get(f"/auctions/{auction_id}/highest-bid", ada).text


async def test_the_list_of_auctions_page_by_page(house: House) -> None:
    """Every auction of a sale once, in a stable order; filters, and pages of any size."""
    sale_id = await house.sale()
    lots = [await house.lot(sale_id) for _ in range(7)]
    await house.wish(PauseLot(lots[1]), CloseLot(lots[2]))
    await house.until_status(lots[2], "SETTLED")
    for size in (1, 3, 7, 20):
        found: list[str] = []
        cursor = ""
        while True:
            page = ok(house.get(f"/auctions?sequenceId={sale_id}&limit={size}{cursor}"))
            assert page.keys() == {"data", "pageInfo"}
            assert page["pageInfo"].keys() == {"startCursor", "endCursor"}
            if not page["data"]:
                assert page["pageInfo"] == {"startCursor": None, "endCursor": None}
                break
            assert len(page["data"]) <= size
            found += [auction["id"] for auction in page["data"]]
            cursor = f"&cursor={page['pageInfo']['endCursor']}"
        assert found == lots
    settled = ok(house.get(f"/auctions?sequenceId={sale_id}&status=SETTLED"))["data"]
    assert [auction["id"] for auction in settled] == [lots[2]]
    still_open = ok(house.get(f"/auctions?sequenceId={sale_id}&status=OPEN"))["data"]
    assert [a["id"] for a in still_open] == [lot for lot in lots if lot != lots[2]]
    assert ok(house.get("/auctions?sequenceId=seq_none"))["data"] == []
    one = ok(house.get(f"/auctions?sequenceId={sale_id}&limit=1"))["data"][0]
    assert {**ok(house.get(f"/auctions/{lots[0]}")), "serverTime": 0} == {**one, "serverTime": 0}
    for bad in ("limit=0", "limit=-1", "limit=x", "limit=1.5", "limit=", "limit=99999999999", "limit=000000001000",
                "status=open", "status=", "cursor=auction_none_1", "limit=%EF%BC%95"):  # fmt: skip
        assert house.get(f"/auctions?{bad}").status_code == 400, bad
        error_of(house.get(f"/auctions?{bad}"))


# ── Who may ask ──────────────────────────────────────────────────────────────────────────

READS = ("status", "highest-bid", "bids/history", "bids")


async def test_a_key_is_required(house: House) -> None:
    """Missing or unknown: 401 on every call; the secret key needs no publishable one."""
    auction_id, ada = await house.lot(), house.person()
    here = f"{API}/auctions/{auction_id}"
    bearer = {"Authorization": f"Bearer {ada.token}"}
    for key in ({}, {"X-Publishable-Key": "pk_test_nobody"}, {"X-Publishable-Key": ""},
                {"X-Publishable-Key": house.keys.secret_key}):  # fmt: skip
        for path in (f"{API}/auctions", here, *(f"{here}/{name}" for name in READS)):
            answer = house.web.get(path, headers={**key, **bearer})
            assert error_of(answer) == (401, "Authentication required"), path
            assert answer.json() == {"error": "Authentication required"}
        answer = house.web.post(f"{here}/bid", json={"amount": 100}, headers={**key, **bearer})
        assert error_of(answer) == (401, "Authentication required")
        answer = house.web.post(f"{here}/bid", json={"amount": 100}, headers=key)
        assert error_of(answer) == (401, "Authentication required")
    secret = {"Authorization": f"Bearer {house.keys.secret_key}"}
    assert house.web.get(here, headers=secret).status_code == 200
    assert house.web.get(f"{API}/auctions", headers=secret).status_code == 200


async def test_a_consumer_is_required(house: House) -> None:
    """Without a token a bid is 400 and a read 401; with a bad one both are 401."""
    auction_id = await house.lot()
    assert error_of(house.bid(auction_id, None, {"amount": 100})) == (
        400,
        "Consumer ID is required",
    )
    for name in READS:
        answer = house.get(f"/auctions/{auction_id}/{name}")
        assert error_of(answer) == (401, "Authentication required")
    expired = jwt.encode({"exp": 1}, "x" * 32)
    schemes = (f"Bearer {expired}", "Bearer", "Bearer x.y.z", "Basic YTpi", "bearer",
               f"Bearer {house.keys.operator_key}")  # fmt: skip
    for authorization in schemes:
        headers = {**house.headers(), "Authorization": authorization}
        bid = house.web.post(
            f"{API}/auctions/{auction_id}/bid", json={"amount": 100}, headers=headers
        )
        assert error_of(bid) == (401, "Authentication required"), authorization
        read = house.web.get(f"{API}/auctions/{auction_id}/status", headers=headers)
        assert error_of(read) == (401, "Authentication required"), authorization
    assert ok(house.get(f"/auctions/{auction_id}"))["bidCount"] == 0


def test_no_problem_is_raised_twice() -> None:
    """An exception kept in a module gathers the frames of everybody who ever raised it,
    and with them their requests and tokens."""
    for module in (auctions, calls, consumer, me, sessions):
        kept = [name for name, value in vars(module).items() if isinstance(value, Problem)]
        assert kept == []


async def test_every_answer_has_a_request_id(house: House) -> None:
    """Unknown paths, wrong methods, wrong hosts of slashes: the contract's body, its own id."""
    auction_id = await house.lot()
    ids = set()
    for method, path, status in (
        ("GET", f"/auctions/{auction_id}", 200),
        ("GET", "/nothing", 404),
        ("GET", "/auctions/auction_none_1", 404),
        ("GET", "/auctions/auction_none_1/nothing", 404),
        ("GET", f"/auctions/{auction_id}/bid", 405),
        ("PUT", f"/auctions/{auction_id}/bid", 405),
        ("DELETE", f"/auctions/{auction_id}/status", 405),
    ):
        answer = house.web.request(method, API + path, headers=house.headers())
        assert answer.status_code == status, path
        assert answer.headers.get("x-request-id"), (method, path)
        assert answer.headers["content-type"].startswith(JSON_BODY), (method, path)
        if status != 200:
            error_of(answer)
        ids.add(answer.headers["x-request-id"])
    assert len(ids) == 7


def test_pages_of_others_may_use_it_as_the_settings_say(house: House) -> None:
    """CORS: our own origin reads the listed headers, a foreign one is not let in."""
    preflight = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,idempotency-key,x-publishable-key,x-fingerprint",
    }
    own = house.web.options(f"{API}/auctions", headers={"Origin": house.url, **preflight})
    assert own.status_code == 200
    assert own.headers["access-control-allow-origin"] == house.url
    read = house.web.get(f"{API}/auctions", headers={"Origin": house.url, **house.headers()})
    exposed = read.headers["access-control-expose-headers"].lower()
    for name in ("retry-after", "x-fingerprint-error", "x-request-id", "x-ratelimit-limit"):
        assert name in exposed
    foreign = house.web.get(f"{API}/auctions", headers={"Origin": "https://evil.test"})
    assert "access-control-allow-origin" not in foreign.headers


# ── Bidding ──────────────────────────────────────────────────────────────────────────────


async def test_a_bid_and_what_every_later_answer_says(house: House) -> None:
    """The answer field by field; status, lists and auction have it at once."""
    auction_id, ada = await house.lot(), house.person()
    nothing = ok(house.get(f"/auctions/{auction_id}/status", ada))
    assert nothing == {
        "auctionId": auction_id,
        "consumerId": ada.consumer_id,
        "status": "NOT_BID",
        "lastBidAmount": None,
        "lastBidTime": None,
        "bidCount": 0,
    }
    assert ok(house.get(f"/auctions/{auction_id}/highest-bid", ada)) == {
        "amount": None,
        "bidderId": None,
    }
    assert ok(house.get(f"/auctions/{auction_id}/bids", ada)) == []
    assert ok(house.get(f"/auctions/{auction_id}/bids/history", ada)) == []
    for number, amount in enumerate((275.0, 285.5, 300), 1):
        bid = ok(house.bid(auction_id, ada if number != 2 else house.person(), {"amount": amount}))
        if number == 2:
            continue
        at, bid_id = bid.pop("lastBidTime"), bid.pop("bidId")
        assert abs(when(at) - await house.now()) < 2_000
        assert bid == {
            "status": "WINNING",
            "lastBidAmount": amount,
            "bidCount": (number + 1) // 2,
            "currentHighBid": amount,
            "nextMinimumBid": amount + 10,
            "seq": number + 1,
        }
        status = ok(house.get(f"/auctions/{auction_id}/status", ada))
        assert status == {
            **nothing,
            "status": "WINNING",
            "lastBidAmount": amount,
            "lastBidTime": at,
            "bidCount": bid["bidCount"],
        }
        best = {"amount": amount, "bidderId": None}
        assert ok(house.get(f"/auctions/{auction_id}/highest-bid", ada)) == best
        newest = ok(house.get(f"/auctions/{auction_id}/bids/history", ada))[0]
        assert newest == {
            "bidId": bid_id,
            "consumerId": ada.consumer_id,
            "amount": amount,
            "timestamp": at,
        }
        public = ok(house.get(f"/auctions/{auction_id}/bids", ada))[0]
        assert {**public, "consumerId": ada.consumer_id} == newest
    assert len(ok(house.get(f"/auctions/{auction_id}/bids?limit=2", ada))) == 2
    assert len(ok(house.get(f"/auctions/{auction_id}/bids/history?limit=1", ada))) == 1


async def test_limits_and_standings(house: House) -> None:
    """``max`` makes a limit; ACTIVE, OUTBID and WINNING as the contract defines them, WON
    and LOST after settlement only."""
    auction_id = await house.lot(settle_at=await house.now() + 1_500)
    ada, bram, celia, dov = (house.person() for _ in range(4))
    limit = ok(house.bid(auction_id, ada, {"amount": 500, "max": True}))
    assert (limit["status"], limit["currentHighBid"], limit["lastBidAmount"]) == (
        "WINNING",
        100,
        500,
    )
    passed = ok(house.bid(auction_id, bram, {"amount": "200.00", "max": False}))
    assert (passed["status"], passed["currentHighBid"]) == ("ACTIVE", 210)
    ok(house.bid(auction_id, celia, {"amount": 900, "max": True}))

    def standings() -> list[str]:
        everybody = (ada, bram, celia, dov)
        return [ok(house.get(f"/auctions/{auction_id}/status", p))["status"] for p in everybody]

    assert standings() == ["OUTBID", "ACTIVE", "WINNING", "NOT_BID"]
    await house.wish(CloseLot(auction_id))
    if ok(house.get(f"/auctions/{auction_id}"))["status"] == "CLOSED":
        assert standings() == ["OUTBID", "ACTIVE", "WINNING", "NOT_BID"]
    await house.until_status(auction_id, "SETTLED")
    assert standings() == ["LOST", "LOST", "WON", "NOT_BID"]


Prepare = Callable[[House], Any]


async def test_refusals_in_their_exact_words(house: House) -> None:
    """Every refusal of English bidding: status, text, and the number that would pass."""
    ada, bram = house.person(), house.person()
    auction_id = await house.lot()
    ok(house.bid(auction_id, ada, {"amount": 200}))
    higher, step = "Bid must be higher than current bid", "Bid must meet minimum increment"
    for person, amount, text, next_minimum in (
        (bram, 199.99, higher, 210),
        (bram, 200, higher, 210),
        (bram, 200.01, step, 210),
        (bram, 209.99, step, 210),
        (ada, 200, higher, 200.01),  # the leader's own bid that is no raise
        (ada, 150, higher, 200.01),
    ):
        answer = house.bid(auction_id, person, {"amount": amount})
        assert error_of(answer) == (400, text), amount
        assert answer.json()["nextMinimumBid"] == next_minimum
    fresh = house.bid(await house.lot(), bram, {"amount": 99.99})
    assert error_of(fresh) == (400, higher)  # under the starting price
    assert fresh.json()["nextMinimumBid"] == 100
    ladder = await house.lot(ladder_only=True)
    assert error_of(house.bid(ladder, house.person(), {"amount": 105})) == (400, step)
    for end in (CloseLot(auction_id), CancelLot(ladder)):
        await house.wish(end)
        await house.until_status(
            end.auction_id, "SETTLED" if end.auction_id == auction_id else "CLOSED"
        )
        answer = house.bid(end.auction_id, house.person(), {"amount": 900})
        assert error_of(answer) == (400, "Auction is closed")
    assert error_of(house.bid("auction_none_1", ada, {"amount": 1})) == (404, "Auction not found")
    for name in READS:
        answer = house.get(f"/auctions/auction_none_1/{name}", ada)
        assert error_of(answer) == (404, "Auction not found")
    assert error_of(house.get("/auctions/auction_none_1")) == (404, "Auction not found")


async def test_too_early_and_paused_are_423(house: House) -> None:
    """Before the opening with its instant in ``Retry-After``, in a pause without."""
    ada, opens_at = house.person(), await house.now() + 3_600_000
    early = house.bid(await house.lot(opens_at=opens_at), ada, {"amount": 100})
    assert error_of(early) == (423, "Auction is not open yet")
    assert when(early.headers["retry-after"]) == opens_at
    auction_id = await house.lot()
    await house.wish(PauseLot(auction_id))
    paused = house.bid(auction_id, ada, {"amount": 100}, Idempotency_Key="p1")
    assert error_of(paused) == (423, "Auction is paused")
    assert "retry-after" not in paused.headers
    await house.wish(UnpauseLot(auction_id))
    assert error_of(house.bid(auction_id, ada, {"amount": 100}, Idempotency_Key="p1"))[0] == 423
    ok(house.bid(auction_id, ada, {"amount": 100}))


async def test_who_is_not_admitted_is_403(house: House) -> None:
    """Strangers, applicants and the suspended in a sale by approval."""
    sale_id = await house.sale(registration="approval")
    auction_id = await house.lot(sale_id)
    stranger, applicant, suspended = (house.person() for _ in range(3))
    await house.wish(
        RegisterBidder(sale_id, applicant.consumer_id, "pending"),
        RegisterBidder(sale_id, suspended.consumer_id, "suspended"),
    )
    for person, text in (
        (stranger, "Registration required"),
        (applicant, "Registration pending"),
        (suspended, "Bidding suspended"),
    ):
        assert error_of(house.bid(auction_id, person, {"amount": 100})) == (403, text)


AMOUNTS_THAT_ARE_NONE = (
    *("0", "-1", "-0", "0.00", "1.001", "100.005", "1e-3", "1e400", "1e99999", "NaN", "Infinity"),
    *("-Infinity", "90071992547409.92", "9" * 60, "9" * 5_000, "null", "true", "[]", "{}", "[100]"),
    *('""', '" "', '"x"', '"1,000"', '"1 000"', '"0x64"', '"NaN"', '"Infinity"', '"1e400"', '"-5"'),
    *('"100 "', '" 100"', '"100\\n"', '"1_000"', '"١٠٠"', '"１００"', '"100.0.0"', '"EUR 100"'),
    # Beyond the currency's decimals, and beyond the precision of a decimal context.
    *('"100.000000000000000000000000000000000001"', "100.000000000000000000000000000000000001"),
    *("99.99999999999999999999999999999999999", '"1000000000000.0000000000000000000001"'),
)


async def test_amounts_that_are_none(house: House) -> None:
    """Malformed, not positive, too large, too many decimals: 400, and nothing is placed."""
    auction_id, ada = await house.lot(), house.person()
    for amount in AMOUNTS_THAT_ARE_NONE:
        answer = house.bid(auction_id, ada, f'{{"amount":{amount}}}'.encode())
        assert error_of(answer) == (400, "Invalid amount"), (amount, answer.text)
    for body in ("{}", '{"max":true}'):
        assert error_of(house.bid(auction_id, ada, body)) == (400, "Invalid amount")
    yen = await house.lot(await house.sale(currency="JPY", exponent=0))
    for amount in ("10000.5", '"10000.01"', "9007199254740992"):
        answer = house.bid(yen, ada, f'{{"amount":{amount}}}')
        assert error_of(answer) == (400, "Invalid amount"), amount
    assert ok(house.get(f"/auctions/{auction_id}"))["bidCount"] == 0
    assert ok(house.get(f"/auctions/{yen}"))["bidCount"] == 0


async def test_amounts_in_every_spelling(house: House) -> None:
    """Zeros beyond the decimals, exponents, strings: the same money."""
    for amount in ("100", "100.0", "100.00000000000000000000000000000000000", "1e2", "1E+2",
                   "1000e-1", '"100"', '"100.00"', '"1e2"'):  # fmt: skip
        auction_id = await house.lot()
        answer = house.bid(auction_id, house.person(), f'{{"amount":{amount}}}')
        assert ok(answer)["lastBidAmount"] == 100, amount
    yen = await house.lot(await house.sale(currency="JPY", exponent=0))
    assert ok(house.bid(yen, house.person(), '{"amount":10000.0}'))["lastBidAmount"] == 10_000


BODIES_THAT_ARE_NONE = (
    *(b"", b" ", b"{", b"null", b"[]", b"100", b'"100"', b'{"amount":100}x', b'{"amount":100,}'),
    *(b'{"amount":100,"amount":200}', b'{"amount":100,"max":true,"max":false}'),
    *(b'{"amount":100,"\\u0061mount":200}', b'{"amount":100,"price":1}', b'{"Amount":100}'),
    *(b'{"amount":100,"max":1}', b'{"amount":100,"max":"true"}', b'{"amount":100,"max":null}'),
    *(b"\xff\xfe", b'{"amount":100,"\xff":1}', b'{"amount":100,"\\ud800":1}', b"amount=100"),
    *(b"[" * 10_000, b'{"a":' * 3_000, b'{"amount":100,"x":' + b"[" * 5_000 + b"]" * 5_000 + b"}"),
)


async def test_bodies_that_are_none(house: House) -> None:
    """No JSON, no object, repeated keys, unknown fields: 400, and nothing is placed."""
    auction_id, ada = await house.lot(), house.person()
    for body in BODIES_THAT_ARE_NONE:
        answer = house.bid(auction_id, ada, body)
        assert answer.status_code == 400, (body[:80], answer.text)
        error_of(answer)
    assert ok(house.get(f"/auctions/{auction_id}"))["bidCount"] == 0


async def test_a_body_has_its_largest_size(house: House) -> None:
    """64 KiB pass, more does not, announced or in chunks; the rest of the house goes on."""
    auction_id = await house.lot()
    body = b'{"amount":100}'
    ok(house.bid(auction_id, house.person(), body.ljust(64 * 1024)))
    assert house.bid(auction_id, house.person(), body.ljust(64 * 1024 + 1)).status_code == 413
    path, headers = f"{API}/auctions/{auction_id}/bid", house.headers(house.person())

    def chunks() -> Any:
        for _ in range(80):
            yield b" " * 1024

    answer = house.web.post(path, content=chunks(), headers=headers)
    assert error_of(answer)[0] == 413
    assert ok(house.get(f"/auctions/{auction_id}"))["bidCount"] == 1


async def test_fingerprints(house: House) -> None:
    """1 to 128 visible ASCII characters; anything else is 400 with its header."""
    auction_id = await house.lot()
    amount = 100
    for good in ("x", "x" * 128, "".join(map(chr, range(0x21, 0x7F)))):
        answer = house.bid(auction_id, house.person(), {"amount": amount}, X_Fingerprint=good)
        assert answer.status_code == 200
        assert "x-fingerprint-error" not in answer.headers
        amount += 10
    path = f"{API}/auctions/{auction_id}/bid"
    for bad in (b"", b"x" * 129, b"with space", b"tab\tx", b"\xc3\xa9"):
        headers = [(k.encode(), v.encode()) for k, v in house.headers(house.person()).items()]
        answer = house.web.post(
            path, json={"amount": amount}, headers=[*headers, (b"X-Fingerprint", bad)]
        )
        assert error_of(answer) == (400, "Fingerprint validation failed"), bad
        assert answer.headers["x-fingerprint-error"] == "true"


# ── Other formats ────────────────────────────────────────────────────────────────────────


async def test_several_places(house: House) -> None:
    """Each bidder has one standing bid at its full amount, seen by all; ``max`` is refused."""
    auction_id = await house.lot(winner_count=2)
    ada, bram, celia = (house.person() for _ in range(3))
    assert ok(house.get(f"/auctions/{auction_id}"))["winnerCount"] == 2
    answer = house.bid(auction_id, ada, {"amount": 300, "max": True})
    assert error_of(answer) == (400, "Invalid request")
    assert answer.json()["details"][0]["field"] == "max"
    for person, amount in ((ada, 300), (bram, 200), (celia, 250)):
        assert ok(house.bid(auction_id, person, {"amount": amount}))["status"] == "WINNING"

    def standings() -> list[str]:
        people = (ada, bram, celia)
        return [ok(house.get(f"/auctions/{auction_id}/status", p))["status"] for p in people]

    assert standings() == ["WINNING", "OUTBID", "WINNING"]
    shown = [bid["amount"] for bid in ok(house.get(f"/auctions/{auction_id}/bids", bram))]
    assert shown == [250, 200, 300]
    await house.wish(CloseLot(auction_id))
    await house.until_status(auction_id, "SETTLED")
    assert standings() == ["WON", "LOST", "WON"]
    for person, amount in ((ada, 300), (celia, 250)):
        token = ok(house.get(f"/auctions/{auction_id}/status", person))["paymentToken"]
        claims = jwt.decode(token, options={"verify_signature": False})
        assert (claims["auction"], claims["consumer"]) == (auction_id, person.consumer_id)
        assert float(claims["amount"]) == amount
        assert claims["currency"] == "EUR"
        assert claims["exp"] > time.time()
        assert ok(house.get(f"/auctions/{auction_id}/status", person))["paymentToken"] == token
    assert "paymentToken" not in ok(house.get(f"/auctions/{auction_id}/status", bram))


async def test_one_bid_each(house: House) -> None:
    """It need not beat anyone; a second one is 409, and after it was taken back it is gone."""
    auction_id, ada, bram = await house.lot(format="one_bid"), house.person(), house.person()
    ok(house.bid(auction_id, ada, {"amount": 300}, Idempotency_Key="a1"))
    assert error_of(house.bid(auction_id, ada, {"amount": 400})) == (409, "Bid already placed")
    low = house.bid(auction_id, bram, {"amount": 99})
    assert error_of(low) == (400, "Bid must be higher than current bid")
    ok(house.bid(auction_id, bram, {"amount": 200}))
    await house.wish(CancelBid(auction_id, ada.consumer_id, "a1", cmd_id="c1"))
    await until(lambda: ok(house.get(f"/auctions/{auction_id}"))["currentHighBid"] == 200)
    assert [b["amount"] for b in ok(house.get(f"/auctions/{auction_id}/bids", bram))] == [200]
    status = ok(house.get(f"/auctions/{auction_id}/status", ada))
    assert (status["status"], status["bidCount"]) == ("NOT_BID", 0)
    ok(house.bid(auction_id, ada, {"amount": 150}))


async def test_a_falling_price(house: House) -> None:
    """What one more unit costs, and how many are left; other formats have no such price."""
    auction_id = await house.lot(
        format="dutch", winner_count=2, floor=5_000, drop=2_000, drop_interval_ms=1_500
    )
    path = f"/auctions/{auction_id}/current-price"
    first = ok(house.get(path))
    assert first.keys() == {"currentPrice", "remainingQuantity", "auctionEnded"}
    assert (first["remainingQuantity"], first["auctionEnded"]) == (2, False)
    await until(lambda: ok(house.get(path))["currentPrice"] < 100)
    ada, bram = house.person(), house.person()
    ok(house.bid(auction_id, ada, {"amount": 100}))  # at what is asked, not at what is offered
    assert ok(house.get(f"/auctions/{auction_id}"))["currentHighBid"] < 100
    assert ok(house.get(path))["remainingQuantity"] == 1
    assert error_of(house.bid(auction_id, ada, {"amount": 100})) == (409, "Bid already placed")
    ok(house.bid(auction_id, bram, {"amount": 100}))
    await until(lambda: ok(house.get(path))["auctionEnded"])
    assert ok(house.get(path))["remainingQuantity"] == 0
    other = house.get(f"/auctions/{await house.lot()}/current-price")
    assert error_of(other) == (409, "Wrong format")
    assert error_of(house.get("/auctions/auction_none_1/current-price"))[0] == 404


def buy_now(house: House, auction_id: str, person: Person | None, **headers: str) -> httpx.Response:
    path = f"{API}/auctions/{auction_id}/buy-now"
    return house.web.post(path, headers=house.headers(person, **headers))


async def test_buying_now(house: House) -> None:
    """The printed price ends it at once; the offer ends at the first bid, or, where there is a
    reserve, when that is met."""
    ada, bram = house.person(), house.person()
    auction_id = await house.lot(buy_now=90_000)
    assert ok(house.get(f"/auctions/{auction_id}"))["buyNowPrice"] == 900
    first = buy_now(house, auction_id, ada, Idempotency_Key="b1")
    bought = ok(first)
    assert bought.keys() >= {"status", "lastBidAmount", "lastBidTime", "bidCount", "bidId", "seq"}
    assert (bought["status"], bought["lastBidAmount"]) == ("WINNING", 900)
    assert buy_now(house, auction_id, ada, Idempotency_Key="b1").json() == bought
    await house.until_status(auction_id, "SETTLED")
    assert ok(house.get(f"/auctions/{auction_id}/status", ada))["status"] == "WON"
    assert "buyNowPrice" not in ok(house.get(f"/auctions/{auction_id}"))
    assert error_of(buy_now(house, auction_id, bram))[0] == 400

    reserved = await house.lot(buy_now=90_000, reserve=30_000)
    ok(house.bid(reserved, ada, {"amount": 100}))
    assert ok(house.get(f"/auctions/{reserved}"))["buyNowPrice"] == 900
    ok(house.bid(reserved, ada, {"amount": 300}))
    plain = await house.lot(buy_now=90_000)
    ok(house.bid(plain, ada, {"amount": 100}))
    for over in (reserved, plain, await house.lot()):
        assert "buyNowPrice" not in ok(house.get(f"/auctions/{over}"))
        assert error_of(buy_now(house, over, bram)) == (400, "Buy now is not available")
    assert error_of(buy_now(house, plain, None)) == (401, "Authentication required")
    assert error_of(buy_now(house, "auction_none_1", ada)) == (404, "Auction not found")


async def test_lowering_a_limit(house: House) -> None:
    """The leader's own, as far as nobody has bid against it; nothing public changes."""
    auction_id, ada, bram = await house.lot(), house.person(), house.person()
    path = f"{API}/auctions/{auction_id}/limit"

    def lower(person: Person | None, amount: float | str | None) -> httpx.Response:
        if amount is None:
            return house.web.delete(path, headers=house.headers(person))
        return house.web.put(path, json={"amount": amount}, headers=house.headers(person))

    ok(house.bid(auction_id, ada, {"amount": 900, "max": True}))
    ok(house.bid(auction_id, bram, {"amount": 300}))
    before = {**ok(house.get(f"/auctions/{auction_id}")), "serverTime": 0}
    assert ok(lower(ada, 500)) == {"auctionId": auction_id, "limit": 500}
    assert {**ok(house.get(f"/auctions/{auction_id}")), "serverTime": 0} == before
    assert ok(house.get(f"/auctions/{auction_id}/status", ada))["lastBidAmount"] == 500
    for person, amount in ((ada, 500), (ada, 600), (ada, 309.99), (bram, 200), (bram, None)):
        assert error_of(lower(person, amount)) == (409, "Limit cannot be lowered"), amount
    for bad in (0, -1, "x", 300.001):
        assert error_of(lower(ada, bad)) == (400, "Invalid amount")
    assert ok(lower(ada, None)) == {"auctionId": auction_id, "limit": 310}  # the current price
    assert error_of(lower(None, 400)) == (401, "Authentication required")
    outbid = ok(house.bid(auction_id, bram, {"amount": 320}))
    assert outbid["status"] == "WINNING"


async def test_barred_fingerprints(house: House) -> None:
    """A device that the house does not let in is told so, on bids and on buying; another's
    bids go on."""
    auction_id, ada = await house.lot(buy_now=90_000), house.person()
    books = open_books(house.settings.database_url)
    try:
        bar(books, Vault(house.keys.vault_key), "device-1", "two accounts", 1)
    finally:
        books.dispose()

    def barred() -> bool:
        somebody = house.person()  # anew each time: nobody may ask all too often
        tried = house.bid(auction_id, somebody, {"amount": 1}, X_Fingerprint="device-1")
        return tried.status_code == 403

    await until(barred)
    for answer in (
        house.bid(auction_id, ada, {"amount": 100}, X_Fingerprint="device-1"),
        buy_now(house, auction_id, ada, X_Fingerprint="device-1"),
    ):
        assert error_of(answer) == (403, "Fingerprint validation failed")
        assert answer.headers["x-fingerprint-error"] == "true"
    ok(house.bid(auction_id, ada, {"amount": 100}, X_Fingerprint="device-2"))


async def test_live_and_test_do_not_see_each_other(house: House) -> None:
    """An auction of the other mode is not there: alone, in lists, for bids."""
    sale_id, ada = await house.sale(mode="live"), house.person()
    now = await house.now()
    auction_id = f"auction_{sale_id.split('_')[1]}_live"
    terms = Terms(10_000, STEPS, opens_at=now)
    shown = await house.lot()
    await house.wish(AddLot(auction_id, sale_id, terms, Catalogue("1", "Live bowl")))
    after = await house.lot()
    for path in ("", "/status", "/bids", "/current-price"):
        answer = house.get(f"/auctions/{auction_id}{path}", ada)
        assert error_of(answer) == (404, "Auction not found"), path
    assert error_of(house.bid(auction_id, ada, {"amount": 100})) == (404, "Auction not found")
    assert ok(house.get(f"/auctions?sequenceId={sale_id}"))["data"] == []
    listed = ok(house.get(f"/auctions?limit=100&cursor={shown}"))["data"]
    assert [auction["id"] for auction in listed] == [after]
    assert house.get(f"/auctions?cursor={auction_id}").status_code == 400


# ── The same bid again ───────────────────────────────────────────────────────────────────


async def test_a_key_places_one_bid(house: House) -> None:
    """The same key and body: the first answer again, word for word, whatever came between;
    another body: 422."""
    auction_id, ada, bram = await house.lot(), house.person(), house.person()
    first = house.bid(auction_id, ada, {"amount": 100}, Idempotency_Key="k1")
    low = house.bid(auction_id, bram, {"amount": 105}, Idempotency_Key="k1")
    ok(house.bid(auction_id, bram, {"amount": 120}))
    ok(house.bid(auction_id, ada, {"amount": 200}))
    for _ in range(2):
        again = house.bid(auction_id, ada, {"amount": "1e2", "max": False}, Idempotency_Key="k1")
        assert again.json() == first.json()
        refused = house.bid(auction_id, bram, {"amount": 105}, Idempotency_Key="k1")
        assert (refused.status_code, refused.json()) == (low.status_code, low.json())
    for body in ({"amount": 300}, {"amount": 100, "max": True}):
        answer = house.bid(auction_id, ada, body, Idempotency_Key="k1")
        assert error_of(answer) == (422, "Idempotency key reused")
    assert ok(house.get(f"/auctions/{auction_id}/status", ada))["bidCount"] == 2
    other = await house.lot()
    ok(house.bid(other, ada, {"amount": 300}, Idempotency_Key="k1"))


async def test_a_key_is_the_live_protocols_id(house: House) -> None:
    """Placed here and sent again there, and the other way round: one bid, one answer."""
    auction_id, ada = await house.lot(), house.person()
    async with signed_in(house, ada) as live:
        rest = ok(house.bid(auction_id, ada, {"amount": 100}, Idempotency_Key="k1"))
        result = await live.bid(auction_id, 10_000, "k1", kind="bid")
        assert (result["outcome"], result["seq"]) == ("accepted", rest["seq"])
        assert when(rest["lastBidTime"]) == result["at"]
        mismatch = await live.bid(auction_id, 10_000, "k1", kind="max")
        assert mismatch["code"] == "idempotency_mismatch"
        result = await live.bid(auction_id, 50_000, "k2", kind="max")
        rest = ok(house.bid(auction_id, ada, {"amount": 500, "max": True}, Idempotency_Key="k2"))
        assert (rest["seq"], when(rest["lastBidTime"])) == (result["seq"], result["at"])
    assert ok(house.get(f"/auctions/{auction_id}/status", ada))["bidCount"] == 2


async def test_keys_that_are_none(house: House) -> None:
    """1 to 64 visible characters, as a cmdId."""
    auction_id, ada = await house.lot(), house.person()
    for key in ("", "x" * 65, "with space"):
        answer = house.bid(auction_id, ada, {"amount": 100}, Idempotency_Key=key)
        assert answer.status_code == 400, key
    ok(house.bid(auction_id, ada, {"amount": 100}, Idempotency_Key="x" * 64))


async def test_too_many_bids(house: House) -> None:
    """429 with its text and headers; after the time it names the same bid is placed."""
    auction_id, ada = await house.lot(), house.person()
    answers = [house.bid(auction_id, ada, {"amount": 100 + n}) for n in range(25)]
    codes = [answer.status_code for answer in answers]
    first = codes.index(429)
    assert 10 <= first <= 14  # some are refilled
    assert answers[0].headers["x-ratelimit-limit"] == "10"
    assert answers[0].headers["x-ratelimit-remaining"] == "9"
    limited = answers[first]
    assert error_of(limited) == (429, "Rate limit exceeded")
    assert limited.json()["retryAfter"] == int(limited.headers["retry-after"]) >= 1
    assert limited.headers["x-ratelimit-remaining"] == "0"
    assert 0 <= int(limited.headers["x-ratelimit-reset"]) - time.time() <= 4
    await asyncio.sleep(int(limited.headers["retry-after"]))
    ok(house.bid(auction_id, ada, {"amount": 900}))
    ok(house.bid(auction_id, house.person(), {"amount": 1_000}))  # counted by account


# ── Privacy ──────────────────────────────────────────────────────────────────────────────


async def test_bidders_are_anonymous_and_stable(house: House) -> None:
    """One name for one bidder in an auction, whoever asks; another in the next; in neither
    anything of their id."""
    sale_id = await house.sale()
    ada, bram = house.person(), house.person()
    names: list[list[str]] = []
    for auction_id in (await house.lot(sale_id), await house.lot(sale_id)):
        for number in range(4):
            ok(house.bid(auction_id, (ada, bram)[number % 2], {"amount": 100 + 10 * number}))
        seen = [ok(house.get(f"/auctions/{auction_id}/bids", p)) for p in (ada, bram)]
        assert seen[0] == seen[1]
        found = [bid["consumerId"] for bid in seen[0]]
        assert found[0] == found[2] != found[1] == found[3]
        assert all(re.fullmatch(r"bidder_[0-9a-f]{4,}", name) for name in found)
        names.append(found)
    assert not set(names[0]) & set(names[1])


async def test_what_is_private_is_said_nowhere(house: House) -> None:
    """A reserve, another's limit and their id are in no frame, page, answer or figure."""
    sale_id = await house.sale()
    reserve, limit, passed = 77_431_97, 66_518_83, 31_294_71
    auction_id = await house.lot(sale_id, reserve=reserve, increments=STEPS)
    ada, bram, celia = (house.person() for _ in range(3))
    texts: list[str] = []

    async def look() -> None:
        async with signed_in(house) as spectator, signed_in(house, celia) as bidder:
            for live in (spectator, bidder):
                await live.subscribe(auction_id)
                texts.extend(live.raw)
        own = ("", "/status", "/highest-bid", "/bids", "/bids/history")
        texts.extend(house.get(f"/auctions/{auction_id}{path}", celia).text for path in own)
        texts.append(house.get(f"/auctions?sequenceId={sale_id}").text)
        texts.extend(house.web.get(path).text for path in ("/", f"/lot/{auction_id}", "/metrics"))
        texts.append(house.bid(auction_id, celia, {"amount": 100}).text)  # too low

    async with (
        signed_in(house) as spectator,
        signed_in(house, ada) as a,
        signed_in(house, bram) as b,
    ):
        snapshot = await spectator.subscribe(auction_id)
        ok(house.bid(auction_id, celia, {"amount": 100}))
        await a.bid(auction_id, limit, "a1")
        await look()
        await b.bid(auction_id, passed, "b1")
        await b.drain()
        await look()
        texts.extend(b.raw[1:])  # the other bidder is told of neither
        await house.wish(CloseLot(auction_id))
        await house.until_status(auction_id, "SETTLED")
        await look()
        await spectator.drain()
        texts.extend(spectator.raw)
    async with signed_in(house, celia) as again:
        await again.subscribe(auction_id, lineage=snapshot["lineage"], seq=0)
        await again.next_of("settled")
        texts.extend(again.raw[1:])
    everything = "\n".join(texts)
    assert "not_met" in everything
    for secret in (reserve, limit):
        assert str(secret) not in everything
        assert f"{secret / 100:.2f}" not in everything
        assert f"{secret / 100:,.2f}" not in everything
    for person in (ada, bram):
        assert person.token not in everything
    outsiders = [text for text in texts if bram.consumer_id in text or ada.consumer_id in text]
    assert outsiders == []


# ── Pages ────────────────────────────────────────────────────────────────────────────────


def test_pages(house: House) -> None:
    """The catalogue and a lot with a policy; what is not there is a 404 page."""
    assert house.keys.demo is not None
    lot = house.keys.demo.auction_ids[0]
    for path in ("/", f"/lot/{lot}"):
        page = house.web.get(path)
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        policy = page.headers["content-security-policy"]
        assert "default-src" in policy
        assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
        assert "unsafe-eval" not in policy
    for path in ("/nothing", "/lot/auction_none_1", "/lot/", "/sign-in/nobody", "/static/nothing.js",
                 "/static/../keys.json", "/static/%2e%2e/%2e%2e/pyproject.toml",
                 "/static/..%2f..%2fapp.py"):  # fmt: skip
        page = house.web.get(path)
        assert page.status_code == 404, path
        if not path.startswith("/static"):
            assert page.headers["content-type"].startswith("text/html"), path
            assert "content-security-policy" in page.headers


def test_the_demonstration(house: House) -> None:
    """At least 20 bidders and 12 open lots without a bid, two of them ending within ten
    minutes and ten not for a day."""
    demo = house.keys.demo
    assert demo is not None
    assert len(demo.bidders) >= 20
    lots = ok(house.get(f"/auctions?sequenceId={demo.sale_id}&limit=100"))["data"]
    assert {lot["id"] for lot in lots} == set(demo.auction_ids)
    assert len(lots) >= 12
    assert all((lot["status"], lot["bidCount"]) == ("OPEN", 0) for lot in lots)
    left = sorted((when(lot["closeAt"]) - when(lot["serverTime"])) / 60_000 for lot in lots)
    assert left[0] > 0
    assert left[1] < 10
    assert sum(minutes >= 24 * 60 for minutes in left) >= 10


def test_a_sign_in_link(house: House) -> None:
    """Sets a cookie that scripts cannot read, and leads nowhere but to this house."""
    demo = house.keys.demo
    assert demo is not None
    path = urlsplit(demo.bidders[0].url).path
    lot = f"/lot/{demo.auction_ids[0]}"
    answer = house.web.get(path, params={"next": lot})
    assert (answer.status_code, answer.headers["location"]) == (303, lot)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    page = house.web.get(lot)  # the client has kept the cookie
    assert demo.bidders[0].name in page.text
    house.web.cookies.clear()
    assert demo.bidders[0].name not in house.web.get(lot).text
    for target in ("//evil.test", "/\\evil.test", "https://evil.test", "https:evil.test", "\\\\evil",
                   "/\t/evil.test", "/\n/evil.test", "\t//evil.test", " //evil.test", "evil.test",
                   "javascript:alert(1)", "///evil.test", "/\\/evil.test", ""):  # fmt: skip
        answer = house.web.get(path, params={"next": target})
        assert answer.status_code == 303
        # As a browser reads it: without tabs and line ends, \ as / (WHATWG URL).
        seen = re.sub(r"[\t\r\n]", "", answer.headers["location"]).strip().replace("\\", "/")
        assert seen.startswith("/"), target
        assert not seen.startswith("//"), target
        house.web.cookies.clear()


def test_health_and_figures(house: House) -> None:
    """Serving, ready, and Prometheus text."""
    assert house.web.get("/healthz").status_code == 200
    assert house.web.get("/readyz").status_code == 200
    figures = house.web.get("/metrics")
    assert figures.headers["content-type"].startswith("text/plain")
    assert re.search(r"^fairwarning_connections \d", figures.text, re.MULTILINE)


# ── When nobody decides ──────────────────────────────────────────────────────────────────


@asynccontextmanager
async def engine_stands_still(house: House) -> AsyncIterator[None]:
    """Nobody leads while inside, and the gateway knows."""
    engine = house.pid_of("engine.1")
    kill(engine, signal.SIGSTOP)
    try:
        yield
    finally:
        kill(engine, signal.SIGCONT)


async def until_ready(house: House, status: int) -> Json:
    deadline = time.monotonic() + 20
    while (answer := house.web.get("/readyz")).status_code != status:
        assert time.monotonic() < deadline, answer.text
        await asyncio.sleep(0.02)
    found: Json = answer.json()
    return found


async def test_without_an_engine_no_bid_is_taken(house: House) -> None:
    """503 and ``overloaded``, definite: nothing entered the log.  When it goes on, the same
    ids are decided, once."""
    auction_id, ada, bram = await house.lot(), house.person(), house.person()
    async with signed_in(house, ada) as live:
        async with engine_stands_still(house):
            said = await until_ready(house, 503)
            assert "shard" in json.dumps(said)
            await live.send_bid(auction_id, 20_000, "w1")
            error = await live.next_of("error")
            assert error["code"] == "overloaded"
            assert error["auctionId"] == auction_id
            rest = house.bid(auction_id, bram, {"amount": 100}, Idempotency_Key="r1")
            assert error_of(rest) == (503, "Bidding is unavailable")
            assert house.web.get("/healthz").status_code == 200
        await until_ready(house, 200)
        assert ok(house.get(f"/auctions/{auction_id}"))["bidCount"] == 0
        result = await live.bid(auction_id, 20_000, "w1")
        assert result["outcome"] == "accepted"
        assert await live.bid(auction_id, 20_000, "w1") == result
    assert ok(house.get(f"/auctions/{auction_id}/status", ada))["bidCount"] == 1


async def test_a_bid_that_waits_for_the_engine_is_decided_once(house: House) -> None:
    """Taken in just before the engine stood still, and sent again while it did: nothing is
    said until it is decided, and it is decided once."""
    auction_id, ada = await house.lot(), house.person()
    async with signed_in(house, ada) as live, signed_in(house, ada) as other:
        async with engine_stands_still(house):
            await live.send_bid(auction_id, 20_000, "w1")
            await other.send_bid(auction_id, 20_000, "w1")
            await until_ready(house, 503)
            await live.send(type="ping", t=1)
            assert (await live.next())["type"] == "pong"
        result = await live.next_of("result")
        assert result["outcome"] == "accepted"
        assert await other.next_of("result") == result
        await until_ready(house, 200)
        rest = house.bid(auction_id, ada, {"amount": 200, "max": True}, Idempotency_Key="w1")
        assert ok(rest)["seq"] == result["seq"]
    assert len(ok(house.get(f"/auctions/{auction_id}/bids", ada))) == 1


async def test_a_storm_through_the_log_is_shown_as_it_was(house: House) -> None:
    """300 bids at once: the list has each that made a price, newest first, as decided."""
    auction_id, ada = await house.lot(), house.person()
    commands: list[Command] = [
        PlaceBid(auction_id, f"cons_{n % 3}", f"c{n}", 10_000 + 1_000 * n, "bid")
        for n in range(300)
    ]
    await house.wish(*commands)
    deadline = time.monotonic() + 10
    while ok(house.get(f"/auctions/{auction_id}"))["bidCount"] < 300:
        assert time.monotonic() < deadline
    bids = ok(house.get(f"/auctions/{auction_id}/bids?limit=100", ada))
    assert [bid["amount"] for bid in bids] == [100 + 10 * n for n in range(299, 199, -1)]
    assert len({bid["bidId"] for bid in bids}) == 100


def test_secrets_are_in_no_other_file(house: House) -> None:
    """Only keys.json and the master key hold secrets in the clear; both are their owner's."""
    keys = house.keys
    for name in ("keys.json", "master.key"):
        assert (house.data_dir / name).stat().st_mode & 0o777 == 0o600
    secrets = [keys.secret_key, keys.operator_key]
    for file in house.data_dir.rglob("*"):
        if file.is_file() and file.name not in ("keys.json", "master.key"):
            found = file.read_bytes()
            assert not [secret for secret in secrets if secret.encode() in found], Path(file.name)
