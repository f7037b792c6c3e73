"""The core computes and touches nothing: read from its source, not from its promises.

What would make two runs of one log differ is not there to be used: no clock, die, file,
socket or environment; no float and no division that makes one; no order of a set; no hash
of a string.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

CORE = Path(__file__).parents[3] / "engine" / "core"
MODULES = sorted(CORE.glob("*.py"))

# The pure half of the standard library that the core uses, its own package, and msgspec,
# which turns structs into bytes.  Decimal reads published increments; it never holds a bid.
MAY_IMPORT = {
    "__future__",
    "bisect",
    "collections.abc",
    "dataclasses",
    "decimal",
    "enum",
    "hashlib",
    "itertools",
    "msgspec",
    "msgspec.structs",
    "typing",
    "zlib",
}
# Sealed bids are opened with the one library of ciphers, which computes like any other; its
# die is thrown by a gateway that seals, never by a decision.
MAY_IMPORT_CIPHERS = {
    "base64",
    "binascii",
    "cryptography.exceptions",
    "cryptography.hazmat.primitives.asymmetric.x25519",
    "cryptography.hazmat.primitives.hpke",
    "cryptography.hazmat.primitives.serialization",
}
NEVER_CALLED = {
    "hash", "id", "open", "input", "print", "float", "eval", "exec", "__import__", "vars",
    "globals", "locals", "breakpoint", "compile",
}  # fmt: skip
SETS = {"set", "frozenset"}


def impurities(source: str, may_import: frozenset[str] = frozenset(MAY_IMPORT)) -> Iterator[str]:
    """Each thing in *source* that a core may not have, with its line."""
    tree = ast.parse(source)
    sets = _names_of_sets(tree)
    for node in ast.walk(tree):
        for complaint in (
            *_imports(node, may_import),
            *_calls(node),
            *_floats(node),
            *_orders(node, sets),
        ):
            yield f"line {getattr(node, 'lineno', 0)}: {complaint}"


def _imports(node: ast.AST, may_import: frozenset[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = ["." * node.level + (node.module or "")]
    else:
        return
    for name in names:
        if name not in may_import and name != "engine.core" and not name.startswith("engine.core."):
            yield f"imports {name}"


def _calls(node: ast.AST) -> Iterator[str]:
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in NEVER_CALLED
    ):
        yield f"calls {node.func.id}()"
    if isinstance(node, ast.Name) and node.id == "__debug__":
        yield "asks for __debug__"


def _floats(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
        yield f"holds the float {node.value}"
    if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
        yield "divides with /"


def _orders(node: ast.AST, sets: set[str]) -> Iterator[str]:
    """Iterating over a set, in a loop, a comprehension, or a call that takes its elements."""
    looked_through: list[ast.expr] = []
    if isinstance(node, ast.For | ast.comprehension):
        looked_through = [node.iter]
    elif isinstance(node, ast.Starred):
        looked_through = [node.value]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id in {"list", "tuple", "iter", "next", "enumerate", "map", "zip", "dict"}:
            looked_through = node.args
    elif isinstance(node, ast.Call) and not node.args and isinstance(node.func, ast.Attribute):
        looked_through = [node.func.value] if node.func.attr == "pop" else []
    for expression in looked_through:
        if _is_set(expression, sets):
            yield f"takes the order of {ast.unparse(expression)}"


def _is_set(node: ast.expr, sets: set[str]) -> bool:
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in SETS
    return isinstance(node, ast.Name) and node.id in sets


def _names_of_sets(tree: ast.AST) -> set[str]:
    """Names that are given a set somewhere in the module."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and _is_set(node.value, set()):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        if isinstance(node, ast.AnnAssign) and "set[" in ast.unparse(node.annotation):
            found.add(ast.unparse(node.target))
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_the_core_computes_and_touches_nothing(module: Path) -> None:
    """Every module, every line."""
    ciphers = MAY_IMPORT_CIPHERS if module.stem == "sealed" else frozenset[str]()

    assert list(impurities(module.read_text(), frozenset(MAY_IMPORT | ciphers))) == []


def test_only_gateways_seal() -> None:
    """What throws a die in the library is named once in the core, where it is defined."""
    named = [module.stem for module in MODULES if ".encrypt(" in module.read_text()]
    called = [module.stem for module in MODULES if "seal(" in module.read_text()]

    assert (named, called) == (["sealed"], ["sealed"])
    assert not [module for module in MODULES if ".generate(" in module.read_text()]


def test_the_whole_core_was_read() -> None:
    """The modules of the design are there, and none hides in a folder below."""
    names = {module.stem for module in MODULES}

    assert names >= {"messages", "codec", "increments", "absentee", "lot", "sale", "snapshot"}
    assert names >= {"terms", "bidding", "places", "sealed", "dutch", "editing", "registering"}
    assert sorted(CORE.rglob("*.py")) == MODULES


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import os.path",
        "import base64",
        "from cryptography.hazmat.primitives.hpke import Suite",
        "from random import choice",
        "from datetime import datetime",
        "import engine.streams",
        "from . import clock",
        "from engine import settings",
        "def f():\n    import socket",
        "x = 0.5",
        "x = price / 2",
        "x /= 2",
        "x = hash('anna')",
        "x = id(lot)",
        "print('sold')",
        "open('reserve')",
        "for who in {'anna', 'bert'}:\n    pass",
        "for who in set(names):\n    pass",
        "x = [who for who in {name for name in names}]",
        "x = list(frozenset(names))",
        "first = {1, 2}.pop()",
        "waiting = set()\nfor who in waiting:\n    pass",
        "waiting: set[str] = make()\nx = tuple(waiting)",
        "x = [*{1, 2}]",
    ],
)
def test_an_impurity_is_found(source: str) -> None:
    """The reader of sources bites."""
    assert list(impurities(source)) != []


@pytest.mark.parametrize(
    "source",
    [
        "from engine.core.messages import Terms",
        "from engine.core import lot as lots",
        "x = price // 2",
        "known = frozenset(names)\nx = 'anna' in known",
        "x = sorted({3, 1, 2})",
        "for who in ['anna']:\n    pass",
    ],
)
def test_what_is_pure_is_let_be(source: str) -> None:
    """Asking whether something is in a set, or sorting one, gives the same answer everywhere."""
    assert list(impurities(source)) == []
