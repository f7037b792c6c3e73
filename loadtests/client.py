"""A bidder over the network: ``core.bidder`` joined to a line, a clock and a die.

The state machine decides; this shell dials, reads, sends and sleeps.  All it touches is
handed in (``Dial``, clock, draw), and by default a WebSocket of the ``websockets`` library.
One client is one session; it lives as long as ``run`` is running.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from loadtests.core.bidder import (
    Answered,
    Bidder,
    Changed,
    Ended,
    Happening,
    ProtocolBroken,
    Rejected,
)
from loadtests.core.view import Message, View

SUBPROTOCOL = Subprotocol("fairwarning.v1")
LARGEST_FRAME = 1 << 20  # bytes; far above a snapshot
OPENS_WITHIN_S = 20.0  # a house under load greets late
ASK_AGAIN_S = 0.05

_NO_REASON = ""
_LOST = 1006  # RFC 6455: the line broke without a close frame


class LineLost(Exception):
    """The line cannot be had, or is gone; ``code`` as in RFC 6455."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}".strip())
        self.code = code
        self.reason = reason


class SessionEnded(Exception):
    """The house refuses this session for good."""


class BidRejected(Exception):
    """The house could not take the bid, or the wish to follow, in: a definite error."""

    def __init__(self, rejected: Rejected) -> None:
        super().__init__(f"{rejected.code}: {rejected.message}")
        self.code = rejected.code


class Line(Protocol):
    """An open line to the house, text frames both ways."""

    async def send(self, text: str) -> None: ...
    async def receive(self) -> str | bytes: ...
    async def close(self) -> None: ...


Dial = Callable[[], Awaitable[Line]]


def monotonic_ms() -> int:
    """A clock for sessions: it never goes back."""
    return time.monotonic_ns() // 1_000_000


def die(seed: int | None = None) -> Callable[[int], int]:
    """Randomness for sessions; the same from the same *seed*."""
    rolls = random.Random(seed)
    return lambda most: rolls.randint(0, most)


class WebSocketLine:
    """A line over the ``websockets`` library."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def send(self, text: str) -> None:
        """Send one text frame.  Raises ``LineLost``."""
        try:
            await self._socket.send(text)
        except ConnectionClosed as closed:
            raise _lost(closed) from closed

    async def receive(self) -> str | bytes:
        """The next text frame, as bytes of UTF-8.  Raises ``LineLost``."""
        try:
            return await self._socket.recv(decode=False)
        except ConnectionClosed as closed:
            raise _lost(closed) from closed

    async def close(self) -> None:
        """Drop the line, without the closing handshake: nobody waits for anything on it."""
        self._socket.transport.abort()


def dial_websocket(url: str) -> Dial:
    """Dials *url* (``ws://…/ws``); raises ``LineLost`` where nobody answers."""

    async def dial() -> Line:
        try:
            socket = await connect(
                url,
                subprotocols=[SUBPROTOCOL],
                compression=None,
                max_size=LARGEST_FRAME,
                open_timeout=OPENS_WITHIN_S,
                ping_interval=None,  # the house pings
                proxy=None,  # a load test measures this house and no proxy before it
            )
        except (OSError, TimeoutError, InvalidHandshake) as failure:
            raise LineLost(_LOST, str(failure)) from failure
        return WebSocketLine(socket)

    return dial


def dial_in_turn(dial: Dial, at_once: int) -> Dial:
    """*dial*, with at most *at_once* attempts under way: a crowd that comes in by one door."""
    door = asyncio.Semaphore(at_once)

    async def in_turn() -> Line:
        async with door:
            return await dial()

    return in_turn


class Client:
    """One session with the house."""

    def __init__(
        self,
        dial: Dial,
        credentials: Mapping[str, str],
        *,
        clock: Callable[[], int] = monotonic_ms,
        draw: Callable[[int], int] | None = None,
        heard: Callable[[Happening], None] | None = None,
    ) -> None:
        """*heard* is told of every happening, in order, before anybody who awaits it."""
        self._dial = dial
        self._clock = clock
        self._bidder = Bidder(credentials, draw or die())
        self._heard = heard
        self._line: Line | None = None
        self._sending = asyncio.Lock()
        self._answers: dict[tuple[str, str], asyncio.Future[Message]] = {}
        self._moves: dict[str, asyncio.Future[None]] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at: int | None = None
        self._waking: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Dial and serve, again and again, until cancelled.

        Raises ``SessionEnded`` where the house refuses the session for good, and
        ``ProtocolBroken``; whoever awaits an answer gets ``SessionEnded``.
        """
        why = "the session was ended"
        try:
            while (at := self._bidder.dial_at) is not None:
                await asyncio.sleep(max(0, at - self._clock()) / 1000)
                try:
                    self._line = await self._dial()
                    await self._serve(self._line)
                except LineLost as lost:
                    self._tell(self._bidder.disconnected(lost.code, lost.reason, self._clock()))
        except (SessionEnded, ProtocolBroken) as failure:
            why = str(failure)
            raise
        finally:
            if self._alarm is not None:
                self._alarm.cancel()
            if self._line is not None:
                await self._line.close()
            self._fail_all(SessionEnded(why))

    def view(self, auction_id: str) -> View | None:
        """What is known of a followed auction."""
        return self._bidder.view(auction_id)

    async def bid(self, auction_id: str, cmd_id: str, amount: int, kind: str = "max") -> Message:
        """Bid, and wait for the ``result``, however many lines that takes.

        Raises ``BidRejected`` where the house cannot take the bid in.
        """
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._answers[auction_id, cmd_id] = answer
        self._bidder.bid(auction_id, cmd_id, amount, kind, self._clock())
        await self._flush()
        return await answer

    async def follow(self, auction_id: str) -> View:
        """Follow an auction, and wait for its first snapshot.  Raises ``BidRejected``."""
        self._bidder.follow(auction_id, self._clock())
        await self._flush()
        return await self.when(auction_id, lambda _: True)

    async def when(self, auction_id: str, holds: Callable[[View], bool]) -> View:
        """The view of a followed auction, as soon as *holds* says so of it."""
        while (view := self.view(auction_id)) is None or not holds(view):
            move = self._moves.get(auction_id)
            if move is None:
                move = self._moves[auction_id] = asyncio.get_running_loop().create_future()
            # Shielded: others may be waiting for the same move.
            await asyncio.shield(move)
        return view

    async def _serve(self, line: Line) -> None:
        self._bidder.connected(self._clock())
        await self._flush()
        while True:
            text = await line.receive()
            self._tell(self._bidder.received(text, self._clock()))
            await self._flush()

    async def _flush(self) -> None:
        self._set_alarm()
        frames = self._bidder.take_frames()
        if not frames or self._line is None:
            return
        line = self._line
        async with self._sending:
            for frame in frames:
                try:
                    await line.send(frame)
                except LineLost:
                    return  # the reader hears of it, and the bids are sent again

    def _set_alarm(self) -> None:
        at = self._bidder.wakes_at()
        # An alarm that rings too early does nothing and sets the next one.
        if at is None or (self._alarm_at is not None and self._alarm_at <= at):
            return
        if self._alarm is not None:
            self._alarm.cancel()
        delay_s = max(0, at - self._clock()) / 1000
        self._alarm_at = at
        self._alarm = asyncio.get_running_loop().call_later(delay_s, self._ring)

    def _ring(self) -> None:
        self._alarm = self._alarm_at = None
        self._bidder.wake(self._clock())
        self._waking = asyncio.ensure_future(self._flush())

    def _tell(self, happenings: list[Happening]) -> None:
        for happening in happenings:
            if self._heard is not None:
                self._heard(happening)
            if isinstance(happening, Answered):
                answer = self._answers.pop((happening.auction_id, happening.cmd_id))
                _settle(answer, happening.result)
            elif isinstance(happening, Changed):
                _settle(self._moves.pop(happening.auction_id, None), None)
            elif isinstance(happening, Rejected):
                self._reject(happening)
            elif isinstance(happening, Ended):
                raise SessionEnded(f"closed with {happening.code} {happening.reason}".strip())

    def _reject(self, rejected: Rejected) -> None:
        waiting: asyncio.Future[Message] | asyncio.Future[None] | None
        if rejected.cmd_id is None:
            waiting = self._moves.pop(rejected.auction_id, None)
        else:
            waiting = self._answers.pop((rejected.auction_id, rejected.cmd_id), None)
        if waiting is not None and not waiting.done():
            waiting.set_exception(BidRejected(rejected))

    def _fail_all(self, failure: Exception) -> None:
        all_waiting: list[asyncio.Future[Message] | asyncio.Future[None]]
        all_waiting = [*self._answers.values(), *self._moves.values()]
        for waiting in all_waiting:
            if not waiting.done():
                waiting.set_exception(failure)
                waiting.exception()  # nobody may be waiting any more, and that is no error
        self._answers.clear()
        self._moves.clear()


async def until_open(follower: Client, auction_id: str, patience_s: float) -> None:
    """Follow a lot that was entered a moment ago, until it takes bids.  Raises ``TimeoutError``."""
    async with asyncio.timeout(patience_s):
        while not await _found(follower, auction_id):
            await asyncio.sleep(ASK_AGAIN_S)  # entered, and not yet seen by the gateway
        await follower.when(auction_id, lambda view: view.auction["status"] == "open")


async def seen_open(
    url: str, credentials: Mapping[str, str], auction_id: str, patience_s: float
) -> None:
    """Come in, wait until a lot takes bids, and leave.  Raises ``TimeoutError``."""
    follower = Client(dial_websocket(url), credentials)
    session = asyncio.create_task(follower.run())
    try:
        await until_open(follower, auction_id, patience_s)
    finally:
        session.cancel()
        await asyncio.wait({session})


async def _found(follower: Client, auction_id: str) -> bool:
    try:
        await follower.follow(auction_id)
    except BidRejected as rejected:
        if rejected.code != "not_found":
            raise
        return False
    return True


def _settle(waiting: asyncio.Future[Message] | asyncio.Future[None] | None, with_: object) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(with_)  # type: ignore[arg-type]  # the caller pairs them


def _lost(closed: ConnectionClosed) -> LineLost:
    if closed.rcvd is None:
        return LineLost(_LOST, _NO_REASON)
    return LineLost(closed.rcvd.code, closed.rcvd.reason)
