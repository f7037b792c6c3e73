"""The log: one shard's streams, and the only module that speaks Redis.

A shard *s* is four keys under one hash tag: ``{s}:cmd`` (commands, ids from the server's
clock), ``{s}:evt`` (events, id ``seq-0``), ``{s}:meta`` (lineage, epoch, cursor, seq, head)
and ``{s}:lease``.  They are changed only by the Functions of ``auc_v1.lua``.

A ``Log`` is one connection and belongs to one task.  It never retries: a lost reply means
"perhaps", and only the caller knows what may be sent again (redis-py's ten silent retries
would make thirty-five entries of thirty).  Under ``appendfsync always`` a reply is sent
after the fsync, so whatever this module returns is durable.

A ``Gossip`` is what gateways tell each other in passing.  It is published and never written:
no key, no line of the append-only file, and who does not listen has missed it.

Raises ``StreamError`` for everything that the server or the line did wrong.
"""

from __future__ import annotations

import re
from asyncio import sleep, timeout
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from time import monotonic
from typing import Any, Literal, Protocol

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    OutOfMemoryError,
    RedisError,
    ResponseError,
)

from engine.core.codec import GENESIS

LIBRARY = "auc_v1"
MAX_LAG = 2_000  # entries waiting to be decided: past it new bids are refused, not queued
MAX_COMMANDS = 128  # commands in one entry: their events fit one commit (sale.py, auc_v1.lua)
STOPPED_AFTER_MS = 1_000  # no leader for as long: a stop, made good; a takeover takes half of it
UNLED_AFTER_MS = 3_000  # no leader for as long: no bids are taken; slow disks stall for less
REPLY_TIMEOUT_S = 10.0  # no reply for as long: the outcome is unknown (slow disks take seconds)
START_PATIENCE_S = 15.0  # for a server that does not answer at all
OLDEST_SERVER = (7, 0)  # Functions

Refused = Literal["OVERLOADED", "UNLED", "TOO_BIG"]


class StreamError(Exception):
    """The log cannot be reached, or answered with something that it must not."""


class UnsupportedServer(StreamError):
    """The server is too old to hold the log."""


class StillLoading(StreamError):
    """The server lives and reads its log from the disk; it takes as long as it takes."""


class NotAdmitted(StreamError):
    """The server does not take the account or the password."""


class WrongShards(StreamError):
    """The log was made for another number of shards."""


class Fenced(StreamError):
    """Another leader has taken the shard over."""


class Diverged(StreamError):
    """The shard's history is not the one that this leader was writing."""


@dataclass(frozen=True, slots=True)
class Leadership:
    """What a leader of a shard starts from."""

    shard: int
    epoch: int
    lineage: str
    cursor: str  # id of the last decided entry of cmd
    seq: int  # of the last event
    head: str


@dataclass(frozen=True, slots=True)
class Commit:
    """One atomic step of a shard's history."""

    shard: int
    epoch: int
    cursor_before: str
    seq_before: int
    head_before: str
    cursor: str
    head: str
    events: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Position:
    """How far a shard's history goes, as anybody may read it."""

    lineage: str
    seq: int
    head: str
    alive_at: int  # when a leader last said that it lives, on the server's clock


@dataclass(frozen=True, slots=True)
class Decided:
    """Up to when a shard's commands have been decided, and where in its history that is."""

    until: int  # every command of this instant or before: an event not later than...
    seq: int  # ...this one says what came of it


class ShardStore(Protocol):
    """What a leader needs of a log; the simulation brings its own."""

    async def now(self) -> int: ...
    async def acquire(
        self, shard: int, node: str, ttl_ms: int, lineage: str, shards: int, resume: bytes
    ) -> Leadership | None: ...
    async def renew(self, node: str, ttl_ms: int, epochs: Mapping[int, int]) -> None: ...
    async def revoke(self, node: str, shards: Iterable[int]) -> None: ...
    async def read_commands(
        self, cursors: Mapping[int, str], block_ms: int
    ) -> list[tuple[int, list[tuple[str, bytes]]]]: ...
    async def read_events(
        self, positions: Mapping[int, int], block_ms: int
    ) -> list[tuple[int, list[tuple[int, bytes]]]]: ...
    async def append(
        self, entries: Sequence[tuple[int, bytes]], max_lag: int
    ) -> list[str | Refused]: ...
    async def commit(self, commits: Sequence[Commit]) -> None: ...


def keys_of(shard: int) -> tuple[str, str, str, str]:
    """``cmd``, ``evt``, ``meta`` and ``lease`` of a shard."""
    tag = f"{{{shard}}}"
    return f"{tag}:cmd", f"{tag}:evt", f"{tag}:meta", f"{tag}:lease"


class Log:
    """One connection to the server that holds the shards."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        for command in ("XREAD", "XRANGE"):
            # The raw reply: pairs of lists, without a dictionary for every entry.
            redis.set_response_callback(command, _raw)  # type: ignore[arg-type]  # it is called so

    @classmethod
    async def open(cls, url: str) -> Log:
        """Connect to *url* and check that the server is new enough."""
        redis = _one_connection(url)
        log = cls(redis)
        try:
            await _check_server(redis)
        except BaseException:
            await redis.aclose()
            raise
        return log

    async def close(self) -> None:
        """Let the connection go."""
        await self._redis.aclose()

    async def load_functions(self) -> None:
        """Put this version's Functions on the server, where they are not there already."""
        text = files("engine").joinpath("auc_v1.lua").read_text()
        found = await self._call("FUNCTION", "LIST", "LIBRARYNAME", LIBRARY, "WITHCODE")
        if found and text.encode() in found[0]:
            return  # loading it again would be refused when memory has run out
        await self._call("FUNCTION", "LOAD", "REPLACE", text)

    async def now(self) -> int:
        """The server's clock, in ms: the one that entries of ``cmd`` are stamped by."""
        seconds, micros = await self._call("TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    # ── Wishes ───────────────────────────────────────────────────────────────────────────

    async def append(
        self, entries: Sequence[tuple[int, bytes]], max_lag: int = MAX_LAG
    ) -> list[str | Refused]:
        """Append payloads to their shards' ``cmd``, in order; an id or a refusal for each.

        ``max_lag`` 0 is the engine's own: never refused for a backlog or for want of memory.
        """
        calls = []
        for shard, payload in entries:
            cmd, _, meta, _ = keys_of(shard)
            function = "auc_v1_append" if max_lag else "auc_v1_wake"
            calls.append(("FCALL", function, 2, cmd, meta, payload, max_lag, UNLED_AFTER_MS))
        return [_appended(reply) for reply in await self._pipeline(calls)]

    async def read_commands(
        self, cursors: Mapping[int, str], block_ms: int
    ) -> list[tuple[int, list[tuple[str, bytes]]]]:
        """Entries of ``cmd`` after each shard's cursor; waits up to *block_ms* for one."""
        found = await self._xread({keys_of(s)[0]: c for s, c in cursors.items()}, block_ms, 64)
        return [
            (_shard_of_key(key), [(entry[0].decode(), entry[1][1]) for entry in entries])
            for key, entries in found
        ]

    # ── Leading ──────────────────────────────────────────────────────────────────────────

    async def acquire(
        self, shard: int, node: str, ttl_ms: int, lineage: str, shards: int, resume: bytes
    ) -> Leadership | None:
        """Lead a shard; None while another node does.

        *lineage* and *shards* are recorded at a shard's first start.  Raises ``WrongShards``.
        """
        cmd, _, meta, lease = keys_of(shard)
        args = (node, ttl_ms, lineage, shards, GENESIS, STOPPED_AFTER_MS, resume)
        reply = await self._call("FCALL", "auc_v1_acquire", 3, meta, lease, cmd, *args)
        if reply[0] == b"SHARDS":
            raise WrongShards(
                f"SHARDS={shards}: this log was made with SHARDS={reply[1].decode()}, "
                "which stays fixed"
            )
        if reply[0] != b"OK":
            return None
        epoch, (lineage_, cursor, seq, head) = reply[1], reply[2:6]
        return Leadership(
            shard,
            int(epoch),
            lineage_.decode(),
            cursor.decode(),
            int(seq),
            head.decode(),
        )

    async def renew(self, node: str, ttl_ms: int, epochs: Mapping[int, int]) -> None:
        """Say that this node still leads these shards.  Raises ``Fenced`` when it does not."""
        calls = []
        for shard, epoch in epochs.items():
            _, _, meta, lease = keys_of(shard)
            args = (node, epoch, ttl_ms, UNLED_AFTER_MS)
            calls.append(("FCALL", "auc_v1_renew", 2, meta, lease, *args))
        for reply in await self._pipeline(calls):
            if isinstance(reply, ResponseError):
                raise Fenced(f"the lease of {node} is lost: {reply}")

    async def revoke(self, node: str, shards: Iterable[int]) -> None:
        """Give up a node's leases, so that another may lead at once."""
        calls = [("FCALL", "auc_v1_revoke", 1, keys_of(s)[3], node) for s in shards]
        await self._pipeline(calls)

    async def commit(self, commits: Sequence[Commit]) -> None:
        """Write what was decided, each shard's atomically, all in one pipeline.

        After ``Fenced``, ``Diverged`` or any other ``StreamError`` the outcome is unknown to
        this leader: it forgets what it had in memory.
        """
        calls: list[tuple[Any, ...]] = []
        for c in commits:
            cmd, evt, meta, _ = keys_of(c.shard)
            before = (c.epoch, c.cursor_before, c.seq_before, c.head_before)
            after = (c.cursor, c.head, MAX_LAG)
            calls.append(("FCALL", "auc_v1_commit", 3, meta, cmd, evt, *before, *after, *c.events))
        for commit, reply in zip(commits, await self._pipeline(calls), strict=True):
            if reply not in (b"OK", b"ALREADY"):
                raise _commit_error(commit, reply)

    # ── Following ────────────────────────────────────────────────────────────────────────

    async def position(self, shard: int) -> Position | None:
        """How far a shard's history goes; None before its first start."""
        meta = keys_of(shard)[2]
        found = await self._call("HMGET", meta, "lineage", "seq", "head", "alive")
        if found[0] is None:
            return None
        return Position(found[0].decode(), int(found[1]), found[2].decode(), int(found[3] or 0))

    async def decided(self, shard: int) -> Decided:
        """Up to when everything that was appended to a shard has been decided by now."""
        cmd, _, meta, _ = keys_of(shard)
        # In this order: what is appended after the clock was read is later than it, and what
        # was appended before is seen to be undecided, if it is.
        now = await self.now()
        newest = await self._newest(cmd)
        found = await self._call("HMGET", meta, "cursor", "seq")
        cursor, seq = (found[0] or b"0-0").decode(), int(found[1] or 0)
        # Of the cursor's own millisecond some may still be waiting.
        until = now - 1 if cursor == newest else min(now, int(cursor.partition("-")[0])) - 1
        return Decided(until, seq)

    async def _newest(self, cmd: str) -> str:
        """The id of the last command that was ever appended."""
        try:
            answer = await self._call("XINFO", "STREAM", cmd)
        except StreamError as error:
            if "no such key" in str(error):
                return "0-0"
            raise
        fields = dict(zip(answer[::2], answer[1::2], strict=True))
        return str(fields[b"last-generated-id"].decode())

    async def read_events(
        self, positions: Mapping[int, int], block_ms: int
    ) -> list[tuple[int, list[tuple[int, bytes]]]]:
        """Events after each shard's position, (seq, payload); waits up to *block_ms*."""
        after = {keys_of(s)[1]: f"{seq}-0" for s, seq in positions.items()}
        found = await self._xread(after, block_ms, 1000)
        return [
            (_shard_of_key(key), [(_seq(entry[0]), entry[1][3]) for entry in entries])
            for key, entries in found
        ]

    async def events_at(self, shard: int, seqs: Sequence[int]) -> list[bytes]:
        """The events of these places in a shard's history."""
        evt = keys_of(shard)[1]
        replies = await self._pipeline([("XRANGE", evt, f"{seq}-0", f"{seq}-0") for seq in seqs])
        for seq, reply in zip(seqs, replies, strict=True):
            if isinstance(reply, Exception) or not reply:
                raise StreamError(f"event {seq} of shard {shard} is missing: {reply!r}")
        return [reply[0][1][3] for reply in replies]

    # ── The line ─────────────────────────────────────────────────────────────────────────

    async def _xread(
        self, after: Mapping[str, str], block_ms: int, count: int
    ) -> list[tuple[bytes, Any]]:
        if not after:
            return []
        block: tuple[object, ...] = ("BLOCK", block_ms) if block_ms > 0 else ()
        found = await self._call(
            "XREAD", "COUNT", count, *block, "STREAMS", *after.keys(), *after.values()
        )
        return found or []

    async def _call(self, *command: Any) -> Any:
        try:
            async with timeout(REPLY_TIMEOUT_S):
                # redis-py leaves this one method of its base without types.
                return await self._redis.execute_command(*command)  # type: ignore[no-untyped-call]
        except (RedisError, OSError, TimeoutError) as error:
            raise StreamError(f"{command[0]} failed: {_said(error)}") from error

    async def _pipeline(self, calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        if not calls:
            return []
        pipeline = self._redis.pipeline(transaction=False)
        for call in calls:
            pipeline.execute_command(*call)
        try:
            async with timeout(REPLY_TIMEOUT_S):
                return await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError, TimeoutError) as error:
            raise StreamError(f"{calls[0][1]} failed: {_said(error)}") from error


class Gossip:
    """Two connections, one that listens on a channel and one that speaks on it."""

    def __init__(self, speaker: Redis, listener: Redis, channel: str) -> None:
        self._speaker = speaker
        self._listener = listener
        self._ear = listener.pubsub(ignore_subscribe_messages=True)
        self._channel = channel

    @classmethod
    async def open(cls, url: str, channel: str) -> Gossip:
        """Connect to *url* and listen on *channel*: nothing said after this returns is missed."""
        gossip = cls(_one_connection(url), _one_connection(url), channel)
        try:
            async with timeout(REPLY_TIMEOUT_S):
                await gossip._ear.subscribe(channel)
                # The first message is the server's own word that it has subscribed us.
                await gossip._ear.get_message(ignore_subscribe_messages=False, timeout=None)
        except (RedisError, OSError, TimeoutError) as error:
            await gossip.close()
            raise StreamError(f"nobody can be listened to: {_said(error)}") from error
        except BaseException:
            await gossip.close()
            raise
        return gossip

    async def close(self) -> None:
        """Say and hear nothing any more."""
        await self._ear.aclose()  # type: ignore[no-untyped-call]  # as execute_command
        await self._listener.aclose()
        await self._speaker.aclose()

    async def say(self, message: bytes) -> None:
        """Tell everybody who listens now, ourselves too."""
        try:
            async with timeout(REPLY_TIMEOUT_S):
                await self._speaker.publish(self._channel, message)
        except (RedisError, OSError, TimeoutError) as error:
            raise StreamError(f"PUBLISH failed: {_said(error)}") from error

    async def hear(self) -> bytes:
        """The next message on the channel, waited for as long as it takes."""
        while True:
            try:
                message = await self._ear.get_message(timeout=None)
            except (RedisError, OSError) as error:
                raise StreamError(f"the channel is lost: {_said(error)}") from error
            if message is not None:
                return bytes(message["data"])


def _one_connection(url: str) -> Redis:
    return Redis.from_url(
        url,
        protocol=2,
        # The one connection, also for pipelines; a second caller at once is an error.
        max_connections=1,
        retry=Retry(NoBackoff(), 0),
        # Our own timeouts stand around every call: with this one redis-py sends under
        # asyncio.wait_for, which may swallow a cancellation (Python 3.11).
        socket_timeout=None,
        socket_connect_timeout=REPLY_TIMEOUT_S,
    )


async def open_when_ready(url: str, patience_s: float = START_PATIENCE_S) -> Log:
    """Connect to a server that may still be starting.

    Asks every 50 ms, for nothing tells when a socket begins to listen.  Raises ``StreamError``
    when it has not answered for *patience_s*, and at once where waiting cannot help.
    """
    deadline = monotonic() + patience_s
    while True:
        try:
            return await Log.open(url)
        except (UnsupportedServer, NotAdmitted):
            raise
        except StillLoading:
            deadline = monotonic() + patience_s
        except StreamError:
            if monotonic() >= deadline:
                raise
        await sleep(0.05)


async def _check_server(redis: Redis) -> None:
    try:
        async with timeout(REPLY_TIMEOUT_S):
            info = await redis.info("server")
            await redis.ping()  # INFO is answered also while the log is being loaded, this is not
    except BusyLoadingError as error:
        raise StillLoading("the log's server is reading its log") from error
    except (RedisError, OSError, TimeoutError) as error:
        # redis-py wraps what goes wrong while it connects.
        if isinstance(error, AuthenticationError) or isinstance(
            error.__cause__, AuthenticationError
        ):
            raise NotAdmitted(f"REDIS_URL: wrong user name or password: {error}") from error
        raise StreamError(f"the log's server cannot be reached: {_said(error)}") from error
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = str(info.get("valkey_version") or info.get("redis_version", "0"))
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers < OLDEST_SERVER:
        raise UnsupportedServer(f"{name} {version} is too old: Redis 7.0 or Valkey is needed")


def _said(error: Exception) -> str:
    return str(error) or "no answer in time"


def _appended(reply: Any) -> str | Refused:
    if isinstance(reply, ResponseError):
        text = str(reply)
        if text.startswith("OVERLOADED") or isinstance(reply, OutOfMemoryError):
            return "OVERLOADED"
        if text.startswith("UNLED") or "Function not found" in text:
            return "UNLED"
        if text.startswith("TOO_BIG"):
            return "TOO_BIG"
    if isinstance(reply, Exception):
        raise StreamError(f"append failed: {reply}") from reply
    return str(reply.decode())


def _commit_error(commit: Commit, reply: object) -> StreamError:
    text = str(reply)
    if text.startswith("FENCED"):
        return Fenced(f"shard {commit.shard}: epoch {commit.epoch} is over, now {text[7:]}")
    if text.startswith("DIVERGED"):
        return Diverged(f"shard {commit.shard} is not at seq {commit.seq_before}: {text}")
    return StreamError(f"shard {commit.shard}: commit answered {text}")


def _shard_of_key(key: bytes) -> int:
    return int(key[1 : key.index(b"}")])


def _seq(entry_id: bytes) -> int:
    return int(entry_id[: entry_id.index(b"-")])


def _raw(reply: Any, **_options: Any) -> Any:
    return reply
