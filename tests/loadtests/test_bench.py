"""The benchmarks at a small size: they run, clear up, and say what they measured."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import pytest

from loadtests.core.mix import make_mix
from loadtests.figures import Figure, table
from tests.processes import environment, python


def test_the_same_seed_makes_the_same_mix() -> None:
    """A figure of today and one of tomorrow are about the same bids."""
    first, second = make_mix(["a"], 5, 500), make_mix(["a"], 5, 500)
    assert first.bids == second.bids
    assert {"leading", "outbid at once", "refused", "repeated", "extensions"} == set(first.shape)


@pytest.mark.parametrize(
    ("figure", "reached"),
    [
        (Figure("f", 30, "a second", "", aim=20), True),
        (Figure("f", 10, "a second", "", aim=20), False),
        (Figure("f", 30, "a second", "", beside=100, aim=20, aim_ratio=0.5), False),
        (Figure("f", 60, "a second", "", beside=100, aim_ratio=0.5), True),
        (Figure("f", 30, "ms", "", aim=20, lower=True), False),
        (Figure("f", 10, "ms", "", beside=1, aim=20, lower=True), True),
        (Figure("f", 10, "ms", "", beside=1), None),
    ],
)
def test_aims_are_judged(figure: Figure, reached: bool | None) -> None:
    """All aims of a figure must be reached; a time must not be longer."""
    assert figure.reached is reached


def test_the_table_says_what_a_number_includes() -> None:
    """Value, raw limit, ratio and aim in a row; what was measured below."""
    figure = Figure("bids", 1500, "a second", "all of it", 3000, "nothing", aim_ratio=0.4)
    said = table([figure])
    for part in ("1,500 a second", "3,000 a second", "0.50", "≥ 0.40 ✓", "all of it", "nothing"):
        assert part in said


def test_the_benchmarks_run(tmp_path: Path) -> None:
    """``--quick`` measures everything once, writes the results, and leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix="fw-") as folder:
        ran = subprocess.run(
            python("-m", "loadtests.bench", "--quick"),
            cwd=tmp_path,
            env=environment(TMPDIR=folder),
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert list(Path(folder).iterdir()) == []
    figures = json.loads((tmp_path / "bench" / "results.json").read_text())["figures"]
    assert [figure["name"] for figure in figures] == [
        "core decisions",
        "core decisions with codec",
        "durable bids",
        "fsyncs",
        "bid → result p50",
        "bid → result p99",
        "slowest fsync meanwhile",
        "REST bids",
        "REST bid p50",
        "REST bid p99",
        "GET auction",
        "verify, cached",
        "verify, uncached",
        "event append p50",
        "event append p99",
        "events delivered",
    ]
    # A disk without a slow moment is no defect of the benchmark.
    measured = [figure for figure in figures if figure["name"] != "slowest fsync meanwhile"]
    assert all(figure["value"] > 0 for figure in measured)
    assert all(figure["includes"] for figure in figures)
