"""The first tables: sales, auctions, registrations, bids, results, and the clerk's bookmarks.

What the columns mean and which are private is said in ``gateway.archive``.  A step that has
been released is never edited: it says what a database of its time looks like.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table, in the order of the foreign keys."""
    _positions()
    _sales()
    _auctions()
    _registrations()
    _bids()
    _results()


def downgrade() -> None:
    """Take them away again; the log can write them anew."""
    for table in ("results", "bids", "registrations", "auctions", "sales", "positions"):
        op.drop_table(table)


def _positions() -> None:
    op.create_table(
        "positions",
        sa.Column("shard", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("lineage", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("head", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("shard", name="pk_positions"),
    )


def _sales() -> None:
    op.create_table(
        "sales",
        sa.Column("sale_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("exponent", sa.Integer, nullable=False),
        sa.Column("time_zone", sa.Text, nullable=False),
        sa.Column("registration", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("sale_id", name="pk_sales"),
    )


def _auctions() -> None:
    op.create_table(
        "auctions",
        sa.Column("auction_id", sa.Text, nullable=False),
        sa.Column("sale_id", sa.Text, nullable=False),
        sa.Column("lot_number", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("estimate_low", sa.BigInteger),
        sa.Column("estimate_high", sa.BigInteger),
        sa.Column("photos", sa.JSON, nullable=False),
        sa.Column("provenance", sa.JSON, nullable=False),
        sa.Column("serial", sa.Text),
        sa.Column("terms", sa.JSON, nullable=False),
        sa.Column("added_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("auction_id", name="pk_auctions"),
        sa.ForeignKeyConstraint(["sale_id"], ["sales.sale_id"], name="fk_auctions_sale_id"),
    )
    op.create_index("ix_auctions_sale_id", "auctions", ["sale_id"])


def _registrations() -> None:
    op.create_table(
        "registrations",
        sa.Column("sale_id", sa.Text, nullable=False),
        sa.Column("consumer_id", sa.Text, nullable=False),
        sa.Column("paddle", sa.BigInteger, nullable=False),
        sa.Column("admission", sa.Text, nullable=False),
        sa.Column("registered_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("sale_id", "consumer_id", name="pk_registrations"),
        sa.ForeignKeyConstraint(["sale_id"], ["sales.sale_id"], name="fk_registrations_sale_id"),
        sa.UniqueConstraint("sale_id", "paddle", name="uq_registrations_sale_id"),
    )


def _bids() -> None:
    op.create_table(
        "bids",
        sa.Column("auction_id", sa.Text, nullable=False),
        sa.Column("log_seq", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("bid_id", sa.Text, nullable=False),
        sa.Column("consumer_id", sa.Text, nullable=False),
        sa.Column("cmd_id", sa.Text, nullable=False),
        sa.Column("paddle", sa.BigInteger),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("price", sa.BigInteger),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("code", sa.Text),
        sa.Column("why", sa.Text),
        sa.PrimaryKeyConstraint("auction_id", "log_seq", name="pk_bids"),
        sa.ForeignKeyConstraint(["auction_id"], ["auctions.auction_id"], name="fk_bids_auction_id"),
    )
    _partial_index("ix_bids_public", ["auction_id", "log_seq"], "price IS NOT NULL")
    _partial_index("ix_bids_own", ["auction_id", "consumer_id", "log_seq"], "code IS NULL")


def _partial_index(name: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, "bids", columns, sqlite_where=condition, postgresql_where=condition)


def _results() -> None:
    op.create_table(
        "results",
        sa.Column("auction_id", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("winner", sa.Text),
        sa.Column("paddle", sa.BigInteger),
        sa.Column("hammer_price", sa.BigInteger),
        sa.Column("closed_at", sa.BigInteger, nullable=False),
        sa.Column("settle_at", sa.BigInteger),
        sa.Column("settled_at", sa.BigInteger),
        sa.Column("canceled", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("auction_id", name="pk_results"),
        sa.ForeignKeyConstraint(
            ["auction_id"], ["auctions.auction_id"], name="fk_results_auction_id"
        ),
    )
