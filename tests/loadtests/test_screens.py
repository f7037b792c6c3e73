"""The measurement of screens measures: at a small size, for its figures mean nothing here."""

from __future__ import annotations

import asyncio

from loadtests import screens


def test_every_price_is_seen_on_every_screen() -> None:
    """Each delay is a time that has passed, and from the bid it is no shorter than from its
    result."""
    figures = asyncio.run(screens.measure(screens.STEADY + 4))
    since_bid, since_result = figures[:3], figures[3:]
    assert len(since_result) == 3
    for bid, result in zip(since_bid, since_result, strict=True):
        assert 0 < bid.value < screens.SEEN_WITHIN_MS
        assert bid.value >= result.value
