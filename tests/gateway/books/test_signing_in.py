"""Signing in: five guesses are five, a code works once, and an address is not just claimed."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import Engine, select

from gateway.books import people, sessions, signing_in
from gateway.books.people import read_profile
from gateway.books.rights import erase
from gateway.books.signing_in import Refused, SignedIn, read_vouched
from gateway.books.store import BadField, Vault, digest, reading
from gateway.keys import HouseKeys, verify_access_token
from tests.gateway.books.conftest import NOW, at_once

EMAIL = "ada@example.test"
FIVE_MINUTES_MS = 5 * 60_000


class Door:
    """What the tests do with the books, without repeating who they are."""

    def __init__(self, books: Engine, house: HouseKeys, vault: Vault) -> None:
        self.books, self.house, self.vault = books, house, vault

    def mailed(self, email: str = EMAIL, now_ms: int = NOW) -> str:
        """The code that is in the mail."""
        return signing_in.request_otp(self.books, self.house, self.vault, "test", email, now_ms)

    def guess(self, code: str, now_ms: int = NOW, email: str = EMAIL) -> SignedIn | Refused:
        return signing_in.verify_otp(
            self.books, self.house, self.vault, "test", email, code, now_ms
        )

    def vouched(self, subject: str = "ada-7", now_ms: int = NOW, **claims: Any) -> str:
        """The exchange code of somebody whom a shop has signed in."""
        somebody = read_vouched("shop", "https://shop.test", subject, claims)
        return signing_in.authorize(self.books, self.vault, "test", somebody, now_ms)[0]

    def exchange(self, code: str, now_ms: int = NOW) -> SignedIn | Refused:
        return signing_in.exchange(self.books, self.house, self.vault, "test", code, now_ms)

    def person_of(self, code: str) -> people.Person:
        found = self.exchange(code)
        assert isinstance(found, SignedIn)
        return found.person


@pytest.fixture
def door(books: Engine, house: HouseKeys, vault: Vault) -> Door:
    return Door(books, house, vault)


def wrong(code: str) -> str:
    """A code that is not this one."""
    return f"{(int(code) + 1) % 10**6:06d}"


# ── Guests ───────────────────────────────────────────────────────────────────────────────


def test_a_guest_has_a_session_too(books: Engine, house: HouseKeys, vault: Vault) -> None:
    """Of type guest, with tokens that say so and can be refreshed."""
    found = signing_in.as_guest(books, house, vault, "live", NOW)
    identity = verify_access_token(house, found.pair.access_token, NOW)
    assert (identity.guest, identity.mode) == (True, "live")
    assert identity.consumer_id == found.person.consumer_id
    assert found.pair.session.type == "guest"
    again = sessions.refresh(books, house, "live", found.pair.refresh_token, NOW)
    assert again is not None
    assert again.session.type == "guest"


# ── With a code that was mailed ──────────────────────────────────────────────────────────


def test_a_code_signs_its_owner_in(door: Door) -> None:
    """Six digits; a new address is a new person, a known one the same."""
    code = door.mailed()
    assert len(code) == 6
    assert code.isdigit()
    first = door.guess(code)
    assert isinstance(first, SignedIn)
    assert (first.person.email, first.person.guest) == (EMAIL, False)
    assert first.pair.session.type == "authenticated"
    again = door.guess(door.mailed("ADA@example.test"), email="Ada@Example.test")
    assert isinstance(again, SignedIn)
    assert again.person == first.person
    assert again.pair.session.session_id != first.pair.session.session_id


def test_a_code_signs_in_once(door: Door) -> None:
    """Also where ten send it at the same moment."""
    code = door.mailed()
    found = at_once(4, lambda _: door.guess(code))
    assert sum(isinstance(one, SignedIn) for one in found) == 1
    assert found.count(Refused.OTP_INVALID) == 3
    assert door.guess(code) is Refused.OTP_INVALID


def test_a_code_holds_for_five_minutes(door: Door) -> None:
    """To the millisecond, and is then told from a wrong one."""
    code = door.mailed()
    assert door.guess(code, NOW + FIVE_MINUTES_MS) is Refused.OTP_EXPIRED
    assert isinstance(door.guess(code, NOW + FIVE_MINUTES_MS - 1), SignedIn)


def test_only_the_newest_code_counts(door: Door) -> None:
    """The one before it is worth nothing, and the tries begin anew."""
    older = door.mailed()
    for _ in range(5):
        assert door.guess(wrong(older)) is Refused.OTP_INVALID
    while (newer := door.mailed(now_ms=NOW + 1)) == older:
        pass
    assert door.guess(older, NOW + 1) is Refused.OTP_INVALID
    assert isinstance(door.guess(newer, NOW + 1), SignedIn)


def test_the_fifth_try_is_the_last(door: Door) -> None:
    """Four wrong ones may be followed by the right one, five may not."""
    code = door.mailed()
    for _ in range(4):
        assert door.guess(wrong(code)) is Refused.OTP_INVALID
    assert isinstance(door.guess(code), SignedIn)
    code = door.mailed()
    for _ in range(5):
        assert door.guess(wrong(code)) is Refused.OTP_INVALID
    assert door.guess(code) is Refused.OTP_INVALID
    assert door.guess(code, NOW + FIVE_MINUTES_MS) is Refused.OTP_INVALID


def test_of_many_guesses_at_once_five_are_compared(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attacker who sends forty at the same moment has had five tries, and not one more."""
    compared: list[str] = []
    lock = threading.Lock()
    same = signing_in._same

    def counted(expected: str, offered: str) -> bool:
        with lock:
            compared.append(offered)
        return same(expected, offered)

    monkeypatch.setattr(signing_in, "_same", counted)
    code = door.mailed()
    found = at_once(40, lambda number: door.guess(f"x{number:05d}"))
    assert found == [Refused.OTP_INVALID] * 40
    assert len(compared) == len(set(compared)) == 5
    assert door.guess(code) is Refused.OTP_INVALID
    assert len(compared) == 5


def test_a_try_is_counted_before_anything_is_compared(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies while it compares has used one up: it is in the database already."""

    def die(*_: str) -> bool:
        with reading(door.books) as connection:  # another connection: what others can see
            seen.append(connection.scalar(select(signing_in.otp.c.tries)))
        raise KeyboardInterrupt

    seen: list[int | None] = []
    door.mailed()
    monkeypatch.setattr(signing_in, "_same", die)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            door.guess("000000")
    assert seen == [1, 2, 3]


def test_a_code_replaced_while_it_is_compared_is_worth_nothing(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right when it was sent, and not the newest any more when it is used."""

    def slow(expected: str, offered: str) -> bool:
        door.mailed(now_ms=NOW + 1)
        return same(expected, offered)

    same = signing_in._same
    code = door.mailed()
    monkeypatch.setattr(signing_in, "_same", slow)
    assert door.guess(code) is Refused.OTP_INVALID


@pytest.mark.parametrize("text", ["", "12345", "1234567", "١٢٣٤٥٦", "\ud800", "1" * 9_999])
def test_what_is_no_code_is_a_wrong_one(door: Door, text: str) -> None:
    """Any text may come in; it is a try like any other."""
    door.mailed()
    assert door.guess(text) is Refused.OTP_INVALID
    with reading(door.books) as connection:
        assert connection.scalar(select(signing_in.otp.c.tries)) == 1


def test_a_code_is_for_its_address_and_mode(door: Door) -> None:
    """Bo's code does not open Ada's door, nor a test code a live one."""
    code = door.mailed("bo@example.test")
    assert door.guess(code) is Refused.OTP_INVALID
    live = signing_in.verify_otp(
        door.books, door.house, door.vault, "live", "bo@example.test", code, NOW
    )
    assert live is Refused.OTP_INVALID
    assert isinstance(door.guess(code, email="bo@example.test"), SignedIn)


def test_asking_for_a_code_makes_nobody(door: Door) -> None:
    """Known and unknown addresses leave the same traces: a row, and no person."""
    door.mailed("nobody@example.test")
    assert people.by_email(door.books, door.vault, "test", "nobody@example.test") is None
    with pytest.raises(BadField):
        door.mailed("nobody")
    with pytest.raises(BadField):
        door.guess("123456", email="nobody")


def test_a_code_is_not_in_the_table(door: Door) -> None:
    """Neither it nor its plain hash, which a million tries would lead back to it."""
    codes = [door.mailed(f"{n}@example.test") for n in range(2)]
    with reading(door.books) as connection:
        rows = connection.execute(select(signing_in.otp)).all()
    for row, code in zip(rows, codes, strict=True):
        assert len(row.code) == 64
        assert code not in (row.code, row.email_index)
        assert row.code != digest(code)
    one = signing_in._peppered(door.house, rows[0].email_index, NOW, codes[0])
    assert one in {row.code for row in rows}


# ── By another's word ────────────────────────────────────────────────────────────────────


def test_an_exchange_code_signs_in_once(door: Door) -> None:
    """Within a minute, and one of twenty at once."""
    code = door.vouched()
    found = at_once(20, lambda _: door.exchange(code))
    assert sum(isinstance(one, SignedIn) for one in found) == 1
    assert found.count(Refused.EXCHANGE_CODE_INVALID) == 19


def test_an_exchange_code_holds_for_a_minute(door: Door) -> None:
    """To the millisecond; and only in its mode."""
    code = door.vouched()
    assert door.exchange(code, NOW + 60_000) is Refused.EXCHANGE_CODE_INVALID
    live = signing_in.exchange(door.books, door.house, door.vault, "live", code, NOW)
    assert live is Refused.EXCHANGE_CODE_INVALID
    assert isinstance(door.exchange(code, NOW + 59_999), SignedIn)
    assert door.exchange("xc_made_up") is Refused.EXCHANGE_CODE_INVALID


def test_an_exchange_code_is_kept_as_a_hash(door: Door) -> None:
    """Who reads the table signs in nobody."""
    code = door.vouched()
    with reading(door.books) as connection:
        row = str(connection.execute(select(signing_in.exchange_codes)).one())
    assert code.removeprefix("xc_") not in row


def test_the_same_subject_is_the_same_person(door: Door) -> None:
    """Of the same provider and issuer; another in any of the three is somebody else."""
    ada = door.person_of(door.vouched("ada-7"))
    assert door.person_of(door.vouched("ada-7", email=EMAIL)) == ada
    others = [
        read_vouched("shop2", "https://shop.test", "ada-7", None),
        read_vouched("shop", "https://shop2.test", "ada-7", None),
        read_vouched("shop", "https://shop.test", "ada-8", None),
        read_vouched("shoph", "ttps://shop.test", "ada-7", None),
    ]
    found = {ada.consumer_id}
    for other in others:
        code, _ = signing_in.authorize(door.books, door.vault, "test", other, NOW)
        found.add(door.person_of(code).consumer_id)
    assert len(found) == 5


def test_a_subject_vouched_for_at_once_is_one_person(door: Door) -> None:
    """Two windows of one shop do not make two of her."""
    codes = at_once(8, lambda _: door.vouched("ada-7"))
    assert len({door.person_of(code).consumer_id for code in codes}) == 1


@pytest.mark.parametrize("verified", [None, False, "true", 1])
def test_an_unverified_address_is_nobodys(door: Door, verified: object) -> None:
    """Whoever claims Ada's is neither signed in as her nor keeps her from her own."""
    ada = door.guess(door.mailed())
    assert isinstance(ada, SignedIn)
    thief = door.person_of(door.vouched("mallory", email=EMAIL, email_verified=verified))
    assert thief.consumer_id != ada.person.consumer_id
    assert thief.email is None


def test_a_verified_address_leads_to_its_owner(door: Door) -> None:
    """Who signed in with a code before is the same person; else there is a new one with it."""
    ada = door.guess(door.mailed())
    assert isinstance(ada, SignedIn)
    vouched = door.vouched("ada-7", email="ADA@example.test", email_verified=True)
    assert door.person_of(vouched) == ada.person
    assert door.person_of(door.vouched("ada-7")) == ada.person  # from now on without it
    bo = door.person_of(door.vouched("bo", email="bo@example.test", email_verified=True))
    assert bo.email == "bo@example.test"
    again = door.guess(door.mailed("bo@example.test"), email="bo@example.test")
    assert isinstance(again, SignedIn)
    assert again.person == bo


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("provider", ("", "https://shop.test", "ada", None)),
        ("provider", (7, "https://shop.test", "ada", None)),
        ("issuer", ("shop", None, "ada", None)),
        ("subject", ("shop", "https://shop.test", "a\nb", None)),
        ("subject", ("shop", "https://shop.test", "a" * 256, None)),
        ("claims", ("shop", "https://shop.test", "ada", "email")),
        ("claims.email", ("shop", "https://shop.test", "ada", {"email_verified": True})),
        ("claims.email", ("shop", "https://shop.test", "ada",
                          {"email": "no", "email_verified": True})),
    ],
)  # fmt: skip
def test_whom_nobody_could_tell_apart_is_refused_by_name(
    field: str, values: tuple[Any, Any, Any, Any]
) -> None:
    """Texts of a sensible length, and an address where one is vouched for."""
    with pytest.raises(BadField) as complaint:
        read_vouched(*values)
    assert complaint.value.field == field


def test_who_was_erased_comes_back_as_somebody_else(door: Door) -> None:
    """Nothing leads from the new person to the old one, and an open code is void."""
    code = door.vouched("ada-7", email=EMAIL, email_verified=True)
    ada = door.person_of(door.vouched("ada-7"))
    assert erase(door.books, door.vault, ada.consumer_id, NOW)
    assert door.exchange(code) is Refused.EXCHANGE_CODE_INVALID
    again = door.person_of(door.vouched("ada-7"))
    assert again.consumer_id != ada.consumer_id


# ── Clearing up ──────────────────────────────────────────────────────────────────────────


def test_sweeping_takes_only_what_is_over(door: Door) -> None:
    """A code that has just expired is still told from a wrong one."""
    mailed, exchanged = door.mailed(), door.vouched()
    signing_in.sweep(door.books, NOW + 59_999)
    assert isinstance(door.exchange(exchanged, NOW + 59_999), SignedIn)
    signing_in.sweep(door.books, NOW + FIVE_MINUTES_MS + 1)
    assert door.guess(mailed, NOW + FIVE_MINUTES_MS + 1) is Refused.OTP_EXPIRED
    door.vouched()
    signing_in.sweep(door.books, NOW + 12 * FIVE_MINUTES_MS)
    with reading(door.books) as connection:
        for table in (signing_in.otp, signing_in.exchange_codes):
            assert connection.execute(select(table)).all() == []


def test_whom_the_house_entered_signs_in_as_the_same_person(door: Door) -> None:
    """With a code, and finds what the house wrote."""
    said = read_profile(email=EMAIL, first_name="Ada")
    entered, _ = people.create_or_get_by_email(door.books, door.vault, "test", said, NOW)
    found = door.guess(door.mailed())
    assert isinstance(found, SignedIn)
    assert found.person == entered
