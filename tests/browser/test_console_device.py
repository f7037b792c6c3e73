"""The console and the device that it runs on: a screen that stays awake, a page that is not shut
by a slip, and a key that may only watch."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser import looks
from tests.browser.conftest import WAIT_MS, NewPage
from tests.browser.faults import Faults
from tests.browser.scripted_desk import NEXT, SALE, Desk

expect.set_options(timeout=WAIT_MS)

AWAKE = """
window.locks = 0;
Object.defineProperty(navigator, 'wakeLock', { value: { request: async () => { window.locks += 1; } } });
"""


@pytest.fixture
def desk() -> Iterator[Desk]:
    played = Desk()
    with played.serving():
        yield played


@pytest.fixture
def page(desk: Desk, new_page: NewPage) -> Page:
    """A screen that is put away before its desk."""
    return new_page()


def _open(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.url}/console/{SALE}")
    expect(page.locator("#delay")).to_contain_text("ms")


def test_the_way_into_a_console(page: Page, desk: Desk) -> None:
    """The list of sales is a page like any other, and leads to the console of each."""
    page.goto(f"{desk.url}/console")
    looks.is_well_built(page)
    page.get_by_role("link", name="Open the console").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("A crackled celadon mallet vase")


def test_the_screen_is_kept_awake(page: Page, desk: Desk) -> None:
    """Asked for when the console opens, and again whenever it is looked at again."""
    page.add_init_script(AWAKE)
    _open(page, desk)
    assert page.evaluate("() => window.locks") == 1
    page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    assert page.evaluate("() => window.locks") == 2


@pytest.mark.parametrize("is_open", [True, False])
def test_a_page_with_an_open_lot_is_not_shut_by_a_slip(
    page: Page, desk: Desk, is_open: bool
) -> None:
    """The browser asks first while a lot is open, and only then."""
    _open(page, desk)
    expect(page.locator("#control")).to_have_text("You are in control")
    if not is_open:
        desk.event("closed", status="closed", outcome="sold")
        expect(page.locator("#call")).to_contain_text("Sold")
    leaving = "() => !dispatchEvent(new Event('beforeunload', { cancelable: true }))"
    assert page.evaluate(leaving) is is_open


def test_who_gets_no_ticket_watches_with_the_pages_own_key(
    page: Page, desk: Desk, faults: Faults
) -> None:
    """Without a desk the lot that is on is asked for, and followed by itself."""
    faults.allow("401")
    desk.watching, desk.gives_tickets, desk.sends_desk = True, False, False
    _open(page, desk)
    expect(page.locator("#current")).to_have_text("€42,000")
    desk.price(4_400_000, 4_600_000, 207, "online")
    expect(page.locator("#current")).to_have_text("€44,000")
    desk.ring = NEXT
    desk.change(NEXT, status="open")
    expect(page.get_by_role("heading", level=1)).to_contain_text("White porcelain moon jar")
