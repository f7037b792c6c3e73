"""The Functions of ``auc_v1.lua`` on a real server: each guard alone, and nothing by halves.

A guard is tested twice: the text as shipped refuses and writes nothing, and the same text
without that one guard does what the guard is there to stop.  So every test is known to bite.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import OutOfMemoryError, ResponseError

from engine.core.codec import GENESIS
from engine.loop import RESUME
from engine.streams import MAX_LAG, STOPPED_AFTER_MS, UNLED_AFTER_MS
from tests import servers
from tests.engine.shardlog import Client, aof_commands, client_of, durable_server, everything

CMD, EVT, META, LEASE = "{0}:cmd", "{0}:evt", "{0}:meta", "{0}:lease"
SHIPPED = files("engine").joinpath("auc_v1.lua").read_text()
PAYLOAD_LIMIT = 1024 * 1024

Words = dict[str, Any]  # what a commit is called with

# Every guard of ``commit`` as it stands in the text, and what the text is without it.
GUARDS = {
    "epoch": (
        "  if m[1] ~= epoch then return redis.error_reply('FENCED ' .. tostring(m[1])) end\n",
        "",
    ),
    "cursor": ("if m[2] ~= cur0 or m[3]", "if m[3]"),
    "seq": (" m[3] ~= seq0 or ", " "),
    "head": (
        " or m[4] ~= head0 then return redis.error_reply('D",
        " then return redis.error_reply('D",
    ),
    "whole CAS": (
        "  if m[2] ~= cur0 or m[3] ~= seq0 or m[4] ~= head0 then return redis.error_reply('DIVERGED') end\n",
        "",
    ),
    "event ids": ("string.format('%.0f-0', tonumber(seq0) + i)", "'*'"),
    "size": ("n > EVENTS_LIMIT or ", ""),
    "later": (" or not later(cur1, cur0) then", " then"),
    "already": (
        "  if m[2] == cur1 and m[3] == seq1 and m[4] == head1 then return 'ALREADY' end\n",
        "",
    ),
    "trim border": ("'MINID', '=', cur1", "'MAXLEN', '=', 0"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[servers.Valkey]:
    with servers.socket_folder() as folder, durable_server(folder) as running:
        yield running


@pytest.fixture
def client(server: servers.Valkey) -> Iterator[Client]:
    """An empty server with the Functions as shipped, and nobody leading."""
    with client_of(server.url) as connection:
        connection.flushall()
        connection.function_flush()
        connection.function_load(SHIPPED)
        yield connection


def without(client: Client, *guards: str) -> str:
    """Load a copy of the library that lacks these guards; the prefix of its functions."""
    text = SHIPPED
    for guard in guards:
        found, instead = GUARDS[guard]
        assert text.count(found) == 1, f"{guard}: the text of auc_v1.lua has changed"
        text = text.replace(found, instead)
    client.function_load(text.replace("auc_v1", "auc_x"), replace=True)
    return "auc_x"


# ── Words for the five functions ─────────────────────────────────────────────────────────


def acquire(client: Client, node: str = "a", shards: int = 1, lineage: str = "first") -> list[Any]:
    args = (node, 60_000, lineage, shards, GENESIS, STOPPED_AFTER_MS, RESUME)
    answer: list[Any] = client.fcall("auc_v1_acquire", 3, META, LEASE, CMD, *args)
    return answer


def renew(client: Client, node: str, epoch: object, ttl_ms: int = 60_000) -> object:
    words = (node, str(epoch), str(ttl_ms), UNLED_AFTER_MS)
    return client.fcall("auc_v1_renew", 2, META, LEASE, *words)


def append(client: Client, payload: bytes | str = "p", max_lag: int = MAX_LAG) -> str:
    answer = client.fcall("auc_v1_append", 2, CMD, META, payload, max_lag, UNLED_AFTER_MS)
    assert isinstance(answer, bytes)
    return answer.decode()


def commit(
    client: Client,
    *events: str,
    epoch: object = 1,
    before: tuple[str, int, str] = ("0-0", 0, GENESIS),
    cursor: str = "5-0",
    head: str = "h1",
    max_lag: object = MAX_LAG,
    library: str = "auc_v1",
) -> object:
    args = (epoch, *before, cursor, head, max_lag, *events)
    return client.fcall(f"{library}_commit", 3, META, CMD, EVT, *map(str, args))


def refused(client: Client, wish: Callable[[], object]) -> str:
    """Why the server refuses; fails when it does not, or when it wrote anything."""
    before = everything(client)
    with pytest.raises(ResponseError) as answer:
        wish()
    assert everything(client) == before
    return str(answer.value)


def begun(client: Client) -> tuple[str, int, str]:
    """A shard led by ``a`` in epoch 1, at seq 2 of a history that got as far as cursor 5-0."""
    acquire(client)
    for number in range(1, 10):
        client.xadd(CMD, {"p": f"wish {number}"}, id=f"{number}-0")
    assert commit(client, "e1", "e2") == b"OK"
    return "5-0", 2, "h1"


def meta(client: Client) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in client.hgetall(META).items()}


# ── commit ───────────────────────────────────────────────────────────────────────────────


def test_a_commit_writes_events_cursor_seq_and_head_at_once(client: Client) -> None:
    """Each event gets its seq as its id and the epoch that wrote it; meta moves with them."""
    before = begun(client)
    assert commit(client, "e3", before=before, cursor="7-0", head="h2") == b"OK"
    assert client.xrange(EVT) == [
        (b"1-0", {b"e": b"1", b"d": b"e1"}),
        (b"2-0", {b"e": b"1", b"d": b"e2"}),
        (b"3-0", {b"e": b"1", b"d": b"e3"}),
    ]
    now = meta(client)
    assert (now["cursor"], now["seq"], now["head"]) == ("7-0", "3", "h2")


def test_commands_that_bring_nothing_about_still_move_the_cursor(client: Client) -> None:
    """A commit without events is one: only the cursor is new."""
    before = begun(client)
    assert commit(client, before=before, cursor="9-0", head=before[2]) == b"OK"
    assert (meta(client)["cursor"], client.xlen(EVT)) == ("9-0", 2)


# What a commit may get wrong about the shard, with exactly one guard to notice it.
WRONG: dict[str, tuple[str, Words]] = {
    "epoch": ("FENCED 1", {"epoch": 0}),
    "cursor": ("DIVERGED", {"before": ("4-0", 2, "h1")}),
    "seq": ("DIVERGED", {"before": ("5-0", 3, "h1")}),
    "head": ("DIVERGED", {"before": ("5-0", 2, "other")}),
}


@pytest.mark.parametrize("guard", WRONG)
def test_each_guard_is_the_only_one_that_notices_its_fault(client: Client, guard: str) -> None:
    """A commit with one wrong word is refused whole, and passes as soon as its guard is gone."""
    before = begun(client)
    answer, wrong = WRONG[guard]
    words: Words = {"before": before, "cursor": "7-0", "head": "h2"} | wrong
    assert refused(client, lambda: commit(client, "e3", **words)) == answer
    library = without(client, guard)
    assert commit(client, "e3", **words, library=library) == b"OK"


def overtaken(client: Client) -> Callable[[str], object]:
    """A leader that was replaced while it slept, and the successor has committed; its commit."""
    before = begun(client)
    client.delete(LEASE)
    acquire(client, "b")
    assert commit(client, "e3", epoch=2, before=before, cursor="7-0", head="h2") == b"OK"
    return lambda library: commit(
        client, "x3", "x4", before=before, cursor="8-0", head="x", library=library
    )


def test_a_zombie_is_stopped_by_its_epoch_alone(client: Client) -> None:
    """Without compare-and-set and without explicit ids the fence still refuses it."""
    late = overtaken(client)
    library = without(client, "whole CAS", "event ids")
    assert refused(client, lambda: late(library)) == "FENCED 2"


def test_a_zombie_is_stopped_by_compare_and_set_alone(client: Client) -> None:
    """Without the fence and without explicit ids its idea of the shard still betrays it."""
    late = overtaken(client)
    library = without(client, "epoch", "event ids")
    assert refused(client, lambda: late(library)) == "DIVERGED"


def test_a_zombie_is_stopped_by_the_ids_alone(client: Client) -> None:
    """Without both, the server itself refuses a second event 3, before anything is written."""
    late = overtaken(client)
    library = without(client, "epoch", "whole CAS")
    assert "equal or smaller" in refused(client, lambda: late(library))


def test_a_zombie_without_any_guard_would_double_history(client: Client) -> None:
    """The control: with all three gone the shard forks, so the three tests above can fail."""
    late = overtaken(client)
    assert late(without(client, "epoch", "whole CAS", "event ids")) == b"OK"
    assert client.xlen(EVT) == 5


def test_the_same_commit_again_is_already_done(client: Client) -> None:
    """After a lost reply the same leader may ask again: ALREADY, and nothing is written."""
    begun(client)
    before = everything(client)
    assert commit(client, "e1", "e2") == b"ALREADY"
    assert everything(client) == before


def test_without_the_lost_reply_guard_the_same_commit_would_be_refused(client: Client) -> None:
    """The control: it is this guard alone that tells a lost reply from a damaged shard."""
    begun(client)
    library = without(client, "already")
    assert refused(client, lambda: commit(client, "e1", "e2", library=library)) == "DIVERGED"


def test_the_same_commit_under_another_epoch_is_fenced(client: Client) -> None:
    """What was already done in an earlier epoch is no answer to a leader that was replaced."""
    begun(client)
    client.delete(LEASE)
    acquire(client, "b")
    assert refused(client, lambda: commit(client, "e1", "e2")) == "FENCED 2"


@pytest.mark.parametrize(
    ("cursor", "head"), [("6-0", "h1"), ("5-0", "h9")], ids=["another cursor", "another head"]
)
def test_almost_the_same_commit_is_not_already_done(client: Client, cursor: str, head: str) -> None:
    """Cursor, seq and head must all be what they would be; else the leaders have diverged."""
    begun(client)
    wish = lambda: commit(client, "e1", "e2", cursor=cursor, head=head)  # noqa: E731  # read aloud
    assert refused(client, wish) == "DIVERGED"


@pytest.mark.parametrize("cursor", ["5-0", "4-9", "4-18446744073709551615", "0-1"])
def test_a_cursor_that_is_not_later_is_bad(client: Client, cursor: str) -> None:
    """The cursor never stands still and never goes back, compared as ids and not as text."""
    before = begun(client)
    wish: Words = {"before": before, "cursor": cursor, "head": "h2"}
    assert refused(client, lambda: commit(client, "e3", **wish)) == "BAD"
    library = without(client, "later")
    assert commit(client, "e3", **wish, library=library) == b"OK"


def test_ids_are_compared_as_numbers(client: Client) -> None:
    """``10-0`` is later than ``9-0`` and ``5-10`` than ``5-9``, whatever the letters say."""
    begun(client)
    assert commit(client, before=("5-0", 2, "h1"), cursor="5-9", head="h1") == b"OK"
    assert commit(client, before=("5-9", 2, "h1"), cursor="5-10", head="h1") == b"OK"
    assert commit(client, before=("5-10", 2, "h1"), cursor="10-0", head="h1") == b"OK"


def test_a_commit_holds_at_most_2048_events(client: Client) -> None:
    """2048 pass, 2049 are BAD: one commit can never hold the server up for long."""
    before = begun(client)
    many = [f"e{n}" for n in range(2049)]
    wish: Words = {"before": before, "cursor": "7-0", "head": "h2"}
    assert refused(client, lambda: commit(client, *many, **wish)) == "BAD"
    assert commit(client, *many[:2048], **wish) == b"OK"
    library = without(client, "size")
    last: Words = {"before": ("7-0", 2050, "h2"), "cursor": "8-0", "head": "h3", "library": library}
    assert commit(client, *many, **last) == b"OK"


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_lag": "many"},
        {"before": ("5-0", "two", "h1")},
        {"cursor": "soon"},
        {"cursor": "9"},
        {"cursor": ""},
    ],
    ids=str,
)
def test_words_that_are_no_numbers_write_nothing(client: Client, wrong: Words) -> None:
    """An argument that makes the script fail makes it fail before its first write."""
    before = begun(client)
    words: Words = {"before": before, "cursor": "7-0", "head": "h2"} | wrong
    assert refused(client, lambda: commit(client, "e3", **words))


@pytest.mark.parametrize(
    "damage",
    [
        lambda client: client.hset(META, "commits", "some"),
        lambda client: (client.delete(CMD), client.set(CMD, "not a stream")),
        lambda client: (client.delete(EVT), client.set(EVT, "not a stream")),
    ],
    ids=["commits is no number", "cmd is no stream", "evt is no stream"],
)
def test_a_damaged_shard_is_not_written_by_halves(
    client: Client, damage: Callable[[Client], object]
) -> None:
    """Keys that were spoilt by hand stop a commit before its first write, for Lua undoes none."""
    before = begun(client)
    damage(client)
    assert refused(client, lambda: commit(client, "e3", before=before, cursor="7-0", head="h2"))


def test_a_shard_that_nobody_ever_led_takes_no_commit(client: Client) -> None:
    """No epoch was given out, so none is right."""
    assert refused(client, lambda: commit(client, "e1")).startswith("FENCED")


# ── trimming ─────────────────────────────────────────────────────────────────────────────


def entries(client: Client) -> list[int]:
    return [int(key.partition(b"-")[0]) for key, _ in client.xrange(CMD)]


def commit_64_times(client: Client, library: str = "auc_v1") -> None:
    """Decide entries 1 to 64 of 100, one by one, without events."""
    acquire(client)
    for number in range(1, 101):
        client.xadd(CMD, {"p": "wish"}, id=f"{number}-0")
    for number in range(1, 65):
        before = (f"{number - 1}-0", 0, GENESIS)
        commit(client, before=before, cursor=f"{number}-0", head=GENESIS, library=library)


def test_only_what_is_decided_is_ever_trimmed(client: Client) -> None:
    """The 64th commit drops the entries before its cursor and keeps every one after it."""
    commit_64_times(client)
    assert entries(client) == list(range(64, 101))


def test_trimming_by_length_would_lose_wishes(client: Client) -> None:
    """The control: a trim that does not look at the cursor drops what nobody has decided."""
    commit_64_times(client, without(client, "trim border"))
    assert entries(client) != list(range(64, 101))


def test_a_full_stream_is_trimmed_at_once(client: Client) -> None:
    """More than half of max_lag: room is made with the first commit, not with the 64th."""
    begun(client)
    before = ("5-0", 2, "h1")
    assert commit(client, before=before, cursor="6-0", head="h1", max_lag=18) == b"OK"
    assert entries(client) == list(range(1, 10))
    assert commit(client, before=("6-0", 2, "h1"), cursor="7-0", head="h1", max_lag=17) == b"OK"
    assert entries(client) == [7, 8, 9]


def test_a_refused_commit_trims_nothing(client: Client) -> None:
    """Also where the stream is over-full: what a fenced leader has decided was not decided."""
    begun(client)
    words: Words = {"before": ("4-0", 2, "h1"), "cursor": "9-0", "head": "h2", "max_lag": 2}
    assert refused(client, lambda: commit(client, "e3", **words)) == "DIVERGED"


# ── append ───────────────────────────────────────────────────────────────────────────────


def test_an_appended_wish_is_stored_as_it_came(client: Client) -> None:
    """Any bytes at all: they are neither read nor changed, and stand under the answered id."""
    acquire(client)
    payload = bytes(range(256))
    entry_id = append(client, payload)
    assert client.xrange(CMD) == [(entry_id.encode(), {b"p": payload})]


def test_a_full_backlog_takes_nothing_but_the_engines_own(client: Client) -> None:
    """Up to max_lag entries wait and one more is taken; then OVERLOADED, but never for lag 0."""
    acquire(client)
    for _ in range(4):
        append(client, max_lag=3)
    assert refused(client, lambda: append(client, max_lag=3)) == "OVERLOADED"
    append(client, max_lag=0)
    assert client.xlen(CMD) == 5


def test_room_is_there_again_after_a_commit(client: Client) -> None:
    """What was decided no longer counts as waiting."""
    acquire(client)
    ids = [append(client, max_lag=3) for _ in range(4)]
    assert commit(client, cursor=ids[-1], head=GENESIS, max_lag=3) == b"OK"
    append(client, max_lag=3)


def alive(client: Client, ms_ago: int) -> None:
    seconds, micros = client.time()
    client.hset(META, "alive", seconds * 1000 + micros // 1000 - ms_ago)


def silent(client: Client) -> None:
    """The lease ran out, and bids have been refused."""
    client.delete(LEASE)
    alive(client, UNLED_AFTER_MS + 500)


def test_nobody_bids_where_nobody_ever_led(client: Client) -> None:
    """Before the first start of a shard its log takes no wish."""
    assert refused(client, lambda: append(client)) == "UNLED"


def test_nobody_bids_when_the_leader_has_been_silent_for_too_long(client: Client) -> None:
    """Half a second of silence is a takeover and bids go on; more than one and a half a stop."""
    acquire(client)
    alive(client, 500)
    append(client)
    alive(client, UNLED_AFTER_MS + 1)
    assert refused(client, lambda: append(client)) == "UNLED"
    append(client, max_lag=0)


def test_renewing_lets_people_bid_again(client: Client) -> None:
    """Whoever renews is alive."""
    acquire(client)
    alive(client, 5000)
    renew(client, "a", 1)
    append(client)


@pytest.mark.parametrize("max_lag", [0, MAX_LAG], ids=["the engine", "a gateway"])
def test_a_wish_has_a_largest_size(client: Client, max_lag: int) -> None:
    """A mebibyte passes and a byte more does not, whoever wishes."""
    acquire(client)
    append(client, b"x" * PAYLOAD_LIMIT, max_lag)
    too_big = b"x" * (PAYLOAD_LIMIT + 1)
    assert refused(client, lambda: append(client, too_big, max_lag)) == "TOO_BIG"


def test_out_of_memory_bids_are_refused_and_decided_ones_committed(client: Client) -> None:
    """Under maxmemory nothing new comes in, but the leader goes on leading and committing."""
    before = begun(client)
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(OutOfMemoryError):
            append(client)
        assert commit(client, "e3", before=before, cursor="7-0", head="h2") == b"OK"
        assert renew(client, "a", 1) == b"OK"
        client.fcall("auc_v1_revoke", 1, LEASE, "a")
        assert acquire(client, "b")[:2] == [b"OK", 2]
    finally:
        client.config_set("maxmemory", 0)
    assert client.xlen(EVT) == 3


# ── acquire, renew, revoke ───────────────────────────────────────────────────────────────


def test_the_first_start_fixes_lineage_and_shards(client: Client) -> None:
    """A shard begins at nothing in epoch 1, with the lineage and the number of its first start."""
    genesis = [b"first", b"0-0", b"0", GENESIS.encode()]
    assert acquire(client, shards=4) == [b"OK", 1, *genesis, 0]
    assert acquire(client, shards=4, lineage="second") == [b"OK", 2, *genesis, 0]
    assert meta(client)["shards"] == "4"


def test_another_number_of_shards_is_refused(client: Client) -> None:
    """The recorded number is the answer, and not even the epoch has moved."""
    acquire(client, shards=4)
    before = everything(client)
    assert acquire(client, shards=5) == [b"SHARDS", b"4"]
    assert everything(client) == before


def test_a_shard_is_led_by_one(client: Client) -> None:
    """Another node is told who leads, and nothing is written."""
    acquire(client, "a")
    before = everything(client)
    assert acquire(client, "b") == [b"HELD", b"a"]
    assert everything(client) == before


def test_a_new_leader_starts_where_the_old_one_committed(client: Client) -> None:
    """The next epoch gets lineage, cursor, seq and head as they are stored."""
    begun(client)
    client.delete(LEASE)
    assert acquire(client, "b", lineage="mine") == [b"OK", 2, b"first", b"5-0", b"2", b"h1", 0]
    assert client.get(LEASE) == b"b"


def test_the_same_node_takes_a_new_epoch(client: Client) -> None:
    """Even its own earlier commits are fenced: it starts from what is stored."""
    begun(client)
    assert acquire(client, "a")[1] == 2
    words: Words = {"before": ("5-0", 2, "h1"), "cursor": "7-0", "head": "h2"}
    assert refused(client, lambda: commit(client, "e3", **words)) == "FENCED 2"


def resumed(client: Client) -> int:
    return sum(fields == {b"p": RESUME} for _, fields in client.xrange(CMD))


def test_after_a_stop_trading_resumes_before_anybody_bids(client: Client) -> None:
    """ResumeTrading is the first entry after those from before the stop, and comes once."""
    acquire(client)
    early = append(client)
    client.delete(LEASE)
    alive(client, UNLED_AFTER_MS + 1)
    assert refused(client, lambda: append(client)) == "UNLED"
    assert acquire(client, "b")[6] == 1
    assert acquire(client, "b")[6] == 0, "a lost reply must not resume twice"
    late = append(client)
    ids = [key.decode() for key, _ in client.xrange(CMD)]
    assert (ids[0], ids[2], len(ids), resumed(client)) == (early, late, 3, 1)


def test_a_takeover_is_no_stop(client: Client) -> None:
    """Soon after the last sign of life nothing is resumed, for nothing had stopped."""
    acquire(client)
    client.delete(LEASE)
    alive(client, STOPPED_AFTER_MS - 200)
    assert acquire(client, "b")[6] == 0
    assert resumed(client) == 0


def test_a_first_start_is_no_stop(client: Client) -> None:
    """Where nobody ever traded there is nothing to resume."""
    acquire(client)
    assert resumed(client) == 0


@pytest.mark.parametrize(
    "spoil",
    [
        lambda client: client.set(LEASE, "b"),
        lambda client: client.hincrby(META, "epoch", 1),
        lambda client: (client.delete(LEASE), client.hincrby(META, "epoch", 1)),
        silent,
    ],
    ids=["another node holds it", "another epoch", "another has led", "bids were refused"],
)
def test_a_lease_that_is_lost_cannot_be_renewed(
    client: Client, spoil: Callable[[Client], object]
) -> None:
    """LOST, and the one who lost it is no sign of life."""
    acquire(client)
    spoil(client)
    assert refused(client, lambda: renew(client, "a", 1)) == "LOST"


def test_a_lease_that_ran_out_while_the_server_stood_still_is_taken_again(
    client: Client,
) -> None:
    """Nobody has led since, and no bid has been refused: a slow disk is no change of leader."""
    acquire(client)
    client.delete(LEASE)
    alive(client, 1_000)
    assert renew(client, "a", 1) == b"OK"
    assert client.get(LEASE) == b"a"
    assert client.hget(META, "epoch") == b"1"


def test_a_renewed_lease_lasts_longer(client: Client) -> None:
    """Renewing puts the expiry off, to what is asked for."""
    acquire(client)
    client.pexpire(LEASE, 1000)
    renew(client, "a", 1, 60_000)
    assert client.pttl(LEASE) > 50_000


def test_a_leader_that_is_silent_can_be_replaced(client: Client) -> None:
    """A lease expires by itself."""
    acquire(client)
    renew(client, "a", 1, 1)
    while client.exists(LEASE):
        pass
    assert acquire(client, "b")[:2] == [b"OK", 2]


def test_only_its_holder_gives_a_lease_up(client: Client) -> None:
    """Revoking another's lease does nothing; one's own is free at once."""
    acquire(client, "a")
    assert client.fcall("auc_v1_revoke", 1, LEASE, "b") == 0
    assert client.get(LEASE) == b"a"
    assert client.fcall("auc_v1_revoke", 1, LEASE, "a") == 1
    assert acquire(client, "b")[0] == b"OK"


# ── the disk ─────────────────────────────────────────────────────────────────────────────


def test_a_torn_file_never_holds_half_a_commit() -> None:
    """T5: cut anywhere inside the last three commits, the log is as it was after one of them."""
    with servers.socket_folder() as folder:
        options = ("--enable-debug-command", "yes")
        with durable_server(folder, *options) as server, client_of(server.url) as client:
            client.function_load(SHIPPED, replace=True)
            begun(client)
            file = next((folder / "appendonlydir").glob("*.incr.aof"))
            start = file.stat().st_size
            borders = _three_commits(client, file)
            whole = file.read_bytes()
            for cut in range(start, len(whole) + 1):
                file.write_bytes(whole[:cut])
                with suppress(ResponseError):  # "truncated" is an error here, at a start it is not
                    client.execute_command("DEBUG", "LOADAOF")
                size = max(size for size in borders if size <= cut)
                assert everything(client) == borders[size], f"cut at byte {cut}"
            assert len(whole) - start > 500, "the three commits are in what was cut"


def _three_commits(client: Client, file: Path) -> dict[int, dict[bytes, bytes | None]]:
    """What the log holds at each size of the file that is the end of a commit."""
    borders = {file.stat().st_size: everything(client)}
    cursor, seq, head = "5-0", 2, "h1"
    for number in (6, 7, 8):
        events = [f"event {seq + n} of a commit" for n in (1, 2, 3)]
        after = (f"{number}-0", seq + 3, f"h{number}")
        # The last one also trims: four kinds of command in one commit.
        lag = 1 if number == 8 else MAX_LAG
        words: Words = {
            "before": (cursor, seq, head),
            "cursor": after[0],
            "head": after[2],
            "max_lag": lag,
        }
        assert commit(client, *events, **words) == b"OK"
        cursor, seq, head = after
        borders[file.stat().st_size] = everything(client)
    return borders


def test_a_server_that_was_cut_off_starts_again_at_a_commit() -> None:
    """The same through a real death and a real start, at a few cuts, and bids go on."""
    with servers.socket_folder() as folder:
        with durable_server(folder) as server, client_of(server.url) as client:
            client.function_load(SHIPPED, replace=True)
            begun(client)
            file = next((folder / "appendonlydir").glob("*.incr.aof"))
            borders = _three_commits(client, file)
            server.process.kill()
            server.process.wait()
        whole = file.read_bytes()
        sizes = sorted(borders)
        for cut in (sizes[1] - 1, sizes[1] + 20, (sizes[2] + sizes[3]) // 2):
            file.write_bytes(whole[:cut])
            with durable_server(folder) as server, client_of(server.url) as client:
                assert everything(client) == borders[max(s for s in sizes if s <= cut)]
                assert acquire(client, "a")[1] == 2
                server.process.kill()
                server.process.wait()
        assert b"MULTI" in [words[0] for words in aof_commands(whole)]


def test_every_write_of_the_text_comes_after_its_line() -> None:
    """No function writes above its line "nothing above wrote", where an error undoes nothing."""
    writes = re.compile(r"redis\.call\('(XADD|HSET|HINCRBY|SET|DEL|PEXPIRE|XTRIM)'")
    for function in SHIPPED.split("local function ")[1:]:
        above, line, _ = function.partition("-- nothing above wrote")
        if line:
            assert not writes.search(above), function.partition("(")[0]
