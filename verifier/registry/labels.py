"""What is printed on an object's label: its link, signed by the house.

The signature is an extension parameter, which GS1 software ignores.  It says who issued the
link and not which thing carries it: a label can be copied.  The same key signs the same link
the same way, so that a label printed anew is the label from before.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Row

from gateway.books.store import reading
from verifier.core import signing
from verifier.registry import keys
from verifier.store import Store

_KEY_PREFIX: Final = 8  # characters of the key's id: a link must fit a small code


def signed_link(store: Store, row: Row[Any]) -> str:
    """The object's link with ``kid`` and ``sig``."""
    with reading(store.engine) as connection:
        key = keys.current(connection, store.vault, "link")
    signature = signing.sign_link(key.ed25519, row.link)
    return f"{row.link}?kid={key.kid[:_KEY_PREFIX]}&sig={signature}"


def is_signed(connection: Connection, row: Row[Any], signature: str) -> bool:
    """Did the house sign the object's link so?

    Every link key it ever had counts: a label cannot be printed anew when a key is replaced.
    """
    ours = (key for key in keys.known(connection).values() if key.purpose == "link")
    return any(signing.verify_link(key.ed25519, row.link, signature) for key in ours)
