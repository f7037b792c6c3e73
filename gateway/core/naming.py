"""The names that bids and bidders have in public, derived from those they have inside.

Whoever decided, answered or archived a bid can tell its id without asking the others.  A
bidder's public name is keyed: an auction has few bidders, and whoever knows a consumer id
could otherwise find its owner among them.
"""

from __future__ import annotations

import hmac
from hashlib import sha256


def bid_id(auction_id: str, consumer_id: str, cmd_id: str) -> str:
    """A bid's id: the same wherever it is asked for, retries included.

    Only the last part, which the bidder's device chose, may hold a ``|``: no two bids are
    joined to the same text.
    """
    joined = f"{auction_id}|{consumer_id}|{cmd_id}"
    return "bid_" + sha256(joined.encode()).hexdigest()[:24]


def anonymous_bidder(auction_id: str, consumer_id: str, salt: bytes) -> str:
    """Whom the public sees instead of a consumer: stable within an auction, and unrelated
    in the next.  *salt* is the house's secret; without it no name leads back to anybody.
    """
    joined = f"{auction_id}|{consumer_id}"
    return "bidder_" + hmac.new(salt, joined.encode(), sha256).hexdigest()[:8]
