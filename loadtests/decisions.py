"""How many bids does one engine process decide in a second, without a log?

Bare: ``execute`` on decoded commands, state folded, nothing written.  Full: the engine's
whole work on a bid short of the server: the entry decoded, decided, each event encoded and
chained by SHA-256.  Beside it the same bytes only decoded and encoded, which is what any
engine that reads and writes these records must do.  Best of three, each on a fresh sale, in
seconds of this process's CPU: what its neighbours on the machine do is not of interest here.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

from engine.core.codec import (
    GENESIS,
    chain,
    decode_commands,
    encode_commands,
    encode_event,
)
from engine.core.messages import Event
from engine.core.sale import execute
from loadtests.core.mix import Mix, make_mix
from loadtests.figures import Figure

AIM = 300_000
RUNS = 3
LOTS = 100
ENTRY = 64  # bids in one entry of the log, as a busy gateway batches them
SALE = "storm"


def measure(bids: int) -> list[Figure]:
    """Both figures, for a mix of *bids* bids."""
    mix = make_mix([SALE], LOTS, bids)
    shape = ", ".join(f"{count / bids:.0%} {name}" for name, count in sorted(mix.shape.items()))
    entries = _entries(mix)
    events = _events(mix)
    raw = _best(lambda: _codec_only(entries, events), bids)
    bare = _best(lambda: _bare(mix), bids)
    full = _best(lambda: _full(mix, entries), bids)
    what = f"{LOTS} lots, one shard, a CPU second of one process; {shape}"
    return [
        Figure("core decisions", bare, "bids/s", f"execute only; {what}", aim=AIM),
        Figure(
            "core decisions with codec",
            full,
            "bids/s",
            f"decode {ENTRY} bids an entry, execute, encode, SHA-256 chain",
            beside=raw,
            beside_is="the same commands decoded and the same events encoded, nothing decided",
        ),
    ]


def _entries(mix: Mix) -> list[tuple[bytes, int]]:
    starts = range(0, len(mix.bids), ENTRY)
    batches = [mix.bids[start : start + ENTRY] for start in starts]
    return [(encode_commands([bid for bid, _ in batch]), batch[0][1]) for batch in batches]


def _events(mix: Mix) -> list[Event]:
    shard = mix.opened()
    return [event for bid, at in mix.bids for event in execute(shard, bid, at)]


def _bare(mix: Mix) -> float:
    shard = mix.opened()
    started = time.process_time()
    for bid, at in mix.bids:
        execute(shard, bid, at)
    return time.process_time() - started


def _full(mix: Mix, entries: list[tuple[bytes, int]]) -> float:
    shard, head = mix.opened(), GENESIS
    started = time.process_time()
    for payload, at in entries:
        for command in decode_commands(payload):
            for event in execute(shard, command, at):
                head = chain(head, encode_event(event))
    return time.process_time() - started


def _codec_only(entries: list[tuple[bytes, int]], events: list[Event]) -> float:
    started = time.process_time()
    for payload, _ in entries:
        decode_commands(payload)
    for event in events:
        encode_event(event)
    return time.process_time() - started


def _best(run: Callable[[], float], bids: int) -> float:
    seconds = []
    for _ in range(RUNS):
        gc.collect()
        seconds.append(run())
    return bids / min(seconds)
