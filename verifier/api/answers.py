"""Answers to the public's question that are given to all who ask it within two seconds.

Whatever is written through this process makes them void at once; what the command line writes
shows after two seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from msgspec import Struct

T = TypeVar("T")


class Kept(Struct, frozen=True):
    """An answer of a verification, written, and what is counted of it."""

    body: bytes
    object_id: str
    serial: str
    mode: str
    verdict: str
    tag_status: str
    confidence: float
    counter: int | None  # of a tag that was tapped


class Answers:
    """What was found out, at most ``KEPT_S`` ago, by the question's name."""

    KEPT_S: Final = 2.0
    MOST: Final = 1_000  # a proof or a page of 50 KB each, at worst; then the oldest goes

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, Any]] = {}
        self._coming: dict[str, asyncio.Future[Any]] = {}

    def clear(self) -> None:
        """Forget all, also what is being found out: something was written."""
        self._kept.clear()
        self._coming.clear()

    async def of(self, name: str, now: float, find: Callable[[], Awaitable[T]]) -> T:
        """The answer under this name; of many who ask at once, one finds it for all."""
        found = self._kept.get(name)
        if found is not None and now < found[0]:
            kept: T = found[1]
            return kept
        coming = self._coming.get(name)
        if coming is None:
            coming = self._coming[name] = asyncio.ensure_future(find())
            coming.add_done_callback(lambda done: self._keep(name, now, done))
        # One who hangs up does not take the answer from the others.
        return await asyncio.shield(coming)

    def _keep(self, name: str, now: float, done: asyncio.Future[Any]) -> None:
        if self._coming.get(name) is not done:
            return  # it was forgotten meanwhile
        del self._coming[name]
        if done.cancelled() or done.exception() is not None:
            return
        self._kept.pop(name, None)  # so that the oldest stays the first
        self._kept[name] = (now + self.KEPT_S, done.result())
        while (oldest := next(iter(self._kept))) != name:
            if self._kept[oldest][0] > now and len(self._kept) <= self.MOST:
                break
            del self._kept[oldest]
