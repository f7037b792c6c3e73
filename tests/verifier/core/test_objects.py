"""The life of an object, and what binds it."""

from __future__ import annotations

import pytest

from verifier.core.objects import (
    CATEGORIES,
    EVENT_TYPES,
    POSTABLE,
    REQUIRED_ANGLES,
    STATES,
    SYSTEM,
    TRANSITIONS,
    Category,
    InvalidState,
    after,
    allowed_in,
    angle_of,
    binding_of,
)

# The contract's table, written down a second time: (event, from, to).
CONTRACT = {
    ("cataloged", "consigned", "cataloged"),
    ("listed", "cataloged", "listed"),
    ("passed", "listed", "cataloged"),
    ("sold", "listed", "sold"),
    ("sold", "consigned", "sold"),
    ("sold", "cataloged", "sold"),
    ("rescinded", "sold", "cataloged"),
    ("transferred", "sold", "transferred"),
    ("withdrawn", "consigned", "withdrawn"),
    ("withdrawn", "cataloged", "withdrawn"),
    ("withdrawn", "listed", "withdrawn"),
    ("returned", "withdrawn", "returned"),
    ("returned", "cataloged", "returned"),
    ("consigned", "transferred", "consigned"),
    ("consigned", "returned", "consigned"),
    ("consigned", "withdrawn", "consigned"),
}


def test_an_object_lives_as_the_contract_says() -> None:
    """Every event in every state: the contract's step, or a refusal that names the state and
    what is allowed, or no change at all."""
    steps = {(event, origin): to for event, origin, to in CONTRACT}
    moving = {event for event, _, _ in CONTRACT}
    for event in EVENT_TYPES:
        for state in STATES:
            if (event, state) in steps:
                assert after(event, state) == steps[event, state]
            elif event not in moving:
                assert after(event, state) == state
            else:
                with pytest.raises(InvalidState, match=state) as refused:
                    after(event, state)
                allowed = {e for e, origin, _ in CONTRACT if origin == state}
                assert set(refused.value.allowed) == allowed == set(allowed_in(state))


def test_each_event_is_written_by_the_house_or_by_the_system() -> None:
    """By one of them, and never by both; and every step of the table is such an event."""
    assert not set(POSTABLE) & set(SYSTEM)
    assert set(TRANSITIONS) <= set(EVENT_TYPES)


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_binding_is_complete_with_the_last_required_angle(category: Category) -> None:
    """Not one earlier; further angles do not stand in for it; a broken one breaks it all."""
    required = REQUIRED_ANGLES[category]
    for missing in required:
        there = dict.fromkeys((angle for angle in required if angle != missing), True)
        assert binding_of(category, {**there, "macro": True}) == "incomplete"
    whole = dict.fromkeys(required, True)
    assert binding_of(category, whole) == "bound"
    assert binding_of(category, {**whole, required[0]: False}) == "broken"


def test_an_alias_of_an_angle_is_that_angle() -> None:
    """The case back may be written in one word."""
    assert angle_of("caseback") == "case_back"
    assert angle_of("dial") == "dial"
