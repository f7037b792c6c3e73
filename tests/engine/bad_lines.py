"""Servers and lines that misbehave as one likes: a server of any version, a line that cuts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

Answer = Callable[[list[bytes]], bytes]

OK = b"+OK\r\n"


def bulk(text: str) -> bytes:
    """A text as a server answers it."""
    return f"${len(text.encode())}\r\n{text}\r\n".encode()


@asynccontextmanager
async def server_that_says(answer: Answer) -> AsyncIterator[str]:
    """A server on a free port of 127.0.0.1 that answers each command by *answer*; its URL."""
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _remember(talks)
        try:
            while words := await _command(reader):
                writer.write(answer(words))
                await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    finally:
        await _end(server, talks)


async def _command(reader: asyncio.StreamReader) -> list[bytes]:
    line = await reader.readline()
    words = []
    for _ in range(int(line[1:]) if line else 0):
        size = int((await reader.readline())[1:])
        words.append((await reader.readexactly(size + 2))[:-2])
    return words


class Line:
    """A line to a server that can be cut at a chosen word, before or after it is heard."""

    def __init__(self) -> None:
        self.url = ""
        self.cuts = 0
        self._word = b""
        self._heard = False

    def cut_at(self, word: str, *, heard: bool) -> None:
        """Cut the line at the next request with *word*: once its reply is back, and lost
        (*heard*), or before the server has seen it."""
        self._word, self._heard = word.encode(), heard

    def must_cut(self, request: bytes) -> bool:
        """Whether this request is the one; it is one at most."""
        if not self._word or self._word not in request:
            return False
        self._word = b""
        self.cuts += 1
        return True

    @property
    def heard(self) -> bool:
        """Whether the request that cuts the line still gets to the server."""
        return self._heard


@asynccontextmanager
async def line_to(socket: Path) -> AsyncIterator[Line]:
    """A line to the server behind *socket*, on a socket of its own beside it."""
    line = Line()
    path = socket.with_name("line.sock")
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _remember(talks)
        there, away = await asyncio.open_unix_connection(str(socket))
        back = asyncio.create_task(_copy(there, writer))
        try:
            while request := await reader.read(1 << 20):
                if line.must_cut(request):
                    back.cancel()
                    if line.heard:
                        await _say_and_forget(request, there, away)
                    return
                away.write(request)
                await away.drain()
        finally:
            back.cancel()
            writer.close()
            away.close()

    server = await asyncio.start_unix_server(talk, str(path))
    line.url = f"unix://{path}"
    try:
        yield line
    finally:
        await _end(server, talks)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while reply := await reader.read(1 << 20):
        writer.write(reply)
        await writer.drain()


async def _say_and_forget(
    request: bytes, there: asyncio.StreamReader, away: asyncio.StreamWriter
) -> None:
    """Once anything is answered the request was carried out: a pipeline is written as one."""
    await asyncio.sleep(0)  # the other reader's cancellation comes first
    away.write(request)
    await away.drain()
    await there.read(1)


def _remember(talks: set[asyncio.Task[None]]) -> None:
    task = asyncio.current_task()
    assert task is not None
    talks.add(task)
    task.add_done_callback(talks.discard)


async def _end(server: asyncio.Server, talks: set[asyncio.Task[None]]) -> None:
    server.close()
    for task in talks:
        task.cancel()
    await asyncio.gather(*talks, return_exceptions=True)
    await server.wait_closed()
