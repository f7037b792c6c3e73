"""What does it cost, and how far is that from what this machine can do?

``python -m loadtests.bench [--quick]`` runs every benchmark of this folder on loopback, one
after the other, prints a table of ratios, and writes ``bench/results.json`` under the current
folder.  It takes some minutes, starts what it needs and stops it.  Numbers depend on the machine and on who else
uses it; the ratios, measured side by side in one run, depend less.

``--quick`` runs everything at a small size: to see that it works, not to measure.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtests import decisions, durable, fanout, latency, requests, verification
from loadtests.crowd import Broken
from loadtests.figures import Figure, table
from loadtests.house import HouseFailed, raise_file_limit, run_to_the_end

RESULTS = Path("bench/results.json")


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    decided: int  # bids
    durable: int  # bids
    raw_s: float
    bidding_s: float
    asking_s: float
    objects: int
    appends: int
    subscribers: int
    events: int


FULL = Size(100_000, 150_000, 2.0, 10.0, 8.0, 1_000, 1_000, 1_000, 640)
QUICK = Size(2_000, 4_000, 0.2, 1.0, 0.3, 4, 20, 50, 64)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks; 0 when they ran, whatever they found, 1 when something broke."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench")
    parser.add_argument("--quick", action="store_true", help="at a small size, to see it works")
    quick: bool = parser.parse_args(arguments).quick
    raise_file_limit()
    load = os.getloadavg()[0]
    try:
        figures = run_to_the_end(_measure(QUICK if quick else FULL))
    except (HouseFailed, Broken) as failed:
        print(f"bench: {failed}", file=sys.stderr)
        return 1
    print(table(figures))
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    print(f"\n{machine}; load average at the start {load:.1f}")
    results = {
        "machine": machine,
        "load_average": round(load, 2),
        "quick": quick,
        "figures": [figure.record() for figure in figures],
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return 0


async def _measure(size: Size) -> list[Figure]:
    _say("deciding")
    figures = decisions.measure(size.decided)
    _say("durable bids")
    figures += await durable.measure(size.durable, size.raw_s)
    _say("bid to result")
    figures += await latency.measure(size.bidding_s)
    _say("requests")
    figures += await requests.measure(size.asking_s)
    _say("verification")
    figures += await verification.measure(size.asking_s, size.objects, size.appends)
    _say("fan-out")
    return figures + await fanout.measure(size.subscribers, size.events)


def _say(what: str) -> None:
    print(f"… {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
