"""The consumer API's types, as its contract names them: what bidders send and are answered.

Pure: the types only.  What is in them is said by ``gateway.core.consumer`` and by the
handlers.  Amounts are decimals in major units, written and read exactly; instants are ISO
8601, UTC.  A field that is ``UNSET`` is not written.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from engine.core.messages import Admission, Format
from gateway.core.bodies import Amount
from gateway.core.view import BidderStatus

Status = Literal["PENDING", "OPEN", "CLOSED", "SETTLED"]
Short = Annotated[str, Meta(min_length=1, max_length=200)]
Email = Annotated[
    str, Meta(max_length=254, pattern=r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+\.[^@\s\x00-\x1f\x7f]+$")
]  # fmt: skip
Phone = Annotated[str, Meta(min_length=1, max_length=40)]
Text = Annotated[str, Meta(max_length=4_000)]  # whatever somebody may take for a token
Page = Annotated[int, Meta(ge=1, le=100)]


class Request(Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    """A body or a query: what is not known is refused."""


class Answer(Struct, rename="camel", frozen=True):
    """The content of an answer."""


# ── Auctions ─────────────────────────────────────────────────────────────────────────────


class ListQuery(Request, frozen=True):
    """Which auctions to list."""

    sequence_id: str | None = None
    status: Status | None = None
    limit: Page = 20
    cursor: str | None = None  # an ``endCursor`` of an earlier page


class OwnBidsQuery(Request, frozen=True):
    """How many of the caller's own bids."""

    limit: Page = 10


class AllBidsQuery(Request, frozen=True):
    """How many of all bids."""

    limit: Page = 20


class BidRequest(Request, frozen=True):
    """Exactly this amount; or, with ``max``, a limit that the house bids up to."""

    amount: Amount
    max: bool = False


class LimitRequest(Request, frozen=True):
    """What the leader's limit is to be from now on."""

    amount: Amount


class EnterRequest(Request, frozen=True):
    """Which version of the conditions was read, where the sale has any."""

    conditions_version: Annotated[str, Meta(max_length=100)] | None = None


class Auction(Answer, frozen=True, kw_only=True):
    """The bidding on one lot."""

    id: str
    name: str
    sequence_id: str
    open_at: str | None
    close_at: str | None
    settle_at: str | None
    time_zone: str | None
    starting_price: Decimal
    reserve_price: Decimal | None
    minimum_bid_increment: Decimal
    winner_count: int
    status: Status
    current_high_bid: Decimal | None
    currency_code: str
    reserve_met: bool
    next_minimum_bid: Decimal | None
    bid_count: int
    extensions: int
    format: Format
    lot_number: str
    serial: str | None
    buy_now_price: Decimal | UnsetType = UNSET  # while the offer stands
    server_time: str


class PageInfo(Answer, frozen=True):
    """The ends of a page: the last is the next page's ``cursor``."""

    start_cursor: str | None
    end_cursor: str | None


class Auctions(Answer, frozen=True):
    """A page of auctions, in the order in which they were added."""

    data: list[Auction]
    page_info: PageInfo


class BidTaken(Answer, frozen=True):
    """An accepted bid, or one that waits for the auctioneer."""

    status: BidderStatus
    last_bid_amount: Decimal
    last_bid_time: str
    bid_count: int
    bid_id: str
    current_high_bid: Decimal | None
    next_minimum_bid: Decimal | None
    seq: int
    commitment: str | UnsetType = UNSET  # of a sealed bid, with its salt: both in hex
    salt: str | UnsetType = UNSET
    waiting: bool | UnsetType = UNSET  # true: for the auctioneer to take or refuse it


class Standing(Answer, frozen=True):
    """Where the caller stands."""

    auction_id: str
    consumer_id: str
    status: BidderStatus
    last_bid_amount: Decimal | None
    last_bid_time: str | None
    bid_count: int
    payment_token: str | UnsetType = UNSET  # only when WON


class HighestBid(Answer, frozen=True):
    """The best bid; nobody is told whose it is."""

    amount: Decimal | None
    bidder_id: None = None


class Bid(Answer, frozen=True):
    """One bid of a history.  ``amount`` is null while it is sealed."""

    bid_id: str
    consumer_id: str
    amount: Decimal | None
    timestamp: str


class CurrentPrice(Answer, frozen=True):
    """What one more unit costs now, in a Dutch auction."""

    current_price: Decimal | None
    remaining_quantity: int
    auction_ended: bool


class LimitSet(Answer, frozen=True):
    """The leader's limit as it is now."""

    auction_id: str
    limit: Decimal


class Entered(Answer, frozen=True):
    """The caller's place in the sale."""

    success: bool
    registration: Literal["approved", "pending"]
    paddle: int
    limit: Decimal | None  # of what they have won and lead with; null: none


class Left(Answer, frozen=True):
    """The caller has no more to do with the sale."""

    success: bool


# ── Sessions ─────────────────────────────────────────────────────────────────────────────


class CodeRequest(Request, frozen=True):
    """Where to send a code: one of the two."""

    email: Email | None = None
    phone: Phone | None = None


class CodeOffered(Request, frozen=True):
    """The code that came by mail."""

    code: Text
    email: Email | None = None
    phone: Phone | None = None


class OutsideSignIn(Request, frozen=True):
    """Somebody whom an outside sign-in has identified to the house."""

    provider: Short
    issuer: Short
    subject: Short
    claims: dict[str, Any] | None = None


class ExchangeRequest(Request, frozen=True):
    """The single-use code of an outside sign-in."""

    exchange_code: Text


class RefreshRequest(Request, frozen=True):
    """The newest refresh token of a session."""

    refresh_token: Text


class SessionOf(Answer, frozen=True, kw_only=True):
    """Whose session it is, and until when it can be refreshed."""

    type: Literal["guest", "authenticated"]
    consumer_id: str
    email: str | UnsetType = UNSET
    expires_at: str


class SessionOpened(Answer, frozen=True):
    """A session with its newest pair of tokens."""

    session: SessionOf
    access_token: str
    refresh_token: str


class CodeSent(Answer, frozen=True):
    """Said alike whether anybody is known by the address or not."""

    success: bool


class ExchangeCode(Answer, frozen=True):
    """To be handed to the page, once."""

    exchange_code: str
    expires_at: str


class Ticket(Answer, frozen=True):
    """Opens one live connection."""

    ticket: str
    expires_at: str


class Jwks(Answer, frozen=True):
    """The public keys of the house's tokens (RFC 7517)."""

    keys: list[dict[str, str]]


# ── The caller's own ─────────────────────────────────────────────────────────────────────


class Notices(Answer, frozen=True):
    """Which mails the caller wants."""

    outbid: bool
    ending_soon: bool
    won: bool
    payment_due: bool
    lost: bool
    registration: bool
    undone: bool


class NoticeChoice(Request, frozen=True):
    """Which mails to switch on or off; what is not named stays."""

    outbid: bool | UnsetType = UNSET
    ending_soon: bool | UnsetType = UNSET
    won: bool | UnsetType = UNSET
    payment_due: bool | UnsetType = UNSET
    lost: bool | UnsetType = UNSET
    registration: bool | UnsetType = UNSET
    undone: bool | UnsetType = UNSET


class OwnRegistration(Answer, frozen=True):
    """The caller's place in one sale."""

    sequence_id: str
    registration: Admission
    paddle: int
    limit: Decimal | None
    reason: str
    conditions_version: str | None
    decided_at: str


class OwnBid(Answer, frozen=True):
    """One of the caller's bids, on any lot."""

    auction_id: str
    bid_id: str
    amount: Decimal | None
    currency_code: str
    timestamp: str


class OwnWin(Answer, frozen=True):
    """A lot that the caller has won."""

    auction_id: str
    amount: Decimal
    currency_code: str


class OwnPayment(Answer, frozen=True):
    """A payment token that was issued anew, or used up."""

    auction_id: str
    issued_at: str
    expires_at: str
    order_id: str | None
    completed_at: str | None


class OwnTokens(Answer, frozen=True):
    """What the caller has of one asset, in whole tokens."""

    asset_id: str
    symbol: str
    token_id: str | None
    available: Decimal
    held: Decimal


class Export(Answer, frozen=True):
    """Everything that the house knows of the caller."""

    consumer_id: str
    person: dict[str, Any] | None  # null: nobody is written down under this id
    registrations: list[OwnRegistration]
    bids: list[OwnBid]
    wins: list[OwnWin]
    payments: list[OwnPayment]
    balances: list[OwnTokens]
