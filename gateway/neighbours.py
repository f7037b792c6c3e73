"""What the gateways of a house tell each other: tokens given, fingers, and who is listening.

One allowance for each name, however many gateways serve it.

Every gateway counts by itself and at once, so that nobody waits for another's word, and tells
the others which tokens it has given: all of a loop turn in one message, which is published and
written nowhere.  What it hears it takes out of its own buckets.

So the rate is exact in the long run, and the burst is exceeded only by what is taken at
several gateways within the time that a message needs, a millisecond or two: at most one more
burst for each further gateway, and the buckets owe it afterwards (``core.limits``).

A finger on a button, and how many people follow a lot, go the same way to whichever gateway has
the consoles.  Nobody counts on them: what was missed is said again a second later.

Where the line is down every gateway counts alone, and says so in the log: a limit that is too
generous for a while is better than a house that is closed.  Messages name addresses and
consumer ids; they go to the house's own server and are kept by nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from time import monotonic as system_monotonic

import msgspec
import structlog

from engine.streams import Gossip, StreamError
from gateway.core.limits import Buckets
from gateway.core.rostrum import Reach

TRY_AGAIN_S = 1.0
PRESENT_FOR_S = 3.0  # who said so longer ago is not counted: they say it every second
MOST_UNSAID = 1_000  # fingers that wait for the line: past it they are left out
MOST_UNTOLD = 10_000  # names in one message, some 500 KB: past it the rest is counted here alone

log = structlog.stdlib.get_logger()


class _Taken(msgspec.Struct, array_like=True, tag="taken"):
    """One message: who has given how many tokens of which buckets."""

    gateway: str
    counts: dict[str, int]


class _Pointed(msgspec.Struct, array_like=True, tag="finger"):
    """A bidder's finger is on an auction's button, or is not any more."""

    gateway: str
    auction_id: str
    paddle: int
    on: bool


class _Present(msgspec.Struct, array_like=True, tag="present"):
    """How many people follow which auctions at this gateway now."""

    gateway: str
    auctions: dict[str, Reach]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Taken | _Pointed | _Present)


class Neighbours:
    """The other gateways of this house.

    *name* is this gateway's own and no other's.  *buckets* are found by the part of a bucket's
    name before its first colon: ``bid:cons_…`` is one of ``buckets["bid"]``.  Each of them is
    made with ``taken``, and *monotonic* is the clock that their times are read from.
    """

    def __init__(
        self,
        url: str,
        house: str,
        name: str,
        monotonic: Callable[[], float] = system_monotonic,
    ) -> None:
        self.buckets: Mapping[str, Buckets] = {}
        # Hears of fingers at the others: auction, paddle, on.
        self.pointed_elsewhere: Callable[[str, int, bool], None] = lambda *_: None
        self._url = url
        self._channel = f"fairwarning:{house}:taken"  # a server may hold several houses
        self._name = name
        self._monotonic = monotonic
        self._untold: dict[str, int] = {}
        self._unsaid: list[_Pointed | _Present] = []
        self._present: dict[str, tuple[float, dict[str, Reach]]] = {}  # by gateway
        self._has_news = asyncio.Event()
        self._is_heard = False  # somebody may be listening

    @property
    def connected(self) -> bool:
        """Do the others hear what is taken here, and is heard what they have taken?"""
        return self._is_heard

    def taken(self, name: str) -> None:
        """A token of this bucket was given here: the bucket itself says so (``limits.Tell``)."""
        if not self._is_heard:
            return
        count = self._untold.get(name, 0)
        if count or len(self._untold) < MOST_UNTOLD:
            self._untold[name] = count + 1
            self._has_news.set()

    def pointed(self, auction_id: str, paddle: int, on: bool) -> None:
        """A finger went on a button here, or off it."""
        self._say(_Pointed(self._name, auction_id, paddle, on))

    def present(self, auctions: Mapping[str, Reach]) -> None:
        """Who follows these auctions here: said every second, of all that somebody follows."""
        self._say(_Present(self._name, dict(auctions)))

    def present_elsewhere(self, auction_id: str) -> Iterator[Reach]:
        """Who follows an auction at the other gateways, as each has said lately."""
        since = self._monotonic() - PRESENT_FOR_S
        for said_at, auctions in self._present.values():
            if said_at >= since and auction_id in auctions:
                yield auctions[auction_id]

    def _say(self, word: _Pointed | _Present) -> None:
        if self._is_heard and len(self._unsaid) < MOST_UNSAID:
            self._unsaid.append(word)
            self._has_news.set()

    async def gossip(self) -> None:
        """Tell and hear for ever; without a line, try again every second."""
        was_down = False
        while True:
            try:
                line = await Gossip.open(self._url, self._channel)
                try:
                    if was_down:
                        log.info("the gateways share their limits again")
                    was_down, self._is_heard = False, True
                    await self._talk(line)
                finally:
                    self._is_heard = False
                    self._untold.clear()
                    self._unsaid.clear()
                    await line.close()
            except StreamError as failure:
                if not was_down:
                    log.warning("each gateway counts its limits alone", reason=str(failure))
                was_down = True
            await asyncio.sleep(TRY_AGAIN_S)

    async def _talk(self, line: Gossip) -> None:
        """Until the line fails.  Raises ``StreamError``."""
        tasks = [asyncio.create_task(work) for work in (self._tell(line), self._listen(line))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _tell(self, line: Gossip) -> None:
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            counts, self._untold = self._untold, {}
            unsaid, self._unsaid = self._unsaid, []
            if counts:
                await line.say(_encoder.encode(_Taken(self._name, counts)))
            for word in unsaid:
                await line.say(_encoder.encode(word))

    async def _listen(self, line: Gossip) -> None:
        while True:
            self._hear(await line.hear())

    def _hear(self, message: bytes) -> None:
        try:
            word = _decoder.decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            # Somebody else's word on our channel: it counts for nothing.
            log.warning("a neighbour cannot be understood", reason=str(error))
            return
        if word.gateway == self._name:
            return
        if isinstance(word, _Pointed):
            self.pointed_elsewhere(word.auction_id, word.paddle, word.on)
        elif isinstance(word, _Present):
            self._hear_present(word)
        else:
            self._hear_taken(word)

    def _hear_present(self, present: _Present) -> None:
        now = self._monotonic()
        gone = [name for name, (at, _) in self._present.items() if at < now - PRESENT_FOR_S]
        for name in gone:
            del self._present[name]
        self._present[present.gateway] = (now, present.auctions)

    def _hear_taken(self, taken: _Taken) -> None:
        now = self._monotonic()
        for name, count in taken.counts.items():
            buckets = self.buckets.get(name.partition(":")[0])
            if buckets is not None and count > 0:
                buckets.deduct(name, count, now)
