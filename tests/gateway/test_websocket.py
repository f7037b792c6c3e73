"""A real socket on a gateway without a log: what takes time, and what fails."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import structlog
from msgspec.structs import replace
from sqlalchemy import create_engine
from structlog.typing import EventDict
from uvicorn import Server
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from engine.core.messages import (
    Answer,
    BidAnswer,
    BidRefused,
    Command,
    PauseLot,
    PlaceBid,
    Refusal,
    UnpauseLot,
)
from engine.streams import StreamError
from gateway import websocket
from gateway.__main__ import _config
from gateway.app import Gateway
from gateway.books.apikeys import enter_house_keys
from gateway.books.sessions import issue_ticket
from gateway.books.store import BooksError, open_books
from gateway.core.session import Admitted
from gateway.core.view import RECENT, LotView
from gateway.feed import Waiter
from gateway.keys import Identity, load_or_create, mint_access_token
from gateway.settings import GatewaySettings, read_gateway_settings
from tests.gateway.decisions import AT, LINEAGE, decided, sale_of_lots
from tests.gateway.formats import Evening, auction_of

LOT = "auction_k3f9_1"


class FailingLog:
    """A log of which nothing can be had."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def events_at(self, shard: int, places: list[int]) -> list[bytes]:
        raise self.error


def opened(settings: GatewaySettings, log: Any) -> Gateway:
    """A gateway with books of its own, on this log."""
    keys = load_or_create(settings, AT)
    books = open_books(settings.database_url)
    gateway = Gateway(settings, keys, (log, log, log), create_engine("sqlite://"), books)
    gateway.clock.read(AT)
    gateway.feed.lineages[0] = LINEAGE
    enter_house_keys(books, keys, AT)
    gateway.read_books()
    return gateway


def gateway_without_a_past(folder: Path, error: Exception) -> Gateway:
    """It has read a sale of more events than it keeps, and cannot ask for the others."""
    settings = read_gateway_settings({"DATA_DIR": str(folder), "DEMO": "0"})
    gateway = opened(settings, FailingLog(error))
    naps: list[Command] = [PauseLot(LOT), UnpauseLot(LOT)] * RECENT
    for place, event in enumerate(decided([*sale_of_lots(), *naps]), 1):
        gateway.saleroom.fold(0, place, event)
    return gateway


@asynccontextmanager
async def serving(gateway: Gateway) -> AsyncIterator[str]:
    """The gateway on a free port; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(_config(gateway))
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"ws://127.0.0.1:{listener.getsockname()[1]}/ws"
        finally:
            server.should_exit = True
            await running
            gateway.books.dispose()


async def heard_until_closed(line: ClientConnection) -> list[str]:
    heard: list[str] = []
    with suppress(ConnectionClosed):
        while True:
            heard.append(json.loads(await line.recv())["type"])
    return heard


async def resume_from(gateway: Gateway) -> tuple[int, str, list[EventDict]]:
    """Resume what only the log has: close code, reason and what the gateway logged."""
    with structlog.testing.capture_logs() as logged:
        async with serving(gateway) as url, connect(url, proxy=None) as line:
            hello = {"type": "hello", "key": gateway.keys.publishable_key}
            ask = {"type": "subscribe", "auctionId": LOT, "lineage": LINEAGE, "seq": 1}
            await line.send(json.dumps(hello))
            await line.send(json.dumps(ask))
            async with asyncio.timeout(10):
                assert await heard_until_closed(line) == ["welcome", "resumed"]
            assert line.close_code is not None
            return line.close_code, line.close_reason or "", logged


async def test_a_resume_that_the_log_fails_is_sent_elsewhere(tmp_path: Path) -> None:
    """1012 and when to come again: an operating error, nothing to log of one reader."""
    gateway = gateway_without_a_past(tmp_path, StreamError("the log is gone"))
    code, reason, logged = await resume_from(gateway)
    assert (code, json.loads(reason)) == (1012, {"retryAfterMs": 1000})
    assert logged == []
    assert gateway.sockets == {}


async def test_a_resume_that_breaks_is_logged_and_closed(tmp_path: Path) -> None:
    """1011, with the traceback in the log: no socket that looks live and hears nothing."""
    bug = ZeroDivisionError("a bug")
    gateway = gateway_without_a_past(tmp_path, bug)
    code, _, [logged] = await resume_from(gateway)
    assert code == 1011
    assert (logged["event"], logged["log_level"]) == ("a resume failed", "error")
    assert logged["exc_info"] is bug
    assert bug.__traceback__ is not None


# ── What takes time ──────────────────────────────────────────────────────────────────────

TOKENS, ENGLISH = auction_of("tokens"), auction_of("english")
Json = dict[str, Any]


class House:
    """A gateway that has read a sale of every format; where bids go, the test sees."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
        settings = read_gateway_settings({"DATA_DIR": str(folder), "DEMO": "0", **variables})
        self.gateway = opened(settings, None)
        self.gateway.saleroom = Evening().saleroom
        self.submitted: list[tuple[PlaceBid, Waiter]] = []
        monkeypatch.setattr(self.gateway.feed, "submit", self._submit)

    def _submit(self, command: PlaceBid, waiter: Waiter) -> None:
        self.submitted.append((command, waiter))

    def token(self, session_id: str, consumer_id: str = "cons_ada") -> str:
        return mint_access_token(self.gateway.keys, consumer_id, 3_600, AT, session_id=session_id)

    def ticket(self, session_id: str) -> str:
        who = Identity("cons_ada", session_id, AT + 3_600_000, "test")
        return issue_ticket(self.gateway.books, who, AT)[0]

    def hello(self, **more: str) -> Json:
        return {"type": "hello", "key": self.gateway.keys.publishable_key, **more}


async def say(line: ClientConnection, *frames: Json) -> None:
    for frame in frames:
        await line.send(json.dumps(frame))


async def heard(line: ClientConnection, type_: str) -> Json:
    """The next frame, which is of this type."""
    async with asyncio.timeout(10):
        frame: Json = json.loads(await line.recv())
    assert frame["type"] == type_, frame
    return frame


async def closed(line: ClientConnection) -> int | None:
    async with asyncio.timeout(10):
        await line.wait_closed()
    return line.close_code


def placed(auction_id: str, cmd_id: str) -> Json:
    bid = {"type": "bid", "cmdId": cmd_id, "auctionId": auction_id, "amount": 20_000}
    return {**bid, "kind": "bid"}


async def test_a_ticket_signs_in_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what was said right behind it; a second time it admits nobody."""
    house = House(tmp_path, monkeypatch)
    ticket = house.ticket("ses_ada")
    async with serving(house.gateway) as url, connect(url, proxy=None) as line:
        await say(line, house.hello(ticket=ticket), {"type": "subscribe", "auctionId": ENGLISH})
        welcome = await heard(line, "welcome")
        assert (welcome["role"], welcome["consumerId"]) == ("bidder", "cons_ada")
        assert (await heard(line, "snapshot"))["you"]["status"] == "NOT_BID"
        async with connect(url, proxy=None) as other:
            await say(other, house.hello(ticket=ticket))
            assert (await heard(other, "error"))["code"] == "unauthorized"
            assert await closed(other) == 4401
        house.gateway.end_session("ses_ada")
        assert await closed(line) == 4401


async def test_a_ticket_that_cannot_be_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The books fail, or take too long: come again, here or elsewhere."""
    house = House(tmp_path, monkeypatch)
    monkeypatch.setattr(websocket, "REDEEMED_WITHIN_S", 0.05)

    async def fails(_key: str | None, ticket: str) -> Admitted:
        if ticket == "slow":
            await asyncio.sleep(3_600)
        raise BooksError("the disk is full")

    monkeypatch.setattr(house.gateway, "admit_ticket", fails)
    async with serving(house.gateway) as url:
        for ticket in ("broken", "slow"):
            async with connect(url, proxy=None) as line:
                await say(line, house.hello(ticket=ticket))
                assert await closed(line) == 1012


async def test_a_session_ends_with_all_its_sockets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every connection of the session, and no other of the same bidder; 4401."""
    house = House(tmp_path, monkeypatch)
    async with (
        serving(house.gateway) as url,
        connect(url, proxy=None) as phone,
        connect(url, proxy=None) as tablet,
        connect(url, proxy=None) as other,
    ):
        for line, session_id in ((phone, "ses_1"), (tablet, "ses_1"), (other, "ses_2")):
            await say(line, house.hello(token=house.token(session_id)))
            await heard(line, "welcome")
        assert list(house.gateway.hub._sessions) == ["ses_1", "ses_2"]
        house.gateway.end_session("ses_1")
        assert [await closed(phone), await closed(tablet)] == [4401, 4401]
        await say(other, {"type": "ping", "t": 1})
        await heard(other, "pong")
        await other.close()
        async with asyncio.timeout(10):
            while house.gateway.hub._sessions:
                await asyncio.sleep(0.002)


async def test_a_bid_that_waits_for_the_books_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other lots' bids go on at once; those on the same lot go in the order they came."""
    house = House(tmp_path, monkeypatch)
    doors = {name: asyncio.Event() for name in ("t1", "t2")}
    asked: list[str] = []

    async def prepare(_lot: LotView, bid: PlaceBid) -> PlaceBid:
        asked.append(bid.cmd_id)
        await doors[bid.cmd_id].wait()
        return replace(bid, expires_at=AT + 10_000)

    monkeypatch.setattr(house.gateway, "prepare", prepare)
    async with serving(house.gateway) as url, connect(url, proxy=None) as line:
        await say(line, house.hello(token=house.token("ses_1")))
        await say(line, placed(TOKENS, "t1"), placed(TOKENS, "t2"), placed(ENGLISH, "e1"))
        await heard(line, "welcome")
        await say(line, {"type": "ping", "t": 1})
        await heard(line, "pong")
        assert [command.cmd_id for command, _ in house.submitted] == ["e1"]
        assert asked == ["t1"]
        doors["t2"].set()
        doors["t1"].set()
        async with asyncio.timeout(10):
            while len(house.submitted) < 3:
                await asyncio.sleep(0.002)
    sent = [(command.cmd_id, command.expires_at) for command, _ in house.submitted]
    assert sent == [("e1", None), ("t1", AT + 10_000), ("t2", AT + 10_000)]


async def test_a_bid_that_the_books_refuse_or_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal is a result; a failure, and a bid that was decided too late, are to be sent
    again."""
    house = House(tmp_path, monkeypatch)

    def refused(bid: PlaceBid, code: Refusal) -> BidRefused:
        answer = Answer(bid.amount, bid.kind, AT, 1, "NOT_BID", None, 10_000, None, code)
        return BidRefused(bid.auction_id, bid.consumer_id, bid.cmd_id, answer)

    async def prepare(_lot: LotView, bid: PlaceBid) -> PlaceBid | BidRefused:
        if bid.cmd_id == "poor":
            return refused(bid, "insufficient_funds")
        if bid.cmd_id == "broken":
            raise BooksError("the disk is full")
        return bid

    monkeypatch.setattr(house.gateway, "prepare", prepare)
    async with serving(house.gateway) as url, connect(url, proxy=None) as line:
        await say(line, house.hello(token=house.token("ses_1")))
        await heard(line, "welcome")
        await say(line, placed(TOKENS, "poor"))
        result = await heard(line, "result")
        assert (result["code"], result["cmdId"]) == ("insufficient_funds", "poor")
        assert result["message"] == "Your account does not hold enough for this bid."
        await say(line, placed(TOKENS, "broken"))
        error = await heard(line, "error")
        assert (error["code"], error["cmdId"]) == ("overloaded", "broken")
        await say(line, placed(TOKENS, "late"))
        async with asyncio.timeout(10):
            while not house.submitted:
                await asyncio.sleep(0.002)
        [(command, waiter)] = house.submitted
        late: BidAnswer = refused(command, "expired")
        waiter.answered(house.gateway.saleroom.lots[TOKENS], late)
        error = await heard(line, "error")
        assert (error["code"], error["cmdId"]) == ("overloaded", "late")


async def test_only_so_many_bids_wait_for_the_books(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the rates off, one connection cannot queue without end."""
    monkeypatch.setattr(websocket, "MOST_PREPARING", 3)
    house = House(tmp_path, monkeypatch, BID_RATE="0", MESSAGE_RATE="0")
    door = asyncio.Event()

    async def prepare(_lot: LotView, bid: PlaceBid) -> PlaceBid:
        await door.wait()
        return bid

    monkeypatch.setattr(house.gateway, "prepare", prepare)
    async with serving(house.gateway) as url, connect(url, proxy=None) as line:
        await say(line, house.hello(token=house.token("ses_1")))
        await heard(line, "welcome")
        await say(line, *(placed(TOKENS, f"t{number}") for number in range(5)))
        turned_away = [(await heard(line, "error"))["cmdId"] for _ in range(2)]
        assert turned_away == ["t3", "t4"]
        door.set()
        async with asyncio.timeout(10):
            while len(house.submitted) < 3:
                await asyncio.sleep(0.002)


async def test_behind_a_proxy_each_bidder_has_connections_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted is the address that the proxy names, and not the proxy's."""
    variables = {"TRUSTED_PROXIES": "127.0.0.0/8", "CONNECTIONS_PER_ADDRESS": "1"}
    house = House(tmp_path, monkeypatch, **variables)

    def from_(*lines: str) -> connect:
        headers = [("X-Forwarded-For", line) for line in lines]
        return connect(url, proxy=None, additional_headers=headers)

    async with serving(house.gateway) as url:
        async with from_("198.51.100.7"), from_("198.51.100.8"):
            for second in (["198.51.100.7"], ["203.0.113.9", "198.51.100.7"]):
                with pytest.raises(InvalidStatus) as refused:
                    await from_(*second)
                assert refused.value.response.status_code == 503
        async with asyncio.timeout(10):
            while house.gateway._addresses:
                await asyncio.sleep(0.002)
