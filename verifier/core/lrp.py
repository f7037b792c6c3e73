"""NXP's Leakage Resilient Primitive (AN12304), as far as a tag's messages need it.

LRP is AES under ever new keys, so that a chip's current draw tells little of any of them.
That matters in the chip, not here; this side only has to reach the same results.  Some tags
are set to it for good, hence this module.  A message takes some 2 ms, in AES mode some 20 µs.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK: Final = 16
_FIVES: Final = b"\x55" * BLOCK
_AAS: Final = b"\xaa" * BLOCK
_ZEROS: Final = bytes(BLOCK)


class Lrp:
    """The primitive under one key; *number* says which of its updated keys is used."""

    def __init__(self, key: bytes, number: int) -> None:
        self._plaintexts = _plaintexts(key)
        self._updated_key = _updated_key(key, number)

    def decrypt(self, counter: bytes, data: bytes) -> bytes:
        """Whole blocks, decrypted from *counter* on (LRICB, AN12304 algorithm 5)."""
        width, first = len(counter), int.from_bytes(counter, "big")
        plain = b""
        for at in range(0, len(data), BLOCK):
            turn = (first + at // BLOCK) % 256**width
            key = self._evaluate(turn.to_bytes(width, "big"))
            plain += _decrypt(key, data[at : at + BLOCK])
        return plain

    def cmac(self, message: bytes) -> bytes:
        """CMAC with the primitive in AES's place (AN12304 algorithm 6): 16 bytes."""
        subkey = _doubled(self._evaluate(_ZEROS))
        whole = bool(message) and len(message) % BLOCK == 0
        if not whole:
            subkey = _doubled(subkey)
            message += b"\x80" + bytes(-(len(message) + 1) % BLOCK)
        state = _ZEROS
        for at in range(0, len(message) - BLOCK, BLOCK):
            state = self._evaluate(_xor(state, message[at : at + BLOCK]))
        return self._evaluate(_xor(_xor(state, message[-BLOCK:]), subkey))

    def _evaluate(self, nibbles: bytes) -> bytes:
        """Algorithm 3: one AES for each half byte, and one to finish."""
        value = self._updated_key
        for byte in nibbles:
            value = _encrypt(value, self._plaintexts[byte >> 4])
            value = _encrypt(value, self._plaintexts[byte & 15])
        return _encrypt(value, _ZEROS)


def _plaintexts(key: bytes) -> list[bytes]:
    """Algorithm 1: a plaintext for each value of a half byte."""
    found, turned = [], _encrypt(key, _FIVES)
    for _ in range(16):
        found.append(_encrypt(turned, _AAS))
        turned = _encrypt(turned, _FIVES)
    return found


def _updated_key(key: bytes, number: int) -> bytes:
    """Algorithm 2."""
    turned = _encrypt(key, _AAS)
    for _ in range(number):
        turned = _encrypt(turned, _FIVES)
    return _encrypt(turned, _AAS)


def _doubled(block: bytes) -> bytes:
    """Times x in GF(2^128), as CMAC's subkeys are made (RFC 4493, 2.3)."""
    value = int.from_bytes(block, "big") << 1
    if value >> 128:
        value ^= (1 << 128) | 0x87
    return value.to_bytes(BLOCK, "big")


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _encrypt(key: bytes, block: bytes) -> bytes:
    # One block in ECB is AES itself, which is what AN12304 builds on.
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)


def _decrypt(key: bytes, block: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.ECB()).decryptor().update(block)
