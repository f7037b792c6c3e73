"""Photographs: the pictures that bind a record to a thing.

The bytes as they came are kept sealed in a file, and their SHA-256 is signed; what is served
is written anew from the pixels.  The features that a later photograph is compared with lie
sealed in the row.  With the last required angle a certificate is signed: it names every
photograph by its digests, and a photograph that replaces another renews it.

Pictures are read in a worker process (``verifier.photographs``); here nothing decodes one.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import structlog
from sqlalchemy import Connection, Row, insert, select, update

from gateway.books.store import BadField, reading, writing
from verifier.core import matching, objects, signing
from verifier.core.canonical import canonical, digest
from verifier.core.events import CONTEXT, OBJECT_URN, instant
from verifier.photographs.jobs import ALGORITHM, Enrolled, MatchingUnavailable, Renewed
from verifier.photographs.workers import PictureTooHard, WorkerFailed, Workers, WorkersBusy
from verifier.registry import chain, keys, log
from verifier.registry import objects as kept
from verifier.registry.chain import Happened
from verifier.registry.objects import Object
from verifier.store import Store, new_id, write_sealed
from verifier.tables import objects as object_rows
from verifier.tables import photos

Json = dict[str, Any]
_log: Final = structlog.stdlib.get_logger()

# A close-up of the surface binds more than a view of the whole, and changes no tier.
MACRO: Final = "macro"
ANGLES: Final = (
    *dict.fromkeys(angle for angles in objects.REQUIRED_ANGLES.values() for angle in angles),
    MACRO,
)
_SALT_BYTES: Final = 32
_OTHERS: Final = 4  # objects whose scenery is left out of a new photograph's features
_LOOKED_THROUGH: Final = 8  # photographs of each of them, at most
_SAME_PICTURE_BITS: Final = 31  # PDQ distance up to which two files show the same picture
_COMPARED: Final = 20_000  # photographs that a new one is compared with by PDQ


class NothingToCompare(Exception):
    """The object has no photograph, or none of that angle, that can be matched."""


class Added(NamedTuple):
    """A photograph that was taken in."""

    row: Row[Any]
    object: Object
    similar: tuple[str, ...]  # serials of other objects that show the same picture


class _Other(NamedTuple):
    """A photograph of another object, whose scenery may be in this one too."""

    photo_id: str
    template: bytes
    anchors: int  # that its tier wants
    pictures: tuple[int, ...]  # all of its object's, by PDQ


@dataclass(frozen=True, slots=True)
class Compared:
    """A fresh photograph against those of the record."""

    verdict: matching.Verdict
    angle: str
    inliers: int
    anchors_found: int
    angles: tuple[str, ...]  # that it was compared with


async def add(
    store: Store,
    workers: Workers,
    mode: str,
    object_id: str,
    angle: str,
    picture: bytes,
    now_ms: int,
) -> Added:
    """Take a photograph in.

    What it shares with photographs of other objects, a colour card perhaps, is in nobody's
    features afterwards: not in its own, and not in theirs, which are renewed.  Raises
    ``NoSuchObject``, ``BadField``, ``BadPicture``, ``WorkersBusy``, ``PictureTooHard`` and
    ``WorkerFailed``.
    """
    angle = objects.angle_of(angle)
    if angle not in ANGLES:
        raise BadField("angle", f"one of {', '.join(ANGLES)} was expected")
    row, others = await asyncio.to_thread(_before, store, mode, object_id)
    wanted = matching.TIERS[row.security_tier].anchors
    enrolled = await workers.enrol(picture, wanted, [other.template for other in others])
    strangers = [other for other in others if not _shows_same(enrolled.pdq, other.pictures)]
    if len(strangers) < len(others):
        # The same picture in two records is told to the house, and is nobody's scenery.
        others = strangers
        enrolled = await workers.enrol(picture, wanted, [other.template for other in others])
    added = await asyncio.to_thread(keep, store, row, angle, picture, enrolled, now_ms)
    if enrolled.binding is not None:
        shared = [others[place] for place in enrolled.binding.shared_with]
        await _renew_all(store, workers, shared, enrolled.binding.template, now_ms)
    return added


async def _renew_all(
    store: Store, workers: Workers, shared: Sequence[_Other], mine: bytes, now_ms: int
) -> None:
    """Take what they share with *mine* out of their features too."""
    try:
        for other in shared:
            renewed = await workers.renew(other.template, other.anchors, [mine])
            await asyncio.to_thread(_renew, store, other.photo_id, renewed, now_ms)
    except (WorkersBusy, WorkerFailed, PictureTooHard) as failure:
        # The photograph itself is in; the next one with this scenery tries again.
        _log.warning("shared scenery stays in other objects' features", reason=str(failure))


def _before(store: Store, mode: str, object_id: str) -> tuple[Row[Any], list[_Other]]:
    """The object, and features of others of the house, whose scenery may be in the picture.

    One that has a picture of this object's shows the same thing, and is none of these others.
    """
    newest = (
        select(photos.c.photo_id, photos.c.object_id, photos.c.template)
        .add_columns(object_rows.c.security_tier)
        .join(object_rows)
        .where(object_rows.c.mode == mode)
        .where(photos.c.superseded_at.is_(None), photos.c.template.is_not(None))
        .limit(_OTHERS * _LOOKED_THROUGH)
    )
    found: dict[str, _Other] = {}
    with reading(store.engine) as connection:
        row = kept.find(connection, mode, object_id)
        # Of its kind first: they are photographed alike.
        alike = (object_rows.c.category != row.category).asc()
        newest = newest.order_by(alike, photos.c.created_at.desc())
        own = _pictures(connection, row.object_id)
        for other in connection.execute(newest):
            if other.object_id in (row.object_id, *found) or len(found) == _OTHERS:
                continue
            pictures = _pictures(connection, other.object_id)
            if not any(_near(mine, theirs) for mine in own for theirs in pictures):
                template = store.vault.open("template", other.photo_id, other.template)
                anchors = matching.TIERS[other.security_tier].anchors
                found[other.object_id] = _Other(other.photo_id, template, anchors, pictures)
    return row, list(found.values())


def _pictures(connection: Connection, object_id: str) -> tuple[int, ...]:
    """The PDQ of every photograph that stands of an object."""
    there = photos.c.object_id == object_id, photos.c.superseded_at.is_(None)
    query = select(photos.c.pdq).where(*there, photos.c.pdq.is_not(None))
    return tuple(int(pdq, 16) for pdq in connection.scalars(query))


def _shows_same(pdq: str | None, pictures: Sequence[int]) -> bool:
    return pdq is not None and any(_near(int(pdq, 16), one) for one in pictures)


def _near(one: int, other: int) -> bool:
    """Do two PDQ hashes say that it is the same picture, in another size or file perhaps?"""
    return (one ^ other).bit_count() <= _SAME_PICTURE_BITS


def keep(
    store: Store, row: Row[Any], angle: str, picture: bytes, enrolled: Enrolled, now_ms: int
) -> Added:
    """Keep a photograph as the worker has read it: the second half of ``add``.  Blocks."""
    photo_id = new_id("pho_", 20)
    # First the file: a row without its original would be a broken binding.
    write_sealed(store, photo_id, picture)
    with writing(store.engine) as connection:
        log.in_turn(connection)
        photo = {
            "object_id": row.object_id,
            "angle": angle,
            "sha256": enrolled.sha256,
            "pixel_sha256": enrolled.pixel_sha256,
            "pdq": enrolled.pdq,
            "width": enrolled.width,
            "height": enrolled.height,
            "served": enrolled.served,
            "original": photo_id,
        }
        taken = _put(connection, store, row, photo_id, photo, enrolled.binding, now_ms)
        log.sign_checkpoint(connection, store, now_ms)
        similar = _similar(connection, row, enrolled.pdq)
        now = chain.find(connection, row.mode, row.object_id)
        return Added(taken, kept.loaded(connection, store, now), similar)


def _renew(store: Store, photo_id: str, renewed: Renewed, now_ms: int) -> None:
    """The same photograph with other features, where it still stands."""
    with writing(store.engine) as connection:
        log.in_turn(connection)
        query = select(photos).where(photos.c.photo_id == photo_id)
        before = connection.execute(query).one()
        if before.superseded_at is not None:
            return
        names = ("object_id", "angle", "sha256", "pixel_sha256", "pdq", "width", "height")
        photo = {name: getattr(before, name) for name in (*names, "served", "original")}
        query = select(object_rows).where(object_rows.c.object_id == before.object_id)
        row = connection.execute(query).one()
        _put(connection, store, row, new_id("pho_", 20), photo, renewed, now_ms)
        log.sign_checkpoint(connection, store, now_ms)


def _put(
    connection: Connection,
    store: Store,
    row: Row[Any],
    photo_id: str,
    photo: Json,
    renewed: Renewed | None,
    now_ms: int,
) -> Row[Any]:
    """A photograph in the place of the one that stands, with its event and its certificate."""
    before = standing(connection, row.object_id).get(photo["angle"])
    if before is not None:
        gone = update(photos).where(photos.c.photo_id == before.photo_id)
        connection.execute(gone.values(superseded_at=now_ms))
    features = _features(store, photo_id, renewed)
    named = {"photo_id": photo_id, "created_at": now_ms}
    connection.execute(insert(photos), {**photo, **features, **named})
    said = binding({**photo, **features})
    if before is not None:
        said["supersedes"] = before.sha256
    chain.append(connection, store, row.object_id, Happened("photographed", details=said), now_ms)
    _bind(connection, store, row, now_ms)
    return connection.execute(select(photos).where(photos.c.photo_id == photo_id)).one()


def _features(store: Store, photo_id: str, renewed: Renewed | None) -> Json:
    """The columns of what a later photograph is compared with."""
    salt = secrets.token_bytes(_SALT_BYTES)
    template = None if renewed is None else renewed.template
    return {
        "anchors_found": None if renewed is None else renewed.anchors_found,
        "matchable": renewed is not None and renewed.matchable,
        "template": None if template is None else store.vault.seal("template", photo_id, template),
        "template_salt": store.vault.seal("template salt", photo_id, salt),
        "template_digest": hashlib.sha256(salt + (template or b"")).hexdigest(),
    }


def binding(row: Any) -> Json:
    """What is signed of a photograph; *row*: its columns."""
    found = row if isinstance(row, dict) else row._mapping
    return {
        "angle": found["angle"],
        "sha256": found["sha256"],
        "pixelSha256": found["pixel_sha256"],
        "servedSha256": hashlib.sha256(found["served"]).hexdigest(),
        "templateDigest": found["template_digest"],
        "pdq": found["pdq"],
        "anchorCount": found["anchors_found"],
        "algorithm": ALGORITHM,
    }


def standing(connection: Connection, object_id: str) -> dict[str, Row[Any]]:
    """The photographs that stand, by angle."""
    mine = photos.c.object_id == object_id, photos.c.superseded_at.is_(None)
    rows = connection.execute(select(photos).where(*mine).order_by(photos.c.angle))
    return {row.angle: row for row in rows}


def _bind(connection: Connection, store: Store, row: Row[Any], now_ms: int) -> None:
    """Sign a certificate where all required angles are there; each new one renews it."""
    found = standing(connection, row.object_id)
    state = objects.binding_of(row.category, dict.fromkeys(found, True))
    if state != "bound":
        return
    certificate = _certificate(connection, store, row, found, now_ms)
    place = log.append(connection, canonical(certificate))
    said = {"certificate": digest(certificate)}
    chain.append(
        connection, store, row.object_id, Happened("binding_completed", details=said), now_ms
    )
    bound = {"binding": "bound", "certificate": place}
    mine = object_rows.c.object_id == row.object_id
    connection.execute(update(object_rows).where(mine).values(bound))


def _certificate(
    connection: Connection,
    store: Store,
    row: Row[Any],
    found: dict[str, Row[Any]],
    now_ms: int,
) -> Json:
    when = instant("binding_completed", now_ms)
    tier = matching.TIERS[row.security_tier]
    unsigned = {
        "@context": CONTEXT,
        "id": f"urn:fairwarning:certificate:{new_id('', 20)}",
        "type": ["VerifiableCredential", "ObjectCertificate"],
        "issuer": store.public_url,
        "validFrom": when,
        "credentialSubject": {
            "id": OBJECT_URN + row.serial,
            "serial": row.serial,
            "mode": row.mode,
            "link": row.link,
            "title": row.title,
            "category": row.category,
            "securityTier": row.security_tier,
            "spatialRelations": tier.relations,
            "codeBits": tier.code_bits,
            "photos": [binding(one) for one in found.values()],
        },
    }
    issuer = keys.current(connection, store.vault, "issuer").ed25519
    return signing.sign(unsigned, issuer, when)


def _similar(connection: Connection, row: Row[Any], pdq: str | None) -> tuple[str, ...]:
    """Other objects that stand in the books with the same picture: a stolen one, perhaps."""
    if pdq is None:
        return ()
    query = (
        select(object_rows.c.serial, photos.c.pdq)
        .join_from(photos, object_rows)
        .where(object_rows.c.mode == row.mode, photos.c.object_id != row.object_id)
        .where(photos.c.pdq.is_not(None))
        .order_by(photos.c.created_at.desc())
        .limit(_COMPARED)
    )
    near = {
        one.serial for one in connection.execute(query) if _near(int(one.pdq, 16), int(pdq, 16))
    }
    return tuple(sorted(near))


# ── Comparing ────────────────────────────────────────────────────────────────────────────


async def compare(
    store: Store, workers: Workers, row: Row[Any], picture: bytes, angle: str | None
) -> Compared:
    """Compare a fresh photograph with those of the record, the best angle counts.

    Raises ``NothingToCompare``, ``MatchingUnavailable``, ``photographs.BadPicture``,
    ``WorkersBusy`` and ``PictureTooHard``.
    """
    wanted = None if angle is None else objects.angle_of(angle)
    templates = await asyncio.to_thread(_templates, store, row, wanted)
    scores = await workers.match(picture, templates)
    best = max(scores, key=lambda score: matching.rank(score.inliers, score.anchors))
    verdict = matching.verdict(best.inliers, best.anchors)
    angles = tuple(name for name, _ in templates)
    return Compared(verdict, best.photo_id, best.inliers, best.anchors, angles)


def _templates(store: Store, row: Row[Any], angle: str | None) -> Sequence[tuple[str, bytes]]:
    """Those that a photograph can be compared with.  Few anchors make a match unlikely, and
    never an easy one: the rule asks for the same number of them."""
    with reading(store.engine) as connection:
        found = standing(connection, row.object_id)
    there = [(name, one) for name, one in found.items() if angle in (None, name)]
    if not there:
        raise NothingToCompare(row.serial)
    templates = [
        (name, store.vault.open("template", one.photo_id, one.template))
        for name, one in there
        if one.template is not None
    ]
    if not templates:  # they were taken in without OpenCV
        raise MatchingUnavailable
    return templates
