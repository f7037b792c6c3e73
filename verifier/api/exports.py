"""An object's record in the forms that museums, police and supply chains read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from verifier.api import public
from verifier.api.calls import Ask, require_key
from verifier.registry import exports, objects

Json = dict[str, Any]
_READ: Final = "provenance:read"


async def linked_art(ask: Ask, serial: str) -> Json:
    """The object as Linked Art, and the sales in which it changed hands.

    Without a key: what is public.  With one that has ``provenance:read``: also what was said
    of the object in private, and private sales.
    """
    return await _export(ask, serial, exports.linked_art)


async def object_id(ask: Ask, serial: str) -> Json:
    """The object's Object ID checklist; answers that are private need ``provenance:read``."""
    return await _export(ask, serial, exports.object_id)


async def epcis(ask: Ask, serial: str) -> Json:
    """The object's history as an EPCIS 2.0 document."""
    return await _export(ask, serial, exports.epcis)


async def _export(ask: Ask, serial: str, work: Callable[..., Json]) -> Json:
    key = ask.caller.key
    if key.status == "missing" or (ask.caller.has_key and _READ not in key.scopes):
        row = await public.known(ask, serial)
        name = f"{work.__name__} {row.serial}"
        return await ask.kept(name, lambda: ask.registry(work, row, private=False))
    require_key(ask.caller)  # whoever shows a key wants to be somebody
    row = (await ask.registry(objects.load, ask.mode, serial)).row
    return await ask.registry(work, row, private=True)
