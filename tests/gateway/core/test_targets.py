"""Where a webhook may go: to the public by https, and nowhere inside unless that is allowed."""

from __future__ import annotations

import pytest

from gateway.core.targets import BadTarget, Target, judge, read_url

INSIDE = [
    "127.0.0.1",
    "127.8.8.8",
    "10.0.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "::1",
    "fd12::1",
    "::ffff:127.0.0.1",
    "::ffff:10.1.2.3",
    "64:ff9b::7f00:1",
    "64:ff9b::c0a8:101",
    "::127.0.0.1",
]
NEVER = [
    "0.0.0.0",
    "::",
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "fe80::1",
    "fe80::1%eth0",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "ff02::1",
    "ff0e::1",
    "240.0.0.1",
    "255.255.255.255",
    "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
    "64:ff9b:1::7f00:1",
    "2001:db8::1",
    "not an address",
]
OUTSIDE = ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "64:ff9b::101:101"]


@pytest.mark.parametrize("address", INSIDE)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_inside_is_reached_only_where_that_is_allowed(address: str, scheme: str) -> None:
    """A private address in any of its forms needs the operator's word, and then takes http."""
    with pytest.raises(BadTarget):
        judge(address, scheme, allow_private=False)
    judge(address, scheme, allow_private=True)


@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("allow_private", [False, True])
def test_some_addresses_are_never_reached(address: str, allow_private: bool) -> None:
    """Link-local services, multicast, tunnels and the rest: also where private ones are allowed."""
    with pytest.raises(BadTarget):
        judge(address, "https", allow_private)


@pytest.mark.parametrize("address", OUTSIDE)
def test_outside_is_reached_by_https_alone(address: str) -> None:
    """What everybody may read on the way is not sent to the public."""
    judge(address, "https", allow_private=False)
    with pytest.raises(BadTarget):
        judge(address, "http", allow_private=True)


def test_a_url_is_taken_apart() -> None:
    """Scheme, host, port and what a request asks for."""
    assert read_url("https://Shop.example/hook?a=1", False) == Target(
        "https", "shop.example", 443, "/hook?a=1"
    )
    assert read_url("http://[::1]:8080", True) == Target("http", "::1", 8080, "/")
    assert read_url("http://shop.local/a", True) == Target("http", "shop.local", 80, "/a")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "shop.example/hook",
        "ftp://shop.example/",
        "http://shop.example/",
        "https://",
        "https:///hook",
        "https://me:secret@shop.example/",
        "https://shop.example/#part",
        "https://shop.example/#",
        "https://shop.example:0/",
        "https://shop.example:99999/",
        "https://shop.example/a b",
        "https://shop.example/\r\nHost:x",
        "https://shöp.example/",
        "https://shop_.example\\@evil.example/",
        "https://[::1/",
        "https://[fe80::1%25eth0]/",
        "https://127.0.0.1/",
        "https://[::ffff:10.0.0.1]/",
        "https://-shop.example/",
        "https://shop.example/" + "a" * 2_048,
    ],
)
def test_a_url_that_nobody_should_go_to_is_refused(url: str) -> None:
    """Said at once, where the URL itself gives it away."""
    with pytest.raises(BadTarget):
        read_url(url, allow_private=False)
