"""Signing in: as a guest, with a code that was mailed, or by another's word.

Promises: a mailed code has six digits, holds for five minutes, signs in once, and is the only
one of its address.  Of all guesses at it five are compared: a try is written down for good
before anything is compared, so that a thousand guesses at once are five as well.  An exchange
code, which a shop's server gets with its secret key for somebody it has signed in itself,
works once within 60 s.  The same (provider, issuer, subject) is always the same person; an
e-mail from outside counts only where the provider says that it has verified it.

Codes and subjects lie in the tables as hashes under the house's keys.  Leaves to others: the
mail, how often an address may ask, and what happens to the session then (``sessions``).
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    ForeignKey,
    Integer,
    Table,
    Text,
    delete,
    select,
    update,
)

from engine.core.messages import Mode
from gateway.archive import metadata
from gateway.books import sessions
from gateway.books.people import Person, Profile, create_guest, email_index, enter, get, read_email
from gateway.books.store import BadField, Vault, digest, in_turn, reading, writing
from gateway.keys import HouseKeys

_CODE_MS: Final = 5 * 60_000
_MOST_TRIES: Final = 5
_EXCHANGE_MS: Final = 60_000
_LONGEST_WORD: Final = 255  # of a provider, an issuer or a subject (OpenID Connect Core, 2)

otp: Final = Table(
    "otp",
    metadata,
    Column("mode", Text, primary_key=True),
    Column("email_index", Text, primary_key=True),
    Column("code", Text, nullable=False),  # HMAC under the pepper
    Column("created_at", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("used", Boolean, nullable=False),
)

identities: Final = Table(
    "identities",
    metadata,
    Column("identity_index", Text, primary_key=True),
    Column("consumer_id", Text, ForeignKey("persons.consumer_id"), nullable=False, index=True),
    Column("provider", Text, nullable=False),  # what the shop calls it; nobody's secret
    Column("created_at", BigInteger, nullable=False),
)

exchange_codes: Final = Table(
    "exchange_codes",
    metadata,
    Column("code_hash", Text, primary_key=True),
    Column("consumer_id", Text, ForeignKey("persons.consumer_id"), nullable=False, index=True),
    Column("mode", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)


class Refused(StrEnum):
    """Why nobody was signed in, in the words of the API."""

    OTP_INVALID = "otp_invalid"
    OTP_EXPIRED = "otp_expired"
    EXCHANGE_CODE_INVALID = "exchange_code_invalid"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody, and the session that has just begun."""

    person: Person
    pair: sessions.Pair


def as_guest(engine: Engine, keys: HouseKeys, vault: Vault, mode: Mode, now_ms: int) -> SignedIn:
    """Let somebody look around of whom nothing is known."""
    with writing(engine) as connection:
        guest = create_guest(connection, vault, mode, now_ms)
        return SignedIn(guest, sessions.begin(connection, keys, guest, now_ms))


def as_known(
    engine: Engine, keys: HouseKeys, vault: Vault, consumer_id: str, now_ms: int
) -> SignedIn | None:
    """Sign in somebody whom the caller knows by other means; None: nobody, or nobody any more."""
    with writing(engine) as connection:
        person = get(connection, vault, consumer_id)
        if person is None or person.erased_at is not None:
            return None
        return SignedIn(person, sessions.begin(connection, keys, person, now_ms))


# ── With a code that was mailed ──────────────────────────────────────────────────────────


def request_otp(
    engine: Engine, keys: HouseKeys, vault: Vault, mode: Mode, email: str, now_ms: int
) -> str:
    """A code to be mailed to this address; the one before it is worth nothing any more.

    Known and unknown addresses are treated alike.  Raises ``BadField``.
    """
    index = email_index(vault, mode, read_email(email))
    code = f"{secrets.randbelow(10**6):06d}"
    row = {
        "mode": mode,
        "email_index": index,
        "code": _peppered(keys, index, now_ms, code),
        "created_at": now_ms,
        "tries": 0,
        "used": False,
    }
    with writing(engine) as connection:
        in_turn(connection, "otp", index)
        connection.execute(delete(otp).where(*_of(mode, index)))
        connection.execute(otp.insert(), row)
    return code


def verify_otp(
    engine: Engine,
    keys: HouseKeys,
    vault: Vault,
    mode: Mode,
    email: str,
    code: str,
    now_ms: int,
) -> SignedIn | Refused:
    """Sign in whoever has the code that was mailed last; a new address is a new person.

    Raises ``BadField`` for what is no address.
    """
    address = read_email(email)
    index = email_index(vault, mode, address)
    wanted = _take_try(engine, mode, index, now_ms)
    if isinstance(wanted, Refused):
        return wanted
    if not _same(wanted.code, _peppered(keys, index, wanted.created_at, code)):
        return Refused.OTP_INVALID
    with writing(engine) as connection:
        mine = (*_of(mode, index), otp.c.code == wanted.code, otp.c.used.is_(False))
        if connection.execute(update(otp).where(*mine).values(used=True)).rowcount != 1:
            return Refused.OTP_INVALID  # used a moment ago, or replaced by a newer one
        person, _ = enter(connection, vault, mode, Profile(email=address), now_ms)
        return SignedIn(person, sessions.begin(connection, keys, person, now_ms))


@dataclass(frozen=True, slots=True)
class _Wanted:
    code: str
    created_at: int


def _take_try(engine: Engine, mode: Mode, index: str, now_ms: int) -> _Wanted | Refused:
    """Count a try, for good, and only then say what the code must come to."""
    counts = (
        otp.c.used.is_(False),
        otp.c.tries < _MOST_TRIES,
        otp.c.created_at > now_ms - _CODE_MS,
    )
    with writing(engine) as connection:
        taken = connection.execute(
            update(otp)
            .where(*_of(mode, index), *counts)
            .values(tries=otp.c.tries + 1)
            .returning(otp.c.code, otp.c.created_at)
        ).one_or_none()
        if taken is not None:
            return _Wanted(taken.code, taken.created_at)
        found = connection.execute(select(otp).where(*_of(mode, index))).one_or_none()
    if found is None or found.used or found.tries >= _MOST_TRIES:
        return Refused.OTP_INVALID
    return Refused.OTP_EXPIRED


def tries_left(engine: Engine, vault: Vault, mode: Mode, email: str, now_ms: int) -> int:
    """How many guesses at the code of this address are still compared; 0 also where there is
    none, which is as little known of it as if there were."""
    index = email_index(vault, mode, read_email(email))
    with reading(engine) as connection:
        row = connection.execute(select(otp).where(*_of(mode, index))).one_or_none()
    if row is None or row.used or row.created_at <= now_ms - _CODE_MS:
        return 0
    return int(_MOST_TRIES - row.tries)


def _of(mode: Mode, index: str) -> tuple[Any, ...]:
    return otp.c.mode == mode, otp.c.email_index == index


def _peppered(keys: HouseKeys, index: str, created_at: int, code: str) -> str:
    # With the address and the instant: equal codes are not equal in the table.
    content = f"otp|{index}|{created_at}|".encode() + code.encode("utf-8", "surrogatepass")
    return hmac.digest(keys.otp_pepper, content, "sha256").hex()


def _same(wanted: str, offered: str) -> bool:
    return hmac.compare_digest(wanted, offered)


# ── By another's word ────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom a shop's server has signed in, as its provider calls them."""

    provider: str
    issuer: str
    subject: str
    claims: Mapping[str, Any]


def read_vouched(provider: object, issuer: object, subject: object, claims: object) -> Vouched:
    """Out of what came in JSON; ``claims`` may be missing.  Raises ``BadField``."""
    return Vouched(
        _word("provider", provider),
        _word("issuer", issuer),
        _word("subject", subject),
        _claims(claims),
    )


def _word(field: str, value: object) -> str:
    if isinstance(value, str) and 1 <= len(value) <= _LONGEST_WORD and value.isprintable():
        return value
    raise BadField(field, f"a text of 1 to {_LONGEST_WORD} characters was expected")


def _claims(value: object) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadField("claims", "an object was expected")
    if value.get("email_verified") is True:  # and not "true", or 1
        read_email(value.get("email"), "claims.email")
    return value


def authorize(
    engine: Engine, vault: Vault, mode: Mode, vouched: Vouched, now_ms: int
) -> tuple[str, int]:
    """An exchange code for the person vouched for, and until when it works, once."""
    code = "xc_" + secrets.token_urlsafe(32)
    expires_at = now_ms + _EXCHANGE_MS
    with writing(engine) as connection:
        row = {
            "code_hash": digest(code),
            "consumer_id": _vouched_for(connection, vault, mode, vouched, now_ms),
            "mode": mode,
            "expires_at": expires_at,
        }
        connection.execute(exchange_codes.insert(), row)
    return code, expires_at


def exchange(
    engine: Engine, keys: HouseKeys, vault: Vault, mode: Mode, code: str, now_ms: int
) -> SignedIn | Refused:
    """Sign in the person of an exchange code, once."""
    mine = exchange_codes.c.code_hash == digest(code), exchange_codes.c.mode == mode
    with writing(engine) as connection:
        consumer_id = connection.scalar(
            delete(exchange_codes)
            .where(*mine, exchange_codes.c.expires_at > now_ms)
            .returning(exchange_codes.c.consumer_id)
        )
        person = None if consumer_id is None else get(connection, vault, consumer_id)
        if person is None or person.erased_at is not None:
            return Refused.EXCHANGE_CODE_INVALID
        return SignedIn(person, sessions.begin(connection, keys, person, now_ms))


def _vouched_for(
    connection: Connection, vault: Vault, mode: Mode, vouched: Vouched, now_ms: int
) -> str:
    index = vault.index("identity", mode, vouched.provider, vouched.issuer, vouched.subject)
    in_turn(connection, "identity", index)
    query = select(identities.c.consumer_id).where(identities.c.identity_index == index)
    known = connection.scalar(query)
    if known is not None:
        return str(known)
    person, _ = enter(connection, vault, mode, _said_of(vouched.claims), now_ms)
    row = {
        "identity_index": index,
        "consumer_id": person.consumer_id,
        "provider": vouched.provider,
        "created_at": now_ms,
    }
    connection.execute(identities.insert(), row)
    return person.consumer_id


def _said_of(claims: Mapping[str, Any]) -> Profile:
    # Anybody may claim an address that is not theirs, and would be signed in as its owner.
    if claims.get("email_verified") is not True:
        return Profile()
    return Profile(email=read_email(claims.get("email"), "claims.email"))


# ── Clearing up ──────────────────────────────────────────────────────────────────────────


def forget(connection: Connection, vault: Vault, person: Person) -> None:
    """Strike out how a person signs in, within the caller's transaction."""
    if person.email is not None:
        index = email_index(vault, person.mode, person.email)
        connection.execute(delete(otp).where(*_of(person.mode, index)))
    for table in (identities, exchange_codes):
        connection.execute(delete(table).where(table.c.consumer_id == person.consumer_id))


def providers_of(connection: Connection, consumer_id: str) -> list[str]:
    """Who vouches for this person, the first first."""
    query = select(identities.c.provider).where(identities.c.consumer_id == consumer_id)
    return list(connection.scalars(query.order_by(identities.c.created_at, identities.c.provider)))


def sweep(engine: Engine, now_ms: int) -> None:
    """Strike out codes of which none is worth anything any more."""
    # An expired code stays for a while: its owner is told that it has expired.
    with writing(engine) as connection:
        connection.execute(delete(otp).where(otp.c.created_at <= now_ms - 12 * _CODE_MS))
        connection.execute(delete(exchange_codes).where(exchange_codes.c.expires_at <= now_ms))
