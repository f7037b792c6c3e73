"""A sale of objects, for the tests of what the verifier is told: every way that a lot can go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection, Engine, select

from engine.core.increments import table
from engine.core.messages import (
    AddLot,
    CancelLot,
    Catalogue,
    CloseLot,
    Command,
    CreateSale,
    FinishSettlement,
    OpenLot,
    PauseLot,
    RemoveLot,
    SettleLot,
    Terms,
    Tokens,
    UnpauseLot,
    UpdateLot,
)
from gateway import archive
from gateway.archive import Passage
from gateway.books import news, outbox
from tests.gateway.decisions import AT, SALT, bid

SALE = "seq_k3f9"
TERMS = Terms(10_000, table([(0, 1_000)]), opens_at=0, settle_by_command=True)
DRAFT = replace(TERMS, opens_at=None)
LATER = replace(TERMS, opens_at=AT + 86_400_000, reserve=20_000)
TOKENS = replace(
    TERMS,
    opening=1,
    format="one_bid",
    tokens=Tokens("asset-1", "erc721", "asset-2"),
    currency="GOLD",
    exponent=0,
)

Told = tuple[str, str | None, str | None]  # kind, lot, serial


def lot(name: str) -> str:
    return f"auction_k3f9_{name}"


def printed(number: str, serial: str | None) -> Catalogue:
    return Catalogue(number, "Watch", serial=serial)


def added(name: str, terms: Terms, serial: str | None) -> AddLot:
    return AddLot(lot(name), SALE, terms, printed(name.upper(), serial))


def evening() -> list[Command]:
    """Ten lots and what becomes of them, in the order of a sale."""
    return [
        CreateSale(SALE, "Watches", "EUR", 2),
        added("sold", TERMS, "A1"),
        added("plain", TERMS, None),
        added("passed", TERMS, "B1"),
        added("draft", DRAFT, "C1"),
        added("away", LATER, "D1"),
        added("called", TERMS, "E1"),
        added("other", LATER, "F1"),
        added("given", TOKENS, "G1"),
        added("never", DRAFT, "H1"),
        bid("cons_ana", 20_000, auction=lot("sold")),
        bid("cons_bo", 20_000, auction=lot("plain")),
        bid("cons_cy", 12, auction=lot("given")),
        UpdateLot(lot("draft"), 0, DRAFT, printed("DRAFT", "C2"), "u1"),
        OpenLot(lot("draft"), "o1"),
        PauseLot(lot("called"), "p1"),
        UpdateLot(lot("away"), 0, replace(LATER, reserve=None), printed("AWAY", "D1"), "u2"),
        UpdateLot(lot("other"), 0, LATER, printed("OTHER", "F2"), "u3"),
        RemoveLot(lot("away"), "r1"),
        UnpauseLot(lot("called"), "p2"),
        CancelLot(lot("called"), "c1"),
        UpdateLot(lot("other"), 1, replace(LATER, opens_at=None), printed("OTHER", "F2"), "u4"),
        RemoveLot(lot("never"), "r2"),
        CloseLot(lot("sold"), "h1"),
        CloseLot(lot("plain"), "h2"),
        CloseLot(lot("passed"), "h3"),
        CloseLot(lot("given"), "h4"),
        CloseLot(lot("draft"), "h5"),
        SettleLot(lot("sold"), "s1"),
        SettleLot(lot("passed"), "s2"),
        SettleLot(lot("plain"), "s3"),
        SettleLot(lot("given"), "s4"),
        SettleLot(lot("draft"), "s5"),
        FinishSettlement(lot("given")),
        # The lot that passed, put up again as another auction.
        added("again", TERMS, "B1"),
    ]


TELLS: list[Told] = [
    ("listed", "sold", "A1"),
    ("listed", "passed", "B1"),
    ("listed", "away", "D1"),
    ("listed", "called", "E1"),
    ("listed", "other", "F1"),
    ("listed", "given", "G1"),
    ("listed", "draft", "C2"),
    ("unlisted", "other", "F1"),
    ("listed", "other", "F2"),
    ("unlisted", "away", "D1"),
    ("unlisted", "called", "E1"),
    ("unlisted", "other", "F2"),
    ("passed", "passed", "B1"),
    ("passed", "draft", "C2"),
    ("sold", "sold", "A1"),
    ("sold", "given", "G1"),
    ("paid", "given", "G1"),
    ("listed", "again", "B1"),
]


def record(books: Engine, found: Sequence[Passage]) -> None:
    """Write a turn down as the clerk does."""
    archive.record(books, found, SALT, [_intend])


def _intend(connection: Connection, found: Sequence[Passage]) -> None:
    for passage in found:
        news.intend(connection, passage)
        outbox.intend(connection, passage, SALT)


def rows(books: Engine) -> list[Any]:
    """Every piece of news, in the order in which it is told."""
    with books.connect() as connection:
        return list(connection.execute(select(news.news).order_by(news.news.c.number)))


def told(books: Engine) -> list[Told]:
    """The same in short."""
    return [
        (row.kind, row.auction_id and row.auction_id.removeprefix("auction_k3f9_"), row.serial)
        for row in rows(books)
    ]
