"""The house's desk for the tests: objects in the state in which a test wants them."""

from __future__ import annotations

import hashlib
from typing import Any

from gateway.books.store import reading
from verifier.core.objects import REQUIRED_ANGLES, Category
from verifier.photographs.jobs import Enrolled, Renewed
from verifier.registry import checking, log, objects, owners, photos, provenance, sales, transfers
from verifier.registry.checking import Checked
from verifier.registry.objects import Object, Registration
from verifier.registry.provenance import Statement
from verifier.store import Store
from verifier.tables import events

MODE = "test"
CONSIGNOR = owners.Person("Konstantin Signor", "konstantin@example.test", "crm-1")


def register(store: Store, now_ms: int, category: Category = "watch", **more: Any) -> Object:
    """A registered object."""
    said = Registration("A chronograph", category, owner=CONSIGNOR, **more)
    return objects.register(store, MODE, said, now_ms)


def post(store: Store, found: Object, event_type: str, now_ms: int, **evidence: Any) -> Object:
    """An event that the house reports, and the object after it."""
    said = Statement(event_type, "auction_house", "as seen", evidence, None)
    provenance.post(store, MODE, found.row.object_id, said, now_ms)
    return again(store, found)


def again(store: Store, found: Object) -> Object:
    """The object as it is now."""
    return objects.load(store, MODE, found.row.object_id)


def photograph(
    store: Store, found: Object, angle: str, now_ms: int, picture: bytes = b""
) -> Object:
    """A photograph of this angle, as a worker would have read it."""
    picture = picture or f"{found.row.serial} {angle}".encode()
    digest = hashlib.sha256(picture).hexdigest()
    enrolled = Enrolled(
        sha256=digest,
        width=1200,
        height=800,
        pixel_sha256=hashlib.sha256(b"pixels" + picture).hexdigest(),
        pdq=digest,
        served=b"jpeg of " + picture,
        binding=Renewed(b"features of " + picture, 11, True, []),
    )
    with reading(store.engine) as connection:
        row = objects.find(connection, MODE, found.row.object_id)
    return photos.keep(store, row, angle, picture, enrolled, now_ms).object


def bound(store: Store, now_ms: int, category: Category = "watch", **more: Any) -> Object:
    """An object whose photographs bind it."""
    found = register(store, now_ms, category, **more)
    for angle in REQUIRED_ANGLES[category]:
        found = photograph(store, found, angle, now_ms)
    return found


def ready(store: Store, now_ms: int, **more: Any) -> Object:
    """An object that may be listed."""
    return post(store, bound(store, now_ms, **more), "cataloged", now_ms, catalogNumber="214")


def sale_of(store: Store, found: Object, kind: sales.Kind, now_ms: int, **more: Any) -> sales.Taken:
    """News of an auction of the object."""
    fields: dict[str, Any] = {
        "origin": f"{kind} {found.row.serial} {more}",
        "serial": found.row.serial,
        "auction_id": "auction_abc_1",
        **more,
    }
    told = sales.News(kind=kind, mode=MODE, at=now_ms, **fields)
    return sales.take(store, told, now_ms)


def check(store: Store, found: Object) -> Checked:
    """The object against the newest signed tree."""
    with reading(store.engine) as connection:
        tree = checking.tree_of(connection, store)
        row = objects.find(connection, MODE, found.row.object_id)
        return checking.check(connection, store, row, tree)


def types(store: Store, found: Object) -> list[str]:
    """The types of its events, oldest first."""
    query = events.select().where(events.c.object_id == found.row.object_id)
    with reading(store.engine) as connection:
        return [row.type for row in connection.execute(query.order_by(events.c.seq))]


def size(store: Store) -> int:
    """How many entries the log has."""
    with reading(store.engine) as connection:
        return log.size(connection)


def owner(store: Store, name: str, now_ms: int) -> str:
    """A person's id."""
    person = owners.Person(name, f"{name.lower()}@example.test", f"crm-{name}")
    return owners.enter(store, MODE, person, now_ms)


def begun(store: Store, found: Object, to_id: str, now_ms: int) -> transfers.Begun:
    """A transfer of the house's own, and its code."""
    terms = transfers.Terms(found.row.object_id, found.row.holder_id, to_id, 4_400_000, "EUR", 2)
    return transfers.initiate(store, MODE, terms, now_ms)
