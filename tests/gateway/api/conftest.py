"""A gateway for the tests of its calls: real keys and real books, and no log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway import archive
from gateway.app import Gateway, build
from gateway.books import apikeys
from gateway.books.store import open_books
from gateway.keys import load_or_create, mint_access_token
from gateway.settings import read_gateway_settings
from tests.gateway.decisions import AT

NOW = AT + 3_600_000


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway that has read nothing yet, and has no line to a log."""
    settings = read_gateway_settings({"DATA_DIR": str(tmp_path), "DEMO": "0", "HTTP_RATE": "0"})
    database = archive.open_archive(settings.database_url)
    books = open_books(settings.database_url)
    keys = load_or_create(settings, NOW)
    apikeys.enter_house_keys(books, keys, NOW)
    nobody: Any = None
    house = Gateway(settings, keys, (nobody, nobody, nobody), database, books)
    house.clock.read(NOW)
    house.read_books()
    yield house
    database.dispose()
    books.dispose()


@pytest.fixture
async def web(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """The gateway's calls, without a socket."""
    transport = httpx.ASGITransport(build(gateway))
    async with httpx.AsyncClient(transport=transport, base_url="http://house/api/v1") as client:
        yield client


def headers_of(gateway: Gateway, consumer_id: str) -> dict[str, str]:
    """What a consumer's page says with each call."""
    token = mint_access_token(gateway.keys, consumer_id, 60, NOW)
    key = gateway.keys.publishable_key
    return {"X-Publishable-Key": key, "Authorization": f"Bearer {token}"}
