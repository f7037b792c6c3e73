"""The demonstration's objects: what stands behind the first lots of the demonstration sale.

Each is registered under the serial that ``keys.json`` names, photographed and catalogued, as a
house would do it.  It may be done again at any start: what is there already stays, and a start
that was cut off half-way is made good by the next.  A lot of which the house has one picture
gets its second one cut out of the middle of it.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from importlib.resources import files
from typing import Any, Final

import msgspec
from PIL import Image

from gateway.books.store import reading
from verifier.core.objects import REQUIRED_ANGLES
from verifier.photographs.workers import Workers
from verifier.registry import objects, owners, photos, provenance
from verifier.registry.objects import Object, Registration
from verifier.store import Store

_MODE: Final = "test"
_ANGLES: Final = REQUIRED_ANGLES["sculpture"]
_MIDDLE: Final = (0.25, 0.25, 0.75, 0.75)  # left, upper, right, lower, of the whole


class _Lot(msgspec.Struct, frozen=True):
    lot_number: str
    name: str
    description: str = ""
    photos: tuple[str, ...] = ()


class _Catalogue(msgspec.Struct, frozen=True):
    lots: tuple[_Lot, ...]


async def seed(
    store: Store, workers: Workers, serials: Sequence[str], now_ms: int
) -> AsyncIterator[str]:
    """Register, photograph and catalogue what is missing; each serial as its object is ready."""
    shipped = files("gateway").joinpath("demonstration.json").read_bytes()
    lots = msgspec.json.decode(shipped, type=_Catalogue).lots
    for serial, lot in zip(serials, lots, strict=False):
        await _seed_one(store, workers, serial, lot, now_ms)
        yield serial


async def _seed_one(store: Store, workers: Workers, serial: str, lot: _Lot, now_ms: int) -> None:
    found = await asyncio.to_thread(_there, store, serial)
    if found is None:
        found = await asyncio.to_thread(objects.register, store, _MODE, _said(serial, lot), now_ms)
    for angle, picture in zip(_ANGLES, _pictures(lot), strict=True):
        if angle not in found.angles:
            object_id = found.row.object_id
            await photos.add(store, workers, _MODE, object_id, angle, picture, now_ms)
    if found.row.status == "consigned":
        said = provenance.Statement(
            "cataloged", "auction_house", lot.description, {"catalogNumber": lot.lot_number}, None
        )
        await asyncio.to_thread(provenance.post, store, _MODE, found.row.object_id, said, now_ms)


def _there(store: Store, serial: str) -> Object | None:
    with reading(store.engine) as connection:
        row = objects.by_serial(connection, serial)
        return None if row is None else objects.loaded(connection, store, row)


def _said(serial: str, lot: _Lot) -> Registration:
    consignor = owners.Person(name="An invented collector", external_id=f"demonstration {serial}")
    return Registration(
        title=lot.name,
        category="sculpture",
        description=lot.description,
        owner=consignor,
        attributes={"materials": "Ceramic"},
        serial=serial,
    )


def _pictures(lot: _Lot) -> list[bytes]:
    shelf: Any = files("gateway").joinpath("static", "lots")
    shipped = [shelf.joinpath(name).read_bytes() for name in lot.photos[: len(_ANGLES)]]
    return [*shipped, *([_detail(shipped[0])] if len(shipped) < len(_ANGLES) else [])]


def _detail(picture: bytes) -> bytes:
    with Image.open(io.BytesIO(picture)) as whole:
        size = (*whole.size, *whole.size)
        box = [round(part * side) for part, side in zip(_MIDDLE, size, strict=True)]
        cut = io.BytesIO()
        whole.convert("RGB").crop((box[0], box[1], box[2], box[3])).save(cut, "JPEG", quality=92)
    return cut.getvalue()
