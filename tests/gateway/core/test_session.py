"""A session without a socket: what it answers, and what it asks its edge to do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.core.messages import PlaceBid
from gateway.core.limits import Buckets
from gateway.core.session import (
    Action,
    Admitted,
    Close,
    Follow,
    Send,
    Session,
    SignedIn,
    Submit,
    Unauthorized,
    Unfollow,
)
from gateway.settings import Rate

LOT = "auction_k3f9_1"


class SmallHouse:
    """One key, one token, one lot; the clock stands at 1000."""

    now = 1_000

    def admit(self, key: str, token: str | None) -> Admitted | None:
        if key != "pk_1" or token not in (None, "jwt"):
            raise Unauthorized("not here")
        return Admitted("cons_ada", 5_000) if token else None

    def knows(self, auction_id: str) -> bool:
        return auction_id == LOT

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
    assert signed == SignedIn("cons_ada")
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
        {"type": "hello", "operatorKey": "optr_1"},
        {"type": "hello", "key": "pk_1", "ticket": "tkt_1"},
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
