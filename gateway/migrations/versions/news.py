"""What the verifier is to be told, and up to where it has been heard.

What the columns mean is said in ``gateway.books.news``.  A step that has been released is never
edited: it says what a database of its time looks like.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

# SQLite counts only an INTEGER by itself.
_COUNTED = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "news",
        sa.Column("number", _COUNTED, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("serial", sa.Text),
        sa.Column("auction_id", sa.Text),
        sa.Column("log_seq", sa.BigInteger),
        sa.Column("lot_number", sa.Text),
        sa.Column("hammer_price", sa.BigInteger),
        sa.Column("currency", sa.Text),
        sa.Column("exponent", sa.Integer),
        sa.Column("consumer_id", sa.Text),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("done_at", sa.BigInteger),
        sa.Column("reason", sa.Text),
        sa.PrimaryKeyConstraint("number", name="pk_news"),
        sa.UniqueConstraint("origin", name="uq_news_origin"),
    )
    op.create_index("ix_news_auction_id", "news", ["auction_id"])
    op.create_index("ix_news_due", "news", ["done_at", "number"])
    op.create_table(
        "heard",
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_heard"),
    )


def downgrade() -> None:
    """Take them away again: the verifier is told nothing more."""
    op.drop_table("heard")
    op.drop_table("news")
