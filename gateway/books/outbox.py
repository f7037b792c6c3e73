"""What the house means to say, written down with what it speaks of, and said later.

``intend`` is called with the events of a turn in the very transaction that writes their rows,
after them: whatever happened is told exactly once, or, after a kill, has not happened yet.  It
writes deliveries for webhooks and mails for bidders.  A mail's row holds no address and no
name, only whom it is for and the figures of the moment; the rest is looked up when it is
sent, and a mail that has become pointless by then is dropped.  Whoever has left no address
gets no row.

``offers`` remembers of every lot that is not over what was last said of it, and when it
closes: the first for what an update changed, the second for the word that it ends soon.

Instants are milliseconds since the epoch and are handed in.  All functions block: call them
in a thread.  Leaves to others: mails once they are due (``gateway.books.mailing``), wording
(``gateway.core.notices``), sending (``gateway.deliveries``), and payment tokens.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from engine.core.messages import (
    BidAccepted,
    BidCalled,
    BidderRegistered,
    BidsUndone,
    Event,
    LotAdded,
    LotCanceled,
    LotClosed,
    LotExtended,
    LotOpened,
    LotPaused,
    LotReopened,
    LotSettled,
    LotUnpaused,
    LotUpdated,
    LotWithdrawn,
    Mode,
    ReserveLowered,
    State,
    Win,
)
from gateway import archive
from gateway.archive import Passage, auctions, bids, metadata, registrations, results, sales
from gateway.books import webhooks
from gateway.books.people import persons
from gateway.books.store import reading, writing
from gateway.core import notices
from gateway.core.notices import ENDING_SOON_MS, OUTBID_EVERY_MS, Bid, Notice
from gateway.core.webhooks import (
    WON,
    Lot,
    delivery_id,
    envelope,
    happenings,
)

_AT_ONCE: Final = 500  # readers in one question: databases take only so many parameters

# ── The tables ───────────────────────────────────────────────────────────────────────────

mails: Final = Table(
    "mails",
    metadata,
    # In the order in which they are sent.  SQLite counts only an INTEGER by itself.
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("mail_id", Text, nullable=False, unique=True),
    Column("mode", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("consumer_id", Text, nullable=False),  # private
    Column("sale_id", Text, nullable=False),
    Column("auction_id", Text),  # null: it is about the whole sale
    Column("figures", JSON, nullable=False),
    Column("state", Text, nullable=False),  # pending, sent, failed or dropped
    Column("attempts", Integer, nullable=False),
    Column("next_at", BigInteger),  # 0: at once; null: no attempt is due
    Column("last_error", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("done_at", BigInteger),
    Index("ix_mails_due", "next_at", "number"),
    Index("ix_mails_of", "consumer_id", "auction_id", "kind"),
)

offers: Final = Table(
    "offers",
    metadata,
    Column("auction_id", Text, primary_key=True),
    Column("said", JSON, nullable=False),  # private: the reserve is in it
    Column("closes_at", BigInteger, index=True),  # null: not open, or by command
    Column("reminded", Boolean, nullable=False),
)


# ── Intending (the clerk's) ──────────────────────────────────────────────────────────────

# Everything that something is told about; bids that were refused, most of all, are not.
_OF_LOTS: Final = (
    BidAccepted
    | BidCalled
    | BidsUndone
    | ReserveLowered
    | LotReopened
    | LotOpened
    | LotPaused
    | LotUnpaused
    | LotExtended
    | LotUpdated
    | LotWithdrawn
    | LotClosed
    | LotCanceled
    | LotSettled
)


def intend(connection: Connection, passage: Passage, salt: bytes) -> int:
    """Write down what is to be said of a passage; how many deliveries and mails that makes.

    In the transaction that writes the passage's rows, after them.  *salt* is the house's
    secret, which the ids of bids, deliveries and mails are made with.
    """
    saying = _Saying(connection, passage, salt)
    for place, event in passage.events:
        saying.hear(place, event)
    return saying.write()


class _Saying:
    """One passage on its way into the outbox."""

    def __init__(self, connection: Connection, passage: Passage, salt: bytes) -> None:
        self._connection = connection
        self._salt = salt
        self._where = f"{passage.before.lineage}|{passage.shard}"
        self._lots = _lots_before(connection, passage)
        self._modes = _modes(connection, passage)
        self._listeners = webhooks.listeners(connection)
        if self._listeners:
            _know_prices(connection, self._lots, passage.before.seq)
            _know_shown(connection, self._lots, passage)
        self._deliveries: list[dict[str, Any]] = []
        self._notices: list[tuple[Mode, str, Notice]] = []
        self._closing: dict[str, int | None] = {}  # lots on offer: when they close now
        self._over: list[str] = []  # lots that are not on offer any more

    def hear(self, place: int, event: Event) -> None:
        """Work out what is to be said of one event."""
        match event:
            case LotAdded():
                self._lots[event.auction_id].fold(event)
                self._offer(event)
            case BidderRegistered():
                if (notice := notices.registration_notice(event)) is not None:
                    self._note(place, event.sale_id, [notice])
            case _ if isinstance(event, _OF_LOTS):
                lot = self._lots[event.auction_id]
                bidders = _bidders(self._connection, event, place)
                # Before the happenings, which fold the event into the lot.
                self._note(place, lot.sale_id, notices.notices_of(event, place, lot, bidders))
                self._tell(place, event, lot)
                self._offer(event)
            case _:
                pass

    def _tell(self, place: int, event: Event, lot: Lot) -> None:
        if not self._listeners:
            lot.fold(event)
            return
        where = f"{self._where}|{place}"
        for number, told in enumerate(happenings(event, lot, self._salt)):
            for webhook_id in self._listeners.get((lot.mode, told.type), ()):
                name = delivery_id(webhook_id, where, number, self._salt)
                winner = told.data["consumerId"] if told.type == WON else None
                self._deliveries.append(
                    {
                        "delivery_id": name,
                        "webhook_id": webhook_id,
                        "type": told.type,
                        "auction_id": lot.auction_id if winner else None,
                        "consumer_id": winner,
                        "body": envelope(name, told, lot.mode),
                        "state": "pending",
                        "attempts": 0,
                        "next_at": 0,
                        "created_at": told.at,
                    }
                )

    def _note(self, place: int, sale_id: str, found: Iterable[Notice]) -> None:
        where = f"{self._where}|{place}"
        self._notices += [(self._modes[sale_id], where, notice) for notice in found]

    def _offer(self, event: Event) -> None:
        match event:
            case (
                LotAdded()
                | LotUpdated()
                | LotOpened()
                | LotPaused()
                | LotUnpaused()
                | LotReopened()
            ):
                is_open = event.after.state is State.OPEN
                self._over = [name for name in self._over if name != event.auction_id]
                self._closing[event.auction_id] = event.after.closes_at if is_open else None
            case LotExtended() | ReserveLowered():
                self._closing[event.auction_id] = event.after.closes_at
            case LotClosed() | LotCanceled() | LotWithdrawn():
                self._closing.pop(event.auction_id, None)
                self._over.append(event.auction_id)
            case _:
                pass

    def write(self) -> int:
        """Put it all into the outbox."""
        _put_offers(self._connection, self._closing, self._lots)
        if self._over:
            over = delete(offers).where(offers.c.auction_id.in_(self._over))
            self._connection.execute(over)
        webhooks.put(self._connection, self._deliveries)
        written = _put_mails(self._connection, self._notices, self._salt)
        return len(self._deliveries) + written


# ── What must be known of the lots ───────────────────────────────────────────────────────


def _auctions_of(passage: Passage) -> list[str]:
    found = (e.auction_id for _, e in passage.events if isinstance(e, LotAdded | _OF_LOTS))
    return list(dict.fromkeys(found))


def _modes(connection: Connection, passage: Passage) -> dict[str, Mode]:
    """The mode of every sale that the passage speaks of: their rows are there by now."""
    of_lots = select(auctions.c.sale_id).where(auctions.c.auction_id.in_(_auctions_of(passage)))
    named = {e.sale_id for _, e in passage.events if isinstance(e, BidderRegistered)}
    either = sales.c.sale_id.in_(of_lots) | sales.c.sale_id.in_(sorted(named))
    rows = connection.execute(select(sales.c.sale_id, sales.c.mode).where(either))
    return {row.sale_id: row.mode for row in rows}


_FACTS: Final = (
    select(
        auctions.c.auction_id,
        auctions.c.terms,
        sales.c.sale_id,
        sales.c.mode,
        sales.c.currency,
        sales.c.exponent,
        offers.c.said,
    )
    .join_from(auctions, sales)
    .outerjoin(offers, offers.c.auction_id == auctions.c.auction_id)
)


def _lots_before(connection: Connection, passage: Passage) -> dict[str, Lot]:
    """The lots that the passage moves, as they were before it."""
    moved = _auctions_of(passage)
    if not moved:
        return {}
    rows = connection.execute(_FACTS.where(auctions.c.auction_id.in_(moved)))
    lots = {row.auction_id: _lot(row) for row in rows}
    for _, event in passage.events:
        if isinstance(event, LotSettled):
            _know_result(connection, lots[event.auction_id])
        if isinstance(event, LotClosed | LotCanceled | LotSettled):
            _count_sealed(connection, lots[event.auction_id])
    return lots


def _lot(row: Any) -> Lot:
    terms = row.terms
    currency, exponent = currency_of(row)
    return Lot(
        auction_id=row.auction_id,
        sale_id=row.sale_id,
        mode=row.mode,
        currency=currency,
        exponent=exponent,
        format=terms.get("format", "english"),  # yesterday's lots had one format
        winner_count=terms.get("winner_count", 1),
        said=row.said or {},
    )


def currency_of(row: Any) -> tuple[str, int]:
    """What a lot is bid for in: its own currency, or the sale's."""
    own = row.terms.get("exponent")
    return row.terms.get("currency") or row.currency, row.exponent if own is None else own


def _know_prices(connection: Connection, lots: Mapping[str, Lot], before: int) -> None:
    for lot in lots.values():
        # One step of an index for each, however many bids there are.
        made = select(bids.c.price).where(bids.c.auction_id == lot.auction_id)
        made = made.where(bids.c.log_seq <= before, bids.c.price.is_not(None))
        made = made.where(bids.c.undone_at.is_(None))
        lot.price = connection.scalar(made.order_by(bids.c.log_seq.desc()).limit(1))


def _know_shown(connection: Connection, lots: Mapping[str, Lot], passage: Passage) -> None:
    """Where bids stand beside each other: at what amount those stood who are beaten now."""
    for _, event in passage.events:
        if not isinstance(event, BidAccepted) or event.beaten is None:
            continue
        lot = lots[event.auction_id]
        if not lot.beside or event.beaten in lot.shown:
            continue
        own = bids.c.auction_id == event.auction_id, bids.c.consumer_id == event.beaten
        query = select(bids.c.amount).where(*own, bids.c.code.is_(None))
        query = query.where(bids.c.log_seq <= passage.before.seq)
        amount = connection.scalar(query.order_by(bids.c.log_seq.desc()).limit(1))
        if amount is not None:
            lot.shown[event.beaten] = amount


def _know_result(connection: Connection, lot: Lot) -> None:
    query = select(results).where(results.c.auction_id == lot.auction_id)
    row = connection.execute(query).one()
    lot.outcome = row.outcome
    found = archive.winners(connection, lot.auction_id)
    lot.winners = tuple(Win(w.consumer_id, w.paddle, w.amount, w.bid, "") for w in found)
    if not found and row.winner is not None:  # closed by an engine that wrote no list
        price = row.hammer_price
        lot.winners = (Win(row.winner, row.paddle, price, price, ""),)


def _count_sealed(connection: Connection, lot: Lot) -> None:
    if not lot.sealed:
        return
    counts = select(func.count(), func.count(bids.c.consumer_id.distinct()))
    mine = counts.where(bids.c.auction_id == lot.auction_id, bids.c.code.is_(None))
    total, bidders = connection.execute(mine).one()
    lot.counted = (total, bidders)


def _bidders(connection: Connection, event: Event, place: int) -> list[str]:
    """Everybody with a bid that stood, where all of them are told; or who leads again."""
    if isinstance(event, LotReopened):
        mine = auctions.c.auction_id == event.auction_id
        seat = select(registrations.c.consumer_id).join(
            auctions, auctions.c.sale_id == registrations.c.sale_id
        )
        return list(
            connection.scalars(seat.where(mine, registrations.c.paddle == event.after.paddle))
        )
    if not isinstance(event, LotSettled | LotCanceled):
        return []
    query = select(bids.c.consumer_id).where(bids.c.auction_id == event.auction_id)
    stood = query.where(
        bids.c.code.is_(None), bids.c.canceled_at.is_(None), bids.c.undone_at.is_(None)
    )
    return list(connection.scalars(stood.distinct().order_by(bids.c.consumer_id)))


# ── Offers and mails, written down ───────────────────────────────────────────────────────


def _put_offers(
    connection: Connection, closing: Mapping[str, int | None], lots: Mapping[str, Lot]
) -> None:
    if not closing:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    new = dialect.insert(offers)
    # Who was reminded once of a lot's end is not reminded again, however often it is extended.
    upsert = new.on_conflict_do_update(
        index_elements=[offers.c.auction_id],
        set_={"said": new.excluded.said, "closes_at": new.excluded.closes_at},
    )
    rows = [
        {"auction_id": name, "said": lots[name].said, "closes_at": at, "reminded": False}
        for name, at in closing.items()
    ]
    connection.execute(upsert, rows)


def _put_mails(
    connection: Connection, found: Sequence[tuple[Mode, str, Notice]], salt: bytes
) -> int:
    """Write mails down for those who have an address; how many."""
    rows = [mail_row(mode, where, notice, salt) for mode, where, notice in found]
    reached = _reached(connection, rows)
    rows = [row for row in rows if (row["mode"], row["consumer_id"]) in reached]
    outbid = {_about(row): row for row in rows if row["kind"] == "outbid"}  # the last of each
    rows = [row for row in rows if row["kind"] != "outbid"] + _spaced_out(connection, outbid)
    if rows:
        connection.execute(insert(mails), rows)
    return len(rows)


def mail_row(mode: Mode, where: str, notice: Notice, salt: bytes) -> dict[str, Any]:
    """A mail that is due at once; *where* tells it from others of its kind to its reader."""
    named = f"mail|{where}|{notice.kind}|{notice.consumer_id}".encode()
    return {
        "mail_id": "mail_" + hmac.digest(salt, named, "sha256").hex()[:24],
        "mode": mode,
        "kind": notice.kind,
        "consumer_id": notice.consumer_id,
        "sale_id": notice.sale_id,
        "auction_id": notice.auction_id,
        "figures": notice.figures,
        "state": "pending",
        "attempts": 0,
        "next_at": 0,
        "created_at": notice.at,
    }


def _reached(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """Those of the readers who have left an address."""
    named = list(dict.fromkeys(row["consumer_id"] for row in rows))
    known = select(persons.c.mode, persons.c.consumer_id).where(
        persons.c.email_index.is_not(None), persons.c.erased_at.is_(None)
    )
    found: set[tuple[str, str]] = set()
    # One lot's end is told to all who have bid on it, however many they are.
    for start in range(0, len(named), _AT_ONCE):
        some = persons.c.consumer_id.in_(named[start : start + _AT_ONCE])
        found.update((row.mode, row.consumer_id) for row in connection.execute(known.where(some)))
    return found


def _about(row: Any) -> tuple[str, str]:
    if isinstance(row, dict):
        return row["auction_id"], row["consumer_id"]
    return row.auction_id, row.consumer_id


def _spaced_out(
    connection: Connection, outbid: Mapping[tuple[str, str], dict[str, Any]]
) -> list[dict[str, Any]]:
    """Those of the mails that need a row of their own, each due when its reader may get it.

    Where one waits already, it will speak of the newest bid.
    """
    if not outbid:
        return []
    known = select(mails).where(
        mails.c.kind == "outbid",
        mails.c.auction_id.in_([auction_id for auction_id, _ in outbid]),
        mails.c.consumer_id.in_([consumer_id for _, consumer_id in outbid]),
    )
    left = dict(outbid)
    for earlier in connection.execute(known.order_by(mails.c.number)).all():
        row = left.get(_about(earlier))
        if row is None:
            continue
        if earlier.next_at is not None:
            waits = update(mails).where(mails.c.mail_id == earlier.mail_id)
            connection.execute(waits.values(figures=row["figures"]))
            del left[_about(earlier)]
        elif earlier.done_at + OUTBID_EVERY_MS > row["created_at"]:
            row["next_at"] = earlier.done_at + OUTBID_EVERY_MS
    return list(left.values())


# ── What comes with time ─────────────────────────────────────────────────────────────────


def next_reminder_at(engine: Engine) -> int | None:
    """When ``due_notices`` has something to do next; None: nothing is on offer."""
    soonest = select(func.min(offers.c.closes_at)).where(offers.c.reminded.is_(False))
    with reading(engine) as connection:
        closes_at = connection.scalar(soonest)
    return None if closes_at is None else int(closes_at) - ENDING_SOON_MS


def due_notices(engine: Engine, now_ms: int, salt: bytes) -> int:
    """Tell those who have bid and do not lead that a lot closes soon, once a lot; how many."""
    soon = offers.c.closes_at <= now_ms + ENDING_SOON_MS
    query = select(offers.c.auction_id, offers.c.closes_at, auctions.c.terms, sales)
    query = query.join(auctions, auctions.c.auction_id == offers.c.auction_id).join(sales)
    with writing(engine) as connection:
        due = connection.execute(query.where(soon, offers.c.reminded.is_(False))).all()
        found = [
            (lot.mode, f"soon|{lot.auction_id}", notice)
            for lot in due
            if lot.closes_at > now_ms  # else too late to be of use
            for notice in _ending_soon(connection, lot, now_ms)
        ]
        done = update(offers).where(offers.c.auction_id == bindparam("due"))
        if due:
            names = [{"due": lot.auction_id} for lot in due]
            connection.execute(done.values(reminded=true()), names)
        return _put_mails(connection, found, salt)


def _ending_soon(connection: Connection, lot: Any, now_ms: int) -> list[Notice]:
    format_, places = lot.terms.get("format", "english"), lot.terms.get("winner_count", 1)
    if format_ not in ("english", "live"):
        return []  # nobody can bid again, or nobody knows how they stand
    last = (
        select(bids.c.consumer_id, func.max(bids.c.log_seq).label("log_seq"))
        .where(bids.c.auction_id == lot.auction_id, bids.c.code.is_(None))
        .where(bids.c.canceled_at.is_(None))
        .group_by(bids.c.consumer_id)
        .subquery()
    )
    same = (bids.c.auction_id == lot.auction_id) & (bids.c.log_seq == last.c.log_seq)
    query = select(bids.c.consumer_id, bids.c.amount, bids.c.log_seq).join(last, same)
    standing = [Bid(*row) for row in connection.execute(query)]
    return [
        Notice("ending_soon", consumer_id, now_ms, lot.sale_id, lot.auction_id)
        for consumer_id in notices.passed_over(standing, places)
    ]
