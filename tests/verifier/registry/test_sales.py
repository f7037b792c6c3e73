"""What sales do to objects, once each."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gateway.books.store import reading
from tests.verifier.registry import desk
from tests.verifier.registry.conftest import NOW
from tests.verifier.registry.desk import MODE
from verifier.registry import chain, objects, owners, provenance, sales, transfers
from verifier.registry.objects import Object
from verifier.store import Store

SOLD: dict[str, Any] = {
    "hammer_price": 4_400_000,
    "currency": "EUR",
    "exponent": 2,
    "consumer_id": "cons_ada",
    "name": "Ada Lindqvist",
    "email": "ada@example.test",
}


def transfer_of(store: Store, found: Object) -> Any:
    with reading(store.engine) as connection:
        return transfers.open_of(connection, found.row.object_id)


def test_a_lot_that_is_sold_and_paid_changes_hands(either: Store) -> None:
    """Listed, sold at the hammer price, waiting for payment without a code, then pending with
    one, then the buyer's: the events and the custody, once each."""
    found = desk.ready(either, NOW)
    assert desk.sale_of(either, found, "listed", NOW, lot_number="12A").recorded
    assert desk.sale_of(either, found, "sold", NOW, **SOLD).recorded
    waiting = transfer_of(either, found)
    assert (waiting.state, waiting.code_mac) == ("awaiting_payment", None)
    with pytest.raises(transfers.WrongState):
        transfers.confirm(either, MODE, waiting.transfer_id, "000000", NOW)
    with pytest.raises(transfers.WrongState):
        transfers.reissue(either, MODE, waiting.transfer_id, NOW)
    assert desk.sale_of(either, found, "paid", NOW, consumer_id="cons_ada").recorded
    with pytest.raises(transfers.WrongState):
        transfers.confirm(either, MODE, waiting.transfer_id, "000000", NOW)
    begun = transfers.reissue(either, MODE, waiting.transfer_id, NOW)
    transfers.confirm(either, MODE, waiting.transfer_id, begun.code, NOW)
    now = desk.again(either, found)
    assert now.row.status == "transferred"
    with reading(either.engine) as connection:
        buyer = owners.known_as(connection, either, now.row.holder_id)
    assert buyer == owners.Person("Ada Lindqvist", "ada@example.test", "cons_ada")
    history = provenance.read(either, now.row, private=False)
    listed, sold, _ = (entry.subject["details"] for entry in history.entries[-3:])
    assert listed == {"lotNumber": "12A", "auctionId": "auction_abc_1"}
    assert sold == {"hammerPrice": "44000.00", "currency": "EUR"}
    assert desk.check(either, found).intact


def test_news_that_comes_again_changes_nothing(either: Store) -> None:
    """Each of them, right away and after everything else has happened."""
    found = desk.ready(either, NOW)
    told = [("listed", {}), ("sold", SOLD), ("paid", {"consumer_id": "cons_ada"})]
    for kind, more in told:
        assert desk.sale_of(either, found, kind, NOW, **more).recorded  # type: ignore[arg-type]
        again = desk.sale_of(either, found, kind, NOW, **more)  # type: ignore[arg-type]
        assert again == (False, "already")
    before = desk.size(either), desk.again(either, found).row
    for kind, more in told:
        assert desk.sale_of(either, found, kind, NOW, **more) == (False, "already")  # type: ignore[arg-type]
    assert (desk.size(either), desk.again(either, found).row) == before


@pytest.mark.parametrize("kind", ["passed", "unlisted"])
def test_a_lot_that_is_not_sold_goes_back(store: Store, kind: sales.Kind) -> None:
    """Passed or canceled: catalogued again, and may be listed by another auction."""
    found = desk.ready(store, NOW)
    desk.sale_of(store, found, "listed", NOW)
    assert desk.sale_of(store, found, kind, NOW).recorded
    assert desk.again(store, found).row.status == "cataloged"
    assert desk.types(store, found)[-1] == "passed"
    assert desk.sale_of(store, found, "listed", NOW, auction_id="auction_abc_2").recorded


def test_what_cannot_be_is_not_recorded_and_says_why(store: Store) -> None:
    """Unknown, unbound, of another auction: nothing moves, and the origin is spent."""
    loose = desk.post(store, desk.register(store, NOW), "cataloged", NOW)
    ready = desk.ready(store, NOW)
    before = desk.size(store)
    assert "binding" in str(desk.sale_of(store, loose, "listed", NOW).reason)
    assert "not open" in str(desk.sale_of(store, ready, "sold", NOW, **SOLD).reason)
    assert "not open" in str(desk.sale_of(store, ready, "passed", NOW).reason)
    nothing = desk.sale_of(store, ready, "listed", NOW, serial="AUC000000AAAAAAAAA")
    assert "no such object" in str(nothing.reason)
    assert desk.size(store) == before
    assert desk.sale_of(store, ready, "passed", NOW) == (False, "already")


def test_an_underbidder_who_pays_takes_the_winners_place(store: Store) -> None:
    """The winner's transfer ends, and the object goes to whoever has paid."""
    found = desk.ready(store, NOW)
    desk.sale_of(store, found, "listed", NOW)
    desk.sale_of(store, found, "sold", NOW, **SOLD)
    first = transfer_of(store, found)
    desk.sale_of(store, found, "paid", NOW, consumer_id="cons_bram", hammer_price=4_200_000)
    second = transfer_of(store, found)
    assert second.transfer_id != first.transfer_id
    assert (second.state, second.price, second.currency) == ("pending", 4_200_000, "EUR")
    with reading(store.engine) as connection:
        buyer = owners.known_as(connection, store, second.to_id)
    assert buyer is not None
    assert buyer.external_id == "cons_bram"


def test_an_account_that_is_erased_is_forgotten_here(store: Store) -> None:
    """Not while a transfer is open; and then wherever they are named."""
    found = desk.ready(store, NOW)
    desk.sale_of(store, found, "listed", NOW)
    desk.sale_of(store, found, "sold", NOW, **SOLD)
    with pytest.raises(owners.StillNeeded):
        desk.sale_of(store, found, "erased", NOW, serial=None, consumer_id="cons_ada")
    desk.post(store, found, "rescinded", NOW)
    erased = desk.sale_of(store, found, "erased", NOW, serial=None, consumer_id="cons_ada")
    assert erased.recorded
    nobody = desk.sale_of(store, found, "erased", NOW, serial=None, consumer_id="cons_x")
    assert not nobody.recorded


def test_a_sale_to_nobody_ends_with_the_auction(store: Store) -> None:
    """The object is free again, and not held for ever by an auction that is over."""
    found = desk.ready(store, NOW)
    desk.sale_of(store, found, "listed", NOW)
    assert desk.sale_of(store, found, "sold", NOW, currency="EUR").recorded
    now = desk.again(store, found)
    assert (now.row.status, now.row.open_auction) == ("cataloged", None)


def test_an_object_is_kept_for_one_auction_that_is_put_up(either: Store) -> None:
    """Of many at once one has it; then the house itself can neither sell nor withdraw it; the
    news that it was listed makes it final, and a lot that came to nothing lets go of it."""
    found = desk.ready(either, NOW)
    buyer = desk.owner(either, "Berta", NOW)

    def claim(number: int, now_ms: int = NOW) -> str | None:
        row = objects.claim(either, MODE, found.row.serial, f"auction_abc_{number}", now_ms)
        return objects.selling(row, now_ms)

    with ThreadPoolExecutor(8) as pool:
        claimed = list(pool.map(claim, range(8)))
    [winner] = set(claimed)
    assert winner is not None
    for act in (
        lambda: desk.begun(either, found, buyer, NOW),
        lambda: desk.post(either, found, "withdrawn", NOW),
    ):
        with pytest.raises(chain.AuctionOpen):
            act()
    other = "auction_abc_0" if winner != "auction_abc_0" else "auction_abc_1"
    refused = desk.sale_of(either, found, "listed", NOW, auction_id=other)
    assert winner in str(refused.reason)
    late = NOW + objects.CLAIMED_FOR_MS
    assert claim(9, late) == "auction_abc_9"
    assert desk.sale_of(either, found, "listed", late, auction_id="auction_abc_9").recorded
    assert claim(10, late + objects.CLAIMED_FOR_MS) == "auction_abc_9"


def test_what_is_not_bound_is_kept_for_nobody(store: Store) -> None:
    """Nor what is sold, nor an object of the other mode."""
    loose = desk.register(store, NOW)
    row = objects.claim(store, MODE, loose.row.serial, "auction_abc_1", NOW)
    assert objects.selling(row, NOW) is None
    with pytest.raises(chain.NoSuchObject):
        objects.claim(store, "live", loose.row.serial, "auction_abc_1", NOW)
