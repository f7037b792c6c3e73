"""A sale as it is announced and shown."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from engine.core.messages import CreateSale, SaleTerms
from gateway.core import prospectus
from gateway.core.bodies import read
from gateway.core.currencies import EXPONENTS
from gateway.core.problems import Problem
from gateway.core.view import RegistrationView, SaleView
from gateway.core.wire.house import NewSale, SaleChanges
from tests.gateway.formats import SALE, Evening


def announced(**said: Any) -> CreateSale:
    """A sale of which this is said."""
    whole = {"name": "Clay", "timeZone": "Europe/Berlin", "currencyCode": "EUR", **said}
    return prospectus.announced(read(json.dumps(whole).encode(), NewSale), "seq_k3f9", "live")


def test_a_sale_of_which_little_is_said() -> None:
    """Open to all who have signed in, in the key's mode, without a premium."""
    assert announced() == CreateSale(
        "seq_k3f9", "Clay", "EUR", 2, "Europe/Berlin", "open", "live", False, SaleTerms()
    )


def test_everything_that_is_printed_of_a_sale() -> None:
    """Premium tiers in minor units, percentages as they were written."""
    terms = {
        "buyersPremium": [[0, "27.5"], [1_000, 20]],
        "taxPercent": 19,
        "conditions": "Read me.",
        "conditionsVersion": "3",
        "wrongFoot": "plus_one",
        "houseBids": "announced_once",
        "fingers": False,
    }
    sale = announced(registration="approval", supportsGuest=True, terms=terms)
    assert (sale.registration, sale.supports_guest) == ("approval", True)
    tiers = ((0, "27.5"), (100_000, "20"))
    rostrum = ("plus_one", "announced_once", False)
    assert sale.terms == SaleTerms(
        tiers, "19", "Read me.", "3", "plus_one", "announced_once", False
    )
    shown = prospectus.shown(SaleView(sale), []).terms
    assert (shown.wrong_foot, shown.house_bids, shown.fingers) == rostrum


def test_a_change_leaves_the_rest_as_it_was() -> None:
    """Of the terms, too."""
    before = announced(terms={"taxPercent": 19, "conditions": "Read me."})
    said = read(b'{"name": "Fire", "terms": {"taxPercent": 7}}', SaleChanges)
    after = prospectus.amended(before, said)
    assert (after.name, after.time_zone) == ("Fire", "Europe/Berlin")
    assert after.terms == SaleTerms((), "7", "Read me.")


def test_a_premium_is_the_same_in_another_currency() -> None:
    """From a thousand euros on, from a thousand yen on; half a yen there is not."""
    before = announced(terms={"buyersPremium": [[0, 25], [1_000, 20]]})
    yen = prospectus.amended(before, read(b'{"currencyCode": "JPY"}', SaleChanges))
    assert yen.terms.buyers_premium == ((0, "25"), (1_000, "20"))
    odd = announced(terms={"buyersPremium": [[0, 25], [0.5, 20]]})
    with pytest.raises(Problem):
        prospectus.amended(odd, read(b'{"currencyCode": "JPY"}', SaleChanges))


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"currencyCode": "ABC"}, "currencyCode"),
        ({"terms": {"taxPercent": 101}}, "terms.taxPercent"),
        ({"terms": {"taxPercent": -1}}, "terms.taxPercent"),
        ({"terms": {"taxPercent": "1e-9"}}, "terms.taxPercent"),
        ({"terms": {"taxPercent": "0.1234567891234"}}, "terms.taxPercent"),
        ({"terms": {"buyersPremium": [[10, 25]]}}, "terms.buyersPremium"),
        ({"terms": {"buyersPremium": [[0, 25], [0, 20]]}}, "terms.buyersPremium"),
        ({"terms": {"buyersPremium": [[0, 25], [10.005, 20]]}}, "terms.buyersPremium"),
        ({"terms": {"buyersPremium": [[0, 250]]}}, "terms.buyersPremium"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_field(said: dict[str, Any], field: str) -> None:
    """Nobody pays a premium of 250 percent."""
    with pytest.raises(Problem) as caught:
        announced(**said)
    details: Any = caught.value.details
    assert field in [detail["field"] for detail in details]


@pytest.mark.parametrize(("code", "exponent"), [("EUR", 2), ("JPY", 0), ("KWD", 3), ("HUF", 2)])
def test_the_decimals_of_currencies(code: str, exponent: int) -> None:
    """As ISO 4217 has them."""
    assert EXPONENTS[code] == exponent


def test_no_currency_is_listed_twice() -> None:
    """A code has one number of decimals, and three letters."""
    assert all(len(code) == 3 and code.isupper() for code in EXPONENTS)
    assert len(EXPONENTS) > 140


def test_a_sale_is_shown_with_its_lots_in_order() -> None:
    """Times from the first opening to the last close; a lot is in the contract's words."""
    evening = Evening("english", "announced", "sealed_second")
    sale = evening.saleroom.sales[SALE]
    shown = prospectus.shown(sale, (evening.saleroom.lots[name] for name in sale.auction_ids))
    assert [lot.lot_number for lot in shown.auctions] == ["1", "2", "3"]
    assert [lot.status for lot in shown.auctions] == ["OPEN", "PENDING", "OPEN"]
    assert [lot.format for lot in shown.auctions] == ["english", "english", "sealed_second"]
    assert shown.open_at == shown.auctions[0].open_at
    assert shown.close_at == shown.auctions[0].close_at
    assert (shown.currency_code, shown.mode) == ("EUR", "test")


def test_a_registration_is_in_major_units() -> None:
    """Limit and what was won as the house counts money."""
    seat = RegistrationView(101, "suspended", 50_000, "late payment", "3", 1_795_000_000_000)
    shown = prospectus.registration(announced(), "cons_ada", seat, 12_345, "ada@example.com")
    assert (shown.limit, shown.won) == (Decimal("500.00"), Decimal("123.45"))
    assert (shown.status, shown.paddle, shown.reason) == ("suspended", 101, "late payment")
    assert shown.email == "ada@example.com"
