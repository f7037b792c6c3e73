"""The shell around the session: lines that break, answers that are awaited, over a fake house.

The fake house is a script in memory: it hands out lines, hears frames, and says what the test
tells it to.  The client's clock and die are the test's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from loadtests.client import (
    BidRejected,
    Client,
    Line,
    LineLost,
    SessionEnded,
    dial_in_turn,
    until_open,
)
from loadtests.core.view import Message
from tests.loadtests.test_view import price, snapshot

LOT = "auction_a_1"
PATIENCE_S = 5.0


class FakeLine:
    """A line whose other end is the test."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Message] = asyncio.Queue()
        self._said: asyncio.Queue[Message | LineLost] = asyncio.Queue()
        self.closed = False

    async def send(self, text: str) -> None:
        self.heard.put_nowait(msgspec.json.decode(text))

    async def receive(self) -> str | bytes:
        said = await self._said.get()
        if isinstance(said, LineLost):
            raise said
        return msgspec.json.encode(said)

    async def close(self) -> None:
        self.closed = True

    def say(self, frame: Message) -> None:
        """The house says something."""
        self._said.put_nowait(frame)

    def lose(self, code: int = 1006) -> None:
        """The line breaks."""
        self._said.put_nowait(LineLost(code, ""))

    async def next(self) -> Message:
        """The next frame that the client sends."""
        return await asyncio.wait_for(self.heard.get(), PATIENCE_S)

    async def welcome(self) -> None:
        """Hear the hello and answer it."""
        assert (await self.next())["type"] == "hello"
        self.say({"type": "welcome", "role": "bidder"})


class FakeHouse:
    """Hands out lines; the first *refused* calls find nobody."""

    def __init__(self, refused: int = 0) -> None:
        self.lines: asyncio.Queue[FakeLine] = asyncio.Queue()
        self.refused = refused

    async def dial(self) -> Line:
        if self.refused:
            self.refused -= 1
            raise LineLost(1006, "nobody there")
        line = FakeLine()
        self.lines.put_nowait(line)
        return line

    async def line(self) -> FakeLine:
        """The line that the client has opened."""
        return await asyncio.wait_for(self.lines.get(), PATIENCE_S)


@asynccontextmanager
async def running(house: FakeHouse) -> AsyncIterator[Client]:
    """A client of *house* whose die always shows 0, so that nothing is waited for."""
    client = Client(house.dial, {"key": "pk_1"}, draw=lambda _most: 0)
    session = asyncio.create_task(client.run())
    try:
        yield client
    finally:
        session.cancel()
        await asyncio.wait({session})


def result(cmd_id: str) -> Message:
    """An accepted bid's answer."""
    return {"type": "result", "auctionId": LOT, "cmdId": cmd_id, "seq": 1, "outcome": "accepted"}


async def test_a_bid_survives_its_line() -> None:
    """A bid whose line broke before the answer is sent again on the next one, and answered."""
    house = FakeHouse()
    async with running(house) as client:
        first = await house.line()
        await first.welcome()
        bid = asyncio.create_task(client.bid(LOT, "c1", 100))
        asked = await first.next()
        first.lose()
        second = await house.line()
        await second.welcome()
        assert await second.next() == asked
        second.say(result("c1"))
        assert await asyncio.wait_for(bid, PATIENCE_S) == result("c1")


async def test_a_house_that_is_not_there_is_dialled_again() -> None:
    """Wishes wait until somebody answers."""
    house = FakeHouse(refused=3)
    async with running(house) as client:
        bid = asyncio.create_task(client.bid(LOT, "c1", 100))
        line = await house.line()
        await line.welcome()
        assert (await line.next())["cmdId"] == "c1"
        line.say(result("c1"))
        await asyncio.wait_for(bid, PATIENCE_S)


async def test_an_overloaded_house_is_asked_again() -> None:
    """``overloaded`` does not reach the caller: each time the alarm rings the bid goes out."""
    house = FakeHouse()
    async with running(house) as client:
        line = await house.line()
        await line.welcome()
        bid = asyncio.create_task(client.bid(LOT, "c1", 100))
        asked = await line.next()
        error = {"type": "error", "code": "overloaded", "message": "Later."}
        for _ in range(3):
            line.say({**error, "auctionId": LOT, "cmdId": "c1", "retryAfterMs": 20})
            assert await line.next() == asked
        line.say(result("c1"))
        await asyncio.wait_for(bid, PATIENCE_S)


async def test_a_rejected_bid_raises() -> None:
    """A definite error is the caller's to know."""
    house = FakeHouse()
    async with running(house) as client:
        line = await house.line()
        await line.welcome()
        bid = asyncio.create_task(client.bid(LOT, "c1", 100))
        await line.next()
        error = {"type": "error", "code": "invalid", "message": "No."}
        line.say({**error, "auctionId": LOT, "cmdId": "c1"})
        with pytest.raises(BidRejected, match="invalid: No\\."):
            await asyncio.wait_for(bid, PATIENCE_S)


async def test_a_lot_entered_a_moment_ago_is_waited_for() -> None:
    """``not_found`` is asked again, and a lot that is not open yet is followed until it is."""
    house = FakeHouse()
    async with running(house) as client:
        line = await house.line()
        await line.welcome()
        opened = asyncio.create_task(until_open(client, LOT, PATIENCE_S))
        await line.next()
        line.say({"type": "error", "code": "not_found", "message": "No.", "auctionId": LOT})
        assert (await line.next())["type"] == "subscribe"
        closed = snapshot()
        closed["auction"]["status"] = "scheduled"
        line.say(closed)
        line.say(price(42, 100, type="opened", status="open"))
        await asyncio.wait_for(opened, PATIENCE_S)


async def test_a_session_that_is_refused_fails_all_who_wait() -> None:
    """After 4401 nobody is left waiting, and ``run`` says why."""
    house = FakeHouse()
    client = Client(house.dial, {"key": "pk_1"}, draw=lambda _most: 0)
    session = asyncio.create_task(client.run())
    bid = asyncio.create_task(client.bid(LOT, "c1", 100))
    line = await house.line()
    await line.next()
    line.lose(4401)
    for waiting in (session, bid):
        with pytest.raises(SessionEnded, match="4401"):
            await asyncio.wait_for(waiting, PATIENCE_S)
    assert line.closed


async def test_a_door_lets_in_so_many_at_once() -> None:
    """No more dials are under way than allowed, and all come in in the end."""
    under_way, most = 0, 0

    async def slow() -> Line:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return FakeLine()

    dial = dial_in_turn(slow, 3)
    await asyncio.gather(*(dial() for _ in range(20)))
    assert most == 3
