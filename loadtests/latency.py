"""How long does a bidder wait for the answer, at a rate that does not wait for answers?

A whole house; bids are sent at the instants of a fixed timetable (an open loop), and each
latency counts from the timetable, so that a house that stalls cannot hide it by being asked
less.  All bids are accepted limits.  Beside it the same clients, on the same timetable, with
an echo server: what the loop, the sockets and this client cost without a house.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import msgspec
from redis.asyncio import Redis

from engine.core.increments import table
from engine.core.messages import (
    AddLot,
    Catalogue,
    Command,
    CreateSale,
    OpenLot,
    RegisterBidder,
    Terms,
)
from engine.entering import enter
from engine.streams import Log
from loadtests.clerk import lot_id, sale_on
from loadtests.client import seen_open
from loadtests.crowd import Ear, disperse, gather_crowd
from loadtests.figures import Figure
from loadtests.house import House, open_house
from loadtests.peers import peer

BIDS_A_SECOND = 500
SOCKETS = 50
LOTS = 20
FOLLOWED = 2  # lots that each socket follows
P50_AIM_MS = 5.0
P99_AIM_MS = 25.0
STEP = 500
STEADY_S = 1.0  # at the beginning, not counted: connections and code paths are new
LAST_ANSWERS_S = 10.0


async def measure(seconds: float) -> list[Figure]:
    """p50 and p99 of bid → result over *seconds* of bidding."""
    async with open_house() as house:
        ours = await house.while_open(_bidding(house, seconds))
        slowest = await _slowest_fsync(house)
    echoes = await _echoing(seconds)
    what = (
        f"bid → result over WebSocket through gateway, log (appendfsync always) and engine; "
        f"{BIDS_A_SECOND} bids/s open loop for {seconds:.0f} s, {SOCKETS} sockets following "
        f"{FOLLOWED} of {LOTS} lots each, latency from the scheduled instant; {len(ours)} bids"
    )
    beside = "the same clients and timetable with a websockets echo server"
    disk = Figure(
        "slowest fsync meanwhile",
        slowest,
        "ms",
        "the log server's own reading (LATENCY), 20 ms or less counted as 0: no answer comes "
        "before its fsync, so the disk's stalls are in the p99 above",
    )
    return [
        *_percentiles(ours, echoes, what, beside),
        disk,
    ]


def _percentiles(ours: list[float], echoes: list[float], what: str, beside: str) -> list[Figure]:
    return [
        Figure(
            f"bid → result {name}",
            _percentile(ours, share),
            "ms",
            what,
            beside=_percentile(echoes, share),
            beside_is=beside,
            aim=aim,
            lower=True,
        )
        for name, share, aim in (("p50", 0.50, P50_AIM_MS), ("p99", 0.99, P99_AIM_MS))
    ]


async def _slowest_fsync(house: House) -> float:
    async with Redis.from_url(house.log_url) as client:
        events = await client.execute_command("LATENCY", "LATEST")  # type: ignore[no-untyped-call]
    return float(max((event[3] for event in events if b"fsync" in event[0]), default=0))


def _percentile(latencies_ms: list[float], share: float) -> float:
    return sorted(latencies_ms)[int(share * (len(latencies_ms) - 1))]


async def _bidding(house: House, seconds: float) -> list[float]:
    sale = sale_on(0, house.settings.log.shards, "latency")
    await _open_sale(house, sale)
    answers = _Answers()
    crowd = await gather_crowd(house.settings.port, SOCKETS, answers.heard)
    try:
        for number, ear in enumerate(crowd):
            ear.say(msgspec.json.encode({"type": "hello", **house.bidder(f"cons_{number}")}))
        await answers.greeted(len(crowd))
        lots = [lot_id(sale, n) for n in range(1, LOTS + 1)]
        for number, ear in enumerate(crowd):
            for place in range(FOLLOWED):
                lot = lots[(number + place) % LOTS]
                ear.say(msgspec.json.encode({"type": "subscribe", "auctionId": lot}))
        return await _timetable(crowd, answers, seconds, lambda n: _bid(lots, n))
    finally:
        disperse(crowd)


def _bid(lots: list[str], number: int) -> bytes:
    """Bid *number* of all: each of a lot's bids is well above the one before."""
    amount = 10_000 + number // LOTS * 10 * STEP
    wish = {
        "type": "bid",
        "cmdId": str(number),
        "auctionId": lots[number % LOTS],
        "amount": amount,
        "kind": "max",
    }
    return msgspec.json.encode(wish)


async def _open_sale(house: House, sale: str) -> None:
    sale_id = f"seq_{sale}"
    lots = [lot_id(sale, n) for n in range(1, LOTS + 1)]
    terms = Terms(opening=1_000, increments=table([(0, STEP)]))
    commands: list[Command] = [
        CreateSale(sale_id, "Latency", "EUR", 2),
        *(RegisterBidder(sale_id, f"cons_{n}") for n in range(SOCKETS)),
        *(AddLot(lot, sale_id, terms, Catalogue(lot, "A lot")) for lot in lots),
        *(OpenLot(lot) for lot in lots),
    ]
    log = await Log.open(house.log_url)
    try:
        await enter(log, house.settings.log.shards, commands)
    finally:
        await log.close()
    await seen_open(house.socket_url, house.spectator(), lots[-1], LAST_ANSWERS_S)


async def _echoing(seconds: float) -> list[float]:
    async with peer() as port:
        answers = _Answers()
        crowd = await gather_crowd(port, SOCKETS, answers.heard)
        try:
            return await _timetable(crowd, answers, seconds, _echo)
        finally:
            disperse(crowd)


def _echo(number: int) -> bytes:
    return b'{"type":"result","cmdId":"%d","outcome":"accepted","as":"an echo of a bid"}' % number


class _Answers:
    """When each answer came, by the bid's number."""

    def __init__(self) -> None:
        self.at: dict[int, float] = {}
        self._welcomes = 0

    def heard(self, _socket: int, payload: bytes) -> None:
        if payload.startswith(b'{"type":"result"'):
            now = time.perf_counter()
            answer = msgspec.json.decode(payload)
            assert answer["outcome"] == "accepted", payload
            self.at[int(answer["cmdId"])] = now
        elif payload.startswith(b'{"type":"welcome"'):
            self._welcomes += 1

    async def greeted(self, count: int) -> None:
        async with asyncio.timeout(LAST_ANSWERS_S):
            while self._welcomes < count:
                await asyncio.sleep(0.01)

    async def all_of(self, count: int) -> None:
        async with asyncio.timeout(LAST_ANSWERS_S):
            while len(self.at) < count:
                await asyncio.sleep(0.01)


async def _timetable(
    crowd: list[Ear], answers: _Answers, seconds: float, wish: Callable[[int], bytes]
) -> list[float]:
    """Latencies in ms, without those of the first ``STEADY_S``."""
    count = int((STEADY_S + seconds) * BIDS_A_SECOND)
    begin = time.perf_counter()
    due = [begin + n / BIDS_A_SECOND for n in range(count)]
    for number, at in enumerate(due):
        if (wait := at - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        # A lot's bids come from changing sockets, and so the leader changes.
        crowd[(number * 7 + number // LOTS) % len(crowd)].say(wish(number))
    await answers.all_of(count)
    steady = range(int(STEADY_S * BIDS_A_SECOND), count)
    return [(answers.at[n] - due[n]) * 1000 for n in steady]
