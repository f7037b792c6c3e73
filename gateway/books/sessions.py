"""Sessions: who is signed in, for how long, and what of a stolen token.

A session is a row; its tokens are nowhere stored.  A refresh token says its session and
generation under an HMAC of the house (``gateway.keys``), so that the books need hold only a
number: the generation that is the newest.  Refreshing is one compare-and-set on it.

Promises: a refresh token works once.  The one just replaced, sent again within 30 s because
an answer got lost, gets the very same new pair, on any gateway; any other reuse shows that
two have it, and ends the session.  A ticket for a socket works once and for 30 s.  Instants
are milliseconds since the epoch.  Leaves to others: how one gets a session (``signing_in``),
and asking each second which have been revoked (the gateway).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    ForeignKey,
    Integer,
    Row,
    Table,
    Text,
    delete,
    select,
    update,
)

from engine.core.messages import Mode
from gateway.archive import metadata
from gateway.books.people import Person, Profile, find_by_email, get, write_down
from gateway.books.store import Vault, digest, in_turn, reading, writing
from gateway.keys import (
    DEMO_MODE,
    DemoBidder,
    HouseKeys,
    Identity,
    mint_access_token,
    new_session_id,
    read_refresh_token,
    refresh_token,
    verify_access_token,
)

SessionType = Literal["guest", "authenticated"]

ACCESS_S: Final = 3_600
_REFRESH_MS: Final = 30 * 24 * 3_600_000
_AGAIN_MS: Final = 30_000  # a lost answer is asked for again within it
_TICKET_MS: Final = 30_000

sessions: Final = Table(
    "sessions",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("consumer_id", Text, ForeignKey("persons.consumer_id"), nullable=False, index=True),
    Column("mode", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("generation", Integer, nullable=False),  # of the newest refresh token
    Column("rotated_at", BigInteger, nullable=False),  # when that one was made
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("revoked_at", BigInteger, index=True),
)

# No foreign key: a token is taken on its signature, also where no book knows its session.
tickets: Final = Table(
    "tickets",
    metadata,
    Column("ticket_hash", Text, primary_key=True),
    Column("consumer_id", Text, nullable=False),  # empty: a console's
    Column("session_id", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("token_expires_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("key_id", Text),  # of the house, that opens a console; null: a bidder's
)


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in of one person."""

    session_id: str
    consumer_id: str
    mode: Mode
    type: SessionType
    generation: int
    rotated_at: int
    created_at: int
    expires_at: int
    revoked_at: int | None


@dataclass(frozen=True, slots=True)
class Pair:
    """A session with the tokens that its person is handed."""

    session: Session
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    access_expires_at: int


# ── From the first pair to the last ──────────────────────────────────────────────────────


def begin(connection: Connection, keys: HouseKeys, person: Person, now_ms: int) -> Pair:
    """A new session of this person, within the caller's transaction."""
    session = Session(
        session_id=new_session_id(),
        consumer_id=person.consumer_id,
        mode=person.mode,
        type="guest" if person.guest else "authenticated",
        generation=0,
        rotated_at=now_ms,
        created_at=now_ms,
        expires_at=now_ms + _REFRESH_MS,
        revoked_at=None,
    )
    connection.execute(sessions.insert(), _row(session))
    return _pair(keys, session)


def refresh(engine: Engine, keys: HouseKeys, mode: Mode, token: str, now_ms: int) -> Pair | None:
    """The next pair for a refresh token of that mode; None: it is worth nothing (any more)."""
    read = read_refresh_token(keys, token)
    if read is None:
        return None
    mine = sessions.c.session_id == read.session_id, sessions.c.mode == mode
    with writing(engine) as connection:
        newest = connection.execute(
            update(sessions)
            .where(*mine, sessions.c.generation == read.generation, *_stands(now_ms))
            .values(
                generation=read.generation + 1, rotated_at=now_ms, expires_at=now_ms + _REFRESH_MS
            )
        )
        row = connection.execute(select(sessions).where(*mine)).one_or_none()
        if row is None:
            return None
        session = _session(row)
        if newest.rowcount == 1 or _sent_again(session, read.generation, now_ms):
            return _pair(keys, session)
        if read.generation < session.generation:
            # Two have it, and nobody can tell which of them is the thief.
            _revoke(connection, now_ms, sessions.c.session_id == session.session_id)
        return None


def _sent_again(session: Session, generation: int, now_ms: int) -> bool:
    """Is it the token just replaced, of a session that stands?"""
    stands = session.revoked_at is None and now_ms < session.expires_at
    just = generation == session.generation - 1 and now_ms - session.rotated_at <= _AGAIN_MS
    return stands and just


def standing(connection: Connection, session_id: str, now_ms: int) -> Session | None:
    """The session of this id, where it has neither ended nor run out."""
    mine = sessions.c.session_id == session_id
    row = connection.execute(select(sessions).where(mine, *_stands(now_ms))).one_or_none()
    return None if row is None else _session(row)


def log_out(engine: Engine, session_id: str, now_ms: int) -> bool:
    """End the session; False: it had ended, or nobody knows it."""
    with writing(engine) as connection:
        return _revoke(connection, now_ms, sessions.c.session_id == session_id) == 1


def revoke_all(connection: Connection, consumer_id: str, now_ms: int) -> int:
    """End all sessions of a person, within the caller's transaction; how many there were."""
    return _revoke(connection, now_ms, sessions.c.consumer_id == consumer_id)


def revoked_since(engine: Engine, since_ms: int) -> list[tuple[str, int]]:
    """(session id, revoked at) of all revoked at or after *since_ms*, the earliest first.

    Whoever asks again and again lets the spans overlap by some seconds: a transaction is seen
    a moment after the instant that it has written down.
    """
    query = select(sessions.c.session_id, sessions.c.revoked_at)
    query = query.where(sessions.c.revoked_at >= since_ms)
    with reading(engine) as connection:
        rows = connection.execute(query.order_by(sessions.c.revoked_at, sessions.c.session_id))
        return [(row.session_id, row.revoked_at) for row in rows]


def sessions_of(connection: Connection, consumer_id: str) -> list[Session]:
    """All sessions of a person that are written down, the oldest first."""
    query = select(sessions).where(sessions.c.consumer_id == consumer_id)
    rows = connection.execute(query.order_by(sessions.c.created_at, sessions.c.session_id))
    return [_session(row) for row in rows]


def sweep(engine: Engine, now_ms: int) -> None:
    """Strike out what is over: sessions and tickets of which no token holds any more."""
    with writing(engine) as connection:
        connection.execute(delete(sessions).where(sessions.c.expires_at <= now_ms))
        connection.execute(delete(tickets).where(tickets.c.expires_at <= now_ms))


def _stands(now_ms: int) -> tuple[Any, ...]:
    return sessions.c.revoked_at.is_(None), sessions.c.expires_at > now_ms


def _revoke(connection: Connection, now_ms: int, whose: Any) -> int:
    ended = update(sessions).where(whose, sessions.c.revoked_at.is_(None))
    return connection.execute(ended.values(revoked_at=now_ms)).rowcount


def _pair(keys: HouseKeys, session: Session) -> Pair:
    # Out of the row alone: whoever asks again, wherever, is handed the same texts.
    at = session.rotated_at
    access = mint_access_token(
        keys,
        session.consumer_id,
        ACCESS_S,
        at,
        session_id=session.session_id,
        mode=session.mode,
    )
    refreshing = refresh_token(keys, session.session_id, session.generation)
    return Pair(session, access, refreshing, (at // 1000 + ACCESS_S) * 1000)


def _row(session: Session) -> dict[str, Any]:
    return {name: getattr(session, name) for name in Session.__slots__}


def _session(row: Row[Any]) -> Session:
    return Session(**{name: getattr(row, name) for name in Session.__slots__})


# ── Tickets for sockets ──────────────────────────────────────────────────────────────────


def issue_ticket(engine: Engine, identity: Identity, now_ms: int) -> tuple[str, int]:
    """What a browser's socket says instead of the token, and until when; works once."""
    return _issue(engine, identity, None, now_ms)


def issue_console_ticket(engine: Engine, key_id: str, mode: Mode, now_ms: int) -> tuple[str, int]:
    """The same for a browser at the desk: it opens a console in the name of the house's key."""
    return _issue(engine, Identity("", key_id, now_ms + _TICKET_MS, mode), key_id, now_ms)


def _issue(engine: Engine, identity: Identity, key_id: str | None, now_ms: int) -> tuple[str, int]:
    ticket = "wst_" + secrets.token_urlsafe(24)
    expires_at = now_ms + _TICKET_MS
    row = {
        "ticket_hash": digest(ticket),
        "consumer_id": identity.consumer_id,
        "session_id": identity.session_id,
        "mode": identity.mode,
        "token_expires_at": identity.expires_at,
        "expires_at": expires_at,
        "key_id": key_id,
    }
    with writing(engine) as connection:
        connection.execute(tickets.insert(), row)
    return ticket, expires_at


class ConsoleKey(NamedTuple):
    """The key of the house that a console's ticket speaks for."""

    key_id: str
    mode: Mode


def use_ticket(engine: Engine, ticket: str, now_ms: int) -> Identity | ConsoleKey | None:
    """Whom the ticket speaks for, the first time; None: never given out, used, or too late."""
    with writing(engine) as connection:
        taken = connection.execute(
            delete(tickets)
            .where(tickets.c.ticket_hash == digest(ticket), tickets.c.expires_at > now_ms)
            .returning(tickets)
        ).one_or_none()
        if taken is None or taken.token_expires_at <= now_ms:
            return None
        if taken.key_id is not None:
            return ConsoleKey(taken.key_id, taken.mode)
        revoked_at = connection.scalar(
            select(sessions.c.revoked_at).where(sessions.c.session_id == taken.session_id)
        )
    if revoked_at is not None:
        return None
    return Identity(taken.consumer_id, taken.session_id, taken.token_expires_at, taken.mode)


# ── The demonstration ────────────────────────────────────────────────────────────────────


def seed_demonstration(engine: Engine, keys: HouseKeys, now_ms: int) -> None:
    """Write down the demonstration's people and the sessions of their tokens.

    What is there already stays: a session that was ended is not taken up again.
    """
    if keys.demo is None:
        return
    vault = Vault(keys.vault_key)
    with writing(engine) as connection:
        in_turn(connection, "demonstration")
        for bidder in keys.demo.bidders:
            person = get(connection, vault, bidder.consumer_id)
            if person is None:
                person = _invent(connection, vault, bidder, now_ms)
            _enter_session(connection, person, keys, bidder.token, now_ms)


def _invent(connection: Connection, vault: Vault, bidder: DemoBidder, now_ms: int) -> Person:
    first, _, last = bidder.name.partition(" ")
    # Where keys.json was made anew, somebody of an earlier demonstration may have the address.
    taken = find_by_email(connection, vault, DEMO_MODE, bidder.email)
    email = None if taken else bidder.email
    profile = Profile(email=email, first_name=first, last_name=last or None)
    return write_down(connection, vault, DEMO_MODE, bidder.consumer_id, profile, now_ms)


def _enter_session(
    connection: Connection, person: Person, keys: HouseKeys, token: str, now_ms: int
) -> None:
    identity = verify_access_token(keys, token, now_ms)
    mine = sessions.c.session_id == identity.session_id
    if connection.execute(select(sessions.c.mode).where(mine)).one_or_none() is not None:
        return
    session = Session(
        session_id=identity.session_id,
        consumer_id=person.consumer_id,
        mode=identity.mode,
        type="authenticated",
        generation=0,
        rotated_at=now_ms,
        created_at=now_ms,
        expires_at=identity.expires_at,
        revoked_at=None if person.erased_at is None else now_ms,
    )
    connection.execute(sessions.insert(), _row(session))
