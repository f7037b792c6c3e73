"""Random live sales, decided by the engine and by a clerk with a ledger: the same, step by step.

And whatever a script does: the price falls by nothing but an undo, after which nobody leads;
the hammer falls once, for the leader and at the price; no left bid goes over its limit.
"""

from __future__ import annotations

import random
from typing import get_args

import pytest

from engine.core.lot import public_state
from engine.core.messages import (
    Act,
    ActDecided,
    AddLot,
    Ask,
    BidAccepted,
    BidCalled,
    BidRefused,
    BidsUndone,
    Catalogue,
    CreateSale,
    Deed,
    Event,
    FloorBid,
    Hammer,
    LotClosed,
    Open,
    PlaceBid,
    Reinstate,
    SaleTerms,
    Step,
    Terms,
    Undo,
    WrongFoot,
)
from engine.core.sale import Shard, evolve, execute
from engine.core.snapshot import restore, state_hash, take
from tests.engine.core.reference_live import Ledger
from tests.engine.core.saleroom import LOT, SALE, TENS

POLICIES: tuple[WrongFoot, ...] = get_args(WrongFoot)
NET = ("anna", "bert", "carl", "dora")
STEPS = 45


class Sold:
    """One lot, decided twice."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.wrong_foot = POLICIES[seed % len(POLICIES)]
        reserve = self.dice.choice((None, None, 230))
        self.shard, self.told = Shard(), []  # type: tuple[Shard, list[Event]]
        self.ledger = Ledger(100, reserve, self.wrong_foot)
        self.number = 0
        printed = SaleTerms(wrong_foot=self.wrong_foot)
        self.do(CreateSale(SALE, "Ceramics", "EUR", 2, terms=printed))
        terms = Terms(100, TENS, reserve, format="live")
        self.do(AddLot(LOT, SALE, terms, Catalogue("214", "Moon jar")))
        self.lot = self.shard.lots[LOT]
        self.bids: list[tuple[str, str]] = []

    def do(self, command: object) -> list[Event]:
        self.number += 1
        events = execute(self.shard, command, self.number)  # type: ignore[arg-type]
        self.told += events
        return events

    def act(self, deed: Deed, **details: object) -> ActDecided:
        cmd_id = f"a{self.number}"
        more: dict[str, object] = {"reason": "so it was", **details}
        decided = self.do(Act(LOT, deed, cmd_id, "key_1", "one", **more))[-1]  # type: ignore[arg-type]
        assert isinstance(decided, ActDecided)
        return decided

    def amount(self) -> int:
        near = self.ledger.now.price or 100
        return max(1, near + self.dice.choice((-10, -1, 0, 1, 5, 10, 10, 20, 30, 33, 60)))

    def before(self) -> None:
        for _ in range(self.dice.randrange(4)):
            who, limit = self.dice.choice(NET), self.dice.choice((100, 120, 150, 153, 200, 260))
            self.online(who, limit, "max", before=True)
        assert self.act(Open()).code is None
        self.ledger.opens()

    def online(self, who: str, amount: int, kind: str, *, before: bool = False) -> None:
        cmd_id = f"b{self.number}"
        own = self.ledger.now.lines.get(who)
        if before:
            low = amount <= own.limit if own else amount < 100
            code = ("not_a_raise" if own else "below_asking_bid") if low else None
        else:
            code = self.ledger.refuses_online(who, amount)
        answer = self.do(PlaceBid(LOT, who, cmd_id, amount, kind))[0]  # type: ignore[arg-type]
        if code is not None:
            assert isinstance(answer, BidRefused)
            assert answer.answer.code == code
            return
        assert isinstance(answer, BidAccepted), answer
        self.bids.append((who, cmd_id))
        if before:
            self.ledger.left_before(who, amount, cmd_id)
        else:
            self.ledger.bid(who, amount, cmd_id, limit=kind == "max", floor=False)

    def floor(self) -> None:
        amount, paddle = self.amount(), self.dice.choice((None, None, 7, 8, 101))
        who = "floor_room" if paddle is None else self.holder(paddle)
        cmd_id = f"a{self.number}"
        decided = self.act(FloorBid("room", amount, paddle))
        low = amount < self.ledger.lowest()
        assert decided.code == ("below_asking_bid" if low else None)
        if not low:
            self.bids.append((who, cmd_id))
            self.ledger.bid(who, amount, cmd_id, limit=False, floor=True)

    def holder(self, paddle: int) -> str:
        return self.shard.sales[SALE].paddles.get(paddle, f"floor_{paddle}")

    def step(self) -> None:
        """Something happens, and both say the same of it."""
        dice, ledger = self.dice, self.ledger
        match dice.choice("ffffoooommmuruas c h".replace(" ", "")):
            case "f":
                self.floor()
            case "o":
                self.online(dice.choice(NET), self.amount(), "bid")
            case "m":
                self.online(dice.choice(NET), self.amount() + dice.choice((0, 40, 90)), "max")
            case "u":
                to_seq = dice.randrange(ledger.now.seq + 1)
                done = self.act(Undo(to_seq)).code is None
                assert done == ledger.undo(to_seq)
            case "r" if self.bids:
                bid = dice.choice(self.bids[-8:])
                done = self.act(Reinstate(*bid)).code is None
                assert done == ledger.reinstate(bid[1])
            case "a":
                amount = self.amount()
                done = self.act(Ask(amount)).code is None
                assert done == ledger.ask(amount)
            case "s":
                step = dice.choice((None, 5, 20))
                self.act(Step(step))
                ledger.set_step(step)
            case "c":
                amount = max(self.amount(), ledger.lowest())
                done = self.act(FloorBid("left", amount)).code is None
                assert done == ledger.call(amount)
            case "h":  # not what was called: never sold
                struck = (ledger.now.price or 0) + dice.choice((-1, 1))
                assert self.act(Hammer(dice.choice((None, 7, 101)), struck)).code == "moved"
        self.compare()

    def compare(self) -> None:
        lot, now = self.lot, self.ledger.now
        seen = public_state(lot)
        assert (seen.seq, seen.price, seen.asking_bid) == (now.seq, now.price, now.asking)
        assert lot.leader == self.ledger.leader
        paddle = lot.bidders[lot.leader].paddle or None if lot.leader else None
        assert seen.paddle == paddle

    def hammer(self) -> None:
        """Sold to the leader, at the price; and to nobody else after that."""
        lot = self.lot
        paddle = lot.bidders[lot.leader].paddle if lot.leader else 0
        leader, price = lot.leader, lot.price
        decided = self.act(Hammer(paddle or 9, price or 1), seen=lot.seq)
        assert decided.code == ("moved" if leader is None else None)
        if leader is not None:
            [closed] = [event for event in self.told if isinstance(event, LotClosed)]
            [win] = closed.winners
            assert win.amount == price == closed.after.price
            assert win.consumer_id == (leader if paddle else self.holder(9))
            assert self.act(Hammer(paddle or 9, price or 1)).code == "closed"


@pytest.mark.parametrize("seed", range(400))
def test_the_clerk_and_the_engine_agree(seed: int) -> None:
    """Step by step; and events alone make the same lot, also after a snapshot."""
    sold = Sold(seed)
    sold.before()
    sold.compare()
    for _ in range(STEPS):
        sold.step()
    middle = len(sold.told) // 2
    sold.hammer()
    recovered = Shard()
    for event in sold.told[:middle]:
        evolve(recovered, event)
    recovered = restore(take(recovered))
    for event in sold.told[middle:]:
        evolve(recovered, event)
    assert state_hash(recovered) == state_hash(sold.shard)
    check_what_must_hold(sold.told, sold.wrong_foot)


def check_what_must_hold(told: list[Event], wrong_foot: WrongFoot) -> None:
    """Of every script, from its events alone."""
    price, led = 0, False
    most: dict[int | None, int] = {}  # that anybody has ever bid, by paddle
    for event in told:
        if isinstance(event, BidAccepted):
            most[event.paddle] = max(event.answer.amount, most.get(event.paddle, 0))
        after = getattr(event, "after", None)
        if after is None:
            continue
        if isinstance(event, BidsUndone):
            assert after.paddle is None, "somebody was revived"
            price, led = after.price or 0, False
            continue
        now = after.price or 0
        assert now >= price, "the price fell"
        if isinstance(event, BidAccepted | BidCalled) and event.why is not None:
            assert now > price or not led or event.why == "reinstated" or after.channel == "left"
            led = True
        price = now
        if after.channel == "left" and wrong_foot != "plus_one":
            assert now <= most[after.paddle], "a left bid went over its limit"
