"""Once: of all who ask with one key one does it, and all get the same answer."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import Engine, select

from gateway.books import once
from gateway.books.once import Begun, Busy, Claimed, Done, Mismatch
from gateway.books.store import Vault, reading, writing
from tests.gateway.books.conftest import NOW, at_once

CLAIM_MS = 15_000
TWO_DAYS_MS = 48 * 3_600_000


class Desk:
    """One program's requests."""

    def __init__(self, books: Engine, vault: Vault) -> None:
        self.books, self.vault = books, vault

    def begin(
        self, key: str = "k", body: str = "b", now_ms: int = NOW, owner: str = "key_a"
    ) -> Begun:
        return once.begin(self.books, self.vault, owner, key, body, now_ms)

    def claim(self, key: str = "k", now_ms: int = NOW) -> Claimed:
        found = self.begin(key, now_ms=now_ms)
        assert isinstance(found, Claimed)
        return found

    def finish(self, claim: Claimed, answer: bytes = b'{"id":1}') -> bool:
        return once.finish(self.books, self.vault, claim, 201, answer)


@pytest.fixture
def desk(books: Engine, vault: Vault) -> Desk:
    return Desk(books, vault)


def test_the_first_does_it_and_the_others_get_its_answer(desk: Desk) -> None:
    """Byte for byte, with its status; while it lasts they are told so."""
    claim = desk.claim()
    assert desk.begin() == Busy()
    assert desk.finish(claim, b'{"id":"\xc3\xbc"}')
    assert desk.begin() == Done(201, b'{"id":"\xc3\xbc"}')
    assert desk.begin(now_ms=NOW + TWO_DAYS_MS - 1) == Done(201, b'{"id":"\xc3\xbc"}')


def test_a_key_goes_with_one_body(desk: Desk) -> None:
    """Another one is a mistake, while it is being done and afterwards."""
    claim = desk.claim()
    assert desk.begin(body="other") == Mismatch()
    desk.finish(claim)
    assert desk.begin(body="other") == Mismatch()
    assert isinstance(desk.begin(), Done)


def test_keys_are_their_owners_own(desk: Desk) -> None:
    """Two programs may both count from one; where the names end is not confused."""
    desk.finish(desk.claim())
    assert isinstance(desk.begin(owner="key_b"), Claimed)
    assert isinstance(desk.begin(key="k2"), Claimed)
    assert isinstance(desk.begin(owner="key_", key="ak"), Claimed)


def test_of_eight_at_once_one_does_it(desk: Desk) -> None:
    """For each of a thousand keys, on eight gateways that all begin at the first."""

    def ask(_: int) -> list[tuple[str, str]]:
        return [(f"k{number}", type(desk.begin(f"k{number}")).__name__) for number in range(1_000)]

    found = Counter(one for answers in at_once(8, ask) for one in answers)
    assert {found[f"k{number}", "Claimed"] for number in range(1_000)} == {1}
    assert {found[f"k{number}", "Busy"] for number in range(1_000)} == {7}


def test_the_claim_of_the_dead_can_be_taken_over(desk: Desk) -> None:
    """After fifteen seconds, by one of those who ask then."""
    desk.claim()
    assert desk.begin(now_ms=NOW + CLAIM_MS - 1) == Busy()
    assert desk.begin(body="other", now_ms=NOW + CLAIM_MS) == Mismatch()
    found = at_once(8, lambda number: desk.begin(now_ms=NOW + CLAIM_MS + number))
    assert sum(isinstance(one, Claimed) for one in found) == 1
    assert found.count(Busy()) == 7


def test_who_only_slept_does_not_write_over_the_others_answer(desk: Desk) -> None:
    """Neither before the other is done nor afterwards."""
    sleeper = desk.claim()
    other = desk.claim(now_ms=NOW + CLAIM_MS)
    assert not desk.finish(sleeper, b"late")
    once.abandon(desk.books, sleeper)
    assert desk.begin(now_ms=NOW + CLAIM_MS) == Busy()
    assert desk.finish(other, b"first")
    assert not desk.finish(sleeper, b"late")
    assert not desk.finish(other, b"again")
    once.abandon(desk.books, other)
    assert desk.begin(now_ms=NOW + CLAIM_MS) == Done(201, b"first")


def test_what_was_not_done_may_be_asked_again_at_once(desk: Desk) -> None:
    """The log was not to be reached, say: nobody waits fifteen seconds for nothing."""
    once.abandon(desk.books, desk.claim())
    assert isinstance(desk.begin(body="corrected"), Claimed)


def test_answer_and_deed_are_kept_together(desk: Desk) -> None:
    """In one transaction: where the deed is not kept, neither is the answer."""
    claim = desk.claim()

    def finish_and_fail() -> None:
        with writing(desk.books) as connection:
            once.finish_within(connection, desk.vault, claim, 201, b"done")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finish_and_fail()
    assert desk.begin() == Busy()
    with writing(desk.books) as connection:
        assert once.finish_within(connection, desk.vault, claim, 201, b"done")
    assert desk.begin() == Done(201, b"done")


def test_neither_answer_nor_body_can_be_read_in_the_table(desk: Desk) -> None:
    """A new API key's text may be in the one, an address in the other."""
    desk.finish(desk.claim(), b'{"key":"sk_live_abc"}')
    with reading(desk.books) as connection:
        row = connection.execute(select(once.once)).one()
    assert b"sk_live" not in row.answer
    assert row.body_hash != "b"
    assert len(row.body_hash) == 64
    assert "sk_live" not in repr(desk.begin())


def test_after_two_days_a_key_is_new_again(desk: Desk) -> None:
    """Whether it was swept or not, and whatever the body is now."""
    for number, key in enumerate(("swept", "not swept")):
        desk.finish(desk.claim(key))
        if not number:
            once.sweep(desk.books, NOW + TWO_DAYS_MS)
        assert isinstance(desk.begin(key, "other", NOW + TWO_DAYS_MS), Claimed)
        assert desk.begin(key, "other", NOW + TWO_DAYS_MS) == Busy()


def test_sweeping_takes_only_what_is_old(desk: Desk) -> None:
    """Claims and answers of less than two days stay."""
    desk.finish(desk.claim("done"))
    desk.claim("claimed", now_ms=NOW + 1)
    once.sweep(desk.books, NOW + TWO_DAYS_MS - 1)
    assert isinstance(desk.begin("done"), Done)
    once.sweep(desk.books, NOW + TWO_DAYS_MS)
    with reading(desk.books) as connection:
        assert connection.scalars(select(once.once.c.key)).all() == ["claimed"]
