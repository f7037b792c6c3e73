"""The screen in the saleroom: what the last row reads, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser import looks
from tests.browser.conftest import WAIT_MS, NewPage
from tests.browser.faults import Faults
from tests.browser.scripted_desk import NEXT, SALE, Desk

expect.set_options(timeout=WAIT_MS)

SIZES = ((1920, 1080), (1280, 800), (1024, 768), (768, 1024), (390, 844))


@pytest.fixture
def desk() -> Iterator[Desk]:
    played = Desk()
    played.sends_desk = False  # it is for consoles
    with played.serving():
        yield played


@pytest.fixture
def page(desk: Desk, new_page: NewPage) -> Page:
    """A screen that is put away before its saleroom."""
    return new_page()


def _open(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.url}/room/{SALE}")
    expect(page.locator("#asking")).to_have_text("€44,000")


def _is_well_built(page: Page) -> None:
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        for theme in ("dark", "light"):
            page.evaluate("(t) => { document.documentElement.dataset.theme = t }", theme)
            looks.keeps_the_rules(page)
        looks.stays_within_its_edges(page, [width])


def test_what_is_bid_and_what_is_asked(page: Page, desk: Desk) -> None:
    """The lot, the price with its paddle, the asking price as the largest, and the next lot."""
    _open(page, desk)
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Lot 214 A crackled celadon mallet vase"
    )
    expect(page.locator("#current")).to_have_text("€42,000118 in the room")
    expect(page.locator("#next")).to_have_text("Next: lot 215, White porcelain moon jar")
    desk.price(4_400_000, 4_600_000, 207, "online")
    expect(page.locator("#current")).to_have_text("€44,000207 online")
    expect(page.locator("#asking")).to_have_text("€46,000")
    largest = page.locator("#asking").evaluate("(e) => parseFloat(getComputedStyle(e).fontSize)")
    for other in (page.locator("#current"), page.locator("h1")):
        assert largest > other.evaluate("(e) => parseFloat(getComputedStyle(e).fontSize)")
    assert largest > 120, "the last row reads it"
    _is_well_built(page)


def test_there_is_nothing_to_press_and_nothing_private(page: Page, desk: Desk) -> None:
    """Not a button, and of the reserve and the left bids not a word, in the page's data neither."""
    _open(page, desk)
    expect(page.locator("main").locator("a,button,input")).to_have_count(0)
    text = page.content()
    assert "38,000" not in page.locator("body").inner_text()
    for word in ("consumer", "max", "token"):
        assert f'"{word}' not in text


def test_the_calls_and_the_close_are_said(page: Page, desk: Desk) -> None:
    """Fair warning, a pause, then sold; each in one word."""
    _open(page, desk)
    word = page.get_by_role("status").filter(has_text="Fair warning")
    desk.event("fair_warning", phase="fair_warning")
    expect(word).to_be_visible()
    desk.event("paused", status="paused")
    expect(page.locator(".word")).to_have_text("A brief pause")
    desk.event("unpaused", status="open")
    desk.event("closed", status="closed", outcome="sold")
    expect(page.locator(".word")).to_have_text("Sold")
    expect(page.locator("#current")).to_contain_text("€42,000")
    expect(page.locator("#asking")).to_have_count(0)
    _is_well_built(page)


def test_the_screen_turns_to_the_lot_that_is_on(page: Page, desk: Desk) -> None:
    """By itself, when another is opened."""
    _open(page, desk)
    desk.event("closed", status="closed", outcome="sold")
    desk.ring = NEXT
    desk.change(NEXT, status="open")
    expect(page.get_by_role("heading", level=1)).to_contain_text("White porcelain moon jar")
    expect(page.locator("#asking")).to_have_text("€80,000")


def test_before_the_first_lot(page: Page, desk: Desk) -> None:
    """The sale's name, and that it begins soon."""
    desk.ring = None
    page.goto(f"{desk.url}/room/{SALE}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Fine Ceramics")
    expect(page.locator(".word")).to_have_text("The sale begins soon")
    _is_well_built(page)


def test_a_lost_line_is_said(page: Page, desk: Desk, faults: Faults) -> None:
    """The price stays, with a word that it may be old; then it goes on."""
    faults.allow("WebSocket")
    _open(page, desk)
    desk.lets_in = False
    desk.close()
    expect(page.locator(".word")).to_have_text("Waiting for the saleroom")
    desk.lets_in = True
    expect(page.locator(".word")).to_have_text("")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size[0]))
def test_a_long_amount_is_shown_whole(page: Page, desk: Desk, size: tuple[int, int]) -> None:
    """Whatever the screen."""
    page.set_viewport_size({"width": size[0], "height": size[1]})
    _open(page, desk)
    desk.price(1_200_000_000_00, 1_250_000_000_00, 118, "room")
    expect(page.locator("#asking")).to_have_text("€1,250,000,000")
    looks.stays_within_its_edges(page, [size[0]])
    wide = "(e) => [e.scrollWidth, e.clientWidth]"
    needs, has = page.locator("#asking").evaluate(wide)
    assert needs <= has
