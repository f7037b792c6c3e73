"""The clerk's duties beyond writing down: the end of held bids, and the words that finish a lot.

A bid in a token auction is paid in by the gateway (``gateway.books.ledger``) before it enters
the log.  Here, and nowhere else, it ends: refused, taken back, lost or canceled it is
released, won it is paid and the prize is handed over.  That is written in the transaction
that moves the clerk's bookmark past the event, under a journal key that is written once; so
a kill between any two steps leaves either none of it or all of it.

Then the log is told: ``FinishSettlement`` when the books of a lot are written, ``CloseLot``
with the key that opens the bids when a sealed lot's time is over.  Both are said again until
the log shows what came of them, under one ``cmd_id``, so that once too often is no harm.

A hold whose bid never reached the log is released when it no longer can: its instant is past,
and the shard's history has been read beyond that instant.  So is one whose bid came too late and
was sent again meanwhile, for the log takes what is sent again in time.

Leaves to others: who has won (the engine), what a line is (``gateway.core.ledger``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

import structlog
from sqlalchemy import Connection, Engine

from engine.core.codec import encode_commands
from engine.core.messages import (
    BidAccepted,
    BidCanceled,
    BiddingEnded,
    BidRefused,
    CloseLot,
    CommandRefused,
    Event,
    FinishSettlement,
    LotAdded,
    LotCanceled,
    LotClosed,
    LotSettled,
    LotSettling,
    LotUpdated,
    Terms,
    Tokens,
    shard_of,
)
from engine.streams import MAX_COMMANDS, Decided, Refused
from gateway import archive
from gateway.archive import Bookmark, Passage
from gateway.books import ledger as books_of
from gateway.books.ledger import LiveHold
from gateway.books.store import reading, writing
from gateway.core import ledger
from gateway.core.ledger import Ended, Prize

_AGAIN_S: Final = 5.0  # a word that the log has not answered for as long is said again
_LOOK_EVERY_S: Final = 5.0  # for holds without a bid: they end well within a minute
_GRACE_MS: Final = 2_000  # beyond the last instant at which the log would have taken a bid
_NEVER: Final = float("-inf")  # on the loop's clock
_BY: Final = "clerk"

_log: Final = structlog.stdlib.get_logger()


class Chain(Protocol):
    """Where the end of a bid takes effect.

    The books are one such place, and the only one there is today.  A chain of blocks would be
    another: it is given the same lines, keeps their journal keys so that a line given twice
    counts once, and need not be done with them when the call returns.
    """

    def carry_out(self, connection: Connection, ends: Sequence[Ended]) -> None: ...


class Books:
    """The ledger itself: lines take effect with the clerk's transaction."""

    def carry_out(self, connection: Connection, ends: Sequence[Ended]) -> None:
        """Write the lines."""
        books_of.end(connection, ends)


class DutyLog(Protocol):
    """What duties need of a log."""

    async def now(self) -> int: ...
    async def append(self, entries: Sequence[tuple[int, bytes]]) -> list[str | Refused]: ...
    async def decided(self, shard: int) -> Decided: ...


# ── The end of bids ──────────────────────────────────────────────────────────────────────

# What a token auction's bids or their ends come with.
_OF_MONEY: Final = (BidAccepted, BidRefused, BidCanceled, LotCanceled, LotSettling)
_MoneyEvent = BidAccepted | BidRefused | BidCanceled | LotCanceled | LotSettling


class TokenAuctions:
    """Which auctions are bid on in tokens, and what their events come to in the books."""

    def __init__(self, auction_ids: Iterable[str], chain: Chain | None = None) -> None:
        self._auction_ids = set(auction_ids)
        self._chain = chain or Books()

    def concern(self, passages: Sequence[Passage]) -> bool:
        """Do the books move with these events?  Learns of new auctions on the way."""
        found = False
        for passage in passages:
            for _, event in passage.events:
                if isinstance(event, LotAdded | LotUpdated):
                    self._learn(event)
                elif isinstance(event, _OF_MONEY):
                    found = found or event.auction_id in self._auction_ids
        return found

    def _learn(self, event: LotAdded | LotUpdated) -> None:
        if event.terms.tokens is not None:
            self._auction_ids.add(event.auction_id)
        else:
            self._auction_ids.discard(event.auction_id)

    def end(self, connection: Connection, passages: Sequence[Passage]) -> None:
        """Write what these events mean to held bids; the archive has their rows already."""
        events = [
            event
            for passage in passages
            for _, event in passage.events
            if isinstance(event, _OF_MONEY) and event.auction_id in self._auction_ids
        ]
        live = books_of.live_holds(connection, (event.auction_id for event in events))
        reading = _Reading(connection, live)
        for event in events:
            reading.hear(event)
        books_of.take(connection, reading.taken)
        # All at once: accounts are locked in one order however many auctions end.
        self._chain.carry_out(connection, reading.ends)


class _Reading:
    """Events in their order, and what becomes of the holds that were live before them."""

    def __init__(self, connection: Connection, live: Sequence[LiveHold]) -> None:
        self._connection = connection
        self._live = {_key(hold): hold for hold in live}
        self._seen = {hold.hold.bid_id for hold in live if hold.taken_at is not None}
        self._decimals: dict[str, int] = {}  # by asset
        self.taken: list[tuple[str, int]] = []  # bid ids and instants
        self.ends: list[Ended] = []

    def hear(self, event: _MoneyEvent) -> None:
        if isinstance(event, LotCanceled):
            for hold in self._of(event.auction_id):
                self._end(hold, ledger.release(hold.hold, event.at))
        elif isinstance(event, LotSettling):
            self._settle(event)
        else:
            self._hear_of_one(event)

    def _hear_of_one(self, event: BidAccepted | BidRefused | BidCanceled) -> None:
        cmd_id = event.bid_cmd_id if isinstance(event, BidCanceled) else event.cmd_id
        hold = self._live.get((event.auction_id, event.consumer_id, cmd_id))
        if hold is None:
            if isinstance(event, BidAccepted):
                # It wins nothing: it has nothing to pay with.  The audit names it.
                _log.error("a bid that nothing is held for", auction=event.auction_id)
        elif isinstance(event, BidAccepted):
            self._seen.add(hold.hold.bid_id)
            self.taken.append((hold.hold.bid_id, event.answer.at))
            if self._in_units(hold, event.answer.amount) != hold.hold.amount:
                # It pays what is held and no more.  The audit names it.
                _log.error("a bid for another amount than is held", auction=event.auction_id)
        elif isinstance(event, BidCanceled):
            self._end(hold, ledger.release(hold.hold, event.at))
        elif hold.hold.bid_id not in self._seen and not _may_still_come(hold, event):
            # A refusal after the bid stands is of another bid with the same cmd_id.
            self._end(hold, ledger.release(hold.hold, event.answer.at))

    def _in_units(self, hold: LiveHold, amount: int) -> int:
        """A bid's amount in the smallest unit of what is held for it."""
        asset_id = hold.hold.asset_id
        if asset_id not in self._decimals:
            decimals = books_of.decimals_of(self._connection, asset_id)
            assert decimals is not None, "something is held of an asset that does not exist"
            self._decimals[asset_id] = decimals
        decimals = self._decimals[asset_id]
        return ledger.base_units(amount, ledger.bid_exponent(decimals), decimals)

    def _settle(self, event: LotSettling) -> None:
        terms = archive.terms_of(self._connection, event.auction_id)
        assert terms.tokens is not None
        winners = [win.bid_id for win in archive.winners(self._connection, event.auction_id)]
        live = {hold.hold.bid_id: hold for hold in self._of(event.auction_id)}
        if not live.keys() >= set(winners):
            _log.error("a winner that nothing is held for", auction=event.auction_id)
        holds = [hold.hold for hold in live.values()]
        settlement, quantity = terms.tokens.settlement_type, terms.winner_count
        prize = prize_of(terms.tokens)
        for ended in ledger.settle(holds, winners, prize, quantity, settlement, event.at):
            self._end(live[ended.hold.bid_id], ended)

    def _of(self, auction_id: str) -> list[LiveHold]:
        return [hold for hold in self._live.values() if hold.hold.auction_id == auction_id]

    def _end(self, hold: LiveHold, ended: Ended) -> None:
        del self._live[_key(hold)]
        self.ends.append(ended)


def _key(live: LiveHold) -> tuple[str, str, str]:
    return live.hold.auction_id, live.hold.consumer_id, live.cmd_id


def _may_still_come(hold: LiveHold, refused: BidRefused) -> bool:
    """Was it a bid that came too late, and sent again since, with time that is not over?

    The log takes that one as if the first had not been.  Where it never comes, what is held
    for it is released without a bid.
    """
    return refused.answer.code == "expired" and hold.expires_at >= refused.answer.at


def prize_of(tokens: Tokens) -> Prize:
    """What each winner is given.  The number of an erc721's token is its contract's to choose."""
    number = tokens.auction_asset_token_id
    if tokens.auction_asset_type == "erc721" or number is None:
        return Prize(tokens.auction_asset_id)
    return Prize(tokens.auction_asset_id, str(number))


# ── Words to the log ─────────────────────────────────────────────────────────────────────


class Duties:
    """What the clerk still has to tell the log, kept up to date by the events that it reads."""

    def __init__(
        self,
        log: DutyLog,
        books: Engine,
        shards: int,
        opening_key: Callable[[Terms], str],
        due: Iterable[str] = (),
    ) -> None:
        self._log = log
        self._books = books
        self._shards = shards
        self._opening_key = opening_key
        # By cmd_id, and with it by auction: when it was last said.
        self._due: dict[str, float] = dict.fromkeys(due, _NEVER)
        self._orphans = Orphans(log, books, shards)

    @classmethod
    async def begin(
        cls, log: DutyLog, books: Engine, shards: int, opening_key: Callable[[Terms], str]
    ) -> Duties:
        """Take up what an earlier clerk left undone."""
        to_finish = await asyncio.to_thread(archive.settling_auctions, books)
        to_open = await asyncio.to_thread(archive.ended_auctions, books)
        due = [*map(_finishing, to_finish), *map(_opening, to_open)]
        return cls(log, books, shards, opening_key, due)

    def hear(self, passages: Sequence[Passage]) -> None:
        """Learn what is due and what is done, after these events have been written down."""
        for passage in passages:
            for _, event in passage.events:
                self._hear(event)

    def _hear(self, event: Event) -> None:
        if isinstance(event, LotSettling):
            self._due[_finishing(event.auction_id)] = _NEVER
        elif isinstance(event, BiddingEnded):
            self._due[_opening(event.auction_id)] = _NEVER
        elif isinstance(event, LotSettled):
            self._due.pop(_finishing(event.auction_id), None)
        elif isinstance(event, LotClosed | LotCanceled):
            self._due.pop(_opening(event.auction_id), None)
        elif isinstance(event, CommandRefused) and self._due.pop(event.cmd_id, None) is not None:
            _log.error("the log objects", subject=event.subject, objection=event.objection)

    async def see_to(self, bookmarks: Mapping[int, Bookmark]) -> None:
        """Say what is due and release what is held for nothing; *bookmarks*: what is read."""
        await self._say()
        await self._orphans.release(bookmarks)

    async def _say(self) -> None:
        """Tell the log what is due, and what it has not answered for a while again."""
        now = asyncio.get_running_loop().time()
        due = [cmd_id for cmd_id, said in self._due.items() if now - said >= _AGAIN_S]
        if not due:
            return
        commands = [await self._command(cmd_id) for cmd_id in due[:MAX_COMMANDS]]
        entries = [
            (shard_of(command.auction_id, self._shards), encode_commands([command]))
            for command in commands
        ]
        # One that was not taken, for want of a leader perhaps, is said again like any other.
        await self._log.append(entries)
        self._due.update(dict.fromkeys(due[:MAX_COMMANDS], now))

    async def _command(self, cmd_id: str) -> FinishSettlement | CloseLot:
        what, _, auction_id = cmd_id.partition(":")
        if what == "finish":
            return FinishSettlement(auction_id, cmd_id, _BY)
        terms = await asyncio.to_thread(self._terms, auction_id)
        return CloseLot(auction_id, cmd_id, _BY, self._opening_key(terms))

    def _terms(self, auction_id: str) -> Terms:
        with reading(self._books) as connection:
            return archive.terms_of(connection, auction_id)


def _finishing(auction_id: str) -> str:
    return f"finish:{auction_id}"


def _opening(auction_id: str) -> str:
    return f"open:{auction_id}"


# ── Holds without a bid ──────────────────────────────────────────────────────────────────


class Orphans:
    """Releases what is held for bids that the log has never taken and never will."""

    def __init__(self, log: DutyLog, books: Engine, shards: int) -> None:
        self._log = log
        self._books = books
        self._shards = shards
        self._looked_at = _NEVER
        # By shard: up to when the log had decided, and the event that this was said at.
        self._decided: dict[int, Decided] = {}

    async def release(self, bookmarks: Mapping[int, Bookmark]) -> int:
        """Release what can be, every few seconds; how many holds.  *bookmarks*: what is read."""
        now = asyncio.get_running_loop().time()
        if now - self._looked_at < _LOOK_EVERY_S:
            return 0
        self._looked_at = now
        expired_by = await self._log.now() - _GRACE_MS
        shards = await asyncio.to_thread(self._shards_of, expired_by)
        until: dict[int, int] = {}
        for shard in shards:
            # A bid is appended before its hold expires.  What had been appended by an instant
            # that is past the hold is decided, and what was decided has been read.
            if shard not in self._decided:
                self._decided[shard] = await self._log.decided(shard)
            decided = self._decided[shard]
            if bookmarks[shard].seq >= decided.seq:
                until[shard] = decided.until - _GRACE_MS
                del self._decided[shard]
        return await asyncio.to_thread(self._release, until) if until else 0

    def _shards_of(self, expired_by: int) -> list[int]:
        with reading(self._books) as connection:
            holds = books_of.unseen_holds(connection, expired_by)
        return sorted({shard_of(hold.hold.auction_id, self._shards) for hold in holds})

    def _release(self, until: Mapping[int, int]) -> int:
        """Release the holds of each shard that expired *until* then."""
        with writing(self._books) as connection:
            ends = [
                ledger.release(hold.hold, hold.expires_at)
                for hold in books_of.unseen_holds(connection, max(until.values()))
                if hold.expires_at <= until.get(shard_of(hold.hold.auction_id, self._shards), 0)
            ]
            books_of.end(connection, ends)
        if ends:
            _log.info("released what was held for bids that never came", holds=len(ends))
        return len(ends)
