"""Settlement: an invoice for each buyer, and what is done about lots that nobody has paid for.

What is owed and what has been paid is the payments API's to say; here it is added up buyer by
buyer, with premium and tax by the sale's terms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from starlette.responses import Response

from engine.core.messages import CreateSale, State
from gateway.admin.asking import Clerk
from gateway.admin.importing import csv_response
from gateway.admin.sales import pending_of
from gateway.api import payments as payments_api
from gateway.books import addresses
from gateway.books.people import Person
from gateway.core import spreadsheet
from gateway.core.invoices import STATUSES, Invoice, Owed, invoices_of, total_of
from gateway.core.naming import is_floor
from gateway.core.view import LotView, SaleView
from gateway.core.wire.house import Payment
from gateway.core.wording import major_units

_AFTER: Final = (State.CLOSED, State.SETTLING)


async def page(clerk: Clerk, sale_id: str) -> Response:
    """Every buyer's invoice, those first that are overdue."""
    sale = clerk.sale(sale_id)
    lots = clerk.lots(sale)
    invoices = await _invoices(clerk, sale, lots)
    sought = clerk.request.query_params.get("status", "")
    shown = [one for one in invoices if sought in ("", one.status)]
    buyers = await _buyers(clerk, invoices)
    return clerk.page(
        "settlement.html",
        tab="settlement",
        sale=sale.created,
        pending=pending_of(sale),
        invoices=sorted(shown, key=lambda one: STATUSES.index(one.status)),
        names={who: name_of(person) for who, person in buyers.items()},
        emails={who: person.email or "" for who, person in buyers.items()},
        total=total_of(invoices),
        paid=sum(one.paid for one in invoices),
        counts={status: sum(one.status == status for one in invoices) for status in STATUSES},
        sought=sought,
        unsettled=sum(lot.now.state in _AFTER for lot in lots),
        unsold=[lot for lot in lots if _is_unsold(lot)],
        underbidders={
            lot.auction_id: _underbidders(lot) for lot in lots if lot.now.state is State.SETTLED
        },
        has_lots=bool(lots),
    )


def _is_unsold(lot: LotView) -> bool:
    """Can it be put up again because nobody has won it?"""
    return lot.now.state is State.CANCELED or (lot.now.state is State.SETTLED and not lot.winners)


def _underbidders(lot: LotView) -> list[tuple[str, int]]:
    """To whom a lot can be offered for their own bid, the best first: consumer and paddle.  What
    they have bid is theirs to know until it is offered to them."""
    losing = [
        (bidder.limit, who, bidder.paddle)
        for who, bidder in lot.bidders.items()
        if bidder.stands and bidder.limit and lot.win_of(who) is None and not is_floor(who)
    ]
    return [(who, paddle) for _, who, paddle in sorted(losing, key=lambda one: -one[0])]


async def _invoices(clerk: Clerk, sale: SaleView, lots: Sequence[LotView]) -> list[Invoice]:
    settled = [lot for lot in lots if lot.now.state is State.SETTLED and lot.winners]
    found = await payments_api.payments_of(clerk.ask(), settled)
    owed = [
        one
        for lot in settled
        for one in (*_on_the_floor(lot), *(_owed(lot, one) for one in found[lot.auction_id]))
    ]
    return invoices_of(sale.created.terms, owed)


def _on_the_floor(lot: LotView) -> list[Owed]:
    """What was bought by people whom the house knows by their paddle alone."""
    return [
        Owed(
            lot.auction_id,
            lot.catalogue.lot_number,
            lot.catalogue.name,
            win.consumer_id,
            win.paddle or 0,
            win.amount,
            "cashier",
        )
        for win in lot.winners
        if is_floor(win.consumer_id)
    ]


def _owed(lot: LotView, payment: Payment) -> Owed:
    units = int(payment.amount.scaleb(lot.money[1]))
    return Owed(
        lot.auction_id,
        lot.catalogue.lot_number,
        lot.catalogue.name,
        payment.consumer_id,
        _paddle(lot, payment.consumer_id),
        units,
        payment.status,
        payment.offered,
        _at(payment.expires_at),
        payment.order_id,
    )


def _paddle(lot: LotView, consumer_id: str) -> int:
    """The number that somebody has bought with, or might have; 0: it is still to follow."""
    win = lot.win_of(consumer_id)
    return (lot.bidders[consumer_id].paddle if win is None else win.paddle) or 0


def _at(text: str) -> int:
    """The instant that the API has written."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


async def _buyers(clerk: Clerk, invoices: Sequence[Invoice]) -> Mapping[str, Person]:
    ask = clerk.ask()
    who = [one.consumer_id for one in invoices]
    return await ask.books(addresses.persons, ask.gateway.vault, who)


def name_of(person: Person) -> str:
    """What the house calls somebody; empty where they have left no name."""
    names = (person.profile.first_name, person.profile.last_name)
    return " ".join(name for name in names if name)


# ── What is done about it ────────────────────────────────────────────────────────────────


async def act(clerk: Clerk, sale_id: str) -> Response:
    """Give a winner a new token, offer a lot to an underbidder, or put it up again."""
    clerk.sale(sale_id)
    ask, what = clerk.ask(), clerk.form.text("what")
    auction_id, consumer_id = clerk.form.text("lot"), clerk.form.text("consumer")
    lot = ask.lot(auction_id)
    number, back = lot.catalogue.lot_number, f"/admin/sale/{sale_id}/settlement"
    if what == "relist":
        again = await payments_api.relist(ask, auction_id)
        return clerk.done(f"/admin/lot/{again.id}", "admin.did.relisted", lot=number)
    give = payments_api.offer if what == "offer" else payments_api.reissue
    issued = await give(ask, auction_id, consumer_id)
    return clerk.page(
        "token.html",
        tab="settlement",
        sale=lot.sale.created,
        pending=pending_of(lot.sale),
        what="offer" if what == "offer" else "reissue",
        expires_at=_at(issued.expires_at),
        amount=int(issued.amount.scaleb(lot.money[1])),
        back=back,
        lot=number,
        paddle=_paddle(lot, consumer_id),
        token=issued.payment_token,
    )


# ── As a spreadsheet ─────────────────────────────────────────────────────────────────────

_COLUMNS: Final = (
    "paddle", "name", "email", "lot", "title", "hammer", "premium", "tax", "total", "currency",
    "status", "offered", "due", "order",
)  # fmt: skip


async def export(clerk: Clerk, sale_id: str) -> Response:
    """Every line of every invoice."""
    sale = clerk.sale(sale_id)
    invoices = await _invoices(clerk, sale, clerk.lots(sale))
    buyers = await _buyers(clerk, invoices)
    rows = [
        row
        for invoice in invoices
        for row in _rows(invoice, buyers.get(invoice.consumer_id), sale.created)
    ]
    header = [clerk.say(f"admin.csv.{column}") for column in _COLUMNS]
    name = f"settlement-{sale.created.sale_id}.csv"
    return csv_response(spreadsheet.written(header, rows), name)


def _rows(
    invoice: Invoice, person: Person | None, sale: CreateSale
) -> list[list[spreadsheet.Cell]]:
    name = "" if person is None else name_of(person)
    email = "" if person is None else person.email or ""
    found: list[list[spreadsheet.Cell]] = []
    for line in invoice.lines:
        bill = line.bill
        amounts = (bill.hammer, bill.premium, bill.tax, bill.total)
        found.append(
            [
                invoice.paddle,
                name,
                email,
                line.owed.lot_number,
                line.owed.name,
                *(major_units(amount, sale.exponent) for amount in amounts),
                sale.currency,
                line.status,
                "1" if line.owed.offered else "",
                _day(line.owed.expires_at),
                line.owed.order_id,
            ]
        )
    return found


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d}" if at else ""
