"""The gateway's line to a real log, before and after somebody leads it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from engine.clock import LogClock
from engine.core.messages import BidAnswer, PlaceBid
from engine.streams import Log
from gateway.core.view import LotView, Saleroom
from gateway.fanout import Hub
from gateway.feed import Feed
from tests.gateway.decisions import Leader

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
    keeping = asyncio.create_task(feed.keep_time(asyncio.sleep))
    try:
        yield feed
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
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

        await leaders[1].stay()
        async with asyncio.timeout(5):
            while not feed.takes_bids:
                await asyncio.sleep(0.01)
        feed.submit(BID, waiter)
        assert waiter.sent_back == 2
    await leading.close()
