"""What the verifier is to be told of the sales, and what has been heard from it.

A row is one thing that happened to an object: written in the transaction in which it became
known, by ``intend`` with the events that it follows from, by ``paid`` with a payment, by
``erased`` with an erasure; told later, until it is answered (``gateway.reporting``).  Its
``origin`` follows from the place in the log, the payment or the person alone: written down
again it stays one row, and the verifier, who keeps origins for ever, takes it once.  Rows stay,
and the last one of an auction says whether it still lists its object.

No row holds a name or an address; a winner's are looked up when it is told.  ``heard`` says up
to where the verifier's own happenings have been passed on to webhooks, and what it was told
last: a verifier that does not know that any more has forgotten something, because an older
copy of its database was put back.  ``forgotten`` has it told again.

All functions block: call them in a thread.  Leaves to others: what an event means to an object
(``gateway.core.news``), and sending.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    Table,
    Text,
    delete,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from engine.core.messages import LotSettled, Mode, sale_part
from gateway import archive
from gateway.archive import Passage, auctions, metadata, results, sales
from gateway.books import webhooks
from gateway.books.outbox import currency_of, offers
from gateway.books.store import reading, writing
from gateway.core.naming import is_floor
from gateway.core.news import TELLING, Kind, News, Offered, news_of, origin_of
from gateway.core.webhooks import Happening, delivery_id, envelope

news: Final = Table(
    "news",
    metadata,
    # Of one object the lower is told first.  SQLite counts only an INTEGER by itself.
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("origin", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("serial", Text),  # null: it is about a person
    Column("auction_id", Text, index=True),
    Column("log_seq", BigInteger),  # the event that it follows from; null: from none
    Column("lot_number", Text),
    Column("hammer_price", BigInteger),  # minor units
    Column("currency", Text),
    Column("exponent", Integer),
    Column("consumer_id", Text),  # private
    Column("at", BigInteger, nullable=False),
    Column("done_at", BigInteger),  # null: to be told
    Column("reason", Text),  # why the verifier would not take it
    Index("ix_news_due", "done_at", "number"),
)

heard: Final = Table(
    "heard",
    metadata,
    Column("source", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("at", BigInteger),  # when that happened; null: nothing asks
)

_SOURCE: Final = "verifier"  # the last of its happenings that was passed on
_TOLD: Final = "told"  # the last piece of news that it knows
_AT_ONCE: Final = 500


class Due(NamedTuple):
    """One thing to be told."""

    number: int
    origin: str
    kind: Kind
    mode: Mode
    serial: str | None
    auction_id: str | None
    lot_number: str | None
    hammer_price: int | None
    currency: str | None
    exponent: int | None
    consumer_id: str | None
    at: int


class Told(NamedTuple):
    """One thing that was told."""

    number: int
    origin: str


class UpTo(NamedTuple):
    """The last happening that was passed on.  Its number alone may have been given out again,
    by a verifier that was put back to an older copy."""

    number: int  # 0: none was
    at: int | None


class Heard(NamedTuple):
    """One thing that the verifier has to say to webhooks."""

    number: int
    mode: Mode
    happening: Happening


# ── Writing down ─────────────────────────────────────────────────────────────────────────


def intend(connection: Connection, passage: Passage) -> int:
    """Write down what the passage means to objects; how many pieces of news that makes.

    In the transaction that writes the passage's rows, after them, and before ``outbox.intend``,
    which moves on what was last said of the lots.
    """
    moved = [(place, event) for place, event in passage.events if isinstance(event, TELLING)]
    names = list(dict.fromkeys(event.auction_id for _, event in moved))
    facts = _facts(connection, names)
    lots = _lots_before(connection, facts, passage.before.seq)
    rows: list[dict[str, Any]] = []
    for place, event in moved:
        lot, about = lots[event.auction_id], facts[event.auction_id]
        won = {}
        if isinstance(event, LotSettled) and lot.listed is not None:
            won = _won(connection, about)
        for told in news_of(event, lot, is_won=bool(won)):
            origin = origin_of(passage.before.lineage, passage.shard, place, told.kind)
            rows.append({**_row(told, about, event.at), **won, "origin": origin, "log_seq": place})
    return _put(connection, rows)


def _row(told: News, about: Any, at: int) -> dict[str, Any]:
    return {
        "kind": told.kind,
        "mode": about.mode,
        "serial": told.serial,
        "auction_id": about.auction_id,
        "lot_number": told.lot_number,
        "hammer_price": None,
        "currency": None,
        "exponent": None,
        "consumer_id": None,
        "at": at,
    }


_FACTS: Final = (
    select(
        auctions.c.auction_id,
        auctions.c.serial,
        auctions.c.lot_number,
        auctions.c.in_tokens,
        auctions.c.terms,
        sales.c.mode,
        sales.c.currency,
        sales.c.exponent,
        offers.c.said,
        results.c.outcome,
    )
    .join_from(auctions, sales)
    .outerjoin(offers, offers.c.auction_id == auctions.c.auction_id)
    .outerjoin(results, results.c.auction_id == auctions.c.auction_id)
)


def _facts(connection: Connection, auction_ids: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for start in range(0, len(auction_ids), _AT_ONCE):
        some = auctions.c.auction_id.in_(auction_ids[start : start + _AT_ONCE])
        for row in connection.execute(_FACTS.where(some)):
            found[row.auction_id] = row
    return found


def _lots_before(connection: Connection, facts: Mapping[str, Any], seq: int) -> dict[str, Offered]:
    """The lots as they were after that event."""
    listed = _listed(connection, list(facts), seq)
    return {
        name: Offered(
            # The lot's row speaks of it as it is after the passage already.
            serial=(row.said or {}).get("serial", row.serial),
            lot_number=(row.said or {}).get("lot_number", row.lot_number),
            in_tokens=row.in_tokens,
            listed=listed.get(name),
            live=row.terms.get("format") == "live",
            withdrawn=row.outcome == "withdrawn",
        )
        for name, row in facts.items()
    }


def _listed(connection: Connection, auction_ids: Sequence[str], seq: int) -> dict[str, str]:
    """The serial of every auction whose object was listed by it after that event.

    An archive that is written anew finds news of what is still to come.
    """
    found: dict[str, str] = {}
    query = select(news.c.auction_id, news.c.kind, news.c.serial).where(news.c.log_seq <= seq)
    query = query.order_by(news.c.number)
    for start in range(0, len(auction_ids), _AT_ONCE):
        some = news.c.auction_id.in_(auction_ids[start : start + _AT_ONCE])
        for auction_id, kind, serial in connection.execute(query.where(some)):
            if kind == "listed":
                found[auction_id] = serial
            else:
                found.pop(auction_id, None)
    return found


def _won(connection: Connection, about: Any) -> dict[str, Any]:
    """Who has bought the object, and for how much; nothing where nobody has."""
    winners = archive.winners(connection, about.auction_id)
    if not winners:
        return {}
    currency, exponent = currency_of(about)
    return {
        "hammer_price": winners[0].amount,
        "currency": currency,
        "exponent": exponent,
        "consumer_id": _buyer(about.auction_id, winners[0].consumer_id),
    }


def _buyer(auction_id: str, consumer_id: str) -> str:
    """Whom the verifier writes down.  Of a bidder in the room the house knows a paddle, which
    somebody else holds in the next sale."""
    return f"{consumer_id}_{sale_part(auction_id)}" if is_floor(consumer_id) else consumer_id


def paid(
    connection: Connection,
    mode: Mode,
    serial: str,
    claims: Mapping[str, Any],
    at: int,
) -> None:
    """An object was paid for: *claims* are those of the payment token that was used up."""
    whole, _, cents = str(claims["amount"]).partition(".")
    row = {
        "origin": origin_of("paid", claims["jti"]),
        "kind": "paid",
        "mode": mode,
        "serial": serial,
        "auction_id": claims["auction"],
        "hammer_price": int(whole + cents),
        "currency": claims["currency"],
        "exponent": len(cents),
        "consumer_id": claims["consumer"],
        "at": at,
    }
    _put(connection, [row])


def erased(connection: Connection, mode: Mode, consumer_id: str, at: int) -> None:
    """A person was forgotten."""
    row = {
        "origin": origin_of("erased", consumer_id),
        "kind": "erased",
        "mode": mode,
        "consumer_id": consumer_id,
        "at": at,
    }
    _put(connection, [row])


def _put(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
    if rows:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        insert = dialect.insert(news).on_conflict_do_nothing(index_elements=[news.c.origin])
        connection.execute(insert, rows)
    return len(rows)


# ── Telling ──────────────────────────────────────────────────────────────────────────────


def due(engine: Engine) -> list[Due]:
    """What can be told now: of each object the oldest thing that it has not been told.

    That somebody has paid waits until the sale itself has been told, and that somebody was
    forgotten until nothing is left to be told that they are named in: it would enter them anew.
    """
    columns = [news.c[name] for name in Due._fields]
    query = select(*columns).where(news.c.done_at.is_(None)).order_by(news.c.number)
    with reading(engine) as connection:
        waiting = [Due(*row) for row in connection.execute(query.limit(_AT_ONCE))]
        told = _sold(connection, [one.auction_id for one in waiting if one.kind == "paid"])
    first: dict[tuple[str, str | int], Due] = {}
    named: set[str] = set()
    for one in waiting:
        if one.kind == "paid" and one.auction_id not in told:
            continue
        if one.kind == "erased" and one.consumer_id in named:
            continue
        if one.consumer_id is not None:
            named.add(one.consumer_id)
        first.setdefault((one.mode, one.serial or one.number), one)
    return list(first.values())


def _sold(connection: Connection, auction_ids: Iterable[str | None]) -> set[str]:
    """Those of the auctions of whose sale the verifier has been told."""
    named = list(auction_ids)
    if not named:
        return set()
    query = select(news.c.auction_id).where(news.c.kind == "sold", news.c.done_at.is_not(None))
    return set(connection.scalars(query.where(news.c.auction_id.in_(named))))


def done(engine: Engine, told: Due, reason: str | None, now_ms: int, *, is_known: bool) -> None:
    """The verifier has answered; *reason*: why it would not take it.

    *is_known*: does it know the origin from now on?  It does unless it could not read it.
    """
    mine = update(news).where(news.c.number == told.number)
    with writing(engine) as connection:
        connection.execute(mine.values(done_at=now_ms, reason=reason))
        if is_known:
            _mark(connection, _TOLD, told.number, None)


def told_last(engine: Engine) -> str | None:
    """The origin of what the verifier was told last, and knew then; None: of nothing."""
    query = select(news.c.origin).join(heard, heard.c.number == news.c.number)
    with reading(engine) as connection:
        return connection.scalar(query.where(heard.c.source == _TOLD))


def all_told(engine: Engine, after: int) -> list[Told]:
    """A page of what was told, in its order, behind that number; empty: there is no more."""
    query = select(news.c.number, news.c.origin).where(news.c.number > after)
    query = query.where(news.c.done_at.is_not(None)).order_by(news.c.number).limit(_AT_ONCE)
    with reading(engine) as connection:
        return [Told(*row) for row in connection.execute(query)]


def forgotten(engine: Engine, numbers: Sequence[int]) -> None:
    """The verifier does not know these any more: have them told again, all or none of them.

    What it was told last is not known until something is told.
    """
    again = update(news).values(done_at=None, reason=None)
    with writing(engine) as connection:
        for start in range(0, len(numbers), _AT_ONCE):
            some = news.c.number.in_(numbers[start : start + _AT_ONCE])
            connection.execute(again.where(some))
        connection.execute(delete(heard).where(heard.c.source == _TOLD))


# ── Listening ────────────────────────────────────────────────────────────────────────────


def heard_up_to(engine: Engine) -> UpTo:
    """The last happening that was passed on."""
    query = select(heard.c.number, heard.c.at).where(heard.c.source == _SOURCE)
    with reading(engine) as connection:
        found = connection.execute(query).one_or_none()
    return UpTo(0, None) if found is None else UpTo(*found)


def pass_on(engine: Engine, found: Sequence[Heard], salt: bytes) -> int:
    """Write down whom to tell of what the verifier has said, once; how many tellings that makes.

    *salt* is the house's secret, which the ids of deliveries are made with.
    """
    with writing(engine) as connection:
        listeners = webhooks.listeners(connection)
        rows = [
            _delivery(webhook_id, one, salt)
            for one in found
            for webhook_id in listeners.get((one.mode, one.happening.type), ())
        ]
        webhooks.put(connection, rows)
        _mark(connection, _SOURCE, found[-1].number, found[-1].happening.at)
    return len(rows)


def _mark(connection: Connection, source: str, number: int, at: int | None) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    mine = dialect.insert(heard).values(source=source, number=number, at=at)
    changed = {"number": mine.excluded.number, "at": mine.excluded.at}
    connection.execute(mine.on_conflict_do_update(index_elements=[heard.c.source], set_=changed))


def _delivery(webhook_id: str, one: Heard, salt: bytes) -> dict[str, Any]:
    # With its instant: an older copy of the verifier's database gives its numbers out again.
    place = f"{_SOURCE}|{one.number}|{one.happening.at}"
    name = delivery_id(webhook_id, place, 0, salt)
    return {
        "delivery_id": name,
        "webhook_id": webhook_id,
        "type": one.happening.type,
        "auction_id": None,
        "consumer_id": None,
        "body": envelope(name, one.happening, one.mode),
        "state": "pending",
        "attempts": 0,
        "next_at": 0,
        "created_at": one.happening.at,
    }
