"""What has been paid of what a lot was sold for, and what has been offered to whom."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Engine, select

from gateway.books.payments import payments
from gateway.books.store import reading


class Due(NamedTuple):
    """The newest payment token of one bidder for one lot."""

    consumer_id: str
    issue: int
    issued_at: int
    expires_at: int
    order_id: str | None  # None: not used up
    completed_at: int | None


def dues_of(engine: Engine, auction_id: str) -> dict[str, Due]:
    """By consumer: the newest token that has a row.  A winner's first has one once it is used.

    Raises ``BooksError``.
    """
    columns = [payments.c[name] for name in Due._fields]
    query = select(*columns).where(payments.c.auction_id == auction_id)
    with reading(engine) as connection:
        rows = connection.execute(query.order_by(payments.c.issue))
        return {row.consumer_id: Due(*row) for row in rows}
