"""The other formats once more, as plainly as they can be said (bidding-rules 2.9).

A second opinion, like reference.py: it shares nothing with the engine, keeps the list of what
happened, and works everything out from that list whenever anybody asks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from tests.engine.core.reference import Rules, next_price, rungs


class Standing(NamedTuple):
    """A bid that stands at its full amount."""

    bidder: str
    amount: int
    when: int


# ── Several places, and one bid each ─────────────────────────────────────────────────────


@dataclass
class Several:
    """One open lot with *places* winners.  *once*: one bid each, which need not beat anyone."""

    rules: Rules
    places: int
    once: bool
    happened: list[tuple[str, int | None]] = field(default_factory=list)  # None: taken back

    def standing(self, until: int | None = None) -> list[Standing]:
        """Everybody's bid, best first: by amount, then by when it was made."""
        bids: dict[str, Standing] = {}
        for when, (bidder, amount) in enumerate(self.happened[:until]):
            bids.pop(bidder, None)
            if amount is not None:
                bids[bidder] = Standing(bidder, amount, when)
        return sorted(bids.values(), key=lambda bid: (-bid.amount, bid.when))

    def holders(self, until: int | None = None) -> list[str]:
        """Who holds a place, best first."""
        return [bid.bidder for bid in self.standing(until)[: self.places]]

    def own(self, who: str) -> int | None:
        """What this bidder's bid stands at."""
        return next((bid.amount for bid in self.standing() if bid.bidder == who), None)

    def asking(self) -> int:
        """What a newcomer must bid at least."""
        standing = self.standing()
        if self.once or len(standing) < self.places:
            return self.rules.opening
        lowest = next_price(self.rules, standing[self.places - 1].amount)
        if self.rules.ladder_only:
            lowest = min(rung for rung in rungs(self.rules, lowest) if rung >= lowest)
        return lowest

    def objection(self, who: str, amount: int) -> str | None:
        """Why this bid does not stand."""
        if self.once:
            if self.own(who) is not None:
                return "already_bid"
        elif who in self.holders():
            own = self.own(who)
            if own is not None and amount <= own:
                return "not_a_raise"
        if who not in self.holders() and amount < self.asking():
            return "below_asking_bid"
        climbs = self.rules.ladder_only and not self.once
        return "off_ladder" if climbs and amount not in rungs(self.rules, amount) else None

    def would_pass(self, who: str) -> int | None:
        """Tries one amount after the other."""
        if self.once and self.own(who) is not None:
            return None
        amount = self.rules.opening
        while self.objection(who, amount):
            amount += 1
        return amount

    def status(self, who: str) -> str:
        """Holds a place, held one with this or an earlier bid, never held one, has no bid."""
        if who in self.holders():
            return "WINNING"
        if self.own(who) is None:
            return "NOT_BID"
        since = max((n for n, told in enumerate(self.happened) if told == (who, None)), default=-1)
        moments = range(since + 1, len(self.happened) + 1)
        return "OUTBID" if any(who in self.holders(n) for n in moments) else "ACTIVE"

    def price(self) -> int | None:
        """The highest bid that stands."""
        standing = self.standing()
        return standing[0].amount if standing else None

    def count(self) -> int:
        """The bids that everybody is told of: those that stand, where each has only one."""
        return len(self.standing()) if self.once else len(self.happened)

    def winners(self) -> list[tuple[str, int]]:
        """Who buys, and for how much."""
        best = self.standing()[: self.places]
        return [(bid.bidder, bid.amount) for bid in best if bid.amount >= (self.rules.reserve or 0)]


# ── Sealed bids ──────────────────────────────────────────────────────────────────────────


def sold_sealed(
    bids: list[tuple[str, int]],
    *,
    how: str,
    units: int,
    opening: int,
    reserve: int | None,
    lowest_winning: bool,
) -> list[tuple[str, int]]:
    """Who buys and what each pays: takes the best that is left, again and again."""
    left: list[tuple[str, int]] = []
    for who, amount in bids:  # a bidder's later bid stands instead of the earlier
        left = [other for other in left if other[0] != who] + [(who, amount)]
    left = [bid for bid in left if bid[1] >= opening]
    won: list[tuple[str, int]] = []
    while left and len(won) < units:
        best = left[0]
        for bid in left:
            if bid[1] > best[1]:  # of equal ones the first stays
                best = bid
        if reserve is not None and best[1] < reserve:
            break
        left.remove(best)
        won.append(best)
    if how == "sealed_first":
        return won
    if how == "uniform" and lowest_winning:
        return [(who, min(amount for _, amount in won)) for who, _ in won]
    price = max([opening, reserve or 0, *(amount for _, amount in left)])
    return [(who, price) for who, _ in won]


# ── A falling price ──────────────────────────────────────────────────────────────────────


@dataclass
class Falling:
    """A price that falls by *drop* every *interval* of open time, down to *floor*.

    Lives one millisecond after the other.
    """

    opening: int
    floor: int
    drop: int
    interval: int
    units: int
    open_for: int = 0  # milliseconds
    paused: bool = False
    taken: list[tuple[str, int]] = field(default_factory=list)

    def wait(self, milliseconds: int) -> None:
        """Time passes."""
        for _ in range(milliseconds):
            self.open_for += not self.paused

    def asked(self) -> int:
        """What is asked now."""
        price = self.opening
        for _ in range(self.open_for // self.interval):
            price = max(self.floor, price - self.drop)
        return price

    def sold_out(self) -> bool:
        """Is there no unit left?"""
        return len(self.taken) == self.units

    def bid(self, who: str, amount: int) -> str:
        """What is said to a bid."""
        if self.sold_out():
            return "closed"
        if self.paused:
            return "paused"
        if any(buyer == who for buyer, _ in self.taken):
            return "already_bid"
        if amount < self.asked():
            return "below_asking_bid"
        self.taken.append((who, self.asked()))
        return f"taken at {self.asked()}"
