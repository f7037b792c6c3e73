"""A bidder's session, script by script: what is sent, what is known, and when it dials again."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from loadtests.core.bidder import (
    FIRST_BACKOFF_MS,
    LONGEST_BACKOFF_MS,
    PATIENCE_MS,
    Answered,
    Bidder,
    Changed,
    Ended,
    Happening,
    Missed,
    Phase,
    ProtocolBroken,
    Rejected,
    Told,
    Welcomed,
)
from loadtests.core.view import Message
from tests.loadtests.test_view import price, snapshot

LOT = "auction_a_1"
WELCOME = {"type": "welcome", "role": "bidder"}


def most(bound: int) -> int:
    """A die that always shows its highest number."""
    return bound


def newcomer() -> Bidder:
    """A bidder who has not come in yet."""
    return Bidder({"key": "pk_1", "token": "t"}, most)


def present(now: int = 0) -> Bidder:
    """A bidder who is signed in."""
    bidder = newcomer()
    come_in(bidder, now)
    return bidder


def come_in(bidder: Bidder, now: int) -> list[Message]:
    """Connect and be welcomed; what the bidder sends after that."""
    bidder.connected(now)
    assert sent(bidder) == [{"type": "hello", "key": "pk_1", "token": "t"}]
    say(bidder, WELCOME, now)
    return sent(bidder)


def say(bidder: Bidder, frame: Message, now: int = 0) -> list[Happening]:
    """The house says something."""
    return bidder.received(msgspec.json.encode(frame), now)


def sent(bidder: Bidder) -> list[Message]:
    """What the bidder sends."""
    return [msgspec.json.decode(frame) for frame in bidder.take_frames()]


def result(cmd_id: str, outcome: str = "accepted") -> Message:
    """The house's decision about a bid."""
    return {"type": "result", "auctionId": LOT, "cmdId": cmd_id, "seq": 42, "outcome": outcome}


def error(code: str, **more: Any) -> Message:
    """The house cannot take something in."""
    return {"type": "error", "code": code, "message": "No.", **more}


# ── Signing in and following ─────────────────────────────────────────────────────────────


def test_nothing_is_said_before_the_welcome() -> None:
    """Wishes made while signing in wait until the house has said who one is."""
    bidder = newcomer()
    bidder.connected(0)
    bidder.follow(LOT, 0)
    bidder.bid(LOT, "c1", 100, "max", 0)
    assert [frame["type"] for frame in sent(bidder)] == ["hello"]
    assert say(bidder, WELCOME) == [Welcomed("bidder", 1)]
    assert [frame["type"] for frame in sent(bidder)] == ["subscribe", "bid"]


def test_following_begins_with_a_snapshot() -> None:
    """The first subscription names no place, and the snapshot becomes the view."""
    bidder = present()
    bidder.follow(LOT, 0)
    assert sent(bidder) == [{"type": "subscribe", "auctionId": LOT}]
    assert say(bidder, snapshot()) == [Changed(LOT, snapshot())]
    assert say(bidder, price(42, 110)) == [Changed(LOT, price(42, 110))]
    view = bidder.view(LOT)
    assert view is not None
    assert (view.seq, view.auction["price"]) == (42, 110)


def test_after_a_lost_line_the_view_is_resumed_where_it_was() -> None:
    """The subscription names the lineage and the last seq, and the events go on from there."""
    bidder = present()
    bidder.follow(LOT, 0)
    say(bidder, snapshot())
    say(bidder, price(42, 110))
    bidder.disconnected(1006, "", 1000)
    assert come_in(bidder, 2000)[-1] == {
        "type": "subscribe",
        "auctionId": LOT,
        "lineage": "L1",
        "seq": 42,
    }
    # Events before the answer belong to no subscription of this line.
    assert say(bidder, price(43, 120)) == []
    say(bidder, {"type": "resumed", "auctionId": LOT, "lineage": "L1", "seq": 42, "missed": 1})
    say(bidder, price(43, 120))
    view = bidder.view(LOT)
    assert view is not None
    assert (view.seq, view.auction["price"]) == (43, 120)


def test_a_new_lineage_replaces_the_view() -> None:
    """Where data was lost the house sends a snapshot, and nothing of the old view stays."""
    bidder = present()
    bidder.follow(LOT, 0)
    say(bidder, snapshot())
    bidder.disconnected(1006, "", 1000)
    come_in(bidder, 2000)
    say(bidder, {**snapshot(seq=3), "lineage": "L2"})
    view = bidder.view(LOT)
    assert view is not None
    assert (view.lineage, view.seq) == ("L2", 3)


def test_a_gap_is_asked_for_again() -> None:
    """After a gap the auction is asked for from the last known seq, and heard from there."""
    bidder = present()
    bidder.follow(LOT, 0)
    say(bidder, snapshot())
    sent(bidder)
    assert say(bidder, price(44, 200)) == [Missed(LOT, 41, 44)]
    assert sent(bidder) == [{"type": "subscribe", "auctionId": LOT, "lineage": "L1", "seq": 41}]
    assert say(bidder, price(45, 210)) == []
    assert sent(bidder) == []
    say(bidder, {"type": "resumed", "auctionId": LOT, "lineage": "L1", "seq": 41, "missed": 4})
    for seq in (42, 43, 44, 45):
        assert len(say(bidder, price(seq, seq))) == 1
    assert bidder.view(LOT).seq == 45  # type: ignore[union-attr]


def test_an_unknown_auction_is_not_followed_any_more() -> None:
    """``not_found`` is definite: it is reported, and not asked for after a reconnect."""
    bidder = present()
    bidder.follow(LOT, 0)
    assert say(bidder, error("not_found", auctionId=LOT)) == [
        Rejected(LOT, None, "not_found", "No.")
    ]
    bidder.disconnected(1006, "", 0)
    assert come_in(bidder, 0) == []


def test_unfollowed_is_forgotten() -> None:
    """After ``unsubscribe`` what still comes is not heard."""
    bidder = present()
    bidder.follow(LOT, 0)
    say(bidder, snapshot())
    sent(bidder)
    bidder.unfollow(LOT)
    assert sent(bidder) == [{"type": "unsubscribe", "auctionId": LOT}]
    assert say(bidder, price(42, 110)) == []
    assert bidder.view(LOT) is None


# ── Bidding ──────────────────────────────────────────────────────────────────────────────


def test_a_bid_is_answered_once() -> None:
    """The answer to a bid that was sent twice comes twice, and counts once."""
    bidder = present()
    bidder.bid(LOT, "c1", 100, "max", 0)
    expected = {"type": "bid", "cmdId": "c1", "auctionId": LOT, "amount": 100, "kind": "max"}
    assert sent(bidder) == [expected]
    assert say(bidder, result("c1")) == [Answered(LOT, "c1", result("c1"))]
    assert say(bidder, result("c1")) == []
    assert bidder.unanswered == 0


def test_a_bid_says_what_its_bidder_had_seen() -> None:
    """Who follows the lot sends the last seq of their view along."""
    bidder = present()
    bidder.follow(LOT, 0)
    say(bidder, snapshot())
    sent(bidder)
    bidder.bid(LOT, "c1", 100, "bid", 0)
    assert [frame["seen"] for frame in sent(bidder)] == [41]


def test_unanswered_bids_are_sent_again_after_a_reconnect() -> None:
    """The same ids and amounts, in their order, and only those without an answer."""
    bidder = present()
    for number in (1, 2, 3):
        bidder.bid(LOT, f"c{number}", 100 * number, "max", 0)
    first = sent(bidder)
    say(bidder, result("c2"))
    bidder.disconnected(1012, "", 0)
    assert come_in(bidder, 500) == [first[0], first[2]]


@pytest.mark.parametrize("code", ["rate_limited", "overloaded"])
def test_a_bid_that_came_too_early_is_sent_again_later(code: str) -> None:
    """Not before the time that the house names, and then with the same id."""
    bidder = present()
    bidder.bid(LOT, "c1", 100, "max", 0)
    first = sent(bidder)
    assert say(bidder, error(code, cmdId="c1", auctionId=LOT, retryAfterMs=400), 1000) == []
    due = bidder.wakes_at()
    assert due is not None
    assert 1400 <= due <= 1400 + FIRST_BACKOFF_MS
    bidder.wake(due - 1)
    assert sent(bidder) == []
    bidder.wake(due)
    assert sent(bidder) == first


def test_an_error_without_an_id_puts_off_everything_unanswered() -> None:
    """The house need not say which message was too many; asking twice does no harm."""
    bidder = present()
    bidder.follow(LOT, 0)
    bidder.bid(LOT, "c1", 100, "max", 0)
    sent(bidder)
    say(bidder, error("rate_limited", retryAfterMs=400), 0)
    bidder.wake(400 + FIRST_BACKOFF_MS)
    assert [frame["type"] for frame in sent(bidder)] == ["subscribe", "bid"]


def test_a_definite_error_ends_a_bid() -> None:
    """``invalid`` will not become valid: it is reported and the bid is not sent again."""
    bidder = present()
    bidder.bid(LOT, "c1", 100, "max", 0)
    happened = say(bidder, error("invalid", cmdId="c1", auctionId=LOT))
    assert happened == [Rejected(LOT, "c1", "invalid", "No.")]
    bidder.disconnected(1006, "", 0)
    assert come_in(bidder, 0) == []


def test_silence_is_answered_by_asking_again() -> None:
    """A bid without an answer for ``PATIENCE_MS`` is sent again on the same line."""
    bidder = present()
    bidder.bid(LOT, "c1", 100, "max", 0)
    first = sent(bidder)
    assert bidder.wakes_at() == PATIENCE_MS
    bidder.wake(PATIENCE_MS)
    assert sent(bidder) == first
    assert bidder.wakes_at() == 2 * PATIENCE_MS


def test_personal_events_are_passed_on() -> None:
    """What concerns the bidder alone is told, and touches no view."""
    outbid = {"type": "outbid", "auctionId": LOT, "seq": 42, "price": 110}
    assert say(present(), outbid) == [Told(outbid)]


# ── Dialling again ───────────────────────────────────────────────────────────────────────


def test_dialling_again_backs_off_with_full_jitter() -> None:
    """The bound doubles to its most, the die chooses below it, and a welcome resets it."""
    bounds: list[int] = []

    def low(bound: int) -> int:
        bounds.append(bound)
        return 7

    bidder = Bidder({"key": "pk_1", "token": "t"}, low)
    for _ in range(9):
        bidder.disconnected(1006, "", 1000)
        assert bidder.dial_at == 1007
    assert bounds[:3] == [FIRST_BACKOFF_MS, 2 * FIRST_BACKOFF_MS, 4 * FIRST_BACKOFF_MS]
    assert bounds[-1] == LONGEST_BACKOFF_MS
    come_in(bidder, 2000)
    bidder.disconnected(1006, "", 3000)
    assert bounds[-1] == FIRST_BACKOFF_MS


def test_a_restarting_house_says_how_long_to_wait() -> None:
    """``retryAfterMs`` in the reason of a 1012 is waited for, and jitter comes on top."""
    bidder = present()
    bidder.disconnected(1012, '{"retryAfterMs":3000}', 1000)
    assert bidder.dial_at == 1000 + 3000 + FIRST_BACKOFF_MS


@pytest.mark.parametrize("code", [4401, 4403])
def test_a_session_that_is_not_wanted_ends(code: int) -> None:
    """Not signed in, or suspended: dialling again would change nothing."""
    bidder = present()
    assert bidder.disconnected(code, "no", 0) == [Ended(code, "no")]
    assert (bidder.phase, bidder.dial_at) == (Phase.ENDED, None)


# ── What must not happen ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"type":"welcome"}',
        b'{"type":"snapshot","auctionId":"auction_a_1"}',
        b'{"type":"resumed","auctionId":"auction_a_1"}',
    ],
)
def test_what_the_protocol_does_not_allow_is_said_aloud(text: bytes) -> None:
    """A house that talks nonsense is a finding, not something to be guessed at."""
    bidder = present()
    bidder.follow(LOT, 0)
    with pytest.raises(ProtocolBroken):
        bidder.received(text, 0)


def test_what_a_later_house_may_say_is_ignored() -> None:
    """Unknown types and unknown fields are for clients that know them."""
    bidder = present()
    assert say(bidder, {"type": "weather", "sun": True}) == []
    bidder.bid(LOT, "c1", 100, "max", 0)
    assert len(say(bidder, {**result("c1"), "mood": "good"})) == 1
