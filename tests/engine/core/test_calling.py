"""What becomes of bids on a live lot: from the floor, for the house, from a letter, from the net."""

from __future__ import annotations

import pytest

from engine.core.increments import table
from engine.core.messages import (
    MAX_AMOUNT,
    BidAccepted,
    BidCalled,
    FloorBid,
    OpenLot,
)
from tests.engine.core.auctioneer import SECOND, announced, say, selling
from tests.engine.core.saleroom import LOT, SALE

HUNDREDS = table([(0, 100)])


# ── The floor ────────────────────────────────────────────────────────────────────────────


def test_bids_from_the_floor() -> None:
    """The room, the phone and the net bid in one book; everybody sees where the leader is."""
    room = selling("""
        1 room bids 150 -> winning at 150, asking 160; done
        look -> open seq 2, 150 by paddle None (room), asking 160, 1 bids of 1, reserve none
        2 phone bids 200 for 55 -> winning at 200, asking 210; done
        look -> open seq 3, 200 by paddle 55 (phone), asking 210, 2 bids of 2, reserve none
        3 anna bids 210 -> winning at 210, asking 220
        look -> open seq 4, 210 by paddle 101 (online), asking 220, 3 bids of 3, reserve none
    """)
    sale = room.shard.sales[SALE]
    assert sale.paddles == {55: "floor_55", 101: "anna"}


def test_an_auctioneer_takes_any_amount_over_the_price() -> None:
    """Bids are split, and jump; no more than the price is not a bid."""
    selling(
        """
        1 room bids 150 -> winning at 150, asking 200; done
        2 phone bids 151 -> winning at 151, asking 200; done
        3 room bids 151 -> below_asking_bid, 152 would pass
        4 room bids 152 -> winning at 152, asking 200; done
        5 room bids 175 -> winning at 175, asking 200; done
        6 anna bids 180 -> below_asking_bid, 200 would pass
        7 anna bids 250 -> winning at 250, asking 300
        """,
        ladder_only=True,
        increments=table([(0, 50)]),
    )


def test_a_first_bid_may_be_below_the_opening() -> None:
    """The auctioneer takes what there is; the net is still asked for the opening bid."""
    selling("""
        1 anna bids 50 -> below_asking_bid, 100 would pass
        2 room bids 50 -> winning at 50, asking 60; done
    """)


def test_a_raise_below_the_opening_stays_within_its_limit() -> None:
    """Also where a raise is priced anew: nobody pays more than they have said."""
    selling(
        """
        1 anna is approved with 7 -> paddle 7 approved
        2 room bids 50 for 7 -> winning at 50, asking 60; done
        3 anna bids up to 70 -> winning at 70, asking 80
        """,
        leader_raise="recompute",
    )


def test_unnamed_bidders_follow_each_other() -> None:
    """Two people in the room, neither of whom has shown a paddle."""
    room = selling("""
        1 room bids 100 -> winning at 100, asking 110; done
        2 room bids 110 -> winning at 110, asking 120; done
        look -> open seq 3, 110 by paddle None (room), asking 120, 2 bids of 1, reserve none
    """)
    assert "floor_room" not in room.shard.sales[SALE].registrations


def test_a_paddle_that_the_sale_knows_is_its_bidder() -> None:
    """Who bids in the room under the paddle that they have on the net is the same bidder."""
    selling("""
        1 anna is approved with 7 -> paddle 7 approved
        2 room bids 100 for 7 -> winning at 100, asking 110; done
        3 anna bids 110 -> winning at 100, asking 110 (silent)
        4 bert bids 110 -> active at 110, asking 120 (tie)
        look -> open seq 3, 110 by paddle 7 (left), asking 120, 2 bids of 2, reserve none
    """)


def test_a_floor_paddle_is_given_to_nobody_else() -> None:
    """A number that was held up in the room is taken."""
    selling("""
        1 room bids 100 for 101 -> winning at 100, asking 110; done
        2 anna bids 110 -> winning at 110, asking 120
        look -> open seq 3, 110 by paddle 102 (online), asking 120, 2 bids of 2, reserve none
        3 bert is approved with 101 -> exists
    """)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("room bids 0", "invalid"),
        (f"room bids {MAX_AMOUNT + 1}", "invalid"),
        ("room bids 120 for 0", "invalid"),
        ("room bids 120 for 1000000", "invalid"),
        ("room bids 120 for 7", "suspended"),
        ("room bids 120 for 8", "pending_approval"),
        ("room bids 151 for 9", "over_limit"),
        ("room bids 120 for 11", "own_lot"),
        ("left bids 150 up to 140 for 12", "invalid"),
        ("left bids 150", "invalid"),
        ("left bids 90", "below_asking_bid, 111 would pass"),
        ("left bids 110 for 12", "below_asking_bid, 120 would pass"),
        ("left bids 200 for 7", "suspended"),
        ("left bids 200 for 9", "over_limit"),
        ("house bids 120", "invalid"),
    ],
)
def test_a_bid_at_the_rostrum_that_is_none(line: str, code: str) -> None:
    """Each with its reason; the saleroom sees that nothing moved."""
    selling(
        f"""
        1 room bids 110 -> winning at 110, asking 120; done
        2 dora is suspended with 7 -> paddle 7 suspended
        2 emil is pending with 8 -> paddle 8 pending
                2 frau is approved with 9 -> paddle 9 approved
        3 frau is approved up to 150 -> paddle 9 approved up to 150
        3 eva is approved with 11 -> paddle 11 approved
        4 {line} -> {code}
        """,
        consignor="eva",
        reserve=500,
    )


def test_no_console_sends_a_bid_of_the_net() -> None:
    """Nor a limit for the room, a limit to call, or a house's bid with a paddle."""
    room = selling("1 room bids 110 -> winning at 110, asking 120; done", house_bids="none")
    for bid in (
        FloorBid("online", 200),
        FloorBid("room", 200, max=300),
        FloorBid("left", 200, max=300),
        FloorBid("left", 200, 7, house=True),
        FloorBid("room", 200, 7, house=True),
    ):
        [decided] = room.act(bid, 2)
        assert say(decided) == "invalid"


# ── The house ────────────────────────────────────────────────────────────────────────────


def test_the_house_bids_below_the_reserve() -> None:
    """Consecutively, never at the reserve, and in public like anybody in the room."""
    room = selling(
        """
        1 house bids 100 -> winning at 100, asking 110; done
        2 house bids 200 -> winning at 200, asking 210; done
        look -> open seq 3, 200 by paddle None (room), asking 210, 2 bids of 1, reserve not_met
        3 room bids 210 -> winning at 210, asking 220; done
        4 house bids 299 -> winning at 299, asking 309; done
        5 house bids 300 -> invalid
        6 hammer nobody 299 because agreed -> below_reserve
        6 hammer 7 299 because agreed -> below_reserve
        7 subject -> below_reserve
        8 close -> passed; ring empty
        """,
        house_bids="consecutive_below_reserve",
        reserve=300,
    )
    assert room.shard.lots[LOT].winner is None


def test_the_house_bids_once_where_it_said_so() -> None:
    """One a lot; what was undone was none."""
    selling(
        """
        1 house bids 100 -> winning at 100, asking 110; done
        2 room bids 110 -> winning at 110, asking 120; done
        3 house bids 200 -> invalid
        4 undo to 1 because misheard -> undone to 1: floor_house, floor_room, None asking 100; done
        5 house bids 200 -> winning at 200, asking 210; done
        """,
        house_bids="announced_once",
        reserve=300,
    )


def test_the_house_never_leads_at_the_reserve() -> None:
    """Where the reserve comes down to its bid that is undone first, and stays so."""
    room = selling(
        """
        1 house bids 200 as h -> winning at 200, asking 210; done
        2 lower reserve 200 -> invalid
        3 lower reserve 201 -> reserve not_met, 200 asking 210; done
        4 room bids 210 -> winning at 210, asking 220; done
        5 undo to 3 because misheard -> undone to 3: floor_room, 200 asking 210; done
        6 reinstate floor_house h -> floor_house reinstated at 200, asking 210; done
        7 undo to 1 because misheard -> undone to 1: floor_house, None asking 100; done
        8 lower reserve 200 -> reserve not_met, None asking 100; done
        9 reinstate floor_house h -> invalid
        """,
        house_bids="announced_once",
        reserve=300,
    )
    room.play("10 house bids 150 as h2 -> winning at 150, asking 160; done")
    assert room.update(11, reserve=150) == "not_editable"
    assert room.update(11, reserve=None) == "not_editable"


def test_the_log_knows_the_house() -> None:
    """What is never public is in the event, with who did it."""
    room = selling("", house_bids="announced_once", reserve=300)
    bid, _ = room.act(FloorBid("room", 100, house=True), 1)

    assert isinstance(bid, BidAccepted)
    assert (bid.house, bid.by, bid.channel, bid.paddle) == (True, "key_1", "room", 0)


def test_no_house_without_a_reserve() -> None:
    """There is nothing to bid up to."""
    selling("1 house bids 100 -> invalid", house_bids="consecutive_below_reserve")


# ── Left bids ────────────────────────────────────────────────────────────────────────────


def test_a_left_bid_before_the_opening() -> None:
    """A limit may be left; an exact bid has to wait; nothing of it is public."""
    announced("""
        1 anna bids 100 -> not_open_yet
        2 anna bids up to 90 -> below_asking_bid, 100 would pass
        3 anna bids up to 300 -> left, asking 100
        look -> scheduled seq 0, None by paddle None (online), asking 100, 0 bids of 0, reserve none
        4 anna bids up to 300 -> not_a_raise, 301 would pass
        5 anna bids up to 350 -> left, asking 100
        6 open -> control one; open; anna called at 100, asking 110; ring 1; done
        look -> open seq 2, 100 by paddle 101 (left), asking 110, 1 bids of 1, reserve none
    """)


def test_a_left_bid_that_does_not_stand() -> None:
    """The sale says who may, and up to how much; the lot on which rungs."""
    announced(
        """
        1 anna is suspended -> paddle 101 suspended
        1 anna bids up to 300 -> suspended
        2 bert is approved up to 150 -> paddle 102 approved up to 150
        2 bert bids up to 160 -> over_limit, 100 would pass
        2 bert bids up to 145 -> off_ladder, 100 would pass
        2 bert bids up to 150 -> left, asking 100
        3 carl bids up to 200 until 2 -> expired, 100 would pass
        """,
        ladder_only=True,
    )


def test_no_limit_is_found_by_calling() -> None:
    """A left bid is called a printed step over the price at most, whatever was asked for."""
    announced("""
        0 anna bids up to 300 -> left, asking 100
        1 open -> control one; open; anna called at 100, asking 110; ring 1; done
        2 room bids 200 for 7 -> active at 210, asking 220; done
        3 undo to 2 because misheard -> undone to 2: floor_7, 100 asking 110; done
        4 ask 250 -> asking 250; done
        5 left bids 250 -> invalid
        6 left bids 301 -> invalid
        7 left bids 110 -> anna called at 110, asking 120; done
    """)


def test_hdh_opens_at_the_second_left_bid() -> None:
    """1,000 against 650, from 500: the first bid is 700 (bidding-rules 2.5)."""
    announced(
        """
        1 anna bids up to 1000 -> left, asking 500
        2 bert bids up to 650 -> left, asking 500
        3 open -> control one; open; anna called at 700, asking 750; ring 1; done
        """,
        opening=500,
        increments=table([(0, 50)]),
    )


def test_two_equal_left_bids() -> None:
    """At that amount, to the earlier."""
    announced("""
        1 anna bids up to 300 -> left, asking 100
        2 bert bids up to 300 -> left, asking 100
        3 open -> control one; open; anna called at 300, asking 310; ring 1; done
    """)


def test_left_bids_meet_the_reserve_at_once() -> None:
    """As in any proxy bidding (2.1, line 8)."""
    announced(
        """
        1 anna bids up to 300 -> left, asking 100
        2 open -> control one; open; anna called at 250, asking 260 (reserve); ring 1; done
        """,
        reserve=250,
    )


def test_a_left_bid_below_a_raised_opening() -> None:
    """The auctioneer begins higher: it is not carried out, and stands."""
    announced("""
        1 anna bids up to 300 -> left, asking 100
        2 open at 400 -> control one; open; ring 1; done
        look -> open seq 1, None by paddle None (online), asking 400, 0 bids of 0, reserve none
        3 ask 200 -> asking 200; done
        4 left bids 250 -> anna called at 250, asking 260; done
    """)


def test_a_left_bid_in_the_open_lot() -> None:
    """It replies a step over the floor, up to its limit, and then is passed."""
    selling("""
        1 anna bids up to 150 -> winning at 100, asking 110
        look -> open seq 2, 100 by paddle 101 (left), asking 110, 1 bids of 1, reserve none
        2 room bids 110 -> active at 120, asking 130; done
        look -> open seq 3, 120 by paddle 101 (left), asking 130, 2 bids of 2, reserve none
        3 room bids 145 for 7 -> active at 150, asking 160; done
        4 room bids 160 for 7 -> winning at 160, asking 170; done
        look -> open seq 5, 160 by paddle 7 (room), asking 170, 4 bids of 3, reserve none
    """)


def test_the_rostrum_leaves_a_bid_for_a_paddle() -> None:
    """A letter that comes in: before the opening, and while it sells."""
    room = announced("""
        1 left bids 200 for 7 -> control one; left, asking 100; done
        2 left bids 150 up to 300 for 8 -> left, asking 100; done
        3 open -> open; floor_8 called at 210, asking 220; ring 1; done
        4 left bids 400 for 7 -> winning at 310, asking 320; done
        5 left bids 400 for 7 -> not_a_raise
        6 left bids 500 for 7 -> winning at 310, asking 320 (silent); done
    """)
    assert room.shard.lots[LOT].leader == "floor_7"


def test_the_clock_and_the_house_open_a_live_lot_too() -> None:
    """Its left bids are carried out, and it is in the ring where that is free."""
    room = announced(
        """
        1 anna bids up to 300 -> left, asking 100
        9 bert bids 110 -> open; anna called at 100, asking 110; ring 1; active at 120, asking 130
        """,
        opens_at=5,
    )
    assert [say(event) for event in room.do(OpenLot(SECOND), 10)] == ["open", "invalid_transition"]
    assert room.shard.sales[SALE].ring == LOT


@pytest.mark.parametrize(
    ("wrong_foot", "at_the_opening", "floor", "then"),
    [
        ("absentee_first", 1_900, "active at 2000, asking 2100 (tie)", "2000 by paddle 9 (left)"),
        ("floor_first", 1_900, "winning at 2000, asking 2100", "2000 by paddle None (room)"),
        ("plus_one", 1_900, "active at 2100, asking 2200 (tie)", "2100 by paddle 9 (left)"),
        ("cover", 2_000, "below_asking_bid, 2001 would pass", "2000 by paddle 9 (left)"),
    ],
)
def test_on_the_wrong_foot(wrong_foot: str, at_the_opening: int, floor: str, then: str) -> None:
    """A left bid leads at 1,900 with a limit of 2,000, and the floor bids 2,000 (2.5)."""
    done = "" if "below" in floor else "; done"
    room = announced(
        f"""
        1 left bids 2000 for 9 -> control one; left, asking 100; done
        1 left bids 1800 for 8 -> left, asking 100; done
        2 open -> open; floor_9 called at {at_the_opening}, asking {at_the_opening + 100}; ring 1; done
        3 room bids 2000 -> {floor}{done}
        4 room bids 2200 -> winning at 2200, asking 2300; done
        """,  # one line of a script
        wrong_foot=wrong_foot,
        increments=HUNDREDS,
    )
    states = [event.after for event in room.told if isinstance(event, BidAccepted | BidCalled)]
    before = states[-2]
    assert f"{before.price} by paddle {before.paddle} ({before.channel})" == then


def test_the_floor_is_first_only_against_a_letter() -> None:
    """A bid of the net ties as everywhere, whatever the floor may do."""
    selling(
        """
        1 anna bids up to 200 -> winning at 100, asking 110
        2 bert bids 200 -> active at 200, asking 210 (tie)
        """,
        wrong_foot="floor_first",
    )


def test_one_step_over_is_the_limit_from_then_on() -> None:
    """Who consented to a step more stands for it: a raise must pass it."""
    selling(
        """
        1 anna bids up to 200 as a -> winning at 100, asking 110
        2 room bids 200 -> active at 210, asking 220 (tie); done
        3 anna bids up to 210 -> not_a_raise, 211 would pass
        4 hammer 101 210 -> sold to anna for 210; ring empty; done
        """,
        wrong_foot="plus_one",
    )


def test_cover_replies_with_the_whole_limit() -> None:
    """Where the reply would let the floor meet the limit exactly it bids the limit."""
    selling(
        """
        1 anna bids up to 200 -> winning at 100, asking 110
        2 room bids 170 -> active at 180, asking 190; done
        3 undo to 2 because misheard -> undone to 2: floor_room, 100 asking 110; done
        4 room bids 180 -> active at 200, asking 210; done
        """,
        wrong_foot="cover",
    )


def test_a_lowered_limit_stays_lowered_after_an_undo() -> None:
    """The leader's wish is not undone with the bids."""
    selling("""
        1 anna bids up to 300 -> winning at 100, asking 110
        2 anna lowers to 150 -> limit 150
        3 room bids 160 -> winning at 160, asking 170; done
        4 undo to 2 because misheard -> undone to 2: floor_room, 100 asking 110; done
        5 room bids 140 -> outbid at 150, asking 160; done
        6 room bids 155 -> winning at 155, asking 165; done
    """)
