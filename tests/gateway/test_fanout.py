"""One auction's events on their way to its readers, with the clock in the test's hand."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.frames import Json
from gateway.fanout import Channel


class HandClock:
    """``call_later`` that calls when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.due: list[tuple[float, Callable[[], None]]] = []

    def call_later(self, delay_s: float, what: Callable[[], None]) -> None:
        self.due.append((self.now + delay_s, what))

    def goes_to(self, now: float) -> None:
        while ready := sorted((d for d in self.due if d[0] <= now + 1e-9), key=lambda d: d[0]):
            self.due.remove(ready[0])
            self.now = ready[0][0]
            ready[0][1]()
        self.now = now


class Listener:
    """Keeps what it was sent, and when."""

    consumer_id: str | None = None
    is_console = False
    has_heard = True

    def __init__(self, clock: HandClock) -> None:
        self.clock = clock
        self.frames: list[Json] = []
        self.times: list[float] = []

    def write(self, frame: bytes) -> None:
        self.frames.append(json.loads(frame[frame.index(b"{") :]))
        self.times.append(self.clock.now)


class Room:
    """A channel with one listener, and prices numbered by their seq."""

    def __init__(self, merge_ms: int = 50) -> None:
        self.clock = HandClock()
        self.channel = Channel(merge_ms, self.clock.call_later)
        self.seq = 0
        self.ear = self.listener()

    def listener(self) -> Listener:
        ear = Listener(self.clock)
        self.channel.readers[ear] = None
        return ear

    def price(self) -> None:
        self.seq += 1
        self.channel.price({"type": "price", "seq": self.seq})

    def pause(self) -> None:
        self.seq += 1
        self.channel.event({"type": "paused", "seq": self.seq})

    def heard(self) -> list[tuple[str, int, int]]:
        return [(f["type"], f["seq"], f.get("merged", 1)) for f in self.ear.frames]


def test_the_first_price_goes_at_once_and_later_ones_together() -> None:
    """Within the interval they wait for its end; then the next interval begins."""
    room = Room()
    for _ in range(4):
        room.price()
    assert room.heard() == [("price", 1, 1)]
    room.clock.goes_to(0.049)
    assert len(room.heard()) == 1
    room.clock.goes_to(0.050)
    assert room.heard()[1:] == [("price", 4, 3)]
    room.price()
    room.clock.goes_to(0.099)
    assert len(room.heard()) == 2
    room.clock.goes_to(0.100)
    assert room.heard()[2:] == [("price", 5, 1)]
    room.clock.goes_to(0.5)
    room.price()
    assert room.heard()[3:] == [("price", 6, 1)]


def test_another_event_first_sends_what_waits() -> None:
    """It is never merged, never late and never before its elders."""
    room = Room()
    for _ in range(3):
        room.price()
    room.pause()
    room.pause()
    assert room.heard() == [("price", 1, 1), ("price", 3, 2), ("paused", 4, 1), ("paused", 5, 1)]
    room.clock.goes_to(1.0)
    assert len(room.heard()) == 4


def test_never_merged_when_so_set() -> None:
    """An interval of 0: each at once."""
    room = Room(merge_ms=0)
    for _ in range(5):
        room.price()
    assert room.heard() == [("price", seq, 1) for seq in range(1, 6)]


def test_who_comes_while_something_waits_joins_when_it_was_sent() -> None:
    """Neither the merged event nor a part of it is told to a reader who began after it."""
    room = Room()
    room.channel.when_level(lambda: None)
    room.price()
    room.price()
    joined_at: list[int] = []
    room.channel.when_level(lambda: joined_at.append(room.seq))
    assert joined_at == []
    room.price()
    room.clock.goes_to(0.05)
    assert joined_at == [3]
    room.channel.when_level(lambda: joined_at.append(room.seq))
    assert joined_at == [3, 3]


@given(st.lists(st.sampled_from(("price", "price", "price", "pause", "wait", "join")), max_size=60))
@pytest.mark.filterwarnings("error")
def test_every_seq_is_covered_once_whatever_happens(steps: list[str]) -> None:
    """All readers hear the same; each seq exactly once, in order; merged only where two or
    more are; and between two prices at least the interval, but for what an event sent on."""
    room = Room()
    late: list[tuple[int, Listener]] = []
    for step in steps:
        if step == "price":
            room.price()
        elif step == "pause":
            room.pause()
        elif step == "wait":
            room.clock.goes_to(room.clock.now + 0.017)
        else:
            room.channel.when_level(lambda: late.append((room.seq, room.listener())))
    room.clock.goes_to(room.clock.now + 1)
    for began, ear in [(0, room.ear), *late]:
        covered: list[int] = []
        for frame in ear.frames:
            merged = frame.get("merged", 1)
            assert "merged" not in frame or merged >= 2
            assert merged == 1 or frame["type"] == "price"
            covered += range(frame["seq"] - merged + 1, frame["seq"] + 1)
        assert covered == list(range(began + 1, room.seq + 1))
        assert ear.frames == room.ear.frames[len(room.ear.frames) - len(ear.frames) :]
