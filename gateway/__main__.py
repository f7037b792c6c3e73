"""The Procfile's process ``gateway``: settings, the parts, uvicorn, and an orderly end.

Told to stop it drains: no new connections, every socket closed with 1012 over at most ten
seconds, decided bids still answered; then it is gone, and the deciders may go.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import structlog
import uvicorn
import uvloop

from engine import logs, presence
from engine.settings import BadSetting, refuse_to_start, unusable_data_dir
from engine.streams import StreamError, open_when_ready
from gateway import archive, keys, keys_command
from gateway.app import Gateway, build
from gateway.books import apikeys
from gateway.books.store import BooksError, open_books
from gateway.core.frames import PAGE
from gateway.core.session import PING_MS
from gateway.http import Http
from gateway.settings import GatewaySettings, read_gateway_settings
from gateway.websocket import LiveSocket

LARGEST_MESSAGE = 4_096  # bytes of one inbound frame
PONG_WITHIN_S = 8.0
SEND_BUFFER = 128 * 1024  # so that what the kernel holds for a slow reader is bounded too
BACKLOG = 2_048
KEEP_ALIVE_S = 5
READY_PATIENCE_S = 3.0  # then it serves, and /readyz says what is missing

log = structlog.stdlib.get_logger()
assert PAGE * 512 <= 256 * 1024  # a page of a resume stays within a reader's queue


class Server(uvicorn.Server):
    """uvicorn, with the signals left to us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main(argv: Sequence[str]) -> int:
    """Serve until told to stop; 0 after an orderly end, 1 when the log failed, 2 refused.

    ``keys …`` manages the API keys instead, and ends.
    """
    if argv[:1] == ["keys"]:
        return keys_command.main(argv[1:], os.environ)
    if argv:
        complaint = f"python -m gateway serves, python -m gateway keys … manages keys: not {argv}"
        return refuse_to_start(ValueError(complaint))
    try:
        settings = read_gateway_settings(os.environ)
    except BadSetting as complaint:
        return refuse_to_start(complaint)
    logs.configure(settings.log.log_format, "gateway")
    try:
        with presence.hold(settings.log.data_dir, "gateways", shared=True):
            return uvloop.run(_run(settings))
    except (BadSetting, presence.Held, keys.BadKeys, archive.ArchiveError, BooksError) as complaint:
        return refuse_to_start(complaint)
    except OSError as failure:
        return refuse_to_start(unusable_data_dir(settings.log.data_dir, failure))


async def _run(settings: GatewaySettings) -> int:
    try:
        listeners = _listen(settings)
    except OSError as error:
        taken = BadSetting("PORT", str(settings.port), f"a free port ({error.strerror})")
        return refuse_to_start(taken)
    house_keys = keys.load_or_create(settings, int(time.time() * 1000))
    try:
        connections = [await open_when_ready(settings.log.url) for _ in range(3)]
    except StreamError as error:
        return refuse_to_start(error)
    reader, writer, asker = connections
    database = archive.open_archive(settings.database_url)
    books = open_books(settings.database_url)
    gateway = Gateway(settings, house_keys, (reader, writer, asker), database, books)
    gateway.clock.read(await asker.now())
    apikeys.enter_house_keys(books, house_keys, gateway.clock.now())
    gateway.read_books()
    try:
        return await _serve(gateway, listeners)
    finally:
        for connection in connections:
            await connection.close()
        gateway.line.close()
        database.dispose()
        books.dispose()


async def _serve(gateway: Gateway, listeners: list[socket.socket]) -> int:
    working = [asyncio.create_task(task) for task in gateway.tasks()]
    stopping = asyncio.create_task(_told_to_stop())
    await _until_ready(gateway, [stopping, *working])
    server = Server(_config(gateway))
    serving = asyncio.create_task(server.serve(sockets=listeners))
    await asyncio.wait([serving, stopping, *working], return_when=asyncio.FIRST_COMPLETED)
    failed = [task for task in working if task.done()]
    if not failed:
        for listener in listeners:
            listener.close()
        await gateway.drain()
    server.should_exit = True
    await serving
    stopping.cancel()
    for task in working:
        task.cancel()
    for outcome in await asyncio.gather(*working, return_exceptions=True):
        if isinstance(outcome, StreamError):
            log.error("the gateway ended", reason=str(outcome))
        elif isinstance(outcome, Exception):
            log.error("the gateway ended", exc_info=outcome)
    return 1 if failed else 0


async def _until_ready(gateway: Gateway, ends: Sequence[asyncio.Task[None]]) -> None:
    """Let the first connections wait in the backlog until bids can be taken; not for ever.

    Gateways share the port: one that is not ready yet would answer beside one that is.
    """
    deadline = gateway.monotonic() + READY_PATIENCE_S
    while gateway.monotonic() < deadline and not any(task.done() for task in ends):
        if not await gateway.feed.missing():
            return
        await asyncio.sleep(0.02)


def _config(gateway: Gateway) -> uvicorn.Config:
    return uvicorn.Config(
        build(gateway),
        loop="none",
        http=Http,
        ws=LiveSocket,
        ws_max_size=LARGEST_MESSAGE,
        ws_ping_interval=PING_MS / 1000,
        ws_ping_timeout=PONG_WITHIN_S,
        ws_per_message_deflate=False,
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="warning",
        proxy_headers=False,  # TRUSTED_PROXIES says whom to believe (api.access)
        server_header=False,
        date_header=True,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=5,
    )


def _listen(settings: GatewaySettings) -> list[socket.socket]:
    """The public port.  The launcher has made sure that it is ours; gateways share it."""
    found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
    return [_listen_at(family, address) for family, _, _, _, address in found]


def _listen_at(family: socket.AddressFamily, address: Any) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


async def _told_to_stop() -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    await told.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
