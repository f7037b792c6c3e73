"""Serials: what an object is called on its label, its link and over the telephone.

A serial of ours is ``AUC``, the day as yymmdd, eight random characters of Crockford's base32
(40 bits: nobody counts their way to the next object) and an ISO 7064 MOD 37,36 check
character: 18 characters that GS1's AI 21 takes.  The check finds every single wrong character
and all but one in a thousand swaps of neighbours, so a mistyped serial is refused before it
is looked up, and is hardly ever another object's.

Houses also bring serials of their own.  Those carry no check of ours: they are looked up as
they are, without regard to case, spaces and hyphens.

Promises that a serial read out, written down and typed in is the same serial.  Leaves to
others: that no serial is given twice (the registry), and random bytes (handed in).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Final

PREFIX: Final = "AUC"
MOST_CHARACTERS: Final = 64  # of a serial that a house brings: more is a description
MOST_IN_A_LINK: Final = 20  # of AI 21, GS1 General Specifications
CSET_82: Final = frozenset(
    "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
)

_CHECKED: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # ISO 7064's values, in their order
_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_OURS: Final = re.compile(rf"{PREFIX}[0-9]{{6}}[{_CROCKFORD}]{{9}}")
_RANDOM: Final = 8
# Spaces and hyphens, those that word processors put in included.
_IGNORED: Final = dict.fromkeys(map(ord, " \t\N{NO-BREAK SPACE}-\N{HYPHEN}\N{NON-BREAKING HYPHEN}"))
_MISREAD: Final = str.maketrans("OIL", "011")


def check_character(text: str) -> str:
    """The ISO 7064 MOD 37,36 check character of *text* (digits and capitals only).

    Raises ``ValueError`` for any other character.
    """
    product = 36
    for character in text:
        product = (product + _CHECKED.index(character)) % 36 or 36
        product = product * 2 % 37
    return _CHECKED[(37 - product) % 36]


def new_serial(day: date, draw: Callable[[], bytes]) -> str:
    """A serial of *day*; each call of *draw* gives 8 or more bytes that nobody can foresee.

    Drawn again while the check character is I, L, O or U, which no serial shows: on average
    every ninth time.
    """
    while True:
        # 256 is a multiple of 32: the remainder favours no character.
        drawn = "".join(_CROCKFORD[byte % 32] for byte in draw()[:_RANDOM])
        assert len(drawn) == _RANDOM, "a draw gives at least 8 bytes"
        body = f"{PREFIX}{day:%y%m%d}{drawn}"
        check = check_character(body)
        if check in _CROCKFORD:
            return body + check


def is_ours(serial: str) -> bool:
    """Is this exactly a serial as we issue them, with the right check character?

    Whether it was issued only the registry knows; its six digits are not read as a day.
    """
    return bool(_OURS.fullmatch(serial)) and check_character(serial[:-1]) == serial[-1]


def normalised(text: str) -> str | None:
    """The serial of ours that *text* means, however it was typed; None where it is none.

    Case, spaces and hyphens do not matter; after ``AUC`` O is read as 0, I and L as 1.
    """
    if not text.translate(_IGNORED).isascii():
        return None  # upper() would make a long s an S
    serial = looked_up_as(text).translate(_MISREAD)  # the prefix has none of these letters
    return serial if is_ours(serial) else None


def looked_up_as(text: str) -> str:
    """What a serial that a house brought is found by: capitals, without spaces and hyphens.

    Longer ones are cut to one character more than a serial may have, and so find nothing.
    """
    return text.translate(_IGNORED).upper()[: MOST_CHARACTERS + 1]


def needs_alias(serial: str) -> bool:
    """Is this serial not one that a GS1 link can carry (AI 21: 1–20 characters of CSET 82)?

    It stays what the object is looked up by; the link gets a serial of ours.
    """
    return not 1 <= len(serial) <= MOST_IN_A_LINK or not CSET_82.issuperset(serial)


def grouped(serial: str) -> str:
    """For reading aloud: ``AUC2 6021 8FKC 5SKS EZ``."""
    return " ".join(serial[at : at + 4] for at in range(0, len(serial), 4))
