"""One connection as a state machine: a message comes in, actions come out.

It has no socket, clock or log: time is handed in with each message, and what shall happen is
returned for the edge to carry out, in order.  So a simulation can run a thousand of them on
one thread, and the words of the protocol are all in one place.

The life of a session: it must say hello first; then it follows auctions, and if it is a
bidder's it bids.  A ``result`` is not made here: it comes from the log, through ``fanout``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from engine.core.messages import PlaceBid
from gateway.core import frames
from gateway.core.frames import Bid, Hello, Json, Ping, Request, Subscribe, Unsubscribe
from gateway.core.limits import Bucket, Buckets, Limit

PING_MS = 15_000
HELLO_WITHIN_S = 5.0
FORGIVEN_AFTER_S = 10.0  # a breach of a rate counts as repeated within this time
INVALID_IN_A_ROW = 3

NOT_SIGNED_IN = 4401
POLICY = 1008


@dataclass(frozen=True, slots=True)
class Send:
    """Send this frame."""

    frame: Json


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection; nothing after it is heard."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Follow:
    """Answer with a snapshot or a resume, then send every event of the auction."""

    auction_id: str
    lineage: str | None
    seq: int | None


@dataclass(frozen=True, slots=True)
class Unfollow:
    """Send no more of this auction."""

    auction_id: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """From now on this connection is the bidder's own; at most so many an account."""

    consumer_id: str


@dataclass(frozen=True, slots=True)
class Submit:
    """Append this command to the log; its answer comes from there."""

    command: PlaceBid


Action = Send | Close | Follow | Unfollow | SignedIn | Submit


@dataclass(frozen=True, slots=True)
class Admitted:
    """Whom an access token speaks for, and until when (the log's ms)."""

    consumer_id: str
    expires_at: int


class House(Protocol):
    """What a session asks of the gateway that it lives in."""

    def admit(self, key: str, token: str | None) -> Admitted | None:
        """The bidder of a token, None without one.  Raises ``Unauthorized``."""

    def knows(self, auction_id: str) -> bool:
        """Is there such a lot?"""

    def log_now(self) -> int:
        """The log's clock, in ms."""


class Unauthorized(Exception):
    """A key or a token that admits nobody."""


class Session:
    """The protocol's side of one connection.  Times are monotonic seconds."""

    def __init__(self, name: str, house: House, rate: Limit | None, bids: Buckets) -> None:
        self.name = name
        self.house = house
        self.bids = bids
        self.consumer_id: str | None = None
        self.expires_at = 0
        self.welcomed = False
        self.closed = False
        self._messages = Bucket(rate) if rate is not None else None
        self._invalid = 0
        self._breached_at: float | None = None

    def receive(self, text: str, now: float) -> list[Action]:
        """What to do about one text frame."""
        if self.closed:
            return []
        if self._messages is not None and (wait_ms := self._messages.take(now)):
            return self._breach(wait_ms, now, frames.named(text))
        try:
            request = frames.read(text)
        except frames.Invalid as error:
            return self._invalid_frame(str(error), error.named)
        if not self.welcomed:
            return self._hello(request)
        return self._handle(request, now)

    def hello_is_late(self) -> list[Action]:
        """``HELLO_WITHIN_S`` have passed since the connection opened."""
        if self.welcomed or self.closed:
            return []
        return self._end(NOT_SIGNED_IN, "no hello")

    def _handle(self, request: Request, now: float) -> list[Action]:
        if isinstance(request, Bid):
            return self._bid(request, now)
        if isinstance(request, Hello):
            return self._invalid_frame("hello was said before", {})
        self._invalid = 0
        if isinstance(request, Ping):
            return [Send({"type": "pong", "t": request.t, "now": self.house.log_now()})]
        if not self.house.knows(request.auction_id):
            return [_not_found(request.auction_id)]
        if isinstance(request, Subscribe):
            return [Follow(request.auction_id, request.lineage, request.seq)]
        assert isinstance(request, Unsubscribe)
        return [Unfollow(request.auction_id)]

    def _hello(self, request: Request) -> list[Action]:
        if not isinstance(request, Hello) or not request.key:
            return self._unauthorized("the first message must be a hello with a publishable key")
        if request.ticket is not None or request.operator_key is not None:
            return self._unauthorized("sign in with a publishable key and an access token")
        try:
            admitted = self.house.admit(request.key, request.token)
        except Unauthorized as error:
            return self._unauthorized(str(error))
        if admitted is not None:
            self.consumer_id, self.expires_at = admitted.consumer_id, admitted.expires_at
        self.welcomed = True
        self._invalid = 0
        role = "spectator" if self.consumer_id is None else "bidder"
        now = self.house.log_now()
        actions: list[Action] = []
        if self.consumer_id is not None:
            actions.append(SignedIn(self.consumer_id))
        welcome = frames.welcome(self.name, role, self.consumer_id, now, PING_MS)
        return [*actions, Send(welcome)]

    def _bid(self, bid: Bid, now: float) -> list[Action]:
        named = {"cmdId": bid.cmd_id, "auctionId": bid.auction_id}
        self._invalid = 0
        if self.consumer_id is None:
            return [Send(frames.error("unauthorized", "Sign in to bid.", **named))]
        if self.house.log_now() >= self.expires_at:
            return self._unauthorized("the access token has expired", named)
        if not self.house.knows(bid.auction_id):
            return [_not_found(bid.auction_id, cmdId=bid.cmd_id)]
        bucket = self.bids.of(self.consumer_id, now)
        if bucket is not None and (wait_ms := bucket.take(now)):
            return self._breach(wait_ms, now, named)
        return [
            Submit(
                PlaceBid(
                    bid.auction_id, self.consumer_id, bid.cmd_id, bid.amount, bid.kind, bid.seen
                )
            )
        ]

    def _breach(self, wait_ms: int, now: float, named: Json) -> list[Action]:
        """A rate was exceeded: once is told, again is the end."""
        before, self._breached_at = self._breached_at, now
        if before is not None and now - before < FORGIVEN_AFTER_S:
            return self._end(POLICY, "rate_limited")
        message = "Too many messages: slow down."
        return [Send(frames.error("rate_limited", message, retryAfterMs=wait_ms, **named))]

    def _invalid_frame(self, reason: str, named: Json) -> list[Action]:
        self._invalid += 1
        told = Send(frames.error("invalid", reason, **named))
        if self._invalid >= INVALID_IN_A_ROW:
            return [told, *self._end(POLICY, "invalid")]
        return [told]

    def _unauthorized(self, reason: str, named: Json | None = None) -> list[Action]:
        told = Send(frames.error("unauthorized", reason, **(named or {})))
        return [told, *self._end(NOT_SIGNED_IN, "unauthorized")]

    def _end(self, code: int, reason: str) -> list[Action]:
        self.closed = True
        return [Close(code, reason)]


def _not_found(auction_id: str, **more: str) -> Send:
    return Send(frames.error("not_found", "There is no such lot.", auctionId=auction_id, **more))
