"""The child: ``python -m verifier.photographs.worker`` reads jobs and answers, until its
parent closes the pipe.

It limits itself before it reads the first job: memory, processor time for each job, no file
to write.  A picture that breaks it breaks nobody else.  Without OpenCV it still opens,
describes and strips pictures, and says ``Unavailable`` to what needs comparing.
"""

from __future__ import annotations

import hashlib
import os
import resource
import sys
from importlib import import_module
from typing import BinaryIO, Final, NamedTuple, assert_never

import msgspec
from PIL import Image

from verifier.photographs import decoding
from verifier.photographs.jobs import (
    LENGTH_BYTES,
    Answer,
    BadPicture,
    Enrol,
    Enrolled,
    Job,
    Look,
    Looked,
    Match,
    Ready,
    Refused,
    Renew,
    Renewed,
    Scores,
    Strip,
    Stripped,
    TooHard,
    Unavailable,
    frame,
)

# Address space, not resident memory: Python with OpenCV maps 0.6 GB before it does anything,
# and 50 megapixels take 0.2 GB as they are decoded and again as they become RGB.
_MEMORY: Final = 1536 * 1024 * 1024
_JOB_CPU_S: Final = 20  # the parent gives up after ten by the clock; this holds without it
_JOBS: Final[msgspec.msgpack.Decoder[Job]] = msgspec.msgpack.Decoder(Job)


def main() -> None:
    """Serve standard input until it ends."""
    jobs, answers = sys.stdin.buffer, _own_output()
    extras = Extras(_installed("numpy"), _installed("cv2"))
    _limit()
    answers.write(frame(Ready(extras.matching)))
    answers.flush()
    while head := jobs.read(LENGTH_BYTES):
        job = _JOBS.decode(jobs.read(int.from_bytes(head)))
        _limit_cpu()
        answers.write(frame(answer(job, extras)))
        answers.flush()


class Extras(NamedTuple):
    """Which of the libraries that are not always there are: NumPy, and with it OpenCV."""

    hashing: bool
    matching: bool


def answer(job: Job, extras: Extras) -> Answer:
    """Do one job.  Raises what only broken installations and broken templates can raise."""
    try:
        return _answer(job, extras)
    except BadPicture as refusal:
        return Refused(refusal.code, str(refusal))
    except MemoryError:
        return TooHard()


def _answer(job: Job, extras: Extras) -> Answer:
    match job:
        case Enrol():
            return _enrol(job, extras)
        case Renew():
            return _renew(job) if extras.matching else Unavailable()
        case Match():
            return _match(job) if extras.matching else Unavailable()
        case Look():
            picture = decoding.decode(job.photo)
            return Looked(picture.kind, picture.width, picture.height)
        case Strip():
            return Stripped(decoding.served(decoding.decode(job.photo)))
        case _:
            assert_never(job)


def _enrol(job: Enrol, extras: Extras) -> Enrolled:
    picture = decoding.decode(job.photo)
    normal = decoding.normalised(picture)
    return Enrolled(
        sha256=hashlib.sha256(job.photo).hexdigest(),
        width=picture.width,
        height=picture.height,
        pixel_sha256=decoding.pixel_sha256(normal),
        pdq=_pdq(normal) if extras.hashing else None,
        served=decoding.served(picture),
        binding=_bind(normal, job) if extras.matching else None,
    )


# NumPy and OpenCV may not be installed: only these import what needs them.


def _pdq(normal: Image.Image) -> str:
    import numpy as np

    from verifier.photographs.pdq import pdq

    return pdq(np.asarray(normal))[0]


def _bind(normal: Image.Image, job: Enrol) -> Renewed:
    import numpy as np

    from verifier.photographs import features

    others = [features.unpack(other) for other in job.others]
    template, shared_with = features.enrol(np.asarray(normal), job.anchors, others)
    return _worth(features.pack(template), len(template.anchors), job.anchors, shared_with)


def _renew(job: Renew) -> Renewed:
    from verifier.photographs import features

    others = [features.unpack(other) for other in job.others]
    template, shared_with = features.renew(features.unpack(job.template), job.anchors, others)
    return _worth(features.pack(template), len(template.anchors), job.anchors, shared_with)


def _worth(packed: bytes, found: int, wanted: int, shared_with: list[int]) -> Renewed:
    return Renewed(packed, found, found >= wanted, shared_with)


def _match(job: Match) -> Scores:
    import numpy as np

    from verifier.photographs import features

    query = features.detect(np.asarray(decoding.normalised(decoding.decode(job.photo))))
    return Scores(
        [
            features.score(photo_id, query, features.unpack(template))
            for photo_id, template in job.templates
        ]
    )


def _installed(library: str) -> bool:
    """Import it now, so that no job waits for it; is it there?"""
    try:
        import_module(library)
    except ImportError:
        return False
    return True


def _own_output() -> BinaryIO:
    """Standard output for ourselves; what a library prints goes where errors go."""
    ours = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(ours, "wb")


def _limit() -> None:
    if sys.platform == "linux":  # elsewhere the address space cannot be limited
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _limit_cpu() -> None:
    """The kernel counts a process's whole life, so the limit moves on with each job."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + 1 + _JOB_CPU_S
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard == resource.RLIM_INFINITY or soft < hard:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


if __name__ == "__main__":
    main()
