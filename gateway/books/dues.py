"""What has been paid of what a lot was sold for, and what has been offered to whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from sqlalchemy import Connection, Engine, select

from engine.core.messages import Mode
from gateway.archive import auctions, results, sales, wins
from gateway.books.payments import first_expiry, payments
from gateway.books.store import reading

_AT_ONCE = 500  # ids in one question: SQLite takes some thousands


class Due(NamedTuple):
    """The newest payment token of one bidder for one lot."""

    consumer_id: str
    issue: int
    issued_at: int
    expires_at: int
    order_id: str | None  # None: not used up
    completed_at: int | None


def dues_in(engine: Engine, auction_ids: Iterable[str]) -> dict[str, dict[str, Due]]:
    """By lot and consumer: the newest token that has a row.  A winner's first has one once it
    is used.  Raises ``BooksError``.
    """
    columns = [payments.c[name] for name in Due._fields]
    found: dict[str, dict[str, Due]] = {}
    with reading(engine) as connection:
        for some in _in_parts(auction_ids):
            query = select(payments.c.auction_id, *columns).where(payments.c.auction_id.in_(some))
            for auction_id, *row in connection.execute(query.order_by(payments.c.issue)):
                found.setdefault(auction_id, {})[row[0]] = Due(*row)
    return found


# ── What somebody has bought before ──────────────────────────────────────────────────────


class Record(NamedTuple):
    """How many lots a bidder has won, in all sales, and what became of them."""

    won: int
    paid: int
    unpaid: int  # they let the time to pay pass; what is left may still be paid


def records_of(
    engine: Engine, mode: Mode, consumer_ids: Iterable[str], now_ms: int
) -> dict[str, Record]:
    """By consumer, of those who have won anything.  Raises ``BooksError``."""
    found: dict[str, Record] = {}
    with reading(engine) as connection:
        for some in _in_parts(consumer_ids):
            for who, auction_id, settled_at in _won(connection, mode, some):
                due = _newest(connection, auction_id, who)
                expires_at = first_expiry(settled_at) if due is None else due.expires_at
                paid = due is not None and due.completed_at is not None
                unpaid = not paid and now_ms >= expires_at
                before = found.get(who, Record(0, 0, 0))
                found[who] = Record(before.won + 1, before.paid + paid, before.unpaid + unpaid)
    return found


def _won(
    connection: Connection, mode: Mode, consumer_ids: Sequence[str]
) -> list[tuple[str, str, int]]:
    """Of these bidders, what is theirs since a settlement: who, what, since when."""
    query = (
        select(wins.c.consumer_id, wins.c.auction_id, results.c.settled_at)
        .join(results, results.c.auction_id == wins.c.auction_id)
        .join(auctions, auctions.c.auction_id == wins.c.auction_id)
        .join(sales, sales.c.sale_id == auctions.c.sale_id)
        .where(wins.c.consumer_id.in_(consumer_ids), results.c.settled_at.is_not(None))
        .where(sales.c.mode == mode, auctions.c.in_tokens.is_(False))
    )
    return [(who, auction_id, at) for who, auction_id, at in connection.execute(query)]


def _newest(connection: Connection, auction_id: str, consumer_id: str) -> Due | None:
    columns = [payments.c[name] for name in Due._fields]
    query = select(*columns).where(
        payments.c.auction_id == auction_id, payments.c.consumer_id == consumer_id
    )
    row = connection.execute(query.order_by(payments.c.issue.desc()).limit(1)).first()
    return None if row is None else Due(*row)


def _in_parts(names: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(names)
    while part := list(islice(rest, _AT_ONCE)):
        yield part
