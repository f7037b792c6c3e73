"""NFC tags: a chip that answers each tap with a message nobody else can make.

The chip's keys lie sealed in the row; its counter only goes up, in one statement, so that a
message counts once.  Whoever sends the same message again within a minute from the same place
is shown the first answer: a page was loaded anew.  A seal that was reported open stays open.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from gateway.books.store import BadField, writing
from verifier.core import tags
from verifier.registry import chain, log
from verifier.registry import objects as kept
from verifier.registry.chain import Happened
from verifier.store import Store, new_id, open_json, seal_json
from verifier.tables import tags as table

Json = dict[str, Any]
Status = Literal["verified", "replayed", "invalid", "tampered", "not_presented", "not_bound"]
_SAME_TAP_MS: Final = 60_000
_SALT_BYTES: Final = 32


class TagBound(Exception):
    """The object has a tag, or the tag another object."""


@dataclass(frozen=True, slots=True)
class Binding:
    """What is said of a tag that is bound to an object."""

    uid: str  # 7 bytes in hexadecimal
    file_key: str = field(repr=False)  # 16 bytes in hexadecimal; it signs
    meta_key: str | None = field(repr=False)  # it decrypts; null: the uid is in the clear
    url_template: str


class Tap(NamedTuple):
    """A message of a tag, and from where it came."""

    query: Mapping[str, str]
    address: str  # of the network; kept only as a hash together with the message


class Heard(NamedTuple):
    """What a tap proves."""

    status: Status
    counter: int | None = None


def bind(store: Store, mode: str, object_id: str, said: Binding, now_ms: int) -> Row[Any]:
    """Bind a tag to an object.  Raises ``NoSuchObject``, ``TagBound`` and ``BadField``."""
    uid = _check(mode, said)
    with writing(store.engine) as connection:
        log.in_turn(connection)
        row = kept.find(connection, mode, object_id)
        uid_index = store.vault.index("tag uid", mode, uid)
        taken = (table.c.object_id == row.object_id) | (table.c.uid_index == uid_index)
        if connection.scalar(select(table.c.tag_id).where(taken)) is not None:
            raise TagBound(object_id)
        # From here on it is bound.
        tag_id, salt = new_id("tag_"), secrets.token_bytes(_SALT_BYTES)
        secret = {
            "uid": uid,
            "file_key": said.file_key,
            "meta_key": said.meta_key,
            "salt": salt.hex(),
        }
        tag = {
            "tag_id": tag_id,
            "object_id": row.object_id,
            "uid_index": uid_index,
            "sealed": seal_json(store.vault, "tag", tag_id, secret),
            "url_template": said.url_template,
            "last_counter": -1,
            "tampered": False,
            "bound_at": now_ms,
        }
        connection.execute(insert(table), tag)
        details = {"tagDigest": _named_in_history(salt.hex(), uid)}
        happened = Happened("tag_bound", details=details)
        chain.append(connection, store, row.object_id, happened, now_ms)
        log.sign_checkpoint(connection, store, now_ms)
        return chain.find(connection, mode, row.object_id)


def _check(mode: str, said: Binding) -> str:
    """The tag's uid, where the rest makes sense as well.  Raises ``BadField``."""
    with _named("url_template"):
        template = tags.read_template(said.url_template)
    if (template.picc is None) != (said.meta_key is None):
        raise BadField("meta_key", "a key, exactly where the template has an encrypted uid")
    for name, text in (("file_key", said.file_key), ("meta_key", said.meta_key)):
        if text is None:
            continue
        with _named(name):
            key = tags.read_key(text)
        if mode == "live" and tags.is_factory(key):
            raise BadField(name, "a key of its own, and not the one that it left the factory with")
    with _named("uid"):
        return tags.read_uid(said.uid)


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except ValueError as fault:
        raise BadField(name, str(fault)) from fault


# Built once: every public question asks it.
_OF_OBJECT: Final = select(table).where(table.c.object_id == bindparam("object"))


def of_object(connection: Connection, object_id: str) -> Row[Any] | None:
    """The object's tag."""
    return connection.execute(_OF_OBJECT, {"object": object_id}).one_or_none()


def look(store: Store, tag: Row[Any], tap: Tap) -> Heard:
    """What a message says, without counting it: for whoever only asks for headers."""
    message = _read(store, tag, tap)
    if message is None:
        return Heard("invalid")
    if message.counter <= tag.last_counter and not _is_same(store, tag, tap):
        return Heard("replayed", message.counter)
    return Heard(_state(tag, message), message.counter)


def take(store: Store, tag_id: str, tap: Tap, now_ms: int) -> Heard:
    """Count a message, once."""
    with writing(store.engine) as connection:
        # Locked: of two taps at once the second must see what the first has left.
        query = select(table).where(table.c.tag_id == tag_id).with_for_update()
        tag = connection.execute(query).one()
        message = _read(store, tag, tap)
        if message is None:
            return Heard("invalid")
        opened = message.tamper == "open"
        mine = table.c.tag_id == tag_id, table.c.last_counter < message.counter
        counted = {
            "last_counter": message.counter,
            "tampered": tag.tampered or opened,
            "tap_digest": _digest(store, tap),
            "tap_at": now_ms,
        }
        # The counter is compared where it is set: of two at once, one is the first.
        if connection.execute(update(table).where(*mine).values(counted)).rowcount != 1:
            again = _is_same(store, tag, tap) and now_ms - tag.tap_at < _SAME_TAP_MS
            status: Status = _state(tag, message) if again else "replayed"
            return Heard(status, message.counter)
        return Heard("tampered" if counted["tampered"] else _state(tag, message), message.counter)


def _read(store: Store, tag: Row[Any], tap: Tap) -> tags.TagMessage | None:
    secret = open_json(store.vault, "tag", tag.tag_id, tag.sealed)
    meta_key = None if secret["meta_key"] is None else tags.read_key(secret["meta_key"])
    template = tags.read_template(tag.url_template)
    try:
        message = tags.read_message(
            tap.query, template, meta_key, tags.read_key(secret["file_key"])
        )
    except tags.BadTag:
        return None
    return message if message.uid == secret["uid"] else None


def _state(tag: Row[Any], message: tags.TagMessage) -> Status:
    return "tampered" if tag.tampered or message.tamper == "open" else "verified"


def _is_same(store: Store, tag: Row[Any], tap: Tap) -> bool:
    return bool(tag.tap_digest == _digest(store, tap))


def _digest(store: Store, tap: Tap) -> str:
    """The message and from where it came; keyed, so that no address can be tried out."""
    said = [tap.address, sorted(tap.query.items())]
    return hmac.digest(store.scan_key, json.dumps(said).encode(), "sha256").hex()


def signed_digest(store: Store, tag: Row[Any]) -> str:
    """By what the history names this tag."""
    secret = open_json(store.vault, "tag", tag.tag_id, tag.sealed)
    return _named_in_history(secret["salt"], secret["uid"])


def _named_in_history(salt: str, uid: str) -> str:
    # The uid is the chip's, and anybody near it can read it: a digest that nobody guesses.
    return hashlib.sha256(bytes.fromhex(salt) + uid.encode()).hexdigest()
