"""What an object is to the house: its life as one table, and what must be known of it.

An object outlives every sale: it is consigned, sold, passed on and may come back under the
same serial.  ``TRANSITIONS`` is its whole life; an event that is missing from a row cannot
happen there, and events that are in no row change no state.  The names are the contract's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

State = Literal["consigned", "cataloged", "listed", "sold", "transferred", "withdrawn", "returned"]
Category = Literal["watch", "painting", "bottle", "collectible", "jewellery", "sculpture", "other"]
Tier = Literal["standard", "enhanced", "maximum"]
Binding = Literal["incomplete", "bound", "broken"]

STATES: Final[tuple[State, ...]] = get_args(State)
CATEGORIES: Final[tuple[Category, ...]] = get_args(Category)

# What a house may write itself, and what only the system writes.
POSTABLE: Final = (
    "consigned",
    "cataloged",
    "condition_reported",
    "exhibited",
    "loaned",
    "restored",
    "listed",
    "withdrawn",
    "returned",
    "rescinded",
    "correction",
)
SYSTEM: Final = (
    "registered",
    "photographed",
    "binding_completed",
    "passed",
    "sold",
    "transferred",
    "tag_bound",
    "scan_alert",
    "erased",
)
EVENT_TYPES: Final = (*POSTABLE, *SYSTEM)

# By event: the states it may come in, and the state that follows.
TRANSITIONS: Final[Mapping[str, tuple[tuple[State, ...], State]]] = {
    "cataloged": (("consigned",), "cataloged"),
    "listed": (("cataloged",), "listed"),
    "passed": (("listed",), "cataloged"),
    # Out of an auction from listed alone; a private sale may skip what a sale needs.
    "sold": (("consigned", "cataloged", "listed"), "sold"),
    "rescinded": (("sold",), "cataloged"),
    "transferred": (("sold",), "transferred"),
    "withdrawn": (("consigned", "cataloged", "listed"), "withdrawn"),
    "returned": (("withdrawn", "cataloged"), "returned"),
    "consigned": (("transferred", "returned", "withdrawn"), "consigned"),
}

# Custody changes hands with these: in public they carry a day, and nothing finer.
OF_CUSTODY: Final = frozenset(("consigned", "sold", "rescinded", "transferred", "returned"))

# From these a house may hand an object over (contract, "Transfers").
TRANSFERABLE: Final[tuple[State, ...]] = ("consigned", "cataloged", "listed", "sold")

REQUIRED_ANGLES: Final[Mapping[Category, tuple[str, ...]]] = {
    "watch": ("dial", "movement", "serial_engraving", "case_back"),
    "painting": ("overall", "detail_1", "detail_2", "signature", "reverse"),
    "bottle": ("front_label", "closure", "back_label", "fill_level"),
    "collectible": ("front", "back"),
    "jewellery": ("overall", "detail_1"),
    "sculpture": ("overall", "detail_1"),
    "other": ("overall", "detail_1"),
}
ANGLE_ALIASES: Final[Mapping[str, str]] = {"caseback": "case_back"}


class InvalidState(Exception):
    """The event cannot happen in the object's state: ``state`` and ``allowed`` events."""

    def __init__(self, event_type: str, state: State) -> None:
        self.event_type = event_type
        self.state = state
        self.allowed = allowed_in(state)
        listed = ", ".join(self.allowed) or "none"
        super().__init__(f"{event_type} cannot follow {state}; allowed there: {listed}")


def after(event_type: str, state: State) -> State:
    """The state that follows the event.  Raises ``InvalidState``."""
    if event_type not in TRANSITIONS:
        return state
    origins, following = TRANSITIONS[event_type]
    if state not in origins:
        raise InvalidState(event_type, state)
    return following


def allowed_in(state: State) -> tuple[str, ...]:
    """The events that move an object on from this state."""
    return tuple(name for name, (origins, _) in TRANSITIONS.items() if state in origins)


def angle_of(text: str) -> str:
    """An angle's one name."""
    return ANGLE_ALIASES.get(text, text)


def binding_of(category: Category, angles: Mapping[str, bool]) -> Binding:
    """How far the photographs bind the record: *angles* says of each whether it is intact."""
    required = REQUIRED_ANGLES[category]
    if not all(angles.values()):
        return "broken"
    return "bound" if all(angle in angles for angle in required) else "incomplete"
