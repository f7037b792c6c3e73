"""What the rostrum remembers of a live lot, beside what every lot remembers.

A live lot is sold from the same book as an english one (absentee.py): bids from the room, the
phone, the letter and the net are entries of one book.  The auctioneer may take them in steps
that no table names, let online bids wait, and take back what was misheard.  For that the lot
keeps where its leader's bid came from, the bids that wait, and a *mark* after every accepted
bid, so that an undo can go back to any of them.  What grows here is bounded by the accepted
bids and by the acts of the rostrum.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec import Struct

from engine.core.messages import Channel, Phase, Terms

# Who bids on the floor without having shown a paddle yet; the house bids for the consignor.
ROOM = "floor_room"
PHONE = "floor_phone"
HOUSE = "floor_house"
UNNAMED = (ROOM, PHONE, HOUSE)
FLOOR: tuple[Channel, ...] = ("room", "phone")


class Mark(Struct, frozen=True, array_like=True, gc=False):
    """The bidding as it stood after one step of it; the step was a bid, or the rostrum's."""

    seq: int  # of the last public event by then
    price: int | None
    asking: int | None
    bid_count: int
    bidder_count: int
    consumer_id: str = ""  # whose bid it was; empty: nobody's
    cmd_id: str = ""
    amount: int = 0  # of the bid, or its limit
    order: int = 0  # its place in time; 0: it never entered the book
    stands: bool = False  # it is a limit, which the engine bids up to
    moved: bool = False  # it made a price
    led: bool = False  # at that price
    channel: Channel = "online"

    @property
    def called(self) -> int:
        """The amount that was bid out loud with it."""
        return self.price if self.led and self.price is not None else self.amount


class Waiting(Struct, frozen=True, array_like=True, gc=False):
    """An online bid that the rostrum has yet to take or refuse."""

    cmd_id: str
    amount: int
    number: int  # of all that ever waited here


@dataclass(slots=True)
class Rostrum:
    """The rostrum's memory of one lot."""

    step: int | None = None  # instead of the table's
    channel: Channel = "online"  # the leader's
    phase: Phase | None = None
    opened: int = 0  # the public seq of the opening
    marks: list[Mark] = field(default_factory=list)
    # Bids that an undo or a refusal has set aside, by ``key``: they may be reinstated.
    aside: dict[str, Mark] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=dict)  # how many marks each bidder has
    waiting: dict[str, Waiting] = field(default_factory=dict)  # by consumer id
    came: int = 0  # how many bids ever waited
    held: int = 0  # for how many of them the hammer has been held


def rostrum_of(terms: Terms) -> Rostrum | None:
    """A fresh memory for a lot that is sold from the rostrum; None for any other."""
    return Rostrum() if terms.format == "live" and terms.winner_count == 1 else None


def key(consumer_id: str, cmd_id: str) -> str:
    """One bid's name within its lot."""
    return f"{consumer_id}\0{cmd_id}"


def named(paddle: int) -> str:
    """The consumer id of a floor bidder whom the sale knows by nothing but a paddle."""
    return f"floor_{paddle}"
