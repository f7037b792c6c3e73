"""How many events a second reach a thousand subscribers of one auction?

A whole house with PRICE_MERGE_MS=0, so that every price is an event of its own.  Bids enter
through the log, not through sockets, so that the gateway's work is following and delivering;
a bounded number of events is on its way at any time, because a reader that falls behind is
closed by design.  Delivered means read and counted by the subscriber.

Beside it the same crowd in the same run with a server that builds frames of the same size
once each and does nothing but write them (``peers.py``), asked for them in bursts of the
same bound.  The crowd reads in sweeps and costs a fraction of either server, so that neither
is measured by its listeners; client and server share this machine's cores in both.
"""

from __future__ import annotations

import asyncio
import time

import msgspec

from engine.core.increments import table
from engine.core.messages import (
    AddLot,
    Catalogue,
    Command,
    CreateSale,
    OpenLot,
    PlaceBid,
    RegisterBidder,
    Terms,
)
from engine.entering import enter
from engine.streams import Log
from loadtests.clerk import lot_id, sale_on
from loadtests.client import seen_open
from loadtests.crowd import Ear, disperse, gather_crowd, read_in_sweeps, sweep
from loadtests.figures import Figure
from loadtests.house import House, open_house
from loadtests.peers import peer

AIM_RATIO = 0.7
ENTRY = 64  # bids in an entry of the log, as a busy gateway batches them
UNDELIVERED = 256  # events on their way: a quarter of a reader's 256 KiB
STEP = 500
SWEEP_EVERY_S = 0.01
PATIENCE_S = 60.0
WARM_EVENTS = 64


async def measure(subscribers: int, events: int) -> list[Figure]:
    """Deliveries a second of *events* events to each of *subscribers*."""
    async with open_house({"PRICE_MERGE_MS": "0"}) as house:
        ours, size = await house.while_open(_by_the_house(house, subscribers, events))
    theirs = await _by_the_peer(subscribers, events, size)
    return [
        Figure(
            "events delivered",
            ours,
            "frames/s",
            f"price events of one auction to {subscribers} subscribers, PRICE_MERGE_MS=0: "
            f"decided, committed, read, encoded once, written and counted; {events} events of "
            f"{size} bytes, at most {UNDELIVERED} on their way",
            beside=theirs,
            beside_is="websockets server that builds each frame once and writes it to each "
            "transport, a loop turn for each; frames of the same size, same client",
            aim_ratio=AIM_RATIO,
        )
    ]


async def _by_the_house(house: House, subscribers: int, events: int) -> tuple[float, int]:
    sale = sale_on(0, house.settings.log.shards, "fanout")
    lot = lot_id(sale, 1)
    log = await Log.open(house.log_url)
    sizes: list[int] = []
    try:
        await _open_lot(house, log, sale, lot)
        crowd = await gather_crowd(house.settings.port, subscribers)
        crowd[0].heard = lambda payload: sizes.append(len(payload))
        try:
            await _subscribe(house, crowd, lot)
            await _bid(house, log, lot, crowd, 0, WARM_EVENTS)
            started = time.perf_counter()
            await _bid(house, log, lot, crowd, WARM_EVENTS, events)
            rate = events * subscribers / (time.perf_counter() - started)
        finally:
            disperse(crowd)
    finally:
        await log.close()
    return rate, round(sum(sizes[-events:]) / events)


async def _open_lot(house: House, log: Log, sale: str, lot: str) -> None:
    sale_id = f"seq_{sale}"
    terms = Terms(opening=1_000, increments=table([(0, STEP)]))
    commands: list[Command] = [
        CreateSale(sale_id, "Fan-out", "EUR", 2),
        *(RegisterBidder(sale_id, f"cons_{n}") for n in range(2)),
        AddLot(lot, sale_id, terms, Catalogue("1", "A lot")),
        OpenLot(lot),
    ]
    await enter(log, house.settings.log.shards, commands)
    await seen_open(house.socket_url, house.spectator(), lot, PATIENCE_S)


async def _subscribe(house: House, crowd: list[Ear], lot: str) -> None:
    hello = msgspec.json.encode({"type": "hello", **house.spectator()})
    subscribe = msgspec.json.encode({"type": "subscribe", "auctionId": lot})
    for ear in crowd:
        ear.say(hello)
        ear.say(subscribe)
    read_in_sweeps(crowd)
    await _all_heard(crowd, 2)  # the welcome and the snapshot
    for ear in crowd:
        ear.frames = 0


async def _bid(house: House, log: Log, lot: str, crowd: list[Ear], first: int, count: int) -> None:
    """Bids *first* … of the lot, each of which makes one price event; until all are heard."""
    for start in range(first, first + count, ENTRY):
        numbers = range(start, min(start + ENTRY, first + count))
        # Two bidders in turn, each over the other's limit.
        bids: list[Command] = [
            PlaceBid(lot, f"cons_{n % 2}", str(n), 1_000 + 2 * n * STEP, "max") for n in numbers
        ]
        await _all_heard(crowd, numbers[-1] + 1 - UNDELIVERED)
        await enter(log, house.settings.log.shards, bids)
    await _all_heard(crowd, first + count)


async def _by_the_peer(subscribers: int, events: int, size: int) -> float:
    async with peer() as port:
        crowd = await gather_crowd(port, subscribers)
        try:
            read_in_sweeps(crowd)
            await _burst(crowd, 0, WARM_EVENTS, size)
            started = time.perf_counter()
            for start in range(WARM_EVENTS, WARM_EVENTS + events, ENTRY):
                await _burst(crowd, start, min(ENTRY, WARM_EVENTS + events - start), size)
            await _all_heard(crowd, WARM_EVENTS + events)
            return events * subscribers / (time.perf_counter() - started)
        finally:
            disperse(crowd)


async def _burst(crowd: list[Ear], before: int, count: int, size: int) -> None:
    await _all_heard(crowd, before + count - UNDELIVERED)
    crowd[0].say(b"go %d %d" % (count, size))


async def _all_heard(crowd: list[Ear], frames: int) -> None:
    """Sweep until everybody has counted *frames* frames."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            sweep(crowd)
            if min(ear.frames for ear in crowd) >= frames:
                return
            await asyncio.sleep(SWEEP_EVERY_S)
