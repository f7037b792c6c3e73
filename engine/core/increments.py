"""From a price to the next: increment tables, saleroom ladders, and their rungs.

Two families exist in the trade (bidding-rules 2.2).  A *table* adds the step of the band
that the price is in.  A *ladder* has fixed rungs that repeat a pattern (0-2-5-8 …) and the
next price is the next rung.  Where a lot takes ladder bids only, an amount must be a rung:
of a ladder its own, of a table what its steps reach from the opening bid; the opening bid
is always one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

from engine.core.messages import Ladder, Table

Published = Mapping[str, Any]  # an entry of a published list of increments, in major units
DECADES = 15  # 10^0 … 10^14 minor units: past the largest amount that a bid may have

# The saleroom ladder's pattern within one decade, in tenths of the decade (bidding-rules
# 2.2): in ones from 1, in twos from 2, 0-2-5-8 from 3, in fives from 5.
SALEROOM = ((10, 1, (0,)), (20, 2, (0,)), (30, 10, (0, 2, 5, 8)), (50, 5, (0,)))


class BadIncrements(ValueError):
    """Increments that no price could climb; says what was expected."""


def table(rows: Sequence[tuple[int, int]]) -> Table:
    """A table of (from, step) rows in minor units, ascending.

    Raises ``BadIncrements`` where rows are missing, out of order, or a step is not positive.
    """
    if not rows:
        raise BadIncrements("an increment table needs at least one row")
    if any(later[0] <= earlier[0] for earlier, later in pairwise(rows)):
        raise BadIncrements("the rows of an increment table must ascend by 'from'")
    if any(start < 0 or step <= 0 for start, step in rows):
        raise BadIncrements("'from' must not be negative and a step must be positive")
    return Table(tuple(start for start, _ in rows), tuple(step for _, step in rows))


def can_be_climbed(increments: Table | Ladder) -> bool:
    """Do these increments lead from every price to a higher one?

    ``table`` and ``read_published`` make no others, but a command may carry any.
    """
    froms = increments.froms
    if not froms or froms[0] < 0 or any(later <= earlier for earlier, later in pairwise(froms)):
        return False
    steps = increments.steps if isinstance(increments, Table) else increments.cycles
    if len(steps) != len(froms) or any(step <= 0 for step in steps):
        return False
    if isinstance(increments, Table):
        return True
    offsets = increments.offsets
    return len(offsets) == len(froms) and all(map(_is_pattern, steps, offsets))


def _is_pattern(cycle: int, offsets: tuple[int, ...]) -> bool:
    """Offsets that begin at the band's start, ascend, and stay within the cycle."""
    ascending = all(earlier < later for earlier, later in pairwise(offsets))
    return offsets[:1] == (0,) and ascending and offsets[-1] < cycle


def step_at(increments: Table | Ladder, price: int) -> int:
    """The increment in force at *price*: what the next bid must add at least."""
    if type(increments) is Table:
        row = bisect_right(increments.froms, price)
        return increments.steps[row - 1 if row else 0]  # below the first row its step holds
    assert type(increments) is Ladder
    return _rung_from(increments, price + 1) - price


def rung_from(increments: Table | Ladder, opening: int, amount: int) -> int:
    """The lowest rung that is at least *amount* and at least the opening bid."""
    if amount <= opening:
        return opening
    if isinstance(increments, Ladder):
        return _rung_from(increments, amount)
    rung = opening
    while rung < amount:
        row = max(bisect_right(increments.froms, rung) - 1, 0)
        step = increments.steps[row]
        # Climb this band's steps at once: to the amount, or to where the next band begins.
        last = row + 1 == len(increments.froms)
        goal = amount if last else min(amount, increments.froms[row + 1])
        rung += -(-(goal - rung) // step) * step
    return rung


def _rung_from(ladder: Ladder, amount: int) -> int:
    band = bisect_right(ladder.froms, amount) - 1
    if band < 0:
        return ladder.froms[0]
    start, cycle = ladder.froms[band], ladder.cycles[band]
    turns, rest = divmod(amount - start, cycle)
    rung = (
        start
        + turns * cycle
        + next((offset for offset in ladder.offsets[band] if offset >= rest), cycle)
    )
    # A band ends where the next begins, and that is a rung.
    return rung if band + 1 == len(ladder.froms) else min(rung, ladder.froms[band + 1])


def read_published(entry: Published, exponent: int) -> Table | Ladder:
    """Increments as houses publish them (major units) → minor units of 10^-exponent.

    Three shapes: ``tiers`` ``[[from, step], …]``; ``bands`` ``[[from, to, "by 100" or
    "200,500,800", …], …]``; ``mantissas``, the saleroom ladder of every decade.  A row whose
    step is null or words ("auctioneer's discretion") is not shipped: the step before it goes
    on.  Raises ``BadIncrements``.
    """
    if "tiers" in entry:
        rows = [row for row in entry["tiers"] if not isinstance(row[1], str | None)]
        return table([(_minor(row[0], exponent), _minor(row[1], exponent)) for row in rows])
    if "bands" in entry:
        return _bands(entry["bands"], exponent)
    if "mantissas" in entry:
        ladder = saleroom_ladder()
        if [_minor(m, 1) for m in entry["mantissas"]] != _rungs_of_one_decade(ladder):
            raise BadIncrements("mantissas differ from the saleroom ladder")
        return ladder
    raise BadIncrements("increments need 'tiers', 'bands' or 'mantissas'")


def saleroom_ladder() -> Ladder:
    """The trade's standard ladder, in every decade from 10 minor units up."""
    bands = [
        (start * 10**decade, cycle * 10**decade, tuple(o * 10**decade for o in offsets))
        for decade in range(DECADES)
        for start, cycle, offsets in SALEROOM
    ]
    return _ladder(bands)


def _rungs_of_one_decade(ladder: Ladder) -> list[int]:
    rungs = [10]
    while (rung := _rung_from(ladder, rungs[-1] + 1)) < 100:
        rungs.append(rung)
    return rungs


def _bands(rows: Sequence[Sequence[Any]], exponent: int) -> Ladder:
    bands = []
    for start, _end, pattern, *_ in rows:
        offsets = _offsets(pattern)
        if offsets is None:
            continue
        cycle, *endings = (_minor(number, exponent) for number in offsets)
        bands.append((_minor(start, exponent), cycle, (0, *endings)))
    return _ladder(bands)


def _offsets(pattern: str | None) -> list[int] | None:
    """[cycle, ending, …] of "by 100" or "200,500,800"; None where it is only words."""
    words = (pattern or "").removeprefix("by ").split(",")
    if not all(word.isdecimal() for word in words):
        return None
    numbers = [int(word) for word in words]
    if len(numbers) == 1:
        return numbers
    return [10 ** len(str(numbers[-1])), *numbers]


def _ladder(bands: Sequence[tuple[int, int, tuple[int, ...]]]) -> Ladder:
    ladder = Ladder(
        tuple(start for start, _, _ in bands),
        tuple(cycle for _, cycle, _ in bands),
        tuple(offsets for _, _, offsets in bands),
    )
    if not can_be_climbed(ladder):
        raise BadIncrements("the bands of a ladder must ascend, with rising rungs in each")
    return ladder


def _minor(amount: Decimal | int | str, exponent: int) -> int:
    """Major units → minor units, exactly; a fraction of a minor unit is refused."""
    if isinstance(amount, float):
        raise BadIncrements(f"{amount} is a float: read increments with decimals")
    minor = Decimal(amount).scaleb(exponent)
    if minor != int(minor):
        raise BadIncrements(f"{amount} has more than {exponent} decimals")
    return int(minor)
