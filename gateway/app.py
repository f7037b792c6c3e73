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
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute

from engine.clock import LogClock
from engine.core.messages import BidRefused, Mode, PlaceBid, State
from engine.streams import Log
from gateway import (
    account,
    archive,
    bidding,
    browsers,
    catalogue,
    consoles,
    languages,
    lots,
    pages,
    registration,
    rostrum,
    shell,
    sign_in,
)
from gateway.admin import routes as admin
from gateway.api import calls, routes
from gateway.books import apikeys, people, sessions
from gateway.books.store import BooksError, Vault
from gateway.consoles import Consoles
from gateway.core.limits import Buckets
from gateway.core.problems import Problem, for_consumers, for_operators
from gateway.core.session import Admitted, Session, Unauthorized
from gateway.core.view import LotView, Saleroom
from gateway.door import Door
from gateway.fanout import Hub
from gateway.feed import Feed
from gateway.keys import (
    BadToken,
    HouseKeys,
    Identity,
    anonymity_salt,
    random_name,
    verify_access_token,
)
from gateway.line import Line
from gateway.neighbours import Neighbours
from gateway.objects import Objects
from gateway.packing import Packed
from gateway.settings import GatewaySettings
from gateway.websocket import RESTARTING, LiveSocket, endpoint

DRAIN_S = 10.0  # closing all sockets at once would bring all of them back at once
DRAIN_PER_SOCKET_S = 0.005
ANSWERS_WITHIN_S = 1.0  # what is decided by then is answered; the rest is sent again
EVICT_EVERY_S = 30.0
READ_BOOKS_EVERY_S = 1.0  # a revoked session or key is refused within two seconds
NOTE_KEYS_EVERY_MS = 60_000  # when a key was last used, to the minute
OVERLAP_MS = 5_000  # a row is seen a moment after the instant that is written in it
NOT_SIGNED_IN = 4401
TOKENS_KNOWN = 20_000  # some 12 MB: past it all are looked at anew

log = structlog.stdlib.get_logger()


class Gateway:
    """Everything that a request or a socket of this process can reach."""

    def __init__(
        self,
        settings: GatewaySettings,
        keys: HouseKeys,
        logs: tuple[Log, Log, Log],
        database: Engine,
        books: Engine,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.keys = keys
        self.salt = anonymity_salt(keys)
        self.archive = database
        self.books = books
        self.vault = Vault(keys.vault_key)
        self.monotonic = monotonic
        self.clock = LogClock(monotonic)
        self.saleroom = Saleroom(salt=self.salt)
        self.hub = Hub(settings.price_merge_ms, asyncio.get_running_loop().call_later)
        # One installation is one house; its name tells it from others on the same server.
        house = keys.signing_key_id[:16]
        self.neighbours = Neighbours(settings.log.url, house, random_name(12), monotonic)
        told = self.neighbours.taken
        self.buckets = self.neighbours.buckets = {
            "bid": Buckets(settings.bid_rate, told),
            "http": Buckets(settings.http_rate, told),
            "key": Buckets(settings.key_rate, told),
            "otp_mail": Buckets(settings.otp_per_mail, told),
            "otp_address": Buckets(settings.otp_per_address, told),
        }
        self.key_ring = apikeys.KeyRing(())
        self.barred: frozenset[str] = frozenset()  # fingerprints
        # A signature that was good stays good; its time and its session are asked each time.
        self._known_tokens: dict[str, Identity] = {}
        self.revoked: set[str] = set()  # sessions whose access tokens are refused
        self.keys_used: dict[str, int] = {}  # when each key of the house last spoke here
        self._ended: list[str] = []
        self._standing_keys: set[str] = set()
        self._books_read_at = 0
        self._keys_noted_at = 0
        self.sockets: dict[LiveSocket, None] = {}
        self.draining = False
        self._addresses: dict[str, int] = {}
        self.line = Line(settings.verifier_socket, monotonic)
        self.objects = Objects(self.line, monotonic)
        self.feed = Feed(
            *logs,
            shards=settings.log.shards,
            saleroom=self.saleroom,
            hub=self.hub,
            clock=self.clock,
        )
        self.consoles = Consoles(self, asyncio.get_running_loop().call_later)
        self.feed.rostrum = self.consoles
        self.neighbours.pointed_elsewhere = self.consoles.pointed

    def tasks(self) -> list[Coroutine[Any, Any, None]]:
        """What runs as long as the gateway does; the end of one is its end."""
        return [
            self.feed.follow(),
            self.feed.deliver_mail(),
            self.feed.keep_time(asyncio.sleep),
            self._evict(),
            self._follow_books(),
            self.neighbours.gossip(),
            self.consoles.look(asyncio.sleep),
        ]

    # ── What a session asks (core.session.House, websocket.Desk) ─────────────────────────

    def admit(self, key: str, token: str | None) -> Admitted:
        """The bidder of a hello, or a spectator.  Raises ``Unauthorized``."""
        page = self._page(key)
        if token is None:
            return Admitted(None, mode=page.mode)
        return _admitted(self.identify(token), page.mode)

    def admit_operator(self, key: str) -> Admitted:
        """The console that an operator's key admits.  Raises ``Unauthorized``."""
        found = self.key_ring.find(key, self.clock.now())
        if found is None or found.kind != "operator" or not found.may("console"):
            raise Unauthorized("no operator key with the scope console")
        return _console(found)

    async def admit_ticket(self, key: str | None, ticket: str) -> Admitted:
        """Whom a ticket admits, the first time.  Raises ``Unauthorized``."""
        page = None if key is None else self._page(key)
        now = self.clock.now()
        identity = await asyncio.to_thread(sessions.use_ticket, self.books, ticket, now)
        if isinstance(identity, sessions.ConsoleKey):
            return self._admit_console(identity)
        if identity is None or identity.session_id in self.revoked:
            raise Unauthorized("the ticket is not valid any more")
        return _admitted(identity, identity.mode if page is None else page.mode)

    def _admit_console(self, ticket: sessions.ConsoleKey) -> Admitted:
        key = self.key_ring.named(ticket.key_id, self.clock.now())
        if key is None or not key.may("console"):
            raise Unauthorized("the key of this ticket is not valid any more")
        return _console(key)

    def seal(self, lot: LotView, consumer_id: str, cmd_id: str, amount: int) -> PlaceBid:
        """The command of a sealed bid."""
        return bidding.seal(self, lot, consumer_id, cmd_id, amount)

    async def prepare(self, lot: LotView, bid: PlaceBid) -> PlaceBid | BidRefused:
        """Have what is bid held in the books; or refuse it, where that cannot be."""
        return await bidding.hold(self, lot, bid)

    def log_now(self) -> int:
        """The log's clock."""
        return self.clock.now()

    # ── Keys, sessions and connections ───────────────────────────────────────────────────

    def identify(self, token: str) -> Identity:
        """Whom an access token speaks for.  Raises ``Unauthorized``."""
        identity = self._known_tokens.get(token)
        if identity is None or self.clock.now() >= identity.expires_at:
            identity = self._verify(token)
        if identity.session_id in self.revoked:
            raise Unauthorized("the session has ended")
        return identity

    def _verify(self, token: str) -> Identity:
        try:
            identity = verify_access_token(self.keys, token, self.clock.now())
        except BadToken as error:
            raise Unauthorized(str(error)) from error
        if len(self._known_tokens) >= TOKENS_KNOWN:
            self._known_tokens.clear()
        self._known_tokens[token] = identity
        return identity

    @property
    def mode_of_pages(self) -> Mode:
        """The mode of the key that our own pages carry."""
        return "live" if self.keys.publishable_key.startswith("pk_live_") else "test"

    def _page(self, key: str) -> apikeys.ApiKey:
        found = self.key_ring.find(key, self.clock.now())
        if found is None or found.kind != "publishable":
            raise Unauthorized("unknown key")
        return found

    def is_barred(self, fingerprint: str) -> bool:
        """Does the house take no bids from this device?"""
        return bool(self.barred) and (
            people.fingerprint_index(self.vault, fingerprint) in self.barred
        )

    def end_session(self, session_id: str) -> None:
        """Its tokens are refused here from now on, and its connections closed."""
        self.revoked.add(session_id)
        self.hub.end_session(session_id, NOT_SIGNED_IN, "the session has ended")

    def read_books(self) -> None:
        """Take in which keys stand and which sessions have ended.  Blocks."""
        now = self.clock.now()
        if now - self._keys_noted_at >= NOTE_KEYS_EVERY_MS:
            self._keys_noted_at, used = now, self.keys_used
            self.keys_used = {}
            apikeys.note_used(self.books, used)
        known = apikeys.known_keys(self.books, now)
        self.key_ring = apikeys.KeyRing(known)
        self.barred = people.barred_indexes(self.books)
        # The first time all of them; then with some seconds of overlap (sessions.revoked_since).
        since = self._books_read_at - OVERLAP_MS if self._books_read_at else 0
        self._ended = [name for name, _ in sessions.revoked_since(self.books, since)]
        self._standing_keys = {key.key_id for key in known}
        self._books_read_at = now

    async def _follow_books(self) -> None:
        while True:
            await asyncio.sleep(READ_BOOKS_EVERY_S)
            try:
                await asyncio.to_thread(self.read_books)
            except BooksError as failure:
                # What was known stays in force; /readyz does not depend on it.
                log.warning("the books cannot be read", reason=str(failure))
                continue
            # A console lives as long as the key that it was opened with.
            consoles = [name for name in self.hub.sessions() if name.startswith("key_")]
            ended = [name for name in consoles if name not in self._standing_keys]
            for session_id in [*self._ended, *ended]:
                if session_id not in self.revoked:
                    self.end_session(session_id)

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
        bids = self.buckets["bid"]
        return Session("ses_" + random_name(12), self, self.settings.message_rate, bids)

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


OPERATOR_PATHS = ("/auction", "/asset", "/user", "/alpha/")


async def failed(request: Request, error: Exception) -> Response:
    """A bug: said in the log, and to nobody else what it was."""
    log.error("a request failed", path=request.url.path, exc_info=error)
    return _said(request, Problem("internal"))


async def no_such_thing(request: Request, error: Exception) -> Response:
    """Nothing is served here, or not by this method: JSON for programs, a page for people."""
    assert isinstance(error, HTTPException)
    if _is_api(request):
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid")
        return _said(request, Problem(code, headers=error.headers))
    if error.status_code == 404:
        return pages.not_found_page(pages.Visit.of(request), "common.no-page")
    return PlainTextResponse(error.detail, error.status_code, error.headers)


async def books_shut(request: Request, error: Exception) -> Response:
    """A page that cannot be written because the books cannot be read now."""
    log.warning("a page cannot be written", path=request.url.path, reason=str(error))
    return pages.not_now_page(pages.Visit.of(request))


def _is_api(request: Request) -> bool:
    return request.url.path.startswith(("/api/", "/.well-known/", *OPERATOR_PATHS))


def _said(request: Request, problem: Problem) -> Response:
    """A problem that no route has answered, in the dialect of the path."""
    operator = request.url.path.startswith(OPERATOR_PATHS)
    render = for_operators if operator else for_consumers
    headers = {**calls.new_headers(request.app.state.gateway), **problem.headers}
    return calls.written(render(problem), problem.status, headers)


def _console(key: apikeys.ApiKey) -> Admitted:
    """A console is opened by a key, acts in its name and ends with it."""
    return Admitted(None, mode=key.mode, session_id=key.key_id, role="auctioneer")


def _admitted(identity: Identity, mode: Mode) -> Admitted:
    if identity.mode != mode:
        raise Unauthorized("the key and the token are of different modes")
    return Admitted(identity.consumer_id, identity.expires_at, mode, identity.session_id)


# ── Health ───────────────────────────────────────────────────────────────────────────────


async def healthz(_request: Request) -> Response:
    return JSONResponse({"status": "serving"})


async def readyz(request: Request) -> Response:
    gateway: Gateway = request.app.state.gateway
    missing = await gateway.feed.missing()
    if gateway.keys.demo is not None and not all(
        auction_id in gateway.saleroom.lots for auction_id in gateway.keys.demo.auction_ids
    ):
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
    "X-RateLimit-Window",
]


def build(gateway: Gateway) -> Starlette:
    """Every route of this process."""
    app = Starlette(
        routes=[
            WebSocketRoute("/ws", endpoint),
            # Before the table: it is asked in one step, and the table in a hundred.
            Door(gateway),
            *routes.routes(),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            Route("/console/ticket", consoles.ticket, methods=["POST"]),
            *rostrum.routes(),
            *lots.routes(),
            *catalogue.routes(),
            *admin.routes(),
            *registration.routes(),
            *account.routes(),
            *browsers.routes(),
            *sign_in.routes(),
            *languages.routes(),
            *shell.routes(),
            Mount("/static", Packed(directory=pages.STATIC)),
        ],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=gateway.settings.allowed_origins,
                allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
                allow_headers=["*"],
                expose_headers=EXPOSED,
            )
        ],
        exception_handlers={
            HTTPException: no_such_thing,
            BooksError: books_shut,
            Exception: failed,
        },
    )
    app.router.redirect_slashes = False  # a path has one form
    app.state.gateway = gateway
    return app
