"""Engines inside the test's own loop, on a real log: started, watched, cut off, stopped."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from engine.clock import LogClock
from engine.core.messages import Command
from engine.loop import Engine
from engine.streams import Commit, Log, ShardStore
from tests import servers
from tests.engine.shardlog import (
    Audited,
    Client,
    all_decided,
    audit,
    client_of,
    durable_server,
    entry,
    field_of,
)

PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class House:
    """A server of one's own, whose whole history can be audited."""

    url: str
    folder: Path
    client: Client

    def audit(self, shard: int = 0) -> Audited:
        """What happened on a shard, once everything about it was found to be right."""
        return audit(self.client, self.folder, shard)

    def epoch(self, shard: int = 0) -> int:
        return int(field_of(self.client, "epoch", shard) or 0)

    async def decided(self, shards: int = 1) -> None:
        """Wait until every command is decided."""
        await until(lambda: all(all_decided(self.client, s) for s in range(shards)), "decisions")

    async def append(self, *commands: Command, shard: int = 0) -> str:
        """One entry, appended as a gateway does; its id or the refusal."""
        async with connected(self.url) as log:
            return (await log.append([(shard, entry(*commands))]))[0]


@contextmanager
def a_house() -> Iterator[House]:
    """A durable server that holds nothing."""
    with (
        servers.socket_folder() as folder,
        durable_server(folder) as server,
        client_of(server.url) as client,
    ):
        yield House(server.url, folder, client)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Log]:
    """A connection of one's own, with the Functions loaded."""
    log = await Log.open(url)
    try:
        await log.load_functions()
        yield log
    finally:
        await log.close()


def new_engine(store: ShardStore, shards: int = 1, clock: LogClock | None = None) -> Engine:
    """An engine as the process builds it."""
    return Engine(
        store,
        shards,
        node=f"node-{secrets.token_hex(4)}",
        lineage=lambda: secrets.token_hex(8),
        clock=clock or LogClock(time.monotonic),
        sleep=asyncio.sleep,
    )


@asynccontextmanager
async def leading(
    store: ShardStore, shards: int = 1, clock: LogClock | None = None
) -> AsyncIterator[Engine]:
    """An engine that runs until the block ends, and then ends in an orderly way.

    What it raises before that is raised at the end of the block.
    """
    engine = new_engine(store, shards, clock)
    running = asyncio.create_task(engine.run())
    try:
        await until(lambda: len(engine.led) == shards or running.done(), "a leader")
        yield engine
        engine.stop()
        await running
    finally:
        running.cancel()
        with suppress(BaseException):
            await running


@asynccontextmanager
async def killed_after(url: str, shards: int = 1) -> AsyncIterator[Engine]:
    """An engine that is cut off at the end of the block: its leases stay behind."""
    async with connected(url) as log:
        engine = new_engine(log, shards)
        running = asyncio.create_task(engine.run())
        try:
            await until(lambda: len(engine.led) == shards or running.done(), "a leader")
            yield engine
        finally:
            running.cancel()
            with suppress(BaseException):
                await running


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for *condition*, letting the engine work; fails when it never holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_S} s in vain for {what}"
        await asyncio.sleep(0.002)


class Watched(Log):
    """A log that remembers what was committed."""

    commits: list[Commit]

    async def commit(self, commits: Sequence[Commit]) -> None:
        self.__dict__.setdefault("commits", []).extend(commits)
        await super().commit(commits)
