"""Signing in and out: guests, codes by mail, an outside sign-in, refreshed tokens.

Who may have a session, and what its tokens are worth, the books say; here it gets the
contract's words.  Nothing that is answered to a wish for a code tells whether anybody is
known by the address, nor does the time that the answer takes: a known address and an unknown
one go the same way.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import structlog
from msgspec import UNSET
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from engine.core.messages import Mode
from gateway import mail
from gateway.api.access import address_of, bearer
from gateway.api.calls import Ask, Reply, take
from gateway.books import people, sessions, signing_in
from gateway.books.sessions import Pair
from gateway.books.signing_in import Refused, SignedIn
from gateway.books.store import BadField
from gateway.core.consumer import moment
from gateway.core.problems import Problem, bad_field
from gateway.core.wire.consumer import (
    CodeOffered,
    CodeRequest,
    CodeSent,
    ExchangeCode,
    ExchangeRequest,
    Jwks,
    OutsideSignIn,
    RefreshRequest,
    SessionOf,
    SessionOpened,
    Ticket,
)
from gateway.keys import jwks as public_keys
from gateway.line import Unreachable

if TYPE_CHECKING:
    from gateway.app import Gateway


# A mail server that hangs holds up whoever wants a code, and nobody who wants the books.
_post: Final = ThreadPoolExecutor(4, "post")

log = structlog.stdlib.get_logger()


# ── Getting a session ────────────────────────────────────────────────────────────────────


async def guest(ask: Ask) -> SessionOpened:
    """Begin a session of somebody of whom nothing is known."""
    gateway = ask.gateway
    signed_in = await ask.books(
        signing_in.as_guest, gateway.keys, gateway.vault, ask.caller.mode, ask.now
    )
    return _opened(signed_in.pair, None)


async def request_code(ask: Ask, body: CodeRequest) -> CodeSent | Reply:
    """Send a code by mail; answered alike for known and unknown addresses."""
    rate = await mail_code(ask.gateway, ask.request, ask.caller.mode, _address(body))
    return Reply(CodeSent(success=True), 202, rate)


async def mail_code(gateway: Gateway, request: Request, mode: Mode, email: str) -> dict[str, str]:
    """Send a code to this address; the headers of the rate.  Raises ``Problem`` 429."""
    of_network = take(gateway, "otp_address", f"otp_address:{address_of(gateway, request)}")
    index = people.email_index(gateway.vault, mode, email)
    of_mail = take(gateway, "otp_mail", f"otp_mail:{index}")
    code = await run_in_threadpool(
        signing_in.request_otp,
        gateway.books,
        gateway.keys,
        gateway.vault,
        mode,
        email,
        gateway.clock.now(),
    )
    await _send(gateway, mode, email, code)
    return _tighter(of_network, of_mail)


def _tighter(*rates: dict[str, str]) -> dict[str, str]:
    """The headers of the bucket that has the least left; none where no rate applies."""
    told = [rate for rate in rates if rate]
    return min(told, key=lambda rate: int(rate["X-RateLimit-Remaining"]), default={})


async def _send(gateway: Gateway, mode: Mode, email: str, code: str) -> None:
    """Mail the code; whether it went out is nobody's to know but the house's."""
    box = mail.postbox(gateway.settings, gateway.clock.now)
    loop = asyncio.get_running_loop()
    try:
        await loop.run_in_executor(_post, mail.send_otp, box, mode, email, code)
    except mail.NotSent as failure:
        log.warning("a code was not sent", reason=str(failure))


async def verify_code(ask: Ask, body: CodeOffered) -> SessionOpened:
    """Sign in with the code that came by mail."""
    email = _address(body)
    gateway = ask.gateway
    outcome = await ask.books(
        signing_in.verify_otp,
        gateway.keys,
        gateway.vault,
        ask.caller.mode,
        email,
        body.code,
        ask.now,
    )
    return _signed_in(outcome)


def _address(body: CodeRequest | CodeOffered) -> str:
    """The mail address meant.  Raises ``Problem``."""
    if (body.email is None) == (body.phone is None):
        raise bad_field("email", "an e-mail address, or else a phone number, was expected")
    if body.email is None:
        raise Problem("otp_channel_unavailable")
    try:
        return people.read_email(body.email)
    except BadField as bad:
        raise bad_field(bad.field, str(bad)) from bad


async def authorize(ask: Ask, body: OutsideSignIn) -> ExchangeCode:
    """Get a single-use code for somebody whom an outside sign-in has identified."""
    try:
        vouched = signing_in.read_vouched(body.provider, body.issuer, body.subject, body.claims)
    except BadField as bad:
        raise bad_field(bad.field, str(bad)) from bad
    vault, mode = ask.gateway.vault, ask.caller.mode
    code, expires_at = await ask.books(signing_in.authorize, vault, mode, vouched, ask.now)
    return ExchangeCode(exchange_code=code, expires_at=moment(expires_at))


async def exchange(ask: Ask, body: ExchangeRequest) -> SessionOpened:
    """Sign in with the code of an outside sign-in, once."""
    gateway = ask.gateway
    outcome = await ask.books(
        signing_in.exchange,
        gateway.keys,
        gateway.vault,
        ask.caller.mode,
        body.exchange_code,
        ask.now,
    )
    return _signed_in(outcome)


def _signed_in(outcome: SignedIn | Refused) -> SessionOpened:
    if isinstance(outcome, Refused):
        raise Problem(outcome.value)
    return _opened(outcome.pair, outcome.person.email)


def _opened(pair: Pair, email: str | None) -> SessionOpened:
    session = SessionOf(
        type=pair.session.type,
        consumer_id=pair.session.consumer_id,
        email=UNSET if email is None else email,
        expires_at=moment(pair.session.expires_at),
    )
    return SessionOpened(
        session=session, access_token=pair.access_token, refresh_token=pair.refresh_token
    )


# ── Keeping it, and ending it ────────────────────────────────────────────────────────────


async def refresh(ask: Ask, body: RefreshRequest) -> SessionOpened:
    """The next pair of tokens for the newest refresh token."""
    gateway, mode = ask.gateway, ask.caller.mode
    pair = await ask.books(sessions.refresh, gateway.keys, mode, body.refresh_token, ask.now)
    if pair is None:
        raise Problem("invalid_refresh_token")
    person = await ask.books(people.by_id, gateway.vault, pair.session.consumer_id)
    return _opened(pair, None if person is None else person.email)


async def logout(ask: Ask) -> None:
    """End the caller's session, and close its live connections."""
    session_id = ask.caller.session_id
    assert session_id is not None
    await ask.books(sessions.log_out, session_id, ask.now)
    ask.gateway.end_session(session_id)


async def ticket(ask: Ask) -> Ticket:
    """A single-use ticket that opens one live connection within 30 s."""
    # The access has taken this token a moment ago; here it says until when it holds.
    token = bearer(ask.request)
    assert token is not None, "the access demands one"
    identity = ask.gateway.identify(token)
    text, expires_at = await ask.books(sessions.issue_ticket, identity, ask.now)
    return Ticket(ticket=text, expires_at=moment(expires_at))


async def jwks(ask: Ask) -> Jwks | Reply:
    """The public keys that the house's tokens, and the verifier's documents, are checked with."""
    keys, fresh = public_keys(ask.gateway.keys)["keys"], "public, max-age=300"
    try:
        keys = [*keys, *await ask.gateway.objects.public_keys()]
    except Unreachable as failure:
        log.warning("the verifier's keys cannot be had", reason=str(failure))
        fresh = "no-cache"  # what is missing now may be there in a moment
    return Reply(Jwks(keys=keys), headers={"Cache-Control": fresh})
