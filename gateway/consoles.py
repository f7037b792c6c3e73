"""The consoles of this gateway: how a browser at the desk gets one.

A program opens a console with an operator's key; a browser, which holds a cookie that no script
can read, asks here for a ticket that its socket says instead.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from starlette.requests import Request
from starlette.responses import Response

from gateway import desk
from gateway.api import calls
from gateway.api.access import address_of
from gateway.books import sessions
from gateway.books.store import BooksError
from gateway.core.consumer import moment
from gateway.core.problems import Problem, for_consumers
from gateway.core.wire.consumer import Ticket

if TYPE_CHECKING:
    from gateway.app import Gateway

log = structlog.stdlib.get_logger()


async def ticket(request: Request) -> Response:
    """``POST /console/ticket``: for whoever is signed in at the desk with a key that may sell."""
    gateway: Gateway = request.app.state.gateway
    headers = calls.new_headers(gateway)
    try:
        headers.update(calls.take(gateway, "http", f"http:{address_of(gateway, request)}"))
        return calls.written(await _issued(gateway, request), 200, headers)
    except Problem as problem:
        headers.update(problem.headers)
        return calls.written(for_consumers(problem), problem.status, headers)


async def _issued(gateway: Gateway, request: Request) -> Ticket:
    key = desk.key_of(gateway, request)
    if key is None:
        raise Problem("unauthorized")
    now = gateway.clock.now()
    try:
        text, expires_at = await asyncio.to_thread(
            sessions.issue_console_ticket, gateway.books, key.key_id, key.mode, now
        )
    except BooksError as failure:
        log.warning("no ticket can be given out", reason=str(failure))
        raise Problem("unavailable") from failure
    return Ticket(ticket=text, expires_at=moment(expires_at))
