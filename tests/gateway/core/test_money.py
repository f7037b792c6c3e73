"""Amounts and instants in words (that a browser writes them alike is seen in tests/browser)."""

from __future__ import annotations

import pytest

from gateway.core.instants import format_instant
from gateway.core.money import format_count, format_money, format_range, read_whole


@pytest.mark.parametrize(
    ("minor", "currency", "exponent", "english", "german"),
    [
        (4_400_000, "EUR", 2, "€44,000", "44.000 €"),
        (4_400_050, "EUR", 2, "€44,000.50", "44.000,50 €"),
        (5, "EUR", 2, "€0.05", "0,05 €"),
        (0, "EUR", 2, "€0", "0 €"),
        (-4_400_050, "EUR", 2, "-€44,000.50", "-44.000,50 €"),
        (9_007_199_254_740_991, "EUR", 2, "€90,071,992,547,409.91", "90.071.992.547.409,91 €"),
        (4_400_000, "JPY", 0, "JP¥4,400,000", "4.400.000 ¥"),
        (4_400_005, "KWD", 3, "KWD 4,400.005", "4.400,005 KWD"),
        (4_400_000, "USD", 2, "US$44,000", "44.000 $"),
    ],
)
def test_an_amount_in_both_languages(
    minor: int, currency: str, exponent: int, english: str, german: str
) -> None:
    """Cents only where there are any, and then all of them; a space of money never breaks."""
    assert format_money(minor, currency, exponent) == english.replace(" ", "\N{NO-BREAK SPACE}")
    written = format_money(minor, currency, exponent, "de")
    assert written == german.replace(" ", "\N{NO-BREAK SPACE}")


def test_an_estimate_names_its_currency_once() -> None:
    """Before the figures in English, behind them in German."""
    assert format_range(4_000_000, 6_000_000, "EUR", 2) == "€40,000–60,000"
    assert format_range(4_000_000, 6_000_000, "EUR", 2, "de") == "40.000–60.000\N{NO-BREAK SPACE}€"


def test_a_count_has_its_thousands_set_apart() -> None:
    """As the language does it."""
    assert (format_count(1_284), format_count(1_284, "de")) == ("1,284", "1.284")


def test_an_instant_names_its_zone() -> None:
    """Day, month in words, year, minute, and the zone that they are told in."""
    at = 1_795_000_000_000
    assert format_instant(at) == "18 Nov 2026, 11:06 UTC"
    assert format_instant(at, "de") == "18. Nov. 2026, 11:06 UTC"


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("5000", 500_000),
        (" €5,000 ", 500_000),
        ("5.000", 500_000),
        ("1'250'000", 125_000_000),
        ("1 250 000", 125_000_000),
        ("12,34", None),
        ("5.00", None),
        ("1,250.000", None),
        ("52.000,50", None),
        ("0", None),
        ("EUR 5,000", 500_000),
        ("5.000 €", 500_000),
        ("-5", None),
        ("5a5", None),
        ("٥", None),
        ("", None),
        ("five", None),
        ("9" * 16, None),
    ],
)
def test_a_typed_amount_has_one_plain_reading(typed: str, read: int | None) -> None:
    """Digits, or digits in threes with one mark between; anything else is asked again."""
    assert read_whole(typed, 2) == read
