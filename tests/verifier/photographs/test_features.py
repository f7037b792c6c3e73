"""Photographs compared: of one object, of two, with the same card in both, and of twins."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from itertools import combinations

import cv2
import msgspec
import numpy as np
import pytest
from PIL import Image

from loadtests import pictures
from tests.processes import CHECKOUT, environment
from verifier.core import matching
from verifier.photographs import decoding, features
from verifier.photographs.features import BadTemplate, Bytes, Template
from verifier.photographs.jobs import Score

PAINTING, LABEL, DIAL, CARD, MATERIAL = range(5)
ALL = (PAINTING, LABEL, DIAL, CARD, MATERIAL)
WANTED = 11


@cache
def picture(number: int) -> Image.Image:
    return pictures.draw(number)


def pixels(photo: bytes) -> Bytes:
    return np.asarray(decoding.normalised(decoding.decode(photo)))


@cache
def template(number: int) -> Template:
    return features.enrol(pixels(pictures.catalogue_photo(picture(number))), WANTED, [])[0]


@cache
def query(number: int) -> features.Features:
    return features.detect(pixels(pictures.recapture(picture(number), pictures.USUAL, number, 0)))


def compared(image: Image.Image, kept: Template) -> Score:
    """A photograph of what is in the picture, against a template."""
    photo = pictures.recapture(image, pictures.USUAL, 8)
    return features.score("p", features.detect(pixels(photo)), kept)


def said(score: Score) -> str:
    return matching.verdict(score.inliers, score.anchors)


@pytest.mark.parametrize("number", ALL)
def test_a_photograph_taken_again_is_matched(number: int) -> None:
    """Askew, on a cluttered table, in other light: the object is known again."""
    score = features.score("dial", query(number), template(number))
    assert said(score) in ("match", "match_strong")
    assert score.photo_id == "dial"
    assert score.anchors <= score.anchors_of == WANTED
    assert 0.2 < score.coverage <= 1


def test_no_other_object_is_matched() -> None:
    """Twenty pairs of different objects, of every sort: nothing agrees."""
    scores = [features.score("", query(a), template(b)) for a in ALL for b in ALL if a != b]
    assert {said(score) for score in scores} == {"no_match"}


def test_two_rings_of_ticks_are_not_one_dial() -> None:
    """Dials of two makers agree in some ticks; their anchors are not taken for found."""
    scores = [features.score("", query(one), template(other)) for one, other in ((2, 32), (32, 2))]
    assert max(score.inliers for score in scores) >= matching.MATCH_INLIERS
    assert not {said(score) for score in scores} & {"match", "match_strong"}


def test_a_photograph_on_its_side_is_matched() -> None:
    """Somebody turned the telephone."""
    turned = features.detect(
        pixels(pictures.catalogue_photo(picture(LABEL).rotate(90, expand=True)))
    )
    assert said(features.score("", turned, template(LABEL))) == "match_strong"


def test_a_mirror_image_is_not_matched() -> None:
    """A print of a negative, or a picture of the reverse, is another thing."""
    mirrored = picture(PAINTING).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert said(compared(mirrored, template(PAINTING))) == "no_match"


def test_a_twin_is_matched() -> None:
    """Another item of the same model looks the same: that is why the words say so."""
    assert said(compared(pictures.twin(picture(LABEL), 1), template(LABEL))) in (
        "match",
        "match_strong",
    )


def test_a_shared_card_alone_matches_until_it_is_told() -> None:
    """With one colour card in both pictures two objects agree; taken out, they do not.

    The object itself is still matched, and its template still has its anchors.
    """
    with_card = [pictures.with_card(picture(number), number) for number in (PAINTING, LABEL, CARD)]
    shot = [pixels(pictures.catalogue_photo(image)) for image in with_card]
    naive, nobody = features.enrol(shot[0], WANTED, [])
    assert nobody == []
    assert compared(with_card[1], naive).inliers >= matching.MATCH_INLIERS

    other = features.bare(features.detect(shot[2]))
    told, shared_with = features.renew(naive, WANTED, [template(MATERIAL), other])
    assert shared_with == [1]
    assert said(compared(with_card[1], told)) == "no_match"
    assert said(compared(with_card[0], told)) in ("match", "match_strong")
    assert len(told.anchors) == WANTED


def test_a_told_template_still_tells_the_next() -> None:
    """What was taken out of one template can be recognised with it in the next picture."""
    shot = [
        pixels(pictures.catalogue_photo(pictures.with_card(picture(number), number)))
        for number in (PAINTING, LABEL, CARD)
    ]
    first = features.bare(features.detect(shot[0]))
    second, _ = features.renew(features.bare(features.detect(shot[1])), WANTED, [first])
    third, shared_with = features.renew(features.bare(features.detect(shot[2])), WANTED, [second])
    assert shared_with == [0]
    assert 0 < sum(third.shared) < len(third.shared)


def test_two_photographs_of_one_thing_leave_no_anchors() -> None:
    """Two lots with the same picture cannot be told apart, and the template says so."""
    same, shared_with = features.renew(template(PAINTING), WANTED, [template(PAINTING)])
    assert shared_with == [0]
    assert len(same.anchors) < WANTED


def test_anchors_are_spread_and_steady() -> None:
    """No two at one place; each was seen again in at least half of the views."""
    kept = template(PAINTING)
    anchors = features.anchors_of(kept)
    assert len({tuple(anchor) for anchor in anchors}) == WANTED
    assert all(np.hypot(a.x - b.x, a.y - b.y) >= 12 for a, b in combinations(anchors, 2))
    assert min(kept.repeats[row] for row in kept.anchors) >= 3
    assert len(matching.code(anchors)) == -(-1650 // 8)


def test_anchors_leave_a_crowd() -> None:
    """Where the steadiest points stand close together, no two are taken from one place."""
    crowd = [(300.0 + x, 300.0 + y, 4.0, 0.0) for x in range(0, 24, 3) for y in range(0, 24, 3)]
    apart = [(100.0 * x, 90.0 * y, 4.0, 0.0) for x in range(1, 4) for y in range(1, 3)]
    points = np.array(crowd + apart, np.float32)
    kept = Template(
        features.VERSION,
        800,
        600,
        points.tobytes(),
        bytes(128 * len(points)),
        bytes([6] * len(crowd) + [5] * len(apart)),
        bytes(len(points)),
        [],
    )
    anchors = features.anchors_of(features.renew(kept, WANTED, [])[0])
    assert all(np.hypot(a.x - b.x, a.y - b.y) >= 12 for a, b in combinations(anchors, 2))
    assert {(a.x, a.y) for a in anchors} >= {(x, y) for x, y, *_ in apart}


@pytest.mark.parametrize(
    "seen",
    [
        [(0, 0), (0, 600), (800, 600), (800, 0)],
        [(0, 0), (800, 600), (800, 0), (0, 600)],
        [(0, 0), (800, 0), (300, 100), (0, 600)],
        [(0, 0), (100, 0), (100, 75), (0, 75)],
        [(0, 0), (800, 0), (800, 150), (0, 150)],
        [(0, 0), (800, 300), (800, 310), (0, 600)],
    ],
    ids=["mirrored", "crossed", "dented", "far away", "squeezed", "edge-on"],
)
def test_what_no_camera_sees_counts_for_nothing(seen: list[tuple[int, int]]) -> None:
    """A hundred points that agree on an impossible view are no agreement."""
    random = np.random.default_rng(1)
    corners = np.array([(0, 0), (800, 0), (800, 600), (0, 600)], np.float32)
    homography = cv2.getPerspectiveTransform(corners, np.array(seen, np.float32))
    here = np.column_stack([random.uniform(50, 550, (100, 2)), np.full((100, 1), 6), np.zeros(100)])
    there = here.copy()
    there[:, :2] = cv2.perspectiveTransform(here[None, :, :2], homography)[0]
    unlike = random.integers(0, 255, (100, 128), np.uint8)
    agreement = features.agree(
        features.Features(800, 600, here.astype(np.float32), unlike),
        features.Features(800, 600, there.astype(np.float32), unlike),
    )
    assert agreement.homography is None
    assert len(agreement.here) == 0


@pytest.mark.parametrize("wanted", [7, 16])
def test_a_tier_has_as_many_anchors_as_it_asks_for(wanted: int) -> None:
    """Fewer or more of the same points; the first ones are the same."""
    other, _ = features.renew(template(PAINTING), wanted, [])
    assert len(other.anchors) == wanted
    common = min(wanted, WANTED)
    assert other.anchors[:common] == template(PAINTING).anchors[:common]


@pytest.mark.parametrize("level", [0, 128])
def test_a_picture_of_nothing_has_no_anchors(level: int) -> None:
    """An even surface yields nothing, and nothing is matched with it."""
    nothing, _ = features.enrol(np.full((600, 800, 3), level, np.uint8), WANTED, [template(LABEL)])
    assert nothing.anchors == []
    assert features.score("", query(LABEL), nothing).inliers == 0
    empty = features.detect(np.full((600, 800, 3), level, np.uint8))
    assert features.score("", empty, template(LABEL)).inliers == 0


def test_a_template_is_its_bytes() -> None:
    """Packed and unpacked it is the same; a reference photograph takes about 150 KB."""
    packed = features.pack(template(LABEL))
    assert features.unpack(packed) == template(LABEL)
    assert len(packed) < 160_000


def test_bytes_that_are_no_template_are_refused() -> None:
    """Nothing else is compared by mistake: not cut short, not of another version."""
    packed = features.pack(template(LABEL))
    kept = template(LABEL)
    wrong = [
        b"",
        packed[:-5],
        features.pack(msgspec.structs.replace(kept, version=9)),
        features.pack(msgspec.structs.replace(kept, repeats=kept.repeats[:-1])),
        features.pack(msgspec.structs.replace(kept, anchors=[5000])),
    ]
    for data in wrong:
        with pytest.raises(BadTemplate):
            features.unpack(data)


def test_the_same_pixels_give_the_same_template_and_score() -> None:
    """In this process and in another, whatever was computed before."""
    program = (
        "import hashlib\n"
        "from tests.verifier.photographs.test_features import *\n"
        "print(hashlib.sha256(features.pack(template(DIAL))).hexdigest())\n"
        "print(features.score('', query(DIAL), template(DIAL)))\n"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=CHECKOUT,
            env=environment(PYTHONHASHSEED=seed, OPENBLAS_NUM_THREADS=threads),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, threads in (("1", "1"), ("2", "2"))
    ]
    assert told[0] == told[1] != ""
    assert str(features.score("", query(DIAL), template(DIAL))) in told[0]
