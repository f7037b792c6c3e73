"""Whatever is changed in the books of an object is found, and named."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.books.store import reading
from tests.verifier.registry import desk
from tests.verifier.registry.conftest import NOW
from verifier.core.canonical import canonical, read
from verifier.registry import checking, rotation
from verifier.registry.objects import Object
from verifier.store import Store
from verifier.tables import checkpoints, entries, events, nodes, objects, photos


@pytest.fixture
def found(store: Store) -> Object:
    """An object with a history."""
    rich = desk.ready(store, NOW)
    desk.sale_of(store, rich, "listed", NOW, lot_number="12A")
    return desk.again(store, rich)


def change(store: Store, statement: Any) -> None:
    with store.engine.begin() as connection:
        assert connection.execute(statement).rowcount == 1


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def test_what_nobody_has_touched_is_intact(store: Store, found: Object) -> None:
    """Bound, signed, chained, logged."""
    checked = desk.check(store, found)
    assert (checked.intact, checked.photo_binding) == (True, "bound")


def test_every_byte_of_a_logged_event_counts(store: Store, found: Object) -> None:
    """Each of them, changed by one bit, breaks the record."""
    with reading(store.engine) as connection:
        event = connection.execute(sa.select(events).where(events.c.type == "listed")).one()
        mine = entries.c.leaf_index == event.leaf_index
        data = connection.execute(sa.select(entries.c.data).where(mine)).scalar_one()
    for place in range(len(data)):
        change(store, entries.update().where(mine).values(data=flipped(data, place)))
        checked = desk.check(store, found)
        assert not checked.intact, (
            f"byte {place} may be {flipped(data, place)[place : place + 1]!r}"
        )
        assert "event" in str(checked.fault)
    change(store, entries.update().where(mine).values(data=data))
    assert desk.check(store, found).intact


def test_a_document_that_is_put_in_anew_is_found(store: Store, found: Object) -> None:
    """Hash, head and bytes made to fit, but for the signature and the tree."""
    with reading(store.engine) as connection:
        event = connection.execute(sa.select(events).where(events.c.type == "listed")).one()
        mine = entries.c.leaf_index == event.leaf_index
        data = connection.execute(sa.select(entries.c.data).where(mine)).scalar_one()
    document: Any = read(data)
    document["credentialSubject"]["details"]["lotNumber"] = "13"
    name = hashlib.sha256(canonical(document)).hexdigest()
    change(store, entries.update().where(mine).values(data=canonical(document)))
    change(store, events.update().where(events.c.event_id == event.event_id).values(hash=name))
    change(store, objects.update().values(head=name))
    checked = desk.check(store, found)
    assert (checked.signature_valid, checked.included) == (False, False)


FORGED = [
    ({"title": "A better chronograph"}, "title"),
    ({"category": "bottle"}, "category"),
    ({"security_tier": "maximum"}, "securityTier"),
    ({"link": "https://evil.example/01/09521234543213/21/X"}, "link"),
    ({"status": "sold"}, "sold"),
    ({"mode": "live"}, "mode"),
    ({"events": 5}, "events"),
    ({"head": "00" * 32}, "events"),
]


@pytest.mark.parametrize(("values", "named"), FORGED)
def test_a_row_that_says_otherwise_is_found(
    store: Store, found: Object, values: dict[str, Any], named: str
) -> None:
    """What the object's row says must be what its events say."""
    change(store, objects.update().values(values))
    with reading(store.engine) as connection:
        tree = checking.tree_of(connection, store)
        row = connection.execute(sa.select(objects)).one()
        checked = checking.check(connection, store, row, tree)
    assert named in str(checked.fault)


@pytest.mark.parametrize(
    "column", ["sha256", "pixel_sha256", "pdq", "template_digest", "served", "anchors_found"]
)
def test_a_photograph_that_is_exchanged_is_found(store: Store, found: Object, column: str) -> None:
    """In what is told of it, and in what is shown of it."""
    with reading(store.engine) as connection:
        photo = connection.execute(sa.select(photos).limit(1)).one()
    old = getattr(photo, column)
    new = flipped(old, 0) if isinstance(old, bytes) else 7 if isinstance(old, int) else "00" * 32
    mine = photos.c.photo_id == photo.photo_id
    change(store, photos.update().where(mine).values({column: new}))
    checked = desk.check(store, found)
    assert checked.photo_binding == "broken"
    assert photo.angle in str(checked.fault)


@pytest.mark.parametrize("column", ["template", "template_salt"])
def test_features_that_were_touched_are_found(store: Store, found: Object, column: str) -> None:
    """They lie sealed: any byte of them."""
    with reading(store.engine) as connection:
        photo = connection.execute(sa.select(photos).limit(1)).one()
    mine = photos.c.photo_id == photo.photo_id
    sealed = getattr(photo, column)
    for place in range(len(sealed)):
        change(store, photos.update().where(mine).values({column: flipped(sealed, place)}))
        assert desk.check(store, found).photo_binding == "broken"


def test_an_original_that_was_touched_is_found(store: Store, found: Object) -> None:
    """Any byte of the file; and that it is gone."""
    path = next(iter(sorted(store.photos.iterdir())))
    content = path.read_bytes()
    for place in range(len(content)):
        path.write_bytes(flipped(content, place))
        assert desk.check(store, found).photo_binding == "broken"
    path.write_bytes(content)
    assert desk.check(store, found).intact
    path.unlink()
    assert "gone" in str(desk.check(store, found).fault)


def test_a_tree_that_is_not_the_signed_one_is_found(store: Store, found: Object) -> None:
    """A changed node, a changed checkpoint, one of another size."""
    with reading(store.engine) as connection:
        node = connection.execute(sa.select(nodes).order_by(nodes.c.level.desc()).limit(1)).one()
        newest = connection.execute(
            sa.select(checkpoints).order_by(checkpoints.c.size.desc()).limit(1)
        ).one()
    mine = (nodes.c.level == node.level) & (nodes.c.place == node.place)
    change(store, nodes.update().where(mine).values(hash=flipped(node.hash, 5)))
    with pytest.raises(checking.Disagrees, match="not the one that was signed"):
        desk.check(store, found)
    change(store, nodes.update().where(mine).values(hash=node.hash))
    size = checkpoints.c.size == newest.size
    for changed in (
        newest.note.replace(f"\n{newest.size}\n", f"\n{newest.size - 1}\n"),
        newest.note.replace("id.example/log", "evil.example/log"),
        newest.note[:-10] + "AAAAAAAA=\n",
    ):
        change(store, checkpoints.update().where(size).values(note=changed))
        with pytest.raises(checking.Disagrees):
            desk.check(store, found)


def test_what_was_signed_before_a_key_was_replaced_stays_good(store: Store, found: Object) -> None:
    """And what follows is signed by the new one; each purpose's key may be replaced."""
    for purpose in ("issuer", "log", "log-mldsa", "link", "issuer"):
        rotation.rotate(store, purpose, NOW)
        assert desk.check(store, found).intact
    desk.sale_of(store, found, "passed", NOW)
    assert desk.check(store, found).intact


def test_what_was_signed_after_a_key_was_lost_is_revoked(store: Store, found: Object) -> None:
    """Everything that was logged before the size that is named stays good."""
    with reading(store.engine) as connection:
        event = connection.execute(sa.select(events).order_by(events.c.seq.desc()).limit(1)).one()
    rotation.declare_compromised(store, event.kid, event.leaf_index, NOW)
    checked = desk.check(store, found)
    assert checked.revoked
    assert f"event {event.seq}" in str(checked.fault)


def test_a_compromise_from_now_on_revokes_nothing(store: Store, found: Object) -> None:
    """What the log holds already was signed before; the key that follows goes on."""
    with reading(store.engine) as connection:
        kid = connection.execute(sa.select(events.c.kid).limit(1)).scalar_one()
    assert rotation.declare_compromised(store, kid, None, NOW) is not None
    desk.sale_of(store, found, "passed", NOW)
    checked = desk.check(store, found)
    assert (checked.intact, checked.revoked) == (True, False)
