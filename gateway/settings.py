"""The environment, read once and checked, for everything the public can reach.

Promises: every variable of the gateway is read here and nowhere else, and one that makes no
sense stops the start with one line that names it, its value and what would be valid
(``engine.settings.BadSetting``).  Leaves to others: whether the port is free and the
database answers.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.settings import (
    BadSetting,
    LogSettings,
    choice,
    integer,
    read_log_settings,
    split_url,
    text,
    without_password,
)

_MOST_A_SECOND: Final = 1_000_000  # beyond what one machine can do: the same as no limit
_MOST_PROCESSES: Final = 64
_OTP_WINDOW_S: Final = 600  # what the two numbers of OTP_RATE are counted over
_LONGEST_MERGE_MS: Final = 10_000  # a price ten seconds old is no price any more

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket: refilled by ``per_second``, holding at most ``burst``."""

    per_second: float  # below 1 where a rate is for minutes
    burst: int


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """All that a gateway, the clerk and the launcher are told from outside."""

    log: LogSettings
    host: str
    port: int
    public_url: str  # scheme, host and port, no slash behind; the ``iss`` of our tokens
    database_url: str  # an SQLAlchemy URL; may hold a password
    demo: bool
    bid_rate: Rate | None  # an account; None: off
    http_rate: Rate | None  # an address; None: off
    key_rate: Rate | None  # a secret or operator key; None: off
    otp_per_mail: Rate | None  # codes sent to one mail address; None: off
    otp_per_address: Rate | None  # codes asked for by one network address; None: off
    verify_rate: Rate | None  # an address that verifies objects; None: off
    message_rate: Rate | None  # a connection; None: off
    connections_per_account: int  # 0: off
    connections_per_address: int  # 0: off
    allowed_origins: tuple[str, ...]  # our own first, written as a browser writes them
    price_merge_ms: int  # 0: never merge
    smtp_url: str  # empty: each mail is a file; may hold a password
    trusted_proxies: tuple[Network, ...]  # whose X-Forwarded-For is believed
    webhook_allow_private: bool  # may a webhook go to an address that is not public?
    gs1_prefix: str  # digits that our serials' Digital Links begin with
    master_key_file: Path
    gateways: int
    engines: int

    @property
    def verifier_socket(self) -> Path:
        """Where the verifier listens, for the gateways and the clerk alone."""
        return self.log.socket_named("verifier.sock")

    @property
    def verifier_database_url(self) -> str:
        """The verifier's own database: a file beside the house's, or its tables in the same one.

        Like ``database_url`` it may hold a password.
        """
        path, found, query = self.database_url.partition("?")
        if not path.startswith("sqlite:"):
            return self.database_url
        folder, slash, file = path.rpartition("/")
        stem = file.removesuffix(".db")
        own = "verifier.db" if file == _DATABASE_FILE else f"{stem}-verifier.db"
        return f"{folder}{slash}{own}{found}{query}"


def read_gateway_settings(environ: Mapping[str, str]) -> GatewaySettings:
    """Read and check every variable of the gateway; raises ``BadSetting``."""
    log = read_log_settings(environ)
    port = integer(environ, "PORT", 8000, least=1, most=65535)
    public_url = _origin("PUBLIC_URL", text(environ, "PUBLIC_URL", f"http://127.0.0.1:{port}"))
    key_file = text(environ, "MASTER_KEY_FILE", str(log.data_dir / "master.key"))
    per_mail, per_address = _otp_rates(environ)
    return GatewaySettings(
        log=log,
        host=_host(environ),
        port=port,
        public_url=public_url,
        database_url=_database_url(environ, log.data_dir),
        demo=choice(environ, "DEMO", "1", ("0", "1")) == "1",
        bid_rate=_rate(environ, "BID_RATE", "5/10"),
        http_rate=_rate(environ, "HTTP_RATE", "50/100"),
        key_rate=_rate(environ, "KEY_RATE", "200/400"),
        otp_per_mail=per_mail,
        otp_per_address=per_address,
        verify_rate=_rate(environ, "VERIFY_RATE", "50/100"),
        message_rate=_rate(environ, "MESSAGE_RATE", "10/20"),
        connections_per_account=_limit(environ, "CONNECTIONS_PER_ACCOUNT", 5),
        connections_per_address=_limit(environ, "CONNECTIONS_PER_ADDRESS", 50),
        allowed_origins=_allowed_origins(environ, public_url),
        price_merge_ms=integer(environ, "PRICE_MERGE_MS", 50, least=0, most=_LONGEST_MERGE_MS),
        smtp_url=_smtp_url(environ),
        trusted_proxies=_trusted_proxies(environ),
        webhook_allow_private=choice(environ, "WEBHOOK_ALLOW_PRIVATE", "0", ("0", "1")) == "1",
        gs1_prefix=_gs1_prefix(environ),
        master_key_file=Path(key_file).absolute(),
        gateways=integer(environ, "GATEWAYS", 1, least=1, most=_MOST_PROCESSES),
        engines=integer(environ, "ENGINES", 1, least=1, most=_MOST_PROCESSES),
    )


def _limit(environ: Mapping[str, str], name: str, default: int) -> int:
    return integer(environ, name, default, least=0, most=_MOST_A_SECOND)


def _rate(environ: Mapping[str, str], name: str, default: str) -> Rate | None:
    pair = _pair(environ, name, default, "RATE/BURST a second")
    return None if pair is None else Rate(per_second=pair[0], burst=pair[1])


def _otp_rates(environ: Mapping[str, str]) -> tuple[Rate | None, Rate | None]:
    """Of a mail address, and of a network address: so many at once, so many in ten minutes."""
    pair = _pair(environ, "OTP_RATE", "3/10", "MAIL/ADDRESS in ten minutes")
    if pair is None:
        return None, None
    per_mail, per_address = (Rate(count / _OTP_WINDOW_S, count) for count in pair)
    return per_mail, per_address


def _pair(
    environ: Mapping[str, str], name: str, default: str, meaning: str
) -> tuple[int, int] | None:
    """Two numbers with a slash between; None for ``0``, which switches the limit off."""
    written = text(environ, name, default)
    if written == "0":
        return None
    match = re.fullmatch(r"([0-9]{1,7})/([0-9]{1,7})", written)
    numbers = [int(number) for number in match.groups()] if match else []
    if not numbers or not all(1 <= number <= _MOST_A_SECOND for number in numbers):
        valid = f"{meaning}, each from 1 to {_MOST_A_SECOND}, or 0 for no limit"
        raise BadSetting(name, written, valid)
    return numbers[0], numbers[1]


_HOST_NAME: Final = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*\.?")


def _host(environ: Mapping[str, str]) -> str:
    written = text(environ, "HOST", "127.0.0.1")
    try:
        return str(ipaddress.ip_address(written))
    except ValueError:
        # Four numbers that are no address are a slip of the pen, not somebody's host name.
        if _HOST_NAME.fullmatch(written) and not re.fullmatch(r"[0-9.]+", written):
            return written
    raise BadSetting("HOST", written, "an address such as 127.0.0.1, 0.0.0.0 or ::, or a host name")


_VALID_ORIGIN: Final = "http://HOST[:PORT] or https://HOST[:PORT], with nothing behind"
_USUAL_PORT: Final = {"http": 80, "https": 443}


def _origin(name: str, url: str) -> str:
    """The URL as RFC 6454 writes an origin: lower case, no usual port, no slash behind."""
    parts = split_url(name, url, _VALID_ORIGIN)
    more = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in _USUAL_PORT or not parts.hostname or more or re.search(r"\s", url):
        raise BadSetting(name, without_password(url), _VALID_ORIGIN)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = parts.port in (None, _USUAL_PORT[parts.scheme])
    return f"{parts.scheme}://{host}" + ("" if usual else f":{parts.port}")


def _allowed_origins(environ: Mapping[str, str], own: str) -> tuple[str, ...]:
    listed = [item.strip() for item in environ.get("ALLOWED_ORIGINS", "").split(",")]
    others = [_origin("ALLOWED_ORIGINS", item) for item in listed if item]
    # Our own pages always work; dict keeps the order and drops what is listed twice.
    return tuple(dict.fromkeys([own, *others]))


_DATABASE_FILE: Final = "fairwarning.db"
_VALID_DATABASE: Final = "sqlite:///PATH, or postgresql://USER:PASSWORD@HOST/NAME"


def _database_url(environ: Mapping[str, str], data_dir: Path) -> str:
    url = text(environ, "DATABASE_URL", "")
    if not url:
        return f"sqlite:///{data_dir / _DATABASE_FILE}"
    scheme, found, rest = url.partition("://")
    file = rest.removeprefix("/")
    # A database in memory would be another one in each process.
    if scheme == "sqlite" and rest.startswith("/") and file and not file.startswith(":"):
        return url
    if found and scheme in ("postgresql", "postgresql+psycopg", "postgres"):
        parts = split_url("DATABASE_URL", url, _VALID_DATABASE)
        if parts.hostname or parts.path.strip("/"):
            return f"postgresql+psycopg://{rest}"  # the one driver that is installed
    raise BadSetting("DATABASE_URL", without_password(url), _VALID_DATABASE)


_VALID_SMTP: Final = "empty for files, or smtp://[USER:PASSWORD@]HOST[:PORT] or smtps://…"


def _smtp_url(environ: Mapping[str, str]) -> str:
    url = text(environ, "SMTP_URL", "")
    if not url:
        return ""
    parts = split_url("SMTP_URL", url, _VALID_SMTP)
    more = parts.path.strip("/") or parts.query or parts.fragment or re.search(r"\s", url)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or more:
        raise BadSetting("SMTP_URL", without_password(url), _VALID_SMTP)
    return url


def _trusted_proxies(environ: Mapping[str, str]) -> tuple[Network, ...]:
    written = environ.get("TRUSTED_PROXIES", "")
    try:
        return tuple(
            ipaddress.ip_network(item.strip()) for item in written.split(",") if item.strip()
        )
    except ValueError as error:
        valid = "addresses and networks such as 10.0.0.7 or 10.0.0.0/8, with commas between"
        raise BadSetting("TRUSTED_PROXIES", written, valid) from error


def _gs1_prefix(environ: Mapping[str, str]) -> str:
    written = text(environ, "GS1_PREFIX", "952")
    # A GTIN-13 has twelve digits before its check digit, and our own number needs one of them.
    if not re.fullmatch(r"[0-9]{3,11}", written):
        raise BadSetting("GS1_PREFIX", written, "the 3 to 11 digits of a GS1 prefix")
    return written
