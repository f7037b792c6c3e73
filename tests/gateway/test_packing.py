"""Static files on their way: packed where that helps, and never another text."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pytest

from gateway import pages
from gateway.packing import Packed

SCRIPT = "export const bid = 'a bid is binding';\n" * 200


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "lot.js").write_text(SCRIPT)
    (tmp_path / "font.woff2").write_bytes(bytes(4_000))
    return tmp_path


async def _got(folder: Path, path: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(Packed(directory=folder))
    sent = {"accept-encoding": "identity", **{k.replace("_", "-"): v for k, v in headers.items()}}
    async with httpx.AsyncClient(transport=transport, base_url="http://house.example") as client:
        return await client.get(path, headers=sent)


async def test_a_script_is_packed_for_who_takes_it(folder: Path) -> None:
    """The same text in far fewer bytes, and a cache is told that there are two of it."""
    packed = await _got(folder, "/lot.js", accept_encoding="gzip, br")
    plain = await _got(folder, "/lot.js")
    assert packed.text == plain.text == SCRIPT
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(SCRIPT) / 10
    assert "content-encoding" not in plain.headers
    assert packed.headers["vary"] == plain.headers["vary"] == "accept-encoding"
    assert packed.headers["content-type"] == plain.headers["content-type"]


@pytest.mark.parametrize("offer", ["", "br", "gzip;q=0", "xgzip"])
async def test_nobody_is_sent_what_they_do_not_take(folder: Path, offer: str) -> None:
    """Plain, unless gzip itself is asked for."""
    answer = await _got(folder, "/lot.js", accept_encoding=offer)
    assert "content-encoding" not in answer.headers
    assert answer.text == SCRIPT


async def test_a_font_goes_as_it_is(folder: Path) -> None:
    """It was packed when it was made."""
    answer = await _got(folder, "/font.woff2", accept_encoding="gzip")
    assert "content-encoding" not in answer.headers
    assert len(answer.content) == 4_000


async def test_who_has_it_already_is_told_so(folder: Path) -> None:
    """A 304 without a body, for the packed as for the plain."""
    first = await _got(folder, "/lot.js", accept_encoding="gzip")
    again = await _got(
        folder, "/lot.js", accept_encoding="gzip", if_none_match=first.headers["etag"]
    )
    assert (again.status_code, again.content) == (304, b"")


async def test_a_changed_file_is_packed_anew(folder: Path) -> None:
    """Even where its size is the same."""
    await _got(folder, "/lot.js", accept_encoding="gzip")
    file = folder / "lot.js"
    file.write_text(SCRIPT.replace("binding", "BINDING"))
    os.utime(file, ns=(1, 1))
    answer = await _got(folder, "/lot.js", accept_encoding="gzip")
    assert answer.text == SCRIPT.replace("binding", "BINDING")


async def test_the_lot_room_is_small_on_its_way() -> None:
    """What draws the live pages is 7 kB of others', packed (docs/decisions/0021)."""
    answer = await _got(pages.STATIC, "/vendor/lit.js", accept_encoding="gzip")
    assert int(answer.headers["content-length"]) < 7_200
