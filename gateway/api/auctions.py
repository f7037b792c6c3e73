"""Auctions as bidders see them: prices, bids, standing, registration.

A handler finds who asks and about which lot, and lets ``gateway.core.consumer`` say it.  A
bid goes the same way as over the live protocol: appended, decided in the log's order,
answered when durable.  The one call that thousands repeat every other second, reading an
auction, is answered from bytes that were encoded once for each state of its lot.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from hashlib import sha256
from typing import Final, TypeVar

import structlog
from msgspec import structs
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool

from engine.core.messages import (
    Command,
    CommandRefused,
    EnterSale,
    Kind,
    LeaveSale,
    LowerLimit,
    Objection,
    State,
)
from gateway import archive, bidding
from gateway.api.calls import Ask, Raw, Reply, take
from gateway.archive import ArchiveError
from gateway.books import payments
from gateway.books.payments import Sold
from gateway.core import consumer
from gateway.core.bodies import minor_units
from gateway.core.naming import bid_id, is_floor
from gateway.core.problems import Problem, bad_field
from gateway.core.view import LotView
from gateway.core.wire.consumer import (
    AllBidsQuery,
    Auction,
    Auctions,
    Bid,
    BidRequest,
    BidTaken,
    CurrentPrice,
    Entered,
    EnterRequest,
    HighestBid,
    Left,
    LimitRequest,
    LimitSet,
    ListQuery,
    OwnBidsQuery,
    Standing,
)

_FINGERPRINT: Final = re.compile(r"[\x21-\x7e]{1,128}")
_FRESH: Final = {
    # Asked again each time, and kept by nobody in between: the house reads more than others.
    "Cache-Control": "private, no-cache",
    "Vary": "Authorization, X-API-Key, X-Publishable-Key",
}
_encodings: Final = consumer.Encodings()
T = TypeVar("T")

log = structlog.stdlib.get_logger()

# ── Reading ──────────────────────────────────────────────────────────────────────────────


async def read(ask: Ask, auction_id: str) -> Auction | Raw:
    """One auction, as it stands now."""
    lot = ask.lot(auction_id)
    encoded = _encodings.of(lot, ask.caller.reads_reserves)
    headers = {**_FRESH, "ETag": encoded.tag}
    known = ask.request.headers.get("if-none-match")
    if known is not None and _is_known(known, encoded.tag):
        return Raw(b"", status=304, headers=headers)
    return Raw(encoded.at(_server_time(ask.now)), headers=headers)


def _is_known(condition: str, tag: str) -> bool:
    """RFC 9110, 13.1.2: compared weakly; ``*`` is anything there is."""
    strong = tag.removeprefix("W/")
    named = [listed.strip().removeprefix("W/") for listed in condition.split(",")]
    return strong in named or named == ["*"]


@lru_cache(maxsize=64)  # many ask within one millisecond
def _server_time(now: int) -> bytes:
    return consumer.moment(now).encode()


async def listing(ask: Ask, query: ListQuery) -> Auctions | Raw:
    """Auctions page by page, in the order in which they were added."""
    found: list[LotView] = []
    for lot in _behind(ask, query.cursor):
        if len(found) == query.limit:
            break
        if _is_wanted(ask, lot, query):
            found.append(lot)
    now, reads_reserves = _server_time(ask.now), ask.caller.reads_reserves
    auctions = b",".join(_encodings.of(lot, reads_reserves).at(now) for lot in found)
    return Raw(b'{"data":[%b],"pageInfo":%b}' % (auctions, _ends(found)))


def _behind(ask: Ask, cursor: str | None) -> Iterator[LotView]:
    """The lots that come after the cursor's.  Raises ``Problem`` for one never given out."""
    lots = ask.gateway.saleroom.lots
    if cursor is not None and (
        cursor not in lots or lots[cursor].sale.created.mode != ask.caller.mode
    ):
        raise bad_field("cursor", "an endCursor of an earlier page was expected")
    # A lot that was withdrawn since is in nobody's list, and still has its place.
    order = iter(lots)
    if cursor is not None:
        next(auction_id for auction_id in order if auction_id == cursor)
    return (lot for auction_id in order if (lot := ask.gateway.saleroom.lot(auction_id)))


def _is_wanted(ask: Ask, lot: LotView, query: ListQuery) -> bool:
    sale = lot.sale.created
    return (
        sale.mode == ask.caller.mode
        and query.sequence_id in (None, sale.sale_id)
        and query.status in (None, consumer.STATUSES[lot.now.state])
    )


def _ends(found: list[LotView]) -> bytes:
    # An auction's id is made of letters, digits and _: it is quoted as it is.
    if not found:
        return b'{"startCursor":null,"endCursor":null}'
    ends = (found[0].auction_id.encode(), found[-1].auction_id.encode())
    return b'{"startCursor":"%b","endCursor":"%b"}' % ends


async def current_price(ask: Ask, auction_id: str) -> CurrentPrice:
    """What one more unit costs now, in a Dutch auction; 409 in any other."""
    lot = ask.lot(auction_id)
    if lot.format != "dutch":
        raise Problem("wrong_format")
    return consumer.current_price(lot)


async def status(ask: Ask, auction_id: str) -> Standing:
    """Where the caller stands; with a payment token where they have won."""
    lot, whose = ask.lot(auction_id), ask.consumer_id
    standing = consumer.standing(lot, whose)
    sold = sold_to(lot, whose) if standing.status == "WON" else None
    if sold is None:
        return standing
    token = await ask.books(payments.current_token, ask.gateway.keys, sold)
    return structs.replace(standing, payment_token=token)


def sold_to(lot: LotView, consumer_id: str) -> Sold | None:
    """What a winner owes since all is settled; None: nothing, or tokens, which are paid, or at
    the cashier's (``naming.is_floor``)."""
    win = lot.win_of(consumer_id)
    if is_floor(consumer_id):
        return None
    if win is None or lot.now.state is not State.SETTLED or lot.terms.tokens is not None:
        return None
    assert lot.settle_at is not None, "it is when it was settled, since it was"
    currency, exponent = lot.money
    mode = lot.sale.created.mode
    return Sold(lot.auction_id, consumer_id, win.amount, exponent, currency, lot.settle_at, mode)


async def highest_bid(ask: Ask, auction_id: str) -> HighestBid:
    """The best bid, without whose it is."""
    return consumer.highest_bid(ask.lot(auction_id))


async def own_bids(ask: Ask, auction_id: str, query: OwnBidsQuery) -> list[Bid]:
    """The caller's own bids with their own figures, newest first."""
    return await bids_of(ask, ask.lot(auction_id), query.limit)


async def bids_of(ask: Ask, lot: LotView, limit: int) -> list[Bid]:
    """The caller's own bids on a lot, wherever they are kept by now.  ``Problem`` 503."""
    whose, salt = ask.consumer_id, ask.gateway.salt
    if lot.bids is not None:
        return consumer.own_bids(lot, whose, limit, salt)
    found = await _archived(ask, archive.own_bids, lot.auction_id, whose, limit)
    opened = consumer.opened_amounts(lot, whose, salt)
    return [
        consumer.own_bid(lot, whose, bid.bid_id, opened.get(bid.bid_id, bid.amount), bid.at)
        for bid in found
    ]


async def all_bids(ask: Ask, auction_id: str, query: AllBidsQuery) -> list[Bid]:
    """All bids that made a price, newest first; bidders are anonymous."""
    lot, salt = ask.lot(auction_id), ask.gateway.salt
    if consumer.is_secret(lot):
        return []
    if lot.is_sealed:
        return consumer.winning_bids(lot, query.limit, salt)
    if lot.bids is not None:
        return consumer.public_bids(lot, query.limit, salt)
    found = await _archived(ask, _public_bids, lot, query.limit)
    return [consumer.anonymous_bid(lot, *bid, salt) for bid in found]


def _public_bids(database: Engine, lot: LotView, limit: int) -> list[tuple[str, str, int, int]]:
    """(whose, bid id, amount, at) of a lot's bids out of the archive, newest first."""
    if not consumer.stand_beside(lot.format, lot.terms.winner_count):
        found = archive.public_bids(database, lot.auction_id, limit, is_live=lot.is_live)
        return [(bid.consumer_id, bid.bid_id, bid.price, bid.at) for bid in found]
    shown: list[tuple[str, str, int, int]] = []
    after = None
    while len(shown) < limit:
        page = archive.accepted_bids(database, lot.auction_id, limit, after)
        if not page:
            break
        standing = [bid for bid in page if bid.canceled_at is None]
        shown += [(bid.consumer_id, bid.bid_id, bid.amount, bid.at) for bid in standing]
        after = page[-1].log_seq
    return shown[:limit]


async def _archived(ask: Ask, question: Callable[..., list[T]], *args: object) -> list[T]:
    """Ask the archive.  Raises ``Problem`` 503 where it cannot be read."""
    try:
        return await run_in_threadpool(question, ask.gateway.archive, *args)
    except ArchiveError as failure:
        log.warning("a history cannot be read", reason=str(failure))
        raise Problem("history_unavailable") from failure


# ── Bidding ──────────────────────────────────────────────────────────────────────────────


async def bid(ask: Ask, auction_id: str, body: BidRequest) -> BidTaken | Reply:
    """Bid this amount, or leave a limit with the house."""
    _check_fingerprint(ask)
    lot = ask.lot(auction_id)
    amount = consumer.bid_amount(lot, body.amount, body.max)
    return await _placed(ask, lot, amount, "max" if body.max else "bid")


async def buy_now(ask: Ask, auction_id: str) -> BidTaken | Reply:
    """Take the lot at its printed price, while the offer stands."""
    _check_fingerprint(ask)
    lot = ask.lot(auction_id)
    if lot.terms.buy_now is None:
        raise Problem("buy_now_unavailable")
    # Whether the offer still stands, the log says: a retry is answered as the first time.
    return await _placed(ask, lot, lot.terms.buy_now, "buy_now")


async def _placed(ask: Ask, lot: LotView, amount: int, kind: Kind) -> Reply:
    """Have a bid decided; the answer's headers tell of the account's rate."""
    gateway, whose = ask.gateway, ask.consumer_id
    headers = take(gateway, "bid", f"bid:{whose}")
    try:
        event = await bidding.place(gateway, lot, whose, ask.cmd_id, amount, kind)
        if event.answer.code is not None:
            raise consumer.refused(lot, event.answer)
    except Problem as problem:
        problem.headers = {**headers, **problem.headers}
        raise
    salt = None
    if event.answer.commitment:
        salt = bidding.salt_of(gateway, lot.auction_id, whose, ask.cmd_id).hex()
    named = bid_id(lot.auction_id, whose, ask.cmd_id, gateway.salt)
    taken = consumer.bid_taken(lot, named, amount, event.answer, salt)
    return Reply(taken, 202 if event.answer.waiting else 200, headers)


def _check_fingerprint(ask: Ask) -> None:
    """Raises ``Problem`` for what is no fingerprint, and for one that is barred."""
    fingerprint = ask.request.headers.get("x-fingerprint")
    if fingerprint is None:
        return
    told = {"X-Fingerprint-Error": "true"}
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise Problem("fingerprint_invalid", headers=told)
    if ask.gateway.is_barred(fingerprint):
        raise Problem("fingerprint_barred", headers=told)


async def lower_limit(ask: Ask, auction_id: str, body: LimitRequest) -> LimitSet:
    """Lower the caller's leading limit, as far as it is still unused."""
    lot = ask.lot(auction_id)
    return await _lowered(ask, lot, minor_units(body.amount, lot.money[1]))


async def withdraw_limit(ask: Ask, auction_id: str) -> LimitSet:
    """Lower the caller's leading limit to the current price."""
    lot = ask.lot(auction_id)
    if lot.now.price is None or not lot.takes_limits:
        raise Problem("limit_not_lowerable")
    return await _lowered(ask, lot, lot.now.price)


async def _lowered(ask: Ask, lot: LotView, amount: int) -> LimitSet:
    command = LowerLimit(lot.auction_id, ask.consumer_id, amount, _own_id(ask))
    if await _objection_to(ask, command) is not None:
        raise Problem("limit_not_lowerable")
    shown = consumer.price(lot, amount)
    assert shown is not None
    return LimitSet(auction_id=lot.auction_id, limit=shown)


# ── Registration ─────────────────────────────────────────────────────────────────────────

_NOTHING_READ: Final = EnterRequest()
_SENTENCES: Final[dict[Objection, str]] = {
    "declined": "The house has declined this registration.",
    "suspended": "Bidding in this sale is suspended.",
    "guest": "This sale takes no guests: sign in first.",
    "conditions": "Another version of the conditions is in force: read it and enter again.",
    "leading": "Who leads or has won cannot leave the sale.",
    "not_found": "There is no registration to leave.",
}


async def enter(ask: Ask, auction_id: str, body: EnterRequest = _NOTHING_READ) -> Entered:
    """Register the caller for the auction's sale; 409 with a code where that is refused."""
    lot = ask.lot(auction_id)
    sale, whose = lot.sale, ask.consumer_id
    command = EnterSale(sale.created.sale_id, whose, body.conditions_version, _own_id(ask))
    await _carried_out(ask, command)
    seat = sale.registrations[whose]
    return Entered(
        success=True,
        registration="approved" if seat.admission == "approved" else "pending",
        paddle=seat.paddle,
        limit=consumer.limit_of(sale.created, seat.limit),
    )


async def leave(ask: Ask, auction_id: str) -> Left:
    """Have no more to do with the auction's sale; 409 while the caller leads or has won."""
    sale_id = ask.lot(auction_id).sale.created.sale_id
    await _carried_out(ask, LeaveSale(sale_id, ask.consumer_id, _own_id(ask)))
    return Left(success=True)


async def _carried_out(ask: Ask, command: EnterSale | LeaveSale) -> None:
    code = await _objection_to(ask, command)
    if code is not None:
        sentence = _SENTENCES.get(code, "The sale does not allow this now.")
        raise Problem("conflict", sentence, more={"code": code})


def _own_id(ask: Ask) -> str:
    """A command's id that no other bidder can have, whatever their devices count from."""
    # A bid's is the bidder's own anyway; those of other commands are known by the sale or lot.
    named = f"{ask.consumer_id}|{ask.request.method}|{ask.request.url.path}|{ask.cmd_id}"
    return sha256(named.encode()).hexdigest()[:32]


async def _objection_to(ask: Ask, command: Command) -> Objection | None:
    """What the engine has against a bidder's own wish; None: nothing.  ``Problem`` 503."""
    outcome = await ask.gateway.feed.command(command)
    if outcome is None:
        raise Problem("bidding_unavailable", headers={"Retry-After": "1"})
    return outcome.objection if isinstance(outcome, CommandRefused) else None
