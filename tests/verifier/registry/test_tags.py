"""Tags: each tap counts once, and no tag speaks for another object."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from gateway.books.store import BadField, reading
from tests.verifier.registry import desk
from tests.verifier.registry.conftest import NOW
from tests.verifier.registry.desk import MODE
from tests.verifier.software_tag import SoftwareTag
from verifier.registry import tags, verification
from verifier.registry.objects import Object
from verifier.registry.tags import Binding, Heard, Tap
from verifier.store import Store
from verifier.tables import tags as table

BASE = "https://id.example/verify/X"
HOME, AWAY = "203.0.113.7", "203.0.113.8"


def binding(chip: SoftwareTag) -> Binding:
    meta = chip.meta_key.hex() if "e=" in chip.url_template else None
    return Binding(chip.uid, chip.file_key.hex(), meta, chip.url_template)


@pytest.fixture
def chip() -> SoftwareTag:
    return SoftwareTag(BASE, layout="?e=&m=&c=")


@pytest.fixture
def tagged(store: Store, chip: SoftwareTag) -> Object:
    found = desk.bound(store, NOW)
    tags.bind(store, MODE, found.row.object_id, binding(chip), NOW)
    return desk.again(store, found)


def take(store: Store, found: Object, tap: Tap, now_ms: int = NOW) -> Heard:
    with reading(store.engine) as connection:
        tag = tags.of_object(connection, found.row.object_id)
    assert tag is not None
    return tags.take(store, tag.tag_id, tap, now_ms)


def test_a_tap_counts_once(store: Store, tagged: Object, chip: SoftwareTag) -> None:
    """Again within a minute from the same address it is the same look; from another, or later,
    it is a recording. The counter never goes back."""
    first, second = chip.parameters(), chip.parameters()
    assert take(store, tagged, Tap(second, HOME)).status == "verified"
    assert take(store, tagged, Tap(second, HOME), NOW + 59_999).status == "verified"
    assert take(store, tagged, Tap(second, AWAY), NOW).status == "replayed"
    assert take(store, tagged, Tap(second, HOME), NOW + 60_000).status == "replayed"
    assert take(store, tagged, Tap(first, HOME)).status == "replayed"
    assert take(store, tagged, Tap(chip.parameters(), HOME)).status == "verified"


def test_an_opened_seal_stays_open(store: Store, tagged: Object, chip: SoftwareTag) -> None:
    """Reported once, it is open for ever, whatever the loop says later."""
    chip.loop = "OO"
    assert take(store, tagged, Tap(chip.parameters(), HOME)).status == "tampered"
    chip.loop = "CC"
    assert take(store, tagged, Tap(chip.parameters(), HOME)).status == "tampered"


def test_of_one_message_sent_from_many_places_one_is_the_tap(
    store: Store, tagged: Object, chip: SoftwareTag
) -> None:
    """At the same time: one is verified, all others were seen before."""
    query = chip.parameters()
    with ThreadPoolExecutor(8) as pool:
        heard = list(pool.map(lambda n: take(store, tagged, Tap(query, f"10.0.0.{n}")), range(24)))
    assert [one.status for one in heard].count("verified") == 1
    assert [one.status for one in heard].count("replayed") == 23


def test_another_objects_tag_does_not_speak_for_this_one(
    store: Store, tagged: Object, chip: SoftwareTag
) -> None:
    """Not by its message, and not by its row put in this one's place."""
    other = SoftwareTag(BASE, layout="?e=&m=&c=", uid="04AABBCCDDEEFF")
    elsewhere = desk.bound(store, NOW)
    tags.bind(store, MODE, elsewhere.row.object_id, binding(other), NOW)
    assert take(store, tagged, Tap(other.parameters(), HOME)).status == "invalid"
    with store.engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        for found, name in ((tagged, "x"), (elsewhere, tagged.row.object_id)):
            mine = table.c.object_id == found.row.object_id
            connection.execute(sa.update(table).where(mine).values(object_id=name))
        swapped = table.c.object_id == "x"
        there = {"object_id": elsewhere.row.object_id}
        connection.execute(sa.update(table).where(swapped).values(there))
    answer = verification.verify(store, tagged.row.serial, NOW, Tap(other.parameters(), HOME))
    assert (answer.verdict.status, answer.verdict.confidence) == ("invalid", 0.0)
    assert "tag" in str(answer.checked.fault)


def test_a_tag_is_bound_once(store: Store, tagged: Object, chip: SoftwareTag) -> None:
    """Neither the object to a second, nor the tag to another object of its mode."""
    other = SoftwareTag(BASE, layout="?e=&m=&c=", uid="04AABBCCDDEEFF")
    with pytest.raises(tags.TagBound):
        tags.bind(store, MODE, tagged.row.object_id, binding(other), NOW)
    elsewhere = desk.register(store, NOW)
    before = desk.size(store)
    with pytest.raises(tags.TagBound):
        tags.bind(store, MODE, elsewhere.row.object_id, binding(chip), NOW)
    assert desk.size(store) == before


def test_what_is_no_tag_is_refused_by_its_field(store: Store, chip: SoftwareTag) -> None:
    """Uid, keys, template: each named; and in earnest no key that every chip is sold with."""
    found = desk.register(store, NOW)
    good = binding(chip)
    for changed, field in (
        ({"uid": "04"}, "uid"),
        ({"file_key": "00"}, "file_key"),
        ({"meta_key": None}, "meta_key"),
        ({"url_template": "https://x/?q=1"}, "url_template"),
    ):
        wrong = Binding(**{**{n: getattr(good, n) for n in good.__slots__}, **changed})
        with pytest.raises(BadField) as refused:
            tags.bind(store, MODE, found.row.object_id, wrong, NOW)
        assert refused.value.field == field
    factory = Binding(good.uid, "00" * 16, good.meta_key, good.url_template)
    with pytest.raises(BadField, match="factory"):
        tags.bind(store, "live", found.row.object_id, factory, NOW)
