"""What the house's other processes ask: the gateways before a sale, the clerk after it.

These calls come over the same socket and never through the public door.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import structs
from sqlalchemy import Row

from verifier.api.calls import Ask
from verifier.api.refusals import Refusal
from verifier.core import wire
from verifier.registry import happenings, keys, objects, owners, sales


async def standing(ask: Ask, serial: str, query: wire.ModeQuery) -> wire.Standing:
    """Whether an object can be offered."""
    found = await ask.registry(objects.load, query.mode, serial)
    needed = len(found.required)
    standing = _standing(ask, found.row)
    return structs.replace(standing, photos=needed - len(found.missing), required=needed)


async def claim(ask: Ask, body: wire.Claim) -> wire.Standing:
    """Keep an object for an auction that is about to be put up, where it is free.

    It is the auction's where the answer's ``open_auction`` says so.
    """
    named = body.mode, body.serial, body.auction_id
    return _standing(ask, await ask.registry(objects.claim, *named, ask.now))


def _standing(ask: Ask, row: Row[Any]) -> wire.Standing:
    return wire.Standing(
        serial=row.serial,
        status=row.status,
        binding_status=row.binding,
        open_auction=objects.selling(row, ask.now),
    )


async def news(ask: Ask, body: wire.News) -> wire.NewsTaken:
    """Take down what a sale did, once for each origin.

    409 where what the clerk told before it is not known here: an older copy of these books was
    put back, and what would follow on what is missing would be turned down for good.
    """
    if body.serial in ask.verifier.awaited:
        raise Refusal("UNAVAILABLE", "The demonstration's objects are still being entered.")
    said = msgspec.structs.asdict(body)
    before = said.pop("after")
    if before is not None and not await ask.registry(sales.known, [before]):
        raise Refusal("INVALID_STATE", "What was told before it is not known here.")
    told = sales.News(**said)
    try:
        taken = await ask.registry(sales.take, told, ask.now)
    except owners.StillNeeded as later:
        raise Refusal("UNAVAILABLE", "A transfer of theirs is open.") from later
    return wire.NewsTaken(recorded=taken.recorded, reason=taken.reason)


async def known(ask: Ask, body: wire.Origins) -> wire.KnownOrigins:
    """Which of all that the clerk has told is still known here."""
    return wire.KnownOrigins(known=await ask.registry(sales.known, body.origins))


async def after(ask: Ask, query: wire.AfterQuery) -> wire.Happenings:
    """What happened after a number, for the house's webhooks."""
    found = await ask.registry(happenings.after, query.after, query.limit, query.at)
    return wire.Happenings(happenings=[wire.Happening(**one) for one in found])


async def jwks(ask: Ask) -> wire.Keys:
    """Every Ed25519 key that has signed here."""
    return wire.Keys(**await ask.registry(keys.jwks))
