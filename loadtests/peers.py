"""The peer that the house is measured against: as little as a server can do, and no auction.

``python -m loadtests.peers PORT``: a ``websockets`` server on uvloop.  A text of ``go K N``
has it send K frames of N bytes to every socket: each frame built once, and written to each
transport without a coroutine for each.  Anything else is echoed.  It ends with its parent.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.typing import Subprotocol

from loadtests.house import free_port, house_environment, running

LISTENS_WITHIN_S = 20.0


@contextlib.asynccontextmanager
async def peer() -> AsyncIterator[int]:
    """A peer in a process of its own; its port."""
    folder, port = Path(tempfile.mkdtemp(prefix="fairwarning-load-")), free_port()
    try:
        environ = house_environment(folder, port, {})
        async with running(["loadtests.peers", str(port)], folder, environ):
            await _until_listening(port)
            yield port
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _until_listening(port: int) -> None:
    deadline = time.monotonic() + LISTENS_WITHIN_S
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return


async def main(port: int) -> None:
    """Serve until killed."""
    crowd: set[ServerConnection] = set()

    async def attend(socket: ServerConnection) -> None:
        crowd.add(socket)
        try:
            async for text in socket:
                assert isinstance(text, str)
                if text.startswith("go "):
                    _, times, size = text.split()
                    await _broadcast(crowd, int(times), int(size))
                else:
                    await socket.send(text)
        except ConnectionClosed:
            pass  # the crowd leaves without a closing handshake
        finally:
            crowd.discard(socket)

    names = [Subprotocol("fairwarning.v1")]
    async with serve(attend, "127.0.0.1", port, compression=None, subprotocols=names):
        await asyncio.get_running_loop().create_future()


async def _broadcast(crowd: set[ServerConnection], times: int, size: int) -> None:
    text = b"x" * size
    for _ in range(times):
        frame = Frame(Opcode.TEXT, text).serialize(mask=False)
        for socket in crowd:
            socket.transport.write(frame)
        await asyncio.sleep(0)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
