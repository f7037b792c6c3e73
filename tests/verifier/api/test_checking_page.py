"""The page that checks a proof is served with its scripts, to be used here or saved."""

from __future__ import annotations

import pytest

from tests.verifier.api.house import House
from verifier.pages import STATIC


@pytest.mark.parametrize("name", ["check.html", "check.css", "check.js", "bundle.js", "mldsa.js"])
async def test_each_of_its_files_is_served(house: House, name: str) -> None:
    """Byte for byte, as what it is."""
    answer = await house.get(f"/verify/static/{name}", key="missing")
    assert answer.status_code == 200
    assert answer.content == (STATIC / name).read_bytes()
    kinds = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
    assert answer.headers["content-type"].startswith(kinds[name.rpartition(".")[2]])
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_it_asks_nobody_for_anything() -> None:
    """No address, and nothing that fetches, in any of its files."""
    for name in ("check.html", "check.js", "bundle.js", "mldsa.js"):
        text = (STATIC / name).read_text()
        for word in ("fetch(", "XMLHttpRequest", "import(", "http://", "WebSocket", "innerHTML"):
            assert word not in text, f"{name}: {word}"
