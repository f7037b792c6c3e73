"""A session without a socket: what it answers, and what it asks its edge to do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.core.messages import Act, FinalCall, PauseLot, PlaceBid, RemoveLot, Take
from gateway.core.limits import Buckets
from gateway.core.session import (
    MOST_EARLY,
    Action,
    Admitted,
    Close,
    Follow,
    Perform,
    Point,
    Prepare,
    Redeem,
    Send,
    Session,
    SignedIn,
    Submit,
    Unauthorized,
    Unfollow,
)
from gateway.core.view import LotView
from gateway.settings import Rate
from tests.gateway.formats import TERMS, Evening, auction_of, sealed_bid

LOT = auction_of("english")
ADA = Admitted("cons_ada", 5_000, session_id="ses_ada")


class SmallHouse:
    """One key, one token, one console, a lot of every format; the clock stands at 1000."""

    now = 1_000

    def __init__(self) -> None:
        self.evening = Evening()
        self.saleroom = self.evening.saleroom

    def admit(self, key: str, token: str | None) -> Admitted:
        if key not in ("pk_1", "pk_live") or token not in (None, "jwt"):
            raise Unauthorized("not here")
        if token:
            return ADA
        return Admitted(None, mode="live" if key == "pk_live" else "test")

    def admit_operator(self, key: str) -> Admitted:
        if key != "optr_1":
            raise Unauthorized("not here")
        return Admitted(None, role="auctioneer", session_id="key_1")

    def seal(self, lot: LotView, consumer_id: str, cmd_id: str, amount: int) -> PlaceBid:
        return PlaceBid(lot.auction_id, consumer_id, cmd_id, 0, "sealed", commitment=f"#{amount}")

    def log_now(self) -> int:
        return self.now


def session(
    messages: Rate | None = None, bids: Rate | None = None, *, greeted: bool = True
) -> Session:
    made = Session("ses_1", SmallHouse(), messages, Buckets(bids))
    if greeted:
        say(made, type="hello", key="pk_1", token="jwt")
    return made


def say(session: Session, now: float = 0.0, **frame: Any) -> list[Action]:
    return session.receive(json.dumps(frame), now)


def error_of(actions: list[Action]) -> str:
    [action] = [a for a in actions if isinstance(a, Send)]
    assert action.frame["type"] == "error"
    return str(action.frame["code"])


def test_a_bidder_is_signed_in_before_they_are_welcomed() -> None:
    """The edge counts the connection first; a spectator is nobody's."""
    bidder = session(greeted=False)
    signed, welcome = say(bidder, type="hello", key="pk_1", token="jwt")
    assert signed == SignedIn("cons_ada", "ses_ada")
    assert isinstance(welcome, Send)
    assert (welcome.frame["role"], welcome.frame["now"]) == ("bidder", 1_000)
    [only] = say(session(greeted=False), type="hello", key="pk_1")
    assert isinstance(only, Send)
    assert (only.frame["role"], only.frame["consumerId"]) == ("spectator", None)


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "hello"},
        {"type": "hello", "key": "pk_2"},
        {"type": "hello", "key": "pk_1", "token": "forged"},
        {"type": "hello", "operatorKey": "optr_2"},
        {"type": "hello", "key": "pk_1", "token": "jwt", "ticket": "tkt_1"},
        {"type": "hello", "operatorKey": "optr_1", "ticket": "tkt_1"},
        {"type": "subscribe", "auctionId": LOT},
        {"type": "ping", "t": 1},
    ],
)
def test_whoever_is_not_admitted_is_sent_away(frame: dict[str, Any]) -> None:
    """Told why, closed with 4401, and not heard any more."""
    stranger = session(greeted=False)
    told, close = stranger.receive(json.dumps(frame), 0.0)
    assert error_of([told]) == "unauthorized"
    assert isinstance(close, Close)
    assert close.code == 4401
    assert say(stranger, type="hello", key="pk_1") == []


def test_a_late_hello() -> None:
    """Only where none was said; it is said once."""
    assert session().hello_is_late() == []
    mute = session(greeted=False)
    [close] = mute.hello_is_late()
    assert isinstance(close, Close)
    assert close.code == 4401
    assert mute.hello_is_late() == []


def test_what_the_edge_is_asked_to_do() -> None:
    """Each request becomes one action, and a bid the log's command."""
    ada = session()
    assert say(ada, type="subscribe", auctionId=LOT) == [Follow(LOT, None, None)]
    resume = say(ada, type="subscribe", auctionId=LOT, lineage="x", seq=3)
    assert resume == [Follow(LOT, "x", 3)]
    assert say(ada, type="unsubscribe", auctionId=LOT) == [Unfollow(LOT)]
    bid = say(ada, type="bid", cmdId="c1", auctionId=LOT, amount=5, seen=2)
    assert bid == [Submit(PlaceBid(LOT, "cons_ada", "c1", 5, "max", 2))]
    assert error_of(say(ada, type="subscribe", auctionId="auction_none_1")) == "not_found"


def test_three_invalid_in_a_row() -> None:
    """Only ``invalid`` counts, and any good frame begins anew."""
    ada = session()
    for _ in range(3):
        assert len(ada.receive("{", 0.0)) == 1
        assert len(ada.receive("{", 0.0)) == 1
        say(ada, type="ping", t=1)
    ada.receive("{", 0.0)
    ada.receive("{", 0.0)
    told, close = ada.receive("{", 0.0)
    assert error_of([told]) == "invalid"
    assert isinstance(close, Close)
    assert close.code == 1008


def test_the_first_breach_is_told_and_the_second_is_the_end() -> None:
    """Within ten seconds; later it is a first one again.  A bid that was one too many is
    named, whichever rate it exceeded."""
    ada = session(messages=Rate(1, 2))  # one for the hello
    bid = {"type": "bid", "cmdId": "c1", "auctionId": LOT, "amount": 5}
    assert isinstance(ada.receive(json.dumps(bid), 0.0)[0], Submit)
    for at in (0.0, 11.0):
        if at:
            say(ada, at, type="ping", t=1)
            say(ada, at, type="ping", t=1)
        [told] = ada.receive(json.dumps(bid), at)
        assert isinstance(told, Send)
        assert told.frame["code"] == "rate_limited"
        assert (told.frame["cmdId"], told.frame["auctionId"]) == ("c1", LOT)
        assert 0 < told.frame["retryAfterMs"] <= 1_001
    [close] = ada.receive(json.dumps(bid), 11.1)
    assert isinstance(close, Close)
    assert close.code == 1008


def test_bids_are_counted_apart_from_messages() -> None:
    """Too many bids: the ids come back, and other messages still pass."""
    ada = session(bids=Rate(1, 1))
    assert isinstance(say(ada, type="bid", cmdId="c1", auctionId=LOT, amount=5)[0], Submit)
    [told] = say(ada, type="bid", cmdId="c2", auctionId=LOT, amount=5)
    assert isinstance(told, Send)
    assert (told.frame["code"], told.frame["cmdId"]) == ("rate_limited", "c2")
    [pong] = say(ada, type="ping", t=1)
    assert isinstance(pong, Send)
    assert pong.frame["type"] == "pong"


def test_a_token_that_expires_ends_the_bidding() -> None:
    """A connection that outlives its access token bids no more: sign in again."""
    house = SmallHouse()
    made = Session("ses_1", house, None, Buckets(None))
    say(made, type="hello", key="pk_1", token="jwt")
    bid: dict[str, Any] = {"type": "bid", "cmdId": "c", "auctionId": LOT, "amount": 5}
    house.now = 4_999
    assert isinstance(say(made, **bid)[0], Submit)
    house.now = 5_000
    told, closed = say(made, **bid)
    assert isinstance(told, Send)
    assert (told.frame["code"], told.frame["cmdId"]) == ("unauthorized", "c")
    assert closed == Close(4401, "unauthorized")


def test_a_hello_breaks_a_row_of_invalid_frames() -> None:
    """Only three in a row are the end."""
    made = session(greeted=False)
    for _ in range(2):
        assert error_of(made.receive("x", 0.0)) == "invalid"
    say(made, type="hello", key="pk_1")
    assert len(made.receive("x", 0.0)) == 1


# ── Tickets and consoles ─────────────────────────────────────────────────────────────────


def test_a_ticket_is_asked_about_and_what_comes_meanwhile_waits() -> None:
    """The edge is asked; then the welcome comes before what was said after the hello."""
    made = session(greeted=False)
    asked = say(made, type="hello", key="pk_1", ticket="wst_1")
    assert asked == [Redeem("pk_1", "wst_1")]
    assert say(made, type="subscribe", auctionId=LOT) == []
    assert say(made, type="ping", t=1) == []
    signed, welcome, follow, pong = made.admitted(ADA, 0.0)
    assert signed == SignedIn("cons_ada", "ses_ada")
    assert isinstance(welcome, Send)
    assert welcome.frame["role"] == "bidder"
    assert follow == Follow(LOT, None, None)
    assert isinstance(pong, Send)
    assert pong.frame["type"] == "pong"
    assert made.admitted(ADA, 0.0) == []


def test_a_ticket_that_admits_nobody() -> None:
    """Told why and closed; nothing that was said meanwhile is heard."""
    made = session(greeted=False)
    say(made, type="hello", ticket="wst_1")
    say(made, type="subscribe", auctionId=LOT)
    told, close = made.not_admitted("used")
    assert error_of([told]) == "unauthorized"
    assert close == Close(4401, "unauthorized")
    assert made.admitted(ADA, 0.0) == []


def test_only_so_much_waits_for_a_ticket() -> None:
    """Whoever floods before the welcome is sent away; and so is who waits too long."""
    made = session(greeted=False)
    say(made, type="hello", ticket="wst_1")
    for _ in range(MOST_EARLY):
        assert say(made, type="ping", t=1) == []
    [close] = say(made, type="ping", t=1)
    assert isinstance(close, Close)
    assert close.code == 1008
    slow = session(greeted=False)
    say(slow, type="hello", ticket="wst_1")
    [close] = slow.hello_is_late()
    assert isinstance(close, Close)
    assert close.code == 4401
    assert slow.admitted(ADA, 0.0) == slow.not_admitted("late") == []


def test_a_console_looks_on_and_does_not_bid() -> None:
    """An operator's key makes an auctioneer, whose connection ends with the key."""
    console = session(greeted=False)
    signed, welcome = say(console, type="hello", operatorKey="optr_1")
    assert signed == SignedIn(None, "key_1")
    assert isinstance(welcome, Send)
    assert (welcome.frame["role"], welcome.frame["consumerId"]) == ("auctioneer", None)
    assert say(console, type="subscribe", auctionId=LOT) == [Follow(LOT, None, None)]
    bid = say(console, type="bid", cmdId="c1", auctionId=LOT, amount=5)
    assert error_of(bid) == "unauthorized"


def console() -> Session:
    made = session(greeted=False)
    say(made, type="hello", operatorKey="optr_1")
    return made


def test_what_a_console_does_goes_to_the_log() -> None:
    """In the name of its key and of this very connection, which control belongs to."""
    act: dict[str, Any] = {
        "type": "act",
        "cmdId": "c1",
        "auctionId": auction_of("live"),
        "act": "final_call",
    }
    [performed] = say(console(), **act, seen=4)
    deed = FinalCall()
    assert performed == Perform(Act(auction_of("live"), deed, "c1", "key_1", "ses_1", 4, ""))
    [performed] = say(console(), **act, reason="third time")
    assert isinstance(performed, Perform)
    assert (performed.command.seen, performed.command.reason) == (None, "third time")


def test_nobody_else_sells() -> None:
    """A bidder's or a spectator's act is answered with its ids, and goes nowhere."""
    spectator = session(greeted=False)
    say(spectator, type="hello", key="pk_1")
    for somebody in (session(), spectator):
        act: dict[str, Any] = {
            "type": "act",
            "cmdId": "c1",
            "auctionId": auction_of("live"),
            "act": "pass",
        }
        for _ in range(4):  # it is not counted as invalid
            [told] = say(somebody, **act)
            assert isinstance(told, Send)
            assert (told.frame["code"], told.frame["cmdId"]) == ("unauthorized", "c1")


def test_a_bid_that_an_act_names_is_found_by_its_id() -> None:
    """By the id that the desk showed; one that nobody made is not found."""
    made = console()
    house, auction_id = made.house, auction_of("live")
    assert isinstance(house, SmallHouse)
    house.evening.do(PlaceBid(auction_id, "cons_ada", "a1", 20_000, "bid"))
    name = house.saleroom.lots[auction_id].bid_id("cons_ada", "a1")
    act: dict[str, Any] = {"type": "act", "cmdId": "c1", "auctionId": auction_id, "act": "take"}
    [performed] = say(made, **act, bidId=name)
    assert isinstance(performed, Perform)
    assert performed.command.deed == Take("cons_ada", "a1")
    assert error_of(say(made, **act, bidId="bid_none")) == "not_found"
    elsewhere = {**act, "auctionId": "auction_none_1"}
    assert error_of(say(made, **elsewhere, bidId=name)) == "not_found"


def test_a_finger_is_shown_at_most_four_times_a_second() -> None:
    """Of a bidder with a paddle, on a lot that is sold live; and it always goes away again."""
    ada, auction_id = session(), auction_of("live")
    house = ada.house
    assert isinstance(house, SmallHouse)
    finger: dict[str, Any] = {"type": "finger", "auctionId": auction_id}
    assert say(ada, **finger, on=True) == []  # nobody knows her by a paddle
    house.evening.do(PlaceBid(auction_id, "cons_ada", "a1", 20_000, "bid"))
    paddle = house.saleroom.lots[auction_id].sale.paddles["cons_ada"]
    shown = [say(ada, 1.0, **finger, on=True) for _ in range(8)]
    assert shown == [[Point(auction_id, paddle, True)]] * 4 + [[]] * 4
    assert say(ada, 1.0, **finger, on=False) == [Point(auction_id, paddle, False)]
    assert say(ada, 1.0, **finger, on=False) == []
    assert say(ada, 1.5, type="finger", auctionId=auction_of("english"), on=True) == []
    house.evening.do(PauseLot(auction_id))
    assert say(ada, 9.0, **finger, on=True) == []
    spectator = session(greeted=False)
    say(spectator, type="hello", key="pk_1")
    assert error_of(say(spectator, **finger, on=True)) == "unauthorized"


def test_lots_of_the_other_mode_do_not_exist() -> None:
    """A live key sees no test sale."""
    live = session(greeted=False)
    say(live, type="hello", key="pk_live")
    for kind in ("subscribe", "unsubscribe"):
        assert error_of(say(live, type=kind, auctionId=LOT)) == "not_found"


def test_a_withdrawn_lot_can_only_be_left() -> None:
    """Who follows it may stop; nobody begins, and nobody bids."""
    ada = session()
    house = ada.house
    assert isinstance(house, SmallHouse)
    announced = auction_of("announced")
    house.evening.do(RemoveLot(announced))
    assert error_of(say(ada, type="subscribe", auctionId=announced)) == "not_found"
    bid = say(ada, type="bid", cmdId="c", auctionId=announced, amount=5)
    assert error_of(bid) == "not_found"
    assert say(ada, type="unsubscribe", auctionId=announced) == [Unfollow(announced)]


# ── Formats ──────────────────────────────────────────────────────────────────────────────


def test_what_a_bid_without_a_kind_is() -> None:
    """A limit where the lot takes limits, else exactly the amount."""
    ada = session()
    kinds = {}
    for name in TERMS:
        if name.startswith(("sealed", "uniform")):
            continue
        [action] = say(ada, type="bid", cmdId="c", auctionId=auction_of(name), amount=50_000)
        assert isinstance(action, Submit | Prepare)
        assert isinstance(action, Prepare) == (name == "tokens")
        kinds[name] = action.command.kind
    limits = {name for name, kind in kinds.items() if kind == "max"}
    assert limits == {"english", "printed", "announced", "live"}


@pytest.mark.parametrize("name", ["places", "one_bid", "tokens", "sealed_first", "dutch"])
def test_a_limit_where_none_is_taken_is_invalid(name: str) -> None:
    """Nothing enters the log; the third in a row is the end."""
    ada = session(bids=Rate(1, 1))
    bid: dict[str, Any] = {"type": "bid", "cmdId": "c", "amount": 50_000}
    bid["auctionId"] = auction_of(name)
    for _ in range(2):
        [told] = say(ada, **bid, kind="max")
        assert isinstance(told, Send)
        assert (told.frame["code"], told.frame["cmdId"]) == ("invalid", "c")
    assert isinstance(say(ada, **bid, kind="bid")[0], Submit | Prepare), "and its rate is unused"
    say(ada, **bid, kind="max")
    say(ada, **bid, kind="max")
    assert len(say(ada, **bid, kind="max")) == 2


def test_a_sealed_bid_leaves_sealed() -> None:
    """The command says nothing of the amount; too low is refused here, while it is open."""
    ada = session()
    house, auction_id = ada.house, auction_of("sealed_first")
    assert isinstance(house, SmallHouse)
    [sent] = say(ada, type="bid", cmdId="c1", auctionId=auction_id, amount=20_000)
    assert isinstance(sent, Submit)
    assert (sent.command.kind, sent.command.amount) == ("sealed", 0)
    [told] = say(ada, type="bid", cmdId="c2", auctionId=auction_id, amount=9_999)
    assert isinstance(told, Send)
    assert {name: told.frame[name] for name in ("type", "cmdId", "outcome", "code")} == {
        "type": "result",
        "cmdId": "c2",
        "outcome": "refused",
        "code": "below_asking_bid",
    }
    assert (told.frame["status"], told.frame["wouldPass"]) == ("NOT_BID", 10_000)
    assert told.frame["message"] == "Your bid is below the asking bid. 100.00 EUR would pass."
    house.evening.do(sealed_bid(auction_id, "cons_ada", 20_000, "c1"))
    [again] = say(ada, type="bid", cmdId="c1", auctionId=auction_id, amount=9_999)
    assert isinstance(again, Submit), "the log knows its cmdId, and says so first"
    house.evening.do(PauseLot(auction_id))
    [sent] = say(ada, type="bid", cmdId="c3", auctionId=auction_id, amount=9_999)
    assert isinstance(sent, Submit), "the log says first that it is paused"
