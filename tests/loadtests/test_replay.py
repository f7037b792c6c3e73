"""Replays through a real house, and input that cannot be replayed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from loadtests import replay
from loadtests.core.trace import read_traces
from loadtests.house import CHECKOUT
from tests.loadtests.test_trace import recorded
from tests.processes import Running, environment, is_alive, python, until

SHARED = CHECKOUT.parent / "shared" / "data"
OWN = CHECKOUT / "tests" / "data"
TRACES = sorted([*OWN.glob("*.trace.jsonl"), *SHARED.glob("*.trace.jsonl")])


def write(path: Path, *lines: dict[str, Any]) -> Path:
    """A trace file of these auctions."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def run(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """The replayer, with its temporary files under *folder*."""
    return subprocess.run(
        python("-m", "loadtests.replay", *map(str, arguments)),
        cwd=CHECKOUT,
        env=environment(TMPDIR=folder),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.fixture
def temporary() -> Any:
    """A short folder for sockets and data, which must be empty again in the end."""
    with tempfile.TemporaryDirectory(prefix="fw-") as name:
        yield Path(name)
        assert list(Path(name).iterdir()) == []


# ── Input ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "bad.jsonl: No such file or directory"),
        ('{"id":\n', "bad.jsonl:1: "),
        (json.dumps(recorded()) + "\n{}\n", "bad.jsonl:2: "),
        (2 * (json.dumps(recorded()) + "\n"), "bad.jsonl:2: auction 't1' is already in"),
    ],
)
def test_input_that_cannot_be_used_starts_nothing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    content: str | None,
    complaint: str,
) -> None:
    """One line that names the file and the line, exit code 2, and no house."""
    monkeypatch.setattr(replay, "run_to_the_end", lambda work: pytest.fail("a house was opened"))
    file = tmp_path / "bad.jsonl"
    if content is not None:
        file.write_text(content)
    assert replay.main([str(file)]) == 2
    said = capsys.readouterr()
    assert complaint in said.err
    assert (said.err.count("\n"), said.out) == (1, "")


def test_a_report_that_cannot_be_written_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Better known now than after the replay."""
    monkeypatch.setattr(replay, "run_to_the_end", lambda work: pytest.fail("a house was opened"))
    file = write(tmp_path / "a.jsonl", recorded())
    assert replay.main([str(file), "--report", str(tmp_path / "none" / "r.jsonl")]) == 2


def test_sales_are_spread_over_the_shards() -> None:
    """Each source and currency has a sale on each shard, as far as its auctions go."""
    lines = [json.dumps(recorded(id=f"t{n}")).encode() for n in range(10)]
    sales = replay.arrange(read_traces([("a", lines)]), 4)
    assert [len(sale.lots) for sale in sales] == [3, 3, 2, 2]
    assert len({sale.name for sale in sales}) == 4


# ── A real house ─────────────────────────────────────────────────────────────────────────


@pytest.mark.skipif(not TRACES, reason="no trace files beside this checkout")
def test_recorded_auctions_reproduce(temporary: Path, tmp_path: Path) -> None:
    """Every recorded auction at hand, side by side in one house."""
    report = tmp_path / "report.jsonl"
    ran = run(*TRACES, "--report", report, folder=temporary)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    traces = read_traces((str(file), file.read_bytes().splitlines()) for file in TRACES)
    assert [line["id"] for line in lines] == [trace.id for trace in traces]
    assert all(line["reproduced"] and line["difference"] is None for line in lines)
    assert f"{len(traces)} of {len(traces)} auctions reproduce" in ran.stdout


def test_a_planted_difference_is_found(temporary: Path, tmp_path: Path) -> None:
    """A wrong price, a wrong winner and a wrong outcome are each reported; the rest reproduces."""
    bids = recorded()["bids"]
    file = write(
        tmp_path / "planted.jsonl",
        recorded(id="right"),
        recorded(id="price", bids=[bids[0], {**bids[1], "price": 1500}]),
        recorded(id="winner", expect={"price": 1600, "winner": "b2"}),
        recorded(id="outcome", bids=[bids[0], {**bids[1], "expect": "refused"}]),
        recorded(id="unsold", bids=[], expect={"price": None, "winner": None}),
    )
    report = tmp_path / "report.jsonl"
    ran = run(file, "--report", report, folder=temporary)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    found = {line["id"]: line for line in map(json.loads, report.read_text().splitlines())}
    assert {name: line["difference"] for name, line in found.items()} == {
        "right": None,
        "price": "bid 2 (b2, limit 1500): price 1600, recorded 1500",
        "winner": "winner b1, recorded b2",
        "outcome": "bid 2 (b2, limit 1500): accepted, recorded refused",
        "unsold": None,
    }
    assert set(found["price"]) == {"id", "reproduced", "bids", "difference"}
    assert "2 of 5 auctions reproduce" in ran.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_replay_clears_up(
    temporary: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """Ctrl-C in the middle: the house is stopped, its folder is gone, no process is left."""
    with _slow_replay(temporary, tmp_path) as running:
        (house,) = _folder_of_a_ready_house(temporary)
        log_server = _pid_of_server(house)
        running.signal(number)
        assert running.ended() == 128 + number
    until(lambda: not is_alive(log_server), "the log's server to end")


def test_a_house_that_dies_is_a_failure(temporary: Path, tmp_path: Path) -> None:
    """The replay ends at once, with the house's last words, and clears up all the same."""
    with _slow_replay(temporary, tmp_path) as running:
        (house,) = _folder_of_a_ready_house(temporary)
        os.kill(_pid_of_server(house), signal.SIGKILL)
        assert running.ended() == 1
    assert running.lines[0].startswith("replay: the house ended")
    assert "died" in running.lines[-1]  # which of its processes it noticed first varies


def _slow_replay(temporary: Path, tmp_path: Path) -> Running:
    """A replay whose second bid is due in an hour."""
    bids = recorded()["bids"]
    slow = recorded(bids=[bids[0], {**bids[1], "at": 3_600_000}])
    file = write(tmp_path / "slow.jsonl", slow)
    command = python("-m", "loadtests.replay", str(file), "--real-time", "1")
    return Running(command, environment(TMPDIR=temporary))


def _folder_of_a_ready_house(folder: Path) -> list[Path]:
    def ready() -> bool:
        outputs = folder.glob("*/output")
        return any("The house is open" in output.read_text() for output in outputs)

    until(ready, "the house to be open")
    return list(folder.iterdir())


def _pid_of_server(house: Path) -> int:
    """The embedded server, found by its configuration on its command line."""
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                command = (process / "cmdline").read_bytes()
            except OSError:
                continue
            if os.fsencode(house) in command:
                return int(process.name)
    raise AssertionError("no server")
