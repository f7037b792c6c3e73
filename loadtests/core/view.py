"""One auction as a client sees it: a snapshot, and the public events applied to it.

Promises: a view with every event applied equals a fresh snapshot; an event that does not
follow on what is known is reported as a gap and changes nothing; one that is known already
changes nothing either.  Leaves to others: asking for what is missing (``bidder.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Message = dict[str, Any]  # one decoded frame
Taken = Literal["applied", "known", "gap"]

PUBLIC = frozenset(
    (
        "price",
        "extended",
        "opened",
        "paused",
        "unpaused",
        "fair_warning",
        "final_call",
        "undone",
        "reopened",
        "message",
        "updated",
        "closed",
        "settled",
    )
)
PERSONAL = frozenset(("winning", "outbid", "won", "lost", "decided"))

# What every public event carries, as it is after it; and what some add to the snapshot.
_CARRIED = (
    "price",
    "askingBid",
    "paddle",
    "bidCount",
    "bidderCount",
    "reserve",
    "status",
    "closesAt",
    "extensions",
    "outcome",
    "channel",
)


@dataclass(slots=True)
class View:
    """What is known of one auction, as of ``seq``."""

    auction_id: str
    lineage: str
    seq: int
    auction: Message
    you: Message | None
    merged: int = field(default=0)  # price events that came inside others


def seen(snapshot: Message) -> View:
    """The view that a snapshot opens."""
    return View(
        snapshot["auctionId"],
        snapshot["lineage"],
        snapshot["seq"],
        dict(snapshot["auction"]),
        snapshot["you"],
    )


def take(view: View, event: Message) -> Taken:
    """Apply a public event, which may stand for several merged ones.

    A merged event that begins before the view's ``seq`` and ends after it is applied: it
    carries the values after its last, and nothing before those is missing.
    """
    count = event.get("merged", 1)
    if event["seq"] <= view.seq:
        return "known"
    if event["seq"] - count > view.seq:
        return "gap"
    view.seq = event["seq"]
    view.merged += count - 1
    for name in _CARRIED:
        if name in event:
            view.auction[name] = event[name]
    view.auction.update(event.get("changed", {}))
    if event["type"] in ("fair_warning", "final_call"):
        view.auction["phase"] = event["type"]
    elif event["type"] == "closed":
        view.auction["phase"] = None
    return "applied"
