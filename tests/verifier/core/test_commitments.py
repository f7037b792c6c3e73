"""Commitments: they open to what was said, and to nothing else."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier.core.commitments import commit, opens

SALT = bytes(range(32))
OTHER = bytes(range(1, 33))

scalars = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=9)
json_values = scalars | st.lists(scalars, max_size=2)


def test_the_bytes_that_are_hashed() -> None:
    """A commitment that was signed must open for decades: prefix, salt, RFC 8785 JSON."""
    said = '{"field":"name","value":{"a":1,"z":"Zoë"}}'.encode()
    expected = hashlib.sha256(b"auction-commit/v1" + SALT + said).hexdigest()
    assert commit(SALT, "name", {"z": "Zoë", "a": 1}) == expected


@given(json_values, json_values)
def test_it_opens_to_what_was_said_alone(value: object, other: object) -> None:
    """Not to another value, another field, another salt."""
    made = commit(SALT, "price", value)
    assert opens(made, SALT, "price", value)
    assert not opens(made, SALT, "name", value)
    assert not opens(made, OTHER, "price", value)
    assert opens(made, SALT, "price", other) == (made == commit(SALT, "price", other))


def test_near_misses_do_not_open() -> None:
    """A price as text, a name in another case, a commitment in capitals or cut short."""
    made = commit(SALT, "price", 100)
    assert not opens(made, SALT, "price", "100")
    assert not opens(made, SALT, "price", True)
    assert not opens(made.upper(), SALT, "price", 100)
    assert not opens(made[:-1], SALT, "price", 100)
    assert not opens("é" * 64, SALT, "price", 100)
    assert not opens(commit(SALT, "name", "Ann"), SALT, "name", "ann")


def test_a_salt_is_32_bytes() -> None:
    """A short one could be guessed, a missing one makes the commitment a plain hash."""
    for salt in (b"", SALT[:-1], SALT + b"\x00"):
        with pytest.raises(ValueError, match="32 bytes"):
            commit(salt, "name", "Ann")
