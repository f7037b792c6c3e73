"""What one connection follows, on one thread: no loop, no socket, every step in the test's hand.

The sales are decided by the engine's core and delivered by a real hub.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.messages import (
    BidAccepted,
    CloseLot,
    Command,
    Event,
    LimitLowered,
    LotEvent,
    LowerLimit,
    PauseLot,
    SettleLot,
    State,
    UnpauseLot,
)
from engine.core.sale import Shard, execute
from engine.streams import StreamError
from gateway.core import frames
from gateway.core.frames import PAGE, Json
from gateway.core.session import Follow
from gateway.core.view import RECENT, LotView, Saleroom
from gateway.fanout import Hub
from gateway.following import Following
from tests.gateway.decisions import AT, bid, sale_of_lots
from tests.gateway.test_fanout import HandClock

LOT = "auction_k3f9_1"
LINEAGE = "lineage-one"
PERSONAL = ("winning", "outbid", "won", "lost")
MERGE_S = 0.05


class Gate:
    """Something to wait for: whoever waits is stopped until it is open."""

    def __init__(self) -> None:
        self.is_open = True

    def __await__(self) -> Generator[None, None, None]:
        while not self.is_open:
            yield


class Work:
    """A spawned coroutine, stepped by hand."""

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        self.work = work
        self.is_over = False
        self._is_stepping = False
        self._canceled = False

    def cancel(self) -> None:
        """As a task's: it takes effect when the coroutine next waits, or at once while it does."""
        self._canceled = True
        if not self._is_stepping:
            self.step()

    def step(self) -> None:
        """Run to the next wait."""
        if self.is_over:
            return
        self._is_stepping = True
        try:
            if self._canceled:
                self.work.throw(asyncio.CancelledError())
            else:
                self.work.send(None)
        except (StopIteration, asyncio.CancelledError):
            self.is_over = True
        self._is_stepping = False


class HandLine:
    """A connection that keeps what it was sent; full when the test says so."""

    consumer_id: str | None = None
    is_console = False
    has_heard = True

    def __init__(self) -> None:
        self.heard: list[Json] = []
        self.past: list[Json] = []  # those of ``heard`` that came outside the queue limit
        self.room = Gate()
        self.works: list[Work] = []
        self.failures: list[Exception] = []
        self.on_write: Callable[[], None] = lambda: None

    def write(self, frame: bytes) -> None:
        self.heard.append(json.loads(frame[frame.index(b"{") :]))
        self.on_write()

    def write_past(self, frame: bytes) -> None:
        self.write(frame)
        self.past.append(self.heard[-1])

    async def until_writable(self) -> None:
        await self.room

    def spawn(self, work: Coroutine[Any, Any, None]) -> Work:
        self.works.append(Work(work))
        return self.works[-1]

    def failed(self, error: Exception) -> None:
        self.failures.append(error)

    def step(self) -> None:
        for work in list(self.works):
            work.step()
        self.works = [work for work in self.works if not work.is_over]


class Saletime:
    """A gateway's inside without its edges: decisions are folded and delivered at once."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.hub = Hub(int(MERGE_S * 1000), self.clock.call_later)
        self.saleroom = Saleroom()
        self.log: list[Event] = []
        self.asked: list[list[int]] = []  # places, by question to the log
        self.log_answers = Gate()
        self.log_fails: Exception | None = None
        self._shard = Shard()
        self.hub.channel(LOT)  # somebody follows it already: prices that come fast are merged
        self.do(*sale_of_lots())

    def do(self, *commands: Command) -> None:
        for command in commands:
            for event in execute(self._shard, command, AT + len(self.log)):
                self.log.append(event)
                self.saleroom.fold(0, len(self.log), event)
                if isinstance(event, BidAccepted | LotEvent | LimitLowered):
                    self.hub.deliver(self.saleroom.lots[event.auction_id], event)

    def naps(self, count: int) -> None:
        """So many events, none of which is ever merged."""
        for _ in range(count):
            paused = self.lot().now.state is State.PAUSED
            self.do(UnpauseLot(LOT) if paused else PauseLot(LOT))

    def bids(self, start: int, count: int) -> None:
        """Bids of Ada and Bram in turn, each leading."""
        for number in range(start, start + count):
            self.do(bid(("cons_ada", "cons_bram")[number % 2], 10_000 + 1_000 * number))

    def lot(self) -> LotView:
        return self.saleroom.lots[LOT]

    def told_of(self, consumer_id: str, place: int) -> list[Json]:
        """All that a bidder is told of the lot from its *place*-th event on, unmerged."""
        found: list[Json] = []
        for event in [self.log[place - 1] for place in self.lot().places[place:]]:
            found += [f for c, f in frames.personal(self.lot(), event) if c == consumer_id]
            public = frames.public(self.lot(), event)
            found += [public] if public is not None else []
        return found

    def passes(self, seconds: float = MERGE_S) -> None:
        self.clock.goes_to(self.clock.now + seconds)

    async def past(self, shard: int, places: list[int]) -> list[Event]:
        assert shard == 0
        self.asked.append(places)
        await self.log_answers
        if self.log_fails is not None:
            raise self.log_fails
        return [self.log[place - 1] for place in places]

    def connection(self, consumer_id: str | None = None) -> tuple[HandLine, Following]:
        line = HandLine()
        following = Following(line, self.saleroom, self.hub, self.past, {0: LINEAGE})
        if consumer_id is not None:
            following.sign_in(consumer_id)
        return line, following


def resume(seq: int) -> Follow:
    return Follow(LOT, LINEAGE, seq)


def now() -> Follow:
    return Follow(LOT, None, None)


def told(heard: list[Json]) -> list[tuple[str, int]]:
    return [(frame["type"], frame["seq"]) for frame in heard]


def is_public(frame: Json) -> bool:
    return frame["type"] not in (*PERSONAL, "snapshot", "resumed")


def covered(heard: list[Json]) -> list[int]:
    """The seqs that the public events among these stand for."""
    found: list[int] = []
    for frame in heard:
        if is_public(frame):
            found += range(frame["seq"] - frame.get("merged", 1) + 1, frame["seq"] + 1)
    return found


# ── Joining ──────────────────────────────────────────────────────────────────────────────


def test_now_is_a_snapshot_and_what_comes_after_it() -> None:
    """The snapshot at once where nothing waits; then every event; nothing was spawned."""
    sale = Saletime()
    sale.bids(0, 1)
    sale.passes()
    line, following = sale.connection()
    following.follow(now())
    assert told(line.heard) == [("snapshot", 2)]
    sale.naps(2)
    assert told(line.heard[1:]) == [("paused", 3), ("unpaused", 4)]
    assert (line.works, line.past, following.catching_up) == ([], [], False)


def test_who_comes_during_a_merge_waits_for_its_end() -> None:
    """The snapshot has the price that waited, and it is not told again."""
    sale = Saletime()
    line, following = sale.connection()
    sale.bids(0, 3)
    following.follow(now())
    assert line.heard == []
    sale.passes()
    assert told(line.heard) == [("snapshot", 4)]
    sale.naps(1)
    assert told(line.heard[1:]) == [("paused", 5)]


@pytest.mark.parametrize(
    "request_",
    [Follow(LOT, "another", 1), Follow(LOT, None, 1), Follow(LOT, LINEAGE, None), resume(3)],
)
def test_what_cannot_be_resumed_is_a_snapshot(request_: Follow) -> None:
    """Another lineage or none, no seq, or one that has not been."""
    sale = Saletime()
    sale.bids(0, 1)
    sale.passes()
    line, following = sale.connection("cons_ada")
    following.follow(request_)
    assert told(line.heard) == [("snapshot", 2)]
    sale.do(bid("cons_bram", 40_000))  # and no personal event is kept back
    assert told(line.heard[1:]) == [("outbid", 3), ("price", 3)]


def test_a_reader_whom_the_first_frame_ends_is_not_let_in() -> None:
    """A write may be the one too many: the closed connection must not stay a reader."""
    for request in (now(), resume(0)):
        sale = Saletime()
        sale.bids(0, 3)
        sale.passes()
        line, following = sale.connection("cons_ada")
        line.on_write = following.leave
        following.follow(request)
        assert len(line.heard) == 1
        assert (line.works, sale.hub.channel(LOT).readers) == ([], {})
        sale.bids(3, 2)
        assert len(line.heard) == 1


# ── Resuming ─────────────────────────────────────────────────────────────────────────────


def test_a_resume_within_the_ring_asks_nobody() -> None:
    """Every event and the bidder's own, in order, outside the queue limit; then live ones."""
    sale = Saletime()
    sale.bids(0, 4)
    sale.passes()
    line, following = sale.connection("cons_ada")
    following.follow(resume(2))
    assert line.heard[0]["missed"] == 3
    assert following.catching_up
    line.step()
    assert told(line.heard) == [
        ("resumed", 2),
        ("outbid", 3),
        ("price", 3),
        ("winning", 4),
        ("price", 4),
        ("outbid", 5),
        ("price", 5),
    ]
    assert line.past == line.heard[1:]
    assert (sale.asked, line.works, following.catching_up) == ([], [], False)
    sale.passes()
    sale.do(bid("cons_ada", 50_000))
    assert told(line.heard[7:]) == [("winning", 6), ("price", 6)]
    assert len(line.past) == 6


def test_what_the_ring_no_longer_has_comes_from_the_log_page_by_page() -> None:
    """At most PAGE a question, and none for the last RECENT; none missing, none twice."""
    sale = Saletime()
    sale.naps(RECENT + PAGE + 99)  # and the opening before them
    line, following = sale.connection()
    following.follow(resume(0))
    line.step()
    assert covered(line.heard) == list(range(1, RECENT + PAGE + 101))
    places = list(sale.lot().places)
    assert sale.asked == [places[:PAGE], places[PAGE : 2 * PAGE]]


def test_the_edge_of_the_ring() -> None:
    """RECENT events back is from memory, one more is a question, none at all is neither."""
    sale = Saletime()
    sale.naps(RECENT + 10)
    last = sale.lot().now.seq
    for seq, questions in ((last, 0), (last - RECENT, 0), (last - RECENT - 1, 1)):
        line, following = sale.connection()
        following.follow(resume(seq))
        line.step()
        assert told(line.heard[:1]) == [("resumed", seq)]
        assert covered(line.heard) == list(range(seq + 1, last + 1))
        assert not following.catching_up
        assert len(sale.asked) == questions


def test_a_lot_that_was_left_to_the_archive_is_resumed_from_the_log() -> None:
    """What was forgotten can still be asked for."""
    sale = Saletime()
    sale.do(bid("cons_ada", 20_000), CloseLot(LOT), SettleLot(LOT))
    sale.lot().forget()
    line, following = sale.connection("cons_ada")
    following.follow(resume(1))
    line.step()
    assert told(line.heard[1:]) == [
        ("winning", 2),
        ("price", 2),
        ("closed", 3),
        ("won", 4),
        ("settled", 4),
    ]
    assert len(sale.asked) == 1


def test_a_page_waits_until_the_reader_has_taken_the_last() -> None:
    """A full line gets nothing, whoever asks how often; the page already fetched waits too."""
    sale = Saletime()
    sale.naps(RECENT + PAGE + 9)
    line, following = sale.connection()
    line.room.is_open = False
    for _ in range(5):
        following.follow(resume(0))
        line.step()
    assert told(line.heard) == [("resumed", 0)] * 5
    assert (len(line.works), sale.asked) == (1, [])
    line.room.is_open, sale.log_answers.is_open = True, False
    line.step()
    line.room.is_open, sale.log_answers.is_open = False, True
    line.step()
    assert (len(sale.asked), line.past) == (1, [])
    line.room.is_open = True
    line.step()
    assert covered(line.heard) == list(range(1, RECENT + PAGE + 11))


def test_nobody_is_level_with_a_full_line() -> None:
    """Each page, the last one too, is taken before the next one or the first live event."""
    sale = Saletime()
    sale.naps(RECENT + 10)
    line, following = sale.connection()
    following.follow(resume(0))
    line.on_write = lambda: setattr(line.room, "is_open", False)
    line.step()
    assert covered(line.heard) == list(range(1, PAGE + 1))
    line.room.is_open = True
    line.step()
    assert covered(line.heard) == list(range(1, RECENT + 12))
    sale.naps(1)
    assert following.catching_up
    assert len(line.past) == RECENT + 11
    line.room.is_open = True
    line.step()
    assert len(line.past) == RECENT + 12


def test_events_that_come_meanwhile_come_in_their_place() -> None:
    """Public and personal, while the log is asked, while the reader reads, during a merge."""
    sale = Saletime()
    sale.naps(RECENT + 10)
    line, following = sale.connection("cons_ada")
    sale.log_answers.is_open = False
    following.follow(resume(0))
    line.step()
    sale.bids(0, 1)
    sale.log_answers.is_open, line.room.is_open = True, False
    line.step()
    sale.bids(1, 1)
    assert told(line.heard) == [("resumed", 0)]
    line.room.is_open = True
    line.step()  # everything; but Bram's price waits to be merged, so it is not level yet
    assert told(line.heard[-4:]) == [
        ("winning", 512),
        ("price", 512),
        ("outbid", 513),
        ("price", 513),
    ]
    assert following.catching_up
    sale.bids(2, 1)
    sale.passes()
    assert told(line.heard[-1:]) == [("price", 513)]
    line.step()
    assert told(line.heard[-2:]) == [("winning", 514), ("price", 514)]
    assert list(sale.hub.channel(LOT).readers) == [line]
    sale.passes()
    sale.bids(3, 1)
    assert told(line.heard[-2:]) == [("outbid", 515), ("price", 515)]
    assert covered(line.heard) == list(range(1, 516))


def test_a_lowered_limit_comes_in_its_place() -> None:
    """Live and in a resume, from memory or from the log: hers alone, between its neighbours."""
    sale = Saletime()
    line, _ = sale.connection("cons_ada")
    sale.do(bid("cons_ada", 80_000, "max"), LowerLimit(LOT, "cons_ada", 40_000))
    sale.do(bid("cons_bram", 50_000))
    expected = [("winning", 2), ("winning", 2), ("outbid", 3)]
    assert told(line.heard) == expected
    assert [frame.get("max") for frame in line.heard] == [80_000, 40_000, None]
    sale.passes()
    for forget in (False, True):
        if forget:
            sale.lot().recent.clear()
        ada, following = sale.connection("cons_ada")
        following.follow(resume(1))
        ada.step()
        assert told(personal_of(ada.heard)) == expected
        bram, following = sale.connection("cons_bram")
        following.follow(resume(1))
        bram.step()
        assert "40000" not in json.dumps(bram.heard).replace('"price": 41000', "")


def test_told_live_and_again_in_the_resume() -> None:
    """A resume is one complete stream, also of what this connection has heard before."""
    sale = Saletime()
    line, following = sale.connection("cons_ada")
    sale.bids(0, 2)
    assert told(line.heard) == [("winning", 2), ("outbid", 3)]
    sale.passes()
    following.follow(resume(1))
    line.step()
    assert told(line.heard[3:]) == [("winning", 2), ("price", 2), ("outbid", 3), ("price", 3)]


# ── Calling off ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("leaves", [True, False])
def test_calling_off_a_catch_up(leaves: bool) -> None:
    """Whether it waits for the log or for the reader: nothing of that lot comes any more."""
    for at_the_log in (True, False):
        sale = Saletime()
        sale.naps(RECENT + 10)
        line, following = sale.connection("cons_ada")
        gate = sale.log_answers if at_the_log else line.room
        gate.is_open = False
        following.follow(resume(0))
        line.step()
        if leaves:
            following.leave()
        else:
            following.unfollow(LOT)
        gate.is_open = True
        line.step()
        sale.bids(0, 1)
        own = [] if leaves else [("winning", 512)]
        assert told(line.heard) == [("resumed", 0), *own]
        assert (line.works, following.catching_up, line.failures) == ([], False, [])


def test_calling_off_while_waiting_for_a_merge() -> None:
    """Neither the question nor a catch-up that has reached the end is taken up again."""
    sale = Saletime()
    line, following = sale.connection()
    sale.bids(0, 2)
    following.follow(now())
    following.unfollow(LOT)
    sale.passes()
    assert line.heard == []
    sale.passes()
    following.follow(resume(1))
    sale.bids(2, 2)
    line.step()
    assert following.catching_up
    following.unfollow(LOT)
    sale.passes()
    line.step()
    sale.bids(4, 1)
    assert covered(line.heard) == [2, 3, 4, 5]
    assert sale.hub.channel(LOT).readers == {}


def test_asking_twice_is_answered_twice_and_told_once() -> None:
    """During a merge, a snapshot and a resume; and a second resume ends the first."""
    sale = Saletime()
    line, following = sale.connection("cons_ada")
    sale.bids(0, 2)
    line.heard.clear()
    following.follow(now())
    following.follow(resume(1))
    sale.bids(2, 1)  # her own, while it waits: only in its place
    sale.passes()
    sale.bids(3, 1)  # sent at once to those who read already
    line.step()
    sale.passes()
    assert told(line.heard) == [
        ("snapshot", 4),
        ("resumed", 1),
        ("winning", 2),
        ("price", 2),
        ("outbid", 3),
        ("price", 3),
        ("winning", 4),
        ("price", 4),
        ("outbid", 5),
        ("price", 5),
    ]
    line.step()
    line.heard.clear()
    following.follow(resume(4))
    following.follow(resume(4))
    line.step()
    assert told(line.heard) == [("resumed", 4), ("resumed", 4), ("outbid", 5), ("price", 5)]
    sale.naps(1)
    assert told(line.heard[4:]) == [("paused", 6)]


def test_a_line_that_ends_during_a_page() -> None:
    """Whoever is gone by the end of a page does not become a reader."""
    for count, questions in ((3, 0), (RECENT + PAGE + 9, 1)):
        sale = Saletime()
        sale.naps(count)
        line, following = sale.connection()
        following.follow(resume(0))
        line.on_write = following.leave
        line.step()
        assert sale.hub.channel(LOT).readers == {}
        assert (line.works, len(sale.asked)) == ([], questions)


# ── Failing ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("error", [StreamError("the log is gone"), ZeroDivisionError()])
def test_a_catch_up_that_fails_is_told_to_the_line(error: Exception) -> None:
    """Whatever it was; and nothing after it is sent as if all were well."""
    sale = Saletime()
    sale.naps(RECENT + 10)
    sale.log_fails = error
    line, following = sale.connection()
    following.follow(resume(0))
    line.step()
    assert line.failures == [error]
    following.leave()  # what the line does then
    assert told(line.heard) == [("resumed", 0)]
    assert line.works == []


# ── Whatever happens ─────────────────────────────────────────────────────────────────────

STEPS = st.one_of(
    st.sampled_from(("bid", "bid", "silent", "nap", "wait", "step", "step", "log", "room", "now")),
    st.sampled_from(("leave off", "forget")),
    st.integers(0, 30),
)


MARK: Json = {"type": "mark", "seq": 0}
ANSWERS = ("snapshot", "resumed")


def personal_of(heard: list[Json]) -> list[Json]:
    return [frame for frame in heard if frame["type"] in PERSONAL]


@contextmanager
def memory_of(count: int) -> Iterator[None]:
    """A ring and pages so small that a short sale goes through all of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.core.view.RECENT", count)
        patch.setattr("gateway.core.frames.PAGE", count)
        yield


@settings(max_examples=300)
@given(st.lists(STEPS, max_size=60), st.integers(1, 6))
def test_every_resume_is_whole_whatever_happens(steps: list[str | int], ring: int) -> None:
    """From each answer until she asks again or leaves off: every public seq once, every
    personal event of hers once, a resume in the log's very order; and it gets to the end."""
    with memory_of(ring):
        evening = _Evening()
        for number, step in enumerate(steps):
            evening.take(step, number)
        evening.comes_to_rest()
        evening.check()


class _Evening:
    """One bidder's connection through whatever happens; marks when she asks or leaves off."""

    def __init__(self) -> None:
        self.sale = Saletime()
        self.line, self.following = self.sale.connection("cons_ada")

    def take(self, step: str | int, number: int) -> None:
        sale, line, following = self.sale, self.line, self.following
        amount = 10_000 + 1_000 * number
        acts: dict[str, Callable[[], None]] = {
            "bid": lambda: sale.do(bid(("cons_ada", "cons_bram")[number % 2], amount)),
            "silent": lambda: sale.do(bid("cons_ada", amount + 500, "max")),
            "nap": lambda: sale.naps(2),
            "wait": lambda: sale.passes(0.02),
            "step": line.step,
            "log": lambda: setattr(sale.log_answers, "is_open", not sale.log_answers.is_open),
            "room": lambda: setattr(line.room, "is_open", not line.room.is_open),
            "forget": sale.lot().recent.clear,
        }
        if isinstance(step, str) and step in acts:
            acts[step]()
            return
        line.heard.append(MARK)
        if step == "leave off":
            following.unfollow(LOT)
        else:
            following.follow(resume(step) if isinstance(step, int) else now())

    def comes_to_rest(self) -> None:
        """She asks for everything, and nothing holds it up any more."""
        self.take(0, 0)
        self.line.room.is_open = self.sale.log_answers.is_open = True
        for _ in range(5):
            self.sale.passes()
            self.line.step()
        self.sale.naps(1)

    def check(self) -> None:
        heard = self.line.heard
        edges = [n for n, f in enumerate(heard) if f is MARK or f["type"] in ANSWERS]
        for start, end in zip(edges, [*edges[1:], len(heard)], strict=True):
            if heard[start] is not MARK:
                self._check_stream(heard[start], heard[start + 1 : end])
        everything = self.sale.told_of("cons_ada", 0)
        last = heard[edges[-1] :]
        assert covered(last) == covered(everything)
        assert told(personal_of(last)) == told(personal_of(everything))
        assert (self.line.works, self.line.failures) == ([], [])

    def _check_stream(self, answer: Json, stream: list[Json]) -> None:
        seqs = covered(stream)
        assert seqs == list(range(answer["seq"] + 1, answer["seq"] + 1 + len(seqs)))
        if answer["type"] == "snapshot":  # which has every silent raise up to its moment
            stream = [frame for frame in stream if frame["seq"] > answer["seq"]]
            expected = [f for f in self.sale.told_of("cons_ada", 0) if f["seq"] > answer["seq"]]
        else:
            place = self.sale.lot().place_after(answer["seq"])
            expected = self.sale.told_of("cons_ada", place)
            past = [frame for frame in stream if any(frame is p for p in self.line.past)]
            assert past == expected[: len(past)] == stream[: len(past)]
        own = personal_of(stream)
        assert own == personal_of(expected)[: len(own)]
