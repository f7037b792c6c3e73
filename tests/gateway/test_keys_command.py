"""``python -m gateway keys``: what it prints, what it keeps to itself, and how it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from gateway.books import apikeys
from gateway.books.apikeys import KeyRing
from gateway.books.store import open_books
from gateway.keys_command import main

LONG_AGO = 1_000
SECRET = ("create", "--kind", "secret", "--mode", "live", "--name", "the shop")


class Terminal:
    """A terminal in the house's folder."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.environ = {"DATA_DIR": str(folder)}
        self.url = f"sqlite:///{folder / 'fairwarning.db'}"
        self._capsys = capsys

    def type(self, *words: str, exit_code: int = 0) -> str:
        """What is printed; to stderr where it goes wrong, and nothing to the other."""
        assert main(words, self.environ) == exit_code
        said = self._capsys.readouterr()
        out, silent = (said.err, said.out) if exit_code else (said.out, said.err)
        assert silent == ""
        return out

    def json(self, *words: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.type(*words, "--json"))
        return found


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(tmp_path, capsys)


@pytest.fixture
def books(terminal: Terminal) -> Iterator[Engine]:
    engine = open_books(terminal.url)
    yield engine
    engine.dispose()


def test_a_key_that_was_made_works(terminal: Terminal, books: Engine) -> None:
    """Its text, printed this once, is found by every gateway."""
    said = terminal.type(*SECRET)
    [text] = [word for word in said.split() if word.startswith("sk_live_")]
    key = KeyRing(apikeys.known_keys(books, LONG_AGO)).find(text, LONG_AGO)
    assert key is not None
    assert (key.name, key.mode, key.kind, key.scopes) == (
        "the shop",
        "live",
        "secret",
        apikeys.SCOPES,
    )
    assert "shown this once" in said
    assert text not in terminal.type("list")


def test_json_is_for_programs(terminal: Terminal) -> None:
    """The same, with names and instants as the API writes them."""
    scopes = ("--scope", "console", "--scope", "auctions:read")
    [made] = terminal.json(
        "create", "--kind", "operator", "--mode", "test", "--name", "the rostrum", *scopes,
        "--expires-at", "2999-01-31T13:00:00+01:00",
    )  # fmt: skip
    assert made["key"].startswith("optr_test_")
    assert made["scopes"] == ["auctions:read", "console"]
    assert made["expires_at"] == "2999-01-31T12:00:00.000Z"
    del made["key"]
    assert terminal.json("list") == [made]
    assert not {"hash", "previous_hash"} & set(made)


def test_a_list_may_be_of_one_mode(terminal: Terminal) -> None:
    """Or of both."""
    terminal.type(*SECRET)
    terminal.type("create", "--kind", "publishable", "--mode", "test", "--name", "the page")
    assert [key["name"] for key in terminal.json("list")] == ["the shop", "the page"]
    assert [key["name"] for key in terminal.json("list", "--mode", "test")] == ["the page"]
    assert len(terminal.type("list").splitlines()) == 2


def test_rotating_and_revoking(terminal: Terminal, books: Engine) -> None:
    """The old text works beside the new one, until the key is ended with both."""
    [made] = terminal.json(*SECRET)
    [rotated] = terminal.json("rotate", made["key_id"])
    assert rotated["key"] != made["key"]
    assert rotated["previous_until"] is not None
    known = KeyRing(apikeys.known_keys(books, LONG_AGO))
    assert known.find(made["key"], LONG_AGO) == known.find(rotated["key"], LONG_AGO) is not None
    said = terminal.type("revoke", made["key_id"])
    assert "revoked 2" in said
    assert apikeys.known_keys(books, LONG_AGO) == []
    for verb in ("revoke", "rotate"):
        assert made["key_id"] in terminal.type(verb, made["key_id"], exit_code=1)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "VERB"),
        (("frobnicate",), "frobnicate"),
        (("create", "--kind", "secret", "--name", "x"), "--mode"),
        (("create", "--kind", "skeleton", "--mode", "live", "--name", "x"), "skeleton"),
        ((*SECRET, "--scope", "everything"), "everything"),
        ((*SECRET[:-1], " "), "name"),
        ((*SECRET, "--expires-at", "tomorrow"), "--expires-at"),
        ((*SECRET, "--expires-at", "2999-01-31T12:00:00"), "--expires-at"),
        ((*SECRET, "--expires-at", "2001-01-31T12:00:00Z"), "still to come"),
        (("create", "--kind", "operator", "--mode", "live", "--name", "x"), "scopes"),
        (("rotate",), "KEY_ID"),
    ],
)
def test_what_was_asked_wrongly_is_told_in_one_line(
    terminal: Terminal, words: tuple[str, ...], told: str
) -> None:
    """And nothing was made; not even a database."""
    said = terminal.type(*words, exit_code=2)
    assert told in said
    assert said.count("\n") == 1
    assert not Path(terminal.url.removeprefix("sqlite:///")).exists()


def test_what_cannot_be_done_is_told_in_one_line(terminal: Terminal) -> None:
    """A key that is not there, a database that is none."""
    assert "'key_x'" in terminal.type("revoke", "key_x", exit_code=1)
    terminal.environ["DATABASE_URL"] = "sqlite:////no/such/folder/books.db"
    said = terminal.type("list", exit_code=2)
    assert said.startswith("DATABASE_URL=")
    assert said.count("\n") == 1


@pytest.mark.parametrize("verb", [(), ("create",), ("list",), ("rotate",), ("revoke",)])
def test_help_is_there_for_who_asks(
    terminal: Terminal, verb: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Usage, on the ordinary output, and no mistake."""
    assert main([*verb, "--help"], terminal.environ) == 0
    said = capsys.readouterr().out
    assert said.startswith("usage: python -m gateway keys")
