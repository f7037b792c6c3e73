"""The environment, read once and checked, as far as the log is concerned.

Promises: whoever holds a ``LogSettings`` knows where the log is and in what words to speak
of it; a variable that makes no sense stops the start with one line that names the variable,
its value and what would be valid; a password never appears in such a line.  A variable set
to nothing counts as not set.

Leaves to others: whether the server answers (``engine.keeper``, ``engine.streams``), and
whether ``SHARDS`` is what the log was begun with: that number is recorded in the log.
The readers at the end serve ``gateway.settings`` too, so that both refuse in one voice.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NoReturn
from urllib.parse import SplitResult, urlsplit

LogFormat = Literal["console", "json"]

# sun_path of Linux has 108 bytes, and the last one is the NUL that ends the path.
_SOCKET_PATH_BYTES: Final = 108
_MOST_SHARDS: Final = 1024  # a stream, a lease and a reader each: beyond this only idle work grows
_SHOWN_CHARS: Final = 120  # of a refused value: enough to recognise it, and still one line


class BadSetting(Exception):
    """A variable of the environment cannot be used; the text is one line for the operator."""

    def __init__(self, name: str, value: str, valid: str) -> None:
        shown = value if len(value) <= _SHOWN_CHARS else value[:_SHOWN_CHARS] + "…"
        super().__init__(f"{name}={shown!r}: {valid}")


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Where the log is, and how processes speak about it."""

    data_dir: Path  # absolute; everything that must survive
    redis_url: str  # empty: the embedded server
    shards: int
    log_format: LogFormat

    @property
    def embedded(self) -> bool:
        """Whether the log is kept by our own server on a Unix socket."""
        return not self.redis_url

    @property
    def socket(self) -> Path:
        """The embedded server's socket; ``engine.keeper`` makes its folder, and keeps it private."""
        return self.socket_named("redis.sock")

    def socket_named(self, file: str) -> Path:
        """A socket of this house: the same path in every process of one DATA_DIR.

        Where DATA_DIR lies too deep for a socket address it is in a folder of its own under
        the temporary directory; whoever listens there makes that folder, for this user alone.
        """
        beside_the_data = self.data_dir / file
        if len(os.fsencode(beside_the_data)) < _SOCKET_PATH_BYTES:
            return beside_the_data
        name = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"fairwarning-{os.getuid()}-{name}" / file

    @property
    def url(self) -> str:
        """What a Redis client connects to.  It may hold a password: never log it."""
        return self.redis_url or f"unix://{self.socket}"


def read_log_settings(environ: Mapping[str, str]) -> LogSettings:
    """Read and check DATA_DIR, REDIS_URL, SHARDS and LOG_FORMAT; raises ``BadSetting``."""
    return LogSettings(
        data_dir=Path(text(environ, "DATA_DIR", "./var")).absolute(),
        redis_url=_redis_url(environ),
        shards=integer(environ, "SHARDS", 16, least=1, most=_MOST_SHARDS),
        log_format=_log_format(environ),
    )


def _log_format(environ: Mapping[str, str]) -> LogFormat:
    usual = "console" if sys.stdout.isatty() else "json"
    chosen = choice(environ, "LOG_FORMAT", usual, ("console", "json"))
    return "console" if chosen == "console" else "json"


def _redis_url(environ: Mapping[str, str]) -> str:
    url = text(environ, "REDIS_URL", "")
    if not url:
        return ""
    scheme = url.partition("://")[0].lower()
    if scheme in ("redis+sentinel", "redis+cluster"):
        reason = f"{scheme}:// is not supported yet; use redis://, rediss:// or unix://"
        raise BadSetting("REDIS_URL", without_password(url), reason)
    if scheme not in ("redis", "rediss", "unix"):
        raise BadSetting("REDIS_URL", without_password(url), _VALID_REDIS_URL)
    parts = split_url("REDIS_URL", url, _VALID_REDIS_URL)
    reachable = parts.path.startswith("/") if scheme == "unix" else bool(parts.hostname)
    named = parts.query.removeprefix("db=") if scheme == "unix" else parts.path.strip("/")
    surplus = parts.query if scheme != "unix" else ""  # it would override how we speak to it
    if surplus or not reachable or not (named == "" or (named.isascii() and named.isdigit())):
        raise BadSetting("REDIS_URL", without_password(url), _VALID_REDIS_URL)
    return url


_VALID_REDIS_URL: Final = (
    "empty for the embedded server, or redis://HOST:PORT/0, rediss://HOST:PORT/0, unix:///PATH"
)


# What both settings modules read with.


def text(environ: Mapping[str, str], name: str, default: str) -> str:
    """The variable without blanks around it, or ``default`` where it is not set or empty."""
    return environ.get(name, "").strip() or default


def integer(environ: Mapping[str, str], name: str, default: int, *, least: int, most: int) -> int:
    """A whole number from ``least`` to ``most``, both included."""
    written = text(environ, name, str(default))
    # int() alone would take "1_000", "+5" and digits of other scripts, which nobody means here.
    number = int(written) if written.isascii() and written.isdigit() and len(written) < 16 else None
    if number is None or not least <= number <= most:
        raise BadSetting(name, written, f"a whole number from {least} to {most}")
    return number


def choice(environ: Mapping[str, str], name: str, default: str, choices: tuple[str, ...]) -> str:
    """One of ``choices``, written exactly so."""
    written = text(environ, name, default)
    if written not in choices:
        raise BadSetting(name, written, " or ".join(choices))
    return written


def split_url(name: str, url: str, valid: str) -> SplitResult:
    """The parts of a URL whose port, where it has one, is a port; else ``BadSetting``."""
    try:
        parts = urlsplit(url)
        if parts.port == 0:
            _refuse_url(name, url, valid)
    except ValueError:
        _refuse_url(name, url, valid)
    return parts


def _refuse_url(name: str, url: str, valid: str) -> NoReturn:
    # "from None": the cause quotes the URL, and with it the password.
    raise BadSetting(name, without_password(url), valid) from None


# An account, a query, or words where the port should be ("redis://me:secret", cut short).
_MAY_HIDE_A_PASSWORD: Final = re.compile(r"[@?#]|://[^/]*:[^/]*[^/0-9]")


def without_password(url: str) -> str:
    """The URL fit to be shown: names and passwords and the query are replaced by stars.

    A password written without escapes (``/``, ``?``, ``#`` or ``@`` in it) moves the borders
    of the parts; wherever that may have happened only the scheme is shown.
    """
    if not _MAY_HIDE_A_PASSWORD.search(url):
        return url
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return _scheme_of(url) + "://***"
    behind = parts.path + parts.query + parts.fragment
    if "@" in behind or not (parts.hostname or parts.path) or "://" not in url:
        return _scheme_of(url) + "://***"
    host = (parts.hostname or "") + (f":{port}" if port is not None else "")
    account = "***@" if "@" in parts.netloc else ""
    query = "?***" if parts.query or parts.fragment else ""
    return f"{parts.scheme}://{account}{host}{parts.path}{query}"


def _scheme_of(url: str) -> str:
    scheme, found, _ = url.partition("://")
    return scheme if found else ""


def unusable_data_dir(data_dir: Path, failure: OSError) -> BadSetting:
    """What to tell the operator when something in DATA_DIR could not be made or written."""
    reason = failure.strerror or str(failure)
    return BadSetting("DATA_DIR", str(data_dir), f"a folder this user can write ({reason})")


def refuse_to_start(complaint: Exception) -> int:
    """Say on one line of standard error why this process does not start; its exit code, 2."""
    sys.stderr.write(f"fairwarning: {complaint}\n")
    return 2
