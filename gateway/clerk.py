"""The clerk: follows every shard's history and writes it down (``python -m gateway.clerk``).

There is one clerk.  It reads events in their order, checks that each follows from the one
before it (the chain of ``engine.core.codec``) and that the log agrees, and hands them to the
archive with the bookmark that says how far it came: after a kill it goes on exactly there.
A history that is not the one it has been following is never written over; the clerk stops.

What an event means to money is written in the same transaction, and what the log is to be
told of it is said afterwards (``gateway.settlement``), as is what the verifier is to be told
(``gateway.reporting``).  The clerk also puts the demonstration
sale into the log where that is missing.

At the end it goes on for as long as a gateway is there, because a gateway answers out of the
archive, then reads the log to its end.  It leaves to others: what a row says
(``gateway.core.entries``), and what happens when it dies (the launcher stops the house).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Final, Protocol

import structlog
from sqlalchemy import Connection, Engine

from engine import logs, presence
from engine.core.codec import GENESIS, UnreadableRecord, chain, decode_event
from engine.core.messages import Event
from engine.entering import NotEntered, enter
from engine.settings import BadSetting, LogSettings, refuse_to_start, unusable_data_dir
from engine.streams import Log, Position, StreamError, UnsupportedServer
from gateway import archive, demonstration, keys, sealing
from gateway.archive import ArchiveError, Bookmark, Passage
from gateway.books import news, once, outbox, sessions, signing_in
from gateway.books.store import BooksError, Vault, open_books
from gateway.deliveries import Outside, deliver, payments_of
from gateway.line import Line
from gateway.mail import postbox
from gateway.reporting import Reporting, report
from gateway.settings import GatewaySettings, read_gateway_settings
from gateway.settlement import Duties, TokenAuctions

_LOG_WITHIN_S: Final = 30.0  # the server reads a long log, an engine takes the lead
_LOOK_AGAIN_S: Final = 0.1
_BLOCK_MS: Final = 250  # a stop is noticed within it
_GATHER_S: Final = 0.1  # how far behind the log the archive may be for the sake of fewer fsyncs
_GATEWAYS_GONE_S: Final = 20.0  # they drain for at most 10 s: twice that is a hang

_SWEEP_EVERY_S: Final = 3_600.0

_log: Final = structlog.stdlib.get_logger()


class BrokenHistory(Exception):
    """The log is not the history that the archive has been following; one line says how."""


class EventLog(Protocol):
    """What the clerk needs of a log."""

    async def position(self, shard: int) -> Position | None: ...
    async def read_events(
        self, positions: Mapping[int, int], block_ms: int
    ) -> list[tuple[int, list[tuple[int, bytes]]]]: ...


def main() -> int:
    """Follow the log until told to stop; 0 after an orderly end, 1 an error, 2 refused."""
    try:
        settings = read_gateway_settings(os.environ)
        logs.configure(settings.log.log_format, "clerk")
        try:
            hold = presence.hold(settings.log.data_dir, "deciders", shared=True)
        except OSError as failure:
            raise unusable_data_dir(settings.log.data_dir, failure) from failure
        with hold, _databases(settings.database_url) as (engine, books):
            return asyncio.run(_run(settings, engine, books))
    except (BadSetting, presence.Held, keys.BadKeys) as complaint:
        return refuse_to_start(complaint)


@contextmanager
def _databases(url: str) -> Iterator[tuple[Engine, Engine]]:
    """The archive, which the log can write anew, and the books, which nothing can."""
    engine = archive.open_archive(url)
    try:
        books = open_books(url)
        try:
            yield engine, books
        finally:
            books.dispose()
    finally:
        engine.dispose()


async def _run(settings: GatewaySettings, engine: Engine, books: Engine) -> int:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    try:
        log = await _open_log(settings.log, stopping)
        if log is None:
            return 0  # told to stop before there was anything to write down
        try:
            await _work(settings, log, engine, books, stopping)
        finally:
            await log.close()
    except (
        StreamError,
        ArchiveError,
        BooksError,
        BrokenHistory,
        NotEntered,
        demonstration.NotSeeded,
        sealing.CannotOpen,
    ) as failure:
        _log.error("the clerk stops", reason=str(failure))
        return 1
    _log.info("the clerk has written everything down")
    return 0


async def _work(
    settings: GatewaySettings, log: Log, engine: Engine, books: Engine, stopping: asyncio.Event
) -> None:
    house_keys = _keys(settings, await log.now())
    salt = keys.anonymity_salt(house_keys)
    shards = settings.log.shards
    duties = await Duties.begin(log, books, shards, partial(sealing.opening_key, house_keys))
    clerk = await Clerk.begin(log, engine, shards, salt, books, duties)
    await clerk.catch_up()
    _log.info("the clerk follows the log", shards=shards)
    if house_keys.demo is not None:
        await _seed(house_keys, log, engine, books, shards, stopping)
    alone = asyncio.Event()
    line = Line(settings.verifier_socket)
    beside = [
        asyncio.create_task(_set_when_alone(settings.log, stopping, alone)),
        asyncio.create_task(deliver(_outside(settings, house_keys, books), clerk.written)),
        asyncio.create_task(report(_reporting(house_keys, books, line), clerk.happened)),
        asyncio.create_task(_sweep(books)),
    ]
    try:
        await clerk.follow(alone)
        await clerk.catch_up()
    finally:
        for task in beside:
            task.cancel()
        for outcome in await asyncio.gather(*beside, return_exceptions=True):
            if isinstance(outcome, Exception):  # nothing of the sale hangs on these
                _log.error("a duty of the clerk ended", exc_info=outcome)
        line.close()


def _outside(settings: GatewaySettings, house_keys: keys.HouseKeys, books: Engine) -> Outside:
    return Outside(
        books,
        Vault(house_keys.vault_key),
        keys.webhook_key(house_keys),
        keys.anonymity_salt(house_keys),
        payments_of(books, house_keys, _now_ms),
        postbox(settings, _now_ms),
        settings.public_url,
        settings.webhook_allow_private,
    )


def _reporting(house_keys: keys.HouseKeys, books: Engine, line: Line) -> Reporting:
    vault, salt = Vault(house_keys.vault_key), keys.anonymity_salt(house_keys)
    return Reporting(books, vault, salt, line, _now_ms)


async def _sweep(books: Engine) -> None:
    """Strike out now and then what nobody can ask for any more."""
    while True:
        try:
            for sweep in (sessions.sweep, signing_in.sweep, once.sweep):
                await asyncio.to_thread(sweep, books, _now_ms())
        except BooksError as failure:
            _log.warning("the books cannot be swept", reason=str(failure))
        await asyncio.sleep(_SWEEP_EVERY_S)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


async def _set_when_alone(
    settings: LogSettings, stopping: asyncio.Event, alone: asyncio.Event
) -> None:
    await stopping.wait()
    if not await presence.wait_until_free(settings.data_dir, "gateways", _GATEWAYS_GONE_S):
        _log.warning("not waiting any longer", still_there="gateways")
    alone.set()


# ── Following ────────────────────────────────────────────────────────────────────────────


class Clerk:
    """One pass after another over what the shards' histories have grown by."""

    def __init__(
        self,
        log: EventLog,
        engine: Engine,
        books: Engine,
        bookmarks: dict[int, Bookmark],
        salt: bytes,
        auctions: TokenAuctions,
        duties: Duties | None,
    ) -> None:
        self._log = log
        self._engine = engine
        self._books = books
        self._salt = salt
        self._bookmarks = bookmarks
        self._auctions = auctions
        self._duties = duties
        # What the log itself said of a shard, to be compared when reading gets there.
        self._said: dict[int, Position] = {}
        # There may be something to be sent: for the sender, and for the reporter.
        self.written = asyncio.Event()
        self.happened = asyncio.Event()

    @classmethod
    async def begin(
        cls,
        log: EventLog,
        engine: Engine,
        shards: int,
        salt: bytes,
        books: Engine | None = None,
        duties: Duties | None = None,
    ) -> Clerk:
        """Take up where the archive's bookmarks are.  Every shard has a history by now.

        *salt* is the house's secret, which bids' ids are made with; *books* what money is
        written with, the archive's own connections where there are no others.  Raises
        ``BrokenHistory`` where the log is not the one that the archive was written from, or
        has lost what the archive holds.
        """
        bookmarks = await asyncio.to_thread(archive.bookmarks, engine)
        starts: dict[int, Bookmark] = {}
        for shard in range(shards):
            said = await _said_of(log, shard)
            if shard not in bookmarks:
                starts[shard] = Bookmark(said.lineage, 0, GENESIS)
            else:
                _compare(shard, bookmarks[shard], said)
        await asyncio.to_thread(archive.begin, engine, starts)
        followed = {shard: (starts | bookmarks)[shard] for shard in range(shards)}
        auctions = TokenAuctions(await asyncio.to_thread(archive.token_auctions, engine))
        return cls(log, engine, books or engine, followed, salt, auctions, duties)

    async def follow(self, until: asyncio.Event) -> None:
        """Write down what happens, as it happens, until told to end."""
        while not until.is_set():
            found = await self.turn(_BLOCK_MS)
            await self.attend()
            if found:
                # Let some more gather: a transaction costs an fsync, however little is in it.
                with suppress(TimeoutError):
                    await asyncio.wait_for(until.wait(), _GATHER_S)

    async def catch_up(self) -> None:
        """Write down everything that the log holds now."""
        while await self.turn(0):
            pass

    async def turn(self, block_ms: int) -> int:
        """Read what is new, waiting up to *block_ms* for it, and write it down in one step.

        The number of events that were new.  Raises ``BrokenHistory``, ``StreamError`` and
        ``ArchiveError``; nothing of the turn is written then.
        """
        after = {shard: bookmark.seq for shard, bookmark in self._bookmarks.items()}
        found = await self._log.read_events(after, block_ms)
        passages = [await self._passage(shard, entries) for shard, entries in found]
        if not passages:
            return 0
        await asyncio.to_thread(self._record, passages)
        for passage in passages:
            self._bookmarks[passage.shard] = passage.after
        if self._duties is not None:
            self._duties.hear(passages)
        self.written.set()
        self.happened.set()
        return sum(len(passage.events) for passage in passages)

    async def attend(self) -> None:
        """See to what is due beside writing down, as of what has been written down."""
        if self._duties is not None:
            await self._duties.see_to(self._bookmarks)

    def _record(self, passages: Sequence[Passage]) -> None:
        also: list[archive.Also] = []
        engine = self._engine
        if self._auctions.concern(passages):
            # On the disk before anybody is told: whoever has their money back may spend it.
            engine = self._books
            also.append(self._auctions.end)
        archive.record(engine, passages, self._salt, [*also, self._intend])

    def _intend(self, connection: Connection, passages: Sequence[Passage]) -> None:
        """What is to be told of it outside is written down with it."""
        for passage in passages:
            news.intend(connection, passage)
            outbox.intend(connection, passage, self._salt)

    async def _passage(self, shard: int, entries: Sequence[tuple[int, bytes]]) -> Passage:
        before = self._bookmarks[shard]
        after, events = read_on(shard, before, entries, self._said.get(shard))
        said = self._said.get(shard)
        if said is None or said.seq <= after.seq:
            said = self._said[shard] = await _said_of(self._log, shard)
            _compare(shard, after, said)
        return Passage(shard, before, after, events)


def read_on(
    shard: int, before: Bookmark, entries: Sequence[tuple[int, bytes]], said: Position | None
) -> tuple[Bookmark, list[tuple[int, Event]]]:
    """Read the entries behind a bookmark: where it is then, and their events.

    Raises ``BrokenHistory`` at a gap, at bytes that are no event, and where the chain comes
    by a place with another head than the log *said* it has there.
    """
    seq, head = before.seq, before.head
    events: list[tuple[int, Event]] = []
    for found, payload in entries:
        if found != seq + 1:
            raise BrokenHistory(f"shard {shard}: event {seq + 1} is missing, {found} follows {seq}")
        seq, head = found, chain(head, payload)
        if said is not None and said.seq == seq:
            _compare(shard, Bookmark(before.lineage, seq, head), said)
        try:
            events.append((seq, decode_event(payload)))
        except UnreadableRecord as failure:
            # Its text quotes the event, which is private.
            raise BrokenHistory(f"shard {shard}: event {seq} cannot be read") from failure
    return Bookmark(before.lineage, seq, head), events


def _compare(shard: int, mine: Bookmark, said: Position) -> None:
    """Raises ``BrokenHistory`` where the log contradicts what was read of it."""
    if said.lineage != mine.lineage:
        raise BrokenHistory(
            f"shard {shard}: the archive follows lineage {mine.lineage}, the log is of lineage "
            f"{said.lineage}; give this log an archive of its own (DATABASE_URL)"
        )
    if said.seq < mine.seq:
        raise BrokenHistory(
            f"shard {shard}: the archive holds {mine.seq} events, the log only {said.seq}; "
            "the log has lost some"
        )
    if said.seq == mine.seq and said.head != mine.head:
        raise BrokenHistory(
            f"shard {shard}: the chain is broken at event {mine.seq}: head {mine.head[:16]}…, "
            f"the log says {said.head[:16]}…"
        )


async def _said_of(log: EventLog, shard: int) -> Position:
    said = await log.position(shard)
    if said is None:
        raise BrokenHistory(f"shard {shard}: its history has vanished from the log")
    return said


# ── Starting ─────────────────────────────────────────────────────────────────────────────


async def _open_log(settings: LogSettings, stopping: asyncio.Event) -> Log | None:
    """The log, once its server answers and every shard has been led; None: told to stop.

    Raises ``StreamError`` where that does not come about in time.
    """
    deadline = asyncio.get_running_loop().time() + _LOG_WITHIN_S
    waiting = False
    while not stopping.is_set():
        try:
            return await _try_log(settings)
        except UnsupportedServer:
            raise
        except StreamError as failure:
            if asyncio.get_running_loop().time() >= deadline:
                raise StreamError(f"no log within {_LOG_WITHIN_S:.0f} s: {failure}") from failure
            if not waiting:
                waiting = True
                _log.info("the clerk waits for the log", reason=str(failure))
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), _LOOK_AGAIN_S)
    return None


async def _try_log(settings: LogSettings) -> Log:
    log = await Log.open(settings.url)
    try:
        for shard in range(settings.shards):
            if await log.position(shard) is None:
                raise StreamError(f"no engine has led shard {shard} yet")
    except BaseException:
        await log.close()
        raise
    return log


def _keys(settings: GatewaySettings, now_ms: int) -> keys.HouseKeys:
    try:
        return keys.load_or_create(settings, now_ms)
    except OSError as failure:
        raise unusable_data_dir(settings.log.data_dir, failure) from failure


async def _seed(
    house_keys: keys.HouseKeys,
    log: Log,
    engine: Engine,
    books: Engine,
    shards: int,
    stopping: asyncio.Event,
) -> None:
    """Put the demonstration's people into the books, and its lots into the log, where any of
    them is missing."""
    demo, now = house_keys.demo, await log.now()
    assert demo is not None
    await asyncio.to_thread(sessions.seed_demonstration, books, house_keys, now)
    catalogue = demonstration.read_catalogue()
    auction_ids = [*demo.auction_ids, *demonstration.evening_auction_ids(demo, catalogue)]
    if not await asyncio.to_thread(archive.missing_auctions, engine, auction_ids):
        return
    commands = demonstration.plan(demo, catalogue, now)
    commands += demonstration.plan_evening(demo, catalogue)
    await enter(log, shards, commands, stopping)
    if not stopping.is_set():  # else perhaps only a part of it; the next start adds the rest
        _log.info("the demonstration is in the log", sale=demo.sale_id)


if __name__ == "__main__":
    sys.exit(main())
