"""The archive: what the log has decided, in SQL, for questions that are asked later.

It is a copy that can be written again from the log; nothing is decided by it.  The clerk
alone writes it, rows and its bookmark in one transaction, so that a kill at any moment leaves
neither a gap nor anything twice.  Everybody else reads.  In the same database, and under the
same migrations, are the books (``gateway.books``), which no log can write again; what events
mean to them is written in the archive's own transaction.

Amounts are whole minor units of the sale's currency, instants are milliseconds since the
epoch, both in columns of 64 bits.  A column marked *private* never reaches the public:
limits, the reserve and who stands behind a paddle are in here.

SQLite is the default, PostgreSQL is for more than one machine; the same tables in both,
made and kept up to date by the migrations beside this module.  All functions block: call
them in a thread.  Raises ``ArchiveError`` for whatever the database did wrong.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import msgspec
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import (
    JSON,
    URL,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Select,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    create_engine,
    delete,
    event,
    func,
    make_url,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from engine.core.messages import Event, Terms
from engine.settings import BadSetting, without_password
from gateway.core.entries import Entries, Row, auctions_bid_on, entries_of

# ── The tables ───────────────────────────────────────────────────────────────────────────

metadata: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

# How far each shard's history has been written down.
positions: Final = Table(
    "positions",
    metadata,
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("lineage", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("head", Text, nullable=False),
)

sales: Final = Table(
    "sales",
    metadata,
    Column("sale_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("exponent", Integer, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("registration", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("supports_guest", Boolean, nullable=False),
    Column("terms", JSON, nullable=False),  # what is printed of it
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("removed_at", BigInteger),
)

auctions: Final = Table(
    "auctions",
    metadata,
    Column("auction_id", Text, primary_key=True),
    Column("sale_id", Text, ForeignKey("sales.sale_id"), nullable=False, index=True),
    Column("lot_number", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("estimate_low", BigInteger),
    Column("estimate_high", BigInteger),
    Column("photos", JSON, nullable=False),
    Column("provenance", JSON, nullable=False),
    Column("serial", Text),
    Column("terms", JSON, nullable=False),  # private: the reserve is in it
    Column("in_tokens", Boolean, nullable=False),  # its bids are held and settled in the ledger
    Column("revision", Integer, nullable=False),
    Column("added_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("withdrawn_at", BigInteger),
    Column("ended_at", BigInteger),  # of sealed bidding: it closes when the key has come
    Column("time_zone", Text),  # of its times as they were said; null: the sale's
)

registrations: Final = Table(
    "registrations",
    metadata,
    Column("sale_id", Text, ForeignKey("sales.sale_id"), primary_key=True),
    Column("consumer_id", Text, primary_key=True),  # private: who holds the paddle
    Column("paddle", BigInteger, nullable=False),
    Column("admission", Text, nullable=False),  # private
    Column("registered_at", BigInteger, nullable=False),
    Column("bid_limit", BigInteger),  # private
    Column("reason", Text, nullable=False),  # private
    Column("changed_by", Text, nullable=False),  # private; empty: the bidder themselves
    Column("conditions_version", Text),
    Column("changed_at", BigInteger, nullable=False),
    UniqueConstraint("sale_id", "paddle"),
)

# Every bid that was decided, accepted or refused.  A refused one is private altogether.
bids: Final = Table(
    "bids",
    metadata,
    Column("auction_id", Text, ForeignKey("auctions.auction_id"), primary_key=True),
    Column("log_seq", BigInteger, primary_key=True, autoincrement=False),  # in its shard's log
    Column("bid_id", Text, nullable=False),
    Column("consumer_id", Text, nullable=False),  # private
    Column("cmd_id", Text, nullable=False),  # private
    Column("paddle", BigInteger),  # null: refused
    Column("at", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),  # the public number that the bidder was answered
    Column("amount", BigInteger, nullable=False),  # private: may be a limit
    Column("kind", Text, nullable=False),  # private
    Column("price", BigInteger),  # what the bid made public; null: nothing
    Column("status", Text, nullable=False),  # private: how the bidder stood after it
    # private: why it was refused; null: accepted; waiting: for the rostrum, whose word has a row
    # of its own
    Column("code", Text),
    Column("why", Text),  # what moved the price; null: nothing did
    Column("commitment", Text, nullable=False),  # of a sealed bid, whose amount is 0; else empty
    Column("opened_amount", BigInteger),  # private: what a sealed bid was, read at the close
    Column("void", Text),  # private: why a sealed bid counted for nothing
    Column("canceled_at", BigInteger),  # when it was taken back
    Column("channel", Text, nullable=False),  # where it came from
    Column("house", Boolean, nullable=False),  # private: it was made for the consignor
    Column("by", Text, nullable=False),  # private: who made or took it at the rostrum
    Column("undone_at", BigInteger),  # when the rostrum took it back; null: it stands
    Column("called_at", BigInteger),  # when it came to lead, where it had been in already
)
_AT_ONCE: Final = 500  # ids in one question: SQLite takes some thousands
_PUBLIC: Final = bids.c.price.is_not(None)
_STANDS: Final = bids.c.undone_at.is_(None)
_ACCEPTED: Final = bids.c.code.is_(None)
# When a bid made its price: nobody is to learn when a limit was left.
_SHOWN_AT: Final = func.coalesce(bids.c.called_at, bids.c.at)
Index(
    "ix_bids_public",
    bids.c.auction_id,
    bids.c.log_seq,
    sqlite_where=_PUBLIC,
    postgresql_where=_PUBLIC,
)
Index("ix_bids_bid_id", bids.c.bid_id)
Index(
    "ix_bids_own",
    bids.c.auction_id,
    bids.c.consumer_id,
    bids.c.log_seq,
    sqlite_where=_ACCEPTED,
    postgresql_where=_ACCEPTED,
)

results: Final = Table(
    "results",
    metadata,
    Column("auction_id", Text, ForeignKey("auctions.auction_id"), primary_key=True),
    Column("outcome", Text, nullable=False),  # sold, sold_subject, passed, withdrawn or canceled
    Column("winner", Text),  # private: a consumer id
    Column("paddle", BigInteger),  # the winner's
    Column("hammer_price", BigInteger),  # null: not sold
    Column("closed_at", BigInteger, nullable=False),
    Column("settle_at", BigInteger),  # when it is due; null: never
    Column("settling_at", BigInteger),  # when the ledger was to be written; null: nothing is
    Column("settled_at", BigInteger),
    Column("canceled", Boolean, nullable=False),
    Column("opening_key", Text),  # of a sealed auction: anybody may read its bids with it now
    Column("reason", Text, nullable=False),  # private: the rostrum's
    Column("by", Text, nullable=False),  # private: whose act it was
)

# Who won, and what each of them pays: a row for every place.
wins: Final = Table(
    "wins",
    metadata,
    Column("auction_id", Text, ForeignKey("results.auction_id"), primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),  # from 1, best first
    Column("consumer_id", Text, nullable=False),  # private
    Column("paddle", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),  # the hammer price of this place
    Column("bid", BigInteger, nullable=False),  # private: what they had bid
    Column("bid_id", Text, nullable=False),
)

# A leader's own lower limits.  Private altogether.
lowerings: Final = Table(
    "lowerings",
    metadata,
    Column("auction_id", Text, ForeignKey("auctions.auction_id"), primary_key=True),
    Column("log_seq", BigInteger, primary_key=True, autoincrement=False),
    Column("consumer_id", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
)

# What the house and its bidders have wished for and got, and who did.  Private altogether.
# One row however often the answer was given.
acts: Final = Table(
    "acts",
    metadata,
    Column("subject", Text, primary_key=True),  # the auction or the sale
    Column("by", Text, primary_key=True),
    Column("cmd_id", Text, primary_key=True),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("command", Text, nullable=False),
)


# What consoles have done and wished to do, who did, and why.  Private altogether: a left bid's
# limit is in here.  One row however often the answer was given.
rostrum: Final = Table(
    "rostrum",
    metadata,
    Column("auction_id", Text, primary_key=True),
    Column("by", Text, primary_key=True),  # the console's key
    Column("cmd_id", Text, primary_key=True),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("act", Text, nullable=False),
    Column("said", JSON, nullable=False),  # with it
    Column("session", Text, nullable=False),  # the console's connection
    Column("seen", BigInteger),
    Column("reason", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("price", BigInteger),  # after it
    Column("code", Text),  # why it was not done; null: it was
    Column("bid_id", Text),  # of the bid that it made, took or called
)


class ArchiveError(Exception):
    """The database cannot be read or written; one line, without a secret."""


@dataclass(frozen=True, slots=True)
class Bookmark:
    """How far a shard's history has been written down."""

    lineage: str
    seq: int
    head: str


@dataclass(frozen=True, slots=True)
class Passage:
    """Events of one shard that follow each other, and the bookmarks on both sides of them."""

    shard: int
    before: Bookmark
    after: Bookmark
    events: Sequence[tuple[int, Event]]


@dataclass(frozen=True, slots=True)
class PublicBid:
    """A bid as everybody may know of it, but for the consumer, whose name is never shown."""

    bid_id: str
    consumer_id: str  # private
    price: int  # what the bid made public
    at: int


@dataclass(frozen=True, slots=True)
class AcceptedBid:
    """A bid as the house knows it."""

    bid_id: str
    auction_id: str
    consumer_id: str
    cmd_id: str
    amount: int
    at: int
    canceled_at: int | None
    log_seq: int


@dataclass(frozen=True, slots=True)
class Winner:
    """A winning place."""

    place: int
    consumer_id: str
    paddle: int
    amount: int  # what they pay
    bid: int
    bid_id: str


@dataclass(frozen=True, slots=True)
class OwnBid:
    """A bid as its bidder knows it."""

    bid_id: str
    amount: int  # a limit, where it was one
    at: int


@dataclass(frozen=True, slots=True)
class HouseBid:
    """A bid that the auctioneer made for the consignor: private until the sale is over."""

    auction_id: str
    at: int
    amount: int
    undone_at: int | None


@dataclass(frozen=True, slots=True)
class PastDeed:
    """What a console did that is asked about afterwards."""

    auction_id: str
    at: int
    by: str  # the console's key
    act: str
    reason: str
    price: int | None  # after it


# What goes into the register of a sale; a hammer only where it needed a reason.
_REGISTERED: Final = ("undo", "reinstate", "reopen", "lower_reserve", "withdraw")


# ── Reading ──────────────────────────────────────────────────────────────────────────────


def position(engine: Engine, shard: int) -> int:
    """The last event of the shard's log that is written down; 0: none."""
    with connected(engine) as connection:
        seq = connection.scalar(select(positions.c.seq).where(positions.c.shard == shard))
    return 0 if seq is None else int(seq)


def public_bids(
    engine: Engine, auction_id: str, limit: int, *, is_live: bool = False
) -> list[PublicBid]:
    """The auction's bids that made a price, newest first.  *is_live*: sold from a rostrum,
    where a bid may make its price long after it came."""
    columns = (bids.c.bid_id, bids.c.consumer_id, bids.c.price, _SHOWN_AT)
    query = select(*columns).where(bids.c.auction_id == auction_id, _PUBLIC, _STANDS)
    newest_first = [bids.c.log_seq.desc()]
    if is_live:
        newest_first = [_SHOWN_AT.desc(), bids.c.price.desc(), *newest_first]
    with connected(engine) as connection:
        rows = connection.execute(query.order_by(*newest_first).limit(limit))
        return [PublicBid(*row) for row in rows]


def prices(engine: Engine, auction_ids: Sequence[str]) -> dict[str, list[tuple[int, int]]]:
    """How the prices of some auctions rose: (instant, price), oldest first; without those that
    nobody has bid on."""
    found: dict[str, list[tuple[int, int]]] = {}
    columns = (bids.c.auction_id, _SHOWN_AT, bids.c.price)
    as_it_rose = _SHOWN_AT, bids.c.price, bids.c.log_seq
    with connected(engine) as connection:
        for start in range(0, len(auction_ids), _AT_ONCE):
            some = auction_ids[start : start + _AT_ONCE]
            query = select(*columns).where(bids.c.auction_id.in_(some), _PUBLIC, _STANDS)
            for auction_id, at, price in connection.execute(query.order_by(*as_it_rose)):
                found.setdefault(auction_id, []).append((at, price))
    return found


def house_bids(engine: Engine, auction_ids: Sequence[str]) -> list[HouseBid]:
    """What the auctioneer has bid for the consignors of these lots, oldest first."""
    columns = [bids.c[name] for name in HouseBid.__dataclass_fields__]
    found: list[HouseBid] = []
    with connected(engine) as connection:
        for start in range(0, len(auction_ids), _AT_ONCE):
            some = auction_ids[start : start + _AT_ONCE]
            query = select(*columns).where(bids.c.auction_id.in_(some), _ACCEPTED, bids.c.house)
            found += [HouseBid(*row) for row in connection.execute(query)]
    return sorted(found, key=lambda bid: bid.at)


def register(engine: Engine, auction_ids: Sequence[str]) -> list[PastDeed]:
    """What the rostrum has taken back or decided against the rule in these lots, oldest first."""
    columns = [rostrum.c[name] for name in PastDeed.__dataclass_fields__]
    told = or_(
        rostrum.c.act.in_(_REGISTERED), (rostrum.c.act == "hammer") & (rostrum.c.reason != "")
    )
    found: list[PastDeed] = []
    with connected(engine) as connection:
        for start in range(0, len(auction_ids), _AT_ONCE):
            some = auction_ids[start : start + _AT_ONCE]
            query = select(*columns).where(rostrum.c.auction_id.in_(some), rostrum.c.code.is_(None))
            found += [PastDeed(*row) for row in connection.execute(query.where(told))]
    return sorted(found, key=lambda deed: deed.at)


def own_bids(engine: Engine, auction_id: str, consumer_id: str, limit: int) -> list[OwnBid]:
    """A bidder's accepted bids on the auction, silent raises included, newest first."""
    query = select(bids.c.bid_id, bids.c.amount, bids.c.at).where(
        bids.c.auction_id == auction_id, bids.c.consumer_id == consumer_id, _ACCEPTED
    )
    with connected(engine) as connection:
        rows = connection.execute(query.order_by(bids.c.log_seq.desc()).limit(limit))
        return [OwnBid(*row) for row in rows]


def accepted_bids(
    engine: Engine, auction_id: str, limit: int, after: int | None = None
) -> list[AcceptedBid]:
    """The auction's accepted bids, canceled ones included, newest first; those before the bid
    at the place *after* in the log."""
    query = _accepted_bids().where(bids.c.auction_id == auction_id)
    if after is not None:
        query = query.where(bids.c.log_seq < after)
    with connected(engine) as connection:
        rows = connection.execute(query.order_by(bids.c.log_seq.desc()).limit(limit))
        return [AcceptedBid(*row) for row in rows]


def accepted_bid(engine: Engine, auction_id: str, bid_id: str) -> AcceptedBid | None:
    """An accepted bid of the auction, by its id."""
    query = _accepted_bids().where(bids.c.bid_id == bid_id, bids.c.auction_id == auction_id)
    with connected(engine) as connection:
        row = connection.execute(query).first()
        return None if row is None else AcceptedBid(*row)


def _accepted_bids() -> Select[Any]:
    names = AcceptedBid.__dataclass_fields__
    return select(*(bids.c[name] for name in names)).where(_ACCEPTED)


def winners(connection: Connection, auction_id: str) -> list[Winner]:
    """Who has won the auction, best first."""
    columns = (wins.c[name] for name in Winner.__dataclass_fields__)
    query = select(*columns).where(wins.c.auction_id == auction_id).order_by(wins.c.place)
    return [Winner(*row) for row in connection.execute(query)]


def terms_of(connection: Connection, auction_id: str) -> Terms:
    """What the auction is sold by; private.  It must be there."""
    query = select(auctions.c.terms).where(auctions.c.auction_id == auction_id)
    return msgspec.convert(connection.execute(query).scalar_one(), Terms)


def token_auctions(engine: Engine) -> list[str]:
    """The auctions whose bids are held in the ledger, and that are not settled yet."""
    query = (
        select(auctions.c.auction_id)
        .outerjoin(results)
        .where(auctions.c.in_tokens, results.c.settled_at.is_(None))
    )
    with connected(engine) as connection:
        return list(connection.scalars(query))


def settling_auctions(engine: Engine) -> list[str]:
    """The auctions whose books are written, and of which the log does not say so yet."""
    query = select(results.c.auction_id).where(
        results.c.settling_at.is_not(None), results.c.settled_at.is_(None)
    )
    with connected(engine) as connection:
        return list(connection.scalars(query))


def ended_auctions(engine: Engine) -> list[str]:
    """The sealed auctions whose time is over and that wait for the key to be opened with."""
    query = (
        select(auctions.c.auction_id)
        .outerjoin(results)
        .where(auctions.c.ended_at.is_not(None), results.c.auction_id.is_(None))
    )
    with connected(engine) as connection:
        return list(connection.scalars(query))


def missing_auctions(engine: Engine, auction_ids: Sequence[str]) -> list[str]:
    """Those of *auction_ids* that are not in the archive."""
    query = select(auctions.c.auction_id).where(auctions.c.auction_id.in_(auction_ids))
    with connected(engine) as connection:
        found = set(connection.scalars(query))
    return [auction_id for auction_id in auction_ids if auction_id not in found]


def bookmarks(engine: Engine) -> dict[int, Bookmark]:
    """How far each shard's history has been written down, by shard."""
    with connected(engine) as connection:
        return bookmarks_in(connection)


def bookmarks_in(connection: Connection) -> dict[int, Bookmark]:
    """The same, within the caller's look at the database."""
    query = select(positions.c.shard, positions.c.lineage, positions.c.seq, positions.c.head)
    rows = connection.execute(query)
    return {shard: Bookmark(lineage, seq, head) for shard, lineage, seq, head in rows}


# ── Writing (the clerk's) ────────────────────────────────────────────────────────────────


def begin(engine: Engine, starts: Mapping[int, Bookmark]) -> None:
    """Put the first bookmark into shards of which nothing has been written down."""
    if not starts:
        return
    rows = [
        {"shard": shard, "lineage": start.lineage, "seq": start.seq, "head": start.head}
        for shard, start in starts.items()
    ]
    with _writing(engine) as connection:
        connection.execute(positions.insert(), rows)


# What else is written with a turn's events: in the same transaction, after their rows.
Also = Callable[[Connection, Sequence["Passage"]], None]


def record(
    engine: Engine, passages: Sequence[Passage], salt: bytes, also: Sequence[Also] = ()
) -> None:
    """Write down what happened, rows and bookmarks and what *also* writes, all of it or nothing.

    *salt* is the house's secret, which bids' ids are made with.  Raises ``ArchiveError`` also
    where a bookmark is not where the passage begins: somebody else is writing.
    """
    with _writing(engine) as connection:
        for passage in passages:
            _move_bookmark(connection, passage)
        for passage in passages:
            sale_of = _sales_of(connection, auctions_bid_on(passage.events))
            _write(connection, entries_of(passage.events, sale_of, salt))
        for write in also:
            write(connection, passages)


def _move_bookmark(connection: Connection, passage: Passage) -> None:
    before, after = passage.before, passage.after
    moved = connection.execute(
        update(positions)
        .where(positions.c.shard == passage.shard)
        .where(positions.c.seq == before.seq, positions.c.head == before.head)
        .values(seq=after.seq, head=after.head)
    )
    if moved.rowcount != 1:
        raise ArchiveError(
            f"shard {passage.shard} of the archive is not at {before.seq} any more: "
            "another clerk is writing it"
        )


def _sales_of(connection: Connection, auction_ids: Sequence[str]) -> dict[str, str]:
    if not auction_ids:
        return {}
    query = select(auctions.c.auction_id, auctions.c.sale_id)
    rows = connection.execute(query.where(auctions.c.auction_id.in_(auction_ids)))
    return {row.auction_id: row.sale_id for row in rows}


def _write(connection: Connection, entries: Entries) -> None:
    # In the order of the foreign keys.
    for table, rows in (
        (sales, list(entries.sales.values())),
        (auctions, list(entries.auctions.values())),
        (bids, entries.bids),
        (lowerings, entries.lowerings),
    ):
        if rows:
            connection.execute(table.insert(), rows)
    _write_results(connection, entries)
    _change(connection, sales.c.sale_id, entries.sale_changes)
    _change(connection, auctions.c.auction_id, entries.auction_changes)
    _amend(connection, entries.amended)
    _insert_missing(connection, registrations, list(entries.seats.values()))
    _register(connection, list(entries.registrations.values()))
    _insert_missing(connection, acts, entries.acts)
    _insert_missing(connection, rostrum, entries.rostrum)
    _write_later_words(connection, entries)


def _write_results(connection: Connection, entries: Entries) -> None:
    """How lots have ended.  A lot that the rostrum has reopened, or decided anew, ended anew."""
    for table in (wins, results):
        if entries.results:
            over = delete(table).where(table.c.auction_id == bindparam("of_auction"))
            connection.execute(over, [{"of_auction": name} for name in entries.results])
    rows = [row for row in entries.results.values() if row is not None]
    if rows:
        connection.execute(results.insert(), rows)
    places = [win for found in entries.wins.values() for win in found]
    if places:
        connection.execute(wins.insert(), places)


def _amend(connection: Connection, amended: Mapping[str, Row]) -> None:
    """Change some of the terms of lots that have their rows."""
    for auction_id, changes in amended.items():
        mine = auctions.c.auction_id == auction_id
        terms = connection.scalar(select(auctions.c.terms).where(mine))
        assert terms is not None, "a lot that is being sold was added"
        connection.execute(update(auctions).where(mine).values(terms={**terms, **changes}))


def _write_later_words(connection: Connection, entries: Entries) -> None:
    """What is said of bids and results that have their rows."""
    named = (
        bids.c.auction_id == bindparam("of_auction"),
        bids.c.consumer_id == bindparam("of_consumer"),
        bids.c.cmd_id == bindparam("of_cmd"),
    )
    a_bid = update(bids).where(*named, _ACCEPTED)
    a_waiting_bid = update(bids).where(*named, bids.c.code == "waiting")
    for key, change, only_limits in entries.bid_changes:
        statement = a_bid.where(bids.c.kind == "max") if only_limits else a_bid
        connection.execute(statement.values(**change), key)
    a_result = update(results).where(results.c.auction_id == bindparam("of_auction"))
    for statement, rows in (
        (a_bid, entries.canceled),
        (a_bid, entries.opened),
        (a_waiting_bid, entries.lapsed),
        (a_result, entries.settling),
        (a_result, entries.settled),
    ):
        if rows:
            connection.execute(statement, rows)


def _change(connection: Connection, key: Column[Any], changes: Mapping[str, Row]) -> None:
    for identity, values in changes.items():
        connection.execute(update(key.table).where(key == identity).values(**values))


def _register(connection: Connection, rows: Sequence[Row]) -> None:
    """The last word on each registration."""
    if not rows:
        return
    insert = _insert_into(connection, registrations)
    # A paddle stays with its bidder for the whole sale, and the first instant is kept.
    kept = ("sale_id", "consumer_id", "paddle", "registered_at")
    names = [column.name for column in registrations.columns if column.name not in kept]
    new = {name: insert.excluded[name] for name in names}
    keys = list(registrations.primary_key)
    connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=new), rows)


def _insert_missing(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    if rows:
        insert = _insert_into(connection, table)
        keys = list(table.primary_key)
        connection.execute(insert.on_conflict_do_nothing(index_elements=keys), rows)


def _insert_into(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


# ── Opening ──────────────────────────────────────────────────────────────────────────────

_BUSY_MS: Final = 5_000  # SQLite: how long to wait for another process's transaction
_CONNECT_S: Final = 5  # PostgreSQL: an address that does not answer is none
_SILENCE_MS: Final = 10_000  # PostgreSQL: a line that is dead without having been closed
_STATEMENT_MS: Final = 30_000  # PostgreSQL: one batch takes a fraction of a second
_MIGRATING: Final = 7_251_603  # any number, but the same in every process
_VALID_URL: Final = "sqlite:///PATH, or postgresql://USER:PASSWORD@HOST/NAME"


def open_archive(url: str) -> Engine:
    """The archive, its tables made or brought up to date; any process may be the first.

    Raises ``BadSetting`` (of DATABASE_URL, without the password) where it cannot be used.
    """
    return open_tables(url, "gateway")


def open_tables(url: str, package: str) -> Engine:
    """A database with the tables that the migrations of *package* make; see ``open_archive``."""
    engine = _engine(url)
    try:
        with _writing(engine) as connection:
            _bring_up_to_date(connection, package)
    except (ArchiveError, CommandError) as failure:
        engine.dispose()
        raise _unusable(url, str(failure)) from failure
    return engine


def open_as_it_is(url: str) -> Engine:
    """The archive for somebody who only reads: nothing is made or brought up to date.

    Raises ``BadSetting`` where there is none.
    """
    parsed = make_url(url)
    if parsed.drivername == "sqlite" and not Path(parsed.database or "").exists():
        raise _unusable(url, "there is no such file")
    return _engine(url)


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # "from None": the cause may quote the URL, and with it the password.
        raise BadSetting("DATABASE_URL", without_password(url), _VALID_URL) from None
    if parsed.drivername == "sqlite":
        return _sqlite(parsed)
    if parsed.drivername in ("postgresql", "postgresql+psycopg"):
        return _postgresql(parsed)
    raise BadSetting("DATABASE_URL", without_password(url), _VALID_URL)


def _sqlite(url: URL) -> Engine:
    if not url.database or url.database.startswith((":", "file:")):
        # A database in memory would be another one in each process.
        raise BadSetting("DATABASE_URL", url.render_as_string(), _VALID_URL)
    try:
        # Before SQLite does it with the umask's rights: limits and reserves are in there.
        os.close(os.open(url.database, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        pass
    except OSError as failure:
        raise _unusable(url.render_as_string(), failure.strerror or str(failure)) from failure
    engine = create_engine(url, hide_parameters=True)
    event.listen(engine, "handle_error", _refused_by_driver)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # _begin_sqlite begins, and not the driver when it likes
    for setting in (
        f"busy_timeout={_BUSY_MS}",  # first: the next one may have to wait already
        "journal_mode=WAL",  # readers and the clerk do not wait for each other
        # A power cut may take the last transactions, whole: rows and bookmark go back together
        # and are written again from the log.  An fsync for each of them would keep the disk
        # from the log itself, on which bidders wait.
        "synchronous=NORMAL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {setting}")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later cannot wait for another writer.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql(url: URL) -> Engine:
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            hide_parameters=True,
            pool_pre_ping=True,  # the server may have been restarted since the last question
            connect_args={
                "connect_timeout": _CONNECT_S,
                "tcp_user_timeout": _SILENCE_MS,
                "options": f"-c statement_timeout={_STATEMENT_MS}",
            },
        )
    except ImportError as failure:
        reason = "PostgreSQL needs psycopg: pip install 'fairwarning[postgresql]'"
        raise BadSetting("DATABASE_URL", url.render_as_string(), reason) from failure
    event.listen(engine, "handle_error", _refused_by_driver)
    return engine


def _bring_up_to_date(connection: Connection, package: str) -> None:
    """Run the package's migrations that this database has not seen, in the transaction."""
    if connection.dialect.name == "postgresql":
        # SQLite's write lock is held already.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
    config = Config(attributes={"connection": connection})
    folder = str(Path(str(files(package))) / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    command.upgrade(config, "head")


def _unusable(url: str, reason: str) -> BadSetting:
    return BadSetting("DATABASE_URL", without_password(url), f"a database that works ({reason})")


@contextmanager
def connected(engine: Engine) -> Iterator[Connection]:
    """A look at the database as it is at one instant.  Raises ``ArchiveError``."""
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as failure:
        raise ArchiveError(_one_line(failure)) from failure


@contextmanager
def _writing(engine: Engine) -> Iterator[Connection]:
    try:
        with engine.execution_options(writes=True).begin() as connection:
            yield connection
    except SQLAlchemyError as failure:
        raise ArchiveError(_one_line(failure)) from failure


def _refused_by_driver(context: ExceptionContext) -> ArchiveError | None:
    """What a driver raises of its own accord, before the database has seen the value.

    An integer beyond 64 bits, half a surrogate pair: SQLAlchemy lets these pass as they are.
    """
    failure = context.original_exception
    if not isinstance(failure, OverflowError | ValueError | TypeError):
        return None  # the database's own, which comes as SQLAlchemyError
    return ArchiveError(f"a value that the database cannot hold: {_one_line(failure)}")


def _one_line(failure: BaseException) -> str:
    # The driver's own words: SQLAlchemy's would bring the statement with them.
    words = str(getattr(failure, "orig", None) or failure).split()
    return " ".join(words)[:300]
