"""What the archive keeps of the new formats, and the ledger: assets, accounts, journal, holds.

What the columns mean is said in ``gateway.archive`` and ``gateway.books.ledger``.  Rows that
were written before have what the log says of them: no limit, no reason, nothing canceled.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_NO_TERMS = '{"buyers_premium":[],"tax_percent":"0","conditions":"","conditions_version":null}'


def upgrade() -> None:
    """Widen the archive's tables and add the new ones, in the order of the foreign keys."""
    _sales()
    _auctions()
    _registrations()
    _bids()
    _results()
    _wins()
    _lowerings()
    _acts()
    _assets()
    _accounts()
    _journal()
    _holds()


def downgrade() -> None:
    """Take away what is new.  The ledger's rows are lost: no log can write them anew."""
    new = ("holds", "journal", "accounts", "assets", "acts", "lowerings", "wins")
    for table in new:
        op.drop_table(table)
    op.drop_index("ix_bids_bid_id", "bids")
    for table, columns in _ADDED.items():
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.drop_column(column)


_ADDED = {
    "results": ("settling_at", "opening_key"),
    "bids": ("commitment", "opened_amount", "void", "canceled_at"),
    "registrations": ("bid_limit", "reason", "changed_by", "conditions_version", "changed_at"),
    "auctions": ("in_tokens", "revision", "updated_at", "withdrawn_at", "ended_at", "time_zone"),
    "sales": ("mode", "supports_guest", "terms", "updated_at", "removed_at"),
}


def _add(table: str, *columns: sa.Column[object]) -> None:
    for column in columns:
        op.add_column(table, column)


def _text(name: str, default: str = "") -> sa.Column[object]:
    return sa.Column(name, sa.Text, nullable=False, server_default=default)


def _instant(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


# ── The archive ──────────────────────────────────────────────────────────────────────────


def _sales() -> None:
    _add(
        "sales",
        _text("mode", "test"),
        sa.Column("supports_guest", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("terms", sa.JSON, nullable=False, server_default=_NO_TERMS),
        _instant("updated_at"),
        sa.Column("removed_at", sa.BigInteger),
    )
    op.execute("UPDATE sales SET updated_at = created_at")


def _auctions() -> None:
    _add(
        "auctions",
        sa.Column("in_tokens", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("revision", sa.Integer, nullable=False, server_default="0"),
        _instant("updated_at"),
        sa.Column("withdrawn_at", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("time_zone", sa.Text),
    )
    op.execute("UPDATE auctions SET updated_at = added_at")


def _registrations() -> None:
    _add(
        "registrations",
        sa.Column("bid_limit", sa.BigInteger),
        _text("reason"),
        _text("changed_by"),
        sa.Column("conditions_version", sa.Text),
        _instant("changed_at"),
    )
    op.execute("UPDATE registrations SET changed_at = registered_at")


def _bids() -> None:
    _add(
        "bids",
        _text("commitment"),
        sa.Column("opened_amount", sa.BigInteger),
        sa.Column("void", sa.Text),
        sa.Column("canceled_at", sa.BigInteger),
    )
    op.create_index("ix_bids_bid_id", "bids", ["bid_id"])


def _results() -> None:
    _add(
        "results",
        sa.Column("settling_at", sa.BigInteger),
        sa.Column("opening_key", sa.Text),
    )


def _wins() -> None:
    op.create_table(
        "wins",
        sa.Column("auction_id", sa.Text, nullable=False),
        sa.Column("place", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("consumer_id", sa.Text, nullable=False),
        sa.Column("paddle", sa.BigInteger, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("bid", sa.BigInteger, nullable=False),
        sa.Column("bid_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("auction_id", "place", name="pk_wins"),
        sa.ForeignKeyConstraint(["auction_id"], ["results.auction_id"], name="fk_wins_auction_id"),
    )


def _lowerings() -> None:
    op.create_table(
        "lowerings",
        sa.Column("auction_id", sa.Text, nullable=False),
        sa.Column("log_seq", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("consumer_id", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("auction_id", "log_seq", name="pk_lowerings"),
        sa.ForeignKeyConstraint(
            ["auction_id"], ["auctions.auction_id"], name="fk_lowerings_auction_id"
        ),
    )


def _acts() -> None:
    op.create_table(
        "acts",
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("cmd_id", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("command", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("subject", "by", "cmd_id", "at", name="pk_acts"),
    )


# ── The ledger ───────────────────────────────────────────────────────────────────────────


def _is_amount(column: str) -> str:
    return f"length({column}) = 78 AND ltrim({column}, '0123456789') = ''"


def _assets() -> None:
    op.create_table(
        "assets",
        sa.Column("asset_id", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("decimals", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("asset_id", name="pk_assets"),
    )


def _accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("asset_id", sa.Text, nullable=False),
        sa.Column("token_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("balance", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.ForeignKeyConstraint(["asset_id"], ["assets.asset_id"], name="fk_accounts_asset_id"),
        sa.UniqueConstraint("holder", "asset_id", "token_id", "kind", name="uq_accounts_holder"),
        sa.UniqueConstraint("id", "asset_id", name="uq_accounts_id"),
        sa.CheckConstraint(_is_amount("balance"), name="ck_accounts_balance"),
    )


def _journal() -> None:
    op.create_table(
        "journal",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("journal_key", sa.Text, nullable=False),
        sa.Column("debit", sa.Integer, nullable=False),
        sa.Column("credit", sa.Integer, nullable=False),
        sa.Column("asset_id", sa.Text, nullable=False),
        sa.Column("amount", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("auction_id", sa.Text),
        sa.Column("bid_id", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_journal"),
        sa.UniqueConstraint("journal_key", name="uq_journal_journal_key"),
        *(
            sa.ForeignKeyConstraint(
                [side, "asset_id"], ["accounts.id", "accounts.asset_id"], name=f"fk_journal_{side}"
            )
            for side in ("debit", "credit")
        ),
        sa.CheckConstraint(_is_amount("amount"), name="ck_journal_amount"),
        sa.CheckConstraint("ltrim(amount, '0') <> ''", name="ck_journal_nothing"),
        sa.CheckConstraint("debit <> credit", name="ck_journal_nowhere"),
    )
    op.create_index("ix_journal_auction_id", "journal", ["auction_id"])


def _holds() -> None:
    op.create_table(
        "holds",
        sa.Column("bid_id", sa.Text, nullable=False),
        sa.Column("auction_id", sa.Text, nullable=False),
        sa.Column("consumer_id", sa.Text, nullable=False),
        sa.Column("cmd_id", sa.Text, nullable=False),
        sa.Column("asset_id", sa.Text, nullable=False),
        sa.Column("amount", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("held_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("taken_at", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("ended_as", sa.Text),
        sa.PrimaryKeyConstraint("bid_id", name="pk_holds"),
        sa.ForeignKeyConstraint(["asset_id"], ["assets.asset_id"], name="fk_holds_asset_id"),
        sa.CheckConstraint(_is_amount("amount"), name="ck_holds_amount"),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_as IS NULL)", name="ck_holds_ended"),
    )
    live = sa.text("ended_at IS NULL")
    op.create_index(
        "ix_holds_live",
        "holds",
        ["auction_id", "consumer_id"],
        sqlite_where=live,
        postgresql_where=live,
    )
    unseen = sa.text("ended_at IS NULL AND taken_at IS NULL")
    op.create_index(
        "ix_holds_unseen", "holds", ["expires_at"], sqlite_where=unseen, postgresql_where=unseen
    )
