"""The audit of the registry: everything made again from its rows, the first fault named.

``python -m verifier audit`` (``make audit``) reads the registry of a house that is open or
closed, as of one instant, and changes nothing.  It checks, in this order:

- log: every entry, every hash of the tree, every checkpoint that was ever signed, and that
  each entry is an event, a certificate or a word about keys, and of something;
- keys: what the log tells of them is what is kept;
- objects: each one's events, signatures, life and photographs, the originals read again;
  every commitment opened; custody, transfers, tags, alerts, and what sales have told.

One line a check and exit code 0, or one line that names the first disagreement and exit code
1; 2 where it cannot be done.  A house without a registry has nothing to audit, and says so.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Final

from engine import presence
from engine.settings import BadSetting, refuse_to_start
from gateway.archive import ArchiveError
from gateway.books.store import BooksError
from gateway.keys import BadKeys
from gateway.settings import read_gateway_settings
from verifier.opening import as_it_is, find_registry
from verifier.registry import audited_log, audited_objects, checking
from verifier.registry.checking import Disagrees
from verifier.store import Store, at_one_instant

_SAY_EVERY_S: Final = 0.5


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Audit the registry of this environment; 0 all agrees, 1 a disagreement, 2 refused."""
    try:
        _parser().parse_args(argv)
    except SystemExit as end:  # argparse has said what there was to say
        return int(end.code or 0)
    try:
        settings = read_gateway_settings(environ)
        engine = find_registry(settings)
        if engine is None:
            _say("registry   there is none: this house has registered no object")
            return 0
        try:
            for line in audit(as_it_is(settings, engine)):
                _say(line)
        finally:
            engine.dispose()
    except (BadSetting, presence.Held, BadKeys, OSError) as complaint:
        return refuse_to_start(complaint)
    except (Disagrees, ArchiveError, BooksError) as finding:
        _say(f"disagreement: {finding}")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="python -m verifier audit",
        description=(
            "Makes the registry's log, keys, objects and photographs again from their rows, and "
            "names the first disagreement. Changes nothing."
        ),
        epilog="Exit code 0: all agrees. 1: a disagreement. 2: it cannot be done.",
    )


def audit(store: Store) -> list[str]:
    """What was found, a line a check.

    Raises ``Disagrees`` at the first thing that is not as it must be, and ``BooksError``.
    """
    with at_one_instant(store) as connection:
        logged = audited_log.check(connection, store, _Progress("log", "entries").at)
        tree = checking.tree_of(connection, store)
        progress = _Progress("objects", "objects").at
        counts = audited_objects.check(connection, store, tree, progress)
    trees = f"{logged.size:,} entries, {logged.checkpoints:,} signed trees"
    record = f"{logged.events:,} events, {logged.certificates:,} certificates"
    beside = ", ".join(f"{counts[name]:,} {name}" for name in ("photographs", "tags", "transfers"))
    return [
        f"log        {trees}, every hash made again",
        f"keys       {len(logged.history.keys):,}, as the log tells of them",
        f"objects    {counts['objects']:,} with {record}, {beside}",
        f"owners     {counts['owners']:,}; nothing is left of those who were erased",
    ]


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class _Progress:
    """A line that counts, for somebody who watches; a file gets none of it."""

    def __init__(self, what: str, things: str) -> None:
        self._what = what
        self._things = things
        self._next = time.monotonic() + _SAY_EVERY_S

    def at(self, done: int, of: int) -> None:
        """So far."""
        if sys.stderr.isatty() and time.monotonic() >= self._next:
            self._next = time.monotonic() + _SAY_EVERY_S
            sys.stderr.write(f"\r{self._what}: {done:,} of {of:,} {self._things} ")
            sys.stderr.flush()
