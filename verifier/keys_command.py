"""``python -m verifier keys …``: the signing keys, from the command line.

It works on the registry directly, so that it works while the house stands still too; a
verifier that runs signs with the new key from its next signature on.  Errors are one line;
the exit code is 0 when it was done, 1 when the registry could not do it, 2 when it was asked
for wrongly.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Final

from engine import presence
from engine.command_line import ASKED_WRONGLY, Parser
from engine.settings import BadSetting
from gateway.books.store import BooksError, reading
from gateway.keys import BadKeys, load_or_create
from gateway.settings import read_gateway_settings
from verifier.core.wire import instant
from verifier.opening import open_registry
from verifier.registry import keys, rotation
from verifier.registry.keys import PURPOSES, PublicKey
from verifier.store import Store

DONE: Final = 0
FAILED: Final = 1


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Do what *argv* says, without the word ``keys``; the exit code."""
    try:
        asked = _parser().parse_args(argv)
    except SystemExit as end:  # argparse has said what there was to say
        return int(end.code or DONE)
    now_ms = time.time_ns() // 1_000_000
    try:
        settings = read_gateway_settings(environ)
        store = open_registry(settings, load_or_create(settings, now_ms), now_ms)
    except (BadSetting, BadKeys, presence.Held, OSError) as complaint:
        return _refuse(str(complaint), ASKED_WRONGLY)
    except BooksError as failure:
        return _refuse(str(failure), FAILED)
    try:
        for line in _do(store, asked, now_ms):
            sys.stdout.write(line + "\n")
    except LookupError:
        return _refuse(f"there is no key {asked.kid!r}; `list` shows all", ASKED_WRONGLY)
    except BooksError as failure:
        return _refuse(str(failure), FAILED)
    finally:
        store.engine.dispose()
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m verifier keys",
        description="List, rotate and give up signing keys. Reads DATABASE_URL and DATA_DIR.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("list", help="all keys there have been, the oldest first")
    rotate = verbs.add_parser("rotate", help="replace a key; the log says so, signed by both")
    rotate.add_argument("purpose", choices=PURPOSES, metavar="PURPOSE", help=", ".join(PURPOSES))
    compromise = verbs.add_parser(
        "compromise", help="declare that others may have a key, and replace it"
    )
    compromise.add_argument("kid", metavar="KID", help="as `list` shows it")
    compromise.add_argument(
        "--since-size",
        type=_size,
        metavar="N",
        help="what the key signed among the first N entries of the log stays good; "
        "all of it, where this is left out",
    )
    return parser


def _size(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise argparse.ArgumentTypeError("a number of entries was expected")
    return int(text)


def _do(store: Store, asked: argparse.Namespace, now_ms: int) -> list[str]:
    """What there is to say of it.  Raises ``LookupError`` for an unknown key."""
    if asked.verb == "rotate":
        return [f"{asked.purpose} is signed by {rotation.rotate(store, asked.purpose, now_ms)}"]
    if asked.verb == "compromise":
        new = rotation.declare_compromised(store, asked.kid, asked.since_size, now_ms)
        declared = f"{asked.kid} is declared compromised"
        return [declared if new is None else f"{declared}, and replaced by {new}"]
    with reading(store.engine) as connection:
        return [_line(key) for key in keys.known(connection).values()]


def _line(key: PublicKey) -> str:
    since = f"from {instant(key.created_at)}, entry {key.from_size}"
    until = "in use"
    if key.retired_at is not None:
        until = f"until {instant(key.retired_at)}, entry {key.retired_size}"
    lost = "" if key.compromised_at is None else f"; compromised from entry {key.compromised_size}"
    return f"{key.kid}  {key.purpose:<9}  {since}; {until}{lost}"


def _refuse(line: str, code: int) -> int:
    sys.stderr.write(f"{line}\n")
    return code
