"""What a hammer price comes to, here and in the browser."""

from __future__ import annotations

import json
import shutil
import subprocess
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any

from engine.core.messages import SaleTerms
from gateway.core.bill import Bill, bill
from gateway.pages import STATIC

NODE = shutil.which("node")
UK = SaleTerms(
    buyers_premium=((0, "26"), (80_000_000, "21"), (450_000_000, "15")), tax_percent="20"
)
ASK_NODE = """
import { bill } from %s;
const cases = JSON.parse(process.argv[1]);
console.log(JSON.stringify(cases.map(([hammer, terms]) => bill(hammer, terms))));
"""


def test_an_invoice_adds_up() -> None:
    """A premium of 26 % with tax on it: €44,000 at the hammer is €57,728 to pay."""
    found = bill(4_400_000, UK)
    assert found == Bill(4_400_000, 1_144_000, 228_800)
    assert found.total == 5_772_800


def test_tiers_are_marginal() -> None:
    """A price above a tier pays the tier's percentage only on what lies above."""
    assert bill(80_000_000, UK).premium == 20_800_000
    assert bill(80_000_100, UK).premium == 20_800_021
    assert bill(500_000_000, UK).premium == 20_800_000 + 77_700_000 + 7_500_000


def test_a_sale_without_a_premium_costs_the_hammer_price() -> None:
    """The tax is on the premium: without one there is none."""
    assert bill(4_400_000, SaleTerms(tax_percent="19")) == Bill(4_400_000, 0, 0)


def test_half_a_cent_is_rounded_up_once() -> None:
    """Premium and tax are rounded each by itself, and not their sum."""
    assert bill(10, SaleTerms(buyers_premium=((0, "25"),), tax_percent="50")) == Bill(10, 3, 2)
    assert bill(9, SaleTerms(buyers_premium=((0, "5.5"),))).premium == 0
    thirds = SaleTerms(buyers_premium=((0, "33.3333333"), (1, "66.6666667")))
    assert bill(2, thirds).premium == 1


def random_case(chance: Random) -> tuple[int, SaleTerms]:
    """A price and terms as a house might print them, or as nobody would."""

    def percent() -> str:
        return f"{Decimal(chance.randrange(0, 10_000_000_001)).scaleb(-8):f}"[:10].rstrip(".")

    starts = sorted(chance.sample(range(1, 10**9), chance.randrange(0, 6)))
    tiers = tuple((start, percent()) for start in [0, *starts])
    hammer = chance.choice([chance.randrange(1, 10**10), chance.randrange(1, 2**51), 1])
    return hammer, SaleTerms(buyers_premium=tiers[: chance.randrange(0, 7)], tax_percent=percent())


def by_hand(hammer: int, terms: SaleTerms) -> tuple[int, int]:
    """Premium and tax in decimals, unit by unit of each tier, as a clerk would."""
    premium = Decimal(0)
    starts = [*(start for start, _ in terms.buyers_premium), hammer]
    for place, (start, percent) in enumerate(terms.buyers_premium):
        inside = max(0, min(hammer, starts[place + 1]) - start)
        premium += Decimal(inside) * Decimal(percent) / 100
    charged = int(premium.quantize(Decimal(1), ROUND_HALF_UP))
    tax = Decimal(charged) * Decimal(terms.tax_percent) / 100
    return charged, int(tax.quantize(Decimal(1), ROUND_HALF_UP))


def test_whole_numbers_and_decimals_agree() -> None:
    """Computed another way, with decimals, every bill is the same."""
    chance = Random(214)
    for _ in range(2_000):
        hammer, terms = random_case(chance)
        found = bill(hammer, terms)
        assert (found.premium, found.tax) == by_hand(hammer, terms), (hammer, terms)


def test_the_browser_computes_the_same() -> None:
    """The figure under the button is the figure on the invoice, to the minor unit."""
    assert NODE is not None, "node is not installed: make test sees to it"
    chance = Random(4_400)
    cases = [random_case(chance) for _ in range(500)]
    said: list[Any] = [
        [hammer, {"premium": terms.buyers_premium, "tax": terms.tax_percent}]
        for hammer, terms in cases
    ]
    script = ASK_NODE % json.dumps((STATIC / "allin.js").as_uri())
    done = subprocess.run(
        [NODE, "--input-type=module", "-e", script, json.dumps(said)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for (hammer, terms), found in zip(cases, json.loads(done.stdout), strict=True):
        expected = bill(hammer, terms)
        assert found == {
            "hammer": hammer,
            "premium": expected.premium,
            "tax": expected.tax,
            "total": expected.total,
        }, (hammer, terms)
