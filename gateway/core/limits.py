"""How often somebody may do something: token buckets, with the time handed in.

A bucket that has given a token tells it (``Buckets.tell``), so that the gateways beside this
one can take the same token out of theirs (``deduct``): who has their bids carried to several
gateways has one allowance, not several.  What is told twice at once by two gateways was given
twice; the bucket then owes it, and gives nothing until that is made up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Tell = Callable[[str], None]  # a token was taken from the bucket of this name

MOST_BUCKETS = 100_000  # names counted at once, some 20 MB: past it the longest known is forgotten
SWEEP_EVERY_S = 60.0


class Limit(Protocol):
    """A rate of the settings."""

    @property
    def per_second(self) -> float: ...
    @property
    def burst(self) -> int: ...


class Bucket:
    """Holds up to ``burst`` tokens and gains ``per_second`` of them."""

    __slots__ = ("_full_at", "_name", "_tell", "limit")

    def __init__(self, limit: Limit, name: str = "", tell: Tell | None = None) -> None:
        self.limit = limit
        self._full_at = 0.0  # when it would be full again; in the past: full
        self._name = name
        self._tell = tell

    def take(self, now: float) -> int:
        """Take one token at *now* (seconds); 0, or the ms to wait when there is none."""
        full_at = max(self._full_at, now) + 1 / self.limit.per_second
        too_much = full_at - now - self.limit.burst / self.limit.per_second
        if too_much > 1e-9:
            return max(1, int(too_much * 1000) + 1)
        self._full_at = full_at
        if self._tell is not None:
            self._tell(self._name)
        return 0

    def deduct(self, count: int, now: float) -> None:
        """Another gateway has given *count* tokens of this bucket.

        It owes at most one burst, however much is said: nobody is shut out for longer.
        """
        full_at = max(self._full_at, now) + count / self.limit.per_second
        self._full_at = min(full_at, now + 2 * self.limit.burst / self.limit.per_second)

    def left(self, now: float) -> int:
        """Whole tokens that are in it at *now*."""
        missing = max(0.0, self._full_at - now) * self.limit.per_second
        return max(0, int(self.limit.burst - missing + 1e-9))

    def full_in(self, now: float) -> float:
        """Seconds until it is full again."""
        return max(0.0, self._full_at - now)


class Buckets:
    """One bucket for each name; those that are full again are forgotten."""

    def __init__(self, limit: Limit | None, tell: Tell | None = None) -> None:
        self.limit = limit
        self._tell = tell
        self._buckets: dict[str, Bucket] = {}
        self._swept_at = 0.0

    def of(self, name: str, now: float) -> Bucket | None:
        """The name's bucket; None where there is no limit."""
        if self.limit is None:
            return None
        bucket = self._buckets.get(name)
        if bucket is None:
            self._make_room(now)
            bucket = self._buckets[name] = Bucket(self.limit, name, self._tell)
        return bucket

    def deduct(self, name: str, count: int, now: float) -> None:
        """Another gateway has given *count* tokens to this name."""
        bucket = self.of(name, now)
        if bucket is not None:
            bucket.deduct(count, now)

    def _make_room(self, now: float) -> None:
        if now - self._swept_at > SWEEP_EVERY_S:
            self._swept_at = now
            self._buckets = {n: b for n, b in self._buckets.items() if b.full_in(now) > 0}
        if len(self._buckets) >= MOST_BUCKETS:
            del self._buckets[next(iter(self._buckets))]
