"""Refusals in words: one sentence each, with the number that would pass."""

from __future__ import annotations

from decimal import Decimal

from engine.core.messages import Answer, CreateSale, Refusal

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
}


def refusal(answer: Answer, sale: CreateSale) -> str:
    """Why a bid was refused, and what would have passed."""
    assert answer.code is not None
    sentence = _SENTENCES[answer.code]
    if answer.code == "below_asking_bid" and answer.moved:
        sentence = "The price moved before your bid came in."
    if answer.would_pass is None or answer.code == "idempotency_mismatch":
        return sentence
    return f"{sentence} {money(answer.would_pass, sale)} would pass."


def money(amount: int, sale: CreateSale) -> str:
    """An amount with its currency, as ``44000.00 EUR``."""
    return f"{major_units(amount, sale.exponent)} {sale.currency}"


def major_units(amount: int, exponent: int) -> Decimal:
    """Minor units → major units, exactly."""
    return Decimal(amount).scaleb(-exponent)
