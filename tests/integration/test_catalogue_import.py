"""A catalogue goes into a sale as a file: all of it or nothing, and again without harm."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.desk import Desk, eight_at_once, error_of
from tests.integration.open_house import House, Json

SETTINGS = {"KEY_RATE": "0", "HTTP_RATE": "0", "BID_RATE": "0"}
HEADER = "lotNumber,name,startingBid,reservePrice,estimateLow,estimateHigh,closeAt,increments\n"
ROWS = (
    "201,Vase,100,150,200,300,2031-01-01T10:00,saleroom_universal\n"
    '202,"Jar, white",250.50,,,,2031-01-01T10:01,\n'
    "203A,Bowl,,,,,,ebay_uk\n"
)


@pytest.fixture
def desk(house: House) -> Desk:
    return Desk.of(house)


def enter(desk: Desk, sale_id: str, text: str, **query: str) -> Any:
    """What came of a file."""
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    path = f"sequences/{sale_id}/catalogue" + (f"?{asked}" if asked else "")
    return desk.ask("POST", path, text.encode(), Content_Type="text/csv")


def entered(desk: Desk, sale_id: str, text: str, **query: str) -> Json:
    answer = enter(desk, sale_id, text, **query)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def lots(desk: Desk, sale_id: str) -> list[tuple[str, str]]:
    return [(lot["lotNumber"], lot["name"]) for lot in desk.get(f"sequences/{sale_id}")["auctions"]]


def test_a_dry_run_only_looks(desk: Desk) -> None:
    """Rows and errors, and nothing else: no lot comes of it."""
    sale_id = desk.sale()
    assert entered(desk, sale_id, HEADER + ROWS, dryRun="1") == {"rows": 3, "errors": []}
    bad = entered(desk, sale_id, HEADER + "1,A,x\n2,B,2\n2,C,3\n", dryRun="1")
    assert bad["rows"] == 3
    assert [(error["row"], error["column"]) for error in bad["errors"]] == [
        (2, "startingBid"),
        (4, "lotNumber"),
    ]
    assert all(error.keys() == {"row", "column", "message"} for error in bad["errors"])
    assert lots(desk, sale_id) == []


def test_a_catalogue_is_entered(desk: Desk) -> None:
    """Each row is a lot, pending, with what the row says and the house's defaults."""
    sale_id = desk.sale()
    assert entered(desk, sale_id, HEADER + ROWS) == {
        "rows": 3,
        "errors": [],
        "created": 3,
        "changed": 0,
        "unchanged": 0,
    }
    assert sorted(lots(desk, sale_id)) == [("201", "Vase"), ("202", "Jar, white"), ("203A", "Bowl")]
    ids = {lot["lotNumber"]: lot["id"] for lot in desk.get(f"sequences/{sale_id}")["auctions"]}
    vase, jar = (desk.get(f"auctions/{ids[number]}") for number in ("201", "202"))
    assert (vase["startingPrice"], vase["reservePrice"], vase["status"]) == (100, 150, "PENDING")
    assert vase["closeAt"] == "2031-01-01T09:00:00.000Z"
    assert (jar["startingPrice"], jar["reservePrice"]) == (250.5, None)


def test_with_one_error_nothing_is_entered(desk: Desk) -> None:
    """400 with the errors; the good rows wait for the bad one."""
    sale_id = desk.sale()
    answer = enter(desk, sale_id, HEADER + ROWS + "204,Cup,zero\n")
    assert error_of(answer) == (400, "Invalid request")
    body = answer.json()
    assert body["rows"] == 4
    assert [(error["row"], error["column"]) for error in body["errors"]] == [(5, "startingBid")]
    assert lots(desk, sale_id) == []


def test_the_same_file_again(desk: Desk) -> None:
    """Nothing is entered twice; a changed row changes its lot, a new row adds one."""
    sale_id = desk.sale()
    entered(desk, sale_id, HEADER + ROWS)
    before = desk.get(f"sequences/{sale_id}")["auctions"]
    again = entered(desk, sale_id, HEADER + ROWS)
    assert (again["created"], again["changed"], again["unchanged"]) == (0, 0, 3)
    assert desk.get(f"sequences/{sale_id}")["auctions"] == before
    third = entered(desk, sale_id, HEADER + ROWS.replace("Bowl", "Cup") + "204,Jug\n")
    assert (third["created"], third["changed"], third["unchanged"]) == (1, 1, 2)
    assert ("203A", "Cup") in lots(desk, sale_id)
    assert len(lots(desk, sale_id)) == 4


def test_a_lot_that_has_opened_is_not_changed(desk: Desk) -> None:
    """The file is refused where it says something new of it."""
    sale_id = desk.sale()
    entered(desk, sale_id, HEADER + ROWS)
    [vase] = [lot["id"] for lot in desk.get(f"sequences/{sale_id}")["auctions"] if lot["lotNumber"] == "201"]  # fmt: skip
    desk.post(f"auctions/{vase}/resume")
    assert entered(desk, sale_id, HEADER + ROWS)["unchanged"] == 3
    answer = enter(desk, sale_id, HEADER + ROWS.replace("Vase", "Urn").replace("Bowl", "Cup"))
    assert error_of(answer) == (400, "Invalid request")
    assert ("203A", "Bowl") in lots(desk, sale_id)


def test_a_lot_that_was_taken_away_comes_back(desk: Desk) -> None:
    """Under its number, as another auction."""
    sale_id = desk.sale()
    entered(desk, sale_id, "lotNumber,name\n1,Vase\n")
    [first] = [lot["id"] for lot in desk.get(f"sequences/{sale_id}")["auctions"]]
    desk.gone(f"auctions/{first}")
    assert entered(desk, sale_id, "lotNumber,name\n1,Vase\n")["created"] == 1
    [second] = [lot["id"] for lot in desk.get(f"sequences/{sale_id}")["auctions"]]
    assert second != first


def test_eight_imports_at_once_add_each_lot_once(desk: Desk) -> None:
    """Even without an Idempotency-Key: a lot's id follows from its number."""
    sale_id = desk.sale()
    answers = eight_at_once(lambda: enter(desk, sale_id, HEADER + ROWS))
    assert [answer.text for answer in answers if answer.status_code != 200] == []
    assert sorted(lots(desk, sale_id)) == [("201", "Vase"), ("202", "Jar, white"), ("203A", "Bowl")]


def test_sealed_lots_have_their_keys(desk: Desk) -> None:
    """A lot of a sealed format can be opened and bid on."""
    sale_id = desk.sale()
    entered(desk, sale_id, "lotNumber,name,format,startingBid\n1,Vase,sealed_first,100\n")
    [lot] = desk.get(f"sequences/{sale_id}")["auctions"]
    desk.post(f"auctions/{lot['id']}/resume")
    answer = desk.house.bid(lot["id"], desk.house.person(), {"amount": 150})
    assert answer.status_code == 200, answer.text
    assert answer.json()["commitment"]


def test_a_thousand_lots(desk: Desk) -> None:
    """A large catalogue in one call; the order of the sale may be any, the numbers are all there."""
    sale_id = desk.sale()
    text = "lotNumber,name\n" + "".join(f"{number},Lot {number}\n" for number in range(1, 1_001))
    assert entered(desk, sale_id, text)["created"] == 1_000
    assert {number for number, _ in lots(desk, sale_id)} == {str(n) for n in range(1, 1_001)}


@pytest.mark.parametrize("text", ["", "\n", "not a catalogue", '"'])
def test_files_that_are_no_catalogue(desk: Desk, text: str) -> None:
    """Named as such, row 1."""
    sale_id = desk.sale()
    found = entered(desk, sale_id, text, dryRun="1")
    assert found["rows"] == 0
    assert found["errors"]
    assert error_of(enter(desk, sale_id, text)) == (400, "Invalid request")


def test_who_may_enter_a_catalogue(desk: Desk) -> None:
    """A scope to write; a sale that is there; a query that means something."""
    sale_id = desk.sale()
    reader = desk.key("auctions:read")
    path = f"sequences/{sale_id}/catalogue"
    assert reader.refused("POST", path, b"") == (403, "Insufficient scope")
    nowhere = desk.refused("POST", "sequences/seq_nowhere/catalogue", b"")
    assert nowhere == (404, "Sequence not found")
    assert desk.refused("POST", f"{path}?dryRun=maybe", b"")[0] == 400
