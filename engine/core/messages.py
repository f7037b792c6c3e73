"""Commands in, events out: what the log holds, and what others may import.

A command is a wish, in the imperative; anyone who may append to a shard's ``cmd`` stream
can wish.  An event is a fact, in the past participle; only the shard's leader writes one,
to ``evt``.  Every number and instant that a later reader needs is in the event itself, so
that a view, an archive or a recovered engine folds events without knowing a single rule.

Amounts are whole minor units of the sale's currency, from 1 to ``MAX_AMOUNT``; instants are
milliseconds since the epoch, taken from the log entry that carried the command.

Events are private: they name bidders and their limits.  What the public may see of them is
in ``PublicState`` and decided by the gateway's view.

Fields are only ever added at the end, with a default: a record is an array (codec.py), and
yesterday's log must be readable tomorrow.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal
from zlib import crc32

from msgspec import Struct

MAX_AMOUNT = 2**53 - 1  # the largest integer that every JSON reader keeps exact
LAST_INSTANT = 253_402_300_799_999  # the end of the year 9999, the last that ISO 8601 can write


class State(Enum):
    """Where a lot stands in its life (lot.TRANSITIONS)."""

    SCHEDULED = "scheduled"
    OPEN = "open"
    PAUSED = "paused"
    CLOSED = "closed"
    SETTLED = "settled"
    CANCELED = "canceled"


Kind = Literal["bid", "max"]  # exactly this amount, or a limit that the engine bids up to
Standing = Literal["NOT_BID", "ACTIVE", "OUTBID", "WINNING"]
ReserveShown = Literal["none", "met", "not_met"]
Outcome = Literal["sold", "passed", "canceled"]
Why = Literal["bid", "proxy", "reserve"]  # what moved the price
Admission = Literal["approved", "pending", "declined", "suspended"]
Refusal = Literal[
    "not_open_yet",
    "paused",
    "closed",
    "canceled",
    "not_registered",
    "pending_approval",
    "suspended",
    "not_a_raise",
    "below_asking_bid",
    "off_ladder",
    "idempotency_mismatch",
]
Objection = Literal["exists", "not_found", "invalid_transition", "invalid", "unreadable"]


class Record(Struct, frozen=True, array_like=True, tag=True, gc=False):
    """One entry of the log: ``["<ClassName>", field, …]``."""


# ── What a lot is sold by ────────────────────────────────────────────────────────────────


class Table(Struct, frozen=True, array_like=True, tag="table", gc=False):
    """Additive increments: from ``froms[i]`` on, the step is ``steps[i]``."""

    froms: tuple[int, ...]
    steps: tuple[int, ...]


class Ladder(Struct, frozen=True, array_like=True, tag="ladder", gc=False):
    """Fixed rungs: from ``froms[i]`` on, ``froms[i] + k·cycles[i] + o`` for each offset o."""

    froms: tuple[int, ...]
    cycles: tuple[int, ...]
    offsets: tuple[tuple[int, ...], ...]


class Terms(Struct, frozen=True, gc=False):
    """The rules that one lot is sold by (bidding-rules 2.1, 2.3)."""

    opening: int
    increments: Table | Ladder
    reserve: int | None = None  # confidential: it leaves the engine only as ReserveShown
    reserve_policy: Literal["normal", "to_max"] = "normal"
    leader_raise: Literal["freeze", "recompute"] = "freeze"
    ladder_only: bool = False
    opens_at: int | None = None  # None: opened by command
    closes_at: int | None = None  # None: closed by command
    settle_at: int | None = None  # None: at the close
    extension_window_ms: int = 0  # 0: a hard close
    extension_ms: int = 0
    max_extensions: int | None = None


class Catalogue(Struct, frozen=True, gc=False):
    """What is printed of a lot.  The engine carries it and never reads it."""

    lot_number: str
    name: str
    description: str = ""
    estimate_low: int | None = None
    estimate_high: int | None = None
    photos: tuple[str, ...] = ()
    provenance: tuple[str, ...] = ()
    serial: str | None = None


# ── Commands ─────────────────────────────────────────────────────────────────────────────


class CreateSale(Record, frozen=True):
    sale_id: str
    name: str
    currency: str  # ISO 4217
    exponent: int  # minor units are 10^-exponent of the currency
    time_zone: str = "UTC"
    registration: Literal["open", "approval"] = "open"


class AddLot(Record, frozen=True):
    auction_id: str
    sale_id: str
    terms: Terms
    catalogue: Catalogue


class RegisterBidder(Record, frozen=True):
    """Admit a bidder to a sale, or change their admission.  No paddle: the next free one."""

    sale_id: str
    consumer_id: str
    admission: Admission = "approved"
    paddle: int | None = None


class PlaceBid(Record, frozen=True):
    auction_id: str
    consumer_id: str
    cmd_id: str  # chosen by the bidder's device; a retry carries the same one
    amount: int
    kind: Kind
    seen: int | None = None  # the last public seq that the bidder had seen


class OpenLot(Record, frozen=True):
    auction_id: str


class PauseLot(Record, frozen=True):
    auction_id: str


class UnpauseLot(Record, frozen=True):
    auction_id: str


class CloseLot(Record, frozen=True):
    auction_id: str


class CancelLot(Record, frozen=True):
    auction_id: str


class SettleLot(Record, frozen=True):
    auction_id: str


class KeepTime(Record, frozen=True):
    """The clock's own command: bring about whatever is due on this lot by now."""

    auction_id: str


class ResumeTrading(Record, frozen=True):
    """The log takes bids again after a stop; ends that fell into the stop are made good."""


Command = (
    CreateSale
    | AddLot
    | RegisterBidder
    | PlaceBid
    | OpenLot
    | PauseLot
    | UnpauseLot
    | CloseLot
    | CancelLot
    | SettleLot
    | KeepTime
    | ResumeTrading
)


# ── Events ───────────────────────────────────────────────────────────────────────────────


class PublicState(Struct, frozen=True, array_like=True, gc=False):
    """What everybody may know of a lot, as it is after an event."""

    seq: int  # of the last public event, this one included; 0: none yet
    state: State
    price: int | None
    asking_bid: int | None  # None: there is nothing to ask for any more
    paddle: int | None  # the leader's
    bid_count: int  # accepted bids that made a price event
    bidder_count: int
    reserve: ReserveShown
    closes_at: int | None  # None: by command, or paused
    extensions: int


class Answer(Struct, frozen=True, array_like=True, gc=False):
    """What a bid was answered: kept for the retry, and given word for word again."""

    amount: int
    kind: Kind
    at: int
    seq: int  # of the first public event that the bid caused, else of the last before it
    status: Standing
    price: int | None
    asking_bid: int | None
    would_pass: int | None  # the lowest amount that this bidder could bid now
    code: Refusal | None = None  # None: accepted
    moved: bool = False  # the price moved on after the seq that the bidder had seen
    bid_count: int = 0  # the bidder's own accepted bids by then, this one included


class SaleCreated(Record, frozen=True):
    at: int
    sale: CreateSale


class LotAdded(Record, frozen=True):
    at: int
    auction_id: str
    sale_id: str
    terms: Terms
    catalogue: Catalogue
    after: PublicState
    increment: int  # the step in force at the opening bid


class BidderRegistered(Record, frozen=True):
    at: int
    sale_id: str
    consumer_id: str
    paddle: int
    admission: Admission


class LotOpened(Record, frozen=True):
    at: int
    auction_id: str
    after: PublicState


class LotPaused(Record, frozen=True):
    at: int
    auction_id: str
    after: PublicState


class LotUnpaused(Record, frozen=True):
    at: int
    auction_id: str
    after: PublicState


class LotExtended(Record, frozen=True):
    at: int
    auction_id: str
    after: PublicState


class LotClosed(Record, frozen=True):
    at: int
    auction_id: str
    outcome: Outcome  # sold or passed
    winner: str | None  # a consumer id
    settle_at: int
    after: PublicState


class LotCanceled(Record, frozen=True):
    at: int
    auction_id: str
    after: PublicState


class LotSettled(Record, frozen=True):
    at: int
    auction_id: str
    after: PublicState


class BidAccepted(Record, frozen=True):
    """A bid stands.  It made a price event unless ``why`` is None (a silent raise)."""

    auction_id: str
    consumer_id: str
    cmd_id: str
    answer: Answer
    paddle: int  # the bidder's; given out with this bid where they had none
    beaten: str | None  # the consumer who lost the lead by this bid
    tied: bool  # the bid was passed by an earlier one of the same amount
    why: Why | None
    after: PublicState


class BidRefused(Record, frozen=True):
    """Private: it takes a place in the log, never a public seq."""

    auction_id: str
    consumer_id: str
    cmd_id: str
    answer: Answer


class AnswerRepeated(Record, frozen=True):
    """Private: the same cmd_id came again; nothing happened a second time."""

    auction_id: str
    consumer_id: str
    cmd_id: str
    answer: Answer


class CommandRefused(Record, frozen=True):
    """Private: a command of the house that could not be carried out, and changed nothing."""

    at: int
    subject: str  # the auction or sale id
    command: str  # the command's name
    objection: Objection


class TradingResumed(Record, frozen=True):
    """Private: after a stop.  A lot whose end is not later than ``at`` is extended when due."""

    at: int


LotEvent = LotOpened | LotPaused | LotUnpaused | LotExtended | LotClosed | LotCanceled | LotSettled
BidAnswer = BidAccepted | BidRefused | AnswerRepeated
Event = (
    SaleCreated
    | LotAdded
    | BidderRegistered
    | LotOpened
    | LotPaused
    | LotUnpaused
    | LotExtended
    | LotClosed
    | LotCanceled
    | LotSettled
    | BidAccepted
    | BidRefused
    | AnswerRepeated
    | CommandRefused
    | TradingResumed
)


def sale_part(identity: str) -> str:
    """What the ids of a sale and of its lots share: ``k3f9`` of ``auction_k3f9_7x2q``."""
    return identity.split("_", 2)[1] if "_" in identity else ""


def shard_of(identity: str, shards: int) -> int:
    """The shard of a sale or an auction, from its id alone.

    An auction's id carries its sale's: ``seq_k3f9`` and ``auction_k3f9_7x2q`` share
    ``k3f9``, so one sale is decided in one order, with one set of paddles.
    """
    return crc32(sale_part(identity).encode()) % shards


def shard_of_command(command: Command, shards: int) -> int:
    """Where a command belongs.  ``ResumeTrading`` belongs to every shard and is refused here."""
    assert not isinstance(command, ResumeTrading)
    if isinstance(command, CreateSale | RegisterBidder):
        return shard_of(command.sale_id, shards)
    return shard_of(command.auction_id, shards)
