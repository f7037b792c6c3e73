"""What bidders do on their own pages: lots they watch, and higher limits that they ask for.

What the columns mean is said in ``gateway.books.watching`` and ``gateway.books.limit_wishes``.
A step that has been released is never edited: it says what a database of its time looks like.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "watches",
        sa.Column("consumer_id", sa.Text, nullable=False),
        sa.Column("auction_id", sa.Text, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("consumer_id", "auction_id", name="pk_watches"),
        sa.ForeignKeyConstraint(
            ["consumer_id"], ["persons.consumer_id"], name="fk_watches_consumer_id"
        ),
    )
    op.create_table(
        "limit_wishes",
        sa.Column("sale_id", sa.Text, nullable=False),
        sa.Column("consumer_id", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("sale_id", "consumer_id", name="pk_limit_wishes"),
        sa.ForeignKeyConstraint(
            ["consumer_id"], ["persons.consumer_id"], name="fk_limit_wishes_consumer_id"
        ),
    )
    op.create_index("ix_limit_wishes_consumer_id", "limit_wishes", ["consumer_id"])


def downgrade() -> None:
    """Take them away again."""
    op.drop_table("limit_wishes")
    op.drop_table("watches")
