"""One call of the API: from the request to the answer, the same for every row of the table.

A handler is a coroutine ``async def name(ask, …) -> Answer``.  Its signature is its contract:
a parameter ``body`` or ``query`` is read and checked as the type it is annotated with,
parameters of the path are texts, and what it returns is written as JSON.  OpenAPI is made
from the same signatures.

Who asks, the gateway says in one header: nobody else can open the socket.  On the way in:
the rate, the path, the key, the body.  On the way out: a refusal in the contract's words
(``refusals``), and the headers that every answer carries.
"""

from __future__ import annotations

import asyncio
import collections
import inspect
import re
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal, TypeVar, get_args, get_type_hints
from urllib.parse import unquote

import anyio
import anyio.to_thread
import msgspec
import structlog
from msgspec import Struct
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.core import bodies
from gateway.core.limits import Bucket, Buckets
from gateway.settings import Rate
from verifier.api.answers import Answers
from verifier.api.refusals import Refusal, bad_field, limited, meaning, missing
from verifier.core.wire import Mode, instant
from verifier.photographs.workers import Workers
from verifier.registry.scans import Counter
from verifier.store import Store

T = TypeVar("T")
Handler = Callable[..., Awaitable[Any]]
Kind = Literal["none", "json", "multipart"]

CALLER_HEADER: Final = "x-fairwarning-caller"
LOOKS: Final = 2  # at records at once: with more there are fewer a second
INTERNAL: Final = "/internal/"
OF_PEOPLE: Final = ("/verify", "/admin/objects", "/01/", "/8004/")  # whoever comes by a browser

LARGEST_BODY: Final = 256 * 1024  # what is said of an object, its attributes included
BODY_WITHIN_S: Final = 10.0
LARGEST_PHOTO: Final = 25_000_000
LARGEST_FORM: Final = LARGEST_PHOTO + 64 * 1024  # with the borders and the other fields
FORM_WITHIN_S: Final = 60.0  # 25 MB over a telephone

WINDOW_S: Final = 600
UNKNOWN_SERIALS: Final = Rate(10 / WINDOW_S, 10)  # an address; then it is trying them out
PHOTO_MATCHES: Final = Rate(60 / WINDOW_S, 60)  # an address; each is a second of computing
NO_LIMIT: Final = "1000000"  # a rate beyond what one machine can do

_encoder: Final = msgspec.json.Encoder(decimal_format="number")

log = structlog.stdlib.get_logger()


# ── Who asks ─────────────────────────────────────────────────────────────────────────────


class Key(Struct, frozen=True, kw_only=True):
    """The API key that came with the request."""

    status: Literal["missing", "invalid", "expired", "revoked", "valid"]
    mode: Mode | None = None
    scopes: frozenset[str] = frozenset()


class Given(Struct, frozen=True, kw_only=True):
    """The key's rate, counted by the gateway; ``retry_after`` in seconds, 0: it may go on."""

    limit: int
    remaining: int
    reset: int
    window: int
    retry_after: float = 0


class Caller(Struct, frozen=True, kw_only=True):
    """Who asks, as the gateway found."""

    address: str
    host: str | None = None  # that was asked, which anybody can make up
    country: str | None = None
    key: Key
    rate: Given | None = None

    @property
    def has_key(self) -> bool:
        """Whether a house asks, and not the public."""
        return self.key.status == "valid"


NOBODY: Final = Caller(address="", key=Key(status="missing"))
_read_caller: Final = msgspec.json.Decoder(Caller).decode


# ── What works ───────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Limits:
    """How often an address may ask without a key."""

    calls: Buckets
    unknown_serials: Buckets
    photo_matches: Buckets

    @classmethod
    def of(cls, rate: Rate | None) -> Limits:
        """With VERIFY_RATE; None switches all of them off."""
        if rate is None:
            return cls(Buckets(None), Buckets(None), Buckets(None))
        return cls(Buckets(rate), Buckets(UNKNOWN_SERIALS), Buckets(PHOTO_MATCHES))


@dataclass(frozen=True, slots=True)
class Verifier:
    """The parts that answer calls."""

    store: Store
    workers: Workers
    scans: Counter
    limits: Limits
    now_ms: Callable[[], int]
    monotonic: Callable[[], float]
    awaited: list[str] = field(default_factory=list)  # serials of the demonstration, not ready yet
    answers: Answers = field(default_factory=Answers)
    looking: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(LOOKS))
    comparing: collections.Counter[str] = field(default_factory=collections.Counter)  # by address


class Ask:
    """A request, as a handler sees it."""

    __slots__ = ("caller", "request", "verifier")

    def __init__(self, verifier: Verifier, request: Request, caller: Caller) -> None:
        self.verifier = verifier
        self.request = request
        self.caller = caller

    @property
    def mode(self) -> Mode:
        """The world that the key is of; only where one is required."""
        assert self.caller.key.mode is not None
        return self.caller.key.mode

    @property
    def now(self) -> int:
        """The time, ms."""
        return self.verifier.now_ms()

    @property
    def store(self) -> Store:
        """What the registry works with."""
        return self.verifier.store

    async def registry(self, work: Callable[..., T], *args: Any, **more: Any) -> T:
        """Do something that blocks: ``work(store, *args)``."""
        return await run_in_threadpool(work, self.verifier.store, *args, **more)

    async def look(self, work: Callable[..., T], *args: Any) -> T:
        """The same for what mostly computes: several at once only take turns."""
        return await anyio.to_thread.run_sync(
            work, self.verifier.store, *args, limiter=self.verifier.looking
        )

    async def kept(self, name: str, find: Callable[[], Awaitable[T]]) -> T:
        """What *find* finds, or has found under this name in the last two seconds."""
        return await self.verifier.answers.of(name, self.verifier.monotonic(), find)


@dataclass(frozen=True, slots=True)
class Raw:
    """An answer that is not JSON, or JSON that was written before."""

    content: bytes
    media_type: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


# ── The table ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Signature:
    """What a handler's annotations say, read once."""

    body: Any  # None: takes none
    query: Any
    answer: Any


@dataclass(frozen=True)
class Call:
    """One row of the table."""

    method: str
    path: str  # {name}: a text without a slash; {name:path}: the rest, escaped as it came
    handler: Handler
    scope: str | None  # of the key that is required; None: none is
    status: int = 200  # of a success
    refused: Callable[[Ask, Refusal], Raw] | None = None  # a page, where people ask and no program

    @cached_property
    def signature(self) -> Signature:
        """The contract of its handler."""
        hints = get_type_hints(self.handler)
        return Signature(hints.get("body"), hints.get("query"), hints.get("return"))

    @cached_property
    def kind(self) -> Kind:
        """How its body is sent."""
        body = self.signature.body
        if body is None:
            return "none"
        return "multipart" if "photo" in inspect.get_annotations(body) else "json"

    @property
    def writes(self) -> bool:
        """Whether an object may be another one afterwards."""
        return self.method != "GET" and (self.scope is not None or self.internal)

    @property
    def internal(self) -> bool:
        """Whether only the house's own processes may make it."""
        return self.path.startswith(INTERNAL)


class Table:
    """Finds the call of a method and a path."""

    def __init__(self, calls: Iterable[Call]) -> None:
        by_path: dict[str, dict[str, Call]] = {}
        for call in calls:
            by_path.setdefault(call.path, {})[call.method] = call
            assert call.kind in get_args(Kind), "its annotations can be read"
        self._paths = [(_pattern(path), methods) for path, methods in by_path.items()]

    def find(self, method: str, path: str) -> tuple[Call, dict[str, str]]:
        """The call, and what its path names.  *path* is as it was sent: a serial may hold a
        slash, written ``%2F``.  Raises ``Refusal``."""
        for pattern, methods in self._paths:
            if match := pattern.fullmatch(path):
                call = methods.get("GET" if method == "HEAD" else method)
                if call is None:
                    allowed = {*methods, *(["HEAD"] if "GET" in methods else [])}
                    headers = {"Allow": ", ".join(sorted(allowed))}
                    raise Refusal("METHOD_NOT_ALLOWED", headers=headers)
                named = {
                    name: text if f"{{{name}:path}}" in call.path else unquote(text)
                    for name, text in match.groupdict().items()
                }
                if any("\0" in text for text in named.values()):  # no database takes one
                    break
                return call, named
        raise Refusal("NOT_FOUND")

    def refusing(self, path: str) -> Callable[[Ask, Refusal], Raw] | None:
        """What says in a page that something of this path was refused; None: JSON says it."""
        for pattern, methods in self._paths:
            if pattern.fullmatch(path):
                return next(iter(methods.values())).refused
        if path.startswith(OF_PEOPLE):
            return next(
                (one.refused for _, calls in self._paths for one in calls.values() if one.refused),
                None,
            )
        return None


def _pattern(path: str) -> re.Pattern[str]:
    def named(found: re.Match[str]) -> str:
        return f"(?P<{found[1]}>{'.+' if found[2] else '[^/]+'})"

    return re.compile(re.sub(r"\\\{(\w+)(:path)?\\\}", named, re.escape(path)))


# ── The application ──────────────────────────────────────────────────────────────────────


class Application:
    """The table of calls as an ASGI application."""

    def __init__(self, verifier: Verifier, calls: Iterable[Call]) -> None:
        self.verifier = verifier
        self._table = Table(calls)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return  # there is no other protocol here, and no lifespan
        try:
            response = await self._answer(Request(scope, receive))
        except ClientDisconnect:
            return  # nobody is there to be answered
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        headers = {"X-Request-ID": secrets.token_hex(8)}
        try:
            return await self._serve(request, headers)
        except ClientDisconnect:
            raise
        except Exception as error:
            refusal = error if isinstance(error, Refusal) else meaning(error)
            if refusal is None:
                log.error("a call failed", path=_shown_path(request), exc_info=error)
                refusal = Refusal("INTERNAL")
            elif refusal.status == 503:
                # Of the house's own processes each asks again, and says so itself.
                own = request.url.path.startswith(INTERNAL)
                say = log.info if own else log.warning
                say("a call cannot be answered", path=_shown_path(request), why=str(error))
            return self._refused(request, refusal, {**headers, **refusal.headers})

    def _refused(self, request: Request, refusal: Refusal, headers: dict[str, str]) -> Response:
        page = self._table.refusing(request.scope["raw_path"].decode("latin-1"))
        if page is not None:
            return _respond(page(Ask(self.verifier, request, NOBODY), refusal), 200, headers)
        said = refusal.body(headers["X-Request-ID"], instant(self.verifier.now_ms()))
        return written(said, refusal.status, headers)

    async def _serve(self, request: Request, headers: dict[str, str]) -> Response:
        sent = request.headers.get(CALLER_HEADER)
        caller = NOBODY if sent is None else _read_caller(sent)
        path: str = request.scope["raw_path"].decode("latin-1")
        is_internal = path.startswith(INTERNAL)
        if is_internal and sent is not None:
            raise Refusal("NOT_FOUND")  # it has come through the public door
        headers.update(NO_LIMITS if is_internal else _rate(self.verifier, caller))
        call, arguments = self._table.find(request.method, path)
        _admit(call, caller)
        signature = call.signature
        if signature.query is not None:
            arguments["query"] = _query(request, signature.query)
        if call.kind == "json":
            raw = await _within(BODY_WITHIN_S, _read(request, LARGEST_BODY))
            arguments["body"] = bodies.read(raw, signature.body)
        elif call.kind == "multipart":
            arguments["body"] = await _form(request, signature.body)
        answer = await call.handler(Ask(self.verifier, request, caller), **arguments)
        if call.writes:
            self.verifier.answers.clear()
        return _respond(answer, call.status, headers)


def _shown_path(request: Request) -> str:
    # Without the query: a tag's message and the like are nobody's business.
    return request.url.path


def _respond(answer: Any, status: int, headers: dict[str, str]) -> Response:
    if isinstance(answer, Raw):
        named = {**headers, **answer.headers}
        return Response(answer.content, answer.status, named, media_type=answer.media_type)
    if answer is None:
        return Response(status_code=204 if status == 200 else status, headers=headers)
    return written(answer, status, headers)


def written(content: object, status: int, headers: dict[str, str]) -> Response:
    """JSON, with decimals written as exact numbers."""
    return Response(encoded(content), status, headers, media_type="application/json")


def encoded(content: object) -> bytes:
    """JSON, with decimals written as exact numbers."""
    return _encoder.encode(content)


# ── On the way in ────────────────────────────────────────────────────────────────────────


NO_LIMITS: Final = {
    "X-RateLimit-Limit": NO_LIMIT,
    "X-RateLimit-Remaining": NO_LIMIT,
    "X-RateLimit-Reset": "0",
    "X-RateLimit-Window": "1",
}


def _rate(verifier: Verifier, caller: Caller) -> dict[str, str]:
    """The headers of the caller's rate.  Raises ``Refusal`` 429, which carries them too."""
    if caller.has_key:
        return _rate_of_key(caller.rate)
    now = verifier.monotonic()
    bucket = verifier.limits.calls.of(caller.address, now)
    if bucket is None:
        return NO_LIMITS
    wait_ms = bucket.take(now)
    if wait_ms:
        raise _limited_by(verifier, bucket, wait_ms)
    return _headers_of(verifier, bucket)


def _headers_of(verifier: Verifier, bucket: Bucket) -> dict[str, str]:
    now = verifier.monotonic()
    return {
        "X-RateLimit-Limit": str(bucket.limit.burst),
        "X-RateLimit-Remaining": str(bucket.left(now)),
        "X-RateLimit-Reset": str(int(verifier.now_ms() / 1000 + bucket.full_in(now)) + 1),
        "X-RateLimit-Window": str(max(1, round(bucket.limit.burst / bucket.limit.per_second))),
    }


def _limited_by(verifier: Verifier, bucket: Bucket, wait_ms: int) -> Refusal:
    """With the figures of the bucket that was empty."""
    refusal = limited(wait_ms)
    refusal.headers.update(_headers_of(verifier, bucket))
    return refusal


def _rate_of_key(rate: Given | None) -> dict[str, str]:
    if rate is None:
        return NO_LIMITS
    headers = {
        "X-RateLimit-Limit": str(rate.limit),
        "X-RateLimit-Remaining": str(rate.remaining),
        "X-RateLimit-Reset": str(rate.reset),
        "X-RateLimit-Window": str(rate.window),
    }
    if rate.retry_after > 0:
        refusal = limited(int(rate.retry_after * 1000))
        refusal.headers.update(headers)
        raise refusal
    return headers


def count(verifier: Verifier, buckets: Buckets, address: str) -> None:
    """Count one against the address's bucket.  Raises ``Refusal`` 429 where it is empty."""
    now = verifier.monotonic()
    bucket = buckets.of(address, now)
    if bucket is not None and (wait_ms := bucket.take(now)):
        raise _limited_by(verifier, bucket, wait_ms)


def refuse_empty(verifier: Verifier, buckets: Buckets, address: str) -> None:
    """Raise ``Refusal`` 429 where the address's bucket is empty; nothing is counted."""
    now = verifier.monotonic()
    bucket: Bucket | None = buckets.of(address, now)
    if bucket is not None and bucket.left(now) < 1:
        raise _limited_by(verifier, bucket, int(1000 / bucket.limit.per_second))


_KEY_FAULTS: Final = {
    "missing": "MISSING_API_KEY",
    "invalid": "INVALID_API_KEY",
    "expired": "EXPIRED_API_KEY",
    "revoked": "REVOKED_API_KEY",
}


def _admit(call: Call, caller: Caller) -> None:
    if call.scope is None:
        return
    require_key(caller)
    if call.scope not in caller.key.scopes:
        raise Refusal("INSUFFICIENT_SCOPE", details={"required": call.scope})


def require_key(caller: Caller) -> None:
    """Raise ``Refusal`` 401 where no key came, or none that holds."""
    if not caller.has_key:
        raise Refusal(_KEY_FAULTS[caller.key.status])


def _query(request: Request, wanted: type[T]) -> T:
    given = request.query_params.multi_items()
    fields = dict(given)
    if len(fields) != len(given):
        raise bad_field("query", "a parameter comes twice")
    for name, text in fields.items():
        if text.lower() == "null":  # a text here, though it could be read as nothing
            raise bad_field(name, "null is no value")
    said = {name: text for name, text in fields.items() if text}  # "?q=" asks for nothing
    return bodies.take(said, wanted, strict=False)


async def _within(seconds: float, reading: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(seconds):
            return await reading
    except TimeoutError as error:
        raise Refusal("REQUEST_TIMEOUT") from error


async def _read(request: Request, most: int) -> bytes:
    return b"".join([chunk async for chunk in _chunks(request, most)])


async def _chunks(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > most:
        raise Refusal("PAYLOAD_TOO_LARGE", details={"most": most})
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise Refusal("PAYLOAD_TOO_LARGE", details={"most": most})
        yield chunk


# ── Forms ────────────────────────────────────────────────────────────────────────────────


class _InMemory(MultiPartParser):
    """Keeps a photograph out of temporary files: at rest it is sealed, or not there."""

    spool_max_size = LARGEST_FORM


async def _form(request: Request, wanted: type[T]) -> T:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise Refusal("UNSUPPORTED_MEDIA_TYPE", "multipart/form-data was expected")
    fields = await _within(FORM_WITHIN_S, _fields(request))
    if not fields.get("photo", b""):
        raise missing("photo")
    return bodies.take(fields, wanted)


async def _fields(request: Request) -> dict[str, str | bytes]:
    # How many come at once, the gateway's door bounds, by address: a place here would be held by
    # whoever sends slowly.  No two are in memory twice, since nothing is awaited at the end.
    stream = _chunks(request, LARGEST_FORM)
    parser = _InMemory(request.headers, stream, max_files=1, max_fields=4, max_part_size=1024)
    try:
        form = await parser.parse()
    except MultiPartException as fault:
        raise bad_field("body", fault.message) from fault
    fields: dict[str, str | bytes] = {}
    for name, value in form.multi_items():
        if name in fields:
            raise bad_field(name, "it comes twice")
        if isinstance(value, UploadFile) != (name == "photo"):
            raise bad_field(name, "the photograph, and nothing else, is sent as a file")
        fields[name] = await value.read() if isinstance(value, UploadFile) else value
    await form.close()
    return fields
