"""The first tables of the verifier: the log, objects, and what happens to them.

What the columns mean is said in ``verifier.tables``.  A step that has been released is never
edited: it says what a database of its time looks like.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# SQLite counts only an INTEGER by itself.
_COUNTED = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make every table, in the order of the foreign keys."""
    _entries()
    _nodes()
    _checkpoints()
    _keys()
    _key_entries()
    _objects()
    _aliases()
    _events()
    _data_keys()
    _owners()
    _custody()
    _photos()
    _tags()
    _transfers()
    _scans()
    _alerts()
    _news()
    _happenings()


def downgrade() -> None:
    """Take them away again: nothing that was signed can be proven any more."""
    for table in (
        "v_happenings",
        "v_news",
        "v_alerts",
        "v_scans",
        "v_transfers",
        "v_tags",
        "v_photos",
        "v_custody",
        "v_owners",
        "v_data_keys",
        "v_events",
        "v_aliases",
        "v_objects",
        "v_key_entries",
        "v_keys",
        "v_checkpoints",
        "v_nodes",
        "v_entries",
    ):
        op.drop_table(table)


def _entries() -> None:
    op.create_table(
        "v_entries",
        sa.Column("leaf_index", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("leaf_index", name="pk_v_entries"),
    )
    op.create_index("ix_v_entries_leaf_hash", "v_entries", ["leaf_hash"])


def _nodes() -> None:
    op.create_table(
        "v_nodes",
        sa.Column("level", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("place", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("level", "place", name="pk_v_nodes"),
    )


def _checkpoints() -> None:
    op.create_table(
        "v_checkpoints",
        sa.Column("size", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("size", name="pk_v_checkpoints"),
    )


def _keys() -> None:
    op.create_table(
        "v_keys",
        sa.Column("kid", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("public", sa.LargeBinary, nullable=False),
        sa.Column("private", sa.LargeBinary),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("from_size", sa.BigInteger, nullable=False),
        sa.Column("retired_at", sa.BigInteger),
        sa.Column("retired_size", sa.BigInteger),
        sa.Column("compromised_at", sa.BigInteger),
        sa.Column("compromised_size", sa.BigInteger),
        sa.PrimaryKeyConstraint("kid", name="pk_v_keys"),
    )


def _key_entries() -> None:
    op.create_table(
        "v_key_entries",
        sa.Column("leaf_index", sa.BigInteger, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("leaf_index", name="pk_v_key_entries"),
        sa.ForeignKeyConstraint(
            ["leaf_index"], ["v_entries.leaf_index"], name="fk_v_key_entries_leaf_index"
        ),
    )


def _objects() -> None:
    op.create_table(
        "v_objects",
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("serial", sa.Text, nullable=False),
        sa.Column("link_serial", sa.Text, nullable=False),
        sa.Column("link", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("security_tier", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("binding", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("consignor_id", sa.Text, nullable=False),
        sa.Column("holder_id", sa.Text, nullable=False),
        sa.Column("open_auction", sa.Text),
        sa.Column("claimed_by", sa.Text),
        sa.Column("claimed_until", sa.BigInteger),
        sa.Column("events", sa.Integer, nullable=False),
        sa.Column("head", sa.Text),
        sa.Column("certificate", sa.BigInteger),
        sa.Column("registered_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("object_id", name="pk_v_objects"),
        sa.UniqueConstraint("link_serial", name="uq_v_objects_link_serial"),
        sa.UniqueConstraint("serial", name="uq_v_objects_serial"),
    )
    op.create_index("ix_v_objects_listing", "v_objects", ["mode", "registered_at", "object_id"])
    op.create_index("ix_v_objects_status", "v_objects", ["status"])


def _aliases() -> None:
    op.create_table(
        "v_aliases",
        sa.Column("alias", sa.Text, nullable=False),
        sa.Column("object_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("alias", name="pk_v_aliases"),
        sa.ForeignKeyConstraint(
            ["object_id"], ["v_objects.object_id"], name="fk_v_aliases_object_id"
        ),
    )


def _events() -> None:
    op.create_table(
        "v_events",
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("seq", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("leaf_index", sa.BigInteger, nullable=False),
        sa.Column("kid", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("personal", sa.LargeBinary),
        sa.Column("of_owner", sa.Text),
        sa.PrimaryKeyConstraint("object_id", "seq", name="pk_v_events"),
        sa.ForeignKeyConstraint(
            ["leaf_index"], ["v_entries.leaf_index"], name="fk_v_events_leaf_index"
        ),
        sa.ForeignKeyConstraint(
            ["object_id"], ["v_objects.object_id"], name="fk_v_events_object_id"
        ),
        sa.UniqueConstraint("event_id", name="uq_v_events_event_id"),
        sa.UniqueConstraint("hash", name="uq_v_events_hash"),
    )


def _data_keys() -> None:
    op.create_table(
        "v_data_keys",
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_v_data_keys"),
    )


def _owners() -> None:
    op.create_table(
        "v_owners",
        sa.Column("owner_id", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("external_index", sa.Text),
        sa.Column("email_index", sa.Text),
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("erased_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("owner_id", name="pk_v_owners"),
        sa.UniqueConstraint("mode", "email_index", name="uq_v_owners_email"),
        sa.UniqueConstraint("mode", "external_index", name="uq_v_owners_external"),
    )


def _custody() -> None:
    op.create_table(
        "v_custody",
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("from_role", sa.Text),
        sa.Column("to_role", sa.Text, nullable=False),
        sa.Column("transfer_type", sa.Text, nullable=False),
        sa.Column("from_id", sa.Text),
        sa.Column("to_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("object_id", "number", name="pk_v_custody"),
        sa.ForeignKeyConstraint(
            ["object_id"], ["v_objects.object_id"], name="fk_v_custody_object_id"
        ),
    )


def _photos() -> None:
    op.create_table(
        "v_photos",
        sa.Column("photo_id", sa.Text, nullable=False),
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("angle", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("pixel_sha256", sa.Text, nullable=False),
        sa.Column("pdq", sa.Text),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("anchors_found", sa.Integer),
        sa.Column("matchable", sa.Boolean, nullable=False),
        sa.Column("template", sa.LargeBinary),
        sa.Column("template_salt", sa.LargeBinary, nullable=False),
        sa.Column("template_digest", sa.Text, nullable=False),
        sa.Column("served", sa.LargeBinary, nullable=False),
        sa.Column("original", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("superseded_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("photo_id", name="pk_v_photos"),
        sa.ForeignKeyConstraint(
            ["object_id"], ["v_objects.object_id"], name="fk_v_photos_object_id"
        ),
    )
    op.create_index("ix_v_photos_object_id", "v_photos", ["object_id"])


def _tags() -> None:
    op.create_table(
        "v_tags",
        sa.Column("tag_id", sa.Text, nullable=False),
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("uid_index", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("url_template", sa.Text, nullable=False),
        sa.Column("last_counter", sa.BigInteger, nullable=False),
        sa.Column("tampered", sa.Boolean, nullable=False),
        sa.Column("bound_at", sa.BigInteger, nullable=False),
        sa.Column("tap_digest", sa.Text),
        sa.Column("tap_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("tag_id", name="pk_v_tags"),
        sa.ForeignKeyConstraint(["object_id"], ["v_objects.object_id"], name="fk_v_tags_object_id"),
        sa.UniqueConstraint("object_id", name="uq_v_tags_object_id"),
        sa.UniqueConstraint("uid_index", name="uq_v_tags_uid_index"),
    )


def _transfers() -> None:
    op.create_table(
        "v_transfers",
        sa.Column("transfer_id", sa.Text, nullable=False),
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("from_id", sa.Text, nullable=False),
        sa.Column("to_id", sa.Text, nullable=False),
        sa.Column("price", sa.BigInteger),
        sa.Column("currency", sa.Text),
        sa.Column("exponent", sa.Integer, nullable=False),
        sa.Column("terms_hash", sa.Text, nullable=False),
        sa.Column("auction_id", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("code_mac", sa.LargeBinary),
        sa.Column("codes", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("event_id", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("transfer_id", name="pk_v_transfers"),
        sa.ForeignKeyConstraint(
            ["object_id"], ["v_objects.object_id"], name="fk_v_transfers_object_id"
        ),
    )
    op.create_index("ix_v_transfers_object_id", "v_transfers", ["object_id"])
    op.create_index(
        "uq_v_transfers_open",
        "v_transfers",
        ["object_id"],
        unique=True,
        sqlite_where=sa.text("state IN ('awaiting_payment', 'pending')"),
        postgresql_where=sa.text("state IN ('awaiting_payment', 'pending')"),
    )


def _scans() -> None:
    op.create_table(
        "v_scans",
        sa.Column("number", _COUNTED, nullable=False),
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("country", sa.Text),
        sa.Column("counter", sa.BigInteger),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("times", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_v_scans"),
    )
    op.create_index("ix_v_scans_at", "v_scans", ["at"])
    op.create_index("ix_v_scans_object", "v_scans", ["object_id", "at"])


def _alerts() -> None:
    op.create_table(
        "v_alerts",
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("reasons", sa.JSON, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("object_id", name="pk_v_alerts"),
    )


def _news() -> None:
    op.create_table(
        "v_news",
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("serial", sa.Text),
        sa.Column("recorded", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("origin", name="pk_v_news"),
    )


def _happenings() -> None:
    op.create_table(
        "v_happenings",
        sa.Column("number", _COUNTED, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_v_happenings"),
    )
