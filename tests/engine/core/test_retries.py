"""A bid asked about twice: the first answer again, and never a second effect.

A phone that lost its connection sends its bid again under the same id.  Opening bid 100,
increment 10; the lot is open.
"""

from __future__ import annotations

from engine.core.lot import REFUSALS_KEPT
from engine.core.messages import AnswerRepeated, BidAccepted, BidRefused, OpenLot, PlaceBid
from tests.engine.core.saleroom import LOT, Saleroom, bidding, kinds, life, say


def test_an_accepted_bid_is_answered_again_whatever_has_happened_since() -> None:
    """Outbid, paused, closed, settled: the first answer stands word for word."""
    life(
        """
        0  open                   -> open until 60
        10 anna bids 100 as x     -> winning at 100, asking 110
        11 anna bids 100 as x     -> again: winning at 100, asking 110
        20 bert bids 110          -> winning at 110, asking 120
        21 anna bids 100 as x     -> again: winning at 100, asking 110
        30 pause                  -> paused
        31 anna bids 100 as x     -> again: winning at 100, asking 110
        40 unpause                -> open until 70
        70 anna bids 100 as x     -> sold to bert for 110; settled; again: winning at 100, asking 110
        80 anna bids 100 as x     -> again: winning at 100, asking 110
    """,
        closes_at=60,
    )


def test_a_suspended_bidder_still_gets_their_first_answer() -> None:
    """The id is looked up before anything else is asked."""
    bidding("""
        10 anna bids 100 as x     -> winning at 100, asking 110
        20 anna is suspended      -> paddle 101 suspended
        30 anna bids 100 as x     -> again: winning at 100, asking 110
    """)


def test_a_refused_bid_is_answered_again_even_if_it_would_pass_now() -> None:
    """It was decided; a bidder who wants to bid now sends a new id."""
    bidding(
        """
        10 anna bids 200 as x     -> not_registered
        20 anna is approved       -> paddle 101 approved
        30 anna bids 200 as x     -> again: not_registered
        40 anna bids 200 as y     -> winning at 200, asking 210
        50 anna bids 200 as x     -> again: not_registered
    """,
        registration="approval",
    )
    life("""
        10 anna bids 100 as x     -> not_open_yet
        20 open                   -> open
        30 anna bids 100 as x     -> again: not_open_yet
        40 anna bids 100 as y     -> winning at 100, asking 110
    """)


def test_other_content_under_the_same_id_is_objected_to() -> None:
    """The amount and the kind are the content; what the bidder had seen is not."""
    bidding("""
        10 anna bids 100 as x     -> winning at 100, asking 110
        20 anna bids 110 as x     -> again: idempotency_mismatch, 101 would pass
        21 anna bids up to 100 as x -> again: idempotency_mismatch, 101 would pass
        22 anna bids 100 as x seen 7 -> again: winning at 100, asking 110
        30 bert bids 90 as x      -> below_asking_bid, 110 would pass
        31 bert bids 110 as x     -> again: idempotency_mismatch, 110 would pass
        32 bert bids 90 as x      -> again: below_asking_bid, 110 would pass
        33 bert bids 110 as y     -> winning at 110, asking 120
        34 anna bids 120 as x     -> again: idempotency_mismatch, 120 would pass
    """)


def test_an_id_is_its_bidders_own() -> None:
    """Two bidders may have chosen the same one."""
    bidding("""
        10 anna bids 100 as x     -> winning at 100, asking 110
        20 bert bids 110 as x     -> winning at 110, asking 120
    """)


def test_the_very_first_answer_is_repeated_field_by_field() -> None:
    """Instant and seq included: nobody can tell the copy from the original."""
    room = bidding("10 anna bids 100 as x -> winning at 100, asking 110")
    bid = PlaceBid(LOT, "bert", "y", 105, "bid")
    first = room.do(bid, 20)[-1]
    room.hear(["carl", "bids", "400"], 30, 1)
    second = room.do(bid, 40)[-1]

    assert isinstance(first, BidRefused)
    assert isinstance(second, AnswerRepeated)
    assert first.answer == second.answer
    assert (second.answer.at, second.answer.seq) == (20, 2)


def refused(room: Saleroom, who: str, count: int, first: int = 0) -> None:
    """*who* is refused *count* times, under new ids."""
    for number in range(first, first + count):
        events = room.do(PlaceBid(LOT, who, f"low {number}", 1, "bid"), 10 + number)
        assert kinds(events) == [BidRefused]


def test_a_refusal_is_remembered_through_the_next_thirty_one() -> None:
    """Thirty-two refusals are kept a bidder, and this one is the oldest of them."""
    room = bidding("""
        1 anna bids 100           -> winning at 100, asking 110
        2 bert bids 110           -> winning at 110, asking 120
    """)
    refused(room, "anna", 32)

    assert say(room.do(PlaceBid(LOT, "anna", "low 0", 1, "bid"), 50)[0]) == (
        "again: below_asking_bid, 120 would pass"
    )
    assert REFUSALS_KEPT == 32


def test_a_forgotten_refusal_is_decided_anew() -> None:
    """It had no effect, so it may have one now; and then it is kept for good."""
    room = bidding("1 anna bids 100 -> winning at 100, asking 110")
    early = PlaceBid(LOT, "bert", "early", 105, "bid")
    assert kinds(room.do(early, 2)) == [BidRefused]
    refused(room, "bert", 32)

    anew = room.do(early, 50)
    assert kinds(anew) == [BidRefused]
    assert isinstance(anew[0], BidRefused)
    assert anew[0].answer.at == 50


def test_a_forgotten_refusal_may_be_accepted_the_second_time() -> None:
    """The lot has opened since; the same id now holds an accepted bid, once."""
    room = Saleroom()
    early = PlaceBid(LOT, "bert", "early", 100, "bid")
    assert kinds(room.do(early, 1)) == [BidRefused]
    refused(room, "bert", 32)
    room.do(OpenLot(LOT), 50)

    assert kinds(room.do(early, 51)) == [BidAccepted]
    refused(room, "bert", 40, first=100)
    assert say(room.do(early, 200)[0]) == "again: winning at 100, asking 110"


def test_refusals_of_others_push_nothing_out() -> None:
    """The memory is each bidder's own."""
    room = bidding("1 anna bids 100 -> winning at 100, asking 110")
    refused(room, "bert", 1)
    refused(room, "carl", 40, first=100)

    assert kinds(room.do(PlaceBid(LOT, "bert", "low 0", 1, "bid"), 300)) == [AnswerRepeated]


def test_repeating_a_refusal_does_not_renew_it() -> None:
    """Only a refusal that was decided takes a place; an answer given again does not."""
    room = bidding("1 anna bids 100 -> winning at 100, asking 110")
    early = PlaceBid(LOT, "bert", "early", 105, "bid")
    room.do(early, 2)
    refused(room, "bert", 31)
    for instant in range(50, 90):
        assert kinds(room.do(early, instant)) == [AnswerRepeated]
    refused(room, "bert", 1, first=100)

    assert kinds(room.do(early, 200)) == [BidRefused]


def test_the_seq_of_an_answer_is_the_first_event_that_the_bid_caused() -> None:
    """Or of the last before it, where it caused none: a refusal or a silent raise."""
    room = life(
        """
        0  open                   -> open until 60
        55 anna bids up to 200    -> winning at 100, asking 110; extended to 65
    """,
        closes_at=60,
        extension_window_ms=10,
        extension_ms=10,
    )

    def seq(who: str, amount: int) -> int:
        answer = room.do(PlaceBid(LOT, who, f"{who} {amount}", amount, "max"), 56)[0]
        assert isinstance(answer, BidAccepted | BidRefused)
        return answer.answer.seq

    assert seq("bert", 105) == 3  # opened, price, extended: refused
    assert seq("bert", 110) == 4  # the price that it made, though 5 extends once more
    assert seq("anna", 300) == 5  # silent
    assert seq("bert", 140) == 6


def test_an_answer_counts_its_bidders_own_accepted_bids() -> None:
    """Silent raises too, refusals not; the public count is another."""
    room = bidding("1 bert bids 50 -> below_asking_bid, 100 would pass")
    bids = [("anna", 200), ("anna", 300), ("anna", 250), ("bert", 110), ("anna", 400)]
    told = [
        event.answer.bid_count
        for number, (who, limit) in enumerate(bids)
        for event in room.do(PlaceBid(LOT, who, f"x{number}", limit, "max"), 2)
        if isinstance(event, BidAccepted | BidRefused)
    ]

    assert told == [1, 2, 2, 1, 3]
