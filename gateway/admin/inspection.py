"""How the objects of a sale's lots stand with the verifier, for the clerk to see at a glance.

The verifier is asked for every lot that names an object.  What it does not answer is shown as
not known, and is no good sign.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args
from urllib.parse import quote

from engine.core.messages import Mode
from gateway.core.view import LotView
from gateway.line import Unreachable
from gateway.objects import Object

if TYPE_CHECKING:
    from gateway.app import Gateway

# ``none``: the lot names no object; ``missing``: photographs are; ``unregistered``: nobody
# knows the serial; ``unknown``: the verifier did not answer.
Standing = Literal["none", "missing", "checking", "matched", "differs", "unregistered", "unknown"]
STANDINGS: Final[tuple[Standing, ...]] = get_args(Standing)

_AT_ONCE: Final = 16  # questions that are on their way together
_OBSTACLES: Final = ("missing", "checking", "differs", "unregistered", "unknown")


class Inspected(NamedTuple):
    """One lot's object."""

    state: Standing
    photos: int = 0
    required: int = 0
    href: str = ""  # where the house sees the object

    @property
    def is_obstacle(self) -> bool:
        """Can a lot of it not be put up as it stands?"""
        return self.state in _OBSTACLES


async def inspected(gateway: Gateway, lots: Sequence[LotView]) -> dict[str, Inspected]:
    """By auction: how the lot's object stands."""
    turn = asyncio.Semaphore(_AT_ONCE)

    async def look(lot: LotView) -> Inspected:
        if lot.catalogue.serial is None:
            return Inspected("none")
        async with turn:
            return await _look(gateway, lot.catalogue.serial, lot.sale.created.mode)

    found = await asyncio.gather(*(look(lot) for lot in lots))
    return {lot.auction_id: one for lot, one in zip(lots, found, strict=True)}


async def _look(gateway: Gateway, serial: str, mode: Mode) -> Inspected:
    try:
        found = await gateway.objects.find(serial, mode)
    except Unreachable:
        return Inspected("unknown")
    if found is None:
        return Inspected("unregistered")
    href = f"/admin/objects/{quote(found.serial, safe='')}"
    return Inspected(standing_of(found), found.photos, found.required, href)


def standing_of(found: Object) -> Standing:
    """The object's state in the clerk's words."""
    match found.binding_status:
        case "bound":
            return "matched"
        case "broken":
            return "differs"
        case "incomplete":
            return "missing" if found.photos < found.required else "checking"
