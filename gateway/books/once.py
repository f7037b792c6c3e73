"""Doing a thing once, however often it is asked for (``Idempotency-Key``).

Whoever is asked claims the key before doing anything, and writes down the answer afterwards.
Who asks meanwhile is told that it is being done, and who asks later gets the same answer.  A
key goes with one body: another one under the same key is a mistake of the program that asks.

Promises: of all who claim a key at once, one gets it, on whatever gateway.  A claim whose
process has died can be taken over after 15 s, and the dead one, should it only have slept,
cannot write its answer over the other's.  Answers are sealed: an API key's text may be in
one.  Leaves to others: that a request is over within those 15 s, and what is not worth an
answer (``abandon``), so that it may be asked again at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    Row,
    Table,
    Text,
    delete,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from gateway.archive import metadata
from gateway.books.store import Vault, reading, writing

_CLAIM_MS: Final = 15_000
_KEPT_MS: Final = 48 * 3_600_000
_CLAIMED: Final = "claimed"
_DONE: Final = "done"

once: Final = Table(
    "once",
    metadata,
    Column("owner", Text, primary_key=True),  # whose keys these are: an API key's id, a consumer's
    Column("key", Text, primary_key=True),
    Column("body_hash", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("status", Integer),
    Column("answer", LargeBinary),  # sealed
    Column("created_at", BigInteger, nullable=False, index=True),
    Column("claimed_until", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """It is ours to do, and to say how it went (``finish``)."""

    owner: str
    key: str
    until: int  # also what tells this claim from one that took it over


@dataclass(frozen=True, slots=True)
class Done:
    """It has been done, and this was the answer."""

    status: int
    answer: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Busy:
    """Somebody is doing it."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The key has been used for something else."""


Begun = Claimed | Done | Busy | Mismatch


def begin(engine: Engine, vault: Vault, owner: str, key: str, body_hash: str, now_ms: int) -> Begun:
    """Claim the key for what *body_hash* stands for, or learn what has become of it."""
    # Under the house's key: a short body could be guessed from its plain hash.
    body = vault.index("body", body_hash)
    with reading(engine) as connection:  # most who come second need not wait for the writers
        row = _find(connection, owner, key)
    known = None if row is None else _known(vault, row, body, now_ms)
    if known is not None:
        return known
    with writing(engine) as connection:
        return _claim(connection, vault, owner, key, body, now_ms)


def finish(engine: Engine, vault: Vault, claim: Claimed, status: int, answer: bytes) -> bool:
    """Write down the answer; False: the claim had been taken over, the other's answer counts."""
    with writing(engine) as connection:
        return finish_within(connection, vault, claim, status, answer)


def finish_within(
    connection: Connection, vault: Vault, claim: Claimed, status: int, answer: bytes
) -> bool:
    """As ``finish``, in the transaction of what was done: both are kept, or neither."""
    sealed = vault.seal("answer", _row_id(claim.owner, claim.key), answer)
    done = update(once).where(*_ours(claim)).values(state=_DONE, status=status, answer=sealed)
    return connection.execute(done).rowcount == 1


def abandon(engine: Engine, claim: Claimed) -> None:
    """Nothing was done: whoever asks again may do it, and need not wait."""
    with writing(engine) as connection:
        connection.execute(delete(once).where(*_ours(claim)))


def sweep(engine: Engine, now_ms: int) -> None:
    """Strike out what is older than 48 h: nobody asks again by then."""
    with writing(engine) as connection:
        connection.execute(delete(once).where(once.c.created_at <= now_ms - _KEPT_MS))


def _claim(
    connection: Connection, vault: Vault, owner: str, key: str, body: str, now_ms: int
) -> Begun:
    fresh = _fresh(body, now_ms)
    claim = Claimed(owner, key, fresh["claimed_until"])
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    first = dialect.insert(once).values(owner=owner, key=key, **fresh).on_conflict_do_nothing()
    if connection.scalar(first.returning(once.c.key)) is not None:
        return claim
    row = _find(connection, owner, key)
    if row is None:
        return Busy()  # given up or swept this very moment
    known = _known(vault, row, body, now_ms)
    if known is not None:
        return known
    unchanged = once.c.claimed_until == row.claimed_until, once.c.state == row.state
    taken_over = update(once).where(*_of(owner, key), *unchanged).values(fresh)
    return claim if connection.execute(taken_over).rowcount == 1 else Busy()


def _known(vault: Vault, row: Row[Any], body: str, now_ms: int) -> Begun | None:
    """What to tell whoever asks; None: the row stands in nobody's way."""
    if row.created_at <= now_ms - _KEPT_MS:
        return None
    if row.body_hash != body:
        return Mismatch()
    if row.state == _DONE:
        return Done(row.status, vault.open("answer", _row_id(row.owner, row.key), row.answer))
    return Busy() if now_ms < row.claimed_until else None


def _fresh(body: str, now_ms: int) -> dict[str, Any]:
    return {
        "body_hash": body,
        "state": _CLAIMED,
        "status": None,
        "answer": None,
        "created_at": now_ms,
        "claimed_until": now_ms + _CLAIM_MS,
    }


def _find(connection: Connection, owner: str, key: str) -> Row[Any] | None:
    return connection.execute(select(once).where(*_of(owner, key))).one_or_none()


def _of(owner: str, key: str) -> tuple[Any, ...]:
    return once.c.owner == owner, once.c.key == key


def _ours(claim: Claimed) -> tuple[Any, ...]:
    mine = once.c.state == _CLAIMED, once.c.claimed_until == claim.until
    return *_of(claim.owner, claim.key), *mine


def _row_id(owner: str, key: str) -> str:
    return f"{owner}|{key}"
