"""The live protocol's words: client JSON → messages, view and events → JSON.

What a request may look like is in the Structs; anything else is refused as a whole: unknown
fields, a number that is not an integer, a key that comes twice.  What is built here for the
public never sees a limit, a reserve or a name: it is made of ``PublicState`` alone.  Personal
frames are built for one bidder and handed only to their own connections.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from engine.core.messages import (
    MAX_AMOUNT,
    Answer,
    BidAccepted,
    BidAnswer,
    Event,
    LotCanceled,
    LotClosed,
    LotExtended,
    LotOpened,
    LotPaused,
    LotSettled,
    LotUnpaused,
    PublicState,
)
from gateway.core import wording
from gateway.core.view import LOT_EVENTS, LotView

Json = dict[str, Any]
PAGE = 500  # events that a resuming reader is sent at once

_WHOLE = 2**53
CmdId = Annotated[str, Meta(pattern=r"\A[\x21-\x7e]{1,64}\Z")]
AuctionId = Annotated[str, Meta(min_length=1, max_length=100)]
Seq = Annotated[int, Meta(ge=0, le=_WHOLE)]


class _Request(
    Struct, frozen=True, tag_field="type", forbid_unknown_fields=True, rename="camel", gc=False
):
    pass


class Hello(_Request, frozen=True, tag="hello"):
    key: str | None = None
    token: str | None = None
    ticket: str | None = None
    operator_key: str | None = None


class Subscribe(_Request, frozen=True, tag="subscribe"):
    auction_id: AuctionId
    lineage: str | None = None
    seq: Seq | None = None


class Unsubscribe(_Request, frozen=True, tag="unsubscribe"):
    auction_id: AuctionId


class Bid(_Request, frozen=True, tag="bid"):
    cmd_id: CmdId
    auction_id: AuctionId
    amount: Annotated[int, Meta(ge=1, le=MAX_AMOUNT)]
    kind: Literal["bid", "max"] = "max"
    seen: Seq | None = None


class Ping(_Request, frozen=True, tag="ping"):
    t: Annotated[int, Meta(ge=-_WHOLE, le=_WHOLE)]


Request = Hello | Subscribe | Unsubscribe | Bid | Ping

_decoder = msgspec.json.Decoder(Request)
_encoder = msgspec.json.Encoder()


class Invalid(Exception):
    """A frame that is no request; says why, and what of it can be repeated back."""

    def __init__(self, reason: str, named: Json) -> None:
        super().__init__(reason)
        self.named = named


def read(text: str) -> Request:
    """One request.  Raises ``Invalid``."""
    try:
        request: Request = _decoder.decode(text)
        # msgspec takes the last of two equal keys; nobody may send two amounts.
        json.loads(text, object_pairs_hook=_distinct)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Invalid(str(error), named(text)) from error
    return request


def _distinct(pairs: list[tuple[str, Any]]) -> Json:
    if len(fields := dict(pairs)) != len(pairs):
        raise ValueError("Object contains a repeated field")
    return fields


def named(text: str) -> Json:
    """The ids that the answer to a refused frame repeats, so that its sender finds it."""
    try:
        fields = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return {}
    if not isinstance(fields, dict):
        return {}
    return {
        name: fields[name]
        for name in ("cmdId", "auctionId")
        if isinstance(fields.get(name), str) and len(fields[name]) <= 100
    }


def encode(frame: Json) -> bytes:
    """A frame as one unmasked WebSocket text frame, header included (RFC 6455, 5.2)."""
    payload = _encoder.encode(frame)
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


# ── Answers ──────────────────────────────────────────────────────────────────────────────


def welcome(session: str, role: str, consumer_id: str | None, now: int, ping_ms: int) -> Json:
    return {
        "type": "welcome",
        "session": session,
        "role": role,
        "consumerId": consumer_id,
        "now": now,
        "ping": ping_ms,
    }


def error(code: str, message: str, **more: Any) -> Json:
    return {"type": "error", "code": code, "message": message, **more}


def result(lot: LotView, event: BidAnswer) -> Json:
    """A bid's answer, for the one who bid."""
    answer: Answer = event.answer
    return {
        "type": "result",
        "cmdId": event.cmd_id,
        "auctionId": event.auction_id,
        "seq": answer.seq,
        "at": answer.at,
        "outcome": "accepted" if answer.code is None else "refused",
        "status": answer.status,
        "price": answer.price,
        "askingBid": answer.asking_bid,
        "wouldPass": answer.would_pass,
        "code": answer.code,
        "message": None if answer.code is None else wording.refusal(answer, lot.sale.created),
    }


def snapshot(lot: LotView, lineage: str, consumer_id: str | None) -> Json:
    """The lot as it is, for one viewer: the public part, and what is theirs."""
    now = lot.now
    return {
        "type": "snapshot",
        "auctionId": lot.auction_id,
        "lineage": lineage,
        "seq": now.seq,
        "at": lot.at,
        "auction": {
            "name": lot.catalogue.name,
            "lotNumber": lot.catalogue.lot_number,
            "saleId": lot.sale.created.sale_id,
            "format": "english",
            "currency": lot.sale.created.currency,
            "exponent": lot.sale.created.exponent,
            "phase": None,
            "opening": lot.terms.opening,
            **_after(now),
            "channel": "online",
            # As printed: no event carries it, so opening the lot must not change it.
            "opensAt": lot.terms.opens_at,
            "extensions": now.extensions,
            "outcome": _outcome(lot),
        },
        "you": None if consumer_id is None else you(lot, consumer_id),
    }


def you(lot: LotView, consumer_id: str) -> Json:
    """A bidder's own part of a lot."""
    bidder = lot.bidders.get(consumer_id)
    return {
        "status": lot.status_of(consumer_id),
        "paddle": lot.sale.paddles.get(consumer_id),
        "max": bidder.limit if bidder is not None else None,
        "lastBidAmount": bidder.limit if bidder is not None else None,
        "bidCount": bidder.bid_count if bidder is not None else 0,
    }


def resumed(lot: LotView, lineage: str, seq: int, consumer_id: str | None) -> Json:
    """The gap of a reader who has seen *seq* can be filled: what they missed follows."""
    frame = {
        "type": "resumed",
        "auctionId": lot.auction_id,
        "lineage": lineage,
        "seq": seq,
        "missed": lot.now.seq - seq,
    }
    # A silent raise made elsewhere takes no seq: the bidder's own part says where it stands.
    return frame if consumer_id is None else {**frame, "you": you(lot, consumer_id)}


def _after(now: PublicState) -> Json:
    """What every public event carries, as it is after it."""
    return {
        "price": now.price,
        "askingBid": now.asking_bid,
        "paddle": now.paddle,
        "bidCount": now.bid_count,
        "bidderCount": now.bidder_count,
        "reserve": now.reserve,
        "status": now.state.value,
        "closesAt": now.closes_at,
    }


def _outcome(lot: LotView) -> str | None:
    return lot.outcome if lot.outcome in ("sold", "passed") else None


# ── Public events ────────────────────────────────────────────────────────────────────────

_TYPES = {
    LotOpened: "opened",
    LotPaused: "paused",
    LotUnpaused: "unpaused",
    LotExtended: "extended",
    LotClosed: "closed",
    LotCanceled: "closed",
    LotSettled: "settled",
}


def public(lot: LotView, event: Event) -> Json | None:
    """What everybody is told of an event; None where it is nobody's business.

    *lot* is the view with the event folded in.
    """
    if isinstance(event, BidAccepted):
        return None if event.why is None else _price(event, event.why)
    if type(event) not in LOT_EVENTS:
        return None
    assert isinstance(event, LotOpened | LotPaused | LotUnpaused | LotExtended | LotClosed
                      | LotCanceled | LotSettled)  # fmt: skip
    frame = {
        "type": _TYPES[type(event)],
        "auctionId": event.auction_id,
        "seq": event.after.seq,
        "at": event.at,
        **_after(event.after),
    }
    if isinstance(event, LotExtended):
        frame["extensions"] = event.after.extensions
    elif isinstance(event, LotClosed):
        frame["outcome"] = event.outcome
    elif isinstance(event, LotCanceled):
        frame["outcome"] = "canceled"
    return frame


def _price(event: BidAccepted, why: str) -> Json:
    return {
        "type": "price",
        "auctionId": event.auction_id,
        "seq": event.after.seq,
        "at": event.answer.at,
        **_after(event.after),
        "channel": "online",
        "why": why,
    }


# ── Personal events ──────────────────────────────────────────────────────────────────────


def personal(lot: LotView, event: Event) -> list[tuple[str, Json]]:
    """Who is told what of an event beside the public: (consumer id, frame).

    *lot* is the view with the event folded in.
    """
    if isinstance(event, BidAccepted):
        return _of_bid(event)
    if isinstance(event, LotSettled | LotCanceled):
        return [
            (
                consumer_id,
                {
                    "type": "won" if lot.status_of(consumer_id) == "WON" else "lost",
                    "auctionId": event.auction_id,
                    "seq": event.after.seq,
                    "at": event.at,
                    "price": event.after.price,
                },
            )
            for consumer_id in lot.bidders
        ]
    return []


def _of_bid(event: BidAccepted) -> list[tuple[str, Json]]:
    told = []
    if event.answer.status == "WINNING":
        told.append((event.consumer_id, _winning(event)))
        if event.beaten is not None:
            told.append((event.beaten, _outbid(event, "bid")))
    else:
        told.append((event.consumer_id, _outbid(event, "tie" if event.tied else "proxy")))
    return told


def _winning(event: BidAccepted) -> Json:
    return {
        "type": "winning",
        "auctionId": event.auction_id,
        "seq": event.answer.seq,
        "at": event.answer.at,
        "price": event.after.price,
        "max": event.answer.amount,
    }


def _outbid(event: BidAccepted, why: str) -> Json:
    return {
        "type": "outbid",
        "auctionId": event.auction_id,
        "seq": event.answer.seq,
        "at": event.answer.at,
        "price": event.after.price,
        "askingBid": event.after.asking_bid,
        "paddle": event.after.paddle,
        "channel": "online",
        "why": why,
    }
