"""The other formats against their reference: random auctions, and no difference at all.

Dice as in test_reference.py, with the same taste for what is about to be right or wrong.
"""

from __future__ import annotations

import random

from engine.core.increments import table
from engine.core.messages import (
    AddLot,
    BidAccepted,
    BidCanceled,
    BidRefused,
    CancelBid,
    Catalogue,
    CloseLot,
    CreateSale,
    Event,
    Format,
    LotClosed,
    OpenLot,
    PlaceBid,
    Terms,
)
from engine.core.sale import Shard, execute
from tests.engine.core.reference import Rules, next_price
from tests.engine.core.reference_formats import Falling, Several, sold_sealed
from tests.engine.core.saleroom import (
    LOT,
    OPENING_KEY,
    SALE,
    SEALING,
    Saleroom,
    sealed_bid,
)
from tests.engine.core.test_reference import LADDERS, TABLES, increments_of

BIDDERS = ("anna", "bert", "carl", "dora", "emil", "fred")

# ── Several places, and one bid each ─────────────────────────────────────────────────────


class Contest:
    """One lot in both houses at once; what both say is compared after every step."""

    def __init__(self, dice: random.Random, once: bool) -> None:
        ladder = dice.random() < 0.3
        self.dice, self.once = dice, once
        self.rules = Rules(
            opening=100,
            tiers=() if ladder else dice.choice(TABLES),
            bands=LADDERS[2] if ladder else (),
            reserve=dice.choice((None, None, 100, 145, 200)),
            ladder_only=dice.random() < 0.4,
        )
        places = dice.choice((1, 2, 3, 5) if once else (2, 3, 5))
        self.here = Several(self.rules, places, once)
        self.room = Saleroom(
            opening=100,
            increments=increments_of(self.rules),
            reserve=self.rules.reserve,
            ladder_only=self.rules.ladder_only,
            format="one_bid" if once else "english",
            winner_count=places,
        )
        self.room.do(OpenLot(LOT), 0)
        self.paddles: dict[int | None, str | None] = {None: None}
        self.bids: dict[str, str] = {}  # the cmd_id of each bidder's bid
        self.script = [f"{self.rules}, {places} places, {once=}"]

    def play(self, steps: int) -> None:
        """*steps* things happen, then the hammer falls.  Raises with the script that differs."""
        try:
            for step in range(1, steps + 1):
                if self.once and self.bids and self.dice.random() < 0.25:
                    self.take_back(step)
                else:
                    self.bid(step)
                self.compare_the_lot()
            self.close(steps + 1)
        except AssertionError as error:
            raise AssertionError("\n".join(self.script)) from error

    def bid(self, step: int) -> None:
        """Somebody bids about as much as would do."""
        who, amount = self.dice.choice(BIDDERS), self.amount()
        self.script.append(f"{step} {who} bids {amount}")
        before = self.here.holders()
        code = self.here.objection(who, amount)
        if code is None:
            self.here.happened.append((who, amount))
        event = self.room.do(PlaceBid(LOT, who, str(step), amount, "bid"), step)[0]
        assert isinstance(event, BidAccepted | BidRefused)
        answer = event.answer
        assert (answer.code, answer.status) == (code, self.here.status(who))
        assert answer.would_pass == self.here.would_pass(who)
        assert (answer.price, answer.asking_bid) == (self.here.price(), self.here.asking())
        if isinstance(event, BidAccepted):
            self.paddles[event.paddle], self.bids[who] = who, str(step)
            lost = [holder for holder in before if holder not in self.here.holders()]
            assert event.beaten == (lost[0] if lost else None)
            assert event.tied == self.is_passed_by_an_equal(who, amount)

    def is_passed_by_an_equal(self, who: str, amount: int) -> bool:
        """Did an earlier bid of the same amount keep the last place?"""
        places = self.here.standing()[: self.here.places]
        return who not in self.here.holders() and places[-1].amount == amount

    def take_back(self, step: int) -> None:
        """Somebody's bid is taken back."""
        who = self.dice.choice(sorted(self.bids))
        self.script.append(f"{step} {who} takes their bid back")
        before = self.here.holders()
        self.here.happened.append((who, None))
        event = self.room.do(CancelBid(LOT, who, self.bids.pop(who)), step)[0]
        assert isinstance(event, BidCanceled)
        gained = [holder for holder in self.here.holders() if holder not in before]
        assert event.promoted == (gained[0] if gained else None)

    def amount(self) -> int:
        """About the asking bid, somebody's own, or the reserve."""
        asking = self.here.asking()
        about = [asking, asking, asking, asking + 20, asking + 50, next_price(self.rules, asking)]
        about += [bid.amount for bid in self.here.standing()[:3]]
        about += [self.rules.reserve] if self.rules.reserve else []
        return max(1, self.dice.choice(about) + self.dice.choice((0, 0, 0, 1, -1, 10)))

    def compare_the_lot(self) -> None:
        """What everybody sees."""
        now, here = self.room.view.lots[LOT], self.here
        holders = here.holders()
        assert (now.price, now.asking_bid) == (here.price(), here.asking())
        assert self.paddles[now.paddle] == (holders[0] if holders else None)
        assert now.bid_count == here.count()
        assert now.seq == len(here.happened) + 1
        bidders = {who for who, _ in here.happened} if not self.once else self.bids
        assert now.bidder_count == len(bidders)

    def close(self, at: int) -> None:
        """Who buys, and for how much."""
        closed = self.room.do(CloseLot(LOT), at)[0]
        assert isinstance(closed, LotClosed)
        assert [(win.consumer_id, win.amount) for win in closed.winners] == self.here.winners()
        assert closed.outcome == ("sold" if self.here.winners() else "passed")


def test_eighty_contests_for_several_places() -> None:
    """The same ones every time."""
    for seed in range(80):
        Contest(random.Random(seed), once=False).play(20)


def test_eighty_contests_of_one_bid_each() -> None:
    """With bids that are taken back."""
    for seed in range(80):
        Contest(random.Random(seed), once=True).play(20)


# ── Sealed bids ──────────────────────────────────────────────────────────────────────────


def compare_sealed(dice: random.Random) -> int:
    """One sealed auction in both houses; how much was paid in it."""
    how: Format = dice.choice(("sealed_first", "sealed_second", "uniform"))
    opening = dice.choice((1, 100, 1000))
    units, lowest = dice.choice((1, 1, 2, 3, 4)), dice.random() < 0.5
    reserve = dice.choice((None, None, opening, opening + 20, opening + 40))
    bids = [
        (dice.choice(BIDDERS), max(1, opening + dice.randrange(-5, 60)))
        for _ in range(dice.randrange(7))
    ]
    terms = Terms(
        opening,
        table([(0, 10)]),
        reserve,
        format=how,
        winner_count=units,
        uniform_price="lowest_winning" if lowest else "highest_losing",
        sealing=SEALING,
    )
    closed = sealed_result(terms, bids)
    expected = sold_sealed(
        bids,
        how=how,
        units=units,
        opening=opening,
        reserve=reserve,
        lowest_winning=lowest,
    )
    assert [(win.consumer_id, win.amount) for win in closed.winners] == expected, (terms, bids)
    valid = {bid.consumer_id: bid.amount for bid in closed.opened if bid.void is None}
    assert valid == {who: amount for who, amount in dict(bids).items() if amount >= opening}
    assert all(win.bid == valid[win.consumer_id] for win in closed.winners)
    return sum(win.amount for win in closed.winners)


def sealed_result(terms: Terms, bids: list[tuple[str, int]]) -> LotClosed:
    """The close of a lot with these sealed bids, by the engine."""
    shard = Shard()
    execute(shard, CreateSale(SALE, "Ceramics", "EUR", 2), 0)
    execute(shard, AddLot(LOT, SALE, terms, Catalogue("1", "Jar")), 0)
    execute(shard, OpenLot(LOT), 0)
    for number, (who, amount) in enumerate(bids):
        execute(shard, sealed_bid(who, amount, str(number)), number)
    closed = execute(shard, CloseLot(LOT, opening_key=OPENING_KEY), 99)[0]
    assert isinstance(closed, LotClosed)
    return closed


def test_three_hundred_sealed_auctions() -> None:
    """Enough to find a wrong price."""
    assert sum(compare_sealed(random.Random(seed)) for seed in range(300)) > 0


def test_ten_thousand_sealed_auctions() -> None:
    """Every winner and every payment, to the unit; sealed and opened as in a house."""
    assert sum(compare_sealed(random.Random(1_000 + seed)) for seed in range(10_000)) > 0


# ── A falling price ──────────────────────────────────────────────────────────────────────


def test_two_hundred_falling_prices() -> None:
    """What each paid, whenever the clock looked, and however often the lot was paused."""
    for seed in range(200):
        compare_falling(random.Random(seed))


def compare_falling(dice: random.Random) -> None:
    """One lot in both houses."""
    opening = dice.choice((50, 100))
    here = Falling(
        opening,
        dice.choice((opening, opening - 7, opening - 30, 5)),
        dice.choice((1, 7, 10)),
        dice.choice((1, 3, 10)),
        dice.choice((1, 2, 4)),
    )
    room = Saleroom(
        opening=opening,
        format="dutch",
        floor=here.floor,
        drop=here.drop,
        drop_interval_ms=here.interval,
        winner_count=here.units,
    )
    room.do(OpenLot(LOT), 0)
    at = 0
    while not here.sold_out() and at < 120:
        wait = dice.choice((0, 1, 2, 5, 11))
        here.wait(wait)
        at += wait
        throw = dice.random()
        if throw < 0.2:
            word = "unpause" if here.paused else "pause"
            here.paused = not here.paused
            room.hear([word], at, at)
        elif throw < 0.5:
            room.hear(["clock"], at, at)
            assert room.view.lots[LOT].asking_bid == here.asked()
        else:
            who, amount = dice.choice(BIDDERS), here.asked() + dice.choice((0, 0, -1, 5))
            told = [heard(e) for e in room.do(PlaceBid(LOT, who, f"{at} {throw}", max(1, amount), "bid"), at)]  # fmt: skip
            assert here.bid(who, max(1, amount)) in told
    if here.sold_out():
        assert [heard(e) for e in room.do(PlaceBid(LOT, "gina", "late", 999, "bid"), at)] == [
            here.bid("gina", 999)
        ]
    lot = room.shard.lots[LOT]
    assert [(who, -negated) for negated, _, who in lot.book] == here.taken


def heard(event: Event) -> str:
    """An answer in the reference's words; anything else is nothing."""
    if isinstance(event, BidAccepted):
        return f"taken at {event.after.price}"
    return str(event.answer.code) if isinstance(event, BidRefused) else ""
