"""What a console is shown beside the public: the lot's desk, out of the view.

The house's own people see the reserve, who waits and which bids were taken back.  Nobody's
limit is in here: of left bids it is said how many can still bid, and what the next of them
would bid, which is what is asked and never what it could go up to.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, NamedTuple

from engine.core.increments import step_at
from engine.core.messages import State
from gateway.core.view import LotView, SaleView, TakenBid, WaitingBid

Json = dict[str, Any]
MOST_BIDS = 60  # of a lot's, the newest: a screen shows fewer


class Reach(NamedTuple):
    """Who follows a lot, over all gateways."""

    connected: int  # live connections, but for consoles
    can_bid: int  # bidders among them who may bid in the sale now
    heard: int  # of those, who have been sent everything and have nothing left to read


def desk(lot: LotView, lots: dict[str, LotView], reach: Reach, name: str) -> Json:
    """The desk of a lot; *name*: of whoever is in control, where somebody is."""
    sale = lot.sale
    control = sale.control
    return {
        "type": "desk",
        "auctionId": lot.auction_id,
        "seq": lot.now.seq,
        "waiting": [_waiting(lot, bid) for bid in lot.waiting.values()],
        "connected": reach.connected,
        "canBid": reach.can_bid,
        "heard": reach.heard,
        "control": None if control is None else {**control._asdict(), "name": name},
        "ring": sale.ring,
        "autoAccept": sale.auto_accept,
        "step": lot.step,
        "reserve": lot.terms.reserve,
        "leftBids": _left_bids(lot),
        "houseBids": sale.created.terms.house_bids,
        "bids": _bids(lot),
        "sale": _results(sale, lots),
    }


def _waiting(lot: LotView, bid: WaitingBid) -> Json:
    return {
        "bidId": lot.bid_id(bid.consumer_id, bid.cmd_id),
        "paddle": bid.paddle,
        "amount": bid.amount,
        "at": bid.at,
    }


def _left_bids(lot: LotView) -> Json:
    """How many left bids can still bid or lead, and what the next that does not lead would bid.

    By the printed opening and steps alone: counted against whatever the rostrum asks for, a
    limit would be found by asking ever more.
    """
    limits = _limits(lot)
    if lot.now.state is State.SCHEDULED:  # a printed opening bid can still be changed, too
        return {"count": len(limits), "next": lot.terms.opening if limits else None}
    if lot.ended or lot.outcome is not None:
        return {"count": 0, "next": None}
    asked, price = lot.terms.opening, lot.now.price
    if price is not None:
        asked = price + step_at(lot.terms.increments, price)
    able = [who for who, limit in limits.items() if who not in lot.holders and limit >= asked]
    leading = [who for who in limits if who in lot.holders]
    return {"count": len(leading) + len(able), "next": asked if able else None}


def _limits(lot: LotView) -> dict[str, int]:
    """What each bidder has left standing with the house, of those who have."""
    limits: dict[str, int] = {}
    for bid in lot.bids or ():
        if bid.is_limit and not bid.canceled:
            limits[bid.consumer_id] = max(bid.reach, limits.get(bid.consumer_id, 0))
    return limits


def _bids(lot: LotView) -> list[Json]:
    """What was bid, newest first: what stands, what was undone, what waits and was refused."""
    taken = islice(reversed(lot.shown_bids()), MOST_BIDS)
    told = [(bid.shown_at, _taken(lot, bid)) for bid in taken]
    for state, bids in (("waiting", lot.waiting), ("refused", lot.refused)):
        told += [(bid.at, _undecided(lot, bid, state)) for bid in bids.values()]
    told.sort(key=lambda row: -row[0])  # stable: at one instant the later bid stays in front
    return [row for _, row in told[:MOST_BIDS]]


def _taken(lot: LotView, bid: TakenBid) -> Json:
    return {
        "bidId": lot.bid_id(bid.consumer_id, bid.cmd_id),
        "seq": bid.seq,
        # Of a limit what it made public, never what it was.
        "amount": bid.price if bid.is_limit else bid.amount,
        "channel": bid.channel,
        "paddle": bid.paddle or None,
        "at": bid.shown_at,
        "state": "undone" if bid.canceled else "standing",
        "house": bid.house,
    }


def _undecided(lot: LotView, bid: WaitingBid, state: str) -> Json:
    return {
        "bidId": lot.bid_id(bid.consumer_id, bid.cmd_id),
        "seq": bid.seq,
        "amount": bid.amount,
        "channel": "online",
        "paddle": bid.paddle,
        "at": bid.at,
        "state": state,
        "house": False,
    }


def _results(sale: SaleView, lots: dict[str, LotView]) -> Json:
    """How the sale has gone so far."""
    offered = [lots[auction_id] for auction_id in sale.auction_ids]
    sold = [lot for lot in offered if lot.outcome == "sold"]
    return {
        "lots": len(offered),
        "sold": len(sold),
        "passed": sum(lot.outcome == "passed" for lot in offered),
        "hammerTotal": sum(win.amount for lot in sold for win in lot.winners),
    }


def may_bid(sale: SaleView, consumer_id: str) -> bool:
    """May this bidder bid in the sale now, limits and own lots aside?"""
    seat = sale.registrations.get(consumer_id)
    if seat is not None:
        return seat.admission == "approved"
    is_guest = consumer_id.startswith("guest_")
    is_open = sale.created.registration == "open"
    return is_open and (sale.created.supports_guest or not is_guest)
