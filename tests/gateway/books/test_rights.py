"""What a person may ask of the house: to see all of it, and to be forgotten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from gateway.books import limit_wishes, people, rights, sessions, signing_in, watching
from gateway.books.limit_wishes import LimitWish
from gateway.books.people import Person, Profile, read_profile
from gateway.books.rights import erase, export
from gateway.books.signing_in import SignedIn, read_vouched
from gateway.books.store import Vault, reading
from gateway.keys import HouseKeys
from tests.gateway.books.conftest import NOW, at_once, together

CLAIMS = {"email": "ada@example.test", "email_verified": True}


@pytest.fixture
def ada(books: Engine, house: HouseKeys, vault: Vault) -> Person:
    """Somebody who has left traces in every table."""
    said = read_profile(
        email="ada@example.test",
        first_name="Ada",
        last_name="Lindqvist",
        phone_number="+49305550199",
        external_wallets=["0x529084"],
    )
    person, _ = people.create_or_get_by_email(books, vault, "test", said, NOW)
    vouched = read_vouched("shop", "https://shop.test", "ada-7", CLAIMS)
    code, _ = signing_in.authorize(books, vault, "test", vouched, NOW)
    assert isinstance(signing_in.exchange(books, house, vault, "test", code, NOW), SignedIn)
    signing_in.authorize(books, vault, "test", vouched, NOW)
    signing_in.request_otp(books, house, vault, "test", "ada@example.test", NOW)
    people.set_notices(books, person.consumer_id, {"lost": False}, NOW + 1)
    watching.watch(books, person.consumer_id, "auction_1", NOW)
    limit_wishes.ask(books, LimitWish("seq_1", person.consumer_id, 500_000, NOW))
    return person


def test_an_export_is_everything_the_accounts_know(
    books: Engine, vault: Vault, ada: Person
) -> None:
    """In words for a person, and JSON for a program."""
    found = export(books, vault, ada.consumer_id)
    assert found is not None
    [session] = found.pop("sessions")
    assert found == {
        "consumerId": ada.consumer_id,
        "userId": ada.user_id,
        "mode": "test",
        "guest": False,
        "email": "ada@example.test",
        "firstName": "Ada",
        "lastName": "Lindqvist",
        "phoneNumber": "+49305550199",
        "externalWallets": ["0x529084"],
        "notices": {**ada.notices, "lost": False},
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-01T00:00:00.001Z",
        "signsInWith": ["shop"],
        "watches": ["auction_1"],
        "limitsAskedFor": [
            {"saleId": "seq_1", "amount": 500_000, "askedAt": "2026-01-01T00:00:00.000Z"}
        ],
    }
    assert session == {
        "sessionId": session["sessionId"],
        "type": "authenticated",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "refreshedAt": "2026-01-01T00:00:00.000Z",
        "expiresAt": "2026-01-31T00:00:00.000Z",
        "revokedAt": None,
    }
    json.dumps(found)


def test_whom_nobody_knows_has_nothing_to_be_shown(books: Engine, vault: Vault) -> None:
    """Nor to be erased."""
    assert export(books, vault, "cons_nobody") is None
    assert not erase(books, vault, "cons_nobody", NOW)


def test_an_erased_person_is_an_id_and_nothing_else(
    books: Engine, vault: Vault, ada: Person
) -> None:
    """Old bids speak of the id; name, address, settings and ways to sign in are gone."""
    assert erase(books, vault, ada.consumer_id, NOW + 9)
    found = people.by_id(books, vault, ada.consumer_id)
    assert found is not None
    assert found.profile == Profile()
    assert (found.erased_at, found.created_at) == (NOW + 9, NOW)
    assert people.by_email(books, vault, "test", "ada@example.test") is None
    assert people.list_users(books, vault, "test", 10) == []
    assert export(books, vault, ada.consumer_id) is None
    assert people.set_notices(books, ada.consumer_id, {"won": False}, NOW) is None
    with reading(books) as connection:
        row = connection.execute(select(people.persons)).one()
        assert (row.sealed, row.email_index, row.phone_index, row.notices) == (None, None, None, [])
        for table in (
            signing_in.otp,
            signing_in.identities,
            signing_in.exchange_codes,
            watching.watches,
            limit_wishes.limit_wishes,
        ):
            assert connection.execute(select(table)).all() == [], table.name
        [session] = sessions.sessions_of(connection, ada.consumer_id)
    assert session.revoked_at == NOW + 9


def test_nobody_else_is_forgotten_with_them(
    books: Engine, house: HouseKeys, vault: Vault, ada: Person
) -> None:
    """Bo's code, session and way in are as they were; so are Ada's of the other mode."""
    signing_in.request_otp(books, house, vault, "live", "ada@example.test", NOW)
    vouched = read_vouched("shop", "https://shop.test", "bo", None)
    code, _ = signing_in.authorize(books, vault, "test", vouched, NOW)
    bo = signing_in.exchange(books, house, vault, "test", code, NOW)
    assert isinstance(bo, SignedIn)
    erase(books, vault, ada.consumer_id, NOW)
    again = sessions.refresh(books, house, "test", bo.pair.refresh_token, NOW)
    assert again is not None
    with reading(books) as connection:
        assert connection.scalars(select(signing_in.otp.c.mode)).all() == ["live"]
        assert signing_in.providers_of(connection, bo.person.consumer_id) == ["shop"]


def test_somebody_is_erased_once(
    books: Engine, vault: Vault, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though two ask for it at the same moment."""
    monkeypatch.setattr(rights, "get", together(people.get))
    found = at_once(2, lambda n: erase(books, vault, ada.consumer_id, NOW + n))
    assert sorted(found) == [False, True]


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_what_was_sealed_is_overwritten(books: Engine, vault: Vault, tmp_path: Path) -> None:
    """Not even the sealed bytes stay in a free corner of the file."""
    said = read_profile(email="ada@example.test", external_wallets=["0x" + "5" * 3_000])
    ada, _ = people.create_or_get_by_email(books, vault, "test", said, NOW)
    with reading(books) as connection:
        sealed: bytes | None = connection.scalar(select(people.persons.c.sealed))
    assert sealed is not None
    books.dispose()  # the last connection writes the log into the file
    file = tmp_path / "books.db"
    assert sealed[100:200] in file.read_bytes(), "the wrong place is looked at"
    erase(books, vault, ada.consumer_id, NOW)
    books.dispose()
    assert sealed[100:200] not in file.read_bytes()
