"""The catalogue in a real browser, with a whole house behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from tests.browser import looks
from tests.browser.conftest import NewPage
from tests.browser.faults import Faults
from tests.browser.open_houses import bid, bidder, demonstration_in, lot_of, said, sale_of
from tests.integration.open_house import House

THEMES = ("light", "dark")
SIZES = ({"width": 390, "height": 844}, {"width": 1280, "height": 800})


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """An open house with its demonstration."""
    with demonstration_in(tmp_path_factory.mktemp("house")) as opened:
        yield opened


def live(page: Page, url: str) -> None:
    """Open a page of the catalogue, and wait until it is live."""
    page.goto(url)
    expect(page.locator("html")).to_have_attribute("data-link", "live")


def card(page: Page, auction_id: str) -> Locator:
    """A lot in the list."""
    return page.locator(f"[data-lot={auction_id}]")


def test_prices_are_live(page: Page, house: House) -> None:
    """A bid made elsewhere is in its card at once, and nothing else on the page has moved."""
    lot = lot_of(house, 4)
    live(page, house.url)
    shown = card(page, lot)
    expect(shown).to_contain_text("Opening bid")
    shown.scroll_into_view_if_needed()
    place = looks.box(shown)
    bid(house, 0, lot, 12_000)
    expect(shown.locator("[data-part=price]")).to_have_text("€12,000")
    expect(shown.locator("[data-part=label]")).to_have_text("Current bid")
    expect(shown.locator("[data-part=bids]")).to_have_text("1 bid")
    assert looks.box(shown)[:2] == place[:2]
    bid(house, 1, lot, 13_000)
    expect(shown.locator("[data-part=bids]")).to_have_text("2 bids")


def test_the_live_page_says_what_the_server_wrote(page: Page, house: House, faults: Faults) -> None:
    """Times, prices and words of all cards are the same before and after the page comes alive."""
    faults.allow("net::ERR_FAILED")
    read = "() => [...document.querySelectorAll('[data-lot]')].map((e) => e.innerText)"
    page.route("**/static/catalogue.js", lambda route: route.abort())
    page.goto(house.url)
    written = page.evaluate(read)
    page.unroute("**/static/catalogue.js")
    live(page, house.url)
    for lot in range(14):
        card(page, lot_of(house, lot)).scroll_into_view_if_needed()
    page.wait_for_function("() => document.querySelectorAll('.lots .is-new').length === 0")
    assert page.evaluate(read) == written


def test_a_lost_line_is_said_and_comes_back(new_page: NewPage, house: House) -> None:
    """Prices may be out of date while the saleroom cannot be reached; then they are right again."""
    page = new_page()
    lines: list[WebSocketRoute] = []
    closed = False

    def carry(line: WebSocketRoute) -> None:
        if closed:
            line.close(code=1011)
            return
        line.connect_to_server()
        lines.append(line)

    page.route_web_socket("**/ws", carry)
    live(page, house.url)
    card(page, lot_of(house, 5)).scroll_into_view_if_needed()
    stale = page.get_by_text("Prices may be out of date")
    expect(stale).to_be_hidden()
    closed = True
    lines[-1].close(code=1011)
    expect(stale).to_be_visible()
    bid(house, 2, lot_of(house, 5), 30_000)
    closed = False
    expect(stale).to_be_hidden()
    expect(card(page, lot_of(house, 5)).locator("[data-part=price]")).to_have_text("€30,000")


def test_a_reader_finds_and_clears(page: Page, house: House) -> None:
    """The slash leads to the search; what does not match is said, with the way back."""
    live(page, house.url)
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Search the lots")).to_be_focused()
    page.keyboard.type("celadon/")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No lots match.")).to_be_visible()
    page.get_by_role("link", name="Clear filters").click()
    page.get_by_role("searchbox").fill("LARGE celadon vase")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("[data-lot]")).to_have_count(1)
    expect(page.get_by_role("heading", name="celadon mallet vase")).to_be_visible()


def test_keys_can_be_switched_off(page: Page, house: House) -> None:
    """Then a slash is nothing but a slash (WCAG 2.1.4)."""
    page.goto(f"{bidder(house, 6).url}?next=/me")
    page.get_by_label("The slash leads to the search").uncheck()
    live(page, house.url)
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).not_to_be_focused()


def test_a_star_marks_a_lot(page: Page, house: House) -> None:
    """It is pressed at once, kept, and finds the lot again."""
    page.goto(f"{bidder(house, 3).url}?next=/")
    star = page.get_by_role("button", name="Watch lot 203")
    expect(star).to_have_attribute("aria-pressed", "false")
    star.click()
    expect(star).to_have_attribute("aria-pressed", "true")
    page.get_by_label("Only lots I watch").check()
    page.get_by_role("button", name="Search").click()
    expect(page.locator("[data-lot]")).to_have_count(1)
    expect(star).to_have_attribute("aria-pressed", "true")
    star.press("Enter")
    expect(star).to_have_attribute("aria-pressed", "false")


def test_a_star_needs_no_script_and_a_name(new_page: NewPage, house: House) -> None:
    """Without scripts it is a form; who is not signed in is asked to, and comes back."""
    page = new_page(java_script_enabled=False)
    page.goto(house.url)
    page.get_by_role("button", name="Watch lot 204").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.goto(f"{bidder(house, 4).url}?next=/")
    page.get_by_role("button", name="Watch lot 204").click()
    expect(page.get_by_role("button", name="Watch lot 204")).to_have_attribute(
        "aria-pressed", "true"
    )


def test_the_star_asks_a_spectator_to_sign_in(page: Page, house: House, faults: Faults) -> None:
    """Also where scripts are on."""
    faults.allow("status of 401")
    live(page, house.url)
    page.get_by_role("button", name="Watch lot 204").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_what_is_on_now_is_in_sight_everywhere(page: Page, house: House) -> None:
    """It appears when the auctioneer opens a lot, goes on to the next, and goes with the last."""
    sale = said(
        house,
        "POST",
        "sequences",
        {"name": "Evening sale", "timeZone": "Europe/London", "currencyCode": "EUR"},
    )
    ids = []
    for number in ("801", "802"):
        lot = {
            "sequenceId": sale["id"],
            "name": f"Jar {number}",
            "lotNumber": number,
            "format": "live",
            "startingBid": 100,
            "minimumIncrement": 10,
            "settleAt": "2031-01-02T10:00:00Z",
        }
        ids.append(said(house, "POST", "auctions", lot)["id"])
    live(page, f"{house.url}/sale/{sale['id']}")
    bar = page.locator("#on-now")
    expect(bar).to_be_hidden()
    said(house, "POST", f"auctions/{ids[0]}/resume")
    expect(bar).to_contain_text("Lot 801 is on now")
    expect(bar.get_by_role("link")).to_have_attribute("href", f"/lot/{ids[0]}")
    said(house, "POST", f"auctions/{ids[0]}/complete")
    expect(bar).to_be_hidden()
    said(house, "POST", f"auctions/{ids[1]}/resume")
    expect(bar).to_contain_text("Lot 802 is on now")
    said(house, "POST", f"auctions/{ids[1]}/complete")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES, ids=("phone", "desk"))
@pytest.mark.parametrize("page_of", ["/", "/sale/{sale}", "/?q=nothing-like-it"])
def test_the_catalogue_is_well_built(
    new_page: NewPage, house: House, page_of: str, size: dict[str, int], theme: str
) -> None:
    """Rules, edges, double text and targets, as somebody who is signed in sees it."""
    page = new_page(viewport=size, color_scheme=theme)
    page.goto(f"{bidder(house, 5).url}?next=/")
    live(page, house.url + page_of.format(sale=sale_of(house)))
    looks.is_well_built(page)
