"""The clock: its guess of the log's time, its timers, and lots that open and close by themselves."""

from __future__ import annotations

import statistics
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.clock import LogClock, Timers
from engine.core.codec import decode_commands
from engine.core.lot import Lot
from engine.core.messages import (
    BidAccepted,
    KeepTime,
    LotClosed,
    LotExtended,
    LotOpened,
    LotSettled,
    PauseLot,
    State,
    UnpauseLot,
)
from engine.loop import Engine
from engine.streams import Log
from tests.engine.leading import House, a_house, connected, leading, until
from tests.engine.shardlog import bid, history, sale_with_lot

LOT = "auction_k3f9_1"


@pytest.fixture
def house() -> Iterator[House]:
    with a_house() as found:
        yield found


@pytest.fixture
async def log(house: House) -> AsyncIterator[Log]:
    async with connected(house.url) as connection:
        yield connection


def lot_of(engine: Engine, auction_id: str = LOT) -> Lot | None:
    return engine.led[0].state.lots.get(auction_id)


def over(engine: Engine, auction_id: str = LOT) -> bool:
    lot = lot_of(engine, auction_id)
    return lot is not None and lot.state is State.SETTLED


# ── The guess ────────────────────────────────────────────────────────────────────────────


def test_the_guess_goes_on_from_what_the_server_said() -> None:
    """Between two readings the guess moves with monotonic time; a reading replaces it."""
    seconds = 100.0
    clock = LogClock(lambda: seconds)
    clock.read(5_000)
    assert clock.now() == 5_000
    seconds = 100.25
    assert clock.now() == 5_250
    clock.read(4_000)
    assert clock.now() == 4_000


# ── The timers ───────────────────────────────────────────────────────────────────────────


@given(
    st.lists(st.tuples(st.integers(0, 50), st.sampled_from("abc")), max_size=30),
    st.lists(st.integers(0, 60), max_size=5).map(sorted),
)
def test_every_timer_goes_off_once_and_never_early(
    wanted: list[tuple[int, str]], nows: list[int]
) -> None:
    """What is due by an instant is taken out in order of time; the rest stays, and is next."""
    timers = Timers()
    for due_at, auction_id in wanted:
        timers.set(due_at, auction_id)
    left = sorted(wanted)
    for now in nows:
        due = [pair for pair in left if pair[0] <= now]
        left = left[len(due) :]
        assert timers.pop_due(now) == due
        assert timers.next() == (left[0][0] if left else None)


# ── Lots that open and close when nobody does anything ───────────────────────────────────


async def test_lots_open_and_close_at_their_time(house: House, log: Log) -> None:
    """Twelve lots without a bidder: none early, the usual one within a tenth of a second."""
    async with leading(log) as engine:
        start = engine.clock.now() + 300
        names = [f"t{number}" for number in range(12)]
        wishes = []
        for number, name in enumerate(names):
            opens_at = start + 60 * number
            closes_at = opens_at + 400 - 30 * number
            wishes += sale_with_lot(name, opens_at=opens_at, closes_at=closes_at)
        await house.append(*wishes)
        await until(lambda: all(over(engine, f"auction_{name}_1") for name in names), "the ends")
        lots = dict(engine.led[0].state.lots)
    late: list[int] = []
    for event in house.audit().events:
        if isinstance(event, LotOpened):
            late.append(event.at - (lots[event.auction_id].terms.opens_at or 0))
        if isinstance(event, LotClosed):
            late.append(event.at - (lots[event.auction_id].terms.closes_at or 0))
    assert len(late) == 24
    assert min(late) >= 0
    assert statistics.median(late) <= 100
    assert max(late) <= 1000


async def test_a_lot_is_settled_at_its_time(house: House, log: Log) -> None:
    """The close sets the timer for the settlement."""
    async with leading(log) as engine:
        now = engine.clock.now()
        await house.append(*sale_with_lot(closes_at=now + 150, settle_at=now + 1150))
        await until(lambda: over(engine), "the settlement")
    *_, closed, settled = house.audit().events
    assert isinstance(closed, LotClosed)
    assert isinstance(settled, LotSettled)
    assert now + 150 <= closed.at < now + 1150 <= settled.at


async def test_a_late_bid_sets_the_clock_anew(house: House, log: Log) -> None:
    """A soft close: the lot ends a window after its last bid, not when it was to end first."""
    async with leading(log) as engine:
        closes_at = engine.clock.now() + 400
        await house.append(
            *sale_with_lot(closes_at=closes_at, extension_window_ms=1000, extension_ms=600)
        )
        await house.append(bid(1))
        await house.append(bid(2))
        await until(lambda: over(engine), "the end")
    events = house.audit().events
    last = [event for event in events if isinstance(event, LotExtended)][-1]
    bids = [event for event in events if isinstance(event, BidAccepted)]
    closed = next(event for event in events if isinstance(event, LotClosed))
    assert last.after.closes_at == bids[-1].answer.at + 600 > closes_at
    assert closed.at >= last.after.closes_at


async def test_a_paused_lot_waits_and_then_has_its_time(house: House, log: Log) -> None:
    """The clock leaves a paused lot alone; going on, it has what was left."""
    async with leading(log) as engine:
        closes_at = engine.clock.now() + 300
        await house.append(*sale_with_lot(closes_at=closes_at), PauseLot(LOT))
        await until(lambda: engine.clock.now() > closes_at + 50, "the end of a lot that was paused")
        lot = lot_of(engine)
        assert lot is not None
        assert lot.state is State.PAUSED
        await house.append(UnpauseLot(LOT))
        await until(lambda: over(engine), "the end")
    closed = next(event for event in house.audit().events if isinstance(event, LotClosed))
    assert closed.at > closes_at + 50


async def test_a_new_leader_takes_the_timers_over(house: House, log: Log) -> None:
    """Lots that were announced under another leader open and close by themselves all the same."""
    async with leading(log) as engine:
        now = engine.clock.now()
        await house.append(*sale_with_lot(opens_at=now + 400, closes_at=now + 500))
        await house.decided()
    async with leading(log) as engine:
        await until(lambda: over(engine), "the end")
    assert house.epoch() == 2


class WrongClock(LogClock):
    """A clock that is off by some milliseconds, whatever the server tells it."""

    def __init__(self, off_ms: int) -> None:
        super().__init__(time.monotonic)
        self.off_ms = off_ms

    def now(self) -> int:
        return super().now() + self.off_ms


async def test_a_clock_that_is_fast_brings_nothing_about_early(house: House, log: Log) -> None:
    """Its command comes too soon and does nothing; it comes again until the log's time is there."""
    async with leading(log, clock=WrongClock(+300)) as engine:
        closes_at = engine.clock.now() + 100
        await house.append(*sale_with_lot(closes_at=closes_at))
        await until(lambda: over(engine), "the end")
    closed = next(event for event in house.audit().events if isinstance(event, LotClosed))
    assert closes_at <= closed.at <= closes_at + 500
    wakes = [p for _, p in history(house.folder).cmd if decode_commands(p) == [KeepTime(LOT)]]
    assert len(wakes) > 1


async def test_a_clock_that_is_slow_is_late_and_nothing_else(house: House, log: Log) -> None:
    """The lot closes when the clock thinks so, with the end that was announced."""
    async with leading(log, clock=WrongClock(-80)) as engine:
        closes_at = engine.clock.now() + 80 + 200
        await house.append(*sale_with_lot(closes_at=closes_at))
        await until(lambda: over(engine), "the end")
    closed = next(event for event in house.audit().events if isinstance(event, LotClosed))
    assert closed.after.closes_at == closes_at
    assert closed.at >= closes_at + 70


async def test_a_clock_that_is_slow_cannot_keep_a_lot_open(house: House, log: Log) -> None:
    """A bid after the end closes the lot first, and is refused: the log's time decides."""
    async with leading(log, clock=WrongClock(-60_000)) as engine:
        closes_at = await log_time(house) + 100
        await house.append(*sale_with_lot(closes_at=closes_at))
        while await log_time(house) <= closes_at:
            pass
        await house.append(bid(1))
        await until(lambda: over(engine), "the end")
    assert [type(event) for event in house.audit().events[3:5]] == [LotClosed, LotSettled]


async def log_time(house: House) -> int:
    async with connected(house.url) as connection:
        return await connection.now()
