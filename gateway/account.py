"""A bidder's own pages: their bids, what they have won and owe, what they watch, and their data.

Lots are grouped by how the bidder stands; the page is whole without scripts, and
``static/me.js`` keeps it live without moving a row.  What was won is shown with its invoice, by
the sale's terms, and until when it is to be paid.  Mails are chosen here; everything that the
house knows can be taken along, and forgotten, as by the API (``gateway.api.me``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from engine.core.messages import State
from gateway import browsers, catalogue, pages
from gateway.api import calls, me
from gateway.api.access import Caller
from gateway.api.auctions import sold_to
from gateway.api.calls import Ask
from gateway.books import payments, people, watching
from gateway.books.dues import Due, dues_in
from gateway.books.payments import first_expiry
from gateway.books.people import NOTICES
from gateway.browsers import Bidder
from gateway.catalogue import Shown
from gateway.core import cards, frames, own
from gateway.core.bill import Bill, bill
from gateway.core.own import GROUPS, Group
from gateway.core.problems import Problem
from gateway.core.view import LotView

if TYPE_CHECKING:
    from gateway.app import Gateway

_ALWAYS_LAST: Final = 2**63  # for lots whose end is not announced


def routes() -> list[Route]:
    """What somebody asks about themselves."""
    return [
        Route("/me", my_bids, methods=["GET"]),
        Route("/me/notices", choose_notices, methods=["POST"]),
        Route("/me/data", my_data, methods=["GET"]),
        Route("/me/erase", ask_to_erase, methods=["GET"]),
        Route("/me/erase", erase, methods=["POST"]),
    ]


@dataclass(frozen=True, slots=True)
class Invoice:
    """What a winner pays for a lot."""

    lines: Bill
    premium_percent: str  # where there is one rate; else ""
    tax_percent: str
    is_settled: bool  # before that nothing is owed yet
    due_until: int | None  # None: it is paid, or nothing is owed yet
    paid_at: int | None
    is_late: bool
    token: str | None  # what the house's checkout asks for, while it is good


@dataclass(frozen=True, slots=True)
class Row(Shown):
    """One lot on a bidder's page."""

    group: Group
    maximum: int | None  # the bidder's own figure
    invoice: Invoice | None = None

    @property
    def zone(self) -> Any:
        return catalogue.zone_of_sale(self.lot.sale)


async def my_bids(request: Request) -> Response:
    """Everything that a bidder has going, and has had."""
    gateway: Gateway = request.app.state.gateway
    bidder = await browsers.bidder_of(gateway, request)
    if bidder is None:
        return browsers.to_sign_in(request)
    person = await run_in_threadpool(people.by_id, gateway.books, gateway.vault, bidder.consumer_id)
    rows = await _rows(gateway, bidder.consumer_id)
    groups = {name: [row for row in rows if row.group == name] for name in GROUPS}
    return pages.render(
        "me.html",
        pages.Visit.of(request),
        bidder=bidder,
        groups={name: found for name, found in groups.items() if found},
        notices=dict.fromkeys(NOTICES, True) if person is None else person.notices,
        saved=request.query_params.get("saved") == "1",
        state={
            "key": gateway.keys.publishable_key,
            "token": bidder.token,
            "now": gateway.clock.now(),
        },
    )


# ── The lots ─────────────────────────────────────────────────────────────────────────────


async def _rows(gateway: Gateway, consumer_id: str) -> list[Row]:
    found = await run_in_threadpool(watching.watched_by, gateway.books, consumer_id)
    watched = frozenset(found)
    theirs = (
        lot
        for lot in gateway.saleroom.catalogued()
        if (consumer_id in lot.bidders or lot.auction_id in watched)
        and catalogue.is_shown(gateway, lot)
    )
    rows = [row for lot in theirs if (row := _row(lot, consumer_id, watched))]
    won = [row.lot for row in rows if row.group == "won"]
    dues = await run_in_threadpool(dues_in, gateway.books, [lot.auction_id for lot in won])
    owed = [_with_invoice(gateway, row, consumer_id, dues) for row in rows]
    return sorted(owed, key=_order)


def _row(lot: LotView, consumer_id: str, watched: frozenset[str]) -> Row | None:
    told = frames.snapshot(lot, "", consumer_id)
    group = own.group(told["auction"], told["you"])
    if group is None:
        if lot.auction_id not in watched:
            return None
        group = "watching"
    return Row(lot, cards.face(told["auction"]), group, told["you"]["max"])


def _order(row: Row) -> tuple[int, int]:
    """What ends first comes first; of what is over, what ended last."""
    if row.group in ("won", "lost"):
        return GROUPS.index(row.group), -(row.lot.settle_at or row.lot.at)
    return GROUPS.index(row.group), row.lot.now.closes_at or _ALWAYS_LAST


def _with_invoice(
    gateway: Gateway, row: Row, consumer_id: str, dues: Mapping[str, Mapping[str, Due]]
) -> Row:
    lot, win = row.lot, row.lot.win_of(consumer_id)
    if row.group != "won" or win is None:
        return row
    terms = lot.sale.created.terms
    due = dues.get(lot.auction_id, {}).get(consumer_id)
    is_settled = lot.now.state is State.SETTLED
    until = first_expiry(lot.settle_at or lot.at) if due is None else due.expires_at
    paid_at = None if due is None else due.completed_at
    is_late = is_settled and paid_at is None and gateway.clock.now() >= until
    invoice = Invoice(
        lines=bill(win.amount, terms),
        premium_percent=terms.buyers_premium[0][1] if len(terms.buyers_premium) == 1 else "",
        tax_percent=terms.tax_percent,
        is_settled=is_settled,
        due_until=until if is_settled and paid_at is None else None,
        paid_at=paid_at,
        is_late=is_late,
        token=_token(gateway, lot, consumer_id) if is_settled and not is_late else None,
    )
    return replace(row, invoice=invoice)


def _token(gateway: Gateway, lot: LotView, consumer_id: str) -> str | None:
    """What pays for the lot; of one that was paid it is worth nothing, and is not shown."""
    sold = sold_to(lot, consumer_id)
    return None if sold is None else payments.current_token(gateway.books, gateway.keys, sold)


# ── Mails ────────────────────────────────────────────────────────────────────────────────


async def choose_notices(request: Request) -> Response:
    """Which mails somebody gets: those that are ticked."""
    gateway: Gateway = request.app.state.gateway
    form = await browsers.form_of(gateway, request)
    bidder = await browsers.bidder_of(gateway, request)
    if bidder is None:
        return browsers.to_sign_in(request, "/me")
    chosen = {kind: form.get(kind) == "1" for kind in NOTICES}
    await run_in_threadpool(
        people.set_notices, gateway.books, bidder.consumer_id, chosen, gateway.clock.now()
    )
    return RedirectResponse("/me?saved=1#notices", 303)


# ── Their data ───────────────────────────────────────────────────────────────────────────


async def my_data(request: Request) -> Response:
    """All that the house knows of somebody, as a file."""
    gateway: Gateway = request.app.state.gateway
    bidder = await browsers.bidder_of(gateway, request)
    if bidder is None:
        return browsers.to_sign_in(request)
    found = await me.export(_ask(gateway, request, bidder))
    headers = {
        "Content-Disposition": 'attachment; filename="fairwarning-my-data.json"',
        "Cache-Control": "no-store",
    }
    return calls.written(found, 200, headers)


async def ask_to_erase(request: Request) -> Response:
    """What an erasure means, before anybody asks for it."""
    gateway: Gateway = request.app.state.gateway
    bidder = await browsers.bidder_of(gateway, request)
    if bidder is None:
        return browsers.to_sign_in(request)
    return _erasure(request, bidder)


def _erasure(request: Request, bidder: Bidder, wrong: str = "", status: int = 200) -> Response:
    visit = pages.Visit.of(request)
    return pages.render("erase.html", visit, status=status, bidder=bidder, wrong=wrong)


async def erase(request: Request) -> Response:
    """Forget somebody, where nothing binds them any more."""
    gateway: Gateway = request.app.state.gateway
    form = await browsers.form_of(gateway, request)
    bidder = await browsers.bidder_of(gateway, request)
    if bidder is None:
        return browsers.to_sign_in(request, "/me/erase")
    if form.get("sure") != "1":
        return _erasure(request, bidder, "not-sure", 400)
    try:
        await me.erase(_ask(gateway, request, bidder))
    except Problem as problem:
        if problem.status != 409:
            raise
        return _erasure(request, bidder, "bound", 409)
    response = pages.render("erased.html", pages.Visit.of(request))
    await browsers.dismiss(gateway, request, response)
    return response


def _ask(gateway: Gateway, request: Request, bidder: Bidder) -> Ask:
    """The same question as the API's, of whoever is signed in on the page."""
    caller = Caller(gateway.mode_of_pages, bidder.consumer_id, bidder.session_id)
    return Ask(gateway, request, caller, "")
