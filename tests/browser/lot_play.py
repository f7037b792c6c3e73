"""A lot page and the saleroom behind it, played together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from playwright.sync_api import Page, expect

from gateway import pages
from gateway.lotpage import Place
from tests.gateway.scripted_saleroom import AUCTION, BIDDER, WAIT_S, Frame, Saleroom, lot

GUARD_MS = 700  # past the 600 ms in which a new price is not yet read
DEAD_MS = 400  # past the 350 ms in which a confirmation is part of the press before it
# A bidder who has bid in this sale before and does not want to confirm each bid.
AT_ONCE = (
    """localStorage.setItem('fairwarning.confirm.seq_1.207', '{"each":false,"hasBid":true}')"""
)
LEADS = {"status": "WINNING", "paddle": 207, "max": None, "lastBidAmount": 1, "bidCount": 1}
BEATEN = {**LEADS, "status": "OUTBID"}


class Play:
    """One page of the lot, and what is said to it."""

    def __init__(self, page: Page, room: Saleroom) -> None:
        self.page = page
        self.room = room

    def open(
        self,
        *,
        session: pages.Session | None = BIDDER,
        place: Place | None = None,
        confirms: bool = False,
        **changes: Any,
    ) -> Play:
        """Open the lot as this viewer, and wait until the page is live.  Its clock obeys the
        test."""
        shown = lot(session, **changes)
        self.room.page = replace(shown, place=place) if place else shown
        if not confirms:
            self.page.add_init_script(AT_ONCE)
        self.page.clock.install()
        self.page.goto(f"{self.room.url}/lot/{AUCTION}")
        expect(self.page.locator("html")).to_have_attribute("data-link", "live")
        return self

    def press(self) -> None:
        """Press the button."""
        self.page.locator("#go").click()

    def bid(self) -> Frame:
        """Press the button, and take the bid that left."""
        self.press()
        return self.room.next_bid()

    def hear(self, *frames: Frame) -> None:
        """The saleroom says this."""
        self.room.send(*frames)

    def shows(self, *words: str) -> None:
        """The banner has these words."""
        for part in words:
            expect(self.page.locator("#banner")).to_contain_text(part)

    def offers(self, label: str) -> None:
        """The button, or the way that is in its place, reads so."""
        expect(self.page.locator(".go")).to_have_text(label)

    def says(self, where: str, words: str) -> None:
        """A screen reader is told so."""
        self.page.clock.run_for(GUARD_MS)  # what is polite waits for as long as a price is young
        expect(self.page.locator(f"#{where}")).to_contain_text(words)

    def has_sent_no_bid(self) -> None:
        """Nothing was sent: the page asks the time now, and what left before it has arrived."""
        while not self.room.pings.empty():
            self.room.pings.get_nowait()
        self.page.evaluate("() => { document.dispatchEvent(new Event('visibilitychange')) }")
        self.room.pings.get(timeout=WAIT_S)
        assert self.room.bids.empty()
