"""What the house knows of the caller: to be seen, to be erased, and which mails they want.

The log is never changed: bids speak of a consumer id, and after an erasure nothing leads from
the id to anybody (``gateway.books.rights``).  What a bid or a debt still needs is not erased.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, structs
from sqlalchemy import Engine, select

from engine.core.messages import State
from gateway.api.auctions import bids_of
from gateway.api.calls import Ask
from gateway.books import ledger, payments, people, rights
from gateway.books.store import reading
from gateway.core import consumer
from gateway.core.problems import Problem
from gateway.core.view import LotView
from gateway.core.wire.consumer import (
    Export,
    NoticeChoice,
    Notices,
    OwnBid,
    OwnPayment,
    OwnTokens,
)
from gateway.core.wording import major_units

MOST_BIDS = 100_000  # of one bidder on one lot: more than anybody places

# ── To be seen ───────────────────────────────────────────────────────────────────────────


async def export(ask: Ask) -> Export:
    """Everything that the house knows of the caller."""
    whose, vault = ask.consumer_id, ask.gateway.vault
    lots = _bid_on(ask)
    seats = (consumer.own_registration(s, whose) for s in ask.gateway.saleroom.sales.values())
    wins = (consumer.own_win(lot, whose) for lot in lots)
    return Export(
        consumer_id=whose,
        person=await ask.books(rights.export, vault, whose),
        registrations=[seat for seat in seats if seat is not None],
        bids=[bid for lot in lots for bid in await _bids(ask, lot)],
        wins=[win for win in wins if win is not None],
        payments=await ask.books(_payments, whose),
        balances=await ask.books(_balances, whose),
    )


def _bid_on(ask: Ask) -> list[LotView]:
    lots = ask.gateway.saleroom.lots.values()
    return [lot for lot in lots if ask.consumer_id in lot.bidders]


async def _bids(ask: Ask, lot: LotView) -> list[OwnBid]:
    return [
        OwnBid(
            auction_id=lot.auction_id,
            bid_id=bid.bid_id,
            amount=bid.amount,
            currency_code=lot.money[0],
            timestamp=bid.timestamp,
        )
        for bid in await bids_of(ask, lot, MOST_BIDS)
    ]


def _payments(books: Engine, consumer_id: str) -> list[OwnPayment]:
    table = payments.payments
    query = select(table).where(table.c.consumer_id == consumer_id)
    with reading(books) as connection:
        rows = connection.execute(query.order_by(table.c.issued_at, table.c.jti))
        return [_payment(row) for row in rows]


def _payment(row: Any) -> OwnPayment:
    return OwnPayment(
        auction_id=row.auction_id,
        issued_at=consumer.moment(row.issued_at),
        expires_at=consumer.moment(row.expires_at),
        order_id=row.order_id,
        completed_at=consumer.instant(row.completed_at),
    )


def _balances(books: Engine, consumer_id: str) -> list[OwnTokens]:
    return [
        OwnTokens(
            asset_id=balance.asset_id,
            symbol=balance.symbol,
            token_id=balance.token_id,
            available=major_units(balance.available, balance.decimals),
            held=major_units(balance.held, balance.decimals),
        )
        for balance in ledger.balances(books, consumer_id)
    ]


# ── To be erased ─────────────────────────────────────────────────────────────────────────


async def erase(ask: Ask) -> None:
    """Forget the caller; 409 while a bid or a debt of theirs stands."""
    whose, gateway = ask.consumer_id, ask.gateway
    bound = [lot for lot in _bid_on(ask) if consumer.binds(lot, whose)]
    if bound and not await ask.books(_all_paid, bound, whose):
        raise Problem("debt_or_bid_stands")
    await ask.books(rights.erase, gateway.vault, whose, ask.now)
    assert ask.caller.session_id is not None
    gateway.end_session(ask.caller.session_id)  # the others end when the books are read next


def _all_paid(books: Engine, lots: list[LotView], consumer_id: str) -> bool:
    """Were all of these lots won, settled and paid for?  Tokens are paid at settlement."""
    if any(lot.now.state is not State.SETTLED for lot in lots):
        return False
    owed = {lot.auction_id for lot in lots if lot.terms.tokens is None}
    table = payments.payments
    query = select(table.c.auction_id).where(
        table.c.consumer_id == consumer_id, table.c.completed_at.is_not(None)
    )
    with reading(books) as connection:
        return owed <= set(connection.scalars(query))


# ── Mails ────────────────────────────────────────────────────────────────────────────────


async def notices(ask: Ask) -> Notices:
    """Which mails the caller gets."""
    person = await ask.books(people.by_id, ask.gateway.vault, ask.consumer_id)
    if person is None:
        raise Problem("not_found", "Nobody is written down under this id.")
    return Notices(**person.notices)


async def choose_notices(ask: Ask, body: NoticeChoice) -> Notices:
    """Switch mails on or off; what is not named stays as it is."""
    changes = {name: on for name, on in structs.asdict(body).items() if on is not UNSET}
    chosen = await ask.books(people.set_notices, ask.consumer_id, changes, ask.now)
    if chosen is None:
        raise Problem("not_found", "Nobody is written down under this id.")
    return Notices(**chosen)
