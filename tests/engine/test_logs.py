"""The log lines of a process: one format for all who speak, and no secret among them."""

from __future__ import annotations

import json

import pytest

from engine import logs
from tests.processes import Running, environment, python


def said(program: str, log_format: str = "json") -> list[str]:
    """What a process prints that configures its log and then runs ``program``."""
    start = (
        "import logging, structlog; from engine import logs\n"
        f"logs.configure({log_format!r}, 'engine'); log = structlog.stdlib.get_logger()\n"
    )
    with Running(python("-c", start + program), environment()) as running:
        assert running.ended() == 0, running.lines
        return running.lines


def test_a_machine_reads_json() -> None:
    """Each line is an object with event, level, process, time in UTC and what was said."""
    (line,) = said("log.info('ready', shards=16, of='Ümläut')")
    read = json.loads(line)
    assert read["event"] == "ready"
    assert (read["level"], read["process"], read["shards"]) == ("info", "engine", 16)
    assert read["timestamp"].endswith("Z")
    assert "Ümläut" in line


def test_libraries_speak_the_same_way() -> None:
    """uvicorn and others, which use the standard logging, come once and in our format."""
    lines = said("logging.getLogger('uvicorn.error').warning('slow %s', 'client')")
    assert [json.loads(line)["event"] for line in lines] == ["slow client"]
    assert json.loads(lines[0])["process"] == "engine"


def test_no_line_for_every_request() -> None:
    """uvicorn's access log and everybody's debugging stay out."""
    assert said("logging.getLogger('uvicorn.access').info('GET /'); log.debug('x')") == []


def test_a_person_reads_words() -> None:
    """Console lines are no JSON, and without a terminal they have no colours."""
    (line,) = said("log.warning('slow', client=7)", "console")
    assert "slow" in line
    assert "client=7" in line
    assert "\x1b" not in line


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_secret_is_said(log_format: str) -> None:
    """Neither in the message nor in a field nor in a traceback."""
    lines = said(
        "log.info('redis://me:geheim@h:6379', link='http://h/sign-in/geheim')\n"
        "log.info('token eyJhbGciOiJFZERTQSJ9.geheim.geheim', key='sk_test_geheim', k='optr_live_geheim')\n"
        "try: raise ValueError('redis://:geheim@h')\n"
        "except ValueError: log.exception('failed')",
        log_format,
    )
    assert "ValueError" in "\n".join(lines)
    assert "geheim" not in "\n".join(lines)
    if log_format == "json":
        assert len([json.loads(line) for line in lines]) == 3


def test_what_is_masked_and_what_is_not() -> None:
    """Ids and publishable keys are for everyone, and stay readable."""
    line = "cons_abc auction_x_y pk_test_abc /lot/auction_x http://h:80/x@y"
    assert logs.mask(line) == line
    assert logs.mask("sk_test_abc.") == "sk_test_***"
