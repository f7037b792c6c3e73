"""Which lots a person keeps an eye on: a mark that only they see.

Promises: marking twice is marking once, on any gateway; of one person no more lots are kept
than anybody looks at.  An export has them and an erasure takes them (``rights``).  Leaves to
others: whether there is such a lot, and what is shown of it.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    ForeignKey,
    Table,
    Text,
    delete,
    select,
)

from gateway.archive import metadata
from gateway.books.store import in_turn, reading, writing

MOST: Final = 1_000  # of one person: a page lists them all

watches: Final = Table(
    "watches",
    metadata,
    Column("consumer_id", Text, ForeignKey("persons.consumer_id"), primary_key=True),
    Column("auction_id", Text, primary_key=True),
    Column("since", BigInteger, nullable=False),
)


def watch(engine: Engine, consumer_id: str, auction_id: str, now_ms: int) -> bool:
    """Keep an eye on the lot; False: they watch as many as can be watched."""
    with writing(engine) as connection:
        in_turn(connection, "watches", consumer_id)
        watched = _watched(connection, consumer_id)
        if auction_id in watched:
            return True
        if len(watched) >= MOST:
            return False
        row = {"consumer_id": consumer_id, "auction_id": auction_id, "since": now_ms}
        connection.execute(watches.insert(), row)
        return True


def unwatch(engine: Engine, consumer_id: str, auction_id: str) -> None:
    """Let it go again."""
    mine = watches.c.consumer_id == consumer_id, watches.c.auction_id == auction_id
    with writing(engine) as connection:
        connection.execute(delete(watches).where(*mine))


def watched_by(engine: Engine, consumer_id: str) -> list[str]:
    """The lots that a person watches, the last marked first."""
    with reading(engine) as connection:
        return _watched(connection, consumer_id)


def export(connection: Connection, consumer_id: str) -> list[str]:
    """As ``watched_by``, within the caller's transaction."""
    return _watched(connection, consumer_id)


def forget(connection: Connection, consumer_id: str) -> None:
    """Strike out all that a person watches, within the caller's transaction."""
    connection.execute(delete(watches).where(watches.c.consumer_id == consumer_id))


def _watched(connection: Connection, consumer_id: str) -> list[str]:
    mine = select(watches.c.auction_id).where(watches.c.consumer_id == consumer_id)
    return list(connection.scalars(mine.order_by(watches.c.since.desc(), watches.c.auction_id)))
