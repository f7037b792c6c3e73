"""A house that asks the verifier, and the public beside it: every call, without a socket."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from gateway.books.store import reading
from gateway.settings import Rate
from verifier.api.calls import Application, Limits, Verifier
from verifier.api.pages import PAGES
from verifier.api.routes import CALLS
from verifier.core.objects import REQUIRED_ANGLES
from verifier.photographs.jobs import Enrolled, Renewed, Score
from verifier.registry import chain, log
from verifier.registry.scans import Counter
from verifier.store import Store

BASE = "/api/v1/auction"
ALL = ("provenance:read", "provenance:write", "transfers:write", "owners:write")
AT_HOME = "203.0.113.7"
Json = dict[str, Any]


class Clock:
    """A clock that a test moves."""

    def __init__(self, now_ms: int) -> None:
        self.at = now_ms

    def now_ms(self) -> int:
        return self.at

    def monotonic(self) -> float:
        return self.at / 1000

    def pass_(self, seconds: float) -> None:
        self.at += int(seconds * 1000)


class Reader:
    """Reads no picture: says of each what a worker would, from its bytes alone."""

    async def enrol(self, photo: bytes, anchors: int, others: Sequence[bytes] = ()) -> Enrolled:
        digest = hashlib.sha256(photo).hexdigest()
        return Enrolled(
            sha256=digest,
            width=1200,
            height=800,
            pixel_sha256=hashlib.sha256(b"pixels" + photo).hexdigest(),
            pdq=digest,
            served=b"jpeg of " + photo,
            binding=Renewed(b"features of " + photo, anchors, True, []),
        )

    async def match(self, photo: bytes, templates: Sequence[tuple[str, bytes]]) -> list[Score]:
        return [Score(name, 40, 9, 11, 0.5) for name, _ in templates]


@dataclass
class House:
    """Asks as somebody: with a key of all scopes unless it is said otherwise."""

    verifier: Verifier
    clock: Clock
    web: httpx.AsyncClient
    counted: list[int] = field(default_factory=list)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        key: Sequence[str] | str = ALL,
        mode: str = "test",
        address: str = AT_HOME,
        rate: Json | None = None,
        headers: Json | None = None,
        **more: Any,
    ) -> httpx.Response:
        """One call.  *key*: its scopes, or how it stands where it does not."""
        known: Json = {"status": key, "id": None, "mode": None, "scopes": []}
        if not isinstance(key, str):
            known = {"status": "valid", "id": "key_1", "mode": mode, "scopes": list(key)}
        said = {"address": address, "country": None, "key": known, "rate": rate}
        whole = {"x-fairwarning-caller": json.dumps(said), **(headers or {})}
        target = path if path.startswith("/") else f"{BASE}/{path}"
        return await self.web.request(method, target, headers=whole, **more)

    async def get(self, path: str, **more: Any) -> httpx.Response:
        return await self.ask("GET", path, **more)

    async def post(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        return await self.ask("POST", path, json=body, **more)

    async def internal(self, method: str, path: str, **more: Any) -> httpx.Response:
        """What another process of the house asks."""
        return await self.web.request(method, f"/internal/{path}", **more)

    # ── What tests begin with ────────────────────────────────────────────────────────────

    async def register(self, **more: Any) -> Json:
        """A new object."""
        said = {"title": "A chronograph", "category": "collectible", **more}
        answer = await self.post("objects/register", said)
        assert answer.status_code == 201, answer.text
        found: Json = answer.json()["object"]
        return found

    async def photograph(self, found: Json, angle: str, picture: bytes = b"") -> httpx.Response:
        """A photograph of it."""
        content = picture or f"{found['serial']} {angle}".encode()
        return await self.ask(
            "POST",
            f"objects/{found['id']}/photos",
            files={"photo": ("it.jpg", content, "image/jpeg")},
            data={"angle": angle},
        )

    async def bound(self, **more: Any) -> Json:
        """An object with all its photographs."""
        found = await self.register(**more)
        for angle in REQUIRED_ANGLES[found["category"]]:
            answer = await self.photograph(found, angle)
            assert answer.status_code == 201, answer.text
        return found

    async def report(self, found: Json, event_type: str, **evidence: Any) -> httpx.Response:
        """An event that the house reports."""
        said = {
            "eventType": event_type,
            "actorRole": "auction_house",
            "description": "as seen",
            "evidence": evidence,
        }
        return await self.post(f"objects/{found['id']}/provenance", said)

    async def owner(self, name: str) -> str:
        """A person's id."""
        answer = await self.post("owners", {"name": name, "external_id": f"crm-{name}"})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["owner_id"])

    async def begin(self, found: Json, **more: Any) -> httpx.Response:
        """A transfer to somebody new."""
        said = {
            "objectId": found["id"],
            "fromOwnerId": found["owner_id"],
            "toOwnerId": await self.owner("Buyer"),
            "salePrice": 44_000,
            "saleCurrency": "EUR",
            **more,
        }
        return await self.post("transfers/initiate", said)

    # ── What nobody should have moved ────────────────────────────────────────────────────

    def size(self) -> int:
        """How many entries the log has."""
        with reading(self.verifier.store.engine) as connection:
            return log.size(connection)

    def chain(self, found: Json) -> list[str]:
        """The hashes of an object's events."""
        with reading(self.verifier.store.engine) as connection:
            return [row.hash for row, _ in chain.documents(connection, found["id"])]


def house_of(store: Store, now_ms: int, workers: Any, rate: Rate | None = None) -> House:
    """A house with this verifier."""
    clock = Clock(now_ms)
    verifier = Verifier(
        store=store,
        workers=workers,
        scans=Counter(store),
        limits=Limits.of(rate),
        now_ms=clock.now_ms,
        monotonic=clock.monotonic,
    )
    transport = httpx.ASGITransport(Application(verifier, (*CALLS, *PAGES)))
    web = httpx.AsyncClient(transport=transport, base_url="http://verifier")
    return House(verifier, clock, web)


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an error, whose body has the contract's form."""
    body = answer.json()
    assert set(body) == {"error", "meta"}, body
    assert set(body["meta"]) == {"requestId", "timestamp"}
    assert body["meta"]["requestId"] == answer.headers["x-request-id"]
    assert body["error"]["message"]
    return answer.status_code, body["error"]["code"]
