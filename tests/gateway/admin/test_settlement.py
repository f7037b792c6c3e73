"""After the hammer: invoices, and lots that nobody has paid for."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from io import StringIO

import httpx
import pytest

from engine.core.increments import table
from engine.core.messages import (
    AddLot,
    Catalogue,
    CloseLot,
    CreateSale,
    KeepTime,
    RegisterBidder,
    SaleTerms,
    SettleLot,
    Terms,
)
from gateway.books import dues, payments
from gateway.books.dues import Record
from tests.browser.office import COOKIE, NOW, Office

SALE = "seq_k3f9"
JAR, VASE = "auction_k3f9_1", "auction_k3f9_2"
WEEK_MS = 7 * 24 * 3_600_000
WHERE = f"/admin/sale/{SALE}/settlement"


@pytest.fixture
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A sale that is over: Ana has won the jar before Ben, and nobody wanted the vase."""
    with Office(tmp_path_factory.mktemp("office")).serving() as open_:
        terms = SaleTerms(((0, "25"),), "20")
        open_.decide(CreateSale(SALE, "Clay", "EUR", 2, terms=terms))
        sold_by = Terms(100_00, table([(0, 10_00)]), opens_at=NOW - 1, settle_by_command=True)
        for number, lot in enumerate((JAR, VASE), 1):
            open_.decide(AddLot(lot, SALE, sold_by, Catalogue(str(number), f"=Pot {number}")))
        for paddle, name in ((101, "Ana Lima"), (102, "Ben Ortega")):
            who = open_.person(name).consumer_id
            open_.decide(RegisterBidder(SALE, who, paddle=paddle, cmd_id=name, by="key"))
        open_.decide(KeepTime(JAR), KeepTime(VASE))
        open_.bid(JAR, id_of(open_, "Ben Ortega"), 150_00)
        open_.bid(JAR, id_of(open_, "Ana Lima"), 200_00)
        open_.decide(*(CloseLot(lot) for lot in (JAR, VASE)))
        open_.decide(*(SettleLot(lot) for lot in (JAR, VASE)))
        yield open_


@pytest.fixture
def web(office: Office) -> Iterator[httpx.Client]:
    """The clerk's browser."""
    with httpx.Client(base_url=office.url, trust_env=False, timeout=20) as client:
        client.headers["origin"] = office.url
        client.cookies.set(COOKIE, office.cookie(office.key())["value"])
        yield client


def id_of(office: Office, name: str) -> str:
    return office.person(name).consumer_id


def states(web: httpx.Client) -> list[str]:
    """How the invoices stand, as they come on the page."""
    return re.findall(r'</h2><span class="state" data-state="(\w+)">', web.get(WHERE).text)


def act(web: httpx.Client, what: str, lot: str, consumer: str = "") -> httpx.Response:
    return web.post(WHERE, data={"what": what, "lot": lot, "consumer": consumer})


def token_in(answer: httpx.Response) -> str:
    found = re.search(r'translate="no">([^<]+)</textarea>', answer.text)
    assert found is not None, answer.text
    return found[1].strip()


def paid(office: Office, token: str) -> None:
    """The shop has taken the money."""
    gateway = office.gateway
    found = payments.complete(
        gateway.books, gateway.keys, "test", token, "order-1", office.now, lambda _: None
    )
    assert isinstance(found, dict), found


def again(office: Office, web: httpx.Client) -> None:
    """A week and a moment later, with the desk's cookie anew."""
    office.pass_time(WEEK_MS + 1_000)
    web.cookies.set(COOKIE, office.cookie(office.key())["value"])


def test_an_invoice_from_due_to_paid(office: Office, web: httpx.Client) -> None:
    """A new token is worth what the first was, which is worth nothing any more."""
    assert states(web) == ["due"]
    page = web.get(WHERE).text
    for amount in ("€200", "€50", "€10", "€260"):  # hammer, premium, tax on it, total
        assert amount in page
    given = act(web, "reissue", JAR, id_of(office, "Ana Lima"))
    assert "a new payment token" in given.text
    paid(office, token_in(given))
    assert states(web) == ["paid"]
    assert act(web, "reissue", JAR, id_of(office, "Ana Lima")).status_code == 409


def test_what_was_not_paid_in_time_is_offered_to_the_underbidder(
    office: Office, web: httpx.Client
) -> None:
    """For their own bid, and not before; what they pay for nobody else owes."""
    ben = id_of(office, "Ben Ortega")
    assert act(web, "offer", JAR, ben).status_code == 409
    again(office, web)
    assert states(web) == ["overdue"]
    page = web.get(WHERE).text
    assert "Offer it to paddle 102 for their bid" in page
    assert "€150" not in page  # what they have bid is theirs until it is offered to them
    offered = act(web, "offer", JAR, ben)
    assert "€150 hammer price" in offered.text
    assert states(web) == ["overdue", "due"]
    paid(office, token_in(offered))
    assert states(web) == ["paid", "lapsed"]
    assert "offered to the underbidder" in web.get(WHERE).text


def test_what_nobody_has_won_is_put_up_again(office: Office, web: httpx.Client) -> None:
    """As a draft of the same sale; what was paid for, or may be, is not."""
    before = len(office.gateway.saleroom.sales[SALE].auction_ids)
    assert act(web, "relist", JAR).status_code == 409
    answer = act(web, "relist", VASE)
    assert answer.status_code == 303
    ids = office.gateway.saleroom.sales[SALE].auction_ids
    assert len(ids) == before + 1
    lot = office.gateway.saleroom.lots[ids[-1]]
    assert (lot.catalogue.lot_number, lot.terms.opens_at) == ("2", None)
    again(office, web)
    assert act(web, "relist", JAR).status_code == 303


def test_the_spreadsheet_computes_nothing(office: Office, web: httpx.Client) -> None:
    """One line for each lot of each buyer, exact, in the reader's words."""
    answer = web.get(f"{WHERE}.csv", headers={"accept-language": "de"})
    assert answer.headers["content-disposition"].startswith("attachment")
    [line] = csv.DictReader(StringIO(answer.content.decode("utf-8-sig"), newline=""))
    assert line["titel"] == "'=Pot 1"
    assert (line["zuschlag"], line["gesamt"], line["stand"]) == ("200.00", "260.00", "due")
    results = web.get(f"/admin/sale/{SALE}/results.csv")
    rows = list(csv.DictReader(StringIO(results.content.decode("utf-8-sig"), newline="")))
    assert [row["result"] for row in rows] == ["sold", "passed"]
    assert (rows[0]["paddle"], rows[0]["hammer price"]) == ("101", "200.00")


def test_what_a_bidder_has_bought_before(office: Office, web: httpx.Client) -> None:
    """Won, and then paid or not in time; who has won nothing has no record."""
    books, ana = office.gateway.books, id_of(office, "Ana Lima")

    def records() -> dict[str, Record]:
        return dues.records_of(books, "test", [ana, id_of(office, "Ben Ortega")], office.now)

    assert records() == {ana: Record(1, 0, 0)}
    assert dues.records_of(books, "live", [ana], office.now) == {}
    again(office, web)
    assert records() == {ana: Record(1, 0, 1)}
    token = token_in(act(web, "reissue", JAR, ana))
    assert records() == {ana: Record(1, 0, 0)}
    paid(office, token)
    assert records() == {ana: Record(1, 1, 0)}
    page = web.get(f"/admin/sale/{SALE}/registrations").text
    assert "Won 1 lot, paid 1." in page


def test_another_sales_lot_is_not_settled_from_here(office: Office, web: httpx.Client) -> None:
    """Nor is one that there is not."""
    assert act(web, "relist", "auction_nowhere_1").status_code == 404
    assert act(web, "reissue", JAR, "cons_nobody").status_code == 409
