"""The books' tables, as the migrations make them."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine

from gateway import archive
from gateway.books import (
    apikeys,
    limit_wishes,
    news,
    once,
    payments,
    people,
    sessions,
    signing_in,
    watching,
)

OURS = {
    table.name
    for table in (
        people.persons,
        people.barred,
        sessions.sessions,
        sessions.tickets,
        signing_in.otp,
        signing_in.identities,
        signing_in.exchange_codes,
        apikeys.api_keys,
        payments.payments,
        once.once,
        news.news,
        news.heard,
        watching.watches,
        limit_wishes.limit_wishes,
    )
}


def test_migrations_make_the_tables_that_the_books_speak_of(books: Engine) -> None:
    """Up from empty, the accounts' tables have exactly the declared columns and indexes."""

    def is_ours(thing: object, name: str | None, kind: str, *_: object) -> bool:
        table = name if kind == "table" else getattr(getattr(thing, "table", None), "name", None)
        return table in OURS

    with books.connect() as connection:
        options = {"compare_type": True, "include_object": is_ours}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, archive.metadata) == []
        assert set(archive.metadata.tables) >= OURS
