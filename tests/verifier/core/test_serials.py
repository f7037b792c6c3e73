"""Serials: their check character, how they are drawn, typed and looked up."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier.core.serials import (
    CSET_82,
    MOST_CHARACTERS,
    check_character,
    grouped,
    is_ours,
    looked_up_as,
    needs_alias,
    new_serial,
    normalised,
)

DAY = date(2026, 2, 18)
OURS = "AUC260218FKC5SKSEZ"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

drawn = st.binary(min_size=8, max_size=8)


def serial_of(seed: int) -> str:
    source = random.Random(seed)
    return new_serial(DAY, lambda: source.randbytes(8))


def test_the_published_check_character() -> None:
    """The GRid standard's own example, A1-2425G-ABC1234002-M."""
    assert check_character("A12425GABC1234002") == "M"


def test_a_check_of_anything_else_is_refused() -> None:
    """Small letters and hyphens have no value in ISO 7064."""
    for text in ("a", "A-1", "Ä"):
        with pytest.raises(ValueError):
            check_character(text)


def test_every_wrong_character_and_nearly_every_swap_is_found() -> None:
    """Of a hundred serials all 63 000 single errors, and 998 of 1 000 swaps of neighbours."""
    swaps = missed = 0
    for seed in range(100):
        serial = serial_of(seed)
        for at, right in enumerate(serial):
            for wrong in ALPHABET:
                changed = serial[:at] + wrong + serial[at + 1 :]
                assert (check_character(changed[:-1]) == changed[-1]) == (wrong == right)
        for at, (one, other) in enumerate(pairwise(serial)):
            swaps += one != other
            missed += one != other and is_ours(serial[:at] + other + one + serial[at + 2 :])
    assert missed <= swaps * 0.002


def test_a_serial_is_made_of_the_day_and_the_draw() -> None:
    """Eight bytes become eight characters of Crockford's base32; a byte more is not used."""
    body = "AUC26021801Z01Z01"
    assert check_character(body) == "E"
    assert new_serial(DAY, lambda: bytes([0, 1, 31, 32, 33, 63, 64, 65, 7])) == body + "E"


def test_it_is_drawn_again_while_the_check_would_be_misread() -> None:
    """The first draws that end in I, L, O or U are thrown away, and the next one taken."""
    source = random.Random(7)
    draws = [source.randbytes(8) for _ in range(200)]
    crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    checks = [
        check_character("AUC260218" + "".join(crockford[b % 32] for b in draw)) for draw in draws
    ]
    bad = next(at for at, check in enumerate(checks) if check in "ILOU")
    good = next(at for at in range(bad, 200) if checks[at] not in "ILOU")
    given_out: Iterator[bytes] = iter(draws[bad : good + 1])
    assert new_serial(DAY, lambda: next(given_out))[-1] == checks[good]
    assert next(given_out, None) is None


@given(st.integers())
def test_what_we_issue_is_ours_and_fits_a_link(seed: int) -> None:
    """18 characters, no I, L, O or U after the prefix, and no alias needed."""
    serial = serial_of(seed)
    assert len(serial) == 18
    assert not set(serial[3:]) & set("ILOU")
    assert is_ours(serial)
    assert normalised(serial) == serial
    assert not needs_alias(serial)


@pytest.mark.parametrize(
    "typed",
    [
        "auc260218fkc5sksez",
        " AUC-260218-FKC5-SKSE-Z ",
        "AUC2 6021 8FKC 5SKS EZ",
        "AUC26O2I8FKC5SKSEZ",
        "auc26o2l8fkc5sksez",
        "AUC\N{NO-BREAK SPACE}260218\N{NON-BREAKING HYPHEN}FKC5SKSEZ",
    ],
)
def test_however_it_is_typed_it_is_the_same_serial(typed: str) -> None:
    """Case, spaces, hyphens and the letters that look like digits do not matter."""
    assert normalised(typed) == OURS


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "AUC",
        OURS[:-1],
        OURS + "0",
        "AUC260218FKC5SKSE0",  # a wrong check
        "AUC260218UKC5SKSEZ",  # U is in no serial
        "4UC260218FKC5SKSEZ",
        "AUC-20260218-DAYT0001",  # the seed's own form: imported, never ours
        "AUC260218FKC5\N{LATIN SMALL LETTER LONG S}KSEZ",  # whose capital is S
        "AUC26021\N{ARABIC-INDIC DIGIT EIGHT}FKC5SKSEZ",
        OURS + "\n",
        "A" * 100_000,
    ],
)
def test_what_is_ill_formed_is_nobodys_serial(typed: str) -> None:
    """It is refused before anything is looked up."""
    assert normalised(typed) is None
    assert not is_ours(typed)


def test_a_serial_that_a_house_brought_is_found_as_it_is() -> None:
    """Capitals, without spaces and hyphens, and no letter read as a digit."""
    assert looked_up_as("auc-20260218-dayt0001") == "AUC20260218DAYT0001"
    assert looked_up_as("Ref. 5711/1A - 010") == "REF.5711/1A010"
    assert looked_up_as("OIL-1") == "OIL1"


def test_what_is_too_long_finds_nothing() -> None:
    """It is cut to one character more than any serial has."""
    assert len(looked_up_as("x" * 1_000_000)) == MOST_CHARACTERS + 1


def test_which_serials_a_link_cannot_carry() -> None:
    """More than 20 characters, none at all, or one outside GS1's character set 82."""
    assert len(CSET_82) == 82
    assert needs_alias("AUC-20260218-DAYT0001")
    assert not needs_alias("AUC-20260218-DAYT001")
    assert not needs_alias("a/b?c%d")
    for serial in ("", "A B", "A#B", "N°7"):
        assert needs_alias(serial)


def test_it_is_read_aloud_in_fours() -> None:
    """And what was read aloud is understood again."""
    assert grouped(OURS) == "AUC2 6021 8FKC 5SKS EZ"
    assert normalised(grouped(OURS)) == OURS
