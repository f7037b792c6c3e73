"""``python -m gateway keys …``: the house's API keys, from the command line.

For whoever has the machine and no key yet, or no longer.  It works on the books directly, so
that it works while the house stands still too; gateways that run know of it within a second.
A new key's text is printed once and is nowhere kept.  Errors are one line; the exit code is 0
when it was done, 1 when the books refused it, 2 when it was asked for wrongly.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final, get_args

from sqlalchemy import Engine

from engine.command_line import ASKED_WRONGLY, Parser
from engine.core.messages import Mode
from engine.settings import BadSetting
from gateway.books import apikeys
from gateway.books.apikeys import ApiKey
from gateway.books.store import BadField, BooksError, open_books
from gateway.core.consumer import instant
from gateway.keys import KeyKind
from gateway.settings import read_gateway_settings

DONE: Final = 0
REFUSED: Final = 1
_MODES: Final[tuple[Mode, ...]] = ("live", "test")
_HASHES: Final = ("hash", "previous_hash")


class _Refusal(Exception):
    """It cannot be done; the text is one line."""


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Do what *argv* says, without the word ``keys``; the exit code."""
    try:
        asked = _parser().parse_args(argv)
    except SystemExit as end:  # argparse has said what there was to say
        return int(end.code or DONE)
    try:
        _say(_do(asked, environ), asked.json)
    except (BadSetting, BadField) as mistake:
        field = f"{mistake.field}: " if isinstance(mistake, BadField) else ""
        sys.stderr.write(f"{field}{mistake}\n")
        return ASKED_WRONGLY
    except (BooksError, _Refusal) as refusal:
        sys.stderr.write(f"{refusal}\n")
        return REFUSED
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m gateway keys",
        description="Make, list, rotate and revoke API keys. Reads DATABASE_URL and DATA_DIR.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    json_too = Parser(add_help=False)
    json_too.add_argument("--json", action="store_true", help="print JSON")
    create = verbs.add_parser("create", parents=[json_too], help="make a key and print its text")
    create.add_argument("--kind", required=True, choices=get_args(KeyKind))
    create.add_argument("--mode", required=True, choices=_MODES, help="which world it sees")
    create.add_argument("--name", required=True, help="what it is for")
    create.add_argument(
        "--scope",
        action="append",
        choices=apikeys.SCOPES,
        metavar="SCOPE",
        help=f"may be given again; one of {', '.join(apikeys.SCOPES)}. "
        "A secret key without any has all",
    )
    create.add_argument("--expires-at", metavar="INSTANT", help="such as 2027-01-31T12:00:00Z")
    listing = verbs.add_parser("list", parents=[json_too], help="all keys, without their texts")
    listing.add_argument("--mode", choices=_MODES, help="only those of this mode")
    for verb, does in (
        ("rotate", "give a key a new text; the old one works for 24 h more"),
        ("revoke", "end a key at once, with all its texts"),
    ):
        parsed = verbs.add_parser(verb, parents=[json_too], help=does)
        parsed.add_argument("key_id", metavar="KEY_ID", help="as `list` shows it")
    return parser


# ── Doing it ─────────────────────────────────────────────────────────────────────────────


def _do(asked: argparse.Namespace, environ: Mapping[str, str]) -> list[dict[str, Any]]:
    """The keys that the answer is about."""
    now_ms = time.time_ns() // 1_000_000
    wish = _wish(asked, now_ms) if asked.verb == "create" else None
    books = open_books(read_gateway_settings(environ).database_url)
    try:
        if wish is not None:
            key, text = apikeys.create(books, asked.mode, wish, now_ms)
            return [_shown(key, text)]
        if asked.verb == "list":
            modes = _MODES if asked.mode is None else (asked.mode,)
            return [_shown(key) for mode in modes for key in apikeys.list_keys(books, mode)]
        return [_change(books, asked.verb, asked.key_id, now_ms)]
    finally:
        books.dispose()


def _wish(asked: argparse.Namespace, now_ms: int) -> apikeys.KeyWish:
    expires_at = None if asked.expires_at is None else _instant(asked.expires_at)
    return apikeys.read_wish(asked.kind, asked.name, asked.scope, expires_at, now_ms)


def _instant(text: str) -> int:
    with suppress(ValueError):
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return int(moment.astimezone(UTC).timestamp() * 1000)
    raise BadField("--expires-at", "an instant such as 2027-01-31T12:00:00Z was expected")


def _change(books: Engine, verb: str, key_id: str, now_ms: int) -> dict[str, Any]:
    for mode in _MODES:
        if verb == "revoke" and apikeys.revoke(books, mode, key_id, now_ms):
            return next(
                _shown(key) for key in apikeys.list_keys(books, mode) if key.key_id == key_id
            )
        if verb == "rotate" and (changed := apikeys.rotate(books, mode, key_id, now_ms)):
            return _shown(*changed)
    raise _Refusal(f"no key that stands is called {key_id!r}; `list` shows all")


# ── Saying it ────────────────────────────────────────────────────────────────────────────


def _shown(key: ApiKey, text: str | None = None) -> dict[str, Any]:
    shown = {
        name: instant(value) if name.endswith(("_at", "_until", "_used")) else value
        for name, value in asdict(key).items()
        if name not in _HASHES
    }
    return shown if text is None else {**shown, "key": text}


def _say(keys: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(keys, indent=1, ensure_ascii=False) + "\n")
        return
    for key in keys:
        sys.stdout.write(_line(key) + "\n")
        if "key" in key:
            sys.stdout.write(f"  {key['key']}\n  It is shown this once.\n")


def _line(key: dict[str, Any]) -> str:
    ended = f"  revoked {key['revoked_at']}" if key["revoked_at"] else ""
    until = f"  until {key['expires_at']}" if key["expires_at"] else ""
    scopes = " ".join(key["scopes"]) or "-"
    start = f"{key['key_id']}  {key['mode']}  {key['kind']:<11}  {key['name']}"
    return f"{start}  [{scopes}]{until}{ended}"
