"""The audit: everything made again from the log, and the first disagreement named.

``python -m gateway.audit`` (``make audit``) reads the log of every shard and the database, of
a house that is open or of one that is closed, and changes neither.  It checks, in this order:

- log: every event is in its place, linked to the one before, up to the head that the log says;
- decisions: each made again by the engine's rules (``gateway.core.recount`` says which cannot);
- archive: the rows are what the clerk would write of these events today;
- ledger: every line re-added in integers, every balance, nothing below zero, nothing made but
  by issue and mint, no more minted than was for sale;
- holds: every bid of a token auction was paid in and ended as the log says, and nothing else
  is held.

One line a check and exit code 0, or one line that names the first disagreement and exit code
1; 2 where there is nothing to audit.  No line tells a bidder's figures.

The database is read as of one instant, and the log up to where it was a moment later, so that
an open house is audited while it sells.  Leaves to others: provenance, and what the log itself
cannot know, such as commands that were left out before they were decided.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Engine, Table, select

from engine import presence
from engine.core.codec import GENESIS, UnreadableRecord, chain, decode_event
from engine.core.messages import (
    Event,
    LotAdded,
    SaleCreated,
    SaleTerms,
    Terms,
    shard_of,
)
from engine.settings import BadSetting, refuse_to_start
from engine.streams import Log, Position, StreamError, open_when_ready
from gateway import archive, keys
from gateway.archive import ArchiveError, Bookmark, Passage
from gateway.books import ledger as books
from gateway.core.ledger import Account, base_units, is_outside, journal_key, written
from gateway.core.recount import Disagreement, Recount
from gateway.settings import GatewaySettings, read_gateway_settings
from gateway.settlement import prize_of

_KEEPER_STOPS_S: Final = 30.0
_SAY_EVERY_S: Final = 0.5
_ROWS_AT_ONCE: Final = 1_000

# What the clerk writes of events; the largest are compared an auction at a time.
_TABLES: Final = (
    archive.sales,
    archive.auctions,
    archive.registrations,
    archive.bids,
    archive.lowerings,
    archive.results,
    archive.wins,
    archive.acts,
    archive.rostrum,
)
_LARGE: Final = (archive.bids, archive.lowerings, archive.acts, archive.rostrum)

Row = Mapping[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Audit the house of this environment; 0 all agrees, 1 a disagreement, 2 refused."""
    _parser().parse_args(arguments)
    try:
        settings = replace(read_gateway_settings(os.environ), demo=False)  # no keys are renewed
        if not (settings.log.data_dir / "keys.json").exists():
            reason = "the folder of a house that has been opened (keys.json is missing)"
            raise BadSetting("DATA_DIR", str(settings.log.data_dir), reason)
        salt = keys.anonymity_salt(keys.load_or_create(settings, 0))
        engine = archive.open_as_it_is(settings.database_url)
        try:
            asyncio.run(_run(settings, engine, salt))
        finally:
            engine.dispose()
    except (BadSetting, presence.Held, keys.BadKeys) as complaint:
        return refuse_to_start(complaint)
    except (Disagreement, ArchiveError, StreamError) as finding:
        _say(f"disagreement: {finding}")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="python -m gateway.audit",
        description=(
            "Makes every decision, row and balance again from the log of the house in DATA_DIR, "
            "open or closed, and names the first disagreement. Changes nothing."
        ),
        epilog="Exit code 0: all agrees. 1: a disagreement. 2: there is nothing to audit.",
    )


async def _run(settings: GatewaySettings, engine: Engine, salt: bytes) -> None:
    with _one_instant(engine) as snapshot, _empty_archive() as again:
        async with _log_of(settings) as log:
            history = History(log, settings.log.shards, snapshot, again, salt)
            await history.check()
        rows = check_archive(snapshot, again, history.bookmarks)
        _say(f"archive    {rows:,} rows are what these events say{_behind(history.behind)}")
        _say(f"ledger     {check_ledger(snapshot)}")
        _say(f"holds      {check_holds(snapshot)}")


def _behind(events: int) -> str:
    return f"; {events:,} events are still to be written down" if events else ""


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class _Progress:
    """A line that counts, for somebody who watches; a file gets none of it."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._next = time.monotonic() + _SAY_EVERY_S

    def at(self, done: int, of: int) -> None:
        """So far."""
        if sys.stderr.isatty() and time.monotonic() >= self._next:
            self._next = time.monotonic() + _SAY_EVERY_S
            sys.stderr.write(f"\r{self._what}: {done:,} of {of:,} events ")
            sys.stderr.flush()


# ── Opening ──────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def _log_of(settings: GatewaySettings) -> AsyncIterator[Log]:
    """The log of a house that is open, or of a closed one, whose server is started for it."""
    try:
        log = await Log.open(settings.log.url)
    except StreamError:
        if not settings.log.embedded:
            raise
        async with _kept(settings) as log:
            yield log
        return
    try:
        yield log
    finally:
        await log.close()


@asynccontextmanager
async def _kept(settings: GatewaySettings) -> AsyncIterator[Log]:
    keeper = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "engine.keeper"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        preexec_fn=partial(presence.die_with_parent, signal.SIGTERM, os.getpid()),
    )
    try:
        log = await _unless_ended(keeper, settings.log.url)
        try:
            yield log
        finally:
            await log.close()
    finally:
        if keeper.returncode is None:
            keeper.terminate()
        await asyncio.wait_for(keeper.wait(), _KEEPER_STOPS_S)


async def _unless_ended(keeper: asyncio.subprocess.Process, url: str) -> Log:
    opening = asyncio.create_task(open_when_ready(url))
    ended = asyncio.create_task(keeper.wait())
    await asyncio.wait({opening, ended}, return_when=asyncio.FIRST_COMPLETED)
    if not opening.done():
        opening.cancel()
        raise StreamError("the log's server did not start; its last line says why")
    ended.cancel()
    return opening.result()


@contextmanager
def _one_instant(engine: Engine) -> Iterator[Connection]:
    """The database as it is now, however long it is looked at."""
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with archive.connected(engine) as connection:
        yield connection


@contextmanager
def _empty_archive() -> Iterator[Engine]:
    """Where the rows are written a second time, in a folder that goes away."""
    with tempfile.TemporaryDirectory(prefix="fairwarning-audit-") as folder:
        engine = archive.open_archive(f"sqlite:///{Path(folder) / 'again.db'}")
        try:
            yield engine
        finally:
            engine.dispose()


# ── The log, and its decisions ───────────────────────────────────────────────────────────


class History:
    """The events of every shard, read once: checked, decided again, and written down again."""

    def __init__(
        self, log: Log, shards: int, snapshot: Connection, again: Engine, salt: bytes
    ) -> None:
        self._log = log
        self._shards = shards
        self._again = again
        self._salt = salt
        self.bookmarks = archive.bookmarks_in(snapshot)
        self.behind = 0  # events that the archive has not yet
        self._events = 0
        self._made_again = 0
        self._untold = 0

    async def check(self) -> None:
        """Raises ``Disagreement`` at the first thing that is not as it must be."""
        for shard in range(self._shards):
            said = await self._log.position(shard)
            if said is None:
                self._check_unled(shard)
            else:
                try:
                    await self._check_shard(shard, said)
                except Disagreement as finding:
                    raise Disagreement(f"shard {shard}: {finding}") from finding
        _say(
            f"log        {self._shards} shards, {self._events:,} events, every one in its place "
            "and linked to the one before"
        )
        _say(
            f"decisions  {self._made_again:,} made again, {self._untold:,} refused whose wish is "
            "not in the log"
        )

    def _check_unled(self, shard: int) -> None:
        if shard in self.bookmarks and self.bookmarks[shard].seq:
            raise Disagreement(f"shard {shard}: the archive has events of it, the log has none")

    async def _check_shard(self, shard: int, said: Position) -> None:
        bookmark = self.bookmarks.get(shard, Bookmark(said.lineage, 0, GENESIS))
        if bookmark.lineage != said.lineage:
            raise Disagreement("the archive is of another log")
        if bookmark.seq > said.seq:
            raise Disagreement(f"the archive has {bookmark.seq} events, the log {said.seq}")
        at = Bookmark(said.lineage, 0, GENESIS)
        archive.begin(self._again, {shard: at})
        recount = Recount()
        progress = _Progress(f"shard {shard} of {self._shards}")
        while at.seq < said.seq:
            at = await self._go_on(shard, at, bookmark, said, recount)
            progress.at(at.seq, said.seq)
        if at.head != said.head:
            raise Disagreement(f"the chain of {at.seq} events does not end in the log's head")
        self._events += said.seq
        self._made_again += recount.made_again
        self._untold += recount.untold
        self.behind += said.seq - bookmark.seq

    async def _go_on(
        self, shard: int, at: Bookmark, bookmark: Bookmark, said: Position, recount: Recount
    ) -> Bookmark:
        """One reading further, but not beyond what the log *said*; where it is then."""
        found = await self._log.read_events({shard: at.seq}, 0)
        if not found:
            raise Disagreement(f"event {at.seq + 1} is missing, the log says {said.seq}")
        entries = [entry for entry in found[0][1] if entry[0] <= said.seq]
        # Cut at the bookmark: there the archive's own head is compared, and its rows end.
        before = [entry for entry in entries if entry[0] <= bookmark.seq]
        for part in (before, entries[len(before) :]):
            if part:
                start, at, events = at, *self._read(shard, at, part)
                recount.read(events, last=at.seq == said.seq)
                if part is before:
                    self._write_again(shard, start, at, events)
            if at.seq == bookmark.seq and at.head != bookmark.head:
                raise Disagreement(f"event {at.seq}: the archive has followed another history")
        return at

    def _read(
        self, shard: int, at: Bookmark, entries: Sequence[tuple[int, bytes]]
    ) -> tuple[Bookmark, list[tuple[int, Event]]]:
        seq, head = at.seq, at.head
        events: list[tuple[int, Event]] = []
        for found, payload in entries:
            if found != seq + 1:
                raise Disagreement(f"event {seq + 1} is missing, {found} follows {seq}")
            seq, head = found, chain(head, payload)
            try:
                event = decode_event(payload)
            except UnreadableRecord as failure:
                raise Disagreement(f"event {seq} cannot be read") from failure
            self._check_place(shard, seq, event)
            events.append((seq, event))
        return Bookmark(at.lineage, seq, head), events

    def _check_place(self, shard: int, seq: int, event: Event) -> None:
        if isinstance(event, SaleCreated | LotAdded):
            sale_id = event.sale.sale_id if isinstance(event, SaleCreated) else event.sale_id
            if shard_of(sale_id, self._shards) != shard:
                raise Disagreement(f"event {seq}: {sale_id} does not belong here")

    def _write_again(
        self, shard: int, start: Bookmark, end: Bookmark, events: Sequence[tuple[int, Event]]
    ) -> None:
        try:
            archive.record(self._again, [Passage(shard, start, end, events)], self._salt)
        except KeyError as unknown:
            raise Disagreement(f"events {start.seq + 1} to {end.seq}: no {unknown}") from unknown


# ── The archive ──────────────────────────────────────────────────────────────────────────


def check_archive(snapshot: Connection, again: Engine, bookmarks: Mapping[int, Bookmark]) -> int:
    """Compare the archive's rows with those that were written again; how many there are.

    *bookmarks*: how far the archive has come.  Raises ``Disagreement``.
    """
    rows = 0
    with archive.connected(again) as rewritten:
        for table in _TABLES:
            rows += _compare(table, snapshot, rewritten)
    return rows


def _compare(table: Table, snapshot: Connection, rewritten: Connection) -> int:
    if table not in _LARGE:
        return _compare_rows(table, _rows(snapshot, table), _rows(rewritten, table))
    rows = 0
    first = next(iter(table.primary_key))
    found = {key for one in (snapshot, rewritten) for key in one.scalars(select(first).distinct())}
    for key in sorted(found):
        mine, theirs = (_rows(one, table, key) for one in (snapshot, rewritten))
        rows += _compare_rows(table, mine, theirs)
    return rows


def _rows(
    connection: Connection, table: Table, first: str | None = None
) -> dict[tuple[Any, ...], Row]:
    query = select(table)
    if first is not None:
        query = query.where(next(iter(table.primary_key)) == first)
    names = [column.name for column in table.primary_key]
    found = connection.execute(query).mappings()
    return {tuple(row[name] for name in names): _comparable(table, {**row}) for row in found}


def _comparable(table: Table, row: dict[str, Any]) -> Row:
    """Terms with everything in them that later versions have added."""
    if table is archive.auctions:
        row["terms"] = msgspec.convert(row["terms"], Terms)
    elif table is archive.sales:
        row["terms"] = msgspec.convert(row["terms"], SaleTerms)
    return row


def _compare_rows(
    table: Table, mine: dict[tuple[Any, ...], Row], theirs: dict[tuple[Any, ...], Row]
) -> int:
    for key in sorted(mine.keys() | theirs.keys()):
        # Whoever the row is of is not said; its place is.
        place = f"{table.name} of {key[0]}" + (f", {key[-1]}" if isinstance(key[-1], int) else "")
        if key not in mine:
            raise Disagreement(f"{place}: the row is missing")
        if key not in theirs:
            raise Disagreement(f"{place}: no event says that there is such a row")
        for name, value in theirs[key].items():
            if mine[key][name] != value:
                raise Disagreement(f"{place}: the events say another {name}")
    return len(theirs)


# ── The ledger ───────────────────────────────────────────────────────────────────────────


def check_ledger(snapshot: Connection) -> str:
    """Add every line of the journal again; what to say of it.  Raises ``Disagreement``."""
    accounts = _accounts(snapshot)
    added = dict.fromkeys(accounts, 0)
    keys_seen: set[str] = set()
    mints: dict[str, list[Account]] = {}
    journal = select(books.journal).order_by(books.journal.c.id)
    for line in snapshot.execute(journal.execution_options(yield_per=_ROWS_AT_ONCE)):
        _check_line(line, accounts, keys_seen)
        added[line.debit] -= int(line.amount)
        added[line.credit] += int(line.amount)
        if line.journal_key.startswith("mint:"):
            mints.setdefault(line.auction_id or "", []).append(accounts[line.credit][0])
    for number, (account, balance) in accounts.items():
        _check_balance(account, balance, added[number])
    for auction_id, given in sorted(mints.items()):
        _check_mints(snapshot, auction_id, given)
    assets = _check_sums(accounts, added)
    return f"{len(keys_seen):,} lines make {len(accounts):,} balances of {assets:,} assets"


def _accounts(snapshot: Connection) -> dict[int, tuple[Account, str]]:
    return {
        row.id: (Account(row.holder, row.asset_id, row.token_id, row.kind), row.balance)
        for row in snapshot.execute(select(books.accounts))
    }


def _check_line(
    line: Any, accounts: Mapping[int, tuple[Account, str]], keys_seen: set[str]
) -> None:
    place = f"ledger: line {line.id}"
    if line.journal_key in keys_seen:
        raise Disagreement(f"{place}: its key was used before")
    keys_seen.add(line.journal_key)
    if not line.amount.isdigit() or written(int(line.amount)) != line.amount:
        raise Disagreement(f"{place}: its amount is not written as an amount")
    if int(line.amount) == 0:
        raise Disagreement(f"{place}: it moves nothing")
    if line.debit not in accounts or line.credit not in accounts:
        raise Disagreement(f"{place}: one of its accounts does not exist")
    debit, credit = accounts[line.debit][0], accounts[line.credit][0]
    if not debit.asset_id == credit.asset_id == line.asset_id:
        raise Disagreement(f"{place}: it is of two assets")
    if (debit.kind, credit.kind) not in _WAYS.get(line.journal_key.partition(":")[0], ()):
        raise Disagreement(f"{place}: from {debit.kind} to {credit.kind} is no such line's way")


# From which kind of account to which a line may go, by the first word of its key.
_WAYS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "issue": (("issued", "available"),),
    "mint": (("issued", "available"),),
    "hold": (("available", "held"),),
    "end": (("held", "available"), ("held", "burned"), ("held", "house")),
}


def _check_balance(account: Account, balance: str, added: int) -> None:
    place = f"ledger: the {account.kind} balance of {account.holder} in {account.asset_id}"
    if added > 0 if is_outside(account) else added < 0:
        raise Disagreement(f"{place}: its lines take more than there was")
    if balance != written(abs(added)):
        raise Disagreement(f"{place}: it is not what its lines come to")


def _check_sums(accounts: Mapping[int, tuple[Account, str]], added: Mapping[int, int]) -> int:
    sums: dict[str, int] = {}
    for number, (account, _) in accounts.items():
        sums[account.asset_id] = sums.get(account.asset_id, 0) + added[number]
    for asset_id, amount in sorted(sums.items()):
        if amount:
            raise Disagreement(f"ledger: of {asset_id} more is there than came from anywhere")
    return len(sums)


def _check_mints(snapshot: Connection, auction_id: str, given: Sequence[Account]) -> None:
    query = select(archive.auctions.c.terms).where(archive.auctions.c.auction_id == auction_id)
    found = snapshot.scalar(query)
    if found is None:
        raise Disagreement(f"ledger: minted for {auction_id}, of which no event knows")
    terms = msgspec.convert(found, Terms)
    if terms.tokens is None or len(given) > terms.winner_count:
        raise Disagreement(f"ledger: more was minted for {auction_id} than was for sale")
    prize = prize_of(terms.tokens)
    if any((to.asset_id, to.token_id) != (prize.asset_id, prize.token_id) for to in given):
        raise Disagreement(f"ledger: what was minted for {auction_id} was not for sale")


# ── Holds and bids ───────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Bid:
    """An accepted bid of a token auction, and how its hold must stand."""

    auction_id: str
    consumer_id: str
    cmd_id: str
    asset_id: str
    amount: int  # in the asset's smallest unit
    ended_as: str | None


def check_holds(snapshot: Connection) -> str:
    """Compare what is held with the bids that stand.  Raises ``Disagreement``."""
    bids = dict(_token_bids(snapshot))
    lines = _lines_of_bids(snapshot)
    live: dict[tuple[str, str], int] = {}
    holds = {row.bid_id: row for row in snapshot.execute(select(books.holds))}
    for bid_id, row in sorted(holds.items()):
        _check_hold(row, bids.get(bid_id), lines)
        if row.ended_at is None:
            key = (row.consumer_id, row.asset_id)
            live[key] = live.get(key, 0) + int(row.amount)
    for bid_id, bid in sorted(bids.items()):
        if bid_id not in holds:
            raise Disagreement(f"holds: {bid_id} of {bid.auction_id} was taken and never paid in")
    _check_no_more_is_held(snapshot, live)
    known = {key for row in holds.values() for key in _keys_of(row)}
    stray = sorted(line.bid_id for key, line in lines.items() if key not in known)
    if stray:
        raise Disagreement(f"holds: the ledger has lines of {stray[0]}, which has no hold")
    return f"{len(holds):,} holds are those of {len(bids):,} bids, and ended as they did"


def _token_bids(snapshot: Connection) -> Iterator[tuple[str, _Bid]]:
    decimals = dict(
        snapshot.execute(select(books.assets.c.asset_id, books.assets.c.decimals)).all()
    )
    lots = select(archive.auctions, archive.sales.c.exponent).join(archive.sales)
    for lot in snapshot.execute(lots.where(archive.auctions.c.in_tokens)).all():
        terms = msgspec.convert(lot.terms, Terms)
        assert terms.tokens is not None
        asset_id = terms.tokens.bid_asset_id
        exponent = lot.exponent if terms.exponent is None else terms.exponent
        ends = _ends(snapshot, lot.auction_id, terms)
        accepted = archive.bids.c.code.is_(None) & (archive.bids.c.auction_id == lot.auction_id)
        for bid in snapshot.execute(select(archive.bids).where(accepted)):
            if asset_id not in decimals:
                raise Disagreement(f"holds: {lot.auction_id} is bid on in an unknown asset")
            yield (
                bid.bid_id,
                _Bid(
                    lot.auction_id,
                    bid.consumer_id,
                    bid.cmd_id,
                    asset_id,
                    base_units(bid.amount, exponent, decimals[asset_id]),
                    "released" if bid.canceled_at is not None else ends(bid.bid_id),
                ),
            )


def _ends(snapshot: Connection, auction_id: str, terms: Terms) -> Callable[[str], str | None]:
    """How the bids of an auction ended that were not taken back, by their ids."""
    query = select(archive.results).where(archive.results.c.auction_id == auction_id)
    result = snapshot.execute(query).first()
    if result is None or (not result.canceled and result.settling_at is None):
        return lambda _: None
    assert terms.tokens is not None
    winners = {win.bid_id for win in archive.winners(snapshot, auction_id)}
    paid = "burned" if terms.tokens.settlement_type == "burn" else "transferred"
    return lambda bid_id: paid if bid_id in winners else "released"


def _lines_of_bids(snapshot: Connection) -> dict[str, Any]:
    """The lines of bids, by their keys, with the kind of account that they go to."""
    journal, accounts = books.journal, books.accounts
    query = select(journal, accounts.c.kind, accounts.c.holder).join(
        accounts, journal.c.credit == accounts.c.id
    )
    found = snapshot.execute(query.where(journal.c.bid_id.is_not(None)))
    return {row.journal_key: row for row in found}


_GOES_TO: Final = {"released": "available", "burned": "burned", "transferred": "house"}


def _keys_of(row: Any) -> Iterator[str]:
    """The keys that lines of a hold may have, of those before it for the same bid, too."""
    yield f"mint:{row.bid_id}"
    for number in range(1, row.number + 1):
        yield journal_key("hold", row.bid_id, number)
        yield journal_key("end", row.bid_id, number)


def _check_released(row: Any, number: int, lines: Mapping[str, Any]) -> None:
    """What was held before for a bid that came again, all of it was given back."""
    held = lines.get(journal_key("hold", row.bid_id, number))
    end = lines.get(journal_key("end", row.bid_id, number))
    back = ("available", row.consumer_id)
    if held is None or end is None or (end.kind, end.holder, end.amount) != (*back, held.amount):
        place = f"holds: {row.bid_id} of {row.auction_id}"
        raise Disagreement(f"{place}: it was held again before it was given back")


def _check_hold(row: Any, bid: _Bid | None, lines: Mapping[str, Any]) -> None:
    place = f"holds: {row.bid_id} of {row.auction_id}"
    for number in range(1, row.number):
        _check_released(row, number, lines)
    held = lines.get(journal_key("hold", row.bid_id, row.number))
    end = lines.get(journal_key("end", row.bid_id, row.number))
    if held is None or held.amount != row.amount or held.holder != row.consumer_id:
        raise Disagreement(f"{place}: the ledger did not set it aside so")
    if (end is None) != (row.ended_as is None):
        raise Disagreement(f"{place}: whether it has ended, the ledger says otherwise")
    if end is not None and (end.kind != _GOES_TO[row.ended_as] or end.amount != row.amount):
        raise Disagreement(f"{place}: the ledger has ended it in another way")
    minted = f"mint:{row.bid_id}" in lines
    if minted != (row.ended_as in ("burned", "transferred")):
        raise Disagreement(f"{place}: what was paid and what was given do not agree")
    if bid is None:
        # On its way, refused, or never come: whatever has ended it, it was given back.
        if row.taken_at is not None or row.ended_as not in (None, "released"):
            raise Disagreement(f"{place}: no such bid was taken")
        return
    said = _Bid(
        row.auction_id, row.consumer_id, row.cmd_id, row.asset_id, int(row.amount), row.ended_as
    )
    if row.taken_at is None or said != bid:
        raise Disagreement(f"{place}: it is not as the bid that was taken")


def _check_no_more_is_held(snapshot: Connection, live: Mapping[tuple[str, str], int]) -> None:
    query = select(books.accounts).where(books.accounts.c.kind == "held")
    held = {
        (row.holder, row.asset_id): int(row.balance)
        for row in snapshot.execute(query)
        if int(row.balance)
    }
    for key in sorted(held.keys() | live.keys()):
        if held.get(key) != live.get(key):
            raise Disagreement(f"holds: what {key[0]} has set aside is not what their bids hold")


if __name__ == "__main__":
    sys.exit(main())
