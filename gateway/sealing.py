"""The key pair that one auction's sealed bids are made for (RFC 9180, X25519).

The public key goes into the lot's terms, and with it its private half, sealed under a key
that is derived from the house's master key: whoever copies the log cannot read a bid before
the close.  At the close the clerk opens the half and puts it into the log, where from then on
anybody can read every bid and check what became of it.

Promises: a sealed half opens only beside the public key it was made with.  Leaves to others:
encrypting a bid (``gateway.bidding``), and reading one (``engine.core``).
"""

from __future__ import annotations

import base64
import hmac
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.core.messages import Sealing, Terms
from gateway.keys import HouseKeys

_NONCE_BYTES: Final = 12  # of AES-GCM


class CannotOpen(Exception):
    """A sealed key does not open with this house's master key; one line, without a secret."""


def new_sealing(keys: HouseKeys) -> Sealing:
    """A key pair for one auction, made now."""
    private_key = X25519PrivateKey.generate()
    public = private_key.public_key().public_bytes_raw()
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = nonce + _cipher(keys).encrypt(nonce, private_key.private_bytes_raw(), public)
    return Sealing(_base64(public), _base64(sealed))


def opening_key(keys: HouseKeys, terms: Terms) -> str:
    """The private key of the auction that is sold by *terms*, in base64.

    Raises ``CannotOpen``.
    """
    if terms.sealing is None:
        raise CannotOpen("these terms have no sealed bids")
    try:
        public = base64.b64decode(terms.sealing.public_key, validate=True)
        sealed = base64.b64decode(terms.sealing.sealed_private_key, validate=True)
        nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        private = _cipher(keys).decrypt(nonce, text, public)
    except (InvalidTag, ValueError) as failure:
        raise CannotOpen("a sealed key cannot be opened with this master key") from failure
    return _base64(private)


def _cipher(keys: HouseKeys) -> AESGCM:
    # A key of its own for this one purpose: the vault's never meets these texts.
    return AESGCM(hmac.digest(keys.vault_key, b"fairwarning-sealed-bids/v1", "sha256"))


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
