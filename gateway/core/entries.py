"""What the archive writes down of each event: a fold from events to rows, and nothing else.

Every figure is in the event already; no rule of the sale is known here.  A row is a mapping
of column names (``gateway.archive`` has the columns and says which are private).  Events
that leave no trace in the archive: whatever only moves a lot on while it is open, answers
given a second time to a bid, and commands that changed nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct, field

from engine.core.messages import (
    ActDecided,
    BidAccepted,
    BidCalled,
    BidCanceled,
    BidderRegistered,
    BiddingEnded,
    BidRefused,
    BidsLapsed,
    BidsUndone,
    BidWaiting,
    CommandTaken,
    CreateSale,
    Event,
    LimitLowered,
    LotAdded,
    LotCanceled,
    LotClosed,
    LotOpened,
    LotReopened,
    LotSettled,
    LotSettling,
    LotUpdated,
    LotWithdrawn,
    OpenedBid,
    ReserveLowered,
    SaleCreated,
    SaleRemoved,
    SaleUpdated,
    Win,
)
from gateway.core.naming import bid_id

Row = dict[str, Any]


class BidChange(NamedTuple):
    """What the rostrum has changed about a bid that has its row."""

    key: Row
    change: Row
    only_limits: bool = False  # of an exact bid nothing changes


class Entries(Struct):
    """The rows of some events of one shard, by table, each list in the order of the log."""

    sales: dict[str, Row] = field(default_factory=dict)  # new ones, as they are at the end
    sale_changes: dict[str, Row] = field(default_factory=dict)  # columns of older ones
    auctions: dict[str, Row] = field(default_factory=dict)
    auction_changes: dict[str, Row] = field(default_factory=dict)
    # By sale and consumer: the last word on each, with the instant of the first.
    registrations: dict[tuple[str, str], Row] = field(default_factory=dict)
    # Who was seated by a bid alone: rows for where there is none.
    seats: dict[tuple[str, str], Row] = field(default_factory=dict)
    bids: list[Row] = field(default_factory=list)
    canceled: list[Row] = field(default_factory=list)  # of bids written now or before
    opened: list[Row] = field(default_factory=list)  # the same
    lapsed: list[Row] = field(default_factory=list)  # of bids that waited
    bid_changes: list[BidChange] = field(default_factory=list)  # by the rostrum, in their order
    amended: dict[str, Row] = field(default_factory=dict)  # some of a lot's terms
    lowerings: list[Row] = field(default_factory=list)
    # By auction, how it has ended now, in place of what was said before; None: it has not.
    results: dict[str, Row | None] = field(default_factory=dict)
    wins: dict[str, list[Row]] = field(default_factory=dict)
    settling: list[Row] = field(default_factory=list)  # of results written now or before
    settled: list[Row] = field(default_factory=list)  # the same
    acts: list[Row] = field(default_factory=list)  # some of them perhaps written before
    rostrum: list[Row] = field(default_factory=list)  # the same


def auctions_bid_on(events: Iterable[tuple[int, Event]]) -> list[str]:
    """The auctions whose sale ``entries_of`` must be told, because a bid may seat a bidder."""
    seating = BidAccepted | BidWaiting
    return sorted({event.auction_id for _, event in events if isinstance(event, seating)})


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
                # Who bids without a paddle is registered by the bid.
                _seat(entries, sales[event.auction_id], event)
            case BidRefused():
                entries.bids.append(_bid(log_seq, event, salt))
            case BidWaiting():
                entries.bids.append({**_bid(log_seq, event, salt), "code": "waiting"})
                _seat(entries, sales[event.auction_id], event)
            case ActDecided():
                entries.rostrum.append(_act(event, salt))
            case LotAdded():
                sales[event.auction_id] = event.sale_id
                entries.auctions[event.auction_id] = _auction(event)
            case LotClosed():
                _close(entries, event, salt)
            case _:
                _enter(entries, log_seq, event)
    return entries


def _enter(entries: Entries, log_seq: int, event: Event) -> None:
    """What needs neither the secret nor what came before it."""
    match event:
        case SaleCreated():
            entries.sales[event.sale.sale_id] = _sale(event)
        case SaleUpdated() | SaleRemoved():
            _change_sale(entries, event)
        case LotUpdated() | LotWithdrawn() | BiddingEnded():
            _change_auction(entries, event)
        case BidderRegistered():
            _register(entries, event)
        case BidCanceled():
            key = _key_of(event.auction_id, event.consumer_id, event.bid_cmd_id)
            entries.canceled.append({**key, "canceled_at": event.at})
        case LimitLowered():
            entries.lowerings.append(_lowering(log_seq, event))
        case LotCanceled():
            entries.results[event.auction_id] = _canceled(event)
        case BidsLapsed() | BidsUndone() | BidCalled() | LotReopened():
            _sell(entries, event)
        case LotOpened() if event.opening is not None:
            _amend(entries, event.auction_id, opening=event.opening)
        case ReserveLowered():
            _amend(entries, event.auction_id, reserve=event.reserve)
            change = {"revision": event.revision, "updated_at": event.at}
            _change(entries.auctions, entries.auction_changes, event.auction_id, change)
        case LotSettling():
            entries.settling.append({"of_auction": event.auction_id, "settling_at": event.at})
        case LotSettled():
            entries.settled.append({"of_auction": event.auction_id, "settled_at": event.at})
        case CommandTaken():
            entries.acts.append(msgspec.structs.asdict(event))
        case _:
            pass  # nothing that a history asks for


# ── Sales and lots ───────────────────────────────────────────────────────────────────────


def _sale(event: SaleCreated) -> Row:
    printed = _printed_of_sale(event.sale)
    return {**printed, "created_at": event.at, "updated_at": event.at, "removed_at": None}


def _printed_of_sale(sale: CreateSale) -> Row:
    row = msgspec.structs.asdict(sale)
    # Who entered it is said among the acts.
    del row["cmd_id"], row["by"]
    return {**row, "terms": msgspec.to_builtins(sale.terms)}


def _change_sale(entries: Entries, event: SaleUpdated | SaleRemoved) -> None:
    if isinstance(event, SaleUpdated):
        sale_id = event.sale.sale_id
        change = {**_printed_of_sale(event.sale), "updated_at": event.at}
    else:
        sale_id = event.sale_id
        change = {"removed_at": event.at}
    _change(entries.sales, entries.sale_changes, sale_id, change)


def _change(new: dict[str, Row], old: dict[str, Row], identity: str, change: Row) -> None:
    """Change the row that is being written, or the columns of one that was written before."""
    known = new.get(identity)
    if known is None:
        known = old.setdefault(identity, {})
    known.update(change)


def _auction(event: LotAdded) -> Row:
    return {
        **_printed_of_lot(event),
        "auction_id": event.auction_id,
        "sale_id": event.sale_id,
        "revision": 0,
        "added_at": event.at,
        "updated_at": event.at,
        "withdrawn_at": None,
        "ended_at": None,
    }


def _printed_of_lot(event: LotAdded | LotUpdated) -> Row:
    return {
        **msgspec.structs.asdict(event.catalogue),
        "photos": list(event.catalogue.photos),
        "provenance": list(event.catalogue.provenance),
        "terms": msgspec.to_builtins(event.terms),
        "in_tokens": event.terms.tokens is not None,
    }


def _change_auction(entries: Entries, event: LotUpdated | LotWithdrawn | BiddingEnded) -> None:
    if isinstance(event, LotUpdated):
        printed = _printed_of_lot(event)
        entries.amended.pop(event.auction_id, None)  # said in it, or said anew
        change = {**printed, "revision": event.revision, "updated_at": event.at}
    elif isinstance(event, LotWithdrawn):
        change = {"withdrawn_at": event.at}
    else:
        change = {"ended_at": event.at}
    _change(entries.auctions, entries.auction_changes, event.auction_id, change)


def _amend(entries: Entries, auction_id: str, **changes: int) -> None:
    """Change some of a lot's terms, wherever the others are written."""
    for rows in (entries.auctions, entries.auction_changes):
        row = rows.get(auction_id, {})
        if "terms" in row:
            row["terms"] = {**row["terms"], **changes}
            return
    entries.amended.setdefault(auction_id, {}).update(changes)


# ── Bidders and bids ─────────────────────────────────────────────────────────────────────


def _register(entries: Entries, event: BidderRegistered) -> None:
    seat = (event.sale_id, event.consumer_id)
    known = entries.registrations.get(seat)
    entries.registrations[seat] = {
        "sale_id": event.sale_id,
        "consumer_id": event.consumer_id,
        "paddle": event.paddle,
        "admission": event.admission,
        "registered_at": event.at if known is None else known["registered_at"],
        "bid_limit": event.limit,
        "reason": event.reason,
        "changed_by": event.by,
        "conditions_version": event.conditions_version,
        "changed_at": event.at,
    }


def _seat(entries: Entries, sale_id: str, event: BidAccepted | BidWaiting) -> None:
    seat = (sale_id, event.consumer_id)
    if not event.paddle:  # who bids in the room without one
        return
    if seat in entries.registrations or seat in entries.seats:
        return
    entries.seats[seat] = {
        "sale_id": sale_id,
        "consumer_id": event.consumer_id,
        "paddle": event.paddle,
        "admission": "approved",
        "registered_at": event.answer.at,
        "bid_limit": None,
        "reason": "",
        "changed_by": "",
        "conditions_version": None,
        "changed_at": event.answer.at,
    }


def _bid(log_seq: int, event: BidAccepted | BidRefused | BidWaiting, salt: bytes) -> Row:
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
        "commitment": answer.commitment,
        "paddle": None,
        "price": None,
        "why": None,
        "channel": "online",
        "house": False,
        "by": "",
    }


def _accepted(log_seq: int, event: BidAccepted, salt: bytes) -> Row:
    # A silent raise shows no price: the one that stands was made by another bid.
    price = None if event.why is None else event.after.price
    return {
        **_bid(log_seq, event, salt),
        "paddle": event.paddle,
        "price": price,
        "why": event.why,
        "channel": event.channel,
        "house": event.house,
        "by": event.by,
    }


def _key_of(auction_id: str, consumer_id: str, cmd_id: str) -> Row:
    """Where a bid's row is found again."""
    return {"of_auction": auction_id, "of_consumer": consumer_id, "of_cmd": cmd_id}


def _lowering(log_seq: int, event: LimitLowered) -> Row:
    return {
        "auction_id": event.auction_id,
        "log_seq": log_seq,
        "consumer_id": event.consumer_id,
        "amount": event.limit,
        "at": event.at,
    }


# ── The rostrum ──────────────────────────────────────────────────────────────────────────


def _act(event: ActDecided, salt: bytes) -> Row:
    act, *_ = said = msgspec.to_builtins(event.deed)
    named = None if event.bid is None else bid_id(event.auction_id, *event.bid, salt)
    return {
        "auction_id": event.auction_id,
        "by": event.by,
        "cmd_id": event.cmd_id,
        "at": event.at,
        "act": act,
        "said": dict(zip(event.deed.__struct_fields__, said[1:], strict=True)),
        "session": event.session,
        "seen": event.seen,
        "reason": event.reason,
        "seq": event.seq,
        "price": event.price,
        "code": event.code,
        "bid_id": named,
    }


def _sell(entries: Entries, event: BidsLapsed | BidsUndone | BidCalled | LotReopened) -> None:
    """What the rostrum has changed about bids and about how a lot had ended."""
    auction_id = event.auction_id
    if isinstance(event, BidsLapsed):
        entries.lapsed += [{**_key_of(auction_id, *bid), "code": event.code} for bid in event.bids]
    elif isinstance(event, BidsUndone):
        for bid in event.undone:
            key, kept = _key_of(auction_id, *bid), bid in event.kept
            # One that was made before was only called since: of a limit nothing is public then.
            change = {"price": None} if kept else {"undone_at": event.at}
            entries.bid_changes.append(BidChange(key, change, only_limits=kept))
    elif isinstance(event, BidCalled):
        called = {
            "undone_at": None,
            "called_at": event.at,
            "paddle": event.paddle,
            "price": event.after.price,
            "why": event.why,
            "channel": event.channel,
            "status": "WINNING",
        }
        key = _key_of(auction_id, event.consumer_id, event.cmd_id)
        entries.bid_changes.append(BidChange(key, called))
    else:
        entries.results[auction_id] = None
        entries.wins.pop(auction_id, None)


# ── Results ──────────────────────────────────────────────────────────────────────────────


def _close(entries: Entries, event: LotClosed, salt: bytes) -> None:
    entries.results[event.auction_id] = _closed(event)
    entries.wins[event.auction_id] = [
        _win(event.auction_id, place, win, salt) for place, win in enumerate(event.winners, 1)
    ]
    entries.opened += [_opened(event.auction_id, bid) for bid in event.opened]


def _closed(event: LotClosed) -> Row:
    sold = event.outcome in ("sold", "sold_subject")
    return {
        "auction_id": event.auction_id,
        "outcome": event.outcome,
        "winner": event.winner,
        "paddle": event.after.paddle if sold else None,
        "hammer_price": event.after.price if sold else None,
        "closed_at": event.at,
        "settle_at": event.settle_at,
        "canceled": False,
        "opening_key": event.opening_key or None,
        "reason": event.reason,
        "by": event.by,
    }


def _win(auction_id: str, place: int, win: Win, salt: bytes) -> Row:
    return {
        "auction_id": auction_id,
        "place": place,
        "consumer_id": win.consumer_id,
        "paddle": win.paddle,
        "amount": win.amount,
        "bid": win.bid,
        "bid_id": bid_id(auction_id, win.consumer_id, win.cmd_id, salt),
    }


def _opened(auction_id: str, bid: OpenedBid) -> Row:
    return {
        **_key_of(auction_id, bid.consumer_id, bid.cmd_id),
        "opened_amount": bid.amount,
        "void": bid.void,
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
        "opening_key": None,
        "reason": "",
        "by": "",
    }
