"""What one connection follows: where it joins an auction, and how it catches up.

An auction that is followed is in one of three states.  *Waiting*: asked for, until the channel
is level, for only there does what was told before meet what is sent after.  *Catching up*: a
resume is sent page by page, when the reader has taken the last one; the lot's latest events
come from memory, older ones from the log.  *Level*: it reads with all the others.

A resume is one complete stream.  From the moment it is asked for until it is level, the
bidder's personal events of that lot come in their place in the stream and nowhere else, also
those which this connection was told live before it asked (docs/decisions/0007).

A connection has at most one catch-up an auction, and every catch-up ends: level, called off,
or as a failure that the line is told of, so that none looks live and hears nothing.

There is no transport, loop or clock in here: what waits is awaited on the line, what runs is
spawned there.  So the same code runs on a real socket and, on one thread, in a simulation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from engine.core.messages import Event
from gateway.core import frames
from gateway.core.session import Follow
from gateway.core.view import LotView, Saleroom
from gateway.fanout import Hub, Reader

Past = Callable[[int, list[int]], Awaitable[list[Event]]]  # (shard, places in its log)


class Running(Protocol):
    """A coroutine that was spawned."""

    def cancel(self) -> object:
        """Let it go no further than its next wait."""


class Line(Reader, Protocol):
    """The connection as following needs it.  ``write`` is for what is told as it happens.

    A write may end the connection then and there, which calls ``Following.leave``.
    """

    def write_past(self, frame: bytes) -> None:
        """Send a frame of a resume: outside the queue limit, for it comes at the reader's pace."""

    async def until_writable(self) -> None:
        """Wait until the reader has taken what it was sent."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> Running:
        """Run a catch-up beside everything else; not a step of it before this returns."""

    def failed(self, error: Exception) -> None:
        """A catch-up cannot go on: the connection must end."""


@dataclass(slots=True, eq=False)
class _Followed:
    """One auction's place in here; a new request is a new one."""

    replays: bool  # personal events come with the resume
    work: Running | None = None  # since the resume began, until it is level


class Following:
    """Everything that one connection follows, and whose connection it is."""

    def __init__(
        self, line: Line, saleroom: Saleroom, hub: Hub, past: Past, lineages: Mapping[int, str]
    ) -> None:
        self.consumer_id: str | None = None
        self._line = line
        self._saleroom = saleroom
        self._hub = hub
        self._past = past
        self._lineages = lineages
        self._followed: dict[str, _Followed] = {}

    @property
    def catching_up(self) -> bool:
        """Is any resume under way?"""
        return any(followed.work is not None for followed in self._followed.values())

    def sign_in(self, consumer_id: str) -> int:
        """This connection is the bidder's own; how many they have now."""
        self.consumer_id = consumer_id
        return self._hub.sign_in(consumer_id, self)

    def follow(self, request: Follow) -> None:
        """Answer with a snapshot or a resume, then send every event of the auction.

        The lot is one that the saleroom knows.  Where it is followed already, that ends.
        """
        self.unfollow(request.auction_id)
        after = self._resumable(request)
        # What is told of a resumed lot from now on comes after ``resumed``, in its place.
        self._followed[request.auction_id] = _Followed(replays=after is not None)
        channel = self._hub.channel(request.auction_id)
        channel.when_level(lambda: self._join(request.auction_id, after))

    def unfollow(self, auction_id: str) -> None:
        """Send no more of this auction."""
        followed = self._followed.pop(auction_id, None)
        if followed is not None and followed.work is not None:
            followed.work.cancel()
        self._hub.channel(auction_id).readers.pop(self._line, None)

    def leave(self) -> None:
        """The connection has ended: nothing writes to it any more."""
        for auction_id in list(self._followed):
            self.unfollow(auction_id)
        if self.consumer_id is not None:
            self._hub.sign_out(self.consumer_id, self)

    def write_personal(self, lot: LotView, frame: bytes) -> None:
        """Send what is this bidder's alone, unless a resume will come to it."""
        followed = self._followed.get(lot.auction_id)
        if followed is None or not followed.replays:
            self._line.write(frame)

    # ── Joining ──────────────────────────────────────────────────────────────────────────

    def _resumable(self, request: Follow) -> int | None:
        """The seq to resume after; None where only a snapshot can answer."""
        lot = self._saleroom.lots[request.auction_id]
        if request.seq is None or request.lineage != self._lineages[lot.shard]:
            return None
        return request.seq if request.seq <= lot.now.seq else None

    def _join(self, auction_id: str, after: int | None) -> None:
        """Begin where every other subscriber is: nothing waits to be merged now."""
        if auction_id not in self._followed:
            return  # it has left in the meantime
        self.unfollow(auction_id)  # where it asked twice, each is answered
        followed = self._followed[auction_id] = _Followed(replays=after is not None)
        lot = self._saleroom.lots[auction_id]
        lineage = self._lineages[lot.shard]
        if after is None:
            self._hub.channel(auction_id).readers[self._line] = None
            # Last, for it may be more than the reader can take, which ends the connection.
            self._line.write(frames.encode(frames.snapshot(lot, lineage, self.consumer_id)))
            return
        self._line.write(frames.encode(frames.resumed(lot, lineage, after, self.consumer_id)))
        self._go_on(lot, followed, lot.place_after(after))

    # ── Catching up ──────────────────────────────────────────────────────────────────────

    def _go_on(self, lot: LotView, followed: _Followed, place: int) -> None:
        if self._is_current(lot, followed):
            followed.work = self._line.spawn(self._catch_up(lot, followed, place))

    def _is_current(self, lot: LotView, followed: _Followed) -> bool:
        return self._followed.get(lot.auction_id) is followed

    async def _catch_up(self, lot: LotView, followed: _Followed, place: int) -> None:
        """Send every event from the lot's *place*-th on, then read with all the others."""
        try:
            await self._line.until_writable()
            while self._is_current(lot, followed) and place < len(lot.places):
                for event in (page := await self._page(lot, place)):
                    self._replay(lot, event)
                place += len(page)
                await self._line.until_writable()
            if self._is_current(lot, followed):
                self._arrive(lot, followed, place)
        except Exception as error:
            # Whatever it is: a reader who hears nothing more must not believe that all is quiet.
            self._line.failed(error)

    async def _page(self, lot: LotView, place: int) -> list[Event]:
        """The next events of a resume: as many as there are in memory, or a page of the log."""
        remembered = lot.remembered_from(place)
        if remembered is not None:
            return remembered
        page = await self._past(lot.shard, list(lot.places[place : place + frames.PAGE]))
        await self._line.until_writable()  # another lot's page may have come before this one
        return page

    def _replay(self, lot: LotView, event: Event) -> None:
        for consumer_id, personal in frames.personal(lot, event):
            if consumer_id == self.consumer_id:
                self._line.write_past(frames.encode(personal))
        public = frames.public(lot, event)
        if public is not None:
            self._line.write_past(frames.encode(public))

    def _arrive(self, lot: LotView, followed: _Followed, place: int) -> None:
        """Every event so far was sent; what waits to be merged is among them."""
        channel = self._hub.channel(lot.auction_id)
        if not channel.is_level:
            channel.when_level(lambda: self._go_on(lot, followed, place))
            return
        channel.readers[self._line] = None
        followed.replays = False
        followed.work = None
