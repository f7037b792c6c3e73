"""A house runs its sales by secret key: announced, filled with lots, held, and cleared away."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.integration.desk import (
    FAR,
    LATER,
    Desk,
    error_of,
    fields_of,
    one_effect,
    until_true,
)
from tests.integration.open_house import House, Json, Person
from tests.integration.registrar import Registrar

SETTINGS = {"KEY_RATE": "0", "HTTP_RATE": "0", "BID_RATE": "0", "WEBHOOK_ALLOW_PRIVATE": "1"}
FORMATS: dict[str, Json] = {
    "english": {},
    "live": {},
    "one_bid": {"winnerCount": 2},
    "sealed_first": {},
    "sealed_second": {"reservePrice": 150},
    "uniform": {"winnerCount": 3, "uniformPrice": "lowest_winning"},
    "dutch": {"floorPrice": 50, "priceDropAmount": 5, "priceDropIntervalSeconds": 60},
}


@pytest.fixture
def desk(house: House) -> Desk:
    return Desk.of(house)


def when(text: str) -> datetime:
    return datetime.fromisoformat(text)


def bid(house: House, auction_id: str, amount: float, person: Person | None = None) -> Person:
    """A bid that is taken."""
    person = person or house.person()
    answer = house.bid(auction_id, person, {"amount": amount})
    assert answer.status_code == 200, answer.text
    return person


def status_of(house: House, auction_id: str, person: Person) -> str:
    return str(house.get(f"/auctions/{auction_id}/status", person).json()["status"])


# ── Sales ────────────────────────────────────────────────────────────────────────────────


def test_a_sale_field_by_field(desk: Desk) -> None:
    """What was said of it is what everybody reads."""
    terms = {
        "buyersPremium": [[0, "27.5"], [1_000_000, 20]],
        "taxPercent": 19,
        "conditions": "As seen.",
        "conditionsVersion": "3",
        "wrongFoot": "floor_first",
        "houseBids": "consecutive_below_reserve",
        "fingers": False,
    }
    body = {"name": "Clay", "timeZone": "Europe/Berlin", "currencyCode": "EUR"}
    more = {"registration": "approval", "supportsGuest": True, "terms": terms}
    sale = desk.post("sequences", {**body, **more}, 201)
    sale_id = sale["id"]
    assert sale_id.startswith("seq_")
    assert len(sale_id) == 14
    shown_terms = {**terms, "buyersPremium": [[0, 27.5], [1_000_000, 20]]}
    assert sale == {"id": sale_id, **body, **more, "terms": shown_terms, "mode": "test",
                    "openAt": None, "closeAt": None, "auctions": []}  # fmt: skip
    assert desk.get(f"sequences/{sale_id}") == sale
    assert desk.house.get(f"/sequences/{sale_id}").json() == sale


def test_a_sale_changes_and_goes(desk: Desk) -> None:
    """Its currency only while it has no lots; and it goes only then."""
    sale_id = desk.sale()
    changed = desk.put(f"sequences/{sale_id}", {"name": "Fire", "currencyCode": "JPY"})
    assert (changed["name"], changed["currencyCode"]) == ("Fire", "JPY")
    assert changed["timeZone"] == "Europe/Berlin"
    auction_id = desk.draft(sale_id, startingBid=500)
    assert desk.put(f"sequences/{sale_id}", {"name": "Ice"})["name"] == "Ice"
    currency = {"currencyCode": "EUR"}
    assert desk.refused("PUT", f"sequences/{sale_id}", currency) == (409, "In use")
    assert desk.refused("DELETE", f"sequences/{sale_id}") == (409, "In use")
    desk.gone(f"auctions/{auction_id}")
    desk.gone(f"sequences/{sale_id}")
    assert desk.refused("GET", f"sequences/{sale_id}") == (404, "Sequence not found")
    assert desk.refused("DELETE", f"sequences/{sale_id}") == (404, "Sequence not found")


def test_sales_page_by_page(desk: Desk) -> None:
    """In the order in which they were announced; a page begins behind the cursor."""
    live = desk.live()
    made = [live.sale() for _ in range(3)]
    first = live.get("sequences?limit=2")
    rest = live.get(f"sequences?limit=2&cursor={first['pageInfo']['endCursor']}")
    found = [sale["id"] for page in (first, rest) for sale in page["data"]]
    assert found[-3:] == made
    assert first["pageInfo"] == {"startCursor": found[0], "endCursor": found[1]}
    assert fields_of(live.ask("GET", "sequences?cursor=seq_nowhere")) == {"cursor"}
    assert fields_of(live.ask("GET", "sequences?limit=101")) == {"limit"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"timeZone": "UTC", "currencyCode": "EUR"}, "name"),
        ({"name": "x", "currencyCode": "EUR"}, "timeZone"),
        ({"name": "x", "timeZone": "UTC"}, "currencyCode"),
        ({"name": "", "timeZone": "UTC", "currencyCode": "EUR"}, "name"),
        ({"name": "x", "timeZone": "Mars/North", "currencyCode": "EUR"}, "timeZone"),
        ({"name": "x", "timeZone": "../etc", "currencyCode": "EUR"}, "timeZone"),
        ({"name": "x", "timeZone": "Europe", "currencyCode": "EUR"}, "timeZone"),
        ({"name": "x", "timeZone": "UTC", "currencyCode": "EURO"}, "currencyCode"),
        ({"name": "x", "timeZone": "UTC", "currencyCode": "XXX"}, "currencyCode"),
        ({"name": "x", "timeZone": "UTC", "currencyCode": "EUR", "colour": 1}, "colour"),
        ({"name": "x", "timeZone": "UTC", "currencyCode": "EUR", "registration": "no"},
         "registration"),
    ],
)  # fmt: skip
def test_what_no_sale_is(desk: Desk, body: Json, field: str) -> None:
    """Every objection names its field, and no sale comes of it."""
    before = desk.get("sequences?limit=100")["data"]
    assert fields_of(desk.ask("POST", "sequences", body)) == {field}
    assert desk.get("sequences?limit=100")["data"] == before


# ── Lots ─────────────────────────────────────────────────────────────────────────────────


def test_a_lot_field_by_field(desk: Desk) -> None:
    """Times in the sale's zone, money exact, the reserve for the house only."""
    serial = Registrar.of(desk.house).ready("Moon jar")["serial"]
    sale_id = desk.sale()
    body = {
        "sequenceId": sale_id,
        "name": "Moon jar",
        "settleAt": "2031-01-02T10:00",
        "openAt": "2031-01-01T10:00",
        "closeAt": "2031-01-01T18:00",
        "startingBid": "275.50",
        "minimumIncrement": 10,
        "reservePrice": 999.99,
        "buyNowPrice": 5000,
        "currencyCode": "EUR",
        "winnerCount": 1,
        "autoExtendSeconds": 60,
        "lotNumber": "214",
        "serial": serial,
        "estimate": {"low": 1000, "high": 2000},
    }
    lot = desk.post("auctions", body, 201)
    assert lot["id"].startswith(f"auction_{sale_id.removeprefix('seq_')}_")
    assert lot.pop("serverTime")
    assert lot == {
        "id": lot["id"],
        "name": "Moon jar",
        "sequenceId": sale_id,
        "openAt": "2031-01-01T09:00:00.000Z",
        "closeAt": "2031-01-01T17:00:00.000Z",
        "settleAt": "2031-01-02T09:00:00.000Z",
        "timeZone": "Europe/Berlin",
        "startingPrice": 275.5,
        "reservePrice": 999.99,
        "minimumBidIncrement": 10,
        "winnerCount": 1,
        "status": "PENDING",
        "currentHighBid": None,
        "currencyCode": "EUR",
        "reserveMet": False,
        "nextMinimumBid": 275.5,
        "bidCount": 0,
        "extensions": 0,
        "format": "english",
        "lotNumber": "214",
        "serial": serial,
        "buyNowPrice": 5000,
    }
    assert desk.house.get(f"/auctions/{lot['id']}").json()["reservePrice"] is None
    [listed] = desk.get(f"sequences/{sale_id}")["auctions"]
    assert (listed["id"], listed["lotNumber"], listed["status"]) == (lot["id"], "214", "PENDING")


@pytest.mark.parametrize("format_", list(FORMATS))
def test_every_format_is_made_and_opened(desk: Desk, format_: str) -> None:
    """With what the format needs; ``resume`` opens a draft."""
    auction_id = desk.draft(format=format_, **FORMATS[format_])
    opened = desk.post(f"auctions/{auction_id}/resume", {})
    assert (opened["status"], opened["format"]) == ("OPEN", format_)
    assert opened["openAt"] is not None


def test_defaults_that_make_sense(desk: Desk) -> None:
    """A number, a name, the trade's ladder and one step of it to begin with."""
    sale_id = desk.sale()
    first, second = [
        desk.post("auctions", {"sequenceId": sale_id, "settleAt": FAR}, 201) for _ in range(2)
    ]
    assert (first["lotNumber"], second["lotNumber"]) == ("1", "2")
    assert second["name"] == "Lot 2"
    assert first["startingPrice"] > 0
    assert first["openAt"] is None
    assert first["closeAt"] is None


def test_increments_by_name(desk: Desk) -> None:
    """A published table, to the cent; one that there is not is refused."""
    sale_id = desk.sale()
    body = {"sequenceId": sale_id, "settleAt": FAR, "startingBid": 100}
    lot = desk.post("auctions", {**body, "increments": "ebay_us"}, 201)
    assert lot["minimumBidIncrement"] == 2.5
    own = desk.post("auctions", {**body, "increments": [[0, 5], [100, "7.5"]]}, 201)
    assert own["minimumBidIncrement"] == 7.5
    unknown = desk.ask("POST", "auctions", {**body, "increments": "sothebys"})
    assert fields_of(unknown) == {"increments"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "settleAt"),
        ({"settleAt": "2031-03-30T02:30"}, "settleAt"),
        ({"settleAt": FAR, "closeAt": LATER}, "settleAt"),
        ({"settleAt": LATER, "openAt": FAR, "closeAt": FAR}, "closeAt"),
        ({"settleAt": FAR, "startingBid": 1.005}, "startingBid"),
        ({"settleAt": FAR, "format": "japanese"}, "format"),
        ({"settleAt": FAR, "winnerCount": 0}, "winnerCount"),
        ({"settleAt": FAR, "currencyCode": "USD"}, "currencyCode"),
        ({"settleAt": FAR, "timeZone": "Mars/North"}, "timeZone"),
        ({"settleAt": FAR, "format": "dutch", "startingBid": 5}, "floorPrice"),
        ({"settleAt": FAR, "reserve": 5}, "reserve"),
    ],
)
def test_what_no_lot_is(desk: Desk, body: Json, field: str) -> None:
    """Every objection names its field."""
    answer = desk.ask("POST", "auctions", {"sequenceId": desk.sale(), **body})
    assert field in fields_of(answer)


def test_a_lot_needs_a_sale_of_its_mode(desk: Desk) -> None:
    """404 where there is none."""
    body = {"sequenceId": "seq_nowhere123", "settleAt": FAR}
    assert desk.refused("POST", "auctions", body) == (404, "Sequence not found")
    other = {**body, "sequenceId": desk.live().sale()}
    assert desk.refused("POST", "auctions", other) == (404, "Sequence not found")


def test_while_pending_everything_changes(desk: Desk) -> None:
    """Also the format; what is not said stays, and changed times re-arm the clock."""
    auction_id = desk.draft(reservePrice=200)
    changed = desk.put(
        f"auctions/{auction_id}",
        {"name": "Vase", "format": "sealed_first", "reservePrice": None, "startingBid": 50,
         "closeAt": FAR, "winnerCount": 1, "lotNumber": "12A"},
    )  # fmt: skip
    assert (changed["name"], changed["format"], changed["lotNumber"]) == (
        "Vase",
        "sealed_first",
        "12A",
    )
    assert (changed["startingPrice"], changed["reservePrice"]) == (50, None)
    soon = datetime.fromisoformat(changed["serverTime"]) + timedelta(milliseconds=300)
    desk.put(f"auctions/{auction_id}", {"openAt": soon.isoformat()[:23] + "Z"})
    until_true(lambda: desk.get(f"auctions/{auction_id}")["status"] == "OPEN", "the lot to open")


def test_while_open_little_changes(desk: Desk) -> None:
    """The name, a later close, a later settlement, a lower reserve; else 409, and nothing moves."""
    auction_id = desk.lot(closeAt=FAR, reservePrice=200)
    path = f"auctions/{auction_id}"
    later = desk.put(path, {"closeAt": "2031-01-01T11:00:00Z", "settleAt": "2031-01-03T10:00:00Z"})
    assert (later["closeAt"], later["settleAt"]) == (
        "2031-01-01T11:00:00.000Z",
        "2031-01-03T10:00:00.000Z",
    )
    assert desk.put(path, {"name": "Vase", "reservePrice": 150})["reservePrice"] == 150
    before = {**desk.get(path), "serverTime": ""}
    for body in (
        {"closeAt": FAR},
        {"closeAt": "2020-01-01T10:00:00Z"},
        {"settleAt": LATER},
        {"reservePrice": 160},
        {"startingBid": 50},
        {"format": "live"},
        {"lotNumber": "7"},
        {"winnerCount": 2},
        {"name": "Jug", "startingBid": 50},
    ):
        assert desk.refused("PUT", path, body) == (409, "Cannot update closed distribution"), body
    assert {**desk.get(path), "serverTime": ""} == before
    assert fields_of(desk.ask("PUT", path, {"closeAt": "soon"})) == {"closeAt"}


def test_after_the_close_nothing_changes(desk: Desk) -> None:
    """Not even the name; and a lot that has opened is not taken away."""
    auction_id = desk.lot()
    path = f"auctions/{auction_id}"
    assert desk.refused("DELETE", path) == (409, "Cannot update closed distribution")
    for verb in ("complete", "settle"):
        desk.post(f"{path}/{verb}")
        for body in ({"name": "Vase"}, {"settleAt": "2032-01-01T10:00:00Z"}):
            assert desk.refused("PUT", path, body) == (409, "Cannot update closed distribution")
        assert desk.refused("DELETE", path) == (409, "Cannot update closed distribution")


def test_two_clerks_change_one_lot_at_once(desk: Desk) -> None:
    """Each what they wanted: whoever comes second builds on what the first has changed."""
    for _ in range(5):
        auction_id = desk.draft()
        changes = iter(({"name": "Vase"}, {"startingBid": 50}))
        with ThreadPoolExecutor(2) as pool:
            made = [pool.submit(desk.put, f"auctions/{auction_id}", each) for each in changes]
            assert all(each.result()["id"] == auction_id for each in made)
        found = desk.get(f"auctions/{auction_id}")
        assert (found["name"], found["startingPrice"]) == ("Vase", 50)


def test_a_pending_lot_is_taken_away(desk: Desk) -> None:
    """Nobody finds it again, nor its sale."""
    sale_id = desk.sale()
    auction_id = desk.draft(sale_id)
    desk.gone(f"auctions/{auction_id}")
    assert desk.refused("GET", f"auctions/{auction_id}") == (404, "Auction not found")
    assert desk.refused("DELETE", f"auctions/{auction_id}") == (404, "Auction not found")
    assert desk.get(f"sequences/{sale_id}")["auctions"] == []


# ── Moving on ────────────────────────────────────────────────────────────────────────────


def test_the_life_of_a_lot(desk: Desk) -> None:
    """Opened, paused, resumed, completed, settled: the winner is WON, the other LOST."""
    house = desk.house
    auction_id = desk.draft(closeAt=FAR)
    path = f"auctions/{auction_id}"
    assert desk.post(f"{path}/resume")["status"] == "OPEN"
    loser = bid(house, auction_id, 100)
    closes_at = when(desk.get(path)["closeAt"])
    assert desk.post(f"{path}/pause")["status"] == "OPEN"
    paused = house.bid(auction_id, loser, {"amount": 500})
    assert error_of(paused) == (423, "Auction is paused")
    resumed = desk.post(f"{path}/resume", {})
    assert when(resumed["closeAt"]) > closes_at
    winner = bid(house, auction_id, 120)
    assert desk.post(f"{path}/complete")["status"] == "CLOSED"
    assert status_of(house, auction_id, winner) == "WINNING"
    assert desk.post(f"{path}/settle")["status"] == "SETTLED"
    assert [status_of(house, auction_id, who) for who in (winner, loser)] == ["WON", "LOST"]


def test_after_a_cancelation_everybody_has_lost(desk: Desk) -> None:
    """CLOSED for good: nothing more is possible."""
    auction_id = desk.lot()
    leader = bid(desk.house, auction_id, 100)
    assert desk.post(f"auctions/{auction_id}/cancel")["status"] == "CLOSED"
    assert status_of(desk.house, auction_id, leader) == "LOST"
    for verb in ("pause", "resume", "cancel", "complete", "settle"):
        refused = desk.refused("POST", f"auctions/{auction_id}/{verb}")
        assert refused == (409, "Invalid transition")


@pytest.mark.parametrize(
    ("begin", "verbs"),
    [
        ([], ["pause", "complete", "settle"]),
        (["resume"], ["resume", "settle"]),
        (["resume", "pause"], ["pause", "settle"]),
        (["resume", "complete"], ["resume", "pause", "complete", "cancel"]),
        (["resume", "complete", "settle"], ["resume", "pause", "complete", "cancel", "settle"]),
    ],
)
def test_steps_that_there_are_not(desk: Desk, begin: list[str], verbs: list[str]) -> None:
    """409 where the lot's life has no such step, in words that name it; nothing moves."""
    path = f"auctions/{desk.draft()}"
    for verb in begin:
        desk.post(f"{path}/{verb}")
    before = {**desk.get(path), "serverTime": ""}
    for verb in verbs:
        answer = desk.ask("POST", f"{path}/{verb}", {})
        assert error_of(answer) == (409, "Invalid transition")
        assert "which allows" in answer.json()["message"]
    assert {**desk.get(path), "serverTime": ""} == before


def test_sealed_bids_are_opened_by_complete(desk: Desk) -> None:
    """The house reads none before; then the best bid has won, at its own price."""
    house = desk.house
    auction_id = desk.lot(format="sealed_first")
    low, high = bid(house, auction_id, 120), bid(house, auction_id, 180.5)
    assert desk.get(f"auctions/{auction_id}")["currentHighBid"] is None
    assert desk.post(f"auctions/{auction_id}/complete")["status"] == "CLOSED"
    settled = desk.post(f"auctions/{auction_id}/settle")
    assert (settled["status"], settled["currentHighBid"]) == ("SETTLED", 180.5)
    assert [status_of(house, auction_id, who) for who in (high, low)] == ["WON", "LOST"]


def test_a_live_lot_is_settled_by_the_clerk_only(desk: Desk) -> None:
    """Though the time for settling has long come."""
    sale_id = desk.sale()
    body = {"sequenceId": sale_id, "settleAt": "2020-01-01T10:00:00Z", "format": "live"}
    auction_id = desk.post("auctions", body, 201)["id"]
    desk.post(f"auctions/{auction_id}/resume")
    assert desk.post(f"auctions/{auction_id}/complete")["status"] == "CLOSED"
    assert desk.post(f"auctions/{auction_id}/settle")["status"] == "SETTLED"


# ── Who may bid ──────────────────────────────────────────────────────────────────────────


def test_registrations_are_decided(desk: Desk) -> None:
    """Pending until the house approves, with a limit and a paddle; then suspended."""
    house = desk.house
    sale_id = desk.sale(registration="approval")
    auction_id = desk.lot(sale_id)
    person = house.person()
    entered = house.web.post(
        f"/api/v1/auctions/{auction_id}/enter", headers=house.headers(person)
    ).json()
    assert entered["registration"] == "pending"
    refused = house.bid(auction_id, person, {"amount": 100})
    assert error_of(refused) == (403, "Registration pending")
    path = f"sequences/{sale_id}/registrations/{person.consumer_id}"
    approved = desk.patch(path, {"status": "approved", "limit": 150, "reason": "known to us"})
    assert approved["status"] == "approved"
    assert approved["limit"] == 150
    assert approved["paddle"] == entered["paddle"]
    bid(house, auction_id, 120, person)
    over = house.bid(auction_id, person, {"amount": 151})
    assert error_of(over) == (403, "Bid limit exceeded")
    [listed] = desk.get(f"sequences/{sale_id}/registrations")["data"]
    assert listed["consumerId"] == person.consumer_id
    assert listed["won"] == 0
    freed = desk.patch(path, {"status": "approved", "limit": None, "reason": "paid"})
    assert freed["limit"] is None
    kept = desk.patch(path, {"status": "suspended", "reason": "late payment"})
    assert (kept["status"], kept["reason"]) == ("suspended", "late payment")
    assert error_of(house.bid(auction_id, person, {"amount": 200})) == (403, "Bidding suspended")


def test_a_limit_stays_where_nothing_is_said_of_it(desk: Desk) -> None:
    """As does the paddle."""
    house, sale_id = desk.house, desk.sale()
    person = bid(house, desk.lot(sale_id), 100)
    path = f"sequences/{sale_id}/registrations/{person.consumer_id}"
    first = desk.patch(path, {"status": "approved", "limit": 500, "reason": ""})
    again = desk.patch(path, {"status": "approved", "reason": "still known"})
    assert (again["limit"], again["paddle"]) == (500, first["paddle"])


def test_registrations_that_cannot_be(desk: Desk) -> None:
    """Nobody of that id, another's paddle, a refusal without a reason, a limit of nothing."""
    house, sale_id = desk.house, desk.sale()
    auction_id = desk.lot(sale_id)
    first, second = bid(house, auction_id, 100), bid(house, auction_id, 110)
    path = f"sequences/{sale_id}/registrations"
    nobody = desk.refused("PATCH", f"{path}/cons_nobody", {"status": "approved", "reason": "x"})
    assert nobody == (404, "Registration not found")
    seats = {seat["consumerId"]: seat["paddle"] for seat in desk.get(path)["data"]}
    theirs = {"status": "approved", "paddle": seats[first.consumer_id], "reason": "x"}
    taken = desk.refused("PATCH", f"{path}/{second.consumer_id}", theirs)
    assert taken == (409, "Already exists")
    one = f"{path}/{first.consumer_id}"
    assert fields_of(desk.ask("PATCH", one, {"status": "declined"})) == {"reason"}
    assert fields_of(desk.ask("PATCH", one, {"status": "pending", "reason": "x"})) == {"status"}
    assert desk.ask("PATCH", one, {"status": "approved", "limit": 0}).status_code == 400
    assert desk.refused("GET", "sequences/seq_nowhere/registrations")[0] == 404


# ── Keys ─────────────────────────────────────────────────────────────────────────────────


def test_a_key_is_made_shown_once_and_works_at_once(desk: Desk) -> None:
    """Its text is in one answer only; a list shows everything else."""
    body = {"kind": "operator", "name": "Shop", "scopes": ["auctions:read"], "expiresAt": FAR}
    made = desk.post("keys", body, 201)
    text = made.pop("key")
    assert text.startswith("optr_test_")
    assert (made["kind"], made["name"], made["scopes"]) == ("operator", "Shop", ["auctions:read"])
    assert made["expiresAt"] == "2031-01-01T10:00:00.000Z"
    listed = desk.get("keys")["data"]
    assert made in listed
    assert "key" not in listed[0]
    shop = desk.with_key(text)
    shop.get("sequences")
    assert shop.refused("POST", "sequences", {}) == (403, "Insufficient scope")
    assert shop.refused("GET", "keys") == (403, "Insufficient scope")


def test_a_rotated_key_leaves_the_old_text_standing(desk: Desk) -> None:
    """Both hold for a day; a revoked key is dead with both."""
    made = desk.post("keys", {"kind": "secret", "name": "Shop"}, 201)
    turned = desk.post(f"keys/{made['id']}/rotate", {}, 201)
    assert turned["key"] != made["key"]
    assert turned["previousUntil"] is not None
    both = [desk.with_key(text) for text in (made["key"], turned["key"])]
    for each in both:
        each.get("sequences")
    desk.gone(f"keys/{made['id']}")
    for each in both:
        assert each.refused("GET", "sequences") == (401, "Authentication required")
    assert desk.refused("POST", f"keys/{made['id']}/rotate") == (404, "Key not found")
    assert desk.refused("DELETE", f"keys/{made['id']}") == (404, "Key not found")


def test_a_key_gives_out_no_more_than_it_may(desk: Desk) -> None:
    """Whoever manages keys with an operator key opens no other door with it."""
    manager = desk.key("keys:manage", "auctions:read")
    narrow = {"kind": "operator", "name": "x", "scopes": ["auctions:read"]}
    manager.post("keys", narrow, 201)
    for wide in ({**narrow, "scopes": ["auctions:write"]}, {"kind": "secret", "name": "x"}):
        assert manager.refused("POST", "keys", wide) == (403, "Insufficient scope")
    secret = desk.post("keys", {"kind": "secret", "name": "Shop"}, 201)
    turned = manager.refused("POST", f"keys/{secret['id']}/rotate")
    assert turned == (403, "Insufficient scope")


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"kind": "master"}, "kind"),
        ({"name": ""}, "name"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"scopes": []}, "scopes"),
        ({"kind": "publishable"}, "scopes"),
        ({"expiresAt": "2020-01-01T10:00:00Z"}, "expiresAt"),
        ({"expiresAt": "soon"}, "expiresAt"),
    ],
)
def test_what_no_key_is(desk: Desk, said: Json, field: str) -> None:
    """Every objection names its field."""
    body = {"kind": "operator", "name": "x", "scopes": ["auctions:read"], **said}
    assert fields_of(desk.ask("POST", "keys", body)) == {field}


# ── Modes ────────────────────────────────────────────────────────────────────────────────


def test_modes_never_mix(desk: Desk) -> None:
    """A key sees only its own: whatever is of the other mode is not there."""
    live = desk.live()
    sale_id = live.sale()
    auction_id = live.lot(sale_id)
    assert live.get(f"sequences/{sale_id}")["mode"] == "live"
    for method, path, body in (
        ("GET", f"sequences/{sale_id}", None),
        ("PUT", f"sequences/{sale_id}", {"name": "x"}),
        ("DELETE", f"sequences/{sale_id}", None),
        ("GET", f"sequences/{sale_id}/registrations", None),
        ("PATCH", f"sequences/{sale_id}/registrations/cons_x", {"status": "approved"}),
        ("POST", f"sequences/{sale_id}/catalogue", b"lotNumber,name\n"),
        ("GET", f"auctions/{auction_id}", None),
        ("PUT", f"auctions/{auction_id}", {"name": "x"}),
        ("DELETE", f"auctions/{auction_id}", None),
        ("POST", f"auctions/{auction_id}/pause", None),
        ("POST", f"auctions/{auction_id}/relist", None),
        ("GET", f"auctions/{auction_id}/payments", None),
    ):
        assert desk.refused(method, path, body)[0] == 404, path
    listed = [sale["id"] for sale in desk.get("sequences?limit=100")["data"]]
    assert sale_id not in listed
    live_keys = {key["id"] for key in live.get("keys")["data"]}
    assert live_keys.isdisjoint(key["id"] for key in desk.get("keys")["data"])


# ── Webhooks ─────────────────────────────────────────────────────────────────────────────


def test_webhooks_are_made_listed_rotated_and_removed(desk: Desk) -> None:
    """The secret is shown once, and once more when it is turned."""
    body = {"url": "http://127.0.0.1:9/hook", "events": ["auction.settled", "auction.bid.placed"]}
    made = desk.post("webhooks", body, 201)
    secret = made.pop("secret")
    assert made["id"].startswith("wh_")
    assert secret.startswith("whsec_")
    assert (made["url"], made["events"]) == (body["url"], body["events"])
    assert made in desk.get("webhooks")["data"]
    turned = desk.post(f"webhooks/{made['id']}/rotate", None, 201)
    assert turned["secret"] != secret
    deliveries = desk.get(f"webhooks/{made['id']}/deliveries")
    assert deliveries["data"] == []
    assert deliveries["pageInfo"]["endCursor"] is None
    live = desk.live()
    missing = (404, "Webhook not found")
    assert live.refused("POST", f"webhooks/{made['id']}/rotate") == missing
    assert live.refused("GET", f"webhooks/{made['id']}/deliveries") == missing
    desk.gone(f"webhooks/{made['id']}")
    assert desk.refused("DELETE", f"webhooks/{made['id']}") == missing
    replay = desk.refused("POST", "webhook-deliveries/whk_nothing/replay")
    assert replay == (404, "Delivery not found")


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"url": "ftp://example.com"}, "url"),
        ({"url": "https://user@example.com"}, "url"),
        ({"url": "http://169.254.169.254/"}, "url"),
        ({"events": []}, "events"),
        ({"events": ["auction.exploded"]}, "events"),
    ],
)
def test_what_no_webhook_is(desk: Desk, said: Json, field: str) -> None:
    """Where it may not go, and what nobody says."""
    body = {"url": "https://example.com/hook", "events": ["auction.settled"], **said}
    assert fields_of(desk.ask("POST", "webhooks", body)) == {field}


# ── Doing things once ────────────────────────────────────────────────────────────────────


def test_eight_requests_with_one_key_have_one_effect(desk: Desk) -> None:
    """Sales, lots, keys and webhooks are made once; everybody gets the same answer."""
    live = desk.live()
    sale = {"name": "Once", "timeZone": "UTC", "currencyCode": "EUR"}
    made = one_effect(lambda: live.ask("POST", "sequences", sale, Idempotency_Key="a-sale"))
    assert [each["id"] for each in live.get("sequences?limit=100")["data"] if each["name"] == "Once"] == [made["id"]]  # fmt: skip
    lot = {"sequenceId": made["id"], "settleAt": FAR}
    one_effect(lambda: live.ask("POST", "auctions", lot, Idempotency_Key="a-lot"))
    assert len(live.get(f"sequences/{made['id']}")["auctions"]) == 1
    key = {"kind": "operator", "name": "once", "scopes": ["auctions:read"]}
    one_effect(lambda: live.ask("POST", "keys", key, Idempotency_Key="a-key"))
    assert [each["name"] for each in live.get("keys")["data"]].count("once") == 1
    hook = {"url": "http://127.0.0.1:9/once", "events": ["auction.settled"]}
    one_effect(lambda: live.ask("POST", "webhooks", hook, Idempotency_Key="a-hook"))
    assert [each["url"] for each in live.get("webhooks")["data"]].count(hook["url"]) == 1


def test_a_verb_with_one_key_is_done_once(desk: Desk) -> None:
    """The second pause is the first one's answer, not an objection."""
    auction_id = desk.lot()
    path = f"auctions/{auction_id}/pause"
    first = one_effect(lambda: desk.ask("POST", path, Idempotency_Key="once"))
    assert first["status"] == "OPEN"
    desk.post(f"auctions/{auction_id}/resume")


def test_another_body_under_the_same_key(desk: Desk) -> None:
    """A program's mistake: 422, and nothing is done."""
    body = {"name": "A", "timeZone": "UTC", "currencyCode": "EUR"}
    desk.post("sequences", body, 201, Idempotency_Key="reused")
    other = desk.refused("POST", "sequences", {**body, "name": "B"}, Idempotency_Key="reused")
    assert other == (422, "Idempotency key reused")


def test_money_is_exact_in_answers(desk: Desk) -> None:
    """Figures come back digit for digit, never through a float."""
    auction_id = desk.draft(startingBid="90071992547409.91", minimumIncrement="0.01")
    text = desk.ask("GET", f"auctions/{auction_id}").text
    assert '"startingPrice":90071992547409.91' in text
    found: dict[str, Any] = desk.get(f"auctions/{auction_id}")
    assert Decimal(str(found["minimumBidIncrement"])) == Decimal("0.01")
