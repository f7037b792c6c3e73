"""The lot page in a real browser, against a saleroom that the test plays by hand.

What is proved here is that the page is true: nothing is shown as placed before its result, no
press becomes two bids or a bid on a price that moved, and a lost line is loud.
"""

from __future__ import annotations

import json
import queue
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPage
from tests.browser.faults import Faults
from tests.gateway.scripted_saleroom import AUCTION, NOW, WAIT_S, Frame, Saleroom, lot, snapshot

# A bidder who has bid in this sale before and does not want to confirm each bid.
AT_ONCE = (
    """localStorage.setItem('fairwarning.confirm.seq_1.207', '{"each":false,"hasBid":true}')"""
)
LIVE = re.compile("Live|Slow connection")  # on a busy machine an answer takes its time
GUARD_MS = 700  # past the 600 ms in which a new price is not yet read


@pytest.fixture
def saleroom() -> Iterator[Saleroom]:
    room = Saleroom()
    with room.serving():
        yield room


@pytest.fixture
def page(saleroom: Saleroom, new_page: NewPage, faults: Faults) -> Page:
    """A bidder's page, which is closed before the saleroom is."""
    faults.allow("WebSocket connection to")  # a saleroom that lets nobody in is part of the play
    return new_page()


def _open(page: Page, room: Saleroom, **changes: Any) -> None:
    """Open the lot and wait until the page is live.  The page's clock obeys the test."""
    if changes:
        room.page = lot(**changes)
    page.add_init_script(AT_ONCE)
    page.clock.install()
    page.goto(f"{room.url}/lot/{AUCTION}")
    expect(page.locator("#link")).to_contain_text(LIVE)


def _press(page: Page, room: Saleroom) -> Frame:
    """Press the button, and take the bid that left."""
    page.locator("#go").click()
    return room.next_bid()


def _no_bid_left(page: Page, room: Saleroom) -> None:
    """Nothing was sent: the page asks the time now, and whatever left before it has arrived."""
    while not room.pings.empty():
        room.pings.get_nowait()
    page.evaluate("() => { document.dispatchEvent(new Event('visibilitychange')) }")
    room.pings.get(timeout=WAIT_S)
    assert room.bids.empty()


def _banner(page: Page, words: str) -> None:
    expect(page.locator("#banner")).to_contain_text(words)


# ── three truths ──────────────────────────────────────────────────────────────────────────────


def test_the_button_carries_the_asking_bid_and_sends_exactly_that(
    page: Page, saleroom: Saleroom
) -> None:
    """The amount on the button is the amount sent, with the last number seen."""
    _open(page, saleroom)
    expect(page.get_by_role("button", name="Bid €44,000")).to_be_visible()
    bid = _press(page, saleroom)
    assert bid.pop("cmdId")
    assert bid == {
        "type": "bid",
        "auctionId": AUCTION,
        "amount": 4_400_000,
        "kind": "bid",
        "seen": 41,
    }


def test_a_bid_is_never_shown_as_placed_before_its_result(page: Page, saleroom: Saleroom) -> None:
    """Held back, it is only being sent; answered, it leads; answered twice, it leads once."""
    _open(page, saleroom)
    bid = _press(page, saleroom)
    _banner(page, "Sending your bid of €44,000")
    _banner(page, "Not placed until the room answers")
    expect(page.locator("#price")).to_have_text("€42,000")
    expect(page.locator("#bids tr")).to_have_count(1)
    page.clock.run_for(2500)
    _banner(page, "Taking longer than usual")
    saleroom.send(saleroom.result(bid), saleroom.price(42, 4_400_000, 4_600_000, paddle=207))
    saleroom.send(saleroom.result(bid), saleroom.price(42, 4_400_000, 4_600_000, paddle=207))
    _banner(page, "You lead")
    expect(page.locator("#go")).to_have_text(re.compile("You lead at €44,000"))
    expect(page.locator("#bids tr")).to_have_count(2)
    expect(page).to_have_title(re.compile("^You lead · Lot 214"))


def test_a_refusal_says_why_and_what_would_pass(page: Page, saleroom: Saleroom) -> None:
    """The reason is in words, with the lowest amount that would be taken."""
    _open(page, saleroom)
    bid = _press(page, saleroom)
    saleroom.send(saleroom.refusal(bid, "below_asking_bid", wouldPass=4_600_000))
    _banner(page, "Your bid of €44,000 was not placed")
    _banner(page, "€46,000")
    expect(page.locator("#urgent")).to_contain_text("was not placed")


def test_accepted_but_passed_by_an_earlier_maximum_says_both(
    page: Page, saleroom: Saleroom
) -> None:
    """The bidder is told that their bid counted and that they do not lead."""
    _open(page, saleroom)
    bid = _press(page, saleroom)
    stands = {"price": 4_600_000, "askingBid": 4_800_000}
    personal = {"type": "outbid", "seq": 42, "at": NOW, "paddle": 118, "channel": "online"}
    saleroom.send(
        saleroom.result(bid, status="ACTIVE", **stands),
        {**personal, "why": "proxy", **stands},
        saleroom.price(42, 4_400_000, 4_600_000, paddle=207),
        saleroom.price(43, 4_600_000, 4_800_000, why="proxy"),
    )
    _banner(page, "was accepted, and passed at once by an earlier maximum")
    expect(page.get_by_role("button", name="Bid €48,000")).to_be_visible()


def test_outbid_is_told_at_once_and_aloud(page: Page, saleroom: Saleroom) -> None:
    """The one who led sees who leads now, and the button offers the next bid."""
    you = {"status": "WINNING", "paddle": 207, "max": None, "lastBidAmount": 1, "bidCount": 1}
    _open(page, saleroom, paddle=207, channel="online", you=you)
    _banner(page, "You lead")
    lost = {"price": 4_400_000, "askingBid": 4_600_000, "paddle": 118, "channel": "room"}
    saleroom.send(
        {"type": "outbid", "seq": 42, "at": NOW, "why": "bid", **lost},
        saleroom.price(42, 4_400_000, 4_600_000, channel="room"),
    )
    _banner(page, "You’ve been outbid")
    _banner(page, "Paddle 118 in the room leads")
    expect(page.locator("#urgent")).to_contain_text("outbid")
    expect(page).to_have_title(re.compile("^Outbid"))
    expect(page.get_by_role("button", name="Bid €46,000")).to_be_visible()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("rate_limited", "You are bidding too quickly. Try again in 2 seconds"),
        ("overloaded", "The saleroom is too busy to take it"),
        ("invalid", "could not read it"),
        ("unauthorized", "Sign in again"),
    ],
)
def test_an_error_is_shown_in_words(page: Page, saleroom: Saleroom, code: str, words: str) -> None:
    """Nothing entered the log, and the page says that the bid was not placed, and why."""
    _open(page, saleroom)
    bid = _press(page, saleroom)
    error = {"type": "error", "code": code, "message": "-", "cmdId": bid["cmdId"]}
    saleroom.send({**error, "retryAfterMs": 2000})
    _banner(page, "Your bid of €44,000 was not placed")
    _banner(page, words)
    expect(page.locator("#go")).to_contain_text("One moment")
    page.clock.run_for(2500)
    expect(page.get_by_role("button", name="Bid €44,000")).to_be_visible()


# ── one press, one bid, on the price that was read ────────────────────────────────────────────


def test_a_double_click_sends_one_bid(page: Page, saleroom: Saleroom) -> None:
    """The second click is part of the first press."""
    _open(page, saleroom)
    page.locator("#go").dblclick()
    saleroom.next_bid()
    _no_bid_left(page, saleroom)


def test_a_double_click_with_an_answer_in_between_sends_one_bid(
    page: Page, saleroom: Saleroom
) -> None:
    """Even when the refusal is faster than the second click."""
    _open(page, saleroom)
    page.clock.pause_at(page.evaluate("() => Date.now() + 1000"))
    bid = _press(page, saleroom)
    saleroom.send(saleroom.refusal(bid, "own_lot"))
    _banner(page, "your own lot")
    page.locator("#go").click()
    _no_bid_left(page, saleroom)


def test_a_second_click_does_not_follow_a_link_that_has_just_come(
    page: Page, saleroom: Saleroom
) -> None:
    """The refusal turns the button into a way to a higher limit; nobody has read that yet."""
    _open(page, saleroom)
    page.clock.pause_at(page.evaluate("() => Date.now() + 1000"))
    bid = _press(page, saleroom)
    saleroom.send(saleroom.refusal(bid, "over_limit"))
    link = page.get_by_role("link", name="Ask for a higher limit")
    link.click()
    _no_bid_left(page, saleroom)
    expect(link).to_be_focused()


def test_a_price_that_moves_under_the_finger_is_not_bid(page: Page, saleroom: Saleroom) -> None:
    """Finger down on €44,000, up on €46,000: no bid, and the page says so."""
    _open(page, saleroom)
    page.locator("#go").hover()
    page.mouse.down()
    saleroom.send(saleroom.price(42, 4_400_000, 4_600_000))
    expect(page.locator("#go")).to_contain_text("€46,000")
    page.clock.run_for(GUARD_MS)
    page.mouse.up()
    _banner(page, "The price moved. You have not bid")
    _no_bid_left(page, saleroom)
    page.locator("#go").click()
    assert saleroom.next_bid()["amount"] == 4_600_000


def test_a_press_within_600_ms_of_a_new_price_is_not_a_bid(page: Page, saleroom: Saleroom) -> None:
    """Nobody has read it yet.  After that time the same press bids."""
    _open(page, saleroom)
    page.clock.pause_at(page.evaluate("() => Date.now() + 1000"))
    saleroom.send(saleroom.price(42, 4_400_000, 4_600_000))
    expect(page.locator("#go")).to_contain_text("€46,000")
    page.locator("#go").click()
    _banner(page, "The price moved. You have not bid")
    _no_bid_left(page, saleroom)
    page.clock.run_for(GUARD_MS)
    page.locator("#go").click()
    assert saleroom.next_bid()["amount"] == 4_600_000


def test_the_keyboard_bids_once_and_keeps_its_place(page: Page, saleroom: Saleroom) -> None:
    """Enter on the button is one bid, and the focus stays on the button through the answer."""
    _open(page, saleroom)
    page.locator("#go").focus()
    page.keyboard.press("Enter")
    bid = saleroom.next_bid()
    saleroom.send(saleroom.result(bid))
    _banner(page, "You lead")
    expect(page.locator("#go")).to_be_focused()
    page.keyboard.press("Enter")
    _no_bid_left(page, saleroom)


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_the_button_is_in_the_same_place_in_every_state(
    page: Page, saleroom: Saleroom, size: tuple[int, int]
) -> None:
    """Open, sending, leading, outbid, refused, paused, offline, closed: one box."""
    page.set_viewport_size({"width": size[0], "height": size[1]})
    _open(page, saleroom)
    boxes = {"open": page.locator("#go").bounding_box()}

    def look(state: str, words: str) -> None:
        _banner(page, words)
        boxes[state] = page.locator(".go").bounding_box()

    bid = _press(page, saleroom)
    look("sending", "Sending")
    saleroom.send(saleroom.result(bid), saleroom.price(42, 4_400_000, 4_600_000, paddle=207))
    look("leading", "You lead")
    saleroom.send({"type": "outbid", "seq": 43, "why": "bid", "price": 4_600_000,
                   "askingBid": 4_800_000, "paddle": 118, "channel": "room"},
                  saleroom.price(43, 4_600_000, 4_800_000))  # fmt: skip
    look("outbid", "outbid")
    page.clock.run_for(GUARD_MS)
    bid = _press(page, saleroom)
    saleroom.send(saleroom.refusal(bid, "not_a_raise", seq=43, status="OUTBID"))
    look("refused", "was not placed")
    saleroom.send(saleroom.event("extended", 44, extensions=3, closesAt=NOW + 40_000))
    expect(page.locator("#extended")).to_have_text("extended 3 times.")
    boxes["extended"] = page.locator("#go").bounding_box()
    saleroom.send(saleroom.event("paused", 45, status="paused", closesAt=None))
    look("paused", "Bidding is paused")
    saleroom.lets_in = False
    saleroom.close()
    look("offline", "Connection lost")
    saleroom.page = lot(status="closed", outcome="sold", seq=50)
    saleroom.lets_in = True
    page.clock.run_for(10_000)
    look("closed", "Sold to paddle 118")
    assert len({json.dumps(box) for box in boxes.values()}) == 1, boxes


# ── the connection ────────────────────────────────────────────────────────────────────────────


def test_a_closed_line_is_loud_and_comes_back(page: Page, saleroom: Saleroom) -> None:
    """The price is greyed and dated, the button off; then it resumes where it stood."""
    _open(page, saleroom)
    saleroom.send(saleroom.price(42, 4_400_000, 4_600_000))
    expect(page.locator("#price")).to_have_text("€44,000")
    live = page.locator("#price").evaluate("(e) => getComputedStyle(e).color")
    saleroom.lets_in = False
    saleroom.close()
    _banner(page, "Connection lost. Bidding is paused for you")
    page.clock.run_for(4000)
    expect(page.locator("#banner-text")).to_have_text(re.compile(r"This price is \d+ seconds old"))
    expect(page.locator("#go")).to_have_attribute("aria-disabled", "true")
    assert page.locator("#price").evaluate("(e) => getComputedStyle(e).color") != live
    page.locator("#go").click(force=True)  # off, and pressed all the same
    first = saleroom.subscriptions.get(timeout=WAIT_S)
    saleroom.page = lot(seq=42, price=4_400_000, askingBid=4_600_000)
    saleroom.lets_in = True
    page.clock.run_for(10_000)
    again = saleroom.subscriptions.get(timeout=WAIT_S)
    assert (first["seq"], again["seq"], again["lineage"]) == (41, 42, "lineage-1")
    expect(page.locator("#link")).to_contain_text(LIVE)
    assert saleroom.bids.empty()


def test_two_missed_pongs_are_a_lost_line(page: Page, saleroom: Saleroom) -> None:
    """The socket stays open and says nothing: the page stops believing it."""
    _open(page, saleroom)
    saleroom.answers_pings = False
    saleroom.answers_subscriptions = False
    page.clock.run_for(16_000)
    _banner(page, "Connection lost. Bidding is paused for you")
    expect(page.locator("#link")).to_have_text("Reconnecting")
    saleroom.answers_pings = saleroom.answers_subscriptions = True
    page.clock.run_for(10_000)
    expect(page.locator("#link")).to_contain_text(LIVE)


def test_a_waiting_bid_is_sent_again_under_its_own_id(page: Page, saleroom: Saleroom) -> None:
    """The line breaks before the answer; the same bid goes again and its answer is shown."""
    _open(page, saleroom)
    bid = _press(page, saleroom)
    saleroom.close()
    page.clock.run_for(1000)
    again = saleroom.next_bid()
    assert again == bid
    saleroom.send(saleroom.result(again))
    _banner(page, "You lead")


def test_a_waiting_bid_survives_a_reload(page: Page, saleroom: Saleroom) -> None:
    """The page is reloaded while a maximum waits; it is sent again and its answer is shown."""
    _open(page, saleroom)
    page.get_by_label("Your maximum").fill("52,000")
    page.get_by_role("button", name="Set maximum").click()
    bid = saleroom.next_bid()
    assert (bid["kind"], bid["amount"]) == ("max", 5_200_000)
    page.reload()
    again = saleroom.next_bid()
    assert again == bid
    _banner(page, "Sending your maximum of €52,000")
    saleroom.send(saleroom.result(again, price=4_400_000, askingBid=4_600_000))
    _banner(page, "Your maximum bids for you, up to €52,000")
    page.reload()
    expect(page.locator("#link")).to_contain_text(LIVE)
    _no_bid_left(page, saleroom)


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        (1012, '{"retryAfterMs":5000}', "The saleroom is restarting"),
        (4008, "", "Your connection fell behind"),
        (1008, "", "Connection lost"),
    ],
)
def test_a_close_code_is_said_in_words(
    page: Page, saleroom: Saleroom, code: int, reason: str, words: str
) -> None:
    """Each way of being let go has its sentence, and the page comes back."""
    _open(page, saleroom)
    saleroom.lets_in = False
    saleroom.close(code, reason)
    _banner(page, words)
    saleroom.lets_in = True
    page.clock.run_for(10_000)
    expect(page.locator("#link")).to_contain_text(LIVE)


def test_a_restart_is_given_the_time_it_asked_for(page: Page, saleroom: Saleroom) -> None:
    """No try before ``retryAfterMs`` has passed."""
    _open(page, saleroom)
    page.clock.pause_at(page.evaluate("() => Date.now() + 1000"))
    saleroom.close(1012, '{"retryAfterMs":5000}')
    _banner(page, "restarting")
    page.clock.run_for(4900)
    assert saleroom.hellos.qsize() == 1
    page.clock.run_for(1500)
    expect(page.locator("#link")).to_contain_text(LIVE)
    assert saleroom.hellos.qsize() == 2


@pytest.mark.parametrize(
    ("code", "words"), [(4401, "Sign in to bid"), (4403, "You may watch, not bid")]
)
def test_without_the_right_to_bid_the_page_goes_on_watching(
    page: Page, saleroom: Saleroom, faults: Faults, code: int, words: str
) -> None:
    """Signed out or suspended: live prices, no button that bids."""
    faults.allow("session/ticket")  # nobody is signed in there any more
    _open(page, saleroom)
    saleroom.close(code)
    _banner(page, "Your account is suspended" if code == 4403 else "Connection lost")
    page.clock.run_for(1000)
    expect(page.locator("#link")).to_contain_text(LIVE)
    expect(page.locator(".act")).to_contain_text(words)
    assert "token" not in [saleroom.hellos.get(timeout=WAIT_S) for _ in range(2)][1]
    saleroom.send(saleroom.price(42, 4_400_000, 4_600_000))
    expect(page.locator("#price")).to_have_text("€44,000")


def test_a_missing_number_asks_for_a_snapshot(page: Page, saleroom: Saleroom) -> None:
    """After a gap the page believes only a whole snapshot."""
    _open(page, saleroom)
    saleroom.subscriptions.get(timeout=WAIT_S)
    saleroom.page = lot(seq=44, price=4_800_000, askingBid=5_000_000)
    saleroom.send(saleroom.price(44, 4_800_000, 5_000_000))
    assert "seq" not in saleroom.subscriptions.get(timeout=WAIT_S)
    expect(page.locator("#price")).to_have_text("€48,000")
    expect(page.locator("#link")).to_contain_text(LIVE)


def test_merged_prices_and_unknown_things_are_taken_in_stride(
    page: Page, saleroom: Saleroom
) -> None:
    """A merged event counts for all its numbers; unknown kinds, fields and text are passed over."""
    _open(page, saleroom)
    saleroom.send_text("not a frame")
    saleroom.send({"type": "weather", "seq": 42, "rain": True})
    saleroom.send(saleroom.price(45, 5_000_000, 5_200_000, merged=4, sparkle=1))
    saleroom.send(saleroom.price(46, 5_200_000, 5_400_000))
    expect(page.locator("#price")).to_have_text("€52,000")
    expect(page.locator("#bids")).to_contain_text("4 bids")
    assert saleroom.subscriptions.qsize() == 1


# ── the state of the lot ──────────────────────────────────────────────────────────────────────


def test_the_clock_runs_on_the_servers_time(page: Page, saleroom: Saleroom) -> None:
    """The device's clock is years off, and the countdown is right to the second."""
    _open(page, saleroom, closesAt=NOW + 47_000)
    expect(page.locator("#clock-digits")).to_have_text(re.compile("0:4[67]"))
    timer = page.get_by_role("timer")
    expect(timer).to_have_attribute("aria-live", "off")
    saleroom.send(saleroom.event("extended", 42, extensions=1, closesAt=NOW + 107_000))
    expect(page.locator("#clock-digits")).to_have_text(re.compile("1:4[4567]"))
    expect(page.locator("#extended")).to_have_text("extended once.")


def test_a_milestone_is_spoken_once(page: Page, saleroom: Saleroom) -> None:
    """At thirty seconds the polite region says so; the seconds themselves are not spoken."""
    saleroom.answers_pings = False  # so that only the page's own clock moves
    _open(page, saleroom, closesAt=NOW + 33_000)
    page.clock.run_for(3500)
    expect(page.locator("#polite")).to_have_text("30 seconds left")


def test_paused_and_unpaused(page: Page, saleroom: Saleroom) -> None:
    """Paused is said, the clock stops and the button is off; then all of it goes on."""
    _open(page, saleroom)
    saleroom.send(saleroom.event("paused", 42, status="paused", closesAt=None))
    _banner(page, "Bidding is paused")
    expect(page.locator("#clock-digits")).to_have_text("–:––")
    expect(page.locator("#go")).to_have_attribute("aria-disabled", "true")
    saleroom.send(saleroom.event("unpaused", 43))
    expect(page.get_by_role("button", name="Bid €44,000")).to_be_visible()


def test_not_open_yet_then_opened(page: Page, saleroom: Saleroom) -> None:
    """Before the opening there is a countdown and no bidding; the opening changes both."""
    waiting = {"status": "scheduled", "price": None, "paddle": None, "askingBid": 2_400_000}
    _open(page, saleroom, opensAt=NOW + 60_000, bidCount=0, **waiting)
    _banner(page, "Not open yet")
    expect(page.locator("#clock-label")).to_have_text("Opens in")
    stands = {"price": None, "askingBid": 2_400_000, "paddle": None, "bidCount": 0}
    saleroom.send(saleroom.event("opened", 42, **stands))
    _banner(page, "No bids yet")
    expect(page.get_by_role("button", name="Bid €24,000")).to_be_visible()


def test_sold_to_you_then_won(page: Page, saleroom: Saleroom) -> None:
    """The close names you, the settlement says won, and the button bids no more."""
    you = {"status": "WINNING", "paddle": 207, "max": None, "lastBidAmount": 1, "bidCount": 1}
    _open(page, saleroom, paddle=207, channel="online", you=you)
    closed = saleroom.event("closed", 42, status="closed", outcome="sold", paddle=207)
    saleroom.send(closed)
    _banner(page, "Sold to you, paddle 207")
    expect(page.locator("#price-label")).to_have_text("Hammer price")
    expect(page.get_by_role("link", name="See invoice and collection")).to_be_visible()
    saleroom.send(
        {"type": "won", "seq": 43, "at": NOW, "price": 4_200_000},
        saleroom.event("settled", 43, status="settled", paddle=207),
    )
    _banner(page, "Sold to you, paddle 207")


def test_passed_and_sold_to_another(page: Page, saleroom: Saleroom) -> None:
    """Each ending has its own words."""
    _open(page, saleroom)
    saleroom.send(saleroom.event("closed", 42, status="closed", outcome="sold"))
    _banner(page, "Sold to paddle 118")
    saleroom.page = lot(status="closed", outcome="passed", paddle=None)
    page.reload()
    _banner(page, "This lot was not sold")


def test_a_spectator_sees_everything_but_cannot_bid(page: Page, saleroom: Saleroom) -> None:
    """Live prices, and in the button's place the way to sign in and come back here."""
    saleroom.page = lot(None)
    _open(page, saleroom)
    link = page.get_by_role("link", name="Sign in to bid")
    expect(link).to_have_attribute("href", f"/sign-in?next=/lot/{AUCTION}")
    expect(page.locator("#go")).to_be_hidden()
    assert "token" not in saleroom.hellos.get(timeout=WAIT_S)
    saleroom.send(saleroom.price(42, 4_400_000, 4_600_000))
    expect(page.locator("#price")).to_have_text("€44,000")


# ── your maximum ──────────────────────────────────────────────────────────────────────────────


def test_a_large_maximum_is_asked_again_before_it_is_sent(page: Page, saleroom: Saleroom) -> None:
    """€520,000 where €52,000 was meant: nothing leaves until the question is answered."""
    _open(page, saleroom)
    page.get_by_label("Your maximum").fill("520,000")
    page.keyboard.press("Enter")
    expect(page.locator("#ask-question")).to_have_text("Is €520,000 right?")
    page.get_by_role("button", name="No, change it").click()
    _no_bid_left(page, saleroom)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Yes").click()
    bid = saleroom.next_bid()
    assert (bid["amount"], bid["kind"]) == (52_000_000, "max")


@pytest.mark.parametrize(("typed", "asked"), [("52.000,50", "€52,000.50"), ("52.50", "€52.50")])
def test_an_ambiguous_maximum_is_asked_back(
    page: Page, saleroom: Saleroom, typed: str, asked: str
) -> None:
    """Cents are written out in full in the question."""
    _open(page, saleroom)
    page.get_by_label("Your maximum").fill(typed)
    page.keyboard.press("Enter")
    expect(page.locator("#ask-question")).to_have_text(f"Is {asked} right?")
    _no_bid_left(page, saleroom)


@pytest.mark.parametrize("typed", ["", "52k", "-5", "1.2.3", "5e4"])
def test_an_unreadable_maximum_is_not_sent(page: Page, saleroom: Saleroom, typed: str) -> None:
    """The page says what it could not read, and that nothing was bid."""
    _open(page, saleroom)
    page.get_by_label("Your maximum").fill(typed)
    page.get_by_label("Your maximum").press("Enter")
    expect(page.locator("#limit-hint")).to_contain_text("You have not bid")
    _no_bid_left(page, saleroom)


def test_the_scripted_saleroom_resumes_only_where_it_stands() -> None:
    """The stand-in itself: at the same place it resumes, elsewhere it sends a snapshot."""
    room = Saleroom()
    same = {"type": "subscribe", "auctionId": AUCTION, "lineage": "lineage-1", "seq": 41}
    assert room._following(same)["type"] == "resumed"
    assert room._following({**same, "seq": 40}) == snapshot()
    with pytest.raises(queue.Empty):
        room.bids.get_nowait()
