"""PDQ: 256 bits that stay nearly the same when a picture is saved again.

It finds the *same file* in another listing (a stolen photograph), and nothing else: a new
photograph of the same object has another hash.  The published algorithm (Meta,
ThreatExchange, "pdqhash"): luminance, two passes of a box filter along each side (Jarosz), 64 ×
64 samples of it, the sixteen lowest frequencies above zero of its cosine transform each way,
and a bit for each that is above their median.

The filter, the sampling and the transform are linear and act on rows and columns apart, so
each side is one matrix: the whole hash is ``D·A·luminance·Bᵀ·Dᵀ``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

_SAMPLES: Final = 64
_FREQUENCIES: Final = 16
_LUMINANCE: Final = np.array([0.299, 0.587, 0.114])
_COSINES: Final[Doubles] = np.sqrt(2 / _SAMPLES) * np.cos(
    np.pi / (2 * _SAMPLES) * np.outer(np.arange(1, _FREQUENCIES + 1), 2 * np.arange(_SAMPLES) + 1)
)


def pdq(rgb: npt.NDArray[np.uint8]) -> tuple[str, int]:
    """The hash as 64 hex digits, and how much there was to hash: 0 (nothing) to 100.

    A hash of quality below 50 is not worth comparing.
    """
    luminance = rgb @ _LUMINANCE
    height, width = luminance.shape
    samples = _sampling(height) @ luminance @ _sampling(width).T
    spectrum = _COSINES @ samples @ _COSINES.T
    median = np.sort(spectrum, axis=None)[_FREQUENCIES * _FREQUENCIES // 2 - 1]
    bits = (spectrum > median).ravel()
    # The reference prints its words from the highest down: the lowest frequency is last.
    return np.packbits(bits[::-1]).tobytes().hex(), _quality(samples)


def distance(one: str, other: str) -> int:
    """Bits in which two hashes differ: up to 31 of 256 is the same picture saved again."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


def _quality(samples: Doubles) -> int:
    """The steps between neighbouring samples, in whole hundredths of the range, added up."""
    steps = sum(
        int(np.abs(np.trunc(np.diff(samples, axis=axis) * 100 / 255)).sum()) for axis in (0, 1)
    )
    return min(steps // 90, 100)


@lru_cache(maxsize=8)
def _sampling(length: int) -> Doubles:
    """64 rows: what each sample takes of a side of ``length`` pixels."""
    box = _box(length)
    centres = ((np.arange(_SAMPLES) + 0.5) * length / _SAMPLES).astype(int)
    sampling: Doubles = box[centres] @ box
    return sampling


def _box(length: int) -> Doubles:
    """One pass of the filter, as wide as half a sample: a mean of what is in the window."""
    window = -(-length // (2 * _SAMPLES))
    ahead = (window + 2) // 2
    here, there = np.arange(length)[:, None], np.arange(length)[None, :]
    inside = (there >= here - (window - ahead)) & (there < here + ahead)
    box: Doubles = inside / inside.sum(axis=1, keepdims=True)
    return box
