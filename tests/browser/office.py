"""The clerk's office for the tests: a real gateway with real books, and the engine's own rules.

The gateway's application answers on a free port; in place of the log stands the engine's core,
which decides at once, and the archive is written as the clerk's process would.  The verifier is
played: objects are what a test says they are.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import uvicorn

from engine.core.messages import Command, CommandRefused, CommandTaken, Event, PlaceBid
from engine.core.sale import Shard, execute
from gateway import archive
from gateway.app import Gateway, build
from gateway.archive import Bookmark, Passage
from gateway.books import apikeys, people
from gateway.books.apikeys import KeyWish
from gateway.books.people import Person
from gateway.books.store import open_books
from gateway.keys import load_or_create, sign
from gateway.settings import read_gateway_settings
from tests.gateway.decisions import AT
from tests.gateway.scripted_verifier import Verifier, on_socket
from tests.processes import free_port

T = TypeVar("T")
NOW = AT + 3_600_000
WAIT_S = 30
ALL = ("auctions:read", "auctions:write", "console", "provenance:read")
COOKIE = "fairwarning_desk"


class Office:
    """One house; ``url`` is where its pages are."""

    gateway: Gateway

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.verifier = Verifier()
        self.now = NOW
        self._shard = Shard()
        self._place = 0
        self._head = "0"
        self._bids = 0

    @contextmanager
    def serving(self) -> Iterator[Office]:
        """Answer until the end of the block."""
        ready = threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        thread.start()
        assert ready.wait(WAIT_S), "the office did not open"
        try:
            yield self
        finally:
            self._server.should_exit = self._server.force_exit = True
            thread.join(WAIT_S)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine where the gateway lives."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_S)

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        given = {"DATA_DIR": str(self._folder), "DEMO": "0", "PORT": str(self._port)}
        limits = {"HTTP_RATE": "0", "KEY_RATE": "0", "VERIFY_RATE": "0"}
        settings = read_gateway_settings({**given, **limits})
        database = archive.open_archive(settings.database_url)
        books = open_books(settings.database_url)
        keys = load_or_create(settings, NOW)
        apikeys.enter_house_keys(books, keys, NOW)
        archive.begin(database, {0: Bookmark("one", 0, self._head)})
        nobody: Any = None
        self.gateway = Gateway(settings, keys, (nobody, nobody, nobody), database, books)
        self.gateway.clock.read(NOW)
        self.gateway.read_books()
        self.gateway.feed.command = self._command  # type: ignore[method-assign]
        config = uvicorn.Config(
            build(self.gateway), port=self._port, log_level="error", lifespan="off", ws="none"
        )
        self._server = uvicorn.Server(config)
        async with on_socket(self.verifier, settings.verifier_socket):
            ready.set()
            await self._server.serve()
            self.gateway.line.close()
        database.dispose()
        books.dispose()

    # ── The log ──────────────────────────────────────────────────────────────────────────

    async def _command(
        self, command: Command, within_s: float = 5.0
    ) -> CommandTaken | CommandRefused | None:
        """The feed's own call: decided here and now."""
        answer = None
        for event in self._decide(command):
            if isinstance(event, CommandTaken | CommandRefused):
                answer = event
        return answer

    def _decide(self, command: Command) -> Sequence[Event]:
        self.now += 1
        self.gateway.clock.read(self.now)
        events = execute(self._shard, command, self.now)
        numbered = []
        for event in events:
            self._place += 1
            self.gateway.saleroom.fold(0, self._place, event)
            numbered.append((self._place, event))
        before = Bookmark("one", self._place - len(events), self._head)
        self._head = str(self._place)
        after = Bookmark("one", self._place, self._head)
        passage = Passage(0, before, after, numbered)
        archive.record(self.gateway.archive, [passage], self.gateway.salt)
        return events

    def decide(self, *commands: Command) -> list[Event]:
        """Have commands carried out, one after the other; what came of them."""

        async def all_of_them() -> list[Event]:
            return [event for command in commands for event in self._decide(command)]

        return self.run(all_of_them())

    def bid(self, auction_id: str, consumer_id: str, amount: int) -> None:
        """A bid of exactly this, in minor units."""
        self._bids += 1
        self.decide(PlaceBid(auction_id, consumer_id, f"bid{self._bids}", amount, "bid"))

    def pass_time(self, ms: int) -> None:
        """The log's clock moves on."""

        async def later() -> None:
            self.now += ms
            self.gateway.clock.read(self.now)

        self.run(later())

    # ── People ───────────────────────────────────────────────────────────────────────────

    def person(self, name: str) -> Person:
        """Somebody with a name and an address."""
        first, _, last = name.partition(" ")
        profile = people.read_profile(
            email=f"{name.replace(' ', '.').lower()}@example.com", first_name=first, last_name=last
        )
        found, _ = people.create_or_get_by_email(
            self.gateway.books, self.gateway.vault, "test", profile, self.now
        )
        return found

    def key(self, *scopes: str, name: str = "Bea, clerk") -> str:
        """The id of a new key with these scopes, or all that the pages ask for."""
        wish = KeyWish("operator", name, scopes or ALL, None)
        key, _ = apikeys.create(self.gateway.books, "test", wish, self.now)
        self.gateway.read_books()
        return key.key_id

    def cookie(self, key_id: str) -> dict[str, Any]:
        """The desk's cookie of whoever has signed in with the key."""
        now_s = self.now // 1000
        claims = {"key_id": key_id, "iat": now_s, "exp": now_s + 8 * 3600}
        token = sign(self.gateway.keys, "desk+jwt", claims)
        return {"name": COOKIE, "value": token, "url": self.url}
