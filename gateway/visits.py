"""What a browser is shown: from the view, and whoever is signed in, to the pages.

``pages`` writes them; here it is looked up who asks and what they may see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gateway import pages
from gateway.core import frames
from gateway.core.session import Unauthorized
from gateway.core.view import LotView, SaleView
from gateway.keys import DemoBidder

if TYPE_CHECKING:
    from gateway.app import Gateway

SESSION_COOKIE = "fairwarning_session"
SESSION_LIVES_S = 30 * 24 * 3600


def routes() -> list[Route]:
    """Every page that a person opens."""
    return [
        Route("/", catalogue),
        Route("/lot/{auction_id}", lot_page),
        Route("/sign-in", sign_in),
        Route("/sign-in/{code}", sign_in_by_link),
    ]


async def catalogue(request: Request) -> Response:
    gateway: Gateway = request.app.state.gateway
    entered = gateway.saleroom.sales.values()
    found = [(sale.created.name, _cards(gateway, sale)) for sale in entered]
    sales = [(name, cards) for name, cards in found if cards]
    return pages.catalogue_page(sales, pages.Visit.of(request))


def _cards(gateway: Gateway, sale: SaleView) -> list[pages.LotCard]:
    """A sale's lots, as far as they are for these pages: their key sees its own mode only, and
    token auctions are sold by programs."""
    if sale.created.mode != gateway.mode_of_pages:
        return []
    lots = [gateway.saleroom.lots[auction_id] for auction_id in sale.auction_ids]
    return [_card(lot) for lot in lots if lot.terms.tokens is None]


async def lot_page(request: Request) -> Response:
    gateway: Gateway = request.app.state.gateway
    lot = gateway.saleroom.lot(request.path_params["auction_id"])
    if lot is None or lot.sale.created.mode != gateway.mode_of_pages:
        return pages.not_found_page(pages.Visit.of(request), "common.no-lot")
    session = _session(gateway, request, lot)
    consumer_id = None if session is None else gateway.identify(session.token).consumer_id
    lineage = gateway.feed.lineages[lot.shard]
    return pages.lot_page(
        pages.LotPage(
            auction_id=lot.auction_id,
            lot_number=lot.catalogue.lot_number,
            name=lot.catalogue.name,
            description=lot.catalogue.description,
            sale_name=lot.sale.created.name,
            estimate_low=lot.catalogue.estimate_low,
            estimate_high=lot.catalogue.estimate_high,
            photos=lot.catalogue.photos,
            provenance=lot.catalogue.provenance,
            snapshot=frames.snapshot(lot, lineage, consumer_id),
            session=session,
            publishable_key=gateway.keys.publishable_key,
            now=gateway.clock.now(),
        ),
        pages.Visit.of(request),
    )


async def sign_in(request: Request) -> Response:
    """There is no form yet."""
    return pages.not_found_page(pages.Visit.of(request), "common.ask-for-link")


async def sign_in_by_link(request: Request) -> Response:
    """A demonstration bidder's link: sets the session that the pages use."""
    gateway: Gateway = request.app.state.gateway
    bidder = _demo_bidder(gateway, request.path_params["code"])
    if bidder is None:
        return pages.not_found_page(pages.Visit.of(request), "common.no-link")
    target = request.query_params.get("next", "/")
    local = target.startswith("/") and not target.startswith(("//", "/\\"))
    response = RedirectResponse(target if local else "/", 303)
    secure = gateway.settings.public_url.startswith("https:")
    response.set_cookie(
        SESSION_COOKIE,
        request.path_params["code"],
        max_age=SESSION_LIVES_S,
        httponly=True,
        samesite="lax",
        secure=secure,
    )
    return response


def _session(gateway: Gateway, request: Request, lot: LotView) -> pages.Session | None:
    bidder = _demo_bidder(gateway, request.cookies.get(SESSION_COOKIE, ""))
    if bidder is None:
        return None
    try:
        gateway.identify(bidder.token)
    except Unauthorized:
        return None
    paddle = lot.sale.paddles.get(bidder.consumer_id)
    return pages.Session(bidder.name, paddle, bidder.token, gateway.keys.publishable_key)


def _demo_bidder(gateway: Gateway, code: str) -> DemoBidder | None:
    bidders = gateway.keys.demo.bidders if gateway.keys.demo is not None else ()
    for bidder in bidders:
        if code and bidder.url.rsplit("/", 1)[-1] == code:
            return bidder
    return None


def _card(lot: LotView) -> pages.LotCard:
    catalogue = lot.catalogue
    estimate = None
    if catalogue.estimate_low is not None and catalogue.estimate_high is not None:
        estimate = (catalogue.estimate_low, catalogue.estimate_high)
    return pages.LotCard(
        auction_id=lot.auction_id,
        lot_number=catalogue.lot_number,
        name=catalogue.name,
        photo=catalogue.photos[0] if catalogue.photos else None,
        estimate=estimate,
        price=lot.now.price,
        status=lot.now.state.value,
        closes_at=lot.now.closes_at,
        currency=lot.money[0],
        exponent=lot.money[1],
    )
