"""Signed notes and checkpoints: how the log says what it is, in the forms of C2SP.

A *note* is text with signature lines under it (signed-note v1.0.0), a *checkpoint* a note
whose text is a log's origin, size and root (tlog-checkpoint v1.0.0).  Keys are told apart by
their name and a four-byte id, and handed round as *vkeys*.  What each kind of key signs:

- ``ED25519`` (type 0x01), the log's own signature: the note's text, as it is.
- ``ED25519_COSIGNATURE`` (type 0x04; tlog-cosignature v1.0.1), a witness's, only checked
  here: ``cosignature/v1`` and ``time <seconds>``, each with a newline, and then the text.
- ``MLDSA44_COSIGNATURE`` (type 0x06; tlog-cosignature v1.1.0-rc.1), the log's second one, for
  the day Ed25519 falls: FIPS 204 ML-DSA-44, pure, with an empty context, over the struct
  ``"subtree/v1\\n\\0" ‖ u8 length ‖ cosigner's name ‖ u64 time ‖ u8 length ‖ origin ‖
  u64 start = 0 ‖ u64 end = size ‖ root``, numbers big-endian.  The name is the vkey's.

A cosignature is written as its u64 time in POSIX seconds and then the signature's bytes.

The rules are the strict ones: a bad signature by a known key spoils the whole note, a
signature by an unknown key is ignored, and nothing has two spellings.  Extension lines are
refused altogether: this log writes none, and ML-DSA-44 would not cover them.

Leaves to others: which keys are known, when it is, and whether the root is right.
"""

from __future__ import annotations

import base64
import hashlib
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from verifier.core.merkle import HASH_SIZE
from verifier.core.signing import BadKey, read_public, verifies

try:
    from cryptography.hazmat.primitives.asymmetric.mldsa import (
        MLDSA44PrivateKey,
        MLDSA44PublicKey,
    )

    MLDSA44PrivateKey.from_seed_bytes(bytes(32))  # the OpenSSL below may know nothing of it
except (ImportError, UnsupportedAlgorithm):
    HAS_MLDSA = False
else:
    HAS_MLDSA = True

ED25519: Final = 0x01
ED25519_COSIGNATURE: Final = 0x04
MLDSA44_COSIGNATURE: Final = 0x06
_KEY_SIZES: Final = {ED25519: 32, ED25519_COSIGNATURE: 32, MLDSA44_COSIGNATURE: 1312}

MAX_SIGNATURES: Final = 64  # signed-note asks for 16 at least; witnesses are a dozen
MAX_SIZE: Final = 2**63 - 1
MAX_SECONDS: Final = 2**63 - 1

_SIGNATURE: Final = "— "
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_LABEL: Final = b"subtree/v1\n\x00"


class BadNote(Exception):
    """A note, checkpoint or vkey that is malformed, or a note that its keys did not sign."""


# ── Keys ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Vkey:
    """A public key of notes: whose it is, of what kind, and its raw bytes."""

    name: str
    kind: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        """Four bytes that tell keys of one name apart; they prove nothing."""
        named = f"{self.name}\n".encode() + bytes([self.kind]) + self.public
        return hashlib.sha256(named).digest()[:4]

    def write(self) -> str:
        """``<name>+<key id in hex>+<base64 of kind and key>``."""
        return f"{self.name}+{self.key_id.hex()}+{_base64(bytes([self.kind]) + self.public)}"


def read_vkey(text: str) -> Vkey:
    """The key of a vkey.  Raises ``BadNote`` for anything that ``write`` does not write.

    A key of another kind is refused too, and a weak Ed25519 key (``signing.read_public``).
    """
    name, _, rest = text.partition("+")
    key_id, _, data = rest.partition("+")
    raw = _read_base64(data)
    if not raw or len(raw) - 1 != _KEY_SIZES.get(raw[0]):
        raise BadNote("the vkey is of no kind that is known here")
    vkey = Vkey(_name(name), raw[0], raw[1:])
    if vkey.key_id.hex() != key_id:
        raise BadNote("the vkey's id is not its key's")
    if vkey.kind != MLDSA44_COSIGNATURE:
        try:
            read_public(vkey.public)
        except BadKey as refused:
            raise BadNote(f"the vkey's key is no good: {refused}") from refused
    return vkey


# ── Checkpoints ──────────────────────────────────────────────────────────────────────────


class Checkpoint(NamedTuple):
    """What a log claims to be."""

    origin: str
    size: int
    root: bytes


def checkpoint(origin: str, size: int, root: bytes) -> str:
    """The text of a checkpoint.  Raises ``BadNote`` where ``read_checkpoint`` would."""
    text = f"{origin}\n{size}\n{_base64(root)}\n"
    read_checkpoint(text)
    return text


def read_checkpoint(text: str) -> Checkpoint:
    """The claim of a note's text.

    Raises ``BadNote`` unless it is three lines: an origin that could be a key's name, a size
    below 2^63 without leading zeros, and the canonical base64 of 32 bytes.
    """
    lines = text.split("\n")
    if len(lines) != 4 or lines[3]:
        raise BadNote("a checkpoint is three lines, each with its newline")
    origin, size, root = lines[:3]
    if not _NUMBER.fullmatch(size) or int(size) > MAX_SIZE:
        raise BadNote("the checkpoint's size is no number of leaves")
    found = Checkpoint(_name(origin), int(size), _read_base64(root))
    if len(found.root) != HASH_SIZE:
        raise BadNote("the checkpoint's root is no hash")
    return found


# ── Notes ────────────────────────────────────────────────────────────────────────────────


class Signature(NamedTuple):
    """One signature line, not checked."""

    name: str
    key_id: bytes
    body: bytes  # of a cosignature: the u64 time, then the signature's bytes


class Note(NamedTuple):
    """A note taken apart, not checked."""

    text: str
    signatures: list[Signature]


class NoteSigner(Protocol):
    """Who signs notes."""

    @property
    def vkey(self) -> Vkey: ...

    def sign(self, text: str) -> bytes:
        """The signature line's bytes after the key id."""


def sign_note(text: str, signers: Sequence[NoteSigner]) -> str:
    """The note with one line of each signer, in this order.

    Raises ``BadNote`` for a text that no note may have.
    """
    _utf8(text)
    lines = [
        f"{_SIGNATURE}{signer.vkey.name} {_base64(signer.vkey.key_id + signer.sign(text))}\n"
        for signer in signers
    ]
    note = text + "\n" + "".join(lines)
    if read_note(note).text != text:
        raise BadNote("the text cannot be told from its signatures")
    return note


def read_note(note: str) -> Note:
    """Take a note apart.  Raises ``BadNote`` where it is malformed; checks no signature."""
    if _CONTROL.search(note):
        raise BadNote("a note has no control characters")
    _utf8(note)
    # Empty lines may be in the text: the last one ends it.
    text, blank, rest = note.rpartition("\n\n")
    lines = rest.split("\n")
    if not blank or lines.pop() or not lines:
        raise BadNote("a note is text, an empty line, and lines of signatures")
    if len(lines) > MAX_SIGNATURES:
        raise BadNote(f"a note has at most {MAX_SIGNATURES} signatures")
    return Note(text + "\n", [_signature(line) for line in lines])


def verify_note(note: str, vkeys: Sequence[Vkey]) -> list[Vkey]:
    """The known keys that signed the note, in the order of its lines.

    Raises ``BadNote`` where it is malformed, where a signature by a known key is bad, and
    where no known key signed.  Without ML-DSA at hand (``HAS_MLDSA``) its keys are unknown:
    look at what is returned, not only whether something is.
    """
    known: dict[tuple[str, bytes], Vkey] = {}
    for vkey in vkeys:
        if known.setdefault((vkey.name, vkey.key_id), vkey) != vkey:
            raise BadNote(f"two known keys share the id {vkey.key_id.hex()}")
    text, signatures = read_note(note)
    found: list[Vkey] = []
    for name, key_id, body in signatures:
        signer = known.get((name, key_id))
        if signer is None or (signer.kind == MLDSA44_COSIGNATURE and not HAS_MLDSA):
            continue
        if not _fits(signer, body, text):
            raise BadNote(f"a signature of the known key {name}+{key_id.hex()} is bad")
        if signer not in found:
            found.append(signer)
    if not found:
        raise BadNote("no known key signed the note")
    return found


def _signature(line: str) -> Signature:
    name, space, data = line.removeprefix(_SIGNATURE).partition(" ")
    raw = _read_base64(data)
    if not line.startswith(_SIGNATURE) or not space or len(raw) < 5:
        raise BadNote("a signature line is — name base64")
    return Signature(_name(name), raw[:4], raw[4:])


def _fits(vkey: Vkey, body: bytes, text: str) -> bool:
    if vkey.kind == ED25519:
        return verifies(Ed25519PublicKey.from_public_bytes(vkey.public), body, text.encode())
    if len(body) < 8:
        return False
    (seconds,) = struct.unpack(">Q", body[:8])
    if seconds > MAX_SECONDS:
        return False
    if vkey.kind == ED25519_COSIGNATURE:
        message = f"cosignature/v1\ntime {seconds}\n{text}".encode()
        return verifies(Ed25519PublicKey.from_public_bytes(vkey.public), body[8:], message)
    try:
        public = MLDSA44PublicKey.from_public_bytes(vkey.public)
        public.verify(body[8:], _cosigned(vkey.name, seconds, text))
    except InvalidSignature:
        return False
    return True


# ── Signers ──────────────────────────────────────────────────────────────────────────────


class Ed25519Signer:
    """The log's own signature, type 0x01."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        self.vkey: Final = Vkey(_name(name), ED25519, key.public_key().public_bytes_raw())
        self._key = key

    def sign(self, text: str) -> bytes:
        return self._key.sign(text.encode())


class MlDsa44Signer:
    """The log's cosignature of its checkpoints, type 0x06, saying that *now_ms* it is.

    The time is the claim that no larger tree was known then.  Only checkpoints can be
    signed: ``sign`` raises ``BadNote`` for another text.  Needs ``HAS_MLDSA``.
    """

    def __init__(self, name: str, key: MLDSA44PrivateKey, now_ms: int) -> None:
        public = key.public_key().public_bytes_raw()
        self.vkey: Final = Vkey(_name(name), MLDSA44_COSIGNATURE, public)
        self._key = key
        self._seconds = now_ms // 1000

    def sign(self, text: str) -> bytes:
        signature = self._key.sign(_cosigned(self.vkey.name, self._seconds, text))
        return struct.pack(">Q", self._seconds) + signature


def _cosigned(name: str, seconds: int, text: str) -> bytes:
    """tlog-cosignature's ``cosigned_message`` of a checkpoint."""
    origin, size, root = read_checkpoint(text)
    return b"".join(
        (
            _LABEL,
            _short(name),
            struct.pack(">Q", seconds),
            _short(origin),
            struct.pack(">QQ", 0, size),
            root,
        )
    )


def _short(text: str) -> bytes:
    raw = text.encode()
    if not 1 <= len(raw) <= 255:
        raise BadNote("a cosigned name has 1 to 255 bytes")
    return bytes([len(raw)]) + raw


# ── Texts ────────────────────────────────────────────────────────────────────────────────


def _name(text: str) -> str:
    """A key's name, as it is: something, with neither spaces nor a plus."""
    if not text or "+" in text or any(c.isspace() for c in text) or _CONTROL.search(text):
        raise BadNote("a name is not empty and has neither spaces nor +")
    _utf8(text)
    return text


def _utf8(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as refused:
        raise BadNote("half of a surrogate pair is no text") from refused


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _read_base64(text: str) -> bytes:
    """Standard base64 in its one spelling (RFC 4648, 4): spare bits are zero."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as refused:
        raise BadNote("this is not base64") from refused
    if _base64(data) != text:
        raise BadNote("this base64 has another spelling")
    return data
