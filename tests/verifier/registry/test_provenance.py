"""What a house says of a history: how little of it becomes public, and that no word of it can
break the log."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.books.store import BadField, reading
from tests.verifier.registry import desk
from tests.verifier.registry.conftest import NOW
from tests.verifier.registry.desk import MODE
from verifier.core.tiles import MAX_ENTRY
from verifier.registry import chain, provenance
from verifier.registry.provenance import Statement
from verifier.store import Store


def logged(store: Store, object_id: str) -> list[bytes]:
    with reading(store.engine) as connection:
        return [data for _, data in chain.documents(connection, object_id)]


def say(store: Store, object_id: str, event_type: str, **evidence: Any) -> None:
    said = Statement(event_type, "a Mr Smith", "words of ours", evidence, None)
    provenance.post(store, MODE, object_id, said, NOW)


def test_no_word_of_the_house_is_in_the_log_not_even_as_a_name(either: Store) -> None:
    """Neither the role as it was said, nor the description, nor a key or a value of the
    evidence: all of them are inside commitments whose names are ours."""
    found = desk.register(either, NOW)
    secrets = {"seller max@example.test": "yes", "reserve": "44000", "catalogNumber": "7"}
    say(either, found.row.object_id, "condition_reported", **secrets)
    last = logged(either, found.row.object_id)[-1]
    for word in (*secrets, *secrets.values(), "Smith", "words of ours"):
        assert f'"{word}"'.encode() not in last
    history = provenance.read(either, found.row, private=True)
    assert history.entries[-1].private["evidence"]["value"] == secrets
    assert set(history.entries[-1].subject["commitments"]) == {
        "actorRole",
        "description",
        "evidence",
    }


def test_an_entry_stays_small_however_much_is_said(store: Store) -> None:
    """Thousands of fields are one commitment: every entry can be served."""
    found = desk.register(store, NOW)
    say(store, found.row.object_id, "restored", **{f"k{n}": n for n in range(1_400)})
    assert max(map(len, logged(store, found.row.object_id))) < MAX_ENTRY // 16


@pytest.mark.parametrize("value", [True, None, ["214"], {"n": 1}, 1.5, "x" * 101, 10**100])
def test_a_public_detail_is_a_short_text_or_a_number(store: Store, value: Any) -> None:
    """Anything else is refused by its name, and nothing is written."""
    found = desk.register(store, NOW)
    before = desk.size(store)
    with pytest.raises((BadField, ValueError)):
        say(store, found.row.object_id, "cataloged", catalogNumber=value)
    assert desk.size(store) == before


def test_an_event_cannot_be_of_the_future(store: Store) -> None:
    """Of the past it can: houses write histories down."""
    found = desk.register(store, NOW)
    late = Statement("exhibited", "museum", None, {}, NOW + 1)
    with pytest.raises(BadField):
        provenance.post(store, MODE, found.row.object_id, late, NOW)
    early = Statement("exhibited", "museum", None, {}, 0)
    provenance.post(store, MODE, found.row.object_id, early, NOW)
    history = provenance.read(store, found.row, private=False)
    assert history.entries[-1].document["validFrom"] == "1970-01-01T00:00:00Z"
