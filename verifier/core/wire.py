"""The API's types, as its contract names them: what is sent, and what is answered.

Pure: the types only, and how an instant and an amount are written.  Instants are ISO 8601 in
UTC, to the second; amounts are decimals in major units, exact.  A body with a field that is
not here is refused: what a house says of an object is never silently left out of its history.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from gateway.core.bodies import Amount
from verifier.core.objects import Binding, Category, State, Tier
from verifier.core.transfers import State as TransferState

Mode = Literal["live", "test"]

# On one line, and nothing in it that a database or a terminal would stumble over.  What
# follows "$" keeps a line break at the end out, which "$" alone would let pass.
_LINE = r"^[^\x00-\x1f\x7f]*$(?!\n)"
Name = Annotated[str, Meta(min_length=1, max_length=250, pattern=_LINE)]
Text = Annotated[str, Meta(max_length=20_000)]
Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=_LINE)]
Serial = Annotated[str, Meta(min_length=1, max_length=64, pattern=_LINE)]
Email = Annotated[
    str, Meta(max_length=254, pattern=r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+$(?!\n)")
]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)")]
Instant = Annotated[str, Meta(min_length=1, max_length=40)]
Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]  # hexadecimal
Page = Annotated[int, Meta(ge=1, le=100)]


class Request(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A body or a query: what is not known is refused."""


class Answer(Struct, frozen=True, kw_only=True):
    """The content of an answer."""


def instant(at: int) -> str:
    """An instant (ms) as it is written."""
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def major(minor: int, exponent: int) -> Decimal:
    """An amount in minor units as it is written."""
    return Decimal(minor).scaleb(-exponent)


# ── Objects ──────────────────────────────────────────────────────────────────────────────


class EstimateSaid(Request, frozen=True, kw_only=True):
    """What an object may bring, in major units."""

    min: Amount
    max: Amount
    currency: Currency


class OwnerSaid(Request, frozen=True, kw_only=True):
    """A person; at least one of the three."""

    name: Name | None = None
    email: Email | None = None
    external_id: Name | None = None


class Registration(Request, frozen=True, kw_only=True):
    """A new object.  ``serial`` brings a foreign one along; else one is drawn."""

    title: Name
    category: Category
    description: Text | None = None
    estimated_value: EstimateSaid | None = None
    owner: OwnerSaid | None = None
    attributes: dict[str, Any] | None = None
    security_tier: Tier = "enhanced"
    serial: Serial | None = None


class Estimate(Answer, frozen=True, kw_only=True):
    """What an object may bring, in major units."""

    min: Decimal
    max: Decimal
    currency: str


class PhotoStatus(Answer, frozen=True, kw_only=True):
    """How far photographs bind the record."""

    count: int
    required: int
    missing: list[str]
    binding_status: Binding


class QrData(Answer, frozen=True, kw_only=True):
    """What the label says."""

    gs1DigitalLink: str  # noqa: N815 - the contract's name
    serial: str


class OpenTransfer(Answer, rename="camel", frozen=True, kw_only=True):
    """The transfer that is under way: begun by the house, or by the settlement of a sale."""

    transfer_id: str
    status: TransferState


class Object(Answer, frozen=True, kw_only=True):
    """An object as its house knows it."""

    id: str
    optropic_serial: str
    serial: str
    title: str
    category: Category
    status: State
    security_tier: Tier
    anchor_count: int
    required_angles: list[str]
    entropy_bits: int
    entropy_basis: Literal["code_length"] = "code_length"
    entropy_bits_effective: int
    owner_id: str
    registered_at: str
    updated_at: str
    photo_status: PhotoStatus
    # Of one object alone, not in lists.
    description: str | UnsetType | None = UNSET
    estimated_value: Estimate | UnsetType | None = UNSET
    attributes: dict[str, Any] | UnsetType = UNSET
    qr_data: QrData | UnsetType = UNSET
    transfer: OpenTransfer | UnsetType | None = UNSET


class Registered(Answer, frozen=True, kw_only=True):
    """A new object, and what its label says."""

    object: Object
    qr_data: QrData


class ObjectsQuery(Request, frozen=True, kw_only=True):
    """Which objects to list, the newest first."""

    status: State | None = None
    category: Category | None = None
    q: Annotated[str, Meta(max_length=200, pattern=_LINE)] | None = None
    limit: Page = 20
    cursor: Annotated[str, Meta(max_length=100, pattern=_LINE)] | None = None


class Pagination(Answer, frozen=True, kw_only=True):
    """Where in a list this is; ``next_cursor`` null: at its end."""

    limit: int
    next_cursor: str | None
    total: int


class Objects(Answer, frozen=True, kw_only=True):
    """A page of objects."""

    objects: list[Object]
    pagination: Pagination


class NewPhoto(Request, frozen=True, kw_only=True):
    """A photograph of an object, from an angle."""

    photo: bytes
    angle: Annotated[str, Meta(min_length=1, max_length=40)]


class Photo(Answer, frozen=True, kw_only=True):
    """A photograph that was taken in.  ``similar``: serials of objects with the same picture."""

    angle: str
    sha256: str
    width: int
    height: int
    anchors_found: int | None
    matchable: bool
    similar: list[str]


class PhotoAdded(Answer, frozen=True, kw_only=True):
    """A photograph, and how far the record is bound now."""

    photo: Photo
    photo_status: PhotoStatus


class NewTag(Request, frozen=True, kw_only=True):
    """An NFC tag, its keys in hexadecimal; they are never shown again.

    ``meta_key`` decrypts what the link encrypts; null where the uid is in the clear.
    """

    type: Literal["ntag424"]
    uid: Name
    file_key: Name
    meta_key: Name | None = None
    url_template: Annotated[str, Meta(min_length=1, max_length=500, pattern=_LINE)]


class TagAdded(Answer, frozen=True, kw_only=True):
    """A tag that an object carries from now on."""

    tag_status: Literal["bound"] = "bound"
    serial: str


# ── Provenance ───────────────────────────────────────────────────────────────────────────


class Statement(Request, frozen=True, kw_only=True):
    """What a house reports of an object."""

    event_type: Name = field(name="eventType")
    actor_role: Name = field(name="actorRole")
    description: Text | None = None
    evidence: dict[str, Any] | None = None
    timestamp: Instant | None = None


class StatementOf(Statement, frozen=True, kw_only=True):
    """The same, of the object that it names."""

    object_id: Id = field(name="objectId")


class Event(Answer, frozen=True, kw_only=True):
    """An event as it stands in the chain."""

    id: str
    type: str
    seq: int
    hash: str
    previous_hash: str | None
    timestamp: str


class EventWritten(Answer, frozen=True, kw_only=True):
    """An event that was written."""

    event: Event


class Actor(Answer, frozen=True, kw_only=True):
    """Who an event says has done it: a role, and its public name."""

    type: str
    name: str


class ShownEvent(Answer, frozen=True, kw_only=True):
    """An event of a history."""

    type: str
    timestamp: str
    actor: Actor
    details: dict[str, Any]
    seq: int
    hash: str
    previous_hash: str | None
    key_id: str
    log_index: int


class Custody(Answer, frozen=True, kw_only=True):
    """A change of hands."""

    from_: str | None = field(name="from")
    to: str
    transfer_type: Literal["registration", "sale", "return", "consignment"]


class Titled(Answer, frozen=True, kw_only=True):
    """Which object a history is of."""

    serial: str
    title: str


class Provenance(Answer, frozen=True, kw_only=True):
    """An object's history, oldest first."""

    object: Titled
    chain_valid: bool
    events: list[ShownEvent]
    chain_of_custody: list[Custody]


# ── Public verification ──────────────────────────────────────────────────────────────────


class FreshPhoto(Request, frozen=True, kw_only=True):
    """A photograph of the thing itself, to be compared with the record's."""

    photo: bytes
    angle: Annotated[str, Meta(min_length=1, max_length=40)] | None = None


class Match(Answer, frozen=True, kw_only=True):
    """What a fresh photograph shows."""

    match: Literal["match_strong", "match", "inconclusive", "no_match"]
    inliers: int
    anchors_found: int
    angle: str
    meaning: str


# ── Transfers and owners ─────────────────────────────────────────────────────────────────


class NewTransfer(Request, rename="camel", frozen=True, kw_only=True):
    """Who passes what on to whom, for how much (major units)."""

    object_id: Id
    from_owner_id: Id
    to_owner_id: Id
    sale_price: Amount
    sale_currency: Currency


class TransferBegun(Answer, rename="camel", frozen=True, kw_only=True):
    """A transfer with its code, which is shown this once."""

    transfer_id: str
    transfer_code: str
    expires_at: str
    status: TransferState


class Code(Request, rename="camel", frozen=True, kw_only=True):
    """The code that the buyer was given."""

    transfer_code: Annotated[str, Meta(max_length=64)]


class TransferConfirmed(Answer, frozen=True, kw_only=True):
    """A transfer that is done: the object as it is now, and the event that says so."""

    status: Literal["confirmed"] = "confirmed"
    object: Object
    event: Event


class Transfer(Answer, rename="camel", frozen=True, kw_only=True):
    """A transfer as it stands.  ``attempts_left`` and ``expires_at`` are of the newest code."""

    transfer_id: str
    object_id: str
    from_owner_id: str
    to_owner_id: str
    sale_price: Decimal | None
    sale_currency: str | None
    auction_id: str | None
    status: TransferState
    attempts_left: int | None = field(name="attempts_left")
    expires_at: str | None
    created_at: str
    updated_at: str


class OwnerEntered(Answer, frozen=True, kw_only=True):
    """Who that person is here."""

    owner_id: str


# ── The log ──────────────────────────────────────────────────────────────────────────────


class InclusionQuery(Request, frozen=True, kw_only=True):
    """Of what it is to be proven: the hash of an event, or of a leaf."""

    hash: Hash


class Inclusion(Answer, frozen=True, kw_only=True):
    """The proof (RFC 6962, 2.1.1) that an entry is in the signed tree; hashes in hexadecimal."""

    leaf_index: int
    leaf_hash: str
    tree_size: int
    root: str
    hashes: list[str]
    checkpoint: str


class ConsistencyQuery(Request, frozen=True, kw_only=True):
    """Between which sizes of the tree."""

    from_: Annotated[int, Meta(ge=1)] = field(name="from")
    to: Annotated[int, Meta(ge=1)]


class Consistency(Answer, frozen=True, kw_only=True):
    """The proof (RFC 6962, 2.1.2) that a tree begins with an earlier one."""

    from_: int = field(name="from")
    to: int
    hashes: list[str]


# ── Between the house's own processes ────────────────────────────────────────────────────


class ModeQuery(Request, frozen=True, kw_only=True):
    """Of which of the two worlds."""

    mode: Mode


class Standing(Answer, frozen=True, kw_only=True):
    """Whether an object can be offered."""

    serial: str
    status: State
    binding_status: Binding
    open_auction: str | None
    photos: int = 0  # of the angles that are needed, those that there are
    required: int = 0


class Claim(Request, frozen=True, kw_only=True):
    """Which auction is about to sell an object."""

    serial: Annotated[str, Meta(max_length=128)]
    mode: Mode
    auction_id: Annotated[str, Meta(min_length=1, max_length=128)]


class News(Request, frozen=True, kw_only=True):
    """One thing that a sale did; ``hammer_price`` in minor units, ``at`` in ms.

    ``after`` is the origin of what the clerk told last before it.
    """

    origin: Annotated[str, Meta(min_length=1, max_length=128)]
    kind: Literal["listed", "passed", "unlisted", "sold", "paid", "erased"]
    mode: Mode
    at: int
    serial: str | None = None
    auction_id: str | None = None
    lot_number: str | None = None
    hammer_price: int | None = None
    currency: str | None = None
    exponent: int | None = None
    consumer_id: str | None = None
    name: str | None = None
    email: str | None = None
    after: str | None = None


class Origins(Request, frozen=True, kw_only=True):
    """By what some of the news is known that was told."""

    origins: Annotated[list[str], Meta(max_length=1_000)]


class KnownOrigins(Answer, frozen=True, kw_only=True):
    """Those of them that were told here."""

    known: list[str]


class NewsTaken(Answer, frozen=True, kw_only=True):
    """Whether it was written down, and if not, why."""

    recorded: bool
    reason: str | None


class AfterQuery(Request, frozen=True, kw_only=True):
    """What was the last that was seen, and when that happened (ms)."""

    after: Annotated[int, Meta(ge=0)] = 0
    at: int | None = None
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 100


class Happening(Answer, frozen=True, kw_only=True):
    """What webhooks are told."""

    number: int
    type: str
    mode: Mode
    at: int
    data: dict[str, Any]


class Happenings(Answer, frozen=True, kw_only=True):
    """What happened since, oldest first."""

    happenings: list[Happening]


class Keys(Answer, frozen=True, kw_only=True):
    """A JWK Set."""

    keys: list[dict[str, Any]]
