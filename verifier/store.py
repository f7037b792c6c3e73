"""Where the verifier keeps things: its database, its vault, and the sealed originals.

The database follows the rules of the house's books (``gateway.books.store``): one
transaction at a time on SQLite, on the disk before anybody is told.  Whatever names a person
is sealed under a data key of that person's own, and so is what an object keeps in private:
a data key that is destroyed takes all of it along, out of every backup of the key's row too
once that is overwritten.

Leaves to others: what is in the tables (``tables``), and what changes them (``registry``).
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, insert, select

from gateway.archive import open_tables
from gateway.books.store import BooksError, Vault, kept_for_good, reading
from verifier.core.canonical import canonical, read
from verifier.tables import data_keys

Json = dict[str, Any]

# Of ids: what can be read aloud, without the characters that look like others.
_ALPHABET: Final = "23456789abcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True, slots=True)
class Store:
    """The parts that everything here works with."""

    engine: Engine
    vault: Vault = field(repr=False)
    pepper: bytes = field(repr=False)  # of transfer codes: nowhere in the database
    scan_key: bytes = field(repr=False)  # that network addresses are hashed under, by day
    tap_key: bytes = field(repr=False)  # that links to a tap's result are signed with
    photos: Path  # sealed originals
    public_url: str
    gs1_prefix: str
    house: str  # the house's public name


def open_store(
    url: str, verifier_key: bytes, photos: Path, public_url: str, gs1_prefix: str, house: str
) -> Store:
    """Open the database, its tables made or brought up to date, and the folder of originals.

    Raises ``engine.settings.BadSetting`` (of DATABASE_URL) and ``OSError``.
    """
    photos.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = kept_for_good(open_tables(url, "verifier"))
    return store_on(engine, verifier_key, photos, public_url, gs1_prefix, house)


def store_on(
    engine: Engine, verifier_key: bytes, photos: Path, public_url: str, gs1_prefix: str, house: str
) -> Store:
    """The same on a database that is open."""
    return Store(
        engine=engine,
        vault=Vault(hmac.digest(verifier_key, b"vault", "sha256")),
        pepper=hmac.digest(verifier_key, b"transfer codes", "sha256"),
        scan_key=hmac.digest(verifier_key, b"scans", "sha256"),
        tap_key=hmac.digest(verifier_key, b"taps", "sha256"),
        photos=photos,
        public_url=public_url,
        gs1_prefix=gs1_prefix,
        house=house,
    )


@contextmanager
def at_one_instant(store: Store) -> Iterator[Connection]:
    """A look at the books as they are now, however long it takes.  Raises ``BooksError``."""
    engine = store.engine
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with reading(engine) as connection:
        yield connection


def new_id(prefix: str, length: int = 16) -> str:
    """A name that nobody has had before: ``obj_…``."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(length))


# ── What is sealed under a key of its own ────────────────────────────────────────────────


def make_data_key(connection: Connection, vault: Vault, subject: str) -> Vault:
    """A new data key for an object or a person, and what seals with it."""
    key = secrets.token_bytes(32)
    sealed = vault.seal("data key", subject, key)
    connection.execute(insert(data_keys), {"subject": subject, "sealed": sealed})
    return Vault(key)


def data_vault(connection: Connection, vault: Vault, subject: str) -> Vault | None:
    """What opens what was sealed for this object or person; None: it was destroyed."""
    query = select(data_keys.c.sealed).where(data_keys.c.subject == subject)
    sealed = connection.scalar(query)
    return None if sealed is None else Vault(vault.open("data key", subject, sealed))


def destroy_data_key(connection: Connection, subject: str) -> None:
    """From now on nobody can open what was sealed for this object or person."""
    connection.execute(delete(data_keys).where(data_keys.c.subject == subject))


def overwrite_the_past(engine: Engine) -> None:
    """After an erasure has ended: what was there before lies in SQLite's log of changes until
    that is begun anew.  PostgreSQL has its own ways (VACUUM, archives of its log)."""
    if engine.dialect.name != "sqlite":
        return
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")  # a checkpoint is no part of a transaction
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")  # that the end of this one finds one to end


def seal_json(vault: Vault, purpose: str, row_id: str, content: Json) -> bytes:
    """JSON, readable only with the key, and only in this row for this purpose."""
    return vault.seal(purpose, row_id, canonical(content))


def open_json(vault: Vault, purpose: str, row_id: str, sealed: bytes) -> Json:
    """What ``seal_json`` has sealed.  Raises ``BooksError``."""
    content = read(vault.open(purpose, row_id, sealed))
    assert isinstance(content, dict)
    return content


# ── Sealed files ─────────────────────────────────────────────────────────────────────────


def write_sealed(store: Store, name: str, content: bytes) -> None:
    """Keep an original in a file of its own, on the disk before this returns."""
    path = store.photos / name
    beside = path.with_name(path.name + ".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(store.vault.seal("original", name, content))
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)
    folder = os.open(store.photos, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # the name itself
    finally:
        os.close(folder)


def read_sealed(store: Store, name: str) -> bytes:
    """An original as it came.  Raises ``BooksError`` where it is gone or was touched."""
    try:
        sealed = (store.photos / name).read_bytes()
    except OSError as failure:
        raise BooksError(f"the original {name} cannot be read: {failure.strerror}") from failure
    return store.vault.open("original", name, sealed)
