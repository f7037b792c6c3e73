"""To whom the ids of consumers belong, where a list shows many of them at once."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Engine

from gateway.books import people
from gateway.books.store import Vault, reading


def emails(engine: Engine, vault: Vault, consumer_ids: Iterable[str]) -> dict[str, str]:
    """The e-mail of each of them who has left one.  Raises ``BooksError``."""
    found = persons(engine, vault, consumer_ids)
    return {who.consumer_id: who.email for who in found.values() if who.email}


def persons(engine: Engine, vault: Vault, consumer_ids: Iterable[str]) -> dict[str, people.Person]:
    """Those of them whom the house knows.  Raises ``BooksError``."""
    with reading(engine) as connection:
        found = [people.get(connection, vault, consumer_id) for consumer_id in consumer_ids]
    return {who.consumer_id: who for who in found if who is not None}
