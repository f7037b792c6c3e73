"""What every page of the house has around its content, in a real browser under its policy."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from types import SimpleNamespace

import pytest
from playwright.sync_api import Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from gateway import catalogue, languages, pages, scripts
from gateway.core.currencies import EXPONENTS
from gateway.core.money import format_money
from gateway.core.phrases import LANGUAGES, LOCALES, Language
from gateway.core.view import Saleroom
from tests.browser import looks
from tests.browser.conftest import NewPage
from tests.browser.faults import Faults
from tests.browser.serving import serving
from tests.gateway.decisions import decided, sale_of_lots

SCRIPT = f'<script type="module" src="{scripts.url_of(pages.STATIC, "catalogue.js")}"></script>'
AMOUNTS = (0, 1, 5, 10, 99, 100, 1_000, 99_999, 4_400_000, 4_400_050, 123_456_789_012, -4_400_005)
ELEMENT = """
import { LitElement, html, repeat } from "/static/vendor/lit.js";
customElements.define("lot-log", class extends LitElement {
  createRenderRoot() { this.replaceChildren(); return this; }
  render() { return html`<ol>${repeat([1, 2], (n) => n, (n) => html`<li>bid ${n}</li>`)}</ol>`; }
});
"""


async def _catalogue(request: Request) -> Response:
    saleroom = Saleroom()
    for place, event in enumerate(decided(sale_of_lots())):
        saleroom.fold(0, place, event)
    [sale], [lot] = saleroom.sales.values(), saleroom.lots.values()
    listing = catalogue.Listing(sale, UTC, [catalogue.card_of(lot)], 1, 1)
    page = catalogue.front_page(pages.Visit.of(request), [listing])
    html = bytes(page.body).decode()
    assert SCRIPT in html
    html = html.replace(SCRIPT, "")  # there is no saleroom to follow
    html = html.replace("/lots/a.jpg", "/lots/mallet.jpg")
    return HTMLResponse(html, headers={"content-security-policy": _policy(page)})


async def _no_page(request: Request) -> Response:
    return pages.not_found_page(pages.Visit.of(request), "common.no-page")


async def _element(_request: Request) -> Response:
    return Response(ELEMENT, media_type="text/javascript")


async def _live(request: Request) -> Response:
    """The front page with a lot-log of Lit's in it, and a breach of the policy if asked for."""
    page = await _catalogue(request)
    added = '<script type="module" src="/element.js"></script><lot-log>before</lot-log>'
    if "breach" in request.query_params:
        added += "<script>document.title = 'breached'</script>"
    html = bytes(page.body).decode().replace("</main>", f"{added}</main>")
    return HTMLResponse(html, headers={"content-security-policy": _policy(page)})


def _policy(page: Response) -> str:
    return page.headers["content-security-policy"]


@pytest.fixture(scope="module")
def house() -> Iterator[str]:
    """A house of two pages and the switch of languages."""
    app = Starlette(
        routes=[
            Route("/", _catalogue),
            Route("/nothing", _no_page),
            Route("/live", _live),
            Route("/element.js", _element),
            *languages.routes(),
            Mount("/static", StaticFiles(directory=pages.STATIC)),
        ]
    )
    app.state.gateway = SimpleNamespace(settings=SimpleNamespace(public_url="http://house.example"))
    with serving(app) as url:
        yield url


@pytest.mark.parametrize("locale", LOCALES.values())
@pytest.mark.parametrize("path", ["/", "/nothing"])
def test_the_pages_are_well_built_in_each_language(
    new_page: NewPage, house: str, path: str, locale: str, faults: Faults
) -> None:
    """Rules, edges, double text and targets."""
    faults.allow("status of 404")  # the browser says so of the page that is one
    page = new_page(locale=locale)
    page.goto(house + path)
    expect(page.locator("html")).to_have_attribute("lang", locale)
    looks.is_well_built(page)


def test_the_dark_theme_keeps_the_rules_too(new_page: NewPage, house: str) -> None:
    """Contrast is measured in both."""
    page = new_page(color_scheme="dark")
    page.goto(house)
    looks.keeps_the_rules(page)


def test_the_keyboard_reaches_the_content_first(page: Page, house: str) -> None:
    """The first stop leads past the header."""
    page.goto(house)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the lots")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_both_live_regions_are_there_from_the_start(new_page: NewPage, house: str) -> None:
    """A screen reader hears only regions that it has seen before they speak."""
    page = new_page(java_script_enabled=False)
    page.goto(house)
    expect(page.locator("#polite")).to_have_attribute("role", "status")
    expect(page.locator("#urgent")).to_have_attribute("role", "alert")


def test_the_switch_of_languages_needs_no_script(new_page: NewPage, house: str) -> None:
    """It comes back to the page it was made on, in the other language, and stays so."""
    page = new_page(java_script_enabled=False)
    page.goto(f"{house}/?sale=1")
    page.get_by_role("button", name="Deutsch").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Katalog")
    expect(page).to_have_url(f"{house}/?sale=1")
    expect(page.get_by_role("button", name="Deutsch")).to_have_attribute("aria-current", "true")
    page.reload()
    expect(page.get_by_text("1 Los", exact=True)).to_be_visible()


def test_lit_draws_under_the_policy(page: Page, house: str) -> None:
    """An element in light DOM takes over what the server wrote, and nothing is refused."""
    page.goto(f"{house}/live")
    expect(page.locator("lot-log li")).to_have_text(["bid 1", "bid 2"])


def test_a_breach_of_the_policy_is_a_fault(page: Page, house: str, faults: Faults) -> None:
    """The fixture itself: an inline script is refused, and would have failed this test."""
    page.goto(f"{house}/live?breach=1")
    expect(page.locator("lot-log li")).to_have_count(2)
    assert any("policy: script-src-elem refused inline" in fault for fault in faults.found)
    with pytest.raises(AssertionError):
        faults.check()
    faults.allow("policy: script-src-elem", "Content Security Policy")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_server_writes_money_as_the_browser_does(
    page: Page, house: str, language: Language
) -> None:
    """Every currency that a sale can be held in, with and without cents, either sign."""
    page.goto(house)
    asked = [(minor, code, EXPONENTS[code]) for code in sorted(EXPONENTS) for minor in AMOUNTS]
    written = page.evaluate(
        """async ([asked, locale]) => {
          const { format } = await import('/static/money.js');
          return asked.map(([minor, currency, exponent]) => format(minor, { currency, exponent }, locale));
        }""",
        [asked, LOCALES[language]],
    )
    assert written == [format_money(*money, language) for money in asked]


def test_what_is_looked_at_can_be_found_wanting(page: Page, house: str) -> None:
    """The looks themselves: a wide box, a small button, an unnamed one, are each seen."""
    page.goto(house)
    page.evaluate(
        """() => {
          const wide = document.createElement('button');
          wide.style.setProperty('width', '2000px');
          wide.style.setProperty('height', '10px');
          wide.style.setProperty('min-height', '0');
          document.querySelector('main').append(wide);
        }"""
    )
    for look in (
        looks.keeps_the_rules,
        looks.stays_within_its_edges,
        looks.has_targets_for_fingers,
    ):
        with pytest.raises(AssertionError):
            look(page)
