"""A bidder's own pages, as a browser without scripts sees them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import httpx
import pytest
from starlette.responses import Response

from engine.core.messages import CloseLot, Command, CreateSale, KeepTime, SaleTerms, SettleLot
from gateway import browsers
from gateway.app import Gateway, build
from gateway.books import payments, people, sessions, watching
from gateway.books.payments import Sold
from gateway.books.people import read_profile
from gateway.books.store import writing
from tests.gateway.api.conftest import NOW, gateway
from tests.gateway.decisions import bid, decided, sale_of_lots

__all__ = ["gateway"]  # the fixture
HOUSE = "http://house"
WEEK_MS = 7 * 86_400_000
TERMS = SaleTerms(buyers_premium=((0, "26"),), tax_percent="20")


@pytest.fixture
async def web(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """A browser, of whom nobody knows anything."""
    transport = httpx.ASGITransport(build(gateway))
    headers = {"Origin": HOUSE}
    async with httpx.AsyncClient(transport=transport, base_url=HOUSE, headers=headers) as client:
        yield client


@pytest.fixture
def ada(gateway: Gateway, web: httpx.AsyncClient) -> str:
    """The browser is Ada's, who is signed in; her id."""
    said = read_profile(email="ada@example.test", first_name="Ada", last_name="Lindqvist")
    with writing(gateway.books) as connection:
        person, _ = people.enter(connection, gateway.vault, "test", said, NOW)
        pair = sessions.begin(connection, gateway.keys, person, NOW)
    response = Response()
    browsers.admit(gateway, response, pair.session)
    web.headers["Cookie"] = response.headers["set-cookie"].partition(";")[0]
    return person.consumer_id


def hold(gateway: Gateway, commands: Iterable[Command], lots: int = 5) -> None:
    """A sale of so many lots, open, and what then happens."""
    _, *added = sale_of_lots(lots=lots, reserve=None)
    sale = CreateSale("seq_k3f9", "Clay", "EUR", 2, terms=TERMS)
    due = [KeepTime(lot(number)) for number in range(1, lots + 1)]
    for place, event in enumerate(decided([sale, *added, *due, *commands], NOW)):
        gateway.saleroom.fold(0, place, event)


def lot(number: int) -> str:
    return f"auction_k3f9_{number}"


def listed(page: str) -> dict[str, list[str]]:
    """The lots of each group, in their order."""
    found: dict[str, list[str]] = {}
    for part in page.split('<section class="group" data-group="')[1:]:
        name = part.partition('"')[0]
        found[name] = [row.partition('"')[0] for row in part.split('data-lot="')[1:]]
    return found


async def test_lots_are_grouped_by_how_one_stands(
    gateway: Gateway, web: httpx.AsyncClient, ada: str
) -> None:
    """Leading, outbid, won, lost and watched, each where it belongs."""
    hold(
        gateway,
        [
            bid(ada, 50_000, "max", auction=lot(1)),
            bid(ada, 12_000, auction=lot(2)),
            bid("cons_bo", 14_000, auction=lot(2)),
            bid(ada, 20_000, auction=lot(3)),
            bid(ada, 20_000, auction=lot(4)),
            bid("cons_bo", 30_000, auction=lot(4)),
            CloseLot(lot(3)),
            CloseLot(lot(4)),
        ],
    )
    for number in (1, 5):
        watching.watch(gateway.books, ada, lot(number), NOW)
    page = (await web.get("/me")).text
    assert listed(page) == {
        "leading": [lot(1)],
        "outbid": [lot(2)],
        "won": [lot(3)],
        "lost": [lot(4)],
        "watching": [lot(5)],
    }
    assert "Ada Lindqvist" in page
    assert '<summary>Your maximum<span class="sr"> Lot 1A</span></summary>' in page
    assert '<details class="mask" data-part="mask">' in page  # closed until somebody opens it
    assert "€500" in page


async def test_a_win_has_its_invoice(gateway: Gateway, web: httpx.AsyncClient, ada: str) -> None:
    """Nothing to pay before the settlement; then until a date; then paid, or too late."""
    settle: list[Command] = [bid(ada, 4_400_000, auction=lot(1)), CloseLot(lot(1))]
    hold(gateway, settle)
    page = (await web.get("/me")).text
    for words in ("Hammer price", "€44,000", "premium 26 %", "€11,440", "premium 20 %", "€2,288"):
        assert words in page, words
    assert "€57,728" in page
    assert "The sale is not settled yet." in page
    gateway.saleroom.sales.clear()
    gateway.saleroom.lots.clear()
    hold(gateway, [*settle, SettleLot(lot(1))])
    page = (await web.get("/me")).text
    assert "Please pay until" in page
    assert "Payment code" in page
    win = gateway.saleroom.lots[lot(1)]
    assert win.settle_at is not None
    sold = Sold(lot(1), ada, 4_400_000, 2, "EUR", win.settle_at, "test")
    token = payments.current_token(gateway.books, gateway.keys, sold)
    assert token in page
    done = payments.complete(
        gateway.books, gateway.keys, "test", token, "order-1", NOW + 60_000, lambda _: None
    )
    assert not isinstance(done, payments.Refused)
    paid = (await web.get("/me")).text
    assert "Paid on" in paid
    assert token not in paid


async def test_who_pays_too_late_is_told(
    gateway: Gateway, web: httpx.AsyncClient, ada: str
) -> None:
    """And is given no code that is worth nothing."""
    hold(gateway, [bid(ada, 20_000, auction=lot(1)), CloseLot(lot(1)), SettleLot(lot(1))])
    gateway.clock.read(NOW + WEEK_MS + 120_000)
    page = (await web.get("/me")).text
    assert "The time to pay has passed." in page
    assert '<details class="code">' not in page


async def test_an_empty_page_leads_on(web: httpx.AsyncClient, ada: str) -> None:
    """Whoever has not bid yet sees where to."""
    page = (await web.get("/me")).text
    assert "You have not bid yet." in page
    assert 'href="/?status=open"' in page
    assert listed(page) == {}


async def test_nobody_sees_anothers_page(gateway: Gateway, web: httpx.AsyncClient) -> None:
    """Signed out, every page of one's own leads to the sign-in and back."""
    hold(gateway, [bid("cons_bo", 12_000, auction=lot(1))])
    for path in ("/me", "/me/data", "/me/erase"):
        answer = await web.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next={path}")
    for path in ("/me/notices", "/me/erase"):
        answer = await web.post(path, data={"sure": "1"})
        assert answer.headers["location"].startswith("/sign-in?next=/me")


async def test_mails_are_chosen(gateway: Gateway, web: httpx.AsyncClient, ada: str) -> None:
    """What is ticked is sent, what is not is not."""
    answer = await web.post("/me/notices", data={"won": "1", "outbid": "1"})
    assert answer.headers["location"] == "/me?saved=1#notices"
    person = people.by_id(gateway.books, gateway.vault, ada)
    assert person is not None
    assert [kind for kind, on in person.notices.items() if on] == ["outbid", "won"]
    page = (await web.get("/me?saved=1")).text
    assert 'name="won" type="checkbox" value="1" checked' in page
    assert 'name="lost" type="checkbox" value="1">' in page
    assert "Saved." in page


async def test_all_data_can_be_taken_along(web: httpx.AsyncClient, ada: str) -> None:
    """As a file, the same that the API gives."""
    answer = await web.get("/me/data")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.json()["consumerId"] == ada
    assert answer.json()["person"]["email"] == "ada@example.test"


async def test_an_account_is_erased(gateway: Gateway, web: httpx.AsyncClient, ada: str) -> None:
    """Only when somebody is sure, and nothing binds them; then they are out."""
    hold(gateway, [bid(ada, 12_000, auction=lot(1))])
    assert "The house forgets your name" in (await web.get("/me/erase")).text
    unsure = await web.post("/me/erase")
    assert (unsure.status_code, "Nothing was erased." in unsure.text) == (400, True)
    bound = await web.post("/me/erase", data={"sure": "1"})
    assert (bound.status_code, "may still win" in bound.text) == (409, True)
    gateway.saleroom.lots.clear()
    done = await web.post("/me/erase", data={"sure": "1"})
    assert (done.status_code, "Your account is erased" in done.text) == (200, True)
    assert "Max-Age=0" in done.headers["set-cookie"]
    assert (await web.get("/me")).status_code == 303
    person = people.by_id(gateway.books, gateway.vault, ada)
    assert person is not None
    assert person.erased_at is not None


@pytest.mark.parametrize("path", ["/me/notices", "/me/erase"])
async def test_other_sites_change_nothing(
    path: str, gateway: Gateway, web: httpx.AsyncClient, ada: str
) -> None:
    """A form that another site has sent is refused."""
    answer = await web.post(path, data={"sure": "1"}, headers={"Origin": "http://evil.test"})
    assert answer.status_code == 403
    person = people.by_id(gateway.books, gateway.vault, ada)
    assert person is not None
    assert person.erased_at is None
    assert all(person.notices.values())
