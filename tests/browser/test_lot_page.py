"""The lot page around its bidding: without a script, at every size, in both languages, and how
much of it there is to load."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from gateway import pages, scripts
from gateway.lotpage import Row
from tests.browser import looks
from tests.browser.conftest import NewPage
from tests.browser.faults import Faults
from tests.browser.lot_play import BEATEN, Play
from tests.gateway.scripted_saleroom import AUCTION, NOW, Saleroom, lot

CHECKS = Path(__file__).parent
GOLDEN = CHECKS / "lot_panel.aria.yml"
SHEETS = ("tokens.css", "layout.css", "lot.css")
SCRIPT_BYTES = 25_000  # gzipped, as they are served
SHEET_BYTES = 8 * 1024
MOST_SHIFT = 0.01  # of layout, when the elements take their places over
HISTORY = tuple(
    Row(price, paddle, channel, NOW - 5_000 - 20_000 * place)
    for place, (price, paddle, channel) in enumerate(
        [
            (4_200_000, 118, "room"),
            (4_000_000, 207, "online"),
            (3_800_000, 331, "phone"),
            (2_400_000, 88, "left"),
        ]
    )
)
_COUNT_SHIFTS = """
window.shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
}).observe({ type: 'layout-shift', buffered: true });
"""


@pytest.fixture
def saleroom() -> Iterator[Saleroom]:
    room = Saleroom()
    with room.serving():
        yield room


@pytest.fixture
def page(saleroom: Saleroom, new_page: NewPage, faults: Faults) -> Page:
    """A page that is closed before its saleroom."""
    faults.allow("WebSocket connection to")
    return new_page()


@pytest.fixture
def play(saleroom: Saleroom, page: Page) -> Play:
    """The page and its saleroom."""
    return Play(page, saleroom)


# ── Without a script ─────────────────────────────────────────────────────────────────────


def test_the_first_sight_has_the_true_price_and_a_form_that_bids(
    saleroom: Saleroom, new_page: NewPage
) -> None:
    """Price, leader, end, history and total are there, and the form says what was seen."""
    saleroom.page = replace(lot(you=BEATEN), history=HISTORY)
    page = new_page(java_script_enabled=False)
    page.goto(f"{saleroom.url}/lot/{AUCTION}")
    expect(page.locator("#price")).to_have_text("€42,000")
    expect(page.locator("#banner")).to_contain_text("You’ve been outbid")
    expect(page.locator("#cost")).to_have_text("€57,728 with premium and VAT")
    expect(page.locator("#bids tr")).to_have_count(4)
    expect(page.locator("#ends")).to_contain_text("London")
    form = page.locator(f"form[action='/lot/{AUCTION}/bid']")
    for name, value in (("amount", "4400000"), ("seen", "41"), ("kind", "bid")):
        expect(form.locator(f"input[name={name}]")).to_have_value(value)
    expect(page.get_by_role("button", name="Bid €44,000")).to_be_visible()
    assert "asked again before it counts" in page.locator("noscript").inner_text()
    expect(page.get_by_text("Stoneware under a thick green glaze")).to_be_visible()


def test_the_page_takes_its_places_over_without_a_jump(saleroom: Saleroom, page: Page) -> None:
    """What the server wrote and what the elements draw stand in the same boxes."""
    saleroom.page = replace(lot(you=BEATEN), history=HISTORY)
    page.add_init_script(_COUNT_SHIFTS)
    for width, height in ((1280, 800), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        page.goto(f"{saleroom.url}/lot/{AUCTION}")
        expect(page.locator("html")).to_have_attribute("data-link", "live")
        page.evaluate("() => document.fonts.ready")
        assert page.evaluate("() => window.shift") <= MOST_SHIFT, width


# ── Sizes, languages, access ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
def test_the_page_is_well_built_in_each_language(
    saleroom: Saleroom, new_page: NewPage, faults: Faults, locale: str
) -> None:
    """Rules, edges from 320 to 1440, double text and targets, with the longest prices."""
    faults.allow("WebSocket connection to")
    play = Play(new_page(locale=locale), saleroom).open(price=123_456_700, askingBid=124_000_000)
    expect(play.page.locator("html")).to_have_attribute("lang", locale)
    looks.is_well_built(play.page)


def test_the_page_speaks_german(saleroom: Saleroom, new_page: NewPage, faults: Faults) -> None:
    """Money, states and the time are written as a German saleroom writes them."""
    faults.allow("WebSocket connection to")
    play = Play(new_page(locale="de-DE", timezone_id="Europe/Berlin"), saleroom).open(you=BEATEN)
    play.offers("Gebot 44.000 €")
    play.shows("Sie wurden überboten", "Bieternummer 118 im Saal führt")
    expect(play.page.locator("#cost")).to_have_text("57.728 € mit Aufgeld und MwSt.")
    expect(play.page.locator(".when")).to_contain_text("London")
    expect(play.page.locator(".when")).to_contain_text("bei Ihnen")


def test_the_bidding_reads_well_to_a_screen_reader(play: Play) -> None:
    """The whole panel as the accessibility tree has it, held to a golden file."""
    play.open(you=BEATEN, closesAt=None, format="live")
    expect(play.page.locator("lot-room")).to_match_aria_snapshot(GOLDEN.read_text("utf-8"))


def test_a_phone_opens_the_sheet_for_a_maximum_or_a_jump(
    saleroom: Saleroom, new_page: NewPage, faults: Faults
) -> None:
    """It opens above the dock, which stays where it was, and closes with Escape."""
    faults.allow("WebSocket connection to")
    play = Play(new_page(viewport={"width": 390, "height": 844}), saleroom).open()
    at = looks.box(play.page.locator("#go"))
    play.page.get_by_role("button", name="Max or jump bid").click()
    expect(play.page.get_by_label("Your maximum")).to_be_visible()
    assert looks.box(play.page.locator("#go")) == at
    looks.keeps_the_rules(play.page)
    play.page.keyboard.press("Escape")
    expect(play.page.get_by_label("Your maximum")).to_be_hidden()


# ── Around the bidding ───────────────────────────────────────────────────────────────────


def test_tabs_obey_the_arrow_keys(play: Play) -> None:
    """One stop for the Tab key; arrows move and select (ARIA practices)."""
    play.open()
    play.page.get_by_role("tab", name="Provenance").focus()
    play.page.keyboard.press("ArrowRight")
    expect(play.page.get_by_role("tab", name="Description")).to_be_focused()
    expect(play.page.get_by_role("tabpanel", name="Description")).to_be_visible()
    expect(play.page.get_by_role("tabpanel", name="Provenance")).to_be_hidden()
    play.page.keyboard.press("End")
    terms = play.page.get_by_role("tabpanel", name="Terms")
    expect(terms).to_contain_text("26 %")
    expect(terms).to_contain_text("€2,000 from €20,000")


def test_photographs_open_large_and_turn_with_the_arrow_keys(play: Play) -> None:
    """A dialog, which closes with Escape and gives the focus back."""
    play.open()
    play.page.get_by_role("button", name="Open photograph full screen").click()
    dialog = play.page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    play.page.keyboard.press("ArrowRight")
    expect(dialog.get_by_role("img")).to_have_attribute(
        "alt", "A crackled celadon mallet vase, photograph 2"
    )
    looks.keeps_the_rules(play.page)
    play.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(play.page.get_by_role("button", name="Open photograph full screen")).to_be_focused()


@pytest.mark.parametrize(
    ("status", "answer", "words", "kind"),
    [
        (200, {"chain_valid": True, "events": [{}] * 7}, "Record complete and unaltered. 7 entries.", "lead"),
        (200, {"chain_valid": False, "events": [{}]}, "The record does not match. 1 entry.", "out"),
        (503, {"status": "unavailable"}, "The record cannot be checked right now.", "warn"),
        (200, "nothing", "The record cannot be checked right now.", "warn"),
    ],
)  # fmt: skip
def test_the_record_has_three_states_and_never_a_bare_tick(
    play: Play, faults: Faults, status: int, answer: Any, words: str, kind: str
) -> None:
    """As the verifier says, and with a link to what it says it by."""
    faults.allow("status of 503")

    def verifier(route: Route) -> None:
        route.fulfill(status=status, json=answer)

    play.page.route("**/api/v1/auction/objects/AUC1/provenance", verifier)
    play.room.page = replace(lot(), serial="AUC1")
    play.page.goto(f"{play.room.url}/lot/{AUCTION}")
    record = play.page.locator("#record")
    expect(record).to_contain_text(words)
    expect(record).to_have_attribute("data-k", kind)
    expect(record.get_by_role("link")).to_have_attribute("href", "/verify/AUC1")
    looks.keeps_the_rules(play.page)


def test_the_history_is_a_table_and_a_picture_of_it(play: Play) -> None:
    """Newest first; the picture has a name and says from where to where the price went."""
    play.room.page = replace(lot(), history=HISTORY)
    play.page.goto(f"{play.room.url}/lot/{AUCTION}")
    rows = play.page.locator("#bids tr")
    expect(rows).to_have_count(4)
    expect(rows.nth(1)).to_contain_text("You online")
    picture = play.page.get_by_role("img", name="Price during this lot")
    expect(picture).to_have_accessible_description(
        "From €24,000 to €42,000. The list below gives every bid. The estimate is €40,000 to €60,000."
    )
    expect(play.page.locator("[aria-live] #bids, [role=log] #bids")).to_have_count(0)


def test_watching_is_kept_and_said(play: Play, saleroom: Saleroom) -> None:
    """The star is a switch in words; without a script it is a form."""

    def kept(route: Route) -> None:
        assert route.request.post_data == "on=1"
        route.fulfill(json={"watching": True})

    play.page.route(f"**/lot/{AUCTION}/watch", kept)
    saleroom.page = replace(lot(), watching=False)
    play.page.goto(f"{saleroom.url}/lot/{AUCTION}")
    play.page.get_by_role("button", name="Watch").click()
    expect(play.page.get_by_role("button", name="Watching")).to_have_attribute(
        "aria-pressed", "true"
    )


# ── How much there is to load ────────────────────────────────────────────────────────────


def test_the_scripts_stay_within_their_budget(play: Play, saleroom: Saleroom) -> None:
    """Everything that the lot page loads, as it is served: Lit, and the shell's own."""
    assert scripts.is_packed(pages.STATIC, "lot.js"), "node tools/pack.mjs"
    loaded: list[str] = []
    play.page.on("response", lambda answer: loaded.append(answer.url))
    play.open()
    asked = [url.partition("/static/")[2] for url in loaded if url.endswith(".js")]
    names = [name for name in asked if name]
    assert names == ["packed/lot.js"]
    total = sum(len(gzip.compress((pages.STATIC / name).read_bytes(), 9)) for name in names)
    assert total <= SCRIPT_BYTES, total


def test_the_style_sheets_stay_within_their_budget() -> None:
    """Tokens, the layout and the lot's own."""
    total = sum(len(gzip.compress((pages.STATIC / name).read_bytes(), 9)) for name in SHEETS)
    assert total <= SHEET_BYTES, total
