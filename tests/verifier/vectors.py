"""Published test vectors: the shared ones beside the checkout, and the few of our own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import CHECKOUT

SHARED = CHECKOUT.parent / "shared" / "vectors"
OWN = Path(__file__).parent / "data"

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared vectors are not here")


def shared(name: str) -> Any:
    """A file of the shared vectors, under the path that its README names."""
    return json.loads((SHARED / name).read_text())


def own(name: str) -> Any:
    """A file of this repository's own vectors; each says where it is from."""
    return json.loads((OWN / name).read_text())


def flips(data: bytes) -> Iterator[bytes]:
    """The data with one bit changed, for every bit."""
    for bit in range(len(data) * 8):
        changed = bytearray(data)
        changed[bit >> 3] ^= 1 << (bit & 7)
        yield bytes(changed)
