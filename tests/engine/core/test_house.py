"""The house's own commands: taken once, refused with a reason, and said again when asked again.

Sales and lots are changed only as far as nobody has relied on what was said of them.
"""

from __future__ import annotations

from typing import Any, get_args

import pytest
from msgspec.structs import replace

from engine.core.lot import REFUSED_IN, TRANSITIONS
from engine.core.messages import (
    AddLot,
    BidRefused,
    CancelLot,
    Catalogue,
    CloseLot,
    Command,
    CommandRefused,
    CommandTaken,
    CreateSale,
    EnterSale,
    Event,
    FinishSettlement,
    LeaveSale,
    LotEvent,
    LotPaused,
    LotUpdated,
    LowerLimit,
    OpenLot,
    PauseLot,
    PlaceBid,
    RegisterBidder,
    RemoveLot,
    RemoveSale,
    ResumeTrading,
    SettleLot,
    State,
    Table,
    Terms,
    Tokens,
    UnpauseLot,
    UpdateLot,
    UpdateSale,
)
from engine.core.sale import COMMANDS_KEPT, EVENTS_PER_COMMAND, Shard, evolve, execute
from engine.core.snapshot import restore, state_hash, take
from tests.engine.core.saleroom import LOT, SALE, TENS, Saleroom, bidding, kinds, life, play

TOKENS = Tokens("asset_a", "erc721", "asset_b")
JAR = Catalogue("214", "Moon jar")

# ── Taken once ───────────────────────────────────────────────────────────────────────────


def test_a_command_that_was_taken_says_so_last() -> None:
    """After what it brought about, with its id and who gave it."""
    room = Saleroom()
    opened, taken = room.do(OpenLot(LOT, "c1", "key_1"), 5)
    closed, settled, last = room.do(CloseLot(LOT, "c2", "key_1"), 6)

    assert taken == CommandTaken(5, LOT, "OpenLot", "c1", "key_1")
    assert last == CommandTaken(6, LOT, "CloseLot", "c2", "key_1")
    assert kinds([opened, closed, settled]) == get_named("LotOpened", "LotClosed", "LotSettled")


def test_a_command_that_comes_again_is_answered_again_and_does_nothing() -> None:
    """A pause sent twice, with a lifting in between, pauses once."""
    room = bidding("")
    first = room.do(PauseLot(LOT, "c1", "key_1"), 1)
    room.do(UnpauseLot(LOT, "c2", "key_1"), 2)
    before = state_hash(room.shard)
    again = room.do(PauseLot(LOT, "c1", "key_1"), 3)

    assert again == first[-1:]
    assert state_hash(room.shard) == before
    assert room.shard.lots[LOT].state is State.OPEN


def test_a_refusal_is_remembered_too() -> None:
    """With the state that the lot had then."""
    room = bidding("")
    (refused,) = room.do(UnpauseLot(LOT, "c1", "key_1"), 1)
    room.do(PauseLot(LOT), 2)
    (again,) = room.do(UnpauseLot(LOT, "c1", "key_1"), 3)

    assert refused == again
    assert refused == CommandRefused(
        1, LOT, "UnpauseLot", "invalid_transition", "c1", State.OPEN, "key_1"
    )
    assert room.shard.lots[LOT].state is State.PAUSED


def test_the_same_id_about_another_lot_or_from_somebody_else_is_another_command() -> None:
    """An id is its giver's own, for one lot or sale."""
    room = bidding("")
    other = "auction_k3f9_8888"
    room.do(AddLot(other, SALE, Terms(100, TENS), JAR), 0)
    room.do(OpenLot(other), 0)

    assert kinds(room.do(PauseLot(LOT, "c1", "key_1"), 1)) == [LotPaused, CommandTaken]
    assert kinds(room.do(PauseLot(other, "c1", "key_1"), 2)) == [LotPaused, CommandTaken]
    assert kinds(room.do(PauseLot(LOT, "c1", "key_2"), 3)) == [CommandRefused]


def test_the_wishes_of_two_bidders_are_told_apart_by_who_wishes() -> None:
    """Both may have numbered their first wish 1."""
    shard = shard_with_lot()
    for who in ("anna", "bert"):
        entered = execute(shard, EnterSale(SALE, who, cmd_id="1"), 1)
        assert entered[-1] == CommandTaken(1, SALE, "EnterSale", "1", who)
        assert len(entered) == 2
        assert execute(shard, EnterSale(SALE, who, cmd_id="1"), 2) == entered[-1:]
    left = execute(shard, LeaveSale(SALE, "anna", cmd_id="2"), 3)
    assert left[-1] == CommandTaken(3, SALE, "LeaveSale", "2", "anna")
    execute(shard, OpenLot(LOT), 4)
    execute(shard, PlaceBid(LOT, "bert", "x", 300, "max"), 4)
    lowered = execute(shard, LowerLimit(LOT, "bert", 200, "3"), 5)
    assert lowered[-1] == CommandTaken(5, LOT, "LowerLimit", "3", "bert")
    assert execute(shard, LowerLimit(LOT, "bert", 200, "3"), 6) == lowered[-1:]


def test_a_thousand_answers_are_kept_and_the_oldest_goes_first() -> None:
    """A retry that comes later still is a new command; asking again renews nothing."""
    shard = shard_with_lot()
    for number in range(COMMANDS_KEPT):
        execute(shard, RegisterBidder(SALE, "anna", cmd_id=f"c{number}"), number)
    assert len(execute(shard, RegisterBidder(SALE, "anna", cmd_id="c0"), 9)) == 1
    execute(shard, RegisterBidder(SALE, "anna", cmd_id="one more"), 10)

    assert len(shard.answers) == COMMANDS_KEPT == 1_000
    assert len(execute(shard, RegisterBidder(SALE, "anna", cmd_id="c1"), 11)) == 1
    assert len(execute(shard, RegisterBidder(SALE, "anna", cmd_id="c0"), 12)) == 2


def test_the_memory_is_in_the_snapshot_and_in_the_events() -> None:
    """An engine that takes over answers a retry like the one before."""
    room = bidding("")
    (*_, taken) = room.do(PauseLot(LOT, "c1", "key_1"), 1)

    for recovered in (restore(take(room.shard)), room.recovered):
        assert execute(recovered, PauseLot(LOT, "c1", "key_1"), 2) == [taken]


def test_commands_without_an_id_are_neither_confirmed_nor_remembered() -> None:
    """Programs that enter commands by themselves read the events."""
    room = bidding("")
    assert kinds(room.do(PauseLot(LOT), 1)) == [LotPaused]
    room.do(PauseLot(LOT), 2)
    assert room.shard.answers == {}


def test_due_things_come_before_a_refused_command() -> None:
    """And the refusal names the state that they led to."""
    room = Saleroom(opens_at=0, closes_at=60)
    *due, refused = room.do(PauseLot(LOT, "c1"), 60)

    assert kinds(due) == get_named("LotOpened", "LotClosed", "LotSettled")
    assert isinstance(refused, CommandRefused)
    assert refused.state is State.SETTLED


@pytest.mark.parametrize(
    "command",
    [
        UpdateSale(CreateSale("seq_none", "n", "EUR", 2), "c"),
        RemoveSale("seq_none", "c"),
        UpdateLot("auction_none_1", 0, Terms(100, TENS), JAR, "c"),
        RemoveLot("auction_none_1", "c"),
        RegisterBidder("seq_none", "anna", cmd_id="c"),
        LowerLimit("auction_none_1", "anna", 100, "c"),
        FinishSettlement("auction_none_1", "c"),
        SettleLot("auction_none_1", "c"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_what_is_not_there_is_not_found(command: Command) -> None:
    """Under the command's own name and id."""
    (refused,) = execute(shard_with_lot(), command, 1)

    assert isinstance(refused, CommandRefused)
    assert (refused.objection, refused.cmd_id) == ("not_found", "c")
    assert (refused.command, refused.state) == (type(command).__name__, None)


# ── Sales ────────────────────────────────────────────────────────────────────────────────


def test_a_sale_without_lots_may_become_any_other() -> None:
    """Its money, too; with lots everything but its money and its mode."""
    shard = Shard()
    sale = CreateSale(SALE, "Ceramics", "EUR", 2)
    execute(shard, sale, 0)

    assert said(shard, UpdateSale(replace(sale, currency="JPY", exponent=0))) == "SaleUpdated"
    execute(shard, UpdateSale(sale), 1)
    execute(shard, AddLot(LOT, SALE, Terms(100, TENS), JAR), 1)
    assert said(shard, UpdateSale(replace(sale, currency="JPY"))) == "in_use"
    assert said(shard, UpdateSale(replace(sale, exponent=0))) == "in_use"
    assert said(shard, UpdateSale(replace(sale, mode="live"))) == "in_use"
    assert said(shard, UpdateSale(replace(sale, name="\0"))) == "invalid"
    closed = replace(sale, name="Silver", registration="approval")
    assert said(shard, UpdateSale(closed)) == "SaleUpdated"
    execute(shard, OpenLot(LOT), 2)
    (refused,) = execute(shard, PlaceBid(LOT, "anna", "x", 100, "bid"), 3)
    assert isinstance(refused, BidRefused)
    assert refused.answer.code == "not_registered"


def test_a_sale_is_removed_when_its_lots_are_withdrawn() -> None:
    """And its id stands for nothing else ever after, nor do those of its lots."""
    shard = shard_with_lot()
    sale = CreateSale(SALE, "Ceramics", "EUR", 2)

    assert said(shard, RemoveSale(SALE)) == "in_use"
    assert said(shard, RemoveLot(LOT)) == "LotWithdrawn"
    assert said(shard, UpdateSale(replace(sale, currency="JPY"))) == "SaleUpdated"
    assert said(shard, RemoveSale(SALE)) == "SaleRemoved"
    assert said(shard, RemoveSale(SALE)) == "not_found"
    assert said(shard, UpdateSale(sale)) == "not_found"
    assert said(shard, sale) == "exists"
    assert said(shard, AddLot("auction_k3f9_2", SALE, Terms(100, TENS), JAR)) == "not_found"
    assert said(shard, EnterSale(SALE, "anna")) == "not_found"
    assert said(shard, RegisterBidder(SALE, "anna")) == "not_found"
    (refused,) = execute(shard, PlaceBid(LOT, "anna", "x", 100, "bid"), 3)
    assert isinstance(refused, BidRefused)
    assert refused.answer.code == "closed"


# ── Lots before they open ────────────────────────────────────────────────────────────────


def test_before_it_opens_everything_of_a_lot_may_change() -> None:
    """And everybody sees it; the clock is set anew."""
    room = Saleroom(opens_at=10, closes_at=60)
    assert room.update(1, opening=200, reserve=300, opens_at=20, closes_at=70) == (
        "updated, None, asking 200, not_met"
    )
    play(
        room,
        """
        10 clock                  -> nothing
        20 anna bids 199          -> open until 70; below_asking_bid, 200 would pass
        21 anna bids 200          -> winning at 200, asking 210
        70 clock                  -> passed; settled
    """,
    )


def test_a_change_takes_a_public_seq_and_the_next_revision() -> None:
    """Whoever changes a lot says which revision they had seen."""
    room = Saleroom()
    (updated,) = room.do(UpdateLot(LOT, 0, Terms(150, TENS), JAR), 1)
    (moved,) = room.do(UpdateLot(LOT, 0, Terms(160, TENS), JAR), 2)
    (again,) = room.do(UpdateLot(LOT, 1, Terms(160, Table((0,), (7,))), JAR), 3)

    assert isinstance(updated, LotUpdated)
    assert (updated.revision, updated.after.seq, updated.increment) == (1, 1, 10)
    assert isinstance(moved, CommandRefused)
    assert moved.objection == "moved"
    assert isinstance(again, LotUpdated)
    assert (again.revision, again.after.asking_bid, again.increment) == (2, 160, 7)


def test_another_format_before_the_opening_is_another_sale() -> None:
    """Bids are taken by the new one's rules."""
    room = Saleroom()
    room.update(1, format="one_bid", winner_count=2)
    play(
        room,
        """
        2 open                    -> open
        3 anna bids 500           -> winning at 500, asking 100
        4 bert bids 100           -> winning at 500, asking 100
    """,
    )


def test_terms_that_nothing_can_be_sold_by_are_refused_in_a_change_too() -> None:
    """Nor a name that cannot be kept."""
    room = Saleroom()
    assert room.update(1, opening=0) == "invalid"
    (refused,) = room.do(UpdateLot(LOT, 0, Terms(100, TENS), replace(JAR, name="\0")), 1)
    assert getattr(refused, "objection", None) == "invalid"


def test_a_lot_is_removed_before_it_opens_and_never_after() -> None:
    """Its bidders are told that it is closed."""
    life("""
        1 remove                  -> withdrawn
        2 remove                  -> invalid_transition
        3 open                    -> invalid_transition
        4 anna bids 100           -> closed
        look                      -> withdrawn seq 1, None by paddle None, 0 bids of 0, reserve none, 0 extensions
    """)
    bidding("1 remove -> invalid_transition\n2 cancel -> canceled\n3 remove -> invalid_transition")


def test_the_operator_of_a_token_auction_clears_away_a_canceled_one() -> None:
    """A draft and a canceled auction may be deleted there."""
    bidding(
        "1 cancel -> canceled\n2 remove -> withdrawn\n3 anna bids 100 -> closed",
        format="one_bid",
        tokens=TOKENS,
    )


# ── Lots that are open ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "change",
    [
        {"opening": 90},
        {"ladder_only": True},
        {"leader_raise": "recompute"},
        {"winner_count": 2},
        {"consignor": "anna"},
        {"reserve": 301},
        {"closes_at": 60},
        {"closes_at": 69},
        {"closes_at": None},
        {"settle_at": 99},
        {"settle_at": None},
        {"extension_window_ms": 20},
        {"publish_reserve": True},
    ],
    ids=str,
)
def test_what_somebody_may_have_relied_on_stays(change: dict[str, Any]) -> None:
    """Open or paused: nothing else than an easing of the terms."""
    terms: dict[str, Any] = {
        "closes_at": 61,
        "settle_at": 100,
        "reserve": 300,
        "extension_window_ms": 10,
        "extension_ms": 10,
    }
    room = Saleroom(**terms)
    play(
        room,
        "0 open -> open until 61\n60 anna bids 100 -> winning at 100, asking 110; extended to 70",
    )
    assert room.update(61, **change) == "not_editable"
    if change != {"closes_at": 69}:  # compared with what the terms say while the time stands
        play(room, "62 pause -> paused")
        assert room.update(63, **change) == "not_editable"


def test_a_later_end_while_open_sets_the_clock_anew() -> None:
    """Later than the end as it is now, whatever the terms said before."""
    room = Saleroom(closes_at=60, settle_at=100)
    play(room, "0 open -> open until 60")
    assert room.update(10, closes_at=80, settle_at=101) == "updated, None, asking 100, none"
    assert room.view.lots[LOT].closes_at == 80
    play(
        room,
        """
        60 clock                  -> nothing
        80 clock                  -> passed
        100 clock                 -> nothing
        101 clock                 -> settled
    """,
    )


def test_an_end_where_there_is_none_cannot_be_brought_in() -> None:
    """It would be earlier than none."""
    room = bidding("")
    assert room.update(1, closes_at=10**12) == "not_editable"


def test_a_settlement_at_the_close_may_be_put_off() -> None:
    """Any instant is later than at once."""
    room = bidding("")
    assert room.update(1, settle_at=50) == "updated, None, asking 100, none"
    play(room, "2 close -> passed\n50 clock -> settled")


def test_a_later_end_while_paused_gives_the_difference() -> None:
    """What was left, and as much more as the end moved; nobody sees an end until it goes on."""
    room = Saleroom(closes_at=60)
    play(room, "0 open -> open until 60\n40 pause -> paused")
    assert room.update(45, closes_at=60) == "updated, None, asking 100, none"
    assert room.update(45, closes_at=75) == "updated, None, asking 100, none"
    assert room.view.lots[LOT].closes_at is None
    play(room, "100 unpause -> open until 135\n135 clock -> passed; settled")


def test_an_end_that_stands_through_a_pause() -> None:
    """An operator's end comes while the lot is paused, and is not moved by the pause."""
    life(
        """
        0  clock                  -> open until 60
        10 anna bids 100          -> winning at 100, asking 110
        40 pause                  -> paused
        50 unpause                -> open until 60
        55 pause                  -> paused
        59 clock                  -> nothing
        60 clock                  -> sold to anna for 100; settled
    """,
        opens_at=0,
        closes_at=60,
        fixed_end=True,
    )
    room = Saleroom(closes_at=60, fixed_end=True)
    play(room, "0 open -> open until 60\n40 pause -> paused")
    assert room.update(45, closes_at=59) == "not_editable"
    assert room.update(45, closes_at=75) == "updated, None, asking 100, none"
    play(room, "60 clock -> nothing\n80 unpause -> passed; settled; invalid_transition")
    assert room.view.lots[LOT].closes_at == 75


def test_a_lower_reserve_that_is_met_now_makes_the_price() -> None:
    """As if it had been that low all along: the price jumps to it, and no further."""
    room = bidding("1 anna bids up to 250 -> winning at 100, asking 110", reserve=300)
    assert room.update(2, reserve=260) == "updated, 100, asking 110, not_met"
    assert room.update(3, reserve=240) == "updated, 240, asking 250, met"
    assert room.update(4, reserve=200) == "updated, 240, asking 250, met"
    assert room.update(5, reserve=None) == "updated, 240, asking 250, none"
    assert room.update(6, reserve=100) == "not_editable"
    play(room, "7 bert bids 250 -> active at 250, asking 260 (tie)")


def test_a_reserve_taken_away_moves_no_price() -> None:
    """Whoever leads buys at the price as it is."""
    room = bidding("1 anna bids up to 250 -> winning at 100, asking 110", reserve=300)
    assert room.update(2, reserve=None) == "updated, 100, asking 110, none"
    play(room, "3 close -> sold to anna for 100; settled")


def test_a_lower_reserve_of_places_is_met_by_the_highest() -> None:
    """Nothing jumps where every bid stands at its full amount."""
    room = bidding("1 anna bids 250 -> winning at 250, asking 100", reserve=300, winner_count=2)
    assert room.update(2, reserve=200) == "updated, 250, asking 100, met"


def test_a_catalogue_may_be_corrected_while_the_lot_is_open_and_after() -> None:
    """Until it is settled; then it is history, except for an operator's own words."""
    room = bidding("", settle_at=100)
    assert room.update(1) == "updated, None, asking 100, none"
    play(room, "2 close -> passed")
    assert room.update(3) == "updated, None, asking None, none"
    assert room.update(4, reserve=None, opening=90) == "not_editable"
    assert room.update(4, settle_at=99) == "not_editable"
    assert room.update(5, settle_at=120) == "updated, None, asking None, none"
    play(room, "100 clock -> nothing\n120 clock -> settled")
    assert room.update(121) == "not_editable"


def test_an_operators_words_may_always_be_corrected() -> None:
    """Nobody bids by them; the terms stay."""
    room = bidding("1 close -> passed; settling", format="one_bid", tokens=TOKENS)
    assert room.update(2) == "updated, None, asking None, none"
    assert room.update(2, settle_at=9) == "not_editable"
    play(room, "3 finish -> settled")
    assert room.update(4) == "updated, None, asking None, none"
    canceled = bidding("1 cancel -> canceled", format="one_bid", tokens=TOKENS)
    assert canceled.update(2) == "updated, None, asking None, none"
    english = bidding("1 cancel -> canceled")
    assert english.update(2) == "not_editable"


def test_after_the_end_of_sealed_bidding_the_terms_stand() -> None:
    """A later end would take bids again from those who know that it was over."""
    room = Saleroom(format="sealed_first", closes_at=60, reserve=500)
    play(room, "0 open -> open until 60\n60 clock -> bidding ended")
    assert room.update(61, closes_at=90) == "not_editable"
    assert room.update(61, reserve=100) == "not_editable"
    assert room.update(61, settle_at=90) == "updated, None, asking 100, not_met"
    play(room, "70 clock -> nothing\n70 unseal -> passed\n90 clock -> settled")


# ── Settling ─────────────────────────────────────────────────────────────────────────────


def test_where_tokens_change_hands_the_books_come_first() -> None:
    """Settling, until the books say that everybody has paid and been paid."""
    bidding(
        """
        1 anna bids 100           -> winning at 100, asking 100
        2 finish                  -> invalid_transition
        3 close                   -> sold to anna for 100
        4 finish                  -> invalid_transition
        5 clock                   -> nothing
        6 settle                  -> settling
        7 settle                  -> invalid_transition
        8 clock                   -> nothing
        9 finish                  -> settled
        10 finish                 -> invalid_transition
        11 bert bids 100          -> closed
    """,
        format="one_bid",
        tokens=TOKENS,
        settle_by_command=True,
    )


def test_a_lot_may_be_settled_by_command_only() -> None:
    """The clock leaves it alone; the instant in its terms is what was printed."""
    bidding(
        """
        1 close                   -> passed
        999 clock                 -> nothing
        1000 settle               -> settled
        1001 settle               -> invalid_transition
    """,
        settle_by_command=True,
        settle_at=50,
    )
    room = bidding("1 close -> passed", settle_by_command=True, settle_at=50)
    assert room.update(2, settle_at=49) == "not_editable"
    assert room.update(2, settle_at=60) == "updated, None, asking None, none"
    play(room, "99 clock -> nothing")


def test_a_paused_lot_is_not_opened() -> None:
    """It goes on by its own command; and what is over cannot be canceled."""
    bidding("""
        1 pause                   -> paused
        2 open                    -> invalid_transition
        3 close                   -> passed; settled
        4 cancel                  -> invalid_transition
    """)


# ── The whole life ───────────────────────────────────────────────────────────────────────


def test_every_state_has_its_row_and_every_event_its_place() -> None:
    """The table is the documentation: nothing is missing from it."""
    assert set(TRANSITIONS) == set(State)
    assert set(REFUSED_IN) == set(State) - {State.OPEN}
    public = {event for row in TRANSITIONS.values() for event in row}
    assert public >= set(get_args(LotEvent))


def test_an_event_that_cannot_follow_stops_the_engine() -> None:
    """A pause in every state that has none: the log is damaged, or the engine is."""
    for script in ("1 cancel -> canceled", "1 pause -> paused", "1 close -> passed; settled"):
        room = bidding(script)
        now = room.view.lots[LOT]
        with pytest.raises(AssertionError, match="cannot follow"):
            evolve(room.shard, LotPaused(3, LOT, replace(now, seq=now.seq + 1)))


def test_no_command_makes_more_events_than_it_may() -> None:
    """Else a full entry of commands might not fit one commit; this one makes the most of all
    that are not of the rostrum."""
    room = Saleroom(opens_at=0, closes_at=60, format="one_bid", tokens=TOKENS)
    room.do(ResumeTrading(), 90)
    events = room.do(FinishSettlement(LOT, "c1"), 99_999)

    assert kinds(events) == get_named(
        "LotOpened", "LotExtended", "LotClosed", "LotSettling", "LotSettled", "CommandTaken"
    )
    assert len(events) <= EVENTS_PER_COMMAND


def shard_with_lot() -> Shard:
    """A sale with one lot that has not opened."""
    shard = Shard()
    execute(shard, CreateSale(SALE, "Ceramics", "EUR", 2), 0)
    execute(shard, AddLot(LOT, SALE, Terms(100, TENS), JAR), 0)
    return shard


def said(shard: Shard, command: Command) -> str:
    """The event's name, or the objection."""
    event = execute(shard, command, 1)[-1]
    return event.objection if isinstance(event, CommandRefused) else type(event).__name__


def get_named(*names: str) -> list[type]:
    """The events of these names."""
    by_name = {event.__name__: event for event in get_args(Event)}
    return [by_name[name] for name in names]


def test_a_canceled_lot_is_canceled_for_good() -> None:
    """By a retry, too: the same answer, and by another command: an objection."""
    room = bidding("")
    *_, taken = room.do(CancelLot(LOT, "c1"), 1)
    assert room.do(CancelLot(LOT, "c1"), 2) == [taken]
    assert kinds(room.do(CancelLot(LOT, "c2"), 3)) == [CommandRefused]
