"""A link to the result of a tap: what the tag has proved, for ten minutes.

A tag's message counts once, so the page that shows what it proved must not be asked for with
it: whoever loads that page anew would see a replay.  The house signs the result instead, and
the page is asked for with that.  The link can be passed on while it lives, as the page can be
shown around; what it shows is what one tap of this one object proved.

Pure: the key and the time are handed in.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from typing import Any, Final

LIVES_MS: Final = 600_000  # long enough to read the page and to load it anew
_PREFIX: Final = b"auction-tap/v1\n"  # keeps a result's MAC from being anything else's
_LONGEST: Final = 512  # characters that are looked at


def write(key: bytes, serial: str, status: str, counter: int | None, now_ms: int) -> str:
    """The result of a tap of *serial*, as a text for a link."""
    said = {"serial": serial, "status": status, "counter": counter, "until": now_ms + LIVES_MS}
    body = json.dumps(said, separators=(",", ":")).encode()
    return f"{_base64url(body)}.{_base64url(_mac(key, body))}"


def read(key: bytes, serial: str, text: str, now_ms: int) -> tuple[str, int | None] | None:
    """Status and counter of the result; None where it is not ours, of another object, or over."""
    if len(text) > _LONGEST or not text.isascii():
        return None
    body_text, _, mac_text = text.partition(".")
    try:
        body, mac = _read_base64url(body_text), _read_base64url(mac_text)
    except binascii.Error:
        return None
    if not hmac.compare_digest(mac, _mac(key, body)):
        return None
    said: dict[str, Any] = json.loads(body)  # ours, so it is what was written
    if said["serial"] != serial or now_ms >= said["until"]:
        return None
    return said["status"], said["counter"]


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, _PREFIX + body, "sha256")


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _read_base64url(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
