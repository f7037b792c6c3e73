"""The live protocol's answers, as types: every frame that a client is ever sent.

The frames themselves are built as plain objects in ``core.frames`` and ``core.rostrum``, where
nothing is checked a hundred thousand times over; here is written once what they look like, and
the tests read real ones by these types, strictly.  From here, and from the requests' own forms,
``tools/wire_types.py`` makes the types by which the pages' scripts are checked.

Amounts are in minor units, instants in milliseconds.  A field that is ``UNSET`` may be absent.
"""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from engine.core.messages import (
    ActRefusal,
    Channel,
    Format,
    HouseBids,
    Phase,
    Refusal,
    Standing,
    Why,
)
from gateway.core.view import BidderStatus

Status = Literal[
    "draft", "scheduled", "open", "paused", "closed", "settling", "settled", "canceled"
]
Reserve = Literal["none", "met", "not_met"]
Outcome = Literal["sold", "passed", "sold_subject", "withdrawn"]


class Part(Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """A part of a frame.  Strict, for the tests; clients must ignore what they do not know."""


class Frame(
    Struct,
    frozen=True,
    tag_field="type",
    rename="camel",
    forbid_unknown_fields=True,
    kw_only=True,
):
    """A frame, known by its type."""


# ── Answers ──────────────────────────────────────────────────────────────────────────────


class Welcome(Frame, frozen=True, tag="welcome"):
    session: str
    role: Literal["bidder", "spectator", "auctioneer"]
    consumer_id: str | None
    now: int
    ping: int


class Pong(Frame, frozen=True, tag="pong"):
    t: int
    now: int


class Failure(Frame, frozen=True, tag="error"):
    """What was sent could not be understood or taken in; nothing entered the log."""

    code: str
    message: str
    cmd_id: str | UnsetType = UNSET
    auction_id: str | UnsetType = UNSET
    retry_after_ms: int | UnsetType = UNSET


class Result(Frame, frozen=True, tag="result"):
    """What became of a bid or an act."""

    cmd_id: str
    auction_id: str
    seq: int
    at: int
    outcome: Literal["accepted", "refused", "waiting"]
    status: Standing
    price: int | None
    asking_bid: int | None
    would_pass: int | None
    code: Refusal | ActRefusal | None
    message: str | None
    bid_id: str | UnsetType = UNSET


class You(Part, frozen=True):
    """A bidder's own part of a lot."""

    status: BidderStatus
    paddle: int | None
    max: int | None
    last_bid_amount: int | None
    bid_count: int


class Auction(Part, frozen=True):
    """The public part of a lot."""

    name: str
    lot_number: str
    sale_id: str
    format: Format
    currency: str
    exponent: int
    status: Status
    phase: Phase | None
    opening: int
    price: int | None
    asking_bid: int | None
    paddle: int | None
    channel: Channel
    bid_count: int
    bidder_count: int
    reserve: Reserve
    opens_at: int | None
    closes_at: int | None
    extensions: int
    outcome: Outcome | None


class Snapshot(Frame, frozen=True, tag="snapshot"):
    auction_id: str
    lineage: str
    seq: int
    at: int
    auction: Auction
    you: You | None


class Resumed(Frame, frozen=True, tag="resumed"):
    auction_id: str
    lineage: str
    seq: int
    missed: int
    you: You | UnsetType = UNSET


# ── Public events ────────────────────────────────────────────────────────────────────────


class Public(Frame, frozen=True, kw_only=True):
    """What every public event carries, as it is after it."""

    auction_id: str
    seq: int
    at: int
    price: int | None
    asking_bid: int | None
    paddle: int | None
    bid_count: int
    bidder_count: int
    reserve: Reserve
    status: Status
    closes_at: int | None
    phase: Phase | UnsetType | None = UNSET  # live lots only
    channel: Channel | UnsetType = UNSET


class Changed(Part, frozen=True):
    """What is another than before, under the snapshot's names."""

    name: str | UnsetType = UNSET
    lot_number: str | UnsetType = UNSET
    format: Format | UnsetType = UNSET
    currency: str | UnsetType = UNSET
    exponent: int | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    phase: Phase | UnsetType | None = UNSET
    opening: int | UnsetType = UNSET
    price: int | UnsetType | None = UNSET
    asking_bid: int | UnsetType | None = UNSET
    paddle: int | UnsetType | None = UNSET
    channel: Channel | UnsetType = UNSET
    bid_count: int | UnsetType = UNSET
    bidder_count: int | UnsetType = UNSET
    reserve: Reserve | UnsetType = UNSET
    opens_at: int | UnsetType | None = UNSET
    closes_at: int | UnsetType | None = UNSET
    extensions: int | UnsetType = UNSET


class Price(Public, frozen=True, tag="price", kw_only=True):
    channel: Channel
    why: Why
    merged: int | UnsetType = UNSET


class Opened(Public, frozen=True, tag="opened", kw_only=True):
    changed: Changed | UnsetType = UNSET


class Paused(Public, frozen=True, tag="paused", kw_only=True):
    pass


class Unpaused(Public, frozen=True, tag="unpaused", kw_only=True):
    pass


class Extended(Public, frozen=True, tag="extended", kw_only=True):
    extensions: int


class Updated(Public, frozen=True, tag="updated", kw_only=True):
    changed: Changed


class FairWarning(Public, frozen=True, tag="fair_warning", kw_only=True):
    pass


class FinalCall(Public, frozen=True, tag="final_call", kw_only=True):
    pass


class Said(Public, frozen=True, tag="message", kw_only=True):
    text: str


class Undone(Public, frozen=True, tag="undone", kw_only=True):
    to_seq: int
    reason: str


class Reopened(Public, frozen=True, tag="reopened", kw_only=True):
    reason: str


class Closed(Public, frozen=True, tag="closed", kw_only=True):
    outcome: Outcome | Literal["canceled"]


class Settled(Public, frozen=True, tag="settled", kw_only=True):
    pass


# ── Personal events ──────────────────────────────────────────────────────────────────────


class Winning(Frame, frozen=True, tag="winning"):
    auction_id: str
    seq: int
    at: int
    price: int | None
    max: int | None


class Outbid(Frame, frozen=True, tag="outbid"):
    auction_id: str
    seq: int
    at: int
    price: int | None
    asking_bid: int | None
    paddle: int | None
    channel: Channel
    why: Literal["bid", "proxy", "tie"]


class Decided(Frame, frozen=True, tag="decided"):
    """What became of a bid that had waited for the rostrum."""

    bid_id: str
    cmd_id: str
    auction_id: str
    seq: int
    at: int
    outcome: Literal["accepted", "refused"]
    code: Refusal | None
    message: str | None


class Won(Frame, frozen=True, tag="won"):
    auction_id: str
    seq: int
    at: int
    price: int


class Lost(Frame, frozen=True, tag="lost"):
    auction_id: str
    seq: int
    at: int
    price: int | None


# ── For consoles ─────────────────────────────────────────────────────────────────────────


class FingerOn(Frame, frozen=True, tag="finger"):
    auction_id: str
    paddle: int
    on: bool


class WaitingBid(Part, frozen=True):
    bid_id: str
    paddle: int
    amount: int
    at: int


class InControl(Part, frozen=True):
    session: str
    by: str
    name: str


class LeftBids(Part, frozen=True):
    count: int
    next: int | None


class DeskBid(Part, frozen=True):
    bid_id: str
    seq: int
    amount: int
    channel: Channel
    paddle: int | None
    at: int
    state: Literal["standing", "undone", "waiting", "refused"]
    house: bool


class Gone(Part, frozen=True):
    """How the sale has gone so far."""

    lots: int
    sold: int
    passed: int
    hammer_total: int


class Desk(Frame, frozen=True, tag="desk"):
    auction_id: str
    seq: int
    waiting: list[WaitingBid]
    connected: int
    can_bid: int
    heard: int
    control: InControl | None
    ring: str | None
    auto_accept: bool
    step: int | None
    reserve: int | None
    left_bids: LeftBids
    house_bids: HouseBids
    bids: list[DeskBid]
    sale: Gone


PublicEvent = (
    Price
    | Opened
    | Paused
    | Unpaused
    | Extended
    | Updated
    | FairWarning
    | FinalCall
    | Said
    | Undone
    | Reopened
    | Closed
    | Settled
)
PersonalEvent = Winning | Outbid | Decided | Won | Lost
Told = (
    Welcome
    | Pong
    | Failure
    | Result
    | Snapshot
    | Resumed
    | PublicEvent
    | PersonalEvent
    | FingerOn
    | Desk
)
