"""The history of an object: what the house reports, and who may read how much of it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Row

from verifier.api import public
from verifier.api.calls import Ask, Raw, require_key
from verifier.api.objects import plain
from verifier.api.refusals import bad_field
from verifier.core import events, wire
from verifier.registry import bundles, chain, checking, objects, provenance
from verifier.registry.chain import Written
from verifier.registry.checking import Disagrees
from verifier.registry.provenance import Entry, History
from verifier.store import Store, at_one_instant

READ: Final = "provenance:read"
_PRICES: Final = ("hammerPrice", "salePrice")
_EARLIEST: Final = datetime(1000, 1, 1, tzinfo=UTC)  # the year is written with four digits


async def report(ask: Ask, serial: str, body: wire.Statement) -> wire.EventWritten:
    """Write an event into an object's history.

    Of ``evidence`` only what everybody may know is signed in words; the rest is sealed, and a
    commitment to each field of it is signed.
    """
    said = provenance.Statement(
        event_type=body.event_type,
        actor_role=body.actor_role,
        description=body.description,
        evidence=plain("evidence", body.evidence or {}),
        at=None if body.timestamp is None else _read_instant(body.timestamp),
    )
    written = await ask.registry(provenance.post, ask.mode, serial, said, ask.now)
    return wire.EventWritten(event=shown(written))


async def report_of(ask: Ask, body: wire.StatementOf) -> wire.EventWritten:
    """Write an event into the history of the object that the body names."""
    return await report(ask, body.object_id, body)


async def read(ask: Ask, serial: str) -> wire.Provenance:
    """An object's history, oldest first.

    Without a key: every event, with roles and public details.  With one that has
    ``provenance:read``: also what was said in private.
    """
    key = ask.caller.key
    if key.status == "missing" or (ask.caller.has_key and READ not in key.scopes):
        row = await public.known(ask, serial)
        return await ask.kept(f"history {row.serial}", lambda: _history(ask, row, private=False))
    require_key(ask.caller)  # whoever shows a key wants to be somebody
    row = (await ask.registry(objects.load, ask.mode, serial)).row
    return await _history(ask, row, private=True)


async def _history(ask: Ask, row: Row[Any], *, private: bool) -> wire.Provenance:
    history = await ask.registry(provenance.read, row, private=private)
    return wire.Provenance(
        object=wire.Titled(serial=row.serial, title=row.title),
        chain_valid=await ask.registry(_is_valid, row),
        events=[_shown_event(entry, ask.store.house, private=private) for entry in history.entries],
        chain_of_custody=_custody(history),
    )


async def proof(ask: Ask, serial: str) -> Raw:
    """An object's proof: all that is needed to check its history without asking anybody.

    One RFC 8785 document of the certificate, the events, and their places in the signed tree.
    """
    row = await public.known(ask, serial)
    made = await ask.kept(f"proof {row.serial}", lambda: ask.registry(bundles.make, row))
    return Raw(made, headers={"Cache-Control": "no-cache"})


def _is_valid(store: Store, row: Row[Any]) -> bool:
    """Whether every event is signed, follows from the one before, and is in the signed tree."""
    with at_one_instant(store) as connection:
        now = chain.find(connection, row.mode, row.object_id)
        try:
            tree = checking.tree_of(connection, store)
        except Disagrees:
            return False
        found = checking.check(connection, store, now, tree)
    return found.signature_valid and found.chain_intact and found.included


def shown(written: Written) -> wire.Event:
    """An event that was written, as the house is told of it."""
    return wire.Event(
        id=written.event_id,
        type=written.event_type,
        seq=written.seq,
        hash=written.hash,
        previous_hash=written.previous_hash,
        timestamp=events.instant(written.event_type, written.at),
    )


def _shown_event(entry: Entry, house: str, *, private: bool) -> wire.ShownEvent:
    subject: dict[str, Any] = entry.subject
    role = subject["actor"]
    if private:
        opened = {name: one["value"] for name, one in entry.private.items()}
        details = {**opened.pop("evidence", {}), **opened, **subject["details"]}
    else:
        details = events.shown_details(subject["eventType"], subject["details"])
    return wire.ShownEvent(
        type=subject["eventType"],
        timestamp=entry.document["validFrom"],
        actor=wire.Actor(type=role, name=house if role == events.HOUSE else role),
        details=_with_numbers(details) if subject["eventType"] == "sold" else details,
        seq=subject["seq"],
        hash=entry.row.hash,
        previous_hash=subject["previousHash"],
        key_id=entry.row.kid,
        log_index=entry.row.leaf_index,
    )


def _with_numbers(details: dict[str, Any]) -> dict[str, Any]:
    """Prices as this API writes them; documents have them as texts, digit by digit."""
    return {name: Decimal(value) if name in _PRICES else value for name, value in details.items()}


def _custody(history: History) -> list[wire.Custody]:
    return [
        wire.Custody(from_=row.from_role, to=row.to_role, transfer_type=row.transfer_type)
        for row in history.custody
    ]


def _read_instant(text: str) -> int:
    try:
        said = datetime.fromisoformat(text)
    except ValueError as fault:
        raise bad_field("timestamp", "an instant such as 2026-11-27T10:00:00Z") from fault
    if said.tzinfo is None or said < _EARLIEST:
        raise bad_field("timestamp", "an instant such as 2026-11-27T10:00:00Z")
    return int(said.timestamp() * 1000)
