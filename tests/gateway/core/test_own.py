"""Where a bidder's page lists a lot, here and in the browser; and what of a limit is taken."""

from __future__ import annotations

import json
import subprocess
from itertools import product
from typing import Any

import pytest

from engine.core.messages import (
    CloseLot,
    CreateSale,
    KeepTime,
    PlaceBid,
    RegisterBidder,
)
from gateway.core.own import committed, group
from gateway.core.view import Saleroom
from gateway.pages import STATIC
from tests.gateway.decisions import bid, decided, sale_of_lots
from tests.gateway.scripted_saleroom import snapshot

ASK_NODE = """
import { readFileSync } from "node:fs";
import { group } from %s;
const asked = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(asked.map(([auction, you]) => group(auction, you))));
"""
STANDINGS = ("NOT_BID", "ACTIVE", "OUTBID", "WINNING", "WON", "LOST")
EVERY = [
    (snapshot(status=status, format=form, outcome=outcome)["auction"], {"status": standing})
    for status, form, outcome, standing in product(
        ("draft", "scheduled", "open", "paused", "closed", "settling", "settled", "canceled"),
        ("english", "live", "one_bid", "dutch", "sealed_first", "sealed_second", "uniform"),
        (None, "sold", "passed", "sold_subject", "withdrawn"),
        STANDINGS,
    )
]


@pytest.mark.parametrize(
    ("changes", "standing", "listed"),
    [
        ({}, "NOT_BID", None),
        ({}, "WINNING", "leading"),
        ({"status": "paused"}, "WINNING", "leading"),
        ({}, "OUTBID", "outbid"),
        ({}, "ACTIVE", "outbid"),
        ({"format": "sealed_first"}, "ACTIVE", "sealed"),
        ({"format": "uniform", "status": "closed", "outcome": "sold"}, "ACTIVE", "sealed"),
        ({"status": "closed", "outcome": "sold"}, "WINNING", "won"),
        ({"status": "closed", "outcome": "sold_subject"}, "WINNING", "won"),
        ({"status": "closed", "outcome": "passed"}, "WINNING", "lost"),
        ({"status": "closed", "outcome": "sold"}, "OUTBID", "lost"),
        ({"status": "settled", "outcome": "sold"}, "WON", "won"),
        ({"status": "settled", "outcome": "sold"}, "LOST", "lost"),
        ({"status": "canceled"}, "LOST", "lost"),
    ],
)
def test_a_lot_is_listed_by_how_its_bidder_stands(
    changes: dict[str, Any], standing: str, listed: str | None
) -> None:
    """What is said to nobody before the settlement is not said here either."""
    assert group(snapshot(**changes)["auction"], {"status": standing}) == listed


def test_the_browser_lists_the_same() -> None:
    """In every state, so that no row changes its words when the page comes alive."""
    script = ASK_NODE % json.dumps((STATIC / "own.js").as_uri())
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script],
        input=json.dumps(EVERY),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for (auction, you), found in zip(EVERY, json.loads(done.stdout), strict=True):
        assert found == group(auction, you), (auction, you)


def test_a_limit_is_taken_by_what_is_won_and_led() -> None:
    """Hammer prices of lots that are won, whole maximums of lots that are led, no others."""
    sale, *lots = sale_of_lots(lots=3, reserve=None)
    assert isinstance(sale, CreateSale)
    due = [KeepTime(f"auction_k3f9_{n}") for n in (1, 2, 3)]
    commands = [
        sale,
        *lots,
        *due,
        RegisterBidder("seq_k3f9", "cons_ada", limit=1_000_000),
        bid("cons_ada", 50_000, "max", auction="auction_k3f9_1"),
        bid("cons_ada", 70_000, "max", auction="auction_k3f9_2"),
        bid("cons_ada", 20_000, auction="auction_k3f9_3"),
        PlaceBid("auction_k3f9_3", "cons_bo", "c1", 30_000, "bid"),
        CloseLot("auction_k3f9_1"),
    ]
    saleroom = Saleroom()
    for place, event in enumerate(decided(commands)):
        saleroom.fold(0, place, event)
    view = saleroom.sales["seq_k3f9"]
    assert committed(saleroom, view, "cons_ada") == 10_000 + 70_000
    assert committed(saleroom, view, "cons_bo") == 30_000
    assert committed(saleroom, view, "cons_cy") == 0
