"""Packed scripts: used while they are true, and true in what is committed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway import pages, scripts


@pytest.fixture
def static(tmp_path: Path) -> Path:
    """A copy of what is served, for changing."""
    copy = tmp_path / "static"
    shutil.copytree(pages.STATIC, copy, ignore=shutil.ignore_patterns("lots", "fonts"))
    return copy


def test_every_pack_is_made_of_what_lies_there() -> None:
    """After a change to a page's scripts: ``node tools/pack.mjs``."""
    packs = scripts.packs_of(pages.STATIC)
    assert packs
    assert [page for page in packs if not scripts.is_packed(pages.STATIC, page)] == []


def test_a_page_gets_its_pack(static: Path) -> None:
    """One file instead of twenty."""
    assert scripts.url_of(static, "lot.js") == "/static/packed/lot.js"


@pytest.mark.parametrize("changed", ["money.js", "vendor/lit.js", "packed/lot.js"])
def test_a_change_is_served_at_once(static: Path, changed: str) -> None:
    """Whatever the pack was made of, and the pack itself: nobody gets yesterday's script."""
    with (static / changed).open("a") as file:
        file.write("\n")
    assert scripts.url_of(static, "lot.js") == "/static/lot.js"


def test_what_was_never_packed_is_served_as_it_is(static: Path) -> None:
    """Without a lock there are no packs; a page that has none gets its module."""
    assert scripts.url_of(static, "offline.js") == "/static/offline.js"
    (static / "packed" / "pack.lock").unlink()
    assert not scripts.is_packed(static, "lot.js")
