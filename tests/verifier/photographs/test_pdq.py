"""PDQ: the reference's hashes, and what it is and is not good for."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.verifier.photographs.files import blocks, saved, waves
from verifier.photographs.pdq import distance, pdq

# What pdqhash 0.2.8, which is built from the reference's C++, says of these pictures.
KNOWN = [
    (
        waves(600, 800, 0.031, 0.017, 0.00011),
        "52aa6aa52a522d6925b4b6dbb26cb33399999ce68e71861ec363f528f087ff00",
        100,
    ),
    (
        waves(800, 531, 0.05, 0.09, 0.0003),
        "e7b931ce9cb1e38e79e10e1ec1e3783c0f83c0fcfd8707f8c08fffc001ff0000",
        100,
    ),
    (
        blocks(450, 800, 700),
        "bed5954f14b7d35f5f374cdfe665731f70e07c3f7f803fff080e0400040d0010",
        100,
    ),
    (
        blocks(101, 67, 90),
        "6cabc92a9b4a365b6495c9b4992d326a66dacd92d93532652669cd9b9b323266",
        78,
    ),
]


@pytest.mark.parametrize(
    ("rgb", "expected", "quality"), KNOWN, ids=["wide", "tall", "flat", "small"]
)
def test_the_reference_says_the_same(
    rgb: np.ndarray[Any, Any], expected: str, quality: int
) -> None:
    """At most two of 256 bits differ, where a frequency is as strong as the median to the last
    digit of its float; the quality is the same."""
    hashed, how_good = pdq(rgb)
    assert len(hashed) == 64
    assert distance(hashed, expected) <= 2
    assert how_good == quality


def test_a_picture_saved_again_is_known_again() -> None:
    """JPEG 40 and another size stay within 31 bits; another picture does not."""
    original = Image.fromarray(KNOWN[0][0])
    again = Image.open(io.BytesIO(saved(original.resize((640, 480)), "JPEG", quality=40)))
    assert distance(pdq(np.asarray(again.convert("RGB")))[0], KNOWN[0][1]) <= 31
    assert distance(KNOWN[0][1], KNOWN[1][1]) > 90


def test_nothing_to_see_is_of_no_quality() -> None:
    """A hash of an even surface says so itself."""
    assert pdq(np.full((200, 300, 3), 90, np.uint8))[1] == 0
