"""The live protocol's answers are what their types say, and the pages' types are made of those.

Real frames are read strictly: a field that no type has, a missing one and a wrong value are all
seen.  Every frame that an integration test hears is read so too (``tests/integration/live.py``).
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine.core.increments import table
from engine.core.messages import (
    Act,
    ActDecided,
    AddLot,
    Ask,
    AutoAccept,
    BidAccepted,
    BidCalled,
    BidRefused,
    Catalogue,
    Command,
    CreateSale,
    Deed,
    Event,
    FairWarning,
    FinalCall,
    FloorBid,
    Hammer,
    LotEvent,
    LowerReserve,
    Open,
    Pause,
    Refuse,
    Reopen,
    Say,
    SellSubject,
    Step,
    Take,
    TakeOver,
    Terms,
    Undo,
    Unpause,
)
from gateway.core import frames, rostrum
from gateway.core.rostrum import Reach
from gateway.core.view import Saleroom
from gateway.core.wire.live import Told
from tests.gateway.decisions import Crowd, bid, decided, sale_of_lots
from tools import wire_types

LIVE = "auction_live_1"


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
    if isinstance(event, ActDecided):
        told.append(frames.act_result(lot, event))
    if isinstance(event, LotEvent | BidAccepted | BidCalled) and (
        public := frames.public(lot, event)
    ):
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


def sold_from_the_rostrum() -> list[Event]:
    """A live lot with a bid from the room, one that waits and is taken, one that is refused,
    an undo, a message, both calls, the hammer, and all of it once more."""
    sale = CreateSale("seq_live", "Evening", "EUR", 2, mode="live")
    terms = Terms(10_000, table([(0, 1_000)]), 15_000, format="live", opens_at=0)
    catalogue = Catalogue("1", "Jar", "Crackled", 20_000, 30_000, (), ())
    commands: list[Command] = [sale, AddLot(LIVE, "seq_live", terms, catalogue)]

    def act(deed: Deed, reason: str = "") -> None:
        commands.append(Act(LIVE, deed, f"act{len(commands)}", "key_1", "ses_1", None, reason))

    act(TakeOver())
    act(AutoAccept(False))
    act(Open(9_000))
    act(FloorBid("room", 9_000, 118))
    commands.append(bid("cons_ada", 10_000, auction=LIVE))
    act(Take("cons_ada", "cons_ada-bid-10000"))
    commands.append(bid("cons_bram", 11_000, auction=LIVE))
    act(Refuse("cons_bram", "cons_bram-bid-11000"), "too late")
    act(Step(500))
    act(Ask(12_000))
    act(Say("Any more online?"))
    act(FloorBid("phone", 12_000, 331))
    act(Undo(4), "misheard")
    act(FloorBid("phone", 16_000, 331))
    act(LowerReserve(12_000))
    act(Pause())
    act(Unpause())
    act(FairWarning())
    act(FinalCall())
    act(Hammer(331, 16_000))
    act(Reopen(), "a bid was missed")
    act(SellSubject())
    return decided(commands)


def test_a_lot_sold_from_the_rostrum_is_told_as_the_types_say() -> None:
    """Every frame of it, for everybody and for the desk."""
    saleroom = Saleroom()
    kinds: set[str] = set()
    for place, event in enumerate(sold_from_the_rostrum(), 1):
        saleroom.fold(0, place, event)
        for frame in _of(saleroom, event):
            read(frame)
            kinds.add(frame["type"])
    assert kinds >= {
        *("opened", "updated", "undone", "reopened", "message", "fair_warning", "final_call"),
        *("paused", "unpaused", "closed", "price", "winning", "outbid", "decided", "result"),
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
