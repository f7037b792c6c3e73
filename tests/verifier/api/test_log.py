"""The log as the public reads it: tiles and proofs that fit the checkpoint."""

from __future__ import annotations

import json
import struct

from tests.verifier.api.house import House, code_of
from verifier.core import merkle, notes, tiles
from verifier.core.merkle import leaf_hash


async def text(house: House, path: str) -> str:
    answer = await house.get(path, key="missing")
    assert answer.status_code == 200, (path, answer.text)
    return answer.text


async def checkpoint(house: House) -> notes.Checkpoint:
    """The newest signed tree, its signatures checked with the keys that are given out."""
    note = await text(house, "/log/checkpoint")
    keys = [notes.read_vkey(line) for line in (await text(house, "/log/vkeys")).splitlines()]
    assert await text(house, "/.well-known/tlog-vkeys") == await text(house, "/log/vkeys")
    assert len(notes.verify_note(note, keys)) == 2  # Ed25519 and ML-DSA-44
    return notes.read_checkpoint(notes.read_note(note).text)


async def whole(house: House, size: int) -> list[bytes]:
    """The leaves' hashes as the tiles of level 0 have them."""
    found = b""
    for index in range(-(-size // tiles.WIDTH)):
        path = tiles.tile_path(0, index, tiles.width_in(0, index, size))
        found += (await house.get(f"/log/tile/{path}", key="missing")).content
    return [found[at : at + 32] for at in range(0, len(found), 32)]


async def entries(house: House, size: int) -> list[bytes]:
    """What was logged, out of the first bundle."""
    answer = await house.get(f"/log/tile/entries/000.p/{size}", key="missing")
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"] == "application/octet-stream"
    rest, found = answer.content, []
    while rest:
        (length,) = struct.unpack(">H", rest[:2])
        found.append(rest[2 : 2 + length])
        rest = rest[2 + length :]
    return found


async def test_tiles_and_bundles_make_the_signed_root(house: House) -> None:
    """Whoever has the files can make the root again, and reads what was signed in the bundles."""
    found = await house.register()
    for _ in range(3):
        await house.report(found, "exhibited")
    signed = await checkpoint(house)
    assert signed.size == house.size()
    leaves = await whole(house, signed.size)
    tree: dict[tuple[int, int], bytes] = {}
    for at, leaf in enumerate(leaves):
        for level, place, hash_ in merkle.completed(at, leaf, lambda *node: tree[node]):
            tree[level, place] = hash_
    assert merkle.root(signed.size, lambda *node: tree[node]) == signed.root
    logged = await entries(house, signed.size)
    assert [leaf_hash(entry) for entry in logged] == leaves
    kinds = [json.loads(entry)["type"][1] for entry in logged]
    assert kinds == ["KeyEvent"] * 4 + ["ProvenanceEvent"] * 4


async def test_only_what_is_signed_is_given_out(house: House) -> None:
    """No tile wider than the tree, and no path that C2SP does not know."""
    size = (await checkpoint(house)).size
    for path in (
        f"0/000.p/{size + 1}",
        "0/000",
        "1/000",
        "0/001.p/1",
        "0/000.p/0",
        "64/000",
        "0/0",
        "0/x000/000",
        f"entries/000.p/{size + 1}",
        "entries/../000",
        "x/000",
    ):
        answer = await house.get(f"/log/tile/{path}", key="missing")
        assert code_of(answer) == (404, "NOT_FOUND"), path


async def test_an_event_is_proven_to_be_in_the_log(house: House) -> None:
    """By its own hash or its leaf's, against the signed root, checked by other code."""
    found = await house.register()
    for _ in range(5):
        await house.report(found, "exhibited")
    signed = await checkpoint(house)
    history = await house.get(f"objects/{found['serial']}/provenance", key="missing")
    for event in history.json()["events"]:
        answer = await house.get(f"/log/proof/inclusion?hash={event['hash']}", key="missing")
        body = answer.json()
        assert body["leaf_index"] == event["log_index"]
        assert bytes.fromhex(body["root"]) == signed.root
        proof = [bytes.fromhex(one) for one in body["hashes"]]
        leaf = bytes.fromhex(body["leaf_hash"])
        merkle.verify_inclusion(leaf, body["leaf_index"], body["tree_size"], proof, signed.root)
        by_leaf = await house.get(f"/log/proof/inclusion?hash={body['leaf_hash']}", key="missing")
        assert by_leaf.json() == body


async def test_a_tree_is_proven_to_begin_with_an_earlier_one(house: House) -> None:
    """From every size to the newest, checked against the checkpoints of then and now."""
    found = await house.register()
    signed = [await checkpoint(house)]
    for _ in range(6):
        await house.report(found, "exhibited")
        signed.append(await checkpoint(house))
    new = signed[-1]
    for old in signed:
        path = f"/log/proof/consistency?from={old.size}&to={new.size}"
        body = (await house.get(path, key="missing")).json()
        assert (body["from"], body["to"]) == (old.size, new.size)
        proof = [bytes.fromhex(one) for one in body["hashes"]]
        merkle.verify_consistency(old.size, new.size, proof, old.root, new.root)


async def test_what_cannot_be_proven_is_refused(house: House) -> None:
    """A hash that was never logged, sizes that are none, and words for numbers."""
    size = (await checkpoint(house)).size
    answer = await house.get(f"/log/proof/inclusion?hash={'0' * 64}", key="missing")
    assert code_of(answer) == (404, "NOT_FOUND")
    for query, code in (
        ("inclusion", "MISSING_REQUIRED_FIELD"),
        ("inclusion?hash=abc", "INVALID_FIELD"),
        (f"inclusion?hash={'0' * 64}&more=1", "INVALID_FIELD"),
        (f"inclusion?hash={'0' * 64}&hash={'0' * 64}", "INVALID_FIELD"),
        ("consistency?from=1", "MISSING_REQUIRED_FIELD"),
        ("consistency?from=0&to=1", "INVALID_FIELD"),
        ("consistency?from=2&to=1", "INVALID_FIELD"),
        (f"consistency?from=1&to={size + 1}", "INVALID_FIELD"),
        (f"consistency?from=1&to={10**30}", "INVALID_FIELD"),
        ("consistency?from=one&to=2", "INVALID_FIELD"),
    ):
        answer = await house.get(f"/log/proof/{query}", key="missing")
        assert code_of(answer) == (400, code), query


async def test_the_house_is_a_did_whose_key_signs_events(house: House) -> None:
    """The key that a signed document names is among those of the house's did:web document."""
    await house.register()
    found = (await house.get("/.well-known/did.json", key="missing")).json()
    assert found["id"] == "did:web:id.example"
    [method] = found["verificationMethod"]
    assert found["assertionMethod"] == [method["id"]]
    [*_, last] = await entries(house, house.size())
    event = json.loads(last)
    assert event["type"][1] == "ProvenanceEvent"
    assert method["publicKeyMultibase"] in event["proof"]["verificationMethod"]
