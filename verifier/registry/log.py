"""The transparency log: what was signed, in one order that nobody can change unseen.

An RFC 6962 tree over the canonical bytes of every signed document.  The hashes of its
complete subtrees are kept, so that an append and a proof cost a few rows.  After each change
the tree is signed as a C2SP checkpoint, in the same transaction: no document is ever told
outside that a signed tree does not hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, func, insert, select, tuple_

from gateway.books import store as books
from verifier.core import merkle, notes, tiles
from verifier.registry import keys
from verifier.store import Store
from verifier.tables import checkpoints, entries, nodes

_MOST_ASKED_AT_ONCE: Final = 200  # nodes in one question: databases take only so many parameters


class Checkpoint(NamedTuple):
    """A signed tree."""

    size: int
    note: str
    at: int


def origin(public_url: str) -> str:
    """The log's name in its checkpoints: the house's host, and what it is."""
    return public_url.partition("://")[2] + "/log"


def in_turn(connection: Connection) -> None:
    """Wait until nobody else appends, until this transaction ends."""
    books.in_turn(connection, "verifier log")


def size(connection: Connection) -> int:
    """How many entries there are."""
    found = connection.scalar(select(func.max(entries.c.leaf_index)))
    return 0 if found is None else int(found) + 1


def append(connection: Connection, data: bytes) -> int:
    """Log *data*; its place.  The caller has waited ``in_turn``, and signs at the end."""
    # A larger one could be served in no bundle, and with it none of its neighbours.
    assert len(data) <= tiles.MAX_ENTRY, f"an entry of {len(data)} bytes"
    place = size(connection)
    leaf = merkle.leaf_hash(data)
    wanted = merkle.wanted_for_root(place)
    made = merkle.completed(place, leaf, _nodes(connection, wanted))
    row = {"leaf_index": place, "leaf_hash": leaf, "data": data}
    connection.execute(insert(entries), row)
    rows = [{"level": level, "place": index, "hash": hash_} for level, index, hash_ in made]
    connection.execute(insert(nodes), rows)
    return place


def sign_checkpoint(connection: Connection, store: Store, now_ms: int) -> Checkpoint:
    """Sign the tree as it is in this transaction; one that is signed already stays."""
    count, name = size(connection), origin(store.public_url)
    there = select(checkpoints).where(checkpoints.c.size == count)
    signed = connection.execute(there).one_or_none()
    if signed is not None:
        return Checkpoint(*signed)
    text = notes.checkpoint(name, count, root(connection, count))
    signers = keys.log_signers(connection, store.vault, name, now_ms)
    made = Checkpoint(count, notes.sign_note(text, signers), now_ms)
    connection.execute(insert(checkpoints), made._asdict())
    return made


def latest(connection: Connection) -> Checkpoint:
    """The newest signed tree."""
    query = select(checkpoints).order_by(checkpoints.c.size.desc()).limit(1)
    return Checkpoint(*connection.execute(query).one())


def root(connection: Connection, count: int) -> bytes:
    """The root over the first *count* entries."""
    return merkle.root(count, _nodes(connection, merkle.wanted_for_root(count)))


def inclusion(connection: Connection, places: Sequence[int], count: int) -> list[list[bytes]]:
    """The proof for each place that it is in the tree of *count* entries."""
    wanted = [node for place in places for node in merkle.wanted_for_inclusion(place, count)]
    found = _nodes(connection, wanted)
    return [merkle.inclusion_proof(place, count, found) for place in places]


def consistency(connection: Connection, old: int, new: int) -> list[bytes]:
    """The proof that the tree of *new* entries begins with that of *old*."""
    wanted = merkle.wanted_for_consistency(old, new)
    return merkle.consistency_proof(old, new, _nodes(connection, wanted))


def data_at(connection: Connection, places: Sequence[int]) -> dict[int, bytes]:
    """Entries by their places."""
    found: dict[int, bytes] = {}
    for start in range(0, len(places), _MOST_ASKED_AT_ONCE):
        some = places[start : start + _MOST_ASKED_AT_ONCE]
        query = select(entries.c.leaf_index, entries.c.data)
        rows = connection.execute(query.where(entries.c.leaf_index.in_(some)))
        found.update({row.leaf_index: bytes(row.data) for row in rows})
    return found


def place_of(connection: Connection, leaf: bytes) -> int | None:
    """Where the entry with this leaf hash stands, if anywhere; of several the first."""
    query = select(func.min(entries.c.leaf_index)).where(entries.c.leaf_hash == leaf)
    found: int | None = connection.scalar(query)
    return found


# Built once: every public question asks it twice.
_NODES: Final = select(nodes.c.level, nodes.c.place, nodes.c.hash).where(
    tuple_(nodes.c.level, nodes.c.place).in_(bindparam("wanted", expanding=True))
)


def hashes(
    connection: Connection, wanted: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], bytes]:
    """Nodes of the tree that are there, by level and place."""
    distinct = sorted(set(wanted))
    found: dict[tuple[int, int], bytes] = {}
    for start in range(0, len(distinct), _MOST_ASKED_AT_ONCE):
        some = distinct[start : start + _MOST_ASKED_AT_ONCE]
        rows = connection.execute(_NODES, {"wanted": some})
        found.update({(row.level, row.place): bytes(row.hash) for row in rows})
    return found


def _nodes(connection: Connection, wanted: Sequence[tuple[int, int]]) -> merkle.Nodes:
    found = hashes(connection, wanted)
    return lambda level, index: found[level, index]
