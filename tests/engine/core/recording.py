"""A day of several sales as the log would hold it, and a second run of it from its bytes.

``record`` throws the day with seeded dice; ``rerun`` decides it again from nothing but the
recorded payloads and instants.  Run as a program it reads a recording from standard input
and prints the state hash and the head of the chain, so that one recording can be decided in
several processes whose strings hash differently.
"""

from __future__ import annotations

import random
import sys
from typing import NamedTuple, get_args

from msgspec.structs import replace

from engine.core.codec import (
    GENESIS,
    chain,
    decode_commands,
    encode_commands,
    encode_event,
)
from engine.core.increments import saleroom_ladder, table
from engine.core.lot import Lot
from engine.core.messages import (
    Act,
    AddLot,
    Ask,
    AutoAccept,
    CancelBid,
    CancelLot,
    Catalogue,
    CloseLot,
    Command,
    CreateSale,
    Deed,
    EnterSale,
    Event,
    FairWarning,
    FinalCall,
    FinishSettlement,
    FloorBid,
    Format,
    Hammer,
    KeepTime,
    LeaveConsole,
    LeaveSale,
    LowerLimit,
    LowerReserve,
    Open,
    OpenLot,
    Pass,
    Pause,
    PauseLot,
    PlaceBid,
    Refuse,
    RegisterBidder,
    Reinstate,
    Reopen,
    ResumeTrading,
    SaleTerms,
    Say,
    SellSubject,
    SettleLot,
    Skip,
    Step,
    Take,
    TakeOver,
    Terms,
    Tokens,
    Undo,
    Unpause,
    UnpauseLot,
    UpdateLot,
    Withdraw,
    WrongFoot,
)
from engine.core.sale import Shard, execute
from engine.core.snapshot import state_hash
from tests.engine.core.saleroom import OPENING_KEY, SEALING, sealed_bid

SALES = ("seq_k3f9", "seq_p2m4", "seq_w8r1", "seq_r5t7")
FORMATS: tuple[Format, ...] = ("english", "one_bid", "dutch", "sealed_first", "sealed_second", "uniform")  # fmt: skip
LOTS = [f"auction_{sale[4:]}_{number}" for sale in SALES for number in range(6)]
BIDDERS = [
    f"cons_{name}" for name in ("anna", "bert", "carl", "dora", "emil", "frau", "gina", "hans")
]
NOON = 1_767_225_600_000


class Entry(NamedTuple):
    """One entry of the command stream."""

    at: int
    payload: bytes


def record(seed: int, entries: int = 450) -> list[Entry]:
    """A day's log: the sales, their lots, and *entries* batches of whatever then happens."""
    dice = random.Random(seed)
    log = [Entry(NOON, encode_commands(_opening(dice)))]
    trial, at = Shard(), NOON
    run(trial, log[0])
    for _ in range(entries):
        at += dice.choice((0, 1, 7, 250, 900, 1800))
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
        CreateSale(SALES[2], "Prints", "EUR", 2),
        CreateSale(SALES[3], "Jewels", "EUR", 2, terms=_printed(dice)),
    ]
    commands += [RegisterBidder(SALES[1], who) for who in BIDDERS[:6]]
    commands += [RegisterBidder(SALES[2], who, limit=60_000) for who in BIDDERS[:3]]
    for number, lot in enumerate(LOTS):
        sale, terms = SALES[number // 6], _terms(dice)
        if sale == SALES[2]:
            terms = _other_terms(dice, FORMATS[number % 6])
        if sale == SALES[3]:
            terms = replace(terms, format="live", opens_at=None, closes_at=None)
        commands.append(AddLot(lot, sale, terms, Catalogue(str(number), f"Vase {number}")))
    return commands


def _printed(dice: random.Random) -> SaleTerms:
    wrong_foot: tuple[WrongFoot, ...] = get_args(WrongFoot)
    return SaleTerms(wrong_foot=dice.choice(wrong_foot), house_bids="consecutive_below_reserve")


def _other_terms(dice: random.Random, how: Format) -> Terms:
    """Those of a lot with several winners."""
    falls = how == "dutch"
    return Terms(
        9500,
        table([(0, 500)]),
        None if falls else dice.choice((None, 12_000)),
        opens_at=NOON,
        closes_at=NOON + dice.choice((60_000, 120_000)),
        format=how,
        winner_count=3,
        floor=2000 if falls else None,
        drop=700 if falls else None,
        drop_interval_ms=9_000 if falls else None,
        sealing=SEALING,
        tokens=Tokens("a", "erc721", "b") if how == "one_bid" else None,
        fixed_end=how == "one_bid",
    )


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
    if dice.random() < 0.4:
        return _act(dice, shard, dice.choice(LOTS[-6:-1]))
    if throw < 78:
        return _bid(dice, shard, lot)
    if throw < 84:
        return KeepTime(lot)
    if throw < 91:
        return _wish(dice, shard, lot)
    if throw < 92:
        return RegisterBidder(
            dice.choice(SALES), dice.choice(BIDDERS), dice.choice(("approved", "suspended"))
        )
    if throw < 93:
        return ResumeTrading()
    if throw < 95:
        return _change(dice, shard, lot)
    if shard.lots[lot].terms.format in FORMATS[2:] and dice.random() < 0.5:
        return CloseLot(lot, f"c{dice.randrange(50)}", "key_1", OPENING_KEY)
    if dice.random() < 0.1:
        return FinishSettlement(lot)
    moves = (PauseLot, UnpauseLot, UnpauseLot, OpenLot, SettleLot, CloseLot, CancelLot)
    return dice.choice(moves[: 5 if dice.random() < 0.9 else 7])(lot, f"c{dice.randrange(50)}")


def _wish(dice: random.Random, shard: Shard, lot: str) -> Command:
    """What a bidder may ask for beside bidding."""
    sale, who, cmd_id = dice.choice(SALES), dice.choice(BIDDERS), f"w{dice.randrange(50)}"
    now = shard.lots[lot]
    if now.leader is None or now.price is None:
        wishes = (EnterSale(sale, who, cmd_id=cmd_id), LeaveSale(sale, who, cmd_id))
        return dice.choice(wishes)
    if now.method == "once":
        who = dice.choice(sorted(now.bidders))
        return CancelBid(lot, who, now.bidders[who].cmd_id, cmd_id)
    return LowerLimit(lot, now.leader, now.price + 100, cmd_id)


def _change(dice: random.Random, shard: Shard, lot: str) -> UpdateLot:
    """A reserve a little lower, or an end a little later."""
    now = shard.lots[lot]
    reserve, end = now.terms.reserve, now.closes_at
    if reserve is not None and dice.random() < 0.5:
        terms = replace(now.terms, reserve=reserve - 500)
    else:
        terms = replace(now.terms, closes_at=None if end is None else end + 9_000)
    return UpdateLot(lot, now.revision, terms, Catalogue("1", "Vase"), f"u{dice.randrange(99)}")


def _bid(dice: random.Random, shard: Shard, lot: str) -> PlaceBid:
    price = shard.lots[lot].price or shard.lots[lot].terms.opening
    amount = price + dice.choice((0, 500, 1000, 2000, 5000, 12_345))
    cmd_id = f"c{dice.randrange(300)}"  # now and then one that was used before
    if shard.lots[lot].method == "sealed":
        return sealed_bid(dice.choice(BIDDERS), amount, cmd_id, lot)
    if shard.lots[lot].method != "proxy":
        return PlaceBid(lot, dice.choice(BIDDERS), cmd_id, amount, "bid")
    return PlaceBid(lot, dice.choice(BIDDERS), cmd_id, amount, dice.choice(("bid", "max")))


def _act(dice: random.Random, shard: Shard, auction_id: str) -> Command:
    """What a console may ask for, mostly of the lot in the ring."""
    lot, sale = shard.lots[auction_id], shard.sales[SALES[3]]
    session = "two" if dice.random() < 0.05 else "one"
    if dice.random() < 0.02:
        return LeaveConsole(SALES[3], session)
    ring = sale.ring
    if ring is not None and dice.random() < 0.8:
        auction_id, lot = ring, shard.lots[ring]
    deed = _deed(dice, lot)
    reason = dice.choice(("", "misheard", "misheard"))
    return Act(auction_id, deed, f"c{dice.randrange(900)}", "key_1", session, lot.seq, reason)


def _deed(dice: random.Random, lot: Lot) -> Deed:
    price = lot.price or lot.terms.opening
    amount = price + dice.choice((-500, 1, 500, 1000, 3_000))
    paddle = lot.bidders[lot.leader].paddle or 9 if lot.leader is not None else 9
    waiting = list(lot.rostrum.waiting.items()) if lot.rostrum is not None else []
    whose, bid = dice.choice(waiting) if waiting else ("cons_anna", None)
    made = [(who, cmd_id) for who, one in lot.bidders.items() for cmd_id in one.answers]
    deeds: list[Deed] = [
        *[Open()] * 8,
        *[FloorBid("room", amount), FloorBid("phone", amount, dice.choice((7, 101, 102)))] * 5,
        *[FloorBid("left", amount, 8, amount + 4_000), FloorBid("left", amount)] * 2,
        *[Take(whose, bid.cmd_id if bid is not None else "c1")] * 5,
        *[Refuse(whose, bid.cmd_id if bid is not None else "c1")] * 2,
        *[Undo(dice.randrange(lot.seq + 1))] * 4,
        *[Reinstate(*dice.choice(made or [("cons_anna", "c1")]))] * 5,
        *[Hammer(paddle, price)] * 2,
        *[AutoAccept(dice.random() < 0.3)] * 2,
        *[Reopen()] * 4,
        Ask(amount),
        Step(dice.choice((None, 300))),
        FloorBid("room", amount, house=True),
        FairWarning(),
        FinalCall(),
        Pause(),
        Unpause(),
        SellSubject(),
        Pass(),
        Withdraw(),
        Skip(),
        TakeOver(),
        LowerReserve(max(1, (lot.terms.reserve or 1) - 500)),
        Say("Ladies and gentlemen"),
    ]
    return dice.choice(deeds)


if __name__ == "__main__":
    print(*rerun(read(sys.stdin.buffer.read())))  # noqa: T201  # a program's answer
