"""Points that two photographs of one object have in common: found, kept, and compared.

*Finding*: SIFT, at most 1000 points of the normalised picture (longest side 800), described by
RootSIFT in bytes.  *Keeping*: a template has all of them, marked by what they are worth.  What
the photograph shares with photographs of *other* objects of the house (a colour card, a ruler, a
backdrop) is marked ``shared`` and never counts: without that, one card in two photographs makes
any two objects match.  Shared points stay in the template, because the next object's photograph
is told by them.  ``repeats`` says in how many of six simulated views a point was found again;
the anchors are the steadiest of those that are left, spread over the picture.

*Comparing*: nearest descriptors that choose each other, a homography through as many as
possible (MAGSAC), and then only those that agree with it in place (6 pixels), direction (25°)
and scale (a factor of 2).  A homography that no photograph of a flat thing could have counts
for nothing.  So flat faces (a dial, a label, a painting) are what this is for; a solid thing has
to be photographed from where it was photographed.

Promises: the same pixels give the same template and the same score.  Descriptors are whole
numbers whose products add up exactly in 32 bits, whatever the order; the random choices of
MAGSAC begin from a fixed state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import msgspec
import numpy as np
import numpy.typing as npt

from verifier.core.matching import INCONCLUSIVE_INLIERS, Anchor
from verifier.photographs.jobs import Score

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]

VERSION: Final = 1
POINTS: Final = 1000
# OpenCV's own 0.04 leaves nine points on a glazed pot; the 1000 of a rich picture stay the same.
_CONTRAST: Final = 0.015
_LAYERS: Final = 3
_UNIT: Final = 512  # RootSIFT has length 1; in bytes 512, as SIFT's own
_RATIO: Final = 0.8  # Lowe 2004: the second best must be clearly worse
_FEWEST_PAIRS: Final = 6  # four fix a homography, and say nothing for it
_PLACE: Final = 6.0  # pixels
_DIRECTION: Final = 25.0  # degrees
_SCALE: Final = 2.0
_ALIKE: Final = 0.6  # of RootSIFT's unit; of a hundred unrelated points one is as near
# The share of the steady points that agree: in usual recaptures 0.39 and more, in most hard
# ones too, between dials of different makers at most 0.18.
_CERTAIN: Final = 1 / 4
_LARGEST_SCALING: Final = 6.0  # of a side, either way
_GRID: Final = 8
_REPEATS_NEEDED: Final = 3  # of the six views
# In a view only the strongest count, as in a fresh photograph, where what lies around the
# object takes its share of the thousand.  With 1000 here 0.77 of usual recaptures were strong
# matches, with 300 0.91 (64 photographs of 32 pictures).
_POINTS_IN_VIEW: Final = 300
_REACH: Final = 0.15  # of the diagonal: anchors farther apart are spread enough
_APART: Final = 12.0  # pixels between anchors, at least
_SHARED_THINGS: Final = 3  # in one picture: a card, a ruler, a mark
# As few as are inconclusive: what is wrongly left out costs a few points, what is wrongly kept
# makes two objects one.
_SHARED_INLIERS: Final = INCONCLUSIVE_INLIERS
_HULL_MARGIN: Final = 8.0  # pixels; a point at the card's edge describes the card too
_SEED: Final = 1

cv2.setNumThreads(1)


class BadTemplate(ValueError):
    """These bytes are no template of this version."""


class Template(msgspec.Struct, array_like=True, frozen=True):
    """A reference photograph, as it is compared; private.

    ``points`` are rows of four 32-bit floats (right, down, size, degrees), ``descriptors`` rows
    of 128 bytes, ``repeats`` and ``shared`` a byte a point, ``anchors`` row numbers.
    """

    version: int
    width: int
    height: int
    points: bytes
    descriptors: bytes
    repeats: bytes
    shared: bytes
    anchors: list[int]


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """The points of one picture: rows of (right, down, size, degrees) and of descriptors."""

    width: int
    height: int
    points: Floats
    descriptors: Bytes

    def __len__(self) -> int:
        return len(self.points)

    def only(self, chosen: Flags) -> Features:
        """Those of the rows for which ``chosen`` is true."""
        return Features(self.width, self.height, self.points[chosen], self.descriptors[chosen])


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """Which points of one picture were found in another: rows of both, side by side."""

    here: Places
    there: Places
    homography: Doubles | None  # from here to there; None where nothing holds


_NOTHING: Final = Agreement(np.empty(0, np.intp), np.empty(0, np.intp), None)


# ── Finding ──────────────────────────────────────────────────────────────────────────────


def detect(rgb: Bytes) -> Features:
    """The points of a normalised picture, the strongest 1000, in a fixed order."""
    return _detect(np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8))


def _detect(grey: Bytes, most: int = POINTS) -> Features:
    height, width = grey.shape
    found, described = cv2.SIFT.create(most, _LAYERS, _CONTRAST).detectAndCompute(grey, None)
    if not found:
        return Features(width, height, np.empty((0, 4), np.float32), np.empty((0, 128), np.uint8))
    points = np.array([(*k.pt, k.size, k.angle) for k in found[:most]], np.float32)
    return Features(width, height, points, _rooted(np.asarray(described[:most], np.float32)))


def _rooted(sift: Floats) -> Bytes:
    """RootSIFT (Arandjelović and Zisserman 2012), in bytes: its distances are Hellinger's."""
    length = np.maximum(sift.sum(axis=1, keepdims=True), 1e-9)
    rooted: Bytes = np.clip(np.rint(np.sqrt(sift / length) * _UNIT), 0, 255).astype(np.uint8)
    return rooted


# ── Comparing ────────────────────────────────────────────────────────────────────────────


def agree(here: Features, there: Features) -> Agreement:
    """The points of two pictures that show the same flat thing from two places."""
    mine, theirs = _pairs(here, there)
    if len(mine) < _FEWEST_PAIRS:
        return _NOTHING
    a, b = here.points[mine], there.points[theirs]
    homography = _homography(a[:, :2], b[:, :2])
    if homography is None or not _possible(homography, here.width, here.height):
        return _NOTHING
    held = np.flatnonzero(_held(homography, a, b))
    # A corner may be described once for each of its directions; it is one corner all the same.
    held = held[_first_at_place(a[held]) & _first_at_place(b[held])]
    return Agreement(mine[held], theirs[held], homography)


def _pairs(here: Features, there: Features) -> tuple[Places, Places]:
    """Rows that choose each other, and for which no other comes near."""
    if len(here) < 2 or len(there) < 2:
        return _NOTHING.here, _NOTHING.there
    squares = _squared_distances(here.descriptors, there.descriptors)
    rows = np.arange(len(here))
    nearest = squares.argmin(axis=1)
    best = squares[rows, nearest]
    chosen_back = squares.argmin(axis=0)[nearest] == rows
    squares[rows, nearest] = np.inf
    clear = best < _RATIO**2 * squares.min(axis=1)
    mine = np.flatnonzero(chosen_back & clear)
    return mine, nearest[mine]


def _squared_distances(one: Bytes, other: Bytes) -> Floats:
    # Every sum is a whole number below 2^24, which 32-bit floats hold exactly.
    a, b = one.astype(np.float32), other.astype(np.float32)
    squares: Floats = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None, :] - 2 * (a @ b.T)
    return squares


def _homography(a: Floats, b: Floats) -> Doubles | None:
    cv2.setRNGSeed(_SEED)
    parameters = cv2.UsacParams()
    parameters.randomGeneratorState = _SEED
    parameters.score = cv2.SCORE_METHOD_MAGSAC
    parameters.sampler = cv2.SAMPLING_UNIFORM
    parameters.loMethod = cv2.LOCAL_OPTIM_SIGMA
    parameters.final_polisher = cv2.MAGSAC
    parameters.final_polisher_iterations = 3
    parameters.threshold = _PLACE / 2
    parameters.confidence = 0.999
    parameters.maxIterations = 2000
    parameters.isParallel = False
    # None where there is none, whatever OpenCV's types say.
    homography: object = cv2.findHomography(a, b, parameters)[0]
    return None if homography is None else np.asarray(homography, np.float64)


def _possible(homography: Doubles, width: int, height: int) -> bool:
    """Could a camera have seen the picture so: whole, of some size, not from its edge?

    That it is the right way round need not be asked: MAGSAC draws no mirrored samples, and
    what has no corner behind the camera is not folded.
    """
    depths = homography[2] @ [(0, width, width, 0), (0, 0, height, height), (1, 1, 1, 1)]
    if not np.isfinite(homography).all() or (depths <= 0.05 * depths.max()).any():
        return False  # a corner lies behind the camera, or next to it
    quad = _corners(homography, width, height)
    sides = np.roll(quad, -1, axis=0) - quad
    lengths = np.hypot(sides[:, 0], sides[:, 1]) / np.array([width, height, width, height])
    return bool(
        lengths.min() > 1 / _LARGEST_SCALING
        and lengths.max() < _LARGEST_SCALING
        and lengths.max() < 3 * lengths.min()
    )


def _held(homography: Doubles, a: Floats, b: Floats) -> Flags:
    """Which pairs agree with the homography in place, direction and scale."""
    place, direction, scale = _carried(homography, a)
    off = np.hypot(place[:, 0] - b[:, 0], place[:, 1] - b[:, 1])
    turned = np.abs((direction - b[:, 3] + 180) % 360 - 180)
    grown = np.abs(np.log2(a[:, 2] * scale / b[:, 2]))
    held: Flags = (off <= _PLACE) & (turned <= _DIRECTION) & (grown <= np.log2(_SCALE))
    return held


def _carried(homography: Doubles, points: Floats) -> tuple[Doubles, Doubles, Doubles]:
    """Where points are, which way they look, and how much larger they are, over there."""
    x, y = points[:, 0].astype(np.float64), points[:, 1].astype(np.float64)
    u, v, w = homography @ np.stack([x, y, np.ones_like(x)])
    h = homography
    # The derivative of (u/w, v/w): what a small step from the point becomes.
    xx, xy = (h[0, 0] - u / w * h[2, 0]) / w, (h[0, 1] - u / w * h[2, 1]) / w
    yx, yy = (h[1, 0] - v / w * h[2, 0]) / w, (h[1, 1] - v / w * h[2, 1]) / w
    angle = np.radians(points[:, 3].astype(np.float64))
    east, south = np.cos(angle), np.sin(angle)
    direction = np.degrees(np.arctan2(yx * east + yy * south, xx * east + xy * south))
    return np.stack([u / w, v / w], axis=1), direction, np.sqrt(np.abs(xx * yy - xy * yx))


def _first_at_place(points: Floats) -> Flags:
    """Of points that share a pixel, the first."""
    first = np.zeros(len(points), np.bool_)
    first[np.unique(np.rint(points[:, :2]), axis=0, return_index=True)[1]] = True
    return first


def score(photo_id: str, query: Features, template: Template) -> Score:
    """What a fresh picture has in common with a template; shared points do not count."""
    whole = _features(template)
    own = ~_flags(template.shared)
    agreement = agree(whole.only(own), query)
    found = np.flatnonzero(own)[agreement.here]
    cells, seen = _cells(whole.points[own], whole), _cells(whole.points[found], whole)
    return Score(
        photo_id,
        inliers=len(found),
        anchors=_anchors_seen(template, whole, query, found, agreement.homography),
        anchors_of=len(template.anchors),
        coverage=round(len(seen) / len(cells), 3) if cells else 0.0,
    )


def _anchors_seen(
    template: Template, whole: Features, query: Features, found: Places, there: Doubles | None
) -> int:
    """Anchors in the picture.

    Where enough of the steady points agree, the view is certain, and an anchor is looked for
    where the homography puts it: it need not be the only point of its kind.  Otherwise it has
    to be among the points found, because in two rings of ticks something always lies anywhere.
    """
    if there is None or not template.anchors:
        return 0
    rows = np.array(template.anchors, np.intp)
    steady = np.frombuffer(template.repeats, np.uint8) >= _REPEATS_NEEDED
    steady &= ~_flags(template.shared)
    if steady[found].sum() < _CERTAIN * steady.sum():
        places = {tuple(place) for place in np.rint(whole.points[found, :2]).tolist()}
        anchors = np.rint(whole.points[rows, :2]).tolist()
        return sum(tuple(anchor) in places for anchor in anchors)
    here = np.repeat(whole.points[rows], len(query), axis=0)
    offered = np.tile(query.points, (len(rows), 1))
    held = _held(there, here, offered).reshape(len(rows), len(query))
    squares = _squared_distances(whole.descriptors[rows], query.descriptors)
    return int((held & (squares <= (_ALIKE * _UNIT) ** 2)).any(axis=1).sum())


def _cells(points: Floats, picture: Features) -> set[tuple[int, int]]:
    columns = (points[:, 0] * _GRID / picture.width).astype(int)
    rows = (points[:, 1] * _GRID / picture.height).astype(int)
    return set(zip(columns.tolist(), rows.tolist(), strict=True))


# ── Keeping ──────────────────────────────────────────────────────────────────────────────


def enrol(rgb: Bytes, anchors: int, others: Sequence[Template]) -> tuple[Template, list[int]]:
    """A template of a normalised picture, and which of ``others`` show the same scenery."""
    features = detect(rgb)
    return _without_shared(features, _repeats(rgb, features), anchors, others)


def bare(features: Features) -> Template:
    """A template to tell others by: what a picture shows, with no anchors of its own."""
    nothing = np.zeros(len(features), np.uint8)
    return _without_shared(features, nothing, 0, [])[0]


def renew(
    template: Template, anchors: int, others: Sequence[Template]
) -> tuple[Template, list[int]]:
    """The template without what ``others`` show either, and its anchors chosen anew.

    What was shared stays so: whoever it was shared with need not be among ``others`` again.
    """
    repeats = np.frombuffer(template.repeats, np.uint8)
    before = _flags(template.shared)
    return _without_shared(_features(template), repeats, anchors, others, before)


def _without_shared(
    features: Features,
    repeats: Bytes,
    anchors: int,
    others: Sequence[Template],
    before: Flags | None = None,
) -> tuple[Template, list[int]]:
    shared, shared_with = _shared(features, others)
    if before is not None:
        shared |= before
    chosen = _choose(features, np.where(shared, 0, repeats), anchors)
    template = Template(
        VERSION,
        features.width,
        features.height,
        features.points.tobytes(),
        features.descriptors.tobytes(),
        repeats.astype(np.uint8).tobytes(),
        shared.astype(np.uint8).tobytes(),
        chosen,
    )
    return template, shared_with


def _shared(features: Features, others: Sequence[Template]) -> tuple[Flags, list[int]]:
    """The points inside the hull of whatever other objects' pictures show as well."""
    shared = np.zeros(len(features), np.bool_)
    shared_with = []
    for number, other in enumerate(others):
        theirs = _features(other)
        # A card and a ruler lie differently in each picture: one after the other is found.
        for _ in range(_SHARED_THINGS):
            rest = np.flatnonzero(~shared)
            agreement = agree(features.only(~shared), theirs)
            if len(agreement.here) < _SHARED_INLIERS:
                break
            shared |= _inside_hull(features.points, rest[agreement.here])
            if number not in shared_with:
                shared_with.append(number)
    return shared, shared_with


def _inside_hull(points: Floats, corners: Places) -> Flags:
    hull = cv2.convexHull(points[corners, :2])
    inside: Flags = np.array(
        [
            cv2.pointPolygonTest(hull, (float(x), float(y)), True) >= -_HULL_MARGIN
            for x, y in points[:, :2]
        ],
        np.bool_,
    )
    return inside


def _repeats(rgb: Bytes, features: Features) -> Bytes:
    """In how many of the six views each point was found again, and known again."""
    repeats = np.zeros(len(features), np.uint8)
    grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    for view in _VIEWS:
        seen, homography = _seen(grey, view)
        again = _detect(seen, _POINTS_IN_VIEW)
        mine, theirs = _pairs(features, again)
        if len(mine):
            held = _held(homography, features.points[mine], again.points[theirs])
            repeats[mine[held]] += 1
    return repeats


@dataclass(frozen=True, slots=True)
class _View:
    """A simulated second photograph: turned, made smaller, tilted, lit otherwise, blurred."""

    degrees: float
    scale: float
    tilt: tuple[float, float]  # how much nearer the right and the lower side are
    light: float
    blur: float  # pixels


_VIEWS: Final = (
    _View(8, 0.75, (0.08, 0.0), 1.25, 0.0),
    _View(-8, 0.75, (-0.08, 0.0), 0.7, 0.0),
    _View(15, 0.6, (0.0, 0.08), 1.0, 0.6),
    _View(-15, 0.6, (0.0, -0.08), 1.0, 0.6),
    _View(3, 0.9, (0.06, 0.06), 0.8, 1.2),
    _View(-3, 0.5, (-0.06, 0.06), 1.15, 0.0),
)


def _seen(grey: Bytes, view: _View) -> tuple[Bytes, Doubles]:
    """The picture so seen, no larger than it is there, and the homography that takes it there."""
    height, width = grey.shape
    middle = (width / 2, height / 2)
    turn, tilt, away, back, fit = (np.eye(3) for _ in range(5))
    turn[:2] = cv2.getRotationMatrix2D(middle, view.degrees, view.scale)
    tilt[2, :2] = (view.tilt[0] / width, view.tilt[1] / height)
    away[:2, 2], back[:2, 2] = (-middle[0], -middle[1]), middle
    homography: Doubles = turn @ back @ tilt @ away
    corners = _corners(homography, width, height)
    fit[:2, 2] = -corners.min(axis=0)
    homography = fit @ homography
    frame = np.ceil(np.ptp(corners, axis=0)).astype(int).tolist()
    seen = cv2.warpPerspective(grey, homography, frame, flags=cv2.INTER_AREA, borderValue=128)
    if view.blur:
        seen = cv2.GaussianBlur(seen, (0, 0), view.blur)
    return np.asarray(cv2.convertScaleAbs(seen, alpha=view.light), np.uint8), homography


def _corners(homography: Doubles, width: int, height: int) -> Doubles:
    """Where the corners of a picture of this size come to lie, clockwise."""
    corners = np.array([(0, 0, 1), (width, 0, 1), (width, height, 1), (0, height, 1)], np.float64)
    there = corners @ homography.T
    quad: Doubles = there[:, :2] / there[:, 2:]
    return quad


def _choose(features: Features, repeats: Bytes, wanted: int) -> list[int]:
    """The steadiest points, each as far from those before as can be had: row numbers.

    What was found again in more of the views is worth much more: of points from all six views
    three in four are found in a photograph, of points from three half.
    """
    left = np.flatnonzero(repeats >= _REPEATS_NEEDED)
    reach = _REACH * float(np.hypot(features.width, features.height))
    distance = np.full(len(left), reach)
    worth = repeats[left].astype(np.float64) ** 4
    chosen: list[int] = []
    while len(chosen) < wanted and (distance >= _APART).any():
        best = int(np.argmax(worth * np.where(distance >= _APART, distance, 0)))
        chosen.append(int(left[best]))
        step = features.points[left, :2] - features.points[left[best], :2]
        distance = np.minimum(distance, np.hypot(step[:, 0], step[:, 1]))
    return chosen


def anchors_of(template: Template) -> list[Anchor]:
    """The anchors, for ``matching.relations`` and ``matching.code``."""
    points = _features(template).points
    return [Anchor(*map(float, points[row])) for row in template.anchors]


# ── As bytes ─────────────────────────────────────────────────────────────────────────────


def pack(template: Template) -> bytes:
    """What is kept, and what ``unpack`` reads; the same template gives the same bytes."""
    return msgspec.msgpack.encode(template)


def unpack(packed: bytes) -> Template:
    """A template out of its bytes.  Raises ``BadTemplate``."""
    try:
        template = _TEMPLATES.decode(packed)
    except msgspec.DecodeError as error:
        raise BadTemplate(f"expected a template, got {len(packed)} bytes: {error}") from error
    count = len(template.repeats)
    lengths = [len(template.points), len(template.descriptors), len(template.shared)]
    if template.version != VERSION or lengths != [16 * count, 128 * count, count]:
        raise BadTemplate(f"expected a template of version {VERSION}, got {template.version}")
    if not all(0 <= row < count for row in template.anchors):
        raise BadTemplate("an anchor is none of the template's points")
    return template


_TEMPLATES: Final = msgspec.msgpack.Decoder(Template)


def _features(template: Template) -> Features:
    return Features(
        template.width,
        template.height,
        np.frombuffer(template.points, np.float32).reshape(-1, 4),
        np.frombuffer(template.descriptors, np.uint8).reshape(-1, 128),
    )


def _flags(flags: bytes) -> Flags:
    return np.frombuffer(flags, np.uint8).astype(np.bool_)
