"""The verifier's tables, as the migrations make them."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from verifier.store import Store
from verifier.tables import metadata


def test_migrations_make_the_tables_that_are_spoken_of(either: Store) -> None:
    """Up from empty, with exactly the declared columns and indexes."""
    with either.engine.connect() as connection:
        options = {"compare_type": True, "version_table": "v_alembic_version"}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
