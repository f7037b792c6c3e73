"""The gateway's line to a real log: before somebody leads it, and what is decided there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from engine.clock import LogClock
from engine.core.messages import (
    AddLot,
    BidAnswer,
    CommandRefused,
    CommandTaken,
    EnterSale,
    PauseLot,
    PlaceBid,
    State,
    UnpauseLot,
    UpdateSale,
)
from engine.streams import Log
from gateway.core.view import LotView, Saleroom
from gateway.fanout import Hub
from gateway.feed import Feed
from tests.gateway.decisions import Leader, sale_of_lots
from tests.gateway.formats import SALE, TERMS, sealed_bid

LOT = "auction_k3f9_1"
BID = PlaceBid("auction_k3f9_1", "cons_anna", "a", 10_000, "bid")


class Patient:
    """Somebody who waits for an answer."""

    def __init__(self) -> None:
        self.sent_back = 0

    def answered(self, lot: LotView, event: BidAnswer) -> None:
        raise AssertionError("nobody decides in these tests")

    def not_taken(self, command: PlaceBid) -> None:
        self.sent_back += 1


@asynccontextmanager
async def feed_of(url: str, shards: int) -> AsyncIterator[Feed]:
    """A feed whose clock runs."""
    logs = [await Log.open(url) for _ in range(3)]
    hub = Hub(0, asyncio.get_running_loop().call_later)
    reader, writer, asker = logs
    feed = Feed(
        reader,
        writer,
        asker,
        shards=shards,
        saleroom=Saleroom(),
        hub=hub,
        clock=LogClock(time.monotonic),
    )
    tasks = [asyncio.create_task(feed.keep_time(asyncio.sleep))]
    tasks += [asyncio.create_task(work) for work in (feed.follow(), feed.deliver_mail())]
    try:
        yield feed
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for log in logs:
            await log.close()


async def test_a_gateway_takes_no_bid_before_somebody_has_led_since_it_started(
    valkey: str,
) -> None:
    """What a stop broke is made good by the leader's first command, and no bid comes before it."""
    leading = await Log.open(valkey)
    leaders = [await Leader.lead(leading, shard, 2) for shard in range(2)]
    await asyncio.sleep(0.002)  # the signs of life so far are older than the gateway
    waiter = Patient()
    async with feed_of(valkey, 2) as feed:
        feed.submit(BID, waiter)
        assert waiter.sent_back == 1
        assert "engine" in await feed.missing()

        await leaders[0].stay()
        feed.submit(BID, waiter)
        assert waiter.sent_back == 2, "one shard of two is not enough"

        async with asyncio.timeout(5):
            while not feed.takes_bids:
                for leader in leaders:  # the gateway's first look at the clock may be the later
                    await leader.stay()
                await asyncio.sleep(0.002)
        feed.submit(BID, waiter)
        assert waiter.sent_back == 2
    await leading.close()


@asynccontextmanager
async def house(url: str) -> AsyncIterator[tuple[Feed, Leader]]:
    """A gateway's feed and the leader of its one shard, who decides when a test says so."""
    leading = await Log.open(url)
    leader = await Leader.lead(leading, 0, 1)
    async with feed_of(url, 1) as feed:
        async with asyncio.timeout(5):
            while not feed.takes_bids:
                await asyncio.sleep(0.002)  # signs of life are counted in ms
                await leader.stay()
        yield feed, leader
    await leading.close()


async def decide_until(leader: Leader, *waiting: asyncio.Future[Any]) -> None:
    """Decide whatever is appended until all of these are done."""
    async with asyncio.timeout(5):
        while not all(one.done() for one in waiting):
            await leader.decide_waiting()
            await asyncio.sleep(0.002)


async def test_a_command_of_the_house_is_answered_when_it_is_seen(valkey: str) -> None:
    """Taken: what it brought about is in the view.  Refused: why.  Asked again: the same."""
    async with house(valkey) as (feed, leader):
        await leader.decide(*sale_of_lots())
        pausing = PauseLot(LOT, "p1", "key_1")
        asked = [asyncio.ensure_future(feed.command(pausing)) for _ in range(2)]
        asked[0].add_done_callback(lambda _: seen.append(feed.saleroom.lots[LOT].now.state))
        seen: list[State] = []
        await decide_until(leader, *asked)
        taken = asked[0].result()
        assert isinstance(taken, CommandTaken)
        assert (taken.subject, taken.command, taken.by) == (LOT, "PauseLot", "key_1")
        assert asked[1].result() == taken
        await asyncio.sleep(0)
        assert seen == [State.PAUSED]

        again = asyncio.ensure_future(feed.command(PauseLot(LOT, "p2", "key_1")))
        await decide_until(leader, again)
        refused = again.result()
        assert isinstance(refused, CommandRefused)
        assert (refused.objection, refused.state) == ("invalid_transition", State.PAUSED)


async def test_everybody_hears_of_their_own_command(valkey: str) -> None:
    """Two bidders and a clerk who chose the same id for commands about one sale."""
    async with house(valkey) as (feed, leader):
        await leader.decide(*sale_of_lots())
        async with asyncio.timeout(5):
            while SALE not in feed.saleroom.sales:
                await asyncio.sleep(0.002)
        renamed = msgspec.structs.replace(feed.saleroom.sales[SALE].created, name="Jars")
        asked = [
            asyncio.ensure_future(feed.command(EnterSale(SALE, "cons_ada", "old", "x"))),
            asyncio.ensure_future(feed.command(EnterSale(SALE, "cons_bram", None, "x"))),
            asyncio.ensure_future(feed.command(UpdateSale(renamed, "x", "key_1"))),
        ]
        await decide_until(leader, *asked)
        answers = [one.result() for one in asked]
        assert [answer.by for answer in answers if answer] == ["cons_ada", "cons_bram", "key_1"]
        assert feed.saleroom.sales[SALE].created.name == "Jars"


async def test_a_command_that_nobody_decides_is_undecided(valkey: str) -> None:
    """After a while nothing is known of it, and nobody is kept waiting in memory."""
    async with house(valkey) as (feed, _):
        assert await feed.command(PauseLot(LOT, "p1"), 0.02) is None
        assert feed._asked == {}


async def test_two_sealed_bids_under_one_id_are_not_one(valkey: str) -> None:
    """Each is answered: the first taken, the other told that the id was used."""
    heard: list[tuple[str, str | None]] = []

    class Ear:
        def __init__(self, name: str) -> None:
            self.name = name

        def answered(self, _lot: LotView, event: BidAnswer) -> None:
            heard.append((self.name, event.answer.code))

        def not_taken(self, _command: PlaceBid) -> None:
            raise AssertionError("the log takes bids")

    async with house(valkey) as (feed, leader):
        [sale, lot] = sale_of_lots()
        assert isinstance(lot, AddLot)
        await leader.decide(sale, msgspec.structs.replace(lot, terms=TERMS["sealed_first"]))
        for name, amount in (("high", 50_000), ("low", 20_000)):
            feed.submit(sealed_bid(LOT, "cons_ada", amount, "c1"), Ear(name))
        async with asyncio.timeout(5):
            while len(heard) < 2:
                await leader.decide_waiting()
                await asyncio.sleep(0.002)
    assert heard == [("high", None), ("low", "idempotency_mismatch")]


UNWRITABLE = "half a pair \ud800"


async def test_a_command_that_cannot_be_written_fails_alone(valkey: str) -> None:
    """Its sender is told, at once; the others of the same moment are answered as ever."""
    async with house(valkey) as (feed, leader):
        await leader.decide(*sale_of_lots())
        waiter = Patient()
        failing = PauseLot(LOT, "p1", UNWRITABLE)
        before = asyncio.ensure_future(feed.command(PauseLot(LOT, "p2", "key_1")))
        await asyncio.sleep(0)
        with pytest.raises(UnicodeEncodeError):
            await feed.command(failing)
        with pytest.raises(UnicodeEncodeError):
            feed.submit(msgspec.structs.replace(BID, cmd_id=UNWRITABLE), waiter)
        after = asyncio.ensure_future(feed.command(UnpauseLot(LOT, "p3", "key_1")))
        await decide_until(leader, before, after)
        assert [type(one.result()) for one in (before, after)] == [CommandTaken, CommandTaken]
        await feed.until_answered(0.1)
        assert (waiter.sent_back, feed._asked, feed._waiters) == (0, {}, {})
