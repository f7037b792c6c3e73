"""What is asked of the child process, what it answers, and how both become bytes.

A frame is four bytes of length and a MessagePack body.  The parent writes one job, and reads
one answer, before it writes the next.  Neither Pillow nor OpenCV is imported here: the parent
never touches a stranger's picture.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

ALGORITHM: Final = "sift1000/magsac/v1"
LENGTH_BYTES: Final = 4
LARGEST_FRAME: Final = 64 * 1024 * 1024  # a photograph of 25 MB with a hundred templates

BadPictureCode = Literal[
    "too_large", "too_many_pixels", "unsupported", "several_frames", "not_a_picture", "too_small"
]


class BadPicture(Exception):
    """A picture that is not taken, and why; the text says what would have been.

    ``code``, and what HTTP calls it: ``too_large`` and ``too_many_pixels`` 413,
    ``unsupported`` and ``several_frames`` 415, ``not_a_picture`` and ``too_small`` 400.
    """

    def __init__(self, code: BadPictureCode, message: str) -> None:
        super().__init__(message)
        self.code: BadPictureCode = code


class MatchingUnavailable(Exception):
    """OpenCV is not installed (the extra ``photo``): nothing can be compared here."""


class Enrol(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """A reference photograph: checked, described, and made into a template.

    ``others`` are templates of up to four other objects of the house: what the photograph has
    in common with them (a colour card, a backdrop) does not speak for the object.
    """

    photo: bytes
    anchors: int
    others: list[bytes]


class Renew(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """A template without what it has in common with ``others`` either; needs no photograph.

    What was left out before stays out.
    """

    template: bytes
    anchors: int
    others: list[bytes]


class Look(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """Is this a picture at all?  Answered by ``Looked``."""

    photo: bytes


class Match(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """A fresh photograph against the templates of one object's angles, each with its id."""

    photo: bytes
    templates: list[tuple[str, bytes]]


class Strip(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """A picture's pixels without anything else that was in the file."""

    photo: bytes


Job = Enrol | Renew | Look | Match | Strip


class Ready(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """The child's first frame: whether it can compare, and with what."""

    matching: bool


class Renewed(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """A template, and what it is worth.

    ``shared_with`` are the places in ``others`` of those that show the same scenery: their
    templates should be renewed with this one among *their* others.
    """

    template: bytes
    anchors_found: int
    matchable: bool
    shared_with: list[int]


class Enrolled(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """What is kept of a reference photograph.

    ``width`` and ``height`` are the upright photograph's own.  ``pixel_sha256`` is of the
    normalised picture's RGB bytes.  ``served`` is a JPEG without metadata, to be shown.
    ``pdq`` is hex, and None without NumPy; ``binding`` is None without OpenCV.
    """

    sha256: str
    width: int
    height: int
    pixel_sha256: str
    pdq: str | None
    served: bytes
    binding: Renewed | None

    @property
    def template(self) -> bytes | None:
        """What fresh photographs are compared with; to be kept from the public."""
        return None if self.binding is None else self.binding.template

    @property
    def anchors_found(self) -> int | None:
        """How many of the anchors asked for the photograph yielded."""
        return None if self.binding is None else self.binding.anchors_found

    @property
    def matchable(self) -> bool:
        """Are there as many anchors as were asked for?"""
        return self.binding is not None and self.binding.matchable


class Looked(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """A picture's kind ("JPEG", "PNG", "WEBP") and the upright size in pixels."""

    kind: str
    width: int
    height: int


class Score(msgspec.Struct, array_like=True, frozen=True):
    """What a fresh photograph and one template have in common.

    ``inliers`` are points that agree in place, direction and scale; ``anchors`` how many
    anchors are among them, of ``anchors_of``; ``coverage`` the share (0…1) of the template's
    8×8 fields with points in which at least one agreed.
    """

    photo_id: str
    inliers: int
    anchors: int
    anchors_of: int
    coverage: float


class Scores(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """One score a template, in the order they were given."""

    scores: list[Score]


class Stripped(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """The picture as a JPEG that holds pixels only."""

    jpeg: bytes


class Refused(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """``BadPicture``, on its way to the parent."""

    code: BadPictureCode
    message: str


class Unavailable(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """``MatchingUnavailable``, on its way to the parent."""


class TooHard(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """The picture needed more memory than the child may have."""


Answer = Ready | Enrolled | Renewed | Looked | Scores | Stripped | Refused | Unavailable | TooHard


def frame(message: Job | Answer) -> bytes:
    """A message with its length before it.  Raises ``ValueError`` where it is too long."""
    body = msgspec.msgpack.encode(message)
    if len(body) > LARGEST_FRAME:
        raise ValueError(f"a job of {len(body)} bytes is more than {LARGEST_FRAME}")
    return len(body).to_bytes(LENGTH_BYTES) + body
