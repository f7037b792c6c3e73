"""The provenance of an object: signed documents, each of which commits to the one before.

An event is a W3C Data Integrity document.  What everybody may know stands in ``details``,
and only under keys that are allowed for that type (``PUBLIC_DETAILS``); whatever else the
house says of it is a commitment, which the private table can open and nobody else can guess.
No person is ever in a document: parties are roles.

The chain gives order and completeness within one object; that the operator did not write a
second history is for the log to show (``merkle``).  Pure: keys, salts and instants are given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from verifier.core import signing
from verifier.core.canonical import NotCanonical, canonical, digest, read_canonical
from verifier.core.objects import EVENT_TYPES, OF_CUSTODY, POSTABLE

Json = dict[str, Any]

CONTEXT: Final = ["https://www.w3.org/ns/credentials/v2"]
OBJECT_URN: Final = "urn:fairwarning:object:"
DAY_MS: Final = 86_400_000
# An erasure too: two objects of one person would be known by their second.
_BY_DAY: Final = OF_CUSTODY | {"erased"}

# Public details by event type; any other key is private.  Free text is in none of them.
PUBLIC_DETAILS: Final[Mapping[str, tuple[str, ...]]] = {
    "cataloged": ("catalogNumber",),
    "listed": ("lotNumber", "auctionId"),
    "sold": ("hammerPrice", "currency"),
}
# What the system signs into a document for checkers, beside what a reader is shown.
SIGNED_DETAILS: Final[Mapping[str, tuple[str, ...]]] = {
    "registered": ("title", "category", "securityTier", "link"),
    "photographed": (
        "angle",
        "sha256",
        "pixelSha256",
        "servedSha256",
        "templateDigest",
        "pdq",
        "anchorCount",
        "algorithm",
        "supersedes",
    ),
    "binding_completed": ("certificate",),
    "tag_bound": ("tagDigest",),
    "scan_alert": ("level",),
}

# What a document only commits to, by event type, under names that say nothing themselves:
# whatever a house says in words of its own is inside one of them.
_REPORTED: Final = ("actorRole", "description", "evidence")
PRIVATE_DETAILS: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(POSTABLE, _REPORTED),
    "consigned": (*_REPORTED, "consignorId"),
    "registered": ("description", "estimate", "attributes", "consignorId", "consignor"),
    "sold": ("salePrice", "saleCurrency"),
    "passed": ("reason",),
    "transferred": ("terms", "buyer"),
    "scan_alert": ("reasons",),
}
# Of these, what is about a person, and goes with them.
PERSONAL: Final = ("consignor", "buyer")

# How a role is called in public; whoever is not of them is a "Party".
ROLES: Final[Mapping[str, str]] = {
    "house": "House",
    "auction_house": "House",
    "auctioneer": "House",
    "specialist": "House",
    "system": "House",
    "consignor": "Consignor",
    "seller": "Consignor",
    "owner": "Verified Private Collector",
    "collector": "Verified Private Collector",
    "buyer": "Buyer",
    "expert": "Expert",
    "authenticator": "Expert",
    "conservator": "Conservator",
    "restorer": "Conservator",
    "museum": "Museum",
    "borrower": "Borrower",
    "transporter": "Transporter",
}
HOUSE: Final = "House"
PARTY: Final = "Party"


class BadChain(Exception):
    """A history that is not whole: ``seq`` is where it first disagrees."""

    def __init__(self, seq: int, reason: str) -> None:
        super().__init__(f"event {seq}: {reason}")
        self.seq = seq
        self.reason = reason


class Draft(NamedTuple):
    """An event before it is signed."""

    event_id: str
    event_type: str
    serial: str
    mode: str
    seq: int
    previous_hash: str | None  # null of the first
    at: int  # ms; what the event says of when it happened
    recorded_at: int  # ms; when it was written down
    actor: str  # a role as ROLES calls it
    details: Mapping[str, Any]  # public
    commitments: Mapping[str, str]  # by the name of the private field, hex SHA-256


def role(said: str) -> str:
    """What a role is called in public."""
    return ROLES.get(said.strip().lower().replace(" ", "_"), PARTY)


def details_of(event_type: str) -> tuple[str, ...]:
    """The names that a document's details may have."""
    return (*PUBLIC_DETAILS.get(event_type, ()), *SIGNED_DETAILS.get(event_type, ()))


def shown_details(event_type: str, details: Mapping[str, Any]) -> Json:
    """What anybody is shown of a document's details."""
    allowed = PUBLIC_DETAILS.get(event_type, ())
    return {key: value for key, value in details.items() if key in allowed}


def price(minor: int, exponent: int) -> str:
    """An amount as documents have it: a decimal text in major units, with all its digits."""
    return f"{Decimal(minor).scaleb(-exponent):.{exponent}f}"


def instant(event_type: str, at: int) -> str:
    """When an event was, as it is written: to the second, or to the day where custody moves."""
    precise = at - at % DAY_MS if event_type in _BY_DAY else at
    return datetime.fromtimestamp(precise // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def document(draft: Draft, issuer: str, key: Ed25519PrivateKey) -> Json:
    """The signed document of an event."""
    when = instant(draft.event_type, draft.at)
    unsigned = {
        "@context": CONTEXT,
        "id": f"urn:fairwarning:event:{draft.event_id}",
        "type": ["VerifiableCredential", "ProvenanceEvent"],
        "issuer": issuer,
        "validFrom": when,
        "credentialSubject": {
            "id": OBJECT_URN + draft.serial,
            "serial": draft.serial,
            "mode": draft.mode,
            "seq": draft.seq,
            "eventType": draft.event_type,
            "actor": draft.actor,
            "previousHash": draft.previous_hash,
            "details": dict(draft.details),
            "commitments": dict(draft.commitments),
        },
    }
    return signing.sign(unsigned, key, instant(draft.event_type, draft.recorded_at))


def event_hash(signed: Json) -> str:
    """By what the next event names this one: hex SHA-256 of the signed document's bytes."""
    return digest(signed)


def entry(signed: Json) -> bytes:
    """What the log keeps of a signed document: its canonical bytes."""
    return canonical(signed)


def read_document(data: bytes) -> Json:
    """A signed document out of the log's bytes.  Raises ``canonical.NotCanonical``."""
    found = read_canonical(data)
    if not isinstance(found, dict):
        raise NotCanonical("a document is an object")
    return found


_DOCUMENT: Final = {"@context", "id", "type", "issuer", "validFrom", "credentialSubject", "proof"}
_SUBJECT: Final = {
    "id",
    "serial",
    "mode",
    "seq",
    "eventType",
    "actor",
    "previousHash",
    "details",
    "commitments",
}


def check_chain(
    documents: Sequence[Json], serial: str, hashes: Sequence[str] | None = None
) -> None:
    """Is this the object's history from its beginning, whole and in order?

    *hashes* are the documents', where they are known.  Signatures are somebody else's to
    check.  Raises ``BadChain`` at the first that is not.
    """
    previous: str | None = None
    for seq, signed in enumerate(documents):
        fault = next(_faults(signed, seq, previous, serial), None)
        if fault is not None:
            raise BadChain(seq, fault)
        previous = event_hash(signed) if hashes is None else hashes[seq]


def _faults(signed: Json, seq: int, previous: str | None, serial: str) -> Iterator[str]:
    if set(signed) != _DOCUMENT:
        yield "fields are missing, or too many"
        return
    subject = signed["credentialSubject"]
    if not isinstance(subject, dict) or set(subject) != _SUBJECT:
        yield "fields of the subject are missing, or too many"
        return
    if signed["@context"] != CONTEXT or signed["type"] != [
        "VerifiableCredential",
        "ProvenanceEvent",
    ]:
        yield "it is no provenance event"
    if subject["serial"] != serial or subject["id"] != OBJECT_URN + serial:
        yield "it is of another object"
    if subject["seq"] != seq or isinstance(subject["seq"], bool):
        yield f"it says it is event {subject['seq']}"
    if subject["previousHash"] != previous:
        yield "it does not follow from the one before it"
    if not isinstance(subject["details"], dict) or not isinstance(subject["commitments"], dict):
        yield "its details are of another kind"
        return
    if subject["eventType"] not in EVENT_TYPES:
        yield f"an event of an unknown type {subject['eventType']!r}"
        return
    if not set(subject["details"]) <= set(details_of(subject["eventType"])):
        yield "it has details that such an event has not"
    if not set(subject["commitments"]) <= set(PRIVATE_DETAILS.get(subject["eventType"], ())):
        yield "it commits to what such an event does not say"
    if seq == 0 and subject["eventType"] != "registered":
        yield "a history begins with the registration"
