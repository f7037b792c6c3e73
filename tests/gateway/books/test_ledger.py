"""The ledger's rows: exact, written once, and never below zero; the same on both databases."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import pytest
from sqlalchemy import Connection, Engine, event, select, text
from sqlalchemy.exc import IntegrityError

from gateway.books import ledger
from gateway.books.ledger import Asset, accounts, holds
from gateway.books.store import BadField, BooksError, reading, writing
from gateway.core import ledger as lines_of
from gateway.core.ledger import LARGEST, Account, Hold, Overdrawn, Prize
from tests.gateway.books.bookkeeping import check_books, check_holds, live_bids
from tests.gateway.books.conftest import NOW, at_once

LOT = "auction_k3f9_1"
TOKEN = 10**18


@pytest.fixture
def gold(books: Engine) -> Asset:
    """An asset of 18 decimals, which bids are made in."""
    return ledger.create_asset(books, "test", "erc20", "GLD", "Gold", 18, NOW)


@pytest.fixture
def jars(books: Engine) -> Asset:
    """What is sold."""
    return ledger.create_asset(books, "test", "erc1155", "JAR", "Jars", 0, NOW + 1)


def bid(
    books: Engine, gold: Asset, consumer: str, millionths: int, bid_id: str = "", expires: int = 0
) -> str:
    """Have a bid paid in; *bid_id* is made of the bidder where none is given."""
    return ledger.hold_for_bid(
        books,
        bid_id=bid_id or f"bid_{consumer}",
        auction_id=LOT,
        consumer_id=consumer,
        cmd_id=f"cmd-{bid_id or consumer}",
        asset_id=gold.asset_id,
        amount=millionths,
        exponent=6,
        expires_at=expires or NOW + 10_000,
        at=NOW,
    )


def rich(books: Engine, gold: Asset, consumer: str, tokens: int) -> None:
    """Give somebody so many whole tokens."""
    said = ledger.issue(books, f"to-{consumer}", consumer, gold.asset_id, tokens * TOKEN, NOW)
    assert said == "issued"


def money(books: Engine, consumer: str) -> list[tuple[str, int, int]]:
    """Symbol, available and held, of everything that somebody has."""
    return [(b.symbol, b.available, b.held) for b in ledger.balances(books, consumer)]


# ── Assets ───────────────────────────────────────────────────────────────────────────────


def test_assets_are_found_in_their_own_mode_only(books: Engine, gold: Asset, jars: Asset) -> None:
    """A live key sees no test asset."""
    assert ledger.asset(books, "test", gold.asset_id) == gold
    assert ledger.asset(books, "live", gold.asset_id) is None
    assert ledger.list_assets(books, "test", 10) == [gold, jars]
    assert ledger.list_assets(books, "test", 1) == [gold]
    assert ledger.list_assets(books, "test", 1, gold.asset_id) == [jars]
    assert ledger.list_assets(books, "live", 10) == []
    with pytest.raises(BadField, match="end_cursor"):
        ledger.list_assets(books, "live", 10, gold.asset_id)


@pytest.mark.parametrize(("kind", "decimals"), [("erc721", 1), ("erc20", 37), ("erc20", -1)])
def test_decimals_that_cannot_be_kept_are_refused(books: Engine, kind: str, decimals: int) -> None:
    """What cannot be divided has none, and nobody has more than an account has digits for."""
    with pytest.raises(BadField, match="from 0 to"):
        ledger.create_asset(
            books, "test", "erc20" if kind == "erc20" else "erc721", "X", "X", decimals, NOW
        )


# ── Users' money ─────────────────────────────────────────────────────────────────────────


def test_an_issue_counts_once(books: Engine, gold: Asset) -> None:
    """The same key again changes nothing, also days later."""
    rich(books, gold, "cons_ana", 100)
    again = ledger.issue(
        books, "to-cons_ana", "cons_ana", gold.asset_id, 100 * TOKEN, NOW + 86_400_000
    )
    assert again == "exists"
    assert money(books, "cons_ana") == [("GLD", 100 * TOKEN, 0)]
    check_books(books)


def test_another_issue_under_the_same_key_is_told_apart(
    books: Engine, gold: Asset, jars: Asset
) -> None:
    """Another amount, another user or another asset: nothing is issued, and it is not said to be."""
    rich(books, gold, "cons_ana", 100)
    for consumer, asset, amount in (
        ("cons_ana", gold, 7),
        ("cons_bo", gold, 100 * TOKEN),
        ("cons_ana", jars, 100 * TOKEN),
    ):
        said = ledger.issue(books, "to-cons_ana", consumer, asset.asset_id, amount, NOW)
        assert said == "mismatch"
    assert money(books, "cons_ana")[0] == ("GLD", 100 * TOKEN, 0)
    check_books(books)


def test_an_amount_beyond_an_account_is_not_issued(books: Engine, gold: Asset) -> None:
    """The largest amount is kept to the last unit; with one more there is nothing written."""
    assert ledger.issue(books, "k1", "cons_ana", gold.asset_id, LARGEST, NOW) == "issued"
    assert ledger.issue(books, "k2", "cons_bo", gold.asset_id, 1, NOW) == "too_much"
    assert money(books, "cons_ana") == [("GLD", LARGEST, 0)]
    assert money(books, "cons_bo") == []
    check_books(books)


def test_a_bid_is_paid_in_once(books: Engine, gold: Asset) -> None:
    """Twelve and a half tokens are set aside, also when the bid is sent again."""
    rich(books, gold, "cons_ana", 20)
    assert bid(books, gold, "cons_ana", 12_500_000) == "held"
    assert bid(books, gold, "cons_ana", 12_500_000) == "exists"
    assert money(books, "cons_ana") == [("GLD", 7_500_000 * 10**12, 12_500_000 * 10**12)]
    check_books(books)


def test_under_the_same_id_no_other_amount_is_as_good_as_held(books: Engine, gold: Asset) -> None:
    """Of one millionth held nobody bids ninety tokens, nor of one token another; it stays held."""
    silver = ledger.create_asset(books, "test", "erc20", "SLV", "Silver", 18, NOW)
    rich(books, gold, "cons_ana", 100)
    assert bid(books, gold, "cons_ana", 1) == "held"
    assert bid(books, gold, "cons_ana", 90_000_000, expires=NOW + 60_000) == "mismatch"
    assert bid(books, silver, "cons_ana", 1, expires=NOW + 60_000) == "mismatch"
    assert bid(books, gold, "cons_ana", 1) == "exists"
    with reading(books) as connection:
        row = connection.execute(select(holds)).one()
    assert (int(row.amount), row.expires_at) == (10**12, NOW + 10_000)
    check_books(books)


def test_a_bid_sent_again_is_held_for_longer(books: Engine, gold: Asset) -> None:
    """Until the later of the two instants: it may be appended with either."""
    rich(books, gold, "cons_ana", 20)
    for expires in (NOW + 5_000, NOW + 9_000, NOW + 7_000):
        bid(books, gold, "cons_ana", 1, expires=expires)
    with reading(books) as connection:
        assert connection.scalar(select(holds.c.expires_at)) == NOW + 9_000


def test_who_has_too_little_holds_nothing(books: Engine, gold: Asset) -> None:
    """One millionth short: refused, and no row tells of it."""
    rich(books, gold, "cons_ana", 20)
    assert bid(books, gold, "cons_ana", 20_000_001) == "insufficient"
    assert bid(books, gold, "cons_bo", 1) == "insufficient"
    assert money(books, "cons_ana") == [("GLD", 20 * TOKEN, 0)]
    assert money(books, "cons_bo") == []
    with reading(books) as connection:
        assert connection.execute(select(holds)).all() == []


def test_an_asset_that_nobody_knows_can_buy_nothing(books: Engine, gold: Asset) -> None:
    """There is nothing of it in any account."""
    unknown = Asset("no-such", "test", "erc20", "X", "X", 18, NOW)
    assert bid(books, unknown, "cons_ana", 1) == "insufficient"


@pytest.mark.parametrize("paid", [False, True])
def test_a_hold_that_has_ended_with_its_bid_says_so(
    books: Engine, gold: Asset, jars: Asset, paid: bool
) -> None:
    """The gateway must not append such a bid as if it were paid: taken and lost, or won."""
    rich(books, gold, "cons_ana", 20)
    bid(books, gold, "cons_ana", 1)
    with writing(books) as connection:
        [live] = ledger.live_holds(connection, [LOT])
        if paid:
            ledger.end(connection, [lines_of.pay(live.hold, "burn", Prize(jars.asset_id), NOW)])
        else:
            ledger.take(connection, [(live.hold.bid_id, NOW)])
            ledger.end(connection, [lines_of.release(live.hold, NOW)])
    before = money(books, "cons_ana")
    for millionths in (1, 2):
        assert bid(books, gold, "cons_ana", millionths) == "ended"
    assert money(books, "cons_ana") == before


def test_what_was_released_for_a_bid_that_never_came_is_held_anew(
    books: Engine, gold: Asset
) -> None:
    """Under keys of its own, for another amount too; each of them ends once."""
    rich(books, gold, "cons_ana", 20)
    for tokens in (5, 7, 5):
        assert bid(books, gold, "cons_ana", tokens * 1_000_000) == "held"
        assert bid(books, gold, "cons_ana", tokens * 1_000_000) == "exists"
        assert money(books, "cons_ana") == [("GLD", (20 - tokens) * TOKEN, tokens * TOKEN)]
        with writing(books) as connection:
            live = ledger.live_holds(connection, [LOT])
        ends = [lines_of.release(one.hold, NOW) for one in live]
        for _ in range(2):
            with writing(books) as connection:
                ledger.end(connection, ends)
    assert money(books, "cons_ana") == [("GLD", 20 * TOKEN, 0)]
    keys = [entry.reference for entry in ledger.entries_of_auction(books, LOT)]
    assert keys == [
        f"{what}:bid_cons_ana{number}" for number in ("", ":2", ":3") for what in ("hold", "end")
    ]
    check_books(books)
    check_holds(books)


def test_the_end_of_an_earlier_hold_does_not_end_a_later_one(books: Engine, gold: Asset) -> None:
    """Said again after the amount was held anew, it changes nothing."""
    rich(books, gold, "cons_ana", 20)
    bid(books, gold, "cons_ana", 5_000_000)
    with writing(books) as connection:
        [live] = ledger.live_holds(connection, [LOT])
    release_all(books)
    assert bid(books, gold, "cons_ana", 5_000_000) == "held"
    with writing(books) as connection:
        ledger.end(connection, [lines_of.release(live.hold, NOW)])
    assert money(books, "cons_ana") == [("GLD", 15 * TOKEN, 5 * TOKEN)]
    assert live_bids(books) == {"bid_cons_ana"}
    check_holds(books)


def test_held_anew_at_once_it_is_held_once(books: Engine, gold: Asset) -> None:
    """Six retries of a bid whose first amount was released."""
    rich(books, gold, "cons_ana", 30)
    bid(books, gold, "cons_ana", 10_000_000)
    release_all(books)
    said = at_once(6, lambda _: bid(books, gold, "cons_ana", 10_000_000))
    assert sorted(said) == ["exists"] * 5 + ["held"]
    assert money(books, "cons_ana") == [("GLD", 20 * TOKEN, 10 * TOKEN)]
    check_books(books)


def release_all(books: Engine) -> None:
    """End every live hold of the auction."""
    with writing(books) as connection:
        live = ledger.live_holds(connection, [LOT])
        ledger.end(connection, [lines_of.release(one.hold, NOW) for one in live])


def test_of_many_bids_at_once_the_money_covers_some(books: Engine, gold: Asset) -> None:
    """Eight gateways bid eight times ten for somebody who has thirty: three are held."""
    rich(books, gold, "cons_ana", 30)
    said = at_once(8, lambda n: bid(books, gold, "cons_ana", 10_000_000, f"bid_{n}"))
    assert sorted(said) == ["held"] * 3 + ["insufficient"] * 5
    assert money(books, "cons_ana") == [("GLD", 0, 30 * TOKEN)]
    check_books(books)


def test_the_same_bid_at_once_is_held_once(books: Engine, gold: Asset) -> None:
    """A retry that overtakes is no second hold, and no error."""
    rich(books, gold, "cons_ana", 30)
    said = at_once(6, lambda _: bid(books, gold, "cons_ana", 10_000_000))
    assert sorted(said) == ["exists"] * 5 + ["held"]
    assert money(books, "cons_ana") == [("GLD", 20 * TOKEN, 10 * TOKEN)]


def test_many_users_are_issued_to_at_once(books: Engine, gold: Asset) -> None:
    """They all meet at the account of the world outside, and nobody stands still."""

    def one(number: int) -> str:
        key = f"k{number}"
        return ledger.issue(books, key, f"cons_{number}", gold.asset_id, TOKEN, NOW)

    assert at_once(8, one) == ["issued"] * 8
    check_books(books)


# ── The end of bids ──────────────────────────────────────────────────────────────────────


def test_an_auction_is_settled_once(books: Engine, gold: Asset, jars: Asset) -> None:
    """Ana pays and is given a jar, Bo has his tokens back; again, and nothing moves."""
    for consumer in ("cons_ana", "cons_bo"):
        rich(books, gold, consumer, 20)
        bid(books, gold, consumer, 12_000_000)
    with writing(books) as connection:
        live = [one.hold for one in ledger.live_holds(connection, [LOT])]
    prize = Prize(jars.asset_id, "7")
    ends = lines_of.settle(live, ["bid_cons_ana"], prize, 1, "transfer", NOW + 1)
    for _ in range(2):
        with writing(books) as connection:
            ledger.end(connection, ends)
    assert money(books, "cons_ana") == [("GLD", 8 * TOKEN, 0), ("JAR", 1, 0)]
    assert ledger.balances(books, "cons_ana")[1].token_id == "7"
    assert money(books, "cons_bo") == [("GLD", 20 * TOKEN, 0)]
    entries = ledger.entries_of_auction(books, LOT)
    assert [entry.reference for entry in entries] == [
        "hold:bid_cons_ana",
        "hold:bid_cons_bo",
        "end:bid_cons_ana",
        "mint:bid_cons_ana",
        "end:bid_cons_bo",
    ]
    assert entries[2].credit == Account("house", gold.asset_id, "", "house")
    assert entries[2].amount == 12 * TOKEN
    check_books(books)


def test_a_bid_ends_in_one_way(books: Engine, gold: Asset, jars: Asset) -> None:
    """Released first, it cannot be paid with afterwards, and nothing is minted for it."""
    rich(books, gold, "cons_ana", 20)
    bid(books, gold, "cons_ana", 12_000_000)
    with writing(books) as connection:
        [live] = ledger.live_holds(connection, [LOT])
    release_all(books)
    paid = lines_of.pay(live.hold, "burn", Prize(jars.asset_id), NOW)
    with writing(books) as connection:
        assert ledger.live_holds(connection, [LOT]) == []
        assert ledger.post(connection, [paid.lines]) == 0
    assert money(books, "cons_ana")[0] == ("GLD", 20 * TOKEN, 0)
    assert [entry.reference for entry in ledger.entries_of_auction(books, LOT)] == [
        "hold:bid_cons_ana",
        "end:bid_cons_ana",
    ]


def test_a_thousand_bids_end_at_once(books: Engine, gold: Asset) -> None:
    """More accounts than one statement takes."""
    many = [Hold(f"bid_{n}", LOT, f"cons_{n}", gold.asset_id, n + 1) for n in range(1_000)]
    with writing(books) as connection:
        for entries in (
            [[lines_of.issue(m.bid_id, m.consumer_id, gold.asset_id, 2_000, NOW)] for m in many],
            [[lines_of.hold(one, NOW)] for one in many],
        ):
            assert ledger.post(connection, entries) == 1_000
        ledger.end(connection, [lines_of.release(one, NOW) for one in many])
    check_books(books)


def test_only_expired_and_unseen_holds_are_orphans(books: Engine, gold: Asset) -> None:
    """One that the log has taken never expires; one that may still come does not yet."""
    rich(books, gold, "cons_ana", 20)
    for bid_id, expires in (("bid_a", NOW + 1), ("bid_b", NOW + 2), ("bid_c", NOW + 3)):
        bid(books, gold, "cons_ana", 1, bid_id, expires)
    with writing(books) as connection:
        ledger.take(connection, [("bid_a", NOW)])
        found = ledger.unseen_holds(connection, NOW + 2)
    assert [one.hold.bid_id for one in found] == ["bid_b"]


# ── What no row can be ───────────────────────────────────────────────────────────────────


_TWICE = """
    INSERT INTO journal
    SELECT id + 9, journal_key, debit, credit, asset_id, amount, at, auction_id, bid_id FROM journal
"""


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE accounts SET balance = '-' || substr(balance, 2) WHERE kind = 'available'",
        "UPDATE accounts SET balance = '5' WHERE kind = 'available'",
        "UPDATE journal SET amount = '-' || substr(amount, 2)",
        "UPDATE journal SET amount = replace(amount, '1', '0')",  # of nothing
        "UPDATE journal SET credit = debit",
        "UPDATE journal SET asset_id = (SELECT asset_id FROM assets WHERE symbol = 'JAR')",
        "UPDATE journal SET debit = 99",
        _TWICE,
    ],
)
def test_the_database_itself_refuses_what_cannot_be(
    books: Engine, gold: Asset, jars: Asset, change: str
) -> None:
    """Below zero, of nothing, of two assets, to itself, or twice: no statement writes it."""
    rich(books, gold, "cons_ana", 1)
    with pytest.raises(IntegrityError), books.execution_options(writes=True).begin() as connection:
        connection.execute(text(change))
    check_books(books)


# ── Killed in the middle, ten thousand times ─────────────────────────────────────────────


class _Killed(Exception):
    """What stands for a kill: the transaction ends wherever it was."""


@contextmanager
def killed_after(books: Engine, statements: int) -> Iterator[None]:
    """Let so many statements through and no more; negative: all of them."""
    left = count(statements, -1)

    def cut(*_: object) -> None:
        if next(left) == 0:
            raise _Killed

    event.listen(books, "before_cursor_execute", cut)
    try:
        yield
    finally:
        event.remove(books, "before_cursor_execute", cut)


OPERATIONS = {"sqlite": 10_000, "postgresql": 3_000}  # together half a minute
_AT_ONCE = 20  # operations of a transaction: as many fsyncs are the disk's test, not ours


def test_ten_thousand_operations_with_kills_leave_the_books_balanced(
    books: Engine, gold: Asset, jars: Asset
) -> None:
    """Issues, holds, releases and settlements in any order, some twice, one in ten cut off.

    What was cut off left nothing; what was not is what a ledger in plain Python comes to.
    """
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    shop = _Shop(gold, jars, dice)
    kills = 0
    for _ in range(OPERATIONS[books.dialect.name] // _AT_ONCE):
        # A transaction of twenty has about a hundred statements.
        kill = dice.randrange(0, 100) if dice.random() < 0.1 else -1
        wishes = [shop.wish() for _ in range(_AT_ONCE)]
        try:
            with killed_after(books, kill), writing(books) as connection:
                done = [wish for wish in wishes if _carried_out(connection, wish)]
            shop.keep(done)
        except _Killed:
            kills += 1
    check_books(books)
    assert shop.balances(books) == shop.told, f"seed {seed}"
    assert kills > 3
    assert {account.kind for account in shop.told} == {
        "available",
        "held",
        "house",
        "issued",
        "burned",
    }


class _Shop:
    """Thinks up what is tried, and keeps a plain account of what was done."""

    def __init__(self, gold: Asset, jars: Asset, dice: random.Random) -> None:
        self._gold, self._jars, self._dice = gold.asset_id, jars.asset_id, dice
        self._number = 0
        self.told: dict[Account, int] = {}

    def wish(self) -> list[lines_of.Line]:
        self._number += 1
        # A bid in two is one that there was before: held again, or ended, perhaps once more.
        number = self._dice.randrange(max(1, self._number - 50), self._number + 1)
        who = f"cons_{number % 7}"
        one = Hold(f"bid_{number}", LOT, who, self._gold, number % 90 + 1)
        tries: tuple[Callable[[], list[lines_of.Line]], ...] = (
            lambda: [lines_of.issue(f"k{number}", who, self._gold, 100, NOW)],
            lambda: [lines_of.hold(one, NOW)],
            lambda: list(lines_of.release(one, NOW).lines),
            lambda: list(lines_of.pay(one, "burn", Prize(self._jars), NOW).lines),
            lambda: list(lines_of.pay(one, "transfer", Prize(self._jars, "7"), NOW).lines),
        )
        return self._dice.choices(tries, (2, 5, 2, 1, 1))[0]()

    def keep(self, wishes: list[list[lines_of.Line]]) -> None:
        """Told again what was done, without a database."""
        for line in (line for wish in wishes for line in wish):
            self.told[line.debit] = self.told.get(line.debit, 0) - line.amount
            self.told[line.credit] = self.told.get(line.credit, 0) + line.amount

    def balances(self, books: Engine) -> dict[Account, int]:
        """What the books say, of accounts that anything was ever in."""
        with reading(books) as connection:
            rows = connection.execute(select(accounts)).all()
        return {
            account: amount
            for row in rows
            for account in [Account(row.holder, row.asset_id, row.token_id, row.kind)]
            if (amount := -int(row.balance) if row.kind == "issued" else int(row.balance))
            or account in self.told
        }


def _carried_out(connection: Connection, wish: list[lines_of.Line]) -> bool:
    """Whether the lines were written: covered by a balance, and not written before."""
    try:
        return ledger.post(connection, [wish]) == 1
    except Overdrawn:
        return False


def test_what_the_database_does_wrong_is_one_line(books: Engine, gold: Asset) -> None:
    """No row, and no amount, in what the operator reads."""
    with writing(books) as connection:
        connection.execute(text("DROP TABLE holds"))
    with pytest.raises(BooksError) as failure:
        bid(books, gold, "cons_ana", 77_777)
    assert "holds" in str(failure.value)
    assert "77777" not in str(failure.value)
    assert "\n" not in str(failure.value)
