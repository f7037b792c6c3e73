"""What the API refuses: with the contract's codes, and with nothing moved by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.verifier.api.house import ALL, House, code_of
from verifier.api import calls
from verifier.api.refusals import CATALOGUE
from verifier.photographs.workers import (
    BadPicture,
    MatchingUnavailable,
    PictureTooHard,
    WorkersBusy,
)

OBJECT = {"title": "A chronograph", "category": "watch"}


@pytest.fixture
async def still(house: House) -> AsyncIterator[House]:
    """A house whose log stands still from where the test says so: ``counted`` holds its size."""
    yield house
    assert house.counted, "the test says when"
    assert house.counted[-1] == house.size(), "a refusal has moved the log"


async def test_no_key_opens_nothing(still: House) -> None:
    """Each call of the house's says what is wrong with the key, before it looks at anything."""
    still.counted.append(still.size())
    for method, path in (
        ("POST", "objects/register"),
        ("GET", "objects/AUC260218FKC5SKSEZ"),
        ("GET", "dashboard/objects"),
        ("POST", "objects/obj_1/photos"),
        ("POST", "objects/obj_1/tags"),
        ("POST", "objects/obj_1/provenance"),
        ("POST", "provenance"),
        ("POST", "transfers/initiate"),
        ("POST", "transfers/trf_1/confirm"),
        ("POST", "owners"),
        ("DELETE", "owners/own_1"),
    ):
        for status in ("missing", "invalid", "expired", "revoked"):
            refused = await still.ask(method, path, key=status)
            assert code_of(refused) == (401, f"{status.upper()}_API_KEY"), path


async def test_a_key_does_what_its_scopes_say(house: House) -> None:
    """All other scopes together do not make up for the one."""
    for method, path, scope in (
        ("POST", "objects/register", "provenance:write"),
        ("GET", "objects/AUC260218FKC5SKSEZ", "provenance:read"),
        ("GET", "objects/AUC260218FKC5SKSEZ/qr.svg", "provenance:read"),
        ("POST", "transfers/initiate", "transfers:write"),
        ("GET", "transfers/trf_1", "transfers:write"),
        ("POST", "owners", "owners:write"),
        ("DELETE", "owners/own_1", "owners:write"),
    ):
        others = [one for one in (*ALL, "auctions:write") if one != scope]
        refused = await house.ask(method, path, key=others)
        assert code_of(refused) == (403, "INSUFFICIENT_SCOPE"), path
        assert refused.json()["error"]["details"] == {"required": scope}


BAD_REGISTRATIONS: list[tuple[Any, str, str]] = [
    ({}, "MISSING_REQUIRED_FIELD", "title"),
    ({"title": "x"}, "MISSING_REQUIRED_FIELD", "category"),
    ({"title": None, "category": "watch"}, "MISSING_REQUIRED_FIELD", "title"),
    ({**OBJECT, "title": ""}, "INVALID_FIELD", "title"),
    ({**OBJECT, "title": "two\nlines\n"}, "INVALID_FIELD", "title"),
    ({**OBJECT, "title": 7}, "INVALID_FIELD", "title"),
    ({**OBJECT, "category": "car"}, "INVALID_FIELD", "category"),
    ({**OBJECT, "security_tier": "top"}, "INVALID_FIELD", "security_tier"),
    ({**OBJECT, "colour": "red"}, "INVALID_FIELD", "colour"),
    ({**OBJECT, "serial": "x" * 65}, "INVALID_FIELD", "serial"),
    ({**OBJECT, "serial": " - "}, "INVALID_FIELD", "serial"),
    ({**OBJECT, "owner": {}}, "INVALID_FIELD", "name"),
    ({**OBJECT, "owner": {"email": "nobody"}}, "INVALID_FIELD", "owner.email"),
    (
        {**OBJECT, "estimated_value": {"min": 1}},
        "MISSING_REQUIRED_FIELD",
        "estimated_value.max",
    ),
    (
        {**OBJECT, "estimated_value": {"min": 2, "max": 1, "currency": "EUR"}},
        "INVALID_FIELD",
        "estimated_value.max",
    ),
    (
        {**OBJECT, "estimated_value": {"min": 1.005, "max": 2, "currency": "EUR"}},
        "INVALID_FIELD",
        "estimated_value.min",
    ),
    (
        {**OBJECT, "estimated_value": {"min": -1, "max": 2, "currency": "EUR"}},
        "INVALID_FIELD",
        "estimated_value.min",
    ),
    (
        {**OBJECT, "estimated_value": {"min": 1, "max": 2, "currency": "ABC"}},
        "INVALID_FIELD",
        "estimated_value.currency",
    ),
    ({**OBJECT, "attributes": {"n": 2**60}}, "INVALID_FIELD", "attributes"),
    ({**OBJECT, "attributes": {"text": "x" * 20_000}}, "INVALID_FIELD", "attributes"),
]


async def test_a_registration_says_what_it_must(still: House) -> None:
    """The field that is missing or wrong is named."""
    still.counted.append(still.size())
    for said, code, field in BAD_REGISTRATIONS:
        refused = await still.post("objects/register", said)
        assert code_of(refused) == (400, code), said
        assert refused.json()["error"]["details"][0]["field"] == field, said


async def test_what_is_no_json_object_is_refused(still: House) -> None:
    """One code for whatever cannot be read as the object that was expected."""
    still.counted.append(still.size())
    for body in (
        b"",
        b"{",
        b"[]",
        b'"text"',
        b'{"title": "a", "title": "b", "category": "watch"}',
        b'{"title": "\\ud800", "category": "watch"}',
        b"\xff\xfe",
        b"[" * 100_000,
    ):
        refused = await still.ask("POST", "objects/register", content=body)
        assert code_of(refused) == (400, "INVALID_JSON"), body[:50]


async def test_what_is_not_there_is_not_found(house: House) -> None:
    """Each kind of thing has a code of its own, and a path that leads nowhere has one too."""
    said = {"eventType": "cataloged", "actorRole": "house"}
    found = await house.register()
    for answer, code in (
        (await house.get("objects/obj_nothing"), "OBJECT_NOT_FOUND"),
        (await house.get("objects/AUC260218FKC5SKSEZ"), "OBJECT_NOT_FOUND"),
        (await house.get("objects/AUC260218FKC5SKSEZ/qr.svg"), "OBJECT_NOT_FOUND"),
        (await house.get("objects/NOTHING/provenance", key="missing"), "OBJECT_NOT_FOUND"),
        (await house.post("objects/obj_nothing/provenance", said), "OBJECT_NOT_FOUND"),
        (await house.photograph({"id": "obj_no", "serial": "x"}, "front"), "OBJECT_NOT_FOUND"),
        (await house.get("transfers/trf_nothing"), "TRANSFER_NOT_FOUND"),
        (
            await house.post("transfers/trf_nothing/confirm", {"transferCode": "123456"}),
            "TRANSFER_NOT_FOUND",
        ),
        (await house.post("transfers/trf_nothing/cancel"), "TRANSFER_NOT_FOUND"),
        (await house.ask("DELETE", "owners/own_nothing"), "OWNER_NOT_FOUND"),
        (await house.begin(found, toOwnerId="own_nothing"), "OWNER_NOT_FOUND"),
        (await house.get("nothing"), "NOT_FOUND"),
        (await house.get("/elsewhere"), "NOT_FOUND"),
        (await house.get("objects/a%00b"), "NOT_FOUND"),
    ):
        assert code_of(answer) == (404, code)


async def test_another_method_is_told_which_there_are(house: House) -> None:
    """405 names all methods of the path, whatever row of the table they are in."""
    for method, path, allowed in (
        ("DELETE", "objects/AUC260218FKC5SKSEZ", "GET, HEAD"),
        ("PUT", "objects/AUC260218FKC5SKSEZ/provenance", "GET, HEAD, POST"),
        ("GET", "transfers/initiate", "POST"),
        ("OPTIONS", "public/verify/X", "GET, HEAD"),
    ):
        refused = await house.ask(method, path)
        assert code_of(refused) == (405, "METHOD_NOT_ALLOWED")
        assert refused.headers["allow"] == allowed


async def test_an_object_goes_only_where_its_state_leads(still: House) -> None:
    """The state and what is allowed in it are named, and the chain is as it was."""
    found = await still.register()
    still.counted.append(still.size())
    before = still.chain(found)
    refused = await still.report(found, "listed")
    assert code_of(refused) == (409, "INVALID_STATE")
    details = refused.json()["error"]["details"]
    assert details["state"] == "consigned"
    assert "cataloged" in details["allowed"]
    for event_type in ("sold", "registered", "passed", "invented"):
        assert code_of(await still.report(found, event_type)) == (400, "INVALID_FIELD")
    late = {"eventType": "exhibited", "actorRole": "museum", "timestamp": "2099-01-01T00:00:00Z"}
    for timestamp in ("2099-01-01T00:00:00Z", "yesterday", "2020-01-01", "0900-01-01T00:00:00Z"):
        answer = await still.post(
            f"objects/{found['id']}/provenance", {**late, "timestamp": timestamp}
        )
        assert code_of(answer) == (400, "INVALID_FIELD"), timestamp
    assert still.chain(found) == before


async def test_a_transfer_begins_only_where_it_may(house: House) -> None:
    """Not from somebody else, not twice, not for nonsense; a refusal sells nothing."""
    found = await house.register()
    stranger = await house.owner("Stranger")
    before = house.chain(found)
    refused = await house.begin(found, fromOwnerId=stranger)
    assert code_of(refused) == (409, "NOT_OWNER")
    for price in (-1, 1.005, "a lot", None, 10**20):
        assert (await house.begin(found, salePrice=price)).status_code == 400, price
    refused = await house.begin(found, saleCurrency="ZZZ")
    assert code_of(refused) == (400, "INVALID_FIELD")
    assert house.chain(found) == before
    begun = (await house.begin(found)).json()
    refused = await house.begin(found)
    assert code_of(refused) == (409, "TRANSFER_PENDING")
    assert refused.json()["error"]["details"] == {"transferId": begun["transferId"]}
    buyer = await house.owner("Buyer")
    assert code_of(await house.ask("DELETE", f"owners/{buyer}")) == (409, "TRANSFER_PENDING")


async def test_wrong_codes_are_counted_and_lock(still: House) -> None:
    """Four more, then none left, then locked; the chain does not move, and a new code opens."""
    found = await still.register()
    begun = (await still.begin(found)).json()
    still.counted.append(still.size())
    path = f"transfers/{begun['transferId']}/confirm"
    wrong = "000000" if begun["transferCode"] != "000000" else "000001"
    for left in (4, 3, 2, 1, 0):
        refused = await still.post(path, {"transferCode": wrong})
        assert code_of(refused) == (400, "INVALID_TRANSFER_CODE")
        error = refused.json()["error"]
        assert (error["attempts_left"], error["details"]) == (left, {"attempts_left": left})
    for code in (wrong, begun["transferCode"]):
        assert code_of(await still.post(path, {"transferCode": code})) == (410, "TRANSFER_LOCKED")
    assert (await still.post(f"transfers/{begun['transferId']}/reissue")).status_code == 200


async def test_a_code_that_came_too_late_is_expired(still: House) -> None:
    """After its time even the right code confirms nothing."""
    found = await still.register()
    begun = (await still.begin(found)).json()
    still.counted.append(still.size())
    still.clock.pass_(72 * 3600)
    path = f"transfers/{begun['transferId']}/confirm"
    refused = await still.post(path, {"transferCode": begun["transferCode"]})
    assert code_of(refused) == (410, "TRANSFER_EXPIRED")


# ── Photographs ──────────────────────────────────────────────────────────────────────────


async def test_a_photograph_is_sent_as_a_form(still: House) -> None:
    """Anything but one file and one angle is refused, and says what was missing."""
    found = await still.register()
    still.counted.append(still.size())
    path = f"objects/{found['id']}/photos"
    picture = ("it.jpg", b"bytes", "image/jpeg")
    for more, status, code in (
        ({"json": {"angle": "front"}}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ({"data": {"angle": "front"}}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ({"files": {"photo": picture}}, 400, "MISSING_REQUIRED_FIELD"),
        ({"files": {"angle": (None, "front")}}, 400, "MISSING_REQUIRED_FIELD"),
        (
            {"files": {"photo": ("it.jpg", b"")}, "data": {"angle": "front"}},
            400,
            "MISSING_REQUIRED_FIELD",
        ),
        ({"files": {"photo": picture, "angle": (None, "nose")}}, 400, "INVALID_FIELD"),
        ({"files": {"photo": picture, "angle": picture}}, 400, "INVALID_FIELD"),
        ({"files": [("photo", picture), ("photo", picture)]}, 400, "INVALID_FIELD"),
        ({"files": {"photo": picture, "more": (None, "x")}}, 400, "INVALID_FIELD"),
    ):
        refused = await still.ask("POST", path, **more)
        assert code_of(refused) == (status, code), more
    no_boundary = {"content-type": "multipart/form-data"}
    refused = await still.ask("POST", path, content=b"x", headers=no_boundary)
    assert code_of(refused) == (400, "INVALID_FIELD")


async def test_a_photograph_lies_in_no_temporary_file(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However large it is, it is on no disk before it is sealed."""

    def rolled(*_: object) -> None:
        raise AssertionError("a photograph on its way to a file")

    monkeypatch.setattr("tempfile.SpooledTemporaryFile.rollover", rolled)
    found = await house.register()
    answer = await house.photograph(found, "front", b"x" * 3_000_000)
    assert answer.status_code == 201, answer.text


async def test_what_is_wrong_with_a_picture_has_its_status(
    still: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the worker says of a picture is said in the contract's codes."""
    found = await still.register()
    still.counted.append(still.size())
    failures: list[tuple[Exception, int, str]] = [
        (BadPicture("too_large", "at most 25 MB"), 413, "PAYLOAD_TOO_LARGE"),
        (BadPicture("too_many_pixels", "at most 50 megapixels"), 413, "PAYLOAD_TOO_LARGE"),
        (BadPicture("unsupported", "JPEG, PNG or WebP"), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (BadPicture("several_frames", "one frame"), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (BadPicture("not_a_picture", "a whole picture"), 400, "INVALID_FIELD"),
        (BadPicture("too_small", "64 pixels"), 400, "INVALID_FIELD"),
        (PictureTooHard("it took too long"), 400, "INVALID_FIELD"),
        (WorkersBusy("16 wait"), 503, "UNAVAILABLE"),
        (MatchingUnavailable("no OpenCV"), 503, "MATCHING_UNAVAILABLE"),
    ]
    for failure, status, code in failures:

        async def fail(*_: object, failure: Exception = failure) -> None:
            raise failure

        monkeypatch.setattr(type(still.verifier.workers), "enrol", fail)
        assert code_of(await still.photograph(found, "front")) == (status, code), failure


async def test_what_is_too_large_is_not_read_to_its_end(
    still: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A length that says too much is refused at once, and so is a body that goes on and on."""
    still.counted.append(still.size())
    huge = b"x" * (calls.LARGEST_BODY + 1)
    refused = await still.ask("POST", "objects/register", content=huge)
    assert code_of(refused) == (413, "PAYLOAD_TOO_LARGE")
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while taken < 1_000:
            taken += 1
            yield bytes(64 * 1024)

    refused = await still.ask("POST", "objects/register", content=endless())
    assert code_of(refused) == (413, "PAYLOAD_TOO_LARGE")
    assert taken < 10
    monkeypatch.setattr(calls, "LARGEST_FORM", 1024)
    refused = await still.ask(
        "POST",
        "objects/obj_1/photos",
        files={"photo": ("it.jpg", bytes(2_000), "image/jpeg")},
        data={"angle": "front"},
    )
    assert code_of(refused) == (413, "PAYLOAD_TOO_LARGE")


async def test_a_body_that_does_not_come_is_not_waited_for(
    still: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stops in the middle of a body is answered."""
    still.counted.append(still.size())
    monkeypatch.setattr(calls, "BODY_WITHIN_S", 0.05)

    async def stalling() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(30)

    refused = await still.ask("POST", "objects/register", content=stalling())
    assert code_of(refused) == (408, "REQUEST_TIMEOUT")


# ── Tags ─────────────────────────────────────────────────────────────────────────────────

TAG = {
    "type": "ntag424",
    "uid": "04958CAA5C5E80",
    "file_key": "11" * 16,
    "meta_key": "22" * 16,
    "url_template": "https://id.example/01/09521234543213/21/X?e=00&c=00",
}


async def test_a_tag_is_bound_once(house: House) -> None:
    """Its keys are in no answer; a second tag, or the same on another object, is refused."""
    found, other = await house.register(), await house.register()
    bound = await house.post(f"objects/{found['id']}/tags", TAG)
    assert bound.status_code == 201
    assert bound.json() == {"tag_status": "bound", "serial": found["serial"]}
    before = house.size()
    for one in (found, other):
        refused = await house.post(f"objects/{one['id']}/tags", TAG)
        assert code_of(refused) == (409, "TAG_ALREADY_BOUND")
    whole = await house.get(f"objects/{found['id']}/provenance")
    assert "1111" not in whole.text
    assert house.size() == before


async def test_a_tag_that_cannot_be_read_is_refused(still: House) -> None:
    """The field is named, and nothing is bound."""
    found = await still.register()
    still.counted.append(still.size())
    for field, value in (
        ("type", "ntag213"),
        ("uid", "0495"),
        ("file_key", "11"),
        ("meta_key", "zz" * 16),
        ("url_template", "https://id.example/"),
    ):
        refused = await still.post(f"objects/{found['id']}/tags", {**TAG, field: value})
        assert code_of(refused) == (400, "INVALID_FIELD"), field
        assert refused.json()["error"]["details"][0]["field"] == field


# ── What nobody foresaw ──────────────────────────────────────────────────────────────────


async def test_a_fault_of_ours_tells_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever breaks inside is one code, and its words stay inside."""

    def broken(*_: object) -> None:
        raise RuntimeError("secret words")

    monkeypatch.setattr("verifier.registry.objects.load", broken)
    answer = await house.get("objects/obj_1")
    assert code_of(answer) == (500, "INTERNAL")
    assert "secret" not in answer.text


async def test_a_house_whose_books_are_gone_says_later(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that does not answer is 503 with a time to come back, on every call."""
    from gateway.books.store import BooksError

    def gone(*_: object, **__: object) -> None:
        raise BooksError("the disk is gone")

    monkeypatch.setattr("verifier.registry.objects.load", gone)
    monkeypatch.setattr("verifier.registry.verification.verify", gone)
    for path in ("objects/obj_1", "public/verify/AUC260218FKC5SKSEZ"):
        answer = await house.get(path)
        assert code_of(answer) == (503, "UNAVAILABLE")
        assert answer.headers["retry-after"] == "1"
        assert "disk" not in answer.text


def test_every_code_has_a_status_and_a_sentence() -> None:
    """The conflicts are the contract's, and a tag that is bound already."""
    assert {code for code, known in CATALOGUE.items() if known.status == 409} == {
        *("INVALID_STATE", "BINDING_REQUIRED", "DUPLICATE_SERIAL", "TAG_ALREADY_BOUND"),
        *("NOT_OWNER", "TRANSFER_PENDING"),
    }
    assert all(known.sentence.endswith(".") for known in CATALOGUE.values())
