"""A house for the tests of the API: on SQLite, and on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.settings import Rate
from tests.verifier.api.house import House, Reader, house_of
from tests.verifier.registry.conftest import NOW, either, postgresql_store, store
from verifier.store import Store

__all__ = ["either", "postgresql_store", "store"]  # fixtures of the registry's


@pytest.fixture
async def house(store: Store) -> AsyncIterator[House]:
    """A house without limits, whose pictures nobody looks at."""
    found = house_of(store, NOW, Reader())
    async with found.web:
        yield found


@pytest.fixture
async def limited(store: Store) -> AsyncIterator[House]:
    """A house with the usual limits."""
    found = house_of(store, NOW, Reader(), Rate(50, 100))
    async with found.web:
        yield found


@pytest.fixture
async def on_either(either: Store) -> AsyncIterator[House]:
    """The same test on both databases."""
    found = house_of(either, NOW, Reader())
    async with found.web:
        yield found
