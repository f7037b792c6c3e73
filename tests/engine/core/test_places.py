"""Several places and one bid each: scripts of lots that more than one bidder can win.

Opening bid 100, increment 10, three places where nothing else is said.
"""

from __future__ import annotations

from engine.core.messages import BidAccepted, BidCanceled, Event, LotClosed
from tests.engine.core.saleroom import Saleroom, bidding, life, play

# ── Several places ───────────────────────────────────────────────────────────────────────


def test_places_are_free_until_all_are_taken() -> None:
    """A free place costs the opening bid; then the lowest winning bid is to be beaten."""
    bidding(
        """
        1 anna bids 150           -> winning at 150, asking 100
        2 bert bids 90            -> below_asking_bid, 100 would pass
        2 bert bids 100           -> winning at 150, asking 100
        3 carl bids 120           -> winning at 150, asking 110
        4 dora bids 109           -> below_asking_bid, 110 would pass
        5 dora bids 110           -> winning at 150, asking 120
        6 bert bids 119           -> below_asking_bid, 120 would pass
        7 close                   -> sold to anna for 150, carl for 120, dora for 110; settled
    """,
        winner_count=3,
    )


def test_an_earlier_bid_of_the_same_amount_keeps_its_place() -> None:
    """Equal bids stand in the order of the log, and the last of them is beaten first."""
    bidding(
        """
        1 anna bids 100           -> winning at 100, asking 100
        2 bert bids 100           -> winning at 100, asking 110
        3 carl bids 110           -> winning at 110, asking 110
        4 bert bids 100           -> below_asking_bid, 110 would pass
        5 bert bids 110           -> winning at 110, asking 120
        6 anna bids 110           -> below_asking_bid, 120 would pass
        7 close                   -> sold to carl for 110, bert for 110; settled
    """,
        winner_count=2,
    )


def test_who_holds_a_place_may_only_raise_and_takes_a_new_place_in_time() -> None:
    """One more is a raise; renewed to an equal amount, the bid stands behind the other."""
    bidding(
        """
        1 anna bids 100           -> winning at 100, asking 100
        2 bert bids 120           -> winning at 120, asking 110
        3 anna bids 100           -> not_a_raise, 101 would pass
        4 anna bids 101           -> winning at 120, asking 111
        5 anna bids 120           -> winning at 120, asking 130
        6 carl bids 130           -> winning at 130, asking 130
        7 close                   -> sold to carl for 130, bert for 120; settled
    """,
        winner_count=2,
    )


def test_whoever_lost_a_place_is_named_and_what_they_bid_stands_no_more() -> None:
    """The beaten are told; a raise inside the places beats nobody."""
    room = bidding("", winner_count=2)
    beaten = [
        _accepted(room, f"{at} {who} bids {amount}").beaten
        for at, (who, amount) in enumerate(
            [("anna", 100), ("bert", 110), ("anna", 130), ("carl", 120), ("bert", 150)]
        )
    ]

    assert beaten == [None, None, None, "bert", "carl"]
    play(
        room,
        """
        9 carl bids 139           -> below_asking_bid, 140 would pass
        9 carl bids 140           -> winning at 150, asking 150
        look                      -> open seq 7, 150 by paddle 102, 6 bids of 3, reserve none, 0 extensions
    """,
    )


def test_a_ladder_holds_for_places_too() -> None:
    """A holder's raise, a newcomer's bid, and the numbers that would pass."""
    bidding(
        """
        1 anna bids 105           -> off_ladder, 100 would pass
        2 anna bids 110           -> winning at 110, asking 100
        3 anna bids 111           -> off_ladder, 120 would pass
        4 bert bids 100           -> winning at 110, asking 110
        5 carl bids 115           -> off_ladder, 110 would pass
    """,
        winner_count=2,
        ladder_only=True,
    )


def test_places_below_the_reserve_are_not_sold() -> None:
    """The highest standing bid says whether the reserve is met; each place is its own sale."""
    bidding(
        """
        1 anna bids 100           -> winning at 100, asking 100
        look                      -> open seq 2, 100 by paddle 101, 1 bids of 1, reserve not_met, 0 extensions
        2 bert bids 150           -> winning at 150, asking 110
        look                      -> open seq 3, 150 by paddle 102, 2 bids of 2, reserve met, 0 extensions
        3 close                   -> sold to bert for 150; settled
    """,
        winner_count=2,
        reserve=150,
    )
    bidding("1 anna bids 140 -> winning at 140, asking 100\n2 close -> passed; settled",
            winner_count=2, reserve=150)  # fmt: skip


def test_a_place_taken_late_extends_and_a_raise_does_not() -> None:
    """The beaten need time to reply; nobody needs any when a holder strengthens their place."""
    life(
        """
        0  clock                  -> open until 60
        10 anna bids 100          -> winning at 100, asking 100
        55 bert bids 100          -> winning at 100, asking 110; extended to 65
        60 anna bids 130          -> winning at 130, asking 110
        64 carl bids 110          -> winning at 130, asking 120; extended to 74
    """,
        opens_at=0,
        closes_at=60,
        extension_window_ms=10,
        extension_ms=10,
        winner_count=2,
    )


def test_limits_and_printed_prices_do_not_go_with_places() -> None:
    """Nobody bids for anybody: a limit makes no sense here, and nothing is printed."""
    bidding(
        """
        1 anna bids up to 150     -> invalid
        2 anna buys now for 150   -> buy_now_unavailable, 100 would pass
        look                      -> open seq 1, None by paddle None, 0 bids of 0, reserve none, 0 extensions
    """,
        winner_count=2,
    )


# ── One bid each ─────────────────────────────────────────────────────────────────────────


def test_one_bid_each_that_need_not_beat_anyone() -> None:
    """At least the opening bid, off any ladder; a second bid is refused whatever it is."""
    bidding(
        """
        1 anna bids 99            -> below_asking_bid, 100 would pass
        2 anna bids 133           -> winning at 133, asking 100
        3 bert bids 100           -> winning at 133, asking 100
        4 carl bids 105           -> winning at 133, asking 100
        5 bert bids 200           -> already_bid
        6 dora bids up to 200     -> invalid
        look                      -> open seq 4, 133 by paddle 101, 3 bids of 3, reserve none, 0 extensions
        7 close                   -> sold to anna for 133, carl for 105; settled
    """,
        format="one_bid",
        winner_count=2,
        ladder_only=True,
    )


def test_of_equal_bids_the_earlier_wins() -> None:
    """The later one is told that it was passed by an equal bid."""
    bidding(
        """
        1 anna bids 120           -> winning at 120, asking 100
        2 bert bids 120           -> active at 120, asking 100 (tie)
        3 carl bids 119           -> active at 120, asking 100
        4 dora bids 121           -> winning at 121, asking 100
        5 anna bids 500           -> already_bid
        6 close                   -> sold to dora for 121; settled
    """,
        format="one_bid",
    )


def test_a_bid_taken_back_moves_the_next_one_up() -> None:
    """The price falls with it, and its bidder may bid again; to nobody, where none is left."""
    room = bidding(
        """
        1 anna bids 150 as a      -> winning at 150, asking 100
        2 bert bids 120 as b      -> winning at 150, asking 100
        3 carl bids 110 as c      -> active at 150, asking 100
        4 anna takes back a       -> taken back, carl moves up
        look                      -> open seq 5, 120 by paddle 102, 2 bids of 2, reserve not_met, 0 extensions
        5 anna takes back a       -> not_cancelable
        6 anna takes back b       -> not_found
        7 anna bids 105 as a2     -> active at 120, asking 100
        8 pause                   -> paused
        9 carl takes back c       -> taken back, anna moves up
        9 bert takes back b       -> taken back
        look                      -> paused seq 9, 105 by paddle 101, 1 bids of 1, reserve not_met, 0 extensions
        10 unpause                -> open
        11 anna takes back ghost  -> not_found
        12 dora takes back a      -> not_found
        13 anna bids 150 as a     -> again: winning at 150, asking 100
    """,
        format="one_bid",
        winner_count=2,
        reserve=130,
    )
    play(
        room,
        """
        14 close                  -> passed; settled
        15 anna takes back a2     -> not_cancelable
    """,
    )


def test_the_last_bid_taken_back_leaves_no_price() -> None:
    """As if nobody had bid."""
    bidding(
        """
        1 anna bids 150 as a      -> winning at 150, asking 100
        2 anna takes back a       -> taken back
        look                      -> open seq 3, None by paddle None, 0 bids of 0, reserve none, 0 extensions
        3 close                   -> passed; settled
    """,
        format="one_bid",
    )


def test_a_bid_that_was_refused_cannot_be_taken_back() -> None:
    """It never stood; and where limits are bid nothing can be taken back at all."""
    bidding(
        """
        1 anna bids 50 as a       -> below_asking_bid, 100 would pass
        2 anna takes back a       -> not_found
    """,
        format="one_bid",
    )
    bidding("""
        1 anna bids 100 as a      -> winning at 100, asking 110
        2 anna takes back a       -> not_cancelable
    """)


def test_status_follows_the_places() -> None:
    """Held once and passed: outbid; never held: active; moved up: winning."""
    room = bidding(
        """
        1 anna bids 110 as a      -> winning at 110, asking 100
        2 bert bids 120 as b      -> winning at 120, asking 100
        3 carl bids 105 as c      -> active at 120, asking 100
    """,
        format="one_bid",
    )
    assert _told(room, "4 anna bids 130") == "OUTBID"
    assert _told(room, "5 carl bids 130") == "ACTIVE"
    play(room, "6 bert takes back b -> taken back, anna moves up")
    assert _told(room, "7 anna bids 130") == "WINNING"
    assert _told(room, "8 bert bids 90") == "NOT_BID"


def test_one_bid_each_extends_where_it_wins_a_place() -> None:
    """The beaten may be advised by it; a bid behind the places changes nothing for anybody."""
    life(
        """
        0  clock                  -> open until 60
        10 anna bids 120          -> winning at 120, asking 100
        55 bert bids 110          -> active at 120, asking 100
        56 carl bids 130          -> winning at 130, asking 100; extended to 66
    """,
        opens_at=0,
        closes_at=60,
        extension_window_ms=10,
        extension_ms=10,
        format="one_bid",
    )


def test_every_winner_is_in_the_record_of_the_close() -> None:
    """With paddle, what they pay, and the bid that bought it."""
    room = bidding(
        """
        1 anna bids 110 as a      -> winning at 110, asking 100
        2 bert bids 120 as b      -> winning at 120, asking 100
        3 carl bids 130 as c      -> winning at 130, asking 100
    """,
        format="one_bid",
        winner_count=2,
    )
    closed = room.do(room.read(["close"], ""), 9)[0]

    assert isinstance(closed, LotClosed)
    assert closed.winner == "carl"
    assert [tuple(getattr(win, f) for f in win.__struct_fields__) for win in closed.winners] == [
        ("carl", 103, 130, 130, "c"),
        ("bert", 102, 120, 120, "b"),
    ]


def test_a_bid_taken_back_is_told_with_its_bidder() -> None:
    """The event names whose bid it was and who has moved up."""
    room = bidding("1 anna bids 110 as a -> winning at 110, asking 100", format="one_bid")
    event = room.do(room.read(["anna", "takes", "back", "a"], ""), 2)[0]

    assert isinstance(event, BidCanceled)
    assert (event.consumer_id, event.bid_cmd_id, event.promoted) == ("anna", "a", None)


def _accepted(room: Saleroom, line: str) -> BidAccepted:
    event = _last(room, line)
    assert isinstance(event, BidAccepted), event
    return event


def _told(room: Saleroom, line: str) -> str:
    event = _last(room, line)
    answer = getattr(event, "answer")  # noqa: B009  # every answer to a bid has one
    return str(answer.status)


def _last(room: Saleroom, line: str) -> Event:
    instant, *words = line.split()
    return room.do(room.read(words, line.replace(" ", "_")), int(instant))[-1]
