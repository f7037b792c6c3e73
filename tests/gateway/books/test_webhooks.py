"""Webhooks in the books: made, rotated, deleted, and what became of each telling."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select

from gateway.books import webhooks
from gateway.books.store import BadField, writing
from gateway.books.webhooks import Attempt, Due, attempts
from gateway.core.webhooks import RETRY_AFTER_MS

KEY = b"the house's key for webhooks"
NOW = 1_795_000_000_000
DAY_MS = 24 * 3_600_000


def subscribe(books: Engine, url: str = "https://shop.example/hook") -> str:
    """A webhook of test mode; its id."""
    made, _ = webhooks.create(
        books, KEY, "test", url, ["auction.settled"], NOW, allow_private=False
    )
    return made.webhook_id


def put(books: Engine, webhook_id: str, *names: str) -> None:
    """Things to be told."""
    rows = [
        {
            "delivery_id": name,
            "webhook_id": webhook_id,
            "type": "auction.settled",
            "body": "{}",
            "state": "pending",
            "attempts": 0,
            "next_at": 0,
            "created_at": NOW,
        }
        for name in names
    ]
    with writing(books) as connection:
        webhooks.put(connection, rows)


def due(books: Engine, webhook_id: str, now: int = NOW) -> Due:
    """What is due next; there is something."""
    found = webhooks.next_due(books, webhook_id, now)
    assert found is not None
    return found


def answered(status: int | None) -> Attempt:
    return Attempt(NOW, status, None if status == 200 else "no", 12)


def test_a_webhook_is_made_and_listed_in_its_mode(books: Engine) -> None:
    """The secret is shown once; the other mode sees nothing."""
    made, secret = webhooks.create(
        books,
        KEY,
        "test",
        "https://shop.example/hook",
        ["auction.settled", "auction.settled", "auction.bid.placed"],
        NOW,
        allow_private=False,
    )
    assert secret.startswith("whsec_")
    assert made.events == ("auction.settled", "auction.bid.placed")
    assert webhooks.listed(books, "test") == [made]
    assert webhooks.listed(books, "live") == []
    with books.connect() as connection:
        row = connection.execute(select(webhooks.webhooks)).one()
    assert secret not in str(tuple(row))


@pytest.mark.parametrize(
    ("goes_to", "events", "field"),
    [
        ("http://shop.example/", ["auction.settled"], "url"),
        ("https://10.0.0.1/", ["auction.settled"], "url"),
        ("https://shop.example/", [], "events"),
        ("https://shop.example/", ["auction.settled", "auction.sold"], "events"),
    ],
)
def test_a_webhook_that_makes_no_sense_is_refused(
    books: Engine, goes_to: str, events: list[str], field: str
) -> None:
    """With the field that is wrong, and nothing is written."""
    with pytest.raises(BadField) as refused:
        webhooks.create(books, KEY, "test", goes_to, events, NOW, allow_private=False)
    assert refused.value.field == field
    assert webhooks.listed(books, "test") == []


def test_a_rotated_secret_signs_beside_the_new_one_for_a_day(books: Engine) -> None:
    """Then the new one alone; another rotation makes another."""
    hook = subscribe(books)
    put(books, hook, "whk_1")
    first = webhooks.secrets_of(KEY, due(books, hook), NOW)
    second = webhooks.rotate(books, KEY, "test", hook, NOW)
    assert webhooks.secrets_of(KEY, due(books, hook), NOW + DAY_MS - 1) == [second, *first]
    assert webhooks.secrets_of(KEY, due(books, hook), NOW + DAY_MS) == [second]
    third = webhooks.rotate(books, KEY, "test", hook, NOW)
    assert len({*first, second, third}) == 3
    assert webhooks.rotate(books, KEY, "live", hook, NOW) is None
    assert webhooks.rotate(books, KEY, "test", "wh_none", NOW) is None


def test_a_deleted_webhook_is_told_nothing_more(books: Engine) -> None:
    """What waits is given up, and an attempt under way does not bring it back."""
    hook = subscribe(books)
    put(books, hook, "whk_1", "whk_2")
    under_way = due(books, hook)
    assert not webhooks.remove(books, "live", hook, NOW)
    assert webhooks.remove(books, "test", hook, NOW)
    webhooks.mark(books, under_way, answered(500), NOW)
    assert webhooks.waiting(books) == {}
    assert webhooks.next_due(books, hook, NOW + DAY_MS) is None
    assert not webhooks.remove(books, "test", hook, NOW)
    assert webhooks.deliveries_of(books, "test", hook, None, 10) is None
    assert webhooks.replay(books, "test", "whk_1") is None


def test_tellings_keep_their_order_and_their_names(books: Engine) -> None:
    """First come, first told; one that failed comes back when its time has come."""
    hook = subscribe(books)
    put(books, hook, "whk_1", "whk_2", "whk_3")
    first = due(books, hook)
    assert webhooks.mark(books, first, answered(500), NOW) == "pending"
    second = due(books, hook)
    assert webhooks.mark(books, second, answered(200), NOW) == "delivered"
    assert (first.delivery_id, second.delivery_id) == ("whk_1", "whk_2")
    assert webhooks.mark(books, due(books, hook), answered(200), NOW) == "delivered"
    assert webhooks.waiting(books) == {hook: NOW + 60_000}
    again = due(books, hook, NOW + 60_000)
    assert (again.delivery_id, again.attempts) == ("whk_1", 1)


def test_eight_attempts_and_no_more(books: Engine) -> None:
    """Each leaves a row of its own."""
    hook = subscribe(books)
    put(books, hook, "whk_1")
    now = NOW
    for wait in (*RETRY_AFTER_MS, 0):
        state = webhooks.mark(books, due(books, hook, now), answered(None), now)
        assert state == ("pending" if wait else "failed")
        now += wait
    assert webhooks.waiting(books) == {}
    with books.connect() as connection:
        assert len(connection.execute(select(attempts)).all()) == 8
    found = webhooks.deliveries_of(books, "test", hook, None, 10)
    assert found is not None
    [delivery], more = found
    assert (delivery.state, delivery.attempts, delivery.last_error) == ("failed", 8, "no")
    assert more is None


def test_a_receiver_that_is_gone_is_left_alone(books: Engine) -> None:
    """410: this telling and all that wait are given up, and nothing new is told."""
    hook = subscribe(books)
    put(books, hook, "whk_1", "whk_2")
    assert webhooks.mark(books, due(books, hook), answered(410), NOW) == "gone"
    found = webhooks.deliveries_of(books, "test", hook, None, 10)
    assert found is not None
    assert [delivery.state for delivery in found[0]] == ["gone", "gone"]
    assert webhooks.listed(books, "test")[0].disabled_at == NOW
    with books.connect() as connection:
        assert webhooks.listeners(connection) == {}
    assert webhooks.replay(books, "test", "whk_1") is None


def test_a_replay_is_one_more_attempt_under_the_same_name(books: Engine) -> None:
    """Of what was told as of what has failed; not from the other mode."""
    hook = subscribe(books)
    put(books, hook, "whk_1")
    webhooks.mark(books, due(books, hook), answered(200), NOW)
    assert webhooks.replay(books, "live", "whk_1") is None
    asked = webhooks.replay(books, "test", "whk_1")
    assert asked is not None
    assert (asked.state, asked.next_at) == ("pending", 0)
    again = due(books, hook)
    assert (again.delivery_id, again.attempts) == ("whk_1", 1)


def test_deliveries_are_listed_newest_first_page_by_page(books: Engine) -> None:
    """Each once, whatever the page's size."""
    hook = subscribe(books)
    names = [f"whk_{number}" for number in range(7)]
    put(books, hook, *names)
    seen: list[str] = []
    cursor = None
    while (found := webhooks.deliveries_of(books, "test", hook, cursor, 3)) is not None:
        page, cursor = found
        seen += [delivery.delivery_id for delivery in page]
        if cursor is None:
            break
    assert seen == names[::-1]
    odd = webhooks.deliveries_of(books, "test", hook, "²", 100)
    assert odd is not None
    assert len(odd[0]) == 7
    assert webhooks.deliveries_of(books, "live", hook, None, 3) is None
