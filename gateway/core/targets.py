"""Where a webhook may go: judged by the address that is really connected to.

A house's server stands inside a network that trusts it.  Whoever may name a URL could have
it speak to that network, so a name counts for nothing here: whatever it resolves to is judged,
at every attempt.  Public addresses are reached by https alone; where the operator allows
private ones (WEBHOOK_ALLOW_PRIVATE), those of loopback and of private networks are reached by
http too.  Everything else, the cloud's own link-local services above all, is never reached.

Leaves to others: resolving a name, and connecting to exactly the address that was judged.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final, NamedTuple
from urllib.parse import urlsplit

LONGEST_URL: Final = 2_048

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# RFC 1122, RFC 1918, RFC 4193: what an operator means by "private".
_PRIVATE: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
        *("::1/128", "fc00::/7"),
    )
)
# Prefixes whose last 32 bits are an IPv4 address that a translator goes on to: the old
# compatible form, RFC 4291 mapped, RFC 6052.
_CARRIES_IPV4: Final = tuple(
    ipaddress.IPv6Network(network) for network in ("::/96", "::ffff:0:0/96", "64:ff9b::/96")
)
# RFC 8215, Teredo, 6to4: they lead to addresses that cannot be judged from here.
_TUNNELS: Final = tuple(
    ipaddress.IPv6Network(network) for network in ("64:ff9b:1::/48", "2001::/32", "2002::/16")
)
# A name or an IPv4 address; non-ASCII names come in their xn-- form.
_HOST: Final = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?")


class BadTarget(Exception):
    """The webhook may not go there; one line says why, fit for whoever named it."""


class Target(NamedTuple):
    """A webhook's URL, taken apart."""

    scheme: str
    host: str  # a name or an address, an IPv6 one without its brackets
    port: int
    path: str  # with the query, as it is written in a request


def read_url(url: str, allow_private: bool) -> Target:
    """The URL of a webhook, taken apart; raises ``BadTarget``.

    What it resolves to is another question, asked at every attempt (``judge``).
    """
    if len(url) > LONGEST_URL or not re.fullmatch(r"[!-~]+", url) or "\\" in url:
        raise BadTarget(f"a URL of at most {LONGEST_URL} visible ASCII characters was expected")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as failure:
        raise BadTarget("this is no URL") from failure
    if parts.scheme not in ("https", "http"):
        raise BadTarget("an https:// URL was expected")
    if parts.scheme == "http" and not allow_private:
        raise BadTarget("only https:// is taken")
    if "@" in parts.netloc or "#" in url or not parts.hostname or port == 0:
        raise BadTarget("a URL with a host, without an account and without a fragment")
    host = _host(parts.hostname, parts.scheme, allow_private)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path)


def _host(host: str, scheme: str, allow_private: bool) -> str:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if not _HOST.fullmatch(host):
            raise BadTarget("the host is neither a name nor an address") from None
        return host
    judge(host, scheme, allow_private)
    return host


def judge(address: str, scheme: str, allow_private: bool) -> None:
    """May a webhook be sent to this address by this scheme?  Raises ``BadTarget`` if not."""
    try:
        found = _reached(ipaddress.ip_address(address))
    except ValueError as failure:
        raise BadTarget("the host has no address that is understood") from failure
    if any(found in network for network in _PRIVATE if network.version == found.version):
        if not allow_private:
            raise BadTarget("the host has a private address")
        return
    if not _is_public(found):
        raise BadTarget("the host has an address that is not public")
    if scheme != "https":
        raise BadTarget("only https:// is taken to a public address")


def _reached(address: _Address) -> _Address:
    """The address that is spoken to: behind a translator, the one that it goes on to."""
    if isinstance(address, ipaddress.IPv4Address) or address == ipaddress.IPv6Address("::1"):
        return address
    if any(address in network for network in _CARRIES_IPV4):
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _is_public(address: _Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and any(address in net for net in _TUNNELS):
        return False
    # A multicast address counts as global in ``ipaddress``.
    return address.is_global and not address.is_multicast and not address.is_reserved
