"""The log's tree: RFC 6962's Merkle tree over stored complete subtrees.

A node (level, index) is the hash over the leaves from index·2^level up to, not including,
(index+1)·2^level.  Such a node never changes once its last leaf is there, so the log stores
exactly those: appending a leaf completes a few (``completed``), and every root and proof is
folded from them.  A look-up ``Nodes`` hands them in; the ``wanted_for_*`` functions say
beforehand which will be asked for, so that a database is asked once.

``verify_inclusion`` and ``verify_consistency`` follow RFC 9162, 2.1.3.2 and 2.1.4.2, and
share no code with the functions that make the proofs, so that one cannot excuse the other.
Hashes are public: they are compared with ``==``.

Leaves to others: keeping the nodes, and signing the root (``verifier.core.notes``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

Node: TypeAlias = tuple[int, int]  # (level, index)
Nodes: TypeAlias = Callable[[int, int], bytes]

HASH_SIZE: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()  # RFC 6962, 2.1


class BadProof(Exception):
    """A proof that does not show what it was offered for."""


# ── Hashes ───────────────────────────────────────────────────────────────────────────────


def leaf_hash(data: bytes) -> bytes:
    """The hash of an entry.  Its prefix keeps it apart from every inner node."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


# ── Growing ──────────────────────────────────────────────────────────────────────────────


def completed(size_before: int, leaf: bytes, nodes: Nodes) -> list[tuple[int, int, bytes]]:
    """The nodes that one more leaf completes, as (level, index, hash), the leaf itself first.

    *leaf* is the entry's ``leaf_hash``.  *nodes* is asked for some of
    ``wanted_for_root(size_before)`` and nothing else.
    """
    level, index, found = 0, size_before, leaf
    made = [(level, index, found)]
    while index & 1:
        found = node_hash(nodes(level, index - 1), found)
        level, index = level + 1, index >> 1
        made.append((level, index, found))
    return made


def root(size: int, nodes: Nodes) -> bytes:
    """The root over the first *size* leaves; ``EMPTY_ROOT`` where there are none."""
    return _fold(0, size, nodes) if size else EMPTY_ROOT


def wanted_for_root(size: int) -> list[Node]:
    """The nodes that ``root`` asks for."""
    return _cover(0, size)


# ── Proofs ───────────────────────────────────────────────────────────────────────────────


def inclusion_proof(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """The hashes that lead from leaf *index* to the root of *size* leaves (RFC 6962, 2.1.1).

    Raises ``ValueError`` where the tree has no such leaf.
    """
    return [_fold(begin, end, nodes) for begin, end in _inclusion(index, size)]


def wanted_for_inclusion(index: int, size: int) -> list[Node]:
    """The nodes that ``inclusion_proof`` asks for; raises ``ValueError`` as it does."""
    return [node for begin, end in _inclusion(index, size) for node in _cover(begin, end)]


def consistency_proof(old: int, new: int, nodes: Nodes) -> list[bytes]:
    """The hashes that show the first *old* of *new* leaves unchanged (RFC 6962, 2.1.2).

    Raises ``ValueError`` unless 1 <= old <= new: every tree is consistent with an empty one,
    so a proof of that would prove nothing.
    """
    return [_fold(begin, end, nodes) for begin, end in _consistency(old, new)]


def wanted_for_consistency(old: int, new: int) -> list[Node]:
    """The nodes that ``consistency_proof`` asks for; raises ``ValueError`` as it does."""
    return [node for begin, end in _consistency(old, new) for node in _cover(begin, end)]


def _inclusion(index: int, size: int) -> list[tuple[int, int]]:
    """The leaves under each sibling on the way up, as (begin, end), lowest first."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    begin, end = 0, size
    found = []
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((begin, middle))
            begin = middle
    return found[::-1]


def _consistency(old: int, new: int) -> list[tuple[int, int]]:
    """RFC 6962's SUBPROOF, with the leaves under each of its hashes as (begin, end)."""
    if not 1 <= old <= new:
        raise ValueError(f"no consistency can be proven from {old} to {new} leaves")
    begin, end = 0, new
    found = []
    while end != old:
        middle = begin + _split(end - begin)
        if old <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((begin, middle))
            begin = middle
    if begin:  # otherwise it is the old root, which whoever checks the proof has
        found.append((begin, end))
    return found[::-1]


def _split(count: int) -> int:
    """The largest power of two below *count*: how many leaves go to the left."""
    return 1 << (count - 1).bit_length() - 1


def _cover(begin: int, end: int) -> list[Node]:
    """The complete subtrees over these leaves, from the left, each as large as can be."""
    found = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        found.append((level, begin >> level))
        begin += 1 << level
    return found


def _fold(begin: int, end: int, nodes: Nodes) -> bytes:
    *left, last = _cover(begin, end)
    found = nodes(*last)
    for node in reversed(left):
        found = node_hash(nodes(*node), found)
    return found


# ── Checking ─────────────────────────────────────────────────────────────────────────────


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Is the leaf with this hash number *index* of the *size* leaves under *root*?

    Raises ``BadProof`` where the proof does not show it; a hash too many or too few is
    refused like a wrong one.
    """
    if not 0 <= index < size:
        raise BadProof(f"a tree of {size} leaves has no leaf {index}")
    _check_sizes(leaf, root, *proof)
    place, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise BadProof("the proof has hashes to spare")
        if place & 1 or place == last:
            found = node_hash(sibling, found)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    if last != 0:
        raise BadProof("the proof is too short")
    if found != root:
        raise BadProof("the proof leads to another root")


def verify_consistency(
    old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Are the *old* leaves under *old_root* the first of the *new* ones under *new_root*?

    Raises ``BadProof`` where the proof does not show it.  From an empty tree nothing is
    shown, and that is refused too.
    """
    if not 1 <= old <= new:
        raise BadProof(f"no consistency can be shown from {old} to {new} leaves")
    if old == new:
        if proof or old_root != new_root:
            raise BadProof("two trees of one size must have one root, and need no proof")
        return
    _check_sizes(old_root, new_root, *proof)
    if not proof:
        raise BadProof("the proof is too short")
    # Where the old leaves are one complete subtree, its hash is the old root: left out.
    first, *rest = proof if old & (old - 1) else (old_root, *proof)
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    before = after = first
    for sibling in rest:
        if last == 0:
            raise BadProof("the proof has hashes to spare")
        if place & 1 or place == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        place, last = place >> 1, last >> 1
    if last != 0:
        raise BadProof("the proof is too short")
    if before != old_root or after != new_root:
        raise BadProof("the proof leads to other roots")


def _check_sizes(*hashes: bytes) -> None:
    if any(len(one) != HASH_SIZE for one in hashes):
        raise BadProof(f"a hash is {HASH_SIZE} bytes long")
