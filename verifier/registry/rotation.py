"""When signing keys change, and that the log says so.

Every key comes into use, is replaced or declared compromised by an entry of the log, so that
whoever holds a checkpoint can tell which key could sign when.  A replacement is signed by
both keys: the old one's order lies inside what the new one has signed.
"""

from __future__ import annotations

import base64
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, insert, select, update

from gateway.books.store import writing
from verifier.core import notes, signing
from verifier.core.canonical import canonical
from verifier.core.events import CONTEXT, instant
from verifier.registry import keys, log
from verifier.registry.keys import PURPOSES, Purpose
from verifier.store import Store, new_id
from verifier.tables import key_entries
from verifier.tables import keys as table

Json = dict[str, Any]


def begin(store: Store, now_ms: int) -> None:
    """Make what keys are missing, and log that they came into use.  Each start does it."""
    with writing(store.engine) as connection:
        log.in_turn(connection)
        there = set(connection.scalars(select(table.c.purpose).where(table.c.retired_at.is_(None))))
        missing = [one for one in _wanted() if one not in there]
        # The issuer's first: it signs that the others came into use, and that it did itself.
        made = [
            keys.make(connection, store.vault, purpose, log.size(connection), now_ms)
            for purpose in missing
        ]
        for purpose, kid in zip(missing, made, strict=True):
            said = {"event": "created", "purpose": purpose, "key": _named(connection, kid)}
            _log(connection, store, said, now_ms)
        if made:
            log.sign_checkpoint(connection, store, now_ms)


def _wanted() -> list[Purpose]:
    """The purposes that there are keys for: ML-DSA where ``cryptography`` has it."""
    return [one for one in PURPOSES if one != "log-mldsa" or notes.HAS_MLDSA]


def rotate(store: Store, purpose: Purpose, now_ms: int) -> str:
    """Replace a purpose's key; the new key's id.  The entry is signed by both."""
    with writing(store.engine) as connection:
        log.in_turn(connection)
        old = keys.current(connection, store.vault, purpose)
        before = _named(connection, old.kid)
        keys.retire(connection, old.kid, log.size(connection), now_ms)
        kid = keys.make(connection, store.vault, purpose, log.size(connection), now_ms)
        said = {"event": "rotated", "purpose": purpose, "from": before}
        said["key"] = _named(connection, kid)
        if isinstance(old.private, Ed25519PrivateKey):
            # The old key's order, inside what the new one signs.
            said = _document(store, said, now_ms, old.private)
        _log(connection, store, said, now_ms)
        log.sign_checkpoint(connection, store, now_ms)
    return kid


def declare_compromised(store: Store, kid: str, since_size: int | None, now_ms: int) -> str | None:
    """Say that a key is not ours alone any more; what it signed before *since_size* entries
    stays good (None: everything logged until now).  The new key's id, where one was needed;
    raises ``LookupError`` for an unknown key."""
    with writing(store.engine) as connection:
        log.in_turn(connection)
        row = connection.execute(select(table).where(table.c.kid == kid)).one_or_none()
        if row is None:
            raise LookupError(kid)
        size = log.size(connection)
        since = size if since_size is None else min(since_size, size)
        if row.compromised_size is not None:
            since = min(since, row.compromised_size)  # what was declared is not taken back
        new = None
        if row.retired_at is None:
            keys.retire(connection, kid, size, now_ms)
            new = keys.make(connection, store.vault, row.purpose, size, now_ms)
        said = {"compromised_at": now_ms, "compromised_size": since}
        connection.execute(update(table).where(table.c.kid == kid).values(said))
        entry = {"event": "compromised", "purpose": row.purpose, "key": _named(connection, kid)}
        entry["since"] = since
        if new is not None:
            entry["replacement"] = _named(connection, new)
        _log(connection, store, entry, now_ms)
        log.sign_checkpoint(connection, store, now_ms)
    return new


def _named(connection: Connection, kid: str) -> Json:
    public = connection.execute(select(table.c.public).where(table.c.kid == kid)).scalar_one()
    return {"kid": kid, "public": base64.urlsafe_b64encode(public).rstrip(b"=").decode()}


def _log(connection: Connection, store: Store, said: Json, now_ms: int) -> None:
    issuer = keys.current(connection, store.vault, "issuer").ed25519
    place = log.append(connection, canonical(_document(store, said, now_ms, issuer)))
    connection.execute(insert(key_entries), {"leaf_index": place})


def _document(store: Store, said: Json, now_ms: int, key: Ed25519PrivateKey) -> Json:
    when = instant("key", now_ms)
    unsigned = {
        "@context": CONTEXT,
        "id": f"urn:fairwarning:key-event:{new_id('')}",
        "type": ["VerifiableCredential", "KeyEvent"],
        "issuer": store.public_url,
        "validFrom": when,
        "credentialSubject": said,
    }
    return signing.sign(unsigned, key, when)
