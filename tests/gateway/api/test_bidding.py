"""Bids on their way to the log: what is looked up before anything else is checked."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from engine.core.messages import BidRefused, PlaceBid
from gateway import bidding
from gateway.app import Gateway
from gateway.books import ledger
from gateway.core.problems import Problem
from gateway.core.view import LotView
from tests.gateway import formats
from tests.gateway.api.conftest import NOW
from tests.gateway.formats import Evening, auction_of

ADA = "cons_ada"
TOKEN = 1_000_000  # of a bid


def token_lot(gateway: Gateway) -> LotView:
    """A lot that is sold for tokens, of which Ada has a hundred."""
    gold = ledger.create_asset(gateway.books, "test", "erc20", "GLD", "Gold", 18, NOW)
    ledger.issue(gateway.books, "k", ADA, gold.asset_id, 100 * 10**18, NOW)
    lot = Evening("tokens").saleroom.lots[auction_of("tokens")]
    assert lot.terms.tokens is not None
    tokens = replace(lot.terms.tokens, bid_asset_id=gold.asset_id)
    lot.terms = replace(lot.terms, tokens=tokens)
    return lot


async def test_under_a_key_with_one_held_nobody_bids_ninety(gateway: Gateway) -> None:
    """The first is set aside and was never appended: the second is not paid in, and refused."""
    lot = token_lot(gateway)
    one = PlaceBid(lot.auction_id, ADA, "k1", TOKEN, "bid")
    assert isinstance(await bidding.hold(gateway, lot, one), PlaceBid)
    ninety = await bidding.hold(gateway, lot, replace(one, amount=90 * TOKEN))
    assert isinstance(ninety, BidRefused)
    assert ninety.answer.code == "idempotency_mismatch"
    again = await bidding.hold(gateway, lot, one)
    assert isinstance(again, PlaceBid)
    assert again.amount == TOKEN
    assert again.expires_at is not None
    assert again.expires_at > gateway.clock.now()


async def test_a_sealed_bid_that_is_known_is_not_too_low(gateway: Gateway) -> None:
    """Sent again with less than the opening bid, the log says that its key was used; a new one
    is too low at once."""
    evening = Evening("sealed_first")
    lot = evening.saleroom.lots[auction_of("sealed_first")]
    evening.do(formats.sealed_bid(lot.auction_id, ADA, 20_000, "k1"))
    low = formats.OPENING - 1
    refused = await bidding.place(gateway, lot, ADA, "k2", low, "bid")
    assert refused.answer.code == "below_asking_bid"
    with pytest.raises(Problem, match="unavailable"):  # it went to the log, and there is none here
        await bidding.place(gateway, lot, ADA, "k1", low, "bid")
