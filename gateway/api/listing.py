"""An object on its way into a sale: may the lot that names it be scheduled or opened?

A draft may name any serial.  Whatever is to be sold at a time that is said, or now, needs an
object whose binding is complete and which nobody else is selling; the verifier is asked, and
what it does not answer is not assumed.  That it was put up is written into its provenance
later, by the clerk (``gateway.books.news``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from msgspec.structs import replace

from engine.core.messages import Mode, State
from gateway.api.calls import Ask
from gateway.core.lotting import Offer
from gateway.core.problems import Problem, bad_field
from gateway.core.view import LotView
from gateway.line import Unreachable
from gateway.objects import Object

_Question = Callable[[str, Mode], Awaitable[Object | None]]

_FREE: Final = ("cataloged", "listed")  # the house may have listed it by hand
_ON_OFFER: Final = (State.OPEN, State.PAUSED, State.CLOSED, State.SETTLING)


def is_put_up(offer: Offer) -> bool:
    """Is an object to be sold, and at a time that is said?  Without one it is a draft."""
    return offer.catalogue.serial is not None and offer.terms.opens_at is not None


def is_newly_put_up(before: Offer | None, offer: Offer) -> bool:
    """Is an object put up by this, which was not before?"""
    if not is_put_up(offer):
        return False
    same = before is not None and before.catalogue.serial == offer.catalogue.serial
    return not (same and before is not None and is_put_up(before))


async def admitted(ask: Ask, offer: Offer, auction_id: str) -> Offer:
    """The offer, its serial spelt as the verifier does, and its object kept for this auction.

    Of several that are put up at once with one object, on whatever gateway, one has it.  Raises
    ``Problem``: 400 where there is no such object, 409 where it cannot be sold as it stands,
    503 where nobody knows.
    """
    claim = partial(ask.gateway.objects.claim, auction_id=auction_id)
    return await _judged(ask, offer, auction_id, claim)


async def looked_at(ask: Ask, offer: Offer, auction_id: str | None) -> Offer:
    """The same for an auction that may come, or has no id yet: nothing is kept for it."""
    return await _judged(ask, offer, auction_id, ask.gateway.objects.find)


async def _judged(ask: Ask, offer: Offer, auction_id: str | None, question: _Question) -> Offer:
    serial = offer.catalogue.serial
    assert serial is not None, "there is something to be asked"
    found = await _find(ask, serial, question)
    _check(found, auction_id)
    other = on_offer(ask).get(found.serial, auction_id)
    if other != auction_id:
        # The verifier may not have heard of it yet.
        raise _not_now("listed", f"by {other}")
    return Offer(offer.terms, replace(offer.catalogue, serial=found.serial))


def on_offer(ask: Ask) -> Mapping[str, str]:
    """The auction by which each object of the caller's mode is on offer, by serial."""
    lots = ask.gateway.saleroom.lots.values()
    return {
        serial: lot.auction_id
        for lot in lots
        if (serial := lot.catalogue.serial) is not None
        and lot.sale.created.mode == ask.caller.mode
        and _is_on_offer(lot)
    }


def _is_on_offer(lot: LotView) -> bool:
    if lot.now.state is State.SCHEDULED:
        return is_put_up(Offer(lot.terms, lot.catalogue))
    return lot.now.state in _ON_OFFER and lot.outcome != "passed"


async def _find(ask: Ask, serial: str, question: _Question) -> Object:
    try:
        found = await question(serial, ask.caller.mode)
    except Unreachable as failure:
        again = {"Retry-After": "1"}
        raise Problem("unavailable", "The object cannot be checked now.", headers=again) from (
            failure
        )
    if found is None:
        raise bad_field("serial", "no object has this serial")
    return found


def _check(found: Object, auction_id: str | None) -> None:
    if found.binding_status != "bound":
        raise Problem("binding_required", f"The object's binding is {found.binding_status}.")
    if found.open_auction is not None:
        if found.open_auction != auction_id:
            raise _not_now(found.status, f"by {found.open_auction}")
    elif found.status not in _FREE:
        raise _not_now(found.status, "")


def _not_now(status: str, how: str) -> Problem:
    stands = f"{status} {how}".strip()
    return Problem("invalid_transition", f"The object is {stands}; only a cataloged one is put up.")
