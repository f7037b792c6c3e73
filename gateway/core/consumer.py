"""The consumer API's words: a lot and a bid as the REST contract says them.

Pure: requests' bodies → commands, views → JSON.  Inside, money is whole minor units; here,
at the edge, it becomes decimals in major units, exactly, and no float ever holds any.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from engine.core.messages import (
    MAX_AMOUNT,
    Answer,
    CreateSale,
    Kind,
    State,
)
from gateway.core.view import LotView
from gateway.core.wording import major_units

Json = dict[str, Any]

STATUSES = {
    State.SCHEDULED: "PENDING",
    State.OPEN: "OPEN",
    State.PAUSED: "OPEN",
    State.CLOSED: "CLOSED",
    State.CANCELED: "CLOSED",
    State.SETTLED: "SETTLED",
}
_ABOVE = "Bid must be higher than current bid"
_STEP = "Bid must meet minimum increment"
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_LONGEST_NUMBER = 64  # characters: more is nobody's bid


@dataclass(frozen=True, slots=True)
class Problem(Exception):
    """An answer that is an error: status, text and whatever helps."""

    status: int
    error: str
    more: Json = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


def read_bid(body: bytes, sale: CreateSale) -> tuple[int, Kind]:
    """A bid's body → (minor units, kind).  Raises ``Problem`` 400."""
    try:
        fields = json.loads(
            body,
            parse_float=_decimal,
            parse_int=_decimal,
            parse_constant=_no_constant,
            object_pairs_hook=_distinct,
        )
    except (ValueError, RecursionError) as error:
        raise Problem(400, "Invalid request", {"message": f"not JSON: {error}"}) from error
    if not isinstance(fields, dict):
        raise Problem(400, "Invalid request", {"message": "an object was expected"})
    if unknown := sorted(fields.keys() - {"amount", "max"}):
        details = [{"field": name, "message": "unknown field"} for name in unknown]
        raise Problem(400, "Invalid request", {"details": details})
    is_limit = fields.get("max", False)
    if not isinstance(is_limit, bool):
        details = [{"field": "max", "message": "true or false was expected"}]
        raise Problem(400, "Invalid request", {"details": details})
    return minor_units(fields.get("amount"), sale.exponent), "max" if is_limit else "bid"


def minor_units(amount: object, exponent: int) -> int:
    """A decimal number or string in major units → minor units.  Raises ``Problem`` 400."""
    number = _decimal(amount) if isinstance(amount, str) else amount
    if not isinstance(number, Decimal):
        raise _invalid_amount("a number or a decimal string was expected")
    if not Decimal(0) < number <= major_units(MAX_AMOUNT, exponent):
        raise _invalid_amount("out of range")
    minor = int(number.scaleb(exponent))
    # Compared with what came: scaleb rounds to 28 digits, and int cuts off.
    if major_units(minor, exponent) != number:
        raise _invalid_amount(f"at most {exponent} decimals")
    return minor


def _invalid_amount(reason: str) -> Problem:
    details = [{"field": "amount", "message": reason}]
    return Problem(400, "Invalid amount", {"details": details})


def _decimal(text: str) -> Decimal:
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        raise _invalid_amount("a number or a decimal string was expected")
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise _invalid_amount("a number or a decimal string was expected") from error


def _no_constant(_name: str) -> Decimal:
    raise _invalid_amount("a number or a decimal string was expected")


def _distinct(pairs: list[tuple[str, Any]]) -> Json:
    if len(fields := dict(pairs)) != len(pairs):
        raise ValueError("a repeated key")
    for key in fields:
        key.encode()  # half a surrogate pair could not be repeated in the answer
    return fields


def auction(lot: LotView, now: int) -> Json:
    """``GET /auctions/:auctionId``; *now* is the log's clock."""
    sale = lot.sale.created
    terms = lot.terms
    settle_at = lot.settle_at or lot.now.closes_at
    return {
        "id": lot.auction_id,
        "name": lot.catalogue.name,
        "sequenceId": sale.sale_id,
        "openAt": instant(lot.opens_at),
        "closeAt": instant(lot.now.closes_at),
        "settleAt": instant(settle_at),
        "timeZone": sale.time_zone,
        "startingPrice": major_units(terms.opening, sale.exponent),
        "reservePrice": None,  # shown only where the consignor publishes it
        "minimumBidIncrement": major_units(lot.increment, sale.exponent),
        "winnerCount": 1,
        "status": STATUSES[lot.now.state],
        "currentHighBid": price(lot.now.price, sale),
        "currencyCode": sale.currency,
        "reserveMet": lot.now.reserve != "not_met",
        "nextMinimumBid": price(lot.now.asking_bid, sale),
        "bidCount": lot.now.bid_count,
        "serverTime": instant(now),
        "extensions": lot.now.extensions,
        "format": "english",
        "lotNumber": lot.catalogue.lot_number,
        "serial": lot.catalogue.serial,
    }


def status(lot: LotView, consumer_id: str) -> Json:
    """``GET …/status``: where the caller stands."""
    bidder = lot.bidders.get(consumer_id)
    sale = lot.sale.created
    return {
        "auctionId": lot.auction_id,
        "consumerId": consumer_id,
        "status": lot.status_of(consumer_id),
        "lastBidAmount": None if bidder is None else price(bidder.limit, sale),
        "lastBidTime": None if bidder is None else instant(bidder.last_at),
        "bidCount": 0 if bidder is None else bidder.bid_count,
    }


def bid_answer(lot: LotView, bid_id: str, answer: Answer) -> Json:
    """An accepted bid's answer."""
    sale = lot.sale.created
    return {
        "status": answer.status,
        "lastBidAmount": price(answer.amount, sale),
        "lastBidTime": instant(answer.at),
        "bidCount": answer.bid_count,
        "bidId": bid_id,
        "currentHighBid": price(answer.price, sale),
        "nextMinimumBid": price(answer.asking_bid, sale),
        "seq": answer.seq,
    }


def refused(lot: LotView, answer: Answer) -> Problem:
    """A refused bid's answer, in the contract's exact texts."""
    code, sale = answer.code, lot.sale.created
    more = {}
    if answer.would_pass is not None:
        more["nextMinimumBid"] = price(answer.would_pass, sale)
    if code == "not_open_yet":
        opens_at = instant(lot.terms.opens_at)
        headers = {} if opens_at is None else {"Retry-After": opens_at}
        return Problem(423, "Auction is not open yet", more, headers)
    if code == "paused":
        return Problem(423, "Auction is paused", more)
    if code in ("closed", "canceled"):
        return Problem(400, "Auction is closed", more)
    if code == "idempotency_mismatch":
        return Problem(422, "Idempotency key reused")
    if code in _NOT_ADMITTED:
        return Problem(403, _NOT_ADMITTED[code])
    if code == "below_asking_bid":
        too_low = answer.price is None or answer.amount <= answer.price
        return Problem(400, _ABOVE if too_low else _STEP, more)
    return Problem(400, _ABOVE if code == "not_a_raise" else _STEP, more)


_NOT_ADMITTED = {
    "not_registered": "Registration required",
    "pending_approval": "Registration pending",
    "suspended": "Bidding suspended",
}


def price(amount: int | None, sale: CreateSale) -> Decimal | None:
    """Minor units → a JSON number in major units."""
    return None if amount is None else major_units(amount, sale.exponent)


def instant(ms: int | None) -> str | None:
    """Milliseconds since the epoch → ISO 8601, UTC."""
    if ms is None:
        return None
    seconds, rest = divmod(ms, 1000)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"
