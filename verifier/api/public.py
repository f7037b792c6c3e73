"""What anybody may ask, without a key: is this object what its label says?

Most of these questions come by the thousand about one object, when its lot is on the screen:
an answer without a tag in it is kept for two seconds, encoded, and given to all who ask
meanwhile.  Each of them is counted as a scan.  Who asks for serials that do not exist is
trying them out, and is answered nothing for a while, not even for those that do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final
from urllib.parse import quote, unquote, urlencode

from msgspec import structs
from sqlalchemy import Row

from gateway.books.store import reading
from verifier.api.answers import Kept
from verifier.api.calls import Ask, Raw, count, encoded, refuse_empty
from verifier.api.refusals import Refusal, bad_field
from verifier.core import links, matching, serials, wire
from verifier.core.scans import Kind
from verifier.photographs.workers import WorkersBusy
from verifier.registry import objects, photos, scans, verification
from verifier.registry.chain import NoSuchObject
from verifier.registry.photos import NothingToCompare
from verifier.registry.scans import Seen
from verifier.registry.tags import Tap
from verifier.registry.verification import Answer, UnknownSerial
from verifier.store import Store

Json = dict[str, Any]
_UNTOUCHED: Final = {"Cache-Control": "no-store"}
_ASK_AGAIN: Final = {"Cache-Control": "no-cache"}
_OF_TAGS: Final = frozenset(("e", "m", "c", "uid", "ctr"))  # parameters that a tag writes
PUBLIC_PLACES: Final = 6  # of the worker's sixteen
PLACES_OF_ONE: Final = 2  # address
LINKSET: Final = "application/linkset+json"


async def verify(ask: Ask, serial: str) -> Raw:
    """Verify an object by its serial, and by the message of its tag where that was tapped.

    ``assurance`` says what was checked: the record alone, or the thing itself.
    """
    _refuse_enumeration(ask)
    tap = tap_of(ask)
    try:
        kept = await (_usual(ask, serial) if tap is None else _tapped(ask, serial, tap))
    except UnknownSerial:
        return _unknown(ask, serial)
    if ask.request.method != "HEAD":  # a program that looks ahead is no scan
        scanned(ask, kept, "qr" if tap is None else "nfc")
    return Raw(kept.body, headers=_ASK_AGAIN if tap is None else _UNTOUCHED)


async def _usual(ask: Ask, serial: str) -> Kept:
    return await _answer(ask, serial, "", lambda store: verification.verify(store, serial, ask.now))


async def _tapped(ask: Ask, serial: str, tap: Tap) -> Kept:
    """Each message is heard for itself; what is said of the record with it is the same for all."""
    counts = ask.request.method != "HEAD"
    heard = await ask.registry(verification.hear, serial, tap, ask.now, counts=counts)
    kept = await _answer(
        ask,
        serial,
        heard.status,
        lambda store: verification.verify_as_heard(store, serial, heard, ask.now),
    )
    return structs.replace(kept, counter=heard.counter)


async def _answer(ask: Ask, serial: str, heard: str, work: Callable[[Store], Answer]) -> Kept:
    async def find() -> Kept:
        return kept_of(await ask.look(work))

    name = serials.normalised(serial) or serials.looked_up_as(serial)
    return await ask.kept(f"record {name} {heard}", find)


async def compare(ask: Ask, serial: str, body: wire.FreshPhoto) -> wire.Match:
    """Compare a fresh photograph with those of the record.

    ``no_match`` means that it could not be confirmed; it is no finding against the object.
    """
    found, _ = await compared(ask, serial, body)
    return found


async def compared(ask: Ask, serial: str, body: wire.FreshPhoto) -> tuple[wire.Match, Answer]:
    """What the photograph shows, and what is to be said of the object with it."""
    row = await known(ask, serial)
    if not ask.caller.has_key:
        count(ask.verifier, ask.verifier.limits.photo_matches, ask.caller.address)
    try:
        with _a_place(ask):
            found = await photos.compare(
                ask.store, ask.verifier.workers, row, body.photo, body.angle
            )
    except NothingToCompare as fault:
        if body.angle is not None:
            raise bad_field("angle", "there is no photograph of it to compare with") from fault
        raise Refusal("BINDING_REQUIRED", "There is no photograph to compare with.") from fault
    work = partial(verification.verify, photo=found)
    answer = await ask.registry(work, row.serial, ask.now)
    scanned(ask, kept_of(answer), "photo")
    match = wire.Match(
        match=found.verdict,
        inliers=found.inliers,
        anchors_found=found.anchors_found,
        angle=found.angle,
        meaning=matching.words(found.verdict, found.angle, found.inliers, found.anchors_found),
    )
    return match, answer


@contextmanager
def _a_place(ask: Ask) -> Iterator[None]:
    """Let the public wait for the one worker, but not in front of the house's own uploads.

    Raises ``WorkersBusy`` where too many are waiting, of all or of one address.
    """
    if ask.caller.has_key:
        yield
        return
    waiting, address = ask.verifier.comparing, ask.caller.address
    if waiting.total() >= PUBLIC_PLACES or waiting[address] >= PLACES_OF_ONE:
        raise WorkersBusy("other photographs are being compared; try again soon")
    waiting[address] += 1
    try:
        yield
    finally:
        waiting[address] -= 1
        if not waiting[address]:
            del waiting[address]


# ── Whoever asks by a serial ─────────────────────────────────────────────────────────────


async def known(ask: Ask, serial: str) -> Row[Any]:
    """The object of this serial, for a question of the public.

    Raises ``NoSuchObject``, and ``Refusal`` 429 where too many serials were unknown.
    """
    _refuse_enumeration(ask)
    row = await ask.registry(_look_up, serial)
    if row is None:
        _count_unknown(ask)
        raise NoSuchObject(serial)
    return row


def _look_up(store: Store, serial: str) -> Row[Any] | None:
    with reading(store.engine) as connection:
        return objects.by_serial(connection, serial)


def _refuse_enumeration(ask: Ask) -> None:
    if not ask.caller.has_key:
        limits = ask.verifier.limits.unknown_serials
        refuse_empty(ask.verifier, limits, ask.caller.address)


def _count_unknown(ask: Ask) -> None:
    if not ask.caller.has_key:
        limits = ask.verifier.limits.unknown_serials
        count(ask.verifier, limits, ask.caller.address)


def _unknown(ask: Ask, serial: str) -> Raw:
    _count_unknown(ask)
    said = {"status": "unknown"}
    if serials.normalised(serial) is None:  # not one of ours, then, or mistyped
        said["hint"] = "check the code"
    return Raw(encoded(said), status=404, headers=_ASK_AGAIN)


def tap_of(ask: Ask) -> Tap | None:
    """The message of a tag that came with the request."""
    query = dict(ask.request.query_params)
    if not query or _OF_TAGS.isdisjoint(query):
        return None
    return Tap(query, ask.caller.address)


def kept_of(answer: Answer) -> Kept:
    """The answer as it is kept, and what is counted of it."""
    return Kept(
        body=encoded(answer.body),
        object_id=answer.row.object_id,
        serial=answer.row.serial,
        mode=answer.row.mode,
        verdict=answer.verdict.status,
        tag_status=answer.heard.status,
        confidence=answer.verdict.confidence,
        counter=answer.heard.counter,
    )


def scanned(ask: Ask, kept: Kept, kind: Kind, outcome: str = "") -> None:
    """Count a question of the public; *outcome*: what its link was worth, where it is not "nfc"."""
    ask.verifier.scans.count(
        Seen(
            object_id=kept.object_id,
            serial=kept.serial,
            mode=kept.mode,
            at=ask.now,
            kind=kind,
            client=scans.client_of(ask.store, ask.caller.address, ask.now),
            country=ask.caller.country,
            counter=kept.counter,
            outcome=kept.tag_status if kind == "nfc" else outcome,
            verdict=kept.verdict,
            confidence=kept.confidence,
        )
    )


# ── Resolving ────────────────────────────────────────────────────────────────────────────


async def resolver(ask: Ask) -> Raw:
    """What this resolver of GS1 Digital Links can do."""
    return Raw(encoded(links.resolver_description(ask.store.public_url)))


async def resolve_item(ask: Ask, gtin: str, rest: str) -> Raw:
    """Lead a label's GS1 Digital Link to what it stands for.

    Any order of qualifiers is understood: labels of older houses have one of their own.
    """
    parts = [unquote(part) for part in rest.split("/")]
    serial = dict(zip(parts[::2], parts[1::2], strict=False)).get("21")
    if not serial:
        raise Refusal("NOT_FOUND")  # a kind of thing, and none of ours in particular
    return await _resolve(ask, serial)


async def resolve_asset(ask: Ask, giai: str) -> Raw:
    """Lead a GS1 Digital Link of an individual asset to what it stands for."""
    return await _resolve(ask, giai)


async def _resolve(ask: Ask, serial: str) -> Raw:
    query = ask.request.query_params
    accepts = ask.request.headers.get("accept", "")
    wanted = query.get("linkType", "")
    if wanted in ("linkset", "all") or LINKSET in accepts:
        return await _linkset(ask, serial)
    targets = _targets("", serial)
    target = targets.get(wanted.removeprefix("gs1:").removeprefix(links.VOCABULARY))
    if target is None:
        raise Refusal("NOT_FOUND", "There is no link of this type.")
    kept = [pair for pair in query.multi_items() if pair[0] not in ("linkType", "context")]
    # A tag's message and a label's signature go along to the page.
    where = {"Location": target + ("?" + urlencode(kept) if kept else "")}
    of_tag = {} if _OF_TAGS.isdisjoint(query) else _UNTOUCHED
    return Raw(b"", status=307, headers={**where, **of_tag})


async def _linkset(ask: Ask, serial: str) -> Raw:
    row = await known(ask, serial)
    targets = _targets(ask.store.public_url, row.serial)
    found = links.linkset(
        row.link, targets["pip"], targets["traceability"], targets["certificationInfo"]
    )
    return Raw(encoded(found), LINKSET)


def _targets(base: str, serial: str) -> Mapping[str, str]:
    """Where each type of link leads."""
    name = quote(serial, safe="")
    page, record = f"{base}/verify/{name}", f"{base}/api/v1/auction/objects/{name}"
    return {
        "": page,
        "defaultLink": page,
        "pip": page,
        "traceability": f"{record}/provenance",
        "certificationInfo": f"{record}/proof",
    }
