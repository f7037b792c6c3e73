"""The record as Linked Art 1.0 (CIDOC-CRM in JSON-LD): what museums and the Getty read.

An object is a ``HumanMadeObject``; each sale in which title passed at a public auction, or
that the reader may know of, is a provenance ``Activity`` with an acquisition and a payment.
Terms are those of Getty's AAT that Linked Art recommends.  Parties are groups without a name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from verifier.core.exported import Event, Price, Record, Step

Json = dict[str, Any]

CONTEXT: Final = "https://linked.art/ns/v1/linked-art.json"
_AAT: Final = "http://vocab.getty.edu/aat/"
_PRIMARY_NAME: Final = ("300404670", "Primary Name")
_IDENTIFICATION: Final = ("300404626", "identification numbers")
_URI: Final = ("300404629", "Uniform Resource Identifiers")
_PROVENANCE: Final = ("300055863", "provenance (history of ownership)")
# A category that is none in particular has no type.
_TYPES: Final[Mapping[str, tuple[str, str]]] = {
    "watch": ("300041573", "wristwatches"),
    "painting": ("300033618", "paintings"),
    "bottle": ("300045627", "bottles"),
    "jewellery": ("300209286", "jewelry"),
    "sculpture": ("300047090", "sculpture"),
}
# Private fields as statements: the field, the type of statement.
_STATEMENTS: Final[Mapping[str, tuple[str, str]]] = {
    "description": ("300435416", "Description"),
    "materials": ("300435429", "Materials Statement"),
    "measurements": ("300435430", "Dimensions Statement"),
    "inscriptions": ("300435414", "Inscription Statement"),
    "maker": ("300435436", "Production Statement"),
    "date": ("300435436", "Production Statement"),
    "subject": ("300026032", "Summary"),
    "distinguishing_features": ("300027200", "Note"),
}
_CURRENCIES: Final[Mapping[str, tuple[str, str]]] = {
    "EUR": (_AAT + "300411994", "euro"),
    "GBP": (_AAT + "300411998", "pound sterling"),
}


def human_made_object(record: Record) -> Json:
    """The object."""
    found: Json = {
        "@context": CONTEXT,
        "id": record.page,
        "type": "HumanMadeObject",
        "_label": record.title,
        "identified_by": [
            _named("Name", record.title, _PRIMARY_NAME),
            _named("Identifier", record.serial, _IDENTIFICATION),
            _named("Identifier", record.link, _URI),
        ],
        "subject_of": [_signed_record(record)],
    }
    if record.category in _TYPES:
        found["classified_as"] = [_type(_TYPES[record.category])]
    statements = [
        _statement(str(record.private[name]), kind)
        for name, kind in _STATEMENTS.items()
        if record.private.get(name)
    ]
    if statements:
        found["referred_to_by"] = statements
    return found


def provenance(record: Record) -> list[Json]:
    """The changes of title that the reader may know the price of, oldest first."""
    return [
        _purchase(record, record.events[step.seq], step, record.prices[step.seq])
        for step in record.steps
        if step.seq in record.prices
    ]


def _purchase(record: Record, event: Event, step: Step, price: Price) -> Json:
    giver, taker = _party(record, step.giver), _party(record, step.taker)
    lot = _lot_number(record, step.seq)
    day = event.when.partition("T")[0]
    return {
        "@context": CONTEXT,
        "id": f"{record.page}#event-{step.seq}",
        "type": "Activity",
        "_label": f"Purchase of Lot {lot}" if lot else f"Purchase of {record.title}",
        "classified_as": [_type(_PROVENANCE)],
        "timespan": {
            "type": "TimeSpan",
            "begin_of_the_begin": f"{day}T00:00:00Z",
            "end_of_the_end": f"{day}T23:59:59Z",
        },
        "part": [
            {
                "type": "Acquisition",
                "_label": "Acquisition",
                "transferred_title_of": [
                    {"id": record.page, "type": "HumanMadeObject", "_label": record.title}
                ],
                "transferred_title_from": [giver],
                "transferred_title_to": [taker],
            },
            {
                "type": "Payment",
                "_label": "Payment",
                "paid_amount": {
                    "type": "MonetaryAmount",
                    "value": price.amount,
                    "currency": _currency(price.currency),
                },
                "paid_from": [taker],
                "paid_to": [giver],
            },
        ],
    }


def _lot_number(record: Record, seq: int) -> str | None:
    """The lot as which it was sold last before."""
    listed = (event for event in record.events[:seq][::-1] if event.kind == "listed")
    last = next(listed, None)
    return None if last is None else last.said["details"].get("lotNumber")


def _party(record: Record, number: int) -> Json:
    # Whoever held it first has consigned it; of the others no role is known for good.
    label = "Consignor" if number == 0 else "Verified Private Collector"
    return {"type": "Group", "id": record.party(number), "_label": label}


def _currency(code: str) -> Json:
    uri, label = _CURRENCIES.get(code, (f"urn:iso:std:iso:4217:{code}", code))
    return {"id": uri, "type": "Currency", "_label": label}


def _named(kind: str, content: str, classified: tuple[str, str]) -> Json:
    return {"type": kind, "content": content, "classified_as": [_type(classified)]}


def _statement(content: str, classified: tuple[str, str]) -> Json:
    return _named("LinguisticObject", content, classified)


def _type(term: tuple[str, str]) -> Json:
    number, label = term
    return {"id": _AAT + number, "type": "Type", "_label": label}


def _signed_record(record: Record) -> Json:
    return {
        "type": "LinguisticObject",
        "_label": "Signed verification record",
        "digitally_carried_by": [
            {
                "type": "DigitalObject",
                "_label": "proof",
                "format": "application/json",
                "access_point": [{"id": record.proof, "type": "DigitalObject"}],
            }
        ],
    }
