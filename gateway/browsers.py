"""Who a browser is: the session that its cookie names, and whether a form came from our pages.

Whoever signs in on our pages, by a mailed code or by a link of the demonstration, gets a
session in the books like any other, and in place of its tokens a cookie that names it: signed,
for thirty days, which no script can read.  A page that needs a token for its live connection is
handed one of an hour when it is written, and another when it asks (``POST /session/ticket``).

Promises: a cookie speaks only for a session that stands; a session that has ended, here or
elsewhere, is out within two seconds.  Nothing that changes anything is done for a request of
another site.  Leaves to others: how somebody signs in (``gateway.sign_in``), and the house's
own people (``gateway.desk``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, quote

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gateway.api import calls
from gateway.api.access import address_of
from gateway.books import people, sessions
from gateway.books.people import Person
from gateway.books.sessions import Session
from gateway.books.store import BooksError, reading
from gateway.core.problems import Problem, for_consumers
from gateway.keys import BadToken, Identity, mint_access_token, read_signed, sign

if TYPE_CHECKING:
    from gateway.app import Gateway

COOKIE: Final = "fairwarning_session"
LARGEST_FORM: Final = 8_192
LIVES_S: Final = 30 * 24 * 3_600
_TYPE: Final = "browser+jwt"
_SECURE: Final = "https:"
_NO_STORE: Final = {"Cache-Control": "no-store"}

log = structlog.stdlib.get_logger()


@dataclass(frozen=True, slots=True)
class Bidder:
    """Who is signed in on a page."""

    consumer_id: str
    session_id: str
    name: str  # what the house calls them; empty where the books cannot be read now
    email: str | None = field(repr=False)
    token: str = field(repr=False)  # an access token of an hour, for the live connection


def routes() -> list[Route]:
    """What the pages' own scripts ask."""
    return [Route("/session/ticket", ticket, methods=["POST"])]


async def bidder_of(gateway: Gateway, request: Request) -> Bidder | None:
    """The bidder who is signed in on this browser; None: nobody, or nobody any more."""
    claims = _claims(gateway, request.cookies.get(COOKIE))
    if claims is None or claims["sid"] in gateway.revoked:
        return None
    try:
        found = await run_in_threadpool(_look_up, gateway, claims["sid"])
    except BooksError as failure:
        # What the cookie says is signed: who bids goes on bidding while the books are shut.
        log.warning("a session cannot be looked up", reason=str(failure))
        return _bidder(gateway, claims["sid"], claims["consumer"], None)
    if found is None:
        return None
    session, person = found
    return _bidder(gateway, session.session_id, session.consumer_id, person)


def _claims(gateway: Gateway, cookie: str | None) -> dict[str, Any] | None:
    if not cookie:
        return None
    try:
        claims = read_signed(gateway.keys, _TYPE, cookie)
    except BadToken:
        return None
    ours = claims["mode"] == gateway.mode_of_pages
    return claims if ours and gateway.clock.now() < claims["exp"] * 1000 else None


def _look_up(gateway: Gateway, session_id: str) -> tuple[Session, Person] | None:
    with reading(gateway.books) as connection:
        session = sessions.standing(connection, session_id, gateway.clock.now())
        if session is None:
            return None
        person = people.get(connection, gateway.vault, session.consumer_id)
        return None if person is None or person.erased_at is not None else (session, person)


def _bidder(gateway: Gateway, session_id: str, whose: str, person: Person | None) -> Bidder:
    token = mint_access_token(
        gateway.keys,
        whose,
        sessions.ACCESS_S,
        gateway.clock.now(),
        session_id=session_id,
        mode=gateway.mode_of_pages,
    )
    if person is None:
        return Bidder(whose, session_id, "", None, token)
    return Bidder(whose, session_id, person.name, person.email, token)


# ── Coming and going ─────────────────────────────────────────────────────────────────────


def admit(gateway: Gateway, response: Response, session: Session) -> None:
    """Let the browser that gets this response speak for the session from now on."""
    issued = gateway.clock.now() // 1000
    claims = {
        "sid": session.session_id,
        "consumer": session.consumer_id,
        "mode": session.mode,
        "iat": issued,
        "exp": session.expires_at // 1000,
    }
    set_cookie(gateway, response, COOKIE, sign(gateway.keys, _TYPE, claims), LIVES_S)


async def dismiss(gateway: Gateway, request: Request, response: Response) -> None:
    """End the session that the browser speaks for, with its connections, and take its cookie."""
    claims = _claims(gateway, request.cookies.get(COOKIE))
    if claims is not None:
        now = gateway.clock.now()
        await run_in_threadpool(sessions.log_out, gateway.books, claims["sid"], now)
        gateway.end_session(claims["sid"])
    set_cookie(gateway, response, COOKIE, "", 0)


def set_cookie(gateway: Gateway, response: Response, name: str, value: str, lives_s: int) -> None:
    """A cookie that no script reads, and that no other site's forms carry."""
    response.set_cookie(
        name,
        value,
        max_age=lives_s,
        path="/",
        httponly=True,
        # Lax: whoever comes by a link, as out of a mail, is still signed in.
        samesite="lax",
        secure=gateway.settings.public_url.startswith(_SECURE),
    )


def is_own(gateway: Gateway, request: Request) -> bool:
    """Was it sent by a page of ours?  SameSite alone would let other ports of a host pass."""
    origin = request.headers.get("origin")
    if origin is None or origin == gateway.settings.public_url:
        return True
    return origin.partition("://")[2] == request.headers.get("host")


async def form_of(gateway: Gateway, request: Request) -> dict[str, str]:
    """The fields of a form that a page of ours has sent.  Raises ``HTTPException`` 403 for any
    other, and 413 beyond what our forms hold."""
    if not is_own(gateway, request):
        raise HTTPException(403, "This was not sent by a page of this house.")
    try:
        body = await calls.body_of(request, LARGEST_FORM)
    except Problem as problem:
        raise HTTPException(problem.status, "The form is too large, or came too slowly.") from (
            problem
        )
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}


def to_sign_in(request: Request, target: str | None = None) -> Response:
    """Where a page sends who is not signed in; they come back afterwards, to the page that was
    asked for or to *target*."""
    query = request.url.query
    here = target or (f"{request.url.path}?{query}" if query else request.url.path)
    return RedirectResponse(f"/sign-in?next={quote(here, safe='/')}", 303)


# ── What a page's script asks ────────────────────────────────────────────────────────────


async def ticket(request: Request) -> Response:
    """``POST /session/ticket``: a fresh access token, and a ticket that opens one connection.

    ``{token, ticket, expiresAt}``, the last in milliseconds, of the token; 401 where nobody is
    signed in any more.  A page asks when the token that it was written with is about to end.
    """
    gateway: Gateway = request.app.state.gateway
    headers = {**calls.new_headers(gateway), **_NO_STORE}
    try:
        headers.update(calls.take(gateway, "http", f"http:{address_of(gateway, request)}"))
        return calls.written(await _ticket(gateway, request), 200, headers)
    except Problem as problem:
        headers.update(problem.headers)
        return calls.written(for_consumers(problem), problem.status, headers)


async def _ticket(gateway: Gateway, request: Request) -> dict[str, Any]:
    bidder = await bidder_of(gateway, request) if is_own(gateway, request) else None
    if bidder is None:
        raise Problem("unauthorized")
    identity: Identity = gateway.identify(bidder.token)
    try:
        text, _ = await run_in_threadpool(
            sessions.issue_ticket, gateway.books, identity, gateway.clock.now()
        )
    except BooksError as failure:
        log.warning("no ticket can be given out", reason=str(failure))
        raise Problem("unavailable", headers={"Retry-After": "1"}) from failure
    return {"token": bidder.token, "ticket": text, "expiresAt": identity.expires_at}
