"""Does the running house decide recorded auctions as they were decided?

``python -m loadtests.replay FILE... [--report OUT.jsonl] [--real-time FACTOR]`` opens a house
of its own, enters each recorded auction as a lot, and sends the recorded bids over WebSocket,
a socket a bidder: all auctions side by side, the bids of one strictly in order.  Then the
clerk closes the lot, and every outcome, every recorded price, the final price and the winner
are compared with the recording.  Exit code 0: all reproduce; 1: some do not, or the house
failed; 2: the input cannot be used, and nothing was started; 130: interrupted.

What was expected is only compared: it decides nothing of what is sent or when.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import msgspec

from engine.core.messages import (
    AddLot,
    Catalogue,
    CloseLot,
    Command,
    CreateSale,
    OpenLot,
    RegisterBidder,
)
from engine.entering import NotEntered, enter
from engine.streams import Log, StreamError
from loadtests.clerk import Clerk, lot_id, sale_on
from loadtests.client import (
    BidRejected,
    Client,
    Dial,
    SessionEnded,
    dial_in_turn,
    dial_websocket,
    until_open,
)
from loadtests.core.bidder import ProtocolBroken
from loadtests.core.trace import BadTrace, Close, Decision, Trace, difference, read_traces
from loadtests.core.view import View
from loadtests.house import House, HouseFailed, open_house, run_to_the_end

DIALS_AT_ONCE = 64  # well within what a server lets wait, and within its patience for a hello
STILL_S = 60.0  # an auction in which nothing happens for as long is given up
PROGRESS_EVERY_S = 0.2
DIFFERENCES_SHOWN = 10
FIRST_PADDLE = 101
DIFFERS = 1
BAD_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay the files named on the command line; the exit code."""
    options = _options(arguments)
    try:
        traces = read_traces((str(file), _lines(file)) for file in options.files)
        report = options.report.open("w") if options.report else None
    except (BadTrace, OSError) as error:
        print(f"replay: {error}", file=sys.stderr)
        return BAD_INPUT
    with report or contextlib.nullcontext() as lines:
        try:
            findings, seconds = run_to_the_end(_replay(traces, options.real_time))
        except (ExceptionGroup, *_FAILURES) as failed:
            first = _first(failed)
            if not isinstance(first, _FAILURES):
                raise
            print(f"replay: {first}", file=sys.stderr)
            return DIFFERS
        if lines is not None:
            lines.writelines(msgspec.json.encode(f).decode() + "\n" for f in findings)
    return _summary(findings, seconds)


# What may go wrong with the house, apart from deciding differently.
_FAILURES = (HouseFailed, NotEntered, StreamError, SessionEnded, ProtocolBroken, BidRejected)


def _first(failed: BaseException) -> BaseException:
    while isinstance(failed, BaseExceptionGroup):
        failed = failed.exceptions[0]
    return failed


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.replay",
        description="Send recorded auctions through a house and compare what it decides.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a bid trace")
    parser.add_argument("--report", type=Path, metavar="OUT.jsonl", help="a line per auction")
    parser.add_argument(
        "--real-time",
        type=_factor,
        metavar="FACTOR",
        help="keep the recorded times, FACTOR times faster (1: as recorded)",
    )
    return parser.parse_args(arguments)


def _factor(text: str) -> float:
    factor = float(text)
    if not 0 < factor < float("inf"):
        raise ValueError(text)
    return factor


def _lines(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as lines:
            yield from lines
    except OSError as error:
        raise BadTrace(f"{file}: {error.strerror}") from error


def _summary(findings: Sequence[Finding], seconds: float) -> int:
    differing = [finding for finding in findings if not finding.reproduced]
    for finding in differing[:DIFFERENCES_SHOWN]:
        print(f"{finding.id}: {finding.difference}")
    if len(differing) > DIFFERENCES_SHOWN:
        print(f"… and {len(differing) - DIFFERENCES_SHOWN} more")
    bids = sum(finding.bids for finding in findings)
    print(
        f"{len(findings) - len(differing)} of {len(findings)} auctions reproduce every outcome, "
        f"recorded price, final price and winner: {bids} bids in {seconds:.1f} s, "
        f"{bids / seconds:.0f} bids/s (the house's start and stop not included)"
    )
    return DIFFERS if differing else 0


# ── The recording as sales of this house ─────────────────────────────────────────────────


@dataclass(slots=True)
class Sale:
    """Recorded auctions of one source and currency, sold together on one shard."""

    name: str  # the part of its id that its lots' ids share
    source: str
    currency: str
    exponent: int
    lots: list[tuple[str, Trace]] = field(default_factory=list)  # by auction id
    paddles: dict[str, int] = field(default_factory=dict)  # by pseudonym

    def take(self, trace: Trace) -> None:
        """Offer *trace* in this sale, with a paddle for each of its bidders."""
        self.lots.append((lot_id(self.name, len(self.lots) + 1), trace))
        for bid in trace.bids:
            self.paddles.setdefault(bid.bidder, FIRST_PADDLE + len(self.paddles))

    def holder(self, paddle: int | None) -> str | None:
        """The pseudonym behind a paddle; None behind none of ours."""
        return next((who for who, number in self.paddles.items() if number == paddle), None)

    def consumer_id(self, pseudonym: str) -> str:
        """One pseudonym is one consumer in all sales of its source."""
        return f"cons_{self.source}_{pseudonym}"

    def commands(self) -> list[Command]:
        """What the clerk enters: the sale, its paddles, its lots, and their opening."""
        sale_id = f"seq_{self.name}"
        paddles = [
            RegisterBidder(sale_id, self.consumer_id(who), paddle=paddle)
            for who, paddle in self.paddles.items()
        ]
        added = [
            AddLot(auction_id, sale_id, trace.terms(), Catalogue(str(number), trace.id))
            for number, (auction_id, trace) in enumerate(self.lots, 1)
        ]
        created = CreateSale(sale_id, self.source, self.currency, self.exponent)
        return [created, *paddles, *added, *(OpenLot(auction_id) for auction_id, _ in self.lots)]


def arrange(traces: Sequence[Trace], shards: int) -> list[Sale]:
    """Sales for *traces*: for each source and currency one on every shard, as far as it goes."""
    groups: dict[tuple[str, str, int], list[Trace]] = {}
    for trace in traces:
        groups.setdefault((trace.source, trace.currency, trace.exponent), []).append(trace)
    sales = []
    for number, (kind, members) in enumerate(groups.items()):
        for shard in range(min(shards, len(members))):
            sale = Sale(sale_on(shard, shards, f"replay{number}x"), *kind)
            for trace in members[shard::shards]:
                sale.take(trace)
            sales.append(sale)
    return sales


# ── Driving ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one recorded auction; also a line of the report."""

    id: str
    reproduced: bool
    bids: int
    difference: str | None


@dataclass(frozen=True, slots=True)
class Room:
    """A sale with everybody who has to do with it."""

    sale: Sale
    follower: Client
    bidders: dict[str, Client]  # by consumer id
    clerk: Clerk

    def bidder(self, pseudonym: str) -> Client:
        """The session of a bidder of this sale."""
        return self.bidders[self.sale.consumer_id(pseudonym)]


class Tally:
    """How far the replay is, said on one line of a terminal."""

    def __init__(self, traces: Sequence[Trace]) -> None:
        self._auctions = len(traces)
        self._bids = sum(len(trace.bids) for trace in traces)
        self.answered = 0
        self.closed = 0

    async def show(self) -> None:
        """Keep the line up to date, where there is a terminal, until cancelled."""
        if not sys.stderr.isatty():
            return
        try:
            while True:
                done = f"{self.answered} of {self._bids} bids, {self.closed} of {self._auctions}"
                print(f"\r{done} auctions closed", end="", file=sys.stderr, flush=True)
                await asyncio.sleep(PROGRESS_EVERY_S)
        finally:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


async def _replay(traces: Sequence[Trace], speed: float | None) -> tuple[list[Finding], float]:
    async with open_house() as house:
        started = time.monotonic()
        tally = Tally(traces)
        sales = arrange(traces, house.settings.log.shards)
        replay = Replay(house, speed, tally)
        findings = await house.while_open(replay.run(sales))
        seconds = time.monotonic() - started
    by_id = {finding.id: finding for finding in findings}
    return [by_id[trace.id] for trace in traces], seconds


class Replay:
    """One replay on an open house."""

    def __init__(self, house: House, speed: float | None, tally: Tally) -> None:
        """*speed*: how many times faster than recorded; None: as fast as answers come."""
        self._house = house
        self._speed = speed
        self._tally = tally

    async def run(self, sales: Sequence[Sale]) -> list[Finding]:
        """Replay all lots of *sales*, side by side."""
        log = await Log.open(self._house.log_url)
        try:
            shards = self._house.settings.log.shards
            await enter(log, shards, chain.from_iterable(sale.commands() for sale in sales))
            return await self._sell_all(sales, Clerk(log, shards))
        finally:
            await log.close()

    async def _sell_all(self, sales: Sequence[Sale], clerk: Clerk) -> list[Finding]:
        dial = dial_in_turn(dial_websocket(self._house.socket_url), DIALS_AT_ONCE)
        bidders = self._seats(sales, dial)
        rooms = [Room(s, Client(dial, self._house.spectator()), bidders, clerk) for s in sales]
        sessions = [*(room.follower.run() for room in rooms), *(b.run() for b in bidders.values())]
        async with asyncio.TaskGroup() as group:
            at_work = [group.create_task(w) for w in (clerk.run(), self._tally.show(), *sessions)]
            found = await asyncio.gather(*(self._sell(room) for room in rooms))
            for task in at_work:
                task.cancel()
        return list(chain.from_iterable(found))

    def _seats(self, sales: Sequence[Sale], dial: Dial) -> dict[str, Client]:
        who = {sale.consumer_id(pseudonym) for sale in sales for pseudonym in sale.paddles}
        return {consumer: Client(dial, self._house.bidder(consumer)) for consumer in sorted(who)}

    async def _sell(self, room: Room) -> list[Finding]:
        # The last lot is opened last: when it is seen open, the whole sale is there.
        with contextlib.suppress(TimeoutError):  # each auction says so itself
            await until_open(room.follower, room.sale.lots[-1][0], STILL_S)
        return await asyncio.gather(*(self._auction(room, *lot) for lot in room.sale.lots))

    async def _auction(self, room: Room, auction_id: str, trace: Trace) -> Finding:
        decisions: list[Decision] = []
        try:
            await until_open(room.follower, auction_id, STILL_S)
            await self._bid_all(room, auction_id, trace, decisions)
            room.clerk.wish(CloseLot(auction_id))
            async with asyncio.timeout(STILL_S):
                view = await room.follower.when(auction_id, _is_closed)
        except TimeoutError:
            stuck = f"nothing happened for {STILL_S:.0f} s after {len(decisions)} answers"
            return Finding(trace.id, False, len(trace.bids), stuck)
        self._tally.closed += 1
        found = difference(trace, decisions, _close(room.sale, view))
        return Finding(trace.id, found is None, len(trace.bids), found)

    async def _bid_all(
        self, room: Room, auction_id: str, trace: Trace, decisions: list[Decision]
    ) -> None:
        opened_at = time.monotonic()
        for number, bid in enumerate(trace.bids, 1):
            if self._speed is not None:
                due = opened_at + bid.at / 1000 / self._speed
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            bidder = room.bidder(bid.bidder)
            decisions.append(await _decision(bidder, auction_id, str(number), bid.max))
            self._tally.answered += 1


async def _decision(bidder: Client, auction_id: str, cmd_id: str, limit: int) -> Decision:
    try:
        async with asyncio.timeout(STILL_S):
            result = await bidder.bid(auction_id, cmd_id, limit)
    except BidRejected as rejected:
        return Decision("not taken in", None, rejected.code)
    return Decision(result["outcome"], result["price"], result["code"])


def _is_closed(view: View) -> bool:
    return view.auction["status"] in ("closed", "settling", "settled")


def _close(sale: Sale, view: View) -> Close:
    auction = view.auction
    return Close(str(auction["outcome"]), auction["price"], sale.holder(auction["paddle"]))


if __name__ == "__main__":
    sys.exit(main())
