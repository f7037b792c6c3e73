"""Real decisions for the tests of the archive: made by the engine's core, without its loop.

``Leader`` leads one shard of a real log and decides what it is told; ``decided`` does the
same without a log.  ``Crowd`` thinks up what a house and its bidders might wish, from a
seed.  ``expected`` is what an archive of those events must hold, told in the plainest way.
"""

from __future__ import annotations

import hmac
import random
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Engine, select

from engine.core.codec import GENESIS, chain, decode_commands, encode_commands, encode_event
from engine.core.increments import table
from engine.core.messages import (
    AddLot,
    Admission,
    BidAccepted,
    BidderRegistered,
    BidRefused,
    CancelLot,
    Catalogue,
    CloseLot,
    Command,
    CreateSale,
    Event,
    Kind,
    LotAdded,
    LotCanceled,
    LotClosed,
    LotSettled,
    PauseLot,
    PlaceBid,
    RegisterBidder,
    SaleCreated,
    Terms,
    UnpauseLot,
)
from engine.core.sale import Shard, execute
from engine.streams import Commit, Leadership, Log
from gateway import archive
from gateway.archive import Bookmark, Passage

AT = 1_795_000_000_000
LINEAGE = "lineage-one"
SALT = b"what the house keeps to itself"

Rows = dict[str, list[dict[str, Any]]]


def sale_of_lots(
    sale: str = "k3f9", lots: int = 1, reserve: int | None = 15_000, opens_at: int = 0
) -> list[Command]:
    """A sale ``seq_<sale>`` with lots ``auction_<sale>_1`` …, open from 100.00 on."""
    sale_id = f"seq_{sale}"
    terms = Terms(10_000, table([(0, 1_000)]), reserve, opens_at=opens_at)
    return [
        CreateSale(sale_id, "Studio ceramics", "EUR", 2),
        *(
            AddLot(
                f"auction_{sale}_{number}",
                sale_id,
                terms,
                Catalogue(f"{number}A", "Jar", "Crackled", 20_000, 30_000, ("a.jpg",), ("Paris",)),
            )
            for number in range(1, lots + 1)
        ),
    ]


def bid(
    consumer: str, amount: int, kind: Kind = "bid", *, auction: str = "auction_k3f9_1"
) -> PlaceBid:
    """A bid whose cmd_id is made of what it says."""
    return PlaceBid(auction, consumer, f"{consumer}-{kind}-{amount}", amount, kind)


def decided(commands: Iterable[Command], at: int = AT) -> list[Event]:
    """What the engine makes of the commands, one a second."""
    shard = Shard()
    events: list[Event] = []
    for number, command in enumerate(commands):
        events += execute(shard, command, at + number * 1_000)
    return events


def passages(events: Sequence[Event], size: int, shard: int = 0) -> list[Passage]:
    """The events as the clerk would hand them to the archive, *size* at a time."""
    before = Bookmark(LINEAGE, 0, GENESIS)
    found = []
    for start in range(0, len(events), size):
        part = events[start : start + size]
        head = before.head
        for event in part:
            head = chain(head, encode_event(event))
        after = Bookmark(LINEAGE, before.seq + len(part), head)
        numbered = list(enumerate(part, before.seq + 1))
        found.append(Passage(shard, before, after, numbered))
        before = after
    return found


class Leader:
    """One shard's leader, without clock, lease renewal or loop."""

    def __init__(self, log: Log, leadership: Leadership) -> None:
        self._log = log
        self._at = leadership
        self._shard = Shard()

    @classmethod
    async def lead(cls, log: Log, shard: int, shards: int, lineage: str = LINEAGE) -> Leader:
        """Take over a shard that has no history yet."""
        await log.load_functions()
        leadership = await log.acquire(shard, "test", 3_600_000, lineage, shards, b"")
        assert leadership is not None
        assert leadership.seq == 0
        return cls(log, leadership)

    async def decide(self, *commands: Command) -> None:
        """Append the commands as one entry and commit what they come to."""
        at = self._at
        [entry] = await self._log.append([(at.shard, encode_commands(list(commands)))], 0)
        await self._commit(entry, commands)

    async def decide_waiting(self) -> None:
        """Decide whatever others have appended."""
        for _, entries in await self._log.read_commands({self._at.shard: self._at.cursor}, 0):
            for entry, payload in entries:
                await self._commit(entry, decode_commands(payload))

    async def stay(self) -> None:
        """Say that it lives: otherwise nobody but itself may append."""
        await self._log.renew("test", 3_600_000, {self._at.shard: self._at.epoch})

    async def _commit(self, entry: str, commands: Iterable[Command]) -> None:
        at = self._at
        instant = int(entry.partition("-")[0])
        events = [
            encode_event(event)
            for command in commands
            for event in execute(self._shard, command, instant)
        ]
        head = at.head
        for event in events:
            head = chain(head, event)
        before = (at.cursor, at.seq, at.head)
        await self._log.commit([Commit(at.shard, at.epoch, *before, entry, head, events)])
        self._at = Leadership(at.shard, at.epoch, at.lineage, entry, at.seq + len(events), head)

    @property
    def seq(self) -> int:
        """The last event of the shard."""
        return self._at.seq


class Crowd:
    """What happens in a saleroom, thought up from a seed; every event there is comes about."""

    def __init__(self, seed: int, sale: str, lots: int = 4, bidders: int = 6) -> None:
        self._random = random.Random(seed)
        self._sale = sale
        self._auctions = [f"auction_{sale}_{number}" for number in range(1, lots + 1)]
        self._consumers = [f"cons_{sale}{number}" for number in range(bidders)]

    def wishes(self, count: int) -> list[Command]:
        """The next *count* commands."""
        return [self._wish() for _ in range(count)]

    def _wish(self) -> Command:
        auction = self._random.choice(self._auctions[-4:])
        consumer = self._random.choice(self._consumers)
        dice = self._random.random()
        if dice < 0.02:
            return CloseLot(auction)
        if dice < 0.03:
            return CancelLot(auction)
        if dice < 0.05:
            return PauseLot(auction)
        if dice < 0.10:
            return UnpauseLot(auction)
        if dice < 0.15:
            admission: Admission = self._random.choice(("approved", "suspended", "pending"))
            return RegisterBidder(f"seq_{self._sale}", consumer, admission)
        if dice < 0.18:
            return self._one_more_lot()
        return self._bid(auction, consumer)

    def _one_more_lot(self) -> AddLot:
        number = len(self._auctions) + 1
        auction = f"auction_{self._sale}_{number}"
        self._auctions.append(auction)
        [_, first] = sale_of_lots(self._sale, reserve=self._random.choice((None, 20_000)))
        assert isinstance(first, AddLot)
        printed = Catalogue(str(number), "Bowl", serial=f"AUC{number}")
        return AddLot(auction, first.sale_id, first.terms, printed)

    def _bid(self, auction: str, consumer: str) -> PlaceBid:
        # Around the reserve at first, then higher: some too low, some ties, some jumps.
        amount = self._random.randrange(8, 60) * 1_000 + self._random.choice((0, 0, 0, 500))
        kind: Kind = self._random.choice(("bid", "max"))
        # Few enough ids that some come again, with the same content and with another.
        return PlaceBid(auction, consumer, f"cmd-{self._random.randrange(400)}", amount, kind)


# ── What an archive of these events must hold ────────────────────────────────────────────


async def whole_history(log: Log, shards: int) -> dict[int, list[tuple[int, bytes]]]:
    """Every event of every shard."""
    history: dict[int, list[tuple[int, bytes]]] = {shard: [] for shard in range(shards)}
    while found := await log.read_events(
        {shard: entries[-1][0] if entries else 0 for shard, entries in history.items()}, 0
    ):
        for shard, entries in found:
            history[shard] += entries
    return history


def expected(history: dict[int, list[Event]], salt: bytes = SALT) -> Rows:
    """The rows, event by event; *salt* is the house's secret."""
    tables = ("sales", "auctions", "registrations", "bids", "results")
    rows: dict[str, dict[Any, dict[str, Any]]] = {name: {} for name in tables}
    for events in history.values():
        for seq, event in enumerate(events, 1):
            _expect(rows, seq, event, salt)
    return {name: [found[key] for key in sorted(found)] for name, found in rows.items()}


def _expect(
    rows: dict[str, dict[Any, dict[str, Any]]], seq: int, event: Event, salt: bytes
) -> None:
    if isinstance(event, SaleCreated):
        sale = event.sale
        rows["sales"][sale.sale_id] = {
            "sale_id": sale.sale_id,
            "name": sale.name,
            "currency": sale.currency,
            "exponent": sale.exponent,
            "time_zone": sale.time_zone,
            "registration": sale.registration,
            "created_at": event.at,
        }
    elif isinstance(event, LotAdded):
        printed = event.catalogue
        rows["auctions"][event.auction_id] = {
            "auction_id": event.auction_id,
            "sale_id": event.sale_id,
            "lot_number": printed.lot_number,
            "name": printed.name,
            "description": printed.description,
            "estimate_low": printed.estimate_low,
            "estimate_high": printed.estimate_high,
            "photos": list(printed.photos),
            "provenance": list(printed.provenance),
            "serial": printed.serial,
            "terms": msgspec.json.decode(msgspec.json.encode(event.terms)),
            "added_at": event.at,
        }
    elif isinstance(event, BidderRegistered):
        _expect_seat(
            rows, event.sale_id, event.consumer_id, event.paddle, event.admission, event.at
        )
    elif isinstance(event, BidAccepted | BidRefused):
        _expect_bid(rows, seq, event, salt)
    elif isinstance(event, LotClosed | LotCanceled):
        _expect_result(rows, event)
    elif isinstance(event, LotSettled):
        rows["results"][event.auction_id]["settled_at"] = event.at


def _expect_seat(
    rows: dict[str, dict[Any, dict[str, Any]]],
    sale_id: str,
    consumer: str,
    paddle: int,
    admission: str,
    at: int,
) -> None:
    known = rows["registrations"].get((sale_id, consumer))
    if known is not None:
        known["admission"] = admission
        return
    rows["registrations"][sale_id, consumer] = {
        "sale_id": sale_id,
        "consumer_id": consumer,
        "paddle": paddle,
        "admission": admission,
        "registered_at": at,
    }


def _expect_bid(
    rows: dict[str, dict[Any, dict[str, Any]]],
    seq: int,
    event: BidAccepted | BidRefused,
    salt: bytes,
) -> None:
    accepted = event if isinstance(event, BidAccepted) else None
    said = f"bid|{event.auction_id}|{event.consumer_id}|{event.cmd_id}"
    rows["bids"][event.auction_id, seq] = {
        "auction_id": event.auction_id,
        "log_seq": seq,
        "bid_id": "bid_" + hmac.digest(salt, said.encode(), "sha256").hex()[:24],
        "consumer_id": event.consumer_id,
        "cmd_id": event.cmd_id,
        "paddle": accepted.paddle if accepted else None,
        "at": event.answer.at,
        "seq": event.answer.seq,
        "amount": event.answer.amount,
        "kind": event.answer.kind,
        "price": accepted.after.price if accepted and accepted.why else None,
        "status": event.answer.status,
        "code": event.answer.code,
        "why": accepted.why if accepted else None,
    }
    if accepted:
        sale_id = rows["auctions"][event.auction_id]["sale_id"]
        at = event.answer.at
        _expect_seat(rows, sale_id, event.consumer_id, accepted.paddle, "approved", at)


def _expect_result(
    rows: dict[str, dict[Any, dict[str, Any]]], event: LotClosed | LotCanceled
) -> None:
    closed = event if isinstance(event, LotClosed) else None
    sold = closed is not None and closed.outcome == "sold"
    rows["results"][event.auction_id] = {
        "auction_id": event.auction_id,
        "outcome": closed.outcome if closed else "canceled",
        "winner": closed.winner if closed else None,
        "paddle": event.after.paddle if sold else None,
        "hammer_price": event.after.price if sold else None,
        "closed_at": event.at,
        "settle_at": closed.settle_at if closed else None,
        "settled_at": None,
        "canceled": closed is None,
    }


def held(engine: Engine) -> Rows:
    """All rows of the archive but the bookmarks, ordered by key."""
    found: Rows = {}
    with engine.connect() as connection:
        for name in ("sales", "auctions", "registrations", "bids", "results"):
            table_ = archive.metadata.tables[name]
            rows = connection.execute(select(table_)).mappings()
            keys = [column.name for column in table_.primary_key]
            # Ordered here: databases disagree about the order of texts.
            found[name] = sorted(
                (dict(row) for row in rows), key=lambda row: tuple(row[key] for key in keys)
            )
    return found
