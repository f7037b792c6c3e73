"""Persons: who may hold an object, as far as the house has to know them."""

from __future__ import annotations

from verifier.api.calls import Ask
from verifier.api.objects import person
from verifier.core import wire
from verifier.registry import owners


async def enter(ask: Ask, body: wire.OwnerSaid) -> wire.OwnerEntered:
    """Enter a person; who is known by external id or e-mail keeps the id they have."""
    owner_id = await ask.registry(owners.enter, ask.mode, person(body), ask.now)
    return wire.OwnerEntered(owner_id=owner_id)


async def erase(ask: Ask, owner_id: str) -> None:
    """Forget a person for ever; what the chain says of their objects stays, and stays valid."""
    await ask.registry(owners.erase, ask.mode, owner_id, ask.now)
