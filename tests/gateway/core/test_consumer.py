"""The consumer API's money: decimals in, minor units inside, exact digits out."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.messages import MAX_AMOUNT, CreateSale
from gateway.core.consumer import Problem, instant, minor_units, price, read_bid

EUR = CreateSale("seq_1", "Sale", "EUR", 2)
YEN = CreateSale("seq_2", "Sale", "JPY", 0)


@given(st.integers(1, MAX_AMOUNT), st.integers(0, 4), st.integers(0, 40))
def test_money_there_and_back(minor: int, exponent: int, zeros: int) -> None:
    """Whatever is shown is read as the same amount; zeros behind it change nothing."""
    sale = CreateSale("seq_1", "Sale", "XTS", exponent)
    shown = price(minor, sale)
    assert shown is not None
    text = str(shown) + ("" if exponent else ".") + "0" * zeros
    assert minor_units(text, exponent) == minor
    body = f'{{"amount":{text if not text.endswith(".") else text + "0"}}}'.encode()
    assert read_bid(body, sale) == (minor, "bid")


@given(st.integers(1, MAX_AMOUNT - 1), st.integers(0, 4), st.integers(1, 35))
def test_a_digit_too_many_is_refused(minor: int, exponent: int, further: int) -> None:
    """However far behind the currency's decimals: no rounding, ever."""
    shown = str(Decimal(minor).scaleb(-exponent))
    text = shown + ("" if "." in shown else ".") + "0" * (further - 1) + "1"
    with pytest.raises(Problem) as refused:
        minor_units(text, exponent)
    assert (refused.value.status, refused.value.error) == (400, "Invalid amount")


@given(st.text(max_size=30))
def test_any_text_is_an_amount_or_invalid(text: str) -> None:
    """A string that is no plain ASCII number is refused in the contract's words."""
    found: int | Problem
    try:
        found = minor_units(text, 2)
    except Problem as problem:
        found = problem
    if isinstance(found, Problem):
        assert found.error == "Invalid amount"
    else:
        assert text.isascii()
        assert 1 <= found <= MAX_AMOUNT


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode()))
def test_any_body_is_a_bid_or_a_problem(body: bytes) -> None:
    """Nothing but a ``Problem`` comes of a bad body, and it can be written down."""
    problems: list[Problem] = []
    try:
        read_bid(body, EUR)
    except Problem as problem:
        problems.append(problem)
    for found in problems:
        assert found.status == 400
        msgspec.json.encode({"error": found.error, **found.more})


def test_kinds() -> None:
    """Exactly the amount, or as a limit."""
    assert read_bid(b'{"amount":275.5}', EUR) == (27_550, "bid")
    assert read_bid(b'{"amount":"275.50","max":true}', EUR) == (27_550, "max")
    assert read_bid(b'{"amount":275}', YEN) == (275, "bid")
    with pytest.raises(Problem):
        read_bid(b'{"amount":275.5}', YEN)


def test_instants() -> None:
    """ISO 8601, UTC, to the millisecond."""
    assert instant(1_767_225_600_007) == "2026-01-01T00:00:00.007Z"
    assert instant(0) == "1970-01-01T00:00:00.000Z"
    assert instant(None) is None
