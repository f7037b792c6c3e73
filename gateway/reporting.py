"""The reporter: tells the verifier what the sales did, and hears what it has to say outside.

In the clerk's process.  News goes out one thing at a time for each object, in the order in
which it was written down, until it is answered; a kill between telling and writing down that
it was told leads to a second telling, which the verifier knows by its origin and takes once.
What it will not take is kept with its reason and said in the log: somebody has to look.

An older copy of the verifier's database that is put back knows less than it was told.  With
each thing goes what was told last before it, and a verifier that does not know that takes
nothing; it is asked at the start and once a minute too.  Then everything that it was told is
compared with what it knows, and what is missing is told again, in its order.

Its own happenings (a verification, an alarm, a transfer) are fetched behind the last one that
was heard, and whom to tell of them is written down in one transaction with that.  A reader of
webhooks is told each of them at least once.  After an older copy was put back nothing that the
copy holds is told again; but what happens again, because it was lost, is told again under
another id, and a verifier that is put back before a happening was fetched never says it.

A verifier that is away is waited for; it never stops the house.  Leaves to others: what is news
(``gateway.books.news``), and telling webhooks (``gateway.deliveries``).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog
from msgspec import Struct
from sqlalchemy import Engine

from engine.core.messages import Mode
from gateway.books import news, people
from gateway.books.news import Due, Heard, UpTo
from gateway.books.store import BooksError, Vault
from gateway.core.webhooks import Happening
from gateway.line import Answer, Line, Unreachable

LOOK_AGAIN_S: Final = 1.0  # for what gateways write down, and for what the verifier has to say
_AFTER_TROUBLE_S: Final = (1.0, 2.0, 5.0, 10.0)  # then the last, again and again
_COMPARE_EVERY_MS: Final = 60_000  # where nothing is told that would show it
_TROUBLE: Final = 4  # answers of 503 to one thing, some eight seconds
_A_PAGE: Final = 100
_FORGOTTEN: Final = 409  # what was told before is not known
_OF_BUYERS: Final = ("sold", "paid")  # of whom the verifier writes down who it is

_log: Final = structlog.stdlib.get_logger()


class _Taken(Struct, frozen=True):
    recorded: bool
    reason: str | None = None


class _Known(Struct, frozen=True):
    known: list[str]


class _Said(Struct, frozen=True):
    number: int
    type: str
    mode: Mode
    at: int
    data: dict[str, Any]


class _Page(Struct, frozen=True):
    happenings: list[_Said]


@dataclass(frozen=True, slots=True)
class Reporting:
    """Everything that reporting needs; the clock is handed in by tests."""

    books: Engine
    vault: Vault
    salt: bytes
    line: Line
    now: Callable[[], int]


async def report(reporting: Reporting, wake: asyncio.Event) -> None:
    """Tell and listen, until canceled.

    *wake* is set by whoever has written something down in this process.  No sale hangs on this:
    a bug in it is said with its trace, and what was being done is tried again.
    """
    reporter = Reporter(reporting)
    failures = 0
    said = ""  # of a failure that nobody expected
    while True:
        wake.clear()  # before looking: what is written from now on wakes again
        try:
            await reporter.tell()
            await reporter.listen()
        except (Unreachable, BooksError) as failure:
            if not failures:
                _log.warning("the verifier is not told of the sales", reason=str(failure))
        except Exception as bug:
            if repr(bug) != said:
                said = repr(bug)
                _log.exception("telling the verifier of the sales went wrong")
        else:
            if failures:
                _log.info("the verifier is told of the sales again")
            failures, said = 0, ""
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), LOOK_AGAIN_S)
            continue
        await asyncio.sleep(_pause_s(failures))
        failures += 1


def _pause_s(failures: int) -> float:
    return _AFTER_TROUBLE_S[min(failures, len(_AFTER_TROUBLE_S) - 1)]


class Reporter:
    """What is told and heard, and what the verifier could not take yet."""

    def __init__(self, reporting: Reporting) -> None:
        self._reporting = reporting
        # By number: when to try again, and how often it was tried so far.
        self._put_off: dict[int, tuple[int, int]] = {}
        self._compare_at = 0

    # ── Telling ──────────────────────────────────────────────────────────────────────────

    async def tell(self) -> None:
        """Tell whatever is to be told now.  Raises ``Unreachable``."""
        reporting = self._reporting
        while True:
            if reporting.now() >= self._compare_at:
                await self._compare()
            waiting = await asyncio.to_thread(news.due, reporting.books)
            now = reporting.now()
            waiting = [one for one in waiting if self._put_off.get(one.number, (0, 0))[0] <= now]
            if not waiting:
                return
            for one in waiting:
                if not await self._tell(one):
                    self._compare_at = 0
                    break

    async def _tell(self, one: Due) -> bool:
        """Tell one thing; False: what was told before is not known there any more."""
        reporting = self._reporting
        said = {name: value for name, value in one._asdict().items() if name != "number"}
        said["after"] = await asyncio.to_thread(news.told_last, reporting.books)
        said |= await asyncio.to_thread(_person, reporting, one)
        answer = await reporting.line.post("/internal/news", said)
        if answer.status == _FORGOTTEN:
            return False
        if answer.status >= 500:
            self._wait(one, answer.status)
            return True
        reason = _why_not(answer)
        if reason is not None:
            # Most of those who are forgotten have never owned an object.
            note = _log.info if one.kind == "erased" else _log.error
            note("the verifier did not take the news", reason=reason, **_named(one))
        is_known = answer.status == 200
        now = reporting.now()
        await asyncio.to_thread(news.done, reporting.books, one, reason, now, is_known=is_known)
        self._put_off.pop(one.number, None)
        return True

    def _wait(self, one: Due, status: int) -> None:
        """It cannot be taken yet; what else is told of the same object waits behind it."""
        _, failures = self._put_off.get(one.number, (0, 0))
        if failures == _TROUBLE:  # the demonstration's objects are entered sooner
            _log.warning("the verifier takes the news later", status=status, **_named(one))
        again_at = self._reporting.now() + int(_pause_s(failures) * 1000)
        self._put_off[one.number] = (again_at, failures + 1)

    # ── Telling again ────────────────────────────────────────────────────────────────────

    async def _compare(self) -> None:
        """Have told again what the verifier was told and does not know."""
        books = self._reporting.books
        last = await asyncio.to_thread(news.told_last, books)
        if last is None or not await self._known([last]):
            missing: list[int] = []
            page = await asyncio.to_thread(news.all_told, books, 0)
            while page:
                known = await self._known([one.origin for one in page])
                missing += [one.number for one in page if one.origin not in known]
                page = await asyncio.to_thread(news.all_told, books, page[-1].number)
            if missing:
                _log.warning("the verifier has forgotten what it was told", pieces=len(missing))
            if missing or last is not None:
                await asyncio.to_thread(news.forgotten, books, missing)
        self._compare_at = self._reporting.now() + _COMPARE_EVERY_MS

    async def _known(self, origins: list[str]) -> set[str]:
        answer = await self._reporting.line.post("/internal/news/known", {"origins": origins})
        return set(answer.read(_Known).known)

    # ── Listening ────────────────────────────────────────────────────────────────────────

    async def listen(self) -> None:
        """Pass on whatever the verifier has to say.  Raises ``Unreachable``."""
        reporting = self._reporting
        after = await asyncio.to_thread(news.heard_up_to, reporting.books)
        while True:
            target = f"/internal/happenings?after={after.number}&limit={_A_PAGE}"
            if after.at is not None:
                target += f"&at={after.at}"
            page = (await reporting.line.get(target)).read(_Page)
            if not page.happenings:
                return
            found = [_heard(said) for said in page.happenings]
            await asyncio.to_thread(news.pass_on, reporting.books, found, reporting.salt)
            after = UpTo(found[-1].number, found[-1].happening.at)


def _why_not(answer: Answer) -> str | None:
    if answer.status != 200:
        return f"answered {answer.status}"
    taken = answer.read(_Taken)
    return None if taken.recorded or taken.reason == "already" else taken.reason or "not said"


def _named(one: Due) -> dict[str, str | None]:
    return {"kind": one.kind, "serial": one.serial, "auction": one.auction_id}


def _heard(said: _Said) -> Heard:
    return Heard(said.number, said.mode, Happening(said.type, said.at, said.data))


def _person(reporting: Reporting, one: Due) -> dict[str, str | None]:
    """Whom the verifier writes down as the buyer, as they are now."""
    nobody: dict[str, str | None] = {"name": None, "email": None}
    if one.kind not in _OF_BUYERS or one.consumer_id is None:
        return nobody
    person = people.by_id(reporting.books, reporting.vault, one.consumer_id)
    if person is None:
        return nobody
    names = (person.profile.first_name, person.profile.last_name)
    return {"name": " ".join(filter(None, names)) or None, "email": person.email}
