"""What bidders do on their own pages: lots they watch, and limits that they ask for."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from gateway.books import limit_wishes, people, watching
from gateway.books.limit_wishes import LimitWish
from gateway.books.people import read_profile
from gateway.books.store import Vault
from tests.gateway.books.conftest import NOW, at_once


@pytest.fixture
def ada(books: Engine, vault: Vault) -> str:
    profile = read_profile(email="ada@example.test")
    person, _ = people.create_or_get_by_email(books, vault, "test", profile, NOW)
    return person.consumer_id


def test_a_lot_is_watched_until_it_is_let_go(books: Engine, ada: str) -> None:
    """The last marked comes first; letting go of what nobody watches is nothing."""
    for at, lot in enumerate(("a", "b", "c")):
        assert watching.watch(books, ada, lot, NOW + at)
    assert watching.watch(books, ada, "a", NOW + 9)  # already: it keeps its place
    assert watching.watched_by(books, ada) == ["c", "b", "a"]
    watching.unwatch(books, ada, "b")
    watching.unwatch(books, ada, "b")
    assert watching.watched_by(books, ada) == ["c", "a"]
    assert watching.watched_by(books, "cons_nobody") == []


def test_marking_twice_at_once_is_marking_once(books: Engine, ada: str) -> None:
    """Two tabs, two gateways: one mark."""
    assert at_once(8, lambda _: watching.watch(books, ada, "a", NOW)) == [True] * 8
    assert watching.watched_by(books, ada) == ["a"]


def test_nobody_watches_without_end(
    books: Engine, ada: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the most, nothing more is marked, and nothing that was is lost."""
    monkeypatch.setattr(watching, "MOST", 2)
    assert [watching.watch(books, ada, lot, NOW) for lot in "abc"] == [True, True, False]
    assert watching.watched_by(books, ada) == ["a", "b"]
    assert watching.watch(books, ada, "a", NOW)


def test_the_last_wish_for_a_limit_counts(books: Engine, ada: str) -> None:
    """One a sale; it is open until the house says something about the registration."""
    limit_wishes.ask(books, LimitWish("seq_1", ada, 500_000, NOW))
    limit_wishes.ask(books, LimitWish("seq_2", ada, 100_000, NOW))
    limit_wishes.ask(books, LimitWish("seq_1", ada, 700_000, NOW + 5))
    wish = limit_wishes.wishes_of_sale(books, "seq_1")[ada]
    assert wish == LimitWish("seq_1", ada, 700_000, NOW + 5)
    assert wish.is_open(NOW)
    assert not wish.is_open(NOW + 5)
    assert limit_wishes.wishes_of_sale(books, "seq_3") == {}
