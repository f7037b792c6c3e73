"""A whole house of one's own for a load test: started, waited for, and always cleared away.

``open_house`` runs ``python -m gateway.house`` on a temporary DATA_DIR and a free port of
127.0.0.1, with every limit on bids, messages and connections switched off, and nothing
inherited that could point it at somebody's real log or database.  The processes are the
Procfile's, run by the interpreter that runs the test.  However the test ends, the house is
stopped and its folder removed; where the house failed, its last lines are in ``HouseFailed``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from engine import presence
from gateway.keys import HouseKeys, load_or_create, mint_access_token
from gateway.settings import GatewaySettings, read_gateway_settings

CHECKOUT = Path(__file__).resolve().parent.parent
READY_WITHIN_S = 60.0
# The launcher gives its processes 25 s and then kills them; after that it is stuck itself.
STOPS_WITHIN_S = 35.0
POLL_S = 0.05
INSIST_EVERY_S = 0.5
DYING_S = 5.0  # from the death of one of its processes to its last line
LINES_SHOWN = 40
TOKEN_LIFETIME_S = 24 * 3600

# What a process needs of its surroundings; settings of the house are not among it.
_INHERITED = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "VIRTUAL_ENV", "AUCTION_REDIS_BIN")
_UNLIMITED = {
    "BID_RATE": "0",
    "HTTP_RATE": "0",
    "KEY_RATE": "0",
    "VERIFY_RATE": "0",
    "MESSAGE_RATE": "0",
    "CONNECTIONS_PER_ACCOUNT": "0",
    "CONNECTIONS_PER_ADDRESS": "0",
}

T = TypeVar("T")


class HouseFailed(Exception):
    """The house did not open, or ended by itself; the text holds its last lines."""


@dataclass(frozen=True, slots=True)
class House:
    """An open house."""

    settings: GatewaySettings
    keys: HouseKeys
    process: asyncio.subprocess.Process
    output: Path

    @property
    def socket_url(self) -> str:
        """Where its live protocol is spoken."""
        return f"ws://127.0.0.1:{self.settings.port}/ws"

    @property
    def log_url(self) -> str:
        """Its log, for ``engine.streams.Log.open``."""
        return self.settings.log.url

    def spectator(self) -> dict[str, str]:
        """Credentials that may follow, and not bid."""
        return {"key": self.keys.publishable_key}

    def bidder(self, consumer_id: str) -> dict[str, str]:
        """Credentials of a bidder, signed with this house's key."""
        now_ms = time.time_ns() // 1_000_000
        token = mint_access_token(self.keys, consumer_id, TOKEN_LIFETIME_S, now_ms)
        return {"key": self.keys.publishable_key, "token": token}

    async def while_open(self, work: Coroutine[Any, Any, T]) -> T:
        """Do *work*, but no longer than the house lives.  Raises ``HouseFailed``."""
        task = asyncio.ensure_future(work)
        death = asyncio.ensure_future(self.process.wait())
        try:
            await asyncio.wait({task, death}, return_when=asyncio.FIRST_COMPLETED)
            if task.done() and not task.cancelled() and task.exception() is not None:
                # The work may have felt it first: a house takes a moment to end.
                await asyncio.wait({death}, timeout=DYING_S)
            if death.done():
                raise HouseFailed(f"the house ended by itself\n{last_lines(self.output)}")
            return task.result()
        finally:
            death.cancel()
            # More than once: asyncio.wait_for of Python 3.11 forgets a cancellation that comes
            # together with its result, and work that goes on would keep the house from closing.
            while not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=INSIST_EVERY_S)
            if not task.cancelled():
                task.exception()  # looked at, for where the house's end is the greater news


@contextlib.asynccontextmanager
async def open_house(changes: Mapping[str, str] | None = None) -> AsyncIterator[House]:
    """A house that is ready to decide bids; *changes* are variables of its environment."""
    raise_file_limit()
    folder = Path(tempfile.mkdtemp(prefix="fairwarning-load-"))
    try:
        environ = house_environment(folder / "var", free_port(), changes or {})
        async with running(["gateway.house"], folder, environ) as process:
            settings = read_gateway_settings(environ)
            await _until_ready(process, settings.port, folder / "output")
            keys = load_or_create(settings, time.time_ns() // 1_000_000)
            yield House(settings, keys, process, folder / "output")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.asynccontextmanager
async def running(
    module: list[str], folder: Path, environ: Mapping[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """``python -m`` *module* as a child, with its output in ``folder/output``."""
    _write_procfile(folder)
    with (folder / "output").open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *module,
            cwd=folder,
            env=dict(environ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # Ctrl-C is for us: the house must live until our own sockets are let go.
            start_new_session=True,
            preexec_fn=partial(presence.die_with_parent, signal.SIGTERM, os.getpid()),
        )
    try:
        yield process
    finally:
        await asyncio.shield(_stop(process))


def house_environment(data_dir: Path, port: int, changes: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a house for a load test."""
    return {
        **{name: os.environ[name] for name in _INHERITED if name in os.environ},
        **_UNLIMITED,
        "PYTHONPATH": str(CHECKOUT),
        "DATA_DIR": str(data_dir),
        "PORT": str(port),
        "DEMO": "0",
        "LOG_FORMAT": "json",
        **changes,
    }


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def raise_file_limit() -> None:
    """As many open files as this user may have: a room of bidders is a socket each."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def last_lines(output: Path) -> str:
    """The end of what the house said."""
    try:
        lines = output.read_text(errors="replace").splitlines()
    except OSError as failure:
        return f"(its output cannot be read: {failure})"
    return "\n".join(lines[-LINES_SHOWN:])


def _write_procfile(folder: Path) -> None:
    procfile = (CHECKOUT / "Procfile").read_text()
    # The environment that runs the test has what the house needs, wherever it lies.
    (folder / "Procfile").write_text(procfile.replace(".venv/bin/python", sys.executable))


def run_to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Run *work*; Ctrl-C or SIGTERM ends it, once, and everything in it is cleared away.

    Raises ``SystemExit`` with 128 and the signal's number where it was ended so.
    """
    told: list[signal.Signals] = []

    async def ended_by_signals() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def end(number: signal.Signals) -> None:
            if not told:  # a second one must not keep the house from being stopped
                told.append(number)
                task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, end, number)
        return await work

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(ended_by_signals())
    except asyncio.CancelledError:
        raise SystemExit(128 + told[0]) from None


async def _stop(process: asyncio.subprocess.Process) -> None:
    for send in (process.terminate, process.kill):
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            send()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOPS_WITHIN_S)


async def _until_ready(process: asyncio.subprocess.Process, port: int, output: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    answer = "no answer"
    while process.returncode is None and time.monotonic() < deadline:
        answer = await _readiness(port)
        if answer.startswith("HTTP/1.1 200"):
            return
        await asyncio.sleep(POLL_S)
    how = "ended" if process.returncode is not None else f"was not ready in {READY_WITHIN_S:.0f} s"
    said = answer.rpartition("\r\n")[2]
    raise HouseFailed(f"the house {how} (/readyz: {said})\n{last_lines(output)}")


async def _readiness(port: int) -> str:
    try:
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(
                    b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
                )
                return (await reader.read(4096)).decode(errors="replace")
            finally:
                writer.close()
    except OSError as failure:
        return str(failure)
