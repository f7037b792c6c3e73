"""Scans, counted and judged."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from gateway.books.store import reading
from tests.verifier.registry import desk
from tests.verifier.registry.conftest import NOW
from tests.verifier.registry.desk import MODE
from verifier.registry import happenings, scans
from verifier.registry.objects import Object
from verifier.registry.scans import DAY_MS, KEPT_MS, Counter, Seen
from verifier.store import Store
from verifier.tables import alerts
from verifier.tables import scans as table

SECOND = 1_000


def seen(found: Object, at: int = NOW, client: str = "a", **more: Any) -> Seen:
    """A look at the object's page."""
    row = found.row
    plain = Seen(
        row.object_id, row.serial, MODE, at, "page", client, None, None, "", "authentic", 0.9
    )
    return plain._replace(**more)


def rows(store: Store) -> list[Any]:
    with reading(store.engine) as connection:
        return list(connection.execute(sa.select(table).order_by(table.c.number)))


def told(store: Store) -> list[str]:
    return [one["type"] for one in happenings.after(store, 0, 100)]


def test_questions_that_are_alike_are_one_row(either: Store) -> None:
    """A thousand from one place in a second are a row of a thousand; another place is another."""
    found, counter = desk.register(either, NOW), Counter(either)
    for _ in range(1_000):
        counter.count(seen(found))
    counter.count(seen(found, client="b"))
    assert counter.write(NOW) == 1_001
    assert counter.write(NOW) == 0
    assert [(row.client, row.times) for row in rows(either)] == [("a", 1_000), ("b", 1)]


def test_a_replayed_tap_is_an_alarm_once(either: Store) -> None:
    """Written into the history, told outside, and not again for the same risk."""
    found, counter = desk.ready(either, NOW), Counter(either)
    tap: dict[str, Any] = {"kind": "nfc", "outcome": "replayed", "counter": 7}
    for later in (0, 11 * SECOND, 22 * SECOND):
        counter.count(seen(found, NOW + later, **tap))
        counter.write(NOW + later)
    assert desk.types(either, found).count("scan_alert") == 1
    assert told(either).count("counterfeit.alert") == 1
    assert desk.check(either, found).intact
    with reading(either.engine) as connection:
        alarm = connection.execute(sa.select(alerts)).one()
    assert alarm.level == "medium"
    assert [reason["rule"] for reason in alarm.reasons] == ["nfc_replay"]


def test_a_burst_counts_what_is_in_one_row(store: Store) -> None:
    """Twenty-five at once are a burst, though they are one row."""
    found, counter = desk.register(store, NOW), Counter(store)
    for _ in range(25):
        counter.count(seen(found, kind="qr"))
    counter.write(NOW)
    with reading(store.engine) as connection:
        risk = scans.risk_of(connection, found.row, NOW)
    assert [reason.rule for reason in risk.reasons] == ["burst"]


def test_an_object_is_judged_once_in_ten_seconds(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it is asked for; and what came meanwhile is judged then, though nobody asks
    any more."""
    found, counter = desk.register(store, NOW), Counter(store)
    judged: list[int] = []
    real = scans.risk_of

    def spying(connection: Any, row: Any, now_ms: int) -> Any:
        judged.append(now_ms)
        return real(connection, row, now_ms)

    monkeypatch.setattr(scans, "risk_of", spying)
    for second in range(6):
        counter.count(seen(found, NOW + second * SECOND))
        counter.write(NOW + second * SECOND)
    assert judged == [NOW]
    for second in range(6, 12):
        counter.write(NOW + second * SECOND)
    assert judged == [NOW, NOW + 10 * SECOND]


def test_look_ups_alone_are_told_once_a_minute(store: Store) -> None:
    """A check of the thing itself always is."""
    found, counter = desk.register(store, NOW), Counter(store)
    for second in (0, 1, 59, 60):
        counter.count(seen(found, NOW + second * SECOND))
    counter.write(NOW)
    assert told(store) == ["verification.completed"] * 2
    for _ in range(3):
        counter.count(seen(found, NOW + 61 * SECOND, kind="nfc", outcome="verified"))
    counter.write(NOW)
    assert told(store) == ["verification.completed"] * 5


def test_scans_are_forgotten_after_ninety_days(store: Store) -> None:
    """To the millisecond."""
    found, counter = desk.register(store, NOW), Counter(store)
    counter.count(seen(found, NOW))
    counter.count(seen(found, NOW + 1, client="b"))
    counter.write(NOW)
    assert scans.forget_old(store, NOW + KEPT_MS + 1) == 1
    assert [row.client for row in rows(store)] == ["b"]


def test_nobody_is_followed_from_day_to_day(store: Store) -> None:
    """The same network is one client within a day, and another one the next; an address is in
    no client's name."""
    today = scans.client_of(store, "203.0.113.7", NOW)
    assert scans.client_of(store, "203.0.113.200", NOW) == today
    assert scans.client_of(store, "203.0.114.7", NOW) != today
    assert scans.client_of(store, "203.0.113.7", NOW + DAY_MS) != today
    six = scans.client_of(store, "2001:db8:1:2::3", NOW)
    assert scans.client_of(store, "2001:db8:1:ffff::9", NOW) == six
    assert scans.client_of(store, "no address", NOW)
