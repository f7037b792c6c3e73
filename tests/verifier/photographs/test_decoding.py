"""What is taken as a photograph, what is refused, and what is left of it."""

from __future__ import annotations

import contextlib
import hashlib
import io

import pytest
from PIL import Image, ImageOps

from tests.verifier.photographs.files import archive, blocks, bomb, chunk, photo, png, saved
from verifier.photographs.decoding import (
    LARGEST_FILE,
    decode,
    normalised,
    pixel_sha256,
    served,
)
from verifier.photographs.jobs import BadPicture

GIF = saved(photo(), "GIF")
JPEG = saved(photo(), "JPEG", quality=90)
FLAT = saved(Image.new("RGB", (100, 100), "white"), "JPEG")
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
SAMSUNG = b"\0\0\x01\x0a\x0e\0\0\0Image_UTC_Data1600000000000SEFHj\0\0\0SEFT"
FILM = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + bytes(100)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_photograph_of_each_kind_is_taken(kind: str) -> None:
    """Its kind, its size and its pixels; the pixels are RGB."""
    picture = decode(saved(photo(320, 240), kind))
    assert (picture.kind, picture.width, picture.height) == (kind, 320, 240)
    assert (picture.pixels.mode, picture.pixels.size) == ("RGB", (320, 240))


@pytest.mark.parametrize(
    ("what", "file", "code"),
    [
        ("nothing", b"", "not_a_picture"),
        ("GIF", GIF, "unsupported"),
        ("SVG", SVG, "unsupported"),
        ("HTML", b"<!doctype html><title>x</title>", "unsupported"),
        ("ZIP", archive(), "unsupported"),
        ("a RIFF that is a sound", b"RIFF\x24\0\0\0WAVEfmt " + bytes(24), "unsupported"),
        ("TIFF", saved(photo(), "TIFF"), "unsupported"),
        ("only magic", b"\xff\xd8\xff", "not_a_picture"),
        ("half a JPEG", JPEG[: len(JPEG) // 2], "not_a_picture"),
        ("half a PNG", saved(photo(), "PNG")[:9000], "not_a_picture"),
        ("half a WebP", saved(photo(), "WEBP")[:900], "not_a_picture"),
        ("JPEG of many scans", JPEG[:-2] + b"\xff\xda\0\x02" * 40 + JPEG[-2:], "not_a_picture"),
        ("JPEG of many parts", JPEG[:2] + b"\xff\xe1\0\x02" * 30_000 + JPEG[2:], "not_a_picture"),
        ("PNG of many parts", png(99, 99, chunk(b"tEXt", b"") * 30_000), "not_a_picture"),
        ("JPEG and ZIP", JPEG + archive(), "unsupported"),
        ("PNG and ZIP", saved(photo(), "PNG") + archive(), "unsupported"),
        ("WebP and page", saved(photo(), "WEBP") + b"<html>", "unsupported"),
        ("JPEG and a megabyte of zeros", JPEG + bytes(1024 * 1024), "unsupported"),
        ("12000 × 12000", png(12_000, 12_000), "too_many_pixels"),
        ("30000 × 30000", png(30_000, 30_000), "too_many_pixels"),
        ("49 megapixels of nothing", png(7_000, 7_000), "too_many_pixels"),
        ("tiny", saved(photo(63, 200), "PNG"), "too_small"),
        (
            "moving PNG",
            saved(photo(), "PNG", save_all=True, append_images=[photo().rotate(9)]),
            "several_frames",
        ),
        (
            "moving WebP",
            saved(photo(), "WEBP", save_all=True, append_images=[photo().rotate(9)]),
            "several_frames",
        ),
        ("16 bits", saved(Image.new("I;16", (99, 99)), "PNG"), "unsupported"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whatever_is_no_photograph_is_refused(what: str, file: bytes, code: str) -> None:
    """With a code, and a sentence that says what was expected."""
    with pytest.raises(BadPicture, match="expected") as refused:
        decode(file)
    assert refused.value.code == code, what


def test_a_file_may_have_25_megabytes() -> None:
    """One byte more is refused before anything is read."""
    with pytest.raises(BadPicture, match="25 MB") as refused:
        decode(JPEG + bytes(LARGEST_FILE))
    assert refused.value.code == "too_large"


@pytest.mark.parametrize(
    "trailer",
    [b"", bytes(512), FLAT, bytes(300) + FLAT, FILM, SAMSUNG],
    ids=["nothing", "zeros", "a further JPEG", "after zeros", "a film", "Samsung's"],
)
def test_what_cameras_append_is_cut_off(trailer: bytes) -> None:
    """An honest phone's photograph is taken, and is the same without its trailer."""
    picture = decode(JPEG + trailer)
    assert pixel_sha256(picture.pixels) == pixel_sha256(decode(JPEG).pixels)


def test_a_photograph_of_several_pictures_is_its_first() -> None:
    """Phones write MPF files, whose further pictures are gain maps and previews."""
    both = saved(photo(), "MPO", save_all=True, append_images=[Image.new("RGB", (99, 99))])
    assert b"MPF\0" in both
    assert decode(both).pixels.size == (320, 240)


@pytest.mark.parametrize("name", [b"iCCP", b"zTXt", b"iTXt"])
def test_packed_chunks_are_not_unpacked(name: bytes) -> None:
    """A profile or a text of 16 MB costs nothing: nobody looks at it."""
    body = {b"iCCP": b"x\0\0", b"zTXt": b"x\0\0", b"iTXt": b"x\0\1\0\0\0"}[name] + bomb(16)
    assert decode(png(200, 200, chunk(name, body))).pixels.size == (200, 200)


def test_a_huge_chunk_is_passed_over() -> None:
    """Twenty megabytes that are none of the picture's are not kept."""
    assert decode(png(200, 200, chunk(b"junk", bytes(20_000_000)))).pixels.size == (200, 200)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_upright(orientation: int) -> None:
    """What EXIF says of how the camera was held is carried out, and forgotten."""
    image = Image.fromarray(blocks(200, 300, 700))
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "Lady Audley's bedroom"
    file = saved(image, "PNG", exif=exif)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(file)))
    picture = decode(file)
    assert picture.pixels.tobytes() == expected.tobytes()
    assert (picture.width, picture.height) == expected.size
    assert not picture.pixels.info
    assert not picture.pixels.getexif()


def test_damaged_metadata_harm_nobody() -> None:
    """A picture whose EXIF makes no sense is a picture all the same."""
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(range(256)) * 4
    assert decode(saved(photo(), "JPEG", exif=exif)).pixels.size == (320, 240)


def test_what_is_served_has_pixels_only() -> None:
    """Neither place, owner, profile nor what was hidden in a comment is in the served file."""
    exif = Image.Exif()
    exif[0x013B] = "Jane Owner"
    exif.get_ifd(0x8825)[2] = (51.0, 30.0, 0.0)
    file = saved(photo(), "JPEG", exif=exif, comment=archive(), icc_profile=b"secret" * 9)
    out = served(decode(file))
    assert not any(word in out for word in (b"Jane", b"Exif", b"PK\x03\x04", b"ICC", b"secret"))
    with Image.open(io.BytesIO(out)) as image:
        assert (image.format, image.size) == ("JPEG", (320, 240))
        assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_what_was_transparent_stays_unseen() -> None:
    """Colours under a transparent part are white, not what somebody left there."""
    image = Image.new("RGBA", (100, 100), (200, 10, 10, 0))
    image.paste((10, 200, 10, 255), (0, 0, 50, 100))
    pixels = decode(saved(image, "PNG")).pixels
    assert pixels.getpixel((10, 10)) == (10, 200, 10)
    assert pixels.getpixel((90, 10)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("size", "normal", "shown"),
    [((2400, 1800), (800, 600), (1600, 1200)), ((300, 400), (600, 800), (300, 400))],
)
def test_sizes(size: tuple[int, int], normal: tuple[int, int], shown: tuple[int, int]) -> None:
    """800 on the longest side to be compared, at most 1600 to be shown."""
    picture = decode(saved(Image.fromarray(blocks(size[1], size[0], 700)), "JPEG"))
    assert (picture.width, picture.height) == size
    assert normalised(picture).size == normal
    assert picture.pixels.size == shown


def test_the_digest_is_of_the_pixels() -> None:
    """The same pixels in another file have the same digest; one other pixel has another."""
    image = photo()
    one, other = decode(saved(image, "PNG")), decode(saved(image, "WEBP", lossless=True))
    assert pixel_sha256(one.pixels) == pixel_sha256(other.pixels)
    assert pixel_sha256(one.pixels) == hashlib.sha256(image.tobytes()).hexdigest()
    image.putpixel((3, 3), (1, 2, 3))
    assert pixel_sha256(decode(saved(image, "PNG")).pixels) != pixel_sha256(one.pixels)


def test_every_bit_flip_of_a_header_is_a_picture_or_refused() -> None:
    """No damage escapes as another error."""
    small = saved(photo(80, 80), "JPEG")
    for place in range(2, min(len(small), 400)):
        for bit in (1, 16, 128):
            damaged = bytearray(small)
            damaged[place] ^= bit
            with contextlib.suppress(BadPicture):
                decode(bytes(damaged))
