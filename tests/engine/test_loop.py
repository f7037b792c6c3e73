"""The engine's loop on a real log: order, batches, takeovers, stops, and damage of every kind."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from engine import loop
from engine.core.codec import (
    GENESIS,
    UnknownVersion,
    UnreadableRecord,
    chain,
    encode_commands,
    encode_event,
)
from engine.core.messages import (
    AnswerRepeated,
    BidAccepted,
    BidRefused,
    Command,
    CommandRefused,
    LotClosed,
    LotExtended,
    ResumeTrading,
    TradingResumed,
)
from engine.core.snapshot import state_hash
from engine.streams import (
    MAX_COMMANDS,
    STOPPED_AFTER_MS,
    UNLED_AFTER_MS,
    Commit,
    Diverged,
    Leadership,
    Log,
    Refused,
    StreamError,
    keys_of,
)
from tests.engine.bad_lines import line_to
from tests.engine.leading import (
    House,
    Watched,
    a_house,
    connected,
    killed_after,
    leading,
    new_engine,
    until,
)
from tests.engine.shardlog import bid, entry, replayed, sale_with_lot

SHARDS = 4


@pytest.fixture
def house() -> Iterator[House]:
    with a_house() as found:
        yield found


@pytest.fixture
async def log(house: House) -> AsyncIterator[Log]:
    async with connected(house.url) as connection:
        yield connection


# ── Order and batches ────────────────────────────────────────────────────────────────────


def crowd(seed: int) -> list[tuple[int, bytes]]:
    """Entries for several shards, of one to nine commands each, some sent twice."""
    rng = random.Random(seed)
    entries = [(shard, entry(*sale_with_lot(f"s{shard}"))) for shard in range(SHARDS)]
    for start in range(0, 400, 4):
        shard = rng.randrange(SHARDS)
        bids = [
            bid(rng.randrange(start + 1, start + 9), f"s{shard}") for _ in range(rng.randint(1, 9))
        ]
        entries.append((shard, entry(*bids)))
    return entries


async def test_every_shard_keeps_its_order_over_one_connection(house: House, log: Log) -> None:
    """What is committed is what the pure core makes of each shard's entries, and the leader's
    memory is that state: same hash, same head."""
    async with leading(log, SHARDS) as engine, connected(house.url) as gateway:
        for some in range(0, 104, 8):
            await gateway.append(crowd(seed=7)[some : some + 8])
        await house.decided(SHARDS)
        for shard in range(SHARDS):
            audited = house.audit(shard)
            led = engine.led[shard]
            assert (state_hash(led.state), led.head) == (state_hash(audited.state), audited.head)
            assert {BidAccepted, BidRefused, AnswerRepeated} <= {type(e) for e in audited.events}


async def test_a_leader_that_starts_finds_the_same_state(house: House, log: Log) -> None:
    """Folding the events gives what deciding the commands gave, in every shard."""
    async with leading(log, SHARDS):
        async with connected(house.url) as gateway:
            await gateway.append(crowd(seed=8))
        await house.decided(SHARDS)
    async with leading(log, SHARDS) as engine:
        for shard in range(SHARDS):
            assert state_hash(engine.led[shard].state) == state_hash(house.audit(shard).state)
            assert house.epoch(shard) == 2


async def test_a_long_batch_is_committed_in_parts_at_the_borders_of_entries(house: House) -> None:
    """5,120 bids that waited become several commits, each within the limit of one commit, and
    each ends with an entry: a death between two of them loses no half entry."""
    entries = [entry(*sale_with_lot())]
    entries += [
        entry(*(bid(n) for n in range(first, first + MAX_COMMANDS)))
        for first in range(0, 5120, MAX_COMMANDS)
    ]
    async with connected(house.url) as gateway:
        ids = await gateway.append([(0, payload) for payload in entries], 0)
    log = await Watched.open(house.url)
    assert isinstance(log, Watched)
    async with leading(log):
        await house.decided()
    await log.close()
    commits = [c for c in log.commits if c.events]
    assert max(len(c.events) for c in commits) <= 2048
    assert len(commits) > 5
    assert [c.cursor for c in commits] == sorted(
        {c.cursor for c in commits} & set(ids), key=ids.index
    )
    assert [c.seq_before for c in commits[1:]] == [
        c.seq_before + len(c.events) for c in commits[:-1]
    ]
    assert len(house.audit().events) == 5120 + 3


async def test_an_entry_at_its_limit_fits_one_commit(house: House, log: Log) -> None:
    """One entry of the most commands that are allowed, after as many events as may wait for it."""
    bids = [bid(n) for n in range(3 * MAX_COMMANDS)]
    parts = [entry(*bids[n : n + MAX_COMMANDS]) for n in range(0, len(bids), MAX_COMMANDS)]
    lots: list[Command] = [c for n in range(MAX_COMMANDS // 3) for c in sale_with_lot(f"n{n}")]
    async with connected(house.url) as gateway:
        await gateway.append([(0, p) for p in (entry(*sale_with_lot()), *parts, entry(*lots))], 0)
    async with leading(log):
        await house.decided()
    assert len(house.audit().events) == 3 + len(bids) + len(lots)


# ── Who leads ────────────────────────────────────────────────────────────────────────────


async def test_one_leads_and_the_other_waits_its_turn(house: House, log: Log) -> None:
    """The second engine decides nothing until the first has ended, and then at once."""
    async with connected(house.url) as other:
        second = new_engine(other, SHARDS)
        async with leading(log, SHARDS):
            waiting = asyncio.create_task(second.run())
            await house.append(*sale_with_lot())
            await house.decided(SHARDS)
            assert not second.led
            assert house.epoch() == 1
        async with asyncio.timeout(0.4):  # less than a lease: it was given up, not waited for
            await until(lambda: len(second.led) == SHARDS, "the second engine")
        await house.append(bid(1))
        await house.decided(SHARDS)
        second.stop()
        await waiting
    assert (house.epoch(), len(house.audit().events)) == (2, 4)


async def test_a_leader_that_is_cut_off_is_replaced_when_its_lease_ends(house: House) -> None:
    """Nobody gave the lease up: the successor leads within a second, and that is no stop."""
    async with killed_after(house.url):
        await house.append(*sale_with_lot())
        await house.decided()
    async with asyncio.timeout(1), connected(house.url) as log, leading(log):
        pass
    assert TradingResumed not in {type(event) for event in house.audit().events}


async def test_a_leader_that_was_overtaken_steps_down_and_waits(house: House, log: Log) -> None:
    """Its lease gone and another epoch given out, the old leader forgets all and asks again."""
    async with leading(log) as engine:
        await house.append(*sale_with_lot())
        await house.decided()
        house.client.set(keys_of(0)[3], "rival")
        async with connected(house.url) as other:
            rival = await other.acquire(0, "rival", 60_000, "x", 1, loop.RESUME)
            assert rival is not None
            assert rival.epoch == 2
            await until(lambda: not engine.led, "the old leader to step down")
            await house.append(bid(1))
            await other.revoke("rival", [0])
        await until(lambda: bool(engine.led), "the old leader to lead again")
        await house.decided()
        assert (house.epoch(), len(house.audit().events)) == (3, 4)


async def test_an_engine_told_to_stop_while_it_waits_lets_go_of_what_it_has(
    house: House, log: Log
) -> None:
    """It leads the first shard and waits for the second: ending, it gives the first one up."""
    async with connected(house.url) as other:
        await other.acquire(1, "rival", 60_000, "x", 2, loop.RESUME)
        engine = new_engine(log, 2)
        running = asyncio.create_task(engine.run())
        await until(lambda: bool(house.client.exists(keys_of(0)[3])), "the first shard")
        engine.stop()
        async with asyncio.timeout(2):
            await running
        assert not house.client.exists(keys_of(0)[3])


class Slow:
    """A log on which chosen calls take their time, as with a long history or a slow disk."""

    def __init__(
        self, log: Log, *, reads_s: float = 0, commits_s: float = 0, step: int = 1000
    ) -> None:
        self._log, self._reads_s, self._commits_s, self._step = log, reads_s, commits_s, step

    async def now(self) -> int:
        return await self._log.now()

    async def acquire(
        self, shard: int, node: str, ttl_ms: int, lineage: str, shards: int, resume: bytes
    ) -> Leadership | None:
        return await self._log.acquire(shard, node, ttl_ms, lineage, shards, resume)

    async def renew(self, node: str, ttl_ms: int, epochs: Mapping[int, int]) -> None:
        await self._log.renew(node, ttl_ms, epochs)

    async def revoke(self, node: str, shards: Iterable[int]) -> None:
        await self._log.revoke(node, shards)

    async def read_commands(
        self, cursors: Mapping[int, str], block_ms: int
    ) -> list[tuple[int, list[tuple[str, bytes]]]]:
        return await self._log.read_commands(cursors, block_ms)

    async def read_events(
        self, positions: Mapping[int, int], block_ms: int
    ) -> list[tuple[int, list[tuple[int, bytes]]]]:
        await asyncio.sleep(self._reads_s)
        found = await self._log.read_events(positions, block_ms)
        return [(shard, events[: self._step]) for shard, events in found]

    async def append(
        self, entries: Sequence[tuple[int, bytes]], max_lag: int
    ) -> list[str | Refused]:
        return await self._log.append(entries, max_lag)

    async def commit(self, commits: Sequence[Commit]) -> None:
        await asyncio.sleep(self._commits_s)
        await self._log.commit(commits)


@asynccontextmanager
async def one_who_leads_first_and_one_who_waits(
    house: House, store: Slow, shards: int = 1
) -> AsyncIterator[None]:
    """An engine on *store*, from its first shard on beside another that would lead if it could."""
    epoch = house.epoch()
    async with connected(house.url) as log:
        first, other = new_engine(store, shards), new_engine(log, shards)
        running = [asyncio.create_task(first.run())]
        try:
            await until(lambda: house.epoch() > epoch, "the first lease")
            running.append(asyncio.create_task(other.run()))
            await until(lambda: len(first.led) == shards or bool(other.led), "a leader")
            yield
        finally:
            other.stop()
            first.stop()
            await asyncio.gather(*running)


async def test_a_long_history_does_not_cost_the_lease(house: House, log: Log) -> None:
    """Reading a history takes twice as long as a lease lasts, and nobody else comes to lead:
    else two engines would take a shard with a long past from each other for ever."""
    async with leading(log):
        await house.append(*sale_with_lot(), *(bid(n) for n in range(7)))
        await house.decided()
    slow = Slow(log, reads_s=loop.LEASE_MS / 5000, step=1)
    async with one_who_leads_first_and_one_who_waits(house, slow):
        assert house.epoch() == 2
        await house.append(bid(8))
        await house.decided()
        assert house.epoch() == 2
    assert len(house.audit().events) == 11


async def test_a_long_backlog_does_not_cost_the_lease(
    house: House, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deciding what has waited takes twice as long as a lease lasts, and nobody else leads."""
    monkeypatch.setattr(loop, "EVENTS_PER_TURN", 3)
    shards = 10
    async with connected(house.url) as gateway:
        waiting = [(shard, entry(*sale_with_lot(f"s{shard}"))) for shard in range(shards)]
        await gateway.append(waiting, 0)
    slow = Slow(log, commits_s=loop.LEASE_MS / 5000)
    async with one_who_leads_first_and_one_who_waits(house, slow, shards):
        await house.decided(shards)
        await house.append(bid(1, "s0"))
        await house.decided(shards)  # whoever had lost the lease would know by now
        assert [house.epoch(shard) for shard in range(shards)] == [1] * shards


# ── Lines that are cut ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("heard", [True, False], ids=["the reply is lost", "the request is lost"])
@pytest.mark.parametrize("word", ["auc_v1_commit", "auc_v1_renew", "XREAD"])
async def test_a_line_that_is_cut_ends_the_leader_and_doubles_nothing(
    house: House, word: str, heard: bool
) -> None:
    """The outcome is unknown, so the engine ends with a StreamError; whoever starts next
    goes on from what is stored."""
    async with line_to(house.folder / "redis.sock") as line, connected(line.url) as log:
        engine = new_engine(log)
        running = asyncio.create_task(engine.run())
        await until(lambda: bool(engine.led), "a leader")
        await house.append(*sale_with_lot())
        await house.decided()
        line.cut_at(word, heard=heard)
        await house.append(bid(1), bid(2))
        async with asyncio.timeout(5):
            with pytest.raises(StreamError):
                await running
        assert line.cuts == 1
    await house.append(bid(3))
    async with connected(house.url) as log, leading(log):
        await house.decided()
    assert sum(isinstance(event, BidAccepted) for event in house.audit().events) == 3


async def test_a_wish_sent_twice_for_a_lost_reply_is_decided_once(house: House, log: Log) -> None:
    """The gateway does not know whether its entry arrived; sent again, it brings nothing about."""
    async with leading(log):
        await house.append(*sale_with_lot())
        async with line_to(house.folder / "redis.sock") as line, connected(line.url) as gateway:
            line.cut_at("auc_v1_append", heard=True)
            with pytest.raises(StreamError):
                await gateway.append([(0, entry(bid(1)))])
        await house.append(bid(1))
        await house.decided()
    kinds = [type(event) for event in house.audit().events[3:]]
    assert kinds == [BidAccepted, AnswerRepeated]


# ── Stops ────────────────────────────────────────────────────────────────────────────────


async def an_end_without_a_leader(house: House, silent_ms: int, **terms: Any) -> int:
    """A lot whose end passes while nobody leads, and nobody had for *silent_ms*; its end."""
    async with killed_after(house.url) as engine:
        closes_at = engine.clock.now() + 150
        await house.append(*sale_with_lot(closes_at=closes_at, **terms), bid(1))
        await house.decided()
    async with connected(house.url) as log:
        while await log.now() <= closes_at:
            await asyncio.sleep(0.005)
        house.client.delete(keys_of(0)[3])
        house.client.hset(keys_of(0)[2], "alive", await log.now() - silent_ms)
    return closes_at


async def test_a_short_stop_is_made_good_too(house: House, log: Log) -> None:
    """A house that is back within seconds was still closed to bidders at the lot's end."""
    await an_end_without_a_leader(house, STOPPED_AFTER_MS + 200)
    async with leading(log) as engine:
        await house.append(bid(3))
        await house.decided()
        assert engine.led[0].state.lots["auction_k3f9_1"].state.value == "open"


@pytest.mark.parametrize(
    ("terms", "window_ms"),
    [
        ({}, 60_000),
        ({"extension_window_ms": 5000, "extension_ms": 5000, "max_extensions": 0}, 5000),
    ],
    ids=["no window", "a window and no extension left"],
)
async def test_an_end_in_a_stop_is_made_good_before_anybody_bids(
    house: House, terms: dict[str, Any], window_ms: int
) -> None:
    """When nobody has led for too long the lot stays open for its window, counted by
    nobody, and bids are taken again from then on."""
    await an_end_without_a_leader(house, UNLED_AFTER_MS + 500, **terms)
    assert await house.append(bid(2)) == "UNLED"
    async with connected(house.url) as log, leading(log) as engine:
        await house.append(bid(3))
        await house.decided()
        lot = engine.led[0].state.lots["auction_k3f9_1"]
        assert (lot.state.value, lot.extensions) == ("open", 0)
    *_, before, resumed, extended, last = house.audit().events
    assert isinstance(before, BidAccepted)
    assert isinstance(resumed, TradingResumed)
    assert isinstance(extended, LotExtended)
    assert (extended.after.closes_at, extended.after.extensions) == (resumed.at + window_ms, 0)
    assert isinstance(last, BidAccepted)


async def test_an_end_during_a_takeover_is_an_end(house: House) -> None:
    """A moment without a leader: bids were taken all the time, so the lot closes."""
    closes_at = await an_end_without_a_leader(house, 300)
    async with connected(house.url) as log, leading(log):
        await until(
            lambda: house.audit().state.lots["auction_k3f9_1"].outcome is not None, "the close"
        )
    closed = next(e for e in house.audit().events if isinstance(e, LotClosed))
    assert (closed.outcome, closed.after.closes_at) == ("sold", closes_at)


async def test_wishes_from_before_a_stop_are_decided_at_their_own_time(house: House) -> None:
    """A bid that was in the log when the house stopped is decided before trading resumes."""
    async with killed_after(house.url):
        await house.append(*sale_with_lot())
        await house.decided()
    await house.append(bid(1))
    house.client.delete(keys_of(0)[3])
    house.client.hset(keys_of(0)[2], "alive", 1)
    async with connected(house.url) as log, leading(log):
        await house.decided()
    assert [type(event) for event in house.audit().events[3:]] == [BidAccepted, TradingResumed]


async def test_a_lot_closes_although_memory_has_run_out(house: House, log: Log) -> None:
    """No bid is taken any more, but the clock's own command is, and the engine goes on."""
    async with leading(log) as engine:
        await house.append(*sale_with_lot(closes_at=engine.clock.now() + 200))
        await house.decided()
        house.client.config_set("maxmemory", 1)
        assert await house.append(bid(1)) == "OVERLOADED"
        await until(
            lambda: engine.led[0].state.lots["auction_k3f9_1"].outcome is not None, "the close"
        )
    assert LotClosed in {type(event) for event in house.audit().events}


# ── Damage ───────────────────────────────────────────────────────────────────────────────


class OneHistory(Slow):
    """A log that only holds one shard's events, in memory."""

    def __init__(self, payloads: Sequence[bytes]) -> None:
        self.events = list(enumerate(payloads, 1))

    async def renew(self, node: str, ttl_ms: int, epochs: Mapping[int, int]) -> None:
        pass

    async def now(self) -> int:
        return 0

    async def acquire(
        self, shard: int, node: str, ttl_ms: int, lineage: str, shards: int, resume: bytes
    ) -> Leadership | None:
        return self.leadership

    leadership: Leadership

    async def read_events(
        self, positions: Mapping[int, int], block_ms: int
    ) -> list[tuple[int, list[tuple[int, bytes]]]]:
        found = [(seq, payload) for seq, payload in self.events if seq > positions[0]]
        return [(0, found[:4])] if found else []


def a_history() -> list[bytes]:
    """The events of a small sale: bids that lead, tie, raise, fail and come twice; a stop."""
    wishes = [
        *sale_with_lot(),
        bid(3),
        bid(1),
        bid(3),
        bid(10),
        bid(5),
        bid(12),
        ResumeTrading(),
    ]
    cmd = [(b"%d-0" % n, encode_commands([wish])) for n, wish in enumerate(wishes, 5)]
    events, _, encoded, _ = replayed(cmd)
    assert {BidAccepted, BidRefused, AnswerRepeated, TradingResumed} <= {type(e) for e in events}
    return encoded


def led_by(payloads: Sequence[bytes], store: OneHistory) -> OneHistory:
    """The store, for a leadership that stands at the end of what *payloads* once were."""
    head = GENESIS
    for payload in payloads:
        head = chain(head, payload)
    store.leadership = Leadership(0, 1, "x", "9-0", len(payloads), head)
    return store


async def catching_up(store: OneHistory) -> None:
    """Run an engine that stops as soon as it has caught up."""
    engine = new_engine(store)
    leading_now = store.leadership
    led = await engine._catch_up(leading_now)  # what a start does first
    assert led.head == leading_now.head


async def test_an_undamaged_history_is_caught_up_with() -> None:
    """The control for the tests below."""
    payloads = a_history()
    await catching_up(led_by(payloads, OneHistory(payloads)))


async def test_any_changed_byte_stops_the_engine() -> None:
    """Whichever byte of whichever event is another one: a StreamError or an unreadable record,
    with words in it, and never any other exception."""
    payloads = a_history()
    store = led_by(payloads, OneHistory(payloads))
    for number, payload in enumerate(payloads):
        for place in range(len(payload)):
            changed = payload[:place] + bytes([payload[place] ^ 1]) + payload[place + 1 :]
            store.events[number] = (number + 1, changed)
            with pytest.raises((StreamError, UnreadableRecord)) as error:
                await catching_up(store)
            assert str(error.value), f"event {number + 1}, byte {place}"
        store.events[number] = (number + 1, payload)


DAMAGES: dict[str, Callable[[list[tuple[int, bytes]]], object]] = {
    "the first event is missing": lambda events: events.pop(0),
    "an event in the middle is missing": lambda events: events.pop(5),
    "the last event is missing": lambda events: events.pop(),
    "all are missing": lambda events: events.clear(),
    "one too many": lambda events: events.append((len(events) + 1, events[-1][1])),
    "two changed places": lambda events: events.__setitem__(
        slice(5, 7), [(6, events[6][1]), (7, events[5][1])]
    ),
    "one twice": lambda events: events.insert(5, events[4]),
    "one is empty": lambda events: events.__setitem__(5, (6, b"")),
    "one of a later version": lambda events: events.__setitem__(5, (6, b"2[]")),
    "one that cannot follow": lambda events: events.__setitem__(
        5, (6, encode_event(CommandRefused(1, "x", "OpenLot", "exists")))
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_history_stops_the_engine(damage: str) -> None:
    """Events that are missing, moved, doubled or of another making are noticed at the start."""
    payloads = a_history()
    store = led_by(payloads, OneHistory(payloads))
    DAMAGES[damage](store.events)
    with pytest.raises((Diverged, UnreadableRecord)) as error:
        await catching_up(store)
    assert str(error.value)


async def test_an_event_missing_from_the_server_stops_the_engine(house: House, log: Log) -> None:
    """On a real log: the next leader names the place, and writes nothing."""
    async with leading(log):
        await house.append(*sale_with_lot(), bid(1))
        await house.decided()
    house.client.xdel(keys_of(0)[1], b"2-0")
    await house.append(bid(2))
    with pytest.raises(Diverged, match="shard 0: event 2 is missing"):
        await new_engine(log).run()
    assert house.client.xlen(keys_of(0)[1]) == 3


@pytest.mark.parametrize(
    "garbage", [b"", b"1", b"1{}", b"[]", b"\xff", b'1[["NoCommand"]]', b"1" + b"[" * 5000]
)
async def test_an_entry_that_cannot_be_read_is_refused(
    house: House, log: Log, garbage: bytes
) -> None:
    """It is in the log for good: it takes one place as a refusal, and those around it count."""
    async with leading(log):
        await house.append(*sale_with_lot())
        house.client.xadd(keys_of(0)[0], {"p": garbage})
        await house.append(bid(1))
        await house.decided()
    *_, refused, accepted = house.audit().events
    assert isinstance(refused, CommandRefused)
    assert (refused.command, refused.objection) == ("", "unreadable")
    assert isinstance(accepted, BidAccepted)


async def test_an_entry_of_a_newer_version_stops_the_engine(house: House, log: Log) -> None:
    """After a step back to older code: refusing a bid that it cannot read would be for good."""
    async with leading(log):
        await house.append(*sale_with_lot())
        await house.decided()
    house.client.xadd(keys_of(0)[0], {"p": b"2[]"})
    with pytest.raises(UnknownVersion, match="version b'2'"):
        await new_engine(log).run()
    assert house.client.xlen(keys_of(0)[1]) == 3


async def test_an_entry_of_too_many_commands_does_not_stop_the_house(
    house: House, log: Log
) -> None:
    """Whoever appended it did not keep to MAX_COMMANDS: more events than one commit may hold."""
    await log.acquire(0, "gateway's friend", 1, "x", 1, loop.RESUME)
    await log.append([(0, entry(*sale_with_lot(), *(bid(n) for n in range(2100))))])
    async with leading(log):
        await house.append(bid(1))
        await house.decided()
    house.audit()
