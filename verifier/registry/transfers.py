"""Passing title on: from whoever holds an object to somebody else, with a code.

The house starts a transfer, or the settlement of a sale does; the buyer is given a code of
six digits, and the house confirms with its key and that code.  Of a code only a MAC is kept,
under a pepper that is not in the database, over the parties and the terms: a code confirms
the price it was given for, and no other.

An attempt is counted in the statement that finds out whether it may be made, and only then
compared: of any number of wrong codes at once exactly five are looked at.  A confirmation
writes the event, the new holder, the row of custody and the news of it in one transaction.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, insert, select, update

from gateway.books.store import writing
from verifier.core import events, objects, transfers
from verifier.registry import chain, happenings, log, owners
from verifier.registry import objects as kept
from verifier.registry.chain import Happened, Written
from verifier.store import Store, new_id
from verifier.tables import objects as object_rows
from verifier.tables import transfers as table

Json = dict[str, Any]
_NUMBERS: Final = 10**transfers.CODE_DIGITS


class NoSuchTransfer(LookupError):
    """There is no such transfer in this mode."""


class NotOwner(Exception):
    """Somebody else holds the object."""


class TransferPending(Exception):
    """The object has an open transfer: ``transfer_id``."""

    def __init__(self, transfer_id: str) -> None:
        super().__init__(transfer_id)
        self.transfer_id = transfer_id


class WrongState(Exception):
    """The transfer cannot do that in its ``state``."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


class WrongCode(Exception):
    """The code is not the one; ``left`` attempts remain."""

    def __init__(self, left: int) -> None:
        super().__init__(f"{left} attempts left")
        self.left = left


class Locked(Exception):
    """Too many wrong codes."""


class Expired(Exception):
    """The code was not used in time."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What is agreed between whom."""

    object_id: str
    from_id: str
    to_id: str
    price: int  # minor units
    currency: str
    exponent: int


class Begun(NamedTuple):
    """A transfer and its code, which nobody can read again."""

    row: Row[Any]
    code: str


class Confirmed(NamedTuple):
    """A transfer that is done, and the event that says so."""

    row: Row[Any]
    event: Written


def initiate(store: Store, mode: str, terms: Terms, now_ms: int) -> Begun:
    """Begin a transfer of the house's own.

    Raises ``NoSuchObject``, ``owners.NoSuchOwner`` (its text: which), ``NotOwner``,
    ``TransferPending``, ``chain.AuctionOpen`` and ``core.objects.InvalidState``.
    """
    with writing(store.engine) as connection:
        log.in_turn(connection)
        row = kept.find(connection, mode, terms.object_id)
        for owner_id in (terms.from_id, terms.to_id):
            if not owners.exists(connection, mode, owner_id):
                raise owners.NoSuchOwner(owner_id)
        if row.holder_id != terms.from_id:
            raise NotOwner(terms.from_id)
        _lapse(connection, row.object_id, now_ms)
        _refuse_second(connection, row.object_id)
        auction_id = kept.selling(row, now_ms)
        if auction_id is not None:
            raise chain.AuctionOpen(auction_id)
        if row.status not in objects.TRANSFERABLE:
            raise objects.InvalidState("sold", row.status)
        # From here on it is under way.
        if row.status != "sold":
            # A private sale: what was paid is between them and the house.
            price = events.price(terms.price, terms.exponent)
            said = {"salePrice": price, "saleCurrency": terms.currency}
            chain.append(connection, store, row.object_id, Happened("sold", private=said), now_ms)
            log.sign_checkpoint(connection, store, now_ms)
        transfer_id = opened(connection, mode, terms, None, "pending", now_ms)
        return _with_code(connection, store, transfer_id, now_ms)


def opened(
    connection: Connection,
    mode: str,
    terms: Terms,
    auction_id: str | None,
    state: transfers.State,
    now_ms: int,
) -> str:
    """A transfer without a code yet; its id."""
    transfer_id = new_id("trf_")
    row = {
        "transfer_id": transfer_id,
        "object_id": terms.object_id,
        "mode": mode,
        "from_id": terms.from_id,
        "to_id": terms.to_id,
        "price": terms.price,
        "currency": terms.currency,
        "exponent": terms.exponent,
        "terms_hash": transfers.terms_hash(
            terms.object_id, terms.from_id, terms.to_id, terms.price, terms.currency
        ),
        "auction_id": auction_id,
        "state": state,
        "codes": 0,
        "attempts": 0,
        "created_at": now_ms,
        "updated_at": now_ms,
    }
    connection.execute(insert(table), row)
    return transfer_id


def reissue(store: Store, mode: str, transfer_id: str, now_ms: int) -> Begun:
    """Give out a new code; the one before is void.

    Raises ``NoSuchTransfer``, ``WrongState``, ``TransferPending`` where another has been
    begun since, ``NotOwner`` where the object has changed hands since, and
    ``owners.NoSuchOwner`` where the buyer was erased since.
    """
    with writing(store.engine) as connection:
        log.in_turn(connection)
        row = find(connection, mode, transfer_id, now_ms)
        if transfers.after(row.state, "reissue") is None:
            raise WrongState(row.state)
        if row.codes >= transfers.MOST_CODES:
            raise Locked(transfer_id)
        _require_parties(connection, row)
        if row.state not in transfers.OPEN:
            _refuse_second(connection, row.object_id)
        return _with_code(connection, store, transfer_id, now_ms)


def cancel(store: Store, mode: str, transfer_id: str, now_ms: int) -> Row[Any]:
    """End a transfer that is not done.  Raises ``NoSuchTransfer`` and ``WrongState``."""
    with writing(store.engine) as connection:
        log.in_turn(connection)
        row = find(connection, mode, transfer_id, now_ms)
        if row.state == "cancelled":
            return row
        if transfers.after(row.state, "cancel") is None:
            raise WrongState(row.state)
        move(connection, row, "cancel", now_ms)
        return find(connection, mode, transfer_id, now_ms)


def cancel_open(connection: Connection, object_id: str, now_ms: int) -> None:
    """End the object's open transfer, if it has one."""
    row = open_of(connection, object_id)
    if row is not None:
        move(connection, row, "cancel", now_ms)


def load(store: Store, mode: str, transfer_id: str, now_ms: int) -> Row[Any]:
    """A transfer as it stands now.  Raises ``NoSuchTransfer``."""
    with writing(store.engine) as connection:
        return find(connection, mode, transfer_id, now_ms)


# ── Confirming ───────────────────────────────────────────────────────────────────────────


def confirm(store: Store, mode: str, transfer_id: str, said: str, now_ms: int) -> Confirmed:
    """Pass the object on, if this is the code.

    Raises ``NoSuchTransfer``, ``WrongState``, ``WrongCode``, ``Locked``, ``Expired`` and
    ``NotOwner``.
    """
    # What is counted stays counted, whatever becomes of the rest.
    with writing(store.engine) as connection:
        row = find(connection, mode, transfer_id, now_ms)
        mac = None if row.state == "confirmed" else _count(connection, row)
        if mac is None:
            return _again(connection, store, find(connection, mode, transfer_id, now_ms), said)
    code = transfers.read_code(said)
    if code is None or not _matches(store, row, code, mac):
        raise WrongCode(_left(store, mode, transfer_id, now_ms))
    with writing(store.engine) as connection:
        log.in_turn(connection)
        now = find(connection, mode, transfer_id, now_ms)
        if now.state == "confirmed":
            return _again(connection, store, now, said)
        if now.code_mac != mac or now.state not in ("pending", "locked"):
            raise WrongState(now.state)  # another code was given out meanwhile, or it was ended
        return _hand_over(connection, store, now, now_ms)


def _count(connection: Connection, row: Row[Any]) -> bytes | None:
    """Count an attempt, and give what it is compared with.  Raises where none may be made.

    None: it was confirmed by somebody else meanwhile.
    """
    if row.state == "locked":
        raise Locked(row.transfer_id)
    if row.state == "expired":
        raise Expired(row.transfer_id)
    if row.state != "pending" or row.code_mac is None:
        raise WrongState(row.state)
    mine = table.c.transfer_id == row.transfer_id, table.c.code_mac == row.code_mac
    may = table.c.state == "pending", table.c.attempts < transfers.MOST_ATTEMPTS
    counted = update(table).where(*mine, *may).values(attempts=table.c.attempts + 1)
    if connection.execute(counted).rowcount == 1:
        return bytes(row.code_mac)
    state = select(table.c.state).where(table.c.transfer_id == row.transfer_id)
    if connection.scalar(state) == "confirmed":
        return None
    raise Locked(row.transfer_id)


def _left(store: Store, mode: str, transfer_id: str, now_ms: int) -> int:
    """After a wrong code: how many attempts remain.  The last one locks the transfer."""
    with writing(store.engine) as connection:
        row = find(connection, mode, transfer_id, now_ms)
        left: int = max(0, transfers.MOST_ATTEMPTS - row.attempts)
        if left == 0 and row.state == "pending":
            move(connection, row, "lock", now_ms)
    return left


def _matches(store: Store, row: Row[Any], code: str, mac: bytes) -> bool:
    terms = transfers.terms_hash(row.object_id, row.from_id, row.to_id, row.price, row.currency)
    return transfers.code_matches(store.pepper, row.transfer_id, row.to_id, terms, code, mac)


def _again(connection: Connection, store: Store, row: Row[Any], said: str) -> Confirmed:
    """Asked once more after it was done: the same code has the same answer."""
    code = transfers.read_code(said)
    if code is None or not _matches(store, row, code, bytes(row.code_mac)):
        raise WrongState(row.state)
    for event, _ in chain.documents(connection, row.object_id):
        if event.event_id == row.event_id:
            return Confirmed(row, chain.as_written(connection, event))
    raise AssertionError("a confirmed transfer has its event")


def _hand_over(connection: Connection, store: Store, row: Row[Any], now_ms: int) -> Confirmed:
    _require_parties(connection, row)
    buyer = owners.known_as(connection, store, row.to_id)
    assert buyer is not None, "who exists is known"
    happened = Happened(
        "transferred",
        "Buyer",
        private={"terms": terms_of(row)},
        personal={"buyer": {"name": buyer.name, "email": buyer.email}},
        of_owner=row.to_id,
    )
    # From here on it is theirs.
    made = chain.append(connection, store, row.object_id, happened, now_ms)
    holder = update(object_rows).where(object_rows.c.object_id == row.object_id)
    connection.execute(holder.values(holder_id=row.to_id, open_auction=None))
    step = ("House", "Buyer", "sale", row.from_id, row.to_id)
    kept.hand_over(connection, row.object_id, made.seq, step)
    done = {"state": "confirmed", "event_id": made.event_id, "updated_at": now_ms}
    connection.execute(update(table).where(table.c.transfer_id == row.transfer_id).values(done))
    serial = chain.find(connection, row.mode, row.object_id).serial
    told = {"serial": serial, "transferId": row.transfer_id}
    happenings.tell(connection, happenings.TRANSFERRED, row.mode, told, now_ms)
    log.sign_checkpoint(connection, store, now_ms)
    return Confirmed(find(connection, row.mode, row.transfer_id, now_ms), made)


def terms_of(row: Row[Any]) -> Json:
    """What the event of a transfer commits to: between whom, and for what."""
    price = None if row.price is None else events.price(row.price, row.exponent)
    return {"from": row.from_id, "to": row.to_id, "price": price, "currency": row.currency}


# ── Rows ─────────────────────────────────────────────────────────────────────────────────


def find(connection: Connection, mode: str, transfer_id: str, now_ms: int) -> Row[Any]:
    """The transfer, expired by now where its time is over.  Raises ``NoSuchTransfer``."""
    mine = table.c.transfer_id == transfer_id, table.c.mode == mode
    row = connection.execute(select(table).where(*mine)).one_or_none()
    if row is None:
        raise NoSuchTransfer(transfer_id)
    if _is_over(row, now_ms):
        move(connection, row, "expire", now_ms)
        return connection.execute(select(table).where(*mine)).one()
    return row


def open_of(connection: Connection, object_id: str) -> Row[Any] | None:
    """The object's open transfer."""
    mine = table.c.object_id == object_id, table.c.state.in_(transfers.OPEN)
    return connection.execute(select(table).where(*mine)).one_or_none()


def move(connection: Connection, row: Row[Any], step: transfers.Step, now_ms: int) -> None:
    """Take a step with the transfer, unless another has been taken since *row* was read."""
    state = transfers.after(row.state, step)
    assert state is not None, f"{step} cannot follow {row.state}"
    same = table.c.transfer_id == row.transfer_id, table.c.state == row.state
    moved = update(table).where(*same, table.c.codes == row.codes)
    connection.execute(moved.values(state=state, updated_at=now_ms))


def _is_over(row: Row[Any], now_ms: int) -> bool:
    return row.state == "pending" and row.expires_at is not None and now_ms >= row.expires_at


def _lapse(connection: Connection, object_id: str, now_ms: int) -> None:
    """A transfer whose time is over stands in nobody's way."""
    row = open_of(connection, object_id)
    if row is not None and _is_over(row, now_ms):
        move(connection, row, "expire", now_ms)


def _refuse_second(connection: Connection, object_id: str) -> None:
    row = open_of(connection, object_id)
    if row is not None:
        raise TransferPending(row.transfer_id)


def _require_parties(connection: Connection, row: Row[Any]) -> None:
    """Raises where the object has changed hands, or its buyer is nobody any more."""
    held = chain.find(connection, row.mode, row.object_id)
    if held.holder_id != row.from_id:
        raise NotOwner(row.from_id)
    if not owners.exists(connection, row.mode, row.to_id):
        raise owners.NoSuchOwner(row.to_id)
    objects.after("transferred", held.status)


def _with_code(connection: Connection, store: Store, transfer_id: str, now_ms: int) -> Begun:
    code = transfers.code(secrets.randbelow(_NUMBERS))
    row = connection.execute(select(table).where(table.c.transfer_id == transfer_id)).one()
    mac = transfers.code_mac(store.pepper, transfer_id, row.to_id, row.terms_hash, code)
    given = {
        "state": "pending",
        "code_mac": mac,
        "codes": row.codes + 1,
        "attempts": 0,
        "expires_at": now_ms + transfers.CODE_LIFE_MS,
        "updated_at": now_ms,
    }
    mine = table.c.transfer_id == transfer_id
    connection.execute(update(table).where(mine).values(given))
    return Begun(connection.execute(select(table).where(mine)).one(), code)
