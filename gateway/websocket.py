"""Joins ``core/session.py`` and ``following.py`` to a real socket.

uvicorn takes a WebSocket protocol class of one's own.  ``LiveSocket`` is its sans-I/O class
with three changes: once the endpoint has accepted, text goes straight to the session without
a queue and a task per message; encoded frames go straight to the transport; and a reader who
falls behind is closed with 4008 instead of being waited for.  Starlette keeps the route, the
handshake and the origin check.

What is queued for a reader is bounded also while a resume fills the queue at the reader's own
pace: one page of the resume, and ``QUEUE_LIMIT`` bytes of everything else.  That wait has its
end in the ping, which a peer that reads nothing cannot answer.
"""

from __future__ import annotations

import asyncio
from asyncio.transports import BaseTransport
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from starlette.responses import JSONResponse
from starlette.websockets import WebSocket
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State as ConnectionState
from websockets.server import ServerProtocol

from engine.core.messages import Act, ActDecided, BidAnswer, BidRefused, PlaceBid
from engine.streams import StreamError
from gateway import bidding
from gateway.api.access import address_of
from gateway.core import frames
from gateway.core.session import (
    HELLO_WITHIN_S,
    POLICY,
    Action,
    Admitted,
    Follow,
    Perform,
    Point,
    Prepare,
    Redeem,
    Send,
    Session,
    SignedIn,
    Submit,
    Unauthorized,
    Unfollow,
)
from gateway.core.view import LotView
from gateway.following import Following

if TYPE_CHECKING:
    from gateway.app import Gateway

SUBPROTOCOL = "fairwarning.v1"
QUEUE_LIMIT = 256 * 1024  # bytes that a reader may be behind
MOST_FRAGMENTS = 64  # of one message: empty ones would never reach the limit of its size
REDEEMED_WITHIN_S = 3.0  # a ticket; less than a hello may take
PREPARED_WITHIN_S = 5.0  # a hold in the books; after it the bid has not been placed
MOST_PREPARING = 50  # bids of one connection that wait for the books
CLOSE_PATIENCE_S = 5.0  # for the peer's close frame, and for a slow peer to read ours
BINARY = 1003
NOT_TEXT = 1007
BROKEN = 1011
RESTARTING = 1012
SLOW = 4008

log = structlog.stdlib.get_logger()


class Desk(Protocol):
    """What a connection asks that takes time: somebody looks into the books."""

    async def admit_ticket(self, key: str | None, ticket: str) -> Admitted:
        """Use a ticket up, once.  Raises ``Unauthorized``."""

    async def prepare(self, lot: LotView, bid: PlaceBid) -> PlaceBid | BidRefused:
        """Have what is bid held in the books; the bid as the log is to have it, or its refusal.

        Whoever asks may stop waiting: a hold without a bid is released by itself.
        """


class Framing(ServerProtocol):
    """The library's framing, where a close also ends a text that was begun (RFC 6455, 5.5.1:
    control frames may come between fragments); it would answer 1002 (Autobahn 7.1.5)."""

    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self.current_size = None
        super().recv_frame(frame)


class LiveSocket(WebSocketsSansIOProtocol):
    """One connection: reads for a session, writes for the hub."""

    session: Session | None = None
    following: Following
    gateway: Gateway
    desk: Desk
    session_id = ""  # of the person's session; empty: none that could end

    # ── Reading ──────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.conn = Framing(max_size=self.config.ws_max_size, logger=self.conn.logger)
        self.early: list[bytes] = []  # text that came before the endpoint had attached
        self.fragments: list[bytes] = []
        self.errands: set[asyncio.Task[None]] = set()  # what waits for the desk
        self.preparing: dict[str, asyncio.Lock] = {}  # by auction: one bid after the other
        self.behind = 0  # bytes queued since the queue was full that are no part of a resume
        self.transport.set_write_buffer_limits(high=QUEUE_LIMIT)

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions["live_socket"] = self

    def handle_text(self, event: Frame) -> None:
        self.fragments = [bytes(event.data)]
        if event.fin:
            self._take()

    def handle_cont(self, event: Frame) -> None:
        if self.close_sent:
            return  # nothing is heard any more, and nothing collected
        self.fragments.append(bytes(event.data))
        if len(self.fragments) > MOST_FRAGMENTS:
            self.end(POLICY, "too many fragments")
        elif event.fin:
            self._take()

    def handle_bytes(self, event: Frame) -> None:
        self.end(BINARY, "text frames only")

    def handle_ping(self) -> None:
        # Counted like everything that is sent: pings cost their sender nothing.
        self.write(b"".join(self.conn.data_to_send()))

    def _take(self) -> None:
        data = b"".join(self.fragments)
        self.fragments = []
        if self.session is None:
            self.early.append(data)
        elif not self.close_sent:
            self._read(data)

    def _read(self, data: bytes) -> None:
        assert self.session is not None
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self.end(NOT_TEXT, "not UTF-8")
            return
        self._carry_out(self.session.receive(text, self.loop.time()))

    def attach(self, gateway: Gateway, session: Session) -> None:
        """The handshake is done: from now on the session reads."""
        self.gateway = self.desk = gateway
        self.session = session
        feed = gateway.feed
        self.following = Following(
            self, gateway.saleroom, gateway.hub, feed.events_at, feed.lineages
        )
        self.loop.call_later(HELLO_WITHIN_S, self._hello_is_due)
        early, self.early = self.early, []
        for data in early:
            self._read(data)

    def _hello_is_due(self) -> None:
        assert self.session is not None
        self._carry_out(self.session.hello_is_late())

    # ── Carrying out what the session says ───────────────────────────────────────────────

    def _carry_out(self, actions: list[Action]) -> None:
        for action in actions:
            if self.close_sent or self.disconnected:
                return
            if isinstance(action, Send):
                self.write(frames.encode(action.frame))
            elif isinstance(action, Submit):
                self.gateway.feed.submit(action.command, self)
            elif isinstance(action, Follow):
                self._follow(action)
            elif isinstance(action, Unfollow):
                self.following.unfollow(action.auction_id)
                self.gateway.consoles.unfollow(action.auction_id, self)
            elif isinstance(action, Perform):
                self.gateway.feed.perform(action.command, self)
            elif isinstance(action, Point):
                self.gateway.consoles.point(action.auction_id, action.paddle, action.on)
            elif isinstance(action, SignedIn):
                self._sign_in(action)
            elif isinstance(action, Prepare):
                self._have_prepared(action.command)
            elif isinstance(action, Redeem):
                self._send_out(self._redeem(action))
            else:
                self.end(action.code, action.reason)

    def _follow(self, request: Follow) -> None:
        self.following.follow(request)
        if self.is_console:
            self.gateway.consoles.follow(request.auction_id, self)

    def _sign_in(self, person: SignedIn) -> None:
        if person.session_id:
            self.session_id = person.session_id
            self.gateway.hub.begin(self.session_id, self)
        if person.consumer_id is None:
            return
        most = self.gateway.settings.connections_per_account
        connections = self.following.sign_in(person.consumer_id)
        if most and connections > most:
            message = f"At most {most} connections an account."
            self.write(frames.encode(frames.error("rate_limited", message, retryAfterMs=1000)))
            self.end(POLICY, "too many connections")

    def answered(self, lot: LotView, event: BidAnswer) -> None:
        """The session's bid is decided and durable."""
        if self.disconnected:
            return
        if event.answer.code == "expired":  # what was held for it may be released by now
            self._send_back(event.auction_id, event.cmd_id)
            return
        frame = frames.result(lot, event)
        if event.answer.commitment and event.answer.code is None:
            # Theirs alone: with the salt they can show later what they have bid.
            named = (event.auction_id, event.consumer_id, event.cmd_id)
            salt = bidding.salt_of(self.gateway, *named).hex()
            frame |= {"commitment": event.answer.commitment, "salt": salt}
        self.write(frames.encode(frame))

    def not_taken(self, command: PlaceBid) -> None:
        """The log does not take bids now: the cmdId is unused."""
        if not self.disconnected:
            self._send_back(command.auction_id, command.cmd_id)

    def performed(self, event: ActDecided) -> None:
        """The console's act is decided and durable."""
        if not self.disconnected:
            lot = self.gateway.saleroom.lots[event.auction_id]
            self.write(frames.encode(frames.act_result(lot, event)))

    def not_performed(self, command: Act) -> None:
        """The log takes nothing now: the cmdId is unused."""
        if not self.disconnected:
            message = "The log takes nothing now. Nothing has been done: send it again."
            named = {"cmdId": command.cmd_id, "auctionId": command.auction_id}
            self.write(frames.encode(frames.error("overloaded", message, **named)))

    def _send_back(self, auction_id: str, cmd_id: str) -> None:
        message = "Bidding is unavailable. Your bid has not been placed: send it again."
        named = {"cmdId": cmd_id, "auctionId": auction_id}
        self.write(frames.encode(frames.error("overloaded", message, **named)))

    # ── What takes time ──────────────────────────────────────────────────────────────────

    def _send_out(self, errand: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(errand)
        self.errands.add(task)
        task.add_done_callback(self.errands.discard)

    async def _redeem(self, asked: Redeem) -> None:
        assert self.session is not None
        try:
            async with asyncio.timeout(REDEEMED_WITHIN_S):
                admitted = await self.desk.admit_ticket(asked.key, asked.ticket)
        except Unauthorized as error:
            self._carry_out(self.session.not_admitted(str(error)))
        except Exception as error:
            # The ticket may be used up; a new one can be had, here or elsewhere.
            log.warning("a ticket cannot be checked", reason=repr(error))
            self.end(RESTARTING, '{"retryAfterMs":1000}')
        else:
            self._carry_out(self.session.admitted(admitted, self.loop.time()))

    def _have_prepared(self, command: PlaceBid) -> None:
        if len(self.errands) >= MOST_PREPARING:
            self.not_taken(command)
            return
        self._send_out(self._prepare(command))

    async def _prepare(self, command: PlaceBid) -> None:
        lot = self.gateway.saleroom.lots[command.auction_id]
        try:
            async with asyncio.timeout(PREPARED_WITHIN_S):
                async with self.preparing.setdefault(command.auction_id, asyncio.Lock()):
                    prepared = await self.desk.prepare(lot, command)
        except Exception as error:
            log.warning("a bid cannot be prepared", reason=repr(error))
            self.not_taken(command)
            return
        if isinstance(prepared, PlaceBid):
            # Also for one who is gone: it was sent, and is theirs.
            self.gateway.feed.submit(prepared, self)
        else:
            self.answered(lot, prepared)

    # ── Being a reader (fanout.Reader) ───────────────────────────────────────────────────

    @property
    def consumer_id(self) -> str | None:
        """Whose connection it is; None: a spectator's, or the house's own."""
        return None if self.session is None else self.session.consumer_id

    @property
    def is_console(self) -> bool:
        """Is it a console's?"""
        return self.session is not None and self.session.role == "auctioneer"

    @property
    def has_heard(self) -> bool:
        """Has everything that it was sent left this process?"""
        return self.transport.get_write_buffer_size() == 0

    # ── Writing ──────────────────────────────────────────────────────────────────────────

    def write(self, frame: bytes) -> None:
        """Send an encoded frame.  The transport writes once a loop turn, however many."""
        if self.close_sent:
            return
        self.transport.write(frame)
        if not self.writable.is_set():
            self._fall_behind(len(frame))

    def write_past(self, frame: bytes) -> None:
        """Send a frame of a resume, which waits for the reader after every page."""
        if not self.close_sent:
            self.transport.write(frame)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.behind = 0
        if self.session is not None and not self.following.catching_up:
            self.end(SLOW, "slow: resume from your last seq")

    def _fall_behind(self, size: int) -> None:
        self.behind += size
        if self.behind > QUEUE_LIMIT:
            self.end(SLOW, "slow: resume from your last seq")

    async def until_writable(self) -> None:
        """Wait until the reader has taken most of what it was sent, or is gone."""
        # Again: who was woken before may have filled the queue anew.
        while not self.writable.is_set():
            await self.writable.wait()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a catch-up; what comes of it is told by ``failed`` alone."""
        return self.loop.create_task(work)

    def failed(self, error: Exception) -> None:
        """A catch-up has ended before its time: what was sent is whole, the rest elsewhere."""
        if isinstance(error, StreamError):
            self.end(RESTARTING, '{"retryAfterMs":1000}')
            return
        log.error("a resume failed", exc_info=error)
        self.end(BROKEN, "internal error")

    def end(self, code: int, reason: str) -> None:
        """Close from our side; whoever does not answer the close frame is cut off."""
        if self.close_sent or self.disconnected:
            return
        if self.conn.state is ConnectionState.OPEN:
            self.conn.send_close(code, reason)
            self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.stop_keepalive()
        self._leave()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.close_timer = self.loop.call_later(CLOSE_PATIENCE_S, self.transport.abort)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.is_closing():
            self._cut_off_later()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._cut_off_later()

    def _cut_off_later(self) -> None:
        """A transport that closes first delivers what was written: not to a peer who has
        stopped reading, for whom that would take for ever."""
        if self.close_timer is None and not self.disconnected:
            self.close_timer = self.loop.call_later(CLOSE_PATIENCE_S, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._leave()

    def _leave(self) -> None:
        """Take this connection out of everything that would write to it."""
        if self.session is None:
            return
        self.session.closed = True
        self.following.leave()
        if self.is_console:
            self.gateway.consoles.leave(self.session.name, self)
        for auction_id, paddle in self.session.pointing.items():
            self.gateway.consoles.point(auction_id, paddle, False)
        self.session.pointing.clear()
        self.gateway.hub.leave(self.session_id, self)
        self.gateway.sockets.pop(self, None)


async def endpoint(websocket: WebSocket) -> None:
    """``GET /ws``: who may connect at all; then the socket is the session's."""
    gateway: Gateway = websocket.app.state.gateway
    origin = websocket.headers.get("origin")
    if origin is not None and not gateway.allows_origin(origin, websocket.headers.get("host")):
        await _deny(websocket, 403, "Origin not allowed")
        return
    address = address_of(gateway, websocket)
    if gateway.draining or not gateway.enter(address):
        await _deny(websocket, 503, "Too many connections")
        return
    try:
        offered = websocket.scope["subprotocols"]
        await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
        socket: LiveSocket = websocket.scope["extensions"]["live_socket"]
        gateway.sockets[socket] = None
        socket.attach(gateway, gateway.new_session())
        await websocket.receive()  # only its end comes this way
    finally:
        gateway.leave(address)


async def _deny(websocket: WebSocket, status: int, text: str) -> None:
    headers = {"Retry-After": "1"} if status == 503 else {}
    await websocket.send_denial_response(JSONResponse({"error": text}, status, headers))
    # uvicorn forgets it here, and would log an error for every refusal.
    websocket.scope["extensions"]["live_socket"].handshake_complete = True
