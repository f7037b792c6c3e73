"""What schemathesis is lent for a run: keys and tokens that hold, and ids of real things.

Loaded by schemathesis itself (SCHEMATHESIS_HOOKS), in a process of its own, beside the house
of ``test_schemathesis.py``, which says in FUZZ_STOCK what there is.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, HookContext
from schemathesis.core.parameters import ParameterLocation

from gateway.api.routes import DESCRIBED
from gateway.core.openapi import Described
from gateway.keys import load_or_create, mint_access_token, random_name
from gateway.settings import read_gateway_settings

# By the name of a parameter or field, alone or after an operation's id.
STOCK: Final[Mapping[str, list[Any]]] = json.loads(Path(os.environ["FUZZ_STOCK"]).read_text())
OPERATIONS: Final[Mapping[str, Described]] = {call.operation_id: call for call in DESCRIBED}
NOW: Final = time.time_ns() // 1_000_000
KEYS: Final = load_or_create(read_gateway_settings(os.environ), NOW)
PAGE: Final = {"X-Publishable-Key": KEYS.publishable_key}

rows = st.lists(st.text(st.characters(codec="utf-8"), max_size=20), max_size=6).map(",".join)
schemathesis.openapi.media_type(
    "text/csv",
    st.lists(rows, max_size=4).map(lambda lines: "\n".join(["lotNumber,name", *lines]).encode()),
)


def operation(case: Case[Any]) -> Described:
    """The row of the table that the case is for."""
    return OPERATIONS[case.operation.definition.raw["operationId"]]


def credentials(call: Described) -> dict[str, str]:
    """The keys and tokens that the call's access demands."""
    if call.kind == "anyone":
        return {}
    if call.kind == "page":
        return PAGE
    if call.kind == "house":
        if call.dialect != "consumer":
            return {"x-api-key": KEYS.operator_key}
        return {"Authorization": f"Bearer {KEYS.secret_key}"}
    # Who leaves for good does not take the others along.
    leaves = call.operation_id in ("sessions.logout", "me.erase")
    whose = "cons_" + random_name(16) if leaves else STOCK["bidder"][0]
    return {**PAGE, "Authorization": f"Bearer {mint_access_token(KEYS, whose, 7200, NOW)}"}


@schemathesis.auth(refresh_interval=None)
class Keys:
    """Each request has the keys of its operation, but for those that are to lack one."""

    def get(self, case: Case[Any], _context: object) -> dict[str, str]:
        return credentials(operation(case))

    def set(self, case: Case[Any], data: dict[str, str], _context: object) -> None:
        case.headers.update(data)


@schemathesis.hook
def before_call(_context: HookContext, case: Case[Any], _kwargs: dict[str, Any]) -> None:
    """Put real values in place of three in four of those that were made up to be good."""
    named = operation(case).operation_id
    if is_good(case, ParameterLocation.PATH):
        case.path_parameters = {
            name: real(named, name, drawn) for name, drawn in case.path_parameters.items()
        }
    if is_good(case, ParameterLocation.BODY) and isinstance(case.body, dict):
        case.body = {name: real(named, name, drawn) for name, drawn in case.body.items()}


def is_good(case: Case[Any], place: ParameterLocation) -> bool:
    """Was this part made up to be good, and if anything is bad on purpose, is it another?"""
    meta = case.meta
    if meta is None or not meta.generation.mode.is_negative:
        return True
    bad = [part for part in ParameterLocation if meta.is_negative_at(part)]
    return bool(bad) and place not in bad


def real(named: str, name: str, drawn: Any) -> Any:
    """Something that is there, for the value that was drawn: the same for the same."""
    known = STOCK.get(f"{named} {name}") or STOCK.get(name)
    if not known:
        return drawn
    place = crc32(repr(drawn).encode())
    # No key but those in stock: answers name the run's own, which would be revoked.
    return known[place // 4 % len(known)] if place % 4 or name == "keyId" else drawn
