"""Gateways that share one allowance, over a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
import redis
import structlog

from engine.streams import Gossip
from gateway import neighbours
from gateway.core.limits import Bucket, Buckets
from gateway.core.rostrum import Reach
from gateway.neighbours import Neighbours
from gateway.settings import Rate
from tests import servers
from tests.processes import PATIENCE_S

RATE = Rate(per_second=0.01, burst=10)  # so slow that nothing is refilled during a test
ADA = "bid:cons_ada"


class Counting:
    """One gateway's limits: its buckets and its line to the others."""

    def __init__(self, url: str, name: str, house: str = "house") -> None:
        self.neighbours = Neighbours(url, house, name)
        self.bids = Buckets(RATE, self.neighbours.taken)
        self.neighbours.buckets = {"bid": self.bids}

    def bucket(self, name: str = ADA) -> Bucket:
        bucket = self.bids.of(name, now())
        assert bucket is not None
        return bucket

    def takes(self, count: int, name: str = ADA) -> int:
        """How many of so many bids pass."""
        return sum(self.bucket(name).take(now()) == 0 for _ in range(count))

    def left(self, name: str = ADA) -> int:
        return self.bucket(name).left(now())


def now() -> float:
    return asyncio.get_running_loop().time()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():
            await asyncio.sleep(0.002)


@asynccontextmanager
async def gateways(url: str, *names: str, house: str = "house") -> AsyncIterator[list[Counting]]:
    """Gateways that hear each other."""
    made = [Counting(url, name, house) for name in names]
    gossiping = [asyncio.create_task(one.neighbours.gossip()) for one in made]
    try:
        await until(lambda: all(one.neighbours.connected for one in made))
        yield made
    finally:
        for task in gossiping:
            task.cancel()
        await asyncio.gather(*gossiping, return_exceptions=True)


async def test_what_one_gateway_gives_is_gone_at_the_other(valkey: str) -> None:
    """A burst taken at one of them leaves nothing at the other, and nobody else has less."""
    async with gateways(valkey, "g1", "g2", "g3") as [first, second, third]:
        assert first.takes(7) == 7
        await until(lambda: second.left() == third.left() == 3)
        assert second.takes(40) == 3
        await until(lambda: first.left() == third.left() == 0)
        assert first.takes(40) == third.takes(40) == 0
        assert third.left("bid:cons_bram") == 10


async def test_forty_at_once_over_two_gateways(valkey: str) -> None:
    """Taken faster than a message travels, at most one more burst passes; it is owed, so that
    in the long run no more was given than the rate allows."""
    async with gateways(valkey, "g1", "g2") as both:
        overshoot = RATE.burst  # by the one further gateway

        async def one_bid(number: int) -> int:
            await asyncio.sleep(0)
            return both[number % 2].takes(1)

        passed = sum(await asyncio.gather(*[one_bid(number) for number in range(40)]))
        assert RATE.burst <= passed <= RATE.burst + overshoot
        owed_s = passed / RATE.per_second - 1  # of refilling, less the test's own second
        await until(lambda: all(one.bucket().full_in(now()) > owed_s for one in both))
        assert [one.takes(40) for one in both] == [0, 0]


async def test_forty_in_a_row_are_exactly_the_burst(valkey: str) -> None:
    """Where the word of each token has come round before the next is asked for."""
    async with gateways(valkey, "g1", "g2") as [first, second]:
        passed = 0
        for number in range(40):
            asked, other = (first, second) if number % 2 else (second, first)
            passed += asked.takes(1)
            left = asked.left()
            await until(lambda other=other, left=left: other.left() == left)  # type: ignore[misc]
        assert passed == RATE.burst


async def test_a_refusal_costs_nobody_anything(valkey: str) -> None:
    """Who asks again and again at one gateway owes nothing at the other."""
    async with gateways(valkey, "g1", "g2") as [first, second]:
        assert first.takes(500) == 10
        await until(lambda: second.left() == 0)
        first.takes(500)
        first.takes(1, "bid:cons_bram")  # told after whatever was told before
        await until(lambda: second.left("bid:cons_bram") == 9)
        assert second.bucket().full_in(now()) <= RATE.burst / RATE.per_second


async def test_two_houses_on_one_server(valkey: str) -> None:
    """Each counts its own bidders."""
    async with (
        gateways(valkey, "g1", "g2") as [first, second],
        gateways(valkey, "g1", house="another") as [stranger],
    ):
        first.takes(10)
        await until(lambda: second.left() == 0)
        assert stranger.left() == 10


async def test_what_is_no_neighbours_word_counts_for_nothing(valkey: str) -> None:
    """Any bytes on the channel: said in the log, and the gossip goes on."""
    async with gateways(valkey, "g1", "g2") as [first, second]:
        line = await Gossip.open(valkey, "fairwarning:house:taken")
        with structlog.testing.capture_logs() as logged:
            for message in (b"", b"\xff", b"\x92\xa1x\x81\xa1y\xa1z", b"\x92\xa1\xff\x80"):
                await line.say(message)
            first.takes(2)
            await until(lambda: second.left() == 8)
        assert {entry["event"] for entry in logged} == {"a neighbour cannot be understood"}
        await line.close()


async def test_what_is_told_is_kept_by_nobody(valkey: str) -> None:
    """The server that holds the log has not one key more."""
    async with gateways(valkey, "g1", "g2") as [first, second]:
        first.takes(3)
        await until(lambda: second.left() == 7)
    with redis.Redis.from_url(valkey) as client:
        assert client.dbsize() == 0


async def test_without_a_line_each_counts_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server dies: bids are still counted here; it comes back: together again.  Both are
    said once."""
    monkeypatch.setattr(neighbours, "TRY_AGAIN_S", 0.01)
    with servers.socket_folder() as folder:
        with structlog.testing.capture_logs() as logged:
            with servers.valkey_in(folder) as server:
                url = server.url
                first, second = Counting(url, "g1"), Counting(url, "g2")
                tasks = [asyncio.create_task(one.neighbours.gossip()) for one in (first, second)]
                await until(lambda: first.neighbours.connected and second.neighbours.connected)
            await until(lambda: not first.neighbours.connected)
            await until(lambda: not second.neighbours.connected)
            assert (first.takes(40), second.takes(40)) == (10, 10)
            with servers.valkey_in(folder):
                await until(lambda: first.neighbours.connected and second.neighbours.connected)
                assert first.takes(3, "bid:cons_bram") == 3
                await until(lambda: second.left("bid:cons_bram") == 7)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        said = [entry["event"] for entry in logged]
        assert said.count("each gateway counts its limits alone") == 2
        assert said.count("the gateways share their limits again") == 2


async def test_fingers_and_who_is_there_are_told_to_the_others(valkey: str) -> None:
    """Each gateway hears of the other's, never of its own; what is old counts no more."""
    pointed: list[tuple[str, int, bool]] = []
    async with gateways(valkey, "g1", "g2") as [first, second]:
        second.neighbours.pointed_elsewhere = lambda *finger: pointed.append(finger)
        first.neighbours.pointed_elsewhere = lambda *finger: pointed.append(finger)
        first.neighbours.pointed("auction_k3f9_1", 412, True)
        first.neighbours.present({"auction_k3f9_1": Reach(9, 5, 4)})
        await until(lambda: bool([*second.neighbours.present_elsewhere("auction_k3f9_1")]))
        assert pointed == [("auction_k3f9_1", 412, True)]
        assert [*second.neighbours.present_elsewhere("auction_k3f9_1")] == [Reach(9, 5, 4)]
        assert [*second.neighbours.present_elsewhere("auction_k3f9_2")] == []
        first.takes(1)  # told after it
        await until(lambda: second.left() == 9)
        assert [*first.neighbours.present_elsewhere("auction_k3f9_1")] == []


def test_who_has_said_nothing_lately_is_not_counted() -> None:
    """A gateway that has gone takes its readers along."""
    instant = [100.0]
    mine = Neighbours("redis://nowhere", "house", "g1", lambda: instant[0])
    mine._hear(msgspec.msgpack.encode(["present", "g2", {"auction_k3f9_1": [9, 5, 4]}]))
    assert [*mine.present_elsewhere("auction_k3f9_1")] == [Reach(9, 5, 4)]
    instant[0] += neighbours.PRESENT_FOR_S + 0.1
    assert [*mine.present_elsewhere("auction_k3f9_1")] == []
