"""A live lot sold from the rostrum: each act, each reason why not, and nothing moved by one."""

from __future__ import annotations

from typing import get_args

import pytest
from msgspec.structs import replace

from engine.core.messages import (
    MAX_AMOUNT,
    ActDecided,
    Ask,
    Catalogue,
    CommandTaken,
    Deed,
    FloorBid,
    Hammer,
    LotClosed,
    Open,
    OpenLot,
    PauseLot,
    PlaceBid,
    ResumeTrading,
    Say,
    Take,
    Undo,
    UnpauseLot,
    UpdateLot,
)
from engine.core.sale import EVENTS_PER_COMMAND
from engine.core.selling import _DECIDE, _STATES, LONGEST_MESSAGE
from tests.engine.core.auctioneer import SECOND, SIMPLE, Auctioneer, announced, say, selling
from tests.engine.core.saleroom import LOT, SALE

# ── Control ──────────────────────────────────────────────────────────────────────────────


def test_the_first_act_takes_control() -> None:
    """Where nobody is in control; another console is refused until it takes over."""
    announced("""
        1 open from one -> control one; open; ring 1; done
        2 ask 200 from two -> not_in_control
        3 take over from two -> control two; done
        4 ask 200 from one -> not_in_control
        5 ask 200 from two -> asking 200; done
        6 take over from two -> done
    """)


def test_control_is_free_when_its_console_has_gone() -> None:
    """Only when that one has; and the next act takes it."""
    selling("""
        1 console two leaves -> nothing
        2 console one leaves -> control free
        3 console one leaves -> nothing
        4 ask 200 from two -> control two; asking 200; done
    """)


def test_an_act_that_was_not_done_takes_no_control() -> None:
    """A refusal moves nothing."""
    room = announced("""
        1 ask 200 from two -> not_open_yet
        2 open from one -> control one; open; ring 1; done
    """)
    assert room.shard.sales[SALE].console is not None


# ── The order of the objections ──────────────────────────────────────────────────────────


def test_the_same_id_comes_before_everything() -> None:
    """Word for word, also from a console that has lost control since; once is once."""
    room = selling("""
        1 room bids 150 as a -> winning at 150, asking 160; done
        2 take over from two -> control two; done
        3 room bids 150 as a from one -> done
        4 room bids 160 as a from one -> idempotency_mismatch
        5 room bids 150 as a because slip -> idempotency_mismatch
        6 room bids 150 as a -> done
        7 warning as w from one -> not_in_control
        8 take over from one -> control one; done
        9 warning as w -> not_in_control
        look -> open seq 2, 150 by paddle None (room), asking 160, 1 bids of 1, reserve none
    """)
    decided = [event for event in room.told if isinstance(event, ActDecided)]
    first, second = [e for e in decided if e.cmd_id == "a" and e.code is None][:2]
    assert first == second


def test_an_id_is_the_key_own() -> None:
    """Two who sell may choose the same one; so may a lot, and a command of the house."""
    room = selling("1 open lot 2 -> not_current_lot")
    for by in ("key_1", "key_2"):
        assert say(room.act(Ask(200), 2, cmd_id="same", by=by)[-1]) == "done"
    assert say(room.act(Ask(200), 2, cmd_id="same", lot=SECOND)[-1]) == "not_open_yet"
    assert isinstance(room.do(PauseLot(LOT, "same", "key_1"), 3)[-1], CommandTaken)


def test_the_order_of_the_objections() -> None:
    """Control, the ring, the state, the reason, and what the act itself asks for."""
    room = selling("""
        1 undo to 7 from two -> not_in_control
        1 undo to 7 -> reason_required
        1 undo to 7 because misheard -> invalid
        2 undo to 7 lot 2 -> not_open_yet
        3 skip -> paused; ring empty; done
        4 undo to 7 -> not_current_lot
        5 open -> open; ring 1; done
        6 pause -> paused; done
        7 room bids 0 -> paused
        8 withdraw -> reason_required
        9 withdraw because sick -> withdrawn; ring empty; done
        9 undo to 7 -> closed
    """)
    assert say(room.act(Undo(7), 9, lot="auction_k3f9_none")[-1]) == "not_found"


def test_only_live_lots_are_sold_from_the_rostrum() -> None:
    """Every other has no ring; and an act without an id or a console is none."""
    for terms in ({"format": "english"}, {"winner_count": 2}):
        assert say(announced("", **terms).act(Open(), 1)[-1]) == "invalid"
    room = selling("")
    for details in ({"cmd_id": ""}, {"session": ""}, {"reason": "\0"}, {"by": "\0"}):
        assert say(room.act(Ask(200), 1, **details)[-1]) == "invalid"


def test_every_deed_has_its_row_and_its_function() -> None:
    """The tables are the documentation."""
    assert set(_STATES) == set(_DECIDE) == set(get_args(Deed))


@pytest.mark.parametrize(
    ("life", "code"),
    [
        ("", "not_open_yet"),
        ("1 open -> control one; open; ring 1; done\n2 pause -> paused; done", "paused"),
        ("1 open -> control one; open; ring 1; done\n2 pass -> passed; ring empty; done", "closed"),
        ("1 cancel -> canceled", "canceled"),
        ("1 remove -> withdrawn", "closed"),
    ],
)
def test_bids_calls_and_hammers_need_an_open_lot(life: str, code: str) -> None:
    """Each says where the lot stands instead."""
    room = announced(life)
    for deed in (
        Ask(200),
        FloorBid("room", 200),
        FloorBid("left", 200),
        Hammer(7, 200),
        Take("anna", "a"),
        *(SIMPLE[name] for name in ("warning", "final", "subject", "pass")),
    ):
        assert say(room.act(deed, 9)[-1]) == code, deed


# ── The ring ─────────────────────────────────────────────────────────────────────────────


def test_one_lot_in_the_ring() -> None:
    """A second is opened when the first is sold, or sent back with its bids."""
    selling("""
        1 anna bids up to 300 -> winning at 100, asking 110
        1 open -> invalid
        2 open lot 2 -> not_current_lot
        3 skip -> paused; ring empty; done
        look -> paused seq 3, 100 by paddle 101 (left), asking 110, 1 bids of 1, reserve none
        3 bert bids 110 -> paused
        4 open lot 2 -> open; ring 2; done
        5 open -> not_current_lot
        6 pass lot 2 -> passed; ring empty; done
        7 open at 500 -> invalid
        7 open -> open; ring 1; done
        8 room bids 110 -> active at 120, asking 130; done
    """)


def test_a_paused_lot_is_in_the_ring() -> None:
    """It is sent back, too, or goes on."""
    selling("""
        1 pause -> paused; done
        1 unpause lot 2 -> not_open_yet
        2 open lot 2 -> not_current_lot
        2 open -> invalid
        3 unpause -> open; done
        3 unpause -> invalid
        4 pause -> paused; done
        5 skip -> ring empty; done
        5 unpause -> not_current_lot
    """)


def test_a_lot_opened_by_the_house_waits_for_the_ring() -> None:
    """It takes bids of the net; the rostrum brings it in when the ring is free."""
    room = announced("0 open lot 2 -> control one; open; ring 2; done")
    assert [say(event) for event in room.do(OpenLot(LOT), 2)] == ["open"]
    room.play("""
        3 ask 200 -> not_current_lot
        4 pass lot 2 -> passed; ring empty; done
        5 open -> ring 1; done
        6 ask 200 -> asking 200; done
    """)


def test_the_opening_bid_is_said_anew() -> None:
    """Lower or higher than printed, where the lot can be sold by it."""
    room = announced("1 open at 40 -> control one; open; ring 1; done")
    assert room.shard.lots[LOT].terms.opening == 40
    announced("""
        1 open at 0 -> invalid
        1 open at 900 -> control one; open; ring 1; done
        2 anna bids 890 -> below_asking_bid, 900 would pass
    """)
    announced("1 open at 900 -> invalid", buy_now=800)


def test_an_unpause_by_the_house_brings_a_lot_back() -> None:
    """Where nothing else is in the ring."""
    room = selling("1 skip -> paused; ring empty; done")
    assert [say(event) for event in room.do(UnpauseLot(LOT), 2)] == ["open", "ring 1"]


# ── Asking, calling, saying ──────────────────────────────────────────────────────────────


def test_the_rostrum_asks_for_another_amount() -> None:
    """For the next bid; never for less than would be a bid."""
    selling(f"""
        1 ask 60 -> asking 60; done
        2 anna bids 60 -> winning at 60, asking 70
        3 ask 60 -> below_asking_bid, 61 would pass
        4 ask 65 -> asking 65; done
        5 bert bids 65 -> winning at 65, asking 75
        6 ask 0 -> invalid
        7 ask {MAX_AMOUNT + 1} -> invalid
    """)


def test_a_step_holds_until_the_lot_ends() -> None:
    """For every kind of bid; the table comes back when it is asked for."""
    selling("""
        1 step 50 -> asking 100; done
        2 room bids 100 -> winning at 100, asking 150; done
        3 anna bids up to 300 -> winning at 150, asking 200
        4 room bids 180 -> outbid at 230, asking 280; done
        5 step 5 -> asking 235; done
        6 step table -> asking 240; done
        7 step 0 -> invalid
        8 room bids 300 -> outbid at 300, asking 310 (tie); done
    """)


def test_a_step_off_the_ladder_is_taken_from_the_net() -> None:
    """What the rostrum asks for cannot be off the ladder."""
    selling(
        """
        1 room bids 100 -> winning at 100, asking 110; done
        2 step 25 -> asking 125; done
        3 anna bids 130 -> winning at 130, asking 155
        4 bert bids 155 -> winning at 155, asking 180
        5 carl bids 181 -> off_ladder, 180 would pass
        """,
        ladder_only=True,
    )


def test_fair_warning_and_final_call() -> None:
    """A call stands until the next bid, undo, pause or close, and takes a public seq."""
    selling("""
        1 room bids 100 -> winning at 100, asking 110; done
        2 warning -> fair_warning; done
        look -> open seq 3, 100 by paddle None (room), asking 110, 1 bids of 1, reserve none, fair_warning
        3 final -> final_call; done
        4 ask 105 -> asking 105; done
        look -> open seq 5, 100 by paddle None (room), asking 105, 1 bids of 1, reserve none, final_call
        5 anna bids 105 -> winning at 105, asking 115
        look -> open seq 6, 105 by paddle 101 (online), asking 115, 2 bids of 2, reserve none
        6 final -> final_call; done
        7 undo to 6 because misheard -> invalid
        7 undo to 5 because misheard -> undone to 5: anna, 100 asking 105; done
        look -> open seq 8, 100 by paddle None (online), asking 105, 1 bids of 1, reserve none
        8 final -> final_call; done
        9 pause -> paused; done
        9 unpause -> open; done
        look -> open seq 11, 100 by paddle None (online), asking 105, 1 bids of 1, reserve none
    """)  # a script's lines are as long as what is said


def test_something_is_said_to_everybody() -> None:
    """On a lot of any state but one that is over; short, and not nothing."""
    room = announced("""
        1 say Soon -> control one; said Soon; done
        2 open -> open; ring 1; done
        3 say Now -> said Now; done
        4 pass -> passed; ring empty; done
        5 say Thanks -> said Thanks; done
        6 settle -> settled
        7 say Late -> closed
    """)
    room = selling("")
    for text in ("", "  ", "x" * (LONGEST_MESSAGE + 1), "\0"):
        assert say(room.act(Say(text), 1)[-1]) == "invalid"
    assert say(room.act(Say("x" * LONGEST_MESSAGE), 1)[-1]) == "done"


def test_the_reserve_is_lowered_never_raised() -> None:
    """The leader's limit meets it at once; an editor who saw the old terms is told so."""
    room = selling(
        """
        1 anna bids up to 250 -> winning at 100, asking 110
        1 warning -> fair_warning; done
        2 lower reserve 300 -> invalid
        2 lower reserve 301 -> invalid
        2 lower reserve 0 -> invalid
        3 lower reserve 280 -> reserve not_met, 100 asking 110; done
        look -> open seq 4, 100 by paddle 101 (left), asking 110, 1 bids of 1, reserve not_met, fair_warning
        4 lower reserve 200 -> reserve met, 200 asking 210; done
        look -> open seq 5, 200 by paddle 101 (left), asking 210, 1 bids of 1, reserve met
        5 undo to 2 because misheard -> invalid
        """,  # a script's lines are as long as what is said
        reserve=300,
    )
    assert room.shard.lots[LOT].terms.reserve == 200
    stale = UpdateLot(LOT, 0, room.terms, Catalogue("214", "Moon jar"))
    assert say(room.do(stale, 6)[-1]) == "moved"
    assert say(selling("").act(SIMPLE["pause"], 1)[-1]) == "done"
    selling("1 lower reserve 10 -> invalid")


def test_a_reserve_lowered_while_nobody_leads() -> None:
    """No limit leads, so none meets it."""
    selling(
        """
        1 anna bids up to 250 -> winning at 100, asking 110
        2 room bids 110 -> active at 120, asking 130; done
        3 undo to 2 because misheard -> undone to 2: floor_room, 100 asking 110; done
        4 lower reserve 200 -> reserve not_met, 100 asking 110; done
        """,
        reserve=300,
    )


# ── Bids by hand ─────────────────────────────────────────────────────────────────────────


def test_online_bids_wait_for_the_rostrum() -> None:
    """Exact ones; each bidder's one. A limit is a left bid, and stands at once."""
    selling("""
        1 auto off -> by hand; done
        2 anna bids 90 as low -> below_asking_bid, 100 would pass
        2 anna bids 150 as a -> waiting
        3 anna bids 160 as b -> already_bid
        4 bert bids 160 as c -> waiting
        look -> open seq 1, None by paddle None (online), asking 100, 0 bids of 0, reserve none
        5 take bert c -> winning at 160, asking 170; lapsed, below_asking_bid: anna; done
        6 carl bids up to 300 -> winning at 170, asking 180
        7 anna bids 180 as d -> waiting
        8 take anna d -> active at 190, asking 200; done
        9 carl bids 310 as e -> winning at 190, asking 200 (silent)
        9 auto on -> by net; done
        9 dora bids 200 -> active at 210, asking 220
    """)


def test_a_retry_of_a_bid_that_waited_gets_the_present_answer() -> None:
    """Waiting, taken, refused, lapsed; and never another content."""
    selling("""
        1 auto off -> by hand; done
        2 anna bids 150 as a -> waiting
        2 anna bids 150 as a -> again: active at None, asking 100
        2 anna bids 155 as a -> again: idempotency_mismatch, 100 would pass
        3 take anna a -> winning at 150, asking 160; done
        4 anna bids 150 as a -> again: winning at 150, asking 160
        5 bert bids 200 as b -> waiting
        6 refuse bert b -> reason_required
        6 refuse bert b because late -> refused, 160 would pass; done
        7 bert bids 200 as b -> again: refused, 160 would pass
        8 bert bids 170 as c -> waiting
        8 pass -> passed; lapsed, closed: bert; ring empty; done
        9 bert bids 170 as c -> again: closed
    """)


def test_what_does_not_wait_is_neither_taken_nor_refused() -> None:
    """Another's, one that has lapsed, one that was taken."""
    selling("""
        1 auto off -> by hand; done
        2 anna bids 150 as a -> waiting
        3 take anna b -> not_found
        3 take bert a -> not_found
        3 refuse bert a because late -> not_found
        4 room bids 150 -> winning at 150, asking 160; lapsed, below_asking_bid: anna; done
        5 take anna a -> not_found
    """)


def test_a_take_asks_everything_again() -> None:
    """Who was suspended, or has led elsewhere meanwhile, cannot be taken any more."""
    selling("""
        1 auto off -> by hand; done
        2 anna is approved up to 200 -> paddle 101 approved up to 200
        2 anna bids 150 as a -> waiting
        3 anna is approved up to 149 -> paddle 101 approved up to 149
        4 take anna a -> over_limit
        5 anna is suspended -> paddle 101 suspended
        6 take anna a -> suspended
        7 anna is approved -> paddle 101 approved
        8 pause -> paused; done
        8 take anna a -> paused
        8 unpause -> open; done
        9 take anna a -> winning at 150, asking 160; done
    """)


def test_a_waiting_bidder_has_a_paddle() -> None:
    """The desk shows it; it stays theirs."""
    room = selling("""
        1 auto off -> by hand; done
        2 anna bids 150 as a -> waiting
        3 room bids 100 for 101 -> winning at 100, asking 110; done
    """)
    assert room.shard.lots[LOT].leader == "anna"
    assert room.shard.sales[SALE].paddles == {101: "anna"}


def test_a_paddle_that_waits_stays_with_its_bidder() -> None:
    """It is on the desk: it is changed no more, and its lot counts once."""
    room = selling("""
        1 auto off -> by hand; done
        2 anna bids 150 as a -> waiting
        3 anna is approved with 200 -> exists
        4 take anna a -> winning at 150, asking 160; done
    """)
    assert room.shard.sales[SALE].registrations["anna"].lots == [LOT]


def test_nobody_is_taken_against_themselves() -> None:
    """Who leads by now, for less, with a limit or in the room, keeps their price."""
    selling("""
        1 auto off -> by hand; done
        2 anna bids 150 as a -> waiting
        3 anna bids up to 300 -> winning at 100, asking 110
        4 take anna a -> not_a_raise
        5 refuse anna a because yours -> refused, 301 would pass; done
        6 reinstate anna a -> not_a_raise
        look -> open seq 2, 100 by paddle 101 (left), asking 110, 1 bids of 1, reserve none
    """)


# ── The hammer ───────────────────────────────────────────────────────────────────────────


def test_sold() -> None:
    """To the leader, at the price; settled by command, never by the clock."""
    room = selling("""
        1 phone bids 200 for 55 -> winning at 200, asking 210; done
        2 hammer 55 200 -> sold to floor_55 for 200; ring empty; done
        3 hammer 55 200 -> closed
        4 clock -> nothing
        5 settle -> settled
    """)
    [closed] = [event for event in room.told if isinstance(event, LotClosed)]
    assert (closed.outcome, closed.by, closed.settle_at) == ("sold", "key_1", None)


def test_the_hammer_is_held_by_a_bid_that_came_after() -> None:
    """What the auctioneer has not seen is not sold over."""
    selling("""
        1 anna bids up to 150 -> winning at 100, asking 110
        2 room bids 110 for 7 -> active at 120, asking 130; done
        3 hammer 101 100 seen 2 -> held
        3 hammer 101 100 seen 3 -> moved
        3 hammer 7 120 seen 3 -> moved
        3 hammer nobody 120 -> moved
        4 warning -> fair_warning; done
        5 hammer 101 120 seen 3 -> sold to anna for 120; ring empty; done
    """)


def test_the_hammer_is_held_once_for_a_waiting_bid() -> None:
    """Striking again is a decision; the next that comes holds it again."""
    selling("""
        1 auto off -> by hand; done
        1 room bids 100 for 7 -> winning at 100, asking 110; done
        2 anna bids 110 as a -> waiting
        3 hammer 7 100 as h -> held
        3 hammer 7 100 as h -> held
        4 bert bids 110 as b -> waiting
        5 hammer 7 100 -> held
        6 hammer 7 100 -> sold to floor_7 for 100; lapsed, closed: anna, bert; ring empty; done
    """)


def test_a_retry_holds_the_hammer_for_nothing_more() -> None:
    """Whoever came since it was held has not been heard by it; nor by an engine that reads on."""
    selling("""
        1 auto off -> by hand; done
        1 room bids 100 for 7 -> winning at 100, asking 110; done
        2 anna bids 110 as a -> waiting
        3 hammer 7 100 as h -> held
        4 bert bids 110 as b -> waiting
        5 hammer 7 100 as h -> held
        6 hammer 7 100 -> held
        7 hammer 7 100 -> sold to floor_7 for 100; lapsed, closed: anna, bert; ring empty; done
    """)


def test_nobody_leads_and_nobody_buys() -> None:
    """Before the first bid, and after an undo."""
    selling("""
        1 hammer 7 100 -> moved
        1 subject -> moved
        2 room bids 100 for 7 -> winning at 100, asking 110; done
        3 room bids 110 for 8 -> winning at 110, asking 120; done
        4 undo to 2 because misheard -> undone to 2: floor_8, 100 asking 110; done
        5 hammer 7 100 -> moved
        6 subject -> moved
        7 pass -> passed; ring empty; done
    """)


def test_under_the_reserve_with_a_reason() -> None:
    """A second key, so to speak."""
    selling(
        """
        1 room bids 100 for 7 -> winning at 100, asking 110; done
        2 hammer 7 100 -> reason_required
        3 hammer 7 100 because agreed -> sold to floor_7 for 100; ring empty; done
        """,
        reserve=300,
    )


def test_a_buyer_who_shows_a_paddle_at_the_hammer() -> None:
    """Whoever bid unnamed is named now; it must be somebody who may buy."""
    room = selling("""
        1 dora is suspended with 7 -> paddle 7 suspended
        1 emil is approved up to 90 -> paddle 101 approved up to 90
        1 gina is approved -> paddle 102 approved
        2 room bids 100 -> winning at 100, asking 110; done
        3 hammer nobody 100 -> invalid
        3 hammer 0 100 -> invalid
        3 hammer 7 100 -> suspended
        3 hammer 101 100 -> over_limit
        4 hammer 102 100 -> sold to gina for 100; ring empty; done
        look -> closed seq 3, 100 by paddle 102 (room), asking None, 1 bids of 1, reserve none
        5 gina leaves -> leading
        6 reopen because dispute -> reopened, 100 asking 110; ring 1; done
        look -> open seq 4, 100 by paddle 102 (room), asking 110, 1 bids of 1, reserve none
        7 hammer 102 100 -> sold to gina for 100; ring empty; done
    """)
    assert room.shard.lots[LOT].winner == "gina"


def test_a_buyer_whom_the_sale_does_not_know() -> None:
    """Gets the paddle that was called; the house says who they are later."""
    selling("""
        1 phone bids 100 -> winning at 100, asking 110; done
        2 hammer 900 100 -> paddle 900 approved; sold to floor_900 for 100; ring empty; done
        look -> closed seq 3, 100 by paddle 900 (phone), asking None, 1 bids of 1, reserve none
    """)


def test_the_clock_closes_what_nobody_has_shown_a_paddle_for() -> None:
    """The rostrum must say who bought: the lot is sold, subject to that."""
    selling(
        """
        1 room bids 100 -> winning at 100, asking 110; done
        60 clock -> sold_subject; ring empty
        61 settle -> invalid_transition
        62 hammer 7 100 because shown -> paddle 7 approved; sold to floor_7 for 100; done
        63 settle -> settled
        """,
        closes_at=60,
    )
    selling(
        """
        1 room bids 100 -> winning at 100, asking 110; done
        60 clock -> passed; ring empty
        """,
        closes_at=60,
        reserve=200,
    )


def test_sold_subject() -> None:
    """Decided later: sold, with a reason, or passed. Until then the bidder is bound."""
    selling(
        """
        1 room bids 100 for 7 -> winning at 100, asking 110; done
        2 subject -> sold_subject; ring empty; done
        look -> closed seq 3, 100 by paddle 7 (room), asking None, 1 bids of 1, reserve not_met
        3 settle -> invalid_transition
        3 close -> invalid_transition
        4 floor_7 leaves -> leading
        5 hammer 7 100 -> reason_required
        5 hammer 8 100 because agreed -> moved
        6 hammer 7 100 because agreed -> sold to floor_7 for 100; done
        7 pass -> closed
        8 settle -> settled
        """,
        reserve=300,
    )
    selling("""
        1 room bids 100 for 7 -> winning at 100, asking 110; done
        2 subject -> sold_subject; ring empty; done
        3 pass -> passed; done
        4 floor_7 leaves -> paddle 7 left
        5 settle -> settled
    """)


def test_withdrawn() -> None:
    """From wherever it is, with a reason; nobody wins, and it stays readable."""
    room = announced("""
        1 withdraw -> reason_required
        2 withdraw because broken -> control one; withdrawn; done
        look -> closed seq 1, None by paddle None (online), asking None, 0 bids of 0, reserve none
        3 open -> closed
        4 withdraw because broken -> closed
    """)
    assert room.shard.lots[LOT].outcome == "withdrawn"
    selling("""
        1 room bids 100 for 7 -> winning at 100, asking 110; done
        2 pause -> paused; done
        3 withdraw because broken -> withdrawn; ring empty; done
        4 settle -> settled
    """)


# ── Going back ───────────────────────────────────────────────────────────────────────────


def test_an_undo_names_nobody_the_leader() -> None:
    """What was bid before is not revived; whoever bids now leads, at the price itself, too."""
    selling("""
        1 room bids 100 for 7 as a -> winning at 100, asking 110; done
        2 phone bids 110 for 8 -> winning at 110, asking 120; done
        3 anna bids 120 -> winning at 120, asking 130
        4 undo to 3 because misheard -> undone to 3: anna, 110 asking 120; done
        look -> open seq 5, 110 by paddle None (online), asking 120, 2 bids of 2, reserve none
        5 room bids 109 -> below_asking_bid, 110 would pass
        6 room bids 110 for 9 -> winning at 110, asking 120; done
        look -> open seq 6, 110 by paddle 9 (room), asking 120, 3 bids of 3, reserve none
        7 undo to 1 because misheard -> undone to 1: floor_7, floor_8, floor_9, None asking 100; done
        look -> open seq 7, None by paddle None (online), asking 100, 0 bids of 0, reserve none
        8 undo to 1 because misheard -> invalid
        9 undo to 0 because misheard -> invalid
        9 undo to 8 because misheard -> invalid
    """)


def test_an_undo_goes_past_the_replies_of_left_bids() -> None:
    """Limits made before it stand, and reply to the next bid; none leads by itself."""
    selling("""
        1 anna bids up to 200 -> winning at 100, asking 110
        2 bert bids up to 150 -> active at 160, asking 170
        3 room bids 180 for 7 -> active at 190, asking 200; done
        4 room bids 250 for 7 -> winning at 250, asking 260; done
        5 anna bids up to 400 -> winning at 260, asking 270
        6 undo to 3 because misheard -> undone to 3: floor_7, floor_7, anna, 160 asking 170; done
        look -> open seq 7, 160 by paddle None (online), asking 170, 2 bids of 2, reserve none
        7 room bids 170 for 7 -> outbid at 180, asking 190; done
        8 undo to 1 because misheard -> undone to 1: anna, bert, floor_7, None asking 100; done
        9 room bids 100 for 7 -> winning at 100, asking 110; done
    """)


def test_left_bids_from_before_the_opening_stand_through_any_undo() -> None:
    """They were in before everything, and are called when the rostrum says so."""
    announced("""
        1 anna bids up to 300 -> left, asking 100
        1 bert bids up to 200 -> left, asking 100
        2 open -> control one; open; anna called at 210, asking 220; ring 1; done
        3 room bids 350 -> winning at 350, asking 360; done
        4 undo to 0 because misheard -> undone to 0: anna, floor_room, None asking 100; done
        look -> open seq 4, None by paddle None (online), asking 100, 0 bids of 0, reserve none
        5 left bids 301 -> invalid
        6 left bids 100 -> anna called at 210, asking 220; done
        7 left bids 220 -> invalid
    """)


def test_one_undo_after_the_other() -> None:
    """To any depth, also past an earlier one."""
    selling("""
        1 room bids 100 for 7 -> winning at 100, asking 110; done
        2 room bids 110 for 8 -> winning at 110, asking 120; done
        3 undo to 2 because a -> undone to 2: floor_8, 100 asking 110; done
        4 room bids 130 for 9 -> winning at 130, asking 140; done
        5 undo to 4 because b -> undone to 4: floor_9, 100 asking 110; done
        6 undo to 3 because c -> invalid
        7 undo to 1 because d -> undone to 1: floor_7, None asking 100; done
    """)


def test_an_undo_of_a_paused_lot() -> None:
    """The auctioneer stops first, and sorts it out then."""
    selling("""
        1 room bids 100 for 7 -> winning at 100, asking 110; done
        2 pause -> paused; done
        3 undo to 1 because misheard -> undone to 1: floor_7, None asking 100; done
        look -> paused seq 4, None by paddle None (online), asking 100, 0 bids of 0, reserve none
        4 unpause -> open; done
        5 anna bids 100 -> winning at 100, asking 110
    """)


def test_an_undo_asks_as_it_was_asked_then() -> None:
    """Also what the rostrum had asked for itself; the step stays."""
    selling("""
        1 room bids 100 -> winning at 100, asking 110; done
        2 ask 150 -> asking 150; done
        3 step 40 -> asking 140; done
        4 room bids 150 -> winning at 150, asking 190; done
        5 undo to 3 because misheard -> undone to 3: floor_room, 100 asking 150; done
        6 anna bids 150 -> winning at 150, asking 190
    """)


def test_reinstated() -> None:
    """By name, at the amount that was bid with it; nobody else is revived."""
    selling("""
        1 room bids 100 for 7 as a -> winning at 100, asking 110; done
        2 room bids 110 for 8 as b -> winning at 110, asking 120; done
        3 room bids 120 for 9 as c -> winning at 120, asking 130; done
        4 undo to 2 because misheard -> undone to 2: floor_8, floor_9, 100 asking 110; done
        5 reinstate floor_8 x -> not_found
        6 reinstate floor_8 b -> floor_8 reinstated at 110, asking 120; done
        look -> open seq 6, 110 by paddle 8 (room), asking 120, 2 bids of 2, reserve none
        7 reinstate floor_8 b -> below_asking_bid, 111 would pass
        7 reinstate floor_7 a -> below_asking_bid, 111 would pass
        8 reinstate floor_9 c -> floor_9 reinstated at 120, asking 130; done
        9 hammer 9 120 -> sold to floor_9 for 120; ring empty; done
    """)


def test_the_one_who_led_is_reinstated() -> None:
    """Their bid is not void, yet nobody leads before the rostrum says so."""
    selling("""
        1 anna bids 100 as a -> winning at 100, asking 110
        2 room bids 110 -> winning at 110, asking 120; done
        3 undo to 2 because misheard -> undone to 2: floor_room, 100 asking 110; done
        4 reinstate anna a -> anna reinstated at 100, asking 110; done
        look -> open seq 5, 100 by paddle 101 (online), asking 110, 2 bids of 1, reserve none
        5 anna is suspended -> paddle 101 suspended
        6 undo to 1 because misheard -> undone to 1: anna, None asking 100; done
        7 reinstate anna a -> suspended
    """)


def test_a_left_bid_is_reinstated_with_its_limit() -> None:
    """It leads at what it had been carried out at, and replies from there."""
    selling("""
        1 room bids 100 -> winning at 100, asking 110; done
        2 anna bids up to 300 as a -> winning at 110, asking 120
        3 undo to 2 because misheard -> undone to 2: anna, 100 asking 110; done
        4 reinstate anna a -> anna reinstated at 110, asking 120; done
        5 room bids 200 -> outbid at 210, asking 220; done
    """)


def test_a_left_bid_replies_to_one_that_was_reinstated() -> None:
    """The rostrum carries out what it has been left."""
    selling("""
        1 anna bids up to 300 -> winning at 100, asking 110
        2 room bids 150 for 7 as b -> active at 160, asking 170; done
        3 undo to 2 because misheard -> undone to 2: floor_7, 100 asking 110; done
        4 reinstate floor_7 b -> floor_7 reinstated at 150, asking 160; anna called at 160, asking 170 (proxy); done
    """)  # a script's lines are as long as what is said


def test_a_reinstated_limit_bids_against_those_that_stand() -> None:
    """At once, as it would have: whoever has left more than its price is not passed over."""
    selling("""
        1 anna bids up to 130 -> winning at 100, asking 110
        2 bert bids up to 300 as b -> winning at 140, asking 150
        3 undo to 1 because misheard -> undone to 1: anna, bert, None asking 100; done
        4 anna bids up to 230 as a -> winning at 100, asking 110
        5 reinstate bert b -> bert reinstated at 240, asking 250; done
        look -> open seq 6, 240 by paddle 102 (left), asking 250, 2 bids of 2, reserve none
    """)


def test_of_equal_limits_the_earlier_replies_to_a_reinstated_one() -> None:
    """A tie is decided as between any two; and nobody pays more for having been reinstated."""
    announced("""
        0 anna bids up to 230 as a -> left, asking 100
        0 bert bids up to 230 as b -> left, asking 100
        0 carl bids up to 210 as c -> left, asking 100
        1 open -> control one; open; anna called at 230, asking 240; ring 1; done
        2 undo to 1 because misheard -> undone to 1: anna, None asking 100; done
        3 reinstate bert b -> bert reinstated at 100, asking 110; anna called at 230, asking 240 (proxy); done
    """)  # a script's lines are as long as what is said


def test_a_refused_bid_is_reinstated() -> None:
    """The auctioneer thinks better of it: it stands as if it had been taken."""
    selling("""
        1 auto off -> by hand; done
        2 anna bids 150 as a -> waiting
        3 refuse anna a because late -> refused, 100 would pass; done
        4 reinstate anna a -> anna reinstated at 150, asking 160; done
        5 anna bids 150 as a -> again: winning at 150, asking 160
        6 reinstate anna a -> below_asking_bid, 151 would pass
    """)


def test_reopened_after_the_next_lot_has_begun() -> None:
    """With its price and its leader; whatever is in the ring is sent back, its bids kept."""
    room = selling("""
        1 room bids 100 for 7 -> winning at 100, asking 110; done
        2 reopen because early -> invalid
        3 hammer 7 100 -> sold to floor_7 for 100; ring empty; done
        4 open lot 2 -> open; ring 2; done
        5 reopen -> reason_required
        6 reopen because missed -> paused; ring empty; reopened, 100 asking 110; ring 1; done
        look -> open seq 4, 100 by paddle 7 (room), asking 110, 1 bids of 1, reserve none
        7 room bids 110 for 8 -> winning at 110, asking 120; done
        8 hammer 8 110 -> sold to floor_8 for 110; ring empty; done
        9 open lot 2 -> open; ring 2; done
        9 pause lot 2 -> paused; done
        9 reopen because missed -> ring empty; reopened, 110 asking 120; ring 1; done
    """)
    lot = room.shard.lots[LOT]
    assert (lot.outcome, lot.winner, lot.hammer_price) == (None, None, None)
    assert lot.bidders["floor_8"].won == 0


def test_what_is_settled_is_not_reopened() -> None:
    """Nor what never began, nor what was canceled."""
    announced("1 reopen because missed -> not_open_yet")
    announced("1 cancel -> canceled\n2 reopen because missed -> canceled")
    selling("""
        1 pass -> passed; ring empty; done
        2 settle -> settled
        3 reopen because missed -> closed
    """)


def test_a_lot_withdrawn_by_mistake() -> None:
    """Reopened it begins as at its opening, left bids and all."""
    announced("""
        1 anna bids up to 300 -> left, asking 100
        2 withdraw because broken -> control one; withdrawn; done
        3 reopen because mended -> reopened, None asking 100; anna called at 100, asking 110; ring 1; done
        4 undo to 1 because misheard -> undone to 1: anna, None asking 100; done
    """)  # a script's lines are as long as what is said


# ── Who did what, and how much at once ───────────────────────────────────────────────────


def test_the_answer_says_who_did_what_and_why() -> None:
    """The last event of an act, for the archive and for its console."""
    room = selling("1 room bids 100 for 7 as a -> winning at 100, asking 110; done")
    *_, decided = room.act(Hammer(7, 90), 5, seen=2, reason="agreed")
    assert decided == ActDecided(
        5, LOT, Hammer(7, 90), "act 2", "key_1", "one", 2, "agreed", 2, 100, 110, None, "moved"
    )
    *_, decided = room.act(FloorBid("phone", 120, 8), 6)
    assert isinstance(decided, ActDecided)
    assert (decided.seq, decided.price, decided.asking_bid) == (3, 120, 130)
    assert decided.bid == ("floor_8", decided.cmd_id)


def test_no_act_makes_more_events_than_a_command_may() -> None:
    """Else a full entry of commands might not fit one commit; this one makes them all."""
    room = announced("", opens_at=5, closes_at=100, extension_window_ms=10)
    room.do(replace_second(room), 1)
    room.act(Open(), 2, lot=SECOND)
    room.hear(["auto", "off", "lot", "2"], 3, 3)
    room.do(PlaceBid(SECOND, "anna", "a", 150, "bid"), 4)
    room.do(PlaceBid(LOT, "bert", "b", 150, "max"), 4)
    room.do(ResumeTrading(), 200)
    room.hear(["console", "one", "leaves"], 200, 5)
    events = room.hear(["reopen", "because", "missed"], 300, 6)

    assert events == (
        "open until 100; bert called at 100, asking 110; extended to 210; sold to bert for 100; "
        "extended to 210; passed; lapsed, closed: anna; ring empty; "
        "control one; reopened, 100 asking 110; ring 1; done"
    )
    assert len(events.split("; ")) == EVENTS_PER_COMMAND


def replace_second(room: Auctioneer) -> UpdateLot:
    """The second lot, opened by hand as the first is by the clock."""
    terms = replace(room.terms, opens_at=None)
    return UpdateLot(SECOND, 0, terms, Catalogue("215", "Ewer"))


def test_a_bid_at_the_rostrum_keeps_a_lot_open() -> None:
    """Where it has an end, the soft close is for everybody."""
    selling(
        """
        55 room bids 100 for 7 -> winning at 100, asking 110; extended to 65; done
        56 ask 200 -> asking 200; done
        """,
        closes_at=60,
        extension_window_ms=10,
        extension_ms=10,
    )


def test_a_left_bid_before_the_opening_extends_nothing() -> None:
    """There is nothing to be kept open."""
    announced("55 anna bids up to 200 -> left, asking 100", closes_at=60, extension_window_ms=10)


def test_left_bids_hold_a_lot_to_its_format() -> None:
    """They were made for a live lot; it can still be edited otherwise, and become live."""
    room = announced("1 anna bids up to 200 -> left, asking 100")
    assert room.update(2, format="english") == "not_editable"
    assert room.update(2, winner_count=2) == "not_editable"
    assert room.update(2, opening=300) == "updated, None, asking 300, none"
    room.play("3 open -> control one; open; ring 1; done")
    room = announced("", format="english")
    room.update(1, format="live")
    room.play("3 open -> control one; open; ring 1; done")


def test_who_left_a_bid_is_bound_by_it() -> None:
    """Before the opening, and while it stands after an undo."""
    announced("""
        1 anna bids up to 200 -> left, asking 100
        2 anna leaves -> leading
        3 open -> control one; open; anna called at 100, asking 110; ring 1; done
        4 undo to 1 because misheard -> undone to 1: anna, None asking 100; done
        5 anna leaves -> leading
        6 room bids 250 -> winning at 250, asking 260; done
        7 anna leaves -> paddle 101 left
    """)
