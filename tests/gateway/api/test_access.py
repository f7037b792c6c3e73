"""Whose address a call comes from, behind whatever stands in between."""

from __future__ import annotations

from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import HTTPConnection

from gateway.api.access import address_of

PROXIES = ("10.0.0.0/8", "fd00::/8")


def seen_from(client: str, *lines: str, trusted: tuple[str, ...] = PROXIES) -> str:
    """The address of a call that came from *client* with these ``X-Forwarded-For`` lines."""
    headers = [(b"x-forwarded-for", line.encode()) for line in lines]
    scope = {"type": "websocket", "client": (client, 40_000), "headers": headers}
    settings = SimpleNamespace(trusted_proxies=tuple(map(ip_network, trusted)))
    gateway: Any = SimpleNamespace(settings=settings)
    return address_of(gateway, HTTPConnection(scope))


@pytest.mark.parametrize(
    ("client", "lines", "address"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.7"], "192.0.2.1"),  # not a proxy of ours: it may say anything
        ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.7, 10.0.0.2"], "198.51.100.7"),
        ("10.0.0.1", ["10.0.0.3"], "10.0.0.3"),
        ("10.0.0.1", [], "10.0.0.1"),
        # Each proxy may have written a line of its own.
        ("10.0.0.1", ["203.0.113.9", "198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["203.0.113.9", "198.51.100.7", "fd00::2, 10.0.0.2"], "198.51.100.7"),
    ],
)
def test_the_address_is_the_last_that_no_trusted_proxy_added(
    client: str, lines: list[str], address: str
) -> None:
    """What stands before it, on the same line or on one before, is the client's own word."""
    assert seen_from(client, *lines) == address


def test_without_proxies_nobody_is_believed() -> None:
    """The address of the line itself counts."""
    assert seen_from("10.0.0.1", "198.51.100.7", trusted=()) == "10.0.0.1"
