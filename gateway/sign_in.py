"""The pages where people sign in and out: by a mailed code, by a link, and with a key.

A bidder gives an address and then the code that was mailed to it; both are plain forms, and a
known address and an unknown one are answered alike.  Below, the house's own people show a key
(``gateway.desk``).  A link of the demonstration signs in whoever opens it: as one of its
bidders, as the auctioneer or as the clerk.

Whoever came from a page of ours goes back to it afterwards, and nobody is sent elsewhere.
Leaves to others: codes and sessions (the books), and what a browser's cookie is worth
(``gateway.browsers``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gateway import browsers, desk, pages
from gateway.api import calls
from gateway.api import sessions as codes
from gateway.api.access import address_of
from gateway.books import people, sessions, signing_in
from gateway.books.apikeys import ApiKey
from gateway.books.signing_in import Refused, SignedIn
from gateway.books.store import BadField
from gateway.core.problems import Problem
from gateway.keys import Demo, code_of
from gateway.languages import own_path

if TYPE_CHECKING:
    from gateway.app import Gateway

_MINUTE_S: Final = 60


def routes() -> list[Route]:
    """The way in, and out."""
    return [
        Route("/sign-in", ask_address, methods=["GET"]),
        Route("/sign-in", sign_in, methods=["POST"]),
        Route("/sign-in/house", show_key, methods=["POST"]),
        Route("/sign-in/{code}", by_link, methods=["GET"]),
        Route("/sign-out", sign_out, methods=["POST"]),
    ]


@dataclass(frozen=True, slots=True)
class Doorway:
    """What the page shows: who is in already, how far somebody has come, and what went wrong."""

    next: str  # where they go afterwards
    bidder: str | None = None  # who is signed in on this browser
    key: str | None = None  # the name of the key that it is signed in with
    address: str = ""  # as it was typed
    is_sent: bool = False  # a code has been sent to it
    wrong: str = ""  # what is said of the address or the code
    count: int = 0  # of tries that are left, or of minutes to wait
    wrong_key: str = ""

    def saying(self, wrong: str, count: int = 0) -> Doorway:
        """The same with what went wrong."""
        return replace(self, wrong=wrong, count=count)


async def ask_address(request: Request) -> Response:
    """The page as it is opened."""
    gateway: Gateway = request.app.state.gateway
    doorway = Doorway(own_path(request.query_params.get("next", "/")))
    bidder = await browsers.bidder_of(gateway, request)
    key = desk.signed_in_key(gateway, request)
    if bidder is not None:
        doorway = replace(doorway, bidder=bidder.name)
    if key is not None:
        doorway = replace(doorway, key=key.name)
    return _page(request, doorway)


def _page(request: Request, doorway: Doorway, status: int = 200) -> Response:
    return pages.render("sign_in.html", pages.Visit.of(request), status=status, doorway=doorway)


# ── By a mailed code ─────────────────────────────────────────────────────────────────────


async def sign_in(request: Request) -> Response:
    """An address, or with it the code that was mailed there."""
    gateway: Gateway = request.app.state.gateway
    form = await browsers.form_of(gateway, request)
    doorway = Doorway(own_path(form.get("next", "/")), address=form.get("email", "").strip())
    try:
        address = people.read_email(doorway.address)
    except BadField:
        return _page(request, doorway.saying("no-address"), 400)
    try:
        if "code" in form:
            return await _with_code(gateway, request, doorway, address, form["code"])
        await codes.mail_code(gateway, request, gateway.mode_of_pages, address)
    except Problem as problem:
        return _too_often(request, replace(doorway, is_sent="code" in form), problem)
    return _page(request, replace(doorway, is_sent=True))


def _too_often(request: Request, doorway: Doorway, problem: Problem) -> Response:
    minutes = -(-int(problem.more.get("retryAfter", 1)) // _MINUTE_S)
    page = _page(request, doorway.saying("too-often", minutes), problem.status)
    page.headers.update(problem.headers)
    return page


async def _with_code(
    gateway: Gateway, request: Request, doorway: Doorway, address: str, code: str
) -> Response:
    calls.take(gateway, "http", f"http:{address_of(gateway, request)}")
    outcome = await run_in_threadpool(
        signing_in.verify_otp,
        gateway.books,
        gateway.keys,
        gateway.vault,
        gateway.mode_of_pages,
        address,
        "".join(code.split()),
        gateway.clock.now(),
    )
    if isinstance(outcome, SignedIn):
        return _entered(gateway, outcome, doorway.next)
    doorway = replace(doorway, is_sent=True)
    if outcome is Refused.OTP_EXPIRED:
        return _page(request, doorway.saying("expired"), 400)
    left = await run_in_threadpool(
        signing_in.tries_left,
        gateway.books,
        gateway.vault,
        gateway.mode_of_pages,
        address,
        gateway.clock.now(),
    )
    return _page(request, doorway.saying("wrong" if left else "no-tries", left), 400)


def _entered(gateway: Gateway, signed_in: SignedIn, target: str) -> Response:
    response = RedirectResponse(target, 303)
    browsers.admit(gateway, response, signed_in.pair.session)
    return response


# ── With a key of the house ──────────────────────────────────────────────────────────────


async def show_key(request: Request) -> Response:
    """A key of the house, as somebody types it in."""
    gateway: Gateway = request.app.state.gateway
    form = await browsers.form_of(gateway, request)
    doorway = Doorway(own_path(form.get("next", "/")))
    try:
        # Keys are too long to be guessed; this is for the machine's sake.
        calls.take(gateway, "http", f"http:{address_of(gateway, request)}")
    except Problem as problem:
        return _page(request, replace(doorway, wrong_key="too-often"), problem.status)
    key = desk.shown_key(gateway, form.get("key", ""))
    if key is None:
        return _page(request, replace(doorway, wrong_key="unknown"), 400)
    return _at_the_desk(gateway, key, doorway.next)


def _at_the_desk(gateway: Gateway, key: ApiKey, target: str) -> Response:
    # Where the key opens nothing, its holder would be sent back here.
    opened = target if desk.opens(key, target.partition("?")[0]) else desk.first_page(key)
    response = RedirectResponse(opened or "/", 303)
    desk.admit(gateway, response, key)
    return response


# ── By a link of the demonstration ───────────────────────────────────────────────────────


async def by_link(request: Request) -> Response:
    """Signs in whoever opens it."""
    gateway: Gateway = request.app.state.gateway
    code, demo = request.path_params["code"], gateway.keys.demo
    if demo is not None:
        consumer_id, page = _bidder_of(demo, code), _house_page_of(demo, code)
        if consumer_id is not None:
            return await _as_bidder(gateway, request, consumer_id)
        key = gateway.key_ring.find(gateway.keys.operator_key, gateway.clock.now())
        if page is not None and key is not None:
            return _at_the_desk(gateway, key, own_path(request.query_params.get("next", page)))
    return pages.not_found_page(pages.Visit.of(request), "common.no-link")


def _bidder_of(demo: Demo, code: str) -> str | None:
    known = {code_of(bidder.url): bidder.consumer_id for bidder in demo.bidders}
    return known.get(code)


def _house_page_of(demo: Demo, code: str) -> str | None:
    return {code_of(demo.console_url): "/console", code_of(demo.admin_url): "/admin"}.get(code)


async def _as_bidder(gateway: Gateway, request: Request, consumer_id: str) -> Response:
    """A session of their own, so that signing out here ends no token of keys.json."""
    signed_in = await run_in_threadpool(_begun, gateway, consumer_id)
    if signed_in is None:  # who has been erased signs in no more
        return pages.not_found_page(pages.Visit.of(request), "common.no-link")
    return _entered(gateway, signed_in, own_path(request.query_params.get("next", "/")))


def _begun(gateway: Gateway, consumer_id: str) -> SignedIn | None:
    books, keys, now = gateway.books, gateway.keys, gateway.clock.now()
    signed_in = signing_in.as_known(books, keys, gateway.vault, consumer_id, now)
    if signed_in is None:
        # In the first moments of a house its clerk may not have written them down yet.
        sessions.seed_demonstration(books, keys, now)
        signed_in = signing_in.as_known(books, keys, gateway.vault, consumer_id, now)
    return signed_in


# ── And out ──────────────────────────────────────────────────────────────────────────────


async def sign_out(request: Request) -> Response:
    """Ends all that this browser is signed in as: who leaves a machine leaves it to anybody."""
    gateway: Gateway = request.app.state.gateway
    await browsers.form_of(gateway, request)
    response = RedirectResponse("/", 303)
    await browsers.dismiss(gateway, request, response)
    desk.dismiss(gateway, response)
    return response
