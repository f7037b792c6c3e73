"""Every page of the clerk, and who may send what."""

from __future__ import annotations

from starlette.routing import Route

from gateway.admin import importing, lots, registrations, results, sales, settlement
from gateway.admin.asking import LARGEST_FILE_FORM, Handler, page


def routes() -> list[Route]:
    """Every page under ``/admin`` but the verifier's."""
    sale, lot = "/admin/sale/{sale_id}", "/admin/lot/{auction_id}"
    return [
        _shown("/admin", sales.listing),
        _shown("/admin/new", sales.blank),
        _sent("/admin/new", sales.create),
        _shown("/admin/example.csv", importing.example),
        _shown(sale, sales.overview),
        _shown(f"{sale}/edit", sales.edit),
        _sent(f"{sale}/edit", sales.change),
        _sent(f"{sale}/step", sales.go_on),
        _shown(f"{sale}/lots", lots.table),
        _sent(f"{sale}/lots", lots.do_with_many),
        _shown(f"{sale}/lots/new", lots.blank),
        _sent(f"{sale}/lots/new", lots.create),
        _shown(f"{sale}/import", importing.blank),
        _sent(f"{sale}/import", importing.take, LARGEST_FILE_FORM),
        _shown(f"{sale}/registrations", registrations.queue),
        _shown(f"{sale}/registrations/news", registrations.news),
        _sent(f"{sale}/registrations/undo", registrations.undo),
        _sent(f"{sale}/registrations/{{consumer_id}}", registrations.decide),
        _shown(f"{sale}/settlement", settlement.page),
        _shown(f"{sale}/settlement.csv", settlement.export),
        _sent(f"{sale}/settlement", settlement.act),
        _shown(f"{sale}/results", results.page),
        _shown(f"{sale}/results.csv", results.export),
        _shown(lot, lots.edit),
        _sent(lot, lots.change),
        _sent(f"{lot}/do", lots.do_with_one),
    ]


def _shown(path: str, handler: Handler) -> Route:
    return Route(path, page(handler), methods=["GET"])


def _sent(path: str, handler: Handler, largest: int | None = None) -> Route:
    more = {} if largest is None else {"largest": largest}
    return Route(path, page(handler, writes=True, **more), methods=["POST"])
