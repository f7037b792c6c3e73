"""The door to the verifier: what of the public port is its own, and who asks.

The verifier listens on a Unix socket that only this user can open, and believes what it is
told there.  Each request is carried to it as it came, the path to the letter, and its answer
back; what belongs to one connection alone stays behind, and so do keys, tokens and cookies:
who asks is said in one header instead, ``x-fairwarning-caller``, and whoever sends such a
header from outside has it taken away.  ``/internal/…`` is none of the paths.

All answers are the verifier's, errors too, but for those that it cannot give: while it does
not answer, and for bodies that nobody would wait for.  A page then says in words that nothing
was checked, so that nobody takes a failure for a good sign.

Leaves to others: whether the caller may do it, and how often an address may ask (the verifier),
the socket (``gateway.line``), and the desk's cookie (``gateway.desk``).
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import structlog
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import URLPath
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from gateway import desk, pages
from gateway.api import calls
from gateway.api.access import address_of, comes_by_a_proxy, house_key, key_text
from gateway.books import apikeys
from gateway.books.apikeys import ApiKey
from gateway.books.store import BooksError
from gateway.core.consumer import instant
from gateway.core.problems import Problem, for_verifiers
from gateway.languages import chosen_language
from gateway.line import Answer, Unreachable

if TYPE_CHECKING:
    from gateway.app import Gateway

CALLER: Final = b"x-fairwarning-caller"
LARGEST_BODY: Final = 26 * 1024 * 1024  # a photograph of 25 MB in a form
BODY_WITHIN_S: Final = 60.0  # 25 MB over the upstream of a saleroom
_AT_ONCE: Final = 64 * 1024  # bytes of a body that is taken in before the verifier hears of it
_UPLOADS: Final = 8  # bodies that may come slowly, at once; so many for keys, and for anybody
_UPLOADS_OF_ONE: Final = 2  # without a key, from one address
_PLACE_WITHIN_S: Final = 10.0

_TREES: Final = (
    "/verify/",
    "/api/v1/auction/",
    "/01/",
    "/8004/",
    "/log/",
    "/admin/objects/",
)
_PATHS: Final = frozenset(
    {
        "/verify",
        "/admin/objects",
        "/.well-known/gs1resolver",
        "/.well-known/tlog-vkeys",
        "/.well-known/did.json",
    }
)
# RFC 9110, 7.6.1: of one connection.
_OF_CONNECTION: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_LEFT_BEHIND: Final = _OF_CONNECTION | {
    CALLER,
    b"host",  # a name that anybody can make up: the verifier has PUBLIC_URL
    b"expect",  # answered here
    b"content-length",  # said anew
    b"forwarded",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-proto",
    b"x-real-ip",
    # Whoever they speak for, the caller says; the verifier needs no secret.
    b"authorization",
    b"cookie",
    b"x-api-key",
    b"x-publishable-key",
}
_NOT_PASSED_BACK: Final = _OF_CONNECTION | {b"date", b"server"}  # ours are written behind it
_PREFERRED: Final = b"accept-language"
_BODILESS: Final = (204, 304)
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_NO_COUNTRY: Final = "XX"  # what the proxy writes where it does not know
_AGAIN_S: Final = "2"

Status = Literal["missing", "invalid", "expired", "revoked", "valid"]

_log: Final = structlog.stdlib.get_logger()


def is_verifiers(path: str) -> bool:
    """Does the verifier answer this path?"""
    return path.startswith(_TREES) or path in _PATHS


class Door(BaseRoute):
    """The route of everything that the verifier answers."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._uploads = {True: asyncio.Semaphore(_UPLOADS), False: asyncio.Semaphore(_UPLOADS)}
        self._sending: Counter[str | None] = Counter()  # by address; None: those with a key

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is the verifier's, by whatever method."""
        ours = scope["type"] == "http" and is_verifiers(scope["path"])
        return (Match.FULL if ours else Match.NONE), {}

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """None of its paths has a name here."""
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        response = await self._respond(request)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        gateway = self._gateway
        try:
            if (answered := await desk.answer(gateway, request)) is not None:
                return answered
            return _passed_back(await self._carry(request), request.method)
        except Unreachable as failure:
            _log.warning("the verifier does not answer", reason=str(failure))
            problem = Problem("unavailable", headers={"Retry-After": _AGAIN_S})
        except Problem as found:
            problem = found
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        return _refused(gateway, request, problem)

    async def _carry(self, request: Request) -> Answer:
        status, key = await who(self._gateway, request)
        headers = [(CALLER, caller(self._gateway, request, status, key))]
        headers += _passed_on(request)
        method, target = request.method.encode(), _target(request)
        length = _length_said(request)
        if length == 0:
            return await self._gateway.line.ask(method, target, headers)
        parts = _parts(request)
        if length is not None and length <= _AT_ONCE:
            whole = b"".join([part async for part in parts])
            headers.append((b"content-length", b"%d" % len(whole)))
            return await self._gateway.line.ask(method, target, headers, whole)
        if length is None:
            headers.append((b"transfer-encoding", b"chunked"))
        else:
            headers.append((b"content-length", b"%d" % length))
        sender = None if key is not None else address_of(self._gateway, request)
        async with self._upload(sender):
            return await self._gateway.line.ask(method, target, headers, parts)

    @asynccontextmanager
    async def _upload(self, sender: str | None) -> AsyncIterator[None]:
        """A place to carry a body on as it comes; *sender*: the address of one without a key.

        Slow ones hold a place of the line each, and as much of the verifier's memory as they
        have sent: no address gets so many that none is left for another, and those without a
        key get none of those with one.  Raises ``Problem``.
        """
        if sender is not None and self._sending[sender] >= _UPLOADS_OF_ONE:
            raise Problem("unavailable", headers={"Retry-After": _AGAIN_S})
        places = self._uploads[sender is None]
        self._sending[sender] += 1
        try:
            try:
                async with asyncio.timeout(_PLACE_WITHIN_S):
                    await places.acquire()
            except TimeoutError as busy:
                raise Problem("unavailable", headers={"Retry-After": _AGAIN_S}) from busy
            try:
                yield
            finally:
                places.release()
        finally:
            self._sending[sender] -= 1
            if not self._sending[sender]:
                del self._sending[sender]


# ── Who asks ─────────────────────────────────────────────────────────────────────────────


async def who(gateway: Gateway, request: Request) -> tuple[Status, ApiKey | None]:
    """The key that came with a request, and how it stands; at the desk also the cookie's."""
    text = key_text(request)
    if text is None:
        key = desk.key_of(gateway, request)
        return ("missing", None) if key is None else ("valid", key)
    if (key := house_key(gateway, request)) is not None:
        return "valid", key
    # The books are asked only here, and for nobody as often as they like.
    counted = calls.count(gateway, "http", f"http:{address_of(gateway, request)}")
    if counted is not None and counted.wait_ms:
        return "invalid", None
    try:
        ended = await run_in_threadpool(apikeys.ended, gateway.books, text, gateway.clock.now())
    except BooksError as failure:
        _log.warning("a key cannot be looked up", reason=str(failure))
        return "invalid", None
    return ended or "invalid", None


def caller(gateway: Gateway, request: Request, status: Status, key: ApiKey | None) -> bytes:
    """What the verifier is told of who asks.  A key's request is counted here."""
    known: dict[str, Any] = {"status": status, "id": None, "mode": None, "scopes": ()}
    rate = None
    if key is not None:
        known |= {"id": key.key_id, "mode": key.mode, "scopes": key.scopes}
        counted = calls.count(gateway, "key", f"key:{key.key_id}")
        rate = None if counted is None else counted.said()
    said = {
        "address": address_of(gateway, request),
        "host": _host(gateway, request),
        "country": _country(gateway, request),
        "key": known,
        "rate": rate,
    }
    return msgspec.json.encode(said)


def _host(gateway: Gateway, request: Request) -> str | None:
    """The name that the house was asked under: of use to tell visitors, and for nothing else."""
    host = request.headers.get("host")
    if not comes_by_a_proxy(gateway, request):
        return host
    return request.headers.get("x-forwarded-host", host)  # the proxy may ask by one of its own


def _country(gateway: Gateway, request: Request) -> str | None:
    """Where the caller is, if a proxy that is trusted says so."""
    said = request.headers.get("cf-ipcountry", "")
    if said == _NO_COUNTRY or not _COUNTRY.fullmatch(said):
        return None
    return said if comes_by_a_proxy(gateway, request) else None


# ── In and out ───────────────────────────────────────────────────────────────────────────


def _target(request: Request) -> bytes:
    """Path and query to the letter: how they are escaped is part of what was asked."""
    raw: bytes = request.scope["raw_path"]
    query: bytes = request.scope["query_string"]
    return raw + b"?" + query if query else raw


def _passed_on(request: Request) -> list[tuple[bytes, bytes]]:
    headers: list[tuple[bytes, bytes]] = request.scope["headers"]
    left = _LEFT_BEHIND
    for name, value in headers:
        if name == b"connection":  # and whatever else it says is the connection's
            left = left | {word.strip().lower() for word in value.split(b",")}
    chosen = chosen_language(request)
    if chosen is None:
        return [header for header in headers if header[0] not in left]
    # The reader's own choice is in a cookie, which stays behind: it goes for what is preferred.
    passed = [header for header in headers if header[0] not in (*left, _PREFERRED)]
    return [*passed, (_PREFERRED, chosen.encode())]


def _length_said(request: Request) -> int | None:
    """How long the body is; None where that is seen only at its end."""
    if "transfer-encoding" in request.headers:
        return None
    length = int(request.headers.get("content-length", "0"))  # the parser takes only digits
    if length > LARGEST_BODY:
        raise Problem("too_large")
    return length


async def _parts(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes.  Raises ``Problem`` where it is too large, or comes too slowly."""
    deadline = asyncio.get_running_loop().time() + BODY_WITHIN_S
    size, stream = 0, request.stream()
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                part = await anext(stream, None)
        except TimeoutError as error:
            raise Problem("too_slow") from error
        if part is None:
            return
        size += len(part)
        if size > LARGEST_BODY:
            raise Problem("too_large")
        if part:  # an empty one would end a body in parts
            yield part


def _passed_back(answer: Answer, method: str) -> Response:
    response = Response(answer.body, answer.status)
    kept = [header for header in answer.headers if header[0] not in _NOT_PASSED_BACK]
    if method != "HEAD" and answer.status not in _BODILESS:
        # The whole is here, in however many parts it came.
        kept = [header for header in kept if header[0] != b"content-length"]
        kept.append((b"content-length", b"%d" % len(answer.body)))
    response.raw_headers = kept
    return response


def _refused(gateway: Gateway, request: Request, problem: Problem) -> Response:
    """What the verifier cannot say: a page for people, else its own form of an error."""
    headers = {**calls.new_headers(gateway), "X-RateLimit-Window": "1", **problem.headers}
    is_api = request.url.path.startswith("/api/")
    if not is_api and "text/html" in request.headers.get("accept", ""):
        return pages.cannot_check_page(pages.Visit.of(request), problem.status, headers)
    said_at = instant(gateway.clock.now()) or ""
    body = for_verifiers(problem, headers["X-Request-ID"], said_at)
    return calls.written(body, problem.status, {**headers, "Cache-Control": "no-store"})
