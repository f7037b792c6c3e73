"""The consoles of this gateway: how a browser at the desk gets one, and what they are shown.

A program opens a console with an operator's key; a browser, which holds a cookie that no script
can read, asks here for a ticket that its socket says instead.

A console that follows a lot is sent its desk (``core.rostrum``): when it asks, and whenever
something changes, at most every ``DESK_EVERY_S`` a lot.  While any console follows it, it is
also looked at every second who else does, here and at the other gateways:

- connected: live connections that follow the lot, spectators included and consoles not;
- canBid: accounts among them that may bid in the sale now;
- heard: those of them of whom at least one connection has been written everything that there
  was to say, down to the last byte in this process.  What is on its way through the network
  nobody knows; a connection that stands still keeps its bytes here, and is not heard.

Accounts that are connected to several gateways at once are counted at each.

When the connection that is in control ends, the log is told.  A gateway that is killed tells
nobody: then another console takes over.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import structlog
from starlette.requests import Request
from starlette.responses import Response

from engine.core.messages import LeaveConsole
from gateway import desk
from gateway.api import calls
from gateway.api.access import address_of
from gateway.books import sessions
from gateway.books.store import BooksError
from gateway.core import frames, rostrum
from gateway.core.consumer import moment
from gateway.core.problems import Problem, for_consumers
from gateway.core.rostrum import Reach
from gateway.core.view import LotView
from gateway.core.wire.consumer import Ticket
from gateway.fanout import CallLater, Reader

if TYPE_CHECKING:
    from gateway.app import Gateway

DESK_EVERY_S: Final = 0.1  # ten a second is faster than anybody reads
LOOK_EVERY_S: Final = 1.0  # at who is there
AT_ONCE: Final = 20  # desks of one sale, the ring's first: many more would fill a console's queue
_MOST_GONE: Final = 100  # connections that may still be given control by what they last said

log = structlog.stdlib.get_logger()


class Console(Protocol):
    """A console's connection."""

    def write(self, frame: bytes) -> None:
        """Send an encoded frame, without waiting."""


def reach_of(lot: LotView, listeners: Iterable[Reader]) -> Reach:
    """Who follows a lot at this gateway."""
    connected = 0
    heard: dict[str, bool] = {}
    for listener in listeners:
        if listener.is_console:
            continue
        connected += 1
        whose = listener.consumer_id
        if whose is not None and rostrum.may_bid(lot.sale, whose):
            heard[whose] = heard.get(whose, False) or listener.has_heard
    return Reach(connected, len(heard), sum(heard.values()))


class Consoles:
    """Every console that follows something here, and the desks on their way to them."""

    def __init__(self, gateway: Gateway, call_later: CallLater) -> None:
        self._gateway = gateway
        self._call_later = call_later
        self._following: dict[str, dict[Console, None]] = {}  # by auction
        self._quiet: dict[str, bool] = {}  # auctions shown just now: has something changed since?
        self._shown: dict[str, Reach] = {}
        self._gone: deque[str] = deque(maxlen=_MOST_GONE)  # sessions of consoles

    # ── Coming and going ─────────────────────────────────────────────────────────────────

    def follow(self, auction_id: str, console: Console) -> None:
        """Show this console the lot's desk, now and whenever it changes."""
        self._following.setdefault(auction_id, {})[console] = None
        # After the snapshot, which waits until everything so far was sent.
        self._gateway.hub.channel(auction_id).when_level(lambda: self._show(auction_id, [console]))

    def unfollow(self, auction_id: str, console: Console) -> None:
        """Show it no more of this lot."""
        following = self._following.get(auction_id, {})
        following.pop(console, None)
        if not following:
            self._following.pop(auction_id, None)
            self._shown.pop(auction_id, None)

    def leave(self, session: str, console: Console) -> None:
        """The connection has ended.  Where it was in control, nobody is any more."""
        for auction_id in list(self._following):
            self.unfollow(auction_id, console)
        self._gone.append(session)
        for sale_id in self._gateway.saleroom.sales:
            self._release(sale_id)

    def _release(self, sale_id: str) -> None:
        control = self._gateway.saleroom.sales[sale_id].control
        if control is not None and control.session in self._gone:
            self._gateway.feed.leave_console(LeaveConsole(sale_id, control.session))

    # ── What has changed (feed.Rostrum) ──────────────────────────────────────────────────

    def sale_changed(self, sale_id: str) -> None:
        """Another lot is in the ring, another console sells, or bids wait or do not."""
        self._release(sale_id)  # what a console said last may come after its end
        lots = self._gateway.saleroom.lots
        of_sale = [a for a in self._following if lots[a].sale.created.sale_id == sale_id]
        of_sale.sort(key=lambda auction_id: auction_id != lots[auction_id].sale.ring)
        for place, auction_id in enumerate(of_sale):
            if place < AT_ONCE:
                self.lot_changed(auction_id)
            else:
                self._call_later(
                    place // AT_ONCE * DESK_EVERY_S, partial(self.lot_changed, auction_id)
                )

    def lot_changed(self, auction_id: str) -> None:
        """Something of this lot is another: now, or with what else changes in a moment."""
        if auction_id not in self._following:
            return
        if auction_id in self._quiet:
            self._quiet[auction_id] = True
            return
        self._show_all(auction_id)

    def _show_all(self, auction_id: str) -> None:
        self._quiet[auction_id] = False
        self._call_later(DESK_EVERY_S, lambda: self._speak_again(auction_id))
        # Behind the public events that it speaks of, which may wait to be merged.
        channel = self._gateway.hub.channel(auction_id)
        channel.when_level(lambda: self._show(auction_id, self._following.get(auction_id, ())))

    def _speak_again(self, auction_id: str) -> None:
        if self._quiet.pop(auction_id) and auction_id in self._following:
            self._show_all(auction_id)

    def _show(self, auction_id: str, consoles: Iterable[Console]) -> None:
        lot = self._gateway.saleroom.lots[auction_id]
        reach = self._shown[auction_id] = self._reach(lot)
        frame = frames.encode(
            rostrum.desk(lot, self._gateway.saleroom.lots, reach, self._name_of(lot))
        )
        for console in list(consoles):
            if console in self._following.get(auction_id, ()):
                console.write(frame)

    def _name_of(self, lot: LotView) -> str:
        control = lot.sale.control
        if control is None:
            return ""
        key = self._gateway.key_ring.named(control.by, self._gateway.clock.now())
        return control.by if key is None else key.name

    # ── Fingers, and who is there ────────────────────────────────────────────────────────

    def point(self, auction_id: str, paddle: int, on: bool) -> None:
        """A bidder's finger is on the button here, or off it again."""
        self.pointed(auction_id, paddle, on)
        self._gateway.neighbours.pointed(auction_id, paddle, on)

    def pointed(self, auction_id: str, paddle: int, on: bool) -> None:
        """So it is here or at another gateway: the consoles that are here see it."""
        consoles = self._following.get(auction_id)
        if consoles:
            frame = frames.encode(frames.finger(auction_id, paddle, on))
            for console in list(consoles):
                console.write(frame)

    async def look(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """See every second who is there, for ever: tell the others, and our own consoles."""
        while True:
            await sleep(LOOK_EVERY_S)
            self.look_round()

    def look_round(self) -> None:
        """Tell the other gateways who is here, and our consoles where that is new."""
        here = {
            sale.ring: self._reach_here(self._gateway.saleroom.lots[sale.ring])
            for sale in self._gateway.saleroom.sales.values()
            if sale.ring is not None
        }
        if here:
            self._gateway.neighbours.present(here)
        for auction_id, shown in list(self._shown.items()):
            if self._reach(self._gateway.saleroom.lots[auction_id]) != shown:
                self.lot_changed(auction_id)

    def _reach(self, lot: LotView) -> Reach:
        here = self._reach_here(lot)
        elsewhere = self._gateway.neighbours.present_elsewhere(lot.auction_id)
        return Reach(*(sum(part) for part in zip(here, *elsewhere, strict=True)))

    def _reach_here(self, lot: LotView) -> Reach:
        return reach_of(lot, self._gateway.hub.listeners(lot.auction_id))


# ── A browser's ticket ───────────────────────────────────────────────────────────────────


async def ticket(request: Request) -> Response:
    """``POST /console/ticket``: for whoever is signed in at the desk with a key that may sell."""
    gateway: Gateway = request.app.state.gateway
    headers = calls.new_headers(gateway)
    try:
        headers.update(calls.take(gateway, "http", f"http:{address_of(gateway, request)}"))
        return calls.written(await _issued(gateway, request), 200, headers)
    except Problem as problem:
        headers.update(problem.headers)
        return calls.written(for_consumers(problem), problem.status, headers)


async def _issued(gateway: Gateway, request: Request) -> Ticket:
    key = desk.key_of(gateway, request)
    if key is None:
        raise Problem("unauthorized")
    now = gateway.clock.now()
    try:
        text, expires_at = await asyncio.to_thread(
            sessions.issue_console_ticket, gateway.books, key.key_id, key.mode, now
        )
    except BooksError as failure:
        log.warning("no ticket can be given out", reason=str(failure))
        raise Problem("unavailable") from failure
    return Ticket(ticket=text, expires_at=moment(expires_at))
