"""What a browser is shown: from the view, and whoever is signed in, to the pages.

``pages`` writes them; here it is looked up who asks and what they may see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway import lots, pages
from gateway.core.view import LotView, SaleView

if TYPE_CHECKING:
    from gateway.app import Gateway


def routes() -> list[Route]:
    """Every page that a person opens."""
    return [
        Route("/", catalogue),
        *lots.routes(),
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
