"""When a lot opens, stays open, pauses and ends: its life as scripts.

Time is the log's.  What is due by an instant has happened before anything else is decided
at that instant, so that "bid or close first" has one answer.
"""

from __future__ import annotations

import pytest

from tests.engine.core.saleroom import bidding, life

# ── Scheduled times ──────────────────────────────────────────────────────────────────────


def test_a_bid_at_the_opening_instant_is_taken_and_before_it_refused() -> None:
    """The opening belongs to the open time, and needs nobody to press a button."""
    life(
        """
        9  anna bids 100          -> not_open_yet
        10 anna bids 100          -> open until 60; winning at 100, asking 110
    """,
        opens_at=10,
        closes_at=60,
    )


def test_a_bid_at_the_closing_instant_is_too_late() -> None:
    """The close is due at 60, and due things come first; 59 is in time."""
    life(
        """
        0  clock                  -> open until 60
        59 anna bids 100          -> winning at 100, asking 110
        60 bert bids 110          -> sold to anna for 100; settled; closed
        61 bert bids 120          -> closed
    """,
        opens_at=0,
        closes_at=60,
    )


def test_the_clock_brings_about_what_is_due_and_nothing_early() -> None:
    """The same answers come from the clock's own command as from a bid that finds them due."""
    life(
        """
        9  clock                  -> nothing
        10 clock                  -> open until 60
        11 clock                  -> nothing
        59 clock                  -> nothing
        60 clock                  -> passed; settled
        61 clock                  -> nothing
    """,
        opens_at=10,
        closes_at=60,
    )


def test_a_clock_that_comes_late_makes_up_for_everything() -> None:
    """Opened, closed and settled in one breath, each in its place."""
    life(
        """
        99 clock                  -> open until 60; passed; settled
    """,
        opens_at=10,
        closes_at=60,
    )


def test_a_hard_close_is_never_extended() -> None:
    """Without an extension window the last instant is like any other."""
    life(
        """
        0  clock                  -> open until 60
        58 anna bids 100          -> winning at 100, asking 110
        59 bert bids 110          -> winning at 110, asking 120
        60 clock                  -> sold to bert for 110; settled
    """,
        opens_at=0,
        closes_at=60,
        extension_ms=30,
    )


def test_a_lot_without_an_end_stays_open() -> None:
    """It is closed by command, whenever that comes."""
    bidding("""
        10        anna bids 100   -> winning at 100, asking 110
        999999999 clock           -> nothing
        999999999 bert bids 110   -> winning at 110, asking 120
        999999999 close           -> sold to bert for 110; settled
    """)


# ── Soft close ───────────────────────────────────────────────────────────────────────────


def test_a_bid_in_the_window_sets_the_clock_anew() -> None:
    """With less than 10 left there are 10 again from the bid on; with exactly 10 nothing."""
    life(
        """
        0  clock                  -> open until 60
        50 anna bids 100          -> winning at 100, asking 110
        51 bert bids 110          -> winning at 110, asking 120; extended to 61
        60 clock                  -> nothing
        60 carl bids 120          -> winning at 120, asking 130; extended to 70
        69 anna bids 130          -> winning at 130, asking 140; extended to 79
        79 bert bids 140          -> sold to anna for 130; settled; closed
    """,
        opens_at=0,
        closes_at=60,
        extension_window_ms=10,
        extension_ms=10,
    )


def test_window_and_extension_may_differ() -> None:
    """A window of 10 may give 15 more, as at Tarisio."""
    life(
        """
        0  clock                  -> open until 60
        50 anna bids 100          -> winning at 100, asking 110
        55 bert bids 110          -> winning at 110, asking 120; extended to 70
        60 carl bids 120          -> winning at 120, asking 130
        61 anna bids 130          -> winning at 130, asking 140; extended to 76
        look                      -> open seq 7, 130 by paddle 101, 4 bids of 3, reserve none, 2 extensions
    """,
        opens_at=0,
        closes_at=60,
        extension_window_ms=10,
        extension_ms=15,
    )


def test_an_extension_never_brings_the_end_forward() -> None:
    """5 more from a bid with 8 left would be earlier than the end that was announced."""
    life(
        """
        0  clock                  -> open until 60
        52 anna bids 100          -> winning at 100, asking 110
        55 bert bids 110          -> winning at 110, asking 120
        56 carl bids 120          -> winning at 120, asking 130; extended to 61
        look                      -> open seq 5, 120 by paddle 103, 3 bids of 3, reserve none, 1 extensions
    """,
        opens_at=0,
        closes_at=60,
        extension_window_ms=10,
        extension_ms=5,
    )


def test_a_bid_that_the_leader_answers_extends_too() -> None:
    """It moved the price: the others must have their time to reply."""
    life(
        """
        0  clock                  -> open until 60
        10 anna bids up to 200    -> winning at 100, asking 110
        55 bert bids 110          -> active at 120, asking 130; extended to 65
        64 bert bids 200          -> active at 200, asking 210 (tie); extended to 74
    """,
        opens_at=0,
        closes_at=60,
        extension_window_ms=10,
        extension_ms=10,
    )


def test_a_refused_bid_never_extends() -> None:
    """Otherwise anyone could hold a sale open without buying."""
    life(
        """
        0  clock                  -> open until 60
        10 anna bids up to 200    -> winning at 100, asking 110
        57 bert bids 105          -> below_asking_bid, 110 would pass
        58 anna bids 150          -> not_a_raise, 201 would pass
        59 dora is suspended      -> paddle 102 suspended
        59 dora bids 500          -> suspended
        60 bert bids 110          -> sold to anna for 100; settled; closed
    """,
        opens_at=0,
        closes_at=60,
        extension_window_ms=10,
        extension_ms=10,
    )


def test_a_repeated_bid_never_extends() -> None:
    """The second sending of a bid is no second bid."""
    life(
        """
        0  clock                  -> open until 60
        51 anna bids 100 as x     -> winning at 100, asking 110; extended to 61
        60 anna bids 100 as x     -> again: winning at 100, asking 110
        61 clock                  -> sold to anna for 100; settled
    """,
        opens_at=0,
        closes_at=60,
        extension_window_ms=10,
        extension_ms=10,
    )


def test_the_leaders_silent_raise_never_extends() -> None:
    """Nobody needs time to reply to what nobody saw."""
    life(
        """
        0  clock                  -> open until 60
        10 anna bids up to 200    -> winning at 100, asking 110
        59 anna bids up to 300    -> winning at 100, asking 110 (silent)
        60 clock                  -> sold to anna for 100; settled
    """,
        opens_at=0,
        closes_at=60,
        extension_window_ms=10,
        extension_ms=10,
    )


@pytest.mark.parametrize("leader_raise", ["freeze", "recompute"])
def test_the_leaders_raise_never_extends_even_where_it_moves_the_price(leader_raise: str) -> None:
    """A leader who meets the reserve, or a whole step, late does not hold the lot open."""
    life(
        """
        0  clock                  -> open until 60
        10 anna bids up to 200    -> winning at 100, asking 110
        59 anna bids up to 300    -> winning at 300, asking 310 (reserve)
        60 clock                  -> sold to anna for 300; settled
    """,
        opens_at=0,
        closes_at=60,
        extension_window_ms=10,
        extension_ms=10,
        reserve=300,
        leader_raise=leader_raise,
    )


def test_a_recomputed_raise_never_extends() -> None:
    """The price moved by a whole step, and still nobody was outbid."""
    life(
        """
        0  clock                  -> open until 60
        10 anna bids up to 115    -> winning at 100, asking 110
        20 bert bids up to 121    -> winning at 121, asking 131
        59 bert bids up to 300    -> winning at 125, asking 135
        60 clock                  -> sold to bert for 125; settled
    """,
        opens_at=0,
        closes_at=60,
        extension_window_ms=10,
        extension_ms=10,
        leader_raise="recompute",
    )


def test_extensions_may_be_numbered() -> None:
    """After the last one the lot ends for good, whoever bids."""
    life(
        """
        0  clock                  -> open until 60
        59 anna bids 100          -> winning at 100, asking 110; extended to 69
        68 bert bids 110          -> winning at 110, asking 120; extended to 78
        77 anna bids 120          -> winning at 120, asking 130
        look                      -> open seq 6, 120 by paddle 101, 3 bids of 2, reserve none, 2 extensions
        78 bert bids 130          -> sold to anna for 120; settled; closed
    """,
        opens_at=0,
        closes_at=60,
        extension_window_ms=10,
        extension_ms=10,
        max_extensions=2,
    )


def test_no_extensions_at_all() -> None:
    """A maximum of none is a hard close, not the absence of a maximum."""
    life(
        """
        0  clock                  -> open until 60
        59 anna bids 100          -> winning at 100, asking 110
        60 clock                  -> sold to anna for 100; settled
    """,
        opens_at=0,
        closes_at=60,
        extension_window_ms=10,
        extension_ms=10,
        max_extensions=0,
    )


# ── The house's own commands ─────────────────────────────────────────────────────────────


def test_a_pause_moves_the_end_by_its_length() -> None:
    """What was left when the lot paused is left when it goes on."""
    life(
        """
        0  open                   -> open until 60
        40 pause                  -> paused
        50 anna bids 100          -> paused
        99 clock                  -> nothing
        99 unpause                -> open until 119
        110 pause                 -> paused
        111 unpause               -> open until 120
        119 anna bids 100         -> winning at 100, asking 110
        120 clock                 -> sold to anna for 100; settled
    """,
        closes_at=60,
    )


def test_a_pause_keeps_an_extended_end() -> None:
    """What is left is counted from the end as it was extended, and the count goes on."""
    life(
        """
        0  open                   -> open until 60
        59 anna bids 100          -> winning at 100, asking 110; extended to 69
        60 pause                  -> paused
        90 unpause                -> open until 99
        95 bert bids 110          -> winning at 110, asking 120; extended to 105
        look                      -> open seq 7, 110 by paddle 102, 2 bids of 2, reserve none, 2 extensions
    """,
        closes_at=60,
        extension_window_ms=10,
        extension_ms=10,
    )


def test_a_pause_of_a_lot_without_an_end() -> None:
    """Nothing was left, so nothing is moved."""
    bidding("""
        40 pause                  -> paused
        50 unpause                -> open
        60 anna bids 100          -> winning at 100, asking 110
    """)


def test_a_pause_that_comes_at_the_end_is_too_late() -> None:
    """The close was due first."""
    life(
        """
        0  open                   -> open until 60
        60 pause                  -> passed; settled; invalid_transition
    """,
        closes_at=60,
    )


def test_a_close_by_command_comes_before_the_scheduled_end() -> None:
    """The hammer falls when the house says so; the end that everybody saw is moved to it."""
    room = life(
        """
        0  open                   -> open until 60
        10 anna bids 100          -> winning at 100, asking 110
        20 close                  -> sold to anna for 100; settled
        21 bert bids 110          -> closed
        60 clock                  -> nothing
    """,
        closes_at=60,
    )
    assert [lot.closes_at for lot in room.view.lots.values()] == [20]


def test_a_paused_lot_may_be_closed() -> None:
    """Whoever leads has bought it."""
    bidding("""
        10 anna bids 100          -> winning at 100, asking 110
        20 pause                  -> paused
        30 close                  -> sold to anna for 100; settled
    """)


def test_a_lot_without_bids_is_passed() -> None:
    """Offered, not sold."""
    bidding("""
        10 close                  -> passed; settled
    """)


def test_a_canceled_lot_sells_to_nobody() -> None:
    """Whatever was bid; and it stays canceled."""
    bidding("""
        10 anna bids 100          -> winning at 100, asking 110
        20 cancel                 -> canceled
        30 bert bids 110          -> canceled
        40 clock                  -> nothing
        50 open                   -> invalid_transition
    """)
    life("""
        10 cancel                 -> canceled
        20 open                   -> invalid_transition
    """)
    bidding("""
        10 pause                  -> paused
        20 cancel                 -> canceled
    """)


def test_a_lot_opens_by_command_before_its_time() -> None:
    """Early is the house's right; the scheduled opening then has nothing left to do."""
    life(
        """
        5  open                   -> open until 60
        6  anna bids 100          -> winning at 100, asking 110
        10 clock                  -> nothing
        10 open                   -> invalid_transition
    """,
        opens_at=10,
        closes_at=60,
    )


STEPS = {
    "scheduled": [],
    "open": ["open"],
    "paused": ["open", "pause"],
    "closed": ["open", "close"],
    "settled": ["open", "close", "settle"],
    "canceled": ["cancel"],
}
MAY = {
    "scheduled": {"open": "open", "cancel": "canceled"},
    "open": {"pause": "paused", "close": "passed", "cancel": "canceled"},
    "paused": {"unpause": "open", "close": "passed", "cancel": "canceled"},
    "closed": {"settle": "settled"},
    "settled": {},
    "canceled": {},
}


@pytest.mark.parametrize("command", ["open", "pause", "unpause", "close", "cancel", "settle"])
@pytest.mark.parametrize("state", STEPS)
def test_every_command_in_every_state(state: str, command: str) -> None:
    """What a lot's life does not hold is refused by name and changes nothing."""
    room = life("", settle_at=1000)
    for step in STEPS[state]:
        room.hear([step], 1, 0)
    assert room.look().startswith(f"{state} ")

    assert room.hear([command], 2, 0) == MAY[state].get(command, "invalid_transition")


# ── Settling ─────────────────────────────────────────────────────────────────────────────


def test_settling_waits_for_its_time() -> None:
    """Closed is not yet settled, when the sale's terms say later."""
    life(
        """
        0  open                   -> open until 60
        10 anna bids 100          -> winning at 100, asking 110
        60 clock                  -> sold to anna for 100
        99 clock                  -> nothing
        100 clock                 -> settled
        101 clock                 -> nothing
    """,
        closes_at=60,
        settle_at=100,
    )


def test_settling_by_command_comes_before_its_time() -> None:
    """Once, and never a second time."""
    life(
        """
        0  open                   -> open until 60
        50 settle                 -> invalid_transition
        60 clock                  -> passed
        70 settle                 -> settled
        71 settle                 -> invalid_transition
        100 clock                 -> nothing
    """,
        closes_at=60,
        settle_at=100,
    )


def test_a_lot_that_ends_after_its_settling_time_settles_at_once() -> None:
    """An extension may push the end past it: settling waits for the close, not before it."""
    life(
        """
        0  open                   -> open until 60
        59 anna bids 100          -> winning at 100, asking 110; extended to 89
        65 clock                  -> nothing
        89 clock                  -> sold to anna for 100; settled
    """,
        closes_at=60,
        settle_at=65,
        extension_window_ms=30,
        extension_ms=30,
    )


# ── After a stop of the house ────────────────────────────────────────────────────────────


def test_an_end_that_fell_into_a_stop_is_made_good() -> None:
    """Nobody could bid, so the lot stays open for its window after the house is back."""
    life(
        """
        0   open                  -> open until 60
        50  anna bids 100         -> winning at 100, asking 110
        500 resume                -> resumed
        501 bert bids 110         -> extended to 510; winning at 110, asking 120; extended to 511
        511 clock                 -> sold to bert for 110; settled
    """,
        closes_at=60,
        extension_window_ms=10,
        extension_ms=10,
    )


def test_an_extension_after_a_stop_is_not_counted() -> None:
    """It is the house's debt, not one of the bidders' extensions."""
    life(
        """
        0   open                  -> open until 60
        59  anna bids 100         -> winning at 100, asking 110; extended to 69
        500 resume                -> resumed
        500 clock                 -> extended to 510
        look                      -> open seq 4, 100 by paddle 101, 1 bids of 1, reserve none, 1 extensions
        509 bert bids 110         -> winning at 110, asking 120; extended to 519
        518 carl bids 120         -> winning at 120, asking 130
        look                      -> open seq 7, 120 by paddle 103, 3 bids of 3, reserve none, 2 extensions
        519 clock                 -> sold to carl for 120; settled
    """,
        closes_at=60,
        extension_window_ms=10,
        extension_ms=10,
        max_extensions=2,
    )


def test_a_hard_close_in_a_stop_gets_a_minute() -> None:
    """Where the terms have no window the contract's 60 seconds hold."""
    life(
        """
        0     open                -> open until 60
        500   resume              -> resumed
        500   clock               -> extended to 60500
        60499 anna bids 100       -> winning at 100, asking 110
        60500 clock               -> sold to anna for 100; settled
    """,
        closes_at=60,
    )


def test_an_end_at_the_very_instant_of_resuming_fell_into_the_stop() -> None:
    """And one an instant later did not."""
    life(
        """
        0   open                  -> open until 60
        60  resume                -> resumed
        60  clock                 -> extended to 70
    """,
        closes_at=60,
        extension_window_ms=10,
    )
    life(
        """
        0   open                  -> open until 60
        59  resume                -> resumed
        60  clock                 -> passed; settled
    """,
        closes_at=60,
        extension_window_ms=10,
    )


def test_an_end_that_came_before_the_stop_stays() -> None:
    """A closed lot stays closed, whatever happened to the house afterwards."""
    life(
        """
        0   open                  -> open until 60
        60  clock                 -> passed; settled
        500 resume                -> resumed
        500 clock                 -> nothing
        501 anna bids 100         -> closed
    """,
        closes_at=60,
        extension_window_ms=10,
    )


def test_a_whole_life_that_fell_into_a_stop() -> None:
    """Its opening comes late, and its end is made good like any other."""
    life(
        """
        500 resume                -> resumed
        501 clock                 -> open until 60; extended to 510
        509 anna bids 100         -> winning at 100, asking 110
        510 clock                 -> sold to anna for 100; settled
    """,
        opens_at=10,
        closes_at=60,
        extension_window_ms=10,
    )


def test_a_second_stop_is_made_good_too() -> None:
    """Each time the window counts from the last return of the house."""
    life(
        """
        0   open                  -> open until 60
        500 resume                -> resumed
        500 clock                 -> extended to 510
        800 resume                -> resumed
        805 clock                 -> extended to 810
        810 clock                 -> passed; settled
    """,
        closes_at=60,
        extension_window_ms=10,
    )


def test_a_clock_that_comes_after_the_window_closes_at_once() -> None:
    """The window was open on the log's time, whether or not anybody came."""
    life(
        """
        0   open                  -> open until 60
        500 resume                -> resumed
        600 anna bids 100         -> extended to 510; passed; settled; closed
    """,
        closes_at=60,
        extension_window_ms=10,
    )


def test_a_paused_lot_needs_nothing_made_good() -> None:
    """Its time stood still already; what was left is still left."""
    life(
        """
        0   open                  -> open until 60
        50  pause                 -> paused
        500 resume                -> resumed
        510 unpause               -> open until 520
        520 clock                 -> passed; settled
    """,
        closes_at=60,
        extension_window_ms=10,
    )
