"""How long after a bid is taken is its price on six screens?

Six Chromium contexts, each a person of its own, show one lot of a whole house; somebody bids
by program, at a pace at which no price is merged with another.  A screen has seen a price in
the first animation frame after its text changed.  Screens, house and log share one machine and
so one clock.

The commit itself is seen by nobody: it lies between the instant at which the log took the bid
and the one at which its result came.  So two delays are given, one too long by the decision
and its fsync, the other too short by a result's way to its bidder.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

from playwright.async_api import Page, async_playwright

from engine.core.messages import (
    AddLot,
    Catalogue,
    Command,
    CreateSale,
    Mode,
    OpenLot,
    RegisterBidder,
    Table,
    Terms,
)
from engine.entering import enter
from engine.streams import Log
from loadtests.client import Client, dial_websocket
from loadtests.figures import Figure, table
from loadtests.house import House, HouseFailed, open_house, run_to_the_end

SCREENS = 6
BIDS = 40
STEADY = 5  # the first bids find a browser that is still busy with opening
PAUSE_S = 0.25  # between bids: five times as long as prices are merged for
SEEN_WITHIN_MS = 10_000
AIM_MS = 100.0
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]

_BIDDERS = ("cons_screens_1", "cons_screens_2")  # who leads does not move the price alone
_OPENING, _STEP = 10_000, 1_000

# Notes when each price was first on the screen.
_WATCH = """() => {
  window.seen = {};
  const price = document.querySelector("#price");
  const note = () => {
    const text = price.textContent.replace(/\\D/g, "");
    requestAnimationFrame(() => { window.seen[text] ??= Date.now(); });
  };
  new MutationObserver(note).observe(price, {childList: true, characterData: true, subtree: true});
}"""


async def measure(bids: int = BIDS) -> list[Figure]:
    """The delays of *bids* prices on every screen."""
    async with open_house() as house:
        return await house.while_open(_watched(house, bids))


async def _watched(house: House, bids: int) -> list[Figure]:
    auction_id = await _lot(house)
    url = f"http://127.0.0.1:{house.settings.port}/lot/{auction_id}"
    async with _screens(url) as pages, _clients(house) as clients:
        taken = [await _bid(clients[n % 2], auction_id, n) for n in range(1, bids + 1)]
        seen = [await _seen_by(page, taken[-1][0]) for page in pages]
    steady = taken[STEADY:]
    since_log = [float(one[price] - at) for price, at, _ in steady for one in seen]
    since_result = [float(one[price] - told) for price, _, told in steady for one in seen]
    return [
        *_figures("bid", "the log took the bid", since_log, AIM_MS),
        *_figures("result", "its bidder had the result", since_result, None),
    ]


def _figures(what: str, since: str, delays: list[float], aim: float | None) -> list[Figure]:
    ordered = sorted(delays)
    shares = {"p50": 0.5, "p95": 0.95, "slowest": 1.0}
    return [
        Figure(
            f"{what} → {SCREENS} screens, {name}",
            ordered[int(share * (len(ordered) - 1))],
            "ms",
            f"from the instant at which {since} to the frame that shows its price",
            aim=aim,
            lower=True,
        )
        for name, share in shares.items()
    ]


async def _bid(bidder: Client, auction_id: str, number: int) -> tuple[str, int, int]:
    """The price as a screen writes it, when the log took it, when its result came."""
    amount = _OPENING + number * _STEP
    answer = await bidder.bid(auction_id, secrets.token_hex(8), amount, "bid")
    told = time.time_ns() // 1_000_000
    await asyncio.sleep(PAUSE_S)
    return str(amount // 100), answer["at"], told


async def _seen_by(page: Page, last: str) -> dict[str, int]:
    await page.wait_for_function(
        "(last) => window.seen[last] !== undefined", arg=last, timeout=SEEN_WITHIN_MS
    )
    seen: dict[str, int] = await page.evaluate("() => window.seen")
    return seen


@contextlib.asynccontextmanager
async def _screens(url: str) -> AsyncIterator[list[Page]]:
    """Pages of the lot, each in a context of its own, live and watched."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGS)
        try:
            yield [await _screen(browser, url) for _ in range(SCREENS)]
        finally:
            await browser.close()


async def _screen(browser: Any, url: str) -> Page:
    context = await browser.new_context(locale="en-GB")
    page: Page = await context.new_page()
    await page.goto(url)
    await page.locator("#link").get_by_text("ms").wait_for()
    await page.evaluate(_WATCH)
    return page


@contextlib.asynccontextmanager
async def _clients(house: House) -> AsyncIterator[list[Client]]:
    clients = [Client(dial_websocket(house.socket_url), house.bidder(one)) for one in _BIDDERS]
    running = [asyncio.create_task(client.run()) for client in clients]
    try:
        yield clients
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _lot(house: House) -> str:
    """A lot that is open, of a sale that takes the bidder."""
    sale_id, auction_id = "seq_screens", "auction_screens_1"
    terms = Terms(opening=_OPENING, increments=Table((0,), (_STEP,)))
    mode: Mode = "live" if house.keys.publishable_key.startswith("pk_live_") else "test"
    commands: list[Command] = [
        CreateSale(sale_id, "Screens", "EUR", 2, mode=mode),
        *(RegisterBidder(sale_id, bidder) for bidder in _BIDDERS),
        AddLot(auction_id, sale_id, terms, Catalogue("1", "A bowl")),
        OpenLot(auction_id),
    ]
    log = await Log.open(house.log_url)
    try:
        await enter(log, house.settings.log.shards, commands)
    finally:
        await log.close()
    return auction_id


def main() -> int:
    """Measure, and print the table; 1 where the house failed."""
    try:
        print(table(run_to_the_end(measure())))
    except HouseFailed as failed:
        print(f"screens: {failed}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
