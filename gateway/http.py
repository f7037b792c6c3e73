"""uvicorn's HTTP, but for one thing: what is no HTTP at all gets an error like any other.

uvicorn answers it with a line of text, before any route; whoever reads our errors by program
would have to know two forms.  This is uvicorn's internal class: pinned, with a test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.api import calls
from gateway.core.problems import Problem, for_consumers

if TYPE_CHECKING:
    from gateway.app import Gateway


class Http(HttpToolsProtocol):
    """One HTTP connection."""

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be read, and hang up: nobody knows where the next would begin."""
        gateway: Gateway = self.app.state.gateway
        headers = calls.new_headers(gateway)
        response = calls.written(for_consumers(Problem("invalid", msg)), 400, headers)
        lines = [b"HTTP/1.1 400 Bad Request", b"connection: close"]
        lines += [name + b": " + value for name, value in response.raw_headers]
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + bytes(response.body))
        self.transport.close()
