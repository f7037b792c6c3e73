"""The consumer API, as far as it is served: auctions, bids and histories.

A handler finds who asks and about which lot, and lets ``core.consumer`` say it.  A bid goes
the same way as over the live protocol: appended, decided in the log's order, answered when
durable.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.core.messages import BidAnswer, PlaceBid
from gateway import archive
from gateway.archive import ArchiveError
from gateway.core import consumer
from gateway.core.consumer import Problem
from gateway.core.naming import anonymous_bidder, bid_id
from gateway.core.session import Unauthorized
from gateway.core.view import LotView

if TYPE_CHECKING:
    from gateway.app import Gateway

Json = dict[str, Any]
ANSWER_WITHIN_S = 5.0  # longer, and the bid is undecided as far as this answer goes
LARGEST_BODY = 16 * 1024
BODY_WITHIN_S = 10.0
MOST_LISTED = 100
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_encoder = msgspec.json.Encoder(decimal_format="number")

log = structlog.stdlib.get_logger()

Handler = Callable[[Request], Awaitable[Response]]


class BidWaiter:
    """Turns the log's answer into this request's."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[tuple[LotView, BidAnswer] | None] = (
            asyncio.get_running_loop().create_future()
        )

    def answered(self, lot: LotView, event: BidAnswer) -> None:
        if not self.answer.done():
            self.answer.set_result((lot, event))

    def not_taken(self, command: PlaceBid) -> None:
        if not self.answer.done():
            self.answer.set_result(None)


# ── Handlers ─────────────────────────────────────────────────────────────────────────────


async def get_auction(request: Request) -> Response:
    gateway = _gateway(request)
    _key(request)
    return answer(consumer.auction(_lot(request), gateway.clock.now()))


async def list_auctions(request: Request) -> Response:
    gateway = _gateway(request)
    _key(request)
    query = request.query_params
    limit = _limit(request, 20)
    status = query.get("status")
    if status is not None and status not in consumer.STATUSES.values():
        raise _bad_query("status", "PENDING, OPEN, CLOSED or SETTLED was expected")
    sale_id = query.get("sequenceId")
    found = [
        lot
        for lot in gateway.saleroom.lots.values()
        if (sale_id is None or lot.sale.created.sale_id == sale_id)
        and (status is None or consumer.STATUSES[lot.now.state] == status)
    ]
    found = _after_cursor(found, query.get("cursor"), gateway)[:limit]
    page_info = {
        "startCursor": found[0].auction_id if found else None,
        "endCursor": found[-1].auction_id if found else None,
    }
    now = gateway.clock.now()
    return answer({"data": [consumer.auction(lot, now) for lot in found], "pageInfo": page_info})


async def place_bid(request: Request) -> Response:
    gateway = _gateway(request)
    consumer_id = _consumer(request, missing=Problem(400, "Consumer ID is required"))
    _check_fingerprint(request)
    lot = _lot(request)
    amount, kind = consumer.read_bid(await _body(request), lot.sale.created)
    cmd_id = _idempotency_key(request)
    headers = _take_bid_token(gateway, consumer_id)
    command = PlaceBid(lot.auction_id, consumer_id, cmd_id, amount, kind)
    decided = await _decide(gateway, command)
    if decided is None:
        raise Problem(503, "Bidding is unavailable", headers={"Retry-After": "1", **headers})
    lot, event = decided
    if event.answer.code is not None:
        problem = consumer.refused(lot, event.answer)
        problem.headers.update(headers)
        raise problem
    name = bid_id(lot.auction_id, consumer_id, cmd_id, gateway.salt)
    return answer(consumer.bid_answer(lot, name, event.answer), headers=headers)


async def get_status(request: Request) -> Response:
    consumer_id = _consumer(request)
    return answer(consumer.status(_lot(request), consumer_id))


async def get_highest_bid(request: Request) -> Response:
    _consumer(request)
    lot = _lot(request)
    return answer({"amount": consumer.price(lot.now.price, lot.sale.created), "bidderId": None})


async def get_own_bids(request: Request) -> Response:
    gateway, consumer_id = _gateway(request), _consumer(request)
    lot, limit = _lot(request), _limit(request, 10)
    return answer(
        [
            {
                "bidId": name,
                "consumerId": consumer_id,
                "amount": consumer.price(amount, lot.sale.created),
                "timestamp": consumer.instant(at),
            }
            for name, amount, at in await _own_bids(gateway, lot, consumer_id, limit)
        ]
    )


async def get_all_bids(request: Request) -> Response:
    gateway, _ = _gateway(request), _consumer(request)
    lot, limit = _lot(request), _limit(request, 20)
    return answer(
        [
            {
                "bidId": name,
                "consumerId": anonymous_bidder(lot.auction_id, whose, gateway.salt),
                "amount": consumer.price(amount, lot.sale.created),
                "timestamp": consumer.instant(at),
            }
            for name, whose, amount, at in await _public_bids(gateway, lot, limit)
        ]
    )


ROUTES = [
    ("/auctions", "GET", list_auctions),
    ("/auctions/{auction_id}", "GET", get_auction),
    ("/auctions/{auction_id}/bid", "POST", place_bid),
    ("/auctions/{auction_id}/status", "GET", get_status),
    ("/auctions/{auction_id}/highest-bid", "GET", get_highest_bid),
    ("/auctions/{auction_id}/bids/history", "GET", get_own_bids),
    ("/auctions/{auction_id}/bids", "GET", get_all_bids),
]


def routes() -> list[Route]:
    """Everything under ``/api/v1``."""
    return [
        Route(f"/api/v1{path}", _answering(handler), methods=[method])
        for path, method, handler in ROUTES
    ]


# ── Who asks, and for what ───────────────────────────────────────────────────────────────


def _gateway(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


def _key(request: Request) -> None:
    """A publishable key, or the house's own secret key."""
    gateway = _gateway(request)
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and gateway.is_secret_key(credentials):
        return
    if not gateway.is_publishable_key(request.headers.get("x-publishable-key", "")):
        raise Problem(401, "Authentication required")


def _consumer(request: Request, missing: Problem | None = None) -> str:
    """The bidder whose access token came with the request; *missing* is raised without one."""
    _key(request)
    # Made anew each time: an exception that is kept gathers the frames of all who raise it.
    unknown = Problem(401, "Authentication required")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not scheme:
        raise missing or unknown
    if scheme.lower() != "bearer":
        raise unknown
    try:
        return _gateway(request).consumer_of(token.strip())
    except Unauthorized as error:
        raise unknown from error


def _lot(request: Request) -> LotView:
    lot = _gateway(request).saleroom.lots.get(request.path_params["auction_id"])
    if lot is None:
        raise Problem(404, "Auction not found")
    return lot


def _limit(request: Request, default: int) -> int:
    text = request.query_params.get("limit", str(default))
    if not re.fullmatch("[0-9]{1,3}", text) or not 1 <= int(text) <= MOST_LISTED:
        raise _bad_query("limit", f"1 to {MOST_LISTED} was expected")
    return int(text)


def _bad_query(name: str, message: str) -> Problem:
    details = [{"field": name, "message": message}]
    return Problem(400, "Invalid request", {"details": details})


def _after_cursor(found: list[LotView], cursor: str | None, gateway: Gateway) -> list[LotView]:
    if cursor is None:
        return found
    if cursor not in gateway.saleroom.lots:
        raise _bad_query("cursor", "an endCursor of an earlier page was expected")
    order = {auction_id: place for place, auction_id in enumerate(gateway.saleroom.lots)}
    return [lot for lot in found if order[lot.auction_id] > order[cursor]]


async def _body(request: Request) -> bytes:
    body = b""
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST_BODY:
                    raise Problem(413, "Request body too large")
    except TimeoutError as error:
        raise Problem(408, "Request body too slow") from error
    return body


def _idempotency_key(request: Request) -> str:
    key = request.headers.get("idempotency-key")
    if key is None:
        return secrets.token_hex(16)
    if len(key) > 64 or not _VISIBLE.fullmatch(key):
        details = [{"field": "Idempotency-Key", "message": "1 to 64 visible ASCII characters"}]
        raise Problem(400, "Invalid request", {"details": details})
    return key


def _check_fingerprint(request: Request) -> None:
    fingerprint = request.headers.get("x-fingerprint")
    if fingerprint is None or (len(fingerprint) <= 128 and _VISIBLE.fullmatch(fingerprint)):
        return
    raise Problem(400, "Fingerprint validation failed", headers={"X-Fingerprint-Error": "true"})


def _take_bid_token(gateway: Gateway, consumer_id: str) -> dict[str, str]:
    """Count this bid against the account's rate.  Raises ``Problem`` 429."""
    now = gateway.monotonic()
    bucket = gateway.bids.of(consumer_id, now)
    if bucket is None:
        return {}
    wait_ms = bucket.take(now)
    reset = gateway.clock.now() / 1000 + bucket.full_in(now)
    headers = {
        "X-RateLimit-Limit": str(bucket.limit.burst),
        "X-RateLimit-Remaining": str(bucket.left(now)),
        "X-RateLimit-Reset": str(int(reset) + 1),
    }
    if wait_ms:
        seconds = -(-wait_ms // 1000)
        raise Problem(
            429,
            "Rate limit exceeded",
            {"retryAfter": seconds},
            {"Retry-After": str(seconds), **headers},
        )
    return headers


# ── Finding it ───────────────────────────────────────────────────────────────────────────


async def _decide(gateway: Gateway, command: PlaceBid) -> tuple[LotView, BidAnswer] | None:
    """The decision; None where there was none in time, or the log takes no bids."""
    waiter = BidWaiter()
    gateway.feed.submit(command, waiter)
    try:
        return await asyncio.wait_for(waiter.answer, ANSWER_WITHIN_S)
    except TimeoutError:
        return None
    finally:
        gateway.feed.forget(command, waiter)


async def _public_bids(
    gateway: Gateway, lot: LotView, limit: int
) -> list[tuple[str, str, int, int]]:
    """(bid id, whose, the price it made, at), newest first."""
    if lot.bids is None:
        found = await run_in_threadpool(archive.public_bids, gateway.archive, lot.auction_id, limit)
        return [(bid.bid_id, bid.consumer_id, bid.price, bid.at) for bid in found]
    bids: list[tuple[str, str, int, int]] = []
    for bid in reversed(lot.bids):
        if bid.price is not None and len(bids) < limit:
            name = bid_id(lot.auction_id, bid.consumer_id, bid.cmd_id, gateway.salt)
            bids.append((name, bid.consumer_id, bid.price, bid.at))
    return bids


async def _own_bids(
    gateway: Gateway, lot: LotView, consumer_id: str, limit: int
) -> list[tuple[str, int, int]]:
    """(bid id, amount, at), newest first."""
    if lot.bids is None:
        found = await run_in_threadpool(
            archive.own_bids, gateway.archive, lot.auction_id, consumer_id, limit
        )
        return [(bid.bid_id, bid.amount, bid.at) for bid in found]
    own = [bid for bid in lot.bids if bid.consumer_id == consumer_id]
    return [
        (bid_id(lot.auction_id, consumer_id, bid.cmd_id, gateway.salt), bid.amount, bid.at)
        for bid in reversed(own[-limit:])
    ]


# ── Saying it ────────────────────────────────────────────────────────────────────────────


def answer(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON, with decimals written as exact numbers, and a request id of its own."""
    named = {"X-Request-ID": secrets.token_hex(8), **(headers or {})}
    return Response(_encoder.encode(content), status, named, media_type="application/json")


def _answering(handler: Handler) -> Handler:
    """Give every ``Problem`` the contract's body, and an archive that fails one too."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except Problem as problem:
            body = {"error": problem.error, **problem.more}
            return answer(body, problem.status, problem.headers)
        except ArchiveError as failure:
            log.warning("a history cannot be read", reason=str(failure))
            return answer({"error": "History is unavailable"}, 503)

    return handle
