"""Two people in two browsers, a spectator beside them, and a whole house behind."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright, expect

from engine.core import increments
from engine.core.codec import encode_commands
from engine.core.messages import AddLot, Catalogue, Command, Terms, shard_of
from engine.streams import Log
from loadtests.house import House, open_house

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
OPEN_FOR_MS = 18_000
WINDOW_MS = 20_000
PATIENCE_MS = 20_000


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        try:
            yield chromium
        finally:
            await chromium.close()


async def add_closing_lot(house: House, open_for_ms: int) -> str:
    """A lot of the demonstration's sale that closes soon, with a soft close."""
    assert house.keys.demo is not None
    sale_id = house.keys.demo.sale_id
    auction_id = sale_id.replace("seq_", "auction_") + "_soon"
    log = await Log.open(house.log_url)
    try:
        now = await log.now()
        terms = Terms(
            opening=100_000,
            increments=increments.table([(0, 10_000)]),
            reserve=120_000,
            opens_at=now,
            closes_at=now + open_for_ms,
            extension_window_ms=WINDOW_MS,
            extension_ms=WINDOW_MS,
            max_extensions=1,
        )
        lot: Command = AddLot(auction_id, sale_id, terms, Catalogue("299", "A closing lot"))
        shard = shard_of(auction_id, house.settings.log.shards)
        await log.append([(shard, encode_commands([lot]))])
    finally:
        await log.close()
    return auction_id


async def visit(chromium: Browser, house: House, auction_id: str, bidder: int | None) -> Page:
    """A browser of one's own on the lot's page; None: nobody in particular."""
    context = await chromium.new_context(
        viewport={"width": 1280, "height": 800}, locale="en-GB", reduced_motion="reduce"
    )
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    assert house.keys.demo is not None
    url = f"http://127.0.0.1:{house.settings.port}/lot/{auction_id}"
    if bidder is not None:
        url = f"{house.keys.demo.bidders[bidder].url}?next=/lot/{auction_id}"
    await page.goto(url)
    await is_live(page)
    return page


async def go_to(page: Page, house: House, auction_id: str) -> None:
    """The lot's page, as soon as the gateway knows the lot."""
    url = f"http://127.0.0.1:{house.settings.port}/lot/{auction_id}"
    while (answer := await page.goto(url)) is None or answer.status == 404:
        pass
    await is_live(page)


async def is_live(page: Page) -> None:
    await expect(page.locator("body")).to_contain_text(re.compile("Live|Slow"), timeout=PATIENCE_MS)


async def press_bid(page: Page, amount: str) -> None:
    """Press the bid button when it asks for *amount*, past the guard after a price change, and
    confirm it: nobody has bid in this sale before, or has chosen not to."""
    button = page.get_by_role("button", name=f"Bid {amount}")
    await expect(button).to_be_enabled(timeout=PATIENCE_MS)
    await page.wait_for_timeout(700)  # the page takes no press within 600 ms of a new price
    await button.click()
    confirm = page.get_by_role("button", name=f"Confirm {amount}")
    await expect(confirm).to_be_visible(timeout=PATIENCE_MS)
    await page.wait_for_timeout(400)  # the second half of a double click confirms nothing
    await confirm.click()


async def test_two_browsers_bid_until_the_lot_is_sold(tmp_path: Path) -> None:
    """Outbid, winning, extended and closed are shown to each in their turn, and agree."""
    async with open_house({"DEMO": "1"}) as house, browser() as chromium:
        assert house.keys.demo is not None
        # They look at another lot first: a browser takes its time to start, and this lot has none.
        before = house.keys.demo.auction_ids[2]
        ada, bram, spectator = [
            await visit(chromium, house, before, bidder) for bidder in (0, 1, None)
        ]
        auction_id = await add_closing_lot(house, OPEN_FOR_MS)
        for page in (ada, bram, spectator):
            await go_to(page, house, auction_id)

        await press_bid(ada, "€1,000")
        await expect(ada.locator("body")).to_contain_text("You lead", timeout=PATIENCE_MS)
        await press_bid(bram, "€1,100")
        await expect(bram.locator("body")).to_contain_text("You lead", timeout=PATIENCE_MS)
        await expect(ada.locator("body")).to_contain_text("outbid", timeout=PATIENCE_MS)
        await expect(ada.locator("body")).to_contain_text("extended once", timeout=PATIENCE_MS)
        await press_bid(ada, "€1,200")
        await expect(ada.locator("body")).to_contain_text("Reserve met", timeout=PATIENCE_MS)
        await expect(bram.locator("body")).to_contain_text("outbid", timeout=PATIENCE_MS)

        for page in (ada, bram, spectator):
            body = page.locator("body")
            await expect(body).to_contain_text("Hammer price", timeout=2 * PATIENCE_MS)
            await expect(body).to_contain_text("€1,200")
            await page.screenshot(path=tmp_path / "closed.png")
        await expect(ada.locator("body")).to_contain_text(re.compile("you won|sold to you", re.I))
        await expect(bram.locator("body")).not_to_contain_text(
            re.compile("you won|sold to you", re.I)
        )
