"""The canonical form: one text for each value, and nothing read that has two meanings."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.verifier.vectors import flips, needs_shared, own, shared
from verifier.core.canonical import (
    MAX_DEPTH,
    MAX_INT,
    NotCanonical,
    canonical,
    digest,
    read,
    read_canonical,
)

# Whole numbers past 2^53 can be written, but are refused where they are read.
floats = st.floats(allow_nan=False, allow_infinity=False).filter(
    lambda number: abs(number) <= MAX_INT or abs(number) >= 1e21
)
texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INT, MAX_INT) | floats | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=20,
)


def check_case(text: bytes, expected: bytes) -> None:
    value = read(text)
    assert canonical(value) == expected
    assert read_canonical(expected) == value
    assert digest(value) == hashlib.sha256(expected).hexdigest()
    for changed in flips(expected):
        try:
            assert read_canonical(changed) != value
        except NotCanonical:
            continue


def check_number(bits: str, expected: str | None) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    if expected is None:
        with pytest.raises(NotCanonical):
            canonical(number)
    else:
        assert canonical(number) == expected.encode()


@pytest.mark.parametrize("case", own("jcs.json")["cases"], ids=lambda case: case["name"])
def test_the_examples_of_the_rfc(case: dict[str, str]) -> None:
    """What RFC 8785 shows is what is written, and no single bit of it can be changed."""
    check_case(case["input"].encode(), case["output"].encode())


@pytest.mark.parametrize(("bits", "expected"), own("jcs.json")["numbers"])
def test_the_numbers_of_the_rfc(bits: str, expected: str | None) -> None:
    """A double has the one spelling that RFC 8785's appendix B gives it."""
    check_number(bits, expected)


@needs_shared
def test_all_published_vectors() -> None:
    """Every document and every number of the shared vectors."""
    vectors = shared("jcs_rfc8785.json")
    assert vectors.keys() == {"provenance", "cases", "numbers"}
    for case in vectors["cases"]:
        expected = bytes.fromhex(case["output_hex"])
        assert case["output_utf8"].encode() == expected
        check_case(case["input_utf8"].encode(), expected)
        if case["input_utf8"].encode() != expected:
            with pytest.raises(NotCanonical):
                read_canonical(case["input_utf8"].encode())
    for number in vectors["numbers"]:
        check_number(number["ieee754_hex"], number["expected"])
    assert (len(vectors["cases"]), len(vectors["numbers"])) == (6, 26)


@given(values)
def test_what_is_written_reads_as_itself(value: Any) -> None:
    """A value comes back from its canonical form, which is read as canonical."""
    assert read_canonical(canonical(value)) == value


@pytest.mark.parametrize(
    "value",
    [
        MAX_INT + 1,
        -MAX_INT - 1,
        float("nan"),
        float("-inf"),
        "\ud800",
        {"\udfff": 1},
        {1: "one"},
        {None: "none"},
        {"a": b"bytes"},
        {1, 2},
        object(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_written(value: object) -> None:
    """A value that another reader could take for a different one is refused, at any depth."""
    for document in (value, [value], {"deep": [{"er": value}]}):
        with pytest.raises(NotCanonical):
            canonical(document)


def test_the_largest_integers_are_written_and_read() -> None:
    """±(2^53-1) is the last integer that everybody reads alike."""
    for number in (MAX_INT, -MAX_INT):
        assert read_canonical(canonical(number)) == number


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[1] 2",
        b"{'a':1}",
        b"[1,]",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e999",
        b"-1e999",
        b"9007199254740992",
        b"-9007199254740992",
        b"1" * 5000,
        b"01",
        b"+1",
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":2}',
        b'[{"b":{"c":1,"c":2}}]',
        b'"\\ud800"',
        b'"\\udc00\\ud800"',
        b'{"\\ud800":1}',
        b'["ok",["\\udfff"]]',
        b'"\xff"',
        b'"\xed\xa0\x80"',  # a surrogate in UTF-8
        b'"\xc0\xaf"',  # an overlong slash
        b'\xef\xbb\xbf"a"',  # a byte order mark
        '"a"'.encode("utf-16"),
        b'"\x01"',
        b"[" * 100_000 + b"]" * 100_000,
    ],
)
def test_what_is_not_read(text: bytes) -> None:
    """A text that is no JSON, or that readers disagree about, is refused."""
    with pytest.raises(NotCanonical):
        read(text)


def test_depth_has_an_end() -> None:
    """``MAX_DEPTH`` levels are read, and one more is not, in arrays as in objects."""
    for opening, inner, closing in ((b"[", b"", b"]"), (b'{"a":', b"{}", b"}")):
        levels = MAX_DEPTH - inner.count(b"{")
        read(opening * levels + inner + closing * levels)
        with pytest.raises(NotCanonical, match="deep"):
            read(opening * (levels + 1) + inner + closing * (levels + 1))


def test_a_bottomless_value_is_refused() -> None:
    """A list that holds itself ends as a refusal, not as a crash."""
    bottomless: list[Any] = []
    bottomless.append(bottomless)
    with pytest.raises(NotCanonical, match="deep"):
        canonical(bottomless)


@pytest.mark.parametrize(
    "text",
    [b'{"b":1,"a":2}', b'{ "a":1}', b"1.0", b"1e2", b"-0", b'"\\u0041"', b'"\\/"', b"1\n"],
)
def test_another_spelling_is_not_canonical(text: bytes) -> None:
    """What callers may send is still refused where the one spelling is asked for."""
    read(text)
    with pytest.raises(NotCanonical, match="differs"):
        read_canonical(text)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=4), inner, max_size=4)
        | st.tuples(inner)
    ),
    max_leaves=20,
)


@given(PLAIN)
@settings(max_examples=500, deadline=None)
def test_the_fast_way_writes_what_the_library_writes(value: Any) -> None:
    """Whatever it is: the same bytes, or the same refusal."""
    try:
        expected = rfc8785.dumps(value)
    except ValueError:
        with pytest.raises(NotCanonical):
            canonical(value)
    else:
        assert canonical(value) == expected
