"""Accounts: persons, sessions and how they begin, API keys, payments, answers already given.

What the columns mean is said in the modules of ``gateway.books``.  A step that has been
released is never edited: it says what a database of its time looks like.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make every table, in the order of the foreign keys."""
    _persons()
    _barred_fingerprints()
    _sessions()
    _tickets()
    _otp()
    _identities()
    _exchange_codes()
    _api_keys()
    _payments()
    _once()


def downgrade() -> None:
    """Take them away again, with all that they alone know."""
    for table in (
        "once",
        "payments",
        "api_keys",
        "exchange_codes",
        "identities",
        "otp",
        "tickets",
        "sessions",
        "barred_fingerprints",
        "persons",
    ):
        op.drop_table(table)


def _persons() -> None:
    op.create_table(
        "persons",
        sa.Column("consumer_id", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("email_index", sa.Text),
        sa.Column("phone_index", sa.Text),
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("guest", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("erased_at", sa.BigInteger),
        sa.Column("notices", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("consumer_id", name="pk_persons"),
        sa.UniqueConstraint("mode", "email_index", name="uq_persons_email"),
    )
    op.create_index("ix_persons_listed", "persons", ["mode", "created_at", "consumer_id"])
    op.create_index("ix_persons_phone", "persons", ["mode", "phone_index"])


def _barred_fingerprints() -> None:
    op.create_table(
        "barred_fingerprints",
        sa.Column("fingerprint_index", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("barred_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("fingerprint_index", name="pk_barred_fingerprints"),
    )


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("consumer_id", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("rotated_at", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("session_id", name="pk_sessions"),
        _of_a_person("sessions"),
    )
    for column in ("consumer_id", "expires_at", "revoked_at"):
        op.create_index(f"ix_sessions_{column}", "sessions", [column])


def _tickets() -> None:
    op.create_table(
        "tickets",
        sa.Column("ticket_hash", sa.Text, nullable=False),
        sa.Column("consumer_id", sa.Text, nullable=False),
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("token_expires_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("ticket_hash", name="pk_tickets"),
    )
    op.create_index("ix_tickets_expires_at", "tickets", ["expires_at"])


def _otp() -> None:
    op.create_table(
        "otp",
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("email_index", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("used", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("mode", "email_index", name="pk_otp"),
    )


def _identities() -> None:
    op.create_table(
        "identities",
        sa.Column("identity_index", sa.Text, nullable=False),
        sa.Column("consumer_id", sa.Text, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("identity_index", name="pk_identities"),
        _of_a_person("identities"),
    )
    op.create_index("ix_identities_consumer_id", "identities", ["consumer_id"])


def _exchange_codes() -> None:
    op.create_table(
        "exchange_codes",
        sa.Column("code_hash", sa.Text, nullable=False),
        sa.Column("consumer_id", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("code_hash", name="pk_exchange_codes"),
        _of_a_person("exchange_codes"),
    )
    for column in ("consumer_id", "expires_at"):
        op.create_index(f"ix_exchange_codes_{column}", "exchange_codes", [column])


def _of_a_person(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["consumer_id"], ["persons.consumer_id"], name=f"fk_{table}_consumer_id"
    )


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.Text),
        sa.Column("previous_until", sa.BigInteger),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("revoked_at", sa.BigInteger),
        sa.Column("last_used", sa.BigInteger),
        sa.Column("of_file", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("key_id", name="pk_api_keys"),
        sa.UniqueConstraint("hash", name="uq_api_keys_hash"),
    )


def _payments() -> None:
    op.create_table(
        "payments",
        sa.Column("jti", sa.Text, nullable=False),
        sa.Column("auction_id", sa.Text, nullable=False),
        sa.Column("consumer_id", sa.Text, nullable=False),
        sa.Column("issue", sa.Integer, nullable=False),
        sa.Column("issued_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("order_id", sa.Text),
        sa.Column("completed_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("jti", name="pk_payments"),
        sa.UniqueConstraint("auction_id", "consumer_id", "issue", name="uq_payments_issue"),
    )


def _once() -> None:
    op.create_table(
        "once",
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("body_hash", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("answer", sa.LargeBinary),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("claimed_until", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("owner", "key", name="pk_once"),
    )
    op.create_index("ix_once_created_at", "once", ["created_at"])
