"""Mail: words become a message, and a message goes to a server or into a file.

Where SMTP_URL names no server every mail is a file under ``DATA_DIR/mail``, to be read by the
people of a demonstration; so is every mail of test mode, wherever else mail goes.  A file is
there whole or not at all.

``smtps://`` speaks TLS from the start.  ``smtp://`` changes to TLS where the server offers
it; a password is never sent without, except to this very machine.

Promises: no text gets out of the header or the part that it was written into; neither an
address nor a code is ever logged, nor part of an error.  All functions block: call them in a
thread.  Leaves to others: whom to write to, and when to try again.
"""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from engine.core.messages import Mode
from gateway.core.notices import Words, one_line
from gateway.settings import GatewaySettings

_ANSWER_WITHIN_S: Final = 20.0  # a server that greylists or looks up names takes seconds
_USUAL_PORT: Final = {"smtp": 25, "smtps": 465}
_LONGEST_SUBJECT: Final = 200  # characters: more is no subject


class NotSent(Exception):
    """The mail did not go out; one line that names neither address nor server.

    ``for_good``: the server will not take it later either.
    """

    def __init__(self, reason: str, for_good: bool) -> None:
        super().__init__(reason)
        self.for_good = for_good


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed over."""

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Postbox:
    """How this house sends mail."""

    server: Server | None  # None: files
    folder: Path
    sender: str
    preferences: str  # the page on which a reader switches mail off
    now: Callable[[], int]  # milliseconds since the epoch


def postbox(settings: GatewaySettings, now: Callable[[], int]) -> Postbox:
    """The postbox that the settings describe."""
    host = urlsplit(settings.public_url).hostname or ""
    return Postbox(
        server=_server(settings.smtp_url) if settings.smtp_url else None,
        folder=settings.log.data_dir / "mail",
        sender=f"notices@{'localhost' if _is_address(host) else host}",
        preferences=preferences_url(settings.public_url),
        now=now,
    )


def preferences_url(public_url: str) -> str:
    """Where a reader switches mail off."""
    return f"{public_url}/me#notices"


def _server(url: str) -> Server:
    parts = urlsplit(url)
    return Server(
        scheme=parts.scheme,
        host=parts.hostname or "",
        port=parts.port or _USUAL_PORT[parts.scheme],
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


# ── Sending ──────────────────────────────────────────────────────────────────────────────


def send_notice(box: Postbox, mode: Mode, address: str, mail_id: str, words: Words) -> None:
    """Send a notice; sent again it has the same Message-ID.  Raises ``NotSent``."""
    message = _message(box, address, mail_id, words)
    # RFC 2369: readers' programs show a button for it.
    message["List-Unsubscribe"] = f"<{box.preferences}>"
    _hand_over(box, mode, mail_id, message)


def send_otp(box: Postbox, mode: Mode, address: str, code: str) -> None:
    """Send the code that somebody signs in with, at once.  Raises ``NotSent``."""
    text = (
        f"Your sign-in code is {code}. It is valid for five minutes, once.\n\n"
        "If you have not asked for it, you need do nothing.\n"
    )
    words = Words("Your sign-in code", text)  # not the code itself: subjects show on lock screens
    mail_id = "otp_" + secrets.token_hex(12)
    _hand_over(box, mode, mail_id, _message(box, address, mail_id, words))


def _message(box: Postbox, address: str, mail_id: str, words: Words) -> EmailMessage:
    # RFC 6531 writes names of other scripts as they are; everybody else gets plain ASCII.
    message = EmailMessage(SMTP if address.isascii() else SMTPUTF8)
    message["From"] = Address("Fairwarning", addr_spec=box.sender)
    message["To"] = _recipient(address)
    message["Subject"] = one_line(words.subject)[:_LONGEST_SUBJECT]
    message["Date"] = datetime.fromtimestamp(box.now() // 1000, UTC)
    message["Message-ID"] = f"<{mail_id}@{box.sender.partition('@')[2]}>"
    # RFC 3834: no holiday answers, please.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(words.text)
    return message


def _recipient(address: str) -> Address:
    local, at, domain = address.rpartition("@")
    if not (local and at and domain) or re.search(r"[\s\x00-\x1f\x7f<>(),:;\\\"\[\]]", address):
        raise NotSent("the address is no mail address", for_good=True)
    try:
        return Address(username=local, domain=domain)
    except ValueError as failure:
        raise NotSent("the address is no mail address", for_good=True) from failure


def _hand_over(box: Postbox, mode: Mode, mail_id: str, message: EmailMessage) -> None:
    if box.server is None or mode == "test":
        _write(box, mail_id, message)
        return
    try:
        _speak(box.server, message)
    except smtplib.SMTPNotSupportedError as failure:  # not our address, nor our TLS
        raise NotSent("the mail server lacks what this mail needs", for_good=True) from failure
    except smtplib.SMTPRecipientsRefused as failure:
        codes = [code for code, _ in failure.recipients.values()]
        raise NotSent(f"recipient refused ({codes[0]})", _for_good(codes[0])) from None
    except smtplib.SMTPResponseException as failure:
        # The server's words may quote the address.
        reason = f"the mail server answered {failure.smtp_code}"
        raise NotSent(reason, _for_good(failure.smtp_code)) from None
    except (smtplib.SMTPException, OSError) as failure:
        reason = f"the mail server cannot be reached: {type(failure).__name__}"
        raise NotSent(reason, for_good=False) from failure


def _for_good(code: int) -> bool:
    # 535: a password that somebody will mend.
    return 500 <= code < 600 and code != 535


def _speak(server: Server, message: EmailMessage) -> None:
    tls = ssl.create_default_context()
    with _connected(server, tls) as line:
        line.ehlo()
        encrypted = server.scheme == "smtps"
        if not encrypted and line.has_extn("starttls"):
            line.starttls(context=tls)
            line.ehlo()
            encrypted = True
        if server.user:
            if not encrypted and not _is_here(server.host):
                raise smtplib.SMTPNotSupportedError("a password needs TLS")
            line.login(server.user, server.password)
        line.send_message(message)


def _connected(server: Server, tls: ssl.SSLContext) -> smtplib.SMTP:
    if server.scheme == "smtps":
        return smtplib.SMTP_SSL(server.host, server.port, timeout=_ANSWER_WITHIN_S, context=tls)
    return smtplib.SMTP(server.host, server.port, timeout=_ANSWER_WITHIN_S)


def _is_here(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _write(box: Postbox, mail_id: str, message: EmailMessage) -> None:
    """Put the mail into the folder, in one step: whoever looks finds a whole mail."""
    seconds, rest = divmod(box.now(), 1000)
    instant = f"{datetime.fromtimestamp(seconds, UTC):%Y%m%dT%H%M%S}.{rest:03d}Z"
    file = box.folder / f"{instant}-{mail_id}.eml"
    beside = file.with_suffix(".new")
    try:
        box.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(message.as_bytes())
        beside.replace(file)
    except OSError as failure:
        reason = f"the mail cannot be written to a file: {failure.strerror}"
        raise NotSent(reason, for_good=False) from failure
