"""Mails on their way: what is due, what it is about by now, and what came of it.

The rows were written by ``gateway.books.outbox``, and speak of the moment at which something
happened; what a mail says besides is looked up here when it is sent, because much may have
happened since.

Instants are milliseconds since the epoch and are handed in.  All functions block: call them
in a thread.  Leaves to others: who is written to and when (``gateway.books.outbox``), wording
(``gateway.core.notices``) and sending (``gateway.deliveries``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from engine.core.messages import Mode
from gateway.archive import auctions, bids, results, sales, wins
from gateway.books.outbox import currency_of, mail_row, mails, offers
from gateway.books.payments import Sold
from gateway.books.store import reading, writing
from gateway.core.naming import is_floor
from gateway.core.notices import Kind, Notice
from gateway.core.webhooks import RETRY_AFTER_MS


class Mail(NamedTuple):
    """A mail that is due."""

    mail_id: str
    mode: Mode
    kind: Kind
    consumer_id: str
    sale_id: str
    auction_id: str | None
    figures: dict[str, Any]
    attempts: int
    created_at: int


@dataclass(frozen=True, slots=True)
class Subject:
    """What a mail is about, as the archive has it now."""

    sale_name: str
    currency: str
    exponent: int
    lot_number: str
    lot_name: str
    closes_at: int | None
    over: bool  # the bidding has ended
    leads_again: bool  # the reader has bid since, and held a winning place then


# ── What is due, and what it is about ────────────────────────────────────────────────────


def next_mail_at(engine: Engine) -> int | None:
    """When a mail is due next; None: none waits."""
    with reading(engine) as connection:
        due = connection.scalar(select(func.min(mails.c.next_at)))
    return None if due is None else int(due)


def due_mails(engine: Engine, now_ms: int, limit: int) -> list[Mail]:
    """The mails that are due, the longest waiting first."""
    columns = (mails.c[name] for name in Mail._fields)
    query = select(*columns).where(mails.c.next_at <= now_ms)
    with reading(engine) as connection:
        rows = connection.execute(query.order_by(mails.c.next_at, mails.c.number).limit(limit))
        return [Mail(*row) for row in rows]


def subject_of(engine: Engine, mail: Mail) -> Subject | None:
    """What a mail is about, as the archive has it now; None: it is not there any more."""
    with reading(engine) as connection:
        if mail.auction_id is None:
            query = select(sales).where(sales.c.sale_id == mail.sale_id)
            sale = connection.execute(query).one_or_none()
            if sale is None:
                return None
            return Subject(sale.name, sale.currency, sale.exponent, "", "", None, False, False)
        query = (
            select(sales.c.name.label("sale_name"), sales.c.currency, sales.c.exponent, auctions)
            .add_columns(offers.c.closes_at, results.c.outcome)
            .join_from(auctions, sales)
            .outerjoin(results, results.c.auction_id == auctions.c.auction_id)
            .outerjoin(offers, offers.c.auction_id == auctions.c.auction_id)
            .where(auctions.c.auction_id == mail.auction_id)
        )
        row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return _subject(row, leads_again=_leads_again(connection, mail))


def _subject(row: Any, leads_again: bool) -> Subject:
    currency, exponent = currency_of(row)
    gone = (row.outcome, row.withdrawn_at, row.ended_at)
    return Subject(
        sale_name=row.sale_name,
        currency=currency,
        exponent=exponent,
        lot_number=row.lot_number,
        lot_name=row.name,
        closes_at=row.closes_at,
        over=any(each is not None for each in gone),
        leads_again=leads_again,
    )


def _leads_again(connection: Connection, mail: Mail) -> bool:
    query = select(bids.c.log_seq).where(
        bids.c.auction_id == mail.auction_id,
        bids.c.consumer_id == mail.consumer_id,
        bids.c.log_seq > mail.figures.get("place", 0),
        bids.c.code.is_(None),
        bids.c.status == "WINNING",
        bids.c.undone_at.is_(None),
    )
    return connection.scalar(query.limit(1)) is not None


def sold_to(engine: Engine, auction_id: str, consumer_id: str) -> Sold | None:
    """What a winner owes; None: nothing, or tokens, which are paid, or at the cashier's."""
    if is_floor(consumer_id):
        return None
    query = (
        select(wins.c.amount, auctions.c.terms, sales, results.c.settled_at)
        .join_from(wins, results)
        .join(auctions, auctions.c.auction_id == wins.c.auction_id)
        .join(sales, sales.c.sale_id == auctions.c.sale_id)
        .where(wins.c.auction_id == auction_id, wins.c.consumer_id == consumer_id)
        .where(results.c.settled_at.is_not(None), auctions.c.in_tokens.is_(False))
    )
    with reading(engine) as connection:
        row = connection.execute(query.order_by(wins.c.place).limit(1)).one_or_none()
    if row is None:
        return None
    currency, exponent = currency_of(row)
    return Sold(auction_id, consumer_id, row.amount, exponent, currency, row.settled_at, row.mode)


# ── What came of it ──────────────────────────────────────────────────────────────────────


def done(engine: Engine, mail: Mail, state: str, now_ms: int, error: str | None = None) -> None:
    """A mail was sent, or dropped, or has failed for good."""
    row = update(mails).where(mails.c.mail_id == mail.mail_id)
    made = mail.attempts + (state != "dropped")
    said = {"state": state, "attempts": made, "last_error": error, "done_at": now_ms}
    with writing(engine) as connection:
        connection.execute(row.values(next_at=None, **said))


def put_off(engine: Engine, mail: Mail, error: str, now_ms: int) -> None:
    """A mail could not be sent: it is tried again later, or has failed for good."""
    made = mail.attempts + 1
    if made > len(RETRY_AFTER_MS):
        done(engine, mail, "failed", now_ms, error)
        return
    row = update(mails).where(mails.c.mail_id == mail.mail_id)
    later = now_ms + RETRY_AFTER_MS[made - 1]
    with writing(engine) as connection:
        connection.execute(row.values(attempts=made, next_at=later, last_error=error))


def remind_of_payment(engine: Engine, mail: Mail, at_ms: int, salt: bytes) -> None:
    """Say at *at_ms* that the payment is due, to whom *mail* speaks of the win; once a lot."""
    notice = Notice(
        "payment_due",
        mail.consumer_id,
        mail.created_at,
        mail.sale_id,
        mail.auction_id,
        mail.figures,
    )
    row = mail_row(mail.mode, f"due|{mail.auction_id}", notice, salt)
    row["next_at"] = at_ms
    with writing(engine) as connection:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        once = dialect.insert(mails).on_conflict_do_update(
            index_elements=[mails.c.mail_id],
            set_={"next_at": at_ms, "state": "pending"},  # a token that was reissued
        )
        connection.execute(once, row)


def forget(engine: Engine, before_ms: int) -> None:
    """Drop the mails that were done with before then."""
    old = (mails.c.created_at < before_ms) & mails.c.next_at.is_(None)
    with writing(engine) as connection:
        connection.execute(delete(mails).where(old))
