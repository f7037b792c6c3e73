"""The pictures of an object that may be shown to anybody: those that are what was signed.

A reader compares the thing in front of them with a picture, so the picture must be the one that
the record speaks of.  Its bytes are hashed each time, and compared with what the newest signed
event of its angle says; one that differs is not shown at all.
"""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import Connection, Row

from gateway.books.store import reading
from verifier.core import events
from verifier.core.canonical import NotCanonical
from verifier.core.objects import REQUIRED_ANGLES
from verifier.registry import chain, checking, keys, objects, photos
from verifier.registry.checking import Disagrees
from verifier.store import Store


def shown(connection: Connection, row: Row[Any]) -> dict[str, Row[Any]]:
    """The photographs that stand and are what was signed, by angle: required ones first."""
    signed = _signed(connection, row)
    found = {
        angle: photo
        for angle, photo in photos.standing(connection, row.object_id).items()
        if hashlib.sha256(photo.served).hexdigest() == signed.get(angle)
    }
    order = [*REQUIRED_ANGLES[row.category], *found]
    return {angle: found[angle] for angle in dict.fromkeys(order) if angle in found}


def picture(store: Store, serial: str, angle: str) -> bytes | None:
    """A JPEG of the object from this angle; None where there is none that may be shown."""
    with reading(store.engine) as connection:
        row = objects.by_serial(connection, serial)
        photo = None if row is None else shown(connection, row).get(angle)
        return None if photo is None else bytes(photo.served)


def _signed(connection: Connection, row: Row[Any]) -> dict[str, str]:
    """The digest that was last signed for each angle; one that nobody can check is left out."""
    known = keys.known(connection)
    found: dict[str, str] = {}
    for event, data in chain.documents(connection, row.object_id):
        if event.type != "photographed":
            continue
        try:
            document = events.read_document(data)
            checking.check_signature("a photograph", event.kid, event.leaf_index, document, known)
        except (Disagrees, NotCanonical):
            continue
        subject = document["credentialSubject"]
        if subject["serial"] == row.serial and subject["eventType"] == "photographed":
            found[subject["details"]["angle"]] = subject["details"]["servedSha256"]
    return found
