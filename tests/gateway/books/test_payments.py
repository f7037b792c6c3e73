"""Payment tokens: the same on every gateway, used up once, and void when issued anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import jwt
import pytest
from sqlalchemy import Engine, select

from engine.core.increments import table
from engine.core.messages import AddLot, Catalogue, CloseLot, CreateSale, PlaceBid, Terms
from gateway import archive
from gateway.books import payments
from gateway.books.payments import Refused, Sold
from gateway.books.store import BadField, reading
from gateway.keys import BadToken, HouseKeys, mint_access_token, sign, verify_access_token
from tests.gateway.books.conftest import NOW, at_once
from tests.gateway.decisions import decided, passages

WEEK_MS = 7 * 24 * 3_600_000
BOWL = Sold("auction_k3f9_1", "cons_ana", 275_50, 2, "EUR", NOW, "test")


class Till:
    """A shop's till."""

    def __init__(self, books: Engine, house: HouseKeys) -> None:
        self.books, self.house = books, house

    def validate(self, token: str, now_ms: int = NOW) -> dict[str, Any] | Refused:
        return payments.validate(self.books, self.house, "test", token, now_ms)

    def complete(
        self, token: str, order_id: str = "order-1", now_ms: int = NOW
    ) -> dict[str, Any] | Refused:
        return payments.complete(
            self.books, self.house, "test", token, order_id, now_ms, lambda _: None
        )

    def reissue(self, now_ms: int = NOW, sold: Sold = BOWL) -> str:
        token = self.issue(sold, [sold], now_ms)
        assert not isinstance(token, Refused)
        return token

    def issue(self, sold: Sold, winners: Sequence[Sold], now_ms: int = NOW) -> str | Refused:
        return payments.issue(self.books, self.house, sold, winners, now_ms)

    def rows(self) -> list[Any]:
        with reading(self.books) as connection:
            query = select(payments.payments).order_by(payments.payments.c.issue)
            return list(connection.execute(query))


@pytest.fixture
def till(books: Engine, house: HouseKeys) -> Till:
    return Till(books, house)


@pytest.fixture
def token(house: HouseKeys) -> str:
    """What Ana was sent with the good news."""
    return payments.first_token(house, BOWL)


# ── Handing out ──────────────────────────────────────────────────────────────────────────


def test_a_token_says_what_is_owed(till: Till, house: HouseKeys, token: str) -> None:
    """Type and claims as the API promises them."""
    assert jwt.get_unverified_header(token) == {
        "alg": "EdDSA",
        "typ": "payment+jwt",
        "kid": house.signing_key_id,
    }
    claims = till.validate(token)
    assert isinstance(claims, dict)
    assert claims.pop("jti").startswith("pay_")
    assert claims == {
        "auction": "auction_k3f9_1",
        "consumer": "cons_ana",
        "amount": "275.50",
        "currency": "EUR",
        "iat": NOW // 1000,
        "exp": NOW // 1000 + 7 * 24 * 3_600,
        "organizationId": "org_house",
        "iss": "http://127.0.0.1:8000",
        "aud": "fairwarning",
        "test": True,
    }


@pytest.mark.parametrize(
    ("amount", "exponent", "text"),
    [
        (27_550, 2, "275.50"),
        (5, 2, "0.05"),
        (100, 2, "1.00"),
        (27_550, 0, "27550"),
        (1_001, 3, "1.001"),
        (2**53 - 1, 2, "90071992547409.91"),
    ],
)
def test_amounts_are_written_exactly(
    till: Till, house: HouseKeys, amount: int, exponent: int, text: str
) -> None:
    """With the currency's decimals, and never through a float."""
    sold = replace(BOWL, amount=amount, exponent=exponent)
    claims = till.validate(payments.first_token(house, sold))
    assert isinstance(claims, dict)
    assert claims["amount"] == text


def test_every_gateway_hands_out_the_same_token(till: Till, house: HouseKeys, token: str) -> None:
    """Without a row; and with the books it is the same, until it is issued anew."""
    assert payments.first_token(house, BOWL) == token
    assert payments.current_token(till.books, house, BOWL) == token
    assert till.rows() == []
    anew = till.reissue(NOW + 10)
    assert anew != token
    assert payments.current_token(till.books, house, BOWL) == anew


def test_another_win_has_another_name(till: Till, house: HouseKeys) -> None:
    """Lot, winner and issue each make another jti."""
    others = [replace(BOWL, auction_id="auction_k3f9_2"), replace(BOWL, consumer_id="cons_bo")]
    tokens = [payments.first_token(house, sold) for sold in (BOWL, *others)]
    found = [till.validate(token) for token in [*tokens]]
    found.append(till.validate(till.reissue()))
    assert len({claims["jti"] for claims in found if isinstance(claims, dict)}) == 4


def test_live_and_test_do_not_pay_for_each_other(books: Engine, house: HouseKeys) -> None:
    """A live token has no mark, and a key of the other mode takes neither."""
    live = payments.first_token(house, replace(BOWL, mode="live"))
    claims = payments.validate(books, house, "live", live, NOW)
    assert isinstance(claims, dict)
    assert "test" not in claims
    test = payments.first_token(house, BOWL)
    assert payments.validate(books, house, "test", live, NOW) is Refused.INVALID
    assert payments.validate(books, house, "live", test, NOW) is Refused.INVALID
    assert (
        payments.complete(books, house, "live", test, "order-1", NOW, lambda _: None)
        is Refused.INVALID
    )


# ── Taking ───────────────────────────────────────────────────────────────────────────────


def test_a_token_is_used_up_once(till: Till, token: str) -> None:
    """The same order may ask again, another may not; nor does it validate any more."""
    claims = till.complete(token)
    assert claims == till.complete(token, now_ms=NOW + 5)
    assert isinstance(claims, dict)
    assert till.complete(token, "order-2") is Refused.USED
    assert till.validate(token) is Refused.USED
    assert till.complete(token, now_ms=NOW + 2 * WEEK_MS) == claims  # a late retry of the shop's
    [row] = till.rows()
    assert (row.order_id, row.completed_at, row.issue) == ("order-1", NOW, 1)
    assert (row.auction_id, row.consumer_id) == ("auction_k3f9_1", "cons_ana")


def test_tills_at_once_use_it_up_once(till: Till, token: str) -> None:
    """Of twelve orders with one token, one is paid."""
    found = at_once(12, lambda number: till.complete(token, f"order-{number}"))
    assert sum(isinstance(one, dict) for one in found) == 1
    assert found.count(Refused.USED) == 11
    assert len(till.rows()) == 1


def test_one_order_at_once_is_answered_alike(till: Till, token: str) -> None:
    """A shop that retries without waiting."""
    found = at_once(8, lambda _: till.complete(token))
    assert all(one == found[0] for one in found)
    assert isinstance(found[0], dict)


def test_a_token_holds_for_a_week(till: Till, token: str) -> None:
    """To the millisecond."""
    assert isinstance(till.validate(token, NOW + WEEK_MS - 1), dict)
    assert till.validate(token, NOW + WEEK_MS) is Refused.EXPIRED
    assert till.complete(token, now_ms=NOW + WEEK_MS) is Refused.EXPIRED
    assert till.rows() == []
    assert isinstance(till.complete(token, now_ms=NOW + WEEK_MS - 1), dict)


def test_what_is_no_payment_token_is_invalid(till: Till, house: HouseKeys, token: str) -> None:
    """An access token above all; nor does a payment token sign anybody in."""
    access = mint_access_token(house, "cons_ana", 3600, NOW)
    claims = jwt.decode(token, options={"verify_signature": False})
    other_type = sign(house, "at+jwt", claims)
    for wrong in ("", "a.b.c", access, other_type, token[:-2], token + "x", "\ud800"):
        assert till.validate(wrong) is Refused.INVALID
        assert till.complete(wrong) is Refused.INVALID
    with pytest.raises(BadToken):
        verify_access_token(house, token, NOW)


@pytest.mark.parametrize("order_id", ["", "a" * 129, "a\nb", "\x00"])
def test_an_order_has_a_name(till: Till, token: str, order_id: str) -> None:
    """One that can be written down and read; else nothing is used up."""
    with pytest.raises(BadField) as complaint:
        till.complete(token, order_id)
    assert complaint.value.field == "orderId"
    assert isinstance(till.validate(token), dict)


# ── Issued anew ──────────────────────────────────────────────────────────────────────────


def test_issued_anew_only_the_last_one_counts(till: Till, token: str) -> None:
    """From now for a week; those before are worth nothing, however often."""
    tokens = [token, *(till.reissue(NOW + WEEK_MS + number) for number in range(3))]
    now = NOW + WEEK_MS + 10
    assert len(set(tokens)) == 4
    for older, _ in pairwise(tokens):
        assert till.validate(older, now) is Refused.EXPIRED
        assert till.complete(older, now_ms=now) is Refused.EXPIRED
    claims = till.validate(tokens[-1], NOW + 2 * WEEK_MS - 1)
    assert isinstance(claims, dict)
    assert claims["iat"] == (NOW + WEEK_MS) // 1000
    assert till.validate(tokens[-1], NOW + 2 * WEEK_MS) is Refused.EXPIRED
    assert isinstance(till.complete(tokens[-1], now_ms=now), dict)
    assert till.validate(tokens[-1], now) is Refused.USED
    assert till.validate(token, now) is Refused.USED


def test_what_was_paid_is_not_issued_anew(till: Till, house: HouseKeys, token: str) -> None:
    """Whichever of its tokens it was paid with."""
    till.complete(till.reissue())
    assert till.issue(BOWL, [BOWL]) is Refused.USED
    assert len(till.rows()) == 1


def test_paying_and_issuing_at_once_agree(till: Till, house: HouseKeys) -> None:
    """Either it is paid and not issued anew, or the token that was offered is void."""
    for number in range(10):
        sold = replace(BOWL, auction_id=f"auction_k3f9_{number}")
        token = payments.first_token(house, sold)

        def act(who: int, sold: Sold = sold, token: str = token) -> object:
            if who:
                return till.issue(sold, [sold])
            return till.complete(token)

        paid, anew = at_once(2, act)
        assert (paid is Refused.EXPIRED) != (anew is Refused.USED)


def test_issuing_at_once_leaves_one_that_counts(till: Till) -> None:
    """Each gets another token, and the last of them is the one."""
    tokens = at_once(6, lambda _: till.reissue())
    assert len(set(tokens)) == 6
    assert sum(isinstance(till.validate(token), dict) for token in tokens) == 1


# ── What was not paid for ────────────────────────────────────────────────────────────────

BO, CY = (replace(BOWL, consumer_id=consumer, amount=200_00) for consumer in ("cons_bo", "cons_cy"))
LATE = NOW + WEEK_MS  # when Ana's first token has expired


def test_a_place_is_free_when_nobody_has_paid_for_it_or_may_still_pay(till: Till) -> None:
    """A winner without a row has the first token's time; one that was paid for is not free."""
    assert not payments.is_unpaid(till.books, [BOWL], LATE - 1)
    assert payments.is_unpaid(till.books, [BOWL], LATE)
    assert not payments.is_unpaid(till.books, [], LATE)
    anew = till.reissue(LATE)
    assert not payments.is_unpaid(till.books, [BOWL], LATE)
    assert payments.is_unpaid(till.books, [BOWL], LATE + WEEK_MS)
    till.complete(anew, now_ms=LATE)
    assert not payments.is_unpaid(till.books, [BOWL], LATE + WEEK_MS)


def test_places_of_one_lot_are_told_apart(till: Till, house: HouseKeys) -> None:
    """Of two who won the same lot one has paid: one place is free, and one offer fills it."""
    till.complete(payments.first_token(house, BOWL))
    winners = [BOWL, BO]
    assert till.issue(CY, winners, LATE - 1) is Refused.TAKEN
    assert payments.is_unpaid(till.books, winners, LATE)
    assert isinstance(till.issue(CY, winners, LATE), str)
    assert not payments.is_unpaid(till.books, winners, LATE)
    assert till.issue(BO, winners, LATE) is Refused.TAKEN


def test_of_offers_at_once_one_is_made(till: Till) -> None:
    """The place is free for one; whoever else is asked for has to wait."""
    for number in range(5):
        lot = f"auction_k3f9_{number}"
        won = replace(BOWL, auction_id=lot)
        others = [replace(BO, auction_id=lot, consumer_id=f"cons_{n}") for n in range(6)]

        def offer(who: int, won: Sold = won, others: list[Sold] = others) -> str | Refused:
            return till.issue(others[who], [won], LATE)

        found = at_once(6, offer)
        assert found.count(Refused.TAKEN) == 5


def test_who_was_offered_a_place_is_in_the_winners_way(till: Till) -> None:
    """The winner gets no token while the underbidder may pay, nor after they have paid."""
    offered = till.issue(BO, [BOWL], LATE)
    assert isinstance(offered, str)
    assert till.issue(BOWL, [BOWL], LATE + 1) is Refused.TAKEN
    assert till.issue(BO, [BOWL], LATE + 1) is Refused.TAKEN
    assert isinstance(till.complete(offered, now_ms=LATE + 2), dict)
    for one in (BOWL, CY):
        assert till.issue(one, [BOWL], LATE + 2 * WEEK_MS) is Refused.TAKEN
    assert till.issue(BO, [BOWL], LATE + 2 * WEEK_MS) is Refused.USED


def test_a_winner_and_an_underbidder_at_once(till: Till) -> None:
    """One of them may pay for the place."""
    for number in range(10):
        pair = [replace(one, auction_id=f"auction_k3f9_{number}") for one in (BOWL, BO)]

        def issue(who: int, pair: list[Sold] = pair) -> str | Refused:
            return till.issue(pair[who], pair[:1], LATE)

        assert at_once(2, issue).count(Refused.TAKEN) == 1


def test_when_every_place_is_paid_for_no_token_is_worth_anything(till: Till) -> None:
    """Not even one that by the clock of a gateway behind has not expired yet."""
    write_down_the_win(till.books)
    first = payments.first_token(till.house, BOWL)
    offered = till.issue(BO, [BOWL], LATE)
    assert isinstance(offered, str)
    assert isinstance(till.validate(first, LATE - 1), dict)
    done = till.complete(offered, now_ms=LATE)
    assert till.validate(first, LATE - 1) is Refused.EXPIRED
    assert till.complete(first, "order-2", LATE - 1) is Refused.EXPIRED
    assert till.complete(offered, now_ms=LATE) == done


def write_down_the_win(books: Engine) -> None:
    """The clerk has read that the lot had one winner."""
    agreed = Terms(10_000, table([(0, 1_000)]), opens_at=0)
    lot = AddLot(BOWL.auction_id, "seq_k3f9", agreed, Catalogue("1", "Bowl"))
    bid = PlaceBid(BOWL.auction_id, "cons_ana", "a", 275_50, "bid")
    sale = CreateSale("seq_k3f9", "Studio ceramics", "EUR", 2)
    [passage] = passages(decided([sale, lot, bid, CloseLot(BOWL.auction_id)]), 100)
    archive.begin(books, {0: passage.before})
    archive.record(books, [passage], b"salt")
