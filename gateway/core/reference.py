"""The OpenAPI document → what its reader page says, chapter by chapter.

The page is a second telling of the same document and of nothing else, so that what people
read and what programs read cannot differ.  Pure; the HTML is the template's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

Json = dict[str, Any]

_METHODS: Final = ("get", "post", "put", "patch", "delete")


class Piece(NamedTuple):
    """Some words: plain, code, or leading to the schema of that name."""

    text: str
    is_code: bool = False
    schema: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A parameter or a field."""

    name: str
    where: str  # path, query, header; empty: a field
    is_required: bool
    kind: tuple[Piece, ...]
    words: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """One status and what comes with it."""

    status: str
    words: str
    kind: tuple[Piece, ...]
    example: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One call."""

    anchor: str
    method: str
    path: str
    summary: tuple[Piece, ...]
    paragraphs: tuple[tuple[Piece, ...], ...]
    parameters: tuple[Row, ...]
    body: tuple[Piece, ...]
    body_is_required: bool
    answers: tuple[Answer, ...]
    curl: str


@dataclass(frozen=True, slots=True)
class Chapter:
    """A tag, and its calls."""

    name: str
    words: tuple[Piece, ...]
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """A schema, and its fields; ``kind`` where it is no object."""

    name: str
    words: tuple[Piece, ...]
    rows: tuple[Row, ...]
    kind: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """The whole page."""

    about: tuple[tuple[Piece, ...], ...]
    chapters: tuple[Chapter, ...]
    shapes: tuple[Shape, ...]


def reference(document: Json) -> Reference:
    """What the page says of *document*."""
    entries: dict[str, list[Entry]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                operation = methods[method]
                entries[operation["tags"][0]].append(_entry(document, path, method, operation))
    chapters = tuple(
        Chapter(tag["name"], _pieces(tag["description"]), tuple(entries[tag["name"]]))
        for tag in document["tags"]
    )
    schemas = document["components"]["schemas"]
    shapes = tuple(_shape(name, schema) for name, schema in schemas.items())
    return Reference(_paragraphs(document["info"]["description"]), chapters, shapes)


# ── Calls ────────────────────────────────────────────────────────────────────────────────


def _entry(document: Json, path: str, method: str, operation: Json) -> Entry:
    body = operation.get("requestBody", {})
    content = next(iter(body.get("content", {}).items()), None)
    return Entry(
        anchor=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=_pieces(operation.get("summary", "")),
        paragraphs=_paragraphs(operation.get("description", "")),
        parameters=tuple(map(_parameter, operation.get("parameters", ()))),
        body=() if content is None else _body_kind(*content),
        body_is_required=body.get("required", False),
        answers=tuple(_answers(document, operation)),
        curl=curl(path, method.upper(), operation),
    )


def _body_kind(media_type: str, content: Json) -> tuple[Piece, ...]:
    if media_type != "application/json":
        return (Piece(media_type, is_code=True),)
    return tuple(_kind(content["schema"]))


def _parameter(parameter: Json) -> Row:
    schema = parameter["schema"]
    return Row(
        name=parameter["name"],
        where=parameter["in"],
        is_required=parameter.get("required", False),
        kind=tuple(_kind(schema)),
        words=(*_pieces(parameter.get("description", "")), *_bounds(schema)),
    )


def _answers(document: Json, operation: Json) -> Iterator[Answer]:
    for status, response in operation["responses"].items():
        if "$ref" in response:
            response = document["components"]["responses"][_name_of(response)]
        content = response.get("content", {}).get("application/json", {})
        yield Answer(
            status=status,
            words=response["description"],
            kind=tuple(_kind(content["schema"])) if content else (),
            example=_written(content["example"]) if "example" in content else "",
        )


def curl(path: str, method: str, operation: Json) -> str:
    """A line for a shell, with the keys in variables; it works once they are set."""
    lines = [f'curl -X {method} "$HOUSE{_filled(path, operation)}"']
    lines += [f'-H "{header}"' for header in _keys(operation)]
    if any(known["name"] == "Idempotency-Key" for known in operation.get("parameters", ())):
        lines.append('-H "Idempotency-Key: $(uuidgen)"')
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        lines.append(f"-H 'Content-Type: {media_type}'")
        lines.append(_data(content))
    return " \\\n  ".join(lines)


def _data(content: Json) -> str:
    if "example" not in content:
        return "--data-binary @catalogue.csv"
    # A ' inside single quotes would end them: it is said between others.
    text = json.dumps(content["example"], ensure_ascii=False).replace("'", "'\"'\"'")
    return f"-d '{text}'"


def _filled(path: str, operation: Json) -> str:
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", parameter["example"])
    return path


def _keys(operation: Json) -> list[str]:
    said = {
        "publishableKey": "X-Publishable-Key: $PUBLISHABLE_KEY",
        "accessToken": "Authorization: Bearer $ACCESS_TOKEN",
        "secretKey": "Authorization: Bearer $SECRET_KEY",
    }
    ways = operation["security"]
    return [said[scheme] for scheme in ways[0]] if ways else []


# ── Schemas ──────────────────────────────────────────────────────────────────────────────


def _shape(name: str, schema: Json) -> Shape:
    required = schema.get("required", ())
    rows = tuple(
        Row(
            name=field,
            where="",
            is_required=field in required,
            kind=tuple(_kind(kind)),
            words=(*_pieces(kind.get("description", "")), *_bounds(kind)),
        )
        for field, kind in schema.get("properties", {}).items()
    )
    return Shape(name, _pieces(schema.get("description", "")), rows, tuple(_kind(schema)))


def _kind(schema: Json) -> Iterator[Piece]:
    """What a schema takes, in words."""
    if "$ref" in schema:
        yield Piece(_name_of(schema), schema=_name_of(schema))
    elif "enum" in schema:
        yield from _joined([[Piece(_plainly(value), is_code=True)] for value in schema["enum"]])
    elif "anyOf" in schema:
        yield from _joined([list(_kind(choice)) for choice in schema["anyOf"]])
    elif schema.get("type") == "array":
        yield Piece("list")
        items = schema.get("items") or _either(schema.get("prefixItems", []))
        if items:
            yield Piece(" of ")
            yield from _kind(items)
    else:
        yield Piece(schema.get("format") or schema.get("type", "anything"))


def _either(schemas: list[Json]) -> Json:
    distinct = {json.dumps(schema, sort_keys=True): schema for schema in schemas}
    if len(distinct) < 2:
        return next(iter(distinct.values()), {})
    return {"anyOf": list(distinct.values())}


def _joined(choices: list[list[Piece]]) -> Iterator[Piece]:
    for place, pieces in enumerate(choices):
        if place:
            yield Piece(" or " if place == len(choices) - 1 else ", ")
        yield from pieces


def _bounds(schema: Json) -> Iterator[Piece]:
    """Lengths, ranges, patterns and the default; of a choice, those of its first."""
    if "anyOf" in schema:
        first = {**schema["anyOf"][0], **{k: v for k, v in schema.items() if k == "default"}}
        yield from _bounds(first)
        return
    for said, lowest, highest in (
        ("characters", schema.get("minLength"), schema.get("maxLength")),
        ("", schema.get("minimum"), schema.get("maximum")),
        ("items", schema.get("minItems"), schema.get("maxItems")),
    ):
        yield from _range(said, lowest, highest)
    if "exclusiveMinimum" in schema:
        yield Piece(f" More than {schema['exclusiveMinimum']}.")
    if "pattern" in schema:
        yield from (Piece(" Like "), Piece(schema["pattern"], is_code=True), Piece("."))
    if schema.get("default") not in (None, [], {}):
        yield from (
            Piece(" Default "),
            Piece(_plainly(schema["default"]), is_code=True),
            Piece("."),
        )


def _range(said: str, lowest: object, highest: object) -> Iterator[Piece]:
    unit = f" {said}" if said else ""
    if lowest is not None and highest is not None:
        yield Piece(f" {lowest} to {highest}{unit}.")
    elif lowest is not None:
        yield Piece(f" At least {lowest}{unit}.")
    elif highest is not None:
        yield Piece(f" At most {highest}{unit}.")


def _name_of(reference: Json) -> str:
    name: str = reference["$ref"].rpartition("/")[2]
    return name


# ── Words ────────────────────────────────────────────────────────────────────────────────


def _paragraphs(text: str) -> tuple[tuple[Piece, ...], ...]:
    return tuple(_pieces(block) for block in re.split(r"\n\s*\n", text.strip()) if block)


def _pieces(text: str) -> tuple[Piece, ...]:
    """Text with `code` in it; the rest of Markdown is not used in the document."""
    parts = re.split(r"``?([^`]+)``?", " ".join(text.replace("*", "").split()))
    return tuple(Piece(part, is_code=bool(place % 2)) for place, part in enumerate(parts) if part)


def _written(example: object) -> str:
    return json.dumps(example, indent=2, ensure_ascii=False)


def _plainly(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
