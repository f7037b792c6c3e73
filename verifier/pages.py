"""The verifier's pages, as HTML: what is said of an object, in words, to whoever scans its code.

The verdict comes first, as a sentence; then the photograph to compare, the object, its history,
how it was checked, and what that does not prove.  Every page is complete without JavaScript.
Nothing is green unless the record was checked just now and holds: what could not be checked
says so, and is no good sign.

Words that depend on what was found stand in the tables of this module, all others in
``templates/``.  This module promises one strict set of security headers for every page, and
that everything somebody has said is escaped.  It knows neither the database nor the request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from verifier.core import matching, objects, serials
from verifier.core.events import DAY_MS, shown_details
from verifier.core.wire import Match
from verifier.languages import LANGUAGES, LOCALES, Language, Words
from verifier.registry.objects import Object
from verifier.registry.owners import Person
from verifier.registry.provenance import History
from verifier.registry.scans import Told
from verifier.registry.verification import Answer

Json = dict[str, Any]
Tone = Literal["match", "note", "careful", "bad"]  # of a verdict; each has an icon and a colour

STATIC: Final = Path(__file__).parent / "static"  # served under /verify/static/

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
PUBLIC_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    # Which object somebody looks at is nobody else's business.
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}
DESK_HEADERS: Final = {
    **PUBLIC_HEADERS,
    # With no-referrer a browser would send "Origin: null" with a form, and the desk could not
    # tell a form of its own from another site's.
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}


class House(NamedTuple):
    """Whose pages these are, and how they are read."""

    name: str
    public_url: str
    is_demonstration: bool  # it has no GS1 prefix of its own
    language: Language = "en"
    path: str = "/verify"  # of the page: where a change of language comes back to

    @property
    def words(self) -> Words:
        """The reader's language."""
        return Words(self.language)

    @property
    def host(self) -> str:
        """The host that its labels name."""
        return self.public_url.partition("://")[2]


class Picture(NamedTuple):
    """A photograph that may be shown; sizes in pixels."""

    angle: str
    width: int
    height: int
    is_matchable: bool


@dataclass(frozen=True, slots=True)
class Record:
    """What was found of an object, for its public page."""

    answer: Answer
    pictures: Sequence[Picture]


@dataclass(frozen=True, slots=True)
class Visit:
    """How somebody came to the page."""

    is_elsewhere: bool = False  # by another host than that of PUBLIC_URL
    is_label_refused: bool = False  # the link's signature is not the house's
    is_tap_over: bool = False  # by a link to the result of a tap, which is not shown any more
    photo: Match | None = None  # with a fresh photograph


class Verdict(NamedTuple):
    """What is said first."""

    tone: Tone
    head: str
    text: str
    reasons: Sequence[str] = ()


# ── For everybody ────────────────────────────────────────────────────────────────────────


def verify_page(house: House, record: Record, visit: Visit) -> bytes:
    """The page of one object."""
    answer = record.answer
    return _render(
        "verify.html",
        house=house,
        row=answer.row,
        said=answer.body,
        name=quote(answer.row.serial, safe=""),
        code=serials.grouped(answer.row.serial),
        visit=visit,
        verdict=_verdict(record, visit, house.words),
        pictures=record.pictures,
        angles=[one.angle for one in record.pictures if one.is_matchable],
        timeline=_timeline(answer.checked.documents, house.words),
        checks=_checks(answer, house.words),
        tier=matching.TIERS[answer.row.security_tier],
        meaning="" if visit.photo is None else _meaning(visit.photo, house.words),
    )


def enter_page(house: House) -> bytes:
    """A page to type a code into."""
    return _render("enter.html", house=house)


def unknown_page(house: House, typed: str) -> bytes:
    """We have no such code."""
    return _render(
        "unknown.html",
        house=house,
        typed=typed.strip()[: serials.MOST_CHARACTERS],
        code=serials.grouped(_plainly(typed)),
        is_well_formed=serials.normalised(typed) is not None,
    )


def unavailable_page(house: House, why: str) -> bytes:
    """Nothing could be checked, which is no good sign and no bad one."""
    return _render("unavailable.html", house=house, why=why)


def not_compared_page(house: House, why: str, back: str) -> bytes:
    """A photograph was not compared; *back* leads to where another may be sent."""
    return _render("not_compared.html", house=house, why=why, back=back)


def nothing_page(house: House) -> bytes:
    """There is no such page."""
    return _render("nothing.html", house=house)


# ── For the house ────────────────────────────────────────────────────────────────────────


class Sought(NamedTuple):
    """What the list of objects was asked for."""

    status: str
    category: str
    q: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of the list."""

    objects: Sequence[Object]
    total: int
    told: Mapping[str, Told]  # of scans, by object
    next_cursor: str | None
    is_first: bool
    mode: str


@dataclass(frozen=True, slots=True)
class Handover:
    """One row of the chain of custody; the persons None where they were erased."""

    row: Any
    giver: Person | None
    taker: Person | None


@dataclass(frozen=True, slots=True)
class Dossier:
    """All that the house knows of an object."""

    found: Object
    pictures: Sequence[Picture]
    history: History
    custody: Sequence[Handover]
    transfer: Any  # the open one's row, or None
    told: Told | None
    link: str
    may_write: bool
    now_ms: int


def sign_in_page(house: House, *, failed: bool) -> bytes:
    """Where a key is shown."""
    return _render("sign_in.html", house=house, failed=failed)


def objects_page(house: House, listed: Listed, sought: Sought) -> bytes:
    """The list of objects."""
    return _render(
        "objects.html",
        house=house,
        listed=listed,
        sought=sought,
        rows=[_listed_row(one, listed.told.get(one.row.object_id)) for one in listed.objects],
        states=objects.STATES,
        categories=objects.CATEGORIES,
    )


def object_page(house: House, dossier: Dossier) -> bytes:
    """One object, with what only the house may know."""
    row = dossier.found.row
    return _render(
        "object.html",
        house=house,
        dossier=dossier,
        row=row,
        name=quote(row.serial, safe=""),
        code=serials.grouped(row.serial),
        steps=_steps(dossier),
        missing=dossier.found.missing,
        angles=[*dossier.found.missing, *dossier.found.angles],
        private=_private(dossier.found.private),
        history=[_private_entry(entry) for entry in dossier.history.entries],
        custody=[_hands(one) for one in dossier.custody],
        transfer=None if dossier.transfer is None else _transfer(dossier),
        alert=_alert(dossier.told),
        exports=_EXPORTS,
    )


def not_done_page(house: House, head: str, why: str, back: str) -> bytes:
    """Something at the desk was not done."""
    return _render("not_done.html", house=house, head=head, why=why, back=back)


# ── The verdict ──────────────────────────────────────────────────────────────────────────

_NOT_CHECKED: Final = (
    "The record is genuine. The object in front of you was not checked: "
    "compare it with the photograph."
)
_NOT_CHECKED_BLIND: Final = (
    "The record is genuine. The object in front of you was not checked, "
    "and there is no photograph yet to compare it with."
)
_BY_TAG: Final = "The record is genuine. The object was checked by its tag."
_BY_PHOTO: Final = "The record is genuine. The object was checked by a photograph."
_NOT_BY_PHOTO: Final = (
    "The record is genuine. This photograph does not confirm the object in front of you."
)

# Of a fresh photograph where nothing is wrong with the record.  None of them says "different":
# an honest photograph fails often enough.
_PHOTO_HEADS: Final[Mapping[str, tuple[Tone, str]]] = {
    "match_strong": ("match", "Likely the same object"),
    "match": ("match", "Likely the same object"),
    "inconclusive": ("note", "Not sure. Try another photograph"),
    "no_match": ("careful", "Not confirmed by this photograph"),
}
_WARNINGS: Final = frozenset(
    (
        "binding_broken",
        "tag_replayed",
        "tag_invalid",
        "tag_tampered",
        "scans_medium",
        "scans_high",
    )
)


def _verdict(record: Record, visit: Visit, say: Words) -> Verdict:
    answer = record.answer
    said = [say(_sentence(one.words)) for one in answer.verdict.evidence]
    match answer.verdict.status:
        case "invalid":
            text = say("The record behind this code fails our own checks. Do not rely on it.")
            return Verdict("bad", say("Does not match our record"), text, said)
        case "revoked":
            text = say("The house does not stand by this record any more. Do not rely on it.")
            return Verdict("bad", say("Revoked"), text, said)
        case "caution":
            pieces = [one for one in answer.verdict.evidence if one.kind in _WARNINGS]
            why = [say(_sentence(one.words)) for one in pieces]
            return Verdict("careful", say("Be careful"), _assurance(record, say), why)
    if visit.is_label_refused:
        why = [say("The link on this label was not signed by the house")]
        return Verdict("careful", say("Be careful"), _assurance(record, say), why)
    if visit.photo is not None:
        tone, head = _PHOTO_HEADS[visit.photo.match]
        text = say(_BY_PHOTO if answer.verdict.assurance == "object" else _NOT_BY_PHOTO)
        of_state, state = _of_state(answer, say)
        return Verdict(tone, say(head), text, () if of_state == "match" else (state,))
    tone, head = _of_state(answer, say)
    return Verdict(tone, head, _assurance(record, say))


def _assurance(record: Record, say: Words) -> str:
    answer = record.answer
    if answer.verdict.status == "caution" and not answer.checked.intact:
        return say("The record's signatures hold, but something in it is not as it was signed.")
    if answer.verdict.assurance == "object":
        return say(_BY_TAG if answer.heard.status == "verified" else _BY_PHOTO)
    return say(_NOT_CHECKED if record.pictures else _NOT_CHECKED_BLIND)


def _of_state(answer: Answer, say: Words) -> tuple[Tone, str]:
    match answer.row.status:
        case "withdrawn":
            return "note", say("Withdrawn")
        case "sold":
            return "note", say("Sold, title has not passed yet")
        case "transferred":
            passed = [
                document["validFrom"]
                for document in answer.checked.documents
                if document["credentialSubject"]["eventType"] == "transferred"
            ]
            on = day(passed[-1], say.language)
            return "note", say("Sold, title passed on {day}", day=on)
    return "match", say("Matches our record")


def _meaning(match: Match, say: Words) -> str:
    """What was compared, and what the verdict on a photograph means."""
    if say.language == "en":
        return match.meaning
    points = say.counted("{n} point agrees", "{n} points agree", match.inliers)
    angle = say.known(_spoken(match.angle))
    return say(f"photo {match.match}", agreeing=points, angle=angle, anchors=match.anchors_found)


# ── How it was checked ───────────────────────────────────────────────────────────────────


class Check(NamedTuple):
    """One thing that was looked at."""

    name: str
    holds: bool | None  # None: neither good nor bad
    words: str


_TAG_WORDS: Final[Mapping[str, tuple[bool | None, str]]] = {
    "verified": (True, "It answered, with a message never seen before"),
    "replayed": (False, "Its message was seen before: it may be a copy"),
    "invalid": (False, "The message is not from this object’s tag"),
    "tampered": (False, "It answered, and its seal was opened"),
    "not_presented": (None, "The object has a tag. It was not tapped"),
    "not_bound": (None, "The object has no tag"),
}
_PHOTO_WORDS: Final[Mapping[str, tuple[bool | None, str]]] = {
    "valid": (True, "Complete, and those that were signed"),
    "incomplete": (None, "Some are still missing"),
    "broken": (False, "They are not those that were signed"),
}
_SCAN_WORDS: Final[Mapping[str, tuple[bool | None, str]]] = {
    "normal": (None, "Nothing unusual"),
    "caution": (False, "Unusual: the code may have been copied"),
}


def _checks(answer: Answer, say: Words) -> list[Check]:
    checked, said = answer.checked, answer.body
    count = said["provenance"]["event_count"]
    log = said["log"]
    in_log = log is not None and log["included"]
    good = say.counted
    identity = said["cryptographic_identity"]
    signed = good("Valid, {n} entry", "Valid, all {n} entries", count)
    ordered = good("Complete, {n} entry in order", "Complete, {n} entries in order", count)
    size = "In the signed log, which has {n} entry", "In the signed log, which has {n} entries"
    logged = good(*size, log["size"]) if log is not None else ""
    return [
        _check(say("Signatures"), checked.signature_valid, signed, say("Not valid")),
        _check(say("Chain"), checked.chain_intact, ordered, say("Broken")),
        _check(say("Public log"), in_log, logged, say("Not in the signed log")),
        _found(say, "Photographs", _PHOTO_WORDS[identity["photo_binding"]]),
        _found(say, "Tag", _TAG_WORDS[identity["tag_status"]]),
        _found(say, "Scans of this code", _SCAN_WORDS[said["scan_risk"]]),
    ]


def _check(name: str, holds: bool, good: str, bad: str) -> Check:
    return Check(name, holds, good if holds else bad)


def _found(say: Words, name: str, found: tuple[bool | None, str]) -> Check:
    holds, words = found
    return Check(say(name), holds, say(words))


# ── History ──────────────────────────────────────────────────────────────────────────────

_HAPPENED: Final[Mapping[str, str]] = {
    "registered": "Registered",
    "photographed": "Photographed",
    "binding_completed": "Photographs signed",
    "cataloged": "Catalogued",
    "listed": "Listed for sale",
    "passed": "Offered and not sold",
    "sold": "Sold",
    "rescinded": "Sale rescinded",
    "transferred": "Title passed on",
    "withdrawn": "Withdrawn",
    "returned": "Returned to its consignor",
    "consigned": "Consigned",
    "condition_reported": "Condition reported",
    "exhibited": "Exhibited",
    "loaned": "Lent",
    "restored": "Restored",
    "correction": "Record corrected",
    "tag_bound": "Tag attached",
    "scan_alert": "Unusual scans noticed",
    "erased": "Personal details erased",
}


class Line(NamedTuple):
    """A line of a timeline."""

    iso: str
    day: str
    words: str
    more: str  # a detail that everybody may know
    role: str
    times: int


def _timeline(documents: Sequence[Json], say: Words) -> list[Line]:
    """What happened, oldest first; the same thing several times on a day is one line."""
    lines = [_line(document, say) for document in documents]
    return [line._replace(times=len(list(same))) for line, same in groupby(lines)]


def _line(document: Json, say: Words) -> Line:
    subject = document["credentialSubject"]
    kind = subject["eventType"]
    iso = document["validFrom"][:10]
    details = _public_words(shown_details(kind, subject["details"]), say)
    role = say.known(subject["actor"])
    return Line(iso, day(iso, say.language), say(_HAPPENED[kind]), details, role, 1)


def _public_words(details: Mapping[str, Any], say: Words) -> str:
    if "hammerPrice" in details:
        price = _price(details["hammerPrice"], str(details.get("currency", "")), say.language)
        return say("for {price}", price=price)
    if "lotNumber" in details:
        return say("lot {lot}", lot=details["lotNumber"])
    if "catalogNumber" in details:
        return say("number {number}", number=details["catalogNumber"])
    return ""


class Entry(NamedTuple):
    """A line of the house's own timeline."""

    seq: int
    at: str
    words: str
    role: str
    details: list[tuple[str, str]]
    is_erased: bool  # something was said in private that nobody can read any more


def _private_entry(entry: Any) -> Entry:
    subject, row = entry.subject, entry.row
    opened = {name: one["value"] for name, one in entry.private.items()}
    opened = {**opened.pop("evidence", {}), **opened}
    for told in ("actorRole", "consignorId", "terms"):  # by the role, and by custody
        opened.pop(told, None)
    public = shown_details(row.type, subject["details"])
    if row.type == "photographed":
        public["angle"] = _spoken(subject["details"]["angle"])
    details = _with_amounts({**public, **opened})
    # When custody moved is known to the house to the minute; the document says the day.
    at = moment(row.at) if row.type in objects.OF_CUSTODY or row.at % DAY_MS else day(row.at)
    lost = row.of_owner is not None and row.personal is None
    return Entry(row.seq, at, _HAPPENED[row.type], subject["actor"], _pairs(details), lost)


def _with_amounts(details: Json) -> Json:
    """Details with each amount and its currency in one."""
    if isinstance(details.get("estimate"), dict):
        details["estimate"] = _estimate(details["estimate"])
    for price, currency in (("hammerPrice", "currency"), ("salePrice", "saleCurrency")):
        if price in details and currency in details:
            amount, code = details.pop(price), details.pop(currency)
            details = {"price": _price(amount, code), **details}
    return details


def _pairs(details: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(_spoken(name), _text(value)) for name, value in details.items() if value is not None]


def _private(private: Json) -> list[tuple[str, str]]:
    """What the house said of an object in private."""
    found = _pairs({name: private.get(name) for name in ("description",) if private.get(name)})
    if private.get("estimate") is not None:
        found.append(("estimate", _estimate(private["estimate"])))
    return found + _pairs(private.get("attributes", {}))


def _estimate(estimate: Json) -> str:
    low, high = (
        _price(Decimal(estimate[name]).scaleb(-estimate["exponent"]), estimate["currency"])
        for name in ("min", "max")
    )
    return f"{low} to {high}"


# ── The desk ─────────────────────────────────────────────────────────────────────────────

STATE_WORDS: Final[Mapping[str, str]] = {
    "consigned": "Consigned",
    "cataloged": "Catalogued",
    "listed": "Listed",
    "sold": "Sold",
    "transferred": "Title passed on",
    "withdrawn": "Withdrawn",
    "returned": "Returned",
}

# By event: what the house may do next, and how.
_STEPS: Final[Mapping[str, tuple[str, str]]] = {
    "cataloged": ("Catalogue it", "report the event “cataloged”"),
    "listed": ("List it for sale", "put it into an auction, or report the event “listed”"),
    "passed": ("Offered and not sold", "its auction writes this when it ends without a sale"),
    "sold": ("Sell it", "its auction writes this, or begin a transfer"),
    "rescinded": ("Rescind the sale", "report the event “rescinded”"),
    "transferred": ("Pass title on", "confirm the transfer with the buyer’s code"),
    "withdrawn": ("Withdraw it", "report the event “withdrawn”"),
    "returned": ("Return it to its consignor", "report the event “returned”"),
    "consigned": ("Take it in again", "report the event “consigned”"),
}
_TRANSFER_WORDS: Final[Mapping[str, str]] = {
    "awaiting_payment": "Waiting for the buyer’s payment; the code is given out after it",
    "pending": "Waiting for the buyer’s code",
}
_BINDING_WORDS: Final[Mapping[str, str]] = {
    "incomplete": "not bound yet",
    "bound": "bound",
    "broken": "broken",
}
_LEVEL_WORDS: Final[Mapping[str, str]] = {
    "low": "Low risk",
    "medium": "Medium risk",
    "high": "High risk",
}
_EXPORTS: Final = (
    ("object-id", "Object ID, for police and insurers"),
    ("linked-art", "Linked Art, for museums"),
    ("epcis", "EPCIS, for logistics"),
)
_SALE_WORDS: Final[Mapping[str, str]] = {
    "registration": "Registration",
    "sale": "Sale",
    "return": "Return",
    "consignment": "Consignment",
}


class Alert(NamedTuple):
    """What scans make one think, in words."""

    level: str
    words: str
    reasons: Sequence[str]
    day: str


def _alert(told: Told | None) -> Alert | None:
    if told is None:
        return None
    reasons = [_sentence(one["words"]) for one in told.reasons]
    return Alert(told.level, _LEVEL_WORDS[told.level], reasons, day(told.at))


def _listed_row(one: Object, told: Told | None) -> Json:
    return {
        "row": one.row,
        "name": quote(one.row.serial, safe=""),
        "code": serials.grouped(one.row.serial),
        "photos": len([angle for angle in one.required if angle in one.angles]),
        "required": len(one.required),
        "binding": _BINDING_WORDS[one.row.binding],
        "missing": [_spoken(angle) for angle in one.missing],
        "alert": _alert(told),
    }


def _steps(dossier: Dossier) -> list[tuple[str, str]]:
    row = dossier.found.row
    found = []
    for event in objects.allowed_in(row.status):
        words, how = _STEPS[event]
        if event == "listed" and row.binding != "bound":
            how = "not before all required photographs are there"
        found.append((words, how))
    return found


def _hands(one: Handover) -> Json:
    row = one.row
    return {
        "from": "nobody" if row.from_role is None else row.from_role,
        "to": row.to_role,
        # What the house holds is somebody else's: it is no owner.
        "giver": "" if row.from_id is None or row.from_role == "House" else _person(one.giver),
        "taker": "" if row.to_role == "House" else _person(one.taker),
        "kind": _SALE_WORDS[row.transfer_type],
    }


def _person(person: Person | None) -> str:
    if person is None:
        return "erased"
    return person.name or person.email or person.external_id or ""


def _transfer(dossier: Dossier) -> Json:
    row = dossier.transfer
    over = row.expires_at is not None and dossier.now_ms >= row.expires_at
    price = None
    if row.price is not None and row.currency is not None:
        price = _price(Decimal(row.price).scaleb(-row.exponent), row.currency)
    return {
        "id": row.transfer_id,
        "words": "The code was not used in time" if over else _TRANSFER_WORDS[row.state],
        "price": price,
        "begun": moment(row.created_at),
        "until": None if row.expires_at is None else moment(row.expires_at),
    }


# ── Words ────────────────────────────────────────────────────────────────────────────────

# How en-GB writes the currencies it does not write by their code.
_GERMAN: Final = str.maketrans(",.", ".,")
_MARKS: Final = {"EUR": "€", "GBP": "£", "USD": "US$", "JPY": "JP¥", "INR": "₹", "CNY": "CN¥"}


_MONTHS: Final = [
    "Jan.",
    "Feb.",
    "März",
    "Apr.",
    "Mai",
    "Juni",
    "Juli",
    "Aug.",
    "Sept.",
    "Okt.",
    "Nov.",
    "Dez.",
]


def day(at: int | str, language: Language = "en") -> str:
    """A day in UTC, of an instant in ms or as documents write it: ``27 Nov 2026``."""
    if isinstance(at, str):
        said = datetime.fromisoformat(at[:10])
    else:
        said = datetime.fromtimestamp(at // 1000, UTC)
    if language == "de":
        return f"{said.day}. {_MONTHS[said.month - 1]} {said.year}"
    return f"{said.day} {said:%b} {said.year}"


def moment(at: int) -> str:
    """An instant in ms: ``27 Nov 2026, 10:05 UTC``."""
    return f"{day(at)}, {datetime.fromtimestamp(at // 1000, UTC):%H:%M} UTC"


def _price(amount: Any, currency: str, language: Language = "en") -> str:
    """An amount in major units: cents only where there are any."""
    try:
        said = Decimal(amount)
    except (InvalidOperation, TypeError, ValueError):
        return f"{amount} {currency}".strip()  # as the house has said it
    text = f"{said:,f}"
    whole, dot, cents = text.partition(".")
    shown = whole if not cents.strip("0") else whole + dot + cents
    if language == "de":
        mark = {"USD": "$", "JPY": "¥"}.get(currency, _MARKS.get(currency, currency))
        return f"{shown.translate(_GERMAN)}\N{NO-BREAK SPACE}{mark}".rstrip()
    return _MARKS.get(currency, f"{currency}\N{NO-BREAK SPACE}".lstrip()) + shown


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    if isinstance(value, dict):
        return ", ".join(f"{_spoken(k)}: {_text(v)}" for k, v in value.items() if v is not None)
    return json.dumps(value, ensure_ascii=False)


def _spoken(name: str) -> str:
    """A field's or an angle's name as one reads it: ``serial_engraving``, ``conditionGrade``."""
    apart = "".join(f" {c.lower()}" if c.isupper() else c for c in name.replace("_", " "))
    return apart.strip()


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _plainly(typed: str) -> str:
    """A code as it was typed, without what only groups it."""
    return "".join(c for c in typed if c not in " -\t\N{NO-BREAK SPACE}")[: serials.MOST_CHARACTERS]


def _size(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


_templates: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters.update(spoken=_spoken, sentence=_sentence, day=day)
_templates.globals.update(counted=_size, state_words=STATE_WORDS)


def _render(template: str, *, house: House, **values: Any) -> bytes:
    words = house.words
    return (
        _templates.get_template(template)
        .render(
            house=house,
            t=words,
            counted_in=words.counted,
            known=words.known,
            on=partial(day, language=house.language),
            locale=LOCALES[house.language],
            languages=LANGUAGES,
            **values,
        )
        .encode()
    )
