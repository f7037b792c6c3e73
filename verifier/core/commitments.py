"""Commitments: what an event says about a private field without saying it.

A plain hash of a name is still that name to whoever tries names; 32 random bytes before it
make it none.  The commitment is signed and public, salt and value are sealed: who is shown
both can check them against the event, and once they are deleted nobody can open or guess it,
while the chain still verifies (EDPB Guidelines 02/2025).  One salt a field: a price can be
disclosed and the name beside it not.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from verifier.core.canonical import canonical

SALT_BYTES: Final = 32


def commit(salt: bytes, name: str, value: object) -> str:
    """The commitment to *value* of the field *name*, as 64 hexadecimal digits.

    *salt* is 32 random bytes that are used for nothing else; *value* is any JSON.  Raises
    ``ValueError`` for another length, ``NotCanonical`` for what is no JSON.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt of {SALT_BYTES} bytes was expected, not of {len(salt)}")
    said = canonical({"field": name, "value": value})
    return hashlib.sha256(b"auction-commit/v1" + salt + said).hexdigest()


def opens(commitment: str, salt: bytes, name: str, value: object) -> bool:
    """Was *commitment* made to this value of this field with this salt?"""
    return hmac.compare_digest(commitment.encode(), commit(salt, name, value).encode())
