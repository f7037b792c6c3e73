"""Real photographs through the API, read by the real process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from loadtests import pictures
from tests.verifier.api.house import House, house_of
from tests.verifier.registry.conftest import NOW
from verifier.photographs.workers import Workers
from verifier.store import Store


@pytest.fixture
async def seeing(store: Store) -> AsyncIterator[House]:
    """A house whose pictures are looked at."""
    workers = Workers()
    found = house_of(store, NOW, workers)
    async with found.web:
        yield found
    await workers.close()


async def compare(house: House, serial: str, picture: bytes) -> str:
    """What the public is told of a fresh photograph."""
    answer = await house.ask(
        "POST",
        f"public/verify/{serial}/photo",
        files={"photo": ("it.jpg", picture, "image/jpeg")},
        key="missing",
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["match"])


async def test_photographs_bind_an_object_and_find_it_again(seeing: House) -> None:
    """Two pictures bind it; taken anew it is matched, another object is not; one picture of an
    angle takes the place of the one before."""
    found = await seeing.register(category="collectible")
    front, back = (pictures.draw(number) for number in (1, 2))
    first = await seeing.photograph(found, "front", pictures.catalogue_photo(front))
    assert first.status_code == 201, first.text
    assert first.json()["photo"]["matchable"] is True
    assert first.json()["photo_status"]["missing"] == ["back"]
    second = await seeing.photograph(found, "back", pictures.catalogue_photo(back))
    assert second.json()["photo_status"]["binding_status"] == "bound"
    taken_anew = pictures.recapture(front, pictures.USUAL, 1, 0)
    assert (await compare(seeing, found["serial"], taken_anew)).startswith("match")
    other = pictures.catalogue_photo(pictures.draw(7))
    assert await compare(seeing, found["serial"], other) in ("no_match", "inconclusive")
    again = await seeing.photograph(found, "front", taken_anew)
    assert again.json()["photo_status"] == second.json()["photo_status"]
    history = await seeing.get(f"objects/{found['serial']}/provenance", key="missing")
    types = [event["type"] for event in history.json()["events"]]
    photographed = ["photographed", "photographed", "binding_completed"]
    assert types == ["registered", *photographed, "photographed", "binding_completed"]
    assert history.json()["chain_valid"] is True
    verified = await seeing.get(f"public/verify/{found['serial']}", key="missing")
    assert verified.json()["cryptographic_identity"]["photo_binding"] == "valid"


async def test_what_is_no_photograph_moves_nothing(seeing: House) -> None:
    """Bytes that no camera made are refused by the real reader, with the contract's status."""
    found = await seeing.register(category="collectible")
    before = seeing.size()
    for picture, status in ((b"no picture", 415), (b"GIF89a" + bytes(100), 415)):
        refused = await seeing.photograph(found, "front", picture)
        assert refused.status_code == status, refused.text
    broken = pictures.catalogue_photo(pictures.draw(1))[:2_000]
    assert (await seeing.photograph(found, "front", broken)).status_code == 400
    assert seeing.size() == before
    assert not any(seeing.verifier.store.photos.iterdir())


async def test_the_same_picture_in_two_records_is_nobodys_scenery(seeing: House) -> None:
    """An object that is entered again, with pictures of it that the house has, is told as
    similar, and can be matched as before; so can the first one."""
    front, back = (pictures.catalogue_photo(pictures.draw(number)) for number in (1, 2))
    first = await seeing.register(category="collectible")
    for angle, picture in (("front", front), ("back", back)):
        await seeing.photograph(first, angle, picture)
    second = await seeing.register(category="collectible")
    for angle, picture in (("back", back), ("front", front)):
        taken = (await seeing.photograph(second, angle, picture)).json()["photo"]
        assert (taken["matchable"], taken["similar"]) == (True, [first["serial"]])
    taken_anew = pictures.recapture(pictures.draw(1), pictures.USUAL, 1, 0)
    for found in (first, second):
        assert (await compare(seeing, found["serial"], taken_anew)).startswith("match")


async def test_shared_scenery_is_in_nobodys_features(seeing: House) -> None:
    """A colour card that lies beside two objects matches neither of them; the first one's
    photograph is entered anew without it, and both are found again by what they are."""
    drawn = [pictures.with_card(pictures.draw(number), number) for number in (3, 4)]
    shown = [pictures.catalogue_photo(one) for one in drawn]
    both = [await seeing.register(category="collectible") for _ in shown]
    for found, picture in zip(both, shown, strict=True):
        await seeing.photograph(found, "front", picture)
    for found, own, other in ((both[0], 0, 1), (both[1], 1, 0)):
        assert (await compare(seeing, found["serial"], shown[own])).startswith("match")
        assert await compare(seeing, found["serial"], shown[other]) in ("no_match", "inconclusive")
    history = await seeing.get(f"objects/{both[0]['serial']}/provenance", key="missing")
    types = [event["type"] for event in history.json()["events"]]
    assert types == ["registered", "photographed", "photographed"]
