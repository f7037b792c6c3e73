"""What the public asks: counted, kept for two seconds, and refused to whoever tries serials."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import select

from gateway.books.store import reading
from tests.verifier.api.house import House, Json, Reader, code_of
from tests.verifier.software_tag import SoftwareTag
from verifier.photographs.jobs import Enrolled
from verifier.registry import happenings, verification
from verifier.registry.verification import Answer
from verifier.tables import scans

UNKNOWN = [f"NOTHING{number}" for number in range(40)]


async def verify(house: House, serial: str, **more: Any) -> Any:
    return await house.get(f"public/verify/{serial}", **{"key": "missing", **more})


def seen(house: House) -> Counter[tuple[str, str]]:
    """What was counted, after it was written: by kind and outcome."""
    house.verifier.scans.write(house.clock.now_ms())
    with reading(house.verifier.store.engine) as connection:
        rows = connection.execute(select(scans)).all()
        return Counter((row.kind, row.outcome) for row in rows for _ in range(row.times))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The serials that the registry was asked for."""
    found: list[str] = []
    real = verification.verify

    def spy(store: Any, serial: str, *args: Any, **more: Any) -> Answer:
        found.append(serial)
        return real(store, serial, *args, **more)

    monkeypatch.setattr(verification, "verify", spy)
    return found


# ── Kept answers ─────────────────────────────────────────────────────────────────────────


async def test_many_questions_are_answered_by_one_look(house: House, asked: list[str]) -> None:
    """However it is typed, and all at once: one look, one answer, and each of them a scan."""
    found = await house.register()
    serial = found["serial"]
    typed = [serial, serial.lower(), f"{serial[:3]}-{serial[3:9]}-{serial[9:]}"] * 20
    answers = await asyncio.gather(*(verify(house, one) for one in typed))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert len(asked) == 1
    assert seen(house) == {("qr", ""): 60}


async def test_an_answer_is_at_most_two_seconds_old(house: House, asked: list[str]) -> None:
    """After two seconds the registry is asked anew."""
    found = await house.register()
    for seconds, looks in ((0, 1), (1.9, 1), (0.2, 2)):
        house.clock.pass_(seconds)
        await verify(house, found["serial"])
        assert len(asked) == looks, seconds


async def test_what_is_written_shows_at_once(house: House) -> None:
    """Nobody is told of a state that the house has just left."""
    found = await house.register()
    before = (await verify(house, found["serial"])).json()
    await house.report(found, "cataloged")
    after = (await verify(house, found["serial"])).json()
    assert before["provenance"]["latest_event"] == "registered"
    assert after["provenance"]["latest_event"] == "cataloged"


async def test_a_look_that_was_overtaken_is_not_kept(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was being found out while something was written is forgotten with the rest."""
    found = await house.register()
    begun, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    work = verification.verify

    def slow(*args: Any, **more: Any) -> Answer:
        answer = work(*args, **more)
        loop.call_soon_threadsafe(begun.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(30)
        return answer

    monkeypatch.setattr(verification, "verify", slow)
    early = asyncio.create_task(verify(house, found["serial"]))
    await begun.wait()
    await house.report(found, "cataloged")
    monkeypatch.setattr(verification, "verify", work)
    go_on.set()
    assert (await early).json()["provenance"]["latest_event"] == "registered"
    late = await verify(house, found["serial"])
    assert late.json()["provenance"]["latest_event"] == "cataloged"


async def test_a_failure_is_not_kept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one asks again."""
    found = await house.register()

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("once")

    with monkeypatch.context() as patched:
        patched.setattr(verification, "verify", broken)
        assert (await verify(house, found["serial"])).status_code == 500
    assert (await verify(house, found["serial"])).status_code == 200


async def test_head_is_no_scan(house: House) -> None:
    """A program that looks ahead is answered like anybody, and counted nowhere."""
    found = await house.register()
    answer = await house.ask("HEAD", f"public/verify/{found['serial']}", key="missing")
    assert answer.status_code == 200
    assert seen(house) == {}


# ── Serials that do not exist ────────────────────────────────────────────────────────────


async def test_an_unknown_serial_is_told_from_a_mistyped_one(house: House) -> None:
    """Both are unknown; where the check character is wrong the hint says to look again."""
    for serial, said in (
        ("AUC260218FKC5SKSEZ", {"status": "unknown"}),
        ("AUC260218FKC5SKSEY", {"status": "unknown", "hint": "check the code"}),
        ("no-such-thing", {"status": "unknown", "hint": "check the code"}),
        ("%F0%9F%8E%BA", {"status": "unknown", "hint": "check the code"}),
        ("x" * 500, {"status": "unknown", "hint": "check the code"}),
    ):
        answer = await verify(house, serial)
        assert (answer.status_code, answer.json()) == (404, said), serial


async def test_whoever_tries_serials_is_told_nothing(limited: House) -> None:
    """After ten unknown ones none is answered, for those that exist would stand out."""
    found = await limited.register()
    paths = ("public/verify/{}", "objects/{}/provenance")
    for number in range(10):
        path = paths[number % 2].format(UNKNOWN[number])
        assert (await limited.get(path, key="missing")).status_code == 404
    for serial in (UNKNOWN[11], found["serial"]):
        for path in paths:
            refused = await limited.get(path.format(serial), key="missing")
            assert code_of(refused) == (429, "RATE_LIMITED"), path
            assert int(refused.headers["retry-after"]) > 0
    # Somebody else is not concerned, nor is the house, and it passes.
    assert (await verify(limited, found["serial"], address="198.51.100.9")).status_code == 200
    assert (await limited.get(f"public/verify/{found['serial']}")).status_code == 200
    limited.clock.pass_(61)
    assert (await verify(limited, found["serial"])).status_code == 200
    assert (await verify(limited, UNKNOWN[12])).status_code == 404
    assert (await verify(limited, UNKNOWN[13])).status_code == 429


async def test_known_serials_are_not_counted_as_tries(limited: House) -> None:
    """A visitor may look at a whole sale."""
    found = await limited.register()
    for _ in range(30):
        assert (await verify(limited, found["serial"])).status_code == 200


# ── Rates ────────────────────────────────────────────────────────────────────────────────


async def test_an_address_has_its_rate(limited: House) -> None:
    """A hundred at once and fifty a second; the headers say so, and 429 says when to come back."""
    found = await limited.register()
    for left in range(99, -1, -1):
        answer = await verify(limited, found["serial"])
        assert answer.status_code == 200
        assert int(answer.headers["x-ratelimit-remaining"]) == left
    assert answer.headers["x-ratelimit-limit"] == "100"
    assert answer.headers["x-ratelimit-window"] == "2"
    reset = int(answer.headers["x-ratelimit-reset"])
    assert 0 < reset - limited.clock.now_ms() // 1000 <= 3
    refused = await verify(limited, found["serial"])
    assert code_of(refused) == (429, "RATE_LIMITED")
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert (await verify(limited, found["serial"], address="198.51.100.9")).status_code == 200
    # An ended key is no key: it does not get around the address's rate.
    assert (await limited.get("dashboard/objects", key="expired")).status_code == 429
    assert (await limited.get("dashboard/objects")).status_code == 200
    limited.clock.pass_(1)
    assert (await verify(limited, found["serial"])).status_code == 200


async def test_a_key_has_the_rate_that_the_gateway_counted(house: House) -> None:
    """What the gateway says of it stands in the headers, and stops the call."""
    rate: Json = {"limit": 400, "remaining": 7, "reset": 1767225600, "window": 2, "retry_after": 0}
    answer = await house.get("dashboard/objects", rate=rate)
    assert answer.status_code == 200
    names = ("limit", "remaining", "reset", "window")
    shown = {name: int(answer.headers[f"x-ratelimit-{name}"]) for name in names}
    assert shown == {name: rate[name] for name in names}
    refused = await house.get("dashboard/objects", rate={**rate, "retry_after": 1.2})
    assert code_of(refused) == (429, "RATE_LIMITED")
    assert refused.headers["retry-after"] == "2"
    assert refused.headers["x-ratelimit-limit"] == "400"


# ── Tags ─────────────────────────────────────────────────────────────────────────────────


async def tagged(house: House) -> tuple[Json, SoftwareTag]:
    found = await house.bound()
    tag = SoftwareTag()
    said = {
        "type": "ntag424",
        "uid": tag.uid,
        "file_key": tag.file_key.hex(),
        "meta_key": tag.meta_key.hex(),
        "url_template": tag.url_template,
    }
    answer = await house.post(f"objects/{found['id']}/tags", said)
    assert answer.status_code == 201, answer.text
    return found, tag


def tag_status(answer: Any) -> str:
    return str(answer.json()["cryptographic_identity"]["tag_status"])


async def test_a_tap_counts_once(house: House) -> None:
    """Fresh it is verified; loaded again at once it is the same; later, or elsewhere, replayed."""
    found, tag = await tagged(house)
    assert tag_status(await verify(house, found["serial"])) == "not_presented"
    tap = tag.parameters()
    answer = await verify(house, found["serial"], params=tap)
    assert tag_status(answer) == "verified"
    assert answer.json()["assurance"] == "object"
    assert answer.headers["cache-control"] == "no-store"
    assert tag_status(await verify(house, found["serial"], params=tap)) == "verified"
    elsewhere = await verify(house, found["serial"], params=tap, address="198.51.100.9")
    assert tag_status(elsewhere) == "replayed"
    house.clock.pass_(61)
    assert tag_status(await verify(house, found["serial"], params=tap)) == "replayed"
    wrong = {**tag.parameters(), "c": "00" * 8}
    assert tag_status(await verify(house, found["serial"], params=wrong)) == "invalid"


async def test_head_uses_no_tap_up(house: House) -> None:
    """A messenger that looks at a link before its reader does not spend it."""
    found, tag = await tagged(house)
    tap = tag.parameters()
    path, messenger = f"public/verify/{found['serial']}", "198.51.100.9"
    looked = await house.ask("HEAD", path, key="missing", params=tap, address=messenger)
    assert looked.status_code == 200
    assert tag_status(await verify(house, found["serial"], params=tap)) == "verified"
    assert seen(house) == {("nfc", "verified"): 1}


async def test_what_a_label_carries_is_no_tap(house: House, asked: list[str]) -> None:
    """The label's signature, or a campaign's name, does not make a tag lie."""
    found, _ = await tagged(house)
    for params in ({"kid": "abc", "sig": "x"}, {"utm_source": "catalogue"}):
        answer = await verify(house, found["serial"], params=params)
        assert tag_status(answer) == "not_presented"
    assert len(asked) == 1


# ── Photographs ──────────────────────────────────────────────────────────────────────────


async def compare(house: House, serial: str, **more: Any) -> Any:
    return await house.ask(
        "POST",
        f"public/verify/{serial}/photo",
        files={"photo": ("it.jpg", b"bytes", "image/jpeg")},
        **{"key": "missing", **more},
    )


async def test_a_fresh_photograph_is_compared(house: House) -> None:
    """The verdict comes with what it means; it is a scan, and webhooks are told."""
    found = await house.bound()
    answer = await compare(house, found["serial"])
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) == {"match", "inliers", "anchors_found", "angle", "meaning"}
    assert (body["match"], body["inliers"], body["anchors_found"]) == ("match_strong", 40, 9)
    assert body["angle"] in ("front", "back")
    assert "twin" in body["meaning"]
    assert seen(house) == {("photo", ""): 1}
    told = happenings.after(house.verifier.store, 0, 10)
    assert [one["type"] for one in told] == ["verification.completed"]


async def test_there_must_be_something_to_compare_with(house: House) -> None:
    """Without photographs of the record, or of that angle, the answer says so."""
    found = await house.register()
    assert code_of(await compare(house, found["serial"])) == (409, "BINDING_REQUIRED")
    refused = await compare(house, found["serial"], data={"angle": "front"})
    assert code_of(refused) == (400, "INVALID_FIELD")
    assert code_of(await compare(house, "NOTHING")) == (404, "OBJECT_NOT_FOUND")


async def test_without_opencv_matching_says_that_it_is_off(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Photographs that were taken in without it bind the record, and nothing can be compared
    with them: with whatever angle, and on the page too."""

    async def blind(photo: bytes, anchors: int, others: Any = ()) -> Enrolled:
        return structs.replace(await Reader().enrol(photo, anchors, others), binding=None)

    monkeypatch.setattr(house.verifier.workers, "enrol", blind)
    found = await house.bound()
    for more in ({}, {"data": {"angle": "front"}}):
        answer = await compare(house, found["serial"], **more)
        assert code_of(answer) == (503, "MATCHING_UNAVAILABLE")
    public = await house.get(f"public/verify/{found['serial']}", key="missing")
    assert public.json()["cryptographic_identity"]["photo_binding"] == "valid"


async def test_a_refusal_tells_of_the_limit_that_it_is_by(limited: House) -> None:
    """Of the ten unknown serials, not of the hundred requests."""
    for number in range(11):
        answer = await limited.get(f"public/verify/NOTHING{number}", key="missing")
    assert code_of(answer) == (429, "RATE_LIMITED")
    assert (answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]) == (
        "10",
        "0",
    )
    assert answer.headers["x-ratelimit-window"] == "600"


async def test_photographs_are_compared_so_many_times(limited: House) -> None:
    """Sixty in ten minutes an address, for each is a second of computing."""
    found = await limited.bound()
    for _ in range(60):
        limited.clock.pass_(0.01)
        assert (await compare(limited, found["serial"])).status_code == 200
    assert code_of(await compare(limited, found["serial"])) == (429, "RATE_LIMITED")
    assert (await compare(limited, found["serial"], address="198.51.100.9")).status_code == 200
    limited.clock.pass_(10)
    assert (await compare(limited, found["serial"])).status_code == 200


async def test_the_public_does_not_stand_in_the_houses_way(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the worker is busy, two photographs of an address wait, and six of all; the house's
    own go past that, and whoever gave up leaves their place."""
    found = await house.bound()
    free = asyncio.Event()
    real = house.verifier.workers.match

    async def slow(photo: bytes, templates: Any) -> Any:
        await free.wait()
        return await real(photo, templates)

    monkeypatch.setattr(house.verifier.workers, "match", slow)

    def send(address: str, **more: Any) -> asyncio.Task[Any]:
        return asyncio.create_task(compare(house, found["serial"], address=address, **more))

    waiting = [send(f"198.51.100.{n // 2}") for n in range(6)]
    while house.verifier.comparing.total() < 6:
        await asyncio.sleep(0)
    refused = await compare(house, found["serial"], address="198.51.100.99")
    assert code_of(refused) == (503, "UNAVAILABLE")
    own = send("198.51.100.0", key=["provenance:read"])
    waiting.pop().cancel()
    while house.verifier.comparing.total() > 5:
        await asyncio.sleep(0)
    refused = await compare(house, found["serial"], address="198.51.100.0")
    assert code_of(refused) == (503, "UNAVAILABLE")
    free.set()
    answers = await asyncio.gather(own, *waiting)
    assert {answer.status_code for answer in answers} == {200}
    assert not house.verifier.comparing


# ── Resolving ────────────────────────────────────────────────────────────────────────────


async def test_a_label_leads_to_its_page(house: House) -> None:
    """By either key and in any order of qualifiers, and a tag's message goes along."""
    found = await house.register()
    serial = found["serial"]
    for path, location in (
        (f"/01/09521234543213/21/{serial}", f"/verify/{serial}"),
        (f"/01/09521234543213/10/watch/21/{serial}?kid=a&sig=b", f"/verify/{serial}?kid=a&sig=b"),
        (f"/01/0952123454321/21/{serial}/10/watch?e=1&c=2", f"/verify/{serial}?e=1&c=2"),
        ("/01/09521234543213/21/A%2FB", "/verify/A%2FB"),
        ("/8004/0952ABC", "/verify/0952ABC"),
        (f"/01/09521234543213/21/{serial}?linkType=gs1:pip", f"/verify/{serial}"),
        (
            f"/01/09521234543213/21/{serial}?linkType=gs1:traceability",
            f"/api/v1/auction/objects/{serial}/provenance",
        ),
        (
            f"/01/09521234543213/21/{serial}?linkType=gs1%3AcertificationInfo",
            f"/api/v1/auction/objects/{serial}/proof",
        ),
    ):
        answer = await house.get(path, key="missing")
        assert answer.status_code == 307, path
        assert answer.headers["location"] == location
    for path in ("/01/09521234543213", "/01/09521234543213/10/watch", "/01/1/21/X?linkType=gs1:x"):
        assert (await house.get(path, key="missing")).status_code == 404, path


async def test_a_label_has_a_linkset(house: House) -> None:
    """Asked for by parameter or by media type, and of objects that exist alone."""
    found = await house.register()
    path = f"/01/09521234543213/21/{found['serial']}"
    whole = (await house.get(f"objects/{found['id']}")).json()
    for more in (
        {"params": {"linkType": "linkset"}},
        {"params": {"linkType": "all"}},
        {"headers": {"accept": "application/linkset+json"}},
    ):
        answer = await house.get(path, key="missing", **more)
        assert answer.headers["content-type"] == "application/linkset+json"
        [links] = answer.json()["linkset"]
        assert whole["qr_data"]["gs1DigitalLink"].startswith(links["anchor"] + "?")
        assert links["https://ref.gs1.org/voc/traceability"][0]["href"].startswith("https://id.")
    unknown = await house.get("/01/09521234543213/21/NOTHING?linkType=linkset", key="missing")
    assert code_of(unknown) == (404, "OBJECT_NOT_FOUND")
    described = await house.get("/.well-known/gs1resolver", key="missing")
    assert described.json()["resolverRoot"] == "https://id.example"


async def test_a_made_up_message_costs_no_more_than_none(
    house: House, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever adds a parameter gets around no kept answer, and keeps nobody from writing."""
    found, tag = await tagged(house)
    looks: list[str] = []
    real = verification.verify_as_heard

    def spy(store: Any, serial: str, *args: Any, **more: Any) -> Answer:
        looks.append(serial)
        return real(store, serial, *args, **more)

    monkeypatch.setattr(verification, "verify_as_heard", spy)
    taken: list[object] = []
    monkeypatch.setattr("verifier.registry.tags.take", lambda *args: taken.append(args))
    for number in range(20):
        made_up = {"e": f"{number:032X}", "c": f"{number:016X}"}
        answer = await verify(house, found["serial"], params=made_up)
        assert tag_status(answer) == "invalid"
    assert len(looks) == 1
    assert not taken
    assert asked == []
    assert seen(house) == {("nfc", "invalid"): 20}
    assert tag.counter == 0
