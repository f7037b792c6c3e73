"""What is written down for the verifier: each thing once, with what it follows from."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from sqlalchemy import Engine, delete, event

from engine.core.codec import GENESIS
from gateway import archive
from gateway.archive import ArchiveError, Bookmark, Passage
from gateway.books import news, people, rights, webhooks
from gateway.books.news import Heard, UpTo
from gateway.books.people import Profile
from gateway.books.store import Vault, reading, writing
from gateway.core.webhooks import TYPES, Happening
from tests.gateway.decisions import AT, LINEAGE, SALT, decided, passages
from tests.gateway.selling_objects import TELLS, evening, record, rows, told

CLAIMS: dict[str, Any] = {
    "auction": "auction_k3f9_sold",
    "consumer": "cons_ana",
    "amount": "200.00",
    "currency": "EUR",
    "jti": "pay_1",
}


def begun(books: Engine, size: int = 1_000) -> list[Passage]:
    """The evening as the clerk reads it; the archive waits for its first event."""
    archive.begin(books, {0: Bookmark(LINEAGE, 0, GENESIS)})
    return passages(decided(evening()), size)


def write(books: Engine, size: int = 1_000) -> None:
    for passage in begun(books, size):
        record(books, [passage])


class Killed(ArchiveError):
    """What stands for a kill."""


def written_before(books: Engine, turn: Passage, statement: int) -> bool:
    """Write a turn down, killed before that statement, if it comes so far; is it written?"""
    left = count(statement, -1)

    def kill(*_: Any) -> None:
        if next(left) <= 0:
            raise Killed

    event.listen(books, "before_cursor_execute", kill)
    try:
        record(books, [turn])
    except Killed:
        return False
    finally:
        event.remove(books, "before_cursor_execute", kill)
    return True


def done(books: Engine, *kinds: str) -> list[news.Due]:
    """Tell what is due, as long as there is something of these kinds; in its order."""
    found = []
    while waiting := [one for one in news.due(books) if not kinds or one.kind in kinds]:
        for one in waiting:
            news.done(books, one, None, AT, is_known=True)
            found.append(one)
    return found


# ── From the log ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [1, 2, 7, 1_000])
def test_every_way_of_a_lot_is_told(books: Engine, size: int) -> None:
    """Listed once it is scheduled or open, and its end; however much the clerk reads at once."""
    write(books, size)
    assert told(books) == TELLS


def test_how_much_is_read_at_once_changes_no_origin(books: Engine) -> None:
    """An archive that is written anew from the log, in other turns, says the same again."""
    write(books, 1)
    first = {row.origin: (row.kind, row.serial) for row in rows(books)}
    with writing(books) as connection:
        connection.execute(delete(news.news))
        for table in reversed(archive.metadata.sorted_tables):
            connection.execute(delete(table))
    write(books, 5)
    assert {row.origin: (row.kind, row.serial) for row in rows(books)} == first


def test_an_archive_written_anew_tells_nothing_again(books: Engine) -> None:
    """What was told keeps its row, and the row keeps it from being told twice."""
    write(books, 3)
    done(books)
    kept = rows(books)
    with writing(books) as connection:
        for table in reversed(archive.metadata.sorted_tables):
            if table is not news.news:
                connection.execute(delete(table))
    write(books, 4)
    assert rows(books) == kept
    assert news.due(books) == []


def test_what_a_sale_is_told_with(books: Engine) -> None:
    """The hammer price in its currency, and who has bought; of the others nothing of the kind."""
    write(books)
    sold, given, paid = (
        next(row for row in rows(books) if (row.kind, row.serial) == which)
        for which in (("sold", "A1"), ("sold", "G1"), ("paid", "G1"))
    )
    assert (sold.hammer_price, sold.currency, sold.exponent) == (20_000, "EUR", 2)
    assert (sold.consumer_id, sold.lot_number, sold.mode) == ("cons_ana", "SOLD", "test")
    assert AT < sold.at < AT + 3_600_000
    for row in (given, paid):
        assert (row.hammer_price, row.currency, row.exponent) == (12, "GOLD", 0)
        assert row.consumer_id == "cons_cy"
    for row in rows(books):
        if row.kind not in ("sold", "paid"):
            assert (row.hammer_price, row.consumer_id) == (None, None)
    assert len({row.origin for row in rows(books)}) == len(TELLS)


def test_killed_before_any_statement_nothing_is_lost_or_told_twice(books: Engine) -> None:
    """Rows, bookmark and news of a turn come together, or none of them has."""
    kills = 0
    for turn in begun(books, 12):
        statement = 0
        while not written_before(books, turn, statement):
            assert archive.position(books, 0) == turn.before.seq
            statement += 1
        kills += statement
    assert kills > 50
    assert told(books) == TELLS


def test_a_lot_of_yesterday_is_listed_when_it_opens(books: Engine) -> None:
    """It was added by a house that told nobody."""
    turns = begun(books, 1)
    opened = next(n for n, turn in enumerate(turns) if "LotOpened" in repr(turn.events[0][1]))
    for turn in turns[:opened]:
        record(books, [turn])
    with writing(books) as connection:
        connection.execute(delete(news.news))
    for turn in turns[opened:]:
        record(books, [turn])
    assert ("listed", "sold", "A1") in told(books)
    assert ("sold", "sold", "A1") in told(books)


# ── In what order ────────────────────────────────────────────────────────────────────────


def test_of_each_object_the_oldest_is_told_first(books: Engine) -> None:
    """One thing at a time: what comes next waits until it is done."""
    write(books)
    first = {one.serial: one.kind for one in news.due(books)}
    assert first == dict.fromkeys(("A1", "B1", "C2", "D1", "E1", "F1", "F2", "G1"), "listed")
    order = [(one.kind, one.serial) for one in done(books)]
    for serial in ("A1", "B1", "F1", "G1"):
        own = [kind for kind, of in order if of == serial]
        assert own == [kind for kind, _, of in TELLS if of == serial]


def test_a_payment_waits_for_its_sale(books: Engine) -> None:
    """Paid before the clerk has written the sale down: told after it all the same."""
    turns = begun(books, 1)
    with writing(books) as connection:
        news.paid(connection, "test", "A1", CLAIMS, AT)
    assert news.due(books) == []
    for turn in turns:
        record(books, [turn])
    kinds = [one.kind for one in done(books) if one.serial == "A1"]
    assert kinds == ["listed", "sold", "paid"]
    [paid] = [row for row in rows(books) if row.kind == "paid" and row.serial == "A1"]
    assert (paid.hammer_price, paid.currency, paid.exponent) == (20_000, "EUR", 2)
    assert (paid.consumer_id, paid.auction_id) == ("cons_ana", CLAIMS["auction"])


def test_a_payment_is_told_once(books: Engine) -> None:
    """By the token that was used up; a currency without decimals has none."""
    with writing(books) as connection:
        for _ in range(2):
            news.paid(connection, "live", "A1", {**CLAIMS, "amount": "30000"}, AT)
    [row] = rows(books)
    assert (row.hammer_price, row.exponent, row.mode) == (30_000, 0, "live")


def test_modes_do_not_wait_for_each_other(books: Engine) -> None:
    """The same serial in live and in test is two objects."""
    write(books)
    with writing(books) as connection:
        live = {**CLAIMS, "auction": "auction_k3f9_given", "jti": "pay_2"}
        connection.execute(
            news.news.insert(),
            {
                "origin": "x",
                "kind": "listed",
                "mode": "live",
                "serial": "A1",
                "auction_id": live["auction"],
                "at": AT,
            },
        )
    assert {(one.mode, one.serial) for one in news.due(books)} >= {("live", "A1"), ("test", "A1")}


def test_an_erasure_is_written_down_with_it(books: Engine, vault: Vault) -> None:
    """Whom the house forgets the verifier forgets; once, and nobody's name is in the row."""
    with writing(books) as connection:
        profile = Profile(email="ana@example.test", first_name="Ana")
        people.write_down(connection, vault, "live", "cons_ana", profile, AT)
    assert rights.erase(books, vault, "cons_ana", AT + 1)
    assert not rights.erase(books, vault, "cons_ana", AT + 2)
    [row] = rows(books)
    assert (row.kind, row.mode, row.consumer_id, row.at) == ("erased", "live", "cons_ana", AT + 1)
    assert "ana@" not in repr(row)
    [due] = news.due(books)
    assert (due.serial, due.auction_id) == (None, None)


def test_who_is_forgotten_is_named_before_it(books: Engine, vault: Vault) -> None:
    """What was bought is told first: told afterwards, it would enter the person anew."""
    with writing(books) as connection:
        people.write_down(connection, vault, "test", "cons_cy", Profile(email="cy@a.test"), AT)
    write(books)
    rights.erase(books, vault, "cons_cy", AT + 1)
    kinds = [one.kind for one in done(books) if one.consumer_id == "cons_cy"]
    assert kinds == ["sold", "paid", "erased"]


# ── Telling again ────────────────────────────────────────────────────────────────────────


def test_what_was_told_last_is_known_by_its_origin(books: Engine) -> None:
    """Kept with what is done; what the verifier could not read is nothing that it knows."""
    write(books)
    assert news.told_last(books) is None
    first, second, *_ = news.due(books)
    news.done(books, second, "its binding is broken", AT, is_known=True)
    assert news.told_last(books) == second.origin
    news.done(books, first, "answered 400", AT, is_known=False)
    assert news.told_last(books) == second.origin


def test_what_was_forgotten_is_due_again_in_its_order(books: Engine) -> None:
    """However many rows that is; the others stay told."""
    with writing(books) as connection:
        for number in range(1_200):
            news.erased(connection, "test", f"cons_{number}", AT)
    done(books)
    pages: list[list[news.Told]] = []
    while page := news.all_told(books, pages[-1][-1].number if pages else 0):
        pages.append(page)
    assert [len(page) for page in pages] == [500, 500, 200]
    numbers = [one.number for page in pages for one in page]
    news.forgotten(books, numbers[7:])
    assert news.told_last(books) is None
    assert [one.number for one in done(books)] == numbers[7:]


# ── What the verifier says ───────────────────────────────────────────────────────────────


def said(number: int, mode: Any = "test", type_: str = "counterfeit.alert") -> Heard:
    return Heard(number, mode, Happening(type_, AT + number, {"serial": f"A{number}"}))


def subscribe(books: Engine, *events: str, mode: Any = "test") -> str:
    url = "https://shop.example/hook"
    made, _ = webhooks.create(
        books, b"key", mode, url, events or TYPES, AT - 1_000, allow_private=False
    )
    return made.webhook_id


def test_what_the_verifier_says_goes_to_those_who_asked(books: Engine) -> None:
    """In the same envelope as everything else, in its mode, and the number is kept with it."""
    alarmed = subscribe(books, "counterfeit.alert")
    subscribe(books, "transfer.completed")
    subscribe(books, mode="live")
    assert news.heard_up_to(books) == UpTo(0, None)
    assert news.pass_on(books, [said(3), said(7, "live")], SALT) == 2
    assert news.heard_up_to(books) == UpTo(7, AT + 7)
    due = webhooks.next_due(books, alarmed, AT)
    assert due is not None
    assert '"type":"counterfeit.alert"' in due.body
    assert '"test":true' in due.body
    assert '"data":{"serial":"A3"}' in due.body
    assert news.pass_on(books, [said(8, type_="unheard.of")], SALT) == 0
    assert news.heard_up_to(books) == UpTo(8, AT + 8)


def test_a_number_that_was_given_out_again_is_another_telling(books: Engine) -> None:
    """A verifier that was put back says something else under it: another id, and both are told."""
    subscribe(books)
    for at in (AT, AT + 5):
        news.pass_on(books, [said(3)._replace(happening=Happening(TYPES[-1], at, {}))], SALT)
    with reading(books) as connection:
        found = connection.execute(webhooks.deliveries.select()).all()
    assert len({row.delivery_id for row in found}) == 2
    assert news.heard_up_to(books) == UpTo(3, AT + 5)


def test_nobody_who_asked_and_still_it_was_heard(books: Engine) -> None:
    """Whoever subscribes later is told what comes later."""
    news.pass_on(books, [said(1)], SALT)
    subscribe(books)
    news.pass_on(books, [said(2)], SALT)
    with reading(books) as connection:
        found = connection.execute(webhooks.deliveries.select()).all()
    assert len(found) == 1
