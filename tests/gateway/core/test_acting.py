"""What a console says, and what of it reaches the log."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from engine.core import messages
from engine.core.messages import Deed
from gateway.core import acting, frames
from gateway.core.frames import Invalid

LOT = "auction_k3f9_1"
# Every row of the contract's table: what is said beside the act, and the deed.
ROWS: list[tuple[str, dict[str, Any], Deed]] = [
    ("open", {}, messages.Open()),
    ("open", {"opening": 500}, messages.Open(500)),
    ("ask", {"amount": 900}, messages.Ask(900)),
    ("step", {"amount": 100}, messages.Step(100)),
    ("step", {"amount": None}, messages.Step(None)),
    ("bid", {"channel": "room", "amount": 700}, messages.FloorBid("room", 700)),
    (
        "bid",
        {"channel": "phone", "amount": 700, "paddle": 12},
        messages.FloorBid("phone", 700, 12),
    ),
    (
        "bid",
        {"channel": "left", "amount": 700, "paddle": 12, "max": 900},
        messages.FloorBid("left", 700, 12, 900),
    ),
    (
        "bid",
        {"channel": "room", "amount": 700, "house": True},
        messages.FloorBid("room", 700, house=True),
    ),
    ("take", {"bidId": "bid_1"}, messages.Take("cons_ada", "a1")),
    ("refuse", {"bidId": "bid_1"}, messages.Refuse("cons_ada", "a1")),
    ("auto_accept", {"on": False}, messages.AutoAccept(False)),
    ("fair_warning", {}, messages.FairWarning()),
    ("final_call", {}, messages.FinalCall()),
    ("pause", {}, messages.Pause()),
    ("unpause", {}, messages.Unpause()),
    ("take_over", {}, messages.TakeOver()),
    ("hammer", {"paddle": 12, "price": 700}, messages.Hammer(12, 700)),
    ("hammer", {"paddle": None, "price": 700}, messages.Hammer(None, 700)),
    ("sell_subject", {}, messages.SellSubject()),
    ("pass", {}, messages.Pass()),
    ("withdraw", {}, messages.Withdraw()),
    ("skip", {}, messages.Skip()),
    ("skip", {"to": "auction_k3f9_2"}, messages.Skip("auction_k3f9_2")),
    ("undo", {"toSeq": 0}, messages.Undo(0)),
    ("reinstate", {"bidId": "bid_1"}, messages.Reinstate("cons_ada", "a1")),
    ("reopen", {}, messages.Reopen()),
    ("lower_reserve", {"amount": 600}, messages.LowerReserve(600)),
    ("message", {"text": "Sold with its box."}, messages.Say("Sold with its box.")),
]


def said(act: str, **fields: Any) -> str:
    return json.dumps({"type": "act", "cmdId": "c1", "auctionId": LOT, "act": act, **fields})


@pytest.mark.parametrize(("act", "fields", "deed"), ROWS)
def test_every_act_has_its_deed(act: str, fields: dict[str, Any], deed: Deed) -> None:
    """Row by row; what was seen and why comes along where it is said."""
    read = frames.read(said(act, **fields))
    assert isinstance(read, acting.Act)
    assert (read.cmd_id, read.auction_id, read.seen, read.reason) == ("c1", LOT, None, None)
    assert acting.deed_of(read, ("cons_ada", "a1")) == deed
    with_why = frames.read(said(act, **fields, seen=41, reason="as it was heard"))
    assert isinstance(with_why, acting.Act)
    assert (with_why.seen, with_why.reason) == (41, "as it was heard")


def test_no_act_is_left_out() -> None:
    """The table is the log's list of deeds."""
    assert {type(deed) for _, _, deed in ROWS} == set(get_args(Deed))


@pytest.mark.parametrize(
    ("act", "fields"),
    [
        ("gavel", {}),
        ("pass", {"amount": 1}),
        ("ask", {}),
        ("ask", {"amount": 0}),
        ("ask", {"amount": 1.5}),
        ("step", {}),
        ("bid", {"channel": "online", "amount": 700}),
        ("bid", {"channel": "room", "amount": 700, "paddle": 0}),
        ("bid", {"channel": "left", "amount": 700, "max": True}),
        ("take", {}),
        ("auto_accept", {"on": 1}),
        ("hammer", {"price": 700}),
        ("hammer", {"paddle": 12, "price": None}),
        ("undo", {"toSeq": -1}),
        ("message", {"text": ""}),
        ("message", {"text": "x" * 281}),
        ("reopen", {"reason": "x" * 501}),
    ],
)
def test_what_is_no_act_is_invalid(act: str, fields: dict[str, Any]) -> None:
    """Unknown, missing and wrong fields, each named by its ids."""
    with pytest.raises(Invalid) as caught:
        frames.read(said(act, **fields))
    assert caught.value.named == {"cmdId": "c1", "auctionId": LOT}
