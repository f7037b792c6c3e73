"""Fixtures that every part of the tests may need."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests import servers


@pytest.fixture
def read_only_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder nobody can write to: a read-only mount for root, whom no mode stops."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    if os.getuid() != 0:
        folder.chmod(0o500)
        yield folder
        folder.chmod(0o700)
        return
    mount = ["mount", "-t", "tmpfs", "-o", "ro", "none", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        yield Path("/proc/self")  # root in a container that may not mount: the kernel's own
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[servers.Valkey]:
    """One server for the whole run; a test that ends its server starts its own."""
    with servers.socket_folder() as folder, servers.valkey_in(folder) as server:
        yield server


@pytest.fixture
def valkey(valkey_server: servers.Valkey) -> str:
    """The URL of a server that holds nothing, not even a Function."""
    with redis.Redis.from_url(valkey_server.url) as client:
        client.flushall()
        client.function_flush()
    return valkey_server.url


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A private PostgreSQL for the whole run: its URL with ``%s`` for a database's name."""
    programs = servers.find_postgresql()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed here")
    with servers.postgresql(programs) as url:
        yield url


# Few tests, and each of them takes a while: begun last, they would keep one worker busy alone.
_LONG = ("tests/integration/", "tests/browser/test_whole_sale.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONG))
