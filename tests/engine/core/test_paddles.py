"""Who may bid: registrations, paddles, and the house's commands about a sale.

Opening bid 100, increment 10; the lot is open.
"""

from __future__ import annotations

import pytest

from engine.core.increments import table
from engine.core.messages import (
    MAX_AMOUNT,
    AddLot,
    Catalogue,
    CloseLot,
    Command,
    CommandRefused,
    CreateSale,
    KeepTime,
    Ladder,
    LotAdded,
    PlaceBid,
    RegisterBidder,
    Table,
    Terms,
    shard_of,
    shard_of_command,
)
from engine.core.sale import Shard, execute
from tests.engine.core.saleroom import LOT, SALE, TENS, Saleroom, bidding, say


def test_in_an_open_sale_the_first_bid_registers() -> None:
    """Paddles are given out from 101 on, in the order of accepted bids."""
    bidding("""
        1 anna bids 90            -> below_asking_bid, 100 would pass
        2 bert bids 100           -> winning at 100, asking 110
        look                      -> open seq 2, 100 by paddle 101, 1 bids of 1, reserve none, 0 extensions
        3 anna bids 110           -> winning at 110, asking 120
        look                      -> open seq 3, 110 by paddle 102, 2 bids of 2, reserve none, 0 extensions
        4 bert is approved        -> paddle 101 approved
    """)


def test_a_paddle_of_the_house_is_not_given_out_again() -> None:
    """Numbers that the house has named are passed over; one that has been shown stays."""
    bidding("""
        1 anna is approved with 101 -> paddle 101 approved
        2 bert is approved with 103 -> paddle 103 approved
        3 carl bids 100             -> winning at 100, asking 110
        look                        -> open seq 2, 100 by paddle 102, 1 bids of 1, reserve none, 0 extensions
        4 dora is approved          -> paddle 104 approved
        5 emil is approved with 104 -> exists
        6 bert is approved with 105 -> paddle 105 approved
        7 bert bids 110             -> winning at 110, asking 120
        8 bert is approved with 107 -> exists
        9 emil is approved with 103 -> paddle 103 approved
        look                        -> open seq 3, 110 by paddle 105, 2 bids of 2, reserve none, 0 extensions
    """)


def test_a_sale_by_approval_takes_bids_of_the_approved_only() -> None:
    """Each stage of a registration is refused by its own name, with no number to try."""
    bidding(
        """
        1 anna bids 100           -> not_registered
        2 anna is pending         -> paddle 101 pending
        3 anna bids 100           -> pending_approval
        4 anna is declined        -> paddle 101 declined
        5 anna bids 100           -> not_registered
        6 anna is suspended       -> paddle 101 suspended
        7 anna bids 100           -> suspended
        8 anna is approved        -> paddle 101 approved
        9 anna bids 100           -> winning at 100, asking 110
    """,
        registration="approval",
    )


def test_a_suspension_takes_effect_at_once_and_takes_nothing_back() -> None:
    """Bids that stand stand: the suspended leader still leads, and still buys."""
    bidding("""
        1 anna bids up to 200     -> winning at 100, asking 110
        2 anna is suspended       -> paddle 101 suspended
        3 anna bids up to 300     -> suspended
        4 bert bids 110           -> active at 120, asking 130
        5 close                   -> sold to anna for 120; settled
    """)


def test_registration_is_asked_after_the_state_and_before_the_amount() -> None:
    """The order of objections is the one of the bidding rules."""
    bidding("""
        1 anna is suspended       -> paddle 101 suspended
        2 anna bids 1             -> suspended
        3 pause                   -> paused
        4 anna bids 1             -> paused
    """)


def test_objections_come_in_the_order_of_the_rules() -> None:
    """Not a raise, then below the asking bid, then off the ladder."""
    bidding(
        """
        1 anna bids up to 200     -> winning at 100, asking 110
        2 anna bids 105           -> not_a_raise, 210 would pass
        3 bert bids 105           -> below_asking_bid, 110 would pass
        4 bert bids 115           -> off_ladder, 110 would pass
    """,
        ladder_only=True,
    )


def test_a_suspended_bidder_is_offered_no_number() -> None:
    """Not even in answer to an id that they used before for another amount."""
    bidding("""
        1 anna bids 100 as x      -> winning at 100, asking 110
        2 bert bids 110 as y      -> winning at 110, asking 120
        3 anna is suspended       -> paddle 101 suspended
        4 anna bids 500           -> suspended
        5 anna bids 120 as x      -> again: idempotency_mismatch
    """)


# ── A sale and its lots ──────────────────────────────────────────────────────────────────


def objection(shard: Shard, command: Command) -> str | None:
    """The objection to *command*, if that is all it caused."""
    events = execute(shard, command, 1)
    assert len(events) == 1
    return events[0].objection if isinstance(events[0], CommandRefused) else None


def test_a_sale_and_a_lot_exist_once() -> None:
    """A second one of the same id is refused, and the first is as it was."""
    room = Saleroom()
    add = AddLot(LOT, SALE, Terms(1, TENS), Catalogue("215", "Ginger jar"))

    assert list(map(say, room.do(add, 1))) == ["exists"]
    assert list(map(say, room.do(CreateSale(SALE, "Silver", "USD", 2), 1))) == ["exists"]


@pytest.mark.parametrize(
    "terms",
    [
        Terms(0, TENS),
        Terms(MAX_AMOUNT + 1, TENS),
        Terms(100, TENS, reserve=0),
        Terms(100, TENS, reserve=MAX_AMOUNT + 1),
        Terms(100, Table((), ())),
        Terms(100, Table((0,), (0,))),
        Terms(100, Ladder((0,), (10,), ((5, 2),))),
        Terms(100, TENS, opens_at=60, closes_at=60),
        Terms(100, TENS, extension_window_ms=-1),
        Terms(100, TENS, extension_ms=-1),
        Terms(100, TENS, max_extensions=-1),
    ],
)
def test_terms_that_nothing_can_be_sold_by(terms: Terms) -> None:
    """Refused when the lot is added: later they would stop the engine in the middle of a sale."""
    room = Saleroom()

    assert list(map(say, room.do(AddLot(f"{LOT}2", SALE, terms, Catalogue("2", "")), 1))) == [
        "invalid"
    ]


def test_ids_paddles_and_currencies_that_cannot_be() -> None:
    """A lot of another sale's shard, a paddle of nought, an exponent no currency has."""
    room = Saleroom()
    elsewhere = AddLot("auction_p2m4_1", SALE, Terms(1, TENS), Catalogue("1", ""))
    wishes: list[Command] = [
        elsewhere,
        RegisterBidder(SALE, "anna", paddle=0),
        RegisterBidder(SALE, "anna", paddle=-7),
        CreateSale("seq_new", "Silver", "EUR", 5),
        CreateSale("seq_new", "Silver", "EUR", -1),
        CreateSale("nameless", "Silver", "EUR", 2),
    ]

    assert [say(event) for wish in wishes for event in room.do(wish, 1)] == ["invalid"] * 6


@pytest.mark.parametrize(
    "catalogue",
    [
        Catalogue("2\0", "Bottle"),
        Catalogue("2", "Bot\0tle"),
        Catalogue("2", "Bottle", description="\0"),
        Catalogue("2", "Bottle", photos=("a.jpg", "\0.jpg")),
        Catalogue("2", "Bottle", provenance=("Kyoto", "\0")),
        Catalogue("2", "Bottle", serial="AUC\0"),
    ],
)
def test_a_text_that_no_database_takes(catalogue: Catalogue) -> None:
    """A NUL character would be decided here and lost on the way to the archive."""
    room = Saleroom()
    add = AddLot(f"{LOT}2", SALE, Terms(100, TENS), catalogue)

    assert list(map(say, room.do(add, 1))) == ["invalid"]
    assert list(map(say, room.do(CreateSale("seq_new", "\0", "EUR", 2), 1))) == ["invalid"]


def test_a_lot_is_announced_with_its_first_step() -> None:
    """What the bid after the opening bid must add, for whoever prints the catalogue."""
    room = Saleroom()
    steps = table([(0, 5), (100, 25)])
    added = room.do(AddLot(f"{LOT}2", SALE, Terms(100, steps), Catalogue("2", "")), 1)

    assert [event.increment for event in added if isinstance(event, LotAdded)] == [25]


def test_what_is_not_there_is_not_found() -> None:
    """A lot in a sale that is not there, a bid or command on a lot that is not there."""
    shard = Shard()

    assert objection(shard, AddLot(LOT, SALE, Terms(1, TENS), Catalogue("1", ""))) == "not_found"
    assert objection(shard, RegisterBidder(SALE, "anna")) == "not_found"
    assert objection(shard, PlaceBid(LOT, "anna", "x", 100, "bid")) == "not_found"
    assert objection(shard, CloseLot(LOT)) == "not_found"
    assert execute(shard, KeepTime(LOT), 1) == []


def test_lots_of_one_sale_share_its_paddles_and_nothing_else() -> None:
    """A paddle is a bidder's number in the whole sale; the price is the lot's own."""
    room = Saleroom()
    other = f"{LOT[:-4]}9m4d"
    room.do(AddLot(other, SALE, Terms(50, TENS, opens_at=0), Catalogue("215", "Bottle")), 0)
    room.hear(["open"], 0, 0)
    room.hear(["anna", "bids", "100"], 1, 1)
    room.do(PlaceBid(other, "bert", "b", 50, "bid"), 2)
    room.do(PlaceBid(other, "anna", "a", 60, "bid"), 3)

    assert [(lot.price, lot.paddle, lot.seq) for lot in room.view.lots.values()] == [
        (100, 101, 2),
        (60, 101, 3),
    ]


def test_a_sale_and_its_lots_are_decided_by_one_shard() -> None:
    """The shard comes from the sale's part of the id, the same for every kind of command."""
    sale = CreateSale(SALE, "Ceramics", "EUR", 2)
    on_sale = [shard_of_command(c, 16) for c in (sale, RegisterBidder(SALE, "anna"))]
    on_lot = [
        shard_of_command(c, 16)
        for c in (PlaceBid(LOT, "anna", "x", 1, "bid"), KeepTime(LOT), CloseLot(LOT))
    ]

    assert [*on_sale, *on_lot] == [shard_of(SALE, 16)] * 5
    assert len({shard_of(f"seq_{name}", 16) for name in "abcdefghijklmnop"}) > 4
    assert shard_of("nothing", 16) == 0
