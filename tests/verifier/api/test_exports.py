"""The exports' calls: to anybody what is public, to a reader's key what was said in private."""

from __future__ import annotations

import pytest

from tests.verifier.api.house import House

FORMS = ("linked-art", "object-id", "epcis")


@pytest.mark.parametrize("form", FORMS)
async def test_an_export_is_given_to_anybody(house: House, form: str) -> None:
    """As JSON, by the serial however it is typed; with a key of another scope the same."""
    found = await house.bound(description="with box", attributes={"maker": "R."})
    typed = found["serial"].lower()
    answers = [
        await house.get(f"objects/{typed}/{form}", key="missing"),
        await house.get(f"objects/{found['serial']}/{form}", key=("owners:write",)),
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert "box" not in answers[0].text


async def test_a_readers_key_sees_what_was_said_in_private(house: House) -> None:
    """In its own mode; a key that is none is refused, and not taken for nobody's."""
    found = await house.bound(attributes={"maker": "R."})
    path = f"objects/{found['serial']}/object-id"
    assert (await house.get(path)).json()["object_id"]["maker"] == "R."
    assert (await house.get(path, key="missing")).json()["object_id"]["maker"] is None
    assert (await house.get(path, key="invalid")).status_code == 401
    assert (await house.get(path, mode="live")).status_code == 404


@pytest.mark.parametrize("form", FORMS)
async def test_a_serial_that_is_none_has_no_export(house: House, form: str) -> None:
    """404, as everywhere."""
    answer = await house.get(f"objects/AUC260218FKC5SKSEZ/{form}", key="missing")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "OBJECT_NOT_FOUND"
