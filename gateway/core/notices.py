"""What bidders are told by mail: who is told of an event, and in which words.

A notice names whom it is for, what it is about and the figures of that moment; names and
addresses it does not hold: what is printed is looked up when it is sent.  Each kind can be
switched off by its reader.  All wording is here, in English.

Leaves to others: rows and instants to come (``gateway.books.outbox``), preferences and
addresses (``gateway.deliveries``), and how a mail is made of the words (``gateway.mail``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple, get_args

from engine.core.messages import (
    BidAccepted,
    BidCalled,
    BidderRegistered,
    BidsUndone,
    Event,
    LotCanceled,
    LotReopened,
    LotSettled,
)
from gateway.core.naming import is_floor
from gateway.core.webhooks import Lot, shown_of

Kind = Literal["outbid", "ending_soon", "won", "payment_due", "lost", "registration", "undone"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)  # as preferences name them

_MINUTE_MS: Final = 60_000
OUTBID_EVERY_MS: Final = 10 * _MINUTE_MS  # to one bidder, of one lot
ENDING_SOON_MS: Final = 15 * _MINUTE_MS  # before the end
PAYMENT_DUE_MS: Final = 24 * 60 * _MINUTE_MS  # before the payment token expires

_LONGEST_IN_SUBJECT: Final = 40  # characters of a name: a subject is read in a list


@dataclass(frozen=True, slots=True)
class Notice:
    """One bidder shall be told of one thing."""

    kind: Kind
    consumer_id: str
    at: int  # when it came about
    sale_id: str
    auction_id: str | None = None  # None: it is about the whole sale
    figures: dict[str, Any] = field(default_factory=dict)  # of that moment; nothing personal


# ── Who is told ──────────────────────────────────────────────────────────────────────────


def notices_of(event: Event, place: int, lot: Lot, bidders: Iterable[str]) -> list[Notice]:
    """Whom an event on *lot* concerns, before it is folded into the lot.

    *place* is the event's in its shard's log; *bidders* are all who have an accepted bid on
    the lot, and are asked for only where all of them are told; of a lot that is reopened, who
    leads again.
    """
    match event:
        case BidAccepted() | BidCalled():
            return _outbid(event, place, lot)
        case BidsUndone():
            undone = dict.fromkeys(consumer_id for consumer_id, _ in event.undone)
            return _taken_back(event, lot, undone)
        case LotReopened():
            return _taken_back(event, lot, bidders)
        case LotSettled():
            won = [
                _won(win.consumer_id, win.amount, event.at, lot)
                for win in lot.winners
                if _reachable(win.consumer_id)
            ]
            winners = {win.consumer_id for win in lot.winners}
            return won + _lost(event.at, lot, [each for each in bidders if each not in winners])
        case LotCanceled():
            return _lost(event.at, lot, bidders, canceled=True)
        case _:
            return []


def _taken_back(
    event: BidsUndone | LotReopened, lot: Lot, concerned: Iterable[str]
) -> list[Notice]:
    """The rostrum has taken bids back, or a sale."""
    figures = {"reason": event.reason, "reopened": isinstance(event, LotReopened)}
    if event.after.price is not None:
        figures["price"] = event.after.price
    return [
        Notice("undone", consumer_id, event.at, lot.sale_id, lot.auction_id, figures)
        for consumer_id in concerned
        if _reachable(consumer_id)
    ]


def _outbid(event: BidAccepted | BidCalled, place: int, lot: Lot) -> list[Notice]:
    if event.beaten is None or shown_of(lot, event) is None or not _reachable(event.beaten):
        return []
    figures = {"price": event.after.price, "asking": event.after.asking_bid, "place": place}
    at = event.at if isinstance(event, BidCalled) else event.answer.at
    return [Notice("outbid", event.beaten, at, lot.sale_id, lot.auction_id, figures)]


def _won(consumer_id: str, amount: int, at: int, lot: Lot) -> Notice:
    return Notice("won", consumer_id, at, lot.sale_id, lot.auction_id, {"amount": amount})


def _lost(at: int, lot: Lot, bidders: Iterable[str], canceled: bool = False) -> list[Notice]:
    figures = {"canceled": True} if canceled else {}
    return [
        Notice("lost", consumer_id, at, lot.sale_id, lot.auction_id, figures)
        for consumer_id in bidders
        if _reachable(consumer_id)
    ]


def registration_notice(event: BidderRegistered) -> Notice | None:
    """A bidder is told what the house has decided, never what they did themselves."""
    decided = event.admission in ("approved", "declined", "suspended")
    if not event.by or not decided or not _reachable(event.consumer_id):
        return None
    figures = {"admission": event.admission, "paddle": event.paddle, "reason": event.reason}
    return Notice("registration", event.consumer_id, event.at, event.sale_id, None, figures)


def _reachable(consumer_id: str) -> bool:
    # Neither a guest nor somebody in the room has left an address.
    return not consumer_id.startswith("guest_") and not is_floor(consumer_id)


class Bid(NamedTuple):
    """A bidder's last accepted bid on a lot."""

    consumer_id: str
    amount: int  # private: may be a limit
    place: int  # in the log


def passed_over(last_bids: Sequence[Bid], winner_count: int) -> list[str]:
    """Who has bid on a lot and holds no winning place now: the higher, then the earlier, do."""
    ranked = sorted(last_bids, key=lambda bid: (-bid.amount, bid.place))
    return [bid.consumer_id for bid in ranked[winner_count:] if _reachable(bid.consumer_id)]


# ── In which words ───────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a mail speaks of, as it is when the mail is sent."""

    sale_name: str
    lot_number: str  # empty where the whole sale is meant
    lot_name: str
    link: str  # where its reader goes on
    preferences: str  # where mail like this is switched off
    amounts: Mapping[str, str]  # in words: ``44000.00 EUR``
    until: int | None = None  # when the lot closes, or the payment is due
    admission: str = ""
    paddle: int = 0
    reason: str = ""
    canceled: bool = False
    reopened: bool = False


class Words(NamedTuple):
    """A mail's subject and its text."""

    subject: str
    text: str


def wording(kind: Kind, about: Occasion) -> Words:
    """What a notice says."""
    subject, lines = _WORDS[kind](about)
    foot = f"You get this mail because you take part in {one_line(about.sale_name)}."
    off = f"Switch off mail like this: {about.preferences}"
    return Words(subject, "\n".join([*lines, "", "-- ", foot, off]) + "\n")


def one_line(text: str) -> str:
    """The text without line breaks and other characters that are no print."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", text).split())


def _lot(about: Occasion, word: str = "lot") -> str:
    return f"{word} {_short(about.lot_number)}"


def _titled(about: Occasion) -> str:
    return f"lot {one_line(about.lot_number)}, {one_line(about.lot_name)}"


def _short(text: str) -> str:
    text = one_line(text)
    return text if len(text) <= _LONGEST_IN_SUBJECT else text[: _LONGEST_IN_SUBJECT - 1] + "…"


def _moment(ms: int) -> str:
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{moment:%H:%M} UTC on {moment.day} {moment:%B %Y}"


def _outbid_words(about: Occasion) -> tuple[str, list[str]]:
    lines = [f"Somebody has outbid you on {_titled(about)}."]
    lines.append(f"The bid stands at {about.amounts['price']}.")
    if "asking" in about.amounts:
        lines.append(f"The next bid would be {about.amounts['asking']}.")
    if about.until is not None:
        lines.append(f"Bidding closes at {_moment(about.until)}.")
    return f"Outbid on {_lot(about)}", [*lines, "", f"Bid again: {about.link}"]


def _ending_words(about: Occasion) -> tuple[str, list[str]]:
    lines = [f"Bidding on {_titled(about)} closes soon, and you do not lead."]
    if about.until is not None:
        lines.append(f"It closes at {_moment(about.until)}.")
    return f"{_lot(about, 'Lot')} closes soon", [*lines, "", f"Bid again: {about.link}"]


def _won_words(about: Occasion) -> tuple[str, list[str]]:
    lines = [f"You have won {_titled(about)}, for {about.amounts['amount']}."]
    if about.until is not None:
        lines.append(f"Please pay until {_moment(about.until)}.")
    return f"You won {_lot(about)}", [*lines, "", f"Pay: {about.link}"]


def _due_words(about: Occasion) -> tuple[str, list[str]]:
    lines = [f"The payment for {_titled(about)} is due soon: {about.amounts['amount']}."]
    if about.until is not None:
        lines.append(f"It can be made until {_moment(about.until)}.")
    return f"Payment due for {_lot(about)}", [*lines, "", f"Pay: {about.link}"]


def _lost_words(about: Occasion) -> tuple[str, list[str]]:
    if about.canceled:
        lines = [f"The bidding on {_titled(about)} was canceled. Your bids do not stand."]
        return f"{_lot(about, 'Lot')} was canceled", [*lines, "", f"The lot: {about.link}"]
    lines = [f"Bidding on {_titled(about)} has ended, and you have not won it."]
    return f"{_lot(about, 'Lot')} has ended", [*lines, "", f"The lot: {about.link}"]


_DECIDED: Final = {
    "approved": "The house has approved your registration",
    "declined": "The house has declined your registration",
    "suspended": "The house has suspended your bidding",
}


def _registration_words(about: Occasion) -> tuple[str, list[str]]:
    lines = [f"{_DECIDED[about.admission]} for {one_line(about.sale_name)}."]
    if about.admission == "approved":
        lines.append(f"Your paddle is {about.paddle}.")
    if about.reason:
        lines.append(f"Reason: {one_line(about.reason)}")
    return f"Registration {about.admission}", [*lines, "", f"The sale: {about.link}"]


def _undone_words(about: Occasion) -> tuple[str, list[str]]:
    if about.reopened:
        subject = f"{_lot(about, 'Lot')} was reopened"
        lines = [f"The auctioneer has reopened {_titled(about)}: the hammer does not count."]
        if "price" in about.amounts:
            lines.append(f"Your bid leads at {about.amounts['price']} until somebody bids more.")
    else:
        subject = f"Your bid on {_lot(about)} was undone"
        lines = [f"The auctioneer has undone your bid on {_titled(about)}. It does not stand."]
        if "price" in about.amounts:
            lines.append(f"The price is {about.amounts['price']} again, and nobody leads.")
    lines.append(f"Reason: {one_line(about.reason)}")
    return subject, [*lines, "", f"Bid again: {about.link}"]


_WORDS: Final = {
    "outbid": _outbid_words,
    "ending_soon": _ending_words,
    "won": _won_words,
    "payment_due": _due_words,
    "lost": _lost_words,
    "registration": _registration_words,
    "undone": _undone_words,
}
