"""The consumer API's types for whoever runs the house: sales, lots, payments, keys, webhooks.

Pure: the types only.  Amounts are decimals in major units, written and read exactly; instants
are ISO 8601, in answers UTC.  In a change, what is ``UNSET`` stays as it is.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from engine.core.messages import Admission, Format, HouseBids, Mode, WrongFoot
from gateway.core.bodies import Amount
from gateway.core.wire.consumer import Answer, Page, PageInfo, Request, Status

Name = Annotated[str, Meta(min_length=1, max_length=250)]
Text = Annotated[str, Meta(max_length=20_000)]
Zone = Annotated[str, Meta(min_length=1, max_length=64)]
Time = Annotated[str, Meta(min_length=1, max_length=40)]  # without an offset: in the time zone
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$")]
Id = Annotated[str, Meta(min_length=1, max_length=64)]
Reason = Annotated[str, Meta(max_length=500)]
LotNumber = Annotated[str, Meta(min_length=1, max_length=20)]
Places = Annotated[int, Meta(ge=1, le=10_000)]
Seconds = Annotated[int, Meta(ge=0, le=366 * 24 * 3600)]
Times = Annotated[int, Meta(ge=0, le=1_000_000)]
Step = tuple[Amount, Amount]  # (from, step)


class Nothing(Request, frozen=True):
    """There is nothing to be said: absent, or an empty object."""


class PageQuery(Request, frozen=True):
    """Which page of a list."""

    limit: Page = 20
    cursor: Annotated[str, Meta(max_length=200)] | None = None


# ── Sales ────────────────────────────────────────────────────────────────────────────────


class SaleTermsSaid(Request, frozen=True):
    """What is printed of a sale."""

    buyers_premium: Annotated[list[Step], Meta(max_length=20)] | UnsetType = UNSET
    tax_percent: Amount | UnsetType = UNSET
    conditions: Text | UnsetType = UNSET
    conditions_version: Annotated[str, Meta(max_length=100)] | UnsetType | None = UNSET
    # Of lots sold live: who has an amount that a left bid and the floor both reach, whether the
    # auctioneer may bid for the consignor, and whether consoles see fingers on the button.
    wrong_foot: WrongFoot | UnsetType = UNSET
    house_bids: HouseBids | UnsetType = UNSET
    fingers: bool | UnsetType = UNSET


class SaleChanges(Request, frozen=True):
    """What is to be different about a sale."""

    name: Name | UnsetType = UNSET
    time_zone: Zone | UnsetType = UNSET
    currency_code: Currency | UnsetType = UNSET
    registration: Literal["open", "approval"] | UnsetType = UNSET
    supports_guest: bool | UnsetType = UNSET
    terms: SaleTermsSaid | UnsetType = UNSET


class NewSale(SaleChanges, frozen=True, kw_only=True):
    """A sale that is to be held."""

    name: Name
    time_zone: Zone
    currency_code: Currency


class SaleTermsShown(Answer, frozen=True):
    """What is printed of a sale: the buyer's premium in marginal tiers of (from, percent)."""

    buyers_premium: list[tuple[Decimal, Decimal]]
    tax_percent: Decimal
    conditions: str
    conditions_version: str | None
    wrong_foot: WrongFoot
    house_bids: HouseBids
    fingers: bool


class LotInSale(Answer, frozen=True):
    """A lot, as a sale's list has it."""

    id: str
    lot_number: str
    name: str
    open_at: str | None
    close_at: str | None
    status: Status
    format: Format


class Sale(Answer, frozen=True):
    """A sale, with its lots in their order."""

    id: str
    name: str
    time_zone: str
    currency_code: str
    registration: Literal["open", "approval"]
    supports_guest: bool
    terms: SaleTermsShown
    mode: Mode
    open_at: str | None  # when the first lot opens
    close_at: str | None  # when the last closes
    auctions: list[LotInSale]


class Sales(Answer, frozen=True):
    """A page of sales, in the order in which they were made."""

    data: list[Sale]
    page_info: PageInfo


class ImportQuery(Request, frozen=True):
    """Only look, and change nothing: ``dryRun=1``."""

    dry_run: bool = False


class CellError(Answer, frozen=True):
    """What is wrong with a catalogue: the header is row 1."""

    row: int
    column: str | None  # null: the row as a whole
    message: str


class Imported(Answer, frozen=True):
    """What a catalogue holds and, where it was no dry run, what became of it."""

    rows: int
    errors: list[CellError]
    created: int | UnsetType = UNSET
    changed: int | UnsetType = UNSET
    unchanged: int | UnsetType = UNSET


class Registration(Answer, frozen=True):
    """A bidder's place in a sale."""

    consumer_id: str
    email: str | None
    status: Admission
    paddle: int
    limit: Decimal | None  # of what they have won and lead with; null: none
    won: Decimal  # their hammer prices so far; what they lead with is theirs to know
    reason: str
    conditions_version: str | None
    changed_at: str


class Registrations(Answer, frozen=True):
    """A page of registrations, in the order in which they were made."""

    data: list[Registration]
    page_info: PageInfo


class Decision(Request, frozen=True):
    """What the house says to a bidder who wants to bid."""

    status: Literal["approved", "declined", "suspended"]
    limit: Amount | UnsetType | None = UNSET  # null: no limit
    paddle: Annotated[int, Meta(ge=1, le=999_999)] | UnsetType = UNSET
    reason: Reason = ""


# ── Lots ─────────────────────────────────────────────────────────────────────────────────


class Estimate(Request, frozen=True):
    """What the house thinks that a lot will bring."""

    low: Amount | None = None
    high: Amount | None = None


class LotChanges(Request, frozen=True):
    """What is to be different about a lot."""

    sequence_id: Id | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    lot_number: LotNumber | UnsetType = UNSET
    serial: Annotated[str, Meta(max_length=100)] | UnsetType | None = UNSET
    provenance: Annotated[list[Reason], Meta(max_length=100)] | UnsetType = UNSET
    estimate: Estimate | UnsetType | None = UNSET
    consignor: Id | UnsetType | None = UNSET  # a consumer, who may not bid on it
    time_zone: Zone | UnsetType = UNSET  # of the times here; else the sale's
    open_at: Time | UnsetType | None = UNSET  # null: opened by resume
    close_at: Time | UnsetType | None = UNSET  # null: closed by complete
    settle_at: Time | UnsetType = UNSET
    format: Format | UnsetType = UNSET
    currency_code: Currency | UnsetType = UNSET  # the sale's
    winner_count: Places | UnsetType = UNSET
    starting_bid: Amount | UnsetType = UNSET
    minimum_increment: Amount | UnsetType = UNSET  # the same step everywhere
    increments: str | Annotated[list[Step], Meta(min_length=1, max_length=100)] | UnsetType = UNSET
    ladder_only: bool | UnsetType = UNSET
    leader_raise: Literal["freeze", "recompute"] | UnsetType = UNSET
    reserve_price: Amount | UnsetType | None = UNSET
    reserve_policy: Literal["normal", "to_max"] | UnsetType = UNSET
    publish_reserve: bool | UnsetType = UNSET
    buy_now_price: Amount | UnsetType | None = UNSET
    auto_extend_seconds: Seconds | UnsetType = UNSET
    extension_window_seconds: Seconds | UnsetType = UNSET
    max_extensions: Times | UnsetType | None = UNSET
    floor_price: Amount | UnsetType | None = UNSET
    price_drop_amount: Amount | UnsetType | None = UNSET
    price_drop_interval_seconds: Seconds | UnsetType | None = UNSET
    uniform_price: Literal["highest_losing", "lowest_winning"] | UnsetType = UNSET


class NewLot(LotChanges, frozen=True, kw_only=True):
    """A lot that is to be sold."""

    sequence_id: Id
    settle_at: Time


# ── Payments ─────────────────────────────────────────────────────────────────────────────


class TokenSaid(Request, frozen=True):
    """A payment token, as its bearer showed it."""

    token: Annotated[str, Meta(min_length=1, max_length=4_096)]


class OrderSaid(TokenSaid, frozen=True):
    """A payment token that is to be used up by this order."""

    order_id: Annotated[str, Meta(min_length=1, max_length=200)]


class Claims(Answer, frozen=True):
    """What a payment token says."""

    auction: str
    consumer: str
    amount: str  # a decimal string in major units
    currency: str
    jti: str
    iat: int  # unix seconds
    exp: int
    test: bool = False


class PaidClaims(Claims, frozen=True, kw_only=True):
    """A payment token that was used up, and by which order."""

    order_id: str


class Payment(Answer, frozen=True):
    """What somebody is to pay for a lot: a winner, or who was offered their own bid."""

    auction_id: str
    consumer_id: str
    email: str | None
    amount: Decimal
    currency_code: str
    status: Literal["due", "paid", "unpaid"]
    offered: bool  # not a winner: they may take the lot for their own bid
    issue: int  # of the token: how many there have been
    expires_at: str
    order_id: str | None
    paid_at: str | None


class Payments(Answer, frozen=True):
    """Who has paid for a lot, and who has not; the winners first."""

    data: list[Payment]


class TokenIssued(Answer, frozen=True):
    """A payment token for somebody; those before it are worth nothing any more."""

    auction_id: str
    consumer_id: str
    amount: Decimal
    currency_code: str
    payment_token: str
    expires_at: str


class Relisting(Request, frozen=True):
    """When a lot is put up again; its other terms are as they were."""

    open_at: Time | UnsetType | None = UNSET  # null: opened by resume
    close_at: Time | UnsetType | None = UNSET
    settle_at: Time | UnsetType = UNSET


# ── Keys ─────────────────────────────────────────────────────────────────────────────────


class NewKey(Request, frozen=True):
    """An API key that is to be made."""

    kind: Literal["publishable", "secret", "operator"]
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    # None: all of them for a secret key, none for a publishable one
    scopes: Annotated[list[Annotated[str, Meta(max_length=50)]], Meta(max_length=20)] | None = None
    expires_at: Time | None = None  # without an offset: UTC


class Key(Answer, frozen=True):
    """An API key, without its text."""

    id: str
    kind: Literal["publishable", "secret", "operator"]
    mode: Mode
    name: str
    scopes: list[str]
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None
    previous_until: str | None  # until when the text before this one is taken, too


class Keys(Answer, frozen=True):
    """All keys of a mode, ended ones included, the oldest first."""

    data: list[Key]


class KeyMade(Key, frozen=True, kw_only=True):
    """An API key with its text, which is shown this once."""

    key: str


# ── Webhooks ─────────────────────────────────────────────────────────────────────────────


class NewWebhook(Request, frozen=True):
    """Where to send which events."""

    url: Annotated[str, Meta(min_length=1, max_length=2_048)]
    events: Annotated[list[Annotated[str, Meta(max_length=50)]], Meta(min_length=1, max_length=50)]


class Webhook(Answer, frozen=True):
    """A webhook, without its secret."""

    id: str
    url: str
    events: list[str]
    created_at: str
    disabled_at: str | None  # when it answered 410, and was told nothing more


class Webhooks(Answer, frozen=True):
    """All webhooks of a mode, the oldest first."""

    data: list[Webhook]


class WebhookMade(Webhook, frozen=True, kw_only=True):
    """A webhook with the secret that its deliveries are signed with, shown this once."""

    secret: str


class WebhookRotated(Answer, frozen=True):
    """The webhook's new secret, shown this once; the one before signs beside it for a day."""

    id: str
    secret: str


class Delivery(Answer, frozen=True):
    """One telling, with what came of its attempts."""

    id: str
    type: str
    status: str
    attempts: int
    created_at: str
    next_attempt_at: str | None
    delivered_at: str | None
    last_status: int | None  # of HTTP; null: no answer
    last_error: str | None


class Deliveries(Answer, frozen=True):
    """A page of what a webhook was told, newest first."""

    data: list[Delivery]
    page_info: PageInfo
