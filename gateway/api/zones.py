"""Time zones by their names (IANA), whose rules lie on this machine or in ``tzdata``."""

from __future__ import annotations

from datetime import tzinfo
from zoneinfo import ZoneInfo

from gateway.core.problems import bad_field


def zone_of(name: str, field: str = "timeZone") -> tzinfo:
    """The zone of that name.  Raises ``Problem`` 400."""
    try:
        return ZoneInfo(name)
    # No such zone, a name that is no path within the rules, or the name of a folder of zones.
    except (KeyError, ValueError, OSError) as error:
        raise bad_field(field, "a time zone such as Europe/Berlin was expected") from error
