"""A console that sells by the contract alone, and a lot for it to sell."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from tests.integration.desk import Desk
from tests.integration.live import Live, connected, fold
from tests.integration.open_house import House, Json

_numbers = count(1)


class Console(Live):
    """A connection of the house's own that sells."""

    session = ""
    desks: dict[str, Json]  # the last of every lot

    async def next(self, patience_s: float = 30.0) -> Json:
        frame = await super().next(patience_s)
        if frame["type"] == "desk":
            self.desks[frame["auctionId"]] = frame
        return frame

    async def act(self, auction_id: str, act: str, cmd_id: str = "", **said: Any) -> Json:
        """What an act is answered: its ``result``, or an ``error``."""
        cmd_id = cmd_id or f"act-{next(_numbers)}"
        while True:
            await self.send(type="act", cmdId=cmd_id, auctionId=auction_id, act=act, **said)
            while (frame := await self.next_of("result", "error")).get("cmdId") != cmd_id:
                pass
            if frame.get("code") != "overloaded":  # a disk that stalls: it is sent again
                return frame

    async def does(self, auction_id: str, act: str, **said: Any) -> Json:
        """An act that is done."""
        result = await self.act(auction_id, act, **said)
        assert (result["type"], result.get("outcome")) == ("result", "accepted"), result
        assert (result["status"], result["code"], result["message"]) == ("NOT_BID", None, None)
        return result

    async def refused(self, auction_id: str, act: str, **said: Any) -> str:
        """Why an act was not done."""
        result = await self.act(auction_id, act, **said)
        assert (result["type"], result.get("outcome")) == ("result", "refused"), result
        assert result["message"]
        return str(result["code"])

    async def until_desk(self, auction_id: str, **said: Any) -> Json:
        """The first desk of the lot that says this."""
        while not _says(self.desks.get(auction_id, {}), said):
            await self.next()
        return self.desks[auction_id]


def _says(desk: Json, said: Json) -> bool:
    return bool(desk) and all(desk[name] == value for name, value in said.items())


@asynccontextmanager
async def console(house: House, *auction_ids: str, **hello: str) -> AsyncIterator[Console]:
    """A console that follows these lots; with the operator's key where nothing else is said."""
    async with connected(house) as line:
        opened = Console(line.socket)
        opened.desks = {}
        said = hello or {"operatorKey": house.keys.operator_key}
        await opened.send(type="hello", **said)
        welcome = await opened.next()
        assert (welcome["type"], welcome["role"]) == ("welcome", "auctioneer"), welcome
        opened.session = welcome["session"]
        for auction_id in auction_ids:
            snapshot = await opened.subscribe(auction_id)
            assert snapshot["type"] == "snapshot", snapshot
        yield opened


def lots_of(desk: Desk, number: int, sale: Json | None = None, **said: Any) -> list[str]:
    """Live lots of a new sale, in EUR from 100.00 in tens: scheduled, to be opened by act."""
    sale_id = desk.sale(**(sale or {}))
    terms = {"format": "live", **said}
    return [desk.draft(sale_id, name=f"Jar {each}", **terms) for each in range(1, number + 1)]


async def agrees(watcher: Live, auction_id: str, since: Json) -> Json:
    """Folding every event since that snapshot gives what a newcomer sees now; that."""
    mark = watcher.heard.index(since)
    fresh = await watcher.subscribe(auction_id)
    view = since
    for frame in watcher.heard[mark + 1 : watcher.heard.index(fresh)]:
        if frame.get("auctionId") == auction_id and "bidCount" in frame and "seq" in frame:
            view = fold(view, frame)
    assert {**view, "at": 0} == {**fresh, "at": 0}
    return fresh
