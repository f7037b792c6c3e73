"""Every error of the HTTP APIs is one ``Problem``; each dialect has one way of saying it.

A problem is known by its code.  ``CATALOGUE`` says for each code the status, the consumer
API's exact text and a sentence for everybody else, so that the dialects (consumer API,
operator API, verifier API, live protocol) can never disagree about what went wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

Json = dict[str, Any]


class Known(NamedTuple):
    """A problem as all dialects know it."""

    status: int
    text: str  # the consumer API's ``error``
    sentence: str  # the others' ``message``


CATALOGUE: Final[Mapping[str, Known]] = {
    # The request itself
    "invalid": Known(400, "Invalid request", "The request is not valid."),
    "invalid_amount": Known(400, "Invalid amount", "The amount is not valid."),
    "fingerprint_invalid": Known(400, "Fingerprint validation failed", "Bad fingerprint."),
    "fingerprint_barred": Known(403, "Fingerprint validation failed", "Barred fingerprint."),
    "not_found": Known(404, "Not found", "There is nothing here."),
    "method_not_allowed": Known(405, "Method Not Allowed", "Not by this method."),
    "too_slow": Known(408, "Request body too slow", "The request body came too slowly."),
    "too_large": Known(413, "Request body too large", "The request body is too large."),
    "idempotency_key_reused": Known(
        422, "Idempotency key reused", "This Idempotency-Key was used with other content."
    ),
    "rate_limited": Known(429, "Rate limit exceeded", "Too many requests; come back later."),
    "internal": Known(500, "Internal error", "Something went wrong here."),
    "unavailable": Known(503, "Service unavailable", "This cannot be answered now; try again."),
    # Who asks
    "consumer_required": Known(400, "Consumer ID is required", "A consumer token is required."),
    "unauthorized": Known(401, "Authentication required", "A valid key or token is required."),
    "insufficient_scope": Known(403, "Insufficient scope", "This key may not do that."),
    "otp_invalid": Known(400, "otp_invalid", "The code is not valid."),
    "otp_expired": Known(400, "otp_expired", "The code has expired."),
    "otp_channel_unavailable": Known(
        400, "otp_channel_unavailable", "Codes cannot be sent this way."
    ),
    "exchange_code_invalid": Known(
        400, "exchange_code_invalid", "The exchange code is not valid any more."
    ),
    "invalid_refresh_token": Known(401, "invalid refresh token", "Sign in again."),
    # What is asked for
    "auction_not_found": Known(404, "Auction not found", "There is no such auction."),
    "sequence_not_found": Known(404, "Sequence not found", "There is no such sale."),
    "bid_not_found": Known(404, "Bid not found", "There is no such bid."),
    "user_not_found": Known(404, "User not found", "There is no such user."),
    "asset_not_found": Known(404, "Asset not found", "There is no such asset."),
    "key_not_found": Known(404, "Key not found", "There is no such key."),
    "webhook_not_found": Known(404, "Webhook not found", "There is no such webhook."),
    "delivery_not_found": Known(404, "Delivery not found", "There is no such delivery."),
    "registration_not_found": Known(
        404, "Registration not found", "Nobody of that id is registered for this sale."
    ),
    # A bid
    "closed": Known(400, "Auction is closed", "Bidding on this lot is closed."),
    "bid_too_low": Known(
        400, "Bid must be higher than current bid", "The bid must be higher than the current bid."
    ),
    "below_increment": Known(
        400, "Bid must meet minimum increment", "The bid must meet the minimum increment."
    ),
    "below_starting_price": Known(
        400, "Bid must be higher than current bid", "The amount is below the starting price."
    ),
    "buy_now_unavailable": Known(
        400, "Buy now is not available", "The offer to buy now has ended, or there was none."
    ),
    "bid_refused": Known(409, "Bid refused", "The auctioneer has not taken this bid."),
    "insufficient_funds": Known(403, "Insufficient funds", "The account does not hold as much."),
    "not_registered": Known(403, "Registration required", "Register for the sale first."),
    "pending_approval": Known(403, "Registration pending", "The registration is not decided yet."),
    "suspended": Known(403, "Bidding suspended", "Bidding in this sale is suspended."),
    "over_limit": Known(403, "Bid limit exceeded", "The bid would exceed the bidder's limit."),
    "own_lot": Known(403, "Own lot", "Nobody bids on what they have consigned."),
    "bid_exists": Known(409, "Bid already placed", "The user has a live bid on this auction."),
    "not_open_yet": Known(423, "Auction is not open yet", "Bidding has not opened yet."),
    "paused": Known(423, "Auction is paused", "Bidding is paused."),
    "bidding_unavailable": Known(
        503, "Bidding is unavailable", "Not decidable now; retry with the same Idempotency-Key."
    ),
    "overloaded": Known(
        503, "Bidding is unavailable", "Bidding is unavailable. Send your bid again."
    ),
    "history_unavailable": Known(503, "History is unavailable", "The archive cannot be read."),
    # A command of the house
    "auction_not_active": Known(409, "Auction is not active", "Only active auctions take bids."),
    "invalid_transition": Known(409, "Invalid transition", "The auction cannot do that now."),
    "not_editable": Known(
        409, "Cannot update closed distribution", "This cannot be changed any more."
    ),
    "bid_not_cancelable": Known(409, "Bid cannot be canceled", "The bid can't be canceled now."),
    "binding_required": Known(
        409, "Object binding required", "The object's photographs are not all bound to it."
    ),
    "wrong_format": Known(409, "Wrong format", "Not for auctions of this format."),
    "exists": Known(409, "Already exists", "There is one already."),
    "in_use": Known(409, "In use", "Something still depends on it."),
    "conflict": Known(409, "Conflict", "It was changed by somebody else; look again."),
    "limit_not_lowerable": Known(
        409, "Limit cannot be lowered", "Only an unused limit of the leader can be lowered."
    ),
    "debt_or_bid_stands": Known(409, "A bid or a debt stands", "Not while a bid or a debt stands."),
    "payment_token_used": Known(409, "Payment token used", "The payment token was used up."),
    "payment_token_expired": Known(409, "Payment token expired", "The payment token expired."),
    "payment_token_invalid": Known(400, "Invalid payment token", "Not a payment token of ours."),
}


class Problem(Exception):
    """An answer that is an error."""

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        status: int | None = None,
        details: object = None,
        more: Json | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """*more*: what the consumer dialect adds beside ``error``; *status*: another than the
        catalogue's, where one dialect differs."""
        super().__init__(code)
        known = CATALOGUE[code]
        self.code = code
        self.status = known.status if status is None else status
        self.text = known.text
        self.message = message
        self.details = details
        self.more: Json = more or {}
        self.headers: dict[str, str] = dict(headers or {})


def bad_field(field: str, message: str) -> Problem:
    """A request that one field makes invalid."""
    return bad_fields([(field, message)])


def bad_fields(fields: Sequence[tuple[str, str]]) -> Problem:
    """A request with several bad fields: (name, what was expected)."""
    return Problem("invalid", details=[{"field": name, "message": said} for name, said in fields])


def invalid_amount(message: str, field: str = "amount") -> Problem:
    """An amount that is none."""
    return Problem("invalid_amount", details=[{"field": field, "message": message}])


# ── The dialects ─────────────────────────────────────────────────────────────────────────


def for_consumers(problem: Problem) -> Json:
    """The consumer API's body."""
    body: Json = {"error": problem.text}
    if problem.message is not None:
        body["message"] = problem.message
    if isinstance(problem.details, list):  # of fields; a lot's state is the operator's word
        body["details"] = problem.details
    return {**body, **problem.more}


def for_operators(problem: Problem) -> Json:
    """The operator API's body."""
    sentence = problem.message or CATALOGUE[problem.code].sentence
    # One word for whatever is wrong with the request itself.
    code = "invalid" if problem.code == "invalid_amount" else problem.code
    error: Json = {"code": code, "message": sentence}
    if problem.details is not None:
        error["details"] = problem.details
    return {"error": error}


# What the gateway answers in the verifier's place: the body cannot be taken, or nobody is there.
_OF_VERIFIERS: Final[Mapping[str, str]] = {
    "too_large": "PAYLOAD_TOO_LARGE",
    "too_slow": "REQUEST_TIMEOUT",
    "unavailable": "UNAVAILABLE",
}


def for_verifiers(problem: Problem, request_id: str, said_at: str) -> Json:
    """The verifier API's body; *said_at*: the instant, as it is written in JSON."""
    error: Json = {
        "code": _OF_VERIFIERS[problem.code],
        "message": problem.message or CATALOGUE[problem.code].sentence,
    }
    return {"error": error, "meta": {"requestId": request_id, "timestamp": said_at}}


def for_sockets(problem: Problem) -> Json:
    """The live protocol's frame."""
    sentence = problem.message or CATALOGUE[problem.code].sentence
    return {"type": "error", "code": problem.code, "message": sentence, **problem.more}
