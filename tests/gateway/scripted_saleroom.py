"""A saleroom that does only what a test tells it to.

It serves the real lot page and the real static files, speaks the wire protocol as far as signing
in, subscribing and pings go, and leaves everything else to the test: bids are queued until the
test looks at them, and answers, events, silences and broken lines are sent frame by frame.
So a test of the page owns every moment between a press and its answer.
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
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from engine.core.messages import SaleTerms
from gateway import lotpage, pages
from tests.browser.serving import serving

AUCTION = "auction_214"
NOW = 1_795_000_000_000  # the saleroom's own clock, far from the one of this machine
WAIT_S = 10  # for anything that should come at once
BIDDER = pages.Session(name="Ana", paddle=207, token="jwt", publishable_key="pk_test_1")

Frame = dict[str, Any]


def snapshot(**changes: Any) -> Frame:
    """The lot at seq 41: €42,000 from paddle 118 in the room, asking €44,000."""
    auction: Frame = {
        "name": "A crackled celadon mallet vase",
        "lotNumber": "214",
        "saleId": "seq_1",
        "format": "english",
        "currency": "EUR",
        "exponent": 2,
        "status": "open",
        "phase": None,
        "opening": 2_400_000,
        "price": 4_200_000,
        "askingBid": 4_400_000,
        "paddle": 118,
        "channel": "room",
        "bidCount": 17,
        "bidderCount": 6,
        "reserve": "met",
        "opensAt": NOW - 600_000,
        "closesAt": NOW + 300_000,
        "extensions": 0,
        "outcome": None,
    }
    frame: Frame = {
        "type": "snapshot",
        "auctionId": AUCTION,
        "lineage": "lineage-1",
        "seq": 41,
        "at": NOW - 5000,
        "auction": auction,
        "you": {
            "status": "NOT_BID",
            "paddle": 207,
            "max": None,
            "lastBidAmount": None,
            "bidCount": 0,
        },
    }
    auction.update({name: value for name, value in changes.items() if name in auction})
    frame.update({name: value for name, value in changes.items() if name in frame})
    return frame


def lot(session: pages.Session | None = BIDDER, **changes: Any) -> lotpage.LotPage:
    """The page of that lot, for a bidder or (None) a spectator."""
    shown = snapshot(**changes)
    if session is None:
        shown["you"] = None
    return lotpage.LotPage(
        auction_id=AUCTION,
        lot_number="214",
        name="A crackled celadon mallet vase",
        description="Stoneware under a thick green glaze, the crackle stained a fine dark brown.",
        sale_id="seq_1",
        sale_name="Fine Ceramics",
        estimate_low=4_000_000,
        estimate_high=6_000_000,
        photos=(
            "mallet-wide.jpg",
            "mallet.jpg",
            "mallet-rim.jpg",
            "mallet-glaze.jpg",
            "mallet-foot.jpg",
        ),
        provenance=(
            "Private collection, Kyoto, 1934",
            "With a dealer in London, 1971; invoice on file",
            "Thence by descent to the present owner",
        ),
        snapshot=shown,
        session=session,
        publishable_key="pk_test_1",
        now=NOW,
        terms=SaleTerms(buyers_premium=((0, "26"),), tax_percent="20"),
        steps=((0, 100_000), (2_000_000, 200_000), (6_000_000, 500_000)),
        extension_window_ms=60_000,
        extension_ms=60_000,
        zone="Europe/London",
        coming=(
            lotpage.Coming(
                "auction_215",
                "215",
                "White porcelain moon jar",
                "moonjar.jpg",
                8_000_000,
                12_000_000,
            ),
            lotpage.Coming(
                "auction_216", "216", "Copper-red meiping", "oxblood.jpg", 1_200_000, 1_800_000
            ),
        ),
    )


class Saleroom:
    """The scripted server.  Everything public here is for the test's own thread."""

    def __init__(self) -> None:
        self.page = lot()
        self.answers_pings = True
        self.answers_subscriptions = True
        self.lets_in = True
        self.fingers: queue.Queue[Frame] = queue.Queue()
        self.bids: queue.Queue[Frame] = queue.Queue()
        self.hellos: queue.Queue[Frame] = queue.Queue()
        self.subscriptions: queue.Queue[Frame] = queue.Queue()
        self.pings: queue.Queue[Frame] = queue.Queue()
        self.url = ""
        self.app = Starlette(
            routes=[
                Route("/lot/{auction_id}", self._lot),
                Route("/session/ticket", self._ticket, methods=["POST"]),
                WebSocketRoute("/ws", self._talk),
                Mount("/static", StaticFiles(directory=pages.STATIC)),
            ]
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._line: WebSocket | None = None

    def send(self, *frames: Frame) -> None:
        """Send frames to the page, in this order."""
        self._run(self._send_all([{"auctionId": AUCTION, **frame} for frame in frames]))

    def send_text(self, text: str) -> None:
        """Send any text, a frame of the protocol or not."""
        assert self._line is not None
        self._run(self._line.send_text(text))

    def close(self, code: int = 1006, reason: str = "") -> None:
        """Close the line from this side.  1006: no goodbye beyond the bare close."""
        assert self._line is not None
        self._run(self._line.close(1011 if code == 1006 else code, reason))

    def next_bid(self) -> Frame:
        """The next bid frame, waiting for it if need be."""
        return self.bids.get(timeout=WAIT_S)

    def price(self, seq: int, price: int, asking: int, paddle: int = 118, **more: Any) -> Frame:
        """A public price event."""
        return {
            "type": "price",
            "seq": seq,
            "at": NOW + seq,
            "price": price,
            "askingBid": asking,
            "paddle": paddle,
            "channel": "online",
            "why": "bid",
            "bidCount": seq - 24,
            "bidderCount": 6,
            "reserve": "met",
            "status": "open",
            "closesAt": NOW + 300_000,
            **more,
        }

    def event(self, kind: str, seq: int, **more: Any) -> Frame:
        """A public event that leaves the price where it was."""
        return {**self.price(seq, 4_200_000, 4_400_000), "type": kind, **more}

    def result(self, bid: Frame, **changes: Any) -> Frame:
        """The answer to a bid: accepted, and it leads."""
        return {
            "type": "result",
            "cmdId": bid["cmdId"],
            "seq": 42,
            "at": NOW,
            "outcome": "accepted",
            "status": "WINNING",
            "price": bid["amount"],
            "askingBid": bid["amount"] + 200_000,
            "wouldPass": None,
            "code": None,
            "message": None,
            **changes,
        }

    def refusal(self, bid: Frame, code: str, **changes: Any) -> Frame:
        """The answer to a bid: refused with ``code``, and nothing moved."""
        refused = {"outcome": "refused", "status": "NOT_BID", "seq": 41, "code": code}
        stands = {"price": 4_200_000, "askingBid": 4_400_000, "wouldPass": 4_400_000}
        return self.result(bid, **{**refused, **stands, **changes})

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve on a free port of this machine until the block ends."""
        with serving(self.app) as self.url:
            yield

    # ── the server's own thread ──────────────────────────────────────────────────────────────

    def _run(self, coroutine: Any) -> None:
        assert self._loop is not None, "no page has connected yet"
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(WAIT_S)

    async def _send_all(self, frames: list[Frame]) -> None:
        assert self._line is not None
        for frame in frames:
            await self._line.send_text(json.dumps(frame))

    async def _lot(self, request: Request) -> HTMLResponse:
        return lotpage.lot_page(self.page, pages.Visit.of(request))

    async def _ticket(self, _request: Request) -> Response:
        """Nobody is signed in any more."""
        return Response(status_code=401)

    async def _talk(self, line: WebSocket) -> None:
        self._loop = asyncio.get_running_loop()
        if not self.lets_in:
            await line.close(1013)
            return
        await line.accept(subprotocol="fairwarning.v1")
        self._line = line
        with suppress(WebSocketDisconnect, RuntimeError):
            while True:
                await self._answer(line, json.loads(await line.receive_text()))

    async def _answer(self, line: WebSocket, frame: Frame) -> None:
        kind = frame["type"]
        if kind == "hello":
            self.hellos.put(frame)
            await line.send_text(json.dumps(self._welcome(frame)))
        elif kind == "subscribe":
            self.subscriptions.put(frame)
            if self.answers_subscriptions:
                await line.send_text(json.dumps(self._following(frame)))
        elif kind == "ping":
            self.pings.put(frame)
            if self.answers_pings:
                await line.send_text(json.dumps({"type": "pong", "t": frame["t"], "now": NOW}))
        elif kind == "finger":
            self.fingers.put(frame)
        elif kind == "bid":
            self.bids.put(frame)

    def _welcome(self, hello: Frame) -> Frame:
        signed_in = "token" in hello
        return {
            "type": "welcome",
            "session": "s1",
            "role": "bidder" if signed_in else "spectator",
            "consumerId": "cons_1" if signed_in else None,
            "now": NOW,
            "ping": 15000,
        }

    def _following(self, subscribe: Frame) -> Frame:
        shown = dict(self.page.snapshot)
        same = subscribe.get("lineage") == shown["lineage"]
        if same and subscribe.get("seq") == shown["seq"]:
            position = {"lineage": shown["lineage"], "seq": shown["seq"]}
            return {"type": "resumed", "auctionId": AUCTION, **position, "missed": 0}
        return shown
