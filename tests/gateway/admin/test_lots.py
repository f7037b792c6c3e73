"""A lot in the clerk's form: what is shown is what there is, and only what was changed is said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from engine.core.messages import CreateSale, State
from gateway.admin import lots
from gateway.admin.inspection import Inspected, standing_of
from gateway.admin.lots import Sought, is_sought
from gateway.core.view import LotView
from gateway.objects import Object
from tests.browser.office import COOKIE, Office

SALE = "seq_k3f9"
SERIAL = "AUC260218FKC5SKSEZ"
WHOLE = {
    "lotNumber": "12A",
    "name": "Moon jar",
    "description": "White\nporcelain",
    "provenance": "Kyoto, 1934\nLondon, 1971",
    "estimateLow": "80000",
    "estimateHigh": "120000",
    "startingBid": "50000.50",
    "reservePrice": "70000",
    "openAt": "2031-07-01T10:00",
    "closeAt": "2031-07-02T18:30",
    "settleAt": "2031-07-03T18:30",
    "format": "english",
    "winnerCount": "1",
    "buyNowPrice": "150000",
    "autoExtendSeconds": "60",
    "extensionWindowSeconds": "30",
    "maxExtensions": "5",
    "ladderOnly": "1",
}


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A house with one sale, in Berlin's time."""
    with Office(tmp_path_factory.mktemp("office")).serving() as open_:
        open_.decide(CreateSale(SALE, "Clay", "EUR", 2, "Europe/Berlin"))
        yield open_


@pytest.fixture
def web(office: Office) -> Iterator[httpx.Client]:
    """The clerk's browser."""
    with httpx.Client(base_url=office.url, trust_env=False, timeout=20) as client:
        client.headers["origin"] = office.url
        client.cookies.set(COOKIE, office.cookie(office.key())["value"])
        yield client


def added(office: Office, web: httpx.Client, **said: str) -> LotView:
    """A new lot, by the form."""
    answer = web.post(f"/admin/sale/{SALE}/lots/new", data={**WHOLE, **said})
    assert answer.status_code == 303, answer.text
    return office.gateway.saleroom.lots[office.gateway.saleroom.sales[SALE].auction_ids[-1]]


def shown(web: httpx.Client, lot: LotView) -> str:
    return web.get(f"/admin/lot/{lot.auction_id}").text


def test_a_lot_comes_back_as_it_was_filled_in(office: Office, web: httpx.Client) -> None:
    """Money to the cent, times in the sale's zone, lines as lines."""
    lot = added(office, web)
    assert (lot.terms.opening, lot.terms.reserve, lot.terms.buy_now) == (5000050, 7000000, 15000000)
    assert lot.catalogue.provenance == ("Kyoto, 1934", "London, 1971")
    opens_at = datetime(2031, 7, 1, 8, tzinfo=UTC)  # it is summer there
    assert lot.terms.opens_at == opens_at.timestamp() * 1000
    found = lots.filled(lot)
    ticks = {"ladderOnly": "true", "publishReserve": "false"}
    kept = {name: text for name, text in WHOLE.items() if name not in ticks}
    assert {name: found[name] for name in kept} == {**kept, "startingBid": "50000.50"}
    assert {name: found[name] for name in ticks} == ticks


def test_a_form_that_was_not_touched_changes_nothing(office: Office, web: httpx.Client) -> None:
    """Though everything in it is sent."""
    lot = added(office, web, lotNumber="13")
    before, revision = (lot.terms, lot.catalogue), lot.revision
    as_shown = {name: text for name, text in lots.filled(lot).items() if text != "false"}
    answer = web.post(f"/admin/lot/{lot.auction_id}", data=as_shown)
    assert answer.status_code == 303
    assert ((lot.terms, lot.catalogue), lot.revision) == (before, revision)


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"reservePrice": ""}, "reserve", None),
        ({"buyNowPrice": ""}, "buy_now", None),
        ({"maxExtensions": ""}, "max_extensions", None),
        ({"startingBid": "60000"}, "opening", 6000000),
        ({"winnerCount": ""}, "winner_count", 1),
        ({"ladderOnly": ""}, "ladder_only", False),
        ({"minimumIncrement": "250"}, "increments", None),
    ],
)
def test_what_was_changed_is_changed_and_nothing_else(
    office: Office, web: httpx.Client, changes: dict[str, str], field: str, value: Any
) -> None:
    """An emptied field takes back what can be taken back, and is passed over where it cannot."""
    lot = added(office, web, lotNumber="14")
    before = lot.terms
    data = {**{n: t for n, t in lots.filled(lot).items() if t != "false"}, **changes}
    assert web.post(f"/admin/lot/{lot.auction_id}", data=data).status_code == 303
    if field != "increments":
        assert getattr(lot.terms, field) == value
    changed = {
        name
        for name in before.__struct_fields__
        if getattr(before, name) != getattr(lot.terms, name)
    }
    assert changed == (set() if field == "winner_count" else {field})


def test_what_makes_no_sense_is_said_at_its_field(office: Office, web: httpx.Client) -> None:
    """With all that was typed still there, and the lot as it was."""
    lot = added(office, web, lotNumber="15")
    before = lot.terms
    data = {**lots.filled(lot), "closeAt": "2030-01-01T10:00", "name": "Another"}
    data = {name: text for name, text in data.items() if text != "false"}
    answer = web.post(f"/admin/lot/{lot.auction_id}", data=data)
    assert answer.status_code == 400
    assert 'id="w-closeAt"><b>Not like this:</b> must be after the opening' in answer.text
    assert 'value="Another"' in answer.text
    assert lot.terms == before


def test_an_open_lot_takes_a_lower_reserve_and_no_other_opening(
    office: Office, web: httpx.Client
) -> None:
    """As the API does."""
    lot = added(office, web, lotNumber="16")
    web.post(f"/admin/lot/{lot.auction_id}/do", data={"verb": "resume"})
    assert lot.now.state is State.OPEN
    data = {name: text for name, text in lots.filled(lot).items() if text != "false"}
    where = f"/admin/lot/{lot.auction_id}"
    assert web.post(where, data={**data, "startingBid": "1"}).status_code == 409
    assert web.post(where, data={**data, "reservePrice": "60000"}).status_code == 303
    assert lot.terms.reserve == 6000000


def test_what_cannot_be_taken_back_needs_the_lots_number(office: Office, web: httpx.Client) -> None:
    """Typed wrongly, nothing happens."""
    lot = added(office, web, lotNumber="17")
    where = f"/admin/lot/{lot.auction_id}/do"
    for verb in ("cancel", "remove"):
        assert web.post(where, data={"verb": verb, "typed": "71"}).status_code == 400
        assert web.post(where, data={"verb": verb}).status_code == 400
    assert lot.now.state.value == "scheduled"
    answer = web.post(where, data={"verb": "remove", "typed": "17"})
    assert urlsplit(answer.headers["location"]).path == f"/admin/sale/{SALE}/lots"
    assert lot.now.state.value == "withdrawn"
    assert web.post(where, data={"verb": "remove", "typed": "17"}).status_code == 404


@pytest.mark.parametrize("verb", ["cancel", "complete"])
def test_many_lots_are_not_ended_by_a_slip(office: Office, web: httpx.Client, verb: str) -> None:
    """Ending them needs the sale's name; what is not a lot's next step is left out."""
    lot = added(office, web, lotNumber="18", openAt="")
    before = lot.now.state
    data = {"verb": verb, "shown": lot.auction_id, "typed": "clay"}
    assert web.post(f"/admin/sale/{SALE}/lots", data=data).status_code == 400
    assert lot.now.state is before
    answer = web.post(f"/admin/sale/{SALE}/lots", data={**data, "typed": "Clay"})
    assert answer.status_code == 200
    assert (lot.now.state is State.CANCELED) == (verb == "cancel")


# ── Objects ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("binding", "photos", "standing"),
    [
        ("bound", 2, "matched"),
        ("broken", 2, "differs"),
        ("incomplete", 1, "missing"),
        ("incomplete", 2, "checking"),
    ],
)
def test_an_object_in_the_clerks_words(binding: Any, photos: int, standing: str) -> None:
    """All photographs there and not bound yet: they are being looked at."""
    found = Object(SERIAL, "cataloged", binding, None, photos, 2)
    assert standing_of(found) == standing


def test_a_lot_whose_object_is_not_ready_keeps_the_sale_from_opening(
    office: Office, web: httpx.Client
) -> None:
    """The page says which, with a way to it; what is sent all the same is not done."""
    office.decide(CreateSale("seq_bound", "Bound", "EUR", 2))
    standing = {"mode": "test", "serial": SERIAL, "status": "cataloged", "open_auction": None}
    ready = {**standing, "binding_status": "bound", "photos": 2, "required": 2}
    bare = {**standing, "binding_status": "incomplete", "photos": 1, "required": 2}
    office.verifier.objects[SERIAL] = bare
    said = {"lotNumber": "1", "name": "Watch", "startingBid": "100", "serial": SERIAL}
    assert web.post("/admin/sale/seq_bound/lots/new", data=said).status_code == 303
    [auction_id] = office.gateway.saleroom.sales["seq_bound"].auction_ids
    page = web.get("/admin/sale/seq_bound").text
    assert f'<a href="/admin/objects/{SERIAL}">Lot 1</a>: photographs of its object' in page
    assert 'type="submit" disabled' in page
    assert "photographs 1 of 2" in web.get("/admin/sale/seq_bound/lots").text
    times = {"openAt": "2031-01-01T10:00", "closeAt": "2031-01-02T10:00"}
    publish = {"step": "publish", "stagger": "0", "settleHours": "1", **times}
    assert web.post("/admin/sale/seq_bound/step", data=publish).status_code == 409
    lot = office.gateway.saleroom.lots[auction_id]
    assert lot.terms.opens_at is None
    office.verifier.objects[SERIAL] = ready
    assert "1 lot done." in web.post("/admin/sale/seq_bound/step", data=publish).text
    assert lot.terms.opens_at is not None


def test_lots_are_found_by_number_title_and_serial(office: Office, web: httpx.Client) -> None:
    """However it is written; and by how they and their objects stand."""
    lot = added(office, web, lotNumber="19B", name="Jian tea bowl")
    found = Inspected("none")
    for q in ("19b", "TEA", "", "jian"):
        assert is_sought(lot, found, Sought(q)), q
    assert not is_sought(lot, found, Sought("vase"))
    assert is_sought(lot, found, Sought(state="scheduled", object="none"))
    assert not is_sought(lot, found, Sought(state="open"))
    assert not is_sought(lot, found, Sought(object="matched"))
