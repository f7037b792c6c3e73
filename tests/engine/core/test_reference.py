"""The engine against the reference: random auctions, and no difference at all.

A player throws dice for the terms and for what happens, with a taste for the awkward: bids
on the asking bid and one beside it, on the leader's limit, on the reserve, off the ladder;
instants on the end and one before it.
"""

from __future__ import annotations

import random
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from engine.core.increments import read_published
from engine.core.messages import (
    Answer,
    AnswerRepeated,
    BidAccepted,
    BidderRegistered,
    BidRefused,
    CommandRefused,
    Event,
    Ladder,
    LotClosed,
    LotExtended,
    PlaceBid,
    Table,
    TradingResumed,
)
from tests.engine.core import reference
from tests.engine.core.reference import Auction, News, Rules
from tests.engine.core.saleroom import LOT, Saleroom

TABLES = (
    ((0, 10),),
    ((0, 1),),
    ((0, 5), (100, 10), (200, 25)),
    ((50, 7), (120, 13), (200, 3), (260, 50)),
)
LADDERS = (
    ((10, "by 1"), (20, "by 2"), (30, "2,5,8"), (50, "by 5"), (100, "by 10"), (200, "by 20")),
    ((10, "by 3"), (20, "by 5"), (60, "by 7"), (160, "by 9"), (300, "by 30")),
    ((100, "by 10"), (200, "20,50,80"), (500, "by 50")),
)
BIDDERS = ("anna", "bert", "carl", "dora")
PACES = (0, 0, 0, 1, 1, 2, 3, 5, 9, 11)


def some_rules(dice: random.Random) -> Rules:
    """Terms that a house might set, and some that only a tester would."""
    ladder = dice.random() < 0.4
    opening = dice.choice((1, 20, 50, 95, 100, 199))
    opens_at = dice.choice((None, None, 0, 5))
    window = dice.choice((0, 10, 20, 40))
    return Rules(
        opening=opening,
        tiers=() if ladder else dice.choice(TABLES),
        bands=dice.choice(LADDERS) if ladder else (),
        reserve=dice.choice((None, None, opening, opening + 1, opening + 45, opening + 100)),
        to_max=dice.random() < 0.3,
        recompute=dice.random() < 0.5,
        ladder_only=dice.random() < 0.4,
        opens_at=opens_at,
        closes_at=dice.choice((None, 40, 90, 150)),
        settle_at=dice.choice((None, None, 60, 200)),
        window=window,
        extension=dice.choice((window, 10, 15)) if window else 0,
        max_extensions=dice.choice((None, None, 0, 1, 2)),
    )


def in_the_engines_terms(rules: Rules) -> dict[str, Any]:
    """The same terms, as the engine reads them."""
    return {
        "opening": rules.opening,
        "increments": increments_of(rules),
        "reserve": rules.reserve,
        "reserve_policy": "to_max" if rules.to_max else "normal",
        "leader_raise": "recompute" if rules.recompute else "freeze",
        "ladder_only": rules.ladder_only,
        "opens_at": rules.opens_at,
        "closes_at": rules.closes_at,
        "settle_at": rules.settle_at,
        "extension_window_ms": rules.window,
        "extension_ms": rules.extension,
        "max_extensions": rules.max_extensions,
    }


def increments_of(rules: Rules) -> Table | Ladder:
    """The published increments, read by the engine's own reader."""
    if rules.tiers:
        return read_published({"tiers": rules.tiers}, 0)
    return read_published({"bands": [(start, None, by) for start, by in rules.bands]}, 0)


class Player:
    """Plays one auction in both houses at once, and compares after every step."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.rules = some_rules(dice)
        self.auction = Auction(self.rules)
        self.room = Saleroom(**in_the_engines_terms(self.rules))
        self.paddles: dict[int | None, str | None] = {None: None}
        self.script = [str(self.rules)]
        self.at = 0
        self.last_bid: tuple[PlaceBid, Answer] | None = None

    def play(self, steps: int) -> None:
        """*steps* things happen.  Raises ``AssertionError`` with the script where they differ."""
        try:
            self._play(steps)
        except AssertionError as error:
            raise AssertionError("\n".join(self.script)) from error

    def _play(self, steps: int) -> None:
        # An auction that never opens by itself is opened first.
        if self.rules.opens_at is None:
            self.step("open")
        for _ in range(steps):
            self.at += self.pace()
            if self.last_bid is not None and self.dice.randrange(20) == 13:
                self.send_again(*self.last_bid)
            else:
                self.step(*self.something())
            if self.auction.state in OVER and self.dice.random() < 0.3:
                break  # a few more things may happen after the end, but not many

    def pace(self) -> int:
        """How long until the next thing: often not long, often exactly to the end."""
        left = (self.auction.closes_at or 0) - self.at
        if left > 1 and self.dice.randrange(14) == 9:
            return left - self.dice.choice((0, 1))
        return self.dice.choice(PACES)

    def something(self) -> list[str]:
        """The words of a next line in the script."""
        dice, throw = self.dice, self.dice.randrange(100)
        if self.auction.state == "paused" and throw < 30:
            return ["unpause"]
        if throw < 84:
            who = dice.choice(BIDDERS)
            exactly = dice.random() < 0.4
            return [who, "bids", *([] if exactly else ["up", "to"]), str(self.amount())]
        if throw < 90:
            return ["clock"]
        if throw < 94:
            return ["pause"]
        if throw < 97:
            return [dice.choice(BIDDERS), "is", dice.choice(ADMISSIONS)]
        return [dice.choice(("resume", "resume", "resume", "close", "cancel", "settle", "open"))]

    def amount(self) -> int:
        """An amount that is about to be right or wrong."""
        dice, bids = self.dice, self.auction.bids
        asking = reference.asking(self.rules, bids)
        about = [asking, asking, asking, asking + 30, asking + 60]
        if bids:
            best = reference.places(bids)[0][1]
            about += [best, best, best + 40, reference.next_price(self.rules, best)]
        if self.rules.reserve is not None:
            about.append(self.rules.reserve)
        about.append(dice.choice(reference.rungs(self.rules, asking + 60)))
        return max(1, dice.choice(about) + dice.choice((0, 0, 0, 0, 1, -1, 4, 10)))

    def step(self, *words: str) -> None:
        """One thing happens in both houses."""
        self.script.append(f"{self.at} {' '.join(words)}")
        command = self.room.read(list(words), f"line {len(self.script)}")
        events = self.room.do(command, self.at)
        heard = [news for event in events for news in self.told(event)]
        assert heard == self.expected(list(words))
        self.check_times()
        for event in events:
            if isinstance(event, BidAccepted | BidRefused):
                assert isinstance(command, PlaceBid)
                self.last_bid = command, event.answer

    def send_again(self, bid: PlaceBid, first: Answer) -> None:
        """The last bid comes a second time: what is due happens, and nothing else."""
        self.script.append(f"{self.at} the last bid again")
        *due, answer = self.room.do(bid, self.at)
        heard = [news for event in due for news in self.told(event)]
        assert heard == self.auction.happens(self.at, "clock")
        self.check_times()
        assert isinstance(answer, AnswerRepeated)
        assert answer.answer == first

    def check_times(self) -> None:
        """Both houses agree on where the lot stands in its life, and when it ends."""
        now = self.room.view.lots[LOT]
        assert (now.state.value, now.closes_at) == (self.auction.state, self.auction.closes_at)

    def expected(self, words: list[str]) -> list[News]:
        """What the reference says to the same line."""
        match words:
            case [who, "bids", "up", "to", limit]:
                return self.auction.happens(self.at, "max", who, int(limit))
            case [who, "bids", amount]:
                return self.auction.happens(self.at, "bid", who, int(amount))
            case [who, "is", admission]:
                self.auction.admission[who] = admission
                return []
            case _:
                return self.auction.happens(self.at, words[0])

    def told(self, event: Event) -> list[News]:
        """An event in the reference's words."""
        match event:
            case BidAccepted(answer=answer):
                self.paddles[event.paddle] = event.consumer_id
                return [("accepted", answer.status, answer.would_pass, *self.figures(event))]
            case BidRefused(answer=answer):
                return [("refused", answer.code, answer.would_pass, *self.figures(event))]
            case LotExtended(after=after):
                return [("extended", after.closes_at, after.extensions)]
            case LotClosed(outcome=outcome, winner=winner):
                return [(outcome, winner, event.after.price if winner else None)]
            case CommandRefused():
                return [("impossible",)]
            case TradingResumed() | BidderRegistered():
                return []
            case _:
                return [(event.after.state.value, event.after.closes_at)]  # type: ignore[union-attr]  # every other event has it

    def figures(self, event: BidAccepted | BidRefused) -> News:
        """Price and asking bid as the bidder was told, the rest as everybody may see it."""
        answer, now = event.answer, self.room.view.lots[LOT]
        public = event.after if isinstance(event, BidAccepted) else now
        assert (answer.price, answer.asking_bid) == (public.price, public.asking_bid)
        leader = self.paddles[public.paddle]
        return answer.price, answer.asking_bid, leader, public.bid_count, public.bidder_count


ADMISSIONS = ("approved", "approved", "pending", "suspended", "declined")
OVER = ("closed", "settled", "canceled")


def test_three_hundred_auctions_thrown_with_known_dice() -> None:
    """The same ones every time, so that a fault cannot hide behind luck."""
    for seed in range(300):
        Player(random.Random(seed)).play(40)


@settings(
    max_examples=2000,
    deadline=None,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.randoms(use_true_random=False), st.integers(10, 60))
def test_two_thousand_auctions_thrown_by_hypothesis(dice: random.Random, steps: int) -> None:
    """Other ones every time; what fails is shrunk to the shortest script that differs."""
    Player(dice).play(steps)
