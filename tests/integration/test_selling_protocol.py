"""Selling live as the contract words it, by a console that knows nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import httpx
import pytest

from tests.integration.desk import Desk
from tests.integration.live import following, public_of, signed_in
from tests.integration.open_house import House
from tests.integration.rostrum import agrees, console, lots_of
from tests.processes import CHECKOUT

SETTINGS = {"PRICE_MERGE_MS": "0", "MESSAGE_RATE": "0", "BID_RATE": "0"}


@pytest.fixture(scope="module")
def desk(house: House) -> Desk:
    return Desk.of(house)


def typed(frames: list[dict[str, Any]], auction_id: str) -> list[str]:
    """The types of the public events of a lot."""
    return [frame["type"] for frame in public_of(frames, auction_id)]


# ── Selling ──────────────────────────────────────────────────────────────────────────────


async def test_a_lot_is_sold_room_phone_and_online(house: House, desk: Desk) -> None:
    """Open, bids of every channel, an ask, a step, calls, a held hammer, and the fall."""
    [lot] = lots_of(desk, 1)
    ada = house.person()
    async with (
        console(house, lot) as rostrum,
        signed_in(house, ada) as bidder,
        following(house, lot) as watcher,
    ):
        first = watcher.heard[-1]
        assert (first["auction"]["format"], first["auction"]["phase"]) == ("live", None)
        shown = await rostrum.until_desk(lot)
        assert (shown["control"], shown["ring"], shown["autoAccept"]) == (None, None, True)
        opened = await rostrum.does(lot, "open")
        assert opened["askingBid"] == 10_000
        shown = await rostrum.until_desk(lot, ring=lot)
        assert shown["control"]["session"] == rostrum.session
        assert shown["control"]["name"]
        room = await rostrum.does(lot, "bid", channel="room", amount=10_000)
        assert room["bidId"].startswith("bid_")
        mine = await bidder.bid(lot, 11_000, "a1", kind="bid")
        assert (mine["outcome"], mine["status"]) == ("accepted", "WINNING")
        await rostrum.does(lot, "ask", amount=12_500)
        low = await rostrum.act(lot, "ask", amount=11_000)
        assert (low["code"], low["wouldPass"]) == ("below_asking_bid", 11_001)
        await rostrum.does(lot, "step", amount=500)
        phone = await rostrum.does(lot, "bid", channel="phone", amount=13_000, paddle=312)
        assert phone["price"] == 13_000
        await rostrum.does(lot, "fair_warning")
        mine = await bidder.bid(lot, 14_000, "a2", kind="bid")
        held = await rostrum.act(lot, "hammer", paddle=312, price=13_000, seen=phone["seq"])
        assert (held["outcome"], held["code"]) == ("refused", "held")
        paddle = (await bidder.subscribe(lot))["you"]["paddle"]
        assert await rostrum.refused(lot, "hammer", paddle=312, price=14_000) == "moved"
        await rostrum.does(lot, "final_call")
        await rostrum.does(lot, "message", text="With its box.")
        await rostrum.does(lot, "hammer", paddle=paddle, price=14_000)
        now = await agrees(watcher, lot, first)
        assert (now["auction"]["status"], now["auction"]["outcome"]) == ("closed", "sold")
        assert (now["auction"]["channel"], now["auction"]["paddle"]) == ("online", paddle)
        assert typed(watcher.heard, lot) == [
            "opened", "price", "price", "updated", "updated", "price", "fair_warning", "price",
            "final_call", "message", "closed",
        ]  # fmt: skip
        channels = [f["channel"] for f in watcher.heard if f["type"] == "price"]
        assert channels == ["room", "online", "phone", "online"]
        shown = await rostrum.until_desk(lot, ring=None)
        assert shown["sale"] == {"lots": 1, "sold": 1, "passed": 0, "hammerTotal": 14_000}
        desk.post(f"auctions/{lot}/settle")
        assert (await bidder.next_of("won", "lost"))["type"] == "won"


async def test_left_bids_and_the_reserve(house: House, desk: Desk) -> None:
    """Left before the opening and carried out at it; nobody reads a limit, the house alone the
    reserve; under it a sale needs a reason."""
    [lot] = lots_of(desk, 1, reservePrice=9_000)
    ada, bram = house.person(), house.person()
    async with (
        console(house, lot) as rostrum,
        following(house, lot, ada) as one,
        following(house, lot, bram) as other,
        following(house, lot) as watcher,
    ):
        first = watcher.heard[-1]
        exact = await one.bid(lot, 10_000, "a0", kind="bid")
        assert exact["code"] == "not_open_yet"
        left = await one.bid(lot, 777_777, "a1", kind="max")
        assert (left["outcome"], left["status"]) == ("accepted", "ACTIVE")
        await other.bid(lot, 333_331, "b1", kind="max")
        shown = await rostrum.until_desk(lot, leftBids={"count": 2, "next": 10_000})
        assert shown["reserve"] == 900_000
        await rostrum.does(lot, "open")
        price = await watcher.next_of("price")
        assert (price["price"], price["channel"], price["reserve"]) == (334_331, "left", "not_met")
        winning = await one.next_of("winning")
        assert winning["max"] == 777_777
        paddle = price["paddle"]
        strike = {"paddle": paddle, "price": 334_331}
        assert await rostrum.refused(lot, "hammer", **strike) == "reason_required"
        assert await rostrum.refused(lot, "lower_reserve", amount=950_000) == "invalid"
        await rostrum.does(lot, "lower_reserve", amount=300_000)
        await rostrum.does(lot, "hammer", **strike)
        await agrees(watcher, lot, first)
        for whose, line in (("ada", one), ("bram", other), ("nobody", watcher)):
            told = "\n".join(line.raw)
            assert "900000" not in told, whose
            assert ("777777" in told) == (whose == "ada"), whose
            assert "333331" not in told, whose  # a limit that was passed is told to nobody again
        seen = "\n".join(rostrum.raw)
        assert "777777" not in seen
        assert "333331" not in seen
        assert "cons_" not in seen


async def test_bids_by_hand(house: House, desk: Desk) -> None:
    """They wait, by socket and by REST; taken, refused with its reason, or passed by the price:
    one personal word each."""
    [lot] = lots_of(desk, 1)
    ada, bram = house.person(), house.person()
    async with (
        console(house, lot) as rostrum,
        following(house, lot, ada) as one,
        signed_in(house, bram) as other,
    ):
        await rostrum.does(lot, "open")
        await rostrum.does(lot, "auto_accept", on=False)
        waiting = await one.bid(lot, 10_000, "a1", kind="bid")
        assert (waiting["outcome"], waiting["status"], waiting["code"]) == (
            "waiting", "ACTIVE", None,
        )  # fmt: skip
        again = await one.bid(lot, 10_000, "a1", kind="bid")
        assert again == waiting
        second = await one.bid(lot, 11_000, "a2", kind="bid")
        assert second["code"] == "already_bid"
        answer = house.bid(lot, bram, {"amount": 105.0}, Idempotency_Key="b1")
        assert answer.status_code == 202
        body = answer.json()
        assert (body["status"], body["waiting"]) == ("ACTIVE", True)
        while len((await rostrum.until_desk(lot))["waiting"]) < 2:
            await rostrum.next()
        named = {bid["bidId"]: bid["amount"] for bid in rostrum.desks[lot]["waiting"]}
        assert named == {waiting["bidId"]: 10_000, body["bidId"]: 10_500}
        assert await rostrum.refused(lot, "refuse", bidId=body["bidId"]) == "reason_required"
        await rostrum.does(lot, "refuse", bidId=body["bidId"], reason="called too late")
        word = await other.next_of("decided")
        assert (word["bidId"], word["outcome"], word["code"]) == (
            body["bidId"], "refused", "refused",
        )  # fmt: skip
        assert "called too late" in word["message"]
        taken = await rostrum.does(lot, "take", bidId=waiting["bidId"])
        assert (taken["bidId"], taken["price"]) == (waiting["bidId"], 10_000)
        word = await one.next_of("decided")
        assert (word["outcome"], word["cmdId"], word["seq"]) == ("accepted", "a1", taken["seq"])
        assert (await one.next_of("winning"))["price"] == 10_000
        settled = await one.bid(lot, 10_000, "a1", kind="bid")
        assert (settled["outcome"], settled["status"]) == ("accepted", "WINNING")
        await other.bid(lot, 11_000, "b2", kind="bid")
        await rostrum.does(lot, "bid", channel="room", amount=12_000)
        word = await other.next_of("decided")
        assert (word["outcome"], word["code"]) == ("refused", "below_asking_bid")
        gone = await rostrum.act(lot, "take", bidId=word["bidId"])
        assert gone["code"] == "not_found"


# ── Back again ───────────────────────────────────────────────────────────────────────────


async def test_undo_reinstate_and_reopen_after_next(house: House, desk: Desk) -> None:
    """Nobody leads after an undo; a bid is reinstated; a lot that was sold comes back while
    another is in the ring, which is sent away with its bids."""
    first_lot, second_lot = lots_of(desk, 2)
    ada = house.person()
    async with (
        console(house, first_lot, second_lot) as rostrum,
        following(house, first_lot, ada) as bidder,
        following(house, first_lot) as watcher,
    ):
        start = watcher.heard[-1]
        await rostrum.does(first_lot, "open")
        await rostrum.does(first_lot, "bid", channel="room", amount=10_000, paddle=412)
        mine = await bidder.bid(first_lot, 11_000, "a1", kind="bid")
        await rostrum.does(first_lot, "bid", channel="room", amount=12_000, paddle=412)
        assert await rostrum.refused(first_lot, "undo", toSeq=2) == "reason_required"
        await rostrum.does(first_lot, "undo", toSeq=2, reason="misheard")
        undone = await watcher.next_of("undone")
        assert (undone["toSeq"], undone["reason"], undone["paddle"]) == (2, "misheard", None)
        assert undone["price"] == 10_000
        shown = await rostrum.until_desk(first_lot, seq=undone["seq"])
        states = [(bid["amount"], bid["state"]) for bid in shown["bids"]]
        assert states == [(12_000, "undone"), (11_000, "undone"), (10_000, "standing")]
        named = shown["bids"][1]["bidId"]
        back = await rostrum.does(first_lot, "reinstate", bidId=named, reason="it was theirs")
        assert back["bidId"] == named
        price = await watcher.next_of("price")
        while price["why"] != "reinstated":
            price = await watcher.next_of("price")
        assert (price["price"], price["channel"]) == (11_000, "online")
        assert (await bidder.next_of("winning"))["seq"] >= mine["seq"]
        paddle = price["paddle"]
        await rostrum.does(first_lot, "hammer", paddle=paddle, price=11_000)
        await rostrum.does(second_lot, "open")
        await rostrum.does(second_lot, "bid", channel="phone", amount=20_000, paddle=5)
        assert await rostrum.refused(first_lot, "reopen") == "reason_required"
        await rostrum.does(first_lot, "reopen", reason="a bid was missed")
        reopened = await watcher.next_of("reopened")
        assert (reopened["reason"], reopened["price"], reopened["paddle"]) == (
            "a bid was missed", 11_000, paddle,
        )  # fmt: skip
        await rostrum.until_desk(second_lot, ring=first_lot)
        other = await watcher.subscribe(second_lot)
        assert (other["auction"]["status"], other["auction"]["price"]) == ("paused", 20_000)
        assert await rostrum.refused(second_lot, "fair_warning") == "not_current_lot"
        await rostrum.does(first_lot, "sell_subject")
        await rostrum.does(second_lot, "open")
        await rostrum.does(second_lot, "skip")
        await rostrum.does(first_lot, "pass")
        now = await agrees(watcher, first_lot, start)
        assert now["auction"]["outcome"] == "passed"
        await rostrum.does(second_lot, "withdraw", reason="damaged")
        other = await watcher.subscribe(second_lot)
        assert (other["auction"]["status"], other["auction"]["outcome"]) == ("closed", "withdrawn")


# ── Consoles ─────────────────────────────────────────────────────────────────────────────


async def test_two_consoles_and_one_that_is_lost(house: House, desk: Desk) -> None:
    """Only one sells; the other takes over; an act is done once on whatever connection it
    comes; and who loses the line loses control."""
    [lot] = lots_of(desk, 1)
    async with console(house, lot) as watching:
        async with console(house, lot) as rostrum:
            await rostrum.does(lot, "open")
            bid = {"channel": "room", "amount": 10_000}
            first = await rostrum.act(lot, "bid", cmd_id="once", **bid)
            assert await watching.refused(lot, "fair_warning") == "not_in_control"
            again = await watching.act(lot, "bid", cmd_id="once", **bid)
            assert again == first  # word for word, and no second bid
            other = await watching.act(lot, "bid", cmd_id="once", channel="room", amount=11_000)
            assert other["code"] == "idempotency_mismatch"
            shown = await watching.until_desk(lot, seq=first["seq"])
            assert shown["control"]["session"] == rostrum.session
            await watching.does(lot, "take_over")
            assert await rostrum.refused(lot, "pause") == "not_in_control"
            await rostrum.does(lot, "take_over")
        shown = await watching.until_desk(lot, control=None)
        await watching.does(lot, "pause")
        while (control := watching.desks[lot]["control"]) is None:
            await watching.next()
        assert control["session"] == watching.session


async def test_the_browsers_console_has_a_ticket(house: House, desk: Desk) -> None:
    """Whoever is signed in at the desk gets one, once; nobody else, and no other site."""
    [lot] = lots_of(desk, 1)
    with httpx.Client(base_url=house.url, trust_env=False, timeout=20) as browser:
        assert browser.post("/console/ticket").status_code == 401
        form = {"key": house.keys.operator_key}
        browser.post("/admin/objects/sign-in", data=form)
        foreign = browser.post("/console/ticket", headers={"Origin": "https://elsewhere.test"})
        assert foreign.status_code == 401
        answer = browser.post("/console/ticket")
        assert answer.status_code == 200, answer.text
    ticket = answer.json()["ticket"]
    async with console(house, lot, ticket=ticket) as rostrum:
        await rostrum.does(lot, "open")
        shown = await rostrum.until_desk(lot, ring=lot)
        assert shown["control"]["name"] == "operator key of keys.json"
    async with signed_in(house) as spectator:
        error = await _act_of_somebody(spectator, lot)
        assert error["code"] == "unauthorized"


async def _act_of_somebody(line: Any, lot: str) -> Any:
    await line.send(type="act", cmdId="x1", auctionId=lot, act="pass")
    return await line.next_of("error")


async def test_fingers_and_who_is_there(house: House, desk: Desk) -> None:
    """A paddle's finger, until it is lifted or its line is gone; and how many follow."""
    [lot] = lots_of(desk, 1)
    ada = house.person()
    async with console(house, lot) as rostrum, following(house, lot):
        await rostrum.does(lot, "open")
        async with following(house, lot, ada) as bidder:
            await bidder.bid(lot, 10_000, "a1", kind="bid")
            paddle = (await bidder.subscribe(lot))["you"]["paddle"]
            await bidder.send(type="finger", auctionId=lot, on=True)
            finger = await rostrum.next_of("finger")
            assert (finger["paddle"], finger["on"]) == (paddle, True)
            await rostrum.until_desk(lot, connected=2, canBid=1, heard=1)
        finger = await rostrum.next_of("finger")
        assert (finger["paddle"], finger["on"]) == (paddle, False)
        await rostrum.until_desk(lot, connected=1, canBid=0)


async def test_resuming_over_what_only_a_rostrum_does(house: House, desk: Desk) -> None:
    """From every seq on: each later event, and the bidder's own words with them."""
    [lot] = lots_of(desk, 1)
    ada = house.person()
    async with console(house, lot) as rostrum, following(house, lot, ada) as bidder:
        snapshot = bidder.heard[-1]
        await rostrum.does(lot, "open")
        await rostrum.does(lot, "auto_accept", on=False)
        waiting = await bidder.bid(lot, 10_000, "a1", kind="bid")
        await rostrum.does(lot, "take", bidId=waiting["bidId"])
        await rostrum.does(lot, "bid", channel="room", amount=11_000)
        waiting = await bidder.bid(lot, 12_000, "a2", kind="bid")
        await rostrum.does(lot, "refuse", bidId=waiting["bidId"], reason="not heard")
        await rostrum.does(lot, "undo", toSeq=2, reason="misheard")
        await rostrum.does(lot, "fair_warning")
        await rostrum.does(lot, "message", text="Going")
        done = await rostrum.does(lot, "pass")
        await bidder.until_seq(lot, done["seq"])
        told = [f for f in bidder.heard if f["type"] != "result" and "seq" in f][1:]
        assert [f["type"] for f in told if f["type"] == "decided"] == ["decided", "decided"]
        for seq in range(done["seq"]):
            async with signed_in(house, ada) as again:
                lineage = snapshot["lineage"]
                resumed = await again.subscribe(lot, lineage=lineage, seq=seq)
                assert (resumed["type"], resumed["missed"]) == ("resumed", done["seq"] - seq)
                await again.until_seq(lot, done["seq"])
                missed = again.heard[2:]
            later = [f for f in told if f["seq"] > seq]
            assert [f for f in missed if f["seq"] > seq] == later, seq


def test_the_audit_agrees_with_the_evening(house: House) -> None:
    """Every act and bid of this house is decided again, and every row written again."""
    command = [sys.executable, "-m", "gateway.audit"]
    audit = subprocess.run(
        command, env=house.environ(), cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert json.dumps(audit.stdout).count("decisions") == 1


async def test_an_act_is_named_where_it_is_wrong(house: House, desk: Desk) -> None:
    """Unknown acts and fields are invalid, unknown lots and bids not found; nothing happens."""
    [lot] = lots_of(desk, 1)
    async with console(house, lot) as rostrum:
        wrong: list[tuple[str, dict[str, Any]]] = [("gavel", {}), ("pass", {"x": 5}), ("ask", {})]
        for act, said in wrong:
            error = await rostrum.act(lot, act, **said)
            assert (error["type"], error["code"], error["auctionId"]) == ("error", "invalid", lot)
            await rostrum.send(type="ping", t=1)
        error = await rostrum.act("auction_none_1", "open")
        assert error["code"] == "not_found"
        error = await rostrum.act(lot, "take", bidId="bid_none")
        assert error["code"] == "not_found"
        assert (await rostrum.subscribe(lot))["seq"] == 0
