"""Turns due times into commands; the only reader of a clock in the engine.

Time in a sale is the log's: the server stamps every entry.  This clock only guesses what
the server would stamp now (its ``TIME`` when last asked, plus monotonic time since), so as
to append ``KeepTime`` when something is due.  A wrong guess costs a little delay or a command
that brings nothing about; it never decides anything.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

Monotonic = Callable[[], float]  # seconds, never backwards


class LogClock:
    """An estimate of the log's time."""

    def __init__(self, monotonic: Monotonic) -> None:
        self.monotonic = monotonic
        self._log_ms = 0
        self._read_at = 0.0

    def read(self, log_ms: int) -> None:
        """The server has just said that it is *log_ms*."""
        self._log_ms = log_ms
        self._read_at = self.monotonic()

    def now(self) -> int:
        """What the server would say now, in ms."""
        return self._log_ms + int((self.monotonic() - self._read_at) * 1000)


class Timers:
    """When each lot of a shard next needs the clock.  Outdated entries are left to expire."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, str]] = []

    def set(self, due_at: int, auction_id: str) -> None:
        """Wake up for this lot at *due_at*."""
        heapq.heappush(self._heap, (due_at, auction_id))

    def next(self) -> int | None:
        """The earliest instant that something may be due."""
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: int) -> list[tuple[int, str]]:
        """Take out whatever may be due by *now*."""
        due = []
        while self._heap and self._heap[0][0] <= now:
            due.append(heapq.heappop(self._heap))
        return due
