"""From a wish to bid to the log's answer, whichever way the wish came in.

Most bids go to the log as they are.  Two kinds are made ready first: a sealed bid is
encrypted and committed to here, so that its amount never leaves this process in the clear;
and a bid in a token auction is paid in before it is made, so that no bid in the log is
without its hold.  What is refused on the way is answered like any refusal, without a place
in the log.
"""

from __future__ import annotations

import asyncio
import hmac
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from msgspec import structs
from starlette.concurrency import run_in_threadpool

from engine.core import sealed
from engine.core.messages import (
    Answer,
    BidAnswer,
    BidRefused,
    Kind,
    PlaceBid,
    Refusal,
    Standing,
    State,
)
from gateway.books import ledger
from gateway.core.naming import bid_id
from gateway.core.problems import Problem
from gateway.core.session import was_taken
from gateway.core.view import LotView

if TYPE_CHECKING:
    from gateway.app import Gateway

ANSWER_WITHIN_S: Final = 5.0  # longer, and the bid is undecided as far as this answer goes
HELD_FOR_MS: Final = 10_000  # a bid that is decided later than this is refused, and its hold ends

_LONG_AGO: Final = 1  # ms since the epoch: no new bid can be taken that must be decided by then

_REFUSED_IN: Final[dict[State, Refusal]] = {
    State.SCHEDULED: "not_open_yet",
    State.PAUSED: "paused",
    State.CANCELED: "canceled",
}


async def place(
    gateway: Gateway, lot: LotView, consumer_id: str, cmd_id: str, amount: int, kind: Kind
) -> BidAnswer:
    """Bid, and wait for the decision.  *amount* in minor units of the lot's currency.

    A refusal is an answer too.  Raises ``Problem`` 503 where nothing was decided in time; the
    same *cmd_id* may then be sent again.
    """
    bid = PlaceBid(lot.auction_id, consumer_id, cmd_id, amount, kind)
    if lot.is_sealed:
        # The engine cannot see the amount before the close; what can be said now is said now.
        is_low = lot.now.state is State.OPEN and amount < lot.terms.opening
        if is_low and not was_taken(lot, consumer_id, cmd_id):
            return _refused(gateway, lot, bid, "below_asking_bid", lot.terms.opening)
        bid = seal(gateway, lot, consumer_id, cmd_id, amount)
    elif lot.terms.tokens is not None:
        prepared = await hold(gateway, lot, bid)
        if isinstance(prepared, BidRefused):
            return prepared
        bid = prepared
    decided = await _decide(gateway, bid)
    if decided is None or decided.answer.code == "expired":
        raise Problem("bidding_unavailable", headers={"Retry-After": "1"})
    return decided


def seal(gateway: Gateway, lot: LotView, consumer_id: str, cmd_id: str, amount: int) -> PlaceBid:
    """The command of a sealed bid: nobody can read its amount before the close."""
    sealing = lot.terms.sealing
    assert sealing is not None, "only a sealed auction has a key to seal with"
    salt = salt_of(gateway, lot.auction_id, consumer_id, cmd_id)
    ciphertext = sealed.SUITE.encrypt(
        sealed.letter(consumer_id, amount, salt),
        X25519PublicKey.from_public_bytes(b64decode(sealing.public_key)),
        info=sealed.binding(lot.auction_id, consumer_id),
    )
    return PlaceBid(
        lot.auction_id,
        consumer_id,
        cmd_id,
        0,
        "sealed",
        commitment=sealed.commitment(lot.auction_id, consumer_id, amount, salt),
        ciphertext=b64encode(ciphertext).decode(),
    )


def salt_of(gateway: Gateway, auction_id: str, consumer_id: str, cmd_id: str) -> bytes:
    """A sealed bid's salt: known to its bidder and to nobody else, and the same for a retry."""
    named = f"sealed|{auction_id}|{consumer_id}|{cmd_id}"
    return hmac.digest(gateway.keys.salt, named.encode(), "sha256")


async def hold(gateway: Gateway, lot: LotView, bid: PlaceBid) -> PlaceBid | BidRefused:
    """Pay a token auction's bid in; or refuse it, where that cannot be.

    After this the amount is set aside in the books, and the log decides whether the bid
    stands.  Where it never gets there, or too late, the clerk lets the amount go.
    """
    state = lot.now.state
    if was_taken(lot, bid.consumer_id, bid.cmd_id):
        # It is sent again: the log repeats its answer, whatever has happened since.
        return structs.replace(bid, expires_at=_LONG_AGO)
    if state is not State.OPEN:
        return _refused(gateway, lot, bid, _REFUSED_IN.get(state, "closed"))
    if bid.amount < lot.terms.opening:
        return _refused(gateway, lot, bid, "below_asking_bid", lot.terms.opening)
    assert lot.terms.tokens is not None
    now = gateway.clock.now()
    held = await run_in_threadpool(
        ledger.hold_for_bid,
        gateway.books,
        bid_id=bid_id(bid.auction_id, bid.consumer_id, bid.cmd_id, gateway.salt),
        auction_id=bid.auction_id,
        consumer_id=bid.consumer_id,
        cmd_id=bid.cmd_id,
        asset_id=lot.terms.tokens.bid_asset_id,
        amount=bid.amount,
        exponent=lot.money[1],
        expires_at=now + HELD_FOR_MS,
        at=now,
    )
    if held == "insufficient":
        return _refused(gateway, lot, bid, "insufficient_funds")
    if held == "mismatch":
        return _refused(gateway, lot, bid, "idempotency_mismatch")
    # Of what has ended the log knows; it may repeat what it said, and take nothing new.
    expires_at = _LONG_AGO if held == "ended" else now + HELD_FOR_MS
    return structs.replace(bid, expires_at=expires_at)


def _refused(
    gateway: Gateway, lot: LotView, bid: PlaceBid, code: Refusal, would_pass: int | None = None
) -> BidRefused:
    bidder = lot.bidders.get(bid.consumer_id)
    status = lot.status_of(bid.consumer_id)
    standing: Standing = "ACTIVE" if status == "WON" or status == "LOST" else status
    answer = Answer(
        bid.amount,
        bid.kind,
        gateway.clock.now(),
        lot.now.seq,
        standing,
        lot.now.price,
        lot.now.asking_bid,
        would_pass,
        code,
        bid_count=0 if bidder is None else bidder.bid_count,
    )
    return BidRefused(bid.auction_id, bid.consumer_id, bid.cmd_id, answer)


class _Waiter:
    """Turns the log's answer into this request's."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[BidAnswer | None] = asyncio.get_running_loop().create_future()

    def answered(self, _lot: LotView, event: BidAnswer) -> None:
        if not self.answer.done():
            self.answer.set_result(event)

    def not_taken(self, _command: PlaceBid) -> None:
        if not self.answer.done():
            self.answer.set_result(None)


async def _decide(gateway: Gateway, command: PlaceBid) -> BidAnswer | None:
    """The decision; None where there was none in time, or the log takes no bids."""
    waiter = _Waiter()
    gateway.feed.submit(command, waiter)
    try:
        return await asyncio.wait_for(waiter.answer, ANSWER_WITHIN_S)
    except TimeoutError:
        return None
    finally:
        gateway.feed.forget(command, waiter)
