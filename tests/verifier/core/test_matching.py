"""Anchors, their relations and their code; what is a match, and in which words."""

from __future__ import annotations

import hashlib
import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.verifier.vectors import needs_shared, shared
from verifier.core.matching import (
    TIERS,
    Anchor,
    Verdict,
    code,
    effective_bits,
    rank,
    relations,
    verdict,
    words,
)

# A right-angled triangle with sides 30, 40 and 50; every anchor looks to the right.
TRIANGLE = [Anchor(0, 0, 4, 0), Anchor(30, 0, 4, 0), Anchor(0, 40, 4, 0)]


def scattered() -> list[Anchor]:
    """Eleven anchors without any order."""
    return [Anchor(37 * n % 97 * 8.0, 61 * n % 89 * 6.0, 5, 53.0 * n % 360) for n in range(1, 12)]


def moved(anchors: list[Anchor], degrees: float, scale: float, x: float, y: float) -> list[Anchor]:
    """The same anchors in a picture that was turned, enlarged and shifted."""
    c, s = (scale * f(math.radians(degrees)) for f in (math.cos, math.sin))
    return [
        Anchor(
            c * a.x - s * a.y + x, s * a.x + c * a.y + y, scale * a.size, (a.angle + degrees) % 360
        )
        for a in anchors
    ]


@needs_shared
def test_the_code_of_eleven_anchors_is_the_published_one() -> None:
    """Every field of every relation, and the 1650 bits, are those of the shared vector."""
    vector = shared("relation_code_1650.json")
    anchors = [Anchor(*row) for row in vector["anchors"]]
    assert [list(relation) for relation in relations(anchors)] == vector["codes"]
    packed = code(anchors)
    assert hashlib.sha256(packed).hexdigest() == vector["bits_sha256_of_packed"]
    assert len(packed) == math.ceil(vector["n_bits"] / 8)


def test_a_triangle_by_hand() -> None:
    """Distances count from the median, bearings from the first anchor's direction."""
    (first, second, third) = relations(TRIANGLE)
    octave = 1024 / 6
    assert first == (int((math.log2(30 / 40) + 3) * octave), 0, 0)
    assert second == (512, 256, 0)
    assert third.distance == int((math.log2(50 / 40) + 3) * octave)
    assert third.bearing == int(math.degrees(math.atan2(40, -30)) / 360 * 1024)


def test_the_code_is_gray_coded_and_padded_with_zeros() -> None:
    """512 is written 1100000000, 256 is 0110000000; 90 bits take 12 bytes."""
    bits = "".join(f"{byte:08b}" for byte in code(TRIANGLE))
    assert bits[30:60] == "1100000000" + "0110000000" + "0000000000"
    assert len(bits) == 96
    assert bits[90:] == "000000"


@given(
    degrees=st.floats(-180, 180),
    scale=st.floats(0.2, 5),
    x=st.floats(-1000, 1000),
    y=st.floats(-1000, 1000),
)
def test_a_moved_picture_has_the_same_code(
    degrees: float, scale: float, x: float, y: float
) -> None:
    """Shift, turn and scale change nothing but a step here and there, by rounding."""
    before, after = code(scattered()), code(moved(scattered(), degrees, scale, x, y))
    different = (int.from_bytes(before) ^ int.from_bytes(after)).bit_count()
    assert different <= 12


def test_another_object_has_another_code() -> None:
    """The codes of unrelated anchors differ in about half of their bits."""
    other = [Anchor(a.y * 1.3, 611 * a.x % 599, 5, 97 * a.angle % 360) for a in scattered()]
    different = (int.from_bytes(code(scattered())) ^ int.from_bytes(code(other))).bit_count()
    assert 0.38 * 1650 < different < 0.62 * 1650


@pytest.mark.parametrize(
    "anchors",
    [[], TRIANGLE[:1], [TRIANGLE[0], TRIANGLE[1], TRIANGLE[1]]],
    ids=["none", "one", "two at one place"],
)
def test_relations_need_anchors_at_different_places(anchors: list[Anchor]) -> None:
    """There is no bearing from a place to itself, and no relation of one anchor."""
    with pytest.raises(ValueError, match="two or more anchors"):
        relations(anchors)


def test_the_tiers() -> None:
    """Anchors, relations and the code's length are those the contract names."""
    assert {
        name: (tier.anchors, tier.relations, tier.code_bits) for name, tier in TIERS.items()
    } == {"standard": (7, 21, 630), "enhanced": (11, 55, 1650), "maximum": (16, 120, 3600)}
    assert TIERS["enhanced"].label == "Reference Grade"
    assert len({tier.label for tier in TIERS.values()}) == 3


def test_a_code_is_mostly_redundant() -> None:
    """Eleven anchors tell at most 140 bits apart, of 1650 that are written."""
    assert effective_bits(11) == 140
    assert [effective_bits(tier.anchors) < tier.code_bits / 4 for tier in TIERS.values()] == [
        True
    ] * 3
    assert effective_bits(0) == 0


@pytest.mark.parametrize(
    ("inliers", "anchors", "expected"),
    [
        (30, 7, "match_strong"),
        (29, 7, "match"),
        (30, 6, "match"),
        (12, 5, "match"),
        (11, 5, "inconclusive"),
        (12, 4, "inconclusive"),
        (500, 4, "inconclusive"),
        (500, 0, "inconclusive"),
        (8, 0, "inconclusive"),
        (7, 7, "no_match"),
        (0, 0, "no_match"),
    ],
)
def test_points_and_anchors_decide_together(inliers: int, anchors: int, expected: str) -> None:
    """Neither a card with hundreds of points nor a few anchors alone are a match."""
    assert verdict(inliers, anchors) == expected


def test_the_best_angle_is_the_one_with_the_best_verdict() -> None:
    """A card's hundred points do not outrank a match of twelve."""
    assert max([(100, 2), (12, 5), (14, 5)], key=lambda score: rank(*score)) == (14, 5)


@pytest.mark.parametrize("found", get_args(Verdict))
def test_words_say_what_was_compared_and_never_accuse(found: Verdict) -> None:
    """Every meaning names the comparison; none says that anything is false."""
    said = words(found, "case_back", 31, 7)
    assert "31 " in said
    assert not any(word in said.lower() for word in ("counterfeit", "fake", "forg", "genuine"))
    if found == "no_match":
        assert "no finding against the object" in said
    else:
        assert "case back" in said
        assert "twin of the same model" in said


def test_one_point_is_one_point() -> None:
    """The sentence is right for one as well."""
    assert "(1 point agrees)" in words("no_match", "dial", 1, 0)
    assert "(0 points agree)" in words("no_match", "dial", 0, 0)
