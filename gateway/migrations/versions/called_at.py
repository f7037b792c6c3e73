"""When a bid that was in already came to lead: that is public, and not when it was left.

A step that has been released is never edited: it says what a database of its time looks like.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """One more instant of a bid."""
    op.add_column("bids", sa.Column("called_at", sa.BigInteger))


def downgrade() -> None:
    """Take it away again.  The log can write it anew."""
    with op.batch_alter_table("bids") as batch:
        batch.drop_column("called_at")
