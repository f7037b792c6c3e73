"""Many requests, eight times each and all at once, on two gateways: each has one effect.

``ONCE_KEYS=1000`` asks with as many different keys; the suite makes do with fewer.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterable
from typing import Any

import httpx

from tests.integration.desk import Desk
from tests.integration.open_house import API, House

SETTINGS = {"GATEWAYS": "2", "BID_RATE": "0", "HTTP_RATE": "0", "KEY_RATE": "0"}
KEYS = int(os.environ.get("ONCE_KEYS", "150"))
TIMES = 8
AT_ONCE = 64
Asking = tuple[str, dict[str, Any]]  # path and body


async def test_bids_are_each_decided_once(house: House) -> None:
    """Whoever asks for the eighth time gets the first answer, word for word."""
    auction_id, ada = await house.lot(), house.person()
    path = f"{API}/auctions/{auction_id}/bid"
    answers = await _all_at_once(
        house,
        house.headers(ada),
        lambda n: (path, {"amount": 100 + n, "max": True}),
    )
    kept = [_only(each) for each in answers]
    accepted = [said for status, said in kept if status == 200]
    assert {status for status, _ in kept} <= {200, 400}  # a lower limit that came later
    standing = house.get(f"/auctions/{auction_id}/status", ada).json()
    assert standing["bidCount"] == len(accepted) > 0
    assert len({said["bidId"] for said in accepted}) == len(accepted)
    assert standing["lastBidAmount"] == 100 + KEYS - 1


async def test_issues_are_each_booked_once(house: House) -> None:
    """What was asked for eight times is in the account once."""
    desk = Desk.of(house)
    coin = {"type": "erc20", "symbol": "BID", "name": "Bid", "decimals": 6}
    asset = desk.post("/asset", coin, 201)["data"]["id"]
    desk.post("/user", {"email": "ana@example.test", "first_name": "A", "last_name": "B"}, 201)
    path = f"/asset/{asset}/issue"
    answers = await _all_at_once(
        house,
        desk.headers,
        lambda n: (path, {"email": "ana@example.test", "amount": n + 1}),
    )
    assert [_only(each)[0] for each in answers] == [201] * KEYS
    [balance] = desk.get("/user/ana@example.test/balances")["data"]
    assert balance["available"] == KEYS * (KEYS + 1) // 2


async def _all_at_once(
    house: House, headers: dict[str, str], asking: Callable[[int], Asking]
) -> list[list[httpx.Response]]:
    """The answers by key, each key's requests among all the others'."""
    places = asyncio.Semaphore(AT_ONCE)
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    async with httpx.AsyncClient(
        base_url=house.url, limits=limits, timeout=60, trust_env=False
    ) as web:

        async def ask(number: int) -> httpx.Response:
            path, body = asking(number)
            named = {**headers, "Idempotency-Key": f"key-{number}"}
            async with places:
                while True:
                    answer = await web.post(path, content=json.dumps(body), headers=named)
                    if answer.status_code != 503:  # undecided: the same key again
                        return answer

        asked = [ask(number) for number in range(KEYS) for _ in range(TIMES)]
        answers = await asyncio.gather(*asked)
    return [answers[first : first + TIMES] for first in range(0, KEYS * TIMES, TIMES)]


def _only(answers: Iterable[httpx.Response]) -> tuple[int, Any]:
    """The one answer that all of a key's requests got."""
    [said] = {(answer.status_code, answer.text) for answer in answers}
    return said[0], json.loads(said[1])
