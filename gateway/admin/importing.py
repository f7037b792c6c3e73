"""A catalogue from a spreadsheet: sent, looked at, and only then entered.

The first form sends the file and shows what it holds and what is wrong with it, cell by cell;
the second enters exactly that file, which it carries along.  Nothing of it is kept in between,
and everything is looked at once more when it is entered: with any error nothing is changed.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from typing import Final

from starlette.responses import Response

from gateway.admin.asking import Clerk, fault_text, problem_text
from gateway.admin.sales import pending_of
from gateway.api import importing
from gateway.api.calls import LARGEST_FILE
from gateway.core import spreadsheet
from gateway.core.catalogue_import import Sheet
from gateway.core.problems import Problem
from gateway.core.view import SaleView

_ROWS_SHOWN: Final = 200  # of the lots that will be entered
_ERRORS_SHOWN: Final = 100
_EXAMPLE: Final = (
    ("lotNumber", "name", "description", "estimateLow", "estimateHigh", "startingBid",
     "reservePrice", "provenance"),
    ("1", "A crackled celadon mallet vase", "Longquan, Southern Song", "40000", "60000", "24000",
     "38000", "Private collection, Kyoto, 1934\nDealer, London, 1971"),
    ("2", "White porcelain moon jar", "Joseon, 18th century", "80000", "120000", "50000", "", ""),
)  # fmt: skip


async def blank(clerk: Clerk, sale_id: str) -> Response:
    """A form to choose a file with."""
    return _page(clerk, clerk.sale(sale_id))


async def take(clerk: Clerk, sale_id: str) -> Response:
    """Show what a file holds; or, where that was seen and agreed to, enter it."""
    sale = clerk.sale(sale_id)
    try:
        content = clerk.form.file("catalogue") or _carried(clerk.form.text("content"))
    except NotBase64:
        content = b""
    if not content:
        return _page(clerk, sale, wrong=clerk.say("admin.import.no-file"), status=400)
    if len(content) > LARGEST_FILE:
        raise Problem("too_large")
    if clerk.form.text("agreed"):
        return await _enter(clerk, sale, content)
    sheet = await importing.looked_at(clerk.ask(), sale, content)
    return _preview(clerk, sale, content, sheet)


def _carried(text: str) -> bytes:
    return b64decode(text, validate=True)


async def _enter(clerk: Clerk, sale: SaleView, content: bytes) -> Response:
    try:
        found = await importing.imported(clerk.ask(), sale, content, dry_run=False)
    except Problem as problem:
        # Since it was looked at something has changed: it is looked at once more.
        sheet = await importing.looked_at(clerk.ask(), sale, content)
        wrong = problem_text(clerk, problem)
        return _preview(clerk, sale, content, sheet, wrong=wrong, status=problem.status)
    return clerk.done(
        f"/admin/sale/{sale.created.sale_id}/lots",
        "admin.did.imported",
        created=found.created,
        changed=found.changed,
        unchanged=found.unchanged,
    )


def _preview(
    clerk: Clerk,
    sale: SaleView,
    content: bytes,
    sheet: Sheet,
    *,
    wrong: str = "",
    status: int = 200,
) -> Response:
    news = [entry for entry in sheet.entries if entry.is_news]
    return clerk.page(
        "import_preview.html",
        status=400 if sheet.errors and status == 200 else status,
        tab="lots",
        sale=sale.created,
        pending=pending_of(sale),
        sheet=sheet,
        wrong=wrong,
        errors=[(one, fault_text(clerk, one.message)) for one in sheet.errors[:_ERRORS_SHOWN]],
        news=news[:_ROWS_SHOWN],
        count=len(news),
        created=sum(entry.known is None for entry in news),
        unchanged=len(sheet.entries) - len(news),
        content=b64encode(content).decode(),
    )


def _page(clerk: Clerk, sale: SaleView, *, wrong: str = "", status: int = 200) -> Response:
    return clerk.page(
        "import.html",
        status=status,
        tab="lots",
        sale=sale.created,
        pending=pending_of(sale),
        wrong=wrong,
        columns=_EXAMPLE[0],
        largest=LARGEST_FILE // (1024 * 1024),
    )


async def example(_clerk: Clerk) -> Response:
    """A small catalogue, to begin with."""
    return csv_response(spreadsheet.written(_EXAMPLE[0], _EXAMPLE[1:]), "catalogue.csv")


def csv_response(content: bytes, name: str) -> Response:
    """A spreadsheet, to be kept as a file."""
    headers = {
        "content-disposition": f'attachment; filename="{name}"',
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    return Response(content, headers=headers, media_type="text/csv; charset=utf-8")
