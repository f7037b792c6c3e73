"""Passing an object on: the house begins, the buyer's code confirms."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from verifier.api.calls import Ask
from verifier.api.objects import exponent_of, minor_units, shown
from verifier.api.provenance import shown as shown_event
from verifier.core import wire
from verifier.core.transfers import MOST_ATTEMPTS
from verifier.registry import objects
from verifier.registry import transfers as registry
from verifier.registry.transfers import Begun, Terms


async def initiate(ask: Ask, body: wire.NewTransfer) -> wire.TransferBegun:
    """Begin a transfer; its code is in this answer and nowhere else.

    Where the object is not yet sold, this sells it: what was paid is seen with a key only.
    """
    exponent = exponent_of(body.sale_currency, "saleCurrency")
    price = minor_units(body.sale_price, exponent, "salePrice")
    terms = Terms(
        body.object_id, body.from_owner_id, body.to_owner_id, price, body.sale_currency, exponent
    )
    return _begun(await ask.registry(registry.initiate, ask.mode, terms, ask.now))


async def confirm(ask: Ask, transfer_id: str, body: wire.Code) -> wire.TransferConfirmed:
    """Pass the object on with the code that its buyer was given.

    Said again with the same code it is answered alike.  Five wrong codes lock the transfer.
    """
    done = await ask.registry(registry.confirm, ask.mode, transfer_id, body.transfer_code, ask.now)
    found = await ask.registry(objects.load, ask.mode, done.row.object_id)
    return wire.TransferConfirmed(object=shown(found), event=shown_event(done.event))


async def cancel(ask: Ask, transfer_id: str) -> wire.Transfer:
    """End a transfer that is not done."""
    return _shown(await ask.registry(registry.cancel, ask.mode, transfer_id, ask.now))


async def reissue(ask: Ask, transfer_id: str) -> wire.TransferBegun:
    """Give out a new code; the one before is void.  A transfer has three at most."""
    return _begun(await ask.registry(registry.reissue, ask.mode, transfer_id, ask.now))


async def read(ask: Ask, transfer_id: str) -> wire.Transfer:
    """A transfer as it stands now."""
    return _shown(await ask.registry(registry.load, ask.mode, transfer_id, ask.now))


def _begun(begun: Begun) -> wire.TransferBegun:
    return wire.TransferBegun(
        transfer_id=begun.row.transfer_id,
        transfer_code=begun.code,
        expires_at=wire.instant(begun.row.expires_at),
        status=begun.row.state,
    )


def _shown(row: Row[Any]) -> wire.Transfer:
    return wire.Transfer(
        transfer_id=row.transfer_id,
        object_id=row.object_id,
        from_owner_id=row.from_id,
        to_owner_id=row.to_id,
        sale_price=None if row.price is None else wire.major(row.price, row.exponent),
        sale_currency=row.currency,
        auction_id=row.auction_id,
        status=row.state,
        attempts_left=None if row.code_mac is None else max(0, MOST_ATTEMPTS - row.attempts),
        expires_at=None if row.expires_at is None else wire.instant(row.expires_at),
        created_at=wire.instant(row.created_at),
        updated_at=wire.instant(row.updated_at),
    )
