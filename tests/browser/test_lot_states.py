"""Every state of the lot room: its words, its button, its voice, and one box for all of them.

Each state is looked at in both themes, on a phone and at a desk, by the rules of access; and in
each the button, or the way that is in its place, is where it was in all the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from playwright.sync_api import expect

from gateway.lotpage import Place
from tests.browser import looks
from tests.browser.conftest import NewPage
from tests.browser.faults import Faults
from tests.browser.lot_play import BEATEN, GUARD_MS, LEADS, Play
from tests.gateway.scripted_saleroom import NOW, Saleroom, snapshot

SIZES = ((1280, 800), (390, 844))
DOCK = 250  # CSS pixels: as much of a phone as the bidding may take
LIVE: dict[str, Any] = {"format": "live", "closesAt": None}


@dataclass(frozen=True)
class State:
    """What brings a state about, and what is then seen and heard."""

    name: str
    bring: Callable[[Play], object]
    banner: tuple[str, ...]
    button: str
    where: str = ""  # the region that speaks; empty: nothing is said
    spoken: str = ""


def _sent(play: Play, **changes: Any) -> Any:
    return play.open(**changes).bid()


def _refused(play: Play, code: str, **changes: Any) -> None:
    bid = _sent(play)
    play.hear(play.room.refusal(bid, code, **changes))


def _leads(play: Play) -> None:
    bid = _sent(play)
    price = play.room.price(42, 4_400_000, 4_600_000, paddle=207)
    play.hear(play.room.result(bid), price)


def _outbid(play: Play, channel: str = "room", why: str = "bid") -> None:
    play.open(paddle=207, channel="online", you=LEADS)
    lost = {"price": 4_400_000, "askingBid": 4_600_000, "paddle": 118, "channel": channel}
    outbid = {"type": "outbid", "seq": 42, "at": NOW, "why": why, **lost}
    play.hear(outbid, play.room.price(42, 4_400_000, 4_600_000, channel=channel))


def _maximum_beaten(play: Play) -> None:
    play.open(paddle=207, channel="online", you=LEADS)
    play.hear({"type": "winning", "seq": 41, "at": NOW, "price": 4_200_000, "max": 4_300_000})
    play.shows("up to €43,000")
    lost = {"price": 4_400_000, "askingBid": 4_600_000, "paddle": 118, "channel": "online"}
    outbid = {"type": "outbid", "seq": 42, "at": NOW, "why": "proxy", **lost}
    play.hear(outbid, play.room.price(42, 4_400_000, 4_600_000))


def _moved(play: Play) -> None:
    play.open()
    play.page.clock.pause_at(play.page.evaluate("() => Date.now() + 1000"))
    play.hear(play.room.price(42, 4_400_000, 4_600_000))
    play.offers("Bid €46,000")
    play.press()
    play.has_sent_no_bid()


def _lost(play: Play) -> None:
    play.open()
    play.room.lets_in = False
    play.room.close()


def _event(kind: str, **more: Any) -> Callable[[Play], None]:
    def bring(play: Play) -> None:
        play.open(**(LIVE if more.pop("live", False) else {}))
        play.hear(play.room.event(kind, 42, **more))
        if kind == "extended":  # the banner does not tell
            expect(play.page.locator("#note")).to_contain_text("extended once")

    return bring


def _undone(play: Play) -> None:
    play.open(paddle=207, channel="online", you=LEADS, **LIVE)
    back = {"price": 4_000_000, "askingBid": 4_200_000, "paddle": None}
    whole = snapshot(seq=42, you={**LEADS, "status": "NOT_BID"}, **back, **LIVE)
    play.room.page = replace(play.room.page, snapshot=whole)
    play.hear(play.room.event("undone", 42, **back, reason="It was not a bid.", toSeq=40))


def _closed(**more: Any) -> Callable[[Play], None]:
    def bring(play: Play) -> None:
        you = more.pop("you", None)
        play.open(**({"paddle": 207, "you": you} if you else {}))
        ended = {"status": "closed", "outcome": "sold", "paddle": 118, **more}
        play.hear(play.room.event("closed", 42, **ended))

    return bring


STATES = (
    State("not signed in", lambda p: p.open(session=None), ("You are watching", "Sign in"),
          "Sign in to bid"),
    State("not registered", lambda p: p.open(place=Place(None, "approval")),
          ("You are not registered for this sale",), "Register for this sale"),
    State("awaiting approval", lambda p: p.open(place=Place("pending", "approval")),
          ("Your registration awaits approval",), "Awaiting approval"),
    State("refused", lambda p: p.open(place=Place("declined", "approval", None, "No reference.")),
          ("has not approved you", "No reference."), "You may watch, not bid"),
    State("suspended", lambda p: p.open(place=Place("suspended")),
          ("Your account is suspended",), "You may watch, not bid"),
    State("limit known", lambda p: p.open(place=Place("approved", limit=4_300_000)),
          ("reached your limit", "€43,000"), "Ask for a higher limit"),
    State("limit reached", lambda p: _refused(p, "over_limit"), ("over your limit",),
          "Ask for a higher limit", "urgent", "over your limit"),
    State("open", lambda p: p.open(price=None, paddle=None, askingBid=2_400_000, bidCount=0),
          ("No bids yet", "Opening bid €24,000"), "Bid €24,000"),
    State("confirm armed", lambda p: p.open(confirms=True).press(), ("Paddle 118 in the room",),
          "Confirm €44,000", "urgent", "Confirm €44,000. Press again"),
    State("sending", _sent, ("Sending your bid of €44,000", "Not placed until the room answers"),
          "Sending €44,000…"),
    State("waiting", lambda p: p.hear(p.room.result(_sent(p, **LIVE), outcome="waiting", seq=41)),
          ("The auctioneer has your bid of €44,000",), "With the auctioneer"),
    State("leading", _leads, ("You lead", "Your bid of €44,000 is the highest"),
          "You lead at €44,000", "urgent", "You lead"),
    State("outbid in the room", _outbid, ("You’ve been outbid", "Paddle 118 in the room leads"),
          "Bid €46,000", "urgent", "You’ve been outbid"),
    State("outbid on the phone", lambda p: _outbid(p, "phone"),
          ("You’ve been outbid", "Paddle 118 on the phone leads"), "Bid €46,000"),
    State("outbid by a left bid", lambda p: _outbid(p, "left", "proxy"),
          ("Paddle 118, by a bid left before, leads, by an earlier maximum",), "Bid €46,000"),
    State("price moved", _moved, ("The price moved. You have not bid", "€46,000"), "Bid €46,000",
          "urgent", "You have not bid"),
    State("fair warning", _event("fair_warning", live=True),
          ("Fair warning", "about to sell to paddle 118"), "Bid €44,000", "urgent", "Fair warning"),
    State("final call", _event("final_call", live=True), ("Final call",), "Bid €44,000",
          "urgent", "Final call"),
    State("extended", _event("extended", extensions=1, closesAt=NOW + 90_000),
          ("Paddle 118",), "Bid €44,000", "polite", "extended once"),
    State("maximum working",
          lambda p: p.open(paddle=207, channel="online", you={**LEADS, "max": 5_200_000}),
          ("You lead", "Your maximum bids for you, up to €52,000"), "You lead at €42,000"),
    State("maximum beaten", _maximum_beaten, ("Your maximum was passed", "by an earlier maximum"),
          "Bid €46,000", "urgent", "Your maximum was passed"),
    State("rejected", lambda p: _refused(p, "below_asking_bid", wouldPass=4_600_000),
          ("was not placed", "The lowest you can bid now is €46,000"), "Bid €44,000",
          "urgent", "was not placed"),
    State("reconnecting", _lost, ("Connection lost. Bidding is paused for you", "old"),
          "Waiting for the saleroom", "urgent", "Connection lost"),
    State("paused", _event("paused", status="paused", closesAt=None), ("Bidding is paused",),
          "Bidding is paused", "", ""),
    State("not open", lambda p: p.open(status="scheduled", opensAt=NOW + 60_000, price=None),
          ("Not open yet",), "Not open yet"),
    State("a bid can be left", lambda p: p.open(**LIVE, status="scheduled", price=None),
          ("You can leave a bid with the auctioneer now",), "Not open yet"),
    State("message", _event("message", live=True, text="The next bid is welcome online."),
          ("The auctioneer says", "welcome online"), "Bid €44,000", "polite", "welcome online"),
    State("undone", _undone,
          ("Your bid of €42,000 was taken back. You have not bid", "It was not a bid."),
          "Bid €42,000", "urgent", "You have not bid"),
    State("withdrawn", _closed(outcome="withdrawn"), ("This lot was withdrawn",), "Go to lot 215",
          "polite", "withdrawn"),
    State("passed", _closed(outcome="passed", paddle=None), ("Passed", "not sold"),
          "Go to lot 215", "polite", "Passed"),
    State("sold to another", _closed(), ("Sold to paddle 118",), "Go to lot 215",
          "polite", "Sold to paddle 118"),
    State("lost", _closed(you=BEATEN), ("Sold to paddle 118", "You did not win this lot"),
          "Go to lot 215", "urgent", "You did not win"),
    State("sold to you", _closed(you=LEADS, paddle=207), ("Sold to you, paddle 207",),
          "See invoice and collection", "urgent", "Sold to you"),
    State("sold subject", _closed(you=LEADS, paddle=207, outcome="sold_subject"),
          ("subject to the owner’s approval",), "See your bids", "urgent", "subject to"),
    State("canceled", _closed(status="canceled", outcome="canceled"), ("This lot was canceled",),
          "Go to lot 215"),
)  # fmt: skip


@pytest.fixture
def saleroom() -> Iterator[Saleroom]:
    room = Saleroom()
    with room.serving():
        yield room


@pytest.fixture(scope="module")
def boxes() -> dict[tuple[int, int], tuple[str, tuple[float, ...]]]:
    """Where the button was in the first state that was looked at, at each size."""
    return {}


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_a_state_has_its_words_its_voice_and_the_button_in_its_box(
    saleroom: Saleroom,
    new_page: NewPage,
    faults: Faults,
    boxes: dict[tuple[int, int], tuple[str, tuple[float, ...]]],
    state: State,
) -> None:
    """Banner, button and speech as the table says; the rules kept; nothing has moved."""
    faults.allow("WebSocket connection to")
    play = Play(new_page(), saleroom)
    state.bring(play)
    play.shows(*state.banner)
    play.offers(state.button)
    if state.where:
        play.says(state.where, state.spoken)
    play.page.clock.resume()  # what looks at the page waits by the page's own clock
    for width, height in SIZES:
        play.page.set_viewport_size({"width": width, "height": height})
        play.shows(*state.banner)
        first, box = boxes.setdefault((width, height), (state.name, _box(play)))
        assert _box(play) == box, f"not where it was in {first!r}"
        for scheme in ("light", "dark"):
            play.page.emulate_media(color_scheme=scheme)
            looks.keeps_the_rules(play.page)


def _box(play: Play) -> tuple[float, ...]:
    return looks.box(play.page.locator(".go"))


@pytest.mark.parametrize("state", [s for s in STATES if s.name in ("open", "leading", "sending")],
                         ids=lambda state: state.name)  # fmt: skip
def test_the_dock_leaves_most_of_a_phone_to_the_lot(
    saleroom: Saleroom, new_page: NewPage, faults: Faults, state: State
) -> None:
    """Banner, price, clock, button and total fit into the dock's height."""
    faults.allow("WebSocket connection to")
    play = Play(new_page(viewport={"width": 390, "height": 844}), saleroom)
    state.bring(play)
    play.shows(*state.banner)
    assert looks.box(play.page.locator("lot-room"))[3] <= DOCK


def test_the_page_says_when_a_bid_takes_longer_than_usual(
    saleroom: Saleroom, new_page: NewPage, faults: Faults
) -> None:
    """Two seconds are long for an answer, and nothing is placed while it has not come."""
    faults.allow("WebSocket connection to")
    play = Play(new_page(), saleroom)
    _sent(play)
    play.page.clock.run_for(2_500)
    play.shows("Taking longer than usual", "Not placed until the room answers")


def test_a_bid_that_waited_is_decided_by_the_auctioneer(
    saleroom: Saleroom, new_page: NewPage, faults: Faults
) -> None:
    """Taken, it leads; until then the page says that it is not placed."""
    faults.allow("WebSocket connection to")
    play = Play(new_page(), saleroom)
    bid = _sent(play, **LIVE)
    play.hear(play.room.result(bid, outcome="waiting", bidId="b1", seq=41))
    play.shows("The auctioneer has your bid", "Not placed until it is taken")
    taken = {"type": "decided", "bidId": "b1", "cmdId": bid["cmdId"], "seq": 42, "at": NOW}
    play.hear(
        {**taken, "outcome": "accepted", "code": None, "message": None},
        {"type": "winning", "seq": 42, "at": NOW, "price": 4_400_000, "max": None},
        play.room.price(42, 4_400_000, 4_600_000, paddle=207),
    )
    play.shows("You lead")
    play.page.clock.run_for(GUARD_MS)
    play.offers("You lead at €44,000")
