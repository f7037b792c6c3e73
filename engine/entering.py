"""Entering what a house wishes for: commands into the log, in their order, until they are taken.

For whoever enters sales, lots and paddles, and can wait; a bid cannot, and goes by
``Log.append`` itself.  Commands of one shard stay in their order: they go in batches that one
entry may hold, and none is sent before the one in front of it has been taken.  What the
engine makes of them is seen in the events.  Entering the same again is no harm: what is
there already is refused by the engine and stays as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Final, Protocol

from engine.core.codec import encode_commands
from engine.core.messages import Command, shard_of_command
from engine.streams import MAX_COMMANDS, Refused

_LATER_S: Final = 0.05
_PATIENCE_S: Final = 30.0  # an engine that has just started reads its whole log first


class NotEntered(Exception):
    """The log does not take what was to be entered; one line says why."""


class CommandLog(Protocol):
    """What entering needs of a log."""

    async def append(self, entries: Sequence[tuple[int, bytes]]) -> list[str | Refused]: ...


async def enter(
    log: CommandLog,
    shards: int,
    commands: Iterable[Command],
    stopping: asyncio.Event | None = None,
) -> None:
    """Append *commands* to their shards, waiting where a shard has no leader or is behind.

    Returns early once *stopping* is set.  Raises ``NotEntered`` where a shard has taken nothing
    for 30 s, or where commands are too large for it, and ``StreamError``.
    """
    if stopping is None:
        stopping = asyncio.Event()
    for shard, payload in _entries(shards, commands):
        await _append(log, shard, payload, stopping)


def _entries(shards: int, commands: Iterable[Command]) -> Iterator[tuple[int, bytes]]:
    by_shard: dict[int, list[Command]] = {}
    for command in commands:
        by_shard.setdefault(shard_of_command(command, shards), []).append(command)
    for shard, wishes in by_shard.items():
        for start in range(0, len(wishes), MAX_COMMANDS):
            yield shard, encode_commands(wishes[start : start + MAX_COMMANDS])


async def _append(log: CommandLog, shard: int, payload: bytes, stopping: asyncio.Event) -> None:
    deadline = asyncio.get_running_loop().time() + _PATIENCE_S
    while not stopping.is_set():
        [answer] = await log.append([(shard, payload)])
        if answer == "TOO_BIG":
            raise NotEntered(f"shard {shard} does not take {len(payload)} bytes at once: TOO_BIG")
        if answer not in ("UNLED", "OVERLOADED"):
            return
        if asyncio.get_running_loop().time() >= deadline:
            raise NotEntered(f"shard {shard} has taken nothing for {_PATIENCE_S:.0f} s: {answer}")
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), _LATER_S)
