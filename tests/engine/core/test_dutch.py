"""A falling price: scripts of lots that are asked for less and less until somebody bids.

Opens at 100 and falls by 10 every 10 ms to a floor of 50; one unit where nothing else is said.
"""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.messages import LotClosed
from tests.engine.core.saleroom import LOT, Saleroom, bidding, life, play

FALLING: dict[str, Any] = {"format": "dutch", "floor": 50, "drop": 10, "drop_interval_ms": 10}


def test_the_first_to_accept_has_it_at_what_is_asked() -> None:
    """However much more was offered; and the lot is sold in the same breath."""
    bidding(
        """
        9  anna bids 99           -> below_asking_bid, 100 would pass
        10 clock                  -> asking 90
        19 anna bids 89           -> below_asking_bid, 90 would pass
        20 clock                  -> asking 80
        25 bert bids 500          -> winning at 80, asking 80; sold to bert for 80; settled
        26 carl bids 80           -> closed
        40 clock                  -> nothing
        look                      -> settled seq 6, 80 by paddle 101, 1 bids of 1, reserve none, 0 extensions
    """,
        **FALLING,
    )


def test_a_bid_finds_the_price_fallen_that_was_due_to_fall() -> None:
    """What is due comes first, also here; a drop that nobody noticed was due all the same."""
    bidding(
        """
        10 anna bids 90           -> asking 90; winning at 90, asking 90; sold to anna for 90; settled
    """,
        **FALLING,
    )


def test_many_overdue_drops_are_one_event() -> None:
    """After a long sleep of the clock; the next drop is counted from when it was due."""
    bidding(
        """
        39 clock                  -> asking 70
        39 clock                  -> nothing
        40 clock                  -> asking 60
        99 clock                  -> asking 50
        9999 clock                -> nothing
        9999 anna bids 50         -> winning at 50, asking 50; sold to anna for 50; settled
    """,
        **FALLING,
    )


def test_the_last_drop_ends_at_the_floor() -> None:
    """It is a shorter one where the steps do not fit."""
    bidding(
        """
        20 clock                  -> asking 60
        30 clock                  -> asking 55
        40 clock                  -> nothing
        50 close                  -> passed; settled
    """,
        **FALLING | {"floor": 55, "drop": 20},
    )


def test_units_go_to_the_first_who_accept_each_at_their_own_price() -> None:
    """One unit a bidder; with the last one the lot is closed."""
    room = bidding(
        """
        5  anna bids 100          -> winning at 100, asking 100
        15 bert bids 90           -> asking 90; winning at 90, asking 90
        16 anna bids 90           -> already_bid
        look                      -> open seq 4, 90 by paddle 102, 2 bids of 2, reserve none, 0 extensions
        25 carl bids 85           -> asking 80; winning at 80, asking 80; sold to anna for 100, bert for 90, carl for 80; settled
    """,
        **FALLING,
        winner_count=3,
    )
    assert {who: bidder.won for who, bidder in room.shard.lots[LOT].bidders.items()} == {
        "anna": 100,
        "bert": 90,
        "carl": 80,
    }


def test_units_that_are_left_at_the_end_are_not_sold() -> None:
    """Who has accepted has bought; a drop that would fall on the end falls no more."""
    room = life(
        """
        0  clock                  -> open until 30
        5  anna bids 120          -> winning at 100, asking 100
        29 clock                  -> asking 80
        30 clock                  -> sold to anna for 100; settled
    """,
        **FALLING,
        winner_count=2,
        opens_at=0,
        closes_at=30,
    )
    closed = room.view.lots[LOT]
    assert (closed.price, closed.closes_at) == (100, 30)


def test_after_a_long_sleep_the_price_falls_before_the_end_comes() -> None:
    """In the order of their times, and no further than until the end."""
    room = Saleroom(**FALLING, opens_at=0, closes_at=35)
    play(room, "0 clock -> open until 35\n99 clock -> asking 70; passed; settled")


def test_the_price_stands_still_while_the_lot_is_paused() -> None:
    """Only open time counts: what was left until the next drop is left when it goes on."""
    life(
        """
        0  clock                  -> open until 200
        14 clock                  -> asking 90
        16 pause                  -> paused
        99 clock                  -> nothing
        100 unpause               -> open until 284
        103 clock                 -> nothing
        104 clock                 -> asking 80
        114 clock                 -> asking 70
    """,
        **FALLING,
        opens_at=0,
        closes_at=200,
    )


def test_a_price_that_opens_at_its_floor_never_falls() -> None:
    """A fixed price, in effect."""
    bidding(
        """
        99 clock                  -> nothing
        99 anna bids 100          -> winning at 100, asking 100; sold to anna for 100; settled
    """,
        **FALLING | {"floor": 100},
    )


def test_a_falling_price_falls_on_after_a_stop() -> None:
    """The end is made good, and the drops that were due are one."""
    life(
        """
        0  clock                  -> open until 35
        50 resume                 -> resumed
        51 clock                  -> extended to 60050; asking 50
    """,
        **FALLING,
        opens_at=0,
        closes_at=35,
    )


def test_a_unit_that_is_taken_holds_no_lot_open() -> None:
    """Nobody has to reply to it: what is left costs no more than before."""
    life(
        """
        0  clock                  -> open until 30
        29 anna bids 80           -> asking 80; winning at 80, asking 80
        30 clock                  -> sold to anna for 80; settled
    """,
        **FALLING,
        winner_count=2,
        opens_at=0,
        closes_at=30,
        extension_window_ms=10,
        extension_ms=10,
    )


def test_limits_make_no_sense_where_the_price_falls() -> None:
    """Nobody can bid more than is asked, and nobody can say what they would wait for."""
    bidding("1 anna bids up to 80 -> invalid", **FALLING)


def test_the_limit_of_a_bidder_is_compared_with_what_they_would_pay() -> None:
    """An offer above the asking price commits to no more than is asked."""
    bidding(
        """
        0  anna is approved up to 85 -> paddle 101 approved up to 85
        1  anna bids 100          -> over_limit
        20 anna bids 100          -> asking 80; winning at 80, asking 80; sold to anna for 80; settled
    """,
        **FALLING,
    )


@pytest.mark.parametrize("late", [0, 7])
def test_what_was_offered_is_in_the_record(late: int) -> None:
    """The hammer price is what was asked; the bid is what it said."""
    room = bidding("", **FALLING)
    *_, closed, _ = room.do(room.read(["anna", "bids", "500"], "x"), 20 + late)

    assert isinstance(closed, LotClosed)
    assert [(win.amount, win.bid, win.cmd_id) for win in closed.winners] == [(80, 500, "x")]
