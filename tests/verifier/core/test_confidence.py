"""Confidence: what adds up to what, and what is never weighed."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from typing import Any, get_args

import pytest

from verifier.core.confidence import (
    TERMS,
    Findings,
    Match,
    PhotoBinding,
    TagStatus,
    Verdict,
    confidence_of,
    judge,
)
from verifier.core.scans import Level

SOUND = Findings(signature_valid=True, chain_intact=True, log_included=True)


def judged(**found: Any) -> Verdict:
    return judge(replace(SOUND, **found))


def everything() -> list[Findings]:
    """Every combination of what can be found on a sound record."""
    photos = (None, *get_args(Match))
    kinds = (get_args(PhotoBinding), get_args(TagStatus), photos, get_args(Level))
    return [
        replace(SOUND, photo_binding=binding, tag=tag, photo=photo, scan_risk=risk)
        for binding, tag, photo, risk in product(*kinds)
    ]


def test_an_intact_record_alone() -> None:
    """The contract's example: authentic, 0.9, and only the record."""
    verdict = judged()
    assert (verdict.status, verdict.confidence, verdict.assurance) == ("authentic", 0.9, "record")
    assert [(e.kind, e.log_odds_milli) for e in verdict.evidence] == [("record_intact", 1000)]


@pytest.mark.parametrize(
    ("found", "status", "confidence", "assurance"),
    [
        ({"tag": "verified"}, "authentic", 0.99, "object"),
        ({"tag": "not_presented"}, "authentic", 0.9, "record"),
        ({"tag": "replayed"}, "caution", 0.09, "record"),
        ({"tag": "invalid"}, "caution", 0.09, "record"),
        ({"tag": "tampered"}, "caution", 0.09, "record"),
        ({"photo": "match_strong"}, "authentic", 0.99, "object"),
        ({"photo": "match"}, "authentic", 0.99, "object"),
        ({"photo": "inconclusive"}, "authentic", 0.9, "record"),
        ({"photo": "no_match"}, "authentic", 0.76, "record"),  # not confirmed; no counterfeit
        ({"scan_risk": "medium"}, "caution", 0.67, "record"),
        ({"scan_risk": "high"}, "caution", 0.24, "record"),
        ({"tag": "verified", "scan_risk": "high"}, "authentic", 0.97, "object"),
        ({"photo": "match", "scan_risk": "high"}, "authentic", 0.91, "object"),
        ({"tag": "replayed", "photo": "match_strong"}, "caution", 0.97, "object"),
        ({"photo_binding": "incomplete"}, "authentic", 0.9, "record"),
        ({"photo_binding": "broken"}, "caution", 0.5, "record"),
    ],
)
def test_what_is_said_of_what_was_found(
    found: dict[str, str], status: str, confidence: float, assurance: str
) -> None:
    """The numbers are the logistic of the terms' sum, computed by hand."""
    verdict = judged(**found)
    assert (verdict.status, verdict.confidence, verdict.assurance) == (
        *(status, confidence, assurance),
    )


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        ({"signature_valid": False}, "signature_broken"),
        ({"chain_intact": False}, "chain_broken"),
        ({"log_included": False}, "log_broken"),
    ],
)
def test_what_is_broken_is_not_weighed(found: dict[str, bool], kind: str) -> None:
    """No tag and no photograph makes a broken record good, not even a revoked one."""
    verdict = judged(**found, tag="verified", photo="match_strong", revoked=True)
    assert (verdict.status, verdict.confidence, verdict.assurance) == ("invalid", 0.0, "record")
    assert [evidence.kind for evidence in verdict.evidence] == [kind]


def test_everything_that_is_broken_is_named() -> None:
    """Not the first alone."""
    verdict = judged(signature_valid=False, chain_intact=False, log_included=False)
    assert len(verdict.evidence) == 3


def test_a_revoked_record() -> None:
    """It is neither weighed nor called invalid."""
    verdict = judged(revoked=True, tag="verified")
    assert (verdict.status, verdict.confidence) == ("revoked", 0.0)


def test_a_copied_code_never_looks_better() -> None:
    """Without tag and photograph at most 0.90 and only the record; with them at most 0.99."""
    for findings in everything():
        verdict = judge(findings)
        shown = findings.tag == "verified" or findings.photo in ("match", "match_strong")
        assert verdict.assurance == ("object" if shown else "record")
        assert 0 < verdict.confidence <= (0.99 if shown else 0.9)


def test_the_evidence_adds_up_to_the_confidence() -> None:
    """Anybody can compute it again from the answer, in floats and to two decimals."""
    for findings in everything():
        verdict = judge(findings)
        odds = 10 ** (sum(e.log_odds_milli for e in verdict.evidence) / 1000)
        most = 0.99 if verdict.assurance == "object" else 0.9
        assert math.isclose(
            verdict.confidence, min(max(odds / (1 + odds), 0.01), most), abs_tol=0.005001
        )


def test_bad_news_never_raises_confidence() -> None:
    """The same findings with a worse tag, photograph, binding or risk are worth no more."""
    for findings in everything():
        best = judge(findings).confidence
        for worse in (
            {"tag": "replayed"},
            {"scan_risk": "high"},
            {"photo_binding": "broken"},
        ):
            assert judge(replace(findings, **worse)).confidence <= best  # type: ignore[arg-type]


def test_a_warning_is_said_aloud() -> None:
    """A replayed, forged or opened tag and broken pictures are caution whatever else is found."""
    for findings in everything():
        verdict = judge(findings)
        if findings.tag in ("replayed", "invalid", "tampered"):
            assert verdict.status == "caution"
        if findings.photo_binding == "broken":
            assert verdict.status == "caution"


def test_a_photograph_says_no_more_than_was_measured() -> None:
    """At most log10 of accepted genuine pictures over the 95 % bound of false ones."""
    bound = math.log10(0.985 / (3 / 105_529))
    assert max(TERMS[f"photo_{kind}"].log_odds_milli for kind in get_args(Match)) < 1000 * bound


def test_confidence_is_rounded_once() -> None:
    """Two decimals, between the caps, however far the odds go."""
    assert confidence_of(0, shown=True) == 0.5
    assert confidence_of(-99_000, shown=True) == 0.01
    assert confidence_of(99_000, shown=True) == 0.99
    assert confidence_of(99_000, shown=False) == 0.9
