"""Codes and taps that come all at once: what is counted is counted, on either database."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import anyio.to_thread
import pytest

from tests.verifier.api.house import House
from verifier.core import transfers

GUESSES = 200


@pytest.fixture
async def at_once() -> AsyncIterator[None]:
    """As many threads as there are guesses: none waits for another before it starts."""
    limiter = anyio.to_thread.current_default_thread_limiter()
    before = limiter.total_tokens
    limiter.total_tokens = GUESSES
    yield
    limiter.total_tokens = before


@pytest.mark.usefixtures("at_once")
async def test_of_two_hundred_guesses_five_are_compared(
    on_either: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever comes at once, five codes are looked at; then even the right one is too late."""
    house = on_either
    found = await house.register()
    begun = (await house.begin(found)).json()
    before, size = house.chain(found), house.size()
    compared: list[str] = []
    real = transfers.code_matches

    def spy(
        pepper: bytes, transfer_id: str, recipient_id: str, terms: str, code: str, mac: bytes
    ) -> bool:
        compared.append(code)
        return real(pepper, transfer_id, recipient_id, terms, code, mac)

    monkeypatch.setattr(transfers, "code_matches", spy)
    path = f"transfers/{begun['transferId']}/confirm"
    right = begun["transferCode"]
    wrong = [code for code in (f"{n:06}" for n in range(GUESSES + 1)) if code != right][:GUESSES]
    answers = await asyncio.gather(*(house.post(path, {"transferCode": code}) for code in wrong))
    outcomes = Counter(answer.json()["error"]["code"] for answer in answers)
    assert len(compared) == 5
    assert outcomes["INVALID_TRANSFER_CODE"] == 5
    # A database that is too busy may say so; nothing of it was compared.
    assert sum(outcomes.values()) == GUESSES
    assert set(outcomes) <= {"INVALID_TRANSFER_CODE", "TRANSFER_LOCKED", "UNAVAILABLE"}
    late = await house.post(path, {"transferCode": right})
    assert late.json()["error"]["code"] == "TRANSFER_LOCKED"
    assert len(compared) == 5
    assert (house.chain(found), house.size()) == (before, size)
    left = {answer.json()["error"].get("attempts_left") for answer in answers} - {None}
    assert 0 in left


@pytest.mark.usefixtures("at_once")
async def test_a_code_that_is_said_twice_at_once_confirms_once(on_either: House) -> None:
    """All who have the right code are answered alike, and the object changes hands once."""
    house = on_either
    found = await house.register()
    begun = (await house.begin(found)).json()
    path = f"transfers/{begun['transferId']}/confirm"
    answers = await asyncio.gather(
        *(house.post(path, {"transferCode": begun["transferCode"]}) for _ in range(4))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["event"]["hash"] for answer in answers}) == 1
    history = await house.get(f"objects/{found['serial']}/provenance", key="missing")
    types = [event["type"] for event in history.json()["events"]]
    assert types == ["registered", "sold", "transferred"]


async def test_a_record_that_is_written_to_is_never_called_broken(on_either: House) -> None:
    """Whoever verifies while events are written sees the one before or the one after."""
    house = on_either
    found = await house.register()
    done = asyncio.Event()

    async def write() -> None:
        for _ in range(25):
            answer = await house.report(found, "exhibited")
            assert answer.status_code == 201, answer.text
        done.set()

    async def ask() -> set[str]:
        said: set[str] = set()
        while not done.is_set():
            house.clock.pass_(3)
            answer = await house.get(f"public/verify/{found['serial']}", key="missing")
            said.add(answer.json()["status"])
            history = await house.get(f"objects/{found['serial']}/provenance", key="missing")
            said.add(str(history.json()["chain_valid"]))
        return said

    outcomes = await asyncio.gather(ask(), ask(), ask(), write())
    for said in outcomes[:3]:
        assert said is not None
        assert not said & {"invalid", "False"}
