"""A whole house for the tests: started, given lots with terms of their own, and stopped.

Nobody can add a lot through the contract yet, so the house's own commands are appended to its
log; everything else goes through the public port.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from engine.core.codec import decode_event
from engine.core.increments import table
from engine.core.messages import (
    AddLot,
    Catalogue,
    Command,
    CreateSale,
    Event,
    PlaceBid,
    Terms,
    shard_of_command,
)
from engine.entering import enter
from engine.streams import Log
from gateway.keys import HouseKeys, load_or_create, mint_access_token, random_name
from gateway.settings import GatewaySettings, read_gateway_settings
from tests.processes import CHECKOUT, Running, environment, free_port, until

Json = dict[str, Any]
API = "/api/v1"
STEPS = table([(0, 1_000)])  # 10.00 from the start
DAY_MS = 24 * 3600 * 1000
# Ends of lots that nobody wants to see ending: a soft close that is far away.
FAR_MS = 7 * DAY_MS


@dataclass(frozen=True, slots=True)
class Person:
    """A bidder with a token."""

    consumer_id: str
    token: str


class House:
    """A house on one DATA_DIR and one port, which may be stopped and started again."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        self.data_dir = folder / "var"
        self.port = free_port()
        self.variables = {"DEMO": "0", "LOG_FORMAT": "json", **variables}
        self.running: Running | None = None
        self.web = httpx.Client(base_url=self.url, trust_env=False, timeout=20)
        procfile = (CHECKOUT / "Procfile").read_text()
        # The Python that runs the tests has what the house needs, wherever it lies.
        (folder / "Procfile").write_text(procfile.replace(".venv/bin/python", sys.executable))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def settings(self) -> GatewaySettings:
        return read_gateway_settings(self.environ())

    @property
    def keys(self) -> HouseKeys:
        return load_or_create(self.settings, time.time_ns() // 1_000_000)

    def environ(self) -> dict[str, str]:
        given = {"DATA_DIR": str(self.data_dir), "PORT": str(self.port), **self.variables}
        return environment(**given)

    # ── Coming and going ─────────────────────────────────────────────────────────────────

    def launched(self) -> Running:
        """Start ``python -m gateway.house``, without waiting for anything."""
        command = [sys.executable, "-m", "gateway.house"]
        return Running(command, self.environ(), self.folder)

    def start(self) -> None:
        """Open, and wait until bids can be decided."""
        self.running = self.launched()
        until(self.is_ready, "the house to open")

    def is_ready(self) -> bool:
        assert self.running is not None
        assert is_running(self.running), "the house did not open:\n" + self.said()
        try:
            return self.web.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def told_to_stop(self) -> None:
        assert self.running is not None
        self.running.signal(signal.SIGTERM)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.told_to_stop()
        return self.ended()

    def ended(self) -> int:
        """Wait for the end; the exit code."""
        assert self.running is not None
        code = self.running.ended()
        self.running.__exit__(None, None, None)
        self.running = None
        self.web.close()  # its kept connections are dead
        self.web = httpx.Client(base_url=self.url, trust_env=False, timeout=20)
        return code

    def clear_away(self) -> None:
        if self.running is not None:
            self.told_to_stop()
            try:
                self.ended()
            finally:
                if self.running is not None:
                    self.running.__exit__(None, None, None)
        self.web.close()

    def pid_of(self, process: str) -> int:
        """The pid of a process of the Procfile, such as ``engine.1``."""
        assert self.running is not None
        line = self.running.line_with(f"{process} started (pid=")
        found = re.search(r"pid=(\d+)", line)
        assert found is not None
        return int(found[1])

    def said(self) -> str:
        assert self.running is not None
        return "\n".join(self.running.lines[-40:])

    # ── People ───────────────────────────────────────────────────────────────────────────

    def person(self, consumer_id: str | None = None) -> Person:
        """Somebody who may bid, with a limit of their own."""
        consumer_id = consumer_id or "cons_" + random_name(16)
        return Person(consumer_id, self.token(consumer_id))

    def token(self, consumer_id: str) -> str:
        return mint_access_token(self.keys, consumer_id, 3600, time.time_ns() // 1_000_000)

    # ── The consumer API ─────────────────────────────────────────────────────────────────

    def headers(self, person: Person | None = None, **more: str) -> dict[str, str]:
        headers = {"X-Publishable-Key": self.keys.publishable_key}
        if person is not None:
            headers["Authorization"] = f"Bearer {person.token}"
        return {**headers, **{name.replace("_", "-"): value for name, value in more.items()}}

    def get(self, path: str, person: Person | None = None) -> httpx.Response:
        return self.web.get(API + path, headers=self.headers(person))

    def bid(
        self, auction_id: str, person: Person | None, body: Json | bytes | str, **headers: str
    ) -> httpx.Response:
        content = json.dumps(body) if isinstance(body, dict) else body
        path = f"{API}/auctions/{auction_id}/bid"
        return self.web.post(path, content=content, headers=self.headers(person, **headers))

    # ── The log ──────────────────────────────────────────────────────────────────────────

    async def wish(self, *commands: Command) -> None:
        """Enter commands, as the house's own would be; on a busy machine that may take a while."""
        log = await Log.open(self.settings.log.url)
        try:
            await enter(log, self.settings.log.shards, commands)
        finally:
            await log.close()

    async def now(self) -> int:
        """The log's clock."""
        log = await Log.open(self.settings.log.url)
        try:
            return await log.now()
        finally:
            await log.close()

    async def history(self, sale_id: str) -> list[Event]:
        """Every event of the sale's shard."""
        log = await Log.open(self.settings.log.url)
        try:
            shard = shard_of_command(PlaceBid(sale_id, "", "", 1, "bid"), self.settings.log.shards)
            events: list[Event] = []
            while found := await log.read_events({shard: len(events)}, 0):
                events += [decode_event(payload) for _, payload in found[0][1]]
            return events
        finally:
            await log.close()

    async def sale(self, **fields: Any) -> str:
        """A new sale, in EUR and open to all where nothing else is said; its id."""
        sale_id = "seq_" + random_name(10)
        plain = {"name": "Test sale", "currency": "EUR", "exponent": 2, **fields}
        await self.wish(CreateSale(sale_id, **plain))
        return sale_id

    async def lot(self, sale_id: str | None = None, name: str = "Bowl", **terms: Any) -> str:
        """A new lot that the gateway knows, open at once for a week where nothing else is
        said; its auction id."""
        sale_id = sale_id or await self.sale()
        now = await self.now()
        plain = {"opening": 10_000, "increments": STEPS, "opens_at": now, "closes_at": now + FAR_MS}
        auction_id = f"auction_{sale_id.split('_')[1]}_{random_name(4)}"
        agreed = Terms(**{**plain, **terms})
        await self.wish(AddLot(auction_id, sale_id, agreed, Catalogue("214", name)))
        is_open = agreed.opens_at is not None and agreed.opens_at <= now
        # A lot that is open for a moment only may be over before anybody has looked.
        opened = ("OPEN", "CLOSED", "SETTLED")
        await self.until_status(auction_id, *(opened if is_open else ("PENDING",)))
        return auction_id

    async def until_status(self, auction_id: str, *statuses: str) -> None:
        """Wait until the consumer API says one of these."""
        deadline = time.monotonic() + 20
        while True:
            answer = self.get(f"/auctions/{auction_id}")
            if answer.status_code == 200 and answer.json()["status"] in statuses:
                return
            assert time.monotonic() < deadline, f"never {statuses}: {answer.text}"
            await asyncio.sleep(0.02)


def is_running(running: Running) -> bool:
    stat = Path(f"/proc/{running.pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@contextmanager
def house_in(folder: Path, **variables: str) -> Iterator[House]:
    """An open house with these settings, gone afterwards."""
    house = House(folder, **variables)
    try:
        house.start()
        yield house
    finally:
        house.clear_away()
