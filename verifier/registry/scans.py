"""Who has looked at an object, as far as it tells a copied code from an honest one.

Every public question is counted, also one that a cache has answered; counts are gathered and
written together, once a second.  What is kept of an address is a hash under a key of the day:
two scans of one day can be told apart or together, and nobody can be traced from day to day.
Scans are kept for ninety days.  A process that dies takes the counts of its last second along.

Where the rules of ``core.scans`` raise an object's risk, that is written into its history,
and the house is told.  The public learns only whether caution is advised.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, delete, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.books.store import reading, writing
from verifier.core import scans
from verifier.registry import chain, happenings, log
from verifier.registry.chain import Happened
from verifier.store import Store
from verifier.tables import alerts, custody, events
from verifier.tables import objects as object_rows
from verifier.tables import scans as table

Json = dict[str, Any]

DAY_MS: Final = 86_400_000
KEPT_MS: Final = 90 * DAY_MS
_LOOKED_AT: Final = 500  # the newest rows of an object
_MOST_WAITING: Final = 50_000  # counts not yet written, some 10 MB: past it they are only numbers
_TOLD_EVERY_MS: Final = 60_000  # of look-ups alone, an object at most once a minute
_JUDGED_EVERY_MS: Final = 10_000
_JUDGED_AT_ONCE: Final = 50  # some milliseconds each; the others wait a second more
_OF_TAGS: Final = ("verified", "replayed", "tampered")  # what only a tag's own message says
_ALARMED_FOR_MS: Final = DAY_MS  # then what came since the alarm is judged by itself
_RANK: Final = {"low": 0, "medium": 1, "high": 2}
_IPV4_PREFIX: Final = 24
_IPV6_PREFIX: Final = 48


class Seen(NamedTuple):
    """A public question about an object, and its answer."""

    object_id: str
    serial: str
    mode: str
    at: int
    kind: scans.Kind
    client: str
    country: str | None
    counter: int | None
    outcome: str  # of a tap its status; "link_refused" where the link's signature is bad
    verdict: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Told:
    """What the house was last told of an object's scans."""

    level: str
    reasons: Sequence[Json]
    at: int


def client_of(store: Store, address: str, now_ms: int) -> str:
    """What is kept of an address: its network's hash, which is another one tomorrow."""
    try:
        ip = ipaddress.ip_address(address)
        prefix = _IPV4_PREFIX if ip.version == 4 else _IPV6_PREFIX
        network = str(ipaddress.ip_network(f"{ip}/{prefix}", strict=False))
    except ValueError:
        network = "?"
    day = now_ms // DAY_MS
    return hmac.digest(store.scan_key, f"{day}|{network}".encode(), "sha256").hex()[:24]


class Counter:
    """Gathers what was seen until it is written."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[Seen] = []
        self._lock = Lock()
        self._told_at: dict[str, int] = {}
        self._unjudged: dict[str, None] = {}
        self._judged_at: dict[str, int] = {}

    def count(self, seen: Seen) -> None:
        """One more question."""
        with self._lock:
            if len(self._waiting) < _MOST_WAITING:
                self._waiting.append(seen)

    def write(self, now_ms: int) -> int:
        """Write down what is waiting, and raise alarms; how many questions.  Blocks."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        if waiting:
            with writing(self._store.engine) as connection:
                connection.execute(insert(table), _rows(waiting))
                for seen in self._to_be_told(waiting):
                    data = {
                        "serial": seen.serial,
                        "verdict": seen.verdict,
                        "confidence": seen.confidence,
                    }
                    happenings.tell(connection, happenings.VERIFIED, seen.mode, data, seen.at)
        for object_id in self._to_be_judged(waiting, now_ms):
            _judge(self._store, object_id, now_ms)
        return len(waiting)

    def _to_be_judged(self, waiting: Sequence[Seen], now_ms: int) -> list[str]:
        """Objects that were asked for, each at most once in ten seconds: what came since waits
        for the next time."""
        self._unjudged.update(dict.fromkeys(seen.object_id for seen in waiting))
        due = [
            object_id
            for object_id in self._unjudged
            if now_ms - self._judged_at.get(object_id, -_JUDGED_EVERY_MS) >= _JUDGED_EVERY_MS
        ][:_JUDGED_AT_ONCE]
        if len(self._judged_at) > _MOST_WAITING:
            self._judged_at.clear()
        for object_id in due:
            del self._unjudged[object_id]
            self._judged_at[object_id] = now_ms
        return due

    def _to_be_told(self, waiting: Sequence[Seen]) -> list[Seen]:
        """Each check of the thing itself; of look-ups alone one a minute."""
        found = []
        for seen in waiting:
            last = self._told_at.get(seen.object_id, -_TOLD_EVERY_MS)
            if seen.kind in ("nfc", "photo") or seen.at - last >= _TOLD_EVERY_MS:
                self._told_at[seen.object_id] = seen.at
                found.append(seen)
        if len(self._told_at) > _MOST_WAITING:
            self._told_at.clear()
        return found


def forget_old(store: Store, now_ms: int) -> int:
    """Delete scans of more than ninety days ago; how many."""
    old = delete(table).where(table.c.at < now_ms - KEPT_MS)
    with writing(store.engine) as connection:
        return connection.execute(old).rowcount


def risk_of(
    connection: Connection, row: Row[Any], now_ms: int, since: int | None = None
) -> scans.Risk:
    """What the object's scans make one think, those of ninety days; or *since* an instant."""
    begin = now_ms - KEPT_MS if since is None else since
    mine = select(table).where(table.c.object_id == row.object_id, table.c.at >= begin)
    # Apart: a crowd of lookers must not push out what a tag has said.
    taps = mine.where(table.c.outcome.in_(_OF_TAGS))
    others = mine.where(table.c.outcome.not_in(_OF_TAGS))
    newest = [
        one
        for query in (taps, others)
        for one in connection.execute(query.order_by(table.c.at.desc()).limit(_LOOKED_AT))
    ]
    if not newest:
        return scans.assess((), scans.Context(None, row.status, now_ms))
    seen = [
        scans.Scan(
            at=one.at,
            kind=one.kind,
            client=one.client,
            country=one.country,
            cell=None,
            tag_counter=one.counter,
            outcome=one.outcome,
        )
        for one in newest
        for _ in range(min(one.times, scans.BURST))  # more of them tell no more
    ]
    context = scans.Context(_transferred_at(connection, row), row.status, now_ms)
    return scans.assess(seen, context)


def told_of(store: Store, object_ids: Sequence[str]) -> Mapping[str, Told]:
    """The alarms that stand, by object."""
    query = select(alerts).where(alerts.c.object_id.in_(object_ids))
    with reading(store.engine) as connection:
        return {
            row.object_id: Told(row.level, row.reasons, row.at) for row in connection.execute(query)
        }


def _rows(waiting: Sequence[Seen]) -> list[Json]:
    """One row for those that are alike, at the time of the first of them."""
    alike: dict[tuple[Any, ...], Json] = {}
    for seen in waiting:
        told = (seen.kind, seen.client, seen.country, seen.counter, seen.outcome)
        names = ("kind", "client", "country", "counter", "outcome")
        first = {"object_id": seen.object_id, "at": seen.at, "times": 0}
        row = alike.setdefault(
            (seen.object_id, *told), {**first, **dict(zip(names, told, strict=True))}
        )
        row["times"] += 1
    return list(alike.values())


def _transferred_at(connection: Connection, row: Row[Any]) -> int | None:
    """When it last went to a buyer."""
    sold = custody.c.object_id == row.object_id, custody.c.transfer_type == "sale"
    same = (events.c.object_id == custody.c.object_id) & (events.c.seq == custody.c.seq)
    query = select(func.max(events.c.at)).select_from(custody.join(events, same)).where(*sold)
    found: int | None = connection.scalar(query)
    return found


def _judge(store: Store, object_id: str, now_ms: int) -> None:
    """Write an alarm where the risk is higher than was said before."""
    # Looked at first: most scans alarm nobody, and the house's writes need not wait for that.
    with reading(store.engine) as connection:
        if _raised(connection, object_id, now_ms) is None:
            return
    with writing(store.engine) as connection:
        log.in_turn(connection)
        found = _raised(connection, object_id, now_ms)
        if found is not None:
            _alarm(connection, store, *found, now_ms)
            log.sign_checkpoint(connection, store, now_ms)


def _raised(
    connection: Connection, object_id: str, now_ms: int
) -> tuple[Row[Any], scans.Risk] | None:
    """The object and its risk, where that is higher than was said before; or high again."""
    query = select(object_rows).where(object_rows.c.object_id == object_id)
    row = connection.execute(query).one()
    known = connection.execute(select(alerts).where(alerts.c.object_id == object_id)).one_or_none()
    if known is not None and now_ms - known.at >= _ALARMED_FOR_MS:
        risk = risk_of(connection, row, now_ms, since=known.at + 1)
        return (row, risk) if risk.level != "low" else None
    risk = risk_of(connection, row, now_ms)
    told = "low" if known is None else known.level
    return (row, risk) if _RANK[risk.level] > _RANK[told] else None


def _alarm(
    connection: Connection, store: Store, row: Row[Any], risk: scans.Risk, now_ms: int
) -> None:
    reasons = [{"rule": one.rule, "weight": one.weight, "words": one.words} for one in risk.reasons]
    said = {"object_id": row.object_id, "level": risk.level, "reasons": reasons, "at": now_ms}
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    new = dialect.insert(alerts).values(said)
    connection.execute(new.on_conflict_do_update(index_elements=[alerts.c.object_id], set_=said))
    happened = Happened("scan_alert", details={"level": risk.level}, private={"reasons": reasons})
    chain.append(connection, store, row.object_id, happened, now_ms)
    data = {"serial": row.serial, "reasons": [one.words for one in risk.reasons]}
    happenings.tell(connection, happenings.COUNTERFEIT, row.mode, data, now_ms)
