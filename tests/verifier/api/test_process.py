"""The process itself: its socket, its keys from the command line, and an orderly end."""

from __future__ import annotations

import json
import os
import signal
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from engine import presence
from tests.processes import Running, environment, python
from verifier.__main__ import main
from verifier.core import notes
from verifier.tables import scans


def line_to(folder: Path) -> httpx.Client:
    """A line to the socket of the verifier of that DATA_DIR."""
    transport = httpx.HTTPTransport(uds=str(folder / "verifier.sock"))
    return httpx.Client(transport=transport, base_url="http://verifier", timeout=30)


@contextmanager
def verifier(folder: Path, **more: str | Path) -> Iterator[tuple[Running, httpx.Client]]:
    """A verifier of that DATA_DIR, and a line to its socket."""
    variables = environment(DATA_DIR=folder, DEMO="0", LOG_FORMAT="json", **more)
    with Running(python("-m", "verifier"), variables) as process:
        process.line_with("the verifier answers")
        with line_to(folder) as web:
            yield process, web


Said = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Said:
    """What a command says of the house in this folder, line by line, and how it ends."""

    def run(*arguments: str, **more: str) -> tuple[int, list[str]]:
        code = main(arguments, environment(DATA_DIR=tmp_path, DEMO="0", **more))
        captured = capsys.readouterr()
        return code, (captured.out + captured.err).splitlines()

    return run


def signers(web: httpx.Client) -> set[bytes]:
    """The ids of the keys that have signed the newest checkpoint; all of them are given out."""
    note = web.get("/log/checkpoint").text
    known = [notes.read_vkey(line) for line in web.get("/log/vkeys").text.splitlines()]
    return {vkey.key_id for vkey in notes.verify_note(note, known)}


def test_it_serves_this_user_alone_and_ends_in_order(tmp_path: Path) -> None:
    """A private socket, also over a dead one's; told to stop it answers until the gateways go."""
    (tmp_path / "verifier.sock").write_text("left by a dead one")
    with verifier(tmp_path) as (process, web):
        socket = tmp_path / "verifier.sock"
        assert stat.S_ISSOCK(socket.stat().st_mode)
        assert stat.S_IMODE(socket.stat().st_mode) == 0o600
        assert web.get("/internal/jwks").status_code == 200
        assert web.get("/api/v1/auction/public/verify/AUC260218FKC5SKSEZ").status_code == 404
        # Another of the same folder does not take its place.
        with Running(python("-m", "verifier"), environment(DATA_DIR=tmp_path, DEMO="0")) as second:
            assert second.ended() == 2
            assert "held by another process" in second.lines[-1]
        with presence.hold(tmp_path, "gateways", shared=True):
            process.signal(signal.SIGTERM)
            # Half a second of new connections: without a gateway it is gone in a tenth.
            until_s = time.monotonic() + 0.5
            while time.monotonic() < until_s:
                with line_to(tmp_path) as new:
                    assert new.get("/internal/happenings").status_code == 200
        assert process.ended() == 0
        assert not socket.exists()


def test_a_deep_folder_has_its_socket_elsewhere(tmp_path: Path) -> None:
    """Where the path is too long for a socket it lies in a private folder of this user."""
    deep = tmp_path / ("d" * 100)
    variables = environment(
        DATA_DIR=deep, DEMO="0", LOG_FORMAT="json", TMPDIR=tempfile.gettempdir()
    )
    with Running(python("-m", "verifier"), variables) as process:
        line = process.line_with("the verifier answers")
        socket = Path(line.partition('"socket": "')[2].partition('"')[0])
        assert len(os.fsencode(socket)) < 108
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
        process.signal(signal.SIGINT)
        assert process.ended() == 0
    socket.parent.rmdir()


def test_keys_change_under_a_verifier_that_runs(tmp_path: Path, said: Said) -> None:
    """A key that is rotated from the command line signs the next checkpoint, and the log says so;
    one that was given up is told apart in the list."""
    with verifier(tmp_path) as (_, web):
        before = signers(web)
        code, lines = said("keys", "rotate", "log")
        assert code == 0
        after = signers(web)
        assert len(before) == len(after) == 2
        assert len(before & after) == 1  # ML-DSA's stays
        kid = lines[-1].split()[-1]
        code, lines = said("keys", "compromise", kid, "--since-size", "4")
        assert code == 0
        assert "replaced by" in lines[-1]
        listed = "\n".join(said("keys", "list")[1])
        assert f"{kid}  log" in listed
        assert "compromised from entry 4" in listed
        assert len(web.get("/internal/jwks").json()["keys"]) == 5
        assert len(signers(web)) == 2


def test_what_cannot_be_done_is_one_line(said: Said) -> None:
    """A wrong word, an unknown key, a bad setting: exit code 2, and what would be right."""
    for arguments, words in (
        (("keys", "rotate", "everything"), "invalid choice"),
        (("keys", "compromise", "nobody"), "there is no key 'nobody'"),
        (("keys", "compromise", "x", "--since-size", "-1"), "expected"),
        (("keys",), "required"),
        (("sing",), "no 'sing'"),
    ):
        code, lines = said(*arguments)
        assert code == 2, arguments
        assert len(lines) == 1
        assert words in lines[0]
    assert said("keys", "list", VERIFY_RATE="fast")[0] == 2
    code, lines = said(VERIFY_RATE="fast")
    assert code == 2
    assert "VERIFY_RATE='fast'" in lines[0]
    code, lines = said("--help")
    assert code == 0
    assert any("verify-bundle FILE" in line for line in lines)


def test_what_was_counted_is_written_before_the_end(tmp_path: Path) -> None:
    """The scans of the last second are in the books when it is gone."""
    key = {"status": "valid", "mode": "test", "scopes": ["provenance:write"]}
    house = {"x-fairwarning-caller": json.dumps({"address": "203.0.113.7", "key": key})}
    with verifier(tmp_path) as (process, web):
        body = {"title": "A print", "category": "other"}
        made = web.post("/api/v1/auction/objects/register", json=body, headers=house)
        serial = made.json()["object"]["serial"]
        for _ in range(7):
            assert web.get(f"/api/v1/auction/public/verify/{serial}").status_code == 200
        process.signal(signal.SIGTERM)
        assert process.ended() == 0
        process.line_with("answered everything")
    engine = sa.create_engine(f"sqlite:///{tmp_path}/verifier.db")
    with engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.sum(scans.c.times))) == 7
    engine.dispose()
