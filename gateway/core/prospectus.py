"""A sale as the house announces it, and as everybody may read it.

Pure: what is said → the sale's command, views → the types of ``gateway.core.wire.house``.
Percentages are kept as decimal texts, as they were said; money is whole minor units inside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from engine.core.messages import CreateSale, Mode, SaleTerms
from gateway.core.bodies import minor_units
from gateway.core.consumer import STATUSES, instant, moment
from gateway.core.currencies import EXPONENTS
from gateway.core.problems import bad_field
from gateway.core.view import LotView, RegistrationView, SaleView
from gateway.core.wire.house import (
    LotInSale,
    NewSale,
    Registration,
    Sale,
    SaleChanges,
    SaleTermsSaid,
    SaleTermsShown,
    Step,
)
from gateway.core.wording import major_units

_ALL: Final = Decimal(100)  # percent
_LONGEST_PERCENT: Final = 10  # characters: nobody charges more precisely than 12.345678


def announced(said: NewSale, sale_id: str, mode: Mode) -> CreateSale:
    """A new sale.  Raises ``Problem`` 400."""
    blank = CreateSale(sale_id, "", "", 0, mode=mode, supports_guest=False)
    return amended(blank, said)


def amended(sale: CreateSale, said: SaleChanges) -> CreateSale:
    """The sale with what is said laid over it.  Raises ``Problem`` 400."""
    named = ("name", "time_zone", "registration", "supports_guest")
    given = {name: getattr(said, name) for name in named}
    changes: dict[str, Any] = {k: value for k, value in given.items() if value is not UNSET}
    if not isinstance(said.currency_code, UnsetType):
        if said.currency_code not in EXPONENTS:
            raise bad_field("currencyCode", "a currency of ISO 4217 was expected")
        changes["currency"] = said.currency_code
        changes["exponent"] = EXPONENTS[said.currency_code]
    sale = _in_currency(replace(sale, **changes), sale.exponent)
    if isinstance(said.terms, UnsetType):
        return sale
    return replace(sale, terms=_terms(sale.terms, said.terms, sale.exponent))


def _in_currency(sale: CreateSale, exponent: int) -> CreateSale:
    """The same premium in another currency's minor units: 1,000 stays 1,000."""
    if sale.exponent == exponent or not sale.terms.buyers_premium:
        return sale
    field = "currencyCode"
    tiers = tuple(
        (_from(major_units(start, exponent), sale.exponent, field), percent)
        for start, percent in sale.terms.buyers_premium
    )
    return replace(sale, terms=replace(sale.terms, buyers_premium=tiers))


def _from(start: Decimal, exponent: int, field: str) -> int:
    return 0 if start == 0 else minor_units(start, exponent, field)


def _terms(terms: SaleTerms, said: SaleTermsSaid, exponent: int) -> SaleTerms:
    changes: dict[str, Any] = {}
    if not isinstance(said.buyers_premium, UnsetType):
        changes["buyers_premium"] = _premium(said.buyers_premium, exponent)
    if not isinstance(said.tax_percent, UnsetType):
        changes["tax_percent"] = _percent(said.tax_percent, "terms.taxPercent")
    for name in ("conditions", "conditions_version", "wrong_foot", "house_bids", "fingers"):
        if getattr(said, name) is not UNSET:
            changes[name] = getattr(said, name)
    return replace(terms, **changes)


def _premium(tiers: Sequence[Step], exponent: int) -> tuple[tuple[int, str], ...]:
    field = "terms.buyersPremium"
    read = [(_from(start, exponent, field), _percent(percent, field)) for start, percent in tiers]
    if read and read[0][0] != 0:
        raise bad_field(field, "the first tier begins at 0")
    if any(later[0] <= earlier[0] for earlier, later in pairwise(read)):
        raise bad_field(field, "tiers of [from, percent] must ascend by 'from'")
    return tuple(read)


def _percent(number: Decimal, field: str) -> str:
    text = f"{number:f}"
    if not 0 <= number <= _ALL or len(text) > _LONGEST_PERCENT:
        raise bad_field(field, "a percentage from 0 to 100 was expected")
    return text


# ── Showing ──────────────────────────────────────────────────────────────────────────────


def shown(view: SaleView, lots: Iterable[LotView]) -> Sale:
    """A sale, with its lots in their order."""
    sale, offered = view.created, list(lots)
    return Sale(
        id=sale.sale_id,
        name=sale.name,
        time_zone=sale.time_zone,
        currency_code=sale.currency,
        registration=sale.registration,
        supports_guest=sale.supports_guest,
        terms=_terms_shown(sale),
        mode=sale.mode,
        open_at=instant(min((at for lot in offered if (at := lot.opens_at)), default=None)),
        close_at=instant(max((at for lot in offered if (at := lot.now.closes_at)), default=None)),
        auctions=[_listed(lot) for lot in offered],
    )


def _terms_shown(sale: CreateSale) -> SaleTermsShown:
    terms = sale.terms
    return SaleTermsShown(
        buyers_premium=[
            (major_units(start, sale.exponent), Decimal(percent))
            for start, percent in terms.buyers_premium
        ],
        tax_percent=Decimal(terms.tax_percent),
        conditions=terms.conditions,
        conditions_version=terms.conditions_version,
        wrong_foot=terms.wrong_foot,
        house_bids=terms.house_bids,
        fingers=terms.fingers,
    )


def _listed(lot: LotView) -> LotInSale:
    return LotInSale(
        id=lot.auction_id,
        lot_number=lot.catalogue.lot_number,
        name=lot.catalogue.name,
        open_at=instant(lot.opens_at),
        close_at=instant(lot.now.closes_at),
        status=STATUSES[lot.now.state],
        format=lot.format,
    )


def registration(
    sale: CreateSale, consumer_id: str, seat: RegistrationView, won: int, email: str | None
) -> Registration:
    """A bidder's place in a sale, for the house."""
    return Registration(
        consumer_id=consumer_id,
        email=email,
        status=seat.admission,
        paddle=seat.paddle,
        limit=None if seat.limit is None else major_units(seat.limit, sale.exponent),
        won=major_units(won, sale.exponent),
        reason=seat.reason,
        conditions_version=seat.conditions_version,
        changed_at=moment(seat.at),
    )
