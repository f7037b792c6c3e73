"""Printed prices, lowered limits, and bids that come too late for what was held for them.

Opening bid 100, increment 10; the lot is open.
"""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.messages import LotClosed
from tests.engine.core.saleroom import Saleroom, bidding, life

# ── Buy now ──────────────────────────────────────────────────────────────────────────────


def test_the_printed_price_buys_at_once() -> None:
    """Exactly that price, and the hammer falls in the same breath."""
    bidding(
        """
        1 anna buys now for 499   -> buy_now_unavailable, 100 would pass
        2 anna buys now for 501   -> buy_now_unavailable, 100 would pass
        3 anna buys now for 500   -> winning at 500, asking 510; sold to anna for 500; settled
        4 bert bids 510           -> closed
        look                      -> settled seq 4, 500 by paddle 101, 1 bids of 1, reserve none, 0 extensions
    """,
        buy_now=500,
    )


def test_the_offer_ends_with_the_first_bid_where_there_is_no_reserve() -> None:
    """Somebody might have it for less now."""
    bidding(
        """
        1 anna bids 100           -> winning at 100, asking 110
        2 bert buys now for 500   -> buy_now_unavailable, 110 would pass
        3 anna buys now for 500   -> buy_now_unavailable, 101 would pass
    """,
        buy_now=500,
    )


def test_the_offer_ends_when_the_reserve_is_met() -> None:
    """Below it the lot could not be sold otherwise."""
    bidding(
        """
        1 anna bids up to 299     -> winning at 100, asking 110
        2 bert bids 300           -> winning at 300, asking 310 (reserve)
        3 anna buys now for 500   -> buy_now_unavailable, 310 would pass
    """.replace(" (reserve)", ""),
        buy_now=500,
        reserve=300,
    )
    bidding(
        """
        1 anna bids up to 299     -> winning at 100, asking 110
        2 bert buys now for 300   -> winning at 300, asking 310; sold to bert for 300; settled
    """,
        buy_now=300,
        reserve=300,
    )


def test_the_leader_below_the_reserve_may_buy() -> None:
    """Their own bid is in nobody's way."""
    bidding(
        """
        1 anna bids up to 299     -> winning at 100, asking 110
        2 anna buys now for 500   -> winning at 500, asking 510; sold to anna for 500; settled
    """,
        buy_now=500,
        reserve=300,
    )


def test_a_lot_without_a_printed_price() -> None:
    """Is refused by the same name: there is no offer."""
    bidding("1 anna buys now for 500 -> buy_now_unavailable, 100 would pass")
    bidding("1 anna buys now for 500 -> buy_now_unavailable, 100 would pass", format="one_bid")


def test_a_printed_price_on_no_rung_of_the_ladder() -> None:
    """It is what is printed; and a late buyer extends nothing."""
    life(
        """
        0  clock                  -> open until 60
        59 anna buys now for 333  -> winning at 333, asking 350; sold to anna for 333; settled
    """,
        opens_at=0,
        closes_at=60,
        extension_window_ms=10,
        extension_ms=10,
        ladder_only=True,
        buy_now=333,
    )


def test_a_retry_of_a_purchase_buys_nothing_twice() -> None:
    """The first answer again, after the hammer."""
    bidding(
        """
        1 anna buys now for 500 as x -> winning at 500, asking 510; sold to anna for 500; settled
        2 anna buys now for 500 as x -> again: winning at 500, asking 510
        3 anna bids 500 as x         -> again: idempotency_mismatch
    """,
        buy_now=500,
    )


def test_a_winner_of_limits_pays_the_price_and_their_limit_is_in_the_record() -> None:
    """The record is private: what they would have paid is nobody's business but the house's."""
    room = bidding("""
        1 anna bids up to 300 as a -> winning at 100, asking 110
        2 bert bids up to 200      -> active at 210, asking 220
    """)
    closed = room.do(room.read(["close"], ""), 3)[0]

    assert isinstance(closed, LotClosed)
    assert [(win.amount, win.bid, win.cmd_id) for win in closed.winners] == [(210, 300, "a")]


# ── Lowering a limit ─────────────────────────────────────────────────────────────────────


def test_a_limit_is_lowered_down_to_the_price() -> None:
    """Nothing public changes, and the next challenger meets the new limit."""
    bidding("""
        1 anna bids up to 300     -> winning at 100, asking 110
        2 bert bids up to 150     -> active at 160, asking 170
        3 anna lowers to 159      -> invalid
        4 anna lowers to 300      -> invalid
        5 bert lowers to 120      -> invalid
        5 bert lowers to 200      -> invalid
        6 anna lowers to 160      -> limit 160
        look                      -> open seq 3, 160 by paddle 101, 2 bids of 2, reserve none, 0 extensions
        7 anna bids up to 160     -> not_a_raise, 161 would pass
        8 bert bids 170           -> winning at 170, asking 180
    """)


def test_a_lowered_limit_takes_a_new_place_in_time_and_never_flips_the_lead() -> None:
    """It must stay above the second limit: an equal one would be the earlier now."""
    bidding("""
        1 anna bids up to 300     -> winning at 100, asking 110
        2 bert bids up to 200     -> active at 210, asking 220
        3 anna lowers to 200      -> invalid
        4 anna lowers to 210      -> limit 210
    """)
    bidding(
        """
        1 anna bids up to 120     -> winning at 100, asking 110
        2 bert bids up to 115     -> active at 120, asking 130
        3 bert bids up to 200     -> winning at 130, asking 140
        4 bert lowers to 131      -> limit 131
        5 carl bids up to 140     -> winning at 140, asking 150
    """
    )


def test_a_limit_is_not_lowered_to_an_equal_one_that_it_was_earlier_than() -> None:
    """Where the price stands at the second limit after a tie, one more is the lowest."""
    bidding("""
        1 anna bids up to 150     -> winning at 100, asking 110
        2 bert bids up to 150     -> active at 150, asking 160 (tie)
        3 anna bids up to 300     -> winning at 150, asking 160 (silent)
        4 anna lowers to 150      -> invalid
        5 anna lowers to 151      -> limit 151
    """)


def test_a_limit_is_lowered_while_paused_and_not_after() -> None:
    """Only where it could still be used."""
    bidding("""
        1 anna bids up to 300     -> winning at 100, asking 110
        2 pause                   -> paused
        3 anna lowers to 200      -> limit 200
        4 close                   -> sold to anna for 100; settled
        5 anna lowers to 150      -> invalid_transition
    """)


def test_a_lowered_limit_is_a_rung_where_the_lot_takes_rungs_only() -> None:
    """A limit beside the ladder would be read off the price."""
    bidding(
        """
        1 anna bids up to 300     -> winning at 100, asking 110
        2 anna lowers to 205      -> invalid
        3 anna lowers to 200      -> limit 200
    """,
        ladder_only=True,
    )


@pytest.mark.parametrize("how", [{"winner_count": 2}, {"format": "one_bid"}])
def test_where_nobody_bids_up_to_a_limit_there_is_none_to_lower(how: dict[str, Any]) -> None:
    """A standing bid is a bid."""
    bidding("1 anna bids 300 -> winning at 300, asking 100\n2 anna lowers to 200 -> invalid", **how)


# ── What comes too late ──────────────────────────────────────────────────────────────────


def test_a_bid_after_its_own_last_instant_is_refused_before_anything_else() -> None:
    """What was held for it may be released by then, whatever else is wrong with it."""
    bidding("""
        10 anna bids 100 until 10  -> winning at 100, asking 110
        11 bert bids 110 until 10  -> expired, 110 would pass
        12 pause                   -> paused
        13 bert bids 110 until 12  -> expired
    """)
    room = Saleroom(opens_at=20)
    assert room.hear(["anna", "bids", "100", "until", "9"], 10, 1) == "expired"


def test_an_expired_bid_may_come_again_and_an_accepted_one_never_expires() -> None:
    """What came too late has not come; what was accepted is looked up before the time is."""
    bidding("""
        10 anna bids 100 as x until 10 -> winning at 100, asking 110
        99 anna bids 100 as x until 10 -> again: winning at 100, asking 110
        99 bert bids 110 as y until 10 -> expired, 110 would pass
        99 bert bids 110 as y until 99 -> winning at 110, asking 120
    """)
