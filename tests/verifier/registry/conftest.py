"""A verifier's books for the tests, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.keys import random_name
from verifier.registry import rotation
from verifier.store import Store, open_store

NOW = 1_771_416_000_000  # 2026-02-18 12:00 UTC
KEY = bytes(range(32))


def opened(url: str, folder: Path) -> Store:
    """A store with its keys."""
    store = open_store(url, KEY, folder / "photos", "https://id.example", "952", "The house")
    rotation.begin(store, NOW)
    return store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Empty books on SQLite."""
    found = opened(f"sqlite:///{tmp_path}/verifier.db", tmp_path)
    yield found
    found.engine.dispose()


@pytest.fixture
def postgresql_store(postgresql_server: str, tmp_path: Path) -> Iterator[Store]:
    """Empty books on PostgreSQL."""
    name = "verifier_" + random_name(8)
    server = sa.create_engine(
        (postgresql_server % "postgres").replace("postgresql://", "postgresql+psycopg://"),
        isolation_level="AUTOCOMMIT",
    )
    with server.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    found = opened(
        (postgresql_server % name).replace("postgresql://", "postgresql+psycopg://"), tmp_path
    )
    yield found
    found.engine.dispose()
    with server.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name}"))
    server.dispose()


@pytest.fixture(params=["store", "postgresql_store"])
def either(request: pytest.FixtureRequest) -> Store:
    """The same test on both databases."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Store)
    return found
