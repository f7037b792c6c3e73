"""The record as Object ID: what police, insurers and registers of stolen art ask for.

Object ID (Getty, 1999; kept by ICOM since) is a checklist: nine questions about an object, its
photographs, and a description.  Whoever has lost an object hands over exactly these.  What
was not said, or is not the reader's to know, is null: the list itself stays whole.
"""

from __future__ import annotations

from typing import Any, Final

from verifier.core.exported import Record

Json = dict[str, Any]

STANDARD: Final = "https://icom.museum/en/resources/standards-guidelines/objectid/"
# The checklist's order; "type" and "title" are public of every object.
FIELDS: Final = (
    "type",
    "materials",
    "measurements",
    "inscriptions",
    "distinguishing_features",
    "title",
    "subject",
    "date",
    "maker",
)


def checklist(record: Record) -> Json:
    """The record, question by question."""
    answers = {name: record.private.get(name) for name in FIELDS}
    answers["type"] = answers["type"] or record.category
    answers["title"] = record.title
    return {
        "standard": STANDARD,
        "serial": record.serial,
        "link": record.link,
        "page": record.page,
        "proof": record.proof,
        "object_id": answers,
        "photographs": [{"angle": angle, "sha256": sha256} for angle, sha256 in record.photographs],
        "description": record.private.get("description"),
    }
