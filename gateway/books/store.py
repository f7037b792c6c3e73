"""Where the books are kept: opening, reading, writing, and sealing what is personal.

The books share the archive's database and its migrations, but not its comfort: what has been
written here survives a power cut.  ``Vault`` seals personal data before it gets into a row
and makes the index by which an address is found again, so that a copied database tells
nobody's name.

Promises: ``writing`` is one transaction that nobody else's writes get into the middle of; an
error is one line without a secret.  All functions block: call them in a thread.  Leaves to
others: what is in the tables (each of its own module), and where the key comes from
(``gateway.keys``).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from gateway.archive import ArchiveError, open_archive

_NONCE_BYTES: Final = 12  # of AES-GCM
_TURN_WITHIN_S: Final = 5.0  # as long as SQLite waits for another process's transaction


class BooksError(Exception):
    """The books cannot be read or written; one line, without a secret."""


class BadField(Exception):
    """What was asked for makes no sense: ``field`` says where, the text what would."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


# ── Opening ──────────────────────────────────────────────────────────────────────────────


def open_books(url: str) -> Engine:
    """The books, their tables made or brought up to date; any process may be the first.

    Raises ``engine.settings.BadSetting`` (of DATABASE_URL, without the password).
    """
    return kept_for_good(open_archive(url))


def kept_for_good(engine: Engine) -> Engine:
    """The database, from now on as one whose every transaction survives a power cut."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _keep_for_good)
        engine.dispose()  # the connection that made the tables does not know it yet
        engine.update_execution_options(turn=Lock())
    return engine


def _keep_for_good(connection: Any, _record: object) -> None:
    # The archive leaves the disk to the log, out of which it can be written again.  Nothing
    # can write these again: whoever was told of a session or a payment has been told.
    connection.execute("PRAGMA synchronous=FULL")
    # What was erased is overwritten, and does not stay in a free page.
    connection.execute("PRAGMA secure_delete=ON")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A look at the books as they are at one instant.  Raises ``BooksError``."""
    with _one_line(), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction: all of it is kept for good, or nothing happened.  Raises ``BooksError``.

    On SQLite it begins by being the only one.  On PostgreSQL several run at once: what must
    not is told to ``in_turn``.
    """
    with _turn(engine), _one_line(), engine.execution_options(writes=True).begin() as connection:
        yield connection


def in_turn(connection: Connection, *what: str) -> None:
    """Wait until no other transaction is about the same thing; until this one ends."""
    if connection.dialect.name != "postgresql":
        return  # SQLite has one writer at a time, whatever it is about
    digest = hashlib.sha256(json.dumps(what).encode()).digest()
    key = int.from_bytes(digest[:8], "big", signed=True)
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


@contextmanager
def _turn(engine: Engine) -> Iterator[None]:
    """Queue the writers of this process.

    SQLite itself lets them come back at random, ever later: where many write without a pause,
    one of them may find the door closed until its patience ends.
    """
    turn: Lock | None = engine.get_execution_options().get("turn")
    if turn is None:
        yield
        return
    if not turn.acquire(timeout=_TURN_WITHIN_S):
        raise BooksError(f"the database has been busy for {_TURN_WITHIN_S:.0f} s")
    try:
        yield
    finally:
        turn.release()


@contextmanager
def _one_line() -> Iterator[None]:
    try:
        yield
    except ArchiveError as failure:  # a value that the driver refused, see gateway.archive
        raise BooksError(str(failure)) from failure
    except SQLAlchemyError as failure:
        raise BooksError(_first_line(failure)) from failure


def _first_line(failure: SQLAlchemyError) -> str:
    # The driver's own words without the statement, and without PostgreSQL's second line, the
    # DETAIL, in which it shows the row.
    words = str(getattr(failure, "orig", None) or failure).strip()
    return words.partition("\n")[0][:300] or type(failure).__name__


# ── Sealing ──────────────────────────────────────────────────────────────────────────────


class Vault:
    """Seals texts and makes indexes, under the house's ``vault_key``."""

    def __init__(self, vault_key: bytes) -> None:
        self._cipher = AESGCM(hmac.digest(vault_key, b"seal", "sha256"))
        self._index_key = hmac.digest(vault_key, b"index", "sha256")

    def seal(self, purpose: str, row_id: str, content: bytes) -> bytes:
        """*content*, readable only with the key, and only in this row for this purpose."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, content, _place(purpose, row_id))

    def open(self, purpose: str, row_id: str, sealed: bytes) -> bytes:
        """What was sealed.  Raises ``BooksError`` where it was not sealed here, or touched."""
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, rest, _place(purpose, row_id))
        except (InvalidTag, ValueError) as failure:
            raise BooksError(f"a sealed {purpose} cannot be opened with this master key") from (
                failure
            )

    def index(self, purpose: str, *words: str) -> str:
        """By what a row is found again without saying what is in it; equal for equal words."""
        content = _place(purpose, *words)
        return hmac.digest(self._index_key, content, "sha256").hex()


def _place(*words: str) -> bytes:
    # JSON keeps the words apart, whatever is in them.
    return json.dumps(words).encode()


def digest(secret: str) -> str:
    """The SHA-256 under which a long random secret is kept: it need not be slow to compute."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
