"""Ed25519, and the documents, keys and links that are signed with it.

A statement of the house (a certificate, an event, a change of keys) is a W3C Data Integrity
document with the cryptosuite ``eddsa-jcs-2022`` (Data Integrity EdDSA Cryptosuites v1.0,
3.3): anybody's verifier can check it.  ``verify`` is stricter than the Recommendation
wherever that leaves a choice, so that a signed document has one form only: exactly one
proof, exactly the members that ``sign`` writes, one spelling of the signature, and the same
``@context`` in proof and document.

A link's signature says who issued the link.  It can be copied with it, and says nothing
about the object the copy is stuck on.

Public keys come in three forms (Multikey, JWK, raw) through one door, ``read_public``, which
refuses keys under which a signature proves nothing; and every Ed25519 signature in this
project is judged by ``verifies``.  Secrets meet only OpenSSL's constant-time code: nothing
here compares one.

Leaves to others: whose key it is and when it was good, and what a document means.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from verifier.core.canonical import NotCanonical, canonical

CRYPTOSUITE: Final = "eddsa-jcs-2022"
LINK_PREFIX: Final = b"auction-qr/v1\n"  # keeps a link's signature from being anything else's
SIGNATURE_SIZE: Final = 64
KEY_SIZE: Final = 32

_PROOF_MEMBERS: Final = frozenset(
    ("type", "cryptosuite", "created", "verificationMethod", "proofPurpose", "proofValue")
)
_CREATED: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_ED25519_PUB: Final = b"\xed\x01"  # the multicodec of an Ed25519 public key (Multikey, 2.1.1)


class BadSignature(Exception):
    """A document that its key did not sign in just this form."""


class BadKey(ValueError):
    """What was offered as a public key is none, or none that proves anything."""


# ── Documents ────────────────────────────────────────────────────────────────────────────


def sign(
    document: Mapping[str, Any],
    key: Ed25519PrivateKey,
    created: str,
    purpose: str = "assertionMethod",
) -> dict[str, Any]:
    """The document with its proof (3.3.1, Create Proof).

    *created* is written as ``2026-11-27T10:00:00Z``; another form, or a document that has a
    proof already, is a ``ValueError``.  Raises ``NotCanonical`` for what cannot be written.
    """
    if not _is_instant(created):
        raise ValueError(f"{created!r} is no instant of the form 2026-11-27T10:00:00Z")
    if "proof" in document:
        raise ValueError("the document is signed already")
    public = key.public_key()
    options: dict[str, Any] = {
        "type": "DataIntegrityProof",
        "cryptosuite": CRYPTOSUITE,
        "created": created,
        "verificationMethod": verification_method(public),
        "proofPurpose": purpose,
    }
    if "@context" in document:
        options["@context"] = deepcopy(document["@context"])
    signature = key.sign(_hash_data(options, document))
    return {**document, "proof": {**options, "proofValue": "z" + base58(signature)}}


def verify(
    document: Mapping[str, Any], key: Ed25519PublicKey, purpose: str = "assertionMethod"
) -> None:
    """Was the document signed by *key*, for *purpose*, in just this form?

    Follows 3.3.2, Verify Proof, and raises ``BadSignature`` for anything that it or the
    stricter rules above refuse.  Returns nothing: there is no result to forget to look at.
    """
    proof = _proof_of(document)
    if proof["type"] != "DataIntegrityProof" or proof["cryptosuite"] != CRYPTOSUITE:
        raise BadSignature(f"the proof is no {CRYPTOSUITE} proof")  # 3.3.3, step 1
    if not isinstance(proof["created"], str) or not _is_instant(proof["created"]):
        raise BadSignature("the proof's date has another form")  # 3.3.5, step 4
    if proof["proofPurpose"] != purpose:
        raise BadSignature(f"the proof was not made for {purpose}")
    if proof["verificationMethod"] != verification_method(key):
        raise BadSignature("the proof names another key")
    # 3.3.2, step 4 lets the document's contexts go on past the proof's and then signs only
    # the proof's, so a context could be added afterwards.  Here they must be the same.
    if proof.get("@context") != document.get("@context"):
        raise BadSignature("the proof's @context is not the document's")
    signature = _read_proof_value(proof["proofValue"])
    options = {name: value for name, value in proof.items() if name != "proofValue"}
    unsecured = {name: value for name, value in document.items() if name != "proof"}
    try:
        signed = _hash_data(options, unsecured)
    except NotCanonical as refused:
        raise BadSignature(f"the document has no canonical form: {refused}") from refused
    if not verifies(key, signature, signed):
        raise BadSignature("the signature does not fit the document")


def signed_with(document: Mapping[str, Any]) -> Ed25519PublicKey:
    """The key that the proof names.  A hint and no more: whoever signed it chose the name.

    Raises ``BadSignature`` where the proof names no Ed25519 key as a ``did:key``.
    """
    method = _proof_of(document)["verificationMethod"]
    _, hash_sign, name = method.partition("#") if isinstance(method, str) else ("", "", "")
    try:
        key = read_multikey(name)
    except BadKey as refused:
        raise BadSignature(f"the proof names no key: {refused}") from refused
    if not hash_sign or method != verification_method(key):
        raise BadSignature("the proof names no did:key")
    return key


def _proof_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The one proof, with exactly its members."""
    proof = document.get("proof")
    if not isinstance(proof, dict):  # a list would be a proof set or chain
        raise BadSignature("the document must have one proof")
    expected = _PROOF_MEMBERS | ({"@context"} & document.keys())
    if proof.keys() != expected:
        raise BadSignature(f"a proof has the members {', '.join(sorted(expected))}")
    return proof


def _hash_data(options: Mapping[str, Any], document: Mapping[str, Any]) -> bytes:
    """What is signed: the two hashes of 3.3.4, the proof's first."""
    return b"".join(hashlib.sha256(canonical(part)).digest() for part in (options, document))


def _read_proof_value(value: object) -> bytes:
    if not isinstance(value, str) or not value.startswith("z"):
        raise BadSignature("a signature is written in base58-btc")
    try:
        signature = read_base58(value[1:], SIGNATURE_SIZE)
    except ValueError as refused:
        raise BadSignature(f"the signature cannot be read: {refused}") from refused
    return signature


def _is_instant(text: str) -> bool:
    """One spelling of one real second in UTC."""
    if not _CREATED.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


# ── Links ────────────────────────────────────────────────────────────────────────────────


def sign_link(key: Ed25519PrivateKey, link: str) -> str:
    """The signature of a link, in 86 characters of unpadded base64url."""
    return _base64url(key.sign(LINK_PREFIX + link.encode()))


def verify_link(public: Ed25519PublicKey, link: str, sig: str) -> bool:
    """Did this key sign the link?  A signature has one spelling; any other is False."""
    try:
        signature, message = _read_base64url(sig, SIGNATURE_SIZE), LINK_PREFIX + link.encode()
    except ValueError:
        return False
    return verifies(public, signature, message)


# ── Keys ─────────────────────────────────────────────────────────────────────────────────


_P: Final = 2**255 - 19
# The y of the eight points whose order divides the cofactor: under such a key one signature
# fits very many messages.  The last two are of order eight.
_Y8: Final = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
_SMALL_ORDER: Final = frozenset((0, 1, _P - 1, _Y8, _P - _Y8))


def verifies(public: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    """Did this key sign these bytes?  (RFC 8032, 5.1.7; a key of small order signs nothing.)"""
    if _is_weak(public.public_bytes_raw()):
        return False
    try:
        public.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def read_public(raw: bytes) -> Ed25519PublicKey:
    """The key of 32 bytes; raises ``BadKey`` for another length and for weak keys."""
    if len(raw) != KEY_SIZE:
        raise BadKey(f"an Ed25519 key has {KEY_SIZE} bytes, not {len(raw)}")
    if _is_weak(raw):
        raise BadKey("a key of small order, or not in its one encoding")
    return Ed25519PublicKey.from_public_bytes(raw)


def _is_weak(raw: bytes) -> bool:
    y = int.from_bytes(raw, "little") & ((1 << 255) - 1)  # the top bit is the sign of x
    return y >= _P or y in _SMALL_ORDER


def multikey(public: Ed25519PublicKey) -> str:
    """The key as a W3C Multikey: ``z6Mk…``."""
    return "z" + base58(_ED25519_PUB + public.public_bytes_raw())


def read_multikey(text: str) -> Ed25519PublicKey:
    """The key of a Multikey; raises ``BadKey`` for anything that ``multikey`` does not write."""
    if not text.startswith("z"):
        raise BadKey("a Multikey begins with z")
    try:
        raw = read_base58(text[1:], len(_ED25519_PUB) + KEY_SIZE)
    except ValueError as refused:
        raise BadKey(str(refused)) from refused
    if not raw.startswith(_ED25519_PUB):
        raise BadKey("the Multikey is of another kind than Ed25519")
    return read_public(raw.removeprefix(_ED25519_PUB))


def did_key(public: Ed25519PublicKey) -> str:
    """The key as a DID: ``did:key:z6Mk…``."""
    return "did:key:" + multikey(public)


def verification_method(public: Ed25519PublicKey) -> str:
    """How a proof names the key: ``did:key:z6Mk…#z6Mk…``."""
    name = multikey(public)
    return f"did:key:{name}#{name}"


def jwk(public: Ed25519PublicKey) -> dict[str, str]:
    """The key as a JWK, its required members only (RFC 8037, 2)."""
    return {"kty": "OKP", "crv": "Ed25519", "x": _base64url(public.public_bytes_raw())}


def read_jwk(key: Mapping[str, Any]) -> Ed25519PublicKey:
    """The key of a JWK, whose other members are its own business.

    Raises ``BadKey`` where it is no public Ed25519 key: a private one is refused, since
    something went wrong where it is offered as a public one.
    """
    x = key.get("x")
    if key.get("kty") != "OKP" or key.get("crv") != "Ed25519" or not isinstance(x, str):
        raise BadKey("the JWK is no Ed25519 key")
    if "d" in key:
        raise BadKey("the JWK is a private key")
    try:
        raw = _read_base64url(x, KEY_SIZE)
    except ValueError as refused:
        raise BadKey(str(refused)) from refused
    return read_public(raw)


def thumbprint(public: Ed25519PublicKey) -> str:
    """The key's name, its ``kid``: the RFC 7638 thumbprint, 43 characters."""
    return _base64url(hashlib.sha256(canonical(jwk(public))).digest())


# ── Texts of bytes ───────────────────────────────────────────────────────────────────────

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS: Final = {letter: number for number, letter in enumerate(_ALPHABET)}


def base58(data: bytes) -> str:
    """The bytes in base58-btc, without a multibase prefix."""
    number, text = int.from_bytes(data), ""
    while number:
        number, digit = divmod(number, 58)
        text = _ALPHABET[digit] + text
    zeros = len(data) - len(data.lstrip(b"\x00"))
    return "1" * zeros + text


def read_base58(text: str, size: int) -> bytes:
    """The *size* bytes that the text stands for: no bytes have two texts.

    Raises ``ValueError`` for another alphabet or another number of bytes.
    """
    # 58^n > 256^size from n = 1.37·size on: longer texts need not become a number.
    if len(text) > size * 11 // 8 + 1:
        raise ValueError(f"the text is too long for {size} bytes")
    number = 0
    for letter in text:
        if letter not in _DIGITS:
            raise ValueError(f"{letter!r} is no letter of base58")
        number = number * 58 + _DIGITS[letter]
    zeros = len(text) - len(text.lstrip("1"))
    data = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)
    if len(data) != size:
        raise ValueError(f"{size} bytes were expected, not {len(data)}")
    return data


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _read_base64url(text: str, size: int) -> bytes:
    """The *size* bytes of an unpadded text; raises ``ValueError`` for any but its one spelling."""
    # The decoder skips what is no letter and drops spare bits, so its word is not taken:
    # what it read must be written back as the very same text.
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if len(data) != size or _base64url(data) != text:
        raise ValueError(f"this is not {size} bytes in unpadded base64url")
    return data
