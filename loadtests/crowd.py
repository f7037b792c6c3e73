"""Sockets that cost as little as they can: a raw protocol that reads frame headers and counts.

The benchmarks listen with these, to the house and to the peers alike, so that the client is
the same on both sides of every ratio and as far from being the bottleneck as Python allows.
Only what a server sends is understood: unmasked, unfragmented frames.
"""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Callable
from typing import cast

_MASK = b"\0\0\0\0"  # RFC 6455 wants it random against proxies in between; here is none
OPENS_WITHIN_S = 30.0
DIALS_AT_ONCE = 64
READ_BYTES = 1 << 18


class Broken(Exception):
    """A server refused the handshake or closed the line."""


class Ear(asyncio.Protocol):
    """One socket: counts data frames, and hands their payloads on where that is wanted."""

    def __init__(self, host: str, heard: Callable[[bytes], None] | None = None) -> None:
        self.frames = 0
        self.heard = heard
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport
        self.descriptor = -1
        self._host = host
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one, but not by class
        self.descriptor = self.transport.get_extra_info("socket").fileno()
        key = base64.b64encode(os.urandom(16)).decode()
        self.transport.write(
            f"GET /ws HTTP/1.1\r\nHost: {self._host}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: fairwarning.v1\r\n\r\n".encode()
        )

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(Broken(f"the line closed in the handshake: {exc}"))

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data, self._rest = self._rest + data, b""
        if not self.opened.done():
            data = self._greeted(data)
        position, size = 0, len(data)
        while size - position >= 2:
            length, start = data[position + 1], position + 2
            if length == 126:
                length = int.from_bytes(data[start : start + 2], "big")
                start += 2
            elif length == 127:
                length = int.from_bytes(data[start : start + 8], "big")
                start += 8
            if start + length > size:
                break
            self._frame(data[position] & 0x0F, data, start, start + length)
            position = start + length
        if position < size:
            self._rest = data[position:]

    def say(self, text: bytes) -> None:
        """Send one text frame of less than 64 KiB."""
        size = len(text)
        head = bytes((0x81, 0x80 | size)) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
        self.transport.write(head + _MASK + text)

    def _greeted(self, data: bytes) -> bytes:
        head, found, rest = data.partition(b"\r\n\r\n")
        if not found:
            self._rest = data
            return b""
        if not head.startswith(b"HTTP/1.1 101"):
            self.opened.set_exception(Broken(head[:200].decode(errors="replace")))
        else:
            self.opened.set_result(None)
        return rest

    def _frame(self, opcode: int, data: bytes, start: int, end: int) -> None:
        if opcode == 1:
            self.frames += 1
            if self.heard is not None:
                self.heard(data[start:end])
        elif opcode == 9:  # a ping: the pong carries the same
            self.transport.write(bytes((0x8A, 0x80 | (end - start))) + _MASK + data[start:end])


async def gather_crowd(
    port: int, count: int, heard: Callable[[int, bytes], None] | None = None
) -> list[Ear]:
    """*count* open sockets; *heard* gets each socket's number with what it hears."""
    door = asyncio.Semaphore(DIALS_AT_ONCE)
    async with asyncio.timeout(OPENS_WITHIN_S):
        return await asyncio.gather(*(_come(port, door, n, heard) for n in range(count)))


async def _come(
    port: int, door: asyncio.Semaphore, number: int, heard: Callable[[int, bytes], None] | None
) -> Ear:
    mine = None if heard is None else lambda payload: heard(number, payload)
    async with door:
        loop = asyncio.get_running_loop()
        make = lambda: Ear(f"127.0.0.1:{port}", mine)  # noqa: E731  # a factory, used once
        _, ear = await loop.create_connection(make, "127.0.0.1", port)
        await ear.opened
        return ear


def read_in_sweeps(crowd: list[Ear]) -> None:
    """From now on nobody is read when something comes, but all together in ``sweep``."""
    for ear in crowd:
        ear.transport.pause_reading()


def sweep(crowd: list[Ear]) -> None:
    """Read what has come to each of a crowd that is read in sweeps, without waiting.

    What came since the last sweep is one system call for each socket, however many frames it
    is: a crowd of thousands is then far cheaper than the server that it listens to.
    """
    for ear in crowd:
        try:
            data = os.read(ear.descriptor, READ_BYTES)
        except BlockingIOError:
            continue
        if not data:
            raise Broken(f"the server closed a line after {ear.frames} frames")
        ear.data_received(data)


def disperse(crowd: list[Ear]) -> None:
    """Let all lines go."""
    for ear in crowd:
        ear.transport.abort()
