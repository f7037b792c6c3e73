"""The HTML itself: escaped, complete without JavaScript, and under one strict policy."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway import catalogue, lotpage, pages
from gateway.core.money import format_money
from tests.gateway.scripted_saleroom import NOW, lot, snapshot
from verifier.api.routes import BASE


def _html(page: lotpage.LotPage) -> str:
    return bytes(lotpage.lot_page(page).body).decode()


def _state(html: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="state">(.*?)</script>', html, re.S)
    assert found
    state: dict[str, Any] = json.loads(found[1])
    return state


def test_every_page_has_the_strict_headers() -> None:
    """Lot, catalogue and 404 carry the policy, and no page may be framed, sniffed or cached."""
    for response in (
        lotpage.lot_page(lot()),
        catalogue.front_page(pages.ENGLISH, []),
        pages.not_found_page(pages.ENGLISH, "common.no-lot"),
    ):
        policy = response.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "same-origin"
        assert response.headers["cache-control"] == "no-store"


def test_the_lot_is_readable_without_javascript() -> None:
    """Price, estimate, bids, end and provenance are in the HTML, and no control pretends."""
    html = _html(lot())
    for words in ("€42,000", "€40,000–60,000", "17 bids from 6 bidders", "Reserve met", "Kyoto"):
        assert words in html
    assert '<input type="hidden" name="amount" value="4400000">' in html
    assert "€57,728 with premium and VAT" in html
    assert html.count("<h1") == 1


def test_text_of_others_is_escaped_in_html_and_in_the_state() -> None:
    """A lot's name can end neither an element nor the state's script."""
    evil = "</script><img src=x onerror=alert(1)>"
    page = replace(lot(), name=evil, description=evil, provenance=(evil,), sale_name=evil)
    page = replace(page, snapshot=snapshot(name=evil))
    html = _html(page)
    assert evil not in html
    assert "<img src=x" not in html
    assert _state(html)["snapshot"]["auction"]["name"] == evil


def test_a_spectator_gets_no_token_and_a_bidder_gets_theirs() -> None:
    """The state holds what the page needs to sign in, and nothing for those who did not."""
    assert _state(_html(lot(None)))["token"] is None
    state = _state(_html(lot()))
    assert (state["token"], state["paddle"], state["key"]) == ("jwt", 207, "pk_test_1")
    assert state["now"] == NOW


def test_an_ended_lot_says_so_without_javascript() -> None:
    """Sold, passed, withdrawn and canceled each have their words, and the button leads on."""
    assert "Sold to paddle 118" in _html(lot(status="closed", outcome="sold"))
    assert ">Passed<" in _html(lot(status="closed", outcome="passed"))
    assert "This lot was withdrawn" in _html(lot(status="closed", outcome="withdrawn"))
    assert "This lot was canceled" in _html(lot(status="canceled"))
    assert ">Go to lot 215<" in _html(lot(status="canceled"))


def test_a_lot_without_price_or_photograph_has_a_page() -> None:
    """No bids shows the opening bid; no photograph shows the lot's number on the mat."""
    page = replace(lot(price=None, bidCount=0, paddle=None, askingBid=2_400_000), photos=())
    html = _html(page)
    assert "Opening bid" in html
    assert "€24,000" in html
    assert "No photograph" in html


@pytest.mark.parametrize(
    ("minor", "currency", "exponent", "written"),
    [
        (4_400_000, "EUR", 2, "€44,000"),
        (4_400_050, "EUR", 2, "€44,000.50"),
        (5, "EUR", 2, "€0.05"),
        (9_007_199_254_740_991, "EUR", 2, "€90,071,992,547,409.91"),
        (4_400_000, "JPY", 0, "JP¥4,400,000"),
        (4_400_005, "KWD", 3, "KWD\N{NO-BREAK SPACE}4,400.005"),
    ],
)
def test_money_is_written_as_the_browser_writes_it(
    minor: int, currency: str, exponent: int, written: str
) -> None:
    """The same text as ``money.js`` gives (see its tests), so nothing flickers."""
    assert format_money(minor, currency, exponent) == written


def test_an_unknown_page_is_a_404_in_words() -> None:
    """The status is 404 and the text says what is missing."""
    response = pages.not_found_page(pages.ENGLISH, "common.no-lot")
    assert response.status_code == 404
    assert b"There is no such lot." in response.body


def test_the_demonstration_sale_is_whole() -> None:
    """At least twelve lots, each with photographs that exist, an estimate and a sound reserve."""
    text = Path(pages.__file__).with_name("demonstration.json").read_text(encoding="utf-8")
    lots = json.loads(text)["lots"]
    assert len(lots) >= 12
    assert len({lot["lot_number"] for lot in lots}) == len(lots)
    for lot_ in lots:
        assert lot_["photos"]
        assert all((pages.STATIC / "lots" / photo).is_file() for photo in lot_["photos"])
        assert 0 < lot_["opening"] < lot_["estimate_low"] < lot_["estimate_high"]
        assert lot_["opening"] <= lot_["reserve"] <= lot_["estimate_low"]
        assert lot_["provenance"]


def test_the_record_is_asked_for_where_it_is_served() -> None:
    """A path that nobody serves would look like a verifier that cannot be reached."""
    script = (pages.STATIC / "lot-about.js").read_text(encoding="utf-8")
    asked = re.findall(r"fetch\(`(/[^`]*)`", script)
    assert [re.sub(r"\$\{[^}]*\}", "{serial}", path) for path in asked] == [
        f"{BASE}/objects/{{serial}}/provenance"
    ]
