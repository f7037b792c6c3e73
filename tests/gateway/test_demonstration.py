"""The demonstration sale: what is wished for."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from engine.core.messages import (
    Act,
    AddLot,
    BidderRegistered,
    Command,
    CommandRefused,
    CreateSale,
    LotAdded,
    LotOpened,
    Open,
    PlaceBid,
    RegisterBidder,
    State,
    shard_of_command,
)
from engine.core.sale import Shard, execute
from gateway import demonstration, keys
from gateway.demonstration import (
    NotSeeded,
    evening_auction_ids,
    evening_sale_id,
    plan,
    plan_evening,
    read_catalogue,
)
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


def test_the_first_lots_are_of_objects(demo: keys.Demo, wishes: list[Command]) -> None:
    """Each serial of keys.json on one lot, and the others without."""
    assert len(demo.serials) == 8
    serials = [lot.catalogue.serial for lot in lots(wishes)]
    assert serials == [*demo.serials, *[None] * (len(serials) - 8)]


def test_the_evening_is_sold_from_the_rostrum(demo: keys.Demo) -> None:
    """The engine agrees to the second sale too; its lots wait for a console, which opens them."""
    catalogue, shard = read_catalogue(), Shard()
    wishes = plan_evening(demo, catalogue)
    events = [event for wish in wishes for event in execute(shard, wish, NOW)]
    assert not [event for event in events if isinstance(event, CommandRefused)]
    names = evening_auction_ids(demo, catalogue)
    assert [event.auction_id for event in events if isinstance(event, LotAdded)] == names
    assert len(names) == 12
    assert {shard.lots[name].state for name in names} == {State.SCHEDULED}
    execute(shard, Act(names[0], Open(), "1", "ana", "desk"), NOW)
    assert shard.sales[evening_sale_id(demo)].ring == names[0]


def test_the_evening_is_printed_in_full() -> None:
    """Each of its lots has a description, an estimate, a history and photographs."""
    folder = Path(demonstration.__file__).parent / "static" / "lots"
    for lot in read_catalogue().evening.lots:
        assert lot.description
        assert lot.provenance
        assert 0 < (lot.estimate_low or 0) < (lot.estimate_high or 0)
        assert lot.photos
        assert all((folder / photo).is_file() for photo in lot.photos)


def test_more_lots_than_the_catalogue_has_are_not_made_up(demo: keys.Demo) -> None:
    """Keys of another version's demonstration are told, not half followed."""
    catalogue = read_catalogue()
    few = structs.replace(catalogue, lots=catalogue.lots[:3])
    with pytest.raises(NotSeeded, match="3 lots"):
        plan(demo, few, NOW)
