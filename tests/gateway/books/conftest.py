"""Real books for the tests: an empty database of each kind, and the keys of a house."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from typing import Any, TypeVar

import pytest
from sqlalchemy import Engine, create_engine, text

from gateway.books.store import Vault, open_books
from gateway.keys import HouseKeys, load_or_create
from gateway.settings import read_gateway_settings

NOW = 1_767_225_600_000
_numbers = count(1)
T = TypeVar("T")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database that is empty."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'books.db'}"
    server: str = request.getfixturevalue("postgresql_server")
    name = f"books_{next(_numbers)}"
    maker = create_engine(
        (server % "postgres").replace("postgresql:", "postgresql+psycopg:"),
        isolation_level="AUTOCOMMIT",
    )
    with maker.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    maker.dispose()
    return server % name


@pytest.fixture
def books(url: str) -> Iterator[Engine]:
    """Books in which nothing has been written down."""
    engine = open_books(url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> HouseKeys:
    """The keys of a house with a demonstration."""
    folder = tmp_path_factory.mktemp("house")
    return load_or_create(read_gateway_settings({"DATA_DIR": str(folder)}), NOW)


@pytest.fixture
def vault(house: HouseKeys) -> Vault:
    """Where that house seals what is personal."""
    return Vault(house.vault_key)


def together(read: Callable[..., T]) -> Callable[..., T]:
    """A way of reading after which two wait for each other, so that both know the same.

    Where the books let only one of them get so far, it goes on alone after a while.
    """
    meeting = Barrier(2)

    def read_and_wait(*arguments: Any) -> T:
        found = read(*arguments)
        with suppress(BrokenBarrierError):
            meeting.wait(0.3)
        return found

    return read_and_wait


def at_once(threads: int, work: Callable[[int], T]) -> list[T]:
    """Let so many threads do it at the same moment, each with its number."""
    barrier = Barrier(threads)

    def run(number: int) -> T:
        barrier.wait(10)
        return work(number)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))
