"""Bodies of requests: what can be written nowhere is refused before anybody works with it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.bodies import read
from gateway.core.problems import Problem


@pytest.mark.parametrize(
    "body",
    [
        rb'"\ud800"',
        rb'{"name":"\udc00"}',
        rb'{"provenance":["Kyoto, 1934","\ud800"]}',
        rb'{"terms":{"tiers":[{"label":"\ud83d"}]}}',
        rb'[[[[{"a":[{"\udfff":1}]}]]]]',
        rb'{"name":"\ude00\ud83d"}',
        b'["\xed\xa0\x80"]',  # as UTF-8 would write it, if it might
    ],
)
def test_half_a_pair_is_refused_wherever_it_lies(body: bytes) -> None:
    """In a value, in a list, in the key of an object in a list: it could not be written down."""
    with pytest.raises(Problem) as refused:
        read(body, Any)
    assert (refused.value.status, refused.value.code) == (400, "invalid")
    assert "Unicode" in str(refused.value.message)


def test_a_whole_pair_is_a_character() -> None:
    """Written as an escape or as itself, in texts and in keys."""
    body = rb'{"\ud83d\ude00":["\ud83d\ude00",{"a":"' + "😀".encode() + b'"}]}'
    found: Any = read(body, Any)
    assert found == {"😀": ["😀", {"a": "😀"}]}


def test_a_body_that_goes_very_deep_is_refused() -> None:
    """Not even reading it may fail in another way."""
    for levels in (900, 100_000):
        with pytest.raises(Problem):
            read(b"[" * levels + rb'"\ud800"' + b"]" * levels, Any)
