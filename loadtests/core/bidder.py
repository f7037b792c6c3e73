"""A bidder's session as a state machine: frames and instants in, frames and happenings out.

It signs in, follows auctions and keeps their views whole (a gap is asked for again from the
last seq that is known), and bids.  Promises: a bid is answered once, by the house's decision
or by a definite error; until then the same ``cmdId`` is sent again, after every reconnect,
after ``rate_limited`` and ``overloaded``, and where no answer came for ``PATIENCE_MS``.

Nothing here reads a clock, a die or a socket.  ``now`` is handed in, in milliseconds of any
clock that does not go back; ``draw(most)`` gives a whole number from 0 to *most*; whoever
owns the line calls ``connected``, ``received``, ``disconnected`` and ``wake``, and sends what
``take_frames`` hands out.  So one thread can run a whole room of bidders in simulated time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

import msgspec

from loadtests.core.view import PERSONAL, PUBLIC, Message, View, seen, take

FIRST_BACKOFF_MS = 250
LONGEST_BACKOFF_MS = 30_000
PATIENCE_MS = 10_000  # unanswered for as long on a line that works: ask again, the id is the same

# Codes after which another attempt cannot end differently.
FINAL_CLOSES = frozenset((4401, 4403))
# Errors that say "later": nothing entered the log, and the cmdId is unused.
_LATER = frozenset(("rate_limited", "overloaded"))

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Message).decode


class ProtocolBroken(Exception):
    """The house sent what the live protocol does not allow; the text says what."""


class Phase(Enum):
    """Where the session stands."""

    APART = "apart"  # no line
    GREETING = "greeting"  # hello is sent
    PRESENT = "present"  # welcome has come
    ENDED = "ended"  # no further attempt is made


# The session's life, whole.
TRANSITIONS: dict[Phase, frozenset[Phase]] = {
    Phase.APART: frozenset((Phase.GREETING, Phase.APART, Phase.ENDED)),
    Phase.GREETING: frozenset((Phase.PRESENT, Phase.APART, Phase.ENDED)),
    Phase.PRESENT: frozenset((Phase.APART, Phase.ENDED)),
    Phase.ENDED: frozenset((Phase.ENDED,)),
}


# ── What happens ─────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Welcomed:
    """Signed in; ``attempts`` dials it took since the last time."""

    role: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The house decided a bid: durable, and the same however often it is asked."""

    auction_id: str
    cmd_id: str
    result: Message


@dataclass(frozen=True, slots=True)
class Rejected:
    """A bid or a wish to follow (``cmd_id`` None) was not taken in, and will not be."""

    auction_id: str
    cmd_id: str | None
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Changed:
    """The view of an auction moved, by this frame: a snapshot, ``resumed`` or an event."""

    auction_id: str
    frame: Message


@dataclass(frozen=True, slots=True)
class Told:
    """A personal event."""

    frame: Message


@dataclass(frozen=True, slots=True)
class Missed:
    """An event did not follow on what was known; it is asked for again."""

    auction_id: str
    known: int
    came: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The house closed for good."""

    code: int
    reason: str


Happening = Welcomed | Answered | Rejected | Changed | Told | Missed | Ended


@dataclass(slots=True)
class _Bid:
    auction_id: str
    cmd_id: str
    amount: int
    kind: str
    seen: int | None
    ask_at: int | None = None  # None: when the line is there
    put_off: int = 0  # how often the house said "later"


@dataclass(slots=True)
class _Followed:
    auction_id: str
    view: View | None = None
    live: bool = False  # the house has answered, on this line
    ask_at: int | None = None
    put_off: int = 0


class Bidder:
    """One session: a bidder, a spectator or a console, by its credentials."""

    def __init__(self, credentials: Mapping[str, str], draw: Callable[[int], int]) -> None:
        """*credentials*: the fields of ``hello`` (``key`` with ``token`` or ``ticket``)."""
        self.phase = Phase.APART
        self.dial_at: int | None = 0  # None: there is a line, or there will be none
        self._hello = _encode({"type": "hello", **credentials}).decode()
        self._draw = draw
        self._attempts = 0
        self._bids: dict[tuple[str, str], _Bid] = {}
        self._followed: dict[str, _Followed] = {}
        self._frames: list[str] = []
        self._wakes_at: int | None = None

    @property
    def unanswered(self) -> int:
        """How many bids wait for an answer."""
        return len(self._bids)

    def view(self, auction_id: str) -> View | None:
        """What is known of a followed auction; None before its first snapshot."""
        followed = self._followed.get(auction_id)
        return followed.view if followed else None

    def take_frames(self) -> list[str]:
        """The text frames that are to be sent now, in this order."""
        frames, self._frames = self._frames, []
        return frames

    def wakes_at(self) -> int | None:
        """When ``wake`` has something to do; None: not before something else happens."""
        return self._wakes_at if self.phase is Phase.PRESENT else None

    # ── Wishes ───────────────────────────────────────────────────────────────────────────

    def follow(self, auction_id: str, now: int) -> None:
        """Keep a view of this auction, across lost lines, until ``unfollow``."""
        if auction_id in self._followed:
            return
        followed = self._followed[auction_id] = _Followed(auction_id)
        if self.phase is Phase.PRESENT:
            self._subscribe(followed, now)

    def unfollow(self, auction_id: str) -> None:
        """Let the view go."""
        if self._followed.pop(auction_id, None) and self.phase is Phase.PRESENT:
            self._send({"type": "unsubscribe", "auctionId": auction_id})

    def bid(self, auction_id: str, cmd_id: str, amount: int, kind: str, now: int) -> None:
        """Bid; *cmd_id* must be new for this bidder and auction."""
        assert (auction_id, cmd_id) not in self._bids, f"{cmd_id} is still unanswered"
        view = self.view(auction_id)
        bid = _Bid(auction_id, cmd_id, amount, kind, view.seq if view else None)
        self._bids[auction_id, cmd_id] = bid
        if self.phase is Phase.PRESENT:
            self._ask(bid, now)

    # ── The line ─────────────────────────────────────────────────────────────────────────

    def connected(self, now: int) -> None:
        """The line stands: sign in."""
        self._go(Phase.GREETING)
        self.dial_at = None
        self._frames = [self._hello]

    def disconnected(self, code: int, reason: str, now: int) -> list[Happening]:
        """The line is gone, or could not be had (*code* 1006); sets ``dial_at``."""
        self._frames = []
        if code in FINAL_CLOSES:
            self._go(Phase.ENDED)
            self.dial_at = None
            return [Ended(code, reason)]
        self._go(Phase.APART)
        for followed in self._followed.values():
            followed.live = False
        self.dial_at = now + _told_to_wait(reason) + self._backoff(self._attempts)
        self._attempts += 1
        return []

    def received(self, text: str | bytes, now: int) -> list[Happening]:
        """A text frame has come.  Raises ``ProtocolBroken``."""
        try:
            frame = _decode(text)
            return self._heard(frame, now)
        except (msgspec.DecodeError, KeyError, TypeError) as error:
            raise ProtocolBroken(f"{error!r} in {text[:200]!r}") from error

    def wake(self, now: int) -> None:
        """Do what is due: bids and wishes to follow that are to be sent again."""
        if self.phase is not Phase.PRESENT:
            return
        self._wakes_at = None
        for followed in self._followed.values():
            if followed.ask_at is not None and followed.ask_at <= now:
                self._subscribe(followed, now)
            self._wake_by(followed.ask_at)
        for bid in self._bids.values():
            if bid.ask_at is not None and bid.ask_at <= now:
                self._ask(bid, now)
            self._wake_by(bid.ask_at)

    def end(self) -> None:
        """Make no further attempt."""
        self._go(Phase.ENDED)
        self.dial_at = None

    # ── Hearing ──────────────────────────────────────────────────────────────────────────

    def _heard(self, frame: Message, now: int) -> list[Happening]:
        kind = frame["type"]
        if kind in PUBLIC:
            return self._event(frame, now)
        if kind == "result":
            return self._result(frame)
        if kind in PERSONAL:
            return [Told(frame)]
        if kind in ("snapshot", "resumed"):
            return self._subscribed(frame)
        if kind == "welcome":
            return self._welcome(frame, now)
        if kind == "error":
            return self._error(frame, now)
        return []  # a later version may say more than this one understands

    def _welcome(self, frame: Message, now: int) -> list[Happening]:
        self._go(Phase.PRESENT)
        attempts, self._attempts = self._attempts + 1, 0
        for followed in self._followed.values():
            self._subscribe(followed, now)
        # In the order in which they were made; each had no answer, so each is asked again.
        for bid in self._bids.values():
            self._ask(bid, now)
        return [Welcomed(frame["role"], attempts)]

    def _subscribed(self, frame: Message) -> list[Happening]:
        followed = self._followed.get(frame["auctionId"])
        if followed is None:
            return []
        if frame["type"] == "snapshot":
            followed.view = seen(frame)
        elif followed.view is None:
            raise ProtocolBroken(f"resumed without a view: {frame}")
        followed.live, followed.ask_at, followed.put_off = True, None, 0
        return [Changed(followed.auction_id, frame)]

    def _event(self, frame: Message, now: int) -> list[Happening]:
        followed = self._followed.get(frame["auctionId"])
        # Until the house has answered the last subscription, events belong to the one before.
        if followed is None or not followed.live or followed.view is None:
            return []
        known = followed.view.seq
        taken = take(followed.view, frame)
        if taken == "gap":
            self._subscribe(followed, now)
            return [Missed(followed.auction_id, known, frame["seq"])]
        return [Changed(followed.auction_id, frame)] if taken == "applied" else []

    def _result(self, frame: Message) -> list[Happening]:
        bid = self._bids.pop((frame["auctionId"], frame["cmdId"]), None)
        # A bid that was sent twice is answered twice; the second answer is the first again.
        return [Answered(bid.auction_id, bid.cmd_id, frame)] if bid else []

    def _error(self, frame: Message, now: int) -> list[Happening]:
        code, auction_id, cmd_id = frame["code"], frame.get("auctionId"), frame.get("cmdId")
        if code in _LATER:
            self._put_off(auction_id, cmd_id, frame.get("retryAfterMs", 0), now)
            return []
        if auction_id is None:
            return []
        if cmd_id is None:
            self._followed.pop(auction_id, None)
        elif self._bids.pop((auction_id, cmd_id), None) is None:
            return []
        return [Rejected(auction_id, cmd_id, code, frame["message"])]

    def _put_off(self, auction_id: str | None, cmd_id: str | None, wait: int, now: int) -> None:
        """Ask again later: what the error names, else everything that has no answer."""
        bids = list(self._bids.values())
        asked = [f for f in self._followed.values() if not f.live]
        if auction_id is not None:
            bids = [b for b in bids if (b.auction_id, b.cmd_id) == (auction_id, cmd_id)]
            asked = [f for f in asked if f.auction_id == auction_id and cmd_id is None]
        wishes: list[_Bid | _Followed] = [*bids, *asked]
        for wish in wishes:
            wish.ask_at = now + wait + self._backoff(wish.put_off)
            wish.put_off += 1
            self._wake_by(wish.ask_at)

    # ── Saying ───────────────────────────────────────────────────────────────────────────

    def _subscribe(self, followed: _Followed, now: int) -> None:
        followed.live = False
        followed.ask_at = now + PATIENCE_MS
        self._wake_by(followed.ask_at)
        wish: Message = {"type": "subscribe", "auctionId": followed.auction_id}
        if followed.view is not None:
            wish |= {"lineage": followed.view.lineage, "seq": followed.view.seq}
        self._send(wish)

    def _ask(self, bid: _Bid, now: int) -> None:
        bid.ask_at = now + PATIENCE_MS
        self._wake_by(bid.ask_at)
        wish: Message = {
            "type": "bid",
            "cmdId": bid.cmd_id,
            "auctionId": bid.auction_id,
            "amount": bid.amount,
            "kind": bid.kind,
        }
        if bid.seen is not None:
            wish["seen"] = bid.seen
        self._send(wish)

    def _send(self, wish: Message) -> None:
        self._frames.append(_encode(wish).decode())

    def _wake_by(self, at: int | None) -> None:
        if at is not None and (self._wakes_at is None or at < self._wakes_at):
            self._wakes_at = at

    def _backoff(self, attempt: int) -> int:
        """Full jitter: anything up to a bound that doubles, so that a crowd spreads out."""
        return self._draw(min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS << min(attempt, 20)))

    def _go(self, phase: Phase) -> None:
        if phase not in TRANSITIONS[self.phase] and self.phase is not Phase.ENDED:
            raise ProtocolBroken(f"{phase.value} cannot follow {self.phase.value}")
        if self.phase is not Phase.ENDED:
            self.phase = phase


def _told_to_wait(reason: str) -> int:
    """``retryAfterMs`` of a close frame's reason, in ms; 0 where it says nothing."""
    found = re.search(r"retryAfterMs\D{0,4}(\d{1,6})", reason)
    return int(found[1]) if found else 0
