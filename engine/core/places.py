"""Several winning places: each bidder has one standing bid, the best of them hold the places.

The places are the first entries of the lot's book (absentee.py), where a bid stands at its
full amount: nobody bids for anybody.  Which of them buy, and what they pay, is decided at
the close: whoever holds a place at or above the reserve pays their own bid
(bidding-rules 2.9, discriminatory).
"""

from __future__ import annotations

from bisect import bisect_left

from engine.core.absentee import Book, Limit


def holds(book: Book, entry: Limit | None, places: int) -> bool:
    """Is this standing bid among the best *places*?"""
    return entry is not None and (len(book) <= places or entry <= book[places - 1])


def last_place(book: Book, places: int) -> int | None:
    """What the last winning place was taken with; None while one is free."""
    return -book[places - 1][0] if len(book) >= places else None


def moved_up(book: Book, places: int, entry: Limit) -> str | None:
    """The consumer who gains a place when *entry* is taken out."""
    if len(book) <= places or not holds(book, entry, places):
        return None
    return book[places][2]


def take_out(book: Book, entry: Limit) -> None:
    """Take a standing bid out of the book."""
    del book[bisect_left(book, entry)]


def winning(book: Book, places: int, reserve: int | None) -> Book:
    """The bids that buy, best first."""
    return [entry for entry in book[:places] if reserve is None or -entry[0] >= reserve]
