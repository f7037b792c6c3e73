"""The public's question: is what this code is on what it is said to be?

The record is checked each time (``checking``); a tap of the tag, or a fresh photograph, adds
evidence about the thing itself.  Verdict and confidence are computed from what was found
(``core.confidence``), and every part of them is in the answer with its reason.  Nothing here
names a person, an internal id, or the price of a private sale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row

from gateway.books.store import reading
from verifier.core import confidence, matching, scans
from verifier.core import objects as objects_of
from verifier.registry import checking, objects, owners, tags
from verifier.registry import scans as counted
from verifier.registry.checking import Checked, Disagrees, Tree
from verifier.registry.photos import Compared
from verifier.registry.tags import Heard, Tap
from verifier.store import Store, at_one_instant

Json = dict[str, Any]
COLLECTOR: Final = "Verified Private Collector"
# What the house calls bound is, to whoever asks whether it holds, valid.
_SAID: Final[Mapping[objects_of.Binding, confidence.PhotoBinding]] = {
    "bound": "valid",
    "incomplete": "incomplete",
    "broken": "broken",
}


class UnknownSerial(LookupError):
    """We have no such code."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the public is told, and what the house needs of it."""

    row: Row[Any]
    checked: Checked
    heard: Heard
    verdict: confidence.Verdict
    body: Json


def verify(
    store: Store,
    serial: str,
    now_ms: int,
    tap: Tap | None = None,
    *,
    counts: bool = True,
    photo: Compared | None = None,
) -> Answer:
    """Answer for a serial.  *counts*: a tap is used up.  Raises ``UnknownSerial``."""
    heard = None if tap is None else hear(store, serial, tap, now_ms, counts=counts)
    return verify_as_heard(store, serial, heard, now_ms, photo)


def hear(store: Store, serial: str, tap: Tap, now_ms: int, *, counts: bool = True) -> Heard:
    """What a message of the object's tag proves.  *counts*: it is used up.

    Raises ``UnknownSerial``.
    """
    with reading(store.engine) as connection:
        tag = tags.of_object(connection, _find(connection, serial).object_id)
    if tag is None:
        return Heard("not_bound")
    looked = tags.look(store, tag, tap)
    # Nothing is written for what is no message: anybody could keep the house's own waiting.
    if looked.status == "invalid" or not counts:
        return looked
    return tags.take(store, tag.tag_id, tap, now_ms)


def verify_as_heard(
    store: Store, serial: str, heard: Heard | None, now_ms: int, photo: Compared | None = None
) -> Answer:
    """Answer for a serial whose tag was heard before; None: it was not asked.

    Raises ``UnknownSerial``.
    """
    with at_one_instant(store) as connection:  # an event more is another chain, and no broken one
        row = _find(connection, serial)
        if heard is None:
            has_tag = tags.of_object(connection, row.object_id) is not None
            heard = Heard("not_presented" if has_tag else "not_bound")
        return _answer(connection, store, row, heard, photo, now_ms)


def _find(connection: Connection, serial: str) -> Row[Any]:
    row = objects.by_serial(connection, serial)
    if row is None:
        raise UnknownSerial(serial)
    return row


def _answer(
    connection: Connection,
    store: Store,
    row: Row[Any],
    heard: Heard,
    photo: Compared | None,
    now_ms: int,
) -> Answer:
    tree, checked = _check(connection, store, row)
    risk = counted.risk_of(connection, row, now_ms)
    verdict = confidence.judge(
        confidence.Findings(
            signature_valid=checked.signature_valid,
            chain_intact=checked.chain_intact,
            log_included=checked.included,
            revoked=checked.revoked,
            photo_binding=_SAID[checked.photo_binding],
            tag=heard.status,
            photo=None if photo is None else photo.verdict,
            scan_risk=risk.level,
        )
    )
    body = _body(connection, store, row, tree, checked, heard, verdict, risk)
    return Answer(row, checked, heard, verdict, body)


def _check(connection: Connection, store: Store, row: Row[Any]) -> tuple[Tree | None, Checked]:
    try:
        tree = checking.tree_of(connection, store)
    except Disagrees as fault:
        broken = Checked((), (), included=False, chain_intact=False, fault=str(fault))
        return None, broken
    return tree, checking.check(connection, store, row, tree)


def _body(
    connection: Connection,
    store: Store,
    row: Row[Any],
    tree: Tree | None,
    checked: Checked,
    heard: Heard,
    verdict: confidence.Verdict,
    risk: scans.Risk,
) -> Json:
    tier = matching.TIERS[row.security_tier]
    body: Json = {
        "status": verdict.status,
        "confidence": verdict.confidence,
        "assurance": verdict.assurance,
        "object": {
            "title": row.title,
            "category": row.category,
            "serial": row.serial,
            "security_tier": row.security_tier,
            "registered_at": instant(row.registered_at),
            "status": row.status,
        },
        "cryptographic_identity": {
            "signature_valid": checked.signature_valid,
            "photo_binding": _SAID[checked.photo_binding],
            "tag_status": heard.status,
        },
        "provenance": {
            "event_count": row.events,
            "chain_intact": checked.chain_intact and checked.included,
            "current_owner": _owner(connection, store, row),
            "latest_event": checked.rows[-1].type if checked.rows else None,
        },
        "security": {
            "spatial_relations": tier.relations,
            "entropy_bits": tier.code_bits,
            "tier_label": tier.label,
        },
        "evidence": [
            {"kind": one.kind, "weight": one.log_odds_milli / 1000, "words": one.words}
            for one in verdict.evidence
        ],
        "scan_risk": scans.public(risk),
        "log": None
        if tree is None
        else {
            "size": tree.size,
            "root": tree.root.hex(),
            "included": checked.included,
            "witnesses": 0,
        },
    }
    if row.mode == "test":
        body["test"] = True
    return body


def _owner(connection: Connection, store: Store, row: Row[Any]) -> str:
    if owners.is_the_house(connection, store, row.mode, row.holder_id):
        return store.house
    return COLLECTOR


def instant(at: int) -> str:
    """An instant as answers write it."""
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
