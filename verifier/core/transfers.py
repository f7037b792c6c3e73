"""Transfers: the life of one, and the code that its recipient confirms it with.

A code has six digits, which any computer searches in a second.  What protects it is counting:
five attempts a code and three codes a transfer leave a guesser 15 of 1 000 000.  It is kept as
an HMAC under a pepper that is not in the database, so that a copied database tells no code;
and the HMAC covers the parties and the terms, so that a code given for one price confirms no
other.

Pure: the caller draws the number, and counts an attempt *before* it compares, in the same
statement that checks the state, so that guesses sent all at once do not exceed five.
"""

from __future__ import annotations

import hmac
import re
from typing import Final, Literal

from verifier.core.canonical import canonical, digest

State = Literal["awaiting_payment", "pending", "confirmed", "expired", "locked", "cancelled"]
Step = Literal["pay", "reissue", "confirm", "expire", "lock", "cancel"]

# The life of a transfer, whole.  A step that is missing from its row cannot happen there.
TRANSITIONS: Final[dict[State, dict[Step, State]]] = {
    "awaiting_payment": {  # opened by a settled sale; has no code
        "pay": "pending",
        "cancel": "cancelled",
    },
    "pending": {  # its recipient may confirm, once a code was given out
        "confirm": "confirmed",
        "reissue": "pending",  # the code before is void
        "expire": "expired",
        "lock": "locked",
        "cancel": "cancelled",
    },
    "expired": {  # its code was not used in time
        "reissue": "pending",
        "cancel": "cancelled",
    },
    "locked": {  # its code was guessed at too often
        "reissue": "pending",
        "cancel": "cancelled",
    },
    "confirmed": {},
    "cancelled": {},
}
# Of these an object has at most one.  An expired or locked one stands in nobody's way; it is
# opened again by a reissue, which must then find no other open.
OPEN: Final[tuple[State, ...]] = ("awaiting_payment", "pending")

CODE_DIGITS: Final = 6
MOST_ATTEMPTS: Final = 5  # wrong ones a code; the fifth locks
MOST_CODES: Final = 3  # a transfer: then the house makes a new one
CODE_LIFE_MS: Final = 72 * 3_600_000  # an object is handed over in days, not minutes

_CODE: Final = re.compile(r"[ -]*".join(["([0-9])"] * CODE_DIGITS))
_MOST_TYPED: Final = 32  # characters that are looked at


def after(state: State, step: Step) -> State | None:
    """The state after *step*; None where it cannot happen in *state*."""
    return TRANSITIONS[state].get(step)


def code(number: int) -> str:
    """The code for a number drawn evenly from 0 to 999 999; raises ``ValueError`` for others."""
    if not 0 <= number < 10**CODE_DIGITS:
        raise ValueError(f"a code is drawn from 0 to {10**CODE_DIGITS - 1}: {number}")
    return f"{number:0{CODE_DIGITS}}"


def read_code(text: str) -> str | None:
    """The code that was typed: six ASCII digits, with blanks and hyphens between; or None."""
    read = _CODE.fullmatch(text.strip(" ")) if len(text) <= _MOST_TYPED else None
    return "".join(read.groups()) if read else None


def terms_hash(
    object_id: str, from_owner_id: str, to_owner_id: str, price: int | None, currency: str | None
) -> str:
    """Hex SHA-256 of what is agreed: the object, its parties, and the price in minor units."""
    return digest(["terms/v1", object_id, from_owner_id, to_owner_id, price, currency])


def code_mac(
    pepper: bytes, transfer_id: str, recipient_id: str, terms_hash: str, code: str
) -> bytes:
    """What is kept of a code: 32 bytes."""
    parts = canonical([transfer_id, recipient_id, terms_hash, code])
    return hmac.digest(pepper, b"transfer/v1" + parts, "sha256")


def code_matches(
    pepper: bytes, transfer_id: str, recipient_id: str, terms_hash: str, code: str, mac: bytes
) -> bool:
    """Is this the code that *mac* was kept of?  Takes the same time however wrong it is."""
    made = code_mac(pepper, transfer_id, recipient_id, terms_hash, code)
    return hmac.compare_digest(made, mac)
