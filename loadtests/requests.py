"""How many HTTP requests does one house answer, and how soon?

A whole house and keep-alive connections that are as cheap as they can be: a request is a text
made beforehand, and of an answer only its status and length are read.  Three questions: bids
a second on the durable log, asked as fast as answers come; the wait for an answer at a rate
that does not wait (an open loop, counted from the timetable); and looks at an auction a
second.  Every bid is accepted: each connection raises its own bidder's limit on a lot of its
own, so that what is measured is the way to the log and back.  Beside the last: the same
client with a bare uvicorn application, which is what HTTP alone costs here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from engine.core.increments import table
from engine.core.messages import AddLot, Catalogue, Command, CreateSale, OpenLot, Terms
from engine.entering import enter
from engine.streams import Log
from loadtests.clerk import lot_id, sale_on
from loadtests.client import seen_open
from loadtests.figures import Figure
from loadtests.house import House, free_port, open_house

CONNECTIONS = 64
BIDS_A_SECOND = 500  # of the open loop
BIDS_AIM = 1_500.0
LOOKS_AIM = 4_000.0
P99_AIM_MS = 50.0
WARM_S = 1.0  # at the beginning, not counted
PATIENCE_S = 10.0

Request = Callable[[int], bytes]  # the n-th request of a connection

_BARE = """
import sys
import uvicorn

BODY = b"x" * 600
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"600")]


async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": BODY})


uvicorn.run(app, port=int(sys.argv[1]), log_level="error", access_log=False, lifespan="off")
"""


async def measure(seconds: float) -> list[Figure]:
    """Bids and looks a second, and the wait for a bid's answer, each for *seconds*."""
    async with open_house() as house:
        figures = await house.while_open(_asking(house, seconds))
    async with _bare() as port:
        bare = await closed_loop(port, [look(port, "/", "")] * CONNECTIONS, seconds)
    looks = figures[-1]
    with_bare = Figure(
        looks.name,
        looks.value,
        looks.unit,
        looks.includes,
        beside=bare,
        beside_is="the same client with a bare uvicorn application",
        aim=LOOKS_AIM,
    )
    return [*figures[:-1], with_bare]


async def _asking(house: House, seconds: float) -> list[Figure]:
    sale = sale_on(0, house.settings.log.shards, "requests")
    await _open_sale(house, sale)
    port = house.settings.port
    lots = [lot_id(sale, n) for n in range(1, CONNECTIONS + 1)]
    bids = [_raises(house, lots[n], f"cons_{n}") for n in range(CONNECTIONS)]
    rate = await closed_loop(port, bids, seconds)
    waits = sorted(await _open_loop(port, bids, seconds))
    key = f"X-Publishable-Key: {house.keys.publishable_key}\r\n"
    ask = look(port, f"/api/v1/auctions/{lots[0]}", key)
    looks = await closed_loop(port, [ask] * CONNECTIONS, seconds)
    bids_are = (
        f"POST …/bid through gateway, log (appendfsync always) and engine, all accepted; "
        f"{CONNECTIONS} keep-alive connections"
    )
    loop = f"{bids_are}, {BIDS_A_SECOND} a second open loop, from the scheduled instant"
    p50, p99 = (waits[int(share * (len(waits) - 1))] for share in (0.5, 0.99))
    return [
        Figure("REST bids", rate, "bids/s", f"{bids_are}, closed loop", aim=BIDS_AIM),
        Figure("REST bid p50", p50, "ms", loop, lower=True),
        Figure("REST bid p99", p99, "ms", loop, aim=P99_AIM_MS, lower=True),
        Figure("GET auction", looks, "requests/s", "keep-alive, every answer whole", aim=LOOKS_AIM),
    ]


async def _open_sale(house: House, sale: str) -> None:
    sale_id = f"seq_{sale}"
    lots = [lot_id(sale, n) for n in range(1, CONNECTIONS + 1)]
    terms = Terms(opening=1_000, increments=table([(0, 500)]))
    commands: list[Command] = [
        CreateSale(sale_id, "Requests", "EUR", 2),
        *(AddLot(lot, sale_id, terms, Catalogue(lot, "A lot")) for lot in lots),
        *(OpenLot(lot) for lot in lots),
    ]
    log = await Log.open(house.log_url)
    try:
        await enter(log, house.settings.log.shards, commands)
    finally:
        await log.close()
    await seen_open(house.socket_url, house.spectator(), lots[-1], PATIENCE_S)


def _raises(house: House, auction_id: str, consumer_id: str) -> Request:
    """One bidder's ever higher limits on a lot of their own."""
    who = house.bidder(consumer_id)
    began = 0

    def request(_number: int) -> bytes:
        nonlocal began
        began += 1
        body = json.dumps({"amount": 100 + began, "max": True}).encode()
        return (
            f"POST /api/v1/auctions/{auction_id}/bid HTTP/1.1\r\n"
            f"Host: 127.0.0.1:{house.settings.port}\r\n"
            f"X-Publishable-Key: {who['key']}\r\nAuthorization: Bearer {who['token']}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    return request


def look(port: int, path: str, headers: str) -> Request:
    text = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}\r\n".encode()
    return lambda _number: text


# ── The client ───────────────────────────────────────────────────────────────────────────


class _Line(asyncio.Protocol):
    """One keep-alive connection, one request at a time."""

    transport: Any  # uvloop's is none of asyncio's classes

    def __init__(self, answered: Callable[[_Line], None]) -> None:
        self._answered = answered
        self._heard = b""
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        self.lost = True

    def ask(self, request: bytes) -> None:
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._heard += data
        end = self._heard.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._heard[:end].lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(self._heard) < end + 4 + length:
            return
        assert self._heard.startswith(b"HTTP/1.1 200"), self._heard[:400]
        self._heard = b""
        self._answered(self)


async def closed_loop(port: int, requests: list[Request], seconds: float) -> float:
    """Answers a second, each connection asking again as soon as it has its answer."""
    began = time.perf_counter()
    ends = began + WARM_S + seconds
    counted = 0
    asked: dict[_Line, tuple[Request, int]] = {}

    def again(line: _Line) -> None:
        nonlocal counted
        now = time.perf_counter()
        counted += began + WARM_S <= now < ends
        if now < ends:
            request, number = asked[line]
            asked[line] = (request, number + 1)
            line.ask(request(number))

    lines = await _lines(port, len(requests), again)
    try:
        for line, request in zip(lines, requests, strict=True):
            asked[line] = (request, 1)
            line.ask(request(0))
        await asyncio.sleep(ends - time.perf_counter() + 0.2)
        assert not any(line.lost for line in lines), "a connection was lost"
    finally:
        _let_go(lines)
    return counted / seconds


async def _open_loop(port: int, requests: list[Request], seconds: float) -> list[float]:
    """The waits in ms at a fixed rate; a request whose line is still busy waits its turn."""
    count = int((WARM_S + seconds) * BIDS_A_SECOND)
    waiting: dict[_Line, list[tuple[float, bytes]]] = {}
    waits: list[float] = []

    def answered(line: _Line) -> None:
        due, _ = waiting[line].pop(0)
        waits.append((time.perf_counter() - due) * 1000)
        if waiting[line]:
            line.ask(waiting[line][0][1])

    lines = await _lines(port, len(requests), answered)
    try:
        waiting.update({line: [] for line in lines})
        begin = time.perf_counter()
        for number in range(count):
            due = begin + number / BIDS_A_SECOND
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            line = lines[number % len(lines)]
            waiting[line].append((due, requests[number % len(lines)](number)))
            if len(waiting[line]) == 1:
                line.ask(waiting[line][0][1])
        async with asyncio.timeout(PATIENCE_S):
            while len(waits) < count:
                await asyncio.sleep(0.01)
    finally:
        _let_go(lines)
    return waits[int(WARM_S * BIDS_A_SECOND) :]


async def _lines(port: int, count: int, answered: Callable[[_Line], None]) -> list[_Line]:
    loop = asyncio.get_running_loop()
    opened = [
        loop.create_connection(lambda: _Line(answered), "127.0.0.1", port) for _ in range(count)
    ]
    return [line for _, line in await asyncio.gather(*opened)]


def _let_go(lines: list[_Line]) -> None:
    for line in lines:
        line.transport.abort()


@contextlib.asynccontextmanager
async def _bare() -> AsyncIterator[int]:
    """A uvicorn application that answers a text, and nothing else."""
    with tempfile.TemporaryDirectory(prefix="fairwarning-load-") as name:
        folder, port = Path(name), free_port()
        (folder / "bare.py").write_text(_BARE)
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(folder / "bare.py"), str(port), cwd=folder
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    with contextlib.suppress(OSError):
                        _, writer = await asyncio.open_connection("127.0.0.1", port)
                        writer.close()
                        break
                    await asyncio.sleep(0.02)
            yield port
        finally:
            process.terminate()
            await process.wait()
