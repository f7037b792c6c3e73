"""Passing title on: by a code that is counted before it is compared."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gateway.books.store import reading, writing
from tests.verifier.registry import desk
from tests.verifier.registry.conftest import NOW
from tests.verifier.registry.desk import MODE
from verifier.core import objects as life
from verifier.core import transfers as core
from verifier.registry import chain, owners, provenance, transfers
from verifier.store import Store
from verifier.tables import transfers as table

HOUR = 3_600_000


def other_than(code: str) -> str:
    """A code that is not this one."""
    return f"{(int(code) + 1) % 10**core.CODE_DIGITS:06}"


def row_of(store: Store, transfer_id: str) -> Any:
    with reading(store.engine) as connection:
        return connection.execute(table.select().where(table.c.transfer_id == transfer_id)).one()


def confirm(
    store: Store, begun: transfers.Begun, code: str, now_ms: int = NOW
) -> transfers.Confirmed:
    return transfers.confirm(store, MODE, begun.row.transfer_id, code, now_ms)


def test_the_right_code_passes_the_object_on(either: Store) -> None:
    """It is sold and transferred, the buyer holds it, and custody tells of both hands."""
    found = desk.ready(either, NOW)
    buyer = desk.owner(either, "Berta", NOW)
    begun = desk.begun(either, found, buyer, NOW)
    done = confirm(either, begun, begun.code)
    now = desk.again(either, found)
    assert (now.row.status, now.row.holder_id) == ("transferred", buyer)
    assert done.event.event_type == "transferred"
    assert desk.types(either, found)[-2:] == ["sold", "transferred"]
    history = provenance.read(either, now.row, private=False)
    steps = [(c.from_role, c.to_role, c.transfer_type) for c in history.custody]
    assert steps == [("Consignor", "House", "registration"), ("House", "Buyer", "sale")]
    assert desk.check(either, found).intact


def test_a_code_that_was_right_is_answered_alike_again(either: Store) -> None:
    """The same event, and no second one; another code is then no code at all."""
    found = desk.ready(either, NOW)
    begun = desk.begun(either, found, desk.owner(either, "Berta", NOW), NOW)
    first = confirm(either, begun, begun.code)
    before = desk.size(either)
    again = confirm(either, begun, begun.code, NOW + 100 * HOUR)
    assert again.event == first.event
    assert desk.size(either) == before
    with pytest.raises(transfers.WrongState):
        confirm(either, begun, other_than(begun.code))


def test_five_wrong_codes_lock_it(either: Store) -> None:
    """Each says how many are left; after the fifth not even the right one opens it, until the
    house gives out another."""
    found = desk.ready(either, NOW)
    begun = desk.begun(either, found, desk.owner(either, "Berta", NOW), NOW)
    left = []
    for _ in range(core.MOST_ATTEMPTS):
        with pytest.raises(transfers.WrongCode) as wrong:
            confirm(either, begun, other_than(begun.code))
        left.append(wrong.value.left)
    assert left == [4, 3, 2, 1, 0]
    with pytest.raises(transfers.Locked):
        confirm(either, begun, begun.code)
    again = transfers.reissue(either, MODE, begun.row.transfer_id, NOW)
    assert confirm(either, again, again.code).row.state == "confirmed"


def test_of_many_wrong_codes_at_once_five_are_compared(
    either: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many threads try together: the sixth is refused unseen."""
    found = desk.ready(either, NOW)
    begun = desk.begun(either, found, desk.owner(either, "Berta", NOW), NOW)
    compared: list[str] = []
    real = core.code_matches

    def spying(*args: Any) -> bool:
        compared.append(args[4])
        return real(*args)

    monkeypatch.setattr(core, "code_matches", spying)
    wrong = other_than(begun.code)

    def guess(_: int) -> str:
        try:
            confirm(either, begun, wrong)
        except (transfers.WrongCode, transfers.Locked) as refused:
            return type(refused).__name__
        return "confirmed"

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(guess, range(200)))
    assert len(compared) == core.MOST_ATTEMPTS
    assert answers.count("WrongCode") == core.MOST_ATTEMPTS
    assert answers.count("Locked") == 200 - core.MOST_ATTEMPTS
    assert row_of(either, begun.row.transfer_id).state == "locked"


def test_a_code_ends_with_its_time(store: Store) -> None:
    """The right one too, an instant too late; and a new transfer may then begin."""
    found = desk.ready(store, NOW)
    buyer = desk.owner(store, "Berta", NOW)
    begun = desk.begun(store, found, buyer, NOW)
    late = NOW + core.CODE_LIFE_MS
    with pytest.raises(transfers.Expired):
        confirm(store, begun, begun.code, late)
    assert transfers.load(store, MODE, begun.row.transfer_id, late).state == "expired"
    again = desk.begun(store, desk.again(store, found), buyer, late)
    assert confirm(store, again, again.code, late).row.state == "confirmed"


def test_a_new_code_voids_the_one_before(store: Store) -> None:
    """And no more than three are given out."""
    found = desk.ready(store, NOW)
    begun = desk.begun(store, found, desk.owner(store, "Berta", NOW), NOW)
    again = transfers.reissue(store, MODE, begun.row.transfer_id, NOW)
    if again.code != begun.code:  # one time in a million they are the same
        with pytest.raises(transfers.WrongCode):
            confirm(store, begun, begun.code)
    transfers.reissue(store, MODE, begun.row.transfer_id, NOW)
    with pytest.raises(transfers.Locked):
        transfers.reissue(store, MODE, begun.row.transfer_id, NOW)


def test_changed_terms_void_the_code(store: Store) -> None:
    """Whoever changes price or party in the database has a code that fits nothing."""
    found = desk.ready(store, NOW)
    for changed in ({"price": 1}, {"to_id": desk.owner(store, "Carl", NOW)}, {"currency": "USD"}):
        begun = desk.begun(store, desk.again(store, found), desk.owner(store, "Berta", NOW), NOW)
        with store.engine.begin() as connection:
            mine = table.c.transfer_id == begun.row.transfer_id
            connection.execute(table.update().where(mine).values(changed))
        with pytest.raises(transfers.WrongCode):
            confirm(store, begun, begun.code)
        transfers.cancel(store, MODE, begun.row.transfer_id, NOW)


def test_only_the_holder_passes_an_object_on(store: Store) -> None:
    """Nobody else, nobody unknown, not twice at once, not what is withdrawn, and not while an
    auction may still sell it; and no refusal leaves a trace in the chain."""
    found = desk.ready(store, NOW)
    buyer, carl = desk.owner(store, "Berta", NOW), desk.owner(store, "Carl", NOW)
    holder, object_id = found.row.holder_id, found.row.object_id

    def begin(from_id: str, to_id: str) -> None:
        terms = transfers.Terms(object_id, from_id, to_id, 100, "EUR", 2)
        transfers.initiate(store, MODE, terms, NOW)

    before = desk.size(store)
    with pytest.raises(transfers.NotOwner):
        begin(carl, buyer)
    with pytest.raises(owners.NoSuchOwner):
        begin(holder, "own_nobody")
    desk.sale_of(store, found, "listed", NOW)
    listed = desk.size(store)
    with pytest.raises(chain.AuctionOpen):
        begin(holder, buyer)
    assert desk.size(store) == listed
    desk.sale_of(store, found, "passed", NOW)
    begin(holder, buyer)
    with pytest.raises(transfers.TransferPending):
        begin(holder, carl)
    desk.post(store, found, "rescinded", NOW)
    desk.post(store, found, "withdrawn", NOW)
    with pytest.raises(life.InvalidState):
        begin(holder, buyer)
    assert before < listed
    assert desk.check(store, found).intact


def test_a_private_price_is_in_no_document(store: Store) -> None:
    """The event commits to it; the house can open that, and nobody else."""
    found = desk.ready(store, NOW)
    desk.begun(store, found, desk.owner(store, "Berta", NOW), NOW)
    history = provenance.read(store, desk.again(store, found).row, private=True)
    sold = history.entries[-1]
    assert sold.subject["details"] == {}
    assert set(sold.subject["commitments"]) == {"salePrice", "saleCurrency"}
    assert sold.private["salePrice"]["value"] == "44000.00"


def test_rescinding_a_sale_ends_its_transfer(store: Store) -> None:
    """The code that was given out is worth nothing any more."""
    found = desk.ready(store, NOW)
    begun = desk.begun(store, found, desk.owner(store, "Berta", NOW), NOW)
    desk.post(store, found, "rescinded", NOW)
    with pytest.raises(transfers.WrongState) as refused:
        confirm(store, begun, begun.code)
    assert refused.value.state == "cancelled"


def test_a_step_that_comes_too_late_undoes_nothing(either: Store) -> None:
    """Whoever read the transfer before it was confirmed can neither lock nor expire it then."""
    found = desk.ready(either, NOW)
    begun = desk.begun(either, found, desk.owner(either, "Berta", NOW), NOW)
    stale = row_of(either, begun.row.transfer_id)
    confirm(either, begun, begun.code)
    for step in ("lock", "expire", "cancel"):
        with writing(either.engine) as connection:
            transfers.move(connection, stale, step, NOW)
        assert row_of(either, begun.row.transfer_id).state == "confirmed"


def test_nothing_is_passed_on_to_somebody_who_was_erased(store: Store) -> None:
    """Their transfer ran out, they were forgotten: no new code brings them back."""
    found = desk.ready(store, NOW)
    buyer = desk.owner(store, "Berta", NOW)
    begun = desk.begun(store, found, buyer, NOW)
    late = NOW + core.CODE_LIFE_MS
    assert transfers.load(store, MODE, begun.row.transfer_id, late).state == "expired"
    owners.erase(store, MODE, buyer, late)
    with pytest.raises(owners.NoSuchOwner):
        transfers.reissue(store, MODE, begun.row.transfer_id, late)
