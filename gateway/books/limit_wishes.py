"""Bidders who ask for a higher limit in a sale, until the house decides on it.

A wish is one row a bidder and sale: whoever asks again says another amount.  It is answered by
the house's next word on the registration, whatever that is, and so needs no answer of its own:
a wish counts while the registration was not changed after it.

Leaves to others: the registration and its limit (the log), and showing both to the clerk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    ForeignKey,
    Row,
    Table,
    Text,
    delete,
    select,
)

from gateway.archive import metadata
from gateway.books.store import in_turn, reading, writing

limit_wishes: Final = Table(
    "limit_wishes",
    metadata,
    Column("sale_id", Text, primary_key=True),
    Column("consumer_id", Text, ForeignKey("persons.consumer_id"), primary_key=True, index=True),
    Column("amount", BigInteger, nullable=False),  # minor units of the sale's currency
    Column("asked_at", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class LimitWish:
    """A bidder would like to spend up to *amount* in a sale."""

    sale_id: str
    consumer_id: str
    amount: int
    asked_at: int

    def is_open(self, registration_changed_at: int) -> bool:
        """Has the house not said anything since?"""
        return self.asked_at > registration_changed_at


def ask(engine: Engine, wish: LimitWish) -> None:
    """Write the wish down, in the place of an earlier one."""
    row = {name: getattr(wish, name) for name in LimitWish.__slots__}
    with writing(engine) as connection:
        in_turn(connection, "limit", wish.sale_id, wish.consumer_id)
        mine = (
            limit_wishes.c.sale_id == wish.sale_id,
            limit_wishes.c.consumer_id == wish.consumer_id,
        )
        connection.execute(delete(limit_wishes).where(*mine))
        connection.execute(limit_wishes.insert(), row)


def wishes_of_sale(engine: Engine, sale_id: str) -> dict[str, LimitWish]:
    """All wishes in a sale, answered ones too, by consumer."""
    with reading(engine) as connection:
        rows = connection.execute(select(limit_wishes).where(limit_wishes.c.sale_id == sale_id))
        return {row.consumer_id: _read(row) for row in rows}


def export(connection: Connection, consumer_id: str) -> list[LimitWish]:
    """All wishes of a person, within the caller's transaction."""
    mine = select(limit_wishes).where(limit_wishes.c.consumer_id == consumer_id)
    rows = connection.execute(mine.order_by(limit_wishes.c.asked_at, limit_wishes.c.sale_id))
    return [_read(row) for row in rows]


def forget(connection: Connection, consumer_id: str) -> None:
    """Strike them out, within the caller's transaction."""
    connection.execute(delete(limit_wishes).where(limit_wishes.c.consumer_id == consumer_id))


def _read(row: Row[Any]) -> LimitWish:
    return LimitWish(**{name: getattr(row, name) for name in LimitWish.__slots__})
