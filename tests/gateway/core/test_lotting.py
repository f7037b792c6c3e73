"""What the house says of a lot, and the terms it comes to."""

from __future__ import annotations

import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from engine.core.increments import step_at, table
from engine.core.messages import Sealing
from engine.core.terms import can_be_sold_by
from gateway.core.bodies import read
from gateway.core.lotting import DEFAULT_INCREMENTS, Offer, Setting, amended, offered
from gateway.core.problems import Problem
from gateway.core.schedule import read_instant
from gateway.core.wire.house import LotChanges, NewLot
from gateway.increments import published

BERLIN = ZoneInfo("Europe/Berlin")
EUROS = Setting("EUR", 2, BERLIN, published())
FALL: dict[str, Any] = {
    "format": "dutch",
    "startingBid": 900,
    "floorPrice": 400,
    "priceDropAmount": 50,
    "priceDropIntervalSeconds": 60,
}


def new(setting: Setting = EUROS, **said: Any) -> Offer:
    """A lot of which this is said."""
    whole = {"sequenceId": "seq_k3f9", "settleAt": "2026-12-24T20:00", **said}
    return offered(read(json.dumps(whole).encode(), NewLot), setting, "12")


def but(offer: Offer, **said: Any) -> Offer:
    """The lot with a change."""
    return amended(offer, read(json.dumps(said).encode(), LotChanges), EUROS)


def faults(**said: Any) -> dict[str, str]:
    """What is objected to, by field."""
    with pytest.raises(Problem) as caught:
        new(**said)
    assert caught.value.status == 400
    details: Any = caught.value.details
    return {detail["field"]: detail["message"] for detail in details}


def test_a_lot_of_which_little_is_said() -> None:
    """The trade's ladder, one step to begin with, a hard close, and a name out of its number."""
    terms, printed = new()
    assert (printed.lot_number, printed.name) == ("12", "Lot 12")
    assert terms.increments == DEFAULT_INCREMENTS
    assert terms.opening == step_at(DEFAULT_INCREMENTS, 0)
    assert (terms.format, terms.winner_count, terms.extension_ms) == ("english", 1, 0)
    assert (terms.opens_at, terms.closes_at) == (None, None)
    assert terms.settle_at == read_instant("2026-12-24T19:00Z", BERLIN)
    assert not terms.settle_by_command


def test_everything_that_can_be_said() -> None:
    """Every field reaches the terms, times in the zone and money in minor units."""
    terms, printed = new(
        name="Moon jar",
        description="White.",
        lotNumber="214",
        serial="AUC1",
        provenance=["Kyoto"],
        estimate={"low": 100, "high": "200.50"},
        consignor="cons_owner",
        openAt="2026-12-01T10:00",
        closeAt="2026-12-24T18:00",
        startingBid=275.5,
        minimumIncrement="10.00",
        reservePrice=999.99,
        buyNowPrice=5_000,
        currencyCode="EUR",
        autoExtendSeconds=90,
        extensionWindowSeconds=60,
        maxExtensions=3,
        leaderRaise="recompute",
        reservePolicy="to_max",
        publishReserve=True,
        ladderOnly=True,
    )
    assert (printed.name, printed.description, printed.serial) == ("Moon jar", "White.", "AUC1")
    assert (printed.estimate_low, printed.estimate_high) == (10_000, 20_050)
    assert printed.provenance == ("Kyoto",)
    assert terms.opens_at == read_instant("2026-12-01T09:00Z", BERLIN)
    assert terms.closes_at == read_instant("2026-12-24T17:00Z", BERLIN)
    assert (terms.opening, terms.reserve, terms.buy_now) == (27_550, 99_999, 500_000)
    assert terms.increments == table([(0, 1_000)])
    assert (terms.extension_ms, terms.extension_window_ms) == (90_000, 60_000)
    assert (terms.max_extensions, terms.leader_raise) == (3, "recompute")
    assert (terms.reserve_policy, terms.publish_reserve, terms.ladder_only) == (
        "to_max",
        True,
        True,
    )
    assert terms.consignor == "cons_owner"
    assert can_be_sold_by(terms)


def test_a_falling_price() -> None:
    """Where it begins, where it ends, how much and how often."""
    terms, _ = new(**FALL)
    assert (terms.opening, terms.floor, terms.drop, terms.drop_interval_ms) == (
        90_000,
        40_000,
        5_000,
        60_000,
    )
    assert can_be_sold_by(terms)


def test_a_lot_that_is_sold_live_is_settled_by_the_clerk() -> None:
    """The clock does not settle it; a change of format changes that, too."""
    live = new(format="live")
    assert live.terms.settle_by_command
    assert not but(live, format="english").terms.settle_by_command


@pytest.mark.parametrize("name", list(published()))
def test_every_published_table_can_be_named(name: str) -> None:
    """In cents each of them leads from every price to a higher one."""
    terms, _ = new(increments=name)
    assert can_be_sold_by(terms)
    assert step_at(terms.increments, 123_456) > 0


@pytest.mark.parametrize(
    ("name", "price", "step"),
    [
        ("ebay_us", 10_000, 250),
        ("ebay_uk", 6_000, 200),
        ("saleroom_universal", 30_000, 2_000),
        ("saleroom_universal", 32_000, 3_000),
        ("bonhams_uk_2014", 28_000, 2_000),
        ("christies_hk_2016", 300_000, 20_000),
        ("gildings", 250_000, 10_000),
        ("trademe", 2_000, 100),
    ],
)
def test_published_steps_are_exact(name: str, price: int, step: int) -> None:
    """As the houses have printed them, to the cent; words instead of a step are no step."""
    assert step_at(new(increments=name).terms.increments, price) == step


def test_a_table_of_the_houses_own() -> None:
    """(from, step) in major units; the first may begin at nothing."""
    assert new(increments=[[0, 5], ["100", "10.50"]]).terms.increments == table(
        [(0, 500), (10_000, 1_050)]
    )


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"openAt": "2026-12-24T18:00", "closeAt": "2026-12-24T18:00"}, "closeAt"),
        ({"closeAt": "2026-12-24T20:01"}, "settleAt"),
        ({"closeAt": "2026-03-29T02:30"}, "closeAt"),
        ({"openAt": "soon"}, "openAt"),
        ({"startingBid": 0}, "startingBid"),
        ({"startingBid": 1.005}, "startingBid"),
        ({"startingBid": "1e14"}, "startingBid"),
        ({"reservePrice": -1}, "reservePrice"),
        ({"minimumIncrement": 0}, "minimumIncrement"),
        ({"minimumIncrement": 5, "increments": "ebay_us"}, "minimumIncrement"),
        ({"increments": "sothebys"}, "increments"),
        ({"increments": [[10, 5], [10, 6]]}, "increments"),
        ({"increments": [[0, 0]]}, "increments"),
        ({"currencyCode": "USD"}, "currencyCode"),
        ({"estimate": {"low": 2, "high": 1}}, "estimate"),
        ({"buyNowPrice": 99, "startingBid": 100}, "buyNowPrice"),
        ({"buyNowPrice": 150, "startingBid": 100, "reservePrice": 151}, "buyNowPrice"),
        ({"buyNowPrice": 150, "winnerCount": 2}, "buyNowPrice"),
        ({"buyNowPrice": 150, "format": "one_bid"}, "buyNowPrice"),
        ({"floorPrice": 10}, "floorPrice"),
        ({**FALL, "floorPrice": 901}, "floorPrice"),
        ({**FALL, "reservePrice": 500}, "reservePrice"),
        ({**FALL, "priceDropIntervalSeconds": 0}, "priceDropIntervalSeconds"),
        ({k: v for k, v in FALL.items() if k != "priceDropAmount"}, "priceDropAmount"),
        ({k: v for k, v in FALL.items() if k != "startingBid"}, "startingBid"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_field(said: dict[str, Any], field: str) -> None:
    """Every objection names the field of the contract."""
    assert field in faults(**said)


def test_several_objections_come_together() -> None:
    """Whoever fills in a form wants to know of all of them."""
    found = faults(format="dutch", startingBid=5, reservePrice=3)
    assert found.keys() == {
        "floorPrice",
        "priceDropAmount",
        "priceDropIntervalSeconds",
        "reservePrice",
    }


def test_minor_units_are_those_of_the_currency() -> None:
    """Yen have none, and so half a yen is refused; a table in cents is, too."""
    yen = Setting("JPY", 0, BERLIN, published())
    assert new(yen, startingBid=500).terms.opening == 500
    for said in ({"startingBid": 0.5}, {"increments": "ebay_us"}):
        with pytest.raises(Problem):
            new(yen, **said)


def test_a_change_leaves_the_rest_as_it_was() -> None:
    """What is not said stays; null takes away."""
    before = new(name="Jar", reservePrice=500, closeAt="2026-12-24T18:00", autoExtendSeconds=60)
    after = but(before, name="Moon jar", reservePrice=None)
    assert after.terms == replace(before.terms, reserve=None)
    assert after.catalogue == replace(before.catalogue, name="Moon jar")


def test_window_and_extension_are_alike_where_one_is_said() -> None:
    """Ninety seconds more for a bid in the last ninety; both are switched off with one zero."""
    offer = new(closeAt="2026-12-24T18:00", autoExtendSeconds=90)
    assert (offer.terms.extension_ms, offer.terms.extension_window_ms) == (90_000, 90_000)
    shorter = but(offer, extensionWindowSeconds=30)
    assert (shorter.terms.extension_ms, shorter.terms.extension_window_ms) == (90_000, 30_000)
    window = new(closeAt="2026-12-24T18:00", extensionWindowSeconds=60)
    assert (window.terms.extension_ms, window.terms.extension_window_ms) == (60_000, 60_000)
    off = but(offer, extensionWindowSeconds=0)
    assert off.terms.extension_window_ms == 0


def test_a_later_close_takes_the_settlement_with_it() -> None:
    """Nothing is settled before it is closed; who says both, says both."""
    offer = new(closeAt="2026-12-24T20:00")
    later = but(offer, closeAt="2026-12-24T21:00")
    assert later.terms.settle_at == later.terms.closes_at
    earlier = but(offer, closeAt="2026-12-24T19:00")
    assert earlier.terms.settle_at == offer.terms.settle_at


def test_the_keys_of_sealed_bids_stay_only_while_they_are_sealed() -> None:
    """An english lot carries none."""
    sealed = new(format="sealed_first")
    keyed = Offer(replace(sealed.terms, sealing=Sealing("public", "private")), sealed.catalogue)
    assert but(keyed, name="Jar").terms.sealing is not None
    assert but(keyed, format="english").terms.sealing is None


def test_the_zone_of_the_times_can_be_another() -> None:
    """A lot may be closed by the clock of another town."""
    tokyo = Setting("EUR", 2, ZoneInfo("Asia/Tokyo"), published())
    assert new(tokyo, settleAt="2026-12-24T20:00").terms.settle_at == read_instant(
        "2026-12-24T11:00Z", BERLIN
    )
