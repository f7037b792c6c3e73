"""The house's side of a load test: sales, lots and paddles entered as commands of the log.

A test enters what it begins with by ``engine.entering``; ``Clerk`` does the same for what many
tasks wish for while it runs, from one task alone, because a ``Log`` belongs to one.
"""

from __future__ import annotations

import asyncio

from engine.core.messages import Command, shard_of
from engine.entering import enter
from engine.streams import MAX_COMMANDS, Log


def sale_on(shard: int, shards: int, prefix: str) -> str:
    """The middle part of a sale's and its lots' ids, such that they fall on *shard*."""
    number = 0
    while shard_of(f"seq_{prefix}{number}", shards) != shard:
        number += 1
    return f"{prefix}{number}"


def lot_id(sale: str, number: int) -> str:
    """A lot's auction id; *sale* is the middle part of its sale's id."""
    return f"auction_{sale}_{number}"


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
