"""One feed to many readers: each event's frame is encoded once and written to every socket.

A ``Channel`` is one auction.  Price events that come faster than a screen can show are merged
there, once for all subscribers; anything else first sends what waits, and nothing is dropped.
A reader joins a channel only at a moment when nothing waits, so that what it was told before
and what it is sent after meet without a gap and without a repeat.

The ``Hub`` also knows each bidder's own connections, for what is theirs alone, and those of
each session, which end when it does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from engine.core.messages import Event
from gateway.core import frames
from gateway.core.frames import Json
from gateway.core.view import LotView

CallLater = Callable[[float, Callable[[], None]], object]  # (seconds, what)


class Reader(Protocol):
    """Somebody who reads frames: a socket, or a simulated one."""

    def write(self, frame: bytes) -> None:
        """Send an encoded frame, without waiting."""

    @property
    def consumer_id(self) -> str | None:
        """Whose it is; None: a spectator's, or the house's own."""

    @property
    def is_console(self) -> bool:
        """Does the house itself read?"""

    @property
    def has_heard(self) -> bool:
        """Is nothing left here of what it was sent?"""


class Own(Protocol):
    """One of a bidder's own connections."""

    def write_personal(self, lot: LotView, frame: bytes) -> None:
        """Send what is this bidder's alone, about an event of this lot."""


class Ending(Protocol):
    """A connection that ends with the session that it was signed in by."""

    def end(self, code: int, reason: str) -> None:
        """Close it; nothing is written to it any more."""


class Channel:
    """One auction's public events on their way to its subscribers."""

    __slots__ = ("_call_later", "_joining", "_merge_s", "_merged", "_quiet", "_waiting", "readers")

    def __init__(self, merge_ms: int, call_later: CallLater) -> None:
        self.readers: dict[Reader, None] = {}
        self._merge_s = merge_ms / 1000
        self._call_later = call_later
        self._quiet = False  # a price was sent less than an interval ago
        self._waiting: Json | None = None  # the last price event since
        self._merged = 0  # how many price events it stands for
        self._joining: list[Callable[[], None]] = []

    def price(self, frame: Json) -> None:
        """A price event: at once, or at the end of the interval that the last one began."""
        if self._quiet:
            self._waiting = frame
            self._merged += 1
            return
        self._broadcast(frame)
        self._be_quiet()

    def event(self, frame: Json) -> None:
        """Any other public event: never merged, and after what waits."""
        self._flush()
        self._broadcast(frame)
        self._let_in()  # not before: their snapshot has this event already

    @property
    def is_level(self) -> bool:
        """Has every event so far been sent?"""
        return self._waiting is None

    def when_level(self, join: Callable[[], None]) -> None:
        """Call *join* when every event so far has been sent: now, or within an interval."""
        if self.is_level:
            join()
        else:
            self._joining.append(join)

    def _be_quiet(self) -> None:
        if self._merge_s > 0:
            self._quiet = True
            self._call_later(self._merge_s, self._speak_again)

    def _speak_again(self) -> None:
        self._quiet = False
        if self._waiting is not None:
            self._flush()
            self._let_in()
            self._be_quiet()

    def _flush(self) -> None:
        if self._waiting is None:
            return
        frame, merged = self._waiting, self._merged
        self._waiting, self._merged = None, 0
        self._broadcast({**frame, "merged": merged} if merged > 1 else frame)

    def _let_in(self) -> None:
        joining, self._joining = self._joining, []
        for join in joining:
            join()

    def _broadcast(self, frame: Json) -> None:
        if self.readers:
            encoded = frames.encode(frame)
            # A copy: a reader that falls behind is closed, and leaves, while we write.
            for reader in list(self.readers):
                reader.write(encoded)


class Hub:
    """Every connection of this gateway, by what it follows and whose it is."""

    def __init__(self, merge_ms: int, call_later: CallLater) -> None:
        self._merge_ms = merge_ms
        self._call_later = call_later
        self._channels: dict[str, Channel] = {}
        self._own: dict[str, dict[Own, None]] = {}
        self._sessions: dict[str, dict[Ending, None]] = {}

    def channel(self, auction_id: str) -> Channel:
        """The auction's channel."""
        channel = self._channels.get(auction_id)
        if channel is None:
            channel = self._channels[auction_id] = Channel(self._merge_ms, self._call_later)
        return channel

    def listeners(self, auction_id: str) -> Iterable[Reader]:
        """Whoever follows an auction and is level with it."""
        channel = self._channels.get(auction_id)
        return () if channel is None else channel.readers

    def sign_in(self, consumer_id: str, connection: Own) -> int:
        """This connection is the bidder's own; how many they have now."""
        own = self._own.setdefault(consumer_id, {})
        own[connection] = None
        return len(own)

    def sign_out(self, consumer_id: str, connection: Own) -> None:
        """The connection has ended."""
        own = self._own.get(consumer_id, {})
        own.pop(connection, None)
        if not own:
            self._own.pop(consumer_id, None)

    def begin(self, session_id: str, connection: Ending) -> None:
        """This connection lives as long as the session."""
        self._sessions.setdefault(session_id, {})[connection] = None

    def leave(self, session_id: str, connection: Ending) -> None:
        """The connection has ended by itself."""
        connections = self._sessions.get(session_id, {})
        connections.pop(connection, None)
        if not connections:
            self._sessions.pop(session_id, None)

    def sessions(self) -> list[str]:
        """The sessions that have a connection here."""
        return list(self._sessions)

    def end_session(self, session_id: str, code: int, reason: str) -> None:
        """The session is over: signed out, or revoked.  So are its connections."""
        for connection in list(self._sessions.pop(session_id, ())):
            connection.end(code, reason)

    def deliver(self, lot: LotView, event: Event) -> None:
        """Tell those concerned, then everybody.  *lot* has the event folded in."""
        if self._own:
            for consumer_id, personal in frames.personal(lot, event):
                own = self._own.get(consumer_id)
                if own:
                    encoded = frames.encode(personal)
                    for connection in list(own):
                        connection.write_personal(lot, encoded)
        channel = self._channels.get(lot.auction_id)
        if channel is None:
            return
        public = frames.public(lot, event)
        if public is None:
            return
        if public["type"] == "price":
            channel.price(public)
        else:
            channel.event(public)
