"""The pages: of an object for everybody, and of the house's objects for the house.

A page is answered by the same table as every other call, with the same limits and the same
keys; only what is refused is said in a page as well (``Call.refused``).  Whoever comes with a
tag's message is led on to a link that shows what it proved, so that loading the page anew
does not count as a copy of the tap.

Signing in and out is the gateway's, and so is taking a cookie's key only from the house's own
pages: what comes here with a key may use it.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final, Literal
from urllib.parse import quote, unquote

from msgspec import Struct, structs
from sqlalchemy import Connection, Row

from gateway.core import bodies
from verifier import pages
from verifier.api import objects as api
from verifier.api import public
from verifier.api.answers import Kept
from verifier.api.calls import Ask, Call, Raw
from verifier.api.refusals import Refusal
from verifier.core import links, tapped, wire
from verifier.languages import Language, Words, language_of
from verifier.pages import Dossier, Handover, House, Listed, Picture, Record, Sought, Visit
from verifier.registry import (
    labels,
    objects,
    owners,
    photos,
    pictures,
    provenance,
    scans,
    transfers,
    verification,
)
from verifier.registry.objects import Wanted
from verifier.registry.tags import Heard, Tap
from verifier.registry.verification import Answer
from verifier.store import Store, at_one_instant
from verifier.tables import custody

READ: Final = "provenance:read"
WRITE: Final = "provenance:write"

_ASK_AGAIN: Final = {"cache-control": "no-cache"}
_UNTOUCHED: Final = {"cache-control": "no-store"}
_BY_READER: Final = {"vary": "accept-language, cookie"}  # the gateway's door reads the cookie
_AN_HOUR: Final = {"cache-control": "public, max-age=3600", "x-content-type-options": "nosniff"}
_TYPES: Final = {".css": "text/css", ".html": "text/html", ".js": "text/javascript"}
_FILES: Final = {path.name: path.read_bytes() for path in sorted(pages.STATIC.iterdir())}
_DEFAULT_PORTS: Final = (":80", ":443")


class CodeTyped(Struct, frozen=True, kw_only=True):
    """What somebody typed into the form; whatever else is in the link is ignored."""

    code: str = ""


class PhotoSent(wire.Request, frozen=True, kw_only=True):
    """A photograph from the page's form; angle empty: whichever fits best."""

    photo: bytes
    angle: str = ""


class ListAsked(Struct, frozen=True, kw_only=True):
    """What the list's form sends; a field that was left alone is empty."""

    status: str = ""
    category: str = ""
    q: str = ""
    cursor: str = ""


# ── For everybody ────────────────────────────────────────────────────────────────────────


async def static(ask: Ask, name: str) -> Raw:
    """A style sheet or a module of these pages."""
    content = _FILES.get(name)
    if content is None:
        raise Refusal("NOT_FOUND")
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {**_ASK_AGAIN, "etag": tag, "x-content-type-options": "nosniff"}
    media_type = _TYPES[name[name.rindex(".") :]]
    if ask.request.headers.get("if-none-match") == tag:
        return Raw(b"", media_type, 304, headers)
    return Raw(content, media_type, headers=headers)


async def enter(ask: Ask, query: CodeTyped) -> Raw:
    """A form for a code; with one, the way to its page."""
    code = query.code.strip()
    if not code:
        return _page(pages.enter_page(_public(ask)), _ASK_AGAIN)
    return _see_other(f"/verify/{quote(code, safe='')}", _ASK_AGAIN)


async def verify(ask: Ask, serial: str) -> Raw:
    """The page of an object, by its serial however it is spelt."""
    row = await public.known(ask, serial)
    tap, token = public.tap_of(ask), ask.request.query_params.get("tap")
    is_counted = ask.request.method != "HEAD"  # a program that looks ahead is no scan
    if tap is not None and is_counted:
        return await _tapped(ask, row, tap)
    if token is not None:
        return await _result_of_tap(ask, row, token)
    kept, kind, outcome = await _usual(ask, row)
    if is_counted:
        public.scanned(ask, kept, kind, outcome)
    return _page(kept.body, _ASK_AGAIN if tap is None else _UNTOUCHED)


async def _usual(ask: Ask, row: Row[Any]) -> tuple[Kept, Literal["qr", "page"], str]:
    """The page without a tap, kept for two seconds for all who ask, and how they came."""
    signature = ask.request.query_params.get("sig")
    is_refused = signature is not None and not await ask.registry(_is_signed, row, signature)
    visit = Visit(is_elsewhere=_is_elsewhere(ask), is_label_refused=is_refused)

    async def find() -> Kept:
        answer = await ask.registry(verification.verify, row.serial, ask.now)
        return await _kept(ask, answer, visit)

    name = f"page {row.serial} {visit.is_elsewhere} {is_refused} {_language(ask)}"
    kept = await ask.verifier.answers.of(name, ask.verifier.monotonic(), find)
    return kept, "page" if signature is None else "qr", "link_refused" if is_refused else ""


async def _tapped(ask: Ask, row: Row[Any], tap: Tap) -> Raw:
    """Count the tap, and lead to its result."""
    answer = await ask.registry(verification.verify, row.serial, ask.now, tap)
    public.scanned(ask, public.kept_of(answer), "nfc")
    heard = answer.heard
    token = tapped.write(ask.store.tap_key, row.serial, heard.status, heard.counter, ask.now)
    return _see_other(f"/verify/{quote(row.serial, safe='')}?tap={token}", _UNTOUCHED)


async def _result_of_tap(ask: Ask, row: Row[Any], token: str) -> Raw:
    """What a tap has proved, once more; where that is over, the record alone."""
    found = tapped.read(ask.store.tap_key, row.serial, token, ask.now)
    visit = Visit(is_elsewhere=_is_elsewhere(ask), is_tap_over=found is None)
    if found is None:
        answer = await ask.registry(verification.verify, row.serial, ask.now)
    else:
        heard = Heard(*found)  # type: ignore[arg-type]  # ours: it was signed
        answer = await ask.registry(verification.verify_as_heard, row.serial, heard, ask.now)
    kept = await _kept(ask, answer, visit)
    if found is None and ask.request.method != "HEAD":  # the tap itself was counted
        public.scanned(ask, kept, "page")
    return _page(kept.body, _UNTOUCHED)


async def compare(ask: Ask, serial: str, body: PhotoSent) -> Raw:
    """The page of an object with what a fresh photograph shows."""
    match, answer = await public.compared(
        ask, serial, wire.FreshPhoto(photo=body.photo, angle=body.angle or None)
    )
    visit = Visit(is_elsewhere=_is_elsewhere(ask), photo=match)
    return _page((await _kept(ask, answer, visit)).body, _UNTOUCHED)


async def picture(ask: Ask, serial: str, angle: str) -> Raw:
    """A photograph of an object, where it is what was signed."""
    row = await public.known(ask, serial)
    found = await ask.registry(pictures.picture, row.serial, angle)
    if found is None:
        raise Refusal("NOT_FOUND")
    return Raw(found, "image/jpeg", headers=_AN_HOUR)


async def _kept(ask: Ask, answer: Answer, visit: Visit) -> Kept:
    shown = await ask.registry(_pictures, answer.row)
    house = _public(ask, f"/verify/{quote(answer.row.serial, safe='')}")
    html = pages.verify_page(house, Record(answer, shown), visit)
    return structs.replace(public.kept_of(answer), body=html)


def _pictures(store: Store, row: Row[Any]) -> list[Picture]:
    with at_one_instant(store) as connection:
        return _shown(connection, row)


def _shown(connection: Connection, row: Row[Any]) -> list[Picture]:
    return [
        Picture(angle, one.width, one.height, one.template is not None and one.matchable)
        for angle, one in pictures.shown(connection, row).items()
    ]


def _is_signed(store: Store, row: Row[Any], signature: str) -> bool:
    with at_one_instant(store) as connection:
        return labels.is_signed(connection, row, signature)


def _is_elsewhere(ask: Ask) -> bool:
    """Whether the page was asked for under another name than our labels have."""
    asked, ours = ask.caller.host, _house(ask).host
    return asked is not None and _without_port(asked) != _without_port(ours)


def _without_port(host: str) -> str:
    for port in _DEFAULT_PORTS:
        host = host.removesuffix(port)
    return host.lower()


# ── For the house ────────────────────────────────────────────────────────────────────────


async def listing(ask: Ask, query: ListAsked) -> Raw:
    """The house's objects, the newest first."""
    said = {name: text for name, text in structs.asdict(query).items() if text}
    of = bodies.take(said, wire.ObjectsQuery)
    after = api.read_cursor(of.cursor)
    wanted = Wanted(of.status, of.category, of.q, of.limit, after)
    found, total, more = await ask.registry(objects.listing, ask.mode, wanted)
    told = await ask.registry(scans.told_of, [one.row.object_id for one in found])
    listed = Listed(
        objects=found,
        total=total,
        told=told,
        next_cursor=api.cursor_of(found[-1]) if more else None,
        is_first=after is None,
        mode=ask.mode,
    )
    sought = Sought(query.status, query.category, query.q)
    return _desk(pages.objects_page(_house(ask), listed, sought))


async def dossier(ask: Ask, serial: str) -> Raw:
    """One object, with what only the house may know."""
    found = await ask.registry(_dossier, ask.mode, serial, WRITE in ask.caller.key.scopes, ask.now)
    return _desk(pages.object_page(_house(ask), found))


async def add_photo(ask: Ask, serial: str, body: wire.NewPhoto) -> Raw:
    """Take in a photograph from the object's page."""
    added = await photos.add(
        ask.store, ask.verifier.workers, ask.mode, serial, body.angle, body.photo, ask.now
    )
    name = quote(added.object.row.serial, safe="")
    return _see_other(f"/admin/objects/{name}#photographs", _UNTOUCHED)


def _dossier(store: Store, mode: str, serial: str, may_write: bool, now_ms: int) -> Dossier:
    with at_one_instant(store) as connection:
        row = objects.find(connection, mode, serial)
        found = objects.loaded(connection, store, row)
        shown = _shown(connection, row)
        hands = _custody(connection, store, row)
        transfer = transfers.open_of(connection, row.object_id)
    return Dossier(
        found=found,
        pictures=shown,
        history=provenance.read(store, row, private=True),
        custody=hands,
        transfer=transfer,
        told=scans.told_of(store, [row.object_id]).get(row.object_id),
        link=labels.signed_link(store, row),
        may_write=may_write,
        now_ms=now_ms,
    )


def _custody(connection: Connection, store: Store, row: Row[Any]) -> list[Handover]:
    query = custody.select().where(custody.c.object_id == row.object_id)
    return [
        Handover(
            row=step,
            giver=None
            if step.from_id is None
            else owners.known_as(connection, store, step.from_id),
            taker=owners.known_as(connection, store, step.to_id),
        )
        for step in connection.execute(query.order_by(custody.c.number))
    ]


# ── Refused, in a page ───────────────────────────────────────────────────────────────────

_NOT_COMPARED: Final = {
    "MISSING_REQUIRED_FIELD": "No photograph was chosen.",
    "PAYLOAD_TOO_LARGE": "The photograph is too large: at most 25 MB and 50 megapixels.",
    "UNSUPPORTED_MEDIA_TYPE": "This is not a photograph that can be read: JPEG, PNG and WebP can.",
    "REQUEST_TIMEOUT": "The photograph came too slowly. Try again where the connection is better.",
    "MATCHING_UNAVAILABLE": "Photographs cannot be compared here. Compare by eye.",
    "BINDING_REQUIRED": "There is no photograph yet to compare with.",
}
_BY_REASON: Final = {
    "too_small": "The photograph is too small: at least 64 pixels on each side.",
    "too_many_pixels": "The photograph is too large: at most 25 MB and 50 megapixels.",
    "not_a_picture": "This is not a photograph.",
    "several_frames": "This is a film or several pictures in one. Send a single photograph.",
}


def refused(ask: Ask, refusal: Refusal) -> Raw:
    """What was asked by the public was not answered."""
    house = _public(ask)
    if refusal.code == "OBJECT_NOT_FOUND":
        html = pages.unknown_page(house, _typed(ask))
    elif refusal.code in ("NOT_FOUND", "METHOD_NOT_ALLOWED"):
        html = pages.nothing_page(house)
    else:
        html = pages.unavailable_page(house, _when(refusal, house.words))
    return _page(html, _UNTOUCHED, refusal.status)


def not_compared(ask: Ask, refusal: Refusal) -> Raw:
    """A photograph was not compared."""
    if refusal.code in ("OBJECT_NOT_FOUND", "METHOD_NOT_ALLOWED"):
        return refused(ask, refusal)
    back = f"/verify/{quote(_typed(ask), safe='')}#photo"
    house = _public(ask, back.partition("#")[0])
    html = pages.not_compared_page(house, _about_photo(refusal, house.words), back)
    return _page(html, _UNTOUCHED, refusal.status)


def not_shown(ask: Ask, refusal: Refusal) -> Raw:
    """Something at the desk is not shown; to whoever has no key, where to show one."""
    house = _house(ask)
    if refusal.status == 401:
        failed = "error" in ask.request.query_params
        return _desk(pages.sign_in_page(house, failed=failed), 401)
    head, why = _AT_THE_DESK.get(refusal.code, ("Not now", _when(refusal, house.words)))
    return _desk(pages.not_done_page(house, head, why, "/admin/objects"), refusal.status)


def not_taken(ask: Ask, refusal: Refusal) -> Raw:
    """A photograph was not taken in."""
    if refusal.status in (401, 403, 404, 405):
        return not_shown(ask, refusal)
    back = f"/admin/objects/{quote(_typed(ask, 3), safe='')}#photographs"
    head = "The photograph was not taken in"
    house = _house(ask)
    html = pages.not_done_page(house, head, _about_photo(refusal, house.words), back)
    return _desk(html, refusal.status)


_AT_THE_DESK: Final = {
    "INSUFFICIENT_SCOPE": ("Not allowed", "This key may not do that."),
    "OBJECT_NOT_FOUND": ("No such object", "The house has no object of this code."),
    "METHOD_NOT_ALLOWED": ("No such page", "Nothing is done here in this way."),
    "INVALID_FIELD": ("No such list", "One of the filters makes no sense."),
}


def _about_photo(refusal: Refusal, say: Words) -> str:
    details = refusal.details
    if isinstance(details, list) and (why := _BY_REASON.get(details[0].get("reason"))):
        return say(why)
    if refusal.code == "INVALID_FIELD":
        return say.known(f"{refusal.message}.")
    known = _NOT_COMPARED.get(refusal.code)
    return _when(refusal, say) if known is None else say(known)


def _when(refusal: Refusal, say: Words) -> str:
    """Why not now, and when again."""
    if refusal.code != "RATE_LIMITED":
        return say("Try again in a moment.")
    seconds = int(refusal.headers.get("Retry-After", "1"))
    why = say("Too many questions came from your network.")
    if seconds < 100:
        return f"{why} {say('Try again in {n} s.', n=seconds)}"
    return f"{why} {say('Try again in {n} minutes.', n=-(-seconds // 60))}"


def _typed(ask: Ask, place: int = 2) -> str:
    """The serial as it stands in the path."""
    path: str = ask.request.scope["raw_path"].decode("latin-1")
    return unquote(path.split("/")[place])


# ── Answers ──────────────────────────────────────────────────────────────────────────────


def _house(ask: Ask) -> House:
    store = ask.store
    return House(store.house, store.public_url, links.is_demonstration(store.gs1_prefix))


def _public(ask: Ask, path: str = "/verify") -> House:
    """The same for the public, who read it in their own language; *path*: of the page."""
    return _house(ask)._replace(language=_language(ask), path=path)


def _language(ask: Ask) -> Language:
    return language_of(ask.request.headers.get("accept-language", ""))


def _page(html: bytes, caching: dict[str, str], status: int = 200) -> Raw:
    return Raw(html, "text/html", status, {**pages.PUBLIC_HEADERS, **_BY_READER, **caching})


def _desk(html: bytes, status: int = 200) -> Raw:
    return Raw(html, "text/html", status, pages.DESK_HEADERS)


def _see_other(location: str, caching: dict[str, str]) -> Raw:
    headers = {**caching, "location": location, "referrer-policy": "no-referrer"}
    return Raw(b"", "text/html", 303, headers)


# fmt: off
PAGES: Final = (
    Call("GET", "/verify", enter, None, refused=refused),
    Call("GET", "/verify/static/{name}", static, None, refused=refused),
    Call("GET", "/verify/{serial}", verify, None, refused=refused),
    Call("POST", "/verify/{serial}/photo", compare, None, refused=not_compared),
    Call("GET", "/verify/{serial}/photo/{angle}.jpg", picture, None, refused=refused),
    Call("GET", "/admin/objects", listing, READ, refused=not_shown),
    Call("GET", "/admin/objects/{serial}", dossier, READ, refused=not_shown),
    Call("POST", "/admin/objects/{serial}/photos", add_photo, WRITE, refused=not_taken),
    Call("GET", "/admin/objects/{serial_or_id}/qr.svg", api.qr_svg, READ, refused=not_shown),
)
# fmt: on
