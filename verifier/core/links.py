"""GS1 Digital Links: an object's name as a web address that any scanner understands.

``read_link`` is a strict reader of the GS1 Digital Link URI syntax for the two keys that a
house uses, a GTIN (01) and an individual asset (8004).  It says no where GS1's own engine says
no; of GS1's attributes it knows those that such a label carries, and refuses the others.
``build_link`` gives nothing that ``read_link`` would refuse.

A house without a prefix of its own uses GS1's demonstration prefix 952, and says so: a made-up
prefix belongs to somebody else.  The category is not printed as a batch (10): it is none.

Leaves to others: whom a link leads to, and its signature (an extension parameter, which GS1
software ignores).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

from verifier.core.serials import CSET_82

Pairs = tuple[tuple[str, str], ...]

MOST_CHARACTERS: Final = 2000  # of a URI: past it a QR code is none that a telephone reads
DEMONSTRATION_PREFIX: Final = "952"
DEMONSTRATION_GTIN: Final = "09521234543213"
VOCABULARY: Final = "https://ref.gs1.org/voc/"

# GS1 Barcode Syntax Dictionary: by primary key, the orders its qualifiers may be given in.
_QUALIFIERS: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "01": (("22", "10", "21"), ("235",)),
    "8004": (("7040",),),
}
_INTERNAL: Final = {"90": 30, **{str(ai): 90 for ai in range(91, 100)}}
_MOST: Final = {"22": 20, "10": 20, "21": 20, "235": 28, "8004": 30, "8030": 90, **_INTERNAL}
_ATTRIBUTES: Final = {"10", "8030", *_INTERNAL}
_CSET_64: Final = frozenset("-_=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")

_URI: Final = re.compile(r"(https?|HTTPS?)://([^/?#]+)(/[^?#]*)(?:\?([^#]*))?(?:#.*)?")
_URI_CHARACTERS: Final = re.compile(r"[-A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%]*")  # RFC 3986
_HOST: Final = re.compile(r"[A-Za-z0-9.\-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_IMPORTER: Final = re.compile(r"[0-9][!-~]{2}[-_0-9A-Za-z]")  # AI 7040
_PREFIX: Final = re.compile(r"[0-9]{3,11}")
# Prefixes that GS1 keeps for numbers inside a company (GS1 General Specifications, 1.4.2).
_RESTRICTED: Final = ("0000000", "02", "04", "2")


class BadLink(ValueError):
    """A URI that is no GS1 Digital Link; says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Link:
    """A GS1 Digital Link, taken apart and unescaped."""

    host: str  # with its port, as written
    stem: str  # the path before the key: "" or "/…"
    key: tuple[str, str]  # AI and value
    qualifiers: Pairs
    query: Pairs  # GS1's attributes and everybody else's parameters, in their order

    @property
    def serial(self) -> str | None:
        """The value of AI 21, if there is one."""
        return dict(self.qualifiers).get("21")


# ── Reading ──────────────────────────────────────────────────────────────────────────────


def read_link(uri: str) -> Link:
    """The link that *uri* is; raises ``BadLink`` where it is none, naming the fault."""
    if len(uri) > MOST_CHARACTERS:
        raise BadLink(f"a link has at most {MOST_CHARACTERS} characters")
    if not _URI_CHARACTERS.fullmatch(uri) or _BROKEN_ESCAPE.search(uri):
        raise BadLink("a character that no URI has must be percent-encoded")
    parts = _URI.fullmatch(uri)
    if parts is None:
        raise BadLink("https:// and a host and a path were expected")
    host, path, query = parts[2], parts[3], parts[4] or ""
    if not _HOST.fullmatch(host):
        raise BadLink(f"{host} is no host")
    stem, pairs = _key_and_qualifiers(path)
    key, *qualifiers = pairs
    names = tuple(ai for ai, _ in qualifiers)
    _check_order(key[0], names)
    for ai, value in pairs:
        _check_value(ai, value)
    return Link(host, stem, key, tuple(qualifiers), _parameters(query, key[0], names))


def _key_and_qualifiers(path: str) -> tuple[str, list[tuple[str, str]]]:
    """The stem, and the pairs from the last primary key of the path on."""
    segments = path[1:].split("/")
    # Counted from the end, as GS1's engine does: a stem may look like a key.
    for at in range(len(segments) - 2, -1, -2):
        if segments[at] in _QUALIFIERS:
            stem = "".join("/" + segment for segment in segments[:at])
            named = zip(segments[at::2], segments[at + 1 :: 2], strict=True)
            return stem, [(ai, _unescaped(value)) for ai, value in named]
        if not segments[at].isdecimal():
            break
    raise BadLink("no primary key 01 or 8004 in the path, or no value after one")


def _unescaped(text: str) -> str:
    try:
        return unquote_to_bytes(text).decode("ascii")
    except UnicodeDecodeError as refused:
        raise BadLink("a character outside GS1's character sets") from refused


def _check_order(key: str, qualifiers: Sequence[str]) -> None:
    if not any(_in_order(qualifiers, order) for order in _QUALIFIERS[key]):
        orders = " or ".join(", ".join(order) for order in _QUALIFIERS[key])
        raise BadLink(f"qualifiers of {key} are {orders}, in this order and once each")


def _in_order(names: Sequence[str], order: Sequence[str]) -> bool:
    rest = iter(order)
    return all(name in rest for name in names)


def _check_value(ai: str, value: str) -> None:
    if not value:
        raise BadLink(f"AI {ai} is empty")
    if ai == "01":
        _check_gtin(value)
        return
    if ai == "7040":
        if not (_IMPORTER.fullmatch(value) and CSET_82.issuperset(value)):
            raise BadLink("AI 7040 is a digit and three characters")
        return
    if len(value) > _MOST[ai]:
        raise BadLink(f"AI {ai} has {len(value)} characters, at most {_MOST[ai]}")
    number, alphabet = (64, _CSET_64) if ai == "8030" else (82, CSET_82)
    if not alphabet.issuperset(value):
        raise BadLink(f"AI {ai} holds a character outside GS1's character set {number}")
    if ai == "8004" and not re.match("[0-9]{4}", value):
        raise BadLink("AI 8004 begins with a GS1 company prefix: four digits at least")


def _check_gtin(value: str) -> None:
    if not (len(value) == 14 and value.isdecimal()):
        raise BadLink("AI 01 is 14 digits")
    if _check_digit(value[:-1]) != value[-1]:
        raise BadLink(f"AI 01 has the check digit {_check_digit(value[:-1])}")


def _check_digit(digits: str) -> str:
    """GS1's modulo 10: weights 3, 1, 3, … from the right."""
    total = sum(int(d) * (1 if at % 2 else 3) for at, d in enumerate(reversed(digits)))
    return str(-total % 10)


def _parameters(query: str, key: str, qualifiers: tuple[str, ...]) -> Pairs:
    found: list[tuple[str, str]] = []
    for parameter in query.split("&"):
        name, equals, raw = parameter.partition("=")
        if not equals:
            continue  # a parameter without a value means nothing to GS1
        if not name.isdecimal():
            text = unquote_to_bytes(raw.replace("+", " ")).decode(errors="replace")
            found.append((name, text))
            continue
        if name in dict(found) or name in (key, *qualifiers):
            raise BadLink(f"AI {name} is given twice")
        value = _unescaped(raw.replace("+", " "))
        _check_attribute(name, key, qualifiers)
        _check_value(name, value)
        found.append((name, value))
    return tuple(found)


def _check_attribute(ai: str, key: str, qualifiers: tuple[str, ...]) -> None:
    # What the path could have held belongs there: 10 is an attribute only beside 235.
    for at in range(len(qualifiers) + 1):
        moved = (*qualifiers[:at], ai, *qualifiers[at:])
        if any(_in_order(moved, order) for order in _QUALIFIERS[key]):
            raise BadLink(f"AI {ai} belongs in the path")
    if ai not in _ATTRIBUTES or (ai == "10" and key != "01"):
        raise BadLink(f"AI {ai} is no attribute of {key} that is known here")
    if ai == "8030" and key == "01" and not {"21", "235"} & set(qualifiers):
        raise BadLink("AI 8030 signs a single thing: a serial is missing")


# ── Writing ──────────────────────────────────────────────────────────────────────────────


def gtin_of(gs1_prefix: str) -> str:
    """The 14-digit GTIN that a house's objects carry: its prefix, zeros, and the check digit.

    One item reference serves the whole house; what tells its objects apart is the serial.
    ``"952"`` gives GS1's own demonstration GTIN.  Raises ``ValueError`` for what is not 3 to 11
    digits, and for the prefixes that GS1 keeps for use inside a company.
    """
    if gs1_prefix == DEMONSTRATION_PREFIX:
        return DEMONSTRATION_GTIN
    if not _PREFIX.fullmatch(gs1_prefix):
        raise ValueError(f"a GS1 company prefix is 3 to 11 digits, not {gs1_prefix!r}")
    if gs1_prefix.ljust(7, "0").startswith(_RESTRICTED):
        raise ValueError(f"GS1 keeps the prefix {gs1_prefix} for numbers inside a company")
    digits = "0" + gs1_prefix.ljust(12, "0")
    return digits + _check_digit(digits)


def is_demonstration(gs1_prefix: str) -> bool:
    """Is this GS1's prefix for examples, which pages must call a demo identifier?"""
    return gs1_prefix.startswith(DEMONSTRATION_PREFIX)


def build_link(base_url: str, gtin: str, serial: str) -> str:
    """The link of an object, without a query; raises ``BadLink`` where GS1 allows none."""
    uri = f"{base_url.rstrip('/')}/01/{gtin}/21/{quote(serial, safe='')}"
    read_link(uri)
    return uri


# ── Resolving ────────────────────────────────────────────────────────────────────────────


def linkset(
    serial_link: str, verify_url: str, provenance_url: str, certificate_url: str
) -> dict[str, Any]:
    """What an object's link leads to, as a linkset (RFC 9264, GS1-Conformant resolver 1.2)."""
    page = {"href": verify_url, "title": "Verify this object", "type": "text/html"}
    history = {"href": provenance_url, "title": "Provenance", "type": "application/json"}
    record = {"href": certificate_url, "title": "Signed record", "type": "application/json"}
    return {
        "linkset": [
            {
                "anchor": serial_link,
                VOCABULARY + "defaultLink": [{"href": verify_url, "title": page["title"]}],
                VOCABULARY + "pip": [page],
                VOCABULARY + "traceability": [history],
                VOCABULARY + "certificationInfo": [record],
            }
        ]
    }


def resolver_description(base_url: str) -> dict[str, Any]:
    """What ``/.well-known/gs1resolver`` says (GS1-Conformant resolver 1.2, section 3)."""
    return {
        "resolverRoot": base_url.rstrip("/"),
        "supportedPrimaryKeys": list(_QUALIFIERS),
        "supportedLinkType": [{"namespace": VOCABULARY, "prefix": "gs1:"}],
        "linkTypeDefaultCanBeLinkset": False,
        "jsonLdContextLocation": "https://ref.gs1.org/standards/resolver/linkset-context",
    }
