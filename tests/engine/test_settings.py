"""The environment of the log: what is taken, what is refused, and what is never shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.settings import (
    BadSetting,
    read_log_settings,
    refuse_to_start,
    unusable_data_dir,
    without_password,
)


def test_nothing_set_is_the_embedded_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without any variable: ./var, our own server on a socket in it, 16 shards."""
    monkeypatch.chdir(tmp_path)
    settings = read_log_settings({})
    assert settings.data_dir == tmp_path / "var"
    assert settings.embedded
    assert settings.socket == tmp_path / "var" / "redis.sock"
    assert settings.url == f"unix://{tmp_path}/var/redis.sock"
    assert settings.shards == 16


def test_set_to_nothing_is_not_set() -> None:
    """An empty variable, as compose files write it, means the default."""
    names = ("DATA_DIR", "REDIS_URL", "SHARDS", "LOG_FORMAT")
    assert read_log_settings(dict.fromkeys(names, "")) == read_log_settings({})


@pytest.mark.parametrize("at_a_terminal", [True, False])
def test_who_reads_the_log(monkeypatch: pytest.MonkeyPatch, at_a_terminal: bool) -> None:
    """A terminal gets lines for people, anything else gets JSON; saying so decides."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: at_a_terminal, raising=False)
    assert read_log_settings({}).log_format == ("console" if at_a_terminal else "json")
    assert read_log_settings({"LOG_FORMAT": "json"}).log_format == "json"
    assert read_log_settings({"LOG_FORMAT": "console"}).log_format == "console"


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379/0",
        "redis://cache",
        "redis://user:pass@cache:6379/3",
        "rediss://[::1]:6380",
        "unix:///run/redis.sock",
        "unix:///run/redis.sock?db=2",
    ],
)
def test_a_server_of_ones_own(url: str) -> None:
    """The addresses redis clients know are taken as they are."""
    settings = read_log_settings({"REDIS_URL": url})
    assert not settings.embedded
    assert settings.url == url


@pytest.mark.parametrize(
    ("name", "value", "valid"),
    [
        ("SHARDS", "0", "from 1 to 1024"),
        ("SHARDS", "1025", "from 1 to 1024"),
        ("SHARDS", "-1", "from 1 to 1024"),
        ("SHARDS", "1.5", "a whole number"),
        ("SHARDS", "1_6", "a whole number"),
        ("SHARDS", "١٦", "a whole number"),
        ("SHARDS", "9" * 5000, "a whole number"),
        ("LOG_FORMAT", "xml", "console or json"),
        ("LOG_FORMAT", "JSON", "console or json"),
        ("REDIS_URL", "localhost:6379", "redis://HOST:PORT"),
        ("REDIS_URL", "http://localhost", "redis://HOST:PORT"),
        ("REDIS_URL", "redis://", "redis://HOST:PORT"),
        ("REDIS_URL", "redis://:6379", "redis://HOST:PORT"),
        ("REDIS_URL", "redis://h:1/0?protocol=3", "redis://HOST:PORT"),
        ("REDIS_URL", "unix:///run/redis.sock?socket_timeout=1", "redis://HOST:PORT"),
        ("REDIS_URL", "redis://h:99999", "redis://HOST:PORT"),
        ("REDIS_URL", "redis://h:0", "redis://HOST:PORT"),
        ("REDIS_URL", "redis://h:port", "redis://HOST:PORT"),
        ("REDIS_URL", "redis://h/zero", "redis://HOST:PORT"),
        ("REDIS_URL", "unix://", "unix:///PATH"),
        ("REDIS_URL", "redis://[::1", "redis://HOST:PORT"),
        ("REDIS_URL", "redis+sentinel://h:1/m", "redis+sentinel:// is not supported yet"),
        ("REDIS_URL", "redis+cluster://h:1", "redis+cluster:// is not supported yet"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(name: str, value: str, valid: str) -> None:
    """The line names the variable, its value and what would be valid."""
    with pytest.raises(BadSetting) as refused:
        read_log_settings({name: value})
    line = str(refused.value)
    assert line.startswith(f"{name}='")
    assert valid in line
    assert "\n" not in line
    assert len(line) < 400


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://me:geheim@h:1/m",
        "redis+cluster://:geheim@h",
        "redis://:geheim@h:99999",
        "redis://:ge/geheim@h:6379",
        "redis://:geheim?@h/x",
        "redis://me:12/geheim@h",
        "redis://h/x?password=geheim",
        "redis://h/x?password=a@geheim",
        "http://:geheim@h",
        "me:geheim@h",
        "redis://[geheim@h",
        "redis://me:geheim",
    ],
)
def test_a_password_is_never_shown(url: str) -> None:
    """Not even where it is written so badly that the parts of the URL are in doubt."""
    with pytest.raises(BadSetting) as refused:
        read_log_settings({"REDIS_URL": url})
    assert "geheim" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_what_may_be_shown_of_a_url() -> None:
    """Host, port and path stay: they are what one looks for in the line."""
    assert without_password("redis://me:pw@h:6379/3?x=1") == "redis://***@h:6379/3?***"
    for plain in ("unix:///run/redis.sock", "redis://h:99999", "localhost:6379", "unix://"):
        assert without_password(plain) == plain


def test_a_socket_path_has_room_for_its_end(tmp_path: Path) -> None:
    """107 bytes fit into a socket address; from 108 the socket has a folder of its own."""

    def socket_of(length: int) -> Path:
        folder = "/" + "d" * (length - len("//redis.sock"))
        return read_log_settings({"DATA_DIR": folder}).socket

    assert len(os.fsencode(socket_of(107))) == 107
    assert socket_of(107).parent.name.startswith("d")
    assert socket_of(108).parent.name.startswith(f"fairwarning-{os.getuid()}-")
    assert len(os.fsencode(socket_of(108))) < 108
    assert socket_of(108) != socket_of(109)
    assert socket_of(109) == socket_of(109)


def test_bytes_count_and_not_letters() -> None:
    """An umlaut is two bytes of a socket address."""
    assert "fairwarning-" in str(read_log_settings({"DATA_DIR": "/" + "ü" * 50}).socket)


def test_refusing_to_start_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    """The complaint goes to standard error, and the code says that nothing was started."""
    complaint = unusable_data_dir(Path("/x"), PermissionError(13, "Permission denied"))
    assert refuse_to_start(complaint) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "DATA_DIR='/x'" in said
    assert "Permission denied" in said
