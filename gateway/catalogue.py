"""The catalogue: the sales and their lots, for whoever comes by, and the lots somebody watches.

The pages are complete without JavaScript: lists, prices as of the moment of writing, filters as
a plain form.  ``static/catalogue.js`` keeps the lots that are seen live, over one connection.
Only sales of the pages' own mode are here, and no token auctions, which are sold by programs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from engine.core.messages import CreateSale, State
from gateway import browsers, pages
from gateway.api.zones import zone_of
from gateway.books import watching
from gateway.browsers import Bidder
from gateway.core import cards, frames
from gateway.core.cards import Face, Sought
from gateway.core.money import format_money
from gateway.core.problems import Problem
from gateway.core.view import LotView, SaleView
from gateway.languages import own_path, phrases_in

if TYPE_CHECKING:
    from gateway.app import Gateway

ON_THE_FRONT: Final = 24  # lots of each sale
A_PAGE: Final = 60
EVERYTHING: Final = Sought()
NOBODY: Final[Mapping[str, Any]] = {"key": "", "now": 0, "live": []}
_LONGEST_SEARCH: Final = 100


def routes() -> list[Route]:
    """The catalogue's pages, and the star on each lot."""
    return [
        Route("/", front),
        Route("/sale/{sale_id}", sale_page),
        Route("/lot/{auction_id}/watch", watch, methods=["POST"]),
    ]


@dataclass(frozen=True, slots=True)
class Shown:
    """A lot as a list shows it."""

    lot: LotView
    face: Face

    @property
    def auction_id(self) -> str:
        return self.lot.auction_id

    @property
    def number(self) -> str:
        return self.lot.catalogue.lot_number

    @property
    def name(self) -> str:
        return self.lot.catalogue.name

    @property
    def photo(self) -> str | None:
        photos = self.lot.catalogue.photos
        return photos[0] if photos else None

    @property
    def money(self) -> tuple[str, int]:
        return self.lot.money


@dataclass(frozen=True, slots=True)
class Card(Shown):
    """One lot of the catalogue."""

    is_watched: bool

    @property
    def estimate(self) -> tuple[int, int] | None:
        low, high = self.lot.catalogue.estimate_low, self.lot.catalogue.estimate_high
        return None if low is None or high is None else (low, high)

    @property
    def bids(self) -> int:
        return self.lot.now.bid_count


@dataclass(frozen=True, slots=True)
class Listing:
    """A sale, with those of its lots that are shown."""

    sale: SaleView
    zone: tzinfo
    cards: Sequence[Card]
    found: int  # lots that were looked for; more than are shown here
    lots: int  # all that the sale has

    @property
    def sale_id(self) -> str:
        return self.sale.created.sale_id

    @property
    def name(self) -> str:
        return self.sale.created.name


async def front(request: Request) -> Response:
    """Every sale, each with its first lots."""
    gateway: Gateway = request.app.state.gateway
    bidder = await browsers.bidder_of(gateway, request)
    watched = await _watched(gateway, bidder)
    sought = _sought(request)
    # What has lots that can be bid on comes first; the rest in the order of their making.
    sales = sorted(_sales(gateway), key=partial(_is_over, gateway))
    listings = [_listing(gateway, sale, sought, watched) for sale in sales]
    shown = [each for each in listings if each.found] if not sought.is_everything else listings
    return front_page(
        pages.Visit.of(request),
        shown,
        sought,
        bidder=bidder,
        on_now=_on_now(gateway, sales),
        state=_state(gateway, [listing.sale for listing in shown]),
    )


def front_page(
    visit: pages.Visit,
    listings: Sequence[Listing],
    sought: Sought = EVERYTHING,
    *,
    bidder: Bidder | None = None,
    on_now: Card | None = None,
    state: Mapping[str, Any] = NOBODY,
) -> HTMLResponse:
    """The page of all sales."""
    return pages.render(
        "catalogue.html",
        visit,
        bidder=bidder,
        listings=listings,
        sought=sought,
        on_now=on_now,
        state=state,
    )


async def sale_page(request: Request) -> Response:
    """One sale with its lots, page by page."""
    gateway: Gateway = request.app.state.gateway
    sale = sale_of(gateway, request.path_params["sale_id"])
    if sale is None:
        return pages.not_found_page(pages.Visit.of(request), "catalogue.no-such-sale")
    bidder = await browsers.bidder_of(gateway, request)
    watched = await _watched(gateway, bidder)
    sought, number = _sought(request), _number(request)
    listing = _listing(gateway, sale, sought, watched, (number - 1) * A_PAGE, A_PAGE)
    lots = _lots(gateway, sale)
    return pages.render(
        "sale.html",
        pages.Visit.of(request),
        bidder=bidder,
        listing=listing,
        seat=sale.registrations.get(bidder.consumer_id) if bidder else None,
        sought=sought,
        first=min((at for lot in lots if (at := lot.opens_at)), default=None),
        last=max((at for lot in lots if (at := lot.now.closes_at)), default=None),
        premium=_premium(sale, pages.Visit.of(request)),
        on_now=_on_now(gateway, [sale]),
        page=_paging(request, number, -(-listing.found // A_PAGE)),
        state=_state(gateway, [sale]),
    )


# ── What is shown ────────────────────────────────────────────────────────────────────────


def sale_of(gateway: Gateway, sale_id: str) -> SaleView | None:
    """The sale of this id, if it is for these pages."""
    sale = gateway.saleroom.sales.get(sale_id)
    return sale if sale is not None and sale.created.mode == gateway.mode_of_pages else None


def lot_of(gateway: Gateway, auction_id: str) -> LotView | None:
    """The lot of this id, if it is for these pages."""
    lot = gateway.saleroom.lot(auction_id)
    return lot if lot is not None and is_shown(gateway, lot) else None


def is_shown(gateway: Gateway, lot: LotView) -> bool:
    """Is the lot for these pages?"""
    return lot.sale.created.mode == gateway.mode_of_pages and lot.terms.tokens is None


def _sales(gateway: Gateway) -> list[SaleView]:
    sales = gateway.saleroom.sales.values()
    return [
        sale
        for sale in sales
        if sale.created.mode == gateway.mode_of_pages and _lots(gateway, sale)
    ]


def _lots(gateway: Gateway, sale: SaleView) -> list[LotView]:
    lots = (gateway.saleroom.lots[auction_id] for auction_id in sale.auction_ids)
    return [lot for lot in lots if lot.terms.tokens is None]


def _listing(
    gateway: Gateway,
    sale: SaleView,
    sought: Sought,
    watched: frozenset[str],
    first: int = 0,
    most: int = ON_THE_FRONT,
) -> Listing:
    lots = _lots(gateway, sale)
    # Of thousands only those that are shown are looked at closely: bids wait meanwhile.
    found = [lot for lot in lots if sought.takes(lot, watched)]
    shown = [card_of(lot, watched) for lot in found[first : first + most]]
    return Listing(sale, zone_of_sale(sale), shown, len(found), len(lots))


def card_of(lot: LotView, watched: frozenset[str] = frozenset()) -> Card:
    """How a list shows the lot."""
    auction = frames.snapshot(lot, "", None)["auction"]
    return Card(lot, cards.face(auction), lot.auction_id in watched)


def zone_of_sale(sale: SaleView) -> tzinfo:
    """The zone in which the sale's times are told."""
    try:
        return zone_of(sale.created.time_zone)
    except Problem:  # of a log that was written before zones were checked
        return UTC


def _is_over(gateway: Gateway, sale: SaleView) -> bool:
    return all(cards.status_of(lot) == "over" for lot in _lots(gateway, sale))


def _premium(sale: SaleView, visit: pages.Visit) -> str:
    """What a buyer pays above the hammer price, in words."""
    said, created = phrases_in(visit.language), sale.created
    if not created.terms.buyers_premium:
        return said.say("catalogue.no-premium")
    tiers = [
        _tier(created, start, percent, visit) for start, percent in created.terms.buyers_premium
    ]
    parts = [said.say("catalogue.premium", tiers=", ".join(tiers))]
    if any(character in "123456789" for character in created.terms.tax_percent):
        parts.append(said.say("catalogue.premium.tax", percent=created.terms.tax_percent))
    return "; ".join(parts) + "."


def _tier(sale: CreateSale, start: int, percent: str, visit: pages.Visit) -> str:
    said = phrases_in(visit.language)
    if not start:
        return said.say("catalogue.premium.tier", percent=percent)
    amount = format_money(start, sale.currency, sale.exponent, visit.language)
    return said.say("catalogue.premium.above", percent=percent, amount=amount)


def _on_now(gateway: Gateway, sales: Iterable[SaleView]) -> Card | None:
    """The lot that an auctioneer is selling now."""
    for sale in sales:
        for lot in _lots(gateway, sale):
            if lot.format == "live" and lot.now.state is State.OPEN:
                return card_of(lot)
    return None


def _state(gateway: Gateway, sales: Iterable[SaleView]) -> dict[str, Any]:
    """What the page's script begins with: the key, and the live lots that are still to come."""
    live = [
        {"id": lot.auction_id, "number": lot.catalogue.lot_number, "name": lot.catalogue.name}
        for sale in sales
        for lot in _lots(gateway, sale)
        if lot.format == "live" and lot.now.state in _TO_COME
    ]
    return {"key": gateway.keys.publishable_key, "now": gateway.clock.now(), "live": live}


_TO_COME: Final = (State.SCHEDULED, State.OPEN, State.PAUSED)


# ── What is looked for ───────────────────────────────────────────────────────────────────


def _sought(request: Request) -> Sought:
    asked = request.query_params
    text = asked.get("q", "")[:_LONGEST_SEARCH].strip()
    status = asked.get("status", "")
    known = status if status in cards.STATUSES else ""
    return Sought(text, known, asked.get("watched") == "1")


def _number(request: Request) -> int:
    said = request.query_params.get("page", "1")
    return max(1, int(said)) if said.isascii() and said.isdigit() and len(said) < 6 else 1


def _paging(request: Request, number: int, last: int) -> dict[str, Any]:
    def to(page: int) -> str | None:
        if not 1 <= page <= last:
            return None
        asked = {**request.query_params, "page": str(page)}
        return f"{request.url.path}?{urlencode(asked)}"

    return {"number": number, "last": last, "before": to(number - 1), "after": to(number + 1)}


# ── Watching ─────────────────────────────────────────────────────────────────────────────


async def _watched(gateway: Gateway, bidder: Bidder | None) -> frozenset[str]:
    if bidder is None:
        return frozenset()
    found = await run_in_threadpool(watching.watched_by, gateway.books, bidder.consumer_id)
    return frozenset(found)


async def watch(request: Request) -> Response:
    """``POST /lot/{id}/watch``, a form: ``on`` is 1 or 0, and ``next`` where a browser without
    scripts goes back to.  A script, which asks for JSON, is told ``{"watching": …}``."""
    gateway: Gateway = request.app.state.gateway
    form = await browsers.form_of(gateway, request)
    wants_json = "application/json" in request.headers.get("accept", "")
    lot = lot_of(gateway, request.path_params["auction_id"])
    bidder = await browsers.bidder_of(gateway, request)
    here = own_path(form.get("next", f"/lot/{request.path_params['auction_id']}"))
    if lot is None:
        return pages.not_found_page(pages.Visit.of(request), "common.no-lot")
    if bidder is None:
        answer = JSONResponse({"error": "Authentication required"}, 401)
        return answer if wants_json else browsers.to_sign_in(request, here)
    is_on = form.get("on") == "1"
    watched = await run_in_threadpool(_mark, gateway, bidder.consumer_id, lot.auction_id, is_on)
    if wants_json:
        return JSONResponse({"watching": watched}, 409 if watched != is_on else 200)
    return RedirectResponse(here, 303)


def _mark(gateway: Gateway, consumer_id: str, auction_id: str, is_on: bool) -> bool:
    if is_on:
        return watching.watch(gateway.books, consumer_id, auction_id, gateway.clock.now())
    watching.unwatch(gateway.books, consumer_id, auction_id)
    return False
