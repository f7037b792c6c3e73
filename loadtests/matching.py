"""How often is a photograph matched that should be, and that should not be, and how fast?

``python -m loadtests.matching [--folder PICTURES] [--objects N] [--report FILE]`` enrols
objects as the verifier does, photographs them again, and counts what its rule says.  Without
a folder the objects are drawn (``loadtests.pictures``), beside the pictures that the house
ships.  In a folder every picture is an object, and every folder in it is one: its first
picture by name is enrolled, the others are photographs that somebody really took.

What is counted: objects that yield too few anchors; recaptures accepted, usual and hard ones;
photographs of other objects accepted, with the bound that 0 of N leaves (the rule of three:
3/N with 95 % confidence; pairs share pictures, so it is approximate); the same colour card in
everybody's photographs, with what it shares taken out and without; twins, items of one model,
which are *expected* to be accepted, for a photograph confirms the design; and siblings, models
of one maker that share layout and typeface.  Times are processor
time on one core: from the normalised picture to the answer over five angles, and what comes before it.

Nothing here decides anything: it measures.  Exit code 0, or 2 where there is nothing to
measure.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from PIL import Image

from loadtests import pictures
from verifier.core import matching
from verifier.photographs import decoding, features
from verifier.photographs.features import Features, Template
from verifier.photographs.jobs import BadPicture, Score

SHIPPED: Final = Path(__file__).resolve().parent.parent / "gateway" / "static" / "lots"
OBJECTS: Final = 75
ANCHORS: Final = matching.TIERS["enhanced"].anchors
OTHERS: Final = 4  # objects whose photographs are compared before one is enrolled
RECAPTURES: Final = 3
HARD_RECAPTURES: Final = 2
CARDS: Final = 25
TWINS: Final = 20
ANGLES: Final = 5  # of a painting, which has the most
TIMED: Final = 12
SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp")
PROGRESS_EVERY_S: Final = 5.0
BAD_INPUT: Final = 2


@dataclass(frozen=True, slots=True)
class Subject:
    """An object, the house's photograph of it, and photographs really taken of it since.

    ``family`` is the same for pictures that may show the same thing: they are no impostors.
    ``category`` is the house's, out of which it takes what a photograph is compared with first.
    """

    name: str
    family: str
    category: str
    picture: Image.Image
    taken: tuple[bytes, ...] = ()
    sibling: Image.Image | None = None


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A subject and its template."""

    subject: Subject
    template: Template

    @property
    def matchable(self) -> bool:
        return len(self.template.anchors) >= ANCHORS


@dataclass(slots=True)
class Tally:
    """What the rule said of some comparisons."""

    verdicts: Counter[str] = field(default_factory=Counter)
    most_inliers: int = 0
    most_anchors: int = 0

    def add(self, score: Score) -> None:
        """Count one comparison."""
        self.verdicts[matching.verdict(score.inliers, score.anchors)] += 1
        self.most_inliers = max(self.most_inliers, score.inliers)
        self.most_anchors = max(self.most_anchors, score.anchors)

    @property
    def total(self) -> int:
        """All comparisons."""
        return self.verdicts.total()

    @property
    def accepted(self) -> int:
        """Those that the rule calls a match."""
        return self.verdicts["match"] + self.verdicts["match_strong"]


@dataclass(slots=True)
class Times:
    """Milliseconds of processor time, one entry a picture: what else runs does not count."""

    detect: list[float] = field(default_factory=list)
    answer: list[float] = field(default_factory=list)
    decode_12mp: list[float] = field(default_factory=list)
    enrol: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Measured:
    """Everything that is reported."""

    objects: int = 0
    not_matchable: list[str] = field(default_factory=list)
    taken: Tally = field(default_factory=Tally)
    usual: Tally = field(default_factory=Tally)
    hard: Tally = field(default_factory=Tally)
    impostors: Tally = field(default_factory=Tally)
    card_naive: Tally = field(default_factory=Tally)
    card: Tally = field(default_factory=Tally)
    card_genuine: Tally = field(default_factory=Tally)
    twins: Tally = field(default_factory=Tally)
    siblings: Tally = field(default_factory=Tally)
    times: Times = field(default_factory=Times)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line names; the exit code."""
    options = _options(arguments)
    _on_one_core()
    try:
        subjects = _own(options.folder) if options.folder else _drawn(options.objects)
    except (BadPicture, OSError) as error:
        print(f"matching: {error}", file=sys.stderr)
        return BAD_INPUT
    if len({subject.family for subject in subjects}) < 2:
        print("matching: at least two different objects are needed", file=sys.stderr)
        return BAD_INPUT
    measured = measure(subjects)
    print(table(measured))
    if options.report:
        options.report.write_text(json.dumps(report(measured), indent=1) + "\n")
    return 0


def measure(subjects: Sequence[Subject]) -> Measured:
    """Enrol, photograph again, compare, count."""
    measured = Measured(objects=len(subjects))
    enrolled = _enrol(subjects, measured)
    usable = [one for one in enrolled if one.matchable]
    queries = _genuine(usable, measured)
    _impostors(queries, usable, measured)
    _cards(usable[:CARDS], measured)
    _twins(usable[:TWINS], measured)
    _siblings(usable, measured)
    _timed(usable, measured)
    return measured


# ── What is measured on ──────────────────────────────────────────────────────────────────


def _drawn(objects: int) -> list[Subject]:
    shipped = [
        # mallet-rim.jpg is a nearer look at mallet.jpg: one family.
        Subject(file.name, file.stem.split("-")[0], "pots", _decoded(file.read_bytes()))
        for file in sorted(SHIPPED.glob("*.jpg"))
    ]
    drawn = [
        Subject(
            f"drawn {number}",
            f"drawn {number}",
            pictures.sort_of(number),
            pictures.draw(number),
            sibling=pictures.sibling(number),
        )
        for number in range(objects)
    ]
    return drawn + shipped


def _own(folder: Path) -> list[Subject]:
    """A picture is an object; a folder is one with several pictures of it."""
    subjects = []
    for entry in sorted(folder.iterdir()):
        files = sorted(entry.iterdir()) if entry.is_dir() else [entry]
        photos = [file.read_bytes() for file in files if file.suffix.lower() in SUFFIXES]
        if photos:
            subjects.append(
                Subject(entry.name, entry.name, "", _decoded(photos[0]), tuple(photos[1:]))
            )
    return subjects


def _decoded(photo: bytes) -> Image.Image:
    return decoding.decode(photo).pixels


def _normal(photo: bytes) -> features.Bytes:
    return np.asarray(decoding.normalised(decoding.decode(photo)))


def _query(photo: bytes) -> Features:
    return features.detect(_normal(photo))


# ── What is counted ──────────────────────────────────────────────────────────────────────


def _enrol(subjects: Sequence[Subject], measured: Measured) -> list[Enrolled]:
    """As the house would: each against photographs of the objects of its category before it."""
    enrolled: list[Enrolled] = []
    for place in _counted("enrolled", subjects):
        subject = subjects[place]
        others = [
            one.template
            for one in enrolled
            if one.subject.category == subject.category and one.subject.family != subject.family
        ][-OTHERS:]
        pixels = _normal(pictures.catalogue_photo(subject.picture))
        begun = time.process_time()
        template, _ = features.enrol(pixels, ANCHORS, others)
        measured.times.enrol.append(_since(begun))
        one = Enrolled(subject, template)
        enrolled.append(one)
        if not one.matchable:
            measured.not_matchable.append(subject.name)
    return enrolled


def _genuine(enrolled: Sequence[Enrolled], measured: Measured) -> list[tuple[str, Features]]:
    """Photographs of the enrolled objects; the usual ones come back, to try on the others."""
    queries = []
    for place in _counted("photographed again", enrolled):
        one = enrolled[place]
        for photo in one.subject.taken:
            measured.taken.add(features.score("", _query(photo), one.template))
        for number in range(RECAPTURES):
            photo = pictures.recapture(one.subject.picture, pictures.USUAL, place, number)
            query = _query(photo)
            measured.usual.add(features.score("", query, one.template))
            queries.append((one.subject.family, query))
        for number in range(HARD_RECAPTURES):
            photo = pictures.recapture(one.subject.picture, pictures.HARD, place, number)
            measured.hard.add(features.score("", _query(photo), one.template))
    return queries


def _impostors(
    queries: Sequence[tuple[str, Features]], enrolled: Sequence[Enrolled], measured: Measured
) -> None:
    for place in _counted("tried on every other object", queries):
        family, query = queries[place]
        for one in enrolled:
            if one.subject.family != family:
                measured.impostors.add(features.score("", query, one.template))


def _cards(enrolled: Sequence[Enrolled], measured: Measured) -> None:
    """Everybody's photograph has the colour card in it, the fresh ones too."""
    photos = [pictures.with_card(one.subject.picture, place) for place, one in enumerate(enrolled)]
    plain = [features.bare(_query(pictures.catalogue_photo(photo))) for photo in photos]
    fresh = [
        _query(pictures.recapture(photo, pictures.USUAL, place, 100))
        for place, photo in enumerate(photos)
    ]
    for place in _counted("compared where all have the colour card", enrolled):
        strangers = [
            other
            for other in range(len(enrolled))
            if enrolled[other].subject.family != enrolled[place].subject.family
        ]
        pixels = _normal(pictures.catalogue_photo(photos[place]))
        naive, _ = features.enrol(pixels, ANCHORS, [])
        told, _ = features.renew(naive, ANCHORS, [plain[other] for other in strangers[:OTHERS]])
        measured.card_genuine.add(features.score("", fresh[place], told))
        for other in strangers:
            measured.card_naive.add(features.score("", fresh[other], naive))
            measured.card.add(features.score("", fresh[other], told))


def _twins(enrolled: Sequence[Enrolled], measured: Measured) -> None:
    for place in _counted("photographed as twins", enrolled):
        one = enrolled[place]
        other_item = pictures.twin(one.subject.picture, place)
        photo = pictures.recapture(other_item, pictures.USUAL, place, 200)
        measured.twins.add(features.score("", _query(photo), one.template))


def _siblings(enrolled: Sequence[Enrolled], measured: Measured) -> None:
    for place, one in enumerate(enrolled):
        if one.subject.sibling is not None:
            photo = pictures.recapture(one.subject.sibling, pictures.USUAL, place, 400)
            measured.siblings.add(features.score("", _query(photo), one.template))


def _timed(enrolled: Sequence[Enrolled], measured: Measured) -> None:
    """One object's angles are told by five templates; any five do."""
    templates = [features.pack(one.template) for one in enrolled]
    for place in range(min(TIMED, len(enrolled))):
        angles = list(itertools.islice(itertools.cycle(templates[place:] + templates), ANGLES))
        photo = pictures.recapture(enrolled[place].subject.picture, pictures.USUAL, place, 300)
        pixels = _normal(photo)
        begun = time.process_time()
        query = features.detect(pixels)
        measured.times.detect.append(_since(begun))
        scores = [features.score("", query, features.unpack(one)) for one in angles]
        max(scores, key=lambda score: matching.rank(score.inliers, score.anchors))
        measured.times.answer.append(_since(begun))
        large = _twelve_megapixels(photo)
        begun = time.process_time()
        _normal(large)
        measured.times.decode_12mp.append(_since(begun))


def _twelve_megapixels(photo: bytes) -> bytes:
    """As a phone's camera would have it: 4000 × 3000, with its noise."""
    large = Image.open(io.BytesIO(photo)).resize((4000, 3000), Image.Resampling.BICUBIC)
    noise = np.random.default_rng(6).integers(-4, 5, (3000, 4000, 1), np.int8)
    pixels = np.clip(np.asarray(large, np.int16) + noise, 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=90)
    return out.getvalue()


# ── What is said ─────────────────────────────────────────────────────────────────────────


def table(measured: Measured) -> str:
    """The result, for a person."""
    lines = [
        f"{measured.objects} pictures enrolled, {len(measured.not_matchable)} with too few anchors"
        + "".join(f"\n    {name}" for name in measured.not_matchable),
        "",
        f"{'compared':<44}{'pairs':>8}{'accepted':>10}{'strong':>8}{'most inliers':>14}",
        *(_row(name, tally) for name, tally in _tallies(measured) if tally.total),
        "",
        _bound(measured.impostors),
        "Twins are expected to be accepted, and siblings may be: a photograph confirms the design.",
        "",
        f"{'milliseconds on one core':<44}{'median':>8}{'95 %':>10}{'most':>8}",
        *(_times(name, values) for name, values in _timings(measured) if values),
    ]
    return "\n".join(lines)


def report(measured: Measured) -> dict[str, Any]:
    """The result, for a machine."""
    return {
        "objects": measured.objects,
        "not_matchable": measured.not_matchable,
        "comparisons": {
            name: {
                "pairs": tally.total,
                "accepted": tally.accepted,
                "verdicts": dict(sorted(tally.verdicts.items())),
                "most_inliers": tally.most_inliers,
                "most_anchors": tally.most_anchors,
            }
            for name, tally in _tallies(measured)
        },
        "false_accept_bound_95": _rule_of_three(measured.impostors),
        "milliseconds": msgspec.to_builtins(measured.times),
    }


def _tallies(measured: Measured) -> list[tuple[str, Tally]]:
    return [
        ("really taken since", measured.taken),
        ("recaptures, usual", measured.usual),
        ("recaptures, hard", measured.hard),
        ("impostors", measured.impostors),
        ("impostors, colour card in both, not told", measured.card_naive),
        ("impostors, colour card in both", measured.card),
        ("recaptures, colour card in both", measured.card_genuine),
        ("twins", measured.twins),
        ("siblings: dials of one maker", measured.siblings),
    ]


def _timings(measured: Measured) -> list[tuple[str, list[float]]]:
    return [
        ("decode and normalise a 12-megapixel JPEG", measured.times.decode_12mp),
        ("find the points of 800 pixels", measured.times.detect),
        (f"that, and the answer over {ANGLES} angles", measured.times.answer),
        ("enrol 800 pixels", measured.times.enrol),
    ]


def _row(name: str, tally: Tally) -> str:
    share = f"{tally.accepted / tally.total:.1%}" if tally.accepted else "0"
    if share == "0.0%":  # a false accept in thousands is not nothing
        share = f"{tally.accepted} pairs"
    strong = f"{tally.verdicts['match_strong'] / tally.total:.1%}"
    return f"{name:<44}{tally.total:>8}{share:>10}{strong:>8}{tally.most_inliers:>14}"


def _times(name: str, values: list[float]) -> str:
    ordered = sorted(values)
    high = ordered[min(round(0.95 * len(ordered)), len(ordered) - 1)]
    return f"{name:<44}{statistics.median(ordered):>8.0f}{high:>10.0f}{ordered[-1]:>8.0f}"


def _bound(impostors: Tally) -> str:
    bound = _rule_of_three(impostors)
    if bound is None:
        return (
            f"Impostors: {impostors.accepted} of {impostors.total} accepted; no bound is claimed."
        )
    return (
        f"Impostors: 0 of {impostors.total} accepted, so a false accept in fewer than {bound:.1e} "
        "of such pairs (95 %, rule of three)."
    )


def _rule_of_three(impostors: Tally) -> float | None:
    return 3 / impostors.total if impostors.total and not impostors.accepted else None


def _counted(done: str, items: Sequence[object]) -> Iterator[int]:
    """The places of the items, with a line of progress now and then."""
    said = time.monotonic()
    for place in range(len(items)):
        if time.monotonic() - said >= PROGRESS_EVERY_S:
            said = time.monotonic()
            print(f"{place} of {len(items)} {done}", flush=True)
        yield place


def _since(begun: float) -> float:
    return (time.process_time() - begun) * 1000


def _on_one_core() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtests.matching")
    parser.add_argument("--folder", type=Path, help="measure these pictures instead")
    parser.add_argument("--objects", type=int, default=OBJECTS, help="how many to draw")
    parser.add_argument("--report", type=Path, help="where to write the figures as JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
