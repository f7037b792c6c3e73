"""What a bid does to the price: the rules of the trade as scripts.

Opening bid 100 and increment 10, unless a test says otherwise; the lot is open throughout.
"""

from __future__ import annotations

from engine.core.increments import saleroom_ladder, table
from engine.core.messages import MAX_AMOUNT
from tests.engine.core.saleroom import bidding

# eBay's table for the United States, in cents.
EBAY = table([(1, 5), (100, 25), (500, 50), (2500, 100), (10000, 250), (25000, 500), (50000, 1000)])


# ── Opening ──────────────────────────────────────────────────────────────────────────────


def test_the_first_bid_opens_at_the_opening_bid() -> None:
    """One less is refused; the opening bid itself needs no increment on top."""
    bidding("""
        1 anna bids 99            -> below_asking_bid, 100 would pass
        2 anna bids 100           -> winning at 100, asking 110
    """)


def test_a_first_limit_costs_only_the_opening_bid() -> None:
    """Nobody competes yet, so the engine bids no more than it must."""
    bidding("""
        1 anna bids up to 500     -> winning at 100, asking 110
    """)


def test_a_first_jump_bid_stands_where_it_was_made() -> None:
    """A bid of exactly 300 is 300, not a limit."""
    bidding("""
        1 anna bids 300           -> winning at 300, asking 310
    """)


# ── Straight bids, jumps and limits ──────────────────────────────────────────────────────


def test_straight_bids_climb_by_the_increment() -> None:
    """A bid must add the increment, and only then stands."""
    bidding("""
        1 anna bids 100           -> winning at 100, asking 110
        2 bert bids 100           -> below_asking_bid, 110 would pass
        3 bert bids 109           -> below_asking_bid, 110 would pass
        4 bert bids 110           -> winning at 110, asking 120
        5 anna bids 125           -> winning at 125, asking 135
        6 bert bids 500           -> winning at 500, asking 510
    """)


def test_a_leader_pays_one_increment_over_the_second_limit() -> None:
    """The limit is not the price: the engine bids against the runner-up for its owner."""
    bidding("""
        1 anna bids up to 500     -> winning at 100, asking 110
        2 bert bids up to 300     -> active at 310, asking 320
        3 bert bids 320           -> active at 330, asking 340
        4 carl bids up to 800     -> winning at 510, asking 520
        5 anna bids up to 600     -> outbid at 610, asking 620
    """)


def test_the_increment_is_the_one_at_the_runner_ups_limit() -> None:
    """A step counts from the amount that was beaten, across the edge of a band too."""
    steps = table([(0, 10), (200, 50)])
    bidding(
        """
        1 anna bids up to 900     -> winning at 100, asking 110
        2 bert bids up to 199     -> active at 209, asking 259
        3 bert bids up to 259     -> active at 309, asking 359
    """,
        increments=steps,
    )
    bidding(
        """
        1 anna bids up to 900     -> winning at 100, asking 110
        2 bert bids up to 200     -> active at 250, asking 300
    """,
        increments=steps,
    )
    bidding(
        """
        1 anna bids up to 900     -> winning at 100, asking 110
        2 bert bids up to 190     -> active at 200, asking 250
    """,
        increments=steps,
    )


def test_the_price_never_passes_the_leaders_limit() -> None:
    """Where the limits are less than a step apart, the leader pays their own limit."""
    bidding("""
        1 anna bids up to 505     -> winning at 100, asking 110
        2 bert bids up to 500     -> active at 505, asking 515
    """)
    bidding("""
        1 anna bids up to 500     -> winning at 100, asking 110
        2 bert bids up to 503     -> winning at 503, asking 513
    """)


def test_a_jump_bid_below_the_leaders_limit_is_answered_a_step_up() -> None:
    """The engine replies to a jump with one step over it, not with the whole limit."""
    bidding("""
        1 anna bids up to 500     -> winning at 100, asking 110
        2 bert bids 350           -> active at 360, asking 370
    """)


def test_a_jump_bid_that_leads_stands_where_it_was_made() -> None:
    """Over a limit of 200 an exact 350 is 350, where a limit of 350 would have been 210."""
    bidding("""
        1 anna bids up to 200     -> winning at 100, asking 110
        2 bert bids 350           -> winning at 350, asking 360
    """)


def test_the_published_examples_of_ebay() -> None:
    """114 and 157 give 116.50, next 119; 156.80 meets the cap of 157."""
    bidding(
        """
        1 anna bids up to 15700   -> winning at 100, asking 125
        2 bert bids up to 11400   -> active at 11650, asking 11900
        3 carl bids up to 15680   -> active at 15700, asking 15950
    """,
        increments=EBAY,
    )


def test_outbid_by_less_than_a_step() -> None:
    """20.00 and 9.00 give 9.50; then 20.01 wins, since it clears the next bid of 10.00."""
    bidding(
        """
        1 anna bids up to 2000    -> winning at 100, asking 125
        2 bert bids up to 900     -> active at 950, asking 1000
        3 carl bids up to 2001    -> winning at 2001, asking 2051
    """,
        increments=EBAY,
    )


def test_two_absentee_bids_open_a_step_over_the_second() -> None:
    """1,000 against 650 at steps of 50: the room starts at 700."""
    bidding(
        """
        1 anna bids up to 1000    -> winning at 500, asking 550
        2 bert bids up to 650     -> active at 700, asking 750
    """,
        opening=500,
        increments=table([(0, 50)]),
    )


# ── Ties ─────────────────────────────────────────────────────────────────────────────────


def test_a_tie_goes_to_the_earlier_bid() -> None:
    """The price is the amount of both, and the later bidder is told why they do not lead."""
    bidding("""
        1 anna bids up to 200     -> winning at 100, asking 110
        2 bert bids up to 200     -> active at 200, asking 210 (tie)
    """)


def test_an_exact_bid_ties_with_a_limit_like_any_other() -> None:
    """The earlier bid wins its own amount, be it written down before or called out."""
    bidding("""
        1 anna bids up to 200     -> winning at 100, asking 110
        2 bert bids 200           -> active at 200, asking 210 (tie)
        3 carl bids 210           -> winning at 210, asking 220
    """)


def test_a_loser_who_comes_back_is_later_than_the_tie() -> None:
    """A new limit of one who does not lead takes its place in time anew."""
    bidding("""
        1 anna bids up to 150     -> winning at 100, asking 110
        2 bert bids up to 300     -> winning at 160, asking 170
        3 anna bids up to 300     -> outbid at 300, asking 310 (tie)
    """)


def test_the_leaders_raise_keeps_its_place_in_time() -> None:
    """Who led at 200 and raised to 300 was there before a 300 that came after."""
    bidding("""
        1 anna bids up to 200     -> winning at 100, asking 110
        2 bert bids up to 150     -> active at 160, asking 170
        3 anna bids up to 300     -> winning at 160, asking 170 (silent)
        4 bert bids up to 300     -> active at 300, asking 310 (tie)
    """)


# ── Reserve ──────────────────────────────────────────────────────────────────────────────


def test_below_the_reserve_the_price_climbs_as_if_there_were_none() -> None:
    """Limits under the reserve compete at their own level; nobody is told the reserve."""
    bidding(
        """
        1 anna bids up to 250     -> winning at 100, asking 110
        2 bert bids up to 280     -> winning at 260, asking 270
        look                      -> open seq 3, 260 by paddle 102, 2 bids of 2, reserve not_met, 0 extensions
    """,
        reserve=300,
    )


def test_a_limit_that_reaches_the_reserve_jumps_to_it() -> None:
    """The consignor's price is met at once, and bidding goes on from there."""
    bidding(
        """
        1 anna bids up to 250     -> winning at 100, asking 110
        2 bert bids up to 400     -> winning at 300, asking 310 (reserve)
        3 anna bids up to 320     -> outbid at 330, asking 340
    """,
        reserve=300,
    )


def test_a_bid_of_exactly_the_reserve_is_enough() -> None:
    """The reserve is the lowest price the consignor takes, not one they refuse."""
    bidding(
        """
        1 anna bids up to 299     -> winning at 100, asking 110
        2 bert bids up to 300     -> winning at 300, asking 310
        3 close                   -> sold to bert for 300; settled
    """,
        reserve=300,
    )
    bidding(
        """
        1 anna bids 299           -> winning at 299, asking 309
        2 close                   -> passed; settled
    """,
        reserve=300,
    )


def test_a_reserve_below_the_opening_bid_changes_nothing() -> None:
    """The first bid meets it."""
    bidding(
        """
        1 anna bids up to 250     -> winning at 100, asking 110
        2 close                   -> sold to anna for 100; settled
    """,
        reserve=60,
    )


def test_the_reserve_never_lowers_a_price_that_competition_made() -> None:
    """One step over the second limit, where that is more than the reserve."""
    bidding(
        """
        1 anna bids up to 295     -> winning at 100, asking 110
        2 bert bids up to 400     -> winning at 305, asking 315
    """,
        reserve=300,
    )


def test_to_max_shows_the_whole_limit_below_the_reserve() -> None:
    """Under this policy a limit short of the reserve is bid at once, in full."""
    bidding(
        """
        1 anna bids up to 250     -> winning at 250, asking 260
        2 bert bids up to 255     -> below_asking_bid, 260 would pass
        3 bert bids up to 280     -> winning at 280, asking 290
        4 anna bids up to 400     -> winning at 300, asking 310 (reserve)
        5 bert bids up to 350     -> outbid at 360, asking 370
    """,
        reserve=300,
        reserve_policy="to_max",
    )


# ── The leader's own raise ───────────────────────────────────────────────────────────────


def test_the_leader_may_only_raise() -> None:
    """Their own limit again, or less, competes with nobody and is no raise."""
    bidding("""
        1 anna bids up to 200     -> winning at 100, asking 110
        2 anna bids 150           -> not_a_raise, 201 would pass
        3 anna bids up to 200     -> not_a_raise, 201 would pass
        4 anna bids up to 201     -> winning at 100, asking 110 (silent)
        5 bert bids up to 201     -> active at 201, asking 211 (tie)
    """)


def test_an_exact_bid_of_the_leader_is_a_raise_of_the_limit() -> None:
    """Nobody bids against themselves: 300 from the leader is a limit of 300."""
    bidding("""
        1 anna bids 100           -> winning at 100, asking 110
        2 anna bids 300           -> winning at 100, asking 110 (silent)
        3 bert bids 110           -> active at 120, asking 130
    """)


def test_a_frozen_price_stays_when_the_leader_raises() -> None:
    """105 over 100 was capped at 105; more room above it does not make it dearer."""
    bidding("""
        1 anna bids up to 100     -> winning at 100, asking 110
        2 bert bids up to 115     -> winning at 110, asking 120
        3 carl bids up to 121     -> winning at 121, asking 131
        4 carl bids up to 300     -> winning at 121, asking 131 (silent)
        5 anna bids up to 131     -> outbid at 141, asking 151
    """)


def test_a_recomputed_price_moves_when_the_leader_raises() -> None:
    """101 over 100 becomes one whole step over 100, as at Heritage, once there is room."""
    bidding(
        """
        1 anna bids up to 115     -> winning at 100, asking 110
        2 bert bids up to 121     -> winning at 121, asking 131
        3 bert bids up to 300     -> winning at 125, asking 135
        4 bert bids up to 400     -> winning at 125, asking 135 (silent)
    """,
        leader_raise="recompute",
    )


def test_a_tied_leader_who_raises_moves_the_price_where_it_is_recomputed() -> None:
    """The other of Heritage's two exceptions: tied at 200, raised to 300, priced at 210."""
    script = """
        1 anna bids up to 200     -> winning at 100, asking 110
        2 bert bids up to 200     -> active at 200, asking 210 (tie)
        3 anna bids up to 300     -> winning at {after}
    """
    bidding(script.format(after="210, asking 220"), leader_raise="recompute")
    bidding(script.format(after="200, asking 210 (silent)"), leader_raise="freeze")


def test_a_lone_leaders_raise_is_silent_under_both_policies() -> None:
    """There is no second limit to be a step over."""
    script = """
        1 anna bids up to 200     -> winning at 100, asking 110
        2 anna bids up to 300     -> winning at 100, asking 110 (silent)
    """
    bidding(script, leader_raise="freeze")
    bidding(script, leader_raise="recompute")


def test_a_raise_that_newly_meets_the_reserve_moves_even_a_frozen_price() -> None:
    """The reserve has its price, whatever the policy; met once, it moves nothing more."""
    script = """
        1 anna bids up to 250     -> winning at 100, asking 110
        2 anna bids up to 299     -> winning at 100, asking 110 (silent)
        3 anna bids up to 300     -> winning at 300, asking 310 (reserve)
        4 anna bids up to 400     -> winning at 300, asking 310 (silent)
    """
    bidding(script, leader_raise="freeze", reserve=300)
    bidding(script, leader_raise="recompute", reserve=300)


def test_a_jump_bid_does_not_fall_back_when_its_bidder_raises() -> None:
    """The price never falls: 500 was bid out loud, and no limit takes it back."""
    bidding(
        """
        1 anna bids up to 200     -> winning at 100, asking 110
        2 bert bids 500           -> winning at 500, asking 510
        3 bert bids up to 900     -> winning at 500, asking 510 (silent)
    """,
        leader_raise="recompute",
    )


def test_to_max_and_a_leaders_raise_below_the_reserve() -> None:
    """Recomputed, the new limit shows in full; frozen, it shows when somebody competes."""
    bidding(
        """
        1 anna bids up to 150     -> winning at 150, asking 160
        2 anna bids up to 250     -> winning at 250, asking 260
    """,
        reserve=300,
        reserve_policy="to_max",
        leader_raise="recompute",
    )
    bidding(
        """
        1 anna bids up to 150     -> winning at 150, asking 160
        2 anna bids up to 250     -> winning at 150, asking 160 (silent)
        3 bert bids 200           -> active at 250, asking 260
    """,
        reserve=300,
        reserve_policy="to_max",
        leader_raise="freeze",
    )


# ── Ladder bids only ─────────────────────────────────────────────────────────────────────


def test_on_a_table_the_rungs_count_from_the_opening_bid() -> None:
    """From 95 in tens: 95, 105, 115 …, though the table itself speaks of round numbers."""
    bidding(
        """
        1 anna bids up to 100     -> off_ladder, 95 would pass
        2 anna bids up to 125     -> winning at 95, asking 105
        3 bert bids 110           -> off_ladder, 105 would pass
        4 bert bids 104           -> below_asking_bid, 105 would pass
        5 anna bids up to 130     -> off_ladder, 135 would pass
        6 anna bids up to 125     -> not_a_raise, 135 would pass
        7 bert bids 125           -> active at 125, asking 135 (tie)
        8 anna bids up to 135     -> winning at 125, asking 135 (silent)
    """,
        opening=95,
        ladder_only=True,
    )


def test_on_the_saleroom_ladder_only_rungs_are_taken() -> None:
    """300, 320, 350, 380, 400: what lies between is refused with a rung that would pass."""
    bidding(
        """
        1 anna bids up to 360     -> off_ladder, 300 would pass
        2 anna bids up to 380     -> winning at 300, asking 320
        3 bert bids 330           -> off_ladder, 320 would pass
        4 bert bids up to 350     -> active at 380, asking 400
        5 bert bids 390           -> below_asking_bid, 400 would pass
        6 bert bids 410           -> off_ladder, 400 would pass
        7 bert bids 420           -> winning at 420, asking 450
        8 bert bids up to 450     -> winning at 420, asking 450 (silent)
        9 bert bids up to 460     -> off_ladder, 480 would pass
    """,
        opening=300,
        increments=saleroom_ladder(),
        ladder_only=True,
    )


def test_an_opening_bid_off_the_ladder_is_still_taken() -> None:
    """A lot may open at 310 on a ladder of 300 and 320; the next bid is a rung again."""
    bidding(
        """
        1 anna bids 310           -> winning at 310, asking 320
        2 bert bids 320           -> winning at 320, asking 350
    """,
        opening=310,
        increments=saleroom_ladder(),
        ladder_only=True,
    )


def test_a_reserve_off_the_ladder_leads_back_to_a_rung() -> None:
    """The price stands at the reserve of 333; the asking bid is the next rung that adds a step."""
    bidding(
        """
        1 anna bids up to 400     -> winning at 333, asking 350 (reserve)
        2 bert bids 350           -> active at 380, asking 400
    """,
        opening=300,
        increments=saleroom_ladder(),
        reserve=333,
        ladder_only=True,
    )
    bidding(
        """
        1 anna bids up to 400     -> winning at 333, asking 350 (reserve)
        2 bert bids 343           -> below_asking_bid, 350 would pass
        3 bert bids 350           -> active at 360, asking 370
    """,
        opening=100,
        reserve=333,
        ladder_only=True,
    )


def test_without_ladder_only_any_amount_over_the_asking_bid_will_do() -> None:
    """The ladder then sets the step, and not the amounts."""
    bidding(
        """
        1 anna bids up to 366     -> winning at 300, asking 320
        2 bert bids 333           -> active at 350, asking 380
        3 bert bids 379           -> below_asking_bid, 380 would pass
        4 bert bids 381           -> winning at 381, asking 400
    """,
        opening=300,
        increments=saleroom_ladder(),
    )


# ── What the public and the bidder are told ──────────────────────────────────────────────


def test_only_bids_that_made_a_price_are_counted() -> None:
    """A silent raise and a refusal take no number; a bidder counts once."""
    bidding("""
        1 anna bids up to 200     -> winning at 100, asking 110
        2 anna bids up to 300     -> winning at 100, asking 110 (silent)
        3 bert bids 90            -> below_asking_bid, 110 would pass
        4 carl bids 110           -> active at 120, asking 130
        5 carl bids 130           -> active at 140, asking 150
        look                      -> open seq 4, 140 by paddle 101, 3 bids of 2, reserve none, 0 extensions
    """)


def test_a_raise_that_moves_the_price_is_counted() -> None:
    """It made a price event, so it is a bid like any other; the bidder is not a new one."""
    bidding(
        """
        1 anna bids up to 115     -> winning at 100, asking 110
        2 bert bids up to 121     -> winning at 121, asking 131
        3 bert bids up to 300     -> winning at 125, asking 135
        look                      -> open seq 4, 125 by paddle 102, 3 bids of 2, reserve none, 0 extensions
    """,
        leader_raise="recompute",
    )


def test_outbid_is_who_led_once_and_active_who_never_did() -> None:
    """The two words tell a bidder whether they lost the lead or never had it."""
    bidding("""
        1 anna bids up to 200     -> winning at 100, asking 110
        2 bert bids up to 150     -> active at 160, asking 170
        3 carl bids up to 400     -> winning at 210, asking 220
        4 anna bids up to 300     -> outbid at 310, asking 320
        5 bert bids up to 350     -> active at 360, asking 370
    """)


def test_a_bidder_who_saw_an_older_price_is_told_that_it_moved() -> None:
    """The refusal says that the asking bid was another when they pressed the button."""
    bidding("""
        1 anna bids 100           -> winning at 100, asking 110
        2 bert bids 110           -> winning at 110, asking 120
        3 carl bids 110 seen 2    -> below_asking_bid, 120 would pass, moved
        4 carl bids 115 seen 3    -> below_asking_bid, 120 would pass
        5 carl bids 115           -> below_asking_bid, 120 would pass
        6 carl bids 120 seen 1    -> winning at 120, asking 130
    """)


def test_a_bid_at_the_end_of_money() -> None:
    """Beyond the largest amount there is nothing to ask for, and nothing would pass."""
    bidding(f"""
        1 anna bids up to {MAX_AMOUNT} -> winning at 100, asking 110
        2 anna bids {MAX_AMOUNT}       -> not_a_raise
        3 bert bids {MAX_AMOUNT}       -> active at {MAX_AMOUNT}, asking nothing (tie)
        4 carl bids {MAX_AMOUNT}       -> below_asking_bid
    """)
