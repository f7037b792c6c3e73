"""A sale's lots, as the house runs them: made, changed, moved on.

A handler reads what is said, gives the command, and shows what the log made of it.  Whether a
lot may still be changed or moved on, the engine says; the answer names where the lot stands
and what can be done there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Literal

from msgspec import UNSET, UnsetType
from msgspec.structs import replace
from starlette.concurrency import run_in_threadpool

from engine.core.messages import (
    AddLot,
    CancelLot,
    CloseLot,
    Command,
    OpenLot,
    PauseLot,
    RemoveLot,
    SettleLot,
    State,
    UnpauseLot,
    UpdateLot,
    sale_part,
)
from gateway import archive
from gateway.api import listing
from gateway.api.calls import Ask
from gateway.api.zones import zone_of
from gateway.core import consumer, lotting
from gateway.core.lotting import Offer, Setting
from gateway.core.problems import Problem, bad_field
from gateway.core.view import SEALED, LotView, SaleView
from gateway.core.wire.consumer import Auction
from gateway.core.wire.house import LotChanges, NewLot, Nothing
from gateway.increments import published
from gateway.sealing import CannotOpen, new_sealing, opening_key

Verb = Literal["pause", "resume", "cancel", "complete", "settle"]

NOTHING: Final = Nothing()
WRITTEN_WITHIN_S: Final = 5.0  # the clerk is a moment behind; longer, and it is in trouble
_LOOK_AGAIN_S: Final = 0.02

# What the house can do where.
ALLOWED: Final[Mapping[State, tuple[Verb, ...]]] = {
    State.SCHEDULED: ("resume", "cancel"),
    State.OPEN: ("pause", "complete", "cancel"),
    State.PAUSED: ("resume", "complete", "cancel"),
    State.CLOSED: ("settle",),
}
_OPEN: Final = (State.OPEN, State.PAUSED)


# ── Making and changing ──────────────────────────────────────────────────────────────────


async def create(ask: Ask, body: NewLot) -> Auction:
    """Add a lot to a sale.  Without ``openAt`` it is a draft, which ``resume`` opens."""
    sale = ask.sale(body.sequence_id)
    number = str(len(sale.auction_ids) + 1)
    offer = lotting.offered(body, setting_of(sale, body.time_zone), number)
    auction_id = await added(ask, body.sequence_id, offer)
    return shown(ask, ask.lot(auction_id))


async def update(ask: Ask, auction_id: str, body: LotChanges) -> Auction:
    """Change a lot: everything while it is pending; while it is open its name, a later end or
    settlement, and a lower reserve."""
    lot = ask.lot(auction_id)
    if body.sequence_id not in (UNSET, lot.sale.created.sale_id):
        raise bad_field("sequenceId", "a lot stays in its sale")
    setting = setting_of(lot.sale, body.time_zone)
    await changed(ask, lot, lambda: _amended(lot, body, setting))
    return shown(ask, lot)


async def remove(ask: Ask, auction_id: str) -> None:
    """Take a lot out of its sale, while it is pending."""
    lot = ask.lot(auction_id)
    if lot.now.state is not State.SCHEDULED:
        raise Problem("not_editable")
    try:
        await carry_out(ask, RemoveLot(auction_id, ask.cmd_id, ask.caller.name))
    except Problem as problem:
        raise _not_editable(problem) from problem


def _amended(lot: LotView, said: LotChanges, setting: Setting) -> Offer:
    offer = Offer(lot.terms, lot.catalogue)
    state = lot.now.state
    if state is State.SCHEDULED:
        return lotting.amended(offer, said, setting)
    if state not in _OPEN:
        raise Problem("not_editable")
    whole = lotting.laid_over(offer, said, setting)
    renamed = replace(lot.catalogue, name=whole.catalogue.name)
    # What does not fit together is no change that an open lot could have.
    if whole.catalogue != renamed or lotting.faults_of(whole, setting):
        raise Problem("not_editable")
    return whole


async def added(ask: Ask, sale_id: str, offer: Offer) -> str:
    """Add a new lot to a sale; its auction id.  Raises ``Problem``."""
    auction_id = f"auction_{sale_part(sale_id)}_{ask.named('auction', 8)}"
    if listing.is_put_up(offer):
        offer = await listing.admitted(ask, offer, auction_id)
    whole = sealed(ask, offer)
    await carry_out(ask, AddLot(auction_id, sale_id, *whole, ask.cmd_id, ask.caller.name))
    return auction_id


async def changed(ask: Ask, lot: LotView, build: Callable[[], Offer]) -> None:
    """Change a lot to what *build* makes of it as it is.  Raises ``Problem``.

    Where somebody else has changed it in between, it is built once more.
    """
    try:
        await _change(ask, lot, build, ask.cmd_id)
    except Problem as problem:
        if problem.code != "conflict":
            raise
        # Another id: to this one the log has given its answer.
        await _change(ask, lot, build, f"{ask.cmd_id}.again")


async def carry_out(ask: Ask, command: Command) -> None:
    """Have a command about a lot carried out.  Raises ``Problem``, without the engine's own
    word for the lot's state: each dialect has another."""
    try:
        await ask.command(command)
    except Problem as problem:
        problem.details = None
        raise


async def _change(ask: Ask, lot: LotView, build: Callable[[], Offer], cmd_id: str) -> None:
    offer = sealed(ask, build())
    if listing.is_newly_put_up(Offer(lot.terms, lot.catalogue), offer):
        offer = await listing.admitted(ask, offer, lot.auction_id)
    by = ask.caller.name
    await carry_out(ask, UpdateLot(lot.auction_id, lot.revision, *offer, cmd_id, by))


def sealed(ask: Ask, offer: Offer) -> Offer:
    """The offer with a key pair for its bids, where it is to be sold by sealed ones."""
    if offer.terms.format not in SEALED or offer.terms.sealing is not None:
        return offer
    return Offer(replace(offer.terms, sealing=new_sealing(ask.gateway.keys)), offer.catalogue)


def setting_of(sale: SaleView, zone: str | UnsetType = UNSET) -> Setting:
    """What a lot takes from its sale; *zone*: another one for the times that are said."""
    created = sale.created
    named = created.time_zone if isinstance(zone, UnsetType) else zone
    return Setting(created.currency, created.exponent, zone_of(named), published())


def shown(ask: Ask, lot: LotView) -> Auction:
    """The lot as the consumer API shows it to this caller."""
    return consumer.auction(lot, consumer.moment(ask.now), reads_reserves=ask.caller.reads_reserves)


# ── Moving on ────────────────────────────────────────────────────────────────────────────


async def pause(ask: Ask, auction_id: str, body: Nothing = NOTHING) -> Auction:
    """Take no bids for a while; what is left of the time is left."""
    return await _moved(ask, auction_id, "pause")


async def resume(ask: Ask, auction_id: str, body: Nothing = NOTHING) -> Auction:
    """Take bids: again after a pause, or for the first time."""
    return await _moved(ask, auction_id, "resume")


async def cancel(ask: Ask, auction_id: str, body: Nothing = NOTHING) -> Auction:
    """Call it off: nobody wins, and nothing is owed."""
    return await _moved(ask, auction_id, "cancel")


async def complete(ask: Ask, auction_id: str, body: Nothing = NOTHING) -> Auction:
    """Let the hammer fall now; sealed bids are opened."""
    return await _moved(ask, auction_id, "complete")


async def settle(ask: Ask, auction_id: str, body: Nothing = NOTHING) -> Auction:
    """Make the result final: winners and losers are told."""
    return await _moved(ask, auction_id, "settle")


async def _moved(ask: Ask, auction_id: str, verb: Verb) -> Auction:
    lot = ask.lot(auction_id)
    await moved(ask, lot, verb)
    return shown(ask, lot)


async def moved(ask: Ask, lot: LotView, verb: Verb) -> None:
    """Have a lot moved on, and its books written where tokens change hands.

    Raises ``Problem`` 409 where the lot's life has no such step, naming those it has.
    """
    if verb not in ALLOWED.get(lot.now.state, ()):
        raise not_from(lot.now.state, verb)
    if verb == "resume":
        await prepare_opening(ask, lot)
    try:
        await carry_out(ask, _command(ask, lot, verb))
    except Problem as problem:
        if problem.code != "invalid_transition":
            raise
        raise not_from(lot.now.state, verb) from problem
    if lot.terms.tokens is not None and verb in ("cancel", "settle"):
        await until_written(ask, lot, settled=verb == "settle")


async def prepare_opening(ask: Ask, lot: LotView) -> None:
    """See to it that a lot which is to be opened can be, if it is of an object.

    Raises ``Problem`` where it cannot.
    """
    offer = Offer(lot.terms, lot.catalogue)
    if lot.now.state is not State.SCHEDULED or listing.is_put_up(offer):
        return  # it was asked when it was put up
    if lot.catalogue.serial is None:
        return
    spelt = await listing.admitted(ask, offer, lot.auction_id)
    if spelt != offer:
        await _change(ask, lot, lambda: spelt, f"{ask.cmd_id}.serial")


def _command(ask: Ask, lot: LotView, verb: Verb) -> Command:
    given = (lot.auction_id, ask.cmd_id, ask.caller.name)
    match verb:
        case "pause":
            return PauseLot(*given)
        case "resume":
            is_new = lot.now.state is State.SCHEDULED
            return OpenLot(*given) if is_new else UnpauseLot(*given)
        case "cancel":
            return CancelLot(*given)
        case "complete":
            return CloseLot(*given, opening_key=_key_of(ask, lot))
        case "settle":
            return SettleLot(*given)


def _key_of(ask: Ask, lot: LotView) -> str:
    if not lot.is_sealed:
        return ""
    try:
        return opening_key(ask.gateway.keys, lot.terms)
    except CannotOpen as error:
        raise Problem("unavailable", str(error)) from error


def not_from(state: State, verb: Verb) -> Problem:
    """A step that a lot's life does not have where it stands."""
    allowed = " and ".join(ALLOWED.get(state, ())) or "nothing more"
    sentence = f"Cannot {verb}: the auction is {state.value}, which allows {allowed}."
    return Problem("invalid_transition", sentence)


def _not_editable(problem: Problem) -> Problem:
    return Problem("not_editable") if problem.code == "invalid_transition" else problem


async def until_written(ask: Ask, lot: LotView, *, settled: bool = False) -> None:
    """Wait for the clerk: until the books hold what has happened to the lot, or the patience
    is over.  *settled*: until the log says so, too."""
    try:
        async with asyncio.timeout(WRITTEN_WITHIN_S):
            while settled and lot.now.state is State.SETTLING:
                await asyncio.sleep(_LOOK_AGAIN_S)  # the view moves with the log
            last = lot.places[-1]
            while await _written(ask, lot) < last:
                await asyncio.sleep(_LOOK_AGAIN_S)
    except TimeoutError:
        return  # what is shown is true, only not the last word


async def _written(ask: Ask, lot: LotView) -> int:
    return await run_in_threadpool(archive.position, ask.gateway.archive, lot.shard)
