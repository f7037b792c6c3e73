"""Books in which everything has happened once: each table has rows, each column a value."""

from __future__ import annotations

from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from gateway.books.store import reading
from tests.verifier.registry import desk
from tests.verifier.registry.conftest import NOW
from tests.verifier.registry.desk import MODE
from tests.verifier.software_tag import SoftwareTag
from verifier.registry import keys, owners, rotation, scans, tags, transfers
from verifier.registry.objects import Object
from verifier.store import Store

HOUR: Final = 3_600_000
SOLD: Final[dict[str, Any]] = {
    "hammer_price": 4_400_000,
    "currency": "EUR",
    "exponent": 2,
    "consumer_id": "cons_ada",
    "name": "Ada Lindqvist",
    "email": "ada@example.test",
}


class Populated(NamedTuple):
    """What is in there."""

    rich: Object  # sold, passed on, consigned again, resold in private, photographed anew
    plain: Object  # registered, and no more
    foreign: Object  # with a serial of another house's, returned to its consignor


def populate(store: Store) -> Populated:
    """Let everything happen that can."""
    rich = desk.register(store, NOW, description="with box", attributes={"maker": "R."})
    for number, angle in enumerate(rich.required):
        rich = desk.photograph(store, rich, angle, NOW + number * 1000)
        if number == 1:
            rotation.rotate(store, "issuer", NOW + 1500)
    rich = desk.post(store, rich, "cataloged", NOW + HOUR, catalogNumber="214")
    bind_tag(store, rich, NOW + HOUR)
    desk.sale_of(store, rich, "listed", NOW + 2 * HOUR, lot_number="12A")
    rotation.rotate(store, "log", NOW + 2 * HOUR)
    desk.sale_of(store, rich, "sold", NOW + 3 * HOUR, **SOLD)
    desk.sale_of(store, rich, "paid", NOW + 4 * HOUR, consumer_id="cons_ada")
    confirm_open(store, rich, NOW + 5 * HOUR)
    rotation.rotate(store, "issuer", NOW + 5 * HOUR)
    rich = desk.post(store, rich, "consigned", NOW + 6 * HOUR)
    rich = desk.photograph(store, rich, rich.required[0], NOW + 7 * HOUR, b"a better one")
    bob = desk.owner(store, "Bob", NOW + 7 * HOUR)
    begun = desk.begun(store, rich, bob, NOW + 8 * HOUR)
    transfers.confirm(store, MODE, begun.row.transfer_id, begun.code, NOW + 8 * HOUR)
    rotation.rotate(store, "log-mldsa", NOW + 9 * HOUR)
    plain = desk.register(store, NOW + 9 * HOUR, "bottle")
    foreign = desk.ready(store, NOW + 9 * HOUR, serial="AUC-20260218-DAYT0001")
    desk.sale_of(store, foreign, "listed", NOW + 10 * HOUR, auction_id="auction_abc_2")
    desk.sale_of(store, foreign, "passed", NOW + 10 * HOUR + 1, auction_id="auction_abc_2")
    desk.post(store, foreign, "returned", NOW + 11 * HOUR)
    owners.erase(store, MODE, bob, NOW + 12 * HOUR)
    replay(store, plain, NOW + 12 * HOUR)
    desk.sale_of(store, plain, "listed", NOW + 12 * HOUR)  # it is not bound: this cannot be
    open_ = desk.ready(store, NOW + 12 * HOUR, category="collectible")
    desk.sale_of(store, open_, "listed", NOW + 12 * HOUR, auction_id="auction_abc_3")
    with reading(store.engine) as connection:
        link = keys.current(connection, store.vault, "link").kid
    rotation.declare_compromised(store, link, None, NOW + 13 * HOUR)
    return Populated(*(desk.again(store, one) for one in (rich, plain, foreign)))


def bind_tag(store: Store, found: Object, now_ms: int) -> None:
    """A tag, and one tap of it."""
    chip = SoftwareTag(found.row.link)
    keys_of = chip.file_key.hex(), chip.meta_key.hex()
    said = tags.Binding(chip.uid, *keys_of, chip.url_template)
    tags.bind(store, MODE, found.row.object_id, said, now_ms)
    with reading(store.engine) as connection:
        tag = tags.of_object(connection, found.row.object_id)
    assert tag is not None
    query = dict(parse_qsl(urlsplit(chip.tap()).query))
    assert tags.take(store, tag.tag_id, tags.Tap(query, "client"), now_ms).status == "verified"


def replay(store: Store, found: Object, now_ms: int) -> None:
    """A recorded tap is shown again: scans, and an alert."""
    counter = scans.Counter(store)
    row = found.row
    named = row.object_id, row.serial, MODE, now_ms, "nfc", "client", "SE"
    counter.count(scans.Seen(*named, 7, "replayed", "caution", 0.0))  # type: ignore[arg-type]
    counter.write(now_ms)


def confirm_open(store: Store, found: Object, now_ms: int) -> None:
    """The open transfer, with a code and confirmed by it."""
    with reading(store.engine) as connection:
        waiting = transfers.open_of(connection, found.row.object_id)
    assert waiting is not None
    begun = transfers.reissue(store, MODE, waiting.transfer_id, now_ms)
    transfers.confirm(store, MODE, waiting.transfer_id, begun.code, now_ms)
