"""The clerk's day in a real browser: a sale from its announcement to its invoices.

The gateway, its books and the engine's rules are the real ones (``office``); what a page's policy
refuses, and every error of a module, fails the test.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from engine.core.increments import table
from engine.core.messages import (
    Act,
    ActDecided,
    AddLot,
    Catalogue,
    CloseLot,
    CreateSale,
    Deed,
    EnterSale,
    FloorBid,
    Hammer,
    KeepTime,
    Open,
    Pass,
    RegisterBidder,
    SaleTerms,
    SettleLot,
    Terms,
    Undo,
)
from gateway import archive
from tests.browser import looks
from tests.browser.conftest import NewPage
from tests.browser.faults import Faults
from tests.browser.office import NOW, Office

WRONG = "lotNumber,name,startingBid\n1,Vase,100\n2,Jar,many\n"
RIGHT = "lotNumber,name,startingBid,estimateLow,estimateHigh\n1,Vase,100,200,300\n2,Jar,50,,\n"
SALE = "seq_k3f9"
TERMS = Terms(
    100_00,
    table([(0, 10_00)]),
    opens_at=NOW - 1,
    closes_at=NOW + 10**8,
    settle_at=NOW + 2 * 10**8,
)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A house with nothing in it."""
    with Office(tmp_path_factory.mktemp("office")).serving() as open_:
        yield open_


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A house with a sale in it: two lots sold, one passed, one that is on, and bidders."""
    with Office(tmp_path_factory.mktemp("full")).serving() as open_:
        fill(open_)
        yield open_


def fill(office: Office) -> None:
    terms = SaleTerms(((0, "25"), (1_000_00, "20")), "19", "As seen.", "3")
    office.decide(
        CreateSale(
            SALE, "Fine Ceramics", "EUR", 2, "Europe/London", "approval", "test", False, terms
        )
    )
    lots = [f"auction_k3f9_{n}" for n in range(4)]
    for number, name in enumerate(
        ("A crackled celadon mallet vase", "Moon jar", "Meiping", "Bowl")
    ):
        printed = Catalogue(str(214 + number), name, estimate_low=400_00, estimate_high=600_00)
        office.decide(AddLot(lots[number], SALE, TERMS, printed))
    names = ("Ana Lima", "Ben Ortega", "=Chen Wu", "Dora Klein", "Emil Novak")
    people = [office.person(name).consumer_id for name in names]
    for who in people[:3]:
        office.decide(RegisterBidder(SALE, who, cmd_id=f"let-in-{who}", by="key"))
    for who in people[3:]:
        office.decide(EnterSale(SALE, who, "3", cmd_id=f"enter-{who}"))
    office.decide(*(KeepTime(lot) for lot in lots))
    for turn in range(8):
        office.bid(lots[0], people[turn % 3], (100 + 50 * turn) * 100)
    office.bid(lots[1], people[2], 200_00)
    office.decide(*(CloseLot(lot) for lot in lots[:3]), *(SettleLot(lot) for lot in lots[:3]))


def at_the_desk(office: Office, page: Page, *scopes: str) -> Page:
    """The page, signed in with a new key."""
    page.context.add_cookies([office.cookie(office.key(*scopes))])  # type: ignore[list-item]
    return page


def file_of(text: str) -> Any:
    return {"name": "catalogue.csv", "mimeType": "text/csv", "buffer": text.encode()}


def heading(page: Page) -> Any:
    return page.get_by_role("heading", level=1)


def test_a_sale_from_its_announcement_to_its_invoices(
    office: Office, page: Page, tmp_path: Path, faults: Faults
) -> None:
    """Announced, filled from a spreadsheet, published, opened, closed, settled, exported."""
    faults.allow("status of 400")
    at_the_desk(office, page)
    page.goto(f"{office.url}/admin")
    page.get_by_role("link", name="Announce the first sale").click()
    page.get_by_label("Name", exact=True).fill("Studio <b>pots</b>")
    page.get_by_label("Only whom the house lets in").check()
    page.get_by_label("Percent 1").fill("25")
    page.get_by_label("Tax", exact=True).fill("190")
    page.get_by_role("button", name="Announce the sale").click()
    # What was wrong is said at its field, and what was typed is still there.
    expect(page.get_by_text("a percentage from 0 to 100 was expected").last).to_be_visible()
    expect(page.get_by_label("Percent 1")).to_have_value("25")
    page.get_by_label("Tax", exact=True).fill("20")
    page.get_by_role("button", name="Announce the sale").click()
    expect(page.get_by_role("status").first).to_have_text("“Studio <b>pots</b>” is announced.")
    sale_id = page.url.split("/admin/sale/")[1].split("?")[0]

    page.get_by_role("link", name="Import a catalogue").click()
    page.get_by_label("Catalogue as CSV").set_input_files(file_of(WRONG))
    page.get_by_role("button", name="Look at it").click()
    row = page.get_by_role("row").filter(has_text="startingBid")
    expect(row).to_contain_text("3")
    expect(row).to_contain_text("a number such as 1250")
    assert office.gateway.saleroom.sales[sale_id].auction_ids == []
    page.get_by_label("Catalogue as CSV").set_input_files(file_of(RIGHT))
    page.get_by_role("button", name="Look at it").click()
    assert office.gateway.saleroom.sales[sale_id].auction_ids == []
    page.get_by_role("button", name="Import 2 lots").click()
    expect(page.get_by_role("status").first).to_contain_text("Imported: 2 new")

    page.get_by_role("link", name="Overview").click()
    expect(page.locator("[aria-current=step]")).to_contain_text("Draft")
    expect(page.locator(".btn.pri")).to_have_count(1)
    page.get_by_role("button", name="Publish 2 lots").click()
    expect(page.get_by_text("2 lots done.")).to_be_visible()
    page.get_by_role("link", name="Back to the sale").click()
    expect(page.locator("[aria-current=step]")).to_contain_text("Published")

    ana, ben = (office.person(name).consumer_id for name in ("Ana Lima", "Ben Ortega"))
    for who in (ana, ben):
        office.decide(EnterSale(sale_id, who, cmd_id=f"enter-{who}"))
    page.get_by_role("link", name="Registrations").click()
    expect(page.locator(".queue li").first).to_contain_text("Ana Lima")
    page.keyboard.press("a")
    expect(page.get_by_text("Ana Lima may bid, with paddle 101.")).to_be_visible()
    expect(page.locator(".queue li")).to_have_count(1)

    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_text("1 bidder is admitted.")).to_be_visible()
    page.get_by_role("button", name="Open 2 lots now").click()
    expect(page.get_by_text("2 lots done.")).to_be_visible()
    first = office.gateway.saleroom.sales[sale_id].auction_ids[0]
    office.bid(first, ana, 1_000_00)

    page.get_by_role("link", name="Back to the sale").click()
    page.get_by_label("to confirm").first.fill("Studio pots")
    page.get_by_role("button", name="Close 2 lots now").click()
    expect(page.get_by_role("alert").first).to_contain_text("letter by letter")
    page.get_by_label("to confirm").first.fill("Studio <b>pots</b>")
    page.get_by_role("button", name="Close 2 lots now").click()
    expect(page.get_by_text("2 lots done.")).to_be_visible()
    page.get_by_role("link", name="Back to the sale").click()
    expect(page.get_by_text("1 sold for €1,000, 1 passed. Mails 1 winner")).to_be_visible()
    page.get_by_label("to confirm").first.fill("Studio <b>pots</b>")
    page.get_by_role("button", name="Close the sale: settle 2 lots").click()
    expect(page.get_by_text("2 lots done.")).to_be_visible()

    page.get_by_role("link", name="Back to the sale").click()
    page.get_by_role("link", name="See the settlement").click()
    expect(page.get_by_role("row").filter(has_text="Vase")).to_contain_text("€1,300")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export as CSV").click()
    kept = tmp_path / "settlement.csv"
    download.value.save_as(kept)
    [line] = csv.DictReader(StringIO(kept.read_text("utf-8-sig"), newline=""))
    assert (line["name"], line["hammer price"], line["premium"]) == (
        "Ana Lima",
        "1000.00",
        "250.00",
    )
    assert (line["tax"], line["total"], line["status"]) == ("50.00", "1300.00", "due")


def test_a_decision_is_taken_back(full: Office, new_page: NewPage) -> None:
    """Within ten seconds the bidder waits again, with the house having said nothing."""
    page = at_the_desk(full, new_page())
    page.goto(f"{full.url}/admin/sale/{SALE}/registrations")
    first = page.locator(".queue li").first
    expect(first).to_contain_text("Dora Klein")
    first.get_by_text("Limit…").click()
    first.get_by_label("Limit, in EUR").fill("5000")
    first.get_by_role("button", name="Approve up to the limit").click()
    expect(page.get_by_text("Dora Klein may bid, with paddle 104.")).to_be_visible()
    dora = full.person("Dora Klein").consumer_id
    seats = full.gateway.saleroom.sales[SALE].registrations
    assert (seats[dora].admission, seats[dora].limit) == ("approved", 5_000_00)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("The decision is taken back.")).to_be_visible()
    assert (seats[dora].admission, seats[dora].limit) == ("pending", None)
    expect(page.locator(".queue li")).to_have_count(2)


def test_a_refusal_has_its_reason(full: Office, new_page: NewPage, faults: Faults) -> None:
    """Without one it is not taken, and said so at the bidder's row."""
    faults.allow("status of 400")
    page = at_the_desk(full, new_page())
    page.goto(f"{full.url}/admin/sale/{SALE}/registrations")
    row = page.get_by_role("row").filter(has_text="Ben Ortega")
    row.get_by_text("Decide").click()
    row.get_by_role("button", name="Suspend").click()
    expect(page.get_by_role("alert").first).to_contain_text("a reason is needed")
    row.get_by_label("Reason").fill("Has not paid for lot 12")
    row.get_by_role("button", name="Suspend").click()
    expect(page.get_by_text("Ben Ortega is suspended (paddle 102).")).to_be_visible()
    expect(row).to_contain_text("Has not paid for lot 12")
    page.get_by_role("button", name="Undo").click()
    expect(row).to_contain_text("May bid")


def test_who_comes_is_told_and_moves_nothing(full: Office, new_page: NewPage) -> None:
    """A newcomer is counted beside the heading; the queue is as it was until it is asked for."""
    page = at_the_desk(full, new_page())
    page.clock.install()
    page.goto(f"{full.url}/admin/sale/{SALE}/registrations")
    before = page.locator(".queue li").all_inner_texts()
    place = looks.box(page.locator(".queue li").first)
    late = full.person("Fay Late").consumer_id
    full.decide(EnterSale(SALE, late, cmd_id="enter-late"))
    page.clock.run_for(6_000)
    link = page.get_by_role("link", name="1 new, show")
    expect(link).to_be_visible()
    assert page.locator(".queue li").all_inner_texts() == before
    assert looks.box(page.locator(".queue li").first) == place
    link.click()
    expect(page.locator(".queue li").last).to_contain_text("Fay Late")
    full.decide(RegisterBidder(SALE, late, "declined", cmd_id="decline-late", by="key"))


def test_many_lots_at_once(full: Office, new_page: NewPage) -> None:
    """The buttons count what they are about: all that are shown, or those that are ticked."""
    page = at_the_desk(full, new_page())
    page.goto(f"{full.url}/admin/sale/{SALE}/lots")
    page.get_by_label("State").select_option("open")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page).to_have_url(f"{full.url}/admin/sale/{SALE}/lots?q=&state=open&object=")
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_role("button", name="Pause 1 lot").click()
    expect(page.get_by_text("1 lot done.")).to_be_visible()
    page.goto(f"{full.url}/admin/sale/{SALE}/lots")
    page.get_by_label("Lot 214").check()
    expect(page.get_by_role("button", name="Open 0 lots")).to_be_disabled()
    page.get_by_label("Lot 214").uncheck()
    page.get_by_label("Lot 217").check()
    page.get_by_role("button", name="Open 1 lot").click()
    expect(page.get_by_text("1 lot done.")).to_be_visible()


def test_without_javascript_it_is_all_there(full: Office, new_page: NewPage) -> None:
    """A lot is paused and taken up again by plain forms."""
    page = at_the_desk(full, new_page(java_script_enabled=False))
    page.goto(f"{full.url}/admin/sale/{SALE}/lots")
    page.get_by_role("link", name="217 Bowl").click()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Lot 217 is paused.")).to_be_visible()
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_text("Lot 217 takes bids.")).to_be_visible()


PAGES = {
    "sales": "/admin",
    "new": "/admin/new",
    "sale": f"/admin/sale/{SALE}",
    "edit": f"/admin/sale/{SALE}/edit",
    "lots": f"/admin/sale/{SALE}/lots",
    "lot": "/admin/lot/auction_k3f9_3",
    "add": f"/admin/sale/{SALE}/lots/new",
    "import": f"/admin/sale/{SALE}/import",
    "registrations": f"/admin/sale/{SALE}/registrations",
    "settlement": f"/admin/sale/{SALE}/settlement",
    "results": f"/admin/sale/{SALE}/results",
}


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_keeps_the_rules(
    full: Office, new_page: NewPage, theme: str, width: int
) -> None:
    """WCAG, targets, and with everything unfolded: in both themes, on a phone and at a desk."""
    page = at_the_desk(full, new_page(viewport={"width": width, "height": 800}, color_scheme=theme))
    for path in PAGES.values():
        page.goto(full.url + path)
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
        looks.keeps_the_rules(page)
        looks.has_targets_for_fingers(page)


@pytest.mark.parametrize("language", ["en-GB", "de-DE"])
def test_nothing_runs_over_the_edge(full: Office, new_page: NewPage, language: str) -> None:
    """From 320 to 1440 pixels, in the longer language, too, and with text twice as large."""
    page = at_the_desk(full, new_page(locale=language))
    for path in PAGES.values():
        page.goto(full.url + path)
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
        looks.stays_within_its_edges(page)
        looks.stays_within_its_edges_in_double_text(page)


def test_an_import_looks_right_with_errors_and_without(
    office: Office, new_page: NewPage, faults: Faults
) -> None:
    """Both kinds of preview, and the page of a step that was taken."""
    faults.allow("status of 400")
    office.decide(CreateSale("seq_look", "Looks", "EUR", 2))
    page = at_the_desk(office, new_page())
    for text in (WRONG, RIGHT):
        page.goto(f"{office.url}/admin/sale/seq_look/import")
        page.get_by_label("Catalogue as CSV").set_input_files(file_of(text))
        page.get_by_role("button", name="Look at it").click()
        looks.is_well_built(page)
    page.get_by_role("button", name="Import 2 lots").click()
    page.get_by_role("link", name="Overview").click()
    page.get_by_role("button", name="Publish 2 lots").click()
    expect(page.get_by_text("2 lots done.")).to_be_visible()
    looks.is_well_built(page)


def test_a_live_sale_tells_afterwards_what_the_rostrum_did(office: Office, page: Page) -> None:
    """By source, with bids for the consignor, and every undo and reopening with its reason."""
    terms = SaleTerms(house_bids="announced_once")
    office.decide(CreateSale("seq_live", "An evening", "EUR", 2, terms=terms))
    rising = Terms(
        100_00, table([(0, 10_00)]), reserve=300_00, format="live", settle_by_command=True
    )
    lots = [f"auction_live_{n}" for n in range(3)]
    for n, lot in enumerate(lots):
        office.decide(AddLot(lot, "seq_live", rising, Catalogue(str(n + 1), f"Pot {n + 1}")))
    page = at_the_desk(office, page)
    page.goto(f"{office.url}/admin/sale/seq_live")
    expect(page.locator("[aria-current=step]")).to_contain_text("Published")
    expect(page.get_by_role("link", name="Go to the console")).to_have_attribute(
        "href", "/console/seq_live"
    )

    desk = Rostrum(office)
    desk.do(lots[0], Open())
    desk.do(lots[0], FloorBid("room", 100_00, 12))
    desk.do(lots[0], FloorBid("room", 150_00, house=True))
    desk.do(lots[0], FloorBid("phone", 300_00, 31))
    desk.do(lots[0], FloorBid("room", 900_00, 12))
    desk.do(lots[0], Undo(4), reason="Misheard <the> bid")
    desk.do(lots[0], FloorBid("phone", 320_00, 31))
    desk.do(lots[0], Hammer(31, 320_00))
    desk.do(lots[1], Open())
    desk.do(lots[1], FloorBid("room", 400_00, 12))
    desk.do(lots[1], Hammer(12, 400_00))
    page.reload()
    expect(page.locator("[aria-current=step]")).to_contain_text("Live")
    desk.do(lots[2], Open())
    desk.do(lots[2], Pass())
    page.reload()
    page.get_by_label("to confirm").first.fill("An evening")
    page.get_by_role("button", name="Close the sale: settle 3 lots").click()
    expect(page.get_by_text("3 lots done.")).to_be_visible()

    rose = archive.prices(office.gateway.archive, lots)[lots[0]]
    assert [price for _, price in rose] == [100_00, 150_00, 300_00, 320_00]  # without the undone
    page.goto(f"{office.url}/admin/sale/seq_live/results")
    sources = page.get_by_role("region", name="By source of the winning bid")
    expect(sources.get_by_role("row")).to_have_text(
        [re.compile("Source"), "Room1€400", "Telephone1€320"]
    )
    register = page.get_by_role("region", name="Register of what was taken back")
    expect(register.get_by_role("row").nth(1)).to_contain_text("Misheard <the> bid")
    expect(register.get_by_role("row").nth(1)).to_contain_text("Bids undone")
    house = page.get_by_role("region", name="Bids for the consignors")
    expect(house.get_by_role("row").nth(1)).to_contain_text("€150")
    expect(page.get_by_role("img", name="From €100 to €320")).to_be_visible()
    looks.is_well_built(page)
    page.get_by_role("link", name="Settlement").click()
    expect(page.get_by_role("heading", name="Paddle 31")).to_be_visible()


class Rostrum:
    """The auctioneer's hand at one console."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._acts = 0

    def do(self, auction_id: str, deed: Deed, reason: str = "") -> None:
        """An act that is done, whatever the console had seen."""
        self._acts += 1
        lot = self._office.gateway.saleroom.lots[auction_id]
        act = Act(auction_id, deed, f"act-{self._acts}", "key_1", "ses_1", lot.now.seq, reason)
        [decided] = [one for one in self._office.decide(act) if isinstance(one, ActDecided)]
        assert decided.code is None, decided
