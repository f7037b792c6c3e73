"""Pictures of a house's pages for the documentation, from a real evening at it.

    make run                                          # a fresh house, in another terminal
    .venv/bin/python tools/screenshots.py var/keys.json http://127.0.0.1:8000 docs/screens

Three bidders, one with a telephone, and the auctioneer sell the first lot of the demonstration's
evening sale.  Sizes, motion and language are fixed, so that two pictures of one page differ only
where it does; they are kept in 256 colours, for they are shipped.
"""

from __future__ import annotations

import json
import os
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
DESK = {"width": 1280, "height": 800}
TELEPHONE = {"width": 390, "height": 844}
GUARD_MS = 700  # a page takes no press within 600 ms of a new price
AGAIN_MS = 400  # nor a confirmation within 350 ms of the press, nor the hammer one within 250 ms


class Evening:
    """A house, who is in it, and where the pictures go."""

    def __init__(self, browser: Browser, keys: dict[str, Any], url: str, folder: Path) -> None:
        self.browser = browser
        self.demo = keys["demo"]
        self.url = url
        self.folder = folder
        self.sale = self.demo["sale_id"] + "evening"
        self.lot = f"/lot/auction_{self.sale.split('_')[1]}_1"

    def visitor(self, size: dict[str, int], **options: Any) -> Page:
        usual = {"viewport": size, "locale": "en-GB", "timezone_id": "Europe/London"}
        context = self.browser.new_context(**{**usual, **options}, reduced_motion="reduce")
        return context.new_page()

    def bidder(self, number: int, size: dict[str, int], path: str, **options: Any) -> Page:
        """A bidder of the demonstration, signed in and on that page."""
        page = self.visitor(size, **options)
        page.goto(f"{self.demo['bidders'][number]['url']}?next={path}")
        return page

    def picture(self, page: Page, name: str) -> None:
        page.evaluate("() => document.fonts.ready")
        page.wait_for_load_state("networkidle")
        image = Image.open(BytesIO(page.screenshot())).convert("RGB").quantize(256)
        image.save(self.folder / f"{name}.png", optimize=True)

    def visited(self, page: Page, path: str, name: str) -> None:
        page.goto(self.url + path)
        self.picture(page, name)


def bid(page: Page) -> None:
    """Press what is on the button, and again where the page asks."""
    page.wait_for_timeout(GUARD_MS)
    page.locator("#go").click()
    page.wait_for_timeout(AGAIN_MS)
    if "Confirm" in page.locator("#go").inner_text():
        page.locator("#go").click()
    expect(page.locator("#banner-head")).to_have_text("You lead")


def sell(evening: Evening) -> None:
    """The first lot, from the opening to the hammer."""
    anna, ben = (evening.bidder(number, DESK, evening.lot) for number in (0, 1))
    phone = evening.bidder(2, TELEPHONE, evening.lot, has_touch=True, is_mobile=True)
    console = evening.visitor(DESK)
    console.goto(evening.demo["console_url"])
    console.goto(f"{evening.url}/console/{evening.sale}")
    console.get_by_role("button", name="Open lot 1").click()
    for _ in range(4):
        console.get_by_role("button", name="Room").click()
        console.wait_for_timeout(AGAIN_MS)
        bid(anna)
        bid(ben)
    console.get_by_role("switch").click()  # from now on online bids wait for the auctioneer
    bid_and_wait(phone)
    evening.picture(console, "console-online-waiting")
    evening.picture(phone, "lot-phone-waiting")
    console.keyboard.press("i")
    expect(phone.locator("#banner-head")).to_have_text("You lead")
    evening.picture(anna, "lot-outbid")
    console.keyboard.press("w")
    expect(ben.locator("#call")).to_have_text("Fair warning")
    evening.picture(ben, "lot-fair-warning")
    evening.picture(phone, "lot-phone-leading")
    room = evening.visitor(DESK)
    evening.visited(room, f"/room/{evening.sale}", "room")
    console.keyboard.press("h")
    evening.picture(console, "console-armed")
    console.keyboard.press("h")
    console.get_by_role("button", name="Open lot 2").wait_for()
    evening.picture(console, "console-sold")
    evening.picture(phone, "lot-phone-sold")
    evening.visited(anna, "/me", "my-bids")


def bid_and_wait(page: Page) -> None:
    """A bid that the auctioneer takes by hand."""
    page.wait_for_timeout(GUARD_MS)
    page.locator("#go").click()
    page.wait_for_timeout(AGAIN_MS)
    page.locator("#go").click()
    expect(page.locator("#banner")).to_contain_text("auctioneer")


def look_around(evening: Evening) -> None:
    """The pages that need no bidding."""
    visitor = evening.visitor(DESK)
    evening.visited(visitor, f"/sale/{evening.demo['sale_id']}", "catalogue")
    german = evening.bidder(
        3,
        DESK,
        f"/lot/{evening.demo['auction_ids'][0]}",
        locale="de-DE",
        timezone_id="Europe/Berlin",
        color_scheme="dark",
    )
    evening.picture(german, "lot-german-dark")
    clerk = evening.visitor(DESK)
    clerk.goto(evening.demo["admin_url"])
    evening.visited(clerk, f"/admin/sale/{evening.sale}", "admin-sale")
    evening.visited(clerk, f"/admin/sale/{evening.sale}/results", "admin-results")
    stranger = evening.visitor(TELEPHONE)
    evening.visited(stranger, f"/verify/{evening.demo['serials'][0]}", "verify-phone")


def main(keys: str, url: str, folder: str) -> None:
    """Hold the evening, and keep its pictures."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        evening = Evening(browser, json.loads(Path(keys).read_text()), url, Path(folder))
        sell(evening)
        look_around(evening)
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
