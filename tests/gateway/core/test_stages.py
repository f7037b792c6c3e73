"""How far a sale has come, and what is next."""

from __future__ import annotations

from itertools import product

import pytest

from engine.core.messages import State
from gateway.core.stages import STAGES, Item, Stage, Step, stage_of, step_of, used_stages

DRAFT = Item(State.SCHEDULED, has_time=False)
TIMED = Item(State.SCHEDULED)
OPEN, PAUSED, CLOSED = Item(State.OPEN), Item(State.PAUSED), Item(State.CLOSED)
SETTLING, SETTLED = Item(State.SETTLING), Item(State.SETTLED)
CANCELED, WITHDRAWN = Item(State.CANCELED), Item(State.WITHDRAWN)
CALLED = Item(State.SCHEDULED, is_live=True, has_time=False)  # waits for its auctioneer
ON, SENT_BACK = Item(State.OPEN, is_live=True), Item(State.PAUSED, is_live=True)
FALLEN = Item(State.CLOSED, is_live=True)

TABLE: list[tuple[list[Item], Stage, Step]] = [
    ([], "draft", "add"),
    ([DRAFT], "draft", "publish"),
    ([DRAFT, TIMED], "draft", "publish"),
    ([TIMED, TIMED], "published", "open"),
    ([CALLED, CALLED], "published", "console"),
    ([CALLED, TIMED], "published", "open"),
    ([CALLED, DRAFT], "draft", "publish"),
    ([OPEN, TIMED], "open", "close"),
    ([OPEN, DRAFT], "open", "close"),
    ([OPEN, CLOSED], "open", "close"),
    ([PAUSED], "open", "close"),
    ([CLOSED, TIMED], "open", "open"),
    ([SETTLED, TIMED], "open", "open"),
    ([OPEN, CALLED], "open", "close"),
    ([ON, CALLED], "live", "console"),
    ([ON, OPEN], "live", "console"),
    ([SENT_BACK, FALLEN], "live", "console"),
    ([FALLEN, CALLED], "live", "console"),
    ([CLOSED, CALLED], "live", "console"),
    ([FALLEN, FALLEN], "closed", "settle"),
    ([CLOSED, SETTLED], "closed", "settle"),
    ([SETTLING, SETTLED], "closed", "settle"),
    ([CLOSED, CANCELED], "closed", "settle"),
    ([SETTLED, SETTLED], "settled", "reckon"),
    ([SETTLED, CANCELED], "settled", "reckon"),
    ([CANCELED], "settled", "reckon"),
    ([CANCELED, TIMED], "published", "open"),
    ([WITHDRAWN, DRAFT], "draft", "publish"),
]


@pytest.mark.parametrize(("items", "stage", "step"), TABLE)
def test_a_sale_stands_where_its_lots_do(items: list[Item], stage: Stage, step: Step) -> None:
    """In whatever order they are in the catalogue."""
    assert stage_of(items) == stage_of(items[::-1]) == stage
    assert step_of(items) == step_of(items[::-1]) == step


def test_no_sale_is_nowhere() -> None:
    """Any three lots, in any states, make a sale that stands somewhere and has a next step;
    and wherever it stands is a stage that it goes through."""
    kinds = [Item(*parts) for parts in product(State, (False, True), (False, True))]
    for items in product(kinds, repeat=3):
        assert stage_of(items) in used_stages(items)
        assert step_of(items) != "add"


def test_a_sale_without_an_auctioneer_is_never_live() -> None:
    """And one that is sold from the rostrum alone is never merely open."""
    assert used_stages([TIMED]) == [stage for stage in STAGES if stage != "live"]
    assert used_stages([CALLED]) == [stage for stage in STAGES if stage != "open"]
    assert used_stages([CALLED, TIMED]) == list(STAGES)
