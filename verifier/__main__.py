"""The Procfile's process ``verifier``: settings, the parts, uvicorn, and an orderly end.

It listens on a Unix socket for the gateways and the clerk alone.  Told to stop it goes on for
as long as a gateway is there, whose visitors may ask for a record until the last; then it
answers what it was asked, writes down the scans that it has counted, and is gone.

``audit``, ``verify-bundle`` and ``keys`` do something else, and end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import anyio.to_thread
import structlog
import uvicorn
import uvloop

from engine import logs, presence
from engine.settings import BadSetting, refuse_to_start, unusable_data_dir
from gateway.books.store import BooksError
from gateway.keys import BadKeys, load_or_create
from gateway.settings import GatewaySettings, read_gateway_settings
from verifier import audit, bundle_command, demonstration, keys_command
from verifier.api.calls import Application, Limits, Verifier
from verifier.api.pages import PAGES
from verifier.api.routes import CALLS
from verifier.opening import open_registry
from verifier.photographs.workers import Workers
from verifier.registry import scans
from verifier.registry.scans import Counter
from verifier.store import Store

THREADS: Final = 6
BACKLOG: Final = 2_048
KEEP_ALIVE_S: Final = 60  # our gateways keep their connections; dialling anew costs them time
GATEWAYS_GONE_S: Final = 20.0  # they drain for at most 10 s: twice that is a hang
WRITE_EVERY_S: Final = 1.0  # what scans may be lost by a kill
FORGET_EVERY_S: Final = 3_600.0

log = structlog.stdlib.get_logger()


class Server(uvicorn.Server):
    """uvicorn, with the signals left to us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Serve until told to stop; 0 after an orderly end, 1 after a failure, 2 refused."""
    if argv:
        return _command(argv, environ)
    try:
        settings = read_gateway_settings(environ)
    except BadSetting as complaint:
        return refuse_to_start(complaint)
    logs.configure(settings.log.log_format, "verifier")
    try:
        with (
            presence.hold(settings.log.data_dir, "verifier"),
            presence.hold(settings.log.data_dir, "deciders", shared=True),
        ):
            return uvloop.run(_run(settings))
    except (BadSetting, presence.Held, BadKeys, BooksError) as complaint:
        return refuse_to_start(complaint)
    except OSError as failure:
        return refuse_to_start(unusable_data_dir(settings.log.data_dir, failure))


_COMMANDS: Final[Mapping[str, Callable[[Sequence[str], Mapping[str, str]], int]]] = {
    "audit": audit.main,
    "keys": keys_command.main,
    "verify-bundle": bundle_command.main,
}


_USAGE: Final = """\
python -m verifier                       serve, until told to stop
python -m verifier audit                 make everything again from the registry's rows
python -m verifier verify-bundle FILE    check a proof, without the registry
python -m verifier keys VERB             list, rotate and give up signing keys

Each tells more with --help.  Settings are read from the environment, as the house's are.
"""


def _command(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    if argv[0] in ("-h", "--help"):
        sys.stdout.write(_USAGE)
        return 0
    command = _COMMANDS.get(argv[0])
    if command is not None:
        return command(argv[1:], environ)
    complaint = f"python -m verifier has no {argv[0][:40]!r} (--help tells what it has)"
    return refuse_to_start(ValueError(complaint))


async def _run(settings: GatewaySettings) -> int:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    # More threads than this only take turns at one interpreter and one database.
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    keys = load_or_create(settings, _now_ms())
    store = open_registry(settings, keys, _now_ms())
    workers = Workers()
    verifier = _verifier(settings, store, workers)
    if keys.demo is not None:
        verifier.awaited.extend(keys.demo.serials)
    try:
        listener = listen(settings.verifier_socket)
        try:
            return await _serve(settings, verifier, listener, stopping)
        finally:
            settings.verifier_socket.unlink(missing_ok=True)
    finally:
        await workers.close()
        store.engine.dispose()


def _verifier(settings: GatewaySettings, store: Store, workers: Workers) -> Verifier:
    return Verifier(
        store=store,
        workers=workers,
        scans=Counter(store),
        limits=Limits.of(settings.verify_rate),
        now_ms=_now_ms,
        monotonic=time.monotonic,
    )


async def _serve(
    settings: GatewaySettings,
    verifier: Verifier,
    listener: socket.socket,
    stopping: asyncio.Event,
) -> int:
    working = [
        asyncio.create_task(_keep_writing_scans(verifier)),
        asyncio.create_task(_forget_scans(verifier.store)),
        asyncio.create_task(_seed(verifier)),
    ]
    told = asyncio.create_task(stopping.wait())
    server = Server(_config(verifier))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    log.info("the verifier answers", socket=str(settings.verifier_socket))
    await asyncio.wait([serving, told, *working], return_when=asyncio.FIRST_COMPLETED)
    failed = [task for task in (serving, *working) if task.done()]
    if not failed and not await presence.wait_until_free(
        settings.log.data_dir, "gateways", GATEWAYS_GONE_S
    ):
        log.warning("not waiting any longer", still_there="gateways")
    server.should_exit = True
    await asyncio.gather(serving, return_exceptions=True)
    for task in (told, *working):
        task.cancel()
    for outcome in await asyncio.gather(*working, return_exceptions=True):
        if isinstance(outcome, Exception):
            log.error("a duty of the verifier ended", exc_info=outcome)
    await _write_scans(verifier)
    if failed:
        return 1
    log.info("the verifier has answered everything")
    return 0


async def _keep_writing_scans(verifier: Verifier) -> None:
    """Write down what was counted, each second."""
    while True:
        await asyncio.sleep(WRITE_EVERY_S)
        await _write_scans(verifier)


async def _write_scans(verifier: Verifier) -> None:
    try:
        await asyncio.to_thread(verifier.scans.write, _now_ms())
    except BooksError as failure:  # the counts of this second; the next may be written
        log.warning("scans cannot be written", reason=str(failure))


async def _seed(verifier: Verifier) -> None:
    """Enter the demonstration's objects, where there is one, and then nothing more."""
    serials = tuple(verifier.awaited)
    try:
        async for ready in demonstration.seed(verifier.store, verifier.workers, serials, _now_ms()):
            verifier.awaited.remove(ready)
    except Exception as failure:
        # The next start goes on; what is told of these objects waits for it.  A demonstration
        # is no reason to end a house, whatever went wrong with it.
        log.error("the demonstration's objects are not all entered", exc_info=failure)
    await asyncio.Event().wait()


async def _forget_scans(store: Store) -> None:
    """Delete now and then what is too old to be kept."""
    while True:
        try:
            await asyncio.to_thread(scans.forget_old, store, _now_ms())
        except BooksError as failure:
            log.warning("old scans cannot be deleted", reason=str(failure))
        await asyncio.sleep(FORGET_EVERY_S)


def _config(verifier: Verifier) -> uvicorn.Config:
    return uvicorn.Config(
        Application(verifier, (*CALLS, *PAGES)),
        loop="none",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="warning",
        proxy_headers=False,  # who asks, the gateway says in a header of its own
        server_header=False,
        date_header=False,  # the gateway's
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=5,
    )


def listen(path: Path) -> socket.socket:
    """A socket that only this user can open.  The lock ``verifier`` is held: a file that lies
    there is a dead one's.  Raises ``OSError``, and ``BadSetting`` where the folder is not ours.
    """
    folder = path.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    private = stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) & 0o022 == 0
    if not private or found.st_uid != os.getuid():
        raise BadSetting("DATA_DIR", str(folder), "a folder that only this user can write")
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)  # with its name it has its mode: nobody comes in between
    try:
        listener.bind(str(path))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    listener.setblocking(False)
    return listener


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
