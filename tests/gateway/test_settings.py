"""The environment of the gateway: defaults as documented, and refusals in one line."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from engine.settings import BadSetting
from gateway.settings import Rate, read_gateway_settings


def test_nothing_set_is_the_documented_house(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every default, as the manual prints it."""
    monkeypatch.chdir(tmp_path)
    settings = read_gateway_settings({})
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.database_url == f"sqlite:///{tmp_path}/var/fairwarning.db"
    assert settings.demo
    assert settings.bid_rate == Rate(per_second=5, burst=10)
    assert settings.message_rate == Rate(per_second=10, burst=20)
    assert settings.http_rate == Rate(per_second=50, burst=100)
    assert settings.key_rate == Rate(per_second=200, burst=400)
    assert settings.verify_rate == Rate(per_second=50, burst=100)
    assert settings.otp_per_mail == Rate(per_second=3 / 600, burst=3)
    assert settings.otp_per_address == Rate(per_second=10 / 600, burst=10)
    assert (settings.connections_per_account, settings.connections_per_address) == (5, 50)
    assert (settings.smtp_url, settings.trusted_proxies) == ("", ())
    assert (settings.webhook_allow_private, settings.gs1_prefix) == (False, "952")
    assert settings.allowed_origins == ("http://127.0.0.1:8000",)
    assert settings.price_merge_ms == 50
    assert settings.master_key_file == tmp_path / "var" / "master.key"
    assert (settings.gateways, settings.engines) == (1, 1)
    assert settings.log.data_dir == tmp_path / "var"


def test_zero_switches_a_limit_off() -> None:
    """For load tests: no rate, no count of connections, no merging."""
    off = {"BID_RATE": "0", "MESSAGE_RATE": "0", "PRICE_MERGE_MS": "0"}
    off |= {"HTTP_RATE": "0", "KEY_RATE": "0", "OTP_RATE": "0", "VERIFY_RATE": "0"}
    off |= {"CONNECTIONS_PER_ACCOUNT": "0", "CONNECTIONS_PER_ADDRESS": "0", "DEMO": "0"}
    settings = read_gateway_settings(off)
    assert settings.bid_rate is None
    assert settings.message_rate is None
    assert settings.http_rate is settings.key_rate is settings.verify_rate is None
    assert settings.otp_per_mail is settings.otp_per_address is None
    assert settings.connections_per_account == settings.connections_per_address == 0
    assert settings.price_merge_ms == 0
    assert not settings.demo


def test_the_public_url_follows_the_port() -> None:
    """Where only PORT is set, links lead to that port."""
    settings = read_gateway_settings({"PORT": "8123"})
    assert settings.public_url == "http://127.0.0.1:8123"
    assert settings.allowed_origins == ("http://127.0.0.1:8123",)


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        ("https://Sale.Example.TEST/", "https://sale.example.test"),
        ("https://sale.example.test:443", "https://sale.example.test"),
        ("http://sale.example.test:80/", "http://sale.example.test"),
        ("https://sale.example.test:8443", "https://sale.example.test:8443"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(written: str, origin: str) -> None:
    """It is compared letter by letter with what a browser sends."""
    assert read_gateway_settings({"PUBLIC_URL": written}).public_url == origin


def test_our_own_pages_are_always_allowed() -> None:
    """Others are added to our own origin; blanks, empties and repetitions do no harm."""
    listed = "https://a.test, https://b.test:443,,https://a.test, https://me.test "
    settings = read_gateway_settings({"PUBLIC_URL": "https://me.test", "ALLOWED_ORIGINS": listed})
    assert settings.allowed_origins == ("https://me.test", "https://a.test", "https://b.test")


def test_a_house_behind_proxies_that_sends_mail() -> None:
    """What only some houses set is read as it is written; blanks and empties do no harm."""
    settings = read_gateway_settings(
        {
            "TRUSTED_PROXIES": "10.0.0.7, fd00::/8,, 192.168.0.0/16 ",
            "SMTP_URL": "smtps://house:secret@mail.example.test:465",
            "WEBHOOK_ALLOW_PRIVATE": "1",
            "GS1_PREFIX": "9521234",
            "OTP_RATE": "6/60",
        }
    )
    written = ("10.0.0.7/32", "fd00::/8", "192.168.0.0/16")
    assert settings.trusted_proxies == tuple(map(ip_network, written))
    assert settings.smtp_url == "smtps://house:secret@mail.example.test:465"
    assert settings.webhook_allow_private
    assert settings.gs1_prefix == "9521234"
    assert settings.otp_per_mail == Rate(per_second=0.01, burst=6)
    assert settings.otp_per_address == Rate(per_second=0.1, burst=60)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "::1", "localhost", "sale-1.example.test"])
def test_hosts(host: str) -> None:
    """Addresses of both kinds and names."""
    assert read_gateway_settings({"HOST": host}).host == host


@pytest.mark.parametrize(
    ("written", "used"),
    [
        ("sqlite:////srv/f.db", "sqlite:////srv/f.db"),
        ("postgresql://u:p@db/f", "postgresql+psycopg://u:p@db/f"),
        ("postgres://u:p@db:5433/f?sslmode=require",) * 2,
        ("postgresql+psycopg://db/f", "postgresql+psycopg://db/f"),
        ("postgresql:///f", "postgresql+psycopg:///f"),
    ],
)
def test_databases(written: str, used: str) -> None:
    """SQLite in a file, or PostgreSQL by the one driver that is installed."""
    used = used.replace("postgres:", "postgresql+psycopg:")
    assert read_gateway_settings({"DATABASE_URL": written}).database_url == used


@pytest.mark.parametrize(
    ("written", "own"),
    [
        ("", "sqlite:////data/verifier.db"),
        ("sqlite:////srv/fairwarning.db", "sqlite:////srv/verifier.db"),
        ("sqlite:////srv/fairwarning.db?timeout=5", "sqlite:////srv/verifier.db?timeout=5"),
        ("sqlite:////srv/house.db", "sqlite:////srv/house-verifier.db"),
        ("sqlite:///house.sqlite", "sqlite:///house.sqlite-verifier.db"),
        ("postgresql://u:p@h/house", "postgresql+psycopg://u:p@h/house"),
    ],
)
def test_the_verifiers_database(written: str, own: str) -> None:
    """A file of its own in the folder of the house's, never the same; on PostgreSQL no other."""
    settings = read_gateway_settings({"DATA_DIR": "/data", "DATABASE_URL": written})
    assert settings.verifier_database_url == own


def test_the_verifiers_socket(tmp_path: Path) -> None:
    """In DATA_DIR, or beside the embedded server's where that lies too deep for a socket."""
    settings = read_gateway_settings({"DATA_DIR": str(tmp_path)})
    assert settings.verifier_socket == tmp_path / "verifier.sock"
    deep = read_gateway_settings({"DATA_DIR": "/" + "d" * 100})
    assert deep.verifier_socket == deep.log.socket.with_name("verifier.sock")
    assert deep.verifier_socket.parent != deep.log.data_dir


@pytest.mark.parametrize(
    ("name", "value", "valid"),
    [
        ("PORT", "0", "from 1 to 65535"),
        ("PORT", "65536", "from 1 to 65535"),
        ("PORT", "http", "from 1 to 65535"),
        ("HOST", "127.0.0.1:80", "an address such as"),
        ("HOST", "256.0.0.1", "an address such as"),
        ("HOST", "a b", "an address such as"),
        ("HOST", "-x", "an address such as"),
        ("DEMO", "yes", "0 or 1"),
        ("DEMO", "2", "0 or 1"),
        ("LOG_FORMAT", "text", "console or json"),
        ("BID_RATE", "5", "RATE/BURST"),
        ("BID_RATE", "5/0", "RATE/BURST"),
        ("BID_RATE", "0/5", "RATE/BURST"),
        ("BID_RATE", "-5/10", "RATE/BURST"),
        ("BID_RATE", "5/10/15", "RATE/BURST"),
        ("BID_RATE", "5.5/10", "RATE/BURST"),
        ("MESSAGE_RATE", "fast", "RATE/BURST"),
        ("MESSAGE_RATE", "10/1000001", "RATE/BURST"),
        ("HTTP_RATE", "50", "RATE/BURST"),
        ("KEY_RATE", "200/", "RATE/BURST"),
        ("VERIFY_RATE", "off", "RATE/BURST"),
        ("OTP_RATE", "3", "MAIL/ADDRESS in ten minutes"),
        ("OTP_RATE", "0/10", "MAIL/ADDRESS in ten minutes"),
        ("SMTP_URL", "mail.example.test", "smtp://"),
        ("SMTP_URL", "http://mail.example.test", "smtp://"),
        ("SMTP_URL", "smtp://", "smtp://"),
        ("SMTP_URL", "smtp://me:pw@h:port", "smtp://"),
        ("SMTP_URL", "smtp://h/inbox", "smtp://"),
        ("TRUSTED_PROXIES", "proxy.example.test", "addresses and networks"),
        ("TRUSTED_PROXIES", "10.0.0.1/8", "addresses and networks"),
        ("TRUSTED_PROXIES", "10.0.0.1 10.0.0.2", "addresses and networks"),
        ("WEBHOOK_ALLOW_PRIVATE", "yes", "0 or 1"),
        ("GS1_PREFIX", "95", "3 to 11 digits"),
        ("GS1_PREFIX", "952x", "3 to 11 digits"),
        ("CONNECTIONS_PER_ACCOUNT", "-1", "from 0 to 1000000"),
        ("CONNECTIONS_PER_ADDRESS", "many", "from 0 to 1000000"),
        ("PUBLIC_URL", "sale.example.test", "http://HOST[:PORT]"),
        ("PUBLIC_URL", "ftp://sale.example.test", "http://HOST[:PORT]"),
        ("PUBLIC_URL", "http://sale.example.test/house", "with nothing behind"),
        ("PUBLIC_URL", "http://sale.example.test?x=1", "with nothing behind"),
        ("PUBLIC_URL", "http://", "http://HOST[:PORT]"),
        ("PUBLIC_URL", "http://h:0", "http://HOST[:PORT]"),
        ("PUBLIC_URL", "http://h:port", "http://HOST[:PORT]"),
        ("PUBLIC_URL", "http://me:pw@h", "http://HOST[:PORT]"),
        ("ALLOWED_ORIGINS", "*", "http://HOST[:PORT]"),
        ("ALLOWED_ORIGINS", "https://a.test, b.test", "http://HOST[:PORT]"),
        ("PRICE_MERGE_MS", "-1", "from 0 to 10000"),
        ("PRICE_MERGE_MS", "10001", "from 0 to 10000"),
        ("GATEWAYS", "0", "from 1 to 64"),
        ("ENGINES", "65", "from 1 to 64"),
        ("SHARDS", "0", "from 1 to 1024"),
        ("REDIS_URL", "redis+cluster://h:1", "not supported yet"),
        ("DATABASE_URL", "mysql://h/f", "sqlite:///PATH"),
        ("DATABASE_URL", "sqlite://", "sqlite:///PATH"),
        ("DATABASE_URL", "sqlite:///", "sqlite:///PATH"),
        ("DATABASE_URL", "sqlite:///:memory:", "sqlite:///PATH"),
        ("DATABASE_URL", "postgresql://", "sqlite:///PATH"),
        ("DATABASE_URL", "postgresql://h:x/f", "sqlite:///PATH"),
        ("DATABASE_URL", "postgresql+asyncpg://h/f", "sqlite:///PATH"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(name: str, value: str, valid: str) -> None:
    """The line names the variable, what it was set to, and what would be valid."""
    with pytest.raises(BadSetting) as refused:
        read_gateway_settings({name: value})
    line = str(refused.value)
    assert line.startswith(f"{name}='")
    assert valid in line
    assert "\n" not in line
    assert "pw" not in line


@pytest.mark.parametrize("url", ["mysql://me:geheim@h/f", "postgresql://me:ge/geheim@h:x/f"])
def test_the_databases_password_is_never_shown(url: str) -> None:
    """A refused DATABASE_URL is shown without its account."""
    with pytest.raises(BadSetting) as refused:
        read_gateway_settings({"DATABASE_URL": url})
    assert "geheim" not in str(refused.value)
