"""The reporter against a real server: order, patience, and every kill in between."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, select
from structlog.testing import capture_logs

from engine.core.codec import GENESIS
from gateway import archive, line, reporting
from gateway.archive import Bookmark
from gateway.books import news, people, rights, webhooks
from gateway.books.news import UpTo
from gateway.books.people import Profile
from gateway.books.store import BooksError, Vault, open_books, reading, writing
from gateway.line import Line, Unreachable
from gateway.reporting import Reporter, Reporting, report
from tests.gateway.decisions import AT, LINEAGE, SALT, decided, passages
from tests.gateway.scripted_verifier import Json, Verifier, on_socket, serving
from tests.gateway.selling_objects import TELLS, Told, evening, record, rows
from tests.gateway.token_house import BOTH, empty_database
from tests.verifier.api.house import Reader, house_of
from tests.verifier.registry import desk
from tests.verifier.registry.conftest import opened
from verifier.registry import happenings, transfers
from verifier.registry.objects import Object
from verifier.store import Store

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
        async with asyncio.timeout(30):
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
    assert news.heard_up_to(house.books) == UpTo(301, AT + 301)
    target = f"/internal/happenings?after=301&limit=100&at={AT + 301}"
    assert verifier.heard[-1].target == target


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

        def do(*arguments: Any, **more: Any) -> Any:
            self._pass()
            found = work(*arguments, **more)
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
        for work in ("done", "pass_on", "forgotten"):
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
        with killed_at(kills % 9, house) as write_down:
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

    def done(*arguments: Any, **more: Any) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise BooksError("the disk is full")
        real(*arguments, **more)

    monkeypatch.setattr(news, "done", done)
    reports = asyncio.create_task(report(house, asyncio.Event()))
    async with asyncio.timeout(30):
        while any(row.done_at is None for row in rows(house.books)):
            await asyncio.sleep(0.01)
    reports.cancel()
    await asyncio.gather(reports, return_exceptions=True)
    tellings = [one for one in verifier.heard if one.target == "/internal/news"]
    assert len(tellings) == len(TELLS) + 3
    assert by_object(heard(verifier)) == by_object(TELLS)


async def test_a_bug_is_said_with_its_trace_and_tried_again(
    house: Reporting, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong does not end the telling silently; said once, however often it comes."""
    monkeypatch.setattr(reporting, "_AFTER_TROUBLE_S", (0.01,))
    write(house.books)
    real, failures = news.due, 3

    def due(*arguments: Any) -> Any:
        nonlocal failures
        if failures:
            failures -= 1
            raise KeyError("a bug")
        return real(*arguments)

    monkeypatch.setattr(news, "due", due)
    with capture_logs() as logs:
        reports = asyncio.create_task(report(house, asyncio.Event()))
        async with asyncio.timeout(30):
            while len(logs) < 2 or any(row.done_at is None for row in rows(house.books)):
                await asyncio.sleep(0.01)
        reports.cancel()
        await asyncio.gather(reports, return_exceptions=True)
    assert [(entry["log_level"], bool(entry.get("exc_info"))) for entry in logs] == [
        ("error", True),
        ("info", False),
    ]


# ── A verifier that was put back to an older copy ────────────────────────────────────────


class Registry:
    """A real verifier on the real socket, whose database can be copied and put back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.store = self._opened()
        self.watch = desk.ready(self.store, AT)
        self.ring = desk.ready(self.store, AT, category="collectible")
        self.front = self._front()

    def _opened(self) -> Store:
        return opened(f"sqlite:///{self._folder}/verifier.db", self._folder)

    def _front(self) -> Any:
        application = house_of(self.store, AT, Reader()).web._transport
        assert isinstance(application, httpx.ASGITransport)
        return application.app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.front(scope, receive, send)

    def copy(self) -> None:
        """What lies on the disk, as it is now."""
        self.store.engine.dispose()
        shutil.copy(self._folder / "verifier.db", self._folder / "copy.db")

    def put_back(self) -> None:
        """Begin again with that copy."""
        self.store.engine.dispose()
        for name in ("verifier.db-wal", "verifier.db-shm"):
            (self._folder / name).unlink(missing_ok=True)
        shutil.copy(self._folder / "copy.db", self._folder / "verifier.db")
        self.store = self._opened()
        self.front = self._front()

    def tell(self, at: int) -> None:
        """Something for webhooks."""
        with writing(self.store.engine) as connection:
            happenings.tell(connection, happenings.VERIFIED, "test", {"at": at}, at)

    def history(self, found: Object) -> list[str]:
        """The types of its events since it was catalogued, the chain being whole."""
        assert desk.check(self.store, found).intact
        return desk.types(self.store, found)[-2:]

    def transfer(self, found: Object) -> str | None:
        """How the transfer to the winner stands."""
        with reading(self.store.engine) as connection:
            current = transfers.open_of(connection, found.row.object_id)
        return current and current.state


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    """A watch and a ring that can be listed."""
    found = Registry(tmp_path)
    async with serving(found, uds=str(tmp_path / "v.sock")):
        yield found
    found.store.engine.dispose()


def happen(books: Engine, registry: Registry, *kinds: str, auction: str = "auction_1") -> None:
    """The clerk writes down what an auction did to both objects."""
    sold = {"hammer_price": 20_000, "currency": "EUR", "exponent": 2}
    with writing(books) as connection:
        for kind in kinds:
            for found in (registry.watch, registry.ring):
                row = {
                    "origin": f"{auction} {kind} {found.row.serial}",
                    "kind": kind,
                    "mode": "test",
                    "serial": found.row.serial,
                    "auction_id": f"{auction} {found.row.serial}",
                    "lot_number": "1",
                    "consumer_id": "cons_ana" if kind in ("sold", "paid") else None,
                    "at": AT,
                    **(sold if kind == "sold" else {}),
                }
                connection.execute(news.news.insert(), row)


@pytest.fixture
async def clerk(books: Engine, registry: Registry, tmp_path: Path) -> AsyncIterator[Reporting]:
    """The clerk's side of a real verifier."""
    line_ = Line(tmp_path / "v.sock")
    yield Reporting(books, VAULT, SALT, line_, Clock())
    line_.close()


@pytest.mark.parametrize("is_running", [False, True], ids=["a new clerk", "the same clerk"])
async def test_an_older_copy_learns_the_sales_again(
    clerk: Reporting, registry: Registry, is_running: bool
) -> None:
    """Copied before the sale, put back after it: what follows is not turned down for good, and
    what was lost is told first; whatever the copy holds is there once."""
    reporter = Reporter(clerk)
    happen(clerk.books, registry, "listed")
    await reporter.tell()
    registry.copy()
    happen(clerk.books, registry, "sold")
    await reporter.tell()
    assert registry.transfer(registry.watch) == "awaiting_payment"
    registry.put_back()
    assert registry.transfer(registry.watch) is None
    happen(clerk.books, registry, "paid")
    if not is_running:
        reporter = Reporter(clerk)
    with capture_logs() as logs:
        await reporter.tell()
    assert [entry["pieces"] for entry in logs] == [2]
    for found in (registry.watch, registry.ring):
        assert registry.history(found) == ["listed", "sold"]
        assert registry.transfer(found) == "pending"
    assert all(row.done_at is not None and row.reason is None for row in rows(clerk.books))


async def test_an_older_copy_is_noticed_though_nothing_happens(
    clerk: Reporting, registry: Registry
) -> None:
    """Once a minute the clerk asks whether what it told last is still known."""
    clock: Any = clerk.now
    reporter = Reporter(clerk)
    registry.copy()
    happen(clerk.books, registry, "listed", "sold")
    await reporter.tell()
    registry.put_back()
    await reporter.tell()
    assert registry.transfer(registry.ring) is None
    clock.ms += 60_000
    await reporter.tell()
    assert registry.transfer(registry.ring) == "awaiting_payment"
    assert registry.history(registry.ring) == ["listed", "sold"]


async def test_killed_while_it_tells_again_nothing_is_doubled(
    clerk: Reporting, registry: Registry
) -> None:
    """A clerk that dies at each step in turn, and the copy that is put back in the middle of it:
    in its order, once each."""
    registry.copy()
    happen(clerk.books, registry, "listed", "sold", "paid")
    await Reporter(clerk).tell()
    registry.put_back()
    kills = 0
    while True:
        with killed_at(kills % 7, clerk):
            try:
                await Reporter(clerk).tell()
                break
            except _Killed:
                kills += 1
                assert kills < 200
        if kills == 12:
            registry.put_back()
    assert kills > 12
    for found in (registry.watch, registry.ring):
        assert registry.history(found) == ["listed", "sold"]
        assert desk.types(registry.store, found).count("sold") == 1
        assert registry.transfer(found) == "pending"
    assert all(row.reason is None for row in rows(clerk.books))


async def test_webhooks_hear_what_an_older_copy_says(clerk: Reporting, registry: Registry) -> None:
    """Its numbers are given out again: behind the one that was heard, up to it, and beyond it.
    What the copy holds is not told again."""
    subscribe(clerk.books)
    reporter = Reporter(clerk)
    registry.tell(AT + 1)
    await reporter.listen()
    registry.copy()
    for at in (2, 3):
        registry.tell(AT + at)
    await reporter.listen()
    for later in (10, 20, 30, 40):
        registry.put_back()
        await reporter.listen()
        for more in range(later // 10):
            registry.tell(AT + later + more)
        await reporter.listen()
    told = [1, 2, 3, 10, 20, 21, 30, 31, 32, 40, 41, 42, 43]
    assert deliveries(clerk.books) == told


async def test_a_new_verifier_is_heard_from_its_beginning(
    clerk: Reporting, registry: Registry
) -> None:
    """Nothing of the old one is left; its numbers begin again, and what it says is new."""
    subscribe(clerk.books)
    registry.copy()
    for at in (1, 2, 3):
        registry.tell(AT + at)
    await Reporter(clerk).listen()
    registry.put_back()
    for at in (4, 5, 6, 7):
        registry.tell(AT + at)
    await Reporter(clerk).listen()
    assert deliveries(clerk.books) == [1, 2, 3, 4, 5, 6, 7]
