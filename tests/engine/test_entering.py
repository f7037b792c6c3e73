"""Entering what can wait: in order within a shard, once, and not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from engine import entering
from engine.core.codec import decode_commands
from engine.core.messages import Command, CreateSale, RegisterBidder, shard_of, shard_of_command
from engine.entering import NotEntered, enter
from engine.streams import Refused

SHARDS = 16
SALES = ("a", "b")  # in different shards


@dataclass
class Doorkeeper:
    """A log that gives the answers it was told to, then lets everything in."""

    answers: list[Refused] = field(default_factory=list)
    asked: int = 0
    let_in: list[tuple[int, list[Command]]] = field(default_factory=list)
    full: asyncio.Event = field(default_factory=asyncio.Event)  # it has refused somebody

    async def append(self, entries: Sequence[tuple[int, bytes]]) -> list[str | Refused]:
        self.asked += 1
        if self.answers:
            self.full.set()
            return [self.answers.pop(0) for _ in entries]
        self.let_in += [(shard, decode_commands(payload)) for shard, payload in entries]
        return ["1-0" for _ in entries]


@pytest.fixture
def wishes() -> list[Command]:
    """Two sales with 300 bidders each, by turns."""
    return [
        *(CreateSale(f"seq_{sale}", "Studio ceramics", "EUR", 2) for sale in SALES),
        *(
            RegisterBidder(f"seq_{sale}", f"cons_{number}")
            for number in range(300)
            for sale in SALES
        ),
    ]


async def test_everything_gets_in_once_and_in_the_order_of_its_shard(
    wishes: list[Command],
) -> None:
    """Several entries a shard, none larger than the engine takes, each command in its own."""
    log = Doorkeeper()
    await enter(log, SHARDS, wishes)
    assert [len(entry) for _, entry in log.let_in] == [128, 128, 45, 128, 128, 45]
    assert len({shard for shard, _ in log.let_in}) == 2
    for shard in {shard_of(f"seq_{sale}", SHARDS) for sale in SALES}:
        let_in = [wish for where, entry in log.let_in if where == shard for wish in entry]
        assert let_in == [wish for wish in wishes if shard_of_command(wish, SHARDS) == shard]


async def test_an_engine_that_is_not_there_yet_is_waited_for(
    wishes: list[Command], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused for want of a leader or for a backlog, it asks again, and overtakes nothing."""
    monkeypatch.setattr(entering, "_LATER_S", 0)
    log, undisturbed = Doorkeeper(["UNLED", "UNLED", "OVERLOADED"]), Doorkeeper()
    await enter(log, SHARDS, wishes)
    await enter(undisturbed, SHARDS, wishes)
    assert log.let_in == undisturbed.let_in
    assert log.asked == undisturbed.asked + 3


@pytest.mark.parametrize("answer", ["UNLED", "OVERLOADED"])
async def test_an_engine_that_never_comes_is_named(
    wishes: list[Command], monkeypatch: pytest.MonkeyPatch, answer: Refused
) -> None:
    """The waiting has an end, with a line that says which shard and why."""
    monkeypatch.setattr(entering, "_LATER_S", 0.001)
    monkeypatch.setattr(entering, "_PATIENCE_S", 0.05)
    log = Doorkeeper([answer] * 1_000)
    shard = shard_of(f"seq_{SALES[0]}", SHARDS)
    with pytest.raises(NotEntered, match=f"shard {shard} has taken nothing.*{answer}"):
        await enter(log, SHARDS, wishes)
    assert 1 < log.asked < 1_000
    assert log.let_in == []


async def test_what_is_too_big_is_not_tried_again(wishes: list[Command]) -> None:
    """A refusal that time does not heal ends it at once."""
    log = Doorkeeper(["TOO_BIG"])
    with pytest.raises(NotEntered, match="TOO_BIG"):
        await enter(log, SHARDS, wishes)
    assert log.asked == 1


async def test_told_to_stop_it_does_not_begin(wishes: list[Command]) -> None:
    """Nothing is asked of a log that is about to close."""
    stopping = asyncio.Event()
    stopping.set()
    log = Doorkeeper()
    await enter(log, SHARDS, wishes, stopping)
    assert log.asked == 0


async def test_a_stop_ends_the_waiting(
    wishes: list[Command], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told to stop between two questions, it asks no more, and does not wait for the next."""
    monkeypatch.setattr(entering, "_LATER_S", 3_600)
    stopping = asyncio.Event()
    log = Doorkeeper(["UNLED"] * 1_000)
    entered = asyncio.create_task(enter(log, SHARDS, wishes, stopping))
    async with asyncio.timeout(5):
        await log.full.wait()
        stopping.set()
        await entered
    assert log.asked == 1
