"""One bidder's own part of the sales: where they stand on each lot, and what binds them.

Pure: views in, groups out.  A sealed bid stays closed: of it nothing is known here before all
is settled.  Leaves to others: words, prices with premium, and whether something was paid.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, get_args

from engine.core.messages import State
from gateway.core.view import LotView, Saleroom, SaleView

Group = Literal["leading", "outbid", "sealed", "won", "lost", "watching"]
GROUPS: Final[tuple[Group, ...]] = get_args(Group)

_OVER: Final = (State.CLOSED, State.SETTLING, State.SETTLED, State.CANCELED, State.WITHDRAWN)


def group_of(lot: LotView, consumer_id: str) -> Group | None:
    """Where a bidder's page lists the lot; None: they have not bid on it."""
    bidder = lot.bidders.get(consumer_id)
    if bidder is None or not bidder.stands:
        return None
    if lot.now.state in _OVER:
        return "won" if _is_winner(lot, consumer_id) else "lost"
    if lot.is_sealed:
        return "sealed"
    return "leading" if consumer_id in lot.holders else "outbid"


def _is_winner(lot: LotView, consumer_id: str) -> bool:
    # A sealed auction says nothing before all is settled.
    if lot.is_sealed and lot.now.state is not State.SETTLED:
        return False
    return lot.now.state is not State.CANCELED and lot.win_of(consumer_id) is not None


def committed(saleroom: Saleroom, sale: SaleView, consumer_id: str) -> int:
    """What a bidder has won in a sale, with the limits that they lead with: of their limit in
    the sale so much is taken."""
    leads = (
        lot.bidders[consumer_id].limit
        for lot in _lots(saleroom, sale)
        if group_of(lot, consumer_id) == "leading"
    )
    return saleroom.won(sale, consumer_id) + sum(leads)


def _lots(saleroom: Saleroom, sale: SaleView) -> Iterable[LotView]:
    return (saleroom.lots[auction_id] for auction_id in sale.auction_ids)
