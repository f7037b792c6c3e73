"""The log's tree: published proofs, RFC 6962's recursive definitions, and every bit changed."""

from __future__ import annotations

import base64
import hashlib
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.verifier.vectors import flips, needs_shared, own, shared
from verifier.core.merkle import (
    EMPTY_ROOT,
    BadProof,
    Node,
    completed,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
    wanted_for_consistency,
    wanted_for_inclusion,
    wanted_for_root,
)

LARGEST = 3000

# ── RFC 6962, 2.1, word for word: slow, and written without a look at the module ─────────


def entry(number: int) -> bytes:
    return f"lot {number}".encode()


@cache
def mth(begin: int, end: int) -> bytes:
    if end - begin == 0:
        return hashlib.sha256().digest()
    if end - begin == 1:
        return hashlib.sha256(b"\x00" + entry(begin)).digest()
    middle = begin + half(end - begin)
    return hashlib.sha256(b"\x01" + mth(begin, middle) + mth(middle, end)).digest()


def half(count: int) -> int:
    power = 1
    while power * 2 < count:
        power *= 2
    return power


def path(m: int, begin: int, end: int) -> list[bytes]:
    if end - begin == 1:
        return []
    k = half(end - begin)
    if m < k:
        return [*path(m, begin, begin + k), mth(begin + k, end)]
    return [*path(m - k, begin + k, end), mth(begin, begin + k)]


def subproof(m: int, begin: int, end: int, whole: bool) -> list[bytes]:
    if m == end - begin:
        return [] if whole else [mth(begin, end)]
    k = half(end - begin)
    if m <= k:
        return [*subproof(m, begin, begin + k, whole), mth(begin + k, end)]
    return [*subproof(m - k, begin + k, end, False), mth(begin, begin + k)]


# ── A log ────────────────────────────────────────────────────────────────────────────────


@cache
def log() -> dict[Node, bytes]:
    """The nodes of ``LARGEST`` leaves, as they are completed one by one."""
    stored: dict[Node, bytes] = {}
    for size in range(LARGEST):
        leaf = leaf_hash(entry(size))
        # The look-up knows only what is promised to be enough.
        wanted = {node: stored[node] for node in wanted_for_root(size)}
        made = completed(size, leaf, lambda *node, wanted=wanted: wanted[node])
        assert made[0] == (0, size, leaf)
        for level, index, found in made:
            assert (level, index) not in stored
            stored[level, index] = found
    return stored


class Asked:
    """A look-up in the log that remembers what it was asked for."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def __call__(self, level: int, index: int) -> bytes:
        self.nodes.append((level, index))
        return log()[level, index]


def refuse_inclusion(
    leaf: bytes, index: int, size: int, proof: list[bytes], root_: bytes, match: str | None = None
) -> None:
    with pytest.raises(BadProof, match=match):
        verify_inclusion(leaf, index, size, proof, root_)


def refuse_consistency(
    old: int,
    new: int,
    proof: list[bytes],
    old_root: bytes,
    new_root: bytes,
    match: str | None = None,
) -> None:
    with pytest.raises(BadProof, match=match):
        verify_consistency(old, new, proof, old_root, new_root)


def check_every_bit_of_inclusion(
    leaf: bytes, index: int, size: int, proof: list[bytes], root_: bytes
) -> None:
    verify_inclusion(leaf, index, size, proof, root_)
    for changed in flips(leaf):
        refuse_inclusion(changed, index, size, proof, root_)
    for changed in flips(root_):
        refuse_inclusion(leaf, index, size, proof, changed)
    for place, sibling in enumerate(proof):
        for changed in flips(sibling):
            refuse_inclusion(
                leaf, index, size, [*proof[:place], changed, *proof[place + 1 :]], root_
            )
        refuse_inclusion(leaf, index, size, proof[:place] + proof[place + 1 :], root_)
    refuse_inclusion(leaf, index, size, [*proof, root_], root_)
    refuse_inclusion(leaf, index, size, [leaf, *proof], root_)


def check_every_bit_of_consistency(
    old: int, new: int, proof: list[bytes], old_root: bytes, new_root: bytes
) -> None:
    verify_consistency(old, new, proof, old_root, new_root)
    for changed in flips(old_root):
        refuse_consistency(old, new, proof, changed, new_root)
    for changed in flips(new_root):
        refuse_consistency(old, new, proof, old_root, changed)
    for place, sibling in enumerate(proof):
        for changed in flips(sibling):
            altered = [*proof[:place], changed, *proof[place + 1 :]]
            refuse_consistency(old, new, altered, old_root, new_root)
        refuse_consistency(old, new, proof[:place] + proof[place + 1 :], old_root, new_root)
    refuse_consistency(old, new, [*proof, new_root], old_root, new_root)
    refuse_consistency(old, new, [old_root, *proof], old_root, new_root)


# ── Published proofs ─────────────────────────────────────────────────────────────────────


@needs_shared
def test_the_classic_tree_of_eight() -> None:
    """The hashes and roots that Certificate Transparency has used from its first day."""
    vectors = shared("merkle_tree_8.json")
    assert bytes.fromhex(vectors["empty_root_hex"]) == EMPTY_ROOT == root(0, Asked())
    for case in vectors["leaf_hash_cases"]:
        assert leaf_hash(bytes.fromhex(case["data_hex"])).hex() == case["leaf_hash_hex"]
    pair = vectors["node_hash_case"]
    left, right = bytes.fromhex(pair["left_hex"]), bytes.fromhex(pair["right_hex"])
    assert node_hash(left, right).hex() == pair["node_hash_hex"]

    stored: dict[Node, bytes] = {}
    for size, leaf in enumerate(vectors["leaves_hex"]):
        made = completed(size, leaf_hash(bytes.fromhex(leaf)), lambda *node: stored[node])
        stored.update({(level, index): found for level, index, found in made})
        found = root(size + 1, lambda *node: stored[node])
        assert found.hex() == vectors["roots_hex_for_size_1_to_8"][size]
    assert len(stored) == 15


def test_a_leaf_is_no_node() -> None:
    """An entry that reads like two hashes has another hash than the node over them."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)
    assert leaf_hash(b"").hex() == (  # RFC 6962's hash of an empty entry
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    )


@needs_shared
def test_the_published_inclusion_proofs() -> None:
    """Six proofs hold and 92 do not, and no bit of a good one can be changed."""
    vectors = shared("merkle_inclusion.json")
    accepted = 0
    for case in vectors["cases"]:
        hashes = [base64.b64decode(one) for one in case["proof"] or []]
        leaf, root_ = base64.b64decode(case["leafHash"]), base64.b64decode(case["root"])
        if case["wantErr"]:
            refuse_inclusion(leaf, case["leafIdx"], case["treeSize"], hashes, root_)
        else:
            accepted += 1
            check_every_bit_of_inclusion(leaf, case["leafIdx"], case["treeSize"], hashes, root_)
    assert (len(vectors["cases"]), accepted) == (vectors["count"], vectors["accept"]) == (98, 6)


@needs_shared
def test_the_published_consistency_proofs() -> None:
    """Six proofs hold and 92 do not, and no bit of a good one can be changed."""
    vectors = shared("merkle_consistency.json")
    accepted = 0
    for case in vectors["cases"]:
        hashes = [base64.b64decode(one) for one in case["proof"] or []]
        roots = base64.b64decode(case["root1"]), base64.b64decode(case["root2"])
        if case["wantErr"]:
            refuse_consistency(case["size1"], case["size2"], hashes, *roots)
        else:
            accepted += 1
            check_every_bit_of_consistency(case["size1"], case["size2"], hashes, *roots)
    assert (len(vectors["cases"]), accepted) == (vectors["count"], vectors["accept"]) == (98, 6)


def test_our_own_vectors() -> None:
    """The roots and proofs of a small log, as they were written down once."""
    vectors = own("merkle.json")
    for size, expected in enumerate(vectors["roots"]):
        assert root(size, Asked()).hex() == expected
    for case in vectors["inclusion"]:
        index, size = case["index"], case["size"]
        proof = inclusion_proof(index, size, Asked())
        assert [one.hex() for one in proof] == case["proof"]
        expected_root = bytes.fromhex(vectors["roots"][size])
        check_every_bit_of_inclusion(leaf_hash(entry(index)), index, size, proof, expected_root)
    for case in vectors["consistency"]:
        proof = consistency_proof(case["old"], case["new"], Asked())
        assert [one.hex() for one in proof] == case["proof"]
        roots = (bytes.fromhex(vectors["roots"][case[which]]) for which in ("old", "new"))
        check_every_bit_of_consistency(case["old"], case["new"], proof, *roots)


# ── Against the definitions ──────────────────────────────────────────────────────────────


def check_root(size: int) -> None:
    asked = Asked()
    assert root(size, asked) == mth(0, size)
    assert sorted(asked.nodes) == sorted(wanted_for_root(size))


def check_inclusion(index: int, size: int) -> None:
    asked = Asked()
    proof = inclusion_proof(index, size, asked)
    assert proof == path(index, 0, size)
    assert sorted(asked.nodes) == sorted(wanted_for_inclusion(index, size))
    verify_inclusion(leaf_hash(entry(index)), index, size, proof, mth(0, size))


def check_consistency(old: int, new: int) -> None:
    asked = Asked()
    proof = consistency_proof(old, new, asked)
    assert proof == subproof(old, 0, new, True)
    assert sorted(asked.nodes) == sorted(wanted_for_consistency(old, new))
    verify_consistency(old, new, proof, mth(0, old), mth(0, new))


def test_every_root_and_proof_up_to_65_leaves() -> None:
    """Roots, paths and subproofs are RFC 6962's, from no leaf to one past a full tree."""
    for size in range(66):
        check_root(size)
        for index in range(size):
            check_inclusion(index, size)
            check_consistency(index + 1, size)


@given(st.data())
def test_larger_trees(data: st.DataObject) -> None:
    """The same for any place in a larger tree."""
    new = data.draw(st.integers(66, LARGEST))
    old = data.draw(st.integers(1, new))
    check_root(new)
    check_inclusion(old - 1, new)
    check_consistency(old, new)


def test_a_proof_is_for_its_own_leaf_only() -> None:
    """A leaf's proof shows no other leaf, and no leaf in another place."""
    for size in range(1, 34):
        for index in range(size):
            proof = inclusion_proof(index, size, Asked())
            for other in range(size):
                if other != index:
                    for leaf, place in ((other, index), (index, other), (other, other)):
                        refuse_inclusion(leaf_hash(entry(leaf)), place, size, proof, mth(0, size))


def test_a_rewritten_log_is_not_consistent() -> None:
    """A log that changed one old leaf finds no proof among those of the true one."""
    for old in range(2, 34):
        for new in range(old, 34):
            proof = consistency_proof(old, new, Asked())
            forged = hashlib.sha256(mth(0, old)).digest()
            refuse_consistency(old, new, proof, forged, mth(0, new))
            refuse_consistency(old, new, proof, mth(0, old), forged)
            refuse_consistency(old, new, proof, mth(0, old - 1), mth(0, new))


# ── What is asked wrongly ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 4), (4, 4), (2**64, 4)])
def test_no_such_leaf(index: int, size: int) -> None:
    """Outside the tree there is nothing to prove, and nothing to believe."""
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_proof(index, size, Asked())
    with pytest.raises(ValueError, match="no leaf"):
        wanted_for_inclusion(index, size)
    refuse_inclusion(EMPTY_ROOT, index, size, [], EMPTY_ROOT, match="no leaf")


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 1), (0, 8), (-1, 3), (4, 3)])
def test_no_such_step(old: int, new: int) -> None:
    """From an empty log, and backwards, no consistency is proven or believed."""
    with pytest.raises(ValueError, match="no consistency"):
        consistency_proof(old, new, Asked())
    with pytest.raises(ValueError, match="no consistency"):
        wanted_for_consistency(old, new)
    refuse_consistency(old, new, [], mth(0, max(old, 0)), mth(0, new), match="no consistency")


def test_a_hash_has_32_bytes() -> None:
    """A proof with a hash of another length is refused before anything is hashed."""
    refuse_inclusion(mth(0, 1)[:31], 0, 2, [mth(1, 2)], mth(0, 2), match="32 bytes")
    refuse_inclusion(mth(0, 1), 0, 2, [mth(1, 2) + b"\x00"], mth(0, 2), match="32 bytes")
    refuse_consistency(1, 2, [b""], mth(0, 1), mth(0, 2), match="32 bytes")


def test_what_is_wrong_with_the_length_is_said() -> None:
    """Too long and too short are told apart from a wrong hash."""
    proof = inclusion_proof(2, 5, Asked())
    leaf, root_ = leaf_hash(entry(2)), mth(0, 5)
    refuse_inclusion(leaf, 2, 5, [*proof, root_], root_, match="to spare")
    refuse_inclusion(leaf, 2, 5, proof[:-1], root_, match="too short")
    refuse_inclusion(leaf, 2, 5, proof[::-1], root_, match="another root")
    proof, roots = consistency_proof(3, 5, Asked()), (mth(0, 3), mth(0, 5))
    refuse_consistency(3, 5, [*proof, root_], *roots, match="to spare")
    refuse_consistency(3, 5, proof[:-1], *roots, match="too short")
    refuse_consistency(3, 5, [], *roots, match="too short")
    refuse_consistency(3, 5, proof[::-1], *roots, match="other roots")
    refuse_consistency(5, 5, [root_], root_, root_, match="one root")
    refuse_consistency(5, 5, [], *roots, match="one root")
