"""Pictures as files, honest and otherwise, made here so that none has to be kept."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Any

import numpy as np
from PIL import Image

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def waves(height: int, width: int, a: float, b: float, c: float) -> np.ndarray[Any, Any]:
    """A smooth picture out of arithmetic, the same everywhere."""
    y, x = np.mgrid[0:height, 0:width]
    grey = 128 + 60 * np.sin(x * a + y * b) + 50 * np.cos(x * y * c)
    layers = np.stack([grey, grey[::-1], grey[:, ::-1]], axis=-1)
    rgb: np.ndarray[Any, Any] = np.clip(layers, 0, 255).astype(np.uint8)
    return rgb


def blocks(height: int, width: int, n: int) -> np.ndarray[Any, Any]:
    """A picture of small squares, out of arithmetic."""
    y, x = np.mgrid[0:height, 0:width]
    grey = (x // 37 * 53 + y // 29 * 97 + (x * y) // n) % 256
    return np.stack([grey, grey * 3 % 256, 255 - grey], axis=-1).astype(np.uint8)


def photo(width: int = 320, height: int = 240) -> Image.Image:
    """Some photograph."""
    return Image.fromarray(waves(height, width, 0.05, 0.09, 0.0003))


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The picture as a file of that kind."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def archive() -> bytes:
    """A ZIP that opens."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as inside:
        inside.writestr("page.html", "<script>alert(1)</script>" * 40)
    return out.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    """A PNG's chunk with its length and checksum."""
    return len(body).to_bytes(4) + name + body + zlib.crc32(name + body).to_bytes(4)


def png(width: int, height: int, *more: bytes, bits: int = 1) -> bytes:
    """A black picture of one bit or eight a pixel, with further chunks after its header."""
    header = width.to_bytes(4) + height.to_bytes(4) + bytes([bits, 0, 0, 0, 0])
    packer = zlib.compressobj(9)
    row = bytes(1 + width * bits // 8)
    pixels = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    parts = [chunk(b"IHDR", header), *more, chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return PNG_MAGIC + b"".join(parts)


def bomb(megabytes: int) -> bytes:
    """So many megabytes of nothing, packed."""
    packer = zlib.compressobj(9)
    nothing = bytes(1024 * 1024)
    return b"".join(packer.compress(nothing) for _ in range(megabytes)) + packer.flush()
