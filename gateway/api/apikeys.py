"""The house's API keys: made, listed, rotated, revoked.

A key gives out no more than it may do itself: whoever manages keys with an operator key gets
no text that opens other doors.  A change holds on this gateway at once, and on the others
within a second or two.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC
from typing import Any

from starlette.concurrency import run_in_threadpool

from gateway.api.calls import Ask
from gateway.api.lots import NOTHING
from gateway.books import apikeys
from gateway.books.apikeys import ApiKey, KeyWish
from gateway.books.store import BadField
from gateway.core.consumer import instant, moment
from gateway.core.problems import Problem, bad_field
from gateway.core.schedule import BadTime, read_instant
from gateway.core.wire.house import Key, KeyMade, Keys, NewKey, Nothing


async def listing(ask: Ask) -> Keys:
    """Every key of the caller's mode, without its text."""
    found = await ask.books(apikeys.list_keys, ask.caller.mode)
    return Keys(data=[Key(**_fields(key)) for key in found])


async def create(ask: Ask, body: NewKey) -> KeyMade:
    """Make a key; its text is in this answer and nowhere else."""
    wish = _wish(ask, body)
    _check_reach(ask, wish.scopes)
    key, text = await ask.books(apikeys.create, ask.caller.mode, wish, ask.now)
    await _take_effect(ask)
    return KeyMade(**_fields(key), key=text)


async def rotate(ask: Ask, key_id: str, body: Nothing = NOTHING) -> KeyMade:
    """Give a key a new text; the one until now is taken for a day more."""
    await _check_reach_of(ask, key_id)
    found = await ask.books(apikeys.rotate, ask.caller.mode, key_id, ask.now)
    if found is None:
        raise Problem("key_not_found")
    await _take_effect(ask)
    key, text = found
    return KeyMade(**_fields(key), key=text)


async def revoke(ask: Ask, key_id: str) -> None:
    """End a key, with both its texts."""
    await _check_reach_of(ask, key_id)
    if not await ask.books(apikeys.revoke, ask.caller.mode, key_id, ask.now):
        raise Problem("key_not_found")
    await _take_effect(ask)


def _wish(ask: Ask, said: NewKey) -> KeyWish:
    try:
        expires_at = None if said.expires_at is None else read_instant(said.expires_at, UTC)
        return apikeys.read_wish(said.kind, said.name, said.scopes, expires_at, ask.now)
    except BadTime as fault:
        raise bad_field("expiresAt", str(fault)) from fault
    except BadField as fault:
        raise bad_field(fault.field, str(fault)) from fault


async def _check_reach_of(ask: Ask, key_id: str) -> None:
    for known in await ask.books(apikeys.list_keys, ask.caller.mode):
        if known.key_id == key_id:
            _check_reach(ask, known.scopes)


def _check_reach(ask: Ask, scopes: Iterable[str]) -> None:
    if beyond := sorted(set(scopes) - ask.caller.scopes):
        raise Problem("insufficient_scope", f"This key's own scopes lack {', '.join(beyond)}.")


async def _take_effect(ask: Ask) -> None:
    """The change holds here from now on, before it is answered."""
    await run_in_threadpool(ask.gateway.read_books)


def _fields(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.key_id,
        "kind": key.kind,
        "mode": key.mode,
        "name": key.name,
        "scopes": list(key.scopes),
        "created_at": moment(key.created_at),
        "expires_at": instant(key.expires_at),
        "revoked_at": instant(key.revoked_at),
        "last_used_at": instant(key.last_used),
        "previous_until": instant(key.previous_until),
    }
