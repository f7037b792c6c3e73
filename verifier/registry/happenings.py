"""What programs outside are told of: written beside what happened, read in its order.

The house's clerk asks for what follows the last number it has seen, and tells its webhooks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, insert, select

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


def after(store: Store, number: int, limit: int) -> list[Json]:
    """What happened after that number, oldest first."""
    query = select(happenings).where(happenings.c.number > number)
    with reading(store.engine) as connection:
        rows = connection.execute(query.order_by(happenings.c.number).limit(limit))
        return [dict(row._mapping) for row in rows]
