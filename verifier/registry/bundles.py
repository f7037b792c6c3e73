"""The proof bundle of an object, out of the books as they are at one instant.

What it holds and how it is checked is said in ``core.bundle``.  Nothing is checked here: where
the books were touched, the bundle says so to whoever checks it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from verifier.core import bundle, notes
from verifier.core.bundle import Contents, Logged
from verifier.core.canonical import read
from verifier.registry import chain, checking, keys, log
from verifier.store import Store, at_one_instant
from verifier.tables import key_entries

Json = dict[str, Any]


def make(store: Store, row: Row[Any]) -> bytes:
    """The object's bundle against the newest signed tree."""
    with at_one_instant(store) as connection:
        newest = log.latest(connection)
        logged = [(event, data) for event, data in chain.documents(connection, row.object_id)]
        bound = [event.leaf_index for event, _ in logged if event.type == "binding_completed"]
        # A certificate is logged right before the event that names it.
        certified = [place - 1 for place in bound[-1:]]
        told = key_places(connection)
        places = [*told, *certified, *(event.leaf_index for event, _ in logged)]
        found = _logged(connection, places, newest.size)
        name = log.origin(store.public_url)
        contents = Contents(
            serial=row.serial,
            mode=row.mode,
            issuer=store.public_url,
            checkpoint=newest.note,
            vkeys=_signers(newest.note, checking.vkeys(connection, name)),
            key_events=[found[place] for place in told],
            certificate=found[certified[0]] if certified else None,
            events=[found[event.leaf_index] for event, _ in logged],
        )
        log_key = keys.current(connection, store.vault, "log").ed25519
    return bundle.make(contents, log_key, newest.at)


def key_places(connection: Connection) -> list[int]:
    """Where the log tells of keys."""
    query = select(key_entries.c.leaf_index).order_by(key_entries.c.leaf_index)
    return list(connection.scalars(query))


def _signers(note: str, known: Sequence[notes.Vkey]) -> list[notes.Vkey]:
    """The keys that the note's lines name, in their order."""
    named = {(vkey.name, vkey.key_id): vkey for vkey in known}
    lines = notes.read_note(note).signatures
    return [named[line.name, line.key_id] for line in lines if (line.name, line.key_id) in named]


def _logged(connection: Connection, places: Sequence[int], size: int) -> dict[int, Logged]:
    data = log.data_at(connection, sorted(places))
    proofs = log.inclusion(connection, places, size)
    found: dict[int, Logged] = {}
    for place, proof in zip(places, proofs, strict=True):
        document = read(data[place])
        assert isinstance(document, dict), "what is logged is a document"
        found[place] = Logged(document, place, proof)
    return found
