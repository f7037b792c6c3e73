"""Everything the verifier keeps, as tables; ``migrations/`` makes them.

Instants are milliseconds since the epoch, amounts whole minor units.  A column that is marked
*sealed* holds what only the master key opens; *private* never leaves an answer to the public.
What a public answer may say stands in the signed documents alone, and those lie in
``entries``, each of them once: an event's row points at its leaf.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

metadata: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)
# SQLite counts only an INTEGER by itself.
_COUNTED: Final = BigInteger().with_variant(Integer, "sqlite")

# ── The log ──────────────────────────────────────────────────────────────────────────────

# What was logged, in its order: the canonical bytes of signed documents.
entries: Final = Table(
    "v_entries",
    metadata,
    Column("leaf_index", BigInteger, primary_key=True, autoincrement=False),
    Column("leaf_hash", LargeBinary, nullable=False, index=True),
    Column("data", LargeBinary, nullable=False),
)

# The hashes of complete subtrees; level 0 are the leaves.
nodes: Final = Table(
    "v_nodes",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
)

checkpoints: Final = Table(
    "v_checkpoints",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)

keys: Final = Table(
    "v_keys",
    metadata,
    Column("kid", Text, primary_key=True),  # RFC 7638; of ML-DSA the SHA-256 of the key
    Column("purpose", Text, nullable=False),  # issuer, log, log-mldsa or link
    Column("public", LargeBinary, nullable=False),
    Column("private", LargeBinary),  # sealed; null: destroyed
    Column("created_at", BigInteger, nullable=False),
    Column("from_size", BigInteger, nullable=False),  # of the log when it came into use
    Column("retired_at", BigInteger),
    Column("retired_size", BigInteger),
    Column("compromised_at", BigInteger),
    Column("compromised_size", BigInteger),  # what was logged before it stays good
)

# Where the log tells of keys.
key_entries: Final = Table(
    "v_key_entries",
    metadata,
    Column(
        "leaf_index",
        BigInteger,
        ForeignKey("v_entries.leaf_index"),
        primary_key=True,
        autoincrement=False,
    ),
)

# ── Objects ──────────────────────────────────────────────────────────────────────────────

objects: Final = Table(
    "v_objects",
    metadata,
    Column("object_id", Text, primary_key=True),
    Column("mode", Text, nullable=False),
    Column("serial", Text, nullable=False, unique=True),
    Column("link_serial", Text, nullable=False, unique=True),  # in AI 21 of the link
    Column("link", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("security_tier", Text, nullable=False),
    Column("status", Text, nullable=False, index=True),
    Column("binding", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # description, estimate, attributes
    Column("consignor_id", Text, nullable=False),  # private
    Column("holder_id", Text, nullable=False),  # private
    Column("open_auction", Text),  # an auction of ours that may still sell it
    Column("claimed_by", Text),  # one that is about to: its lot is being put up
    Column("claimed_until", BigInteger),
    Column("events", Integer, nullable=False),  # how many its chain has
    Column("head", Text),  # the hash of the last
    Column("certificate", BigInteger),  # its leaf
    Column("registered_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("ix_v_objects_listing", "mode", "registered_at", "object_id"),
)

# By what else a serial is found: foreign ones, and the form of older labels.
aliases: Final = Table(
    "v_aliases",
    metadata,
    Column("alias", Text, primary_key=True),
    Column("object_id", Text, ForeignKey("v_objects.object_id"), nullable=False),
)

events: Final = Table(
    "v_events",
    metadata,
    Column("object_id", Text, ForeignKey("v_objects.object_id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("event_id", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("hash", Text, nullable=False, unique=True),
    Column("leaf_index", BigInteger, ForeignKey("v_entries.leaf_index"), nullable=False),
    Column("kid", Text, nullable=False),
    Column("at", BigInteger, nullable=False),  # private where custody moves: to the ms
    Column("sealed", LargeBinary),  # sealed: salts and private fields that open commitments
    Column("personal", LargeBinary),  # sealed: the same about a person, under their own key
    Column("of_owner", Text),  # private: who that is, also when it was erased
)

# A data key each, sealed; whatever was sealed under one that is gone is gone with it.
data_keys: Final = Table(
    "v_data_keys",
    metadata,
    Column("subject", Text, primary_key=True),  # an owner or an object
    Column("sealed", LargeBinary, nullable=False),
)

owners: Final = Table(
    "v_owners",
    metadata,
    Column("owner_id", Text, primary_key=True),
    Column("mode", Text, nullable=False),
    Column("external_index", Text),  # keyed hashes: equal for equal words, and no more
    Column("email_index", Text),
    Column("sealed", LargeBinary),  # name, e-mail, external id; null: erased
    Column("created_at", BigInteger, nullable=False),
    Column("erased_at", BigInteger),
    UniqueConstraint("mode", "external_index", name="uq_v_owners_external"),
    UniqueConstraint("mode", "email_index", name="uq_v_owners_email"),
)

# Who has held an object, in order: the chain of custody with the persons behind it.
custody: Final = Table(
    "v_custody",
    metadata,
    Column("object_id", Text, ForeignKey("v_objects.object_id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, nullable=False),  # the event it came with
    Column("from_role", Text),  # null: the first
    Column("to_role", Text, nullable=False),
    Column("transfer_type", Text, nullable=False),
    Column("from_id", Text),  # private
    Column("to_id", Text, nullable=False),  # private
)

photos: Final = Table(
    "v_photos",
    metadata,
    Column("photo_id", Text, primary_key=True),
    Column("object_id", Text, ForeignKey("v_objects.object_id"), nullable=False, index=True),
    Column("angle", Text, nullable=False),
    Column("sha256", Text, nullable=False),  # of the bytes as they came
    Column("pixel_sha256", Text, nullable=False),
    Column("pdq", Text),  # null: without NumPy
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("anchors_found", Integer),  # null: enrolled without matching
    Column("matchable", Boolean, nullable=False),
    Column("template", LargeBinary),  # sealed
    Column("template_salt", LargeBinary, nullable=False),  # sealed
    Column("template_digest", Text, nullable=False),  # SHA-256 over salt and template
    Column("served", LargeBinary, nullable=False),  # re-encoded from pixels: nothing else in it
    Column("original", Text, nullable=False),  # the sealed file's name
    Column("created_at", BigInteger, nullable=False),
    Column("superseded_at", BigInteger),
)

tags: Final = Table(
    "v_tags",
    metadata,
    Column("tag_id", Text, primary_key=True),
    Column("object_id", Text, ForeignKey("v_objects.object_id"), nullable=False, unique=True),
    Column("uid_index", Text, nullable=False, unique=True),
    Column("sealed", LargeBinary, nullable=False),  # uid and both keys
    Column("url_template", Text, nullable=False),
    Column("last_counter", BigInteger, nullable=False),  # -1: never tapped
    Column("tampered", Boolean, nullable=False),
    Column("bound_at", BigInteger, nullable=False),
    # The last tap and from where, so that the same gets the same answer.
    Column("tap_digest", Text),
    Column("tap_at", BigInteger),
)

transfers: Final = Table(
    "v_transfers",
    metadata,
    Column("transfer_id", Text, primary_key=True),
    Column("object_id", Text, ForeignKey("v_objects.object_id"), nullable=False, index=True),
    Column("mode", Text, nullable=False),
    Column("from_id", Text, nullable=False),  # private
    Column("to_id", Text, nullable=False),  # private
    Column("price", BigInteger),  # private where it was no auction
    Column("currency", Text),
    Column("exponent", Integer, nullable=False),
    Column("terms_hash", Text, nullable=False),
    Column("auction_id", Text),  # settled by an auction of ours
    Column("state", Text, nullable=False),
    Column("code_mac", LargeBinary),  # null: no code was given out
    Column("codes", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),  # of the newest code
    Column("expires_at", BigInteger),  # of the newest code
    Column("event_id", Text),  # of the confirmation
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)
# One open transfer an object.
_OPEN: Final = transfers.c.state.in_(("awaiting_payment", "pending"))
Index(
    "uq_v_transfers_open",
    transfers.c.object_id,
    unique=True,
    sqlite_where=_OPEN,
    postgresql_where=_OPEN,
)

# ── What happens to them ─────────────────────────────────────────────────────────────────

# Questions of one second that are alike are one row, with how many they were.
scans: Final = Table(
    "v_scans",
    metadata,
    Column("number", _COUNTED, primary_key=True),
    Column("object_id", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),  # qr, nfc, page or photo
    Column("client", Text, nullable=False),  # of the network address, under a key of the day
    Column("country", Text),
    Column("counter", BigInteger),
    Column("outcome", Text, nullable=False),
    Column("times", Integer, nullable=False),
    Index("ix_v_scans_object", "object_id", "at"),
    Index("ix_v_scans_at", "at"),
)

# The highest risk that somebody was told of.
alerts: Final = Table(
    "v_alerts",
    metadata,
    Column("object_id", Text, primary_key=True),
    Column("level", Text, nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("at", BigInteger, nullable=False),
)

# What was told of sales; an origin is taken once, for ever.
news: Final = Table(
    "v_news",
    metadata,
    Column("origin", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("serial", Text),
    Column("recorded", Boolean, nullable=False),
    Column("reason", Text),
    Column("at", BigInteger, nullable=False),
)

# What webhooks are told, in its order.
happenings: Final = Table(
    "v_happenings",
    metadata,
    Column("number", _COUNTED, primary_key=True),
    Column("type", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("data", JSON, nullable=False),
)
