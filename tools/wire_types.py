"""Makes ``gateway/static/wire.d.ts``: the live protocol as the pages' scripts are checked by.

Its sources are the requests' forms (``gateway.core.frames``, ``gateway.core.acting``) and the
answers' (``gateway.core.wire.live``).  A test sees that the committed file is the one made of
them.  Run it after a change there: ``.venv/bin/python -m tools.wire_types``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, get_args

from msgspec import inspect

from gateway.core import acting, frames
from gateway.core.wire import live

MADE: Final = Path(__file__).parents[1] / "gateway/static/wire.d.ts"
_HEAD: Final = """\
// The live protocol's frames. Made by tools/wire_types.py from the gateway's own forms: change
// those, and make this file anew.
"""
_ASKED: Final[tuple[Any, ...]] = (
    frames.Hello,
    frames.Subscribe,
    frames.Unsubscribe,
    frames.Bid,
    frames.Ping,
    frames.Finger,
)
_ACTS: Final[tuple[Any, ...]] = get_args(acting.AnyAct)


def types() -> str:
    """The whole file."""
    unions = {
        "Act": _ACTS,
        "Asked": (*_ASKED, "Act"),
        "PublicEvent": get_args(live.PublicEvent),
        "PersonalEvent": get_args(live.PersonalEvent),
        "Told": get_args(live.Told),
    }
    structs = _reached([*_ASKED, *_ACTS, *get_args(live.Told)])
    parts = [_HEAD, *(_interface(struct) for struct in structs)]
    parts += [_union(name, members) for name, members in unions.items()]
    return "\n".join(parts)


def _reached(roots: list[Any]) -> list[inspect.StructType]:
    """The structs and all within them, each once, those within before those around them."""
    found: dict[type, inspect.StructType] = {}

    def walk(part: inspect.Type) -> None:
        if isinstance(part, inspect.UnionType):
            for choice in part.types:
                walk(choice)
        elif isinstance(part, inspect.ListType):
            walk(part.item_type)
        elif isinstance(part, inspect.StructType) and part.cls not in found:
            for field in part.fields:
                walk(field.type)
            found[part.cls] = part

    for part in inspect.multi_type_info(roots):
        walk(part)
    return list(found.values())


def _interface(struct: inspect.StructType) -> str:
    tag = [] if struct.tag_field is None else [f'  {struct.tag_field}: "{struct.tag}";']
    lines = [*tag, *(f"  {_field(field)};" for field in struct.fields)]
    return "\n".join([f"export interface {_name(struct.cls)} {{", *lines, "}", ""])


def _field(field: inspect.Field) -> str:
    can_be_absent = not field.required
    return f"{field.encode_name}{'?' if can_be_absent else ''}: {_written(field.type)}"


def _written(part: inspect.Type) -> str:
    match part:
        case inspect.UnionType():
            return " | ".join(_written(choice) for choice in part.types)
        case inspect.LiteralType():
            return " | ".join(f'"{value}"' for value in part.values)
        case inspect.ListType():
            return f"{_written(part.item_type)}[]"
        case inspect.StructType():
            return _name(part.cls)
        case inspect.StrType():
            return "string"
        case inspect.IntType():
            return "number"
        case inspect.BoolType():
            return "boolean"
        case inspect.NoneType():
            return "null"
        case _:
            raise TypeError(f"no script knows {part}")


def _name(cls: type) -> str:
    """Its own name; an act's is told from that of an event which is called the same."""
    return f"{cls.__name__}Act" if issubclass(cls, acting.Act) else cls.__name__


def _union(name: str, members: tuple[Any, ...]) -> str:
    names = [member if isinstance(member, str) else _name(member) for member in members]
    return "\n".join([f"export type {name} =", *(f"  | {member}" for member in names)]) + ";\n"


if __name__ == "__main__":
    MADE.write_text(types(), encoding="utf-8")
