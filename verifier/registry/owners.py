"""Persons: consignors, buyers, whoever has held an object.

A person is an id; name, e-mail and external id lie sealed under a data key of their own, and
keyed hashes find the same person again.  Erasing destroys that key: what was sealed under it,
here and in the private fields of events, cannot be opened by anybody any more, while the
chain of every object stays valid.  Nobody is erased while a transfer to or from them is open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from gateway.books.store import BadField, writing
from verifier.core import transfers
from verifier.registry import chain, log
from verifier.store import (
    Store,
    data_vault,
    destroy_data_key,
    make_data_key,
    new_id,
    open_json,
    overwrite_the_past,
    seal_json,
)
from verifier.tables import events, owners
from verifier.tables import transfers as handovers

Json = dict[str, Any]


class NoSuchOwner(LookupError):
    """There is no such person in this mode, or not any more."""


class StillNeeded(Exception):
    """A transfer is open with this person in it."""


@dataclass(frozen=True, slots=True)
class Person:
    """What is said of a person; at least one of the three."""

    name: str | None = None
    email: str | None = None
    external_id: str | None = None


def enter(store: Store, mode: str, person: Person, now_ms: int) -> str:
    """The person's id: the one they have, or a new one.  Raises ``BadField``."""
    with writing(store.engine) as connection:
        log.in_turn(connection)  # an erasure must not come between a look and a write
        return entered(connection, store, mode, person, now_ms)


def entered(connection: Connection, store: Store, mode: str, person: Person, now_ms: int) -> str:
    """The same, within the caller's transaction, which has waited ``log.in_turn``.

    Who has the external id or the e-mail is the same person; what is said newly of them is
    added.  Raises ``BadField`` where these two lead to two persons, or nothing is said.
    """
    if not (person.name or person.email or person.external_id):
        raise BadField("name", "a name, an e-mail or an external id was expected")
    indexes = _indexes(store, mode, person)
    by_external = _found(connection, mode, "external_index", indexes["external_index"])
    by_email = _found(connection, mode, "email_index", indexes["email_index"])
    if by_external and by_email and by_external != by_email:
        raise BadField("email", "another person has this e-mail")
    owner_id = by_external or by_email
    if by_email and not by_external and _is_named_otherwise(connection, by_email, person):
        raise BadField("external_id", "the person of this e-mail has another external id")
    if owner_id is None:
        return _new(connection, store, mode, person, indexes, now_ms)
    _add(connection, store, owner_id, person, indexes)
    return owner_id


def the_house(connection: Connection, store: Store, mode: str, now_ms: int) -> str:
    """The house itself, as the owner of what it was consigned by nobody else.

    Found under a word of its own: nobody else's external id is ever the house's.
    """
    index = store.vault.index("the house", mode)
    found = _found(connection, mode, "external_index", index)
    if found is not None:
        return found
    indexes: dict[str, str | None] = {"external_index": index, "email_index": None}
    return _new(connection, store, mode, Person(name=store.house), indexes, now_ms)


def is_the_house(connection: Connection, store: Store, mode: str, owner_id: str) -> bool:
    """Is this owner the house itself?"""
    index = store.vault.index("the house", mode)
    return _found(connection, mode, "external_index", index) == owner_id


def exists(connection: Connection, mode: str, owner_id: str) -> bool:
    """Is this a person of this mode, who was not erased?"""
    mine = owners.c.owner_id == owner_id, owners.c.mode == mode, owners.c.erased_at.is_(None)
    return connection.scalar(select(owners.c.owner_id).where(*mine)) is not None


def known_as(connection: Connection, store: Store, owner_id: str) -> Person | None:
    """What is known of a person; None: erased."""
    sealed = connection.scalar(select(owners.c.sealed).where(owners.c.owner_id == owner_id))
    vault = data_vault(connection, store.vault, owner_id)
    if sealed is None or vault is None:
        return None
    return Person(**open_json(vault, "owner", owner_id, sealed))


def erase(store: Store, mode: str, owner_id: str, now_ms: int) -> None:
    """Forget a person.  Raises ``NoSuchOwner`` and ``StillNeeded``."""
    with writing(store.engine) as connection:
        log.in_turn(connection)
        if not exists(connection, mode, owner_id):
            raise NoSuchOwner(owner_id)
        erased(connection, store, owner_id, now_ms)
    overwrite_the_past(store.engine)


def erase_by_external_id(
    connection: Connection, store: Store, mode: str, external_id: str, now_ms: int
) -> bool:
    """Forget whoever has this external id; False: nobody has.  Raises ``StillNeeded``.

    The caller calls ``store.overwrite_the_past`` when its transaction has ended.
    """
    index = _indexes(store, mode, Person(external_id=external_id))["external_index"]
    owner_id = _found(connection, mode, "external_index", index)
    if owner_id is None:
        return False
    erased(connection, store, owner_id, now_ms)
    return True


def erased(connection: Connection, store: Store, owner_id: str, now_ms: int) -> None:
    """Forget a person, within the caller's transaction, which has waited ``log.in_turn``."""
    party = or_(handovers.c.from_id == owner_id, handovers.c.to_id == owner_id)
    is_open = handovers.c.state.in_(transfers.OPEN)
    if connection.scalar(select(handovers.c.transfer_id).where(party, is_open).limit(1)):
        raise StillNeeded(owner_id)
    # From here on they are forgotten.
    destroy_data_key(connection, owner_id)
    gone = {"sealed": None, "external_index": None, "email_index": None, "erased_at": now_ms}
    connection.execute(update(owners).where(owners.c.owner_id == owner_id).values(gone))
    about = events.c.of_owner == owner_id
    concerned = select(events.c.object_id).where(about).distinct().order_by(events.c.object_id)
    for object_id in connection.scalars(concerned).all():
        # Neither who nor why: only that something private of this object cannot be opened now.
        chain.append(connection, store, object_id, chain.Happened("erased"), now_ms)
    connection.execute(update(events).where(about).values(personal=None))
    log.sign_checkpoint(connection, store, now_ms)


def _indexes(store: Store, mode: str, person: Person) -> dict[str, str | None]:
    external, email = person.external_id, person.email
    return {
        "external_index": None
        if not external
        else store.vault.index("owner external id", mode, external),
        "email_index": None
        if not email
        else store.vault.index("owner email", mode, email.strip().lower()),
    }


def _found(connection: Connection, mode: str, column: str, index: str | None) -> str | None:
    if index is None:
        return None
    mine = owners.c[column] == index, owners.c.mode == mode
    return connection.scalar(select(owners.c.owner_id).where(*mine))


def _is_named_otherwise(connection: Connection, owner_id: str, person: Person) -> bool:
    """Has the person of that e-mail an external id, while another was said?"""
    query = select(owners.c.external_index).where(owners.c.owner_id == owner_id)
    return person.external_id is not None and connection.scalar(query) is not None


def _new(
    connection: Connection,
    store: Store,
    mode: str,
    person: Person,
    indexes: dict[str, str | None],
    now_ms: int,
) -> str:
    owner_id = new_id("own_")
    vault = make_data_key(connection, store.vault, owner_id)
    row = {
        "owner_id": owner_id,
        "mode": mode,
        "sealed": seal_json(vault, "owner", owner_id, _said(person)),
        "created_at": now_ms,
        **indexes,
    }
    connection.execute(insert(owners), row)
    return owner_id


def _add(
    connection: Connection,
    store: Store,
    owner_id: str,
    person: Person,
    indexes: dict[str, str | None],
) -> None:
    known = known_as(connection, store, owner_id)
    vault = data_vault(connection, store.vault, owner_id)
    assert known is not None, "an erased person is found by nothing"
    assert vault is not None, "an erased person is found by nothing"
    said = {**_said(known), **{key: value for key, value in _said(person).items() if value}}
    changed: Json = {"sealed": seal_json(vault, "owner", owner_id, said)}
    changed.update({name: index for name, index in indexes.items() if index is not None})
    connection.execute(update(owners).where(owners.c.owner_id == owner_id).values(changed))


def _said(person: Person) -> Json:
    return {"name": person.name, "email": person.email, "external_id": person.external_id}
