"""The operator API's types: token auctions, their bids, assets and users.

Pure: the types only, in the contract's snake_case.  Amounts are decimals in whole tokens,
written and read exactly; instants are ISO 8601, in answers UTC.  Of a change, what is
``UNSET`` stays as it is; of an answer, it is not written.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

from engine.core.messages import Format
from gateway.core.bodies import Amount

T = TypeVar("T")

Status = Literal["draft", "active", "paused", "completed", "settling", "settled", "canceled"]
BidStatus = Literal["posted", "winner", "lost", "canceled"]
AssetType = Literal["erc20", "erc721", "erc1155"]

Uuid = Annotated[
    str,
    Meta(pattern="^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"),
]
Title = Annotated[str, Meta(max_length=250)]
Description = Annotated[str, Meta(max_length=1000)]
TokenId = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Quantity = Annotated[int, Meta(ge=1, le=10_000)]
Time = Annotated[str, Meta(min_length=1, max_length=40)]  # without an offset: UTC
Email = Annotated[str, Meta(min_length=1, max_length=254)]
Limit = Annotated[int, Meta(ge=1, le=100)]
Cursor = Annotated[str, Meta(max_length=200)]


class Request(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A body or a query: what is not known is refused."""


class Answer(Struct, frozen=True, kw_only=True):
    """The content of an answer."""


class Data(Answer, Generic[T], frozen=True, kw_only=True):
    """Every success."""

    data: T


class PageInfo(Answer, frozen=True):
    """The ends of a page: the last is the next page's ``cursor``."""

    start_cursor: str | None
    end_cursor: str | None


class Listed(Answer, Generic[T], frozen=True, kw_only=True):
    """A page of a list, the oldest first."""

    data: list[T]
    page_info: PageInfo


class Nothing(Request, frozen=True):
    """There is nothing to be said: absent, or an empty object."""


class PageQuery(Request, frozen=True):
    """Which page of a list."""

    limit: Limit = 20
    cursor: Cursor | None = None


# ── Auctions ─────────────────────────────────────────────────────────────────────────────


class AuctionQuery(PageQuery, frozen=True):
    """Which auctions to list; ``complete`` is ``completed``."""

    status: Status | Literal["complete"] | None = None


class BidQuery(PageQuery, frozen=True):
    """Which bids to list."""

    status: BidStatus | None = None


class AuctionChanges(Request, frozen=True):
    """What is to be different about an auction."""

    title: Title | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    bid_asset_id: Uuid | UnsetType = UNSET
    auction_asset_type: Literal["erc721", "erc1155"] | UnsetType = UNSET
    auction_asset_id: Uuid | UnsetType = UNSET
    auction_asset_token_id: TokenId | UnsetType | None = UNSET
    auction_asset_quantity: Quantity | UnsetType = UNSET  # how many win
    starting_price: Amount | UnsetType | None = UNSET  # none: the smallest amount there is
    reserve_price: Amount | UnsetType | None = UNSET
    settlement_type: Literal["burn", "transfer"] | UnsetType = UNSET
    status: Literal["draft", "active"] | UnsetType = UNSET
    start_date: Time | UnsetType | None = UNSET
    end_date: Time | UnsetType | None = UNSET


class NewAuction(AuctionChanges, frozen=True, kw_only=True):
    """A token auction that is to be held."""

    bid_asset_id: Uuid
    auction_asset_type: Literal["erc721", "erc1155"]
    auction_asset_id: Uuid


class Bid(Answer, frozen=True):
    """A bid on a user's behalf."""

    id: str
    auction_id: str
    email: str | None  # null: its user has been erased since
    amount: Decimal
    amount_base: str  # in the asset's smallest unit
    status: BidStatus
    created_at: str
    updated_at: str


class Entry(Answer, frozen=True):
    """One line of the ledger: the amount goes from debit to credit."""

    reference: str  # the journal key
    bid_id: str | None
    asset_id: str
    token_id: int | None
    debit: str  # available, held, house, issued or burned
    debit_email: str | None  # whose account it is; null: the house's own
    credit: str
    credit_email: str | None
    amount: Decimal
    amount_base: str
    created_at: str


class Settlement(Answer, frozen=True):
    """How an auction was settled in the books."""

    settlement_type: Literal["burn", "transfer"]
    settled_at: str
    entries: list[Entry]
    transaction_references: list[str]


class Auction(Answer, frozen=True):
    """An auction as its operator sees it; what is about tokens is null in other formats."""

    id: str
    title: str
    description: str
    bid_asset_id: str | None
    auction_asset_type: Literal["erc721", "erc1155"] | None
    auction_asset_id: str | None
    auction_asset_token_id: int | None
    auction_asset_quantity: int
    starting_price: Decimal
    reserve_price: Decimal | None
    settlement_type: Literal["burn", "transfer"] | None
    status: Status
    start_date: str | None
    end_date: str | None
    format: Format
    bid_count: int
    created_at: str
    updated_at: str
    winning_bids: list[Bid] | UnsetType = UNSET  # only when settled
    settlement: Settlement | UnsetType = UNSET


class Deleted(Answer, frozen=True):
    """An auction that is not there any more."""

    id: str
    deleted: bool = True


class NewBid(Request, frozen=True):
    """A bid on the behalf of the user with this e-mail."""

    email: Email
    amount: Amount


# ── Assets and users ─────────────────────────────────────────────────────────────────────


class NewAsset(Request, frozen=True):
    """A token contract that the house is to know."""

    type: AssetType
    symbol: Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[!-~]+$")]
    # No database takes a NUL character.
    name: Annotated[str, Meta(min_length=1, max_length=250, pattern=r"^[^\x00]+$")]
    decimals: Annotated[int, Meta(ge=0, le=36)] | UnsetType = UNSET  # of an erc20: 18


class Asset(Answer, frozen=True):
    """A token contract."""

    id: str
    type: AssetType
    symbol: str
    name: str
    decimals: int
    created_at: str


class NewIssue(Request, frozen=True):
    """So much of an asset into the account of the user with this e-mail."""

    email: Email
    amount: Amount


class Issue(Answer, frozen=True):
    """What was brought into an account."""

    asset_id: str
    email: str
    amount: Decimal
    amount_base: str
    reference: str  # the journal key


class NewUser(Request, frozen=True):
    """A person whom the house is to know by their e-mail."""

    email: Email
    first_name: Annotated[str, Meta(max_length=100)] | None = None
    last_name: Annotated[str, Meta(max_length=100)] | None = None
    phone_number: Annotated[str, Meta(max_length=40)] | None = None
    external_wallets: Annotated[list[Any], Meta(max_length=20)] | None = None


class User(Answer, frozen=True):
    """A person with an account; here the consumer with that e-mail."""

    id: str
    consumer_id: str
    email: str | None
    first_name: str | None
    last_name: str | None
    phone_number: str | None
    external_wallets: list[Any]
    created_at: str
    updated_at: str


class Balance(Answer, frozen=True):
    """What a user has of one asset, in whole tokens."""

    asset_id: str
    symbol: str
    token_id: int | None
    available: Decimal
    held: Decimal
