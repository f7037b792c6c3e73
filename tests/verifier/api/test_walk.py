"""The seed's own walk through the API, call by call, with the types of all that is answered."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.verifier.api.house import BASE, House, code_of
from verifier.core import bundle, notes
from verifier.core.objects import REQUIRED_ANGLES

SECOND = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
DAY = r"\d{4}-\d\d-\d\dT00:00:00Z"
HASH = r"[0-9a-f]{64}"

# What an answer must look like: a type, a pattern of a text, a dict with exactly these names,
# or a list of one form.
OBJECT: Any = {
    "id": r"obj_[a-z0-9]{16}",
    "optropic_serial": r"AUC\d{6}[0-9A-Z]{9}",
    "serial": r"AUC\d{6}[0-9A-Z]{9}",
    "title": str,
    "category": str,
    "status": str,
    "security_tier": str,
    "anchor_count": int,
    "required_angles": [str],
    "entropy_bits": int,
    "entropy_basis": r"code_length",
    "entropy_bits_effective": int,
    "owner_id": r"own_[a-z0-9]{16}",
    "registered_at": SECOND,
    "updated_at": SECOND,
    "photo_status": {"count": int, "required": int, "missing": [str], "binding_status": str},
}
LABEL: Any = {
    "gs1DigitalLink": r"https://id\.example/01/09521234543213/21/AUC\w{15}"
    r"\?kid=[\w-]{8}&sig=[\w-]{86}",
    "serial": str,
}
EVENT: Any = {
    "id": r"evt_[a-z0-9]{20}",
    "type": str,
    "seq": int,
    "hash": HASH,
    "previous_hash": HASH,
    "timestamp": SECOND,
}


def looks_like(found: Any, form: Any, at: str = "$") -> None:
    """Fails where the answer has another form."""
    if isinstance(form, dict):
        assert isinstance(found, dict), f"{at}: {found}"
        assert set(found) == set(form), f"{at}: {found}"
        for name, inner in form.items():
            looks_like(found[name], inner, f"{at}.{name}")
    elif isinstance(form, list):
        assert isinstance(found, list), f"{at}: {found}"
        for one in found:
            looks_like(one, form[0], f"{at}[]")
    elif isinstance(form, str):
        assert isinstance(found, str), f"{at}: {found!r}"
        assert re.fullmatch(form, found), f"{at}: {found!r}"
    else:
        assert type(found) is form, f"{at}: {found!r}"


async def test_the_whole_life_of_an_object(on_either: House) -> None:
    """Registered, photographed, catalogued, listed, verified, passed on, and in the dashboard."""
    house = on_either
    said = {
        "title": "Chronograph Ref. 2915",
        "category": "watch",
        "description": "Steel, 1958, on a leather strap.",
        "estimated_value": {"min": 30_000, "max": 50_000.5, "currency": "EUR"},
        "owner": {"name": "Konstantin Signor", "email": "k@example.test", "external_id": "crm-1"},
        "attributes": {"materials": ["steel"], "diameter_mm": 38.5},
    }
    answer = await house.post("objects/register", said)
    assert answer.status_code == 201
    looks_like(answer.json(), {"object": OBJECT, "qr_data": LABEL})
    found = answer.json()["object"]
    assert (found["status"], found["category"]) == ("consigned", "watch")
    assert (found["security_tier"], found["anchor_count"]) == ("enhanced", 11)
    assert (found["entropy_bits"], found["entropy_bits_effective"]) == (1650, 140)
    assert answer.json()["qr_data"]["serial"] == found["serial"] == found["optropic_serial"]

    # Not listed before it is bound.
    assert (await house.report(found, "cataloged", catalogNumber="214")).status_code == 201
    refused = await house.report(found, "listed", lotNumber="14")
    assert code_of(refused) == (409, "BINDING_REQUIRED")

    for count, angle in enumerate(REQUIRED_ANGLES["watch"], start=1):
        answer = await house.photograph(found, angle)
        assert answer.status_code == 201, answer.text
        body = answer.json()
        assert body["photo"]["angle"] == angle
        assert body["photo"]["anchors_found"] == 11
        assert body["photo_status"]["count"] == count
    assert body["photo_status"] == {
        "count": 4,
        "required": 4,
        "missing": [],
        "binding_status": "bound",
    }
    answer = await house.report(found, "listed", lotNumber="14", auctionId="auction_1")
    assert answer.status_code == 201
    looks_like(answer.json(), {"event": EVENT})

    answer = await house.get(f"public/verify/{found['serial']}", key="missing")
    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "authentic"
    assert body["confidence"] <= 0.9
    assert body["assurance"] == "record"
    assert body["cryptographic_identity"] == {
        "signature_valid": True,
        "photo_binding": "valid",
        "tag_status": "not_bound",
    }
    assert body["provenance"]["latest_event"] == "listed"
    assert body["provenance"]["chain_intact"] is True
    assert body["security"]["tier_label"] == "Reference Grade"

    begun = await house.begin(found)
    assert begun.status_code == 201
    looks_like(
        begun.json(),
        {
            "transferId": r"trf_[a-z0-9]{16}",
            "transferCode": r"\d{6}",
            "expiresAt": SECOND,
            "status": "pending",
        },
    )
    path = f"transfers/{begun.json()['transferId']}"
    done = await house.post(f"{path}/confirm", {"transferCode": begun.json()["transferCode"]})
    assert done.status_code == 200
    looks_like(
        done.json(),
        {"status": "confirmed", "object": OBJECT, "event": {**EVENT, "timestamp": DAY}},
    )
    assert done.json()["object"]["status"] == "transferred"
    assert done.json()["object"]["owner_id"] != found["owner_id"]
    again = await house.post(f"{path}/confirm", {"transferCode": begun.json()["transferCode"]})
    assert again.json()["event"] == done.json()["event"]

    answer = await house.get(f"objects/{found['serial']}/provenance")
    body = answer.json()
    looks_like(body["object"], {"serial": str, "title": str})
    assert body["chain_valid"] is True
    types = [event["type"] for event in body["events"]]
    photographed = ["photographed"] * 4 + ["binding_completed"]
    assert types == [
        *("registered", "cataloged", *photographed, "listed", "sold", "transferred"),
    ]
    assert body["chain_of_custody"] == [
        {"from": "Consignor", "to": "House", "transfer_type": "registration"},
        {"from": "House", "to": "Buyer", "transfer_type": "sale"},
    ]

    answer = await house.get("dashboard/objects", params={"status": "transferred", "limit": "1"})
    body = answer.json()
    looks_like(body, {"objects": [OBJECT], "pagination": dict})
    assert [one["serial"] for one in body["objects"]] == [found["serial"]]
    assert body["pagination"] == {"limit": 1, "next_cursor": None, "total": 1}


async def test_an_object_is_read_with_all_that_is_private(house: House) -> None:
    """What was said at the registration is read again with a key, amounts exact."""
    said = {
        "description": "Steel",
        "estimated_value": {"min": "30000.10", "max": 50000, "currency": "EUR"},
        "attributes": {"diameter_mm": 38.5, "parts": [1, "two"]},
    }
    found = await house.register(**said)
    for name in (found["serial"], found["id"], found["serial"].lower()):
        answer = await house.get(f"objects/{name}")
        whole = answer.json()
        looks_like(
            {key: whole[key] for key in OBJECT},
            OBJECT,
        )
        assert whole["description"] == "Steel"
        assert whole["estimated_value"] == {"min": 30000.1, "max": 50000.0, "currency": "EUR"}
        assert '"min":30000.10' in answer.text
        assert whole["attributes"] == said["attributes"]
        looks_like(whole["qr_data"], LABEL)


async def test_the_public_reads_roles_and_days_alone(house: House) -> None:
    """Neither a name nor a private price, nor when exactly it changed hands, leaves the house."""
    found = await house.bound(
        owner={"name": "Konstantin Signor", "email": "k@example.test"}, description="secret words"
    )
    await house.report(found, "cataloged", catalogNumber="214", conditionNote="a scratch")
    begun = (await house.begin(found)).json()
    path = f"transfers/{begun['transferId']}/confirm"
    await house.post(path, {"transferCode": begun["transferCode"]})
    public = await house.get(f"objects/{found['serial']}/provenance", key="missing")
    # Hashes have any digits in them.
    text = re.sub("[0-9a-f]{64}", "", public.text)
    for secret in (
        "Konstantin",
        "example.test",
        "secret words",
        "scratch",
        "44000",
        "own_",
        "obj_",
    ):
        assert secret not in text, secret
    events = {event["type"]: event for event in public.json()["events"]}
    assert events["cataloged"]["details"] == {"catalogNumber": "214"}
    assert events["cataloged"]["actor"] == {"type": "House", "name": "The house"}
    assert events["transferred"]["actor"] == {"type": "Buyer", "name": "Buyer"}
    for name in ("sold", "registered", "photographed", "binding_completed"):
        assert events[name]["details"] == {}, name
    for name in ("sold", "transferred"):
        assert re.fullmatch(DAY, events[name]["timestamp"])

    keyed = await house.get(f"objects/{found['serial']}/provenance")
    events = {event["type"]: event for event in keyed.json()["events"]}
    assert events["cataloged"]["details"]["conditionNote"] == "a scratch"
    assert events["sold"]["details"]["salePrice"] == 44_000
    assert events["registered"]["details"]["description"] == "secret words"


async def test_a_key_sees_the_objects_of_its_mode_alone(house: House) -> None:
    """A live key finds no test object, by whatever name and in no list."""
    found = await house.register()
    for name in (found["serial"], found["id"]):
        assert code_of(await house.get(f"objects/{name}", mode="live")) == (404, "OBJECT_NOT_FOUND")
        answer = await house.get(f"objects/{name}/provenance", mode="live")
        assert code_of(answer) == (404, "OBJECT_NOT_FOUND")
    answer = await house.get("dashboard/objects", mode="live")
    assert answer.json()["objects"] == []


async def test_the_dashboard_goes_page_by_page(house: House) -> None:
    """Each object comes once, the newest first, whatever was registered in one instant."""
    made = [(await house.register(title=f"Object {n}"))["serial"] for n in range(5)]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await house.get("dashboard/objects", params={"limit": "2", **cursor})
        body = answer.json()
        assert body["pagination"]["total"] == 5
        seen += [one["serial"] for one in body["objects"]]
        if body["pagination"]["next_cursor"] is None:
            break
        cursor = {"cursor": body["pagination"]["next_cursor"]}
    assert sorted(seen) == sorted(made)
    assert len(seen) == 5
    found = await house.get("dashboard/objects", params={"q": "object 3"})
    assert [one["title"] for one in found.json()["objects"]] == ["Object 3"]
    none = await house.get("dashboard/objects", params={"category": "watch"})
    assert none.json()["objects"] == []
    blank = await house.get("dashboard/objects?status=consigned&category=&q=&limit=20&cursor=")
    assert len(blank.json()["objects"]) == 5


@pytest.mark.parametrize(("name", "begins"), [("qr.svg", b"<?xml"), ("qr.png", b"\x89PNG")])
async def test_the_label_is_printed(house: House, name: str, begins: bytes) -> None:
    """The signed link is given as a QR code, the same one each time."""
    found = await house.register()
    first = await house.get(f"objects/{found['serial']}/{name}")
    again = await house.get(f"objects/{found['id']}/{name}")
    assert first.content.startswith(begins)
    assert first.content == again.content


async def test_a_foreign_serial_stays_a_name_of_the_object(house: House) -> None:
    """An imported serial that no link can carry gets a fresh one for it, and finds the object."""
    found = await house.register(serial="AUC-20260218-DAYT0001")
    assert found["serial"] == "AUC-20260218-DAYT0001"
    whole = (await house.get(f"objects/{found['id']}")).json()
    link = whole["qr_data"]["gs1DigitalLink"]
    fresh = re.search(r"/21/(AUC\d{6}\w{9})\?", link)
    assert fresh is not None
    for typed in ("AUC-20260218-DAYT0001", "auc20260218dayt0001", fresh[1]):
        answer = await house.get(f"public/verify/{typed}", key="missing")
        assert answer.status_code == 200, typed
        assert answer.json()["object"]["serial"] == "AUC-20260218-DAYT0001"
    refused = await house.post(
        "objects/register",
        {"title": "Another", "category": "other", "serial": "auc 20260218 dayt0001"},
    )
    assert code_of(refused) == (409, "DUPLICATE_SERIAL")


async def test_provenance_is_reported_by_either_path(house: House) -> None:
    """The path that names the object in the body writes the same event."""
    found = await house.register()
    said = {"objectId": found["id"], "eventType": "cataloged", "actorRole": "specialist"}
    answer = await house.post("provenance", said)
    assert answer.status_code == 201
    looks_like(answer.json(), {"event": EVENT})
    said = {
        "eventType": "exhibited",
        "actorRole": "museum",
        "timestamp": "1998-05-04T10:00:00+02:00",
    }
    answer = await house.post(f"objects/{found['serial']}/provenance", said)
    assert answer.json()["event"]["timestamp"] == "1998-05-04T08:00:00Z"
    assert answer.json()["event"]["seq"] == 2


async def test_a_proof_is_given_to_anybody(house: House) -> None:
    """It holds with the key of the log, and names no person."""
    found = await house.bound(owner={"name": "Konstantin Signor"})
    answer = await house.get(f"objects/{found['serial']}/proof", key="missing")
    assert answer.status_code == 200
    assert "Konstantin" not in answer.text
    lines = (await house.get("/log/vkeys", key="missing")).text.splitlines()
    report = bundle.check(answer.content, [notes.read_vkey(line) for line in lines])
    assert (report.verdict, report.serial) == ("authentic", found["serial"]), report.words


async def test_a_person_is_the_same_by_either_name(house: House) -> None:
    """Who is known by external id or e-mail keeps the id; who is erased is nobody any more."""
    said = {"name": "Berta", "email": "berta@example.test", "external_id": "crm-7"}
    first = (await house.post("owners", said)).json()["owner_id"]
    for again in ({"external_id": "crm-7"}, {"email": "Berta@Example.test", "name": "B."}):
        assert (await house.post("owners", again)).json() == {"owner_id": first}
    gone = await house.ask("DELETE", f"owners/{first}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert code_of(await house.ask("DELETE", f"owners/{first}")) == (404, "OWNER_NOT_FOUND")
    assert (await house.post("owners", {"external_id": "crm-7"})).json()["owner_id"] != first


async def test_a_transfer_is_read_cancelled_and_issued_anew(house: House) -> None:
    """A new code voids the one before, and a cancelled transfer takes none."""
    found = await house.register()
    begun = (await house.begin(found, salePrice="44000.50")).json()
    path = f"transfers/{begun['transferId']}"
    read = (await house.get(path)).json()
    assert read["salePrice"] == 44000.5
    assert (read["attempts_left"], read["status"]) == (5, "pending")
    second = (await house.post(f"{path}/reissue")).json()
    if second["transferCode"] != begun["transferCode"]:
        refused = await house.post(f"{path}/confirm", {"transferCode": begun["transferCode"]})
        assert code_of(refused) == (400, "INVALID_TRANSFER_CODE")
    assert (await house.post(f"{path}/cancel")).json()["status"] == "cancelled"
    refused = await house.post(f"{path}/confirm", {"transferCode": second["transferCode"]})
    assert code_of(refused) == (409, "INVALID_STATE")


async def test_every_answer_carries_its_headers(house: House) -> None:
    """An id of its own and the rate, on successes and errors alike."""
    for path in ("/log/checkpoint", f"{BASE}/public/verify/NONE", f"{BASE}/nothing"):
        answer = await house.get(path, key="missing")
        for name in ("x-request-id", "x-ratelimit-limit", "x-ratelimit-remaining"):
            assert answer.headers[name], (path, name)
        assert answer.headers["x-ratelimit-reset"].isdigit()
        assert answer.headers["x-ratelimit-window"].isdigit()
