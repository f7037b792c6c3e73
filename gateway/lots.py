"""A lot on the house's pages: who asks for it, what they may see, and a bid without a script.

``lotpage`` writes the page.  Its form bids where no script runs: the first time it is sent the
amount is shown once more with what it comes to, and only the second time does it bid, under the
id that the page was written with, so that a form sent twice bids once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, cast, get_args

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.core.increments import step_at
from engine.core.messages import MAX_AMOUNT, Answer, Kind, Table, Terms
from gateway import bidding, browsers, lotpage, pages
from gateway.api import calls
from gateway.books import watching
from gateway.books.store import BooksError
from gateway.browsers import Bidder
from gateway.core import frames
from gateway.core.problems import Problem
from gateway.core.view import LotView
from gateway.lotpage import Asked, Coming, LotPage, Place, Row, Said

if TYPE_CHECKING:
    from gateway.app import Gateway

_COMING: Final = 4  # lots that are shown below this one
_ROWS: Final = 60  # as many as the page keeps
_RUNGS: Final = 200  # of a ladder: far beyond where its last band begins
_CMD_ID: Final = re.compile(r"[\x21-\x7e]{1,64}")
_KINDS: Final = ("bid", "max", "buy_now")

log = structlog.stdlib.get_logger()


def routes() -> list[Route]:
    """What a lot's page is asked for."""
    return [
        Route("/lot/{auction_id}", lot_page, methods=["GET"]),
        Route("/lot/{auction_id}/bid", bid, methods=["POST"]),
    ]


async def lot_page(request: Request) -> Response:
    """The page of a lot, as it is now and for whoever is signed in."""
    gateway: Gateway = request.app.state.gateway
    visit = pages.Visit.of(request)
    lot = _lot(gateway, request)
    if lot is None:
        return pages.not_found_page(visit, "common.no-lot")
    bidder = await browsers.bidder_of(gateway, request)
    page = replace(_page(gateway, lot, bidder), watching=await _watches(gateway, lot, bidder))
    return lotpage.lot_page(page, visit)


async def _watches(gateway: Gateway, lot: LotView, bidder: Bidder | None) -> bool | None:
    """Do they keep an eye on this lot?  None: nobody is signed in, or the books are shut."""
    if bidder is None:
        return None
    try:
        watched = await run_in_threadpool(watching.watched_by, gateway.books, bidder.consumer_id)
    except BooksError as failure:
        log.warning("nobody can be told what they watch", reason=str(failure))
        return None
    return lot.auction_id in watched


def _lot(gateway: Gateway, request: Request) -> LotView | None:
    lot = gateway.saleroom.lot(request.path_params["auction_id"])
    return None if lot is None or lot.sale.created.mode != gateway.mode_of_pages else lot


def _page(gateway: Gateway, lot: LotView, bidder: Bidder | None) -> LotPage:
    printed, sale, terms = lot.catalogue, lot.sale.created, lot.terms
    lineage = gateway.feed.lineages[lot.shard]
    return LotPage(
        auction_id=lot.auction_id,
        lot_number=printed.lot_number,
        name=printed.name,
        description=printed.description,
        sale_id=sale.sale_id,
        sale_name=sale.name,
        estimate_low=printed.estimate_low,
        estimate_high=printed.estimate_high,
        photos=printed.photos,
        provenance=printed.provenance,
        snapshot=frames.snapshot(lot, lineage, bidder.consumer_id if bidder else None),
        session=_session(gateway, bidder, lot),
        publishable_key=gateway.keys.publishable_key,
        now=gateway.clock.now(),
        place=_place(lot, bidder),
        terms=sale.terms,
        steps=_steps(terms),
        extension_window_ms=terms.extension_window_ms,
        extension_ms=terms.extension_ms,
        buy_now=lot.buy_now,
        zone=printed.time_zone or sale.time_zone,
        serial=printed.serial,
        history=_history(lot),
        coming=_coming(gateway, lot),
    )


def _session(gateway: Gateway, bidder: Bidder | None, lot: LotView) -> pages.Session | None:
    if bidder is None:
        return None
    paddle = lot.sale.paddles.get(bidder.consumer_id)
    return pages.Session(bidder.name, paddle, bidder.token, gateway.keys.publishable_key)


def _place(lot: LotView, bidder: Bidder | None) -> Place:
    registration = lot.sale.created.registration
    seat = lot.sale.registrations.get(bidder.consumer_id) if bidder else None
    if seat is None or seat.admission == "left":
        return Place(None, registration)
    return Place(seat.admission, registration, seat.limit, seat.reason)


def _steps(terms: Terms) -> tuple[tuple[int, int], ...]:
    """What must be added to a price, as bands of (from, step)."""
    increments = terms.increments
    if isinstance(increments, Table):
        return tuple(zip(increments.froms, increments.steps, strict=True))
    bands: list[tuple[int, int]] = []
    rung = terms.opening
    for _ in range(_RUNGS):
        step = step_at(increments, rung)
        if not bands or bands[-1][1] != step:
            bands.append((rung, step))
        rung += step
    return tuple(bands)


def _history(lot: LotView) -> tuple[Row, ...]:
    """The prices so far, newest first, each with who led at it."""
    if lot.is_sealed:
        return ()
    rows: list[Row] = []
    leader: tuple[int | None, str] = (None, "online")
    for bid in lot.shown_bids():
        assert bid.price is not None
        # A bid that was passed at once has made the price of whoever passed it.
        leader = (bid.paddle or None, bid.channel) if bid.led else leader
        rows.append(Row(bid.price, *leader, bid.shown_at, bid.canceled))
    return tuple(reversed(rows[-_ROWS:]))


def _coming(gateway: Gateway, lot: LotView) -> tuple[Coming, ...]:
    """The lots after this one, as they are printed."""
    ids = lot.sale.auction_ids
    place = ids.index(lot.auction_id) + 1 if lot.auction_id in ids else len(ids)
    following = (gateway.saleroom.lots[auction_id] for auction_id in ids[place:])
    for_people = [after for after in following if after.terms.tokens is None and not after.ended]
    return tuple(_card(after) for after in for_people[:_COMING])


def _card(lot: LotView) -> Coming:
    printed = lot.catalogue
    return Coming(
        lot.auction_id,
        printed.lot_number,
        printed.name,
        printed.photos[0] if printed.photos else None,
        printed.estimate_low,
        printed.estimate_high,
    )


# ── A bid without a script ───────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Form:
    cmd_id: str
    amount: int
    kind: Kind
    is_confirmed: bool


async def bid(request: Request) -> Response:
    """Ask once more, and then bid; the answer in words."""
    gateway: Gateway = request.app.state.gateway
    visit = pages.Visit.of(request)
    lot = _lot(gateway, request)
    if lot is None:
        return pages.not_found_page(visit, "common.no-lot")
    form = _read(await browsers.form_of(gateway, request))
    bidder = await browsers.bidder_of(gateway, request)
    page = _page(gateway, lot, bidder)
    if bidder is None:
        return lotpage.to_sign_in(page)
    if form is None:
        return lotpage.answer_page(page, Said("unreadable"), visit)
    asked = Asked(form.cmd_id, form.amount, form.kind)
    if not form.is_confirmed:
        return lotpage.confirm_page(page, asked, visit)
    said = await _bid(gateway, lot, bidder, form)
    return lotpage.answer_page(_page(gateway, lot, bidder), said, visit, asked)


def _read(fields: dict[str, str]) -> _Form | None:
    """What was sent; None where it is no bid."""
    cmd_id, amount, kind = (fields.get(name, "") for name in ("cmdId", "amount", "kind"))
    if not _CMD_ID.fullmatch(cmd_id) or kind not in _KINDS:
        return None
    if not re.fullmatch(r"[0-9]{1,16}", amount) or not 0 < int(amount) <= MAX_AMOUNT:
        return None
    assert kind in get_args(Kind)
    return _Form(cmd_id, int(amount), cast(Kind, kind), fields.get("confirmed") == "yes")


async def _bid(gateway: Gateway, lot: LotView, bidder: Bidder, form: _Form) -> Said:
    whose = bidder.consumer_id
    try:
        calls.take(gateway, "bid", f"bid:{whose}")
        event = await bidding.place(gateway, lot, whose, form.cmd_id, form.amount, form.kind)
    except Problem as problem:
        # Sent too fast, or not decided in time: under the same id it may be sent again.
        return Said("too-fast" if problem.code == "rate_limited" else "undecided")
    return _said(event.answer)


def _said(answer: Answer) -> Said:
    if answer.code is not None:
        return Said("refused", answer.code, answer.would_pass)
    if answer.waiting:
        return Said("waiting")
    if answer.status == "WINNING":
        return Said("lead")
    return Said("accepted")
