"""The published increments that are shipped with this package, each with its source."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from engine.core.increments import Published


@cache
def published() -> Mapping[str, Published]:
    """Every shipped table and ladder by its name, in major units, without floats."""
    shipped = files("gateway").joinpath("increments.json").read_bytes()
    named: dict[str, Any] = json.loads(shipped, parse_float=Decimal)
    return {name: entry for name, entry in named.items() if not name.startswith("_")}
