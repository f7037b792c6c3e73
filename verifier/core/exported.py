"""What other people's formats are made of: one object's record, as its reader may know it.

``linked_art``, ``object_id`` and ``epcis`` write it in the forms that museums, police and
supply chains read.  Whoever fills it leaves out what the reader may not know: without a right
to the private fields there are no ``private`` ones, and nothing here can tell them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the object's history."""

    document: Json  # as it was signed
    hash: str  # of it, hexadecimal

    @property
    def said(self) -> Json:
        """What it says."""
        found: Json = self.document["credentialSubject"]
        return found

    @property
    def kind(self) -> str:
        """Its type."""
        found: str = self.said["eventType"]
        return found

    @property
    def when(self) -> str:
        """When it was: to the day where custody moves."""
        found: str = self.document["validFrom"]
        return found


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the chain of custody; persons are numbered, and nothing else is known of them."""

    seq: int  # of the event it came with
    giver: int
    taker: int


@dataclass(frozen=True, slots=True)
class Price:
    """What was paid."""

    amount: Decimal  # major units
    currency: str


@dataclass(frozen=True, slots=True)
class Record:
    """An object's record."""

    serial: str
    title: str
    category: str
    link: str  # its GS1 Digital Link
    page: str  # where anybody verifies it
    proof: str  # where its proof bundle is
    events: Sequence[Event]
    steps: Sequence[Step]
    # By the event with which title passed: of an auction always, else for who may read it.
    prices: Mapping[int, Price]
    photographs: Sequence[tuple[str, str]]  # angle and SHA-256 of those that stand
    private: Mapping[str, Any] = field(default_factory=dict)  # description and attributes

    def party(self, number: int) -> str:
        """A name for somebody of whom nothing is said."""
        return f"{self.page}#party-{number}"
