"""Two ends of a live connection: one that keeps the protocol, and one that need not.

``Live`` speaks the protocol over the ``websockets`` library.  ``RawSocket`` writes the bytes
of RFC 6455 itself, so that it can also do what no library would.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Self

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from gateway.core.wire.live import Told
from tests.integration.open_house import House, Json, Person

PATIENCE_S = 10.0
MERGED_WITHIN_S = 0.08  # the default of PRICE_MERGE_MS, and something for the way
SUBPROTOCOL = Subprotocol("fairwarning.v1")
# What every public event carries.
STATE = {
    "price",
    "askingBid",
    "paddle",
    "bidCount",
    "bidderCount",
    "reserve",
    "status",
    "closesAt",
}
# What those of a lot that is sold live carry beside it: any of them may change it.
LIVE_STATE = {"phase", "channel"}
PUBLIC = {"price", "extended", "opened", "paused", "unpaused", "updated", "closed", "settled"}
PUBLIC |= {"fair_warning", "final_call", "undone", "reopened", "message"}
PERSONAL = {"winning", "outbid", "won", "lost", "decided"}

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
CONTINUATION = 0x0


class Live:
    """One connection; ``heard`` holds every frame in the order it came, ``raw`` its text."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.heard: list[Json] = []
        self.raw: list[str] = []

    async def send(self, **frame: Any) -> None:
        await self.socket.send(json.dumps(frame))

    async def say(self, text: str) -> None:
        await self.socket.send(text)

    async def next(self, patience_s: float = PATIENCE_S) -> Json:
        text = await asyncio.wait_for(self.socket.recv(decode=True), patience_s)
        assert isinstance(text, str)
        frame: Json = json.loads(text)
        assert next(iter(frame)) == "type", f"type comes first: {text}"
        msgspec.convert(frame, Told)  # whatever the house says has the form that is written down
        self.heard.append(frame)
        self.raw.append(text)
        return frame

    async def next_of(self, *types: str) -> Json:
        """The next frame of one of these types; whatever comes before it is in ``heard``."""
        while (frame := await self.next())["type"] not in types:
            pass
        return frame

    async def until_seq(self, auction_id: str, seq: int) -> list[Json]:
        """The public events of an auction from here on, up to *seq*."""
        events = []
        while True:
            frame = await self.next()
            if frame["type"] in PUBLIC and frame["auctionId"] == auction_id:
                events.append(frame)
                if frame["seq"] >= seq:
                    return events

    async def drain(self) -> list[Json]:
        """What comes of what has happened so far: prices that wait to be merged included."""
        mark = len(self.heard)
        await asyncio.sleep(MERGED_WITHIN_S)
        await self.send(type="ping", t=4711)
        while (await self.next())["type"] != "pong":
            pass
        return self.heard[mark:-1]

    async def hello(self, house: House, person: Person | None = None) -> Json:
        fields = {"key": house.keys.publishable_key}
        if person is not None:
            fields["token"] = person.token
        await self.send(type="hello", **fields)
        return await self.next()

    async def subscribe(self, auction_id: str, **resume: Any) -> Json:
        """The snapshot, or ``resumed``."""
        await self.send(type="subscribe", auctionId=auction_id, **resume)
        return await self.next_of("snapshot", "resumed", "error")

    async def bid(self, auction_id: str, amount: int, cmd_id: str, **more: Any) -> Json:
        """The bid's ``result``, or ``error``; sent again where the house asks for that."""
        await self.send_bid(auction_id, amount, cmd_id, **more)
        while True:
            frame = await self.next_of("result", "error")
            if frame.get("cmdId") != cmd_id:
                continue
            if frame.get("code") != "overloaded":
                return frame
            await asyncio.sleep(0.2)  # a disk that stalls keeps even a lone machine from deciding
            await self.send_bid(auction_id, amount, cmd_id, **more)

    async def send_bid(self, auction_id: str, amount: int, cmd_id: str, **more: Any) -> None:
        await self.send(type="bid", cmdId=cmd_id, auctionId=auction_id, amount=amount, **more)

    async def closed(self) -> tuple[int, str]:
        """The close frame's code and reason, waited for; what came before is in ``heard``."""
        with suppress(ConnectionClosed):
            while True:
                await self.next()
        assert self.socket.close_code != 1006, "the line broke without a close frame"
        return self.socket.close_code or 1005, self.socket.close_reason or ""


@asynccontextmanager
async def connected(house: House, **options: Any) -> AsyncIterator[Live]:
    """A connection on which nothing has been said yet."""
    given = {"subprotocols": [SUBPROTOCOL], "compression": None, "proxy": None, **options}
    async with connect(house.socket_url, max_size=1 << 22, **given) as opened:
        yield Live(opened)


@asynccontextmanager
async def signed_in(
    house: House, person: Person | None = None, **options: Any
) -> AsyncIterator[Live]:
    """A connection that has been welcomed; a spectator's where nobody is named."""
    async with connected(house, **options) as live:
        welcome = await live.hello(house, person)
        assert welcome["type"] == "welcome", welcome
        yield live


@asynccontextmanager
async def following(
    house: House, auction_id: str, person: Person | None = None
) -> AsyncIterator[Live]:
    """A connection that follows an auction; its snapshot is the last frame heard."""
    async with signed_in(house, person) as live:
        await live.subscribe(auction_id)
        yield live


def fold(snapshot: Json, event: Json) -> Json:
    """The snapshot as it is after a public event, by the contract's words alone."""
    assert snapshot["auctionId"] == event["auctionId"]
    merged = event.get("merged", 1)
    assert event["seq"] - merged == snapshot["seq"], f"{event} after {snapshot['seq']}"
    auction = {**snapshot["auction"], **{name: event[name] for name in STATE}}
    auction |= {name: event[name] for name in LIVE_STATE if name in event}
    auction |= event.get("changed", {})
    if event["type"] == "extended":
        auction["extensions"] = event["extensions"]
    if event["type"] == "closed" and event["outcome"] != "canceled":
        auction["outcome"] = event["outcome"]
    if event["type"] == "reopened":
        auction["outcome"] = None
    return {**snapshot, "seq": event["seq"], "auction": auction}


def seqs_covered(events: list[Json]) -> list[int]:
    """Every seq that these public events stand for, in the order they came."""
    covered: list[int] = []
    for event in events:
        merged = event.get("merged", 1)
        covered += range(event["seq"] - merged + 1, event["seq"] + 1)
    return covered


def public_of(frames: list[Json], auction_id: str) -> list[Json]:
    """The public events of an auction among these frames."""
    return [f for f in frames if f["type"] in PUBLIC and f["auctionId"] == auction_id]


class RawSocket:
    """A WebSocket client that may break every rule."""

    def __init__(self, house: House, receive_buffer: int | None = None, **headers: str) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(("127.0.0.1", house.port))
        self.buffer = b""
        key = base64.b64encode(os.urandom(16)).decode()
        lines = {
            "Host": f"127.0.0.1:{house.port}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Protocol": "fairwarning.v1",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.socket.sendall(f"GET /ws HTTP/1.1\r\n{text}\r\n".encode())
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        self.head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        self.status = int(self.head.split()[1])

    def hello(self, house: House, person: Person | None = None) -> None:
        fields = {"type": "hello", "key": house.keys.publishable_key}
        if person is not None:
            fields["token"] = person.token
        self.send_json(fields)
        assert self.frame_json()["type"] == "welcome"

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_json(self, frame: Json) -> None:
        self.send(framed(TEXT, json.dumps(frame).encode()))

    def frame(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload."""
        first, second = self._take(2)
        assert first & 0x80, "the server does not fragment"
        assert not first & 0x70, "no extension was agreed"
        assert not second & 0x80, "a server's frame is not masked"
        size = second
        if size == 126:
            [size] = struct.unpack("!H", self._take(2))
        elif size == 127:
            [size] = struct.unpack("!Q", self._take(8))
        return first & 0x0F, self._take(size)

    def frame_json(self) -> Json:
        opcode, payload = self.frame()
        assert opcode == TEXT, (opcode, payload)
        found: Json = json.loads(payload)
        return found

    def frames_until_close(self) -> list[tuple[int, bytes]]:
        """All frames up to the close frame, which is the last."""
        frames = [self.frame()]
        while frames[-1][0] != CLOSE:
            frames.append(self.frame())
        return frames

    def close_code(self) -> int | None:
        """The code of the close frame, which must be the next but for text; None: without."""
        _, payload = self.frames_until_close()[-1]
        return struct.unpack("!H", payload[:2])[0] if payload else None

    def is_cut(self) -> bool:
        """Has the server closed the TCP connection, with nothing more to read?"""
        assert not self.buffer
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def _take(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self._more()
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def _more(self) -> None:
        data = self.socket.recv(65_536)
        assert data, f"the line ended with {self.buffer[:200]!r} unread"
        self.buffer += data

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()


def framed(
    opcode: int, payload: bytes, *, fin: bool = True, masked: bool = True, reserved: int = 0
) -> bytes:
    """One client frame (RFC 6455, 5.2)."""
    first = (0x80 if fin else 0) | reserved << 4 | opcode
    size = len(payload)
    mask_bit = 0x80 if masked else 0
    if size < 126:
        head = struct.pack("!BB", first, mask_bit | size)
    elif size < 65_536:
        head = struct.pack("!BBH", first, mask_bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, mask_bit | 127, size)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))


def close_frame(code: int, reason: bytes = b"") -> bytes:
    return framed(CLOSE, struct.pack("!H", code) + reason)
