"""What no client should send: frames that are no requests, and bytes that are no frames."""

from __future__ import annotations

import asyncio
import json
import time
from inspect import signature
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from engine.core.messages import Command, PlaceBid
from gateway.api.routes import CONSUMER_API
from tests.integration.live import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Live,
    RawSocket,
    close_frame,
    connected,
    following,
    framed,
    signed_in,
)
from tests.integration.open_house import House

# No limit on messages: what is sent here is counted as invalid and not as too much.
SETTINGS = {"MESSAGE_RATE": "0", "BID_RATE": "0", "HTTP_RATE": "0", "PRICE_MERGE_MS": "0"}
PING_T = b'{"type":"ping","t":7}'


async def still_there(live: Live) -> None:
    """The connection answers; and what was invalid is no longer in a row."""
    await live.send(type="ping", t=1)
    assert (await live.next())["type"] == "pong"


def bids_that_are_none(auction_id: str) -> dict[str, str]:
    """Bids with one thing wrong, as they go over the wire."""

    def bid(**changed: Any) -> str:
        plain = {"type": "bid", "cmdId": "c1", "auctionId": auction_id, "amount": 10_000}
        return json.dumps({k: v for k, v in {**plain, **changed}.items() if v is not ...})

    amounts = ("1.0", "1e3", "10000.0", "0", "-1", "9007199254740992", '"10000"', "null", "true")
    numbers = ("NaN", "Infinity", "1e400", "[]", "{}", "0x10", "01", "+1", "10_000", "1" * 400)
    found = {f"amount {a}": bid().replace("10000", a) for a in (*amounts, *numbers)}
    ids = ("", "x" * 65, "with space", "tab\t", "nul\0", "ümlaut", "\u200b", "line\n", "\x7f")
    found |= {f"cmdId {cmd_id!r}": bid(cmdId=cmd_id) for cmd_id in ids}
    found |= {f"cmdId {cmd_id!r}": bid(cmdId=cmd_id) for cmd_id in (None, 7, ["c1"])}
    found |= {f"kind {kind!r}": bid(kind=kind) for kind in ("", "MAX", "exact", None, 1)}
    found |= {f"seen {seen!r}": bid(seen=seen) for seen in (-1, 1.5, "1", True, 2**60)}
    found |= {f"without {name}": bid(**{name: ...}) for name in ("cmdId", "auctionId", "amount")}
    found["unknown field"] = bid(price=1)
    found["case"] = bid(cmdid="x")
    text = bid()
    for key, value in (("amount", 9), ("cmdId", '"c2"'), ("type", '"ping"'), ("kind", '"bid"')):
        found[f"repeated {key}"] = text[:-1] + f', "kind": "max", "{key}": {value}}}'
    found["repeated by escape"] = text[:-1] + ', "\\u0061mount": 5}'
    return found


def frames_that_are_none(auction_id: str) -> dict[str, str]:
    """Other frames that are no requests."""
    here = json.dumps(auction_id)
    texts = (
        *("", " ", "{", "}", "null", "[]", "1", '"hello"', "{}", "[{}]", '{"type":1}', "\ufeff{}"),
        *('{"type":"bid"}', '{"type":"sell"}', '{"type":"Ping","t":1}', '{"t":1}'),
        *('{"type":"ping"}', '{"type":"ping","t":1.5}', '{"type":"ping","t":"1"}'),
        *('{"type":"ping","t":9007199254740993}', '{"type":"ping","t":null}'),
        *('{"type":"ping","t":1,"t":2}', '{"type":"ping","t":1,"x":2}', '{"type":"ping","t":1}x'),
        *('{"type":"subscribe"}', '{"type":"subscribe","auctionId":7}'),
        f'{{"type":"subscribe","auctionId":{here},"seq":-1,"lineage":"x"}}',
        f'{{"type":"subscribe","auctionId":{here},"seq":1.0,"lineage":"x"}}',
        f'{{"type":"subscribe","auctionId":{here},"lineage":7}}',
        f'{{"type":"subscribe","auctionId":{here},"extra":7}}',
        *('{"type":"unsubscribe"}', '{"type":"ping","t":1,"a":"\\ud800"}'),
        "[" * 4_000,
        '{"a":' * 800,
        '{"type":"ping","t":1,"a":' + "[" * 1_500 + "]" * 1_500 + "}",
    )
    return {text[:60]: text for text in texts}


async def test_what_is_no_request_is_invalid(house: House) -> None:
    """Each is answered by ``invalid`` and has no effect; alone, none ends the connection."""
    auction_id = await house.lot()
    async with signed_in(house, house.person()) as live:
        everything = {**bids_that_are_none(auction_id), **frames_that_are_none(auction_id)}
        for why, text in everything.items():
            await live.say(text)
            error = await live.next()
            assert (error["type"], error.get("code")) == ("error", "invalid"), (why, error)
            assert isinstance(error["message"], str), why
            await still_there(live)
        snapshot = await live.subscribe(auction_id)
        assert (snapshot["auction"]["bidCount"], snapshot["you"]["bidCount"]) == (0, 0)


async def test_an_invalid_bid_is_named(house: House) -> None:
    """The ids that were sent come back with the error."""
    auction_id = await house.lot()
    async with signed_in(house, house.person()) as live:
        error = await live.bid(auction_id, -5, "c-9")
        assert error["code"] == "invalid"
        assert (error["cmdId"], error["auctionId"]) == ("c-9", auction_id)


async def test_the_bounds_themselves_are_valid(house: House) -> None:
    """The largest amount, the longest id, every visible character, ``seen`` of nothing."""
    async with signed_in(house, house.person()) as live:
        visible = "".join(map(chr, range(0x21, 0x7F)))
        for cmd_id in (visible[:64], visible[64:], "!"):
            auction_id = await house.lot()
            result = await live.bid(auction_id, 2**53 - 1, cmd_id, seen=0)
            assert (result["type"], result["outcome"]) == ("result", "accepted"), cmd_id
            assert result["cmdId"] == cmd_id
            assert result["wouldPass"] is None  # there is no larger amount


async def test_three_invalid_in_a_row_are_the_end(house: House) -> None:
    """1008 after the third; a good frame, a refusal or another error in between breaks the
    row, and they do not count themselves."""
    auction_id = await house.lot()
    async with signed_in(house, house.person()) as live:

        async def invalid() -> None:
            await live.say("{")
            assert (await live.next())["code"] == "invalid"

        between = (
            {"type": "ping", "t": 1},
            {"type": "subscribe", "auctionId": "auction_none_1"},
            {"type": "bid", "cmdId": "c", "auctionId": auction_id, "amount": 1},
            {"type": "bid", "cmdId": "c", "auctionId": "auction_none_1", "amount": 1},
            {"type": "unsubscribe", "auctionId": auction_id},
        )
        for frame in between:
            await invalid()
            await invalid()
            await live.send(**frame)
            if frame["type"] != "unsubscribe":
                assert (await live.next())["type"] in ("pong", "error", "result")
        await invalid()
        await invalid()
        await live.say("{")
        assert (await live.closed())[0] == 1008
        assert live.heard[-1]["code"] == "invalid"
    async with signed_in(house) as live:
        for _ in range(5):
            assert (await live.subscribe("auction_none_1"))["code"] == "not_found"
        await still_there(live)


async def test_prices_are_never_merged_when_so_set(house: House) -> None:
    """PRICE_MERGE_MS=0: a price event for every price, however fast they come."""
    auction_id = await house.lot()
    bids: list[Command] = [
        PlaceBid(auction_id, f"cons_{n % 2}", f"c{n}", 10_000 + n * 1_000, "bid")
        for n in range(250)
    ]
    async with following(house, auction_id) as live:
        await house.wish(*bids)
        events = await live.until_seq(auction_id, 251)
        assert [event["seq"] for event in events] == list(range(2, 252))
        assert not [event for event in events if "merged" in event]


# ── Frames of RFC 6455 ───────────────────────────────────────────────────────────────────


def test_binary_is_refused(house: House) -> None:
    """1003, also in fragments."""
    for first in (framed(BINARY, PING_T), framed(BINARY, b"{", fin=False)):
        with RawSocket(house) as raw:
            raw.hello(house)
            raw.send(first)
            assert raw.close_code() == 1003


def test_the_largest_frame(house: House) -> None:
    """4 KiB is taken, one byte more is 1009: whole or in fragments, before hello or after."""
    largest = PING_T.ljust(4_096)
    with RawSocket(house) as raw:
        raw.hello(house)
        raw.send(framed(TEXT, largest))
        assert raw.frame_json()["t"] == 7
        raw.send(framed(TEXT, largest[:4_000], fin=False) + framed(CONTINUATION, largest[4_000:]))
        assert raw.frame_json()["t"] == 7
        raw.send(framed(TEXT, largest + b" "))
        assert raw.close_code() == 1009
    with RawSocket(house) as raw:
        raw.hello(house)
        raw.send(framed(TEXT, largest, fin=False) + framed(CONTINUATION, b" "))
        assert raw.close_code() == 1009
    with RawSocket(house) as raw:
        raw.send(framed(TEXT, largest + b" "))
        assert raw.close_code() == 1009
    with RawSocket(house) as raw:  # only announced: nothing of it need have come
        raw.send(framed(TEXT, b"x" * 70_000)[:14])
        assert raw.close_code() == 1009


def test_text_that_is_no_utf8(house: House) -> None:
    """1007: a stray byte, an overlong form, a surrogate, a character cut short, fragments."""
    bad = (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b'"\xc3', b"\xf4\x90\x80\x80")
    for text in bad:
        with RawSocket(house) as raw:
            raw.hello(house)
            raw.send(framed(TEXT, text))
            assert raw.close_code() == 1007, text
    with RawSocket(house) as raw:
        raw.hello(house)
        raw.send(framed(TEXT, b'"\xc3', fin=False) + framed(CONTINUATION, b'"'))
        assert raw.close_code() == 1007


def test_a_text_may_come_in_fragments(house: House) -> None:
    """Split anywhere, also within a character and into empty fragments, with pings between."""
    with RawSocket(house) as raw:
        raw.hello(house)
        text = '{"type":"ping","t":7,"é":1}'.encode()
        raw.send(framed(TEXT, b"", fin=False))
        for byte in text:
            raw.send(framed(CONTINUATION, bytes([byte]), fin=False))
        raw.send(framed(PING, b"between"))
        assert raw.frame() == (PONG, b"between")
        raw.send(framed(CONTINUATION, b""))
        assert raw.frame_json()["code"] == "invalid"  # an unknown field, read as one text
        raw.send(framed(TEXT, PING_T[:5], fin=False) + framed(PONG, b"unasked"))
        raw.send(framed(PING, b"x" * 125) + framed(CONTINUATION, PING_T[5:]))
        assert raw.frame() == (PONG, b"x" * 125)
        assert raw.frame_json()["t"] == 7


def test_too_many_fragments(house: House) -> None:
    """64 of one message are taken; one more, and be it empty, is 1008; each message counts
    for itself."""
    with RawSocket(house) as raw:
        raw.hello(house)
        empty = framed(CONTINUATION, b"", fin=False)
        for _ in range(2):
            raw.send(framed(TEXT, PING_T, fin=False) + empty * 62 + framed(CONTINUATION, b""))
            assert raw.frame_json()["t"] == 7
        raw.send(framed(TEXT, PING_T, fin=False) + empty * 63)
        raw.send(framed(PING, b"still here"))
        assert raw.frame() == (PONG, b"still here")
        raw.send(empty * 10_000)
        assert raw.frames_until_close()[-1][1] == b"\x03\xf0too many fragments"
    with RawSocket(house) as raw:
        raw.hello(house)
        raw.send(framed(TEXT, PING_T, fin=False) + empty * 63 + framed(CONTINUATION, b""))
        assert raw.close_code() == 1008


BROKEN_FRAMES = {
    "continuation of nothing": framed(CONTINUATION, PING_T),
    "open continuation of nothing": framed(CONTINUATION, PING_T, fin=False),
    "text within text": framed(TEXT, b"{", fin=False) + framed(TEXT, PING_T),
    "binary within text": framed(TEXT, b"{", fin=False) + framed(BINARY, PING_T),
    "reserved bit 1": framed(TEXT, PING_T, reserved=4),
    "reserved bit 2": framed(TEXT, PING_T, reserved=2),
    "reserved bit 3": framed(PING, b"", reserved=1),
    "reserved opcode 3": framed(0x3, PING_T),
    "reserved opcode 7": framed(0x7, b""),
    "reserved opcode 11": framed(0xB, b""),
    "reserved opcode 15": framed(0xF, PING_T),
    "no mask": framed(TEXT, PING_T, masked=False),
    "no mask on a ping": framed(PING, b"", masked=False),
    "ping in fragments": framed(PING, b"", fin=False),
    "close in fragments": framed(CLOSE, b"", fin=False),
    "ping too long": framed(PING, b"x" * 126),
    "close too long": framed(CLOSE, b"\x03\xe8" + b"x" * 124),
    "close of one byte": framed(CLOSE, b"\x03"),
    "close 0": close_frame(0),
    "close 999": close_frame(999),
    "close 1004": close_frame(1004),
    "close 1005": close_frame(1005),
    "close 1006": close_frame(1006),
    "close 1016": close_frame(1016),
    "close 2999": close_frame(2999),
    "close 5000": close_frame(5000),
    "close 65535": close_frame(65535),
}


@pytest.mark.parametrize("why", BROKEN_FRAMES)
def test_what_is_no_frame_is_1002(house: House, why: str) -> None:
    """A breach of the framing: 1002, and the connection is cut."""
    with RawSocket(house) as raw:
        raw.hello(house)
        raw.send(BROKEN_FRAMES[why])
        assert raw.close_code() == 1002
        assert raw.is_cut()


def test_a_close_is_echoed(house: House) -> None:
    """With its code, or without one; then the server hangs up."""
    for frame, code in (
        (close_frame(1000), 1000),
        (close_frame(1000, b"bye"), 1000),
        (close_frame(1001), 1001),
        (close_frame(3000), 3000),
        (close_frame(4999), 4999),
        (framed(CLOSE, b""), None),
    ):
        for greeted in (True, False):
            with RawSocket(house) as raw:
                if greeted:
                    raw.hello(house)
                raw.send(frame)
                assert raw.close_code() == code
                assert raw.is_cut()


def test_a_reason_that_is_no_utf8(house: House) -> None:
    """1007, or the framing's 1002; not an echo."""
    with RawSocket(house) as raw:
        raw.hello(house)
        raw.send(close_frame(1000, b"\xff"))
        assert raw.close_code() in (1002, 1007)


@pytest.mark.parametrize("pause_s", [0, 0.05])
def test_after_a_close_nothing_counts(house: House, pause_s: float) -> None:
    """Autobahn 7.1.5: a text that was begun, a close, the rest of the text: a clean close."""
    with RawSocket(house) as raw:
        raw.hello(house)
        parts = [
            framed(TEXT, PING_T[:5], fin=False),
            close_frame(1000),
            framed(CONTINUATION, PING_T[5:]),
        ]
        if pause_s:
            for part in parts:
                raw.send(part)
                time.sleep(pause_s)  # so that each comes by itself
        else:
            raw.send(b"".join(parts))
        frames = raw.frames_until_close()
        assert frames == [(CLOSE, b"\x03\xe8")]
        assert raw.is_cut()


def test_a_text_after_a_close_is_not_heard(house: House) -> None:
    """Close, then a ping of the protocol, a WebSocket ping and rubbish: only the echo."""
    for rest in (framed(TEXT, PING_T), framed(PING, b"x"), b"\xff" * 20, framed(TEXT, b"{")):
        with RawSocket(house) as raw:
            raw.hello(house)
            raw.send(close_frame(1000) + rest)
            assert raw.frames_until_close() == [(CLOSE, b"\x03\xe8")]
            assert raw.is_cut()


async def test_a_bid_before_the_line_breaks_is_decided(house: House) -> None:
    """Sent and not waited for: it stands, and the same id gets its answer."""
    auction_id, ada = await house.lot(), house.person()
    bid = {"type": "bid", "cmdId": "c1", "auctionId": auction_id, "amount": 10_000}
    with RawSocket(house) as raw:
        raw.hello(house, ada)
        raw.send_json(bid)
    async with signed_in(house, ada) as live:
        result = await live.bid(auction_id, 10_000, "c1")
        assert result["outcome"] == "accepted"
        assert (await live.subscribe(auction_id))["you"]["bidCount"] == 1


# ── The handshake ────────────────────────────────────────────────────────────────────────


async def test_origins(house: House) -> None:
    """Our own page and programs may connect; a foreign page may not: 403."""
    async with connected(house, origin=house.url) as live:
        assert (await live.hello(house))["type"] == "welcome"
    foreign = (
        "https://evil.test",
        "null",
        f"http://127.0.0.1:{house.port + 1}",
        f"http://127.0.0.1.evil.test:{house.port}",
        f"http://evil.test:{house.port}",
        f"http://127.0.0.1:{house.port}@evil.test",
        "",
    )
    for origin in foreign:
        with pytest.raises(InvalidStatus) as refused:
            await connected(house, additional_headers={"Origin": origin}).__aenter__()
        assert refused.value.response.status_code == 403, origin


def test_a_handshake_that_is_none(house: House) -> None:
    """Refused with a 4xx, and the house goes on: no upgrade, no key, an old version."""
    assert 400 <= house.web.get("/ws").status_code < 500
    with RawSocket(house, Sec_WebSocket_Key="x") as raw:
        assert 400 <= raw.status < 500
    with RawSocket(house, Sec_WebSocket_Version="8") as raw:
        assert 400 <= raw.status < 500
    with RawSocket(house, Sec_WebSocket_Protocol="other.v9") as raw:
        assert b"other.v9" not in raw.head
    with RawSocket(house, Sec_WebSocket_Extensions="permessage-deflate") as raw:
        assert raw.status == 101
        assert b"permessage-deflate" not in raw.head


# ── Calls of the consumer API ────────────────────────────────────────────────────────────

BODIES_THAT_ARE_NONE = (
    *(
        b"",
        b"{",
        b"null",
        b"[]",
        b"7",
        b'"x"',
        b'{"x":1}',
        b'{"x":1}{"x":1}',
        b"\xff",
        b"[" * 9_000,
    ),
    *(b'{"email":"a@b.test","email":"c@d.test"}', b'{"email":"\\ud800@b.test"}', b'{"amount":NaN}'),
    *(b'{"code":123456,"email":"a@b.test"}', b'{"refreshToken":null}', b'{"exchangeCode":["x"]}'),
    *(b'{"conditionsVersion":1e999}', b'{"outbid":"true"}', b'{"amount":"1e-400"}'),
)


async def test_bodies_that_nobody_understands(house: House) -> None:
    """Whatever is sent to whichever call of bidders: a 4xx of the contract's form, never 500."""
    auction_id, ada = await house.lot(), house.person()
    calls = [
        call for call in CONSUMER_API
        if call.handler.__module__.rpartition(".")[2] in ("auctions", "sessions", "me")
        and "body" in signature(call.handler).parameters
    ]  # fmt: skip
    assert len(calls) >= 8
    for call in calls:
        path = call.path.format(auction_id=auction_id)
        for body in BODIES_THAT_ARE_NONE:
            headers = house.headers(ada)
            answer = house.web.request(call.method, path, content=body, headers=headers)
            if answer.status_code == 200:  # an optional body may be absent
                assert call.path.endswith("/enter"), (path, body)
                assert body == b"", (path, body)
                continue
            assert 400 <= answer.status_code < 500, (path, body, answer.text)
            assert isinstance(answer.json()["error"], str)
    assert house.get(f"/auctions/{auction_id}").json()["bidCount"] == 0


async def test_paths_that_lead_nowhere(house: House) -> None:
    """Ids of any kind are not found; they are never looked for anywhere but in memory."""
    ada = house.person()
    for name in (
        "x",
        "%00",
        "%2e%2e",
        "a" * 5_000,
        "%F0%9F%8F%BA",
        "auction_'--",
        "%25s",
        "_" * 90,
    ):
        for rest in ("", "/status", "/bids", "/bids/history", "/highest-bid", "/current-price"):
            answer = house.get(f"/auctions/{name}{rest}", ada)
            assert answer.status_code == 404, (name, rest, answer.text)
        assert house.bid(name, ada, {"amount": 100}).status_code == 404


async def test_the_house_has_taken_no_harm(house: House) -> None:
    """After all of that it is ready, decides a bid at once, and has said nothing of errors."""
    assert house.web.get("/readyz").status_code == 200
    async with signed_in(house, house.person()) as live:
        assert (await live.bid(await house.lot(), 10_000, "c1"))["outcome"] == "accepted"
    await asyncio.sleep(0.1)
    assert house.running is not None
    said = [line for line in house.running.lines if "Traceback" in line or '"error"' in line]
    assert said == []


async def test_what_is_no_http_gets_an_error_like_any_other(house: House) -> None:
    """JSON, with a number to report it by; then the line is cut."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    try:
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert lines[0] == b"http/1.1 400 bad request"
    assert b"content-type: application/json" in lines
    assert {line.partition(b":")[0] for line in lines[1:]} >= {
        b"x-request-id",
        b"x-ratelimit-limit",
        b"x-ratelimit-remaining",
        b"x-ratelimit-reset",
    }
    assert json.loads(body)["error"] == "Invalid request"
