"""The line to a verifier that has stopped: nobody waits without bound.

A real server on a real socket, which says nothing until the test lets it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import line
from gateway.line import Line, Unreachable

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


class Stopped:
    """A verifier that answers only while it runs; what it was asked meanwhile, afterwards."""

    def __init__(self) -> None:
        self.runs = asyncio.Event()
        self.asked = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.asked += 1
                await self.runs.wait()
                writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def hears(self, number: int) -> None:
        """Until it was asked so often."""
        async with asyncio.timeout(5):
            while self.asked < number:
                await asyncio.sleep(0.005)


@pytest.fixture
async def verifier(tmp_path: Path) -> AsyncIterator[Stopped]:
    """It listens, and is stopped."""
    stopped = Stopped()
    server = await asyncio.start_unix_server(stopped.talk, tmp_path / "v.sock", backlog=512)
    yield stopped
    stopped.runs.set()
    server.close()


@pytest.fixture
async def house(tmp_path: Path, verifier: Stopped) -> AsyncIterator[Line]:
    """The line to it."""
    found = Line(tmp_path / "v.sock")
    yield found
    found.close()


def asking(house: Line, number: int) -> list[asyncio.Task[line.Answer]]:
    """So many of the public, at once."""
    return [asyncio.create_task(house.ask(b"GET", b"/verify/x", ())) for _ in range(number)]


async def test_nobody_waits_for_a_place_without_bound(
    house: Line, verifier: Stopped, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more than there are places is refused, and the house's own question is still asked."""
    monkeypatch.setattr(line, "PLACE_WITHIN_S", 0.05)
    public = asking(house, line.PLACES)
    await verifier.hears(line.PLACES)
    with pytest.raises(Unreachable, match="places"):
        await asyncio.wait_for(house.ask(b"GET", b"/verify/x", ()), 5)
    own = asyncio.create_task(house.get("/internal/jwks"))
    await verifier.hears(line.PLACES + 1)
    verifier.runs.set()
    assert {answer.status for answer in await asyncio.gather(own, *public)} == {200}
    assert house._places._value == line.PLACES


async def test_the_houses_own_questions_are_given_up_soon(
    house: Line, verifier: Stopped, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked or told, for a place or for an answer: all within one deadline."""
    monkeypatch.setattr(line, "OWN_WITHIN_S", 0.2)
    many = [house.get("/internal/x") for _ in range(line.OWN_PLACES * 2)]
    async with asyncio.timeout(5):
        found = await asyncio.gather(*many, house.post("/internal/x", {}), return_exceptions=True)
    assert all(isinstance(one, Unreachable) for one in found)
    # One who waited may get a place at the last moment, and tries whether it is still silent.
    assert verifier.asked <= line.OWN_PLACES + 1


async def test_a_silent_verifier_is_tried_by_one_at_a_time(
    house: Line, verifier: Stopped, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a question that ran out of time all but one are refused at once, until it answers."""
    with monkeypatch.context() as patch:
        patch.setattr(line, "ANSWERS_WITHIN_S", 0.1)
        with pytest.raises(Unreachable, match="in time"):
            await house.ask(b"GET", b"/verify/x", ())
    (probe,) = asking(house, 1)
    await verifier.hears(2)
    async with asyncio.timeout(1):
        refused = await asyncio.gather(*asking(house, 300), return_exceptions=True)
        assert {str(one) for one in refused} == {"it is silent"}
        with pytest.raises(Unreachable, match="silent"):
            await house.get("/internal/jwks")
    assert verifier.asked == 2
    verifier.runs.set()
    assert (await probe).status == 200
    assert {(await one).status for one in asking(house, 3)} == {200}


async def test_one_slow_answer_is_no_silence(
    house: Line, verifier: Stopped, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While others are answered, a question that runs out of time shuts nobody out."""
    with monkeypatch.context() as patch:
        patch.setattr(line, "OWN_WITHIN_S", 0.3)
        slow = asyncio.create_task(house.get("/internal/x"))
        await verifier.hears(1)
    house._answers += 1  # somebody else's came meanwhile
    with pytest.raises(Unreachable, match="in time"):
        await slow
    asked = asking(house, 3)
    await verifier.hears(4)
    verifier.runs.set()
    assert {(await one).status for one in asked} == {200}
