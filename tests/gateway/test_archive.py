"""The archive's store, with real decisions in it; the same tests on both databases."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from importlib import import_module
from itertools import count
from pathlib import Path
from pkgutil import iter_modules
from sqlite3 import OperationalError, connect
from typing import Any

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from msgspec.structs import replace
from sqlalchemy import Engine, create_engine, event, select, text

import gateway.books
from engine.core.codec import GENESIS
from engine.core.increments import table
from engine.core.messages import (
    AddLot,
    CancelBid,
    CancelLot,
    Catalogue,
    CloseLot,
    Command,
    CreateSale,
    KeepTime,
    LotAdded,
    RegisterBidder,
    RemoveLot,
    RemoveSale,
    SettleLot,
    Terms,
    Tokens,
    UpdateLot,
    UpdateSale,
)
from engine.settings import BadSetting
from gateway import archive
from gateway.archive import ArchiveError, Bookmark, OwnBid, Passage, PublicBid, Winner
from gateway.core.naming import bid_id
from tests.gateway.decisions import (
    AT,
    LINEAGE,
    SALT,
    SEALING,
    SEALING_KEY,
    Crowd,
    bid,
    decided,
    expected,
    held,
    passages,
    sale_of_lots,
    sealed_bid,
)
from tests.processes import Running, environment, python

LOT = "auction_k3f9_1"
_numbers = count(1)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database that is empty."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'archive.db'}"
    server: str = request.getfixturevalue("postgresql_server")
    name = f"archive_{next(_numbers)}"
    maker = create_engine(
        (server % "postgres").replace("postgresql:", "postgresql+psycopg:"),
        isolation_level="AUTOCOMMIT",
    )
    with maker.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    maker.dispose()
    return server % name


@pytest.fixture
def store(url: str) -> Iterator[Engine]:
    """An archive in which nothing has been written down."""
    engine = archive.open_archive(url)
    yield engine
    engine.dispose()


def write(store: Engine, commands: list[Command], size: int = 1_000) -> None:
    """Have the engine decide the commands and write down what it decided."""
    archive.begin(store, {0: Bookmark(LINEAGE, 0, GENESIS)})
    for passage in passages(decided(commands), size):
        archive.record(store, [passage], SALT)


# ── Tables ───────────────────────────────────────────────────────────────────────────────


def test_migrations_make_the_tables_that_the_code_speaks_of(store: Engine) -> None:
    """Up from empty, a database has exactly the declared tables, columns and indexes."""
    for module in iter_modules(gateway.books.__path__):
        import_module(f"gateway.books.{module.name}")  # each declares its own tables
    with store.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, archive.metadata) == []


def test_opening_again_keeps_what_is_there(store: Engine, url: str) -> None:
    """The second start finds the first one's rows."""
    write(store, sale_of_lots())
    again = archive.open_archive(url)
    assert held(again) == held(store)
    assert archive.position(again, 0) == 2
    again.dispose()


def test_processes_that_start_at_once_agree_who_makes_the_tables(url: str) -> None:
    """Clerk and gateways may all be the first to open an empty database."""
    program = f"from gateway import archive; print(archive.open_archive({url!r}).dialect.name)"
    with ThreadPoolExecutor() as pool:
        said = list(pool.map(lambda _: _said(program), range(4)))
    assert said == [[url.partition(":")[0]]] * 4


def _said(program: str) -> list[str]:
    with Running(python("-c", program), environment()) as process:
        process.ended()
        return process.lines


def test_a_database_of_a_later_version_is_refused(store: Engine, url: str) -> None:
    """An old program never writes into tables that it does not know."""
    with store.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(BadSetting, match="9999"):
        archive.open_archive(url)


# ── Writing ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_everything_decided_is_written_down_once(store: Engine, size: int) -> None:
    """However the history is cut into passages, the rows are those of the whole."""
    commands = [*sale_of_lots(lots=4), *Crowd(7, "k3f9").wishes(600)]
    write(store, commands, size)
    events = decided(commands)
    assert held(store) == expected({0: events})
    assert archive.position(store, 0) == len(events)
    assert all(held(store).values()), "a table stayed empty: the crowd is too dull"


def test_a_passage_is_written_whole_or_not_at_all(store: Engine) -> None:
    """Cut off before any of its statements, a passage leaves nothing, and succeeds later."""
    commands = [*sale_of_lots(), RegisterBidder("seq_k3f9", "cons_ana"), bid("cons_ana", 20_000)]
    [passage] = passages(decided([*commands, CloseLot(LOT)]), 1_000)
    archive.begin(store, {0: Bookmark(LINEAGE, 0, GENESIS)})
    empty = held(store)
    cuts = 0
    while not _recorded(store, passage, statements=cuts):
        cuts += 1
        assert held(store) == empty
        assert archive.position(store, 0) == 0
    assert cuts > 6, "more tables than that have a row"
    assert held(store)["results"]


def _recorded(store: Engine, passage: Passage, statements: int) -> bool:
    """Write the passage, but for a failure after so many statements; whether it went well."""
    left = count(statements, -1)

    def cut(*_: object) -> None:
        if next(left) == 0:
            raise ArchiveError("cut off")

    event.listen(store, "before_cursor_execute", cut)
    try:
        archive.record(store, [passage], SALT)
    except ArchiveError:
        return False
    finally:
        event.remove(store, "before_cursor_execute", cut)
    return True


def test_a_second_clerk_is_found_out(store: Engine) -> None:
    """Whoever writes from a bookmark that has moved writes nothing."""
    first, second = passages(decided([*sale_of_lots(), bid("cons_ana", 20_000)]), 2)
    archive.begin(store, {0: Bookmark(LINEAGE, 0, GENESIS)})
    archive.record(store, [first], SALT)
    archive.record(store, [second], SALT)
    before = held(store)
    with pytest.raises(ArchiveError, match="another clerk"):
        archive.record(store, [second], SALT)
    assert held(store) == before


def test_shards_are_written_in_one_step(store: Engine) -> None:
    """Where one shard's passage cannot be written, the other's is not either."""
    archive.begin(store, {s: Bookmark(LINEAGE, 0, GENESIS) for s in (0, 1)})
    good = passages(decided(sale_of_lots("k3f9")), 1_000, shard=0)
    moved = passages(decided(sale_of_lots("zz11")), 1, shard=1)[1:2]
    with pytest.raises(ArchiveError, match="shard 1"):
        archive.record(store, [*good, *moved], SALT)
    assert archive.position(store, 0) == 0
    assert held(store)["sales"] == []


def test_an_error_of_the_database_tells_no_limit(store: Engine) -> None:
    """What the operator reads of a failed write names no bidder and no amount."""
    write(store, sale_of_lots())
    [*_, last] = passages(decided([*sale_of_lots(), bid("cons_ana", 77_777)]), 2)
    with store.begin() as connection:
        connection.execute(text("DROP TABLE bids"))
    with pytest.raises(ArchiveError) as failure:
        archive.record(store, [last], SALT)
    assert "bids" in str(failure.value)
    shown = f"{failure.value} {failure.value.__cause__}"
    assert "77777" not in shown
    assert "cons_ana" not in shown
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize(
    "printed",
    [Catalogue("1A", "Jar", estimate_low=2**63), Catalogue("1A", "half a pair: \ud83d")],
)
def test_a_value_that_no_column_holds_is_told_in_one_line(
    store: Engine, printed: Catalogue
) -> None:
    """Whether database or driver refuses it: no bug's traceback, and nothing is written."""
    _refuses(store, printed)


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_nul_is_told_in_one_line(store: Engine) -> None:
    """PostgreSQL's texts hold none; SQLite's do."""
    _refuses(store, Catalogue("1A", "cut \0 here"))


def _refuses(store: Engine, printed: Catalogue) -> None:
    """Have a lot written down that says what no column holds."""
    added = next(event for event in decided(sale_of_lots()) if isinstance(event, LotAdded))
    bad = msgspec.structs.replace(added, auction_id="auction_k3f9_2", catalogue=printed)
    write(store, sale_of_lots())
    before = held(store)
    start = archive.bookmarks(store)[0]
    end = Bookmark(LINEAGE, start.seq + 1, "f" * 64)
    with pytest.raises(ArchiveError) as failure:
        archive.record(store, [Passage(0, start, end, [(end.seq, bad)])], SALT)
    assert str(failure.value)
    assert "\n" not in str(failure.value)
    assert held(store) == before
    assert archive.bookmarks(store)[0] == start


def test_a_bug_among_the_rows_is_not_taken_for_the_database(store: Engine) -> None:
    """What is no event ends the clerk with a traceback, not with a line about the database."""
    archive.begin(store, {0: Bookmark(LINEAGE, 0, GENESIS)})
    nonsense: Any = [("one", "event", "too many")]
    passage = Passage(0, Bookmark(LINEAGE, 0, GENESIS), Bookmark(LINEAGE, 1, "f" * 64), nonsense)
    with pytest.raises(ValueError, match="unpack"):
        archive.record(store, [passage], SALT)
    assert archive.position(store, 0) == 0


# ── Reading ──────────────────────────────────────────────────────────────────────────────


def test_position_of_a_shard_that_nobody_knows_is_zero(store: Engine) -> None:
    """A gateway may ask before the clerk has begun."""
    assert archive.position(store, 5) == 0


def test_public_bids_show_prices_and_nothing_else(store: Engine) -> None:
    """Newest first, at the price each made; refusals and silent raises are not among them."""
    bids = [
        bid("cons_ana", 50_000, "max"),  # makes 150.00, the reserve
        bid("cons_bo", 9_000),  # refused
        bid("cons_bo", 20_000),  # passed by Ana's limit: 210.00
        bid("cons_ana", 60_000, "max"),  # a silent raise
        bid("cons_bo", 70_000),
    ]
    write(store, [*sale_of_lots(), *bids])
    shown = archive.public_bids(store, LOT, 10)
    assert shown == [
        PublicBid(_id("cons_bo", bids[4].cmd_id), "cons_bo", 70_000, AT + 6_000),
        PublicBid(_id("cons_bo", bids[2].cmd_id), "cons_bo", 21_000, AT + 4_000),
        PublicBid(_id("cons_ana", bids[0].cmd_id), "cons_ana", 15_000, AT + 2_000),
    ]
    assert archive.public_bids(store, LOT, 2) == shown[:2]
    assert archive.public_bids(store, "auction_k3f9_9", 2) == []


def test_own_bids_show_the_bidders_own_figures(store: Engine) -> None:
    """Newest first, limits and silent raises included; nobody else's and no refusal."""
    bids = [
        bid("cons_ana", 50_000, "max"),
        bid("cons_bo", 20_000),
        bid("cons_ana", 60_000, "max"),
        bid("cons_ana", 55_000, "max"),  # refused: no raise
    ]
    write(store, [*sale_of_lots(), *bids])
    shown = archive.own_bids(store, LOT, "cons_ana", 10)
    assert shown == [
        OwnBid(_id("cons_ana", bids[2].cmd_id), 60_000, AT + 4_000),
        OwnBid(_id("cons_ana", bids[0].cmd_id), 50_000, AT + 2_000),
    ]
    assert archive.own_bids(store, LOT, "cons_ana", 1) == shown[:1]


def _id(consumer: str, cmd_id: str) -> str:
    return bid_id(LOT, consumer, cmd_id, SALT)


def test_a_sold_lot_has_a_winner_and_a_hammer_price(store: Engine) -> None:
    """Sold to Bo for what the bidding came to, and settled."""
    bids = (bid("cons_ana", 20_000), bid("cons_bo", 30_000))
    write(store, [*sale_of_lots(), *bids, CloseLot(LOT)])
    closed = AT + 4_000
    assert held(store)["results"] == [
        {
            "auction_id": LOT,
            "outcome": "sold",
            "winner": "cons_bo",
            "paddle": 102,
            "hammer_price": 30_000,
            "closed_at": closed,
            "settle_at": closed,
            "settling_at": None,
            "settled_at": closed,
            "canceled": False,
            "opening_key": None,
            "reason": "",
            "by": "",
        }
    ]


def test_a_lot_under_its_reserve_passes(store: Engine) -> None:
    """No winner, and the price that was not enough is no hammer price."""
    write(store, [*sale_of_lots(), bid("cons_ana", 10_000), CloseLot(LOT)])
    [found] = held(store)["results"]
    assert found["outcome"] == "passed"
    assert (found["winner"], found["paddle"], found["hammer_price"]) == (None, None, None)


def test_a_canceled_lot_is_never_settled(store: Engine) -> None:
    """Canceled under the leader's hands: nobody has won."""
    write(store, [*sale_of_lots(), bid("cons_ana", 20_000), CancelLot(LOT)])
    [found] = held(store)["results"]
    assert found == {
        "auction_id": LOT,
        "outcome": "canceled",
        "winner": None,
        "paddle": None,
        "hammer_price": None,
        "closed_at": AT + 3_000,
        "settle_at": None,
        "settling_at": None,
        "settled_at": None,
        "canceled": True,
        "opening_key": None,
        "reason": "",
        "by": "",
    }


def test_the_houses_later_words_are_written_down(store: Engine) -> None:
    """A changed sale, a changed and a withdrawn lot, sealed bidding that has ended, a removal."""
    sealed = Terms(10_000, table([(0, 1_000)]), format="sealed_first", sealing=SEALING)
    first, second, third = (f"auction_k3f9_{number}" for number in (1, 2, 3))
    waits = Terms(10_000, table([(0, 1_000)]))
    dated = replace(sealed, opens_at=1, closes_at=AT + 6_500)
    commands: list[Command] = [
        CreateSale("seq_k3f9", "Pots", "EUR", 2),
        AddLot(first, "seq_k3f9", waits, Catalogue("1", "Jar")),
        AddLot(second, "seq_k3f9", waits, Catalogue("2", "Jug")),
        AddLot(third, "seq_k3f9", dated, Catalogue("3", "Cup")),
        UpdateLot(first, 0, replace(waits, opening=500), Catalogue("1A", "Old jar"), "one", "cy"),
        RemoveLot(second, "two", "cy"),
        UpdateSale(CreateSale("seq_k3f9", "Cups", "EUR", 2, mode="test"), "three", "cy"),
        KeepTime(third),
        CreateSale("seq_zz11", "A slip", "EUR", 2),
        RemoveSale("seq_zz11", "four", "cy"),
        RemoveSale("seq_zz11", "four", "cy"),  # sent again
    ]
    write(store, commands, 3)
    found = held(store)
    assert found == expected({0: decided(commands)})
    assert [row["name"] for row in found["auctions"]] == ["Old jar", "Jug", "Cup"]
    assert [row["revision"] for row in found["auctions"]] == [1, 0, 0]
    assert [row["withdrawn_at"] for row in found["auctions"]] == [None, AT + 5_000, None]
    assert archive.ended_auctions(store) == [third]
    assert [row["name"] for row in found["sales"]] == ["Cups", "A slip"]
    assert [row["removed_at"] for row in found["sales"]] == [None, AT + 9_000]
    assert {row["command"] for row in found["acts"]} == {
        "UpdateLot",
        "RemoveLot",
        "UpdateSale",
        "RemoveSale",
    }
    assert len(found["acts"]) == 4


def test_sealed_bids_are_written_down_when_they_are_opened(store: Engine) -> None:
    """Two bids, one of them void: amounts come with the close, and so do places and the key."""
    terms = Terms(10_000, table([(0, 1_000)]), opens_at=0, format="sealed_first", sealing=SEALING)
    bids = [
        sealed_bid(LOT, "cons_ana", "a", 20_000),
        sealed_bid(LOT, "cons_bo", "b", 9_000),
    ]
    commands: list[Command] = [
        CreateSale("seq_k3f9", "Pots", "EUR", 2),
        AddLot(LOT, "seq_k3f9", terms, Catalogue("1", "Jar")),
        *bids,
    ]
    closing = CloseLot(LOT, "close", "clerk", SEALING_KEY)
    write(store, commands)
    assert [(bid["amount"], bid["opened_amount"]) for bid in held(store)["bids"]] == [(0, None)] * 2
    [*_, last] = passages(decided([*commands, closing]), len(decided(commands)))
    archive.record(store, [last], SALT)
    found = held(store)
    assert [(bid["opened_amount"], bid["void"]) for bid in found["bids"]] == [
        (20_000, None),
        (0, "below_opening"),
    ]
    with store.connect() as connection:
        [winner] = archive.winners(connection, LOT)
    assert winner == Winner(1, "cons_ana", 101, 20_000, 20_000, _id("cons_ana", "a"))
    assert found["results"][0]["opening_key"] == SEALING_KEY


def test_a_bid_that_was_taken_back_stays_and_says_so(store: Engine) -> None:
    """Ana bids twice: the canceled bid keeps its row, and both are found by their ids."""
    [sale, lot] = sale_of_lots(reserve=None)
    assert isinstance(lot, AddLot)
    tokens = Tokens("asset-in", "erc721", "asset-out")
    lot = replace(lot, terms=replace(lot.terms, format="one_bid", tokens=tokens))
    back = CancelBid(LOT, "cons_ana", "cons_ana-bid-20000", "x", "cy")
    again = bid("cons_ana", 30_000)
    settle: list[Command] = [CloseLot(LOT), SettleLot(LOT)]
    write(store, [sale, lot, bid("cons_ana", 20_000), back, again])
    assert archive.token_auctions(store) == [LOT]
    [newer, older] = archive.accepted_bids(store, LOT, 10)
    assert (older.amount, older.canceled_at) == (20_000, AT + 3_000)
    assert (newer.amount, newer.canceled_at) == (30_000, None)
    assert archive.accepted_bids(store, LOT, 1, newer.log_seq) == [older]
    assert archive.accepted_bid(store, LOT, older.bid_id) == older
    assert archive.accepted_bid(store, "auction_k3f9_2", older.bid_id) is None
    assert archive.settling_auctions(store) == []
    before = decided([sale, lot, bid("cons_ana", 20_000), back, again])
    whole = decided([sale, lot, bid("cons_ana", 20_000), back, again, *settle])
    archive.record(store, passages(whole, len(before))[1:], SALT)
    assert archive.settling_auctions(store) == [LOT]


def test_an_open_lot_has_no_result(store: Engine) -> None:
    """Only its end is a result."""
    write(store, sale_of_lots())
    assert held(store)["results"] == []


def test_the_terms_can_be_read_back(store: Engine) -> None:
    """What a lot was sold by is kept whole, the reserve included."""
    write(store, sale_of_lots(reserve=12_345))
    terms = msgspec.convert(held(store)["auctions"][0]["terms"], Terms)
    assert (terms.opening, terms.reserve) == (10_000, 12_345)


def test_missing_auctions_keep_their_order(store: Engine) -> None:
    """Of those asked about, the ones that are not there."""
    write(store, sale_of_lots())
    assert archive.missing_auctions(store, ["auction_b", LOT, "auction_a"]) == [
        "auction_b",
        "auction_a",
    ]


def test_the_largest_amount_is_kept_exactly(store: Engine) -> None:
    """2^53 − 1 minor units come back as they went in."""
    write(store, [*sale_of_lots(), bid("cons_ana", 2**53 - 1)])
    assert archive.public_bids(store, LOT, 1)[0].price == 2**53 - 1


# ── SQLite's own ─────────────────────────────────────────────────────────────────────────


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "archive.db"


@pytest.fixture
def sqlite(file: Path) -> Iterator[Engine]:
    engine = archive.open_archive(f"sqlite:///{file}")
    yield engine
    engine.dispose()


def test_sqlite_is_open_to_its_owner_only(sqlite: Engine, file: Path) -> None:
    """Limits and reserves are in the file, and in the log beside it."""
    with sqlite.begin() as connection:
        connection.execute(text("DELETE FROM sales"))
        for path in file.parent.glob("archive.db*"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_sqlite_stays_whole_and_checks_its_keys(sqlite: Engine) -> None:
    """Every connection: a write-ahead log, no fsync for each commit, foreign keys, patience."""
    with sqlite.connect() as first, sqlite.connect() as second:
        for connection in (first, second):
            found = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            }
            assert found == {
                "journal_mode": "wal",
                "synchronous": 1,
                "foreign_keys": 1,
                "busy_timeout": 5_000,
            }


def test_who_will_write_has_the_database_before_reading(sqlite: Engine, file: Path) -> None:
    """Else two starts would both read that a table is missing, and one could not make it."""
    with archive._writing(sqlite) as writer, closing(connect(file, timeout=0)) as other:
        writer.execute(select(archive.positions))
        with pytest.raises(OperationalError, match="locked"):
            other.execute("DELETE FROM sales")


@pytest.mark.parametrize(
    ("index", "ask"),
    [
        ("ix_bids_public", lambda engine: archive.public_bids(engine, LOT, 5)),
        ("ix_bids_own", lambda engine: archive.own_bids(engine, LOT, "cons_ana", 5)),
    ],
)
def test_histories_are_read_from_an_index(sqlite: Engine, index: str, ask: Any) -> None:
    """Neither a scan nor a sort, however many bids there are."""
    asked: list[tuple[str, Any]] = []

    def listen(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        asked.append((statement, parameters))

    event.listen(sqlite, "before_cursor_execute", listen)
    ask(sqlite)
    event.remove(sqlite, "before_cursor_execute", listen)
    statement, parameters = next(one for one in asked if one[0].startswith("SELECT"))
    with sqlite.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    assert len(plan) == 1, plan
    assert index in str(plan[0])


# ── Databases that will not do ───────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "bad",
    [
        "nonsense",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory",
        "sqlite:////no/such/folder/archive.db",
        "mysql://house:topsecret@db/house",
        "postgresql+psycopg2://house:topsecret@db/house",
        "postgresql://house:topsecret@db:port/house",
        "postgresql://house:topsecret@127.0.0.1:1/house",
        "postgresql://house:topsecret@no-such-host.invalid/house",
        "postgresql://house:topsecret@127.0.0.1:1/house?nonsense=topsecret",
    ],
)
def test_a_database_that_cannot_be_used_is_named_in_one_line(bad: str) -> None:
    """The operator reads which variable is wrong, and never the password."""
    with pytest.raises(BadSetting) as complaint:
        archive.open_archive(bad)
    said = str(complaint.value)
    assert said.startswith("DATABASE_URL='")
    assert "\n" not in said
    assert "topsecret" not in said


def test_a_file_that_is_no_database_is_refused(file: Path) -> None:
    """Somebody's letter is not overwritten."""
    file.write_text("Dear Ana, " * 100)
    with pytest.raises(BadSetting, match="not a database"):
        archive.open_archive(f"sqlite:///{file}")
    assert file.read_text().startswith("Dear Ana")


def test_a_file_that_cannot_be_written_is_refused(read_only_folder: Path) -> None:
    """An archive that cannot be written is none."""
    with pytest.raises(BadSetting, match="DATABASE_URL"):
        archive.open_archive(f"sqlite:///{read_only_folder / 'archive.db'}")


def test_without_psycopg_the_way_to_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite needs no driver, so PostgreSQL's may be missing."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(BadSetting, match="pip install"):
        archive.open_archive("postgresql://house@127.0.0.1:1/house")
