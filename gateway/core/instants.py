"""Instants in words: the day and the minute, and the zone they are told in."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Final

from gateway.core.phrases import Language

# As Intl writes months in short (en-GB, de-DE).
_MONTHS: Final[dict[Language, str]] = {
    "en": "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec",
    "de": "Jan. Feb. März Apr. Mai Juni Juli Aug. Sept. Okt. Nov. Dez.",
}


def format_instant(at: int, language: Language = "en", zone: tzinfo = UTC) -> str:
    """``24 Nov 2026, 14:20 UTC``, ``24. Nov. 2026, 14:20 London``; *at* is in milliseconds."""
    when = datetime.fromtimestamp(at / 1000, zone)
    place = str(zone).rpartition("/")[2].replace("_", " ")  # as people call a zone
    day = f"{when.day}." if language == "de" else f"{when.day}"
    month = _MONTHS[language].split()[when.month - 1]
    return f"{day} {month} {when:%Y, %H:%M} {place}"
