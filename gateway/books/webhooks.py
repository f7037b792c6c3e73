"""The books' pages on webhooks: who wants to be told, what they are told, and what came of it.

A row of ``deliveries`` is one telling to one webhook: its body does not change, its id stays
through every attempt, and ``next_at`` says when it is due: 0 at once, null never again.  Each
attempt leaves a row of its own.  A secret is nowhere stored: it is derived from the house's
key, the webhook and how often it was rotated, so a copied database signs nothing.

The gateways write webhooks here, the clerk's process everything else.  Instants are
milliseconds since the epoch and are handed in.  All functions block: call them in a
thread.  They raise ``BooksError``.  Leaves to others: what is told (``gateway.core.webhooks``), and sending (``gateway.deliveries``).
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    Engine,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)

from engine.core.messages import Mode
from gateway.archive import metadata
from gateway.books.store import BadField, reading, writing
from gateway.core.targets import BadTarget, read_url
from gateway.core.webhooks import ROTATION_MS, TYPES, judge_status, next_attempt_at
from gateway.keys import random_name

# ── The tables ───────────────────────────────────────────────────────────────────────────

webhooks: Final = Table(
    "webhooks",
    metadata,
    Column("webhook_id", Text, primary_key=True),
    Column("mode", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("events", JSON, nullable=False),
    Column("generation", Integer, nullable=False),  # how often its secret was rotated
    Column("rotated_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("disabled_at", BigInteger),  # it answered 410
    Column("deleted_at", BigInteger),
)

deliveries: Final = Table(
    "deliveries",
    metadata,
    # In the order in which they are told.  SQLite counts only an INTEGER by itself.
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("delivery_id", Text, nullable=False, unique=True),
    Column("webhook_id", Text, ForeignKey("webhooks.webhook_id"), nullable=False),
    Column("type", Text, nullable=False),
    Column("auction_id", Text),  # what it is about, where its body needs a payment token
    Column("consumer_id", Text),  # private: likewise
    Column("body", Text, nullable=False),  # private: whose UTF-8 is signed
    Column("state", Text, nullable=False),  # pending, delivered, failed or gone
    Column("attempts", Integer, nullable=False),
    Column("next_at", BigInteger),  # null: no attempt is due
    Column("last_status", Integer),
    Column("last_error", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("delivered_at", BigInteger),
    Index("ix_deliveries_due", "webhook_id", "next_at", "number"),
    Index("ix_deliveries_newest", "webhook_id", "number"),
)

attempts: Final = Table(
    "delivery_attempts",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("delivery_id", Text, ForeignKey("deliveries.delivery_id"), nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("status", Integer),  # null: no answer
    Column("error", Text),
    Column("duration_ms", BigInteger, nullable=False),
)

_STANDS: Final = webhooks.c.deleted_at.is_(None) & webhooks.c.disabled_at.is_(None)


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook as its house sees it."""

    webhook_id: str
    url: str
    events: tuple[str, ...]
    created_at: int
    disabled_at: int | None


class Delivery(NamedTuple):
    """One telling as its house sees it."""

    delivery_id: str
    type: str
    state: str
    attempts: int
    created_at: int
    next_at: int | None  # 0: at once; None: no attempt is due
    last_status: int | None
    last_error: str | None
    delivered_at: int | None


class Due(NamedTuple):
    """What an attempt needs to know."""

    delivery_id: str
    webhook_id: str
    generation: int
    rotated_at: int | None
    url: str
    type: str
    auction_id: str | None
    consumer_id: str | None
    body: str
    attempts: int  # made so far


class Attempt(NamedTuple):
    """What came of one."""

    at: int  # when it began
    status: int | None  # None: no answer
    error: str | None
    duration_ms: int


# ── The house's own calls ────────────────────────────────────────────────────────────────


def create(
    engine: Engine,
    key: bytes,
    mode: Mode,
    url: str,
    events: Sequence[str],
    now_ms: int,
    *,
    allow_private: bool,
) -> tuple[Webhook, str]:
    """A new webhook and its secret, which is shown this once.

    *key* is the house's, for secrets of webhooks.  Raises ``BadField`` where the URL may
    not be gone to or an event is not known.
    """
    try:
        read_url(url, allow_private)
    except BadTarget as refused:
        raise BadField("url", str(refused)) from refused
    wanted = tuple(dict.fromkeys(events))
    if not wanted or not set(wanted) <= set(TYPES):
        raise BadField("events", f"one or more of {', '.join(TYPES)} were expected")
    made = Webhook("wh_" + random_name(16), url, wanted, now_ms, None)
    row = {
        "webhook_id": made.webhook_id,
        "mode": mode,
        "url": url,
        "events": list(wanted),
        "generation": 0,
        "created_at": now_ms,
    }
    with writing(engine) as connection:
        connection.execute(insert(webhooks), row)
    return made, secret_of(key, made.webhook_id, 0)


def listed(engine: Engine, mode: Mode) -> list[Webhook]:
    """The webhooks of a mode that were not deleted, oldest first."""
    query = select(webhooks).where(webhooks.c.mode == mode, webhooks.c.deleted_at.is_(None))
    with reading(engine) as connection:
        rows = connection.execute(query.order_by(webhooks.c.created_at, webhooks.c.webhook_id))
        return [
            Webhook(r.webhook_id, r.url, tuple(r.events), r.created_at, r.disabled_at) for r in rows
        ]


def remove(engine: Engine, mode: Mode, webhook_id: str, now_ms: int) -> bool:
    """Tell this webhook nothing more, what waits included; False: there is none."""
    with writing(engine) as connection:
        if not _known(connection, mode, webhook_id):
            return False
        row = update(webhooks).where(webhooks.c.webhook_id == webhook_id)
        connection.execute(row.values(deleted_at=now_ms))
        _give_up(connection, webhook_id)
    return True


def rotate(engine: Engine, key: bytes, mode: Mode, webhook_id: str, now_ms: int) -> str | None:
    """The webhook's new secret, shown this once; None: there is no such webhook.

    The one before it signs beside it for 24 hours, in a header of its own.
    """
    with writing(engine) as connection:
        if not _known(connection, mode, webhook_id):
            return None
        row = update(webhooks).where(webhooks.c.webhook_id == webhook_id)
        turned = row.values(generation=webhooks.c.generation + 1, rotated_at=now_ms)
        generation = connection.scalar(turned.returning(webhooks.c.generation))
    return secret_of(key, webhook_id, int(generation or 0))


def deliveries_of(
    engine: Engine, mode: Mode, webhook_id: str, cursor: str | None, limit: int
) -> tuple[list[Delivery], str | None] | None:
    """A page of what a webhook was told, newest first, and the cursor of the next page.

    None: there is no such webhook.  A cursor that is none of ours begins at the newest.
    """
    columns = [deliveries.c[name] for name in Delivery._fields]
    query = select(deliveries.c.number, *columns).where(deliveries.c.webhook_id == webhook_id)
    if cursor and cursor.isascii() and cursor.isdigit() and len(cursor) < 19:
        query = query.where(deliveries.c.number < int(cursor))
    with reading(engine) as connection:
        if not _known(connection, mode, webhook_id):
            return None
        page = query.order_by(deliveries.c.number.desc()).limit(limit + 1)
        rows = connection.execute(page).all()
    more = str(rows[limit - 1].number) if len(rows) > limit else None
    return [Delivery(*row[1:]) for row in rows[:limit]], more


def replay(engine: Engine, mode: Mode, delivery_id: str) -> Delivery | None:
    """Tell it once more, at once and under the same id; None: there is no such delivery.

    The sender finds it within two seconds.
    """
    wanted = select(deliveries.c.delivery_id).join(webhooks)
    wanted = wanted.where(deliveries.c.delivery_id == delivery_id, webhooks.c.mode == mode)
    columns = [deliveries.c[name] for name in Delivery._fields]
    with writing(engine) as connection:
        if connection.scalar(wanted.where(_STANDS)) is None:
            return None
        row = update(deliveries).where(deliveries.c.delivery_id == delivery_id)
        found = connection.execute(row.values(state="pending", next_at=0).returning(*columns))
        return Delivery(*found.one())


def _known(connection: Connection, mode: Mode, webhook_id: str) -> bool:
    query = select(webhooks.c.webhook_id).where(
        webhooks.c.webhook_id == webhook_id,
        webhooks.c.mode == mode,
        webhooks.c.deleted_at.is_(None),
    )
    return connection.scalar(query) is not None


def _give_up(connection: Connection, webhook_id: str) -> None:
    waiting = update(deliveries).where(deliveries.c.webhook_id == webhook_id)
    pending = waiting.where(deliveries.c.next_at.is_not(None))
    connection.execute(pending.values(state="gone", next_at=None))


# ── Secrets ──────────────────────────────────────────────────────────────────────────────


def secret_of(key: bytes, webhook_id: str, generation: int) -> str:
    """The secret of a webhook after so many rotations."""
    raw = hmac.digest(key, f"webhook|{webhook_id}|{generation}".encode(), "sha256")
    return "whsec_" + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def secrets_of(key: bytes, due: Due, now_ms: int) -> list[str]:
    """What an attempt is signed with: the newest first, and for a day the one before it."""
    generations = [due.generation]
    if due.rotated_at is not None and now_ms < due.rotated_at + ROTATION_MS:
        generations.append(due.generation - 1)
    return [secret_of(key, due.webhook_id, generation) for generation in generations]


# ── The clerk's and the sender's part ────────────────────────────────────────────────────


def listeners(connection: Connection) -> dict[tuple[str, str], list[str]]:
    """Who is told of what: (mode, type) → webhooks, in a fixed order."""
    query = select(webhooks.c.webhook_id, webhooks.c.mode, webhooks.c.events).where(_STANDS)
    found: dict[tuple[str, str], list[str]] = {}
    for webhook_id, mode, events in connection.execute(query.order_by(webhooks.c.webhook_id)):
        for type_ in events:
            found.setdefault((mode, type_), []).append(webhook_id)
    return found


def put(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write deliveries down, in the order in which they are told."""
    if rows:
        connection.execute(insert(deliveries), rows)


def waiting(engine: Engine) -> dict[str, int]:
    """When each webhook that has something to be told is due next."""
    # Asked for each webhook: the index answers with one step, however much waits.
    first = (
        select(func.min(deliveries.c.next_at))
        .where(deliveries.c.webhook_id == webhooks.c.webhook_id)
        .where(deliveries.c.next_at.is_not(None))
        .scalar_subquery()
    )
    with reading(engine) as connection:
        rows = connection.execute(select(webhooks.c.webhook_id, first).where(_STANDS))
        return {webhook_id: at for webhook_id, at in rows if at is not None}


def next_due(engine: Engine, webhook_id: str, now_ms: int) -> Due | None:
    """What the webhook is to be told next, if anything is due."""
    named = {**deliveries.c, **webhooks.c}
    query = (
        select(*(named[name] for name in Due._fields))
        .join_from(deliveries, webhooks)
        .where(deliveries.c.webhook_id == webhook_id, deliveries.c.next_at <= now_ms, _STANDS)
        .order_by(deliveries.c.next_at, deliveries.c.number)
        .limit(1)
    )
    with reading(engine) as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else Due(*row)


def mark(engine: Engine, due: Due, attempt: Attempt, now_ms: int) -> str:
    """Write down what came of an attempt that ended at *now_ms*, and when the next one is due.

    The delivery's state: ``pending`` where there is a next one.
    """
    made = due.attempts + 1
    judged = judge_status(attempt.status)
    next_at = next_attempt_at(made, now_ms) if judged == "failed" else None
    state = "pending" if next_at is not None else judged
    changed: dict[str, Any] = {
        "state": state,
        "attempts": made,
        "next_at": next_at,
        "last_status": attempt.status,
        "last_error": attempt.error,
    }
    if judged == "delivered":
        changed["delivered_at"] = now_ms
    row = update(deliveries).where(deliveries.c.delivery_id == due.delivery_id)
    with writing(engine) as connection:
        connection.execute(insert(attempts), {"delivery_id": due.delivery_id, **attempt._asdict()})
        # Not where the webhook was deleted while the attempt was under way.
        connection.execute(row.where(deliveries.c.state == "pending").values(changed))
        if judged == "gone":
            hook = update(webhooks).where(webhooks.c.webhook_id == due.webhook_id)
            connection.execute(hook.values(disabled_at=now_ms))
            _give_up(connection, due.webhook_id)
    return state


def forget(engine: Engine, before_ms: int) -> None:
    """Drop what was told before then and needs no further attempt."""
    old = (deliveries.c.created_at < before_ms) & deliveries.c.next_at.is_(None)
    names = select(deliveries.c.delivery_id).where(old)
    with writing(engine) as connection:
        connection.execute(delete(attempts).where(attempts.c.delivery_id.in_(names)))
        connection.execute(delete(deliveries).where(old))
