"""The ten rules that decide whether a bidder can trust the lot room, one test each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from tests.browser import looks
from tests.browser.conftest import NewPage
from tests.browser.faults import Faults
from tests.browser.lot_play import BEATEN, DEAD_MS, GUARD_MS, Play
from tests.gateway.scripted_saleroom import AUCTION, NOW, WAIT_S, Saleroom, lot, snapshot


@pytest.fixture
def saleroom() -> Iterator[Saleroom]:
    room = Saleroom()
    with room.serving():
        yield room


@pytest.fixture
def play(saleroom: Saleroom, new_page: NewPage, faults: Faults) -> Play:
    """A bidder's page and its saleroom; the page is closed first."""
    faults.allow("WebSocket connection to")  # a saleroom that lets nobody in is part of the play
    return Play(new_page(), saleroom)


def test_rule_1_the_price_is_on_the_button_and_what_is_seen_is_what_is_sent(play: Play) -> None:
    """The amount and the last number seen leave with the press, never "current + increment"."""
    play.open()
    play.offers("Bid €44,000")
    bid = play.bid()
    assert bid.pop("cmdId")
    seen = {"amount": 4_400_000, "kind": "bid", "seen": 41}
    assert bid == {"type": "bid", "auctionId": AUCTION, **seen}


def test_rule_2_a_price_that_moved_under_the_finger_is_not_bid(play: Play) -> None:
    """Between finger-down and finger-up, and within 600 ms: no bid, and it is said."""
    play.open()
    play.page.clock.pause_at(play.page.evaluate("() => Date.now() + 1000"))
    play.page.locator("#go").hover()
    play.page.mouse.down()
    play.hear(play.room.price(42, 4_400_000, 4_600_000))
    play.offers("Bid €46,000")
    play.page.clock.run_for(GUARD_MS)
    play.page.mouse.up()
    play.shows("The price moved. You have not bid")
    play.hear(play.room.price(43, 4_600_000, 4_800_000))
    play.offers("Bid €48,000")
    play.press()
    play.shows("The price moved. You have not bid")
    play.has_sent_no_bid()
    play.page.clock.run_for(GUARD_MS)
    assert play.bid()["amount"] == 4_800_000


def test_rule_3_one_id_for_one_intent(play: Play) -> None:
    """After a break, and after a reload, the same bid goes again under the same id."""
    play.open()
    bid = play.bid()
    play.room.close()
    play.page.clock.run_for(1_000)
    assert play.room.next_bid() == bid
    play.page.reload()
    assert play.room.next_bid() == bid
    play.hear(play.room.result(bid))
    play.shows("You lead")


def test_rule_4_no_bid_is_shown_before_it_is_answered(play: Play) -> None:
    """Held back it is being sent; delivered twice it leads once."""
    play.open()
    bid = play.bid()
    play.shows("Sending your bid of €44,000")
    expect(play.page.locator("#price")).to_have_text("€42,000")
    expect(play.page.locator("#bids tr")).to_have_count(1)
    answer = (play.room.result(bid), play.room.price(42, 4_400_000, 4_600_000, paddle=207))
    play.hear(*answer, *answer)
    play.shows("You lead")
    expect(play.page.locator("#bids tr")).to_have_count(2)


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_rule_5_the_button_never_moves(play: Play, size: tuple[int, int]) -> None:
    """Open, armed, sending, leading, outbid, offline: one box.  (All states: the states' test.)"""
    play.page.set_viewport_size({"width": size[0], "height": size[1]})
    play.open(confirms=True)
    at = looks.box(play.page.locator(".go"))

    def stays(label: str) -> None:
        play.offers(label)
        assert looks.box(play.page.locator(".go")) == at, label

    play.press()
    stays("Confirm €44,000")
    play.page.clock.run_for(DEAD_MS)
    bid = play.bid()
    stays("Sending €44,000…")
    play.hear(play.room.result(bid), play.room.price(42, 4_400_000, 4_600_000, paddle=207))
    stays("You lead at €44,000")
    lost = {"price": 4_600_000, "askingBid": 4_800_000, "paddle": 118, "channel": "room"}
    outbid = {"type": "outbid", "seq": 43, "at": NOW, "why": "bid", **lost}
    play.hear(outbid, play.room.price(43, 4_600_000, 4_800_000))
    stays("Bid €48,000")
    play.room.lets_in = False
    play.room.close()
    stays("Waiting for the saleroom")


def test_rule_6_offline_is_loud(play: Play) -> None:
    """The socket stays open and says nothing; after two pongs the price is grey and dated."""
    play.open()
    live = play.page.locator("#price").evaluate("(e) => getComputedStyle(e).color")
    play.room.answers_pings = play.room.answers_subscriptions = False
    play.page.clock.run_for(16_000)
    play.shows("Connection lost. Bidding is paused for you")
    expect(play.page.locator("#banner-text")).to_have_text(re.compile(r"This price is \d+ seconds"))
    expect(play.page.locator("#go")).to_have_attribute("aria-disabled", "true")
    assert play.page.locator("#price").evaluate("(e) => getComputedStyle(e).color") != live
    play.page.locator("#go").click(force=True)  # off, and pressed all the same
    assert play.room.bids.empty()
    play.room.answers_pings = play.room.answers_subscriptions = True
    play.page.clock.run_for(10_000)
    play.says("polite", "Connected again. Current bid €42,000")


def test_rule_6_is_quicker_while_the_lot_is_closing(play: Play) -> None:
    """In the last minute two missed pongs are four seconds."""
    play.open(closesAt=NOW + 50_000)
    play.room.answers_pings = play.room.answers_subscriptions = False
    play.page.clock.run_for(6_500)
    play.shows("Connection lost")


def test_rule_7_the_countdown_runs_on_the_servers_time(play: Play) -> None:
    """The device's clock is years off; an extension is one message, and it is said."""
    play.open(closesAt=NOW + 47_000)
    digits = play.page.locator("#clock-digits")
    expect(digits).to_have_text(re.compile("0:4[4567]"))
    expect(play.page.get_by_role("timer")).to_have_attribute("aria-live", "off")
    play.hear(play.room.event("extended", 42, extensions=1, closesAt=NOW + 107_000))
    expect(digits).to_have_text(re.compile("1:4[34567]"))
    expect(play.page.locator("#note")).to_contain_text("extended once.")


def test_rule_8_a_confirmation_is_two_presses_and_no_double_click(play: Play) -> None:
    """As the hammer is: dead for 350 ms, gone after five seconds or at any other price."""
    play.open(confirms=True)
    play.page.clock.pause_at(play.page.evaluate("() => Date.now() + 1000"))
    play.page.locator("#go").dblclick()
    play.offers("Confirm €44,000")
    play.page.clock.run_for(5_200)
    play.offers("Bid €44,000")
    play.press()
    play.hear(play.room.price(42, 4_400_000, 4_600_000))
    play.shows("The price moved. You have not bid")
    play.offers("Bid €46,000")
    play.has_sent_no_bid()
    play.page.clock.run_for(GUARD_MS)
    play.press()
    play.page.keyboard.press("Escape")
    play.offers("Bid €46,000")
    play.press()
    play.page.clock.run_for(DEAD_MS)
    assert play.bid()["amount"] == 4_600_000


def test_rule_9_states_have_words_and_keys_can_be_switched_off(play: Play) -> None:
    """Outbid is a word, an icon and a button's label; no key does anything until asked to."""
    play.open(you=BEATEN, confirms=True)
    play.shows("You’ve been outbid")
    expect(play.page.locator("#banner use")).to_have_attribute("href", "#i-up")
    expect(play.page).to_have_title(re.compile("^Outbid · Lot 214"))
    play.page.keyboard.press("b")
    play.offers("Bid €44,000")
    play.page.get_by_role("switch", name=re.compile("^Keys")).click()
    play.page.keyboard.press("b")
    play.offers("Confirm €44,000")
    play.page.keyboard.press("Escape")
    play.offers("Bid €44,000")
    play.page.keyboard.press("m")
    expect(play.page.get_by_label("Your maximum")).to_be_focused()
    play.page.keyboard.press("b")  # typed into the field
    play.offers("Bid €44,000")
    play.has_sent_no_bid()


def test_rule_10_the_total_is_under_the_button_before_it_is_pressed(play: Play) -> None:
    """With premium and tax, for the amount on the button, a jump's too."""
    play.open()
    cost = play.page.locator("#cost")
    expect(cost).to_have_text("€57,728 with premium and VAT")
    expect(play.page.locator("#go")).to_have_attribute("aria-describedby", "cost")
    play.page.get_by_role("button", name="€48,000").click()
    play.offers("Confirm €48,000")
    expect(cost).to_have_text("€62,976 with premium and VAT")
    play.page.clock.run_for(DEAD_MS)
    assert play.bid()["amount"] == 4_800_000


# ── Confirming, and how a bidder chooses ─────────────────────────────────────────────────


def test_the_first_bid_of_a_sale_is_always_confirmed_and_the_choice_is_kept(play: Play) -> None:
    """Whoever wants one press gets it from their second bid on, on every page of the sale."""
    play.open(confirms=True)
    play.page.get_by_role("switch", name="Ask me to confirm each bid").click()
    play.press()
    play.page.clock.run_for(DEAD_MS)
    bid = play.bid()
    play.hear(play.room.refusal(bid, "not_a_raise"))
    play.page.reload()
    expect(play.page.locator("html")).to_have_attribute("data-link", "live")
    switch = play.page.get_by_role("switch", name="Ask me to confirm each bid")
    expect(switch).to_have_attribute("aria-checked", "false")
    assert play.bid()["amount"] == 4_400_000


def test_a_first_maximum_is_asked_for_once_more(play: Play) -> None:
    """A maximum can be the first bid of a sale, too."""
    play.open(confirms=True)
    play.page.get_by_label("Your maximum").fill("52,000")
    play.page.keyboard.press("Enter")
    expect(play.page.locator("#ask-question")).to_have_text("Is €52,000 right?")
    play.page.get_by_role("button", name="Yes").click()
    bid = play.room.next_bid()
    assert (bid["amount"], bid["kind"]) == (5_200_000, "max")


def test_a_bid_is_left_before_a_live_lot_is_opened(play: Play) -> None:
    """The auctioneer has it from then on, and the page says so."""
    play.open(format="live", closesAt=None, status="scheduled", price=None, paddle=None)
    play.page.get_by_label("Leave a bid").fill("46,000")
    play.page.keyboard.press("Enter")
    bid = play.room.next_bid()
    assert (bid["amount"], bid["kind"]) == (4_600_000, "max")
    stands = {"status": "ACTIVE", "price": None, "askingBid": 2_400_000, "seq": 41}
    play.hear(play.room.result(bid, **stands))
    play.shows("Your bid of €46,000 is left with the auctioneer")


# ── Live lots ────────────────────────────────────────────────────────────────────────────


def test_a_finger_on_the_button_is_told_to_the_auctioneer_of_a_live_lot(play: Play) -> None:
    """On when it comes, off when it goes, and said on the page; on a timed lot never."""
    play.open(format="live", closesAt=None)
    expect(play.page.locator("#note")).to_contain_text("when your finger is on the button")
    play.page.locator("#go").hover()
    assert play.room.fingers.get(timeout=WAIT_S)["on"] is True
    play.page.locator("h1").hover()
    play.page.clock.run_for(GUARD_MS)
    assert play.room.fingers.get(timeout=WAIT_S)["on"] is False


def test_no_finger_is_told_on_a_timed_lot(play: Play) -> None:
    """There is no auctioneer to be told."""
    play.open()
    play.page.locator("#go").hover()
    play.has_sent_no_bid()
    assert play.room.fingers.empty()


def test_when_a_live_lot_ends_the_page_goes_to_the_next_unless_its_reader_stays(
    play: Play,
) -> None:
    """Five seconds, counted down under the button, and one press to stay."""
    play.open(format="live", closesAt=None)
    closed = play.room.event("closed", 42, status="closed", outcome="sold", closesAt=None)
    play.hear(closed)
    expect(play.page.locator("#cost")).to_contain_text(re.compile("Next lot in [345] s"))
    play.page.get_by_role("button", name="Stay on this lot").click()
    play.page.clock.run_for(6_000)
    expect(play.page.get_by_role("link", name="Go to lot 215")).to_be_visible()
    play.page.reload()  # a lot that was over when the page was opened takes nobody along
    play.room.page = lot(format="live", closesAt=None)
    play.page.reload()
    expect(play.page.locator("html")).to_have_attribute("data-link", "live")
    play.hear(closed)
    expect(play.page.locator("#cost")).to_contain_text("Next lot in")
    with play.page.expect_navigation(url="**/lot/auction_215"):
        play.page.clock.run_for(6_000)


def test_an_undone_bid_is_struck_through_in_the_list(play: Play) -> None:
    """It stays where it was, and says that it was taken back."""
    play.open(format="live", closesAt=None)
    play.hear(play.room.price(42, 4_400_000, 4_600_000, channel="room"))
    back = {"price": 4_200_000, "askingBid": 4_400_000, "paddle": None}
    play.room.page = replace(play.room.page, snapshot=snapshot(seq=43, format="live", **back))
    play.hear(play.room.event("undone", 43, **back, reason="Not a bid.", toSeq=41))
    play.shows("The last bid was taken back", "The auctioneer: Not a bid.")
    row = play.page.locator("#bids tr").first
    expect(row.locator("s")).to_have_text("€44,000")
    expect(row).to_contain_text("taken back")
