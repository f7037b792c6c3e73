"""NFC tags: reading what an NTAG 424 DNA writes into its link at every tap (NXP AN12196).

At each tap the chip counts, encrypts its UID and the counter, and signs.  ``read_message``
gives back UID and counter of a message that only a holder of the tag's keys can have made,
and the state of its tamper loop where the tag mirrors it.  Every changed bit is refused.

Which parameters a tag writes was set when it was made, and the signature depends on it: the
registered ``url_template`` says so (``read_template``).  Its values are placeholders.

    ?e=…&c=…         UID and counter, encrypted; signature
    ?e=…&m=…&c=…     + file data, encrypted, that begin with the two letters of the tamper loop
    ?uid=…&ctr=…&c=…  UID and counter in the clear; signature

Proves a chip, not the object it is glued to; and a message that was recorded and never shown
looks fresh once.  Leaves to others: that the UID is that of the tag bound to the object, and
that its counter only rises.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from verifier.core.lrp import BLOCK, Lrp

Tamper = Literal["closed", "open", "invalid"]

KEY_BYTES: Final = 16
UID_BYTES: Final = 7
MOST_TEMPLATE: Final = 256  # bytes: the chip's whole NDEF file

_FILE_LENGTHS: Final = range(BLOCK, MOST_TEMPLATE + 1, BLOCK)  # whole blocks of that file
_PICC: Final = 0xC7  # UID and counter are both mirrored, the UID has 7 bytes
_SV1: Final = bytes.fromhex("C33C00010080")  # the session key that decrypts file data
_SV2: Final = bytes.fromhex("3CC300010080")  # the session key that signs
_LRP_SV: Final = (bytes.fromhex("00010080"), bytes.fromhex("1EE1"))
_LRP_RANDOM: Final = 8  # bytes before the encrypted block: a tag in LRP mode shows by them
_HEX: Final = re.compile("(?:[0-9A-Fa-f]{2})+")


class BadTemplate(ValueError):
    """A template that no tag could be read by; says what was expected."""


class BadTag(ValueError):
    """A message that is not the tag's; says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class UrlTemplate:
    """Which of its link's parameters a tag writes, by name."""

    mac: str
    picc: str | None = None  # encrypted UID and counter; None: in the clear, as below
    uid: str = "uid"
    counter: str = "ctr"
    file: str | None = None
    signed_between: str = ""  # what stands between file data and signature, and is signed


class TagMessage(NamedTuple):
    """What a tap said."""

    uid: str  # 14 capital hexadecimal digits
    counter: int  # of taps, from 1
    tamper: Tamper | None  # None: the tag mirrors no such state


# ── What is registered ───────────────────────────────────────────────────────────────────


def read_template(url_template: str) -> UrlTemplate:
    """How a tag whose link looks like *url_template* is read; raises ``BadTemplate``."""
    if len(url_template) > MOST_TEMPLATE or "#" in url_template:
        raise BadTemplate(f"a URL of at most {MOST_TEMPLATE} characters and no # was expected")
    address, _, query = url_template.partition("?")
    if not re.match(r"(?i)https?://[^/]", address):
        raise BadTemplate("https:// was expected")
    parameters = query.split("&")
    names = [parameter.partition("=")[0] for parameter in parameters]
    mirrors = tuple(name for name in names if name in ("e", "m", "c", "uid", "ctr"))
    if mirrors == ("uid", "ctr", "c"):
        return UrlTemplate(mac="c")
    if mirrors == ("e", "c"):
        return UrlTemplate(mac="c", picc="e")
    if mirrors != ("e", "m", "c"):
        raise BadTemplate("?e=…&c=…, ?e=…&m=…&c=… or ?uid=…&ctr=…&c=… was expected")
    between = parameters[names.index("m") + 1 : names.index("c")]
    signed = "&" + "&".join([*between, "c="])
    return UrlTemplate(mac="c", picc="e", file="m", signed_between=signed)


def read_uid(text: str) -> str:
    """A tag's UID as ``TagMessage`` has it; colons and spaces may be between its bytes.

    Raises ``ValueError`` for what is not 7 bytes in hexadecimal.
    """
    uid = re.sub("[: -]", "", text).upper()
    if len(uid) != 2 * UID_BYTES or not _HEX.fullmatch(uid):
        raise ValueError(f"a UID is {UID_BYTES} bytes in hexadecimal")
    return uid


def read_key(text: str) -> bytes:
    """An AES-128 key from 32 hexadecimal digits; raises ``ValueError``, without repeating it."""
    if len(text) != 2 * KEY_BYTES or not _HEX.fullmatch(text):
        raise ValueError(f"a key is {KEY_BYTES} bytes in hexadecimal")
    return bytes.fromhex(text)


def is_factory(key: bytes) -> bool:
    """Is this the key that every chip leaves the factory with?  It proves nothing."""
    return not any(key)


def diversified(master_key: bytes, diversification: bytes) -> bytes:
    """A tag's own key by AN10922, AES-128.

    *diversification* is 16 to 31 bytes: the UID, the application, the house's name.  Raises
    ``ValueError`` for another length (shorter ones are padded in a way of their own).
    """
    if not 16 <= len(diversification) <= 31:
        raise ValueError("a diversification input of 16 to 31 bytes was expected")
    return cmac(master_key, b"\x01" + diversification)


# ── What is tapped ───────────────────────────────────────────────────────────────────────


def read_message(
    parameters: Mapping[str, str], template: UrlTemplate, meta_key: bytes | None, file_key: bytes
) -> TagMessage:
    """What the tag says with the query *parameters* of its link.

    *meta_key* decrypts UID and counter (None where they are in the clear), *file_key* signs.
    Raises ``BadTag`` where a parameter is missing or the message is not this tag's.
    """
    mac = _bytes_of(parameters, template.mac, 8)
    file_data = signed = b""
    if template.file is not None:
        file_data = _bytes_of(parameters, template.file, *_FILE_LENGTHS)
        signed = (file_data.hex().upper() + template.signed_between).encode()
    session: type[_Session | _LrpSession] = _Session
    if template.picc is None:
        uid = _bytes_of(parameters, template.uid, UID_BYTES)
        counter = _bytes_of(parameters, template.counter, 3)[::-1]  # signed little-endian
    else:
        if meta_key is None:
            raise BadTag("the tag has no key for encrypted UIDs")
        picc = _bytes_of(parameters, template.picc, BLOCK, _LRP_RANDOM + BLOCK)
        session = _Session if len(picc) == BLOCK else _LrpSession
        uid, counter = _opened(picc, meta_key)
    tap = session(file_key, uid + counter)
    if not hmac.compare_digest(tap.mac(signed)[1::2], mac):
        raise BadTag("the signature is not this tag's")
    # From here on the message is the tag's.
    tamper = _tamper(tap.decrypt(counter, file_data)) if file_data else None
    return TagMessage(uid.hex().upper(), int.from_bytes(counter, "little"), tamper)


def cmac(key: bytes, message: bytes) -> bytes:
    """AES-CMAC (RFC 4493): 16 bytes."""
    made = CMAC(algorithms.AES(key))
    made.update(message)
    return made.finalize()


def _bytes_of(parameters: Mapping[str, str], name: str, *lengths: int) -> bytes:
    text = parameters.get(name, "")
    if len(text) // 2 not in lengths or not _HEX.fullmatch(text):
        expected = " or ".join(str(length) for length in lengths)
        raise BadTag(f"{name} is {expected} bytes in hexadecimal")
    return bytes.fromhex(text)


def _opened(picc: bytes, meta_key: bytes) -> tuple[bytes, bytes]:
    """UID and counter (little-endian) of the encrypted PICC data."""
    if len(picc) == BLOCK:
        plain = Cipher(algorithms.AES(meta_key), modes.CBC(bytes(BLOCK))).decryptor().update(picc)
    else:
        plain = Lrp(meta_key, 0).decrypt(picc[:_LRP_RANDOM], picc[_LRP_RANDOM:])
    if plain[0] != _PICC:
        raise BadTag("UID and counter do not decrypt under this tag's key")
    return plain[1 : 1 + UID_BYTES], plain[1 + UID_BYTES : 4 + UID_BYTES]


class _Session:
    """The keys of one tap, AES mode."""

    def __init__(self, file_key: bytes, tap: bytes) -> None:
        self._file_key = file_key
        self._tap = tap  # UID and counter

    def mac(self, signed: bytes) -> bytes:
        return cmac(cmac(self._file_key, _SV2 + self._tap), signed)

    def decrypt(self, counter: bytes, data: bytes) -> bytes:
        key = algorithms.AES(cmac(self._file_key, _SV1 + self._tap))
        start = Cipher(key, modes.ECB()).encryptor().update(counter.ljust(BLOCK, b"\0"))
        return Cipher(key, modes.CBC(start)).decryptor().update(data)


class _LrpSession:
    """The keys of one tap, LRP mode."""

    def __init__(self, file_key: bytes, tap: bytes) -> None:
        before, after = _LRP_SV
        self._key = Lrp(file_key, 0).cmac(before + tap + after)

    def mac(self, signed: bytes) -> bytes:
        return Lrp(self._key, 0).cmac(signed)

    def decrypt(self, counter: bytes, data: bytes) -> bytes:
        return Lrp(self._key, 1).decrypt(counter + bytes(3), data)


def _tamper(file_data: bytes) -> Tamper | None:
    """The worse of what the loop ever was and what it is now; None: the tag has no loop."""
    states = file_data[:2]
    if not set(states) <= set(b"COI"):
        return None
    if b"O" in states:
        return "open"
    return "invalid" if b"I" in states else "closed"
