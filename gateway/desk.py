"""The desk: the house's own people, signed in on their browsers with a key.

Whoever shows a secret key or an operator key gets a cookie in its place: a signed word that
names the key, for eight hours, which no script can read.  It opens the pages that the key's
scopes open, as long as the key stands: a revoked one is out within two seconds.  A link of the
demonstration does the same with the key of keys.json.

Leaves to others: the pages themselves and what the scopes allow there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from gateway.api import calls
from gateway.api.access import READING_SCOPES, address_of
from gateway.books.apikeys import ApiKey
from gateway.browsers import is_own, set_cookie
from gateway.core.problems import Problem
from gateway.keys import BadToken, read_signed, sign

if TYPE_CHECKING:
    from gateway.app import Gateway

COOKIE: Final = "fairwarning_desk"
OBJECTS: Final = "/admin/objects"  # the verifier's, with a form of its own to sign in
_SIGN_IN: Final = OBJECTS + "/sign-in"
_SIGN_OUT: Final = OBJECTS + "/sign-out"
_WRONG: Final = OBJECTS + "?error=1"
# What opens which pages, the first that fits: any of the scopes.
_OPENS: Final = (
    (OBJECTS, ("provenance:read",)),
    ("/admin", READING_SCOPES["auctions:read"]),
    ("/console/ticket", ("console",)),
    ("/console", READING_SCOPES["auctions:read"]),  # who may not sell may watch
)
_TYPE: Final = "desk+jwt"
_LIVES_S: Final = 8 * 3_600  # a working day
LARGEST_FORM: Final = 4_096
_SAFE: Final = ("GET", "HEAD")


async def answer(gateway: Gateway, request: Request) -> Response | None:
    """Signing in and out at the verifier's pages; None: something else is asked."""
    if request.method != "POST":
        return None
    if request.url.path == _SIGN_IN:
        return await _sign_in(gateway, request)
    return _sign_out(gateway) if request.url.path == _SIGN_OUT else None


def key_of(gateway: Gateway, request: Request) -> ApiKey | None:
    """The key that the desk's cookie names, where it stands and opens the page that is asked
    for; for what changes something only where a page of ours asks."""
    key = signed_in_key(gateway, request)
    if key is None or not opens(key, request.url.path):
        return None
    gateway.keys_used[key.key_id] = gateway.clock.now()
    return key


def signed_in_key(gateway: Gateway, request: Request) -> ApiKey | None:
    """The key that this browser is signed in with, whatever it opens."""
    if not (request.method in _SAFE or is_own(gateway, request)):
        return None
    token = request.cookies.get(COOKIE)
    if token is None:
        return None
    now = gateway.clock.now()
    try:
        claims = read_signed(gateway.keys, _TYPE, token)
    except BadToken:
        return None
    return None if now >= claims["exp"] * 1000 else gateway.key_ring.named(claims["key_id"], now)


def opens(key: ApiKey, path: str) -> bool:
    """May the house's pages at this path be seen with the key?"""
    wanted = next((scopes for tree, scopes in _OPENS if _is_within(path, tree)), ())
    return any(key.may(scope) for scope in wanted)


def _is_within(path: str, tree: str) -> bool:
    return path == tree or path.startswith(tree + "/")


def first_page(key: ApiKey) -> str | None:
    """Where whoever holds the key goes first; None: it opens no page."""
    pages = ("/admin", "/console", OBJECTS)
    return next((page for page in pages if opens(key, page)), None)


def shown_key(gateway: Gateway, text: str) -> ApiKey | None:
    """The key of the house that somebody types in, if it is one that opens pages."""
    key = gateway.key_ring.find(text.strip(), gateway.clock.now())
    if key is None or key.kind not in ("secret", "operator") or first_page(key) is None:
        return None
    return key


def admit(gateway: Gateway, response: Response, key: ApiKey) -> None:
    """Let the browser that gets this response speak for the key, for a day's work."""
    now_s = gateway.clock.now() // 1000
    claims = {"key_id": key.key_id, "iat": now_s, "exp": now_s + _LIVES_S}
    set_cookie(gateway, response, COOKIE, sign(gateway.keys, _TYPE, claims), _LIVES_S)


def dismiss(gateway: Gateway, response: Response) -> None:
    """Take the desk's cookie from the browser that gets this response."""
    set_cookie(gateway, response, COOKIE, "", 0)


# ── At the verifier's pages ──────────────────────────────────────────────────────────────


async def _sign_in(gateway: Gateway, request: Request) -> Response:
    try:
        # Keys are too long to be guessed; this is for the machine's sake.
        calls.take(gateway, "http", f"http:{address_of(gateway, request)}")
    except Problem as problem:
        return PlainTextResponse("Too many attempts.", problem.status, problem.headers)
    form = await calls.body_of(request, LARGEST_FORM)
    fields = parse_qs(form.decode("utf-8", "replace"))
    key = shown_key(gateway, fields.get("key", [""])[0])
    if key is None or not opens(key, OBJECTS) or not is_own(gateway, request):
        return RedirectResponse(_WRONG, 303)
    response = RedirectResponse(OBJECTS, 303)
    admit(gateway, response, key)
    return response


def _sign_out(gateway: Gateway) -> Response:
    response = RedirectResponse(OBJECTS, 303)
    dismiss(gateway, response)
    return response
