"""The process ``engine``: killed, frozen, stopped, and started on a log that will not do."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError, ResponseError  # noqa: A004  # the server's, not ours

from engine.core.messages import (
    AnswerRepeated,
    BidAccepted,
    BidRefused,
    PlaceBid,
    TradingResumed,
)
from engine.streams import MAX_LAG, UNLED_AFTER_MS, keys_of
from tests.engine.bad_lines import OK, bulk, server_that_says
from tests.engine.leading import House, a_house
from tests.engine.shardlog import (
    Client,
    all_decided,
    audit,
    bid,
    client_of,
    entry,
    field_of,
    sale_with_lot,
)
from tests.processes import Running, environment, python, until

KILLS = 20


@pytest.fixture
def house() -> Iterator[House]:
    with a_house() as found:
        yield found


def engine_on(house: House, **more: str) -> Running:
    """An engine on the house's server."""
    given = {"DATA_DIR": str(house.folder / "data"), "REDIS_URL": house.url, "SHARDS": "1"}
    return Running(python("-m", "engine"), environment(**{"LOG_FORMAT": "json", **given, **more}))


def say(client: Client, *bids: PlaceBid) -> str:
    """Append as a gateway does."""
    return put(client, entry(*bids))


def put(client: Client, payload: bytes) -> str:
    cmd, _, meta, _ = keys_of(0)
    words = (cmd, meta, payload, MAX_LAG, UNLED_AFTER_MS)
    entry_id: bytes = client.fcall("auc_v1_append", 2, *words)
    return entry_id.decode()


def opened(house: House) -> None:
    """Wait for a leader and open the sale."""
    until(lambda: house.epoch() > 0, "a leader")
    put(house.client, entry(*sale_with_lot()))
    decided(house)


def decided(house: House) -> None:
    until(lambda: all_decided(house.client), "decisions")


def node_of(engine: Running) -> str:
    """Its name, once it leads."""
    return str(json.loads(engine.line_with('"leading"'))["node"])


# ── Deaths ───────────────────────────────────────────────────────────────────────────────


def test_killed_again_and_again_every_wish_is_decided_once(house: House) -> None:
    """Twenty leaders are killed at any moment under load; the next one goes on from what is
    stored, and in the end every bid was decided once, in one unbroken history."""
    rng = random.Random(20)
    with ExitStack() as stack:
        engines = [stack.enter_context(engine_on(house)) for _ in range(2)]
        opened(house)
        with bidding(house.url) as wished:
            for enough in range(10, 10 * KILLS + 10, 10):
                epoch = house.epoch()
                until(lambda: leader(house, engines) is not None, "a leader we know")
                until(lambda enough=enough: len(wished) > enough, "a few more bids")  # type: ignore[misc]  # bound here
                threading.Event().wait(rng.random() * 0.03)  # any moment will do
                found = leader(house, engines)
                assert found is not None
                engines.remove(found)
                found.signal(signal.SIGKILL)
                engines.append(stack.enter_context(engine_on(house)))
                until(lambda epoch=epoch: house.epoch() > epoch, "the next leader")  # type: ignore[misc]  # bound here
                found.ended()
        decided(house)
        audited = house.audit()
    assert audited.epoch > KILLS
    first = Counter(
        (event.consumer_id, event.cmd_id)
        for event in audited.events
        if isinstance(event, BidAccepted | BidRefused)
    )
    assert first == Counter({(w.consumer_id, w.cmd_id): 1 for w in wished})
    again = sum(isinstance(event, AnswerRepeated) for event in audited.events)
    assert again == len(wished) // 5, "every fifth was sent twice"


def leader(house: House, engines: list[Running]) -> Running | None:
    """Which of them leads, as the log has it."""
    node = field_of(house.client, "leader")
    for engine in engines:
        if any(f'"{node}"' in line and '"leading"' in line for line in list(engine.lines)):
            return engine
    return None


@contextmanager
def bidding(url: str) -> Iterator[list[PlaceBid]]:
    """Somebody who bids without a pause until the block ends; the bids that are in the log."""
    wished: list[PlaceBid] = []
    enough = threading.Event()

    def go_on() -> None:
        with client_of(url) as client:
            while not enough.is_set():
                wish = bid(len(wished) + 1)
                say_until_taken(client, wish, enough)
                wished.append(wish)
                if len(wished) % 5 == 0:
                    say_until_taken(client, wish, enough)
                enough.wait(0.002)

    crowd = threading.Thread(target=go_on)
    crowd.start()
    try:
        yield wished
    finally:
        enough.set()
        crowd.join()


def say_until_taken(client: Client, wish: PlaceBid, enough: threading.Event) -> None:
    """A refusal is definite: the wish is not in the log, and may be said again."""
    while True:
        try:
            say(client, wish)
            return
        except ResponseError as refusal:
            if str(refusal) not in ("UNLED", "OVERLOADED"):
                raise
        enough.wait(0.01)


def test_a_second_engine_waits_and_takes_over(house: House) -> None:
    """The one that waits says so, leads within about a second of the other's death, and a
    takeover is no stop."""
    with engine_on(house) as first:
        opened(house)
        with engine_on(house) as second:
            second.line_with("another engine leads")
            first.signal(signal.SIGKILL)
            first.ended()
            taken_over_since = house.client.time()
            node_of(second)
            seconds, micros = house.client.time()
            assert (seconds - taken_over_since[0]) + (micros - taken_over_since[1]) / 1e6 < 1.2
            say(house.client, bid(1))
            decided(house)
    audited = house.audit()
    assert (audited.epoch, len(audited.events)) == (2, 4)
    assert TradingResumed not in {type(event) for event in audited.events}


def test_a_leader_that_was_frozen_cannot_commit(house: House) -> None:
    """Frozen while bids come in, and replaced: thawed, it is fenced, steps down and waits; it
    leads again when the other one ends."""
    with engine_on(house) as first, engine_on(house) as second:
        opened(house)
        until(lambda: leader(house, [first, second]) is not None, "a leader we know")
        frozen = leader(house, [first, second])
        assert frozen is not None
        other = second if frozen is first else first
        other.line_with("another engine leads")
        frozen.signal(signal.SIGSTOP)
        say(house.client, bid(1), bid(2))
        until(lambda: house.epoch() == 2, "the successor")
        decided(house)
        say(house.client, bid(3))
        decided(house)
        frozen.signal(signal.SIGCONT)
        reason = json.loads(frozen.line_with("stepped down"))["reason"]
        assert "is over" in reason or "lease" in reason
        assert len(house.audit().events) == 6
        other.signal(signal.SIGTERM)
        assert other.ended() == 0
        until(lambda: house.epoch() == 3, "the first one again")
        say(house.client, bid(4))
        decided(house)
    assert len(house.audit().events) == 7


# ── Stops ────────────────────────────────────────────────────────────────────────────────


def test_told_to_stop_it_gives_its_leases_up(house: House) -> None:
    """SIGTERM: an orderly end, with everything decided and nothing held."""
    with engine_on(house, SHARDS="3") as engine:
        node_of(engine)
        put(house.client, entry(*sale_with_lot(), *(bid(n) for n in range(50))))
        engine.signal(signal.SIGTERM)
        assert engine.ended() == 0
    assert not any(house.client.exists(keys_of(shard)[3]) for shard in range(3))
    assert field_of(house.client, "shards") == "3"
    assert house.audit().waiting in (0, 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_a_sale_goes_on_after_keeper_and_engine_start_again(
    tmp_path: Path, number: signal.Signals
) -> None:
    """Both end in the middle of a sale, three times: the next epoch, the same lineage, and a
    history without a gap; not even a bid that was never decided is lost."""
    lineages = set()
    for start in range(1, 4):
        with kept_engine(tmp_path) as (keeper, engine, client):
            until(lambda start=start: field_of(client, "epoch") == str(start), "the next epoch")  # type: ignore[misc]  # bound here
            lineages.add(field_of(client, "lineage"))
            if start == 1:
                put(client, entry(*sale_with_lot()))
            for count in range(20):
                say(client, bid(20 * start + count))
            for process in (engine, keeper):
                process.signal(number)
                process.ended()
    with kept_engine(tmp_path) as (keeper, engine, client):
        until(lambda: field_of(client, "epoch") == "4", "the last epoch")
        until(lambda: all_decided(client), "decisions")
        audited = audit(client, tmp_path / "log")
    accepted = [event.cmd_id for event in audited.events if isinstance(event, BidAccepted)]
    assert accepted == [f"b{number}" for number in range(20, 80)]
    assert len(lineages) == 1


@contextmanager
def kept_engine(data_dir: Path) -> Iterator[tuple[Running, Running, Client]]:
    """The embedded server with its keeper, an engine that leads, and a client."""
    env = environment(DATA_DIR=data_dir, SHARDS="1", LOG_FORMAT="json")
    with (
        Running(python("-m", "engine.keeper"), env) as keeper,
        Running(python("-m", "engine"), env) as engine,
    ):
        socket = json.loads(keeper.line_with('"ready"'))["socket"]
        node_of(engine)
        with client_of(f"unix://{socket}") as client:
            yield keeper, engine, client


# ── Logs that will not do ────────────────────────────────────────────────────────────────


def a_short_sale(house: House) -> None:
    """A sale with two bids, and nobody leading it any more."""
    with engine_on(house) as engine:
        opened(house)
        say(house.client, bid(1), bid(2))
        decided(house)
        engine.signal(signal.SIGTERM)
        assert engine.ended() == 0


def complaint(engine: Running) -> str:
    """The one line that says why it ended; a traceback is none."""
    assert "Traceback" not in "\n".join(engine.lines)
    return engine.lines[-1]


def test_a_missing_event_ends_it_with_a_clear_line(house: House) -> None:
    """Exit code 1, and the shard and the event by number."""
    a_short_sale(house)
    house.client.xdel(keys_of(0)[1], b"3-0")
    with engine_on(house) as engine:
        assert engine.ended() == 1
        assert "shard 0: event 3 is missing" in complaint(engine)


@pytest.mark.parametrize(
    ("was", "now"),
    [(b"auction_k3f9_1", b"auction_k3f9_2"), (b'"b1"', b'"b7"'), (b"1[", b"1(")],
    ids=["another lot", "another bid", "no JSON"],
)
def test_a_changed_byte_ends_it_with_a_clear_line(house: House, was: bytes, now: bytes) -> None:
    """Exit code 1 and one line, whether the change breaks the record, its sense or the chain."""
    a_short_sale(house)
    evt = keys_of(0)[1]
    events = house.client.xrange(evt)
    house.client.delete(evt)
    for number, (entry_id, fields) in enumerate(events, 1):
        payload = fields[b"d"].replace(was, now, 1) if number == 4 else fields[b"d"]
        house.client.xadd(evt, {"e": 1, "d": payload}, id=entry_id.decode())
    with engine_on(house) as engine:
        assert engine.ended() == 1
        assert "shard 0" in complaint(engine)


def test_an_unreadable_entry_is_said_aloud_and_survived(house: House) -> None:
    """Whoever put it there, the sale goes on, and the operator can read where it is."""
    with engine_on(house) as engine:
        opened(house)
        entry_id = house.client.xadd(keys_of(0)[0], {"p": b"\x00garbage"}).decode()
        assert entry_id in engine.line_with("an entry cannot be read")
        say(house.client, bid(1))
        decided(house)
    assert len(house.audit().events) == 5


def test_another_number_of_shards_is_refused(house: House) -> None:
    """Exit code 2 and one line with both numbers; nothing is led."""
    a_short_sale(house)
    epoch = house.epoch()
    with engine_on(house, SHARDS="2") as engine:
        assert engine.ended() == 2
        assert "SHARDS=2" in complaint(engine)
        assert "SHARDS=1" in complaint(engine)
    assert house.epoch() == epoch


async def test_an_old_server_is_refused(house: House) -> None:
    """Exit code 2 and one line with the server's name and version."""
    info = bulk("redis_version:6.2.14\r\n")
    async with server_that_says(lambda words: info if words[0] == b"INFO" else OK) as url:
        with engine_on(house, REDIS_URL=url) as engine:
            await asyncio.to_thread(engine.ended)
            assert engine.ended() == 2
            assert "Redis 6.2.14 is too old" in complaint(engine)


def test_a_wrong_password_is_refused_without_showing_one(house: House) -> None:
    """Exit code 2 and one line, at once."""
    house.client.config_set("requirepass", "right-secret")
    url = house.url.replace("unix://", "unix://:wrong-secret@")
    with engine_on(house, REDIS_URL=url) as engine:
        assert engine.ended() == 2
        assert "password" in complaint(engine)
        assert "secret" not in "\n".join(engine.lines)


def test_the_servers_death_ends_it(house: House) -> None:
    """Nobody decides without a log: exit code 1 and one line."""
    with engine_on(house) as engine:
        node_of(engine)
        with suppress(ConnectionError):  # that is its answer
            house.client.execute_command("SHUTDOWN", "NOSAVE", "FORCE")
        assert engine.ended() == 1
        assert "the engine ended" in complaint(engine)
