"""How a list shows a lot, here and in the browser, and which lots a reader finds."""

from __future__ import annotations

import json
import subprocess
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest

from engine.core.messages import State
from gateway.core.cards import Face, Sought, face
from gateway.pages import STATIC
from tests.gateway.scripted_saleroom import NOW, snapshot

ASK_NODE = """
import { readFileSync } from "node:fs";
import { face } from %s;
console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(face)));
"""
TIMES: tuple[dict[str, Any], ...] = (
    {"opensAt": None, "closesAt": None},
    {"opensAt": NOW, "closesAt": NOW + 1},
)
EVERY = [
    snapshot(status=status, format=form, price=price, askingBid=asking, outcome=outcome, **times)[
        "auction"
    ]
    for status, form, price, asking, outcome, times in product(
        ("draft", "scheduled", "open", "paused", "closed", "settling", "settled", "canceled"),
        ("english", "live", "dutch", "sealed_first"),
        (None, 4_200_000),
        (None, 4_400_000),
        (None, "sold", "passed", "sold_subject", "withdrawn"),
        TIMES,
    )
]


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, Face("open", "current-bid", 4_200_000, "closes", NOW + 300_000)),
        ({"price": None}, Face("open", "opening-bid", 4_400_000, "closes", NOW + 300_000)),
        ({"closesAt": None}, Face("open", "current-bid", 4_200_000, "open")),
        ({"format": "live"}, Face("live", "current-bid", 4_200_000, "on-now")),
        ({"status": "paused"}, Face("paused", "current-bid", 4_200_000, "paused")),
        (
            {"status": "scheduled", "price": None},
            Face("upcoming", "opening-bid", 2_400_000, "opens", NOW - 600_000),
        ),
        (
            {"status": "draft", "price": None, "opensAt": None},
            Face("upcoming", "opening-bid", 2_400_000, "not-open"),
        ),
        (
            {"status": "settled", "outcome": "sold"},
            Face("over", "hammer-price", 4_200_000, "sold"),
        ),
        ({"status": "closed", "outcome": "passed"}, Face("over", "last-bid", 4_200_000, "passed")),
        (
            {"status": "closed", "outcome": "passed", "price": None},
            Face("over", "", None, "passed"),
        ),
        ({"status": "canceled"}, Face("over", "", None, "canceled")),
        ({"format": "dutch"}, Face("open", "price-now", 4_400_000, "closes", NOW + 300_000)),
    ],
)
def test_each_state_has_its_figure_and_its_word(changes: dict[str, Any], shown: Face) -> None:
    """What a clerk would write beside the lot."""
    assert face(snapshot(**changes)["auction"]) == shown


def test_the_browser_shows_the_same() -> None:
    """In every state that an auction can be in, so that nothing flickers."""
    script = ASK_NODE % json.dumps((STATIC / "cards.js").as_uri())
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script],
        input=json.dumps(EVERY),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for auction, found in zip(EVERY, json.loads(done.stdout), strict=True):
        assert found == face(auction)._asdict(), auction


def lot(number: str, name: str, description: str = "", state: State = State.OPEN) -> Any:
    printed = SimpleNamespace(lot_number=number, name=name, description=description)
    now = SimpleNamespace(state=state)
    return SimpleNamespace(auction_id=f"auction_{number}", catalogue=printed, now=now)


def test_a_reader_finds_what_is_printed() -> None:
    """Every word, in any order and case, of number, name and description."""
    vase = lot("214", "A celadon mallet vase", "Stoneware, the crackle stained brown.")
    none: frozenset[str] = frozenset()
    for text in ("", "214", "vase", "VASE celadon", "mallet brown", "  stoneware "):
        assert Sought(text).takes(vase, none), text
    for text in ("215", "jar", "vase jar"):
        assert not Sought(text).takes(vase, none), text


def test_what_is_paused_or_on_now_counts_as_open() -> None:
    """A reader chooses between not yet, now, and over; every state is one of them."""
    found = {
        status: [
            state
            for state in State
            if Sought(status=status).takes(lot("214", "Vase", state=state), frozenset())
        ]
        for status in ("upcoming", "open", "over", "")
    }
    assert found["upcoming"] == [State.SCHEDULED]
    assert found["open"] == [State.OPEN, State.PAUSED]
    assert len(found["over"]) == len(State) - 3
    assert found[""] == list(State)


def test_only_what_is_watched() -> None:
    """The reader's own marks narrow the rest."""
    watched = frozenset({"auction_214"})
    assert Sought(is_watched=True).takes(lot("214", "Vase"), watched)
    assert not Sought(is_watched=True).takes(lot("215", "Jar"), watched)
    assert not Sought("jar", is_watched=True).takes(lot("214", "Vase"), watched)
