"""The demonstration sale: what is wished for, and how it gets into the log."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engine.core.codec import decode_commands
from engine.core.messages import (
    AddLot,
    BidderRegistered,
    Command,
    CommandRefused,
    CreateSale,
    LotAdded,
    LotOpened,
    PlaceBid,
    RegisterBidder,
    State,
    shard_of_command,
)
from engine.core.sale import Shard, execute
from engine.streams import Refused
from gateway import demonstration, keys
from gateway.demonstration import NotSeeded, plan, read_catalogue, seed
from gateway.settings import read_gateway_settings

NOW = 1_795_000_000_000
MINUTE = 60_000
DAY = 24 * 60 * MINUTE


@pytest.fixture
def demo(tmp_path: Path) -> keys.Demo:
    """The demonstration of a house that has just been made."""
    settings = read_gateway_settings({"DATA_DIR": str(tmp_path)})
    demo = keys.load_or_create(settings, NOW).demo
    assert demo is not None
    return demo


@pytest.fixture
def wishes(demo: keys.Demo) -> list[Command]:
    return plan(demo, read_catalogue(), NOW)


def lots(wishes: list[Command]) -> list[AddLot]:
    return [wish for wish in wishes if isinstance(wish, AddLot)]


# ── The plan ─────────────────────────────────────────────────────────────────────────────


def test_the_engine_agrees_to_all_of_it(demo: keys.Demo, wishes: list[Command]) -> None:
    """Sale, bidders and lots come about, and every lot is open a moment later."""
    shard = Shard()
    events = [event for wish in wishes for event in execute(shard, wish, NOW)]
    assert not [event for event in events if isinstance(event, CommandRefused)]
    added = [event.auction_id for event in events if isinstance(event, LotAdded)]
    assert added == list(demo.auction_ids)
    seated = {e.consumer_id: e.paddle for e in events if isinstance(e, BidderRegistered)}
    assert seated == {bidder.consumer_id: bidder.paddle for bidder in demo.bidders}
    for auction_id in demo.auction_ids:
        bid = PlaceBid(auction_id, demo.bidders[0].consumer_id, "1", 10**9, "max")
        assert isinstance(execute(shard, bid, NOW + 1)[0], LotOpened)
        assert shard.lots[auction_id].state is State.OPEN


def test_all_of_it_is_one_shards(wishes: list[Command]) -> None:
    """One sale is decided in one order."""
    assert len({shard_of_command(wish, 16) for wish in wishes}) == 1


def test_two_lots_close_while_one_watches_and_ten_stay_for_a_day(wishes: list[Command]) -> None:
    """Six and nine minutes for the first two, one to seven days for all the others."""
    ends = [(wish.terms.closes_at or 0) - NOW for wish in lots(wishes)]
    assert ends[:2] == [6 * MINUTE, 9 * MINUTE]
    assert len(ends[2:]) >= 10
    assert ends[2:] == sorted(set(ends[2:]))
    assert min(ends[2:]) > DAY
    assert max(ends) <= 7 * DAY


def test_the_sale_is_as_promised(wishes: list[Command]) -> None:
    """In EUR, open to everybody, and every lot with a reserve, a soft close and any amount."""
    [sale] = [wish for wish in wishes if isinstance(wish, CreateSale)]
    assert (sale.currency, sale.exponent, sale.registration) == ("EUR", 2, "open")
    assert len([wish for wish in wishes if isinstance(wish, RegisterBidder)]) >= 20
    for lot in lots(wishes):
        assert not lot.terms.ladder_only
        assert lot.terms.opens_at == NOW
        assert (lot.terms.extension_window_ms, lot.terms.extension_ms) == (MINUTE, MINUTE)
        assert lot.terms.reserve is None or lot.terms.reserve >= lot.terms.opening
    assert any(lot.terms.reserve for lot in lots(wishes))


def test_every_lot_is_printed_in_full(wishes: list[Command]) -> None:
    """A name, a description, an estimate, provenance, and photographs that are there."""
    folder = Path(demonstration.__file__).parent / "static" / "lots"
    for lot in lots(wishes):
        printed = lot.catalogue
        assert printed.name
        assert printed.description
        assert printed.provenance
        assert printed.photos
        assert 0 < (printed.estimate_low or 0) < (printed.estimate_high or 0)
        for photo in printed.photos:
            assert (folder / Path(photo).name).is_file(), photo
    numbers = [lot.catalogue.lot_number for lot in lots(wishes)]
    assert len(set(numbers)) == len(numbers)


def test_more_lots_than_the_catalogue_has_are_not_made_up(demo: keys.Demo) -> None:
    """Keys of another version's demonstration are told, not half followed."""
    catalogue = read_catalogue()
    few = demonstration.DemoCatalogue(catalogue.sale, catalogue.lots[:3])
    with pytest.raises(NotSeeded, match="3 lots"):
        plan(demo, few, NOW)


# ── Into the log ─────────────────────────────────────────────────────────────────────────


@dataclass
class Doorkeeper:
    """A log that gives the answers it was told to, then lets everything in."""

    answers: list[Refused] = field(default_factory=list)
    asked: int = 0
    let_in: list[tuple[int, list[Command]]] = field(default_factory=list)

    async def append(self, entries: Sequence[tuple[int, bytes]]) -> list[str | Refused]:
        self.asked += 1
        if self.answers:
            return [self.answers.pop(0) for _ in entries]
        self.let_in += [(shard, decode_commands(payload)) for shard, payload in entries]
        return ["1-0" for _ in entries]


async def test_everything_gets_in_once_and_in_order(wishes: list[Command]) -> None:
    """Each command in its shard, none twice."""
    log = Doorkeeper()
    await seed(log, wishes, 16, asyncio.Event())
    assert [command for _, entry in log.let_in for command in entry] == wishes
    for shard, entry in log.let_in:
        assert {shard_of_command(command, 16) for command in entry} == {shard}


async def test_entries_stay_within_what_the_engine_takes() -> None:
    """A large sale comes in several entries; the order within its shard is kept."""
    wishes: list[Command] = [
        RegisterBidder(f"seq_{sale}", f"cons_{number}") for number in range(300) for sale in "ab"
    ]
    log = Doorkeeper()
    await seed(log, wishes, 16, asyncio.Event())
    assert [len(entry) for _, entry in log.let_in] == [256, 44, 256, 44]
    for sale in ("seq_a", "seq_b"):
        of_sale = [
            command
            for _, entry in log.let_in
            for command in entry
            if isinstance(command, RegisterBidder) and command.sale_id == sale
        ]
        assert of_sale == [w for w in wishes if isinstance(w, RegisterBidder) and w.sale_id == sale]


async def test_an_engine_that_is_not_there_yet_is_waited_for(
    wishes: list[Command], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused for want of a leader or for a backlog, it asks again."""
    monkeypatch.setattr(demonstration, "_TRY_AGAIN_S", 0)
    log = Doorkeeper(["UNLED", "UNLED", "OVERLOADED"])
    await seed(log, wishes, 16, asyncio.Event())
    assert len(log.let_in) == 1


async def test_an_engine_that_never_comes_is_named(
    wishes: list[Command], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The waiting has an end, with a line for it."""
    monkeypatch.setattr(demonstration, "_TRY_AGAIN_S", 0)
    log = Doorkeeper(["UNLED"] * 1_000)
    with pytest.raises(NotSeeded, match="UNLED"):
        await seed(log, wishes, 16, asyncio.Event())
    assert 100 < log.asked < 1_000


async def test_what_is_too_big_is_not_tried_again(wishes: list[Command]) -> None:
    """A refusal that time does not heal ends it at once."""
    log = Doorkeeper(["TOO_BIG"])
    with pytest.raises(NotSeeded, match="TOO_BIG"):
        await seed(log, wishes, 16, asyncio.Event())
    assert log.asked == 1


async def test_a_stop_ends_the_waiting(wishes: list[Command]) -> None:
    """Told to stop, it asks no more."""
    stopping = asyncio.Event()
    stopping.set()
    log = Doorkeeper(["UNLED"] * 1_000)
    await seed(log, wishes, 16, stopping)
    assert log.asked == 0
