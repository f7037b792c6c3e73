"""One house for each module of tests: opening it takes seconds, and lots are cheap."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.open_house import House, house_in


@pytest.fixture(scope="module")
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """An open house, with the settings that the module's ``SETTINGS`` change."""
    settings: dict[str, str] = getattr(request.module, "SETTINGS", {})
    with house_in(tmp_path_factory.mktemp("house"), **settings) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a test opens a house of its own."""
    return tmp_path
