"""Messages ⇄ bytes, one way only, with a version.

An entry of ``cmd`` holds a batch of commands, an entry of ``evt`` one event.  Both are
``1`` followed by JSON arrays, so that a log can be read with any Redis client.  The bytes
as written are the canonical form: the hash chain is over them, and nobody re-encodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TypeVar

import msgspec

from engine.core.messages import Command, Event

VERSION = b"1"
GENESIS = "0" * 64  # the head of a log that holds nothing

T = TypeVar("T")

_encoder = msgspec.json.Encoder()
_commands = msgspec.json.Decoder(list[Command])
_event = msgspec.json.Decoder(Event)


class UnreadableRecord(Exception):
    """Bytes that this version of the code cannot read as what they should be."""


class UnknownVersion(UnreadableRecord):
    """A record of another version: not nonsense, but nothing that this code may judge."""


def encode_commands(commands: list[Command]) -> bytes:
    """One stream entry's payload."""
    return VERSION + _encoder.encode(commands)


def encode_command(command: Command) -> bytes:
    """One command's part of a payload, for ``join_commands``.

    Raises what the encoder does where there is something in it that cannot be written.
    """
    return _encoder.encode(command)


def join_commands(parts: Sequence[bytes]) -> bytes:
    """The payload that ``encode_commands`` would have made of these commands."""
    return VERSION + b"[" + b",".join(parts) + b"]"


def decode_commands(payload: bytes) -> list[Command]:
    """The commands of one stream entry, in their order."""
    return _read(_commands, payload)


def encode_event(event: Event) -> bytes:
    """One event's payload; also what its link of the hash chain is over."""
    return VERSION + _encoder.encode(event)


def decode_event(payload: bytes) -> Event:
    """The event of one stream entry."""
    event: Event = _read(_event, payload)
    return event


def chain(head: str, payload: bytes) -> str:
    """The next head: SHA-256 over the previous head and the event's bytes, in hex."""
    return sha256(head.encode() + payload).hexdigest()


def _read(decoder: msgspec.json.Decoder[T], payload: bytes) -> T:
    if payload[:1] != VERSION:
        kind = UnknownVersion if payload[:1].isdigit() else UnreadableRecord
        raise kind(f"record of version {payload[:1]!r}, this engine reads {VERSION!r}")
    try:
        return decoder.decode(memoryview(payload)[1:])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableRecord(f"{error} in {payload[:200]!r}") from error
