"""A catalogue's way into a sale: read it whole, and only then give the commands.

What could be wrong with a lot is found before the first command.  A new lot's id follows from
the sale and its number, so that an import that was cut off, or runs twice at once, adds each
lot once: whoever comes second finds it there.
"""

from __future__ import annotations

import asyncio
import hmac
from typing import Any, Final

import msgspec
from starlette.concurrency import run_in_threadpool

from engine.core.messages import AddLot, State, UpdateLot, sale_part
from gateway.api import listing
from gateway.api.calls import Ask
from gateway.api.lots import sealed, setting_of
from gateway.core import catalogue_import
from gateway.core.catalogue_import import Entry, Known, Sheet
from gateway.core.lotting import Offer
from gateway.core.problems import Problem
from gateway.core.view import SaleView
from gateway.core.wire.house import Imported

_AT_ONCE: Final = 200  # commands that are on their way together


async def imported(ask: Ask, sale: SaleView, content: bytes, *, dry_run: bool) -> Imported:
    """What a file holds and, where it was no dry run, what became of it.

    Raises ``Problem`` 400 with the errors where it was to be entered and has any.
    """
    sheet = await looked_at(ask, sale, content)
    found = Imported(rows=sheet.rows, errors=sheet.errors)
    if dry_run:
        return found
    if sheet.errors:
        raise Problem("invalid", "Nothing was entered.", more=msgspec.to_builtins(found))
    await _keep_objects(ask, sale, sheet)
    news = [entry for entry in sheet.entries if entry.is_news]
    for start in range(0, len(news), _AT_ONCE):
        some = news[start : start + _AT_ONCE]
        await asyncio.gather(*(_enter(ask, sale, entry) for entry in some))
    created = sum(entry.known is None for entry in news)
    changed, unchanged = len(news) - created, len(sheet.entries) - len(news)
    return Imported(
        rows=sheet.rows, errors=[], created=created, changed=changed, unchanged=unchanged
    )


async def looked_at(ask: Ask, sale: SaleView, content: bytes) -> Sheet:
    """What a file holds, and what is wrong with it; nothing is changed."""
    known = _known(ask, sale)
    sheet = await run_in_threadpool(catalogue_import.read, content, setting_of(sale), known)
    await _admit_objects(ask, sheet)
    return sheet


def _known(ask: Ask, sale: SaleView) -> dict[str, Known]:
    """The sale's lots by number; of a lot that was put up again, the last."""
    lots = [ask.gateway.saleroom.lots[auction_id] for auction_id in sale.auction_ids]
    return {
        lot.catalogue.lot_number: Known(
            lot.auction_id, lot.revision, lot.now.state, Offer(lot.terms, lot.catalogue)
        )
        for lot in lots
    }


async def _admit_objects(ask: Ask, sheet: Sheet) -> None:
    """Ask for the objects that the file puts up; what cannot be sold is an error of its row.

    Raises ``Problem`` 503 where nobody knows.
    """
    rows: dict[str, int] = {}  # of the objects that are put up so far
    for place, entry in enumerate(sheet.entries):
        known = entry.known
        if not listing.is_newly_put_up(None if known is None else known.offer, entry.offer):
            continue
        own = None if known is None else known.auction_id
        try:
            offer = await listing.looked_at(ask, entry.offer, own)
        except Problem as problem:
            if problem.status == 503:
                raise
            sheet.objects(entry.row, sheet.column("serial"), _said(problem))
            continue
        serial = offer.catalogue.serial
        assert serial is not None
        if (above := rows.setdefault(serial, entry.row)) != entry.row:
            sheet.objects(entry.row, sheet.column("serial"), f"row {above} sells this object")
        sheet.entries[place] = entry._replace(offer=offer)


async def _keep_objects(ask: Ask, sale: SaleView, sheet: Sheet) -> None:
    """Keep the objects for the lots that are entered next.  Raises ``Problem``, with nothing
    entered yet, where another has been put up since they were looked at."""
    for entry in sheet.entries:
        known = entry.known
        if not listing.is_newly_put_up(None if known is None else known.offer, entry.offer):
            continue
        new = _new_id(ask, sale.created.sale_id, entry.lot_number)
        await listing.admitted(ask, entry.offer, new if known is None else known.auction_id)


def _said(problem: Problem) -> str:
    details: Any = problem.details
    return str(details[0]["message"]) if details else problem.message or problem.text


async def _enter(ask: Ask, sale: SaleView, entry: Entry) -> None:
    offer, by = sealed(ask, entry.offer), ask.caller.name
    cmd_id = f"{ask.cmd_id}.{entry.row}"
    if entry.known is not None:
        there = entry.known
        await ask.command(UpdateLot(there.auction_id, there.revision, *offer, cmd_id, by))
        return
    sale_id = sale.created.sale_id
    auction_id = _new_id(ask, sale_id, entry.lot_number)
    try:
        await ask.command(AddLot(auction_id, sale_id, *offer, cmd_id, by))
    except Problem as problem:
        if problem.code != "exists":  # else another import has just added it
            raise


def _new_id(ask: Ask, sale_id: str, lot_number: str) -> str:
    """The id of the lot that this number is given to next: the lots before were withdrawn."""
    known, part = ask.gateway.saleroom.lots, sale_part(sale_id)
    for turn in range(len(known) + 1):
        named = f"lot|{sale_id}|{lot_number}|{turn}".encode()
        name = hmac.digest(ask.gateway.salt, named, "sha256").hex()[:10]
        before = known.get(auction_id := f"auction_{part}_{name}")
        if before is None or before.now.state is not State.WITHDRAWN:
            return auction_id
    raise AssertionError("every name is taken")
