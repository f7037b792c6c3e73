"""A shard's state ⇄ bytes, and the hash that two replays compare.

A snapshot and the events after it make the same state as the whole log.  The bytes are
deterministic: every mapping is written in the order in which the log filled it.
"""

from __future__ import annotations

from hashlib import sha256

import msgspec

from engine.core.sale import Shard

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Shard)


def take(shard: Shard) -> bytes:
    """The state as bytes."""
    return _encoder.encode(shard)


def restore(snapshot: bytes) -> Shard:
    """The state that ``take`` was given.  Raises ``msgspec.DecodeError`` on damage."""
    return _decoder.decode(snapshot)


def state_hash(shard: Shard) -> str:
    """SHA-256 of the state, in hex."""
    return sha256(take(shard)).hexdigest()
