"""The operator API as its contract words it: token auctions from the draft to the ledger."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.integration.desk import (
    FAR,
    LATER,
    Desk,
    eight_at_once,
    error_of,
    fields_of,
    mail_of,
    one_effect,
    until_true,
)
from tests.integration.open_house import House, Json

SETTINGS = {"KEY_RATE": "0", "HTTP_RATE": "0", "BID_RATE": "0"}
TOKENS = 1_000  # what each user begins with


@dataclass(slots=True)
class Market:
    """Two assets, some users with tokens, and a key."""

    desk: Desk
    token: str
    prize: str
    users: tuple[str, ...]

    def auction(self, **said: Any) -> str:
        """A new auction that takes bids; its id."""
        body = {
            "bid_asset_id": self.token,
            "auction_asset_type": "erc721",
            "auction_asset_id": self.prize,
            "status": "active",
        }
        return str(self.desk.post("/auction", {**body, **said}, 201)["data"]["id"])

    def bid(self, auction_id: str, user: str, amount: Any) -> str:
        """A bid that is taken; its id."""
        body = {"email": user, "amount": amount}
        return str(self.desk.post(f"/auction/{auction_id}/bid", body, 201)["data"]["id"])

    def move(self, auction_id: str, *verbs: str) -> Json:
        shown: Json = {}
        for verb in verbs:
            shown = self.desk.post(f"/auction/{auction_id}/{verb}")["data"]
        return shown

    def read(self, auction_id: str) -> Json:
        found: Json = self.desk.get(f"/auction/{auction_id}")["data"]
        return found

    def held(self, user: str) -> tuple[Any, Any]:
        """What a user has available, and what is held, of the token."""
        for balance in exact(self.desk.ask("GET", f"/user/{user}/balances"))["data"]:
            if balance["asset_id"] == self.token:
                return balance["available"], balance["held"]
        return Decimal(0), Decimal(0)

    def prizes(self, user: str) -> list[tuple[Any, Any]]:
        """(token id, number) of what was sold here and is theirs."""
        found = self.desk.get(f"/user/{user}/balances")["data"]
        return [(each["token_id"], each["available"]) for each in found
                if each["asset_id"] == self.prize]  # fmt: skip


def exact(answer: httpx.Response) -> Any:
    """JSON with its numbers as they are written."""
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_float=Decimal, parse_int=Decimal)


def asset(desk: Desk, **said: Any) -> str:
    body = {"type": "erc20", "symbol": "GLD", "name": "Gold", **said}
    return str(desk.post("/asset", body, 201)["data"]["id"])


def user(desk: Desk, name: str) -> str:
    email = mail_of(name)
    desk.post("/user", {"email": email}, 201)
    return email


@pytest.fixture
def desk(house: House) -> Desk:
    return Desk.of(house)


@pytest.fixture
def market(desk: Desk) -> Market:
    token, prize = asset(desk), asset(desk, type="erc721", symbol="ART", name="Art")
    users = tuple(user(desk, name) for name in ("ada", "bram", "celia"))
    for email in users:
        desk.post(f"/asset/{token}/issue", {"email": email, "amount": TOKENS}, 201)
    return Market(desk, token, prize, users)


# ── Assets and users ─────────────────────────────────────────────────────────────────────


def test_an_asset_field_by_field(desk: Desk) -> None:
    """Eighteen decimals for an erc20, none for what cannot be divided."""
    made = desk.post("/asset", {"type": "erc20", "symbol": "GLD", "name": "Gold"}, 201)["data"]
    assert str(UUID(made["id"])) == made["id"]
    assert made.pop("created_at").endswith("Z")
    assert made == {"id": made["id"], "type": "erc20", "symbol": "GLD", "name": "Gold",
                    "decimals": 18}  # fmt: skip
    coin = {"type": "erc20", "symbol": "USD", "name": "Dollars", "decimals": 6}
    assert desk.post("/asset", coin, 201)["data"]["decimals"] == 6
    art = {"type": "erc721", "symbol": "ART", "name": "Art"}
    assert desk.post("/asset", art, 201)["data"]["decimals"] == 0
    assert made["id"] in [each["id"] for each in desk.pages("/asset")]
    listed = desk.get("/asset?limit=2")
    assert listed["page_info"]["start_cursor"] == listed["data"][0]["id"]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"type": "erc404"}, "type"),
        ({"symbol": ""}, "symbol"),
        ({"symbol": "two words"}, "symbol"),
        ({"name": ""}, "name"),
        ({"decimals": 37}, "decimals"),
        ({"decimals": -1}, "decimals"),
        ({"type": "erc721", "decimals": 2}, "decimals"),
        ({"colour": "green"}, "colour"),
    ],
)
def test_what_no_asset_is(desk: Desk, said: Json, field: str) -> None:
    """One word for whatever is wrong with a request, and the field."""
    answer = desk.ask("POST", "/asset", {"type": "erc20", "symbol": "G", "name": "G", **said})
    assert error_of(answer) == (400, "invalid")
    assert fields_of(answer) == {field}


def test_a_user_is_made_or_found_by_e_mail(desk: Desk) -> None:
    """201 the first time, 200 and unchanged after that, however the e-mail is written."""
    body: Json = {
        "email": mail_of("Ada"),
        "first_name": "Ada",
        "last_name": "Lovelace",
        "phone_number": "+44 20 7946 0000",
        "external_wallets": ["0x00000000219ab540356cBB839Cbe05303d7705Fa"],
    }
    made = desk.post("/user", body, 201)["data"]
    assert str(UUID(made["id"])) == made["id"]
    assert {name: made[name] for name in body} == body
    again = desk.post("/user", {**body, "email": body["email"].upper(), "first_name": "Eve"})
    assert again["data"] == made
    assert made in desk.pages("/user")
    assert desk.get(f"/user/{body['email']}/balances") == {"data": []}


def test_users_and_assets_page_by_page(desk: Desk) -> None:
    """The oldest first, and each once."""
    live = desk.live()
    made = [user(live, name) for name in ("ada", "bram", "celia")]
    first = live.get("/user?limit=2")
    rest = live.get(f"/user?limit=2&cursor={first['page_info']['end_cursor']}")
    assert [each["email"] for page in (first, rest) for each in page["data"]] == made
    assets = [asset(live, symbol=symbol) for symbol in ("A", "B", "C")]
    first = live.get("/asset?limit=2")
    rest = live.get(f"/asset?limit=2&cursor={first['page_info']['end_cursor']}")
    assert [each["id"] for page in (first, rest) for each in page["data"]] == assets
    for path in ("/user?cursor=nobody", "/asset?cursor=nothing", "/auction?cursor=none"):
        assert fields_of(live.ask("GET", path)) == {"cursor"}
    assert fields_of(live.ask("GET", "/user?limit=0")) == {"limit"}


def test_what_is_issued_is_there(desk: Desk) -> None:
    """Exact to the asset's decimals, as a number or as a text."""
    token, email = asset(desk), user(desk, "ada")
    issued = desk.post(f"/asset/{token}/issue", {"email": email, "amount": 2}, 201)["data"]
    assert (issued["amount"], issued["amount_base"]) == (2, str(2 * 10**18))
    tiny = {"email": email, "amount": "123456789012345678901.000000000000000001"}
    assert desk.post(f"/asset/{token}/issue", tiny, 201)["data"]["reference"]
    [balance] = exact(desk.ask("GET", f"/user/{email}/balances"))["data"]
    assert balance == {
        "asset_id": token,
        "symbol": "GLD",
        "token_id": None,
        "available": Decimal("123456789012345678903.000000000000000001"),
        "held": Decimal(0),
    }


@pytest.mark.parametrize("amount", [0, -1, "0.0000000000000000001", "ten", True, 1e300, None])
def test_what_cannot_be_issued(desk: Desk, amount: Any) -> None:
    """Nothing, less than the smallest unit, more than a chain can hold."""
    token, email = asset(desk), user(desk, "ada")
    refused = desk.refused("POST", f"/asset/{token}/issue", {"email": email, "amount": amount})
    assert refused == (400, "invalid")
    assert desk.get(f"/user/{email}/balances")["data"] == []


def test_nobody_and_nothing(desk: Desk, market: Market) -> None:
    """404 by the name of what is missing."""
    nothing = str(uuid4())
    body = {"email": "nobody@example.com", "amount": 1}
    assert desk.refused("POST", f"/asset/{nothing}/issue", body) == (404, "asset_not_found")
    assert desk.refused("POST", f"/asset/{market.token}/issue", body) == (404, "user_not_found")
    assert desk.refused("GET", "/user/nobody@example.com/balances") == (404, "user_not_found")
    assert desk.refused("GET", "/user/nobody/balances") == (404, "user_not_found")
    assert desk.refused("GET", "/auction/auction_x_y") == (404, "auction_not_found")
    auction_id = market.auction()
    path = f"/auction/{auction_id}/bid"
    assert desk.refused("GET", f"{path}/bid_x") == (404, "bid_not_found")
    assert desk.refused("POST", f"{path}/bid_x/cancel") == (404, "bid_not_found")
    assert desk.refused("POST", path, body) == (404, "user_not_found")


# ── Auctions ─────────────────────────────────────────────────────────────────────────────


def test_an_auction_field_by_field(market: Market) -> None:
    """Everything that can be said of it, as it is shown; nothing of winners."""
    body = {
        "title": "Ten seats",
        "description": "In the first row.",
        "bid_asset_id": market.token,
        "auction_asset_type": "erc721",
        "auction_asset_id": market.prize,
        "auction_asset_quantity": 10,
        "starting_price": 1.5,
        "reserve_price": 2.25,
        "settlement_type": "transfer",
        "status": "draft",
        "start_date": "2031-01-01T10:00:00.000Z",
        "end_date": "2031-01-02T10:00:00.000Z",
    }
    made = market.desk.post("/auction", body, 201)["data"]
    assert made.pop("created_at") == made.pop("updated_at")
    assert made == {**body, "id": made["id"], "bid_count": 0, "auction_asset_token_id": None,
                    "format": "one_bid"}  # fmt: skip
    seen = market.desk.get(f"auctions/{made['id']}")
    assert (seen["status"], seen["format"], seen["currencyCode"]) == ("PENDING", "one_bid", "GLD")
    assert (seen["winnerCount"], seen["startingPrice"]) == (10, 1.5)
    assert seen["settleAt"] == body["end_date"]


def test_defaults(market: Market) -> None:
    """A draft for one winner, whose tokens will be burned."""
    made = market.read(market.auction(status="draft"))
    assert (made["status"], made["settlement_type"]) == ("draft", "burn")
    assert (made["auction_asset_quantity"], made["reserve_price"]) == (1, None)
    assert (made["title"], made["start_date"], made["end_date"]) == ("", None, None)


def test_two_auctions_are_in_the_same_sale(market: Market) -> None:
    """The house's standing sale, one for each mode, has the same id for ever."""
    first, second = market.auction(), market.auction()
    sales = {market.desk.get(f"auctions/{each}")["sequenceId"] for each in (first, second)}
    assert sales == {"seq_tokenstest"}


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"bid_asset_id": None}, "bid_asset_id"),
        ({"bid_asset_id": "x"}, "bid_asset_id"),
        ({"auction_asset_type": "erc20"}, "auction_asset_type"),
        ({"auction_asset_quantity": 0}, "auction_asset_quantity"),
        ({"starting_price": "0.0000001"}, "starting_price"),
        ({"starting_price": -1}, "starting_price"),
        ({"settlement_type": "keep"}, "settlement_type"),
        ({"status": "settled"}, "status"),
        ({"status": "active", "start_date": FAR}, "start_date"),
        ({"status": "active", "end_date": "2020-01-01T00:00Z"}, "end_date"),
        ({"start_date": LATER, "end_date": FAR}, "end_date"),
        ({"title": "x" * 251}, "title"),
        ({"description": "x" * 1001}, "description"),
        ({"winner_count": 2}, "winner_count"),
    ],
)
def test_what_no_auction_is(market: Market, said: Json, field: str) -> None:
    """400 ``invalid`` with the field."""
    body = {"bid_asset_id": market.token, "auction_asset_type": "erc721",
            "auction_asset_id": market.prize, **said}  # fmt: skip
    answer = market.desk.ask("POST", "/auction", body)
    assert error_of(answer) == (400, "invalid")
    assert fields_of(answer) == {field}


def test_the_assets_must_be_there_and_of_their_kind(market: Market) -> None:
    """What is bid is an erc20; what is sold is what it is said to be; an erc1155 has an id."""
    desk, multi = market.desk, asset(market.desk, type="erc1155", symbol="SEAT")
    good = {"bid_asset_id": market.token, "auction_asset_type": "erc721",
            "auction_asset_id": market.prize}  # fmt: skip
    for missing in ("bid_asset_id", "auction_asset_id"):
        refused = desk.refused("POST", "/auction", {**good, missing: str(uuid4())})
        assert refused == (404, "asset_not_found")
    for said, field in (
        ({"bid_asset_id": market.prize}, "bid_asset_id"),
        ({"auction_asset_id": multi}, "auction_asset_id"),
        ({"auction_asset_type": "erc1155", "auction_asset_id": multi}, "auction_asset_token_id"),
    ):
        assert fields_of(desk.ask("POST", "/auction", {**good, **said})) == {field}


def test_a_scheduled_auction_shows_as_draft_and_opens(market: Market) -> None:
    """With its start date; when that comes it is active, and takes bids."""
    start = (datetime.now(UTC) + timedelta(milliseconds=700)).isoformat()[:23] + "Z"
    auction_id = market.auction(status="draft", start_date=start)
    shown = market.read(auction_id)
    assert (shown["status"], shown["start_date"]) == ("draft", start)
    refused = market.desk.refused(
        "POST", f"/auction/{auction_id}/bid", {"email": market.users[0], "amount": 5}
    )
    assert refused == (409, "auction_not_active")
    assert market.held(market.users[0]) == (TOKENS, 0)
    until_true(lambda: market.read(auction_id)["status"] == "active", "the auction to start")
    market.bid(auction_id, market.users[0], 5)


def test_an_end_stands_through_a_pause(market: Market) -> None:
    """A paused auction is completed when its end has come."""
    end = (datetime.now(UTC) + timedelta(milliseconds=900)).isoformat()[:23] + "Z"
    auction_id = market.auction(end_date=end)
    market.bid(auction_id, market.users[0], 5)
    assert market.move(auction_id, "pause")["end_date"] == end
    until_true(lambda: market.read(auction_id)["status"] == "completed", "its end")
    assert market.read(auction_id)["end_date"] == end


def test_a_list_by_status_and_page(market: Market) -> None:
    """``complete`` is another word for ``completed``; formats of every kind are listed."""
    live = market.desk.live()
    token, prize = asset(live), asset(live, type="erc721")
    ours = Market(live, token, prize, ())
    made = [ours.auction() for _ in range(3)]
    lot = live.lot()
    ours.move(made[1], "complete")
    for word in ("completed", "complete"):
        page = live.get(f"/auction?status={word}")
        assert [each["id"] for each in page["data"]] == [made[1]]
        assert page["page_info"] == {"start_cursor": made[1], "end_cursor": made[1]}
    active = [each["id"] for each in live.get("/auction?status=active")["data"]]
    assert active == [made[0], made[2], lot]
    first = live.get("/auction?limit=3")
    rest = live.get(f"/auction?limit=3&cursor={first['page_info']['end_cursor']}")
    assert [each["id"] for page in (first, rest) for each in page["data"]] == [*made, lot]
    empty = live.get("/auction?status=settled")
    assert empty == {"data": [], "page_info": {"start_cursor": None, "end_cursor": None}}
    assert fields_of(live.ask("GET", "/auction?status=sold")) == {"status"}


def test_a_draft_changes_in_everything(market: Market) -> None:
    """Also what is bid with, and whether it is a draft any more."""
    coin = asset(market.desk, symbol="COIN", decimals=2)
    auction_id = market.auction(status="draft", starting_price=5.25)
    path = f"/auction/{auction_id}"
    changed = market.desk.patch(
        path, {"title": "T", "bid_asset_id": coin, "auction_asset_quantity": 3,
               "settlement_type": "transfer", "end_date": FAR},
    )["data"]  # fmt: skip
    assert (changed["title"], changed["bid_asset_id"]) == ("T", coin)
    assert (changed["starting_price"], changed["auction_asset_quantity"]) == (5.25, 3)
    assert market.desk.get(f"auctions/{auction_id}")["currencyCode"] == "COIN"
    opened = market.desk.patch(path, {"status": "active"})["data"]
    assert opened["status"] == "active"


def test_later_little_changes(market: Market) -> None:
    """Title, description and a later end; 409 for the rest, and nothing moves."""
    auction_id = market.auction(end_date=FAR, starting_price=5)
    path = f"/auction/{auction_id}"
    changed = market.desk.patch(path, {"title": "T", "description": "D", "end_date": LATER})["data"]
    assert (changed["title"], changed["description"]) == ("T", "D")
    assert changed["end_date"] == "2031-01-02T10:00:00.000Z"
    before = market.read(auction_id)
    for body in ({"end_date": FAR}, {"end_date": None}, {"starting_price": 1}, {"status": "draft"},
                 {"auction_asset_quantity": 2}, {"reserve_price": None}):  # fmt: skip
        assert market.desk.refused("PATCH", path, body) == (409, "not_editable"), body
    assert market.read(auction_id) == before
    market.move(auction_id, "complete")
    assert market.desk.refused("PATCH", path, {"end_date": "2032-01-01T00:00Z"})[0] == 409
    assert market.desk.patch(path, {"title": "Sold"})["data"]["title"] == "Sold"


def test_deleting(market: Market) -> None:
    """A draft or a canceled auction is gone for good; nothing else is."""
    desk = market.desk
    draft, canceled, active = market.auction(status="draft"), market.auction(), market.auction()
    market.move(canceled, "cancel")
    for auction_id in (draft, canceled):
        answer = desk.ask("DELETE", f"/auction/{auction_id}")
        assert answer.status_code == 200
        assert answer.json() == {"data": {"id": auction_id, "deleted": True}}
        for method in ("GET", "DELETE"):
            refused = desk.refused(method, f"/auction/{auction_id}")
            assert refused == (404, "auction_not_found")
        assert auction_id not in [each["id"] for each in desk.pages("/auction")]
    assert desk.refused("DELETE", f"/auction/{active}") == (409, "invalid_transition")
    assert market.read(active)["status"] == "active"


# ── States ───────────────────────────────────────────────────────────────────────────────

VERBS = ("cancel", "resume", "pause", "settle", "complete")
LIFE: dict[str, tuple[Sequence[str], Json]] = {
    "draft": ((), {"resume": "active", "cancel": "canceled"}),
    "active": (("resume",), {"pause": "paused", "complete": "completed", "cancel": "canceled"}),
    "paused": (("resume", "pause"),
               {"resume": "active", "complete": "completed", "cancel": "canceled"}),
    "completed": (("resume", "complete"), {"settle": "settled"}),
    "settled": (("resume", "complete", "settle"), {}),
    "canceled": (("cancel",), {}),
}  # fmt: skip


@pytest.mark.parametrize("state", list(LIFE))
@pytest.mark.parametrize("verb", VERBS)
def test_the_table_of_transitions(market: Market, state: str, verb: str) -> None:
    """Every verb in every state: done, or 409 naming the state and what is allowed."""
    begin, allowed = LIFE[state]
    auction_id = market.auction(status="draft")
    for step in begin:
        market.move(auction_id, step)
    before = market.read(auction_id)
    assert before["status"] == state
    answer = market.desk.ask("POST", f"/auction/{auction_id}/{verb}", {})
    if verb in allowed:
        assert answer.status_code == 200
        assert answer.json()["data"]["status"] == allowed[verb]
        return
    assert error_of(answer) == (409, "invalid_transition")
    error = answer.json()["error"]
    assert error["details"]["state"] == state
    assert set(allowed) <= set(error["details"]["allowed"])
    assert state in error["message"]
    assert market.read(auction_id) == before


# ── Bids ─────────────────────────────────────────────────────────────────────────────────


def test_a_bid_field_by_field(market: Market) -> None:
    """Posted, held, and read again by its id; the consumer API knows it by the same."""
    auction_id = market.auction(starting_price=5)
    ada = market.users[0]
    body = {"email": ada, "amount": "12.500001"}
    posted = market.desk.post(f"/auction/{auction_id}/bid", body, 201)["data"]
    assert posted == {
        "id": posted["id"],
        "auction_id": auction_id,
        "email": ada,
        "amount": 12.500001,
        "amount_base": "12500001000000000000",
        "status": "posted",
        "created_at": posted["created_at"],
        "updated_at": posted["created_at"],
    }
    assert market.desk.get(f"/auction/{auction_id}/bid/{posted['id']}")["data"] == posted
    assert market.held(ada) == (Decimal("987.499999"), Decimal("12.500001"))
    assert market.read(auction_id)["bid_count"] == 1
    listed = market.desk.get(f"/auction/{auction_id}/bid")
    assert listed["data"] == [posted]
    assert listed["page_info"] == {"start_cursor": posted["id"], "end_cursor": posted["id"]}


def test_one_live_bid_for_each_user(market: Market) -> None:
    """A second is 409 until the first is taken back; it need not beat anyone."""
    auction_id = market.auction(auction_asset_quantity=2)
    ada, bram, _ = market.users
    first = market.bid(auction_id, ada, 50)
    market.bid(auction_id, bram, 20)
    path = f"/auction/{auction_id}/bid"
    again = {"email": ada, "amount": 60}
    assert market.desk.refused("POST", path, again) == (409, "bid_exists")
    assert market.held(ada) == (TOKENS - 50, 50)
    canceled = market.desk.post(f"{path}/{first}/cancel", {})["data"]
    assert (canceled["id"], canceled["status"]) == (first, "canceled")
    assert canceled["updated_at"] >= canceled["created_at"]
    assert market.held(ada) == (TOKENS, 0)
    assert market.desk.refused("POST", f"{path}/{first}/cancel") == (409, "bid_not_cancelable")
    second = market.bid(auction_id, ada, 10)
    assert second != first
    found = market.desk.get(path)["data"]
    assert [each["status"] for each in found] == ["canceled", "posted", "posted"]
    posted = market.desk.get(f"{path}?status=posted&limit=1")
    assert len(posted["data"]) == 1
    rest = market.desk.get(f"{path}?status=posted&cursor={posted['page_info']['end_cursor']}")
    assert [each["id"] for each in rest["data"]] == [second]


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (4.999999, (400, "below_starting_price")),
        (0, (400, "invalid")),
        (-5, (400, "invalid")),
        ("5.0000001", (400, "invalid")),
        (2**53, (400, "invalid")),
        ("9007199254.740992", (400, "invalid")),
        ("five", (400, "invalid")),
        (None, (400, "invalid")),
        (1000.000001, (402, "insufficient_funds")),
    ],
)
def test_bids_that_are_not_taken(market: Market, amount: Any, expected: tuple[int, str]) -> None:
    """Nothing is held for them."""
    auction_id = market.auction(starting_price=5)
    body = {"email": market.users[0], "amount": amount}
    assert market.desk.refused("POST", f"/auction/{auction_id}/bid", body) == expected
    assert market.held(market.users[0]) == (TOKENS, 0)
    assert market.read(auction_id)["bid_count"] == 0


def test_all_of_an_account_can_be_bid(market: Market) -> None:
    """But not twice, on two auctions at once."""
    ada = market.users[0]
    first, second = market.auction(), market.auction()
    market.bid(first, ada, TOKENS)
    body = {"email": ada, "amount": 1}
    refused = market.desk.refused("POST", f"/auction/{second}/bid", body)
    assert refused == (402, "insufficient_funds")


@pytest.mark.parametrize("verbs", [["pause"], ["complete"], ["complete", "settle"], ["cancel"]])
def test_only_active_auctions_take_bids(market: Market, verbs: list[str]) -> None:
    """409 in every other state, and nothing is held."""
    auction_id = market.auction()
    market.move(auction_id, *verbs)
    body = {"email": market.users[0], "amount": 5}
    refused = market.desk.refused("POST", f"/auction/{auction_id}/bid", body)
    assert refused == (409, "auction_not_active")
    assert market.held(market.users[0]) == (TOKENS, 0)


def test_bids_stand_after_the_end(market: Market) -> None:
    """Completed, a bid cannot be taken back any more; its tokens stay held."""
    auction_id = market.auction()
    bid_id = market.bid(auction_id, market.users[0], 5)
    market.move(auction_id, "complete")
    refused = market.desk.refused("POST", f"/auction/{auction_id}/bid/{bid_id}/cancel")
    assert refused == (409, "bid_not_cancelable")
    assert market.held(market.users[0]) == (TOKENS - 5, 5)


def test_a_cancelation_releases_everything(market: Market) -> None:
    """The balances read next are right."""
    auction_id = market.auction()
    for email in market.users:
        market.bid(auction_id, email, 7)
    assert market.move(auction_id, "cancel")["status"] == "canceled"
    assert [market.held(email) for email in market.users] == [(TOKENS, 0)] * 3
    found = market.desk.get(f"/auction/{auction_id}/bid")["data"]
    assert {each["status"] for each in found} == {"canceled"}


def test_auctions_of_other_formats(market: Market) -> None:
    """Bid calls serve one format only; state calls serve all of them."""
    lot = market.desk.draft()
    body = {"email": market.users[0], "amount": 500}
    for method, path, said in (
        ("POST", f"/auction/{lot}/bid", body),
        ("GET", f"/auction/{lot}/bid", None),
        ("GET", f"/auction/{lot}/bid/bid_x", None),
        ("POST", f"/auction/{lot}/bid/bid_x/cancel", None),
        ("PATCH", f"/auction/{lot}", {"starting_price": 5}),
    ):
        assert market.desk.refused(method, path, said) == (409, "wrong_format"), path
    shown = market.read(lot)
    assert (shown["format"], shown["status"], shown["bid_asset_id"]) == ("english", "draft", None)
    for verb, status in (("resume", "active"), ("pause", "paused"), ("resume", "active"),
                         ("complete", "completed"), ("settle", "settled")):  # fmt: skip
        assert market.move(lot, verb)["status"] == status
    assert "winning_bids" not in market.read(lot)


# ── Settlement ───────────────────────────────────────────────────────────────────────────


def sold(market: Market, **said: Any) -> str:
    """Three bids for two places, completed: 30, 20 and, too late for the second place, 20."""
    auction_id = market.auction(auction_asset_quantity=2, **said)
    for email, amount in zip(market.users, (20, 30, 20), strict=True):
        market.bid(auction_id, email, amount)
    market.move(auction_id, "complete")
    return auction_id


def test_winners_are_read_only_when_settled(market: Market) -> None:
    """Not when completed; the best first, ties by the earlier bid, each paying its own."""
    auction_id = sold(market)
    completed = market.read(auction_id)
    assert completed["status"] == "completed"
    assert "winning_bids" not in completed
    assert "settlement" not in completed
    bids = market.desk.get(f"/auction/{auction_id}/bid")["data"]
    assert {each["status"] for each in bids} == {"posted"}
    settled = market.move(auction_id, "settle")
    assert settled["status"] == "settled"
    ada, bram, _ = market.users
    won = [(each["email"], each["amount"], each["status"]) for each in settled["winning_bids"]]
    assert won == [(bram, 30, "winner"), (ada, 20, "winner")]
    bids = market.desk.get(f"/auction/{auction_id}/bid")["data"]
    assert [each["status"] for each in bids] == ["winner", "winner", "lost"]
    assert market.read(auction_id) == settled


def test_burned(market: Market) -> None:
    """The winners' tokens are destroyed, the prize is theirs, and the loser has everything."""
    auction_id = sold(market)
    settlement = market.move(auction_id, "settle")["settlement"]
    assert [market.held(email) for email in market.users] == [
        (TOKENS - 20, 0),
        (TOKENS - 30, 0),
        (TOKENS, 0),
    ]
    assert [market.prizes(email) for email in market.users] == [[(None, 1)], [(None, 1)], []]
    assert settlement["settlement_type"] == "burn"
    entries = settlement["entries"]
    assert settlement["transaction_references"] == [entry["reference"] for entry in entries]
    assert len(set(settlement["transaction_references"])) == len(entries)
    moves = sorted((entry["debit"], entry["credit"], entry["amount"]) for entry in entries)
    assert moves == sorted(
        [("available", "held", 20), ("available", "held", 20), ("available", "held", 30),
         ("held", "burned", 20), ("held", "burned", 30), ("held", "available", 20),
         ("issued", "available", 1), ("issued", "available", 1)]
    )  # fmt: skip
    burned = [entry for entry in entries if entry["credit"] == "burned"]
    assert {entry["debit_email"] for entry in burned} == set(market.users[:2])
    assert all(entry["credit_email"] is None for entry in burned)
    assert burned[0]["amount_base"] == str(int(burned[0]["amount"]) * 10**18)


def test_transferred(market: Market) -> None:
    """The winners' tokens go to the house; an erc1155 has its id in the account."""
    seats = asset(market.desk, type="erc1155", symbol="SEAT")
    ours = Market(market.desk, market.token, seats, market.users)
    auction_id = sold(
        ours, settlement_type="transfer", auction_asset_type="erc1155", auction_asset_token_id=7
    )
    entries = ours.move(auction_id, "settle")["settlement"]["entries"]
    paid = [(entry["credit"], entry["amount"]) for entry in entries if entry["debit"] == "held"]
    assert sorted(paid) == [("available", 20), ("house", 20), ("house", 30)]
    assert [ours.prizes(email) for email in ours.users] == [[(7, 1)], [(7, 1)], []]


def test_below_the_reserve_nobody_wins(market: Market) -> None:
    """Every hold is released, and nothing is minted."""
    auction_id = sold(market, reserve_price=31)
    settled = market.move(auction_id, "settle")
    assert settled["winning_bids"] == []
    assert [market.held(email) for email in market.users] == [(TOKENS, 0)] * 3
    assert {entry["credit"] for entry in settled["settlement"]["entries"]} == {"held", "available"}


def test_settling_twice_changes_nothing(market: Market) -> None:
    """409, and every balance and line is as it was; so it is with eight at once."""
    auction_id = sold(market)
    path = f"/auction/{auction_id}/settle"
    answers = eight_at_once(lambda: market.desk.ask("POST", path))
    assert sorted(each.status_code for each in answers) == [200] + [409] * 7
    settled = market.read(auction_id)
    balances = [market.held(email) for email in market.users]
    assert market.desk.refused("POST", path) == (409, "invalid_transition")
    assert market.read(auction_id) == settled
    assert [market.held(email) for email in market.users] == balances


def test_a_sale_nobody_came_to(market: Market) -> None:
    """Settled, without winners and without a line."""
    auction_id = market.auction()
    settled = market.move(auction_id, "complete", "settle")
    assert (settled["status"], settled["winning_bids"]) == ("settled", [])
    assert settled["settlement"]["entries"] == []


# ── Once ─────────────────────────────────────────────────────────────────────────────────


def test_one_key_has_one_effect(market: Market) -> None:
    """Auctions, bids, users, assets, issues and verbs: eight requests, one of each."""
    desk = market.desk
    body = {"bid_asset_id": market.token, "auction_asset_type": "erc721",
            "auction_asset_id": market.prize, "title": "Once", "status": "active"}  # fmt: skip
    made = one_effect(lambda: desk.ask("POST", "/auction", body, Idempotency_Key="an-auction"))
    auction_id = made["data"]["id"]
    assert [each["title"] for each in desk.pages("/auction")].count("Once") == 1
    ada = market.users[0]
    bid = {"email": ada, "amount": 5}
    path = f"/auction/{auction_id}/bid"
    taken = one_effect(lambda: desk.ask("POST", path, bid, Idempotency_Key="a-bid"))
    assert market.held(ada) == (TOKENS - 5, 5)
    cancel = f"{path}/{taken['data']['id']}/cancel"
    one_effect(lambda: desk.ask("POST", cancel, Idempotency_Key="a-cancel"))
    assert market.held(ada) == (TOKENS, 0)
    issue = f"/asset/{market.token}/issue"
    more = {"email": ada, "amount": 1}
    one_effect(lambda: desk.ask("POST", issue, more, Idempotency_Key="an-issue"))
    assert market.held(ada) == (TOKENS + 1, 0)
    one_effect(lambda: desk.ask("POST", f"/auction/{auction_id}/complete", Idempotency_Key="end"))
    name = {"type": "erc20", "symbol": "ONCE", "name": "Once"}
    one_effect(lambda: desk.ask("POST", "/asset", name, Idempotency_Key="an-asset"))
    assert [each["symbol"] for each in desk.pages("/asset")].count("ONCE") == 1
    somebody = {"email": mail_of("once")}
    one_effect(lambda: desk.ask("POST", "/user", somebody, Idempotency_Key="a-user"))


def test_eight_bids_of_one_user_at_once(market: Market) -> None:
    """Without a key they are eight wishes: one is taken, and one is held for."""
    auction_id, ada = market.auction(), market.users[0]
    body = {"email": ada, "amount": 10}
    answers = eight_at_once(lambda: market.desk.ask("POST", f"/auction/{auction_id}/bid", body))
    statuses = sorted(each.status_code for each in answers)
    assert statuses == [201] + [409] * 7
    assert {error_of(each)[1] for each in answers if each.status_code == 409} == {"bid_exists"}
    until_true(lambda: market.held(ada) == (TOKENS - 10, 10), "the other holds to be released")


def test_eight_users_made_at_once_are_one(desk: Desk) -> None:
    """One e-mail is one person, and only one answer says that it was made."""
    email = mail_of("ada")
    answers = eight_at_once(lambda: desk.ask("POST", "/user", {"email": email}))
    assert sorted(each.status_code for each in answers) == [200] * 7 + [201]
    assert len({each.json()["data"]["id"] for each in answers}) == 1


def test_a_crowd_bids_at_once(market: Market) -> None:
    """Every user's own tokens are held, no more and no less."""
    auction_id = market.auction(auction_asset_quantity=2)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda email: market.bid(auction_id, email, 25), market.users))
    assert [market.held(email) for email in market.users] == [(TOKENS - 25, 25)] * 3


# ── Keys, modes and names ────────────────────────────────────────────────────────────────


def test_who_may(market: Market) -> None:
    """A scope to read and one to write, in the words of this dialect."""
    auction_id = market.auction(reserve_price=20)
    reader, writer = market.desk.key("auctions:read"), market.desk.key("auctions:write")
    assert reader.get(f"/auction/{auction_id}")["data"]["reserve_price"] is None
    assert market.desk.key("auctions:read", "console").get(f"/auction/{auction_id}")["data"]["reserve_price"] == 20  # fmt: skip
    assert writer.post(f"/auction/{auction_id}/pause")["data"]["status"] == "paused"
    refused = reader.refused("POST", f"/auction/{auction_id}/resume")
    assert refused == (403, "insufficient_scope")
    nobody = Desk(market.desk.house, {})
    assert nobody.refused("GET", f"/auction/{auction_id}") == (401, "unauthorized")
    page = Desk(market.desk.house, {"X-Publishable-Key": market.desk.house.keys.publishable_key})
    assert page.refused("POST", "/user", {}) == (401, "unauthorized")


def test_modes_never_mix(market: Market) -> None:
    """Auctions, assets and users of the other mode are not there."""
    live = market.desk.live()
    auction_id = market.auction()
    bid_id = market.bid(auction_id, market.users[0], 5)
    for method, path, body, code in (
        ("GET", f"/auction/{auction_id}", None, "auction_not_found"),
        ("PATCH", f"/auction/{auction_id}", {"title": "x"}, "auction_not_found"),
        ("DELETE", f"/auction/{auction_id}", None, "auction_not_found"),
        ("POST", f"/auction/{auction_id}/cancel", None, "auction_not_found"),
        ("GET", f"/auction/{auction_id}/bid", None, "auction_not_found"),
        ("GET", f"/auction/{auction_id}/bid/{bid_id}", None, "auction_not_found"),
        ("POST", f"/auction/{auction_id}/bid/{bid_id}/cancel", None, "auction_not_found"),
        ("POST", f"/asset/{market.token}/issue", {"email": "a@b.cd", "amount": 1},
         "asset_not_found"),
        ("GET", f"/user/{market.users[0]}/balances", None, "user_not_found"),
        ("POST", "/auction", {"bid_asset_id": market.token, "auction_asset_type": "erc721",
                              "auction_asset_id": market.prize}, "asset_not_found"),
    ):  # fmt: skip
        assert live.refused(method, path, body) == (404, code), path
    made = live.post("/user", {"email": market.users[0]}, 201)["data"]
    assert made["email"] == market.users[0]
    own = Market(live, asset(live), asset(live, type="erc721"), ())
    assert live.get(f"auctions/{own.auction()}")["sequenceId"] == "seq_tokenslive"


def test_alpha_is_another_name(market: Market) -> None:
    """For auctions, assets and users alike."""
    auction_id = market.auction()
    assert market.desk.get(f"/alpha/auction/{auction_id}")["data"] == market.read(auction_id)
    for path in ("/asset", "/user"):
        assert market.desk.get(f"/alpha{path}?limit=1") == market.desk.get(f"{path}?limit=1")
    paused = market.desk.post(f"/alpha/auction/{auction_id}/pause")
    assert paused["data"]["status"] == "paused"


def test_a_user_is_the_consumer_with_that_e_mail(market: Market) -> None:
    """A bid on their behalf is their own in the consumer API, under the same id."""
    house, auction_id = market.desk.house, market.auction()
    made = market.desk.post("/user", {"email": market.users[0]})["data"]
    bid_id = market.bid(auction_id, market.users[0], 5)
    person = house.person(made["consumer_id"])
    [own] = house.get(f"/auctions/{auction_id}/bids/history", person).json()
    assert (own["bidId"], own["amount"]) == (bid_id, 5)
