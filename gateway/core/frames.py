"""The live protocol's words: client JSON → messages, view and events → JSON.

What a request may look like is in the Structs; anything else is refused as a whole: unknown
fields, a number that is not an integer, a key that comes twice.  What is built here for the
public never sees a limit, a reserve, a sealed bid or a name: it is made of ``PublicState`` and
of what is printed.  Personal frames are built for one bidder and handed only to their own
connections.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from engine.core.messages import (
    ActDecided,
    Answer,
    AskingSet,
    BidAccepted,
    BidAnswer,
    BidCalled,
    BidCanceled,
    BidRefused,
    BidsLapsed,
    BidsUndone,
    CallMade,
    Catalogue,
    Event,
    LimitLowered,
    LotCanceled,
    LotClosed,
    LotEvent,
    LotExtended,
    LotOpened,
    LotPaused,
    LotReopened,
    LotSettled,
    LotSettling,
    LotUnpaused,
    LotUpdated,
    LotWithdrawn,
    MessageSaid,
    PriceDropped,
    PublicState,
    Refusal,
    ReserveLowered,
    Standing,
    State,
    Terms,
)
from gateway.core import acting, wording
from gateway.core.acting import Act, Amount, AuctionId, CmdId, Seq
from gateway.core.problems import Problem, for_sockets
from gateway.core.view import LOT_EVENTS, UPDATES, LotView, is_refusal, money_of

Json = dict[str, Any]
PAGE = 500  # events that a resuming reader is sent at once

_WHOLE = 2**53


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
    amount: Amount
    kind: Literal["bid", "max"] | UnsetType = UNSET  # a limit, where the lot takes limits
    seen: Seq | None = None


class Ping(_Request, frozen=True, tag="ping"):
    t: Annotated[int, Meta(ge=-_WHOLE, le=_WHOLE)]


class Finger(_Request, frozen=True, tag="finger"):
    """A bidder's finger is on the button, or is not any more."""

    auction_id: AuctionId
    on: bool


class _SomeAct(Struct, frozen=True, tag_field="type", tag="act", gc=False):
    """One of the console's, each of which has its own form (``acting``)."""


Request = Hello | Subscribe | Unsubscribe | Bid | Ping | Finger | Act

_decoder = msgspec.json.Decoder(Hello | Subscribe | Unsubscribe | Bid | Ping | Finger | _SomeAct)
_encoder = msgspec.json.Encoder()


class Invalid(Exception):
    """A frame that is no request; says why, and what of it can be repeated back."""

    def __init__(self, reason: str, named: Json) -> None:
        super().__init__(reason)
        self.named = named


def read(text: str) -> Request:
    """One request.  Raises ``Invalid``."""
    try:
        found = _decoder.decode(text)
        request: Request = acting.read(text) if isinstance(found, _SomeAct) else found
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
    return for_sockets(Problem(code, message, more=more))


def result(lot: LotView, event: BidAnswer) -> Json:
    """A bid's answer, for the one who bid."""
    answer: Answer = event.answer
    frame = {
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
        "message": None if answer.code is None else wording.refusal(answer, lot.money),
    }
    if answer.waiting:
        frame["outcome"] = "waiting"
        frame["bidId"] = lot.bid_id(event.consumer_id, event.cmd_id)
    return frame


def act_result(lot: LotView, event: ActDecided) -> Json:
    """What became of an act, for the console that wished for it."""
    frame = {
        "type": "result",
        "cmdId": event.cmd_id,
        "auctionId": event.auction_id,
        "seq": event.seq,
        "at": event.at,
        "outcome": "accepted" if event.code is None else "refused",
        "status": "NOT_BID",
        "price": event.price,
        "askingBid": event.asking_bid,
        "wouldPass": event.would_pass,
        "code": event.code,
        "message": None if event.code is None else wording.objection(event, lot.money),
    }
    if event.bid is not None:
        frame["bidId"] = lot.bid_id(*event.bid)
    return frame


def too_low(lot: LotView, consumer_id: str, cmd_id: str, amount: int) -> Json:
    """The answer to a sealed bid under the opening bid, which never enters the log."""
    now, status = lot.now, lot.status_of(consumer_id)
    standing: Standing = "NOT_BID" if status == "NOT_BID" else "ACTIVE"
    code: Refusal = "below_asking_bid"
    asking = lot.terms.opening
    answer = Answer(amount, "sealed", lot.at, now.seq, standing, None, asking, asking, code)
    return result(lot, BidRefused(lot.auction_id, consumer_id, cmd_id, answer))


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
            **_shown(lot, lot.terms, lot.catalogue, now),
            "saleId": lot.sale.created.sale_id,
            "phase": now.phase,
            "channel": now.channel,
            "outcome": _outcome(lot),
        },
        "you": None if consumer_id is None else you(lot, consumer_id),
    }


def you(lot: LotView, consumer_id: str) -> Json:
    """A bidder's own part of a lot."""
    bidder = lot.bidders.get(consumer_id)
    # A sealed bid is opened at the close, and told with everything else when all is settled.
    is_known = not lot.is_sealed or lot.now.state is State.SETTLED
    own = (bidder.limit or None) if bidder is not None and is_known else None
    return {
        "status": lot.status_of(consumer_id),
        "paddle": lot.sale.paddles.get(consumer_id),
        "max": None if lot.is_sealed else own,
        "lastBidAmount": own,
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


def _shown(lot: LotView, terms: Terms, catalogue: Catalogue, now: PublicState) -> Json:
    """Of a snapshot, all that an update may change."""
    currency, exponent = money_of(lot.sale, terms)
    return {
        "name": catalogue.name,
        "lotNumber": catalogue.lot_number,
        "format": terms.format,
        "currency": currency,
        "exponent": exponent,
        "opening": terms.opening,
        **_after(terms, now),
        # As printed: no event carries it, so opening the lot must not change it.
        "opensAt": terms.opens_at,
        "extensions": now.extensions,
    }


def _after(terms: Terms, now: PublicState) -> Json:
    """What every public event carries, as it is after it."""
    shown = {
        "price": now.price,
        "askingBid": now.asking_bid,
        "paddle": now.paddle,
        "bidCount": now.bid_count,
        "bidderCount": now.bidder_count,
        "reserve": now.reserve,
        "status": _status(terms, now),
        "closesAt": now.closes_at,
    }
    if terms.format == "live":
        # Any event may end what the last one began: a call, and who leads from where.
        shown |= {"phase": now.phase, "channel": now.channel}
    return shown


def _status(terms: Terms, now: PublicState) -> str:
    if now.state is State.SCHEDULED and terms.opens_at is None:
        return "draft"
    return "canceled" if now.state is State.WITHDRAWN else now.state.value


def _outcome(lot: LotView) -> str | None:
    if lot.now.state is State.WITHDRAWN:
        return "withdrawn"
    return None if lot.outcome == "canceled" else lot.outcome


def finger(auction_id: str, paddle: int, on: bool) -> Json:
    """For consoles: whose finger is on the button, or is not any more."""
    return {"type": "finger", "auctionId": auction_id, "paddle": paddle, "on": on}


# ── Public events ────────────────────────────────────────────────────────────────────────

_TYPES: dict[type, str] = {
    LotOpened: "opened",
    LotPaused: "paused",
    LotUnpaused: "unpaused",
    LotExtended: "extended",
    LotUpdated: "updated",
    PriceDropped: "updated",
    BidCanceled: "updated",
    LotSettling: "updated",
    LotClosed: "closed",
    LotCanceled: "closed",
    LotWithdrawn: "closed",
    LotSettled: "settled",
    AskingSet: "updated",
    ReserveLowered: "updated",
    MessageSaid: "message",
    BidsUndone: "undone",
    LotReopened: "reopened",
}


def public(lot: LotView, event: Event) -> Json | None:
    """What everybody is told of an event; None where it is nobody's business.

    *lot* is the view with the event folded in.
    """
    if isinstance(event, BidAccepted):
        return None if event.why is None else _price(lot, event, event.why)
    if isinstance(event, BidCalled):
        return _price(lot, event, event.why)
    if type(event) not in LOT_EVENTS:
        return None
    assert isinstance(event, LotEvent)
    terms = event.terms if isinstance(event, LotUpdated) else lot.terms
    return {
        "type": event.phase if isinstance(event, CallMade) else _TYPES[type(event)],
        "auctionId": event.auction_id,
        "seq": event.after.seq,
        "at": event.at,
        **_after(terms, event.after),
        **_added(lot, event),
    }


def _added(lot: LotView, event: LotEvent) -> Json:
    """What an event says beside the state after it."""
    match event:
        case LotOpened() if event.opening is None:
            return {}
        case LotExtended():
            return {"extensions": event.after.extensions}
        case LotClosed():
            return {"outcome": event.outcome}
        case LotCanceled():
            return {"outcome": "canceled"}
        case LotWithdrawn():
            return {"outcome": "withdrawn"}
        case MessageSaid():
            return {"text": event.text}
        case BidsUndone():
            return {"toSeq": event.to_seq, "reason": event.reason}
        case LotReopened():
            return {"reason": event.reason}
        case _ if isinstance(event, UPDATES):
            return {"changed": _changed(lot, event)}
        case _:
            return {}


def _changed(lot: LotView, event: LotEvent) -> Json:
    """What is another than before, under the snapshot's names."""
    before = lot.before[event.after.seq]
    terms, catalogue = before.terms, before.catalogue
    was = _shown(lot, terms, catalogue, before.now)
    if isinstance(event, LotUpdated):
        terms, catalogue = event.terms, event.catalogue
    elif isinstance(event, LotOpened) and event.opening is not None:
        terms = replace(terms, opening=event.opening)
    shown = _shown(lot, terms, catalogue, event.after)
    return {name: value for name, value in shown.items() if value != was[name]}


def _price(lot: LotView, event: BidAccepted | BidCalled, why: str) -> Json:
    return {
        "type": "price",
        "auctionId": event.auction_id,
        "seq": event.after.seq,
        "at": _instant(event),
        **_after(lot.terms, event.after),
        "channel": event.after.channel,
        "why": why,
    }


def _instant(event: BidAccepted | BidCalled) -> int:
    return event.at if isinstance(event, BidCalled) else event.answer.at


# ── Personal events ──────────────────────────────────────────────────────────────────────


def personal(lot: LotView, event: Event) -> list[tuple[str, Json]]:
    """Who is told what of an event beside the public: (consumer id, frame).

    *lot* is the view with the event folded in.
    """
    if isinstance(event, BidAccepted):
        return _of_bid(lot, event)
    if isinstance(event, BidCalled):
        return _of_call(lot, event)
    if isinstance(event, ActDecided | BidsLapsed):
        return _of_waiting(lot, event)
    if isinstance(event, BidCanceled) and event.promoted is not None:
        limit = lot.before[event.after.seq].promoted_limit
        return [(event.promoted, _winning(event.auction_id, event.after, event.at, limit))]
    if isinstance(event, LimitLowered):
        frame = _winning(event.auction_id, lot.silent[event], event.at, event.limit)
        return [(event.consumer_id, frame)]
    if isinstance(event, LotSettled | LotCanceled):
        return _of_end(lot, event)
    return []


def _of_bid(lot: LotView, event: BidAccepted) -> list[tuple[str, Json]]:
    answer = event.answer
    told: list[tuple[str, Json]] = []
    # It had waited, and was taken; of one that was refused before, that was told.
    if event.by and event.channel == "online" and event.why != "reinstated":
        whose = (event.consumer_id, event.cmd_id)
        told.append((event.consumer_id, _decided(lot, whose, answer.seq, answer.at)))
    if answer.status == "WINNING":
        limit = answer.amount
        if event.why is not None:
            limit = lot.behind.get(event.after.seq, limit)
        frame = _winning(lot.auction_id, event.after, answer.at, limit)
        told.append((event.consumer_id, frame))
        if event.beaten is not None:
            told.append((event.beaten, _outbid(event, "bid")))
    # Where nobody is bid for there is nobody who has passed it at once; and a limit that was
    # left before the opening has no price to be passed by.
    elif lot.takes_limits and event.after.price is not None:
        told.append((event.consumer_id, _outbid(event, "tie" if event.tied else "proxy")))
        if event.why is not None and event.after.seq in lot.replies:
            leader, limit = lot.replies[event.after.seq]
            told.append((leader, _winning(lot.auction_id, event.after, answer.at, limit)))
    return told


def _of_call(lot: LotView, event: BidCalled) -> list[tuple[str, Json]]:
    limit = lot.behind[event.after.seq]
    told = [(event.consumer_id, _winning(event.auction_id, event.after, event.at, limit))]
    if event.beaten is not None:
        told.append((event.beaten, _outbid(event, "bid")))
    return told


def _of_waiting(lot: LotView, event: ActDecided | BidsLapsed) -> list[tuple[str, Json]]:
    """Bids that waited, and that the rostrum has not taken."""
    if isinstance(event, ActDecided):
        if not is_refusal(event) or event.bid is None:
            return []
        message = wording.refused_by_rostrum(event.reason)
        frame = _decided(lot, event.bid, event.seq, event.at, "refused", message)
        return [(event.bid[0], frame)]
    seq = lot.silent[event].seq
    message = wording.lapsed(event.code)
    return [(key[0], _decided(lot, key, seq, event.at, event.code, message)) for key in event.bids]


def _decided(
    lot: LotView,
    bid: tuple[str, str],
    seq: int,
    at: int,
    code: Refusal | None = None,
    message: str | None = None,
) -> Json:
    return {
        "type": "decided",
        "bidId": lot.bid_id(*bid),
        "cmdId": bid[1],
        "auctionId": lot.auction_id,
        "seq": seq,
        "at": at,
        "outcome": "accepted" if code is None else "refused",
        "code": code,
        "message": message,
    }


def _of_end(lot: LotView, event: LotSettled | LotCanceled) -> list[tuple[str, Json]]:
    told = []
    for consumer_id in dict.fromkeys([*lot.bidders, *(win.consumer_id for win in lot.winners)]):
        status = lot.status_of(consumer_id)
        win = lot.win_of(consumer_id) if status == "WON" else None
        frame = {
            "type": "lost" if win is None else "won",
            "auctionId": event.auction_id,
            "seq": event.after.seq,
            "at": event.at,
            "price": event.after.price if win is None else win.amount,
        }
        if status != "NOT_BID":  # their bid was taken back
            told.append((consumer_id, frame))
    return told


def _winning(auction_id: str, after: PublicState, at: int, limit: int | None) -> Json:
    return {
        "type": "winning",
        "auctionId": auction_id,
        "seq": after.seq,
        "at": at,
        "price": after.price,
        "max": limit,
    }


def _outbid(event: BidAccepted | BidCalled, why: str) -> Json:
    return {
        "type": "outbid",
        "auctionId": event.auction_id,
        "seq": event.after.seq if isinstance(event, BidCalled) else event.answer.seq,
        "at": _instant(event),
        "price": event.after.price,
        "askingBid": event.after.asking_bid,
        "paddle": event.after.paddle,
        "channel": event.after.channel,
        "why": why,
    }
