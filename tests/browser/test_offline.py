"""What a browser keeps of the house, and what it shows when the house cannot be reached."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from gateway import pages, shell
from tests.browser import looks
from tests.browser.conftest import NewPage
from tests.browser.faults import Faults
from tests.browser.serving import serving

POLICY = "content-security-policy"
KEPT = """async () => {
  const found = {};
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    for (const { url } of await cache.keys()) found[new URL(url).pathname] = await (await cache.match(url)).text();
  }
  return found;
}"""

UNTIL_KEPT = """async ([wanted, unwanted]) => {
  const ends = performance.now() + 30_000;
  while (performance.now() < ends) {
    const names = await caches.keys();
    if (names.includes(wanted) && !names.includes(unwanted)) return names.sort();
    await new Promise((again) => setTimeout(again, 20));
  }
  throw new Error(`still kept: ${await caches.keys()}`);
}"""


async def _lot(request: Request) -> Response:
    """Any page of the house with a price on it."""
    page = pages.not_found_page(pages.Visit.of(request), "common.no-lot")
    html = bytes(page.body).decode().replace("</main>", "<p>€42,000</p></main>")
    return HTMLResponse(html, headers={"content-security-policy": page.headers[POLICY]})


async def _prices(_request: Request) -> Response:
    return JSONResponse({"price": 4_200_000})


def _house() -> Starlette:
    return Starlette(
        routes=[
            Route("/", _lot),
            Route("/api/v1/auctions", _prices),
            *shell.routes(),
            Mount("/static", StaticFiles(directory=pages.STATIC)),
        ]
    )


def _visited(page: Page, url: str) -> None:
    """Look at a page until the worker has taken over and knows the page's language."""
    page.goto(url)
    page.evaluate(UNTIL_KEPT, ["reader", ""])


def test_offline_nobody_reads_an_old_price(new_page: NewPage, faults: Faults) -> None:
    """With the house gone a page is no page but the words that say so, well built."""
    page = new_page(service_workers="allow")
    with serving(_house()) as url:
        _visited(page, url)
        expect(page.get_by_text("€42,000")).to_be_visible()
    faults.allow("ERR_CONNECTION_REFUSED", "ERR_FAILED")
    page.goto(url)
    expect(page.locator("h1")).to_have_text("You are offline. No bid has been placed.")
    expect(page.get_by_text("€42,000")).to_have_count(0)
    looks.is_well_built(page)
    page.goto(f"{url}/lot/auction_214")
    expect(page.locator("h1")).to_have_text("You are offline. No bid has been placed.")


def test_the_words_are_those_of_the_page_before(new_page: NewPage, faults: Faults) -> None:
    """Whoever read German is told in German, and the way back is the page asked for."""
    page = new_page(service_workers="allow", locale="de-DE")
    with serving(_house()) as url:
        _visited(page, url)
    faults.allow("ERR_CONNECTION_REFUSED", "ERR_FAILED")
    page.goto(f"{url}/lot/auction_214")
    expect(page.locator("h1")).to_have_text("Sie sind offline. Es wurde kein Gebot abgegeben.")
    again = page.get_by_role("link", name="Erneut versuchen")
    assert again.evaluate("(link) => link.href") == f"{url}/lot/auction_214"


def test_no_page_and_no_price_is_ever_kept(new_page: NewPage) -> None:
    """After reading, reloading and asking the API: only files of the shell, and no figure."""
    page = new_page(service_workers="allow")
    with serving(_house()) as url:
        _visited(page, url)
        page.reload()
        page.evaluate("() => fetch('/api/v1/auctions').then((answer) => answer.json())")
        page.evaluate("() => fetch('/?again').then((answer) => answer.text())")
        kept: dict[str, Any] = page.evaluate(KEPT)
    known = re.compile(r"/static/.+\.(js|css|woff2|svg)|/offline/(en-GB|de-DE)|/locale")
    assert [path for path in kept if not known.fullmatch(path)] == []
    assert "/static/phrases.js" in kept
    assert "/static/lots/mallet.jpg" not in kept
    for path, content in kept.items():
        assert "42,000" not in content or path.endswith(".js"), path


def test_another_version_takes_the_place_of_the_last(new_page: NewPage, monkeypatch: Any) -> None:
    """A file has changed: the worker is another, and keeps its own shell only."""
    page = new_page(service_workers="allow")
    with serving(_house()) as url:
        _visited(page, url)
        before = re.findall('VERSION = "(.*)"', shell._worker())[0]
        changed = shell._worker().replace(before, "another")
        monkeypatch.setattr(shell, "_worker", lambda: changed)
        page.evaluate("() => navigator.serviceWorker.ready.then((r) => r.update()).then(() => 0)")
        kept = page.evaluate(UNTIL_KEPT, ["shell-another", f"shell-{before}"])
        assert kept == ["reader", "shell-another"]
