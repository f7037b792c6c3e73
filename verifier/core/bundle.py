"""The proof bundle: all that shows an object's record to be genuine, in one file.

Whoever holds the file and one key of the log, pinned beforehand, needs nobody's word for the
rest, and no network:

    the pinned key → the checkpoint → the entries about keys → the issuer's key at each place
    → every event and the certificate, each of them in the signed tree → the chain.

Inclusion shows that what is here was logged.  That nothing was left out (a last event, the
declaration that a key is compromised) no tree can show: for that the log's key signs a
*statement* of how long the history was, and how many entries about keys there were, when the
tree had that size.  A bundle speaks of that day; an older one is not wrong, but old.

The keys inside are hints.  Without a pinned key a bundle can be *consistent*, which says only
that somebody made it with care.  Everything else is *refused*, and the first thing that
disagrees is named: a byte that differs from the canonical form, a field that is not known, a
key or a proof too many.  ``static/bundle.js`` decides the same by the same rules.

Pure: makes and checks bytes.  Leaves to others: where they come from, and which keys are
pinned.  A bundle holds documents that are public; nothing in it is finer than they are.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final, Literal, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from verifier.core import events, matching, merkle, notes, objects, signing
from verifier.core.canonical import NotCanonical, canonical, digest, read_canonical
from verifier.core.events import CONTEXT, OBJECT_URN
from verifier.core.key_history import BadKeyEvent, KeyHistory, KeyLife
from verifier.core.notes import Vkey

Json = dict[str, Any]
Verdict = Literal["authentic", "consistent", "refused"]
T = TypeVar("T")

FORMAT: Final = "fairwarning-proof/v1"
MOST_BYTES: Final = 64 * 1024 * 1024  # ten thousand events, and a great deal of room
STATEMENT_TYPE: Final = ["VerifiableCredential", "HistoryStatement"]
CERTIFICATE_TYPE: Final = ["VerifiableCredential", "ObjectCertificate"]

_BUNDLE: Final = {
    "format",
    "serial",
    "statement",
    "checkpoint",
    "keys",
    "keyEvents",
    "certificate",
    "events",
}
_LOGGED: Final = {"document", "index", "proof"}
_DOCUMENT: Final = {"@context", "id", "type", "issuer", "validFrom", "credentialSubject", "proof"}
_STATEMENT: Final = {
    "id",
    "serial",
    "mode",
    "size",
    "root",
    "events",
    "head",
    "keyEvents",
    "keyEventsDigest",
}
_CERTIFICATE: Final = {
    "id",
    "serial",
    "mode",
    "link",
    "title",
    "category",
    "securityTier",
    "spatialRelations",
    "codeBits",
    "photos",
}
_PHOTO: Final = set(events.SIGNED_DETAILS["photographed"]) - {"supersedes"}
_ROLES: Final = {*events.ROLES.values(), events.HOUSE, events.PARTY}
_BY_DAY: Final = objects.OF_CUSTODY | {"erased"}
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_INSTANT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_MIDNIGHT: Final = "T00:00:00Z"


class Refused(Exception):
    """The first thing in a bundle that disagrees; one line says what."""


@dataclass(frozen=True)
class Logged:
    """A signed document, its place in the log, and the proof that it is there."""

    document: Json
    index: int
    proof: Sequence[bytes]

    @cached_property
    def leaf(self) -> bytes:
        """What the tree holds of it."""
        return merkle.leaf_hash(canonical(self.document))


@dataclass(frozen=True, slots=True)
class Contents:
    """What a bundle is made of."""

    serial: str
    mode: str
    issuer: str
    checkpoint: str  # a signed note
    vkeys: Sequence[Vkey]  # that signed it
    key_events: Sequence[Logged]
    certificate: Logged | None
    events: Sequence[Logged]


@dataclass(frozen=True, slots=True)
class Report:
    """What a check has found."""

    verdict: Verdict
    words: str
    serial: str | None = None
    title: str | None = None
    state: str | None = None
    events: int = 0
    size: int = 0  # of the log that it is proven against
    root: bytes = b""
    day: str | None = None  # as of which it speaks
    signers: tuple[str, ...] = ()  # vkeys that signed the checkpoint


# ── Making ───────────────────────────────────────────────────────────────────────────────


def make(contents: Contents, log_key: Ed25519PrivateKey, at: int) -> bytes:
    """The bundle's bytes, with the statement of the log that nothing is left out.

    *log_key* is one of those that signed the checkpoint, *at* (ms) when that was.
    """
    tree = notes.read_checkpoint(notes.read_note(contents.checkpoint).text)
    histories = [logged.document for logged in contents.events]
    when = _day(at)
    unsigned = {
        "@context": CONTEXT,
        "id": f"urn:fairwarning:statement:{contents.serial}:{tree.size}",
        "type": STATEMENT_TYPE,
        "issuer": contents.issuer,
        "validFrom": when,
        "credentialSubject": {
            "id": OBJECT_URN + contents.serial,
            "serial": contents.serial,
            "mode": contents.mode,
            "size": tree.size,
            "root": tree.root.hex(),
            "events": len(histories),
            "head": events.event_hash(histories[-1]),
            "keyEvents": len(contents.key_events),
            "keyEventsDigest": _digest_of(contents.key_events),
        },
    }
    certificate = contents.certificate
    return canonical(
        {
            "format": FORMAT,
            "serial": contents.serial,
            "statement": signing.sign(unsigned, log_key, when),
            "checkpoint": contents.checkpoint,
            "keys": [vkey.write() for vkey in contents.vkeys],
            "keyEvents": [_written(one) for one in contents.key_events],
            "certificate": None if certificate is None else _written(certificate),
            "events": [_written(one) for one in contents.events],
        }
    )


def _written(logged: Logged) -> Json:
    proof = [sibling.hex() for sibling in logged.proof]
    return {"document": logged.document, "index": logged.index, "proof": proof}


def _day(at: int) -> str:
    # To the day: the newest checkpoint may be the one of a change of hands.
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%d") + _MIDNIGHT


def _digest_of(key_events: Sequence[Logged]) -> str:
    return hashlib.sha256(b"".join(one.leaf for one in key_events)).hexdigest()


# ── Checking ─────────────────────────────────────────────────────────────────────────────


def check(data: bytes, pinned: Sequence[Vkey]) -> Report:
    """Is the bundle genuine?  *pinned* are the keys of the log that the caller trusts."""
    try:
        found = _read(data)
        signers = _check_checkpoint(found, pinned)
        tree = notes.read_checkpoint(notes.read_note(found.checkpoint).text)
        _check_statement(found, tree, signers)
        for name, logged in found.named():
            _check_inclusion(name, logged, tree)
        _check_chain(found)
        keys = _check_key_events(found)
        _check_log_keys(keys, signers, tree)
        state = _check_events(found, keys)
        _check_certificate(found, keys)
    except Refused as fault:
        return Report("refused", f"Refused: {fault}.")
    registered = found.events[0].document["credentialSubject"]["details"]
    verdict: Verdict = "authentic" if pinned else "consistent"
    day = found.statement["validFrom"].removesuffix(_MIDNIGHT)
    words = _words(verdict, found, state, tree.size, day)
    return Report(
        verdict=verdict,
        words=words,
        serial=found.serial,
        title=registered["title"],
        state=state,
        events=len(found.events),
        size=tree.size,
        root=tree.root,
        day=day,
        signers=tuple(vkey.write() for vkey in signers),
    )


def _words(verdict: Verdict, found: _Bundle, state: str, size: int, day: str) -> str:
    count = len(found.events)
    record = (
        f"the record of {found.serial} ({count} events, {state}) is whole, signed and logged, "
        f"as of a log of {size} entries on {day}"
    )
    if verdict == "authentic":
        return f"Authentic: {record}."
    return f"Consistent, signer not checked: {record}; nobody has said whose keys these are."


@dataclass(frozen=True, slots=True)
class _Bundle:
    """A bundle taken apart, its form checked."""

    serial: str
    statement: Json
    checkpoint: str
    keys: list[str]
    key_events: list[Logged]
    certificate: Logged | None
    events: list[Logged]

    def named(self) -> Iterator[tuple[str, Logged]]:
        """Everything that was logged, with what it is called."""
        for number, logged in enumerate(self.key_events):
            yield f"key event {number}", logged
        for number, logged in enumerate(self.events):
            yield f"event {number}", logged
        if self.certificate is not None:
            yield "the certificate", self.certificate


def _read(data: bytes) -> _Bundle:
    if len(data) > MOST_BYTES:
        raise Refused("the bundle is too large to be one")
    try:
        found = read_canonical(data)
    except NotCanonical as fault:
        raise Refused(f"the bundle is not in canonical form: {fault}") from fault
    if not isinstance(found, dict) or found.keys() != _BUNDLE:
        raise Refused("the bundle has other fields than a bundle has")
    if found["format"] != FORMAT:
        raise Refused("the bundle is in another format")
    certificate = found["certificate"]
    return _Bundle(
        serial=_typed(found["serial"], str, "the serial"),
        statement=_document(found["statement"], "the statement"),
        checkpoint=_typed(found["checkpoint"], str, "the checkpoint"),
        keys=[_typed(one, str, "a key") for one in _typed(found["keys"], list, "the keys")],
        key_events=_all_logged(found["keyEvents"], "key event"),
        certificate=None if certificate is None else _logged(certificate, "the certificate"),
        events=_all_logged(found["events"], "event"),
    )


def _all_logged(found: Any, name: str) -> list[Logged]:
    entries = _typed(found, list, f"the {name}s")
    if not entries:
        raise Refused(f"there is no {name}")
    logged = [_logged(entry, f"{name} {number}") for number, entry in enumerate(entries)]
    for number in range(1, len(logged)):
        if logged[number].index <= logged[number - 1].index:
            raise Refused(f"{name} {number}: it was logged before the one it follows")
    return logged


def _logged(entry: Any, name: str) -> Logged:
    if not isinstance(entry, dict) or entry.keys() != _LOGGED:
        raise Refused(f"{name}: a document, its index and its proof were expected")
    index = _typed(entry["index"], int, f"{name}: its index")
    proof = _typed(entry["proof"], list, f"{name}: its proof")
    siblings = [bytes.fromhex(_hash(one, f"{name}: its proof")) for one in proof]
    return Logged(_document(entry["document"], name), index, siblings)


def _document(found: Any, name: str) -> Json:
    """A document with the fields that every one of ours has."""
    if not isinstance(found, dict) or found.keys() != _DOCUMENT:
        raise Refused(f"{name}: the document has other fields than it should")
    if found["@context"] != CONTEXT:
        raise Refused(f"{name}: the document is of another context")
    _typed(found["id"], str, f"{name}: its id")
    _typed(found["issuer"], str, f"{name}: its issuer")
    _typed(found["credentialSubject"], dict, f"{name}: its subject")
    proof = _typed(found["proof"], dict, f"{name}: its proof of signature")
    for when in (found["validFrom"], proof.get("created")):
        if not isinstance(when, str) or not _INSTANT.fullmatch(when):
            raise Refused(f"{name}: an instant is written in another form")
    return found


def _typed(found: Any, kind: type[T], name: str) -> T:
    if type(found) is not kind:
        raise Refused(f"{name} is of another kind")
    return found


def _hash(found: Any, name: str) -> str:
    if not isinstance(found, str) or not _HASH.fullmatch(found):
        raise Refused(f"{name} is no hash")
    return found


# ── The tree ─────────────────────────────────────────────────────────────────────────────


def _check_checkpoint(found: _Bundle, pinned: Sequence[Vkey]) -> list[Vkey]:
    """The keys that signed it: exactly those that are named, and a pinned one among them."""
    try:
        vkeys = [notes.read_vkey(text) for text in found.keys]
        signatures = notes.read_note(found.checkpoint).signatures
        signers = notes.verify_note(found.checkpoint, [*vkeys, *pinned])
        tree = notes.read_checkpoint(notes.read_note(found.checkpoint).text)
    except notes.BadNote as fault:
        raise Refused(f"the checkpoint: {fault}") from fault
    if signers != vkeys or len(signatures) != len(vkeys):
        raise Refused("the checkpoint: it is signed by other keys than are named")
    if any(vkey.name != tree.origin for vkey in vkeys):
        raise Refused("the checkpoint: a key is not the log's own")
    if sorted(vkey.kind for vkey in vkeys) not in _KINDS:
        raise Refused("the checkpoint: the log signs with one Ed25519 key, and one of ML-DSA-44")
    if pinned and not any(vkey in pinned for vkey in vkeys):
        named = ", ".join(vkey.name + "+" + vkey.key_id.hex() for vkey in vkeys)
        raise Refused(f"the checkpoint: no pinned key signed it, but {named}")
    return vkeys


# Some installations know no ML-DSA.
_KINDS: Final = ([notes.ED25519], [notes.ED25519, notes.MLDSA44_COSIGNATURE])


def _check_statement(found: _Bundle, tree: notes.Checkpoint, signers: Sequence[Vkey]) -> None:
    """Has the log said of this tree how long the history is, and how many keys there were?"""
    name, document = "the statement", found.statement
    [log_key] = [vkey for vkey in signers if vkey.kind == notes.ED25519]
    _check_signature(name, document, log_key.public)
    subject = document["credentialSubject"]
    if document["type"] != STATEMENT_TYPE or subject.keys() != _STATEMENT:
        raise Refused(f"{name}: it is none")
    if tree.origin != document["issuer"].partition("://")[2] + "/log":
        raise Refused(f"{name}: the log is another issuer's")
    if document["id"] != f"urn:fairwarning:statement:{found.serial}:{tree.size}":
        raise Refused(f"{name}: its id is another's")
    if subject["serial"] != found.serial or subject["id"] != OBJECT_URN + found.serial:
        raise Refused(f"{name}: it is of another object")
    if subject["mode"] not in ("live", "test"):
        raise Refused(f"{name}: its mode is none")
    if subject["size"] != tree.size or subject["root"] != tree.root.hex():
        raise Refused(f"{name}: it is about another tree than the checkpoint")
    if not document["validFrom"].endswith(_MIDNIGHT) or not _is_of_its_signature(document):
        raise Refused(f"{name}: it does not say of which day it is")
    if subject["events"] != len(found.events):
        raise Refused(f"{name}: the history had {subject['events']} events")
    if subject["head"] != events.event_hash(found.events[-1].document):
        raise Refused(f"{name}: the history ended with another event")
    if subject["keyEvents"] != len(found.key_events):
        raise Refused(f"{name}: there were {subject['keyEvents']} entries about keys")
    if subject["keyEventsDigest"] != _digest_of(found.key_events):
        raise Refused(f"{name}: there were other entries about keys")


def _check_key_events(found: _Bundle) -> KeyHistory:
    keys = KeyHistory()
    for number, logged in enumerate(found.key_events):
        name = f"key event {number}"
        _check_issuer(name, logged.document, found)
        try:
            keys.play(logged.index, logged.document)
        except BadKeyEvent as fault:
            raise Refused(f"{name}: {fault}") from fault
    return keys


def _check_log_keys(keys: KeyHistory, signers: Sequence[Vkey], tree: notes.Checkpoint) -> None:
    """Were these the log's keys when the tree had this size?"""
    purposes = {notes.ED25519: "log", notes.MLDSA44_COSIGNATURE: "log-mldsa"}
    for vkey in signers:
        same = (key for key in keys.keys.values() if key.public == vkey.public)
        key = next(same, None)
        if key is None or key.purpose != purposes[vkey.kind]:
            raise Refused("the checkpoint: the log does not know the key that signed it")
        # One that was declared compromised was replaced with the declaration.
        if not key.in_use_at(tree.size - 1):
            raise Refused("the checkpoint: the key that signed it was not in use then")
    # A signature that may be left out protects nobody on the day on which the other one falls.
    signed = {vkey.public for vkey in signers}
    for key in keys.keys.values():
        if key.purpose == "log-mldsa" and key.in_use_at(tree.size - 1) and key.public not in signed:
            raise Refused("the checkpoint: the log's ML-DSA-44 key of that time has not signed it")


def _check_inclusion(name: str, logged: Logged, tree: notes.Checkpoint) -> None:
    try:
        merkle.verify_inclusion(logged.leaf, logged.index, tree.size, logged.proof, tree.root)
    except merkle.BadProof as fault:
        raise Refused(f"{name}: it is not in the signed tree: {fault}") from fault


def _check_issuer(name: str, document: Json, found: _Bundle) -> None:
    if document["issuer"] != found.statement["issuer"]:
        raise Refused(f"{name}: it is another issuer's")


def _check_signature(name: str, document: Json, public: bytes) -> None:
    try:
        signing.verify(document, signing.read_public(public))
    except (signing.BadSignature, signing.BadKey) as fault:
        raise Refused(f"{name}: {fault}") from fault


def _check_issuer_signature(name: str, logged: Logged, keys: KeyHistory) -> None:
    """Was it signed by the issuer's key of that place?"""
    try:
        public = signing.signed_with(logged.document)
    except signing.BadSignature as fault:
        raise Refused(f"{name}: {fault}") from fault
    key: KeyLife | None = keys.issuer(public)
    if key is None:
        raise Refused(f"{name}: it is signed by a key that the log does not know as the issuer's")
    _check_signature(name, logged.document, key.public)
    if key.taken_back_at(logged.index):
        raise Refused(f"{name}: it was signed after its key was compromised")
    if not key.in_use_at(logged.index):
        raise Refused(f"{name}: its key was not in use then")


def _is_of_its_signature(document: Json) -> bool:
    return bool(document["proof"]["created"] == document["validFrom"])


# ── The object ───────────────────────────────────────────────────────────────────────────


def _check_chain(found: _Bundle) -> None:
    for number, logged in enumerate(found.events):
        subject = logged.document["credentialSubject"]
        if not all(isinstance(subject.get(name), dict) for name in ("details", "commitments")):
            raise Refused(f"event {number}: its details are of another kind")
    try:
        events.check_chain([logged.document for logged in found.events], found.serial)
    except events.BadChain as fault:
        raise Refused(str(fault)) from fault


def _check_events(found: _Bundle, keys: KeyHistory) -> objects.State:
    """Every event signed by the issuer, and together a life that an object can have had."""
    state: objects.State = "consigned"
    seen: set[str] = set()
    for number, logged in enumerate(found.events):
        name = f"event {number}"
        _check_issuer(name, logged.document, found)
        _check_issuer_signature(name, logged, keys)
        wrong = next(_faults(logged.document, found.statement), None)
        if wrong is not None:
            raise Refused(f"{name}: {wrong}")
        if logged.document["id"] in seen:
            raise Refused(f"{name}: its id is another event's")
        seen.add(logged.document["id"])
        try:
            state = objects.after(logged.document["credentialSubject"]["eventType"], state)
        except objects.InvalidState as failure:
            raise Refused(f"{name}: {failure}") from failure
    return state


def _faults(document: Json, statement: Json) -> Iterator[str]:
    subject = document["credentialSubject"]
    kind, details = subject["eventType"], subject["details"]
    if not document["id"].startswith("urn:fairwarning:event:"):
        yield "its id is no event's"
    if subject["mode"] != statement["credentialSubject"]["mode"]:
        yield "it is of another mode"
    if not isinstance(subject["actor"], str) or subject["actor"] not in _ROLES:
        yield "its actor is no role"
    when = document["validFrom"], document["proof"]["created"]
    if kind in _BY_DAY and not all(one.endswith(_MIDNIGHT) for one in when):
        yield "it tells more of its time than the day"
    if when[0] > when[1]:
        yield "it was signed before it happened"
    needed = set(events.SIGNED_DETAILS.get(kind, ())) - {"supersedes"}
    if not needed <= details.keys():
        yield "it lacks details"
    if any(value is not None and type(value) not in (str, int) for value in details.values()):
        yield "its details are of another kind"
    if kind == "registered" and not _is_registration(details):
        yield "it registers nothing that is known"
    if not all(map(_is_hash, subject["commitments"].values())):
        yield "its commitments are no hashes"


def _is_registration(details: Json) -> bool:
    return (
        details["category"] in objects.CATEGORIES
        and details["securityTier"] in matching.TIERS
        and isinstance(details["title"], str)
        and isinstance(details["link"], str)
    )


def _is_hash(found: Any) -> bool:
    return isinstance(found, str) and bool(_HASH.fullmatch(found))


def _check_certificate(found: _Bundle, keys: KeyHistory) -> None:
    """Does the certificate say of the object what its events say?"""
    subjects = [logged.document["credentialSubject"] for logged in found.events]
    bindings = [one for one in subjects if one["eventType"] == "binding_completed"]
    logged, name = found.certificate, "the certificate"
    if logged is None:
        if bindings:
            raise Refused(f"{name}: event {bindings[-1]['seq']} names one, and there is none")
        return
    if not bindings or bindings[-1]["details"]["certificate"] != digest(logged.document):
        raise Refused(f"{name}: it is not the one that the last binding names")
    bound_at = bindings[-1]["seq"]
    if logged.index >= found.events[bound_at].index:
        raise Refused(f"{name}: it was logged after the event that names it")
    _check_issuer(name, logged.document, found)
    _check_issuer_signature(name, logged, keys)
    said = logged.document["credentialSubject"]
    if logged.document["type"] != CERTIFICATE_TYPE or said.keys() != _CERTIFICATE:
        raise Refused(f"{name}: it is none")
    if not logged.document["id"].startswith("urn:fairwarning:certificate:"):
        raise Refused(f"{name}: its id is no certificate's")
    if not _is_of_its_signature(logged.document):
        raise Refused(f"{name}: it is not of the instant at which it was signed")
    _check_certified(name, said, subjects, bound_at)


def _check_certified(name: str, said: Json, subjects: Sequence[Json], bound_at: int) -> None:
    registered = subjects[0]
    tier = matching.TIERS[registered["details"]["securityTier"]]
    expected = {
        **{key: registered[key] for key in ("id", "serial", "mode")},
        **registered["details"],
        "spatialRelations": tier.relations,
        "codeBits": tier.code_bits,
        "photos": said["photos"],
    }
    for field, value in expected.items():
        if type(said[field]) is not type(value) or said[field] != value:
            raise Refused(f"{name}: its {field} is not the object's")
    standing: dict[str, Json] = {}
    for one in subjects[:bound_at]:
        if one["eventType"] == "photographed":
            photo = {key: one["details"][key] for key in _PHOTO}
            standing[str(photo["angle"])] = photo
    photos = said["photos"]
    same = isinstance(photos, list) and all(one in photos for one in standing.values())
    if not same or len(photos) != len(standing):
        raise Refused(f"{name}: its photographs are not those of the events")
    if any(one["eventType"] == "photographed" for one in subjects[bound_at:]):
        raise Refused(f"{name}: a photograph has come since, and no certificate with it")
