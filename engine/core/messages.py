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
    SETTLING = "settling"  # the books are being written: only where tokens change hands
    WITHDRAWN = "withdrawn"  # taken out of the sale before it opened


Format = Literal["english", "live", "one_bid", "sealed_first", "sealed_second", "uniform", "dutch"]
# Exactly this amount; a limit that the engine bids up to; the printed price, at once; or an
# amount that nobody can read before the close.
Kind = Literal["bid", "max", "buy_now", "sealed"]
Standing = Literal["NOT_BID", "ACTIVE", "OUTBID", "WINNING"]
ReserveShown = Literal["none", "met", "not_met"]
# Sold subject to the consignor's word: it is not settled before the rostrum decides it.
Outcome = Literal["sold", "passed", "canceled", "sold_subject", "withdrawn"]
Why = Literal["bid", "proxy", "reserve", "reinstated"]  # what moved the price
Channel = Literal["room", "phone", "online", "left"]  # where a bid comes from
Phase = Literal["fair_warning", "final_call"]
# Who has an amount that a left bid's limit and the floor both reach (bidding-rules 2.5).
WrongFoot = Literal["absentee_first", "floor_first", "plus_one", "cover"]
HouseBids = Literal["none", "announced_once", "consecutive_below_reserve"]
Admission = Literal["approved", "pending", "declined", "suspended", "left"]
Mode = Literal["live", "test"]
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
    "already_bid",
    "over_limit",
    "own_lot",
    "buy_now_unavailable",
    "expired",
    "insufficient_funds",
    "refused",  # by the auctioneer, who says why
]
Objection = Literal[
    "exists",
    "not_found",
    "invalid_transition",
    "invalid",
    "unreadable",
    "moved",  # the lot was changed since the revision that the house had seen
    "not_editable",
    "not_cancelable",
    "in_use",  # a sale that still has lots
    "declined",
    "suspended",
    "guest",  # the sale takes no guests
    "conditions",  # another version of the conditions is in force
    "leading",  # who leads or has won cannot leave
]
# Why an act of the rostrum was not done.
ActRefusal = Literal[
    Refusal,
    "not_found",
    "invalid",
    "not_in_control",  # another console sells
    "not_current_lot",  # another lot is in the ring, or none
    "reason_required",
    "held",  # a bid came before the hammer
    "moved",  # price or paddle are not what was struck
    "below_reserve",
]
# Why a sealed bid is void, found when it is opened.
Void = Literal[
    "unreadable", "mismatch", "below_opening", "off_ladder", "not_admitted", "over_limit"
]


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


class Sealing(Struct, frozen=True, gc=False):
    """The key pair that one auction's sealed bids are made for (RFC 9180).

    The private key is sealed under the house's master key until the close carries it, opened,
    into the log.  Both are base64.
    """

    public_key: str
    sealed_private_key: str


class Tokens(Struct, frozen=True, gc=False):
    """What a token auction bids with and hands over.  The engine carries it and reads only
    that there is something to be settled in the books."""

    bid_asset_id: str
    auction_asset_type: Literal["erc721", "erc1155"]
    auction_asset_id: str
    auction_asset_token_id: int | None = None
    settlement_type: Literal["burn", "transfer"] = "burn"


class Terms(Struct, frozen=True, gc=False):
    """The rules that one lot is sold by (bidding-rules 2.1, 2.3, 2.9)."""

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
    format: Format = "english"
    winner_count: int = 1  # places, units of a Dutch sale
    buy_now: int | None = None  # the printed price, until the bidding has taken over
    publish_reserve: bool = False
    floor: int | None = None  # Dutch: where the price stops falling
    drop: int | None = None  # Dutch: by how much
    drop_interval_ms: int | None = None  # Dutch: how often
    uniform_price: Literal["highest_losing", "lowest_winning"] = "highest_losing"
    sealing: Sealing | None = None  # of sealed formats
    tokens: Tokens | None = None
    fixed_end: bool = False  # a pause does not move the end
    settle_by_command: bool = False  # the clock does not settle
    consignor: str | None = None  # confidential: a consumer id, who may not bid on their own lot
    currency: str | None = None  # None: the sale's
    exponent: int | None = None  # None: the sale's


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
    time_zone: str | None = None  # of its times as they were said; None: the sale's


# ── Commands ─────────────────────────────────────────────────────────────────────────────


#
# A command of the house carries a ``cmd_id`` and who gave it (``by``).  Where there is a
# ``cmd_id``, what became of it is said once more, last, in ``CommandTaken`` or
# ``CommandRefused``, and said again in the same words when the same ``cmd_id`` comes again.


class SaleTerms(Struct, frozen=True, gc=False):
    """What is printed of a sale.  The engine reads the version of the conditions, and how the
    rostrum treats left bids and the house's own."""

    buyers_premium: tuple[tuple[int, str], ...] = ()  # (from, percent), marginal tiers
    tax_percent: str = "0"
    conditions: str = ""
    conditions_version: str | None = None
    wrong_foot: WrongFoot = "absentee_first"
    house_bids: HouseBids = "none"
    fingers: bool = True  # consoles see who has a finger on the button


class CreateSale(Record, frozen=True):
    sale_id: str
    name: str
    currency: str  # ISO 4217
    exponent: int  # minor units are 10^-exponent of the currency
    time_zone: str = "UTC"
    registration: Literal["open", "approval"] = "open"
    mode: Mode = "test"
    supports_guest: bool = False
    terms: SaleTerms = SaleTerms()
    cmd_id: str = ""
    by: str = ""


class UpdateSale(Record, frozen=True):
    """What is said of the sale from now on.  Currency, exponent and mode never change once it
    has lots."""

    sale: CreateSale
    cmd_id: str = ""
    by: str = ""


class RemoveSale(Record, frozen=True):
    """Only a sale without lots."""

    sale_id: str
    cmd_id: str = ""
    by: str = ""


class AddLot(Record, frozen=True):
    auction_id: str
    sale_id: str
    terms: Terms
    catalogue: Catalogue
    cmd_id: str = ""
    by: str = ""


class UpdateLot(Record, frozen=True):
    """Everything that is said of a lot, anew.  Refused as ``moved`` where *revision* is not the
    lot's own: somebody else has changed it in between."""

    auction_id: str
    revision: int
    terms: Terms
    catalogue: Catalogue
    cmd_id: str = ""
    by: str = ""


class RemoveLot(Record, frozen=True):
    """Take a lot out of its sale before it opens."""

    auction_id: str
    cmd_id: str = ""
    by: str = ""


class RegisterBidder(Record, frozen=True):
    """Admit a bidder to a sale, or change their admission.  No paddle: theirs, or the next
    free one."""

    sale_id: str
    consumer_id: str
    admission: Admission = "approved"
    paddle: int | None = None
    limit: int | None = None  # of won hammer prices and leading limits together; None: no limit
    reason: str = ""
    cmd_id: str = ""
    by: str = ""


class EnterSale(Record, frozen=True):
    """A bidder's own wish to bid in a sale; the sale's terms say what becomes of it."""

    sale_id: str
    consumer_id: str
    conditions_version: str | None = None
    cmd_id: str = ""


class LeaveSale(Record, frozen=True):
    """A bidder's own wish to have no more to do with a sale."""

    sale_id: str
    consumer_id: str
    cmd_id: str = ""


class PlaceBid(Record, frozen=True):
    auction_id: str
    consumer_id: str
    cmd_id: str  # chosen by the bidder's device; a retry carries the same one
    amount: int
    kind: Kind
    seen: int | None = None  # the last public seq that the bidder had seen
    # Later than this the bid is refused: what was held for it may be released then.
    expires_at: int | None = None
    commitment: str = ""  # sealed: hex SHA-256; the amount is 0
    ciphertext: str = ""  # sealed: base64


class CancelBid(Record, frozen=True):
    """Take a one-bid auction's bid back."""

    auction_id: str
    consumer_id: str
    bid_cmd_id: str  # of the bid
    cmd_id: str = ""
    by: str = ""


class LowerLimit(Record, frozen=True):
    """The leader's own wish: their limit is *amount* from now on, where it is still unused."""

    auction_id: str
    consumer_id: str
    amount: int
    cmd_id: str = ""


class OpenLot(Record, frozen=True):
    auction_id: str
    cmd_id: str = ""
    by: str = ""


class PauseLot(Record, frozen=True):
    auction_id: str
    cmd_id: str = ""
    by: str = ""


class UnpauseLot(Record, frozen=True):
    auction_id: str
    cmd_id: str = ""
    by: str = ""


class CloseLot(Record, frozen=True):
    auction_id: str
    cmd_id: str = ""
    by: str = ""
    opening_key: str = ""  # base64: what the sealed bids are opened with


class CancelLot(Record, frozen=True):
    auction_id: str
    cmd_id: str = ""
    by: str = ""


class SettleLot(Record, frozen=True):
    auction_id: str
    cmd_id: str = ""
    by: str = ""


class FinishSettlement(Record, frozen=True):
    """The books say who has paid and who was given what."""

    auction_id: str
    cmd_id: str = ""
    by: str = ""


# ── Selling from the rostrum ─────────────────────────────────────────────────────────────
#
# What a console asks for, one struct an act, tagged with the act's name on the wire.


class Open(Struct, frozen=True, array_like=True, tag="open", gc=False):
    """Into the ring: from the catalogue, or back after it was sent away."""

    opening: int | None = None  # instead of the printed opening bid


class Ask(Struct, frozen=True, array_like=True, tag="ask", gc=False):
    """The asking bid, for once."""

    amount: int


class Step(Struct, frozen=True, array_like=True, tag="step", gc=False):
    """The increment until the lot ends; None: back to the table."""

    amount: int | None


class FloorBid(Struct, frozen=True, array_like=True, tag="bid", gc=False):
    """A bid that the rostrum makes for somebody.

    From the room or the phone: at *amount*, for a paddle or for somebody whose paddle follows.
    A left one: a paddle's limit, ``max`` or else *amount*; without a paddle the best standing
    left bid is called at *amount*.
    """

    channel: Channel  # never online
    amount: int
    paddle: int | None = None
    max: int | None = None  # of a left bid: the limit
    house: bool = False  # for the consignor, below the reserve


class Take(Struct, frozen=True, array_like=True, tag="take", gc=False):
    """A waiting bid stands."""

    consumer_id: str
    bid_cmd_id: str


class Refuse(Struct, frozen=True, array_like=True, tag="refuse", gc=False):
    """A waiting bid does not."""

    consumer_id: str
    bid_cmd_id: str


class AutoAccept(Struct, frozen=True, array_like=True, tag="auto_accept", gc=False):
    """Do online bids stand at once, or wait for the rostrum?"""

    on: bool


class FairWarning(Struct, frozen=True, array_like=True, tag="fair_warning", gc=False):
    """The lot is about to be sold."""


class FinalCall(Struct, frozen=True, array_like=True, tag="final_call", gc=False):
    """The hammer is up."""


class Pause(Struct, frozen=True, array_like=True, tag="pause", gc=False):
    """No bids for now."""


class Unpause(Struct, frozen=True, array_like=True, tag="unpause", gc=False):
    """Bids again."""


class TakeOver(Struct, frozen=True, array_like=True, tag="take_over", gc=False):
    """This console sells from now on."""


class Hammer(Struct, frozen=True, array_like=True, tag="hammer", gc=False):
    """Sold to this paddle at this price, or not at all."""

    paddle: int | None
    price: int


class SellSubject(Struct, frozen=True, array_like=True, tag="sell_subject", gc=False):
    """Sold, if the consignor agrees."""


class Pass(Struct, frozen=True, array_like=True, tag="pass", gc=False):
    """Offered, and not sold."""


class Withdraw(Struct, frozen=True, array_like=True, tag="withdraw", gc=False):
    """Out of the sale, whatever was bid."""


class Skip(Struct, frozen=True, array_like=True, tag="skip", gc=False):
    """Out of the ring, with its bids kept."""

    to: str | None = None  # where the desk looks next; the engine does not


class Undo(Struct, frozen=True, array_like=True, tag="undo", gc=False):
    """Every bid after this public seq is void, and nobody leads."""

    to_seq: int


class Reinstate(Struct, frozen=True, array_like=True, tag="reinstate", gc=False):
    """A bid that does not lead, because of an undo or a refusal, leads after all."""

    consumer_id: str
    bid_cmd_id: str


class Reopen(Struct, frozen=True, array_like=True, tag="reopen", gc=False):
    """The hammer had not fallen."""


class LowerReserve(Struct, frozen=True, array_like=True, tag="lower_reserve", gc=False):
    """The consignor will take less."""

    amount: int


class Say(Struct, frozen=True, array_like=True, tag="message", gc=False):
    """Something that everybody who follows the lot should read."""

    text: str


Deed = (
    Open
    | Ask
    | Step
    | FloorBid
    | Take
    | Refuse
    | AutoAccept
    | FairWarning
    | FinalCall
    | Pause
    | Unpause
    | TakeOver
    | Hammer
    | SellSubject
    | Pass
    | Withdraw
    | Skip
    | Undo
    | Reinstate
    | Reopen
    | LowerReserve
    | Say
)


class Act(Record, frozen=True):
    """One act of a console, which sells a live lot."""

    auction_id: str
    deed: Deed
    cmd_id: str
    by: str  # the key that the console is signed in with
    session: str  # the console's connection: control is its own
    seen: int | None = None  # the last public seq that the console had seen
    reason: str = ""


class LeaveConsole(Record, frozen=True):
    """A console's connection is gone; where it was in control, nobody is."""

    sale_id: str
    session: str


class KeepTime(Record, frozen=True):
    """The clock's own command: bring about whatever is due on this lot by now."""

    auction_id: str


class ResumeTrading(Record, frozen=True):
    """The log takes bids again after a stop; ends that fell into the stop are made good."""


Command = (
    CreateSale
    | UpdateSale
    | RemoveSale
    | AddLot
    | UpdateLot
    | RemoveLot
    | RegisterBidder
    | EnterSale
    | LeaveSale
    | PlaceBid
    | CancelBid
    | LowerLimit
    | OpenLot
    | PauseLot
    | UnpauseLot
    | CloseLot
    | CancelLot
    | SettleLot
    | FinishSettlement
    | Act
    | LeaveConsole
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
    channel: Channel = "online"  # the leader's
    phase: Phase | None = None  # until the next bid


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
    commitment: str = ""  # of a sealed bid, whose amount is 0
    waiting: bool = False  # for the rostrum to take or refuse it


class Win(Struct, frozen=True, array_like=True, gc=False):
    """One winning place."""

    consumer_id: str
    paddle: int
    amount: int  # what they pay: the hammer price
    bid: int  # what they had bid
    cmd_id: str  # of that bid


class OpenedBid(Struct, frozen=True, array_like=True, gc=False):
    """A sealed bid, read at the close.  In the order in which the log took them."""

    consumer_id: str
    cmd_id: str
    at: int
    amount: int  # 0: void
    void: Void | None = None


class SaleCreated(Record, frozen=True):
    at: int
    sale: CreateSale


class SaleUpdated(Record, frozen=True):
    at: int
    sale: CreateSale


class SaleRemoved(Record, frozen=True):
    at: int
    sale_id: str


class LotAdded(Record, frozen=True):
    at: int
    auction_id: str
    sale_id: str
    terms: Terms
    catalogue: Catalogue
    after: PublicState
    increment: int  # the step in force at the opening bid


class LotUpdated(Record, frozen=True):
    at: int
    auction_id: str
    terms: Terms
    catalogue: Catalogue
    revision: int
    after: PublicState
    increment: int  # the step in force


class LotWithdrawn(Record, frozen=True):
    at: int
    auction_id: str
    after: PublicState


class BidderRegistered(Record, frozen=True):
    at: int
    sale_id: str
    consumer_id: str
    paddle: int
    admission: Admission
    limit: int | None = None
    reason: str = ""
    by: str = ""  # empty: the bidder themselves
    conditions_version: str | None = None


class LotOpened(Record, frozen=True):
    at: int
    auction_id: str
    after: PublicState
    opening: int | None = None  # of its terms from now on, where the rostrum has changed it


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


class PriceDropped(Record, frozen=True):
    """A Dutch sale asks for less from now on."""

    at: int
    auction_id: str
    after: PublicState


class BiddingEnded(Record, frozen=True):
    """Private: a sealed auction's time is over.  It closes when the key to open it comes."""

    at: int
    auction_id: str


class LotClosed(Record, frozen=True):
    at: int
    auction_id: str
    outcome: Outcome  # never canceled
    winner: str | None  # a consumer id; the first of the winners
    settle_at: int | None  # None: by command
    after: PublicState
    winners: tuple[Win, ...] = ()  # best first
    opened: tuple[OpenedBid, ...] = ()  # of a sealed auction, every standing bid
    opening_key: str = ""
    reason: str = ""  # the rostrum's
    by: str = ""  # whose act it was


class LotSettling(Record, frozen=True):
    """The books are to be written now."""

    at: int
    auction_id: str
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
    ciphertext: str = ""  # of a sealed bid
    channel: Channel = "online"  # of this bid; the leader's is in ``after``
    house: bool = False  # made for the consignor; never public before the sale is over
    by: str = ""  # who made it at the rostrum, or took it there


class BidCanceled(Record, frozen=True):
    """A one-bid auction's bid was taken back; its bidder may bid again."""

    at: int
    auction_id: str
    consumer_id: str
    bid_cmd_id: str
    promoted: str | None  # the consumer who holds a winning place through it
    after: PublicState


class LimitLowered(Record, frozen=True):
    """Private: the leader's limit is another; nothing public has changed."""

    at: int
    auction_id: str
    consumer_id: str
    limit: int


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
    cmd_id: str = ""
    state: State | None = None  # the lot's, where it was a lot's
    by: str = ""


class CommandTaken(Record, frozen=True):
    """Private: a command of the house was carried out; what it brought about stands before."""

    at: int
    subject: str
    command: str
    cmd_id: str
    by: str


class BidWaiting(Record, frozen=True):
    """Private: a bid that could stand waits for the rostrum."""

    auction_id: str
    consumer_id: str
    cmd_id: str
    answer: Answer
    paddle: int


class BidsLapsed(Record, frozen=True):
    """Private: bids that waited cannot be taken any more, all for the same reason."""

    at: int
    auction_id: str
    code: Refusal
    bids: tuple[tuple[str, str], ...]  # (consumer id, cmd_id)


class BidCalled(Record, frozen=True):
    """A bid that was in already leads now: a left one, or one that was reinstated."""

    at: int
    auction_id: str
    consumer_id: str
    cmd_id: str
    paddle: int
    beaten: str | None
    channel: Channel
    why: Why
    after: PublicState


class AskingSet(Record, frozen=True):
    """The rostrum asks for another amount, or goes by another step."""

    at: int
    auction_id: str
    step: int | None  # instead of the table's, from now on
    after: PublicState


class CallMade(Record, frozen=True):
    at: int
    auction_id: str
    phase: Phase
    after: PublicState


class MessageSaid(Record, frozen=True):
    at: int
    auction_id: str
    text: str
    after: PublicState


class ReserveLowered(Record, frozen=True):
    at: int
    auction_id: str
    reserve: int
    revision: int  # of the lot's terms
    after: PublicState


class BidsUndone(Record, frozen=True):
    """Every bid after a public seq is void; nobody leads."""

    at: int
    auction_id: str
    to_seq: int
    undone: tuple[tuple[str, str], ...]  # (consumer id, cmd_id), the newest last
    reason: str
    after: PublicState
    kept: tuple[tuple[str, str], ...] = ()  # of those, limits that stand: only their call is void


class LotReopened(Record, frozen=True):
    at: int
    auction_id: str
    reason: str
    after: PublicState


class RingMoved(Record, frozen=True):
    """Private: this lot is being sold now; None: none is."""

    at: int
    sale_id: str
    auction_id: str | None


class ConsoleTaken(Record, frozen=True):
    """Private: this console sells from now on; an empty session: nobody does."""

    at: int
    sale_id: str
    session: str
    by: str


class AutoAcceptSet(Record, frozen=True):
    """Private: do online bids on live lots stand at once?"""

    at: int
    sale_id: str
    on: bool


class ActDecided(Record, frozen=True):
    """Private: what became of an act, said last, and said again when it comes again."""

    at: int
    auction_id: str
    deed: Deed
    cmd_id: str
    by: str
    session: str
    seen: int | None
    reason: str
    seq: int  # as of a bid's answer
    price: int | None
    asking_bid: int | None
    would_pass: int | None = None  # the lowest amount that would have done
    code: ActRefusal | None = None  # None: done
    bid: tuple[str, str] | None = None  # (consumer id, cmd_id) of the bid it made, took or called


class TradingResumed(Record, frozen=True):
    """Private: after a stop.  A lot whose end is not later than ``at`` is extended when due."""

    at: int


# Whatever moves a lot on and is told to everybody.
LotEvent = (
    LotOpened
    | LotPaused
    | LotUnpaused
    | LotExtended
    | LotUpdated
    | LotWithdrawn
    | PriceDropped
    | BidCanceled
    | LotClosed
    | LotCanceled
    | LotSettling
    | LotSettled
    | BidCalled
    | AskingSet
    | CallMade
    | MessageSaid
    | ReserveLowered
    | BidsUndone
    | LotReopened
)
BidAnswer = BidAccepted | BidRefused | BidWaiting | AnswerRepeated
Event = (
    SaleCreated
    | SaleUpdated
    | SaleRemoved
    | LotAdded
    | LotUpdated
    | LotWithdrawn
    | BidderRegistered
    | LotOpened
    | LotPaused
    | LotUnpaused
    | LotExtended
    | PriceDropped
    | BiddingEnded
    | LotClosed
    | LotCanceled
    | LotSettling
    | LotSettled
    | BidAccepted
    | BidCanceled
    | BidRefused
    | LimitLowered
    | AnswerRepeated
    | CommandRefused
    | CommandTaken
    | BidWaiting
    | BidsLapsed
    | BidCalled
    | AskingSet
    | CallMade
    | MessageSaid
    | ReserveLowered
    | BidsUndone
    | LotReopened
    | RingMoved
    | ConsoleTaken
    | AutoAcceptSet
    | ActDecided
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
    if isinstance(command, UpdateSale):
        return shard_of(command.sale.sale_id, shards)
    if isinstance(
        command, CreateSale | RemoveSale | RegisterBidder | EnterSale | LeaveSale | LeaveConsole
    ):
        return shard_of(command.sale_id, shards)
    return shard_of(command.auction_id, shards)
