"""From a stranger's bytes to pixels: what is refused, and what a picture is made to be.

The order is the defence.  First what costs nothing: the file's length, its first bytes, and
the walk along its parts to where it ends.  Then the header: one frame, and no more pixels than
a photograph has.  Only then is anything decoded.  What comes out is upright, RGB, and nothing
but pixels: no place, no owner, no thumbnail of what was cut away.  Colour profiles are dropped
too, so that a wide-gamut photograph is shown a little paler than it was.

A file that goes on after its picture's end may be something else to somebody else (a page, an
archive), so it is refused.  Two things may follow: zeros, with which cameras and disks fill up;
and what phones append to a JPEG, known by its first bytes (the further pictures of an MPF or a
gain map, a motion photo's film, Samsung's blocks).  Refusing those would turn away many honest
photographs.  They are cut off before anything reads them and are in no picture that is served;
whoever imitates them has smuggled nothing.

Promises: the same bytes give the same pixels, with the same Pillow.  Needs no OpenCV.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from verifier.photographs.jobs import BadPicture

LARGEST_FILE: Final = 25 * 1024 * 1024  # bytes
LARGEST_PICTURE: Final = 50_000_000  # pixels
SHORTEST_SIDE: Final = 64  # below it there is nothing to compare
NORMALISED_SIDE: Final = 800
SERVED_SIDE: Final = 1600
_SERVED_QUALITY: Final = 88
# A JPEG of quality 10 has a byte for 30 pixels or so.  A large picture that has one for more
# than 200 shows nothing, and is there to fill memory.
_PIXELS_PER_BYTE: Final = 200
_MAY_BE_FLAT: Final = 8_000_000  # pixels that do no harm however few bytes they were

_KINDS: Final = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG\r\n\x1a\n", "WEBP": b"RIFF"}
_EXPECTED: Final = "expected a photograph as JPEG, PNG or WebP"

# More parts than any camera or program writes; each costs the reader a turn of its loop.
_MOST_PARTS: Final = 20_000
_MOST_SCANS: Final = 32  # of a progressive JPEG; each is a walk over the whole picture
_MARKER: Final = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # neither stuffing nor a restart
_ZEROS: Final = re.compile(rb"\0{0,65535}\Z")
_CAMERA_TRAILER: Final = re.compile(
    rb"\0{0,65535}(?:\xff\xd8\xff|.{1,4}ftyp)"  # a further JPEG, or a film
    rb"|\0\0.\n.\0\0\0[A-Z]",  # a block of Samsung's: type, length of its name, its name
    re.DOTALL,
)

_PNG_PARTS: Final = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"eXIf")
_LONGEST_EXIF: Final = 65_535  # as in a JPEG
_ORIENTATION: Final = 0x0112  # EXIF 2.32, table 4
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS: Final = (5, 6, 7, 8)


@dataclass(frozen=True, slots=True)
class Picture:
    """An upright RGB picture, and what its file said of it.

    ``width`` and ``height`` are those of the whole photograph; ``pixels`` is at most
    ``SERVED_SIDE`` long and carries no metadata.
    """

    kind: str
    width: int
    height: int
    pixels: Image.Image


def decode(photo: bytes) -> Picture:
    """The whole way from bytes to pixels.  Raises ``BadPicture``, and ``MemoryError``."""
    kind = _kind(photo)
    with _refusing():
        only_picture = _CUT[kind](photo)
        image = _open(kind, only_picture)
    _check(image, len(only_picture))
    with _refusing():
        width, height = image.size
        # libjpeg halves and quarters for nearly nothing while it decodes; others ignore it.
        image.draft("RGB", _within(image.size, SERVED_SIDE))
        image.load()
        turn = _orientation(image)
        upright = _only_pixels(_resized(image, SERVED_SIDE))
    if turn in _TURNS:
        upright = upright.transpose(_TURNS[turn])
    if turn in _SIDEWAYS:
        width, height = height, width
    return Picture(kind, width, height, upright)


def normalised(picture: Picture) -> Image.Image:
    """The picture as it is compared: its longest side 800 pixels, whatever it was."""
    size = _within(picture.pixels.size, NORMALISED_SIDE)
    return picture.pixels.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def pixel_sha256(image: Image.Image) -> str:
    """Hex digest of the RGB bytes, row by row."""
    return hashlib.sha256(image.tobytes()).hexdigest()


def served(picture: Picture) -> bytes:
    """A JPEG of the pixels alone, to be shown to anybody."""
    out = io.BytesIO()
    picture.pixels.save(out, "JPEG", quality=_SERVED_QUALITY)
    return out.getvalue()


# ── What costs nothing: kind, parts, end ─────────────────────────────────────────────────


def _kind(photo: bytes) -> str:
    """The kind by its first bytes, whatever the file's name or its sender said."""
    if not photo:
        raise BadPicture("not_a_picture", f"{_EXPECTED}, got nothing")
    if len(photo) > LARGEST_FILE:
        raise BadPicture("too_large", f"expected at most 25 MB, got {len(photo)} bytes")
    for kind, magic in _KINDS.items():
        if photo.startswith(magic) and (kind != "WEBP" or photo[8:12] == b"WEBP"):
            return kind
    raise BadPicture("unsupported", f"{_EXPECTED}, got something else")


def _cut_jpeg(photo: bytes) -> bytes:
    """The first picture of the file, up to its end-of-image marker."""
    position, scans = 2, 0
    for _ in range(_MOST_PARTS):
        found = _MARKER.search(photo, position)
        if found is None:
            raise _cut_short()
        marker, position = photo[found.end() - 1], found.end()
        if marker == 0xD9:
            _check_rest(photo[position:], camera=True)
            return photo[:position]
        scans += marker == 0xDA
        if scans > _MOST_SCANS:
            break
        if marker not in (0x01, 0xD8):  # these two have no length
            position += int.from_bytes(photo[position : position + 2])
    raise BadPicture("not_a_picture", "expected a photograph, got a JPEG of far too many parts")


def _cut_png(photo: bytes) -> bytes:
    """The chunks that make the picture.  Texts and profiles, which may unpack to gigabytes,
    are not even looked at."""
    kept, position = [photo[:8]], 8
    for _ in range(_MOST_PARTS):
        length, name = int.from_bytes(photo[position : position + 4]), photo[position + 4 :][:4]
        end = position + 12 + length
        if len(name) < 4 or end > len(photo):
            raise _cut_short()
        if name in _PNG_PARTS and (name != b"eXIf" or length <= _LONGEST_EXIF):
            kept.append(photo[position:end])
        position = end
        if name == b"IEND":
            _check_rest(photo[end:])
            return b"".join(kept)
    raise BadPicture("not_a_picture", "expected a photograph, got a PNG of far too many parts")


def _cut_webp(photo: bytes) -> bytes:
    """The RIFF container, as long as it says it is."""
    end = 8 + int.from_bytes(photo[4:8], "little")
    if end > len(photo):
        raise _cut_short()
    _check_rest(photo[end:])
    return photo[:end]


_CUT: Final = {"JPEG": _cut_jpeg, "PNG": _cut_png, "WEBP": _cut_webp}


def _check_rest(rest: bytes, *, camera: bool = False) -> None:
    if _ZEROS.match(rest) or (camera and _CAMERA_TRAILER.match(rest)):
        return
    raise BadPicture(
        "unsupported", f"{_EXPECTED} and nothing else, got {len(rest)} bytes after its end"
    )


def _cut_short() -> BadPicture:
    return BadPicture("not_a_picture", "expected a whole photograph, got the beginning of one")


# ── The header ───────────────────────────────────────────────────────────────────────────


def _open(kind: str, photo: bytes) -> Image.Image:
    """The file's header, read."""
    if kind == "JPEG":
        # Not Image.open: of a file with an MPF it makes a picture of several frames, of which
        # the others have been cut off.
        return JpegImageFile(io.BytesIO(photo))
    return Image.open(io.BytesIO(photo), formats=[kind])


def _check(image: Image.Image, size: int) -> None:
    width, height = image.size
    pixels = width * height
    if pixels > LARGEST_PICTURE:
        raise _too_many(f"{width} × {height}")
    if pixels > max(_MAY_BE_FLAT, size * _PIXELS_PER_BYTE):
        raise _too_many(f"{width} × {height} in {size} bytes, which no photograph fits in")
    if min(width, height) < SHORTEST_SIDE:
        raise BadPicture(
            "too_small", f"expected {SHORTEST_SIDE} or more pixels a side, got {width} × {height}"
        )
    if getattr(image, "n_frames", 1) != 1:
        raise BadPicture("several_frames", "expected one still picture, got several")
    if image.mode.startswith(("I", "F")):
        raise BadPicture("unsupported", "expected 8 bits a channel, got more")


def _too_many(got: str) -> BadPicture:
    return BadPicture("too_many_pixels", f"expected at most 50 megapixels, got {got}")


@contextmanager
def _refusing() -> Iterator[None]:
    """Say ``BadPicture`` for whatever a broken file does to its reader."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except (BadPicture, MemoryError):
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise _too_many("far more") from None
    except Exception as error:
        # Pillow's readers fail in a dozen ways (OSError, SyntaxError, struct.error, KeyError,
        # zlib.error …); each of them means that these bytes are no picture.
        raise BadPicture("not_a_picture", f"{_EXPECTED}, got a damaged one") from error


# ── Pixels ───────────────────────────────────────────────────────────────────────────────


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        return 1  # damaged metadata is no reason to refuse a picture; it is dropped anyway


def _within(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """The size of the same shape whose longest side is ``longest``."""
    factor = longest / max(size)
    return max(round(size[0] * factor), 1), max(round(size[1] * factor), 1)


def _resized(image: Image.Image, longest: int) -> Image.Image:
    """Not longer than ``longest``, in a mode that can be averaged."""
    if image.mode in ("1", "P", "PA") or "transparency" in image.info:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if max(image.size) <= longest:
        return image
    return image.resize(_within(image.size, longest), Image.Resampling.LANCZOS, reducing_gap=3.0)


def _only_pixels(image: Image.Image) -> Image.Image:
    """RGB on white, without what the file said beside: what was transparent stays unseen."""
    clean = Image.new("RGB", image.size, "white")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        clean.paste(image, mask=image.getchannel("A"))
    else:
        clean.paste(image.convert("RGB"))
    return clean
