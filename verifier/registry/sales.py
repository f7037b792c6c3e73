"""What the house's sales do to objects: told by the clerk, once each.

The clerk writes down what is to be told in the transaction in which it reads it from the log,
and tells it until it is answered.  Each piece of news has an origin, which is kept here for
ever: told again it changes nothing.  What cannot be, because the object has moved on
otherwise, is not recorded, and says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import Connection, Row, insert, select, update

from gateway.books.store import BadField, reading, writing
from verifier.core import events, objects
from verifier.registry import chain, log, owners, transfers
from verifier.registry import objects as kept
from verifier.registry.chain import Happened
from verifier.store import Store, overwrite_the_past
from verifier.tables import news as table
from verifier.tables import objects as object_rows

Kind = Literal["listed", "passed", "unlisted", "sold", "paid", "erased"]


class News(NamedTuple):
    """One thing that a sale did."""

    origin: str
    kind: Kind
    mode: str
    at: int
    serial: str | None = None
    auction_id: str | None = None
    lot_number: str | None = None
    hammer_price: int | None = None  # minor units
    currency: str | None = None
    exponent: int | None = None
    consumer_id: str | None = None
    name: str | None = None
    email: str | None = None


class Taken(NamedTuple):
    """Whether it was written down, and if not, why."""

    recorded: bool
    reason: str | None = None


class _Impossible(Exception):
    """The object has moved on; one line says how."""


def take(store: Store, told: News, now_ms: int) -> Taken:
    """Write it down, unless it was.

    Raises ``owners.StillNeeded`` where a person can be forgotten only later.
    """
    try:
        with writing(store.engine) as connection:
            log.in_turn(connection)
            if _is_known(connection, told.origin):
                return Taken(False, "already")
            _EFFECTS[told.kind](connection, store, told, now_ms)
            _note(connection, told, None, now_ms)
            log.sign_checkpoint(connection, store, now_ms)
        if told.kind == "erased":
            overwrite_the_past(store.engine)
        return Taken(True)
    except (_Impossible, objects.InvalidState) as failure:
        with writing(store.engine) as connection:
            if not _is_known(connection, told.origin):
                _note(connection, told, str(failure), now_ms)
        return Taken(False, str(failure))


def known(store: Store, origins: Sequence[str]) -> list[str]:
    """Those of the origins that were taken down, or turned down for good."""
    query = select(table.c.origin).where(table.c.origin.in_(origins))
    with reading(store.engine) as connection:
        return list(connection.scalars(query))


def _is_known(connection: Connection, origin: str) -> bool:
    query = select(table.c.origin).where(table.c.origin == origin)
    return connection.scalar(query) is not None


def _note(connection: Connection, told: News, reason: str | None, now_ms: int) -> None:
    row = {
        "origin": told.origin,
        "kind": told.kind,
        "serial": told.serial,
        "recorded": reason is None,
        "reason": reason,
        "at": now_ms,
    }
    connection.execute(insert(table), row)


# ── What each of them means ──────────────────────────────────────────────────────────────


def _listed(connection: Connection, store: Store, told: News, now_ms: int) -> None:
    row = _object(connection, told)
    if row.open_auction == told.auction_id:
        raise _Impossible("it is listed by this auction already")
    other = kept.selling(row, now_ms)
    if other not in (None, told.auction_id):
        raise _Impossible(f"another auction is open on it: {other}")
    if row.binding != "bound":
        raise _Impossible(f"its binding is {row.binding}")
    if row.status != "listed":  # the house may have listed it by hand before
        said = {"lotNumber": told.lot_number or "", "auctionId": told.auction_id}
        _append(connection, store, row, Happened("listed", details=said), now_ms)
    _set(connection, row, told.auction_id)


def _passed(connection: Connection, store: Store, told: News, now_ms: int) -> None:
    row = _object_of_auction(connection, told)
    said = {} if told.kind == "passed" else {"reason": told.kind}  # "sold": to nobody
    _append(connection, store, row, Happened("passed", private=said), now_ms)
    _set(connection, row, None)


def _sold(connection: Connection, store: Store, told: News, now_ms: int) -> None:
    if told.hammer_price is None or told.currency is None or told.consumer_id is None:
        # Nobody to pass title on to: the object must not stay with an auction that is over.
        _passed(connection, store, told, now_ms)
        return
    row = _object_of_auction(connection, told)
    price = events.price(told.hammer_price, told.exponent or 0)
    said = {"hammerPrice": price, "currency": told.currency}
    _append(connection, store, row, Happened("sold", details=said), now_ms)
    _set(connection, row, None)
    _open_transfer(connection, store, row, told, "awaiting_payment", now_ms)


def _paid(connection: Connection, store: Store, told: News, now_ms: int) -> None:
    row = _object(connection, told)
    current = transfers.open_of(connection, row.object_id)
    if current is None or current.auction_id != told.auction_id:
        raise _Impossible("no transfer of this auction waits for payment")
    if current.state != "awaiting_payment":
        raise _Impossible(f"its transfer is {current.state}")
    buyer = _buyer(connection, store, told, now_ms)
    if buyer == current.to_id:
        transfers.move(connection, current, "pay", now_ms)
        return
    # An underbidder has taken the winner's place.
    transfers.move(connection, current, "cancel", now_ms)
    price = current.price if told.hammer_price is None else told.hammer_price
    agreed = told._replace(hammer_price=price, currency=current.currency, exponent=current.exponent)
    _open_transfer(connection, store, row, agreed, "pending", now_ms)


def _erased(connection: Connection, store: Store, told: News, now_ms: int) -> None:
    if told.consumer_id is None:
        raise _Impossible("nobody is named")
    if not owners.erase_by_external_id(connection, store, told.mode, told.consumer_id, now_ms):
        raise _Impossible("nobody has this id here")


_EFFECTS: Final[Mapping[Kind, Callable[[Connection, Store, News, int], None]]] = {
    "listed": _listed,
    "passed": _passed,
    "unlisted": _passed,
    "sold": _sold,
    "paid": _paid,
    "erased": _erased,
}


def _object(connection: Connection, told: News) -> Row[Any]:
    row = kept.by_serial(connection, told.serial or "")
    if row is None or row.mode != told.mode:
        raise _Impossible("there is no such object")
    return row


def _object_of_auction(connection: Connection, told: News) -> Row[Any]:
    row = _object(connection, told)
    if row.open_auction != told.auction_id:
        raise _Impossible("this auction is not open on it")
    return row


def _append(
    connection: Connection,
    store: Store,
    row: Row[Any],
    happened: Happened,
    now_ms: int,
) -> None:
    chain.append(connection, store, row.object_id, happened, now_ms)


def _set(connection: Connection, row: Row[Any], auction_id: str | None) -> None:
    mine = object_rows.c.object_id == row.object_id
    now = {"open_auction": auction_id, "claimed_by": None, "claimed_until": None}
    connection.execute(update(object_rows).where(mine).values(now))


def _buyer(connection: Connection, store: Store, told: News, now_ms: int) -> str:
    assert told.consumer_id is not None
    person = owners.Person(told.name, told.email, told.consumer_id)
    try:
        return owners.entered(connection, store, told.mode, person, now_ms)
    except BadField:
        # The address is somebody else's in these books; the account is who has bought.
        alone = owners.Person(told.name, None, told.consumer_id)
        return owners.entered(connection, store, told.mode, alone, now_ms)


def _open_transfer(
    connection: Connection,
    store: Store,
    row: Row[Any],
    told: News,
    state: Literal["awaiting_payment", "pending"],
    now_ms: int,
) -> None:
    terms = transfers.Terms(
        object_id=row.object_id,
        from_id=row.holder_id,
        to_id=_buyer(connection, store, told, now_ms),
        price=told.hammer_price or 0,
        currency=told.currency or "",
        exponent=told.exponent or 0,
    )
    transfers.opened(connection, told.mode, terms, told.auction_id, state, now_ms)
