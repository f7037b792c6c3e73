"""The transparency log, as C2SP's files and as proofs: whoever watches it needs nothing else.

What lies under a signed tree never changes: full tiles and bundles may be kept for ever, and
so may partial ones, whose width is in their name.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import select

from verifier.api.calls import Ask, Raw
from verifier.api.refusals import Refusal, bad_field
from verifier.core import signing, tiles, wire
from verifier.core.merkle import leaf_hash
from verifier.core.tiles import BadTilePath
from verifier.registry import checking, keys, log
from verifier.store import Store, at_one_instant
from verifier.tables import events

_FOR_EVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
_ASK_AGAIN: Final = {"Cache-Control": "no-cache"}
_BYTES: Final = "application/octet-stream"
_TEXT: Final = "text/plain; charset=utf-8"


async def checkpoint(ask: Ask) -> Raw:
    """The newest signed tree, as a C2SP checkpoint."""
    newest = await ask.registry(_newest)
    return Raw(newest.note.encode(), _TEXT, headers=_ASK_AGAIN)


async def tile(ask: Ask, level: str, place: str) -> Raw:
    """Hashes of the tree: a C2SP tile."""
    try:
        found = await ask.registry(_tile, tiles.read_level(level), *tiles.read_tile_path(place))
    except BadTilePath as fault:
        raise Refusal("NOT_FOUND", str(fault)) from fault
    return Raw(found, _BYTES, headers=_FOR_EVER)


async def entries(ask: Ask, place: str) -> Raw:
    """What was logged: a C2SP entry bundle."""
    try:
        found = await ask.registry(_bundle, *tiles.read_tile_path(place))
    except BadTilePath as fault:
        raise Refusal("NOT_FOUND", str(fault)) from fault
    return Raw(found, _BYTES, headers=_FOR_EVER)


async def vkeys(ask: Ask) -> Raw:
    """The keys that sign the log, one a line, those that were replaced included."""
    lines = await ask.registry(_vkeys)
    return Raw("".join(f"{line}\n" for line in lines).encode(), _TEXT, headers=_ASK_AGAIN)


async def inclusion(ask: Ask, query: wire.InclusionQuery) -> wire.Inclusion:
    """Prove that an event, or a leaf, is in the newest signed tree."""
    return await ask.registry(_inclusion, query.hash)


async def consistency(ask: Ask, query: wire.ConsistencyQuery) -> wire.Consistency:
    """Prove that the tree of ``to`` entries begins with that of ``from``."""
    return await ask.registry(_consistency, query.from_, query.to)


async def did(ask: Ask) -> dict[str, Any]:
    """The house as a decentralised identifier (did:web), with the keys that sign for it."""
    return await ask.registry(_did)


# ── From the registry ────────────────────────────────────────────────────────────────────


def _newest(store: Store) -> log.Checkpoint:
    with at_one_instant(store) as connection:
        return log.latest(connection)


def _vkeys(store: Store) -> list[str]:
    with at_one_instant(store) as connection:
        found = checking.vkeys(connection, log.origin(store.public_url))
    return [vkey.write() for vkey in found]


def _did(store: Store) -> dict[str, Any]:
    with at_one_instant(store) as connection:
        found = keys.known(connection).values()
    host = store.public_url.partition("://")[2]
    name = "did:web:" + host.replace(":", "%3A")
    # A key that others may have signs for nobody; one that was only replaced has signed.
    signing_keys = [key for key in found if key.purpose == "issuer" and key.compromised_at is None]
    methods = [
        {
            "id": f"{name}#{key.kid}",
            "type": "Multikey",
            "controller": name,
            "publicKeyMultibase": signing.multikey(key.ed25519),
        }
        for key in signing_keys
    ]
    return {
        "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"],
        "id": name,
        "verificationMethod": methods,
        "assertionMethod": [method["id"] for method in methods],
    }


def _tile(store: Store, level: int, index: int, width: int) -> bytes:
    with at_one_instant(store) as connection:
        _require(tiles.width_in(level, index, log.latest(connection).size), width)
        wanted = tiles.tile_nodes(level, index, width)
        found = log.hashes(connection, wanted)
    return b"".join(found[node] for node in wanted)


def _bundle(store: Store, index: int, width: int) -> bytes:
    with at_one_instant(store) as connection:
        _require(tiles.width_in(0, index, log.latest(connection).size), width)
        places = range(index * tiles.WIDTH, index * tiles.WIDTH + width)
        found = log.data_at(connection, places)
    return tiles.bundle([found[place] for place in places])


def _require(there: int, width: int) -> None:
    if width > there:
        raise Refusal("NOT_FOUND", "The signed tree is not as large.")


def _inclusion(store: Store, text: str) -> wire.Inclusion:
    with at_one_instant(store) as connection:
        of_event = select(events.c.leaf_index).where(events.c.hash == text)
        place = connection.scalar(of_event)
        if place is None:
            place = log.place_of(connection, bytes.fromhex(text))
        newest = log.latest(connection)
        if place is None or place >= newest.size:
            raise Refusal("NOT_FOUND", "Nothing with this hash was logged.")
        [proof] = log.inclusion(connection, [place], newest.size)
        data = log.data_at(connection, [place])[place]
        root = log.root(connection, newest.size)
    return wire.Inclusion(
        leaf_index=place,
        leaf_hash=leaf_hash(data).hex(),
        tree_size=newest.size,
        root=root.hex(),
        hashes=[one.hex() for one in proof],
        checkpoint=newest.note,
    )


def _consistency(store: Store, old: int, new: int) -> wire.Consistency:
    with at_one_instant(store) as connection:
        if new > log.latest(connection).size:
            raise bad_field("to", "the signed tree is not as large")
        if old > new:
            raise bad_field("from", "not above to")
        proof = log.consistency(connection, old, new)
    return wire.Consistency(from_=old, to=new, hashes=[one.hex() for one in proof])
