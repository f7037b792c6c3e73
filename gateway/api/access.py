"""Who asks: keys and tokens of a request → a ``Caller``, or a ``Problem``.

A publishable key says which house and mode a page belongs to; an access token says which
consumer it speaks for; a secret key, or an operator key with the scope, speaks for the house.
A caller has one mode, live or test, and sees only what is of that mode.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from starlette.requests import HTTPConnection, Request

from engine.core.messages import Mode
from gateway.core.problems import Problem
from gateway.core.session import Unauthorized

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.books.apikeys import ApiKey

Kind = Literal["anyone", "page", "consumer", "bidder", "house"]
READING_SCOPES: Final = {"auctions:read": ("auctions:read", "auctions:write", "console")}


@dataclass(frozen=True, slots=True)
class Access:
    """Who may make a call.

    ``anyone``: no key at all; ``page``: a publishable key, or one of the house's; ``consumer``
    and ``bidder``: an access token with it (without one: 401, and 400 for a bidder);
    ``house``: a secret key, or an operator key with *scope*.
    """

    kind: Kind
    scope: str = ""


ANYONE: Final = Access("anyone")
PAGE: Final = Access("page")
CONSUMER: Final = Access("consumer")
BIDDER: Final = Access("bidder")
READ: Final = Access("house", "auctions:read")
WRITE: Final = Access("house", "auctions:write")
KEYS: Final = Access("house", "keys:manage")
HOOKS: Final = Access("house", "webhooks:manage")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    mode: Mode
    consumer_id: str | None = None
    session_id: str | None = None
    key_id: str | None = None  # the house's key
    scopes: frozenset[str] = frozenset()  # of that key
    is_secret: bool = False  # the key is a secret one

    @property
    def is_house(self) -> bool:
        """Does a key of the house speak?"""
        return self.key_id is not None

    @property
    def reads_reserves(self) -> bool:
        """A secret key, or the scope ``console``."""
        return self.is_secret or "console" in self.scopes

    @property
    def name(self) -> str:
        """What the log and the books call them."""
        return self.key_id or self.consumer_id or "page"


def house_key(gateway: Gateway, request: Request) -> ApiKey | None:
    """The secret or operator key that came with the request, if any."""
    text = key_text(request)
    if text is None:
        return None
    now = gateway.clock.now()
    key = gateway.key_ring.find(text, now)
    if key is None or key.kind != ("operator" if "x-api-key" in request.headers else "secret"):
        return None
    gateway.keys_used[key.key_id] = now
    return key


def key_text(request: Request) -> str | None:
    """What came where a secret or an operator key is said, if anything."""
    operator = request.headers.get("x-api-key")
    if operator is not None:
        return operator or None
    text = bearer(request)
    # An access token is looked at later.
    return text if text is not None and text.startswith("sk_") else None


def identify(gateway: Gateway, access: Access, request: Request, key: ApiKey | None) -> Caller:
    """Who asks, where they may.  *key*: what ``house_key`` found.  Raises ``Problem``."""
    if access.kind == "anyone":
        return Caller("test")
    if access.kind == "house":
        return _house(access, key)
    if access.kind == "page" and key is not None:
        return caller_of(key)
    page = gateway.key_ring.find(request.headers.get("x-publishable-key", ""), gateway.clock.now())
    if page is None or page.kind != "publishable":
        raise Problem("unauthorized")
    if access.kind == "page":
        return Caller(page.mode)
    return _consumer(gateway, access, request, page.mode)


def _house(access: Access, key: ApiKey | None) -> Caller:
    if key is None:
        raise Problem("unauthorized")
    wanted = READING_SCOPES.get(access.scope, (access.scope,))
    if not any(key.may(scope) for scope in wanted):
        raise Problem("insufficient_scope", f"The scope {access.scope} is needed.")
    return caller_of(key)


def caller_of(key: ApiKey) -> Caller:
    """The house, as far as this key speaks for it."""
    is_secret = key.kind == "secret"
    return Caller(key.mode, key_id=key.key_id, scopes=frozenset(key.scopes), is_secret=is_secret)


def _consumer(gateway: Gateway, access: Access, request: Request, mode: Mode) -> Caller:
    if not request.headers.get("authorization", ""):
        raise Problem("consumer_required" if access.kind == "bidder" else "unauthorized")
    token = bearer(request)
    if token is None:
        raise Problem("unauthorized")
    try:
        identity = gateway.identify(token)
    except Unauthorized as error:
        raise Problem("unauthorized") from error
    if identity.mode != mode:
        raise Problem("unauthorized")
    return Caller(mode, identity.consumer_id, identity.session_id)


def bearer(request: Request) -> str | None:
    """The credentials of a bearer, if any."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" and credentials.strip() else None


def address_of(gateway: Gateway, client: HTTPConnection) -> str:
    """The client's address; behind trusted proxies, the last one that they did not add."""
    address = client.client.host if client.client is not None else ""
    trusted = gateway.settings.trusted_proxies
    if not trusted:
        return address
    # A proxy may add a line of its own: all lines are one list, in their order (RFC 9110, 5.3).
    lines = client.headers.getlist("x-forwarded-for")
    hops = [hop.strip() for hop in ",".join(lines).split(",")]
    while hops and hops[-1] and _is_within(address, trusted):
        address = hops.pop()
    return address


def comes_by_a_proxy(gateway: Gateway, client: HTTPConnection) -> bool:
    """Is it one of the trusted proxies that is connected here?"""
    peer = client.client.host if client.client is not None else ""
    return _is_within(peer, gateway.settings.trusted_proxies)


def _is_within(
    address: str, networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(ip in network for network in networks)
