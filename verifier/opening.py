"""From the settings to an open registry: for the process, and for the commands beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, inspect

from engine.settings import BadSetting
from gateway.archive import connected, open_as_it_is
from gateway.keys import HouseKeys, load_or_create
from gateway.settings import GatewaySettings
from verifier.registry import rotation
from verifier.store import Store, open_store, store_on
from verifier.tables import entries

# The house's public name, as pages and histories say it.
HOUSE: Final = "Fairwarning"
PHOTOGRAPHS: Final = "photographs"  # in DATA_DIR


def open_registry(settings: GatewaySettings, keys: HouseKeys, now_ms: int) -> Store:
    """Open it, with its tables and its keys made where they are missing.

    Raises ``engine.settings.BadSetting``, ``BooksError`` and ``OSError``.
    """
    store = open_store(
        settings.verifier_database_url,
        keys.verifier_key,
        settings.log.data_dir / PHOTOGRAPHS,
        settings.public_url,
        settings.gs1_prefix,
        HOUSE,
    )
    rotation.begin(store, now_ms)
    return store


def find_registry(settings: GatewaySettings) -> Engine | None:
    """The registry's database for somebody who only reads, as it is; None: there is none.

    Raises ``engine.settings.BadSetting`` and ``gateway.archive.ArchiveError``.
    """
    file = settings.verifier_database_url.partition("sqlite:///")[2].partition("?")[0]
    if file and not Path(file).exists():
        return None
    engine = open_as_it_is(settings.verifier_database_url)
    with connected(engine) as connection:
        if inspect(connection).has_table(entries.name):
            return engine
    engine.dispose()
    return None


def as_it_is(settings: GatewaySettings, engine: Engine) -> Store:
    """The registry on *engine*, with nothing made or brought up to date.

    Raises ``engine.settings.BadSetting`` where the house has no keys, ``gateway.keys.BadKeys``,
    ``presence.Held`` and ``OSError``.
    """
    folder = settings.log.data_dir
    if not (folder / "keys.json").exists():
        reason = "the folder of a house that has been opened (keys.json is missing)"
        raise BadSetting("DATA_DIR", str(folder), reason)
    keys = load_or_create(replace(settings, demo=False), 0)  # nothing of them is renewed
    return store_on(
        engine,
        keys.verifier_key,
        folder / PHOTOGRAPHS,
        settings.public_url,
        settings.gs1_prefix,
        HOUSE,
    )
