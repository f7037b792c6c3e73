"""What two photographs agreeing means: anchors, their code, the decision, and its words.

An *anchor* is a point of a photograph that was found again in several simulated views of it.
How many an object has is its tier's.  Any two anchors stand in a *spatial relation*, which is
written in 30 bits: together they are the object's code.  The length of the code is not its
entropy: the relations are functions of a few points, and ``effective_bits`` says at most how
much those can tell apart.

``verdict`` turns what was counted into one of four words, and ``words`` says what that word
does and does not mean.  A photograph confirms a design, not an individual: a twin of the same
model can look the same, and an honest photograph can fail.  So no word here says counterfeit.

Pure arithmetic; who finds points in pictures is ``verifier.photographs.features``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Final, Literal, NamedTuple

Verdict = Literal["match_strong", "match", "inconclusive", "no_match"]

FIELD_BITS: Final = 10
BITS_PER_RELATION: Final = 3 * FIELD_BITS  # distance, bearing, turn
_STEPS: Final = 1 << FIELD_BITS
_OCTAVES: Final = 3  # distances from 1/8 to 8 times the median are told apart

# What the comparison tolerates, in a picture whose longest side is 800 pixels: ±6 pixels
# leave 66 places along a side, ±25° leave 7 directions.
_PLACES: Final = 800 // (2 * 6)
_DIRECTIONS: Final = 360 // (2 * 25)

# Measured by loadtests.matching: pairs of different objects stay far below the weaker rule.
STRONG_INLIERS: Final = 30
STRONG_ANCHORS: Final = 7
MATCH_INLIERS: Final = 12
MATCH_ANCHORS: Final = 5
INCONCLUSIVE_INLIERS: Final = 8


class Anchor(NamedTuple):
    """A point of the normalised picture: pixels right and down, size, degrees clockwise."""

    x: float
    y: float
    size: float
    angle: float


@dataclass(frozen=True, slots=True)
class Tier:
    """How closely an object is bound to its photographs."""

    anchors: int
    label: str

    @property
    def relations(self) -> int:
        """Pairs of anchors."""
        return math.comb(self.anchors, 2)

    @property
    def code_bits(self) -> int:
        """The length of the code that the relations are written in; not its entropy."""
        return self.relations * BITS_PER_RELATION


TIERS: Final[dict[str, Tier]] = {
    "standard": Tier(7, "Standard Grade"),
    "enhanced": Tier(11, "Reference Grade"),
    "maximum": Tier(16, "Archive Grade"),
}


class Relation(NamedTuple):
    """How one anchor stands to another, in steps of 1/1024 of each range."""

    distance: int
    bearing: int
    turn: int


def effective_bits(anchors: int) -> int:
    """An upper bound on what the code of so many anchors can tell apart, in bits.

    n points have 2n coordinates, of which a similarity (shift, turn, scale) takes four away;
    each is known to one of 66 places.  Each of the n directions is known to one of 7.  For 11
    anchors 18·log2(66) + 11·log2(7) = 139.7, so 140 of 1650 bits, before any noise.
    """
    positions = max(2 * anchors - 4, 0)
    return math.ceil(positions * math.log2(_PLACES) + anchors * math.log2(_DIRECTIONS))


def relations(anchors: Sequence[Anchor]) -> list[Relation]:
    """The relation of every pair, in the order (0,1), (0,2) … (n-2,n-1).

    Distances are counted from the median one, bearings from the first anchor's own direction:
    a picture that was moved, turned or scaled has the same relations.
    Raises ``ValueError`` where two anchors are at the same place, or there are fewer than two.
    """
    pairs = list(combinations(anchors, 2))
    distances = [math.hypot(b.x - a.x, b.y - a.y) for a, b in pairs]
    if not all(distances) or not distances:
        raise ValueError("relations need two or more anchors at different places")
    middle = median(distances)
    return [_relation(a, b, d / middle) for (a, b), d in zip(pairs, distances, strict=True)]


def _relation(a: Anchor, b: Anchor, distance: float) -> Relation:
    octave = (math.log2(distance) + _OCTAVES) / (2 * _OCTAVES)
    bearing = math.degrees(math.atan2(b.y - a.y, b.x - a.x))
    return Relation(
        min(max(int(octave * _STEPS), 0), _STEPS - 1),
        _direction(bearing - a.angle),
        _direction(b.angle - a.angle),
    )


def _direction(degrees: float) -> int:
    # The remainder of a tiny negative angle rounds to a full turn, which is no turn.
    return int(degrees % 360 / 360 * _STEPS) % _STEPS


def code(anchors: Sequence[Anchor]) -> bytes:
    """The relations as bits: Gray-coded fields, the highest bit first, zeros up to a byte.

    In Gray code neighbouring steps differ in one bit, so that a small error stays small.
    Raises ``ValueError`` as ``relations`` does.
    """
    value, length = 0, 0
    for relation in relations(anchors):
        for step in relation:
            value = value << FIELD_BITS | (step ^ step >> 1)
            length += FIELD_BITS
    padding = -length % 8
    return (value << padding).to_bytes((length + padding) // 8)


def verdict(inliers: int, anchors: int) -> Verdict:
    """The word for so many points in agreement, of which so many are anchors.

    Points alone are not enough: what is common to many photographs (a colour card, a ruler)
    agrees as well as the object does, and has no anchors.
    """
    if inliers >= STRONG_INLIERS and anchors >= STRONG_ANCHORS:
        return "match_strong"
    if inliers >= MATCH_INLIERS and anchors >= MATCH_ANCHORS:
        return "match"
    return "inconclusive" if inliers >= INCONCLUSIVE_INLIERS else "no_match"


_RANK: Final[dict[Verdict, int]] = {
    "no_match": 0,
    "inconclusive": 1,
    "match": 2,
    "match_strong": 3,
}


def rank(inliers: int, anchors: int) -> tuple[int, int, int]:
    """What to sort comparisons by, the best last: the verdict, then what it rests on."""
    return _RANK[verdict(inliers, anchors)], anchors, inliers


_TWIN: Final = "A twin of the same model can look the same: this confirms the design, not the item."
_MEANINGS: Final[dict[Verdict, str]] = {
    "match_strong": (
        "{agreeing} with the house's photograph ({angle}), {anchors} of "
        "its anchors among them: clearly the same side of the same thing. " + _TWIN
    ),
    "match": (
        "{agreeing} with the house's photograph ({angle}), {anchors} of "
        "its anchors among them: enough to confirm it. " + _TWIN
    ),
    "inconclusive": (
        "{agreeing} with the house's photograph ({angle}), {anchors} of "
        "its anchors among them: too few to say. Try again from the same side, in even light, "
        "with the object filling the picture. " + _TWIN
    ),
    "no_match": (
        "This photograph was compared with the house's photographs and could not be confirmed "
        "({agreeing}). That is no finding against the object: a different side, glare, "
        "blur or distance is enough for it. Try again from the same side, in even light, with "
        "the object filling the picture."
    ),
}


def words(found: Verdict, angle: str, inliers: int, anchors: int) -> str:
    """What was compared and what the verdict means, for somebody who does not know the trade.

    ``angle`` is the one that agreed best, as the house names it ("serial_engraving").
    """
    return _MEANINGS[found].format(
        angle=angle.replace("_", " "),
        agreeing="1 point agrees" if inliers == 1 else f"{inliers} points agree",
        anchors=anchors,
    )
