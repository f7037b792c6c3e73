"""Payment tokens: what a winner takes to the shop, to pay once.

A token is signed (JWT, type ``payment+jwt``) and follows from what was sold alone: auction,
bidder, amount, the instant of settlement and the number of its issue.  So every gateway hands
out the same text without a table; a row exists only where a token was used up or issued anew.

Promises: a token is used up once; the same order asking again is answered as before, another
is told that it is used.  Issued anew, the tokens before are worth nothing.  Of a lot with some
places, no more than so many bidders have paid or may pay, whoever else is offered one.  A
payment token is never taken for an access token, nor the other way round.  Leaves to others:
what was sold to whom (the archive), and what the house does about a lot that was not paid for.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    Row,
    Table,
    Text,
    UniqueConstraint,
    select,
    update,
)

from engine.core.messages import Mode
from gateway import archive
from gateway.archive import metadata
from gateway.books import news
from gateway.books.store import BadField, in_turn, reading, writing
from gateway.keys import BadToken, HouseKeys, read_signed, sign

_TYPE: Final = "payment+jwt"
_LIFETIME_S: Final = 7 * 24 * 3_600
_LONGEST_ORDER: Final = 128

payments: Final = Table(
    "payments",
    metadata,
    Column("jti", Text, primary_key=True),
    Column("auction_id", Text, nullable=False),
    Column("consumer_id", Text, nullable=False),
    Column("issue", Integer, nullable=False),  # from 1
    Column("issued_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("order_id", Text),
    Column("completed_at", BigInteger),
    UniqueConstraint("auction_id", "consumer_id", "issue", name="uq_payments_issue"),
)


class Refused(StrEnum):
    """Why a token is not worth anything."""

    USED = "used"
    EXPIRED = "expired"  # or issued anew since, or others have paid for every place
    TAKEN = "taken"  # no token is to be had: others have paid for every place, or still may
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Sold:
    """What a winner owes."""

    auction_id: str
    consumer_id: str
    amount: int  # minor units of the currency
    exponent: int  # how many decimals it has
    currency: str
    settled_at: int  # milliseconds since the epoch
    mode: Mode


@dataclass(frozen=True, slots=True)
class _Issue:
    """A token's number, and from when it counts."""

    number: int
    issued_at: int

    @property
    def expires_at(self) -> int:
        return (self.issued_at // 1000 + _LIFETIME_S) * 1000


# ── Handing out ──────────────────────────────────────────────────────────────────────────


def first_token(keys: HouseKeys, sold: Sold) -> str:
    """The token that a winner is sent at settlement; no book is asked."""
    return _token(keys, sold, _Issue(1, sold.settled_at))


def current_token(engine: Engine, keys: HouseKeys, sold: Sold) -> str:
    """The token that counts now: the first, or the one that was issued last."""
    with reading(engine) as connection:
        return _token(keys, sold, _current(connection, sold))


def first_expiry(settled_at: int) -> int:
    """Until when what was settled then can be paid by the token that a winner was sent."""
    return _Issue(1, settled_at).expires_at


def issue(
    engine: Engine, keys: HouseKeys, sold: Sold, winners: Sequence[Sold], now_ms: int
) -> str | Refused:
    """A new token for what was not paid for; those before it are worth nothing any more.

    *winners*: what each winner of the lot owes; there are as many places.  A winner's place is
    theirs until somebody else has it; anybody else needs one that is free.  ``TAKEN``: every
    place has been paid for, or may still be.
    """
    with writing(engine) as connection:
        in_turn(connection, "payment", sold.auction_id)
        newest = _newest(connection, sold.auction_id)
        mine = newest.get(sold.consumer_id)
        if mine is not None and mine.completed_at is not None:
            return Refused.USED
        taken = _takers(newest, winners, now_ms)
        if any(win.consumer_id == sold.consumer_id for win in winners):
            taken.discard(sold.consumer_id)
        if len(taken) >= len(winners):
            return Refused.TAKEN
        issue = _Issue(_current(connection, sold).number + 1, now_ms)
        connection.execute(payments.insert(), _row(keys, sold.auction_id, sold.consumer_id, issue))
    return _token(keys, sold, issue)


def is_unpaid(engine: Engine, winners: Sequence[Sold], now_ms: int) -> bool:
    """Has a winner of a lot let the time pass, and nobody taken their place?

    *winners*: what each of them owes.
    """
    if not winners:
        return False
    with reading(engine) as connection:
        newest = _newest(connection, winners[0].auction_id)
    return len(_takers(newest, winners, now_ms)) < len(winners)


def _takers(newest: Mapping[str, Row[Any]], winners: Sequence[Sold], now_ms: int) -> set[str]:
    """Who has paid for a place of the lot, or may still pay."""
    # Without a row it is the first token, which follows from the settlement.
    first = {win.consumer_id: _Issue(1, win.settled_at).expires_at for win in winners}
    ends = first | {who: row.expires_at for who, row in newest.items()}
    paid = {who for who, row in newest.items() if row.completed_at is not None}
    return paid | {who for who, expires_at in ends.items() if now_ms < expires_at}


def _token(keys: HouseKeys, sold: Sold, issue: _Issue) -> str:
    issued = issue.issued_at // 1000
    claims: dict[str, Any] = {
        "auction": sold.auction_id,
        "consumer": sold.consumer_id,
        "amount": _decimal(sold.amount, sold.exponent),
        "currency": sold.currency,
        "jti": _jti(keys, sold.auction_id, sold.consumer_id, issue.number),
        "iat": issued,
        "exp": issued + _LIFETIME_S,
    }
    if sold.mode == "test":
        claims["test"] = True
    return sign(keys, _TYPE, claims)


def _jti(keys: HouseKeys, auction_id: str, consumer_id: str, number: int) -> str:
    content = f"payment|{auction_id}|{consumer_id}|{number}".encode()
    return "pay_" + hmac.digest(keys.payment_key, content, "sha256").hex()[:32]


def _decimal(amount: int, exponent: int) -> str:
    if not exponent:
        return str(amount)
    whole, rest = divmod(amount, 10**exponent)
    return f"{whole}.{rest:0{exponent}d}"


# ── Taking ───────────────────────────────────────────────────────────────────────────────


def validate(
    engine: Engine, keys: HouseKeys, mode: Mode, token: str, now_ms: int
) -> dict[str, Any] | Refused:
    """The token's claims, where it is worth something now.

    A token of the other mode is invalid: a key sees only its own.
    """
    claims = _claims(keys, mode, token)
    if claims is None:
        return Refused.INVALID
    with reading(engine) as connection:
        return _worth(connection, keys, claims, now_ms) or claims


def complete(
    engine: Engine,
    keys: HouseKeys,
    mode: Mode,
    token: str,
    order_id: str,
    now_ms: int,
    serial_of: Callable[[str], str | None],
) -> dict[str, Any] | Refused:
    """Use the token up for this order: its claims, to the same order again and again.

    *serial_of* names the object that an auction has sold, of which the verifier is to be told
    that it was paid for; None: nobody is told.  Raises ``BadField`` for what cannot be an order's name.
    """
    if not 1 <= len(order_id) <= _LONGEST_ORDER or not order_id.isprintable():
        raise BadField("orderId", f"a text of 1 to {_LONGEST_ORDER} characters was expected")
    claims = _claims(keys, mode, token)
    if claims is None:
        return Refused.INVALID
    auction_id, consumer_id = claims["auction"], claims["consumer"]
    with writing(engine) as connection:
        in_turn(connection, "payment", auction_id)
        rows = _rows(connection, auction_id, consumer_id)
        if any(row.jti == claims["jti"] and row.order_id == order_id for row in rows):
            return claims
        refused = _worth(connection, keys, claims, now_ms)
        if refused is None:
            _use_up(connection, keys, claims, order_id, now_ms)
            if (serial := serial_of(auction_id)) is not None:
                news.paid(connection, mode, serial, claims, now_ms)
    return refused or claims


def _use_up(
    connection: Connection, keys: HouseKeys, claims: dict[str, Any], order_id: str, now_ms: int
) -> None:
    paid = {"order_id": order_id, "completed_at": now_ms}
    mine = update(payments).where(payments.c.jti == claims["jti"])
    if connection.execute(mine.values(paid)).rowcount == 0:  # the first issue has no row yet
        first = _Issue(1, claims["iat"] * 1000)
        row = _row(keys, claims["auction"], claims["consumer"], first)
        connection.execute(payments.insert(), {**row, **paid})


def _claims(keys: HouseKeys, mode: Mode, token: str) -> dict[str, Any] | None:
    try:
        claims = read_signed(keys, _TYPE, token)
    except BadToken:
        return None
    return claims if claims.get("test", False) == (mode == "test") else None


def _worth(
    connection: Connection, keys: HouseKeys, claims: dict[str, Any], now_ms: int
) -> Refused | None:
    rows = _rows(connection, claims["auction"], claims["consumer"])
    if any(row.completed_at is not None for row in rows):
        return Refused.USED
    current = rows[-1].issue if rows else 1
    if claims["jti"] != _jti(keys, claims["auction"], claims["consumer"], current):
        return Refused.EXPIRED
    if now_ms >= claims["exp"] * 1000 or _is_sold_out(connection, claims["auction"]):
        return Refused.EXPIRED
    return None


def _is_sold_out(connection: Connection, auction_id: str) -> bool:
    """Has every place been paid for?

    So it can be only where a winner's was offered to others, days after the archive had it; a
    token may still seem to hold then, by the clock of a gateway that is behind.
    """
    places = len(archive.winners(connection, auction_id))
    rows = _newest(connection, auction_id).values()
    return 0 < places <= sum(row.completed_at is not None for row in rows)


# ── The table ────────────────────────────────────────────────────────────────────────────


def _newest(connection: Connection, auction_id: str) -> dict[str, Row[Any]]:
    """By consumer.  Nothing is issued behind one that was used up: the newest row tells."""
    query = select(payments).where(payments.c.auction_id == auction_id)
    rows = connection.execute(query.order_by(payments.c.issue))
    return {row.consumer_id: row for row in rows}


def _rows(connection: Connection, auction_id: str, consumer_id: str) -> Sequence[Row[Any]]:
    mine = payments.c.auction_id == auction_id, payments.c.consumer_id == consumer_id
    return connection.execute(select(payments).where(*mine).order_by(payments.c.issue)).all()


def _current(connection: Connection, sold: Sold) -> _Issue:
    rows = _rows(connection, sold.auction_id, sold.consumer_id)
    return _Issue(rows[-1].issue, rows[-1].issued_at) if rows else _Issue(1, sold.settled_at)


def _row(keys: HouseKeys, auction_id: str, consumer_id: str, issue: _Issue) -> dict[str, Any]:
    return {
        "jti": _jti(keys, auction_id, consumer_id, issue.number),
        "auction_id": auction_id,
        "consumer_id": consumer_id,
        "issue": issue.number,
        "issued_at": issue.issued_at,
        "expires_at": issue.expires_at,
    }
