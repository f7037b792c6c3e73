"""Books looked through by somebody who trusts nothing but the journal's lines."""

from __future__ import annotations

from sqlalchemy import Engine, select

from gateway.books.ledger import accounts, holds, journal
from gateway.books.store import reading


def check_books(books: Engine) -> None:
    """What must hold whatever has happened: re-added from the lines, in Python's integers."""
    added: dict[int, int] = {}
    with reading(books) as connection:
        rows = {row.id: row for row in connection.execute(select(accounts))}
        for line in connection.execute(select(journal)):
            added[line.debit] = added.get(line.debit, 0) - int(line.amount)
            added[line.credit] = added.get(line.credit, 0) + int(line.amount)
    for number, row in rows.items():
        balance = added.get(number, 0)
        assert int(row.balance) == (-balance if row.kind == "issued" else balance), row
        assert balance <= 0 if row.kind == "issued" else balance >= 0, row
    for asset_id in {row.asset_id for row in rows.values()}:
        there = [added.get(n, 0) for n, row in rows.items() if row.asset_id == asset_id]
        assert sum(there) == 0


def check_holds(books: Engine) -> None:
    """What is held in accounts is held for live bids, and the other way round."""
    with reading(books) as connection:
        rows = connection.execute(select(accounts).where(accounts.c.kind == "held")).all()
    assert _held(books) == {
        (row.holder, row.asset_id): int(row.balance) for row in rows if int(row.balance)
    }


def _held(books: Engine) -> dict[tuple[str, str], int]:
    """What the live holds come to, for whom and in what."""
    found: dict[tuple[str, str], int] = {}
    with reading(books) as connection:
        for row in connection.execute(select(holds).where(holds.c.ended_at.is_(None))):
            key = (row.consumer_id, row.asset_id)
            found[key] = found.get(key, 0) + int(row.amount)
    return found


def live_bids(books: Engine) -> set[str]:
    """The ids of the bids that something is held for."""
    query = select(holds.c.bid_id).where(holds.c.ended_at.is_(None))
    with reading(books) as connection:
        return set(connection.scalars(query))
