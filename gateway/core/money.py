"""Amounts in words, as the reader's language writes them.

What is written here is, to the character, what the browser's ``Intl.NumberFormat`` writes for
en-GB and de-DE (a test asks a real one), so that nothing flickers when a page comes alive.
Cents are written only where there are any, and then all of them.
"""

from __future__ import annotations

import re
from typing import Final

from engine.core.messages import MAX_AMOUNT
from gateway.core.phrases import Language

_SPACE: Final = "\N{NO-BREAK SPACE}"
_CFA: Final = "F\N{NARROW NO-BREAK SPACE}CFA"

# The currencies that are not written by their code (Unicode CLDR 48).
_MARKS: Final[dict[str, str]] = {
    "BRL": "R$",
    "CAD": "CA$",
    "CNY": "CN¥",
    "EUR": "€",
    "GBP": "£",
    "HKD": "HK$",
    "ILS": "₪",
    "INR": "₹",
    "KRW": "₩",
    "MXN": "MX$",
    "NZD": "NZ$",
    "TWD": "NT$",
    "VND": "₫",
    "XAF": "FCFA",
    "XCD": "EC$",
    "XOF": _CFA,
    "XPF": "CFPF",
}
_MARKS_OF: Final[dict[Language, dict[str, str]]] = {
    "en": {**_MARKS, "AUD": "A$", "JPY": "JP¥", "PHP": "₱", "USD": "US$"},
    "de": {**_MARKS, "AUD": "AU$", "JPY": "¥", "THB": "฿", "USD": "$"},
}
_GERMAN: Final = str.maketrans(",.", ".,")


# With the currency's own mark before or behind.
_TYPED: Final = re.compile(
    r"[^\d\s.,'’-]{0,4}\s?"
    r"(?P<digits>[0-9]{1,3}(?:(?P<mark>[\s.,'’])[0-9]{3})(?:(?P=mark)[0-9]{3})*|[0-9]{1,15})"
    r"\s?[^\d\s.,'’-]{0,4}"
)


def format_money(minor: int, currency: str, exponent: int, language: Language = "en") -> str:
    """The amount with its currency: ``€44,000.50``, ``44.000,50 €``."""
    return _signed(minor, _marked(_digits(minor, exponent, language), currency, language))


def format_range(
    low: int, high: int, currency: str, exponent: int, language: Language = "en"
) -> str:
    """An estimate, with the currency once: ``€40,000–60,000``, ``40.000–60.000 €``."""
    digits = f"{_digits(low, exponent, language)}–{_digits(high, exponent, language)}"
    return _marked(digits, currency, language)


def format_count(count: int, language: Language = "en") -> str:
    """A number of things: ``1,284``, ``1.284``."""
    return _grouped(f"{count:,}", language)


def read_whole(text: str, exponent: int) -> int | None:
    """A typed amount of whole units in minor ones: digits, or digits grouped in threes by one
    mark; None: nothing that has one plain reading."""
    typed = _TYPED.fullmatch(text.strip())
    if typed is None:
        return None
    amount = int(re.sub(r"\D", "", typed["digits"])) * 10**exponent
    return amount if 0 < amount <= MAX_AMOUNT else None


def _marked(digits: str, currency: str, language: Language) -> str:
    mark = _MARKS_OF[language].get(currency, currency)
    if language == "de":
        return f"{digits}{_SPACE}{mark}"
    # A mark that ends in a letter stands off from the digits (CLDR, currencySpacing).
    return f"{mark}{_SPACE if mark[-1].isalpha() else ''}{digits}"


def _digits(minor: int, exponent: int, language: Language) -> str:
    units, cents = divmod(abs(minor), 10**exponent)
    return _grouped(f"{units:,}" + (f".{cents:0{exponent}d}" if cents else ""), language)


def _grouped(english: str, language: Language) -> str:
    return english.translate(_GERMAN) if language == "de" else english


def _signed(minor: int, text: str) -> str:
    return f"-{text}" if minor < 0 else text
