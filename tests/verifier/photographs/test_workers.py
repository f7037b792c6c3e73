"""The child that looks at photographs: what it answers, what it survives, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from loadtests import pictures
from tests.processes import CHECKOUT, environment, is_alive, until
from tests.verifier.photographs.files import archive, bomb, chunk, photo, png, saved
from verifier.core import matching
from verifier.photographs import workers
from verifier.photographs.workers import (
    BadPicture,
    MatchingUnavailable,
    PictureTooHard,
    WorkerFailed,
    Workers,
    WorkersBusy,
)

PHOTO = saved(photo(), "JPEG")


@pytest.fixture
async def child() -> AsyncIterator[Workers]:
    made = Workers()
    yield made
    await made.close()


@pytest.fixture(scope="module")
def label() -> bytes:
    return pictures.catalogue_photo(pictures.draw(1))


@pytest.fixture(scope="module")
def label_again() -> bytes:
    return pictures.recapture(pictures.draw(1), pictures.USUAL, 1, 0)


async def test_a_photograph_is_enrolled_and_matched(
    child: Workers, label: bytes, label_again: bytes
) -> None:
    """The whole way through the real child: digests, size, anchors, template, scores."""
    assert await child.warm()
    kept = await child.enrol(label, 11)
    assert kept.sha256 == hashlib.sha256(label).hexdigest()
    assert (kept.width, kept.height) == (900, 700)
    assert (len(kept.pixel_sha256), len(kept.pdq or "")) == (64, 64)
    assert kept.served.startswith(b"\xff\xd8")
    assert (kept.anchors_found, kept.matchable) == (11, True)
    assert kept.template is not None

    other = await child.enrol(PHOTO, 11)
    assert other.template is not None
    scores = await child.match(label_again, [("b", other.template), ("a", kept.template)])
    assert [score.photo_id for score in scores] == ["b", "a"]
    assert matching.verdict(scores[0].inliers, scores[0].anchors) == "no_match"
    assert matching.verdict(scores[1].inliers, scores[1].anchors) in ("match", "match_strong")


async def test_a_template_is_renewed_without_its_photograph(child: Workers, label: bytes) -> None:
    """What it shares with another object is taken out, here everything, and stays out."""
    kept = await child.enrol(label, 7)
    assert kept.template is not None
    renewed = await child.renew(kept.template, 7, [kept.template])
    assert renewed.shared_with == [0]
    assert not renewed.matchable
    again = await child.renew(renewed.template, 7, [])
    assert again.template == renewed.template


async def test_a_picture_is_looked_at_and_stripped(child: Workers) -> None:
    """Kind and size, and a JPEG of the pixels alone."""
    looked = await child.look(saved(photo(), "WEBP"))
    assert (looked.kind, looked.width, looked.height) == ("WEBP", 320, 240)
    stripped = await child.strip(saved(photo(), "JPEG", comment=archive()))
    assert b"PK\x03\x04" not in stripped
    assert (await child.look(stripped)).width == 320


async def test_a_refusal_says_why(child: Workers) -> None:
    """The code and the sentence come through; the child lives on."""
    with pytest.raises(BadPicture, match="expected a photograph") as refused:
        await child.enrol(b"GIF89a", 11)
    assert refused.value.code == "unsupported"
    pid = child.pid
    await child.look(PHOTO)
    assert child.pid == pid


async def test_bombs_are_refused_at_once_and_with_little_memory(child: Workers) -> None:
    """Each in less than a second, and at no time more than 200 MB resident."""
    await child.warm()
    bombs = [
        png(12_000, 12_000),
        png(30_000, 30_000),
        png(7_000, 7_000),
        png(200, 200, chunk(b"iCCP", b"x\0\0" + bomb(64))),
        png(200, 200, chunk(b"junk", bytes(20_000_000))),
        PHOTO[:2] + b"\xff\xe1\0\x02" * 6_000_000 + PHOTO[2:],
        PHOTO[:-9],
        PHOTO + archive(),
    ]
    for number, file in enumerate(bombs):
        before = processor_seconds(child)
        with contextlib.suppress(BadPicture):
            await child.look(file)
        assert processor_seconds(child) - before < 1, f"bomb number {number}"
    assert peak_resident_mb(child) < 200


def processor_seconds(child: Workers) -> float:
    fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_resident_mb(child: Workers) -> float:
    lines = Path(f"/proc/{child.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


async def test_fifty_megapixels_fit(child: Workers) -> None:
    """The largest photograph that is promised to be taken is taken, within the limits."""
    grey = photo(500, 500).convert("L").resize((7_000, 7_000))
    assert (await child.look(saved(grey, "JPEG"))).width == 7_000


async def test_a_killed_child_fails_its_job_and_no_other(child: Workers, label: bytes) -> None:
    """Kill -9 in the middle: that job fails with how it ended, the next has a new child."""
    await child.warm()
    job = asyncio.create_task(child.enrol(label, 11))
    await asyncio.sleep(0)  # the job is on its way
    first = child.pid
    assert first is not None
    before = processor_seconds(child)
    while processor_seconds(child) == before:  # it has begun
        await asyncio.sleep(0.01)
    os.kill(first, signal.SIGKILL)
    with pytest.raises(PictureTooHard, match="SIGKILL"):
        await job
    assert (await child.look(PHOTO)).kind == "JPEG"
    assert child.pid != first


async def test_a_child_killed_while_idle_is_not_missed(child: Workers) -> None:
    """Nobody's job fails because a child died between two."""
    await child.warm()
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    while child.pid == first:
        await asyncio.sleep(0.01)
    assert (await child.look(PHOTO)).kind == "JPEG"


async def test_a_picture_that_takes_too_long_is_given_up(label: bytes) -> None:
    """The child is killed, the caller is told, and the next job has a new child."""
    hasty = Workers(job_within_s=0.2)
    try:
        await hasty.warm()
        first = hasty.pid
        with pytest.raises(PictureTooHard, match=r"0\.2 s"):
            await hasty.enrol(label, 11)
        assert first is not None
        assert not Path(f"/proc/{first}").exists()
        assert await hasty.warm()
    finally:
        await hasty.close()


async def test_no_more_wait_than_may(child: Workers) -> None:
    """Sixteen wait; one more is told so at once, and all sixteen are served."""
    await child.warm()
    jobs = [asyncio.create_task(child.look(PHOTO)) for _ in range(workers.WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(WorkersBusy, match="waiting"):
        await child.look(PHOTO)
    assert {looked.kind for looked in await asyncio.gather(*jobs)} == {"JPEG"}


async def test_nobody_gets_anothers_answer(child: Workers) -> None:
    """Who goes away in the middle leaves an answer behind that nobody else is given."""
    await child.warm()
    for side in range(70, 90):
        gone = asyncio.create_task(child.strip(PHOTO))
        await asyncio.sleep(0.002 * (side % 5))
        gone.cancel()
        assert (await child.look(saved(photo(side, side), "PNG"))).width == side


async def test_nobody_works_for_those_who_have_gone(child: Workers, label: bytes) -> None:
    """Ten enrolments whose callers went away while they waited cost nothing."""
    await child.warm()
    gone = [asyncio.create_task(child.enrol(label, 11)) for _ in range(10)]
    await asyncio.sleep(0)
    before = processor_seconds(child)
    for job in gone:
        job.cancel()
    assert (await child.look(PHOTO)).kind == "JPEG"
    assert processor_seconds(child) - before < 3  # one may have begun; ten take ten seconds


async def test_closing_ends_the_child_and_whoever_waits(label: bytes) -> None:
    """The job at hand and those that wait fail; afterwards nothing is taken on."""
    closing = Workers()
    await closing.warm()
    pid = closing.pid
    jobs = [asyncio.create_task(closing.enrol(label, 11)) for _ in range(3)]
    await asyncio.sleep(0.05)
    await closing.close()
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert {type(result) for result in results} == {WorkerFailed}
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(WorkerFailed, match="closing"):
        await closing.look(PHOTO)
    await closing.close()


async def test_a_child_that_does_not_start_is_our_fault(
    child: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told from a hard picture: another photograph would not help."""
    monkeypatch.setattr(workers, "_CHILD", (sys.executable, "-c", "raise SystemExit(3)"))
    with pytest.raises(WorkerFailed, match="exit code 3"):
        await child.look(PHOTO)
    monkeypatch.setattr(workers, "_CHILD", ("/nowhere/python",))
    with pytest.raises(WorkerFailed, match="does not start"):
        await child.look(PHOTO)


async def test_without_opencv_photographs_are_kept_but_not_compared(
    child: Workers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The digests are there, anchors and template are not, and comparing says so."""
    (tmp_path / "cv2.py").write_text("raise ImportError('not installed')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert not await child.warm()
    kept = await child.enrol(PHOTO, 11)
    assert (kept.anchors_found, kept.template, kept.matchable) == (None, None, False)
    assert kept.pdq is not None
    with pytest.raises(MatchingUnavailable, match="OpenCV"):
        await child.match(PHOTO, [("a", b"")])
    with pytest.raises(MatchingUnavailable):
        await child.renew(b"", 11, [])


async def test_without_numpy_there_is_no_perceptual_hash(
    child: Workers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything that rests on Pillow alone is still done."""
    for name in ("cv2", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('not installed')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    kept = await child.enrol(PHOTO, 11)
    assert (kept.pdq, kept.template) == (None, None)
    assert len(kept.pixel_sha256) == 64


async def test_the_child_has_no_secrets_and_narrow_limits(
    child: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our environment is not its; memory, files and processor time have limits."""
    monkeypatch.setenv("MASTER_KEY", "not for the child")
    await child.look(PHOTO)
    assert b"not for the child" not in Path(f"/proc/{child.pid}/environ").read_bytes()
    assert child.pid is not None
    assert resource.prlimit(child.pid, resource.RLIMIT_AS)[0] == 1536 * 1024 * 1024
    assert resource.prlimit(child.pid, resource.RLIMIT_FSIZE)[0] == 0
    assert resource.prlimit(child.pid, resource.RLIMIT_CORE)[0] == 0
    assert 20 < resource.prlimit(child.pid, resource.RLIMIT_CPU)[0] < 60


def test_the_child_dies_with_its_parent() -> None:
    """A parent that was killed leaves nobody behind, not even who cannot see the pipe close."""
    program = (
        "import asyncio\n"
        "from verifier.photographs.workers import Workers\n"
        "async def main():\n"
        "    child = Workers()\n"
        "    await child.warm()\n"
        "    print(child.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=CHECKOUT,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.kill(pid, signal.SIGSTOP)
        parent.kill()
    until(lambda: not is_alive(pid), "the child's end")
