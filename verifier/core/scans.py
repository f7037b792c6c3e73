"""Scan monitoring: what the scans of one object, taken together, say against its label.

A printed code can be copied; it is the copies' scans that give them away.  The rules are few,
each is a sentence, and the owner is shown the ones that applied: no model, no hidden score.
A code in a catalogue is scanned all over the world, so the rules about places hold only where
no catalogue shows it; a chip is in one place at a time, always.

The thresholds are the house's judgement and were tried on made-up scans alone
(tests/verifier/core/test_scans.py): a regression test, not a claim.  The public is told
``normal`` or ``caution``, nothing else.

Leaves to others: which scans are remembered (90 days), and where a client is.  A client is
an HMAC of its address's prefix under a key of the day, a place a cell of one degree.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, NamedTuple

Kind = Literal["qr", "nfc", "page", "photo"]
Level = Literal["low", "medium", "high"]
Cell = tuple[int, int]  # degrees of latitude and longitude, rounded

MEDIUM: Final = 30
HIGH: Final = 60

MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000
BURST: Final = 25
WINDOW_MS: Final = 10 * MINUTE_MS  # of a burst, and of trying serials
COUNTRIES: Final = 4
COUNTRY_DAYS: Final = 3
SETTLED_MS: Final = 3 * DAY_MS  # after a transfer: until then it is on its way
SCATTERED: Final = 6
IMPOSSIBLE_PAIRS: Final = 15
COUNTER_JUMP: Final = 500
UNKNOWN_SERIALS: Final = 10
# Faster than an airliner; and far enough that neither a degree's rounding nor a telephone
# that its network shows in another town makes a journey of it.
FASTEST_KM_H: Final = 1000
FAR_KM: Final = 500
_EARTH_KM: Final = 6371

# What an object is while no catalogue shows its code to the world.
_UNSEEN: Final = ("consigned", "transferred")


@dataclass(frozen=True, slots=True)
class Scan:
    """One look at an object's page, however it came about."""

    at: int
    kind: Kind
    client: str
    country: str | None = None
    cell: Cell | None = None
    tag_counter: int | None = None
    outcome: str = ""  # of a tap the tag_status; "link_refused" where the link's signature is bad


@dataclass(frozen=True, slots=True)
class Context:
    """What is known of the object now."""

    transferred_at: int | None
    status: str
    now_ms: int


class Reason(NamedTuple):
    """A rule that applied."""

    rule: str
    weight: int
    words: str


class Risk(NamedTuple):
    """The sum of the reasons, and what to call it."""

    level: Level
    score: int
    reasons: tuple[Reason, ...]


class Attempt(NamedTuple):
    """Somebody asked for a serial that no object has."""

    at: int
    client: str
    serial: str


class _Rule(NamedTuple):
    name: str
    weight: int
    words: str
    applies: Callable[[Sequence[Scan], Context], bool]


# ── The rules ────────────────────────────────────────────────────────────────────────────
# Each is given all scans, oldest first.


def _replayed(scans: Sequence[Scan], _: Context) -> bool:
    return any(scan.outcome == "replayed" for scan in scans)


def _chip_travelled(scans: Sequence[Scan], _: Context) -> bool:
    return any(_impossible(*pair) for pair in pairwise(_taps(scans)))


def _counter_jumped(scans: Sequence[Scan], _: Context) -> bool:
    counters = [scan.tag_counter for scan in _taps(scans) if scan.tag_counter is not None]
    return any(later - earlier > COUNTER_JUMP for earlier, later in pairwise(counters))


def _burst(scans: Sequence[Scan], context: Context) -> bool:
    found = list(_unseen(scans, context))
    pairs = zip(found, found[BURST - 1 :], strict=False)
    return any(last.at - first.at <= WINDOW_MS for first, last in pairs)


def _many_countries(scans: Sequence[Scan], context: Context) -> bool:
    days: defaultdict[int, set[str]] = defaultdict(set)
    for scan in _unseen(scans, context):
        if scan.country is not None:
            days[scan.at // DAY_MS].add(scan.country)
    return sum(len(countries) >= COUNTRIES for countries in days.values()) >= COUNTRY_DAYS


def _scattered(scans: Sequence[Scan], context: Context) -> bool:
    if context.transferred_at is None:
        return False
    settled_at = context.transferred_at + SETTLED_MS
    places = Counter(
        scan.country
        for scan in _unseen(scans, context)
        if scan.country is not None and scan.at >= settled_at
    )
    count = places.total()
    return count >= SCATTERED and len(places) >= COUNTRIES and 2 * max(places.values()) <= count


def _code_travelled(scans: Sequence[Scan], context: Context) -> bool:
    codes = [scan for scan in _unseen(scans, context) if scan.kind == "qr"]
    return sum(_impossible(*pair) for pair in pairwise(codes)) >= IMPOSSIBLE_PAIRS


def _link_refused(scans: Sequence[Scan], _: Context) -> bool:
    return any(scan.outcome == "link_refused" for scan in scans)


def _withdrawn(scans: Sequence[Scan], context: Context) -> bool:
    return context.status == "withdrawn" and any(scan.kind in ("qr", "nfc") for scan in scans)


RULES: Final[tuple[_Rule, ...]] = (
    _Rule("nfc_travel", 60, "the chip was tapped in two places too far apart", _chip_travelled),
    _Rule("nfc_replay", 40, "a recorded tap was shown again", _replayed),
    _Rule("scattered", 35, "since it was sold it is scanned in many countries", _scattered),
    _Rule("many_countries", 30, "four countries a day, on three days", _many_countries),
    _Rule("qr_travel", 25, "the code is scanned in places too far apart", _code_travelled),
    _Rule("nfc_jump", 15, "the chip was tapped 500 times without being seen", _counter_jumped),
    _Rule("burst", 15, "25 scans within ten minutes", _burst),
    # Anybody can make such a link: even with a burst of them it alarms nobody.
    _Rule("link_refused", 10, "a link was scanned that the house did not sign", _link_refused),
    _Rule("withdrawn", 10, "it was scanned though it is withdrawn", _withdrawn),
)


def assess(scans: Sequence[Scan], context: Context) -> Risk:
    """What the scans of one object say, in any order; none say nothing."""
    ordered = sorted(scans, key=lambda scan: scan.at)
    reasons = tuple(
        Reason(rule.name, rule.weight, rule.words)
        for rule in RULES
        if rule.applies(ordered, context)
    )
    score = sum(reason.weight for reason in reasons)
    return Risk("high" if score >= HIGH else "medium" if score >= MEDIUM else "low", score, reasons)


def public(risk: Risk) -> Literal["normal", "caution"]:
    """What everybody may know of it."""
    return "normal" if risk.level == "low" else "caution"


def enumerators(attempts: Sequence[Attempt]) -> tuple[str, ...]:
    """The clients that tried ten unknown serials within ten minutes, in order of doing so.

    The same serial again counts once: that is somebody who mistypes, not somebody who counts.
    """
    found: dict[str, None] = {}
    tried: defaultdict[str, dict[str, int]] = defaultdict(dict)  # serial → when last
    for attempt in sorted(attempts):
        recent = tried[attempt.client]
        recent.pop(attempt.serial, None)
        recent[attempt.serial] = attempt.at  # at the end: the oldest stands first
        while attempt.at - recent[oldest := next(iter(recent))] > WINDOW_MS:
            del recent[oldest]
        if len(recent) >= UNKNOWN_SERIALS:
            found[attempt.client] = None
            recent.clear()
    return tuple(found)


# ── What the rules look at ───────────────────────────────────────────────────────────────


def _taps(scans: Sequence[Scan]) -> Iterator[Scan]:
    """Where the chip itself was: what was replayed or forged says nothing of it."""
    return (scan for scan in scans if scan.outcome in ("verified", "tampered"))


def _unseen(scans: Sequence[Scan], context: Context) -> Iterator[Scan]:
    """Scans of the label itself, since it is with its holder; none while a catalogue shows it."""
    if context.status not in _UNSEEN:
        return iter(())
    since = context.transferred_at or 0
    return (scan for scan in scans if scan.kind in ("qr", "nfc") and scan.at >= since)


def _impossible(earlier: Scan, later: Scan) -> bool:
    """Could nothing be carried from the one to the other in time?"""
    if earlier.cell is None or later.cell is None or earlier.cell == later.cell:
        return False
    distance = _km(earlier.cell, later.cell)
    hours = (later.at - earlier.at) / 3_600_000
    return distance > FAR_KM and distance > FASTEST_KM_H * hours


def _km(one: Cell, other: Cell) -> float:
    """Along the great circle (haversine)."""
    (lat_1, lon_1), (lat_2, lon_2) = ((math.radians(a), math.radians(b)) for a, b in (one, other))
    half = math.sin((lat_2 - lat_1) / 2) ** 2
    half += math.cos(lat_1) * math.cos(lat_2) * math.sin((lon_2 - lon_1) / 2) ** 2
    return 2 * _EARTH_KM * math.asin(math.sqrt(min(1.0, half)))
