"""Persons: one for each address, whatever is asked at once, and no more known than was said."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, select, update

from gateway.books import people
from gateway.books.people import NOTICES, Person, Profile, read_email, read_profile
from gateway.books.store import BadField, BooksError, Vault, reading, writing
from tests.gateway.books.conftest import NOW, at_once


def profile(email: str, **more: Any) -> Profile:
    return read_profile(email=email, **more)


def known(books: Engine, vault: Vault, email: str, now_ms: int = NOW) -> Person:
    """A person of the test world with this address."""
    return people.create_or_get_by_email(books, vault, "test", profile(email), now_ms)[0]


# ── What they say of themselves ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "good",
    [
        "ada@example.test",
        "a@b",
        "ada+lots@example.test",
        "o'keane@example.test",
        "jörg@bücher.example",
        "a" * 242 + "@example.com",
    ],
)
def test_an_address_is_kept_as_it_was_written(good: str) -> None:
    """Whatever mail may reach."""
    assert read_email(good) == good


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "@",
        "ada",
        "ada@",
        "@example.test",
        "ada@b@example.test",
        "ada lindqvist@example.test",
        "ada@example.test ",
        "ada@exam\nple.test",
        "ada@example.test\r\nBcc: all@example.test",
        "ada\u00a0@example.test",
        "ada\u200b@example.test",
        "ada\ud800@example.test",
        "bo,ada@example.test",
        "<ada@example.test>",
        '"ada"@example.test',
        "a" * 243 + "@example.com",
        None,
        7,
        ["ada@example.test"],
    ],
)
def test_what_is_no_address_is_refused_by_name(bad: object) -> None:
    """Nothing that could end in another header, or reach two people."""
    with pytest.raises(BadField) as complaint:
        read_email(bad)
    assert complaint.value.field == "email"
    assert str(complaint.value)


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("first_name", 7),
        ("first_name", "A" * 101),
        ("last_name", "Lind\nqvist"),
        ("last_name", "\ud800"),
        ("phone_number", "call me"),
        ("phone_number", "12"),
        ("phone_number", 49301234567),
        ("external_wallets", "0x52"),
        ("external_wallets", [7]),
        ("external_wallets", ["0x"] * 21),
        ("external_wallets", ["0x" + "5" * 5_000]),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(field: str, bad: object) -> None:
    """The field is told, so that a form can mark it."""
    with pytest.raises(BadField) as complaint:
        read_profile(email="ada@example.test", **{field: bad})
    assert complaint.value.field == field


# ── Finding and making ───────────────────────────────────────────────────────────────────


def test_everything_said_comes_back(books: Engine, vault: Vault) -> None:
    """Sealed and opened again, nothing is lost; objects among the wallets included."""
    said = profile(
        "Ada@Example.test",
        first_name=" Ada ",
        last_name="Lindqvist",
        phone_number="+49 (30) 123-4567",
        external_wallets=["0x52", {"chain": "base", "address": "0x53", "weight": Decimal("1.5")}],
    )
    ada, created = people.create_or_get_by_email(books, vault, "test", said, NOW)
    assert created
    assert ada.email == "Ada@Example.test"
    assert (ada.profile.first_name, ada.profile.last_name) == ("Ada", "Lindqvist")
    assert ada.profile.phone_number == "+49 (30) 123-4567"
    assert ada.profile.external_wallets == (
        "0x52",
        {"chain": "base", "address": "0x53", "weight": "1.5"},
    )
    assert re.fullmatch("cons_[a-z2-9]{16}", ada.consumer_id)
    assert (ada.mode, ada.guest, ada.created_at, ada.erased_at) == ("test", False, NOW, None)
    assert people.by_id(books, vault, ada.consumer_id) == ada
    assert people.by_email(books, vault, "test", "ada@example.test") == ada


def test_a_person_has_a_uuid_for_the_operator_api(books: Engine, vault: Vault) -> None:
    """Always the same one, and nobody else's."""
    ada, bo = known(books, vault, "ada@example.test"), known(books, vault, "bo@example.test")
    assert str(UUID(ada.user_id)) == ada.user_id
    found = people.by_id(books, vault, ada.consumer_id)
    assert found is not None
    assert found.user_id == ada.user_id != bo.user_id


def test_who_is_there_already_stays_as_they_are(books: Engine, vault: Vault) -> None:
    """However the address is written; what is said later does not overwrite."""
    first = known(books, vault, "Jörg@Straße.test")
    later = profile("JO\u0308RG@STRASSE.TEST", first_name="Mallory")
    again, created = people.create_or_get_by_email(books, vault, "test", later, NOW + 5)
    assert not created
    assert again == first


def test_live_and_test_are_two_worlds(books: Engine, vault: Vault) -> None:
    """The same address is two persons, and neither list shows the other."""
    test = known(books, vault, "ada@example.test")
    live, created = people.create_or_get_by_email(
        books, vault, "live", profile("ada@example.test"), NOW
    )
    assert created
    assert live.consumer_id != test.consumer_id
    assert people.by_email(books, vault, "live", "ada@example.test") == live
    assert people.list_users(books, vault, "live", 10) == [live]
    assert people.list_users(books, vault, "test", 10) == [test]


def test_all_who_ask_at_once_get_the_same_person(books: Engine, vault: Vault) -> None:
    """One of them has made it."""

    def ask(number: int) -> tuple[Person, bool]:
        said = profile("ada@example.test", first_name=f"Ada {number}")
        return people.create_or_get_by_email(books, vault, "test", said, NOW)

    found = at_once(12, ask)
    assert len({person.consumer_id for person, _ in found}) == 1
    assert [created for _, created in found].count(True) == 1


def test_nobody_is_found_by_what_they_are_not(books: Engine, vault: Vault) -> None:
    """No person, no error."""
    assert people.by_id(books, vault, "cons_nobody") is None
    assert people.by_email(books, vault, "test", "nobody@example.test") is None


def test_a_guest_is_somebody_of_whom_nothing_is_known(books: Engine, vault: Vault) -> None:
    """An id that says so, no address, and not in the list of users."""
    with writing(books) as connection:
        guest = people.create_guest(connection, vault, "live", NOW)
    assert re.fullmatch("guest_[a-z2-9]{16}", guest.consumer_id)
    assert (guest.guest, guest.profile, guest.mode) == (True, Profile(), "live")
    assert people.by_id(books, vault, guest.consumer_id) == guest
    assert people.list_users(books, vault, "live", 10) == []


def test_users_are_listed_page_by_page(books: Engine, vault: Vault) -> None:
    """The oldest first, none twice and none left out, also of those made in one instant."""
    ages = (3, 1, 2, 2, 2, 1)
    made = [known(books, vault, f"{n}@example.test", NOW + age) for n, age in enumerate(ages)]
    whole = sorted(made, key=lambda person: (person.created_at, person.consumer_id))
    found: list[Person] = []
    while page := people.list_users(
        books, vault, "test", 2, found[-1].consumer_id if found else None
    ):
        assert len(page) <= 2
        found += page
    assert found == whole


@pytest.mark.parametrize("cursor", ["", "cons_nobody", "live one"])
def test_a_cursor_that_was_never_given_out_is_refused(
    books: Engine, vault: Vault, cursor: str
) -> None:
    """Also one of the other mode: it would tell that there is somebody."""
    live, _ = people.create_or_get_by_email(books, vault, "live", profile("a@b"), NOW)
    with pytest.raises(BadField) as complaint:
        people.list_users(books, vault, "test", 2, cursor.replace("live one", live.consumer_id))
    assert complaint.value.field == "cursor"


def test_a_row_moved_to_somebody_else_is_not_read(books: Engine, vault: Vault) -> None:
    """Who writes into the database cannot give Bo the name and address of Ada."""
    ada, bo = known(books, vault, "ada@example.test"), known(books, vault, "bo@example.test")
    row = people.persons.c
    with writing(books) as connection:
        stolen = connection.scalar(select(row.sealed).where(row.consumer_id == ada.consumer_id))
        of_bo = update(people.persons).where(row.consumer_id == bo.consumer_id)
        connection.execute(of_bo.values(sealed=stolen))
    with pytest.raises(BooksError, match="cannot be opened"):
        people.by_id(books, vault, bo.consumer_id)


def test_telephones_are_found_however_they_are_written(books: Engine, vault: Vault) -> None:
    """The index is made of the digits."""
    for number, written in enumerate(("+49 30 1234567", "+49 (30) 123-4567", "+49 30 1234568")):
        said = profile(f"{number}@example.test", phone_number=written)
        people.create_or_get_by_email(books, vault, "test", said, NOW + number)
    with reading(books) as connection:
        query = select(people.persons.c.phone_index).order_by(people.persons.c.created_at)
        first, second, third = connection.scalars(query)
    assert first == second != third


# ── What they want to be told ────────────────────────────────────────────────────────────


def test_notices_can_be_switched_one_by_one(books: Engine, vault: Vault) -> None:
    """All are wanted at first; what is not named stays."""
    ada = known(books, vault, "ada@example.test")
    assert ada.notices == dict.fromkeys(NOTICES, True)
    people.set_notices(books, ada.consumer_id, {"outbid": False, "lost": False}, NOW + 1)
    now = people.set_notices(books, ada.consumer_id, {"lost": True}, NOW + 2)
    assert now == {**ada.notices, "outbid": False}
    found = people.by_id(books, vault, ada.consumer_id)
    assert found is not None
    assert (found.notices, found.updated_at) == (now, NOW + 2)


@pytest.mark.parametrize("wrong", [{"gossip": True}, {"won": False, "outbid": "no"}, {"lost": 0}])
def test_a_notice_that_there_is_not_changes_nothing(
    books: Engine, vault: Vault, wrong: dict[str, object]
) -> None:
    """Neither itself nor what came with it."""
    ada = known(books, vault, "ada@example.test")
    with pytest.raises(BadField) as complaint:
        people.set_notices(books, ada.consumer_id, wrong, NOW + 1)
    assert complaint.value.field in wrong
    assert people.by_id(books, vault, ada.consumer_id) == ada


def test_switches_thrown_at_once_are_all_thrown(books: Engine, vault: Vault) -> None:
    """Two pages of one person do not undo each other."""
    ada = known(books, vault, "ada@example.test")
    at_once(
        len(NOTICES), lambda n: people.set_notices(books, ada.consumer_id, {NOTICES[n]: False}, NOW)
    )
    found = people.by_id(books, vault, ada.consumer_id)
    assert found is not None
    assert found.notices == dict.fromkeys(NOTICES, False)


def test_nobody_has_no_notices(books: Engine) -> None:
    """And is not made by asking."""
    assert people.set_notices(books, "cons_nobody", {"lost": False}, NOW) is None


# ── Whom the house does not let in ───────────────────────────────────────────────────────


def test_a_barred_device_is_known_again(books: Engine, vault: Vault) -> None:
    """By an index that does not tell its fingerprint; and can be let in again."""
    people.bar(books, vault, "device-1", "bid under three names", NOW)
    people.bar(books, vault, "device-1", "and a fourth", NOW + 1)
    assert people.barred_indexes(books) == {people.fingerprint_index(vault, "device-1")}
    assert people.fingerprint_index(vault, "device-2") not in people.barred_indexes(books)
    assert people.unbar(books, vault, "device-1")
    assert not people.unbar(books, vault, "device-1")
    assert people.barred_indexes(books) == frozenset()


# ── A name that is said later ────────────────────────────────────────────────────────────


def test_a_name_is_written_down_later(books: Engine, vault: Vault) -> None:
    """Nothing else changes, and it is sealed as the first one was."""
    ada = known(books, vault, "ada@example.test")
    assert ada.name == "ada@example.test"
    named = people.set_name(books, vault, ada.consumer_id, "Ada", "Lindqvist", NOW + 5)
    found = people.by_id(books, vault, ada.consumer_id)
    assert found == named
    assert found is not None
    assert (found.name, found.email, found.updated_at) == ("Ada Lindqvist", ada.email, NOW + 5)
    with reading(books) as connection:
        assert b"Lindqvist" not in connection.execute(select(people.persons.c.sealed)).scalar_one()


def test_a_name_that_is_none(books: Engine, vault: Vault) -> None:
    """It is refused, as is one for nobody; and nothing was written."""
    ada = known(books, vault, "ada@example.test")
    with pytest.raises(BadField):
        people.set_name(books, vault, ada.consumer_id, "Ada\n", "Lindqvist", NOW + 5)
    assert people.set_name(books, vault, "cons_nobody", "Ada", "Lindqvist", NOW) is None
    assert people.by_id(books, vault, ada.consumer_id) == ada
