"""How often somebody may do something: token buckets, with the time handed in."""

from __future__ import annotations

from typing import Protocol


class Limit(Protocol):
    """A rate of the settings."""

    @property
    def per_second(self) -> int: ...
    @property
    def burst(self) -> int: ...


class Bucket:
    """Holds up to ``burst`` tokens and gains ``per_second`` of them."""

    __slots__ = ("_full_at", "limit")

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._full_at = 0.0  # when it would be full again; in the past: full

    def take(self, now: float) -> int:
        """Take one token at *now* (seconds); 0, or the ms to wait when there is none."""
        full_at = max(self._full_at, now) + 1 / self.limit.per_second
        too_much = full_at - now - self.limit.burst / self.limit.per_second
        if too_much > 1e-9:
            return max(1, int(too_much * 1000) + 1)
        self._full_at = full_at
        return 0

    def left(self, now: float) -> int:
        """Whole tokens that are in it at *now*."""
        missing = max(0.0, self._full_at - now) * self.limit.per_second
        return max(0, int(self.limit.burst - missing + 1e-9))

    def full_in(self, now: float) -> float:
        """Seconds until it is full again."""
        return max(0.0, self._full_at - now)


class Buckets:
    """One bucket for each name; those that are full again are forgotten."""

    def __init__(self, limit: Limit | None) -> None:
        self.limit = limit
        self._buckets: dict[str, Bucket] = {}
        self._swept_at = 0.0

    def of(self, name: str, now: float) -> Bucket | None:
        """The name's bucket; None where there is no limit."""
        if self.limit is None:
            return None
        if now - self._swept_at > 60:
            self._swept_at = now
            self._buckets = {n: b for n, b in self._buckets.items() if b.full_in(now) > 0}
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = Bucket(self.limit)
        return bucket
