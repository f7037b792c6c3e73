"""Recorded auctions decided again: every outcome, every price, and the winner.

``tests/data`` holds a few that were invented by hand, for both answers to a leader's raise.
A checkout that has the shared recordings of real auctions beside it replays those as well.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.core.increments import table
from engine.core.messages import (
    AddLot,
    BidAccepted,
    Catalogue,
    CloseLot,
    CreateSale,
    LotClosed,
    OpenLot,
    PlaceBid,
    Terms,
)
from engine.core.sale import Shard, execute
from tests.engine.core.reference import Auction, Rules

CHECKOUT = Path(__file__).parents[3]
OWN = CHECKOUT / "tests" / "data" / "saleroom.trace.jsonl"
SHARED = sorted((CHECKOUT.parent / "shared" / "data").glob("*.trace.jsonl"))

SALE, LOT = "seq_trace", "auction_trace_1"

Trace = dict[str, Any]


def traces(file: Path) -> list[Trace]:
    """The recorded auctions of one file."""
    return [json.loads(line) for line in file.read_text().splitlines()]


def difference_in_engine(trace: Trace) -> str | None:
    """The first thing that the engine decided otherwise than was recorded."""
    terms = Terms(
        trace["opening"],
        table([(start, step) for start, step in trace["increments"]]),
        leader_raise=trace["leader_raise"],
    )
    shard = Shard()
    execute(shard, CreateSale(SALE, trace["id"], trace["currency"], trace["exponent"]), 0)
    execute(shard, AddLot(LOT, SALE, terms, Catalogue("1", trace["id"])), 0)
    execute(shard, OpenLot(LOT), 0)
    for number, bid in enumerate(trace["bids"]):
        command = PlaceBid(LOT, bid["bidder"], str(number), bid["max"], "max")
        (event,) = execute(shard, command, bid["at"])
        outcome = "accepted" if isinstance(event, BidAccepted) else "refused"
        price = shard.lots[LOT].price
        if (outcome, price) != (bid["expect"], bid.get("price", price)):
            return f"{trace['id']} bid {number}: {outcome} at {price}, recorded {bid}"
    closed = execute(shard, CloseLot(LOT), trace["bids"][-1]["at"])[0]
    assert isinstance(closed, LotClosed)
    end = {"price": closed.after.price, "winner": closed.winner}
    return None if end == trace["expect"] else f"{trace['id']}: {end}, not {trace['expect']}"


def difference_in_reference(trace: Trace) -> str | None:
    """The same question to the reference, to know that the two can be compared at all."""
    tiers = tuple((start, step) for start, step in trace["increments"])
    recompute = trace["leader_raise"] == "recompute"
    auction = Auction(Rules(opening=trace["opening"], tiers=tiers, recompute=recompute))
    auction.happens(0, "open")
    for number, bid in enumerate(trace["bids"]):
        (news,) = auction.happens(bid["at"], "max", bid["bidder"], bid["max"])
        price = auction.figures()[0]
        if (news[0], price) != (bid["expect"], bid.get("price", price)):
            return f"{trace['id']} bid {number}: {news}, recorded {bid}"
    closed = auction.happens(trace["bids"][-1]["at"], "close")[0]
    expected = ("sold", trace["expect"]["winner"], trace["expect"]["price"])
    return None if closed == expected else f"{trace['id']}: {closed}, not {expected}"


def test_our_own_traces_cover_what_they_should() -> None:
    """Both answers to a leader's raise, refusals, and the price after every accepted bid."""
    own = traces(OWN)

    assert {trace["leader_raise"] for trace in own} == {"freeze", "recompute"}
    for trace in own:
        assert all("price" in bid for bid in trace["bids"] if bid["expect"] == "accepted")
        assert "refused" in {bid["expect"] for bid in trace["bids"]}
        assert sorted(bid["at"] for bid in trace["bids"]) == [bid["at"] for bid in trace["bids"]]


@pytest.mark.parametrize("file", [OWN, *SHARED], ids=lambda file: file.stem)
def test_every_recorded_auction_is_reproduced(file: Path) -> None:
    """No tolerance: one bid answered otherwise and the recording is not reproduced."""
    differences = [found for trace in traces(file) if (found := difference_in_engine(trace))]

    assert differences == []


@pytest.mark.parametrize("file", [OWN, *SHARED], ids=lambda file: file.stem)
def test_the_reference_reproduces_them_too(file: Path) -> None:
    """The naive reading of the rules agrees with what real houses did."""
    differences = [found for trace in traces(file) if (found := difference_in_reference(trace))]

    assert differences == []


@pytest.mark.parametrize("trace", traces(OWN), ids=lambda trace: trace["id"])
def test_a_recording_with_one_figure_changed_is_not_reproduced(trace: Trace) -> None:
    """The comparison bites: on a bid's outcome, on a price, on the end."""
    bids = trace["bids"]
    last = bids[-1] | {"expect": "refused" if bids[-1]["expect"] == "accepted" else "accepted"}
    dearer = bids[1] | {"price": bids[1].get("price", 0) + 1}
    end = trace["expect"] | {"price": trace["expect"]["price"] + 1}

    assert difference_in_engine(trace | {"bids": [*bids[:-1], last]})
    assert difference_in_engine(trace | {"bids": [bids[0], dearer, *bids[2:]]})
    assert difference_in_engine(trace | {"expect": end})
