"""The one way a statement becomes bytes, and the strict way back.

What is signed, hashed and logged is never "the JSON" but its RFC 8785 form (JCS): sorted
keys, no spaces, one spelling of every number and string.  ``canonical`` writes it;
``read_canonical`` takes nothing that differs from it in a single byte, so that two different
texts can never pass for the same signed statement.  ``read`` is for what callers send:
any spacing and order, but nothing that two parsers could understand differently
(RFC 8785, 3.1: I-JSON, RFC 7493).

Leaves to others: how long a text may be, and what its fields mean.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any, Final, NoReturn, TypeAlias

import rfc8785

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

MAX_DEPTH: Final = 64  # a bundle is 8 deep; deeper than this is an attack on somebody's stack
MAX_INT: Final = 2**53 - 1  # past it a JavaScript reader sees another number (RFC 7493, 2.2)


class NotCanonical(ValueError):
    """A value that has no canonical form, or a text that is not plain, unambiguous JSON."""


def canonical(value: object) -> bytes:
    """The RFC 8785 form of a JSON value, in UTF-8.

    Tuples are written as arrays.  Raises ``NotCanonical`` for integers beyond ±(2^53-1), NaN
    and infinities, lone surrogates, keys that are not strings, and what is no JSON at all.
    """
    document: Any = value
    try:
        if _is_simple(document):
            return _simple(document).encode()
        return rfc8785.dumps(document)
    except ValueError as refused:
        raise NotCanonical(str(refused)) from refused
    except RecursionError as refused:
        raise NotCanonical("nested too deeply") from refused


# Ten times as fast as the library, for which a test holds it to; its C code knows nothing of
# RFC 8785's numbers and order of keys, so it writes only what has neither in it.
_simple: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode


def _is_simple(value: object) -> bool:
    """Nothing but texts, whole numbers in range, truth values, null, and plain keys?"""
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is int:
        return -MAX_INT <= value <= MAX_INT  # type: ignore[operator]
    if kind is dict:
        # Of ASCII alone the order by code point is that by UTF-16.
        return all(
            type(key) is str and key.isascii() and _is_simple(inner)
            for key, inner in value.items()  # type: ignore[attr-defined]
        )
    return kind is list and all(map(_is_simple, value))  # type: ignore[call-overload]


def digest(value: object) -> str:
    """The SHA-256 of the canonical form, as 64 hexadecimal digits; raises ``NotCanonical``."""
    return hashlib.sha256(canonical(value)).hexdigest()


def read(data: bytes) -> Json:
    """The value that a JSON text stands for.

    Raises ``NotCanonical`` for what is not UTF-8 or not JSON, and for what readers disagree
    about: a key given twice, NaN and infinities, numbers past a double's range, integers
    beyond ±(2^53-1), lone surrogates, and more than ``MAX_DEPTH`` levels.
    """
    try:
        value: Json = json.loads(
            data.decode(),
            object_pairs_hook=_object,
            parse_int=_int,
            parse_float=_float,
            parse_constant=_constant,
        )
    except NotCanonical:
        raise
    except ValueError as refused:  # of the decoder and of the parser
        raise NotCanonical(str(refused)) from refused
    except RecursionError as refused:
        raise NotCanonical("nested too deeply") from refused
    _walk(value, MAX_DEPTH)
    return value


def read_canonical(data: bytes) -> Json:
    """The value of a text that is byte for byte its own canonical form.

    Raises ``NotCanonical`` for everything else.
    """
    value = read(data)
    if canonical(value) != data:
        raise NotCanonical("the text differs from its canonical form")
    return value


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotCanonical("a key is given twice")
    return found


def _int(text: str) -> int:
    # Measured by its length first: a million digits need not become a number.
    if len(text) > 17 or abs(int(text)) > MAX_INT:
        raise NotCanonical("an integer is beyond ±(2^53-1)")
    return int(text)


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise NotCanonical("a number is past a double's range")
    return number


def _constant(text: str) -> NoReturn:
    raise NotCanonical(f"{text} is no JSON")


def _walk(value: Json, depth: int) -> None:
    """Refuse what the parser lets pass: lone surrogates, and too many levels."""
    if isinstance(value, str):
        if not value.isascii():
            _text(value)
        return
    if not isinstance(value, list | dict):
        return
    if depth == 0:
        raise NotCanonical("nested too deeply")
    if isinstance(value, dict):
        for key in value:
            _text(key)
    for inner in value.values() if isinstance(value, dict) else value:
        _walk(inner, depth - 1)


def _text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as refused:
        raise NotCanonical("a string holds half of a surrogate pair") from refused
