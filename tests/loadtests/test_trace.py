"""Reading trace files and comparing decisions with them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from loadtests.core.trace import BadTrace, Close, Decision, Trace, difference, read_traces


def recorded(**changes: Any) -> dict[str, Any]:
    """A recorded auction of two bids, as a line of a file holds it."""
    return {
        "id": "t1",
        "source": "made_up",
        "currency": "EUR",
        "exponent": 2,
        "format": "english",
        "opening": 1000,
        "increments": [[0, 100], [5000, 500]],
        "leader_raise": "freeze",
        "bids": [
            {"at": 0, "bidder": "b1", "max": 2000, "expect": "accepted", "price": 1000},
            {"at": 9, "bidder": "b2", "max": 1500, "expect": "accepted", "price": 1600},
        ],
        "expect": {"price": 1600, "winner": "b1"},
        **changes,
    }


def read(*lines: dict[str, Any] | bytes) -> list[Trace]:
    """The auctions of a file of these lines."""
    raw = [line if isinstance(line, bytes) else msgspec.json.encode(line) for line in lines]
    return read_traces([("a.jsonl", raw)])


RIGHT = [Decision("accepted", 1000), Decision("accepted", 1600)]
END = Close("sold", 1600, "b1")


def test_a_line_is_an_auction() -> None:
    """Blank lines and fields of later versions are passed over."""
    (trace,) = read(b"\n", recorded(mood="good"), b"  \n")
    assert (trace.id, len(trace.bids), trace.expect.winner) == ("t1", 2, "b1")
    terms = trace.terms()
    assert (terms.reserve, terms.closes_at, terms.extension_window_ms) == (None, None, 0)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b'{"id":', "truncated"),
        (b"\xff\xfe", "malformed"),
        (b"[]", "Expected `object`"),
        ({k: v for k, v in recorded().items() if k != "bids"}, "missing required field `bids`"),
        (recorded(opening=0), ">= 1"),
        (recorded(opening=10.5), "opening"),
        (recorded(format="dutch"), "format"),
        (recorded(increments=[]), "increments"),
        (recorded(increments=[[0, 0]]), "step is not positive|positive"),
        (recorded(bids=[{"at": 0, "bidder": "b1", "max": 5}]), "expect"),
        (recorded(leader_raise="melt"), "leader_raise"),
    ],
)
def test_a_bad_line_is_named(line: dict[str, Any] | bytes, complaint: str) -> None:
    """The complaint is one line and says which file, which line, and what."""
    with pytest.raises(BadTrace, match=rf"^a\.jsonl:2: .*({complaint})") as caught:
        read(recorded(), line)
    assert "\n" not in str(caught.value)


def test_an_auction_is_recorded_once() -> None:
    """The same id twice names both places, also across files."""
    line = msgspec.json.encode(recorded())
    with pytest.raises(BadTrace, match=r"^b\.jsonl:1: .*'t1' is already in a\.jsonl:1"):
        read_traces([("a.jsonl", [line]), ("b.jsonl", [line])])


def test_an_empty_file_is_no_recording() -> None:
    """A file without an auction is a mistake, not a success."""
    with pytest.raises(BadTrace, match=r"^a\.jsonl:1: holds no auction"):
        read(b"\n")


def test_what_was_decided_as_recorded_reproduces() -> None:
    """No difference, nothing to say."""
    assert difference(read(recorded())[0], RIGHT, END) is None


@pytest.mark.parametrize(
    ("decisions", "close", "found"),
    [
        (
            [Decision("refused", None, "below_asking_bid"), RIGHT[1]],
            END,
            "bid 1 (b1, limit 2000): refused (below_asking_bid), recorded accepted",
        ),
        (
            [RIGHT[0], Decision("accepted", 1601)],
            END,
            "bid 2 (b2, limit 1500): price 1601, recorded 1600",
        ),
        (RIGHT[:1], END, "1 bids were answered, 2 are recorded"),
        (RIGHT, Close("sold", 1700, "b1"), "final price 1700, recorded 1600"),
        (RIGHT, Close("sold", 1600, "b2"), "winner b2, recorded b1"),
        (RIGHT, Close("passed", 1600, "b1"), "closed as passed, not sold"),
    ],
)
def test_each_difference_is_found(decisions: list[Decision], close: Close, found: str) -> None:
    """An outcome, a price, the end: whatever differs is said, with both sides."""
    assert difference(read(recorded())[0], decisions, close) == found


def test_a_price_that_was_not_recorded_is_not_compared() -> None:
    """Where the recording is silent, the house is free."""
    bids = [{**bid, "price": None} for bid in recorded()["bids"]]
    trace = read(recorded(bids=bids))[0]
    assert difference(trace, [Decision("accepted", 7), Decision("accepted", 8)], END) is None
