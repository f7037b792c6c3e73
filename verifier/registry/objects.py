"""Objects: registered once, found by serial for ever.

A registration draws a serial, or imports a foreign one, and makes the link that the object's
label carries.  What a house says beside title and category is private: it lies sealed under
the object's data key, and the chain holds a commitment to each field of it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, or_, select, update

from gateway.books.store import BadField, reading, writing
from verifier.core import links, serials
from verifier.core.objects import REQUIRED_ANGLES, Category, Tier
from verifier.core.transfers import OPEN
from verifier.registry import chain, log, owners
from verifier.registry.chain import Happened, NoSuchObject
from verifier.store import Store, data_vault, make_data_key, new_id, open_json, seal_json
from verifier.tables import aliases, custody, photos, transfers
from verifier.tables import objects as table

Json = dict[str, Any]
_DRAW_BYTES: Final = 8
CLAIMED_FOR_MS: Final = 120_000  # a lot is in the log within seconds
_FREE: Final = ("cataloged", "listed")  # the house may have listed it by hand
_PHOTO_COLUMNS: Final = (photos.c.object_id, photos.c.angle, photos.c.anchors_found)


class DuplicateSerial(Exception):
    """There is an object of this serial already."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What is said of a new object."""

    title: str
    category: Category
    security_tier: Tier = "enhanced"
    description: str | None = None
    estimate: Json | None = None  # {"min", "max", "currency"} as it was said
    owner: owners.Person | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)  # Object ID fields
    serial: str | None = None  # a foreign one


@dataclass(frozen=True, slots=True)
class Object:
    """An object as the house knows it."""

    row: Row[Any]
    private: Json  # description, estimate, attributes
    angles: Mapping[str, int | None]  # of the photographs that stand: anchors found
    transfer: Row[Any] | None = None  # the open one, if it has one

    @property
    def required(self) -> tuple[str, ...]:
        """The angles that bind it."""
        return REQUIRED_ANGLES[self.row.category]

    @property
    def missing(self) -> list[str]:
        """Those of them of which there is no photograph yet."""
        return [angle for angle in self.required if angle not in self.angles]


def register(store: Store, mode: str, said: Registration, now_ms: int) -> Object:
    """Enter an object.  Raises ``DuplicateSerial`` and ``BadField``."""
    with writing(store.engine) as connection:
        log.in_turn(connection)
        return registered(connection, store, mode, said, now_ms)


def registered(
    connection: Connection, store: Store, mode: str, said: Registration, now_ms: int
) -> Object:
    """The same, within the caller's transaction, which has waited ``log.in_turn``."""
    serial, link_serial, names = _serials(connection, said.serial, now_ms)
    consignor = said.owner
    if consignor is None:
        consignor = owners.Person(name=store.house)
        owner_id = owners.the_house(connection, store, mode, now_ms)
    else:
        owner_id = owners.entered(connection, store, mode, consignor, now_ms)
    # From here on it is registered.
    object_id = new_id("obj_")
    vault = make_data_key(connection, store.vault, object_id)
    private = _private(said)
    link = links.build_link(store.public_url, links.gtin_of(store.gs1_prefix), link_serial)
    row = {
        "object_id": object_id,
        "mode": mode,
        "serial": serial,
        "link_serial": link_serial,
        "link": link,
        "title": said.title,
        "category": said.category,
        "security_tier": said.security_tier,
        "status": "consigned",
        "binding": "incomplete",
        "sealed": seal_json(vault, "object", object_id, private),
        "consignor_id": owner_id,
        "holder_id": owner_id,
        "events": 0,
        "registered_at": now_ms,
        "updated_at": now_ms,
    }
    connection.execute(insert(table), row)
    known_by = [{"alias": name, "object_id": object_id} for name in names]
    connection.execute(insert(aliases), known_by)
    happened = Happened(
        "registered",
        details={
            "title": said.title,
            "category": said.category,
            "securityTier": said.security_tier,
            "link": link,
        },
        private={"consignorId": owner_id, **{k: value for k, value in private.items() if value}},
        personal={"consignor": {"name": consignor.name, "email": consignor.email}},
        of_owner=owner_id,
    )
    made = chain.append(connection, store, object_id, happened, now_ms)
    first = ("Consignor", "House", "registration", owner_id, owner_id)
    hand_over(connection, object_id, made.seq, first)
    log.sign_checkpoint(connection, store, now_ms)
    return loaded(connection, store, chain.find(connection, mode, object_id))


def hand_over(
    connection: Connection,
    object_id: str,
    seq: int,
    step: tuple[str, str, str, str | None, str],
) -> None:
    """One more row of the chain of custody: (from role, to role, type, from id, to id)."""
    mine = custody.c.object_id == object_id
    count = connection.scalar(select(func.count()).where(mine)) or 0
    names = ("from_role", "to_role", "transfer_type", "from_id", "to_id")
    row = {
        "object_id": object_id,
        "number": count,
        "seq": seq,
        **dict(zip(names, step, strict=True)),
    }
    connection.execute(insert(custody), row)


def _serials(connection: Connection, wished: str | None, now_ms: int) -> tuple[str, str, list[str]]:
    """The serial, the one in the link, and all that it is looked up by."""
    if wished is None:
        serial = _fresh(connection, now_ms)
        return serial, serial, [serial]
    alias = serials.normalised(wished) or serials.looked_up_as(wished)
    if not 1 <= len(alias) <= serials.MOST_CHARACTERS or not wished.isprintable():
        raise BadField("serial", f"a serial of at most {serials.MOST_CHARACTERS} characters")
    if connection.scalar(select(aliases.c.alias).where(aliases.c.alias == alias)) is not None:
        raise DuplicateSerial(wished)
    if serials.needs_alias(wished):
        link_serial = _fresh(connection, now_ms)
        return wished, link_serial, [alias, link_serial]
    return wished, wished, [alias]


def _fresh(connection: Connection, now_ms: int) -> str:
    day = datetime.fromtimestamp(now_ms / 1000, UTC).date()
    while True:
        serial = serials.new_serial(day, lambda: secrets.token_bytes(_DRAW_BYTES))
        if connection.scalar(select(aliases.c.alias).where(aliases.c.alias == serial)) is None:
            return serial


def _private(said: Registration) -> Json:
    return {
        "description": said.description,
        "estimate": said.estimate,
        "attributes": dict(said.attributes),
    }


def selling(row: Row[Any], now_ms: int) -> str | None:
    """The auction of ours that may sell the object: it is open, or is being put up."""
    if row.open_auction is not None:
        return str(row.open_auction)
    is_claimed = row.claimed_until is not None and now_ms < row.claimed_until
    return str(row.claimed_by) if is_claimed else None


def claim(store: Store, mode: str, serial: str, auction_id: str, now_ms: int) -> Row[Any]:
    """Keep the object for an auction whose lot is about to be put up, where it is free.

    The claim holds until the news that it was listed, or for two minutes: a lot that came to
    nothing keeps nobody.  The object as it stands then: what ``selling`` says of it is this
    auction, or why not is to be seen.  Raises ``NoSuchObject``.
    """
    with writing(store.engine) as connection:
        log.in_turn(connection)
        row = find(connection, mode, serial)
        is_free = selling(row, now_ms) in (None, auction_id) and row.open_auction is None
        if is_free and row.binding == "bound" and row.status in _FREE:
            kept = {"claimed_by": auction_id, "claimed_until": now_ms + CLAIMED_FOR_MS}
            mine = table.c.object_id == row.object_id
            connection.execute(update(table).where(mine).values(kept))
        return find(connection, mode, serial)


# ── Finding ──────────────────────────────────────────────────────────────────────────────


def by_serial(connection: Connection, text: str) -> Row[Any] | None:
    """The object that a serial means, however it was typed."""
    for alias in (serials.normalised(text), serials.looked_up_as(text)):
        if alias:
            query = select(table).join(aliases).where(aliases.c.alias == alias)
            row = connection.execute(query).one_or_none()
            if row is not None:
                return row
    return None


def find(connection: Connection, mode: str, serial_or_id: str) -> Row[Any]:
    """The object of this mode, by its id or its serial.  Raises ``NoSuchObject``."""
    if serial_or_id.startswith("obj_"):
        return chain.find(connection, mode, serial_or_id)
    row = by_serial(connection, serial_or_id)
    if row is None or row.mode != mode:
        raise NoSuchObject(serial_or_id)
    return row


def load(store: Store, mode: str, serial_or_id: str) -> Object:
    """An object as the house knows it.  Raises ``NoSuchObject``."""
    with reading(store.engine) as connection:
        return loaded(connection, store, find(connection, mode, serial_or_id))


def loaded(connection: Connection, store: Store, row: Row[Any]) -> Object:
    """The same, of a row."""
    vault = data_vault(connection, store.vault, row.object_id)
    private = {} if vault is None else open_json(vault, "object", row.object_id, row.sealed)
    angles = _angles(connection, [row.object_id]).get(row.object_id, {})
    mine = transfers.c.object_id == row.object_id, transfers.c.state.in_(OPEN)
    transfer = connection.execute(select(transfers).where(*mine)).one_or_none()
    return Object(row, private, angles, transfer)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which objects are looked for."""

    status: str | None = None
    category: str | None = None
    q: str | None = None  # in title or serial
    limit: int = 20
    after: tuple[int, str] | None = None  # when the last one was registered, and its id


def listing(store: Store, mode: str, wanted: Wanted) -> tuple[list[Object], int, bool]:
    """The newest objects first; how many there are in all, and whether more follow these.

    The private part of each is left out.
    """
    of_these = [table.c.mode == mode]
    if wanted.status is not None:
        of_these.append(table.c.status == wanted.status)
    if wanted.category is not None:
        of_these.append(table.c.category == wanted.category)
    if wanted.q:
        pattern = "%" + wanted.q.lower().translate(_LIKE) + "%"
        named = func.lower(table.c.title).like(pattern, escape="\\")
        serial = func.lower(table.c.serial).like(pattern, escape="\\")
        of_these.append(or_(named, serial))
    query = select(table).where(*of_these)
    if wanted.after is not None:
        at, object_id = wanted.after
        same = (table.c.registered_at == at) & (table.c.object_id < object_id)
        query = query.where(or_(table.c.registered_at < at, same))
    newest = query.order_by(table.c.registered_at.desc(), table.c.object_id.desc())
    with reading(store.engine) as connection:
        total = connection.scalar(select(func.count()).select_from(table).where(*of_these)) or 0
        rows = connection.execute(newest.limit(wanted.limit + 1)).all()
        shown = rows[: wanted.limit]
        angles = _angles(connection, [row.object_id for row in shown])
    found = [Object(row, {}, angles.get(row.object_id, {})) for row in shown]
    return found, total, len(rows) > wanted.limit


_LIKE: Final = str.maketrans({"%": "\\%", "_": "\\_", "\\": "\\\\"})


def _angles(connection: Connection, object_ids: Sequence[str]) -> dict[str, dict[str, int | None]]:
    found: dict[str, dict[str, int | None]] = {}
    standing = photos.c.object_id.in_(object_ids), photos.c.superseded_at.is_(None)
    for row in connection.execute(select(*_PHOTO_COLUMNS).where(*standing)):
        found.setdefault(row.object_id, {})[row.angle] = row.anchors_found
    return found
