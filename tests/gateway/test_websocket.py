"""A real socket on a gateway whose log fails: what the reader is told, and what the log."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import create_engine
from structlog.typing import EventDict
from uvicorn import Server
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from engine.core.messages import Command, PauseLot, UnpauseLot
from engine.streams import StreamError
from gateway.__main__ import _config
from gateway.app import Gateway
from gateway.core.view import RECENT
from gateway.keys import load_or_create
from gateway.settings import read_gateway_settings
from tests.gateway.decisions import AT, LINEAGE, decided, sale_of_lots

LOT = "auction_k3f9_1"


class FailingLog:
    """A log of which nothing can be had."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def events_at(self, shard: int, places: list[int]) -> list[bytes]:
        raise self.error


def gateway_without_a_past(folder: Path, error: Exception) -> Gateway:
    """It has read a sale of more events than it keeps, and cannot ask for the others."""
    settings = read_gateway_settings({"DATA_DIR": str(folder), "DEMO": "0"})
    log: Any = FailingLog(error)
    keys = load_or_create(settings, AT)
    gateway = Gateway(settings, keys, (log, log, log), create_engine("sqlite://"))
    gateway.clock.read(AT)
    gateway.feed.lineages[0] = LINEAGE
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
