"""Who may bid, and for how much: limits, guests, consignors, coming and leaving.

Opening bid 100, increment 10; the lot is open.
"""

from __future__ import annotations

import pytest

from engine.core.messages import (
    AddLot,
    BidderRegistered,
    BidRefused,
    Catalogue,
    CloseLot,
    CommandRefused,
    CreateSale,
    EnterSale,
    Event,
    LeaveSale,
    OpenLot,
    PlaceBid,
    RegisterBidder,
    SaleTerms,
    Terms,
    UpdateSale,
)
from engine.core.sale import Shard, execute
from tests.engine.core.saleroom import LOT, SALE, TENS, Saleroom, bidding, life, play

# ── Limits ───────────────────────────────────────────────────────────────────────────────


def test_a_bid_over_the_limit_is_refused_last() -> None:
    """A lower amount that could pass is named; a bid that is wrong otherwise is told that."""
    bidding("""
        1 anna is approved up to 150 -> paddle 101 approved up to 150
        2 anna bids 90               -> below_asking_bid, 100 would pass
        3 anna bids up to 151        -> over_limit, 100 would pass
        4 anna bids up to 150        -> winning at 100, asking 110
        5 anna bids up to 151        -> over_limit
        6 anna bids up to 150        -> not_a_raise
        7 bert bids up to 300        -> winning at 160, asking 170
        8 anna bids up to 170        -> over_limit
        9 anna bids 160              -> below_asking_bid
        9 anna is approved           -> paddle 101 approved
        9 anna bids 170              -> outbid at 180, asking 190
    """)


def test_a_limit_of_nothing_refuses_every_bid() -> None:
    """It is a limit, not the absence of one."""
    bidding("""
        1 anna is approved up to 0   -> paddle 101 approved up to 0
        2 anna bids 100              -> over_limit
    """)


class Evening:
    """A sale of three lots, for limits that hold across them."""

    def __init__(self, **terms: object) -> None:
        self.shard = Shard()
        self.lots = [f"auction_k3f9_{number}" for number in range(3)]
        execute(self.shard, CreateSale(SALE, "Ceramics", "EUR", 2), 0)
        for lot in self.lots:
            sold_by = Terms(100, TENS, **terms)  # type: ignore[arg-type]  # as each test says
            execute(self.shard, AddLot(lot, SALE, sold_by, Catalogue("1", "Jar")), 0)
            execute(self.shard, OpenLot(lot), 0)
        execute(self.shard, RegisterBidder(SALE, "anna", limit=500), 0)

    def bid(self, lot: int, who: str, amount: int) -> str:
        """What was said to a bid on one of the lots."""
        cmd_id = f"{who} {amount}"
        event = execute(self.shard, PlaceBid(self.lots[lot], who, cmd_id, amount, "bid"), 1)[0]
        answer = event.answer  # type: ignore[union-attr]  # of every answer to a bid
        return answer.code or answer.status

    def say(self, command: LeaveSale | CloseLot) -> str:
        """What was said to a command."""
        event = execute(self.shard, command, 1)[0]
        return event.objection if isinstance(event, CommandRefused) else type(event).__name__


def test_the_limit_covers_leading_limits_and_won_lots_together() -> None:
    """What was beaten counts no more; what was won counts at its hammer price."""
    evening = Evening()

    assert evening.bid(0, "anna", 300) == "WINNING"
    assert evening.bid(1, "anna", 201) == "over_limit"
    assert evening.bid(1, "anna", 200) == "WINNING"
    assert evening.bid(2, "anna", 100) == "over_limit"
    assert evening.bid(0, "bert", 400) == "WINNING"  # and anna's 300 are free again
    assert evening.bid(2, "anna", 300) == "WINNING"
    assert evening.say(CloseLot(evening.lots[2])) == "LotClosed"
    assert evening.bid(0, "anna", 410) == "over_limit"
    assert evening.bid(1, "anna", 201) == "over_limit"


def test_a_hammer_price_below_the_limit_frees_the_difference() -> None:
    """The winner of 300 for 100 has 400 left."""
    evening = Evening()
    limit = PlaceBid(evening.lots[0], "anna", "x", 300, "max")
    execute(evening.shard, limit, 1)

    assert evening.bid(1, "anna", 201) == "over_limit"
    evening.say(CloseLot(evening.lots[0]))
    assert evening.bid(1, "anna", 401) == "over_limit"
    assert evening.bid(1, "anna", 400) == "WINNING"


def test_places_count_at_the_standing_bid() -> None:
    """While they are held, and no longer."""
    evening = Evening(winner_count=2)

    assert evening.bid(0, "anna", 300) == "WINNING"
    assert evening.bid(0, "anna", 450) == "WINNING"
    assert evening.bid(1, "anna", 100) == "over_limit"
    assert evening.bid(0, "bert", 500) == "WINNING"
    assert evening.bid(1, "anna", 100) == "over_limit"
    assert evening.bid(0, "carl", 600) == "WINNING"
    assert evening.bid(1, "anna", 500) == "WINNING"


# ── Guests and consignors ────────────────────────────────────────────────────────────────


def test_the_consignor_may_not_bid() -> None:
    """Asked right after the registration, and with no number that would pass."""
    bidding(
        """
        1 anna bids 90            -> own_lot
        2 bert bids 100           -> winning at 100, asking 110
        3 anna is suspended       -> paddle 102 suspended
        4 anna bids 110           -> suspended
        5 pause                   -> paused
        6 anna bids 110           -> paused
    """,
        consignor="anna",
    )


def test_a_sale_without_guests_takes_none() -> None:
    """Neither their bid nor their entry, whatever the house has said of them."""
    shard = shard_with(supports_guest=False)

    assert said(shard, EnterSale(SALE, "guest_1")) == "guest"
    assert said(shard, RegisterBidder(SALE, "guest_1")) == "approved"
    assert said(shard, PlaceBid(LOT, "guest_1", "a", 100, "bid")) == "not_registered"
    assert said(shard, PlaceBid(LOT, "cons_1", "a", 100, "bid")) == "WINNING"


def test_a_sale_with_guests_takes_them_like_anybody() -> None:
    """A guest who bids first is registered by it."""
    shard = shard_with(supports_guest=True)

    assert said(shard, EnterSale(SALE, "guest_1")) == "approved"
    assert said(shard, PlaceBid(LOT, "guest_2", "a", 100, "bid")) == "WINNING"


# ── Coming and leaving ───────────────────────────────────────────────────────────────────


def test_entering_an_open_sale_admits_and_one_by_approval_asks() -> None:
    """Entering again changes nothing of what the house has decided."""
    life("""
        1 anna enters             -> paddle 101 approved
        2 anna enters             -> paddle 101 approved
        3 anna is approved up to 500 -> paddle 101 approved up to 500
        4 anna enters             -> paddle 101 approved up to 500
        5 bert enters             -> paddle 102 approved
    """)
    life(
        """
        1 anna enters             -> paddle 101 pending
        2 anna enters             -> paddle 101 pending
        3 anna is approved        -> paddle 101 approved
        4 anna enters             -> paddle 101 approved
        5 anna is declined        -> paddle 101 declined
        6 anna enters             -> declined
        7 anna is suspended       -> paddle 101 suspended
        8 anna enters             -> suspended
        9 anna leaves             -> suspended
    """,
        registration="approval",
    )


def test_who_has_left_bids_no_more_until_they_enter_again() -> None:
    """Under their old paddle and limit; in a sale by approval they are asked about again."""
    bidding("""
        1 anna leaves             -> not_found
        2 anna is approved up to 500 -> paddle 101 approved up to 500
        3 anna leaves             -> paddle 101 left up to 500
        4 anna bids 100           -> not_registered
        5 anna leaves             -> not_found
        6 anna enters             -> paddle 101 approved up to 500
        7 anna bids 600           -> over_limit, 100 would pass
        8 anna leaves             -> paddle 101 left up to 500
        9 anna is approved        -> paddle 101 approved
        9 anna bids 600           -> winning at 600, asking 610
    """)
    life(
        """
        1 anna is approved        -> paddle 101 approved
        2 anna leaves             -> paddle 101 left
        3 anna enters             -> paddle 101 pending
        4 anna leaves             -> paddle 101 left
        5 bert is declined        -> paddle 102 declined
        6 bert leaves             -> declined
    """,
        registration="approval",
    )


def test_nobody_leaves_with_a_bid_that_may_buy() -> None:
    """Neither the leader nor the buyer; the beaten may."""
    bidding("""
        1 anna bids 100           -> winning at 100, asking 110
        2 anna leaves             -> leading
        3 bert bids 110           -> winning at 110, asking 120
        4 anna leaves             -> paddle 101 left
        5 close                   -> sold to bert for 110; settled
        6 bert leaves             -> leading
    """)
    bidding("""
        1 anna bids 100           -> winning at 100, asking 110
        2 cancel                  -> canceled
        3 anna leaves             -> paddle 101 left
    """)


def test_nobody_leaves_with_a_bid_that_might_move_up_or_that_nobody_has_read() -> None:
    """A bid behind the places buys when one before it is taken back; a sealed one may win."""
    bidding(
        """
        1 anna bids 110 as a      -> winning at 110, asking 100
        2 bert bids 100 as b      -> active at 110, asking 100
        3 bert leaves             -> leading
        4 bert takes back b       -> taken back
        5 bert leaves             -> paddle 102 left
    """,
        format="one_bid",
    )
    bidding(
        """
        1 anna seals 70110        -> sealed, active at None, asking 100
        2 anna leaves             -> leading
    """,
        format="sealed_first",
    )


def test_leaving_looks_at_every_lot_of_the_sale() -> None:
    """A lead on one of three is enough."""
    evening = Evening()
    evening.bid(1, "anna", 100)

    assert evening.say(LeaveSale(SALE, "anna")) == "leading"
    evening.bid(1, "bert", 110)
    assert evening.say(LeaveSale(SALE, "anna")) == "BidderRegistered"


def test_other_conditions_than_those_in_force_are_told_so() -> None:
    """Whoever accepted an old version has not accepted this one; none named is none denied."""
    shard = shard_with(terms=SaleTerms(conditions_version="v2"))

    assert said(shard, EnterSale(SALE, "anna", "v1")) == "conditions"
    assert said(shard, EnterSale(SALE, "anna", "v2")) == "approved"
    assert said(shard, EnterSale(SALE, "bert")) == "approved"
    entered = execute(shard, EnterSale(SALE, "anna", "v2"), 1)[0]
    assert isinstance(entered, BidderRegistered)
    assert entered.conditions_version == "v2"
    newer = CreateSale(SALE, "Ceramics", "EUR", 2, terms=SaleTerms(conditions_version="v3"))
    execute(shard, UpdateSale(newer), 2)
    assert said(shard, EnterSale(SALE, "anna", "v2")) == "conditions"


def test_the_houses_reason_is_in_the_record() -> None:
    """With who decided, and the limit."""
    shard = shard_with()
    command = RegisterBidder(SALE, "anna", "suspended", limit=7, reason="unpaid", by="key_1")
    (event,) = execute(shard, command, 3)

    expected = BidderRegistered(3, SALE, "anna", 101, "suspended", 7, "unpaid", "key_1")
    assert event == expected


@pytest.mark.parametrize("command", [EnterSale("seq_none", "anna"), LeaveSale("seq_none", "anna")])
def test_a_sale_that_is_not_there_cannot_be_entered_or_left(command: EnterSale | LeaveSale) -> None:
    """And is named as missing."""
    assert said(shard_with(), command) == "not_found"


def test_leaving_takes_the_admission_and_nothing_else() -> None:
    """What a bidder who left once bid stays where it is, and a paddle is given to nobody else."""
    room = Saleroom()
    play(
        room,
        """
        1 anna enters             -> paddle 101 approved
        2 anna leaves             -> paddle 101 left
        3 bert enters             -> paddle 102 approved
    """,
    )


def shard_with(**sale: object) -> Shard:
    """A sale with one open lot."""
    shard = Shard()
    execute(shard, CreateSale(SALE, "Ceramics", "EUR", 2, **sale), 0)  # type: ignore[arg-type]  # as each test says
    execute(shard, AddLot(LOT, SALE, Terms(100, TENS), Catalogue("1", "Jar")), 0)
    execute(shard, OpenLot(LOT), 0)
    return shard


def said(shard: Shard, command: EnterSale | LeaveSale | RegisterBidder | PlaceBid) -> str:
    """What was said to it."""
    event: Event = execute(shard, command, 1)[0]
    match event:
        case CommandRefused(objection=objection):
            return objection
        case BidderRegistered(admission=admission):
            return admission
        case BidRefused(answer=answer):
            return str(answer.code)
        case _:
            return str(event.answer.status)  # type: ignore[union-attr]  # an accepted bid
