"""The reporter: tells the verifier what the sales did, and hears what it has to say outside.

In the clerk's process.  News goes out one thing at a time for each object, in the order in
which it was written down, until it is answered; a kill between telling and writing down that
it was told leads to a second telling, which the verifier knows by its origin and takes once.
What it will not take is kept with its reason and said in the log: somebody has to look.

Its own happenings (a verification, an alarm, a transfer) are fetched by their number, and
whom to tell of them is written down in one transaction with that number.

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
from gateway.books.news import Due, Heard
from gateway.books.store import BooksError, Vault
from gateway.core.webhooks import Happening
from gateway.line import Answer, Line, Unreachable

LOOK_AGAIN_S: Final = 1.0  # for what gateways write down, and for what the verifier has to say
_AFTER_TROUBLE_S: Final = (1.0, 2.0, 5.0, 10.0)  # then the last, again and again
_TROUBLE: Final = 4  # answers of 503 to one thing, some eight seconds
_A_PAGE: Final = 100
_OF_BUYERS: Final = ("sold", "paid")  # of whom the verifier writes down who it is

_log: Final = structlog.stdlib.get_logger()


class _Taken(Struct, frozen=True):
    recorded: bool
    reason: str | None = None


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

    *wake* is set by whoever has written something down in this process.
    """
    reporter = Reporter(reporting)
    failures = 0
    while True:
        wake.clear()  # before looking: what is written from now on wakes again
        try:
            await reporter.tell()
            await reporter.listen()
        except (Unreachable, BooksError) as failure:
            if not failures:
                _log.warning("the verifier is not told of the sales", reason=str(failure))
            await asyncio.sleep(_pause_s(failures))
            failures += 1
            continue
        if failures:
            _log.info("the verifier is told of the sales again")
        failures = 0
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(wake.wait(), LOOK_AGAIN_S)


def _pause_s(failures: int) -> float:
    return _AFTER_TROUBLE_S[min(failures, len(_AFTER_TROUBLE_S) - 1)]


class Reporter:
    """What is told and heard, and what the verifier could not take yet."""

    def __init__(self, reporting: Reporting) -> None:
        self._reporting = reporting
        # By number: when to try again, and how often it was tried so far.
        self._put_off: dict[int, tuple[int, int]] = {}

    # ── Telling ──────────────────────────────────────────────────────────────────────────

    async def tell(self) -> None:
        """Tell whatever is to be told now.  Raises ``Unreachable``."""
        reporting = self._reporting
        while True:
            waiting = await asyncio.to_thread(news.due, reporting.books)
            now = reporting.now()
            waiting = [one for one in waiting if self._put_off.get(one.number, (0, 0))[0] <= now]
            if not waiting:
                return
            for one in waiting:
                await self._tell(one)

    async def _tell(self, one: Due) -> None:
        reporting = self._reporting
        said = {name: value for name, value in one._asdict().items() if name != "number"}
        said |= await asyncio.to_thread(_person, reporting, one)
        answer = await reporting.line.post("/internal/news", said)
        if answer.status >= 500:
            self._wait(one, answer.status)
            return
        reason = _why_not(answer)
        if reason is not None:
            # Most of those who are forgotten have never owned an object.
            note = _log.info if one.kind == "erased" else _log.error
            note("the verifier did not take the news", reason=reason, **_named(one))
        await asyncio.to_thread(news.done, reporting.books, one, reason, reporting.now())
        self._put_off.pop(one.number, None)

    def _wait(self, one: Due, status: int) -> None:
        """It cannot be taken yet; what else is told of the same object waits behind it."""
        _, failures = self._put_off.get(one.number, (0, 0))
        if failures == _TROUBLE:  # the demonstration's objects are entered sooner
            _log.warning("the verifier takes the news later", status=status, **_named(one))
        again_at = self._reporting.now() + int(_pause_s(failures) * 1000)
        self._put_off[one.number] = (again_at, failures + 1)

    # ── Listening ────────────────────────────────────────────────────────────────────────

    async def listen(self) -> None:
        """Pass on whatever the verifier has to say.  Raises ``Unreachable``."""
        reporting = self._reporting
        after = await asyncio.to_thread(news.heard_up_to, reporting.books)
        while True:
            target = f"/internal/happenings?after={after}&limit={_A_PAGE}"
            page = (await reporting.line.get(target)).read(_Page)
            if not page.happenings:
                return
            found = [_heard(said) for said in page.happenings]
            await asyncio.to_thread(news.pass_on, reporting.books, found, reporting.salt)
            after = found[-1].number


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
