"""The gateway's line to the log: appends commands, follows events, folds the view.

Two connections: one reads and one appends, so that a reader waiting for news holds up no bid.
Commands of one loop turn travel together; an answer is never made here, it is read from the
shard's events, so what a bidder is told is durable and is in every later answer of this
gateway.

A command is encoded before it is queued: one that cannot be is its sender's affair alone, and
nothing but the log itself can end the delivery of the others'.

A command that got no answer is undecided.  The feed does not send it again: whoever gave it
does, with the same id, and the engine answers it once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol, cast, get_args

import structlog

from engine.clock import LogClock
from engine.core.codec import decode_event, encode_command, join_commands
from engine.core.messages import (
    Act,
    ActDecided,
    AutoAcceptSet,
    BidAccepted,
    BidAnswer,
    BidsLapsed,
    Command,
    CommandRefused,
    CommandTaken,
    ConsoleTaken,
    CreateSale,
    Deed,
    EnterSale,
    Event,
    KeepTime,
    LeaveConsole,
    LeaveSale,
    LimitLowered,
    LotEvent,
    LowerLimit,
    PlaceBid,
    RegisterBidder,
    RemoveSale,
    ResumeTrading,
    RingMoved,
    UpdateSale,
    shard_of_command,
)
from engine.streams import MAX_COMMANDS, UNLED_AFTER_MS, Log, StreamError
from gateway.core.view import LotView, Saleroom
from gateway.fanout import Hub

MOST_WAITING = 20_000  # commands not yet in the log: past it the gateway says it is overloaded
SLICE = 128  # events folded and sent before the sockets get their turn
BLOCK_MS = 1_000
CLOCK_READ_EVERY_S = 2.0
LEADER_POLL_S = 0.05  # a lease is renewed eight times a second

_Told = BidAccepted | LotEvent | LimitLowered | BidsLapsed
_OfLot = BidAnswer | _Told
_OfSale = RingMoved | ConsoleTaken | AutoAcceptSet
# Sets, for every event is looked up in them.
_TOLD = frozenset(get_args(_Told))
_SHOWN = frozenset(get_args(_OfLot | _OfSale))

Key = tuple[str, str, str, int, str, str]  # auction, consumer, cmd_id and what was bid
Wish = tuple[str, str, str, Deed]  # auction, the console's key, cmd_id and what was wished for
Question = tuple[str, str, str]  # what it is about, who asks, and the cmd_id
Outcome = CommandTaken | CommandRefused

log = structlog.stdlib.get_logger()


class Waiter(Protocol):
    """Somebody who waits for a bid's answer."""

    def answered(self, lot: LotView, event: BidAnswer) -> None:
        """The decision, durable."""

    def not_taken(self, command: PlaceBid) -> None:
        """The log did not take the command: nothing entered it."""


class Performer(Protocol):
    """Somebody who waits to hear what became of an act of the rostrum."""

    def performed(self, event: ActDecided) -> None:
        """What became of it, durable."""

    def not_performed(self, command: Act) -> None:
        """The log did not take the command: nothing entered it."""


class Rostrum(Protocol):
    """Whoever shows consoles how a lot or a sale stands."""

    def lot_changed(self, auction_id: str) -> None:
        """Something about this lot, public or private, is different now."""

    def sale_changed(self, sale_id: str) -> None:
        """Another lot is in the ring, or another console sells, or bids wait or do not."""


class _Asked:
    """Somebody who waits to hear what became of a command of the house."""

    def __init__(self) -> None:
        self.outcome: asyncio.Future[Outcome | None] = asyncio.get_running_loop().create_future()

    def hears(self, outcome: Outcome | None) -> None:
        """What became of it; None: it was not taken."""
        if not self.outcome.done():
            self.outcome.set_result(outcome)


class _Letter(NamedTuple):
    """A command on its way to the log, and who waits for what becomes of it."""

    command: Command
    encoded: bytes
    waiter: Waiter | Performer | _Asked | None  # None: nobody


Batch = list[_Letter]


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
        self._performers: dict[Wish, list[Performer]] = {}
        self.rostrum: Rostrum | None = None
        self._asked: dict[Question, list[_Asked]] = {}

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
        kind = type(event)
        if kind in _TOLD:
            assert isinstance(event, _Told)
            self.hub.deliver(self.saleroom.lots[event.auction_id], event)
        elif isinstance(event, ActDecided):
            self._perform(place, event)
        elif isinstance(event, CommandTaken | CommandRefused):
            for asked in self._asked.pop((event.subject, event.by, event.cmd_id), ()):
                asked.hears(event)
        if self.rostrum is not None and kind in _SHOWN:
            self._show(self.rostrum, event)

    def _perform(self, place: int, event: ActDecided) -> None:
        lot = self.saleroom.lots.get(event.auction_id)
        # Whose bid was refused is told that and why: once, and before the console hears of it.
        if lot is not None and lot.places and lot.places[-1] == place:
            self.hub.deliver(lot, event)
        wish = (event.auction_id, event.by, event.cmd_id, event.deed)
        for performer in self._performers.pop(wish, ()):
            performer.performed(event)

    def _show(self, rostrum: Rostrum, event: Event) -> None:
        if isinstance(event, _OfSale):
            rostrum.sale_changed(event.sale_id)
        else:
            assert isinstance(event, _OfLot)
            rostrum.lot_changed(event.auction_id)

    def _answer(self, lot: LotView, event: BidAnswer) -> None:
        answer = event.answer
        content = (answer.amount, answer.kind, answer.commitment)
        key = (event.auction_id, event.consumer_id, event.cmd_id, *content)
        for waiter in self._waiters.pop(key, ()):
            waiter.answered(lot, event)

    # ── Appending ────────────────────────────────────────────────────────────────────────

    def submit(self, command: PlaceBid, waiter: Waiter) -> None:
        """Append a bid with this turn's others; *waiter* hears what became of it.

        Raises what ``encode_command`` does; nothing is appended then.
        """
        if not self.takes_bids or len(self._outbox) >= MOST_WAITING:
            waiter.not_taken(command)
            return
        letter = _Letter(command, encode_command(command), waiter)
        self._waiters.setdefault(_key(command), []).append(waiter)
        self._outbox.append(letter)
        self._has_mail.set()

    def perform(self, command: Act, performer: Performer) -> None:
        """Append an act of the rostrum; *performer* hears what became of it.

        Raises what ``encode_command`` does; nothing is appended then.
        """
        if not self.takes_bids or len(self._outbox) >= MOST_WAITING:
            performer.not_performed(command)
            return
        letter = _Letter(command, encode_command(command), performer)
        self._performers.setdefault(_wish(command), []).append(performer)
        self._outbox.append(letter)
        self._has_mail.set()

    def leave_console(self, command: LeaveConsole) -> None:
        """Append that a console is gone; nobody waits to hear of it."""
        self._outbox.append(_Letter(command, encode_command(command), None))
        self._has_mail.set()

    async def command(self, command: Command, within_s: float = 5.0) -> Outcome | None:
        """Append a command of the house and wait for what became of it.

        Its ``cmd_id`` is not empty.  An earlier command with the same one, about the same lot
        or sale and by the same person, is answered for this one too: the answer names it.
        What it brought about is in the view when this returns.  None: the log did not take
        it, or it is undecided.  Raises what ``encode_command`` does; nothing is appended then.
        """
        if not self.takes_bids or len(self._outbox) >= MOST_WAITING:
            return None
        question, asked = _question(command), _Asked()
        letter = _Letter(command, encode_command(command), asked)
        self._asked.setdefault(question, []).append(asked)
        self._outbox.append(letter)
        self._has_mail.set()
        try:
            async with asyncio.timeout(within_s):
                return await asked.outcome
        except TimeoutError:
            return None
        finally:
            self._ask_no_more(question, asked)

    def _ask_no_more(self, question: Question, asked: _Asked) -> None:
        waiting = self._asked.get(question, [])
        if asked in waiting:
            waiting.remove(asked)
        if not waiting:
            self._asked.pop(question, None)

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
                while self._waiters or self._performers or self._asked:
                    await asyncio.sleep(0.01)  # answers come one by one, new bids between them

    async def deliver_mail(self) -> None:
        """Append what was submitted, for ever.  Raises ``StreamError``."""
        while True:
            await self._has_mail.wait()
            self._has_mail.clear()
            mail, self._outbox = self._outbox, []
            entries = _pack(mail, self.shards)
            answers = await self._writer.append(
                [(shard, join_commands([one.encoded for one in batch])) for shard, batch in entries]
            )
            for (_, batch), answer in zip(entries, answers, strict=True):
                if answer in ("OVERLOADED", "UNLED", "TOO_BIG"):
                    log.warning("the log takes no bids", reason=answer, commands=len(batch))
                    self._give_back(batch)

    def _give_back(self, batch: Batch) -> None:
        for command, _, waiter in batch:
            if isinstance(waiter, _Asked):
                waiter.hears(None)
            elif isinstance(command, PlaceBid):
                self.forget(command, cast(Waiter, waiter))
                cast(Waiter, waiter).not_taken(command)
            elif isinstance(command, Act):
                for performer in self._performers.pop(_wish(command), ()):
                    performer.not_performed(command)

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


def _wish(command: Act) -> Wish:
    return (command.auction_id, command.by, command.cmd_id, command.deed)


def _key(command: PlaceBid) -> Key:
    return (
        command.auction_id,
        command.consumer_id,
        command.cmd_id,
        command.amount,
        command.kind,
        command.commitment,
    )


def _question(command: Command) -> Question:
    assert not isinstance(command, PlaceBid | LeaveConsole | KeepTime | ResumeTrading), "unasked"
    assert command.cmd_id, "only a command with an id is told what became of it"
    if isinstance(command, EnterSale | LeaveSale | LowerLimit):  # a bidder's own wish
        return _subject(command), command.consumer_id, command.cmd_id
    return _subject(command), command.by, command.cmd_id


def _subject(command: Command) -> str:
    """The sale or auction that the log will name as what the command was about."""
    assert not isinstance(command, ResumeTrading)
    if isinstance(command, UpdateSale):
        return command.sale.sale_id
    if isinstance(
        command, CreateSale | RemoveSale | RegisterBidder | EnterSale | LeaveSale | LeaveConsole
    ):
        return command.sale_id
    return command.auction_id


def _pack(mail: Batch, shards: int) -> list[tuple[int, Batch]]:
    """Entries of at most ``MAX_COMMANDS``, each shard's commands in the order they came."""
    entries: list[tuple[int, Batch]] = []
    latest: dict[int, Batch] = {}
    for letter in mail:
        shard = shard_of_command(letter.command, shards)
        batch = latest.get(shard)
        if batch is None or len(batch) == MAX_COMMANDS:
            batch = latest[shard] = []
            entries.append((shard, batch))
        batch.append(letter)
    return entries
