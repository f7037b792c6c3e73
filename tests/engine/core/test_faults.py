"""Wrong on purpose: each fault below is planted in a copy of the core, and must be found.

A fault is one replacement in the source, as small as the slip of a tired evening.  The copy
is then tried by the same scripts, traces, replays and random auctions as the core itself.
If the text to replace is no longer there exactly once, the fault was not planted, and the
test says so: find the line that now does the work, and name it here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

CHECKOUT = Path(__file__).parents[3]
COPIED = ("engine/__init__.py", "engine/core", "tests/__init__.py", "tests/engine/__init__.py", "tests/engine/core", "tests/data")  # fmt: skip
TRIAL = (
    "test_bidding.py",
    "test_closing.py",
    "test_paddles.py",
    "test_retries.py",
    "test_increments.py",
    "test_reference.py",
    "test_traces.py",
    "test_replay.py",
)


class Fault(NamedTuple):
    """One slip: in which module of the core, and which text becomes which."""

    name: str
    module: str
    text: str
    becomes: str


FAULTS = [
    # The price.
    Fault("no increment", "absentee", "second + step_at(terms.increments, second)", "second"),
    Fault("the price passes the limit", "absentee", "min(first, second + step_at(terms.increments, second))", "second + step_at(terms.increments, second)"),
    Fault("the increment at the leader's limit", "absentee", "step_at(terms.increments, second)", "step_at(terms.increments, first)"),
    Fault("a lone limit is paid in full", "absentee", "price = terms.opening", "price = first"),
    Fault("the reserve is given away", "absentee", "if first >= terms.reserve:", "if first >= 0:"),
    Fault("the reserve must be passed", "absentee", "if first >= terms.reserve:", "if first > terms.reserve:"),
    Fault("the reserve lowers the price", "absentee", "return max(price, terms.reserve)", "return terms.reserve"),
    Fault("the whole limit below the reserve", "absentee", 'terms.reserve_policy == "to_max"', "True"),
    Fault("a jump bid is only a limit", "lot", 'if bid.kind == "bid":', "if False:"),
    Fault("a limit is bid out loud", "lot", 'if bid.kind == "bid":', "if True:"),
    # Who leads.
    Fault("the later bid wins a tie", "absentee", "entry = (-limit, order, consumer_id)", "entry = (-limit, -order, consumer_id)"),
    Fault("a tie goes by name", "absentee", "entry = (-limit, order, consumer_id)", "entry = (-limit, 0, consumer_id)"),
    Fault("a tie takes the lead", "lot", "leads = bid.amount > best", "leads = bid.amount >= best"),
    Fault("a loser keeps their place in time", "lot", "if lot.leader == event.consumer_id else None", "if True else None"),
    # The leader's own raise.
    Fault("the leader's raise competes", "lot", "price, why = _raise(lot, bid.amount) if leads else _compete(lot, bid)", "price, why = _compete(lot, bid)"),
    Fault("a frozen price is recomputed", "lot", 'if terms.leader_raise == "recompute":', "if True:"),
    Fault("a recomputed price is frozen", "lot", 'if terms.leader_raise == "recompute":', "if False:"),
    Fault("the price falls", "lot", "price = max(price, price_of(terms, limit, second))", "price = price_of(terms, limit, second)"),
    Fault("a raise never meets the reserve", "lot", "price < terms.reserve <= limit", "False"),
    Fault("the same limit is a raise", "lot", "if bid.amount <= -lot.book[0][0]:", "if bid.amount < -lot.book[0][0]:"),
    # The asking bid and the ladder.
    Fault("a bid must pass the asking bid", "lot", "bid.amount < lot.asking", "bid.amount <= lot.asking"),
    Fault("one less than the asking bid will do", "lot", "bid.amount < lot.asking", "bid.amount + 1 < lot.asking"),
    Fault("a band begins one too late", "increments", "bisect_right(increments.froms, price)", "bisect_right(increments.froms, price - 1)"),
    Fault("a band begins one too early", "increments", "bisect_right(increments.froms, price)", "bisect_right(increments.froms, price + 1)"),
    Fault("rungs count from nothing", "increments", "    rung = opening\n", "    rung = 0\n"),
    Fault("a band runs past the next one", "increments", "return rung if band + 1 == len(ladder.froms) else min(rung, ladder.froms[band + 1])", "return rung"),
    Fault("the asking bid is off the ladder", "lot", "asking = rung_from(terms.increments, terms.opening, asking)", "pass"),
    Fault("an off-ladder bid is taken", "lot", "if lot.terms.ladder_only and bid.amount != rung_from(", "if False and bid.amount != rung_from("),
    Fault("the raise that would pass is off the ladder", "lot", "raised = rung_from(terms.increments, terms.opening, raised)", "pass"),
    # The close.
    Fault("a bid at the end is taken", "sale", "if at < lot.due_at else", "if at <= lot.due_at else"),
    Fault("the close comes one late", "lot", "if at < lot.due_at:", "if at <= lot.due_at:"),
    Fault("a refused bid extends", "sale", "competed = isinstance(answer, BidAccepted) and leader != bid.consumer_id", "competed = not isinstance(answer, AnswerRepeated) and lot.state is lots.State.OPEN"),
    Fault("the leader's raise extends", "sale", "competed = isinstance(answer, BidAccepted) and leader != bid.consumer_id", "competed = isinstance(answer, BidAccepted)"),
    Fault("extensions without end", "lot", "lot.extensions >= terms.max_extensions", "False"),
    Fault("one extension too many", "lot", "lot.extensions >= terms.max_extensions", "lot.extensions > terms.max_extensions"),
    Fault("the window is one wider", "lot", "lot.closes_at - at >= terms.extension_window_ms", "lot.closes_at - at > terms.extension_window_ms"),
    Fault("an extension brings the end forward", "lot", "if closes_at <= lot.closes_at:", "if False:"),
    Fault("an extension adds to the end", "lot", "closes_at = at + terms.extension_ms", "closes_at = lot.closes_at + terms.extension_ms"),
    Fault("a pause does not move the end", "lot", "None if lot.left_ms is None else at + lot.left_ms", "lot.terms.closes_at"),
    Fault("an extension after a stop is counted", "lot", "_extended(lot, at, resumed_at + window, lot.extensions)", "_extended(lot, at, resumed_at + window, lot.extensions + 1)"),
    Fault("an end in a stop is not made good", "lot", "if lot.closes_at <= resumed_at:", "if False:"),
    Fault("an end at the instant of resuming is not made good", "lot", "if lot.closes_at <= resumed_at:", "if lot.closes_at < resumed_at:"),
    Fault("sold below the reserve", "lot", 'reserve_shown(lot.terms, lot.price) != "not_met"', "True"),
    Fault("settled before its time", "lot", "max(at, lot.terms.settle_at or at)", "at"),
    # Answers and what everybody sees.
    Fault("a retry bids twice", "lot", "(known := bidder.answers.get(bid.cmd_id)) is not None", "False"),
    Fault("a retry may bring other content", "lot", "same = known.amount == bid.amount and known.kind == bid.kind", "same = True"),
    Fault("the kind is no content", "lot", "known.amount == bid.amount and known.kind == bid.kind", "known.amount == bid.amount"),
    Fault("one refusal too few is kept", "lot", "if len(bidder.refused) > REFUSALS_KEPT:", "if len(bidder.refused) >= REFUSALS_KEPT:"),
    Fault("one refusal too many is kept", "lot", "if len(bidder.refused) > REFUSALS_KEPT:", "if len(bidder.refused) > REFUSALS_KEPT + 1:"),
    Fault("a refusal takes a public seq", "lot", "    bidder.refused.append(event.cmd_id)\n", "    bidder.refused.append(event.cmd_id)\n    lot.seq += 1\n"),
    Fault("a silent raise takes a public seq", "lot", "_after(lot, price, why is not None,", "_after(lot, price, True,"),
    Fault("a bidder counts with every bid", "lot", "lot.bidder_count + is_new", "lot.bidder_count + 1"),
    Fault("nobody is told that the price moved", "lot", "bid.seen is not None and bid.seen < lot.seq", "False"),
    Fault("a bidder's own count starts too high", "lot", "bidder.bid_count + 1,", "bidder.bid_count + 2,"),
    Fault("everybody is told that the price moved", "lot", "bid.seen is not None and bid.seen < lot.seq", "bid.seen is not None"),
    Fault("the suspended are offered a number", "lot", "_would_pass(lot, leads) if admission is None else None", "_would_pass(lot, leads)"),
    Fault("a refusal says another's limit", "lot", "_next_raise(lot.terms, -lot.book[0][0]) if leads else lot.asking", "_next_raise(lot.terms, -lot.book[0][0]) if lot.book else lot.asking"),
    Fault("any terms will do", "sale", "or not lots.can_be_sold_by(command.terms)", "or False"),
    Fault("outbid without ever having led", "lot", "bidder.has_led = True", "pass"),
    # Who may bid.
    Fault("the suspended may bid", "sale", '"suspended": "suspended"', '"suspended": None'),
    Fault("a sale by approval is open", "sale", 'None if sale.created.registration == "open" else "not_registered"', "None"),
    Fault("a paddle is given out twice", "sale", "while sale.next_paddle in sale.paddles:", "while False:"),
    # One log, one state.
    Fault("a place that depends on the process", "lot", "lot.order += 1\n", "lot.order += 1 + hash(event.consumer_id) % 9\n"),
    Fault("decided without being recorded", "lot", "    # From here on the bid stands.\n", "    lot.order += 1\n"),
]  # fmt: skip


def planted(fault: Fault | None, folder: Path) -> Path:
    """A copy of the core and its tests in *folder*, with *fault* in it.

    Raises ``LookupError`` where the text to replace is not there exactly once.
    """
    for name in COPIED:
        source, copy = CHECKOUT / name, folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy)
    if fault is not None:
        module = folder / "engine" / "core" / f"{fault.module}.py"
        text = module.read_text()
        if text.count(fault.text) != 1:
            found = text.count(fault.text)
            raise LookupError(f"{fault.module}.py holds {found} times: {fault.text!r}")
        module.write_text(text.replace(fault.text, fault.becomes))
    return folder


class Verdict(NamedTuple):
    """What the trial of one copy came to."""

    code: int
    report: str


@pytest.fixture(scope="module")
def verdicts(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[Fault | None, Verdict | LookupError]:
    """The trials of all faults that this run asks about, and of the core as it is."""
    found: dict[Fault | None, Verdict | LookupError] = {}
    folders: dict[str, Fault | None] = {}
    for fault in [None, *(fault for fault in FAULTS if _is_asked_for(request, fault))]:
        folder = tmp_path_factory.mktemp("planted")
        try:
            folders[str(planted(fault, folder))] = fault
        except LookupError as error:
            found[fault] = error
    for line in tried(list(folders)).splitlines():
        code, place = line.split(" ", 1)
        found[folders[place]] = Verdict(int(code), (Path(place) / "trial.txt").read_text())
    return found


def _is_asked_for(request: pytest.FixtureRequest, fault: Fault) -> bool:
    calls = [getattr(item, "callspec", None) for item in request.session.items]
    return any(call is not None and call.params.get("fault") is fault for call in calls)


def tried(folders: list[str]) -> str:
    """Run the trial on every copy, each up to the first test that finds something."""
    files = [f"tests/engine/core/{name}" for name in TRIAL]
    arguments = ["-x", "-q", "-p", "no:cacheprovider", "--tb=line", "--deselect", RANDOM, *files]
    return subprocess.run(
        [sys.executable, "-B", "-P", PROGRAM, *folders, "--", *arguments],
        # Plugins cost more to load than these tests take to run, and none is needed.
        env={**os.environ, "PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        check=True,
    ).stdout


# It throws other auctions each time; the three hundred known ones are enough here.
RANDOM = "tests/engine/core/test_reference.py::test_two_thousand_auctions_thrown_by_hypothesis"
PROGRAM = Path(__file__).with_name("trial.py")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_found(
    fault: Fault, verdicts: dict[Fault | None, Verdict | LookupError]
) -> None:
    """A test fails; a copy that could not even be read would prove nothing."""
    verdict = verdicts[fault]

    assert isinstance(verdict, Verdict), verdict
    assert verdict.code == pytest.ExitCode.TESTS_FAILED, verdict.report


def test_the_core_as_it_is_passes_the_same_trial(
    verdicts: dict[Fault | None, Verdict | LookupError],
) -> None:
    """What finds the faults finds nothing where there is none."""
    verdict = verdicts[None]

    assert isinstance(verdict, Verdict)
    assert verdict.code == pytest.ExitCode.OK, verdict.report


def test_a_fault_that_cannot_be_planted_is_said(tmp_path: Path) -> None:
    """Otherwise the list above could rot without anybody noticing."""
    with pytest.raises(LookupError, match="holds 0 times"):
        planted(Fault("rotten", "lot", "a line of last year", ""), tmp_path / "none")
    with pytest.raises(LookupError, match=r"holds \d\d times"):
        planted(Fault("vague", "lot", "return", "yield"), tmp_path / "many")


def test_every_fault_has_its_own_name() -> None:
    """Two of one name would be tried as one."""
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
