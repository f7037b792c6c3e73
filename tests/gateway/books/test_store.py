"""The books' store: kept for good, one writer at a time, and nothing personal in the clear."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from sqlite3 import OperationalError, connect

import pytest
from sqlalchemy import Connection, Engine, insert, select, text, update

from engine.settings import BadSetting
from gateway.books import once, people, store
from gateway.books.people import Profile, read_profile
from gateway.books.store import (
    BooksError,
    Vault,
    digest,
    in_turn,
    open_books,
    reading,
    writing,
)
from tests.gateway.books.conftest import NOW, at_once

ADA = read_profile(
    email="Ada.Lindqvist@example.test",
    first_name="Ada",
    last_name="Lindqvist",
    phone_number="+49305550199",
    external_wallets=["0x52908400098527886E0F7030069857D2E4169EE7"],
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "books.db"


# ── Opening ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_sqlite_keeps_what_it_was_told(books: Engine) -> None:
    """Every connection, the first one too: on the disk before anybody hears of it."""
    with reading(books) as first, reading(books) as second:
        for connection in (first, second):
            found = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "secure_delete", "busy_timeout")
            }
            assert found == {
                "journal_mode": "wal",
                "synchronous": 2,  # FULL
                "secure_delete": 1,
                "busy_timeout": 5_000,
            }


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_who_writes_is_alone_from_the_beginning(books: Engine, file: Path) -> None:
    """Also another process: a transaction that reads first would else write upon old rows."""
    with writing(books) as writer, closing(connect(file, timeout=0)) as other:
        writer.execute(select(people.persons))
        with pytest.raises(OperationalError, match="locked"):
            other.execute("DELETE FROM persons")


def test_opening_again_finds_what_is_there(books: Engine, url: str, vault: Vault) -> None:
    """The second start knows whom the first one knew."""
    ada, _ = people.create_or_get_by_email(books, vault, "test", ADA, NOW)
    again = open_books(url)
    assert people.by_id(again, vault, ada.consumer_id) == ada
    again.dispose()


def test_a_database_that_cannot_be_used_is_named_in_one_line() -> None:
    """The same refusal as the archive's: the variable, and never the password."""
    with pytest.raises(BadSetting) as complaint:
        open_books("postgresql://house:topsecret@127.0.0.1:1/house")
    assert str(complaint.value).startswith("DATABASE_URL=")
    assert "topsecret" not in str(complaint.value)


# ── Transactions ─────────────────────────────────────────────────────────────────────────


def test_a_transaction_is_kept_whole_or_not_at_all(books: Engine, vault: Vault) -> None:
    """Whatever breaks in the middle of it, the database's or ours."""

    def enter_and(what: Callable[[Connection], object]) -> None:
        with writing(books) as connection:
            people.enter(connection, vault, "test", ADA, NOW)
            what(connection)

    with pytest.raises(ZeroDivisionError):
        enter_and(lambda _: 1 // 0)
    with pytest.raises(BooksError):
        enter_and(lambda connection: connection.execute(text("SELECT nonsense FROM nowhere")))
    assert people.by_email(books, vault, "test", "ada.lindqvist@example.test") is None


def test_writers_of_one_process_all_get_their_turn(books: Engine) -> None:
    """However many: none is sent away because the door was never open when it knocked."""
    with writing(books) as connection:
        row = {"owner": "a", "key": "k", "body_hash": "", "state": "", "created_at": 0}
        connection.execute(insert(once.once).values(**row, claimed_until=0))

    def count_up(_: int) -> None:
        for _ in range(10):
            with writing(books) as connection:
                in_turn(connection, "count")
                found = connection.execute(select(once.once.c.created_at)).scalar_one()
                connection.execute(update(once.once).values(created_at=found + 1))

    at_once(16, count_up)
    with reading(books) as connection:
        assert connection.scalar(select(once.once.c.created_at)) == 160


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_turn_is_not_waited_for_for_ever(books: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody in this process keeps the door shut, one line says so."""
    monkeypatch.setattr(store, "_TURN_WITHIN_S", 0.05)
    second = writing(books)
    with writing(books), pytest.raises(BooksError, match="busy"):
        second.__enter__()
    with writing(books):
        pass


def test_an_error_of_the_database_tells_nothing_of_the_row(books: Engine) -> None:
    """One line, without the statement and without what was to be written."""
    row = {"fingerprint_index": "topsecret", "reason": "topsecret", "barred_at": 1}
    for wrong in ([row, row], [{**row, "barred_at": 2**64}], [{**row, "reason": None}]):
        with pytest.raises(BooksError) as failure, writing(books) as connection:
            connection.execute(people.barred.insert(), wrong)
        assert str(failure.value)
        assert "\n" not in str(failure.value)
        assert "topsecret" not in str(failure.value)
    assert people.barred_indexes(books) == frozenset()


# ── Sealing ──────────────────────────────────────────────────────────────────────────────


def test_what_is_sealed_can_be_opened_in_its_place_only(vault: Vault) -> None:
    """Not in another row, not for another purpose, not with another house's key."""
    sealed = vault.seal("person", "cons_a", b"Ada")
    assert vault.open("person", "cons_a", sealed) == b"Ada"
    for other, purpose, row in (
        (vault, "person", "cons_b"),
        (vault, "answer", "cons_a"),
        (vault, "personcons", "_a"),
        (Vault(secrets.token_bytes(32)), "person", "cons_a"),
    ):
        with pytest.raises(BooksError, match="master key"):
            other.open(purpose, row, sealed)


@pytest.mark.parametrize("place", [0, 11, 12, -1])
def test_one_changed_byte_is_noticed(vault: Vault, place: int) -> None:
    """Wherever somebody has touched the row; and also where they have cut it."""
    sealed = bytearray(vault.seal("person", "cons_a", b"Ada"))
    for broken in (bytes(sealed[:5]), b"", bytes(sealed[:-1])):
        with pytest.raises(BooksError):
            vault.open("person", "cons_a", broken)
    sealed[place] ^= 1
    with pytest.raises(BooksError):
        vault.open("person", "cons_a", bytes(sealed))


def test_sealing_twice_gives_nothing_away(vault: Vault) -> None:
    """Two rows that say the same look different."""
    assert vault.seal("person", "cons_a", b"Ada") != vault.seal("person", "cons_a", b"Ada")


def test_an_index_is_the_same_for_the_same_words_only(vault: Vault) -> None:
    """And another one in another house, for another purpose, and where words end elsewhere."""
    index = vault.index("email", "test", "ada@example.test")
    assert index == vault.index("email", "test", "ada@example.test")
    others = [
        vault.index("phone", "test", "ada@example.test"),
        vault.index("email", "live", "ada@example.test"),
        vault.index("email", "testada", "@example.test"),
        Vault(bytes(32)).index("email", "test", "ada@example.test"),
    ]
    assert len({index, *others}) == 5


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_nobody_is_named_in_the_file(books: Engine, vault: Vault, file: Path) -> None:
    """Name, address, telephone and wallet are in no byte of the database or its log."""
    people.create_or_get_by_email(books, vault, "test", ADA, NOW)
    people.bar(books, vault, "device-of-bo", "a false name", NOW)
    content = b"".join(path.read_bytes() for path in file.parent.glob("books.db*"))
    assert b"persons" in content, "the wrong file is looked at"
    for word in ("lindqvist", "example.test", "5550199", "0x529084", "device-of"):
        assert word.encode() not in content.lower(), word


def test_a_repr_of_a_person_is_no_dossier(books: Engine, vault: Vault) -> None:
    """What a log would print of somebody does not say who they are."""
    ada, _ = people.create_or_get_by_email(books, vault, "test", ADA, NOW)
    assert ada.consumer_id in repr(ada)
    assert "indqvist" not in repr(ada)
    assert repr(Profile()) == repr(ADA)
    assert "vault" in repr(vault).lower()


def test_a_digest_is_sha_256() -> None:
    """FIPS 180-2's own example; and any text at all has one."""
    assert digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest("\ud800") != digest("?")
