"""What the archive keeps of lots that are sold live: who did what and why, and undone bids.

What the columns mean is said in ``gateway.archive``.  Every bid that was written before came
from outside the room, and stands.  A step that has been released is never edited: it says what
a database of its time looks like.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Widen bids and results, and add the rostrum's acts."""
    _add("bids", "channel", "online")
    _add("bids", "by")
    house = sa.Column("house", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("bids", house)
    op.add_column("bids", sa.Column("undone_at", sa.BigInteger))
    _add("results", "reason")
    _add("results", "by")
    op.create_table(
        "rostrum",
        sa.Column("auction_id", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("cmd_id", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("act", sa.Text, nullable=False),
        sa.Column("said", sa.JSON, nullable=False),
        sa.Column("session", sa.Text, nullable=False),
        sa.Column("seen", sa.BigInteger),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("price", sa.BigInteger),
        sa.Column("code", sa.Text),
        sa.Column("bid_id", sa.Text),
        sa.PrimaryKeyConstraint("auction_id", "by", "cmd_id", "at", name="pk_rostrum"),
    )


def _add(table: str, name: str, default: str = "") -> None:
    op.add_column(table, sa.Column(name, sa.Text, nullable=False, server_default=default))


def downgrade() -> None:
    """Take it away again.  The log can write it anew."""
    op.drop_table("rostrum")
    for table, names in (("bids", ("channel", "house", "by", "undone_at")),
                         ("results", ("reason", "by"))):  # fmt: skip
        with op.batch_alter_table(table) as batch:
            for name in names:
                batch.drop_column(name)
