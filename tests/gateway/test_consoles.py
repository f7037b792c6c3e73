"""What consoles are shown: how often, of whom, and what becomes of one that is gone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from engine.core.messages import Act, AddLot, Catalogue, FloorBid, LeaveConsole, Open, TakeOver
from gateway import consoles
from gateway.app import Gateway
from gateway.consoles import Consoles, reach_of
from gateway.core.rostrum import Reach, may_bid
from gateway.fanout import Hub
from tests.gateway.core.test_selling import LIVE, LOT
from tests.gateway.formats import SALE, Evening, auction_of
from tests.gateway.test_fanout import HandClock, Listener


class House:
    """As much of a gateway as consoles need; what is decided is shown as the feed does."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.evening = Evening("english")
        self.saleroom = self.evening.saleroom
        self.hub = Hub(50, self.clock.call_later)
        self.left: list[LeaveConsole] = []
        self.pointed: list[tuple[str, int, bool]] = []
        self.elsewhere: list[Reach] = []
        self.told: list[dict[str, Reach]] = []
        gateway = SimpleNamespace(
            saleroom=self.saleroom,
            hub=self.hub,
            clock=SimpleNamespace(now=lambda: 0),
            key_ring=SimpleNamespace(named=lambda *_: SimpleNamespace(name="Ana")),
            neighbours=SimpleNamespace(
                pointed=lambda *finger: self.pointed.append(finger),
                present=self.told.append,
                present_elsewhere=lambda _: iter(self.elsewhere),
            ),
            feed=SimpleNamespace(leave_console=self.left.append),
        )
        self.consoles = Consoles(cast(Gateway, gateway), self.clock.call_later)
        self.evening.do(AddLot(LOT, SALE, LIVE, Catalogue("7", "Moon jar")))
        self.acts = 0

    def act(self, deed: Any, session: str = "ses_1") -> None:
        self.acts += 1
        self.evening.do(Act(LOT, deed, f"act-{self.acts}", "key_1", session))
        self.consoles.sale_changed(SALE)
        self.consoles.lot_changed(LOT)

    def listener(self, consumer_id: str | None = None) -> Listener:
        """Somebody who follows the lot."""
        ear = Listener(self.clock)
        ear.consumer_id = consumer_id
        self.hub.channel(LOT).readers[ear] = None
        return ear

    def console(self) -> Listener:
        ear = Listener(self.clock)
        ear.is_console = True
        self.hub.channel(LOT).readers[ear] = None
        self.consoles.follow(LOT, ear)
        return ear


def test_a_desk_comes_at_once_and_then_ten_times_a_second() -> None:
    """When it is asked for; after every change; and what changes meanwhile is in the next."""
    house = House()
    console = house.console()
    assert [frame["seq"] for frame in console.frames] == [0]
    house.act(Open())
    for amount in range(10_000, 16_000, 1_000):
        house.act(FloorBid("room", amount))
    assert [frame["seq"] for frame in console.frames] == [0, 1]
    house.clock.goes_to(0.5)
    assert [frame["seq"] for frame in console.frames] == [0, 1, 7]
    assert console.times == [0.0, 0.0, pytest.approx(0.1)]
    house.act(FloorBid("room", 17_000))
    assert console.frames[-1]["seq"] == 8
    assert console.frames[-1]["control"] == {"session": "ses_1", "by": "key_1", "name": "Ana"}
    house.consoles.unfollow(LOT, console)
    house.act(FloorBid("room", 18_000))
    house.clock.goes_to(2.0)
    assert console.frames[-1]["seq"] == 8


def test_a_desk_waits_for_the_price_that_it_speaks_of() -> None:
    """A price that is being merged is sent first."""
    house = House()
    house.act(Open())
    console = house.console()
    channel = house.hub.channel(LOT)
    channel.price({"type": "price", "seq": 2})
    channel.price({"type": "price", "seq": 3})
    house.act(FloorBid("room", 10_000))
    assert [frame["type"] for frame in console.frames] == ["desk", "price"]
    house.clock.goes_to(0.06)
    assert [frame["type"] for frame in console.frames] == ["desk", "price", "price", "desk"]


def test_what_changes_for_a_whole_sale_is_told_lot_by_lot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The lot in the ring first; a console that follows hundreds is not sent all at once."""
    monkeypatch.setattr(consoles, "AT_ONCE", 1)
    house = House()
    other = auction_of("english")
    console = house.console()
    house.consoles.follow(other, console)
    house.clock.goes_to(1.0)
    console.frames.clear()
    console.times.clear()
    house.act(Open())
    assert [frame["auctionId"] for frame in console.frames] == [LOT]
    house.clock.goes_to(2.0)
    assert [frame["auctionId"] for frame in console.frames][1:].count(other) == 1
    assert {frame["ring"] for frame in console.frames} == {LOT}


def test_who_is_there_and_has_heard() -> None:
    """Connections but consoles; accounts that may bid; those with nothing left to read.  Those
    of the other gateways are added."""
    house = House()
    house.act(Open())
    house.console()
    house.listener()
    one, other = house.listener("cons_ada"), house.listener("cons_ada")
    slow = house.listener("cons_bram")
    house.listener("guest_emil")
    other.has_heard = slow.has_heard = False  # one of hers is enough
    lot = house.saleroom.lots[LOT]
    assert reach_of(lot, house.hub.listeners(LOT)) == Reach(5, 2, 1)
    assert not may_bid(lot.sale, "guest_emil")
    one.has_heard = False
    house.elsewhere = [Reach(7, 3, 3), Reach(1, 0, 0)]
    late = house.console()
    assert {name: late.frames[-1][name] for name in ("connected", "canBid", "heard")} == {
        "connected": 13, "canBid": 5, "heard": 3,
    }  # fmt: skip
    house.clock.goes_to(1.0)
    house.consoles.look_round()
    assert house.told == [{LOT: Reach(5, 2, 0)}]
    before = len(late.frames)
    slow.has_heard = True
    house.consoles.look_round()
    house.consoles.look_round()
    assert len(late.frames) == before + 1
    assert late.frames[-1]["heard"] == 4


def test_a_finger_is_shown_to_the_lots_consoles_and_told_to_the_others() -> None:
    """One from another gateway is shown, and not told on."""
    house = House()
    console, watcher = house.console(), house.listener()
    house.consoles.point(LOT, 412, True)
    house.consoles.pointed(LOT, 413, True)
    assert [(f["paddle"], f["on"]) for f in console.frames[1:]] == [(412, True), (413, True)]
    assert house.pointed == [(LOT, 412, True)]
    assert watcher.frames == []


def test_control_is_given_up_with_the_line() -> None:
    """Also where the log gives it to a connection that has ended in the meantime."""
    house = House()
    console = house.console()
    house.act(Open(), "ses_1")
    house.consoles.leave("ses_2", console)
    assert house.left == []
    house.consoles.leave("ses_1", console)
    assert house.left == [LeaveConsole(SALE, "ses_1")]
    house.left.clear()
    house.act(TakeOver(), "ses_2")  # it was on its way when the line was lost
    assert house.left == [LeaveConsole(SALE, "ses_2")]
    house.left.clear()
    house.act(TakeOver(), "ses_3")
    assert house.left == []
