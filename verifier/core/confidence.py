"""Confidence: from stated evidence to a number, a word, and how far both reach.

Each piece of evidence adds its weight to the odds that this is the registered object, in
thousandths of a decimal logarithm (+1000: ten times likelier).  ``TERMS`` is all of them, with
where each is from; the answer lists those that applied, so anybody can add them up again.

A record proves itself, not the thing in somebody's hand: without a tag or a fresh photograph
confidence ends at 0.90 and assurance is ``record``.  A copied code never looks better.

What is broken is not weighed: a wrong signature, chain or log is ``invalid`` and 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from verifier.core.scans import Level

Status = Literal["authentic", "caution", "invalid", "revoked"]
Assurance = Literal["record", "object"]
TagStatus = Literal["verified", "replayed", "invalid", "tampered", "not_presented", "not_bound"]
Match = Literal["match_strong", "match", "inconclusive", "no_match"]
PhotoBinding = Literal["valid", "incomplete", "broken"]

LEAST: Final = Decimal("0.01")  # 0 is kept for what is broken
MOST: Final = Decimal("0.99")  # nothing that is measured is certain
MOST_OF_A_RECORD: Final = Decimal("0.90")


class Evidence(NamedTuple):
    """One piece: what it adds to the decimal logarithm of the odds, in thousandths."""

    kind: str
    log_odds_milli: int
    words: str


class Verdict(NamedTuple):
    """The answer, with everything that it rests on."""

    status: Status
    confidence: float  # two decimals
    assurance: Assurance
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found out about one object, now."""

    signature_valid: bool
    chain_intact: bool
    log_included: bool
    revoked: bool = False
    photo_binding: PhotoBinding = "valid"
    tag: TagStatus = "not_bound"
    photo: Match | None = None  # of a fresh picture; None: there was none
    scan_risk: Level = "low"


TERMS: Final[dict[str, Evidence]] = {
    term.kind: term
    for term in (
        # The start: most objects with an intact record that somebody looks at are the ones.
        Evidence("record_intact", 1000, "signature, chain and log are intact"),
        # The reference pictures no longer are what was signed: the record's ten to one is gone.
        Evidence("binding_broken", -1000, "the reference photographs are not those signed"),
        Evidence("binding_incomplete", 0, "reference photographs are still missing"),
        # A chip's key cannot be copied; the chip can be moved to another object.
        Evidence("tag_verified", 2000, "the tag answered, with a message never seen before"),
        Evidence("tag_replayed", -2000, "the tag's message was seen before: it may be a copy"),
        Evidence("tag_invalid", -2000, "the message is not this object's tag's"),
        Evidence("tag_tampered", -2000, "the tag's seal was opened"),
        Evidence("tag_not_presented", 0, "the object has a tag; it was not tapped"),
        # Of 105 529 pairs of different objects none was accepted, which would allow +4500; but
        # a twin (same model, photographed alike) always was, and a print of the picture is.
        Evidence("photo_match_strong", 2500, "the photograph matches in many places"),
        Evidence("photo_match", 1500, "the photograph matches"),
        Evidence("photo_inconclusive", 0, "the photograph decides nothing"),
        # One in ten difficult pictures of the right object fails.
        Evidence("photo_no_match", -500, "the photograph does not confirm the object"),
        Evidence("scans_medium", -700, "the scans of this code are unusual"),
        Evidence("scans_high", -1500, "the scans of this code point to copies"),
    )
}

# Whatever else was found, these are said aloud.
_WARNINGS: Final = ("binding_broken", "tag_replayed", "tag_invalid", "tag_tampered")
# These too, unless the object itself was shown: scans speak of copies of its code.
_SUSPICIONS: Final = ("scans_medium", "scans_high")


def judge(findings: Findings) -> Verdict:
    """What is to be said of an object after *findings*."""
    broken = _broken(findings)
    if broken:
        return Verdict("invalid", 0.0, "record", broken)
    if findings.revoked:
        why = Evidence("revoked", 0, "the house has revoked this record")
        return Verdict("revoked", 0.0, "record", (why,))
    kinds = _kinds(findings)
    evidence = tuple(TERMS[kind] for kind in kinds)
    shown = findings.tag == "verified" or findings.photo in ("match", "match_strong")
    warned = any(kind in _WARNINGS or (kind in _SUSPICIONS and not shown) for kind in kinds)
    return Verdict(
        "caution" if warned else "authentic",
        confidence_of(sum(term.log_odds_milli for term in evidence), shown=shown),
        "object" if shown else "record",
        evidence,
    )


def confidence_of(log_odds_milli: int, *, shown: bool) -> float:
    """odds / (1 + odds) within the caps, to two decimals; *shown*: the object was checked.

    In decimals, so that every machine rounds it alike.
    """
    odds = Decimal(10) ** (Decimal(log_odds_milli) / 1000)
    most = MOST if shown else MOST_OF_A_RECORD
    return float(min(max(odds / (1 + odds), LEAST), most).quantize(Decimal("0.01")))


def _broken(findings: Findings) -> tuple[Evidence, ...]:
    sound = {
        "signature_broken": (findings.signature_valid, "a signature of the record is wrong"),
        "chain_broken": (findings.chain_intact, "the chain of events is broken"),
        "log_broken": (findings.log_included, "the record is not in the log"),
    }
    return tuple(Evidence(kind, 0, words) for kind, (holds, words) in sound.items() if not holds)


def _kinds(findings: Findings) -> list[str]:
    """The names of the terms that apply, in the order in which they are told."""
    named = ["record_intact", f"binding_{findings.photo_binding}", f"tag_{findings.tag}"]
    named += [f"photo_{findings.photo}", f"scans_{findings.scan_risk}"]
    # What is as it should be, or was not asked, has no term.
    return [kind for kind in named if kind in TERMS]
