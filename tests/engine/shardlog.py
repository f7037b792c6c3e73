"""A durable log on a real server, and everything that must hold of a shard's history.

The server's append-only file is the witness: it shows every entry that ever entered ``cmd``
or ``evt``, also those that were trimmed since, in the order in which the server wrote them.
``audit`` decides the commands again with the pure core and compares byte by byte.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

import redis

from engine.core import sale
from engine.core.codec import (
    GENESIS,
    UnreadableRecord,
    chain,
    decode_commands,
    encode_commands,
    encode_event,
)
from engine.core.increments import table
from engine.core.messages import (
    AddLot,
    Catalogue,
    Command,
    CommandRefused,
    CreateSale,
    Event,
    OpenLot,
    PlaceBid,
    Terms,
)
from engine.core.sale import Shard
from engine.streams import MAX_COMMANDS, keys_of
from tests import servers

# Nothing else makes an answer mean what the protocol takes it to mean.
DURABLE = ("--appendonly", "yes", "--appendfsync", "always", "--aof-load-truncated", "yes")
TENS = table([(0, 10)])


@contextmanager
def durable_server(folder: Path, *options: str) -> Iterator[servers.Valkey]:
    """A server that has every answer on the disk, in *folder*; what was there is loaded."""
    with servers.valkey_in(folder, *DURABLE, *options) as server:
        yield server


class Client(Protocol):
    """What these tests ask a server, with the types of its answers under RESP2."""

    def keys(self) -> list[bytes]: ...
    def dump(self, key: bytes) -> bytes | None: ...
    def get(self, key: str) -> bytes | None: ...
    def set(self, key: str, value: object) -> object: ...
    def delete(self, key: str) -> int: ...
    def exists(self, key: str) -> int: ...
    def pexpire(self, key: str, ms: int) -> object: ...
    def pttl(self, key: str) -> int: ...
    def hget(self, key: str, name: str) -> bytes | None: ...
    def hgetall(self, key: str) -> dict[bytes, bytes]: ...
    def hset(self, key: str, name: str, value: object) -> object: ...
    def hincrby(self, key: str, name: str, amount: int) -> int: ...
    def xadd(self, key: str, fields: dict[str, object], id: str = ...) -> bytes: ...  # noqa: A002
    def xlen(self, key: str) -> int: ...
    def xrange(self, key: str) -> list[tuple[bytes, dict[bytes, bytes]]]: ...
    def xrevrange(self, key: str, *, count: int) -> list[tuple[bytes, dict[bytes, bytes]]]: ...
    def xdel(self, key: str, entry_id: bytes) -> int: ...
    def time(self) -> tuple[int, int]: ...
    def client_list(self) -> list[object]: ...
    def fcall(self, name: str, numkeys: int, *words: object) -> Any: ...
    def function_load(self, text: str, *, replace: bool = ...) -> object: ...
    def function_flush(self) -> object: ...
    def flushall(self) -> object: ...
    def config_set(self, name: str, value: object) -> object: ...
    def execute_command(self, *words: object) -> object: ...


@contextmanager
def client_of(url: str) -> Iterator[Client]:
    """A client of the server at *url*."""
    with redis.Redis.from_url(url, protocol=2) as client:
        yield cast(Client, client)  # redis-py types each answer as anything it might ever be


# ── A small sale ─────────────────────────────────────────────────────────────────────────


def sale_with_lot(name: str = "k3f9", **terms: Any) -> list[Command]:
    """A sale with one lot that is open for bids, without an end unless *terms* give one."""
    sale_id, lot_id = f"seq_{name}", f"auction_{name}_1"
    wanted = Terms(100, TENS, **terms)
    lot = AddLot(lot_id, sale_id, wanted, Catalogue("1", "Moon jar"))
    opened: list[Command] = [] if "opens_at" in terms else [OpenLot(lot_id)]
    return [CreateSale(sale_id, "Ceramics", "EUR", 2), lot, *opened]


def bid(number: int, name: str = "k3f9") -> PlaceBid:
    """The *number*-th bid on a sale's lot: every one is accepted when they come in order."""
    return PlaceBid(
        f"auction_{name}_1", f"cons_{number % 7}", f"b{number}", 100 + 10 * number, "bid"
    )


def entry(*commands: Command) -> bytes:
    """One entry of ``cmd``."""
    return encode_commands(list(commands))


# ── What a server holds ──────────────────────────────────────────────────────────────────


def everything(client: Client) -> dict[bytes, bytes | None]:
    """Every key, byte by byte: two of these are equal exactly when nothing was written."""
    keys = sorted(client.keys())
    return {key: client.dump(key) for key in keys}


@dataclass(slots=True)
class History:
    """All that ever happened to a shard."""

    cmd: list[tuple[bytes, bytes]] = field(default_factory=list)  # id, payload
    evt: list[tuple[bytes, bytes, bytes]] = field(default_factory=list)  # id, epoch, payload


def history(folder: Path, shard: int = 0) -> History:
    """Everything that entered a shard, from the append-only file of the server in *folder*."""
    cmd, evt, _, _ = (key.encode() for key in keys_of(shard))
    found = History()
    for file in sorted((folder / "appendonlydir").glob("*.incr.aof")):
        for words in aof_commands(file.read_bytes()):
            if words[0].upper() != b"XADD":
                continue
            if words[1] == cmd:
                found.cmd.append((words[2], words[4]))
            elif words[1] == evt:
                found.evt.append((words[2], words[4], words[6]))
    return found


def aof_commands(content: bytes) -> Iterator[list[bytes]]:
    """The commands of an append-only file, each as its words; a torn last one is left out."""
    at = 0
    while at < len(content):
        end = content.find(b"\r\n", at)
        if end < 0:
            return
        count = int(content[at + 1 : end])
        at = end + 2
        words = []
        for _ in range(count):
            end = content.find(b"\r\n", at)
            if end < 0:
                return
            size = int(content[at + 1 : end])
            words.append(content[end + 2 : end + 2 + size])
            at = end + 2 + size + 2
        if at > len(content):
            return
        yield words


# ── What must hold ───────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Audited:
    """A shard's history, found to be right."""

    events: list[Event]
    state: Shard
    head: str
    cursor: bytes
    epoch: int
    waiting: int  # commands that are not decided yet


def audit(client: Client, folder: Path, shard: int = 0) -> Audited:
    """Decide the shard's commands again, and compare every byte with what is stored.

    Also: no place taken twice, no epoch that goes back, nothing undecided trimmed.
    """
    _, evt, meta, _ = keys_of(shard)
    stored = client.hgetall(meta)
    seen = history(folder, shard)
    decided, waiting = split(seen.cmd, stored[b"cursor"])
    events, state, encoded, head = replayed(decided)
    assert [payload for _, _, payload in seen.evt] == encoded, "not what the commands make"
    assert [key for key, _, _ in seen.evt] == [b"%d-0" % n for n in range(1, len(encoded) + 1)]
    epochs = [int(epoch) for _, epoch, _ in seen.evt]
    assert epochs == sorted(epochs)
    kept = [(key, fields[b"d"]) for key, fields in client.xrange(evt)]
    assert kept == [(key, payload) for key, _, payload in seen.evt]
    assert (int(stored[b"seq"]), stored[b"head"].decode()) == (len(encoded), head)
    still_there = [key for key, _ in client.xrange(keys_of(shard)[0])]
    assert [key for key, _ in waiting] == [key for key in still_there if key in dict(waiting)]
    return Audited(events, state, head, stored[b"cursor"], int(stored[b"epoch"]), len(waiting))


def split(
    cmd: list[tuple[bytes, bytes]], cursor: bytes
) -> tuple[list[tuple[bytes, bytes]], list[tuple[bytes, bytes]]]:
    """The entries up to *cursor*, and those after it."""
    last = order_of(cursor)
    done = [pair for pair in cmd if order_of(pair[0]) <= last]
    return done, cmd[len(done) :]


def order_of(entry_id: bytes) -> tuple[int, int]:
    """A stream id as what it sorts by."""
    ms, _, number = entry_id.partition(b"-")
    return int(ms), int(number)


def replayed(cmd: list[tuple[bytes, bytes]]) -> tuple[list[Event], Shard, list[bytes], str]:
    """What the pure core alone makes of these entries: events, state, bytes and head."""
    state, head = Shard(), GENESIS
    events: list[Event] = []
    encoded: list[bytes] = []
    for entry_id, payload in cmd:
        for event in made_of(state, entry_id, payload):
            events.append(event)
            encoded.append(encode_event(event))
            head = chain(head, encoded[-1])
    return events, state, encoded, head


def made_of(state: Shard, entry_id: bytes, payload: bytes) -> list[Event]:
    """The events of one entry; one that cannot be read, or is too long, is refused whole."""
    at = order_of(entry_id)[0]
    try:
        commands = decode_commands(payload)
    except UnreadableRecord:
        commands = None
    if commands is None or len(commands) > MAX_COMMANDS:
        return [CommandRefused(at, entry_id.decode(), "", "unreadable")]
    return [event for command in commands for event in sale.execute(state, command, at)]


def all_decided(client: Client, shard: int = 0) -> bool:
    """Whether the last entry of ``cmd`` is decided."""
    cmd, _, meta, _ = keys_of(shard)
    last = client.xrevrange(cmd, count=1)
    return not last or last[0][0] == client.hget(meta, "cursor")


def field_of(client: Client, name: str, shard: int = 0) -> str:
    """One field of ``meta``; empty where there is none."""
    return (client.hget(keys_of(shard)[2], name) or b"").decode()


def new_node() -> str:
    """A name that no other engine has."""
    return f"node-{secrets.token_hex(4)}"
