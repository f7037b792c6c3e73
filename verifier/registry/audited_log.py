"""The log, made again from its entries alone: every hash, every signed tree, every key.

One reading of the entries in their order.  What each of them is follows from its own bytes:
an event, a certificate or a word about keys, and nothing else; the tree is built up beside
them, and compared with each checkpoint when it has that checkpoint's size.  It shares no code
with what appends (``merkle.completed`` and ``merkle.root``), so that one cannot excuse the
other.  Raises ``Disagrees`` at the first thing that is otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from sqlalchemy import Column, Connection, Row, Select, func, or_, select

from gateway.books.store import BooksError
from verifier.core import bundle, key_history, merkle, notes
from verifier.core.canonical import NotCanonical, digest, read_canonical
from verifier.core.events import DAY_MS, instant
from verifier.core.key_history import BadKeyEvent, KeyHistory, KeyLife
from verifier.registry import log
from verifier.registry.checking import Disagrees
from verifier.store import Store
from verifier.tables import checkpoints, entries, key_entries, keys, nodes
from verifier.tables import events as written

Json = dict[str, Any]
Progress = Callable[[int, int], None]  # done, and of how many

_AT_ONCE: Final = 1_000  # rows that are read at a time
_EVENT: Final = ["VerifiableCredential", "ProvenanceEvent"]


@dataclass(frozen=True, slots=True)
class Logged:
    """What was found in the log."""

    size: int
    events: int
    certificates: int
    checkpoints: int
    key_events: list[int]  # where the log tells of keys
    history: KeyHistory


def check(connection: Connection, store: Store, progress: Progress) -> Logged:
    """Make the log again."""
    size = connection.scalar(select(func.count()).select_from(entries)) or 0
    reading = _Reading(store, connection)
    for row in _rows(connection, select(entries), entries.c.leaf_index):
        reading.take(row)
        progress(reading.size, size)
    found = reading.end()
    _check_nodes(connection, found.size)
    _check_keys(connection, store, found.history)
    places = _rows(connection, select(key_entries), key_entries.c.leaf_index)
    if [row.leaf_index for row in places] != found.key_events:
        raise Disagrees("log: it tells of keys elsewhere than is kept")
    return found


class _Reading:
    """The entries, one after the other."""

    def __init__(self, store: Store, connection: Connection) -> None:
        self.size = 0
        self._store = store
        self._origin = log.origin(store.public_url)
        self._history = KeyHistory()
        self._key_events: list[int] = []
        self._tree = _Tree()
        self._certificate: str | None = None  # the digest of the one that the next event names
        self._events = self._certificates = self._checkpoints = self._last_size = 0
        place = written.c.leaf_index
        self._rows = (row.leaf_index for row in _rows(connection, select(place), place))
        self._signed = _rows(connection, select(checkpoints), checkpoints.c.size)
        self._next = next(self._signed, None)

    def take(self, row: Row[Any]) -> None:
        """One more entry."""
        place, data = self.size, bytes(row.data)
        if row.leaf_index != place:
            raise Disagrees(f"log: entry {place} is missing, or is there twice")
        leaf = merkle.leaf_hash(data)
        if row.leaf_hash != leaf:
            raise Disagrees(f"log: the hash of entry {place} is not that of its bytes")
        try:
            document = read_canonical(data)
        except NotCanonical as fault:
            raise Disagrees(f"log: entry {place} is no canonical JSON") from fault
        if not isinstance(document, dict):
            raise Disagrees(f"log: entry {place} is no document")
        try:
            self._sort(place, document)
        except (KeyError, TypeError, AttributeError) as fault:
            raise Disagrees(f"log: entry {place} lacks what a document of its type has") from fault
        self._tree.add(leaf)
        self.size += 1
        while self._next is not None and self._next.size == self.size:
            self._check_checkpoint(self._next)
            self._next = next(self._signed, None)

    def end(self) -> Logged:
        """After the last entry."""
        if self._certificate is not None:
            raise Disagrees(f"log: entry {self.size - 1} is a certificate that no event names")
        extra = next(self._rows, None)
        if extra is not None:
            raise Disagrees(f"log: an event says it is entry {extra}, which is none")
        if self._next is not None:
            raise Disagrees(f"log: a tree of {self._next.size} entries is signed, there are fewer")
        if not self._checkpoints or self._last_size != self.size:
            raise Disagrees(f"log: no signed tree holds entry {self.size - 1}")
        return Logged(
            self.size,
            self._events,
            self._certificates,
            self._checkpoints,
            self._key_events,
            self._history,
        )

    def _sort(self, place: int, document: Json) -> None:
        """Each entry is of something, and there is no other of it."""
        kind, certificate = document.get("type"), self._certificate
        self._certificate = None
        if kind == _EVENT:
            subject = document["credentialSubject"]
            names = subject["details"].get("certificate")
            if certificate != (names if subject["eventType"] == "binding_completed" else None):
                raise Disagrees(f"log: entry {place} does not name the certificate before it")
            if next(self._rows, None) != place:
                raise Disagrees(f"log: entry {place} is an event that is in no history")
            self._events += 1
            return
        if certificate is not None:
            raise Disagrees(f"log: entry {place - 1} is a certificate that no event names")
        if kind == bundle.CERTIFICATE_TYPE:
            self._certificate = digest(document)
            self._certificates += 1
        elif kind == key_history.TYPE:
            self._key_events.append(place)
            try:
                self._history.play(place, document)
            except BadKeyEvent as fault:
                raise Disagrees(f"log: entry {place}: {fault}") from fault
        else:
            raise Disagrees(f"log: entry {place} is of nothing that is known here")

    def _check_checkpoint(self, row: Row[Any]) -> None:
        name = f"checkpoint of {row.size} entries"
        expected = [
            notes.Vkey(self._origin, kind, key.public)
            for purpose, kind in _SIGNERS
            if (key := self._history.current(purpose)) is not None
        ]
        try:
            lines = notes.read_note(row.note).signatures
            signers = notes.verify_note(row.note, expected)
            said = notes.read_checkpoint(notes.read_note(row.note).text)
        except notes.BadNote as fault:
            raise Disagrees(f"{name}: {fault}") from fault
        if len(lines) != len(expected) or (notes.HAS_MLDSA and signers != expected):
            raise Disagrees(f"{name}: it is not signed by the log's keys of that time")
        if said.origin != self._origin or said.size != row.size:
            raise Disagrees(f"{name}: it is of another log, or of another size")
        if said.root != self._tree.root():
            raise Disagrees(f"{name}: the entries have another root than was signed")
        day_s = (row.at - row.at % DAY_MS) // 1000
        if any(line.body[:8] != day_s.to_bytes(8) for line in lines[1:]):
            raise Disagrees(f"{name}: it was signed on another day than the row says")
        self._checkpoints += 1
        self._last_size = row.size


_SIGNERS: Final = (("log", notes.ED25519), ("log-mldsa", notes.MLDSA44_COSIGNATURE))


class _Tree:
    """The complete subtrees over what has come so far, the largest first."""

    def __init__(self) -> None:
        self._parts: list[tuple[int, bytes]] = []  # level and hash

    def add(self, leaf: bytes) -> None:
        """One more leaf; two subtrees of one size become one of the next."""
        level, found = 0, leaf
        while self._parts and self._parts[-1][0] == level:
            found = merkle.node_hash(self._parts.pop()[1], found)
            level += 1
        self._parts.append((level, found))

    def root(self) -> bytes:
        """Over all of them (RFC 6962, 2.1)."""
        *rest, (_, found) = self._parts
        for _, part in reversed(rest):
            found = merkle.node_hash(part, found)
        return found


def _check_nodes(connection: Connection, size: int) -> None:
    """Every complete subtree is kept, and nothing beside."""
    leaves = _rows(
        connection, select(entries.c.leaf_index, entries.c.leaf_hash), entries.c.leaf_index
    )
    below: Iterator[bytes] = (bytes(row.leaf_hash) for row in leaves)
    level = 0
    while size >> level:
        for place, (found, wanted) in enumerate(zip_longest(_level(connection, level), below)):
            if found is None or found.place != place or found.hash != wanted:
                raise Disagrees(f"log: node {place} of level {level} is not what is below it")
        below = _pairs(bytes(row.hash) for row in _level(connection, level))
        level += 1
    query = select(nodes.c.level).where(or_(nodes.c.level >= level, nodes.c.level < 0))
    if connection.execute(query.limit(1)).first() is not None:
        raise Disagrees(f"log: there are nodes above level {level - 1}")


def _level(connection: Connection, level: int) -> Iterator[Row[Any]]:
    query = select(nodes.c.place, nodes.c.hash).where(nodes.c.level == level)
    return _rows(connection, query, nodes.c.place)


def _pairs(hashes: Iterator[bytes]) -> Iterator[bytes]:
    # One that is left over has no sibling yet: zip drops it.
    return (merkle.node_hash(left, right) for left, right in zip(hashes, hashes, strict=False))


def _check_keys(connection: Connection, store: Store, history: KeyHistory) -> None:
    rows = {row.kid: row for row in connection.execute(select(keys).order_by(keys.c.kid))}
    for kid in sorted(rows.keys() | history.keys.keys()):
        if kid not in history.keys:
            raise Disagrees(f"key {kid}: the log does not tell of it")
        if kid not in rows:
            raise Disagrees(f"key {kid}: the log tells of it, and it is not kept")
        _check_key(store, rows[kid], history.keys[kid])


def _check_key(store: Store, row: Row[Any], told: KeyLife) -> None:
    said = {
        "purpose": told.purpose,
        "public": told.public,
        "from_size": told.from_size,
        "retired_size": told.retired_size,
        "compromised_size": told.compromised_size,
    }
    instants = {
        "created_at": told.created,
        "retired_at": told.retired,
        "compromised_at": told.compromised,
    }
    for column, value in said.items():
        if getattr(row, column) != value:
            raise Disagrees(f"key {row.kid}: the log says another {column}")
    for column, when in instants.items():
        at = getattr(row, column)
        if (None if at is None else instant("key", at)) != when:
            raise Disagrees(f"key {row.kid}: the log says another {column}")
    if (row.private is None) != (told.retired_size is not None):
        raise Disagrees(f"key {row.kid}: a key in use has a private part, and no other has")
    if row.private is None:
        return
    try:
        public = _public_of(row.purpose, store.vault.open("signing key", row.kid, row.private))
    except BooksError as fault:
        raise Disagrees(f"key {row.kid}: its private part was touched") from fault
    if public != row.public:
        raise Disagrees(f"key {row.kid}: its private part is another key's")


def _public_of(purpose: str, private: bytes) -> bytes:
    if purpose == "log-mldsa":
        return MLDSA44PrivateKey.from_seed_bytes(private).public_key().public_bytes_raw()
    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def _rows(connection: Connection, query: Select[Any], by: Column[Any]) -> Iterator[Row[Any]]:
    """The rows in the order of this column, which tells them apart; a few at a time."""
    page = query.order_by(by).limit(_AT_ONCE)
    rows = connection.execute(page).all()
    while rows:
        yield from rows
        rows = connection.execute(page.where(by > getattr(rows[-1], by.name))).all()
