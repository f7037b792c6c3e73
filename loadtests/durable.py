"""How many bids a second become durable decisions, from the append to the read event?

A server as the house keeps it (``engine.keeper``: ``appendfsync always``) and one engine
process; this process appends entries of bids made beforehand, with a bounded number
undecided, and reads the events back.  A bid counts when its answer was read, so append,
decision, commit, fsync and reading are all in it; gateways and sockets are not.

Beside it, on the same server in the same run: XADD of 200 bytes by redis-py, 200 in a
pipeline.  And alone: what one XADD at a time comes to, which is the disk's fsync rate.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from redis import Redis

from engine.core.codec import encode_commands
from engine.core.messages import Command, shard_of
from engine.entering import enter
from engine.settings import LogSettings, read_log_settings
from engine.streams import MAX_LAG, Log, open_when_ready
from loadtests.clerk import sale_on
from loadtests.core.mix import make_mix
from loadtests.decisions import ENTRY
from loadtests.figures import Figure
from loadtests.house import free_port, house_environment, running

AIM = 20_000
AIM_RATIO = 0.25
SALES = 4  # a shard each
LOTS = 25  # of each sale
UNDECIDED = 4_096  # bids; far below where the log refuses more
ENTRIES_AT_ONCE = 16
PIPELINE = 200
PAYLOAD = b"x" * 200
ANSWERS = (b'1["BidA', b'1["BidR', b'1["Answ')
STUCK_S = 30.0

assert UNDECIDED // ENTRY < MAX_LAG


async def measure(bids: int, raw_s: float) -> list[Figure]:
    """Durable bids a second over *bids* bids; the raw limits over *raw_s* seconds each."""
    async with _log_and_engine() as settings:
        before = await asyncio.to_thread(pipelined_xadd, settings.socket, raw_s / 2)
        rate = await _durable(settings, bids)
        after = await asyncio.to_thread(pipelined_xadd, settings.socket, raw_s / 2)
        single = await asyncio.to_thread(single_xadd, settings.socket, raw_s)
    return [
        Figure(
            "durable bids",
            rate,
            "bids/s",
            f"append ({ENTRY} bids an entry), decide, commit with appendfsync always, events "
            f"read back; one engine process, {SALES} of {settings.shards} shards, "
            f"{SALES * LOTS} lots, at most {UNDECIDED} bids undecided; no gateway",
            beside=(before + after) / 2,
            beside_is=f"XADD of {len(PAYLOAD)} bytes, redis-py, pipeline of {PIPELINE}, same "
            "server, before and after",
            aim=AIM,
            aim_ratio=AIM_RATIO,
        ),
        Figure(
            "fsyncs",
            single,
            "a second",
            "one client, one XADD at a time under appendfsync always: a raw limit of the disk",
        ),
    ]


@contextlib.asynccontextmanager
async def _log_and_engine() -> AsyncIterator[LogSettings]:
    folder = Path(tempfile.mkdtemp(prefix="fairwarning-load-"))
    environ = house_environment(folder / "var", free_port(), {})
    try:
        async with (
            running(["engine.keeper"], folder, environ),
            running(["engine"], folder, environ),
        ):
            yield read_log_settings(environ)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _durable(settings: LogSettings, bids: int) -> float:
    sales = [sale_on(n, settings.shards, f"durable{n}x") for n in range(SALES)]
    mix = make_mix(sales, LOTS, bids, timed=False)
    by_shard: dict[int, list[Command]] = {}
    for bid, _ in mix.bids:
        by_shard.setdefault(shard_of(bid.auction_id, settings.shards), []).append(bid)
    entries = [
        (shard, encode_commands(batch[start : start + ENTRY]), len(batch[start : start + ENTRY]))
        for start in range(0, max(map(len, by_shard.values())), ENTRY)
        for shard, batch in by_shard.items()
        if start < len(batch)
    ]
    writer, reader = await open_when_ready(settings.url), await open_when_ready(settings.url)
    try:
        await enter(writer, settings.shards, mix.setting)
        run = _Run(reader, sorted(by_shard), bids)
        started = time.perf_counter()
        async with asyncio.timeout(STUCK_S), asyncio.TaskGroup() as group:
            group.create_task(run.read())
            group.create_task(run.append(writer, entries))
        return bids / (time.perf_counter() - started)
    finally:
        await writer.close()
        await reader.close()


class _Run:
    """A closed loop: appended bids less read answers stay below ``UNDECIDED``."""

    def __init__(self, reader: Log, shards: list[int], bids: int) -> None:
        self._reader = reader
        self._positions = dict.fromkeys(shards, 0)
        self._left = bids
        self._room = asyncio.Semaphore(UNDECIDED // ENTRY)

    async def append(self, writer: Log, entries: list[tuple[int, bytes, int]]) -> None:
        for start in range(0, len(entries), ENTRIES_AT_ONCE):
            batch = entries[start : start + ENTRIES_AT_ONCE]
            for _ in batch:
                await self._room.acquire()
            answers = await writer.append([(shard, payload) for shard, payload, _ in batch])
            assert not {"OVERLOADED", "UNLED", "TOO_BIG"}.intersection(answers), answers

    async def read(self) -> None:
        answered = 0
        while self._left > 0:
            for shard, events in await self._reader.read_events(self._positions, 1_000):
                self._positions[shard] = events[-1][0]
                found = sum(payload.startswith(ANSWERS) for _, payload in events)
                self._left -= found
                answered += found
            while answered >= ENTRY:
                answered -= ENTRY
                self._room.release()


def pipelined_xadd(socket: Path, seconds: float) -> float:
    """XADD a second, ``PIPELINE`` at once: what redis-py and this server's disk can do."""
    with Redis(unix_socket_path=str(socket)) as redis:
        done, started = 0, time.perf_counter()
        while (taken := time.perf_counter() - started) < seconds:
            pipeline = redis.pipeline(transaction=False)
            for _ in range(PIPELINE):
                pipeline.xadd("raw", {"p": PAYLOAD})
            pipeline.execute()
            done += PIPELINE
        redis.delete("raw")
    return done / taken


def single_xadd(socket: Path, seconds: float) -> float:
    """XADD a second, one after the other."""
    with Redis(unix_socket_path=str(socket)) as redis:
        done, started = 0, time.perf_counter()
        while (taken := time.perf_counter() - started) < seconds:
            redis.xadd("raw", {"p": PAYLOAD})
            done += 1
        redis.delete("raw")
    return done / taken
