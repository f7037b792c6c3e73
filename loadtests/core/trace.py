"""Recorded auctions: reading a trace file, and comparing what was decided with it.

A line is one auction (bid trace, version 1).  What a line says was expected is only ever
compared; nothing here or in the replayer is driven by it.  Fields that this version does
not know are ignored.  There is no tolerance: the first thing that differs is the finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from engine.core.increments import BadIncrements, table
from engine.core.messages import MAX_AMOUNT, Terms

Amount = Annotated[int, Meta(ge=1, le=MAX_AMOUNT)]
Offset = Annotated[int, Meta(ge=0)]
Name = Annotated[str, Meta(min_length=1)]
Decided = Literal["accepted", "refused"]


class RecordedBid(Struct, frozen=True):
    """One bid as it was recorded."""

    at: Offset  # ms after the opening
    bidder: Name
    max: Amount
    expect: Decided
    price: Amount | None = None


class Ending(Struct, frozen=True):
    """How the auction ended; nulls: nobody won."""

    price: Amount | None = None
    winner: Name | None = None


class Trace(Struct, frozen=True):
    """One recorded auction."""

    id: Name
    source: Name
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")]
    exponent: Annotated[int, Meta(ge=0, le=8)]
    format: Literal["english"]
    opening: Amount
    increments: Annotated[list[tuple[int, int]], Meta(min_length=1)]
    leader_raise: Literal["freeze", "recompute"]
    bids: list[RecordedBid]
    expect: Ending

    def terms(self) -> Terms:
        """What the lot is sold by: no reserve, no soft close, no scheduled end."""
        return Terms(self.opening, table(self.increments), leader_raise=self.leader_raise)


class BadTrace(Exception):
    """A trace file cannot be used; the text is one line naming the file and the line."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the house answered to one bid."""

    outcome: str  # accepted, refused, or in other words what came instead
    price: int | None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Close:
    """What everybody saw at the end: the outcome, and the winner by their pseudonym."""

    outcome: str
    price: int | None
    winner: str | None


_decoder = msgspec.json.Decoder(Trace)


def read_traces(files: Iterable[tuple[str, Iterable[bytes]]]) -> list[Trace]:
    """The auctions of (name, lines) files, in their order.  Raises ``BadTrace``."""
    traces: list[Trace] = []
    places: dict[str, str] = {}
    for name, lines in files:
        before = len(traces)
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            place = f"{name}:{number}"
            trace = _read_line(line, place)
            if trace.id in places:
                raise BadTrace(f"{place}: auction {trace.id!r} is already in {places[trace.id]}")
            places[trace.id] = place
            traces.append(trace)
        if len(traces) == before:
            raise BadTrace(f"{name}:1: holds no auction")
    return traces


def _read_line(line: bytes, place: str) -> Trace:
    try:
        trace = _decoder.decode(line)
        trace.terms()
    except (msgspec.DecodeError, UnicodeDecodeError, BadIncrements) as error:
        raise BadTrace(f"{place}: {error}") from error
    return trace


def difference(trace: Trace, decisions: Sequence[Decision], close: Close) -> str | None:
    """The first thing that was not decided as recorded; None: the trace reproduces."""
    pairs = zip_longest(trace.bids, decisions)
    for number, (bid, decision) in enumerate(pairs, 1):
        if bid is None or decision is None:
            return f"{len(decisions)} bids were answered, {len(trace.bids)} are recorded"
        found = _bid_difference(bid, decision)
        if found is not None:
            return f"bid {number} ({bid.bidder}, limit {bid.max}): {found}"
    if close.price != trace.expect.price:
        return f"final price {close.price}, recorded {trace.expect.price}"
    if close.winner != trace.expect.winner:
        return f"winner {close.winner}, recorded {trace.expect.winner}"
    outcome = "passed" if trace.expect.winner is None else "sold"
    return None if close.outcome == outcome else f"closed as {close.outcome}, not {outcome}"


def _bid_difference(bid: RecordedBid, decision: Decision) -> str | None:
    if decision.outcome != bid.expect:
        why = f" ({decision.code})" if decision.code else ""
        return f"{decision.outcome}{why}, recorded {bid.expect}"
    if bid.price is not None and decision.price != bid.price:
        return f"price {decision.price}, recorded {bid.price}"
    return None
