"""The record as an EPCIS 2.0 document: what brands, carriers and product passports read.

Each event of the history is an ``ObjectEvent`` about the object's GS1 Digital Link; where it
changes hands, owner or holder are named as source and destination, without a name.  What has
no word in GS1's Core Business Vocabulary is told without a business step.

An event's id is RFC 6920's name of its signed document, which anybody can compute from the
proof.  It is not the hash of CBV 2.0, which is over EPCIS fields and says nothing of ours.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from verifier.core.exported import Event, Record, Step

Json = dict[str, Any]

CONTEXT: Final = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
# By event: the business step, and what the object is after it.
_STEPS: Final[Mapping[str, tuple[str | None, str | None]]] = {
    "registered": ("commissioning", "active"),
    "photographed": ("inspecting", None),
    "binding_completed": ("encoding", "encoded"),
    "tag_bound": ("installing", None),
    "cataloged": ("stock_taking", None),
    "condition_reported": ("inspecting", None),
    "restored": ("repairing", None),
    "loaned": ("transporting", None),
    "listed": ("retail_selling", "sellable_accessible"),
    "passed": ("holding", "sellable_not_accessible"),
    "sold": ("reserving", "reserved"),
    "transferred": ("retail_selling", "retail_sold"),
    "rescinded": ("accepting", "sellable_not_accessible"),
    "withdrawn": ("removing", "sellable_not_accessible"),
    "returned": ("shipping", "returned"),
    "consigned": ("receiving", "sellable_not_accessible"),
}


def document(record: Record) -> Json:
    """The whole history, oldest first."""
    steps = {step.seq: step for step in record.steps}
    return {
        "@context": [CONTEXT],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": record.events[-1].document["proof"]["created"],
        "epcisBody": {
            "eventList": [
                _event(record, event, steps.get(seq)) for seq, event in enumerate(record.events)
            ]
        },
    }


def _event(record: Record, event: Event, step: Step | None) -> Json:
    business, disposition = _STEPS.get(event.kind, (None, None))
    found: Json = {
        "type": "ObjectEvent",
        "eventID": _name(event.hash),
        "action": "ADD" if event.kind == "registered" else "OBSERVE",
        "epcList": [record.link],
        "eventTime": event.when,
        "eventTimeZoneOffset": "+00:00",
        "certificationInfo": record.proof,
    }
    if business is not None:
        found["bizStep"] = business
    if disposition is not None:
        found["disposition"] = disposition
    if step is not None and event.kind == "transferred":
        giver, taker = record.party(step.giver), record.party(step.taker)
        found["sourceList"] = [{"type": "owning_party", "source": giver}]
        found["destinationList"] = [{"type": "owning_party", "destination": taker}]
    elif event.kind in ("consigned", "returned") and step is not None:
        house, holder = f"{record.page}#house", record.party(step.taker)
        giver, taker = (holder, house) if event.kind == "consigned" else (house, holder)
        found["sourceList"] = [{"type": "possessing_party", "source": giver}]
        found["destinationList"] = [{"type": "possessing_party", "destination": taker}]
    return found


def _name(digest: str) -> str:
    """RFC 6920: the name of what has this SHA-256 (hexadecimal)."""
    value = base64.urlsafe_b64encode(bytes.fromhex(digest)).rstrip(b"=").decode()
    return f"ni:///sha-256;{value}"
