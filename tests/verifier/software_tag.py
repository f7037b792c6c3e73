"""A tag made of software: writes the links that an NTAG 424 DNA in AES mode would write.

Made from NXP's AN12196 alone; it shares no code with what it is used to test.
"""

from __future__ import annotations

from typing import Literal

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

Layout = Literal["?e=&c=", "?e=&m=&c=", "?uid=&ctr=&c="]


class SoftwareTag:
    """One chip; each tap counts.

    ``layout`` says what it mirrors, ``url_template`` is what is registered of it, ``loop`` are
    the two letters of its tamper loop (ever, now), which ``?e=&m=&c=`` mirrors.
    """

    def __init__(
        self,
        base_url: str = "https://v.example.org/01/09521234543213/21/AUC260218FKC5SKSEZ",
        *,
        layout: Layout = "?e=&c=",
        uid: str = "04DE5F1EACC040",
        meta_key: bytes = b"meta-key-16bytes",
        file_key: bytes = b"file-key-16bytes",
        counter: int = 0,
        loop: str = "CC",
    ) -> None:
        self.base_url = base_url
        self.layout = layout
        self.uid = uid
        self.meta_key = meta_key
        self.file_key = file_key
        self.counter = counter
        self.loop = loop

    @property
    def url_template(self) -> str:
        """The link with zeros for what the chip fills in."""
        blank = {"e": 32, "m": 32, "c": 16, "uid": 14, "ctr": 6}
        names = [part.strip("?=") for part in self.layout.split("&")]
        return self.base_url + "?" + "&".join(f"{name}={'0' * blank[name]}" for name in names)

    def tap(self) -> str:
        """The whole link of the next tap."""
        return self.base_url + "?" + "&".join(f"{k}={v}" for k, v in self.parameters().items())

    def parameters(self) -> dict[str, str]:
        """The query of the next tap, in the order in which the chip writes it."""
        self.counter += 1
        identity = bytes.fromhex(self.uid) + self.counter.to_bytes(3, "little")
        signing = _cmac(self.file_key, bytes.fromhex("3CC300010080") + identity)
        if self.layout == "?uid=&ctr=&c=":
            clear = {"uid": self.uid, "ctr": f"{self.counter:06X}"}
            return clear | {"c": _short(_cmac(signing, b""))}
        picc = b"\xc7" + identity + bytes([self.counter % 256] * 5)  # the chip's are random
        query = {"e": _cbc(self.meta_key, bytes(16), picc)}
        if self.layout == "?e=&c=":
            return query | {"c": _short(_cmac(signing, b""))}
        secret = _cmac(self.file_key, bytes.fromhex("C33C00010080") + identity)
        ecb = Cipher(algorithms.AES(secret), modes.ECB()).encryptor()
        start = ecb.update(self.counter.to_bytes(3, "little") + bytes(13))
        query["m"] = _cbc(secret, start, self.loop.encode().ljust(16, b"x"))
        return query | {"c": _short(_cmac(signing, query["m"].encode() + b"&c="))}


def _cmac(key: bytes, message: bytes) -> bytes:
    made = CMAC(algorithms.AES(key))
    made.update(message)
    return made.finalize()


def _cbc(key: bytes, start: bytes, plain: bytes) -> str:
    cipher = Cipher(algorithms.AES(key), modes.CBC(start)).encryptor()
    return cipher.update(plain).hex().upper()


def _short(mac: bytes) -> str:
    return mac[1::2].hex().upper()
