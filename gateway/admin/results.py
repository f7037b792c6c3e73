"""Results: what a sale has come to, for the house, the consignors and the press.

Prices are read from the archive, which holds every bid that made one.
"""

from __future__ import annotations

from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from gateway import archive
from gateway.admin.asking import Clerk
from gateway.admin.importing import csv_response
from gateway.admin.sales import pending_of
from gateway.books import apikeys
from gateway.core import spreadsheet
from gateway.core.bill import bill
from gateway.core.results import HEIGHT, WIDTH, by_source, result_of, stroke_of, totals_of
from gateway.core.wording import major_units


async def page(clerk: Clerk, sale_id: str) -> Response:
    """Sold and passed, lot by lot and altogether."""
    sale = clerk.sale(sale_id)
    results = [result_of(lot) for lot in clerk.lots(sale)]
    ask, ids = clerk.ask(), [one.auction_id for one in results]
    prices = await run_in_threadpool(archive.prices, clerk.gateway.archive, ids)
    house = await run_in_threadpool(archive.house_bids, clerk.gateway.archive, ids)
    deeds = await run_in_threadpool(archive.register, clerk.gateway.archive, ids)
    keys = await ask.books(apikeys.list_keys, clerk.key.mode) if deeds else []
    totals = totals_of(results)
    return clerk.page(
        "results.html",
        tab="results",
        sale=sale.created,
        pending=pending_of(sale),
        results=results,
        totals=totals,
        premium=sum(
            bill(one.hammer, sale.created.terms).premium
            for one in results
            if one.hammer is not None
        ),
        sources=by_source(results),
        strokes={auction_id: stroke_of(found) for auction_id, found in prices.items()},
        firsts={auction_id: found[0][1] for auction_id, found in prices.items()},
        box=f"0 0 {WIDTH} {HEIGHT}",
        numbers={one.auction_id: one.lot_number for one in results},
        house_bids=house,
        deeds=deeds,
        keys={key.key_id: key.name for key in keys},
    )


_COLUMNS: Final = (
    "lot", "title", "low", "high", "result", "hammer", "paddle", "bids", "bidders", "source",
    "currency",
)  # fmt: skip


async def export(clerk: Clerk, sale_id: str) -> Response:
    """Every lot in a line."""
    sale = clerk.sale(sale_id)
    created = sale.created
    rows: list[list[spreadsheet.Cell]] = []
    for lot in clerk.lots(sale):
        one = result_of(lot)
        amounts = [
            None if units is None else major_units(units, created.exponent)
            for units in (one.low, one.high, one.hammer)
        ]
        paddles = " ".join(str(paddle) for paddle in one.paddles if paddle is not None)
        source = one.source if one.is_sold else ""
        rows.append(
            [one.lot_number, one.name, *amounts[:2], one.outcome, amounts[2], paddles, one.bids,
             one.bidders, source, created.currency]
        )  # fmt: skip
    header = [clerk.say(f"admin.csv.{column}") for column in _COLUMNS]
    return csv_response(spreadsheet.written(header, rows), f"results-{created.sale_id}.csv")
