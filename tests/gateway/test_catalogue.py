"""The catalogue as a browser without scripts sees it, and the star that marks a lot."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable

import httpx
import pytest
from starlette.responses import Response

from engine.core.increments import table
from engine.core.messages import (
    AddLot,
    Catalogue,
    Command,
    CreateSale,
    KeepTime,
    OpenLot,
    PlaceBid,
    SaleTerms,
    Terms,
    Tokens,
)
from gateway import browsers, catalogue
from gateway.app import Gateway, build
from gateway.books import people, sessions, watching
from gateway.books.people import read_profile
from gateway.books.store import writing
from tests.gateway.api.conftest import NOW, gateway
from tests.gateway.decisions import AT, bid, decided, sale_of_lots

__all__ = ["gateway"]  # the fixture
HOUSE = "http://house"
STEPS = table([(0, 1_000)])
LOT = "auction_k3f9_1"


def hold(gateway: Gateway, commands: Iterable[Command]) -> None:
    """Have the engine decide, and this gateway read it; what is due to open by now is open."""
    wished = list(commands)
    due = [KeepTime(one.auction_id) for one in wished if isinstance(one, AddLot)]
    for place, event in enumerate(decided([*wished, *due])):
        gateway.saleroom.fold(0, place, event)


@pytest.fixture
async def web(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """A browser, of whom nobody knows anything."""
    transport = httpx.ASGITransport(build(gateway))
    headers = {"Origin": HOUSE}
    async with httpx.AsyncClient(transport=transport, base_url=HOUSE, headers=headers) as client:
        yield client


@pytest.fixture
def ada(gateway: Gateway, web: httpx.AsyncClient) -> str:
    """The browser is Ada's, who is signed in."""
    with writing(gateway.books) as connection:
        person, _ = people.enter(
            connection, gateway.vault, "test", read_profile(email="ada@example.test"), NOW
        )
        pair = sessions.begin(connection, gateway.keys, person, NOW)
    response = Response()
    browsers.admit(gateway, response, pair.session)
    web.headers["Cookie"] = response.headers["set-cookie"].partition(";")[0]
    return person.consumer_id


def lots_in(page: str) -> list[str]:
    return re.findall(r'data-lot="([^"]+)"', page)


def without_words(page: str) -> str:
    """The page as a reader sees it, without what its scripts may say."""
    return page.partition('<script type="application/json"')[0]


async def test_every_lot_with_its_price_is_there(gateway: Gateway, web: httpx.AsyncClient) -> None:
    """A card has the lot's number, name, estimate, price and end, and leads to its page."""
    closes = AT + 86_400_000
    hold(
        gateway,
        [
            CreateSale("seq_k3f9", "Clay & fire", "EUR", 2, time_zone="Europe/Berlin"),
            AddLot(
                LOT,
                "seq_k3f9",
                Terms(10_000, STEPS, opens_at=0, closes_at=closes),
                Catalogue("214", "A <vase>", "", 4_000_000, 6_000_000, ("mallet.jpg",)),
            ),
            PlaceBid(LOT, "cons_ada", "c1", 4_200_000, "bid"),
        ],
    )
    page = (await web.get("/")).text
    for words in (
        "Clay &amp; fire",
        f'href="/lot/{LOT}"',
        "Lot 214",
        "A &lt;vase&gt;",
        "Estimate €40,000–60,000",
        "Current bid",
        "€42,000",
        "1 bid<",
        "Closes",
        '<time datetime="2026-11-19T11:06:40Z">19 Nov 2026, 12:06 Berlin</time>',
    ):
        assert words in page, words


async def test_each_sale_has_a_page(gateway: Gateway, web: httpx.AsyncClient) -> None:
    """With its times, its terms and all its lots; one that is not there is said not to be."""
    terms = SaleTerms(buyers_premium=((0, "26"), (80_000_000, "21")), tax_percent="20")
    lots = sale_of_lots(lots=3)
    hold(gateway, [CreateSale("seq_k3f9", "Clay", "EUR", 2, terms=terms), *lots[1:]])
    page = (await web.get("/sale/seq_k3f9")).text
    assert len(lots_in(page)) == 3
    premium = "Buyer&#39;s premium 26 %, 21 % on what is above €800,000; 20 % tax on the premium."
    assert premium in page
    assert "Register to bid" in page
    assert (await web.get("/sale/seq_none")).status_code == 404


async def test_long_sales_have_several_pages(
    gateway: Gateway, web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The filters go along from page to page; beyond the last there is nothing to go on to."""
    monkeypatch.setattr(catalogue, "A_PAGE", 2)
    hold(gateway, sale_of_lots(lots=5))
    first = (await web.get("/sale/seq_k3f9?q=jar")).text
    assert "Page 1 of 3" in first
    assert 'href="/sale/seq_k3f9?q=jar&amp;page=2"' in first
    assert "Previous page" not in without_words(first)
    last = (await web.get("/sale/seq_k3f9?q=jar&page=3")).text
    assert lots_in(last) == ["auction_k3f9_5"]
    assert "Next page" not in without_words(last)
    for number in ("0", "-1", "x", "٢", "99999999"):
        assert "Page 1 of 3" in (await web.get("/sale/seq_k3f9", params={"page": number})).text


async def test_filters_narrow_the_list(gateway: Gateway, web: httpx.AsyncClient) -> None:
    """By words and by state, together; what was asked for stays in the form."""
    later = AddLot(
        "auction_k3f9_9",
        "seq_k3f9",
        Terms(10_000, STEPS, opens_at=AT + 9_000_000),
        Catalogue("9", "A bowl"),
    )
    hold(gateway, [*sale_of_lots(lots=2), later])
    assert len(lots_in((await web.get("/")).text)) == 3
    assert lots_in((await web.get("/?q=BOWL")).text) == ["auction_k3f9_9"]
    assert lots_in((await web.get("/?q=1a")).text) == [LOT]
    assert len(lots_in((await web.get("/?status=open")).text)) == 2
    page = (await web.get("/?q=bowl&status=upcoming")).text
    assert lots_in(page) == ["auction_k3f9_9"]
    assert 'value="bowl"' in page
    assert '<option value="upcoming" selected>' in page
    for path in ("/", "/sale/seq_k3f9"):
        none = (await web.get(f"{path}?q=bowl&status=over")).text
        assert lots_in(none) == []
        assert "No lots match." in none
        assert f'<a href="{path}">Clear filters</a>' in none


async def test_what_is_not_for_these_pages(gateway: Gateway, web: httpx.AsyncClient) -> None:
    """Sales of the other mode and token auctions are not in the catalogue."""
    tokens = Tokens("gold", "erc721", "jar")
    hold(
        gateway,
        [
            CreateSale("seq_live", "In earnest", "EUR", 2, mode="live"),
            AddLot("auction_live_1", "seq_live", Terms(1, STEPS, opens_at=0), Catalogue("1", "x")),
            CreateSale("seq_tok", "Tokens", "EUR", 2),
            AddLot(
                "auction_tok_1",
                "seq_tok",
                Terms(1, STEPS, opens_at=0, format="one_bid", tokens=tokens, exponent=6),
                Catalogue("1", "x"),
            ),
        ],
    )
    assert len(gateway.saleroom.lots) == 2
    page = (await web.get("/")).text
    assert lots_in(page) == []
    assert "There is no sale yet." in page
    assert (await web.get("/sale/seq_live")).status_code == 404
    for auction_id in gateway.saleroom.lots:
        assert (await web.post(f"/lot/{auction_id}/watch", data={"on": "1"})).status_code == 404


async def test_what_is_on_now(gateway: Gateway, web: httpx.AsyncClient) -> None:
    """The lot that an auctioneer sells is named above all others, in every page of the catalogue."""
    live = Terms(10_000, STEPS, format="live")
    lots = [
        AddLot(f"auction_k3f9_{n}", "seq_k3f9", live, Catalogue(f"{n}", f"Jar {n}")) for n in (7, 8)
    ]
    commands: list[Command] = [CreateSale("seq_k3f9", "Clay", "EUR", 2), *lots]
    hold(gateway, commands)
    assert 'id="on-now" hidden' in (await web.get("/")).text
    gateway.saleroom.sales.clear()
    gateway.saleroom.lots.clear()
    hold(gateway, [*commands, OpenLot("auction_k3f9_8")])
    for path in ("/", "/sale/seq_k3f9", "/?q=nothing"):
        page = (await web.get(path)).text
        assert "Lot 8 is on now" in page
        assert 'id="on-now-link" href="/lot/auction_k3f9_8"' in page


# ── The star ─────────────────────────────────────────────────────────────────────────────


async def test_a_star_marks_a_lot_without_scripts(
    gateway: Gateway, web: httpx.AsyncClient, ada: str
) -> None:
    """The form leads back to the list, where the lot is marked; and can be found by its mark."""
    hold(gateway, sale_of_lots(lots=2))
    answer = await web.post(f"/lot/{LOT}/watch", data={"on": "1", "next": f"/?q=jar#{LOT}"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/?q=jar#{LOT}")
    assert watching.watched_by(gateway.books, ada) == [LOT]
    page = (await web.get("/?watched=1")).text
    assert lots_in(page) == [LOT]
    assert 'aria-pressed="true" aria-label="Watch lot 1A"' in page
    await web.post(f"/lot/{LOT}/watch", data={"on": "0"})
    assert watching.watched_by(gateway.books, ada) == []


async def test_a_script_is_told(
    gateway: Gateway, web: httpx.AsyncClient, ada: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is so afterwards, also where no more can be watched."""
    hold(gateway, sale_of_lots())
    json = {"accept": "application/json"}
    on = await web.post(f"/lot/{LOT}/watch", data={"on": "1"}, headers=json)
    assert (on.status_code, on.json()) == (200, {"watching": True})
    off = await web.post(f"/lot/{LOT}/watch", data={"on": "0"}, headers=json)
    assert (off.status_code, off.json()) == (200, {"watching": False})
    monkeypatch.setattr(watching, "MOST", 0)
    full = await web.post(f"/lot/{LOT}/watch", data={"on": "1"}, headers=json)
    assert (full.status_code, full.json()) == (409, {"watching": False})


async def test_who_is_not_signed_in_is_asked_to(gateway: Gateway, web: httpx.AsyncClient) -> None:
    """And comes back to where they were."""
    hold(gateway, sale_of_lots())
    answer = await web.post(f"/lot/{LOT}/watch", data={"on": "1", "next": "/?q=jar"})
    assert answer.headers["location"] == "/sign-in?next=/%3Fq%3Djar"
    json = {"accept": "application/json"}
    assert (await web.post(f"/lot/{LOT}/watch", data={"on": "1"}, headers=json)).status_code == 401


async def test_a_page_of_another_site_marks_nothing(
    gateway: Gateway, web: httpx.AsyncClient, ada: str
) -> None:
    """Nor is anybody led off the premises."""
    hold(gateway, sale_of_lots())
    headers = {"Origin": "http://evil.test"}
    answer = await web.post(f"/lot/{LOT}/watch", data={"on": "1"}, headers=headers)
    assert answer.status_code == 403
    assert watching.watched_by(gateway.books, ada) == []
    led = await web.post(f"/lot/{LOT}/watch", data={"on": "1", "next": "//evil.test"})
    assert led.headers["location"] == "/"


async def test_a_bid_is_on_the_next_page(gateway: Gateway, web: httpx.AsyncClient) -> None:
    """What the page is written with is the price of that moment."""
    hold(gateway, [*sale_of_lots(), bid("cons_ada", 12_000)])
    assert "€120" in (await web.get("/")).text
