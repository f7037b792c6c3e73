"""Sales: their list, how far each has come, and the step that is next.

A step reaches many lots, each by the call that the API has for one; its page is sent as they
are done, lot by lot, so that a long one can be watched, and what one lot objects to keeps no
other from going on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, get_args

from starlette.responses import Response, StreamingResponse

from engine.core.messages import CreateSale, HouseBids, WrongFoot
from gateway.admin.asking import Clerk, faults_of, problem_text
from gateway.admin.inspection import Inspected, inspected
from gateway.api import lots as lots_api
from gateway.api import sales as sales_api
from gateway.api.calls import Ask
from gateway.api.zones import zone_of
from gateway.core import bodies, stages
from gateway.core.consumer import moment
from gateway.core.currencies import EXPONENTS
from gateway.core.problems import Problem, bad_field
from gateway.core.schedule import BadTime, read_instant
from gateway.core.stages import Step
from gateway.core.view import LotView, SaleView
from gateway.core.wire.house import LotChanges, NewSale, SaleChanges
from gateway.core.wording import plainly

_AT_ONCE: Final = 20  # lots that are on their way together
_TIERS: Final = 4  # of the premium, in the form
_LONGEST_STAGGER_S: Final = 3_600
_LONGEST_SETTLE_H: Final = 24 * 60
WRONG_FOOT: Final[tuple[WrongFoot, ...]] = get_args(WrongFoot)
HOUSE_BIDS: Final[tuple[HouseBids, ...]] = get_args(HouseBids)
_TYPED: Final = ("close", "settle", "cancel")  # needs the sale's name


# ── The list ─────────────────────────────────────────────────────────────────────────────


async def listing(clerk: Clerk) -> Response:
    """Every sale with how far it has come and what is next, the newest first."""
    saleroom = clerk.gateway.saleroom
    mine = [sale for sale in saleroom.sales.values() if sale.created.mode == clerk.key.mode]
    return clerk.page("sales.html", rows=[_row(clerk, sale) for sale in reversed(mine)])


def _row(clerk: Clerk, sale: SaleView) -> dict[str, Any]:
    lots = clerk.lots(sale)
    items = [stages.item_of(lot) for lot in lots]
    opens = [at for lot in lots if (at := lot.opens_at) is not None]
    closes = [at for lot in lots if (at := lot.now.closes_at) is not None]
    return {
        "id": sale.created.sale_id,
        "name": sale.created.name,
        "zone": sale.created.time_zone,
        "stage": stages.stage_of(items),
        "step": stages.step_of(items),
        "lots": len(lots),
        "opens_at": min(opens, default=None),
        "closes_at": max(closes, default=None),
        "pending": pending_of(sale),
    }


def pending_of(sale: SaleView) -> int:
    """How many wait to be let in."""
    return sum(seat.admission == "pending" for seat in sale.registrations.values())


# ── Announcing and changing ──────────────────────────────────────────────────────────────


async def blank(clerk: Clerk) -> Response:
    """A form for a new sale."""
    usual = {"timeZone": "Europe/London", "currencyCode": "EUR", "fingers": "1"}
    return _form(clerk, None, usual, {})


async def create(clerk: Clerk) -> Response:
    """Announce a sale."""
    try:
        body = bodies.take(_said(clerk), NewSale, strict=False)
        sale = await sales_api.create(clerk.ask(), body)
    except Problem as problem:
        return _form(clerk, None, clerk.form.all(), faults_of(clerk, problem), problem)
    return clerk.done(f"/admin/sale/{sale.id}", "admin.did.sale-made", name=sale.name)


async def edit(clerk: Clerk, sale_id: str) -> Response:
    """What is said of a sale, to be changed."""
    sale = clerk.sale(sale_id)
    return _form(clerk, sale, _filled(sale.created), {})


async def change(clerk: Clerk, sale_id: str) -> Response:
    """Change what is said of a sale."""
    sale = clerk.sale(sale_id)
    try:
        body = bodies.take(_said(clerk), SaleChanges, strict=False)
        await sales_api.update(clerk.ask(), sale_id, body)
    except Problem as problem:
        return _form(clerk, sale, clerk.form.all(), faults_of(clerk, problem), problem)
    return clerk.done(f"/admin/sale/{sale_id}", "admin.did.sale-changed")


def _form(
    clerk: Clerk,
    sale: SaleView | None,
    filled: Mapping[str, str],
    faults: Mapping[str, str],
    problem: Problem | None = None,
) -> Response:
    return clerk.page(
        "sale_form.html",
        status=200 if problem is None else problem.status,
        sale=None if sale is None else sale.created,
        filled=filled,
        faults=faults,
        wrong="" if problem is None else problem_text(clerk, problem),
        currencies=sorted(EXPONENTS),
        tiers=range(_TIERS),
        wrong_foot=WRONG_FOOT,
        house_bids=HOUSE_BIDS,
        has_lots=sale is not None and bool(sale.auction_ids),
    )


def _said(clerk: Clerk) -> dict[str, Any]:
    """The form, as the API would be told it."""
    form = clerk.form
    tiers = [(form.text(f"from{n}"), form.text(f"percent{n}")) for n in range(_TIERS)]
    terms: dict[str, Any] = {
        "buyersPremium": [(start or "0", percent) for start, percent in tiers if percent],
        "taxPercent": form.text("taxPercent") or "0",
        "conditions": form.text("conditions"),
        "conditionsVersion": form.text("conditionsVersion") or None,
        "wrongFoot": form.text("wrongFoot") or WRONG_FOOT[0],
        "houseBids": form.text("houseBids") or HOUSE_BIDS[0],
        "fingers": bool(form.text("fingers")),
    }
    said: dict[str, Any] = {
        "name": form.text("name"),
        "timeZone": form.text("timeZone"),
        "registration": form.text("registration") or "open",
        "supportsGuest": bool(form.text("supportsGuest")),
        "terms": terms,
    }
    if currency := form.text("currencyCode"):
        said["currencyCode"] = currency
    return said


def _filled(sale: CreateSale) -> dict[str, str]:
    """A sale, as the form has it."""
    terms = sale.terms
    filled = {
        "name": sale.name,
        "timeZone": sale.time_zone,
        "currencyCode": sale.currency,
        "registration": sale.registration,
        "supportsGuest": "1" if sale.supports_guest else "",
        "taxPercent": terms.tax_percent,
        "conditions": terms.conditions,
        "conditionsVersion": terms.conditions_version or "",
        "wrongFoot": terms.wrong_foot,
        "houseBids": terms.house_bids,
        "fingers": "1" if terms.fingers else "",
    }
    for n, (start, percent) in enumerate(terms.buyers_premium):
        filled[f"from{n}"] = plainly(start, sale.exponent)
        filled[f"percent{n}"] = percent
    return filled


# ── One sale ─────────────────────────────────────────────────────────────────────────────


async def overview(clerk: Clerk, sale_id: str) -> Response:
    """How far a sale has come, what is next, and what keeps it from that."""
    return await _overview(clerk, clerk.sale(sale_id))


async def _overview(
    clerk: Clerk, sale: SaleView, faults: Mapping[str, str] | None = None, status: int = 200
) -> Response:
    lots = clerk.lots(sale)
    items = [stages.item_of(lot) for lot in lots]
    step = stages.step_of(items)
    reached = stages.reach_of(step, lots)
    return clerk.page(
        "sale.html",
        status=status,
        tab="overview",
        sale=sale.created,
        pending=pending_of(sale),
        stage=stages.stage_of(items),
        stages=_steps(items),
        step=step,
        reach=stages.figures_of(sale, reached),
        obstacles=await obstacles_of(clerk, step, reached),
        whole=stages.figures_of(sale, lots),
        to_cancel=len(stages.to_cancel(lots)),
        needs_name=step in _TYPED,
        is_live=any(item.is_live for item in items),
        filled=clerk.form.all(),
        faults=faults or {},
        publishing=_suggested(clerk, sale),
    )


def _steps(items: Sequence[stages.Item]) -> list[tuple[str, str]]:
    """Every stage, and whether it is behind, here, ahead or not gone through at all."""
    used, here = stages.used_stages(items), stages.stage_of(items)
    found: list[tuple[str, str]] = []
    for stage in stages.STAGES:
        order = stages.STAGES.index(stage) - stages.STAGES.index(here)
        state = "here" if not order else "done" if order < 0 else "ahead"
        found.append((stage, state if stage in used else "unused"))
    return found


def _suggested(clerk: Clerk, sale: SaleView) -> dict[str, str]:
    """Times for the lots that have none: from tomorrow for a week."""
    zone = zone_of(sale.created.time_zone)
    today = datetime.fromtimestamp(clerk.gateway.clock.now() / 1000, UTC).astimezone(zone)
    opens = today.replace(hour=10, minute=0, tzinfo=None) + timedelta(days=1)
    return {
        "openAt": f"{opens:%Y-%m-%dT%H:%M}",
        "closeAt": f"{opens + timedelta(days=7, hours=9):%Y-%m-%dT%H:%M}",
        "stagger": "60",
        "settleHours": "24",
    }


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps a sale from its next step: words by their key, and where it is put right."""

    key: str
    lot: LotView
    href: str


async def obstacles_of(clerk: Clerk, step: Step, lots: Sequence[LotView]) -> list[Obstacle]:
    """What stands in the way, lot by lot."""
    if step == "settle":
        undecided = [lot for lot in lots if lot.outcome == "sold_subject"]
        return [Obstacle("subject", lot, f"/console/{_sale_of(lot)}") for lot in undecided]
    if step not in ("publish", "open"):
        return []
    found = await inspected(clerk.gateway, lots)
    return [
        Obstacle(f"object-{found[lot.auction_id].state}", lot, _where(lot, found[lot.auction_id]))
        for lot in lots
        if found[lot.auction_id].is_obstacle
    ]


def _sale_of(lot: LotView) -> str:
    return lot.sale.created.sale_id


def _where(lot: LotView, found: Inspected) -> str:
    return found.href or f"/admin/lot/{lot.auction_id}"


# ── The next step ────────────────────────────────────────────────────────────────────────

Work = Callable[[Ask, LotView], Awaitable[Any]]


async def go_on(clerk: Clerk, sale_id: str) -> Response:
    """Take the step that was asked for: with every lot that it reaches."""
    sale, step = clerk.sale(sale_id), clerk.form.text("step")
    if step == "remove":
        return await _remove(clerk, sale)
    if step in _TYPED and clerk.form.text("typed") != sale.created.name:
        wrong = {"typed": clerk.say("admin.fault.name-typed"), "step": step}
        return await _overview(clerk, sale, wrong, 400)
    lots = clerk.lots(sale)
    reached = stages.to_cancel(lots) if step == "cancel" else _reach(step, lots)
    try:
        work = _work(clerk, sale, step)
    except Problem as problem:
        return await _overview(clerk, sale, faults_of(clerk, problem), problem.status)
    if step in ("publish", "open") and await obstacles_of(clerk, _as_step(step), reached):
        return await _overview(clerk, sale, status=409)
    return in_turn(clerk, sale, step, reached, work)


def _as_step(step: str) -> Step:
    reaching: tuple[Step, ...] = ("publish", "open", "close", "settle")
    for known in reaching:
        if step == known:
            return known
    raise bad_field("step", "publish, open, close, settle or cancel was expected")


def _reach(step: str, lots: Sequence[LotView]) -> list[LotView]:
    return stages.reach_of(_as_step(step), lots)


def _work(clerk: Clerk, sale: SaleView, step: str) -> Work:
    """What is done with each lot."""
    match step:
        case "publish":
            return partial(_publish, _timetable(clerk, sale))
        case "open":
            return lambda ask, lot: lots_api.resume(ask, lot.auction_id)
        case "close":
            return lambda ask, lot: lots_api.complete(ask, lot.auction_id)
        case "settle":
            return lambda ask, lot: lots_api.settle(ask, lot.auction_id)
        case _:
            return lambda ask, lot: lots_api.cancel(ask, lot.auction_id)


def _timetable(clerk: Clerk, sale: SaleView) -> Mapping[str, LotChanges]:
    """When each lot without a time opens, closes and is settled; one closes after the other."""
    zone, form = zone_of(sale.created.time_zone), clerk.form
    opens, closes = (_instant(form.text(name), name, zone) for name in ("openAt", "closeAt"))
    stagger = _whole(form.text("stagger"), "stagger", _LONGEST_STAGGER_S)
    hours = _whole(form.text("settleHours"), "settleHours", _LONGEST_SETTLE_H)
    if opens >= closes:
        raise bad_field("closeAt", "after openAt")
    found = {}
    for place, lot in enumerate(stages.reach_of("publish", clerk.lots(sale))):
        at = closes + place * stagger * 1000
        found[lot.auction_id] = LotChanges(
            open_at=moment(opens),
            close_at=moment(at),
            settle_at=moment(at + hours * 3_600_000),
        )
    return found


def _instant(text: str, field: str, zone: Any) -> int:
    try:
        return read_instant(text, zone)
    except BadTime as error:
        raise bad_field(field, str(error)) from error


def _whole(text: str, field: str, most: int) -> int:
    if not text.isascii() or not text.isdecimal() or int(text[:9]) > most:
        raise bad_field(field, "out of range")
    return int(text)


async def _publish(timetable: Mapping[str, LotChanges], ask: Ask, lot: LotView) -> None:
    await lots_api.update(ask, lot.auction_id, timetable[lot.auction_id])


async def _remove(clerk: Clerk, sale: SaleView) -> Response:
    if clerk.form.text("typed") != sale.created.name:
        wrong = {"typed": clerk.say("admin.fault.name-typed"), "step": "remove"}
        return await _overview(clerk, sale, wrong, 400)
    await sales_api.remove(clerk.ask(), sale.created.sale_id)
    return clerk.done("/admin", "admin.did.sale-removed", name=sale.created.name)


# ── Many lots, one after the other ───────────────────────────────────────────────────────

_ROWS: Final = "<!-- rows -->"  # where the lots go, as they are done


def in_turn(
    clerk: Clerk, sale: SaleView, what: str, lots: Sequence[LotView], work: Work
) -> Response:
    """A page with what became of each lot, sent as they are done."""
    whole = clerk.page(
        "done.html", tab="", sale=sale.created, pending=pending_of(sale), what=what, n=len(lots)
    )
    head, _, foot = bytes(whole.body).decode().partition(_ROWS)

    async def rows() -> AsyncIterator[str]:
        yield head
        failed = 0
        for start in range(0, len(lots), _AT_ONCE):
            some = lots[start : start + _AT_ONCE]
            for lot, problem in zip(
                some, await asyncio.gather(*(_tried(clerk, lot, work) for lot in some)), strict=True
            ):
                failed += problem is not None
                yield _done_row(clerk, lot, problem)
        yield clerk.part(
            "done_foot.html", done=len(lots) - failed, failed=failed, sale=sale.created
        )
        yield foot

    headers = {name: value for name, value in whole.headers.items() if name != "content-length"}
    return StreamingResponse(rows(), headers=headers, media_type="text/html")


async def _tried(clerk: Clerk, lot: LotView, work: Work) -> Problem | None:
    try:
        await work(clerk.ask(lot.auction_id), lot)
    except Problem as problem:
        return problem
    return None


def _done_row(clerk: Clerk, lot: LotView, problem: Problem | None) -> str:
    why = "" if problem is None else problem_text(clerk, problem)
    return clerk.part("done_row.html", lot=lot, why=why)
