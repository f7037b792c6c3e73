"""One call of an API: from the request to the answer, the same for every route.

A handler is a coroutine ``async def name(ask, …) -> Answer``.  Its signature is its contract:
a parameter ``body`` or ``query`` is read and checked as the type it is annotated with,
parameters of the path are texts, and what it returns is written as JSON.  OpenAPI is made
from the same signatures (openapi.py).

On the way in: the rate, the key, the token, the body, the Idempotency-Key.  On the way out:
a ``Problem`` in the words of the route's dialect, and the headers that every answer carries.
"""

from __future__ import annotations

import asyncio
import hmac
import inspect
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeVar, get_type_hints

import msgspec
import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from engine.core.messages import Command, CommandRefused, CommandTaken
from engine.streams import StreamError
from gateway.api.access import Access, Caller, address_of, house_key, identify
from gateway.archive import ArchiveError
from gateway.books import once
from gateway.books.store import BooksError
from gateway.core import bodies
from gateway.core.naming import ALPHABET
from gateway.core.problems import (
    Problem,
    bad_field,
    for_consumers,
    for_operators,
)
from gateway.core.view import LotView, SaleView

if TYPE_CHECKING:
    from gateway.app import Gateway

T = TypeVar("T")
Dialect = Literal["consumer", "operator"]
Handler = Callable[..., Awaitable[Any]]

LARGEST_BODY: Final = 64 * 1024
LARGEST_OF_HOUSE: Final = 1024 * 1024  # conditions of a sale, descriptions of lots
LARGEST_FILE: Final = 4 * 1024 * 1024  # a catalogue of some ten thousand lots
BODY_WITHIN_S: Final = 10.0
ONCE_WITHIN_S: Final = 10.0  # for the first of several requests with one Idempotency-Key
ONCE_POLL_S: Final = 0.05
NO_LIMIT: Final = "1000000"  # a rate beyond what one machine can do
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")
_encoder: Final = msgspec.json.Encoder(decimal_format="number")

log = structlog.stdlib.get_logger()


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that says more than its content."""

    content: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Raw:
    """An answer, or a request's body, that is not JSON, or JSON that was written before."""

    content: bytes
    media_type: str = "application/json"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One row of the table of routes."""

    method: str
    path: str
    handler: Handler
    access: Access
    status: int = 200  # of a success
    dialect: Dialect = "consumer"


@dataclass(frozen=True, slots=True)
class Signature:
    """What a handler's annotations say, read once."""

    body: Any  # None: takes none
    body_is_optional: bool
    query: Any
    answer: Any


def signature_of(handler: Handler) -> Signature:
    """The contract of a handler, from its annotations."""
    hints = get_type_hints(handler)
    parameters = inspect.signature(handler).parameters
    optional = "body" in parameters and parameters["body"].default is not inspect.Parameter.empty
    return Signature(hints.get("body"), optional, hints.get("query"), hints.get("return"))


class Ask:
    """A request, as a handler sees it."""

    __slots__ = ("caller", "cmd_id", "gateway", "request")

    def __init__(self, gateway: Gateway, request: Request, caller: Caller, cmd_id: str) -> None:
        self.gateway = gateway
        self.request = request
        self.caller = caller
        self.cmd_id = cmd_id  # the same for every retry with one Idempotency-Key

    @property
    def consumer_id(self) -> str:
        """The consumer who asks; only where the access demands one."""
        assert self.caller.consumer_id is not None
        return self.caller.consumer_id

    @property
    def now(self) -> int:
        """The log's clock, ms."""
        return self.gateway.clock.now()

    def lot(self, auction_id: str) -> LotView:
        """The lot, of the caller's mode.  Raises ``Problem`` 404."""
        lot = self.gateway.saleroom.lot(auction_id)
        if lot is None or lot.sale.created.mode != self.caller.mode:
            raise Problem("auction_not_found")
        return lot

    def sale(self, sale_id: str) -> SaleView:
        """The sale, of the caller's mode.  Raises ``Problem`` 404."""
        sale = self.gateway.saleroom.sales.get(sale_id)
        if sale is None or sale.created.mode != self.caller.mode:
            raise Problem("sequence_not_found")
        return sale

    async def books(self, work: Callable[..., T], *args: Any, **more: Any) -> T:
        """Do something that blocks on the database: ``work(engine, *args)``."""
        return await run_in_threadpool(work, self.gateway.books, *args, **more)

    async def command(self, command: Command) -> CommandTaken:
        """Have a command of the house carried out.  Raises ``Problem`` where it was not."""
        answer = await self.gateway.feed.command(command)
        if answer is None:
            raise Problem("unavailable", headers={"Retry-After": "1"})
        if isinstance(answer, CommandRefused):
            raise objection(answer)
        return answer

    def named(self, purpose: str, length: int) -> str:
        """Random-looking characters for a new id: the same for a retry of this request."""
        digest = hmac.digest(self.gateway.salt, f"{purpose}|{self.cmd_id}".encode(), "sha256")
        return "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest[:length])


_OBJECTIONS: Final = {
    "exists": "exists",
    "not_found": "not_found",
    "invalid_transition": "invalid_transition",
    "invalid": "invalid",
    "unreadable": "invalid",
    "moved": "conflict",
    "not_editable": "not_editable",
    "not_cancelable": "bid_not_cancelable",
    "in_use": "in_use",
}


def objection(refused: CommandRefused) -> Problem:
    """What the engine objects to, in the words of the APIs; the state comes with it."""
    state = None if refused.state is None else refused.state.value
    code = _OBJECTIONS.get(refused.objection, "conflict")
    return Problem(code, details=None if state is None else {"state": state})


def endpoint(call: Call) -> Callable[[Request], Awaitable[Response]]:
    """The Starlette endpoint of a row."""
    signature = signature_of(call.handler)
    render = for_operators if call.dialect == "operator" else for_consumers

    async def serve(request: Request) -> Response:
        headers = new_headers(request.app.state.gateway)
        try:
            return await _serve(call, signature, request, headers)
        except Problem as problem:
            headers.update(problem.headers)
            return written(render(problem), problem.status, headers)
        except (ArchiveError, BooksError, StreamError) as failure:
            log.warning("a request cannot be answered", path=request.url.path, reason=str(failure))
            is_history = isinstance(failure, ArchiveError)
            broken = Problem("history_unavailable" if is_history else "unavailable")
            return written(render(broken), broken.status, headers)

    return serve


def new_headers(gateway: Gateway) -> dict[str, str]:
    """The headers that every answer carries, as they are where no rate applies."""
    return {
        "X-Request-ID": secrets.token_hex(8),
        "X-RateLimit-Limit": NO_LIMIT,
        "X-RateLimit-Remaining": NO_LIMIT,
        "X-RateLimit-Reset": str(gateway.clock.now() // 1000 + 1),
    }


async def _serve(
    call: Call, signature: Signature, request: Request, headers: dict[str, str]
) -> Response:
    gateway: Gateway = request.app.state.gateway
    key = house_key(gateway, request)
    bucket = f"http:{address_of(gateway, request)}" if key is None else f"key:{key.key_id}"
    headers.update(take(gateway, "http" if key is None else "key", bucket))
    caller = identify(gateway, call.access, request, key)
    arguments: dict[str, Any] = dict(request.path_params)
    if any("\0" in name for name in arguments.values()):  # no database takes one
        raise Problem("not_found")
    raw = b""
    if signature.body is not None:
        raw = await body_of(request, _most_bytes(signature, caller))
        arguments["body"] = _body(signature, raw, request)
    if signature.query is not None:
        arguments["query"] = _query(request, signature.query)
    idempotency_key = _idempotency_key(request) if call.method == "POST" else None
    ask = Ask(gateway, request, caller, _cmd_id(caller, idempotency_key, request))
    if idempotency_key is not None and caller.is_house:
        return await _only_once(ask, call, idempotency_key, raw, arguments, headers)
    return respond(await call.handler(ask, **arguments), call.status, headers)


async def _only_once(
    ask: Ask,
    call: Call,
    idempotency_key: str,
    raw: bytes,
    arguments: dict[str, Any],
    headers: dict[str, str],
) -> Response:
    """Answer the first of several requests with one Idempotency-Key; repeat it to the others."""
    owner = _named(ask.caller, ask.request)
    deadline = ask.gateway.monotonic() + ONCE_WITHIN_S
    body_hash = sha256(raw).hexdigest()
    while True:
        found = await ask.books(
            once.begin, ask.gateway.vault, owner, idempotency_key, body_hash, ask.now
        )
        if isinstance(found, once.Claimed):
            break
        if isinstance(found, once.Done):
            return Response(found.answer, found.status, headers, media_type="application/json")
        if isinstance(found, once.Mismatch):
            raise Problem("idempotency_key_reused")
        if ask.gateway.monotonic() > deadline:
            raise Problem("unavailable", headers={"Retry-After": "1"})
        await asyncio.sleep(ONCE_POLL_S)  # another gateway may be at it: nothing announces its end
    try:
        response = respond(await call.handler(ask, **arguments), call.status, headers)
    except BaseException:
        # Nothing is remembered of a refusal: the same request may be right a moment later.
        await ask.books(once.abandon, found)
        raise
    answer = bytes(response.body)
    await ask.books(once.finish, ask.gateway.vault, found, response.status_code, answer)
    return response


def respond(answer: Any, status: int, headers: dict[str, str]) -> Response:
    """Whatever a handler returned, as a response."""
    if isinstance(answer, Raw):
        named = {**headers, **answer.headers}
        return Response(answer.content, answer.status, named, media_type=answer.media_type)
    if isinstance(answer, Reply):
        return written(answer.content, answer.status, {**headers, **answer.headers})
    if answer is None:
        return Response(status_code=204 if status == 200 else status, headers=headers)
    return written(answer, status, headers)


def written(content: object, status: int, headers: dict[str, str]) -> Response:
    """JSON, with decimals written as exact numbers."""
    return Response(_encoder.encode(content), status, headers, media_type="application/json")


class Counted(NamedTuple):
    """What a bucket has given, and holds."""

    limit: int
    remaining: int
    reset: int  # unix seconds: when it is full again
    window: int  # seconds that an empty one takes to be full
    wait_ms: int  # 0: there was a token

    @property
    def wait_s(self) -> int:
        """Whole seconds until there is one."""
        return -(-self.wait_ms // 1000)

    def said(self) -> dict[str, int]:
        """As another process of the house is told it."""
        return {
            "limit": self.limit,
            "remaining": self.remaining,
            "reset": self.reset,
            "window": self.window,
            "retry_after": self.wait_s,
        }


def count(gateway: Gateway, kind: str, name: str) -> Counted | None:
    """Count this against a bucket; None where there is no limit."""
    now = gateway.monotonic()
    bucket = gateway.buckets[kind].of(name, now)
    if bucket is None:
        return None
    wait_ms = bucket.take(now)
    return Counted(
        limit=bucket.limit.burst,
        remaining=bucket.left(now),
        reset=int(gateway.clock.now() / 1000 + bucket.full_in(now)) + 1,
        window=max(1, round(bucket.limit.burst / bucket.limit.per_second)),
        wait_ms=wait_ms,
    )


def take(gateway: Gateway, kind: str, name: str) -> dict[str, str]:
    """Count this against a bucket; its headers.  Raises ``Problem`` 429."""
    counted = count(gateway, kind, name)
    if counted is None:
        return {}
    headers = {
        "X-RateLimit-Limit": str(counted.limit),
        "X-RateLimit-Remaining": str(counted.remaining),
        "X-RateLimit-Reset": str(counted.reset),
    }
    if counted.wait_ms:
        more = {"retryAfter": counted.wait_s}
        again = {"Retry-After": str(counted.wait_s)}
        raise Problem("rate_limited", more=more, headers={**again, **headers})
    return headers


async def body_of(request: Request, most: int) -> bytes:
    """The body, whole.  Raises ``Problem`` beyond *most* bytes, or where it comes too slowly."""
    body = b""
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise Problem("too_large")
    except TimeoutError as error:
        raise Problem("too_slow") from error
    return body


def _most_bytes(signature: Signature, caller: Caller) -> int:
    if signature.body is Raw:
        return LARGEST_FILE
    return LARGEST_OF_HOUSE if caller.is_house else LARGEST_BODY


def _body(signature: Signature, raw: bytes, request: Request) -> Any:
    if signature.body is Raw:
        return Raw(raw, request.headers.get("content-type", ""))
    if not raw and signature.body_is_optional:
        raw = b"{}"
    return bodies.read(raw, signature.body)


def _query(request: Request, wanted: type[T]) -> T:
    given = request.query_params.multi_items()
    fields = dict(given)
    if len(fields) != len(given):
        raise bad_field("query", "a parameter that comes twice")
    for name, text in fields.items():
        if text.lower() == "null":  # a text here, though it could be read as nothing
            raise bad_field(name, "null is no value")
    return bodies.take(fields, wanted, strict=False)


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and (len(key) > 64 or not _VISIBLE.fullmatch(key)):
        raise bad_field("Idempotency-Key", "1 to 64 visible ASCII characters")
    return key


def _cmd_id(caller: Caller, idempotency_key: str | None, request: Request) -> str:
    if idempotency_key is None:
        return secrets.token_hex(16)
    if not caller.is_house:
        return idempotency_key  # a bidder's own: shared with the live protocol
    named = f"{_named(caller, request)}|{idempotency_key}"
    return sha256(named.encode()).hexdigest()[:32]


def _named(caller: Caller, request: Request) -> str:
    """Whose Idempotency-Keys these are, and for what."""
    return f"{caller.name}|{request.method}|{request.url.path}?{request.url.query}"
