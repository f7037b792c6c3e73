"""Objects as their house sees them: registered, photographed, tagged, listed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from msgspec import UNSET

from gateway.core.bodies import Amount
from gateway.core.currencies import EXPONENTS
from verifier.api.calls import Ask, Raw
from verifier.api.refusals import bad_field
from verifier.core import matching, qr, wire
from verifier.core.canonical import NotCanonical, canonical
from verifier.registry import labels, owners, photos, tags
from verifier.registry import objects as registry
from verifier.registry.objects import Object

Json = dict[str, Any]
_MOST_MINOR: Final = 10**15  # exact in every reader's numbers
_LARGEST_ATTRIBUTES: Final = 16_000  # bytes, as of an event's evidence


async def register(ask: Ask, body: wire.Registration) -> wire.Registered:
    """Register an object: it gets a serial, a link, and a history that begins."""
    owner = None if body.owner is None else person(body.owner)
    said = registry.Registration(
        title=body.title,
        category=body.category,
        security_tier=body.security_tier,
        description=body.description,
        estimate=None if body.estimated_value is None else _estimate(body.estimated_value),
        owner=owner,
        attributes=plain("attributes", body.attributes or {}),
        serial=body.serial,
    )
    made = await ask.registry(registry.register, ask.mode, said, ask.now)
    link = await ask.registry(labels.signed_link, made.row)
    label = wire.QrData(gs1DigitalLink=link, serial=made.row.serial)
    return wire.Registered(object=shown(made), qr_data=label)


async def read(ask: Ask, serial_or_id: str) -> wire.Object:
    """An object, by its serial or its id."""
    found = await ask.registry(registry.load, ask.mode, serial_or_id)
    link = await ask.registry(labels.signed_link, found.row)
    return shown(found, link)


async def listing(ask: Ask, query: wire.ObjectsQuery) -> wire.Objects:
    """The house's objects, the newest first."""
    wanted = registry.Wanted(
        query.status, query.category, query.q, query.limit, read_cursor(query.cursor)
    )
    found, total, more = await ask.registry(registry.listing, ask.mode, wanted)
    next_cursor = cursor_of(found[-1]) if more else None
    return wire.Objects(
        objects=[shown(one) for one in found],
        pagination=wire.Pagination(limit=query.limit, next_cursor=next_cursor, total=total),
    )


async def add_photo(ask: Ask, object_id: str, body: wire.NewPhoto) -> wire.PhotoAdded:
    """Take in a photograph; the last required angle binds the record.

    A photograph of an angle that is there already takes its place.
    """
    added = await photos.add(
        ask.store, ask.verifier.workers, ask.mode, object_id, body.angle, body.photo, ask.now
    )
    photo = wire.Photo(
        angle=added.row.angle,
        sha256=added.row.sha256,
        width=added.row.width,
        height=added.row.height,
        anchors_found=added.row.anchors_found,
        matchable=added.row.matchable,
        similar=list(added.similar),
    )
    return wire.PhotoAdded(photo=photo, photo_status=photo_status(added.object))


async def add_tag(ask: Ask, object_id: str, body: wire.NewTag) -> wire.TagAdded:
    """Bind an NFC tag to an object; its keys are sealed, and never shown."""
    said = tags.Binding(body.uid, body.file_key, body.meta_key, body.url_template)
    row = await ask.registry(tags.bind, ask.mode, object_id, said, ask.now)
    return wire.TagAdded(serial=row.serial)


async def qr_svg(ask: Ask, serial_or_id: str) -> Raw:
    """The object's signed link as a QR code, SVG."""
    return Raw(qr.svg(await _link(ask, serial_or_id)), "image/svg+xml")


async def qr_png(ask: Ask, serial_or_id: str) -> Raw:
    """The object's signed link as a QR code, PNG."""
    return Raw(qr.png(await _link(ask, serial_or_id)), "image/png")


async def _link(ask: Ask, serial_or_id: str) -> str:
    found = await ask.registry(registry.load, ask.mode, serial_or_id)
    return await ask.registry(labels.signed_link, found.row)


# ── Shown ────────────────────────────────────────────────────────────────────────────────


def shown(found: Object, link: str | None = None) -> wire.Object:
    """The object as its house sees it; with its *link*, all of it."""
    row = found.row
    tier = matching.TIERS[row.security_tier]
    return wire.Object(
        id=row.object_id,
        optropic_serial=row.serial,
        serial=row.serial,
        title=row.title,
        category=row.category,
        status=row.status,
        security_tier=row.security_tier,
        anchor_count=tier.anchors,
        required_angles=list(found.required),
        entropy_bits=tier.code_bits,
        entropy_bits_effective=matching.effective_bits(tier.anchors),
        owner_id=row.holder_id,
        registered_at=wire.instant(row.registered_at),
        updated_at=wire.instant(row.updated_at),
        photo_status=photo_status(found),
        description=UNSET if link is None else found.private.get("description"),
        estimated_value=UNSET if link is None else _shown_estimate(found.private),
        attributes=UNSET if link is None else found.private.get("attributes", {}),
        qr_data=UNSET if link is None else wire.QrData(gs1DigitalLink=link, serial=row.serial),
        transfer=UNSET if link is None else _shown_transfer(found),
    )


def _shown_transfer(found: Object) -> wire.OpenTransfer | None:
    row = found.transfer
    if row is None:
        return None
    return wire.OpenTransfer(transfer_id=row.transfer_id, status=row.state)


def photo_status(found: Object) -> wire.PhotoStatus:
    """How far photographs bind the record."""
    return wire.PhotoStatus(
        count=len(found.angles),
        required=len(found.required),
        missing=found.missing,
        binding_status=found.row.binding,
    )


def _shown_estimate(private: Json) -> wire.Estimate | None:
    estimate = private.get("estimate")
    if estimate is None:
        return None
    low, high = (wire.major(estimate[name], estimate["exponent"]) for name in ("min", "max"))
    return wire.Estimate(min=low, max=high, currency=estimate["currency"])


# ── Said ─────────────────────────────────────────────────────────────────────────────────


def person(said: wire.OwnerSaid) -> owners.Person:
    """Who was named."""
    return owners.Person(said.name, said.email, said.external_id)


def exponent_of(currency: str, field: str) -> int:
    """The currency's decimals.  Raises ``Refusal`` for one that nobody pays in."""
    if currency not in EXPONENTS:
        raise bad_field(field, "a currency of ISO 4217 was expected, such as EUR")
    return EXPONENTS[currency]


def minor_units(amount: Amount, exponent: int, field: str) -> int:
    """Major units as they were said → minor units; a price may be nothing.

    Raises ``Refusal`` where it is negative, too large or too exact.
    """
    if not 0 <= amount <= wire.major(_MOST_MINOR, exponent):
        raise bad_field(field, "out of range")
    minor = int(amount.scaleb(exponent))
    # Compared with what came: scaleb rounds to 28 digits, and int cuts off.
    if wire.major(minor, exponent) != amount:
        raise bad_field(field, f"at most {exponent} decimals")
    return minor


def _estimate(said: wire.EstimateSaid) -> Json:
    exponent = exponent_of(said.currency, "estimated_value.currency")
    low = minor_units(said.min, exponent, "estimated_value.min")
    high = minor_units(said.max, exponent, "estimated_value.max")
    if low > high:
        raise bad_field("estimated_value.max", "not below min")
    return {"min": low, "max": high, "currency": said.currency, "exponent": exponent}


def plain(field: str, value: Mapping[str, Any]) -> Json:
    """What somebody may say freely, as it can be signed: numbers are those of JSON readers.

    Raises ``Refusal`` for what has no canonical form, and for too much.
    """
    found = {name: _plain(one) for name, one in value.items()}
    try:
        size = len(canonical(found))
    except NotCanonical as fault:
        raise bad_field(field, str(fault)) from fault
    if size > _LARGEST_ATTRIBUTES:
        raise bad_field(field, f"at most {_LARGEST_ATTRIBUTES} bytes")
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return float(value) if isinstance(value, Decimal) else value


# ── Pages of the list ────────────────────────────────────────────────────────────────────


def cursor_of(last: Object) -> str:
    """Where the page after this object begins."""
    return f"{last.row.registered_at}.{last.row.object_id}"


def read_cursor(cursor: str | None) -> tuple[int, str] | None:
    """What the cursor of an earlier page says.  Raises ``Refusal`` where it is none."""
    if cursor is None:
        return None
    at, dot, object_id = cursor.partition(".")
    if not (at.isascii() and at.isdigit() and len(at) < 16 and dot and object_id):
        raise bad_field("cursor", "the next_cursor of an earlier page was expected")
    return int(at), object_id
