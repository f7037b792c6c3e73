"""The log as files: C2SP tlog-tiles (v0.1.0), read by any monitor and cached for ever.

A *tile* is up to 256 consecutive hashes of the tree: at level 0 the leaves', and at level l
the nodes (``verifier.core.merkle``) that cover 256^l leaves each.  A *bundle* holds the
entries under a tile of level 0.  Tiles narrower than 256 are partial and carry their width
in the path; what has a path never changes.

Paths here begin behind ``/log/tile/``: ``0/x001/x234/067``, ``entries/000.p/12``.

Leaves to others: fetching the nodes and entries, and how long each may be cached.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from typing import Final, Literal

from verifier.core.merkle import Node

WIDTH: Final = 256  # hashes in a full tile
MAX_LEVEL: Final = 63
MAX_ENTRY: Final = 65535  # a bundle's length prefix is a uint16

_HEIGHT: Final = 8  # levels of the tree in a tile: 2^8 = WIDTH
# Six groups count 10^18 tiles, more than 2^63 leaves need.  A first group of x000 would give
# one tile two paths.
_PATH: Final = re.compile(
    r"((?!x000)(?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?"
)
_LEVEL: Final = re.compile(r"[0-9]|[1-5][0-9]|6[0-3]")


class BadTilePath(ValueError):
    """A path that no tile has."""


def tile_path(level: int | Literal["entries"], index: int, width: int = WIDTH) -> str:
    """The path of a tile, or of a bundle where *level* is ``entries``."""
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03}")
    partial = "" if width == WIDTH else f".p/{width}"
    return f"{level}/{'/'.join(reversed(groups))}{partial}"


def read_tile_path(path: str) -> tuple[int, int]:
    """The index and the width that ``x001/x234/067.p/12``, the part behind the level, names.

    Raises ``BadTilePath`` for anything that ``tile_path`` does not write.
    """
    found = _PATH.fullmatch(path)
    if found is None:
        raise BadTilePath("a tile's path is x001/x234/067 or x001/x234/067.p/12")
    groups, width = found.groups()
    return int(groups.replace("x", "").replace("/", "")), int(width or WIDTH)


def read_level(text: str) -> int:
    """The level of a tile, 0 to 63; raises ``BadTilePath``."""
    if not _LEVEL.fullmatch(text):
        raise BadTilePath(f"a tile's level is a number from 0 to {MAX_LEVEL}")
    return int(text)


def width_in(level: int, index: int, size: int) -> int:
    """How many hashes this tile has in a tree of *size* leaves: 0 to 256.

    For a bundle, *level* is 0 and what is counted are entries.
    """
    return max(0, min(WIDTH, (size >> level * _HEIGHT) - index * WIDTH))


def tile_nodes(level: int, index: int, width: int = WIDTH) -> list[Node]:
    """The tree's nodes that a tile holds, as (level, index), in its order."""
    return [(level * _HEIGHT, index * WIDTH + i) for i in range(width)]


def bundle(entries: Sequence[bytes]) -> bytes:
    """The bytes of an entry bundle: each entry behind its length.

    Raises ``ValueError`` for an entry of more than ``MAX_ENTRY`` bytes, which must not have
    got into the log.
    """
    for entry in entries:
        if len(entry) > MAX_ENTRY:
            raise ValueError(f"an entry has at most {MAX_ENTRY} bytes, not {len(entry)}")
    return b"".join(struct.pack(">H", len(entry)) + entry for entry in entries)
