"""Refusals in words: one sentence each, with the number that would pass."""

from __future__ import annotations

from decimal import Decimal

from engine.core.messages import ActDecided, ActRefusal, Answer, Refusal

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
# To the rostrum, of its own acts.
_OBJECTIONS: dict[str, str] = {
    "not_found": "There is no such bid, or it cannot be decided any more.",
    "invalid": "This cannot be done with this lot now.",
    "not_in_control": "Another console is selling. Take over to sell from here.",
    "not_current_lot": "This lot is not the one in the ring.",
    "reason_required": "Say why.",
    "held": "The hammer is held: a bid came in before it fell.",
    "moved": "The price or the leader is not what was struck any more.",
    "below_reserve": "The bid is below the reserve.",
    "not_open_yet": "The lot is not open yet.",
    "paused": "The lot is not open now: it was paused or left the ring.",
    "closed": "The lot is closed.",
    "canceled": "The lot was canceled.",
    "below_asking_bid": "The amount is too low.",
    "idempotency_mismatch": "This cmdId was used for another act.",
    "own_lot": "That bidder has consigned this lot.",
    "over_limit": "That bid would exceed the bidder's limit in this sale.",
    "not_a_raise": "That bidder leads already.",
    "not_registered": "That bidder is not registered for this sale.",
    "pending_approval": "That bidder's registration is not decided yet.",
    "suspended": "That bidder's bidding is suspended.",
}
# Bids that waited for the rostrum until it could not take them any more.
_LAPSED: dict[str, str] = {
    "below_asking_bid": "The price passed your bid before it was taken.",
    "closed": "The lot closed before your bid was taken.",
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


def objection(decided: ActDecided, currency: tuple[str, int]) -> str:
    """Why an act was not done, and which amount would have passed."""
    code: ActRefusal | None = decided.code
    assert code is not None
    sentence = _OBJECTIONS.get(code, "This cannot be done now.")
    if decided.would_pass is None:
        return sentence
    return f"{sentence} {money(decided.would_pass, currency)} would pass."


def refused_by_rostrum(reason: str) -> str:
    """To the bidder whose bid the auctioneer has not taken."""
    sentence = _SENTENCES["refused"]
    return f"{sentence} {' '.join(reason.split())}" if reason.strip() else sentence


def lapsed(code: Refusal) -> str:
    """To the bidder whose bid waited until it could not be taken any more."""
    return _LAPSED.get(code) or _SENTENCES[code]


def money(amount: int, currency: tuple[str, int]) -> str:
    """An amount with its currency, as ``44000.00 EUR``."""
    code, exponent = currency
    return f"{major_units(amount, exponent)} {code}"


def major_units(amount: int, exponent: int) -> Decimal:
    """Minor units → major units, exactly."""
    return Decimal(amount).scaleb(-exponent)


def plainly(amount: int, exponent: int) -> str:
    """As it is typed into a field: ``44000``, ``44000.50``."""
    text = f"{major_units(amount, exponent):f}"
    return text.removesuffix("." + "0" * exponent)
