"""A live lot as everybody sees it: the public, its bidders, and the console."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from msgspec.structs import replace

from engine.core.messages import (
    Act,
    ActDecided,
    AddLot,
    Ask,
    AutoAccept,
    BidAccepted,
    BidAnswer,
    BidsLapsed,
    BidsUndone,
    Catalogue,
    CloseLot,
    Deed,
    Event,
    FairWarning,
    FinalCall,
    FloorBid,
    Hammer,
    LeaveConsole,
    LimitLowered,
    LotAdded,
    LotClosed,
    LotEvent,
    LotSettled,
    LowerLimit,
    LowerReserve,
    Open,
    OpenLot,
    Pass,
    Pause,
    PauseLot,
    PlaceBid,
    Refuse,
    Reinstate,
    Reopen,
    Say,
    SellSubject,
    SettleLot,
    Skip,
    State,
    Step,
    Take,
    TakeOver,
    Undo,
    Unpause,
    UnpauseLot,
    Withdraw,
)
from gateway.core import consumer, frames, rostrum, webhooks
from gateway.core.frames import Json
from gateway.core.news import Offered, news_of
from gateway.core.recount import Disagreement, Recount
from gateway.core.rostrum import Reach
from gateway.core.view import LotView
from tests.gateway.core.test_formats import folded, numbers, without_time
from tests.gateway.formats import PLAIN, SALE, Evening, auction_of

RESERVE = 31_995
LOT = auction_of("rostrum")
LIVE = replace(PLAIN, format="live", reserve=RESERVE, opens_at=None, settle_at=None,
               settle_by_command=True)  # fmt: skip
BIDDERS = ("cons_ada", "cons_bram", "cons_celia")
NOBODY = Reach(0, 0, 0)


class Saleroom(Evening):
    """One live lot, its console, and everybody who follows it."""

    def __init__(self) -> None:
        self.public: list[Json] = []
        self.personal: list[tuple[str, Json]] = []
        self.results: dict[tuple[str, str], Json] = {}
        self.first: Json | None = None
        self.acts = 0
        super().__init__("english", hear=self._heard)
        self.do(AddLot(LOT, SALE, LIVE, Catalogue("7", "Moon jar")))
        self.first = frames.snapshot(self.rostrum, "lineage", None)

    @property
    def rostrum(self) -> LotView:
        return self.saleroom.lots[LOT]

    def _heard(self, event: Event) -> None:
        if self.first is None or getattr(event, "auction_id", None) != LOT:
            return
        lot = self.saleroom.lots[LOT]
        if isinstance(event, BidAnswer):
            self.results[event.consumer_id, event.cmd_id] = frames.result(lot, event)
        if isinstance(event, BidAccepted | LotEvent | LimitLowered | BidsLapsed | ActDecided):
            is_new = lot.places and lot.places[-1] == len(self.log)
            if is_new:
                self.personal += frames.personal(lot, event)
                frame = frames.public(lot, event)
                if frame is not None:
                    self.public.append(frame)

    def act(self, deed: Deed, reason: str = "", session: str = "ses_1", **said: Any) -> Json:
        """What the console is answered; each act is a new one."""
        self.acts += 1
        self.at += 1
        cmd_id = said.pop("cmd_id", f"act-{self.acts}")
        seen = said.pop("seen", self.rostrum.now.seq)
        *_, decided = self.do(Act(LOT, deed, cmd_id, "key_1", session, seen, reason))
        assert isinstance(decided, ActDecided)
        return frames.act_result(self.rostrum, decided)

    def does(self, deed: Deed, reason: str = "") -> Json:
        result = self.act(deed, reason)
        assert (result["outcome"], result["code"]) == ("accepted", None), result
        return result

    def bid(self, consumer: str, amount: int, cmd_id: str, kind: Any = "bid") -> Json:
        self.at += 1
        self.do(PlaceBid(LOT, consumer, cmd_id, amount, kind))
        return self.results[consumer, cmd_id]

    def told(self, consumer: str) -> list[Json]:
        """What this bidder alone has been told since it was last asked."""
        found = [frame for whose, frame in self.personal if whose == consumer]
        self.personal = [one for one in self.personal if one[0] != consumer]
        return found

    def desk(self) -> Json:
        return rostrum.desk(self.rostrum, self.saleroom.lots, NOBODY, "Ana")

    def check(self) -> None:
        """Folding every public frame so far gives what a newcomer sees."""
        assert self.first is not None
        view = self.first
        for frame in self.public:
            view = folded(view, frame)
        fresh = frames.snapshot(self.rostrum, "lineage", None)
        assert without_time(view) == without_time(fresh)


def test_a_lot_is_sold_in_the_room_and_online() -> None:
    """Every public event with its channel and its call; the bidder is told, the paddle wins."""
    room = Saleroom()
    assert room.does(Open())["seq"] == 1
    room.does(FloorBid("room", 10_000))
    ada = room.bid("cons_ada", 11_000, "a1")
    assert (ada["outcome"], ada["status"], ada["seq"]) == ("accepted", "WINNING", 3)
    room.does(FairWarning())
    room.does(FloorBid("phone", 33_500, 12))
    room.does(FinalCall())
    assert [(f["type"], f["channel"], f["phase"], f["paddle"]) for f in room.public] == [
        ("opened", "online", None, None),
        ("price", "room", None, None),
        ("price", "online", None, 101),
        ("fair_warning", "online", "fair_warning", 101),
        ("price", "phone", None, 12),
        ("final_call", "phone", "final_call", 12),
    ]
    won, lost = room.told("cons_ada")
    assert (won["type"], won["max"]) == ("winning", 11_000)
    assert (lost["type"], lost["why"], lost["channel"], lost["paddle"]) == (
        "outbid", "bid", "phone", 12,
    )  # fmt: skip
    struck = room.does(Hammer(12, 33_500))
    assert (struck["status"], struck["price"]) == ("NOT_BID", 33_500)
    assert (room.public[-1]["type"], room.public[-1]["outcome"]) == ("closed", "sold")
    room.check()
    room.do(SettleLot(LOT))
    assert [frame["type"] for frame in room.told("cons_ada")] == ["lost"]
    room.check()


def test_a_bid_that_waits_is_taken_refused_or_lapses() -> None:
    """One personal word each, with the reason; the result says that it waits."""
    room = Saleroom()
    room.does(Open())
    room.does(AutoAccept(False))
    ada = room.bid("cons_ada", 10_000, "a1")
    assert (ada["outcome"], ada["status"], ada["code"]) == ("waiting", "ACTIVE", None)
    [waiting] = room.desk()["waiting"]
    assert waiting == {"bidId": ada["bidId"], "paddle": 101, "amount": 10_000, "at": ada["at"]}
    taken = room.does(Take("cons_ada", "a1"))
    assert taken["bidId"] == ada["bidId"]
    decided, winning = room.told("cons_ada")
    assert decided == {
        "type": "decided", "bidId": ada["bidId"], "cmdId": "a1", "auctionId": LOT,
        "seq": taken["seq"], "at": decided["at"], "outcome": "accepted", "code": None,
        "message": None,
    }  # fmt: skip
    assert winning["type"] == "winning"
    bram = room.bid("cons_bram", 12_000, "b1")
    refuse = Refuse("cons_bram", "b1")
    assert room.act(refuse)["code"] == "reason_required"
    assert room.told("cons_bram") == []
    room.act(refuse, "not heard", cmd_id="again")
    room.act(refuse, "not heard", cmd_id="again")  # a retry tells nobody a second time
    [word] = room.told("cons_bram")
    assert (word["outcome"], word["code"], word["bidId"]) == ("refused", "refused", bram["bidId"])
    assert "not heard" in word["message"]
    room.bid("cons_celia", 13_000, "c1")
    room.does(FloorBid("room", 14_000, 12))
    [word] = room.told("cons_celia")
    assert (word["outcome"], word["code"]) == ("refused", "below_asking_bid")
    states = {bid["bidId"]: bid["state"] for bid in room.desk()["bids"]}
    assert states[ada["bidId"]] == "standing"
    assert states[bram["bidId"]] == "refused"
    assert room.desk()["waiting"] == []
    room.check()


def test_bids_are_undone_and_one_is_reinstated() -> None:
    """Nobody leads until somebody does; each bidder stands where their bids that are left say."""
    room = Saleroom()
    room.does(Open())
    room.bid("cons_ada", 10_000, "a1")
    room.bid("cons_bram", 12_000, "b1")
    room.bid("cons_ada", 14_000, "a2")
    assert room.act(Undo(2))["code"] == "reason_required"
    room.does(Undo(2), "misheard")
    undone = room.public[-1]
    assert (undone["type"], undone["toSeq"], undone["reason"]) == ("undone", 2, "misheard")
    assert (undone["price"], undone["paddle"]) == (10_000, None)
    lot = room.rostrum
    assert lot.holders == {}
    assert [lot.status_of(who) for who in BIDDERS] == ["OUTBID", "NOT_BID", "NOT_BID"]
    own = frames.you(lot, "cons_ada")
    assert (own["lastBidAmount"], own["bidCount"]) == (10_000, 1)
    assert [bid["state"] for bid in room.desk()["bids"]] == ["undone", "undone", "standing"]
    room.told("cons_bram")
    back = room.does(Reinstate("cons_bram", "b1"), "it was theirs")
    assert (room.public[-1]["type"], room.public[-1]["why"]) == ("price", "reinstated")
    assert room.public[-1]["price"] == 12_000
    assert back["bidId"] == lot.bid_id("cons_bram", "b1")
    [winning] = room.told("cons_bram")
    assert (winning["type"], winning["max"]) == ("winning", 12_000)
    assert lot.status_of("cons_bram") == "WINNING"
    room.check()


def test_the_desk_of_left_bids_says_no_limit() -> None:
    """How many can bid, and what the next would bid; and the reserve, to the house alone."""
    room = Saleroom()
    assert room.bid("cons_ada", 27_771, "a1", "max")["status"] == "ACTIVE"
    assert room.told("cons_ada") == []
    room.bid("cons_bram", 22_227, "b1", "max")
    assert room.desk()["leftBids"] == {"count": 2, "next": 10_000}
    room.does(Open())
    assert [frame["type"] for frame in room.public] == ["opened", "price"]
    assert (room.public[-1]["channel"], room.public[-1]["price"]) == ("left", 23_227)
    assert room.desk()["leftBids"] == {"count": 1, "next": None}
    room.does(FloorBid("room", 24_000, 12))
    assert room.rostrum.now.price == 25_000  # Ada's limit has replied
    assert [bid["amount"] for bid in room.desk()["bids"]] == [24_000, 23_227]
    room.does(Undo(0), "from the start")
    assert room.desk()["leftBids"] == {"count": 2, "next": 10_000}
    assert room.desk()["reserve"] == RESERVE
    assert not numbers(room.desk()) & {27_771, 22_227}
    assert not numbers(room.public) & {27_771, 22_227, RESERVE}
    room.check()


def test_a_left_bid_is_shown_from_when_it_was_called() -> None:
    """Not from when it was left; where it stands on the desk an undo takes it back."""
    room = Saleroom()
    room.bid("cons_ada", 27_771, "a1", "max")
    left_at = room.at
    room.at += 5_000
    room.does(FloorBid("left", 10_000, 12), "")
    room.does(Open())
    opened_at = room.at
    room.does(FloorBid("room", 20_000, 15))
    shown = consumer.public_bids(room.rostrum, 9, b"salt")
    assert [bid.timestamp for bid in shown][-1] == consumer.moment(opened_at)
    assert consumer.moment(left_at) not in [bid.timestamp for bid in shown]
    newest, called = room.desk()["bids"]
    assert (newest["seq"], called["seq"], called["at"]) == (3, 2, opened_at)
    room.does(Undo(called["seq"] - 1), "misheard")
    assert room.rostrum.now.price is None


def test_no_limit_is_found_by_asking() -> None:
    """What the desk says of left bids does not hang on what the rostrum asks for."""
    room = Saleroom()
    room.bid("cons_ada", 27_771, "a1", "max")
    room.does(Open())
    room.does(Undo(1), "the room first")
    before = room.desk()["leftBids"]
    for amount in (12_000, 27_000, 29_999, 31_000):
        room.does(Ask(amount))
        assert room.desk()["leftBids"] == before
    room.does(Step(25_000))
    assert room.desk()["leftBids"] == before
    assert before["count"] == 1


def test_an_exact_bid_hides_no_higher_limit_of_its_bidder() -> None:
    """What stands for them is what they are told, though they bid less in the room."""
    room = Saleroom()
    room.does(Open())
    room.bid("cons_ada", 27_771, "a1", "max")
    paddle = room.rostrum.sale.paddles["cons_ada"]
    room.told("cons_ada")
    room.does(FloorBid("room", 12_000, paddle))
    assert room.told("cons_ada")[-1]["max"] == 27_771
    assert frames.you(room.rostrum, "cons_ada")["max"] == 27_771
    room.does(FloorBid("room", 13_000, 55))
    assert room.rostrum.leader == "cons_ada"
    room.check()


def test_a_lowered_limit_stays_lowered_for_its_bidder_after_an_undo() -> None:
    """However it was raised: with a limit, or with an exact bid that moved no price."""
    room = Saleroom()
    room.does(Open())
    room.bid("cons_ada", 12_000, "a1")
    room.bid("cons_ada", 15_000, "a2")
    room.at += 1
    room.do(LowerLimit(LOT, "cons_ada", 13_000))
    before = room.rostrum.now.seq
    room.does(FloorBid("room", 12_500))
    room.bid("cons_ada", 14_000, "a3")
    room.does(Undo(before), "misheard")
    assert frames.you(room.rostrum, "cons_ada")["max"] == 13_000


def test_whoever_bought_unnamed_leads_a_reopened_lot() -> None:
    """And is told when somebody bids more: the room without a name has no part in it."""
    room = Saleroom()
    room.bid("cons_ada", 10_000, "a0", "max")
    paddle = room.rostrum.sale.paddles["cons_ada"]
    room.does(Open())
    room.does(FloorBid("room", 33_000))
    room.does(Hammer(paddle, 33_000))
    room.does(Reopen(), "a bid was missed")
    assert list(room.rostrum.holders) == ["cons_ada"]
    assert room.rostrum.status_of("cons_ada") == "WINNING"
    room.told("cons_ada")
    room.bid("cons_bram", 34_000, "b1")
    assert list(room.rostrum.holders) == ["cons_bram"]
    assert [frame["type"] for frame in room.told("cons_ada")] == ["outbid"]
    room.does(Undo(2), "all over again")
    assert list(room.rostrum.holders) == []
    room.check()


def test_a_lot_is_reopened_and_decided_later() -> None:
    """As before the hammer, and then sold subject, and in the end passed."""
    room = Saleroom()
    room.does(Open(9_000))
    assert room.public[-1]["changed"]["opening"] == 9_000
    room.does(FloorBid("room", 33_000, 12))
    room.does(Hammer(12, 33_000))
    assert room.desk()["ring"] is None
    assert room.desk()["sale"] == {"lots": 2, "sold": 1, "passed": 0, "hammerTotal": 33_000}
    room.does(Reopen(), "a bid was missed")
    reopened = room.public[-1]
    assert (reopened["type"], reopened["reason"]) == ("reopened", "a bid was missed")
    assert (reopened["status"], reopened["price"], reopened["paddle"]) == ("open", 33_000, 12)
    assert room.desk()["sale"]["sold"] == 0
    room.check()
    room.does(SellSubject())
    assert frames.snapshot(room.rostrum, "x", None)["auction"]["outcome"] == "sold_subject"
    room.check()
    room.does(Pass())
    assert (room.public[-1]["type"], room.public[-1]["outcome"]) == ("closed", "passed")
    room.check()
    again = Saleroom()
    again.does(Withdraw(), "damaged")
    snapshot = frames.snapshot(again.rostrum, "x", None)["auction"]
    assert (snapshot["status"], snapshot["outcome"]) == ("closed", "withdrawn")
    again.check()


def test_what_the_rostrum_says_and_asks() -> None:
    """Messages, an asking bid of its own, a step until the end, a lower reserve."""
    room = Saleroom()
    room.does(Open())
    room.does(Say("With its box."))
    assert (room.public[-1]["type"], room.public[-1]["text"]) == ("message", "With its box.")
    room.does(FloorBid("room", 10_000))
    room.does(Ask(10_500))
    assert (room.public[-1]["type"], room.public[-1]["changed"]) == (
        "updated", {"askingBid": 10_500},
    )  # fmt: skip
    low = room.act(Ask(10_000))
    assert (low["code"], low["outcome"], low["wouldPass"]) == (
        "below_asking_bid",
        "refused",
        10_001,
    )
    room.does(Step(250))
    assert (room.desk()["step"], room.rostrum.now.asking_bid) == (250, 10_250)
    room.does(LowerReserve(9_000))
    assert room.public[-1]["changed"]["reserve"] == "met"
    assert room.desk()["reserve"] == 9_000
    room.check()


def test_two_consoles_and_one_control() -> None:
    """The second is refused until it takes over; the desk says who has it."""
    room = Saleroom()
    room.does(Open())
    assert room.desk()["control"] == {"session": "ses_1", "by": "key_1", "name": "Ana"}
    refused = room.act(FairWarning(), session="ses_2")
    assert (refused["code"], refused["outcome"]) == ("not_in_control", "refused")
    assert refused["message"]
    assert room.act(TakeOver(), session="ses_2")["code"] is None
    assert room.desk()["control"]["session"] == "ses_2"
    assert room.act(FairWarning())["code"] == "not_in_control"


class Rostrum:
    """An auctioneer who does anything at any time, from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.room = Saleroom()
        self.limits: set[int] = set()
        self.count = 0

    def happens(self) -> None:
        self.count += 1
        if self.random.random() < 0.45:
            self._bid()
        else:
            reason = self.random.choice(("", "as it was", "as it was"))
            self.room.act(self._deed(), reason, cmd_id=f"m{self.random.randrange(400)}")
        self.room.at += self.random.randrange(3_000)

    def _bid(self) -> None:
        now = self.room.rostrum.now
        # The last digits are nobody else's.
        amount = ((now.asking_bid or 10_000) // 1_000 + self.random.randrange(9)) * 1_000
        limit = amount + 1 + 2 * self.count
        if self.random.random() < 0.5:
            self.limits.add(limit)
            self.room.bid(self.random.choice(BIDDERS), limit, f"b{self.count}", "max")
        else:
            self.room.bid(self.random.choice(BIDDERS), amount, f"b{self.count}")

    def _deed(self) -> Deed:
        lot, pick = self.room.rostrum, self.random.choice
        now = lot.now
        price = now.price or 10_000
        bids = [(bid.consumer_id, bid.cmd_id) for bid in lot.bids or ()]
        known = [*lot.waiting, *lot.refused, *bids] or [("cons_ada", "none")]
        paddles = [None, 12, *lot.sale.paddles.values()]
        step = self.random.randrange(1, 9) * 1_000
        return pick(
            [
                *[FloorBid(pick(("room", "phone")), price + step, pick(paddles))] * 4,
                FloorBid("left", price + step),
                *[Open()] * 3,
                Ask(price + step),
                Step(pick((None, 500, 2_000))),
                *[Take(*pick([*lot.waiting] or known))] * 3,
                Refuse(*pick([*lot.waiting] or known)),
                AutoAccept(pick((True, False))),
                FairWarning(),
                FinalCall(),
                Pause(),
                *[Unpause()] * 2,
                pick((Hammer(now.paddle or 12, price), SellSubject(), Pass(), Skip())),
                *[Undo(max(0, now.seq - self.random.randrange(1, 6)))] * 3,
                *[Reinstate(*pick(known))] * 2,
                *[Reopen()] * 2,
                LowerReserve(self.random.randrange(9, 31) * 1_000),
                Say("Going, going"),
                TakeOver(),
            ]
        )


@pytest.mark.parametrize("seed", range(6))
def test_whatever_the_rostrum_does(seed: int) -> None:
    """The public's view folds; the standing agrees with the engine's; no limit is ever seen."""
    auctioneer = Rostrum(seed)
    room = auctioneer.room
    for _ in range(150):
        auctioneer.happens()
        lot = room.rostrum
        engine = room.shard.lots[LOT]
        assert lot.now.paddle == (None if engine.leader is None else lot.now.paddle)
        assert list(lot.holders) == ([] if engine.leader is None else [engine.leader])
        waiting = {(who, one.cmd_id) for who, one in engine.rostrum.waiting.items()}  # type: ignore[union-attr]
        assert set(lot.waiting) == waiting
        secret = auctioneer.limits - {frame["price"] for frame in room.public}
        told = numbers([room.public[-3:], room.desk()])
        assert not told & (secret - {lot.now.price, lot.now.asking_bid})
    room.check()
    assert {frame["type"] for frame in room.public} >= {"price", "message"}
    assert room.rostrum.now.state in (State.OPEN, State.PAUSED, State.CLOSED)
    json.dumps(room.public)


@pytest.mark.parametrize("seed", range(4))
def test_the_log_of_an_evening_is_decided_again(seed: int) -> None:
    """Every act and every bid is made again from the events alone, and comes to the same."""
    auctioneer = Rostrum(100 + seed)
    for _ in range(150):
        auctioneer.happens()
    auctioneer.room.do(LeaveConsole(SALE, "ses_1"))
    recount = Recount()
    recount.read(enumerate(auctioneer.room.log, 1), last=True)
    assert recount.untold == 0
    assert recount.made_again > 100


def test_another_reason_is_a_disagreement() -> None:
    """Who did it and why are part of what is decided."""
    room = Saleroom()
    room.does(Open())
    room.does(FloorBid("room", 10_000, 12))
    room.does(Undo(1), "misheard")
    place = next(place for place, event in enumerate(room.log) if isinstance(event, BidsUndone))
    room.log[place] = replace(room.log[place], reason="heard well")
    with pytest.raises(Disagreement, match="reason"):
        Recount().read(enumerate(room.log, 1), last=True)


def test_what_programs_outside_are_told_of_a_live_lot() -> None:
    """A left bid that is called is a bid; what is undone and reopened is an update."""
    room = Saleroom()
    room.bid("cons_ada", 20_000, "a1", "max")
    room.does(Open())
    room.does(FloorBid("room", 11_000))
    room.does(Undo(2), "misheard")
    room.does(FloorBid("phone", 40_000, 12))
    room.does(Hammer(12, 40_000))
    room.does(Reopen(), "a bid was missed")
    lot = webhooks.Lot(LOT, SALE, "test", "EUR", 2, "live", 1, {})
    told = []
    for event in room.log:
        if getattr(event, "auction_id", None) == LOT and not isinstance(event, LotAdded):
            told += [(one.type, one.data) for one in webhooks.happenings(event, lot, b"")]
    short = [(kind.rpartition(".")[2], data.get("bidAmount")) for kind, data in told]
    assert short == [
        ("opened", None),
        ("placed", "100.00"),
        ("placed", "120.00"),
        ("updated", None),
        ("placed", "400.00"),
        ("closed", None),
        ("updated", None),
    ]
    assert told[-1][1]["changedFields"] == ["status"]
    assert told[3][1]["changedFields"] == ["currentHighBid"]
    assert (lot.outcome, lot.winners, lot.price) == (None, (), 40_000)


def test_what_a_live_lot_does_to_its_object_waits_for_the_settlement() -> None:
    """It may be reopened until then: neither passed nor sold is told before."""
    for last, outcome in ((Pass(), "passed"), (Withdraw(), "unlisted")):
        room = Saleroom()
        room.does(Open())
        room.does(last, "as it was")
        room.do(SettleLot(LOT))
        lot = Offered("AUC1", "7", False, "AUC1", live=True, withdrawn=outcome == "unlisted")
        told = {
            type(event): [one.kind for one in news_of(event, lot, is_won=False)]
            for event in room.log
            if isinstance(event, LotClosed | LotSettled)
        }
        assert told == {LotClosed: [], LotSettled: [outcome]}


def test_a_command_without_an_id_is_no_part_of_the_act_that_follows() -> None:
    """All within one millisecond, as a program may enter them."""
    room = Saleroom()
    room.does(TakeOver())
    room.do(OpenLot(LOT), PauseLot(LOT), UnpauseLot(LOT))
    room.do(Act(LOT, FairWarning(), "w", "key_1", "ses_1"))
    room.do(PauseLot(LOT), Act(LOT, Unpause(), "u", "key_1", "ses_1"))
    room.do(CloseLot(LOT), Act(LOT, Reopen(), "r", "key_1", "ses_1", None, "too soon"))
    recount = Recount()
    recount.read(enumerate(room.log, 1), last=True)
    assert room.rostrum.now.state is State.OPEN
