"""The house's own desk in the tests: every call is made with a key, and its answer looked at."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx

from gateway.keys import random_name
from tests.integration.open_house import API, House, Json
from tests.processes import environment, until

FAR = "2031-01-01T10:00:00Z"
LATER = "2031-01-02T10:00:00Z"


@dataclass(slots=True)
class Desk:
    """Whoever holds a key of the house."""

    house: House
    headers: dict[str, str]

    @classmethod
    def of(cls, house: House) -> Desk:
        """With the secret key of keys.json."""
        return cls(house, {"Authorization": f"Bearer {house.keys.secret_key}"})

    def with_key(self, text: str) -> Desk:
        """Another key: a secret one speaks as a bearer, an operator's in its own header."""
        if text.startswith("optr_"):
            return Desk(self.house, {"X-API-Key": text})
        return Desk(self.house, {"Authorization": f"Bearer {text}"})

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """The answer, whatever it is.  A path without a slash before it is the consumer API's."""
        where = path if path.startswith("/") else f"{API}/{path}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        return self.house.web.request(
            method, where, content=content, headers={**self.headers, **named}
        )

    def get(self, path: str) -> Any:
        return said(self.ask("GET", path), 200)

    def post(self, path: str, body: Any = None, status: int = 200, **headers: str) -> Any:
        return said(self.ask("POST", path, body, **headers), status)

    def put(self, path: str, body: Any) -> Any:
        return said(self.ask("PUT", path, body), 200)

    def patch(self, path: str, body: Any) -> Any:
        return said(self.ask("PATCH", path, body), 200)

    def pages(self, path: str) -> list[Json]:
        """Everything that a list of the operator API holds, page by page."""
        found: list[Json] = []
        cursor = ""
        while (page := self.get(f"{path}?limit=100{cursor}"))["data"]:
            found += page["data"]
            cursor = f"&cursor={page['page_info']['end_cursor']}"
        return found

    def gone(self, path: str) -> None:
        answer = self.ask("DELETE", path)
        assert (answer.status_code, answer.content) == (204, b""), answer.text

    def refused(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str]:
        """Status and text of an error; every error has a body of its dialect's form."""
        return error_of(self.ask(method, path, body, **headers))

    # ── What most tests begin with ───────────────────────────────────────────────────────

    def sale(self, **said: Any) -> str:
        """A new sale in EUR; its id."""
        plain = {"name": "Clay", "timeZone": "Europe/Berlin", "currencyCode": "EUR"}
        return str(self.post("sequences", {**plain, **said}, 201)["id"])

    def lot(self, sale_id: str | None = None, **said: Any) -> str:
        """A new lot that takes bids; its id."""
        auction_id = self.draft(sale_id, **said)
        self.post(f"auctions/{auction_id}/resume")
        return auction_id

    def draft(self, sale_id: str | None = None, **said: Any) -> str:
        """A new lot that is pending; its id."""
        plain = {"name": "Jar", "startingBid": 100, "minimumIncrement": 10, "settleAt": LATER}
        sale_id = sale_id or self.sale()
        answer = self.post("auctions", {"sequenceId": sale_id, **plain, **said}, 201)
        assert answer["status"] == "PENDING"
        return str(answer["id"])

    def key(self, *scopes: str, kind: str = "operator", **said: Any) -> Desk:
        """Whoever holds a new key with these scopes."""
        body = {"kind": kind, "name": "for a test", "scopes": list(scopes) or None, **said}
        return self.with_key(self.post("keys", body, 201)["key"])

    def live(self) -> Desk:
        """The house in earnest: a secret key of the other mode, which no call makes."""
        settings = self.house.settings
        words = ("keys", "create", "--kind", "secret", "--mode", "live", "--name", "x", "--json")
        made = subprocess.run(
            [sys.executable, "-m", "gateway", *words],
            env=environment(DATA_DIR=settings.log.data_dir, DATABASE_URL=settings.database_url),
            check=True,
            capture_output=True,
        )
        [key] = json.loads(made.stdout)
        desk = self.with_key(key["key"])
        until(lambda: desk.ask("GET", "sequences").status_code == 200, "the key to be known")
        return desk


def said(answer: httpx.Response, status: int) -> Any:
    """What was answered, with this status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["x-request-id"]
    return answer.json()


def error_of(answer: httpx.Response) -> tuple[int, str]:
    """Status, and the consumer API's text or the operator API's code."""
    assert answer.headers["x-request-id"]
    error = answer.json()["error"]
    if isinstance(error, str):
        for detail in answer.json().get("details", []):
            assert detail.keys() == {"field", "message"}
        return answer.status_code, error
    assert error.keys() <= {"code", "message", "details"}
    assert isinstance(error["message"], str)
    return answer.status_code, error["code"]


def fields_of(answer: httpx.Response) -> set[str]:
    """The fields that a 400 objects to."""
    assert answer.status_code == 400, answer.text
    body = answer.json()
    details = body["error"]["details"] if isinstance(body["error"], dict) else body["details"]
    return {detail["field"] for detail in details}


def eight_at_once(ask: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """The same request from eight sides at the same time."""
    with ThreadPoolExecutor(8) as pool:
        return [future.result() for future in [pool.submit(ask) for _ in range(8)]]


def one_effect(ask: Callable[[], httpx.Response]) -> Json:
    """Eight requests with one Idempotency-Key, and a ninth, are answered alike; the answer."""
    answers = eight_at_once(ask)
    first = answers[0]
    assert first.status_code < 300, first.text
    assert {each.content for each in answers} == {first.content}
    again = ask()
    assert (again.status_code, again.content) == (first.status_code, first.content)
    found: Json = first.json()
    return found


def until_true(condition: Callable[[], bool], what: str) -> None:
    """Wait until it is so."""
    until(condition, what)


def mail_of(name: str) -> str:
    """An address that nobody has had before."""
    return f"{name}.{random_name(8)}@example.com"
