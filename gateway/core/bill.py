"""What a hammer price comes to: the buyer's premium and the tax on it, by the sale's terms.

The premium is marginal: each tier's percentage is of that part of the hammer price which lies
in the tier.  The tax is on the premium, as where goods are sold under a margin scheme, and not
on the hammer price.  Premium and tax are each rounded once, half up, to the minor unit, so that
the lines of an invoice add up to its total.

Whole numbers only.  ``static/allin.js`` computes the same in the browser; a test holds the two
together.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Final

from engine.core.messages import SaleTerms

_PLACES: Final = 10  # decimals of a percentage that count: a text of ten characters has fewer
_WHOLE: Final = 100 * 10**_PLACES


@dataclass(frozen=True, slots=True)
class Bill:
    """The lines of an invoice, in minor units of the lot's currency."""

    hammer: int
    premium: int
    tax: int  # on the premium

    @property
    def total(self) -> int:
        """What the buyer pays."""
        return self.hammer + self.premium + self.tax


def bill(hammer: int, terms: SaleTerms) -> Bill:
    """What a lot costs that is sold at this price."""
    premium = _rounded(_premium_parts(hammer, terms.buyers_premium))
    return Bill(hammer, premium, _rounded(premium * _rate(terms.tax_percent)))


def _premium_parts(hammer: int, tiers: tuple[tuple[int, str], ...]) -> int:
    """The premium in parts, of which ``_WHOLE`` make a minor unit."""
    if not tiers:
        return 0
    ends = [end for _, (end, _) in pairwise(tiers)]
    return sum(
        (min(hammer, end) - start) * _rate(percent)
        for (start, percent), end in zip(tiers, [*ends, hammer], strict=True)
        if start < hammer
    )


def _rate(percent: str) -> int:
    return int(Decimal(percent).scaleb(_PLACES))


def _rounded(parts: int) -> int:
    return (2 * parts + _WHOLE) // (2 * _WHOLE)
