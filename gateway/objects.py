"""What the gateway itself asks of the verifier: how an object stands, and its public keys.

Asked over the same line as everything else; what cannot be had is said and never guessed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Literal
from urllib.parse import quote

from msgspec import Struct

from engine.core.messages import Mode
from gateway.line import Line, Unreachable

_KEYS_HOLD_S: Final = 3.0  # a new key is public a moment later
_KEYS_WITHIN_S: Final = 1.0  # our own keys are asked for while the verifier starts, too


class Object(Struct, frozen=True):
    """How an object stands."""

    serial: str  # as it is spelt
    status: str
    binding_status: Literal["incomplete", "bound", "broken"]
    open_auction: str | None  # the auction that it is listed by, or kept for
    photos: int = 0  # of the angles that are needed, those that there are
    required: int = 0


class _Keys(Struct, frozen=True):
    keys: list[dict[str, str]]


class Objects:
    """The verifier's internal questions."""

    def __init__(self, line: Line, monotonic: Callable[[], float]) -> None:
        self._line = line
        self._monotonic = monotonic
        self._keys: list[dict[str, str]] = []
        self._keys_until = 0.0

    async def find(self, serial: str, mode: Mode) -> Object | None:
        """The object of a serial, however it is typed.  Raises ``Unreachable``."""
        answer = await self._line.get(f"/internal/objects/{quote(serial, safe='')}?mode={mode}")
        return None if answer.status == 404 else answer.read(Object)

    async def claim(self, serial: str, mode: Mode, auction_id: str) -> Object | None:
        """The same, kept for this auction where it is free: ``open_auction`` says whether it is.

        Raises ``Unreachable``.
        """
        said = {"serial": serial, "mode": mode, "auction_id": auction_id}
        answer = await self._line.post("/internal/claims", said)
        return None if answer.status == 404 else answer.read(Object)

    async def public_keys(self) -> list[dict[str, str]]:
        """All that its signatures are checked with, as JWKs.  Raises ``Unreachable``."""
        if self._monotonic() < self._keys_until:
            return self._keys
        try:
            async with asyncio.timeout(_KEYS_WITHIN_S):
                answer = await self._line.get("/internal/jwks")
        except TimeoutError as failure:
            raise Unreachable(f"no answer within {_KEYS_WITHIN_S:.0f} s") from failure
        self._keys = answer.read(_Keys).keys
        self._keys_until = self._monotonic() + _KEYS_HOLD_S
        return self._keys
