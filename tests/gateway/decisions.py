"""Real decisions for the tests of the archive: made by the engine's core, without its loop.

``Leader`` leads one shard of a real log and decides what it is told; ``decided`` does the
same without a log.  ``Crowd`` thinks up what a house and its bidders might wish, from a
seed.  ``expected`` is what an archive of those events must hold, told in the plainest way.
"""

from __future__ import annotations

import hmac
import random
from base64 import b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from msgspec.structs import replace
from sqlalchemy import Engine, select

from engine.core import sealed
from engine.core.codec import GENESIS, chain, decode_commands, encode_commands, encode_event
from engine.core.increments import table
from engine.core.messages import (
    AddLot,
    Admission,
    BidAccepted,
    BidCanceled,
    BidderRegistered,
    BiddingEnded,
    BidRefused,
    CancelBid,
    CancelLot,
    Catalogue,
    CloseLot,
    Command,
    CommandTaken,
    CreateSale,
    Event,
    FinishSettlement,
    Kind,
    LimitLowered,
    LotAdded,
    LotCanceled,
    LotClosed,
    LotSettled,
    LotSettling,
    LotUpdated,
    LotWithdrawn,
    LowerLimit,
    PauseLot,
    PlaceBid,
    RegisterBidder,
    SaleCreated,
    SaleRemoved,
    SaleTerms,
    SaleUpdated,
    Sealing,
    SettleLot,
    Terms,
    Tokens,
    UnpauseLot,
    UpdateLot,
    UpdateSale,
)
from engine.core.sale import Shard, execute
from engine.streams import Commit, Leadership, Log
from gateway import archive
from gateway.archive import Bookmark, Passage

AT = 1_795_000_000_000
LINEAGE = "lineage-one"
SALT = b"what the house keeps to itself"

Rows = dict[str, list[dict[str, Any]]]
TABLES = (
    "sales",
    "auctions",
    "registrations",
    "bids",
    "results",
    "wins",
    "lowerings",
    "acts",
)


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

    async def append(self, *commands: Command) -> None:
        """Append them, and leave it at that."""
        await self._log.append([(self._at.shard, encode_commands(list(commands)))], 0)

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
        self._sale_id = f"seq_{sale}"
        self._auctions = [f"auction_{sale}_{number}" for number in range(1, lots + 1)]
        self._sealed: set[str] = set()
        self._tokens: set[str] = set()
        self._best: dict[str, PlaceBid] = {}  # the highest bid that was thought of, by auction
        self._consumers = [f"cons_{sale}{number}" for number in range(bidders)]
        self._acts = 0

    def wishes(self, count: int) -> list[Command]:
        """The next *count* commands."""
        return [self._wish() for _ in range(count)]

    def _wish(self) -> Command:
        auction = self._random.choice(self._auctions[-4:])
        consumer = self._random.choice(self._consumers)
        dice = self._random.random()
        if dice < 0.12:
            return self._move(auction)
        if dice < 0.17:
            admissions: tuple[Admission, ...] = ("approved", "suspended", "pending")
            [admission] = self._random.choices(admissions, (8, 1, 1))
            limit = self._random.choice((None, None, 190_000))
            return RegisterBidder(self._sale_id, consumer, admission, None, limit, "heard", by="cy")
        if dice < 0.20:
            return self._one_more_lot()
        if dice < 0.24:
            return self._change()
        if dice < 0.31 and (best := self._best.get(auction)) is not None:
            return self._have_second_thoughts(best)
        return self._bid(auction, consumer)

    def _have_second_thoughts(self, best: PlaceBid) -> Command:
        if best.auction_id in self._tokens:
            cancel = CancelBid(best.auction_id, best.consumer_id, best.cmd_id, self._named(), "cy")
            del self._best[best.auction_id]
            return cancel
        lower = best.amount - self._random.randrange(1, 5) * 1_000
        return LowerLimit(best.auction_id, best.consumer_id, lower, self._named())

    def _move(self, auction: str) -> Command:
        key = SEALING_KEY if auction in self._sealed else ""
        weights = (2, 1, 2, 5, 1, 1)
        moves: tuple[Command, ...] = (
            CloseLot(auction, self._named(), "cy", key),
            CancelLot(auction),
            PauseLot(auction),
            UnpauseLot(auction),
            SettleLot(auction),
            FinishSettlement(auction),
        )
        return self._random.choices(moves, weights)[0]

    def _named(self) -> str:
        """An id for a command of the house; some come again."""
        self._acts += self._random.choice((0, 1, 1, 1))
        return f"act-{self._acts}"

    def _change(self) -> Command:
        name = self._random.choice(("Studio ceramics", "Ceramics", "Pots"))
        terms = SaleTerms(((0, "25"),), conditions_version="2")
        changed = CreateSale(self._sale_id, name, "EUR", 2, terms=terms)
        if self._random.random() < 0.3:
            return UpdateSale(changed, self._named(), "cy")
        [_, first] = sale_of_lots(self._sale)
        assert isinstance(first, AddLot)
        auction = self._random.choice(self._auctions[-2:])
        return UpdateLot(auction, 0, first.terms, Catalogue("9", name), self._named(), "cy")

    def _one_more_lot(self) -> AddLot:
        number = len(self._auctions) + 1
        auction = f"auction_{self._sale}_{number}"
        self._auctions.append(auction)
        [_, first] = sale_of_lots(self._sale, reserve=self._random.choice((None, 20_000)))
        assert isinstance(first, AddLot)
        printed = Catalogue(str(number), "Bowl", serial=f"AUC{number}")
        terms = first.terms
        dice = self._random.random()
        if dice < 0.3:
            self._tokens.add(auction)
            tokens = Tokens("asset-in", "erc721", "asset-out")
            terms = replace(terms, format="one_bid", winner_count=2, tokens=tokens)
        elif dice < 0.6:
            self._sealed.add(auction)
            terms = replace(terms, format="sealed_second", sealing=SEALING)
        elif dice < 0.8:
            terms = replace(terms, opens_at=None)  # until then it can be changed
        return AddLot(auction, first.sale_id, terms, printed)

    def _bid(self, auction: str, consumer: str) -> PlaceBid:
        # Around the reserve at first, then higher: some too low, some ties, some jumps.
        amount = self._random.randrange(8, 60) * 1_000 + self._random.choice((0, 0, 0, 500))
        kind: Kind = self._random.choice(("bid", "max"))
        # Few enough ids that some come again, with the same content and with another.
        cmd_id = f"cmd-{self._random.randrange(400)}"
        if auction in self._sealed:
            return sealed_bid(auction, consumer, cmd_id, amount)
        bid = PlaceBid(
            auction, consumer, cmd_id, amount, "bid" if auction in self._tokens else kind
        )
        best = self._best.get(auction)
        if best is None or best.amount < amount:
            self._best[auction] = bid
        return bid


_PRIVATE = X25519PrivateKey.from_private_bytes(b"k" * 32)
SEALING_KEY = b64encode(b"k" * 32).decode()
SEALING = Sealing(b64encode(_PRIVATE.public_key().public_bytes_raw()).decode(), "")


def sealed_bid(
    auction: str, consumer: str, cmd_id: str, amount: int, key: str = SEALING.public_key
) -> PlaceBid:
    """A bid that nobody can read before the close; with that public key, or ``SEALING``'s."""
    salt = sha256(f"{auction}|{consumer}|{cmd_id}".encode()).digest()
    committed = sealed.commitment(auction, consumer, amount, salt)
    text = sealed.seal(key, auction, consumer, amount, salt)
    return PlaceBid(auction, consumer, cmd_id, 0, "sealed", commitment=committed, ciphertext=text)


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
    rows: dict[str, dict[Any, dict[str, Any]]] = {name: {} for name in TABLES}
    for events in history.values():
        for seq, event in enumerate(events, 1):
            _expect(rows, seq, event, salt)
    return {name: [found[key] for key in sorted(found)] for name, found in rows.items()}


def _expect(
    rows: dict[str, dict[Any, dict[str, Any]]], seq: int, event: Event, salt: bytes
) -> None:
    if isinstance(event, SaleCreated | SaleUpdated | SaleRemoved):
        _expect_sale(rows["sales"], event)
    elif isinstance(event, LotAdded | LotUpdated | LotWithdrawn | BiddingEnded):
        _expect_lot(rows["auctions"], event)
    elif isinstance(event, BidderRegistered):
        _expect_seat(rows, event)
    elif isinstance(event, BidAccepted | BidRefused):
        _expect_bid(rows, seq, event, salt)
    elif isinstance(event, BidCanceled):
        bid = _standing(rows, event.auction_id, event.consumer_id, event.bid_cmd_id)
        bid["canceled_at"] = event.at
    elif isinstance(event, LimitLowered):
        rows["lowerings"][event.auction_id, seq] = {
            "auction_id": event.auction_id,
            "log_seq": seq,
            "consumer_id": event.consumer_id,
            "amount": event.limit,
            "at": event.at,
        }
    elif isinstance(event, LotClosed | LotCanceled):
        _expect_result(rows, event, salt)
    elif isinstance(event, LotSettling):
        rows["results"][event.auction_id]["settling_at"] = event.at
    elif isinstance(event, LotSettled):
        rows["results"][event.auction_id]["settled_at"] = event.at
    elif isinstance(event, CommandTaken):
        act = msgspec.structs.asdict(event)
        rows["acts"][event.subject, event.by, event.cmd_id, event.at] = act


def _expect_sale(
    sales: dict[Any, dict[str, Any]], event: SaleCreated | SaleUpdated | SaleRemoved
) -> None:
    if isinstance(event, SaleRemoved):
        sales[event.sale_id]["removed_at"] = event.at
        return
    sale = event.sale
    known = sales.get(sale.sale_id) if isinstance(event, SaleUpdated) else None
    sales[sale.sale_id] = {
        "sale_id": sale.sale_id,
        "name": sale.name,
        "currency": sale.currency,
        "exponent": sale.exponent,
        "time_zone": sale.time_zone,
        "registration": sale.registration,
        "mode": sale.mode,
        "supports_guest": sale.supports_guest,
        "terms": _as_json(sale.terms),
        "created_at": known["created_at"] if known else event.at,
        "updated_at": event.at,
        "removed_at": None,
    }


def _expect_lot(
    auctions: dict[Any, dict[str, Any]],
    event: LotAdded | LotUpdated | LotWithdrawn | BiddingEnded,
) -> None:
    if isinstance(event, LotWithdrawn):
        auctions[event.auction_id]["withdrawn_at"] = event.at
        return
    if isinstance(event, BiddingEnded):
        auctions[event.auction_id]["ended_at"] = event.at
        return
    printed = event.catalogue
    row = auctions.setdefault(event.auction_id, {})
    if isinstance(event, LotAdded):
        row |= {"auction_id": event.auction_id, "sale_id": event.sale_id, "added_at": event.at}
        row |= {"revision": 0, "withdrawn_at": None, "ended_at": None}
    else:
        row["revision"] = event.revision
    row |= {
        "lot_number": printed.lot_number,
        "name": printed.name,
        "description": printed.description,
        "estimate_low": printed.estimate_low,
        "estimate_high": printed.estimate_high,
        "photos": list(printed.photos),
        "provenance": list(printed.provenance),
        "serial": printed.serial,
        "time_zone": printed.time_zone,
        "terms": _as_json(event.terms),
        "in_tokens": event.terms.tokens is not None,
        "updated_at": event.at,
    }


def _as_json(terms: SaleTerms | Terms) -> Any:
    return msgspec.json.decode(msgspec.json.encode(terms))


def _expect_seat(rows: dict[str, dict[Any, dict[str, Any]]], event: BidderRegistered) -> None:
    seats = rows["registrations"]
    known = seats.get((event.sale_id, event.consumer_id))
    seats[event.sale_id, event.consumer_id] = {
        "sale_id": event.sale_id,
        "consumer_id": event.consumer_id,
        "paddle": event.paddle,
        "admission": event.admission,
        "registered_at": known["registered_at"] if known else event.at,
        "bid_limit": event.limit,
        "reason": event.reason,
        "changed_by": event.by,
        "conditions_version": event.conditions_version,
        "changed_at": event.at,
    }


def _expect_bid(
    rows: dict[str, dict[Any, dict[str, Any]]],
    seq: int,
    event: BidAccepted | BidRefused,
    salt: bytes,
) -> None:
    accepted = event if isinstance(event, BidAccepted) else None
    rows["bids"][event.auction_id, seq] = {
        "auction_id": event.auction_id,
        "log_seq": seq,
        "bid_id": _id_of_bid(event.auction_id, event.consumer_id, event.cmd_id, salt),
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
        "commitment": event.answer.commitment,
        "opened_amount": None,
        "void": None,
        "canceled_at": None,
        "channel": "online",
        "house": False,
        "by": "",
        "undone_at": None,
        "called_at": None,
    }
    if accepted:
        sale_id = rows["auctions"][event.auction_id]["sale_id"]
        at = event.answer.at
        seated = BidderRegistered(at, sale_id, event.consumer_id, accepted.paddle, "approved")
        if (sale_id, event.consumer_id) not in rows["registrations"]:
            _expect_seat(rows, seated)


def _id_of_bid(auction: str, consumer: str, cmd_id: str, salt: bytes) -> str:
    said = f"bid|{auction}|{consumer}|{cmd_id}"
    return "bid_" + hmac.digest(salt, said.encode(), "sha256").hex()[:24]


def _standing(
    rows: dict[str, dict[Any, dict[str, Any]]], auction: str, consumer: str, cmd_id: str
) -> dict[str, Any]:
    """The row of an accepted bid."""
    [found] = [
        bid
        for bid in rows["bids"].values()
        if (bid["auction_id"], bid["consumer_id"], bid["cmd_id"]) == (auction, consumer, cmd_id)
        and bid["code"] is None
    ]
    return found


def _expect_result(
    rows: dict[str, dict[Any, dict[str, Any]]], event: LotClosed | LotCanceled, salt: bytes
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
        "settling_at": None,
        "settled_at": None,
        "canceled": closed is None,
        "opening_key": closed.opening_key or None if closed else None,
        "reason": "",
        "by": "",
    }
    if closed is None:
        return
    for place, win in enumerate(closed.winners, 1):
        rows["wins"][event.auction_id, place] = {
            "auction_id": event.auction_id,
            "place": place,
            "consumer_id": win.consumer_id,
            "paddle": win.paddle,
            "amount": win.amount,
            "bid": win.bid,
            "bid_id": _id_of_bid(event.auction_id, win.consumer_id, win.cmd_id, salt),
        }
    for opened in closed.opened:
        bid = _standing(rows, event.auction_id, opened.consumer_id, opened.cmd_id)
        bid |= {"opened_amount": opened.amount, "void": opened.void}


def held(engine: Engine) -> Rows:
    """All rows of the archive but the bookmarks, ordered by key."""
    found: Rows = {}
    with engine.connect() as connection:
        for name in TABLES:
            table_ = archive.metadata.tables[name]
            rows = connection.execute(select(table_)).mappings()
            keys = [column.name for column in table_.primary_key]
            # Ordered here: databases disagree about the order of texts.
            found[name] = sorted(
                (dict(row) for row in rows), key=lambda row: tuple(row[key] for key in keys)
            )
    return found
