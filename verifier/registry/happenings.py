"""What programs outside are told of: written beside what happened, read in its order.

The house's clerk asks for what follows the last one it has seen, and tells its webhooks.
Numbers ascend, but where an older copy of the database was put back they are given out again,
to other happenings: a reader therefore says when the last one that it has seen happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select

from gateway.books.store import in_turn, reading
from verifier.store import Store
from verifier.tables import happenings

Json = dict[str, Any]

VERIFIED: Final = "verification.completed"
COUNTERFEIT: Final = "counterfeit.alert"
TRANSFERRED: Final = "transfer.completed"


def tell(
    connection: Connection, kind: str, mode: str, data: Mapping[str, Any], now_ms: int
) -> None:
    """Have it told, if the caller's transaction comes about."""
    # One at a time until it ends: a number that became visible late would be passed over.
    in_turn(connection, "verifier happenings")
    row = {"type": kind, "mode": mode, "at": now_ms, "data": dict(data)}
    connection.execute(insert(happenings), row)


def after(store: Store, number: int, limit: int, at: int | None = None) -> list[Json]:
    """What happened after that number, oldest first.

    *at*: when the happening of that number happened.  Where none of that number and instant is
    here any more, these books are older than what the reader has seen, or others: then it is
    what happened later than that, whatever its number.
    """
    with reading(store.engine) as connection:
        if at is not None:
            number = _place(connection, number, at)
        query = select(happenings).where(happenings.c.number > number)
        rows = connection.execute(query.order_by(happenings.c.number).limit(limit))
        return [dict(row._mapping) for row in rows]


def _place(connection: Connection, number: int, at: int) -> int:
    """The number of the last one here that somebody has seen who has seen this one."""
    mine = select(happenings.c.at).where(happenings.c.number == number)
    if connection.scalar(mine) == at:
        return number
    earlier = select(func.coalesce(func.max(happenings.c.number), 0))
    return int(connection.scalar(earlier.where(happenings.c.at <= at)) or 0)
