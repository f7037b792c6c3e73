"""Sealed bids: committed to when they are made, opened and checked at the close.

A bid enters the log as a commitment and a ciphertext; no amount is in the log before the
close carries the key (bidding-rules 2.9).  What is opened is checked again, since whoever
may append could have sealed anything: it must be what was committed to, by the bidder who
sent it, and an amount that the lot takes.

The bytes, for whoever checks a sale without this code:

- commitment: SHA-256 over ``fairwarning-sealed/v1``, the auction id, the consumer id (each
  UTF-8), the amount in minor units (8 bytes, big endian) and the salt (32 bytes), in hex;
- letter: the amount (8 bytes, big endian), the salt (32 bytes) and SHA-256 of the consumer id;
- ciphertext: the letter sealed by HPKE (RFC 9180) in base mode, with DHKEM(X25519,
  HKDF-SHA256), HKDF-SHA256 and ChaCha20Poly1305, single shot, no aad; info is
  ``fairwarning-sealed/v1``, a zero byte, the auction id, a zero byte and the consumer id.
  Encapsulated key and ciphertext, 120 bytes, in base64.

Only ``seal`` throws a die, inside the library: a gateway calls it, and no decision does.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct

from engine.core.increments import rung_from
from engine.core.messages import MAX_AMOUNT, OpenedBid, Terms, Void

PROTOCOL = b"fairwarning-sealed/v1"
AMOUNT_BYTES = 8
SALT_BYTES = 32
KEY_BYTES = 32
LETTER_BYTES = AMOUNT_BYTES + SALT_BYTES + 32
SEALED_BYTES = KEY_BYTES + LETTER_BYTES + 16  # the encapsulated key before, the tag behind
CIPHERTEXT_CHARS = SEALED_BYTES // 3 * 4  # base64 of a multiple of three has no padding
SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


class SealedBid(Struct, frozen=True, array_like=True, gc=False):
    """A sealed bid that stands, as the log took it."""

    order: int
    consumer_id: str
    cmd_id: str
    at: int
    commitment: str
    ciphertext: str


def commitment(auction_id: str, consumer_id: str, amount: int, salt: bytes) -> str:
    """What a bidder binds themselves by, in hex (module docstring)."""
    parts = (auction_id.encode(), consumer_id.encode(), amount.to_bytes(AMOUNT_BYTES), salt)
    return sha256(b"".join((PROTOCOL, *parts))).hexdigest()


def letter(consumer_id: str, amount: int, salt: bytes) -> bytes:
    """What is sealed: of one length, whatever it says."""
    return amount.to_bytes(AMOUNT_BYTES) + salt + sha256(consumer_id.encode()).digest()


def binding(auction_id: str, consumer_id: str) -> bytes:
    """HPKE's info: a ciphertext opens for this auction and this bidder, and no other."""
    return b"\0".join((PROTOCOL, auction_id.encode(), consumer_id.encode()))


def seal(public_key: str, auction_id: str, consumer_id: str, amount: int, salt: bytes) -> str:
    """A bid that only the auction's private key opens: another ciphertext every time, in base64.

    Raises ``ValueError`` where *public_key* is none.
    """
    key = X25519PublicKey.from_public_bytes(_decoded(public_key) or b"")
    written = letter(consumer_id, amount, salt)
    return b64encode(SUITE.encrypt(written, key, info=binding(auction_id, consumer_id))).decode()


def is_sealed(committed: str, ciphertext: str) -> bool:
    """Have they the shape of a sealed bid?  Whether they are one is seen at the close."""
    hexadecimal = len(committed) == 64 and not committed.strip("0123456789abcdef")
    return hexadecimal and len(_decoded(ciphertext) or b"") == SEALED_BYTES


def is_public_key(text: str) -> bool:
    """Could bids be sealed for this key?"""
    return len(_decoded(text) or b"") == KEY_BYTES


def opening_key(public_key: str, private_key: str) -> X25519PrivateKey | None:
    """The key that opens what was sealed for *public_key* (both base64); None: it is another."""
    private = _decoded(private_key)
    if private is None or len(private) != KEY_BYTES:
        return None
    key = X25519PrivateKey.from_private_bytes(private)
    same = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw) == _decoded(public_key)
    return key if same else None


def opened(
    auction_id: str,
    terms: Terms,
    bids: Iterable[SealedBid],
    key: X25519PrivateKey,
    allowances: Mapping[str, int],
) -> tuple[OpenedBid, ...]:
    """Every bid read and checked, in the order in which the log took them.

    *allowances*: the most that each bidder may bid here; who is not in it is not admitted.
    """
    result = []
    for bid in sorted(bids, key=_by_order):
        amount = open_bid(key, auction_id, bid.consumer_id, bid.commitment, bid.ciphertext)
        void = _objection(terms, amount, allowances.get(bid.consumer_id))
        said = 0 if void is not None or not isinstance(amount, int) else amount
        result.append(OpenedBid(bid.consumer_id, bid.cmd_id, bid.at, said, void))
    return tuple(result)


def open_bid(
    key: X25519PrivateKey, auction_id: str, consumer_id: str, committed: str, ciphertext: str
) -> int | Void:
    """The amount, as it was committed to; or why it cannot be believed."""
    try:
        written = SUITE.decrypt(
            _decoded(ciphertext) or b"", key, info=binding(auction_id, consumer_id)
        )
    except (InvalidTag, ValueError):  # a key that no honest sealer chose is a ValueError
        return "unreadable"
    if len(written) != LETTER_BYTES:
        return "unreadable"
    amount = int.from_bytes(written[:AMOUNT_BYTES])
    salt = written[AMOUNT_BYTES : AMOUNT_BYTES + SALT_BYTES]
    if not 0 < amount <= MAX_AMOUNT or written != letter(consumer_id, amount, salt):
        return "unreadable"
    if commitment(auction_id, consumer_id, amount, salt) != committed:
        return "mismatch"
    return amount


def winners(terms: Terms, opened: Sequence[OpenedBid]) -> list[tuple[OpenedBid, int]]:
    """Who buys and what each pays, best first; of equal bids the earlier is better."""
    valid = sorted((bid for bid in opened if bid.void is None), key=_by_amount)
    reserve = terms.reserve or 0
    won = [bid for bid in valid[: terms.winner_count] if bid.amount >= reserve]
    if terms.format == "sealed_first" or not won:
        return [(bid, bid.amount) for bid in won]
    if terms.format == "uniform" and terms.uniform_price == "lowest_winning":
        return [(bid, won[-1].amount) for bid in won]
    # The highest bid that does not buy makes the price, also one that is below the reserve.
    losing = valid[len(won)].amount if len(won) < len(valid) else 0
    return [(bid, max(losing, reserve, terms.opening)) for bid in won]


def _objection(terms: Terms, amount: int | Void, allowance: int | None) -> Void | None:
    if not isinstance(amount, int):
        return amount
    if amount < terms.opening:
        return "below_opening"
    if terms.ladder_only and amount != rung_from(terms.increments, terms.opening, amount):
        return "off_ladder"
    if allowance is None:
        return "not_admitted"
    return "over_limit" if amount > allowance else None


def _by_order(bid: SealedBid) -> int:
    return bid.order


def _by_amount(bid: OpenedBid) -> int:
    return -bid.amount  # sorting is stable: of equal amounts the earlier stays in front


def _decoded(text: str) -> bytes | None:
    try:
        return b64decode(text, validate=True)
    except (NotBase64, ValueError):  # a ValueError: letters that are not ASCII
        return None
