"""The log as files: paths, what is under them, and entry bundles."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.verifier.core.test_merkle import entry, log, mth
from verifier.core.merkle import leaf_hash, node_hash
from verifier.core.tiles import (
    MAX_ENTRY,
    WIDTH,
    BadTilePath,
    bundle,
    read_level,
    read_tile_path,
    tile_nodes,
    tile_path,
    width_in,
)


@pytest.mark.parametrize(
    ("path", "index", "width"),
    [
        ("000", 0, 256),
        ("067", 67, 256),
        ("999", 999, 256),
        ("x001/000", 1000, 256),
        ("x001/x234/067", 1234067, 256),  # the specification's example
        ("x001/x234/067.p/12", 1234067, 12),
        ("000.p/1", 0, 1),
        ("000.p/255", 0, 255),
        ("x999/x999/x999/x999/x999/999", 10**18 - 1, 256),
    ],
)
def test_a_path_and_back(path: str, index: int, width: int) -> None:
    """A tile has one path, with its level or the word ``entries`` before it."""
    assert read_tile_path(path) == (index, width)
    assert tile_path(3, index, width) == f"3/{path}"
    assert tile_path("entries", index, width) == f"entries/{path}"


@given(st.integers(0, 10**18 - 1), st.integers(1, 256))
def test_any_tile_comes_back(index: int, width: int) -> None:
    """Whatever is written is read as the same tile."""
    level, _, path = tile_path(0, index, width).partition("/")
    assert (level, *read_tile_path(path)) == ("0", index, width)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "0",
        "00",
        "0000",
        "67",
        "x067",
        "x000/067",
        "x000/x001/067",
        "001/067",
        "x001/x067",
        "x1/067",
        "X001/067",
        "x001//067",
        "/067",
        "067/",
        "x001/x234/067.p",
        "067.p/",
        "067.p/0",
        "067.p/012",
        "067.p/256",
        "067.p/-1",
        "067.p/12/",
        "067.p/12.p/12",
        "067.P/12",
        "067p/12",
        "06٣",  # a digit, but not of ASCII
        "067\n",
        " 067",
        "-01",
        "../067",
        "x001/" * 6 + "067",
    ],
)
def test_no_tile_has_this_path(path: str) -> None:
    """A second spelling of a path, or no path at all, is refused."""
    with pytest.raises(BadTilePath):
        read_tile_path(path)


def test_levels() -> None:
    """Levels are 0 to 63, in one spelling."""
    assert [read_level(str(level)) for level in range(64)] == list(range(64))
    for text in ("", "64", "100", "00", "01", "-1", "+1", "1.0", "٣", "1\n", "entries"):
        with pytest.raises(BadTilePath):
            read_level(text)


def test_the_specification_s_tree_of_70000() -> None:
    """273 full tiles and one of 112 below, one full and one of 17 above, and one of one."""
    size = 70_000
    assert {width_in(0, index, size) for index in range(273)} == {WIDTH}
    assert [width_in(0, index, size) for index in (273, 274)] == [112, 0]
    assert [width_in(1, index, size) for index in (0, 1, 2)] == [WIDTH, 17, 0]
    assert [width_in(2, index, size) for index in (0, 1)] == [1, 0]
    assert [width_in(level, 0, size) for level in (3, 63)] == [0, 0]


def test_the_specification_s_tree_of_256() -> None:
    """A full tile below and one of one above."""
    assert [width_in(level, 0, 256) for level in (0, 1, 2)] == [WIDTH, 1, 0]
    assert [width_in(0, 0, size) for size in (0, 1, 255)] == [0, 1, 255]


def test_a_tile_holds_what_the_specification_says() -> None:
    """Hash i of tile n at level l is MTH(D[(256n + i)·256^l : (256n + i + 1)·256^l])."""
    size = 1100
    for level in (0, 1):
        for index in range(6):
            width = width_in(level, index, size)
            for i, node in enumerate(tile_nodes(level, index, width)):
                first = (index * 256 + i) * 256**level
                assert first + 256**level <= size
                assert log()[node] == mth(first, first + 256**level)
    assert [width_in(1, index, size) for index in (0, 1)] == [4, 0]


def test_a_full_tile_folds_into_the_tile_above() -> None:
    """A monitor that hashes up a full tile finds its root in the next level."""
    hashes = [log()[node] for node in tile_nodes(0, 2)]
    while len(hashes) > 1:
        hashes = [node_hash(*pair) for pair in zip(hashes[::2], hashes[1::2], strict=True)]
    assert hashes[0] == log()[tile_nodes(1, 0, 3)[2]]


def test_a_bundle_is_read_back_by_its_lengths() -> None:
    """Each entry stands behind its big-endian length and hashes to its leaf."""
    entries = [entry(256 + i) for i in range(10)] + [b"", b"x" * MAX_ENTRY]
    data, found = bundle(entries), []
    while data:
        (length,) = struct.unpack(">H", data[:2])
        found.append(data[2 : 2 + length])
        data = data[2 + length :]
    assert found == entries
    leaves = [log()[node] for node in tile_nodes(0, 1, 10)]
    assert [leaf_hash(one) for one in found[:10]] == leaves
    assert bundle([]) == b""
    assert bundle([b"ab", b""]) == b"\x00\x02ab\x00\x00"


def test_an_entry_that_is_too_long_is_refused() -> None:
    """An entry whose length the prefix cannot say fails before anything is written."""
    with pytest.raises(ValueError, match="65535 bytes, not 65536"):
        bundle([b"ok", b"x" * (MAX_ENTRY + 1)])
