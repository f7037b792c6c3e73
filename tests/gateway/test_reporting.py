"""The reporter against a real server: order, patience, and every kill in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from structlog.testing import capture_logs

from engine.core.codec import GENESIS
from gateway import archive, line, reporting
from gateway.archive import Bookmark
from gateway.books import news, people, rights, webhooks
from gateway.books.people import Profile
from gateway.books.store import BooksError, Vault, open_books, writing
from gateway.line import Line, Unreachable
from gateway.reporting import Reporter, Reporting, report
from tests.gateway.decisions import AT, LINEAGE, SALT, decided, passages
from tests.gateway.scripted_verifier import Json, Verifier, on_socket
from tests.gateway.selling_objects import TELLS, Told, evening, record, rows
from tests.gateway.token_house import BOTH, empty_database

VAULT = Vault(b"v" * 32)
CLAIMS: Json = {
    "auction": "auction_k3f9_sold",
    "consumer": "cons_ana",
    "amount": "200.00",
    "currency": "EUR",
    "jti": "pay_1",
}
LATER: Told = ("paid", "sold", "A1")


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.ms = AT

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return empty_database(request, tmp_path)


@pytest.fixture
def books(database: str) -> Iterator[Engine]:
    engine = open_books(database)
    archive.begin(engine, {0: Bookmark(LINEAGE, 0, GENESIS)})
    yield engine
    engine.dispose()


@pytest.fixture
async def verifier(tmp_path: Path) -> AsyncIterator[Verifier]:
    async with on_socket(Verifier(), tmp_path / "v.sock") as open_:
        yield open_


@pytest.fixture
async def house(books: Engine, verifier: Verifier, tmp_path: Path) -> AsyncIterator[Reporting]:
    """The clerk's side; the verifier listens."""
    line_ = Line(tmp_path / "v.sock")
    yield Reporting(books, VAULT, SALT, line_, Clock())
    line_.close()


def write(books: Engine) -> None:
    for passage in passages(decided(evening()), 1_000):
        record(books, [passage])


def heard(verifier: Verifier) -> list[Told]:
    """What the verifier has been told, in short."""
    return [
        (one["kind"], (one["auction_id"] or "").removeprefix("auction_k3f9_"), one["serial"])
        for one in verifier.news
    ]


def by_object(told: list[Told]) -> dict[str | None, list[Told]]:
    return {serial: [one for one in told if one[2] == serial] for _, _, serial in told}


# ── Telling ──────────────────────────────────────────────────────────────────────────────


async def test_everything_is_told_once_and_in_order(house: Reporting, verifier: Verifier) -> None:
    """Each object's own news in its order; told again, nothing is left to be told."""
    write(house.books)
    reporter = Reporter(house)
    await reporter.tell()
    assert by_object(heard(verifier)) == by_object(TELLS)
    assert len(verifier.heard) == len(TELLS)
    await reporter.tell()
    assert len(verifier.heard) == len(TELLS)
    assert all(row.done_at == AT and row.reason is None for row in rows(house.books))


async def test_news_says_all_that_was_agreed(house: Reporting, verifier: Verifier) -> None:
    """Every name of the internal API, and the buyer as they are known when it is told."""
    with writing(house.books) as connection:
        profile = Profile(email="ana@example.test", first_name="Ana", last_name="Lind")
        people.write_down(connection, VAULT, "test", "cons_ana", profile, AT)
    write(house.books)
    await Reporter(house).tell()
    told = {(one["kind"], one["serial"]): one for one in verifier.news}
    sold = told["sold", "A1"]
    assert len(sold.pop("origin")) == 64
    assert sold.pop("at") > AT
    assert sold == {
        "kind": "sold",
        "mode": "test",
        "serial": "A1",
        "auction_id": "auction_k3f9_sold",
        "lot_number": "SOLD",
        "hammer_price": 20_000,
        "currency": "EUR",
        "exponent": 2,
        "consumer_id": "cons_ana",
        "name": "Ana Lind",
        "email": "ana@example.test",
    }
    assert told["sold", "G1"]["name"] is None  # nobody knows Cy
    assert told["listed", "A1"]["consumer_id"] is None
    assert len({frozenset(one) for one in verifier.news if one is not sold}) == 1


async def test_who_was_forgotten_is_not_named_any_more(
    house: Reporting, verifier: Verifier
) -> None:
    """The row holds no name: what is told is what is known by then."""
    with writing(house.books) as connection:
        profile = Profile(email="ana@example.test", first_name="Ana")
        people.write_down(connection, VAULT, "test", "cons_ana", profile, AT)
    write(house.books)
    rights.erase(house.books, VAULT, "cons_ana", AT)
    await Reporter(house).tell()
    assert "Ana" not in repr(verifier.news)
    assert "ana@" not in repr(verifier.news)
    assert [one["consumer_id"] for one in verifier.news if one["kind"] == "erased"] == ["cons_ana"]


async def test_what_is_not_taken_stays_visible(house: Reporting, verifier: Verifier) -> None:
    """An error in the log and the reason in the row; what follows is told all the same."""
    write(house.books)
    verifier.takes = lambda one: (
        {"recorded": False, "reason": "its binding is broken"}
        if one["serial"] == "A1"
        else {"recorded": False, "reason": "already"}
    )
    with capture_logs() as logs:
        await Reporter(house).tell()
    assert {row.reason for row in rows(house.books) if row.serial == "A1"} == {
        "its binding is broken"
    }
    assert {row.reason for row in rows(house.books) if row.serial != "A1"} == {None}
    assert {(entry["log_level"], entry["serial"]) for entry in logs} == {("error", "A1")}
    assert news.due(house.books) == []


async def test_what_is_taken_later_keeps_only_its_object(
    house: Reporting, verifier: Verifier
) -> None:
    """503 for one object: it waits, in its order, ever longer; the others do not."""
    write(house.books)
    clock: Any = house.now
    tried: list[int] = []

    def takes(one: Json) -> Json | None:
        if one["serial"] != "A1" or clock.ms >= AT + 9_000:
            return {"recorded": True, "reason": None}
        tried.append(clock.ms - AT)
        return None

    verifier.takes = takes
    reporter = Reporter(house)
    while clock.ms < AT + 20_000:
        await reporter.tell()
        clock.ms += 500
    assert tried == [0, 1_000, 3_000, 8_000]
    assert by_object(heard(verifier)) == by_object(TELLS)


async def test_an_answer_that_makes_no_sense_is_asked_for_again(
    house: Reporting, verifier: Verifier
) -> None:
    """What was not understood was not told."""
    write(house.books)
    verifier.takes = lambda _one: {"taken": "yes"}
    with pytest.raises(Unreachable):
        await Reporter(house).tell()
    assert all(row.done_at is None for row in rows(house.books))


async def test_a_verifier_that_is_away_is_waited_for(
    house: Reporting, verifier: Verifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line in the log however long it takes, and one when it is back."""
    monkeypatch.setattr(line, "STARTS_WITHIN_S", 0.0)
    monkeypatch.setattr(reporting, "_AFTER_TROUBLE_S", (0.01,))
    (tmp_path / "v.sock").rename(tmp_path / "away")
    write(house.books)
    with capture_logs() as logs:
        reports = asyncio.create_task(report(house, asyncio.Event()))
        await asyncio.sleep(0.1)
        (tmp_path / "away").rename(tmp_path / "v.sock")
        async with asyncio.timeout(10):
            while len(verifier.news) < len(TELLS):
                await asyncio.sleep(0.01)
            while len(logs) < 2:
                await asyncio.sleep(0.01)
        reports.cancel()
        await asyncio.gather(reports, return_exceptions=True)
    assert [entry["event"] for entry in logs] == [
        "the verifier is not told of the sales",
        "the verifier is told of the sales again",
    ]


async def test_who_writes_something_down_wakes_the_reporter(
    house: Reporting, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not wait for its next look."""
    monkeypatch.setattr(reporting, "LOOK_AGAIN_S", 60.0)
    wake = asyncio.Event()
    reports = asyncio.create_task(report(house, wake))
    async with asyncio.timeout(10):
        while not verifier.heard:
            await asyncio.sleep(0.01)
        write(house.books)
        wake.set()
        while len(verifier.news) < len(TELLS):
            await asyncio.sleep(0.01)
    reports.cancel()
    await asyncio.gather(reports, return_exceptions=True)


# ── Listening ────────────────────────────────────────────────────────────────────────────


def said(number: int, mode: str = "test") -> Json:
    return {
        "number": number,
        "type": "verification.completed",
        "mode": mode,
        "at": AT + number,
        "data": {"serial": "A1", "verdict": "authentic", "confidence": 0.9},
    }


def subscribe(books: Engine) -> None:
    webhooks.create(
        books,
        b"key",
        "test",
        "https://shop.example/hook",
        ["verification.completed"],
        AT - 1_000,
        allow_private=False,
    )


def deliveries(books: Engine) -> list[int]:
    """When what waits to be told happened, in its order."""
    table = webhooks.deliveries
    with books.connect() as connection:
        found = connection.scalars(select(table.c.created_at).order_by(table.c.number))
        return [at - AT for at in found]


async def test_a_long_list_is_read_to_its_end(house: Reporting, verifier: Verifier) -> None:
    """Page by page; next time only what is new."""
    subscribe(house.books)
    verifier.happenings = [said(number) for number in range(1, 251)]
    reporter = Reporter(house)
    await reporter.listen()
    verifier.happenings += [said(260), said(300, "live"), said(301)]
    await reporter.listen()
    assert deliveries(house.books) == [*range(1, 251), 260, 301]
    assert news.heard_up_to(house.books) == 301
    assert verifier.heard[-1].target == "/internal/happenings?after=301&limit=100"


# ── Killed in between ────────────────────────────────────────────────────────────────────


class _Killed(Exception):
    """What stands for a kill."""


class _Steps:
    """Counts every step that is done, and kills before one and after another."""

    def __init__(self, killed_at: int) -> None:
        self._left = killed_at

    def _pass(self) -> None:
        self._left -= 1
        if self._left == -1:
            raise _Killed

    def of(self, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same work, in a thread, with a chance to be killed on either side of it."""

        def do(*arguments: Any) -> Any:
            self._pass()
            found = work(*arguments)
            self._pass()
            return found

        return do

    def of_line(self, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same for what is asked of the verifier."""

        async def do(*arguments: Any) -> Any:
            self._pass()
            found = await work(*arguments)
            self._pass()
            return found

        return do


@contextmanager
def killed_at(step: int, house: Reporting) -> Iterator[Callable[..., Any]]:
    """Every step of the clerk's counts; what writes the archive is handed out."""
    steps = _Steps(step)
    with pytest.MonkeyPatch.context() as patch:
        for work in ("done", "pass_on"):
            patch.setattr(news, work, steps.of(getattr(news, work)))
        for work in ("post", "get"):
            patch.setattr(house.line, work, steps.of_line(getattr(house.line, work)))
        yield steps.of(record)


async def live_through(house: Reporting, write_down: Callable[..., Any]) -> None:
    """From wherever the books are to the end of the evening, its payment, and what is said."""
    turns = passages(decided(evening()), 20)
    reporter = Reporter(house)
    for turn in turns:
        if archive.position(house.books, 0) == turn.before.seq:
            write_down(house.books, [turn])
        await reporter.tell()
        await reporter.listen()
    with writing(house.books) as connection:
        news.paid(connection, "test", "A1", CLAIMS, AT)
    await reporter.tell()


@BOTH
async def test_whoever_is_killed_between_two_steps_tells_everything_once(
    house: Reporting, verifier: Verifier
) -> None:
    """A clerk that dies at the first step, the next at the second of what is left, and so on:
    each origin is taken once, in its object's order, and each happening is passed on once."""
    subscribe(house.books)
    verifier.happenings = [said(number) for number in range(1, 4)]
    taken: list[Json] = []
    repeated = 0

    def takes(one: Json) -> Json:
        nonlocal repeated
        if any(one["origin"] == before["origin"] for before in taken):
            repeated += 1
            return {"recorded": False, "reason": "already"}
        taken.append(one)
        return {"recorded": True, "reason": None}

    verifier.takes = takes
    kills = 0
    while True:
        # Another step each time: before and after everything that is done somewhere.
        with killed_at(kills % 7, house) as write_down:
            try:
                await live_through(house, write_down)
                break
            except _Killed:
                kills += 1
                assert kills < 500
    assert kills > 20
    assert repeated > 0
    assert by_object(heard(verifier)) == by_object([*TELLS, LATER])
    assert deliveries(house.books) == [1, 2, 3]
    assert all(row.reason is None for row in rows(house.books))


@BOTH
async def test_books_that_fail_are_waited_for(
    house: Reporting, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was told and could not be written down is told again, and known by its origin."""
    monkeypatch.setattr(reporting, "_AFTER_TROUBLE_S", (0.01,))
    write(house.books)
    real, failures = news.done, 3

    def done(*arguments: Any) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise BooksError("the disk is full")
        real(*arguments)

    monkeypatch.setattr(news, "done", done)
    reports = asyncio.create_task(report(house, asyncio.Event()))
    async with asyncio.timeout(10):
        while any(row.done_at is None for row in rows(house.books)):
            await asyncio.sleep(0.01)
    reports.cancel()
    await asyncio.gather(reports, return_exceptions=True)
    assert len([one for one in verifier.heard if one.method == "POST"]) == len(TELLS) + 3
    assert by_object(heard(verifier)) == by_object(TELLS)
