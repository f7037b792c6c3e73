"""The house's side of a load test: sales, lots and paddles entered as commands of the log.

It appends what a clerk would enter, in batches that one entry may hold, and asks again where
the log says "later".  It works from one task alone, because a ``Log`` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from engine.core.codec import encode_commands
from engine.core.messages import Command, shard_of, shard_of_command
from engine.streams import MAX_COMMANDS, Log

LATER_S = 0.05
PATIENCE_S = 30.0  # a log that takes nothing for as long has stopped


class LogRefused(Exception):
    """The log does not take what was to be entered."""


def sale_on(shard: int, shards: int, prefix: str) -> str:
    """The middle part of a sale's and its lots' ids, such that they fall on *shard*."""
    number = 0
    while shard_of(f"seq_{prefix}{number}", shards) != shard:
        number += 1
    return f"{prefix}{number}"


def lot_id(sale: str, number: int) -> str:
    """A lot's auction id; *sale* is the middle part of its sale's id."""
    return f"auction_{sale}_{number}"


async def enter(log: Log, shards: int, commands: Iterable[Command]) -> None:
    """Append *commands*, in order within each shard.  Raises ``LogRefused``, ``StreamError``."""
    by_shard: dict[int, list[Command]] = {}
    for command in commands:
        by_shard.setdefault(shard_of_command(command, shards), []).append(command)
    entries = [
        (shard, encode_commands(batch[start : start + MAX_COMMANDS]))
        for shard, batch in by_shard.items()
        for start in range(0, len(batch), MAX_COMMANDS)
    ]
    for entry in entries:  # one by one: a refused one must not be overtaken
        await _append(log, entry)


async def _append(log: Log, entry: tuple[int, bytes]) -> None:
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while (answer := (await log.append([entry]))[0]) in ("OVERLOADED", "UNLED"):
        if asyncio.get_running_loop().time() > deadline:
            raise LogRefused(f"shard {entry[0]} has answered {answer} for {PATIENCE_S:.0f} s")
        await asyncio.sleep(LATER_S)
    if answer == "TOO_BIG":
        raise LogRefused(f"{len(entry[1])} bytes are too many for one entry of the log")


class Clerk:
    """Takes commands from many tasks and enters them from one, in batches."""

    def __init__(self, log: Log, shards: int) -> None:
        self._log = log
        self._shards = shards
        self._waiting: asyncio.Queue[Command] = asyncio.Queue()

    def wish(self, command: Command) -> None:
        """Have *command* entered soon; what comes of it is seen in the events."""
        self._waiting.put_nowait(command)

    async def run(self) -> None:
        """Enter what is wished for, until cancelled."""
        while True:
            batch = [await self._waiting.get()]
            while not self._waiting.empty() and len(batch) < MAX_COMMANDS:
                batch.append(self._waiting.get_nowait())
            await enter(self._log, self._shards, batch)
