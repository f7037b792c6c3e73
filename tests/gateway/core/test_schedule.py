"""When the house says that a lot closes: local times, offsets, and the two odd nights."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.consumer import moment
from gateway.core.schedule import BadTime, read_instant

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("text", "zone", "instant"),
    [
        ("2026-11-22T19:30", BERLIN, "2026-11-22T18:30:00.000Z"),
        ("2026-07-22T19:30", BERLIN, "2026-07-22T17:30:00.000Z"),
        ("2026-07-22 19:30:15", NEW_YORK, "2026-07-22T23:30:15.000Z"),
        ("2026-11-22T19:30:00.1239", BERLIN, "2026-11-22T18:30:00.123Z"),
        ("2026-11-22T19:30:00Z", BERLIN, "2026-11-22T19:30:00.000Z"),
        ("2026-11-22T19:30+05:45", BERLIN, "2026-11-22T13:45:00.000Z"),
        ("1970-01-01T01:00", BERLIN, "1970-01-01T00:00:00.000Z"),
    ],
)
def test_a_time_is_read_where_it_was_said(text: str, zone: ZoneInfo, instant: str) -> None:
    """Without an offset it is the zone's own time; with one the zone counts for nothing."""
    assert moment(read_instant(text, zone)) == instant


@pytest.mark.parametrize(
    ("text", "zone"),
    [("2026-03-29T02:30", BERLIN), ("2026-03-29T02:00", BERLIN), ("2026-03-08T02:59", NEW_YORK)],
)
def test_a_time_that_the_clocks_skip_is_refused(text: str, zone: ZoneInfo) -> None:
    """In spring an hour does not exist: no lot closes in it."""
    with pytest.raises(BadTime, match="skip"):
        read_instant(text, zone)


def test_the_edges_of_the_skipped_hour() -> None:
    """The last time before it and the first after it are a minute apart."""
    before, after = (read_instant(f"2026-03-29T{time}", BERLIN) for time in ("01:59", "03:00"))
    assert after - before == 60_000


def test_of_a_time_that_comes_twice_the_first_is_meant() -> None:
    """In autumn an hour comes twice; the second is said with its offset."""
    said = read_instant("2026-10-25T02:30", BERLIN)
    assert said == read_instant("2026-10-25T02:30+02:00", BERLIN)
    assert read_instant("2026-10-25T02:30+01:00", BERLIN) - said == 3_600_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "2026-11-22",
        "19:30",
        "2026-11-22T24:30",
        "2026-02-30T19:30",
        "2026-11-22T19:30+25:00",
        "2026-11-22T19:30 Europe/Berlin",
        "20261122T1930",
        "2026-W47-7T19:30",
        "1969-12-31T23:59Z",
        "1970-01-01T00:30",
        "9999-11-22T19:30",
        "２０２６-11-22T19:30",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    """One way of writing, years that the log can hold, and a sentence about what was expected."""
    with pytest.raises(BadTime):
        read_instant(text, BERLIN)


@given(st.datetimes(datetime.fromisoformat("1971-01-01"), datetime.fromisoformat("9989-01-01")))
def test_what_is_written_is_read_again(said: datetime) -> None:
    """An instant that an answer shows means the same when it is sent back."""
    instant = read_instant(said.replace(microsecond=0, tzinfo=UTC).isoformat(), BERLIN)
    assert read_instant(moment(instant), NEW_YORK) == instant
