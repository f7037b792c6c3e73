"""Who may bid in a sale: paddles, admissions and limits.

A bidder is entered by the house, by their own wish, or by their first bid where the sale is
open.  A paddle has been shown: it stays with its bidder for the whole sale, and is given to
nobody else, whatever becomes of their admission.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec import Struct

from engine.core.messages import (
    MAX_AMOUNT,
    Admission,
    BidderRegistered,
    CreateSale,
    EnterSale,
    LeaveSale,
    Objection,
    Refusal,
    RegisterBidder,
)

LAST_PADDLE = 999_999  # nobody can hold up a longer one
FIRST_PADDLE = 101  # the first number given out where the house names none
GUEST = "guest_"  # how the ids of guests begin


@dataclass(slots=True)
class Registration:
    """A bidder's place in a sale."""

    paddle: int
    admission: Admission
    limit: int | None = None  # of what they have won and lead with, together
    lots: list[str] = field(default_factory=list)  # on which they have bid
    conditions_version: str | None = None  # that they have said yes to


class Console(Struct, frozen=True, array_like=True, gc=False):
    """A connection from which the sale's live lots are sold, and whose key it is."""

    session: str
    by: str


@dataclass(slots=True)
class Sale:
    """A sale, its paddles and who may bid."""

    said: CreateSale
    removed: bool = False  # its id is never given to another
    registrations: dict[str, Registration] = field(default_factory=dict)  # by consumer id
    paddles: dict[int, str] = field(default_factory=dict)
    next_paddle: int = FIRST_PADDLE
    ring: str | None = None  # the live lot that is being sold
    console: Console | None = None  # in control
    auto_accept: bool = True  # online bids on live lots stand without the rostrum


# What the sale objects to in a bidder who is known to it, by their admission.
ADMISSION_REFUSALS: dict[Admission, Refusal | None] = {
    "approved": None,
    "pending": "pending_approval",
    "declined": "not_registered",
    "suspended": "suspended",
    "left": "not_registered",
}


def register(sale: Sale, command: RegisterBidder, at: int) -> BidderRegistered | Objection:
    """The house admits a bidder, or changes their admission."""
    fits = command.paddle is None or 0 < command.paddle <= LAST_PADDLE
    bounded = command.limit is None or 0 <= command.limit <= MAX_AMOUNT
    if not fits or not bounded or not can_be_kept(command.consumer_id, command.reason, command.by):
        return "invalid"
    known = sale.registrations.get(command.consumer_id)
    paddle = command.paddle or (known.paddle if known is not None else sale.next_paddle)
    holder = sale.paddles.get(paddle)
    if holder is not None and holder != command.consumer_id:
        return "exists"
    if known is not None and known.paddle != paddle and known.lots:
        # A paddle that has been shown stays with its bidder for the whole sale.
        return "exists"
    return BidderRegistered(
        at,
        command.sale_id,
        command.consumer_id,
        paddle,
        command.admission,
        command.limit,
        command.reason,
        command.by,
        known.conditions_version if known is not None else None,
    )


def enter(sale: Sale, wish: EnterSale, at: int) -> BidderRegistered | Objection:
    """A bidder wishes to bid in the sale.  Who was admitted already is told so again; a limit
    stays what the house has made it, also for one who had left."""
    said, version = sale.said, wish.conditions_version
    if not can_be_kept(wish.consumer_id, version or ""):
        return "invalid"
    if not said.supports_guest and wish.consumer_id.startswith(GUEST):
        return "guest"
    known = sale.registrations.get(wish.consumer_id)
    if known is not None and known.admission == "declined":
        return "declined"
    if known is not None and known.admission == "suspended":
        return "suspended"
    in_force = said.terms.conditions_version
    if version is not None and in_force is not None and version != in_force:
        return "conditions"
    admission: Admission = "approved" if said.registration == "open" else "pending"
    if known is not None and known.admission != "left":
        admission = known.admission
    return BidderRegistered(
        at,
        wish.sale_id,
        wish.consumer_id,
        known.paddle if known is not None else sale.next_paddle,
        admission,
        known.limit if known is not None else None,
        conditions_version=version or (known.conditions_version if known is not None else None),
    )


def leave(sale: Sale, wish: LeaveSale, at: int, bound: bool) -> BidderRegistered | Objection:
    """A bidder wishes to have no more to do with the sale.  *bound*: they have won in it, or
    may yet with what they have bid."""
    known = sale.registrations.get(wish.consumer_id)
    if known is None or known.admission == "left":
        return "not_found"
    # A suspension is not got rid of by leaving and coming back.
    if known.admission == "declined":
        return "declined"
    if known.admission == "suspended":
        return "suspended"
    if bound:
        return "leading"
    return BidderRegistered(
        at,
        wish.sale_id,
        wish.consumer_id,
        known.paddle,
        "left",
        known.limit,
        conditions_version=known.conditions_version,
    )


def seat(sale: Sale, event: BidderRegistered) -> None:
    """Make a registration part of the sale."""
    known = sale.registrations.get(event.consumer_id)
    if known is None:
        known = take_paddle(sale, event.consumer_id, event.paddle, event.admission, event.limit)
    elif known.paddle != event.paddle:
        del sale.paddles[known.paddle]
        known.paddle = event.paddle
        _hold(sale, event.consumer_id, event.paddle)
    known.admission, known.limit = event.admission, event.limit
    known.conditions_version = event.conditions_version


def take_paddle(
    sale: Sale,
    consumer_id: str,
    paddle: int,
    admission: Admission = "approved",
    limit: int | None = None,
) -> Registration:
    """A bidder who is new to the sale has this paddle from now on."""
    registration = sale.registrations[consumer_id] = Registration(paddle, admission, limit)
    _hold(sale, consumer_id, paddle)
    return registration


def _hold(sale: Sale, consumer_id: str, paddle: int) -> None:
    sale.paddles[paddle] = consumer_id
    while sale.next_paddle in sale.paddles:
        sale.next_paddle += 1


def can_be_kept(*texts: str) -> bool:
    """No database takes a NUL character."""
    return not any("\0" in text for text in texts)
