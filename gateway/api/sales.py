"""Sales and who may bid in them, as the house runs them.

A handler reads what is said, gives the command, and shows what the log made of it; whether a
sale may still change or go, the engine says.
"""

from __future__ import annotations

from typing import Final

from msgspec import UNSET, UnsetType

from engine.core.messages import CreateSale, RegisterBidder, RemoveSale, UpdateSale
from gateway.api.calls import Ask, Raw
from gateway.api.importing import imported
from gateway.api.zones import zone_of
from gateway.books import people
from gateway.books.addresses import emails
from gateway.core import prospectus
from gateway.core.bodies import minor_units
from gateway.core.paging import Ends, page_of
from gateway.core.problems import Problem, bad_field
from gateway.core.view import RegistrationView, SaleView
from gateway.core.wire.consumer import PageInfo
from gateway.core.wire.house import (
    Decision,
    Imported,
    ImportQuery,
    NewSale,
    PageQuery,
    Registration,
    Registrations,
    Sale,
    SaleChanges,
    Sales,
)

_NEEDS_REASON: Final = ("declined", "suspended")


# ── Sales ────────────────────────────────────────────────────────────────────────────────


async def create(ask: Ask, body: NewSale) -> Sale:
    """Announce a sale."""
    zone_of(body.time_zone)
    sale_id = "seq_" + ask.named("sequence", 10)
    sale = prospectus.announced(body, sale_id, ask.caller.mode)
    await ask.command(_given(sale, ask))
    return _shown(ask, ask.sale(sale_id))


async def listing(ask: Ask, query: PageQuery) -> Sales:
    """The sales of the house, in the order in which they were announced."""
    mode, known = ask.caller.mode, ask.gateway.saleroom.sales
    mine = [sale_id for sale_id, sale in known.items() if sale.created.mode == mode]
    page, ends = page_of(mine, query.limit, query.cursor, str)
    return Sales(data=[_shown(ask, known[sale_id]) for sale_id in page], page_info=_info(ends))


async def read(ask: Ask, sequence_id: str) -> Sale:
    """A sale: its terms, and its lots in their order."""
    return _shown(ask, ask.sale(sequence_id))


async def update(ask: Ask, sequence_id: str, body: SaleChanges) -> Sale:
    """Change what is said of a sale; its currency only while it has no lots."""
    if not isinstance(body.time_zone, UnsetType):
        zone_of(body.time_zone)
    sale = prospectus.amended(ask.sale(sequence_id).created, body)
    await ask.command(UpdateSale(_given(sale, ask), ask.cmd_id, ask.caller.name))
    return _shown(ask, ask.sale(sequence_id))


async def remove(ask: Ask, sequence_id: str) -> None:
    """Take back a sale that has no lots."""
    ask.sale(sequence_id)
    await ask.command(RemoveSale(sequence_id, ask.cmd_id, ask.caller.name))


async def import_catalogue(ask: Ask, sequence_id: str, body: Raw, query: ImportQuery) -> Imported:
    """Enter a catalogue (CSV) into a sale: all of it, or with any error nothing of it."""
    return await imported(ask, ask.sale(sequence_id), body.content, dry_run=query.dry_run)


def _given(sale: CreateSale, ask: Ask) -> CreateSale:
    return CreateSale(
        sale.sale_id,
        sale.name,
        sale.currency,
        sale.exponent,
        sale.time_zone,
        sale.registration,
        sale.mode,
        sale.supports_guest,
        sale.terms,
        ask.cmd_id,
        ask.caller.name,
    )


def _shown(ask: Ask, sale: SaleView) -> Sale:
    lots = ask.gateway.saleroom.lots
    return prospectus.shown(sale, (lots[auction_id] for auction_id in sale.auction_ids))


def _info(ends: Ends) -> PageInfo:
    return PageInfo(start_cursor=ends.start, end_cursor=ends.end)


# ── Who may bid ──────────────────────────────────────────────────────────────────────────


async def registrations(ask: Ask, sequence_id: str, query: PageQuery) -> Registrations:
    """Everybody who is registered for a sale, with what they have at stake."""
    sale = ask.sale(sequence_id)
    page, ends = page_of(list(sale.registrations), query.limit, query.cursor, str)
    known = await ask.books(emails, ask.gateway.vault, page)
    shown = [_registration(ask, sale, consumer_id, known.get(consumer_id)) for consumer_id in page]
    return Registrations(data=shown, page_info=_info(ends))


async def decide(ask: Ask, sequence_id: str, consumer_id: str, body: Decision) -> Registration:
    """Let somebody bid in a sale, up to a limit, or not; a refusal has its reason."""
    sale = ask.sale(sequence_id)
    if body.status in _NEEDS_REASON and not body.reason.strip():
        raise bad_field("reason", "a reason was expected")
    person = await ask.books(people.by_id, ask.gateway.vault, consumer_id)
    is_ours = person is not None and person.mode == ask.caller.mode and person.erased_at is None
    if consumer_id not in sale.registrations and not is_ours:
        raise Problem("registration_not_found")
    await ask.command(_register(ask, sale, consumer_id, body))
    email = None if person is None else person.email
    return _registration(ask, sale, consumer_id, email)


async def restore(ask: Ask, sequence_id: str, consumer_id: str, before: RegistrationView) -> None:
    """Take a decision back: the bidder's place is again as it was before it."""
    ask.sale(sequence_id)
    await ask.command(
        RegisterBidder(
            sequence_id,
            consumer_id,
            before.admission,
            before.paddle,
            before.limit,
            before.reason,
            ask.cmd_id,
            ask.caller.name,
        )
    )


def _register(ask: Ask, sale: SaleView, consumer_id: str, said: Decision) -> RegisterBidder:
    known = sale.registrations.get(consumer_id)
    if isinstance(said.limit, UnsetType):
        limit = None if known is None else known.limit
    else:
        exponent = sale.created.exponent
        limit = None if said.limit is None else minor_units(said.limit, exponent, "limit")
    return RegisterBidder(
        sale.created.sale_id,
        consumer_id,
        said.status,
        None if said.paddle is UNSET else said.paddle,
        limit,
        said.reason,
        ask.cmd_id,
        ask.caller.name,
    )


def _registration(ask: Ask, sale: SaleView, consumer_id: str, email: str | None) -> Registration:
    won = ask.gateway.saleroom.won(sale, consumer_id)
    seat = sale.registrations[consumer_id]
    return prospectus.registration(sale.created, consumer_id, seat, won, email)
