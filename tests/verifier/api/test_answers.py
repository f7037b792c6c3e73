"""What is kept for two seconds: bounded, and gone when it is old."""

from __future__ import annotations

import asyncio

from verifier.api.answers import Answers


async def of(answers: Answers, name: str, now: float) -> str:
    """The answer of this name, found out anew where none is kept: its name and the time."""

    async def find() -> str:
        return f"{name} {now}"

    return await answers.of(name, now, find)


async def test_what_is_old_makes_room() -> None:
    """Nothing is held longer than it may be given, whoever asks for what."""
    answers = Answers()
    for number in range(100):
        await of(answers, f"q{number}", number)
    assert list(answers._kept) == ["q98", "q99"]


async def test_no_more_is_kept_than_may_be() -> None:
    """Of more questions at once than there is room for, the oldest is asked again."""
    answers = Answers()
    for number in range(answers.MOST + 5):
        await of(answers, f"q{number}", 1.0)
    assert len(answers._kept) == answers.MOST
    assert await of(answers, "q0", 1.5) == "q0 1.5"
    assert await of(answers, f"q{answers.MOST}", 1.5) == f"q{answers.MOST} 1.0"


async def test_who_hangs_up_does_not_take_the_answer_along() -> None:
    """The first of several who wait goes away; the others are answered all the same."""
    answers, go_on = Answers(), asyncio.Event()

    async def find() -> str:
        await go_on.wait()
        return "found"

    first, second = (asyncio.create_task(answers.of("q", 1.0, find)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    go_on.set()
    assert await second == "found"
