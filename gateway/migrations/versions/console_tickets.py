"""Tickets for consoles: whose key of the house opens the connection.

What the columns mean is said in ``gateway.books.sessions``.  A step that has been released is
never edited: it says what a database of its time looks like.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Widen the tickets.  Those that are out are bidders'."""
    op.add_column("tickets", sa.Column("key_id", sa.Text))


def downgrade() -> None:
    """Take it away again, with the tickets of consoles, which would admit nobody."""
    op.execute("DELETE FROM tickets WHERE key_id IS NOT NULL")
    with op.batch_alter_table("tickets") as batch:
        batch.drop_column("key_id")
