"""What was sold is paid for: tokens used up once, and lots that nobody paid for in time."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from gateway.books.payments import payments
from gateway.books.store import open_books, writing
from gateway.keys import read_signed, sign
from tests.integration.desk import FAR, Desk, eight_at_once, fields_of, one_effect
from tests.integration.open_house import House, Json, Person

SETTINGS = {"KEY_RATE": "0", "HTTP_RATE": "0", "BID_RATE": "0"}


@pytest.fixture
def desk(house: House) -> Desk:
    return Desk.of(house)


def sold(desk: Desk, *limits: float, **said: Any) -> tuple[str, list[Person]]:
    """A settled lot with these bids, and who made them; the last wins."""
    auction_id = desk.lot(**said)
    people = [desk.house.person() for _ in limits]
    for person, limit in zip(people, limits, strict=True):
        answer = desk.house.bid(auction_id, person, {"amount": limit})
        assert answer.status_code == 200, answer.text
    for verb in ("complete", "settle"):
        desk.post(f"auctions/{auction_id}/{verb}")
    return auction_id, people


def token_of(house: House, auction_id: str, person: Person) -> str:
    """The winner's payment token, as the winner sees it."""
    shown = house.get(f"/auctions/{auction_id}/status", person).json()
    assert shown["status"] == "WON"
    return str(shown["paymentToken"])


def let_time_pass(house: House, auction_id: str) -> None:
    """Let every token of the auction be a week old."""
    books = open_books(house.settings.database_url)
    try:
        with writing(books) as connection:
            late = update(payments).where(payments.c.auction_id == auction_id)
            connection.execute(late.values(expires_at=1))
    finally:
        books.dispose()


@pytest.fixture
def unpaid(desk: Desk) -> tuple[str, list[Person]]:
    """A lot whose winner has let the time pass; 320 was bid for it, and 300, and 200."""
    auction_id, people = sold(desk, 200, 300, 320)
    winner = people[-1].consumer_id
    desk.post(f"auctions/{auction_id}/payments/{winner}/reissue", {}, 201)
    let_time_pass(desk.house, auction_id)
    return auction_id, people


def listed(desk: Desk, auction_id: str) -> list[Json]:
    found: list[Json] = desk.get(f"auctions/{auction_id}/payments")["data"]
    return found


# ── Tokens ───────────────────────────────────────────────────────────────────────────────


def test_a_token_is_validated_and_used_up_once(desk: Desk) -> None:
    """Its claims, then its order; after that it is used, to everybody but the same order."""
    auction_id, [_, winner] = sold(desk, 100, 120)
    token = token_of(desk.house, auction_id, winner)
    claims = desk.post("payment-tokens/validate", {"token": token})
    assert (claims["auction"], claims["consumer"]) == (auction_id, winner.consumer_id)
    assert (claims["amount"], claims["currency"], claims["test"]) == ("120.00", "EUR", True)
    assert claims["exp"] - claims["iat"] > 24 * 3600
    assert claims["jti"]
    order = {"token": token, "orderId": "order-1"}
    done = desk.post("payment-tokens/complete", order)
    assert done == {**claims, "orderId": "order-1"}
    assert desk.post("payment-tokens/complete", order) == done
    used = (409, "Payment token used")
    assert desk.refused("POST", "payment-tokens/complete", {**order, "orderId": "order-2"}) == used
    assert desk.refused("POST", "payment-tokens/validate", {"token": token}) == used
    [payment] = listed(desk, auction_id)
    assert (payment["status"], payment["orderId"]) == ("paid", "order-1")
    assert payment["paidAt"] is not None


def test_of_eight_orders_at_once_one_pays(desk: Desk) -> None:
    """Each with another order: one is taken, seven are told that it is used."""
    auction_id, [winner] = sold(desk, 100)
    token = token_of(desk.house, auction_id, winner)
    orders = iter(range(8))
    answers = eight_at_once(
        lambda: desk.ask(
            "POST", "payment-tokens/complete", {"token": token, "orderId": f"order-{next(orders)}"}
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7


def test_one_key_has_one_effect(desk: Desk) -> None:
    """The same order, eight times at once."""
    auction_id, [winner] = sold(desk, 100)
    order = {"token": token_of(desk.house, auction_id, winner), "orderId": "order-1"}
    one_effect(lambda: desk.ask("POST", "payment-tokens/complete", order, Idempotency_Key="pay"))
    path = f"auctions/{auction_id}/relist"
    assert desk.refused("POST", path, Idempotency_Key="again") == (409, "Conflict")


def test_what_is_no_token_of_ours(desk: Desk) -> None:
    """Another's, another kind, another mode; and a body without one."""
    auction_id, [winner] = sold(desk, 100)
    token = token_of(desk.house, auction_id, winner)
    keys = desk.house.keys
    claims = read_signed(keys, "payment+jwt", token)
    as_access = sign(keys, "at+jwt", {name: claims[name] for name in ("jti", "iat", "exp")})
    live = desk.live()
    for each, key in (("x", desk), (winner.token, desk), (as_access, desk), (token, live)):
        refused = key.refused("POST", "payment-tokens/validate", {"token": each})
        assert refused == (400, "Invalid payment token")
    assert fields_of(desk.ask("POST", "payment-tokens/validate", {})) == {"token"}
    assert fields_of(desk.ask("POST", "payment-tokens/complete", {"token": token})) == {"orderId"}
    reader = desk.key("auctions:read")
    refused = reader.refused("POST", "payment-tokens/validate", {"token": token})
    assert refused == (403, "Insufficient scope")


# ── What is owed ─────────────────────────────────────────────────────────────────────────


def test_what_is_due(desk: Desk) -> None:
    """A line for every winner; nothing before the settlement, nor where nobody won."""
    auction_id = desk.lot(winnerCount=2)
    first, second = desk.house.person(), desk.house.person()
    for person, amount in ((first, 150), (second, 120)):
        assert desk.house.bid(auction_id, person, {"amount": amount}).status_code == 200
    desk.post(f"auctions/{auction_id}/complete")
    assert listed(desk, auction_id) == []
    desk.post(f"auctions/{auction_id}/settle")
    found = listed(desk, auction_id)
    assert [(each["consumerId"], each["amount"]) for each in found] == [
        (first.consumer_id, 150),
        (second.consumer_id, 120),
    ]
    assert found[0] == {
        "auctionId": auction_id,
        "consumerId": first.consumer_id,
        "email": None,
        "amount": 150,
        "currencyCode": "EUR",
        "status": "due",
        "offered": False,
        "issue": 1,
        "expiresAt": found[0]["expiresAt"],
        "orderId": None,
        "paidAt": None,
    }
    assert listed(desk, sold(desk)[0]) == []


def test_a_token_is_issued_anew(desk: Desk) -> None:
    """The one before it is worth nothing from then on; the winner sees the new one."""
    auction_id, [winner] = sold(desk, 100)
    old = token_of(desk.house, auction_id, winner)
    path = f"auctions/{auction_id}/payments/{winner.consumer_id}/reissue"
    issued = desk.post(path, None, 201)
    assert (issued["amount"], issued["currencyCode"]) == (100, "EUR")
    assert issued["paymentToken"] == token_of(desk.house, auction_id, winner) != old
    expired = (409, "Payment token expired")
    assert desk.refused("POST", "payment-tokens/validate", {"token": old}) == expired
    desk.post("payment-tokens/validate", {"token": issued["paymentToken"]})
    assert [(each["status"], each["issue"]) for each in listed(desk, auction_id)] == [("due", 2)]
    desk.post("payment-tokens/complete", {"token": issued["paymentToken"], "orderId": "o"})
    assert desk.refused("POST", path) == (409, "Payment token used")


def test_only_a_winner_has_something_to_pay(desk: Desk) -> None:
    """Nobody else gets a token, and nobody before the settlement."""
    auction_id, [loser, winner] = sold(desk, 100, 120)
    path = f"auctions/{auction_id}/payments"
    for who in (loser.consumer_id, "cons_nobody"):
        assert desk.refused("POST", f"{path}/{who}/reissue") == (409, "Conflict")
    for person in (loser, winner):  # the winner may still pay
        assert desk.refused("POST", f"{path}/{person.consumer_id}/offer") == (409, "Conflict")
    open_lot = desk.lot()
    nobody = desk.refused("POST", f"auctions/{open_lot}/payments/{winner.consumer_id}/reissue")
    assert nobody == (409, "Conflict")


def test_the_underbidder_is_offered_their_own_bid(
    desk: Desk, unpaid: tuple[str, list[Person]]
) -> None:
    """Once the winner has let the time pass; they pay what they had bid, or not at all."""
    auction_id, [_, underbidder, winner] = unpaid
    assert [each["status"] for each in listed(desk, auction_id)] == ["unpaid"]
    path = f"auctions/{auction_id}/payments"
    assert desk.refused("POST", f"{path}/{winner.consumer_id}/offer") == (409, "Conflict")
    assert desk.refused("POST", f"{path}/cons_nobody/offer") == (409, "Conflict")
    offered = desk.post(f"{path}/{underbidder.consumer_id}/offer", {}, 201)
    assert offered["amount"] == 300
    claims = desk.post("payment-tokens/validate", {"token": offered["paymentToken"]})
    assert (claims["consumer"], claims["amount"]) == (underbidder.consumer_id, "300.00")
    shown = [(each["consumerId"], each["status"], each["offered"])
             for each in listed(desk, auction_id)]  # fmt: skip
    assert shown == [
        (winner.consumer_id, "unpaid", False),
        (underbidder.consumer_id, "due", True),
    ]


def test_one_place_is_offered_to_one_at_a_time(
    desk: Desk, unpaid: tuple[str, list[Person]]
) -> None:
    """The next is asked when the first has let their time pass, too; who pays ends it."""
    auction_id, [third, underbidder, _] = unpaid
    path = f"auctions/{auction_id}/payments"
    desk.post(f"{path}/{underbidder.consumer_id}/offer", {}, 201)
    assert desk.refused("POST", f"{path}/{third.consumer_id}/offer") == (409, "Conflict")
    assert desk.refused("POST", f"auctions/{auction_id}/relist") == (409, "Conflict")
    let_time_pass(desk.house, auction_id)
    offered = desk.post(f"{path}/{third.consumer_id}/offer", {}, 201)
    assert offered["amount"] == 200
    desk.post("payment-tokens/complete", {"token": offered["paymentToken"], "orderId": "o"})
    assert desk.refused("POST", f"{path}/{underbidder.consumer_id}/offer") == (409, "Conflict")
    assert desk.refused("POST", f"auctions/{auction_id}/relist") == (409, "Conflict")


def test_of_two_offers_at_once_one_is_made(desk: Desk, unpaid: tuple[str, list[Person]]) -> None:
    """To different underbidders; and while one of them may pay, the winner gets no new token."""
    auction_id, [third, underbidder, winner] = unpaid
    path = f"auctions/{auction_id}/payments"
    asked = iter([third, underbidder] * 4)
    answers = eight_at_once(lambda: desk.ask("POST", f"{path}/{next(asked).consumer_id}/offer"))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    reissue = f"{path}/{winner.consumer_id}/reissue"
    assert desk.refused("POST", reissue) == (409, "Conflict")
    [token] = [one.json()["paymentToken"] for one in answers if one.status_code == 201]
    desk.post("payment-tokens/complete", {"token": token, "orderId": "o"})
    assert desk.refused("POST", reissue) == (409, "Conflict")


def test_an_unpaid_lot_is_put_up_again(desk: Desk, unpaid: tuple[str, list[Person]]) -> None:
    """Another auction with the same catalogue and terms, a draft until it is opened."""
    auction_id, _ = unpaid
    again = desk.post(f"auctions/{auction_id}/relist", None, 201)
    before = desk.get(f"auctions/{auction_id}")
    assert again["id"] != auction_id
    assert (again["status"], again["openAt"], again["closeAt"]) == ("PENDING", None, None)
    for name in (
        "name",
        "sequenceId",
        "startingPrice",
        "minimumBidIncrement",
        "lotNumber",
        "format",
    ):
        assert again[name] == before[name]
    assert again["bidCount"] == 0
    assert before["status"] == "SETTLED"


def test_lots_that_were_not_sold_are_put_up_again(desk: Desk) -> None:
    """Passed or canceled, at once with new times; sealed ones with new keys."""
    passed, _ = sold(desk, 100, reservePrice=500)
    times = {"openAt": "2030-12-01T10:00", "closeAt": FAR, "settleAt": FAR}
    again = desk.post(f"auctions/{passed}/relist", times, 201)
    assert (again["openAt"], again["closeAt"]) == (
        "2030-12-01T09:00:00.000Z",
        "2031-01-01T10:00:00.000Z",
    )
    assert again["reservePrice"] == 500
    canceled = desk.lot(format="sealed_first")
    desk.post(f"auctions/{canceled}/cancel")
    sealed = desk.post(f"auctions/{canceled}/relist", {}, 201)
    desk.post(f"auctions/{sealed['id']}/resume")
    answer = desk.house.bid(sealed["id"], desk.house.person(), {"amount": 150})
    assert answer.status_code == 200, answer.text
    wrong = desk.ask("POST", f"auctions/{passed}/relist", {"openAt": FAR, "closeAt": FAR})
    assert fields_of(wrong) == {"closeAt"}


@pytest.mark.parametrize("verbs", [[], ["pause"], ["complete"]])
def test_lots_that_are_still_for_sale_are_not(desk: Desk, verbs: list[str]) -> None:
    """Only what is over can be put up again."""
    auction_id = desk.lot()
    for verb in verbs:
        desk.post(f"auctions/{auction_id}/{verb}")
    assert desk.refused("POST", f"auctions/{auction_id}/relist") == (409, "Conflict")
