"""The gateway on one screen: its parts, its routes, and how it comes and goes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from engine.clock import LogClock
from engine.core.messages import State
from engine.streams import Log
from gateway import archive, pages, rest
from gateway.core import frames
from gateway.core.limits import Buckets
from gateway.core.session import Admitted, Session, Unauthorized
from gateway.core.view import LotView, Saleroom
from gateway.fanout import Hub
from gateway.feed import Feed
from gateway.keys import (
    BadToken,
    DemoBidder,
    HouseKeys,
    Identity,
    anonymity_salt,
    key_kind,
    random_name,
    verify_access_token,
)
from gateway.settings import GatewaySettings
from gateway.websocket import RESTARTING, LiveSocket, endpoint

DRAIN_S = 10.0  # closing all sockets at once would bring all of them back at once
DRAIN_PER_SOCKET_S = 0.005
ANSWERS_WITHIN_S = 1.0  # what is decided by then is answered; the rest is sent again
EVICT_EVERY_S = 30.0
SESSION_COOKIE = "fairwarning_session"
SESSION_LIVES_S = 30 * 24 * 3600

log = structlog.stdlib.get_logger()


class Gateway:
    """Everything that a request or a socket of this process can reach."""

    def __init__(
        self,
        settings: GatewaySettings,
        keys: HouseKeys,
        logs: tuple[Log, Log, Log],
        database: Engine,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.keys = keys
        self.salt = anonymity_salt(keys)
        self.archive = database
        self.monotonic = monotonic
        self.clock = LogClock(monotonic)
        self.saleroom = Saleroom()
        self.hub = Hub(settings.price_merge_ms, asyncio.get_running_loop().call_later)
        self.bids = Buckets(settings.bid_rate)
        self.sockets: dict[LiveSocket, None] = {}
        self.draining = False
        self._addresses: dict[str, int] = {}
        self.feed = Feed(
            *logs,
            shards=settings.log.shards,
            saleroom=self.saleroom,
            hub=self.hub,
            clock=self.clock,
        )

    def tasks(self) -> list[Coroutine[Any, Any, None]]:
        """What runs as long as the gateway does; the end of one is its end."""
        return [
            self.feed.follow(),
            self.feed.deliver_mail(),
            self.feed.keep_time(asyncio.sleep),
            self._evict(),
        ]

    # ── What a session asks (core.session.House) ─────────────────────────────────────────

    def admit(self, key: str, token: str | None) -> Admitted | None:
        """The bidder of a hello; None for a spectator.  Raises ``Unauthorized``."""
        if not self.is_publishable_key(key):
            raise Unauthorized("unknown key")
        if token is None:
            return None
        identity = self._identity(token)
        return Admitted(identity.consumer_id, identity.expires_at)

    def knows(self, auction_id: str) -> bool:
        """Is there such a lot?"""
        return auction_id in self.saleroom.lots

    def log_now(self) -> int:
        """The log's clock."""
        return self.clock.now()

    # ── Keys and connections ─────────────────────────────────────────────────────────────

    def is_publishable_key(self, key: str) -> bool:
        """Is it the house's publishable key?"""
        return key_kind(self.keys, key) == "publishable"

    def is_secret_key(self, key: str) -> bool:
        """Is it the house's secret key?"""
        return key_kind(self.keys, key) == "secret"

    def consumer_of(self, token: str) -> str:
        """Whose access token this is.  Raises ``Unauthorized``."""
        return self._identity(token).consumer_id

    def _identity(self, token: str) -> Identity:
        try:
            return verify_access_token(self.keys, token, self.clock.now())
        except BadToken as error:
            raise Unauthorized(str(error)) from error

    def allows_origin(self, origin: str, host: str | None) -> bool:
        """May a page of this origin open a live connection here?  Own host, or on the list."""
        own = origin.partition("://")[2] == host
        return own or origin in self.settings.allowed_origins

    def enter(self, address: str) -> bool:
        """Count a connection of an address; at too many False, and it is not counted."""
        count = self._addresses.get(address, 0)
        most = self.settings.connections_per_address
        if most and count >= most:
            return False
        self._addresses[address] = count + 1
        return True

    def leave(self, address: str) -> None:
        """The connection has ended."""
        count = self._addresses.pop(address, 0) - 1
        if count > 0:
            self._addresses[address] = count

    def new_session(self) -> Session:
        """The protocol's side of a new connection."""
        return Session("ses_" + random_name(12), self, self.settings.message_rate, self.bids)

    # ── Coming and going ─────────────────────────────────────────────────────────────────

    async def drain(self) -> None:
        """Send every reader away, spread over a while; what is decided is still answered."""
        self.draining = True
        await self.feed.until_answered(ANSWERS_WITHIN_S)
        sockets = list(self.sockets)
        pause = min(DRAIN_S / (len(sockets) + 1), DRAIN_PER_SOCKET_S)
        for place, socket in enumerate(sockets):
            retry_ms = 500 + place % 1000
            socket.end(RESTARTING, f'{{"retryAfterMs":{retry_ms}}}')
            await asyncio.sleep(pause)

    async def _evict(self) -> None:
        while True:
            await asyncio.sleep(EVICT_EVERY_S)
            try:
                await self.forget_archived()
            except archive.ArchiveError as failure:
                # Nothing is lost: the bids stay in memory, and the next round asks again.
                log.warning("the archive cannot be read", reason=str(failure))

    async def forget_archived(self) -> None:
        """Leave to the archive the bids of lots on which nothing will happen any more."""
        ended = [lot for lot in self.saleroom.lots.values() if lot.ended and lot.bids]
        for shard in sorted({lot.shard for lot in ended}):
            archived = await asyncio.to_thread(archive.position, self.archive, shard)
            for lot in ended:
                if lot.shard == shard and lot.places[-1] <= archived:
                    lot.forget()


# ── Pages ────────────────────────────────────────────────────────────────────────────────


async def catalogue(request: Request) -> Response:
    saleroom: Saleroom = request.app.state.gateway.saleroom
    return pages.catalogue_page(
        [
            (
                sale.created.name,
                [_card(saleroom.lots[auction_id]) for auction_id in sale.auction_ids],
            )
            for sale in saleroom.sales.values()
        ]
    )


async def lot_page(request: Request) -> Response:
    gateway: Gateway = request.app.state.gateway
    lot = gateway.saleroom.lots.get(request.path_params["auction_id"])
    if lot is None:
        return pages.not_found_page("There is no such lot.")
    session = _session(gateway, request, lot)
    consumer_id = None if session is None else gateway.consumer_of(session.token)
    lineage = gateway.feed.lineages[lot.shard]
    return pages.lot_page(
        pages.LotPage(
            auction_id=lot.auction_id,
            lot_number=lot.catalogue.lot_number,
            name=lot.catalogue.name,
            description=lot.catalogue.description,
            sale_name=lot.sale.created.name,
            estimate_low=lot.catalogue.estimate_low,
            estimate_high=lot.catalogue.estimate_high,
            photos=lot.catalogue.photos,
            provenance=lot.catalogue.provenance,
            snapshot=frames.snapshot(lot, lineage, consumer_id),
            session=session,
            publishable_key=gateway.keys.publishable_key,
            now=gateway.clock.now(),
        )
    )


async def sign_in(_request: Request) -> Response:
    """There is no form yet."""
    return pages.not_found_page("Open the sign-in link that the house has given you.")


async def sign_in_by_link(request: Request) -> Response:
    """A demonstration bidder's link: sets the session that the pages use."""
    gateway: Gateway = request.app.state.gateway
    bidder = _demo_bidder(gateway, request.path_params["code"])
    if bidder is None:
        return pages.not_found_page("This sign-in link is not valid.")
    target = request.query_params.get("next", "/")
    local = target.startswith("/") and not target.startswith(("//", "/\\"))
    response = RedirectResponse(target if local else "/", 303)
    secure = gateway.settings.public_url.startswith("https:")
    response.set_cookie(
        SESSION_COOKIE,
        request.path_params["code"],
        max_age=SESSION_LIVES_S,
        httponly=True,
        samesite="lax",
        secure=secure,
    )
    return response


async def failed(request: Request, error: Exception) -> Response:
    """A bug: said in the log, and to nobody else what it was."""
    log.error("a request failed", path=request.url.path, exc_info=error)
    return rest.answer({"error": "Internal error"}, 500)


async def no_such_thing(request: Request, error: Exception) -> Response:
    """Nothing is served here, or not by this method: JSON for programs, a page for people."""
    assert isinstance(error, HTTPException)
    if request.url.path.startswith("/api/"):
        text = "Not found" if error.status_code == 404 else error.detail
        return rest.answer({"error": text}, error.status_code, dict(error.headers or {}))
    if error.status_code == 404:
        return pages.not_found_page("There is no such page.")
    return PlainTextResponse(error.detail, error.status_code, error.headers)


def _session(gateway: Gateway, request: Request, lot: LotView) -> pages.Session | None:
    bidder = _demo_bidder(gateway, request.cookies.get(SESSION_COOKIE, ""))
    if bidder is None:
        return None
    try:
        gateway.consumer_of(bidder.token)
    except Unauthorized:
        return None
    paddle = lot.sale.paddles.get(bidder.consumer_id)
    return pages.Session(bidder.name, paddle, bidder.token, gateway.keys.publishable_key)


def _demo_bidder(gateway: Gateway, code: str) -> DemoBidder | None:
    bidders = gateway.keys.demo.bidders if gateway.keys.demo is not None else ()
    for bidder in bidders:
        if code and bidder.url.rsplit("/", 1)[-1] == code:
            return bidder
    return None


def _card(lot: LotView) -> pages.LotCard:
    catalogue = lot.catalogue
    estimate = None
    if catalogue.estimate_low is not None and catalogue.estimate_high is not None:
        estimate = (catalogue.estimate_low, catalogue.estimate_high)
    return pages.LotCard(
        auction_id=lot.auction_id,
        lot_number=catalogue.lot_number,
        name=catalogue.name,
        photo=catalogue.photos[0] if catalogue.photos else None,
        estimate=estimate,
        price=lot.now.price,
        status=lot.now.state.value,
        closes_at=lot.now.closes_at,
        currency=lot.sale.created.currency,
        exponent=lot.sale.created.exponent,
    )


# ── Health ───────────────────────────────────────────────────────────────────────────────


async def healthz(_request: Request) -> Response:
    return JSONResponse({"status": "serving"})


async def readyz(request: Request) -> Response:
    gateway: Gateway = request.app.state.gateway
    missing = await gateway.feed.missing()
    if gateway.keys.demo is not None and not all(map(gateway.knows, gateway.keys.demo.auction_ids)):
        missing["demonstration"] = "the sale is still being entered"
    if gateway.draining:
        missing["gateway"] = "it is stopping"
    if missing:
        return JSONResponse({"status": "not ready", "missing": missing}, 503)
    return JSONResponse({"status": "ready"})


async def metrics(request: Request) -> Response:
    gateway: Gateway = request.app.state.gateway
    registry = CollectorRegistry()
    for name, text, value in (
        ("fairwarning_connections", "Live connections", len(gateway.sockets)),
        ("fairwarning_lots", "Lots known", len(gateway.saleroom.lots)),
        ("fairwarning_lots_open", "Lots that take bids", _open_lots(gateway)),
        ("fairwarning_events_read", "Events read", sum(gateway.feed.positions.values())),
    ):
        Gauge(name, text, registry=registry).set(value)
    return Response(generate_latest(registry), media_type="text/plain; version=0.0.4")


def _open_lots(gateway: Gateway) -> int:
    return sum(lot.now.state is State.OPEN for lot in gateway.saleroom.lots.values())


# ── The application ──────────────────────────────────────────────────────────────────────

EXPOSED = [
    "Retry-After",
    "X-Fingerprint-Error",
    "X-Request-ID",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
]


def build(gateway: Gateway) -> Starlette:
    """Every route of this process."""
    app = Starlette(
        routes=[
            WebSocketRoute("/ws", endpoint),
            *rest.routes(),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            Route("/", catalogue),
            Route("/lot/{auction_id}", lot_page),
            Route("/sign-in", sign_in),
            Route("/sign-in/{code}", sign_in_by_link),
            Mount("/static", StaticFiles(directory=pages.STATIC)),
        ],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=gateway.settings.allowed_origins,
                allow_methods=["GET", "POST"],
                allow_headers=["*"],
                expose_headers=EXPOSED,
            )
        ],
        exception_handlers={HTTPException: no_such_thing, Exception: failed},
    )
    app.state.gateway = gateway
    return app
