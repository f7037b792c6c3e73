"""What a browser is shown: from the view, and whoever is signed in, to the pages.

``pages`` writes them; here it is looked up who asks and what they may see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway import browsers, pages
from gateway.browsers import Bidder
from gateway.core import frames
from gateway.core.view import LotView, SaleView

if TYPE_CHECKING:
    from gateway.app import Gateway


def routes() -> list[Route]:
    """Every page that a person opens."""
    return [
        Route("/", catalogue),
        Route("/lot/{auction_id}", lot_page),
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
    bidder = await browsers.bidder_of(gateway, request)
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
            snapshot=frames.snapshot(lot, lineage, bidder.consumer_id if bidder else None),
            session=_session(gateway, bidder, lot),
            publishable_key=gateway.keys.publishable_key,
            now=gateway.clock.now(),
        ),
        pages.Visit.of(request),
    )


def _session(gateway: Gateway, bidder: Bidder | None, lot: LotView) -> pages.Session | None:
    if bidder is None:
        return None
    paddle = lot.sale.paddles.get(bidder.consumer_id)
    return pages.Session(bidder.name, paddle, bidder.token, gateway.keys.publishable_key)


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
