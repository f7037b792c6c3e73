"""Objects and the sales that they are sold in: one house, from registration to title."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gateway.keys import random_name
from tests.integration.desk import Desk, until_true
from tests.integration.open_house import House, Json
from tests.integration.registrar import Registrar, error_of, picture, said
from verifier.api.routes import CALLS
from verifier.core import serials

SETTINGS = {"KEY_RATE": "0", "HTTP_RATE": "0", "BID_RATE": "0", "VERIFY_RATE": "0"}
OPENS = "2026-01-01T00:00:00Z"  # long ago: at once


@pytest.fixture
def desk(house: House) -> Desk:
    return Desk.of(house)


@pytest.fixture
def registrar(house: House) -> Registrar:
    return Registrar.of(house)


def verified(house: House, serial: str) -> Json:
    """What the public is told, without a key."""
    answer = house.web.get(f"/api/v1/auction/public/verify/{serial}")
    return said(answer, 200)


def put_up(desk: Desk, found: Json, **more: Any) -> Any:
    """A lot with this object that opens at once."""
    body = {
        "sequenceId": desk.sale(),
        "name": found["title"],
        "startingBid": 100,
        "minimumIncrement": 10,
        "settleAt": "2031-01-02T10:00:00Z",
        "openAt": OPENS,
        "closeAt": "2031-01-01T10:00:00Z",
        "lotNumber": "12A",
        "serial": found["serial"],
        **more,
    }
    return desk.ask("POST", "auctions", body)


def test_the_walk_of_an_object_call_by_call(house: House, registrar: Registrar) -> None:
    """Registered, photographed, catalogued, refused as long as it is not bound, listed,
    verified, passed on, and its custody told."""
    body = {
        "title": "Chronograph, reference 116500",
        "category": "watch",
        "description": "Steel, black dial.",
        "estimated_value": {"min": 20000, "max": 30000, "currency": "EUR"},
        "owner": {"name": "Konrad Signor", "email": "konrad@example.test", "external_id": "c-1"},
        "attributes": {"materials": "steel", "maker": "unknown"},
        "security_tier": "enhanced",
    }
    answer = registrar.post("/objects/register", body)
    found, label = answer["object"], answer["qr_data"]
    assert serials.is_ours(found["serial"])
    assert found["optropic_serial"] == found["serial"] == label["serial"]
    assert (found["status"], found["anchor_count"], found["entropy_bits"]) == (
        "consigned",
        11,
        1650,
    )
    assert found["entropy_bits_effective"] == 140
    assert label["gs1DigitalLink"].startswith(
        f"{house.url}/01/09521234543213/21/{found['serial']}?"
    )
    angles = ["dial", "movement", "serial_engraving", "case_back"]
    assert found["required_angles"] == angles
    registrar.event(found, "cataloged", catalogNumber="214")
    listing = {"eventType": "listed", "actorRole": "auction_house", "description": "evening sale"}
    path = f"/objects/{found['id']}/provenance"
    assert registrar.refused(path, listing) == (409, "BINDING_REQUIRED")
    for count, angle in enumerate(angles, 1):
        said = "caseback" if angle == "case_back" else angle
        added = registrar.photograph(found, said, picture(f"{found['serial']} {angle}"))
        assert added["photo"]["angle"] == angle
        assert len(added["photo"]["sha256"]) == 64
        assert added["photo_status"]["count"] == count
        assert added["photo_status"]["missing"] == angles[count:]
    assert added["photo_status"]["binding_status"] == "bound"
    event = registrar.post(path, {**listing, "evidence": {"lotNumber": "7", "auctionId": "a"}})
    assert event["event"].keys() >= {"id", "type", "seq", "hash", "previous_hash", "timestamp"}
    public = verified(house, found["serial"].lower())
    assert (public["status"], public["assurance"], public["confidence"]) == (
        "authentic",
        "record",
        0.9,
    )
    assert public["cryptographic_identity"]["photo_binding"] == "valid"
    assert public["provenance"]["latest_event"] == "listed"
    assert public["security"]["spatial_relations"] == 55
    assert public["test"] is True
    owner = registrar.post("/owners", {"name": "Berta Ruiz", "email": "berta@example.test"})
    terms = {
        "objectId": found["id"],
        "fromOwnerId": found["owner_id"],
        "toOwnerId": owner["owner_id"],
        "salePrice": 25000,
        "saleCurrency": "EUR",
    }
    begun = registrar.post("/transfers/initiate", terms)
    assert begun["status"] == "pending"
    assert len(begun["transferCode"]) == 6
    done = registrar.post(
        f"/transfers/{begun['transferId']}/confirm", {"transferCode": begun["transferCode"]}, 200
    )
    assert (done["status"], done["object"]["status"]) == ("confirmed", "transferred")
    history = registrar.get(f"/objects/{found['serial']}/provenance")
    assert history["chain_valid"] is True
    assert history["chain_of_custody"] == [
        {"from": "Consignor", "to": "House", "transfer_type": "registration"},
        {"from": "House", "to": "Buyer", "transfer_type": "sale"},
    ]
    shown = registrar.get("/dashboard/objects?status=transferred")
    assert found["id"] in {one["id"] for one in shown["objects"]}
    assert shown["pagination"].keys() == {"limit", "next_cursor", "total"}


def test_a_lot_opens_only_when_its_object_is_bound(desk: Desk, registrar: Registrar) -> None:
    """Unknown, unbound, in several places: refused, each in its own way; a draft may wait."""
    loose = registrar.register()
    assert put_up(desk, loose).status_code == 409
    assert put_up(desk, {**loose, "serial": "AUC260218FKC5SKSEZ"}).status_code == 400
    found = registrar.ready()
    assert put_up(desk, found, winnerCount=2).status_code == 400
    draft = desk.draft(serial=loose["serial"])
    assert desk.refused("POST", f"auctions/{draft}/resume")[0] == 409
    assert registrar.types(loose) == ["registered"]
    opened = put_up(desk, found)
    assert opened.status_code == 201, opened.text
    assert opened.json()["serial"] == found["serial"]
    until_true(lambda: registrar.types(found)[-1] == "listed", "the object to be listed")
    assert put_up(desk, found).status_code == 409


def test_what_is_sold_and_paid_becomes_the_winners(
    house: House, desk: Desk, registrar: Registrar
) -> None:
    """The hammer falls, the winner pays, the house hands over with the code: listed, sold and
    transferred, once each, and the price as it was called."""
    found = registrar.ready("A blue bottle")
    auction_id = put_up(desk, found).json()["id"]
    winner = house.person()
    assert house.bid(auction_id, winner, {"amount": 440}).status_code == 200
    for verb in ("complete", "settle"):
        desk.post(f"auctions/{auction_id}/{verb}")
    until_true(lambda: registrar.types(found)[-1] == "sold", "the object to be sold")
    waiting = registrar.get(f"/objects/{found['id']}")["transfer"]
    assert waiting["status"] == "awaiting_payment"
    path = f"/transfers/{waiting['transferId']}"
    assert registrar.refused(f"{path}/reissue", {}) == (409, "INVALID_STATE")
    assert registrar.refused(f"{path}/confirm", {"transferCode": "000000"}) == (
        409,
        "INVALID_STATE",
    )
    token = house.get(f"/auctions/{auction_id}/status", winner).json()["paymentToken"]
    desk.post("payment-tokens/complete", {"token": token, "orderId": "order-1"})
    until_true(lambda: registrar.get(path)["status"] == "pending", "the payment to be known")
    begun = registrar.post(f"{path}/reissue", {}, 200)
    registrar.post(f"{path}/confirm", {"transferCode": begun["transferCode"]}, 200)
    assert registrar.types(found)[-3:] == ["listed", "sold", "transferred"]
    public = house.web.get(f"/api/v1/auction/objects/{found['serial']}/provenance").json()
    sold = public["events"][-2]
    assert sold["details"] == {"hammerPrice": 440, "currency": "EUR"}
    assert public["events"][-3]["details"] == {"lotNumber": "12A", "auctionId": auction_id}
    for event in public["events"][-2:]:
        assert event["timestamp"].endswith("T00:00:00Z")
    assert verified(house, found["serial"])["provenance"]["current_owner"] == (
        "Verified Private Collector"
    )


def test_what_is_not_sold_goes_back(desk: Desk, registrar: Registrar) -> None:
    """Passed or canceled: catalogued again, and free for another auction."""
    found = registrar.ready()
    passed = put_up(desk, found).json()["id"]
    until_true(lambda: registrar.types(found)[-1] == "listed", "the object to be listed")
    desk.post(f"auctions/{passed}/complete")
    desk.post(f"auctions/{passed}/settle")
    until_true(lambda: registrar.types(found)[-1] == "passed", "the object to come back")
    canceled = put_up(desk, found).json()["id"]
    until_true(lambda: registrar.types(found)[-1] == "listed", "the object to be listed again")
    desk.post(f"auctions/{canceled}/cancel")
    until_true(lambda: registrar.types(found)[-1] == "passed", "the object to come back again")


# ── What nobody may learn ────────────────────────────────────────────────────────────────


def private_values(house: House, registrar: Registrar) -> tuple[Json, set[str]]:
    """An object with every kind of secret in it, and the secrets."""
    tail = random_name(8)
    secrets = {
        f"Consignor {tail}",
        f"consignor.{tail}@example.test",
        f"ext-consignor-{tail}",
        f"Buyer {tail}",
        f"buyer.{tail}@example.test",
        f"ext-buyer-{tail}",
        f"a description {tail}",
        f"an attribute {tail}",
        f"an expert's words {tail}",
        f"evidence {tail}",
        "7743197",
        "77431.97",
        "6651883",
        "66518.83",
    }
    found = registrar.bound(
        "A private vase",
        description=f"a description {tail}",
        attributes={"materials": f"an attribute {tail}"},
        estimated_value={"min": 66518.83, "max": 66518.83, "currency": "EUR"},
        owner={
            "name": f"Consignor {tail}",
            "email": f"consignor.{tail}@example.test",
            "external_id": f"ext-consignor-{tail}",
        },
    )
    report = {
        "eventType": "condition_reported",
        "actorRole": "expert",
        "description": f"an expert's words {tail}",
        "evidence": {"note": f"evidence {tail}", "catalogNumber": f"evidence {tail}"},
    }
    registrar.post(f"/objects/{found['id']}/provenance", report)
    buyer = registrar.post(
        "/owners",
        {
            "name": f"Buyer {tail}",
            "email": f"buyer.{tail}@example.test",
            "external_id": f"ext-buyer-{tail}",
        },
    )["owner_id"]
    terms = {
        "objectId": found["id"],
        "fromOwnerId": found["owner_id"],
        "toOwnerId": buyer,
        "salePrice": 77431.97,
        "saleCurrency": "EUR",
    }
    begun = registrar.post("/transfers/initiate", terms)
    path = f"/transfers/{begun['transferId']}/confirm"
    registrar.post(path, {"transferCode": begun["transferCode"]}, 200)
    ids = {found["id"], found["owner_id"], buyer, begun["transferId"], begun["transferCode"]}
    return found, secrets | ids


def public_answers(house: House, found: Json) -> dict[str, str]:
    """Everything that anybody can fetch about the object, and about the log, without a key."""
    serial = found["serial"]
    names = {"serial": serial, "serial_or_id": serial, "angle": found["required_angles"][0]}
    names |= {"object_id": found["id"], "gtin": "09521234543213", "rest": f"21/{serial}"}
    names |= {"giai": serial, "name": "verify.css", "transfer_id": "trf_x", "owner_id": "own_x"}
    paths = {call.path for call in CALLS if call.method == "GET" and not call.internal}
    said: dict[str, str] = {}

    def fetch(path: str) -> str:
        answer = house.web.get(path, follow_redirects=True)
        said[path] = answer.text + str(dict(answer.headers))
        return answer.text

    for path in sorted(paths):
        fetch(_filled(path, names))
    size = int(fetch("/log/checkpoint").split("\n")[1])
    for number in range(size // 256 + 1):
        width = min(256, size - number * 256)
        partial = f".p/{width}" if width < 256 else ""
        fetch(f"/log/tile/entries/{number:03}{partial}")
        fetch(f"/log/tile/0/{number:03}{partial}")
    fetch(f"/01/09521234543213/21/{serial}?linkType=linkset")
    fetch(f"/verify/{serial}")
    return said


def _filled(path: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        path = path.replace("{" + name + "}", value).replace("{" + name + ":path}", value)
    return path


def test_nothing_private_is_in_any_public_answer(house: House, registrar: Registrar) -> None:
    """No name, address, internal id, private price or free text: on every public route of a
    house that holds all of them, the log's entries included."""
    found, secrets = private_values(house, registrar)
    answers = public_answers(house, found)
    assert len(answers) > 20
    assert found["serial"] in "".join(answers.values())
    for path, text in answers.items():
        # What was asked for is no secret to whoever asked.
        asked = {secret for secret in secrets if secret in path}
        # Digits are in every hash and signature; what is longer than any figure is left out.
        plain = re.sub(r"[0-9A-Za-z+/_=-]{24,}", "", text)
        leaked = {
            secret
            for secret in secrets - asked
            if secret in (plain if secret.replace(".", "").isdigit() else text)
        }
        assert not leaked, f"{path} tells {leaked}"


def test_keys_are_asked_for_where_they_are_needed(house: House, registrar: Registrar) -> None:
    """Without one, with a wrong one, and with one that may less: nothing is told."""
    found = registrar.register()
    path = f"/api/v1/auction/objects/{found['id']}"
    assert error_of(house.web.get(path)) == (401, "MISSING_API_KEY")
    wrong = house.web.get(path, headers={"x-api-key": "optr_test_" + "x" * 40})
    assert error_of(wrong) == (401, "INVALID_API_KEY")
    less = Desk.of(house).key("auctions:read").headers
    assert error_of(house.web.get(path, headers=less)) == (403, "INSUFFICIENT_SCOPE")
    live = Desk.of(house).live()
    other = house.web.get(path, headers=live.headers)
    assert error_of(other) == (404, "OBJECT_NOT_FOUND")
