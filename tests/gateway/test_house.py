"""The launcher, with real processes: small programs in the places of engine and gateway."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import CHECKOUT, Running, environment, free_port, is_alive, python, until

# Answers /readyz and stays; what a gateway is to the launcher.
GATEWAY = """
import http.server, os, signal, socketserver, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == '/readyz' else 404); self.end_headers()
    def log_message(self, *_): pass
class Shared(socketserver.TCPServer):
    allow_reuse_address = True; allow_reuse_port = True
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print('gateway at', os.environ['PORT'], os.environ['LOG_FORMAT'], os.getpid(), flush=True)
Shared(('127.0.0.1', int(os.environ['PORT'])), Answer).serve_forever()
"""

# Stays until it is told to stop, or does with {dies} what the test wants.
SLEEPER = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print('sleeper told', flush=True), sys.exit(0)))
print('sleeper', os.getpid(), flush=True)
{dies}
time.sleep(600)
"""


class Saleroom:
    """A folder with programs and a Procfile, and the environment to open a house there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data_dir = folder / "var"
        self.port = free_port()
        self.procfile = folder / "Procfile"
        self.has(gateway=GATEWAY, engine=SLEEPER.format(dies=""))

    def has(self, **programs: str) -> None:
        """Write the programs, and the Procfile that starts them."""
        lines = []
        for name, program in programs.items():
            file = self.folder / f"{name}.py"
            file.write_text(program)
            lines.append(f"{name}: {sys.executable} {file}\n")
        self.procfile.write_text("".join(lines))

    def command(self) -> list[str]:
        start = "import sys, pathlib; from gateway import house\n"
        return python("-c", start + f"sys.exit(house.main(pathlib.Path({str(self.procfile)!r})))")

    def opened(self, **variables: str | Path) -> Running:
        env = {"DATA_DIR": str(self.data_dir), "PORT": str(self.port), "HOST": "127.0.0.1"}
        env.update({name: str(value) for name, value in variables.items()})
        return Running(self.command(), environment(**env))

    def assert_refuses(self, *said: str, **variables: str | Path) -> None:
        """Exit code 2 and one line that says it; nothing was started."""
        with self.opened(**variables) as house:
            assert house.ended() == 2
            assert len(house.lines) == 1, house.lines
            for words in said:
                assert words in house.lines[0]


@pytest.fixture
def saleroom(tmp_path: Path) -> Saleroom:
    return Saleroom(tmp_path)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Another program's socket, which shares its port with whoever asks for sharing."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other


def pid_in(line: str) -> int:
    return int(line.split()[-1])


def test_when_it_is_open_it_says_where_everything_is(saleroom: Saleroom) -> None:
    """The block: addresses, keys.json, the publishable key, and who may bid with which link."""
    with saleroom.opened() as house:
        house.line_with("paddle 105")
        said = "\n".join(house.lines)
        url = f"http://127.0.0.1:{saleroom.port}"
        assert f"{url}/\n" in said
        assert f"ws://127.0.0.1:{saleroom.port}/ws" in said
        assert str(saleroom.data_dir / "keys.json") in said
        assert "pk_test_" in said
        link = house.line_with("Ada Lindqvist").split()[-1]
        assert link.startswith(f"{url}/sign-in/")
        assert "?next=/lot/auction_" in link
        for who in ("the auctioneer", "the clerk"):
            link = house.line_with(who).split()[-1]
            assert link.startswith(f"{url}/sign-in/")
        assert "sk_test_" not in said
        assert "optr_test_" not in said


def test_without_a_demonstration_nobody_is_introduced(saleroom: Saleroom) -> None:
    """DEMO=0: the addresses, and no invented people."""
    with saleroom.opened(DEMO="0") as house:
        house.line_with("publishable key")
        house.signal(signal.SIGTERM)
        assert house.ended() == 0
        assert "paddle" not in "\n".join(house.lines)


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_tells_everyone_and_waits(saleroom: Saleroom, told: signal.Signals) -> None:
    """Every process is told, has ended, and the house ends with exit code 0."""
    with saleroom.opened() as house:
        house.line_with("The house is open")
        processes = [pid_in(house.line_with(name)) for name in ("sleeper ", "gateway at")]
        house.signal(told)
        assert house.ended() == 0
        assert "sleeper told" in "\n".join(house.lines)
        assert house.lines[-1] == "the house has stopped"
        assert not any(is_alive(pid) for pid in processes)


def test_told_to_stop_by_make(saleroom: Saleroom, tmp_path: Path) -> None:
    """SIGTERM to "make run" reaches the house, and make waits until it has ended."""
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    fake = venv / "bin" / "python"
    words = " ".join(f"'{word}'" for word in saleroom.command()[:2])
    program = saleroom.command()[2].replace("'", '"')
    fake.write_text(f"#!/bin/sh\nexec {words} '{program}'\n")
    fake.chmod(0o755)
    for stamp in (".made", ".runtime"):
        (venv / stamp).touch()
    env = environment(DATA_DIR=saleroom.data_dir, PORT=str(saleroom.port))
    with Running(["make", "run", f"VENV={venv}"], env, CHECKOUT) as make:
        make.line_with("The house is open")
        processes = [pid_in(make.line_with(name)) for name in ("sleeper ", "gateway at")]
        make.signal(signal.SIGTERM)
        make.ended()
        assert not any(is_alive(pid) for pid in processes)
        assert "the house has stopped" in make.lines
        assert not any("Error" in line for line in make.lines)


@pytest.mark.parametrize(
    ("dies", "words"),
    [
        ("sys.exit(3)", "exit code 3"),
        ("sys.exit(0)", "exit code 0"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL"),
        ("1 / 0", "exit code 1"),
    ],
)
def test_when_one_dies_all_stop(saleroom: Saleroom, dies: str, words: str) -> None:
    """The last line names who died and how; the others were told; exit code 1."""
    saleroom.has(gateway=GATEWAY, engine=SLEEPER.format(dies=dies))
    with saleroom.opened() as house:
        assert house.ended() == 1
        assert house.lines[-1] == f"engine.1 died ({words}); the house has stopped"
        assert not is_alive(
            pid_in(house.line_with("gateway.1 started").replace(")", "").replace("=", " "))
        )


def test_a_process_that_ends_badly_is_named(saleroom: Saleroom) -> None:
    """An orderly stop in which one process failed is not called orderly."""
    stubborn = SLEEPER.format(dies="signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))")
    saleroom.has(gateway=GATEWAY, engine=stubborn + "print('never')")
    with saleroom.opened() as house:
        house.line_with("The house is open")
        house.line_with("sleeper ")
        house.signal(signal.SIGTERM)
        assert house.ended() == 1
        assert "engine.1 (exit code 7)" in house.lines[-1]


def test_nobody_outlives_a_killed_house(saleroom: Saleroom) -> None:
    """kill -9 of the launcher ends every process, and the next start finds all free."""
    with saleroom.opened() as house:
        house.line_with("The house is open")
        processes = [pid_in(house.line_with(name)) for name in ("sleeper ", "gateway at")]
        house.signal(signal.SIGKILL)
        house.ended()
    with saleroom.opened() as house:  # at once: it has patience with the dying
        house.line_with("The house is open")
    until(lambda: not any(is_alive(pid) for pid in processes), "their deaths")


def test_told_to_stop_before_all_have_started(saleroom: Saleroom) -> None:
    """A signal that comes too early for honcho is not forgotten."""
    early = (
        "import os, pathlib, sys, time; from gateway import house, keys, settings\n"
        "found = settings.read_gateway_settings(os.environ)\n"
        "found.log.data_dir.mkdir()\n"
        "early = house.House(found, keys.load_or_create(found, time.time_ns() // 1_000_000))\n"
        f"early.take_in(pathlib.Path({str(saleroom.procfile)!r}))\n"
        "early.terminate(); early.loop(); sys.exit(early.farewell())"
    )
    env = environment(DATA_DIR=saleroom.data_dir, PORT=str(saleroom.port))
    with Running(python("-c", early), env) as house:
        assert house.ended() == 0
        assert house.lines[-1] == "the house has stopped"


def test_a_process_that_does_not_stop_is_killed(saleroom: Saleroom) -> None:
    """Where nobody reacts, the house still comes to an end, and says so."""
    deaf = SLEEPER.format(dies="signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf')")
    saleroom.has(engine=deaf)
    impatient = saleroom.command()[2].replace(
        "from gateway import house", "from gateway import house; house._STOP_WITHIN_S = 0.3"
    )
    env = environment(DATA_DIR=saleroom.data_dir, PORT=str(saleroom.port))
    with Running(python("-c", impatient), env) as house:
        house.line_with("deaf")
        house.signal(signal.SIGTERM)
        assert house.ended() == 1
        assert "engine.1 (killed by SIGKILL)" in house.lines[-1]


def test_as_many_of_each_as_were_asked_for(saleroom: Saleroom) -> None:
    """GATEWAYS and ENGINES count; all gateways are given the one port."""
    with saleroom.opened(GATEWAYS="3", ENGINES="2") as house:
        for name in ("gateway.1", "gateway.2", "gateway.3", "engine.1", "engine.2"):
            house.line_with(f"{name} started")
        for number in (1, 2, 3):
            house.line_with(f"gateway.{number} | gateway at {saleroom.port}")
        assert not any("gateway.4" in line or "engine.3" in line for line in house.lines)


def test_the_processes_log_as_the_house_does(saleroom: Saleroom) -> None:
    """They write into a pipe and cannot see who reads; they are told."""
    with saleroom.opened(LOG_FORMAT="console") as house:
        assert f"{saleroom.port} console" in house.line_with("gateway at")
    with saleroom.opened() as house:
        assert f"{saleroom.port} json" in house.line_with("gateway at")


# What is refused before anything starts.


def test_a_second_house_is_refused(saleroom: Saleroom) -> None:
    """One folder, one house, on whatever port; the first goes on."""
    with saleroom.opened() as house:
        house.line_with("The house is open")
        saleroom.assert_refuses(
            f"DATA_DIR='{saleroom.data_dir}'", f"(pid {house.pid})", PORT=str(free_port())
        )
        assert is_alive(house.pid)


def test_a_taken_port_is_refused(saleroom: Saleroom, listener: socket.socket) -> None:
    """Also where its owner would share it, as another house would."""
    port = listener.getsockname()[1]
    saleroom.assert_refuses(f"PORT='{port}'", "already taken", PORT=str(port))
    saleroom.assert_refuses(f"PORT='{port}'", "already taken", PORT=str(port), HOST="0.0.0.0")


def test_an_address_of_another_machine(saleroom: Saleroom) -> None:
    """An address nobody here has, and a name nobody has."""
    saleroom.assert_refuses("HOST='192.0.2.1'", "an address of this machine", HOST="192.0.2.1")
    saleroom.assert_refuses("HOST='no.invalid'", "an address of this machine", HOST="no.invalid")


def test_a_data_dir_under_a_file(saleroom: Saleroom, tmp_path: Path) -> None:
    """A path that leads through a file."""
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "var"
    saleroom.assert_refuses(f"DATA_DIR='{folder}'", "a folder this user can write", DATA_DIR=folder)


def test_a_data_dir_that_is_read_only(saleroom: Saleroom, read_only_folder: Path) -> None:
    """A folder that is there and cannot be written, and one that cannot be made."""
    for folder in (read_only_folder, read_only_folder / "var"):
        saleroom.assert_refuses(f"DATA_DIR='{folder}'", "can write", DATA_DIR=folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("HOST", "not a host"),
        ("REDIS_URL", "localhost"),
        ("REDIS_URL", "redis+sentinel://h"),
        ("DATABASE_URL", "oracle://h"),
        ("DEMO", "maybe"),
        ("LOG_FORMAT", "xml"),
        ("BID_RATE", "fast"),
        ("MESSAGE_RATE", "1"),
        ("CONNECTIONS_PER_ACCOUNT", "few"),
        ("CONNECTIONS_PER_ADDRESS", "-1"),
        ("PUBLIC_URL", "sale.test"),
        ("ALLOWED_ORIGINS", "sale.test"),
        ("PRICE_MERGE_MS", "1.5"),
        ("GATEWAYS", "0"),
        ("ENGINES", "0"),
        ("SHARDS", "0"),
    ],
)
def test_every_bad_variable_stops_the_start(saleroom: Saleroom, name: str, value: str) -> None:
    """One line with name and value, exit code 2, and no folder made."""
    saleroom.assert_refuses(f"fairwarning: {name}='{value}", **{name: value})
    assert not saleroom.data_dir.exists()


def test_a_master_key_that_cannot_be_used(saleroom: Saleroom, tmp_path: Path) -> None:
    """MASTER_KEY_FILE is checked before anything starts, too."""
    saleroom.assert_refuses("MASTER_KEY_FILE='", MASTER_KEY_FILE=tmp_path)


def test_a_procfile_that_is_not_there(saleroom: Saleroom) -> None:
    """Started in the wrong folder, it says where to start."""
    saleroom.procfile.unlink()
    saleroom.assert_refuses("Procfile", "start in the checkout's folder")
    saleroom.procfile.write_text("# nobody\n")
    saleroom.assert_refuses("names no process")


def test_the_procfile_names_what_the_makefile_makes() -> None:
    """Every process runs in .venv, and its module is there."""
    for line in (CHECKOUT / "Procfile").read_text().splitlines():
        name, _, command = line.partition(": ")
        program, flag, module = command.split()
        assert (program, flag) == (".venv/bin/python", "-m"), name
        path = CHECKOUT / module.replace(".", os.sep)
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), name
