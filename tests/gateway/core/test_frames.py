"""The live protocol's words, in and out, without a connection."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from engine.core.messages import LotEvent
from gateway.core import frames
from gateway.core.frames import Bid, Invalid, Ping, Subscribe
from gateway.core.view import Saleroom
from tests.gateway.decisions import bid, decided, sale_of_lots

LOT = "auction_k3f9_1"


def wire(**fields: Any) -> str:
    return json.dumps(fields)


def test_requests_are_read() -> None:
    """Defaults: the lot says what a bid without a kind is, and nothing has been seen."""
    text = wire(type="bid", cmdId="c1", auctionId=LOT, amount=5)
    assert frames.read(text) == Bid("c1", LOT, 5, UNSET, None)
    text = wire(type="bid", cmdId="c1", auctionId=LOT, amount=5, kind="max")
    assert frames.read(text) == Bid("c1", LOT, 5, "max", None)
    for kind in (None, "sealed", "buy_now"):
        with pytest.raises(Invalid):
            frames.read(wire(type="bid", cmdId="c1", auctionId=LOT, amount=5, kind=kind))
    assert frames.read(wire(type="subscribe", auctionId=LOT)) == Subscribe(LOT, None, None)
    assert frames.read(' {"t": -3, "type": "ping"} ') == Ping(-3)


@given(st.text(max_size=200))
def test_any_text_is_a_request_or_invalid(text: str) -> None:
    """Nothing else can come of a frame, and what is repeated of it can be sent."""
    try:
        frames.read(text)
    except Invalid as invalid:
        frames.encode(frames.error("invalid", str(invalid), **invalid.named))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=9),
       st.sampled_from(("cmdId", "auctionId", "amount", "kind", "seen", "type", "x")))  # fmt: skip
def test_any_value_in_a_bid_is_taken_or_invalid(value: object, name: str) -> None:
    """One field of a bid is anything: read as what it says, or refused with its ids."""
    fields = {"type": "bid", "cmdId": "c1", "auctionId": LOT, "amount": 5, name: value}
    found: object
    try:
        found = frames.read(json.dumps(fields))
    except Invalid as invalid:
        found = invalid
    if isinstance(found, Invalid):
        assert found.named.keys() <= {"cmdId", "auctionId"}
        frames.encode(frames.error("invalid", str(found), **found.named))
    else:
        assert isinstance(found, Bid)
        assert type(found.amount) is int
        assert 1 <= found.amount < 2**53


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
def test_the_header_of_a_frame(size: int) -> None:
    """RFC 6455, 5.2: one text frame, unmasked, its length in the shortest form."""
    payload = msgspec.json.encode({"type": "x" * size})
    frame = frames.encode({"type": "x" * size})
    assert frame.endswith(payload)
    head = frame[: -len(payload)]
    assert head[0] == 0x81
    length = len(payload)
    if length < 126:
        assert head[1:] == bytes([length])
    elif length < 65_536:
        assert (head[1], int.from_bytes(head[2:])) == (126, length)
        assert len(head) == 4
    else:
        assert (head[1], int.from_bytes(head[2:])) == (127, length)
        assert len(head) == 10


def told(*commands: Any) -> tuple[list[frames.Json], list[tuple[str, frames.Json]]]:
    """All public and personal frames of what the engine makes of the commands."""
    saleroom = Saleroom()
    public, personal = [], []
    for place, event in enumerate(decided([*sale_of_lots(), *commands]), 1):
        saleroom.fold(0, place, event)
        auction_id = getattr(event, "auction_id", None)
        if auction_id is None or (not isinstance(event, LotEvent) and not hasattr(event, "why")):
            continue
        lot = saleroom.lots[auction_id]
        personal += frames.personal(lot, event)
        frame = frames.public(lot, event)
        if frame is not None:
            public.append(frame)
    return public, personal


def test_the_public_sees_no_limit_no_reserve_and_nobody() -> None:
    """Neither figure nor name is in any public frame; personal frames go to their owner."""
    public, personal = told(bid("cons_ada", 77_777, "max"), bid("cons_bram", 66_666, "max"))
    text = json.dumps(public)
    for secret in ("77777", "15000", "cons_"):
        assert secret not in text.replace('"price": 15000', "")
    assert [(whose, frame["type"]) for whose, frame in personal] == [
        ("cons_ada", "winning"),
        ("cons_bram", "outbid"),
    ]
    assert "66666" not in json.dumps([f for whose, f in personal if whose == "cons_ada"])
    assert "77777" not in json.dumps([f for whose, f in personal if whose == "cons_bram"])


def test_who_leads_and_who_was_passed() -> None:
    """A lead taken tells both, a raise the leader alone and the public not at all."""
    public, personal = told(
        bid("cons_ada", 20_000), bid("cons_bram", 30_000), bid("cons_bram", 40_000, "max")
    )
    assert [(whose, f["type"], f["seq"]) for whose, f in personal] == [
        ("cons_ada", "winning", 2),
        ("cons_bram", "winning", 3),
        ("cons_ada", "outbid", 3),
        ("cons_bram", "winning", 3),
    ]
    assert [frame["seq"] for frame in public] == [1, 2, 3]
