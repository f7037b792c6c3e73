"""The desk: signing in to the verifier's pages for the house (``/admin/objects``) with a key.

Whoever shows a secret key, or an operator key that may read provenance, gets a cookie in its
place: a signed word that names the key, for eight hours, which no script can read and no other
site can have sent along.  It opens what the key opens, as long as the key stands: a revoked one
is out within two seconds.

Leaves to others: the pages themselves and what the key's scopes allow there (the verifier).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from gateway.api import calls
from gateway.api.access import address_of
from gateway.books.apikeys import ApiKey
from gateway.core.problems import Problem
from gateway.keys import BadToken, read_signed, sign

if TYPE_CHECKING:
    from gateway.app import Gateway

COOKIE: Final = "fairwarning_desk"
PAGES: Final = "/admin/objects"
_SIGN_IN: Final = PAGES + "/sign-in"
_SIGN_OUT: Final = PAGES + "/sign-out"
_WRONG: Final = PAGES + "?error=1"
_SCOPE: Final = "provenance:read"
_OPENS: Final = ((PAGES, _SCOPE), ("/console", "console"))
_TYPE: Final = "desk+jwt"
_LIVES_S: Final = 8 * 3_600  # a working day
_LARGEST_FORM: Final = 4_096
_SAFE: Final = ("GET", "HEAD")


async def answer(gateway: Gateway, request: Request) -> Response | None:
    """Signing in and out; None: something else is asked, which is not answered here."""
    if request.method != "POST":
        return None
    if request.url.path == _SIGN_IN:
        return await _sign_in(gateway, request)
    return _sign_out(gateway) if request.url.path == _SIGN_OUT else None


def key_of(gateway: Gateway, request: Request) -> ApiKey | None:
    """The key that the desk's cookie names, where it is sent by the desk's pages and stands."""
    scope = next((scope for path, scope in _OPENS if request.url.path.startswith(path)), None)
    if scope is None:
        return None
    token = request.cookies.get(COOKIE)
    if token is None or not (request.method in _SAFE or _is_own(gateway, request)):
        return None
    now = gateway.clock.now()
    try:
        claims = read_signed(gateway.keys, _TYPE, token)
    except BadToken:
        return None
    if now >= claims["exp"] * 1000:
        return None
    key = gateway.key_ring.named(claims["key_id"], now)
    if key is None or not key.may(scope):
        return None
    gateway.keys_used[key.key_id] = now
    return key


async def _sign_in(gateway: Gateway, request: Request) -> Response:
    try:
        # Keys are too long to be guessed; this is for the machine's sake.
        calls.take(gateway, "http", f"http:{address_of(gateway, request)}")
    except Problem as problem:
        return PlainTextResponse("Too many attempts.", problem.status, problem.headers)
    key = await _shown_key(gateway, request)
    if key is None or not _is_own(gateway, request):
        return RedirectResponse(_WRONG, 303)
    now_s = gateway.clock.now() // 1000
    claims = {"key_id": key.key_id, "iat": now_s, "exp": now_s + _LIVES_S}
    response = RedirectResponse(PAGES, 303)
    _set_cookie(gateway, response, sign(gateway.keys, _TYPE, claims), _LIVES_S)
    return response


async def _shown_key(gateway: Gateway, request: Request) -> ApiKey | None:
    form = await calls.body_of(request, _LARGEST_FORM)
    fields = parse_qs(form.decode("utf-8", "replace"))
    text = fields.get("key", [""])[0].strip()
    key = gateway.key_ring.find(text, gateway.clock.now())
    if key is None or key.kind not in ("secret", "operator") or not key.may(_SCOPE):
        return None
    return key


def _sign_out(gateway: Gateway) -> Response:
    response = RedirectResponse(PAGES, 303)
    _set_cookie(gateway, response, "", 0)
    return response


def _set_cookie(gateway: Gateway, response: Response, token: str, lives_s: int) -> None:
    response.set_cookie(
        COOKIE,
        token,
        max_age=lives_s,
        path="/admin",
        httponly=True,
        samesite="strict",
        secure=gateway.settings.public_url.startswith("https:"),
    )


def _is_own(gateway: Gateway, request: Request) -> bool:
    """Was it sent by a page of ours?  SameSite alone would let other ports of a host pass."""
    origin = request.headers.get("origin")
    if origin is None or origin == gateway.settings.public_url:
        return True
    return origin.partition("://")[2] == request.headers.get("host")
