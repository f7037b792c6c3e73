"""What programs outside are told: events in the words of the contract, signed, and tried again.

``Lot`` is what must be known of a lot before one of its events; ``happenings`` says what that
event means outside, and folds it into the lot.  A happening becomes an envelope, whose bytes
are what is signed.  An amount is the price that a bid made public, never a limit, and of a
sealed bid nothing is said before it is opened.

Pure: instants, ids and secrets are handed in.  Leaves to others: who subscribes, rows, the
wire (``gateway.books.outbox``, ``gateway.deliveries``), and minting payment tokens, which an
envelope gets only when it is sent: they are secrets, and do not lie in a row.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple

import msgspec

from engine.core.messages import (
    BidAccepted,
    BidCalled,
    BidsUndone,
    Catalogue,
    Event,
    Format,
    LotAdded,
    LotCanceled,
    LotClosed,
    LotExtended,
    LotOpened,
    LotPaused,
    LotReopened,
    LotSettled,
    LotUnpaused,
    LotUpdated,
    Mode,
    Outcome,
    ReserveLowered,
    Terms,
    Win,
)
from gateway.core.consumer import instant, stand_beside
from gateway.core.naming import ORGANIZATION, bid_id
from gateway.core.view import SEALED
from gateway.core.wording import major_units

Json = dict[str, Any]
Judgement = Literal["delivered", "failed", "gone"]

WON: Final = "auction.consumer.won"
TYPES: Final = (
    "auction.bid.placed",
    "auction.bid.outbid",
    WON,
    "auction.settled",
    "distribution.updated",
    "distribution.opened",
    "distribution.closed",
    "verification.completed",
    "counterfeit.alert",
    "transfer.completed",
)


_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 60 * _MINUTE_MS
# What is waited before the second attempt, the third, …: eight attempts, 45 hours in all.
RETRY_AFTER_MS: Final = (
    _MINUTE_MS,
    5 * _MINUTE_MS,
    30 * _MINUTE_MS,
    2 * _HOUR_MS,
    6 * _HOUR_MS,
    12 * _HOUR_MS,
    24 * _HOUR_MS,
)
ROTATION_MS: Final = 24 * _HOUR_MS  # for how long a replaced secret still signs, beside the new


class Happening(NamedTuple):
    """One thing that the outside may want to know."""

    type: str
    at: int
    data: Json


@dataclass(slots=True)
class Lot:
    """What is known of a lot before an event."""

    auction_id: str
    sale_id: str
    mode: Mode
    currency: str
    exponent: int
    format: Format
    winner_count: int
    said: Json  # private: terms and catalogue (``said_of``), to see later what has changed
    price: int | None = None  # that everybody sees
    # Where bids stand beside each other, each is shown at its full amount: by consumer.
    shown: dict[str, int] = field(default_factory=dict)
    # Of a sealed lot that is closed: its bids and its bidders, which no event counts.
    counted: tuple[int, int] | None = None
    outcome: Outcome | None = None
    winners: tuple[Win, ...] = ()

    @property
    def sealed(self) -> bool:
        """Is every bid a secret until the close?"""
        return self.format in SEALED

    @property
    def beside(self) -> bool:
        """Do bids stand beside each other, each at its full amount?"""
        return stand_beside(self.format, self.winner_count)

    def money(self, amount: int | None) -> str | None:
        """Minor units → a decimal string in major units, never in powers of ten."""
        return None if amount is None else plain(major_units(amount, self.exponent))

    def fold(self, event: Event) -> None:
        """Make the event part of what is known."""
        match event:
            case BidAccepted() if (amount := shown_of(self, event)) is not None:
                self.price = event.after.price
                self.shown[event.consumer_id] = amount
            case BidCalled() | BidsUndone():
                self.price = event.after.price
            case LotReopened():
                self.price, self.outcome, self.winners = event.after.price, None, ()
            case ReserveLowered():
                self.said = {**self.said, "reserve": event.reserve}
            case LotOpened() if event.opening is not None:
                self.said = {**self.said, "opening": event.opening}
            case LotAdded() | LotUpdated():
                self.format, self.winner_count = event.terms.format, event.terms.winner_count
                self.said = said_of(event.terms, event.catalogue)
            case LotClosed():
                self.outcome, self.winners = event.outcome, _winners(event)
            case LotCanceled():
                self.outcome, self.winners = "canceled", ()
            case _:
                pass


def plain(amount: Decimal) -> str:
    """A decimal string without an exponent."""
    return format(amount, "f")


def shown_of(lot: Lot, event: BidAccepted | BidCalled) -> int | None:
    """What an accepted bid made public; None: nothing."""
    if isinstance(event, BidCalled):
        return event.after.price
    if event.why is None or lot.sealed:
        return None
    # Nobody sees what else than the price was offered, as a limit or to a falling price.
    return event.answer.amount if lot.beside else event.after.price


def _winners(event: LotClosed) -> tuple[Win, ...]:
    if event.winners or event.winner is None:
        return event.winners
    # Closed by an engine of yesterday, which knew one winner and wrote no list.
    price = event.after.price or 0
    return (Win(event.winner, event.after.paddle or 0, price, price, ""),)


# ── What an event means outside ──────────────────────────────────────────────────────────


def happenings(event: Event, lot: Lot, salt: bytes) -> list[Happening]:
    """What programs outside are told of an event on *lot*, which it is then folded into.

    *salt* is the house's secret, which bids' ids are made with.
    """
    told = list(_told(event, lot, salt))
    lot.fold(event)
    return told


def _told(event: Event, lot: Lot, salt: bytes) -> Iterable[Happening]:
    match event:
        case BidAccepted() | BidCalled():
            yield from _bid(event, lot, salt)
        case BidsUndone():
            yield _distribution("updated", event.at, lot, {"changedFields": ["currentHighBid"]})
        case LotReopened():
            yield _distribution("updated", event.at, lot, {"changedFields": ["status"]})
        case ReserveLowered():
            yield _distribution("updated", event.at, lot, {"changedFields": ["reservePrice"]})
        case LotSettled():
            yield from (_won(event, win, lot) for win in lot.winners)
            yield _settled(event, lot)
        case LotOpened():
            yield _distribution("opened", event.at, lot, {"openedAt": instant(event.at)})
        case LotClosed() | LotCanceled():
            _, bidders = _counts(event, lot)
            data = {"closedAt": instant(event.at), "totalParticipants": bidders}
            yield _distribution("closed", event.at, lot, data)
        case LotUpdated():
            changed = changed_fields(lot.said, said_of(event.terms, event.catalogue))
            yield _distribution("updated", event.at, lot, {"changedFields": changed})
        case LotExtended():
            yield _distribution("updated", event.at, lot, {"changedFields": ["closeAt"]})
        case LotPaused() | LotUnpaused():
            changed = ["status"] if lot.said.get("fixed_end") else ["closeAt", "status"]
            yield _distribution("updated", event.at, lot, {"changedFields": changed})
        case _:
            pass  # nothing that the contract has a word for


def _bid(event: BidAccepted | BidCalled, lot: Lot, salt: bytes) -> Iterable[Happening]:
    at = event.at if isinstance(event, BidCalled) else event.answer.at
    amount = shown_of(lot, event)
    if amount is None:
        return  # a silent raise, or a sealed bid: there is nothing to be seen
    placed = {
        "auctionId": event.auction_id,
        "sequenceId": lot.sale_id,
        "consumerId": event.consumer_id,
        "bidId": bid_id(event.auction_id, event.consumer_id, event.cmd_id, salt),
        "bidAmount": lot.money(amount),
        "currencyCode": lot.currency,
        "bidTime": instant(at),
        # Who bids in the room without a paddle has none in public either.
        "isHighestBid": (event.after.paddle or 0) == event.paddle,
    }
    yield Happening("auction.bid.placed", at, placed)
    if event.beaten is None:
        return
    # Where one leads, they stand at the price, however it came about.
    before = lot.shown.get(event.beaten) if lot.beside else lot.price
    outbid = {
        "auctionId": event.auction_id,
        "sequenceId": lot.sale_id,
        "consumerId": event.beaten,
        "outbidAt": instant(at),
        "previousBidAmount": lot.money(before),
        "newHighBidAmount": lot.money(event.after.price),
    }
    yield Happening("auction.bid.outbid", at, outbid)


def _won(event: LotSettled, win: Win, lot: Lot) -> Happening:
    data = {
        "auctionId": event.auction_id,
        "sequenceId": lot.sale_id,
        "consumerId": win.consumer_id,
        "wonAt": instant(event.at),
        "winningBidAmount": lot.money(win.amount),
        "currencyCode": lot.currency,
        "paymentToken": None,  # when it is sent
    }
    return Happening(WON, event.at, data)


def _settled(event: LotSettled, lot: Lot) -> Happening:
    first = lot.winners[0] if lot.winners else None
    winners = [{"consumerId": w.consumer_id, "amount": lot.money(w.amount)} for w in lot.winners]
    total, bidders = _counts(event, lot)
    data = {
        "auctionId": event.auction_id,
        "sequenceId": lot.sale_id,
        "settledAt": instant(event.at),
        "outcome": lot.outcome or "passed",
        "totalBids": total,
        "uniqueBidders": bidders,
        "winnerId": None if first is None else first.consumer_id,
        "winningBidAmount": None if first is None else lot.money(first.amount),
        "winners": winners,
    }
    return Happening("auction.settled", event.at, data)


def _counts(event: LotClosed | LotCanceled | LotSettled, lot: Lot) -> tuple[int, int]:
    return lot.counted or (event.after.bid_count, event.after.bidder_count)


def _distribution(what: str, at: int, lot: Lot, more: Json) -> Happening:
    data = {
        "distributionId": lot.auction_id,
        "distributionType": "auction",
        "sequenceId": lot.sale_id,
        **more,
    }
    return Happening(f"distribution.{what}", at, data)


# Our names of what can change → the contract's.
_FIELDS: Final = {
    "opening": "startingBid",
    "increments": "minimumIncrement",
    "reserve": "reservePrice",
    "reserve_policy": "reservePolicy",
    "leader_raise": "leaderRaise",
    "ladder_only": "ladderOnly",
    "opens_at": "openAt",
    "closes_at": "closeAt",
    "settle_at": "settleAt",
    "extension_window_ms": "extensionWindowSeconds",
    "extension_ms": "autoExtendSeconds",
    "max_extensions": "maxExtensions",
    "format": "format",
    "winner_count": "winnerCount",
    "buy_now": "buyNowPrice",
    "publish_reserve": "publishReserve",
    "floor": "floorPrice",
    "drop": "priceDropAmount",
    "drop_interval_ms": "priceDropIntervalSeconds",
    "uniform_price": "uniformPrice",
    "currency": "currencyCode",
    "lot_number": "lotNumber",
    "name": "name",
    "description": "description",
    "estimate_low": "estimate",
    "estimate_high": "estimate",
    "photos": "photos",
    "serial": "serial",
}


def said_of(terms: Terms, catalogue: Catalogue) -> Json:
    """What is said of a lot, as JSON has it, by our own names.  Private."""
    said: Json = {}
    for part in (terms, catalogue):
        said |= msgspec.json.decode(msgspec.json.encode(part))  # with lists, as rows have them
    return {name: said[name] for name in (*_FIELDS, "fixed_end")}


def changed_fields(before: Json, after: Json) -> list[str]:
    """The contract's names of what is said differently, in a fixed order.

    None where nothing is known of *before*: the lot was added by a house of yesterday.
    """
    if not before:
        return []
    changed = (name for ours, name in _FIELDS.items() if before.get(ours) != after.get(ours))
    return list(dict.fromkeys(changed))


# ── Envelopes ────────────────────────────────────────────────────────────────────────────


def envelope(delivery_id: str, happening: Happening, mode: Mode) -> str:
    """The happening as it is sent: JSON, whose UTF-8 is what is signed."""
    body: Json = {
        "id": delivery_id,
        "type": happening.type,
        "timestamp": instant(happening.at),
        "organizationId": ORGANIZATION,
    }
    if mode == "test":
        body["test"] = True
    return _written({**body, "data": happening.data})


def with_payment_token(body: str, token: str | None) -> str:
    """The envelope of a win, with the token that it is paid with; None: nothing to be paid."""
    read = json.loads(body)
    read["data"]["paymentToken"] = token
    return _written(read)


def _written(body: Json) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def delivery_id(webhook_id: str, place: str, number: int, salt: bytes) -> str:
    """The name of one telling: the same however often it is tried, or written down.

    *place* is the event's in the history, *number* counts what that one event has to tell.
    """
    named = f"delivery|{webhook_id}|{place}|{number}".encode()
    return "whk_" + hmac.digest(salt, named, "sha256").hex()[:24]


def headers(body: bytes, secrets: list[str], unix_s: int) -> dict[str, str]:
    """What an attempt at *unix_s* says beside its body.

    *secrets*: the one in force and, for a day after a rotation, the one before it, whose
    signature is in a header of its own.
    """
    signed = [f"sha256={signature(secret, unix_s, body)}" for secret in secrets]
    names = ("X-Fairwarning-Signature", "X-Fairwarning-Signature-Previous")
    return {"X-Fairwarning-Timestamp": str(unix_s), **dict(zip(names, signed, strict=False))}


def signature(secret: str, unix_s: int, body: bytes) -> str:
    """Hex HMAC-SHA256 of ``<timestamp>.<raw body>``."""
    return hmac.digest(secret.encode(), f"{unix_s}.".encode() + body, "sha256").hex()


# ── Trying again ─────────────────────────────────────────────────────────────────────────


def judge_status(status: int | None) -> Judgement:
    """What an HTTP status, or the lack of one, says of an attempt."""
    if status is not None and 200 <= status < 300:
        return "delivered"
    return "gone" if status == 410 else "failed"


def next_attempt_at(attempts: int, at: int) -> int | None:
    """When to try again after the *attempts*-th attempt failed at *at*; None: never."""
    return at + RETRY_AFTER_MS[attempts - 1] if attempts <= len(RETRY_AFTER_MS) else None
