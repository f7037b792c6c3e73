"""A sale's lots: the table, the form of one, and what is done with many of them at once.

The filters of the table are in its address.  What is done with many is done with those that
are ticked, or, where none is, with all that the table showed when its buttons were counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final, NamedTuple, get_args

from starlette.responses import Response

from engine.core.messages import Format, State
from gateway.admin.asking import Clerk, faults_of, problem_text
from gateway.admin.inspection import STANDINGS, Inspected, inspected
from gateway.admin.sales import Work, in_turn, pending_of
from gateway.api import lots as lots_api
from gateway.api.lots import ALLOWED, Verb
from gateway.api.zones import zone_of
from gateway.core import lotting
from gateway.core.catalogue_import import changes_of
from gateway.core.problems import Problem, bad_field
from gateway.core.view import LotView, SaleView
from gateway.core.wording import plainly
from gateway.increments import published

# In the order in which they are offered; a live lot's hammer is the auctioneer's.
VERBS: Final[tuple[Verb, ...]] = ("resume", "pause", "complete", "cancel", "settle")
_DANGEROUS: Final = ("complete", "cancel")  # cannot be taken back
STATES: Final[tuple[State, ...]] = (
    State.SCHEDULED,
    State.OPEN,
    State.PAUSED,
    State.CLOSED,
    State.SETTLED,
    State.CANCELED,
)
FORMATS: Final[tuple[Format, ...]] = get_args(Format)

# Fields of the form, as the contract names them; those of a lot that is open come first.
_TEXTS: Final = ("name", "description", "lotNumber", "serial", "consignor")
_AMOUNTS: Final = (
    "startingBid",
    "minimumIncrement",
    "reservePrice",
    "buyNowPrice",
    "estimateLow",
    "estimateHigh",
    "floorPrice",
    "priceDropAmount",
)
_TIMES: Final = ("openAt", "closeAt", "settleAt")
_NUMBERS: Final = (
    "autoExtendSeconds",
    "extensionWindowSeconds",
    "maxExtensions",
    "winnerCount",
    "priceDropIntervalSeconds",
)
_CHOICES: Final = ("format", "increments")
_TICKS: Final = ("publishReserve", "ladderOnly")
# What an emptied field takes back; any other that is emptied is left as it is.
_CLEARED: Final = frozenset(
    (
        "serial",
        "consignor",
        "reservePrice",
        "buyNowPrice",
        "estimateLow",
        "estimateHigh",
        "openAt",
        "closeAt",
        "maxExtensions",
        "floorPrice",
        "priceDropAmount",
        "priceDropIntervalSeconds",
    )
)
_EMPTIED: Final = ("description", "provenance")  # nothing is a text, too


# ── The table ────────────────────────────────────────────────────────────────────────────


class Sought(NamedTuple):
    """What of the table was asked for."""

    q: str = ""
    state: str = ""
    object: str = ""

    @property
    def is_anything(self) -> bool:
        """Is something left out?"""
        return any(self)


async def table(clerk: Clerk, sale_id: str) -> Response:
    """The sale's lots, as far as they are sought."""
    sale = clerk.sale(sale_id)
    params = clerk.request.query_params
    sought = Sought(*(params.get(name, "").strip() for name in Sought._fields))
    lots = clerk.lots(sale)
    found = await inspected(clerk.gateway, lots)
    shown = [lot for lot in lots if is_sought(lot, found[lot.auction_id], sought)]
    return clerk.page(
        "lots.html",
        tab="lots",
        sale=sale.created,
        pending=pending_of(sale),
        sought=sought,
        rows=[(lot, found[lot.auction_id], outcome_of(lot)) for lot in shown],
        total=len(lots),
        states=STATES,
        standings=STANDINGS,
        verbs=[(verb, n) for verb in VERBS if (n := _count(shown, verb))],
        dangerous=_DANGEROUS,
        takes=takes,
        shown=" ".join(lot.auction_id for lot in shown),
        zone=zone_of(sale.created.time_zone),
    )


def is_sought(lot: LotView, found: Inspected, sought: Sought) -> bool:
    """Does the lot belong into the table?"""
    text = f"{lot.catalogue.lot_number} {lot.catalogue.name} {lot.catalogue.serial or ''}"
    return (
        sought.q.casefold() in text.casefold()
        and sought.state in ("", lot.now.state.value)
        and sought.object in ("", found.state)
    )


def outcome_of(lot: LotView) -> str:
    """How the lot stands, in one word for all to come: sold, passed, or its state."""
    if lot.outcome in ("sold", "sold_subject", "passed", "withdrawn"):
        return str(lot.outcome)
    if lot.now.state is State.SCHEDULED and lot.terms.opens_at is None:
        return "called" if lot.format == "live" else "draft"
    return lot.now.state.value


def takes(lot: LotView, verb: Verb) -> bool:
    """Can this be done with the lot as it stands?"""
    if verb == "complete" and lot.format == "live":
        return False  # the hammer is the auctioneer's
    return verb in ALLOWED.get(lot.now.state, ())


def _count(lots: Iterable[LotView], verb: Verb) -> int:
    return sum(takes(lot, verb) for lot in lots)


async def do_with_many(clerk: Clerk, sale_id: str) -> Response:
    """Do one thing with every lot that is ticked, or with all that were shown."""
    sale, verb = clerk.sale(sale_id), verb_of(clerk)
    if verb in _DANGEROUS and clerk.form.text("typed") != sale.created.name:
        raise bad_field("typed", clerk.say("admin.fault.name-typed"))
    named = clerk.form.texts("lot") or clerk.form.text("shown").split()
    wanted = frozenset(named)
    lots = [lot for lot in clerk.lots(sale) if lot.auction_id in wanted and takes(lot, verb)]
    return in_turn(clerk, sale, verb, lots, work_of(verb))


def verb_of(clerk: Clerk) -> Verb:
    """What is to be done.  Raises ``Problem``."""
    said = clerk.form.text("verb")
    for verb in VERBS:
        if verb == said:
            return verb
    raise bad_field("verb", ", ".join(VERBS))


def work_of(verb: Verb) -> Work:
    """The API's own call for it."""
    handler = getattr(lots_api, verb)
    return lambda ask, lot: handler(ask, lot.auction_id)


# ── One lot ──────────────────────────────────────────────────────────────────────────────


async def blank(clerk: Clerk, sale_id: str) -> Response:
    """A form for a new lot."""
    sale = clerk.sale(sale_id)
    return _form(clerk, sale, None, {"lotNumber": _next_number(clerk, sale)}, {})


def _next_number(clerk: Clerk, sale: SaleView) -> str:
    numbers = [lot.catalogue.lot_number for lot in clerk.lots(sale)]
    return str(max((int(n) for n in numbers if n.isascii() and n.isdecimal()), default=0) + 1)


async def create(clerk: Clerk, sale_id: str) -> Response:
    """Add a lot to the sale."""
    sale = clerk.sale(sale_id)
    number = clerk.form.text("lotNumber") or _next_number(clerk, sale)
    try:
        said = changes_of({name: text for name, text in _said(clerk).items() if text})
        offer = lotting.offered(said, lots_api.setting_of(sale), number)
        await lots_api.added(clerk.ask(), sale_id, offer)
    except Problem as problem:
        return _form(clerk, sale, None, clerk.form.all(), faults_of(clerk, problem), problem)
    return clerk.done(f"/admin/sale/{sale_id}/lots", "admin.did.lot-added", lot=number)


async def edit(clerk: Clerk, auction_id: str) -> Response:
    """One lot: how it stands, what can be done with it, and what is said of it."""
    lot = clerk.ask().lot(auction_id)
    return _form(clerk, lot.sale, lot, filled(lot), {})


async def change(clerk: Clerk, auction_id: str) -> Response:
    """Change what is said of a lot: only what was changed in the form."""
    ask = clerk.ask()
    lot = ask.lot(auction_id)
    before = filled(lot)
    news = {name: text for name, text in _said(clerk).items() if text != before.get(name, "")}
    try:
        said = changes_of(
            {name: _value(name, text) for name, text in news.items() if _tells(name, text)}
        )
        if news:
            await lots_api.update(ask, auction_id, said)
    except Problem as problem:
        return _form(clerk, lot.sale, lot, clerk.form.all(), faults_of(clerk, problem), problem)
    number = lot.catalogue.lot_number
    return clerk.done(f"/admin/lot/{auction_id}", "admin.did.lot-changed", lot=number)


def _tells(name: str, text: str) -> bool:
    return bool(text) or name in _CLEARED or name in _EMPTIED


def _value(name: str, text: str) -> str | None:
    return text if text or name in _EMPTIED else None


async def do_with_one(clerk: Clerk, auction_id: str) -> Response:
    """Move one lot on, or take it out of its sale."""
    ask = clerk.ask()
    lot = ask.lot(auction_id)
    number, sale_id = lot.catalogue.lot_number, lot.sale.created.sale_id
    verb = clerk.form.text("verb")
    if verb in (*_DANGEROUS, "remove") and clerk.form.text("typed") != number:
        raise bad_field("typed", clerk.say("admin.fault.number-typed"))
    if verb == "remove":
        await lots_api.remove(ask, auction_id)
        return clerk.done(f"/admin/sale/{sale_id}/lots", "admin.did.lot-removed", lot=number)
    await work_of(verb_of(clerk))(ask, lot)
    return clerk.done(f"/admin/lot/{auction_id}", f"admin.did.{verb}", lot=number)


def _form(
    clerk: Clerk,
    sale: SaleView,
    lot: LotView | None,
    values: Mapping[str, str],
    faults: Mapping[str, str],
    problem: Problem | None = None,
) -> Response:
    return clerk.page(
        "lot_form.html",
        status=200 if problem is None else problem.status,
        tab="lots",
        sale=sale.created,
        pending=pending_of(sale),
        lot=lot,
        outcome="" if lot is None else outcome_of(lot),
        verbs=[] if lot is None else [verb for verb in VERBS if takes(lot, verb)],
        dangerous=_DANGEROUS,
        is_fixed=lot is not None and lot.now.state is not State.SCHEDULED,
        filled=values,
        faults=faults,
        wrong="" if problem is None else problem_text(clerk, problem),
        formats=FORMATS,
        ladders=list(published()),
    )


def _said(clerk: Clerk) -> dict[str, str]:
    """What the form says, field by field; a tick is a word."""
    form = clerk.form
    names: Sequence[str] = (*_TEXTS, *_AMOUNTS, *_TIMES, *_NUMBERS, *_CHOICES, "provenance")
    said = {name: form.text(name).replace("\r\n", "\n") for name in names}
    return {**said, **{name: "true" if form.text(name) else "false" for name in _TICKS}}


def filled(lot: LotView) -> dict[str, str]:
    """A lot, as the form has it.  Steps that it is sold by stay unless others are chosen."""
    terms, printed, exponent = lot.terms, lot.catalogue, lot.sale.created.exponent
    zone = zone_of(printed.time_zone or lot.sale.created.time_zone)
    amounts = {
        "startingBid": terms.opening,
        "reservePrice": terms.reserve,
        "buyNowPrice": terms.buy_now,
        "estimateLow": printed.estimate_low,
        "estimateHigh": printed.estimate_high,
        "floorPrice": terms.floor,
        "priceDropAmount": terms.drop,
    }
    numbers = {
        "autoExtendSeconds": terms.extension_ms // 1000,
        "extensionWindowSeconds": terms.extension_window_ms // 1000,
        "maxExtensions": terms.max_extensions,
        "winnerCount": terms.winner_count,
        "priceDropIntervalSeconds": None
        if terms.drop_interval_ms is None
        else terms.drop_interval_ms // 1000,
    }
    times = {"openAt": terms.opens_at, "closeAt": terms.closes_at, "settleAt": terms.settle_at}
    return {
        "name": printed.name,
        "description": printed.description,
        "lotNumber": printed.lot_number,
        "serial": printed.serial or "",
        "consignor": terms.consignor or "",
        "format": terms.format,
        "increments": "",
        "minimumIncrement": "",
        "provenance": "\n".join(printed.provenance),
        "publishReserve": "true" if terms.publish_reserve else "false",
        "ladderOnly": "true" if terms.ladder_only else "false",
        **{name: _amount(units, exponent) for name, units in amounts.items()},
        **{name: "" if value is None else str(value) for name, value in numbers.items()},
        **{name: _local(at, zone) for name, at in times.items()},
    }


def _amount(units: int | None, exponent: int) -> str:
    return "" if units is None else plainly(units, exponent)


def _local(at: int | None, zone: tzinfo) -> str:
    """The instant as a field for times has it, to the minute; finer only where it is."""
    if at is None:
        return ""
    there = datetime.fromtimestamp(at / 1000, UTC).astimezone(zone)
    pattern = "%Y-%m-%dT%H:%M" if at % 60_000 == 0 else "%Y-%m-%dT%H:%M:%S"
    return there.strftime(pattern)
