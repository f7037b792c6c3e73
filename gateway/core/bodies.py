"""JSON of requests → the types of the contracts, exactly, and nothing else.

Numbers with a point or an exponent become ``Decimal`` from their text, so no float ever
holds money.  A key that comes twice, a field that is not known, half a surrogate pair, a
number of a thousand digits: refused, with the field's name where there is one.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import msgspec

from engine.core.messages import MAX_AMOUNT
from gateway.core.problems import Problem, bad_field, invalid_amount
from gateway.core.wording import major_units

T = TypeVar("T")

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_LONGEST_NUMBER = 64  # characters: more is nobody's bid
_FIELD = re.compile(r"(?:missing required|unknown) field `(.*?)`")
_AT = re.compile(r" - at `(?:key in )?\$\.?(.*?)`$")


class Amount(Decimal):
    """An amount in major units: a JSON number or a decimal string (OpenAPI: openapi.py)."""


def read(body: bytes, wanted: type[T]) -> T:
    """A body → what was wanted.  Raises ``Problem`` 400 ``invalid``."""
    try:
        fields = json.loads(
            body,
            parse_float=_fraction,
            parse_int=_integer,
            parse_constant=_no_constant,
            object_pairs_hook=_distinct,
        )
        _refuse_halves(fields)
    except (ValueError, RecursionError) as error:
        raise Problem("invalid", f"not JSON: {_said(error)}") from error
    return take(fields, wanted)


def take(fields: object, wanted: type[T], *, strict: bool = True) -> T:
    """Values that were read already → what was wanted; not *strict*: from texts of a query."""
    try:
        return msgspec.convert(fields, wanted, strict=strict, dec_hook=_hook)
    except msgspec.ValidationError as error:
        where = _AT.search(text := str(error))
        if where is None or not where[1]:
            named = _FIELD.search(text)
            raise _bad(named[1], text) if named else Problem("invalid", text) from error
        raise _bad(where[1], text[: where.start()]) from error


def minor_units(amount: Decimal, exponent: int, field: str = "amount") -> int:
    """A positive decimal in major units → minor units.  Raises ``Problem`` 400."""
    if not Decimal(0) < amount <= major_units(MAX_AMOUNT, exponent):
        raise invalid_amount("out of range", field)
    minor = int(amount.scaleb(exponent))
    # Compared with what came: scaleb rounds to 28 digits, and int cuts off.
    if major_units(minor, exponent) != amount:
        raise invalid_amount(f"at most {exponent} decimals", field)
    return minor


def _bad(field: str, message: str) -> Problem:
    return invalid_amount(message) if field == "amount" else bad_field(field, message)


def _hook(wanted: type, value: object) -> object:
    if wanted is not Amount:
        raise NotImplementedError(wanted)
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise ValueError("a number or a decimal string was expected")
    return Amount(_decimal(value) if isinstance(value, str) else value)


def _decimal(text: str) -> Decimal:
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        raise ValueError("a number or a decimal string was expected")
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError("a number or a decimal string was expected") from error


class _NoNumber:
    """What no field takes: a number that is none, or that nobody would write."""


def _fraction(text: str) -> Decimal | _NoNumber:
    try:
        return _decimal(text)
    except ValueError:
        return _NoNumber()


def _integer(text: str) -> int | _NoNumber:
    return int(text) if len(text) <= _LONGEST_NUMBER else _NoNumber()


def _no_constant(_name: str) -> _NoNumber:
    return _NoNumber()  # NaN and the infinities are no JSON, though Python reads them


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(fields := dict(pairs)) != len(pairs):
        raise ValueError("a repeated key")
    return fields


def _refuse_halves(fields: object) -> None:
    """Half a surrogate pair can be written neither into the log nor into an answer, however
    deep it lies.  Raises ``UnicodeEncodeError``."""
    rest = [fields]
    while rest:
        value = rest.pop()
        if isinstance(value, str):
            value.encode()
        elif isinstance(value, list):
            rest += value
        elif isinstance(value, dict):
            rest += value
            rest += value.values()


def _said(error: Exception) -> str:
    return "a text that is not Unicode" if isinstance(error, UnicodeError) else str(error)
