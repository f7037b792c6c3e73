"""The outbox: what is told follows from what happened, once, and says nothing it should not."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, Engine, event, select

from engine.core.codec import GENESIS
from engine.core.messages import (
    AddLot,
    CancelLot,
    Catalogue,
    CloseLot,
    Command,
    PauseLot,
    PlaceBid,
    RegisterBidder,
    Terms,
    UnpauseLot,
    UpdateLot,
)
from gateway import archive
from gateway.archive import Bookmark, Passage
from gateway.books import mailing, outbox, people, webhooks
from gateway.books.outbox import mails, offers
from gateway.books.people import Profile
from gateway.books.store import Vault, open_books, writing
from gateway.books.webhooks import Attempt, deliveries
from gateway.core.webhooks import TYPES
from tests.engine.core.saleroom import OPENING_KEY, SEALING, sealed_bid
from tests.gateway.decisions import AT, LINEAGE, SALT, Crowd, bid, decided, passages, sale_of_lots

LOT = "auction_k3f9_1"
KEY = b"the house's key for webhooks"
HOUR_MS = 3_600_000


def write(books: Engine, commands: Sequence[Command], size: int = 1_000) -> None:
    """Have the engine decide the commands; rows and outbox in one transaction, as the clerk."""
    archive.begin(books, {0: Bookmark(LINEAGE, 0, GENESIS)})
    for passage in passages(decided(commands), size):
        archive.record(books, [passage], SALT, [intending])


def intending(connection: Connection, found: Sequence[Passage]) -> None:
    for passage in found:
        outbox.intend(connection, passage, SALT)


def subscribe(books: Engine, *events: str, mode: Any = "test") -> str:
    """A webhook of those events; its id."""
    url = "https://shop.example/hook"
    made, _ = webhooks.create(
        books, KEY, mode, url, events or TYPES, AT - 1_000, allow_private=False
    )
    return made.webhook_id


def told(books: Engine) -> list[dict[str, Any]]:
    """Every envelope, in the order in which they are told."""
    with books.connect() as connection:
        query = select(deliveries.c.body).order_by(deliveries.c.number)
        return [json.loads(body) for body in connection.scalars(query)]


def written(books: Engine) -> list[Any]:
    """Every mail, in the order in which they are sent."""
    with books.connect() as connection:
        return list(connection.execute(select(mails).order_by(mails.c.number)))


def know(books: Engine, vault: Vault, *consumers: str, email: str | None = "@example.test") -> None:
    """Those consumers have an account; an address too, unless *email* is None."""
    with writing(books) as connection:
        for consumer in consumers:
            profile = Profile(email=f"{consumer}{email}" if email else None)
            people.write_down(connection, vault, "test", consumer, profile, AT)


# ── Deliveries ───────────────────────────────────────────────────────────────────────────


def test_what_happens_is_told_to_those_who_asked(books: Engine) -> None:
    """In its order, under ids of its own, each as often as there are webhooks for it."""
    everything, bids_only = subscribe(books), subscribe(books, "auction.bid.placed")
    write(books, [*sale_of_lots(), bid("cons_ana", 20_000), bid("cons_bo", 30_000)], size=1)
    found = told(books)
    assert [body["type"] for body in found] == [
        "distribution.opened",
        "auction.bid.placed",
        "auction.bid.placed",
        "auction.bid.placed",
        "auction.bid.placed",
        "auction.bid.outbid",
    ]
    assert len({body["id"] for body in found}) == 6
    assert all(body["test"] and body["organizationId"] == "org_house" for body in found)
    assert webhooks.waiting(books) == {everything: 0, bids_only: 0}


def test_what_was_told_before_is_known_in_the_next_turn(books: Engine) -> None:
    """Who is outbid stood at the price that an earlier turn had made."""
    subscribe(books, "auction.bid.outbid")
    bids = [bid("cons_ana", 30_000, "max"), bid("cons_bo", 20_000), bid("cons_cy", 40_000)]
    write(books, [*sale_of_lots(), *bids], size=1)
    [outbid] = told(books)
    assert outbid["data"]["previousBidAmount"] == "210.00"
    assert outbid["data"]["newHighBidAmount"] == "400.00"


def test_turns_of_any_size_tell_the_same(books: Engine) -> None:
    """How much the clerk reads at once changes neither a word nor an id."""
    subscribe(books)
    crowd = Crowd(7, "k3f9")
    commands = [*sale_of_lots(lots=4), *crowd.wishes(300)]
    write(books, commands, size=7)
    once = told(books)
    assert len(once) > 50
    with writing(books) as connection:
        for table in reversed(archive.metadata.sorted_tables):
            if table is not webhooks.webhooks:
                connection.execute(table.delete())
    write(books, commands, size=10_000)
    assert told(books) == once


def test_the_other_mode_is_told_nothing(books: Engine) -> None:
    """A webhook of live mode hears nothing of a sale in test mode."""
    subscribe(books, mode="live")
    write(books, [*sale_of_lots(), bid("cons_ana", 20_000)])
    assert told(books) == []


def test_several_winners_are_known_at_a_later_settlement(books: Engine) -> None:
    """Closed in one turn, settled in another: the winners come out of the archive."""
    subscribe(books, "auction.settled", "auction.consumer.won", "auction.bid.outbid")
    [sale, lot] = sale_of_lots(reserve=None)
    assert isinstance(lot, AddLot)
    terms = replace(lot.terms, winner_count=2)
    bids = [bid("cons_ana", 12_000), bid("cons_bo", 20_000), bid("cons_cy", 15_000)]
    write(books, [sale, replace(lot, terms=terms), *bids, CloseLot(LOT)], size=1)
    outbid, first, second, settled = told(books)
    assert outbid["data"]["previousBidAmount"] == "120.00"
    assert [first["data"]["consumerId"], second["data"]["consumerId"]] == ["cons_bo", "cons_cy"]
    assert settled["data"]["outcome"] == "sold"
    assert settled["data"]["winners"] == [
        {"consumerId": "cons_bo", "amount": "200.00"},
        {"consumerId": "cons_cy", "amount": "150.00"},
    ]


def test_a_sealed_auction_tells_amounts_only_when_it_is_settled(books: Engine) -> None:
    """Before: that it opened and closed.  After: who won, and how many had bid."""
    subscribe(books)
    [sale, lot] = sale_of_lots(reserve=None)
    assert isinstance(lot, AddLot)
    terms = replace(lot.terms, format="sealed_first", sealing=SEALING)
    bids = [sealed_bid("cons_ana", 20_000, "a", LOT), sealed_bid("cons_bo", 30_000, "b", LOT)]
    close = CloseLot(LOT, opening_key=OPENING_KEY)
    write(books, [sale, replace(lot, terms=terms), *bids, close], size=1)
    found = told(books)
    assert [body["type"] for body in found] == [
        "distribution.opened",
        "distribution.closed",
        "auction.consumer.won",
        "auction.settled",
    ]
    assert found[1]["data"]["totalParticipants"] == 2
    assert found[2]["data"]["winningBidAmount"] == "300.00"
    assert (found[3]["data"]["totalBids"], found[3]["data"]["uniqueBidders"]) == (2, 2)


def test_an_update_in_a_later_turn_names_what_changed(books: Engine) -> None:
    """Against what was last said of the lot, and not against the archive's new row."""
    subscribe(books, "distribution.updated")
    [sale, lot] = sale_of_lots(opens_at=AT + HOUR_MS)
    assert isinstance(lot, AddLot)
    higher = replace(lot.terms, reserve=17_770)
    printed = replace(lot.catalogue, name="Large jar")
    updates = [UpdateLot(LOT, 0, higher, lot.catalogue), UpdateLot(LOT, 1, higher, printed)]
    write(books, [sale, lot, *updates], size=1)
    assert [body["data"]["changedFields"] for body in told(books)] == [["reservePrice"], ["name"]]


def test_a_kill_before_the_commit_leaves_nothing(books: Engine) -> None:
    """Rows, bookmark and outbox are one transaction: next time all of it is written."""
    subscribe(books)
    archive.begin(books, {0: Bookmark(LINEAGE, 0, GENESIS)})
    [passage] = passages(decided([*sale_of_lots(), bid("cons_ana", 20_000)]), 1_000)

    def die(_connection: Connection, _passages: Sequence[Passage]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        archive.record(books, [passage], SALT, [intending, die])
    assert told(books) == []
    assert archive.position(books, 0) == 0
    archive.record(books, [passage], SALT, [intending])
    assert len(told(books)) == 2


# ── Mails ────────────────────────────────────────────────────────────────────────────────


def test_only_who_has_left_an_address_is_written_to(books: Engine, vault: Vault) -> None:
    """No row for a guest, for one without an address, for nobody; and no address in a row."""
    know(books, vault, "cons_ana")
    know(books, vault, "cons_bo", email=None)
    bids = [bid(f"cons_{who}", 20_000 + 5_000 * n) for n, who in enumerate(("ana", "bo", "cy"))]
    write(books, [*sale_of_lots(), *bids, CancelLot(LOT)])
    found = written(books)
    assert [(row.kind, row.consumer_id) for row in found] == [
        ("lost", "cons_ana"),
        ("outbid", "cons_ana"),
    ]
    assert all("example.test" not in str(tuple(row)) for row in found)


def outbid_again(*minutes: int) -> list[Command]:
    """Ana is outbid by Bo, and outbids him again, at each of the minutes."""
    found: list[Command] = []
    for number, _ in enumerate(minutes):
        found += [
            bid("cons_ana", 20_000 + number * 10_000),
            bid("cons_bo", 25_000 + number * 10_000),
        ]
    return found


def test_outbid_is_said_at_most_once_in_ten_minutes(books: Engine, vault: Vault) -> None:
    """A second time within them is put off, with the newest figures; not dropped."""
    know(books, vault, "cons_ana")
    commands = [*sale_of_lots(), *outbid_again(0, 1)]
    write(books, commands[:4], size=1)
    [first] = mailing.due_mails(books, AT, 10)
    mailing.done(books, first, "sent", AT + 4_000)
    for passage in passages(decided(commands), 1)[-2:]:
        archive.record(books, [passage], SALT, [intending])
    assert mailing.due_mails(books, AT + 4_000 + 10 * 60_000 - 1, 10) == []
    [second] = mailing.due_mails(books, AT + 4_000 + 10 * 60_000, 10)
    assert (second.kind, second.consumer_id) == ("outbid", "cons_ana")
    assert second.figures["price"] == 35_000


def test_a_mail_that_waits_speaks_of_the_newest_bid(books: Engine, vault: Vault) -> None:
    """Outbid three times before it goes out: one mail, with the last price."""
    know(books, vault, "cons_ana")
    write(books, [*sale_of_lots(), *outbid_again(0, 1, 2)], size=1)
    [only] = [row for row in written(books) if row.kind == "outbid"]
    assert only.figures["price"] == 45_000


def test_whoever_leads_again_need_not_be_told(books: Engine, vault: Vault) -> None:
    """What the archive says when the mail is sent decides."""
    know(books, vault, "cons_ana")
    commands = [*sale_of_lots(), *outbid_again(0)]
    write(books, commands, size=1)
    [mail] = mailing.due_mails(books, AT, 10)
    about = mailing.subject_of(books, mail)
    assert about is not None
    assert not about.leads_again
    assert (about.lot_number, about.sale_name, about.currency) == ("1A", "Studio ceramics", "EUR")
    later = passages(decided([*commands, bid("cons_ana", 60_000)]), 1)[-1]
    archive.record(books, [later], SALT, [intending])
    about = mailing.subject_of(books, mail)
    assert about is not None
    assert about.leads_again


def test_a_registration_that_the_house_decides_is_told(books: Engine, vault: Vault) -> None:
    """Of the sale, without a lot."""
    know(books, vault, "cons_ana")
    decision = RegisterBidder("seq_k3f9", "cons_ana", "declined", reason="No deposit", by="key_1")
    write(books, [*sale_of_lots(), decision])
    [row] = written(books)
    assert (row.kind, row.sale_id, row.auction_id) == ("registration", "seq_k3f9", None)
    assert row.figures["reason"] == "No deposit"


def test_a_mail_that_does_not_go_out_is_tried_eight_times(books: Engine, vault: Vault) -> None:
    """On the schedule of webhooks, then it has failed."""
    know(books, vault, "cons_ana")
    write(books, [*sale_of_lots(), bid("cons_ana", 20_000), CancelLot(LOT)])
    now, waits = AT, []
    while due := mailing.due_mails(books, now, 1):
        mailing.put_off(books, due[0], "no server", now)
        later = mailing.next_mail_at(books)
        if later is None:
            break
        waits.append((later - now) // 60_000)
        now = later
    assert waits == [1, 5, 30, 120, 360, 720, 1440]
    [row] = written(books)
    assert (row.state, row.attempts, row.last_error) == ("failed", 8, "no server")


# ── What comes with time ─────────────────────────────────────────────────────────────────


def timed_sale(closes_at: int) -> list[Command]:
    """A sale whose lot closes then, and is extended by late bids."""
    terms = Terms(
        10_000,
        sale_of_lots()[1].terms.increments,  # type: ignore[union-attr]
        opens_at=0,
        closes_at=closes_at,
        extension_window_ms=60_000,
        extension_ms=120_000,
    )
    return [sale_of_lots()[0], AddLot(LOT, "seq_k3f9", terms, Catalogue("12A", "Jar"))]


def test_a_quarter_of_an_hour_before_the_end_the_outbid_are_told(
    books: Engine, vault: Vault
) -> None:
    """Once a lot, and not the leader."""
    know(books, vault, "cons_ana", "cons_bo", "cons_cy")
    closes_at = AT + HOUR_MS
    bids = [bid("cons_ana", 20_000), bid("cons_bo", 30_000), bid("cons_cy", 25_000, "max")]
    write(books, [*timed_sale(closes_at), *bids[:2]])
    due_at = outbox.next_reminder_at(books)
    assert due_at == closes_at - 15 * 60_000
    assert outbox.due_notices(books, due_at - 1, SALT) == 0
    assert outbox.due_notices(books, due_at, SALT) == 1
    assert outbox.due_notices(books, due_at + 1, SALT) == 0
    assert outbox.next_reminder_at(books) is None
    assert [r.consumer_id for r in written(books) if r.kind == "ending_soon"] == ["cons_ana"]


def test_an_extension_moves_the_end_and_reminds_nobody_twice(books: Engine, vault: Vault) -> None:
    """Nor does a pause; a lot that has no end reminds nobody."""
    know(books, vault, "cons_ana", "cons_bo")
    closes_at = AT + 50_000
    commands = [*timed_sale(closes_at), bid("cons_ana", 20_000), bid("cons_bo", 30_000)]
    write(books, commands, size=1)
    with books.connect() as connection:
        offer = connection.execute(select(offers)).one()
    assert offer.closes_at == AT + 2_000 + 120_000  # extended by the first bid
    assert outbox.due_notices(books, AT, SALT) == 1
    events = decided([*commands, PauseLot(LOT), UnpauseLot(LOT), bid("cons_ana", 40_000)])
    for passage in passages(events, 1)[len(passages(decided(commands), 1)) :]:
        archive.record(books, [passage], SALT, [intending])
    assert outbox.next_reminder_at(books) is None
    assert outbox.due_notices(books, AT, SALT) == 0


def test_a_lot_that_is_over_is_not_on_offer(books: Engine) -> None:
    """Nothing is kept of it here once it is closed or canceled."""
    write(books, [*sale_of_lots(lots=3), CancelLot(LOT), CloseLot("auction_k3f9_2")])
    with books.connect() as connection:
        assert list(connection.scalars(select(offers.c.auction_id))) == ["auction_k3f9_3"]


# ── Old things ───────────────────────────────────────────────────────────────────────────


def test_what_is_done_with_is_forgotten_after_a_while(books: Engine, vault: Vault) -> None:
    """Old and told is gone, with its attempts; what waits stays, however old."""
    know(books, vault, "cons_ana")
    hook = subscribe(books)
    write(books, [*sale_of_lots(), bid("cons_ana", 20_000), CancelLot(LOT)])
    before = len(told(books))
    due = webhooks.next_due(books, hook, AT)
    assert due is not None
    webhooks.mark(books, due, Attempt(AT, 200, None, 1), AT)
    webhooks.forget(books, AT + HOUR_MS)
    mailing.forget(books, AT + HOUR_MS)
    assert len(told(books)) == before - 1
    assert len(written(books)) == 1


# ── A large house ────────────────────────────────────────────────────────────────────────

MOST_PARAMETERS = 600  # in one statement here; a real database takes some tens of thousands
MANY = 700


@pytest.fixture
def narrow_books(tmp_path: Path) -> Iterator[Engine]:
    """Books whose database takes few parameters, so that few bidders are already many."""
    engine = open_books(f"sqlite:///{tmp_path / 'books.db'}")

    def narrow(connection: sqlite3.Connection, _record: object) -> None:
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, MOST_PARAMETERS)

    event.listen(engine, "connect", narrow)
    engine.dispose()
    yield engine
    engine.dispose()


def test_however_many_have_bid_all_are_told_of_the_end(narrow_books: Engine, vault: Vault) -> None:
    """More than fit into one question to the database."""
    crowd = [f"cons_{number:04}" for number in range(MANY)]
    know(narrow_books, vault, *crowd)
    bids = [bid(who, 20_000 + 5_000 * number) for number, who in enumerate(crowd)]
    write(narrow_books, [*sale_of_lots(), *bids, CancelLot(LOT)], size=100)
    assert [r.consumer_id for r in written(narrow_books) if r.kind == "lost"] == crowd


def test_however_many_lots_close_soon_all_are_told_of(narrow_books: Engine, vault: Vault) -> None:
    """A sale whose lots all have one end, and more of them than fit into one question."""
    know(narrow_books, vault, "cons_ana", "cons_bo")
    sale, lot = timed_sale(AT + HOUR_MS)
    assert isinstance(lot, AddLot)
    commands = [sale]
    for name in (f"auction_k3f9_{number}" for number in range(1, MANY + 1)):
        ana, bo = (PlaceBid(name, f"cons_{who}", who, 20_000, "bid") for who in ("ana", "bo"))
        commands += [replace(lot, auction_id=name), ana, replace(bo, amount=30_000)]
    write(narrow_books, commands, size=100)
    assert outbox.due_notices(narrow_books, AT + HOUR_MS - 60_000, SALT) == MANY
    assert outbox.next_reminder_at(narrow_books) is None
