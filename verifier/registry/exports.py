"""An object's record for other people's formats, out of the books.

*private*: for a reader who may know what was said in private.  What the formats make of it is
in ``core.linked_art``, ``core.object_id`` and ``core.epcis``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Row, select

from verifier.core import epcis as epcis_form
from verifier.core import linked_art as linked_art_form
from verifier.core import object_id as object_id_form
from verifier.core.events import read_document
from verifier.core.exported import Event, Price, Record, Step
from verifier.registry import chain, objects, photos
from verifier.store import Store, at_one_instant
from verifier.tables import custody, transfers

Json = dict[str, Any]


def linked_art(store: Store, row: Row[Any], *, private: bool) -> Json:
    """The object, and the changes of title that the reader may know."""
    record = record_of(store, row, private=private)
    return {
        "object": linked_art_form.human_made_object(record),
        "provenance": linked_art_form.provenance(record),
    }


def object_id(store: Store, row: Row[Any], *, private: bool) -> Json:
    """The checklist of Object ID."""
    return object_id_form.checklist(record_of(store, row, private=private))


def epcis(store: Store, row: Row[Any], *, private: bool) -> Json:
    """The history as an EPCIS document; the same for every reader."""
    return epcis_form.document(record_of(store, row, private=private))


def record_of(store: Store, row: Row[Any], *, private: bool) -> Record:
    """The record as its reader may know it."""
    name = quote(row.serial, safe="")
    with at_one_instant(store) as connection:
        events = [
            Event(read_document(data), event.hash)
            for event, data in chain.documents(connection, row.object_id)
        ]
        known = objects.loaded(connection, store, row).private if private else {}
        return Record(
            serial=row.serial,
            title=row.title,
            category=row.category,
            link=row.link,
            page=f"{store.public_url}/verify/{name}",
            proof=f"{store.public_url}/api/v1/auction/objects/{name}/proof",
            events=events,
            steps=_steps(connection, row.object_id),
            prices=_prices(connection, row.object_id, events, private=private),
            photographs=[
                (angle, photo.sha256)
                for angle, photo in photos.standing(connection, row.object_id).items()
            ],
            private={**known.get("attributes", {}), "description": known.get("description")},
        )


def _steps(connection: Connection, object_id: str) -> Sequence[Step]:
    """The chain of custody, with persons numbered in the order in which they come."""
    query = select(custody).where(custody.c.object_id == object_id).order_by(custody.c.number)
    numbers: dict[str, int] = {}
    steps = []
    for row in connection.execute(query):
        giver = row.from_id or row.to_id
        places = [numbers.setdefault(one, len(numbers)) for one in (giver, row.to_id)]
        steps.append(Step(row.seq, *places))
    return steps


def _prices(
    connection: Connection, object_id: str, events: Sequence[Event], *, private: bool
) -> Mapping[int, Price]:
    """By the event with which title passed: the hammer price; of a private sale for whom it
    concerns only."""
    found: dict[int, Price] = {}
    sold: Json = {}
    for seq, event in enumerate(events):
        if event.kind == "sold":
            sold = event.said["details"]
        if event.kind == "transferred" and "hammerPrice" in sold:
            found[seq] = Price(Decimal(sold["hammerPrice"]), sold["currency"])
    if not private:
        return found
    ids = {event.document["id"].rpartition(":")[2]: seq for seq, event in enumerate(events)}
    mine = transfers.c.object_id == object_id, transfers.c.event_id.is_not(None)
    for row in connection.execute(select(transfers).where(*mine)):
        amount = Decimal(row.price or 0).scaleb(-row.exponent)
        found.setdefault(ids[row.event_id], Price(amount, row.currency or ""))
    return found
