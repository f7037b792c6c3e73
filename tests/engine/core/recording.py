"""A day of several sales as the log would hold it, and a second run of it from its bytes.

``record`` throws the day with seeded dice; ``rerun`` decides it again from nothing but the
recorded payloads and instants.  Run as a program it reads a recording from standard input
and prints the state hash and the head of the chain, so that one recording can be decided in
several processes whose strings hash differently.
"""

from __future__ import annotations

import random
import sys
from typing import NamedTuple

from engine.core.codec import (
    GENESIS,
    chain,
    decode_commands,
    encode_commands,
    encode_event,
)
from engine.core.increments import saleroom_ladder, table
from engine.core.messages import (
    AddLot,
    CancelLot,
    Catalogue,
    CloseLot,
    Command,
    CreateSale,
    Event,
    KeepTime,
    OpenLot,
    PauseLot,
    PlaceBid,
    RegisterBidder,
    ResumeTrading,
    SettleLot,
    Terms,
    UnpauseLot,
)
from engine.core.sale import Shard, execute
from engine.core.snapshot import state_hash

SALES = ("seq_k3f9", "seq_p2m4")
LOTS = [f"auction_{sale[4:]}_{number}" for sale in SALES for number in range(6)]
BIDDERS = [
    f"cons_{name}" for name in ("anna", "bert", "carl", "dora", "emil", "frau", "gina", "hans")
]
NOON = 1_767_225_600_000


class Entry(NamedTuple):
    """One entry of the command stream."""

    at: int
    payload: bytes


def record(seed: int, entries: int = 220) -> list[Entry]:
    """A day's log: the sales, their lots, and *entries* batches of whatever then happens."""
    dice = random.Random(seed)
    log = [Entry(NOON, encode_commands(_opening(dice)))]
    trial, at = Shard(), NOON
    run(trial, log[0])
    for _ in range(entries):
        at += dice.choice((0, 1, 7, 250, 900, 4000))
        batch = [_something(dice, trial) for _ in range(dice.choice((1, 1, 2, 5)))]
        log.append(Entry(at, encode_commands(batch)))
        run(trial, log[-1])
    return log


def run(shard: Shard, entry: Entry) -> list[Event]:
    """Decide one entry."""
    return [
        e for command in decode_commands(entry.payload) for e in execute(shard, command, entry.at)
    ]


def rerun(log: list[Entry]) -> tuple[str, str]:
    """Decide a whole recording: the state hash and the head of the chain."""
    shard, head = Shard(), GENESIS
    for entry in log:
        for event in run(shard, entry):
            head = chain(head, encode_event(event))
    return state_hash(shard), head


def write(log: list[Entry]) -> bytes:
    """A recording as lines, for ``read``."""
    return b"".join(b"%d %b\n" % entry for entry in log)


def read(lines: bytes) -> list[Entry]:
    """The recording that ``write`` was given."""
    split = (line.split(b" ", 1) for line in lines.splitlines())
    return [Entry(int(at), payload) for at, payload in split]


def _opening(dice: random.Random) -> list[Command]:
    commands: list[Command] = [
        CreateSale(SALES[0], "Ceramics", "EUR", 2),
        CreateSale(SALES[1], "Silver", "GBP", 2, registration="approval"),
    ]
    commands += [RegisterBidder(SALES[1], who) for who in BIDDERS[:6]]
    for number, lot in enumerate(LOTS):
        sale = SALES[number // 6]
        commands.append(AddLot(lot, sale, _terms(dice), Catalogue(str(number), f"Vase {number}")))
    return commands


def _terms(dice: random.Random) -> Terms:
    return Terms(
        opening=dice.choice((1000, 9500, 20_000)),
        increments=dice.choice((table([(0, 500), (20_000, 1000)]), saleroom_ladder())),
        reserve=dice.choice((None, 15_000, 33_300)),
        reserve_policy=dice.choice(("normal", "to_max")),
        leader_raise=dice.choice(("freeze", "recompute")),
        ladder_only=dice.random() < 0.3,
        opens_at=NOON + dice.choice((0, 20_000)),
        closes_at=NOON + dice.choice((60_000, 120_000, 150_000)),
        settle_at=dice.choice((None, NOON + 155_000)),
        extension_window_ms=dice.choice((0, 10_000)),
        extension_ms=10_000,
        max_extensions=dice.choice((None, 2)),
    )


def _something(dice: random.Random, shard: Shard) -> Command:
    throw, lot = dice.randrange(100), dice.choice(LOTS)
    if throw < 80:
        return _bid(dice, shard, lot)
    if throw < 88:
        return KeepTime(lot)
    if throw < 91:
        return RegisterBidder(
            dice.choice(SALES), dice.choice(BIDDERS), dice.choice(("approved", "suspended"))
        )
    if throw < 92:
        return ResumeTrading()
    moves = (PauseLot, UnpauseLot, UnpauseLot, OpenLot, SettleLot, CloseLot, CancelLot)
    return dice.choice(moves[: 5 if dice.random() < 0.9 else 7])(lot)


def _bid(dice: random.Random, shard: Shard, lot: str) -> PlaceBid:
    price = shard.lots[lot].price or shard.lots[lot].terms.opening
    amount = price + dice.choice((0, 500, 1000, 2000, 5000, 12_345))
    cmd_id = f"c{dice.randrange(300)}"  # now and then one that was used before
    return PlaceBid(lot, dice.choice(BIDDERS), cmd_id, amount, dice.choice(("bid", "max")))


if __name__ == "__main__":
    print(*rerun(read(sys.stdin.buffer.read())))  # noqa: T201  # a program's answer
