"""The order book: limits by amount, then by log order, and the price they make.

Every bid enters as a limit; the engine bids for its owner up to it.  The price is not kept
by the book, it is derived: one step over the second limit, never above the first, raised
to the reserve where the first limit reaches it (bidding-rules 2.1, lines 4 to 9 and 16).
"""

from __future__ import annotations

from bisect import bisect_left, insort

from engine.core.increments import step_at
from engine.core.messages import Terms

# (-limit, order, consumer): ascending is best first, and the earlier wins a tie.
Limit = tuple[int, int, str]
Book = list[Limit]


def enter(book: Book, consumer_id: str, limit: int, order: int, previous: Limit | None) -> Limit:
    """Put a bidder's limit in its place, instead of their *previous* one."""
    if previous is not None:
        del book[bisect_left(book, previous)]
    entry = (-limit, order, consumer_id)
    insort(book, entry)
    return entry


def price_of(terms: Terms, first: int, second: int | None) -> int:
    """The price that the two best limits make."""
    if second is None:
        price = terms.opening
    else:
        price = min(first, second + step_at(terms.increments, second))
    if terms.reserve is None:
        return price
    if first >= terms.reserve:
        return max(price, terms.reserve)
    return first if terms.reserve_policy == "to_max" else price
