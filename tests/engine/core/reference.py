"""The rules of the trade once more, as plainly as they can be said.

This is a second opinion for the engine, and shares nothing with it: no code, no message, no
state.  It keeps the list of accepted bids, and whenever anybody asks it works everything out
from that list.  Its one liberty is to remember what it worked out for the same list before.

It was written from the design's bidding rules alone; the numbers in the comments are theirs:
2.1 is the price, 2.2 the increments, 2.3 the close.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

News = tuple[object, ...]
remembered = lru_cache(maxsize=10_000)


@dataclass(frozen=True)
class Rules:
    """What one lot is sold by.  Increments as houses publish them, in whole minor units."""

    opening: int = 100
    tiers: tuple[tuple[int, int], ...] = ()  # (from, step): a table, or
    bands: tuple[tuple[int, str], ...] = ()  # (from, "by 10" or "20,50,80"): a ladder
    reserve: int | None = None
    to_max: bool = False
    recompute: bool = False
    ladder_only: bool = False
    opens_at: int | None = None
    closes_at: int | None = None
    settle_at: int | None = None
    window: int = 0
    extension: int = 0
    max_extensions: int | None = None


class Bid(NamedTuple):
    """An accepted bid."""

    bidder: str
    amount: int
    exact: bool


# ── 2.2 Increments ───────────────────────────────────────────────────────────────────────


@remembered
def rungs(rules: Rules, top: int) -> list[int]:
    """Every rung of the lot from its opening bid to *top* or a little above it."""
    found = [rules.opening]
    while found[-1] <= top:
        found.append(next_price(rules, found[-1]))
    return found


@remembered
def next_price(rules: Rules, price: int) -> int:
    """One step above *price*: price + inc(price)."""
    if rules.tiers:
        step = rules.tiers[0][1]
        for start, tier_step in rules.tiers:
            if start <= price:
                step = tier_step
        return price + step
    candidate = price + 1
    while not on_ladder(rules.bands, candidate):
        candidate += 1
    return candidate


def on_ladder(bands: tuple[tuple[int, str], ...], amount: int) -> bool:
    """Is *amount* a rung of the published bands?  Asks the band that it lies in."""
    inside = [band for band in bands if band[0] <= amount]
    if not inside:
        return False
    start, pattern = inside[-1]
    if pattern.startswith("by "):
        return (amount - start) % int(pattern[3:]) == 0
    # "20,50,80": amounts end in 00, 20, 50 and 80.
    endings = [int(ending) for ending in pattern.split(",")]
    turn = 10 ** len(str(endings[-1]))
    return amount % turn in [0, *endings]


# ── 2.1 The price ────────────────────────────────────────────────────────────────────────


@remembered
def places(bids: tuple[Bid, ...]) -> list[tuple[str, int]]:
    """(bidder, limit), best first: by limit, then by when that limit was placed (line 4)."""
    limits: dict[str, tuple[int, int]] = {}
    for when, bid in enumerate(bids):
        if bid.bidder == first_of(limits):
            when = limits[bid.bidder][1]  # it never loses its place in time (line 3)
        limits[bid.bidder] = (bid.amount, when)
    ranked = sorted(limits, key=lambda bidder: (-limits[bidder][0], limits[bidder][1]))
    return [(bidder, limits[bidder][0]) for bidder in ranked]


def first_of(limits: dict[str, tuple[int, int]]) -> str | None:
    """Who leads by these limits and times."""
    if not limits:
        return None
    return min(limits, key=lambda bidder: (-limits[bidder][0], limits[bidder][1]))


def leader(bids: tuple[Bid, ...]) -> str | None:
    """Who leads."""
    return places(bids)[0][0] if bids else None


@remembered
def price(rules: Rules, bids: tuple[Bid, ...]) -> int | None:
    """What the accepted bids make the price."""
    if not bids:
        return None
    earlier, bid = bids[:-1], bids[-1]
    before = price(rules, earlier)
    own_raise = earlier != () and leader(earlier) == bid.bidder
    if own_raise and not rules.recompute:  # line 11, freeze
        assert before is not None
        newly_met = rules.reserve is not None and before < rules.reserve <= bid.amount
        return rules.reserve if newly_met else before
    (first, first_limit), *others = places(bids)
    now = rules.opening  # line 5
    if others:
        now = min(first_limit, next_price(rules, others[0][1]))  # lines 6 and 7
    if bid.exact and bid.bidder == first and not own_raise:
        now = max(now, bid.amount)  # lines 16 and 17
    if rules.reserve is not None and first_limit >= rules.reserve:
        now = max(now, rules.reserve)  # line 8
    elif rules.reserve is not None and rules.to_max:
        now = first_limit  # line 9
    return max(now, before or 0)  # line 10


@remembered
def asking(rules: Rules, bids: tuple[Bid, ...]) -> int:
    """The lowest bid that one who does not lead could make (lines 1 and 2)."""
    now = price(rules, bids)
    if now is None:
        return rules.opening
    lowest = next_price(rules, now)
    if rules.ladder_only:
        lowest = min(rung for rung in rungs(rules, lowest) if rung >= lowest)
    return lowest


# ── 2.3 The whole lot ────────────────────────────────────────────────────────────────────


class Auction:
    """One lot from its announcement on.  ``happens`` answers with what everybody learns."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.bids: tuple[Bid, ...] = ()
        self.state = "scheduled"
        self.closes_at = rules.closes_at
        self.left: int | None = None
        self.settles_at = 0
        self.resumed_at = -1
        self.extensions = 0
        self.admission: dict[str, str] = {}

    def happens(self, at: int, what: str, who: str = "", amount: int = 0) -> list[News]:
        """Something is asked for at instant *at*; first comes what is due by then."""
        news: list[News] = []
        while what != "resume" and what != "admit" and (due := self.due(at)):
            news.append(due)
        if what == "resume":
            self.resumed_at = at
        elif what in ("bid", "max"):
            news += self.bid(at, who, amount, what == "bid")
        elif what in MOVES:
            news.append(self.move(at, what))
            while due := self.due(at):
                news.append(due)
        return news

    def due(self, at: int) -> News | None:
        """The next thing that time alone brings about by *at*."""
        opens_at, closes_at = self.rules.opens_at, self.closes_at
        if self.state == "scheduled" and opens_at is not None and opens_at <= at:
            return self.move(at, "open")
        if self.state == "open" and closes_at is not None and closes_at <= at:
            if closes_at <= self.resumed_at:
                self.closes_at = self.resumed_at + (self.rules.window or 60_000)
                return ("extended", self.closes_at, self.extensions)
            return self.move(at, "close")
        if self.state == "closed" and self.settles_at <= at:
            return self.move(at, "settle")
        return None

    def move(self, at: int, what: str) -> News:
        """One step of the lot's life, where it has such a step."""
        if (self.state, what) not in LIFE:
            return ("impossible",)
        self.state = LIFE[self.state, what]
        if what == "pause" and self.closes_at is not None:
            self.left = self.closes_at - at
            self.closes_at = None
        if what == "unpause" and self.left is not None:
            self.closes_at = at + self.left
        if what == "close":
            self.closes_at = at if self.closes_at is None else min(at, self.closes_at)
            self.settles_at = max(at, self.rules.settle_at or 0)
            now, reserve = price(self.rules, self.bids), self.rules.reserve
            if now is None or (reserve is not None and now < reserve):
                return ("passed", None, None)
            return ("sold", leader(self.bids), now)  # line 12
        return (self.state, self.closes_at)

    def bid(self, at: int, who: str, amount: int, exact: bool) -> list[News]:
        """A bid is taken or refused, and may keep the lot open."""
        rules, leads = self.rules, leader(self.bids) == who
        code = self.objection(who, amount)
        if code:
            return [("refused", code, self.would_pass(who), *self.figures())]
        self.bids += (Bid(who, amount, exact),)
        news: list[News] = [("accepted", self.status(who), self.would_pass(who), *self.figures())]
        more = rules.max_extensions is None or self.extensions < rules.max_extensions
        if not leads and more and self.closes_at is not None:
            late = self.closes_at - at < rules.window
            if late and at + rules.extension > self.closes_at:
                self.closes_at = at + rules.extension
                self.extensions += 1
                news.append(("extended", self.closes_at, self.extensions))
        return news

    def objection(self, who: str, amount: int) -> str | None:
        """The first objection, in the order below line 17."""
        if self.state != "open":
            return {"scheduled": "not_open_yet", "settled": "closed"}.get(self.state, self.state)
        if self.admission.get(who, "approved") != "approved":
            refused = {"pending": "pending_approval", "declined": "not_registered"}
            return refused.get(self.admission[who], self.admission[who])
        if leader(self.bids) == who:
            if amount <= places(self.bids)[0][1]:
                return "not_a_raise"
        elif amount < asking(self.rules, self.bids):
            return "below_asking_bid"
        if self.rules.ladder_only and amount not in rungs(self.rules, amount):
            return "off_ladder"
        return None

    def would_pass(self, who: str) -> int | None:
        """The lowest amount that this bidder could bid now: tries one after the other."""
        amount = self.rules.opening
        if self.bids:
            amount = (
                places(self.bids)[0][1]
                if leader(self.bids) == who
                else asking(self.rules, self.bids)
            )
        if self.state != "open" or self.admission.get(who, "approved") != "approved":
            return None
        while self.objection(who, amount):
            amount += 1
        return amount

    def status(self, who: str) -> str:
        """Leads, led once, never led, never bid."""
        if leader(self.bids) == who:
            return "WINNING"
        if any(leader(self.bids[:n]) == who for n in range(1, len(self.bids))):
            return "OUTBID"
        return "ACTIVE" if any(bid.bidder == who for bid in self.bids) else "NOT_BID"

    def figures(self) -> News:
        """Price, asking bid, leader, accepted bids that moved the price, and their bidders."""
        over = self.state in ("closed", "settled", "canceled")
        prices = [price(self.rules, self.bids[:n]) for n in range(len(self.bids) + 1)]
        return (
            prices[-1],
            None if over else asking(self.rules, self.bids),
            leader(self.bids),
            sum(now != before for before, now in pairwise(prices)),
            len({bid.bidder for bid in self.bids}),
        )


LIFE = {
    ("scheduled", "open"): "open",
    ("scheduled", "cancel"): "canceled",
    ("open", "pause"): "paused",
    ("open", "close"): "closed",
    ("open", "cancel"): "canceled",
    ("paused", "unpause"): "open",
    ("paused", "close"): "closed",
    ("paused", "cancel"): "canceled",
    ("closed", "settle"): "settled",
}
MOVES = ("open", "pause", "unpause", "close", "cancel", "settle")
