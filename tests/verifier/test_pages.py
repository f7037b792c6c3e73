"""The verifier's pages, as they are answered: words, headers, and what is counted."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import httpx
import pytest
import sqlalchemy as sa

from gateway.books.store import reading
from gateway.settings import Rate
from tests.verifier.api.house import House, Reader, house_of
from tests.verifier.registry import desk
from tests.verifier.registry.conftest import NOW, store
from tests.verifier.software_tag import SoftwareTag
from verifier import languages, pages
from verifier.api import pages as api_pages
from verifier.core import confidence
from verifier.core import events as written
from verifier.core import objects as kinds
from verifier.photographs.jobs import Score
from verifier.photographs.workers import BadPicture, MatchingUnavailable
from verifier.registry import labels, owners, tags, verification
from verifier.registry import transfers as transfers_registry
from verifier.registry.objects import Object
from verifier.store import Store
from verifier.tables import alerts, entries, events, objects, photos, scans

__all__ = ["store"]  # a fixture

Json = dict[str, Any]


class Doubter(Reader):
    """Says of a fresh photograph what a test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = (40, 9)
        self.fault: Exception | None = None

    async def match(self, photo: bytes, templates: Any) -> list[Score]:
        if self.fault is not None:
            raise self.fault
        return [Score(name, *self.counts, 11, 0.5) for name, _ in templates]


@pytest.fixture
def worker() -> Doubter:
    return Doubter()


@pytest.fixture
async def house(store: Store, worker: Doubter) -> AsyncIterator[House]:
    found = house_of(store, NOW, worker)
    async with found.web:
        yield found


class _Words(HTMLParser):
    """What a reader sees of a page, and every element of it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def words(answer: httpx.Response) -> str:
    """The page's text, on one line; the page is a whole one, with one first heading."""
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = _Words(answer.text)
    assert sum(tag == "h1" for tag, _ in page.tags) == 1
    named = {attributes.get("for") for tag, attributes in page.tags if tag == "label"}
    fields = [a for tag, a in page.tags if tag in ("input", "select") and a.get("type") != "hidden"]
    assert all(field["id"] in named for field in fields), "a field without a label"
    assert not any("style" in a or any(n.startswith("on") for n in a) for _, a in page.tags)
    return re.sub(r"\s+", " ", "".join(page.words))


def verdict(answer: httpx.Response) -> tuple[str, str]:
    """The page's first heading, and the tone that it is said in."""
    words(answer)
    found = re.search(r'data-tone="(\w+)">.*?<h1>(.*?)</h1>', answer.text, re.DOTALL)
    assert found is not None
    return found[2], found[1]


async def look(house: House, found: Object | str, query: str = "", **more: Any) -> httpx.Response:
    """The public page of an object."""
    serial = found if isinstance(found, str) else found.row.serial
    more.setdefault("key", "missing")
    return await house.get(f"/verify/{quote(serial, safe='')}{query}", **more)


def seen(house: House) -> list[tuple[str, str]]:
    """What was counted since it was last asked: kind and outcome."""
    engine = house.verifier.store.engine
    house.verifier.scans.write(house.clock.at)
    with engine.begin() as connection:
        rows = connection.execute(sa.select(scans).order_by(scans.c.number)).all()
        connection.execute(sa.delete(scans))
    return [(row.kind, row.outcome) for row in rows for _ in range(row.times)]


def change(house: House, table: sa.Table, where: Any, **values: Any) -> None:
    """Somebody changes a row behind the house's back."""
    with house.verifier.store.engine.begin() as connection:
        done = connection.execute(sa.update(table).where(where).values(**values))
        assert done.rowcount == 1
    house.verifier.answers.clear()


# ── The verdict, in words ────────────────────────────────────────────────────────────────


async def test_a_good_record_matches_and_the_object_is_left_to_the_reader(house: House) -> None:
    """The record is one thing, the object in somebody's hand another."""
    found = desk.ready(house.verifier.store, NOW)
    answer = await look(house, found)
    assert answer.status_code == 200
    assert verdict(answer) == ("Matches our record", "match")
    said = words(answer)
    assert "The record is genuine. The object in front of you was not checked: compare" in said
    order = [
        "Matches our record",
        "Photographs to compare",
        "A chronograph",
        "Catalogued, number 214",
        "How it was checked",
        "What this does not prove",
        "Report a concern",
    ]
    places = [said.index(one, len("Matches our record, A chronograph")) for one in order[1:]]
    assert places == sorted(places)
    assert "Test record" in said
    assert "Demonstration identifier" in said
    assert f"{found.row.serial[:4]} {found.row.serial[4:8]}" in said
    for part in ("signature, chain and log are intact", "root", "The object has no tag"):
        assert part in said.replace("Signature,", "signature,")
    canonical = f'<link rel="canonical" href="https://id.example/verify/{found.row.serial}">'
    assert canonical in answer.text


async def test_nobody_is_named_and_no_moment_is_told(house: House) -> None:
    """Roles and days are public: no person, no id, no price of a private sale, no hour."""
    kept = house.verifier.store
    found = desk.ready(kept, NOW, description="Bought from Mrs Invented")
    buyer = desk.owner(kept, "Ada", NOW)
    begun = desk.begun(kept, found, buyer, NOW)
    transfers_registry.confirm(kept, desk.MODE, begun.row.transfer_id, begun.code, NOW)
    answer = await look(house, found)
    assert verdict(answer) == ("Sold, title passed on 18 Feb 2026", "note")
    row = desk.again(kept, found).row
    secrets = ("Konstantin", "Ada", "Invented", "44,000", "44000", "4400000", "12:00", "as seen")
    for secret in (*secrets, row.object_id, row.holder_id, row.consignor_id):
        assert secret not in answer.text, secret


async def test_an_auctions_price_is_public(house: House) -> None:
    """What the hammer fell at was said aloud; title passes later."""
    kept = house.verifier.store
    found = desk.ready(kept, NOW)
    desk.sale_of(kept, found, "listed", NOW, lot_number="12A")
    price: Json = {"hammer_price": 4_400_050, "currency": "EUR", "exponent": 2}
    desk.sale_of(kept, found, "sold", NOW, consumer_id="cons_ada", name="Ada", **price)
    answer = await look(house, found)
    assert verdict(answer) == ("Sold, title has not passed yet", "note")
    assert "Sold, for €44,000.50" in words(answer)
    assert "Listed for sale, lot 12A" in words(answer)


async def test_a_withdrawn_object_says_so(house: House) -> None:
    """Also where all is well with its record."""
    found = desk.post(house.verifier.store, desk.ready(house.verifier.store, NOW), "withdrawn", NOW)
    assert verdict(await look(house, found)) == ("Withdrawn", "note")


async def test_a_record_that_was_changed_does_not_match(house: House) -> None:
    """Each way to change it behind the house's back; none of them is green."""
    found = desk.ready(house.verifier.store, NOW)
    mine = objects.c.object_id == found.row.object_id
    change(house, objects, mine, title="A better chronograph")
    assert verdict(await look(house, found)) == ("Does not match our record", "bad")
    change(house, objects, mine, title="A chronograph")
    assert verdict(await look(house, found)) == ("Matches our record", "match")
    with reading(house.verifier.store.engine) as connection:
        of_it = sa.select(events.c.leaf_index).where(events.c.object_id == found.row.object_id)
        place = connection.execute(of_it.order_by(events.c.seq)).scalars().first()
    change(house, entries, entries.c.leaf_index == place, data=b'{"no":"document"}')
    answer = await look(house, found)
    assert verdict(answer) == ("Does not match our record", "bad")
    assert "cannot be shown: it is not as it was signed" in words(answer)


async def test_a_picture_that_was_exchanged_is_not_shown(house: House) -> None:
    """The reader is warned, and gets no wrong picture to compare with."""
    found = desk.ready(house.verifier.store, NOW)
    path = f"/verify/{found.row.serial}/photo/dial.jpg"
    good = await house.get(path, key="missing")
    assert (good.status_code, good.content) == (
        200,
        b"jpeg of " + f"{found.row.serial} dial".encode(),
    )
    assert good.headers["content-type"] == "image/jpeg"
    assert good.headers["cache-control"] == "public, max-age=3600"
    assert good.headers["x-content-type-options"] == "nosniff"
    assert path in (await look(house, found)).text
    of_it = (photos.c.object_id == found.row.object_id) & (photos.c.angle == "dial")
    change(house, photos, of_it, served=b"another jpeg")
    assert (await house.get(path, key="missing")).status_code == 404
    answer = await look(house, found)
    assert verdict(answer)[0] == "Be careful"
    assert path not in answer.text
    assert "movement.jpg" in answer.text
    assert (await house.get(path.replace("dial", "sky"), key="missing")).status_code == 404


async def test_a_code_that_is_none_of_ours(house: House) -> None:
    """404, the code in groups as it was typed, and a form to type it again."""
    answer = await look(house, "auc-2602 nope")
    assert answer.status_code == 404
    assert verdict(answer) == ("We have no such code. Check the letters", "careful")
    assert "the code auc2 602n ope." in words(answer)
    assert 'value="auc-2602 nope"' in answer.text
    never_given = await look(house, "AUC260218FKC5SKSEZ")
    assert "we never gave it to an object" in words(never_given)


async def test_nothing_is_green_while_nothing_can_be_checked(house: House) -> None:
    """The database fails: 503, in words."""
    found = desk.ready(house.verifier.store, NOW)
    engine = house.verifier.store.engine
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE v_objects RENAME TO v_gone"))
    answer = await look(house, found)
    assert answer.status_code == 503
    assert verdict(answer) == ("Cannot check right now", "unsure")
    assert "neither that the object is genuine nor that it is not" in words(answer)
    assert "match" not in re.findall(r'data-tone="(\w+)"', answer.text)


async def test_scans_that_point_to_copies_are_a_warning(house: House) -> None:
    """The public is told that there is something, and not what."""
    found = desk.ready(house.verifier.store, NOW)
    taps = [
        {"kind": "nfc", "at": NOW - at, "client": "c", "outcome": "replayed", "counter": 1}
        for at in range(3)
    ]
    with house.verifier.store.engine.begin() as connection:
        mine = {"object_id": found.row.object_id}
        connection.execute(sa.insert(scans), [{**tap, **mine, "times": 1} for tap in taps])
    answer = await look(house, found)
    assert verdict(answer) == ("Be careful", "careful")
    assert "The scans of this code are unusual" in words(answer)


async def test_what_somebody_has_said_is_text(house: House) -> None:
    """A title that is a page of its own stays a title, on every page."""
    nasty = '<script>alert(1)</script>" onload="x" {{ 7*7 }}'
    found = desk.register(house.verifier.store, NOW, serial='A/<b>&"x', description=nasty)
    change(house, objects, objects.c.object_id == found.row.object_id, title=nasty)
    name = quote(found.row.serial, safe="")
    for path in (f"/verify/{name}", "/admin/objects", f"/admin/objects/{name}", "/verify/%3Cb%3E"):
        answer = await house.get(path)
        words(answer)
        assert "<script>alert" not in answer.text
        assert "<b>&" not in answer.text
        assert ' onload="x"' not in answer.text


async def test_any_spelling_of_a_serial_is_its_page(house: House) -> None:
    """Small letters, spaces, hyphens, an O for a 0: answered there, and never sent around."""
    found = desk.ready(house.verifier.store, NOW)
    serial = found.row.serial
    spelt = f"{serial[:3]} {serial[3:]}".lower(), serial.replace("0", "O"), "-".join(serial)
    for spelling in spelt:
        answer = await look(house, spelling)
        assert answer.status_code == 200
        assert f'href="https://id.example/verify/{serial}"' in answer.text
    foreign = desk.ready(house.verifier.store, NOW, serial="HOUSE/7 a")
    assert (await look(house, foreign)).status_code == 200
    assert (await look(house, "house/7A")).status_code == 200


async def test_a_copied_address_is_told(house: House) -> None:
    """Our labels lead to one host; another that shows this page is named a stranger's."""
    found = desk.ready(house.verifier.store, NOW)

    async def at(host: str | None) -> str:
        more: Json = {"headers": {"x-fairwarning-caller": _caller(host)}}
        return words(await look(house, found, **more))

    for ours in (None, "id.example", "ID.example:443"):
        assert "Not at our own address" not in await at(ours)
    for other in ("id.example.evil.test", "127.0.0.1:8000"):
        assert "Not at our own address" in await at(other)
        assert "evil" not in await at(other)


def _caller(host: str | None) -> str:
    said = "null" if host is None else f'"{host}"'
    return f'{{"address": "203.0.113.7", "host": {said}, "key": {{"status": "missing"}}}}'


async def test_a_label_that_the_house_did_not_sign(house: House) -> None:
    """Its own signature passes in silence; any other is a warning, and is counted as one."""
    kept = house.verifier.store
    found = desk.ready(kept, NOW)
    signed = labels.signed_link(kept, found.row)
    query = "?" + urlsplit(signed).query
    assert verdict(await look(house, found, query)) == ("Matches our record", "match")
    other = await look(house, desk.ready(kept, NOW), query)
    assert verdict(other) == ("Be careful", "careful")
    assert "not signed by the house" in words(other)
    assert seen(house) == [("qr", ""), ("qr", "link_refused")]


# ── What is counted ──────────────────────────────────────────────────────────────────────


async def test_every_look_is_counted_and_no_look_ahead(house: House) -> None:
    """From the cache or not; HEAD is a program's."""
    found = desk.ready(house.verifier.store, NOW)
    for _ in range(3):
        assert (await look(house, found)).status_code == 200
    ahead = await house.ask("HEAD", f"/verify/{found.row.serial}", key="missing")
    assert ahead.status_code == 200
    assert seen(house) == [("page", "")] * 3


async def test_who_tries_codes_out_is_answered_nothing(store: Store) -> None:
    """Ten that do not exist in ten minutes: then not even those that do, in words."""
    house = house_of(store, NOW, Reader(), Rate(50, 100))
    async with house.web:
        found = desk.ready(store, NOW)
        for number in range(10):
            assert (await look(house, f"AUC{number}")).status_code == 404
        answer = await look(house, found)
        assert answer.status_code == 429
        assert verdict(answer) == ("Cannot check right now", "unsure")
        assert re.search(r"Try again in \d+ s", words(answer))
        house.clock.pass_(61)
        assert (await look(house, found)).status_code == 200


# ── Taps ─────────────────────────────────────────────────────────────────────────────────


def tagged(house: House, **more: Any) -> tuple[Object, SoftwareTag]:
    """An object with a tag."""
    kept = house.verifier.store
    found = desk.ready(kept, NOW)
    chip = SoftwareTag(f"https://id.example/verify/{found.row.serial}", **more)
    meta_key = None if chip.layout == "?uid=&ctr=&c=" else chip.meta_key.hex()
    said = tags.Binding(chip.uid, chip.file_key.hex(), meta_key, chip.url_template)
    tags.bind(kept, desk.MODE, found.row.object_id, said, NOW)
    return found, chip


@pytest.mark.parametrize("layout", ["?e=&c=", "?e=&m=&c=", "?uid=&ctr=&c="])
async def test_a_tap_counts_once_and_its_result_can_be_loaded_anew(
    house: House, layout: Any
) -> None:
    """303 to a link that shows the same for ten minutes, and nobody keeps either answer."""
    found, chip = tagged(house, layout=layout)
    target = urlsplit(chip.tap())
    answer = await look(house, found, "?" + target.query)
    assert answer.status_code == 303
    assert answer.headers["cache-control"] == "no-store"
    result = answer.headers["location"]
    assert re.fullmatch(rf"/verify/{found.row.serial}\?tap=[\w.-]+", result)
    for _ in range(2):
        page = await house.get(result, key="missing")
        assert verdict(page) == ("Matches our record", "match")
        assert "The object was checked by its tag." in words(page)
        assert page.headers["cache-control"] == "no-store"
    assert seen(house) == [("nfc", "verified")]
    house.clock.pass_(61)
    again = await look(house, found, "?" + target.query)
    copied = await house.get(again.headers["location"], key="missing")
    assert verdict(copied) == ("Be careful", "careful")
    assert "it may be a copy" in words(copied)
    house.clock.pass_(600)
    over = await house.get(result, key="missing")
    assert "This tap is not shown any more" in words(over)
    assert "The object was checked by its tag" not in words(over)
    assert "It was not tapped" in words(over)


async def test_looking_ahead_uses_no_tap_up(house: House) -> None:
    """A messenger's preview asks with HEAD: no result, and the tap is as fresh as before."""
    found, chip = tagged(house)
    query = "?" + urlsplit(chip.tap()).query
    ahead = await house.ask("HEAD", f"/verify/{found.row.serial}{query}", key="missing")
    assert ahead.status_code == 200
    assert "location" not in ahead.headers
    assert ahead.headers["cache-control"] == "no-store"
    answer = await look(house, found, query)
    page = await house.get(answer.headers["location"], key="missing")
    assert "The object was checked by its tag." in words(page)


async def test_a_result_is_of_its_own_object(house: House) -> None:
    """Nobody shows one object's tap on another's page, or makes one up."""
    found, chip = tagged(house)
    answer = await look(house, found, "?" + urlsplit(chip.tap()).query)
    token = dict(parse_qsl(urlsplit(answer.headers["location"]).query))["tap"]
    other = desk.ready(house.verifier.store, NOW)
    for serial, text in ((other, token), (found, token[:-2] + "AA"), (found, "x")):
        page = await look(house, serial, f"?tap={text}")
        assert "This tap is not shown any more" in words(page)
        assert "checked by its tag." not in words(page)


# ── A fresh photograph ───────────────────────────────────────────────────────────────────


async def send(
    house: House, found: Object, picture: bytes = b"jpeg", **more: Any
) -> httpx.Response:
    more.setdefault("data", {"angle": ""})
    files = {"photo": ("it.jpg", picture, "image/jpeg")}
    path = f"/verify/{found.row.serial}/photo"
    return await house.ask("POST", path, key="missing", files=files, **more)


async def test_a_photograph_says_likely_and_never_certainly(house: House, worker: Doubter) -> None:
    """Four words, each with what was compared; none says counterfeit."""
    found = desk.ready(house.verifier.store, NOW)
    heads = {
        (40, 9): ("Likely the same object", "match"),
        (15, 6): ("Likely the same object", "match"),
        (9, 2): ("Not sure. Try another photograph", "note"),
        (1, 0): ("Not confirmed by this photograph", "careful"),
    }
    for worker.counts, head in heads.items():
        answer = await send(house, found)
        assert answer.status_code == 200, answer.text
        assert verdict(answer) == head
        assert "house's photograph" in words(answer)
        assert "counterfeit" not in answer.text
        assert answer.headers["cache-control"] == "no-store"
        assert ("checked by a photograph." in words(answer)) == (head[1] == "match")
    assert seen(house) == [("photo", "")] * 4
    worker.counts = (40, 9)
    chosen = await send(house, found, data={"angle": "movement"})
    assert "photograph (movement)" in words(chosen)


async def test_a_photograph_saves_no_broken_record(house: House) -> None:
    """The record's verdict is said first."""
    found = desk.ready(house.verifier.store, NOW)
    change(house, objects, objects.c.object_id == found.row.object_id, title="Another")
    assert verdict(await send(house, found)) == ("Does not match our record", "bad")


async def test_why_a_photograph_was_not_compared(house: House, worker: Doubter) -> None:
    """In words, with the way back."""
    found = desk.ready(house.verifier.store, NOW)
    faults: list[tuple[Exception, int, str]] = [
        (BadPicture("not_a_picture", "x"), 400, "This is not a photograph."),
        (BadPicture("too_small", "x"), 400, "too small"),
        (BadPicture("too_large", "x"), 413, "too large"),
        (BadPicture("unsupported", "x"), 415, "not a photograph that can be read"),
        (MatchingUnavailable(), 503, "cannot be compared here"),
    ]
    for worker.fault, status, why in faults:
        answer = await send(house, found)
        assert answer.status_code == status
        assert verdict(answer) == ("Not compared", "unsure")
        assert why in words(answer)
        assert f'href="/verify/{found.row.serial}#photo"' in answer.text
    empty = await send(house, found, b"")
    assert empty.status_code == 400
    assert "No photograph was chosen." in words(empty)
    large = await send(house, found, b"x" * 25_100_000)
    assert large.status_code == 413
    assert "too large" in words(large)
    nobody = await house.ask(
        "POST", "/verify/nobody/photo", key="missing", files={"photo": ("a", b"x", "image/jpeg")}
    )
    assert verdict(nobody)[0] == "We have no such code. Check the letters"


async def test_photographs_are_compared_sixty_times(store: Store) -> None:
    """An address, in ten minutes; the API and the page count together."""
    house = house_of(store, NOW, Doubter(), Rate(500, 1000))
    async with house.web:
        found = desk.ready(store, NOW)
        api = f"/api/v1/auction/public/verify/{found.row.serial}/photo"
        for _ in range(30):
            assert (await send(house, found)).status_code == 200
            files = {"photo": ("it.jpg", b"jpeg", "image/jpeg")}
            assert (await house.ask("POST", api, key="missing", files=files)).status_code == 200
        answer = await send(house, found)
        assert answer.status_code == 429
        assert "Too many questions" in words(answer)


# ── Headers, files and small pages ───────────────────────────────────────────────────────


async def test_every_page_has_the_same_strict_headers(house: House) -> None:
    """Also those that refuse something."""
    found = desk.ready(house.verifier.store, NOW)
    for path in (f"/verify/{found.row.serial}", "/verify", "/verify/nobody", "/verify/static/no"):
        answer = await house.get(path, key="missing")
        for name, value in pages.PUBLIC_HEADERS.items():
            assert answer.headers[name] == value, (path, name)
    for path in ("/admin/objects", f"/admin/objects/{found.row.serial}", "/admin/objects/nobody"):
        for key in ("missing", ("provenance:read",)):
            answer = await house.get(path, key=key)
            words(answer)
            for name, value in pages.DESK_HEADERS.items():
                assert answer.headers[name] == value, (path, name)


async def test_the_public_page_is_light(house: House) -> None:
    """30 kB with its style and its module, without the photographs, for a bottle of four."""
    found = desk.ready(house.verifier.store, NOW)
    assert (await look(house, found)).headers["cache-control"] == "no-cache"
    size = len((await look(house, found)).content) + len((await look(house, "nobody")).content)
    for name in ("verify.css", "photo.js"):
        answer = await house.get(f"/verify/static/{name}", key="missing")
        assert answer.status_code == 200
        size += len(answer.content)
        tag = {"If-None-Match": answer.headers["etag"]}
        again = await house.get(f"/verify/static/{name}", key="missing", headers=tag)
        assert (again.status_code, again.content) == (304, b"")
    tokens = pages.STATIC.parents[1] / "gateway" / "static" / "tokens.css"
    assert size + tokens.stat().st_size < 30_000
    assert (await house.get("/verify/static/%2e%2e%2fpages.py", key="missing")).status_code == 404


async def test_a_code_can_be_typed_in(house: House) -> None:
    """The form leads to the code's page, whatever is typed."""
    assert words(await house.get("/verify", key="missing"))
    answer = await house.get("/verify", key="missing", params={"code": " a/b?c ", "utm": "x"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/verify/a%2Fb%3Fc")
    wrong = await house.post(f"/verify/{desk.ready(house.verifier.store, NOW).row.serial}")
    assert wrong.status_code == 405
    assert words(wrong)


# ── The desk ─────────────────────────────────────────────────────────────────────────────

READER = ("provenance:read",)


async def test_the_desk_is_for_keys_that_read_provenance(house: House) -> None:
    """Without one, a form for it and nothing else; with a lesser one, a refusal in words."""
    found = desk.ready(house.verifier.store, NOW)
    for path in ("/admin/objects", f"/admin/objects/{found.row.serial}"):
        for key in ("missing", "invalid", "expired", "revoked"):
            answer = await house.get(path, key=key)
            assert answer.status_code == 401
            assert 'action="/admin/objects/sign-in"' in answer.text
            assert "chronograph" not in answer.text
            assert "Not signed in." not in words(answer)
        answer = await house.get(path, key=("owners:write",))
        assert answer.status_code == 403
        assert "This key may not do that." in words(answer)
    failed = await house.get("/admin/objects?error=1", key="missing")
    assert "This key does not open the objects of the house." in words(failed)
    assert "A chronograph" in words(await house.get("/admin/objects", key=READER))
    other = await house.get(f"/admin/objects/{found.row.serial}", key=READER, mode="live")
    assert other.status_code == 404
    assert "No such object" in words(other)


async def test_the_list_is_filtered_and_paged(house: House) -> None:
    """By state, category and words; twenty at a time, each object once."""
    kept = house.verifier.store
    for number in range(25):
        desk.register(kept, NOW + number, "bottle")
    vase = desk.ready(kept, NOW + 100)
    first = await house.get("/admin/objects")
    assert "26 objects" in words(first)
    assert f"/admin/objects/{vase.row.serial}" in first.text
    assert "Missing: front label, closure, back label, fill level" in words(first)
    assert "4 of 4, bound" in words(first)
    more = re.search(r'href="(/admin/objects\?[^"]*cursor=[^"]*)">Next page', first.text)
    assert more is not None
    second = await house.get(more[1].replace("&amp;", "&"))
    links = re.compile(r'href="(/admin/objects/AUC[^"]*)"')
    both = links.findall(first.text) + links.findall(second.text)
    assert len(both) == len(set(both)) == 26
    assert "First page" in words(second)
    assert "Next page" not in words(second)
    for query, count in (
        ("?status=cataloged&category=&q=", 1),
        ("?category=bottle", 25),
        ("?q=CHRONO&status=", 26),
        (f"?q={vase.row.serial[-6:].lower()}", 1),
    ):
        answer = await house.get(f"/admin/objects{query}")
        assert f"{count} object{'s' if count > 1 else ''}," in words(answer), query
    assert "No objects match." in words(await house.get("/admin/objects?q=nothing"))
    wrong = await house.get("/admin/objects?status=stolen")
    assert wrong.status_code == 400
    assert "makes no sense" in words(wrong)


async def test_alarms_are_told_with_their_reasons(house: House) -> None:
    """In words, in the list and on the object's page."""
    found = desk.ready(house.verifier.store, NOW)
    said = {"rule": "nfc_replay", "weight": 40, "words": "a recorded tap was shown again"}
    row = {"object_id": found.row.object_id, "level": "high", "reasons": [said], "at": NOW}
    with house.verifier.store.engine.begin() as connection:
        connection.execute(sa.insert(alerts), row)
    for path in ("/admin/objects", f"/admin/objects/{found.row.serial}"):
        answer = words(await house.get(path, key=READER))
        assert "High risk" in answer
        assert "A recorded tap was shown again" in answer


async def test_the_house_sees_all_that_it_has_said(house: House) -> None:
    """Private details, persons, prices and what is next; whoever was erased is erased."""
    kept = house.verifier.store
    estimate = {"min": 3_000_000, "max": 5_000_000, "currency": "EUR", "exponent": 2}
    more: Json = {"estimate": estimate, "attributes": {"caseNumber": "77"}}
    found = desk.ready(kept, NOW, description="Steel.", **more)
    begun = desk.begun(kept, found, desk.owner(kept, "Ada", NOW), NOW)
    path = f"/admin/objects/{found.row.serial}"
    said = words(await house.get(path))
    for part in (
        "Konstantin Signor",
        "Steel.",
        "€30,000 to €50,000",
        "Case number77",
        "as seen",
        "Price€44,000",
        "Waiting for the buyer’s code",
        "Rescind the sale",
        "Pass title on",
        "dial",
    ):
        assert part in said, part
    assert begun.code not in said
    house.clock.pass_(73 * 3600)
    assert "The code was not used in time" in words(await house.get(path))
    buyer = begun.row.to_id
    transfers_registry.cancel(kept, desk.MODE, begun.row.transfer_id, NOW)
    private = desk.begun(kept, found, buyer, NOW)
    transfers_registry.confirm(kept, desk.MODE, private.row.transfer_id, private.code, NOW)
    assert "Ada" in words(await house.get(path))
    owners.erase(kept, desk.MODE, buyer, NOW)
    said = words(await house.get(path))
    assert "Ada" not in said
    assert "(erased)" in said
    assert "What was said in private has been erased." in said


async def test_listing_waits_for_the_photographs(house: House) -> None:
    """What is missing is named, and why the next step must wait."""
    kept = house.verifier.store
    found = desk.post(kept, desk.register(kept, NOW), "cataloged", NOW)
    said = words(await house.get(f"/admin/objects/{found.row.serial}"))
    assert "Missing: dial, movement, serial engraving, case back." in said
    assert "Not before all required photographs are there" in said


async def test_a_photograph_is_added_from_the_page(house: House, worker: Doubter) -> None:
    """By a key that may; then back to the object, with one less missing."""
    found = desk.register(house.verifier.store, NOW)
    path = f"/admin/objects/{found.row.serial}"
    form: Json = {"files": {"photo": ("it.jpg", b"jpeg", "image/jpeg")}, "data": {"angle": "dial"}}
    for key, status in (("missing", 401), (READER, 403)):
        refused = await house.ask("POST", f"{path}/photos", key=key, **form)
        assert refused.status_code == status
    assert desk.again(house.verifier.store, found).angles == {}
    assert "lacks provenance:write" in words(await house.get(path, key=READER))
    answer = await house.ask("POST", f"{path}/photos", **form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{path}#photographs")
    assert "Missing: movement, serial engraving, case back." in words(await house.get(path))
    empty = {**form, "files": {"photo": ("it.jpg", b"", "image/jpeg")}}
    failed = await house.ask("POST", f"{path}/photos", **empty)
    assert failed.status_code == 400
    assert "No photograph was chosen." in words(failed)
    wrong = {**form, "data": {"angle": "sky"}}
    assert (await house.ask("POST", f"{path}/photos", **wrong)).status_code == 400


async def test_the_label_is_drawn_for_the_house(house: House) -> None:
    """An SVG of the signed link, for a key."""
    found = desk.register(house.verifier.store, NOW)
    path = f"/admin/objects/{found.row.serial}/qr.svg"
    answer = await house.get(path, key=READER)
    assert answer.headers["content-type"] == "image/svg+xml"
    assert (await house.get(path, key="missing")).status_code == 401


def test_a_price_is_written_as_it_is_said() -> None:
    """Cents where there are any; a currency without a sign by its code; nonsense as it came."""
    assert pages._price("44000.00", "EUR") == "€44,000"
    assert pages._price("44000.50", "EUR") == "€44,000.50"
    assert pages._price("4400000", "JPY") == "JP¥4,400,000"
    assert pages._price("4400.000", "KWD") == "KWD\N{NO-BREAK SPACE}4,400"
    assert pages._price("on request", "EUR") == "on request EUR"


async def test_a_path_that_leads_nowhere_is_a_page_too(house: House) -> None:
    """With a slash too many or a part too few, whoever came by a browser reads words."""
    for path in ("/verify/", "/verify/AUC1/x", "/admin/objects/", "/01/x", "/8004/"):
        answer = await house.get(path, key="missing")
        assert answer.status_code == 404, path
        assert answer.headers["content-type"].startswith("text/html"), path


async def test_a_tags_link_is_kept_by_nobody(house: House) -> None:
    """Neither the page that it leads to, nor the way there."""
    found = desk.register(house.verifier.store, NOW)
    for query, kept in (("?e=00&c=00", True), ("?kid=a&sig=b", False)):
        way = await house.get(f"/01/09521234543213/21/{found.row.serial}{query}", key="missing")
        assert way.status_code == 307
        assert (way.headers.get("cache-control") == "no-store") is kept


# ── In the reader's language ─────────────────────────────────────────────────────────────

GERMAN = {"accept-language": "de-DE,de;q=0.9,en;q=0.5"}


async def test_whoever_reads_german_gets_german(house: House) -> None:
    """Verdict, record, checks and cautions; the title and the code stay as they are."""
    found = desk.ready(house.verifier.store, NOW)
    answer = await house.get(f"/verify/{found.row.serial}", key="missing", headers=GERMAN)
    assert verdict(answer) == ("Stimmt mit unserem Eintrag überein", "match")
    assert '<html lang="de-DE">' in answer.text
    assert answer.headers["vary"] == "accept-language, cookie"
    told = words(answer)
    for said in ("Der Eintrag ist echt.", "Katalogisiert", "Gültig, alle", "Was das nicht beweist"):
        assert said in told
    assert found.row.title in told
    assert not {"Record", "Compare", "Registered", "House"} & set(re.findall(r"\w+", told))
    # The page is kept for a moment, for those who read the same language.
    assert verdict(await look(house, found)) == ("Matches our record", "match")
    again = await house.get(f"/verify/{found.row.serial}", key="missing", headers=GERMAN)
    assert again.content == answer.content


@pytest.mark.parametrize(
    ("path", "head"),
    [
        ("/verify", "Einen Code prüfen"),
        ("/verify/nobody", "Diesen Code gibt es bei uns nicht. Prüfen Sie die Buchstaben"),
        ("/verify/a/b", "Nicht gefunden"),
    ],
)
async def test_other_pages_in_german(house: House, path: str, head: str) -> None:
    """Also those that say what is not there."""
    answer = await house.get(path, key="missing", headers=GERMAN)
    assert f"<h1>{head}</h1>" in answer.text
    words(answer)


def test_whatever_the_public_is_told_has_its_german() -> None:
    """Each text of the tables and of the templates; and nothing is translated that nobody says."""
    say = languages.Words("de")
    evidence = [pages._sentence(term.words) for term in confidence.TERMS.values()]
    for broken in (False, True):
        found = confidence.Findings(not broken, not broken, not broken, revoked=True)
        evidence += [pages._sentence(one.words) for one in confidence.judge(found).evidence]
    tables = [
        *evidence,
        *(head for _, head in pages._PHOTO_HEADS.values()),
        *pages._HAPPENED.values(),
        *(words for table in (pages._TAG_WORDS, pages._PHOTO_WORDS, pages._SCAN_WORDS)
          for _, words in table.values()),
        *api_pages._NOT_COMPARED.values(),
        *api_pages._BY_REASON.values(),
        *(f"photo {match}" for match in pages._PHOTO_HEADS),
    ]  # fmt: skip
    for text in tables:
        assert say(text)
    names = [*written.ROLES.values(), written.PARTY, verification.COLLECTOR]
    names += [one.capitalize() for one in kinds.CATEGORIES]
    names += [pages._spoken(angle) for angles in kinds.REQUIRED_ANGLES.values() for angle in angles]
    for name in names:
        assert name in languages.german(), name
    source = "".join(
        path.read_text()
        for folder in ("templates/*.html", "pages.py", "api/pages.py")
        for path in Path(pages.__file__).parent.glob(folder)
    )
    source = re.sub(r'"\s*\n\s*"', "", source)  # a text that is written on two lines
    said = {*tables, *names}
    assert [text for text in languages.german() if text not in said and text not in source] == []


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT, en;q=0.8", "de"),
        ("fr, de;q=0.3, en;q=0.9", "en"),
        ("en;q=0, de;q=0.1", "de"),
        ("*", "en"),
        ("x" * 10_000, "en"),
        ("de;q=nonsense", "en"),
    ],
)
def test_the_language_that_a_browser_asks_for(header: str, language: str) -> None:
    """The one of ours that it prefers; English where it says nothing that can be read."""
    assert languages.language_of(header) == language


def test_german_days_and_prices() -> None:
    """As they are written there."""
    assert pages.day("2026-03-07T00:00:00Z", "de") == "7. März 2026"
    assert pages._price("44000.50", "EUR", "de") == "44.000,50\N{NO-BREAK SPACE}€"
    assert pages._price("4400000", "USD", "de") == "4.400.000\N{NO-BREAK SPACE}$"
