"""One more event of an object: checked against its life, signed, chained, logged.

``append`` is the only way in which an object's history grows.  It runs in the caller's
transaction, beside whatever else follows from the event, and changes nothing where it
refuses.  Private fields become commitments; what opens them is sealed under the data key of
the person that they are about, or else of the object.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from verifier.core import events, objects
from verifier.core.commitments import commit
from verifier.core.objects import State
from verifier.registry import keys, log
from verifier.store import Store, data_vault, new_id, open_json, seal_json
from verifier.tables import entries
from verifier.tables import events as written
from verifier.tables import objects as table

Json = dict[str, Any]
_SALT_BYTES: Final = 32


class NoSuchObject(LookupError):
    """There is no such object, or none of this mode."""


class AuctionOpen(Exception):
    """An auction of ours may still sell the object."""


@dataclass(frozen=True, slots=True)
class Happened:
    """What is said of an event by whoever writes it."""

    event_type: str
    actor: str = events.HOUSE  # a role as ``core.events`` calls it
    details: Mapping[str, Any] = field(default_factory=dict)  # for everybody
    private: Mapping[str, Any] = field(default_factory=dict)  # goes with the object
    personal: Mapping[str, Any] = field(default_factory=dict)  # goes with the person
    of_owner: str | None = None  # who that is
    at: int | None = None  # ms; None: now


class Written(NamedTuple):
    """An event as it stands in the chain."""

    event_id: str
    event_type: str
    seq: int
    hash: str
    previous_hash: str | None
    at: int
    leaf_index: int
    status: State  # the object's after it


def find(connection: Connection, mode: str, object_id: str) -> Row[Any]:
    """The object's row.  Raises ``NoSuchObject``."""
    query = select(table).where(table.c.object_id == object_id, table.c.mode == mode)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NoSuchObject(object_id)
    return row


def append(
    connection: Connection, store: Store, object_id: str, happened: Happened, now_ms: int
) -> Written:
    """Write an event; the caller has waited ``log.in_turn`` and signs the checkpoint.

    Raises ``core.objects.InvalidState`` where it cannot happen in the object's state.
    """
    row = connection.execute(select(table).where(table.c.object_id == object_id)).one()
    status = objects.after(happened.event_type, row.status)
    _assert_allowed(happened)
    # From here on it happens.
    event_id = new_id("evt_", 20)
    private, personal = _opening(happened.private), _opening(happened.personal)
    issuer = keys.current(connection, store.vault, "issuer")
    draft = events.Draft(
        event_id=event_id,
        event_type=happened.event_type,
        serial=row.serial,
        mode=row.mode,
        seq=row.events,
        previous_hash=row.head,
        at=now_ms if happened.at is None else happened.at,
        recorded_at=now_ms,
        actor=happened.actor,
        details=happened.details,
        commitments={
            name: commit(bytes.fromhex(one["salt"]), name, one["value"])
            for name, one in {**private, **personal}.items()
        },
    )
    document = events.document(draft, store.public_url, issuer.ed25519)
    made = Written(
        event_id=event_id,
        event_type=happened.event_type,
        seq=draft.seq,
        hash=events.event_hash(document),
        previous_hash=draft.previous_hash,
        at=draft.at,
        leaf_index=log.append(connection, events.entry(document)),
        status=status,
    )
    sealed = {
        "sealed": _sealed(connection, store, object_id, event_id, private),
        "personal": _sealed(connection, store, happened.of_owner, event_id, personal),
        "of_owner": happened.of_owner,
    }
    _write(connection, object_id, made, issuer.kid, sealed)
    grown = {"events": draft.seq + 1, "head": made.hash, "status": status, "updated_at": now_ms}
    connection.execute(update(table).where(table.c.object_id == object_id).values(grown))
    return made


# Built once: every public question asks it.
_DOCUMENTS: Final = (
    select(written, entries.c.data)
    .join_from(written, entries, written.c.leaf_index == entries.c.leaf_index)
    .where(written.c.object_id == bindparam("object"))
    .order_by(written.c.seq)
)


def documents(connection: Connection, object_id: str) -> list[tuple[Row[Any], bytes]]:
    """The object's events with what was logged of them, oldest first."""
    rows = connection.execute(_DOCUMENTS, {"object": object_id})
    return [(row, bytes(row.data)) for row in rows]


def as_written(connection: Connection, row: Row[Any]) -> Written:
    """An event that was written before, as ``append`` gave it."""
    mine = written.c.object_id == row.object_id
    before = select(written.c.hash).where(mine, written.c.seq == row.seq - 1)
    status = select(table.c.status).where(table.c.object_id == row.object_id)
    return Written(
        event_id=row.event_id,
        event_type=row.type,
        seq=row.seq,
        hash=row.hash,
        previous_hash=connection.scalar(before),
        at=row.at,
        leaf_index=row.leaf_index,
        status=connection.execute(status).scalar_one(),
    )


def opened(connection: Connection, store: Store, row: Row[Any]) -> Json:
    """The private fields of an event, each with its salt; what is about a person is not there."""
    return _opened(connection, store, row.object_id, row.event_id, row.sealed)


def opened_person(connection: Connection, store: Store, row: Row[Any]) -> Json:
    """What an event says about a person, each field with its salt; empty once they are erased."""
    return _opened(connection, store, row.of_owner, row.event_id, row.personal)


def _opened(
    connection: Connection, store: Store, subject: str | None, event_id: str, sealed: bytes | None
) -> Json:
    if sealed is None or subject is None:
        return {}
    vault = data_vault(connection, store.vault, subject)
    return {} if vault is None else open_json(vault, "event", event_id, sealed)


def _assert_allowed(happened: Happened) -> None:
    """The public log takes no word that nobody has allowed, not even as a name."""
    event_type = happened.event_type
    private = events.PRIVATE_DETAILS.get(event_type, ())
    assert set(happened.details) <= set(events.details_of(event_type)), event_type
    assert set(happened.private) <= set(private) - set(events.PERSONAL), event_type
    assert set(happened.personal) <= set(private) & set(events.PERSONAL), event_type


def _opening(private: Mapping[str, Any]) -> Json:
    """Each field with a salt of its own."""
    return {
        name: {"salt": secrets.token_hex(_SALT_BYTES), "value": value}
        for name, value in private.items()
    }


def _sealed(
    connection: Connection, store: Store, subject: str | None, event_id: str, opening: Json
) -> bytes | None:
    if not opening:
        return None
    assert subject is not None, "what is personal is about somebody"
    vault = data_vault(connection, store.vault, subject)
    assert vault is not None, "nobody writes of an erased person"
    return seal_json(vault, "event", event_id, opening)


def _write(connection: Connection, object_id: str, made: Written, kid: str, sealed: Json) -> None:
    row = {
        "object_id": object_id,
        "seq": made.seq,
        "event_id": made.event_id,
        "type": made.event_type,
        "hash": made.hash,
        "leaf_index": made.leaf_index,
        "kid": kid,
        "at": made.at,
        **sealed,
    }
    connection.execute(insert(written), row)
