"""One connection as a state machine: a message comes in, actions come out.

It has no socket, clock or log: time is handed in with each message, and what shall happen is
returned for the edge to carry out, in order.  So a simulation can run a thousand of them on
one thread, and the words of the protocol are all in one place.

The life of a session: it must say hello first; then it follows auctions, and if it is a
bidder's it bids.  A hello with a ticket is checked by the edge, for a ticket is good once;
what comes meanwhile waits.  A ``result`` is not made here: it comes from the log, through
``fanout``; but for a sealed bid that is too low, for nobody could see it later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from msgspec import UNSET

from engine.core.messages import Act, Kind, Mode, PlaceBid, State
from gateway.core import acting, frames
from gateway.core.frames import Bid, Finger, Hello, Json, Ping, Request, Subscribe, Unsubscribe
from gateway.core.limits import Bucket, Buckets, Limit
from gateway.core.view import LotView, Saleroom

PING_MS = 15_000
HELLO_WITHIN_S = 5.0
FORGIVEN_AFTER_S = 10.0  # a breach of a rate counts as repeated within this time
INVALID_IN_A_ROW = 3
MOST_EARLY = 20  # messages that wait while a ticket is checked: the burst of MESSAGE_RATE

NOT_SIGNED_IN = 4401
POLICY = 1008


class _Rate(NamedTuple):
    per_second: float
    burst: int


FINGERS = _Rate(4.0, 4)  # more are left out: the next says the same


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
    """From now on this connection is this person's own; at most so many an account."""

    consumer_id: str | None  # None: the house's own people, who have no account
    session_id: str = ""  # with which it ends


@dataclass(frozen=True, slots=True)
class Submit:
    """Append this command to the log; its answer comes from there."""

    command: PlaceBid


@dataclass(frozen=True, slots=True)
class Perform:
    """Append this act of the console to the log; its answer comes from there."""

    command: Act


@dataclass(frozen=True, slots=True)
class Prepare:
    """Have what is bid held in the books, then append the command to the log."""

    command: PlaceBid


@dataclass(frozen=True, slots=True)
class Redeem:
    """Find out whom this ticket admits, and say so with ``admitted`` or ``not_admitted``."""

    key: str | None
    ticket: str


@dataclass(frozen=True, slots=True)
class Point:
    """Show the auction's consoles that this paddle's finger is on the button, or is gone."""

    auction_id: str
    paddle: int
    on: bool


Action = Send | Close | Follow | Unfollow | SignedIn | Submit | Perform | Prepare | Redeem | Point
Role = Literal["spectator", "bidder", "auctioneer"]


@dataclass(frozen=True, slots=True)
class Admitted:
    """Whom a key, a token or a ticket speaks for, and until when (the log's ms)."""

    consumer_id: str | None  # None: a spectator, or the house's own people
    expires_at: int = 0  # of a bidder's token: from then on they bid no more
    mode: Mode = "test"  # lots of the other mode do not exist for them
    session_id: str = ""  # with which the connection ends; empty: with none
    role: Role | None = None  # None: a bidder's where there is a consumer, else a spectator's


class House(Protocol):
    """What a session asks the rest of the gateway."""

    @property
    def saleroom(self) -> Saleroom:
        """The view that this gateway has of all sales."""

    def admit(self, key: str, token: str | None) -> Admitted:
        """The bidder of a hello, or a spectator.  Raises ``Unauthorized``."""

    def admit_operator(self, key: str) -> Admitted:
        """The console that an operator's key admits.  Raises ``Unauthorized``."""

    def seal(self, lot: LotView, consumer_id: str, cmd_id: str, amount: int) -> PlaceBid:
        """The command of a sealed bid, which nobody can read before the close."""

    def log_now(self) -> int:
        """The log's clock, in ms."""


class Unauthorized(Exception):
    """A key, a token or a ticket that admits nobody."""


class Session:
    """The protocol's side of one connection.  Times are monotonic seconds."""

    def __init__(self, name: str, house: House, rate: Limit | None, bids: Buckets) -> None:
        self.name = name
        self.house = house
        self.bids = bids
        self.consumer_id: str | None = None
        self.expires_at = 0
        self.mode: Mode = "test"
        self.role: Role = "spectator"
        self.key_id = ""  # of the house, that a console was opened with
        self.welcomed = False
        self.closed = False
        self._messages = Bucket(rate) if rate is not None else None
        self.pointing: dict[str, int] = {}  # auctions with this finger on their button: the paddle
        self._fingers = Bucket(FINGERS)
        self._invalid = 0
        self._breached_at: float | None = None
        self._early: list[str] | None = None  # what came while a ticket is checked

    def receive(self, text: str, now: float) -> list[Action]:
        """What to do about one text frame."""
        if self.closed:
            return []
        if self._early is not None:
            return self._wait(text)
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

    # ── Signing in ───────────────────────────────────────────────────────────────────────

    def _hello(self, request: Request) -> list[Action]:
        if not isinstance(request, Hello):
            return self._unauthorized("the first message must be a hello")
        given = (request.token, request.ticket, request.operator_key)
        if sum(name is not None for name in given) > 1:
            return self._unauthorized("a token, a ticket or an operator key: one of them")
        if request.ticket is not None:
            self._early = []
            return [Redeem(request.key, request.ticket)]
        try:
            return self._welcome(self._admit(request))
        except Unauthorized as error:
            return self._unauthorized(str(error))

    def _admit(self, hello: Hello) -> Admitted:
        if hello.operator_key is not None:
            return self.house.admit_operator(hello.operator_key)
        if not hello.key:
            raise Unauthorized("a publishable key is needed")
        return self.house.admit(hello.key, hello.token)

    def admitted(self, admitted: Admitted, now: float) -> list[Action]:
        """The ticket was good; what came meanwhile is heard now."""
        if self.closed or self._early is None:
            return []
        early, self._early = self._early, None
        actions = self._welcome(admitted)
        for text in early:
            actions += self.receive(text, now)
        return actions

    def not_admitted(self, reason: str) -> list[Action]:
        """The ticket admits nobody."""
        return [] if self.closed else self._unauthorized(reason)

    def _wait(self, text: str) -> list[Action]:
        assert self._early is not None
        if len(self._early) >= MOST_EARLY:
            return self._end(POLICY, "too many messages before the welcome")
        self._early.append(text)
        return []

    def _welcome(self, admitted: Admitted) -> list[Action]:
        self.consumer_id, self.expires_at = admitted.consumer_id, admitted.expires_at
        self.mode = admitted.mode
        self.welcomed = True
        self._invalid = 0
        self.role = admitted.role or ("spectator" if admitted.consumer_id is None else "bidder")
        self.key_id = admitted.session_id if self.role == "auctioneer" else ""
        now = self.house.log_now()
        welcome = frames.welcome(self.name, self.role, self.consumer_id, now, PING_MS)
        if self.role == "spectator":
            return [Send(welcome)]
        return [SignedIn(self.consumer_id, admitted.session_id), Send(welcome)]

    # ── Following and bidding ────────────────────────────────────────────────────────────

    def _handle(self, request: Request, now: float) -> list[Action]:
        if isinstance(request, Bid):
            return self._bid(request, now)
        if isinstance(request, acting.Act):
            return self._act(request)
        if isinstance(request, Hello):
            return self._invalid_frame("hello was said before", {})
        self._invalid = 0
        if isinstance(request, Ping):
            return [Send({"type": "pong", "t": request.t, "now": self.house.log_now()})]
        lot = self._lot(request.auction_id)
        if lot is not None and isinstance(request, Unsubscribe):
            return [Unfollow(request.auction_id)]
        if lot is None or lot.now.state is State.WITHDRAWN:
            return [_not_found(request.auction_id)]
        if isinstance(request, Finger):
            return self._point(lot, request, now)
        assert isinstance(request, Subscribe)
        return [Follow(request.auction_id, request.lineage, request.seq)]

    def _lot(self, auction_id: str) -> LotView | None:
        """The lot, withdrawn or not, where it is of this connection's mode."""
        lot = self.house.saleroom.lots.get(auction_id)
        return lot if lot is not None and lot.sale.created.mode == self.mode else None

    def _bid(self, bid: Bid, now: float) -> list[Action]:
        named = {"cmdId": bid.cmd_id, "auctionId": bid.auction_id}
        lot = self._lot(bid.auction_id)
        if lot is not None and not lot.takes_limits and bid.kind == "max":
            reason = "This lot takes no limits: bid exactly what you would pay, with kind bid."
            return self._invalid_frame(reason, named)
        self._invalid = 0
        if self.consumer_id is None:
            return [Send(frames.error("unauthorized", "Sign in to bid.", **named))]
        if self.house.log_now() >= self.expires_at:
            return self._unauthorized("the access token has expired", named)
        if lot is None or lot.now.state is State.WITHDRAWN:
            return [_not_found(bid.auction_id, cmdId=bid.cmd_id)]
        bucket = self.bids.of(f"bid:{self.consumer_id}", now)
        if bucket is not None and (wait_ms := bucket.take(now)):
            return self._breach(wait_ms, now, named)
        return [self._place(lot, bid, self.consumer_id)]

    def _place(self, lot: LotView, bid: Bid, consumer_id: str) -> Action:
        if not lot.is_sealed:
            kind = _kind(lot, bid)
            command = PlaceBid(bid.auction_id, consumer_id, bid.cmd_id, bid.amount, kind, bid.seen)
            return Submit(command) if lot.terms.tokens is None else Prepare(command)
        # The log cannot see the amount before the close: what can be said now is said now.
        is_low = lot.now.state is State.OPEN and bid.amount < lot.terms.opening
        if is_low and not was_taken(lot, consumer_id, bid.cmd_id):
            return Send(frames.too_low(lot, consumer_id, bid.cmd_id, bid.amount))
        return Submit(self.house.seal(lot, consumer_id, bid.cmd_id, bid.amount))

    # ── Selling ──────────────────────────────────────────────────────────────────────────

    def _act(self, act: acting.Act) -> list[Action]:
        """What a console does; whether it can be done, the log says."""
        self._invalid = 0
        named = {"cmdId": act.cmd_id, "auctionId": act.auction_id}
        if self.role != "auctioneer":
            return [Send(frames.error("unauthorized", "Only a console sells.", **named))]
        lot = self._lot(act.auction_id)
        if lot is None or lot.now.state is State.WITHDRAWN:
            return [_not_found(act.auction_id, cmdId=act.cmd_id)]
        bid = ("", "")
        if isinstance(act, acting.OfBid):
            found = lot.bid_named(act.bid_id)
            if found is None:
                return [Send(frames.error("not_found", "There is no such bid.", **named))]
            bid = found
        deed = acting.deed_of(act, bid)
        return [
            Perform(
                Act(
                    act.auction_id,
                    deed,
                    act.cmd_id,
                    self.key_id,
                    self.name,
                    act.seen,
                    act.reason or "",
                )
            )
        ]

    def _point(self, lot: LotView, finger: Finger, now: float) -> list[Action]:
        if self.consumer_id is None:
            named = {"auctionId": finger.auction_id}
            return [Send(frames.error("unauthorized", "Sign in to bid.", **named))]
        if not finger.on:  # once for each that went on, however fast they come
            paddle = self.pointing.pop(lot.auction_id, None)
            return [] if paddle is None else [Point(lot.auction_id, paddle, False)]
        paddle = lot.sale.paddles.get(self.consumer_id)
        # Of somebody without a paddle there is nothing that the rostrum could call.
        if paddle is None or not _shows_fingers(lot) or self._fingers.take(now):
            return []
        self.pointing[lot.auction_id] = paddle
        return [Point(lot.auction_id, paddle, True)]

    # ── What is wrong ────────────────────────────────────────────────────────────────────

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


def was_taken(lot: LotView, consumer_id: str, cmd_id: str) -> bool:
    """Has the log accepted a bid with this id?  Then it has an answer to whatever comes with it."""
    return any(b.cmd_id == cmd_id and b.consumer_id == consumer_id for b in lot.bids or ())


def _shows_fingers(lot: LotView) -> bool:
    return lot.is_live and lot.now.state is State.OPEN and lot.sale.created.terms.fingers


def _kind(lot: LotView, bid: Bid) -> Kind:
    if bid.kind is not UNSET:
        return bid.kind
    return "max" if lot.takes_limits else "bid"


def _not_found(auction_id: str, **more: str) -> Send:
    return Send(frames.error("not_found", "There is no such lot.", auctionId=auction_id, **more))
