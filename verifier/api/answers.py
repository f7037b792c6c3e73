"""Answers to the public's question that are given to all who ask it within two seconds.

Whatever is written through this process makes them void at once; what the command line writes
shows after two seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct


class Kept(Struct, frozen=True):
    """An answer, and what is counted of it."""

    body: bytes
    object_id: str
    serial: str
    mode: str
    verdict: str
    tag_status: str
    confidence: float
    counter: int | None  # of a tag that was tapped


class Answers:
    """Encoded answers, at most ``KEPT_S`` old, by what was asked."""

    KEPT_S: Final = 2.0
    MOST: Final = 5_000  # some 10 MB

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, Kept]] = {}
        self._coming: dict[str, asyncio.Future[Kept]] = {}

    def clear(self) -> None:
        """Forget all, also what is being found out: something was written."""
        self._kept.clear()
        self._coming.clear()

    async def of(self, name: str, now: float, find: Callable[[], Awaitable[Kept]]) -> Kept:
        """The answer under this name; of many who ask at once, one finds it for all."""
        found = self._kept.get(name)
        if found is not None and now < found[0]:
            return found[1]
        coming = self._coming.get(name)
        if coming is None:
            coming = self._coming[name] = asyncio.ensure_future(find())
            coming.add_done_callback(lambda done: self._keep(name, now, done))
        # One who hangs up does not take the answer from the others.
        return await asyncio.shield(coming)

    def _keep(self, name: str, now: float, done: asyncio.Future[Kept]) -> None:
        if self._coming.get(name) is not done:
            return  # it was forgotten meanwhile
        del self._coming[name]
        if done.cancelled() or done.exception() is not None:
            return
        if len(self._kept) >= self.MOST:
            self._kept.clear()
        self._kept[name] = (now + self.KEPT_S, done.result())
