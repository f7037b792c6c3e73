"""The pages of a sale that is sold live: the auctioneer's console, and the saleroom's screen.

Both are written with what the gateway knows at the moment, and live from then on by the socket;
what the socket does not say (the queue with its hints, which lot is on) they ask here again.
The console is the house's own; the screen shows what everybody may see and nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from engine.core.messages import Ladder, State, Table
from gateway import desk, pages
from gateway.books.apikeys import ApiKey
from gateway.core import frames
from gateway.core.view import LotView, SaleView
from gateway.line import Unreachable

if TYPE_CHECKING:
    from gateway.app import Gateway

Json = dict[str, Any]

_AHEAD: Final = 12  # lots to come whose photographs are asked for: an hour's work at the most
_WAITS: Final = (State.SCHEDULED, State.PAUSED)
_PRIVATE: Final = {"cache-control": "no-store"}


def routes() -> list[Route]:
    """The console's pages and the saleroom's screen."""
    return [
        Route("/console", sales),
        Route("/console/{sale_id}", console),
        Route("/console/{sale_id}/lots", queue),
        Route("/room/{sale_id}", room),
        Route("/room/{sale_id}/now", now),
    ]


# ── The console ──────────────────────────────────────────────────────────────────────────────


async def sales(request: Request) -> Response:
    """The sales that have lots to be sold live."""
    gateway: Gateway = request.app.state.gateway
    key = desk.key_of(gateway, request)
    if key is None:
        return _to_sign_in(request)
    known = [sale for sale in gateway.saleroom.sales.values() if sale.created.mode == key.mode]
    counted = [(sale, len(_live_lots(gateway, sale))) for sale in known]
    found = [
        {"id": sale.created.sale_id, "name": sale.created.name, "lots": lots}
        for sale, lots in counted
        if lots
    ]
    return pages.render("consoles.html", pages.Visit.of(request), sales=found)


async def console(request: Request) -> Response:
    """The console of one sale; ``?view=clerk`` only watches, as does a key that may not sell."""
    gateway: Gateway = request.app.state.gateway
    key = desk.key_of(gateway, request)
    if key is None:
        return _to_sign_in(request)
    visit = pages.Visit.of(request)
    sale = _sale(gateway, request, key)
    lots = [] if sale is None else _live_lots(gateway, sale)
    if sale is None or not lots:
        return pages.not_found_page(visit, "console.no_lots" if sale else "console.no_sale")
    watching = request.query_params.get("view") == "clerk" or not key.may("console")
    return console_page(
        {
            "sale": _said(sale),
            "key": gateway.keys.publishable_key,
            "now": gateway.clock.now(),
            "watching": watching,
            **await _queue(gateway, sale, lots),
        },
        visit,
    )


def console_page(state: Json, visit: pages.Visit) -> Response:
    """The page, written with this *state*; the lot shown first is the one that is on."""
    shown = state["ring"] or _first(state["lots"])
    row = next(row for row in state["lots"] if row["auctionId"] == shown)
    return pages.render(
        "console.html", visit, state={**state, "shown": shown}, lot=row, sale=state["sale"]
    )


async def queue(request: Request) -> Response:
    """The queue alone, as it is now."""
    gateway: Gateway = request.app.state.gateway
    key = desk.key_of(gateway, request)
    sale = None if key is None else _sale(gateway, request, key)
    if sale is None:
        return JSONResponse({"code": "not_found"}, 404, _PRIVATE)
    return JSONResponse(await _queue(gateway, sale, _live_lots(gateway, sale)), 200, _PRIVATE)


async def _queue(gateway: Gateway, sale: SaleView, lots: Sequence[LotView]) -> Json:
    """What the console shows of all lots.  A table of increments is said once, however many
    lots have it: five hundred rows are read on the way to the rostrum."""
    tables: dict[Table | Ladder, int] = {}
    checks = await _checks(gateway, lots)
    rows = [
        {
            **_public_row(lot),
            "reserveAmount": lot.terms.reserve,
            "leftBids": _left_bids(lot),
            "check": checks.get(lot.auction_id),
            "table": tables.setdefault(lot.terms.increments, len(tables)),
        }
        for lot in lots
    ]
    said = [_table(table) for table in tables]
    return {"lots": rows, "tables": said, "ring": _ring(gateway, sale, lots)}


def _table(increments: Table | Ladder) -> Json | None:
    """None: a ladder, whose next rung is what the saleroom asks."""
    if not isinstance(increments, Table):
        return None
    return {"froms": increments.froms, "steps": increments.steps}


def _left_bids(lot: LotView) -> int:
    """How many have left a limit with the house, whatever it is."""
    if lot.now.state not in _WAITS and lot.now.state is not State.OPEN:
        return 0
    price = lot.now.price or 0
    return sum(bidder.stands and bidder.limit > price for bidder in lot.bidders.values())


async def _checks(gateway: Gateway, lots: Sequence[LotView]) -> dict[str, str]:
    """Of the next lots that are of registered objects: are their photographs bound?"""
    ahead = [lot for lot in lots if lot.now.state in _WAITS and lot.catalogue.serial][:_AHEAD]
    found = await asyncio.gather(*(_check(gateway, lot) for lot in ahead))
    return {lot.auction_id: said for lot, said in zip(ahead, found, strict=True) if said}


async def _check(gateway: Gateway, lot: LotView) -> str | None:
    assert lot.catalogue.serial is not None
    try:
        found = await gateway.objects.find(lot.catalogue.serial, lot.sale.created.mode)
    except Unreachable:
        return None  # nothing is known, and nothing is said
    return "bound" if found is not None and found.binding_status == "bound" else "open"


def _to_sign_in(request: Request) -> Response:
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"/sign-in?next={quote(request.url.path + query, safe='/')}", 303)


def _sale(gateway: Gateway, request: Request, key: ApiKey) -> SaleView | None:
    sale = gateway.saleroom.sales.get(request.path_params["sale_id"])
    return sale if sale is not None and sale.created.mode == key.mode else None


# ── The saleroom's screen ────────────────────────────────────────────────────────────────────


async def room(request: Request) -> Response:
    """The screen in the room: the lot, its price and what is asked.  Public."""
    gateway: Gateway = request.app.state.gateway
    visit = pages.Visit.of(request)
    sale = _public_sale(gateway, request)
    if sale is None:
        return pages.not_found_page(visit, "console.no_sale")
    state = {
        "sale": _said(sale),
        "key": gateway.keys.publishable_key,
        "now": gateway.clock.now(),
        **_on_now(gateway, sale),
    }
    return room_page(state, visit)


def room_page(state: Json, visit: pages.Visit) -> Response:
    """The page of the screen, written with this *state*."""
    return pages.render("screen.html", visit, state=state, sale=state["sale"], lot=state["lot"])


async def now(request: Request) -> Response:
    """Which lot is on, and which comes next: what the screen asks between two lots."""
    gateway: Gateway = request.app.state.gateway
    sale = _public_sale(gateway, request)
    if sale is None:
        return JSONResponse({"code": "not_found"}, 404, _PRIVATE)
    return JSONResponse(_on_now(gateway, sale), 200, _PRIVATE)


def _on_now(gateway: Gateway, sale: SaleView) -> Json:
    """The lot that is on, else the last that was; and the next that waits for its turn."""
    lots = _live_lots(gateway, sale)
    ring = _ring(gateway, sale, lots)
    closed = [lot for lot in lots if lot.now.state not in _WAITS]
    last = max(closed, key=lambda lot: lot.at, default=None)
    shown = gateway.saleroom.lots[ring] if ring is not None else last
    after = lots if shown is None else lots[lots.index(shown) + 1 :]
    coming = next((lot for lot in after if lot.now.state in _WAITS), None)
    return {
        "lot": None if shown is None else _public_row(shown),
        "next": None if coming is None else _public_row(coming),
    }


def _public_sale(gateway: Gateway, request: Request) -> SaleView | None:
    sale = gateway.saleroom.sales.get(request.path_params["sale_id"])
    of_pages = sale is not None and sale.created.mode == gateway.mode_of_pages
    return sale if of_pages else None


# ── What both show ───────────────────────────────────────────────────────────────────────────


def _live_lots(gateway: Gateway, sale: SaleView) -> list[LotView]:
    lots = [gateway.saleroom.lots[auction_id] for auction_id in sale.auction_ids]
    return [lot for lot in lots if lot.terms.format == "live"]


def _ring(gateway: Gateway, sale: SaleView, lots: Sequence[LotView]) -> str | None:
    """The lot that is being sold."""
    return sale.ring if any(lot.auction_id == sale.ring for lot in lots) else None


def _first(rows: Sequence[Json]) -> str:
    waiting = [row for row in rows if row["status"] in ("draft", "scheduled", "paused")]
    found: str = (waiting or rows)[0]["auctionId"]
    return found


def _said(sale: SaleView) -> Json:
    created = sale.created
    return {
        "id": created.sale_id,
        "name": created.name,
        "currency": created.currency,
        "exponent": created.exponent,
        "timeZone": created.time_zone,
    }


def _public_row(lot: LotView) -> Json:
    """A lot as everybody may know it."""
    auction = frames.snapshot(lot, "", None)["auction"]
    printed = lot.catalogue
    known = printed.estimate_low is not None and printed.estimate_high is not None
    named = ("lotNumber", "name", "currency", "exponent", "opening", "status", "price", "paddle")
    return {
        "auctionId": lot.auction_id,
        **{name: auction[name] for name in (*named, "outcome", "reserve")},
        "photo": printed.photos[0] if printed.photos else None,
        "estimate": [printed.estimate_low, printed.estimate_high] if known else None,
    }
