"""Token buckets, with the time in the test's hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import limits
from gateway.core.limits import Bucket, Buckets
from gateway.settings import Rate


def test_a_burst_and_then_the_rate() -> None:
    """Ten at once, the eleventh is told when; not a moment earlier does it pass."""
    bucket = Bucket(Rate(5, 10))
    now = 1_000.0
    assert [bucket.take(now) for _ in range(10)] == [0] * 10
    assert bucket.left(now) == 0
    wait_ms = bucket.take(now)
    assert 200 <= wait_ms <= 202
    assert bucket.take(now + 0.199) > 0
    assert bucket.take(now + wait_ms / 1000) == 0


def test_who_was_refused_has_lost_nothing() -> None:
    """Asking too often does not put the next token off."""
    bucket = Bucket(Rate(5, 10))
    for _ in range(10):
        bucket.take(0.0)
    for step in range(19):
        assert bucket.take(step * 0.01) > 0
    assert bucket.take(0.2) == 0


def test_it_never_holds_more_than_the_burst() -> None:
    """A long pause fills it, and no further."""
    bucket = Bucket(Rate(5, 10))
    bucket.take(0.0)
    assert bucket.left(1e6) == 10
    assert bucket.full_in(1e6) == 0
    assert sum(bucket.take(1e6) == 0 for _ in range(30)) == 10


@given(
    st.integers(1, 50), st.integers(1, 50), st.lists(st.floats(0, 0.3), min_size=1, max_size=200)
)
def test_never_more_than_rate_and_burst(per_second: int, burst: int, pauses: list[float]) -> None:
    """In any stretch of time at most burst + rate × time pass, and a refusal's wait suffices."""
    bucket = Bucket(Rate(per_second, burst))
    now, passed = 100.0, []
    for pause in pauses:
        now += pause
        wait_ms = bucket.take(now)
        if wait_ms == 0:
            passed.append(now)
        assert 0 <= bucket.left(now) <= burst
    for first, since in enumerate(passed):
        allowed = burst + (passed[-1] - since) * per_second + 1e-6
        assert len(passed) - first <= allowed


def test_buckets_are_each_ones_own_and_full_ones_forgotten() -> None:
    """One name's haste is not another's; no limit means no bucket; the idle take no room."""
    buckets = Buckets(Rate(1, 1))
    ada = buckets.of("ada", 0.0)
    assert ada is not None
    assert ada.take(0.0) == 0
    again, bram = buckets.of("ada", 0.0), buckets.of("bram", 0.0)
    assert again is ada
    assert bram is not None
    assert bram.take(0.0) == 0
    buckets.of("celia", 100.0)
    assert buckets.of("ada", 100.0) is not ada
    assert Buckets(None).of("ada", 0.0) is None


def test_what_others_have_given_is_gone_here_too() -> None:
    """Each token that is given is told once, by name; a refusal is not; what is deducted is
    owed, but never for longer than a second burst takes."""
    told: list[str] = []
    buckets = Buckets(Rate(5, 10), told.append)
    buckets.deduct("ada", 7, 0.0)
    ada = buckets.of("ada", 0.0)
    assert ada is not None
    assert [ada.take(0.0) == 0 for _ in range(4)] == [True, True, True, False]
    assert told == ["ada"] * 3
    buckets.deduct("ada", 5, 0.0)
    assert ada.full_in(0.0) == 3.0
    assert ada.take(1.0) > 0
    assert ada.take(1.2) == 0
    buckets.deduct("ada", 1_000_000, 2.0)
    assert ada.full_in(2.0) == 4.0
    Buckets(None, told.append).deduct("ada", 1, 0.0)


def test_a_rate_for_minutes() -> None:
    """Three in ten minutes: three at once, then one each time a third of it has passed."""
    bucket = Bucket(Rate(3 / 600, 3))
    assert [bucket.take(0.0) for _ in range(3)] == [0, 0, 0]
    wait_ms = bucket.take(0.0)
    assert 200_000 <= wait_ms <= 200_002
    assert bucket.take(199.9) > 0
    assert bucket.take(200.1) == 0
    assert bucket.take(200.2) > 0


def test_there_is_an_end_to_the_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes with ever new names makes the oldest be forgotten, and no more room be used."""
    monkeypatch.setattr(limits, "MOST_BUCKETS", 3)
    buckets = Buckets(Rate(1, 1))
    for number in range(10):
        bucket = buckets.of(f"name{number}", 1_000.0)
        assert bucket is not None
        bucket.take(1_000.0)
    refused = [
        number
        for number in (9, 8, 7, 6)
        if (bucket := buckets.of(f"name{number}", 1_000.0)) is not None and bucket.take(1_000.0)
    ]
    assert refused == [9, 8, 7]
