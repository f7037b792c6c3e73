"""What a lot may be sold by: which terms make sense, and how its bids are taken under them.

A command may carry any terms; what could stop the engine later is refused when it comes.
Terms that contradict each other are refused, too, rather than read in one way or the other.
"""

from __future__ import annotations

from typing import Literal

from engine.core import sealed
from engine.core.increments import can_be_climbed
from engine.core.messages import LAST_INSTANT, MAX_AMOUNT, Format, Terms

LONGEST_MS = 366 * 24 * 3_600_000  # of an extension: a year is no extension any more
MOST_PLACES = 10_000  # one lot's winners travel in one event
MOST_DECIMALS = 6  # of what a token auction bids with; a currency has at most four

# How bids are taken: one place with limits that the engine bids up to; several places; one
# bid each that need not beat anyone; bids that nobody can read; a falling price.
Method = Literal["proxy", "places", "once", "sealed", "dutch"]

_METHODS: dict[Format, Method] = {
    "english": "proxy",
    "live": "proxy",
    "one_bid": "once",
    "sealed_first": "sealed",
    "sealed_second": "sealed",
    "uniform": "sealed",
    "dutch": "dutch",
}


def method_of(terms: Terms) -> Method:
    """How bids are taken under these terms."""
    method = _METHODS[terms.format]
    return "places" if method == "proxy" and terms.winner_count > 1 else method


def can_be_sold_by(terms: Terms) -> bool:
    """Are these terms that a lot can be sold by?"""
    return (
        _are_amounts(terms)
        and _are_times(terms)
        and 0 < terms.winner_count <= MOST_PLACES
        and can_be_climbed(terms.increments)
        and _buy_now_fits(terms)
        and _fall_fits(terms)
        and _can_be_sealed(terms)
        and (terms.tokens is None or terms.format == "one_bid")
        and (terms.exponent is None or 0 <= terms.exponent <= MOST_DECIMALS)
        and not any("\0" in text for text in (terms.consignor or "", terms.currency or ""))
    )


def _are_amounts(terms: Terms) -> bool:
    optional = (terms.reserve, terms.buy_now, terms.floor, terms.drop)
    amounts = [terms.opening, *(amount for amount in optional if amount is not None)]
    return all(0 < amount <= MAX_AMOUNT for amount in amounts)


def _are_times(terms: Terms) -> bool:
    spans = [terms.extension_window_ms, terms.extension_ms, terms.max_extensions or 0]
    opens_at, closes_at = terms.opens_at, terms.closes_at
    instants = [opens_at or 0, closes_at or 0, terms.settle_at or 0]
    return (
        all(0 <= span <= LONGEST_MS for span in spans)
        and all(0 <= instant <= LAST_INSTANT - LONGEST_MS for instant in instants)
        and (opens_at is None or closes_at is None or opens_at < closes_at)
    )


def _buy_now_fits(terms: Terms) -> bool:
    """A printed price ends the bidding for one place; nobody could have it for less."""
    if terms.buy_now is None:
        return True
    lowest = max(terms.opening, terms.reserve or 0)
    return method_of(terms) == "proxy" and terms.buy_now >= lowest


def _fall_fits(terms: Terms) -> bool:
    """A falling price needs its drops and its floor, which is its reserve; no other has any."""
    if terms.format != "dutch":
        return terms.floor is None and terms.drop is None and terms.drop_interval_ms is None
    if terms.floor is None or terms.drop is None or terms.drop_interval_ms is None:
        return False
    return (
        terms.reserve is None
        and terms.floor <= terms.opening
        and 0 < terms.drop_interval_ms <= LONGEST_MS
    )


def _can_be_sealed(terms: Terms) -> bool:
    if method_of(terms) != "sealed":
        return True
    return terms.sealing is not None and sealed.is_public_key(terms.sealing.public_key)
