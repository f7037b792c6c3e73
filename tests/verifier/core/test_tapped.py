"""The link to the result of a tap."""

from __future__ import annotations

import pytest

from verifier.core import tapped

KEY = b"k" * 32
SERIAL = "AUC260218FKC5SKSEZ"
NOW = 1_771_416_000_000


def test_what_a_tap_proved_is_shown_for_ten_minutes() -> None:
    """To the millisecond, and then not any more."""
    text = tapped.write(KEY, SERIAL, "verified", 7, NOW)
    assert tapped.read(KEY, SERIAL, text, NOW) == ("verified", 7)
    assert tapped.read(KEY, SERIAL, text, NOW + 599_999) == ("verified", 7)
    assert tapped.read(KEY, SERIAL, text, NOW + 600_000) is None


def test_it_is_of_one_object_and_one_house() -> None:
    """Nobody shows one object's tap for another, or writes one without the key."""
    text = tapped.write(KEY, SERIAL, "verified", 7, NOW)
    assert tapped.read(KEY, "AUC260218OTHER00EZ", text, NOW) is None
    assert tapped.read(b"x" * 32, SERIAL, text, NOW) is None


def test_no_bit_of_it_can_be_changed() -> None:
    """Each character, and each way to leave some out."""
    text = tapped.write(KEY, SERIAL, "replayed", None, NOW)
    for at, character in enumerate(text):
        other = "B" if character != "B" else "C"
        changed = text[:at] + other + text[at + 1 :]
        # The last character of base64 has bits that mean nothing.
        if at not in (text.index(".") - 1, len(text) - 1):
            assert tapped.read(KEY, SERIAL, changed, NOW) is None, at
        assert tapped.read(KEY, SERIAL, text[:at], NOW) is None


@pytest.mark.parametrize("text", ["", ".", "..", "a.b", "é.é", "%", "A" * 5_000, "e30.e30", "\0"])
def test_what_is_no_such_link_is_no_result(text: str) -> None:
    """Whatever is in the address bar."""
    assert tapped.read(KEY, SERIAL, text, NOW) is None
