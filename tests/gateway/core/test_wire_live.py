"""The live protocol's answers are what their types say, and the pages' types are made of those.

Real frames are read strictly: a field that no type has, a missing one and a wrong value are all
seen.  Every frame that an integration test hears is read so too (``tests/integration/live.py``).
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine.core.messages import BidAccepted, BidRefused, Event, LotEvent
from gateway.core import frames, rostrum
from gateway.core.rostrum import Reach
from gateway.core.view import Saleroom
from gateway.core.wire.live import Told
from tests.gateway.decisions import Crowd, decided, sale_of_lots
from tools import wire_types


def read(frame: frames.Json) -> Any:
    """A frame by its type.  Raises ``ValidationError``."""
    return msgspec.convert(frame, Told)


def _of(saleroom: Saleroom, event: Event) -> list[frames.Json]:
    """Everything that anybody is told of an event, and how its lot stands after it."""
    lot = saleroom.lots.get(getattr(event, "auction_id", ""))
    if lot is None:
        return []
    told = [frame for _, frame in frames.personal(lot, event)]
    told.append(rostrum.desk(lot, saleroom.lots, Reach(3, 2, 1), "Ana"))
    if isinstance(event, BidAccepted | BidRefused):
        told.append(frames.result(lot, event))
        told.append(frames.snapshot(lot, "lineage", event.consumer_id))
        told.append(frames.resumed(lot, "lineage", 0, event.consumer_id))
    if isinstance(event, LotEvent | BidAccepted) and (public := frames.public(lot, event)):
        told.append(public)
        told.append(frames.snapshot(lot, "lineage", None))
    return told


def test_a_crowded_sale_is_told_as_the_types_say() -> None:
    """Every frame of an evening of all formats, for everybody; and nearly all types occur."""
    saleroom = Saleroom()
    kinds: set[str] = set()
    for place, event in enumerate(
        decided([*sale_of_lots(lots=4), *Crowd(3, "k3f9").wishes(1_500)]), 1
    ):
        saleroom.fold(0, place, event)
        for frame in _of(saleroom, event):
            read(frame)
            kinds.add(frame["type"])
    assert kinds >= {
        *("result", "snapshot", "resumed", "desk", "price", "paused", "unpaused", "updated"),
        *("closed", "settled", "winning", "outbid", "won", "lost"),
    }


def test_what_a_session_says_is_as_the_types_say() -> None:
    """Welcome, errors with what they repeat, and a finger."""
    read(frames.welcome("ses_1", "bidder", "cons_1", 1, 15_000))
    read(frames.error("rate_limited", "Slower.", retryAfterMs=200, cmdId="c1", auctionId="a"))
    read(frames.finger("auction_1", 207, True))


@pytest.mark.parametrize(
    "fault",
    [{"askingbid": 1}, {"price": "1"}, {"why": "whim"}, {"status": "opened"}, {"type": "prices"}],
)
def test_a_frame_of_another_form_is_seen(fault: frames.Json) -> None:
    """The reading itself: an unknown field, a wrong kind, an unknown word, an unknown type."""
    price: frames.Json = {
        "type": "price",
        "auctionId": "a",
        "seq": 1,
        "at": 1,
        "price": 1,
        "askingBid": 2,
        "paddle": 1,
        "bidCount": 1,
        "bidderCount": 1,
        "reserve": "met",
        "status": "open",
        "closesAt": None,
        "channel": "online",
        "why": "bid",
    }
    read(price)
    with pytest.raises(msgspec.ValidationError):
        read({**price, **fault})


def test_the_pages_types_are_made_of_these() -> None:
    """Making them anew changes nothing."""
    made = wire_types.MADE.read_text(encoding="utf-8")
    assert made == wire_types.types(), "run: python -m tools.wire_types"
