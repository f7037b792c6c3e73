"""The same log, the same sale: in any process, from any snapshot, by events alone.

House style's proof of determinism: one recording under several hash seeds, and a snapshot
with the events after it against the whole.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from engine.core.codec import GENESIS, chain, decode_commands, decode_event, encode_event
from engine.core.messages import BidAccepted, BidRefused, Event, TradingResumed
from engine.core.sale import EVENTS_PER_COMMAND, Shard, evolve, execute
from engine.core.snapshot import restore, state_hash, take
from tests.engine.core.recording import Entry, read, record, rerun, run, write

CHECKOUT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def log() -> list[Entry]:
    """One recorded day."""
    return record(seed=214)


@pytest.fixture(scope="module")
def events(log: list[Entry]) -> list[Event]:
    """What was decided on it."""
    shard = Shard()
    return [event for entry in log for event in run(shard, entry)]


def test_the_recording_holds_enough_to_prove_something(events: list[Event]) -> None:
    """Bids that stand, refusals of many kinds, and a good part of every other event."""
    seen = Counter(type(event).__name__ for event in events)
    codes = {event.answer.code for event in events if isinstance(event, BidRefused)}
    ties = [event for event in events if isinstance(event, BidAccepted) and event.tied]

    assert seen["BidAccepted"] > 60
    assert len(seen) >= 20, seen
    assert len(codes) >= 6, codes
    assert ties


def test_no_command_of_the_recording_makes_more_events_than_it_may(log: list[Entry]) -> None:
    """Else a full entry of commands might not fit one commit."""
    shard = Shard()
    most = max(
        len(execute(shard, command, entry.at))
        for entry in log
        for command in decode_commands(entry.payload)
    )

    assert most <= EVENTS_PER_COMMAND


def test_one_recording_under_four_hash_seeds(log: list[Entry]) -> None:
    """Strings hash otherwise in each process, and nothing that is decided may notice."""
    here = rerun(log)
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.engine.core.recording"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=CHECKOUT,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        for seed in ("0", "1", "42", "4294967295")
    ]
    answers = [process.communicate(write(log), timeout=60)[0].decode().split() for process in runs]

    assert answers == [list(here)] * 4
    assert [process.returncode for process in runs] == [0] * 4


def test_a_recording_is_read_as_it_was_written(log: list[Entry]) -> None:
    """Otherwise the other processes would have agreed about something else."""
    assert read(write(log)) == log


def test_one_command_less_is_another_state(log: list[Entry]) -> None:
    """The hash and the head would both notice."""
    whole, shorter = rerun(log), rerun(log[:-1])

    assert whole[0] != shorter[0]
    assert whole[1] != shorter[1]


def test_events_alone_recover_the_state(log: list[Entry], events: list[Event]) -> None:
    """Recovery folds what was decided, read from its bytes, and decides nothing."""
    shard, head = Shard(), GENESIS
    for event in events:
        payload = encode_event(event)
        evolve(shard, decode_event(payload))
        head = chain(head, payload)

    assert (state_hash(shard), head) == rerun(log)


def test_any_snapshot_and_the_events_after_it_make_the_whole(
    log: list[Entry], events: list[Event]
) -> None:
    """Taken after every fifth event; the state lacks nothing that a later event needs."""
    expected = rerun(log)[0]
    shard, snapshots = Shard(), [take(Shard())]
    for event in events:
        evolve(shard, event)
        snapshots.append(take(shard))

    for taken in range(0, len(snapshots), 5):
        recovered = restore(snapshots[taken])
        assert take(recovered) == snapshots[taken]
        for event in events[taken:]:
            evolve(recovered, event)
        assert state_hash(recovered) == expected, f"snapshot after {taken} events"


def test_any_snapshot_decides_the_rest_alike(log: list[Entry]) -> None:
    """Not only events: commands after a snapshot are answered as if nothing had happened."""
    shard = Shard()
    snapshots = []
    for entry in log:
        snapshots.append(take(shard))
        run(shard, entry)
    expected = state_hash(shard)

    for taken in range(0, len(log), 10):
        recovered = restore(snapshots[taken])
        for entry in log[taken:]:
            run(recovered, entry)
        assert state_hash(recovered) == expected, f"snapshot before entry {taken}"


def test_a_snapshot_is_independent_of_the_state_it_was_taken_from(log: list[Entry]) -> None:
    """What happens later must not reach back into it."""
    shard = Shard()
    for entry in log[:100]:
        run(shard, entry)
    snapshot, copy = take(shard), restore(take(shard))
    for entry in log[100:]:
        run(shard, entry)

    assert take(copy) == snapshot
    assert take(shard) != snapshot


def test_a_damaged_snapshot_is_refused(log: list[Entry]) -> None:
    """Half a state is no state."""
    shard = Shard()
    run(shard, log[0])

    with pytest.raises(msgspec.DecodeError):
        restore(take(shard)[:-1])


def folded(events: list[Event]) -> Shard:
    """The state that *events* alone lead to."""
    shard = Shard()
    for event in events:
        evolve(shard, event)
    return shard


def test_events_out_of_place_stop_the_engine(events: list[Event]) -> None:
    """A log with an event missing, twice, or out of order is not to be believed."""
    public = [
        number
        for number, event in enumerate(events)
        if isinstance(event, BidAccepted) and event.why
    ]
    missing, twice = events[: public[5]] + events[public[5] + 1 :], list(events)
    twice.insert(public[5], events[public[5]])

    for damaged in (missing, twice):
        with pytest.raises(AssertionError):
            folded(damaged)


def test_what_is_no_event_stops_the_engine() -> None:
    """The fold knows every event by name, and nothing else."""
    with pytest.raises(AssertionError):
        evolve(Shard(), object())  # type: ignore[arg-type]
    evolve(Shard(), TradingResumed(1))
