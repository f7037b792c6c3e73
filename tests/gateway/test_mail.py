"""Mail: into a file or to a real server, whole, and with nothing smuggled into its header."""

from __future__ import annotations

import asyncio
import email
import email.policy
import stat
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path

import pytest

from gateway.core.notices import Words
from gateway.mail import NotSent, Postbox, postbox, send_notice, send_otp
from gateway.settings import read_gateway_settings

NOW = 1_795_000_000_123
WORDS = Words("Outbid on lot 12A", "Somebody has outbid you.\n")


def box(tmp_path: Path, smtp_url: str = "") -> Postbox:
    """The postbox of a house."""
    settings = read_gateway_settings(
        {
            "DATA_DIR": str(tmp_path),
            "SMTP_URL": smtp_url,
            "PUBLIC_URL": "https://sale.example.test",
        }
    )
    return postbox(settings, lambda: NOW)


def read(raw: bytes) -> EmailMessage:
    """A mail as its reader's program understands it."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def text_of(message: EmailMessage) -> str:
    """Its text, with the line ends of a file instead of a mail's."""
    return str(message.get_content()).replace("\r\n", "\n")


def files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "mail").iterdir())


class Sink:
    """A mail server that keeps what it is given, and refuses whom it is told to refuse."""

    def __init__(self, refusals: Sequence[tuple[str, str]] = ()) -> None:
        self.mails: list[bytes] = []
        self.recipients: list[str] = []
        self.url = ""
        self._refusals = dict(refusals)  # the first word of a line → what it is answered

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak with one client until it leaves."""
        writer.write(b"220 sink\r\n")
        while line := (await reader.readline()).decode().strip():
            writer.write(self._answer(line))
            if line.upper() == "DATA" and "DATA" not in self._refusals:
                self.mails.append(await reader.readuntil(b"\r\n.\r\n"))
                writer.write(b"250 taken\r\n")
            if line.upper() == "QUIT":
                break
        writer.close()

    def _answer(self, line: str) -> bytes:
        word = line.upper().split()[0]
        if word in self._refusals:
            return self._refusals[word].encode() + b"\r\n"
        if word == "RCPT":
            self.recipients.append(line)
        known = {
            "EHLO": b"250-sink\r\n250-AUTH PLAIN\r\n250 SMTPUTF8\r\n",
            "DATA": b"354 go on\r\n",
            "QUIT": b"221 bye\r\n",
        }
        return known.get(word, b"250 ok\r\n")


@asynccontextmanager
async def sink(*refusals: tuple[str, str], account: str = "") -> AsyncIterator[Sink]:
    """A mail server on loopback."""
    found = Sink(refusals)

    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    found.url = f"smtp://{account}127.0.0.1:{port}"
    try:
        yield found
    finally:
        server.close()
        await server.wait_closed()


# ── Files ────────────────────────────────────────────────────────────────────────────────


def test_without_a_server_each_mail_is_a_file(tmp_path: Path) -> None:
    """Named by instant and id, for its owner only, and a mail that programs can read."""
    send_notice(box(tmp_path), "live", "ana@example.test", "mail_1", WORDS)
    [file] = files(tmp_path)
    assert file.name == "20261118T110640.123Z-mail_1.eml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    message = read(file.read_bytes())
    assert message["To"] == "ana@example.test"
    assert message["From"] == "Fairwarning <notices@sale.example.test>"
    assert message["Subject"] == "Outbid on lot 12A"
    assert message["Date"] == "Wed, 18 Nov 2026 11:06:40 +0000"
    assert message["Message-ID"] == "<mail_1@sale.example.test>"
    assert message["List-Unsubscribe"] == "<https://sale.example.test/me#notices>"
    assert message.get_content_type() == "text/plain"
    assert text_of(message) == WORDS.text


def test_test_mail_is_a_file_wherever_other_mail_goes(tmp_path: Path) -> None:
    """No server is asked: there is none at this address."""
    send_notice(box(tmp_path, "smtp://127.0.0.1:1"), "test", "ana@example.test", "m", WORDS)
    assert len(files(tmp_path)) == 1


def test_a_code_is_mailed_without_showing_in_the_subject(tmp_path: Path) -> None:
    """It is in the text alone; two codes are two mails."""
    house = box(tmp_path)
    send_otp(house, "test", "ana@example.test", "123456")
    send_otp(house, "test", "ana@example.test", "654321")
    first, second = (read(file.read_bytes()) for file in files(tmp_path))
    assert first["Message-ID"] != second["Message-ID"]
    texts = first.get_content() + second.get_content()
    assert "123456" in texts
    assert "654321" in texts
    assert "123456" not in str(first["Subject"]) + str(second["Subject"])


def test_words_of_other_scripts_arrive(tmp_path: Path) -> None:
    """In the subject as in the text."""
    words = Words("Töpfe – 12A", "Größe: 3 m²\n" + "x" * 2_000 + "\n.\nFrom me\n")
    send_notice(box(tmp_path), "live", "ana@example.test", "mail_1", words)
    message = read(files(tmp_path)[0].read_bytes())
    assert message["Subject"] == "Töpfe – 12A"
    assert text_of(message) == words.text


def test_nothing_gets_out_of_the_subject(tmp_path: Path) -> None:
    """A catalogue's line break makes no header line."""
    words = Words("Lot\r\nBcc: eve@example.test\r\n\r\nHello", "Text\n")
    send_notice(box(tmp_path), "live", "ana@example.test", "mail_1", words)
    message = read(files(tmp_path)[0].read_bytes())
    assert message["Bcc"] is None
    assert message["Subject"] == "Lot Bcc: eve@example.test Hello"
    assert text_of(message) == "Text\n"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ana",
        "@example.test",
        "ana@",
        "ana@example.test, eve@example.test",
        "ana@example.test\r\nBcc: eve@example.test",
        "Ana <ana@example.test>",
        '"ana eve"@example.test',
        "ana@exa mple.test",
        "undisclosed:ana@example.test;",
    ],
)
def test_an_address_is_one_address(tmp_path: Path, address: str) -> None:
    """Anything else is not written to, nor quoted in the complaint."""
    with pytest.raises(NotSent) as refused:
        send_notice(box(tmp_path), "live", address, "mail_1", WORDS)
    assert refused.value.for_good
    assert not (tmp_path / "mail").exists()
    assert "example" not in str(refused.value)


# ── Servers ──────────────────────────────────────────────────────────────────────────────


async def send(house: Postbox, address: str = "ana@example.test") -> None:
    await asyncio.to_thread(send_notice, house, "live", address, "mail_1", WORDS)


async def test_a_server_is_given_the_whole_mail(tmp_path: Path) -> None:
    """To one recipient, and no file is left."""
    async with sink() as server:
        await send(box(tmp_path, server.url))
    [raw] = server.mails
    assert [line.upper() for line in server.recipients] == ["RCPT TO:<ANA@EXAMPLE.TEST>"]
    assert read(raw)["Subject"] == "Outbid on lot 12A"
    assert not (tmp_path / "mail").exists()


async def test_a_password_is_sent_to_this_machine(tmp_path: Path) -> None:
    """On loopback nobody listens."""
    async with sink(("AUTH", "235 welcome"), account="me:secret%40@") as server:
        await send(box(tmp_path, server.url))
    assert len(server.mails) == 1


async def test_a_password_is_never_sent_in_the_clear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server elsewhere that offers no TLS does not hear it."""
    monkeypatch.setattr("gateway.mail._is_here", lambda _host: False)
    async with sink(("AUTH", "235 welcome"), account="me:secret@") as server:
        with pytest.raises(NotSent) as refused:
            await send(box(tmp_path, server.url))
    assert server.mails == []
    assert refused.value.for_good


@pytest.mark.parametrize(
    ("refusal", "for_good"),
    [
        (("RCPT", "550 ana@example.test is unknown"), True),
        (("RCPT", "450 try ana@example.test later"), False),
        (("MAIL", "421 too busy"), False),
        (("DATA", "554 no thanks"), True),
    ],
)
async def test_what_a_server_refuses_is_told_without_the_address(
    tmp_path: Path, refusal: tuple[str, str], for_good: bool
) -> None:
    """And whether it is worth another try."""
    async with sink(refusal) as server:
        with pytest.raises(NotSent) as refused:
            await send(box(tmp_path, server.url))
    assert refused.value.for_good is for_good
    assert "example" not in str(refused.value)
    assert "example" not in repr(refused.value)


async def test_a_server_that_is_not_there_is_tried_again(tmp_path: Path) -> None:
    """It is no fault of the mail."""
    async with sink() as server:
        url = server.url
    with pytest.raises(NotSent) as refused:
        await send(box(tmp_path, url))
    assert not refused.value.for_good
