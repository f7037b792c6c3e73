"""Refusals in words: one sentence each, with the number that would pass."""

from __future__ import annotations

from decimal import Decimal

from engine.core.messages import Answer, Refusal

_SENTENCES: dict[Refusal, str] = {
    "not_open_yet": "Bidding on this lot has not opened yet.",
    "paused": "Bidding on this lot is paused.",
    "closed": "Bidding on this lot is closed.",
    "canceled": "This lot was canceled.",
    "not_registered": "You are not registered for this sale.",
    "pending_approval": "Your registration for this sale is awaiting approval.",
    "suspended": "Your bidding in this sale is suspended.",
    "not_a_raise": "You lead already: only a higher limit than your own can be taken.",
    "below_asking_bid": "Your bid is below the asking bid.",
    "off_ladder": "Your bid is not on the increment ladder.",
    "idempotency_mismatch": "This cmdId was used for another bid.",
    "already_bid": "You have bid on this lot already: one bid is all it takes of each bidder.",
    "over_limit": "This bid would exceed your limit in this sale.",
    "own_lot": "This is your own lot: who consigns it may not bid on it.",
    "insufficient_funds": "Your account does not hold enough for this bid.",
    "buy_now_unavailable": "This lot can no longer be bought at the printed price.",
    "expired": "Your bid could not be decided in time and has not been placed: send it again.",
    "refused": "The auctioneer has not taken this bid.",
}


def refusal(answer: Answer, currency: tuple[str, int]) -> str:
    """Why a bid was refused, and what would have passed; *currency* as ``LotView.money``."""
    assert answer.code is not None
    sentence = _SENTENCES[answer.code]
    if answer.code == "below_asking_bid" and answer.moved:
        sentence = "The price moved before your bid came in."
    if answer.would_pass is None or answer.code == "idempotency_mismatch":
        return sentence
    return f"{sentence} {money(answer.would_pass, currency)} would pass."


def money(amount: int, currency: tuple[str, int]) -> str:
    """An amount with its currency, as ``44000.00 EUR``."""
    code, exponent = currency
    return f"{major_units(amount, exponent)} {code}"


def major_units(amount: int, exponent: int) -> Decimal:
    """Minor units → major units, exactly."""
    return Decimal(amount).scaleb(-exponent)
