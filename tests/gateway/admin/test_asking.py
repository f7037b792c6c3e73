"""The clerk's pages from outside a browser: who is let in, and what no form and no link can do.

A real gateway with real books; in place of the log stands the engine's own rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from engine.core.messages import CreateSale, EnterSale, RegisterBidder
from gateway.keys import sign
from tests.browser.office import COOKIE, Office

SALE = "seq_k3f9"
NEW = {"name": "Clay", "timeZone": "UTC", "currencyCode": "EUR"}
QUEUE = f"/admin/sale/{SALE}/registrations"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A house with one sale, which nobody has bid in."""
    with Office(tmp_path_factory.mktemp("office")).serving() as open_:
        open_.decide(CreateSale(SALE, "Clay", "EUR", 2, registration="approval"))
        yield open_


@pytest.fixture
def web(office: Office) -> Iterator[httpx.Client]:
    """A browser that nobody has signed in on."""
    with httpx.Client(base_url=office.url, trust_env=False, timeout=20) as client:
        client.headers["origin"] = office.url
        yield client


def signed_in(office: Office, web: httpx.Client, *scopes: str, name: str = "Bea") -> httpx.Client:
    web.cookies.set(COOKIE, office.cookie(office.key(*scopes, name=name))["value"])
    return web


def paths() -> list[str]:
    sale = f"/admin/sale/{SALE}"
    below = ("", "/lots", "/registrations", "/settlement", "/results", "/results.csv", "/import")
    return ["/admin", *(sale + path for path in below)]


# ── Who is let in ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", paths())
def test_who_is_not_signed_in_is_sent_to_the_door(web: httpx.Client, path: str) -> None:
    """And comes back to the page from there."""
    answer = web.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next={path}")


@pytest.mark.parametrize("path", paths())
def test_a_key_for_other_things_gets_a_clear_page(
    office: Office, web: httpx.Client, path: str
) -> None:
    """Not the page, and no error either: what is missing, and a way on."""
    answer = signed_in(office, web, "provenance:read").get(path)
    assert answer.status_code == 403
    assert "auctions:write" in answer.text
    assert answer.text.count("<h1>") == 1


@pytest.mark.parametrize("scope", ["auctions:read", "console"])
def test_a_key_that_reads_changes_nothing(office: Office, web: httpx.Client, scope: str) -> None:
    """It sees the pages without their buttons, and what it sends is not taken."""
    signed_in(office, web, scope)
    page = web.get(f"/admin/sale/{SALE}")
    assert page.status_code == 200
    assert '<form method="post" action="/admin' not in page.text
    before = dict(office.gateway.saleroom.sales)
    assert web.post("/admin/new", data=NEW).status_code == 403
    assert office.gateway.saleroom.sales == before


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:1", "null"])
def test_another_sites_form_does_nothing(office: Office, web: httpx.Client, origin: str) -> None:
    """Also one on another port of this machine, whose browser sends the cookie along."""
    signed_in(office, web)
    before = dict(office.gateway.saleroom.sales)
    answer = web.post("/admin/new", data=NEW, headers={"origin": origin})
    assert answer.status_code == 403
    assert "not sent by a page of the house" in answer.text
    assert office.gateway.saleroom.sales == before


def test_a_form_tells_where_it_comes_from(office: Office, web: httpx.Client) -> None:
    """With no-referrer a browser would send no origin with it."""
    page = signed_in(office, web).get("/admin/new")
    assert page.headers["referrer-policy"] == "same-origin"
    assert page.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


def test_a_key_sees_its_own_mode_only(office: Office, web: httpx.Client) -> None:
    """A sale in earnest is not there for a key of the other world."""
    office.decide(CreateSale("seq_earnest", "In earnest", "EUR", 2, mode="live"))
    signed_in(office, web)
    assert "In earnest" not in web.get("/admin").text
    assert web.get("/admin/sale/seq_earnest").status_code == 404


# ── What was done ────────────────────────────────────────────────────────────────────────


def test_a_form_sent_twice_is_one_wish(office: Office, web: httpx.Client) -> None:
    """A double click announces one sale; a form that was opened anew another."""
    signed_in(office, web)
    before = len(office.gateway.saleroom.sales)
    first = web.post("/admin/new", data={**NEW, "once": "one"}).headers["location"]
    again = web.post("/admin/new", data={**NEW, "once": "one"}).headers["location"]
    assert urlsplit(first).path == urlsplit(again).path
    assert len(office.gateway.saleroom.sales) == before + 1
    other = web.post("/admin/new", data={**NEW, "once": "two"}).headers["location"]
    assert urlsplit(other).path != urlsplit(first).path


def test_whoever_did_it_is_named_in_the_log(office: Office, web: httpx.Client) -> None:
    """By the key's id, as in every call of the API."""
    key_id = office.key()
    web.cookies.set(COOKIE, office.cookie(key_id)["value"])
    made = web.post("/admin/new", data=NEW).headers["location"]
    sale_id = urlsplit(made).path.rpartition("/")[2]
    assert office.gateway.saleroom.sales[sale_id].created.by == key_id


def test_no_link_puts_words_into_a_page(office: Office, web: httpx.Client) -> None:
    """Notes are the house's, for the key that they were written for, and for a minute."""
    key_id = office.key()
    web.cookies.set(COOKIE, office.cookie(key_id)["value"])
    made = web.post("/admin/new", data=NEW).headers["location"]
    assert "is announced" in web.get(made).text
    note = parse_qs(urlsplit(made).query)["note"][0]
    forged = note[:-4] + ("AAAA" if note[-4:] != "AAAA" else "BBBB")
    for other in (
        forged,
        "Pay+here",
        sign(office.gateway.keys, "at+jwt", {"iat": 0, "exp": 2**40}),
    ):
        page = web.get(f"/admin?note={other}")
        assert page.status_code == 200
        assert 'class="note"' not in page.text
    stranger = httpx.Client(base_url=office.url, trust_env=False)
    with signed_in(office, stranger, name="Another"):
        assert "is announced" not in stranger.get(made).text
    office.pass_time(61_000)
    assert "is announced" not in web.get(made).text


def test_what_was_typed_is_shown_again_as_text(office: Office, web: httpx.Client) -> None:
    """A name can end no element; what was wrong is said beside it."""
    evil = '"><script>alert(1)</script>'
    signed_in(office, web)
    answer = web.post("/admin/new", data={**NEW, "name": evil, "timeZone": "Mars/North"})
    assert answer.status_code == 400
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text
    assert 'aria-invalid="true" aria-describedby="w-timeZone"' in answer.text


# ── Taking a decision back ───────────────────────────────────────────────────────────────


def decided(office: Office, web: httpx.Client, name: str) -> tuple[str, str]:
    """Somebody who was just let in, and what takes that back."""
    who = office.person(name).consumer_id
    office.decide(EnterSale(SALE, who, cmd_id=f"enter-{who}"))
    page = web.get(web.post(f"{QUEUE}/{who}", data={"status": "approved"}).headers["location"])
    token = page.text.partition('name="undo" value="')[2].partition('"')[0]
    assert admission(office, who) == "approved"
    assert token
    return who, token


def admission(office: Office, who: str) -> str:
    return office.gateway.saleroom.sales[SALE].registrations[who].admission


def test_a_decision_is_taken_back_for_ten_seconds(office: Office, web: httpx.Client) -> None:
    """And after that it stands."""
    signed_in(office, web)
    who, token = decided(office, web, "Ana Lima")
    office.pass_time(9_000)
    assert web.post(f"{QUEUE}/undo", data={"undo": token}).status_code == 303
    assert admission(office, who) == "pending"
    other, late = decided(office, web, "Ben Ortega")
    office.pass_time(14_000)
    answer = web.post(f"{QUEUE}/undo", data={"undo": late})
    assert answer.status_code == 409
    assert admission(office, other) == "approved"


def test_a_newer_decision_is_not_taken_back_by_an_older_undo(
    office: Office, web: httpx.Client
) -> None:
    """Somebody else has suspended the bidder meanwhile: so they stay."""
    signed_in(office, web)
    who, token = decided(office, web, "Chen Wu")
    office.decide(RegisterBidder(SALE, who, "suspended", cmd_id="halt", by="key"))
    assert web.post(f"{QUEUE}/undo", data={"undo": token}).status_code == 409
    assert admission(office, who) == "suspended"


def test_an_undo_is_for_whoever_decided(office: Office, web: httpx.Client) -> None:
    """Another key cannot use it."""
    signed_in(office, web)
    who, token = decided(office, web, "Dora Klein")
    signed_in(office, web, name="Another")
    assert web.post(f"{QUEUE}/undo", data={"undo": token}).status_code == 409
    assert admission(office, who) == "approved"


# ── Catalogues ───────────────────────────────────────────────────────────────────────────


def test_an_import_enters_what_was_looked_at(
    office: Office, web: httpx.Client, tmp_path: Path
) -> None:
    """Everything is looked at once more: a file that was changed on the way does no harm."""
    office.decide(CreateSale("seq_csv", "CSV", "EUR", 2))
    signed_in(office, web)
    ids = office.gateway.saleroom.sales["seq_csv"].auction_ids
    where = "/admin/sale/seq_csv/import"
    bad = {"content": "bG90TnVtYmVyLG5hbWUKMSwK", "agreed": "1"}  # a lot without a name
    assert web.post(where, data=bad).status_code == 400
    assert web.post(where, data={"content": "!", "agreed": "1"}).status_code == 400
    assert web.post(where, data={}).status_code == 400
    assert ids == []
    good = {"content": "bG90TnVtYmVyLG5hbWUKMSxKYXIK", "agreed": "1"}
    answer = web.post(where, data=good)
    assert (answer.status_code, len(ids)) == (303, 1)
    example = web.get("/admin/example.csv")
    files = {"catalogue": ("example.csv", example.content)}
    assert "Import 2 lots" in web.post(where, files=files).text
    assert len(ids) == 1


def test_a_file_that_is_too_large_is_refused(office: Office, web: httpx.Client) -> None:
    """With a page that says so."""
    signed_in(office, web)
    files = {"catalogue": ("large.csv", b"x" * (9 * 1024 * 1024))}
    answer = web.post(f"/admin/sale/{SALE}/import", files=files)
    assert answer.status_code == 413
    assert "too large" in answer.text
