"""A bidder's way through a real browser: in by a code, registered, their own page, and out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from gateway.keys import random_name
from tests.browser import looks
from tests.browser.conftest import NewPage
from tests.browser.faults import Faults
from tests.browser.open_houses import (
    bid,
    bidder,
    demonstration_in,
    lot_of,
    mailed_code,
    said,
    sale_of,
)
from tests.integration.open_house import House

THEMES = ("light", "dark")
SIZES = ({"width": 390, "height": 844}, {"width": 1280, "height": 800})
TERMS = {
    "buyersPremium": [[0, 26]],
    "taxPercent": 20,
    "conditions": "Bids are binding.\n" * 30,
    "conditionsVersion": "2026-11",
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """An open house, in which bidder 0 leads, was outbid, has won and has lost."""
    with demonstration_in(tmp_path_factory.mktemp("house")) as opened:
        bid(opened, 0, lot_of(opened, 4), 20_000, max=True)
        bid(opened, 0, lot_of(opened, 5), 30_000)
        bid(opened, 1, lot_of(opened, 5), 35_000)
        won, lost = (a_lot(opened, number) for number in ("901", "902"))
        bid(opened, 0, won, 44_000)
        bid(opened, 0, lost, 1_000)
        bid(opened, 1, lost, 2_000)
        for auction_id in (won, lost):
            said(opened, "POST", f"auctions/{auction_id}/complete")
            said(opened, "POST", f"auctions/{auction_id}/settle")
        yield opened


def a_sale(house: House, **more: object) -> str:
    body = {
        "name": "Evening sale",
        "timeZone": "Europe/London",
        "currencyCode": "EUR",
        "terms": TERMS,
        **more,
    }
    return str(said(house, "POST", "sequences", body)["id"])


def a_lot(house: House, number: str, sale_id: str | None = None) -> str:
    """A lot that takes bids, in a sale with terms."""
    body = {
        "sequenceId": sale_id or a_sale(house),
        "name": f"Jar {number}",
        "lotNumber": number,
        "startingBid": 100,
        "minimumIncrement": 10,
        "settleAt": "2031-01-02T10:00:00Z",
    }
    auction_id = str(said(house, "POST", "auctions", body)["id"])
    said(house, "POST", f"auctions/{auction_id}/resume")
    return auction_id


def mine(page: Page, house: House, number: int) -> None:
    """A bidder's own page, live."""
    page.goto(f"{bidder(house, number).url}?next=/me")
    expect(page.locator("html")).to_have_attribute("data-link", "live")


def row(page: Page, auction_id: str) -> Locator:
    return page.locator(f"article[data-lot={auction_id}]")


# ── In and out ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("scripts", [True, False], ids=("scripts", "no scripts"))
def test_in_by_a_code_registered_and_out(
    new_page: NewPage, house: House, scripts: bool, faults: Faults
) -> None:
    """From a sale to the address, the code, the name, the conditions, and back to the lots."""
    faults.allow("status of 400")
    page = new_page(java_script_enabled=scripts)
    sale_id = a_sale(house)
    a_lot(house, "950", sale_id)
    page.goto(f"{house.url}/sale/{sale_id}")
    page.get_by_role("link", name="Register to bid").click()
    address = f"{random_name(12)}@example.test"
    page.get_by_label("E-mail address", exact=True).fill(address)
    page.get_by_role("button", name="Send me a code").click()
    expect(page.get_by_text(f"A code is on its way to {address}")).to_be_visible()
    code = mailed_code(house, address)
    page.get_by_label("Code", exact=True).fill("000000" if code != "000000" else "111111")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text("You have 4 tries left.")).to_be_visible()
    page.get_by_label("Code", exact=True).fill(code)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Register to bid")
    page.get_by_label("First name").fill("Zoë")
    page.get_by_label("Last name").fill("Aarts")
    page.get_by_role("button", name="Register", exact=True).click()
    expect(page.get_by_text("Please read the conditions and tick the box.")).to_be_visible()
    page.get_by_label("I have read the conditions").check()
    page.get_by_role("button", name="Register", exact=True).click()
    expect(page.get_by_text("You may bid. Your paddle is 101.")).to_be_visible()
    page.get_by_role("link", name="To the lots").click()
    page.get_by_role("link", name="My bids").click()
    expect(page.get_by_text("You have not bid yet.")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    page.goto(f"{house.url}/me")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_the_house_comes_in_by_its_key(page: Page, house: House, faults: Faults) -> None:
    """Where a page of the house's own was asked for, it is gone on to."""
    faults.allow("status of 400")
    page.goto(f"{house.url}/sign-in?next=/admin/objects")
    page.get_by_label("Key of the house", exact=True).fill("optr_test_wrong")
    page.get_by_role("button", name="Open the house's pages").click()
    expect(page.get_by_text("This key opens none of the house's pages.")).to_be_visible()
    page.get_by_label("Key of the house", exact=True).fill(house.keys.operator_key)
    page.get_by_role("button", name="Open the house's pages").click()
    expect(page).to_have_url(f"{house.url}/admin/objects")
    expect(page.get_by_role("heading", name="Objects", level=1)).to_be_visible()


# ── Their own page ───────────────────────────────────────────────────────────────────────


def test_the_page_is_live_and_nothing_moves(page: Page, house: House) -> None:
    """Outbid where one led: the row says so where it stands, and the order waits to be asked."""
    sale_id = a_sale(house)
    first, second = (a_lot(house, number, sale_id) for number in ("961", "962"))
    for auction_id in (first, second):
        bid(house, 7, auction_id, 500)
    mine(page, house, 7)
    rows = [row(page, first), row(page, second)]
    for each in rows:
        expect(each).to_contain_text("You lead.")
    places = [looks.box(each)[:2] for each in rows]
    expect(page.get_by_role("link", name="Update order")).to_be_hidden()
    bid(house, 8, first, 600)
    expect(rows[0]).to_contain_text("You have been outbid.")
    expect(rows[0].locator("[data-part=price]")).to_have_text("€600")
    expect(page.locator("#urgent")).to_have_text("Lot 961: You have been outbid.")
    expect(page.get_by_role("link", name="Update order")).to_be_visible()
    moved = looks.box(rows[0])[1] - places[0][1]
    assert looks.box(rows[1])[1] - places[1][1] == moved  # both by the offer above, if at all
    page.get_by_role("link", name="Update order").click()
    expect(page.locator("[data-group=outbid] article")).to_have_attribute("data-lot", first)
    bid(house, 7, first, 700)
    expect(row(page, first)).to_contain_text("You lead.")


def test_a_maximum_is_masked_until_somebody_asks(page: Page, house: House) -> None:
    """Whoever looks over a shoulder sees dots."""
    mine(page, house, 0)
    shown = row(page, lot_of(house, 4))
    expect(shown.get_by_text("€20,000")).to_be_hidden()
    shown.get_by_text("Your maximum").click()
    expect(shown.get_by_text("€20,000")).to_be_visible()
    expect(shown.locator("[data-part=left]")).to_contain_text("left")


def test_a_win_is_shown_with_what_it_costs(new_page: NewPage, house: House) -> None:
    """Hammer, premium, tax and total, and until when, without any script."""
    page = new_page(java_script_enabled=False)
    page.goto(f"{bidder(house, 0).url}?next=/me")
    invoice = page.get_by_role("table", name="Invoice for lot 901")
    expect(invoice.get_by_role("row", name="Hammer price €44,000")).to_be_visible()
    expect(invoice.get_by_role("row", name="To pay €57,728")).to_be_visible()
    expect(page.get_by_text("Please pay until")).to_be_visible()


def test_the_written_page_and_the_live_one_agree(page: Page, house: House, faults: Faults) -> None:
    """Words, prices and times of every row are the same before and after it comes alive."""
    faults.allow("net::ERR_FAILED")
    read = """() => [...document.querySelectorAll('article[data-lot]')]
      .map((e) => e.innerText.replace(/\\n.* left/, ''))"""
    page.route("**/static/me.js", lambda route: route.abort())
    page.goto(f"{bidder(house, 0).url}?next=/me")
    written = page.evaluate(read)
    assert len(written) == 4
    page.unroute("**/static/me.js")
    mine(page, house, 0)
    expect(row(page, lot_of(house, 4)).locator("[data-part=left]")).to_contain_text("left")
    assert page.evaluate(read) == written


def test_mails_are_chosen(page: Page, house: House) -> None:
    """Unticked and saved: it stays so."""
    page.goto(f"{bidder(house, 9).url}?next=/me")
    page.get_by_label("a lot on which I was outbid closes soon").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(page.get_by_label("a lot on which I was outbid closes soon")).not_to_be_checked()
    expect(page.get_by_label("I have won a lot")).to_be_checked()


# ── How they are built ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES, ids=("phone", "desk"))
def test_the_pages_are_well_built(
    new_page: NewPage, house: House, size: dict[str, int], theme: str, faults: Faults
) -> None:
    """Sign-in with its faults, registration before and after, one's own page, the erasure."""
    faults.allow("status of 400")
    page = new_page(viewport=size, color_scheme=theme)
    page.goto(f"{house.url}/sign-in")
    looks.is_well_built(page)
    page.get_by_label("E-mail address", exact=True).fill("nobody")
    page.get_by_role("button", name="Send me a code").click()
    expect(page.get_by_text("This is not an e-mail address.")).to_be_visible()
    looks.keeps_the_rules(page)
    page.get_by_label("E-mail address", exact=True).fill("nobody@example.test")
    page.get_by_role("button", name="Send me a code").click()
    expect(page.get_by_label("Code", exact=True)).to_be_visible()
    looks.is_well_built(page)
    mine(page, house, 0)
    looks.is_well_built(page)
    page.get_by_text("Payment code").click()
    page.get_by_text("Your maximum").first.click()
    looks.is_well_built(page)
    for path in (
        f"/sale/{a_sale(house)}/register",
        f"/sale/{sale_of(house)}/register",
        "/me/erase",
    ):
        page.goto(house.url + path)
        looks.is_well_built(page)


@pytest.mark.parametrize("size", SIZES, ids=("phone", "desk"))
def test_long_german_words_fit(new_page: NewPage, house: House, size: dict[str, int]) -> None:
    """Edges and double text in the language with the longer words."""
    page = new_page(viewport=size, locale="de-DE")
    mine(page, house, 0)
    expect(page.get_by_role("heading", level=1)).to_have_text("Meine Gebote")
    looks.is_well_built(page)
    for path in ("/sign-in", f"/sale/{a_sale(house)}/register", f"/sale/{sale_of(house)}", "/"):
        page.goto(house.url + path)
        looks.is_well_built(page)
