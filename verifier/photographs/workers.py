"""The parent's side: one child process that looks at strangers' pictures, one at a time.

A picture may be made to break its decoder.  So it is opened in a process that has no secrets,
little memory and no files to write, and that is killed where it takes too long.  A job that
broke the child fails; the next one has a new child.

Promises: every call has an end; no more than ``WAITING`` jobs wait; a caller who goes away
leaves the child to finish, and nobody gets another's answer.  The child starts with the first
job, or with ``warm``, and dies with us.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from typing import Final, TypeVar

import msgspec
import structlog

from engine import presence
from verifier.photographs.jobs import (
    LARGEST_FRAME,
    LENGTH_BYTES,
    Answer,
    BadPicture,
    Enrol,
    Enrolled,
    Job,
    Look,
    Looked,
    Match,
    MatchingUnavailable,
    Ready,
    Refused,
    Renew,
    Renewed,
    Score,
    Scores,
    Strip,
    Stripped,
    TooHard,
    Unavailable,
    frame,
)

__all__ = [
    "BadPicture",
    "Enrolled",
    "Looked",
    "MatchingUnavailable",
    "PictureTooHard",
    "Renewed",
    "Score",
    "WorkerFailed",
    "Workers",
    "WorkersBusy",
]

WAITING: Final = 16  # at a fifth of a second each, whoever waits longer has gone away
JOB_WITHIN_S: Final = 10.0
_START_WITHIN_S: Final = 30.0  # reading OpenCV from a cold disk
_CHILD: Final = (sys.executable, "-m", "verifier.photographs.worker")
# What the child may know of our environment; keys and databases are not for it.
_KEPT: Final = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
_ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_ANSWERS: Final[msgspec.msgpack.Decoder[Answer]] = msgspec.msgpack.Decoder(Answer)

_T = TypeVar("_T")

_log = structlog.get_logger()


class WorkersBusy(Exception):
    """As many jobs wait as may; try again in a second."""


class PictureTooHard(Exception):
    """The picture took more time or memory than any photograph should, or broke the child."""


class WorkerFailed(Exception):
    """The child does not start: the installation is broken, whatever the picture."""


class Workers:
    """The child, and the jobs that wait for it.  To be used from one event loop.

    ``job_within_s`` is how long a job may take once it has begun.
    """

    def __init__(self, job_within_s: float = JOB_WITHIN_S) -> None:
        self._job_within_s = job_within_s
        self._waiting: asyncio.Queue[tuple[bytes, asyncio.Future[Answer]]] = asyncio.Queue(WAITING)
        self._runner: asyncio.Task[None] | None = None
        self._child: asyncio.subprocess.Process | None = None
        self._matching = False
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The child that is running, if one is."""
        return self._child.pid if self._child and self._child.returncode is None else None

    async def warm(self) -> bool:
        """Start the child now; can it compare?  Raises ``WorkerFailed`` and ``WorkersBusy``."""
        # A job that needs no work: it waits its turn, and has the child started.
        with contextlib.suppress(BadPicture):
            await self.look(b"")
        return self._matching

    async def enrol(self, photo: bytes, anchors: int, others: Sequence[bytes] = ()) -> Enrolled:
        """Check and describe a reference photograph; ``jobs.Enrol`` says what ``others`` are.

        Raises ``BadPicture``, ``PictureTooHard``, ``WorkersBusy`` and ``WorkerFailed``.
        """
        return _expect(Enrolled, await self._do(Enrol(photo, anchors, list(others))))

    async def renew(self, template: bytes, anchors: int, others: Sequence[bytes]) -> Renewed:
        """The template again, without what it shares with ``others`` either.

        Raises ``MatchingUnavailable``, ``PictureTooHard``, ``WorkersBusy``, ``WorkerFailed``.
        """
        return _expect(Renewed, await self._do(Renew(template, anchors, list(others))))

    async def look(self, photo: bytes) -> Looked:
        """A picture's kind and size; raises as ``enrol`` does."""
        return _expect(Looked, await self._do(Look(photo)))

    async def match(self, photo: bytes, templates: Sequence[tuple[str, bytes]]) -> list[Score]:
        """Compare a fresh photograph with each (id, template).

        Raises ``MatchingUnavailable``, and as ``enrol`` does.
        """
        return _expect(Scores, await self._do(Match(photo, list(templates)))).scores

    async def strip(self, photo: bytes) -> bytes:
        """The picture as a JPEG without metadata, to be shown; raises as ``enrol`` does."""
        return _expect(Stripped, await self._do(Strip(photo))).jpeg

    async def close(self) -> None:
        """End the child; whoever waits gets ``WorkerFailed``.  A second call does nothing."""
        self._closed = True
        if self._runner is not None:
            self._runner.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._runner
            self._runner = None
        await self._kill()
        while not self._waiting.empty():
            _, answer = self._waiting.get_nowait()
            _fail(answer, WorkerFailed("the verifier is closing"))

    # ── One job after the other ──────────────────────────────────────────────────────────

    async def _do(self, job: Job) -> Answer:
        if self._closed:
            raise WorkerFailed("the verifier is closing")
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        try:
            self._waiting.put_nowait((frame(job), answer))
        except asyncio.QueueFull:
            raise WorkersBusy(f"{WAITING} photographs are waiting; try again soon") from None
        if self._runner is None:
            self._runner = asyncio.create_task(self._run(), name="photographs")
        return _value(await answer)

    async def _run(self) -> None:
        while True:
            job, answer = await self._waiting.get()
            if answer.done():  # the caller has gone away
                continue
            try:
                result = await self._ask(job)
            except (PictureTooHard, WorkerFailed) as failure:
                _log.warning("photograph not looked at", reason=str(failure))
                _fail(answer, failure)
            except asyncio.CancelledError:
                _fail(answer, WorkerFailed("the verifier is closing"))
                raise
            else:
                if not answer.done():
                    answer.set_result(result)

    async def _ask(self, job: bytes) -> Answer:
        child = await self._running()
        try:
            async with asyncio.timeout(self._job_within_s):
                return await _exchange(child, job)
        except TimeoutError:
            await self._kill()
            raise PictureTooHard(f"the picture took more than {self._job_within_s:g} s") from None
        except (OSError, asyncio.IncompleteReadError, msgspec.DecodeError):
            await self._kill()
            how = presence.ending(child.returncode or 0)
            raise PictureTooHard(f"the picture ended the process that read it: {how}") from None

    # ── The child ────────────────────────────────────────────────────────────────────────

    async def _running(self) -> asyncio.subprocess.Process:
        """The child, started where there is none or it has died."""
        child = self._child
        if child is not None and child.stdout is not None and not child.stdout.at_eof():
            return child
        await self._kill()
        self._child = child = await _start()
        try:
            async with asyncio.timeout(_START_WITHIN_S):
                ready = await _exchange(child, b"")
        except (TimeoutError, OSError, asyncio.IncompleteReadError, msgspec.DecodeError):
            await self._kill()
            how = presence.ending(child.returncode or 0)
            raise WorkerFailed(f"the process for photographs does not start: {how}") from None
        self._matching = isinstance(ready, Ready) and ready.matching
        return child

    async def _kill(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        if child.returncode is None:
            # Not child.kill(): it may reap the child, and then nobody learns how it ended.
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)
        await child.wait()


async def _start() -> asyncio.subprocess.Process:
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | _ONE_THREAD
    try:
        return await asyncio.create_subprocess_exec(
            *_CHILD,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            # An interrupt typed at a terminal is ours to pass on.
            start_new_session=True,
            preexec_fn=partial(presence.die_with_parent, signal.SIGKILL, os.getpid()),
        )
    except OSError as error:
        raise WorkerFailed(f"the process for photographs does not start: {error}") from error


async def _exchange(child: asyncio.subprocess.Process, job: bytes) -> Answer:
    """Write a job (or, to a new child, nothing) and read one answer."""
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(job)
    await child.stdin.drain()
    length = int.from_bytes(await child.stdout.readexactly(LENGTH_BYTES))
    if length > LARGEST_FRAME:
        raise msgspec.DecodeError(f"an answer of {length} bytes")
    return _ANSWERS.decode(await child.stdout.readexactly(length))


def _value(answer: Answer) -> Answer:
    """What the child said; raises what it means where it could not do the job."""
    if isinstance(answer, Refused):
        raise BadPicture(answer.code, answer.message)
    if isinstance(answer, Unavailable):
        raise MatchingUnavailable("photographs cannot be compared here: OpenCV is not installed")
    if isinstance(answer, TooHard):
        raise PictureTooHard("the picture needs more memory than any photograph should")
    return answer


def _expect(kind: type[_T], answer: Answer) -> _T:
    assert isinstance(answer, kind), f"expected {kind.__name__}, got {answer!r:.100}"
    return answer


def _fail(answer: asyncio.Future[Answer], failure: Exception) -> None:
    if not answer.done():
        answer.set_exception(failure)
