"""Is what the books hold of an object what was signed, chained and logged?

``check`` trusts nothing in a row: it verifies every signature, follows the chain, finds every
event in the signed tree, lives the object's life again, and compares the photographs with what
the certificate says of them.  It names the first thing that disagrees.  The audit asks the
same of every object, and of the whole log beside.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, Row

from gateway.books.store import BooksError
from verifier.core import events, merkle, notes, objects, signing
from verifier.core.bundle import CERTIFICATE_TYPE
from verifier.core.canonical import NotCanonical, canonical
from verifier.registry import chain, keys, log, photos, tags
from verifier.registry.keys import PublicKey
from verifier.store import Store, read_sealed

Json = dict[str, Any]


class Disagrees(Exception):
    """Something is not as it was signed; one line says what."""


class Revoked(Disagrees):
    """It was signed with a key that was not ours alone any more."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The newest signed tree, and what was found of it."""

    size: int
    root: bytes
    note: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of an object."""

    documents: tuple[Json, ...]
    rows: tuple[Row[Any], ...]
    signature_valid: bool = True
    chain_intact: bool = True
    included: bool = True
    revoked: bool = False
    photo_binding: objects.Binding = "incomplete"
    fault: str | None = None  # the first thing that disagrees

    @property
    def intact(self) -> bool:
        """Nothing disagrees."""
        return self.fault is None


def check(connection: Connection, store: Store, row: Row[Any], tree: Tree) -> Checked:
    """Check an object against the newest signed tree."""
    logged = chain.documents(connection, row.object_id)
    known = keys.known(connection)
    rows = tuple(event for event, _ in logged)
    found = Checked((), rows)
    try:
        documents = tuple(_document(event, data) for event, data in logged)
        found = replace(found, documents=documents)
    except Disagrees as fault:
        return replace(found, signature_valid=False, chain_intact=False, fault=str(fault))
    steps: tuple[tuple[str, Callable[[], None]], ...] = (
        ("signature_valid", partial(_check_signatures, rows, documents, known)),
        ("chain_intact", partial(_check_chain, row, rows, documents)),
        ("chain_intact", partial(_check_tag, connection, store, row, documents)),
        ("included", partial(_check_inclusion, connection, logged, tree)),
    )
    for what, work in steps:
        try:
            work()
        except Revoked as fault:
            found = replace(found, revoked=True, fault=found.fault or str(fault))
        except Disagrees as fault:
            named: dict[str, Any] = {what: False}
            found = replace(found, **named, fault=found.fault or str(fault))
    try:
        binding = _check_photos(connection, store, row, known, tree)
    except Disagrees as fault:
        return replace(found, photo_binding="broken", fault=found.fault or str(fault))
    return replace(found, photo_binding=binding)


# ── The log ──────────────────────────────────────────────────────────────────────────────


def tree_of(connection: Connection, store: Store) -> Tree:
    """The newest signed tree, with its signatures and its root checked.  Raises ``Disagrees``."""
    newest = log.latest(connection)
    signed = read_checkpoint(connection, store, newest.note)
    if signed.size != newest.size or signed.size > log.size(connection):
        raise Disagrees(f"the checkpoint is of {signed.size} entries, the log has others")
    try:
        root = log.root(connection, signed.size)
    except KeyError as missing:
        raise Disagrees(f"the log has lost a node: {missing}") from missing
    if root != signed.root:
        raise Disagrees(f"the tree of {signed.size} entries is not the one that was signed")
    return Tree(signed.size, signed.root, newest.note)


def read_checkpoint(connection: Connection, store: Store, note: str) -> notes.Checkpoint:
    """What a checkpoint of ours says.  Raises ``Disagrees`` where we did not sign it."""
    name = log.origin(store.public_url)
    try:
        signed = _signed(note, tuple(vkeys(connection, name)))
    except notes.BadNote as fault:
        raise Disagrees(f"the log's checkpoint is not signed by us: {fault}") from fault
    if signed.origin != name:
        raise Disagrees(f"a checkpoint of another log: {signed.origin}")
    return signed


# Whether bytes are signed by a key is asked once of the same bytes and key; what lies in the
# books is read and compared each time.
@lru_cache(maxsize=64)
def _signed(note: str, known: tuple[notes.Vkey, ...]) -> notes.Checkpoint:
    notes.verify_note(note, known)
    return notes.read_checkpoint(notes.read_note(note).text)


@lru_cache(maxsize=16_384)  # of a kilobyte each
def _fault_of(document: bytes, public: bytes) -> str | None:
    """What is wrong with a document's signature."""
    try:
        signing.verify(events.read_document(document), Ed25519PublicKey.from_public_bytes(public))
    except signing.BadSignature as fault:
        return str(fault)
    return None


def vkeys(connection: Connection, name: str) -> list[notes.Vkey]:
    """The keys that sign the log, those that were replaced included."""
    found = keys.known(connection).values()
    kinds = {"log": notes.ED25519, "log-mldsa": notes.MLDSA44_COSIGNATURE}
    return [
        notes.Vkey(name, kinds[key.purpose], key.public) for key in found if key.purpose in kinds
    ]


# ── An object's events ───────────────────────────────────────────────────────────────────


def _document(row: Row[Any], data: bytes) -> Json:
    try:
        document = events.read_document(data)
    except NotCanonical as fault:
        raise Disagrees(f"event {row.seq}: what was logged is no canonical JSON") from fault
    # Its bytes are canonical: their hash is the event's.
    if hashlib.sha256(data).hexdigest() != row.hash:
        raise Disagrees(f"event {row.seq}: its hash is not that of what was logged")
    return document


def _check_signatures(
    rows: Sequence[Row[Any]], documents: Sequence[Json], known: Mapping[str, PublicKey]
) -> None:
    revoked: Revoked | None = None
    for row, document in zip(rows, documents, strict=True):
        try:
            check_signature(f"event {row.seq}", row.kid, row.leaf_index, document, known)
        except Revoked as fault:
            revoked = revoked or fault  # a signature behind it may be no signature at all
    if revoked is not None:
        raise revoked


def check_signature(
    name: str, kid: str, leaf_index: int, document: Json, known: Mapping[str, PublicKey]
) -> None:
    """Was it signed by the issuer's key of that time?  Raises ``Disagrees`` and ``Revoked``."""
    key = known.get(kid)
    if key is None or key.purpose != "issuer":
        raise Disagrees(f"{name}: signed by a key that is not the issuer's")
    fault = _fault_of(canonical(document), key.public)
    if fault is not None:
        raise Disagrees(f"{name}: {fault}")
    if key.compromised_size is not None and leaf_index >= key.compromised_size:
        raise Revoked(f"{name}: signed after the key {kid} was compromised")
    if not key.signs_at(leaf_index):
        raise Disagrees(f"{name}: signed by a key that was not in use then")


def _check_chain(row: Row[Any], rows: Sequence[Row[Any]], documents: Sequence[Json]) -> None:
    try:
        events.check_chain(documents, row.serial, [event.hash for event in rows])
    except events.BadChain as fault:
        raise Disagrees(str(fault)) from fault
    if len(documents) != row.events or not rows or rows[-1].hash != row.head:
        raise Disagrees(f"the object says it has {row.events} events, and there are others")
    state: objects.State = "consigned"
    for event, document in zip(rows, documents, strict=True):
        said = document["credentialSubject"]["eventType"]
        if said != event.type:
            raise Disagrees(f"event {event.seq}: the row says {event.type}")
        try:
            state = objects.after(said, state)
        except objects.InvalidState as fault:
            raise Disagrees(f"event {event.seq}: {fault}") from fault
    if state != row.status:
        raise Disagrees(f"its events make it {state}, and the row says {row.status}")
    _check_facts(row, documents[0]["credentialSubject"])


def _check_facts(row: Row[Any], registered: Json) -> None:
    signed = registered["details"]
    shown = {
        "title": row.title,
        "category": row.category,
        "securityTier": row.security_tier,
        "link": row.link,
    }
    for name, value in shown.items():
        if signed.get(name) != value:
            raise Disagrees(f"its {name} is not what was signed at its registration")
    if registered["mode"] != row.mode:
        raise Disagrees("it is of another mode than was signed")


def _check_tag(
    connection: Connection, store: Store, row: Row[Any], documents: Sequence[Json]
) -> None:
    """Another object's tag in this one's place would speak for it."""
    said = [document["credentialSubject"] for document in documents]
    bound = [one["details"].get("tagDigest") for one in said if one["eventType"] == "tag_bound"]
    tag = tags.of_object(connection, row.object_id)
    try:
        there = [] if tag is None else [tags.signed_digest(store, tag)]
    except BooksError as fault:
        raise Disagrees("its tag's keys were touched") from fault
    if there != bound[-1:]:
        raise Disagrees("its tag is not the one that its history names")


def _check_inclusion(
    connection: Connection, logged: Sequence[tuple[Row[Any], bytes]], tree: Tree
) -> None:
    places = [row.leaf_index for row, _ in logged]
    if any(place >= tree.size for place in places):
        raise Disagrees("an event is not in the signed tree")
    try:
        proofs = log.inclusion(connection, places, tree.size)
    except KeyError as missing:
        raise Disagrees(f"the log has lost a node: {missing}") from missing
    for (row, data), proof in zip(logged, proofs, strict=True):
        _check_proof(f"event {row.seq}", data, row.leaf_index, proof, tree)


def _check_proof(name: str, data: bytes, place: int, proof: Sequence[bytes], tree: Tree) -> None:
    try:
        merkle.verify_inclusion(merkle.leaf_hash(data), place, tree.size, proof, tree.root)
    except merkle.BadProof as fault:
        raise Disagrees(f"{name} is not in the signed tree: {fault}") from fault


# ── Photographs ──────────────────────────────────────────────────────────────────────────


def _check_photos(
    connection: Connection,
    store: Store,
    row: Row[Any],
    known: Mapping[str, PublicKey],
    tree: Tree,
) -> objects.Binding:
    if row.category not in objects.CATEGORIES:
        raise Disagrees("it is of no category that there is")
    standing = photos.standing(connection, row.object_id)
    state = objects.binding_of(row.category, dict.fromkeys(standing, True))
    if row.certificate is None:
        if state == "bound" or row.binding == "bound":
            raise Disagrees("its photographs are complete, and there is no certificate")
        return state
    signed = _certificate(connection, row, known, tree)
    if set(signed) != set(standing):
        raise Disagrees("its photographs are not those of the certificate")
    for angle, photo in standing.items():
        if photos.binding(photo) != signed[angle]:
            raise Disagrees(f"the photograph {angle} is not what was signed")
        _check_contents(store, photo)
    return state


def _certificate(
    connection: Connection, row: Row[Any], known: Mapping[str, PublicKey], tree: Tree
) -> dict[str, Json]:
    data = log.data_at(connection, [row.certificate]).get(row.certificate)
    if data is None:
        raise Disagrees("its certificate is not in the log")
    try:
        document = events.read_document(data)
    except NotCanonical as fault:
        raise Disagrees("its certificate is no canonical JSON") from fault
    if document.get("type") != CERTIFICATE_TYPE:
        raise Disagrees("its certificate is none")
    kid = next((k.kid for k in known.values() if _signed_by(document, k)), "")
    check_signature("the certificate", kid, row.certificate, document, known)
    try:
        [proof] = log.inclusion(connection, [row.certificate], tree.size)
    except (KeyError, ValueError) as missing:
        raise Disagrees(f"the certificate is not in the signed tree: {missing}") from missing
    _check_proof("the certificate", data, row.certificate, proof, tree)
    subject = document["credentialSubject"]
    if subject["serial"] != row.serial or subject["link"] != row.link:
        raise Disagrees("the certificate is of another object")
    return {photo["angle"]: photo for photo in subject["photos"]}


def _signed_by(document: Json, key: PublicKey) -> bool:
    if key.purpose != "issuer":
        return False
    try:
        named = signing.signed_with(document).public_bytes_raw()
    except signing.BadSignature:
        return False
    return named == key.public


def _check_contents(store: Store, photo: Row[Any]) -> None:
    """What lies sealed is what was signed: the features each time, the original where its file
    was touched since it was last read."""
    check_features(store, f"the photograph {photo.angle}", photo)
    _originals.check(store, photo)


def check_features(store: Store, name: str, photo: Row[Any]) -> None:
    """Compare sealed features with what was signed.  Raises ``Disagrees``."""
    try:
        salt = store.vault.open("template salt", photo.photo_id, photo.template_salt)
        sealed = photo.template
        template = b"" if sealed is None else store.vault.open("template", photo.photo_id, sealed)
    except BooksError as fault:
        raise Disagrees(f"{name}: its features were touched") from fault
    if hashlib.sha256(salt + template).hexdigest() != photo.template_digest:
        raise Disagrees(f"{name}: its features are not what was signed")


class _Originals:
    """Originals that were read and found right, by what their files were like then.

    They are large: a public question does not read all of them each time.  The audit does.
    """

    _MOST: Final = 50_000

    def __init__(self) -> None:
        self._right: dict[str, tuple[int, int]] = {}

    def check(self, store: Store, photo: Row[Any]) -> None:
        """Raises ``Disagrees`` where the original is not what was signed."""
        path = store.photos / photo.original
        try:
            stat = path.stat()
        except OSError as fault:
            raise Disagrees(f"the photograph {photo.angle}: its original is gone") from fault
        like = (stat.st_mtime_ns, stat.st_size)
        if self._right.get(str(path)) == like:
            return
        check_original(store, photo)
        if len(self._right) >= self._MOST:
            self._right.clear()
        self._right[str(path)] = like


_originals: Final = _Originals()


def check_original(store: Store, photo: Row[Any]) -> None:
    """Read an original and compare it with what was signed.  Raises ``Disagrees``."""
    try:
        content = read_sealed(store, photo.original)
    except BooksError as fault:
        raise Disagrees(f"the photograph {photo.angle}: its original was touched") from fault
    if hashlib.sha256(content).hexdigest() != photo.sha256:
        raise Disagrees(f"the photograph {photo.angle}: its original is not what was signed")
