"""Persons, and that they can be forgotten."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from gateway.books.store import BadField, reading
from tests.verifier.registry import desk
from tests.verifier.registry.conftest import NOW
from tests.verifier.registry.desk import CONSIGNOR, MODE
from verifier import tables
from verifier.registry import chain, objects, owners, provenance, transfers, verification
from verifier.registry.owners import Person
from verifier.store import Store
from verifier.tables import metadata

ADA = Person("Ada Lindqvist", "ada@example.test", "crm-7")


def test_the_same_person_has_the_same_id(either: Store) -> None:
    """By external id or by address, whatever its case; and what is said newly is added."""
    first = owners.enter(either, MODE, Person("Ada", external_id="crm-7"), NOW)
    assert owners.enter(either, MODE, ADA, NOW) == first
    assert owners.enter(either, MODE, Person(email="ADA@example.test"), NOW) == first
    with reading(either.engine) as connection:
        assert owners.known_as(connection, either, first) == Person(
            "Ada Lindqvist", "ADA@example.test", "crm-7"
        )


def test_two_persons_stay_two(either: Store) -> None:
    """Of another mode, or where id and address lead to different ones: refused."""
    ada = owners.enter(either, MODE, ADA, NOW)
    bram = owners.enter(either, MODE, Person("Bram", "bram@example.test", "crm-8"), NOW)
    assert ada != bram
    assert owners.enter(either, "live", ADA, NOW) != ada
    for both in (
        Person(None, "bram@example.test", "crm-7"),
        Person(None, "ada@example.test", "crm-9"),
        Person(),
    ):
        with pytest.raises(BadField):
            owners.enter(either, MODE, both, NOW)


def everything(store: Store) -> str:
    """All that the database holds, as text."""
    found = []
    with reading(store.engine) as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(sa.select(table)):
                found += [v.hex() + repr(v) if isinstance(v, bytes) else str(v) for v in row]
    return "\n".join(found)


def test_no_person_lies_in_the_clear(either: Store) -> None:
    """Neither name nor address nor external id, in any column of any table."""
    found = desk.ready(either, NOW)
    desk.begun(either, found, owners.enter(either, MODE, ADA, NOW), NOW)
    held = everything(either)
    for secret in (*(ADA.name, ADA.email, ADA.external_id), CONSIGNOR.name, CONSIGNOR.email):
        assert secret is not None
        assert secret not in held
        assert secret.encode().hex() not in held


def test_an_erased_person_is_nobody_and_the_chain_still_holds(either: Store) -> None:
    """Nothing opens what was sealed of them, no index finds them, and every object they had to
    do with checks as before, with one more event that names nobody."""
    found = desk.ready(either, NOW)
    ada = owners.enter(either, MODE, ADA, NOW)
    begun = desk.begun(either, found, ada, NOW)
    with pytest.raises(owners.StillNeeded):
        owners.erase(either, MODE, ada, NOW)
    transfers.confirm(either, MODE, begun.row.transfer_id, begun.code, NOW)
    row = desk.again(either, found).row
    with reading(either.engine) as connection:
        event, _ = chain.documents(connection, row.object_id)[-1]
        said = chain.opened_person(connection, either, event)
    assert said["buyer"]["value"] == {"name": ADA.name, "email": ADA.email}
    owners.erase(either, MODE, ada, NOW)
    after = provenance.read(either, row, private=True)
    assert [entry.subject["eventType"] for entry in after.entries[-2:]] == ["transferred", "erased"]
    assert after.entries[-1].subject["details"] == {}
    with reading(either.engine) as connection:
        event, _ = chain.documents(connection, row.object_id)[-2]
        assert event.personal is None
        assert chain.opened_person(connection, either, event) == {}
    assert desk.check(either, found).intact
    with reading(either.engine) as connection:
        assert owners.known_as(connection, either, ada) is None
    assert owners.enter(either, MODE, ADA, NOW) != ada
    with pytest.raises(owners.NoSuchOwner):
        owners.erase(either, MODE, ada, NOW)


def test_a_commitment_tells_nothing_of_what_it_is_to(store: Store) -> None:
    """The same buyer of two objects: nothing in the documents is alike."""
    ada = owners.enter(store, MODE, ADA, NOW)
    seen: list[Any] = []
    for _ in range(2):
        found = desk.ready(store, NOW)
        begun = desk.begun(store, found, ada, NOW)
        transfers.confirm(store, MODE, begun.row.transfer_id, begun.code, NOW)
        row = desk.again(store, found).row
        seen.append(provenance.read(store, row, private=False).entries[-1].subject["commitments"])
    assert set(seen[0]) == {"buyer", "terms"}
    for name in seen[0]:
        assert seen[0][name] != seen[1][name]


def test_nothing_that_was_erased_stays_in_the_database_file(store: Store) -> None:
    """Nor in the log of changes beside it: neither the sealed person, nor the sealed key."""
    ada = owners.enter(store, MODE, ADA, NOW)
    with reading(store.engine) as connection:
        person = connection.execute(sa.select(tables.owners.c.sealed)).scalar_one()
        mine = tables.data_keys.c.subject == ada
        key = connection.execute(sa.select(tables.data_keys.c.sealed).where(mine)).scalar_one()
    files = list(store.photos.parent.glob("verifier.db*"))
    assert any(person in file.read_bytes() for file in files)
    owners.erase(store, MODE, ada, NOW)
    for file in store.photos.parent.glob("verifier.db*"):
        held = file.read_bytes()
        assert person not in held
        assert key not in held


def test_the_house_is_nobody_elses_name(store: Store) -> None:
    """What nobody else has consigned is the house's; no external id leads to it."""
    found = desk.bound(store, NOW)
    own = objects.register(store, MODE, objects.Registration("A vase", "other"), NOW)
    other = owners.enter(store, MODE, Person("House", external_id="house"), NOW)
    assert other != own.row.holder_id
    for serial, name in (
        (own.row.serial, store.house),
        (found.row.serial, "Verified Private Collector"),
    ):
        body = verification.verify(store, serial, NOW).body
        assert body["provenance"]["current_owner"] == name


def test_erasing_tells_no_hour(store: Store) -> None:
    """Two objects of one person are not known by the second in which they were erased from."""
    ada = owners.enter(store, MODE, ADA, NOW)
    found = desk.ready(store, NOW)
    begun = desk.begun(store, found, ada, NOW)
    transfers.confirm(store, MODE, begun.row.transfer_id, begun.code, NOW)
    owners.erase(store, MODE, ada, NOW + 12_345)
    row = desk.again(store, found).row
    erased = provenance.read(store, row, private=False).entries[-1].document
    assert erased["validFrom"] == erased["proof"]["created"] == "2026-02-18T00:00:00Z"
