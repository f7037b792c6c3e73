"""What the gateways and the clerk ask: over the socket alone, and once for each piece of news."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from tests.verifier.api.house import House, Json, code_of


async def tell(house: House, kind: str, found: Json, **more: Any) -> Json:
    """News of an auction of the object, and what is answered."""
    said = {
        "origin": sha256(f"{kind} {found['serial']} {more}".encode()).hexdigest(),
        "kind": kind,
        "mode": "test",
        "serial": found["serial"],
        "auction_id": "auction_1",
        "at": house.clock.now_ms(),
        **more,
    }
    answer = await house.internal("POST", "news", json=said)
    assert answer.status_code == 200, answer.text
    told: Json = answer.json()
    return told


async def test_nothing_internal_comes_through_the_public_door(house: House) -> None:
    """Whoever is said to have come from outside finds nothing there, whatever key they have."""
    for path in ("jwks", "happenings", "objects/AUC260218FKC5SKSEZ?mode=test"):
        assert (await house.internal("GET", path)).status_code in (200, 404), path
        assert code_of(await house.get(f"/internal/{path}")) == (404, "NOT_FOUND")
    assert code_of(await house.post("/internal/news", {})) == (404, "NOT_FOUND")


async def test_a_gateway_learns_whether_an_object_can_be_offered(house: House) -> None:
    """Its state, its binding, its photographs, and the auction that is open on it; of its mode
    alone."""
    found = await house.bound()
    needed = len(found["required_angles"])
    path = f"objects/{found['serial']}?mode=test"
    assert (await house.internal("GET", path)).json() == {
        "serial": found["serial"],
        "status": "consigned",
        "binding_status": "bound",
        "open_auction": None,
        "photos": needed,
        "required": needed,
    }
    bare = await house.register()
    standing = (await house.internal("GET", f"objects/{bare['serial']}?mode=test")).json()
    assert (standing["photos"], standing["required"]) == (0, needed)
    other = await house.internal("GET", f"objects/{found['serial']}?mode=live")
    assert code_of(other) == (404, "OBJECT_NOT_FOUND")
    assert (await house.internal("GET", f"objects/{found['serial']}")).status_code == 400


async def test_a_sale_from_its_listing_to_its_transfer(house: House) -> None:
    """Listed, sold, paid and passed on; each piece of news counts once, and shows at once."""
    found = await house.bound()
    await house.report(found, "cataloged")
    listed = await tell(house, "listed", found, lot_number="14")
    assert listed == {"recorded": True, "reason": None}
    assert await tell(house, "listed", found, lot_number="14") == {
        "recorded": False,
        "reason": "already",
    }
    verified = await house.get(f"public/verify/{found['serial']}", key="missing")
    assert verified.json()["provenance"]["latest_event"] == "listed"
    # While the auction is open the house sells it to nobody else.
    refused = await house.begin(found)
    assert code_of(refused) == (409, "INVALID_STATE")
    assert refused.json()["error"]["details"] == {"auctionId": "auction_1"}
    buyer = {"consumer_id": "consumer_7", "name": "Berta", "email": "b@example.test"}
    price = {"hammer_price": 4_400_000, "currency": "EUR", "exponent": 2}
    assert (await tell(house, "sold", found, **price, **buyer))["recorded"] is True
    history = (await house.get(f"objects/{found['serial']}/provenance", key="missing")).json()
    assert history["events"][-1]["details"] == {"hammerPrice": 44000, "currency": "EUR"}
    refused = await house.begin(found)
    assert code_of(refused) == (409, "TRANSFER_PENDING")
    transfer = refused.json()["error"]["details"]["transferId"]
    read = (await house.get(f"transfers/{transfer}")).json()
    assert (read["status"], read["salePrice"]) == ("awaiting_payment", 44000)
    assert (read["attempts_left"], read["expiresAt"]) == (None, None)
    confirm = f"transfers/{transfer}/confirm"
    refused = await house.post(confirm, {"transferCode": "123456"})
    assert code_of(refused) == (409, "INVALID_STATE")
    assert (await tell(house, "paid", found, **buyer))["recorded"] is True
    code = (await house.post(f"transfers/{transfer}/reissue")).json()["transferCode"]
    done = await house.post(confirm, {"transferCode": code})
    assert done.json()["object"]["status"] == "transferred"
    happened = (await house.internal("GET", "happenings?after=0")).json()["happenings"]
    completed = [one for one in happened if one["type"] == "transfer.completed"]
    assert [one["data"]["transferId"] for one in completed] == [transfer]


async def test_somebody_with_an_open_transfer_is_forgotten_later(house: House) -> None:
    """While they are needed the clerk is told to come back; afterwards they are gone."""
    found = await house.register()
    begun = (await house.begin(found)).json()
    said = {"origin": "erased 1", "kind": "erased", "mode": "test", "at": 1}
    said["consumer_id"] = "crm-Buyer"
    later = await house.internal("POST", "news", json=said)
    assert code_of(later) == (503, "UNAVAILABLE")
    await house.post(f"transfers/{begun['transferId']}/cancel")
    assert (await house.internal("POST", "news", json=said)).json()["recorded"] is True


async def test_books_that_have_forgotten_something_take_nothing(house: House) -> None:
    """What was told before is not known: nothing is taken down, so that it can be told again."""
    found = await house.bound()
    await house.report(found, "cataloged")
    said = {"kind": "listed", "mode": "test", "serial": found["serial"], "auction_id": "a", "at": 1}
    refused = await house.internal("POST", "news", json={**said, "origin": "2", "after": "1"})
    assert code_of(refused) == (409, "INVALID_STATE")
    for origin, before in (("1", None), ("2", "1")):
        told = {**said, "origin": origin, "after": before}
        assert (await house.internal("POST", "news", json=told)).status_code == 200
    # Also what was turned down for good: the second could not be listed twice.
    known = await house.internal("POST", "news/known", json={"origins": ["1", "2", "3"]})
    assert sorted(known.json()["known"]) == ["1", "2"]


async def test_happenings_are_read_page_by_page(house: House) -> None:
    """Each number once, ascending, from where the reader left off."""
    found = await house.register()
    for _ in range(3):
        house.clock.pass_(61)
        await house.get(f"public/verify/{found['serial']}", key="missing")
        house.verifier.scans.write(house.clock.now_ms())
    seen: list[int] = []
    while True:
        after = seen[-1] if seen else 0
        answer = await house.internal("GET", f"happenings?after={after}&limit=2")
        page = answer.json()["happenings"]
        if not page:
            break
        for one in page:
            assert set(one) == {"number", "type", "mode", "at", "data"}
            assert one["data"]["serial"] == found["serial"]
        seen += [one["number"] for one in page]
    assert len(seen) == 3
    assert seen == sorted(set(seen))


async def test_the_keys_are_given_out_as_jwks(house: House) -> None:
    """Three Ed25519 keys, none of them private."""
    found = (await house.internal("GET", "jwks")).json()["keys"]
    assert len(found) == 3
    for key in found:
        assert set(key) == {"kty", "crv", "x", "kid", "alg", "use"}
