"""How often can a house be asked whether an object is what it is said to be?

A whole house: every question goes through the gateway to the verifier and back.  Asked about
one object again and again, as when its lot is on the screen, an answer is kept for two
seconds; asked about a thousand objects in turn, none is, and each record is checked from its
signatures to the signed tree.  Beside both stands what a report of an event takes in the
verifier alone: checked, signed, chained, logged and the tree signed again, on the disk.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from loadtests.figures import Figure
from loadtests.house import House, open_house
from loadtests.requests import CONNECTIONS, Request, closed_loop, look
from verifier.registry import objects, provenance, rotation
from verifier.store import open_store

CACHED_AIM = 1_000.0
UNCACHED_AIM = 150.0
APPEND_AIM_MS = 10.0
EVENTS = 4  # of each object, the registration included
API = "/api/v1/auction"
_PATIENCE_S = 20.0


async def measure(seconds: float, count: int, appends: int) -> list[Figure]:
    """Questions a second for *seconds* each, of one object and of *count*; the wait for each of
    *appends* events."""
    waits = await asyncio.to_thread(_append, appends)
    p50, p99 = (waits[int(share * (len(waits) - 1))] for share in (0.5, 0.99))
    async with open_house() as house:
        cached, uncached = await house.while_open(_asking(house, seconds, count))
    whole = f"through gateway and verifier; {CONNECTIONS} keep-alive connections"
    alone = "one transaction of the verifier on SQLite, fsync included, one after the other"
    return [
        Figure("verify, cached", cached, "requests/s", f"one object, {whole}", aim=CACHED_AIM),
        Figure(
            "verify, uncached",
            uncached,
            "requests/s",
            f"{count} objects of {EVENTS} events in turn, {whole}",
            aim=UNCACHED_AIM,
        ),
        Figure("event append p50", p50, "ms", alone, lower=True),
        Figure("event append p99", p99, "ms", alone, aim=APPEND_AIM_MS, lower=True),
    ]


def _append(count: int) -> list[float]:
    """The time of each of so many events of one object, in ms, shortest first."""
    now_ms = time.time_ns() // 1_000_000
    with tempfile.TemporaryDirectory(prefix="fairwarning-load-") as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 'verifier.db'}"
        key = secrets.token_bytes(32)
        store = open_store(url, key, folder / "photos", "https://id.example", "952", "A house")
        rotation.begin(store, now_ms)
        said = objects.Registration("A chronograph", "watch")
        object_id = objects.register(store, "test", said, now_ms).row.object_id
        found = []
        for number in range(count):
            report = provenance.Statement(
                "condition_reported", "expert", "as seen", {"sheet": number}, None
            )
            began = time.perf_counter()
            provenance.post(store, "test", object_id, report, now_ms + number)
            found.append((time.perf_counter() - began) * 1000)
        store.engine.dispose()
    return sorted(found)


async def _asking(house: House, seconds: float, count: int) -> tuple[float, float]:
    serials = await _registered(house, count)
    port = house.settings.port
    one = look(port, _path(serials[0]), "")
    cached = await closed_loop(port, [one] * CONNECTIONS, seconds)
    uncached = await closed_loop(port, _in_turn(port, serials), seconds)
    return cached, uncached


def _in_turn(port: int, serials: list[str]) -> list[Request]:
    """Each connection begins elsewhere in the list, and none asks for what another just did."""
    texts = [look(port, _path(serial), "")(0) for serial in serials]
    share = max(1, len(texts) // CONNECTIONS)

    def of_connection(place: int) -> Request:
        return lambda number: texts[(place * share + number % share) % len(texts)]

    return [of_connection(place) for place in range(CONNECTIONS)]


def _path(serial: str) -> str:
    return f"{API}/public/verify/{serial}"


async def _registered(house: House, count: int) -> list[str]:
    """So many objects with a short history each; their serials."""
    headers = {"x-api-key": house.keys.operator_key}
    base = f"http://127.0.0.1:{house.settings.port}"
    async with httpx.AsyncClient(
        base_url=base, headers=headers, trust_env=False, timeout=_PATIENCE_S
    ) as web:
        return [await _one(web, number) for number in range(count)]


async def _one(web: httpx.AsyncClient, number: int) -> str:
    said = {"title": f"Chronograph {number}", "category": "watch"}
    made = await _post(web, "/objects/register", said)
    for _ in range(EVENTS - 1):
        report = {"eventType": "condition_reported", "actorRole": "expert", "description": "good"}
        await _post(web, f"/objects/{made['object']['id']}/provenance", report)
    return str(made["object"]["serial"])


async def _post(web: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await web.post(API + path, json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = json.loads(answer.content)
    return found
