"""The verifier's signing keys: one for each purpose.

Retired keys stay published: what they have signed stays checkable.  What a compromised key
has signed stays good only if it was logged before the size of the log that the declaration
names.

Private keys lie sealed in the database.  They are read at each signature: a rotation by the
command line holds for the running process from its next signature on.  Leaves to others:
when keys change, and that the log says so (``rotation``).
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from sqlalchemy import Connection, Row, insert, select, update

from gateway.books.store import Vault, reading
from verifier.core import notes, signing
from verifier.core.events import DAY_MS
from verifier.store import Store
from verifier.tables import keys

Json = dict[str, Any]
Purpose = Literal["issuer", "log", "log-mldsa", "link"]
PURPOSES: Final[tuple[Purpose, ...]] = ("issuer", "log", "log-mldsa", "link")


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key as everybody may know it."""

    kid: str
    purpose: Purpose
    public: bytes
    created_at: int
    from_size: int
    retired_at: int | None
    retired_size: int | None
    compromised_at: int | None
    compromised_size: int | None

    def signs_at(self, leaf_index: int) -> bool:
        """May it have signed what stands at this place of the log?"""
        if leaf_index < self.from_size:
            return False
        if self.retired_size is not None and leaf_index >= self.retired_size:
            return False
        return self.compromised_size is None or leaf_index < self.compromised_size

    @property
    def ed25519(self) -> Ed25519PublicKey:
        """The key; only where it is one."""
        assert self.purpose != "log-mldsa"
        return Ed25519PublicKey.from_public_bytes(self.public)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The key that signs for a purpose now."""

    kid: str
    private: Ed25519PrivateKey | MLDSA44PrivateKey = field(repr=False)

    @property
    def ed25519(self) -> Ed25519PrivateKey:
        """The private key; only where it is one."""
        assert isinstance(self.private, Ed25519PrivateKey)
        return self.private


def current(connection: Connection, vault: Vault, purpose: Purpose) -> SigningKey:
    """The key that signs for this purpose now; there is one after ``begin``."""
    query = select(keys.c.kid, keys.c.private)
    mine = query.where(keys.c.purpose == purpose, keys.c.retired_at.is_(None))
    row = connection.execute(mine).one()
    raw = vault.open("signing key", row.kid, row.private)
    if purpose == "log-mldsa":
        return SigningKey(row.kid, MLDSA44PrivateKey.from_seed_bytes(raw))
    return SigningKey(row.kid, Ed25519PrivateKey.from_private_bytes(raw))


def log_signers(
    connection: Connection, vault: Vault, name: str, now_ms: int
) -> list[notes.NoteSigner]:
    """What signs a checkpoint of the log of this name.

    The cosignature tells the day, and no time of it: a checkpoint that was made for one
    object's change of hands would tell its hour.
    """
    ed25519 = notes.Ed25519Signer(name, current(connection, vault, "log").ed25519)
    if not notes.HAS_MLDSA:
        return [ed25519]
    mldsa = current(connection, vault, "log-mldsa").private
    assert isinstance(mldsa, MLDSA44PrivateKey)
    return [ed25519, notes.MlDsa44Signer(name, mldsa, now_ms - now_ms % DAY_MS)]


# Built once: every public question asks it.
_KNOWN: Final = select(*(keys.c[name] for name in PublicKey.__dataclass_fields__)).order_by(
    keys.c.created_at, keys.c.kid
)


def known(connection: Connection) -> dict[str, PublicKey]:
    """Every key there has been, by its id, in the order in which they were made."""
    return {row.kid: _public(row) for row in connection.execute(_KNOWN)}


def jwks(store: Store) -> Json:
    """All Ed25519 keys as a JWK Set (RFC 7517, RFC 8037), retired ones included."""
    with reading(store.engine) as connection:
        found = known(connection).values()
    shown = [
        {**signing.jwk(key.ed25519), "kid": key.kid, "alg": "EdDSA", "use": "sig"}
        for key in found
        if key.purpose != "log-mldsa"
    ]
    return {"keys": shown}


def make(connection: Connection, vault: Vault, purpose: Purpose, size: int, now_ms: int) -> str:
    """A new key of this purpose, in use from a log of *size* entries on; its id."""
    private: Ed25519PrivateKey | MLDSA44PrivateKey
    if purpose == "log-mldsa":
        private = MLDSA44PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        kid = base64.urlsafe_b64encode(hashlib.sha256(public).digest()).rstrip(b"=").decode()
    else:
        private = Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        kid = signing.thumbprint(private.public_key())
    row = {
        "kid": kid,
        "purpose": purpose,
        "public": public,
        "private": vault.seal("signing key", kid, private.private_bytes_raw()),
        "created_at": now_ms,
        "from_size": size,
    }
    connection.execute(insert(keys), row)
    return kid


def retire(connection: Connection, kid: str, size: int, now_ms: int) -> None:
    """End a key with a log of *size* entries; nobody signs with it any more."""
    ended = {"retired_at": now_ms, "retired_size": size, "private": None}
    connection.execute(update(keys).where(keys.c.kid == kid).values(ended))


def _public(row: Row[Any]) -> PublicKey:
    return PublicKey(**{name: getattr(row, name) for name in PublicKey.__dataclass_fields__})
