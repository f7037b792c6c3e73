"""What the house tells the outside: webhooks, what they are told, mails, and lots on offer.

What the columns mean is said in ``gateway.books.webhooks`` and ``gateway.books.outbox``.  A
step that has been released is never edited: it says what a database of its time looks like.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

# SQLite counts only an INTEGER by itself.
_COUNTED = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make every table, in the order of the foreign keys."""
    _webhooks()
    _deliveries()
    _delivery_attempts()
    _mails()
    _offers()


def downgrade() -> None:
    """Take them away again: nobody is told anything any more."""
    for table in ("offers", "mails", "delivery_attempts", "deliveries", "webhooks"):
        op.drop_table(table)


def _webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("webhook_id", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("events", sa.JSON, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("rotated_at", sa.BigInteger),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("disabled_at", sa.BigInteger),
        sa.Column("deleted_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("webhook_id", name="pk_webhooks"),
    )


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("number", _COUNTED, nullable=False),
        sa.Column("delivery_id", sa.Text, nullable=False),
        sa.Column("webhook_id", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("auction_id", sa.Text),
        sa.Column("consumer_id", sa.Text),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", sa.BigInteger),
        sa.Column("last_status", sa.Integer),
        sa.Column("last_error", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("delivered_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("number", name="pk_deliveries"),
        sa.UniqueConstraint("delivery_id", name="uq_deliveries_delivery_id"),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.webhook_id"], name="fk_deliveries_webhook_id"
        ),
    )
    op.create_index("ix_deliveries_due", "deliveries", ["webhook_id", "next_at", "number"])
    op.create_index("ix_deliveries_newest", "deliveries", ["webhook_id", "number"])


def _delivery_attempts() -> None:
    op.create_table(
        "delivery_attempts",
        sa.Column("id", _COUNTED, nullable=False),
        sa.Column("delivery_id", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("error", sa.Text),
        sa.Column("duration_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_delivery_attempts"),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.delivery_id"], name="fk_delivery_attempts_delivery_id"
        ),
    )
    op.create_index("ix_delivery_attempts_delivery_id", "delivery_attempts", ["delivery_id"])


def _mails() -> None:
    op.create_table(
        "mails",
        sa.Column("number", _COUNTED, nullable=False),
        sa.Column("mail_id", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("consumer_id", sa.Text, nullable=False),
        sa.Column("sale_id", sa.Text, nullable=False),
        sa.Column("auction_id", sa.Text),
        sa.Column("figures", sa.JSON, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", sa.BigInteger),
        sa.Column("last_error", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("done_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("number", name="pk_mails"),
        sa.UniqueConstraint("mail_id", name="uq_mails_mail_id"),
    )
    op.create_index("ix_mails_due", "mails", ["next_at", "number"])
    op.create_index("ix_mails_of", "mails", ["consumer_id", "auction_id", "kind"])


def _offers() -> None:
    op.create_table(
        "offers",
        sa.Column("auction_id", sa.Text, nullable=False),
        sa.Column("said", sa.JSON, nullable=False),
        sa.Column("closes_at", sa.BigInteger),
        sa.Column("reminded", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("auction_id", name="pk_offers"),
    )
    op.create_index("ix_offers_closes_at", "offers", ["closes_at"])
