"""Instants as the house says them: with an offset, or in the local time of a time zone.

A local time is turned into an instant once, when it is said; from then on there are only
instants.  Twice a year that is not obvious: a time that the clocks skip is refused, with the
reason, and of a time that comes twice the first is meant (RFC 5545, 3.3.5).  Whoever means
the second says its offset.

Pure: the zone is handed in, for its rules are files.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

_WRITTEN: Final = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?", re.ASCII
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 9990  # the log's own times end with 9999, extensions included


class BadTime(ValueError):
    """A text that is no instant; one line says what is wrong with it."""


def read_instant(text: str, zone: tzinfo) -> int:
    """An ISO 8601 date and time → milliseconds since the epoch; without an offset, in *zone*.

    What is finer than a millisecond is cut off.  Raises ``BadTime``.
    """
    if not _WRITTEN.fullmatch(text):
        raise BadTime("a time such as 2026-11-22T19:30 or 2026-11-22T18:30:00Z was expected")
    try:
        said = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadTime(f"there is no such time: {error}") from error
    if not _FIRST_YEAR <= said.year <= _LAST_YEAR:
        raise BadTime(f"a year from {_FIRST_YEAR} to {_LAST_YEAR} was expected")
    if said.tzinfo is None:
        _check_exists(said, zone)
        said = said.replace(tzinfo=zone)
    instant = (said - _EPOCH) // timedelta(milliseconds=1)
    if instant < 0:
        raise BadTime("a time after the beginning of 1970 was expected")
    return instant


def _check_exists(local: datetime, zone: tzinfo) -> None:
    """A time that was skipped does not come back from its instant as it was said."""
    there = local.replace(tzinfo=zone)
    back = there.astimezone(UTC).astimezone(zone).replace(tzinfo=None)
    if back != local:
        raise BadTime(f"the clocks of {zone} skip {local:%Y-%m-%d %H:%M}; {back:%H:%M} is meant?")
