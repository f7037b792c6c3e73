"""The live protocol as the contract words it, spoken to a whole house."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from engine.core.messages import (
    CancelLot,
    Catalogue,
    CloseLot,
    Command,
    Kind,
    OpenLot,
    PauseLot,
    PlaceBid,
    RegisterBidder,
    RemoveLot,
    Terms,
    UnpauseLot,
    UpdateLot,
)
from gateway.keys import mint_access_token
from tests.integration.live import (
    CLOSE,
    PERSONAL,
    PING,
    PONG,
    PUBLIC,
    STATE,
    TEXT,
    Live,
    RawSocket,
    connected,
    fold,
    following,
    framed,
    public_of,
    seqs_covered,
    signed_in,
)
from tests.integration.open_house import FAR_MS, STEPS, House, Json
from tests.processes import until

LATER_MS = 3_600_000

# ── Signing in ───────────────────────────────────────────────────────────────────────────


async def test_a_spectator_is_welcomed(house: House) -> None:
    """A key alone makes a spectator: every field of the welcome, and the subprotocol."""
    async with connected(house) as live:
        welcome = await live.hello(house)
        assert live.socket.subprotocol == "fairwarning.v1"
        assert list(welcome) == ["type", "session", "role", "consumerId", "now", "ping"]
        assert (welcome["role"], welcome["consumerId"]) == ("spectator", None)
        assert welcome["ping"] == 15_000
        assert isinstance(welcome["session"], str)
        assert welcome["session"]
        assert abs(welcome["now"] - await house.now()) < 1_000


async def test_a_bidder_is_welcomed_by_their_id(house: House) -> None:
    """A key and an access token make a bidder, who is told who they are."""
    ada = house.person()
    async with connected(house) as live:
        welcome = await live.hello(house, ada)
        assert (welcome["role"], welcome["consumerId"]) == ("bidder", ada.consumer_id)


def bad_hellos(house: House) -> Iterator[tuple[str, Json]]:
    """Hellos that admit nobody, each with the reason."""
    keys, now = house.keys, time.time_ns() // 1_000_000
    key = keys.publishable_key
    good = mint_access_token(keys, "cons_ada", 3600, now)
    claims = jwt.decode(good, options={"verify_signature": False})
    head = {"typ": "at+jwt", "kid": keys.signing_key_id}

    def signed(changed: Json, headers: Json = head, by: Any = keys.private_key) -> str:
        return jwt.encode({**claims, **changed}, by, algorithm="EdDSA", headers=headers)

    yield "no key", {}
    yield "unknown key", {"key": "pk_test_nobody"}
    yield "empty key", {"key": ""}
    yield "secret key", {"key": keys.secret_key}
    yield "token without key", {"token": good}
    yield "empty token", {"key": key, "token": ""}
    yield "no token at all", {"key": key, "token": "not.a.token"}
    yield "expired", {"key": key, "token": signed({"exp": now // 1000 - 1})}
    yield "foreign issuer", {"key": key, "token": signed({"iss": "https://elsewhere.test"})}
    yield "foreign audience", {"key": key, "token": signed({"aud": "elsewhere"})}
    yield "foreign organization", {"key": key, "token": signed({"organizationId": "org_x"})}
    yield "payment token", {"key": key, "token": signed({}, {**head, "typ": "payment+jwt"})}
    yield "plain JWT", {"key": key, "token": signed({}, {**head, "typ": "JWT"})}
    stranger = Ed25519PrivateKey.generate()
    yield "another's signature", {"key": key, "token": signed({}, head, stranger)}
    yield (
        "alg none",
        {"key": key, "token": jwt.encode(claims, "", algorithm="none", headers=head)},
    )
    public = keys.public_key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    hmac_signed = jwt.encode(claims, public.ljust(32, b"\0"), algorithm="HS256", headers=head)
    yield "HS256 by the public key", {"key": key, "token": hmac_signed}
    body, _, signature = good.rpartition(".")
    cut = body + "." + signature[:-4] + "AAAA"
    yield "signature tampered with", {"key": key, "token": cut}
    yield "a ticket nobody gave out", {"ticket": "tkt_nobody"}
    yield "a key and a ticket nobody gave out", {"key": key, "ticket": "tkt_nobody"}
    yield "an operator key that is none", {"operatorKey": "optr_test_nobody"}


async def test_a_bad_hello_is_unauthorized(house: House) -> None:
    """Bad keys and tokens of every kind: ``unauthorized`` is said, then 4401."""
    for why, fields in bad_hellos(house):
        async with connected(house) as live:
            await live.send(type="hello", **fields)
            error = await live.next()
            assert (error["type"], error["code"]) == ("error", "unauthorized"), (why, error)
            assert (await live.closed())[0] == 4401, why
            assert len(live.heard) == 1, (why, live.heard)


async def test_the_first_message_is_a_hello(house: House) -> None:
    """Whoever begins with anything else is not signed in: 4401."""
    auction_id = await house.lot()
    for first in ({"type": "ping", "t": 1}, {"type": "subscribe", "auctionId": auction_id}):
        async with connected(house) as live:
            await live.send(**first)
            assert (await live.closed())[0] == 4401
            assert [frame["type"] for frame in live.heard] == ["error"]


async def test_silence_and_half_messages_are_not_waited_for(house: House) -> None:
    """No hello in 5 s, not even after an unreadable frame: 4401."""

    async def silent(first: str | None) -> float:
        async with connected(house) as live:
            began = time.monotonic()
            if first is not None:
                await live.say(first)
            assert (await live.closed())[0] == 4401
            return time.monotonic() - began

    unreadable, mute = await asyncio.gather(silent("{"), silent(None))
    assert 4.5 < mute < 7
    assert unreadable < 7


async def test_a_second_hello_is_invalid(house: House) -> None:
    """Nobody becomes somebody else on a connection."""
    async with signed_in(house) as live:
        again = await live.hello(house, house.person())
        assert (again["type"], again["code"]) == ("error", "invalid")
        assert (await live.bid(await house.lot(), 10_000, "b1"))["code"] == "unauthorized"


async def test_a_spectator_may_not_bid(house: House) -> None:
    """The error names the bid, which enters no log; the connection stays."""
    auction_id = await house.lot()
    async with following(house, auction_id) as live:
        error = await live.bid(auction_id, 10_000, "mine")
        assert error["type"] == "error"
        assert error["code"] == "unauthorized"
        assert (error["cmdId"], error["auctionId"]) == ("mine", auction_id)
        assert (await live.subscribe(auction_id))["auction"]["bidCount"] == 0


# ── Following ────────────────────────────────────────────────────────────────────────────


async def test_the_snapshot_of_a_fresh_lot(house: House) -> None:
    """Field by field, for a spectator and for somebody who has not bid."""
    sale_id = await house.sale()
    now = await house.now()
    opens_at, closes_at = now - 1_000, now + FAR_MS
    auction_id = await house.lot(
        sale_id, "Moon jar", opening=2_400_000, opens_at=opens_at, closes_at=closes_at
    )
    await house.until_status(auction_id, "OPEN")
    async with signed_in(house, house.person()) as live:
        snapshot = await live.subscribe(auction_id)
    assert list(snapshot) == ["type", "auctionId", "lineage", "seq", "at", "auction", "you"]
    assert (snapshot["auctionId"], snapshot["seq"]) == (auction_id, 1)  # it was opened
    assert snapshot["auction"] == {
        "name": "Moon jar",
        "lotNumber": "214",
        "saleId": sale_id,
        "format": "english",
        "currency": "EUR",
        "exponent": 2,
        "status": "open",
        "phase": None,
        "opening": 2_400_000,
        "price": None,
        "askingBid": 2_400_000,
        "paddle": None,
        "channel": "online",
        "bidCount": 0,
        "bidderCount": 0,
        "reserve": "none",
        "opensAt": opens_at,
        "closesAt": closes_at,
        "extensions": 0,
        "outcome": None,
    }
    assert snapshot["you"] == {
        "status": "NOT_BID",
        "paddle": None,
        "max": None,
        "lastBidAmount": None,
        "bidCount": 0,
    }
    async with following(house, auction_id) as spectator:
        assert spectator.heard[-1] == {**snapshot, "you": None}


async def test_the_snapshot_shows_a_bidder_their_own(house: House) -> None:
    """``you`` is the caller's: paddle, limit, count and standing; nobody else has it."""
    auction_id = await house.lot()
    ada, bram = house.person(), house.person()
    async with signed_in(house, ada) as live, signed_in(house, bram) as other:
        await live.bid(auction_id, 50_000, "a1")
        await other.bid(auction_id, 11_000, "b1")
        mine, theirs = await live.subscribe(auction_id), await other.subscribe(auction_id)
    assert mine["auction"] == theirs["auction"]
    assert mine["auction"]["price"] == 12_000
    own = {"status": "WINNING", "max": 50_000, "lastBidAmount": 50_000, "bidCount": 1}
    assert mine["you"] == {**own, "paddle": mine["auction"]["paddle"]}
    assert theirs["you"]["status"] == "ACTIVE"
    assert theirs["you"]["max"] == 11_000
    assert theirs["you"]["paddle"] != mine["you"]["paddle"]


async def test_there_is_no_such_lot(house: House) -> None:
    """``not_found`` names what was asked for, and is not counted as invalid."""
    async with signed_in(house, house.person()) as live:
        for _ in range(4):
            error = await live.subscribe("auction_none_1")
            assert (error["code"], error["auctionId"]) == ("not_found", "auction_none_1")
        error = await live.bid("auction_none_1", 10_000, "b1")
        assert error["code"] == "not_found"
        assert (error["cmdId"], error["auctionId"]) == ("b1", "auction_none_1")


async def test_after_unsubscribe_only_the_personal_comes(house: House) -> None:
    """No public event any more; what is the bidder's own comes on every connection."""
    auction_id = await house.lot()
    ada, bram = house.person(), house.person()
    async with following(house, auction_id, ada) as live, signed_in(house, bram) as other:
        await live.bid(auction_id, 10_000, "a1")
        await live.next_of("price")
        await live.send(type="unsubscribe", auctionId=auction_id)
        assert await live.drain() == []
        await other.bid(auction_id, 20_000, "b1")
        assert (await live.next())["type"] == "outbid"
        assert await live.drain() == []


async def test_subscribing_twice_doubles_nothing(house: House) -> None:
    """A second snapshot, and each event once."""
    auction_id = await house.lot()
    async with following(house, auction_id) as live, signed_in(house, house.person()) as other:
        assert (await live.subscribe(auction_id))["type"] == "snapshot"
        await other.bid(auction_id, 10_000, "b1")
        assert (await live.next())["type"] == "price"
        assert await live.drain() == []


# ── Resuming ─────────────────────────────────────────────────────────────────────────────


def bids(auction_id: str, amounts: range, *consumers: str) -> list[Command]:
    """Bids of some bidders in turn, straight for the log."""
    return [
        PlaceBid(auction_id, consumers[place % len(consumers)], f"cmd-{amount}", amount, "bid")
        for place, amount in enumerate(amounts)
    ]


async def test_resuming_brings_every_event_and_ones_own(house: House) -> None:
    """From each seq on: ``resumed``, then every later event in order, with the reader's own
    personal ones, and nobody else's."""
    auction_id = await house.lot()
    ada, bram = house.person(), house.person()
    async with following(house, auction_id, ada) as live, signed_in(house, bram) as other:
        snapshot = live.heard[-1]
        for number in range(4):
            await other.bid(auction_id, 10_000 + 4_000 * number, f"b{number}")
            await live.bid(auction_id, 12_000 + 4_000 * number, f"a{number}")
        await live.until_seq(auction_id, 9)
        told = [f for f in live.heard if f["type"] in PUBLIC | PERSONAL]
    assert sum(frame["type"] in PERSONAL for frame in told) == 7  # 4 × winning, 3 × outbid
    for seq in range(10):
        async with signed_in(house, ada) as again:
            resumed = await again.subscribe(auction_id, lineage=snapshot["lineage"], seq=seq)
            assert {name: resumed[name] for name in ("type", "auctionId", "lineage")} == {
                "type": "resumed",
                "auctionId": auction_id,
                "lineage": snapshot["lineage"],
            }
            assert (resumed["seq"], resumed["missed"]) == (seq, 9 - seq)
            missed = await again.until_seq(auction_id, 9) if seq < 9 else []
            assert await again.drain() == []
            missed = again.heard[2:-1]  # with the personal ones
        later = [f for f in told if f["seq"] > seq]
        assert personal_of(missed) == personal_of(later), seq
        assert seqs_covered(public_of(missed, auction_id)) == list(range(seq + 1, 10))
        alone = [f for f in later if f["type"] in PUBLIC and "merged" not in f]
        assert all(frame in missed for frame in alone)
        # In seq order, and at equal seq the personal first.
        order = [(frame["seq"], frame["type"] in PUBLIC) for frame in missed]
        assert order == sorted(order)
    async with signed_in(house) as spectator:
        await spectator.subscribe(auction_id, lineage=snapshot["lineage"], seq=0)
        await spectator.until_seq(auction_id, 9)
        missed = spectator.heard[2:]
        assert {frame["type"] for frame in missed} == {"opened", "price"}
        assert seqs_covered(missed) == list(range(1, 10))


def personal_of(frames: list[Json]) -> list[Json]:
    return [frame for frame in frames if frame["type"] in PERSONAL]


async def test_what_was_told_live_does_not_hide_what_was_missed(house: House) -> None:
    """Back on the line a bidder hears of the newest event before they ask for the older
    ones: the resume brings all of them nevertheless."""
    auction_id = await house.lot()
    ada, bram = house.person(), house.person()
    async with signed_in(house, bram) as other:
        async with following(house, auction_id, ada) as live:
            lineage = live.heard[-1]["lineage"]
            await live.bid(auction_id, 10_000, "a1")
            await live.until_seq(auction_id, 2)
        await other.bid(auction_id, 11_000, "b1")  # she is passed and is not there
        async with signed_in(house, ada) as again:
            await again.bid(auction_id, 14_000, "a2")
            assert (await again.next())["type"] == "winning"
            await again.subscribe(auction_id, lineage=lineage, seq=2)
            await again.until_seq(auction_id, 4)
            resumed = [f["type"] for f in again.heard].index("resumed")
            told = [(f["type"], f["seq"]) for f in again.heard[resumed + 1 :]]
            assert told == [("outbid", 3), ("price", 3), ("winning", 4), ("price", 4)]


async def test_asking_twice_while_a_price_waits(house: House) -> None:
    """Snapshot and resume asked for in the middle of a merge: both are answered, and what
    follows them comes once."""
    auction_id = await house.lot()
    ada, bram = house.person(), house.person()
    async with following(house, auction_id) as live, signed_in(house, bram) as late:
        lineage = live.heard[-1]["lineage"]
        await house.wish(*bids(auction_id, range(10_000, 12_000, 1_000), ada.consumer_id, "cons_x"))
        await live.next_of("price")  # the second one waits now
        await late.send(type="subscribe", auctionId=auction_id)
        await late.send(type="subscribe", auctionId=auction_id, lineage=lineage, seq=1)
        await late.send_bid(auction_id, 15_000, "b1")
        await live.until_seq(auction_id, 4)
        await asyncio.sleep(0.1)
        await late.drain()
        types = [f["type"] for f in late.heard if f["type"] in ("snapshot", "resumed")]
        assert types == ["snapshot", "resumed"]
        since = [f["type"] for f in late.heard].index("resumed")
        assert seqs_covered(public_of(late.heard[since:], auction_id)) == [2, 3, 4]
        # Decided between the question and its answer: told in its place, and only there.
        assert [f["type"] for f in personal_of(late.heard)] == ["winning"]


async def test_what_cannot_be_resumed_is_a_snapshot(house: House) -> None:
    """Another lineage, none at all, or a seq that has not been: one snapshot."""
    auction_id = await house.lot()
    async with following(house, auction_id) as live:
        lineage, seq = live.heard[-1]["lineage"], live.heard[-1]["seq"]
        for resume in (
            {"lineage": "another", "seq": seq},
            {"lineage": lineage, "seq": seq + 1},
            {"lineage": lineage},
            {"seq": seq},
        ):
            assert (await live.subscribe(auction_id, **resume))["type"] == "snapshot"
            assert await live.drain() == []
        assert (await live.subscribe(auction_id, lineage=lineage, seq=seq))["missed"] == 0


async def test_resuming_a_long_history_in_full(house: House) -> None:
    """More than any page: 1,300 events, none missing, none twice, in order."""
    auction_id = await house.lot(increments=type(STEPS)((0,), (1,)))
    ada, bram = house.person(), house.person()
    await house.wish(*bids(auction_id, range(10_000, 11_300), ada.consumer_id, bram.consumer_id))
    async with following(house, auction_id) as first:
        snapshot = first.heard[-1]
        while snapshot["seq"] < 1_301:
            snapshot = fold(snapshot, await first.next())
        lineage = snapshot["lineage"]
    async with signed_in(house, ada) as live:
        await live.subscribe(auction_id, lineage=lineage, seq=0)
        events = await live.until_seq(auction_id, 1_301)
        assert seqs_covered(events) == list(range(1, 1_302))
        own = [frame for frame in live.heard if frame["type"] in PERSONAL]
        # Each of her bids leads and is passed by the next, but for the last of all.
        assert [frame["type"] for frame in own] == ["winning", "outbid"] * 650
        assert [frame["seq"] for frame in own] == list(range(2, 1_302))
        assert await live.drain() == []


async def test_resuming_while_events_keep_pouring_in(house: House) -> None:
    """Connections that come and go in the middle of a storm never see a hole or a repeat."""
    auction_id = await house.lot(increments=type(STEPS)((0,), (1,)))
    ada, bram = house.person(), house.person()
    async with following(house, auction_id) as live:
        lineage = live.heard[-1]["lineage"]

    async def storm() -> None:
        for start in range(10_000, 11_500, 60):
            await house.wish(
                *bids(auction_id, range(start, start + 60), ada.consumer_id, bram.consumer_id)
            )
            await asyncio.sleep(0.01)

    async def come_and_go(step: int) -> None:
        seq = 0
        while seq < 1_501:
            async with signed_in(house, ada) as live:
                resumed = await live.subscribe(auction_id, lineage=lineage, seq=seq)
                goal = min(1_501, seq + resumed["missed"] + step)
                events = await live.until_seq(auction_id, goal)
                covered = seqs_covered(events)
                assert covered == list(range(seq + 1, covered[-1] + 1))
                since = live.heard.index(resumed)
                own = [frame["seq"] for frame in personal_of(live.heard[since:])]
                assert len(own) == len(set(own))
                # Whatever of hers happened up to the last public event has been told.
                assert [s for s in own if s <= covered[-1]] == list(
                    range(max(2, seq + 1), covered[-1] + 1)
                )
                seq = covered[-1]

    await asyncio.gather(storm(), come_and_go(1), come_and_go(170), come_and_go(700))


# ── Bidding ──────────────────────────────────────────────────────────────────────────────


async def test_an_accepted_bid_result_first_then_personal_then_public(house: House) -> None:
    """Three frames at one seq, field by field."""
    auction_id = await house.lot()
    async with following(house, auction_id, house.person()) as live:
        closes_at = live.heard[-1]["auction"]["closesAt"]
        await live.send_bid(auction_id, 15_000, "c-1")
        result, winning, price = [await live.next() for _ in range(3)]
    at = result["at"]
    assert result == {
        "type": "result",
        "cmdId": "c-1",
        "auctionId": auction_id,
        "seq": 2,
        "at": at,
        "outcome": "accepted",
        "status": "WINNING",
        "price": 10_000,
        "askingBid": 11_000,
        "wouldPass": 15_001,
        "code": None,
        "message": None,
    }
    here: Json = {"auctionId": auction_id, "seq": 2, "at": at, "price": 10_000}
    assert winning == {"type": "winning", **here, "max": 15_000}
    assert price == {
        "type": "price",
        **here,
        "askingBid": 11_000,
        "paddle": 101,
        "channel": "online",
        "why": "bid",
        "bidCount": 1,
        "bidderCount": 1,
        "reserve": "none",
        "status": "open",
        "closesAt": closes_at,
    }


async def test_kinds_of_bids(house: House) -> None:
    """``bid`` is exactly its amount, a jump; a limit, which is the default, is bid up to."""
    auction_id = await house.lot()
    async with signed_in(house, house.person()) as ada, signed_in(house, house.person()) as bram:
        assert (await ada.bid(auction_id, 20_000, "a1", kind="bid"))["price"] == 20_000
        assert (await bram.bid(auction_id, 90_000, "b1"))["price"] == 21_000
        assert (await ada.bid(auction_id, 50_000, "a2", kind="max"))["price"] == 51_000
        assert (await ada.bid(auction_id, 60_000, "a3", kind="bid"))["price"] == 61_000


async def test_who_is_told_that_they_were_passed(house: House) -> None:
    """``outbid`` with its reasons, and the statuses of who led and who never did."""
    auction_id = await house.lot()
    ada, bram, celia = (house.person() for _ in range(3))
    async with (
        signed_in(house, ada) as a,
        signed_in(house, bram) as b,
        signed_in(house, celia) as c,
    ):
        await a.bid(auction_id, 30_000, "a1")
        assert (await a.next())["type"] == "winning"
        # Passed in the same decision by the earlier limit: never led, so ACTIVE.
        proxy = await b.bid(auction_id, 20_000, "b1")
        assert (proxy["outcome"], proxy["status"]) == ("accepted", "ACTIVE")
        told = await b.next()
        assert told == {
            "type": "outbid",
            "auctionId": auction_id,
            "seq": proxy["seq"],
            "at": proxy["at"],
            "price": 21_000,
            "askingBid": 22_000,
            "paddle": 101,
            "channel": "online",
            "why": "proxy",
        }
        tie = await b.bid(auction_id, 30_000, "b2")
        assert (tie["status"], tie["price"], tie["wouldPass"]) == ("ACTIVE", 30_000, 31_000)
        assert (await b.next())["why"] == "tie"
        assert await a.drain() == []  # she has led all the time
        lead = await c.bid(auction_id, 40_000, "c1")
        lost = await a.next()
        assert (lost["type"], lost["why"], lost["seq"]) == ("outbid", "bid", lead["seq"])
        assert (lost["paddle"], lost["price"]) == (103, 31_000)
        again = await a.bid(auction_id, 35_000, "a2")
        assert again["status"] == "OUTBID"  # once led
        assert (await a.subscribe(auction_id))["you"]["status"] == "OUTBID"
        assert (await b.drain()) == []  # he was passed already


async def test_a_silent_raise_is_told_to_nobody_else(house: House) -> None:
    """A leader's raise: ``winning`` at the seq of the result, no public event, no seq."""
    auction_id = await house.lot()
    async with following(house, auction_id, house.person()) as live:
        async with following(house, auction_id) as spectator:
            await live.bid(auction_id, 20_000, "a1")
            await live.next_of("price")
            raised = await live.bid(auction_id, 30_000, "a2")
            assert (raised["outcome"], raised["seq"], raised["price"]) == ("accepted", 2, 10_000)
            winning = await live.next()
            assert (winning["type"], winning["seq"], winning["max"]) == ("winning", 2, 30_000)
            assert await live.drain() == []
            assert [f["type"] for f in await spectator.drain()] == ["price"]
        snapshot = await live.subscribe(auction_id)
        assert (snapshot["you"]["bidCount"], snapshot["auction"]["bidCount"]) == (2, 1)


async def test_every_refusal_has_its_code_and_the_number_that_would_pass(house: House) -> None:
    """Refused for every reason that English bidding knows; afterwards nothing has moved."""
    now = await house.now()
    lots = {
        "not_open_yet": await house.lot(opens_at=now + LATER_MS),
        "paused": await house.lot(),
        "closed": await house.lot(),
        "canceled": await house.lot(),
        "below_asking_bid": await house.lot(),
        "off_ladder": await house.lot(ladder_only=True),
    }
    await house.wish(PauseLot(lots["paused"]))
    await house.wish(CloseLot(lots["closed"]))
    await house.wish(CancelLot(lots["canceled"]))
    await house.until_status(lots["closed"], "SETTLED")
    await house.until_status(lots["canceled"], "CLOSED")
    expected = {
        "not_open_yet": (10_000, None),
        "paused": (10_000, None),
        "closed": (10_000, None),
        "canceled": (10_000, None),
        "below_asking_bid": (9_999, 10_000),
        "off_ladder": (10_500, 10_000),
    }
    for code, (amount, would_pass) in expected.items():
        async with following(house, lots[code], house.person()) as live:
            before = live.heard[-1]
            result = await live.bid(lots[code], amount, "r1")
            assert (result["type"], result["outcome"], result["code"]) == (
                "result",
                "refused",
                code,
            )
            assert result["seq"] == before["seq"]
            assert (result["price"], result["status"]) == (None, "NOT_BID")
            assert result["askingBid"] == before["auction"]["askingBid"]
            assert result["wouldPass"] == would_pass, code
            assert isinstance(result["message"], str)
            assert result["message"]
            after = await live.subscribe(lots[code])
            assert {**after, "at": 0} == {**before, "at": 0}


async def test_off_ladder_names_the_next_rung(house: House) -> None:
    """``off_ladder`` above the asking bid: still the lowest amount that could be bid now."""
    auction_id = await house.lot(ladder_only=True)
    async with signed_in(house, house.person()) as ada, signed_in(house, house.person()) as bram:
        await ada.bid(auction_id, 14_000, "a1")
        assert (await ada.bid(auction_id, 14_500, "a2"))["code"] == "off_ladder"
        off = await bram.bid(auction_id, 11_500, "b1")
        assert (off["code"], off["wouldPass"], off["askingBid"]) == ("off_ladder", 11_000, 11_000)
        assert (await bram.bid(auction_id, 11_000, "b2"))["outcome"] == "accepted"


async def test_a_leader_can_only_raise(house: House) -> None:
    """``not_a_raise``: the limit again or less, with one more as what would pass."""
    auction_id = await house.lot()
    async with signed_in(house, house.person()) as live:
        await live.bid(auction_id, 20_000, "a1")
        kinds: list[Kind] = ["bid", "max"]
        for kind in kinds:
            result = await live.bid(auction_id, 20_000, f"again-{kind}", kind=kind)
            assert (result["code"], result["status"]) == ("not_a_raise", "WINNING")
            assert result["wouldPass"] == 20_001


async def test_who_is_not_admitted(house: House) -> None:
    """An approval sale: strangers, applicants, the suspended and the declined are refused."""
    sale_id = await house.sale(registration="approval")
    auction_id = await house.lot(sale_id)
    people = {
        code: house.person() for code in ("not_registered", "pending", "suspended", "declined")
    }
    await house.wish(
        RegisterBidder(sale_id, people["pending"].consumer_id, "pending"),
        RegisterBidder(sale_id, people["suspended"].consumer_id, "suspended"),
        RegisterBidder(sale_id, people["declined"].consumer_id, "declined"),
    )
    codes = {
        "not_registered": "not_registered",
        "pending": "pending_approval",
        "suspended": "suspended",
        "declined": "not_registered",
    }
    for admission, person in people.items():
        async with signed_in(house, person) as live:
            result = await live.bid(auction_id, 10_000, "b1")
            assert (result["outcome"], result["code"]) == ("refused", codes[admission])
            assert result["wouldPass"] is None  # no amount would
            await house.wish(RegisterBidder(sale_id, person.consumer_id, "approved"))
            assert (await live.bid(auction_id, 10_000, "b1"))["code"] == codes[admission]
            fresh = await live.bid(auction_id, 100_000, "b2")
            assert fresh["outcome"] == "accepted"
            await house.wish(CancelLot(auction_id))
            auction_id = await house.lot(sale_id)


async def test_seen_tells_that_the_price_moved(house: House) -> None:
    """Refused as too low: the message differs where the price passed the amount unseen."""
    auction_id = await house.lot()
    async with following(house, auction_id, house.person()) as ada:
        async with signed_in(house, house.person()) as bram:
            await bram.bid(auction_id, 10_000, "b1")
        await ada.next_of("price")
        moved = await ada.bid(auction_id, 10_000, "a1", seen=1)
        knew = await ada.bid(auction_id, 10_000, "a2", seen=2)
        assert (moved["code"], knew["code"]) == ("below_asking_bid", "below_asking_bid")
        assert moved["wouldPass"] == knew["wouldPass"] == 11_000
        assert moved["message"] != knew["message"]
        assert "110" in moved["message"]
        assert "110" in knew["message"]


# ── The same bid again ───────────────────────────────────────────────────────────────────


async def test_the_same_bid_again_gets_the_first_answer(house: House) -> None:
    """On this connection, another, and a later one; whatever happened in between."""
    auction_id = await house.lot()
    ada = house.person()
    async with signed_in(house, ada) as live, signed_in(house, ada) as other:
        first = await live.bid(auction_id, 20_000, "c1")
        refused = await live.bid(auction_id, 15_000, "c2", kind="bid")
        async with signed_in(house, house.person()) as bram:
            await bram.bid(auction_id, 30_000, "b1")
        for line in (live, other):
            assert await line.bid(auction_id, 20_000, "c1") == first
            assert await line.bid(auction_id, 15_000, "c2", kind="bid") == refused
            assert await line.bid(auction_id, 20_000, "c1", seen=1) == first  # seen is no content
    await house.wish(CloseLot(auction_id))
    await house.until_status(auction_id, "SETTLED")
    async with following(house, auction_id, ada) as again:
        before = again.heard[-1]
        assert await again.bid(auction_id, 20_000, "c1") == first
        assert await again.bid(auction_id, 15_000, "c2", kind="bid") == refused
        assert {**await again.subscribe(auction_id), "at": 0} == {**before, "at": 0}
        assert before["you"]["bidCount"] == 1


async def test_sent_twice_at_once_it_counts_once(house: House) -> None:
    """A retry that overtakes its answer, on two connections: one effect, equal answers."""
    auction_id = await house.lot()
    ada = house.person()
    async with signed_in(house, ada) as one, signed_in(house, ada) as two:
        await asyncio.gather(
            *(line.send_bid(auction_id, 20_000, "c1") for line in (one, two, one, two))
        )
        answers = [await line.next_of("result") for line in (one, two, one, two)]
        assert all(answer == answers[0] for answer in answers)
        assert (await one.subscribe(auction_id))["you"]["bidCount"] == 1


async def test_the_same_id_with_another_content_is_a_mismatch(house: House) -> None:
    """Another amount or kind; the first answer still stands afterwards."""
    auction_id = await house.lot()
    async with signed_in(house, house.person()) as live:
        first = await live.bid(auction_id, 20_000, "c1", kind="max")
        for amount, kind in ((20_001, "max"), (20_000, "bid")):
            other = await live.bid(auction_id, amount, "c1", kind=kind)
            assert (other["outcome"], other["code"]) == ("refused", "idempotency_mismatch")
            assert other["cmdId"] == "c1"
        assert await live.bid(auction_id, 20_000, "c1", kind="max") == first


async def test_two_contents_under_one_id_in_flight(house: House) -> None:
    """Each of two bids sent at once under one id hears of its own content."""
    auction_id = await house.lot()
    async with signed_in(house, house.person()) as live:
        await live.send_bid(auction_id, 20_000, "c1")
        await live.send_bid(auction_id, 30_000, "c1")
        answers = [await live.next_of("result") for _ in range(2)]
        assert [answer["code"] for answer in answers] == [None, "idempotency_mismatch"]


async def test_an_id_is_unique_per_bidder_and_auction(house: House) -> None:
    """The same id by another bidder, or on another lot, is another bid."""
    first, second = await house.lot(), await house.lot()
    async with signed_in(house, house.person()) as ada, signed_in(house, house.person()) as bram:
        assert (await ada.bid(first, 20_000, "same"))["outcome"] == "accepted"
        assert (await ada.bid(second, 30_000, "same"))["outcome"] == "accepted"
        assert (await bram.bid(first, 40_000, "same"))["outcome"] == "accepted"


async def test_a_refusal_is_remembered_through_the_next_31(house: House) -> None:
    """The refused id gets its old answer although by now it would be accepted."""
    auction_id = await house.lot()
    ada = house.person()
    await house.wish(PauseLot(auction_id))
    async with signed_in(house, ada) as live:
        first = await live.bid(auction_id, 20_000, "c0")
        assert first["code"] == "paused"
        more = [PlaceBid(auction_id, ada.consumer_id, f"c{n}", 5_000, "bid") for n in range(1, 32)]
        await house.wish(*more, UnpauseLot(auction_id))
        assert await live.bid(auction_id, 20_000, "c0") == first
        assert (await live.bid(auction_id, 20_000, "new"))["outcome"] == "accepted"


# ── Events ───────────────────────────────────────────────────────────────────────────────


async def test_the_life_of_a_lot_in_events(house: House) -> None:
    """Opened, bid on, paused, unpaused, closed, settled: at every step the folded view is
    the fresh snapshot, and every event carries the whole public state."""
    now = await house.now()
    opens_at = now + 700
    settle_at = now + LATER_MS
    auction_id = await house.lot(
        opens_at=opens_at, closes_at=now + 100_000, settle_at=settle_at, reserve=15_000
    )
    ada, bram = house.person(), house.person()
    async with (
        following(house, auction_id) as live,
        signed_in(house, ada) as a,
        signed_in(house, bram) as b,
    ):
        view = live.heard[-1]
        assert (view["seq"], view["auction"]["status"]) == (0, "scheduled")
        assert view["auction"]["opensAt"] == opens_at

        async def step(kind: str) -> Json:
            nonlocal view
            event = await live.next()
            assert event["type"] == kind
            assert event.keys() >= STATE | {"type", "auctionId", "seq", "at"}
            view = fold(view, event)
            async with following(house, auction_id) as fresh:
                assert {**view, "at": 0} == {**fresh.heard[-1], "at": 0}, kind
            return event

        opened = await step("opened")
        assert opened["at"] >= opens_at
        await a.bid(auction_id, 12_000, "a1")
        assert (await step("price"))["reserve"] == "not_met"
        await b.bid(auction_id, 40_000, "b1")
        met = await step("price")
        assert (met["why"], met["price"], met["reserve"]) == ("reserve", 15_000, "met")
        await a.bid(auction_id, 20_000, "a2")
        proxy = await step("price")
        assert (proxy["why"], proxy["price"]) == ("proxy", 21_000)
        await house.wish(PauseLot(auction_id))
        paused = await step("paused")
        assert (paused["closesAt"], paused["status"]) == (None, "paused")
        await house.wish(UnpauseLot(auction_id))
        unpaused = await step("unpaused")
        assert unpaused["closesAt"] == now + 100_000 + unpaused["at"] - paused["at"]
        await house.wish(CloseLot(auction_id))
        closed = await step("closed")
        winner = proxy["paddle"]
        assert (closed["outcome"], closed["price"], closed["paddle"]) == ("sold", 21_000, winner)
        # Nobody has won before the settlement.
        assert (await b.subscribe(auction_id))["you"]["status"] == "WINNING"


async def test_after_settlement_the_bidders_are_told(house: House) -> None:
    """``won`` and ``lost``, personally and before the public ``settled`` of the same seq."""
    auction_id = await house.lot()
    ada, bram, idle = (house.person() for _ in range(3))
    async with (
        following(house, auction_id, ada) as a,
        following(house, auction_id, bram) as b,
        following(house, auction_id, idle) as c,
    ):
        await a.bid(auction_id, 20_000, "a1")
        await b.bid(auction_id, 30_000, "b1")
        await house.wish(CloseLot(auction_id))
        for line, word in ((a, "lost"), (b, "won")):
            closed = await line.next_of("closed")
            told, settled = [await line.next() for _ in range(2)]
            assert told == {
                "type": word,
                "auctionId": auction_id,
                "seq": settled["seq"],
                "at": settled["at"],
                "price": 21_000,
            }
            assert (settled["type"], settled["seq"]) == ("settled", closed["seq"] + 1)
            assert (await line.subscribe(auction_id))["you"]["status"] == word.upper()
        await c.next_of("settled")
        assert not [frame for frame in c.heard if frame["type"] in PERSONAL]


async def test_a_lot_that_is_passed_or_canceled(house: House) -> None:
    """Under the reserve nobody wins; canceled, everybody is LOST."""
    for end, outcome, status in (
        (CloseLot, "passed", "settled"),
        (CancelLot, "canceled", "canceled"),
    ):
        auction_id = await house.lot(reserve=50_000)
        async with following(house, auction_id, house.person()) as live:
            await live.bid(auction_id, 20_000, "a1")
            await house.wish(end(auction_id))
            closed = await live.next_of("closed")
            assert closed["outcome"] == outcome
            snapshot = await live.subscribe(auction_id)
            assert snapshot["auction"]["status"] == status
            assert snapshot["auction"]["outcome"] == ("passed" if outcome == "passed" else None)
            assert snapshot["you"]["status"] == "LOST"
            assert "lost" in [frame["type"] for frame in live.heard]
            assert "won" not in [frame["type"] for frame in live.heard]


async def test_the_soft_close(house: House) -> None:
    """A competing bid in the window extends, under the next seq, as often as the terms let
    it; a leader's raise and a refusal do not.  The result has the seq of the price."""
    now = await house.now()
    auction_id = await house.lot(
        closes_at=now + 60_000, extension_window_ms=120_000, extension_ms=90_000, max_extensions=2
    )
    async with following(house, auction_id, house.person()) as a:
        async with signed_in(house, house.person()) as b:
            view = a.heard[-1]
            result = await a.bid(auction_id, 20_000, "a1")
            price, extended = [await a.next_of("price"), await a.next()]
            assert (extended["type"], extended["extensions"]) == ("extended", 1)
            assert (result["seq"], price["seq"], extended["seq"]) == (2, 2, 3)
            assert price["closesAt"] == now + 60_000
            assert extended["closesAt"] == result["at"] + 90_000
            view = fold(fold(view, price), extended)
            await a.bid(auction_id, 25_000, "a2")  # her own raise
            await b.bid(auction_id, 5_000, "b0")  # refused
            assert not public_of(await a.drain(), auction_id)
            await b.bid(auction_id, 21_000, "b1")  # a proxy reply extends as well
            assert [(await a.next())["type"] for _ in range(2)] == ["price", "extended"]
            await b.bid(auction_id, 23_000, "b2")  # the third: no more
            assert [f["type"] for f in await a.drain()] == ["price"]
        for event in public_of(a.heard, auction_id)[2:]:
            view = fold(view, event)
        assert view["auction"]["extensions"] == 2
        assert {**view, "at": 0, "you": 0} == {
            **await a.subscribe(auction_id),
            "type": "snapshot",
            "at": 0,
            "you": 0,
        }


# ── Merging ──────────────────────────────────────────────────────────────────────────────


async def test_fast_prices_are_merged_for_all_alike(house: House) -> None:
    """The first at once, later ones together: every subscriber reads the same bytes, which
    cover every seq once."""
    auction_id = await house.lot(increments=type(STEPS)((0,), (1,)))
    ada, bram = house.person(), house.person()
    async with (
        following(house, auction_id) as one,
        following(house, auction_id) as two,
        following(house, auction_id, ada) as own,
    ):
        for start in range(10_000, 10_400, 20):
            await house.wish(
                *bids(auction_id, range(start, start + 20), ada.consumer_id, bram.consumer_id)
            )
        await asyncio.gather(*(line.until_seq(auction_id, 401) for line in (one, two)))
        mine = await own.until_seq(auction_id, 401)
        assert one.raw[2:] == two.raw[2:]  # but for the welcome and the snapshot
        events = public_of(one.heard, auction_id)
        assert mine == events
        assert "merged" not in events[0]
        assert seqs_covered(events) == list(range(2, 402))
        merged = [event["merged"] for event in events if "merged" in event]
        assert merged
        assert min(merged) >= 2
        view = one.heard[1]
        for event in events:
            view = fold(view, event)
        assert view["auction"]["price"] == 10_399
        # Personal events are never merged.
        told = [f["seq"] for f in own.heard if f["type"] in PERSONAL]
        assert told == list(range(2, 402))


async def test_any_other_event_first_sends_the_price_that_waits(house: House) -> None:
    """Bids and a pause in one breath: price, the rest merged, then the pause."""
    auction_id = await house.lot()
    ada, bram = house.person(), house.person()
    async with following(house, auction_id) as live:
        three = bids(auction_id, range(10_000, 13_000, 1_000), ada.consumer_id, bram.consumer_id)
        await house.wish(*three, PauseLot(auction_id))
        events = await live.until_seq(auction_id, 5)
        assert [(e["type"], e["seq"], e.get("merged")) for e in events] == [
            ("price", 2, None),
            ("price", 4, 2),
            ("paused", 5, None),
        ]
        assert events[1]["price"] == 12_000
        assert events[1]["bidCount"] == 3


async def test_one_price_that_waited_alone_is_not_called_merged(house: House) -> None:
    """``merged`` is at least 2."""
    auction_id = await house.lot()
    ada, bram = house.person(), house.person()
    async with following(house, auction_id) as live:
        await house.wish(
            *bids(auction_id, range(10_000, 12_000, 1_000), ada.consumer_id, bram.consumer_id)
        )
        events = await live.until_seq(auction_id, 3)
        assert [(event["seq"], "merged" in event) for event in events] == [(2, False), (3, False)]


async def test_subscribing_in_the_middle_of_a_merge(house: House) -> None:
    """Whenever a reader comes, snapshot and events meet without a hole or a repeat."""
    auction_id = await house.lot(increments=type(STEPS)((0,), (1,)))
    ada, bram = house.person(), house.person()

    async def storm() -> None:
        for start in range(10_000, 10_600, 6):
            await house.wish(
                *bids(auction_id, range(start, start + 6), ada.consumer_id, bram.consumer_id)
            )
            await asyncio.sleep(0.005)

    async def come() -> None:
        async with following(house, auction_id) as live:
            snapshot = live.heard[-1]
            events = await live.until_seq(auction_id, 601)
            assert seqs_covered(events) == list(range(snapshot["seq"] + 1, 602))

    async def come_later(delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        await come()

    await asyncio.gather(storm(), *(come_later(0.023 * number) for number in range(20)))


async def test_subscribing_while_a_price_waits_and_a_pause_comes(house: House) -> None:
    """The snapshot that had to wait for the price is taken after the pause: it has it, and
    it is not told again."""
    auction_id = await house.lot()
    ada, bram = house.person(), house.person()
    async with following(house, auction_id) as live, signed_in(house) as late:
        two = bids(auction_id, range(10_000, 12_000, 1_000), ada.consumer_id, bram.consumer_id)
        await house.wish(*two)
        await live.next_of("price")  # the second one waits now
        await late.send(type="subscribe", auctionId=auction_id)
        await house.wish(PauseLot(auction_id), UnpauseLot(auction_id))
        await live.until_seq(auction_id, 5)
        heard = await late.drain()
        assert heard[0]["type"] == "snapshot"
        assert seqs_covered(heard[1:]) == list(range(heard[0]["seq"] + 1, 6))


# ── Time ─────────────────────────────────────────────────────────────────────────────────


async def test_ping_and_pong(house: House) -> None:
    """The same number back, with the log's time."""
    async with signed_in(house) as live:
        for t in (0, -5, 2**53):
            await live.send(type="ping", t=t)
            pong = await live.next()
            assert list(pong) == ["type", "t", "now"]
            assert (pong["type"], pong["t"]) == ("pong", t)
            assert abs(pong["now"] - await house.now()) < 1_000


class StuckPeer:
    """A connection that asks for a megabyte and never reads a byte of it."""

    def __init__(self, house: House) -> None:
        auction_id = asyncio.run(self._noisy_lot(house))
        self.raw = RawSocket(house, receive_buffer=8_192)
        self.raw.hello(house)
        ask = {"type": "subscribe", "auctionId": auction_id, "lineage": self.lineage, "seq": 0}
        self.raw.send_json(ask)

    async def _noisy_lot(self, house: House) -> str:
        auction_id = await house.lot()
        async with following(house, auction_id) as live:
            self.lineage: str = live.heard[-1]["lineage"]
            await many_events(house, live, auction_id)
        return auction_id


class MutePeer:
    """A connection that answers no ping, listening in a thread of its own."""

    def __init__(self, house: House) -> None:
        self.raw = RawSocket(house)
        self.raw.socket.settimeout(40)
        self.raw.hello(house)
        self.began = time.monotonic()
        self.frames: list[tuple[float, int]] = []
        self.cut_after = 0.0
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self) -> None:
        try:
            while True:
                opcode, _ = self.raw.frame()
                self.frames.append((time.monotonic() - self.began, opcode))
        except (AssertionError, OSError):
            self.cut_after = time.monotonic() - self.began


@pytest.fixture(scope="module", autouse=True)
def mute_peer(house: House) -> Iterator[MutePeer]:
    """Begins with the module and is asked at its end, so that nobody waits for it."""
    peer = MutePeer(house)
    stuck = StuckPeer(house)
    yield peer
    for raw in (peer.raw, stuck.raw):
        raw.socket.close()
    peer.thread.join(5)


# ── Limits ───────────────────────────────────────────────────────────────────────────────


async def test_too_many_messages(house: House) -> None:
    """A burst of 20; the next is told when to go on, which then works; again is the end."""
    async with signed_in(house) as live:
        answers: list[Json] = []
        while not answers or answers[-1]["type"] == "pong":
            await live.send(type="ping", t=len(answers))
            answers.append(await live.next())
        assert 20 <= len(answers) <= 25  # the hello was one; some may have been refilled
        assert answers[-1]["code"] == "rate_limited"
        assert 0 < answers[-1]["retryAfterMs"] <= 101
        await asyncio.sleep(answers[-1]["retryAfterMs"] / 1000)
        await live.send(type="ping", t=99)
        assert (await live.next())["t"] == 99
        for t in range(10):
            await live.send(type="ping", t=t)
        assert (await live.closed())[0] == 1008


async def test_a_bid_that_is_one_message_too_many_is_named(house: House) -> None:
    """``rate_limited`` repeats the bid's ids, whichever of the two rates was exceeded."""
    auction_id = await house.lot()
    async with signed_in(house, house.person()) as live:
        for t in range(19):
            await live.send(type="ping", t=t)
        await live.send_bid(auction_id, 10_000, "late")
        await live.send_bid(auction_id, 10_000, "late")
        error = await live.next_of("error")
        assert error["code"] == "rate_limited"
        assert error["retryAfterMs"] > 0
        assert (error.get("cmdId"), error.get("auctionId")) == ("late", auction_id)


async def test_bids_are_counted_by_account(house: House) -> None:
    """Ten at once over two connections together, REST as well; then ``rate_limited`` with
    the bid's ids, and the id is unused."""
    auction_id = await house.lot()
    ada = house.person()
    async with signed_in(house, ada) as one, signed_in(house, ada) as two:
        for number in range(10):
            line = (one, two)[number % 2]
            await line.send_bid(auction_id, 10_000 + number, f"c{number}")
        assert house.bid(auction_id, ada, {"amount": 500}).status_code in (200, 429)
        limited: list[Json] = []
        accepted = 0
        for number in range(20, 26):
            answer = await one.bid(auction_id, 50_000 + number, f"c{number}")
            if answer["type"] == "error":
                limited.append(answer)
                break
            accepted += 1
        assert accepted <= 3
        [error] = limited
        assert error["code"] == "rate_limited"
        assert error["auctionId"] == auction_id
        assert error["retryAfterMs"] > 0
        rest = house.bid(auction_id, ada, {"amount": 700})
        assert rest.status_code == 429
        await asyncio.sleep(0.25)
        again = await two.bid(auction_id, 60_000, error["cmdId"])
        assert again["outcome"] == "accepted"


async def test_five_connections_an_account(house: House) -> None:
    """The sixth is told and closed; the five go on; when one has gone another may come."""
    ada = house.person()
    lines: list[Live] = []
    async with connected(house) as sixth:
        contexts = [signed_in(house, ada) for _ in range(5)]
        lines += [await context.__aenter__() for context in contexts]
        await sixth.send(type="hello", key=house.keys.publishable_key, token=ada.token)
        assert (await sixth.closed())[0] == 1008
        assert "rate_limited" in [frame.get("code") for frame in sixth.heard]
        for line in lines:
            assert await line.drain() == []
        await contexts[0].__aexit__(None, None, None)
        await asyncio.sleep(0.1)
        async with connected(house) as another:
            assert (await another.hello(house, ada))["type"] == "welcome"
        for context in contexts[1:]:
            await context.__aexit__(None, None, None)


async def test_fifty_connections_an_address(house: House) -> None:
    """The fifty-first is turned away, and one may come when one has gone."""
    address = ("127.0.0.77", 0)  # nobody else's
    contexts = [connected(house, local_addr=address) for _ in range(50)]
    for context in contexts:
        await context.__aenter__()
    with pytest.raises(Exception, match="503"):
        await connected(house, local_addr=address).__aenter__()
    async with signed_in(house):
        pass  # other addresses are not concerned
    await contexts[0].__aexit__(None, None, None)
    await asyncio.sleep(0.1)
    async with signed_in(house, local_addr=address):
        pass
    await asyncio.gather(*(context.__aexit__(None, None, None) for context in contexts[1:]))


async def many_events(house: House, live: Live, auction_id: str) -> list[Json]:
    """5,000 events, 1.2 MB, at a pace at which this reader keeps up; prices would be merged."""
    events: list[Json] = []
    nap: list[Command] = [PauseLot(auction_id), UnpauseLot(auction_id)]
    for done in range(200, 5_001, 200):
        await house.wish(*(nap * 100))
        events += await live.until_seq(auction_id, done + 1)
    return events


def test_a_reader_that_does_not_read(house: House) -> None:
    """It is closed with 4008 and resumes without a hole; others never notice."""
    asyncio.run(_slow_reader(house))


async def _slow_reader(house: House) -> None:
    auction_id = await house.lot()
    with RawSocket(house, receive_buffer=8_192) as slow:
        slow.hello(house)
        slow.send_json({"type": "subscribe", "auctionId": auction_id})
        snapshot = slow.frame_json()
        async with following(house, auction_id, house.person()) as live:
            events = await many_events(house, live, auction_id)
            assert seqs_covered(events) == list(range(2, 5_002))
            assert (await live.bid(auction_id, 10_000, "a1"))["outcome"] == "accepted"
        frames = await asyncio.to_thread(slow.frames_until_close)
    assert int.from_bytes(frames[-1][1][:2]) == 4008
    seen = [json.loads(payload)["seq"] for opcode, payload in frames if opcode == TEXT]
    assert seen == list(range(snapshot["seq"] + 1, seen[-1] + 1))
    assert 256 * 1024 < sum(len(payload) for _, payload in frames) < 1_000_000
    async with signed_in(house) as again:
        await again.subscribe(auction_id, lineage=snapshot["lineage"], seq=seen[-1])
        rest = await again.until_seq(auction_id, 5_002)
        assert seqs_covered(rest) == list(range(seen[-1] + 1, 5_003))


def test_a_slow_reader_may_resume_at_its_own_pace(house: House) -> None:
    """A resume of much more than the queue limit, read late: it is not closed for that."""
    asyncio.run(_slow_resume(house))


async def _slow_resume(house: House) -> None:
    auction_id = await house.lot()
    async with following(house, auction_id) as live:
        lineage = live.heard[-1]["lineage"]
        nap: list[Command] = [PauseLot(auction_id), UnpauseLot(auction_id)]
        await many_events(house, live, auction_id)
        with RawSocket(house, receive_buffer=8_192) as slow:
            slow.hello(house)
            slow.send_json(
                {"type": "subscribe", "auctionId": auction_id, "lineage": lineage, "seq": 0}
            )
            await asyncio.sleep(1)
            await house.wish(*nap)  # goes on meanwhile
            await live.until_seq(auction_id, 5_003)

            def read() -> list[int]:
                assert slow.frame_json()["missed"] == 5_001
                return [slow.frame_json()["seq"] for _ in range(5_003)]

            assert await asyncio.to_thread(read) == list(range(1, 5_004))
            # It has caught up, and reads with the others now.
            await house.wish(PauseLot(auction_id))
            assert (await asyncio.to_thread(slow.frame_json))["seq"] == 5_004


@pytest.mark.parametrize("noise", ["events", "pongs"])
def test_a_resume_excuses_nothing_else(house: House, noise: str) -> None:
    """Whoever reads nothing during a resume is closed with 4008 when what came beside it is
    more than the queue limit: events of another lot, or the pongs they asked for."""
    asyncio.run(_slow_in_a_resume(house, noise))


async def _slow_in_a_resume(house: House, noise: str) -> None:
    past, present = await house.lot(), await house.lot()
    async with following(house, past) as live:
        lineage = live.heard[-1]["lineage"]
        await many_events(house, live, past)
        with RawSocket(house, receive_buffer=8_192) as slow:
            slow.hello(house)
            slow.send_json({"type": "subscribe", "auctionId": present})
            assert slow.frame_json()["type"] == "snapshot"
            slow.send_json({"type": "subscribe", "auctionId": past, "lineage": lineage, "seq": 0})
            assert slow.frame_json()["type"] == "resumed"
            await asyncio.sleep(0.3)  # its queue is full now, and it is not closed for that
            if noise == "events":
                await live.subscribe(present)
                await many_events(house, live, present)
            else:
                slow.send(framed(PING, b"x" * 125) * 4_000)
            frames = await asyncio.to_thread(slow.frames_until_close)
    assert int.from_bytes(frames[-1][1][:2]) == 4008
    beside = [p for opcode, p in frames if opcode == PONG or present.encode() in p]
    assert 200_000 < sum(map(len, beside)) < 400_000


async def test_a_lot_opened_by_command_alone(house: House) -> None:
    """No instant is printed for its opening; it opens, and the folded view is the fresh one."""
    now = await house.now()
    auction_id = await house.lot(opens_at=None, closes_at=now + FAR_MS)
    async with following(house, auction_id) as live:
        view = live.heard[-1]
        assert (view["auction"]["status"], view["auction"]["opensAt"]) == ("draft", None)
        await house.wish(OpenLot(auction_id))
        view = fold(view, await live.next_of("opened"))
        assert {**await live.subscribe(auction_id), "at": 0} == {**view, "at": 0}


def test_a_mute_peer_is_pinged_and_dropped(mute_peer: MutePeer) -> None:
    """A WebSocket ping after 15 s, and the end 8 s later for a peer that stays silent."""
    mute_peer.thread.join(30)
    assert not mute_peer.thread.is_alive()
    pinged = [at for at, opcode in mute_peer.frames if opcode == PING]
    assert len(pinged) == 1
    assert 14 < pinged[0] < 17
    assert 7 < mute_peer.cut_after - pinged[0] < 10
    assert {opcode for _, opcode in mute_peer.frames} <= {PING, CLOSE}


def test_a_stuck_peer_is_cut_off_too(house: House, mute_peer: MutePeer) -> None:
    """Somebody who has stopped reading altogether holds no connection for ever, although
    what was written to them can never be delivered."""
    mute_peer.thread.join(30)
    until(lambda: "fairwarning_connections 0.0" in house.web.get("/metrics").text, "an empty room")


# ── Formats, and what the house changes ──────────────────────────────────────────────────


async def test_a_change_is_told_with_what_has_changed(house: House) -> None:
    """``updated`` names what is another now; the folded view is the fresh one."""
    now = await house.now()
    opens_at, closes_at = now - 1_000, now + FAR_MS
    auction_id = await house.lot(reserve=50_000, opens_at=opens_at, closes_at=closes_at)
    terms = Terms(10_000, STEPS, 20_000, opens_at=opens_at, closes_at=closes_at + 60_000)
    ada = house.person()
    async with following(house, auction_id, ada) as live:
        view = live.heard[-1]
        await live.bid(auction_id, 30_000, "a1")
        view = fold(view, await live.next_of("price"))
        await house.wish(UpdateLot(auction_id, 0, terms, Catalogue("215", "Moon jar")))
        updated = await live.next_of("updated")
        assert updated["changed"] == {
            "name": "Moon jar",
            "lotNumber": "215",
            "price": 20_000,
            "askingBid": 21_000,
            "reserve": "met",
            "closesAt": closes_at + 60_000,
        }
        fresh = await live.subscribe(auction_id)
        assert fold(view, updated)["auction"] == fresh["auction"]


async def test_a_falling_price_is_followed_and_taken(house: House) -> None:
    """What is asked falls by updates; a bid without a kind takes it, and the lot is sold."""
    dutch: Json = {"format": "dutch", "floor": 20_000, "drop": 10_000, "drop_interval_ms": 150}
    auction_id = await house.lot(opening=90_000, opens_at=await house.now() + 300, **dutch)
    async with following(house, auction_id, house.person()) as live:
        asked = [(await live.next_of("updated"))["changed"]["askingBid"] for _ in range(2)]
        assert asked == sorted(asked, reverse=True)
        result = await live.bid(auction_id, 90_000, "a1")
        assert (result["outcome"], result["status"]) == ("accepted", "WINNING")
        assert result["price"] <= asked[-1]
        closed = await live.next_of("closed")
        assert (closed["outcome"], closed["price"]) == ("sold", result["price"])
        won = await live.next_of("won")
        assert won["price"] == result["price"]


async def test_no_limit_where_each_bids_once(house: House) -> None:
    """``max`` is invalid there, and its cmdId is unused; a second bid is ``already_bid``."""
    auction_id = await house.lot(format="one_bid", winner_count=2)
    async with signed_in(house, house.person()) as live:
        error = await live.bid(auction_id, 20_000, "a1", kind="max")
        assert (error["type"], error["code"]) == ("error", "invalid")
        assert (await live.bid(auction_id, 20_000, "a1"))["status"] == "WINNING"
        again = await live.bid(auction_id, 30_000, "a2")
        assert (again["outcome"], again["code"]) == ("refused", "already_bid")
        assert again["wouldPass"] is None


async def test_a_lot_is_withdrawn_while_it_is_watched(house: House) -> None:
    """Everybody who follows it is told; from then on there is no such lot."""
    auction_id = await house.lot(opens_at=None)
    async with following(house, auction_id) as live:
        await house.wish(RemoveLot(auction_id))
        closed = await live.next_of("closed")
        assert (closed["outcome"], closed["status"]) == ("withdrawn", "canceled")
        assert (await live.subscribe(auction_id))["code"] == "not_found"
