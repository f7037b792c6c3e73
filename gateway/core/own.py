"""One bidder's own part of the sales: where they stand on each lot, and what binds them.

Pure.  Where a lot is listed is read from what the live protocol tells the bidder themselves, so
that the page as it is written and as ``static/own.js`` keeps it agree.  Leaves to others: words,
and whether something was paid.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

from engine.core.messages import State
from gateway.core.view import SEALED, Saleroom, SaleView

Group = Literal["leading", "outbid", "sealed", "won", "lost", "watching"]
GROUPS: Final[tuple[Group, ...]] = get_args(Group)  # as they follow each other on the page

_SOLD: Final = ("sold", "sold_subject")
_STILL_BOUND: Final = (State.OPEN, State.PAUSED)


def group(auction: Mapping[str, Any], you: Mapping[str, Any]) -> Group | None:
    """Where a bidder's page lists a lot, from a snapshot of theirs; None: they have no bid."""
    standing, status = you["status"], auction["status"]
    if standing == "NOT_BID":
        return None
    if status == "settled":
        return "won" if standing == "WON" else "lost"
    if status == "canceled":
        return "lost"
    if auction["format"] in SEALED:  # nobody is told before all is settled
        return "sealed"
    leads = standing == "WINNING"
    if status in ("closed", "settling"):
        return "won" if leads and auction["outcome"] in _SOLD else "lost"
    return "leading" if leads else "outbid"


def committed(saleroom: Saleroom, sale: SaleView, consumer_id: str) -> int:
    """What a bidder has won in a sale, with the limits that they lead with: of their limit in
    the sale so much is taken."""
    lots = (saleroom.lots[auction_id] for auction_id in sale.auction_ids)
    leads = (
        lot.bidders[consumer_id].limit
        for lot in lots
        if consumer_id in lot.holders and lot.now.state in _STILL_BOUND
    )
    return saleroom.won(sale, consumer_id) + sum(leads)
