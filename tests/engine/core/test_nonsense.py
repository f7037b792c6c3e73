"""Commands that make no sense: refused in the log, and nothing has changed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core import snapshot
from engine.core.codec import decode_event, encode_event
from engine.core.increments import table
from engine.core.messages import (
    LAST_INSTANT,
    MAX_AMOUNT,
    Act,
    ActDecided,
    AddLot,
    Ask,
    BidRefused,
    Catalogue,
    Command,
    CommandRefused,
    CreateSale,
    Deed,
    EnterSale,
    FloorBid,
    Ladder,
    LowerReserve,
    Open,
    PauseLot,
    PlaceBid,
    RegisterBidder,
    SaleTerms,
    Say,
    Sealing,
    Skip,
    Step,
    Table,
    Terms,
    Tokens,
    Undo,
    UnpauseLot,
    UpdateSale,
)
from engine.core.sale import Shard, evolve, execute
from tests.engine.core.test_codec import messages_of

SALE = CreateSale("seq_k3f9", "Ceramics", "EUR", 2)
TERMS = Terms(10_000, table([(0, 1_000)]), opens_at=0)
LOT = AddLot("auction_k3f9_1", "seq_k3f9", TERMS, Catalogue("1", "Jar"))


def with_terms(**changes: object) -> AddLot:
    return msgspec.structs.replace(LOT, terms=msgspec.structs.replace(TERMS, **changes))


FALLING: dict[str, Any] = {
    "format": "dutch",
    "floor": 1,
    "drop": 1_000,
    "drop_interval_ms": 10,
}

NONSENSE: list[Command] = [
    with_terms(opening=0),
    with_terms(opening=-5),
    with_terms(opening=MAX_AMOUNT + 1),
    with_terms(reserve=0),
    with_terms(extension_window_ms=-1),
    with_terms(extension_ms=-1),
    with_terms(max_extensions=-1),
    with_terms(opens_at=10, closes_at=10),
    with_terms(increments=Table((), ())),
    with_terms(increments=Table((0, 0), (1, 1))),
    with_terms(increments=Table((0,), (0,))),
    with_terms(increments=Table((0, 10), (1,))),
    with_terms(increments=Table((-1,), (1,))),
    with_terms(increments=Ladder((), (), ())),
    with_terms(increments=Ladder((0,), (10,), ())),
    with_terms(increments=Ladder((0,), (10,), ((),))),
    with_terms(increments=Ladder((0,), (10,), ((0, 5, 5),))),
    with_terms(increments=Ladder((0,), (10,), ((0, 10),))),
    with_terms(increments=Ladder((0,), (10,), ((2, 5),))),
    msgspec.structs.replace(LOT, auction_id="auction_other_1"),
    msgspec.structs.replace(LOT, catalogue=Catalogue("1", "A jar\0")),
    msgspec.structs.replace(LOT, catalogue=Catalogue("1", "Jar", provenance=("\0",))),
    msgspec.structs.replace(SALE, sale_id="seq_new", exponent=-1),
    msgspec.structs.replace(SALE, sale_id="seq_new", exponent=5),
    msgspec.structs.replace(SALE, sale_id="new"),
    msgspec.structs.replace(SALE, sale_id="seq_new", name="\0"),
    RegisterBidder("seq_k3f9", "cons_anna", paddle=0),
    RegisterBidder("seq_k3f9", "cons_anna", paddle=2**70),
    RegisterBidder("seq_k3f9", "cons_\0"),
    with_terms(closes_at=LAST_INSTANT),
    with_terms(settle_at=2**63),
    with_terms(opens_at=-1),
    with_terms(extension_ms=2**60),
    with_terms(max_extensions=2**70),
    msgspec.structs.replace(LOT, auction_id="auction_k3f9_\0"),
    msgspec.structs.replace(LOT, catalogue=Catalogue("1", "Jar", estimate_high=2**64)),
    msgspec.structs.replace(SALE, sale_id="seq_new", currency="E\0R"),
    msgspec.structs.replace(SALE, sale_id="seq_new", time_zone="\0"),
    with_terms(winner_count=0),
    with_terms(winner_count=10_001),
    with_terms(buy_now=0),
    with_terms(buy_now=9_999),
    with_terms(buy_now=20_000, reserve=20_001),
    with_terms(buy_now=20_000, winner_count=2),
    with_terms(buy_now=20_000, format="one_bid"),
    with_terms(buy_now=20_000, **FALLING),
    with_terms(buy_now=MAX_AMOUNT + 1),
    with_terms(format="dutch"),
    with_terms(**FALLING | {"floor": None}),
    with_terms(**FALLING | {"floor": 0}),
    with_terms(**FALLING | {"floor": 10_001}),
    with_terms(**FALLING | {"drop": None}),
    with_terms(**FALLING | {"drop": 0}),
    with_terms(**FALLING | {"drop_interval_ms": None}),
    with_terms(**FALLING | {"drop_interval_ms": 0}),
    with_terms(**FALLING | {"drop_interval_ms": 2**60}),
    with_terms(**FALLING, reserve=10_000),
    with_terms(**FALLING | {"format": "english"}),
    with_terms(drop=1),
    with_terms(drop_interval_ms=1),
    with_terms(format="sealed_first"),
    with_terms(format="uniform", sealing=Sealing("AAAA", "")),
    with_terms(tokens=Tokens("a", "erc721", "b")),
    with_terms(exponent=-1),
    with_terms(exponent=7),
    with_terms(consignor="\0"),
    with_terms(currency="\0"),
    msgspec.structs.replace(SALE, sale_id="seq_new", terms=SaleTerms(conditions="\0")),
    msgspec.structs.replace(SALE, sale_id="seq_new", terms=SaleTerms(conditions_version="\0")),
    msgspec.structs.replace(SALE, sale_id="seq_new", terms=SaleTerms(((0, "\0"),))),
    msgspec.structs.replace(SALE, sale_id="seq_new", terms=SaleTerms(((-1, "25"),))),
    msgspec.structs.replace(SALE, sale_id="seq_new", terms=SaleTerms(((2**64, "25"),))),
    msgspec.structs.replace(SALE, sale_id="seq_new", terms=SaleTerms(tax_percent="\0")),
    UpdateSale(msgspec.structs.replace(SALE, exponent=5)),
    RegisterBidder("seq_k3f9", "cons_anna", limit=-1),
    RegisterBidder("seq_k3f9", "cons_anna", limit=MAX_AMOUNT + 1),
    RegisterBidder("seq_k3f9", "cons_anna", reason="\0"),
    EnterSale("seq_k3f9", "cons_\0"),
    EnterSale("seq_k3f9", "cons_anna", "\0"),
]


@pytest.mark.parametrize("command", NONSENSE, ids=lambda command: str(command)[:90])
def test_what_makes_no_sense_is_refused_and_changes_nothing(command: Command) -> None:
    """A command that could stop the engine later is refused when it comes."""
    shard = Shard()
    execute(shard, SALE, 0)
    before = snapshot.state_hash(shard)

    [refused] = execute(shard, command, 1)

    assert isinstance(refused, CommandRefused)
    assert refused.objection == "invalid"
    assert snapshot.state_hash(shard) == before
    assert not isinstance(execute(shard, LOT, 2)[-1], CommandRefused), "the lot itself is fine"


@pytest.mark.parametrize(
    "sensible",
    [
        {"winner_count": 10_000},
        {"buy_now": 10_000},
        {"buy_now": 20_000, "reserve": 20_000},
        FALLING,
        FALLING | {"floor": 10_000, "winner_count": 3},
        {"format": "one_bid", "tokens": Tokens("a", "erc721", "b"), "exponent": 6},
        {"format": "live", "settle_by_command": True, "consignor": "cons_eva"},
    ],
    ids=str,
)
def test_what_makes_sense_is_taken(sensible: dict[str, Any]) -> None:
    """The bounds themselves are within the bounds."""
    shard = Shard()
    execute(shard, SALE, 0)

    assert not isinstance(execute(shard, with_terms(**sensible), 1)[-1], CommandRefused)


@pytest.mark.parametrize("amount", [0, -1, MAX_AMOUNT + 1, 2**63 + 5])
def test_an_amount_that_is_none_never_enters_the_book(amount: int) -> None:
    """No gateway sends such a bid; a program that appends by itself might."""
    shard = Shard()
    for command in (SALE, LOT):
        execute(shard, command, 0)
    execute(shard, PlaceBid("auction_k3f9_1", "cons_anna", "a", 10_000, "bid"), 1)
    before = snapshot.state_hash(shard)

    [refused] = execute(shard, PlaceBid("auction_k3f9_1", "cons_b", "b", amount, "max"), 2)

    assert isinstance(refused, CommandRefused)
    assert refused.objection == "invalid"
    assert snapshot.state_hash(shard) == before


def test_only_a_bid_below_the_asking_bid_is_told_that_the_price_moved() -> None:
    """A pause takes a seq as well, and has moved no price."""
    shard = Shard()
    for command in (SALE, LOT):
        execute(shard, command, 0)
    bid = PlaceBid("auction_k3f9_1", "cons_anna", "a", 10_000, "bid", seen=1)
    execute(shard, bid, 1)
    low = PlaceBid("auction_k3f9_1", "cons_bert", "b", 10_000, "bid", seen=1)
    [late] = execute(shard, low, 2)
    execute(shard, PauseLot("auction_k3f9_1"), 3)
    [paused] = execute(shard, msgspec.structs.replace(low, cmd_id="c"), 4)
    execute(shard, UnpauseLot("auction_k3f9_1"), 5)
    [seen] = execute(shard, msgspec.structs.replace(low, cmd_id="d", seen=4), 6)

    assert isinstance(late, BidRefused)
    assert isinstance(paused, BidRefused)
    assert isinstance(seen, BidRefused)
    assert (late.answer.code, late.answer.moved) == ("below_asking_bid", True)
    assert (paused.answer.code, paused.answer.moved) == ("paused", False)
    assert (seen.answer.code, seen.answer.moved) == ("below_asking_bid", False)


# ── At the rostrum ───────────────────────────────────────────────────────────────────────

DEEDS = [
    Open(0),
    Open(MAX_AMOUNT + 1),
    Ask(-1),
    Step(-1),
    Step(2**70),
    FloorBid("online", 10_000),
    FloorBid("room", -1),
    FloorBid("room", 2**70),
    FloorBid("room", 10_000, -1),
    FloorBid("room", 10_000, 2**70),
    FloorBid("left", 10_000, 7, 2**70),
    FloorBid("left", 10_000, None, 20_000),
    FloorBid("phone", 10_000, 7, 20_000),
    FloorBid("phone", 10_000, house=True),
    Undo(-1),
    Undo(2**70),
    LowerReserve(0),
    LowerReserve(-1),
    LowerReserve(2**70),
    Say("\0"),
    Say(" "),
    Say("x" * 281),
    Skip("\0"),
]


def live_shard() -> Shard:
    """A live lot in the ring, with a reserve."""
    shard = Shard()
    lot = with_terms(format="live", reserve=50_000, opens_at=None)
    for command in (SALE, lot, Act("auction_k3f9_1", Open(), "o", "key_1", "one")):
        execute(shard, command, 0)
    return shard


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: str(deed)[:90])
def test_a_deed_that_makes_no_sense_moves_nothing(deed: Deed) -> None:
    """It is answered, and that is all that is remembered of it."""
    shard = live_shard()
    before = snapshot.restore(snapshot.take(shard))

    [decided] = execute(shard, Act("auction_k3f9_1", deed, "c", "key_1", "one", 1, "so"), 1)

    assert isinstance(decided, ActDecided)
    assert decided.code == "invalid"
    evolve(before, decided)
    assert snapshot.state_hash(shard) == snapshot.state_hash(before)
    before.answers.clear()
    assert msgspec.json.encode(before.lots) == msgspec.json.encode(live_shard().lots)


@given(st.data())
def test_any_act_at_all_is_answered(data: st.DataObject) -> None:
    """A program that appends by itself may send anything; the engine decides it, and goes on."""
    shard, recovered = live_shard(), live_shard()
    for at in range(3):
        act = data.draw(messages_of(Act))
        named = msgspec.structs.replace(act, auction_id="auction_k3f9_1", session="one")
        events = execute(shard, data.draw(st.sampled_from([act, named])), at)
        assert isinstance(events[-1], ActDecided)
        for event in events:
            evolve(recovered, decode_event(encode_event(event)))
    assert snapshot.state_hash(recovered) == snapshot.state_hash(shard)
