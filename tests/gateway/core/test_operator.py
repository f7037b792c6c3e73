"""Token auctions in the operator's words: terms, states, bids, and amounts of 78 digits."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UnsetType
from msgspec.structs import replace

from engine.core.messages import (
    CancelBid,
    CancelLot,
    CloseLot,
    FinishSettlement,
    PauseLot,
    PlaceBid,
    SettleLot,
    State,
    Tokens,
)
from engine.core.terms import can_be_sold_by
from gateway.core import operator as core
from gateway.core.bodies import read
from gateway.core.ledger import LARGEST, Account
from gateway.core.lotting import Offer
from gateway.core.operator import LedgerEntry, PlacedBid, Token
from gateway.core.problems import Problem, for_operators
from gateway.core.view import LotView
from gateway.core.wire.operator import AuctionChanges, NewAuction
from tests.gateway.formats import Evening, auction_of

GOLD = Token("11111111-1111-4111-8111-111111111111", "GLD", 18)
COINS = Token("22222222-2222-4222-8222-222222222222", "COIN", 2)
PRIZE = "33333333-3333-4333-8333-333333333333"
NEEDED = {"bid_asset_id": GOLD.asset_id, "auction_asset_type": "erc721", "auction_asset_id": PRIZE}


def new(token: Token = GOLD, **said: Any) -> Offer:
    """A token auction of which this is said."""
    whole = {**NEEDED, "bid_asset_id": token.asset_id, **said}
    return core.offered(read(json.dumps(whole).encode(), NewAuction), token, "K3F9")


def changes(**said: Any) -> AuctionChanges:
    return read(json.dumps(said).encode(), AuctionChanges)


def refused(**said: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        new(**said)
    return caught.value


# ── What is said ─────────────────────────────────────────────────────────────────────────


def test_an_auction_of_which_little_is_said() -> None:
    """One bid each, one winner, settled by command, and an end that no pause moves."""
    terms, printed = new()
    assert (terms.format, terms.winner_count, terms.opening) == ("one_bid", 1, 1)
    assert (terms.currency, terms.exponent) == ("GLD", 6)
    assert terms.fixed_end
    assert terms.settle_by_command
    assert (terms.opens_at, terms.closes_at, terms.settle_at, terms.reserve) == (None,) * 4
    assert terms.tokens == Tokens(GOLD.asset_id, "erc721", PRIZE, None, "burn")
    assert (printed.name, printed.description) == ("", "")
    assert can_be_sold_by(terms)


def test_everything_that_can_be_said() -> None:
    """Prices in millionths of a token, dates in UTC where nothing else is said."""
    terms, printed = new(
        title="Seats",
        description="Ten of them.",
        auction_asset_type="erc1155",
        auction_asset_token_id=7,
        auction_asset_quantity=10,
        starting_price="0.000001",
        reserve_price=12.5,
        settlement_type="transfer",
        status="draft",
        start_date="2026-12-01T10:00",
        end_date="2026-12-02T10:00:00Z",
    )
    assert (printed.name, printed.description) == ("Seats", "Ten of them.")
    assert terms.tokens == Tokens(GOLD.asset_id, "erc1155", PRIZE, 7, "transfer")
    assert (terms.opening, terms.reserve, terms.winner_count) == (1, 12_500_000, 10)
    assert terms.closes_at is not None
    assert terms.settle_at == terms.closes_at
    assert terms.opens_at == terms.closes_at - 24 * 3_600_000


def test_a_token_with_few_decimals_is_bid_in_its_own_units() -> None:
    """Hundredths of a coin, and no millionths."""
    terms, _ = new(COINS, starting_price=1.25)
    assert (terms.exponent, terms.opening) == (2, 125)
    assert refused_for(COINS, starting_price=1.255) == "starting_price"


def refused_for(token: Token, **said: Any) -> str:
    with pytest.raises(Problem) as caught:
        new(token, **said)
    details: Any = caught.value.details
    return str(details[0]["field"])


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"auction_asset_type": "erc1155"}, "auction_asset_token_id"),
        ({"start_date": "2026-12-02T10:00", "end_date": "2026-12-02T10:00"}, "end_date"),
        ({"start_date": "soon"}, "start_date"),
        ({"starting_price": -1}, "starting_price"),
        ({"starting_price": "0.0000001"}, "starting_price"),
        ({"reserve_price": 2**53}, "reserve_price"),
        ({"auction_asset_quantity": 0}, "auction_asset_quantity"),
        ({"auction_asset_id": "not-a-uuid"}, "auction_asset_id"),
        ({"auction_asset_type": "erc20"}, "auction_asset_type"),
        ({"title": "x" * 251}, "title"),
        ({"description": "x" * 1001}, "description"),
        ({"status": "paused"}, "status"),
        ({"colour": "green"}, "colour"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_field(said: dict[str, Any], field: str) -> None:
    """In the operator's own dialect that is always ``invalid``."""
    problem = refused(**said)
    error = for_operators(problem)["error"]
    assert (problem.status, error["code"]) == (400, "invalid")
    assert error["details"][0]["field"] == field


def test_a_token_id_is_ignored_for_an_erc721() -> None:
    """There is only one of each kind."""
    terms, _ = new(auction_asset_token_id=7)
    assert terms.tokens is not None
    assert terms.tokens.auction_asset_token_id is None


def test_a_draft_changes_in_everything() -> None:
    """What is not said stays."""
    offer = new(starting_price=5, reserve_price=10)
    said = changes(
        title="T", reserve_price=None, auction_asset_quantity=3, end_date="2026-12-02T10:00"
    )
    after = core.amended(offer, said, GOLD)
    assert (after.catalogue.name, after.terms.reserve, after.terms.winner_count) == ("T", None, 3)
    assert after.terms.opening == offer.terms.opening
    assert after.terms.settle_at == after.terms.closes_at is not None


def test_a_draft_may_change_what_is_bid_with() -> None:
    """Its prices are the same in the other token, where that can write them."""
    offer = new(starting_price=5.25, reserve_price=10)
    after = core.amended(offer, changes(bid_asset_id=COINS.asset_id), COINS)
    assert (after.terms.currency, after.terms.exponent) == ("COIN", 2)
    assert (after.terms.opening, after.terms.reserve) == (525, 1_000)
    finer = new(starting_price="5.255")
    with pytest.raises(Problem) as caught:
        core.amended(finer, changes(bid_asset_id=COINS.asset_id), COINS)
    details: Any = caught.value.details
    assert details[0]["field"] == "bid_asset_id"


def test_later_only_words_and_the_end_change() -> None:
    """Everything else is the draft's."""
    offer = new(end_date="2026-12-02T10:00")
    said = changes(title="T", description="D", end_date="2026-12-03T10:00")
    after = core.amended_later(offer, said)
    assert (after.catalogue.name, after.catalogue.description) == ("T", "D")
    assert after.terms == replace(
        offer.terms, closes_at=after.terms.closes_at, settle_at=after.terms.closes_at
    )
    for beyond in ({"starting_price": 5}, {"reserve_price": None}, {"status": "active"}):
        with pytest.raises(Problem) as caught:
            core.amended_later(offer, changes(**beyond))
        assert caught.value.code == "not_editable"


# ── States ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("state", "status", "allowed"),
    [
        (State.SCHEDULED, "draft", ["resume", "cancel", "delete"]),
        (State.OPEN, "active", ["pause", "complete", "cancel"]),
        (State.PAUSED, "paused", ["resume", "complete", "cancel"]),
        (State.CLOSED, "completed", ["settle"]),
        (State.SETTLING, "settling", []),
        (State.SETTLED, "settled", []),
        (State.CANCELED, "canceled", ["delete"]),
    ],
)
def test_a_step_that_there_is_not(state: State, status: str, allowed: list[str]) -> None:
    """The answer names the state, and what is allowed from it."""
    problem = core.not_from(state, "pause")
    error = for_operators(problem)["error"]
    assert (problem.status, error["code"]) == (409, "invalid_transition")
    assert error["details"] == {"state": status, "allowed": allowed}
    assert status in error["message"]
    assert all(verb in error["message"] for verb in allowed)


def test_a_lot_that_was_withdrawn_is_not_there() -> None:
    """Somebody else has deleted it a moment before."""
    assert core.not_from(State.WITHDRAWN, "delete").code == "auction_not_found"


# ── What is shown ────────────────────────────────────────────────────────────────────────


def evening() -> Evening:
    """Two seats, three bids, of which one is taken back."""
    found = Evening("tokens")
    for who, amount in (("ada", 30_000_000), ("bram", 20_000_000), ("celia", 10_000_000)):
        found.do(PlaceBid(auction_of("tokens"), f"cons_{who}", f"c_{who}", amount, "bid"))
    found.do(CancelBid(auction_of("tokens"), "cons_ada", "c_ada", "cancel", "key"))
    return found


def placed(lot: LotView) -> list[PlacedBid]:
    assert lot.bids is not None
    return [PlacedBid(bid.cmd_id, bid.consumer_id, bid.amount, bid.at, bid.canceled_at)
            for bid in lot.bids]  # fmt: skip


def statuses(lot: LotView) -> list[str]:
    return [core.bid_status(lot, bid) for bid in placed(lot)]


def test_an_auction_field_by_field() -> None:
    """Whole tokens, and only the bids that stand are counted."""
    lot = evening().lot("tokens")
    shown = core.auction(lot, reads_reserves=True)
    assert (shown.id, shown.title, shown.status) == (auction_of("tokens"), "Jar, tokens", "active")
    assert (shown.bid_asset_id, shown.auction_asset_id) == ("bid-asset", "sold-asset")
    assert (shown.auction_asset_type, shown.auction_asset_token_id) == ("erc1155", 7)
    assert (shown.auction_asset_quantity, shown.settlement_type) == (2, "burn")
    assert (shown.starting_price, shown.reserve_price) == (Decimal("0.01"), None)
    assert (shown.format, shown.bid_count) == ("one_bid", 2)
    assert shown.created_at <= shown.updated_at


def test_the_reserve_is_for_those_who_may_read_it() -> None:
    """An operator key without the scope sees none."""
    lot = Evening("english").lot("english")
    assert core.auction(lot, reads_reserves=False).reserve_price is None
    assert core.auction(lot, reads_reserves=True).reserve_price == Decimal("319.99")


def test_the_life_of_bids() -> None:
    """Posted until the settlement, then winner or lost; who took theirs back is canceled."""
    found = evening()
    lot, auction_id = found.lot("tokens"), auction_of("tokens")
    assert statuses(lot) == ["canceled", "posted", "posted"]
    found.do(PlaceBid(auction_id, "cons_dora", "c_dora", 15_000_000, "bid"), PauseLot(auction_id))
    found.do(CloseLot(auction_id))
    assert statuses(lot) == ["canceled", "posted", "posted", "posted"]
    found.do(SettleLot(auction_id))
    assert core.auction(lot, reads_reserves=True).status == "settling"
    assert statuses(lot) == ["canceled", "posted", "posted", "posted"]
    found.do(FinishSettlement(auction_id))
    assert statuses(lot) == ["canceled", "winner", "lost", "winner"]


def test_after_a_cancelation_no_bid_is_posted() -> None:
    """Nobody has won, and nobody's tokens are held."""
    found = evening()
    found.do(CancelLot(auction_of("tokens")))
    assert statuses(found.lot("tokens")) == ["canceled"] * 3


def test_a_bid_field_by_field() -> None:
    """The amount twice: in whole tokens, and in the asset's smallest unit as a text."""
    lot = evening().lot("tokens")
    shown = core.bid(lot, placed(lot)[1], "bram@example.com", 18)
    assert (shown.amount, shown.amount_base) == (Decimal(20), "20000000000000000000")
    assert (shown.email, shown.status) == ("bram@example.com", "posted")
    assert shown.created_at == shown.updated_at
    canceled = core.bid(lot, placed(lot)[0], None, 18)
    assert canceled.updated_at >= canceled.created_at


def test_a_settlement_line_by_line() -> None:
    """References are the journal's keys; whose account it was is told by e-mail."""
    found = evening()
    lot, auction_id = found.lot("tokens"), auction_of("tokens")
    found.do(CloseLot(auction_id), SettleLot(auction_id), FinishSettlement(auction_id))
    burn = LedgerEntry(
        "end:b1", Account("cons_bram", "bid-asset", "", "held"),
        Account("burned", "bid-asset", "", "burned"), 20 * 10**18, 18, 1_795_000_000_000, "b1",
    )  # fmt: skip
    mint = LedgerEntry(
        "mint:b1", Account("issued", "sold-asset", "7", "issued"),
        Account("cons_bram", "sold-asset", "7", "available"), 1, 0, 1_795_000_000_000, "b1",
    )  # fmt: skip
    names = {"cons_bram": "bram@example.com"}
    shown = core.settled(core.auction(lot, reads_reserves=True), lot, [], [burn, mint], names)
    assert shown.winning_bids == []
    assert not isinstance(shown.settlement, UnsetType)
    assert shown.settlement.transaction_references == ["end:b1", "mint:b1"]
    first, second = shown.settlement.entries
    assert (first.debit, first.debit_email) == ("held", "bram@example.com")
    assert (first.credit, first.credit_email) == ("burned", None)
    assert (first.amount, first.amount_base) == (Decimal(20), str(20 * 10**18))
    assert (second.token_id, second.amount) == (7, Decimal(1))


# ── Amounts ──────────────────────────────────────────────────────────────────────────────


@given(st.integers(1, LARGEST), st.integers(0, 36))
def test_amounts_are_exact_to_the_last_digit(units: int, decimals: int) -> None:
    """Also beyond the 28 digits that Decimal's own arithmetic keeps."""
    whole = core.whole_tokens(units, decimals)
    assert core.smallest_units(whole, decimals) == units
    assert int(whole) == units // 10**decimals or decimals > 28


@pytest.mark.parametrize(
    ("units", "decimals", "written"),
    [(0, 18, "0"), (10**18, 18, "1"), (12_500_000, 6, "12.5"), (1, 6, "0.000001"), (700, 0, "700")],
)
def test_how_amounts_are_written(units: int, decimals: int, written: str) -> None:
    """Without zeros behind."""
    assert str(core.whole_tokens(units, decimals)) == written


@pytest.mark.parametrize("text", ["0", "-1", "0.001", "1e80", "1e9999", "1e-9999", str(10**76)])
def test_amounts_that_a_ledger_does_not_take(text: str) -> None:
    """Nothing, less than nothing, parts of the smallest unit, and more than a chain can hold."""
    with pytest.raises(Problem) as caught:
        core.smallest_units(Decimal(text), 2)
    assert caught.value.code == "invalid_amount"
