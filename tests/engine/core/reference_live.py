"""A live lot sold by a clerk with a ledger: slow, and plain enough to be seen to be right.

After everything that moves the bidding the clerk copies the whole page.  An undo opens an old
page, and strikes out whoever led on it.  There is no reserve house, no second lot and no
waiting: what is compared is the price, who leads, and what is asked for.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import NamedTuple

STEP = 10


class Written(NamedTuple):
    """One bidder's line: what they bid up to, and when it was written."""

    limit: int
    place: int
    bid: str
    stands: bool  # the clerk bids for them, up to the limit


@dataclass
class Page:
    """The bidding as it is."""

    seq: int
    asking: int
    price: int | None = None
    lines: dict[str, Written] = field(default_factory=dict)
    by_bid: bool = False  # a bid has made its price


@dataclass
class Made:
    """A bid that was made, with the price that it led at, if it did."""

    who: str
    amount: int
    stands: bool
    place: int
    led_at: int | None


class Ledger:
    """The clerk's book of one lot."""

    def __init__(self, opening: int, reserve: int | None, wrong_foot: str) -> None:
        self.opening, self.reserve, self.wrong_foot = opening, reserve, wrong_foot
        self.now = Page(0, opening)
        self.pages: list[Page] = []
        self.opened = 0
        self.leader: str | None = None
        self.step = STEP
        self.written = 0
        self.made: dict[str, Made] = {}

    # What may be bid.

    def lowest(self) -> int:
        if self.now.price is None:
            return 1
        return self.now.price + (self.leader is not None)

    def refuses_online(self, who: str, amount: int) -> str | None:
        if who == self.leader:
            return "not_a_raise" if amount <= self.now.lines[who].limit else None
        return "below_asking_bid" if amount < self.now.asking else None

    # What a bid does.

    def opens(self) -> None:
        self.now.seq += 1
        self.opened = self.now.seq
        self._turn()
        standing = self._best(but=None)
        if standing and self.now.lines[standing[0]].limit >= self.now.asking:
            self._carry_out(standing, self.now.asking)

    def left_before(self, who: str, limit: int, bid: str) -> None:
        self._write(who, limit, bid, stands=True)
        self.made[bid] = Made(who, limit, True, self.written, None)
        self._turn()

    def bid(self, who: str, amount: int, bid: str, *, limit: bool, floor: bool) -> None:
        if who == self.leader and not floor:
            self._raise(who, amount, bid)
            return
        own = self.now.lines.get(who)
        reach, stands = amount, limit
        if own is not None and own.limit > amount:
            reach, stands = own.limit, True
        rivals = self._best(but=who)
        best = self.now.lines[rivals[0]].limit if rivals else 0
        first = reach > best or (reach == best and floor and self.wrong_foot == "floor_first")
        place = own.place if own is not None and who == self.leader else None
        self._write(who, reach, bid, stands=stands, place=place)
        if first:
            if reach == best:
                self._before_all_equals(who)
            price = self._price(reach, best or None)
            self._leads(who, self._cover(price, reach) if limit else max(price, amount))
        elif reach == best and floor and self.wrong_foot == "plus_one":
            self._leads(rivals[0], best + self.step)
            line = self.now.lines[rivals[0]]
            self.now.lines[rivals[0]] = line._replace(limit=best + self.step)
            self.made[line.bid].amount = self.made[line.bid].led_at = best + self.step
        else:
            second = max([reach, *(self.now.lines[name].limit for name in rivals[1:])])
            self._leads(rivals[0], self._cover(self._price(best, second), best))
        stands = stands or reach > (self.now.price or 0)
        place = self.now.lines[who].place
        self.made[bid] = Made(who, reach, stands, place, self.now.price if first else None)
        self._turn(by_bid=True)

    def _raise(self, who: str, limit: int, bid: str) -> None:
        place = self.now.lines[who].place
        assert self.now.price is not None
        met = self.reserve is not None and self.now.price < self.reserve <= limit
        if met:
            assert self.reserve is not None
            self._leads(who, self.reserve)
        self._write(who, limit, bid, stands=True, place=place)
        self.made[bid] = Made(who, limit, True, place, self.now.price if met else None)
        self._turn(by_bid=met)

    def call(self, amount: int) -> bool:
        standing = self._best(but=None)
        printed = self.opening if self.now.price is None else self.now.price + STEP
        if (
            amount > printed
            or self.leader
            or not standing
            or self.now.lines[standing[0]].limit < amount
        ):
            return False
        self._carry_out(standing, amount)
        return True

    def reinstate(self, bid: str) -> bool:
        made = self.made[bid]
        called = made.led_at or made.amount
        if made.stands and (called < self.lowest() or made.led_at is None):
            is_asked = self.leader or self.now.price is None
            called = min(made.amount, self.now.asking if is_asked else self.lowest())
        if called < self.lowest() or made.who == self.leader:
            return False
        self.written += 1
        own = self.now.lines.get(made.who)
        # As far as they may be bid for: the bid, where it is a limit, or a higher one of theirs.
        reach = (made.amount, made.place) if made.stands else (0, 0)
        if own is not None and own.limit > reach[0]:
            reach = (own.limit, own.place)
        made.stands = reach[0] >= called
        limit, place = reach if made.stands else (called, self.written)
        rivals = self._best(but=made.who)
        self._write(made.who, limit, bid, stands=made.stands, place=place)
        if limit == called and rivals and self.now.lines[rivals[0]].limit == limit:
            self._before_all_equals(made.who)
        if limit > called and self._best(but=None)[0] == made.who:
            second = self.now.lines[rivals[0]].limit if rivals else 0
            called = max(called, self._price(limit, second))
        self._leads(made.who, called)
        made.led_at, made.amount, made.place = called, limit, self.now.lines[made.who].place
        self._turn(by_bid=True)
        standing = self._best(but=None)
        if standing[0] != made.who:
            self._carry_out(standing, called)
        return True

    def _before_all_equals(self, who: str) -> None:
        line = self.now.lines[who]
        equal = [one.place for one in self.now.lines.values() if one.limit == line.limit]
        if min(equal) < line.place:
            self.now.lines[who] = line._replace(place=-self.written)

    def _carry_out(self, standing: list[str], least: int) -> None:
        self.written += 1
        line = self.now.lines[standing[0]]
        second = self.now.lines[standing[1]].limit if len(standing) > 1 else None
        price = max(least, self._price(line.limit, second))
        self._leads(standing[0], self._cover(price, line.limit))
        made = self.made[line.bid]
        made.led_at, made.amount, made.stands = self.now.price, line.limit, True
        made.place = line.place
        self._turn(by_bid=True)

    def undo(self, to_seq: int) -> bool:
        back = max(to_seq, self.opened)
        if not any(page.by_bid and page.seq > back for page in self.pages):
            return False
        now = self.now.seq + 1
        self.now = deepcopy([page for page in self.pages if page.seq <= back][-1])
        self.pages = [page for page in self.pages if page.seq <= back]
        self.now.seq = now
        self.now.lines = {who: one for who, one in self.now.lines.items() if one.stands}
        self.leader = None
        return True

    def ask(self, amount: int) -> bool:
        if amount < self.lowest():
            return False
        self.now.asking = amount
        self._turn_of_the_rostrum()
        return True

    def set_step(self, step: int | None) -> None:
        self.step = step or STEP
        if self.now.price is not None:
            self.now.asking = self.now.price + self.step
        self._turn_of_the_rostrum()

    def _turn_of_the_rostrum(self) -> None:
        self.now.seq += 1
        self._turn()

    # Arithmetic.

    def _price(self, first: int, second: int | None) -> int:
        start = self.now.asking if self.now.price is None else 0
        price = start if second is None else second + self.step
        price = min(first, price)
        if self.reserve is not None and first >= self.reserve:
            price = max(price, self.reserve)
        return max(price, self.now.price or 0)

    def _cover(self, price: int, limit: int) -> int:
        return limit if self.wrong_foot == "cover" and price + self.step == limit else price

    def _best(self, but: str | None) -> list[str]:
        lines = self.now.lines
        names = [name for name in lines if name != but]
        return sorted(names, key=lambda name: (-lines[name].limit, lines[name].place))

    def _write(
        self, who: str, limit: int, bid: str, *, stands: bool, place: int | None = None
    ) -> None:
        self.written += place is None
        where = self.written if place is None else place
        self.now.lines[who] = Written(limit, where, bid, stands)

    def _leads(self, who: str, price: int) -> None:
        self.leader = who
        self.now.price, self.now.asking = price, price + self.step
        self.now.seq += 1

    def _turn(self, *, by_bid: bool = False) -> None:
        page = deepcopy(self.now)
        page.by_bid = by_bid
        self.pages.append(page)
