"""The service worker as the house gives it out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from gateway import pages, shell


async def _got(path: str) -> httpx.Response:
    transport = httpx.ASGITransport(Starlette(routes=shell.routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://house.example") as client:
        return await client.get(path)


async def test_the_worker_is_never_kept_and_names_files_that_are_there() -> None:
    """It is asked for anew each time; its list is of the shell, and one missing file would
    keep the browser from taking it."""
    answer = await _got("/sw.js")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-type"].startswith("text/javascript")
    found = re.search(r"^const SHELL = (.*);$", answer.text, re.M)
    assert found
    listed = json.loads(found[1])
    assert "/static/tokens.css" in listed
    assert "/static/vendor/lit.js" in listed
    for path in listed:
        if path.startswith("/static/"):
            assert (pages.STATIC / path.removeprefix("/static/")).is_file()
        else:
            assert (await _got(path)).status_code == 200
    assert not [path for path in listed if "/lots/" in path or path.startswith("/api/")]


def test_a_changed_file_makes_another_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One byte of one file, and the browser takes the shell anew."""
    (tmp_path / "sw.js").write_text("")
    (tmp_path / "lot.js").write_text("let a = 1")
    monkeypatch.setattr(pages, "STATIC", tmp_path)
    made = []
    for text in ("let a = 1", "let a = 2"):
        (tmp_path / "lot.js").write_text(text)
        shell._worker.cache_clear()
        made.append(shell._worker())
    shell._worker.cache_clear()
    assert made[0] != made[1]
