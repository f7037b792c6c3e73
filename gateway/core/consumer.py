"""The consumer API's words: a lot, a bid and a bidder's standing as the contract says them.

Pure: views → the types of ``gateway.core.wire.consumer``.  Inside, money is whole minor
units; here, at the edge, it becomes decimals in major units, exactly, and no float ever
holds any.  A lot's public state, which every event carries, is the engine's word on what
everybody may know, also of sealed bids; what a view knows beyond it is kept back here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from itertools import islice
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from engine.core.messages import Answer, CreateSale, Format, OpenedBid, PublicState, State
from gateway.core.bodies import Amount, minor_units
from gateway.core.naming import anonymous_bidder, bid_id
from gateway.core.problems import Problem, bad_field
from gateway.core.view import LotView, SaleView, TakenBid
from gateway.core.wire.consumer import (
    Auction,
    Bid,
    BidTaken,
    CurrentPrice,
    HighestBid,
    OwnRegistration,
    OwnWin,
    Standing,
    Status,
)
from gateway.core.wording import major_units

STATUSES: Final[dict[State, Status]] = {
    State.SCHEDULED: "PENDING",
    State.OPEN: "OPEN",
    State.PAUSED: "OPEN",
    State.CLOSED: "CLOSED",
    State.SETTLING: "CLOSED",
    State.CANCELED: "CLOSED",
    State.WITHDRAWN: "CLOSED",
    State.SETTLED: "SETTLED",
}
_BEFORE_THE_CLOSE: Final = (State.SCHEDULED, State.OPEN, State.PAUSED)
_TIMELESS: Final = ""  # where ``serverTime`` is put later
_encoder: Final = msgspec.json.Encoder(decimal_format="number")

# ── Reading what bidders send ────────────────────────────────────────────────────────────


def bid_amount(lot: LotView, amount: Amount, is_limit: bool) -> int:
    """A bid's amount in minor units.  Raises ``Problem`` 400, also for a limit where the lot
    takes none."""
    minor = minor_units(amount, lot.money[1])
    if is_limit and not lot.takes_limits:
        raise bad_field("max", "this auction takes no limits")
    return minor


# ── Saying what a lot is ─────────────────────────────────────────────────────────────────


def is_secret(lot: LotView) -> bool:
    """Is no bid shown to anybody yet?  So it is in sealed formats until all is settled, though
    the view knows them from the close on."""
    return lot.is_sealed and lot.now.state is not State.SETTLED


def auction(lot: LotView, server_time: str, *, reads_reserves: bool = False) -> Auction:
    """``GET /auctions/:auctionId``."""
    sale, terms, now = lot.sale.created, lot.terms, lot.now
    shows_reserve = terms.publish_reserve or reads_reserves
    return Auction(
        id=lot.auction_id,
        name=lot.catalogue.name,
        sequence_id=sale.sale_id,
        open_at=instant(lot.opens_at),
        close_at=instant(now.closes_at),
        settle_at=instant(_settle_at(lot)),
        time_zone=lot.catalogue.time_zone or sale.time_zone,
        starting_price=_money(lot, terms.opening),
        reserve_price=price(lot, terms.reserve) if shows_reserve else None,
        minimum_bid_increment=_money(lot, lot.increment),
        winner_count=terms.winner_count,
        status=STATUSES[now.state],
        current_high_bid=price(lot, now.price),
        currency_code=lot.money[0],
        reserve_met=now.reserve != "not_met",
        next_minimum_bid=_next_minimum(lot),
        bid_count=now.bid_count,
        extensions=now.extensions,
        format=terms.format,
        lot_number=lot.catalogue.lot_number,
        serial=lot.catalogue.serial,
        buy_now_price=_offer(lot),
        server_time=server_time,
    )


def _settle_at(lot: LotView) -> int | None:
    if lot.terms.tokens is not None:
        return lot.terms.closes_at  # the operator's end_date, though they settle by command
    return lot.settle_at or lot.now.closes_at or lot.terms.closes_at


def _next_minimum(lot: LotView) -> Decimal | None:
    # A sealed bid beats nobody that one could see: what is asked stays the same to the end.
    return price(lot, lot.terms.opening if is_secret(lot) else lot.now.asking_bid)


def _offer(lot: LotView) -> Decimal | UnsetType:
    return UNSET if lot.buy_now is None else _money(lot, lot.buy_now)


class Encoded(NamedTuple):
    """An auction as JSON, but for the time of day, for one state of its lot."""

    now: PublicState
    sale: CreateSale
    head: bytes  # up to where ``serverTime`` goes
    tail: bytes
    tag: str  # a weak ETag: the same for whatever is the same but for the time

    def at(self, server_time: bytes) -> bytes:
        """The whole, as of this instant."""
        return self.head + server_time + self.tail


class Encodings:
    """Every auction's JSON, encoded once for each state of its lot and not once a reader."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, bool], Encoded] = {}

    def of(self, lot: LotView, reads_reserves: bool) -> Encoded:
        """The auction as it is now, for who reads reserves or for who does not."""
        key = (lot.auction_id, reads_reserves)
        kept = self._kept.get(key)
        # Every event that changes what is said of a lot brings a state of its own: the very
        # same object is the very same lot.  What the sale says of itself is another matter.
        if kept is None or kept.now is not lot.now or kept.sale is not lot.sale.created:
            kept = self._kept[key] = _encode(lot, reads_reserves)
        return kept


def _encode(lot: LotView, reads_reserves: bool) -> Encoded:
    text = _encoder.encode(auction(lot, _TIMELESS, reads_reserves=reads_reserves))
    tail = b'"}'  # serverTime is the last of the fields, and empty
    assert text.endswith(b'"serverTime":""}')
    head = text[: -len(tail)]
    tag = f'W/"{sha256(head).hexdigest()[:20]}"'
    return Encoded(lot.now, lot.sale.created, head, tail, tag)


def current_price(lot: LotView) -> CurrentPrice:
    """``GET …/current-price`` of a Dutch auction."""
    ended = lot.now.state not in _BEFORE_THE_CLOSE
    taken = len(lot.winners) if ended else len(lot.holders)
    asked = lot.now.price if ended else lot.now.asking_bid
    return CurrentPrice(
        current_price=price(lot, asked),
        remaining_quantity=max(0, lot.terms.winner_count - taken),
        auction_ended=ended,
    )


# ── Saying what a bidder has done ────────────────────────────────────────────────────────


def standing(lot: LotView, consumer_id: str) -> Standing:
    """``GET …/status``: where the caller stands."""
    bidder = lot.bidders.get(consumer_id)
    if bidder is not None and not bidder.stands:  # taken back: as if it had never been
        bidder = None
    return Standing(
        auction_id=lot.auction_id,
        consumer_id=consumer_id,
        status=lot.status_of(consumer_id),
        last_bid_amount=None if bidder is None else own_amount(lot, bidder.limit),
        last_bid_time=None if bidder is None else instant(bidder.last_at),
        bid_count=0 if bidder is None else bidder.bid_count,
    )


def highest_bid(lot: LotView) -> HighestBid:
    """``GET …/highest-bid``."""
    return HighestBid(amount=price(lot, lot.now.price))


def own_amount(lot: LotView, amount: int) -> Decimal | None:
    """A bidder's own figure.  Nobody has that of a sealed bid before it is opened, the house
    included; then it is 0 here."""
    return price(lot, amount) if amount else None


def own_bids(lot: LotView, consumer_id: str, limit: int, salt: bytes) -> list[Bid]:
    """``GET …/bids/history``: the caller's own bids, newest first."""
    assert lot.bids is not None, "they are in the archive only"
    own = (bid for bid in reversed(lot.bids) if bid.consumer_id == consumer_id)
    return [
        own_bid(lot, consumer_id, bid_id(lot.auction_id, *bid[:2], salt), bid.amount, bid.at)
        for bid in islice(own, limit)
    ]


def own_bid(lot: LotView, consumer_id: str, named: str, amount: int, at: int) -> Bid:
    """One of the caller's own bids."""
    return Bid(
        bid_id=named,
        consumer_id=consumer_id,
        amount=own_amount(lot, amount),
        timestamp=moment(at),
    )


def opened_amounts(lot: LotView, consumer_id: str, salt: bytes) -> dict[str, int]:
    """What was in a bidder's sealed bids, by bid id: of those that were opened."""
    return {
        bid_id(lot.auction_id, bid.consumer_id, bid.cmd_id, salt): bid.amount
        for bid in lot.opened
        if bid.consumer_id == consumer_id
    }


def stand_beside(form: Format, places: int) -> bool:
    """Do bids stand beside each other, each seen at its full amount?"""
    return form == "one_bid" or (places > 1 and form in ("english", "live"))


def public_bids(lot: LotView, limit: int, salt: bytes) -> list[Bid]:
    """``GET …/bids``: what each bid made public, newest first; never a limit."""
    assert lot.bids is not None, "they are in the archive only"
    shown = (bid for bid in reversed(lot.shown_bids()) if not bid.canceled)
    beside = stand_beside(lot.format, lot.terms.winner_count)
    return [
        public_bid(lot, bid, bid.amount if beside else bid.price, salt)
        for bid in islice(shown, limit)
    ]


def winning_bids(lot: LotView, limit: int, salt: bytes) -> list[Bid]:
    """``GET …/bids`` of a sealed auction that is settled: what winners pay is all that ever
    becomes public of it."""
    paid = {(win.consumer_id, win.cmd_id): win.amount for win in lot.winners}
    won = (bid for bid in reversed(lot.opened) if (bid.consumer_id, bid.cmd_id) in paid)
    return [
        public_bid(lot, bid, paid[bid.consumer_id, bid.cmd_id], salt) for bid in islice(won, limit)
    ]


def public_bid(lot: LotView, bid: TakenBid | OpenedBid, amount: int | None, salt: bytes) -> Bid:
    """One of all bids."""
    named = bid_id(lot.auction_id, bid.consumer_id, bid.cmd_id, salt)
    at = bid.shown_at if isinstance(bid, TakenBid) else bid.at
    return anonymous_bid(lot, bid.consumer_id, named, amount, at, salt)


def anonymous_bid(
    lot: LotView, whose: str, named: str, amount: int | None, at: int, salt: bytes
) -> Bid:
    """One of all bids, which has its id already: whose it is, nobody is told."""
    return Bid(
        bid_id=named,
        consumer_id=anonymous_bidder(lot.auction_id, whose, salt),
        amount=price(lot, amount),
        timestamp=moment(at),
    )


# ── Answering a bid ──────────────────────────────────────────────────────────────────────


def bid_taken(lot: LotView, named: str, amount: int, answer: Answer, salt: str | None) -> BidTaken:
    """The answer to an accepted bid, or to one that waits.  *amount*: as the caller sent it; *salt*: a sealed bid's."""
    return BidTaken(
        status=answer.status,
        last_bid_amount=_money(lot, amount),
        last_bid_time=moment(answer.at),
        bid_count=answer.bid_count,
        bid_id=named,
        current_high_bid=price(lot, answer.price),
        next_minimum_bid=price(lot, answer.asking_bid),
        seq=answer.seq,
        commitment=answer.commitment or UNSET,
        salt=salt if salt is not None else UNSET,
        waiting=answer.waiting or UNSET,
    )


_TEXTS: Final = {
    "closed": "closed",
    "canceled": "closed",
    "not_registered": "not_registered",
    "pending_approval": "pending_approval",
    "suspended": "suspended",
    "not_a_raise": "bid_too_low",
    "off_ladder": "below_increment",
    "already_bid": "bid_exists",
    "over_limit": "over_limit",
    "own_lot": "own_lot",
    "buy_now_unavailable": "buy_now_unavailable",
    "expired": "bidding_unavailable",
    "insufficient_funds": "insufficient_funds",
    "refused": "bid_refused",
    "idempotency_mismatch": "idempotency_key_reused",
    "paused": "paused",
    "not_open_yet": "not_open_yet",
}
# Where the number that would pass helps nobody: it is not the amount that was wrong.
_NO_NUMBER: Final = (403, 409, 422, 503)


def refused(lot: LotView, answer: Answer) -> Problem:
    """A refused bid, as a problem that each dialect has its own words for."""
    assert answer.code is not None
    code = _too_low(lot, answer) if answer.code == "below_asking_bid" else _TEXTS[answer.code]
    opens_at = instant(lot.terms.opens_at) if answer.code == "not_open_yet" else None
    problem = Problem(code, headers={} if opens_at is None else {"Retry-After": opens_at})
    if answer.would_pass is not None and problem.status not in _NO_NUMBER:
        problem.more["nextMinimumBid"] = price(lot, answer.would_pass)
    return problem


def _too_low(lot: LotView, answer: Answer) -> str:
    # A sealed bid's answer knows no amount: it was below the opening, or it would not be here.
    if lot.is_sealed or answer.amount < lot.terms.opening:
        return "below_starting_price"
    too_low = answer.price is None or answer.amount <= answer.price
    return "bid_too_low" if too_low else "below_increment"


# ── All that a bidder has done ───────────────────────────────────────────────────────────


def binds(lot: LotView, consumer_id: str) -> bool:
    """Might this bidder have to buy the lot, or have they won it?  Paid or not, others know."""
    bidder = lot.bidders.get(consumer_id)
    if bidder is None or not bidder.stands:
        return False
    if lot.outcome == "sold_subject":  # it may still be sold to who led
        return consumer_id in lot.holders
    if lot.now.state not in _BEFORE_THE_CLOSE:
        return lot.win_of(consumer_id) is not None
    # Behind a sealed bid may be the best; behind a bid of several that stand, one moves up.
    return lot.is_sealed or lot.format == "one_bid" or consumer_id in lot.holders


def own_win(lot: LotView, consumer_id: str) -> OwnWin | None:
    """What the bidder has won here, once all is settled."""
    win = lot.win_of(consumer_id) if lot.now.state is State.SETTLED else None
    if win is None:
        return None
    return OwnWin(
        auction_id=lot.auction_id, amount=_money(lot, win.amount), currency_code=lot.money[0]
    )


def own_registration(sale: SaleView, consumer_id: str) -> OwnRegistration | None:
    """The bidder's place in the sale, if they have one."""
    seat = sale.registrations.get(consumer_id)
    if seat is None:
        return None
    return OwnRegistration(
        sequence_id=sale.created.sale_id,
        registration=seat.admission,
        paddle=seat.paddle,
        limit=limit_of(sale.created, seat.limit),
        reason=seat.reason,
        conditions_version=seat.conditions_version,
        decided_at=moment(seat.at),
    )


def limit_of(sale: CreateSale, limit: int | None) -> Decimal | None:
    """A limit of a whole sale, in major units of its currency."""
    return None if limit is None else major_units(limit, sale.exponent)


# ── Money and time ───────────────────────────────────────────────────────────────────────


def price(lot: LotView, amount: int | None) -> Decimal | None:
    """Minor units of the lot's currency → a JSON number in major units."""
    return None if amount is None else _money(lot, amount)


def _money(lot: LotView, amount: int) -> Decimal:
    return major_units(amount, lot.money[1])


def instant(ms: int | None) -> str | None:
    """Milliseconds since the epoch → ISO 8601, UTC."""
    return None if ms is None else moment(ms)


def moment(ms: int) -> str:
    """As ``instant``, of what is sure to have an instant."""
    seconds, rest = divmod(ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"
