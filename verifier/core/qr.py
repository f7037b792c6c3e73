"""An object's link as a QR code: for the label, and for the catalogue.

Error level M (a seventh of the code may be scratched away), the quiet zone of four modules
that ISO/IEC 18004 demands, and the same bytes for the same link, always.
"""

from __future__ import annotations

import io
from typing import Final

import segno

QUIET_ZONE: Final = 4  # modules
SVG_SCALE: Final = 4  # px a module where nobody scales it
PNG_SCALE: Final = 8  # px a module: 61 modules are 488 px, 4 cm at 300 dpi


def svg(link: str) -> bytes:
    """The code as SVG; raises ``ValueError`` where *link* is longer than a code holds."""
    out = io.BytesIO()
    _code(link).save(out, kind="svg", scale=SVG_SCALE, border=QUIET_ZONE, light="#fff")
    return out.getvalue()


def png(link: str) -> bytes:
    """The code as PNG, black on white; raises ``ValueError`` as ``svg`` does."""
    out = io.BytesIO()
    _code(link).save(out, kind="png", scale=PNG_SCALE, border=QUIET_ZONE)
    return out.getvalue()


def _code(link: str) -> segno.QRCode:
    # boost_error would answer level Q where it fits: a code must not change with a letter.
    return segno.make_qr(link, error="m", boost_error=False)
