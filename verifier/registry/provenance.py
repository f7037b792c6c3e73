"""What a house says of an object's history, and how it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, select, update

from gateway.books.store import BadField, writing
from verifier.core import events, objects
from verifier.core.canonical import canonical
from verifier.core.objects import POSTABLE
from verifier.registry import chain, log, transfers
from verifier.registry import objects as kept
from verifier.registry.chain import Happened, Written
from verifier.store import Store, at_one_instant
from verifier.tables import custody
from verifier.tables import objects as table

Json = dict[str, Any]
_LONGEST_DETAIL: Final = 100
_LARGEST: Final = 16_000  # bytes of what is said of one event: an entry of the log holds 65,535


class BindingRequired(Exception):
    """The object cannot be listed before its photographs bind it."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What a house says of an event."""

    event_type: str
    actor_role: str
    description: str | None
    evidence: Mapping[str, Any]
    at: int | None  # ms; None: now


@dataclass(frozen=True, slots=True)
class Entry:
    """An event of a history, with what opens its commitments where it may be read."""

    row: Row[Any]
    document: Json
    private: Json  # by field: its salt and its value

    @property
    def subject(self) -> Json:
        """What the document says."""
        found: Json = self.document["credentialSubject"]
        return found


@dataclass(frozen=True, slots=True)
class History:
    """All that happened to an object, oldest first."""

    row: Row[Any]
    entries: list[Entry]
    custody: list[Row[Any]]


def post(store: Store, mode: str, object_id: str, statement: Statement, now_ms: int) -> Written:
    """Write an event that the house reports.

    Raises ``NoSuchObject``, ``BindingRequired``, ``chain.AuctionOpen``, ``BadField`` and
    ``core.objects.InvalidState``.
    """
    _check(statement, now_ms)
    with writing(store.engine) as connection:
        log.in_turn(connection)
        row = kept.find(connection, mode, object_id)
        if (
            statement.event_type == "listed"
            and row.status == "cataloged"
            and row.binding != "bound"
        ):
            raise BindingRequired(row.binding)
        auction_id = kept.selling(row, now_ms)
        if auction_id is not None and statement.event_type in objects.TRANSITIONS:
            raise chain.AuctionOpen(auction_id)
        happened = _happened(statement, row)
        made = chain.append(connection, store, row.object_id, happened, now_ms)
        if statement.event_type in ("rescinded", "withdrawn"):
            transfers.cancel_open(connection, row.object_id, now_ms)
        if statement.event_type in ("consigned", "returned"):
            _move(connection, row, made)
        log.sign_checkpoint(connection, store, now_ms)
    return made


def _check(statement: Statement, now_ms: int) -> None:
    if statement.event_type not in POSTABLE:
        raise BadField("eventType", f"one of {', '.join(POSTABLE)} was expected")
    if statement.at is not None and statement.at > now_ms:
        raise BadField("timestamp", "an instant that is past was expected")
    if len(canonical(dict(statement.evidence))) > _LARGEST:
        raise BadField("evidence", f"at most {_LARGEST} bytes")
    for name in events.PUBLIC_DETAILS.get(statement.event_type, ()):
        value = statement.evidence.get(name)
        # A truth value is a number to Python, and none here.
        if name in statement.evidence and type(value) not in (str, int):
            raise BadField("evidence", f"{name} is a text or a number")
        if len(str(value)) > _LONGEST_DETAIL:
            raise BadField("evidence", f"{name} has at most {_LONGEST_DETAIL} characters")


def _happened(statement: Statement, row: Row[Any]) -> Happened:
    """What everybody may know of it by its name; all else in fields whose names tell nothing."""
    public = events.PUBLIC_DETAILS.get(statement.event_type, ())
    evidence = {key: value for key, value in statement.evidence.items() if key not in public}
    private: Json = {"actorRole": statement.actor_role}
    if statement.description is not None:
        private["description"] = statement.description
    if evidence:
        private["evidence"] = evidence
    if statement.event_type == "consigned":
        private["consignorId"] = row.holder_id
    return Happened(
        statement.event_type,
        events.role(statement.actor_role),
        details={key: statement.evidence[key] for key in public if key in statement.evidence},
        private=private,
        at=statement.at,
    )


def _move(connection: Connection, row: Row[Any], made: Written) -> None:
    """Custody with what the house reports: back to whoever holds it, or into the house."""
    if made.event_type == "returned":
        step = ("House", "Consignor", "return", None, row.holder_id)
    else:
        # Whoever holds it consigns it, and is the consignor of what follows.
        step = ("Consignor", "House", "consignment", row.holder_id, row.holder_id)
        mine = table.c.object_id == row.object_id
        connection.execute(update(table).where(mine).values(consignor_id=row.holder_id))
    kept.hand_over(connection, row.object_id, made.seq, step)


def read(store: Store, row: Row[Any], *, private: bool) -> History:
    """The object's history; *private*: with what opens its commitments."""
    with at_one_instant(store) as connection:
        found = [
            Entry(
                event,
                events.read_document(data),
                chain.opened(connection, store, event) if private else {},
            )
            for event, data in chain.documents(connection, row.object_id)
        ]
        query = select(custody).where(custody.c.object_id == row.object_id)
        return History(row, found, list(connection.execute(query.order_by(custody.c.number))))
