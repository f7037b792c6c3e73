"""API keys: who may ask the house for what, on behalf of a program.

A key's text is shown once, when it is made; the books keep its SHA-256, which is enough for
a secret of 192 random bits.  A key has a kind (a publishable one opens nothing that needs a
secret), a mode that it never leaves, and scopes.

Promises: a key that was rotated leaves the old text standing for a day, so that two are live
while programs are told, and never three; a revoked key is dead with both texts.  The three
keys of keys.json are keys like any other: what is done to them here stands, whatever the file
still says.  ``KeyRing`` computes only; a gateway makes a new one each second out of
``known_keys``, and so knows of a change within that.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, get_args

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Row,
    Table,
    Text,
    or_,
    select,
    update,
)

from engine.core.messages import Mode
from gateway.archive import metadata
from gateway.books.store import BadField, digest, in_turn, reading, writing
from gateway.keys import HouseKeys, KeyKind, random_name

SCOPES: Final = (
    "auctions:read",
    "auctions:write",
    "console",
    "provenance:read",
    "provenance:write",
    "transfers:write",
    "owners:write",
    "keys:manage",
    "webhooks:manage",
)
_OLD_TEXT_MS: Final = 24 * 3_600_000
_LONGEST_NAME: Final = 100
_PREFIX: Final[Mapping[KeyKind, str]] = {
    "publishable": "pk",
    "secret": "sk",
    "operator": "optr",
}
# Of 28 characters; the publishable key is no secret, and shorter.
_LENGTH: Final[Mapping[KeyKind, int]] = {"publishable": 24, "secret": 40, "operator": 40}

api_keys: Final = Table(
    "api_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("hash", Text, nullable=False, unique=True),
    Column("previous_hash", Text),
    Column("previous_until", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("last_used", BigInteger),
    Column("of_file", Boolean, nullable=False),  # came from keys.json
)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its text; instants in milliseconds since the epoch."""

    key_id: str
    kind: KeyKind
    mode: Mode
    name: str
    scopes: tuple[str, ...]
    hash: str = field(repr=False)
    previous_hash: str | None = field(repr=False)
    previous_until: int | None
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    last_used: int | None

    def may(self, scope: str) -> bool:
        """Does the key open this door?"""
        return scope in self.scopes

    def stands(self, now_ms: int) -> bool:
        """Neither revoked nor past its time."""
        return self.revoked_at is None and (self.expires_at is None or now_ms < self.expires_at)


class KeyRing:
    """All keys that stood a moment ago, to be looked up by what a program says."""

    def __init__(self, known: Iterable[ApiKey]) -> None:
        self._by_hash: dict[str, ApiKey] = {}
        self._by_id: dict[str, ApiKey] = {}
        for key in known:
            self._by_id[key.key_id] = key
            if key.previous_hash is not None:
                self._by_hash[key.previous_hash] = key
            self._by_hash[key.hash] = key

    def find(self, text: str, now_ms: int) -> ApiKey | None:
        """The key of this text, if it holds now."""
        offered = digest(text)
        # The place in the table tells of the digest only, which leads to no text.
        key = self._by_hash.get(offered)
        if key is None or not key.stands(now_ms):
            return None
        if hmac.compare_digest(key.hash, offered):
            return key
        return key if key.previous_until is not None and now_ms < key.previous_until else None

    def named(self, key_id: str, now_ms: int) -> ApiKey | None:
        """The key of this id, if it holds now."""
        key = self._by_id.get(key_id)
        return key if key is not None and key.stands(now_ms) else None


# ── Making ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class KeyWish:
    """What key is wished for; made by ``read_wish``."""

    kind: KeyKind
    name: str
    scopes: tuple[str, ...]
    expires_at: int | None


def read_wish(
    kind: object, name: object, scopes: object, expires_at: int | None, now_ms: int
) -> KeyWish:
    """A wish out of what came in JSON.  Raises ``BadField``.

    A secret key without *scopes* has all of them: it runs the house's sales.  An operator key
    says what it is for, and a publishable one opens nothing that has a scope.
    """
    known: KeyKind | None = next((one for one in get_args(KeyKind) if one == kind), None)
    if known is None:
        raise BadField("kind", f"one of {', '.join(get_args(KeyKind))} was expected")
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise BadField("name", "a name that can be read was expected")
    if len(name) > _LONGEST_NAME:
        raise BadField("name", f"at most {_LONGEST_NAME} characters")
    if expires_at is not None and expires_at <= now_ms:
        raise BadField("expiresAt", "an instant that is still to come was expected")
    return KeyWish(known, name.strip(), _scopes(known, scopes), expires_at)


def _scopes(kind: KeyKind, value: object) -> tuple[str, ...]:
    wished = [] if value is None else value
    if not isinstance(wished, list | tuple) or not all(one in SCOPES for one in wished):
        raise BadField("scopes", f"a list out of {', '.join(SCOPES)} was expected")
    if kind == "publishable" and wished:
        raise BadField("scopes", "a publishable key has none")
    if kind == "operator" and not wished:
        raise BadField("scopes", "an operator key has at least one")
    if kind == "secret" and value is None:
        return SCOPES
    if kind == "secret" and not wished:
        raise BadField("scopes", "a secret key has at least one, or all where none are said")
    return tuple(scope for scope in SCOPES if scope in wished)


def create(engine: Engine, mode: Mode, wish: KeyWish, now_ms: int) -> tuple[ApiKey, str]:
    """A new key and its text, which nobody can read again."""
    text = _new_text(wish.kind, mode)
    key = _key("key_" + random_name(16), wish.kind, mode, wish.name, wish.scopes, text, now_ms)
    key = replace(key, expires_at=wish.expires_at)
    with writing(engine) as connection:
        connection.execute(api_keys.insert(), _row(key, of_file=False))
    return key, text


def rotate(engine: Engine, mode: Mode, key_id: str, now_ms: int) -> tuple[ApiKey, str] | None:
    """Give the key another text; the one until now stands for 24 h more, an older one ends.

    None: there is no such key in this mode, or it stands no longer.
    """
    with writing(engine) as connection:
        in_turn(connection, "key", key_id)
        key = _find(connection, mode, key_id)
        if key is None or not key.stands(now_ms):
            return None
        text = _new_text(key.kind, mode)
        until = now_ms + _OLD_TEXT_MS
        changed = {"hash": digest(text), "previous_hash": key.hash, "previous_until": until}
        connection.execute(update(api_keys).where(api_keys.c.key_id == key_id).values(changed))
    return replace(key, hash=digest(text), previous_hash=key.hash, previous_until=until), text


def revoke(engine: Engine, mode: Mode, key_id: str, now_ms: int) -> bool:
    """End the key with both its texts; False: no such key in this mode, or ended before."""
    mine = api_keys.c.key_id == key_id, api_keys.c.mode == mode, api_keys.c.revoked_at.is_(None)
    with writing(engine) as connection:
        return (
            connection.execute(update(api_keys).where(*mine).values(revoked_at=now_ms)).rowcount
            == 1
        )


def enter_house_keys(engine: Engine, keys: HouseKeys, now_ms: int) -> None:
    """Write down the keys of keys.json where they are not yet; any process may, at each start.

    Keys that an earlier keys.json held, and this one does not, are revoked.
    """
    found = [
        _of_file("publishable", keys.publishable_key, (), now_ms),
        _of_file("secret", keys.secret_key, SCOPES, now_ms),
        _of_file("operator", keys.operator_key, SCOPES, now_ms),
    ]
    ours = [key.key_id for key in found]
    with writing(engine) as connection:
        in_turn(connection, "keys.json")
        there = set(
            connection.scalars(select(api_keys.c.key_id).where(api_keys.c.key_id.in_(ours)))
        )
        rows = [_row(key, of_file=True) for key in found if key.key_id not in there]
        if rows:
            connection.execute(api_keys.insert(), rows)
        gone = api_keys.c.of_file.is_(True), api_keys.c.key_id.not_in(ours)
        connection.execute(
            update(api_keys).where(*gone, api_keys.c.revoked_at.is_(None)).values(revoked_at=now_ms)
        )


def _of_file(kind: KeyKind, text: str, scopes: tuple[str, ...], now_ms: int) -> ApiKey:
    mode: Mode = "live" if text.startswith(f"{_PREFIX[kind]}_live_") else "test"
    # Named after the text: once it was rotated or revoked, it does not come back as another.
    key_id = "key_" + digest(text)[:16]
    return _key(key_id, kind, mode, f"{kind} key of keys.json", scopes, text, now_ms)


def _new_text(kind: KeyKind, mode: Mode) -> str:
    return f"{_PREFIX[kind]}_{mode}_{random_name(_LENGTH[kind])}"


def _key(
    key_id: str,
    kind: KeyKind,
    mode: Mode,
    name: str,
    scopes: tuple[str, ...],
    text: str,
    now_ms: int,
) -> ApiKey:
    return ApiKey(
        key_id=key_id,
        kind=kind,
        mode=mode,
        name=name,
        scopes=scopes,
        hash=digest(text),
        previous_hash=None,
        previous_until=None,
        created_at=now_ms,
        expires_at=None,
        revoked_at=None,
        last_used=None,
    )


# ── Looking ──────────────────────────────────────────────────────────────────────────────


def list_keys(engine: Engine, mode: Mode) -> list[ApiKey]:
    """All keys of a mode, ended ones included, the oldest first."""
    query = select(api_keys).where(api_keys.c.mode == mode)
    with reading(engine) as connection:
        rows = connection.execute(query.order_by(api_keys.c.created_at, api_keys.c.key_id))
        return [_read(row) for row in rows]


def known_keys(engine: Engine, now_ms: int) -> list[ApiKey]:
    """All keys that stand now, of both modes: what a ``KeyRing`` is made of."""
    alive = (
        api_keys.c.revoked_at.is_(None),
        or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now_ms),
    )
    with reading(engine) as connection:
        return [_read(row) for row in connection.execute(select(api_keys).where(*alive))]


def ended(engine: Engine, text: str, now_ms: int) -> Literal["expired", "revoked"] | None:
    """How a key ended that does not hold; None: it never was one, or it holds all the same."""
    offered = digest(text)
    mine = or_(api_keys.c.hash == offered, api_keys.c.previous_hash == offered)
    with reading(engine) as connection:
        row = connection.execute(select(api_keys).where(mine)).first()
    if row is None:
        return None
    key = _read(row)
    if key.revoked_at is not None:
        return "revoked"
    # A text that was replaced ends when its day is over, whatever becomes of the key.
    is_old = key.hash != offered and (key.previous_until or 0) <= now_ms
    return "expired" if is_old or not key.stands(now_ms) else None


def note_used(engine: Engine, used: Mapping[str, int]) -> None:
    """When each key, by its id, was last used.  A gateway says it now and then, for many."""
    with writing(engine) as connection:
        for key_id, at in sorted(used.items()):  # in one order: two gateways do not lock
            later = or_(api_keys.c.last_used.is_(None), api_keys.c.last_used < at)
            mine = update(api_keys).where(api_keys.c.key_id == key_id, later)
            connection.execute(mine.values(last_used=at))


def _find(connection: Connection, mode: Mode, key_id: str) -> ApiKey | None:
    query = select(api_keys).where(api_keys.c.key_id == key_id, api_keys.c.mode == mode)
    row = connection.execute(query).one_or_none()
    return None if row is None else _read(row)


def _row(key: ApiKey, *, of_file: bool) -> dict[str, Any]:
    found = {name: getattr(key, name) for name in ApiKey.__slots__}
    return {**found, "scopes": list(key.scopes), "of_file": of_file}


def _read(row: Row[Any]) -> ApiKey:
    found = {name: getattr(row, name) for name in ApiKey.__slots__}
    return ApiKey(**{**found, "scopes": tuple(row.scopes)})
