"""The console's pages and the saleroom's screen, as the gateway writes them."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.responses import Response

from engine.core.increments import table
from engine.core.messages import Act, AddLot, Catalogue, Command, CreateSale, Open, PlaceBid, Terms
from gateway import desk
from gateway.app import Gateway, build
from gateway.books import apikeys
from gateway.books.apikeys import KeyWish
from tests.gateway.api.conftest import NOW, gateway
from tests.gateway.decisions import decided

__all__ = ["gateway"]  # the fixture
SALE = "seq_k3f9"
FIRST, SECOND, ONLINE = (f"auction_k3f9_{number}" for number in (1, 2, 3))
STEPS = table([(0, 10_000)])
PUBLIC = {
    *("auctionId", "lotNumber", "name", "photo", "estimate", "currency", "exponent"),
    *("opening", "status", "price", "paddle", "outcome", "reserve"),
}


def _sale() -> list[Command]:
    """Two lots for the rostrum, the first with a reserve and a left bid, and one for the clock."""
    live = Terms(100_000, STEPS, reserve=250_000, format="live", consignor="cons_erik")
    return [
        CreateSale(SALE, "Clay & fire", "EUR", 2),
        AddLot(FIRST, SALE, live, Catalogue("1", "A </script> vase", "", 200_000, 300_000)),
        AddLot(SECOND, SALE, Terms(50_000, STEPS, format="live"), Catalogue("2", "A bowl")),
        AddLot(ONLINE, SALE, Terms(100_000, STEPS), Catalogue("3", "A dish")),
        PlaceBid(FIRST, "cons_ada", "left", 170_000, "max"),
    ]


OPENED = Act(FIRST, Open(), "open", "key_1", "ses_1")


def _hold(gateway: Gateway, *commands: Command) -> None:
    for place, event in enumerate(decided([*_sale(), *commands])):
        gateway.saleroom.fold(0, place, event)


@pytest.fixture
async def web(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """A browser, of whom nobody knows anything."""
    transport = httpx.ASGITransport(build(gateway))
    async with httpx.AsyncClient(transport=transport, base_url="http://house") as client:
        yield client


def _sign_in(gateway: Gateway, web: httpx.AsyncClient, *scopes: str) -> None:
    key, _ = apikeys.create(gateway.books, "test", KeyWish("operator", "Ana", scopes, None), NOW)
    gateway.read_books()
    response = Response()
    desk.admit(gateway, response, key)
    web.headers["Cookie"] = response.headers["set-cookie"].partition(";")[0]


def _state(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="state">(.*?)</script>', page, re.S)
    assert found is not None
    state: dict[str, Any] = json.loads(found[1])
    return state


async def test_signed_out_the_console_asks_to_sign_in(
    gateway: Gateway, web: httpx.AsyncClient
) -> None:
    """And comes back to where one wanted to go."""
    _hold(gateway)
    for path, back in (
        ("/console", "/console"),
        (f"/console/{SALE}?view=clerk", f"/console/{SALE}%3Fview%3Dclerk"),
    ):
        answer = await web.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/sign-in?next={back}"
    assert (await web.get(f"/console/{SALE}/lots")).status_code == 404


async def test_the_sales_with_lots_for_the_rostrum(
    gateway: Gateway, web: httpx.AsyncClient
) -> None:
    """Each with the ways into it; lots that are sold by the clock are not counted."""
    _hold(gateway)
    _sign_in(gateway, web, "console")
    page = (await web.get("/console")).text
    assert "Clay &amp; fire" in page
    assert "2 lots" in page
    for path in (f"/console/{SALE}", f"/console/{SALE}?view=clerk", f"/room/{SALE}"):
        assert f'href="{path}"' in page


async def test_the_console_knows_the_reserve_and_counts_left_bids(
    gateway: Gateway, web: httpx.AsyncClient
) -> None:
    """It never knows a limit, nor who has left it."""
    _hold(gateway)
    _sign_in(gateway, web, "console")
    page = (await web.get(f"/console/{SALE}")).text
    state = _state(page)
    assert state["watching"] is False
    assert state["shown"] == FIRST
    assert [row["auctionId"] for row in state["lots"]] == [FIRST, SECOND]
    first = state["lots"][0]
    assert (first["reserveAmount"], first["leftBids"], first["estimate"]) == (
        250_000,
        1,
        [200_000, 300_000],
    )
    assert state["tables"] == [{"froms": [0], "steps": [10_000]}]
    assert "170000" not in page
    assert "cons_" not in page


async def test_who_may_not_sell_watches(gateway: Gateway, web: httpx.AsyncClient) -> None:
    """A key that only reads auctions, and whoever asks for the clerk's view."""
    _hold(gateway)
    _sign_in(gateway, web, "console")
    assert _state((await web.get(f"/console/{SALE}?view=clerk")).text)["watching"] is True
    _sign_in(gateway, web, "auctions:read")
    assert _state((await web.get(f"/console/{SALE}")).text)["watching"] is True


async def test_the_lot_that_is_on_is_shown_first(gateway: Gateway, web: httpx.AsyncClient) -> None:
    """And the queue says so when it is asked again."""
    _hold(gateway, OPENED)
    _sign_in(gateway, web, "console")
    state = _state((await web.get(f"/console/{SALE}")).text)
    assert (state["shown"], state["ring"]) == (FIRST, FIRST)
    queue = (await web.get(f"/console/{SALE}/lots")).json()
    assert queue["ring"] == FIRST
    assert [row["status"] for row in queue["lots"]] == ["open", "draft"]


async def test_no_such_sale(gateway: Gateway, web: httpx.AsyncClient) -> None:
    """Unknown, of the other mode, or without a lot for the rostrum: a page that says so."""
    for place, event in enumerate(
        decided(
            [
                CreateSale("seq_live", "For money", "EUR", 2, mode="live"),
                CreateSale("seq_clock", "By the clock", "EUR", 2),
            ]
        )
    ):
        gateway.saleroom.fold(0, place, event)
    _sign_in(gateway, web, "console")
    for sale_id in ("seq_none", "seq_live", "seq_clock"):
        assert (await web.get(f"/console/{sale_id}")).status_code == 404, sale_id
    for sale_id in ("seq_none", "seq_live"):
        assert (await web.get(f"/room/{sale_id}")).status_code == 404, sale_id
        assert (await web.get(f"/room/{sale_id}/now")).status_code == 404, sale_id


async def test_the_screen_shows_what_everybody_may_see(
    gateway: Gateway, web: httpx.AsyncClient
) -> None:
    """The lot that is on and the next, each with public things only; nobody needs to sign in."""
    _hold(gateway, OPENED)
    page = (await web.get(f"/room/{SALE}")).text
    state = _state(page)
    assert set(state) == {"sale", "key", "now", "lot", "next"}
    assert set(state["lot"]) == set(state["next"]) == PUBLIC
    assert (state["lot"]["auctionId"], state["next"]["auctionId"]) == (FIRST, SECOND)
    for secret in ("250000", "170000", "cons_", "reserveAmount", "leftBids"):
        assert secret not in page
    assert (await web.get(f"/room/{SALE}/now")).json() == {
        "lot": state["lot"],
        "next": state["next"],
    }


async def test_before_the_first_lot_the_screen_has_none(
    gateway: Gateway, web: httpx.AsyncClient
) -> None:
    """It names the sale, and what comes first."""
    _hold(gateway)
    now = (await web.get(f"/room/{SALE}/now")).json()
    assert now["lot"] is None
    assert now["next"]["auctionId"] == FIRST
