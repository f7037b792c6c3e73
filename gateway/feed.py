"""The gateway's line to the log: appends commands, follows events, folds the view.

Two connections: one reads and one appends, so that a reader waiting for news holds up no bid.
Commands of one loop turn travel together; an answer is never made here, it is read from the
shard's events, so what a bidder is told is durable and is in every later answer of this
gateway.

A command that got no answer is undecided.  The feed does not send it again: the bidder does,
with the same id, and the engine answers it once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from engine.clock import LogClock
from engine.core.codec import decode_event, encode_commands
from engine.core.messages import (
    BidAccepted,
    BidAnswer,
    Event,
    LotEvent,
    PlaceBid,
    shard_of,
)
from engine.streams import MAX_COMMANDS, UNLED_AFTER_MS, Log, StreamError
from gateway.core.view import LotView, Saleroom
from gateway.fanout import Hub

MOST_WAITING = 20_000  # commands not yet in the log: past it the gateway says it is overloaded
SLICE = 128  # events folded and sent before the sockets get their turn
BLOCK_MS = 1_000
CLOCK_READ_EVERY_S = 2.0
LEADER_POLL_S = 0.05  # a lease is renewed eight times a second

Key = tuple[str, str, str, int, str]  # auction, consumer, cmd_id and what was bid

log = structlog.stdlib.get_logger()


class Waiter(Protocol):
    """Somebody who waits for a bid's answer."""

    def answered(self, lot: LotView, event: BidAnswer) -> None:
        """The decision, durable."""

    def not_taken(self, command: PlaceBid) -> None:
        """The log did not take the command: nothing entered it."""


Batch = list[tuple[PlaceBid, Waiter]]


class Feed:
    """Follows every shard of one log, and appends to it."""

    def __init__(
        self,
        reader: Log,
        writer: Log,
        asker: Log,
        *,
        shards: int,
        saleroom: Saleroom,
        hub: Hub,
        clock: LogClock,
    ) -> None:
        self.saleroom = saleroom
        self.hub = hub
        self.clock = clock
        self.shards = shards
        self.positions = dict.fromkeys(range(shards), 0)
        self.lineages: dict[int, str] = {}
        # After a start nothing is taken before an engine has led: its first command makes
        # good the ends that fell into a stop, and no bid may come before that.
        self.takes_bids = False
        self.asker = asker
        self._reader = reader
        self._writer = writer
        self._asking = asyncio.Lock()
        self._outbox: Batch = []
        self._has_mail = asyncio.Event()
        self._waiters: dict[Key, list[Waiter]] = {}

    # ── Following ────────────────────────────────────────────────────────────────────────

    async def follow(self) -> None:
        """Read and tell for ever.  Raises ``StreamError`` when the log cannot be followed."""
        await self._wait_for_first_start()
        while True:
            for shard, entries in await self._reader.read_events(self.positions, BLOCK_MS):
                for count, (place, payload) in enumerate(entries, 1):
                    self._take_in(shard, place, payload)
                    if count % SLICE == 0:
                        await asyncio.sleep(0)

    async def _wait_for_first_start(self) -> None:
        """Until an engine has begun every shard there is no lineage to speak of."""
        for shard in range(self.shards):
            while (position := await self._reader.position(shard)) is None:
                await asyncio.sleep(0.05)  # nothing announces a key's first appearance
            self.lineages[shard] = position.lineage

    def _take_in(self, shard: int, place: int, payload: bytes) -> None:
        if place != self.positions[shard] + 1:
            raise StreamError(f"shard {shard}: event {self.positions[shard] + 1} is missing")
        self.positions[shard] = place
        event = decode_event(payload)
        self.saleroom.fold(shard, place, event)
        # A bidder's own result comes before what everybody is told of it.
        if isinstance(event, BidAnswer):
            self._answer(self.saleroom.lots[event.auction_id], event)
        if isinstance(event, BidAccepted | LotEvent):
            self.hub.deliver(self.saleroom.lots[event.auction_id], event)

    def _answer(self, lot: LotView, event: BidAnswer) -> None:
        answer = event.answer
        key = (event.auction_id, event.consumer_id, event.cmd_id, answer.amount, answer.kind)
        for waiter in self._waiters.pop(key, ()):
            waiter.answered(lot, event)

    # ── Appending ────────────────────────────────────────────────────────────────────────

    def submit(self, command: PlaceBid, waiter: Waiter) -> None:
        """Append a bid with this turn's others; *waiter* hears what became of it."""
        if not self.takes_bids or len(self._outbox) >= MOST_WAITING:
            waiter.not_taken(command)
            return
        self._waiters.setdefault(_key(command), []).append(waiter)
        self._outbox.append((command, waiter))
        self._has_mail.set()

    def forget(self, command: PlaceBid, waiter: Waiter) -> None:
        """Nobody waits for this answer any more; the command stands as it is."""
        waiting = self._waiters.get(_key(command), [])
        if waiter in waiting:
            waiting.remove(waiter)
        if not waiting:
            self._waiters.pop(_key(command), None)

    async def until_answered(self, patience_s: float) -> None:
        """Wait until every submitted command has its answer, or the patience is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                while self._waiters:
                    await asyncio.sleep(0.01)  # answers come one by one, new bids between them

    async def deliver_mail(self) -> None:
        """Append what was submitted, for ever.  Raises ``StreamError``."""
        while True:
            await self._has_mail.wait()
            self._has_mail.clear()
            mail, self._outbox = self._outbox, []
            entries = _pack(mail, self.shards)
            answers = await self._writer.append(
                [(shard, encode_commands([c for c, _ in batch])) for shard, batch in entries]
            )
            for (_, batch), answer in zip(entries, answers, strict=True):
                if answer in ("OVERLOADED", "UNLED", "TOO_BIG"):
                    log.warning("the log takes no bids", reason=answer, commands=len(batch))
                    self._give_back(batch)

    def _give_back(self, batch: Batch) -> None:
        for command, waiter in batch:
            self.forget(command, waiter)
            waiter.not_taken(command)

    # ── Asking ───────────────────────────────────────────────────────────────────────────

    async def keep_time(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Ask the server for the time now and then, for ever; first until somebody leads."""
        async with self._asking:
            started_at = await self.asker.now()
        while True:
            async with self._asking:
                self.clock.read(await self.asker.now())
                self.takes_bids = self.takes_bids or await self._is_led_since(started_at)
            await sleep(CLOCK_READ_EVERY_S if self.takes_bids else LEADER_POLL_S)

    async def _is_led_since(self, instant: int) -> bool:
        """Has every shard had a sign of its leader's life since *instant*?"""
        for shard in range(self.shards):
            position = await self.asker.position(shard)
            if position is None or position.alive_at < instant:
                return False
        return True

    async def events_at(self, shard: int, places: list[int]) -> list[Event]:
        """Events of the past, for a reader who resumes."""
        async with self._asking:
            payloads = await self.asker.events_at(shard, places)
        return [decode_event(payload) for payload in payloads]

    async def missing(self) -> dict[str, str]:
        """Why bids cannot be decided now; empty when they can."""
        missing = {} if self.takes_bids else {"engine": "none has led since this gateway started"}
        try:
            async with self._asking:
                now = await self.asker.now()
                for shard in range(self.shards):
                    position = await self.asker.position(shard)
                    if position is None or now - position.alive_at > UNLED_AFTER_MS:
                        missing[f"shard {shard}"] = "no engine leads it"
                    elif self.positions[shard] < position.seq:
                        missing[f"shard {shard}"] = "this gateway has not read it to its end"
        except StreamError as error:
            missing["log"] = str(error)
        return missing


def _key(command: PlaceBid) -> Key:
    return (
        command.auction_id,
        command.consumer_id,
        command.cmd_id,
        command.amount,
        command.kind,
    )


def _pack(mail: Batch, shards: int) -> list[tuple[int, Batch]]:
    """Entries of at most ``MAX_COMMANDS``, each shard's commands in the order they came."""
    entries: list[tuple[int, Batch]] = []
    latest: dict[int, Batch] = {}
    for command, waiter in mail:
        shard = shard_of(command.auction_id, shards)
        batch = latest.get(shard)
        if batch is None or len(batch) == MAX_COMMANDS:
            batch = latest[shard] = []
            entries.append((shard, batch))
        batch.append((command, waiter))
    return entries
