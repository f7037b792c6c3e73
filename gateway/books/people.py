"""Who the house knows: persons found by their e-mail, guests, and whom it does not let in.

A person is a row whose personal part is sealed (``store.Vault``); an address is found by an
index that leads back to nobody without the master key.  Live and test are two worlds: the
same address is two persons.

Promises: one e-mail of a mode is one person, however many ask at once.  E-mails are compared
case-folded and in Unicode's NFC, and kept as they were written.  The row of an erased person
stays, with nothing in it but the id that old bids speak of.  Leaves to others: signing in
(``signing_in``), erasure and export (``rights``), money.
"""

from __future__ import annotations

import json
import re
import unicodedata
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Index,
    LargeBinary,
    Row,
    Table,
    Text,
    UniqueConstraint,
    select,
    tuple_,
    update,
)

from engine.core.messages import Mode
from gateway.archive import metadata
from gateway.books.store import BadField, Vault, in_turn, reading, writing
from gateway.keys import GUEST_PREFIX, random_name

NOTICES: Final = (
    "outbid",
    "ending_soon",
    "won",
    "payment_due",
    "lost",
    "registration",
    "undone",
)

persons: Final = Table(
    "persons",
    metadata,
    Column("consumer_id", Text, primary_key=True),
    Column("mode", Text, nullable=False),
    Column("email_index", Text),  # null: none, or erased
    Column("phone_index", Text),
    Column("sealed", LargeBinary),  # private: name, addresses, wallets; null: nothing known
    Column("guest", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("erased_at", BigInteger),
    Column("notices", JSON, nullable=False),  # which the person has switched off
    UniqueConstraint("mode", "email_index", name="uq_persons_email"),
    Index("ix_persons_listed", "mode", "created_at", "consumer_id"),
    Index("ix_persons_phone", "mode", "phone_index"),
)

barred: Final = Table(
    "barred_fingerprints",
    metadata,
    Column("fingerprint_index", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("barred_at", BigInteger, nullable=False),
)

_LONGEST_EMAIL: Final = 254  # RFC 5321, 4.5.3.1.3, with its erratum 1690
_LONGEST_NAME: Final = 100
_MOST_WALLETS: Final = 20
_LARGEST_WALLETS: Final = 4_096  # characters of JSON
_USERS: Final = uuid.UUID("7f0c6f0e-6f0b-5a52-9d41-0b6d3f5f6a11")  # any, but the same for ever
# Outside quotes, which nobody uses, these have another meaning in a mail's header (RFC 5322).
_NOT_IN_EMAIL: Final = frozenset('"(),:;<>[\\]')


@dataclass(frozen=True, slots=True)
class Profile:
    """What a person has said of themselves; made by ``read_profile``, sealed at rest."""

    email: str | None = field(default=None, repr=False)
    first_name: str | None = field(default=None, repr=False)
    last_name: str | None = field(default=None, repr=False)
    phone_number: str | None = field(default=None, repr=False)
    external_wallets: tuple[Any, ...] = field(default=(), repr=False)  # as they came, in JSON


@dataclass(frozen=True, slots=True)
class Person:
    """A consumer; instants in milliseconds since the epoch."""

    consumer_id: str
    mode: Mode
    profile: Profile
    guest: bool
    created_at: int
    updated_at: int
    erased_at: int | None
    notices: dict[str, bool]  # of every kind: does it want them?

    @property
    def email(self) -> str | None:
        """Where mail reaches the person; None: nowhere."""
        return self.profile.email

    @property
    def name(self) -> str:
        """What a page calls the person: their name, else what they signed in with."""
        names = (self.profile.first_name, self.profile.last_name)
        return " ".join(name for name in names if name) or self.email or ""

    @property
    def user_id(self) -> str:
        """The UUID by which the operator API calls the same person."""
        return str(uuid.uuid5(_USERS, self.consumer_id))


# ── Reading what they say of themselves ──────────────────────────────────────────────────


def read_profile(
    *,
    email: object,
    first_name: object = None,
    last_name: object = None,
    phone_number: object = None,
    external_wallets: object = None,
) -> Profile:
    """A profile with an e-mail, out of what came in JSON.  Raises ``BadField``."""
    return Profile(
        email=read_email(email),
        first_name=_name("first_name", first_name),
        last_name=_name("last_name", last_name),
        phone_number=_phone(phone_number),
        external_wallets=_wallets(external_wallets),
    )


def read_email(value: object, field_name: str = "email") -> str:
    """An address that mail can be sent to, as it was written.  Raises ``BadField``."""
    if not isinstance(value, str):
        raise BadField(field_name, "an e-mail address was expected")
    email = unicodedata.normalize("NFC", value)
    local, at, domain = email.rpartition("@")
    if not (local and at and domain) or "@" in local:
        raise BadField(field_name, "an e-mail address with one @ was expected")
    if len(email) > _LONGEST_EMAIL:
        raise BadField(field_name, f"at most {_LONGEST_EMAIL} characters")
    if any(_invisible(character) or character in _NOT_IN_EMAIL for character in email):
        raise BadField(field_name, "an e-mail address holds no spaces, quotes or brackets")
    return email


def email_index(vault: Vault, mode: Mode, email: str) -> str:
    """By what a person of that mode is found."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", email).casefold())
    return vault.index("email", mode, folded)


def _invisible(character: str) -> bool:
    # Controls, formats, halves of pairs, private ones; and spaces of every kind.
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zs", "Zl", "Zp")


def _name(field_name: str, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > _LONGEST_NAME:
        raise BadField(field_name, f"a text of at most {_LONGEST_NAME} characters was expected")
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in value):
        raise BadField(field_name, "no control characters")
    return unicodedata.normalize("NFC", value).strip() or None


def _phone(value: object) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not re.fullmatch(r"\+?[0-9 ()./-]{4,32}", value):
        raise BadField("phone_number", "a telephone number such as +49 30 1234567 was expected")
    return value


def _wallets(value: object) -> tuple[Any, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > _MOST_WALLETS:
        raise BadField("external_wallets", f"a list of at most {_MOST_WALLETS} was expected")
    if not all(isinstance(wallet, str | dict) for wallet in value):
        raise BadField("external_wallets", "addresses, or objects, were expected")
    written = json.dumps(value, default=str)  # a parser's Decimal is no JSON of ours
    if len(written) > _LARGEST_WALLETS:
        raise BadField("external_wallets", f"at most {_LARGEST_WALLETS} characters altogether")
    return tuple(json.loads(written))


# ── Persons ──────────────────────────────────────────────────────────────────────────────


def create_or_get_by_email(
    engine: Engine, vault: Vault, mode: Mode, profile: Profile, now_ms: int
) -> tuple[Person, bool]:
    """The person with the profile's e-mail, and whether it was made just now.

    A person who was there already stays as they are.
    """
    if profile.email is None:
        raise BadField("email", "an e-mail address was expected")
    found = by_email(engine, vault, mode, profile.email)
    if found is not None:
        return found, False
    with writing(engine) as connection:
        return enter(connection, vault, mode, profile, now_ms)


def enter(
    connection: Connection, vault: Vault, mode: Mode, profile: Profile, now_ms: int
) -> tuple[Person, bool]:
    """As ``create_or_get_by_email``, within the caller's transaction.

    A profile without an e-mail is a new person: there is nothing to find it by.
    """
    if profile.email is not None:
        index = email_index(vault, mode, profile.email)
        in_turn(connection, "person", index)
        found = _by_index(connection, vault, mode, index)
        if found is not None:
            return found, False
    consumer_id = "cons_" + random_name(16)
    return write_down(connection, vault, mode, consumer_id, profile, now_ms), True


def write_down(
    connection: Connection,
    vault: Vault,
    mode: Mode,
    consumer_id: str,
    profile: Profile,
    now_ms: int,
) -> Person:
    """A new person of that id, of whom the caller knows that there is none yet."""
    person = Person(
        consumer_id=consumer_id,
        mode=mode,
        profile=profile,
        guest=consumer_id.startswith(GUEST_PREFIX),
        created_at=now_ms,
        updated_at=now_ms,
        erased_at=None,
        notices=dict.fromkeys(NOTICES, True),
    )
    connection.execute(persons.insert(), _row(vault, person))
    return person


def create_guest(connection: Connection, vault: Vault, mode: Mode, now_ms: int) -> Person:
    """Somebody of whom nothing is known."""
    guest_id = GUEST_PREFIX + random_name(16)
    return write_down(connection, vault, mode, guest_id, Profile(), now_ms)


def by_id(engine: Engine, vault: Vault, consumer_id: str) -> Person | None:
    """The person of that id, erased ones included; the mode is the caller's to compare."""
    with reading(engine) as connection:
        return get(connection, vault, consumer_id)


def get(connection: Connection, vault: Vault, consumer_id: str) -> Person | None:
    """As ``by_id``, within the caller's transaction."""
    query = select(persons).where(persons.c.consumer_id == consumer_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else _person(vault, row)


def by_email(engine: Engine, vault: Vault, mode: Mode, email: str) -> Person | None:
    """The person of that mode with this e-mail, however it is written."""
    with reading(engine) as connection:
        return find_by_email(connection, vault, mode, email)


def find_by_email(connection: Connection, vault: Vault, mode: Mode, email: str) -> Person | None:
    """As ``by_email``, within the caller's transaction."""
    return _by_index(connection, vault, mode, email_index(vault, mode, email))


def list_users(
    engine: Engine, vault: Vault, mode: Mode, limit: int, cursor: str | None = None
) -> list[Person]:
    """Persons with an e-mail, the oldest first; *cursor*: the id behind which to go on.

    Raises ``BadField`` for a cursor that was never given out in this mode.
    """
    query = select(persons).where(persons.c.mode == mode, persons.c.email_index.is_not(None))
    place = tuple_(persons.c.created_at, persons.c.consumer_id)
    with reading(engine) as connection:
        if cursor is not None:
            query = query.where(place > _place_of(connection, mode, cursor))
        rows = connection.execute(
            query.order_by(persons.c.created_at, persons.c.consumer_id).limit(limit)
        )
        return [_person(vault, row) for row in rows]


def _place_of(connection: Connection, mode: Mode, cursor: str) -> Any:
    at = connection.scalar(
        select(persons.c.created_at).where(persons.c.consumer_id == cursor, persons.c.mode == mode)
    )
    if at is None:
        raise BadField("cursor", "an end_cursor of an earlier page was expected")
    return tuple_(at, cursor)


def _by_index(connection: Connection, vault: Vault, mode: Mode, index: str) -> Person | None:
    query = select(persons).where(persons.c.mode == mode, persons.c.email_index == index)
    row = connection.execute(query).one_or_none()
    return None if row is None else _person(vault, row)


def _row(vault: Vault, person: Person) -> dict[str, Any]:
    profile = person.profile
    email, phone = profile.email, profile.phone_number
    content = json.dumps(asdict(profile)).encode()
    return {
        "consumer_id": person.consumer_id,
        "mode": person.mode,
        "email_index": None if email is None else email_index(vault, person.mode, email),
        "phone_index": None if phone is None else _phone_index(vault, person.mode, phone),
        "sealed": vault.seal("person", person.consumer_id, content),
        "guest": person.guest,
        "created_at": person.created_at,
        "updated_at": person.updated_at,
        "erased_at": person.erased_at,
        "notices": [kind for kind in NOTICES if not person.notices[kind]],
    }


def _phone_index(vault: Vault, mode: Mode, phone: str) -> str:
    return vault.index("phone", mode, re.sub(r"[^0-9+]", "", phone))


def _person(vault: Vault, row: Row[Any]) -> Person:
    return Person(
        consumer_id=row.consumer_id,
        mode=row.mode,
        profile=_profile(vault, row),
        guest=row.guest,
        created_at=row.created_at,
        updated_at=row.updated_at,
        erased_at=row.erased_at,
        notices={kind: kind not in row.notices for kind in NOTICES},
    )


def _profile(vault: Vault, row: Row[Any]) -> Profile:
    if row.sealed is None:
        return Profile()
    content = json.loads(vault.open("person", row.consumer_id, row.sealed))
    return Profile(**{**content, "external_wallets": tuple(content["external_wallets"])})


# ── What they want to be told ────────────────────────────────────────────────────────────


def set_notices(
    engine: Engine, consumer_id: str, changes: Mapping[str, object], now_ms: int
) -> dict[str, bool] | None:
    """Switch kinds of mail on or off: of every kind, how it is now; None: no such person.

    Raises ``BadField`` for a kind that there is not, and nothing has changed.
    """
    for kind, wanted in changes.items():
        if kind not in NOTICES or not isinstance(wanted, bool):
            raise BadField(kind, f"true or false was expected, of {', '.join(NOTICES)}")
    mine = persons.c.consumer_id == consumer_id, persons.c.erased_at.is_(None)
    with writing(engine) as connection:
        in_turn(connection, "notices", consumer_id)
        off = connection.scalar(select(persons.c.notices).where(*mine))
        if off is None:
            return None
        now = {kind: bool(changes.get(kind, kind not in off)) for kind in NOTICES}
        kept = [kind for kind in NOTICES if not now[kind]]
        connection.execute(update(persons).where(*mine).values(notices=kept, updated_at=now_ms))
    return now


# ── What they say of themselves later ────────────────────────────────────────────────────


def set_name(
    engine: Engine, vault: Vault, consumer_id: str, first: object, last: object, now_ms: int
) -> Person | None:
    """Write down a person's name anew; None: no such person.  Raises ``BadField``."""
    first_name, last_name = _name("first_name", first), _name("last_name", last)
    with writing(engine) as connection:
        in_turn(connection, "name", consumer_id)
        person = get(connection, vault, consumer_id)
        if person is None or person.erased_at is not None:
            return None
        profile = replace(person.profile, first_name=first_name, last_name=last_name)
        named = replace(person, profile=profile, updated_at=now_ms)
        row = _row(vault, named)
        changes = {"sealed": row["sealed"], "updated_at": now_ms}
        mine = persons.c.consumer_id == consumer_id
        connection.execute(update(persons).where(mine).values(changes))
    return named


# ── Whom the house does not let in ───────────────────────────────────────────────────────


def bar(engine: Engine, vault: Vault, fingerprint: str, reason: str, now_ms: int) -> None:
    """Take no bids from devices with this fingerprint."""
    index = fingerprint_index(vault, fingerprint)
    with writing(engine) as connection:
        in_turn(connection, "barred", index)
        connection.execute(barred.delete().where(barred.c.fingerprint_index == index))
        row = {"fingerprint_index": index, "reason": reason, "barred_at": now_ms}
        connection.execute(barred.insert(), row)


def unbar(engine: Engine, vault: Vault, fingerprint: str) -> bool:
    """Let them in again; False: they were not barred."""
    index = fingerprint_index(vault, fingerprint)
    with writing(engine) as connection:
        gone = connection.execute(barred.delete().where(barred.c.fingerprint_index == index))
    return gone.rowcount == 1


def barred_indexes(engine: Engine) -> frozenset[str]:
    """The ``fingerprint_index`` of all who are barred; a gateway asks each second, not a bid."""
    with reading(engine) as connection:
        found: Iterable[str] = connection.scalars(select(barred.c.fingerprint_index))
        return frozenset(found)


def fingerprint_index(vault: Vault, fingerprint: str) -> str:
    """By what a device is compared: its fingerprint is personal, and not kept."""
    return vault.index("fingerprint", fingerprint)
