"""``python -m verifier verify-bundle FILE``: is a proof bundle genuine?  Needs no network.

With ``--vkey`` the keys that it names are pinned; without one, in an installation, its own
are, and the bundle's tree is compared with the installation's log as well: a fork of the log
is signed by the same keys.  Where nothing is pinned, a bundle is consistent at best.

One line says what was found; the exit code is 0 for authentic, 1 for refused, 3 for
consistent with the signer not checked, and 2 where it was asked for wrongly.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from engine.command_line import Parser
from engine.settings import BadSetting, refuse_to_start
from gateway.archive import ArchiveError
from gateway.books.store import BooksError, reading
from gateway.settings import read_gateway_settings
from verifier.core import bundle, notes
from verifier.core.bundle import MOST_BYTES, Report, Verdict
from verifier.core.notes import Vkey
from verifier.opening import find_registry
from verifier.registry import checking, log

EXITS: Final[Mapping[Verdict, int]] = {"authentic": 0, "refused": 1, "consistent": 3}


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Check the bundle that *argv* names, without the word ``verify-bundle``; the exit code."""
    try:
        asked = _parser().parse_args(argv)
    except SystemExit as end:  # argparse has said what there was to say
        return int(end.code or 0)
    try:
        data = _content(asked.file)
        pinned = [notes.read_vkey(text) for text in asked.vkey]
        report = bundle.check(data, pinned) if pinned else _check_here(data, environ)
    except (BadSetting, ArchiveError, BooksError, OSError) as complaint:
        return refuse_to_start(complaint)
    except notes.BadNote as mistake:
        return refuse_to_start(ValueError(f"--vkey: {mistake}"))
    sys.stdout.write(report.words + "\n")
    return EXITS[report.verdict]


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m verifier verify-bundle",
        description="Check the proof bundle of an object, without a network.",
        epilog="Exit code 0: authentic. 1: refused. 3: consistent, signer not checked.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="as GET …/proof has answered it")
    parser.add_argument(
        "--vkey",
        action="append",
        default=[],
        metavar="KEY",
        help="a key of the log that you trust, as GET /log/vkeys tells it; may be repeated",
    )
    return parser


def _content(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(MOST_BYTES + 1)  # one more is too large, and is told so


def _check_here(data: bytes, environ: Mapping[str, str]) -> Report:
    """Check it with the keys, and against the log, of the installation where we are."""
    settings = read_gateway_settings(environ)
    engine = find_registry(settings)
    if engine is None:
        return bundle.check(data, ())
    try:
        return check_against(data, engine, log.origin(settings.public_url))
    finally:
        engine.dispose()


def check_against(data: bytes, engine: Engine, origin: str) -> Report:
    """Check it with the keys, and against the tree, of the log in this database."""
    with reading(engine) as connection:
        pinned: list[Vkey] = checking.vkeys(connection, origin)
        report = bundle.check(data, pinned)
        if report.verdict != "authentic":
            return report
        if report.size > log.size(connection):
            return _forked(f"it is of {report.size} entries, the log has fewer")
        if log.root(connection, report.size) != report.root:
            return _forked(f"its first {report.size} entries are others than the log's")
    return report


def _forked(reason: str) -> Report:
    return Report("refused", f"Refused: the bundle is of a fork of this log: {reason}.")
