"""The sender: takes what is due out of the outbox and says it, in the clerk's process.

Each webhook is told one thing at a time, in the order in which it happened, as far as
retries allow; webhooks that are slow do not keep the others waiting.  Before each attempt
the host's name is resolved and every address judged (``gateway.core.targets``), and the
connection goes to exactly the address that was judged, so that a name which changes its
mind between the two gains nothing.  No connection is used twice, no redirect is followed.

A kill between sending and writing it down leads to a second attempt under the same id; there
is no third possibility.  The sender wakes when the clerk has written something into the
outbox, when something falls due, and every ``LOOK_AGAIN_S`` for what other processes have
asked for.  A database or a receiver in trouble is waited for; it never stops the house.

Leaves to others: what is told (``gateway.books.outbox``) and how mail goes (``gateway.mail``).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import httpx
import structlog
from sqlalchemy import Engine

from gateway import mail
from gateway.books import mailing, outbox, payments, people, webhooks
from gateway.books.mailing import Mail, Subject
from gateway.books.store import BooksError, Vault
from gateway.books.webhooks import Attempt, Due
from gateway.core.notices import PAYMENT_DUE_MS, Occasion, wording
from gateway.core.targets import BadTarget, Target, judge, read_url
from gateway.core.webhooks import WON, headers, plain, with_payment_token
from gateway.core.wording import major_units
from gateway.keys import HouseKeys

LOOK_AGAIN_S: Final = 2.0  # one question of an index: a replay does not wait longer
AT_ONCE: Final = 16  # webhooks that are told something at the same time
_IN_A_ROW: Final = 20  # tellings to one webhook before another may have its place
_ANSWER_WITHIN_S: Final = 30.0
_READ_WITHIN_S: Final = 2.0
_READ_AT_MOST: Final = 64 * 1024  # bytes of an answer nobody reads
_MAILS_A_TURN: Final = 50
_AFTER_TROUBLE_S: Final = 5.0
_KEPT_MS: Final = 30 * 24 * 3_600_000  # what was told can be looked up for a month
_TIDY_EVERY_MS: Final = 3_600_000

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_log: Final = structlog.stdlib.get_logger()


class Payment(NamedTuple):
    """How one winner pays for one lot, as it is now."""

    token: str
    expires_at: int
    is_open: bool  # neither used nor expired nor taken back


# (auction, consumer) → how they pay; None: there is nothing to be paid.  It may block.
Payments = Callable[[str, str], Payment | None]


def payments_of(books: Engine, house_keys: HouseKeys, now: Callable[[], int]) -> Payments:
    """How winners pay, out of the books."""

    def find(auction_id: str, consumer_id: str) -> Payment | None:
        sold = mailing.sold_to(books, auction_id, consumer_id)
        if sold is None:
            return None
        token = payments.current_token(books, house_keys, sold)
        claims = payments.validate(books, house_keys, sold.mode, token, now())
        if isinstance(claims, payments.Refused):
            return Payment(token, 0, False)
        return Payment(token, claims["exp"] * 1000, True)

    return find


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


async def resolve_name(host: str, port: int) -> Sequence[str]:
    """Every address of a host, as the system's resolver says."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True)
class Outside:
    """Everything that sending needs; clock and resolver are handed in by tests."""

    books: Engine
    vault: Vault
    webhook_key: bytes = field(repr=False)  # the house's, for secrets of webhooks
    salt: bytes = field(repr=False)
    payments: Payments
    postbox: mail.Postbox
    public_url: str
    allow_private: bool
    now: Callable[[], int] = _now_ms
    resolve: Resolve = resolve_name


async def deliver(outside: Outside, wake: asyncio.Event) -> None:
    """Send what is due, until canceled.

    *wake* is set by whoever has written something into the outbox in this process.
    """
    sender = Sender(outside)
    try:
        while True:
            wake.clear()  # before looking: what is written from now on wakes again
            try:
                due_at = await sender.turn()
            except BooksError as failure:
                _log.warning("the outbox cannot be read", reason=str(failure))
                due_at = outside.now() + int(_AFTER_TROUBLE_S * 1000)
            await sender.rest(wake, due_at)
    finally:
        await sender.close()


class Sender:
    """What is under way, and whose turn it is."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._telling: dict[str, asyncio.Task[None]] = {}
        self._writing: asyncio.Task[None] | None = None
        self._turns: dict[str, int] = {}  # when each webhook had its last one
        self._turn = 0
        self._tidied_at = 0
        self._tls = ssl.create_default_context()

    async def turn(self) -> int | None:
        """Begin whatever is due and has a place; when something is due next."""
        now = self._outside.now()
        await self._tidy(now)
        reminder_at = await asyncio.to_thread(outbox.next_reminder_at, self._outside.books)
        if reminder_at is not None and reminder_at <= now:
            await self._remind(now)
            reminder_at = None
        waiting = await asyncio.to_thread(webhooks.waiting, self._outside.books)
        mail_at = await asyncio.to_thread(mailing.next_mail_at, self._outside.books)
        self._begin_telling(waiting, now)
        if mail_at is not None and mail_at <= now and self._writing is None:
            self._writing = asyncio.create_task(_patiently(self._write_mails()))
        later = [at for at in (reminder_at, mail_at, *waiting.values()) if at and at > now]
        return min(later, default=None)

    async def rest(self, wake: asyncio.Event, due_at: int | None) -> None:
        """Wait for news, for a place to become free, or for the time; never for long."""
        patience_s = LOOK_AGAIN_S
        if due_at is not None:
            patience_s = min(patience_s, max(0.0, (due_at - self._outside.now()) / 1000))
        woken = asyncio.create_task(wake.wait())
        try:
            busy = [woken, *self._telling.values(), *([self._writing] if self._writing else [])]
            await asyncio.wait(busy, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()  # and not awaited: that could swallow our own cancelation
        self._clear_away()

    async def close(self) -> None:
        """Let go of what is under way; it will be sent again."""
        busy = [*self._telling.values(), *([self._writing] if self._writing else [])]
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)

    def _clear_away(self) -> None:
        for webhook_id, task in list(self._telling.items()):
            if task.done():
                del self._telling[webhook_id]
                task.result()  # what is left is a bug
        if self._writing is not None and self._writing.done():
            self._writing.result()
            self._writing = None

    async def _tidy(self, now: int) -> None:
        if now < self._tidied_at + _TIDY_EVERY_MS:
            return
        self._tidied_at = now
        for forget in (webhooks.forget, mailing.forget):
            await asyncio.to_thread(forget, self._outside.books, now - _KEPT_MS)

    async def _remind(self, now: int) -> None:
        outside = self._outside
        await asyncio.to_thread(outbox.due_notices, outside.books, now, outside.salt)

    # ── Webhooks ─────────────────────────────────────────────────────────────────────────

    def _begin_telling(self, waiting: Mapping[str, int], now: int) -> None:
        due = [name for name, at in waiting.items() if at <= now and name not in self._telling]
        due.sort(key=lambda name: (self._turns.get(name, 0), waiting[name]))
        for webhook_id in due[: AT_ONCE - len(self._telling)]:
            self._turn += 1
            self._turns[webhook_id] = self._turn
            self._telling[webhook_id] = asyncio.create_task(_patiently(self._tell(webhook_id)))

    async def _tell(self, webhook_id: str) -> None:
        """Tell one webhook what is due, one thing after another, until one of them fails."""
        outside = self._outside
        for _ in range(_IN_A_ROW):
            due = await asyncio.to_thread(
                webhooks.next_due, outside.books, webhook_id, outside.now()
            )
            if due is None:
                return
            attempt = await self._attempt(due)
            state = await asyncio.to_thread(
                webhooks.mark, outside.books, due, attempt, outside.now()
            )
            if state != "delivered":
                # Another webhook may have its place; this one's next telling comes after it.
                _log.info("a webhook was not told", webhook=webhook_id, reason=attempt.error)
                return

    async def _attempt(self, due: Due) -> Attempt:
        outside = self._outside
        began_at, began = outside.now(), time.monotonic_ns()
        status, error = None, None
        body = (await self._body(due)).encode()
        secrets = webhooks.secrets_of(outside.webhook_key, due, began_at)
        try:
            status = await self._post(due.url, body, headers(body, secrets, began_at // 1000))
            if not 200 <= status < 300:
                error = f"answered {status}"
        except BadTarget as refused:
            error = str(refused)
        except TimeoutError:
            error = f"no answer within {_ANSWER_WITHIN_S:.0f} s"
        # ValueError: a name that DNS cannot write (UnicodeError), among others.
        except (OSError, httpx.HTTPError, httpx.InvalidURL, ValueError) as failure:
            error = _in_short(failure)
        took_ms = (time.monotonic_ns() - began) // 1_000_000
        return Attempt(began_at, status, error, took_ms)

    async def _body(self, due: Due) -> str:
        if due.type != WON or due.auction_id is None or due.consumer_id is None:
            return due.body
        find = self._outside.payments
        payment = await asyncio.to_thread(find, due.auction_id, due.consumer_id)
        return with_payment_token(due.body, payment.token if payment else None)

    async def _post(self, url: str, body: bytes, said: Mapping[str, str]) -> int:
        """Send it to the first address that takes it; the status.  Every address is judged."""
        deadline = asyncio.get_running_loop().time() + _ANSWER_WITHIN_S
        target = read_url(url, self._outside.allow_private)
        async with asyncio.timeout_at(deadline):
            addresses = await self._outside.resolve(target.host, target.port)
        for address in addresses:
            judge(address, target.scheme, self._outside.allow_private)
        failure: Exception = OSError("the host has no address")
        for address in addresses:
            try:
                return await self._post_to(address, target, body, said, deadline)
            except (httpx.ConnectError, httpx.ConnectTimeout) as refused:
                failure = refused
        raise failure

    async def _post_to(
        self,
        address: str,
        target: Target,
        body: bytes,
        said: Mapping[str, str],
        deadline: float,
    ) -> int:
        request = httpx.Request(
            "POST",
            # The address stands where the name would: nobody resolves it a second time.
            httpx.URL(
                scheme=target.scheme,
                host=address,
                port=target.port,
                raw_path=target.path.encode("ascii"),
            ),
            content=body,
            headers={
                "Host": _host_header(target),
                "Content-Type": "application/json",
                "User-Agent": "Fairwarning-Webhooks/1",
                **said,
            },
            # The certificate is the name's all the same.
            extensions={"sni_hostname": target.host, "timeout": {}},
        )
        # A transport alone: no redirects, no cookies, no proxy out of the environment.
        limits = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncHTTPTransport(
            verify=self._tls, trust_env=False, limits=limits
        ) as transport:
            async with asyncio.timeout_at(deadline):
                response = await transport.handle_async_request(request)
            await _read_some(response)
            return response.status_code

    # ── Mail ─────────────────────────────────────────────────────────────────────────────

    async def _write_mails(self) -> None:
        outside = self._outside
        due = await asyncio.to_thread(
            mailing.due_mails, outside.books, outside.now(), _MAILS_A_TURN
        )
        for each in due:
            await asyncio.to_thread(_write_mail, outside, each)


async def _patiently(work: Coroutine[None, None, None]) -> None:
    """Work that waits a moment where the books are in trouble, and keeps its place meanwhile:
    what was sent and could not be written down is not sent again in the same breath."""
    try:
        await work
    except BooksError as failure:
        _log.warning("the outbox cannot be written", reason=str(failure))
        await asyncio.sleep(_AFTER_TROUBLE_S)


def _host_header(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    usual = target.port == (443 if target.scheme == "https" else 80)
    return host if usual else f"{host}:{target.port}"


async def _read_some(response: httpx.Response) -> None:
    """Let the receiver finish a short answer; what it says, and whether it ends, is no matter."""
    left = _READ_AT_MOST
    # The status has been said: nothing that goes wrong from here on changes it.
    with contextlib.suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout(_READ_WITHIN_S):
            async for part in response.aiter_raw():
                left -= len(part)
                if left <= 0:
                    break
    await response.aclose()


def _in_short(failure: BaseException) -> str:
    words = " ".join(str(failure).split())[:200]
    return f"{type(failure).__name__}: {words}" if words else type(failure).__name__


# ── One mail ─────────────────────────────────────────────────────────────────────────────


def _write_mail(outside: Outside, due: Mail) -> None:
    """Send one mail, or drop it where its reader does not want it, or it has become untrue."""
    about = mailing.subject_of(outside.books, due)
    payment = _payment(outside, due)
    if _reminded_later(outside, due, payment):
        return
    address = _address(outside, due)
    if about is None or address is None or _pointless(due, about, payment):
        mailing.done(outside.books, due, "dropped", outside.now())
        return
    words = wording(due.kind, _occasion(outside, due, about, payment))
    try:
        mail.send_notice(outside.postbox, due.mode, address, due.mail_id, words)
    except mail.NotSent as failure:
        _log.info("a mail was not sent", kind=due.kind, reason=str(failure))
        if failure.for_good:
            mailing.done(outside.books, due, "failed", outside.now(), str(failure))
        else:
            mailing.put_off(outside.books, due, str(failure), outside.now())
        return
    mailing.done(outside.books, due, "sent", outside.now())


def _payment(outside: Outside, due: Mail) -> Payment | None:
    if due.kind not in ("won", "payment_due") or due.auction_id is None:
        return None
    return outside.payments(due.auction_id, due.consumer_id)


def _reminded_later(outside: Outside, due: Mail, payment: Payment | None) -> bool:
    """See to it that the payment is called due in time; True: and this mail has to wait for it."""
    if payment is None or not payment.is_open:
        return False
    remind_at = payment.expires_at - PAYMENT_DUE_MS
    if due.kind == "won":
        # Also where the word of the win is not wanted: each kind is switched off by itself.
        mailing.remind_of_payment(outside.books, due, remind_at, outside.salt)
        return False
    if remind_at <= outside.now():
        return False
    mailing.remind_of_payment(outside.books, due, remind_at, outside.salt)  # issued anew since
    return True


def _address(outside: Outside, due: Mail) -> str | None:
    """Where the reader is reached; None: nowhere, or they do not want mail like this."""
    person = people.by_id(outside.books, outside.vault, due.consumer_id)
    if person is None or person.mode != due.mode or not person.notices[due.kind]:
        return None
    return person.email


def _pointless(due: Mail, about: Subject, payment: Payment | None) -> bool:
    """Has the mail become untrue, or useless, since it was intended?"""
    if due.kind == "outbid":
        return about.over or about.leads_again
    if due.kind == "ending_soon":
        return about.over
    return due.kind == "payment_due" and (payment is None or not payment.is_open)


def _occasion(outside: Outside, due: Mail, about: Subject, payment: Payment | None) -> Occasion:
    figures = due.figures
    named = {name: figures.get(name) for name in ("price", "asking", "amount")}
    amounts = {
        name: f"{plain(major_units(amount, about.exponent))} {about.currency}"
        for name, amount in named.items()
        if amount is not None
    }
    pays = due.kind in ("won", "payment_due")
    return Occasion(
        sale_name=about.sale_name,
        lot_number=about.lot_number,
        lot_name=about.lot_name,
        link=_link(outside.public_url, due),
        preferences=outside.postbox.preferences,
        amounts=amounts,
        until=(payment.expires_at if payment else None) if pays else about.closes_at,
        admission=figures.get("admission", ""),
        paddle=figures.get("paddle", 0),
        reason=figures.get("reason", ""),
        canceled=figures.get("canceled", False),
        reopened=figures.get("reopened", False),
    )


def _link(public_url: str, due: Mail) -> str:
    if due.auction_id is None:
        return f"{public_url}/sale/{due.sale_id}"
    if due.kind in ("won", "payment_due"):
        return f"{public_url}/me#{due.auction_id}"
    return f"{public_url}/lot/{due.auction_id}"
