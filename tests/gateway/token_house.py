"""A small house that sells for tokens: one shard, an engine without a loop, a real clerk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine, create_engine, text

from engine.core.increments import table
from engine.core.messages import AddLot, Catalogue, CreateSale, PlaceBid, Terms, Tokens
from engine.streams import Log
from gateway import archive, keys, sealing
from gateway.books import ledger
from gateway.books.ledger import Asset
from gateway.books.store import open_books
from gateway.clerk import Clerk
from gateway.core.naming import bid_id
from gateway.settlement import Duties
from tests.gateway.books.bookkeeping import check_books, check_holds
from tests.gateway.decisions import Leader, held

LOT = "auction_k3f9_1"
TOKEN = 10**18
MILLION = 1_000_000  # of a token's millionths
BOTH = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
_numbers = count(1)


@dataclass
class House:
    """One shard of a house: its log and engine, the books, and whatever clerk is alive."""

    log: Log
    leader: Leader
    archive: Engine
    books: Engine
    keys: keys.HouseKeys
    gold: Asset
    jars: Asset
    clerk: Clerk

    async def begin_clerk(self) -> None:
        """A clerk who knows nothing but what is written down."""
        self.clerk = await _clerk(self.log, self.archive, self.books, self.keys)

    async def write_down(self) -> None:
        """Everything that is decided, and whatever is due after it."""
        await self.clerk.catch_up()
        await self.leader.stay()
        await self.clerk.attend()

    async def finish(self) -> None:
        """Engine and clerk, until neither has anything more to do."""
        for _ in range(3):
            await self.leader.decide_waiting()
            await self.write_down()

    def rich(self, consumer: str, tokens: int) -> None:
        ledger.issue(self.books, consumer, consumer, self.gold.asset_id, tokens * TOKEN, 1)

    async def hold(
        self,
        consumer: str,
        tokens: int,
        for_ms: int = 10_000,
        auction: str = LOT,
        said: str = "held",
    ) -> PlaceBid:
        """What a gateway does first: the bid, and it is paid in; or what else the books *said*."""
        at = await self.log.now()
        bid = PlaceBid(auction, consumer, f"cmd-{consumer}-{tokens}", tokens * MILLION, "bid")
        answer = ledger.hold_for_bid(
            self.books,
            bid_id=self.id_of(bid),
            auction_id=auction,
            consumer_id=consumer,
            cmd_id=bid.cmd_id,
            asset_id=self.gold.asset_id,
            amount=bid.amount,
            exponent=6,
            expires_at=at + for_ms,
            at=at,
        )
        assert answer == said
        return replace(bid, expires_at=at + for_ms)

    async def bid(self, consumer: str, tokens: int, auction: str = LOT) -> PlaceBid:
        """All that a gateway and the engine do."""
        bid = await self.hold(consumer, tokens, auction=auction)
        await self.leader.decide(bid)
        return bid

    def id_of(self, bid: PlaceBid) -> str:
        """What the bid is called."""
        salt = keys.anonymity_salt(self.keys)
        return bid_id(bid.auction_id, bid.consumer_id, bid.cmd_id, salt)

    def money(self, consumer: str) -> tuple[int, int, int]:
        """Whole tokens available and held, and jars."""
        found = {b.symbol: b for b in ledger.balances(self.books, consumer)}
        gold, jars = found["GLD"], found.get("JAR")
        return gold.available // TOKEN, gold.held // TOKEN, jars.available if jars else 0

    def agree(self) -> None:
        """Books and holds."""
        check_books(self.books)
        check_holds(self.books)

    def state_of(self, auction: str = LOT) -> tuple[bool, bool]:
        """Whether the log has said that the lot is settling, and that it is settled."""
        [row] = [one for one in held(self.archive)["results"] if one["auction_id"] == auction]
        return row["settling_at"] is not None, row["settled_at"] is not None


async def _clerk(log: Log, store: Engine, books: Engine, house_keys: keys.HouseKeys) -> Clerk:
    def key(terms: Terms) -> str:
        return sealing.opening_key(house_keys, terms)

    duties = await Duties.begin(log, books, 1, key)
    return await Clerk.begin(log, store, 1, keys.anonymity_salt(house_keys), books, duties)


def empty_database(request: pytest.FixtureRequest, folder: Path) -> str:
    """Its URL: SQLite's, or where the test is parametrized with it, PostgreSQL's."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return f"sqlite:///{folder / 'fairwarning.db'}"
    server: str = request.getfixturevalue("postgresql_server")
    name = f"tokens_{next(_numbers)}"
    url = (server % "postgres").replace("postgresql:", "postgresql+psycopg:")
    maker = create_engine(url, isolation_level="AUTOCOMMIT")
    with maker.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    maker.dispose()
    return server % name


@asynccontextmanager
async def open_house(
    valkey: str, database: str, house_keys: keys.HouseKeys
) -> AsyncIterator[House]:
    """A token auction of two jars is open; Ana, Bo and Cy have a hundred tokens each."""
    store, books = archive.open_archive(database), open_books(database)
    log = await Log.open(valkey)
    try:
        leader = await Leader.lead(log, 0, 1)
        gold = ledger.create_asset(books, "test", "erc20", "GLD", "Gold", 18, 1)
        jars = ledger.create_asset(books, "test", "erc721", "JAR", "Jars", 0, 2)
        clerk = await _clerk(log, store, books, house_keys)
        house = House(log, leader, store, books, house_keys, gold, jars, clerk)
        for consumer in ("cons_ana", "cons_bo", "cons_cy"):
            house.rich(consumer, 100)
        await leader.decide(CreateSale("seq_k3f9", "Tokens", "EUR", 2), token_lot(house))
        yield house
    finally:
        await log.close()
        store.dispose()
        books.dispose()


def token_lot(house: House, **more: object) -> AddLot:
    tokens = Tokens(house.gold.asset_id, "erc721", house.jars.asset_id)
    terms = Terms(
        MILLION,
        table([(0, 1)]),
        opens_at=0,
        format="one_bid",
        winner_count=2,
        tokens=tokens,
        settle_by_command=True,
        exponent=6,
    )
    return AddLot(LOT, "seq_k3f9", replace(terms, **more), Catalogue("1", "Jar"))
