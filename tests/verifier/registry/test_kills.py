"""A kill between any two steps: what was begun is done once, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import sqlalchemy as sa

from gateway.books.store import reading
from tests.verifier.registry import desk
from tests.verifier.registry.conftest import NOW
from tests.verifier.registry.desk import MODE
from tests.verifier.registry.test_sales import SOLD
from verifier.registry import transfers
from verifier.registry.objects import Object
from verifier.store import Store
from verifier.tables import happenings
from verifier.tables import transfers as table


class Killed(BaseException):
    """The process is gone: nothing that it would have done afterwards happens."""


@contextmanager
def killed_before(store: Store, statement: int) -> Iterator[list[bool]]:
    """Die before that statement, COMMIT included; tells whether it came to it."""
    counted, died = count(), [False]

    def step(*_: Any) -> None:
        if next(counted) == statement:
            died[0] = True
            raise Killed

    sa.event.listen(store.engine, "before_cursor_execute", step)
    sa.event.listen(store.engine, "commit", step)
    try:
        yield died
    except Killed:
        pass
    finally:
        sa.event.remove(store.engine, "before_cursor_execute", step)
        sa.event.remove(store.engine, "commit", step)


def survive(store: Store, work: Callable[[], Any]) -> int:
    """Do the work with a kill before each of its statements, and again after each; at how many
    places it was killed."""
    for statement in count():
        with killed_before(store, statement) as died:
            work()
        if not died[0]:
            return statement
    raise AssertionError


def confirmed(store: Store, found: Object, code: str) -> transfers.Confirmed:
    with reading(store.engine) as connection:
        query = sa.select(table).where(table.c.object_id == found.row.object_id)
        row = connection.execute(query).one()
    return transfers.confirm(store, MODE, row.transfer_id, code, NOW)


def test_a_sale_reaches_the_object_once_through_any_kill(either: Store) -> None:
    """Listed, sold, paid, confirmed: each killed before every one of its statements and told
    again, and in the end each stands in the history once."""
    found = desk.ready(either, NOW)
    kills = survive(either, lambda: desk.sale_of(either, found, "listed", NOW))
    kills += survive(either, lambda: desk.sale_of(either, found, "sold", NOW, **SOLD))
    paid = {"consumer_id": "cons_ada"}
    kills += survive(either, lambda: desk.sale_of(either, found, "paid", NOW, **paid))
    with reading(either.engine) as connection:
        waiting = transfers.open_of(connection, found.row.object_id)
    assert waiting is not None
    begun = transfers.reissue(either, MODE, waiting.transfer_id, NOW)
    # An attempt that a kill cut off may be counted; here it never comes to the fifth.
    for statement in (5, 10, 15, 20):
        with killed_before(either, statement) as died:
            confirmed(either, found, begun.code)
        assert died[0]
    confirmed(either, found, begun.code)
    assert kills > 40
    assert desk.types(either, found)[-3:] == ["listed", "sold", "transferred"]
    assert desk.check(either, found).intact
    with reading(either.engine) as connection:
        told = connection.execute(sa.select(happenings.c.type)).scalars().all()
    assert list(told) == ["transfer.completed"]
