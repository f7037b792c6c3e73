"""Lists page by page: nothing twice, nothing left out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.paging import Ends, ends_of, page_of
from gateway.core.problems import Problem


@given(st.integers(0, 30), st.integers(1, 7))
def test_page_after_page_is_the_whole_list(length: int, limit: int) -> None:
    """In the list's order; the page behind the last is empty and has no ends."""
    whole = [f"item_{number}" for number in range(length)]
    found: list[str] = []
    cursor: str | None = None
    for _ in range(length + 1):
        page, ends = page_of(whole, limit, cursor, str)
        assert len(page) <= limit
        if not page:
            assert ends == Ends(None, None)
            break
        assert ends == Ends(page[0], page[-1])
        found += page
        cursor = ends.end
    assert found == whole


def test_a_cursor_that_names_nothing_is_refused() -> None:
    """Rather than beginning again from the start."""
    with pytest.raises(Problem) as caught:
        page_of(["a", "b"], 1, "c", str)
    assert caught.value.status == 400


def test_the_ends_of_what_was_paged_elsewhere() -> None:
    """First and last; of nothing, none."""
    assert ends_of(["a", "b", "c"]) == Ends("a", "c")
    assert ends_of([]) == Ends(None, None)
