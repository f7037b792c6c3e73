"""From the hammer to the order: payment tokens, and lots that stay unpaid.

A winner's token follows from the settlement; here it is looked at and used up.  What becomes
of a lot that nobody paid for, the house decides, call by call: a new token for the winner,
the underbidder's own bid offered to them, or the lot put up again.  Nothing of it happens by
itself.  Token auctions are paid when they are settled, and have no payments here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from engine.core.messages import State
from gateway.api.auctions import sold_to
from gateway.api.calls import Ask
from gateway.api.lots import NOTHING, added, setting_of, shown
from gateway.books import payments
from gateway.books.addresses import emails
from gateway.books.dues import Due, dues_in
from gateway.books.payments import Refused, Sold
from gateway.books.store import BadField
from gateway.core import lotting
from gateway.core.consumer import instant, moment
from gateway.core.lotting import Offer
from gateway.core.naming import is_floor
from gateway.core.problems import Problem, bad_field
from gateway.core.view import LotView
from gateway.core.wire.consumer import Auction
from gateway.core.wire.house import (
    Claims,
    LotChanges,
    Nothing,
    OrderSaid,
    PaidClaims,
    Payment,
    Payments,
    Relisting,
    TokenIssued,
    TokenSaid,
)
from gateway.core.wording import major_units
from gateway.keys import read_signed

_AS_A_DRAFT: Final = Relisting()
_REFUSED: Final = {
    Refused.USED: "payment_token_used",
    Refused.EXPIRED: "payment_token_expired",
    Refused.INVALID: "payment_token_invalid",
}


# ── Tokens ───────────────────────────────────────────────────────────────────────────────


async def validate(ask: Ask, body: TokenSaid) -> Claims:
    """What a payment token is worth now; 409 where it was used up or has expired."""
    keys, mode = ask.gateway.keys, ask.caller.mode
    found = await ask.books(payments.validate, keys, mode, body.token, ask.now)
    return msgspec.convert(_worth(found), Claims)


async def complete(ask: Ask, body: OrderSaid) -> PaidClaims:
    """Use a payment token up for an order, once; the same order is answered as before."""
    keys, mode, order_id = ask.gateway.keys, ask.caller.mode, body.order_id
    try:
        found = await ask.books(
            payments.complete, keys, mode, body.token, order_id, ask.now, partial(_serial, ask)
        )
    except BadField as fault:
        raise bad_field(fault.field, str(fault)) from fault
    return msgspec.convert({**_worth(found), "orderId": order_id}, PaidClaims)


def _serial(ask: Ask, auction_id: str) -> str | None:
    lot = ask.gateway.saleroom.lot(auction_id)
    return None if lot is None else lot.catalogue.serial


def _worth(found: dict[str, Any] | Refused) -> dict[str, Any]:
    if isinstance(found, Refused):
        raise Problem(_REFUSED[found])
    return found


# ── What is owed for a lot ───────────────────────────────────────────────────────────────


async def listing(ask: Ask, auction_id: str) -> Payments:
    """Who has paid for a lot, who may still pay, and who has let the time pass."""
    lot = ask.lot(auction_id)
    return Payments(data=(await payments_of(ask, [lot]))[auction_id])


async def payments_of(ask: Ask, lots: Sequence[LotView]) -> dict[str, list[Payment]]:
    """By lot: who has paid for it, who may still pay, and who has let the time pass."""
    known = await ask.books(dues_in, [lot.auction_id for lot in lots])
    debts = {lot.auction_id: _debts(lot, known.get(lot.auction_id, {})) for lot in lots}
    who = {debt.consumer_id for owed in debts.values() for debt in owed}
    names = await ask.books(emails, ask.gateway.vault, sorted(who))
    return {
        auction_id: [
            _payment(ask, debt, known.get(auction_id, {}).get(debt.consumer_id), names)
            for debt in owed
        ]
        for auction_id, owed in debts.items()
    }


def _debts(lot: LotView, known: Mapping[str, Due]) -> list[Sold]:
    """What each winner owes for a lot, and then each of those whom it was offered to."""
    winners = [win.consumer_id for win in lot.winners]
    offered = [consumer_id for consumer_id in known if consumer_id not in winners]
    return [debt for who in (*winners, *offered) if (debt := _debt(lot, who)) is not None]


async def reissue(
    ask: Ask, auction_id: str, consumer_id: str, body: Nothing = NOTHING
) -> TokenIssued:
    """Give a winner a new token; those before it are worth nothing any more."""
    lot = ask.lot(auction_id)
    sold = sold_to(lot, consumer_id)
    if sold is None:
        raise Problem("conflict", "Only a winner of a settled auction has something to pay.")
    return await _issued(ask, lot, sold)


async def offer(
    ask: Ask, auction_id: str, consumer_id: str, body: Nothing = NOTHING
) -> TokenIssued:
    """Offer an underbidder the lot for their own bid, where a winner has not paid in time."""
    lot = ask.lot(auction_id)
    sold = _debt(lot, consumer_id)
    if sold is None or lot.win_of(consumer_id) is not None:
        raise Problem("conflict", "Only a losing bidder of a settled auction can be offered it.")
    return await _issued(ask, lot, sold)


async def relist(ask: Ask, auction_id: str, body: Relisting = _AS_A_DRAFT) -> Auction:
    """Put a lot up again that was not sold, or not paid for: the same terms, a new auction."""
    lot = ask.lot(auction_id)
    if not await _is_free(ask, lot):
        raise Problem("conflict", "Only a lot that was not sold or not paid for is put up again.")
    again = Offer(
        replace(lot.terms, opens_at=None, closes_at=None, settle_at=None, sealing=None),
        lot.catalogue,
    )
    said = LotChanges(open_at=body.open_at, close_at=body.close_at, settle_at=body.settle_at)
    offer = lotting.amended(again, said, setting_of(lot.sale))
    return shown(ask, ask.lot(await added(ask, lot.sale.created.sale_id, offer)))


def _debt(lot: LotView, consumer_id: str) -> Sold | None:
    """What somebody pays for a lot: a winner their price, a loser their own bid."""
    if lot.win_of(consumer_id) is not None:
        return sold_to(lot, consumer_id)
    bidder = lot.bidders.get(consumer_id)
    if bidder is None or not bidder.stands or not bidder.limit or not lot.winners:
        return None
    if is_floor(consumer_id):  # whom no offer reaches
        return None
    # Owed as a winner would owe it, but for the price.
    price = sold_to(lot, lot.winners[0].consumer_id)
    if price is None:
        return None
    return Sold(
        price.auction_id,
        consumer_id,
        bidder.limit,
        price.exponent,
        price.currency,
        price.settled_at,
        price.mode,
    )


async def _issued(ask: Ask, lot: LotView, sold: Sold) -> TokenIssued:
    token = await ask.books(payments.issue, ask.gateway.keys, sold, _owed(lot), ask.now)
    if token is Refused.TAKEN:
        raise Problem("conflict", "Others have paid for it, or may still pay.")
    if isinstance(token, Refused):
        raise Problem(_REFUSED[token])
    return TokenIssued(
        auction_id=sold.auction_id,
        consumer_id=sold.consumer_id,
        amount=major_units(sold.amount, sold.exponent),
        currency_code=sold.currency,
        payment_token=token,
        expires_at=moment(_expiry(ask, token)),
    )


def _owed(lot: LotView) -> list[Sold]:
    """What each winner owes; nothing before the settlement."""
    return [sold for win in lot.winners if (sold := sold_to(lot, win.consumer_id)) is not None]


async def _is_free(ask: Ask, lot: LotView) -> bool:
    if lot.terms.tokens is not None:
        raise Problem("wrong_format")
    if lot.now.state is State.CANCELED:
        return True
    return lot.now.state is State.SETTLED and (
        not lot.winners or await ask.books(payments.is_unpaid, _owed(lot), ask.now)
    )


def _payment(ask: Ask, debt: Sold, due: Due | None, names: dict[str, str]) -> Payment:
    won = ask.lot(debt.auction_id).win_of(debt.consumer_id) is not None
    # Without a row it is the first token, which follows from the settlement.
    token = payments.first_token(ask.gateway.keys, debt) if due is None else None
    expires_at = due.expires_at if due is not None else _expiry(ask, token or "")
    is_paid = due is not None and due.completed_at is not None
    return Payment(
        auction_id=debt.auction_id,
        consumer_id=debt.consumer_id,
        email=names.get(debt.consumer_id),
        amount=major_units(debt.amount, debt.exponent),
        currency_code=debt.currency,
        status="paid" if is_paid else "due" if ask.now < expires_at else "unpaid",
        offered=not won,
        issue=1 if due is None else due.issue,
        expires_at=moment(expires_at),
        order_id=None if due is None else due.order_id,
        paid_at=None if due is None else instant(due.completed_at),
    )


def _expiry(ask: Ask, token: str) -> int:
    """When a token of ours expires, ms."""
    return int(read_signed(ask.gateway.keys, "payment+jwt", token)["exp"]) * 1000
