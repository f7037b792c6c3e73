"""What programs outside are told: the contract's words, a signature, and when it is tried again."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from engine.core.increments import table
from engine.core.messages import (
    AddLot,
    CancelLot,
    Catalogue,
    CloseLot,
    Command,
    CreateSale,
    LotAdded,
    PauseLot,
    PlaceBid,
    SaleCreated,
    SettleLot,
    Terms,
    UnpauseLot,
    UpdateLot,
)
from gateway.core.naming import bid_id
from gateway.core.webhooks import (
    RETRY_AFTER_MS,
    TYPES,
    Happening,
    Lot,
    changed_fields,
    delivery_id,
    envelope,
    happenings,
    headers,
    judge_status,
    next_attempt_at,
    said_of,
    signature,
    with_payment_token,
)
from tests.engine.core.saleroom import SEALING, sealed_bid
from tests.gateway.decisions import AT, SALT, decided

LOT = "auction_k3f9_1"
SALE = CreateSale("seq_k3f9", "Studio ceramics", "EUR", 2)
TERMS = Terms(10_000, table([(0, 1_000)]), 15_000, opens_at=0)
JAR = Catalogue("12A", "Jar")


def told(
    *commands: Command, terms: Terms = TERMS, sale: CreateSale = SALE
) -> list[tuple[str, dict[str, Any]]]:
    """What the outside is told of one lot, from its announcement on."""
    found: list[Happening] = []
    lot: Lot | None = None
    for event in decided([sale, AddLot(LOT, sale.sale_id, terms, JAR), *commands]):
        if isinstance(event, LotAdded):
            said = said_of(event.terms, event.catalogue)
            named = (LOT, sale.sale_id, sale.mode, sale.currency, sale.exponent)
            lot = Lot(*named, terms.format, terms.winner_count, said)
        elif not isinstance(event, SaleCreated):
            assert lot is not None
            found += happenings(event, lot, SALT)
    assert {happening.type for happening in found} <= set(TYPES)
    return [(happening.type, happening.data) for happening in found]


def of(type_: str, found: Sequence[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """What was told of one type."""
    return [data for name, data in found if name == type_]


def bid(who: str, amount: int, kind: Any = "bid") -> PlaceBid:
    return PlaceBid(LOT, who, f"{who}-{amount}", amount, kind)


# ── Bids ─────────────────────────────────────────────────────────────────────────────────


def test_a_bid_is_told_with_the_price_that_it_made() -> None:
    """Every field of the contract, money in decimal strings."""
    assert of("auction.bid.placed", told(bid("cons_ana", 12_050))) == [
        {
            "auctionId": LOT,
            "sequenceId": "seq_k3f9",
            "consumerId": "cons_ana",
            "bidId": bid_id(LOT, "cons_ana", "cons_ana-12050", SALT),
            "bidAmount": "120.50",
            "currencyCode": "EUR",
            "bidTime": "2026-11-18T11:06:42.000Z",
            "isHighestBid": True,
        }
    ]


def test_a_limit_is_never_told() -> None:
    """Neither the limit that leads nor the one that was passed appears anywhere."""
    found = told(bid("cons_ana", 30_000, "max"), bid("cons_bo", 21_700, "max"))
    placed = of("auction.bid.placed", found)
    assert [data["bidAmount"] for data in placed] == ["150.00", "227.00"]
    assert [data["isHighestBid"] for data in placed] == [True, False]
    assert "300.00" not in json.dumps(found)
    assert "217.00" not in json.dumps(found)


def test_a_silent_raise_is_not_told() -> None:
    """A leader's higher limit changes nothing that anybody may see."""
    found = told(bid("cons_ana", 20_000), bid("cons_ana", 90_000, "max"))
    assert len(of("auction.bid.placed", found)) == 1


def test_who_lost_the_lead_is_told_of() -> None:
    """With the price at which they stood, and the one that stands now."""
    found = told(
        bid("cons_ana", 30_000, "max"), bid("cons_bo", 20_000, "max"), bid("cons_cy", 40_000)
    )
    assert of("auction.bid.outbid", found) == [
        {
            "auctionId": LOT,
            "sequenceId": "seq_k3f9",
            "consumerId": "cons_ana",
            "outbidAt": "2026-11-18T11:06:44.000Z",
            "previousBidAmount": "210.00",
            "newHighBidAmount": "400.00",
        }
    ]


def test_where_several_win_each_bid_is_told_at_its_full_amount() -> None:
    """Who is put out of a place stood there with their own bid."""
    found = told(
        bid("cons_ana", 12_000),
        bid("cons_bo", 20_000),
        bid("cons_cy", 15_000),
        terms=replace(TERMS, reserve=None, winner_count=2),
    )
    placed = of("auction.bid.placed", found)
    assert [data["bidAmount"] for data in placed] == ["120.00", "200.00", "150.00"]
    assert [data["isHighestBid"] for data in placed] == [True, True, False]
    [outbid] = of("auction.bid.outbid", found)
    assert outbid["consumerId"] == "cons_ana"
    assert outbid["previousBidAmount"] == "120.00"
    assert outbid["newHighBidAmount"] == "200.00"


def test_a_falling_price_is_told_and_not_what_more_was_offered() -> None:
    """A Dutch bid stands at what was asked."""
    dutch = Terms(
        50_000, table([(0, 100)]), opens_at=0, format="dutch",
        floor=10_000, drop=1_000, drop_interval_ms=3_600_000, winner_count=2,
    )  # fmt: skip
    [placed] = of("auction.bid.placed", told(bid("cons_ana", 90_000), terms=dutch))
    assert placed["bidAmount"] == "500.00"


def test_nothing_is_told_of_sealed_bids() -> None:
    """Not even that there are any, before they are opened."""
    terms = replace(TERMS, reserve=None, format="sealed_first", sealing=SEALING)
    found = told(sealed_bid("cons_ana", 20_000, "a", LOT), terms=terms)
    assert [name for name, _ in found] == ["distribution.opened"]


# ── The lot's life ───────────────────────────────────────────────────────────────────────


def test_winner_and_settlement_are_told_when_it_is_settled() -> None:
    """First who won, then how it ended; no token lies in what is written down."""
    found = told(bid("cons_ana", 30_000), bid("cons_bo", 50_000), CloseLot(LOT), SettleLot(LOT))
    [won], [settled] = of("auction.consumer.won", found), of("auction.settled", found)
    assert won["consumerId"] == "cons_bo"
    assert (won["winningBidAmount"], won["currencyCode"]) == ("500.00", "EUR")
    assert won["paymentToken"] is None
    assert {name: settled[name] for name in settled if name != "settledAt"} == {
        "auctionId": LOT,
        "sequenceId": "seq_k3f9",
        "outcome": "sold",
        "totalBids": 2,
        "uniqueBidders": 2,
        "winnerId": "cons_bo",
        "winningBidAmount": "500.00",
        "winners": [{"consumerId": "cons_bo", "amount": "500.00"}],
    }
    assert won["wonAt"] == settled["settledAt"]


def test_a_lot_that_passed_has_no_winner() -> None:
    """The reserve was not met: nobody is told that they have won."""
    found = told(bid("cons_ana", 12_000), CloseLot(LOT), SettleLot(LOT))
    [settled] = of("auction.settled", found)
    assert (settled["outcome"], settled["winnerId"]) == ("passed", None)
    assert (settled["winningBidAmount"], settled["winners"]) == (None, [])
    assert not of("auction.consumer.won", found)


def test_every_winner_is_told_of() -> None:
    """Best first, each with what they pay."""
    terms = replace(TERMS, reserve=None, winner_count=2)
    bids = [bid("cons_ana", 12_000), bid("cons_bo", 20_000), bid("cons_cy", 15_000)]
    found = told(*bids, CloseLot(LOT), SettleLot(LOT), terms=terms)
    [settled] = of("auction.settled", found)
    assert settled["winners"] == [
        {"consumerId": "cons_bo", "amount": "200.00"},
        {"consumerId": "cons_cy", "amount": "150.00"},
    ]
    won = of("auction.consumer.won", found)
    assert [data["consumerId"] for data in won] == ["cons_bo", "cons_cy"]


def test_opening_pausing_and_closing_are_told() -> None:
    """In the contract's words for a distribution."""
    found = told(PauseLot(LOT), UnpauseLot(LOT), bid("cons_ana", 30_000), CloseLot(LOT))
    names = [name for name, _ in found[:5]]  # settled at once behind it
    assert names == [
        "distribution.opened",
        "distribution.updated",
        "distribution.updated",
        "auction.bid.placed",
        "distribution.closed",
    ]
    named = {"distributionId": LOT, "distributionType": "auction", "sequenceId": "seq_k3f9"}
    assert found[0][1] == {**named, "openedAt": "2026-11-18T11:06:42.000Z"}
    assert found[1][1] == {**named, "changedFields": ["closeAt", "status"]}
    assert found[4][1] == {**named, "closedAt": "2026-11-18T11:06:45.000Z", "totalParticipants": 1}


def test_a_canceled_lot_is_closed() -> None:
    """It is never settled, so this is the last that is told of it."""
    found = told(bid("cons_ana", 30_000), CancelLot(LOT))
    assert found[-1][0] == "distribution.closed"


def test_an_update_is_told_by_the_names_of_what_changed() -> None:
    """The names alone: what the reserve is now stays in the house."""
    later = replace(TERMS, opens_at=AT + 3_600_000, closes_at=AT + 7_200_000)
    changed = replace(later, reserve=17_770, closes_at=AT + 9_000_000)
    update = UpdateLot(LOT, 0, changed, replace(JAR, name="Large jar", description="Tall"))
    found = told(update, terms=later)
    [data] = of("distribution.updated", found)
    assert data["changedFields"] == ["reservePrice", "closeAt", "name", "description"]
    assert "177" not in json.dumps(found)


def test_of_a_lot_from_before_no_changes_are_named() -> None:
    """Where nothing is known of how it was, nothing is made up."""
    assert changed_fields({}, said_of(TERMS, JAR)) == []


@pytest.mark.parametrize(("exponent", "said"), [(0, "120"), (2, "1.20"), (9, "0.000000120")])
def test_money_is_written_out(exponent: int, said: str) -> None:
    """Never as 1.2E-7, and with all its decimals."""
    lot = Lot(LOT, "seq_k3f9", "test", "EUR", exponent, "english", 1, {})
    assert lot.money(120) == said


# ── Envelopes ────────────────────────────────────────────────────────────────────────────


def test_an_envelope_says_what_the_contract_says() -> None:
    """Id, type, instant, organization and data; in test mode it says so."""
    happening = Happening("auction.settled", AT, {"winners": [], "name": "Töpfe"})
    live = json.loads(envelope("whk_1", happening, "live"))
    assert live == {
        "id": "whk_1",
        "type": "auction.settled",
        "timestamp": "2026-11-18T11:06:40.000Z",
        "organizationId": "org_house",
        "data": {"winners": [], "name": "Töpfe"},
    }
    assert json.loads(envelope("whk_1", happening, "test")) == {**live, "test": True}


def test_a_winners_token_is_put_in_when_it_is_sent() -> None:
    """The rest of the envelope stays as it was."""
    happening = Happening("auction.consumer.won", AT, {"auctionId": LOT, "paymentToken": None})
    body = envelope("whk_1", happening, "test")
    filled = json.loads(with_payment_token(body, "ey.J.x"))
    assert filled["data"].pop("paymentToken") == "ey.J.x"
    assert filled == {**json.loads(body), "data": {"auctionId": LOT}}


def test_a_telling_has_one_name() -> None:
    """Each of its parts counts, and without the house's secret it cannot be told."""
    names = {
        delivery_id(webhook, place, number, salt)
        for webhook in ("wh_a", "wh_b")
        for place in ("l|0|1", "l|0|2")
        for number in (0, 1)
        for salt in (b"one", b"two")
    }
    assert len(names) == 16
    assert delivery_id("wh_a", "l|0|1", 0, b"one") == delivery_id("wh_a", "l|0|1", 0, b"one")
    assert all(name.startswith("whk_") for name in names)


def test_a_signature_is_what_a_receiver_computes() -> None:
    """HMAC-SHA256 of the instant, a full stop and the raw body."""
    expected = hmac.new(b"whsec_1", b'1767225600.{"a":1}', hashlib.sha256).hexdigest()
    assert signature("whsec_1", 1_767_225_600, b'{"a":1}') == expected
    assert headers(b'{"a":1}', ["whsec_1"], 1_767_225_600) == {
        "X-Fairwarning-Timestamp": "1767225600",
        "X-Fairwarning-Signature": f"sha256={expected}",
    }


def test_for_a_day_the_replaced_secret_signs_beside_the_new_one() -> None:
    """In a header of its own: the contract's header is always the new secret's."""
    said = headers(b"x", ["new", "old"], 7)
    assert said["X-Fairwarning-Signature"] == f"sha256={signature('new', 7, b'x')}"
    assert said["X-Fairwarning-Signature-Previous"] == f"sha256={signature('old', 7, b'x')}"


# ── Trying again ─────────────────────────────────────────────────────────────────────────


def test_there_are_eight_attempts() -> None:
    """At once, then after 1 min, 5 min, 30 min, 2 h, 6 h, 12 h and 24 h."""
    waits = []
    at, attempts = AT, 1
    while (again := next_attempt_at(attempts, at)) is not None:
        waits.append((again - at) // 60_000)
        at, attempts = again, attempts + 1
    assert waits == [1, 5, 30, 120, 360, 720, 1440]
    assert attempts == 8 == len(RETRY_AFTER_MS) + 1


@pytest.mark.parametrize(
    ("status", "judged"),
    [
        (200, "delivered"),
        (204, "delivered"),
        (299, "delivered"),
        (199, "failed"),
        (301, "failed"),
        (308, "failed"),
        (400, "failed"),
        (404, "failed"),
        (410, "gone"),
        (429, "failed"),
        (503, "failed"),
        (None, "failed"),
    ],
)
def test_any_2xx_is_success_and_410_the_end(status: int | None, judged: str) -> None:
    """A redirect is no success: it is not followed."""
    assert judge_status(status) == judged
