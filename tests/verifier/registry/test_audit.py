"""Whatever is changed in the registry is found by the audit, and named."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa

from gateway.books.store import reading
from gateway.keys import load_or_create
from gateway.settings import read_gateway_settings
from tests.verifier.registry import desk
from tests.verifier.registry.conftest import NOW, opened
from tests.verifier.registry.populated import HOUR, populate
from verifier import audit as command
from verifier.audit import audit
from verifier.core import notes
from verifier.opening import open_registry
from verifier.registry import bundles, keys, log, rotation
from verifier.registry.checking import Disagrees
from verifier.store import Store
from verifier.tables import checkpoints, metadata

DAY: Final = 86_400_000
SECOND: Final = 1_000

# Instants that are signed no finer than this: what is less cannot be told from the truth.
TO_THE: Final = {
    "v_checkpoints.at": DAY,
    "v_keys.created_at": SECOND,
    "v_keys.retired_at": SECOND,
    "v_keys.compromised_at": SECOND,
    "v_events.at": DAY,
    "v_objects.updated_at": DAY,
}
# Counts of questions, deleted after ninety days: no column of them is evidence.
COUNTS: Final = "v_scans"
# No evidence of anything that was signed, and why.
NO_EVIDENCE: Final = {
    "v_news.origin": "the clerk's name for what it told: any name is as good",
    "v_news.reason": "words about something that did not happen",
    "v_objects.claimed_by": "a lot that is being put up, for two minutes",
    "v_objects.claimed_until": "the same",
    "v_owners.created_at": "nothing else happens when a person is entered",
    "v_photos.width": "told of the picture, which is signed itself",
    "v_photos.height": "the same",
    "v_tags.url_template": "where the chip's messages are read from; another refuses them",
    "v_tags.last_counter": "the chip's own count: what a lower one would let in is a replay",
    "v_tags.tap_digest": "the last tap, for a page that is loaded anew within a minute",
    "v_tags.tap_at": "the same",
    "v_tags.tampered": "the chip's own last word",
    "v_transfers.code_mac": "of a code that nobody here knows",
    "v_transfers.codes": "codes and attempts are counted, and not signed",
    "v_transfers.attempts": "the same",
    "v_transfers.expires_at": "of a code that has been used",
    "v_transfers.created_at": "a transfer is begun without an event",
    "v_happenings.number": "the order in which webhooks are told",
}
# Where only some rows of a table are evidence.
OF_THESE: Final = {
    "v_happenings.at": "type = 'transfer.completed'",  # the others are counts of questions
    "v_happenings.data": "type = 'transfer.completed'",
    "v_news.at": "kind IN ('sold', 'passed')",  # the others come about without an event
    "v_news.kind": "recorded",  # what was not recorded has changed nothing
    "v_news.serial": "recorded",
    "v_transfers.exponent": "auction_id IS NOT NULL",  # a private sale is in minor units only
    "v_transfers.updated_at": "state = 'confirmed'",
}
COLUMNS: Final = [
    f"{table.name}.{column.name}"
    for table in metadata.sorted_tables
    for column in table.columns
    if table.name != COUNTS and f"{table.name}.{column.name}" not in NO_EVIDENCE
]


FLAGS: Final = {"v_photos.matchable", "v_news.recorded"}
# Numbers of which the next one is taken: another byte of them is changed.
PLACES: Final = {
    f"{table.name}.{column.name}"
    for table in metadata.sorted_tables
    for column in table.primary_key
}


class Raw:
    """The database as a file that anybody can write."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """No rule of the tables is looked at."""
        connection = sqlite3.connect(self._path, isolation_level=None)
        try:
            connection.execute("PRAGMA busy_timeout=10000")
            yield connection
        finally:
            connection.close()

    def rows(self, table: str, column: str) -> list[tuple[int, Any]]:
        """The first and the last of the rows that have something in this column."""
        which = OF_THESE.get(f"{table}.{column}", "1")
        query = (
            f"SELECT rowid, {column} FROM {table} WHERE {column} IS NOT NULL AND {which} "
            "ORDER BY rowid"
        )
        with self.open() as connection:
            found = connection.execute(query).fetchall()
        return [found[0], found[-1]][: len(found)]

    def put(self, table: str, column: str, rowid: int, value: Any) -> None:
        """Write over what is there."""
        with self.open() as connection:
            change = f"UPDATE {table} SET {column} = ? WHERE rowid = ?"
            assert connection.execute(change, (value, rowid)).rowcount == 1

    def run(self, statement: str) -> None:
        """Anything else."""
        with self.open() as connection:
            connection.execute(statement)


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Raw]]:
    """A registry in which everything has happened; each test puts back what it changes."""
    folder = tmp_path_factory.mktemp("rich")
    store = opened(f"sqlite:///{folder}/verifier.db", folder)
    populate(store)
    yield store, Raw(folder / "verifier.db")
    store.engine.dispose()


def changed(name: str, value: Any) -> Any:
    """The value with one byte of it changed, as little as makes a difference."""
    if name in FLAGS:
        return value ^ 1
    if isinstance(value, int):
        return value ^ 1 << 16 if name in PLACES else value + TO_THE.get(name, 1)
    middle = len(value) // 2
    if isinstance(value, bytes):
        return value[:middle] + bytes([value[middle] ^ 1]) + value[middle + 1 :]
    return value[:middle] + chr(ord(value[middle]) ^ 1) + value[middle + 1 :]


def test_what_nobody_has_touched_agrees(rich: tuple[Store, Raw]) -> None:
    """All of it, in a line a check."""
    lines = audit(rich[0])
    assert [line.split()[0] for line in lines] == ["log", "keys", "objects", "owners"]


@pytest.mark.parametrize("name", COLUMNS)
def test_a_byte_of_any_column_is_found(rich: tuple[Store, Raw], name: str) -> None:
    """In the first and in the last row that has something there; what is found is one line."""
    store, raw = rich
    table, column = name.split(".")
    rows = raw.rows(table, column)
    assert rows, "the registry of these tests has something in each column"
    for rowid, value in rows:
        raw.put(table, column, rowid, changed(name, value))
        try:
            with pytest.raises(Disagrees) as found:
                audit(store)
        finally:
            raw.put(table, column, rowid, value)
        assert "\n" not in str(found.value)


def test_nothing_was_left_changed(rich: tuple[Store, Raw]) -> None:
    """What the tests before have put back is what was there."""
    assert audit(rich[0])


def test_an_original_that_was_touched_or_lost_is_found(rich: tuple[Store, Raw]) -> None:
    """Each sealed file, changed by one bit: at its beginning, in its middle or at its end."""
    store, _ = rich
    files = sorted(store.photos.iterdir())
    assert files
    for number, file in enumerate(files):
        content = file.read_bytes()
        place = (0, len(content) // 2, len(content) - 1)[number % 3]
        file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(Disagrees, match="its original was touched"):
            audit(store)
        file.write_bytes(content)
    content = files[0].read_bytes()
    files[0].unlink()
    with pytest.raises(Disagrees, match="original"):
        audit(store)
    files[0].write_bytes(content)


EDITS: Final = {
    "an event is gone": "DELETE FROM v_events WHERE type = 'cataloged'",
    "an entry is gone": "DELETE FROM v_entries WHERE leaf_index = 12",
    "the last entry is gone": (
        "DELETE FROM v_entries WHERE leaf_index = (SELECT max(leaf_index) FROM v_entries)"
    ),
    "a checkpoint of a tree that is not there": "UPDATE v_checkpoints SET size = size + 100",
    "the last checkpoint is gone": (
        "DELETE FROM v_checkpoints WHERE size = (SELECT max(size) FROM v_checkpoints)"
    ),
    "an event is there twice": (
        "INSERT INTO v_events SELECT object_id, seq + 100, event_id || 'x', type, hash || 'x', "
        "leaf_index, kid, at, sealed, personal, of_owner FROM v_events WHERE type = 'cataloged' LIMIT 1"
    ),
    "two events have changed places": (
        "UPDATE v_events SET leaf_index = CASE type WHEN 'listed' THEN (SELECT e.leaf_index FROM "
        "v_events e WHERE e.object_id = v_events.object_id AND e.type = 'cataloged') ELSE (SELECT "
        "e.leaf_index FROM v_events e WHERE e.object_id = v_events.object_id AND e.type = 'listed')"
        " END WHERE type IN ('listed', 'cataloged')"
    ),
    "an event is another object's": (
        "UPDATE v_events SET object_id = (SELECT object_id FROM v_objects WHERE category = "
        "'bottle'), seq = 50 WHERE type = 'returned'"
    ),
    "the newest event is forgotten": (
        "UPDATE v_objects SET events = events - 1, head = (SELECT hash FROM v_events e WHERE "
        "e.object_id = v_objects.object_id AND e.seq = v_objects.events - 2) WHERE events > 2"
    ),
    "a node too many": "INSERT INTO v_nodes VALUES (40, 0, x'00')",
    "a node too few": "DELETE FROM v_nodes WHERE level = 1 AND place = 3",
    "a key that nobody was told of": (
        "INSERT INTO v_keys (kid, purpose, public, created_at, from_size, retired_at, "
        "retired_size) SELECT 'x', purpose, public, created_at, from_size, created_at, from_size "
        "FROM v_keys LIMIT 1"
    ),
    "a step of custody too few": "DELETE FROM v_custody WHERE transfer_type = 'return'",
    "a transfer too few": "DELETE FROM v_transfers WHERE auction_id IS NULL",
    "a transfer that was not confirmed": (
        "UPDATE v_transfers SET state = 'cancelled', event_id = NULL WHERE auction_id IS NULL"
    ),
    "a photograph too few": "DELETE FROM v_photos WHERE superseded_at IS NOT NULL",
    "an alias too many": "INSERT INTO v_aliases SELECT 'X', object_id FROM v_objects LIMIT 1",
    "an alias too few": "DELETE FROM v_aliases WHERE alias LIKE '%DAYT%'",
    "a data key too few": (
        "DELETE FROM v_data_keys WHERE subject = (SELECT owner_id FROM v_owners WHERE erased_at "
        "IS NULL LIMIT 1)"
    ),
    "what was erased has come back": (
        "UPDATE v_events SET personal = x'00' WHERE of_owner IS NOT NULL AND personal IS NULL"
    ),
    "the data key of who was erased has come back": (
        "INSERT INTO v_data_keys SELECT owner_id, x'00' FROM v_owners WHERE erased_at IS NOT NULL"
    ),
    "news of a sale too few": "DELETE FROM v_news WHERE kind = 'sold'",
    "a transfer that was told twice": (
        "INSERT INTO v_happenings (type, mode, at, data) SELECT type, mode, at, data FROM "
        "v_happenings WHERE type = 'transfer.completed' LIMIT 1"
    ),
    "an alert too few": "DELETE FROM v_alerts",
    "a tag too few": "DELETE FROM v_tags",
    "an auction is open on it": (
        "UPDATE v_objects SET open_auction = 'auction_x' WHERE category = 'bottle'"
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_rows_that_are_edited_are_found(rich: tuple[Store, Raw], tmp_path: Path, edit: str) -> None:
    """Rows lost, doubled, swapped and put elsewhere, each in a copy of the registry."""
    store, raw = rich
    copy = tmp_path / "verifier.db"
    with raw.open() as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    other = opened_again(store, copy)
    Raw(copy).run(EDITS[edit])
    with pytest.raises(Disagrees):
        audit(other)
    other.engine.dispose()


def opened_again(store: Store, database: Path) -> Store:
    """A copy of the database, with the same photographs."""
    return opened(f"sqlite:///{database}", store.photos.parent)


def test_an_open_auction_is_what_the_news_say(store: Store) -> None:
    """From the news that it was listed on; another auction than was signed is found."""
    found = desk.ready(store, NOW)
    desk.sale_of(store, found, "listed", NOW)
    assert audit(store)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE v_objects SET open_auction = 'auction_abd_1'")
    with pytest.raises(Disagrees, match="another auction is open"):
        audit(store)


def test_a_key_that_was_given_up_leaves_the_books_right(store: Store) -> None:
    """Events that it signed afterwards are revoked, and the rows are what they were."""
    desk.ready(store, NOW)
    with reading(store.engine) as connection:
        issuer = keys.current(connection, store.vault, "issuer").kid
    rotation.declare_compromised(store, issuer, 6, NOW + HOUR)
    assert audit(store)


def test_a_tree_that_we_signed_and_never_had_is_found(store: Store) -> None:
    """An older checkpoint of another root, with genuine signatures: the log was forked once."""
    desk.ready(store, NOW)
    origin = log.origin(store.public_url)
    with store.engine.begin() as connection:
        size = connection.scalar(sa.select(sa.func.min(checkpoints.c.size)))
        assert size is not None
        signers = keys.log_signers(connection, store.vault, origin, NOW)
        note = notes.sign_note(notes.checkpoint(origin, size, bytes(32)), signers)
        mine = checkpoints.update().where(checkpoints.c.size == size)
        connection.execute(mine.values(note=note))
    with pytest.raises(Disagrees, match=f"checkpoint of {size} entries: the entries have another"):
        audit(store)


def test_the_audit_works_on_postgresql(postgresql_store: Store) -> None:
    """The same books, the same findings."""
    found = populate(postgresql_store)
    assert audit(postgresql_store)
    assert bundles.make(postgresql_store, found.rich.row)
    with postgresql_store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE v_custody SET to_role = 'House' WHERE number = 1")
    with pytest.raises(Disagrees, match="custody 1"):
        audit(postgresql_store)


# ── The command ──────────────────────────────────────────────────────────────────────────


def test_the_command_audits_an_installation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside a verifier that has it open; 0 and a line a check, 1 and what disagrees, 2 where
    the house's keys are gone."""
    environ = {"DATA_DIR": str(tmp_path)}
    settings = read_gateway_settings(environ)
    store = open_registry(settings, load_or_create(settings, NOW), NOW)
    populate(store)
    assert command.main([], environ) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    Raw(tmp_path / "verifier.db").run("UPDATE v_objects SET title = 'A better one'")
    assert command.main([], environ) == 1
    found = capsys.readouterr().out.splitlines()
    assert len(found) == 1
    assert found[0].startswith("disagreement: object ")
    store.engine.dispose()
    (tmp_path / "keys.json").unlink()
    assert command.main([], environ) == 2
    assert command.main(["everything"], environ) == 2


def test_a_house_without_a_registry_has_nothing_to_audit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says so, makes nothing, and ends well."""
    environ = {"DATA_DIR": str(tmp_path / "data")}
    assert command.main([], environ) == 0
    assert "registered no object" in capsys.readouterr().out
    assert not (tmp_path / "data").exists()
