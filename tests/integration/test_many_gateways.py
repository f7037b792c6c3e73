"""Two gateways and two engines: one order, whichever of them one speaks to."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.integration.desk import Desk
from tests.integration.live import Live, following, public_of, seqs_covered, signed_in
from tests.integration.open_house import House, Person, house_in
from tests.integration.rostrum import console, lots_of
from tests.processes import is_alive, until

SETTINGS = {"GATEWAYS": "2", "ENGINES": "2", "CONNECTIONS_PER_ACCOUNT": "0"}


def gateway_of(house: House, live: Live) -> str:
    """Which gateway has the other end of this connection: whose file its socket is."""
    port = live.socket.local_address[1]
    ours, theirs = f":{house.port:04X} ", f":{port:04X} "
    for line in Path("/proc/net/tcp").read_text().splitlines():
        fields = line.split()
        if ours in f"{fields[1]} " and theirs in f"{fields[2]} ":
            for name in ("gateway.1", "gateway.2"):
                files = Path(f"/proc/{house.pid_of(name)}/fd").iterdir()
                if any(str(file.readlink()) == f"socket:[{fields[9]}]" for file in files):
                    return name
    raise AssertionError(f"no gateway has the connection from port {port}")


@asynccontextmanager
async def one_on_each(house: House, person: Person | None = None) -> AsyncIterator[list[Live]]:
    """A connection to either gateway; the kernel deals them out, so we draw until we have."""
    async with AsyncExitStack() as stack:
        found: dict[str, Live] = {}
        for _ in range(40):
            live = await stack.enter_async_context(signed_in(house, person))
            found.setdefault(gateway_of(house, live), live)
            if len(found) == 2:
                break
        yield [found["gateway.1"], found["gateway.2"]]


async def known_to(lines: list[Live], auction_id: str) -> None:
    """Wait until both gateways have the lot, and follow it there."""
    for live in lines:
        while (await live.subscribe(auction_id))["type"] == "error":
            await asyncio.sleep(0.02)


async def test_one_order_on_every_gateway(house: House) -> None:
    """Bids on one are seen on the other under the same seq; the same id sent to the other
    gets the same answer; what one has told can be resumed on the other."""
    auction_id = await house.lot()
    async with one_on_each(house, house.person()) as a, one_on_each(house, house.person()) as b:
        await known_to([*a, *b], auction_id)
        lineage = a[0].heard[-1]["lineage"]
        first = await a[0].bid(auction_id, 20_000, "a1")
        second = await b[1].bid(auction_id, 30_000, "b1")
        assert (first["seq"], second["seq"]) == (2, 3)
        assert await a[1].bid(auction_id, 20_000, "a1") == first
        assert await b[0].bid(auction_id, 30_000, "b1") == second
        for live in (*a, *b):
            if not any(event["seq"] >= 3 for event in public_of(live.heard, auction_id)):
                await live.until_seq(auction_id, 3)
        assert public_of(a[0].heard, auction_id) == public_of(b[0].heard, auction_id)
        for live in a:  # told of her being passed on both
            assert [f["seq"] for f in live.heard if f["type"] == "outbid"] == [3]
        for live in b:
            mark = len(live.heard)
            await live.subscribe(auction_id, lineage=lineage, seq=0)
            await live.until_seq(auction_id, 3)
            assert seqs_covered(public_of(live.heard[mark:], auction_id)) == [1, 2, 3]


async def test_the_same_bid_on_both_gateways_at_once(house: House) -> None:
    """One effect, one answer."""
    auction_id = await house.lot()
    async with one_on_each(house, house.person()) as lines:
        await known_to(lines, auction_id)
        await asyncio.gather(*(live.send_bid(auction_id, 20_000, "c1") for live in lines))
        one, two = [await live.next_of("result") for live in lines]
        assert one == two
        assert (await lines[0].subscribe(auction_id))["you"]["bidCount"] == 1


async def test_two_gateways_give_one_allowance(house: House) -> None:
    """A bidder who goes back and forth has one burst and one rate, not two."""
    auction_id = await house.lot()
    async with one_on_each(house, house.person()) as lines:
        await known_to(lines, auction_id)
        began, taken = time.monotonic(), 0
        for number in range(24):
            answer = await lines[number % 2].bid(auction_id, 20_000, f"b{number}")
            if answer["type"] == "error":
                assert answer["code"] == "rate_limited"
                break
            taken += 1
        allowed = 10 + 5 * (time.monotonic() - began)  # BID_RATE
        on_its_way = 2  # what the other gateway has not heard of yet
        assert 10 <= taken <= allowed + on_its_way


async def test_a_console_hears_of_bidders_at_either_gateway(house: House) -> None:
    """Their fingers, and how many there are; whoever is at both is counted at both."""
    [lot] = lots_of(Desk.of(house), 1)
    async with console(house) as rostrum, one_on_each(house, house.person()) as lines:
        await known_to([rostrum, *lines], lot)
        await rostrum.does(lot, "open")
        await lines[0].bid(lot, 10_000, "a1", kind="bid")
        for live in lines:
            while (await live.subscribe(lot))["you"]["paddle"] is None:
                await asyncio.sleep(0.02)
            for on in (True, False):
                await live.send(type="finger", auctionId=lot, on=on)
                assert (await rostrum.next_of("finger"))["on"] is on
        await rostrum.until_desk(lot, connected=2, canBid=2)


def leading_engine(house: House) -> str:
    """The engine that said last that it leads."""
    assert house.running is not None
    said = [line for line in house.running.lines if re.search(r"engine\.\d +\|.*\bleading\b", line)]
    found = re.search(r"engine\.\d", said[-1])
    assert found is not None
    return found[0]


async def test_a_leader_that_stands_still_is_replaced(house: House) -> None:
    """The other engine decides within a second, in the same lineage; the first comes back
    as a stranger and does no harm."""
    auction_id = await house.lot()
    leader = leading_engine(house)
    ada = house.person()
    async with following(house, auction_id, ada) as live:
        lineage = live.heard[-1]["lineage"]
        first = await live.bid(auction_id, 20_000, "a1")
        os.kill(house.pid_of(leader), signal.SIGSTOP)
        try:
            result = await live.bid(auction_id, 30_000, "a2")
            while result["type"] == "error":
                assert result["code"] == "overloaded"
                await asyncio.sleep(0.3)
                result = await live.bid(auction_id, 30_000, "a2")
            assert (result["outcome"], result["seq"]) == ("accepted", first["seq"])
            assert leading_engine(house) != leader
        finally:
            os.kill(house.pid_of(leader), signal.SIGCONT)
        for number in range(3, 8):
            await asyncio.sleep(0.21)  # the rate of bids
            more = await live.bid(auction_id, 10_000 * number + 10_000, f"a{number}")
            assert more["outcome"] == "accepted"
        assert await live.bid(auction_id, 20_000, "a1") == first
        snapshot = await live.subscribe(auction_id)
        assert snapshot["lineage"] == lineage
        assert snapshot["you"]["bidCount"] == 7
    assert house.web.get("/readyz").status_code == 200


def test_the_death_of_one_of_two_stops_the_house(folder: Path) -> None:
    """A leading engine or a gateway of two that is killed is named; the house stops whole."""
    with house_in(folder, **SETTINGS) as house:
        for victim in (leading_engine(house), "gateway.2"):
            if house.running is None:
                house.start()
            names = ("redis.1", "engine.1", "engine.2", "gateway.1", "gateway.2", "clerk.1")
            pids = [house.pid_of(name) for name in names]
            os.kill(house.pid_of(victim), signal.SIGKILL)
            assert house.running is not None
            running = house.running
            assert house.ended() == 1
            assert victim in running.lines[-1]
            until(lambda: not any(map(is_alive, pids)), "every process to end")  # noqa: B023
