"""Exports: valid by the formats' own schemas, and nothing private in them without a right to it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from tests.verifier.registry.conftest import opened
from tests.verifier.registry.populated import Populated, populate
from tests.verifier.vectors import SHARED, needs_shared, shared
from verifier.api.calls import encoded
from verifier.core.canonical import canonical
from verifier.registry import exports
from verifier.store import Store

Json = dict[str, Any]
Books = tuple[Store, Populated]


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    """A registry in which everything has happened; no test changes it."""
    folder = tmp_path_factory.mktemp("exports")
    store = opened(f"sqlite:///{folder}/verifier.db", folder)
    yield store, populate(store)
    store.engine.dispose()


def as_sent(found: Json) -> Any:
    """What a caller reads of it."""
    return json.loads(encoded(found))


def linked_art_validator(name: str) -> jsonschema_rs.Validator:
    """Of one of Linked Art's schemas, which refer to each other."""
    folder = SHARED / "schemas" / "linked_art"
    schemas = [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))]
    registry = jsonschema_rs.Registry([(schema["$id"], schema) for schema in schemas])
    schema = json.loads((folder / f"{name}.json").read_text())
    return jsonschema_rs.validator_for(schema, registry=registry, validate_formats=True)


def epcis_validator() -> jsonschema_rs.Validator:
    schema = shared("schemas/epcis2/EPCIS-JSON-Schema.json")
    return jsonschema_rs.validator_for(schema, validate_formats=True)


# ── Linked Art ───────────────────────────────────────────────────────────────────────────


@needs_shared
@pytest.mark.parametrize("private", [False, True])
def test_linked_art_is_valid_and_shaped_like_the_example(books: Books, private: bool) -> None:
    """Every object and every purchase, for either reader; and what is no Linked Art is not."""
    store, found = books
    things, purchases = linked_art_validator("object"), linked_art_validator("provenance")
    for one in found:
        made = as_sent(exports.linked_art(store, one.row, private=private))
        things.validate(made["object"])
        for purchase in made["provenance"]:
            purchases.validate(purchase)
    made = as_sent(exports.linked_art(store, found.rich.row, private=private))
    examples = shared("interop_examples.json")
    assert made["object"].keys() >= examples["linked_art_object"].keys()
    assert made["provenance"][0].keys() == examples["linked_art_provenance"].keys()
    assert not things.is_valid({**made["object"], "type": "Painting"})
    assert not things.is_valid({**made["object"], "price": 1})
    assert not purchases.is_valid({**made["provenance"][0], "classified_as": None})
    del made["provenance"][0]["part"][1]["paid_amount"]["currency"]
    assert not purchases.is_valid(made["provenance"][0])


def test_a_public_purchase_tells_lot_price_and_day(books: Books) -> None:
    """The auction's: the private sale that followed is nobody's business."""
    store, found = books
    [purchase] = exports.linked_art(store, found.rich.row, private=False)["provenance"]
    acquisition, payment = purchase["part"]
    assert purchase["_label"] == "Purchase of Lot 12A"
    assert payment["paid_amount"]["value"] == Decimal("44000.00")
    assert payment["paid_amount"]["currency"]["_label"] == "euro"
    assert purchase["timespan"]["begin_of_the_begin"] == "2026-02-18T00:00:00Z"
    assert purchase["timespan"]["end_of_the_end"] == "2026-02-18T23:59:59Z"
    [giver], [taker] = acquisition["transferred_title_from"], acquisition["transferred_title_to"]
    assert (giver["_label"], taker["_label"]) == ("Consignor", "Verified Private Collector")


def test_who_may_read_it_also_sees_private_sales_and_statements(books: Books) -> None:
    """The price that was agreed, in major units, and what was said of the object."""
    store, found = books
    made = exports.linked_art(store, found.rich.row, private=True)
    values = [one["part"][1]["paid_amount"]["value"] for one in made["provenance"]]
    assert values == [Decimal(44_000), Decimal(44_000)]
    contents = [one["content"] for one in made["object"]["referred_to_by"]]
    assert contents == ["with box", "R."]


# ── EPCIS ────────────────────────────────────────────────────────────────────────────────


@needs_shared
def test_epcis_is_valid_and_shaped_like_the_example(books: Books) -> None:
    """Every history; and an event that is none is refused."""
    validator, (store, found) = epcis_validator(), books
    for one in found:
        validator.validate(as_sent(exports.epcis(store, one.row, private=False)))
    made = as_sent(exports.epcis(store, found.rich.row, private=False))
    example = shared("interop_examples.json")["epcis2_document"]
    assert made.keys() == example.keys()
    first, shown = (one["epcisBody"]["eventList"][0] for one in (made, example))
    assert first.keys() ^ shown.keys() == {"certificationInfo", "bizLocation"}
    assert (first["action"], first["bizStep"]) == (shown["action"], shown["bizStep"])
    for field, value in {"action": "SELL", "eventTime": "yesterday", "bizStep": "selling"}.items():
        wrong = json.loads(json.dumps(made))
        wrong["epcisBody"]["eventList"][0][field] = value
        assert not validator.is_valid(wrong), field


def test_epcis_names_owners_where_title_passes(books: Books) -> None:
    """From one party to the next, without a name; commissioned once, and sold twice."""
    store, found = books
    made = exports.epcis(store, found.rich.row, private=False)["epcisBody"]["eventList"]
    passed = [one for one in made if one.get("disposition") == "retail_sold"]
    owners = [
        (one["sourceList"][0]["source"], one["destinationList"][0]["destination"]) for one in passed
    ]
    page = f"https://id.example/verify/{found.rich.row.serial}"
    assert owners == [(f"{page}#party-{n}", f"{page}#party-{n + 1}") for n in (0, 1)]
    assert [one["action"] for one in made].count("ADD") == 1
    assert {epc for one in made for epc in one["epcList"]} == {found.rich.row.link}


def test_an_epcis_event_is_named_by_its_signed_document(books: Books) -> None:
    """As RFC 6920 names it: anybody can compute it from the proof."""
    store, found = books
    record = exports.record_of(store, found.rich.row, private=False)
    made = exports.epcis(store, found.rich.row, private=False)["epcisBody"]["eventList"]
    for event, shown in zip(record.events, made, strict=True):
        digest = hashlib.sha256(canonical(event.document)).digest()
        name = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        assert shown["eventID"] == f"ni:///sha-256;{name}"


# ── Object ID ────────────────────────────────────────────────────────────────────────────


def test_object_id_asks_its_nine_questions_of_every_object(books: Books) -> None:
    """Each of them, answered or not, and the photographs by what is in them."""
    store, found = books
    for one in found:
        made = exports.object_id(store, one.row, private=False)
        assert len(made["object_id"]) == 9
        assert made["object_id"]["title"] == one.row.title
        assert made["object_id"]["type"] == one.row.category
    made = exports.object_id(store, found.rich.row, private=True)
    assert (made["object_id"]["maker"], made["description"]) == ("R.", "with box")
    assert {photo["angle"] for photo in made["photographs"]} == set(found.rich.required)


# ── What is private ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("form", [exports.linked_art, exports.object_id, exports.epcis])
def test_nothing_private_is_in_a_public_export(books: Books, form: Any) -> None:
    """No person, no internal id, nothing that was said in private, no instant of custody."""
    store, found = books
    for one in found:
        written = encoded(form(store, one.row, private=False)).decode()
        for private in ("Lindqvist", "Konstantin", "cons_ada", "own_", "obj_", "box", "R."):
            assert private not in written
    whole = encoded(form(store, found.rich.row, private=True)).decode()
    assert not any(name in whole for name in ("Lindqvist", "Konstantin", "own_", "obj_"))


def test_an_export_changes_nothing(books: Books, tmp_path: Path) -> None:
    """The same record twice gives the same bytes."""
    store, found = books
    for form in (exports.linked_art, exports.object_id, exports.epcis):
        assert form(store, found.rich.row, private=True) == form(
            store, found.rich.row, private=True
        )
