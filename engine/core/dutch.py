"""A falling price: it drops by a fixed amount at fixed intervals of open time, to a floor.

Whoever bids takes one unit at what is being asked then; the first acceptances in the order
of the log have the units (bidding-rules 2.9).  Drops are counted from when the first was
due, never from when somebody noticed, so that a late clock makes nothing dearer.
"""

from __future__ import annotations

from typing import NamedTuple

from engine.core.messages import Terms


class Drop(NamedTuple):
    """What is asked from now on, and when the next drop is due; None: never."""

    asking: int
    next_at: int | None


def first_drop_at(terms: Terms, opened_at: int) -> int | None:
    """When the price falls for the first time; None where it opens at its floor."""
    assert terms.floor is not None
    assert terms.drop_interval_ms is not None
    return opened_at + terms.drop_interval_ms if terms.floor < terms.opening else None


def overdue(terms: Terms, asking: int, next_at: int, until: int) -> Drop:
    """All the drops that were due by *until*, as one."""
    assert terms.drop_interval_ms is not None
    assert terms.drop is not None
    assert terms.floor is not None
    drops = (until - next_at) // terms.drop_interval_ms + 1
    return after(terms, next_at, drops, max(terms.floor, asking - drops * terms.drop))


def drops_between(terms: Terms, before: int, now: int) -> int:
    """How many drops lead from one asking price to the other; the last may be a shorter one."""
    assert terms.drop is not None
    return -(-(before - now) // terms.drop)


def after(terms: Terms, next_at: int, drops: int, asking: int) -> Drop:
    """The state after *drops* drops, the first of which was due at *next_at*."""
    assert terms.drop_interval_ms is not None
    ended = asking == terms.floor
    return Drop(asking, None if ended else next_at + drops * terms.drop_interval_ms)
