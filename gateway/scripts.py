"""Which file a page's scripts come from: one that is packed, or the modules as they are written.

A pack is one small file instead of twenty, for a phone in a saleroom.  It is made by
``tools/pack.mjs`` and committed, with a lock that says what it was made of.  Where any of that
has changed since, or the pack itself has, the page gets the modules, which need no build: so
whoever changes one sees the change at once, and nobody is ever served yesterday's script.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any, Final

_PACKED: Final = "packed"
_LOCK: Final = "pack.lock"


@cache
def url_of(static: Path, page: str) -> str:
    """Where a page finds its script, by the name of its first module; looked up once."""
    return f"/static/{_PACKED}/{page}" if is_packed(static, page) else f"/static/{page}"


def is_packed(static: Path, page: str) -> bool:
    """Is there a pack of it, made of exactly what lies there now?"""
    packs = packs_of(static)
    if page not in packs:
        return False
    parts = {part: static / part for part in packs[page]["parts"]}
    hashes = {**packs[page]["parts"], _PACKED: packs[page]["sha256"]}
    files = {**parts, _PACKED: static / _PACKED / page}
    return all(_digest(file) == hashes[name] for name, file in files.items())


def packs_of(static: Path) -> dict[str, Any]:
    """What the lock says; empty where nothing was ever packed."""
    lock = static / _PACKED / _LOCK
    if not lock.is_file():
        return {}
    packs: dict[str, Any] = json.loads(lock.read_text(encoding="utf-8"))
    return packs


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
