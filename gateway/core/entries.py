"""What the archive writes down of each event: a fold from events to rows, and nothing else.

Every figure is in the event already; no rule of the sale is known here.  A row is a mapping
of column names (``gateway.archive`` has the columns and says which are private).  Events
that leave no trace in the archive: whatever only moves a lot on while it is open, answers
given a second time, and commands that changed nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct, field

from engine.core.messages import (
    Admission,
    BidAccepted,
    BidderRegistered,
    BidRefused,
    Event,
    LotAdded,
    LotCanceled,
    LotClosed,
    LotSettled,
    SaleCreated,
)
from gateway.core.naming import bid_id

Row = dict[str, Any]


class Entries(Struct):
    """The rows of some events of one shard, by table, each list in the order of the log."""

    sales: list[Row] = field(default_factory=list)
    auctions: list[Row] = field(default_factory=list)
    # By sale and consumer: the last word on each, with the instant of the first.
    registrations: dict[tuple[str, str], Row] = field(default_factory=dict)
    bids: list[Row] = field(default_factory=list)
    results: list[Row] = field(default_factory=list)
    settled: list[Row] = field(default_factory=list)  # of results written now or before


def auctions_bid_on(events: Iterable[tuple[int, Event]]) -> list[str]:
    """The auctions whose sale ``entries_of`` must be told, because a bid may seat a bidder."""
    return sorted({event.auction_id for _, event in events if isinstance(event, BidAccepted)})


def entries_of(
    events: Iterable[tuple[int, Event]], sale_of: Mapping[str, str], salt: bytes
) -> Entries:
    """The rows of *events*, (place in the shard's log, event).

    *sale_of* knows the sale of every auction of ``auctions_bid_on`` that was added earlier;
    *salt* is the house's secret, which bids' ids are made with.
    """
    entries = Entries()
    sales = dict(sale_of)
    for log_seq, event in events:
        match event:
            case BidAccepted():
                entries.bids.append(_accepted(log_seq, event, salt))
                sale_id = sales[event.auction_id]
                # Who bids without a paddle is registered by the bid; who had one was approved.
                _seat(
                    entries, sale_id, event.consumer_id, event.paddle, "approved", event.answer.at
                )
            case BidRefused():
                entries.bids.append(_bid(log_seq, event, salt))
            case LotAdded():
                sales[event.auction_id] = event.sale_id
                entries.auctions.append(_auction(event))
            case SaleCreated():
                entries.sales.append(_sale(event))
            case BidderRegistered():
                _seat(
                    entries,
                    event.sale_id,
                    event.consumer_id,
                    event.paddle,
                    event.admission,
                    event.at,
                )
            case LotClosed():
                entries.results.append(_closed(event))
            case LotCanceled():
                entries.results.append(_canceled(event))
            case LotSettled():
                entries.settled.append({"of_auction": event.auction_id, "at": event.at})
            case _:
                pass  # nothing that a history asks for
    return entries


def _sale(event: SaleCreated) -> Row:
    return {**msgspec.structs.asdict(event.sale), "created_at": event.at}


def _auction(event: LotAdded) -> Row:
    catalogue = msgspec.structs.asdict(event.catalogue)
    return {
        **catalogue,
        "photos": list(event.catalogue.photos),
        "provenance": list(event.catalogue.provenance),
        "auction_id": event.auction_id,
        "sale_id": event.sale_id,
        "terms": msgspec.to_builtins(event.terms),
        "added_at": event.at,
    }


def _seat(
    entries: Entries, sale_id: str, consumer_id: str, paddle: int, admission: Admission, at: int
) -> None:
    known = entries.registrations.get((sale_id, consumer_id))
    entries.registrations[sale_id, consumer_id] = {
        "sale_id": sale_id,
        "consumer_id": consumer_id,
        "paddle": paddle,
        "admission": admission,
        "registered_at": at if known is None else known["registered_at"],
    }


def _bid(log_seq: int, event: BidAccepted | BidRefused, salt: bytes) -> Row:
    answer = event.answer
    return {
        "auction_id": event.auction_id,
        "log_seq": log_seq,
        "bid_id": bid_id(event.auction_id, event.consumer_id, event.cmd_id, salt),
        "consumer_id": event.consumer_id,
        "cmd_id": event.cmd_id,
        "at": answer.at,
        "seq": answer.seq,
        "amount": answer.amount,
        "kind": answer.kind,
        "status": answer.status,
        "code": answer.code,
        "paddle": None,
        "price": None,
        "why": None,
    }


def _accepted(log_seq: int, event: BidAccepted, salt: bytes) -> Row:
    # A silent raise shows no price: the one that stands was made by another bid.
    price = None if event.why is None else event.after.price
    return {**_bid(log_seq, event, salt), "paddle": event.paddle, "price": price, "why": event.why}


def _closed(event: LotClosed) -> Row:
    sold = event.outcome == "sold"
    return {
        "auction_id": event.auction_id,
        "outcome": event.outcome,
        "winner": event.winner,
        "paddle": event.after.paddle if sold else None,
        "hammer_price": event.after.price if sold else None,
        "closed_at": event.at,
        "settle_at": event.settle_at,
        "canceled": False,
    }


def _canceled(event: LotCanceled) -> Row:
    return {
        "auction_id": event.auction_id,
        "outcome": "canceled",
        "winner": None,
        "paddle": None,
        "hammer_price": None,
        "closed_at": event.at,
        "settle_at": None,
        "canceled": True,
    }
