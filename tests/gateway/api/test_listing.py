"""A lot that names an object: when the verifier is asked, and what becomes of its answer.

A real gateway and a real server on the verifier's socket; in place of the log stands the
engine's own rule, which decides at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from engine.core.increments import table
from engine.core.messages import (
    AddLot,
    Catalogue,
    CloseLot,
    Command,
    CommandRefused,
    CommandTaken,
    CreateSale,
    SettleLot,
    Terms,
    Tokens,
)
from engine.core.sale import Shard, execute
from gateway import line
from gateway.app import Gateway
from tests.gateway.api.conftest import NOW
from tests.gateway.scripted_verifier import Json, Verifier, on_socket

SALE = "seq_k3f9"
SERIAL = "AUC260218FKC5SKSEZ"
TYPED = "auc 260218-fkc5 skse z"
SOON = "2031-01-01T10:00:00Z"
READY: Json = {
    "mode": "test",
    "serial": SERIAL,
    "status": "cataloged",
    "binding_status": "bound",
    "open_auction": None,
}


class Engine:
    """Decides the house's commands, and lets the gateway read what came of them."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._shard = Shard()
        self._place = 0

    async def command(
        self, command: Command, within_s: float = 5.0
    ) -> CommandTaken | CommandRefused | None:
        """The feed's own call: decided here and now, so never late."""
        answer = None
        for event in execute(self._shard, command, NOW):
            self._place += 1
            self._gateway.saleroom.fold(0, self._place, event)
            if isinstance(event, CommandTaken | CommandRefused):
                answer = event
        return answer


class House:
    """The desk of a house with one sale."""

    def __init__(self, gateway: Gateway, web: httpx.AsyncClient, verifier: Verifier) -> None:
        self.gateway, self.web, self.verifier = gateway, web, verifier
        self._headers = {"Authorization": f"Bearer {gateway.keys.secret_key}"}

    async def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        content = {"content": body} if isinstance(body, bytes) else {"json": body or {}}
        named = self._headers | ({"Content-Type": "text/csv"} if isinstance(body, bytes) else {})
        return await self.web.request(method, path, headers=named, **content)

    async def create(self, **said: Any) -> httpx.Response:
        """Add a lot of the object, scheduled unless something else is said."""
        body = {"sequenceId": SALE, "settleAt": SOON, "serial": SERIAL, "openAt": SOON}
        body = {name: value for name, value in {**body, **said}.items() if value is not None}
        return await self.ask("POST", "auctions", body)

    async def made(self, **said: Any) -> str:
        """The same, where it is done; its auction id."""
        answer = await self.create(**said)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def asked(self) -> list[str]:
        """What the verifier has been asked since it was looked last."""
        targets = [heard.target for heard in self.verifier.heard]
        self.verifier.heard.clear()
        return targets


@pytest.fixture
async def house(gateway: Gateway, web: httpx.AsyncClient) -> AsyncIterator[House]:
    """A house whose one object may be put up."""
    engine = Engine(gateway)
    gateway.feed.command = engine.command  # type: ignore[method-assign]
    await engine.command(CreateSale(SALE, "Watches", "EUR", 2, cmd_id="sale", by="key"))
    verifier = Verifier(objects={SERIAL: dict(READY), TYPED: dict(READY)})
    async with on_socket(verifier, gateway.settings.verifier_socket):
        yield House(gateway, web, verifier)
        gateway.line.close()


def standing(house: House, **how: Any) -> None:
    """How the object stands from now on."""
    for typed in house.verifier.objects:
        house.verifier.objects[typed] = {**READY, **how}


ASKED = f"/internal/objects/{SERIAL}?mode=test"
REFUSALS: list[tuple[Json, int, str, str]] = [
    ({"binding_status": "incomplete"}, 409, "Object binding required", "incomplete"),
    ({"binding_status": "broken"}, 409, "Object binding required", "broken"),
    ({"status": "consigned"}, 409, "Invalid transition", "consigned"),
    ({"status": "sold"}, 409, "Invalid transition", "sold"),
    ({"status": "withdrawn"}, 409, "Invalid transition", "withdrawn"),
    ({"status": "listed", "open_auction": "auction_x"}, 409, "Invalid transition", "auction_x"),
]


async def test_a_bound_object_is_put_up(house: House) -> None:
    """It is asked for once, in the key's mode, and its serial is kept as it is spelt."""
    answer = await house.create(serial=TYPED)
    assert (answer.status_code, answer.json()["serial"]) == (201, SERIAL)
    assert house.asked() == ["/internal/claims"]


async def test_an_object_that_the_house_has_listed_by_hand_is_put_up(house: House) -> None:
    """As long as no auction is open on it."""
    standing(house, status="listed")
    assert (await house.create(serial=SERIAL)).status_code == 201


@pytest.mark.parametrize(("how", "status", "error", "named"), REFUSALS)
async def test_what_cannot_be_put_up(
    how: Json, status: int, error: str, named: str, house: House
) -> None:
    """Neither scheduled nor opened; how the object stands is said, and no lot comes of it."""
    draft = await house.made(openAt=None)
    standing(house, **how)
    before = len(house.gateway.saleroom.lots)
    for answer in (
        await house.create(),
        await house.ask("POST", f"auctions/{draft}/resume"),
        await house.ask("PUT", f"auctions/{draft}", {"openAt": SOON}),
    ):
        assert (answer.status_code, answer.json()["error"]) == (status, error)
        assert named in answer.json()["message"]
    assert len(house.gateway.saleroom.lots) == before
    assert house.gateway.saleroom.lots[draft].now.state.value == "scheduled"


async def test_an_unknown_serial_is_a_bad_field(house: House) -> None:
    """Also one of the other mode, and one that no serial could be."""
    house.verifier.objects["LIVE"] = {**READY, "mode": "live"}
    for serial in ("AUC1", "LIVE", "../jwks", "%00", "a/b?mode=live"):
        answer = await house.create(serial=serial)
        assert answer.status_code == 400
        assert [detail["field"] for detail in answer.json()["details"]] == ["serial"]


async def test_drafts_are_not_asked_about(house: House) -> None:
    """They may name whatever they like, until they are put up."""
    auction_id = await house.made(openAt=None, serial="NOBODY'S")
    assert (await house.ask("PUT", f"auctions/{auction_id}", {"name": "x"})).status_code == 200
    assert house.asked() == []
    assert (await house.ask("POST", f"auctions/{auction_id}/resume")).status_code == 400


async def test_without_a_serial_nobody_is_asked(house: House) -> None:
    """Most lots have none."""
    auction_id = await house.made(serial=None)
    assert (await house.ask("POST", f"auctions/{auction_id}/resume")).status_code == 200
    assert house.asked() == []


async def test_a_draft_is_asked_about_when_it_opens(house: House) -> None:
    """And its serial is spelt right by then."""
    auction_id = await house.made(openAt=None, serial=TYPED)
    answer = await house.ask("POST", f"auctions/{auction_id}/resume")
    assert (answer.status_code, answer.json()["status"]) == (200, "OPEN")
    assert answer.json()["serial"] == SERIAL
    assert len(house.asked()) == 1


async def test_who_is_up_already_is_not_asked_about_again(house: House) -> None:
    """Another name, the opening, a pause: also while the verifier is away."""
    auction_id = await house.made()
    standing(house, status="listed", open_auction=auction_id)
    house.asked()
    for method, path, body in (
        ("PUT", "", {"name": "Moon jar"}),
        ("POST", "/resume", {}),
        ("POST", "/pause", {}),
        ("POST", "/resume", {}),
    ):
        answer = await house.ask(method, f"auctions/{auction_id}{path}", body)
        assert answer.status_code == 200, answer.text
    assert house.asked() == []


async def test_a_lot_that_is_put_up_changes_its_object(house: House) -> None:
    """The new one is asked about, and taken in its own spelling."""
    auction_id = await house.made(serial=None)
    answer = await house.ask("PUT", f"auctions/{auction_id}", {"serial": TYPED})
    assert (answer.status_code, answer.json()["serial"]) == (200, SERIAL)
    standing(house, status="sold")
    assert (await house.ask("PUT", f"auctions/{auction_id}", {"serial": None})).status_code == 200
    again = await house.ask("PUT", f"auctions/{auction_id}", {"serial": SERIAL})
    assert again.status_code == 409


async def test_its_own_auction_may_put_it_up_again(house: House) -> None:
    """A scheduled lot that became a draft is listed until the verifier hears of it."""
    auction_id = await house.made()
    standing(house, status="listed", open_auction=auction_id)
    for opens in (None, SOON):
        answer = await house.ask("PUT", f"auctions/{auction_id}", {"openAt": opens})
        assert answer.status_code == 200, answer.text


async def test_one_object_is_not_put_up_twice(house: House) -> None:
    """Also where the verifier has not heard of the first yet."""
    first = await house.made()
    answer = await house.create()
    assert (answer.status_code, answer.json()["error"]) == (409, "Invalid transition")
    assert first in answer.json()["message"]
    assert (await house.ask("POST", f"auctions/{first}/cancel")).status_code == 200
    standing(house)  # the verifier has been told
    assert (await house.create()).status_code == 201


async def test_of_many_at_once_one_has_the_object(house: House) -> None:
    """The verifier keeps it for one of them, though no gateway knows of a lot yet."""
    answers = await asyncio.gather(*(house.create() for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7


async def test_an_object_has_one_winner(house: House) -> None:
    """A serial with several places is refused, drafts included, however it comes about."""
    for opens in (SOON, None):
        answer = await house.create(winnerCount=2, openAt=opens, format="one_bid")
        assert answer.status_code == 400
        assert [detail["field"] for detail in answer.json()["details"]] == ["serial"]
    auction_id = await house.made(openAt=None, serial=None, winnerCount=2, format="one_bid")
    answer = await house.ask("PUT", f"auctions/{auction_id}", {"serial": SERIAL})
    assert answer.status_code == 400


async def test_while_the_verifier_is_away(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """503, and nothing is put up on trust."""
    monkeypatch.setattr(line, "STARTS_WITHIN_S", 0.0)
    house.gateway.settings.verifier_socket.unlink()
    answer = await house.create()
    assert (answer.status_code, answer.json()["error"]) == (503, "Service unavailable")
    assert answer.headers["retry-after"] == "1"
    assert house.gateway.saleroom.lots == {}


async def test_a_lot_put_up_again_is_asked_about(house: House) -> None:
    """Where it is scheduled at once; as a draft, when it is opened."""
    first = await house.made()
    await house.ask("POST", f"auctions/{first}/cancel")
    standing(house, status="withdrawn")
    dated = {"openAt": SOON, "settleAt": SOON}
    answer = await house.ask("POST", f"auctions/{first}/relist", dated)
    assert answer.status_code == 409
    house.asked()
    draft = await house.ask("POST", f"auctions/{first}/relist")
    assert (draft.status_code, draft.json()["serial"], house.asked()) == (201, SERIAL, [])
    answer = await house.ask("POST", f"auctions/{draft.json()['id']}/resume")
    assert answer.status_code == 409


async def test_a_lot_that_passed_leaves_its_object(house: House) -> None:
    """Once the verifier says so, whether the lot is settled yet or not."""
    first = await house.made(openAt=None)
    await house.ask("POST", f"auctions/{first}/resume")
    await house.gateway.feed.command(CloseLot(first, "close", "key"))
    standing(house)
    assert (await house.create()).status_code == 201


# ── Catalogues ───────────────────────────────────────────────────────────────────────────

HEADER = "Lot Number,name,openAt,settleAt,SERIAL\n"


async def test_a_catalogue_names_what_it_cannot_put_up(house: House) -> None:
    """Each in its row and under the file's own column; nothing is entered, and a dry run says so."""
    rows = (
        f"1,Watch,{SOON},{SOON},{TYPED}\n"
        f"2,Watch,{SOON},{SOON},AUC1\n"
        f"3,Watch,{SOON},{SOON},{SERIAL}\n"
        "4,Draft,,,AUC1\n"
    )
    path = f"sequences/{SALE}/catalogue"
    errors = [(3, "SERIAL"), (4, "SERIAL")]
    for query, status in (("?dryRun=1", 200), ("", 400)):
        answer = await house.ask("POST", path + query, (HEADER + rows).encode())
        assert answer.status_code == status, answer.text
        found = answer.json()["errors"]
        assert [(error["row"], error["column"]) for error in found] == errors
    assert "row 2" in found[1]["message"]
    assert house.gateway.saleroom.lots == {}


async def test_a_catalogue_is_entered_with_its_objects(house: House) -> None:
    """Spelt as the verifier does; entered again, nothing is asked and nothing changes."""
    rows = f"1,Watch,{SOON},{SOON},{TYPED}\n2,Draft,,,AUC1\n"
    path = f"sequences/{SALE}/catalogue"
    answer = await house.ask("POST", path, (HEADER + rows).encode())
    assert (answer.status_code, answer.json()["created"]) == (200, 2)
    lots = house.gateway.saleroom.lots.values()
    assert {lot.catalogue.serial for lot in lots} == {SERIAL, "AUC1"}
    [auction_id] = [lot.auction_id for lot in lots if lot.catalogue.serial == SERIAL]
    standing(house, status="listed", open_auction=auction_id)
    house.asked()
    spelt = rows.replace(TYPED, SERIAL)
    answer = await house.ask("POST", path, (HEADER + spelt).encode())
    assert (answer.status_code, answer.json()["unchanged"]) == (200, 2)
    assert house.asked() == []


# ── Token auctions ───────────────────────────────────────────────────────────────────────


async def test_a_token_auction_of_an_object(house: House) -> None:
    """The operator's own ways to open one ask as well, in the operator's words."""
    lot = "auction_k3f9_token"
    tokens = Tokens("asset-1", "erc721", "asset-2")
    terms = Terms(1, table([(0, 1)]), format="one_bid", tokens=tokens, exponent=0, currency="T")
    added = AddLot(lot, SALE, terms, Catalogue("1", "Jar", serial=SERIAL), "add", "key")
    await house.gateway.feed.command(added)
    standing(house, binding_status="broken")
    answer = await house.ask("POST", f"http://house/auction/{lot}/resume")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "binding_required")
    standing(house)
    answer = await house.ask("POST", f"http://house/auction/{lot}/resume")
    assert (answer.status_code, answer.json()["data"]["status"]) == (200, "active")
    await house.gateway.feed.command(CloseLot(lot, "close", "key"))
    await house.gateway.feed.command(SettleLot(lot, "settle", "key"))


# ── The public keys ──────────────────────────────────────────────────────────────────────


async def test_the_house_s_keys_and_the_verifiers(house: House) -> None:
    """Our own first; the verifier is asked now and then."""
    keys = [{"kty": "OKP", "kid": "one"}, {"kty": "OKP", "kid": "two"}]
    house.verifier.keys = keys
    for _ in range(3):
        answer = await house.web.get("http://house/.well-known/jwks.json")
        own, *others = answer.json()["keys"]
        assert (own["kid"], others) == (house.gateway.keys.signing_key_id, keys)
        assert "max-age" in answer.headers["cache-control"]
    assert house.asked() == ["/internal/jwks"]


async def test_our_own_keys_do_not_wait_for_the_verifier(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it they are all there is, and nobody keeps that."""
    monkeypatch.setattr(line, "STARTS_WITHIN_S", 0.0)
    house.gateway.settings.verifier_socket.unlink()
    answer = await house.web.get("http://house/.well-known/jwks.json")
    assert [key["kid"] for key in answer.json()["keys"]] == [house.gateway.keys.signing_key_id]
    assert answer.headers["cache-control"] == "no-cache"
