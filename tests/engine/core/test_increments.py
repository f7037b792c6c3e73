"""From a price to the next: tables, ladders, their rungs, and how houses publish them."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.increments import (
    BadIncrements,
    can_be_climbed,
    read_published,
    rung_from,
    saleroom_ladder,
    step_at,
    table,
)
from engine.core.messages import MAX_AMOUNT, Ladder, Table
from tests.engine.core import reference
from tests.engine.core.reference import Rules

SHARED = Path(__file__).parents[4] / "shared" / "data" / "increments.json"

EBAY_UK = """{"mode": "additive", "currency": "GBP", "tiers":
    [[0.01, 0.05], [1, 0.2], [5, 0.5], [15, 1], [60, 2], [150, 5], [3000, 100]]}"""
BONHAMS = """{"mode": "ladder", "currency": "GBP", "bands": [
    [10, 200, "by 10", "seen"], [200, 500, "20,50,80", "seen"], [500, 1000, "by 50", "seen"],
    [1000, 2000, "by 100", "seen"], [2000, 5000, "200,500,800", "pattern"],
    [5000, null, "auctioneer's discretion", "seen"]]}"""
GILDINGS = """{"mode": "additive", "tiers":
    [[0, 5], [100, 10], [2000, "200 or 250"], [5000, 500], [9000, null]]}"""


def published(text: str, exponent: int = 2) -> Table | Ladder:
    """Increments read from JSON as a house publishes them."""
    return read_published(json.loads(text, parse_float=Decimal), exponent)


def climb(increments: Table | Ladder, opening: int, top: int) -> list[int]:
    """The rungs from *opening* to *top*, each asked for one over the last."""
    rungs = [rung_from(increments, opening, 0)]
    while rungs[-1] < top:
        rungs.append(rung_from(increments, opening, rungs[-1] + 1))
    return rungs


# ── Tables ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("price", "step"),
    [
        (1, 5),
        (99, 5),
        (100, 20),
        (499, 20),
        (500, 50),
        (1499, 50),
        (1500, 100),
        (5999, 100),
        (6000, 200),
        (14999, 200),
        (15000, 500),
        (299999, 500),
        (300000, 10000),
        (MAX_AMOUNT, 10000),
    ],
)
def test_a_band_begins_at_its_first_amount(price: int, step: int) -> None:
    """On the edge the new step holds, one below it still the old."""
    assert step_at(published(EBAY_UK), price) == step


def test_below_the_first_row_its_step_holds() -> None:
    """A price must always have a next one."""
    late = table([(1001, 300), (4001, 500)])

    assert [step_at(late, price) for price in (1, 1000, 1001, 4000, 4001)] == [
        300,
        300,
        300,
        300,
        500,
    ]


def test_rows_in_words_are_left_out_and_the_step_before_goes_on() -> None:
    """'200 or 250' and nothing at all are the auctioneer's, not the engine's."""
    gildings = published(GILDINGS, exponent=0)

    assert [step_at(gildings, price) for price in (99, 100, 2000, 4999, 5000, 9000)] == [
        5,
        10,
        10,
        10,
        500,
        500,
    ]


def test_rungs_of_a_table_count_from_an_odd_opening_bid() -> None:
    """Each is one step over the last, with the step of the band that the last was in."""
    steps = table([(0, 5), (100, 10), (200, 25)])

    assert climb(steps, 87, 260) == [87, 92, 97, 102, 112, 122, 132, 142, 152, 162, 172, 182, 192, 202, 227, 252, 277]  # fmt: skip
    assert rung_from(steps, 87, 1) == 87
    assert rung_from(steps, 87, 193) == 202
    assert rung_from(steps, 87, 202) == 202
    assert rung_from(steps, 87, 10_000) == 10_002


@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(1, 40)), min_size=1, max_size=5),
    st.integers(1, 250),
    st.integers(0, 400),
)
def test_a_tables_rungs_are_what_single_steps_reach(
    rows: list[tuple[int, int]], opening: int, amount: int
) -> None:
    """However the engine gets there: the reference walks one step at a time."""
    start, tiers = 0, []
    for distance, step in rows:
        start += distance
        tiers.append((start, step))
    rules = Rules(opening=opening, tiers=tuple(tiers))

    expected = min(rung for rung in reference.rungs(rules, amount) if rung >= amount)
    assert rung_from(table(tiers), opening, amount) == expected


# ── Ladders ──────────────────────────────────────────────────────────────────────────────


def test_the_saleroom_ladder() -> None:
    """In ones from 1, in twos from 2, 0-2-5-8 from 3, in fives from 5, in every decade."""
    hundreds = [
        *range(100, 200, 10), *range(200, 300, 20),
        300, 320, 350, 380, 400, 420, 450, 480, *range(500, 1000, 50),
    ]  # fmt: skip
    decades = [rung * 10**zeros for zeros in range(4) for rung in hundreds]

    assert climb(saleroom_ladder(), 100, 1_000_000) == [*decades, 1_000_000]


@pytest.mark.parametrize(
    ("price", "step"),
    [(199, 1), (200, 20), (219, 1), (299, 1), (300, 20), (320, 30), (333, 17), (480, 20), (500, 50), (950, 50), (951, 49), (1000, 100)],
)  # fmt: skip
def test_on_a_ladder_the_step_leads_to_the_next_rung(price: int, step: int) -> None:
    """Also from a price that is not a rung itself."""
    assert step_at(saleroom_ladder(), price) == step


def test_the_saleroom_ladder_reaches_the_largest_amount() -> None:
    """There is a next rung for every price that a bid may have."""
    assert rung_from(saleroom_ladder(), 10, 9 * 10**15) == 9 * 10**15
    assert rung_from(saleroom_ladder(), 10, MAX_AMOUNT) == 95 * 10**14
    assert step_at(saleroom_ladder(), 1) == 9  # below the first rung the first is next


def test_an_opening_bid_off_the_ladder_is_its_own_first_rung() -> None:
    """What is below the first band, too: from 7 the ladder is reached at 10."""
    assert climb(saleroom_ladder(), 315, 380) == [315, 320, 350, 380]
    assert climb(saleroom_ladder(), 7, 12) == [7, 10, 11, 12]


def test_a_published_ladder_of_bands() -> None:
    """'20,50,80' are endings within a hundred, '200,500,800' within a thousand."""
    assert climb(published(BONHAMS, exponent=0), 180, 2800) == [
        180, 190, 200, 220, 250, 280, 300, 320, 350, 380, 400, 420, 450, 480,
        500, 550, 600, 650, 700, 750, 800, 850, 900, 950, *range(1000, 2000, 100),
        2000, 2200, 2500, 2800,
    ]  # fmt: skip


def test_beyond_the_last_band_that_is_a_number_its_pattern_goes_on() -> None:
    """'Auctioneer's discretion' is not shipped: the ladder keeps its last step."""
    assert climb(published(BONHAMS, exponent=0), 4800, 12_200)[:3] == [4800, 5000, 5200]
    assert rung_from(published(BONHAMS, exponent=0), 10, 12_201) == 12_500


def test_a_band_ends_where_the_next_begins() -> None:
    """Even between two rungs of the lower one: 10, 14, 18, and 20 opens the next."""
    uneven = published('{"bands": [[10, 20, "by 4"], [20, null, "by 5"]]}', exponent=0)

    assert climb(uneven, 10, 30) == [10, 14, 18, 20, 25, 30]
    assert [step_at(uneven, price) for price in (14, 17, 18, 19, 20)] == [4, 1, 2, 1, 5]


def test_published_amounts_become_minor_units_exactly() -> None:
    """20 pounds are 2,000 pence, and 20 yen are 20."""
    assert climb(published(BONHAMS), 20_000, 30_000) == [20_000, 22_000, 25_000, 28_000, 30_000]
    assert step_at(published('{"tiers": [[0, 2.50]]}'), 0) == 250
    assert step_at(published('{"tiers": [[0, 2.50]]}', exponent=3), 0) == 2500
    assert step_at(read_published({"tiers": [["0", Decimal(20)]]}, 0), 7) == 20


def test_mantissas_are_the_saleroom_ladder_or_nothing() -> None:
    """The list that the trade publishes is checked against the ladder that we ship."""
    tenths = [*range(10, 20), *range(20, 30, 2), 30, 32, 35, 38, 40, 42, 45, 48, *range(50, 100, 5)]
    mantissas = [Decimal(tenth) / 10 for tenth in tenths]

    assert read_published({"mantissas": mantissas}, 2) == saleroom_ladder()
    with pytest.raises(BadIncrements, match="mantissas"):
        read_published({"mantissas": mantissas[1:]}, 2)


@given(st.integers(1, 3000), st.sampled_from([1, 5, 90, 100, 333]))
def test_a_ladders_rungs_are_what_the_published_endings_say(amount: int, opening: int) -> None:
    """The reference asks of every amount whether it ends as the house says it should."""
    bands = (
        (10, "by 10"),
        (200, "20,50,80"),
        (500, "by 50"),
        (1000, "by 100"),
        (2000, "200,500,800"),
    )
    rules = Rules(opening=opening, bands=bands)

    expected = min(rung for rung in reference.rungs(rules, amount) if rung >= amount)
    assert rung_from(published(BONHAMS, exponent=0), opening, amount) == expected


# ── What cannot be climbed ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ({}, "'tiers', 'bands' or 'mantissas'"),
        ({"tiers": []}, "at least one row"),
        ({"tiers": [[0, "discretion"]]}, "at least one row"),
        ({"tiers": [[0, 10], [0, 20]]}, "ascend"),
        ({"tiers": [[100, 10], [50, 20]]}, "ascend"),
        ({"tiers": [[0, 0]]}, "positive"),
        ({"tiers": [[0, -5]]}, "positive"),
        ({"tiers": [[-1, 5]]}, "negative"),
        ({"tiers": [[0, 0.5]]}, "float"),
        ({"tiers": [[0, Decimal("0.005")]]}, "more than 2 decimals"),
        ({"bands": []}, "bands of a ladder"),
        ({"bands": [[10, None, "discretion"]]}, "bands of a ladder"),
        ({"bands": [[10, 20, "by 1"], [10, 30, "by 2"]]}, "ascend"),
        ({"bands": [[10, 20, "by 0"]]}, "bands of a ladder"),
        ({"bands": [[10, 20, "50,20,80"]]}, "rising rungs"),
    ],
)
def test_increments_that_no_price_could_climb(entry: dict[str, Any], complaint: str) -> None:
    """Each says what was expected."""
    with pytest.raises(BadIncrements, match=complaint):
        read_published(entry, 2)


@pytest.mark.parametrize(
    "increments",
    [
        Table((), ()),
        Table((0, 10), (5,)),
        Table((0,), (5, 10)),
        Table((0, 0), (5, 10)),
        Table((10, 5), (5, 10)),
        Table((-1,), (5,)),
        Table((0,), (0,)),
        Ladder((), (), ()),
        Ladder((0,), (10,), ()),
        Ladder((0,), (10,), ((),)),
        Ladder((0,), (10,), ((2, 5),)),
        Ladder((0,), (10,), ((0, 5, 2),)),
        Ladder((0,), (10,), ((0, 5, 5),)),
        Ladder((0,), (10,), ((0, 10),)),
        Ladder((0,), (0,), ((0,),)),
        Ladder((10, 10), (1, 1), ((0,), (0,))),
    ],
)
def test_increments_from_elsewhere_are_looked_at_too(increments: Table | Ladder) -> None:
    """A command may carry any; these would stop the engine, or a price where it is."""
    assert not can_be_climbed(increments)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=4), st.data())
def test_what_can_be_climbed_leads_ever_higher(distances: list[int], data: st.DataObject) -> None:
    """From every price to a higher one, which is a rung where there are rungs."""
    froms = tuple(sum(distances[: n + 1]) for n in range(len(distances)))
    cycles = tuple(data.draw(st.integers(1, 12)) for _ in froms)
    some = st.sets(st.integers(0, 11), min_size=1)
    offsets = tuple(tuple(sorted({0} | data.draw(some))) for _ in froms)
    for increments in (Table(froms, cycles), Ladder(froms, cycles, offsets)):
        if not can_be_climbed(increments):
            assert isinstance(increments, Ladder)
            assert any(o[-1] >= c for o, c in zip(offsets, cycles, strict=True))
            continue
        rungs = climb(increments, 3, 120)
        assert all(low < high for low, high in pairwise(rungs))
        assert all(step_at(increments, low) == high - low for low, high in pairwise(rungs))


# ── The tables and ladders of known houses ───────────────────────────────────────────────


@pytest.mark.skipif(not SHARED.exists(), reason="no shared data beside this checkout")
@pytest.mark.parametrize("exponent", [0, 2, 3])
def test_every_published_house_is_read_or_refused(exponent: int) -> None:
    """Each entry that has figures can be climbed from its first row past its last."""
    houses = json.loads(SHARED.read_text(), parse_float=Decimal)
    for name, entry in houses.items():
        if name == "_note":
            continue
        shipped = {"tiers", "bands", "mantissas"} & set(entry)
        if (
            not shipped
            or (exponent == 0 and name.startswith("ebay"))
            or _fractions(entry, exponent)
        ):
            with pytest.raises(BadIncrements):
                read_published(entry, exponent)
            continue
        increments = read_published(entry, exponent)
        rungs = climb(increments, 10**exponent, 300_000)
        assert all(step_at(increments, low) == high - low for low, high in pairwise(rungs)), name


def _fractions(entry: dict[str, Any], exponent: int) -> bool:
    """Does a tier have more decimals than the currency?"""
    figures = [figure for row in entry.get("tiers", ()) for figure in row]
    minor = [figure * 10**exponent for figure in figures if not isinstance(figure, str)]
    return any(figure != int(figure) for figure in minor)
