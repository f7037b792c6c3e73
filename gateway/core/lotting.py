"""What the house says of a lot → the terms that it is sold by, and what is printed of it.

A new lot and a changed one are read the same way: what is said is laid over what there was,
and the whole is looked at afterwards, so that nothing can be brought about by changes that
could not have been said at once.  Every objection names the field.

Pure: zones and published increments are handed in; the keys of sealed bids are the caller's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from decimal import Decimal
from typing import Any, Final, NamedTuple

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from engine.core import increments
from engine.core.increments import BadIncrements, Published
from engine.core.messages import Catalogue, Ladder, Table, Terms
from gateway.core.bodies import minor_units
from gateway.core.problems import bad_field, bad_fields
from gateway.core.schedule import BadTime, read_instant
from gateway.core.view import SEALED
from gateway.core.wire.house import LotChanges, Step
from gateway.core.wording import major_units

# Where nobody says otherwise: the trade's standard ladder.
DEFAULT_INCREMENTS: Final = increments.saleroom_ladder()

_SAME: Final = (
    "format",
    "winner_count",
    "ladder_only",
    "leader_raise",
    "reserve_policy",
    "publish_reserve",
    "max_extensions",
    "uniform_price",
    "consignor",
)
_PRINTED: Final = ("name", "description", "lot_number", "serial", "time_zone")
_AMOUNTS: Final = {
    "starting_bid": "opening",
    "reserve_price": "reserve",
    "buy_now_price": "buy_now",
    "floor_price": "floor",
    "price_drop_amount": "drop",
}
_INSTANTS: Final = {"open_at": "opens_at", "close_at": "closes_at", "settle_at": "settle_at"}
_SECONDS: Final = {
    "auto_extend_seconds": "extension_ms",
    "extension_window_seconds": "extension_window_ms",
    "price_drop_interval_seconds": "drop_interval_ms",
}
Fault = tuple[str, str]  # (field, what was expected)


class Setting(NamedTuple):
    """What a lot takes from its sale and its house."""

    currency: str
    exponent: int
    zone: tzinfo  # of times without an offset
    published: Mapping[str, Published]


class Offer(NamedTuple):
    """A lot as it is offered."""

    terms: Terms
    catalogue: Catalogue


def offered(said: LotChanges, setting: Setting, lot_number: str) -> Offer:
    """A new lot; *lot_number* where none is said.  Raises ``Problem`` 400."""
    if said.starting_bid is UNSET and said.format == "dutch":
        raise bad_field("startingBid", "a falling price must begin somewhere")
    steps = _increments(said, setting) or DEFAULT_INCREMENTS
    # Where no opening bid is said, one step: the lowest that the ladder would have.
    blank = Terms(opening=max(increments.step_at(steps, 0), 1), increments=steps)
    offer = amended(Offer(blank, Catalogue(lot_number, "")), said, setting)
    if offer.catalogue.name:
        return offer
    named = replace(offer.catalogue, name=f"Lot {offer.catalogue.lot_number}")
    return Offer(offer.terms, named)


def amended(offer: Offer, said: LotChanges, setting: Setting) -> Offer:
    """The lot with what is said laid over it, looked at as a whole.  Raises ``Problem`` 400."""
    whole = laid_over(offer, said, setting)
    if faults := faults_of(whole, setting):
        raise bad_fields(faults)
    return whole


def laid_over(offer: Offer, said: LotChanges, setting: Setting) -> Offer:
    """The lot with what is said laid over it, whether it makes sense or not.

    Raises ``Problem`` 400 for what cannot be read at all.
    """
    if said.currency_code not in (UNSET, setting.currency):
        raise bad_field("currencyCode", f"the sale is in {setting.currency}")
    terms = replace(offer.terms, **_terms(said, setting))
    terms = _matching_extension(terms, said)
    terms = _matching_settlement(terms, said)
    if terms.format not in SEALED:
        terms = replace(terms, sealing=None)
    # A lot that is sold live is settled when the clerk closes the sale.
    terms = replace(terms, settle_by_command=terms.format == "live")
    return Offer(terms, replace(offer.catalogue, **_printed(said, setting.exponent)))


def faults_of(offer: Offer, setting: Setting) -> list[Fault]:
    """What does not fit together."""
    terms = offer.terms
    return [
        *_time_faults(terms),
        *_price_faults(terms, setting),
        *_fall_faults(terms),
        *_object_faults(offer),
    ]


# ── Reading ──────────────────────────────────────────────────────────────────────────────


def _terms(said: LotChanges, setting: Setting) -> dict[str, Any]:
    changes: dict[str, Any] = _copied(said, _SAME)
    for field, name in _AMOUNTS.items():
        changes |= _read(said, field, name, lambda amount, field: _units(amount, setting, field))
    for field, name in _INSTANTS.items():
        changes |= _read(said, field, name, lambda text, field: _instant(text, setting, field))
    for field, name in _SECONDS.items():
        changes |= _read(said, field, name, lambda seconds, _field: seconds * 1000)
    steps = _increments(said, setting)
    return changes if steps is None else {**changes, "increments": steps}


def _copied(said: LotChanges, names: tuple[str, ...]) -> dict[str, Any]:
    given = {name: getattr(said, name) for name in names}
    return {name: value for name, value in given.items() if value is not UNSET}


def _read(said: LotChanges, field: str, name: str, reader: Any) -> dict[str, Any]:
    value = getattr(said, field)
    if value is UNSET:
        return {}
    return {name: None if value is None else reader(value, wire_name(field))}


def wire_name(field: str) -> str:
    """A field's name in the contract: ``startingBid`` of ``starting_bid``."""
    first, *rest = field.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _units(amount: Decimal, setting: Setting, field: str) -> int:
    return minor_units(amount, setting.exponent, field)


def _instant(text: str, setting: Setting, field: str) -> int:
    try:
        return read_instant(text, setting.zone)
    except BadTime as error:
        raise bad_field(field, str(error)) from error


def _printed(said: LotChanges, exponent: int) -> dict[str, Any]:
    changes = _copied(said, _PRINTED)
    if not isinstance(said.provenance, UnsetType):
        changes["provenance"] = tuple(said.provenance)
    if isinstance(said.estimate, UnsetType):
        return changes
    low = None if said.estimate is None else said.estimate.low
    high = None if said.estimate is None else said.estimate.high
    if low is not None and high is not None and low > high:
        raise bad_field("estimate", "the low estimate is above the high one")
    for name, amount in (("estimate_low", low), ("estimate_high", high)):
        changes[name] = None if amount is None else minor_units(amount, exponent, "estimate")
    return changes


def _increments(said: LotChanges, setting: Setting) -> Table | Ladder | None:
    """The steps that are said; None: none are."""
    if said.increments is not UNSET and said.minimum_increment is not UNSET:
        raise bad_field("minimumIncrement", "either a minimum increment or increments")
    if not isinstance(said.minimum_increment, UnsetType):
        return increments.table([(0, _units(said.minimum_increment, setting, "minimumIncrement"))])
    if isinstance(said.increments, UnsetType):
        return None
    try:
        if not isinstance(said.increments, str):
            return _own_table(said.increments, setting)
        if said.increments not in setting.published:
            raise BadIncrements(
                f"a table of (from, step), or one of {', '.join(setting.published)}"
            )
        return increments.read_published(setting.published[said.increments], setting.exponent)
    except BadIncrements as error:
        raise bad_field("increments", str(error)) from error


def _own_table(rows: list[Step], setting: Setting) -> Table:
    # Zero is a place to begin, and no amount.
    return increments.table(
        [
            (
                0 if start == 0 else _units(start, setting, "increments"),
                _units(step, setting, "increments"),
            )
            for start, step in rows
        ]
    )


def _matching_extension(terms: Terms, said: LotChanges) -> Terms:
    """Where only one of window and extension was ever said, the other is as long."""
    window, extension = terms.extension_window_ms, terms.extension_ms
    if window and not extension and said.auto_extend_seconds is UNSET:
        return replace(terms, extension_ms=window)
    if extension and not window and said.extension_window_seconds is UNSET:
        return replace(terms, extension_window_ms=extension)
    return terms


def _matching_settlement(terms: Terms, said: LotChanges) -> Terms:
    """A lot that closes later than it was to be settled is settled when it closes."""
    settle_at, closes_at = terms.settle_at, terms.closes_at
    if said.settle_at is not UNSET or settle_at is None or closes_at is None:
        return terms
    return replace(terms, settle_at=max(settle_at, closes_at))


# ── Looking at the whole ─────────────────────────────────────────────────────────────────


def _time_faults(terms: Terms) -> list[Fault]:
    faults = []
    opens_at, closes_at, settle_at = terms.opens_at, terms.closes_at, terms.settle_at
    if opens_at is not None and closes_at is not None and opens_at >= closes_at:
        faults.append(("closeAt", "after openAt"))
    last = max(opens_at or 0, closes_at or 0)
    if settle_at is not None and settle_at < last:
        faults.append(("settleAt", "not before the lot closes"))
    return faults


def _price_faults(terms: Terms, setting: Setting) -> list[Fault]:
    if terms.buy_now is None:
        return []
    if terms.format not in ("english", "live") or terms.winner_count > 1:
        return [("buyNowPrice", "only where one winner is found by rising bids")]
    lowest = max(terms.opening, terms.reserve or 0)
    if terms.buy_now >= lowest:
        return []
    return [("buyNowPrice", f"at least {major_units(lowest, setting.exponent)}")]


def _fall_faults(terms: Terms) -> list[Fault]:
    """A falling price needs its floor and its drops; no other has any."""
    fall = {
        "floorPrice": terms.floor,
        "priceDropAmount": terms.drop,
        "priceDropIntervalSeconds": terms.drop_interval_ms,
    }
    if terms.format != "dutch":
        return [(field, "only for the format dutch") for field, value in fall.items() if value]
    faults = [(field, "the format dutch needs it") for field, value in fall.items() if not value]
    if terms.reserve is not None:
        faults.append(("reservePrice", "of a falling price the floor is the reserve"))
    if terms.floor is not None and terms.floor > terms.opening:
        faults.append(("floorPrice", "not above startingBid"))
    return faults


def _object_faults(offer: Offer) -> list[Fault]:
    """There is one of each object."""
    if offer.catalogue.serial is None or offer.terms.winner_count == 1:
        return []
    return [("serial", "only with a winnerCount of 1")]
