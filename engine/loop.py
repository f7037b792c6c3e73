"""The engine's loop: a batch in, decide, commit; and the same again.

One task, one connection, any number of shards on one server.  Commands are decided in the
order of each shard's stream by the pure core; events, cursor, seq and head are committed in
one atomic step per shard, and nothing is shown to anybody before: gateways read only what
was committed.  Many commands travel in one batch, so the price of an fsync is shared.

Memory is a cache of the log.  Whenever the outcome of a step is not certain the leader
forgets everything and starts again from what is stored.

The store, the clock and the names are handed in: a simulation runs this same code.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

import structlog

from engine.clock import LogClock, Timers
from engine.core import sale
from engine.core.codec import (
    GENESIS,
    UnknownVersion,
    UnreadableRecord,
    chain,
    decode_commands,
    decode_event,
    encode_commands,
    encode_event,
)
from engine.core.lot import NEVER
from engine.core.messages import (
    Command,
    CommandRefused,
    Event,
    KeepTime,
    LotAdded,
    LotEvent,
    ResumeTrading,
)
from engine.core.sale import EVENTS_PER_COMMAND, Shard
from engine.streams import (
    MAX_COMMANDS,
    Commit,
    Diverged,
    Fenced,
    Leadership,
    ShardStore,
    StreamError,
)

LEASE_MS = 500  # a leader that is silent for as long may be replaced
RENEW_EVERY_MS = LEASE_MS // 4
STANDBY_POLL_S = 0.025  # how often a waiting engine asks for the lease
CLOCK_READ_EVERY_MS = 1_000
EVENTS_PER_COMMIT = 2_048 - MAX_COMMANDS * EVENTS_PER_COMMAND  # auc_v1.lua's limit, less an entry
EVENTS_PER_TURN = 8_192  # so that a long backlog cannot starve the lease

RESUME = encode_commands([ResumeTrading()])

log = structlog.get_logger()


@dataclass(slots=True)
class Led:
    """One shard under this leader, as of its last commit."""

    shard: int
    epoch: int
    cursor: str
    seq: int
    head: str
    state: Shard = field(default_factory=Shard)
    timers: Timers = field(default_factory=Timers)


class Engine:
    """Leads every shard of the log, or waits until it may."""

    def __init__(
        self,
        store: ShardStore,
        shards: int,
        *,
        node: str,
        lineage: Callable[[], str],
        clock: LogClock,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.store = store
        self.shards = shards
        self.node = node
        self.lineage = lineage
        self.clock = clock
        self.sleep = sleep
        self.led: dict[int, Led] = {}
        self._epochs: dict[int, int] = {}  # of every lease we hold, also before catching up
        self.stopping = False
        self._renewed_at = 0.0
        self._clock_read_at = 0.0

    async def run(self) -> None:
        """Lead until told to stop.  A lease lost to another engine means waiting again.

        Raises ``StreamError`` when the log cannot be used, ``Diverged`` when it is not the
        one that this engine was writing.
        """
        while not self.stopping:
            try:
                await self._lead()
            except Fenced as error:
                log.warning("stepped down", reason=str(error))
            finally:
                self.led.clear()
                self._epochs.clear()

    def stop(self) -> None:
        """End after the turn in hand."""
        self.stopping = True

    async def _lead(self) -> None:
        await self._read_clock()
        await self._take_over()
        while not self.stopping:
            await self._turn()
        await self.store.revoke(self.node, self._epochs)

    async def _take_over(self) -> None:
        """Lead every shard, or those that we could before we were told to stop."""
        leaderships = []
        # The first shard decides who leads, so that one engine leads them all.  All are taken
        # before any is read: a shard takes bids while its history is being folded.
        for shard in range(self.shards):
            leadership = await self._acquire(shard)
            if leadership is None:
                return
            self._epochs[shard] = leadership.epoch
            leaderships.append(leadership)
            await self._renew()
        for leadership in leaderships:
            self.led[leadership.shard] = await self._catch_up(leadership)
        events = sum(led.seq for led in self.led.values())
        log.info("leading", node=self.node, shards=self.shards, events=events)

    async def _acquire(self, shard: int) -> Leadership | None:
        waiting = False
        while not self.stopping:
            leadership = await self.store.acquire(
                shard, self.node, LEASE_MS, self.lineage(), self.shards, RESUME
            )
            if leadership is not None:
                return leadership
            if not waiting:
                waiting = True
                log.info("waiting: another engine leads", shard=shard)
            await self._renew()
            await self.sleep(STANDBY_POLL_S)
        return None

    async def _catch_up(self, leadership: Leadership) -> Led:
        """Fold the shard's events up to where it stands, checking every link of the chain."""
        led = Led(leadership.shard, leadership.epoch, leadership.cursor, 0, GENESIS)
        while led.seq < leadership.seq:
            found = await self.store.read_events({led.shard: led.seq}, 0)
            if not found:
                raise Diverged(f"shard {led.shard} ends at {led.seq}, not at {leadership.seq}")
            for seq, payload in found[0][1]:
                if seq != led.seq + 1:
                    raise Diverged(f"shard {led.shard}: event {led.seq + 1} is missing")
                _fold(led, seq, payload)
            await self._renew()
        if (led.seq, led.head) != (leadership.seq, leadership.head):
            raise Diverged(f"shard {led.shard}: the events do not make the head {leadership.head}")
        for lot in led.state.lots.values():
            _set_timer(led, lot.auction_id)
        return led

    # ── A turn ───────────────────────────────────────────────────────────────────────────

    async def _turn(self) -> None:
        await self._append_due()
        cursors = {shard: led.cursor for shard, led in self.led.items()}
        commits: list[Commit] = []
        decided = 0
        for shard, entries in await self.store.read_commands(cursors, self._patience_ms()):
            for commit in self._decide(self.led[shard], entries):
                commits.append(commit)
                decided += len(commit.events)
                if decided >= EVENTS_PER_TURN:
                    await self._commit(commits)
                    await self._renew()
                    commits, decided = [], 0
        await self._commit(commits)
        await self._renew()

    def _decide(self, led: Led, entries: Sequence[tuple[str, bytes]]) -> Iterator[Commit]:
        """Decide a shard's entries in their order; as few commits as their events allow.

        Each is yielded before the next entry is decided, so that a long batch can be
        committed, and the lease renewed, on the way.
        """
        start = (led.cursor, led.seq, led.head)
        payloads: list[bytes] = []
        for entry_id, payload in entries:
            at = int(entry_id[: entry_id.index("-")])
            for event in _decide_entry(led, entry_id, at, payload):
                encoded = encode_event(event)
                led.head = chain(led.head, encoded)
                payloads.append(encoded)
            led.cursor = entry_id
            led.seq = start[1] + len(payloads)
            if len(payloads) > EVENTS_PER_COMMIT:
                yield _commit(led, start, payloads)
                start, payloads = (led.cursor, led.seq, led.head), []
        if led.cursor != start[0]:
            yield _commit(led, start, payloads)

    async def _commit(self, commits: Sequence[Commit]) -> None:
        if commits:
            await self.store.commit(commits)

    # ── Time ─────────────────────────────────────────────────────────────────────────────

    async def _append_due(self) -> None:
        now = self.clock.now()
        entries = []
        for led in self.led.values():
            due = [
                KeepTime(auction_id)
                for due_at, auction_id in led.timers.pop_due(now)
                if led.state.lots[auction_id].due_at == due_at
            ]
            for first in range(0, len(due), MAX_COMMANDS):
                batch: list[Command] = list(due[first : first + MAX_COMMANDS])
                entries.append((led.shard, encode_commands(batch)))
        if not entries:
            return
        for answer in await self.store.append(entries, 0):
            if answer in ("OVERLOADED", "UNLED", "TOO_BIG"):
                raise StreamError(f"the log refused the clock's own command: {answer}")

    def _patience_ms(self) -> int:
        """How long to wait for commands: not past the next due time or the lease."""
        due = [at for led in self.led.values() if (at := led.timers.next()) is not None]
        if not due:
            return RENEW_EVERY_MS
        return max(1, min(RENEW_EVERY_MS, min(due) - self.clock.now()))

    async def _renew(self) -> None:
        now = self.clock.monotonic()
        if (now - self._renewed_at) * 1000 < RENEW_EVERY_MS or not self._epochs:
            return
        self._renewed_at = now
        await self.store.renew(self.node, LEASE_MS, self._epochs)
        if (now - self._clock_read_at) * 1000 >= CLOCK_READ_EVERY_MS:
            await self._read_clock()

    async def _read_clock(self) -> None:
        self.clock.read(await self.store.now())
        self._clock_read_at = self.clock.monotonic()


def _decide_entry(led: Led, entry_id: str, at: int, payload: bytes) -> list[Event]:
    """Decide the commands of one entry.

    One that cannot be read is refused like any other wish that makes no sense: it is in the
    log for good, and must not stop every start of the house from now on.  Raises
    ``UnknownVersion`` for a newer record: refusing it would be for good, too.
    """
    try:
        commands = decode_commands(payload)
        if len(commands) > MAX_COMMANDS:  # their events might never fit a commit
            raise UnreadableRecord(f"{len(commands)} commands, more than {MAX_COMMANDS}")
    except UnknownVersion:
        raise
    except UnreadableRecord as error:
        log.error("an entry cannot be read", shard=led.shard, entry=entry_id, reason=str(error))
        return [CommandRefused(at, entry_id, "", "unreadable")]
    decided: list[Event] = []
    for command in commands:
        events = sale.execute(led.state, command, at)
        _follow_due_times(led, command, events)
        decided += events
    return decided


def _fold(led: Led, seq: int, payload: bytes) -> None:
    """Take in one stored event.  Raises ``Diverged`` where it is not one that can come next."""
    try:
        sale.evolve(led.state, decode_event(payload))
    except Exception as error:  # a damaged event may break any assumption there is
        raise Diverged(f"shard {led.shard}: event {seq} cannot stand there: {error!r}") from error
    led.seq = seq
    led.head = chain(led.head, payload)


def _commit(led: Led, start: tuple[str, int, str], events: list[bytes]) -> Commit:
    return Commit(led.shard, led.epoch, *start, led.cursor, led.head, events)


def _follow_due_times(led: Led, command: Command, events: Sequence[Event]) -> None:
    """Keep the timers true after a command."""
    if isinstance(command, KeepTime) and not events:
        # The log's clock was behind the guess: the lot is still to be woken.
        _set_timer(led, command.auction_id)
    for event in events:
        if isinstance(event, LotEvent | LotAdded):
            _set_timer(led, event.auction_id)


def _set_timer(led: Led, auction_id: str) -> None:
    lot = led.state.lots.get(auction_id)
    if lot is not None and lot.due_at != NEVER:
        led.timers.set(lot.due_at, auction_id)
