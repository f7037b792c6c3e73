"""The clerk's pages of a real house: every process is its own, and the log decides."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.integration.desk import Desk, until_true
from tests.integration.open_house import House
from tests.integration.registrar import Registrar

SETTINGS = {"KEY_RATE": "0", "HTTP_RATE": "0", "BID_RATE": "0"}
CATALOGUE = b"lotNumber,name,startingBid,serial\n1,Watch,100,%s\n2,Jar,50,\n"
TIMES = {"openAt": "2031-01-01T10:00", "closeAt": "2031-01-02T10:00"}


@pytest.fixture
def clerk(house: House) -> Iterator[httpx.Client]:
    """A browser that is signed in at the desk with the house's operator key."""
    with httpx.Client(base_url=house.url, trust_env=False, timeout=30) as web:
        web.headers["origin"] = house.url
        said = {"key": house.keys.operator_key, "next": "/admin"}
        answer = web.post("/sign-in/house", data=said)
        assert (answer.status_code, answer.headers["location"]) == (303, "/admin"), answer.text
        yield web


def test_a_sale_by_its_pages_alone(house: House, clerk: httpx.Client) -> None:
    """What the pages have done is what the API tells of, object and payment included."""
    desk = Desk.of(house)
    serial = Registrar.of(house).ready("Watch", category="watch")["serial"]
    said = {"name": "Watches", "timeZone": "Europe/London", "currencyCode": "EUR"}
    made = clerk.post("/admin/new", data={**said, "from0": "0", "percent0": "25"})
    sale = made.headers["location"].partition("?")[0]
    sale_id = sale.rpartition("/")[2]

    files = {"catalogue": ("catalogue.csv", CATALOGUE % serial.encode())}
    looked = clerk.post(f"{sale}/import", files=files)
    assert "Import 2 lots" in looked.text
    content = re.search(r'name="content" value="([^"]+)"', looked.text)
    assert content is not None
    clerk.post(f"{sale}/import", data={"content": content[1], "agreed": "1"})
    assert "Matched" in clerk.get(f"{sale}/lots").text

    publish = {"step": "publish", "stagger": "60", "settleHours": "24", **TIMES}
    assert "2 lots done." in clerk.post(f"{sale}/step", data=publish).text
    assert "2 lots done." in clerk.post(f"{sale}/step", data={"step": "open"}).text
    lots = desk.get(f"sequences/{sale_id}")["auctions"]
    assert [lot["status"] for lot in lots] == ["OPEN", "OPEN"]
    assert [lot["closeAt"] for lot in lots] == [
        "2031-01-02T10:00:00.000Z",
        "2031-01-02T10:01:00.000Z",
    ]
    person = house.person()
    assert house.bid(lots[0]["id"], person, {"amount": 150}).status_code == 200

    typed = {"typed": "Watches"}
    assert "2 lots done." in clerk.post(f"{sale}/step", data={"step": "close", **typed}).text
    assert "2 lots done." in clerk.post(f"{sale}/step", data={"step": "settle", **typed}).text
    [payment] = desk.get(f"auctions/{lots[0]['id']}/payments")["data"]
    assert (payment["consumerId"], payment["status"]) == (person.consumer_id, "due")
    page = clerk.get(f"{sale}/settlement").text
    assert "€187.50" in page  # with the premium
    csv = clerk.get(f"{sale}/results.csv").text
    assert re.search(r"1,Watch,,,sold,150.00,\d+,1,1,online,EUR", csv)


def test_a_key_that_is_revoked_is_out(house: House, clerk: httpx.Client) -> None:
    """Within two seconds, and its pages lead to the sign-in."""
    desk = Desk.of(house)
    key = desk.post("keys", {"kind": "operator", "name": "x", "scopes": ["auctions:write"]}, 201)
    with httpx.Client(base_url=house.url, trust_env=False, timeout=30) as web:
        web.headers["origin"] = house.url
        until_true(
            lambda: (
                web.post("/sign-in/house", data={"key": key["key"], "next": "/admin"}).status_code
                == 303
            ),
            "the key to be known",
        )
        assert web.get("/admin").status_code == 200
        desk.gone(f"keys/{key['id']}")
        until_true(lambda: web.get("/admin").status_code == 303, "the key to be out")
    assert clerk.get("/admin").status_code == 200
