"""What alembic runs: the steps, on the connection and in the transaction that it is handed."""

from __future__ import annotations

from alembic import context

from verifier.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="v_alembic_version",  # PostgreSQL holds the gateway's tables too
)
with context.begin_transaction():
    context.run_migrations()
