"""The names that bids and bidders have in public, derived from those they have inside.

Whoever decided, answered or archived a bid can tell its id without asking the others.  Both
names are keyed with the house's secret: an auction has few bidders, a device may count its
bids, and whoever knows a consumer id could otherwise find its owner among them.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

ORGANIZATION = "org_house"  # one installation is one organization
# No vowels, so that no word appears by accident; no 0, 1 or l, which are read for each other.
ALPHABET = "bcdfghjkmnpqrstvwxyz23456789"


def bid_id(auction_id: str, consumer_id: str, cmd_id: str, salt: bytes) -> str:
    """A bid's id: the same wherever it is asked for, retries included.

    *salt* is the house's secret; without it no id tells whose bid it is.  Only the last part,
    which the bidder's device chose, may hold a ``|``: no two bids are joined to the same text.
    """
    return "bid_" + _keyed(salt, f"bid|{auction_id}|{consumer_id}|{cmd_id}")[:24]


def anonymous_bidder(auction_id: str, consumer_id: str, salt: bytes) -> str:
    """Whom the public sees instead of a consumer: stable within an auction, and unrelated
    in the next.  *salt* is the house's secret; without it no name leads back to anybody.
    """
    # The house bids as anybody in the room does who shows no paddle, and is not told apart.
    whose = "floor_room" if consumer_id == "floor_house" else consumer_id
    return "bidder_" + _keyed(salt, f"bidder|{auction_id}|{whose}")[:8]


def is_floor(consumer_id: str) -> bool:
    """Is it somebody in the room or on a phone, of whom the house knows at most a paddle?

    They have no account: no mail reaches them and no payment token is made for them; they pay
    at the cashier's, and the house sees to it itself.
    """
    return consumer_id.startswith("floor_")


def _keyed(salt: bytes, text: str) -> str:
    # The word before the first | says what is named: no bid's text is ever a bidder's.
    return hmac.new(salt, text.encode(), sha256).hexdigest()
