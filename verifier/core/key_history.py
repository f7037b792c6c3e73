"""Which key could sign when: told by the log alone, from its entries about keys.

Every key comes into use, is replaced or declared compromised by an entry.  ``KeyHistory``
plays these entries in their order and refuses one that does not follow from those before it:
whoever trusts a tree of the log thereby knows, for each place in it, the keys that were good
there.  A replacement is ordered by the key that it replaces, inside what the issuer signed.

What a compromised key signed stays good only before the size that the declaration names.
Entries about keys are judged by what was known when they were logged: a later declaration
takes back statements of objects, not the succession of keys, which the tree vouches for.

Pure.  Leaves to others: that an entry is in the tree, and that none was left out.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from verifier.core import signing
from verifier.core.events import CONTEXT
from verifier.core.signing import BadKey, BadSignature

Json = dict[str, Any]

TYPE: Final = ["VerifiableCredential", "KeyEvent"]
PURPOSES: Final = ("issuer", "log", "log-mldsa", "link")
_MLDSA_SIZE: Final = 1312
_URN: Final = "urn:fairwarning:key-event:"
_DOCUMENT: Final = {"@context", "id", "type", "issuer", "validFrom", "credentialSubject", "proof"}


class BadKeyEvent(Exception):
    """An entry about keys that does not follow from those before it."""


@dataclass(frozen=True, slots=True)
class KeyLife:
    """A key, and from and to which places of the log it could sign."""

    kid: str
    purpose: str
    public: bytes
    created: str  # the instant of its first entry, as that is written
    from_size: int
    retired: str | None = None
    retired_size: int | None = None
    compromised: str | None = None
    compromised_size: int | None = None

    def in_use_at(self, place: int) -> bool:
        """Was it the one that signed for its purpose, as it was understood then?"""
        if place < self.from_size:
            return False
        return self.retired_size is None or place < self.retired_size

    def taken_back_at(self, place: int) -> bool:
        """Was it declared compromised for what stands at this place?"""
        return self.compromised_size is not None and place >= self.compromised_size

    @property
    def ed25519(self) -> Ed25519PublicKey:
        """The key; only where it is one."""
        return signing.read_public(self.public)


class KeyHistory:
    """All keys that the log has told of so far."""

    def __init__(self) -> None:
        self.keys: dict[str, KeyLife] = {}
        # Keys that come into use together do so from the first of their entries on.
        self._together: tuple[int, int, str] | None = None  # first and last place, instant

    def issuer(self, public: Ed25519PublicKey) -> KeyLife | None:
        """The issuer's key of these bytes."""
        found = self.keys.get(signing.thumbprint(public))
        return found if found is not None and found.purpose == "issuer" else None

    def current(self, purpose: str) -> KeyLife | None:
        """The key that signs for this purpose now."""
        living = (key for key in self.keys.values() if key.retired_size is None)
        return next((key for key in living if key.purpose == purpose), None)

    def play(self, place: int, document: Json) -> None:
        """One more entry about keys, its signatures checked.  Raises ``BadKeyEvent``."""
        _check_form(document)
        said, ordered_by = _said(document)
        kind = said.get("event")
        if kind == "created":
            self._create(place, document["validFrom"], said)
        elif kind == "rotated":
            self._rotate(place, document["validFrom"], said, ordered_by)
        elif kind == "compromised":
            self._compromise(place, document["validFrom"], said)
        else:
            raise BadKeyEvent("it says nothing that is known here")
        if ordered_by is not None and kind != "rotated":
            raise BadKeyEvent("only a replacement is signed twice")
        self._check_signer(place, document)

    def _create(self, place: int, when: str, said: Json) -> None:
        _check_members(said, {"event", "purpose", "key"})
        first = place
        if self._together is not None and self._together[1:] == (place - 1, when):
            first = self._together[0]
        self._together = (first, place, when)
        self._begin(said["purpose"], said["key"], when, first)

    def _rotate(self, place: int, when: str, said: Json, ordered_by: str | None) -> None:
        _check_members(said, {"event", "purpose", "from", "key"})
        old = self.current(str(said["purpose"]))
        if old is None or old.kid != _named(said["purpose"], said["from"]).kid:
            raise BadKeyEvent("it replaces a key that was not in use")
        # An ML-DSA key signs checkpoints and nothing else: it cannot order anything.
        if ordered_by != (None if old.purpose == "log-mldsa" else old.kid):
            raise BadKeyEvent("it is not ordered by the key that it replaces")
        self.keys[old.kid] = replace(old, retired=when, retired_size=place)
        self._begin(said["purpose"], said["key"], when, place)

    def _compromise(self, place: int, when: str, said: Json) -> None:
        more = {"replacement"} & said.keys()
        _check_members(said, {"event", "purpose", "key", "since"} | more)
        found = self.keys.get(_named(said["purpose"], said["key"]).kid)
        since = said["since"]
        if found is None or found.purpose != said["purpose"]:
            raise BadKeyEvent("it is about a key that nobody has told of")
        if type(since) is not int or not 0 <= since <= place:
            raise BadKeyEvent("it names a size that the log did not have")
        if found.compromised_size is not None and since > found.compromised_size:
            raise BadKeyEvent("it takes back what was declared before")
        if (found.retired_size is None) != bool(more):
            raise BadKeyEvent("a key that is in use is replaced with its declaration, and no other")
        if more:
            found = replace(found, retired=when, retired_size=place)
        self.keys[found.kid] = replace(found, compromised=when, compromised_size=since)
        if more:
            self._begin(said["purpose"], said["replacement"], when, place)

    def _begin(self, purpose: Any, named: Any, when: str, from_size: int) -> None:
        key = _named(purpose, named)
        if key.kid in self.keys:
            raise BadKeyEvent("its key has been told of before")
        if self.current(key.purpose) is not None:
            raise BadKeyEvent(f"there is a key for {key.purpose} already")
        self.keys[key.kid] = replace(key, created=when, from_size=from_size)

    def _check_signer(self, place: int, document: Json) -> None:
        signer = self.issuer(_signed_with(document))
        if signer is None or not signer.in_use_at(place):
            raise BadKeyEvent("it is not signed by the issuer's key of that time")


def named_kid(purpose: str, public: bytes) -> str:
    """The id of a key: RFC 7638 of an Ed25519 key, the SHA-256 of an ML-DSA one.

    Raises ``signing.BadKey``.
    """
    if purpose != "log-mldsa":
        return signing.thumbprint(signing.read_public(public))
    if len(public) != _MLDSA_SIZE:
        raise BadKey("an ML-DSA-44 key has 1,312 bytes")
    return _base64url(hashlib.sha256(public).digest())


def _check_form(document: Json) -> None:
    if document.keys() != _DOCUMENT:
        raise BadKeyEvent("fields are missing, or too many")
    if document["@context"] != CONTEXT or document["type"] != TYPE:
        raise BadKeyEvent("it is no entry about keys")
    if not isinstance(document["id"], str) or not document["id"].startswith(_URN):
        raise BadKeyEvent("its id is no entry's")
    proof = document["proof"]
    if not isinstance(proof, dict) or proof.get("created") != document["validFrom"]:
        raise BadKeyEvent("it is not of the instant at which it was signed")


def _said(document: Json) -> tuple[Json, str | None]:
    """What an entry says, and the id of the key that orders it inside, if one does."""
    subject = document["credentialSubject"]
    if not isinstance(subject, dict):
        raise BadKeyEvent("it says nothing")
    if "proof" not in subject:
        return subject, None
    _check_form(subject)
    if any(subject[name] != document[name] for name in ("issuer", "validFrom")):
        raise BadKeyEvent("what was ordered is not what was signed")
    inner = subject["credentialSubject"]
    if not isinstance(inner, dict):
        raise BadKeyEvent("it says nothing")
    return inner, signing.thumbprint(_signed_with(subject))


def _signed_with(document: Json) -> Ed25519PublicKey:
    try:
        key = signing.signed_with(document)
        signing.verify(document, key)
    except BadSignature as fault:
        raise BadKeyEvent(str(fault)) from fault
    return key


def _check_members(said: Mapping[str, Any], expected: set[str]) -> None:
    if said.keys() != expected:
        raise BadKeyEvent(f"its members are not {', '.join(sorted(expected))}")


def _named(purpose: Any, named: Any) -> KeyLife:
    """The key that an entry names, with its id checked."""
    if purpose not in PURPOSES:
        raise BadKeyEvent("a key for nothing that is known here")
    if not isinstance(named, dict) or named.keys() != {"kid", "public"}:
        raise BadKeyEvent("it names no key")
    try:
        public = _read_base64url(named["public"])
        kid = named_kid(purpose, public)
    except ValueError as fault:
        raise BadKeyEvent(f"it names no key: {fault}") from fault
    if named["kid"] != kid:
        raise BadKeyEvent("the key's id is not its own")
    return KeyLife(kid, purpose, public, "", 0)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _read_base64url(text: Any) -> bytes:
    if not isinstance(text, str) or not text.isascii():
        raise ValueError("this is not base64url")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _base64url(data) != text:
        raise ValueError("this base64url has another spelling")
    return data
