"""QR codes: what is printed is scanned back to the letter."""

from __future__ import annotations

import io
import re
from itertools import product

import pytest
import segno

from verifier.core.links import DEMONSTRATION_GTIN, build_link
from verifier.core.qr import PNG_SCALE, QUIET_ZONE, png, svg

LINK = build_link("https://v.example.org", DEMONSTRATION_GTIN, "AUC260218FKC5SKSEZ")
SHORT = build_link("https://v.example.org", DEMONSTRATION_GTIN, "S1")  # level Q would fit
SIGNED = LINK + "?kid=abcdefgh&sig=" + "Zz9_-" * 17 + "A"


@pytest.mark.parametrize("link", [SHORT, LINK, SIGNED])
def test_a_camera_reads_the_link(link: str) -> None:
    """The picture goes through an independent reader."""
    cv2 = pytest.importorskip("cv2")
    np = pytest.importorskip("numpy")
    picture = cv2.imdecode(np.frombuffer(png(link), np.uint8), cv2.IMREAD_GRAYSCALE)
    read, _, _ = cv2.QRCodeDetector().detectAndDecode(picture)
    assert read == link


@pytest.mark.parametrize("link", [SHORT, LINK, SIGNED])
def test_both_pictures_show_the_same_modules(link: str) -> None:
    """Level M, as computed, with a quiet zone of four modules around it."""
    expected = dark_of_matrix(link)
    assert dark_of_svg(svg(link)) == expected
    assert dark_of_png(png(link)) == expected


def test_the_signed_link_fits_a_label() -> None:
    """61 modules with the quiet zone: 24 mm at 0.4 mm a module."""
    size = round(max(row for row, _ in dark_of_matrix(SIGNED)) + 1 + QUIET_ZONE)
    assert size == 61


def test_the_same_link_gives_the_same_bytes() -> None:
    """No time, no chance is in a picture."""
    assert svg(LINK) == svg(LINK)
    assert png(LINK) == png(LINK)


def test_a_link_that_no_code_holds_is_refused() -> None:
    """Version 40 at level M ends at 2 331 bytes."""
    for draw in (svg, png):
        with pytest.raises(ValueError, match="too large"):
            draw("x" * 3_000)


Modules = set[tuple[int, int]]  # dark ones, (row, column), the quiet zone counted


def dark_of_matrix(link: str) -> Modules:
    matrix = segno.make_qr(link, error="m", boost_error=False).matrix
    dark = ((row, at) for row, line in enumerate(matrix) for at, bit in enumerate(line) if bit)
    return {(row + QUIET_ZONE, at + QUIET_ZONE) for row, at in dark}


def dark_of_png(picture: bytes) -> Modules:
    image = pytest.importorskip("PIL.Image").open(io.BytesIO(picture)).convert("L")
    assert image.width == image.height
    middle = PNG_SCALE // 2
    places = product(range(image.width // PNG_SCALE), repeat=2)
    pixel = image.getpixel
    return {
        (row, at)
        for row, at in places
        if pixel((at * PNG_SCALE + middle, row * PNG_SCALE + middle)) < 128
    }


def dark_of_svg(picture: bytes) -> Modules:
    """Draws the path: horizontal strokes one module thick, moved to relatively."""
    path = re.search(rb'class="qrline" stroke="#000" d="M([^"]+)"', picture)
    assert path is not None
    dark: Modules = set()
    row, column = 0.0, 0
    for move, stroke in re.findall(r"([-\d. ]+)h(\d+)", path[1].decode().replace("m", " ")):
        across, down = map(float, move.split())
        row, column = row + down, column + round(across)
        dark |= {(int(row), at) for at in range(column, column + int(stroke))}
        column += int(stroke)
    return dark
