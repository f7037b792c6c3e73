"""The clerk over a real log: nothing missing, nothing twice, and no history but its own."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import cast

import pytest
import redis
from sqlalchemy import Engine

from engine import presence
from engine.core.codec import GENESIS, chain, decode_event, encode_event
from engine.core.messages import SettleLot, TradingResumed, shard_of, shard_of_command
from engine.settings import read_log_settings
from engine.streams import Log, Position, StreamError, keys_of
from gateway import archive, clerk, keys
from gateway.archive import Bookmark
from gateway.clerk import BrokenHistory, Clerk, read_on
from gateway.demonstration import (
    evening_auction_ids,
    evening_sale_id,
    plan,
    read_catalogue,
)
from gateway.settings import read_gateway_settings
from tests import servers
from tests.gateway.decisions import (
    SALT,
    Crowd,
    Leader,
    bid,
    expected,
    held,
    sale_of_lots,
    whole_history,
)
from tests.processes import PATIENCE_S, Running, environment, python

SHARDS = 2
SALES = ("k3f9", "k3f7")  # one in each shard
LOT = "auction_k3f9_1"


@pytest.fixture
async def log(valkey: str) -> AsyncIterator[Log]:
    """The log, as a reader and an engine have it."""
    log = await Log.open(valkey)
    yield log
    await log.close()


@pytest.fixture
async def leaders(log: Log) -> list[Leader]:
    """Who decides in each shard."""
    return [await Leader.lead(log, shard, SHARDS) for shard in range(SHARDS)]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'archive.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Engine]:
    engine = archive.open_archive(url)
    yield engine
    engine.dispose()


async def open_sales(leaders: list[Leader]) -> None:
    """A sale of four lots in each shard."""
    for leader, sale in zip(leaders, SALES, strict=True):
        await leader.decide(*sale_of_lots(sale, lots=4))


async def agrees(log: Log, store: Engine, salt: bytes = SALT) -> bool:
    """Whether the archive holds exactly what the log's history comes to."""
    history = await whole_history(log, SHARDS)
    events = {s: [decode_event(payload) for _, payload in found] for s, found in history.items()}
    positions = {shard: archive.position(store, shard) for shard in range(SHARDS)}
    assert positions == {shard: len(found) for shard, found in events.items()}
    assert held(store) == expected(events, salt)
    return True


async def when(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)


# ── Following ────────────────────────────────────────────────────────────────────────────


def test_the_sales_are_in_different_shards() -> None:
    """Else the tests below would look at one shard only."""
    assert [shard_of(f"seq_{sale}", SHARDS) for sale in SALES] == [0, 1]


async def test_everything_that_happens_is_written_down(
    log: Log, leaders: list[Leader], store: Engine
) -> None:
    """A clerk that follows two shards while they sell writes each event once."""
    await open_sales(leaders)
    clerk = await Clerk.begin(log, store, SHARDS, SALT)
    crowds = [Crowd(number, sale) for number, sale in enumerate(SALES)]
    for _ in range(20):
        for leader, crowd in zip(leaders, crowds, strict=True):
            await leader.decide(*crowd.wishes(15))
        await clerk.turn(0)
    await clerk.catch_up()
    assert await agrees(log, store)


async def test_a_history_longer_than_a_turn_is_caught_up_with(
    log: Log, leaders: list[Leader], store: Engine
) -> None:
    """Started late, the clerk reads turn by turn to the end."""
    await open_sales(leaders)
    crowd = Crowd(3, SALES[0])
    while leaders[0].seq < 2_500:
        await leaders[0].decide(*crowd.wishes(250))
    clerk = await Clerk.begin(log, store, SHARDS, SALT)
    assert await clerk.turn(0) < leaders[0].seq
    await clerk.catch_up()
    assert await agrees(log, store)


async def test_a_clerk_goes_on_where_the_last_one_stopped(
    log: Log, leaders: list[Leader], store: Engine
) -> None:
    """The bookmark is all that a new clerk needs."""
    await open_sales(leaders)
    await (await Clerk.begin(log, store, SHARDS, SALT)).catch_up()
    await leaders[0].decide(bid("cons_ana", 20_000))
    await leaders[1].decide(SettleLot("auction_k3f7_1"))  # refused: it leaves no row
    await (await Clerk.begin(log, store, SHARDS, SALT)).catch_up()
    assert await agrees(log, store)


async def test_following_ends_when_told(valkey: str, leaders: list[Leader], store: Engine) -> None:
    """An idle clerk notices within a moment that it shall end."""
    line = await Log.open(valkey)  # the leaders' is in use while the clerk waits
    clerk = await Clerk.begin(line, store, SHARDS, SALT)
    ending = asyncio.Event()
    following = asyncio.create_task(clerk.follow(ending))
    await leaders[0].decide(*sale_of_lots())
    await when(lambda: archive.position(store, 0) == leaders[0].seq)
    ending.set()
    async with asyncio.timeout(5):
        await following
    await line.close()


# ── Another history ──────────────────────────────────────────────────────────────────────


class Tampered:
    """The log, with somebody's hand in what is read from it."""

    def __init__(
        self, log: Log, change: Callable[[list[tuple[int, bytes]]], list[tuple[int, bytes]]]
    ) -> None:
        self._log = log
        self._change = change

    async def position(self, shard: int) -> Position | None:
        return await self._log.position(shard)

    async def read_events(
        self, positions: Mapping[int, int], block_ms: int
    ) -> list[tuple[int, list[tuple[int, bytes]]]]:
        found = await self._log.read_events(positions, block_ms)
        return [(shard, self._change(entries)) for shard, entries in found]


def lower_bid(entries: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Ana's bid of 201.00, one unit smaller."""
    return [(seq, payload.replace(b"20100", b"20099")) for seq, payload in entries]


def forget(place: int) -> Callable[[list[tuple[int, bytes]]], list[tuple[int, bytes]]]:
    """The history without the event of that place."""
    return lambda entries: [entry for entry in entries if entry[0] != place]


def garble(entries: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """A version that nobody knows."""
    return [(seq, b"9" + payload[1:]) for seq, payload in entries]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lower_bid, "the chain is broken at event 4"),
        (forget(2), "event 2 is missing"),
        (forget(1), "event 1 is missing"),
        (garble, "event 1 cannot be read"),
    ],
)
async def test_a_changed_history_is_not_written_down(
    log: Log,
    leaders: list[Leader],
    store: Engine,
    change: Callable[[list[tuple[int, bytes]]], list[tuple[int, bytes]]],
    complaint: str,
) -> None:
    """A bid made smaller, an event left out, or bytes that are none: nothing is believed."""
    await leaders[0].decide(*sale_of_lots(), bid("cons_ana", 20_100))
    assert leaders[0].seq == 4
    tampered = await Clerk.begin(Tampered(log, change), store, SHARDS, SALT)
    with pytest.raises(BrokenHistory, match=complaint):
        await tampered.turn(0)
    assert archive.position(store, 0) == 0
    assert not any(held(store).values())


async def test_an_end_that_is_only_late_is_waited_for(
    log: Log, leaders: list[Leader], store: Engine
) -> None:
    """Where the log says more than it shows, what is there is written, and the rest later."""
    await leaders[0].decide(*sale_of_lots(), bid("cons_ana", 20_100))
    late = await Clerk.begin(Tampered(log, forget(4)), store, SHARDS, SALT)
    await late.turn(0)
    assert archive.position(store, 0) == 3
    await (await Clerk.begin(log, store, SHARDS, SALT)).catch_up()
    assert await agrees(log, store)


async def test_a_change_far_behind_the_logs_end_is_found(
    log: Log, leaders: list[Leader], store: Engine
) -> None:
    """A clerk that is turns behind finds it when it gets to where the log had said to be.

    So does the next one, from the archive that the first has left.
    """
    await open_sales(leaders)
    await leaders[0].decide(bid("cons_ana", 20_100))
    crowd = Crowd(3, SALES[0])
    while leaders[0].seq < 2_500:
        await leaders[0].decide(*crowd.wishes(250))
    tampered = await Clerk.begin(Tampered(log, lower_bid), store, SHARDS, SALT)
    with pytest.raises(BrokenHistory, match="the chain is broken"):
        await tampered.catch_up()
    again = await Clerk.begin(log, store, SHARDS, SALT)
    with pytest.raises(BrokenHistory, match="the chain is broken"):
        await again.catch_up()


def test_the_chain_is_compared_while_passing_by() -> None:
    """A log that is always further on has said once where it was: that place is checked."""
    entries = [(number, encode_event(TradingResumed(number))) for number in (1, 2, 3)]
    start = Bookmark("lineage-one", 0, GENESIS)
    second, _ = read_on(0, start, entries[:2], None)
    said = Position("lineage-one", 2, second.head, 0)
    end, events = read_on(0, start, entries, said)
    assert [number for number, _ in events] == [1, 2, 3]
    assert end.head == chain(second.head, entries[2][1])
    with pytest.raises(BrokenHistory, match="the chain is broken at event 2"):
        read_on(0, start, entries, Position("lineage-one", 2, "f" * 64, 0))


async def test_another_lineage_stops_the_clerk(
    log: Log, leaders: list[Leader], store: Engine, valkey: str
) -> None:
    """A log that was made anew has another lineage: its events are not the archive's."""
    await open_sales(leaders)
    await (await Clerk.begin(log, store, SHARDS, SALT)).catch_up()
    before = held(store)
    with redis.Redis.from_url(valkey) as client:
        client.flushall()
    for shard in range(SHARDS):
        await Leader.lead(log, shard, SHARDS, "lineage-two")
    with pytest.raises(BrokenHistory, match=r"lineage-one.*lineage-two"):
        await Clerk.begin(log, store, SHARDS, SALT)
    assert held(store) == before


async def test_a_lineage_that_changes_under_way_stops_the_clerk(
    log: Log, leaders: list[Leader], store: Engine, valkey: str
) -> None:
    """Declared while the clerk was reading: what comes after it is not written."""
    clerk = await Clerk.begin(log, store, SHARDS, SALT)
    await open_sales(leaders)
    with redis.Redis.from_url(valkey) as client:
        client.hset(keys_of(0)[2], "lineage", "lineage-two")
    with pytest.raises(BrokenHistory, match="lineage-two"):
        await clerk.turn(0)
    assert archive.position(store, 0) == 0


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [("seq", "3", "has lost some"), ("head", "f" * 64, "the chain is broken")],
)
async def test_a_log_that_went_back_stops_the_clerk(
    log: Log,
    leaders: list[Leader],
    store: Engine,
    valkey: str,
    field: str,
    value: str,
    complaint: str,
) -> None:
    """Shorter than the archive, or as long with another content: the clerk does not go on."""
    await open_sales(leaders)
    await (await Clerk.begin(log, store, SHARDS, SALT)).catch_up()
    with redis.Redis.from_url(valkey) as client:
        client.hset(keys_of(1)[2], field, value)
    with pytest.raises(BrokenHistory, match=f"shard 1.*{complaint}"):
        await Clerk.begin(log, store, SHARDS, SALT)


# ── The process ──────────────────────────────────────────────────────────────────────────


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "var"
    folder.mkdir()
    return folder


def open_clerk(data_dir: Path, valkey: str, url: str, **variables: str) -> Running:
    """``python -m gateway.clerk``."""
    settings = {
        "DATA_DIR": str(data_dir),
        "REDIS_URL": valkey,
        "DATABASE_URL": url,
        "SHARDS": str(SHARDS),
        "DEMO": "0",
        "LOG_FORMAT": "json",
    }
    return Running(python("-m", "gateway.clerk"), environment(**{**settings, **variables}))


def salt_of(data_dir: Path) -> bytes:
    """The secret of the house whose folder it is."""
    settings = read_gateway_settings({"DATA_DIR": str(data_dir), "DEMO": "0"})
    return keys.anonymity_salt(keys.load_or_create(settings, 1))


async def test_killed_again_and_again_it_misses_nothing(
    log: Log, leaders: list[Leader], store: Engine, data_dir: Path, valkey: str, url: str
) -> None:
    """kill -9 at random moments while bids keep coming; then the archive is the log's fold."""
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    await open_sales(leaders)
    over = asyncio.Event()
    selling = asyncio.create_task(_sell(leaders, dice, over))
    for _ in range(8):
        goal = archive.position(store, 0) + dice.randrange(1, 300)
        with open_clerk(data_dir, valkey, url) as process:
            await when(lambda: archive.position(store, 0) >= goal or selling.done())  # noqa: B023
            process.signal(signal.SIGKILL)
            assert process.ended() == -signal.SIGKILL, process.lines
    over.set()
    await selling
    with open_clerk(data_dir, valkey, url) as process:
        process.line_with("follows the log")
        process.signal(signal.SIGTERM)
        assert process.ended() == 0, process.lines
    assert await agrees(log, store, salt_of(data_dir)), f"seed {seed}"


async def _sell(leaders: list[Leader], dice: random.Random, over: asyncio.Event) -> None:
    """Two sales at once, a few wishes an entry, until told that it is over."""
    crowds = [Crowd(dice.randrange(2**32), sale) for sale in SALES]
    while not over.is_set():
        for leader, crowd in zip(leaders, crowds, strict=True):
            await leader.decide(*crowd.wishes(dice.randrange(1, 40)))
        # A saleroom's pace: else the test compares a million rows at its end.
        await asyncio.sleep(0.02)


async def test_it_ends_after_the_gateways_and_with_the_log_read(
    log: Log, leaders: list[Leader], store: Engine, data_dir: Path, valkey: str, url: str
) -> None:
    """Told to stop, it writes on for as long as a gateway drains, and what came last."""
    await open_sales(leaders)
    with open_clerk(data_dir, valkey, url) as process:
        process.line_with("follows the log")
        with presence.hold(data_dir, "gateways", shared=True):
            process.signal(signal.SIGTERM)
            await leaders[0].decide(bid("cons_ana", 20_000))
            await when(lambda: archive.position(store, 0) == leaders[0].seq)
            await leaders[1].decide(bid("cons_bo", 20_000, auction="auction_k3f7_1"))
        assert process.ended() == 0, process.lines
    assert await agrees(log, store, salt_of(data_dir))


class Held(Tampered):
    """A log that shows nothing new until it is let go."""

    def __init__(self, log: Log) -> None:
        super().__init__(log, lambda entries: entries)
        self.let_go = False
        self.now = log.now

    async def read_events(
        self, positions: Mapping[int, int], block_ms: int
    ) -> list[tuple[int, list[tuple[int, bytes]]]]:
        if self.let_go:
            return await super().read_events(positions, block_ms)
        await asyncio.sleep(0)
        return []


async def test_what_comes_with_the_last_gateways_end_is_written_down(
    log: Log,
    leaders: list[Leader],
    store: Engine,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After it has stopped following it reads the log to the end once more."""
    await open_sales(leaders)
    held_log = Held(log)

    async def gateways_end(*_: object) -> bool:
        held_log.let_go = True  # and in the same step the clerk is told
        return True

    monkeypatch.setattr(presence, "wait_until_free", gateways_end)
    settings = read_gateway_settings({"DATA_DIR": str(data_dir), "SHARDS": "2", "DEMO": "0"})
    stopping = asyncio.Event()
    stopping.set()
    await clerk._work(settings, cast("Log", held_log), store, store, stopping)
    assert await agrees(log, store, salt_of(data_dir))


async def test_it_is_seen_to_be_there(
    leaders: list[Leader], data_dir: Path, valkey: str, url: str
) -> None:
    """The server's keeper can tell that somebody still writes the log down."""
    with open_clerk(data_dir, valkey, url) as process:
        process.line_with("follows the log")
        assert not await presence.wait_until_free(data_dir, "deciders", 0)
        # Shared: the engines hold it as well.
        presence.hold(data_dir, "deciders", shared=True).release()
        process.signal(signal.SIGINT)
        assert process.ended() == 0, process.lines
    assert await presence.wait_until_free(data_dir, "deciders", 0)


async def test_a_broken_history_stops_it_with_a_line(
    log: Log, leaders: list[Leader], store: Engine, data_dir: Path, valkey: str, url: str
) -> None:
    """Exit code 1, and a line that says which shard and why."""
    await open_sales(leaders)
    await (await Clerk.begin(log, store, SHARDS, SALT)).catch_up()
    with redis.Redis.from_url(valkey) as client:
        client.hset(keys_of(1)[2], "lineage", "lineage-two")
    with open_clerk(data_dir, valkey, url) as process:
        assert "shard 1" in process.line_with("lineage-two")
        assert process.ended() == 1


async def test_the_death_of_the_server_stops_it_with_a_line(data_dir: Path, url: str) -> None:
    """A clerk without a log does not pretend to follow one."""
    with servers.socket_folder() as folder, servers.valkey_in(folder) as server:
        log = await Log.open(server.url)
        for shard in range(SHARDS):
            await Leader.lead(log, shard, SHARDS)
        await log.close()
        with open_clerk(data_dir, server.url, url) as process:
            process.line_with("follows the log")
            server.process.kill()
            assert "XREAD" in process.line_with("the clerk stops")
            assert process.ended() == 1


async def test_the_loss_of_the_database_stops_it_with_a_line(
    leaders: list[Leader], store: Engine, data_dir: Path, valkey: str, url: str
) -> None:
    """What cannot be written is not skipped; the line names the table and no bid."""
    await open_sales(leaders)
    with open_clerk(data_dir, valkey, url) as process:
        process.line_with("follows the log")
        with store.begin() as connection:
            connection.exec_driver_sql("DROP TABLE bids")
        await leaders[0].decide(bid("cons_ana", 77_777))
        assert "bids" in process.line_with("the clerk stops")
        assert process.ended() == 1
        assert "77777" not in "".join(process.lines)


async def test_a_log_that_is_still_starting_is_waited_for(data_dir: Path, url: str) -> None:
    """First no server, then one without Functions and leaders, then the leaders one by one."""
    with servers.socket_folder() as folder:
        socket = f"unix://{folder / 'redis.sock'}"
        with open_clerk(data_dir, socket, url) as process:
            process.line_with("waits for the log")
            with servers.valkey_in(folder) as server:
                log = await Log.open(server.url)
                for shard in range(SHARDS):
                    await Leader.lead(log, shard, SHARDS)
                await log.close()
                process.line_with("follows the log")
                process.signal(signal.SIGTERM)
                assert process.ended() == 0, process.lines


async def test_told_to_stop_while_it_waits_for_the_log_it_stops(data_dir: Path, url: str) -> None:
    """Nothing was there to be written down."""
    with open_clerk(data_dir, f"unix://{data_dir / 'nobody.sock'}", url) as process:
        process.line_with("waits for the log")
        process.signal(signal.SIGTERM)
        assert process.ended() == 0, process.lines


async def test_a_log_that_never_comes_is_named(
    valkey: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The waiting has an end, and its line says what was missing: a server, or a leader."""
    monkeypatch.setattr(clerk, "_LOG_WITHIN_S", 0.2)
    environ = {"DATA_DIR": str(tmp_path), "SHARDS": "2"}
    with pytest.raises(StreamError, match="cannot be reached"):
        await clerk._open_log(read_log_settings(environ), asyncio.Event())
    log = await Log.open(valkey)
    await Leader.lead(log, 0, SHARDS)
    await log.close()
    with pytest.raises(StreamError, match="no engine has led shard 1"):
        await clerk._open_log(read_log_settings({**environ, "REDIS_URL": valkey}), asyncio.Event())


@pytest.mark.parametrize(
    "bad",
    ["mysql://house:topsecret@db/house", "postgresql://house:topsecret@127.0.0.1:1/house"],
)
def test_a_bad_database_stops_the_start(data_dir: Path, bad: str) -> None:
    """One line, exit code 2, no password."""
    with open_clerk(data_dir, "redis://127.0.0.1:1/0", bad) as process:
        assert process.ended() == 2
        assert len(process.lines) == 1
        assert process.lines[0].startswith("fairwarning: DATABASE_URL='")
        assert "topsecret" not in process.lines[0]


# ── The demonstration ────────────────────────────────────────────────────────────────────


async def test_the_demonstration_gets_into_the_log_once(
    leaders: list[Leader], store: Engine, data_dir: Path, valkey: str, url: str
) -> None:
    """The first start seeds it, the second finds it."""
    demo = keys.load_or_create(read_gateway_settings({"DATA_DIR": str(data_dir)}), 1).demo
    assert demo is not None
    with open_clerk(data_dir, valkey, url, DEMO="1") as process:
        await _decide_until(leaders, lambda: not _missing(store, demo))
        process.signal(signal.SIGTERM)
        assert process.ended() == 0, process.lines
    both = {demo.sale_id, evening_sale_id(demo)}
    assert {sale["sale_id"] for sale in held(store)["sales"]} == both
    assert len(held(store)["registrations"]) == 2 * len(demo.bidders)
    seqs = [leader.seq for leader in leaders]
    with open_clerk(data_dir, valkey, url, DEMO="1") as process:
        process.line_with("follows the log")
        # It follows once it has looked for the demonstration.
        await leaders[0].decide(*sale_of_lots())
        await _decide_until(leaders, lambda: archive.position(store, 0) >= seqs[0] + 2)
        process.signal(signal.SIGTERM)
        assert process.ended() == 0, process.lines
    assert [leader.seq for leader in leaders] == [seqs[0] + 2, seqs[1]]


async def test_a_demonstration_that_is_half_there_is_completed(
    log: Log, leaders: list[Leader], store: Engine, data_dir: Path, valkey: str, url: str
) -> None:
    """What was there keeps its times; what was missing is added."""
    demo = keys.load_or_create(read_gateway_settings({"DATA_DIR": str(data_dir)}), 1).demo
    assert demo is not None
    half = plan(demo, read_catalogue(), 1_700_000_000_000)[: 1 + len(demo.bidders) + 3]
    [shard] = {shard_of_command(command, SHARDS) for command in half}
    await leaders[shard].decide(*half)
    with open_clerk(data_dir, valkey, url, DEMO="1") as process:
        await _decide_until(leaders, lambda: not _missing(store, demo))
        process.signal(signal.SIGTERM)
        assert process.ended() == 0, process.lines
    opened = {row["auction_id"]: row["terms"]["opens_at"] for row in held(store)["auctions"]}
    old = [opened[auction_id] == 1_700_000_000_000 for auction_id in demo.auction_ids]
    assert old == [True] * 3 + [False] * (len(old) - 3)
    assert await agrees(log, store, salt_of(data_dir))


async def test_without_a_demonstration_the_house_stays_empty(
    leaders: list[Leader], store: Engine, data_dir: Path, valkey: str, url: str
) -> None:
    """DEMO=0, also where the keys of an earlier demonstration are still there."""
    keys.load_or_create(read_gateway_settings({"DATA_DIR": str(data_dir)}), 1)
    with open_clerk(data_dir, valkey, url, DEMO="0") as process:
        process.line_with("follows the log")
        process.signal(signal.SIGTERM)
        assert process.ended() == 0, process.lines
    for leader in leaders:
        await leader.decide_waiting()
    assert [leader.seq for leader in leaders] == [0, 0]
    assert not any(held(store).values())


def _missing(store: Engine, demo: keys.Demo) -> list[str]:
    evening = evening_auction_ids(demo, read_catalogue())
    return archive.missing_auctions(store, [*demo.auction_ids, *evening])


async def _decide_until(leaders: list[Leader], condition: Callable[[], bool]) -> None:
    """Be the engine until the condition holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            for leader in leaders:
                await leader.stay()
                await leader.decide_waiting()
            await asyncio.sleep(0.01)
