"""The line to the verifier: HTTP/1.1 over its Unix socket, as little of it as is needed.

Written over asyncio and httptools, which uvicorn reads requests with, because everything the
public asks of the verifier goes through here: httpx's transport reads answers with a parser in
Python, and a request costs it forty times what it costs here (1.5 ms, and 37 µs).

Promises: an answer is whole, or it is ``Unreachable``.  A verifier that is only just starting
is waited for, for a few seconds counted from when the line was first found dead, so that a
verifier that stays away keeps nobody.  What may have been done is never asked a second time:
only GET and HEAD are, where a line that lay idle turns out to be dead.  An answer that comes
before its question is at an end is passed on at once.

Nobody waits without bound.  As many requests are under way as there are places; the others wait
a few seconds for one, and each for its answer, once all of it is asked, half a minute.  The
house's own questions have places that the public cannot take, and five seconds for everything.
A verifier that lets the last question run out of time, and has said nothing since that was
asked, is silent: one question at a time tries it until an answer comes, and all others are
refused at once.

Leaves to others: whose request it is, and what the public is told (``gateway.door``).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from math import inf
from pathlib import Path
from time import monotonic as _monotonic
from typing import Any, Final, NamedTuple, TypeVar

import httptools
import msgspec

Headers = Sequence[tuple[bytes, bytes]]
Body = AsyncIterator[bytes]
T = TypeVar("T")

PLACES: Final = 128  # more would only wait in the verifier
OWN_PLACES: Final = 8  # the house's own, beside them
PLACE_WITHIN_S: Final = 3.0
OWN_WITHIN_S: Final = 5.0
STARTS_WITHIN_S: Final = 5.0
ANSWERS_WITHIN_S: Final = 30.0  # it compares photographs, one after another
_LOOK_AGAIN_S: Final = 0.05
_IDLE_S: Final = 20.0  # well before the verifier would hang up
_LARGEST_ANSWER: Final = 64 * 1024 * 1024  # a tile of 256 whole documents is a tenth of it
_SAFE: Final = (b"GET", b"HEAD")


class Unreachable(Exception):
    """The verifier does not answer; one line says how."""


class _TimedOut(Unreachable):
    """It was asked, and said nothing in time."""


class Answer(NamedTuple):
    """What the verifier said, whole."""

    status: int
    headers: list[tuple[bytes, bytes]]  # names in lower case
    body: bytes

    def read(self, wanted: type[T]) -> T:
        """What it was asked for.  Raises ``Unreachable`` where it says something else."""
        if self.status != 200:
            raise Unreachable(f"it answered {self.status}")
        try:
            return msgspec.json.decode(self.body, type=wanted)
        except msgspec.DecodeError as failure:  # or no JSON of that form
            raise Unreachable(f"what it answered cannot be read: {failure}") from failure


class _Request(NamedTuple):
    method: bytes
    head: bytes
    body: bytes | Body
    is_chunked: bool  # of a body that comes in parts
    until: float  # the loop's time at which it is given up, whatever it waits for


class Line:
    """All connections of this process to the verifier."""

    def __init__(self, socket: Path, monotonic: Callable[[], float] = _monotonic) -> None:
        self._socket = str(socket)
        self._monotonic = monotonic
        self._places = asyncio.Semaphore(PLACES)
        self._own_places = asyncio.Semaphore(OWN_PLACES)
        self._idle: deque[_Connection] = deque()  # the one that was used last is last
        self._dead_since: float | None = None  # None: the last connection came about
        self._answers = 0  # that ever came
        self._is_silent = False
        self._is_tried = False  # by the one question that is asked of a silent one

    async def get(self, target: str) -> Answer:
        """Ask one of its internal questions.  Raises ``Unreachable``."""
        return await self._ask_own(b"GET", target, ())

    async def post(self, target: str, content: object) -> Answer:
        """Tell it something, as JSON.  Raises ``Unreachable``: it may have been heard."""
        body = msgspec.json.encode(content)
        headers = (
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
        )
        return await self._ask_own(b"POST", target, headers, body)

    async def ask(
        self, method: bytes, target: bytes, headers: Headers, body: bytes | Body = b""
    ) -> Answer:
        """One request, and its answer.

        *headers* say how long the body is, ``content-length`` or ``transfer-encoding``: a body
        that comes in parts is written as one of the two says.  Raises ``Unreachable``, and
        whatever *body* raises.
        """
        head = _head(method, target, headers)
        request = _Request(method, head, body, _is_chunked(headers), inf)
        return await self._ask(request, self._places)

    async def _ask_own(
        self, method: bytes, target: str, headers: Headers, body: bytes = b""
    ) -> Answer:
        until = asyncio.get_running_loop().time() + OWN_WITHIN_S
        head = _head(method, target.encode("ascii"), headers)
        return await self._ask(_Request(method, head, body, False, until), self._own_places)

    async def _ask(self, request: _Request, places: asyncio.Semaphore) -> Answer:
        await self._take(places, request.until)
        try:
            if self._is_silent:
                return await self._try(request)
            return await self._talk(request)
        finally:
            places.release()

    async def _take(self, places: asyncio.Semaphore, until: float) -> None:
        if not places.locked():
            await places.acquire()  # without a timer, which would cost a tenth of the request
            return
        if self._is_silent:
            raise Unreachable("it is silent")
        until = min(until, asyncio.get_running_loop().time() + PLACE_WITHIN_S)
        try:
            async with asyncio.timeout_at(until):
                await places.acquire()
        except TimeoutError as busy:
            raise Unreachable("all places are taken") from busy

    async def _try(self, request: _Request) -> Answer:
        """Ask a silent verifier, if nobody else does: whatever it answers, it is silent no more."""
        if self._is_tried or not isinstance(request.body, bytes):  # a slow body tries nothing
            raise Unreachable("it is silent")
        until = min(request.until, asyncio.get_running_loop().time() + OWN_WITHIN_S)
        self._is_tried = True
        try:
            return await self._talk(request._replace(until=until))
        finally:
            self._is_tried = False

    async def _talk(self, request: _Request) -> Answer:
        found = self._take_idle()
        if found is not None:
            try:
                return await self._exchange(found, request)
            except Unreachable:
                if found.heard or request.method not in _SAFE or request.body:
                    raise
        return await self._exchange(await self._connect(request.until), request)

    def close(self) -> None:
        """Hang up."""
        while self._idle:
            self._idle.pop().close()

    async def _exchange(self, connection: _Connection, request: _Request) -> Answer:
        answers = self._answers
        try:
            answer = await connection.exchange(request)
        except BaseException as failure:
            connection.close()
            if isinstance(failure, _TimedOut) and self._answers == answers:
                self._is_silent = True
            raise
        self._answers += 1
        self._is_silent = False
        if connection.reusable:
            connection.idle_since = self._monotonic()
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    def _take_idle(self) -> _Connection | None:
        stale = self._monotonic() - _IDLE_S
        while self._idle and self._idle[0].idle_since < stale:
            self._idle.popleft().close()
        while self._idle:
            connection = self._idle.pop()
            if not connection.lost:
                return connection
        return None

    async def _connect(self, until: float) -> _Connection:
        loop = asyncio.get_running_loop()
        while True:
            try:
                _, connection = await loop.create_unix_connection(_Connection, self._socket)
            except OSError as failure:
                self._is_silent = False  # but away
                now = self._monotonic()
                if self._dead_since is None:
                    self._dead_since = now
                if now - self._dead_since >= STARTS_WITHIN_S or loop.time() >= until:
                    reason = failure.strerror or str(failure)
                    raise Unreachable(f"it cannot be reached: {reason}") from failure
                await asyncio.sleep(_LOOK_AGAIN_S)
            else:
                self._dead_since = None
                return connection


def _head(method: bytes, target: bytes, headers: Headers) -> bytes:
    lines = [b"%b %b HTTP/1.1\r\nhost: verifier" % (method, target)]
    lines += [b"%b: %b" % header for header in headers]
    return b"\r\n".join([*lines, b"\r\n"])


def _is_chunked(headers: Headers) -> bool:
    return any(name == b"transfer-encoding" for name, _ in headers)


class _Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    _transport: Any  # uvloop's is none of asyncio's classes

    def __init__(self) -> None:
        self.lost = False
        self.heard = False  # was anything of the present answer?
        self.reusable = False
        self.idle_since = 0.0
        self._loop = asyncio.get_running_loop()
        self._writable = asyncio.Event()
        self._writable.set()
        self._begin(b"")

    def _begin(self, method: bytes) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._method = method
        self._headers: list[tuple[bytes, bytes]] = []
        self._parts: list[bytes] = []
        self._size = 0
        self.heard = self.reusable = False
        self._answer: asyncio.Future[Answer] = self._loop.create_future()

    async def exchange(self, request: _Request) -> Answer:
        """Ask, and wait for the whole answer.  Raises ``Unreachable``."""
        self._begin(request.method)
        try:
            if isinstance(request.body, bytes):
                self._transport.write(request.head + request.body)
            else:
                self._transport.write(request.head)
                await self._write_unless_answered(request.body, is_chunked=request.is_chunked)
            if not self._answer.done():
                until = min(request.until, self._loop.time() + ANSWERS_WITHIN_S)
                async with asyncio.timeout_at(until):
                    await self._answer
        except TimeoutError as failure:
            self._answer.cancel()
            raise _TimedOut("no answer in time") from failure
        except BaseException:
            self._answer.cancel()
            raise
        return self._answer.result()

    async def _write_unless_answered(self, body: Body, *, is_chunked: bool) -> None:
        writing = self._loop.create_task(self._write(body, is_chunked=is_chunked))
        try:
            await asyncio.wait((writing, self._answer), return_when=asyncio.FIRST_COMPLETED)
            if writing.done():
                writing.result()  # raises what the body raised
            else:
                # Answered before it was asked: refused.  The rest would be read by nobody.
                self.reusable = False
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _write(self, body: Body, *, is_chunked: bool) -> None:
        async for part in body:
            self._transport.write(b"%x\r\n%b\r\n" % (len(part), part) if is_chunked else part)
            if not self._writable.is_set():
                async with asyncio.timeout(ANSWERS_WITHIN_S):
                    await self._writable.wait()
        if is_chunked:
            self._transport.write(b"0\r\n\r\n")

    def close(self) -> None:
        """Hang up."""
        self._transport.abort()

    # ── asyncio's side ───────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.heard = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as failure:
            self._fail(f"what it said is no HTTP: {failure}")
            self._transport.abort()

    def connection_lost(self, _exc: Exception | None) -> None:
        self.lost = True
        self._writable.set()
        self._fail("it hung up")

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _fail(self, reason: str) -> None:
        self.reusable = False
        if not self._answer.done():
            self._answer.set_exception(Unreachable(reason))
            self._answer.exception()  # nobody may be waiting: no complaint of that

    # ── httptools' side ──────────────────────────────────────────────────────────────────

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._method == b"HEAD":  # the length that is said is not sent
            self._finish(reusable=True)

    def on_body(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > _LARGEST_ANSWER:
            self._fail(f"an answer of more than {_LARGEST_ANSWER} bytes")
            self._transport.abort()
        else:
            self._parts.append(part)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:  # a 1xx is not the answer yet
            self._headers.clear()
        else:
            self._finish(reusable=self._parser.should_keep_alive())

    def _finish(self, *, reusable: bool) -> None:
        if not self._answer.done():
            self.reusable = reusable and not self.lost
            status = self._parser.get_status_code()
            self._answer.set_result(Answer(status, self._headers, b"".join(self._parts)))
