"""The harness that measures photo matching: what it counts, says and writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtests import matching, pictures
from loadtests.matching import Measured, Tally, report, table
from verifier.photographs.jobs import Score


def scored(inliers: int, anchors: int) -> Score:
    return Score("", inliers, anchors, 11, 0.5)


def test_a_folder_of_ones_own_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is an object, a folder another with a photograph really taken since."""
    monkeypatch.setattr(matching, "RECAPTURES", 1)
    monkeypatch.setattr(matching, "HARD_RECAPTURES", 1)
    monkeypatch.setattr(matching, "TIMED", 1)
    monkeypatch.setattr(matching, "TWINS", 1)
    monkeypatch.setattr(matching, "_twelve_megapixels", lambda photo: photo)
    monkeypatch.setattr(matching, "_on_one_core", lambda: None)
    pictures.draw(0).save(tmp_path / "painting.jpg")
    (tmp_path / "label").mkdir()
    pictures.draw(1).save(tmp_path / "label" / "1.png")
    taken = pictures.recapture(pictures.draw(1), pictures.USUAL, 1)
    (tmp_path / "label" / "2.jpg").write_bytes(taken)
    (tmp_path / "notes.txt").write_text("not a picture")

    out = tmp_path / "report.json"
    assert matching.main(["--folder", str(tmp_path), "--report", str(out)]) == 0
    said = capsys.readouterr().out
    assert "2 pictures enrolled" in said
    figures = json.loads(out.read_text())
    assert figures["objects"] == 2
    taken_since = figures["comparisons"]["really taken since"]
    assert (taken_since["pairs"], taken_since["accepted"]) == (1, 1)
    assert figures["comparisons"]["impostors"]["pairs"] == 2
    assert figures["comparisons"]["impostors"]["accepted"] == 0
    assert figures["false_accept_bound_95"] == 1.5
    assert figures["milliseconds"]["answer"][0] > figures["milliseconds"]["detect"][0]


def test_nothing_to_measure_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object has no impostors; a folder that is not there has nothing."""
    pictures.draw(0).save(tmp_path / "only.jpg")
    assert matching.main(["--folder", str(tmp_path)]) == matching.BAD_INPUT
    assert matching.main(["--folder", str(tmp_path / "nowhere")]) == matching.BAD_INPUT
    assert "two different objects" in capsys.readouterr().err


def test_a_false_accept_is_counted_and_claims_no_bound() -> None:
    """One accepted impostor is reported as one, and the rule of three is not quoted."""
    measured = Measured(objects=3, impostors=Tally())
    for inliers, anchors in ((3, 0), (14, 5), (40, 2)):
        measured.impostors.add(scored(inliers, anchors))
    assert report(measured)["comparisons"]["impostors"] == {
        "pairs": 3,
        "accepted": 1,
        "verdicts": {"inconclusive": 1, "match": 1, "no_match": 1},
        "most_inliers": 40,
        "most_anchors": 5,
    }
    assert report(measured)["false_accept_bound_95"] is None
    assert "1 of 3 accepted; no bound is claimed" in table(measured)
    measured.impostors.verdicts.update(match=1, no_match=9_996)
    assert "2 pairs" in table(measured)


def test_pictures_are_the_same_each_time_and_different_from_each_other() -> None:
    """A number always draws the same object; no two numbers draw the same."""
    assert pictures.draw(3).tobytes() == pictures.draw(3).tobytes()
    assert len({pictures.draw(number).resize((60, 50)).tobytes() for number in range(10)}) == 10
    once, again = (pictures.recapture(pictures.draw(3), pictures.HARD, 3, 1) for _ in range(2))
    assert once == again != pictures.recapture(pictures.draw(3), pictures.HARD, 3, 2)
