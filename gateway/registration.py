"""Registering for a sale: its conditions, the paddle, and the limit with a wish for a higher one.

A plain form: whoever has read the conditions of this version and says so is registered, at once
or when the house has looked at it, as the sale has it.  What became of it the page says in
words, and leads back to the lot that one came from.  A wish for a higher limit is kept for the
clerk, who sees it beside the registration (``gateway.books.limit_wishes``).

Leaves to others: who may be registered (the engine).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from engine.core.messages import CommandRefused, EnterSale
from gateway import browsers, catalogue, pages
from gateway.books import limit_wishes, people
from gateway.books.limit_wishes import LimitWish
from gateway.books.people import Person
from gateway.books.store import BadField
from gateway.browsers import Bidder
from gateway.core.money import read_whole
from gateway.core.own import committed
from gateway.core.view import RegistrationView, SaleView
from gateway.languages import own_path

if TYPE_CHECKING:
    from gateway.app import Gateway

# What the engine may have against a wish to enter, for which there are words.
_REFUSED: Final = ("conditions", "declined", "suspended")


def routes() -> list[Route]:
    """The page of a sale where one registers."""
    return [
        Route("/sale/{sale_id}/register", look, methods=["GET"]),
        Route("/sale/{sale_id}/register", register, methods=["POST"]),
        Route("/sale/{sale_id}/limit", wish_limit, methods=["POST"]),
    ]


@dataclass(frozen=True, slots=True)
class Desk:
    """What the page shows of a sale and of one bidder in it."""

    sale: SaleView
    person: Person | None  # None: the books do not know them
    seat: RegistrationView | None  # None: not registered, or left
    next: str  # where they came from; "": nowhere in particular
    committed: int  # of their limit: what they have won, and lead with
    wish: LimitWish | None  # for a higher limit, that is not answered yet
    names: tuple[str, str]  # as they are known, or as they were typed
    wrong: str = ""
    wrong_limit: bool = False

    @property
    def sale_id(self) -> str:
        return self.sale.created.sale_id

    @property
    def money(self) -> tuple[str, int]:
        return self.sale.created.currency, self.sale.created.exponent

    @property
    def wants_name(self) -> bool:
        """Does the house not know what to call them?"""
        profile = None if self.person is None else self.person.profile
        return profile is None or not (profile.first_name or profile.last_name)

    @property
    def zone(self) -> Any:
        return catalogue.zone_of_sale(self.sale)


async def look(request: Request) -> Response:
    """The page as it is opened."""
    gateway: Gateway = request.app.state.gateway
    sale = catalogue.sale_of(gateway, request.path_params["sale_id"])
    if sale is None:
        return pages.not_found_page(pages.Visit.of(request), "catalogue.no-such-sale")
    bidder = await browsers.bidder_of(gateway, request)
    if bidder is None:
        return browsers.to_sign_in(request)
    target = request.query_params.get("next", "")
    return _page(request, await _desk(gateway, sale, bidder, target), bidder)


async def _desk(gateway: Gateway, sale: SaleView, bidder: Bidder, target: str) -> Desk:
    whose, sale_id = bidder.consumer_id, sale.created.sale_id
    person = await run_in_threadpool(people.by_id, gateway.books, gateway.vault, whose)
    wishes = await run_in_threadpool(limit_wishes.wishes_of_sale, gateway.books, sale_id)
    seat, wish = sale.registrations.get(whose), wishes.get(whose)
    profile = None if person is None else person.profile
    names = (profile.first_name or "", profile.last_name or "") if profile else ("", "")
    return Desk(
        sale=sale,
        person=person,
        seat=None if seat is None or seat.admission == "left" else seat,
        next=own_path(target) if target else "",
        committed=committed(gateway.saleroom, sale, whose),
        wish=wish if wish is not None and seat is not None and wish.is_open(seat.at) else None,
        names=names,
    )


def _page(request: Request, desk: Desk, bidder: Bidder, status: int = 200) -> Response:
    return pages.render(
        "register.html", pages.Visit.of(request), status=status, desk=desk, bidder=bidder
    )


# ── Registering ──────────────────────────────────────────────────────────────────────────


async def register(request: Request) -> Response:
    """Enter the sale, by the conditions that were shown."""
    gateway: Gateway = request.app.state.gateway
    form = await browsers.form_of(gateway, request)
    sale = catalogue.sale_of(gateway, request.path_params["sale_id"])
    if sale is None:
        return pages.not_found_page(pages.Visit.of(request), "catalogue.no-such-sale")
    bidder = await browsers.bidder_of(gateway, request)
    if bidder is None:
        return browsers.to_sign_in(request)
    desk = await _desk(gateway, sale, bidder, form.get("next", ""))
    desk = replace(desk, names=(form.get("first", desk.names[0]), form.get("last", desk.names[1])))
    wrong = await _complaint(gateway, desk, bidder, form)
    if wrong:
        return _page(request, replace(desk, wrong=wrong), bidder, 503 if wrong == "later" else 400)
    seat = sale.registrations.get(bidder.consumer_id)
    is_in = seat is not None and seat.admission == "approved"
    return RedirectResponse(desk.next if is_in and desk.next else _here(desk), 303)


async def _complaint(gateway: Gateway, desk: Desk, bidder: Bidder, form: dict[str, str]) -> str:
    """What is against it; "": nothing any more, it is done."""
    terms = desk.sale.created.terms
    if terms.conditions and form.get("agreed") != "1":
        return "not-agreed"
    if form.get("version", "") != (terms.conditions_version or ""):
        return "conditions"
    if desk.wants_name and not await _named(gateway, bidder, form):
        return "no-name"
    wish = f"{bidder.consumer_id}|{desk.sale_id}|{form.get('wish', '')}"
    command = EnterSale(
        desk.sale_id,
        bidder.consumer_id,
        terms.conditions_version,
        sha256(wish.encode()).hexdigest()[:32],
    )
    outcome = await gateway.feed.command(command)
    if outcome is None:
        return "later"
    if not isinstance(outcome, CommandRefused):
        return ""
    return outcome.objection if outcome.objection in _REFUSED else "refused"


async def _named(gateway: Gateway, bidder: Bidder, form: dict[str, str]) -> bool:
    first, last = form.get("first", "").strip(), form.get("last", "").strip()
    if not (first and last):
        return False
    try:
        await run_in_threadpool(
            people.set_name,
            gateway.books,
            gateway.vault,
            bidder.consumer_id,
            first,
            last,
            gateway.clock.now(),
        )
    except BadField:
        return False
    return True


def _here(desk: Desk) -> str:
    return f"/sale/{desk.sale_id}/register" + (f"?next={desk.next}" if desk.next else "")


# ── A higher limit ───────────────────────────────────────────────────────────────────────


async def wish_limit(request: Request) -> Response:
    """Keep a wish for a higher limit until the house has decided on it."""
    gateway: Gateway = request.app.state.gateway
    form = await browsers.form_of(gateway, request)
    sale = catalogue.sale_of(gateway, request.path_params["sale_id"])
    if sale is None:
        return pages.not_found_page(pages.Visit.of(request), "catalogue.no-such-sale")
    bidder = await browsers.bidder_of(gateway, request)
    if bidder is None:
        return browsers.to_sign_in(request, f"/sale/{sale.created.sale_id}/register")
    desk = await _desk(gateway, sale, bidder, form.get("next", ""))
    amount = read_whole(form.get("amount", ""), sale.created.exponent)
    limit = None if desk.seat is None else desk.seat.limit
    if amount is None or limit is None or amount <= limit:
        return _page(request, replace(desk, wrong_limit=True), bidder, 400)
    wish = LimitWish(desk.sale_id, bidder.consumer_id, amount, gateway.clock.now())
    await run_in_threadpool(limit_wishes.ask, gateway.books, wish)
    return RedirectResponse(_here(desk), 303)
