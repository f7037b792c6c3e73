"""The document proves true: thousands of requests made from it, and every answer checked.

Requests are made from ``/openapi.json`` by schemathesis, good ones and bad ones, and go over
real sockets to a real house.  Ids of real sales and lots, and tokens that hold, are put where
they belong (``fuzzing_hooks.py``), so that not everything ends in 404.  All checks are on;
what is overlooked stands in ``schemathesis.toml`` with its reason.  The same document makes the
same requests, but for the ids, which every house draws anew.

``FUZZ_CASES`` says how many requests at least; ``make fuzz`` sends 20,000.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from gateway.api.routes import DESCRIBED
from gateway.keys import random_name
from tests.integration.open_house import API, House, Person
from tests.integration.registrar import Registrar
from tests.processes import CHECKOUT, until

Json = dict[str, Any]
EXCEPTIONS = Path(__file__).with_name("schemathesis.toml")
CASES = int(os.environ.get("FUZZ_CASES", "2000"))
# Each bound of each field and each missing header is tried in any case: some 4,000 requests.
ALWAYS = 4_000
LEAST_AT_RANDOM = 5  # beside them, for each call
SETTINGS = {
    **dict.fromkeys(("HTTP_RATE", "KEY_RATE", "BID_RATE", "OTP_RATE", "VERIFY_RATE"), "0"),
    "WEBHOOK_ALLOW_PRIVATE": "0",
}

# ── What is there to be asked for ────────────────────────────────────────────────────────

LOTS: Mapping[str, Json] = {
    "open": {"openAt": "2026-01-01T00:00:00Z"},
    "to open": {"openAt": "2099-01-01T00:00:00Z"},
    "draft": {},
    "limits": {"openAt": "2026-01-01T00:00:00Z", "buyNowPrice": 900, "reservePrice": 300},
    "sealed": {"openAt": "2026-01-01T00:00:00Z", "format": "sealed_first"},
    "Dutch": {
        "openAt": "2026-01-01T00:00:00Z",
        "format": "dutch",
        "winnerCount": 3,
        "floorPrice": 10,
        "priceDropAmount": 5,
        "priceDropIntervalSeconds": 3600,
    },
}


class Desk:
    """The house's side of the APIs: orders what the fuzzer is to find."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.headers = {"Authorization": f"Bearer {house.keys.secret_key}"}

    def post(self, path: str, **fields: Any) -> Any:
        return made(self.house.web.post(path, json=fields, headers=self.headers), path)

    def as_bidder(self, path: str, person: Person | None = None, **fields: Any) -> Any:
        headers = self.house.headers(person)
        return made(self.house.web.post(f"{API}{path}", json=fields, headers=headers), path)

    def sale(self) -> str:
        fields = {"name": "Celadon", "timeZone": "Europe/Amsterdam", "currencyCode": "EUR"}
        return str(self.post(f"{API}/sequences", **fields)["id"])

    def person(self) -> Person:
        """Somebody whom the house knows: signed in from outside, and not a guest."""
        who = {"provider": "club", "issuer": "https://club.example", "subject": random_name(8)}
        code = self.post(f"{API}/auth/external/authorize", **who)["exchangeCode"]
        signed_in = self.as_bidder("/auth/external/exchange", exchangeCode=code)
        return Person(signed_in["session"]["consumerId"], signed_in["accessToken"])

    def lots(self, sale_id: str) -> list[str]:
        """One of each kind."""
        plain = {"sequenceId": sale_id, "startingBid": 100, "minimumIncrement": 10}
        ends = {"closeAt": "2099-02-01T00:00:00Z", "settleAt": "2099-02-02T00:00:00Z"}
        return [
            str(self.post(f"{API}/auctions", name=name, **plain, **ends, **terms)["id"])
            for name, terms in LOTS.items()
        ]

    def settled(self, sale_id: str, winner: Person, loser: Person) -> tuple[str, str]:
        """A lot that was sold, and its payment token."""
        auction_id, *_ = self.lots(sale_id)
        self.as_bidder(f"/auctions/{auction_id}/bid", loser, amount=100)
        self.as_bidder(f"/auctions/{auction_id}/bid", winner, amount=200)
        for verb in ("complete", "settle"):
            self.post(f"{API}/auctions/{auction_id}/{verb}")
        status = self.house.get(f"/auctions/{auction_id}/status", winner).json()
        assert status["status"] == "WON", status
        return auction_id, status["paymentToken"]

    def token_auctions(self, asset_id: str, thing_id: str) -> list[str]:
        """Token auctions: a draft and an active one."""
        terms = {"auction_asset_type": "erc721", "title": "Glaze", "starting_price": 1}
        assets = {"bid_asset_id": asset_id, "auction_asset_id": thing_id}
        return [
            str(self.post("/auction", **terms, **assets, status=status)["id"])
            for status in ("draft", "active")
        ]


def made(answer: httpx.Response, path: str) -> Any:
    """The content of a success."""
    assert answer.status_code in (200, 201), f"{path}: {answer.text}"
    content = answer.json()
    return content.get("data", content)


def stocked(house: House) -> dict[str, list[Any]]:
    """Real values by the name of the parameter or field, alone or after an operation's id.

    Each call has lots of its own, for some of them end a lot.
    """
    desk = Desk(house)
    bidder, loser = desk.person(), desk.person()
    sale_id = desk.sale()
    values: dict[str, list[Any]] = {"bidder": [bidder.consumer_id], "sequenceId": [sale_id]}
    values["sales.remove sequenceId"] = [desk.sale() for _ in range(4)]
    values["consumerId"] = [bidder.consumer_id, loser.consumer_id]
    values["auctions.bid amount"] = [200, 350.5, 1_000, "2500.00"]
    values["auctions.lower_limit amount"] = [2_000, 900, "500.00"]
    values["refreshToken"] = [desk.as_bidder("/auth/guest")["refreshToken"] for _ in range(4)]
    key = {"kind": "operator", "name": "Fuzz", "scopes": ["auctions:read"]}
    values["keyId"] = [desk.post(f"{API}/keys", **key)["id"] for _ in range(6)]
    for call in DESCRIBED:
        if "{auction_id}" in call.path and call.dialect == "consumer":
            values[f"{call.operation_id} auctionId"] = desk.lots(sale_id)
    stock_webhooks(desk, values)
    stock_lots(desk, values, bidder, loser)
    stock_tokens(desk, values)
    stock_objects(desk, values)
    return values


def stock_lots(desk: Desk, values: dict[str, list[Any]], bidder: Person, loser: Person) -> None:
    """Lots in the state in which a call has something to do."""
    [sale_id] = values["sequenceId"]
    for name in ("lower_limit", "withdraw_limit"):
        for auction_id in values[f"auctions.{name} auctionId"][:1]:
            desk.as_bidder(f"/auctions/{auction_id}/bid", loser, amount=150)
            desk.as_bidder(f"/auctions/{auction_id}/bid", bidder, amount=3_000, max=True)
    values["auctions.lower_limit auctionId"] *= 2
    for name, kind in (("current_price", "Dutch"), ("buy_now", "limits")):
        place = list(LOTS).index(kind)
        more = [desk.lots(sale_id)[place] for _ in range(4)]
        values[f"auctions.{name} auctionId"] += more
    for auction_id in values["lots.settle auctionId"][:1]:
        desk.post(f"{API}/auctions/{auction_id}/complete")
    for auction_id in values["payments.relist auctionId"][:3]:
        desk.post(f"{API}/auctions/{auction_id}/cancel")
    sold = [desk.settled(sale_id, bidder, loser) for _ in range(3)]
    values["token"] = [token for _, token in sold]
    for name in ("listing", "reissue", "offer"):
        values[f"payments.{name} auctionId"] = [auction_id for auction_id, _ in sold]


def stock_webhooks(desk: Desk, values: dict[str, list[Any]]) -> None:
    """Webhooks, and a delivery that can be replayed."""
    hook = {"url": "https://hooks.invalid/", "events": ["distribution.updated"]}
    values["webhookId"] = [desk.post(f"{API}/webhooks", **hook)["id"] for _ in range(6)]
    values["webhooks.create url"] = [hook["url"]]
    values["webhooks.create events"] = [hook["events"]]
    auction_id = values["auctions.read auctionId"][0]
    changed = {"name": "Changed"}
    path = f"{API}/auctions/{auction_id}"
    made(desk.house.web.put(path, json=changed, headers=desk.headers), path)
    values["deliveryId"] = []

    def is_told() -> bool:
        path = f"{API}/webhooks/{values['webhookId'][0]}/deliveries"
        found = made(desk.house.web.get(path, headers=desk.headers), path)
        values["deliveryId"] = [delivery["id"] for delivery in found]
        return bool(found)

    until(is_told, "a webhook to be told")


def stock_objects(desk: Desk, values: dict[str, list[Any]]) -> None:
    """What the verifier's calls are about: an object for each, its owner and its transfer."""
    registrar = Registrar.of(desk.house)
    people = [{"name": name, "external_id": name} for name in ("Ada", "Bo")]
    owners = [registrar.post("/owners", person)["owner_id"] for person in people]
    found = [registrar.ready(f"Bowl {number}") for number in range(3)]
    values["serial"] = values["serialOrId"] = [one["serial"] for one in found]
    values["objectId"] = [one["id"] for one in found]
    values["ownerId"] = values["toOwnerId"] = owners
    wish = {"salePrice": 100, "saleCurrency": "EUR", "toOwnerId": owners[0]}
    begun = [
        registrar.post(
            "/transfers/initiate",
            {**wish, "objectId": one["id"], "fromOwnerId": one["owner_id"]},
        )
        for one in found[:2]
    ]
    values["transferId"] = [one["transferId"] for one in begun]
    values["transferCode"] = [one["transferCode"] for one in begun]


def stock_tokens(desk: Desk, values: dict[str, list[Any]]) -> None:
    """What the operator API's calls are about."""
    coin = {"type": "erc20", "symbol": "GLZ", "name": "Glaze", "decimals": 6}
    asset_id = desk.post("/asset", **coin)["id"]
    thing = desk.post("/asset", type="erc721", symbol="POT", name="Pots", decimals=0)["id"]
    emails = [f"{random_name(8)}@example.com" for _ in range(3)]
    for email in emails:
        desk.post("/user", email=email)
        desk.post(f"/asset/{asset_id}/issue", email=email, amount=1_000)
    values["asset_id"] = values["bid_asset_id"] = [asset_id]
    values["auction_asset_id"] = [thing]
    values["email"] = emails
    values["operator.bid amount"] = [12, 7.5, "3"]
    values["operator.create auction_asset_type"] = ["erc721"]
    for call in DESCRIBED:
        if "{auction_id}" in call.path and call.dialect == "operator":
            draft, active = desk.token_auctions(asset_id, thing)
            bid = desk.post(f"/auction/{active}/bid", email=emails[0], amount=12)
            values[f"{call.operation_id} auction_id"] = [draft, active]
            if "{bid_id}" in call.path:
                values[f"{call.operation_id} auction_id"] = [active]
            values[f"{call.operation_id} auction_bid_id"] = [bid["id"]]
    for auction_id in values["operator.settle auction_id"][1:]:
        desk.post(f"/auction/{auction_id}/complete")


# ── The requests ─────────────────────────────────────────────────────────────────────────


def test_the_apis_are_as_documented(house: House, tmp_path: Path) -> None:
    """Whatever is sent to either API, good or bad: a documented answer, and bad data is never
    taken, nor anything without the key that it needs."""
    stock, report = tmp_path / "stock.json", tmp_path / "report.json"
    stock.write_text(json.dumps(stocked(house)))
    hooks = {"SCHEMATHESIS_HOOKS": "tests.integration.fuzzing_hooks", "FUZZ_STOCK": str(stock)}
    at_random = max(LEAST_AT_RANDOM, (CASES - ALWAYS) // len(DESCRIBED))
    run = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(EXCEPTIONS)),
            *("run", f"{house.url}/openapi.json", "--checks", "all", "--continue-on-failure"),
            *("--generation-deterministic", "--no-shrink"),
            *("--max-examples", str(at_random), "--request-timeout", "20", "--no-color"),
            *("--report", "json", "--report-json-path", str(report)),
        ],
        env={**house.environ(), "PYTHONPATH": str(CHECKOUT), **hooks},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-60_000:] + run.stderr[-10_000:]
    found = json.loads(report.read_text())
    assert found["complete"]
    assert found["operations"]["tested"] == len(DESCRIBED)
    assert found["test_cases"]["generated"] >= CASES
