"""A saleroom's desk that does only what a test tells it to.

It serves the real console and the real static files, speaks the wire protocol as far as tickets,
subscriptions and pings go, and leaves everything else to the test: acts are queued until the test
looks at them, and results, events, desk frames, silences and broken lines are sent one by one.
"""

from __future__ import annotations

import asyncio
import json
import queue
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway import pages, rostrum
from tests.browser.serving import serving

SALE = "seq_1"
LOT = "auction_1_214"
NEXT = "auction_1_215"
NOW = 1_795_000_000_000  # the saleroom's own clock, far from the one of this machine
WAIT_S = 20
TABLE = {"froms": [0, 2_000_000, 5_000_000], "steps": [100_000, 200_000, 500_000]}

CARRIED = (
    *("price", "askingBid", "paddle", "channel", "phase"),
    *("bidCount", "bidderCount", "reserve", "status"),
)

Frame = dict[str, Any]

_OPEN: Frame = {
    "format": "live",
    "currency": "EUR",
    "exponent": 2,
    "saleId": SALE,
    "status": "open",
    "phase": None,
    "opening": 2_400_000,
    "price": 4_200_000,
    "askingBid": 4_400_000,
    "paddle": 118,
    "channel": "room",
    "bidCount": 12,
    "bidderCount": 4,
    "reserve": "met",
    "opensAt": None,
    "closesAt": None,
    "extensions": 0,
    "outcome": None,
}
_UNOPENED = {
    "status": "scheduled",
    "price": None,
    "askingBid": 8_000_000,
    "opening": 8_000_000,
    "paddle": None,
    "bidCount": 0,
    "bidderCount": 0,
    "reserve": "none",
}
_PRIVATE = ("reserveAmount", "leftBids", "check", "table")
# What was bid on 214, the newest first, one of them taken back.
BIDS = [
    (41, 4_200_000, "room", 118, "standing"),
    (40, 4_000_000, "online", 207, "standing"),
    (39, 3_800_000, "phone", 331, "standing"),
    (38, 3_600_000, "room", 118, "standing"),
    (36, 3_500_000, "room", None, "undone"),
    (35, 3_400_000, "online", 207, "standing"),
    (34, 3_200_000, "online", 412, "standing"),
    (33, 3_000_000, "phone", 331, "standing"),
    (32, 2_800_000, "room", 118, "standing"),
    (31, 2_400_000, "left", 95, "standing"),
]


def row(number: str, name: str, photo: str | None, **more: Any) -> Frame:
    """A lot of the queue; it waits for its turn where nothing else is said."""
    return {
        "auctionId": f"auction_1_{number}",
        "lotNumber": number,
        "name": name,
        "photo": photo,
        "estimate": None,
        "opening": 8_000_000,
        "reserve": "none",
        "reserveAmount": None,
        "status": "scheduled",
        "price": None,
        "paddle": None,
        "outcome": None,
        "leftBids": 0,
        "check": None,
        "currency": "EUR",
        "exponent": 2,
        "table": 0,
        **more,
    }


def _sold(price: int) -> Frame:
    return {"status": "closed", "outcome": "sold", "price": price, "paddle": 118}


def catalogue() -> list[Frame]:
    """The afternoon's lots around 214, which is on."""
    on = {"status": "open", "price": 4_200_000, "paddle": 118, "opening": 2_400_000}
    return [
        row("211", "Yaozhou carved bowl", "stoneware.jpg", **_sold(1_800_000)),
        row("212", "Cizhou painted pillow", None, status="closed", outcome="passed"),
        row("213", "Ding foliate dish", "yellow.jpg", **_sold(3_100_000)),
        row(
            "214",
            "A crackled celadon mallet vase",
            "mallet.jpg",
            estimate=[4_000_000, 6_000_000],
            reserve="met",
            reserveAmount=3_800_000,
            leftBids=2,
            **on,
        ),
        row(
            "215",
            "White porcelain moon jar",
            "moonjar.jpg",
            estimate=[8_000_000, 12_000_000],
            leftBids=2,
        ),
        row("216", "Copper-red meiping", "oxblood.jpg", estimate=[1_200_000, 1_800_000]),
        row("217", "Jian ‘hare’s fur’ tea bowl", "tenmoku.jpg", estimate=[2_000_000, 3_000_000]),
        row("218", "Blue and white bottle vase", "bottle.jpg", check="open"),
        row("219", "Powder-blue ginger jar", "ginger.jpg", estimate=[300_000, 500_000]),
    ]


class Desk:
    """The scripted server.  Everything public here is for the test's own thread."""

    def __init__(self) -> None:
        self.lots = catalogue()
        self.ring: str | None = LOT
        self.auctions: dict[str, Frame] = {LOT: {**_OPEN}}
        self.seqs = {LOT: 41}
        self.watching = False
        self.gives_tickets = True
        self.lets_in = True
        self.answers_pings = True
        self.sends_desk = True
        self.sessions = 0
        self.desk: Frame = {}
        self.acts: queue.Queue[Frame] = queue.Queue()
        self.subscriptions: queue.Queue[Frame] = queue.Queue()
        self.pings: queue.Queue[Frame] = queue.Queue()
        self.url = ""
        self._lines: list[WebSocket] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    # ── What the test says ───────────────────────────────────────────────────────────────────

    def send(self, *frames: Frame) -> None:
        """Send frames to the console, in this order."""
        self._run(self._send_all([{"auctionId": LOT, **frame} for frame in frames]))

    def say_desk(self, auction_id: str = LOT, **changes: Any) -> None:
        """The desk is other than it was."""
        self.desk |= changes
        self.send(self.desk_frame(auction_id))

    def change(self, auction_id: str = LOT, **changes: Any) -> None:
        """The lot is other than it was, before anybody asks for it."""
        auction = self.auctions.setdefault(auction_id, self._new(auction_id))
        auction |= changes
        found = next(lot for lot in self.lots if lot["auctionId"] == auction_id)
        found |= {name: value for name, value in auction.items() if name in found}

    def event(self, kind: str, auction_id: str = LOT, **changes: Any) -> Frame:
        """The next public event of a lot, with what it changes; it is sent at once."""
        if kind not in ("fair_warning", "final_call", "message"):
            self.change(auction_id, phase=None)
        self.change(auction_id, **changes)
        self.seqs[auction_id] = seq = self.seqs.get(auction_id, 0) + 1
        auction = self.auctions[auction_id]
        frame = {
            "type": kind,
            "auctionId": auction_id,
            "seq": seq,
            "at": NOW,
            **{name: auction[name] for name in CARRIED},
            "closesAt": None,
            **({"changed": changes} if kind == "updated" else {}),
            **changes,
        }
        self.send(frame)
        return frame

    def price(self, price: int, asking: int, paddle: int | None, channel: str) -> Frame:
        """Somebody has bid, and leads."""
        said: Frame = {"price": price, "askingBid": asking, "paddle": paddle, "channel": channel}
        return self.event("price", **said, why="bid")

    def waits(self, paddle: int = 207, amount: int = 4_400_000) -> None:
        """An online bid waits for a hand."""
        bid = {"bidId": f"bid_{paddle}", "paddle": paddle, "amount": amount, "at": NOW}
        self.say_desk(waiting=[*self.desk.get("waiting", []), bid], autoAccept=False)

    def next_act(self) -> Frame:
        """The next act, waiting for it if need be."""
        return self.acts.get(timeout=WAIT_S)

    def result(self, act: Frame, **changes: Any) -> Frame:
        """The answer to an act: done."""
        auction = self.auctions.setdefault(act["auctionId"], self._new(act["auctionId"]))
        return {
            "type": "result",
            "cmdId": act["cmdId"],
            "auctionId": act["auctionId"],
            "seq": self.seqs.get(act["auctionId"], 0),
            "at": NOW,
            "outcome": "accepted",
            "status": "NOT_BID",
            "price": auction["price"],
            "askingBid": auction["askingBid"],
            "wouldPass": None,
            "code": None,
            "message": None,
            **changes,
        }

    def does(self, act: Frame) -> None:
        """Answer that an act is done."""
        self.send(self.result(act))

    def refuses(self, act: Frame, code: str, **changes: Any) -> None:
        """Answer that an act is refused."""
        self.send(self.result(act, outcome="refused", code=code, **changes))

    def close(self, code: int = 1011) -> None:
        """Close the line from this side."""
        line = self._line()
        self._run(line.close(code))

    def is_quiet(self) -> bool:
        """Has no act been sent?  Asked after something that came later was heard."""
        return self.acts.empty()

    def desk_frame(self, auction_id: str = LOT) -> Frame:
        """The desk as it stands."""
        here = auction_id == LOT
        sold = [lot for lot in self.lots if lot["outcome"] == "sold"]
        bids = [
            {
                "bidId": f"bid_{seq}",
                "seq": seq,
                "amount": amount,
                "channel": channel,
                "paddle": paddle,
                "at": NOW - (50 - seq) * 9_000,
                "state": state,
                "house": False,
            }
            for seq, amount, channel, paddle, state in BIDS
        ]
        said = {
            "waiting": [],
            "connected": 143,
            "canBid": 61,
            "heard": 61,
            "control": {"session": f"s{self.sessions}", "by": "key_1", "name": "Ana"},
            "autoAccept": True,
            "step": None,
            "reserve": 3_800_000 if here else None,
            "leftBids": {"count": 2, "next": None},
            "houseBids": "none",
            "bids": bids if here else [],
            "sale": {"lots": 9, "sold": len(sold), "passed": 1, "hammerTotal": 4_900_000},
        }
        seq = self.seqs.get(auction_id, 0)
        return {
            **said,
            **self.desk,
            "type": "desk",
            "auctionId": auction_id,
            "seq": seq,
            "ring": self.ring,
        }

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve on a free port of this machine until the block ends."""
        app = Starlette(
            routes=[
                Route("/console", self._sales),
                Route("/console/ticket", self._ticket, methods=["POST"]),
                Route("/console/{sale_id}", self._page),
                Route("/console/{sale_id}/lots", self._queue),
                Route("/room/{sale_id}", self._room),
                Route("/room/{sale_id}/now", self._now),
                WebSocketRoute("/ws", self._talk),
                Mount("/static", StaticFiles(directory=pages.STATIC)),
            ]
        )
        with serving(app) as url:
            self.url = url
            yield

    # ── The server's own thread ──────────────────────────────────────────────────────────────

    def _new(self, auction_id: str) -> Frame:
        found = next(lot for lot in self.lots if lot["auctionId"] == auction_id)
        named = {name: found[name] for name in ("name", "lotNumber")}
        mine = {name: found[name] for name in _UNOPENED if name in found}
        return {**_OPEN, **_UNOPENED, **mine, **named, "askingBid": found["opening"]}

    def _run(self, coroutine: Any) -> None:
        assert self._loop is not None, "no console has connected yet"
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(WAIT_S)

    def _line(self) -> WebSocket:
        return self._lines[-1]

    async def _send_all(self, frames: list[Frame]) -> None:
        for frame in frames:
            await self._line().send_text(json.dumps(frame))

    def _state(self) -> Frame:
        return {
            "sale": {
                "id": SALE,
                "name": "Fine Ceramics",
                "currency": "EUR",
                "exponent": 2,
                "timeZone": "Europe/London",
            },
            "key": "pk_test_1",
            "now": NOW,
        }

    def _queued(self) -> Frame:
        return {"lots": self.lots, "tables": [TABLE], "ring": self.ring}

    async def _page(self, request: Request) -> Response:
        state = {**self._state(), "watching": self.watching, **self._queued()}
        return rostrum.console_page(state, pages.Visit.of(request))

    async def _sales(self, request: Request) -> Response:
        sales = [{"id": SALE, "name": "Fine Ceramics", "lots": len(self.lots)}]
        return pages.render("consoles.html", pages.Visit.of(request), sales=sales)

    async def _queue(self, _request: Request) -> Response:
        return JSONResponse(self._queued())

    def _shown(self) -> Frame:
        places = [lot["auctionId"] for lot in self.lots]
        at = places.index(self.ring) if self.ring else -1
        coming = [lot for lot in self.lots[at + 1 :] if lot["status"] == "scheduled"]
        shown = [self.lots[at] if self.ring else None, coming[0] if coming else None]
        public = [
            lot and {name: value for name, value in lot.items() if name not in _PRIVATE}
            for lot in shown
        ]
        return dict(zip(("lot", "next"), public, strict=True))

    async def _room(self, request: Request) -> Response:
        return rostrum.room_page({**self._state(), **self._shown()}, pages.Visit.of(request))

    async def _now(self, _request: Request) -> Response:
        return JSONResponse(self._shown())

    async def _ticket(self, _request: Request) -> Response:
        if not self.gives_tickets:
            return JSONResponse({"code": "unauthorized"}, 401)
        return JSONResponse({"ticket": "wst_1", "expiresAt": "2026-11-27T21:00:00.000Z"})

    async def _talk(self, line: WebSocket) -> None:
        self._loop = asyncio.get_running_loop()
        if not self.lets_in:
            await line.close(1013)
            return
        await line.accept(subprotocol="fairwarning.v1")
        self._lines.append(line)
        with suppress(WebSocketDisconnect, RuntimeError):
            while True:
                await self._answer(line, json.loads(await line.receive_text()))

    async def _answer(self, line: WebSocket, frame: Frame) -> None:
        kind = frame["type"]
        if kind == "hello":
            await line.send_text(json.dumps(self._welcome(frame)))
        elif kind == "subscribe":
            self.subscriptions.put(frame)
            await line.send_text(json.dumps(self._snapshot(frame["auctionId"])))
            if self.sends_desk:
                await line.send_text(json.dumps(self.desk_frame(frame["auctionId"])))
        elif kind == "ping":
            self.pings.put(frame)
            if self.answers_pings:
                await line.send_text(json.dumps({"type": "pong", "t": frame["t"], "now": NOW}))
        elif kind == "act":
            self.acts.put(frame)

    def _welcome(self, hello: Frame) -> Frame:
        self.sessions += 1
        role = "auctioneer" if "ticket" in hello else "spectator"
        named = {"session": f"s{self.sessions}", "role": role, "consumerId": None}
        return {"type": "welcome", **named, "now": NOW, "ping": 15000}

    def _snapshot(self, auction_id: str) -> Frame:
        auction = self.auctions.setdefault(auction_id, self._new(auction_id))
        found = next(lot for lot in self.lots if lot["auctionId"] == auction_id)
        named = {"name": found["name"], "lotNumber": found["lotNumber"]}
        return {
            "type": "snapshot",
            "auctionId": auction_id,
            "lineage": "lineage-1",
            "seq": self.seqs.get(auction_id, 0),
            "at": NOW,
            "auction": {**auction, **named},
            "you": None,
        }
