"""Pages of a list: a cursor is the name of the last item that was shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from gateway.core.problems import bad_field

T = TypeVar("T")


class Ends(NamedTuple):
    """The names of a page's first and last item; None: there is none."""

    start: str | None
    end: str | None


def page_of(
    found: Sequence[T], limit: int, cursor: str | None, named: Callable[[T], str]
) -> tuple[Sequence[T], Ends]:
    """At most *limit* items behind the cursor's, and the ends of this page.

    Raises ``Problem`` for a cursor that names nothing of the list.
    """
    start = 0
    if cursor is not None:
        places = [place for place, item in enumerate(found) if named(item) == cursor]
        if not places:
            raise bad_field("cursor", "the end cursor of an earlier page was expected")
        start = places[0] + 1
    page = found[start : start + limit]
    return page, ends_of([named(page[0]), named(page[-1])] if page else [])


def ends_of(names: Sequence[str]) -> Ends:
    """The ends of a page whose items have these names."""
    return Ends(names[0], names[-1]) if names else Ends(None, None)
