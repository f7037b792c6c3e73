"""What the house may still change of a lot, and what a change does to what everybody sees.

Before a lot opens, everything.  From then on nothing that anybody may have relied on: a later
end, a later settlement, a lower reserve or none, and what is printed in the catalogue.  After
the hammer a later settlement; after the settlement only an operator's own title and
description, which nobody bids by.
"""

from __future__ import annotations

from msgspec.structs import replace

from engine.core.increments import step_at
from engine.core.lot import Lot, asking_at, asking_over, public_state, reserve_shown
from engine.core.messages import LotUpdated, Objection, PublicState, State, Terms, UpdateLot
from engine.core.rostrum import HOUSE
from engine.core.terms import can_be_sold_by


def decide_update(lot: Lot, command: UpdateLot, at: int) -> LotUpdated | Objection:
    """Carry out a change of a lot's terms and catalogue, or say why not."""
    if command.revision != lot.revision:
        return "moved"
    if not _may_become(lot, command.terms):
        return "not_editable"
    if not can_be_sold_by(command.terms):
        return "invalid"
    terms = command.terms
    after = _after(lot, terms)
    return LotUpdated(
        at,
        lot.auction_id,
        terms,
        command.catalogue,
        lot.revision + 1,
        after,
        step_at(terms.increments, after.price or terms.opening),
    )


def _may_become(lot: Lot, terms: Terms) -> bool:
    if lot.state is State.SCHEDULED:
        # Left bids were made for a live lot of one place.
        same = (terms.format, terms.winner_count) == (lot.terms.format, lot.terms.winner_count)
        return same or not lot.book
    if lot.state is State.OPEN or lot.state is State.PAUSED:
        if lot.bidding_ended:
            return _is_later_settlement(lot, terms)
        return _is_eased(lot, terms)
    if lot.state is State.CLOSED:
        return _is_later_settlement(lot, terms)
    return terms == lot.terms and terms.tokens is not None


def _is_eased(lot: Lot, terms: Terms) -> bool:
    """A later end, a later settlement, a lower reserve or none; everything else as it was."""
    now = lot.terms
    same_but = replace(terms, closes_at=now.closes_at, settle_at=now.settle_at, reserve=now.reserve)
    if same_but != now or house_would_buy(lot, terms):
        return False
    end = now.closes_at if lot.state is State.PAUSED else lot.closes_at
    if lot.ends_at is not None:
        end = lot.ends_at
    return (
        _is_later(terms.closes_at, now.closes_at, end)
        # Settled at the close so far: any instant is later, since it is never before the close.
        and _is_later(terms.settle_at, now.settle_at, now.settle_at or 0)
        and _is_lower(terms.reserve, now.reserve)
    )


def _is_later_settlement(lot: Lot, terms: Terms) -> bool:
    now = lot.terms
    if replace(terms, settle_at=now.settle_at) != now:
        return False
    return _is_later(terms.settle_at, now.settle_at, lot.settle_at or now.settle_at or 0)


def _is_later(wanted: int | None, said: int | None, now: int | None) -> bool:
    """Is *wanted* what was said all along, or later than what holds *now*?

    Where nothing holds now there is nothing later: an end is never brought in, nor taken away.
    """
    if wanted == said:
        return True
    return wanted is not None and now is not None and wanted > now


def house_would_buy(lot: Lot, terms: Terms) -> bool:
    """Would the house, which bids for the consignor below the reserve alone, lead at it?"""
    if lot.leader != HOUSE:
        return False
    return reserve_shown(terms, lot.price) != "not_met"


def _is_lower(wanted: int | None, now: int | None) -> bool:
    if wanted == now:
        return True
    return now is not None and (wanted is None or wanted < now)


# ── What everybody sees of it ────────────────────────────────────────────────────────────


def _after(lot: Lot, terms: Terms) -> PublicState:
    """The public state under the new terms."""
    after = replace(public_state(lot), seq=lot.seq + 1)
    if lot.state is State.SCHEDULED:
        shown = reserve_shown(terms, None)
        return replace(after, asking_bid=terms.opening, reserve=shown, closes_at=terms.closes_at)
    if lot.state is not State.OPEN and lot.state is not State.PAUSED:
        return after
    price = price_under(lot, terms)
    asking = after.asking_bid
    if price is not None and price != lot.price:
        asking = asking_at(terms, price)
        if lot.rostrum is not None:
            asking = asking_over(terms, price, lot.rostrum.step)
    closes_at = terms.closes_at if terms.closes_at != lot.terms.closes_at else lot.closes_at
    return replace(
        after,
        price=price,
        asking_bid=asking,
        reserve=reserve_shown(terms, price),
        closes_at=None if lot.state is State.PAUSED else closes_at,
    )


def price_under(lot: Lot, terms: Terms) -> int | None:
    """The price under a lower reserve: where the leader's limit meets it now, and the price
    did not, it jumps to the reserve as it would have (bidding-rules 2.1, line 8).

    Taking the reserve away moves no price.  Where bids stand at their full amount there is
    no limit that could meet anything.
    """
    if lot.method != "proxy" or lot.leader is None or terms.reserve is None:
        return lot.price
    assert lot.price is not None
    limit = -lot.book[0][0]
    return max(lot.price, terms.reserve) if limit >= terms.reserve else lot.price
