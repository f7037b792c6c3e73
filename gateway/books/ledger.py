"""The ledger's rows: assets, accounts with their balances, the journal, and holds of bids.

What a line is and may do is said in ``gateway.core.ledger``; here lines become rows.  What
users ask for is a transaction of its own; what ends bids works on the clerk's connection,
which has begun to write, so that it stands or falls with the bookmark.

Promises: a journal key is written once, and writing it again changes nothing.  A balance is
moved in the transaction of its line, under a lock on its row, and the database itself refuses
one that is below zero: its text would not be 78 digits.  Accounts are locked in one order
everywhere, so that two writers wait for each other and never stand still.

Amounts are integers of the asset's smallest unit; in the rows they are decimal text of 78
digits, because SQLite would make floats of their sums.  Instants are milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any, Final, Literal
from uuid import uuid4

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Engine,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Row,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from engine.core.lot import REFUSALS_KEPT
from engine.core.messages import Mode
from gateway import archive
from gateway.archive import metadata
from gateway.books.store import BadField, in_turn, reading, writing
from gateway.core import ledger
from gateway.core.ledger import Account, AssetType, Ended, Hold, Line, Overdrawn, written

# ── The tables ───────────────────────────────────────────────────────────────────────────


def _is_amount(column: str) -> str:
    """In words that both databases read: 78 characters, and nothing left without digits."""
    return f"length({column}) = 78 AND ltrim({column}, '0123456789') = ''"


assets: Final = Table(
    "assets",
    metadata,
    Column("asset_id", Text, primary_key=True),
    Column("mode", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("decimals", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

accounts: Final = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("holder", Text, nullable=False),  # a consumer id, or house, issued, burned
    Column("asset_id", Text, ForeignKey("assets.asset_id"), nullable=False),
    Column("token_id", Text, nullable=False),  # empty: none; a null would be unique every time
    Column("kind", Text, nullable=False),
    # What the journal's lines come to; of the issued account, what it has given out.
    Column("balance", Text, nullable=False),
    UniqueConstraint("holder", "asset_id", "token_id", "kind"),
    UniqueConstraint("id", "asset_id"),
    CheckConstraint(_is_amount("balance"), name="ck_accounts_balance"),
)

journal: Final = Table(
    "journal",
    metadata,
    Column("id", Integer, primary_key=True),  # in the order of writing
    Column("journal_key", Text, nullable=False, unique=True),
    Column("debit", Integer, nullable=False),
    Column("credit", Integer, nullable=False),
    Column("asset_id", Text, nullable=False),
    Column("amount", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("auction_id", Text, index=True),  # null: not of a bid
    Column("bid_id", Text),
    # With the asset among the keys, no line can be of two assets.
    ForeignKeyConstraint(
        ["debit", "asset_id"], ["accounts.id", "accounts.asset_id"], name="fk_journal_debit"
    ),
    ForeignKeyConstraint(
        ["credit", "asset_id"], ["accounts.id", "accounts.asset_id"], name="fk_journal_credit"
    ),
    CheckConstraint(_is_amount("amount"), name="ck_journal_amount"),
    CheckConstraint("ltrim(amount, '0') <> ''", name="ck_journal_nothing"),
    CheckConstraint("debit <> credit", name="ck_journal_nowhere"),
)

holds: Final = Table(
    "holds",
    metadata,
    Column("bid_id", Text, primary_key=True),
    Column("auction_id", Text, nullable=False),
    Column("consumer_id", Text, nullable=False),
    Column("cmd_id", Text, nullable=False),
    Column("asset_id", Text, ForeignKey("assets.asset_id"), nullable=False),
    Column("amount", Text, nullable=False),
    Column("number", Integer, nullable=False),  # of the hold, from 1: its journal keys have it
    Column("held_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),  # later than this the log takes no such bid
    Column("taken_at", BigInteger),  # when the log took the bid; null: not seen there yet
    Column("ended_at", BigInteger),  # null: still held
    Column("ended_as", Text),  # released, burned or transferred
    CheckConstraint(_is_amount("amount"), name="ck_holds_amount"),
    CheckConstraint("(ended_at IS NULL) = (ended_as IS NULL)", name="ck_holds_ended"),
)
_LIVE: Final = holds.c.ended_at.is_(None)
_UNSEEN: Final = holds.c.ended_at.is_(None) & holds.c.taken_at.is_(None)
Index("ix_holds_unseen", holds.c.expires_at, sqlite_where=_UNSEEN, postgresql_where=_UNSEEN)
Index(
    "ix_holds_live",
    holds.c.auction_id,
    holds.c.consumer_id,
    sqlite_where=_LIVE,
    postgresql_where=_LIVE,
)

MOST_DECIMALS: Final = 36  # twice what is usual: 10^41 whole tokens still fit an account
_AT_ONCE: Final = 400  # values in one statement: SQLite once took no more than 999


@dataclass(frozen=True, slots=True)
class Asset:
    """A token contract that the house knows."""

    asset_id: str
    mode: Mode
    type: AssetType
    symbol: str
    name: str
    decimals: int
    created_at: int


@dataclass(frozen=True, slots=True)
class Balance:
    """What a user has of one asset, in its smallest unit."""

    asset_id: str
    symbol: str
    decimals: int
    token_id: str | None
    available: int
    held: int


@dataclass(frozen=True, slots=True)
class LiveHold:
    """A hold that has not ended, with the bid that it is for."""

    hold: Hold
    cmd_id: str
    expires_at: int
    taken_at: int | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal, as it is shown."""

    reference: str  # the journal key
    debit: Account
    credit: Account
    amount: int
    at: int
    bid_id: str | None


# ── Assets ───────────────────────────────────────────────────────────────────────────────


def create_asset(
    books: Engine, mode: Mode, type_: AssetType, symbol: str, name: str, decimals: int, at: int
) -> Asset:
    """Enter a new asset into the registry.

    Raises ``BadField`` for decimals that no ledger can keep: 0 to 36 of an erc20, and none of
    what cannot be divided.
    """
    most = MOST_DECIMALS if type_ == "erc20" else 0
    if not 0 <= decimals <= most:
        raise BadField("decimals", f"a whole number from 0 to {most} was expected")
    made = Asset(str(uuid4()), mode, type_, symbol, name, decimals, at)
    with writing(books) as connection:
        connection.execute(assets.insert(), asdict(made))
    return made


def asset(books: Engine, mode: Mode, asset_id: str) -> Asset | None:
    """The asset of that id, where it is of that mode."""
    query = select(assets).where(assets.c.asset_id == asset_id, assets.c.mode == mode)
    with reading(books) as connection:
        found = connection.execute(query).first()
    return None if found is None else Asset(*found)


def list_assets(books: Engine, mode: Mode, limit: int, cursor: str | None = None) -> list[Asset]:
    """Assets of a mode, the oldest first; *cursor*: the id behind which to go on.

    Raises ``BadField`` for a cursor that was never given out in this mode.
    """
    query = select(assets).where(assets.c.mode == mode)
    with reading(books) as connection:
        if cursor is not None:
            place = tuple_(assets.c.created_at, assets.c.asset_id)
            query = query.where(place > _place_of(connection, mode, cursor))
        rows = connection.execute(
            query.order_by(assets.c.created_at, assets.c.asset_id).limit(limit)
        )
        return [Asset(*row) for row in rows]


def _place_of(connection: Connection, mode: Mode, cursor: str) -> Any:
    at = connection.scalar(
        select(assets.c.created_at).where(assets.c.asset_id == cursor, assets.c.mode == mode)
    )
    if at is None:
        raise BadField("cursor", "an end_cursor of an earlier page was expected")
    return tuple_(at, cursor)


# ── Users' money ─────────────────────────────────────────────────────────────────────────


def balances(books: Engine, consumer_id: str) -> list[Balance]:
    """Everything that a user has or has had, oldest account first."""
    query = (
        select(accounts, assets.c.symbol, assets.c.decimals)
        .join(assets)
        .where(accounts.c.holder == consumer_id)
        .order_by(accounts.c.id)
    )
    found: dict[tuple[str, str], Balance] = {}
    with reading(books) as connection:
        for row in connection.execute(query):
            key = (row.asset_id, row.token_id)
            empty = Balance(row.asset_id, row.symbol, row.decimals, row.token_id or None, 0, 0)
            known, amount = found.get(key, empty), int(row.balance)
            if row.kind == "held":
                found[key] = replace(known, held=amount)
            else:
                found[key] = replace(known, available=amount)
    return list(found.values())


def issue(
    books: Engine, key: str, consumer_id: str, asset_id: str, amount: int, at: int
) -> Literal["issued", "exists", "mismatch", "too_much"]:
    """Bring *amount*, in the asset's smallest unit, into a user's account, once for each *key*.

    ``mismatch``: under this key something else was issued; nothing was changed.  ``too_much``:
    with it there would be more of the asset than an account can hold.
    """
    line = ledger.issue(key, consumer_id, asset_id, amount, at)
    with suppress(Overdrawn), writing(books) as connection:
        if post(connection, [[line]]):
            return "issued"
        return "exists" if _is_written(connection, line) else "mismatch"
    return "too_much"


def _is_written(connection: Connection, line: Line) -> bool:
    """Does the journal have under this key what the line says, whenever it was?"""
    debit, credit = accounts.alias("debit_account"), accounts.alias("credit_account")
    query = (
        select(journal.c.amount, *_account_columns(debit), *_account_columns(credit))
        .join(debit, journal.c.debit == debit.c.id)
        .join(credit, journal.c.credit == credit.c.id)
        .where(journal.c.journal_key == line.journal_key)
    )
    found = connection.execute(query).first()
    return found is not None and tuple(found) == (written(line.amount), *line.debit, *line.credit)


def hold_for_bid(
    books: Engine,
    *,
    bid_id: str,
    auction_id: str,
    consumer_id: str,
    cmd_id: str,
    asset_id: str,
    amount: int,
    exponent: int,
    expires_at: int,
    at: int,
) -> Literal["held", "exists", "mismatch", "ended", "insufficient"]:
    """Set a bid's amount aside for good, before the bid is appended to the log.

    *amount* in 10^-*exponent* of the asset.  ``exists``: it is set aside already, and now at
    least until *expires_at*: the bid may be appended again with that.  ``mismatch``: another
    amount is, or one of another asset, and the bid must not be appended.  ``ended``: it was
    set aside, and the log knows what became of the bid; appended again, the bid must have
    expired, so that the log repeats what it said or refuses, and takes no bid that nothing is
    held for.  ``insufficient``: nothing was changed, also where there is no such asset.

    What was released for a bid that the log has never decided, or has forgotten, is set aside
    anew.
    """
    with suppress(Overdrawn), writing(books) as connection:
        in_turn(connection, "hold", bid_id)
        decimals = decimals_of(connection, asset_id)
        if decimals is None:
            return "insufficient"
        units = ledger.base_units(amount, exponent, decimals)
        bid = Hold(bid_id, auction_id, consumer_id, asset_id, units)
        query = select(holds).where(holds.c.bid_id == bid_id)
        known = connection.execute(query.with_for_update()).first()
        if known is not None and known.ended_at is None:
            return _renew(connection, known, bid, expires_at)
        if known is not None and _is_decided(connection, known):
            return "ended"
        _hold(connection, bid, known, cmd_id, expires_at, at)
        return "held"
    return "insufficient"


def decimals_of(connection: Connection, asset_id: str) -> int | None:
    """How many decimals the asset has; None: there is no such asset."""
    return connection.scalar(select(assets.c.decimals).where(assets.c.asset_id == asset_id))


def _renew(
    connection: Connection, known: Row[Any], bid: Hold, expires_at: int
) -> Literal["exists", "mismatch"]:
    """Keep what is held for longer, where it is what is asked for."""
    if (known.asset_id, known.amount) != (bid.asset_id, written(bid.amount)):
        return "mismatch"
    if known.expires_at < expires_at:
        longer = update(holds).where(holds.c.bid_id == bid.bid_id).values(expires_at=expires_at)
        connection.execute(longer)
    return "exists"


def _is_decided(connection: Connection, known: Row[Any]) -> bool:
    """Does the log know the bid of this hold, which has ended?

    What it took it knows for ever, and of each bidder the last refusals.  Those are in the
    archive when a hold has ended with them.  Where the archive is behind, a refusal seems to be
    known for longer than it is: then the log takes nothing, and the bid is sent again.
    """
    if known.taken_at is not None or known.ended_as != "released":
        return True
    bids = archive.bids
    query = select(bids.c.cmd_id).where(
        bids.c.auction_id == known.auction_id,
        bids.c.consumer_id == known.consumer_id,
        bids.c.code.is_not(None),
        bids.c.code != "expired",  # what came too late counts as not having come
    )
    last = query.order_by(bids.c.log_seq.desc()).limit(REFUSALS_KEPT)
    return known.cmd_id in connection.scalars(last).all()


def _hold(
    connection: Connection, bid: Hold, ended: Row[Any] | None, cmd_id: str, expires_at: int, at: int
) -> None:
    """Set the amount aside; *ended*: what was set aside for this bid before, and released.

    Nothing of what was appended then can be taken any more: that it was released says that the
    log had refused the bid, or had gone on beyond the instant until which it would take it.
    """
    if ended is not None:
        bid = replace(bid, number=ended.number + 1)
    new = post(connection, [[ledger.hold(bid, at)]])
    assert new, "the journal has a hold that is not among the holds"
    row = {
        **asdict(bid),
        "cmd_id": cmd_id,
        "amount": written(bid.amount),
        "held_at": at,
        "expires_at": expires_at,
    }
    if ended is None:
        connection.execute(holds.insert(), row)
    else:
        again = update(holds).where(holds.c.bid_id == bid.bid_id)
        connection.execute(again.values(**row, ended_at=None, ended_as=None))


def entries_of_auction(books: Engine, auction_id: str) -> list[Entry]:
    """The journal's lines about an auction's bids, in their order."""
    debit, credit = accounts.alias("debit_account"), accounts.alias("credit_account")
    query = (
        select(journal, *_account_columns(debit), *_account_columns(credit))
        .join(debit, journal.c.debit == debit.c.id)
        .join(credit, journal.c.credit == credit.c.id)
        .where(journal.c.auction_id == auction_id)
        .order_by(journal.c.id)
    )
    width = len(journal.c)
    with reading(books) as connection:
        return [
            Entry(
                row.journal_key,
                Account(*row[width : width + 4]),
                Account(*row[width + 4 :]),
                int(row.amount),
                row.at,
                row.bid_id,
            )
            for row in connection.execute(query)
        ]


def _account_columns(account: Any) -> list[Any]:
    return [account.c[name].label(f"{account.name}_{name}") for name in Account._fields]


# ── The end of bids (the clerk's) ────────────────────────────────────────────────────────


def live_holds(connection: Connection, auction_ids: Iterable[str]) -> list[LiveHold]:
    """The holds of these auctions that have not ended, locked; oldest first."""
    found: list[LiveHold] = []
    for some in _in_parts(sorted(set(auction_ids))):
        query = select(holds).where(holds.c.auction_id.in_(some), _LIVE)
        query = query.order_by(holds.c.held_at, holds.c.bid_id).with_for_update()
        found += [_live_hold(row) for row in connection.execute(query)]
    return found


def unseen_holds(connection: Connection, expired_by: int) -> list[LiveHold]:
    """The live holds whose bid has not been seen in the log and expired at or before then."""
    query = select(holds).where(_UNSEEN, holds.c.expires_at <= expired_by)
    query = query.order_by(holds.c.bid_id).with_for_update()
    return [_live_hold(row) for row in connection.execute(query)]


def _live_hold(row: Any) -> LiveHold:
    bid = Hold(
        row.bid_id, row.auction_id, row.consumer_id, row.asset_id, int(row.amount), row.number
    )
    return LiveHold(bid, row.cmd_id, row.expires_at, row.taken_at)


def take(connection: Connection, taken: Sequence[tuple[str, int]]) -> None:
    """The log has taken these bids, (bid id, instant): their holds do not expire any more."""
    if taken:
        mark = update(holds).where(holds.c.bid_id == bindparam("of_bid"))
        rows = [{"of_bid": bid_id, "taken_at": at} for bid_id, at in taken]
        connection.execute(mark, rows)


def end(connection: Connection, ends: Sequence[Ended]) -> None:
    """Write the lines that end these bids, and that they have ended."""
    if not ends:
        return
    post(connection, [ended.lines for ended in ends])
    mine = holds.c.bid_id == bindparam("of_bid"), holds.c.number == bindparam("of_number")
    mark = update(holds).where(*mine, _LIVE)
    rows = [
        {
            "of_bid": ended.hold.bid_id,
            "of_number": ended.hold.number,
            "ended_at": ended.lines[0].at,
            "ended_as": ended.how,
        }
        for ended in ends
    ]
    connection.execute(mark, rows)


# ── The journal ──────────────────────────────────────────────────────────────────────────


def post(connection: Connection, entries: Sequence[Sequence[Line]]) -> int:
    """Write entries, each with all its lines, and move the balances; how many were new.

    An entry of which one key is known was written before, in this way or in another: nothing
    of it is written again.  Raises ``Overdrawn``; the caller's transaction must not be kept
    then.
    """
    lines = [line for entry in entries for line in entry]
    touched = sorted({account for line in lines for account in (line.debit, line.credit)})
    ids, before = _locked(connection, touched)
    # Asked under the lock: whoever writes the same key moves the same accounts.
    known = _known_keys(connection, [line.journal_key for line in lines])
    new = [entry for entry in entries if known.isdisjoint(line.journal_key for line in entry)]
    if not new:
        return 0
    after = ledger.post(before, (line for entry in new for line in entry))
    connection.execute(
        journal.insert(), [_journal_row(line, ids) for entry in new for line in entry]
    )
    _move(connection, {ids[account]: balance for account, balance in after.items()})
    return len(new)


def _move(connection: Connection, balances: Mapping[int, int]) -> None:
    move = update(accounts).where(accounts.c.id == bindparam("of_account"))
    # Of the world outside, what it has given out: only that is ever below zero.
    rows = [{"of_account": n, "balance": written(abs(b))} for n, b in balances.items()]
    connection.execute(move, rows)


def _locked(
    connection: Connection, touched: Sequence[Account]
) -> tuple[dict[Account, int], dict[Account, int]]:
    """The ids and the balances of these accounts, whose rows nobody else moves from now on."""
    ids = _ids(connection, touched)
    missing = [account for account in touched if account not in ids]
    if missing:
        _open_accounts(connection, missing)
        ids |= _ids(connection, missing)
    by_id = {number: account for account, number in ids.items()}
    before: dict[Account, int] = {}
    # In the order of their ids, whoever locks: nobody waits for somebody who waits for them.
    for numbers in _in_parts(sorted(by_id)):
        lock = select(accounts.c.id, accounts.c.balance).where(accounts.c.id.in_(numbers))
        for number, balance in connection.execute(lock.order_by(accounts.c.id).with_for_update()):
            account = by_id[number]
            before[account] = -int(balance) if ledger.is_outside(account) else int(balance)
    return ids, before


def _ids(connection: Connection, wanted: Sequence[Account]) -> dict[Account, int]:
    ids: dict[Account, int] = {}
    key = tuple_(accounts.c.holder, accounts.c.asset_id, accounts.c.token_id, accounts.c.kind)
    for some in _in_parts(wanted, _AT_ONCE // len(Account._fields)):
        query = select(accounts.c.id, *key.clauses)
        query = query.where(key.in_([tuple(account) for account in some]))
        ids.update((Account(*row[1:]), row.id) for row in connection.execute(query))
    return ids


def _open_accounts(connection: Connection, missing: Sequence[Account]) -> None:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    rows = [{**account._asdict(), "balance": written(0)} for account in missing]
    connection.execute(insert(accounts).on_conflict_do_nothing(), rows)


def _known_keys(connection: Connection, keys: Sequence[str]) -> set[str]:
    known: set[str] = set()
    for some in _in_parts(keys):
        query = select(journal.c.journal_key).where(journal.c.journal_key.in_(some))
        known.update(connection.scalars(query))
    return known


def _journal_row(line: Line, ids: dict[Account, int]) -> dict[str, Any]:
    return {
        "journal_key": line.journal_key,
        "debit": ids[line.debit],
        "credit": ids[line.credit],
        "asset_id": line.debit.asset_id,
        "amount": written(line.amount),
        "at": line.at,
        "auction_id": line.auction_id or None,
        "bid_id": line.bid_id or None,
    }


def _in_parts(items: Sequence[Any], size: int = _AT_ONCE) -> Iterator[list[Any]]:
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part
