"""The consumer API's words: money in and out, what is shown of a lot, and what is kept back."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from engine.core import sealed
from engine.core.increments import table
from engine.core.messages import (
    MAX_AMOUNT,
    AddLot,
    Answer,
    BidAnswer,
    CancelBid,
    CancelLot,
    Catalogue,
    CloseLot,
    Command,
    CreateSale,
    Event,
    Format,
    PauseLot,
    PlaceBid,
    Refusal,
    Sealing,
    SettleLot,
    State,
    Terms,
    UpdateSale,
)
from gateway.core import bodies, consumer
from gateway.core.problems import Problem
from gateway.core.view import LotView, Saleroom
from gateway.core.wire.consumer import BidRequest
from tests.gateway.decisions import bid, decided

LOT = "auction_k3f9_1"
SALE = CreateSale("seq_k3f9", "Studio ceramics", "EUR", 2, cmd_id="s1")
SALT = b"the house's"
STEPS = table([(0, 1_000)])
KEY = X25519PrivateKey.from_private_bytes(bytes(range(32)))
SEALING = Sealing(base64.b64encode(KEY.public_key().public_bytes_raw()).decode(), "")
OPENING_KEY = base64.b64encode(KEY.private_bytes_raw()).decode()


def events_of(commands: Sequence[Command], sale: CreateSale = SALE, **terms: Any) -> list[Event]:
    agreed = Terms(**{"opening": 10_000, "increments": STEPS, "opens_at": 0, **terms})
    added = AddLot(LOT, sale.sale_id, agreed, Catalogue("214", "Moon jar"))
    return decided([sale, added, *commands])


def lot_after(*commands: Command, **terms: Any) -> LotView:
    """The lot as a gateway sees it when these have been decided."""
    return folded(events_of(commands, **terms))


def folded(events: Sequence[Event]) -> LotView:
    saleroom = Saleroom()
    for place, event in enumerate(events, 1):
        saleroom.fold(0, place, event)
    return saleroom.lots[LOT]


def shown(lot: LotView, **more: Any) -> dict[str, Any]:
    """The auction as its JSON says."""
    written = msgspec.json.encode(consumer.auction(lot, "now", **more))
    found: dict[str, Any] = json.loads(written)
    return found


def sealed_bid(whose: str, amount: int, cmd_id: str) -> PlaceBid:
    salt = cmd_id.encode().ljust(32, b"-")
    named = (LOT, whose, amount, salt)
    return PlaceBid(
        LOT,
        whose,
        cmd_id,
        0,
        "sealed",
        commitment=sealed.commitment(*named),
        ciphertext=sealed.seal(SEALING.public_key, *named),
    )


# ── Money ────────────────────────────────────────────────────────────────────────────────


def minor_of(text: str, lot: LotView) -> int:
    """An amount as it comes in a body → minor units."""
    read = bodies.read(f'{{"amount":{text}}}'.encode(), BidRequest)
    return consumer.bid_amount(lot, read.amount, read.max)


def lot_in(exponent: int) -> LotView:
    sale = CreateSale("seq_k3f9", "Sale", "XTS", exponent, cmd_id="s1")
    return folded(events_of([], sale))


LOTS = [lot_in(exponent) for exponent in range(5)]


@given(st.integers(1, MAX_AMOUNT), st.integers(0, 4), st.integers(0, 40))
def test_money_there_and_back(minor: int, exponent: int, zeros: int) -> None:
    """Whatever is shown is read as the same amount; zeros behind it change nothing."""
    amount = consumer.price(LOTS[exponent], minor)
    assert amount is not None
    text = str(amount) + ("" if exponent else ".0") + "0" * zeros
    assert minor_of(text, LOTS[exponent]) == minor
    assert minor_of(f'"{text}"', LOTS[exponent]) == minor


@given(st.integers(1, MAX_AMOUNT - 1), st.integers(0, 4), st.integers(1, 35))
def test_a_digit_too_many_is_refused(minor: int, exponent: int, further: int) -> None:
    """However far behind the currency's decimals: no rounding, ever."""
    text = str(Decimal(minor).scaleb(-exponent))
    text += ("" if "." in text else ".") + "0" * (further - 1) + "1"
    with pytest.raises(Problem) as refused:
        minor_of(text, LOTS[exponent])
    assert refused.value.code == "invalid_amount"


@given(st.text(max_size=30))
def test_any_text_is_an_amount_or_invalid(text: str) -> None:
    """A string that is no plain ASCII number is refused in the contract's words."""
    found: int | Problem
    try:
        found = minor_of(json.dumps(text), LOTS[2])
    except Problem as problem:
        found = problem
    if isinstance(found, Problem):
        assert found.code in ("invalid_amount", "invalid")  # half a pair is no JSON of ours
    else:
        assert text.isascii()
        assert 1 <= found <= MAX_AMOUNT


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode()))
def test_any_body_is_a_bid_or_a_problem(body: bytes) -> None:
    """Nothing but a ``Problem`` comes of a bad body."""
    problems: list[Problem] = []
    try:
        bodies.read(body, BidRequest)
    except Problem as problem:
        problems.append(problem)
    assert all(problem.status == 400 for problem in problems)


def test_limits_only_where_they_are_taken() -> None:
    """``max`` is refused where the house bids for nobody: several places, sealed, one bid."""
    amount = bodies.Amount("300")
    refusing: list[dict[str, Any]] = [
        {"winner_count": 2},
        {"format": "one_bid"},
        {"format": "sealed_first", "sealing": SEALING},
    ]
    for terms in refusing:
        lot = lot_after(**terms)
        with pytest.raises(Problem) as refused:
            consumer.bid_amount(lot, amount, is_limit=True)
        assert refused.value.code == "invalid"
        assert consumer.bid_amount(lot, amount, is_limit=False) == 30_000
    assert consumer.bid_amount(lot_after(), amount, is_limit=True) == 30_000


def test_instants() -> None:
    """ISO 8601, UTC, to the millisecond."""
    assert consumer.instant(1_767_225_600_007) == "2026-01-01T00:00:00.007Z"
    assert consumer.instant(0) == "1970-01-01T00:00:00.000Z"
    assert consumer.instant(None) is None


# ── A lot ────────────────────────────────────────────────────────────────────────────────


def test_a_lot_before_and_after_a_bid() -> None:
    """Every field, and only those; the offer to buy is named while it stands."""
    lot = lot_after(buy_now=90_000)
    auction = shown(lot)
    assert auction == {
        "id": LOT,
        "name": "Moon jar",
        "sequenceId": "seq_k3f9",
        "openAt": "1970-01-01T00:00:00.000Z",
        "closeAt": None,
        "settleAt": None,
        "timeZone": "UTC",
        "startingPrice": "100.00",
        "reservePrice": None,
        "minimumBidIncrement": "10.00",
        "winnerCount": 1,
        "status": "PENDING",
        "currentHighBid": None,
        "currencyCode": "EUR",
        "reserveMet": True,
        "nextMinimumBid": "100.00",
        "bidCount": 0,
        "extensions": 0,
        "format": "english",
        "lotNumber": "214",
        "serial": None,
        "buyNowPrice": "900.00",
        "serverTime": "now",
    }
    after = shown(lot_after(bid("cons_ada", 20_000), buy_now=90_000))
    assert "buyNowPrice" not in after
    assert (after["status"], after["currentHighBid"]) == ("OPEN", "200.00")
    assert (after["nextMinimumBid"], after["bidCount"]) == ("210.00", 1)


def test_every_state_has_a_status() -> None:
    """Whatever the engine knows is one of the contract's four words."""
    assert set(consumer.STATUSES) == set(State)
    assert set(consumer.STATUSES.values()) == {"PENDING", "OPEN", "CLOSED", "SETTLED"}
    assert shown(lot_after(bid("cons_ada", 20_000), PauseLot(LOT)))["status"] == "OPEN"
    assert shown(lot_after(CancelLot(LOT)))["status"] == "CLOSED"


def test_a_reserve_is_for_those_who_may_read_it() -> None:
    """For the house, and for everybody where the consignor publishes it."""
    kept, published = lot_after(reserve=50_000), lot_after(reserve=50_000, publish_reserve=True)
    assert shown(kept)["reservePrice"] is None
    assert shown(kept, reads_reserves=True)["reservePrice"] == "500.00"
    assert shown(published)["reservePrice"] == "500.00"
    assert shown(kept)["reserveMet"] is False


def test_a_lot_is_encoded_once_for_each_of_its_states() -> None:
    """The same bytes but for the time until something happens, to the lot or to its sale; and
    who reads reserves gets none of what others get."""
    bids: list[Command] = [bid("cons_ada", 20_000), bid("cons_bram", 40_000, "max")]
    saleroom, encodings = Saleroom(), consumer.Encodings()
    said: list[tuple[str, bytes]] = []
    renamed = CreateSale("seq_k3f9", "Ceramics", "EUR", 2, "Europe/Berlin")
    for place, event in enumerate(
        events_of([*bids, UpdateSale(renamed, cmd_id="u1")], reserve=77_431), 1
    ):
        saleroom.fold(0, place, event)
        if LOT not in saleroom.lots:
            continue
        lot = saleroom.lots[LOT]
        encoded = encodings.of(lot, False)
        assert encodings.of(lot, False) is encoded
        content = json.loads(encoded.at(b"2026-01-01T00:00:00.000Z"))
        assert content.pop("serverTime") == "2026-01-01T00:00:00.000Z"
        fresh = msgspec.json.Encoder(decimal_format="number").encode(consumer.auction(lot, "x"))
        assert {**json.loads(fresh), "serverTime": 0} == {**content, "serverTime": 0}
        said.append((encoded.tag, encoded.head))
        for_house = encodings.of(lot, True)
        assert b"774.31" in for_house.head
        assert b"774.31" not in encoded.head
        assert for_house.tag != encoded.tag
    tags = dict(said)
    assert len(tags) == len({head for _, head in said}) == 5  # added, opened, two bids, renamed
    assert all(tag.startswith('W/"') for tag in tags)


# ── Sealed bids ──────────────────────────────────────────────────────────────────────────

SEALED: list[Format] = ["sealed_first", "sealed_second", "uniform"]


@pytest.mark.parametrize("form", SEALED)
def test_a_sealed_auction_says_nothing_before_it_is_settled(form: Format) -> None:
    """Open or closed: no price, no bid, no place; the starting price is what is asked."""
    bids = [sealed_bid("cons_ada", 66_518, "a1"), sealed_bid("cons_bram", 31_294, "b1")]
    close, settle = CloseLot(LOT, opening_key=OPENING_KEY), SettleLot(LOT)
    terms: dict[str, Any] = {
        "format": form,
        "sealing": SEALING,
        "reserve": 20_000,
        "settle_at": 4_000_000_000_000,
    }
    for commands, state in ((bids, "OPEN"), ([*bids, close], "CLOSED")):
        lot = lot_after(*commands, **terms)
        auction = shown(lot)
        assert auction["status"] == state
        assert auction["currentHighBid"] is None
        assert auction["reserveMet"] is False
        assert auction["nextMinimumBid"] == "100.00"
        assert consumer.highest_bid(lot).amount is None
        assert consumer.is_secret(lot)
        assert consumer.standing(lot, "cons_bram").status == "ACTIVE"
    assert consumer.standing(lot_after(*bids, **terms), "cons_ada").last_bid_amount is None
    lot = lot_after(*bids, close, settle, **terms)
    price = Decimal("665.18" if form == "sealed_first" else "312.94")
    assert consumer.highest_bid(lot).amount == price
    assert shown(lot)["currentHighBid"] == str(price)
    assert [one.amount for one in consumer.public_bids(lot, 10, SALT)] == [price]
    assert consumer.standing(lot, "cons_ada").status == "WON"
    assert consumer.standing(lot, "cons_ada").last_bid_amount == Decimal("665.18")
    win = consumer.own_win(lot, "cons_ada")
    assert win is not None
    assert win.amount == price


def test_a_sealed_bids_own_history() -> None:
    """Each of them is in it; the figures are not, before they are opened."""
    first, second = sealed_bid("cons_ada", 30_000, "a1"), sealed_bid("cons_ada", 45_000, "a2")
    terms: dict[str, Any] = {"format": "sealed_first", "sealing": SEALING}
    lot = lot_after(first, second, **terms)
    assert [one.amount for one in consumer.own_bids(lot, "cons_ada", 9, SALT)] == [None, None]
    assert consumer.standing(lot, "cons_ada").bid_count == 2
    lot = lot_after(first, second, CloseLot(LOT, opening_key=OPENING_KEY), **terms)
    own = consumer.own_bids(lot, "cons_ada", 9, SALT)
    assert [one.amount for one in own] == [Decimal("450.00"), None]  # the first was replaced


def test_a_sealed_bids_answer_has_its_proof() -> None:
    """Commitment and salt with the caller's own figure; nothing of anybody's."""
    events = events_of(
        [sealed_bid("cons_ada", 66_518, "a1"), sealed_bid("cons_bram", 31_294, "b1")],
        format="sealed_second",
        sealing=SEALING,
    )
    [answer] = [e.answer for e in events if isinstance(e, BidAnswer) and e.cmd_id == "b1"]
    lot = folded(events)
    said = msgspec.to_builtins(consumer.bid_taken(lot, "bid_1", 31_294, answer, "5a17"))
    assert said["status"] == "ACTIVE"
    assert (said["lastBidAmount"], said["currentHighBid"]) == ("312.94", None)
    assert said["nextMinimumBid"] == "100.00"
    assert (said["commitment"], said["salt"]) == (answer.commitment, "5a17")


# ── Other formats ────────────────────────────────────────────────────────────────────────


def test_a_bid_that_was_taken_back_was_never_there() -> None:
    """Not in the list of all bids, and the bidder has not bid; it is in their own history."""
    placed = bid("cons_ada", 30_000)
    back = CancelBid(LOT, "cons_ada", placed.cmd_id, cmd_id="c1")
    lot = lot_after(placed, bid("cons_bram", 20_000), back, format="one_bid")
    assert [one.amount for one in consumer.public_bids(lot, 9, SALT)] == [Decimal("200.00")]
    standing = consumer.standing(lot, "cons_ada")
    assert (standing.status, standing.last_bid_amount, standing.last_bid_time) == (
        "NOT_BID",
        None,
        None,
    )
    assert standing.bid_count == 0
    assert len(consumer.own_bids(lot, "cons_ada", 9, SALT)) == 1
    assert not consumer.binds(lot, "cons_ada")
    assert consumer.binds(lot, "cons_bram")


def test_the_price_of_a_dutch_auction() -> None:
    """What one more unit costs, how many are left, and whether it is over."""
    terms: dict[str, Any] = {
        "format": "dutch",
        "winner_count": 2,
        "floor": 5_000,
        "drop": 1_000,
        "drop_interval_ms": 3_600_000,
    }
    lot = lot_after(**terms)
    assert msgspec.to_builtins(consumer.current_price(lot)) == {
        "currentPrice": "100.00",
        "remainingQuantity": 2,
        "auctionEnded": False,
    }
    lot = lot_after(bid("cons_ada", 10_000), **terms)
    assert consumer.current_price(lot).remaining_quantity == 1
    lot = lot_after(bid("cons_ada", 10_000), bid("cons_bram", 10_000), **terms)
    over = consumer.current_price(lot)
    assert (over.remaining_quantity, over.auction_ended) == (0, True)


def test_who_is_bound_by_what_they_have_bid() -> None:
    """Leaders, and whoever might move up or be found the best; winners; nobody else."""
    ada, bram = bid("cons_ada", 20_000), bid("cons_bram", 30_000)
    lot = lot_after(ada, bram)
    assert [consumer.binds(lot, who) for who in ("cons_ada", "cons_bram")] == [False, True]
    lot = lot_after(ada, bram, CloseLot(LOT))
    assert [consumer.binds(lot, who) for who in ("cons_ada", "cons_bram")] == [False, True]
    lot = lot_after(ada, bram, CancelLot(LOT))
    assert not consumer.binds(lot, "cons_bram")
    assert not consumer.binds(lot, "cons_nobody")
    lot = lot_after(bram, bid("cons_ada", 15_000), format="one_bid")
    assert consumer.binds(lot, "cons_ada")
    lot = lot_after(sealed_bid("cons_ada", 10_000, "a1"), format="uniform", sealing=SEALING)
    assert consumer.binds(lot, "cons_ada")


# ── Refusals ─────────────────────────────────────────────────────────────────────────────

TEXTS: dict[Refusal, tuple[int, str]] = {
    "not_open_yet": (423, "Auction is not open yet"),
    "paused": (423, "Auction is paused"),
    "closed": (400, "Auction is closed"),
    "canceled": (400, "Auction is closed"),
    "not_registered": (403, "Registration required"),
    "pending_approval": (403, "Registration pending"),
    "suspended": (403, "Bidding suspended"),
    "not_a_raise": (400, "Bid must be higher than current bid"),
    "below_asking_bid": (400, "Bid must meet minimum increment"),
    "off_ladder": (400, "Bid must meet minimum increment"),
    "idempotency_mismatch": (422, "Idempotency key reused"),
    "already_bid": (409, "Bid already placed"),
    "over_limit": (403, "Bid limit exceeded"),
    "own_lot": (403, "Own lot"),
    "buy_now_unavailable": (400, "Buy now is not available"),
    "expired": (503, "Bidding is unavailable"),
    "insufficient_funds": (403, "Insufficient funds"),
    "refused": (409, "Bid refused"),
}


def test_every_refusal_has_its_text() -> None:
    """Whatever the engine may object to is said in the contract's words, with the number that
    would pass where that helps."""
    assert set(TEXTS) == set(Refusal.__args__)  # type: ignore[attr-defined]
    lot = lot_after(bid("cons_ada", 20_000))
    for code, (status, text) in TEXTS.items():
        answer = Answer(20_500, "bid", 0, 2, "NOT_BID", 20_000, 21_000, 21_000, code)
        problem = consumer.refused(lot, answer)
        assert (problem.status, problem.text) == (status, text), code
        helps = status in (400, 423)
        assert problem.more == ({"nextMinimumBid": Decimal("210.00")} if helps else {}), code


def test_how_low_a_bid_was() -> None:
    """Not above the price, or under the starting price: higher; else the step is meant."""
    lot = lot_after(bid("cons_ada", 20_000))
    for amount, text in (
        (9_999, "Bid must be higher than current bid"),
        (20_000, "Bid must be higher than current bid"),
        (20_001, "Bid must meet minimum increment"),
    ):
        low = Answer(amount, "bid", 0, 2, "NOT_BID", 20_000, 21_000, 21_000, "below_asking_bid")
        assert consumer.refused(lot, low).text == text, amount
    fresh = Answer(9_999, "bid", 0, 0, "NOT_BID", None, 10_000, 10_000, "below_asking_bid")
    assert consumer.refused(lot_after(), fresh).code == "below_starting_price"


def test_too_early_names_the_opening() -> None:
    """In ``Retry-After``, as an instant; where the opening is announced at all."""
    early = Answer(10_000, "bid", 0, 0, "NOT_BID", None, 10_000, None, "not_open_yet")
    named = consumer.refused(lot_after(opens_at=1_900_000_000_000), early)
    assert named.headers == {"Retry-After": "2030-03-17T17:46:40.000Z"}
    assert consumer.refused(lot_after(opens_at=None), early).headers == {}
