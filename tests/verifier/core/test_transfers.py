"""Transfers: their life in one table, and the code that confirms one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier.core import transfers
from verifier.core.transfers import (
    CODE_LIFE_MS,
    MOST_ATTEMPTS,
    MOST_CODES,
    OPEN,
    TRANSITIONS,
    State,
    after,
    code,
    code_mac,
    code_matches,
    read_code,
    terms_hash,
)

PEPPER = b"p" * 32
TERMS = terms_hash("obj_1", "own_1", "own_2", 4_500_00, "EUR")
PARTS = (PEPPER, "tr_1", "own_2", TERMS)


def walk(state: State, *steps: transfers.Step) -> State:
    for step in steps:
        following = after(state, step)
        assert following is not None, f"{step} cannot happen in {state}"
        state = following
    return state


def test_the_life_of_a_transfer_that_goes_well() -> None:
    """Settled, paid, the code fetched, confirmed."""
    assert walk("awaiting_payment", "pay", "reissue", "confirm") == "confirmed"


def test_a_code_that_ran_out_or_was_guessed_at_is_replaced() -> None:
    """Expired and locked transfers go on with a new code, or are given up."""
    assert walk("pending", "expire", "reissue", "lock", "reissue", "confirm") == "confirmed"
    assert walk("pending", "lock", "cancel") == "cancelled"
    assert walk("pending", "expire", "cancel") == "cancelled"


def test_nothing_is_confirmed_but_what_is_pending() -> None:
    """Not unpaid, not expired, not locked, and no second time."""
    assert [state for state in TRANSITIONS if after(state, "confirm")] == ["pending"]


def test_what_is_paid_is_paid_once() -> None:
    """Only a transfer that waits for its payment is paid."""
    assert [state for state in TRANSITIONS if after(state, "pay")] == ["awaiting_payment"]


def test_no_code_before_payment() -> None:
    """A transfer that waits for its payment has no code to give out."""
    assert after("awaiting_payment", "reissue") is None


def test_every_state_is_reached_and_two_are_the_end() -> None:
    """The table names the contract's six states and leads to no other."""
    reached = {"awaiting_payment"} | {s for row in TRANSITIONS.values() for s in row.values()}
    assert reached == set(TRANSITIONS)
    assert reached == {
        *("awaiting_payment", "pending", "confirmed", "expired", "locked", "cancelled")
    }
    assert [state for state, row in TRANSITIONS.items() if not row] == ["confirmed", "cancelled"]
    assert all(after(state, "cancel") == "cancelled" for state in OPEN)


def test_the_odds_of_a_guesser() -> None:
    """All the guesses that a transfer ever takes: 15 in a million, within nine days."""
    assert MOST_ATTEMPTS * MOST_CODES == 15
    assert MOST_CODES * CODE_LIFE_MS == 9 * 86_400_000


def test_a_code_has_six_digits() -> None:
    """Small numbers keep their zeros; others are no codes."""
    assert code(0) == "000000"
    assert code(847_291) == "847291"
    for number in (-1, 1_000_000):
        with pytest.raises(ValueError):
            code(number)


@given(st.integers(0, 999_999))
def test_a_code_is_read_as_it_was_given(number: int) -> None:
    """Whole, in halves, and in pairs."""
    given_out = code(number)
    halves = f" {given_out[:3]} {given_out[3:]} "
    pairs = "-".join(given_out[at : at + 2] for at in (0, 2, 4))
    assert read_code(given_out) == read_code(halves) == read_code(pairs) == given_out


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "84729",
        "8472911",
        "84729a",
        "٨٤٧٢٩١",
        "²47291",
        "847291\n",
        "-847291",
        "847.291",
        "8" + " " * 40 + "47291",
        "9" * 1_000_000,
    ],
)
def test_what_is_no_code(typed: str) -> None:
    """Other digits than ASCII's, fewer or more of them, other signs between."""
    assert read_code(typed) is None


def test_the_right_code_matches_and_no_other() -> None:
    """Each of the six digits counts."""
    mac = code_mac(*PARTS, "847291")
    assert len(mac) == 32
    assert code_matches(*PARTS, "847291", mac)
    for at in range(6):
        wrong = "847291"[:at] + ("0" if "847291"[at] != "0" else "1") + "847291"[at + 1 :]
        assert not code_matches(*PARTS, wrong, mac)
    assert not code_matches(*PARTS, "847291", mac[:-1])


def test_a_code_is_void_for_anything_else() -> None:
    """Another pepper, transfer, recipient or price: the same code confirms nothing."""
    mac = code_mac(*PARTS, "847291")
    dearer = terms_hash("obj_1", "own_1", "own_2", 4_500_01, "EUR")
    for parts in (
        (b"q" * 32, "tr_1", "own_2", TERMS),
        (PEPPER, "tr_2", "own_2", TERMS),
        (PEPPER, "tr_1", "own_3", TERMS),
        (PEPPER, "tr_1", "own_2", dearer),
    ):
        assert not code_matches(*parts, "847291", mac)


def test_what_is_agreed_is_hashed_without_a_seam() -> None:
    """No part runs into the next; no price is not a price of nothing."""
    agreed = [
        ("obj_1", "own_1", "own_2", 100, "EUR"),
        ("obj_1", "own_1", "own_2", 10, "0EUR"),
        ("obj_1o", "wn_1", "own_2", 100, "EUR"),
        ("obj_1", "own_2", "own_1", 100, "EUR"),
        ("obj_1", "own_1", "own_2", 100, "USD"),
        ("obj_1", "own_1", "own_2", 0, "EUR"),
        ("obj_1", "own_1", "own_2", None, "EUR"),
        ("obj_1", "own_1", "own_2", None, None),
    ]
    assert len({terms_hash(*terms) for terms in agreed}) == len(agreed)


def test_the_bytes_that_are_hashed_stay_as_they_are() -> None:
    """Codes that are out with buyers outlive an update."""
    assert terms_hash("o", "f", "t", 1, "EUR") == TERMS_PINNED
    assert code_mac(b"pepper", "tr", "to", "terms", "000000").hex() == MAC_PINNED


TERMS_PINNED = "70469ab9a75399fde77ae9c718ae3a5e2948a9a71361c11122874af5c9edf1bd"
MAC_PINNED = "8f0e0c3063e900ed152648f5c3fb6460249b5ffefb7e69c4dbf1dfd12862eb8c"
